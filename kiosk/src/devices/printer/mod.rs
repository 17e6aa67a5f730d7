//! The printer of slips: its own task and a short queue, so that admission never waits for paper.

mod escpos;
mod picture;

use std::{
    collections::VecDeque,
    fmt, io,
    path::PathBuf,
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use admission::{
    Clock, Millis,
    time::{MINUTE, SECOND},
};
use jiff::tz::TimeZone;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpStream, unix::pipe},
    sync::mpsc,
    time::{sleep, timeout},
};

use self::{
    escpos::Health,
    picture::{Fonts, Part},
};
use super::{
    is_address,
    port::{self, Serial},
    state::{Condition, Seat},
};

/// Slips that wait at most; the oldest gives way.
const WAITING_MAX: usize = 8;
/// A slip that could not be printed by then is for somebody who has gone in.
const WAIT_AT_MOST_MS: i64 = MINUTE;
/// The last slip may be printed again for so long; then the next person stands there.
const AGAIN_WITHIN_MS: i64 = 2 * MINUTE;
/// Between two questions how the printer is: while it is well, and while it is not.
const ASK_EVERY: [Duration; 2] = [Duration::from_secs(15), Duration::from_secs(2)];
/// A printer that answers questions answers within this.
const ANSWER_WITHIN: Duration = Duration::from_millis(400);
/// A printer that cannot be reached, or takes nothing more, for so long is away.
const REACH_WITHIN: Duration = Duration::from_secs(3);
const TAKE_WITHIN: Duration = Duration::from_secs(15);

/// Where a printer is plugged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plug {
    /// On the network, `HOST:PORT`; the port is 9100 as a rule.
    Tcp(String),
    /// On a serial line.
    Serial(Serial),
    /// On USB: a device file such as `/dev/usb/lp0`.
    File(PathBuf),
}

/// The text names no printer.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no printer (不是可用的打印机). Known are `tcp:HOST:9100`, `serial:PATH` (or `serial:PATH@BAUD`) and the path \
     of a USB printer's device file, such as /dev/usb/lp0"
)]
pub struct UnknownPrinter(String);

impl FromStr for Plug {
    type Err = UnknownPrinter;

    fn from_str(spec: &str) -> Result<Self, UnknownPrinter> {
        let plug = match spec.split_once(':') {
            Some(("tcp", address)) if is_address(address) => Some(Self::Tcp(address.to_owned())),
            Some(("serial", line)) => line.parse().ok().map(Self::Serial),
            _ if spec.starts_with('/') => Some(Self::File(spec.into())),
            _ => None,
        };
        plug.ok_or_else(|| UnknownPrinter(spec.to_owned()))
    }
}

impl fmt::Display for Plug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "tcp:{address}"),
            Self::Serial(line) => write!(f, "serial:{line}"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// How wide the paper is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Paper {
    /// 58 mm: 384 dots.
    Mm58,
    /// 80 mm: 576 dots.
    #[default]
    Mm80,
}

impl FromStr for Paper {
    type Err = &'static str;

    fn from_str(mm: &str) -> Result<Self, Self::Err> {
        match mm {
            "58" => Ok(Self::Mm58),
            "80" => Ok(Self::Mm80),
            _ => Err("paper is 58 or 80 mm wide (纸宽 58 或 80 毫米)"),
        }
    }
}

impl Paper {
    const fn dots(self) -> usize {
        match self {
            Self::Mm58 => 384,
            Self::Mm80 => 576,
        }
    }
}

/// What is printed for one person who was let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slip {
    /// The scan it is for.
    pub scan: String,
    /// The event's title.
    pub event: String,
    /// The station's name.
    pub station: String,
    /// The holder's name as the kiosk knows it: masked.
    pub holder: Option<String>,
    /// A walker's number, or a seat.
    pub place: Option<String>,
    /// What was booked: the offer's name, with a booth or a room where the organizer wrote them into it.
    pub offer: Option<String>,
    /// The ticket code that was shown; none when a card was.
    pub code: Option<String>,
    /// When, and where that time is.
    pub at: Millis,
    /// The event's time zone.
    pub time_zone: String,
}

