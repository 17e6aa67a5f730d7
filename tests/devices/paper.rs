//! Slips: a printer on the network that understands what it is sent, whose paper is looked at and whose QR is read.

use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use serde_json::json;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpListener,
    sync::mpsc,
    time::timeout,
};

use turnout_server::web::access::Role;

use super::{Venue, scanners::Line};
use crate::{
    end_to_end::await_copy,
    fair::{between, fair, page, send},
    support::{
        Engine, TestApp,
        browser::Browser,
        programs::{KioskProgram, client},
    },
};

/// What it answers about its paper: enough, or none.
const PAPER: u8 = 0x12;
const NO_PAPER: u8 = 0x72;

/// Black dots on paper.
struct Paper {
    width: usize,
    rows: Vec<u8>,
}

/// A receipt printer on the network.
struct Sink {
    address: String,
    paper: Arc<AtomicU8>,
    slips: mpsc::UnboundedReceiver<Paper>,
    serving: tokio::task::JoinHandle<()>,
}

impl Sink {
    async fn plug(address: &str) -> Self {
        let listener = TcpListener::bind(address).await.expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        let paper = Arc::new(AtomicU8::new(PAPER));
        let (sender, slips) = mpsc::unbounded_channel();
        let state = paper.clone();
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // It ends where the kiosk hangs up.
                drop(print(stream, &state, &sender).await);
            }
        });
        Self { address, paper, slips, serving }
    }

    async fn unplug(self) -> String {
        self.serving.abort();
        drop(self.serving.await);
        self.address
    }

    async fn slip(&mut self) -> Paper {
        timeout(Duration::from_secs(60), self.slips.recv()).await.expect("in time").expect("a slip")
    }
}

/// Does what it is told, command by command; a command it does not know is a failure.
async fn print(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    state: &AtomicU8,
    slips: &mpsc::UnboundedSender<Paper>,
) -> std::io::Result<()> {
    let mut paper = Paper { width: 0, rows: Vec::new() };
    loop {
        match [stream.read_u8().await?, stream.read_u8().await?] {
            // DLE EOT: how are you, how is your paper?
            [0x10, 0x04] => match stream.read_u8().await? {
                4 => stream.write_u8(state.load(Ordering::SeqCst)).await?,
                _ => stream.write_u8(0x12).await?,
            },
            [0x1B, b'@'] => paper = Paper { width: 0, rows: Vec::new() },
            [0x1D, b'v'] => {
                assert_eq!([stream.read_u8().await?, stream.read_u8().await?], [b'0', 0]);
                let (across, rows) = (stream.read_u16_le().await?, stream.read_u16_le().await?);
                let mut band = vec![0; usize::from(across) * usize::from(rows)];
                stream.read_exact(&mut band).await?;
                paper.width = usize::from(across) * 8;
                paper.rows.extend(band);
            }
            [0x1B, b'd'] => drop(stream.read_u8().await?),
            [0x1D, b'V'] => {
                stream.read_u16().await?;
                let cut = std::mem::replace(&mut paper, Paper { width: 0, rows: Vec::new() });
                drop(slips.send(cut));
            }
            other => panic!("no printer knows {other:02X?}"),
        }
    }
}

/// What zbar reads on the paper. A copy stays where the pictures are kept.
fn read(paper: &Paper, name: &str) -> String {
    let folder = tempfile::TempDir::new().expect("temporary folder");
    let file = folder.path().join(format!("{name}.pbm"));
    let height = paper.rows.len() / (paper.width / 8);
    let picture = [format!("P4\n{} {height}\n", paper.width).as_bytes(), &paper.rows].concat();
    std::fs::write(&file, &picture).expect("written");
    if let Some(keep) = std::env::var_os("TURNOUT_PICTURES") {
        std::fs::write(std::path::Path::new(&keep).join(format!("{name}.pbm")), &picture)
            .expect("written");
    }
    let read = Command::new("zbarimg")
        .args(["--quiet", "--raw"])
        .arg(&file)
        .output()
        .expect("zbarimg runs");
    String::from_utf8_lossy(&read.stdout).trim().to_owned()
}

/// One letter or figure as it stands on paper, cut out.
type Glyph = Vec<Vec<bool>>;

