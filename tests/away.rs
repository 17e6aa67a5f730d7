//! The database goes away: restarted, failed over, frozen, its disk full, or merely behind. Who waits is told so in time,
//! what was promised is kept, and nobody has to lift a hand for the server to recover.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use futures_util::{
    FutureExt as _,
    future::{BoxFuture, join, join_all},
};
use serde_json::{Value, json};
use sqlx::{Connection as _, SqliteConnection};
use tempfile::TempDir;
use tokio::{sync::watch, time::timeout};
use turnout_server::{
    Error, SystemClock,
    archive::verify,
    db::{Db, Tx, new_id},
    execute, fetch, staff,
    web::{
        access::Role,
        session::{self, Holder},
    },
};

use crate::support::{
    Engine, NO_SYNC, TestApp,
    postgres::Cluster,
    programs::{Server, client},
};

/// Nobody waits longer for an answer, whatever has happened to the database.
const ANSWERED_WITHIN: Duration = Duration::from_secs(40);
/// What needs no database answers as ever.
const AT_ONCE: Duration = Duration::from_secs(5);

/// Servers, and members who want the places of one offer.
struct Crowd {
    servers: Vec<Server>,
    http: reqwest::Client,
    db: Db,
    offer: String,
    /// The token of each.
    members: Vec<String>,
}

impl Crowd {
    async fn gather(folder: &Path, database: &str, servers: usize, members: usize) -> Self {
        use admission::Clock as _;
        let db = Db::open(database).await.expect("the database opens");
        let now = SystemClock.now();
        let organizer = staff::add(&db, "组织者", Role::Organizer, now).await.expect("staff");
        let organizer = staff::session_for(&db, &organizer.id, now).await.expect("session");
        let mut tx = db.write().await.expect("write");
        let mut tokens = Vec::new();
        for n in 0..members {
            let id = new_id(now);
            execute!(
                tx,
                "insert into person (id, kind, name, name_search, phone, status, created_ms, updated_ms)
                 values ($1, 'member', '王小明', '王小明', $2, 'active', $3, $3)",
                &id,
                format!("199{n:08}"),
                now.0,
            )
            .expect("insert person");
            // Last seen a while ago: that would be noted at their next request.
            let seen = now.plus(-HOUR);
            tokens.push(session::open(&mut tx, Holder::Person(&id), seen).await.expect("session"));
        }
        tx.commit().await.expect("commit");
        let mut started = Vec::new();
        for _ in 0..servers {
            started.push(Server::start(folder, database).await);
        }
        let places = members / 2;
        let draft = json!({
            "kind": "voucher", "title": "温泉券", "place": "南宫温泉水世界", "status": "published",
            "starts_ms": now.0 - HOUR, "ends_ms": now.0 + 8 * HOUR,
            "offers": [{ "name": "温泉券", "quota": places, "eligibility": "members",
                         "opens_ms": now.0 - HOUR, "closes_ms": now.0 + 4 * HOUR }],
        });
        let request = client().post(format!("{}/api/v1/events", started[0].url));
        let made = request.bearer_auth(&organizer).json(&draft).send().await.expect("answer");
        let made: Value = made.json().await.expect("an event");
        let offer = made["offers"][0]["id"].as_str().expect("id").to_owned();
        Self { servers: started, http: client(), db, offer, members: tokens }
    }

    /// One tap of a member at a server: status, `Retry-After`, body. It is answered in time, whatever happens.
    async fn tap(&self, member: usize, server: usize) -> (u16, Option<u64>, String) {
        let request = self
            .http
            .post(format!("{}/api/v1/bookings", self.servers[server % self.servers.len()].url))
            .bearer_auth(&self.members[member])
            .header("idempotency-key", "tap")
            .json(&json!({ "offer": self.offer }));
        let answer = async {
            let answer = request.send().await.expect("the server answers");
            let retry = answer.headers().get("retry-after");
            let retry = retry.and_then(|value| value.to_str().ok()?.parse().ok());
            (answer.status().as_u16(), retry, answer.text().await.expect("a body"))
        };
        timeout(ANSWERED_WITHIN, answer).await.expect("an answer in time")
    }

    /// Taps until there is an answer for good; between, what a refusal for want of a database says is looked at.
    async fn insist(&self, member: usize) -> (u16, String) {
        for tries in member.. {
            match self.tap(member, tries).await {
                (503, retry, text) => {
                    assert!(retry.is_some_and(|seconds| seconds >= 1), "when to come back: {text}");
                    assert!(text.contains("unavailable") || text.contains("busy"), "{text}");
                }
                (status @ (201 | 409), _, text) => return (status, text),
                (status, _, text) => panic!("{status} {text}"),
            }
        }
        unreachable!("there is no last try")
    }

