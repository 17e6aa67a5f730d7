//! The demo's vouchers: four partner venues in the middle of their day. Some were redeemed since this morning, some in the
//! last weeks; last month waits to be settled.

use admission::{
    Millis, Verdict,
    days::WORKING,
    decide::StationKind,
    time::{DAY, HOUR, MINUTE},
};
use anyhow::Context as _;

use super::{
    EventNote, StandNote,
    world::{Door, Stands, add, at_hour, book_all, draft, offer},
};
use crate::{
    App,
    account::pin::{Secret, Way},
    event::{EventDraft, OfferDraft},
    fetch,
    voucher::{self, BatchDraft, Venue, VenueDraft, benefit::count_in, staff},
    web::access::Person,
};

/// Name, address, what members get without a voucher, the batch, uses, full price and settlement price in yuan, companions,
/// whether on weekends too.
type Partner = (&'static str, &'static str, &'static str, &'static str, i64, i64, i64, i64, bool);

const PARTNERS: [Partner; 4] = [
    ("千灵山公园", "王佐镇千灵山路", "凭会员码门票八折", "登山门票（3 次）", 3, 45, 25, 1, true),
    ("青龙湖公园", "王佐镇青龙湖路", "凭会员码游船立减 10 元", "游园双人券", 1, 60, 36, 1, true),
    (
        "南宫温泉水世界",
        "王佐镇南宫大街 1 号",
        "凭会员码门票七五折，可带 1 位家属",
        "温泉单人券（2 次）",
        2,
        128,
        60,
        0,
        false,
    ),
    (
        "南宫温泉庄园俱乐部",
        "王佐镇南宫大街 8 号",
        "凭会员码餐饮九折",
        "家庭温泉券",
        1,
        268,
        150,
        2,
        false,
    ),
];

/// Makes venues, a campaign with a batch of each, and what was redeemed. Gives the campaign, and a venue's page to try.
pub(super) async fn make(
    app: &App,
    people: &[(Person, String)],
    now: Millis,
) -> anyhow::Result<(EventNote, StandNote)> {
    let mut tx = app.db.write().await?;
    let mut venues = Vec::new();
    for (n, (name, address, benefit, ..)) in (0..).zip(PARTNERS) {
        let draft = VenueDraft {
            name: name.to_owned(),
            address: address.to_owned(),
            contact: "赵经理".to_owned(),
            contact_phone: String::new(),
            benefit: benefit.to_owned(),
            benefit_times: 1,
        };
        venues.push(voucher::add_venue(&mut tx, &draft, now.plus(-90 * DAY + n)).await?);
    }
    tx.commit().await?;
    let begins = at_hour(now, -45, 9);
    let note = add(app, &campaign(&venues, begins, now), begins).await?;
    let before = app.with_clock(std::sync::Arc::new(Stands(begins.plus(2 * HOUR))));
    for (n, (partner, offer)) in PARTNERS.iter().zip(&note.offers).enumerate() {
        let tickets = book_all(&before, &people[n * 40..n * 40 + 36], offer, 0).await?;
        redeem(app, &note.id, partner, &tickets, now).await?;
    }
    // Some showed at the springs, and at a park, that they are members; a few at both.
    greet(app, venues.first().context("a park")?, "门卫老孙", &people[..30], now).await?;
    let (springs, way) =
        greet(app, venues.get(2).context("the springs")?, "前台小赵", &people[20..50], now).await?;
    Ok((note, StandNote { name: springs.name, path: way.path, pin: way.pin }))
}

/// Lets somebody work at a venue, who counted members there without a voucher in the last weeks. Gives their way in.
async fn greet(
    app: &App,
    venue: &str,
    name: &str,
    people: &[(Person, String)],
    now: Millis,
) -> anyhow::Result<(Venue, Way)> {
    let secret = Secret::new().await?;
    let mut tx = app.db.write().await?;
    let venue = voucher::venue(&mut tx, venue).await?;
    let way = staff::make(&mut tx, &venue, name, secret, now).await?;
    let (by,): (String,) = fetch!(
        &mut tx,
        fetch_one,
        "select staff_id from venue_staff where venue_id = $1",
        &venue.id
    )?;
    for (at, (person, _)) in (0..).zip(people) {
        let then = now.plus(-20 * MINUTE - at * 19 * HOUR);
        let key = format!("demo-{at}");
        count_in(&mut tx, &venue, &by, (&key, &person.id), then).await?;
    }
    tx.commit().await?;
    Ok((venue, way))
}

