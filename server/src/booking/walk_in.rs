//! A member came without a ticket and was given one of the places that the kiosk had to give.

use admission::{Millis, ticket::TicketId};

use super::{
    Booking, Status,
    change::{self, Cause},
    queries::{self, NewTicket},
};
use crate::{
    db::{Tx, new_id},
    error::Result,
    event::{self, Offer},
    execute, fetch,
    web::access::Person,
};

/// Books one place of `offer` for a person, with the ticket that the kiosk has let in. The place is taken already; no
/// limit stands in the way, for the person is inside. False when there is no such person. The event's counter is held.
pub(crate) async fn book(
    tx: &mut Tx,
    offer: &Offer,
    person_id: &str,
    (ticket, key_id): (TicketId, u8),
    now: Millis,
) -> Result<bool> {
    let person: Option<(String,)> =
        fetch!(tx, fetch_optional, "select name from person where id = $1", person_id)?;
    let Some((name,)) = person else { return Ok(false) };
    let booking = Booking {
        id: new_id(now),
        event_id: offer.event_id.clone(),
        offer_id: offer.id.clone(),
        person_id: person_id.to_owned(),
        status: Status::Confirmed,
        places: 1,
        guests: "[]".to_owned(),
        line: None,
        held_until_ms: None,
        created_ms: now,
        cancelled_by: None,
        union_id: None,
        named_by: None,
    };
    execute!(
        tx,
        "insert into booking (id, event_id, offer_id, person_id, status, places, created_ms)
         values ($1, $2, $3, $4, $5, 1, $6)",
        &booking.id,
        &booking.event_id,
        &booking.offer_id,
        person_id,
        booking.status,
        now.0,
    )?;
    let revision = event::queries::next_revisions(tx, &offer.event_id, 1).await?;
    let ticket = NewTicket {
        id: ticket,
        booking_id: &booking.id,
        person_id: Some(person_id),
        holder: &name,
        key_id,
        revision,
        created: now,
        state: "valid",
    };
    queries::insert_tickets(tx, offer, &[ticket]).await?;
    change::log(tx, &booking, booking.status, Cause::of("walk_in"), now).await?;
    Ok(true)
}

/// A person by their id, and their organisation.
pub(crate) async fn person(tx: &mut Tx, id: &str) -> Result<Option<(Person, Option<String>)>> {
    let row: Option<(String, bool, Option<String>)> = fetch!(
        tx,
        fetch_optional,
        "select p.name, p.kind = 'member', coalesce(o.name, u.name) from person p
         left join organisation o on o.id = p.organisation_id
         left join organisation u on u.id = p.union_id where p.id = $1",
        id,
    )?;
    Ok(row.map(|(name, member, organisation)| {
        (Person { id: id.to_owned(), name, member }, organisation)
    }))
}

/// The members who have that phone.
pub(crate) async fn members_of_phone(tx: &mut Tx, phone: &str) -> Result<Vec<String>> {
    let rows: Vec<(String,)> = fetch!(
        tx,
        fetch_all,
        "select id from person where phone = $1 and kind = 'member' order by id",
        phone,
    )?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// The living ticket of a person at an event, the one in use first.
pub(crate) async fn ticket_of(
    tx: &mut Tx,
    person_id: &str,
    event_id: &str,
) -> Result<Option<String>> {
    let row: Option<(String,)> = fetch!(
        tx,
        fetch_optional,
        "select t.id from offer o join booking b on b.offer_id = o.id join ticket t on t.booking_id = b.id
         where b.person_id = $1 and o.event_id = $2 and t.person_id = $1 and t.state <> 'cancelled'
         order by case when t.used_ms is null then 1 else 0 end, t.id limit 1",
        person_id,
        event_id,
    )?;
    Ok(row.map(|(id,)| id))
}
