//! A person's pages: book, see what they hold, show a ticket, cancel.

use admission::{
    Millis,
    decide::{StationKind, Use},
    moving,
    time::{DAY, MINUTE},
};
use askama::Template;
use axum::{
    Form, Router,
    extract::{Path, Query, State},
    http::{HeaderValue, header},
    response::{IntoResponse as _, Redirect, Response},
    routing::{get, post},
};
use serde::Deserialize;

use super::{
    Booking, Status, Ticket, calendar, change, held, line, picture, queries, refund,
    rules::{self, Request},
    shelf::{self, Shelved},
};
use crate::{
    App, allocation,
    error::{Error, Result},
    event::{self, Event, Offer},
    no_show::{self, queries::NoShow},
    voucher::state::Facts,
    web::{Frame, access::Person, form::yuan, page},
};

/// For this long after booking, the booking's page says that it worked.
const FRESH_MS: i64 = 5 * MINUTE;
/// What ended longer ago is shown to those who ask for it.
const SHELF_MS: i64 = 2 * 365 * DAY;
/// Characters in a group of a code, for reading aloud and typing.
const GROUP: usize = 5;

/// The HTML routes.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/events/{event}/booking", post(book))
        .route("/me", get(mine))
        .route("/bookings/{booking}", get(show))
        .route("/bookings/{booking}/cancellation", get(ask).post(cancel))
        .route("/bookings/{booking}/confirmation", post(confirm))
        .route("/tickets/{ticket}", get(ticket))
        .route("/tickets/{ticket}/ticket.ics", get(ics))
}

/// `POST /events/{event}/booking`: books, then leads to the booking. The form's key makes a second tap, a lost answer
/// and the back button lead to the same booking.
async fn book(
    State(app): State<App>,
    Path(event_id): Path<String>,
    person: Person,
    frame: Frame,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Response> {
    let (offer, key, guests) =
        (all(&fields, "offer").concat(), all(&fields, "key").concat(), all(&fields, "guest"));
    match rules::book(&app, &person, Request { offer, guests: guests.clone() }, &key).await {
        Ok(booked) => Ok(Redirect::to(&format!("/bookings/{}", booked.id)).into_response()),
        Err(
            error @ (Error::Refused(_) | Error::Invalid(_) | Error::Busy | Error::TooMany { .. }),
        ) => {
            let problem = error.problem();
            let mut again =
                event::pages::show_again(&app, frame, &event_id, &problem.refused, guests).await?;
            if let Some(seconds) = problem.retry_after_s {
                again.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
            Ok(again)
        }
        Err(error) => Err(error),
    }
}

/// The values of a field that may be there several times.
fn all(fields: &[(String, String)], name: &str) -> Vec<String> {
    fields.iter().filter(|(field, _)| field == name).map(|(_, value)| value.clone()).collect()
}

#[derive(Template)]
#[template(path = "booking/mine.html")]
struct MinePage {
    frame: Frame,
    name: String,
    ahead: Vec<Shelved>,
    past: Vec<Shelved>,
    /// There were events so long ago that they are not shown.
    more: bool,
    no_shows: Vec<NoShow>,
    /// Names the people of a union.
    officer: bool,
    /// From when scarce places are open to the reader again, in Chinese and English.
    barred: Option<(String, String)>,
}

#[derive(Deserialize)]
struct MineAsk {
    /// Also what was booked long ago.
    all: Option<String>,
}

/// `GET /me`: what the reader has booked of late; with `?all`, everything.
async fn mine(
    State(app): State<App>,
    person: Person,
    frame: Frame,
    Query(ask): Query<MineAsk>,
) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let since = if ask.all.is_some() { Millis(i64::MIN) } else { frame.now.plus(-SHELF_MS) };
    let all = shelf::of(&mut tx, &person.id, since).await?;
    let (ahead, mut past): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|booking| booking.is_ahead(frame.now));
    past.reverse();
    let no_shows = no_show::queries::of_person(&mut tx, &person.id).await?;
    let barred = no_show::rules::bar_of(&mut tx, &no_shows, frame.now).await?;
    let barred = barred.map(|until| no_show::rules::day(until, "Asia/Shanghai"));
    page(&MinePage {
        name: admission::name::masked(&person.name),
        frame,
        ahead,
        past,
        more: shelf::goes_on_before(&mut tx, since).await?,
        officer: !allocation::queries::offices(&mut tx, &person.id).await?.is_empty(),
        no_shows,
        barred,
    })
}

/// A booking with what belongs to it.
struct Held {
    booking: Booking,
    event: Event,
    offer: Offer,
    tickets: Vec<Ticket>,
    /// Its position in the line: 1 is next.
    position: Option<i64>,
    /// What was paid for it, and what was given back, in cents.
    paid: (i64, i64),
    /// Why staff ended it.
    reason: String,
}

