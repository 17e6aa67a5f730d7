//! In the demo world: grain handed out at two points in the middle of its day, last summer's supplies by units, and some
//! events of the year with what they cost, for the yearly report.

use std::sync::Arc;

use admission::{
    Millis, Verdict,
    decide::StationKind,
    time::{DAY, HOUR, MINUTE},
};

use super::{
    EventNote, OfferNote,
    world::{Door, Stands, add, at_hour, book_all, draft, offer},
};
use crate::{
    App, event,
    event::EventDraft,
    fetch,
    goods::{self, Entry, Goods, NewPoint},
    report,
    web::access::Person,
};

/// Two points, most of the members of one have come; the other is short of some.
pub(super) async fn grain(
    app: &App,
    people: &[(Person, String)],
    now: Millis,
) -> anyhow::Result<EventNote> {
    let starts = Millis(now.plus(-3 * HOUR).0 / HOUR * HOUR);
    let begun = EventDraft {
        place: "王佐镇各领取点".to_owned(),
        entrance: "领取点".to_owned(),
        poster: "每位会员一份杂粮礼盒。报名时选领取点，凭京卡或二维码领取，每人一份。".to_owned(),
        ..draft("voucher", "五谷杂粮 · 会员领取", starts, 9)
    };
    let before = app.with_clock(Arc::new(Stands(starts.plus(-DAY))));
    let mut note = add(app, &begun, starts.plus(-3 * DAY)).await?;
    let what = Goods {
        item: "杂粮礼盒".to_owned(),
        unit: "份".to_owned(),
        unit_cents: Some(4_600),
        offer_id: None,
    };
    let hours = (starts, starts.plus(9 * HOUR));
    let points = [
        ("文化中心", "王佐镇文化中心 一层大厅", 90, 100),
        ("南宫服务站", "南宫村职工服务站", 70, 52),
    ];
    let mut made = Vec::new();
    for (name, place, quota, brought) in points {
        let leftover = Some(hours.1.plus(-90 * MINUTE));
        let point = (name, place, quota);
        made.push(point_of(app, &note.id, &what, point, (hours, leftover), brought).await?);
    }
    let (east, south) = people.split_at(80.min(people.len()));
    for ((name, offered), (people, came)) in
        ["文化中心", "南宫服务站"].into_iter().zip(made).zip([(east, 55), (&south[..70], 38)])
    {
        let tickets = book_all(&before, people, &offered, 0).await?;
        let mut door = Door::at(app, &note.id, name, StationKind::Counter).await?;
        for (at, ticket) in (0..).zip(tickets.iter().take(came)) {
            door.saw(ticket, Verdict::Admitted, starts.plus(10 * MINUTE + at * 170_000));
        }
        door.upload(app, &note.id, now).await?;
        note.offers.push(offered);
    }
    Ok(note)
}

/// Every union's delegate but a few came for it.
pub(super) async fn summer(app: &App, now: Millis) -> anyhow::Result<EventNote> {
    let starts = at_hour(now, -118, 9);
    let begun = EventDraft {
        theme: Some("volunteering".to_owned()),
        place: "王佐镇总工会 库房".to_owned(),
        poster: "慰问一线职工：毛巾、绿豆、藿香正气水，按单位人数领取。".to_owned(),
        ..draft("activity", "夏日送清凉", starts, 8)
    };
    let mut note = add(app, &begun, starts.plus(-10 * DAY)).await?;
    let what = Goods {
        item: "清凉包".to_owned(),
        unit: "份".to_owned(),
        unit_cents: Some(1_780),
        offer_id: None,
    };
    let hours = (starts, starts.plus(8 * HOUR));
    let point = ("库房", "王佐镇总工会 库房", 1);
    note.offers.push(point_of(app, &note.id, &what, point, (hours, None), 7_500).await?);
    let mut tx = app.db.write().await?;
    event::queries::hold(&mut tx, &note.id).await?;
    let event = event::queries::event(&mut tx, &note.id).await?;
    let unions: Vec<(String, i64, String)> = fetch!(
        &mut tx,
        fetch_all,
        "select union_id, count(*), min(id) from person
         where kind = 'member' and status in ('active', 'retained') and union_id is not null
         group by union_id order by union_id",
    )?;
    for (organisation_id, units, delegate_id) in unions {
        let goods = goods::queries::goods(&mut tx, &note.id).await?.unwrap_or(what.clone());
        let points = goods::queries::points(&mut tx, &note.id).await?;
        let new = goods::NewBatch { organisation_id, delegate_id, units };
        let of = (&event, &goods, &points[0]);
        goods::add_batch(&mut tx, &app.keys, of, &new, starts.plus(-5 * DAY)).await?;
    }
    tx.commit().await?;
    let mut tx = app.db.read().await?;
    let tickets: Vec<(String,)> = fetch!(
        &mut tx,
        fetch_all,
        "select t.id from ticket t join goods_batch g on g.booking_id = t.booking_id where t.event_id = $1 order by t.id",
        &note.id,
    )?;
    drop(tx);
    let mut door = Door::at(app, &note.id, "库房", StationKind::Counter).await?;
    let all = tickets.len();
    for (at, (ticket,)) in (0..).zip(tickets.iter().take(all.saturating_sub(2))) {
        door.saw(ticket, Verdict::Admitted, starts.plus(10 * MINUTE + at * 6 * MINUTE));
    }
    door.upload(app, &note.id, now).await?;
    Ok(note)
}

