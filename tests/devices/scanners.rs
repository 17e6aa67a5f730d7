//! Scanners on a serial line (a pseudo-terminal whose plug is pulled) and on the network, at the same time.

use std::{
    ffi::OsStr,
    fs::File,
    io::Write as _,
    os::unix::{ffi::OsStrExt as _, fs::symlink},
    path::Path,
};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpStream},
};

use super::Venue;

/// A serial line's other end. Dropping it pulls the plug.
pub(super) struct Line(pub(super) File);

impl Line {
    /// Plugs one in; `name` leads to it, as a link of udev's would.
    pub(super) fn plug(name: &Path) -> Self {
        let line = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pseudo-terminal");
        grantpt(&line).expect("granted");
        unlockpt(&line).expect("unlocked");
        let path = ptsname(&line, Vec::new()).expect("a name");
        let beside = name.with_extension("new");
        symlink(OsStr::from_bytes(path.as_bytes()), &beside).expect("a link");
        std::fs::rename(&beside, name).expect("in place");
        Self(File::from(line))
    }

    fn sends(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).expect("sent");
    }
}

async fn call(scanner: &TcpListener) -> TcpStream {
    let patience = std::time::Duration::from_secs(60);
    tokio::time::timeout(patience, scanner.accept())
        .await
        .expect("it calls in time")
        .expect("a call")
        .0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_scanners_read_at_once_and_come_back_when_their_plugs_are_pulled() {
    let ports = tempfile::TempDir::new().expect("temporary folder");
    let name = ports.path().join("scanner");
    let network = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let (serial, tcp) = (
        format!("serial:{}", name.display()),
        format!("tcp:{}", network.local_addr().expect("bound")),
    );
    // The serial scanner is not there yet.
    let mut venue = Venue::open(&["--scanner", &serial, "--scanner", &tcp]).await;
    let mut far = call(&network).await;
    venue.screen.device(&tcp, "connected").await;
    venue.screen.device(&serial, "away").await;
    let mut line = Line::plug(&name);
    venue.screen.device(&serial, "connected").await;

    // Half a code on one line, whole codes on the other, then the rest: each has its own buffer.
    let (a, b, c) = (venue.ticket(0).await, venue.ticket(1).await, venue.ticket(2).await);
    line.sends(&a[..70]);
    // Two that ran together are two.
    far.write_all(format!("{b}{c}\r\n").as_bytes()).await.expect("sent");
    // A machine may take longer between the two halves of a code than any scanner does. Then each half is a piece of its own.
    let is_torn = |shown: &serde_json::Value| shown["zh"]["headline"] == "请再扫一次";
    let (mut admitted, mut torn) = (0, false);
    while admitted < 2 {
        let shown = venue.screen.shows().await;
        if !torn && is_torn(&shown) {
            torn = true;
        } else {
            assert_eq!(shown["look"], "admitted", "{shown}");
            admitted += 1;
        }
    }
    line.sends(&format!("{}\r", &a[70..]));
    let mut shown = venue.screen.shows().await;
    if !torn && is_torn(&shown) {
        torn = true;
        shown = venue.screen.shows().await;
    }
    assert_eq!(shown["zh"]["headline"], if torn { "无法识别" } else { "请进" }, "{shown}");

    // No suffix at all: the pause ends it. Half a code is no refusal, and is not recorded.
    let d = venue.ticket(3).await;
    line.sends(&d);
    assert_eq!(venue.headline().await, "请进");
    line.sends(&d[..80]);
    let torn = venue.screen.shows().await;
    assert_eq!(
        (&torn["zh"]["headline"], &torn["scan"]),
        (&"请再扫一次".into(), &serde_json::Value::Null)
    );

    // The plug is pulled in the middle of a code; what was sent of it is forgotten.
    line.sends(&d[..80]);
    drop(line);
    venue.screen.device(&serial, "away").await;
    let mut line = Line::plug(&name);
    venue.screen.device(&serial, "connected").await;
    let e = venue.ticket(4).await;
    line.sends(&format!("{e}\t"));
    let mut shown = venue.screen.shows().await;
    if is_torn(&shown) {
        // Here too.
        shown = venue.screen.shows().await;
    }
    assert_eq!(shown["zh"]["headline"], "请进", "{shown}");

    // So is the network's.
    drop(far);
    venue.screen.device(&tcp, "away").await;
    let mut far = call(&network).await;
    venue.screen.device(&tcp, "connected").await;
    far.write_all(format!("]Q1{}\n", venue.ticket(5).await).as_bytes()).await.expect("sent");
    assert_eq!(venue.headline().await, "请进");
    assert!(venue.kiosk.stop().await.success());
}
