//! What is answered from memory: the public figures of a rush, who is signed in, refusals. A storm of them leaves the
//! database alone, and what changes is seen at once.

use std::time::{Duration, Instant};

use admission::Clock as _;
use futures_util::future::{join_all, join3};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use turnout_server::{
    SystemClock,
    db::{Db, new_id},
    execute, staff,
    web::{
        access::Role,
        session::{self, Holder},
    },
};

use crate::support::{
    Engine, NO_SYNC, TestApp, on_both, postgres,
    programs::{Server, client},
};

const HOUR: i64 = 3_600_000;
const PEOPLE: usize = 125;
/// Tries of each person at each of four offers, a thousand in all; a person is slowed down after 40.
const TRIES: usize = 8;
/// Every half second somebody has to look again, and whoever comes meanwhile looks with them: one decision and one look at
/// what it teaches, 14 statements, and what the server asks by itself (lapsed places, sessions). That a person has one
/// already is about them alone: each is looked at once in that time. A thousand refused tries cost 0 to 67 when this was
/// measured; one by one they would cost thousands.
const STATEMENTS: u64 = 60;

on_both! {
    async fn anybody_may_watch_a_rush(app) {
        let now = app.now().0;
        let (event, offer) = app.event(|draft| draft["offers"][0]["quota"] = 3.into()).await;
        let (_, later) = app.event(|draft| draft["offers"][0]["opens_ms"] = (now + HOUR).into()).await;
        let (_, draft) = app.event(|draft| draft["status"] = "draft".into()).await;
        let rush = app.get(&format!("/api/v1/offers/{offer}/rush"), "").await.expect(200);
        let expected = json!({
            "offer": offer, "standing": "open", "opens_ms": now - 24 * HOUR, "quota": 3, "taken": 0, "left": 3,
            "waiting": 0, "now_ms": now, "ahead": 0,
        });
        assert_eq!(rush, expected);
        // A token that is none is not looked at.
        let rush = app.get(&format!("/api/v1/offers/{later}/rush"), "nobody's").await.expect(200);
        assert_eq!((&rush["standing"], &rush["opens_ms"]), (&json!("not_open"), &json!(now + HOUR)));
        for hidden in [&draft, "none"] {
            assert_eq!(app.get(&format!("/api/v1/offers/{hidden}/rush"), "").await.refused(404), "not_found");
        }

        let path = format!("{}/api/v1/events/{event}/rush/stream", app.url);
        let mut stream = app.http.get(path).send().await.expect("a stream");
        let member = app.member("王小明").await;
        let mut heard = String::new();
        while !heard.contains("\"left\":3") {
            heard += std::str::from_utf8(&stream.chunk().await.expect("read").expect("open")).expect("text");
        }
        app.booked(&member, &offer).await;
        while !heard.contains("\"left\":2") {
            heard += std::str::from_utf8(&stream.chunk().await.expect("read").expect("open")).expect("text");
        }
        assert!(heard.contains("event: rush"));
    }

    async fn who_is_in_front_is_known_by_person_and_key(app) {
        let (event, offer) = app.event(|_| {}).await;
        let (first, second, third) =
            (app.member("王小明").await, app.member("李华").await, app.member("赵敏").await);
        // While somebody else writes about the event, whoever books waits.
        let mut busy = app.app.db.write().await.expect("write");
        execute!(busy, "update event_revision set revision = revision where event_id = $1", &event).expect("held");
        let (app, offer) = (&app, &offer);
        let tap = |member| async move { app.book_with(member, "tap", json!({ "offer": offer })).await.status.as_u16() };
        let waits = |count| async move {
            while app.app.bookings.waiting() < count {
                tokio::task::yield_now().await;
            }
        };
        let ahead = async |token: &str| {
            let request = app.http.get(format!("{}/api/v1/offers/{offer}/rush", app.url));
            let request = request.bearer_auth(token).header("idempotency-key", "tap");
            let rush: Value = request.send().await.expect("an answer").json().await.expect("JSON");
            rush["ahead"].as_u64().expect("a number")
        };
        let asking = async {
            waits(2).await;
            // All chose the same key. Who does not wait, or is nobody, is told how many do.
            let told = [ahead(&first.token).await, ahead(&second.token).await, ahead(&third.token).await, ahead("nobody's").await];
            busy.rollback().await.expect("the end");
            told
        };
        let later = async {
            waits(1).await;
            tap(&second.token).await
        };
        let (one, two, told) = join3(tap(&first.token), later, asking).await;
        assert_eq!((one, two, told), (201, 201, [0, 1, 2, 2]));
    }

    async fn a_crowd_that_watches_reads_the_figures_twice_a_second(app) {
        let (_, offer) = app.event(|_| {}).await;
        let (begun, before, app) = (Instant::now(), app.app.bookings.figures_read(), &app);
        for _ in 0..10 {
            let asks = (0..100).map(|n| {
                let asked = if n % 10 == 0 { "none" } else { offer.as_str() };
                async move { app.get(&format!("/api/v1/offers/{asked}/rush"), "").await.status }
            });
            let served = join_all(asks).await.into_iter().filter(|status| *status == 200).count();
            assert_eq!(served, 90);
        }
        let read = app.app.bookings.figures_read() - before;
        let allowed = begun.elapsed().as_millis() as u64 / 500 + 1;
        assert!(read <= allowed, "read {read} times, {allowed} would do");
    }

    async fn who_signs_out_is_out_at_once(app) {
        let member = app.member("王小明").await;
        let begun = Instant::now();
        for _ in 0..50 {
            assert_eq!(app.get("/me", &member.token).await.status, 200);
        }
        let allowed = begun.elapsed().as_secs() / 5 + 1;
        assert!(app.app.sessions.read() <= allowed, "{} look-ups", app.app.sessions.read());
        let request = app.http.request(Method::POST, format!("{}/logout", app.url));
        let request = request.header("cookie", format!("turnout={}", member.token));
        assert_eq!(request.send().await.expect("answer").status(), 303);
        assert_eq!(app.get("/me", &member.token).await.status, 303, "still signed in");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_signs_out_at_one_server_is_out_at_the_other() {
    let app = TestApp::new(Engine::Postgres).await;
    let twin = app.twin().await;
    let member = app.member("王小明").await;
    assert_eq!(twin.get("/me", &member.token).await.status, 200);
    let request = app.http.request(Method::POST, format!("{}/logout", app.url));
    let request = request.header("cookie", format!("turnout={}", member.token));
    assert_eq!(request.send().await.expect("answer").status(), 303);
    // Without the news it would be believed for five seconds.
    let asking = async { while twin.get("/me", &member.token).await.status == 200 {} };
    tokio::time::timeout(Duration::from_secs(3), asking).await.expect("within a second or so");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_refused_attempts_leaves_postgres_alone() {
    storm(&TempDir::new().expect("folder"), postgres::fresh_database(NO_SYNC).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_refused_attempts_leaves_sqlite_alone() {
    let folder = TempDir::new().expect("folder");
    let database = format!("sqlite://{}", folder.path().join("turnout.db").display());
    storm(&folder, database).await;
}

/// People who cannot win try again and again, under new keys: full, not open, over, one only.
async fn storm(folder: &TempDir, database: String) {
    let db = Db::open(&database).await.expect("the database opens");
    let now = SystemClock.now();
    let organizer = staff::add(&db, "组织者", Role::Organizer, now).await.expect("staff");
    let organizer = staff::session_for(&db, &organizer.id, now).await.expect("session");
    let mut people = Vec::new();
    let mut tx = db.write().await.expect("write");
    for n in 0..PEOPLE {
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
        people.push(session::open(&mut tx, Holder::Person(&id), now).await.expect("session"));
    }
    tx.commit().await.expect("commit");
    let server = Server::start(folder.path(), &database).await;
    let world = World { http: client(), url: server.url.clone(), organizer };

    let open = world.event(|_| {}).await;
    let full = world.event(|offer| offer["quota"] = 0.into()).await;
    let later = world.event(|offer| offer["opens_ms"] = (now.0 + HOUR).into()).await;
    let over = world.event(|offer| offer["closes_ms"] = (now.0 - HOUR / 2).into()).await;
    for token in &people {
        assert_eq!(world.tap(token, "the one", &open).await.0, 201);
    }
    let refused =
        [(&open, "limit_reached"), (&full, "sold_out"), (&later, "not_open"), (&over, "not_open")];
    for (offer, code) in refused {
        // Once to be known; then everybody at once, again and again.
        join_all(people.iter().map(|token| world.tap(token, "first", offer))).await;
        let (begun, (sql, from_memory)) = (Instant::now(), world.counted().await);
        let taps = people.iter().map(|token| {
            let world = &world;
            async move {
                for n in 0..TRIES {
                    let (status, got) = world.tap(token, &format!("tap {n}"), offer).await;
                    assert_eq!((got.as_str(), status >= 400), (code, true), "{offer}");
                }
            }
        });
        join_all(taps).await;
        let (sql_after, from_memory_after) = world.counted().await;
        let (sql, from_memory) = (sql_after - sql, from_memory_after - from_memory);
        let allowed = STATEMENTS * (begun.elapsed().as_millis() as u64 / 500 + 1);
        assert!(
            sql <= allowed,
            "{code}: {sql} statements for {} tries, {allowed} would do",
            PEOPLE * TRIES
        );
        assert!(from_memory > 0, "{code}: each of them went to the database");
    }
    // The winners' own tap has its own answer all the same.
    assert_eq!(world.tap(&people[0], "the one", &open).await.0, 201);
}

struct World {
    http: reqwest::Client,
    url: String,
    organizer: String,
}

impl World {
    /// An event with one offer; gives the offer.
    async fn event(&self, change: impl FnOnce(&mut Value)) -> String {
        let now = SystemClock.now().0;
        let mut offer = json!({ "name": "入场", "quota": 1_000, "eligibility": "members",
                                "opens_ms": now - HOUR, "closes_ms": now + 4 * HOUR });
        change(&mut offer);
        let draft = json!({
            "kind": "activity", "theme": "reading", "title": "读书会", "place": "王佐镇文化中心", "status": "published",
            "starts_ms": now - HOUR, "ends_ms": now + 8 * HOUR, "offers": [offer],
        });
        let request =
            self.http.post(format!("{}/api/v1/events", self.url)).bearer_auth(&self.organizer);
        let made: Value =
            request.json(&draft).send().await.expect("answer").json().await.expect("event");
        made["offers"][0]["id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
    }

    /// Status, and the code of the refusal.
    async fn tap(&self, token: &str, key: &str, offer: &str) -> (u16, String) {
        let request = self.http.post(format!("{}/api/v1/bookings", self.url)).bearer_auth(token);
        let request = request.header("idempotency-key", key).json(&json!({ "offer": offer }));
        let answer = request.send().await.expect("answer");
        let status = answer.status().as_u16();
        let body: Value = answer.json().await.expect("JSON");
        (status, body["code"].as_str().unwrap_or_default().to_owned())
    }

    /// Statements sent, and refusals given from memory.
    async fn counted(&self) -> (u64, u64) {
        let metrics = self.http.get(format!("{}/metrics", self.url)).send().await.expect("answer");
        let text = metrics.text().await.expect("text");
        let count = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("a counter");
            line.trim().parse::<u64>().expect("a number")
        };
        (count("turnout_sql_statements "), count("turnout_bookings_from_memory "))
    }
}