impl Held {
    async fn read(app: &App, person: &Person, id: &str) -> Result<Self> {
        let mut tx = app.db.read().await?;
        let booking = queries::booking(&mut tx, id, &person.id).await?;
        let event = event::queries::event(&mut tx, &booking.event_id).await?;
        let offer = event::queries::offer(&mut tx, &booking.offer_id).await?;
        let tickets = queries::tickets_of(&mut tx, id).await?;
        let position = line::position(&mut tx, &booking).await?;
        let paid = refund::paid_and_back(&mut tx, id).await?;
        let reason = change::reason_of_end(&mut tx, &booking).await?;
        Ok(Self { booking, event, offer, tickets, position, paid, reason })
    }

    /// It came to nothing, by whomever: what is to be given back to its holder, and what was.
    fn refund(&self) -> Option<(String, bool)> {
        let over = !self.booking.status.is_open() || self.event.is_cancelled();
        let (paid, back) = self.paid;
        match paid - back {
            owed if owed > 0 && over => Some((yuan(owed), false)),
            0 if back > 0 => Some((yuan(back), true)),
            _ => None,
        }
    }

    /// What was paid and would be given back if it were cancelled.
    fn paid_yuan(&self) -> Option<String> {
        let (paid, back) = self.paid;
        (paid > back).then(|| yuan(paid - back))
    }

    /// Its places are held, and until when.
    fn held_until(&self, now: &Millis) -> Option<Millis> {
        let held = self.booking.status == Status::Held
            && !self.event.is_cancelled()
            && !held::is_over(&self.booking, *now);
        self.booking.held_until_ms.filter(|_| held).map(Millis)
    }

    /// What is to be paid at the counter, in yuan; none when nothing is.
    fn yuan(&self) -> Option<String> {
        let cents = self.offer.contribution_cents * self.booking.places;
        (cents > 0).then(|| yuan(cents))
    }

    fn holds(&self) -> bool {
        self.booking.status == Status::Confirmed && !self.event.is_cancelled()
    }

    fn may_cancel(&self, frame: &Frame) -> bool {
        let waits = self.booking.status.is_open() && !self.booking.status.has_places();
        (waits && !self.event.is_cancelled())
            || (self.holds() || self.held_until(&frame.now).is_some())
                && frame.now <= self.offer.cancel_until_ms
                && self.tickets.iter().all(|ticket| ticket.used_ms.is_none())
    }
}

#[derive(Template)]
#[template(path = "booking/show.html")]
struct BookingPage {
    frame: Frame,
    held: Held,
    /// It was made a moment ago.
    fresh: bool,
    /// Why the places could not be confirmed.
    refusal: Option<String>,
}

/// `GET /bookings/{booking}`: what became of a request, and its tickets.
async fn show(
    State(app): State<App>,
    Path(id): Path<String>,
    person: Person,
    frame: Frame,
) -> Result<Response> {
    let held = Held::read(&app, &person, &id).await?;
    let fresh = held.holds() && frame.now.since(held.booking.created_ms) < FRESH_MS;
    page(&BookingPage { frame, held, fresh, refusal: None })
}

/// `POST /bookings/{booking}/confirmation`: takes the places that are held.
async fn confirm(
    State(app): State<App>,
    Path(id): Path<String>,
    person: Person,
    mut frame: Frame,
) -> Result<Response> {
    match held::confirm(&app, &person, &id).await {
        Ok(()) => Ok(Redirect::to(&format!("/bookings/{id}")).into_response()),
        Err(Error::Refused(refused)) => {
            frame.path = format!("/bookings/{id}");
            let held = Held::read(&app, &person, &id).await?;
            let refusal = Some(refused.text(frame.lang).to_owned());
            let again = BookingPage { frame, held, fresh: false, refusal };
            Ok((refused.status, page(&again)?).into_response())
        }
        Err(error) => Err(error),
    }
}

#[derive(Template)]
#[template(path = "booking/cancel.html")]
struct CancelPage {
    frame: Frame,
    held: Held,
    refusal: Option<String>,
}

/// `GET /bookings/{booking}/cancellation`: asks once more.
async fn ask(
    State(app): State<App>,
    Path(id): Path<String>,
    person: Person,
    frame: Frame,
) -> Result<Response> {
    let held = Held::read(&app, &person, &id).await?;
    if !held.may_cancel(&frame) {
        return Ok(Redirect::to(&format!("/bookings/{id}")).into_response());
    }
    page(&CancelPage { frame, held, refusal: None })
}

