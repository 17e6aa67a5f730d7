//! What a match's score may be: games of table tennis and badminton, goals of football. Pure.
//!
//! Sources: ITTF 2.11 and 2.12; BWF laws 7 (3×21) and its alternative (3×15); IFAB laws 7 and 10.

#[cfg(test)]
mod tests;

use axum::http::StatusCode;

use super::{MatchRule, Outcome, Side};
use crate::error::Refused;

/// How a match ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// To its end.
    Played,
    /// This side gave up after the first point.
    Retired(Side),
    /// This side was put out.
    Disqualified(Side),
    /// This side never came, or not in time.
    Walkover(Side),
    /// Neither came.
    Neither,
}

impl Ending {
    /// Whether `side` did not play to the end.
    #[must_use]
    pub fn lacks(self, side: Side) -> bool {
        match self {
            Self::Played => false,
            Self::Retired(gone) | Self::Disqualified(gone) | Self::Walkover(gone) => gone == side,
            Self::Neither => true,
        }
    }

    /// Who wins because only the other is gone.
    #[must_use]
    pub fn given_to(self) -> Option<Side> {
        match self {
            Self::Retired(gone) | Self::Disqualified(gone) | Self::Walkover(gone) => {
                Some(gone.other())
            }
            Self::Played | Self::Neither => None,
        }
    }

    /// Nothing was played.
    #[must_use]
    pub const fn is_unplayed(self) -> bool {
        matches!(self, Self::Walkover(_) | Self::Neither)
    }

    /// The word in SQL.
    #[must_use]
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::Played => Outcome::Played,
            Self::Retired(_) => Outcome::Retired,
            Self::Disqualified(_) => Outcome::Disqualified,
            Self::Walkover(_) | Self::Neither => Outcome::Walkover,
        }
    }

    /// The ending of an ended match; none of one that does not count.
    #[must_use]
    pub fn of(outcome: Outcome, winner: Option<Side>) -> Option<Self> {
        match (outcome, winner) {
            (Outcome::Played, _) => Some(Self::Played),
            (Outcome::Retired, Some(winner)) => Some(Self::Retired(winner.other())),
            (Outcome::Disqualified, Some(winner)) => Some(Self::Disqualified(winner.other())),
            (Outcome::Walkover, Some(winner)) => Some(Self::Walkover(winner.other())),
            (Outcome::Walkover, None) => Some(Self::Neither),
            (Outcome::Retired | Outcome::Disqualified, None) | (Outcome::Void, _) => None,
        }
    }
}

/// The score of a match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Score {
    /// Line by line, the side named first first: games, or the goals of each half; lines after the last half are extra
    /// time.
    pub games: Vec<[i64; 2]>,
    /// Football: the shoot-out.
    pub shootout: Option<[i64; 2]>,
    /// How it ended.
    pub ending: Ending,
}

impl Score {
    /// A score without a shoot-out.
    #[must_use]
    pub const fn of(games: Vec<[i64; 2]>, ending: Ending) -> Self {
        Self { games, shootout: None, ending }
    }
}

/// What a valid score says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged {
    /// Who won; none for a draw, or when neither came.
    pub winner: Option<Side>,
    /// Games won; goals in football.
    pub won: [i64; 2],
}

/// More than anybody scores: keeps sums far from overflow.
const MOST: i64 = 999;

/// What `score` says, when it can be: `knockout` matches have a winner.
///
/// # Errors
/// A refusal that names the game which cannot have ended so.
pub fn judge(rule: MatchRule, score: &Score, knockout: bool) -> Result<Judged, Refused> {
    for (at, game) in score.games.iter().chain(&score.shootout).enumerate() {
        if game.iter().any(|points| !(0..=MOST).contains(points)) {
            return Err(wrong(at, *game, "比分只能是 0 到 999", "scores go from 0 to 999"));
        }
    }
    if score.ending.is_unplayed() {
        if !score.games.is_empty() || score.shootout.is_some() {
            return Err(refused(
                "弃权（未到场）的比赛没有比分，请清空比分；打了一部分请选“中途退赛”。",
                "A walk-over has no score. Clear it, or choose “retired” if a part was played.",
            ));
        }
        return Ok(Judged { winner: score.ending.given_to(), won: [0, 0] });
    }
    let judged = match rule {
        MatchRule::Goals { halves, .. } => goals(usize::from(halves), score, knockout),
        MatchRule::Games { to, cap, .. } => {
            games(rule, Game { to: to.into(), cap: cap.map(i64::from) }, score)
        }
    }?;
    Ok(Judged { winner: score.ending.given_to().or(judged.winner), ..judged })
}

