//! Places that another feature gives out and takes back: the tickets of a contest's players.

use admission::Millis;

use super::{
    Booking, Status,
    change::{self, Cause},
    queries, tickets,
};
use crate::{
    App,
    db::{Tx, new_id},
    error::{Error, Refused, Result},
    event::{Event, Offer},
    execute,
    keys::Keys,
};

/// Gives a person one place of an offer with its ticket, unless they have one. The transaction holds the event's counter.
///
/// # Errors
/// [`Error::Refused`] `sold_out` when the offer has no place left.
pub(crate) async fn give(
    tx: &mut Tx,
    keys: &Keys,
    (event, offer): (&Event, &Offer),
    person_id: &str,
    now: Millis,
) -> Result<()> {
    if queries::booking_of_offer(tx, &offer.id, person_id).await?.is_some() {
        return Ok(());
    }
    give_one_more(tx, keys, (event, offer), person_id, now).await.map(drop)
}

/// Gives a person one place of an offer with its ticket, beside those that they have; gives the booking. The transaction
/// holds the event's counter.
///
/// # Errors
/// [`Error::Refused`] `sold_out` when the offer has no place left.
pub(crate) async fn give_one_more(
    tx: &mut Tx,
    keys: &Keys,
    (event, offer): (&Event, &Offer),
    person_id: &str,
    now: Millis,
) -> Result<Booking> {
    let too_many = queries::over_limit(tx, offer, vec![(person_id, 1)]).await?;
    if !too_many.is_empty() || !queries::take_for_line(tx, &offer.id, 1).await? {
        return Err(Error::Refused(Refused::new(
            axum::http::StatusCode::CONFLICT,
            "sold_out",
            "这场活动的票已经发完，请联系主办方。",
            "There are no tickets of this event left. Please ask the organizer.",
        )));
    }
    let booking = Booking {
        id: new_id(now),
        event_id: event.id.clone(),
        offer_id: offer.id.clone(),
        person_id: person_id.to_owned(),
        status: Status::Confirmed,
        places: 1,
        guests: "[]".to_owned(),
        line: None,
        held_until_ms: None,
        cancelled_by: None,
        union_id: None,
        named_by: None,
        created_ms: now,
    };
    execute!(
        tx,
        "insert into booking (id, event_id, offer_id, person_id, status, places, guests, created_ms)
         values ($1, $2, $3, $4, $5, 1, '[]', $6)",
        &booking.id,
        &event.id,
        &offer.id,
        person_id,
        booking.status,
        now.0,
    )?;
    tickets::issue(tx, keys, (event, offer), &booking, "valid", now).await?;
    change::log(tx, &booking, Status::Confirmed, Cause::of("named"), now).await?;
    Ok(booking)
}

/// Ends an open booking that nobody used, as `cause` says; its places go to those in line. False when it was used, or is
/// over. The transaction holds the event's counter.
///
/// # Errors
/// [`Error::NotFound`] when there is no such booking.
pub(crate) async fn end_unused(
    tx: &mut Tx,
    app: &App,
    booking_id: &str,
    (status, cause): (Status, Cause<'_>),
    now: Millis,
) -> Result<bool> {
    let booking = queries::find(tx, booking_id).await?.ok_or(Error::NotFound)?;
    Ok(booking.status.is_open() && change::end(tx, app, &booking, status, cause, now).await?)
}

/// Takes a person's place of an offer back, unless they went in on it already. The transaction holds the event's counter.
///
/// # Errors
/// When the database fails.
pub(crate) async fn take_back(
    tx: &mut Tx,
    app: &App,
    offer_id: &str,
    person_id: &str,
    now: Millis,
) -> Result<()> {
    if let Some(booking) = queries::booking_of_offer(tx, offer_id, person_id).await? {
        change::end(tx, app, &booking, Status::Cancelled, Cause::of("taken_back"), now).await?;
    }
    Ok(())
}