/// A slip on its way to the paper.
#[derive(Debug)]
pub(super) struct Queued {
    slip: Slip,
    since: Millis,
}

/// The printer, as the doorkeeper and the page know it.
#[derive(Clone)]
pub struct Printer {
    slips: mpsc::Sender<Queued>,
    last: Arc<Mutex<Option<Slip>>>,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Printer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Printer(…)")
    }
}

impl Printer {
    /// A printer, and the slips that its task is to print.
    pub(super) fn new(clock: Arc<dyn Clock>) -> (Self, mpsc::Receiver<Queued>) {
        let (slips, printed) = mpsc::channel(WAITING_MAX);
        (Self { slips, last: Arc::default(), clock }, printed)
    }

    /// Prints a slip once; never waits. A scan that is only shown again is not printed again.
    pub fn print(&self, slip: Slip) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.as_ref().is_some_and(|last| last.scan == slip.scan) {
            return;
        }
        *last = Some(slip.clone());
        drop(last);
        self.queue(slip);
    }

    /// Prints the last slip again. False when there is none, or it is too old.
    #[must_use]
    pub fn print_again(&self) -> bool {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let now = self.clock.now();
        let fresh = last.filter(|slip| (0..AGAIN_WITHIN_MS).contains(&now.since(slip.at)));
        fresh.map(|slip| self.queue(slip)).is_some()
    }

    fn queue(&self, slip: Slip) {
        let since = self.clock.now();
        if self.slips.try_send(Queued { slip, since }).is_err() {
            tracing::warn!("the printer's queue is full; a slip is not printed");
        }
    }
}

/// Prints slips, and tells how the printer is, for ever.
pub(super) async fn attend(
    plug: Plug,
    paper: Paper,
    seat: Seat,
    mut slips: mpsc::Receiver<Queued>,
    clock: Arc<dyn Clock>,
) {
    // Looking through all fonts takes a moment.
    let fonts = tokio::task::spawn_blocking(Fonts::of_system).await.ok().flatten();
    let Some(fonts) = fonts.map(Arc::new) else {
        seat.tell(Condition::NoFont);
        // Whoever sends goes on to find the queue full.
        return std::future::pending().await;
    };
    let mut waiting = VecDeque::new();
    loop {
        let condition = serve(&plug, paper, &fonts, &mut waiting, &clock).await;
        seat.tell(condition);
        let every = ASK_EVERY[usize::from(!condition.prints())];
        tokio::select! {
            slip = slips.recv() => match slip {
                Some(slip) => {
                    if waiting.len() == WAITING_MAX {
                        waiting.pop_front();
                    }
                    waiting.push_back(slip);
                }
                None => return,
            },
            () = sleep(every) => {}
        }
    }
}

/// Prints what is waiting, if the printer is well; how it is.
async fn serve(
    plug: &Plug,
    paper: Paper,
    fonts: &Arc<Fonts>,
    waiting: &mut VecDeque<Queued>,
    clock: &Arc<dyn Clock>,
) -> Condition {
    waiting.retain(|queued| {
        let fresh = clock.now().since(queued.since) < WAIT_AT_MOST_MS;
        if !fresh {
            tracing::warn!("a slip has waited too long and is not printed");
        }
        fresh
    });
    let served = async {
        let mut link = timeout(REACH_WITHIN, connect(plug)).await??;
        let health = print_to(&mut link, paper, fonts, waiting).await;
        // A serial line closes when it has sent all, which may take a while: not on a thread that serves the door.
        drop(tokio::task::spawn_blocking(move || drop(link)).await);
        health
    };
    match served.await {
        Ok(Health::Well) => Condition::Connected,
        Ok(Health::PaperLow) => Condition::PaperLow,
        Ok(Health::PaperOut) => Condition::PaperOut,
        Ok(Health::CoverOpen) => Condition::CoverOpen,
        Ok(Health::Broken) => Condition::Broken,
        Err(error) => {
            tracing::debug!(%error, "the printer cannot be reached");
            Condition::from(&error)
        }
    }
}

