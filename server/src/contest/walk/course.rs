//! What a walker did on a course, from when they were seen where. Pure.
//!
//! Road-race rules: every point, in order, within the limit. The first time at a point counts. Gun time runs from the
//! start signal, net time from the walker's own start (from the signal when nobody saw them start).

use admission::Millis;

/// Seen at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Which point: 0 is the start.
    pub(crate) position: usize,
    /// When, as well as is known.
    pub(crate) at: Millis,
    /// How far that may be off.
    pub(crate) error_ms: i64,
}

/// The course.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Course {
    /// How many points, start and finish included.
    pub(crate) points: usize,
    /// The start signal.
    pub(crate) gun: Option<Millis>,
    /// Who takes longer after the signal is not ranked.
    pub(crate) limit_ms: Option<i64>,
}

/// How it stands with a walker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Not seen yet.
    Absent,
    /// On the way.
    Walking,
    /// All points in order, in time.
    Finished,
    /// At the finish, but not at every point.
    Missing,
    /// At every point, but not in order.
    Disorder,
    /// In order, but too late.
    Late,
}

/// What a walker did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Walked {
    /// The first time at each point.
    pub(crate) firsts: Vec<Option<Seen>>,
    pub(crate) state: State,
    /// Points before the last one reached at which they were not seen.
    pub(crate) missing: Vec<usize>,
    /// Points that were passed before an earlier one.
    pub(crate) disorder: Vec<usize>,
    /// From the signal to the finish.
    pub(crate) gun_ms: Option<i64>,
    /// From their own start to the finish.
    pub(crate) net_ms: Option<i64>,
    /// How far the net time may be off.
    pub(crate) error_ms: i64,
}

/// What a walker did who was seen so. The order of `seen` says nothing.
pub(crate) fn walked(course: Course, seen: &[Seen]) -> Walked {
    let mut firsts: Vec<Option<Seen>> = vec![None; course.points];
    for one in seen.iter().filter(|one| one.position < course.points) {
        let first = &mut firsts[one.position];
        if first.is_none_or(|known| (one.at, one.error_ms) < (known.at, known.error_ms)) {
            *first = Some(*one);
        }
    }
    let reached = firsts.iter().rposition(Option::is_some);
    // Who was not seen at the start started with the signal.
    let needed = 1..reached.unwrap_or(0);
    let missing: Vec<usize> = needed.filter(|at| firsts[*at].is_none()).collect();
    let disorder = out_of_order(&firsts);
    let start = firsts.first().copied().flatten();
    let finish = firsts.last().copied().flatten().filter(|_| course.points > 1);
    let from = start.map(|seen| seen.at).or(course.gun);
    let net_ms = finish.zip(from).map(|(finish, from)| finish.at.since(from));
    let gun_ms = finish.zip(course.gun).map(|(finish, gun)| finish.at.since(gun));
    let error_ms = finish.map_or(0, |seen| seen.error_ms) + start.map_or(0, |seen| seen.error_ms);
    let late = course.limit_ms.zip(gun_ms.or(net_ms)).is_some_and(|(limit, took)| took > limit);
    let state = match (reached, finish) {
        (None, _) => State::Absent,
        (Some(_), None) => State::Walking,
        (Some(_), Some(_)) if !missing.is_empty() || from.is_none() => State::Missing,
        (Some(_), Some(_)) if !disorder.is_empty() => State::Disorder,
        (Some(_), Some(_)) if late => State::Late,
        (Some(_), Some(_)) => State::Finished,
    };
    Walked { firsts, state, missing, disorder, gun_ms, net_ms, error_ms }
}

/// Points passed before an earlier one, beyond what the clocks may be off.
fn out_of_order(firsts: &[Option<Seen>]) -> Vec<usize> {
    let mut found = Vec::new();
    let mut last: Option<Seen> = None;
    for (at, seen) in firsts.iter().enumerate() {
        let Some(seen) = seen else { continue };
        match last {
            Some(before) if seen.at.0 + seen.error_ms < before.at.0 - before.error_ms => {
                found.push(at)
            }
            _ => last = Some(*seen),
        }
    }
    found
}

