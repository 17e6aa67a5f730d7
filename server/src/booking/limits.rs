//! Limits that reach beyond one offer: places one person may hold in an event, and in events of its kind in a month
//! and in a year.
//!
//! They are counted from the bookings themselves, so that nothing has to be kept in step. The event's counter orders
//! the bookings of one event; where a limit reaches beyond it, one event of the kind is booked at a time.

use std::collections::HashMap;

use admission::Millis;
use axum::http::StatusCode;
use jiff::{RoundMode, ToSpan as _, Unit, ZonedRound};

use super::rules::Attempt;
use crate::{
    db::Tx,
    error::{Refused, Result},
    event::{Event, Offer},
    fetch_rows,
    web::frame::zone,
};

/// One limit of an offer, and the events over which it counts.
struct Limit {
    most: i64,
    scope: Scope,
    from: Millis,
    to: Millis,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    Event,
    Month,
    Year,
}

/// Those of `attempts` that would go over a limit of the offer, by person, with why.
pub(super) async fn over(
    tx: &mut Tx,
    event: &Event,
    offer: &Offer,
    attempts: &[&Attempt],
) -> Result<HashMap<String, Refused>> {
    let limits = of(event, offer)?;
    if limits.iter().any(|limit| limit.scope != Scope::Event) {
        tx.alone_in(&format!("limits/{}", event.kind)).await?;
    }
    let mut refused = HashMap::new();
    for limit in limits {
        let held = held(tx, event, &limit, attempts).await?;
        for attempt in attempts {
            let id = &attempt.person.id;
            let has = held.get(id).copied().unwrap_or(0);
            if has + attempt.places() > limit.most {
                refused.entry(id.clone()).or_insert_with(|| reached(&limit, event, has));
            }
        }
    }
    Ok(refused)
}

fn of(event: &Event, offer: &Offer) -> Result<Vec<Limit>> {
    let mut limits = Vec::new();
    if let Some(most) = offer.limit_event {
        limits.push(Limit { most, scope: Scope::Event, from: Millis(0), to: Millis(0) });
    }
    for (most, scope) in [(offer.limit_month, Scope::Month), (offer.limit_year, Scope::Year)] {
        if let Some(most) = most {
            let (from, to) = span(event, scope)?;
            limits.push(Limit { most, scope, from, to });
        }
    }
    Ok(limits)
}

/// The month or the year in which an event begins, on its own clocks.
fn span(event: &Event, scope: Scope) -> Result<(Millis, Millis)> {
    let starts = jiff::Timestamp::from_millisecond(event.starts_ms.0)
        .map_err(anyhow::Error::from)?
        .to_zoned(zone(&event.time_zone));
    let day = starts.round(ZonedRound::new().smallest(Unit::Day).mode(RoundMode::Floor));
    let day = day.map_err(anyhow::Error::from)?;
    let (first, length) = match scope {
        Scope::Year => (day.first_of_year(), 1.year()),
        Scope::Event | Scope::Month => (day.first_of_month(), 1.month()),
    };
    let first = first.map_err(anyhow::Error::from)?;
    let next = first.checked_add(length).map_err(anyhow::Error::from)?;
    Ok((Millis(first.timestamp().as_millisecond()), Millis(next.timestamp().as_millisecond())))
}

/// How many places each has in open bookings that count for `limit`. What a delegate collects for others is not theirs.
async fn held(
    tx: &mut Tx,
    event: &Event,
    limit: &Limit,
    attempts: &[&Attempt],
) -> Result<HashMap<String, i64>> {
    let rows: Vec<(String, i64)> = if limit.scope == Scope::Event {
        fetch_rows!(
            tx,
            "select b.person_id, cast(sum(b.places) as bigint) from (",
            attempts,
            |attempt| [&attempt.person.id, &event.id],
            ") v join offer o on o.event_id = v.column2
             join booking b on b.offer_id = o.id and b.person_id = v.column1
             where b.status in ('confirmed', 'held', 'waiting', 'entered', 'requested')
               and not exists (select 1 from goods_batch g where g.booking_id = b.id) group by b.person_id",
        )?
    } else {
        fetch_rows!(
            tx,
            "select b.person_id, cast(sum(b.places) as bigint) from (",
            attempts,
            |attempt| [&attempt.person.id, &event.kind, limit.from.0, limit.to.0],
            ") v join event e on e.kind = v.column2 join offer o on o.event_id = e.id
             join booking b on b.offer_id = o.id and b.person_id = v.column1
             where e.starts_ms >= v.column3 and e.starts_ms < v.column4
               and e.status <> 'cancelled'
               and b.status in ('confirmed', 'held', 'waiting', 'entered', 'requested')
               and not exists (select 1 from goods_batch g where g.booking_id = b.id) group by b.person_id",
        )?
    };
    Ok(rows.into_iter().collect())
}

fn reached(limit: &Limit, event: &Event, has: i64) -> Refused {
    let most = limit.most;
    let kind = crate::event::rules::KINDS.iter().find(|(word, ..)| *word == event.kind);
    let (kind_zh, kind_en) = kind.map_or(("活动", "event"), |(_, zh, en)| (*zh, *en));
    let (zh, en) = match limit.scope {
        Scope::Event => (
            format!(
                "这场活动每人最多 {most} 个名额，您已有 {has} 个。想换一个，请先取消原来的报名。"
            ),
            format!(
                "At this event each person may hold {most}; you hold {has}. To change, cancel the other booking first."
            ),
        ),
        Scope::Month => (
            format!(
                "「{kind_zh}」每人每月最多 {most} 个名额，您本月已有 {has} 个。下个月的活动可以再报。"
            ),
            format!(
                "{kind_en}: each person may hold {most} a month; you hold {has} in this event's month. Next month's can be booked."
            ),
        ),
        Scope::Year => (
            format!(
                "「{kind_zh}」每人每年最多 {most} 个名额，您今年已有 {has} 个。明年的活动可以再报。"
            ),
            format!(
                "{kind_en}: each person may hold {most} a year; you hold {has} in this event's year. Next year's can be booked."
            ),
        ),
    };
    Refused::new(StatusCode::CONFLICT, "limit_reached", zh, en)
}
