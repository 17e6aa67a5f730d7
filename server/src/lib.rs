//! Turnout's server: issues tickets, keeps the books, shows attendance live.
//!
//! One folder is one feature. In reading order: [`event`] (what can be attended), [`booking`] (who holds which ticket), [`contest`] (who plays whom),
//! [`kiosk`] and [`checkin`] (what happened at the doors), [`people`] (the roster), [`account`] and [`staff`] (who signs
//! in); below them [`web`], [`ledger`], [`live`], [`outbox`], [`keys`] and [`db`].

pub mod account;
pub mod allocation;
pub mod archive;
pub mod audit;
pub mod booking;
pub mod checkin;
pub mod config;
pub mod contest;
pub mod db;
pub mod demo;
mod desk;
pub mod draw;
pub mod error;
pub mod event;
pub mod fair;
pub mod goods;
pub mod housekeeping;
pub mod keys;
pub mod kiosk;
pub mod ledger;
pub mod live;
pub mod loan;
pub mod no_show;
pub mod outbox;
mod pdf;
pub mod people;
mod report;
mod serve;
pub mod staff;
pub mod threads;
pub mod voucher;
pub mod web;

use std::{convert::Infallible, ops::Deref, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use admission::{Clock, Millis};
use axum::{
    Json, Router,
    extract::{Request, State},
    http::{HeaderName, HeaderValue, header},
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
    routing::get,
};
use futures_util::FutureExt as _;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_http::compression::{
    CompressionLayer, DefaultPredicate, Predicate, predicate::SizeAbove,
};
use utoipa_axum::router::OpenApiRouter;

pub use error::Error;
pub use serve::{listen, serve, serve_on};

/// What every handler has at hand. Each layer of each request clones it: one count, not one for each part.
#[derive(Clone)]
pub struct App(Arc<Parts>);

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// What an [`App`] is made of.
#[derive(Clone)]
pub struct Parts {
    /// The database.
    pub db: db::Db,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Takes hot writes.
    pub ledger: ledger::Ledger,
    /// Takes attempts to book, for the ledger.
    pub bookings: booking::Bookings,
    /// Takes what kiosks ask about scans, for the ledger.
    pub checks: checkin::Checks,
    /// Whose keys sign requests.
    pub kiosks: kiosk::Known,
    /// Looks whether they did.
    pub signatures: kiosk::Signatures,
    /// Tells open pages what changed.
    pub live: live::Live,
    /// Who is signed in.
    pub sessions: web::session::Sessions,
    /// Fingerprints of the vouchers on venues' lists.
    pub voucher_prints: voucher::Prints,
    /// The secrets.
    pub keys: keys::Keys,
    /// How messages leave.
    pub delivery: outbox::Delivery,
    /// Wakes the outbox.
    pub outbox_wakes: Arc<Notify>,
    /// Issuer numbers of union cards.
    pub card_bins: Arc<[String]>,
    /// The address people reach the server by.
    pub public_url: Arc<str>,
    /// A reverse proxy names the caller's address.
    pub behind_proxy: bool,
    /// Set when the server stops, so that endless answers end.
    pub stopping: CancellationToken,
    /// Set in a demo world: log-ins are shown on a page.
    pub demo: Option<Arc<demo::Notes>>,
}

impl App {
    /// Opens what `config` names and starts sending messages.
    ///
    /// # Errors
    /// When the database or the keys cannot be opened.
    pub async fn open(config: &config::Serve, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let db = config.storage.open().await?;
        let keys = keys::Keys::of(&db, &config.storage.data.join("keys")).await?;
        let ledger = ledger::Ledger::start(db.clone());
        let live = live::Live::start(&db);
        let app = Self(Arc::new(Parts {
            bookings: booking::Bookings::start(ledger.clone(), db.clone(), &live),
            kiosks: kiosk::Known::default(),
            signatures: kiosk::Signatures::default(),
            checks: checkin::Checks::start(ledger.clone(), &live),
            sessions: web::session::Sessions::start(db.clone(), &live),
            voucher_prints: voucher::Prints::default(),
            ledger,
            live,
            keys,
            delivery: outbox::Delivery::of(&config.sms)?,
            outbox_wakes: Arc::new(Notify::new()),
            card_bins: config.card_bins.clone().into(),
            public_url: config.public_url().into(),
            behind_proxy: config.behind_proxy,
            stopping: CancellationToken::new(),
            demo: None,
            db,
            clock,
        }));
        tokio::spawn(db::fold_when_quiet(app.db.clone()));
        tokio::spawn(outbox::run(app.clone()));
        app.outbox_wakes.notify_one();
        Ok(app)
    }

    /// The same under another clock.
    #[must_use]
    pub fn with_clock(&self, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Parts { clock, ..Parts::clone(self) }))
    }

    /// The same in a demo world.
    #[must_use]
    pub fn in_demo(&self, notes: demo::Notes) -> Self {
        Self(Arc::new(Parts { demo: Some(Arc::new(notes)), ..Parts::clone(self) }))
    }

    /// Starts what happens by the clock: places lapse, ballots are drawn, old things are deleted. Tests move the clock,
    /// and do these themselves.
    pub fn watch_the_clock(&self) {
        tokio::spawn(housekeeping::run(self.clone()));
        tokio::spawn(booking::held::run(self.clone()));
        tokio::spawn(no_show::run(self.clone()));
        tokio::spawn(contest::play::late::run(self.clone()));
    }

    /// Whether people reach the server by https, so that cookies are marked Secure.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.public_url.starts_with("https://")
    }

    /// The name of the session cookie.
    #[must_use]
    pub fn cookie_name(&self) -> &'static str {
        if self.is_https() { "__Host-turnout" } else { "turnout" }
    }
}

