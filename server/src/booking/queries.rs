//! The SQL of bookings and tickets.

use admission::{
    Millis,
    ticket::{TicketFact, TicketId},
};

use super::{Booking, Ticket, rules::Booked};
use crate::{
    db::Tx,
    error::{Error, Result},
    event::{Event, Offer},
    execute, fetch,
};

/// The columns of [`Ticket`].
macro_rules! ticket_select {
    ($rest:literal) => {
        concat!(
            "select t.id, t.event_id, e.number as event_number, o.class, t.booking_id, t.person_id, t.holder, t.state,
                    t.key_id, t.reissue, t.valid_from_ms, t.valid_to_ms, t.used_ms, t.used_station, t.revision
             from ticket t join event e on e.id = t.event_id join offer o on o.id = t.offer_id ",
            $rest
        )
    };
}

/// What was answered under an Idempotency-Key.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct Answered {
    pub(crate) request_sha256: Vec<u8>,
    pub(crate) body: String,
}

/// What `actor` was answered under `key`.
pub(crate) async fn answered(tx: &mut Tx, actor: &str, key: &str) -> Result<Option<Answered>> {
    Ok(fetch!(
        tx,
        fetch_optional,
        "select request_sha256, body from idempotency where actor = $1 and key = $2",
        actor,
        key,
    )?)
}

/// Keeps an answer, in the transaction of its effect. Fails when another process was first.
pub(crate) async fn remember(
    tx: &mut Tx,
    actor: &str,
    key: &str,
    request_sha256: &[u8],
    booked: &Booked,
    now: Millis,
) -> Result<()> {
    let body = serde_json::to_string(booked).map_err(anyhow::Error::from)?;
    execute!(
        tx,
        "insert into idempotency (actor, key, request_sha256, status, body, created_ms)
         values ($1, $2, $3, 201, $4, $5)",
        actor,
        key,
        request_sha256,
        body,
        now.0,
    )?;
    Ok(())
}

/// Adds `places` to what a person holds of an offer. False when that would be over the limit.
pub(crate) async fn hold(tx: &mut Tx, offer: &Offer, person_id: &str, places: i64) -> Result<bool> {
    if places > offer.per_person {
        return Ok(false);
    }
    let rows = execute!(
        tx,
        "insert into offer_holder (offer_id, person_id, places) values ($1, $2, $3)
         on conflict (offer_id, person_id) do update set places = offer_holder.places + excluded.places
             where offer_holder.places + excluded.places <= $4",
        &offer.id,
        person_id,
        places,
        offer.per_person,
    )?;
    Ok(rows == 1)
}

/// Takes `places` back from what a person holds of an offer.
pub(crate) async fn release_hold(
    tx: &mut Tx,
    offer_id: &str,
    person_id: &str,
    places: i64,
) -> Result<()> {
    execute!(
        tx,
        "update offer_holder set places = places - $3 where offer_id = $1 and person_id = $2",
        offer_id,
        person_id,
        places,
    )?;
    Ok(())
}

/// Takes `places` of an offer. False when there are not so many left.
pub(crate) async fn take(tx: &mut Tx, offer_id: &str, places: i64) -> Result<bool> {
    let rows = execute!(
        tx,
        "update offer set taken = taken + $2 where id = $1 and taken + $2 <= quota",
        offer_id,
        places
    )?;
    Ok(rows == 1)
}

/// Gives `places` of an offer back.
pub(crate) async fn release(tx: &mut Tx, offer_id: &str, places: i64) -> Result<()> {
    execute!(tx, "update offer set taken = taken - $2 where id = $1", offer_id, places)?;
    Ok(())
}

/// On the roster, and not moved away or expelled.
pub(crate) async fn is_active_member(tx: &mut Tx, person_id: &str) -> Result<bool> {
    let row: Option<(i64,)> = fetch!(
        tx,
        fetch_optional,
        "select cast(1 as bigint) from person where id = $1 and kind = 'member' and status in ('active', 'retained')",
        person_id,
    )?;
    Ok(row.is_some())
}

/// The same, and of one of the offer's unions.
pub(crate) async fn is_member_of_offers_unions(
    tx: &mut Tx,
    person_id: &str,
    offer_id: &str,
) -> Result<bool> {
    let row: Option<(i64,)> = fetch!(
        tx,
        fetch_optional,
        "select cast(1 as bigint) from person p join offer_union u on u.union_id = p.union_id
         where p.id = $1 and u.offer_id = $2 and p.kind = 'member' and p.status in ('active', 'retained')",
        person_id,
        offer_id,
    )?;
    Ok(row.is_some())
}

pub(crate) async fn insert_booking(
    tx: &mut Tx,
    id: &str,
    offer: &Offer,
    person_id: &str,
    places: i64,
    now: Millis,
) -> Result<()> {
    execute!(
        tx,
        "insert into booking (id, event_id, offer_id, person_id, status, places, created_ms)
         values ($1, $2, $3, $4, 'confirmed', $5, $6)",
        id,
        &offer.event_id,
        &offer.id,
        person_id,
        places,
        now.0,
    )?;
    Ok(())
}

/// A ticket about to be written.
#[derive(Debug)]
pub(crate) struct NewTicket<'a> {
    pub(crate) id: TicketId,
    pub(crate) booking_id: &'a str,
    pub(crate) person_id: Option<&'a str>,
    pub(crate) holder: &'a str,
    pub(crate) key_id: u8,
    pub(crate) revision: i64,
}

