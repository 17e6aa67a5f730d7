//! One booking at the desk: how it stands, what happened to it, and what staff can do about it by hand.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
};

use super::{
    event_of,
    queries::{self, Change, Payment},
};
use crate::{
    App,
    booking::{
        self, Booking, Status,
        by_hand::{self, Deed, REASON_CHARS},
        line, refund,
    },
    error::{Error, Result},
    event::{self, Event, Offer},
    web::{
        Frame,
        access::Staff,
        form::{Typed, yuan},
        page,
    },
};

#[derive(Template)]
#[template(path = "booking/desk/show.html")]
struct BookingPage {
    frame: Frame,
    form: Typed,
    event: Event,
    offer: Offer,
    booking: Booking,
    name: String,
    phone: Option<String>,
    guests: Vec<String>,
    /// Its position in the line: 1 is next.
    position: Option<i64>,
    /// One of its tickets was used.
    used: bool,
    payments: Vec<Payment>,
    log: Vec<Change>,
    refusal: Option<String>,
}

impl BookingPage {
    async fn read(app: &App, mut frame: Frame, event_id: &str, id: &str) -> Result<Self> {
        let event = event_of(app, event_id, id).await?;
        frame.path = format!("/admin/events/{event_id}/line/{id}");
        let mut tx = app.db.read().await?;
        let booking = booking::queries::find(&mut tx, id).await?.ok_or(Error::NotFound)?;
        let offer = event::queries::offer(&mut tx, &booking.offer_id).await?;
        let (name, phone) = queries::person(&mut tx, &booking.person_id).await?;
        let tickets = booking::queries::tickets_of(&mut tx, id).await?;
        Ok(Self {
            guests: serde_json::from_str(&booking.guests).map_err(anyhow::Error::from)?,
            position: line::position(&mut tx, &booking).await?,
            used: tickets.iter().any(|ticket| ticket.used_ms.is_some()),
            payments: queries::payments(&mut tx, id).await?,
            log: queries::log_of(&mut tx, id).await?,
            form: Typed::default(),
            refusal: None,
            frame,
            event,
            offer,
            booking,
            name,
            phone,
        })
    }

    fn moment(&self, ms: &i64) -> String {
        self.frame.at(&admission::Millis(*ms), &self.event.time_zone)
    }

    /// What is to be given back, in yuan.
    fn owed(&self) -> Option<String> {
        let sign = |payment: &Payment| if payment.kind == "paid" { 1 } else { -1 };
        let cents: i64 = self.payments.iter().map(|one| sign(one) * one.cents).sum();
        let over = !self.booking.status.is_open() || self.event.is_cancelled();
        (cents > 0 && over).then(|| yuan(cents))
    }

    fn may_remove(&self) -> bool {
        self.booking.status.is_open()
            && !self.used
            && !self.event.is_cancelled()
            && !self.offer.is_given()
    }

    /// Whether somebody stands in line who would get the places.
    fn line_follows(&self) -> bool {
        self.booking.status.has_places() && self.offer.waiting > 0
    }
}

impl Payment {
    fn yuan(&self) -> String {
        yuan(self.cents)
    }

    fn words(&self, frame: &Frame) -> &'static str {
        match self.kind.as_str() {
            "paid" => frame.t("已收", "Received"),
            _ => frame.t("已退", "Refunded"),
        }
    }

    fn method(&self, frame: &Frame) -> &'static str {
        let known = booking::held::METHODS.iter().find(|(word, ..)| *word == self.method);
        known.map_or("", |(_, zh, en)| frame.t(zh, en))
    }
}

/// `GET /admin/events/{event}/line/{booking}`.
pub(super) async fn show(
    State(app): State<App>,
    Path((event, booking)): Path<(String, String)>,
    frame: Frame,
) -> Result<Response> {
    page(&BookingPage::read(&app, frame, &event, &booking).await?)
}

/// `POST /admin/events/{event}/line/{booking}/removal`: the booking ends.
pub(super) async fn remove(
    State(app): State<App>,
    Path(ids): Path<(String, String)>,
    staff: Staff,
    frame: Frame,
    form: Typed,
) -> Result<Response> {
    by_hand(&app, frame, &ids, &staff, Deed::Remove, form).await
}

/// `POST /admin/events/{event}/line/{booking}/turn`: its turn comes now, or last.
pub(super) async fn turn(
    State(app): State<App>,
    Path(ids): Path<(String, String)>,
    staff: Staff,
    frame: Frame,
    form: Typed,
) -> Result<Response> {
    let deed = if form.value("what") == "last" { Deed::PutLast } else { Deed::Call };
    by_hand(&app, frame, &ids, &staff, deed, form).await
}

async fn by_hand(
    app: &App,
    frame: Frame,
    ids: &(String, String),
    staff: &Staff,
    deed: Deed,
    form: Typed,
) -> Result<Response> {
    event_of(app, &ids.0, &ids.1).await?;
    let done = by_hand::carry_out(app, staff, &ids.1, deed, form.value("reason")).await;
    answer(app, frame, ids, form, done).await
}

/// `POST /admin/events/{event}/line/{booking}/refund`: what was paid was given back.
pub(super) async fn refund(
    State(app): State<App>,
    Path(ids): Path<(String, String)>,
    staff: Staff,
    frame: Frame,
    form: Typed,
) -> Result<Response> {
    event_of(&app, &ids.0, &ids.1).await?;
    let done = refund::note(&app, &staff, &ids.1, form.value("method")).await;
    answer(&app, frame, &ids, form, done).await
}

/// Leads back to the booking, or shows it again with why it was refused.
async fn answer(
    app: &App,
    frame: Frame,
    (event, booking): &(String, String),
    mut form: Typed,
    done: Result<()>,
) -> Result<Response> {
    let refused = match done {
        Ok(()) => {
            let address = format!("/admin/events/{event}/line/{booking}");
            return Ok(Redirect::to(&address).into_response());
        }
        Err(Error::Refused(refused) | Error::Invalid(refused)) => refused,
        Err(error) => return Err(error),
    };
    let refusal = Some(refused.text(frame.lang).to_owned());
    if refused.status == StatusCode::UNPROCESSABLE_ENTITY {
        form.blame(refused.code, refused.clone());
    }
    let again = BookingPage::read(app, frame, event, booking).await?;
    Ok((refused.status, page(&BookingPage { refusal, form, ..again })?).into_response())
}
