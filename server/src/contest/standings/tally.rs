//! What entrants did: wins, points, games, counted over all matches of a group or over those among some.

use std::cmp::Ordering;

use super::{Played, Rules};
use crate::contest::{
    MatchRule, Side, Standings,
    score::{Ending, Score, at, completed, lead, sums},
};

/// What an entrant did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Matches that are over.
    pub played: i64,
    /// Of them won.
    pub won: i64,
    /// Of them drawn.
    pub drawn: i64,
    /// Of them lost.
    pub lost: i64,
    /// Points of the table.
    pub points: i64,
    /// Of ties: single matches won and lost.
    pub rubbers: [i64; 2],
    /// Games won and lost; goals in football.
    pub games: [i64; 2],
    /// Points won and lost in games.
    pub scores: [i64; 2],
}

/// What is compared; the greater is the better.
#[derive(Clone, Copy, Debug)]
pub enum Value {
    /// A sum.
    Sum(i64),
    /// A difference, written with its sign.
    Difference(i64),
    /// Won and lost, compared as an exact fraction; nothing lost is more than any fraction, nothing at all is nought.
    Ratio(i64, i64),
    /// A lot; the smaller is the better.
    Lot(i64),
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Ratio(a, b), Self::Ratio(c, d)) => {
                let ([a, b], [c, d]) = (fraction(*a, *b), fraction(*c, *d));
                (a * d).cmp(&(c * b))
            }
            (Self::Lot(one), Self::Lot(other)) => other.cmp(one),
            _ => self.number().cmp(&other.number()),
        }
    }
}

/// Won and lost as a fraction of which the cross products compare rightly: x/0 is 1/0, 0/0 is 0/1.
const fn fraction(won: i64, lost: i64) -> [i64; 2] {
    match (won, lost) {
        (0, _) => [0, 1],
        (_, 0) => [1, 0],
        both => [both.0, both.1],
    }
}

impl Value {
    const fn number(self) -> i64 {
        match self {
            Self::Sum(number)
            | Self::Difference(number)
            | Self::Ratio(number, _)
            | Self::Lot(number) => number,
        }
    }
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Value {}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sum(number) => write!(f, "{number}"),
            Self::Difference(number) if *number > 0 => write!(f, "+{number}"),
            Self::Difference(number) if *number < 0 => write!(f, "−{}", number.unsigned_abs()),
            Self::Difference(_) => f.write_str("0"),
            Self::Ratio(won, lost) => write!(f, "{won}/{lost}"),
            Self::Lot(number) => write!(f, "{number}"),
        }
    }
}

/// What each of `count` entrants did in `played`, or in those matches of it that are among `scope`.
pub(super) fn tallies(
    rules: Rules,
    count: usize,
    played: &[&Played],
    scope: Option<&[usize]>,
) -> Vec<Tally> {
    let mut tallies = vec![Tally::default(); count];
    let counts = |at| scope.is_none_or(|scope| scope.contains(&at));
    for played in played.iter().filter(|played| counts(played.a) && counts(played.b)) {
        let sums = Sums::of(rules, played);
        for side in [Side::A, Side::B] {
            let tally = &mut tallies[played.entrant(side)];
            tally.played += 1;
            tally.won += i64::from(sums.winner == Some(side));
            tally.lost +=
                i64::from(sums.winner == Some(side.other()) || played.ending == Ending::Neither);
            tally.drawn += i64::from(sums.winner.is_none() && played.ending != Ending::Neither);
            add(&mut tally.rubbers, sums.rubbers, side);
            add(&mut tally.games, sums.games, side);
            add(&mut tally.scores, sums.scores, side);
            tally.points += points(rules, played.ending, &sums, side);
        }
    }
    tallies
}

/// What one match adds, the side named first first.
struct Sums {
    winner: Option<Side>,
    rubbers: [i64; 2],
    games: [i64; 2],
    scores: [i64; 2],
}

impl Sums {
    fn of(rules: Rules, played: &Played) -> Self {
        let mut sums = Self { winner: None, rubbers: [0, 0], games: [0, 0], scores: [0, 0] };
        let given = played.ending.given_to();
        let scores = played.scores.iter().map(|score| match score.ending {
            // A single match that a tie's end left open counts as its side's that stayed.
            Ending::Played if rules.rubbers.is_none() || given.is_none() => score.clone(),
            Ending::Played => rest(rules.rule, score, given),
            _ => score.clone(),
        });
        for score in scores {
            sums.count(rules.rule, &score);
        }
        if let (Some(rubbers), Some(winner)) = (rules.rubbers, given) {
            let unplayed = Score::of(Vec::new(), Ending::Walkover(winner.other()));
            while sums.rubbers[at(winner)] < (rubbers as i64) / 2 + 1 {
                sums.count(rules.rule, &unplayed);
            }
        }
        sums.winner = match (given, rules.rubbers) {
            (Some(winner), _) => Some(winner),
            (None, Some(_)) => lead(sums.rubbers),
            (None, None) => lead(sums.games),
        };
        sums
    }

    /// Adds a match, or a single match of a tie.
    fn count(&mut self, rule: MatchRule, score: &Score) {
        let lines = completed(rule, score);
        let games = match rule {
            MatchRule::Goals { .. } => sums(&lines),
            MatchRule::Games { .. } => {
                lines.iter().filter_map(|line| lead(*line)).fold([0, 0], |mut won, side| {
                    won[at(side)] += 1;
                    won
                })
            }
        };
        if let Some(side) = score.ending.given_to().or(lead(games)) {
            self.rubbers[at(side)] += 1;
        }
        add(&mut self.games, games, Side::A);
        if matches!(rule, MatchRule::Games { .. }) {
            add(&mut self.scores, sums(&lines), Side::A);
        }
    }
}

/// A single match as it counts when the tie was given to a side: played ones stand, an open one is given too.
fn rest(rule: MatchRule, score: &Score, given: Option<Side>) -> Score {
    let whole = crate::contest::score::judge(rule, score, false).is_ok();
    match given {
        Some(winner) if !whole => {
            Score { ending: Ending::Disqualified(winner.other()), ..score.clone() }
        }
        _ => score.clone(),
    }
}

fn add(to: &mut [i64; 2], what: [i64; 2], side: Side) {
    to[0] += what[at(side)];
    to[1] += what[at(side.other())];
}

/// Points of the table for one match.
fn points(rules: Rules, ending: Ending, sums: &Sums, side: Side) -> i64 {
    let (won, lacks) = (sums.winner == Some(side), ending.lacks(side));
    match rules.standings {
        Standings::Ittf if won => 2,
        Standings::Ittf => i64::from(!lacks),
        Standings::Bwf => i64::from(won),
        Standings::Fifa2022 | Standings::Fifa2026 if won => 3,
        Standings::Fifa2022 | Standings::Fifa2026 => i64::from(sums.winner.is_none() && !lacks),
        Standings::Union if lacks => 0,
        Standings::Union if rules.rubbers.is_some() => sums.rubbers[at(side)],
        Standings::Union => sums.games[at(side)],
    }
}
