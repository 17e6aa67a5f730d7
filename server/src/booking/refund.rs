//! Contributions that go back: noted at the counter like those that came in. What is owed is computed from what was
//! noted, so nothing has to be kept in step.

use admission::Millis;
use axum::http::StatusCode;

use super::{
    Booking,
    change::{self, Cause, Outcome},
    held,
};
use crate::{
    App, audit,
    db::{Tx, new_id},
    error::{Refused, Result},
    event, execute, fetch, outbox,
    web::{access::Staff, form::yuan},
};

/// What was paid for a booking and not given back, in cents.
pub(super) async fn owed(tx: &mut Tx, booking_id: &str) -> Result<i64> {
    paid_and_back(tx, booking_id).await.map(|(paid, back)| paid - back)
}

/// What was paid for a booking, and what was given back, in cents.
pub(crate) async fn paid_and_back(tx: &mut Tx, booking_id: &str) -> Result<(i64, i64)> {
    Ok(fetch!(
        tx,
        fetch_one,
        "select cast(coalesce(sum(case when kind = 'paid' then cents else 0 end), 0) as bigint),
                cast(coalesce(sum(case when kind = 'refunded' then cents else 0 end), 0) as bigint)
         from payment where booking_id = $1",
        booking_id,
    )?)
}

/// Staff note that what was paid for a booking that came to nothing was given back. Doing it again changes nothing.
///
/// # Errors
/// [`crate::Error::NotFound`]; [`crate::Error::Invalid`] for another method; [`crate::Error::Refused`] `not_owed` when
/// the booking stands, or nothing was paid for it.
pub(super) async fn note(app: &App, staff: &Staff, booking_id: &str, method: &str) -> Result<()> {
    held::check_method(method)?;
    let (staff, method, now) = (staff.clone(), method.to_owned(), app.clock.now());
    change::write(app, booking_id, None, move |tx, _, booking| {
        let (staff, method) = (staff.clone(), method.clone());
        Box::pin(async move { note_in(tx, &booking, &staff, &method, now).await })
    })
    .await
    .map(drop)
}

async fn note_in(
    tx: &mut Tx,
    booking: &Booking,
    staff: &Staff,
    method: &str,
    now: Millis,
) -> Result<Outcome> {
    let (paid, back) = paid_and_back(tx, &booking.id).await?;
    if paid > 0 && paid == back {
        return Ok(Ok(false));
    }
    let event = event::queries::event(tx, &booking.event_id).await?;
    if paid <= back || (booking.status.is_open() && !event.is_cancelled()) {
        return Ok(Err(not_owed().into()));
    }
    let cents = paid - back;
    execute!(
        tx,
        "insert into payment (id, event_id, booking_id, kind, cents, method, staff_id, at_ms)
         values ($1, $2, $3, 'refunded', $4, $5, $6, $7)",
        new_id(now),
        &booking.event_id,
        &booking.id,
        cents,
        method,
        &staff.id,
        now.0,
    )?;
    change::log(tx, booking, booking.status, Cause::by("refunded", &staff.id), now).await?;
    audit::record(tx, staff, "booking.refund", &booking.id, &format!("{cents} cents"), now).await?;
    let body = format!(
        "【王佐镇总工会】「{}」已退您 {} 元。如没有收到，请联系服务台。",
        event.title,
        yuan(cents)
    );
    outbox::tell(tx, &booking.person_id, &body, now).await?;
    tx.notify(&event.id).await?;
    Ok(Ok(true))
}

fn not_owed() -> Refused {
    Refused::new(
        StatusCode::CONFLICT,
        "not_owed",
        "这个报名没有要退的钱：还有效，或没有登记过缴费。",
        "Nothing is to be refunded: the booking stands, or no payment was noted.",
    )
}
