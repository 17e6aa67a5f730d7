//! How often somebody may try PINs. Wrong ones wait, so that nobody finds the right one by trying; and never for long, so
//! that nobody who tries keeps those out who know it.
//!
//! Of a million PINs a visitor who stands there all day long tries about [`FREE_A_DAY`] and one a minute: 1,470 in 24 hours,
//! one in 680.

use admission::{
    Millis,
    time::{DAY, MINUTE, SECOND},
};
use serde::{Deserialize, Serialize};

/// So many wrong PINs in a row cost nothing but a smile.
const FREE_IN_A_ROW: u32 = 3;
/// After more, the waits grow like this, and no further.
const WAITS_MS: [i64; 4] = [5 * SECOND, 10 * SECOND, 20 * SECOND, 30 * SECOND];
/// After so many of one day, right ones in between or not, each costs [`WAIT_MAX_MS`].
const FREE_A_DAY: u32 = 30;
/// Nobody waits longer.
const WAIT_MAX_MS: i64 = MINUTE;

/// The wrong PINs that were typed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tries {
    in_a_row: u32,
    /// Since `since`, for a day.
    today: u32,
    since: Millis,
    /// The next one is looked at then.
    not_before: Millis,
}

impl Tries {
    /// How long it takes until the next one is looked at.
    #[must_use]
    pub fn wait_ms(&self, now: Millis) -> i64 {
        // A clock that was set back locks nobody out.
        Some(self.not_before.since(now))
            .filter(|wait| (1..=WAIT_MAX_MS).contains(wait))
            .unwrap_or(0)
    }

    /// With one more, which is taken for a wrong one until it turns out to be right.
    #[must_use]
    pub fn and_one(self, now: Millis) -> Self {
        let is_over = now.since(self.since) >= DAY;
        // A clock that was set back begins no new day.
        let since = if is_over || self.today == 0 { now } else { self.since.min(now) };
        let today = if is_over { 1 } else { self.today.saturating_add(1) };
        let in_a_row = self.in_a_row.saturating_add(1);
        Self { in_a_row, today, since, not_before: now }.waiting_from(now)
    }

    /// As the program finds them when it begins. A machine without a battery for its clock begins earlier than it ended: then
    /// the whole wait begins anew, or pulling the plug would end it.
    #[must_use]
    pub fn begun(self, now: Millis) -> Self {
        if self.not_before.since(now) > WAIT_MAX_MS { self.waiting_from(now) } else { self }
    }

    fn waiting_from(self, now: Millis) -> Self {
        let more = usize::try_from(self.in_a_row.saturating_sub(FREE_IN_A_ROW));
        let wait = match more.unwrap_or(usize::MAX).checked_sub(1) {
            _ if self.today > FREE_A_DAY => WAIT_MAX_MS,
            None => 0,
            Some(at) => WAITS_MS[at.min(WAITS_MS.len() - 1)],
        };
        Self { not_before: now.plus(wait), ..self }
    }

    /// The last one was right. What was tried on that day stays tried.
    #[must_use]
    pub fn but_right(self) -> Self {
        let today = self.today.saturating_sub(1);
        Self { in_a_row: 0, today, not_before: Millis::default(), ..self }
    }

    /// How many were wrong within the last day.
    #[must_use]
    pub fn today(&self, now: Millis) -> u32 {
        if now.since(self.since) >= DAY { 0 } else { self.today }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Millis = Millis(1_800_000_000_000);

    #[test]
    fn waits_grow_gently_and_a_right_one_ends_them() {
        let mut tries = Tries::default();
        let waits: Vec<i64> = (1..=8)
            .map(|_| {
                tries = tries.and_one(NOON);
                tries.wait_ms(NOON) / SECOND
            })
            .collect();
        assert_eq!(waits, [0, 0, 0, 5, 10, 20, 30, 30]);
        let right = tries.and_one(NOON).but_right();
        assert_eq!((right.wait_ms(NOON), right.today(NOON)), (0, 8));
        assert_eq!(right.and_one(NOON).wait_ms(NOON), 0);
        assert_eq!(right.today(NOON.plus(DAY)), 0);
    }

    /// Whoever tries whenever they may, with staff who open the desk in between again and again or without.
    fn tried_in(span_ms: i64, opened_every_ms: i64) -> (u32, i64) {
        let (mut tries, mut now, mut tried, mut longest) = (Tries::default(), NOON, 0, 0);
        let mut opens = NOON.plus(opened_every_ms);
        while now.since(NOON) < span_ms {
            if now >= opens {
                tries = tries.and_one(now).but_right();
                opens = opens.plus(opened_every_ms);
            }
            tries = tries.and_one(now);
            tried += 1;
            let wait = tries.wait_ms(now);
            longest = longest.max(wait);
            // To look at one takes a fifth of a second.
            now = now.plus(wait.max(200));
        }
        (tried, longest)
    }

    #[test]
    fn a_day_of_trying_finds_no_pin_and_keeps_nobody_out_for_longer_than_a_minute() {
        let (alone, longest) = tried_in(DAY, DAY);
        assert!(alone <= FREE_A_DAY + 1_440, "{alone}");
        assert_eq!(longest, WAIT_MAX_MS);
        let (between, longest) = tried_in(DAY, 10 * MINUTE);
        assert!(between <= FREE_A_DAY + 1_440 + 144, "{between}");
        assert_eq!(longest, WAIT_MAX_MS);
    }

    #[test]
    fn a_machine_that_begins_earlier_than_it_ended_waits_all_the_same() {
        let mut tries = Tries::default();
        for _ in 0..5 {
            tries = tries.and_one(NOON);
        }
        assert_eq!(tries.begun(NOON.plus(2 * SECOND)).wait_ms(NOON.plus(2 * SECOND)), 8 * SECOND);
        let earlier = NOON.plus(-20 * MINUTE);
        assert_eq!(tries.begun(earlier).wait_ms(earlier), 10 * SECOND, "anew, and no longer");
        assert_eq!(tries.begun(NOON.plus(MINUTE)).wait_ms(NOON.plus(MINUTE)), 0);
        // After a right one there is no wait, whatever the clock does.
        let right = tries.and_one(NOON).but_right();
        assert_eq!(right.begun(earlier).wait_ms(earlier), 0);
    }

    #[test]
    fn a_clock_that_is_set_back_neither_locks_out_nor_begins_a_new_day() {
        let mut tries = Tries::default();
        for _ in 0..40 {
            tries = tries.and_one(NOON);
        }
        let then = NOON.plus(-DAY * 400);
        assert_eq!(tries.wait_ms(then), 0);
        let next = tries.and_one(then);
        assert_eq!((next.wait_ms(then), next.today(then)), (WAIT_MAX_MS, 41));
    }
}