fn campaign(venues: &[String], begins: Millis, now: Millis) -> EventDraft {
    let batch =
        |((_, _, _, name, uses, face, price, companions, weekends), venue): (&Partner, &String)| {
            let today = admission::say::zoned(now, &crate::web::frame::zone("Asia/Shanghai"));
            // The demo works on every day of the week: today is always a good day.
            let mask = WORKING | 1 << today.weekday().to_monday_zero_offset();
            let mask = if *weekends { admission::days::ALL_WEEK } else { mask };
            let year = today.year();
            OfferDraft {
                uses: *uses,
                // What was passed on most, as pictures: these are shown on their page.
                moving_code: name.starts_with("温泉单人券"),
                valid_from_ms: Some(begins.0),
                valid_to_ms: Some(at_hour(now, 120, 21).0),
                cancel_until_ms: Some(at_hour(now, 60, 18).0),
                batch: Some(BatchDraft {
                    venue: venue.clone(),
                    face_cents: face * 100,
                    price_cents: price * 100,
                    weekdays: (1..=7).filter(|day| mask >> (day - 1) & 1 == 1).collect(),
                    closed: (year..=year + 1)
                        .flat_map(|year| (1..=7).map(move |day| format!("{year}-10-0{day}")))
                        .filter(|day| *day != today.date().to_string())
                        .collect(),
                    companions: *companions,
                }),
                ..offer(name, 60, begins, at_hour(now, 90, 18), "members")
            }
        };
    EventDraft {
        place: "王佐镇四家合作场馆".to_owned(),
        entrance: String::new(),
        poster: "镇总工会送福利：四家场馆的券，每种每人一张。到场馆出示二维码，由工作人员核销。\n有效日期和可用的日子以券面为准。"
            .to_owned(),
        offers: PARTNERS.iter().zip(venues).map(batch).collect(),
        ends_ms: at_hour(now, 120, 21).0,
        ..draft("voucher", "职工福利券 · 山水温泉", begins, 1)
    }
}

/// What the counter of a venue saw in the last weeks and today.
async fn redeem(
    app: &App,
    event_id: &str,
    partner: &Partner,
    tickets: &[String],
    now: Millis,
) -> anyhow::Result<()> {
    let (station, uses) = (partner.0, partner.4);
    let mut door = Door::at(app, event_id, station, StationKind::Counter).await?;
    let mut seen = Vec::new();
    for (n, ticket) in tickets.iter().enumerate() {
        // A third has not come yet; of the others some came today.
        match n % 3 {
            0 => seen.push((at_hour(now, -40 + n as i64, 10).plus(n as i64 * 7 * MINUTE), ticket)),
            1 => seen.push((now.plus(-(n as i64) * 6 * MINUTE - 10 * MINUTE), ticket)),
            _ => {}
        }
        if n % 3 == 0 && uses > 1 {
            seen.push((now.plus(-(n as i64) * 5 * MINUTE - 4 * MINUTE), ticket));
        }
    }
    let weekend = |at: Millis| {
        let zoned = admission::say::zoned(at, &crate::web::frame::zone("Asia/Shanghai"));
        zoned.weekday().to_monday_zero_offset() >= 5
    };
    seen.retain(|(at, _)| *at < now && (partner.8 || now.since(*at) < DAY || !weekend(*at)));
    seen.sort_by_key(|(at, _)| *at);
    for (at, ticket) in seen {
        door.saw(ticket, Verdict::Admitted, at);
    }
    door.upload(app, event_id, now).await.map(drop)
}