    /// All insist; half win, and what they were told is what the database says. Gives the answers.
    async fn all_insist(&self) {
        let answers = join_all((0..self.members.len()).map(|member| self.insist(member))).await;
        let won: Vec<&String> =
            answers.iter().filter(|(status, _)| *status == 201).map(|(_, text)| text).collect();
        assert_eq!(won.len(), self.members.len() / 2);
        let mut tx = self.db.read().await.expect("read");
        let rows: Vec<(String,)> = fetch!(
            tx,
            fetch_all,
            "select id from booking where offer_id = $1 and status = 'confirmed'",
            &self.offer
        )
        .expect("bookings");
        drop(tx);
        assert_eq!(rows.len(), won.len(), "somebody has two, or an answer was lost");
        for (id,) in rows {
            assert!(won.iter().any(|text| text.contains(&id)), "{id} was promised to nobody");
        }
        let findings = verify(&self.db).await.expect("verify runs");
        assert!(findings.is_empty(), "{findings:?}");
    }

    /// The status of a page that needs no database, which comes at once.
    async fn status(&self, path: &str, member: Option<usize>) -> u16 {
        let mut request = self.http.get(format!("{}{path}", self.servers[0].url));
        if let Some(member) = member {
            request = request.header("cookie", format!("turnout={}", self.members[member]));
        }
        let answer = timeout(AT_ONCE, request.send()).await.expect("at once").expect("answer");
        answer.status().as_u16()
    }

    /// What stays up while the database is away, for a member as well.
    async fn stays_up(&self) {
        assert_eq!(self.status("/healthz", Some(0)).await, 200);
        assert_eq!(self.status("/assets/turnout.css", Some(0)).await, 200);
        assert_eq!(self.status("/readyz", None).await, 503, "it is not ready, and says so");
    }
}

