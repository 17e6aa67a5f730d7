//! The SQL of bookings and tickets.

use std::collections::{HashMap, HashSet};

use admission::{
    Millis,
    ticket::{self, TicketFact, TicketId},
};

use super::{
    Booking, Ticket,
    rules::{Attempt, Booked},
    tickets,
    together::Given,
};
use crate::{
    db::Tx,
    error::{Error, Result},
    event::{Event, Offer},
    execute, execute_rows, fetch, fetch_rows,
};

/// The columns of [`Ticket`].
macro_rules! ticket_select {
    ($rest:literal) => {
        concat!(
            "select t.id, t.event_id, e.number as event_number, o.class, t.booking_id, t.person_id, t.holder, t.state,
                    t.key_id, t.reissue, t.valid_from_ms, t.valid_to_ms, t.used_ms, t.used_station, t.revision,
                    t.history, t.place, o.uses, o.reentry, o.days, o.venue_id, o.moving_code
             from ticket t join event e on e.id = t.event_id join offer o on o.id = t.offer_id ",
            $rest
        )
    };
}

/// What was answered under an Idempotency-Key.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct Answered {
    person_id: String,
    pub(crate) request_sha256: Vec<u8>,
    pub(crate) answer: String,
}

/// Each is looked up for itself: of a list of pairs SQLite makes a list of people and one of keys, and goes through all that
/// those people ever booked. A cross join is made in the order in which it stands.
const ANSWERED: (&str, &str) = (
    "select b.person_id, b.request_sha256, b.answer from (",
    ") v cross join booking b where b.person_id = v.column1 and b.request_key = v.column2",
);

/// What each of those people was answered under their key, by person.
pub(super) async fn answered(
    tx: &mut Tx,
    keys: Vec<(&str, &str)>,
) -> Result<HashMap<String, Answered>> {
    let (select, of) = ANSWERED;
    let rows: Vec<Answered> =
        fetch_rows!(tx, select, keys, |(person_id, key)| [person_id, key], of)?;
    Ok(rows.into_iter().map(|row| (row.person_id.clone(), row)).collect())
}

/// Goes through the index of those that still have one.
const FORGET: &str = "update booking set request_key = null, request_sha256 = null, answer = null
                      where request_key is not null and created_ms < $1";

/// Forgets the answers to requests made before `before`, and their keys.
pub(crate) async fn forget_answers(tx: &mut Tx, before: Millis) -> Result<()> {
    execute!(tx, FORGET, before.0)?;
    Ok(())
}

