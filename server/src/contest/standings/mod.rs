//! Who stands where in a group, by the rules of the sport, with the tie-break said in one sentence. Pure.
//!
//! A rule is a list of what is compared and in which order; [`table`] walks it. Shares of points and games are
//! exact fractions. What nothing decides is left to lots: those entrants share a rank until lots are drawn.

mod preset;
mod tally;
#[cfg(test)]
mod tests;
mod why;

use std::collections::BTreeSet;

pub use preset::Measure;
use preset::Restart;
use tally::tallies;
pub use tally::{Tally, Value};
pub use why::{Step, Why};

use super::{
    MatchRule, Side, Standings,
    score::{Ending, Score},
};

/// By what a group is ranked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// What is compared, in which order.
    pub standings: Standings,
    /// How a match, or a single match of a tie, is counted.
    pub rule: MatchRule,
    /// Single matches of a tie of teams; none: entrants meet in one match.
    pub rubbers: Option<usize>,
}

/// One match of a group, between the entrants of those places in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Played {
    /// The one named first.
    pub a: usize,
    /// The one named second.
    pub b: usize,
    /// How it ended.
    pub ending: Ending,
    /// Its score, which [`super::score::judge`] has found valid; of a tie, those of its single matches.
    pub scores: Vec<Score>,
}

impl Played {
    /// A match of two.
    #[must_use]
    pub fn of(a: usize, b: usize, score: Score) -> Self {
        Self { a, b, ending: score.ending, scores: vec![score] }
    }

    const fn entrant(&self, side: Side) -> usize {
        match side {
            Side::A => self.a,
            Side::B => self.b,
        }
    }
}

/// What a group knows of an entrant beyond the matches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Entrant {
    /// Fair play in football: nought, or below it for cards.
    pub conduct: i64,
    /// The lot that was drawn for it: the smaller goes first. None: not drawn.
    pub lot: Option<i64>,
}

/// An entrant's line in the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its place in the list of entrants.
    pub entrant: usize,
    /// From 1.
    pub rank: usize,
    /// Others have the same rank, until lots are drawn.
    pub shared: bool,
    /// All its results are struck: it lost a match by walk-over or gave one up.
    pub struck: bool,
    /// What it did.
    pub tally: Tally,
    /// How it was told apart from those equal with it; none when nobody was.
    pub why: Option<Why>,
}

/// The table of a group of `entrants`, best first; those who share a rank by their place in the list.
///
/// Depends neither on the order of `played` nor, but for shared ranks, on that of `entrants`.
#[must_use]
pub fn table(rules: Rules, entrants: &[Entrant], played: &[Played]) -> Vec<Row> {
    let struck = struck(rules.standings, played);
    let counted: Vec<&Played> = played
        .iter()
        .filter(|played| !struck.contains(&played.a) && !struck.contains(&played.b))
        .collect();
    let (remain, out): (Vec<usize>, Vec<usize>) =
        (0..entrants.len()).partition(|at| !struck.contains(at));
    let all: BTreeSet<usize> = remain.iter().copied().collect();
    let tallies = tallies(rules, entrants.len(), &counted, None);
    let mut ranking = Ranking {
        rules,
        entrants,
        played: &counted,
        all,
        whys: vec![Vec::new(); entrants.len()],
        places: Vec::new(),
    };
    ranking.before(remain, 0);
    let Ranking { places, mut whys, .. } = ranking;
    let mut rows = Vec::with_capacity(entrants.len());
    for (class, struck) in places.into_iter().map(|class| (class, false)).chain([(out, true)]) {
        let (rank, shared) = (rows.len() + 1, class.len() > 1);
        for entrant in class {
            let steps = std::mem::take(&mut whys[entrant]);
            let why = (!steps.is_empty()).then_some(Why { steps, lots: shared && !struck });
            rows.push(Row { entrant, rank, shared, struck, tally: tallies[entrant], why });
        }
    }
    rows
}

/// Those whose results are struck (BWF GCR 16.2: who retires, is disqualified or does not come).
fn struck(standings: Standings, played: &[Played]) -> BTreeSet<usize> {
    let mut struck = BTreeSet::new();
    for played in played.iter().filter(|_| standings.strikes()) {
        let gone = [Side::A, Side::B].into_iter().filter(|side| played.ending.lacks(*side));
        struck.extend(gone.map(|side| played.entrant(side)));
    }
    struck
}

