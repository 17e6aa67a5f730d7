//! The rules as lists: what each compares, in which order, and when it begins again.

use super::{
    Entrant,
    tally::{Tally, Value},
};
use crate::contest::Standings;

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Points of the table.
    Points,
    /// Matches won.
    MatchesWon,
    /// Matches of ties won for each one lost.
    RubberRatio,
    /// Games won for each one lost.
    GameRatio,
    /// Points won for each one lost.
    ScoreRatio,
    /// Matches of ties won less those lost.
    RubberDifference,
    /// Games won less games lost; goals in football.
    GameDifference,
    /// Points won less points lost.
    ScoreDifference,
    /// Goals.
    Goals,
    /// Who won the match between the two.
    HeadToHead,
    /// Cards.
    Conduct,
    /// Lots.
    Lot,
}

/// When the comparison among the equal begins again for those still equal, with their own matches only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Restart {
    Never,
    AtEachSplit,
    AfterAll,
}

impl Standings {
    /// The rule in a sentence, Chinese and English.
    #[must_use]
    pub const fn rule(self) -> (&'static str, &'static str) {
        match self {
            Self::Ittf => (
                "胜一场 2 分，负一场 1 分，弃权或未打完 0 分；同分者只看相互之间的比赛：积分、局的胜负比、分的胜负比；仍同则抽签。（国际乒联规则 3.7.5）",
                "2 points for a win, 1 for a loss, 0 for a match not played to its end; the equal by the matches among them: points, ratio of games, ratio of points; then lots. (ITTF 3.7.5)",
            ),
            Self::Bwf => (
                "先比胜场；两人相同看相互胜负，三人以上比净胜局，再比净胜分；仍同则抽签；中途退赛者成绩全部取消。（世界羽联竞赛总则 16.2）",
                "Matches won; two equal by their match; more by game difference, then point difference; then lots. All results of one who withdraws are struck. (BWF GCR 16.2)",
            ),
            Self::Fifa2022 => (
                "胜 3 分，平 1 分；同分依次比净胜球、进球数，再比相互之间的积分、净胜球、进球数，公平竞赛分，抽签。（国际足联 2022）",
                "3 points for a win, 1 for a draw; then goal difference, goals; then the same among the equal; fair play; lots. (FIFA 2022)",
            ),
            Self::Fifa2026 => (
                "胜 3 分，平 1 分；同分先比相互之间的积分、净胜球、进球数（仍同者再来一遍），再比全部净胜球、进球数，公平竞赛分，抽签。（国际足联 2026）",
                "3 points for a win, 1 for a draw; the equal by points, goal difference, goals among them, again for those still equal; then overall; fair play; lots. (FIFA 2026)",
            ),
            Self::Union => (
                "每胜一局得 1 分（团体赛为每胜一场），3:0 得 3 分和 0 分，2:1 得 2 分和 1 分；同分看相互之间的比赛，再比净胜局、净胜分，仍同则抽签。",
                "A point for each game won, or match of a tie (3:0 gives 3 and 0); the equal by the matches among them, then game difference, point difference, lots.",
            ),
        }
    }

    /// Compared over all matches, before those among the equal are looked at.
    pub(super) const fn before(self, ties: bool) -> &'static [Measure] {
        match self {
            Self::Ittf => &[],
            Self::Bwf if ties => &[
                Measure::MatchesWon,
                Measure::RubberDifference,
                Measure::GameDifference,
                Measure::ScoreDifference,
            ],
            Self::Bwf => &[Measure::MatchesWon, Measure::GameDifference, Measure::ScoreDifference],
            Self::Fifa2022 => &[Measure::Points, Measure::GameDifference, Measure::Goals],
            Self::Fifa2026 | Self::Union => &[Measure::Points],
        }
    }

    /// Compared over the matches among the equal.
    pub(super) const fn among(self, ties: bool) -> &'static [Measure] {
        match self {
            Self::Ittf if ties => {
                &[Measure::Points, Measure::RubberRatio, Measure::GameRatio, Measure::ScoreRatio]
            }
            Self::Ittf => &[Measure::Points, Measure::GameRatio, Measure::ScoreRatio],
            Self::Bwf => &[],
            Self::Fifa2022 | Self::Fifa2026 => {
                &[Measure::Points, Measure::GameDifference, Measure::Goals]
            }
            Self::Union => &[Measure::Points],
        }
    }

    /// Compared over all matches when those among the equal did not decide.
    pub(super) const fn after(self, ties: bool) -> &'static [Measure] {
        match self {
            Self::Union if ties => {
                &[Measure::RubberDifference, Measure::GameDifference, Measure::ScoreDifference]
            }
            Self::Ittf | Self::Bwf => &[],
            Self::Fifa2022 => &[Measure::Conduct],
            Self::Fifa2026 => &[Measure::GameDifference, Measure::Goals, Measure::Conduct],
            Self::Union => &[Measure::GameDifference, Measure::ScoreDifference],
        }
    }

    pub(super) const fn restart(self) -> Restart {
        match self {
            Self::Ittf | Self::Union => Restart::AtEachSplit,
            Self::Bwf | Self::Fifa2022 => Restart::Never,
            Self::Fifa2026 => Restart::AfterAll,
        }
    }

    /// What is compared first of all.
    pub(super) const fn first(self) -> Measure {
        match self {
            Self::Bwf => Measure::MatchesWon,
            _ => Measure::Points,
        }
    }

    /// Two who are equal are told apart by their match before anything else.
    pub(super) const fn pairs_meet(self) -> bool {
        matches!(self, Self::Bwf)
    }

    /// All results are struck of one who withdraws.
    pub(super) const fn strikes(self) -> bool {
        matches!(self, Self::Bwf)
    }
}

impl Measure {
    /// What `tally` is worth by this measure: the greater is the better.
    pub(super) fn of(self, tally: &Tally, entrant: &Entrant) -> Value {
        match self {
            Self::Points => Value::Sum(tally.points),
            Self::MatchesWon | Self::HeadToHead => Value::Sum(tally.won),
            Self::RubberRatio => Value::Ratio(tally.rubbers[0], tally.rubbers[1]),
            Self::GameRatio => Value::Ratio(tally.games[0], tally.games[1]),
            Self::ScoreRatio => Value::Ratio(tally.scores[0], tally.scores[1]),
            Self::RubberDifference => Value::Difference(tally.rubbers[0] - tally.rubbers[1]),
            Self::GameDifference => Value::Difference(tally.games[0] - tally.games[1]),
            Self::ScoreDifference => Value::Difference(tally.scores[0] - tally.scores[1]),
            Self::Goals => Value::Sum(tally.games[0]),
            Self::Conduct => Value::Sum(entrant.conduct),
            Self::Lot => Value::Lot(entrant.lot.unwrap_or(i64::MAX)),
        }
    }
}
