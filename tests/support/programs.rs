//! The real programs: `turnout-server` and `turnout-kiosk`, as processes that die with the test.

use std::{
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::{Mutex, watch},
    time::timeout,
};

use super::{Engine, NO_SYNC, network::Machine, people::bin, postgres};

/// Nothing here takes longer on a slow machine that is busy with other tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
/// But a demo's world, on a machine that does much else.
const WORLD_PATIENCE: Duration = Duration::from_secs(300);

/// A server with a demo world, and where it keeps it.
pub(crate) struct DemoServer {
    pub(crate) url: String,
    /// What `demo --json` printed.
    pub(crate) notes: Value,
    pub(crate) folder: TempDir,
    /// Who came to the kiosk's event before the test began.
    pub(crate) already: usize,
    database: Option<String>,
    process: Child,
}

impl DemoServer {
    /// `turnout-server demo --json`.
    pub(crate) async fn start(engine: Engine) -> Self {
        Self::start_at(engine, "127.0.0.1:0").await
    }

    /// The same, at an address that others reach.
    pub(crate) async fn start_at(engine: Engine, listen: &str) -> Self {
        let folder = TempDir::new().expect("temporary folder");
        let database = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(postgres::fresh_database(NO_SYNC).await),
        };
        let mut command = server(folder.path(), database.as_deref(), "demo");
        command.args(["--listen", listen, "--json"]).stdout(Stdio::piped());
        let mut process = command.spawn().expect("the server starts");
        let mut lines = BufReader::new(process.stdout.take().expect("piped")).lines();
        let line = next_within(&mut lines, WORLD_PATIENCE).await;
        let notes: Value = serde_json::from_str(&line).expect("one JSON object on the first line");
        let url = notes["url"].as_str().expect("url").to_owned();
        let mut server = Self { url, notes, folder, already: 0, database, process };
        let already = server.attendance().await["admitted"].as_u64().expect("a number");
        server.already = usize::try_from(already).expect("people");
        server
    }

    /// What the kiosk's event counts.
    async fn attendance(&self) -> Value {
        let event = self.notes["events"][0]["id"].as_str().expect("id");
        let token = self.notes["organizer"]["token"].as_str().expect("token");
        let path = format!("{}/api/v1/events/{event}/attendance", self.url);
        let answer = client().get(path).bearer_auth(token).send().await.expect("answer");
        answer.json().await.expect("attendance")
    }

    /// Pulls the plug.
    pub(crate) async fn kill(&mut self) {
        self.process.kill().await.expect("the server dies");
    }

    /// Waits until the kiosk's event counts so many people more than at the beginning, no more and no fewer.
    pub(crate) async fn await_admitted(&self, people: usize) {
        let mut last = Value::Null;
        let counting = async {
            while last["admitted"] != self.already + people {
                last = self.attendance().await;
            }
        };
        let counted = timeout(PATIENCE, counting).await;
        assert!(counted.is_ok(), "{} and {people} are in, the server counts {last}", self.already);
    }

    /// Starts the server again on the same data and address, as `serve`.
    pub(crate) async fn serve_again(&mut self) {
        let address = self.url.trim_start_matches("http://").to_owned();
        let mut command = server(self.folder.path(), self.database.as_deref(), "serve");
        self.process = command.args(["--listen", &address]).spawn().expect("the server starts");
        await_ready(&format!("{}/readyz", self.url)).await;
    }
}

/// A server that is killed and started again while others ask it.
pub(crate) struct Server {
    pub(crate) url: String,
    folder: PathBuf,
    database: String,
    /// None while it is dead.
    process: Mutex<Option<Child>>,
    /// Whether it answers.
    alive: watch::Sender<bool>,
}

impl Server {
    /// `turnout-server serve` on `database`, with its keys in `folder`.
    pub(crate) async fn start(folder: &Path, database: &str) -> Self {
        let server = Self::at_a_free_port(folder, database);
        server.start_again().await;
        server
    }