/// Prints what is waiting as long as the printer is well; how it is then.
async fn print_to(
    link: &mut Box<dyn Link>,
    paper: Paper,
    fonts: &Arc<Fonts>,
    waiting: &mut VecDeque<Queued>,
) -> io::Result<Health> {
    let mut health = ask(link).await?;
    while let (Health::Well | Health::PaperLow, Some(slip)) = (health, waiting.front()) {
        let bytes = bytes(fonts, &slip.slip, paper).await?;
        send(link, &bytes, TAKE_WITHIN).await?;
        // The paper may have ended within this very slip: then it is printed again when there is some.
        health = ask(link).await?;
        if health != Health::PaperOut {
            waiting.pop_front();
        }
    }
    link.shutdown().await?;
    Ok(health)
}

/// Sends `bytes`, however slowly they are taken: a slip is a minute's work for a serial line. A printer that takes nothing
/// more for as long as `patience` is away.
async fn send(
    link: &mut (impl AsyncWrite + Unpin),
    mut bytes: &[u8],
    patience: Duration,
) -> io::Result<()> {
    while !bytes.is_empty() {
        match timeout(patience, link.write(bytes)).await?? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            taken => bytes = &bytes[taken..],
        }
    }
    Ok(())
}

trait Link: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Link for T {}

async fn connect(plug: &Plug) -> io::Result<Box<dyn Link>> {
    let file = match plug {
        Plug::Tcp(address) => {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            return Ok(Box::new(stream));
        }
        Plug::Serial(line) => port::open_serial(line)?,
        Plug::File(path) => port::open(path)?,
    };
    let writer = pipe::Sender::from_file_unchecked(file.try_clone()?)?;
    Ok(Box::new(tokio::io::join(port::reader(file)?, writer)))
}

/// Asks a printer how it is.
async fn ask(link: &mut Box<dyn Link>) -> io::Result<Health> {
    let mut answers = [None; 2];
    for (question, answer) in [escpos::ASK_OFFLINE, escpos::ASK_PAPER].iter().zip(&mut answers) {
        send(link, question, TAKE_WITHIN).await?;
        let reading = async {
            loop {
                // Some printers talk unasked; what is no answer is passed over.
                let byte = link.read_u8().await?;
                if escpos::is_answer(byte) {
                    return io::Result::Ok(byte);
                }
            }
        };
        match timeout(ANSWER_WITHIN, reading).await {
            Ok(Ok(byte)) => *answer = Some(byte),
            // Only printers that can be heard answer; a line that is only written to has an end at once.
            Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {}
            Ok(Err(error)) => return Err(error),
            Err(_) => break,
        }
    }
    Ok(escpos::health(answers[0], answers[1]))
}

async fn bytes(fonts: &Arc<Fonts>, slip: &Slip, paper: Paper) -> io::Result<Vec<u8>> {
    let (fonts, parts) = (fonts.clone(), parts(slip));
    let draw = move || escpos::print(&fonts.draw(&parts, paper.dots()));
    tokio::task::spawn_blocking(draw).await.map_err(io::Error::other)
}

/// What stands on a slip, from the top.
fn parts(slip: &Slip) -> Vec<Part> {
    let zone = TimeZone::get(&slip.time_zone).unwrap_or(TimeZone::UTC);
    let time = jiff::Timestamp::from_millisecond(slip.at.0)
        .map(|at| at.to_zoned(zone).strftime("%Y-%m-%d %H:%M").to_string())
        .unwrap_or_default();
    let number = slip.scan.rsplit('-').next().unwrap_or(&slip.scan);
    let mut parts = vec![Part::Space(8), Part::Text(slip.event.clone(), 1.0), Part::Space(12)];
    parts.extend(slip.holder.clone().map(|holder| Part::Text(holder, 2.6)));
    parts.extend(slip.place.clone().map(|place| Part::Text(place, 3.2)));
    parts.extend(slip.offer.clone().map(|offer| Part::Text(offer, 1.3)));
    parts.push(Part::Code(slip.code.clone().unwrap_or_else(|| slip.scan.clone())));
    parts.push(Part::Text(format!("{} · {time} · No. {number}", slip.station), 0.62));
    parts
}

