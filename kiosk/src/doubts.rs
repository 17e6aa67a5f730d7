//! What was written in doubt of the time and is not put right yet: a stretch of the journal for each time that the program
//! was started since the clock was last confirmed. Once it is, the time is known again of all of them, as far as it can be.

use admission::{Millis, scan::Skew, sync::Corrected};
use serde::{Deserialize, Serialize};

/// How long the machine has been on is told in hundredths of a second, twice.
const TOLD_WITHIN_MS: i64 = 20;

/// Entries that one run of the program wrote in doubt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stretch {
    /// Between which power cuts.
    pub(crate) boot: String,
    /// The first entry.
    pub(crate) from: u64,
    /// When the machine was switched on, as far as the run knew: its time went on from there steadily.
    pub(crate) on_at: Millis,
    /// By so much that may be too late, for then something was certainly past: none or less than nothing.
    pub(crate) least_ms: i64,
}

/// What is known at last: the machine was switched on at `on_at`, and how exactly that is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known<'a> {
    /// This time between two power cuts.
    pub(crate) boot: &'a str,
    pub(crate) on_at: Millis,
    pub(crate) error_ms: i64,
}

/// Those after which another one is to be kept, which begins where the journal ends: of one in which nothing was written
/// nothing is to be put right.
pub(crate) fn with(mut stretches: Vec<Stretch>, new: Stretch) -> Vec<Stretch> {
    stretches.retain(|one| one.from < new.from);
    stretches.push(new);
    stretches
}

/// The last entry of each, when they are followed by one that begins with the entry `end`.
pub(crate) fn ends(stretches: &[Stretch], end: u64) -> impl Iterator<Item = u64> {
    let next = stretches.iter().skip(1).map(|next| next.from).chain([end]);
    next.take(stretches.len()).map(|next| next.saturating_sub(1))
}

/// What that says of the entries before `end`: exactly of what was written since the machine was switched on. Of what was
/// written before, it says between which times it was: after what was certainly past, and before the machine was switched on
/// again. What lies between is left as it was. `last_of` tells when, as it was written, the entry at a place was made.
pub(crate) fn put_right(
    stretches: &[Stretch],
    end: u64,
    known: Known<'_>,
    last_of: impl Fn(u64) -> Option<Millis>,
) -> Vec<Corrected> {
    let mut corrected = Vec::new();
    for (one, through) in stretches.iter().zip(ends(stretches, end)) {
        let from = one.from;
        if through < from {
            continue;
        }
        let (by_ms, error_ms) = if one.boot == known.boot {
            (known.on_at.since(one.on_at), TOLD_WITHIN_MS)
        } else {
            let Some(last) = last_of(through) else { continue };
            let most_ms = known.on_at.since(last).max(one.least_ms);
            let by_ms = 0_i64.clamp(one.least_ms, most_ms);
            (by_ms, (by_ms - one.least_ms).max(most_ms - by_ms))
        };
        let error_ms = error_ms.saturating_add(known.error_ms);
        corrected.push(Corrected { from, through, by_ms, error_ms });
    }
    corrected
}

/// When the machine was switched on, when the clock that shows `now` is so far off and it has been on for so long.
pub(crate) fn switched_on(now: Millis, skew: Skew, on_ms: i64) -> Millis {
    now.plus(skew.ms).plus(-on_ms)
}

#[cfg(test)]
mod tests {
    use admission::time::{HOUR, MINUTE};

    use super::*;

    const NOON: Millis = Millis(1_800_000_000_000);

    fn stretch(boot: &str, from: u64, on_at: Millis, least_ms: i64) -> Stretch {
        Stretch { boot: boot.to_owned(), from, on_at, least_ms }
    }

    #[test]
    fn what_was_written_since_the_machine_was_switched_on_is_put_right_exactly() {
        // Two runs of one time between power cuts; the second reckoned by its own lights.
        let stretches =
            [stretch("b", 4, NOON.plus(-2 * HOUR), 0), stretch("b", 9, NOON.plus(-HOUR), -MINUTE)];
        let known = Known { boot: "b", on_at: NOON, error_ms: 5 };
        let none = |_| panic!("nobody asks");
        assert_eq!(
            put_right(&stretches, 9, known, none),
            [Corrected { from: 4, through: 8, by_ms: 2 * HOUR, error_ms: 25 }],
            "in the second nothing was written yet"
        );
        let both = put_right(&stretches, 12, known, none);
        assert_eq!(both[1], Corrected { from: 9, through: 11, by_ms: HOUR, error_ms: 25 });
    }

    #[test]
    fn of_what_was_written_before_it_is_known_between_which_times_it_was() {
        let known = Known { boot: "c", on_at: NOON, error_ms: 5 };
        // Its last entry says that it was made so long before the machine was switched on again.
        let told = |least_ms, last_ms: i64| {
            let stretches = [stretch("b", 4, NOON.plus(-9 * HOUR), least_ms)];
            let corrected = put_right(&stretches, 8, known, |seq| {
                assert_eq!(seq, 7);
                Some(NOON.plus(-last_ms))
            });
            (corrected[0].by_ms, corrected[0].error_ms)
        };
        assert_eq!(told(0, 3 * MINUTE), (0, 3 * MINUTE + 5), "off for three minutes at most");
        assert_eq!(told(-HOUR, MINUTE), (0, HOUR + 5), "its own clock may have been right");
        assert_eq!(told(-2 * HOUR, -HOUR), (-HOUR, HOUR + 5), "it ran an hour ahead at least");
        assert_eq!(told(-HOUR, -2 * HOUR), (-HOUR, 5), "nothing lies between");
        let cut = [stretch("b", 4, NOON, 0)];
        assert_eq!(put_right(&cut, 8, known, |_| None), [], "an entry that cannot be read");
    }

    #[test]
    fn one_in_which_nothing_was_written_is_none() {
        let first = with(Vec::new(), stretch("b", 4, NOON, 0));
        let again = with(first.clone(), stretch("c", 4, NOON, 0));
        assert_eq!(again, [stretch("c", 4, NOON, 0)]);
        assert_eq!(with(first.clone(), stretch("c", 6, NOON, 0)).len(), 2);
        // A journal that was cut is another one.
        assert_eq!(with(first, stretch("c", 1, NOON, 0)).len(), 1);
    }
}
