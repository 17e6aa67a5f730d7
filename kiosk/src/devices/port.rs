//! A device file: a serial line in raw mode, or a printer's USB file as it is.

use std::{
    fmt,
    fs::File,
    io,
    path::{Path, PathBuf},
    str::FromStr,
};

use rustix::{
    fs::{Mode, OFlags},
    termios::{self, ControlModes, OptionalActions, QueueSelector},
};
use tokio::net::unix::pipe::Receiver;

/// What most scanners leave the factory with. USB-CDC ignores it.
const USUAL_BAUD: u32 = 9_600;

/// A serial line: `PATH` or `PATH@BAUD`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Serial {
    /// The device file; best a name under `/dev/serial/by-id`, which stays the same whatever the socket.
    pub path: PathBuf,
    /// Bits per second; none for the usual 9,600.
    pub baud: Option<u32>,
}

/// The text names no serial line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a serial line is PATH or PATH@BAUD")]
pub struct NotASerialLine;

impl FromStr for Serial {
    type Err = NotASerialLine;

    fn from_str(text: &str) -> Result<Self, NotASerialLine> {
        let (path, baud) = match text.split_once('@') {
            Some((path, baud)) => (path, Some(baud.parse().map_err(|_| NotASerialLine)?)),
            None => (text, None),
        };
        if path.is_empty() { Err(NotASerialLine) } else { Ok(Self { path: path.into(), baud }) }
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        self.baud.map_or(Ok(()), |baud| write!(f, "@{baud}"))
    }
}

/// Opens a serial line: raw, 8N1, no flow control, for nobody else. What was sent before is dropped.
pub(super) fn open_serial(line: &Serial) -> io::Result<File> {
    let file = open(&line.path)?;
    let mut mode = termios::tcgetattr(&file)?;
    mode.make_raw();
    mode.control_modes |= ControlModes::CLOCAL | ControlModes::CREAD;
    mode.control_modes -= ControlModes::CRTSCTS | ControlModes::CSTOPB;
    mode.set_speed(line.baud.unwrap_or(USUAL_BAUD))?;
    termios::tcsetattr(&file, OptionalActions::Now, &mode)?;
    // ModemManager and others like to talk to serial lines that are none of theirs.
    termios::ioctl_tiocexcl(&file)?;
    termios::tcflush(&file, QueueSelector::IFlush)?;
    Ok(file)
}

/// Opens a device file for reading and writing, neither of which blocks.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(File::from(rustix::fs::open(path, flags, Mode::empty())?))
}

/// The reading side. (Tokio calls it a pipe, and takes any file that can be waited for.)
pub(super) fn reader(file: File) -> io::Result<Receiver> {
    Receiver::from_file_unchecked(file)
}
