//! What follows from a match that ended: winners go on, groups fill the knock-out, a discipline is over.

use admission::Millis;

use super::{
    super::{Discipline, Match, MatchState, Side, Takes, queries as contest, score::Ending},
    queries,
    table::{self, Table},
    ties,
};
use crate::{
    db::Tx,
    error::{Error, Result},
};

/// Who stands on a side of a match, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// It is decided by what is still to be played.
    Open,
    /// This entry.
    Of(String),
    /// Nobody: neither came, or the group has no one of that rank.
    Empty,
}

/// Does what follows from the match `id`, which has ended or was corrected.
pub(super) async fn after(tx: &mut Tx, id: &str, now: Millis) -> Result<()> {
    let ended = contest::match_(tx, id).await?;
    let discipline = contest::discipline(tx, &ended.discipline_id).await?;
    let ended = match &ended.tie_id {
        Some(tie) => {
            if !ties::update(tx, &discipline, tie, now).await? {
                return Ok(());
            }
            contest::match_(tx, tie).await?
        }
        None => ended,
    };
    let mut todo = match &ended.group_id {
        Some(group) => settle_group(tx, &discipline, group, now).await?,
        None => queries::fed_by_match(tx, &ended.id).await?,
    };
    while let Some(target) = todo.pop() {
        if settle(tx, target.clone(), now).await? {
            todo.extend(queries::fed_by_match(tx, &target.id).await?);
        }
    }
    finish(tx, &discipline, now).await
}

/// Settles the ranking of a group when all is played and no lots are needed; gives the matches that it fills.
pub(super) async fn settle_group(
    tx: &mut Tx,
    discipline: &Discipline,
    group_id: &str,
    now: Millis,
) -> Result<Vec<Match>> {
    let group = queries::group(tx, group_id).await?;
    let table = table::of_group(tx, discipline, &group).await?;
    let fed = queries::fed_by_group(tx, group_id).await?;
    let settled = table.complete && !table.needs_lots(ranks(&fed, group_id));
    queries::finish_group(tx, group_id, settled.then_some(group.finished_ms.unwrap_or(now.0)))
        .await?;
    Ok(fed)
}

/// The last rank of a group from which somebody goes on.
pub(super) fn ranks(fed: &[Match], group_id: &str) -> i64 {
    let of = |group: &Option<String>, rank: Option<i64>| {
        rank.filter(|_| group.as_deref() == Some(group_id))
    };
    fed.iter()
        .flat_map(|found| {
            [of(&found.a_group_id, found.a_rank), of(&found.b_group_id, found.b_rank)]
        })
        .flatten()
        .max()
        .unwrap_or(0)
}

/// Fills the sides of a match that are decided. A match with one side empty is won by the other at once, one with both
/// by nobody; true when it is over.
async fn settle(tx: &mut Tx, mut found: Match, now: Millis) -> Result<bool> {
    let sides = [side(tx, &found, Side::A).await?, side(tx, &found, Side::B).await?];
    if !matches!(found.state, MatchState::Waiting | MatchState::Ready) {
        return Ok(false);
    }
    let [a, b] = &sides;
    let entry = |place: &Place| if let Place::Of(id) = place { Some(id.clone()) } else { None };
    (found.a_entry_id, found.b_entry_id) = (entry(a), entry(b));
    let ending = match (a, b) {
        (Place::Open, _) | (_, Place::Open) => None,
        (Place::Of(_), Place::Of(_)) => None,
        (Place::Of(_), Place::Empty) => Some(Ending::Walkover(Side::B)),
        (Place::Empty, Place::Of(_)) => Some(Ending::Walkover(Side::A)),
        (Place::Empty, Place::Empty) => Some(Ending::Neither),
    };
    found.state = match (a, b) {
        (Place::Of(_), Place::Of(_)) => MatchState::Ready,
        _ => MatchState::Waiting,
    };
    if let Some(ending) = ending {
        found.state = MatchState::Ended;
        found.ended_ms = Some(now.0);
        found.outcome = Some(ending.outcome());
        found.winner = ending.given_to();
    }
    if !queries::save(tx, &found).await? {
        return Err(Error::Busy);
    }
    Ok(ending.is_some())
}

/// Who stands on a side.
async fn side(tx: &mut Tx, found: &Match, side: Side) -> Result<Place> {
    let (match_id, takes, group_id, rank, drawn) = match side {
        Side::A => {
            (&found.a_match_id, found.a_takes, &found.a_group_id, found.a_rank, &found.a_entry_id)
        }
        Side::B => {
            (&found.b_match_id, found.b_takes, &found.b_group_id, found.b_rank, &found.b_entry_id)
        }
    };
    if let Some(id) = match_id {
        let before = contest::match_(tx, id).await?;
        if before.state != MatchState::Ended {
            return Ok(Place::Open);
        }
        let goes_on = before.winner.map(|winner| match takes {
            Some(Takes::Loser) => winner.other(),
            _ => winner,
        });
        let entry = goes_on.and_then(|side| before.entry(side));
        return Ok(entry.map_or(Place::Empty, |entry| Place::Of(entry.to_owned())));
    }
    if let (Some(id), Some(rank)) = (group_id, rank) {
        let group = queries::group(tx, id).await?;
        if group.finished_ms.is_none() {
            return Ok(Place::Open);
        }
        let discipline = contest::discipline(tx, &found.discipline_id).await?;
        let table: Table = table::of_group(tx, &discipline, &group).await?;
        return Ok(table.at(rank).map_or(Place::Empty, |entry| Place::Of(entry.id.clone())));
    }
    Ok(drawn.clone().map_or(Place::Empty, Place::Of))
}

/// Whether something that follows from a match has been called or played, so that its winner stands.
pub(super) async fn is_built_upon(tx: &mut Tx, found: &Match) -> Result<bool> {
    let fed = match &found.group_id {
        Some(group) => queries::fed_by_group(tx, group).await?,
        None => queries::fed_by_match(tx, &found.id).await?,
    };
    Ok(fed.iter().any(|next| !matches!(next.state, MatchState::Waiting | MatchState::Ready)))
}

/// Notes when a discipline is over: everything is played and every group is settled.
async fn finish(tx: &mut Tx, discipline: &Discipline, now: Millis) -> Result<()> {
    let (open, _) = queries::progress(tx, &discipline.id).await?;
    let groups = contest::groups(tx, &discipline.id).await?;
    let over = open == 0 && groups.iter().all(|group| group.finished_ms.is_some());
    if over != discipline.finished_ms.is_some() {
        queries::finish(tx, &discipline.id, over.then_some(now.0)).await?;
    }
    Ok(())
}

/// Settles a group again after lots were drawn or cards were noted, and what follows.
pub(super) async fn after_group(
    tx: &mut Tx,
    group_id: &str,
    discipline: &Discipline,
    now: Millis,
) -> Result<()> {
    let mut todo = settle_group(tx, discipline, group_id, now).await?;
    while let Some(target) = todo.pop() {
        if settle(tx, target.clone(), now).await? {
            todo.extend(queries::fed_by_match(tx, &target.id).await?);
        }
    }
    finish(tx, discipline, now).await
}
