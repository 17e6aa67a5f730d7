//! Places that are held for a time: their holder confirms, or the contribution is paid, or they lapse.

use std::time::Duration;

use admission::Millis;
use axum::http::StatusCode;

use super::{
    Booking, Status,
    change::{self, Cause, Outcome},
    queries, tickets,
};
use crate::{
    App,
    db::Tx,
    error::{Error, Refused, Result},
    event::{self, Event, Offer},
    execute, fetch, outbox,
    web::access::{Person, Staff},
};

/// Who waits in line hears of a lapsed place at most this much later.
const EVERY: Duration = Duration::from_secs(1);
/// How many bookings one round of the sweep ends at most.
const ROUND: i64 = 200;

/// A person takes the places that are held for them. Doing it again changes nothing. Where there is a contribution to
/// pay, the places are held on until it is paid at the counter.
///
/// # Errors
/// [`Error::NotFound`] when it is not theirs; [`Error::Refused`] `lapsed` after the hour, `not_held` when nothing is
/// held for them, `unpaid` when what is missing is the money, `cancelled` when the event is; [`Error::TooMany`].
pub(crate) async fn confirm(app: &App, person: &Person, booking_id: &str) -> Result<()> {
    change::pace(app, person)?;
    let now = app.clock.now();
    change::write(app, booking_id, Some(&person.id), move |tx, app, booking| {
        Box::pin(async move { confirm_in(tx, &app, &booking, now).await })
    })
    .await
    .map(drop)
}

async fn confirm_in(tx: &mut Tx, app: &App, booking: &Booking, now: Millis) -> Result<Outcome> {
    match booking.status {
        Status::Confirmed => return Ok(Ok(false)),
        Status::Held => {}
        Status::Lapsed => return Ok(Err(lapsed().into())),
        _ => return Ok(Err(not_held().into())),
    }
    if is_over(booking, now) {
        return Ok(Err(lapsed().into()));
    }
    let (event, offer) = of(tx, booking).await?;
    if event.is_cancelled() {
        return Ok(Err(change::event_cancelled().into()));
    }
    let issued = !queries::tickets_of(tx, &booking.id).await?.is_empty();
    if offer.contribution_cents == 0 {
        settle(tx, app, (&event, &offer), booking, Cause::of("confirmed"), now).await?;
    } else if issued {
        return Ok(Err(unpaid().into()));
    } else {
        // Accepted; from now on there is time to pay.
        let until = now.plus(offer.held_ms().unwrap_or_default()).min(offer.valid_to_ms);
        execute!(tx, "update booking set held_until_ms = $2 where id = $1", &booking.id, until.0)?;
        tickets::issue(tx, &app.keys, (&event, &offer), booking, "unpaid", now).await?;
        change::log(tx, booking, Status::Held, Cause::of("accepted"), now).await?;
        tx.notify(&event.id).await?;
    }
    Ok(Ok(true))
}

/// How a contribution was paid.
pub(crate) const METHODS: [(&str, &str, &str); 3] = [
    ("cash", "现金", "Cash"),
    ("bank", "银行转账", "Bank transfer"),
    ("wechat", "微信（人工核对）", "WeChat (checked by hand)"),
];

/// Staff note that the contribution was paid; the booking is confirmed. Doing it again changes nothing.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Invalid`] for another method, [`Error::Refused`] `lapsed`, `not_held` or `cancelled`.
pub(crate) async fn pay(app: &App, staff: &Staff, booking_id: &str, method: &str) -> Result<()> {
    check_method(method)?;
    let (staff_id, method, now) = (staff.id.clone(), method.to_owned(), app.clock.now());
    change::write(app, booking_id, None, move |tx, app, booking| {
        let (staff_id, method) = (staff_id.clone(), method.clone());
        Box::pin(async move { pay_in(tx, &app, &booking, &staff_id, &method, now).await })
    })
    .await
    .map(drop)
}

/// Refuses a way to pay that is none.
pub(super) fn check_method(method: &str) -> Result<()> {
    if METHODS.iter().any(|(word, ..)| *word == method) {
        return Ok(());
    }
    Err(Error::invalid(
        "method",
        "请选择方式：现金、银行转账或微信。",
        "Please choose how: cash, bank or wechat.",
    ))
}

async fn pay_in(
    tx: &mut Tx,
    app: &App,
    booking: &Booking,
    staff_id: &str,
    method: &str,
    now: Millis,
) -> Result<Outcome> {
    match booking.status {
        Status::Confirmed => return Ok(Ok(false)),
        Status::Held if is_over(booking, now) => return Ok(Err(lapsed().into())),
        Status::Held => {}
        Status::Lapsed => return Ok(Err(lapsed().into())),
        _ => return Ok(Err(not_held().into())),
    }
    let (event, offer) = of(tx, booking).await?;
    if event.is_cancelled() {
        return Ok(Err(change::event_cancelled().into()));
    }
    execute!(
        tx,
        "insert into payment (id, event_id, booking_id, kind, cents, method, staff_id, at_ms)
         values ($1, $2, $3, 'paid', $4, $5, $6, $7)",
        crate::db::new_id(now),
        &booking.event_id,
        &booking.id,
        offer.contribution_cents * booking.places,
        method,
        staff_id,
        now.0,
    )?;
    let cause = Cause::by("paid", staff_id);
    settle(tx, app, (&event, &offer), booking, cause, now).await?;
    Ok(Ok(true))
}

