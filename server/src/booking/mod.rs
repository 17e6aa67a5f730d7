//! Bookings and the tickets they give: the main job.

mod api;
mod approval;
mod by_hand;
mod calendar;
pub(crate) mod change;
mod desk;
pub(crate) mod drawn;
pub(crate) mod given;
pub mod held;
mod limits;
pub(crate) mod line;
mod memory;
pub(crate) mod named;
mod pace;
pub(crate) mod pages;
pub(crate) mod picture;
pub(crate) mod queries;
pub(crate) mod refund;
pub mod rules;
mod rush;
pub(crate) mod shelf;
pub(crate) mod status;
mod tickets;
mod together;
pub(crate) mod walk_in;

use admission::{
    Millis,
    decide::{Terms, Use},
    ticket::{TicketFact, TicketId},
};
use utoipa_axum::{router::OpenApiRouter, routes};

pub use together::Bookings;

pub use self::status::Status;
use crate::{App, error::Result, keys::Keys, voucher};

/// The JSON routes.
pub(crate) fn api() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(api::book))
        .routes(routes!(api::show))
        .routes(routes!(api::cancel))
        .routes(routes!(api::confirm))
        .routes(routes!(api::qr_png))
        .routes(routes!(api::qr_svg))
        .routes(routes!(rush::rush))
        .routes(routes!(rush::stream))
}

/// The organizer's pages.
pub(crate) fn desk() -> axum::Router<App> {
    desk::routes()
}

/// One request for places and what became of it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Booking {
    /// Its id, a UUID.
    pub id: String,
    /// The event's id.
    pub event_id: String,
    /// The offer's id.
    pub offer_id: String,
    /// Who booked.
    pub person_id: String,
    /// What became of it so far.
    pub status: Status,
    /// The holder and the companions.
    pub places: i64,
    /// Names of the companions, a JSON array.
    pub guests: String,
    /// Its place in the line, if it ever stood in it.
    pub line: Option<i64>,
    /// A held booking lapses then.
    pub held_until_ms: Option<i64>,
    /// When it was made.
    #[sqlx(try_from = "i64")]
    pub created_ms: Millis,
    /// What ended it: `cancelled` by its holder, `lapsed`, `barred`, …
    pub cancelled_by: Option<String>,
    /// The union whose place it is, when an officer named its person.
    pub union_id: Option<String>,
    /// That officer.
    pub named_by: Option<String>,
}

/// One admission of one person.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Ticket {
    /// Its id, 20 letters and digits.
    pub id: String,
    /// The event's id.
    pub event_id: String,
    /// The event's number.
    pub event_number: i64,
    /// The offer's class.
    pub class: i64,
    /// The booking's id.
    pub booking_id: String,
    /// The person whose card opens it; none for a companion.
    pub person_id: Option<String>,
    /// Who goes in on it.
    pub holder: String,
    /// `valid`, `cancelled`, `unpaid` or `unapproved`.
    pub state: String,
    /// The key that signed its code.
    pub key_id: i64,
    /// The reissue number in force.
    pub reissue: i64,
    /// Admission begins.
    #[sqlx(try_from = "i64")]
    pub valid_from_ms: Millis,
    /// Admission ends.
    #[sqlx(try_from = "i64")]
    pub valid_to_ms: Millis,
    /// The first admission that counts.
    pub used_ms: Option<i64>,
    /// Where that was.
    pub used_station: Option<String>,
    /// Every use that counts, as JSON; none when it was never used.
    pub history: Option<String>,
    /// Where the holder goes, or what they wear: a walker's number, a seat.
    pub place: Option<String>,
    /// How often it may be redeemed at counters.
    pub uses: i64,
    /// Whether its holder may go out and come in again.
    pub reentry: bool,
    /// On which days it may be used, as JSON; none: on all.
    pub days: Option<String>,
    /// The only venue that takes it.
    pub venue_id: Option<String>,
    /// Whether it must be shown as a moving code, or with an ID.
    pub moving_code: bool,
    /// The event's revision at the last change.
    pub revision: i64,
}

impl Ticket {
    /// Every use that counts, the first one first.
    ///
    /// # Errors
    /// When the row is not one that this program wrote.
    pub fn history(&self) -> Result<Vec<Use>> {
        match (&self.history, self.used_ms) {
            (Some(history), _) => Ok(serde_json::from_str(history).map_err(anyhow::Error::from)?),
            (None, Some(at)) => {
                Ok(vec![Use::entry(Millis(at), self.used_station.clone().unwrap_or_default())])
            }
            (None, None) => Ok(Vec::new()),
        }
    }

    /// How often and how it may be used.
    #[must_use]
    pub fn terms(&self) -> Terms {
        Terms {
            uses: u8::try_from(self.uses).unwrap_or(u8::MAX),
            reentry: self.reentry,
            days: voucher::days(self.days.as_deref()),
            venue: self.venue_id.clone(),
            moving_code: self.moving_code,
        }
    }

    /// What its code says.
    ///
    /// # Errors
    /// When the row is not one that this program wrote.
    pub fn fact(&self) -> Result<TicketFact> {
        let id: TicketId = self.id.parse().map_err(anyhow::Error::from)?;
        Ok(TicketFact {
            id,
            event: u32::try_from(self.event_number).map_err(anyhow::Error::from)?,
            class: u8::try_from(self.class).map_err(anyhow::Error::from)?,
            valid_from: self.valid_from_ms,
            valid_to: self.valid_to_ms,
            reissue: u8::try_from(self.reissue).map_err(anyhow::Error::from)?,
        })
    }

    /// Its code. Signing is deterministic, so it is computed, not kept.
    ///
    /// # Errors
    /// When the key that signed it is no longer there.
    pub fn code(&self, keys: &Keys) -> Result<String> {
        let id = u8::try_from(self.key_id).map_err(anyhow::Error::from)?;
        let key = keys
            .issuer_of(id)
            .ok_or_else(|| anyhow::anyhow!("ticket key {id} is missing in the key folder"))?;
        Ok(self.fact()?.sign(key))
    }
}
