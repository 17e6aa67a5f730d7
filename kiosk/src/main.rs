//! `turnout-kiosk`: reads the command line and does what it says. Logs go to stderr.

use std::{
    io::{self, IsTerminal, Write},
    net::SocketAddr,
    path::PathBuf,
    process::{ExitCode, Stdio},
    sync::Arc,
};

use anyhow::Context;
use clap::{Args, Parser, Subcommand, builder::FalseyValueParser};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use turnout_kiosk::{
    decode,
    devices::{Paper, Plug, Scanner},
    enroll, journal,
    mesh::net,
    ready::{self, Grade},
    run::{self, Options, SystemClock},
    supervisor::Supervisor,
};
use zeroize::Zeroizing;

/// Scans cards and QR codes at the door and checks people in, with or without a network.
#[derive(Parser)]
#[command(name = "turnout-kiosk", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Makes this machine a kiosk, by the one-time code an organizer was shown.
    Enroll {
        /// The server's address, such as https://turnout.example
        #[arg(long, env = "TURNOUT_SERVER")]
        server: String,
        /// The one-time code.
        #[arg(long, env = "TURNOUT_CODE", hide_env_values = true)]
        code: String,
        /// The PIN of its operating page, 6 to 12 digits. Asked for when this is run by hand; without one, whoever sets
        /// it on the kiosk's screen must type the enrolment code again.
        #[arg(long, env = "TURNOUT_PIN", hide_env_values = true)]
        pin: Option<String>,
        #[command(flatten)]
        data: Data,
    },
    /// Decides scans and serves the kiosk's page.
    Run {
        #[command(flatten)]
        data: Data,
        /// Where the page is served: a loopback address.
        #[arg(long, env = "TURNOUT_LISTEN", default_value = "127.0.0.1:8081")]
        listen: SocketAddr,
        /// A scanner beside those that type into the page: `serial:PATH`, `evdev:PATH`, `tcp:HOST:PORT`, `pcsc[:NAME]`
        /// for chip cards, or `stdin` (a line is a scan, a verdict a line of JSON). May be given several times.
        #[arg(
            long = "scanner",
            value_name = "SPEC",
            env = "TURNOUT_SCANNER",
            value_delimiter = ','
        )]
        scanners: Vec<Scanner>,
        /// Prints a slip for each person let in: `tcp:HOST:9100`, `serial:PATH`, or a device file such as /dev/usb/lp0.
        #[arg(long, value_name = "SPEC", env = "TURNOUT_PRINTER")]
        printer: Option<Plug>,
        /// The width of the printer's paper in millimetres: 58 or 80.
        #[arg(long, value_name = "MM", env = "TURNOUT_PAPER", default_value = "80")]
        paper: Paper,
        /// Never touch the network.
        #[arg(long, env = "TURNOUT_OFFLINE", value_parser = FalseyValueParser::new())]
        offline: bool,
        /// Keeps the card key on disk, sealed under this PIN, so that cards work offline after a restart.
        #[arg(long, env = "TURNOUT_PIN", hide_env_values = true)]
        pin: Option<String>,
        /// Where the event's other kiosks on this network reach this one: an address and port, `auto`, or `off`.
        #[arg(long, value_name = "ADDR", env = "TURNOUT_MESH_LISTEN", default_value = "auto")]
        mesh_listen: net::Listen,
        /// Another kiosk of the event, where they do not find each other by themselves. May be given several times.
        #[arg(
            long = "peer",
            value_name = "HOST:PORT",
            env = "TURNOUT_PEER",
            value_delimiter = ','
        )]
        peers: Vec<String>,
    },
    /// Says whether this kiosk is ready: data, clock, keys, event hours, disk, battery, devices.
    Check {
        #[command(flatten)]
        data: Data,
        /// Where the running program serves its page: it is asked how its devices are.
        #[arg(long, env = "TURNOUT_LISTEN", default_value = "127.0.0.1:8081")]
        listen: SocketAddr,
    },
    /// Prints the text of each QR code in pictures, one a line; fails when a picture shows none.
    Decode {
        /// PNG, JPEG, WebP, GIF or BMP.
        #[arg(required = true, value_name = "IMAGE")]
        pictures: Vec<PathBuf>,
    },
    /// Looks into the journal.
    Journal {
        #[command(subcommand)]
        what: Journal,
    },
}

