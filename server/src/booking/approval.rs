//! Approval: people ask for places, an organizer says yes or no.

use admission::Millis;
use axum::http::StatusCode;

use super::{
    Booking, Status,
    change::{self, Cause, Outcome},
    line, queries, rules, tickets,
    together::Given,
};
use crate::{
    App,
    db::Tx,
    error::{Refused, Result},
    event::{self, Event, Offer},
    execute, no_show, outbox,
    web::access::Staff,
};

/// An organizer approves a request: its places are taken and its tickets admit, or it stands in line where the offer has
/// one and is full. Again changes nothing.
///
/// # Errors
/// [`crate::Error::NotFound`]; [`crate::Error::Refused`] `sold_out` when there are not so many places left, `barred`
/// while no-shows keep the person out, `not_eligible` when the offer is not for them any more, `cancelled` when the event
/// is, or `not_requested` when nothing is to be decided.
pub(super) async fn approve(app: &App, staff: &Staff, booking_id: &str) -> Result<()> {
    let (staff_id, now) = (staff.id.clone(), app.clock.now());
    change::write(app, booking_id, None, move |tx, app, booking| {
        let staff_id = staff_id.clone();
        Box::pin(async move { approve_in(tx, &app, &booking, &staff_id, now).await })
    })
    .await
    .map(drop)
}

async fn approve_in(
    tx: &mut Tx,
    app: &App,
    booking: &Booking,
    staff_id: &str,
    now: Millis,
) -> Result<Outcome> {
    match booking.status {
        Status::Confirmed | Status::Held | Status::Waiting => return Ok(Ok(false)),
        Status::Requested => {}
        _ => return Ok(Err(not_requested().into())),
    }
    let offer = event::queries::offer(tx, &booking.offer_id).await?;
    let event = event::queries::event(tx, &booking.event_id).await?;
    if event.is_cancelled() {
        return Ok(Err(change::event_cancelled().into()));
    }
    if let Some(refused) = kept_out(tx, &offer, &booking.person_id, now).await? {
        return Ok(Err(refused.into()));
    }
    if !offer.waiting_list {
        if !queries::take_for_line(tx, &booking.offer_id, booking.places).await? {
            return Ok(Err(full().into()));
        }
    } else if !queries::take(tx, &booking.offer_id, booking.places).await? {
        stand_in_line(tx, app, &event, booking, staff_id, now).await?;
        return Ok(Ok(true));
    }
    let given = Given::place(&offer);
    execute!(
        tx,
        "update booking set status = $2, held_until_ms = $3 where id = $1",
        &booking.id,
        given.status,
        given.held_ms.map(|ms| now.plus(ms).0),
    )?;
    // A request has its tickets from the beginning; one that is still to be confirmed stays unapproved at the door.
    tickets::set_state(tx, booking, given.tickets.unwrap_or("unapproved")).await?;
    let cause = Cause::by("approved", staff_id);
    change::log(tx, booking, given.status, cause, now).await?;
    let body = format!(
        "【王佐镇总工会】您报名的「{}」已通过审核：{}/bookings/{}",
        event.title, app.public_url, booking.id
    );
    outbox::tell(tx, &booking.person_id, &body, now).await?;
    tx.notify(&event.id).await?;
    Ok(Ok(true))
}

/// The request is approved, and there are not so many places: it stands in line behind those approved before. Its
/// tickets stay unapproved at the door.
async fn stand_in_line(
    tx: &mut Tx,
    app: &App,
    event: &Event,
    booking: &Booking,
    staff_id: &str,
    now: Millis,
) -> Result<()> {
    let (last, waiting) = line::join(tx, &booking.offer_id, 1).await?;
    execute!(
        tx,
        "update booking set status = 'waiting', line = $2 where id = $1",
        &booking.id,
        last
    )?;
    change::log(tx, booking, Status::Waiting, Cause::by("approved", staff_id), now).await?;
    let body = format!(
        "【王佐镇总工会】您报名的「{}」已通过审核。名额已满，您排在候补第 {waiting} 位，轮到会通知您：{}/bookings/{}",
        event.title, app.public_url, booking.id
    );
    outbox::tell(tx, &booking.person_id, &body, now).await?;
    Ok(tx.notify(&event.id).await?)
}

/// An organizer does not approve a request. Again changes nothing.
///
/// # Errors
/// [`crate::Error::NotFound`]; [`crate::Error::Refused`] `not_requested` when nothing is to be decided.
pub(super) async fn decline(app: &App, staff: &Staff, booking_id: &str) -> Result<()> {
    let (staff_id, now) = (staff.id.clone(), app.clock.now());
    change::write(app, booking_id, None, move |tx, app, booking| {
        let staff_id = staff_id.clone();
        Box::pin(async move { decline_in(tx, &app, &booking, &staff_id, now).await })
    })
    .await
    .map(drop)
}

async fn decline_in(
    tx: &mut Tx,
    app: &App,
    booking: &Booking,
    staff_id: &str,
    now: Millis,
) -> Result<Outcome> {
    match booking.status {
        Status::Declined => return Ok(Ok(false)),
        Status::Requested => {}
        _ => return Ok(Err(not_requested().into())),
    }
    let cause = Cause::by("declined", staff_id);
    if !change::end(tx, app, booking, Status::Declined, cause, now).await? {
        return Ok(Err(not_requested().into()));
    }
    let event = event::queries::event(tx, &booking.event_id).await?;
    let body =
        format!("【王佐镇总工会】您报名的「{}」没有通过审核，如有疑问请联系主办方。", event.title);
    outbox::tell(tx, &booking.person_id, &body, now).await?;
    Ok(Ok(true))
}

fn full() -> Refused {
    Refused::new(
        StatusCode::CONFLICT,
        "sold_out",
        "剩下的名额不够，没有通过。可以先增加名额，或不通过别的报名。",
        "There are not so many places left; it was not approved. Raise the quota first, or decline others.",
    )
}

/// Why staff may not give a person a place of `offer` now: they are barred, or not among those whom it is for any more.
pub(super) async fn kept_out(
    tx: &mut Tx,
    offer: &Offer,
    person_id: &str,
    now: Millis,
) -> Result<Option<Refused>> {
    if no_show::rules::barred_until(tx, offer, person_id, now).await?.is_some() {
        return Ok(Some(barred()));
    }
    let is_eligible = rules::eligible(tx, offer, person_id).await?;
    Ok((!is_eligible).then(|| {
        Refused::new(
            StatusCode::CONFLICT,
            "not_eligible",
            "此人现在不在可以报名的范围里，不能给。如果会员身份或所在工会有误，请先更正名册。",
            "This person is not among those whom the offer is for now. If the roster is wrong, please correct it first.",
        )
    }))
}

fn barred() -> Refused {
    Refused::new(
        StatusCode::CONFLICT,
        "barred",
        "此人多次报名后没有来，暂停期还没到，不能通过。有特殊情况，请先在「没有来的人」里谅解。",
        "This person stayed away several times and is barred for now. If there were reasons, excuse them under “No-shows” first.",
    )
}

fn not_requested() -> Refused {
    Refused::new(
        StatusCode::CONFLICT,
        "not_requested",
        "这个报名已经处理过，或本人已取消。",
        "This request was decided already, or its holder cancelled it.",
    )
}
