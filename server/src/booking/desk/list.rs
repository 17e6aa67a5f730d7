//! The desk itself: an event's requests, held places, waiting list, refunds and log.

use askama::Template;
use axum::{
    Form,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Deserialize;

use super::{
    event_of,
    queries::{self, Change, Row},
};
use crate::{
    App,
    booking::{Status, approval, held},
    db::Tx,
    error::{Error, Refused, Result},
    event::{self, Event},
    web::{
        Frame,
        access::Staff,
        form::{Typed, yuan},
        page,
    },
};

/// How many lines of the log are shown.
const LOG: i64 = 100;
/// How many bookings of a kind are shown; the others follow when these are done.
const ROWS: i64 = 200;
/// How many bookings are shown that were looked for.
const FOUND: i64 = 50;

#[derive(Template)]
#[template(path = "booking/desk/list.html")]
struct LinePage {
    frame: Frame,
    event: Event,
    /// Who was looked for, and their bookings.
    q: String,
    found: Vec<Row>,
    requested: Part,
    held: Part,
    waiting: Part,
    refunds: Vec<Row>,
    log: Vec<Change>,
    /// What was done, and what was not.
    done: Option<String>,
    refusal: Option<String>,
    tab: &'static str,
}

/// Bookings that stand alike: as many as are shown, and how many there are.
struct Part {
    rows: Vec<Row>,
    count: i64,
}

impl Part {
    async fn read(tx: &mut Tx, event_id: &str, status: Status) -> Result<Self> {
        let rows = queries::rows(tx, event_id, status, ROWS).await?;
        let count = queries::count(tx, event_id, status).await?;
        Ok(Self { rows, count })
    }

    /// What is not shown, in words.
    fn rest(&self, frame: &Frame) -> Option<String> {
        let rest = self.count - i64::try_from(self.rows.len()).unwrap_or(self.count);
        let words = frame.say(
            format!("还有 {rest} 个没有列出，处理完上面的就会出现；也可以按姓名找。"),
            format!("{rest} more follow when these are done; or find them by name."),
        );
        (rest > 0).then_some(words)
    }
}

impl LinePage {
    async fn read(tx: &mut Tx, frame: Frame, event: Event, q: &str) -> Result<Self> {
        let q = q.trim().to_owned();
        let found = match q.as_str() {
            "" => Vec::new(),
            q => queries::find(tx, &event.id, q, FOUND).await?,
        };
        Ok(Self {
            requested: Part::read(tx, &event.id, Status::Requested).await?,
            held: Part::read(tx, &event.id, Status::Held).await?,
            waiting: Part::read(tx, &event.id, Status::Waiting).await?,
            refunds: queries::refunds(tx, &event.id).await?,
            log: queries::log(tx, &event.id, LOG).await?,
            frame,
            event,
            q,
            found,
            done: None,
            refusal: None,
            tab: "line",
        })
    }

    fn moment(&self, ms: &i64) -> String {
        self.frame.at(&admission::Millis(*ms), &self.event.time_zone)
    }

    /// Nothing waits for staff, and nothing ever happened.
    fn is_empty(&self) -> bool {
        self.requested.count + self.held.count + self.waiting.count == 0
            && self.refunds.is_empty()
            && self.log.is_empty()
    }
}

impl Row {
    fn yuan(&self) -> String {
        yuan(self.cents)
    }
}

/// What is looked for.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    q: String,
    /// How many requests were approved, or declined, a moment ago.
    approved: Option<usize>,
    declined: Option<usize>,
}

/// `GET /admin/events/{event}/line?q=…`.
pub(super) async fn show(
    State(app): State<App>,
    Path(event): Path<String>,
    Query(asked): Query<Asked>,
    frame: Frame,
) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let event = event::queries::event(&mut tx, &event).await?;
    let done = match (asked.approved, asked.declined) {
        (Some(n), _) => Some(frame.say(format!("{n} 个报名已通过。"), format!("{n} approved."))),
        (_, Some(n)) => Some(frame.say(format!("{n} 个报名未通过。"), format!("{n} declined."))),
        _ => None,
    };
    page(&LinePage { done, ..LinePage::read(&mut tx, frame, event, &asked.q).await? })
}

/// How it was paid.
#[derive(Deserialize)]
pub(super) struct Payment {
    method: String,
}

/// `POST /admin/events/{event}/line/{booking}/payment`: the contribution was paid at the counter.
pub(super) async fn pay(
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

/// Which way it was decided.
#[derive(Deserialize)]
pub(super) struct Decision {
    /// `approve` or `decline`.
    what: String,
}

/// `POST /admin/events/{event}/line/{booking}/decision`: a request is approved, or not.
pub(super) async fn decide(
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

/// `POST /admin/events/{event}/line/decisions`: several requests are approved, or not, in the order of the page. Each
/// stands for itself: what cannot be approved stays, and the page says why.
pub(super) async fn decide_several(
    State(app): State<App>,
    Path(event_id): Path<String>,
    staff: Staff,
    mut frame: Frame,
    form: Typed,
) -> Result<Response> {
    frame.path = format!("/admin/events/{event_id}/line");
    let approve = form.value("what") == "approve";
    let (mut count, mut refused) = (0, Vec::<Refused>::new());
    for booking in form.values("booking") {
        event_of(&app, &event_id, booking).await?;
        let done = match approve {
            true => approval::approve(&app, &staff, booking).await,
            false => approval::decline(&app, &staff, booking).await,
        };
        match done {
            Ok(()) => count += 1,
            Err(Error::Refused(why)) => refused.push(why),
            Err(error) => return Err(error),
        }
    }
    let Some(first) = refused.first() else {
        let word = if approve { "approved" } else { "declined" };
        return Ok(Redirect::to(&format!("{}?{word}={count}", frame.path)).into_response());
    };
    let (left, why) = (refused.len(), first.text(frame.lang).to_owned());
    let refusal = frame.say(
        format!("办好 {count} 个，{left} 个没有办成：{why}"),
        format!("{count} done, {left} not: {why}"),
    );
    let mut tx = app.db.read().await?;
    let event = event::queries::event(&mut tx, &event_id).await?;
    let again = LinePage::read(&mut tx, frame, event, "").await?;
    let again = LinePage { refusal: Some(refusal), ..again };
    Ok((StatusCode::CONFLICT, page(&again)?).into_response())
}

/// The page again, with why it was refused if it was.
async fn answer(app: &App, frame: Frame, event: Event, done: Result<()>) -> Result<Response> {
    match done {
        Ok(()) => Ok(Redirect::to(&frame.path).into_response()),
        Err(error @ (Error::Refused(_) | Error::Invalid(_))) => {
            let refused = error.problem().refused;
            let refusal = Some(refused.text(frame.lang).to_owned());
            let mut tx = app.db.read().await?;
            let again = LinePage { refusal, ..LinePage::read(&mut tx, frame, event, "").await? };
            Ok((refused.status, page(&again)?).into_response())
        }
        Err(error) => Err(error),
    }
}
