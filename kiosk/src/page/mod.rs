//! The kiosk's screen: one page on loopback, live by server-sent events, that also takes what scanners type.

mod camera;
mod desk;
mod guard;
mod view;

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use admission::{Clock, Millis, ticket::TicketId};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State},
    http::{HeaderValue, StatusCode, header},
    middleware,
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
    routing::{get, post},
};
use futures_util::{Stream, StreamExt, stream};
use rust_embed::RustEmbed;
use serde::{Deserialize, Serialize};
use tokio::{net::TcpListener, sync::watch};
use tokio_stream::wrappers::{BroadcastStream, WatchStream};
use zeroize::{Zeroize, Zeroizing};

use crate::{
    desk::Desk,
    devices::{Device, Devices, reading},
    door::{Order, Trigger, What},
    doorkeeper::{Kiosk, told_to},
    page::{camera::Camera, view::View},
    status::{Phase, Place},
};

/// Longer than any code or swipe.
const SCAN_MAX_BYTES: usize = 4_096;

#[derive(RustEmbed)]
#[folder = "src/page/assets"]
struct Assets;

/// What the handlers share.
#[derive(Clone)]
struct Page {
    kiosk: Kiosk,
    desk: Arc<Desk>,
    clock: Arc<dyn Clock>,
    devices: Devices,
    /// Who has the desk open.
    session: Arc<Mutex<Option<desk::Session>>>,
    camera: Arc<Camera>,
}

/// Serves the page, `router`, on `listener` until `stop` turns true.
pub(crate) async fn serve(listener: TcpListener, router: Router, mut stop: watch::Receiver<bool>) {
    tokio::select! {
        // Not the graceful way: open event streams would never end.
        () = told_to(&mut stop) => {}
        served = axum::serve(listener, router) => {
            if let Err(error) = served {
                tracing::error!(%error, "the page is no longer served");
            }
        }
    }
}

/// The page's routes.
pub fn router(kiosk: Kiosk, desk: Arc<Desk>, clock: Arc<dyn Clock>, devices: Devices) -> Router {
    let (session, camera) = (Arc::default(), Arc::new(Camera::new()));
    let page = Page { kiosk, desk, clock, devices, session, camera };
    Router::new()
        .route("/", get(|| async { asset("index.html") }))
        .route("/assets/{name}", get(|Path(name): Path<String>| async move { asset(&name) }))
        .route("/live", get(live))
        .route("/scan", post(scan))
        .route("/choice", post(choose))
        .route("/consent", post(consent))
        .route("/frame", post(camera::frame).layer(DefaultBodyLimit::max(camera::FRAME_MAX_BYTES)))
        .route("/healthz", get(health))
        .merge(desk::routes())
        .layer(DefaultBodyLimit::max(SCAN_MAX_BYTES))
        .layer(middleware::from_fn(guard::check))
        .with_state(page)
}

/// `GET /live`: how the kiosk is and what it shows, as it happens.
async fn live(State(page): State<Page>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let status = {
        let page = page.clone();
        page.kiosk.status.stream().map(move |status| event("status", &page.now(status)))
    };
    let devices = page.devices.watch();
    let settings = WatchStream::new(page.desk.settings());
    let settings = settings.map(|settings| event("settings", &settings));
    // A page that fell behind misses verdicts that are no longer on any screen.
    let shown = BroadcastStream::new(page.kiosk.shown.subscribe())
        .filter_map(async |shown| shown.ok())
        .map(move |shown| event("verdict", &page.view(&shown)));
    let devices = WatchStream::new(devices).map(|devices| event("devices", &devices));
    let events = stream::select(stream::select(status, shown.boxed()), devices);
    let events = stream::select(settings, events).map(Ok);
    Sse::new(events).keep_alive(KeepAlive::default())
}

/// `POST /scan`: what a scanner typed into the page. 204 when it was empty.
async fn scan(State(page): State<Page>, body: Bytes) -> Response {
    let text = Zeroizing::new(String::from_utf8_lossy(&body).into_owned());
    if let Ok(mut body) = body.try_into_mut() {
        body.zeroize();
    }
    match reading::take(&page.kiosk, &text, Trigger::Hand).await {
        Some(shown) => Json(page.view(&shown)).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    }
}

/// A ticket on the screen.
#[derive(Deserialize)]
struct Chosen {
    ticket: TicketId,
}

/// `POST /choice`: the holder of a card says which ticket to redeem.
async fn choose(State(page): State<Page>, Json(chosen): Json<Chosen>) -> Response {
    page.tapped(What::Choose(chosen.ticket)).await
}

/// What a visitor says to a stand.
#[derive(Deserialize)]
struct Said {
    yes: bool,
}

/// `POST /consent`: the visitor says whether the stand may have their name and phone.
async fn consent(State(page): State<Page>, Json(said): Json<Said>) -> Response {
    page.tapped(What::Consent(said.yes)).await
}

/// What `/healthz` tells.
#[derive(Serialize)]
struct Health {
    #[serde(flatten)]
    status: crate::status::Status,
    devices: Vec<Device>,
}

/// `GET /healthz`: 200 when scans are decided, 503 with the reason when not. A device that is away is told, and
/// is no reason.
async fn health(State(page): State<Page>) -> impl IntoResponse {
    let status = page.kiosk.status.now();
    let code = match status.phase {
        Phase::Ready => StatusCode::OK,
        Phase::Starting | Phase::OutOfOrder | Phase::Locked => StatusCode::SERVICE_UNAVAILABLE,
    };
    let devices = page.devices.watch().borrow().clone();
    (code, Json(Health { status, devices }))
}

fn event(name: &str, data: &impl Serialize) -> Event {
    let data = serde_json::to_string(data).expect("what the page shows is plain data");
    Event::default().event(name).data(data)
}

fn asset(name: &str) -> Response {
    match Assets::get(name) {
        Some(file) => {
            let kind = HeaderValue::from_str(file.metadata.mimetype())
                .unwrap_or(HeaderValue::from_static("application/octet-stream"));
            let headers = [
                (header::CONTENT_TYPE, kind),
                (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
            ];
            (headers, file.data).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

impl Page {
    /// Something that the holder tapped. 409 when it is no longer on the screen.
    async fn tapped(&self, what: What) -> Response {
        match self.kiosk.order(Order { what, operator: None }).await {
            Some(Ok(shown)) => Json(self.view(&shown)).into_response(),
            _ => StatusCode::CONFLICT.into_response(),
        }
    }

    fn view(&self, shown: &crate::shown::Shown) -> View {
        let (place, now) = self.here_and_now();
        View::of(shown, place.as_ref(), now)
    }

    /// Where the kiosk stands, and the time there: what people are told goes by that, and not by a clock that may be hours off.
    fn here_and_now(&self) -> (Option<Place>, Millis) {
        let status = self.kiosk.status.now();
        let now = self.clock.now().plus(status.skew_ms);
        (status.place, now)
    }

    fn now(&self, status: crate::status::Status) -> view::Now {
        view::Now { now_ms: self.clock.now().plus(status.skew_ms), status }
    }
}
