//! A booking changes: its status, its places, its person's limits, its tickets and the log of it all move together.

use std::sync::Arc;

use admission::Millis;
use axum::http::StatusCode;
use futures_util::future::BoxFuture;

use super::{Booking, Status, line, queries, tickets};
use crate::{
    App, allocation,
    db::{Tx, new_id},
    error::{Error, Refused, Result},
    event, execute, fetch,
    web::access::Person,
};

/// What a change of a booking gives: whether anything changed, or a refusal that wrote nothing.
pub(super) type Outcome = std::result::Result<bool, Error>;

/// Counts a change that a person makes to a booking of theirs. Whoever gives a place back is not kept from it by having
/// tried too often to get one, so these are counted for themselves.
///
/// # Errors
/// [`Error::TooMany`] when there were too many of late.
pub(super) fn pace(app: &App, person: &Person) -> Result<()> {
    app.bookings.pace(&format!("change/{}", person.id))
}

/// Has `work` change a booking through the ledger, with its event's counter held; of `person_id` only, when one is
/// given. Who watches the event hears of it.
///
/// # Errors
/// [`Error::NotFound`] when there is no such booking or it is another's; whatever the work refuses.
pub(super) async fn write<F>(
    app: &App,
    booking_id: &str,
    person_id: Option<&str>,
    work: F,
) -> Result<bool>
where
    F: for<'t> Fn(&'t mut Tx, App, Booking) -> BoxFuture<'t, Result<Outcome>>
        + Send
        + Sync
        + 'static,
{
    let (booking_id, person_id) = (booking_id.to_owned(), person_id.map(str::to_owned));
    let (inner, work) = (app.clone(), Arc::new(work));
    let outcome = app
        .ledger
        .write(move |tx| {
            let (app, booking_id, person_id) =
                (inner.clone(), booking_id.clone(), person_id.clone());
            let work = Arc::clone(&work);
            Box::pin(async move {
                let Some(booking) = queries::find(tx, &booking_id).await? else {
                    return Ok(Err(Error::NotFound));
                };
                if person_id.is_some_and(|person_id| person_id != booking.person_id) {
                    return Ok(Err(Error::NotFound));
                }
                event::queries::hold(tx, &booking.event_id).await?;
                // What it is now, nobody else changes until commit.
                let booking = queries::find(tx, &booking_id).await?.unwrap_or(booking);
                let event_id = booking.event_id.clone();
                let outcome = work(tx, app, booking).await?;
                Ok(outcome.map(|changed| changed.then_some(event_id)))
            })
        })
        .await?;
    let event_id = outcome?;
    if let Some(event_id) = &event_id {
        app.live.changed(event_id);
        app.outbox_wakes.notify_one();
    }
    Ok(event_id.is_some())
}

/// Why a booking changed, and who did it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cause<'a> {
    /// A word for the log: `cancelled`, `lapsed`, `promoted`, `confirmed`, `paid`, `drawn`, …
    pub(crate) word: &'static str,
    /// The member of staff who did it.
    pub(crate) staff_id: Option<&'a str>,
    /// What staff said to it; empty when they were not asked.
    pub(crate) reason: &'a str,
}

impl<'a> Cause<'a> {
    /// Nobody of the staff did it.
    pub(crate) const fn of(word: &'static str) -> Self {
        Self { word, staff_id: None, reason: "" }
    }

    /// A member of staff did it.
    pub(crate) const fn by(word: &'static str, staff_id: &'a str) -> Self {
        Self { word, staff_id: Some(staff_id), reason: "" }
    }
}

/// Writes down what became of a booking.
pub(super) async fn log(
    tx: &mut Tx,
    booking: &Booking,
    status: Status,
    cause: Cause<'_>,
    now: Millis,
) -> Result<()> {
    execute!(
        tx,
        "insert into booking_change (id, event_id, booking_id, at_ms, status, cause, staff_id, reason)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        new_id(now),
        &booking.event_id,
        &booking.id,
        now.0,
        status,
        cause.word,
        cause.staff_id,
        cause.reason,
    )?;
    Ok(())
}

/// Why staff ended a booking; empty when they did not.
pub(super) async fn reason_of_end(tx: &mut Tx, booking: &Booking) -> Result<String> {
    if booking.cancelled_by.as_deref() != Some("removed") {
        return Ok(String::new());
    }
    let (reason,): (String,) = fetch!(
        tx,
        fetch_one,
        "select reason from booking_change where booking_id = $1 and cause = 'removed' order by at_ms desc limit 1",
        &booking.id,
    )?;
    Ok(reason)
}

/// Why nothing is confirmed, paid for or approved any more.
pub(super) fn event_cancelled() -> Refused {
    Refused::new(
        StatusCode::CONFLICT,
        "cancelled",
        "活动已取消，没有改动。",
        "The event was cancelled; nothing was changed.",
    )
}

/// Ends an open booking as `status`, if it still is what `booking` says and nobody went in on it: its places go to the
/// first in line, its tickets no longer admit. False when it was too late. The transaction holds the event's counter.
pub(super) async fn end(
    tx: &mut Tx,
    app: &App,
    booking: &Booking,
    status: Status,
    cause: Cause<'_>,
    now: Millis,
) -> Result<bool> {
    let rows = execute!(
        tx,
        "update booking set status = $3, held_until_ms = null, cancelled_ms = $4, cancelled_by = $5
         where id = $1 and status = $2
           and not exists (select 1 from ticket t where t.booking_id = $1 and t.used_ms is not null)",
        &booking.id,
        booking.status,
        status,
        now.0,
        cause.word,
    )?;
    if rows == 0 {
        return Ok(false);
    }
    if booking.status.has_places() {
        queries::release(tx, &booking.offer_id, booking.places).await?;
        if booking.union_id.is_some() {
            allocation::queries::release(tx, &booking.id).await?;
        }
    }
    if booking.status == Status::Waiting {
        line::leave(tx, &booking.offer_id).await?;
    }
    tickets::set_state(tx, booking, "cancelled").await?;
    log(tx, booking, status, cause, now).await?;
    let offer = event::queries::offer(tx, &booking.offer_id).await?;
    line::advance(tx, app, &offer, now).await?;
    tx.notify(&booking.event_id).await?;
    Ok(true)
}
