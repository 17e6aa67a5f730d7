//! `/desk`: the operating page. A PIN opens it for ten minutes of use; everything done here names who did it.

use admission::{
    Millis, Verdict,
    say::{self, Lang},
    sync::PersonRow,
    ticket::TicketId,
    time::MINUTE,
};
use axum::{
    Json, Router,
    extract::{Query, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use data_encoding::HEXLOWER;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::json;
use zeroize::Zeroizing;

use super::{Page, asset};
use crate::{
    desk::{IDLE_MS, NewPin, Shut},
    devices::Printer,
    door::{Cannot, Order, What},
    doorkeeper::{Message, News, Standing},
    drill, ready,
    settings::Settings,
    status::Phase,
};

/// Rows of one answer.
const ROWS: usize = 20;
/// Letters of a label or a reason.
const LABEL_MAX: usize = 8;
const WHY_MAX: usize = 40;

/// Who has the desk open.
pub(super) struct Session {
    token: String,
    operator: Option<String>,
    /// When it was used last.
    touched: Millis,
}

pub(super) fn routes() -> Router<Page> {
    Router::new()
        .route("/desk", get(|| async { asset("desk.html") }))
        .route("/desk/state", get(state))
        .route("/desk/opening", post(open))
        .route("/desk/closing", post(close))
        .route("/desk/search", post(search))
        .route("/desk/admission", post(admit))
        .route("/desk/override", post(override_rule))
        .route("/desk/undo", post(undo))
        .route("/desk/reprint", post(reprint))
        .route("/desk/readiness", get(readiness))
        .route("/desk/drill", post(drill))
        .route("/desk/settings", post(set))
        .route("/desk/pins", post(change))
}

/// `GET /desk/state`: whether it is open, and what it knows. To ask is no use of it: an open page asks all the time.
async fn state(State(page): State<Page>, headers: HeaderMap) -> Response {
    let operator = page.at_desk(&headers, |session| session.operator.clone());
    Json(json!({
        "open": operator.is_some(),
        "operator": operator.flatten(),
        "has_pin": page.desk.has_pin(),
        "wants_code": page.desk.wants_code(),
        "supervisor": page.desk.has_supervisor(),
        "prints": page.devices.printer().is_some(),
        "known": page.desk.known(),
    }))
    .into_response()
}

#[derive(Deserialize)]
struct Opening {
    pin: String,
    #[serde(default)]
    operator: String,
    /// The enrolment code, with the first PIN.
    #[serde(default)]
    code: String,
}

/// `POST /desk/opening`: the PIN, and who it is. 401 with `wait_ms` when it is wrong, or the code of the first one is.
async fn open(State(page): State<Page>, Json(opening): Json<Opening>) -> Response {
    let pin = Zeroizing::new(opening.pin);
    match page.desk.open_at_screen(&pin, &opening.code).await {
        Ok(card_key) => {
            if let Some(card_key) = card_key.filter(|_| !page.kiosk.status.now().cards) {
                let news = Message::News(News::CardKey(card_key));
                // The doorkeeper leaves first only when the program ends.
                drop(page.kiosk.messages.send(news).await);
            }
            // Names are fetched with the next round, which this wakes.
            page.kiosk.recorded.notify_one();
        }
        Err(shut) => return refused(&shut),
    }
    let mut token = [0; 16];
    if getrandom::fill(&mut token).is_err() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let token = HEXLOWER.encode(&token);
    let cookie = format!("desk={token}; Path=/desk; HttpOnly; SameSite=Strict");
    let label = written(&opening.operator, LABEL_MAX);
    let operator = Some(label).filter(|label| !label.is_empty());
    *page.sessions() = Some(Session { token, operator, touched: page.clock.now() });
    let cookie = HeaderValue::from_str(&cookie).unwrap_or(HeaderValue::from_static(""));
    ([(header::SET_COOKIE, cookie)], StatusCode::NO_CONTENT).into_response()
}

/// Why a PIN was not taken: a stable code, and after which time the next one is looked at.
fn refused(shut: &Shut) -> Response {
    let (status, code, wait_ms) = match shut {
        Shut::WrongPin { wait_ms } => (StatusCode::UNAUTHORIZED, "wrong_pin", *wait_ms),
        Shut::WrongCode { wait_ms } => (StatusCode::UNAUTHORIZED, "wrong_code", *wait_ms),
        Shut::TooSoon { wait_ms } => (StatusCode::TOO_MANY_REQUESTS, "too_soon", *wait_ms),
        Shut::NoPin => (StatusCode::UNPROCESSABLE_ENTITY, "no_pin", 0),
        Shut::WeakPin => (StatusCode::UNPROCESSABLE_ENTITY, "weak_pin", 0),
        Shut::SamePin => (StatusCode::UNPROCESSABLE_ENTITY, "same_pin", 0),
        Shut::Closed | Shut::Store(_) | Shut::Seal(_) => {
            tracing::error!(%shut, "the desk does not open");
            (StatusCode::SERVICE_UNAVAILABLE, "failed", 0)
        }
    };
    (status, Json(json!({ "code": code, "wait_ms": wait_ms }))).into_response()
}

/// `POST /desk/closing`.
async fn close(State(page): State<Page>) -> StatusCode {
    *page.sessions() = None;
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
struct Sought {
    #[serde(default)]
    text: String,
    /// The ticket whose holder is to be looked at, instead.
    #[serde(default)]
    ticket: Option<TicketId>,
}

/// Somebody who was found, and how their ticket stands here.
#[derive(Serialize)]
struct Row {
    #[serde(flatten)]
    person: PersonRow,
    offer: String,
    /// `admitted`, `refused` or `attention`: what the rule would say.
    verdict: &'static str,
    /// In words; empty when the rule would let them pass.
    zh: String,
    en: String,
    undoable: bool,
}

/// `POST /desk/search`: who fits. (Not in the address: it may be a name.)
async fn search(
    State(page): State<Page>,
    headers: HeaderMap,
    Json(sought): Json<Sought>,
) -> Response {
    if let Err(shut) = page.operator(&headers) {
        return shut.into_response();
    }
    let (people, found) = match sought.ticket {
        Some(ticket) => {
            // Whoever booked a moment ago is in no list yet, and there is none before it was fetched.
            let unnamed = || PersonRow {
                ticket,
                name: String::new(),
                booker: None,
                phone4: None,
                cards4: Vec::new(),
                organisation: None,
            };
            (vec![page.desk.holder(ticket).unwrap_or_else(unnamed)], 1)
        }
        None => page.desk.find(&sought.text, ROWS),
    };
    let standings = page.kiosk.stand(people.iter().map(|person| person.ticket).collect()).await;
    let (place, now) = page.here_and_now();
    let zone = place.and_then(|place| TimeZone::get(&place.time_zone).ok());
    let zone = zone.unwrap_or(TimeZone::UTC);
    let words = |verdict: &Verdict, lang| match verdict {
        Verdict::Admitted => String::new(),
        other => say::tell(other, lang, now, &zone).next,
    };
    let row = |mut person: PersonRow| {
        let standing = standings.iter().find(|standing| standing.ticket == person.ticket)?;
        let Standing { verdict, holder, offer, undoable, .. } = standing.clone();
        if person.name.is_empty() {
            person.name = holder;
        }
        let (zh, en) = (words(&verdict, Lang::Zh), words(&verdict, Lang::En));
        Some(Row { person, offer, verdict: verdict.word(), zh, en, undoable })
    };
    let rows: Vec<Row> = people.into_iter().filter_map(row).collect();
    Json(json!({ "rows": rows, "found": found, "known": page.desk.known() })).into_response()
}

#[derive(Deserialize)]
struct Tapped {
    ticket: TicketId,
    #[serde(default)]
    why: String,
    /// The supervisor's PIN, where they have one of their own.
    #[serde(default)]
    pin: String,
}

/// `POST /desk/admission`: the holder is here, and the rule decides.
async fn admit(State(page): State<Page>, headers: HeaderMap, Json(tap): Json<Tapped>) -> Response {
    page.ordered(&headers, What::CheckIn(tap.ticket)).await
}

/// `POST /desk/override`: a supervisor lets the holder pass, and says why. 403 with a code when the PIN is not theirs.
async fn override_rule(
    State(page): State<Page>,
    headers: HeaderMap,
    Json(tap): Json<Tapped>,
) -> Response {
    let Some(why) = reason(&tap) else {
        return StatusCode::UNPROCESSABLE_ENTITY.into_response();
    };
    if let Err(shut) = page.operator(&headers) {
        return shut.into_response();
    }
    if page.desk.has_supervisor() {
        let pin = Zeroizing::new(tap.pin);
        if let Err(shut) = page.desk.supervises(&pin).await {
            let mut response = refused(&shut);
            // The desk itself stays open.
            *response.status_mut() = StatusCode::FORBIDDEN;
            return response;
        }
    }
    page.ordered(&headers, What::Override(tap.ticket, why)).await
}

/// `POST /desk/undo`: the last admission here is taken back, and why.
async fn undo(State(page): State<Page>, headers: HeaderMap, Json(tap): Json<Tapped>) -> Response {
    match reason(&tap) {
        Some(why) => page.ordered(&headers, What::Undo(tap.ticket, why)).await,
        None => StatusCode::UNPROCESSABLE_ENTITY.into_response(),
    }
}

/// `POST /desk/reprint`: prints the last slip again, which is somebody's: 404 when there is none that is recent.
async fn reprint(State(page): State<Page>, headers: HeaderMap) -> StatusCode {
    match page.operator(&headers) {
        Err(shut) => shut,
        Ok(_) if page.devices.printer().is_some_and(Printer::print_again) => StatusCode::ACCEPTED,
        Ok(_) => StatusCode::NOT_FOUND,
    }
}

/// What the browser knows and the program does not.
#[derive(Deserialize)]
struct Browser {
    /// Cameras that it sees.
    cameras: Option<usize>,
}

/// `GET /desk/readiness`: is this kiosk ready?
async fn readiness(
    State(page): State<Page>,
    headers: HeaderMap,
    Query(browser): Query<Browser>,
) -> Response {
    if let Err(shut) = page.operator(&headers) {
        return shut.into_response();
    }
    let devices = page.devices.watch().borrow().clone();
    match page.desk.findings(devices, browser.cameras).await {
        Ok(mut findings) => {
            let status = page.kiosk.status.now();
            let heard =
                status.neighbours.into_iter().map(|n| (n.name, n.connected)).collect::<Vec<_>>();
            findings.extend(ready::others(&heard));
            findings.extend(status.clock_unsure.then(ready::clock_unsure));
            Json(json!({ "findings": findings })).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "the kiosk cannot look at itself");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}

#[derive(Deserialize)]
struct Practice {
    /// The word of a reason, or `admitted`.
    what: String,
}

/// `POST /desk/drill`: shows on the screen what people would see, marked as practice. Nothing is decided, recorded or sent.
async fn drill(
    State(page): State<Page>,
    headers: HeaderMap,
    Json(practice): Json<Practice>,
) -> Response {
    if let Err(shut) = page.operator(&headers) {
        return shut.into_response();
    }
    // Of nothing that was fetched there is nothing to practise by.
    let Some(post) = page.desk.post().await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    match drill::practice(&practice.what, &post, page.here_and_now().1) {
        Some(shown) => {
            // No screen need be open.
            drop(page.kiosk.shown.send(shown.clone()));
            Json(page.view(&shown)).into_response()
        }
        None => StatusCode::UNPROCESSABLE_ENTITY.into_response(),
    }
}

/// `POST /desk/settings`: what this machine's screen does from now on.
async fn set(
    State(page): State<Page>,
    headers: HeaderMap,
    Json(settings): Json<Settings>,
) -> StatusCode {
    match page.operator(&headers) {
        Err(shut) => shut,
        Ok(_) if !settings.are_sound() => StatusCode::UNPROCESSABLE_ENTITY,
        Ok(_) => match page.desk.set(settings).await {
            Ok(()) => StatusCode::NO_CONTENT,
            Err(error) => {
                tracing::error!(%error, "what was set is not kept");
                StatusCode::SERVICE_UNAVAILABLE
            }
        },
    }
}

#[derive(Deserialize)]
struct Change {
    /// The supervisor's, or the desk's where there is no other.
    pin: String,
    /// Which one is to be set: `desk` or `supervisor`.
    which: String,
    new: String,
}

/// `POST /desk/pins`: another PIN opens the desk, or overrules. 403 with a code when it is not.
async fn change(
    State(page): State<Page>,
    headers: HeaderMap,
    Json(change): Json<Change>,
) -> Response {
    if let Err(shut) = page.operator(&headers) {
        return shut.into_response();
    }
    let (pin, new) = (Zeroizing::new(change.pin), Zeroizing::new(change.new));
    let new = match change.which.as_str() {
        "desk" => NewPin::Desk(&new),
        "supervisor" => NewPin::Supervisor(&new),
        _ => return StatusCode::UNPROCESSABLE_ENTITY.into_response(),
    };
    match page.desk.change(&pin, new).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(shut) => {
            let mut response = refused(&shut);
            *response.status_mut() = StatusCode::FORBIDDEN;
            response
        }
    }
}

fn reason(tap: &Tapped) -> Option<String> {
    Some(written(&tap.why, WHY_MAX)).filter(|why| !why.is_empty())
}

/// What somebody wrote, as far as it goes into the journal: letters, and not too many.
fn written(text: &str, max: usize) -> String {
    let letters: String = text.chars().filter(|c| !c.is_control()).collect();
    letters.trim().chars().take(max).collect()
}

impl Page {
    fn sessions(&self) -> std::sync::MutexGuard<'_, Option<Session>> {
        self.session.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Who uses the desk, when this browser has it open and used it lately; 401 otherwise.
    pub(super) fn operator(&self, headers: &HeaderMap) -> Result<Option<String>, StatusCode> {
        let now = self.clock.now();
        let used = self.at_desk(headers, |session| {
            session.touched = now;
            session.operator.clone()
        });
        used.ok_or(StatusCode::UNAUTHORIZED)
    }

    /// Looks at the session, when this browser has the desk open and used it lately. A revoked kiosk has no desk.
    fn at_desk<T>(&self, headers: &HeaderMap, look: impl FnOnce(&mut Session) -> T) -> Option<T> {
        let cookies = headers.get(header::COOKIE).and_then(|value| value.to_str().ok());
        let token = cookies.unwrap_or_default().split("; ").find_map(|c| c.strip_prefix("desk="));
        let now = self.clock.now();
        let locked = self.kiosk.status.now().phase == Phase::Locked;
        let open = |session: &&mut Session| {
            !locked
                && Some(session.token.as_str()) == token
                // A clock that is set right a little back locks nobody out.
                && (-MINUTE..IDLE_MS).contains(&now.since(session.touched))
        };
        self.sessions().as_mut().filter(open).map(look)
    }

    async fn ordered(&self, headers: &HeaderMap, what: What) -> Response {
        let operator = match self.operator(headers) {
            Ok(operator) => operator,
            Err(shut) => return shut.into_response(),
        };
        match self.kiosk.order(Order { what, operator }).await {
            Some(Ok(shown)) => Json(self.view(&shown)).into_response(),
            Some(Err(cannot)) => {
                let (zh, en) = cannot_words(cannot);
                (StatusCode::CONFLICT, Json(json!({ "zh": zh, "en": en }))).into_response()
            }
            None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        }
    }
}

fn cannot_words(cannot: Cannot) -> (String, String) {
    let both = |zh: &str, en: &str| (zh.to_owned(), en.to_owned());
    match cannot {
        Cannot::Closed(closed) => both(&closed.words(Lang::Zh).next, &closed.words(Lang::En).next),
        Cannot::NoSuchTicket => {
            both("本机还没有这张票，请稍候再试。", "This kiosk does not have that ticket yet.")
        }
        Cannot::NotAdmittedHere => both(
            "不是在本机放行的。请在放行的那台终端，或在主办方的名单里撤销。",
            "It was not let in here. Please take it back at that kiosk, or on the organizer's list.",
        ),
        Cannot::TooLate => both("已经过时，请重新操作。", "Too late. Please do it again."),
    }
}
