//! Places lent to one kiosk, which it gives to members who come without a ticket. They are taken from the offer's quota
//! before the kiosk hears of them, so no two kiosks and no booking page ever give the same place, however long the kiosk
//! is alone.
//!
//! What is not used goes back when the kiosk says so: it spoke after the end of the allotment and had nothing left to
//! send. A revoked kiosk speaks once more at most; it gives no place after the end either, so its rest goes back then. (What
//! it tells later of a place that it gave before takes one from the quota, if there is one.)

use admission::{
    Millis,
    scan::WalkIn,
    sync,
    time::{DAY, HOUR, MINUTE},
};

use super::{Kiosk, queries};
use crate::{
    App,
    booking::{self, walk_in},
    checkin::record::Recorded,
    db::Tx,
    error::Result,
    event::{self, Event, Offer},
    execute, fetch,
};

/// Places are lent for this long at most without hearing of the kiosk.
const LENT_MS: i64 = 12 * HOUR;
/// They are lent from this long before admission begins.
const BEFORE_MS: i64 = 2 * HOUR;
/// A kiosk's clock may be so much late.
const GRACE_MS: i64 = 2 * MINUTE;
/// The end is moved in steps of this: most contacts change nothing.
const STEP_MS: i64 = HOUR;

/// An allotment that is open.
#[derive(Clone, Debug, sqlx::FromRow)]
struct Open {
    kiosk_id: String,
    number: i64,
    event_id: String,
    offer_id: String,
    places: i64,
    used: i64,
    until_ms: i64,
}

/// What is to be done about a kiosk's places of one offer.
#[derive(Debug, PartialEq, Eq)]
enum Task {
    Nothing,
    /// Take so many more places, and lend all until then.
    Lend {
        more: i64,
        until_ms: i64,
    },
    /// The kiosk gives no more after now.
    End,
    /// The rest goes back.
    Close,
}

fn task(kiosk: &Kiosk, event: &Event, offer: &Offer, open: Option<&Open>, now: Millis) -> Task {
    let gives = kiosk.station_kind == "gate"
        && kiosk.quarantined_ms.is_none()
        && offer.may_be_lent()
        && event.status == "published"
        && now >= offer.valid_from_ms.plus(-BEFORE_MS)
        && now < offer.valid_to_ms;
    match open {
        Some(open) if open.until_ms + GRACE_MS < now.0 && kiosk.queue == 0 && !gives => Task::Close,
        Some(open) if !gives && open.until_ms > now.0 => Task::End,
        _ if !gives => Task::Nothing,
        _ => {
            let in_hand = open.map_or(0, |open| open.places - open.used);
            let free = if offer.waiting == 0 { offer.left() } else { 0 };
            let more = (offer.walk_ins - in_hand).clamp(0, free.max(0));
            let until_ms = offer.valid_to_ms.0.min(now.0 + LENT_MS);
            let further = open.is_some_and(|open| until_ms >= open.until_ms + STEP_MS);
            if more > 0 || further { Task::Lend { more, until_ms } } else { Task::Nothing }
        }
    }
}

/// Lends, prolongs and takes back what `kiosk_id` may give away. Called whenever it is heard.
///
/// # Errors
/// When the database fails or the ledger is full.
pub(super) async fn tend(app: &App, kiosk_id: &str, now: Millis) -> Result<()> {
    let mut tx = app.db.read().await?;
    let nothing = tasks(&mut tx, kiosk_id, now).await?.is_empty();
    drop(tx);
    if nothing {
        return Ok(());
    }
    let id = kiosk_id.to_owned();
    let event_id = app
        .ledger
        .write(move |tx| {
            let id = id.clone();
            Box::pin(async move {
                let kiosk = queries::kiosk(tx, &id).await?;
                event::queries::hold(tx, &kiosk.event_id).await?;
                for (offer, open, task) in tasks(tx, &id, now).await? {
                    carry_out(tx, &kiosk, &offer, open.as_ref(), task, now).await?;
                }
                tx.notify(&kiosk.event_id).await?;
                Ok(kiosk.event_id)
            })
        })
        .await?;
    app.live.changed(&event_id);
    Ok(())
}

type Tasks = Vec<(Offer, Option<Open>, Task)>;

/// What is to be done; asked again once the event's counter is held, for it may have changed.
async fn tasks(tx: &mut Tx, kiosk_id: &str, now: Millis) -> Result<Tasks> {
    let kiosk = queries::kiosk(tx, kiosk_id).await?;
    let mut opened = open_of(tx, kiosk_id).await?;
    let offers = event::queries::offers(tx, &kiosk.event_id).await?;
    if opened.is_empty() && offers.iter().all(|offer| offer.walk_ins == 0) {
        return Ok(Vec::new());
    }
    let event = event::queries::event(tx, &kiosk.event_id).await?;
    let mut tasks = Vec::new();
    for offer in offers {
        let at = opened.iter().position(|open| open.offer_id == offer.id);
        let open = at.map(|at| opened.swap_remove(at));
        let task = task(&kiosk, &event, &offer, open.as_ref(), now);
        if task != Task::Nothing {
            tasks.push((offer, open, task));
        }
    }
    Ok(tasks)
}