/// How one game is won.
#[derive(Clone, Copy)]
struct Game {
    to: i64,
    cap: Option<i64>,
}

impl Game {
    /// Who won a game that ended so; none when it cannot have ended so.
    fn winner(self, game: [i64; 2]) -> Option<Side> {
        let winner = lead(game)?;
        let (won, lost) = (game[at(winner)], game[at(winner.other())]);
        let ends = (won == self.to && lost <= self.to - 2)
            || (won > self.to && won - lost == 2 && self.cap.is_none_or(|cap| won <= cap))
            || (self.cap == Some(won) && (1..=2).contains(&(won - lost)));
        ends.then_some(winner)
    }

    /// Whether a game can stand so while it is played.
    fn may_stand(self, game: [i64; 2]) -> bool {
        let (most, least) = (game[0].max(game[1]), game[0].min(game[1]));
        most < self.to
            || (most - least <= 1 && least >= self.to - 1 && self.cap.is_none_or(|cap| most < cap))
    }

    /// A game given to `winner`, in which the other keeps `lost`.
    fn given(self, winner: Side, lost: i64) -> [i64; 2] {
        let won = self.to.max(lost + 2);
        pair(winner, self.cap.map_or(won, |cap| won.min(cap)), lost)
    }

    fn fault(self, number: usize, game: [i64; 2]) -> Refused {
        let (to, even) = (self.to, self.to - 1);
        match self.cap {
            None => wrong(
                number,
                game,
                &format!("先得 {to} 分并领先 2 分为胜，{even} 平后打到领先 2 分为止"),
                &format!("{to} points and two ahead win; from {even} all, two ahead"),
            ),
            Some(cap) => wrong(
                number,
                game,
                &format!(
                    "先得 {to} 分并领先 2 分为胜，{even} 平后领先 2 分为胜，最多打到 {cap} 分"
                ),
                &format!(
                    "{to} points and two ahead win; from {even} all, two ahead, to {cap} at most"
                ),
            ),
        }
    }
}

/// Table tennis and badminton.
fn games(rule: MatchRule, each: Game, score: &Score) -> Result<Judged, Refused> {
    let need = i64::from(rule.games_to_win());
    let unfinished = score.ending != Ending::Played;
    let mut won = [0, 0];
    for (number, &game) in score.games.iter().enumerate() {
        if won.contains(&need) {
            return Err(wrong(
                number,
                game,
                "比赛在这之前已经分出胜负，请删去多余的局",
                "the match was decided before it; remove it",
            ));
        }
        match each.winner(game) {
            Some(side) => won[at(side)] += 1,
            // Who gives up leaves the last game as it stood.
            None if unfinished && number + 1 == score.games.len() && each.may_stand(game) => {}
            None => return Err(each.fault(number, game)),
        }
    }
    let [a, b] = won;
    match (score.ending, won.contains(&need)) {
        (Ending::Played, false) => Err(refused(
            format!(
                "现在是 {a}:{b}，先胜 {need} 局才分出胜负。没打完请先不要提交；有人退赛请选“中途退赛”。"
            ),
            format!("It stands {a}:{b}; {need} win the match. Play on, or choose “retired”."),
        )),
        (Ending::Retired(_), true) => Err(refused(
            format!("{a}:{b} 已经分出胜负，不能再记为中途退赛。"),
            format!("At {a}:{b} the match was over; nobody can retire from it."),
        )),
        _ => Ok(Judged { winner: lead(won), won }),
    }
}

