//! From what was drawn to the matches: who plays whom in which round, and where a side comes from. Pure.

use super::{
    Stage, Takes,
    draw::{circle, record::Drawn},
};

/// A match that is to be played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NewMatch {
    /// Group or knock-out.
    pub(super) stage: Stage,
    /// The group's number, from 1.
    pub(super) group: Option<usize>,
    /// From 1.
    pub(super) round: usize,
    /// From 1, from the top.
    pub(super) position: usize,
    /// It is for the third place.
    pub(super) third_place: bool,
    /// The first side.
    pub(super) a: From,
    /// The other side.
    pub(super) b: From,
}

/// Where a side comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// An entry, by its id.
    Entry(String),
    /// The winner or loser of a match, by its place in the list.
    Match(usize, Takes),
    /// A rank of a group, both from 1.
    Group(usize, usize),
}

/// All matches of a draw: those of the groups, then the knock-out round by round. A match stands behind those it takes its
/// sides from.
#[must_use]
pub(super) fn matches(drawn: &Drawn, third_place: bool) -> Vec<NewMatch> {
    let mut matches = Vec::new();
    for (number, members) in (1..).zip(&drawn.groups) {
        for (round, pairs) in (1..).zip(circle::rounds(members.len())) {
            for (position, (a, b)) in (1..).zip(pairs) {
                matches.push(NewMatch {
                    stage: Stage::Group,
                    group: Some(number),
                    round,
                    position,
                    third_place: false,
                    a: From::Entry(members[a - 1].clone()),
                    b: From::Entry(members[b - 1].clone()),
                });
            }
        }
    }
    knock_out(drawn, third_place, &mut matches);
    matches
}

fn knock_out(drawn: &Drawn, third_place: bool, matches: &mut Vec<NewMatch>) {
    let mut sides: Vec<Option<From>> = drawn
        .lines
        .iter()
        .map(|line| line.as_deref().map(|text| named(text, !drawn.groups.is_empty())))
        .collect();
    let mut round = 1;
    while sides.len() > 1 {
        if let (2, true, [Some(From::Match(a, _)), Some(From::Match(b, _))]) =
            (sides.len(), third_place, sides.as_slice())
        {
            let (a, b) = (From::Match(*a, Takes::Loser), From::Match(*b, Takes::Loser));
            matches.push(NewMatch {
                stage: Stage::KnockOut,
                group: None,
                round,
                position: 1,
                third_place: true,
                a,
                b,
            });
        }
        let mut next = Vec::new();
        for (position, pair) in (1..).zip(sides.chunks(2)) {
            next.push(match pair {
                [Some(a), Some(b)] => {
                    matches.push(NewMatch {
                        stage: Stage::KnockOut,
                        group: None,
                        round,
                        position,
                        third_place: false,
                        a: a.clone(),
                        b: b.clone(),
                    });
                    Some(From::Match(matches.len() - 1, Takes::Winner))
                }
                // A bye: whoever has it goes on.
                [one, other] => one.clone().or_else(|| other.clone()),
                _ => None,
            });
        }
        sides = next;
        round += 1;
    }
}

/// A line of a knock-out: an entry, or a rank of a group as `2/1`.
fn named(text: &str, after_groups: bool) -> From {
    let parts = text.split_once('/').filter(|_| after_groups);
    let numbers = parts.and_then(|(group, rank)| Some((group.parse().ok()?, rank.parse().ok()?)));
    numbers.map_or_else(|| From::Entry(text.to_owned()), |(group, rank)| From::Group(group, rank))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(lines: &[&str]) -> Drawn {
        let line = |text: &&str| (!text.is_empty()).then(|| (*text).to_owned());
        Drawn { lines: lines.iter().map(line).collect(), ..Drawn::default() }
    }

    #[test]
    fn a_bye_is_no_match() {
        let matches = matches(&lines(&["a", "", "b", "c", "", "d", "", "e"]), true);
        let said: Vec<(usize, usize, bool, &From, &From)> = matches
            .iter()
            .map(|one| (one.round, one.position, one.third_place, &one.a, &one.b))
            .collect();
        let entry = |text: &str| From::Entry(text.to_owned());
        assert_eq!(
            said,
            [
                (1, 2, false, &entry("b"), &entry("c")),
                (2, 1, false, &entry("a"), &From::Match(0, Takes::Winner)),
                (2, 2, false, &entry("d"), &entry("e")),
                (3, 1, true, &From::Match(1, Takes::Loser), &From::Match(2, Takes::Loser)),
                (3, 1, false, &From::Match(1, Takes::Winner), &From::Match(2, Takes::Winner)),
            ]
        );
    }

    #[test]
    fn n_entrants_play_one_match_less() {
        for n in 2..=64_usize {
            let size = n.next_power_of_two();
            let drawn = Drawn {
                lines: (0..size)
                    .map(|line| {
                        (line % 2 == 0 || line / 2 < n - size / 2).then(|| line.to_string())
                    })
                    .collect(),
                ..Drawn::default()
            };
            let matches = matches(&drawn, false);
            assert_eq!(matches.len(), n - 1);
            // Each is the source of at most one other, and only the final of none.
            let mut used = vec![0; matches.len()];
            for one in &matches {
                for side in [&one.a, &one.b] {
                    if let From::Match(at, Takes::Winner) = side {
                        used[*at] += 1;
                    }
                }
            }
            assert_eq!(used.iter().filter(|count| **count == 0).count(), 1);
            assert!(used.iter().all(|count| *count <= 1));
        }
    }

    #[test]
    fn groups_play_round_by_round_and_feed_the_knock_out() {
        let group = |letter: &str| (1..=3).map(|n| format!("{letter}{n}")).collect();
        let drawn = Drawn {
            groups: vec![group("a"), group("b")],
            lines: ["1/1", "2/2", "1/2", "2/1"].map(|text| Some(text.to_owned())).to_vec(),
            ..Drawn::default()
        };
        let matches = matches(&drawn, false);
        assert_eq!(matches.iter().filter(|one| one.stage == Stage::Group).count(), 6);
        assert_eq!((&matches[6].a, &matches[6].b), (&From::Group(1, 1), &From::Group(2, 2)));
        assert_eq!(matches.len(), 9);
    }
}