    /// The same, from a shell that allows so many open files, and more to who asks for them.
    pub(crate) async fn start_with_files(folder: &Path, database: &str, files: u32) -> Self {
        let server = Self::at_a_free_port(folder, database);
        let mut program = Command::new("prlimit");
        program.arg(format!("--nofile={files}:")).arg(bin("turnout-server"));
        server.run(told(program, folder, Some(database), "serve")).await;
        server
    }

    fn at_a_free_port(folder: &Path, database: &str) -> Self {
        Self {
            url: format!("http://127.0.0.1:{}", free_port()),
            folder: folder.to_owned(),
            database: database.to_owned(),
            process: Mutex::new(None),
            alive: watch::Sender::new(false),
        }
    }

    /// Pulls the plug.
    pub(crate) async fn kill(&self) {
        self.alive.send_replace(false);
        if let Some(mut process) = self.process.lock().await.take() {
            process.kill().await.expect("the server dies");
        }
    }

    /// Starts it at the same address; returns when it is ready.
    pub(crate) async fn start_again(&self) {
        self.run(server(&self.folder, Some(&self.database), "serve")).await;
    }

    async fn run(&self, mut command: Command) {
        let address = self.url.trim_start_matches("http://");
        let process = command.args(["--listen", address]).spawn().expect("the server starts");
        *self.process.lock().await = Some(process);
        await_ready(&format!("{}/readyz", self.url)).await;
        self.alive.send_replace(true);
    }

    /// Waits until it answers.
    pub(crate) async fn alive(&self) {
        let mut alive = self.alive.subscribe();
        timeout(PATIENCE, alive.wait_for(|alive| *alive))
            .await
            .expect("the server is back in time")
            .expect("the server is not dropped");
    }
}

/// A client that goes straight to the address.
pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().expect("client")
}

async fn await_ready(address: &str) {
    let http = client();
    let ready = async {
        while !http.get(address).send().await.is_ok_and(|answer| answer.status().is_success()) {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, ready).await.expect("it is ready in time");
}

/// A port that nobody else is given before the program listens there, nor while it is dead: no other test of this run, and
/// below the system's own range, so no outgoing connection and nobody who asks for any port.
pub(crate) fn free_port() -> u16 {
    const FIRST: u32 = 10_000;
    const PORTS: u32 = 20_000;
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    // Two runs on one machine begin at different places.
    let begin = std::process::id().wrapping_mul(97);
    (0..PORTS)
        .map(|_| begin.wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed)) % PORTS + FIRST)
        .filter_map(|port| u16::try_from(port).ok())
        .find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a port")
}

fn server(folder: &Path, database: Option<&str>, what: &str) -> Command {
    told(Command::new(bin("turnout-server")), folder, database, what)
}

/// The server `command`, told what to do and where.
fn told(mut command: Command, folder: &Path, database: Option<&str>, what: &str) -> Command {
    command.arg(what).arg("--data").arg(folder).env("RUST_LOG", "warn").kill_on_drop(true);
    if let Some(database) = database {
        command.args(["--database", database]);
    }
    command
}

/// A kiosk that takes its scans on standard input.
pub(crate) struct KioskProgram {
    pub(crate) page: String,
    process: Child,
    scans: ChildStdin,
    verdicts: Lines<BufReader<ChildStdout>>,
}

impl KioskProgram {
    /// `turnout-kiosk enroll`, in `folder`.
    pub(crate) async fn enroll(server: &str, code: &str, folder: &Path) {
        let done = Command::new(bin("turnout-kiosk"))
            .args(["enroll", "--server", server, "--code", code, "--data"])
            .arg(folder)
            .stdout(Stdio::null())
            .status()
            .await
            .expect("the kiosk enrols");
        assert!(done.success(), "enrolment failed");
    }

    /// `turnout-kiosk run --scanner stdin`, in `folder`.
    pub(crate) async fn run(folder: &Path) -> Self {
        Self::run_with(folder, &[]).await
    }

    /// The same, with more said on the command line.
    pub(crate) async fn run_with(folder: &Path, arguments: &[&str]) -> Self {
        let kiosk = Self::spawn(Command::new(bin("turnout-kiosk")), folder, arguments);
        // Ready: scans are decided.
        await_ready(&format!("{}/healthz", kiosk.page)).await;
        kiosk
    }

