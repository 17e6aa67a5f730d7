//! Booking and cancelling. Conditions stand in the writes, so that any number of server processes stay right together;
//! a refusal leaves nothing written.

use std::{borrow::Cow, collections::HashSet};

use admission::{
    Millis,
    ticket::{TicketFact, TicketId},
};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use super::{
    Booking, Status,
    change::{self, Cause, Outcome},
    named, queries,
    rush::{Figures, Tap},
    tickets::{self, Stamps},
};
use crate::{
    App,
    db::{Tx, new_id},
    error::{Error, Refused, Result},
    event::{
        self, Event, Offer,
        rules::{Standing, standing},
    },
    keys::Keys,
    web::access::Person,
};

/// A companion's name is a name, not an essay.
const NAME_CHARS: usize = 30;
/// Longest Idempotency-Key that is kept.
const KEY_CHARS: usize = 100;
/// No offer lets anybody bring more.
const GUESTS: usize = crate::event::rules::GUESTS_MOST as usize;

/// What a person asks for.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct Request {
    /// The offer's id.
    pub offer: String,
    /// Names of companions.
    #[serde(default)]
    pub guests: Vec<String>,
}

/// What a person gets.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq, ToSchema)]
pub struct Booked {
    /// The booking's id.
    pub id: String,
    /// `confirmed`, `held`, `waiting`, `entered` or `requested`.
    pub status: String,
    /// One per person; none yet while it waits.
    pub tickets: Vec<BookedTicket>,
    /// Its position in the line when it joined: 1 is next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<i64>,
}

/// A ticket as its holder gets it.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq, ToSchema)]
pub struct BookedTicket {
    /// Its id.
    pub id: String,
    /// The ticket code, to be shown as QR.
    pub code: String,
}

/// Books for `person`, durably and once: the same `key` gives the same answer again, also from another process.
///
/// # Errors
/// [`Error::Refused`] with `sold_out`, `limit_reached`, `not_eligible`, `not_open` or `key_reused`;
/// [`Error::Busy`] when too many are waiting.
pub async fn book(app: &App, person: &Person, request: Request, key: &str) -> Result<Booked> {
    app.bookings.pace(&person.id)?;
    let mut attempt = Attempt::new(app, person, request, key)?;
    if let Some(refused) = app.bookings.refusal(&attempt) {
        return Err(refused.into());
    }
    attempt.sign_ahead(&app.bookings.figures).await;
    let (booked, _) = app.bookings.write(attempt).await??;
    Ok(booked)
}

/// One try to book, with everything that chance and time contribute fixed, so that it may be run again.
pub(super) struct Attempt {
    pub(super) person: Person,
    pub(super) offer_id: String,
    guests: Vec<String>,
    pub(super) key: String,
    /// Its place in the queue.
    pub(super) tap: Tap,
    pub(super) request_sha256: Vec<u8>,
    pub(super) booking_id: String,
    /// One per person, the holder's own first.
    pub(super) ticket_ids: Vec<TicketId>,
    pub(super) keys: Keys,
    pub(super) stamps: Stamps,
    /// Codes that were signed ahead, and what they say, in the order of the ids.
    codes: Vec<(TicketFact, String)>,
    pub(super) now: Millis,
}

/// What becomes of an attempt: a booking and its event, or a refusal that wrote nothing.
pub(super) type Decision = std::result::Result<(Booked, String), Refused>;

impl Attempt {
    pub(super) fn new(app: &App, person: &Person, request: Request, key: &str) -> Result<Self> {
        let now = app.clock.now();
        // Each would have an id drawn and a code signed before the offer is looked at.
        if request.guests.len() > GUESTS {
            return Err(Error::invalid(
                "guests",
                format!("一次最多带 {GUESTS} 位随行人员。"),
                format!("A booking may bring {GUESTS} companions at most."),
            ));
        }
        let guests: Vec<String> = request
            .guests
            .iter()
            .map(|name| name.chars().filter(|c| is_shown(*c)).collect::<String>().trim().to_owned())
            .filter(|name| !name.is_empty())
            .collect();
        if guests.iter().any(|name| name.chars().count() > NAME_CHARS) {
            return Err(Error::invalid(
                "guests",
                format!("随行人员姓名最多 {NAME_CHARS} 个字。"),
                format!("A companion's name has at most {NAME_CHARS} characters."),
            ));
        }
        // PostgreSQL takes no NUL in a text, and one such piece of work would undo the batch it is in.
        if key.is_empty() || key.len() > KEY_CHARS || key.contains('\0') {
            return Err(Error::invalid(
                "idempotency_key",
                format!("Idempotency-Key 要有 1 到 {KEY_CHARS} 个字符。"),
                format!("Idempotency-Key takes 1 to {KEY_CHARS} characters."),
            ));
        }
        if request.offer.contains('\0') || person.id.contains('\0') {
            return Err(no_such_offer().into());
        }
        let mut hash = Sha256::new().chain_update(&request.offer);
        for name in &guests {
            hash.update([0]);
            hash.update(name);
        }
        Ok(Self {
            person: person.clone(),
            offer_id: request.offer,
            tap: app.bookings.queue().tap(&person.id, key),
            key: key.to_owned(),
            request_sha256: hash.finalize().to_vec(),
            booking_id: new_id(now),
            ticket_ids: (0..=guests.len()).map(|_| tickets::new_ticket_id(now)).collect(),
            guests,
            keys: app.keys.clone(),
            stamps: app.bookings.stamps.clone(),
            codes: Vec::new(),
            now,
        })
    }

