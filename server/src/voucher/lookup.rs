//! A voucher looked up by its serial: what happened with it, and on which statements it stands. For disputes.

use admission::Millis;
use askama::Template;
use axum::{
    Router,
    extract::{Query, State},
    response::Response,
    routing::get,
};
use serde::Deserialize;

use super::{state::State as Worth, venue};
use crate::{
    App,
    booking::{self, Ticket},
    error::{Error, Result},
    event::{self, Event},
    fetch,
    web::{Frame, page},
};

/// The HTML routes.
pub(super) fn routes() -> Router<App> {
    Router::new().route("/admin/vouchers", get(show))
}

#[derive(Debug, Default, Deserialize)]
struct Asked {
    #[serde(default)]
    serial: String,
}

/// Something that happened with a voucher.
#[derive(Debug, sqlx::FromRow)]
struct Happened {
    #[sqlx(try_from = "i64")]
    true_ms: Millis,
    received_ms: i64,
    station: String,
    kind: String,
    verdict: String,
    reason: Option<String>,
    undone_ms: Option<i64>,
    note: Option<String>,
    /// Who did it, when staff did.
    staff: Option<String>,
    /// The statement of its redemption, when that is closed.
    number: Option<String>,
}

/// What is shown of a voucher.
struct Card {
    ticket: Ticket,
    event: Event,
    batch: String,
    venue: String,
    worth: Worth,
    happened: Vec<Happened>,
    /// What may be paid back, in cents.
    refundable: Option<i64>,
}

#[derive(Template)]
#[template(path = "voucher/lookup.html")]
struct LookupPage {
    frame: Frame,
    asked: String,
    card: Option<Card>,
}

impl LookupPage {
    fn words(&self, one: &Happened) -> String {
        let frame = &self.frame;
        match (one.kind.as_str(), one.verdict.as_str()) {
            ("undo", _) => frame.t("撤销", "Taken back").to_owned(),
            (_, "admitted") if one.undone_ms.is_some() => {
                frame.t("核销（已撤销）", "Redeemed, taken back").to_owned()
            }
            (_, "admitted") => frame.t("核销", "Redeemed").to_owned(),
            _ => one.reason.as_deref().map_or_else(String::new, |reason| {
                crate::checkin::by_hand::reason_name(reason, frame.lang)
            }),
        }
    }

    fn late(&self, one: &Happened) -> bool {
        one.received_ms - one.true_ms.0 > admission::time::MINUTE
    }
}

/// `GET /admin/vouchers?serial=…`.
async fn show(
    State(app): State<App>,
    Query(Asked { serial }): Query<Asked>,
    frame: Frame,
) -> Result<Response> {
    let asked = serial.trim().to_owned();
    if asked.is_empty() {
        return page(&LookupPage { frame, asked, card: None });
    }
    let mut tx = app.db.read().await?;
    let card = match super::serial::read(&app, &mut tx, &asked).await {
        Ok((ticket, _)) => Some(card(&mut tx, ticket, frame.now).await?),
        Err(Error::NotFound) => None,
        Err(error) => return Err(error),
    };
    page(&LookupPage { frame, asked, card })
}

async fn card(tx: &mut crate::db::Tx, ticket: Ticket, now: Millis) -> Result<Card> {
    let event = event::queries::event(tx, &ticket.event_id).await?;
    let venue = match &ticket.venue_id {
        Some(venue) => venue::venue(tx, venue).await?.name,
        None => String::new(),
    };
    let (batch,): (String,) = fetch!(
        tx,
        fetch_one,
        "select name from offer where event_id = $1 and class = $2",
        &ticket.event_id,
        ticket.class,
    )?;
    let happened: Vec<Happened> = fetch!(
        tx,
        fetch_all,
        "select s.true_ms, s.received_ms, s.station, s.kind, s.verdict, s.reason, s.undone_ms, s.note,
                coalesce(f.name, s.operator) as staff, x.number
         from scan s left join staff f on f.id = s.staff_id
              left join settlement_entry l on l.scan_id = s.id and l.kind = 'redemption'
              left join settlement x on x.id = l.settlement_id
         where s.ticket_id = $1 order by s.true_ms desc, s.id desc",
        &ticket.id,
    )?;
    let (paid, refunded) = booking::refund::paid_and_back(tx, &ticket.booking_id).await?;
    let over = event.is_cancelled() || ticket.state == "cancelled";
    let refundable = Some(paid - refunded).filter(|cents| over && *cents > 0);
    let worth = Worth::of(&ticket, (event.is_cancelled(), refunded > 0), now)?;
    Ok(Card { ticket, event, batch, venue, worth, happened, refundable })
}
