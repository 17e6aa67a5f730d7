//! Events and their offers: what can be attended, and what of it can be booked.

mod api;
mod board;
mod editor;
pub(crate) mod pages;
mod phase;
pub(crate) mod queries;
pub mod rules;

use admission::Millis;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{App, voucher};

/// The JSON routes.
pub(crate) fn api() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(api::list, api::create))
        .routes(routes!(api::show, api::change))
}

/// The organizer's pages.
pub(crate) fn desk() -> axum::Router<App> {
    board::routes().merge(editor::routes())
}

/// One occasion.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Event {
    /// Its id, a UUID.
    pub id: String,
    /// Its number, as ticket codes carry it.
    pub number: i64,
    /// `contest`, `voucher`, `fair` or `activity`.
    pub kind: String,
    /// One of the ten themes of an activity.
    pub theme: Option<String>,
    /// What it is called.
    pub title: String,
    /// Where it is.
    pub place: String,
    /// Which door.
    pub entrance: String,
    /// The poster's text.
    pub poster: String,
    /// It begins.
    #[sqlx(try_from = "i64")]
    pub starts_ms: Millis,
    /// It ends.
    #[sqlx(try_from = "i64")]
    pub ends_ms: Millis,
    /// IANA name.
    pub time_zone: String,
    /// `draft`, `published`, `closed` or `cancelled`.
    pub status: String,
    /// What holders are told when it is cancelled.
    pub cancel_note: String,
    /// The approved size: so many may be inside at once.
    pub capacity: Option<i64>,
}

impl Event {
    /// Whether the public may see it.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.status != "draft"
    }

    /// Cancelled as a whole.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.status == "cancelled"
    }
}

/// What can be booked at an event.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Offer {
    /// Its id, a UUID.
    pub id: String,
    /// The event's id.
    pub event_id: String,
    /// Its number within the event.
    pub class: i64,
    /// What it is called.
    pub name: String,
    /// `first_come`, `draw`, `approval`, `allocation`, or [`GIVEN`].
    pub mode: String,
    /// How many places there are.
    pub quota: i64,
    /// How many are confirmed or held.
    pub taken: i64,
    /// Booking opens.
    #[sqlx(try_from = "i64")]
    pub opens_ms: Millis,
    /// Booking closes.
    #[sqlx(try_from = "i64")]
    pub closes_ms: Millis,
    /// Holders may cancel until then.
    #[sqlx(try_from = "i64")]
    pub cancel_until_ms: Millis,
    /// Places one person may hold, companions included.
    pub per_person: i64,
    /// Companions one booking may bring.
    pub guests_max: i64,
    /// `members`, `unions` or `anyone`.
    pub eligibility: String,
    /// Admission begins.
    #[sqlx(try_from = "i64")]
    pub valid_from_ms: Millis,
    /// Admission ends.
    #[sqlx(try_from = "i64")]
    pub valid_to_ms: Millis,
    /// Who finds no place may wait in line.
    pub waiting_list: bool,
    /// Bookings that wait in line now.
    pub waiting: i64,
    /// How long one promoted from the line may take to accept, in milliseconds.
    pub accept_ms: i64,
    /// How long a place is held for one who still has to confirm or to pay, in milliseconds; none: confirmed at once.
    pub hold_ms: Option<i64>,
    /// What each place costs, paid at the counter.
    pub contribution_cents: i64,
    /// Places one person may hold in the whole event.
    pub limit_event: Option<i64>,
    /// Places one person may hold in events of this kind in one calendar month.
    pub limit_month: Option<i64>,
    /// Places one person may hold in events of this kind in one calendar year.
    pub limit_year: Option<i64>,
    /// Whether staying away counts as a no-show, and a bar for no-shows keeps people out.
    pub no_shows_count: bool,
    /// For a draw: who got nothing in so many last drives of the kind has one more chance for each.
    pub weight_drives: i64,
    /// How often a ticket may be redeemed at counters.
    pub uses: i64,
    /// Whether a holder may go out and come in again.
    pub reentry: bool,
    /// Places set aside for walk-ins at each gate.
    pub walk_ins: i64,
    /// For an allocation: what the unions did not give by then is open to everybody who may book.
    pub flow_back_ms: Option<i64>,
    /// When those in line were given what was left.
    pub flowed_back_ms: Option<i64>,
    /// On which days its tickets may be used, as JSON; none: on all.
    pub days: Option<String>,
    /// The only venue that takes its tickets.
    pub venue_id: Option<String>,
    /// Whether its tickets must be shown as a moving code, or with an ID.
    pub moving_code: bool,
}

impl Offer {
    /// How often and how its tickets may be used.
    #[must_use]
    pub fn terms(&self) -> admission::decide::Terms {
        admission::decide::Terms {
            uses: u8::try_from(self.uses).unwrap_or(u8::MAX),
            reentry: self.reentry,
            days: voucher::days(self.days.as_deref()),
            venue: self.venue_id.clone(),
            moving_code: self.moving_code,
        }
    }