    /// Signs what its tickets will most likely say.
    async fn sign_ahead(&mut self, figures: &Figures) {
        if self.stamps.of(&self.offer_id).is_none() {
            // Reading them notes what tickets of all current offers say. Where that fails the ledger signs.
            drop(figures.offers(self.now).await);
        }
        let Some(last) = self.stamps.of(&self.offer_id) else { return };
        let facts = self.ticket_ids.iter().map(|id| TicketFact { id: *id, ..last });
        self.codes = facts.map(|fact| (fact, fact.sign(self.keys.issuer()))).collect();
    }

    /// The code of its n-th ticket.
    pub(super) fn code(&self, n: usize, fact: &TicketFact) -> String {
        match self.codes.get(n) {
            Some((signed, code)) if signed == fact => code.clone(),
            _ => fact.sign(self.keys.issuer()),
        }
    }

    /// Names of the companions, as a booking keeps them.
    pub(super) fn guests_json(&self) -> Cow<'static, str> {
        if self.guests.is_empty() {
            return Cow::Borrowed("[]");
        }
        Cow::Owned(serde_json::Value::from(self.guests.as_slice()).to_string())
    }

    /// How many places it asks for.
    pub(super) fn places(&self) -> i64 {
        i64::try_from(self.ticket_ids.len()).unwrap_or(i64::MAX)
    }

    /// Who would go in: the person and the companions.
    pub(super) fn holders(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.person.name).chain(&self.guests).map(String::as_str)
    }

    /// The answer that this key got before.
    pub(super) async fn replay(&self, tx: &mut Tx, before: queries::Answered) -> Result<Decision> {
        if before.request_sha256 != self.request_sha256 {
            return Ok(Err(Refused::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "key_reused",
                "这个 Idempotency-Key 已用于另一个请求。",
                "This Idempotency-Key was used for another request.",
            )));
        }
        let booked: Booked = serde_json::from_str(&before.answer).map_err(anyhow::Error::from)?;
        let booking = queries::booking(tx, &booked.id, &self.person.id).await?;
        Ok(Ok((booked, booking.event_id)))
    }

    /// Why the offer cannot be booked like this, as far as event and offer tell.
    pub(super) fn refusal(&self, event: &Event, offer: &Offer) -> Option<Refused> {
        if !event.is_public() {
            return Some(no_such_offer());
        }
        let too_many = i64::try_from(self.guests.len()).unwrap_or(i64::MAX) > offer.guests_max;
        refusal_of(standing(event, offer, self.now))
            .or_else(|| too_many.then(|| too_many_guests(offer)))
            .or_else(|| (!offer.may_ever_fit(self.places())).then(|| never_fits(offer)))
    }
}

/// Whether a person may book `offer`.
///
/// # Errors
/// When the database fails.
pub async fn eligible(tx: &mut Tx, offer: &Offer, person_id: &str) -> Result<bool> {
    Ok(ineligible(tx, offer, vec![person_id]).await?.is_empty())
}

/// Those of `people` who may not book `offer`. Nearly all may.
pub(super) async fn ineligible(
    tx: &mut Tx,
    offer: &Offer,
    people: Vec<&str>,
) -> Result<HashSet<String>> {
    match offer.eligibility.as_str() {
        "anyone" => Ok(HashSet::new()),
        "members" => queries::no_members(tx, people).await,
        _ => queries::no_members_of_offers_unions(tx, people, &offer.id).await,
    }
}

/// Cancels a person's booking in time and gives the places back.
///
/// # Errors
/// [`Error::NotFound`] when it is not theirs; [`Error::Refused`] `too_late`, or `already_used` when somebody went in;
/// [`Error::TooMany`].
pub async fn cancel(app: &App, person: &Person, booking_id: &str) -> Result<()> {
    change::pace(app, person)?;
    let now = app.clock.now();
    change::write(app, booking_id, Some(&person.id), move |tx, app, booking| {
        Box::pin(async move { cancel_in(tx, &app, &booking, now).await })
    })
    .await
    .map(drop)
}

