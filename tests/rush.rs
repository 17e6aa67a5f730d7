//! The rush: thousands grab a few hundred places while the servers are killed again and again. Nobody is promised a
//! place that is not there, and nobody who was promised one loses it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use admission::{Clock as _, Millis};
use futures_util::{StreamExt as _, future::join, stream};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{net::TcpStream, process::Command, sync::Notify, time::timeout};
use turnout_server::{
    SystemClock,
    archive::verify,
    db::{Db, new_id},
    execute, fetch, staff,
    web::{
        access::Role,
        session::{self, Holder},
    },
};

use crate::support::{
    NO_SYNC, postgres,
    programs::{Server, client},
    random::Random,
};

const MEMBERS: usize = 20_000;
const PLACES: i64 = 500;
/// How many stand in line in the test of the line's order.
const LINE: usize = 3_000;
/// Requests that are under way at once.
const CROWD: usize = 300;
/// A server dies each time so many milliseconds have passed, give or take a half.
const LIFE_MS: u64 = 1_000;
/// After so long no server dies any more, or a busy machine would never be done. `TURNOUT_RUSH_SECONDS` asks for longer.
const FIRE: Duration = Duration::from_secs(60);
/// So many deaths are the least that puts anything to the test.
const KILLS: usize = 3;
/// Who waits longer for an answer than that asks again, elsewhere.
const PATIENCE: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_grab_five_hundred_places_from_three_servers_that_die() {
    let database = postgres::fresh_database(NO_SYNC).await;
    rush(&TempDir::new().expect("folder"), database, 3).await;
}

/// More phones wait than a shell's limit of open files lets a program have connections: the next one is answered all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn phones_that_wait_are_not_limited_by_what_a_shell_allows() {
    const FILES: u32 = 128;
    let folder = TempDir::new().expect("folder");
    let server = Server::start_with_files(folder.path(), &sqlite_in(&folder), FILES).await;
    let address = server.url.trim_start_matches("http://");
    let mut phones = Vec::new();
    for _ in 0..3 * FILES {
        phones.push(TcpStream::connect(address).await.expect("a connection"));
    }
    let last = client().get(format!("{}/readyz", server.url)).timeout(Duration::from_secs(30));
    assert!(last.send().await.expect("an answer").status().is_success());
}

