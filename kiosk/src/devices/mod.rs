//! What is plugged in beside the page: scanners, card readers, the printer. Brands and cables end here.
//!
//! [`Devices`] gives each a task of its own. What is read goes to the door as everything else does, by
//! [`reading::take`]; who was let in may get a slip, by [`Printer::print`]; how each device is stands on the screen. A device that is not there is looked for
//! until it comes; nothing here ever holds up a scan of another.

#[cfg(feature = "pcsc")]
mod card;
mod evdev;
mod lines;
mod pieces;
mod port;
mod printer;
pub mod reading;
mod state;
mod stdin;
mod stream;

use std::{fmt, path::PathBuf, str::FromStr};

use tokio::{sync::watch, task::JoinHandle};

pub use self::{
    port::Serial,
    printer::{Paper, Plug, Printer, Slip},
    state::{Condition, Device, Devices, Kind},
};
use crate::doorkeeper::{Kiosk, told_to};

/// Where scans come from beside the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scanner {
    /// Each line of standard input is one scan; each verdict is a line of JSON on standard output.
    Stdin,
    /// A scanner on a serial line, USB-CDC included.
    Serial(Serial),
    /// A scanner that is a keyboard to the kernel, taken from everybody else.
    Evdev(PathBuf),
    /// Card readers by PC/SC: the one whose name contains this, or any.
    Pcsc(Option<String>),
    /// A scanner on the network that waits for a caller: `HOST:PORT`.
    Tcp(String),
}

/// The text names no scanner.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no scanner (不是可用的扫描器). Known are `stdin`, `serial:PATH` (or `serial:PATH@BAUD`), `evdev:PATH`, \
     `tcp:HOST:PORT` and `pcsc` (or `pcsc:NAME`, if built with it); a scanner that types into the page needs no option"
)]
pub struct UnknownScanner(String);

const HAS_PCSC: bool = cfg!(feature = "pcsc");

impl FromStr for Scanner {
    type Err = UnknownScanner;

    fn from_str(spec: &str) -> Result<Self, UnknownScanner> {
        let scanner = match spec.split_once(':') {
            None if spec == "stdin" => Some(Self::Stdin),
            None if spec == "pcsc" && HAS_PCSC => Some(Self::Pcsc(None)),
            Some(("pcsc", name)) if !name.is_empty() && HAS_PCSC => {
                Some(Self::Pcsc(Some(name.to_owned())))
            }
            Some(("serial", line)) => line.parse().ok().map(Self::Serial),
            Some(("evdev", path)) if !path.is_empty() => Some(Self::Evdev(path.into())),
            Some(("tcp", address)) if is_address(address) => Some(Self::Tcp(address.to_owned())),
            _ => None,
        };
        scanner.ok_or_else(|| UnknownScanner(spec.to_owned()))
    }
}

impl fmt::Display for Scanner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdin => f.write_str("stdin"),
            Self::Serial(line) => write!(f, "serial:{line}"),
            Self::Evdev(path) => write!(f, "evdev:{}", path.display()),
            Self::Pcsc(None) => f.write_str("pcsc"),
            Self::Pcsc(Some(name)) => write!(f, "pcsc:{name}"),
            Self::Tcp(address) => write!(f, "tcp:{address}"),
        }
    }
}

/// Whether `text` is `HOST:PORT`. Whether the host is there is not asked.
fn is_address(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && port.parse().is_ok_and(|port: u16| port > 0)
    })
}

impl Devices {
    /// Puts a printer to work until `stop` turns true. Gives its task.
    pub(crate) fn print(
        &mut self,
        plug: Plug,
        paper: Paper,
        mut stop: watch::Receiver<bool>,
    ) -> JoinHandle<()> {
        let seat = self.seat(plug.to_string(), Kind::Printer);
        let (printer, slips) = Printer::new(self.clock.clone());
        self.printer = Some(printer);
        let clock = self.clock.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = told_to(&mut stop) => {}
                () = printer::attend(plug, paper, seat, slips, clock) => {}
            }
        })
    }

    /// Puts `scanners` to work until `stop` turns true. Gives their tasks.
    ///
    /// # Errors
    /// When no thread can be made for standard input.
    pub(crate) fn scan(
        &self,
        scanners: &[Scanner],
        kiosk: &Kiosk,
        stop: &watch::Receiver<bool>,
    ) -> std::io::Result<Vec<JoinHandle<()>>> {
        let mut tasks = Vec::new();
        for scanner in scanners {
            let source = match scanner {
                Scanner::Stdin => {
                    stdin::read(kiosk.clone())?;
                    continue;
                }
                Scanner::Pcsc(name) => {
                    tasks.extend(read_cards(name.clone(), self, kiosk, stop));
                    continue;
                }
                Scanner::Serial(line) => stream::Source::Serial(line.clone()),
                Scanner::Evdev(path) => stream::Source::Evdev(path.clone()),
                Scanner::Tcp(address) => stream::Source::Tcp(address.clone()),
            };
            let seat = self.seat(scanner.to_string(), Kind::Scanner);
            let (kiosk, mut stop) = (kiosk.clone(), stop.clone());
            tasks.push(tokio::spawn(async move {
                tokio::select! {
                    () = told_to(&mut stop) => {}
                    () = stream::attend(&source, &seat, &kiosk) => {}
                }
            }));
        }
        Ok(tasks)
    }
}

#[cfg(feature = "pcsc")]
fn read_cards(
    name: Option<String>,
    devices: &Devices,
    kiosk: &Kiosk,
    stop: &watch::Receiver<bool>,
) -> Option<JoinHandle<()>> {
    let seat = devices.seat(Scanner::Pcsc(name.clone()).to_string(), Kind::Reader);
    let (kiosk, stop, runtime) = (kiosk.clone(), stop.clone(), tokio::runtime::Handle::current());
    Some(tokio::task::spawn_blocking(move || {
        card::attend(name.as_deref(), &seat, &kiosk, &stop, &runtime);
    }))
}

#[cfg(not(feature = "pcsc"))]
fn read_cards(
    _: Option<String>,
    _: &Devices,
    _: &Kiosk,
    _: &watch::Receiver<bool>,
) -> Option<JoinHandle<()>> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specs_are_read_and_written_alike() {
        for spec in [
            "stdin",
            "serial:/dev/ttyACM0",
            "serial:/dev/serial/by-id/usb-1@115200",
            "evdev:/dev/input/by-id/usb-scanner-event-kbd",
            "tcp:10.0.0.7:2001",
            "tcp:[::1]:2001",
            #[cfg(feature = "pcsc")]
            "pcsc",
            #[cfg(feature = "pcsc")]
            "pcsc:ACS ACR1252 00",
        ] {
            let scanner: Scanner = spec.parse().expect(spec);
            assert_eq!(scanner.to_string(), spec);
        }
    }

    #[test]
    fn an_unknown_scanner_is_named_in_the_error() {
        for spec in [
            "",
            "stdin:",
            "serial:",
            "serial:/dev/a@fast",
            "evdev:",
            "tcp:host",
            "tcp::1",
            "tcp:h:0",
            "pcsc:",
            "usb",
        ] {
            let error = spec.parse::<Scanner>().expect_err(spec);
            assert!(error.to_string().contains(&format!("`{spec}`")));
        }
    }
}