async fn carry_out(
    tx: &mut Tx,
    kiosk: &Kiosk,
    offer: &Offer,
    open: Option<&Open>,
    task: Task,
    now: Millis,
) -> Result<()> {
    match (task, open) {
        (Task::Nothing, _) | (Task::End | Task::Close, None) => {}
        (Task::Close, Some(open)) => close(tx, open, now).await?,
        (Task::End, Some(open)) => {
            execute!(
                tx,
                "update allotment set until_ms = $3 where kiosk_id = $1 and number = $2",
                &open.kiosk_id,
                open.number,
                now.0,
            )?;
        }
        (Task::Lend { more, until_ms }, open) => {
            if more > 0 && !booking::queries::take(tx, &offer.id, more).await? {
                return Ok(());
            }
            if let Some(open) = open {
                execute!(
                    tx,
                    "update allotment set places = places + $3, until_ms = $4 where kiosk_id = $1 and number = $2",
                    &open.kiosk_id,
                    open.number,
                    more,
                    until_ms,
                )?;
            } else if more > 0 {
                execute!(
                    tx,
                    "insert into allotment (kiosk_id, number, event_id, offer_id, places, until_ms)
                     values ($1, (select coalesce(max(number), 0) + 1 from allotment where kiosk_id = $1), $2, $3, $4, $5)",
                    &kiosk.id,
                    &offer.event_id,
                    &offer.id,
                    more,
                    until_ms,
                )?;
            }
        }
    }
    Ok(())
}

/// The rest of an allotment goes back to its offer.
async fn close(tx: &mut Tx, open: &Open, now: Millis) -> Result<()> {
    let rows = execute!(
        tx,
        "update allotment set places = used, closed_ms = $3 where kiosk_id = $1 and number = $2 and closed_ms is null",
        &open.kiosk_id,
        open.number,
        now.0,
    )?;
    if rows == 1 {
        booking::queries::release(tx, &open.offer_id, open.places - open.used).await?;
    }
    Ok(())
}

/// Gives back what kiosks hold that will not speak again: revoked ones, after the end; and all, a day after it.
///
/// # Errors
/// When the database fails.
pub(crate) async fn reclaim(app: &App) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.db.read().await?;
    let over: Vec<Open> = fetch!(
        tx,
        fetch_all,
        "select a.* from allotment a join kiosk k on k.id = a.kiosk_id
         where a.closed_ms is null and a.until_ms < $1 and (k.revoked_ms is not null or a.until_ms < $2)
         order by a.event_id",
        now.0 - GRACE_MS,
        now.0 - DAY,
    )?;
    drop(tx);
    for open in over {
        let event_id = open.event_id.clone();
        app.ledger
            .write(move |tx| {
                let open = open.clone();
                Box::pin(async move {
                    event::queries::hold(tx, &open.event_id).await?;
                    let found = open_of(tx, &open.kiosk_id).await?;
                    if let Some(open) = found.iter().find(|found| found.number == open.number) {
                        close(tx, open, now).await?;
                    }
                    tx.notify(&open.event_id).await?;
                    Ok(())
                })
            })
            .await?;
        app.live.changed(&event_id);
    }
    Ok(())
}

async fn open_of(tx: &mut Tx, kiosk_id: &str) -> Result<Vec<Open>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select * from allotment where kiosk_id = $1 and closed_ms is null order by number",
        kiosk_id,
    )?)
}

/// What a kiosk may give away, as it is told.
pub(super) async fn of_kiosk(tx: &mut Tx, kiosk_id: &str) -> Result<Vec<sync::Allotment>> {
    let rows: Vec<(i64, i64, i64, i64)> = fetch!(
        tx,
        fetch_all,
        "select a.number, o.class, a.places, a.until_ms from allotment a join offer o on o.id = a.offer_id
         where a.kiosk_id = $1 and a.closed_ms is null order by a.number",
        kiosk_id,
    )?;
    let told = rows.into_iter().filter_map(|(number, class, places, until_ms)| {
        let (class, places) = (u8::try_from(class).ok()?, u32::try_from(places).ok()?);
        Some(sync::Allotment { number, class, places, until: Millis(until_ms) })
    });
    Ok(told.collect())
}

/// Books the place that a kiosk gave away; gives the ticket. A person who has a ticket by now (booked meanwhile, or given
/// one at another door) keeps that one, and the place goes back. None when there is no such person, or the kiosk gave
/// what it did not have: then the scan stands alone, and nothing is sold twice. The event's counter is held.
pub(crate) async fn give(
    tx: &mut Tx,
    kiosk: &Kiosk,
    recorded: &Recorded<'_>,
    walk_in: &WalkIn,
) -> Result<Option<String>> {
    let Some(ticket) = recorded.scan.ticket else { return Ok(None) };
    let offers = event::queries::offers(tx, &kiosk.event_id).await?;
    let Some(offer) = offers.iter().find(|offer| offer.class == i64::from(walk_in.class)) else {
        return Ok(None);
    };
    let has = walk_in::ticket_of(tx, &walk_in.person, &kiosk.event_id).await?;
    let from_allotment = execute!(
        tx,
        "update allotment set used = used + 1
         where kiosk_id = $1 and number = $2 and offer_id = $3 and used < places and closed_ms is null",
        &kiosk.id,
        walk_in.allotment,
        &offer.id,
    )? == 1;
    if has.is_some() {
        if from_allotment {
            booking::queries::release(tx, &offer.id, 1).await?;
        }
        return Ok(has);
    }
    if !from_allotment && !booking::queries::take(tx, &offer.id, 1).await? {
        return Ok(None);
    }
    let (person, key) = (&walk_in.person, (ticket, recorded.key_id));
    if !walk_in::book(tx, offer, person, key, recorded.received).await? {
        booking::queries::release(tx, &offer.id, 1).await?;
        return Ok(None);
    }
    Ok(Some(ticket.to_string()))
}
