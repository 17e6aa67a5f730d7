//! The page of an offer that goes to whoever comes first, in a real browser: it opens by the server's clock, a tap is
//! repeated until it is answered and counts once, and the figures are those of the moment.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use futures_util::future::{join, join_all};
use serde_json::json;
use turnout_server::fetch;

use crate::support::{Engine, TestApp, browser::Browser, people::Member};

/// Long enough for a page to be loaded on a slow machine.
const LATER_MS: i64 = 12_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_clock_opens_nothing_early() {
    let app = TestApp::new(Engine::Sqlite).await;
    let opens_ms = app.now().plus(LATER_MS);
    let (event, offer) =
        app.event(|draft| draft["offers"][0]["opens_ms"] = opens_ms.0.into()).await;
    let member = app.member("王小明").await;
    let way = Way::to(&app, []).await;
    let phone = signed_in(&way.url, &member).await;
    // A phone that is an hour ahead.
    let skew = "{ const Right = Date, skew = 3600e3; window.Date = class extends Right { \
                constructor(...at) { if (at.length) super(...at); else super(Right.now() + skew); } \
                static now() { return Right.now() + skew; } }; }";
    phone.devtools("Page.addScriptToEvaluateOnNewDocument", json!({ "source": skew })).await;
    let begun = Instant::now();
    phone.go(&format!("{}/events/{event}", way.url)).await;
    phone.sees("[data-state=wait] .countdown", "秒").await;
    assert_eq!(phone.script("return Date.now() - performance.timeOrigin > 3500e3").await, true);
    assert_eq!(phone.script("return document.querySelector('.act button').disabled").await, true);
    phone.script("document.querySelector('.offer form').dispatchEvent(new Event('submit', { cancelable: true }))").await;
    let early = app.book_with(&member.token, "early", json!({ "offer": offer })).await;
    assert_eq!(early.refused(403), "not_open");
    app.let_time_run_since(begun);
    phone.sees("[data-state=book] [data-told]", "开始报名了").await;
    assert!(app.now() >= opens_ms, "{} ms early", opens_ms.since(app.now()));
    assert!(way.keys().is_empty(), "it was sent before anybody tapped");
    phone.click(".act button").await;
    phone.sees("main", "报名成功").await;
    assert_eq!(way.keys().len(), 1);
    phone.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tap_is_repeated_until_it_is_answered_and_books_once() {
    let app = TestApp::new(Engine::Sqlite).await;
    let (event, _) = app.event(|_| {}).await;
    let member = app.member("王小明").await;
    let way = Way::to(&app, [Fate::Busy { seconds: 1 }, Fate::Lost]).await;
    let phone = signed_in(&way.url, &member).await;
    phone.go(&format!("{}/events/{event}", way.url)).await;
    phone.click(".act button").await;
    phone.sees("[data-told]", "自动再试").await;
    phone.sees("main", "报名成功").await;
    let keys = way.keys();
    assert_eq!(keys.len(), 3, "busy, answered into the void, answered");
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    assert_eq!(bookings(&app).await, 1);
    phone.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_keeps_the_tap_and_what_was_typed() {
    let app = TestApp::new(Engine::Sqlite).await;
    let (event, _) = app
        .event(|draft| {
            draft["offers"][0]["per_person"] = 2.into();
            draft["offers"][0]["guests_max"] = 1.into();
        })
        .await;
    let member = app.member("王小明").await;
    let way = Way::to(&app, [Fate::Busy { seconds: 600 }, Fate::Lost]).await;
    let phone = signed_in(&way.url, &member).await;
    let page = format!("{}/events/{event}", way.url);
    phone.go(&page).await;
    phone.fill("[name=guest]", "王大山").await;
    // What is typed is there after a reload, and nothing was sent.
    phone.go(&page).await;
    phone.sees(".act button", "报名").await;
    assert_eq!(phone.script("return document.querySelector('[name=guest]').value").await, "王大山");
    assert!(way.keys().is_empty());
    phone.click(".act button").await;
    phone.sees("[data-told]", "自动再试").await;
    // Whoever loses patience and loads the page again makes the same tap, not another one; and again when the answer is
    // lost.
    phone.client.refresh().await.expect("reload");
    phone.sees("main", "报名成功").await;
    let keys = way.keys();
    assert_eq!(keys.len(), 3);
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    phone.sees("main", "王大山").await;
    assert_eq!(bookings(&app).await, 1);
    // It is over: another booking would be another tap.
    assert_eq!(phone.script("return sessionStorage.length").await, 0);
    phone.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_figures_on_the_page_are_those_of_the_moment() {
    let app = TestApp::new(Engine::Sqlite).await;
    let (event, offer) = app.event(|draft| draft["offers"][0]["quota"] = 2.into()).await;
    let (reader, first, second) =
        (app.member("王小明").await, app.member("李华").await, app.member("赵敏").await);
    let way = Way::to(&app, []).await;
    let laptop = signed_in(&way.url, &reader).await;
    laptop.go(&format!("{}/events/{event}", way.url)).await;
    laptop.sees("[data-state=book] .meter", "还剩 2 个名额").await;
    let booked = app.booked(&first, &offer).await;
    laptop.sees(".meter", "还剩 1 个名额").await;
    app.booked(&second, &offer).await;
    laptop.sees("[data-state=full] .meter", "没有剩余名额").await;
    assert_eq!(laptop.script("return document.querySelector('.act button').disabled").await, true);
    let path = format!("/api/v1/bookings/{}/cancellation", booked["id"].as_str().expect("id"));
    app.post(&path, &first.token, json!({})).await.expect(200);
    laptop.sees("[data-state=book] .meter", "还剩 1 个名额").await;
    laptop.click(".act button").await;
    laptop.sees("main", "报名成功").await;
    laptop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_says_how_many_stand_in_line_in_front() {
    let app = TestApp::new(Engine::Sqlite).await;
    let with_a_line = |draft: &mut serde_json::Value| {
        draft["offers"][0]["quota"] = 1.into();
        draft["offers"][0]["waiting_list"] = true.into();
    };
    let (event, offer) = app.event(with_a_line).await;
    let (reader, first, second) =
        (app.member("王小明").await, app.member("李华").await, app.member("赵敏").await);
    let laptop = signed_in(&app.url, &reader).await;
    laptop.go(&format!("{}/events/{event}", app.url)).await;
    app.booked(&first, &offer).await;
    laptop.sees("[data-state=line] [data-when=line]:not(.badge)", "现在前面没有人").await;
    let waiting = app.booked(&second, &offer).await;
    laptop.sees("[data-when=line]:not(.badge)", "前面有 1 个报名在候补").await;
    let path = format!("/api/v1/bookings/{}/cancellation", waiting["id"].as_str().expect("id"));
    app.post(&path, &second.token, json!({})).await.expect(200);
    laptop.sees("[data-when=line]:not(.badge)", "现在前面没有人").await;
    laptop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_who_waits_is_told_how_many_are_in_front_and_what_is_left() {
    let app = TestApp::new(Engine::Sqlite).await;
    let (event, offer) = app.event(|draft| draft["offers"][0]["quota"] = 5.into()).await;
    let (reader, first, second) =
        (app.member("王小明").await, app.member("李华").await, app.member("赵敏").await);
    let phone = signed_in(&app.url, &reader).await;
    phone.go(&format!("{}/events/{event}", app.url)).await;
    phone.sees(".act button", "报名").await;
    // While another write goes on, whoever taps waits.
    let busy = app.app.db.write().await.expect("the only writer");
    let taps = join_all([&first, &second].map(|member| app.booked(member, &offer)));
    let reads = async {
        while app.app.bookings.waiting() < 2 {
            tokio::task::yield_now().await;
        }
        phone.click(".act button").await;
        phone.sees("[data-told]", "前面约 2 人，还剩 5 个名额").await;
        busy.rollback().await.expect("the end");
    };
    join(taps, reads).await;
    phone.sees("main", "报名成功").await;
    assert_eq!(bookings(&app).await, 3);
    phone.close().await;
}

async fn signed_in(url: &str, member: &Member) -> Browser {
    let phone = Browser::phone().await;
    phone.go(&format!("{url}/healthz")).await;
    phone.script(&format!("document.cookie = 'turnout={}; path=/'", member.token)).await;
    phone
}

async fn bookings(app: &TestApp) -> i64 {
    let mut tx = app.app.db.read().await.expect("read");
    let (count,): (i64,) = fetch!(tx, fetch_one, "select count(*) from booking").expect("count");
    count
}

/// What becomes of a tap on its way; those after the last go through.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// The server is full: it never gets there.
    Busy { seconds: u32 },
    /// It is done, and the answer is lost.
    Lost,
}

/// The way to the server.
struct Way {
    url: String,
    taps: Arc<Taps>,
}

#[derive(Debug)]
struct Taps {
    server: String,
    http: reqwest::Client,
    fates: Mutex<VecDeque<Fate>>,
    /// The keys under which they came.
    keys: Mutex<Vec<String>>,
}

impl Way {
    async fn to(app: &TestApp, fates: impl IntoIterator<Item = Fate>) -> Self {
        let taps = Arc::new(Taps {
            server: app.url.clone(),
            http: reqwest::Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .timeout(Duration::from_secs(120))
                .no_proxy()
                .build()
                .expect("client"),
            fates: Mutex::new(fates.into_iter().collect()),
            keys: Mutex::default(),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let router = Router::new().fallback(pass).with_state(Arc::clone(&taps));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, taps }
    }

    fn keys(&self) -> Vec<String> {
        self.taps.keys.lock().expect("no test panics while it holds them").clone()
    }
}

async fn pass(State(taps): State<Arc<Taps>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let mut fate = None;
    if head.method == "POST" && head.uri.path() == "/api/v1/bookings" {
        let key = head.headers["idempotency-key"].to_str().expect("ascii").to_owned();
        taps.keys.lock().expect("no test panics while it holds them").push(key);
        fate = taps.fates.lock().expect("no test panics while it holds them").pop_front();
    }
    if let Some(Fate::Busy { seconds }) = fate {
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            [(header::RETRY_AFTER, seconds.to_string())],
            "{}",
        )
            .into_response();
    }
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let request = taps
        .http
        .request(head.method, format!("{}{path}", taps.server))
        .headers(own(head.headers))
        .body(to_bytes(body, usize::MAX).await.expect("a body"));
    let Ok(answer) = request.send().await else { return StatusCode::BAD_GATEWAY.into_response() };
    if let Some(Fate::Lost) = fate {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    let (status, headers) = (answer.status(), own(answer.headers().clone()));
    (status, headers, Body::from_stream(answer.bytes_stream())).into_response()
}

/// The headers that are not about one stretch of the way.
fn own(mut headers: HeaderMap) -> HeaderMap {
    for name in
        [header::HOST, header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING]
    {
        headers.remove(name);
    }
    headers
}
