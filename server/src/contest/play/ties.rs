//! Ties of teams: single matches are made when a tie can be played, and decide it.

use admission::Millis;

use super::{
    super::{Discipline, Match, MatchState, Outcome, Side, Stage, Standings, queries as contest},
    queries,
};
use crate::{db::Tx, error::Result};

/// Makes the single matches of all ties of an event that can be played and have none.
pub(super) async fn open(tx: &mut Tx, event_id: &str, now: Millis) -> Result<()> {
    for tie in queries::unopened_ties(tx, event_id).await? {
        let discipline = contest::discipline(tx, &tie.discipline_id).await?;
        let labels: Vec<&str> = discipline.tie_order.split_whitespace().collect();
        queries::add_rubbers(tx, &tie, &labels, now).await?;
    }
    Ok(())
}

/// How a tie stands by its single matches, and whether it is over.
pub(super) struct Standing {
    pub(super) won: [i64; 2],
    pub(super) over: bool,
}

/// How the tie of those single matches stands. In a group by the union's rule all are played; else it ends when decided.
pub(super) fn standing(discipline: &Discipline, tie: &Match, rubbers: &[Match]) -> Standing {
    let won = [Side::A, Side::B]
        .map(|side| rubbers.iter().filter(|rubber| rubber.winner == Some(side)).count() as i64);
    let most = won[0].max(won[1]);
    let all = tie.stage == Stage::Group && discipline.standings == Standings::Union;
    let ended = rubbers.iter().all(|rubber| rubber.state == MatchState::Ended);
    Standing { won, over: ended || (!all && most > rubbers.len() as i64 / 2) }
}

/// Brings a tie up to date after one of its single matches; true when it is over.
pub(super) async fn update(
    tx: &mut Tx,
    discipline: &Discipline,
    tie_id: &str,
    now: Millis,
) -> Result<bool> {
    let mut tie = contest::match_(tx, tie_id).await?;
    let rubbers = queries::rubbers(tx, tie_id).await?;
    let Standing { won, over } = standing(discipline, &tie, &rubbers);
    (tie.a_score, tie.b_score) = (Some(won[0]), Some(won[1]));
    tie.started_ms = tie.started_ms.or(Some(now.0));
    if over {
        tie.state = MatchState::Ended;
        tie.ended_ms = tie.ended_ms.or(Some(now.0));
        tie.outcome = Some(Outcome::Played);
        tie.winner = super::super::score::lead(won);
        for mut open in rubbers.into_iter().filter(|rubber| rubber.state != MatchState::Ended) {
            queries::leave(tx, &open.id).await?;
            open.state = MatchState::Ended;
            open.ended_ms = Some(now.0);
            open.outcome = Some(Outcome::Void);
            queries::save(tx, &open).await?;
        }
    } else {
        tie.state = MatchState::Playing;
    }
    queries::save(tx, &tie).await?;
    Ok(over)
}
