//! How long it will take, from how long it took.

use admission::time::{MINUTE, SECOND};

/// Fewer visits than this say nothing about the next.
const VISITS_MIN: usize = 3;
/// A visit that was shorter was a slip, one that was longer a desk that was left.
const BELIEVED_MS: std::ops::RangeInclusive<i64> = 30 * SECOND..=120 * MINUTE;

/// How long somebody will wait, in whole minutes: from and to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wait {
    pub(super) from: i64,
    pub(super) to: i64,
}

/// The wait of somebody with `before` people waiting before them and `served` being served at one of `seats` places.
/// `visits` are the durations of the last visits, milliseconds. `None` when they are too few to tell.
pub(super) fn wait(visits: &[i64], before: i64, served: i64, seats: i64) -> Option<Wait> {
    let mut visits: Vec<i64> =
        visits.iter().copied().filter(|visit| BELIEVED_MS.contains(visit)).collect();
    if visits.len() < VISITS_MIN {
        return None;
    }
    visits.sort_unstable();
    let quarter = |n: usize| visits[(visits.len() - 1) * n / 4];
    // So many visits must end before theirs begins.
    let rounds = (before + served) / seats.max(1);
    let minutes = |visit: i64| (rounds * visit + MINUTE - 1) / MINUTE;
    Some(Wait { from: minutes(quarter(1)), to: minutes(quarter(3)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_is_told_from_visits_that_were() {
        let visits = [4, 6, 5, 8, 10].map(|minutes| minutes * MINUTE);
        for (before, served, seats, told) in [
            (0, 0, 1, (0, 0)),
            (0, 1, 1, (5, 8)),
            (3, 1, 1, (20, 32)),
            (3, 1, 2, (10, 16)),
            (0, 1, 2, (0, 0)),
        ] {
            let wait = wait(&visits, before, served, seats).expect("enough visits");
            assert_eq!(
                (wait.from, wait.to),
                told,
                "{before} before, {served} served, {seats} seats"
            );
        }
    }

    #[test]
    fn nothing_is_told_from_too_little() {
        assert_eq!(wait(&[], 5, 1, 1), None);
        assert_eq!(wait(&[5 * MINUTE, 6 * MINUTE, SECOND, 300 * MINUTE], 5, 1, 1), None);
    }
}
