//! Scores and results, as an umpire's phone or the desk sends them: exact with two umpires and with lost replies.
//!
//! A phone sends the whole score each time, the version it has seen, and a key. The version must still be the match's,
//! so two phones never mix; the same key again is answered as before, so a lost reply costs nothing.

use admission::Millis;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use super::{
    super::{
        Discipline, Match, MatchRule, MatchState, Outcome, Side, Stage, queries as contest,
        score::{self, Ending, Score},
    },
    advance,
    call::conflict,
    queries::{self, Change},
    scorer::By,
    table,
};
use crate::{
    audit,
    db::Tx,
    error::{Error, Result},
};

/// The most lines of a score.
const LINES_MAX: usize = 32;
const KEY_CHARS_MAX: usize = 64;
const REASON_CHARS_MAX: usize = 200;

/// What is sent about a match.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub(crate) struct Report {
    /// Unique for each change; sent again after a lost reply.
    pub key: String,
    /// The version of the match that the sender has seen.
    pub version: i64,
    /// All lines so far, the side named first first: games, or goals of each half.
    pub games: Vec<[i64; 2]>,
    /// Football: the shoot-out.
    #[serde(default)]
    pub shootout: Option<[i64; 2]>,
    /// How the match ended; none while it is played.
    #[serde(default)]
    pub outcome: Option<Outcome>,
    /// The side that gave up, was put out, or did not come. A walk-over without a side: neither came.
    #[serde(default)]
    pub gone: Option<Side>,
    /// Why, for a correction.
    #[serde(default)]
    pub reason: String,
}

impl Report {
    fn ending(&self) -> Result<Option<Ending>> {
        let Some(outcome) = self.outcome else { return Ok(None) };
        let ending = match (outcome, self.gone) {
            (Outcome::Played, None) => Some(Ending::Played),
            (Outcome::Retired, Some(side)) => Some(Ending::Retired(side)),
            (Outcome::Disqualified, Some(side)) => Some(Ending::Disqualified(side)),
            (Outcome::Walkover, Some(side)) => Some(Ending::Walkover(side)),
            (Outcome::Walkover, None) => Some(Ending::Neither),
            _ => None,
        };
        ending.map(Some).ok_or_else(|| {
            Error::invalid(
                "side",
                "请选择是哪一方退赛、弃权或被取消资格。",
                "Please say which side gave up, did not come, or was put out.",
            )
        })
    }

    fn check(&self) -> Result<()> {
        let sound = self.games.len() <= LINES_MAX
            && (1..=KEY_CHARS_MAX).contains(&self.key.chars().count())
            && self.reason.chars().count() <= REASON_CHARS_MAX;
        if sound {
            return Ok(());
        }
        Err(Error::invalid(
            "report",
            "提交的内容太长，请检查。",
            "Too much was sent. Please check it.",
        ))
    }

    fn sha256(&self) -> Vec<u8> {
        let said = format!(
            "{}|{:?}|{:?}|{:?}|{:?}|{}",
            self.version, self.games, self.shootout, self.outcome, self.gone, self.reason
        );
        Sha256::digest(said).to_vec()
    }
}

/// The rule a match is counted by, and whether it needs a winner.
///
/// # Errors
/// When the database fails.
pub(crate) async fn rule_of(
    tx: &mut Tx,
    discipline: &Discipline,
    found: &Match,
) -> Result<(MatchRule, bool)> {
    let needs_winner = found.stage == Stage::KnockOut || found.tie_id.is_some();
    if found.stage == Stage::Group {
        return Ok((discipline.rule, needs_winner));
    }
    let (_, rounds) = queries::progress(tx, &discipline.id).await?;
    let left = 1_i64.checked_shl(u32::try_from(rounds - found.round + 1).unwrap_or(1)).unwrap_or(2);
    Ok((discipline.rule_with(left), needs_winner))
}