async fn cancel_in(tx: &mut Tx, app: &App, booking: &Booking, now: Millis) -> Result<Outcome> {
    if !booking.status.is_open() {
        return Ok(Ok(false));
    }
    let offer = event::queries::offer(tx, &booking.offer_id).await?;
    // Who has no place yet takes none from anybody by staying or leaving.
    if booking.status.has_places() && now > offer.cancel_until_ms {
        return Ok(Err(too_late_to_cancel().into()));
    }
    let cause = Cause::of("cancelled");
    match change::end(tx, app, booking, Status::Cancelled, cause, now).await? {
        true => {
            named::tell_officer(tx, app, booking, "有同事谢绝了").await?;
            Ok(Ok(true))
        }
        false => Ok(Err(used_already().into())),
    }
}

/// Not a control character, and none that turns the direction of the words around it.
fn is_shown(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

pub(super) fn refusal_of(standing: Standing) -> Option<Refused> {
    let (status, code, zh, en) = match standing {
        Standing::Open | Standing::Line => return None,
        Standing::SoldOut => return Some(sold_out()),
        Standing::Reserved => (
            StatusCode::FORBIDDEN,
            "not_open",
            "名额现在由各工会指定，想去请告诉本单位工会。没指定完的到时放出，请那时再来。",
            "The unions give these places to their people now; please tell yours. What is left opens later.",
        ),
        Standing::NotOpen => (
            StatusCode::FORBIDDEN,
            "not_open",
            "报名还没有开始，请到开始时间再来。",
            "Booking has not opened yet. Please come back at the opening time.",
        ),
        Standing::Closed => {
            (StatusCode::FORBIDDEN, "not_open", "报名已经截止。", "Booking is closed.")
        }
        Standing::Cancelled => (
            StatusCode::FORBIDDEN,
            "not_open",
            "活动已取消，不再接受报名。",
            "The event was cancelled; it can no longer be booked.",
        ),
    };
    Some(Refused::new(status, code, zh, en))
}

pub(super) fn no_such_offer() -> Refused {
    Refused::new(
        StatusCode::NOT_FOUND,
        "not_found",
        "没有这个报名项目。",
        "There is no such offer.",
    )
}

pub(super) fn sold_out() -> Refused {
    Refused::new(
        StatusCode::CONFLICT,
        "sold_out",
        "名额已满。有人取消时名额会放出，可以稍后再来看看。",
        "Every place is taken. When somebody cancels, the place is given out again; please look again later.",
    )
}

pub(super) fn limit_reached(offer: &Offer) -> Refused {
    let n = offer.per_person;
    Refused::new(
        StatusCode::CONFLICT,
        "limit_reached",
        format!("每人最多 {n} 个名额，您已经报过名了，请到「我的票」查看。"),
        format!("Each person may hold {n} at most, and you have booked already. See “My tickets”."),
    )
}

pub(super) fn one_entry() -> Refused {
    Refused::new(
        StatusCode::CONFLICT,
        "limit_reached",
        "您已经报过名了，每人一次。要改同行人，请先取消原来的报名再报。",
        "You take part already; each person once. To change your companions, cancel and enter again.",
    )
}

fn too_many_guests(offer: &Offer) -> Refused {
    let n = offer.guests_max;
    Refused::new(
        StatusCode::CONFLICT,
        "limit_reached",
        format!("每次报名最多带 {n} 位随行人员。"),
        format!("A booking may bring {n} companions at most."),
    )
}

/// So many at once never get places; in a line they would keep everybody behind them from theirs.
fn never_fits(offer: &Offer) -> Refused {
    let quota = offer.quota.max(1);
    Refused::new(
        StatusCode::CONFLICT,
        "limit_reached",
        format!("这个项目一共只有 {quota} 个名额，请减少随行人员再报。"),
        format!("This offer has {quota} in all. Please bring fewer companions."),
    )
}

pub(super) fn not_eligible(offer: &Offer) -> Refused {
    let (zh, en) = match offer.eligibility.as_str() {
        "unions" => (
            "这个项目只面向指定工会的会员。如您属于这些工会，请联系本单位工会核对名册。",
            "This offer is for members of certain unions. If you belong to one of them, please ask your union to check the roster.",
        ),
        _ => (
            "这个项目只面向会员。如您已入会，请联系本单位工会核对名册上的手机号。",
            "This offer is for members. If you are one, please ask your union to check your number on the roster.",
        ),
    };
    Refused::new(StatusCode::FORBIDDEN, "not_eligible", zh, en)
}

pub(super) fn too_late_to_cancel() -> Refused {
    Refused::new(
        StatusCode::CONFLICT,
        "too_late",
        "已过取消期限，如不能参加请联系主办方。",
        "It is too late to cancel. If you cannot come, please tell the organizer.",
    )
}

pub(super) fn used_already() -> Refused {
    Refused::new(
        StatusCode::CONFLICT,
        "already_used",
        "已有人凭此报名入场，不能取消。",
        "Somebody has gone in on this booking; it cannot be cancelled.",
    )
}