/// `POST /bookings/{booking}/cancellation`: gives the places back.
async fn cancel(
    State(app): State<App>,
    Path(id): Path<String>,
    person: Person,
    frame: Frame,
) -> Result<Response> {
    match rules::cancel(&app, &person, &id).await {
        Ok(()) => Ok(Redirect::to(&format!("/bookings/{id}")).into_response()),
        Err(Error::Refused(refused)) => {
            let held = Held::read(&app, &person, &id).await?;
            let refusal = Some(refused.text(frame.lang).to_owned());
            Ok((refused.status, page(&CancelPage { frame, held, refusal })?).into_response())
        }
        Err(error) => Err(error),
    }
}

#[derive(Template)]
#[template(path = "booking/ticket.html")]
struct TicketPage {
    frame: Frame,
    held: Held,
    ticket: Ticket,
    qr: String,
    code: String,
    /// From what the page makes the code that moves, when the offer asks for one: 64 hexadecimal digits.
    moving: Option<String>,
    /// What its holder must know beside, when it is a voucher.
    voucher: Option<Facts>,
}

impl TicketPage {
    /// For how long a moving code shows the same.
    const STEP_MS: i64 = moving::STEP_MS;

    /// What the ticket is worth now.
    fn state(&self) -> &'static str {
        match self.ticket.state.as_str() {
            _ if self.held.event.is_cancelled() => "event_cancelled",
            "cancelled" => "cancelled",
            "unpaid" => "unpaid",
            "unapproved" => "unapproved",
            _ if self.is_spent() => "used",
            _ if self.frame.now > self.ticket.valid_to_ms => "over",
            _ => "valid",
        }
    }

    /// Whether its code is of use: also inside, where exits, stands and checkpoints read it, and to come in again.
    fn shows_code(&self) -> bool {
        match self.state() {
            "used" => {
                let is_over = self.voucher.is_some() || self.frame.now > self.ticket.valid_to_ms;
                !is_over && self.ticket.history().is_ok_and(|uses| self.is_inside_or_left(&uses))
            }
            state => state == "valid",
        }
    }

    /// Whoever came through a door goes on with it; what is handed out is handed out.
    fn is_inside_or_left(&self, uses: &[Use]) -> bool {
        let at_a_door = uses.iter().any(|used| used.kind != StationKind::Counter);
        at_a_door || self.ticket.terms().uses_left(uses) > 0
    }

    /// Nothing is left of it: a voucher may be good several times.
    fn is_spent(&self) -> bool {
        match &self.voucher {
            Some(voucher) => voucher.left == 0,
            None => self.ticket.used_ms.is_some(),
        }
    }

    /// A code in groups.
    fn groups(&self, code: &str) -> Vec<String> {
        code.as_bytes()
            .chunks(GROUP)
            .map(|group| String::from_utf8_lossy(group).into_owned())
            .collect()
    }

    /// When it was used, for its reader.
    fn used(&self) -> String {
        let at =
            self.ticket.used_ms.map(|at| self.frame.at(&Millis(at), &self.held.event.time_zone));
        [at, self.ticket.used_station.clone()].into_iter().flatten().collect::<Vec<_>>().join(" · ")
    }
}

/// `GET /tickets/{ticket}`: the page that is shown at the door.
async fn ticket(
    State(app): State<App>,
    Path(id): Path<String>,
    person: Person,
    frame: Frame,
) -> Result<Response> {
    let ticket = own(&app, &person, &id).await?;
    let held = Held::read(&app, &person, &ticket.booking_id).await?;
    let code = ticket.code(&app.keys)?;
    let qr = picture::qr_svg(&code)?;
    let fact = ticket.fact()?;
    let key = || app.keys.moving(&ticket.event_id).ticket(fact.id, fact.reissue);
    let moving = ticket.moving_code.then(|| key().for_its_page().to_string());
    let mut tx = app.db.read().await?;
    let voucher = Facts::read(&mut tx, &ticket, &held.offer, frame.now).await?;
    drop(tx);
    page(&TicketPage { frame, held, ticket, qr, code, moving, voucher })
}

/// `GET /tickets/{ticket}/ticket.ics`: the event for the reader's calendar.
async fn ics(
    State(app): State<App>,
    Path(id): Path<String>,
    person: Person,
    frame: Frame,
) -> Result<Response> {
    let ticket = own(&app, &person, &id).await?;
    let held = Held::read(&app, &person, &ticket.booking_id).await?;
    let address = format!("{}/tickets/{id}", app.public_url);
    let body = calendar::entry(&held.event, &ticket, &address, frame.lang, frame.now);
    let headers = [
        (header::CONTENT_TYPE, "text/calendar; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"ticket.ics\""),
        (header::CACHE_CONTROL, "private, no-store"),
    ];
    Ok((headers, body).into_response())
}

async fn own(app: &App, person: &Person, id: &str) -> Result<Ticket> {
    let mut tx = app.db.read().await?;
    queries::ticket_of(&mut tx, id, &person.id).await
}