struct Ranking<'a> {
    rules: Rules,
    entrants: &'a [Entrant],
    played: &'a [&'a Played],
    all: BTreeSet<usize>,
    /// How each was told apart so far.
    whys: Vec<Vec<Step>>,
    /// Classes of the same rank, best first.
    places: Vec<Vec<usize>>,
}

impl Ranking<'_> {
    /// What is compared over all matches of the group.
    fn before(&mut self, set: Vec<usize>, at: usize) {
        if set.len() == 2 && at > 0 && self.rules.standings.pairs_meet() {
            let classes = self.split(&set, Measure::HeadToHead, Some(&set));
            if classes.len() == 2 {
                return self.places.extend(classes);
            }
        }
        match self.rules.standings.before(self.rules.rubbers.is_some()).get(at) {
            _ if set.len() < 2 => self.place(set),
            Some(measure) => {
                for class in self.split(&set, *measure, None) {
                    self.before(class, at + 1);
                }
            }
            None => self.among(set.clone(), &set, 0),
        }
    }

    /// What is compared over the matches among `scope` only, of which `set` are still equal.
    fn among(&mut self, set: Vec<usize>, scope: &[usize], at: usize) {
        match self.rules.standings.among(self.rules.rubbers.is_some()).get(at) {
            _ if set.len() < 2 => self.place(set),
            Some(measure) => {
                let classes = self.split(&set, *measure, Some(scope));
                let restarts =
                    self.rules.standings.restart() == Restart::AtEachSplit && classes.len() > 1;
                for class in classes {
                    if restarts {
                        self.among(class.clone(), &class, 0);
                    } else {
                        self.among(class, scope, at + 1);
                    }
                }
            }
            None if self.rules.standings.restart() == Restart::AfterAll
                && set.len() < scope.len() =>
            {
                self.among(set.clone(), &set, 0);
            }
            None => self.after(set, 0),
        }
    }

    /// What is compared over all matches when those among the equal did not decide; then lots.
    fn after(&mut self, set: Vec<usize>, at: usize) {
        match self.rules.standings.after(self.rules.rubbers.is_some()).get(at) {
            _ if set.len() < 2 => self.place(set),
            Some(measure) => {
                for class in self.split(&set, *measure, None) {
                    self.after(class, at + 1);
                }
            }
            None if set.iter().all(|at| self.entrants[*at].lot.is_some()) => {
                let classes = self.split(&set, Measure::Lot, None);
                self.places.extend(classes);
            }
            None => self.place(set),
        }
    }

    fn place(&mut self, set: Vec<usize>) {
        if !set.is_empty() {
            self.places.push(set);
        }
    }

    /// Splits `set` into classes, best first, and notes how, where it decided something.
    fn split(
        &mut self,
        set: &[usize],
        measure: Measure,
        scope: Option<&[usize]>,
    ) -> Vec<Vec<usize>> {
        let values = self.values(set, measure, scope);
        let mut sorted: Vec<(usize, Value)> = set.iter().copied().zip(values).collect();
        sorted.sort_by(|(_, one), (_, other)| other.cmp(one));
        let mut classes: Vec<Vec<usize>> = Vec::new();
        for (at, (entrant, value)) in sorted.iter().enumerate() {
            match classes.last_mut() {
                Some(class) if sorted[at - 1].1 == *value => class.push(*entrant),
                _ => classes.push(vec![*entrant]),
            }
        }
        // The first thing compared of all is not a tie-break.
        let first = set.len() == self.all.len()
            && self.whys.iter().all(Vec::is_empty)
            && measure == self.rules.standings.first();
        if classes.len() > 1 && !first {
            let step = Step {
                measure,
                among: scope.is_some_and(|scope| scope.len() < self.all.len()),
                values: sorted,
            };
            for entrant in set {
                self.whys[*entrant].push(step.clone());
            }
        }
        classes
    }

    fn values(&self, set: &[usize], measure: Measure, scope: Option<&[usize]>) -> Vec<Value> {
        let tallies = tallies(self.rules, self.entrants.len(), self.played, scope);
        set.iter().map(|at| measure.of(&tallies[*at], &self.entrants[*at])).collect()
    }
}
