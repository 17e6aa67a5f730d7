//! Which match is next when a court is free. Pure.
//!
//! Nobody plays twice at once, whatever the discipline, and everybody rests between two matches. Among the matches that
//! can be: first what the organizer wants first, then the earlier round, then whose players have waited longest.

use std::collections::{HashMap, HashSet};

use admission::Millis;

use super::super::{Court, Sport, Stage};

/// A match that could be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) match_id: String,
    pub(super) sport: Sport,
    pub(super) stage: Stage,
    pub(super) round: i64,
    pub(super) position: i64,
    /// When the organizer asked for it, if so.
    pub(super) wanted: Option<Millis>,
    /// Between two matches of a player, in milliseconds.
    pub(super) rest_ms: i64,
    pub(super) people: Vec<String>,
}

/// What is known of the people.
#[derive(Debug, Default)]
pub(super) struct Hall {
    /// Who is called or playing.
    pub(super) on_court: HashSet<String>,
    /// When each last ended a match.
    pub(super) ended: HashMap<String, Millis>,
}

impl Candidate {
    /// When everybody in it has rested.
    pub(super) fn rested(&self, hall: &Hall) -> Millis {
        Millis(self.last(hall).map_or(i64::MIN, |at| at.0 + self.rest_ms))
    }

    /// When the last of its people ended a match.
    fn last(&self, hall: &Hall) -> Option<Millis> {
        self.people.iter().filter_map(|person| hall.ended.get(person)).max().copied()
    }

    /// Somebody in it is called or playing.
    pub(super) fn waits_for(&self, hall: &Hall) -> bool {
        self.people.iter().any(|person| hall.on_court.contains(person))
    }

    /// The smaller goes first.
    fn rank(&self, hall: &Hall) -> (i64, i64, i64, i64, i64, &str) {
        let stage = match self.stage {
            Stage::Group => 0,
            Stage::KnockOut => 1,
        };
        let wanted = self.wanted.map_or(i64::MAX, |at| at.0);
        let waited = self.last(hall).map_or(i64::MIN, |at| at.0);
        (wanted, stage, self.round, waited, self.position, &self.match_id)
    }
}

/// The match to call to `court`.
pub(super) fn next<'a>(
    court: &Court,
    candidates: &'a [Candidate],
    hall: &Hall,
    now: Millis,
) -> Option<&'a Candidate> {
    candidates
        .iter()
        .filter(|candidate| court.takes(candidate.sport))
        .filter(|candidate| !candidate.waits_for(hall) && candidate.rested(hall) <= now)
        .min_by_key(|candidate| candidate.rank(hall))
}

/// Which matches to call to which of the free courts, in order: pairs of court and match.
pub(super) fn fill(
    courts: &[Court],
    candidates: &[Candidate],
    mut hall: Hall,
    now: Millis,
) -> Vec<(String, String)> {
    let mut calls = Vec::new();
    let mut left = candidates.to_vec();
    for court in courts.iter().filter(|court| !court.closed) {
        let Some(chosen) = next(court, &left, &hall, now).cloned() else { continue };
        hall.on_court.extend(chosen.people.iter().cloned());
        left.retain(|candidate| candidate.match_id != chosen.match_id);
        calls.push((court.id.clone(), chosen.match_id));
    }
    calls
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn candidate(id: &str, people: &[&str]) -> Candidate {
        Candidate {
            match_id: id.to_owned(),
            sport: Sport::TableTennis,
            stage: Stage::Group,
            round: 1,
            position: 1,
            wanted: None,
            rest_ms: 600,
            people: people.iter().map(|person| (*person).to_owned()).collect(),
        }
    }

    fn court(id: &str, sport: Option<Sport>) -> Court {
        Court {
            id: id.to_owned(),
            event_id: String::new(),
            name: id.to_owned(),
            position: 1,
            sport,
            closed: false,
        }
    }

    const NOW: Millis = Millis(10_000);

    #[test]
    fn nobody_is_called_twice_and_everybody_rests() {
        let hall = Hall {
            on_court: HashSet::from(["王".to_owned()]),
            ended: HashMap::from([
                ("李".to_owned(), Millis(9_500)),
                ("赵".to_owned(), Millis(9_400)),
            ]),
        };
        let table = court("1号台", None);
        let busy = [candidate("a", &["王", "孙"])];
        assert_eq!(next(&table, &busy, &hall, NOW), None);
        let tired = [candidate("b", &["李", "孙"])];
        assert_eq!(next(&table, &tired, &hall, NOW), None);
        assert_eq!(
            next(&table, &tired, &hall, Millis(10_100)).map(|found| found.match_id.as_str()),
            Some("b")
        );
        let fresh = [candidate("c", &["赵", "孙"])];
        assert!(next(&table, &fresh, &hall, NOW).is_some());
        let elsewhere = court("A场", Some(Sport::Football));
        assert_eq!(next(&elsewhere, &fresh, &hall, NOW), None);
    }

    #[test]
    fn earlier_rounds_go_first_unless_the_organizer_wants_otherwise() {
        let first = candidate("a", &["王", "孙"]);
        let second = Candidate { round: 2, ..candidate("b", &["李", "赵"]) };
        let wanted =
            Candidate { wanted: Some(Millis(1)), round: 3, ..candidate("c", &["周", "吴"]) };
        let (table, hall) = (court("1号台", None), Hall::default());
        let chosen =
            |from: &[Candidate]| next(&table, from, &hall, NOW).map(|found| found.match_id.clone());
        assert_eq!(chosen(&[second.clone(), first.clone()]).as_deref(), Some("a"));
        assert_eq!(chosen(&[second, first, wanted]).as_deref(), Some("c"));
    }

    proptest! {
        #[test]
        fn free_courts_are_filled_without_anybody_twice(
            matches in prop::collection::vec((0..12_usize, 0..12_usize, 1..4_i64), 0..20),
            busy in prop::collection::hash_set(0..12_usize, 0..4),
            courts in 1..6_usize,
        ) {
            let name = |at: usize| format!("p{at}");
            let candidates: Vec<Candidate> = matches.iter().enumerate().filter(|(_, (a, b, _))| a != b)
                .map(|(id, (a, b, round))| Candidate {
                    round: *round,
                    ..candidate(&format!("m{id:02}"), &[name(*a).as_str(), name(*b).as_str()])
                }).collect();
            let courts: Vec<Court> = (0..courts).map(|at| court(&format!("c{at}"), None)).collect();
            let on_court: HashSet<String> = busy.iter().map(|at| name(*at)).collect();
            let hall = || Hall { on_court: on_court.clone(), ended: HashMap::new() };
            let calls = fill(&courts, &candidates, hall(), NOW);
            let mut seen = on_court.clone();
            for (_, id) in &calls {
                let called = candidates.iter().find(|candidate| candidate.match_id == *id).expect("one of them");
                for person in &called.people {
                    prop_assert!(seen.insert(person.clone()), "{person} twice");
                }
            }
            // A court stays free only when nobody else can play.
            if calls.len() < courts.len() {
                let full = Hall { on_court: seen, ended: HashMap::new() };
                let left: Vec<Candidate> = candidates.iter()
                    .filter(|candidate| calls.iter().all(|(_, id)| *id != candidate.match_id)).cloned().collect();
                prop_assert_eq!(next(&courts[0], &left, &full, NOW), None);
            }
        }
    }
}
