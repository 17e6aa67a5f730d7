//! A server of one's own, in this process, on a real socket.

use std::{
    sync::{Arc, Mutex, OnceLock},
    time::{Duration, Instant},
};

use admission::{Clock, Millis};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use turnout_server::{
    App,
    config::{DEFAULT_BINS, Serve, Sms, Storage},
    staff,
    web::access::Role,
};

use super::{NO_SYNC, postgres};

/// 2027-03-05 09:00 in Beijing.
pub(crate) const MORNING: Millis = Millis(1_804_208_400_000);

/// Which database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

/// A clock that stands until a test moves it, or lets it run.
#[derive(Debug)]
pub(crate) struct HandClock {
    stands_at: Mutex<Millis>,
    runs_since: OnceLock<Instant>,
}

impl Clock for HandClock {
    fn now(&self) -> Millis {
        let run = self.runs_since.get().map_or(Duration::ZERO, Instant::elapsed);
        let stood = *self.stands_at.lock().expect("no test panics while it holds the clock");
        stood.plus(i64::try_from(run.as_millis()).expect("a short test"))
    }
}

/// A server of one's own.
pub(crate) struct TestApp {
    pub(crate) app: App,
    pub(crate) url: String,
    pub(crate) database: String,
    pub(crate) http: reqwest::Client,
    pub(crate) folder: TempDir,
    clock: Arc<HandClock>,
}

/// An answer, read.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text)
            .unwrap_or_else(|_| panic!("not JSON: {} {}", self.status, self.text))
    }

    /// The stable code of a problem.
    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The body, which must be an answer of that status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        if self.text.is_empty() { Value::Null } else { self.json() }
    }

    /// The refusal's code, which must come with that status.
    #[track_caller]
    pub(crate) fn refused(self, status: u16) -> String {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self.code()
    }
}

impl TestApp {
    pub(crate) async fn new(engine: Engine) -> Self {
        let folder = TempDir::new().expect("temporary folder");
        let database = match engine {
            Engine::Sqlite => format!("sqlite://{}", folder.path().join("turnout.db").display()),
            Engine::Postgres => postgres::fresh_database(NO_SYNC).await,
        };
        let clock = HandClock { stands_at: Mutex::new(MORNING), runs_since: OnceLock::new() };
        Self::on(folder, database, Arc::new(clock)).await
    }

    /// Another server of the same installation: the same database, keys and clock.
    pub(crate) async fn twin(&self) -> Self {
        self.twin_on(self.database.clone()).await
    }

    /// A server with the same keys and clock, on another database.
    pub(crate) async fn twin_on(&self, database: String) -> Self {
        let folder = TempDir::new().expect("temporary folder");
        let keys = folder.path().join("keys");
        std::fs::create_dir(&keys).expect("folder");
        for file in std::fs::read_dir(self.folder.path().join("keys")).expect("the keys") {
            let file = file.expect("a key");
            std::fs::copy(file.path(), keys.join(file.file_name())).expect("copy");
        }
        Self::on(folder, database, Arc::clone(&self.clock)).await
    }

    async fn on(folder: TempDir, database: String, clock: Arc<HandClock>) -> Self {
        let config = Serve {
            storage: Storage { database: Some(database.clone()), data: folder.path().to_owned() },
            listen: ([127, 0, 0, 1], 0).into(),
            public_url: None,
            behind_proxy: false,
            sms: Sms::default(),
            card_bins: DEFAULT_BINS.map(str::to_owned).to_vec(),
        };
        let app = App::open(&config, clock.clone()).await.expect("the server opens");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(turnout_server::serve_on(app.clone(), listener));
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(20))
            .no_proxy()
            .build()
            .expect("client");
        Self { app, url, database, http, folder, clock }
    }

    pub(crate) fn now(&self) -> Millis {
        self.clock.now()
    }

    /// Moves the clock on.
    pub(crate) fn advance(&self, ms: i64) {
        let stands_at = &self.clock.stands_at;
        let mut now = stands_at.lock().expect("no test panics while it holds the clock");
        *now = now.plus(ms);
    }

    /// Lets the clock run as if it had never stood since `moment`.
    pub(crate) fn let_time_run_since(&self, moment: Instant) {
        self.clock.runs_since.set(moment).expect("it runs already");
    }

    /// A session of a new member of staff.
    pub(crate) async fn staff(&self, role: Role) -> String {
        let name = format!("{}-{}", role.word(), turnout_server::db::new_id(self.now()));
        let new = staff::add(&self.app.db, &name, role, self.now()).await.expect("staff");
        staff::session_for(&self.app.db, &new.id, self.now()).await.expect("session")
    }

    /// Sends a request as whoever holds `token` (nobody: "").
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: Option<Value>,
    ) -> Answer {
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        read(request).await
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Answer {
        self.send(Method::GET, path, token, None).await
    }

    pub(crate) async fn post(&self, path: &str, token: &str, body: Value) -> Answer {
        self.send(Method::POST, path, token, Some(body)).await
    }

    /// Books under an Idempotency-Key.
    pub(crate) async fn book_with(&self, token: &str, key: &str, body: Value) -> Answer {
        let request = self.http.post(format!("{}/api/v1/bookings", self.url));
        read(request.bearer_auth(token).header("idempotency-key", key).json(&body)).await
    }

    /// What an organizer sends to make an event that is on now with one open offer.
    pub(crate) fn draft(&self) -> Value {
        const HOUR: i64 = 3_600_000;
        let now = self.now().0;
        json!({
            "kind": "activity", "theme": "reading", "title": "读书会", "place": "王佐镇文化中心", "entrance": "东门",
            "starts_ms": now - HOUR, "ends_ms": now + 8 * HOUR, "status": "published",
            "offers": [{
                "name": "入场", "quota": 100, "opens_ms": now - 24 * HOUR, "closes_ms": now + 4 * HOUR,
                "cancel_until_ms": now + 4 * HOUR, "eligibility": "members",
            }],
        })
    }

    /// An event happening now with one open offer; `change` adjusts the draft. Gives the ids of event and offer.
    pub(crate) async fn event(&self, change: impl FnOnce(&mut Value)) -> (String, String) {
        let mut draft = self.draft();
        change(&mut draft);
        let organizer = self.staff(Role::Organizer).await;
        let event = self.post("/api/v1/events", &organizer, draft).await.expect(201);
        let text = |value: &Value| value.as_str().expect("an id").to_owned();
        (text(&event["id"]), text(&event["offers"][0]["id"]))
    }
}

async fn read(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.expect("the server answers");
    Answer { status: response.status(), text: response.text().await.expect("a body") }
}