/// The places are theirs: the tickets admit.
async fn settle(
    tx: &mut Tx,
    app: &App,
    (event, offer): (&Event, &Offer),
    booking: &Booking,
    cause: Cause<'_>,
    now: Millis,
) -> Result<()> {
    execute!(
        tx,
        "update booking set status = 'confirmed', held_until_ms = null where id = $1",
        &booking.id
    )?;
    if queries::tickets_of(tx, &booking.id).await?.is_empty() {
        tickets::issue(tx, &app.keys, (event, offer), booking, "valid", now).await?;
    } else {
        tickets::set_state(tx, booking, "valid").await?;
    }
    change::log(tx, booking, Status::Confirmed, cause, now).await?;
    tx.notify(&event.id).await?;
    Ok(())
}

/// Sweeps every second until the server stops.
pub async fn run(app: App) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = app.stopping.cancelled() => return,
        }
        if let Err(error) = crate::draw::sweep(&app).await {
            tracing::error!(cause = ?error, "a ballot could not be drawn; trying again");
        }
        if let Err(error) = crate::allocation::sweep(&app).await {
            tracing::warn!(cause = %error, "what the unions left could not flow back; trying again");
        }
        if let Err(error) = crate::goods::sweep(&app).await {
            tracing::warn!(cause = %error, "goods that nobody collected could not go on; trying again");
        }
        match sweep(&app).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "held places lapsed"),
            Err(error) => {
                tracing::warn!(cause = %error, "held places could not lapse; trying again")
            }
        }
    }
}

/// Ends what was held too long; the places go to the first in line, or back. Gives how many bookings lapsed. Several
/// server processes may do it at once; each booking lapses once. Where the event was cancelled there is nothing to be
/// late for.
///
/// # Errors
/// When the database fails; what lapsed before that stays lapsed.
pub async fn sweep(app: &App) -> Result<usize> {
    let now = app.clock.now();
    let mut tx = app.db.read().await?;
    let due: Vec<(String,)> = fetch!(
        tx,
        fetch_all,
        "select b.id from booking b join event e on e.id = b.event_id
         where b.status = 'held' and b.held_until_ms < $1 and e.status <> 'cancelled' order by b.held_until_ms limit $2",
        now.0,
        ROUND,
    )?;
    drop(tx);
    let mut count = 0;
    for (booking_id,) in due {
        let lapsed = change::write(app, &booking_id, None, move |tx, app, booking| {
            Box::pin(async move { lapse(tx, &app, &booking, now).await })
        });
        count += usize::from(lapsed.await?);
    }
    Ok(count)
}

async fn lapse(tx: &mut Tx, app: &App, booking: &Booking, now: Millis) -> Result<Outcome> {
    if booking.status != Status::Held
        || !is_over(booking, now)
        || !change::end(tx, app, booking, Status::Lapsed, Cause::of("lapsed"), now).await?
    {
        return Ok(Ok(false));
    }
    let event = event::queries::event(tx, &booking.event_id).await?;
    let body =
        format!("【王佐镇总工会】您在「{}」的名额没有按时确认，已经让给下一位。", event.title);
    outbox::tell(tx, &booking.person_id, &body, now).await?;
    Ok(Ok(true))
}

/// Its hour has passed, whether or not the sweep came by.
pub(crate) fn is_over(booking: &Booking, now: Millis) -> bool {
    booking.held_until_ms.is_some_and(|until| now.0 > until)
}

async fn of(tx: &mut Tx, booking: &Booking) -> Result<(Event, Offer)> {
    let event = event::queries::event(tx, &booking.event_id).await?;
    Ok((event, event::queries::offer(tx, &booking.offer_id).await?))
}

fn lapsed() -> Refused {
    Refused::new(
        StatusCode::CONFLICT,
        "lapsed",
        "保留的时间已过，名额已经让给下一位。还有名额时可以重新报名。",
        "The time to confirm has passed and the place went to the next. You may book again while there are places.",
    )
}

fn not_held() -> Refused {
    Refused::new(
        StatusCode::CONFLICT,
        "not_held",
        "现在没有为您保留的名额，不用确认。",
        "No place is held for you now; there is nothing to confirm.",
    )
}

fn unpaid() -> Refused {
    Refused::new(
        StatusCode::CONFLICT,
        "unpaid",
        "名额已为您保留，请在期限前到服务台缴费。",
        "The place is held for you. Please pay at the counter in time.",
    )
}
