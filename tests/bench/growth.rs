//! How the cost of a booking grows with the bookings there are already: from ten thousand to ten million.
//!
//! They are made in the database, ten thousand to an offer, each with its ticket, belong to those who book (with
//! ten million, everybody has five hundred), and were made in the ten years before: at every step evenly over all of them.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use admission::{Clock as _, Millis, ticket::TicketId, time::DAY};
use sqlx::AssertSqlSafe;
use tokio::process::Command;
use turnout_server::{
    SystemClock,
    db::{Db, new_id},
    execute, execute_rows, fetch,
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
/// Rows of one statement.
const ROWS: usize = 256;
const SECONDS: u32 = 4;
/// Measured so often at each step; the median counts.
const ROUNDS: usize = 5;
const AT_MOST: f64 = 1.20;
/// For so long there were bookings.
const YEARS: i64 = 10;
/// Rows are made for no longer than that, unless `TURNOUT_BENCH_MINUTES` says otherwise.
const MINUTES: u64 = 10;

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
    hurry(world).await?;
    let people = people(world).await?;
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
            fill(world, &people, &offer, moment(filled / PEOPLE)).await?;
            filled += PEOPLE;
        }
        // What an administrator's nightly run, or autovacuum, would have done by then; and the disk would be at rest.
        world.analyze().await?;
        world.db.fold_log().await?;
        anyhow::ensure!(Command::new("sync").status().await?.success(), "sync");
        let mut costs = Vec::new();
        for _ in 0..ROUNDS {
            let open = world.event(&[1_000_000; 3]).await?.offers;
            let posts = bookings(members, &open);
            // The machine is not the same from one second to the next: what it could do is asked before and after.
            let before = load::play(&noop, &posts, SECONDS / 2, folder).await?;
            let seen = load::play(&world.urls, &posts, SECONDS, folder).await?;
            let after = load::play(&noop, &posts, SECONDS / 2, folder).await?;
            anyhow::ensure!(seen.refused == 0, "{seen:?}");
            let idle = f64::midpoint(before.per_second(), after.per_second());
            costs.push((idle / seen.per_second(), seen));
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

/// Who books now, and has booked all that was there before.
async fn people(world: &World) -> anyhow::Result<Vec<String>> {
    let mut tx = world.db.read().await?;
    let people: Vec<(String,)> =
        fetch!(tx, fetch_all, "select id from person where phone like '199%' order by phone")?;
    Ok(people.into_iter().map(|(id,)| id).collect())
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

/// When the bookings of the n-th offer were made: the first so many are always spread evenly (by the golden ratio).
fn moment(n: usize) -> Millis {
    let part = (n as f64 * 0.618_033_988_749_895).fract();
    SystemClock.now().plus(-((YEARS * 365 * DAY) as f64 * part) as i64)
}

/// A booking of an offer for every second member, with a ticket, made `now`; these take the revisions of the n-th offer of
/// the event.
async fn fill(
    world: &World,
    people: &[String],
    (event, offer, n): &(String, String, usize),
    now: Millis,
) -> anyhow::Result<()> {
    let (last, places) = (i64::try_from(n * PEOPLE)?, i64::try_from(PEOPLE)?);
    let every = people.len() / PEOPLE;
    let people = people.iter().skip(n % every).step_by(every);
    let rows: Vec<_> = people
        .zip(last + 1..)
        .map(|(person, revision)| {
            let mut random = [0; 7];
            getrandom::fill(&mut random).expect("the system has randomness");
            (person, new_id(now), TicketId::new(now, random).to_string(), revision)
        })
        .collect();
    let mut tx = world.db.write().await?;
    if matches!(world.db, Db::Postgres(_)) {
        execute!(tx, "set local session_replication_role = replica")?;
        execute!(tx, "set local synchronous_commit = off")?;
    }
    for rows in rows.chunks(ROWS) {
        execute_rows!(
            tx,
            "insert into booking (id, event_id, offer_id, person_id, status, places, guests, created_ms) ",
            rows,
            |(person, booking, ..)| [booking, event, offer, person, "confirmed", 1, "[]", now.0],
        )?;
        execute_rows!(
            tx,
            "insert into ticket (id, event_id, offer_id, booking_id, person_id, holder, holder_search, state, key_id,
                                 valid_from_ms, valid_to_ms, created_ms, revision) ",
            rows,
            |(person, booking, ticket, revision)| [
                ticket,
                event,
                offer,
                booking,
                person,
                "王小明",
                "王小明",
                "valid",
                1,
                now.0,
                now.plus(3_600_000).0,
                now.0,
                revision,
            ],
        )?;
    }
    execute!(tx, "update offer set taken = taken + $2 where id = $1", offer, places)?;
    execute!(
        tx,
        "update event_revision set revision = revision + $2 where event_id = $1",
        event,
        places
    )?;
    Ok(tx.commit().await?)
}