impl NewTicket<'_> {
    /// What its code says.
    pub(crate) fn fact(&self, event: &Event, offer: &Offer) -> Result<TicketFact> {
        Ok(TicketFact {
            id: self.id,
            event: u32::try_from(event.number).map_err(anyhow::Error::from)?,
            class: u8::try_from(offer.class).map_err(anyhow::Error::from)?,
            valid_from: offer.valid_from_ms,
            valid_to: offer.valid_to_ms,
            reissue: 0,
        })
    }
}

pub(crate) async fn insert_ticket(
    tx: &mut Tx,
    offer: &Offer,
    ticket: &NewTicket<'_>,
    now: Millis,
) -> Result<()> {
    execute!(
        tx,
        "insert into ticket (id, event_id, offer_id, booking_id, person_id, holder, holder_search, state, key_id,
                             valid_from_ms, valid_to_ms, created_ms, revision)
         values ($1, $2, $3, $4, $5, $6, $7, 'valid', $8, $9, $10, $11, $12)",
        ticket.id.to_string(),
        &offer.event_id,
        &offer.id,
        ticket.booking_id,
        ticket.person_id,
        ticket.holder,
        ticket.holder.to_lowercase(),
        i64::from(ticket.key_id),
        offer.valid_from_ms.0,
        offer.valid_to_ms.0,
        now.0,
        ticket.revision,
    )?;
    Ok(())
}

/// A person's booking.
pub(crate) async fn booking(tx: &mut Tx, id: &str, person_id: &str) -> Result<Booking> {
    let row: Option<Booking> = fetch!(
        tx,
        fetch_optional,
        "select id, event_id, offer_id, person_id, status, places, created_ms from booking
         where id = $1 and person_id = $2",
        id,
        person_id,
    )?;
    row.ok_or(Error::NotFound)
}

/// A person's confirmed booking of an offer, the newest first.
pub(crate) async fn booking_of_offer(
    tx: &mut Tx,
    offer_id: &str,
    person_id: &str,
) -> Result<Option<Booking>> {
    Ok(fetch!(
        tx,
        fetch_optional,
        "select id, event_id, offer_id, person_id, status, places, created_ms from booking
         where offer_id = $1 and person_id = $2 and status = 'confirmed' order by created_ms desc, id desc limit 1",
        offer_id,
        person_id,
    )?)
}

/// The tickets of a booking, the holder's own first.
pub(crate) async fn tickets_of(tx: &mut Tx, booking_id: &str) -> Result<Vec<Ticket>> {
    Ok(fetch!(
        tx,
        fetch_all,
        ticket_select!("where t.booking_id = $1 order by t.revision"),
        booking_id
    )?)
}

/// The ticket of that id.
pub(crate) async fn ticket(tx: &mut Tx, id: &str) -> Result<Ticket> {
    let row: Option<Ticket> = fetch!(tx, fetch_optional, ticket_select!("where t.id = $1"), id)?;
    row.ok_or(Error::NotFound)
}

/// The ticket of that id, if it belongs to one of the person's bookings.
pub(crate) async fn ticket_of(tx: &mut Tx, id: &str, person_id: &str) -> Result<Ticket> {
    let row: Option<Ticket> = fetch!(
        tx,
        fetch_optional,
        ticket_select!(
            "join booking b on b.id = t.booking_id where t.id = $1 and b.person_id = $2"
        ),
        id,
        person_id,
    )?;
    row.ok_or(Error::NotFound)
}

/// Tickets of a person at an event: those that their card opens.
pub(crate) async fn tickets_of_card(
    tx: &mut Tx,
    person_id: &str,
    event_id: &str,
) -> Result<Vec<Ticket>> {
    Ok(fetch!(
        tx,
        fetch_all,
        ticket_select!("where t.person_id = $1 and t.event_id = $2 order by t.valid_to_ms, t.id"),
        person_id,
        event_id,
    )?)
}

/// Tickets of an event changed after `revision`, in order, at most `limit`.
pub(crate) async fn changed_after(
    tx: &mut Tx,
    event_id: &str,
    revision: i64,
    limit: i64,
) -> Result<Vec<Ticket>> {
    Ok(fetch!(
        tx,
        fetch_all,
        ticket_select!("where t.event_id = $1 and t.revision > $2 order by t.revision limit $3"),
        event_id,
        revision,
        limit,
    )?)
}

/// Cancels a confirmed booking on which nobody went in. False when there is none such.
pub(crate) async fn cancel_unused(tx: &mut Tx, booking_id: &str, now: Millis) -> Result<bool> {
    let rows = execute!(
        tx,
        "update booking set status = 'cancelled', cancelled_ms = $2, cancelled_by = 'holder'
         where id = $1 and status = 'confirmed'
           and not exists (select 1 from ticket t where t.booking_id = $1 and t.used_ms is not null)",
        booking_id,
        now.0,
    )?;
    Ok(rows == 1)
}

/// Cancels the tickets of a booking; each takes a revision, counted from `first_revision`.
pub(crate) async fn cancel_tickets(
    tx: &mut Tx,
    booking_id: &str,
    first_revision: i64,
) -> Result<()> {
    let tickets = tickets_of(tx, booking_id).await?;
    for (ticket, revision) in tickets.iter().zip(first_revision..) {
        execute!(
            tx,
            "update ticket set state = 'cancelled', revision = $2 where id = $1",
            &ticket.id,
            revision
        )?;
    }
    Ok(())
}
