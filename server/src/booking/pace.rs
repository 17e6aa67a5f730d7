//! How often one person may try to book: a thumb is never too fast, a script soon is.

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use governor::{Quota, RateLimiter, clock::DefaultClock, state::keyed::HashMapStateStore};

use crate::error::{Error, Result};

/// So many tries at once, …
const BURST: NonZeroU32 = NonZeroU32::new(40).expect("not nought");
/// … and so many a second from then on.
const PER_SECOND: NonZeroU32 = NonZeroU32::new(4).expect("not nought");
/// So many people may always be remembered.
const PEOPLE: usize = 10_000;

/// Counts tries by person, whatever phone, session or address they come from. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Pace(Arc<Counted>);

#[derive(Debug)]
struct Counted {
    people: RateLimiter<String, HashMapStateStore<String>, DefaultClock>,
    /// Above so many people, those who have been quiet are forgotten.
    room: AtomicUsize,
}

impl Pace {
    pub(super) fn new() -> Self {
        let people = RateLimiter::hashmap(Quota::per_second(PER_SECOND).allow_burst(BURST));
        Self(Arc::new(Counted { people, room: AtomicUsize::new(PEOPLE) }))
    }

    /// Counts a try of `person_id`.
    ///
    /// # Errors
    /// [`Error::TooMany`] when there were too many of late.
    pub(super) fn count(&self, person_id: &str) -> Result<()> {
        let Counted { people, room } = &*self.0;
        if people.len() > room.load(Ordering::Relaxed) {
            people.retain_recent();
            // Where all have been busy, each of them is not looked at again for the next one who comes.
            room.store(PEOPLE.max(2 * people.len()), Ordering::Relaxed);
        }
        people.check_key(&person_id.to_owned()).map_err(|_| Error::TooMany { retry_after_s: 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_person_is_slowed_down_and_others_are_not() {
        let pace = Pace::new();
        let tries = (0..200).filter(|_| pace.count("a script").is_ok()).count();
        assert!((40..60).contains(&tries), "{tries} of 200 went through");
        assert!(pace.count("somebody else").is_ok());
    }

    #[test]
    fn a_crowd_that_is_busy_is_not_gone_through_for_each_who_comes() {
        let pace = Pace::new();
        for n in 0..3 * PEOPLE {
            // Busy for five seconds.
            for _ in 0..20 {
                drop(pace.count(&n.to_string()));
            }
        }
        let room = pace.0.room.load(Ordering::Relaxed);
        assert!(room > pace.0.people.len() / 2, "{room}");
    }
}