/// At an opening thousands knock within a moment. Whom the system turns away knocks again a second later at best.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_many_phones_may_knock_at_once_as_the_system_holds() {
    let folder = TempDir::new().expect("folder");
    let server = Server::start(folder.path(), &sqlite_in(&folder)).await;
    let (_, port) = server.url.rsplit_once(':').expect("a port");
    let told = Command::new("ss")
        .args(["--no-header", "--listening", "--tcp", "--numeric", &format!("sport = :{port}")])
        .output();
    let told = String::from_utf8(told.await.expect("ss runs").stdout).expect("text");
    let most = std::fs::read_to_string("/proc/sys/net/core/somaxconn").expect("a number");
    assert_eq!(told.split_whitespace().nth(2), Some(most.trim()), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_grab_five_hundred_places_from_one_server_that_dies() {
    let folder = TempDir::new().expect("folder");
    rush(&folder, sqlite_in(&folder), 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_line_is_in_order_of_arrival_though_the_server_dies() {
    let folder = TempDir::new().expect("folder");
    let mut random = Random::seeded();
    let world = World::make(folder.path(), sqlite_in(&folder), 1, LINE).await;
    let offer = world.open_offer(true).await;
    let taps =
        world.under_fire(FIRE, &mut random, async |random| world.stand(&offer, random).await).await;
    world.check_line(&offer, taps).await;
}

/// The address of a SQLite database in `folder`.
fn sqlite_in(folder: &TempDir) -> String {
    format!("sqlite://{}", folder.path().join("turnout.db").display())
}

/// One rush; with `TURNOUT_RUSH_SECONDS`, one after another for so long.
async fn rush(folder: &TempDir, database: String, servers: usize) {
    let asked = std::env::var("TURNOUT_RUSH_SECONDS").ok().and_then(|asked| asked.parse().ok());
    let asked = asked.map(Duration::from_secs);
    let mut random = Random::seeded();
    let world = World::make(folder.path(), database, servers, MEMBERS).await;
    let begun = Instant::now();
    loop {
        let fire = asked.map_or(FIRE, |asked| asked.saturating_sub(begun.elapsed()).max(FIRE));
        world.run(fire, &mut random).await;
        if asked.is_none_or(|asked| begun.elapsed() >= asked) {
            return;
        }
    }
}

/// Servers on one database, and members who are signed in.
struct World {
    servers: Vec<Server>,
    db: Db,
    organizer: String,
    /// Id and token of each.
    members: Vec<(String, String)>,
    /// Requests that had no answer.
    lost: AtomicUsize,
}

impl World {
    async fn make(folder: &Path, database: String, servers: usize, members: usize) -> Self {
        let db = Db::open(&database).await.expect("the database opens");
        let now = SystemClock.now();
        let organizer = staff::add(&db, "组织者", Role::Organizer, now).await.expect("staff");
        let organizer = staff::session_for(&db, &organizer.id, now).await.expect("session");
        let members = signed_in(&db, members, now).await;
        let mut started = Vec::new();
        // One after the other: the first makes the keys.
        for _ in 0..servers {
            started.push(Server::start(folder, &database).await);
        }
        Self { servers: started, db, organizer, members, lost: AtomicUsize::new(0) }
    }

    async fn run(&self, fire: Duration, random: &mut Random) {
        let offer = self.open_offer(false).await;
        let answers =
            self.under_fire(fire, random, async |random| self.grab(&offer, random).await).await;
        self.check(&offer, &answers, random).await;
    }

    /// Does `act` while servers die, for as long as `fire` lasts.
    async fn under_fire<T>(
        &self,
        fire: Duration,
        random: &mut Random,
        act: impl AsyncFnOnce(&mut Random) -> T,
    ) -> T {
        let (over, kills, begun) = (Notify::new(), AtomicUsize::new(0), Instant::now());
        let lost_before = self.lost.load(Ordering::Relaxed);
        let mut fates = random.fork();
        let killing = async {
            // The first ones die soon, or a quick machine would be done before.
            let mut life_ms = fates.below(LIFE_MS / 10);
            while timeout(Duration::from_millis(life_ms), over.notified()).await.is_err() {
                let victim = &self.servers[fates.index(self.servers.len())];
                victim.kill().await;
                victim.start_again().await;
                life_ms = match kills.fetch_add(1, Ordering::Relaxed) + 1 {
                    few if few < KILLS => fates.below(LIFE_MS / 10),
                    _ if begun.elapsed() >= fire => return,
                    _ => LIFE_MS / 2 + fates.below(LIFE_MS),
                };
            }
        };
        let acting = async {
            let done = act(random).await;
            over.notify_one();
            done
        };
        let (done, ()) = join(acting, killing).await;
        let (kills, lost) = (kills.into_inner(), self.lost.load(Ordering::Relaxed) - lost_before);
        println!(
            "{kills} servers were killed in {:?}, {lost} requests had no answer",
            begun.elapsed()
        );
        assert!(kills >= KILLS, "{kills} deaths put nothing to the test");
        assert!(lost > 0, "nobody missed those who died");
        done
    }

    /// Everybody asks for a place, most of them in vain, and stands in line. Gives of each booking when it was asked for
    /// first, and when it was answered.
    async fn stand(
        &self,
        offer: &str,
        random: &mut Random,
    ) -> BTreeMap<String, (Instant, Instant)> {
        let mut crowd: Vec<&(String, String)> = self.members.iter().collect();
        random.shuffle(&mut crowd);
        let http = client();
        let taps = crowd.into_iter().map(|(_, token)| {
            let http = &http;
            async move {
                let asked = Instant::now();
                loop {
                    match tap(http, &self.servers[0], token, offer).await {
                        Some((201, text)) => {
                            break (text_of(&parsed(&text)["id"]), (asked, Instant::now()));
                        }
                        Some((503, _)) => self.servers[0].alive().await,
                        None => self.without_answer(&self.servers[0]).await,
                        Some((status, text)) => panic!("{status} {text}"),
                    }
                }
            }
        });
        stream::iter(taps).buffer_unordered(CROWD).collect().await
    }

    /// Whoever asked after another was answered stands behind them.
    async fn check_line(&self, offer: &str, taps: BTreeMap<String, (Instant, Instant)>) {
        let mut tx = self.db.read().await.expect("read");
        let line: Vec<(String,)> = fetch!(
            tx,
            fetch_all,
            "select id from booking where offer_id = $1 and status = 'waiting' order by line",
            offer,
        )
        .expect("the line");
        let (confirmed, places, last): (i64, i64, i64) = fetch!(
            tx,
            fetch_one,
            "select (select count(*) from booking where offer_id = $1 and status = 'confirmed'),
                    (select count(distinct line) from booking where offer_id = $1 and status = 'waiting'),
                    (select last_in_line from offer where id = $1)",
            offer,
        )
        .expect("counts");
        drop(tx);
        assert_eq!((confirmed, line.len()), (PLACES, LINE - PLACES as usize));
        assert_eq!((places, last), (line.len() as i64, line.len() as i64), "a place in line twice");
        let mut last_asked = None;
        for (id,) in &line {
            let (asked, answered) = taps[id];
            assert!(last_asked.is_none_or(|before| before <= answered), "{id} was overtaken");
            last_asked = last_asked.max(Some(asked));
        }
        let findings = verify(&self.db).await.expect("verify runs");
        assert!(findings.is_empty(), "{findings:?}");
    }

    /// Everybody taps until they have an answer. Gives the bookings, by person, as they were answered.
    async fn grab(&self, offer: &str, random: &mut Random) -> BTreeMap<String, String> {
        let mut crowd: Vec<usize> = (0..self.members.len()).collect();
        random.shuffle(&mut crowd);
        let http = client();
        let http = &http;
        let taps = crowd.into_iter().map(|n| {
            let (id, token) = &self.members[n];
            let mut luck = random.fork();
            async move {
                loop {
                    let server = &self.servers[luck.index(self.servers.len())];
                    match tap(http, server, token, offer).await {
                        Some((201, text)) => break Some((id.clone(), text)),
                        Some((409, text)) => {
                            assert!(text.contains("sold_out"), "{text}");
                            break None;
                        }
                        // Too many at once: they may try again.
                        Some((503, _)) => server.alive().await,
                        None => self.without_answer(server).await,
                        Some((status, text)) => panic!("{status} {text}"),
                    }
                }
            }
        });
        stream::iter(taps).buffer_unordered(CROWD).filter_map(async |got| got).collect().await
    }

    /// A request had no answer; it is asked again when the server lives.
    async fn without_answer(&self, server: &Server) {
        self.lost.fetch_add(1, Ordering::Relaxed);
        server.alive().await;
    }

    async fn check(&self, offer: &str, answers: &BTreeMap<String, String>, random: &mut Random) {
        assert_eq!(answers.len() as i64, PLACES, "so many were told that they have a place");
        let mut tx = self.db.read().await.expect("read");
        let confirmed: Vec<(String, String)> = fetch!(
            tx,
            fetch_all,
            "select person_id, id from booking where offer_id = $1 and status = 'confirmed' order by person_id",
            offer,
        )
        .expect("bookings");
        let promised: Vec<(String, String)> = answers
            .iter()
            .map(|(person, text)| (person.clone(), text_of(&parsed(text)["id"])))
            .collect();
        assert_eq!(confirmed, promised, "what was promised is not what there is");
        let (quota, taken): (i64, i64) =
            fetch!(tx, fetch_one, "select quota, taken from offer where id = $1", offer)
                .expect("the offer");
        assert_eq!((quota, taken), (PLACES, PLACES));
        let revisions: Vec<(i64,)> = fetch!(
            tx,
            fetch_all,
            "select revision from ticket where offer_id = $1 and state = 'valid' order by revision",
            offer,
        )
        .expect("tickets");
        let counted: Vec<i64> = revisions.iter().map(|(revision,)| *revision).collect();
        let first = counted[0];
        assert_eq!(counted, (first..first + PLACES).collect::<Vec<_>>(), "the feed has a gap");
        drop(tx);
        let findings = verify(&self.db).await.expect("verify runs");
        assert!(findings.is_empty(), "{findings:?}");

        // The same tap again, anywhere, gives the same answer, byte for byte.
        let tokens: BTreeMap<&String, &String> =
            self.members.iter().map(|(id, token)| (id, token)).collect();
        let http = client();
        for (person, text) in answers.iter().take(100) {
            let server = &self.servers[random.index(self.servers.len())];
            let again = tap(&http, server, tokens[person], offer).await;
            assert_eq!(again, Some((201, text.clone())));
        }
        let tickets: BTreeSet<String> =
            answers.values().map(|text| text_of(&parsed(text)["tickets"][0]["id"])).collect();
        assert_eq!(tickets.len() as i64, PLACES, "two hold one ticket");
    }

    /// An event that is happening now; gives its offer.
    async fn open_offer(&self, with_a_line: bool) -> String {
        const HOUR: i64 = 3_600_000;
        let now = SystemClock.now().0;
        let draft = json!({
            "kind": "voucher", "title": "温泉券", "place": "南宫温泉水世界", "status": "published",
            "starts_ms": now - HOUR, "ends_ms": now + 8 * HOUR,
            "offers": [{ "name": "温泉券", "quota": PLACES, "eligibility": "members", "waiting_list": with_a_line,
                         "opens_ms": now - HOUR, "closes_ms": now + 4 * HOUR }],
        });
        let request = client()
            .post(format!("{}/api/v1/events", self.servers[0].url))
            .bearer_auth(&self.organizer)
            .json(&draft);
        let made: Value = request.send().await.expect("answer").json().await.expect("event");
        text_of(&made["offers"][0]["id"])
    }
}

/// One request of a member, always under the same key. None when there was no answer.
async fn tap(
    http: &reqwest::Client,
    server: &Server,
    token: &str,
    offer: &str,
) -> Option<(u16, String)> {
    let request = http
        .post(format!("{}/api/v1/bookings", server.url))
        .bearer_auth(token)
        .header("idempotency-key", offer)
        .timeout(PATIENCE)
        .json(&json!({ "offer": offer }));
    let answer = request.send().await.ok()?;
    Some((answer.status().as_u16(), answer.text().await.ok()?))
}

/// Members on the roster, signed in.
async fn signed_in(db: &Db, count: usize, now: Millis) -> Vec<(String, String)> {
    let mut tx = db.write().await.expect("write");
    let mut members = Vec::with_capacity(count);
    for n in 0..count {
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
        let token = session::open(&mut tx, Holder::Person(&id), now).await.expect("session");
        members.push((id, token));
    }
    tx.commit().await.expect("commit");
    members
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).expect("a booking")
}

fn text_of(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}