fn goals(halves: usize, score: &Score, knockout: bool) -> Result<Judged, Refused> {
    let unfinished = score.ending != Ending::Played;
    if score.games.is_empty() && !unfinished {
        return Err(refused("请填写进球数。", "Please give the goals."));
    }
    let (regular, extra) = score.games.split_at(score.games.len().min(halves));
    if !knockout && (!extra.is_empty() || score.shootout.is_some()) {
        return Err(refused(
            "小组赛没有加时和点球，平局就是平局，请删去。",
            "A group match has no extra time and no shoot-out; a draw stands.",
        ));
    }
    if extra.len() > halves {
        return Err(refused("加时的节数太多，请删去。", "There are too many lines of extra time."));
    }
    if !extra.is_empty() && lead(sums(regular)).is_some() {
        return Err(refused(
            "常规时间已经分出胜负，不应再有加时，请删去。",
            "Regular time decided it; remove the extra time.",
        ));
    }
    let won = sums(&score.games);
    let winner = match (lead(won), score.shootout) {
        (Some(_), Some(_)) => {
            return Err(refused(
                "已经分出胜负，不应再有点球，请删去。",
                "It was decided; remove the shoot-out.",
            ));
        }
        (decided, shootout) => decided.or_else(|| lead(shootout?)),
    };
    if knockout && winner.is_none() && !unfinished {
        return Err(refused(
            "淘汰赛必须分出胜负：平局请填写加时或点球。",
            "A knock-out match has a winner: give extra time or the shoot-out.",
        ));
    }
    Ok(Judged { winner, won })
}

/// Whether the games of a match that goes on may stand so: all but the last have ended, the last may be unfinished.
///
/// # Errors
/// A refusal that names the game.
pub fn may_stand(rule: MatchRule, games: &[[i64; 2]]) -> Result<(), Refused> {
    let over = Score::of(games.to_vec(), Ending::Played);
    let open = Score::of(games.to_vec(), Ending::Disqualified(Side::B));
    if judge(rule, &over, true).is_ok() { Ok(()) } else { judge(rule, &open, true).map(drop) }
}

/// The lines of `score` as they count in ratios and differences. Of an unplayed or unfinished match the winner is given
/// what was still needed (11:0 for each unplayed game), the other keeps what was won; in football it is 3:0 at least.
/// When neither came there are none.
#[must_use]
pub fn completed(rule: MatchRule, score: &Score) -> Vec<[i64; 2]> {
    let Some(winner) = score.ending.given_to() else { return score.games.clone() };
    let loser = at(winner.other());
    let MatchRule::Games { to, cap, .. } = rule else {
        let goals = sums(&score.games);
        return vec![if goals[at(winner)] - goals[loser] >= 3 {
            goals
        } else {
            pair(winner, 3, 0)
        }];
    };
    let each = Game { to: to.into(), cap: cap.map(i64::from) };
    let (mut games, mut won) = (Vec::new(), 0);
    for &game in &score.games {
        let game = if each.winner(game).is_some() { game } else { each.given(winner, game[loser]) };
        won += i64::from(each.winner(game) == Some(winner));
        games.push(game);
    }
    while won < i64::from(rule.games_to_win()) {
        games.push(each.given(winner, 0));
        won += 1;
    }
    games
}

/// Its place in a pair.
pub(super) const fn at(side: Side) -> usize {
    match side {
        Side::A => 0,
        Side::B => 1,
    }
}

/// Who is ahead.
pub(super) fn lead([a, b]: [i64; 2]) -> Option<Side> {
    match a.cmp(&b) {
        std::cmp::Ordering::Greater => Some(Side::A),
        std::cmp::Ordering::Less => Some(Side::B),
        std::cmp::Ordering::Equal => None,
    }
}

/// All lines together.
pub(super) fn sums(games: &[[i64; 2]]) -> [i64; 2] {
    games.iter().fold([0, 0], |[a, b], game| [a + game[0], b + game[1]])
}

pub(super) const fn pair(winner: Side, won: i64, lost: i64) -> [i64; 2] {
    match winner {
        Side::A => [won, lost],
        Side::B => [lost, won],
    }
}

fn wrong(number: usize, [a, b]: [i64; 2], zh: &str, en: &str) -> Refused {
    let number = number + 1;
    refused(
        format!("第 {number} 局 {a}:{b} 不成立：{zh}。"),
        format!("Game {number}, {a}:{b}, cannot be: {en}."),
    )
}

fn refused(zh: impl Into<String>, en: impl Into<String>) -> Refused {
    Refused::new(StatusCode::UNPROCESSABLE_ENTITY, "score", zh, en)
}