    /// The same, on a machine of its own. Scans wait until it is ready.
    pub(crate) fn run_on(machine: &Machine, folder: &Path, arguments: &[&str]) -> Self {
        let mut program = machine.command(bin("turnout-kiosk"));
        program.env_remove("HTTP_PROXY").env_remove("http_proxy");
        Self::spawn(program, folder, arguments)
    }

    fn spawn(mut program: Command, folder: &Path, arguments: &[&str]) -> Self {
        let listen = format!("127.0.0.1:{}", free_port());
        let mut process = program
            .args(["run", "--scanner", "stdin", "--listen", &listen, "--data"])
            .arg(folder)
            .args(arguments)
            .env("RUST_LOG", "warn")
            // Kiosks of other tests run on this machine too; where they shall meet, the arguments say so.
            .env("TURNOUT_MESH_LISTEN", "off")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the kiosk starts");
        let scans = process.stdin.take().expect("piped");
        let verdicts = BufReader::new(process.stdout.take().expect("piped")).lines();
        Self { page: format!("http://{listen}"), process, scans, verdicts }
    }

    /// Staff who open its desk by this PIN, the first time with the enrolment code.
    pub(crate) async fn staff(&self, pin: &str, code: &str) -> Staff {
        let opening = json!({ "pin": pin, "code": code });
        let (http, page) = (client(), format!("{}/desk", self.page));
        let opened = http.post(format!("{page}/opening")).json(&opening).send().await;
        let opened = opened.expect("an answer");
        assert_eq!(opened.status(), StatusCode::NO_CONTENT);
        let cookie = opened.headers()["set-cookie"].to_str().expect("text");
        let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        Staff { http, page, cookie }
    }

    /// One scan; its verdict.
    pub(crate) async fn scan(&mut self, text: &str) -> Value {
        self.write_all(&[text]).await;
        self.verdict().await
    }

    /// Many scans at once.
    pub(crate) async fn write_all(&mut self, texts: &[impl AsRef<str>]) {
        let lines: String = texts.iter().map(|text| format!("{}\n", text.as_ref())).collect();
        self.scans.write_all(lines.as_bytes()).await.expect("the kiosk listens");
    }

    /// The next verdict.
    pub(crate) async fn verdict(&mut self) -> Value {
        serde_json::from_str(&next(&mut self.verdicts).await).expect("a line of JSON")
    }

    /// Pulls the plug.
    pub(crate) async fn kill(&mut self) {
        self.process.kill().await.expect("the kiosk dies");
    }

    /// Asks it to stop; how it ended.
    pub(crate) async fn stop(mut self) -> ExitStatus {
        let id = self.process.id().expect("running").to_string();
        let asked =
            std::process::Command::new("kill").args(["-TERM", &id]).status().expect("kill runs");
        assert!(asked.success());
        timeout(PATIENCE, self.process.wait()).await.expect("it stops").expect("a status")
    }
}

/// Staff who have a kiosk's desk open.
pub(crate) struct Staff {
    http: Client,
    page: String,
    cookie: String,
}

impl Staff {
    /// Sends something to the desk.
    pub(crate) async fn post(&self, what: &str, body: Value) -> Response {
        let request =
            self.http.post(format!("{}/{what}", self.page)).header("cookie", &self.cookie);
        request.json(&body).send().await.expect("an answer")
    }

    /// Sets what the kiosk's screen does: camera, sound, voice.
    pub(crate) async fn set(&self, camera: bool, sound: bool, voice: bool) {
        let settings = json!({ "camera": camera, "sound": sound, "voice": voice });
        assert_eq!(self.post("settings", settings).await.status(), StatusCode::NO_CONTENT);
    }
}

async fn next<R: tokio::io::AsyncBufRead + Unpin>(lines: &mut Lines<R>) -> String {
    next_within(lines, PATIENCE).await
}

async fn next_within<R: tokio::io::AsyncBufRead + Unpin>(
    lines: &mut Lines<R>,
    patience: Duration,
) -> String {
    timeout(patience, lines.next_line())
        .await
        .expect("a line in time")
        .expect("readable")
        .expect("a line")
}