/// All routes with their checks.
pub fn router(app: App) -> Router {
    let (api, openapi) = OpenApiRouter::new()
        .merge(event::api())
        .merge(booking::api())
        .merge(draw::api())
        .merge(allocation::api())
        .merge(no_show::api())
        .merge(checkin::api())
        .merge(contest::api())
        .merge(kiosk::api())
        .merge(account::api())
        .merge(contest::play::api())
        .merge(contest::walk::api())
        .merge(fair::api())
        .merge(desk::api())
        .merge(voucher::api())
        .split_for_parts();
    let openapi = Arc::new(described(openapi));
    let api = api.route("/openapi.json", get(move || async move { Json((*openapi).clone()) }));
    let routes = Router::new()
        .nest("/api/v1", api)
        .merge(web::routes())
        .merge(account::pages::routes())
        .merge(event::pages::routes())
        .merge(booking::pages::routes())
        .merge(demo::page::routes())
        .merge(event::desk())
        .merge(booking::desk())
        .merge(draw::routes())
        .merge(no_show::routes())
        .merge(allocation::routes())
        .merge(checkin::desk())
        .merge(contest::routes())
        .merge(kiosk::desk())
        .merge(fair::routes())
        .merge(voucher::routes())
        .merge(desk::routes())
        .merge(goods::routes())
        .merge(report::routes())
        .merge(loan::routes())
        .merge(people::import::pages::routes())
        .merge(contest::play::routes())
        .merge(contest::walk::routes())
        .merge(contest::results::routes())
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route_layer(from_fn_with_state(app.clone(), web::access::check))
        .fallback(|| async { Error::NotFound })
        .with_state(app.clone());
    // Layers of a router are copied with each of its routes at each request, and each copies and boxes what is in it. These
    // are around the router as a whole.
    let guarded = service_fn(move |request| {
        around(app.clone(), routes.clone(), request).map(Ok::<_, Infallible>)
    });
    let packed = CompressionLayer::new().compress_when(worth_compressing()).layer(guarded);
    Router::new().fallback_service(packed)
}

