//! Slips: a printer on the network that understands what it is sent, whose paper is looked at and whose QR is read.

use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpListener,
    sync::mpsc,
    time::timeout,
};

use super::{Venue, scanners::Line};
use crate::support::{browser::Browser, programs::client};

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