/// Those who take part already, where each may ask only once: in a draw, or for approval.
pub(super) async fn entered(
    tx: &mut Tx,
    offer: &Offer,
    attempts: &[&Attempt],
) -> Result<HashSet<String>> {
    if offer.mode == "first_come" {
        return Ok(HashSet::new());
    }
    let rows: Vec<(String,)> = fetch_rows!(
        tx,
        "select b.person_id from (",
        attempts,
        |attempt| [&attempt.person.id, &offer.id],
        ") v join booking b on b.person_id = v.column1 and b.offer_id = v.column2
         where b.status in ('confirmed', 'held', 'waiting', 'entered', 'requested')",
    )?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Everybody who ever booked an offer.
pub(super) async fn bookers(tx: &mut Tx, offer_id: &str) -> Result<HashSet<String>> {
    let rows: Vec<(String,)> =
        fetch!(tx, fetch_all, "select person_id from booking where offer_id = $1", offer_id)?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Greater than nothing: so the index gives the keys of the last two days alone, and not all that those people ever booked.
const KEYS_OF: &str =
    "select person_id, request_key from booking where request_key > '' and person_id in (";

/// The keys under which each of `people` was answered.
pub(super) async fn keys_of(
    tx: &mut Tx,
    people: Vec<&str>,
) -> Result<HashMap<String, HashSet<String>>> {
    let rows: Vec<(String, String)> = fetch_rows!(tx, KEYS_OF, people, |id| [id], ")")?;
    let mut keys = HashMap::<String, HashSet<String>>::new();
    for (person_id, key) in rows {
        keys.entry(person_id).or_default().insert(key);
    }
    Ok(keys)
}

/// Those of `people` who may not have so many places of an offer more. The transaction holds the event's counter: until it
/// ends, nobody else books.
pub(super) async fn over_limit(
    tx: &mut Tx,
    offer: &Offer,
    people: Vec<(&str, i64)>,
) -> Result<HashSet<String>> {
    let over: Vec<(String,)> = fetch_rows!(
        tx,
        "select v.column2 from (",
        people,
        |(person_id, places)| [&offer.id, person_id, places],
        ") v join offer o on o.id = v.column1
         where v.column3 + (select coalesce(sum(b.places), 0) from booking b
                            where b.offer_id = v.column1 and b.person_id = v.column2
                              and b.status in ('confirmed', 'held', 'waiting', 'entered', 'requested')) > o.per_person",
    )?;
    Ok(over.into_iter().map(|(id,)| id).collect())
}

/// Takes `places` of an offer. False when there are not so many left, or somebody stands in line for them.
pub(crate) async fn take(tx: &mut Tx, offer_id: &str, places: i64) -> Result<bool> {
    let rows = execute!(
        tx,
        "update offer set taken = taken + $2 where id = $1 and taken + $2 <= quota and waiting = 0",
        offer_id,
        places
    )?;
    Ok(rows == 1)
}

/// Takes `places` of an offer for the head of its line. False when there are not so many left.
pub(super) async fn take_for_line(tx: &mut Tx, offer_id: &str, places: i64) -> Result<bool> {
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

/// Those of `people` who are not on the roster, or moved away or expelled.
pub(super) async fn no_members(tx: &mut Tx, people: Vec<&str>) -> Result<HashSet<String>> {
    // Each is looked up for itself: joined, PostgreSQL would read the whole roster.
    let others: Vec<(String,)> = fetch_rows!(
        tx,
        "select v.column1 from (",
        people,
        |id| [id],
        ") v where coalesce((select p.kind = 'member' and p.status in ('active', 'retained') from person p
                             where p.id = v.column1), false) = false",
    )?;
    Ok(others.into_iter().map(|(id,)| id).collect())
}

/// The same, or of none of the offer's unions.
pub(super) async fn no_members_of_offers_unions(
    tx: &mut Tx,
    people: Vec<&str>,
    offer_id: &str,
) -> Result<HashSet<String>> {
    let unions: Vec<(String,)> =
        fetch!(tx, fetch_all, "select union_id from offer_union where offer_id = $1", offer_id)?;
    let rows: Vec<(String, Option<String>)> = fetch_rows!(
        tx,
        "select id, union_id from person
         where kind = 'member' and status in ('active', 'retained') and id in (",
        &people,
        |id| [*id],
        ")",
    )?;
    let invited = |union: &Option<String>| unions.iter().any(|(id,)| Some(id) == union.as_ref());
    let mut others: HashSet<String> = people.into_iter().map(str::to_owned).collect();
    for (id, _) in rows.iter().filter(|(_, union)| invited(union)) {
        others.remove(id);
    }
    Ok(others)
}

/// A booking about to be written.
pub(super) struct NewBooking<'a> {
    pub(super) attempt: &'a Attempt,
    /// What the one who asked is answered, and is answered again under the same key; none: nobody asked.
    pub(super) answer: Option<&'a Booked>,
}

/// Writes bookings of an offer, as they were given. Fails when another process was first under one of the keys.
pub(super) async fn insert_bookings(
    tx: &mut Tx,
    offer: &Offer,
    bookings: &[NewBooking<'_>],
    given: Given,
) -> Result<()> {
    let mut rows = Vec::with_capacity(bookings.len());
    for booking in bookings {
        let answer = booking.answer.map(serde_json::to_string).transpose();
        rows.push((booking.attempt, answer.map_err(anyhow::Error::from)?));
    }
    execute_rows!(
        tx,
        "insert into booking (id, event_id, offer_id, person_id, status, places, guests, held_until_ms, line, created_ms,
                              request_key, request_sha256, answer) ",
        rows.iter().enumerate(),
        |(n, (attempt, answer))| [
            &attempt.booking_id,
            &offer.event_id,
            &offer.id,
            &attempt.person.id,
            given.status.word(),
            attempt.places(),
            attempt.guests_json(),
            given.held_ms.map(|held_ms| attempt.now.plus(held_ms).0),
            given.line.map(|first| first + n as i64),
            attempt.now.0,
            answer.as_ref().map(|_| attempt.key.as_str()),
            answer.as_ref().map(|_| attempt.request_sha256.as_slice()),
            answer,
        ],
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
    pub(crate) created: Millis,
    /// `valid`, `unpaid` or `unapproved`.
    pub(crate) state: &'static str,
}

impl NewTicket<'_> {
    /// What its code says.
    pub(crate) fn fact(&self, event: &Event, offer: &Offer) -> Result<TicketFact> {
        tickets::fact(self.id, event.number, offer)
    }
}

/// Writes tickets of an offer.
pub(super) async fn insert_tickets(
    tx: &mut Tx,
    offer: &Offer,
    tickets: &[NewTicket<'_>],
) -> Result<()> {
    execute_rows!(
        tx,
        "insert into ticket (id, event_id, offer_id, booking_id, person_id, holder, holder_search, state, key_id,
                             valid_from_ms, valid_to_ms, created_ms, revision) ",
        tickets,
        |ticket| [
            ticket.id.to_string(),
            &offer.event_id,
            &offer.id,
            ticket.booking_id,
            ticket.person_id,
            ticket.holder,
            ticket.holder.to_lowercase(),
            ticket.state,
            i64::from(ticket.key_id),
            offer.valid_from_ms.0,
            offer.valid_to_ms.0,
            ticket.created.0,
            ticket.revision,
        ],
    )?;
    Ok(())
}

/// The booking of that id, whoever made it.
pub(super) async fn find(tx: &mut Tx, id: &str) -> Result<Option<Booking>> {
    Ok(fetch!(tx, fetch_optional, "select * from booking where id = $1", id)?)
}

/// A person's booking.
pub(crate) async fn booking(tx: &mut Tx, id: &str, person_id: &str) -> Result<Booking> {
    let row: Option<Booking> = fetch!(
        tx,
        fetch_optional,
        "select * from booking
         where id = $1 and person_id = $2",
        id,
        person_id,
    )?;
    row.ok_or(Error::NotFound)
}

/// A person's open booking of an offer, the newest first.
pub(crate) async fn booking_of_offer(
    tx: &mut Tx,
    offer_id: &str,
    person_id: &str,
) -> Result<Option<Booking>> {
    Ok(fetch!(
        tx,
        fetch_optional,
        "select * from booking
         where offer_id = $1 and person_id = $2
           and status in ('confirmed', 'held', 'waiting', 'entered', 'requested') order by created_ms desc, id desc limit 1",
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

/// The one of `candidates`, ids with when they were made, whose number begins as was `typed`.
///
/// # Errors
/// [`Error::NotFound`] when none does, or several.
pub(crate) async fn typed(
    tx: &mut Tx,
    candidates: Vec<(String, i64)>,
    typed: &str,
) -> Result<Ticket> {
    let is_typed = |(id, made): &(String, i64)| ticket::is_typed(id, Millis(*made), typed);
    let mut fits = candidates.into_iter().filter(is_typed);
    match (fits.next(), fits.next()) {
        (Some((id, _)), None) => self::ticket(tx, &id).await,
        _ => Err(Error::NotFound),
    }
}

/// Those tickets that exist, by id.
pub(crate) async fn tickets(tx: &mut Tx, ids: &HashSet<String>) -> Result<HashMap<String, Ticket>> {
    let rows: Vec<Ticket> =
        fetch_rows!(tx, ticket_select!("where t.id in ("), ids, |id| [id], ")")?;
    Ok(rows.into_iter().map(|ticket| (ticket.id.clone(), ticket)).collect())
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
    let mut tickets = tickets_of_cards(tx, HashSet::from([person_id]), event_id).await?;
    Ok(tickets.remove(person_id).unwrap_or_default())
}

/// Tickets of each of `people` at an event: those that their cards open.
pub(crate) async fn tickets_of_cards(
    tx: &mut Tx,
    people: HashSet<&str>,
    event_id: &str,
) -> Result<HashMap<String, Vec<Ticket>>> {
    let rows: Vec<Ticket> = fetch_rows!(
        tx,
        ticket_select!(
            "join booking b on b.id = t.booking_id and b.person_id = t.person_id where b.id in (select x.id from ("
        ),
        people,
        |id| [id, event_id],
        ") v cross join offer w cross join booking x
           where w.event_id = v.column2 and x.offer_id = w.id and x.person_id = v.column1) order by t.valid_to_ms, t.id",
    )?;
    let mut tickets = HashMap::<String, Vec<Ticket>>::new();
    for ticket in rows {
        if let Some(person) = ticket.person_id.clone() {
            tickets.entry(person).or_default().push(ticket);
        }
    }
    Ok(tickets)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Db;

    /// What people booked before costs those who book now nothing.
    #[tokio::test]
    async fn an_answer_is_found_by_person_and_key() {
        let (_folder, db) = Db::of_a_test().await;
        let answered = format!(
            "{}select * from (values ('a', 'b'), ('c', 'd')) limit 2 + 0{}",
            ANSWERED.0, ANSWERED.1
        );
        let keys = format!("{KEYS_OF}values ('a'), ('b'))");
        for (sql, by) in [
            (&*answered, "SEARCH b USING INDEX booking_request (person_id=? AND request_key=?)"),
            (
                &*keys,
                "SEARCH booking USING COVERING INDEX booking_request (person_id=? AND request_key>?)",
            ),
            (FORGET, "SCAN booking USING INDEX booking_request"),
        ] {
            let plan = db.plan(sql).await;
            assert!(plan.contains(&by.to_owned()), "{plan:?}");
        }
    }
}