/// Events of this year and the last: so many days ago, theme, title, how many came, what it cost in cents.
const PAST: [(i64, &str, &str, usize, Option<i64>); 5] = [
    (395, "reading", "去年的读书分享会", 26, Some(118_000)),
    (388, "fitness", "去年的健步走", 60, None),
    (75, "law", "普法讲座：工伤与休假", 48, Some(260_000)),
    (52, "training", "急救技能培训", 36, Some(184_050)),
    (38, "fitness", "职工健步走", 64, None),
];

/// Holds the events of [`PAST`]: people booked, came through a gate, and an organizer wrote the costs down.
pub(super) async fn past(
    app: &App,
    people: &[(Person, String)],
    now: Millis,
) -> anyhow::Result<Vec<EventNote>> {
    let mut notes = Vec::new();
    for (days, theme, title, came, cents) in PAST {
        let starts = at_hour(now, -days, 14);
        let opens = starts.plus(-10 * DAY);
        let begun = EventDraft {
            theme: Some(theme.to_owned()),
            place: "王佐镇文化中心".to_owned(),
            offers: vec![offer("名额", 80, opens, starts, "members")],
            ..draft("activity", title, starts, 3)
        };
        let before = app.with_clock(Arc::new(Stands(starts.plus(-5 * DAY))));
        let note = add(app, &begun, opens).await?;
        let booked = (came + 6).min(people.len());
        let tickets = book_all(&before, &people[..booked], &note.offers[0], 0).await?;
        let mut door = Door::at(app, &note.id, "东门", StationKind::Gate).await?;
        for (at, ticket) in (0..).zip(tickets.iter().take(came)) {
            door.saw(ticket, Verdict::Admitted, starts.plus(at * 20_000 - 15 * MINUTE));
        }
        door.upload(app, &note.id, now).await?;
        if let Some(cents) = cents {
            let mut tx = app.db.write().await?;
            report::write_cost(&mut tx, &note.id, (cents, "讲师费、资料和饮水"), starts.plus(DAY))
                .await?;
            tx.commit().await?;
        }
        notes.push(note);
    }
    Ok(notes)
}

/// A point with what was brought there.
async fn point_of(
    app: &App,
    event_id: &str,
    what: &Goods,
    (name, place, quota): (&str, &str, i64),
    ((from, to), leftover): ((Millis, Millis), Option<Millis>),
    brought: i64,
) -> anyhow::Result<OfferNote> {
    let then = from.plus(-2 * DAY);
    let mut tx = app.db.write().await?;
    goods::start(&mut tx, event_id, what, then).await?;
    let event = event::queries::event(&mut tx, event_id).await?;
    let new = NewPoint {
        name: name.to_owned(),
        place: place.to_owned(),
        quota,
        opens: then,
        closes: from,
        from,
        to,
        leftover,
        leftover_to: "line",
        accept_ms: 45 * MINUTE,
    };
    let id = goods::add_point(&mut tx, &event, &new, then).await?;
    let points = goods::queries::points(&mut tx, event_id).await?;
    let (staff_id,): (String,) = fetch!(
        &mut tx,
        fetch_one,
        "select id from staff where role = 'organizer' order by id limit 1"
    )?;
    let point = points.iter().find(|point| point.id == id).expect("it was just made");
    let by = (staff_id.as_str(), from.plus(-2 * HOUR));
    goods::enter(&mut tx, point, &Entry::Delivery(brought), "第一车", by).await?;
    tx.commit().await?;
    Ok(OfferNote { id: point.offer_id.clone(), mode: "first_come".to_owned() })
}