    /// Whether its places are the unions' to give at `now`.
    #[must_use]
    pub fn is_reserved(&self, now: Millis) -> bool {
        self.mode == "allocation" && self.flow_back_ms.is_none_or(|until| now.0 < until)
    }

    /// Whether its places come with an entry in a contest or a unit's list, and nobody asks for them.
    #[must_use]
    pub fn is_given(&self) -> bool {
        self.mode == GIVEN
    }

    /// Whether gates may give its places to members who come without a ticket. No form allows it for others any more; an
    /// old database may hold them.
    #[must_use]
    pub fn may_be_lent(&self) -> bool {
        self.walk_ins > 0
            && !matches!(self.mode.as_str(), "allocation" | "draw")
            && self.eligibility != "unions"
            && self.limit_month.is_none()
            && self.limit_year.is_none()
            && self.contribution_cents == 0
    }

    /// When what the unions did not give is open to everybody.
    #[must_use]
    pub fn flows_back(&self) -> Option<Millis> {
        self.flow_back_ms.filter(|_| self.mode == "allocation").map(Millis)
    }

    /// Places that are left.
    #[must_use]
    pub const fn left(&self) -> i64 {
        self.quota - self.taken
    }

    /// Whether `places` may ever be free at once. One person may stand in line where there are no places yet.
    #[must_use]
    pub fn may_ever_fit(&self, places: i64) -> bool {
        places <= self.quota.max(1)
    }

    /// How long a place is held for one who still has to confirm or to pay, in milliseconds; none: it is confirmed at
    /// once.
    #[must_use]
    pub const fn held_ms(&self) -> Option<i64> {
        match self.hold_ms {
            None if self.contribution_cents > 0 => Some(3 * admission::time::HOUR),
            hold_ms => hold_ms,
        }
    }
}

/// The mode of an offer whose places come with an entry in a contest or a unit's list: nobody books it, no form makes it.
pub const GIVEN: &str = "given";

/// What an organizer sends to make an event. Times are milliseconds since 1970, UTC.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct EventDraft {
    /// `contest`, `voucher`, `fair` or `activity`.
    pub kind: String,
    /// One of the ten themes of an activity.
    #[serde(default)]
    pub theme: Option<String>,
    /// What it is called.
    pub title: String,
    /// Where it is.
    pub place: String,
    /// Which door.
    #[serde(default)]
    pub entrance: String,
    /// The poster's text.
    #[serde(default)]
    pub poster: String,
    /// It begins.
    pub starts_ms: i64,
    /// It ends.
    pub ends_ms: i64,
    /// IANA name; Beijing by default.
    #[serde(default = "beijing")]
    pub time_zone: String,
    /// `draft` (by default) or `published`.
    #[serde(default = "draft")]
    pub status: String,
    /// What can be booked.
    #[serde(default)]
    pub offers: Vec<OfferDraft>,
}

/// What an organizer sends to make an offer.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct OfferDraft {
    /// What it is called.
    pub name: String,
    /// `first_come`, `draw`, `approval` or `allocation`.
    #[serde(default = "first_come")]
    pub mode: String,
    /// How many places there are.
    pub quota: i64,
    /// Booking opens.
    pub opens_ms: i64,
    /// Booking closes.
    pub closes_ms: i64,
    /// Holders may cancel until then; by default until admission begins.
    #[serde(default)]
    pub cancel_until_ms: Option<i64>,
    /// Places one person may hold, companions included.
    #[serde(default = "one")]
    pub per_person: i64,
    /// Companions one booking may bring.
    #[serde(default)]
    pub guests_max: i64,
    /// `members`, `unions` or `anyone`.
    pub eligibility: String,
    /// For `unions`: the ids of the unions whose members may book.
    #[serde(default)]
    pub unions: Vec<String>,
    /// Admission begins; by default an hour before the event.
    #[serde(default)]
    pub valid_from_ms: Option<i64>,
    /// Admission ends; by default with the event.
    #[serde(default)]
    pub valid_to_ms: Option<i64>,
    /// Who finds no place may wait in line.
    #[serde(default)]
    pub waiting_list: bool,
    /// How long one promoted from the line may take to accept, in milliseconds; two hours by default.
    #[serde(default = "two_hours")]
    pub accept_ms: i64,
    /// How long a place is held for one who still has to confirm or to pay, in milliseconds; by default it is
    /// confirmed at once, or held for three hours when there is a contribution to pay.
    #[serde(default)]
    pub hold_ms: Option<i64>,
    /// What each place costs, in cents, paid at the counter.
    #[serde(default)]
    pub contribution_cents: i64,
    /// Places one person may hold in the whole event.
    #[serde(default)]
    pub limit_event: Option<i64>,
    /// Places one person may hold in events of this kind in one calendar month.
    #[serde(default)]
    pub limit_month: Option<i64>,
    /// Places one person may hold in events of this kind in one calendar year.
    #[serde(default)]
    pub limit_year: Option<i64>,
    /// Whether staying away counts as a no-show, and a bar for no-shows keeps people out.
    #[serde(default)]
    pub no_shows_count: bool,
    /// For a draw: who got nothing in so many last drives of the kind has one more chance for each.
    #[serde(default)]
    pub weight_drives: i64,
    /// How often a ticket may be redeemed at counters.
    #[serde(default = "one")]
    pub uses: i64,
    /// Whether a holder may go out and come in again.
    #[serde(default)]
    pub reentry: bool,
    /// Whether tickets must be shown on their page, where the code moves, or with an ID: a forwarded screenshot is refused.
    #[serde(default)]
    pub moving_code: bool,
    /// Places set aside at each gate for members who come without a ticket.
    #[serde(default)]
    pub walk_ins: i64,
    /// For a draw: places set aside for unions; left out, they stay as they are.
    #[serde(default)]
    pub floors: Option<Vec<FloorDraft>>,
    /// For an allocation: what the unions did not give by then is open to everybody who may book.
    #[serde(default)]
    pub flow_back_ms: Option<i64>,
    /// For vouchers: the venue, the days and the money; left out, they stay as they are.
    #[serde(default)]
    pub batch: Option<voucher::BatchDraft>,
}

