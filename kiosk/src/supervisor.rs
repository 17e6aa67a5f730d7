//! What systemd is told of a kiosk that it runs: that it decides now, and every while that its door still works. A door that
//! hangs tells nothing, and is started again. Without systemd nobody is told anything.

use std::{
    ffi::OsStr,
    os::{
        linux::net::SocketAddrExt as _,
        unix::{
            ffi::OsStrExt as _,
            net::{SocketAddr, UnixDatagram},
        },
    },
    time::{Duration, Instant},
};

/// A line to systemd.
#[derive(Debug)]
pub struct Supervisor {
    socket: UnixDatagram,
    address: SocketAddr,
    /// How often it wants to hear that all is well.
    every: Option<Duration>,
    told: Option<Instant>,
}

impl Supervisor {
    /// The line that this program was started with, if it was.
    #[must_use]
    pub fn of_this_program() -> Option<Self> {
        let patience = std::env::var("WATCHDOG_USEC").ok().and_then(|usec| usec.parse().ok());
        Self::at(&std::env::var_os("NOTIFY_SOCKET")?, patience.map(Duration::from_micros))
    }

    /// A line to the socket of that name (an abstract one begins with `@`), which starts the program again when it hears
    /// nothing for so long.
    fn at(name: &OsStr, patience: Option<Duration>) -> Option<Self> {
        let address = match name.as_bytes() {
            [b'@', rest @ ..] => SocketAddr::from_abstract_name(rest),
            _ => SocketAddr::from_pathname(name),
        };
        let socket = UnixDatagram::unbound().ok()?;
        // Whoever does not listen keeps nobody waiting.
        socket.set_nonblocking(true).ok()?;
        // Three times, so that one that is late does no harm.
        let every = patience.map(|patience| patience / 3);
        Some(Self { socket, address: address.ok()?, every, told: None })
    }

    /// Scans are decided from now on.
    pub fn ready(&self) {
        self.say("READY=1");
    }

    /// The door works. Told as often as systemd wants to hear it, however often this is called.
    pub fn alive(&mut self) {
        let Some(every) = self.every else { return };
        if self.told.is_none_or(|told| told.elapsed() >= every) {
            self.told = Some(Instant::now());
            self.say("WATCHDOG=1");
        }
    }

    fn say(&self, what: &str) {
        if let Err(error) = self.socket.send_to_addr(what.as_bytes(), &self.address) {
            tracing::debug!(%error, "systemd does not listen");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(socket: &UnixDatagram) -> Option<String> {
        let mut bytes = [0; 64];
        let n = socket.recv(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes[..n]).into_owned())
    }

    #[test]
    fn systemd_hears_that_it_is_ready_and_that_it_lives_as_often_as_it_wants() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).expect("a socket");
        socket.set_nonblocking(true).expect("set");
        let mut hourly = Supervisor::at(path.as_os_str(), Some(Duration::from_secs(3 * 3_600)));
        let hourly = hourly.as_mut().expect("a line");
        hourly.ready();
        for _ in 0..10 {
            hourly.alive();
        }
        let said = std::iter::from_fn(|| heard(&socket)).collect::<Vec<_>>();
        assert_eq!(said, ["READY=1", "WATCHDOG=1"]);
        let mut always = Supervisor::at(path.as_os_str(), Some(Duration::ZERO)).expect("a line");
        always.alive();
        always.alive();
        assert_eq!(std::iter::from_fn(|| heard(&socket)).count(), 2);
        let mut unasked = Supervisor::at(path.as_os_str(), None).expect("a line");
        unasked.alive();
        assert_eq!(heard(&socket), None);
        // Nobody listens, and nobody waits.
        drop(socket);
        always.alive();
    }
}