const HOUR: i64 = 3_600_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_is_restarted_and_fails_over_while_people_book() {
    let cluster = Cluster::start(NO_SYNC);
    let folder = TempDir::new().expect("folder");
    let database = cluster.fresh_database().await;
    let crowd = Crowd::gather(folder.path(), &database, 2, 120).await;
    let (away, mut is_away) = watch::channel(false);
    let outage = async {
        // A restart: gone and back at once.
        tokio::task::block_in_place(|| {
            cluster.stop();
            cluster.start_again();
        });
        // A failover: ten seconds without a database.
        tokio::task::block_in_place(|| cluster.stop());
        let since = Instant::now();
        away.send_replace(true);
        crowd.stays_up().await;
        tokio::time::sleep_until((since + Duration::from_secs(10)).into()).await;
        tokio::task::block_in_place(|| cluster.start_again());
    };
    let booking = async {
        // Some before and meanwhile, and the others while there is no database for sure.
        let (early, late): (Vec<_>, Vec<_>) = (0..crowd.members.len()).partition(|n| n % 3 == 0);
        let early = join_all(early.into_iter().map(|member| crowd.insist(member)));
        let late = async {
            is_away.wait_for(|away| *away).await.expect("the outage comes");
            join_all(late.into_iter().map(|member| crowd.insist(member))).await
        };
        join(early, late).await
    };
    join(outage, booking).await;
    crowd.all_insist().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_says_nothing_is_given_up_on_in_time() {
    let cluster = Cluster::start(NO_SYNC);
    let folder = TempDir::new().expect("folder");
    let database = cluster.fresh_database().await;
    let crowd = Crowd::gather(folder.path(), &database, 1, 40).await;
    assert_eq!(crowd.tap(0, 0).await.0, 201);
    tokio::task::block_in_place(|| cluster.freeze());
    let (answers, ()) =
        join(join_all((1..20).map(|member| crowd.tap(member, 0))), crowd.stays_up()).await;
    for (status, retry, text) in answers {
        assert_eq!(status, 503, "{text}");
        assert!(retry.is_some_and(|seconds| seconds >= 1), "when to come back: {text}");
    }
    tokio::task::block_in_place(|| cluster.thaw());
    crowd.all_insist().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_loses_nothing_and_locks_nobody_out() {
    let disk = Disk::mount(6);
    let database = format!("sqlite://{}", disk.folder.join("turnout.db").display());
    let crowd = Crowd::gather(&disk.folder, &database, 1, 40).await;
    let (status, _, promised) = crowd.tap(0, 0).await;
    assert_eq!(status, 201);
    disk.fill();
    let mut full = 0;
    for member in 1..10 {
        let (status, retry, text) = crowd.tap(member, 0).await;
        if status == 503 {
            assert!(retry.is_some_and(|seconds| seconds >= 1), "when to come back: {text}");
            full += 1;
        } else {
            // It fitted into a page that was there already.
            assert_eq!(status, 201, "{text}");
        }
    }
    assert!(full > 0, "the disk was not full");
    // Reading goes on, also for those whose last visit could not be noted.
    for path in ["/", "/me"] {
        assert_eq!(crowd.status(path, Some(30)).await, 200, "{path}");
    }
    assert_eq!(crowd.tap(0, 0).await.2, promised, "what was promised is still known");
    disk.clear();
    crowd.all_insist().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_is_told_at_once_and_everything_else_goes_on() {
    fn nothing(_: &mut Tx) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async { Ok(()) })
    }
    let app = TestApp::new(Engine::Sqlite).await;
    let (event, offer) = app.event(|_| {}).await;
    let member = app.member("王小明").await;
    // Somebody else writes for a long time.
    let mut other = SqliteConnection::connect(&app.database).await.expect("the file opens");
    sqlx::raw_sql("begin immediate").execute(&mut other).await.expect("locked");
    let write = || {
        let ledger = app.app.ledger.clone();
        // Polled once: it stands in the queue, or is refused.
        let mut write = Box::pin(async move { ledger.write(nothing).await });
        (&mut write).now_or_never().ok_or(write)
    };
    let mut waiting = Vec::from_iter(write().err());
    // Once it is under way nothing leaves the queue.
    while app.app.ledger.waiting() > 0 {
        tokio::task::yield_now().await;
    }
    let refused = loop {
        match write() {
            Err(stands) => waiting.push(stands),
            Ok(answer) => break answer,
        }
        assert!(waiting.len() < 100_000, "the queue has no end");
    };
    assert!(matches!(refused, Err(Error::Busy)), "{refused:?}");
    let tap = app.http.post(format!("{}/api/v1/bookings", app.url)).bearer_auth(&member.token);
    let tap = tap.header("idempotency-key", "tap").json(&json!({ "offer": offer }));
    let answer = timeout(AT_ONCE, tap.send()).await.expect("at once").expect("answer");
    assert_eq!(answer.status(), 503);
    let retry = answer.headers()["retry-after"].to_str().expect("text").to_owned();
    assert!(retry.parse::<u64>().is_ok_and(|seconds| seconds >= 1), "{retry}");
    assert_eq!(answer.json::<Value>().await.expect("a problem")["code"], "busy");
    let mut pages = BTreeMap::new();
    for path in ["/", "/me", "/healthz", &format!("/events/{event}")] {
        let page = timeout(AT_ONCE, app.get(path, &member.token)).await.expect("at once");
        pages.insert(path.to_owned(), page.status.as_u16());
    }
    assert!(pages.values().all(|status| *status == 200), "{pages:?}");
    sqlx::raw_sql("rollback").execute(&mut other).await.expect("unlocked");
    for answer in join_all(waiting).await {
        answer.expect("it waited and was done");
    }
    let booked = app.book_with(&member.token, "tap", json!({ "offer": offer })).await;
    assert_eq!(booked.expect(201)["status"], "confirmed");
}

/// A disk of its own, of a few megabytes.
struct Disk {
    folder: PathBuf,
    _parent: TempDir,
}

impl Disk {
    fn mount(megabytes: u32) -> Self {
        let parent = TempDir::new().expect("folder");
        let folder = parent.path().join("disk");
        std::fs::create_dir(&folder).expect("folder");
        let size = format!("size={megabytes}m,mode=0777");
        let mut mount = as_root("mount");
        let mounted = mount.args(["-t", "tmpfs", "-o", &size, "none"]).arg(&folder).status();
        assert!(mounted.expect("mount runs").success(), "a disk needs root, or sudo");
        Self { folder, _parent: parent }
    }

    fn ballast(&self) -> PathBuf {
        self.folder.join("ballast")
    }

    /// Leaves no byte free.
    fn fill(&self) {
        use std::io::Write as _;
        let mut file = std::fs::File::create(self.ballast()).expect("a file");
        let full = loop {
            if let Err(error) = file.write_all(&[0; 4096]) {
                break error;
            }
        };
        assert_eq!(full.kind(), std::io::ErrorKind::StorageFull, "{full}");
    }

    fn clear(&self) {
        std::fs::remove_file(self.ballast()).expect("removed");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // What still writes to it goes on until it ends.
        drop(as_root("umount").arg("-l").arg(&self.folder).status());
    }
}

fn as_root(program: &str) -> Command {
    use std::os::unix::fs::MetadataExt as _;
    if std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0) {
        return Command::new(program);
    }
    let mut command = Command::new("sudo");
    command.arg("-n").arg(program);
    command
}
