//! How often one person may try to book: a thumb is never too fast, a script soon is.

use std::{num::NonZeroU32, sync::Arc};

use governor::{Quota, RateLimiter, clock::DefaultClock, state::keyed::HashMapStateStore};

use crate::error::{Error, Result};

/// So many tries at once, …
const BURST: NonZeroU32 = NonZeroU32::new(40).expect("not nought");
/// … and so many a second from then on.
const PER_SECOND: NonZeroU32 = NonZeroU32::new(4).expect("not nought");
/// Above so many people, those who have been quiet are forgotten.
const PEOPLE: usize = 10_000;

/// Counts tries by person, whatever phone, session or address they come from. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Pace(Arc<RateLimiter<String, HashMapStateStore<String>, DefaultClock>>);

impl Pace {
    pub(super) fn new() -> Self {
        Self(Arc::new(RateLimiter::hashmap(Quota::per_second(PER_SECOND).allow_burst(BURST))))
    }

    /// Counts a try of `person_id`.
    ///
    /// # Errors
    /// [`Error::TooMany`] when there were too many of late.
    pub(super) fn count(&self, person_id: &str) -> Result<()> {
        if self.0.len() > PEOPLE {
            self.0.retain_recent();
        }
        self.0.check_key(&person_id.to_owned()).map_err(|_| Error::TooMany { retry_after_s: 1 })
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
}
