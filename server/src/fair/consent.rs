//! Who may see whom: a visitor lets one employer see their name, number and what they said of themselves, and takes it
//! back whenever they like. The law asks for consent per receiver (个人信息保护法 arts. 15, 23).
//!
//! Consent holds when it was given and not taken back since. What a stand wrote down by word of mouth never outlives a
//! "no": once a visitor has taken consent back, only they themselves can give it again.

use admission::Millis;

use super::Employer;
use crate::{
    booking::Ticket,
    db::{Tx, new_id},
    error::Result,
    execute, fetch,
    web::access::Staff,
};

/// The version of the words that consent is given to. To be raised when they change.
pub(crate) const NOTICE: i64 = 1;

/// Those words.
pub(super) const WORDS: (&str, &str) = admission::say::CONSENT;

/// Whether a consent row `c` is in force, for a `where`.
macro_rules! in_force {
    () => {
        "c.granted and not exists (
             select 1 from consent r where r.employer_id = c.employer_id and r.ticket_id = c.ticket_id
                and not r.granted and (c.how = 'stand' or r.at_ms > c.at_ms or (r.at_ms = c.at_ms and r.id > c.id)))"
    };
}
pub(super) use in_force;

/// Whether `employer` may see who holds `ticket`.
pub(super) async fn holds(tx: &mut Tx, employer_id: &str, ticket_id: &str) -> Result<bool> {
    let (count,): (i64,) = fetch!(
        tx,
        fetch_one,
        concat!(
            "select count(*) from consent c where c.employer_id = $1 and c.ticket_id = $2 and ",
            in_force!()
        ),
        employer_id,
        ticket_id,
    )?;
    Ok(count > 0)
}

/// The visitor gives consent on their own phone.
pub(super) async fn give(
    tx: &mut Tx,
    employer: &Employer,
    ticket: &Ticket,
    now: Millis,
) -> Result<()> {
    let row = Row { granted: true, how: "visitor", staff: None, at: now, received: now };
    insert(tx, employer, ticket, &row).await
}

/// The visitor takes it back. What the employer wrote about them goes, what is counted stays.
pub(super) async fn take_back(
    tx: &mut Tx,
    employer: &Employer,
    ticket: &Ticket,
    now: Millis,
) -> Result<()> {
    let row = Row { granted: false, how: "visitor", staff: None, at: now, received: now };
    insert(tx, employer, ticket, &row).await?;
    execute!(
        tx,
        "update encounter set note = '', grade = null where employer_id = $1 and ticket_id = $2",
        &employer.id,
        &ticket.id,
    )?;
    Ok(())
}

/// The employer writes down that the visitor agreed at the stand. False when it held already, or when the visitor has
/// said no before.
pub(super) async fn note(
    tx: &mut Tx,
    employer: &Employer,
    ticket: &Ticket,
    staff: &Staff,
    (at, received): (Millis, Millis),
) -> Result<bool> {
    let (known,): (i64,) = fetch!(
        tx,
        fetch_one,
        "select count(*) from consent where employer_id = $1 and ticket_id = $2",
        &employer.id,
        &ticket.id,
    )?;
    if known > 0 {
        return Ok(false);
    }
    let row = Row { granted: true, how: "stand", staff: Some(&staff.id), at, received };
    insert(tx, employer, ticket, &row).await?;
    Ok(true)
}

/// The visitor gave consent, or did not, on a kiosk at a stand: entry `seq` of its journal, which may come late and
/// twice. It is their own word, as on their phone; a later one of either overrides it. A station that is no employer's
/// stand has nobody to consent to.
pub(crate) async fn at_kiosk(
    tx: &mut Tx,
    (kiosk_id, seq): (&str, i64),
    (event_id, stand, ticket_id): (&str, &str, &str),
    granted: bool,
    (at, received): (Millis, Millis),
) -> Result<()> {
    let employer: Option<(String,)> = fetch!(
        tx,
        fetch_optional,
        "select e.id from employer e join ticket t on t.id = $3 and t.event_id = e.event_id
         where e.event_id = $1 and e.stand = $2",
        event_id,
        stand,
        ticket_id,
    )?;
    let Some((employer_id,)) = employer else { return Ok(()) };
    execute!(
        tx,
        "insert into consent (id, event_id, employer_id, ticket_id, granted, how, notice, kiosk_id, seq, at_ms, received_ms)
         values ($1, $2, $3, $4, $5, 'visitor', $6, $7, $8, $9, $10) on conflict (kiosk_id, seq) do nothing",
        new_id(received),
        event_id,
        &employer_id,
        ticket_id,
        granted,
        NOTICE,
        kiosk_id,
        seq,
        // A clock that is ahead must not outlive what the visitor says afterwards.
        at.0.min(received.0),
        received.0,
    )?;
    Ok(())
}

struct Row<'a> {
    granted: bool,
    how: &'static str,
    staff: Option<&'a str>,
    at: Millis,
    received: Millis,
}

async fn insert(tx: &mut Tx, employer: &Employer, ticket: &Ticket, row: &Row<'_>) -> Result<()> {
    execute!(
        tx,
        "insert into consent (id, event_id, employer_id, ticket_id, granted, how, notice, staff_id, at_ms, received_ms)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        new_id(row.received),
        &employer.event_id,
        &employer.id,
        &ticket.id,
        row.granted,
        row.how,
        NOTICE,
        row.staff,
        row.at.0,
        row.received.0,
    )?;
    Ok(())
}