/// What stands on the large line above the QR code, letter by letter.
fn large(paper: &Paper) -> Vec<Glyph> {
    let rows: Vec<Vec<bool>> = paper
        .rows
        .chunks(paper.width / 8)
        .map(|row| {
            row.iter().flat_map(|byte| (0..8).map(move |bit| byte & (0x80 >> bit) != 0)).collect()
        })
        .collect();
    // Lines are bands of rows; small gaps are within a character.
    let mut bands: Vec<std::ops::Range<usize>> = Vec::new();
    for (at, _) in rows.iter().enumerate().filter(|(_, row)| row.contains(&true)) {
        match bands.last_mut() {
            Some(band) if at < band.end + 14 => band.end = at + 1,
            _ => bands.push(at..at + 1),
        }
    }
    let code = bands.iter().position(|band| band.len() > 200).expect("a QR code");
    let line = bands[..code].iter().rfind(|band| band.len() > 60).expect("a large line").clone();
    let line = &rows[line];
    let inked = |x: usize| line.iter().any(|row| row[x]);
    let mut glyphs = Vec::new();
    let mut from = None;
    for x in 0..=paper.width {
        match (from, x < paper.width && inked(x)) {
            (None, true) => from = Some(x),
            (Some(start), false) => {
                let cut = line.iter().map(|row| row[start..x].to_vec());
                glyphs.push(cut.filter(|row| row.contains(&true)).collect());
                from = None;
            }
            _ => {}
        }
    }
    glyphs
}

/// Whether two cut-out characters are the same one: dots at the edges depend on where on the line it stands.
fn alike(one: &Glyph, other: &Glyph) -> bool {
    let (height, width) = (one.len().max(other.len()), one[0].len().max(other[0].len()));
    let dot = |glyph: &Glyph, y: usize, x: usize| glyph.get(y).and_then(|row| row.get(x)).copied();
    let all = (0..height).flat_map(|y| (0..width).map(move |x| (y, x)));
    let (mut black, mut differ) = (0, 0);
    for (y, x) in all {
        let (a, b) = (dot(one, y, x) == Some(true), dot(other, y, x) == Some(true));
        black += usize::from(a || b);
        differ += usize::from(a != b);
    }
    differ * 4 < black
}

