//! How the cost of a booking grows with the bookings there are already: from ten thousand to ten million.
//!
//! They are made by SQL, ten thousand to an offer, each with its ticket and its holder's count.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use admission::Clock as _;
use sqlx::AssertSqlSafe;
use turnout_server::{
    SystemClock,
    db::{Db, new_id},
    execute,
};

use crate::{
    load,
    report::{Report, Row},
    server::bookings,
    world::World,
};

const STEPS: [usize; 4] = [10_000, 100_000, 1_000_000, 10_000_000];
/// An offer's bookings, one of each person.
const PEOPLE: usize = 10_000;
/// An event has no more classes than a byte can tell apart.
const OFFERS_OF_EVENT: usize = 100;
const SECONDS: u32 = 4;
/// Measured so often at each step; the median counts.
const ROUNDS: usize = 3;
const AT_MOST: f64 = 1.20;
/// Rows are made for no longer than that, unless `TURNOUT_BENCH_MINUTES` says otherwise.
const MINUTES: u64 = 3;

/// Measures bookings while the tables grow.
pub(crate) async fn measure(
    world: &World,
    members: &[String],
    noop: &str,
    engine: &str,
    folder: &Path,
    report: &mut Report,
) -> anyhow::Result<()> {
    let minutes = std::env::var("TURNOUT_BENCH_MINUTES").ok().and_then(|m| m.parse().ok());
    let time = Duration::from_secs(60 * minutes.unwrap_or(MINUTES));
    let (begun, noop) = (Instant::now(), [noop.to_owned()]);
    people(world).await?;
    hurry(world).await?;
    let (mut filled, mut first, mut offers) = (0, None, Vec::new());
    for step in STEPS {
        while filled < step {
            if begun.elapsed() > time {
                println!(
                    "{engine}: {filled} bookings in {minutes:?} minutes; no more",
                    minutes = time.as_secs() / 60
                );
                return Ok(());
            }
            let Some(offer) = offers.pop() else {
                let event = world.event(&vec![1_000_000; OFFERS_OF_EVENT]).await?;
                offers = (event.offers.into_iter().rev())
                    .enumerate()
                    .map(|(n, offer)| (event.id.clone(), offer, OFFERS_OF_EVENT - 1 - n))
                    .collect();
                continue;
            };
            fill(world, &offer).await?;
            filled += PEOPLE;
        }
        // What an administrator's nightly run, or autovacuum, would have done by then.
        world.analyze().await?;
        let mut costs = Vec::new();
        for _ in 0..ROUNDS {
            let open = world.event(&[1_000_000; 3]).await?.offers;
            let posts = bookings(members, &open);
            let idle = load::play(&noop, &posts, SECONDS, folder).await?;
            let seen = load::play(&world.urls, &posts, SECONDS, folder).await?;
            anyhow::ensure!(seen.refused == 0, "{seen:?}");
            costs.push((idle.per_second() / seen.per_second(), seen));
        }
        costs.sort_by(|(one, _), (other, _)| one.total_cmp(other));
        let (cost, seen) = costs[ROUNDS / 2];
        let times = cost / *first.get_or_insert(cost);
        let what =
            format!("bookings beside {step} others, {engine}: cost against {} others", STEPS[0]);
        report.add(Row::rate(what, seen.per_second()).seen(&seen).times_at_most(times, AT_MOST));
    }
    Ok(())
}

/// Those who have booked: on the roster, and never signed in.
async fn people(world: &World) -> anyhow::Result<()> {
    let now = SystemClock.now();
    let mut tx = world.db.write().await?;
    for n in 0..PEOPLE {
        execute!(
            tx,
            "insert into person (id, kind, name, name_search, phone, status, created_ms, updated_ms)
             values ($1, 'member', '李大山', '李大山', $2, 'active', $3, $3)",
            new_id(now),
            format!("188{n:08}"),
            now.0,
        )?;
    }
    Ok(tx.commit().await?)
}

/// The rows that are made here refer to each other rightly, and need not be there after a power cut: this process's own
/// connections do not look, and do not wait for the disk.
async fn hurry(world: &World) -> anyhow::Result<()> {
    if let Db::Sqlite { writer, .. } = &world.db {
        for pragma in ["foreign_keys = off", "synchronous = off", "cache_size = -2000000"] {
            sqlx::raw_sql(AssertSqlSafe(format!("pragma {pragma}"))).execute(writer).await?;
        }
    }
    Ok(())
}

/// A booking of an offer for each of them; their tickets take the revisions of the n-th offer of the event.
async fn fill(world: &World, (event, offer, n): &(String, String, usize)) -> anyhow::Result<()> {
    let (now, prefix) = (SystemClock.now(), new_id(SystemClock.now()));
    let (last, places) = (i64::try_from(n * PEOPLE)?, i64::try_from(PEOPLE)?);
    let mut tx = world.db.write().await?;
    if matches!(world.db, Db::Postgres(_)) {
        execute!(tx, "set local session_replication_role = replica")?;
        execute!(tx, "set local synchronous_commit = off")?;
    }
    execute!(
        tx,
        "insert into booking (id, event_id, offer_id, person_id, status, places, guests, created_ms)
         select $1 || p.phone, $2, $3, p.id, 'confirmed', 1, '[]', $4 from person p where p.phone like '188%'",
        &prefix,
        event,
        offer,
        now.0,
    )?;
    execute!(
        tx,
        "insert into offer_holder (offer_id, person_id, places)
         select $1, p.id, 1 from person p where p.phone like '188%'",
        offer,
    )?;
    execute!(
        tx,
        "insert into ticket (id, event_id, offer_id, booking_id, person_id, holder, holder_search, state, key_id,
                             valid_from_ms, valid_to_ms, created_ms, revision)
         select 'T' || $1 || p.phone, $2, $3, $1 || p.phone, p.id, p.name, p.name_search, 'valid', 1, $4, $5, $4,
                $6 + row_number() over (order by p.phone)
         from person p where p.phone like '188%'",
        &prefix,
        event,
        offer,
        now.0,
        now.plus(3_600_000).0,
        last,
    )?;
    execute!(tx, "update offer set taken = taken + $2 where id = $1", offer, places)?;
    execute!(
        tx,
        "update event_revision set revision = revision + $2 where event_id = $1",
        event,
        places
    )?;
    Ok(tx.commit().await?)
}