#[derive(Subcommand)]
enum Journal {
    /// Checks that nothing was changed, left out or added.
    Verify {
        #[command(flatten)]
        data: Data,
    },
    /// Prints every entry, one JSON object a line.
    Export {
        #[command(flatten)]
        data: Data,
    },
}

#[derive(Args)]
struct Data {
    /// The kiosk's folder.
    #[arg(long, env = "TURNOUT_DATA", default_value = "kiosk-data")]
    data: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_writer(io::stderr).with_env_filter(filter).init();
    match obey(Cli::parse().command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing better can be done when even this fails.
            drop(writeln!(io::stderr(), "turnout-kiosk: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn obey(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Enroll { server, code, pin, data } => {
            let pin = match pin {
                Some(pin) => Some(Zeroizing::new(pin)),
                None => ask_for_pin()?,
            };
            let pin = pin.as_ref().map(|pin| pin.as_str());
            let enrolment = enroll::enroll(&server, &code, &data.data, pin).await?;
            say(&format!("已登记 Enrolled: {} ({})", enrolment.name, enrolment.kiosk))
        }
        Command::Run {
            data,
            listen,
            scanners,
            printer,
            paper,
            offline,
            pin,
            mesh_listen,
            peers,
        } => {
            let pin = pin.map(Zeroizing::new);
            let printer = printer.map(|plug| (plug, paper));
            let mesh = net::Options { listen: mesh_listen, peers };
            let supervisor = Supervisor::of_this_program();
            let data = data.data;
            let boot = run::boot();
            run(Options { data, listen, scanners, printer, offline, pin, mesh, boot, supervisor })
                .await
        }
        Command::Check { data, listen } => {
            let findings = ready::check(&data.data, listen, &SystemClock).await?;
            for finding in &findings {
                let mark = match finding.grade {
                    Grade::Good => "✓",
                    Grade::Note => "·",
                    Grade::Bad => "✗",
                };
                say(&format!("{mark} {}  {}", finding.words.zh, finding.words.en))?;
            }
            let bad = findings.iter().filter(|finding| finding.grade == Grade::Bad).count();
            anyhow::ensure!(bad == 0, "not ready (还没有准备好): {bad} to see to");
            say("准备好了 Ready")
        }
        Command::Decode { pictures } => {
            decode::command(&pictures, io::stdout().lock(), io::stderr().lock())
        }
        Command::Journal { what: Journal::Verify { data } } => {
            let (entries, acknowledged) = journal::verify(&data.data).await?;
            say(&format!(
                "日志完整 The journal is whole: {entries} entries, {acknowledged} uploaded"
            ))
        }
        Command::Journal { what: Journal::Export { data } } => {
            journal::export(&data.data, io::stdout().lock()).await.map(drop)
        }
    }
}

/// Asks whoever sits at the terminal for a PIN, unseen. None when nobody does, or they leave it for the screen.
fn ask_for_pin() -> anyhow::Result<Option<Zeroizing<String>>> {
    if !io::stdin().is_terminal() {
        return Ok(None);
    }
    write!(io::stderr(), "操作密码 PIN (6–12 digits; empty: later, on the screen): ")?;
    let echo = |how: &str| {
        // Without `stty` the digits are seen; that is no reason not to enrol.
        drop(std::process::Command::new("stty").arg(how).stderr(Stdio::null()).status());
    };
    echo("-echo");
    let mut line = Zeroizing::new(String::new());
    let read = io::stdin().read_line(&mut line);
    echo("echo");
    writeln!(io::stderr())?;
    read.context("cannot read the PIN")?;
    let pin = Zeroizing::new(line.trim().to_owned());
    Ok(Some(pin).filter(|pin| !pin.is_empty()))
}

async fn run(options: Options) -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for signals")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for signals")?;
    let mut running = run::start(options, Arc::new(SystemClock)).await?;
    let broken = tokio::select! {
        _ = interrupt.recv() => false,
        _ = terminate.recv() => false,
        () = running.broken() => true,
    };
    tracing::info!("stopping");
    running.stop().await;
    anyhow::ensure!(!broken, "a part of the kiosk has died (程序出错，需要重新启动)");
    Ok(())
}

fn say(line: &str) -> anyhow::Result<()> {
    writeln!(io::stdout(), "{line}").context("cannot write to standard output")
}