/// What fits into one packet is sent as it is: the JSON of a booking, above all.
fn worth_compressing() -> impl Predicate {
    DefaultPredicate::new().and(SizeAbove::new(1_024))
}

fn described(mut openapi: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    openapi.info.title = "Turnout".to_owned();
    openapi.info.version = env!("CARGO_PKG_VERSION").to_owned();
    openapi.info.description =
        Some("Event registration and check-in. Errors are RFC 9457 problems.".to_owned());
    openapi.servers = Some(vec![utoipa::openapi::Server::new("/api/v1")]);
    openapi
}

/// What is around every handler. It runs to its end even when the client hangs up, so that no transaction stays half
/// done (design.md, decision 5); its panic is an error like any other, with the message on the console; a failure is
/// told to whoever asked; and every answer carries certain headers.
async fn around(app: App, routes: Router, request: Request) -> Response {
    let asked = web::problem::Asked::of(&app, &request);
    let answering = app.clone();
    let told = async move {
        let ran = AssertUnwindSafe(routes.oneshot(request)).catch_unwind().await;
        let answer = match ran {
            Ok(Ok(answer)) => answer,
            Ok(Err(never)) => match never {},
            Err(_) => Error::Internal(anyhow::anyhow!("a handler panicked")).into_response(),
        };
        asked.told(&answering, answer).await
    };
    let answer = web::ToItsEnd::new(AssertUnwindSafe(told).catch_unwind()).await;
    let mut answer = answer
        .unwrap_or_else(|_| Error::Internal(anyhow::anyhow!("a layer panicked")).into_response());
    guard(&app, &mut answer);
    answer
}

/// Headers that every answer carries.
fn guard(app: &App, response: &mut Response) {
    const HEADERS: [(HeaderName, &str); 4] = [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ];
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    // A proxy that gathers what it passes on (nginx, unless told otherwise) would hold live news back.
    let kind = headers.get(header::CONTENT_TYPE);
    if kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream")) {
        const UNBUFFERED: HeaderName = HeaderName::from_static("x-accel-buffering");
        headers.insert(UNBUFFERED, HeaderValue::from_static("no"));
    }
    if app.is_https() {
        const TWO_YEARS: HeaderValue =
            HeaderValue::from_static("max-age=63072000; includeSubDomains");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, TWO_YEARS);
    }
    // What people see is theirs alone unless a handler says otherwise.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

/// `GET /readyz`: whether the database answers, and at once.
async fn readyz(State(app): State<App>) -> error::Result<&'static str> {
    let look = async {
        let mut tx = app.db.read().await?;
        let _one: (i64,) = fetch!(&mut tx, fetch_one, "select cast(1 as bigint)")?;
        Ok("ready")
    };
    tokio::time::timeout(Duration::from_secs(2), look).await.unwrap_or(Err(Error::Away))
}

/// `GET /metrics`: for Prometheus. Counts only; nothing about a person.
async fn metrics(State(app): State<App>) -> String {
    let waiting = app.ledger.waiting() as u64 + app.bookings.waiting();
    [
        ("ledger_waiting", "gauge", "Pieces of work waiting for the ledger.", waiting),
        (
            "bookings_from_memory",
            "counter",
            "Bookings that were refused without asking the database.",
            app.bookings.answered_from_memory(),
        ),
        (
            "rush_figures_read",
            "counter",
            "How often the public figures of all offers were read from the database.",
            app.bookings.figures_read(),
        ),
        ("sessions_read", "counter", "Sessions looked up in the database.", app.sessions.read()),
        ("sql_statements", "counter", "Statements sent to the database.", db::statements()),
    ]
    .map(|(name, kind, help, value)| {
        format!(
            "# HELP turnout_{name} {help}\n# TYPE turnout_{name} {kind}\nturnout_{name} {value}\n"
        )
    })
    .concat()
}

/// The system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is where the time comes from")]
    fn now(&self) -> Millis {
        jiff::Timestamp::now().as_millisecond().into()
    }
}
