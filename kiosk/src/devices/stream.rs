//! Scanners that send characters or keys, each with its own buffer: looked for until they are there, again
//! whenever they go.

use std::{io, path::PathBuf, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    net::TcpStream,
    time::{Instant, sleep, timeout},
};
use zeroize::Zeroizing;

use super::{
    evdev::Keys,
    lines::Lines,
    port::{self, Serial},
    reading,
    state::{Condition, Seat},
};
use crate::{door::Trigger, doorkeeper::Kiosk};

/// Between two looks for a device that is away: at first, and at most.
const LOOK_AGAIN: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(2)];
/// A scanner on the network that does not answer by then is away.
const CONNECT_AT_MOST: Duration = Duration::from_secs(3);

/// Where one scanner's readings come from.
#[derive(Debug)]
pub(super) enum Source {
    Serial(Serial),
    Evdev(PathBuf),
    Tcp(String),
}

/// What an open scanner is read from.
enum Open {
    Bytes(Box<dyn AsyncRead + Send + Unpin>),
    Keys(Box<Keys>),
}

/// Reads the scanner at `source` for ever.
pub(super) async fn attend(source: &Source, seat: &Seat, kiosk: &Kiosk) {
    kiosk.started().await;
    let mut wait = LOOK_AGAIN[0];
    loop {
        let ended = match open(source).await {
            Ok(open) => {
                seat.tell(Condition::Connected);
                let since = Instant::now();
                let ended = read(open, kiosk).await;
                if since.elapsed() > LOOK_AGAIN[1] {
                    wait = LOOK_AGAIN[0];
                }
                ended
            }
            Err(error) => error,
        };
        tracing::debug!(error = %ended, "a scanner is away");
        seat.tell(Condition::from(&ended));
        sleep(wait).await;
        wait = (wait * 2).min(LOOK_AGAIN[1]);
    }
}

async fn open(source: &Source) -> io::Result<Open> {
    match source {
        Source::Serial(line) => Ok(Open::Bytes(Box::new(port::reader(port::open_serial(line)?)?))),
        Source::Evdev(path) => Keys::grab(path).map(|keys| Open::Keys(Box::new(keys))),
        Source::Tcp(address) => {
            let stream = timeout(CONNECT_AT_MOST, TcpStream::connect(address)).await??;
            notice_when_gone(&stream)?;
            Ok(Open::Bytes(Box::new(stream)))
        }
    }
}

/// A scanner that lost its power says no goodbye: without a sign of life for 25 seconds it is gone.
pub(super) fn notice_when_gone(stream: &TcpStream) -> io::Result<()> {
    use rustix::net::sockopt;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, Duration::from_secs(10))?;
    sockopt::set_tcp_keepintvl(stream, Duration::from_secs(5))?;
    sockopt::set_tcp_keepcnt(stream, 3)?;
    Ok(())
}

/// Takes readings to the door until the scanner goes; why it went.
async fn read(mut open: Open, kiosk: &Kiosk) -> io::Error {
    let mut lines = Lines::default();
    let mut chunk = Zeroizing::new([0; 512]);
    loop {
        let next = open.read(&mut *chunk);
        let read = match lines.patience() {
            None => next.await,
            Some(patience) => match timeout(patience, next).await {
                Ok(read) => read,
                Err(_) => {
                    if let Some(text) = lines.pause() {
                        reading::take(kiosk, &text, Trigger::Hand).await;
                    }
                    continue;
                }
            },
        };
        match read {
            Ok(0) => return io::ErrorKind::UnexpectedEof.into(),
            Ok(length) => {
                for text in lines.push(&chunk[..length]) {
                    reading::take(kiosk, &text, Trigger::Hand).await;
                }
            }
            Err(error) => return error,
        }
    }
}

impl Open {
    /// Some bytes; 0 at the end. Nothing is lost when this is dropped before it is done.
    async fn read(&mut self, chunk: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Bytes(bytes) => bytes.read(chunk).await,
            Self::Keys(keys) => keys.read(chunk).await,
        }
    }
}