/// Ranks of those who finished, by net time; equal times share one.
pub(crate) fn ranks(walkers: &[Walked]) -> Vec<Option<usize>> {
    let net = |walked: &Walked| walked.net_ms.filter(|_| walked.state == State::Finished);
    let mut times: Vec<i64> = walkers.iter().filter_map(net).collect();
    times.sort_unstable();
    walkers
        .iter()
        .map(|walked| {
            Some(times.partition_point(|time| *time < net(walked).unwrap_or(0)) + 1)
                .filter(|_| net(walked).is_some())
        })
        .collect()
}

/// 1:23:45, as on a clock; whole seconds, rounded down.
pub(crate) fn clock(ms: i64) -> String {
    let seconds = ms.max(0) / 1000;
    format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const COURSE: Course = Course { points: 4, gun: Some(Millis(1_000)), limit_ms: Some(100_000) };

    fn seen(points: &[(usize, i64)]) -> Vec<Seen> {
        points
            .iter()
            .map(|(position, at)| Seen { position: *position, at: Millis(*at), error_ms: 5 })
            .collect()
    }

    #[test]
    fn every_point_in_order_and_in_time() {
        for (points, state, net) in [
            (vec![], State::Absent, None),
            (vec![(0, 2_000)], State::Walking, None),
            (vec![(0, 2_000), (1, 3_000), (2, 4_000), (3, 5_500)], State::Finished, Some(3_500)),
            // Nobody saw the start: from the signal.
            (vec![(1, 3_000), (2, 4_000), (3, 5_500)], State::Finished, Some(4_500)),
            (vec![(0, 2_000), (2, 4_000), (3, 5_500)], State::Missing, Some(3_500)),
            (vec![(0, 2_000), (2, 3_000), (1, 4_000), (3, 5_500)], State::Disorder, Some(3_500)),
            // Clocks that differ by a few milliseconds accuse nobody.
            (vec![(0, 2_000), (1, 3_004), (2, 3_000), (3, 5_500)], State::Finished, Some(3_500)),
            (vec![(0, 2_000), (1, 3_000), (2, 4_000), (3, 200_000)], State::Late, Some(198_000)),
            // Seen again at a point: the first counts.
            (
                vec![(0, 2_000), (1, 3_000), (2, 4_000), (3, 5_500), (3, 9_000), (1, 9_500)],
                State::Finished,
                Some(3_500),
            ),
        ] {
            let walked = walked(COURSE, &seen(&points));
            assert_eq!((walked.state, walked.net_ms), (state, net), "{points:?}");
        }
        let skipped = walked(COURSE, &seen(&[(0, 2_000), (3, 5_500)]));
        assert_eq!((skipped.missing, skipped.gun_ms), (vec![1, 2], Some(4_500)));
        assert_eq!(
            walked(COURSE, &seen(&[(0, 2_000), (2, 3_000), (1, 4_000), (3, 5_500)])).disorder,
            [2]
        );
    }

    #[test]
    fn the_quick_go_first_and_equals_share() {
        let finish = |at| walked(COURSE, &seen(&[(0, 2_000), (1, 2_100), (2, 2_200), (3, at)]));
        let walkers =
            [finish(5_000), finish(4_000), finish(5_000), walked(COURSE, &[]), finish(6_000)];
        assert_eq!(ranks(&walkers), [Some(2), Some(1), Some(2), None, Some(4)]);
        assert_eq!(clock(5_025_999), "1:23:45");
    }

    proptest! {
        #[test]
        fn the_order_in_which_passages_arrive_says_nothing(
            points in prop::collection::vec((0..6_usize, 1_000..9_000_i64), 0..12), turn in 0..12_usize,
        ) {
            let all = seen(&points);
            let mut turned = all.clone();
            turned.rotate_left(turn.min(all.len()));
            turned.reverse();
            prop_assert_eq!(walked(COURSE, &all), walked(COURSE, &turned));
        }
    }
}