/// Places of a draw set aside for the people of a union, as far as they want them.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct FloorDraft {
    /// The union's id.
    pub union: String,
    /// How many.
    pub places: i64,
}

impl OfferDraft {
    /// An offer for members, given in order of arrival, without any of the particulars.
    #[must_use]
    pub fn plain(name: &str, quota: i64, opens_ms: i64, closes_ms: i64) -> Self {
        Self {
            name: name.to_owned(),
            mode: first_come(),
            quota,
            opens_ms,
            closes_ms,
            cancel_until_ms: None,
            per_person: one(),
            guests_max: 0,
            eligibility: "members".to_owned(),
            unions: Vec::new(),
            valid_from_ms: None,
            valid_to_ms: None,
            waiting_list: false,
            accept_ms: two_hours(),
            hold_ms: None,
            contribution_cents: 0,
            limit_event: None,
            limit_month: None,
            limit_year: None,
            no_shows_count: false,
            weight_drives: 0,
            uses: one(),
            reentry: false,
            moving_code: false,
            walk_ins: 0,
            floors: None,
            flow_back_ms: None,
            batch: None,
        }
    }
}

/// The particulars as they are, without the unions.
impl From<&Offer> for OfferDraft {
    fn from(offer: &Offer) -> Self {
        Self {
            name: offer.name.clone(),
            mode: offer.mode.clone(),
            quota: offer.quota,
            opens_ms: offer.opens_ms.0,
            closes_ms: offer.closes_ms.0,
            cancel_until_ms: Some(offer.cancel_until_ms.0),
            per_person: offer.per_person,
            guests_max: offer.guests_max,
            eligibility: offer.eligibility.clone(),
            unions: Vec::new(),
            valid_from_ms: Some(offer.valid_from_ms.0),
            valid_to_ms: Some(offer.valid_to_ms.0),
            waiting_list: offer.waiting_list,
            accept_ms: offer.accept_ms,
            hold_ms: offer.hold_ms,
            contribution_cents: offer.contribution_cents,
            limit_event: offer.limit_event,
            limit_month: offer.limit_month,
            limit_year: offer.limit_year,
            no_shows_count: offer.no_shows_count,
            weight_drives: offer.weight_drives,
            uses: offer.uses,
            reentry: offer.reentry,
            moving_code: offer.moving_code,
            walk_ins: offer.walk_ins,
            floors: None,
            flow_back_ms: offer.flow_back_ms,
            batch: None,
        }
    }
}

fn beijing() -> String {
    "Asia/Shanghai".to_owned()
}

fn draft() -> String {
    "draft".to_owned()
}

fn first_come() -> String {
    "first_come".to_owned()
}

const fn one() -> i64 {
    1
}

const fn two_hours() -> i64 {
    2 * admission::time::HOUR
}

/// Publishes, closes or cancels an event and writes down who did. Holders of a cancelled event are told by message.
///
/// # Errors
/// [`crate::Error::Invalid`] for another status, or when it was cancelled already.
pub async fn set_status(
    tx: &mut crate::db::Tx,
    staff: &crate::web::access::Staff,
    id: &str,
    status: &str,
    note: &str,
    now: Millis,
) -> crate::error::Result<()> {
    if !matches!(status, "published" | "closed" | "cancelled") {
        return Err(crate::Error::invalid(
            "status",
            "状态只能是：published、closed、cancelled。",
            "“status” must be one of: published, closed, cancelled.",
        ));
    }
    queries::set_status(tx, id, status, note, now).await?;
    crate::audit::record(tx, staff, &format!("event.{status}"), id, note, now).await?;
    if status == "cancelled" {
        let event = queries::event(tx, id).await?;
        crate::outbox::tell_holders(tx, &event, now).await?;
    }
    Ok(())
}