/// Takes what was sent about a match that is not over; gives the match after it.
///
/// # Errors
/// A refusal: the score cannot be, somebody else changed the match, or it is over.
pub(crate) async fn report(
    tx: &mut Tx,
    by: &By,
    id: &str,
    sent: &Report,
    now: Millis,
) -> Result<Match> {
    sent.check()?;
    let event_id = contest::match_(tx, id).await?.event_id;
    queries::hold(tx, &event_id).await?;
    let mut found = contest::match_(tx, id).await?;
    by.check(&event_id, found.court_id.as_deref())?;
    let sha256 = sent.sha256();
    if let Some((before, _)) = queries::answered(tx, id, &sent.key).await? {
        if before == sha256 {
            return Ok(found);
        }
        return Err(conflict(
            "key_reused",
            "同一编号的提交内容不同，请刷新页面再试。",
            "This key came with other content before. Please reload.",
        )
        .into());
    }
    if found.state == MatchState::Ended {
        return Err(conflict(
            "match_over",
            "这场比赛已经结束。比分有误请裁判长在赛务台更正。",
            "This match is over. To correct it, ask the referee at the desk.",
        )
        .into());
    }
    if found.version != sent.version {
        return Err(conflict(
            "match_changed",
            "另一台手机刚改过这场比赛，请按最新比分继续。",
            "Another phone changed this match. Please go on from the newest score.",
        )
        .into());
    }
    let discipline = contest::discipline(tx, &found.discipline_id).await?;
    if found.tie_id.is_none()
        && !discipline.tie_order.is_empty()
        && sent.outcome.is_none_or(|outcome| outcome == Outcome::Played)
    {
        return Err(conflict(
            "tie",
            "团体赛请给每一场单项记分。",
            "Of a tie, its single matches are scored.",
        )
        .into());
    }
    let (rule, needs_winner) = rule_of(tx, &discipline, &found).await?;
    match sent.ending()? {
        None => {
            if !matches!(found.state, MatchState::Called | MatchState::Playing) {
                return Err(conflict(
                    "not_called",
                    "这场比赛还没有叫号。",
                    "This match was not called yet.",
                )
                .into());
            }
            score::may_stand(rule, &sent.games)?;
            begin(tx, by, &mut found, now).await?;
            put(&mut found, sent);
        }
        Some(ending) => {
            may_end(by, &discipline, &found, ending, now)?;
            let score = Score { games: sent.games.clone(), shootout: sent.shootout, ending };
            end(tx, by, &mut found, &score, rule, needs_winner, now).await?;
        }
    }
    queries::keep_answer(tx, &found, &sent.key, sha256, now).await?;
    if !queries::save(tx, &found).await? {
        return Err(Error::Busy);
    }
    queries::set_games(tx, &found, &sent.games).await?;
    if found.state == MatchState::Ended {
        advance::after(tx, id, now).await?;
    }
    contest::match_(tx, id).await
}

/// The first point, or "start", begins a match.
async fn begin(tx: &mut Tx, by: &By, found: &mut Match, now: Millis) -> Result<()> {
    if found.started_ms.is_none() {
        found.started_ms = Some(now.0);
        let change = Change { action: "started", before: None, after: None, reason: "" };
        queries::note(tx, found, by, &change, now).await?;
    }
    found.state = MatchState::Playing;
    Ok(())
}

fn put(found: &mut Match, sent: &Report) {
    (found.a_shootout, found.b_shootout) =
        (sent.shootout.map(|[a, _]| a), sent.shootout.map(|[_, b]| b));
}

/// A match ends at its court; a walk-over once the call clock has run out, or as the organizer decides.
fn may_end(
    by: &By,
    discipline: &Discipline,
    found: &Match,
    ending: Ending,
    now: Millis,
) -> Result<()> {
    if by.decides() {
        return if found.state == MatchState::Waiting {
            Err(conflict("not_ready", "对阵还没有确定。", "The sides are not known yet.").into())
        } else {
            Ok(())
        };
    }
    if !matches!(found.state, MatchState::Called | MatchState::Playing) {
        return Err(conflict(
            "not_called",
            "这场比赛还没有叫号。",
            "This match was not called yet.",
        )
        .into());
    }
    let until = found.called_ms.unwrap_or(now.0) + discipline.late_ms;
    if ending.is_unplayed() && now.0 < until {
        let minutes = (until - now.0 + 59_999) / 60_000;
        return Err(conflict(
            "too_early",
            format!("叫号后等候时间还没到，再过 {minutes} 分钟才能判弃权；要提前判请找裁判长。"),
            format!("The call has {minutes} more minutes. The referee may decide before."),
        )
        .into());
    }
    Ok(())
}