// A slip may be printed again for longer than it waits, never the other way round.
const _: () = assert!(AGAIN_WITHIN_MS > WAIT_AT_MOST_MS && WAIT_AT_MOST_MS > 10 * SECOND);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plugs_are_read_and_written_alike() {
        for spec in ["tcp:10.0.0.9:9100", "serial:/dev/ttyS0@19200", "/dev/usb/lp0"] {
            assert_eq!(spec.parse::<Plug>().expect(spec).to_string(), spec);
        }
        for spec in ["", "tcp:printer", "lp0", "serial:", "cups:x"] {
            let error = spec.parse::<Plug>().expect_err(spec);
            assert!(error.to_string().contains(&format!("`{spec}`")));
        }
        assert_eq!("58".parse(), Ok(Paper::Mm58));
        assert!("57".parse::<Paper>().is_err());
    }

    #[tokio::test]
    async fn a_slow_line_takes_as_long_as_it_takes_and_a_dead_one_is_given_up() {
        // So long that a busy machine does not look like a dead printer.
        let patience = Duration::from_secs(8);
        let (mut here, mut there) = tokio::io::duplex(64);
        let printing = tokio::spawn(async move {
            let mut piece = [0; 64];
            let mut printed = 0;
            // Longer than the patience in all, and never as long in one.
            while let Ok(taken @ 1..) = there.read(&mut piece).await {
                printed += taken;
                sleep(Duration::from_millis(250)).await;
            }
            printed
        });
        let begun = std::time::Instant::now();
        send(&mut here, &[7; 40 * 64], patience).await.expect("taken");
        assert!(begun.elapsed() > patience);
        drop(here);
        assert_eq!(printing.await.expect("the printer ends"), 40 * 64);

        let (mut here, _there) = tokio::io::duplex(64);
        let stuck = send(&mut here, &[7; 65], Duration::from_millis(20)).await;
        assert!(stuck.is_err_and(|error| error.kind() == io::ErrorKind::TimedOut));
    }

    struct At(Millis);

    impl Clock for At {
        fn now(&self) -> Millis {
            self.0
        }
    }

    fn slip(scan: &str, at: Millis) -> Slip {
        Slip {
            scan: scan.to_owned(),
            event: "春风行动招聘会".to_owned(),
            station: "东门".to_owned(),
            holder: Some("王*明".to_owned()),
            place: Some("W0007".to_owned()),
            offer: Some("入场券".to_owned()),
            code: None,
            at,
            time_zone: "Asia/Shanghai".to_owned(),
        }
    }

    #[test]
    fn a_scan_is_printed_once_and_again_only_for_a_while() {
        let now = Millis(1_000_000_000);
        let (printer, mut queue) = Printer::new(Arc::new(At(now)));
        assert!(!printer.print_again(), "nothing was printed yet");
        printer.print(slip("k-1", now));
        printer.print(slip("k-1", now));
        assert_eq!(queue.try_recv().ok().map(|queued| queued.slip.scan).as_deref(), Some("k-1"));
        assert!(queue.try_recv().is_err(), "the same scan shown again");
        assert!(printer.print_again());
        assert!(queue.try_recv().is_ok());
        printer.print(slip("k-2", now.plus(-AGAIN_WITHIN_MS)));
        assert!(queue.try_recv().is_ok());
        assert!(!printer.print_again(), "the next person stands there");
        (0..3 * WAITING_MAX).for_each(|n| printer.print(slip(&format!("k-{n}"), now)));
    }

    #[test]
    fn a_slip_says_who_what_where_and_when() {
        let parts = parts(&slip("0197-7", Millis(1_700_000_000_000)));
        for text in
            ["春风行动招聘会", "王*明", "W0007", "入场券", "东门 · 2023-11-15 06:13 · No. 7"]
        {
            assert!(
                parts.iter().any(|part| matches!(part, Part::Text(found, _) if found == text)),
                "{text}"
            );
        }
        assert!(
            parts.contains(&Part::Code("0197-7".to_owned())),
            "with a card, the record's number"
        );
    }
}
