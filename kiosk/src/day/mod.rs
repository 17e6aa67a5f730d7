//! A whole event day on one thread, from a seed: several kiosks (the real door, mesh and courier, their stores in memory),
//! a server in memory, and everything that goes wrong at a venue: no network, no power, clocks hours off, lost answers,
//! doubled uploads, shared screenshots, cancellations meanwhile. In the evening everything is mended, and then server and
//! kiosks must agree. The checker is tested too: each sabotage must be found out. And so are the models: the store against
//! the real one in `store`, the server against the real one in `tests/conformance.rs`.
//!
//! `TURNOUT_SEED` replays one day, `TURNOUT_DAYS` asks for more of them, `TURNOUT_FROM` for others.

mod kiosk;
mod sabotage;
mod server;
mod store;
mod world;

use sabotage::Sabotage;
use world::World;

/// Days of one run of the tests.
const DAYS: u64 = 200;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn at_the_end_of_any_day_server_and_kiosks_agree() {
    if let Some(seed) = number("TURNOUT_SEED") {
        let story = World::new(seed, None).day();
        assert_eq!(story.faults, [""; 0], "TURNOUT_SEED={seed}");
        return;
    }
    let mut told = world::Counted::default();
    let begun = std::time::Instant::now();
    let days = number("TURNOUT_DAYS").unwrap_or(DAYS);
    let first = number("TURNOUT_FROM").unwrap_or(1);
    for seed in first..first + days {
        let story = World::new(seed, None).day();
        assert_eq!(story.faults, [""; 0], "replay it with TURNOUT_SEED={seed}");
        told.add(&story.counted);
    }
    println!("{days} days in {:?}: {told:?}", begun.elapsed());
    // A day on which nothing happens proves nothing.
    for (what, often) in told.all() {
        assert!(often > 0, "in {days} days there was no {what}");
    }
}

#[test]
fn the_same_seed_is_the_same_day() {
    let [one, other] = [7, 7].map(|seed| World::new(seed, None).day());
    assert_eq!((one.trace, one.counted), (other.trace, other.counted));
    assert_ne!(one.trace, World::new(8, None).day().trace);
}

#[test]
fn every_sabotage_is_found_out() {
    for sabotage in Sabotage::ALL {
        let found =
            (1..=1_000).find(|seed| !World::new(*seed, Some(sabotage)).day().faults.is_empty());
        assert!(found.is_some(), "{sabotage:?} was not found out in 1,000 days");
        println!("{sabotage:?} is found out on day {}", found.unwrap_or_default());
    }
}