async fn end(
    tx: &mut Tx,
    by: &By,
    found: &mut Match,
    score: &Score,
    rule: MatchRule,
    needs_winner: bool,
    now: Millis,
) -> Result<()> {
    let judged = score::judge(rule, score, needs_winner)?;
    found.state = MatchState::Ended;
    found.ended_ms = Some(found.ended_ms.unwrap_or(now.0));
    if !score.ending.is_unplayed() {
        found.started_ms = found.started_ms.or(Some(now.0));
    }
    found.outcome = Some(score.ending.outcome());
    found.winner = judged.winner;
    let counted = (!score.ending.is_unplayed()).then_some(judged.won);
    (found.a_score, found.b_score) = (counted.map(|[a, _]| a), counted.map(|[_, b]| b));
    (found.a_shootout, found.b_shootout) =
        (score.shootout.map(|[a, _]| a), score.shootout.map(|[_, b]| b));
    queries::leave(tx, &found.id).await?;
    let change = Change { action: "result", before: None, after: Some(score), reason: "" };
    queries::note(tx, found, by, &change, now).await
}

/// Corrects the result of a match that is over; who did and why is kept. Its winner can change only while nothing that
/// follows from it has been called.
///
/// # Errors
/// A refusal: no reason, the score cannot be, somebody else changed it, or the next round has begun.
pub(super) async fn correct(
    tx: &mut Tx,
    by: &By,
    id: &str,
    sent: &Report,
    now: Millis,
) -> Result<Match> {
    sent.check()?;
    let event_id = contest::match_(tx, id).await?.event_id;
    queries::hold(tx, &event_id).await?;
    let mut found = contest::match_(tx, id).await?;
    if found.state != MatchState::Ended || found.outcome == Some(Outcome::Void) {
        return Err(conflict(
            "not_over",
            "这场比赛还没有结束，直接记分即可。",
            "This match is not over; just score it.",
        )
        .into());
    }
    if found.version != sent.version {
        return Err(conflict(
            "match_changed",
            "别人刚改过这场比赛，请按最新结果再改。",
            "Somebody else changed this match. Please look again.",
        )
        .into());
    }
    if sent.reason.trim().is_empty() {
        return Err(Error::invalid(
            "reason",
            "请写明更正的原因。",
            "Please say why it is corrected.",
        ));
    }
    let ending = sent.ending()?.unwrap_or(Ending::Played);
    let discipline = contest::discipline(tx, &found.discipline_id).await?;
    let (rule, needs_winner) = rule_of(tx, &discipline, &found).await?;
    let before_ending = found.outcome.and_then(|outcome| Ending::of(outcome, found.winner));
    let before = table::score_of(tx, &found, before_ending.unwrap_or(Ending::Played)).await?;
    let after = Score { games: sent.games.clone(), shootout: sent.shootout, ending };
    let judged = score::judge(rule, &after, needs_winner)?;
    let root = match &found.tie_id {
        Some(tie) => contest::match_(tx, tie).await?,
        None => found.clone(),
    };
    let moves = found.group_id.is_some() || found.tie_id.is_some() || judged.winner != found.winner;
    if moves && advance::is_built_upon(tx, &root).await? {
        return Err(conflict(
            "built_upon",
            "后面的比赛已经叫号或打完，不能再改这场的结果。",
            "Matches that follow from it were called or played; its result stands.",
        )
        .into());
    }
    found.outcome = Some(ending.outcome());
    found.winner = judged.winner;
    let counted = (!ending.is_unplayed()).then_some(judged.won);
    (found.a_score, found.b_score) = (counted.map(|[a, _]| a), counted.map(|[_, b]| b));
    put(&mut found, sent);
    if !queries::save(tx, &found).await? {
        return Err(Error::Busy);
    }
    queries::set_games(tx, &found, &sent.games).await?;
    let change = Change {
        action: "correction",
        before: Some(&before),
        after: Some(&after),
        reason: sent.reason.trim(),
    };
    queries::note(tx, &found, by, &change, now).await?;
    if let By::Staff(staff) = by {
        audit::record(tx, staff, "match.correct", id, sent.reason.trim(), now).await?;
    }
    advance::after(tx, id, now).await?;
    contest::match_(tx, id).await
}
