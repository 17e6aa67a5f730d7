//! A real PostgreSQL for the length of the test run: a cluster in a folder of its own, on a port of its own. It dies
//! with the test process. Each test gets a database of its own.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

static CLUSTER: OnceLock<u16> = OnceLock::new();
static NEXT: AtomicU32 = AtomicU32::new(1);

/// The address of a fresh, empty database. The first call starts the cluster, with its `settings`.
pub(crate) async fn fresh_database(settings: &'static [&'static str]) -> String {
    let port = tokio::task::spawn_blocking(|| *CLUSTER.get_or_init(|| start(settings)))
        .await
        .expect("cluster starts");
    let name = format!("t{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let mut admin =
        PgConnection::connect(&url(port, "postgres")).await.expect("the cluster answers");
    sqlx::query(AssertSqlSafe(format!("create database {name}")))
        .execute(&mut admin)
        .await
        .expect("create database");
    admin.close().await.expect("close");
    url(port, &name)
}

fn url(port: u16, database: &str) -> String {
    format!("postgres://postgres@127.0.0.1:{port}/{database}")
}

fn start(settings: &[&str]) -> u16 {
    let folder = std::env::temp_dir().join(format!("turnout-pg-{}", std::process::id()));
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(&folder).expect("temporary folder");
    let tools = tools();
    own(&folder);
    let data = folder.join("data");
    let made = as_postgres(&tools.join("initdb"))
        .args([
            "--auth=trust",
            "--username=postgres",
            "--encoding=UTF8",
            "--no-locale",
            "--no-sync",
            "-D",
        ])
        .arg(&data)
        .stdout(Stdio::null())
        .status()
        .expect("initdb runs: apt-get install postgresql");
    assert!(made.success(), "initdb failed");
    let port = TcpListener::bind("127.0.0.1:0")
        .and_then(|probe| probe.local_addr())
        .expect("a free port")
        .port();
    let mut server = as_postgres(&tools.join("postgres"));
    server
        .arg("-D")
        .arg(&data)
        .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-c", "max_connections=300", "-k"])
        .arg(&folder)
        .args(["-c", "log_min_messages=fatal"])
        .args(settings.iter().flat_map(|setting| ["-c", setting]))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    // The parent-death signal follows the thread that spawned the server, so this thread never ends.
    let (started, wait) = mpsc::channel();
    thread::spawn(move || {
        let child = server.spawn();
        started.send(child.is_ok()).expect("the test waits");
        let _child = child;
        loop {
            thread::park();
        }
    });
    assert!(wait.recv().expect("the thread starts"), "postgres does not start");
    let patience = Instant::now() + Duration::from_secs(30);
    while !is_ready(&tools, port) {
        assert!(Instant::now() < patience, "postgres does not become ready");
    }
    port
}

fn is_ready(tools: &Path, port: u16) -> bool {
    let asked = Command::new(tools.join("pg_isready"))
        .args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()])
        .status();
    asked.is_ok_and(|status| status.success())
}

/// PostgreSQL refuses to run as root; then the account `postgres` runs it.
fn as_postgres(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    if is_root() {
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
    }
    command.arg("--pdeathsig=QUIT").arg(program).current_dir("/");
    command
}

fn own(folder: &Path) {
    if is_root() {
        let done = Command::new("chown")
            .arg("postgres:postgres")
            .arg(folder)
            .status()
            .expect("chown runs");
        assert!(done.success(), "the account postgres is missing: apt-get install postgresql");
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0)
}

/// The newest PostgreSQL that Debian installed.
fn tools() -> PathBuf {
    let mut found: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .expect("PostgreSQL is installed: apt-get install postgresql")
        .filter_map(|version| Some(version.ok()?.path().join("bin")))
        .filter(|bin| bin.join("initdb").exists())
        .collect();
    found.sort();
    found.pop().expect("PostgreSQL is installed: apt-get install postgresql")
}
