//! The organizer's page of an event's requests, held places and waiting list: who is to be decided on, who is next and
//! until when, and what became of others.

use askama::Template;
use axum::{
    Form, Router,
    extract::{Path, State},
    response::{IntoResponse as _, Redirect, Response},
    routing::{get, post},
};
use serde::Deserialize;

use super::{Status, approval, held, queries};
use crate::{
    App,
    db::Tx,
    error::{Error, Result},
    event::{self, Event},
    fetch,
    web::{Frame, access::Staff, page},
};

/// How many lines of the log are shown.
const LOG: i64 = 100;

/// The organizer's routes.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/admin/events/{event}/line", get(show))
        .route("/admin/events/{event}/line/{booking}/payment", post(pay))
        .route("/admin/events/{event}/line/{booking}/decision", post(decide))
}

#[derive(Template)]
#[template(path = "booking/desk.html")]
struct LinePage {
    frame: Frame,
    event: Event,
    requested: Vec<Row>,
    held: Vec<Row>,
    waiting: Vec<Row>,
    log: Vec<Change>,
    refusal: Option<String>,
    tab: &'static str,
}

/// A booking that is held or waits.
#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    name: String,
    phone: Option<String>,
    offer: String,
    places: i64,
    held_until_ms: Option<i64>,
    cents: i64,
}

/// What became of a booking.
#[derive(sqlx::FromRow)]
struct Change {
    at_ms: i64,
    name: String,
    offer: String,
    cause: String,
    staff: Option<String>,
}

impl LinePage {
    async fn read(tx: &mut Tx, frame: Frame, event: Event) -> Result<Self> {
        let requested = rows(tx, &event.id, Status::Requested).await?;
        let held = rows(tx, &event.id, Status::Held).await?;
        let waiting = rows(tx, &event.id, Status::Waiting).await?;
        let log = fetch!(
            tx,
            fetch_all,
            "select c.at_ms, p.name, o.name as offer, c.cause, s.name as staff
             from booking_change c join booking b on b.id = c.booking_id join person p on p.id = b.person_id
             join offer o on o.id = b.offer_id left join staff s on s.id = c.staff_id
             where c.event_id = $1 order by c.at_ms desc, c.id desc limit $2",
            &event.id,
            LOG,
        )?;
        Ok(Self { frame, event, requested, held, waiting, log, refusal: None, tab: "line" })
    }

    fn moment(&self, ms: &i64) -> String {
        self.frame.at(&admission::Millis(*ms), &self.event.time_zone)
    }
}

impl Row {
    fn masked_phone(&self) -> String {
        self.phone.as_deref().map(crate::people::masked_phone).unwrap_or_default()
    }

    fn yuan(&self) -> String {
        format!("{}.{:02}", self.cents / 100, self.cents % 100)
    }
}

impl Change {
    /// What happened, in words.
    fn words(&self, frame: &Frame) -> &'static str {
        match self.cause.as_str() {
            "promoted" => frame.t("轮到，等待确认", "Their turn; to be confirmed"),
            "accepted" => frame.t("接受了名额", "Took the place"),
            "confirmed" => frame.t("已确认", "Confirmed"),
            "paid" => frame.t("已缴费", "Paid"),
            "lapsed" => frame.t("过时未确认", "Lapsed"),
            "cancelled" => frame.t("本人取消", "Cancelled by the holder"),
            "drawn" => frame.t("抽中", "Drawn"),
            "drawn_out" => frame.t("没有抽中", "Not drawn"),
            "approved" => frame.t("审核通过", "Approved"),
            "declined" => frame.t("审核不通过", "Not approved"),
            "named" => frame.t("由工会指定", "Named by the union"),
            "barred" => frame.t("多次没有来，退出", "Barred for no-shows"),
            "taken_back" => frame.t("由工会收回", "Taken back by the union"),
            _ => frame.t("有变化", "Changed"),
        }
    }
}

async fn rows(tx: &mut Tx, event_id: &str, status: Status) -> Result<Vec<Row>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select b.id, p.name, p.phone, o.name as offer, b.places, b.held_until_ms,
                b.places * o.contribution_cents as cents
         from booking b join person p on p.id = b.person_id join offer o on o.id = b.offer_id
         where b.event_id = $1 and b.status = $2 order by o.class, b.line, b.held_until_ms, b.id limit 1000",
        event_id,
        status,
    )?)
}

/// `GET /admin/events/{event}/line`.
async fn show(State(app): State<App>, Path(event): Path<String>, frame: Frame) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let event = event::queries::event(&mut tx, &event).await?;
    page(&LinePage::read(&mut tx, frame, event).await?)
}

#[derive(Deserialize)]
struct Payment {
    method: String,
}

/// `POST /admin/events/{event}/line/{booking}/payment`: the contribution was paid at the counter.
async fn pay(
    State(app): State<App>,
    Path((event_id, booking)): Path<(String, String)>,
    staff: Staff,
    mut frame: Frame,
    Form(payment): Form<Payment>,
) -> Result<Response> {
    frame.path = format!("/admin/events/{event_id}/line");
    let event = event_of(&app, &event_id, &booking).await?;
    let done = held::pay(&app, &staff, &booking, &payment.method).await;
    answer(&app, frame, event, done).await
}

#[derive(Deserialize)]
struct Decision {
    /// `approve` or `decline`.
    what: String,
}

/// `POST /admin/events/{event}/line/{booking}/decision`: a request is approved, or not.
async fn decide(
    State(app): State<App>,
    Path((event_id, booking)): Path<(String, String)>,
    staff: Staff,
    mut frame: Frame,
    Form(decision): Form<Decision>,
) -> Result<Response> {
    frame.path = format!("/admin/events/{event_id}/line");
    let event = event_of(&app, &event_id, &booking).await?;
    let done = match decision.what.as_str() {
        "approve" => approval::approve(&app, &staff, &booking).await,
        _ => approval::decline(&app, &staff, &booking).await,
    };
    answer(&app, frame, event, done).await
}

/// The event, if the booking is one of it: an id is no permission.
async fn event_of(app: &App, event_id: &str, booking_id: &str) -> Result<Event> {
    let mut tx = app.db.read().await?;
    let event = event::queries::event(&mut tx, event_id).await?;
    match queries::find(&mut tx, booking_id).await? {
        Some(booking) if booking.event_id == event.id => Ok(event),
        _ => Err(Error::NotFound),
    }
}

/// The page again, with why it was refused if it was.
async fn answer(app: &App, frame: Frame, event: Event, done: Result<()>) -> Result<Response> {
    match done {
        Ok(()) => Ok(Redirect::to(&frame.path).into_response()),
        Err(error @ (Error::Refused(_) | Error::Invalid(_))) => {
            let refused = error.problem().refused;
            let refusal = Some(refused.text(frame.lang).to_owned());
            let mut tx = app.db.read().await?;
            let again = LinePage { refusal, ..LinePage::read(&mut tx, frame, event).await? };
            Ok((refused.status, page(&again)?).into_response())
        }
        Err(error) => Err(error),
    }
}
