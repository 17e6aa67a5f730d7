//! A real PostgreSQL for the length of the test run: a cluster in a folder of its own, on a port of its own. It dies
//! with the test process, and its folder goes with it. Each test gets databases of its own, dropped soon after it has
//! ended: those of all tests together would fill several gigabytes.

use std::{
    cell::RefCell,
    fs::{self, File},
    mem,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

static SHARED: OnceLock<Cluster> = OnceLock::new();
static NEXT: AtomicU32 = AtomicU32::new(1);
/// Databases of the shared cluster whose tests have ended.
static LEFT: Mutex<Vec<String>> = Mutex::new(Vec::new());

thread_local! {
    static MINE: RefCell<Mine> = const { RefCell::new(Mine(Vec::new())) };
}

/// The databases that a test has in the shared cluster: each test is a thread, and they are left when it ends.
struct Mine(Vec<String>);

impl Drop for Mine {
    fn drop(&mut self) {
        LEFT.lock().unwrap_or_else(PoisonError::into_inner).append(&mut self.0);
    }
}

/// The address of a fresh, empty database. The first call starts the cluster, with its `settings`.
pub(crate) async fn fresh_database(settings: &'static [&'static str]) -> String {
    let cluster = tokio::task::spawn_blocking(|| SHARED.get_or_init(|| Cluster::start(settings)))
        .await
        .expect("cluster starts");
    let left = mem::take(&mut *LEFT.lock().unwrap_or_else(PoisonError::into_inner));
    let name = cluster.make_database(&left).await;
    let address = cluster.url(&name);
    MINE.with_borrow_mut(|mine| mine.0.push(name));
    address
}

/// A PostgreSQL of one's own, to be stopped and started.
pub(crate) struct Cluster {
    pub(crate) folder: PathBuf,
    port: u16,
    settings: &'static [&'static str],
}

impl Cluster {
    /// Makes it and starts it.
    pub(crate) fn start(settings: &'static [&'static str]) -> Self {
        let (id, nth) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(format!("turnout-pg-{id}-{nth}"));
        drop(fs::remove_dir_all(&folder));
        fs::create_dir_all(&folder).expect("temporary folder");
        own(&folder);
        let made = as_postgres(&tools().join("initdb"))
            .args([
                "--auth=trust",
                "--username=postgres",
                "--encoding=UTF8",
                "--no-locale",
                "--no-sync",
                "-D",
            ])
            .arg(folder.join("data"))
            .stdout(Stdio::null())
            .status()
            .expect("initdb runs: apt-get install postgresql");
        assert!(made.success(), "initdb failed");
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|probe| probe.local_addr())
            .expect("a free port")
            .port();
        let cluster = Self { folder, port, settings };
        cluster.take_away_at_the_end();
        cluster.start_again();
        cluster
    }

    /// Leaves somebody behind who removes the folder once this process has ended, however it ends: its end closes the
    /// pipe that they read.
    fn take_away_at_the_end(&self) {
        let remove = "cat; until rm -rf \"$0\"; do sleep 1; done";
        let mut keeper = Command::new("sh");
        keeper.args(["-c", remove]).arg(&self.folder).current_dir("/");
        keeper.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        mem::forget(keeper.spawn().expect("a shell runs"));
    }

    /// Starts it where it was stopped; returns when it is ready.
    pub(crate) fn start_again(&self) {
        let log = File::options().create(true).append(true).open(self.log()).expect("its log");
        let mut server = as_postgres(&tools().join("postgres"));
        server
            .arg("-D")
            .arg(self.folder.join("data"))
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-c", "max_connections=300"])
            .arg("-k")
            .arg(&self.folder)
            .args(["-c", "log_min_messages=fatal"])
            .args(self.settings.iter().flat_map(|setting| ["-c", setting]))
            .stdout(Stdio::null())
            .stderr(log);
        // The parent-death signal follows the thread that spawned the server, so this thread ends with it only.
        let (started, wait) = mpsc::channel();
        thread::spawn(move || {
            let child = server.spawn();
            started.send(child.is_ok()).expect("the test waits");
            drop(child.map(|mut child| child.wait()));
        });
        assert!(wait.recv().expect("the thread starts"), "postgres does not start");
        let patience = Instant::now() + Duration::from_secs(30);
        while !is_ready(&tools(), self.port) {
            assert!(Instant::now() < patience, "postgres does not become ready");
        }
    }

    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Makes an empty database of a fresh name; drops those `left`, whoever is still connected to them.
    pub(crate) async fn make_database(&self, left: &[String]) -> String {
        let name = format!("t{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let drops = left.iter().map(|left| format!("drop database {left} with (force)"));
        let statements: Vec<_> = drops.chain([format!("create database {name}")]).collect();
        self.execute(&statements).await;
        name
    }

    async fn execute(&self, statements: &[String]) {
        let done = async {
            let mut admin = PgConnection::connect(&self.url("postgres")).await?;
            for statement in statements {
                sqlx::query(AssertSqlSafe(statement.as_str())).execute(&mut admin).await?;
            }
            admin.close().await
        };
        if let Err(error) = done.await {
            let log = fs::read_to_string(self.log()).unwrap_or_default();
            let last = log.lines().skip(log.lines().count().saturating_sub(20));
            panic!(
                "{statements:?}: {error}; the cluster says:\n{}",
                last.collect::<Vec<_>>().join("\n")
            );
        }
    }

    /// Where the cluster says why it can't go on.
    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }
}

fn is_ready(tools: &Path, port: u16) -> bool {
    let asked = Command::new(tools.join("pg_isready"))
        .args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()])
        .status();
    asked.is_ok_and(|status| status.success())
}

/// PostgreSQL refuses to run as root; then the account `postgres` runs it.
pub(crate) fn as_postgres(program: &Path) -> Command {
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
pub(crate) fn tools() -> PathBuf {
    let mut found: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .expect("PostgreSQL is installed: apt-get install postgresql")
        .filter_map(|version| Some(version.ok()?.path().join("bin")))
        .filter(|bin| bin.join("initdb").exists())
        .collect();
    found.sort();
    found.pop().expect("PostgreSQL is installed: apt-get install postgresql")
}