/// A number that was taken at a desk stands large on the slip. What letters look like is learnt from the first slips, and
/// later numbers are read by it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_number_comes_out_on_paper_and_can_be_read_there() {
    let app = TestApp::new(Engine::Sqlite).await;
    let (event, offer) = fair(&app).await;
    let organizer = app.staff(Role::Organizer).await;
    let desks = page(&app, &format!("/admin/events/{event}/desks"), &organizer).await;
    let there = format!("/admin/events/{event}/desks/");
    let desk = between(&desks, &there, "\"").to_owned();
    let there = format!("{there}{desk}");
    let as_numbers = [("act", "kiosk"), ("numbers", "yes")];
    send(&app, &there, (&organizer, ""), &as_numbers).await.leads_to("/desks/");
    let name = between(&page(&app, &there, &organizer).await, "<h1>", "</h1>").to_owned();
    let new = json!({ "name": "取号机", "event": event, "station": "desk", "station_name": name });
    let made = app.post("/api/v1/kiosks", &organizer, new).await.expect(201);
    let folder = tempfile::TempDir::new().expect("a folder");
    KioskProgram::enroll(&app.url, made["code"].as_str().expect("a code"), folder.path()).await;

    let mut visitors = Vec::new();
    for n in 1..=12 {
        let member = app.member(&format!("访客{n}")).await;
        let booked = app.booked(&member, &offer).await;
        visitors.push((member, booked["tickets"][0].clone()));
    }
    let mut sink = Sink::plug("127.0.0.1:0").await;
    let spec = format!("tcp:{}", sink.address);
    let mut kiosk = KioskProgram::run_with(folder.path(), &["--printer", &spec]).await;
    await_copy(folder.path(), visitors[11].1["id"].as_str().expect("an id")).await;
    let mut slips = Vec::new();
    for (at, (member, ticket)) in visitors.iter().enumerate() {
        // In between people take theirs on their phones.
        if (2..10).contains(&at) {
            let take = format!("/events/{event}/desks/{desk}/turns");
            send(&app, &take, (&member.token, ""), &[]).await.leads_to("/desks");
            continue;
        }
        let code = ticket["code"].as_str().expect("a code");
        assert_eq!(kiosk.scan(code).await["verdict"], "admitted");
        let slip = sink.slip().await;
        assert_eq!(
            read(&slip, &format!("number-{}", at + 1)),
            code,
            "the ticket's own code is on it"
        );
        slips.push(large(&slip));
    }
    let [first, second, eleventh, twelfth] = &slips[..] else { panic!("four slips") };
    let [letter, one] = &first[..] else { panic!("A1 has {} characters", first.len()) };
    let [again, two] = &second[..] else { panic!("A2 has {} characters", second.len()) };
    assert!(alike(letter, again) && !alike(one, two) && !alike(letter, one), "A1 and A2");
    let alphabet = [('A', letter), ('1', one), ('2', two)];
    let told = |glyphs: &[Glyph]| -> String {
        let known = |glyph| alphabet.iter().find(|(_, known)| alike(known, glyph));
        glyphs.iter().map(|glyph| known(glyph).map_or('?', |(letter, _)| *letter)).collect()
    };
    assert_eq!((told(eleventh), told(twelfth)), ("A11".to_owned(), "A12".to_owned()));
    // The numbers are those of the queue.
    let list = page(&app, &format!("/events/{event}/desks"), &visitors[11].0.token).await;
    assert!(list.contains("A12"), "{list}");
    assert!(kiosk.stop().await.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_let_in_gets_a_slip_and_nobody_waits_for_paper() {
    let mut sink = Sink::plug("127.0.0.1:0").await;
    let spec = format!("tcp:{}", sink.address);
    let mut venue = Venue::open(&["--printer", &spec]).await;
    venue.screen.device(&spec, "connected").await;

    let code = venue.ticket(0).await;
    assert_eq!(venue.kiosk.scan(&code).await["verdict"], "admitted");
    let slip = sink.slip().await;
    assert_eq!(slip.width, 576, "80 mm");
    assert_eq!(read(&slip, "slip"), code, "the QR code on the slip is the ticket's");

    // Who is refused gets none; the last slip comes out again on demand, from the screen.
    assert_eq!(venue.kiosk.scan(&code).await["reason"], "already_used");
    // Not from the visitors' side: the last slip is somebody's.
    let request = client().post(format!("{}/desk/reprint", venue.kiosk.page));
    assert_eq!(request.send().await.expect("an answer").status(), 401);
    let browser = Browser::laptop().await;
    venue.desk(&browser).await;
    browser.click("#reprint").await;
    browser.sees("#said", "已送去打印").await;
    assert_eq!(read(&sink.slip().await, "again"), code);
    browser.go(&venue.kiosk.page).await;

    // Paper out: told on the screen, and admission goes on at once. With new paper the slip comes.
    sink.paper.store(NO_PAPER, Ordering::SeqCst);
    let code = venue.ticket(1).await;
    assert_eq!(venue.kiosk.scan(&code).await["verdict"], "admitted");
    venue.screen.device(&spec, "paper_out").await;
    browser.sees("#strip", "缺纸").await;
    assert!(sink.slips.try_recv().is_err());
    sink.paper.store(PAPER, Ordering::SeqCst);
    assert_eq!(read(&sink.slip().await, "late"), code);
    venue.screen.device(&spec, "connected").await;

    // The printer is gone, and comes back.
    let address = sink.unplug().await;
    let code = venue.ticket(2).await;
    assert_eq!(venue.kiosk.scan(&code).await["verdict"], "admitted");
    venue.screen.device(&spec, "away").await;
    let mut sink = Sink::plug(&address).await;
    assert_eq!(read(&sink.slip().await, "back"), code);

    // A page of another site cannot print.
    let request = client()
        .post(format!("{}/desk/reprint", venue.kiosk.page))
        .header("origin", "http://evil.example");
    assert_eq!(request.send().await.expect("an answer").status(), 403);
    assert!(venue.kiosk.stop().await.success());
    browser.close().await;
}

/// A printer at the other end of a pseudo-terminal. `tested` drives a kiosk that prints to it.
async fn on_a_line(name: &str, arguments: impl Fn(&str) -> Vec<String>) -> (Venue, Paper, String) {
    let ports = tempfile::TempDir::new().expect("temporary folder");
    let path = ports.path().join(name);
    let line = Line::plug(&path);
    // As a USB printer's file is: bytes as they are. Held open, so that the line outlives each slip.
    let raw = Command::new("stty").args(["raw", "-echo", "-F"]).arg(&path).status().expect("stty");
    assert!(raw.success());
    let held = std::fs::File::open(&path).expect("the kiosk's end");
    let (sender, mut slips) = mpsc::unbounded_channel();
    let far = tokio::fs::File::from_std(line.0);
    let printing = tokio::spawn(async move {
        drop(print(far, &AtomicU8::new(PAPER), &sender).await);
    });
    let arguments = arguments(path.to_str().expect("text"));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut venue = Venue::open(&arguments).await;
    venue.screen.device(arguments[1], "connected").await;
    let code = venue.ticket(0).await;
    assert_eq!(venue.kiosk.scan(&code).await["verdict"], "admitted");
    let slip = timeout(Duration::from_secs(60), slips.recv()).await;
    venue.kiosk.kill().await;
    // The line's end is closed here, and whoever reads at the other hears it.
    drop(held);
    printing.await.expect("the printer ends");
    (venue, slip.expect("in time").expect("a slip"), code)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slips_come_out_of_a_serial_printer_of_58_mm() {
    let (_venue, slip, code) = on_a_line("serial", |path| {
        vec!["--printer".into(), format!("serial:{path}@19200"), "--paper".into(), "58".into()]
    })
    .await;
    assert_eq!(slip.width, 384);
    assert_eq!(read(&slip, "slip-58"), code);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slips_come_out_of_a_printer_that_is_a_device_file() {
    let (_venue, slip, code) =
        on_a_line("lp0", |path| vec!["--printer".into(), path.to_owned()]).await;
    assert_eq!((slip.width, read(&slip, "slip-80")), (576, code));
}
