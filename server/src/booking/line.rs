//! The waiting list of an offer: who finds no place stands in line, and a place that comes free goes to the first.
//!
//! The line is strict. Nobody overtakes: while somebody waits, a free place is theirs, also when a group at the head
//! waits for more places than are free. A group gets all its places or none. The head of the line is offered its
//! places for a time; unless it accepts they lapse, and the next is asked.

use admission::Millis;

use super::{Booking, Status, change, change::Cause, queries, rules, tickets};
use crate::{
    App,
    db::Tx,
    error::Result,
    event::{self, Event, Offer},
    execute, fetch, no_show, outbox,
};

/// Lets `count` more bookings stand in the line of an offer; gives the last place in line, and how many wait now.
pub(super) async fn join(tx: &mut Tx, offer_id: &str, count: i64) -> Result<(i64, i64)> {
    Ok(fetch!(
        tx,
        fetch_one,
        "update offer set waiting = waiting + $2, last_in_line = last_in_line + $2 where id = $1
         returning last_in_line, waiting",
        offer_id,
        count,
    )?)
}

/// A new last place in the line of an offer, for one who stands in it already.
pub(super) async fn last(tx: &mut Tx, offer_id: &str) -> Result<i64> {
    let (last, _) = join(tx, offer_id, 1).await?;
    leave(tx, offer_id).await?;
    Ok(last)
}

/// One booking less stands in the line of an offer.
pub(super) async fn leave(tx: &mut Tx, offer_id: &str) -> Result<()> {
    execute!(tx, "update offer set waiting = waiting - 1 where id = $1", offer_id)?;
    Ok(())
}

/// How many stand before `booking`, and itself: 1 is the head of the line. None when it does not stand in line.
pub(crate) async fn position(tx: &mut Tx, booking: &Booking) -> Result<Option<i64>> {
    if booking.status != Status::Waiting {
        return Ok(None);
    }
    let (position,): (i64,) = fetch!(
        tx,
        fetch_one,
        "select count(*) from booking where offer_id = $1 and status = 'waiting' and line <= $2",
        &booking.offer_id,
        booking.line,
    )?;
    Ok(Some(position))
}

/// Offers the free places to the first in line, as far as they go. The transaction holds the event's counter.
pub(crate) async fn advance(tx: &mut Tx, app: &App, offer: &Offer, now: Millis) -> Result<()> {
    let event = event::queries::event(tx, &offer.event_id).await?;
    if event.is_cancelled() || now >= offer.valid_to_ms || offer.is_reserved(now) {
        return Ok(());
    }
    // Who is asked whether they may have a place has one to get.
    while let Some(head) = head_with_a_place_free(tx, &offer.id).await? {
        if put_out(tx, app, (&event, offer), &head, now).await? {
            continue;
        }
        if !queries::take_for_line(tx, &offer.id, head.places).await? {
            break;
        }
        promote(tx, app, (&event, offer), &head, Cause::of("promoted"), now).await?;
    }
    Ok(())
}

/// The first in line, where a place is free at all.
async fn head_with_a_place_free(tx: &mut Tx, offer_id: &str) -> Result<Option<Booking>> {
    Ok(fetch!(
        tx,
        fetch_optional,
        "select b.* from booking b join offer o on o.id = b.offer_id
         where b.offer_id = $1 and b.status = 'waiting' and o.taken < o.quota order by b.line limit 1",
        offer_id,
    )?)
}

/// Ends an open booking without places whose person is barred by now, or not among those whom the offer is for any more:
/// they get no turn, and are told why. False when they are neither. The transaction holds the event's counter.
pub(crate) async fn put_out(
    tx: &mut Tx,
    app: &App,
    (event, offer): (&Event, &Offer),
    booking: &Booking,
    now: Millis,
) -> Result<bool> {
    let person = &booking.person_id;
    let (cause, body) = if let Some(until) =
        no_show::rules::barred_until(tx, offer, person, now).await?
    {
        let zone = &event.time_zone;
        ("barred", no_show::rules::put_out(&event.title, until, zone, &app.public_url))
    } else if !rules::eligible(tx, offer, person).await? {
        let body = format!(
            "【王佐镇总工会】「{}」的报名没有保留：您现在不在可以报名的范围里。如果会员身份或所在工会有误，请联系本单位工会：{}/bookings/{}",
            event.title, app.public_url, booking.id
        );
        ("not_eligible", body)
    } else {
        return Ok(false);
    };
    execute!(
        tx,
        "update booking set status = 'cancelled', cancelled_ms = $2, cancelled_by = $3 where id = $1",
        &booking.id,
        now.0,
        cause,
    )?;
    if booking.status == Status::Waiting {
        leave(tx, &offer.id).await?;
    }
    change::log(tx, booking, Status::Cancelled, Cause::of(cause), now).await?;
    outbox::tell(tx, person, &body, now).await?;
    Ok(true)
}

/// Holds the places that were taken for one who waits, and tells them until when.
pub(super) async fn promote(
    tx: &mut Tx,
    app: &App,
    (event, offer): (&Event, &Offer),
    head: &Booking,
    cause: Cause<'_>,
    now: Millis,
) -> Result<()> {
    // One whom an organizer approved has tickets already: there is nothing to accept, only to pay.
    let to_pay =
        offer.contribution_cents > 0 && !queries::tickets_of(tx, &head.id).await?.is_empty();
    let time = if to_pay { offer.held_ms().unwrap_or(offer.accept_ms) } else { offer.accept_ms };
    let until = now.plus(time).min(offer.valid_to_ms);
    if to_pay {
        tickets::set_state(tx, head, "unpaid").await?;
    }
    execute!(
        tx,
        "update booking set status = 'held', held_until_ms = $2 where id = $1",
        &head.id,
        until.0
    )?;
    leave(tx, &offer.id).await?;
    change::log(tx, head, Status::Held, cause, now).await?;
    let at = said(until, &event.time_zone);
    let body = format!(
        "【王佐镇总工会】轮到您了：「{}」有了您的名额（{} 个），请在 {at} 前确认，过时让给下一位：{}/bookings/{}",
        event.title, head.places, app.public_url, head.id
    );
    outbox::tell(tx, &head.person_id, &body, now).await
}

/// A moment on the event's clocks, for a short message.
pub(super) fn said(at: Millis, time_zone: &str) -> String {
    jiff::Timestamp::from_millisecond(at.0)
        .unwrap_or_default()
        .to_zoned(crate::web::frame::zone(time_zone))
        .strftime("%-m月%-d日 %H:%M")
        .to_string()
}
