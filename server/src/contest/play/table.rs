//! The table of a group, from what was played.

use super::{
    super::{
        Discipline, Entry, Group, Match, MatchState, Outcome, queries as contest,
        score::{Ending, Score},
        standings::{self, Played, Row, Rules},
    },
    queries,
};
use crate::{db::Tx, error::Result};

/// The table of a group.
pub(crate) struct Table {
    /// Its entries, as the rows' places count them.
    pub(crate) entries: Vec<Entry>,
    /// Best first.
    pub(crate) rows: Vec<Row>,
    /// Everything was played.
    pub(crate) complete: bool,
}

impl Table {
    /// Whether somebody shares one of the first `ranks` ranks, so that lots are to be drawn.
    pub(crate) fn needs_lots(&self, ranks: i64) -> bool {
        self.complete
            && self.rows.iter().any(|row| row.shared && !row.struck && row.rank as i64 <= ranks)
    }

    /// The entry of that rank; none when nobody has it, or only one whose results were struck.
    pub(crate) fn at(&self, rank: i64) -> Option<&Entry> {
        let row =
            self.rows.iter().find(|row| row.rank as i64 == rank && !row.shared && !row.struck)?;
        self.entries.get(row.entrant)
    }

    /// The entries that share a rank with somebody.
    pub(crate) fn equal(&self) -> impl Iterator<Item = &Entry> {
        self.rows
            .iter()
            .filter(|row| row.shared && !row.struck)
            .map(|row| &self.entries[row.entrant])
    }
}

/// The rules a discipline's groups are ranked by.
pub(crate) fn rules(discipline: &Discipline) -> Rules {
    let rubbers = discipline.tie_order.split_whitespace().count();
    Rules {
        standings: discipline.standings,
        rule: discipline.rule,
        rubbers: (rubbers > 0).then_some(rubbers),
    }
}

/// The table of `group` now.
pub(crate) async fn of_group(tx: &mut Tx, discipline: &Discipline, group: &Group) -> Result<Table> {
    let entries: Vec<Entry> = contest::entries(tx, &discipline.id)
        .await?
        .into_iter()
        .filter(|entry| entry.group_id.as_deref() == Some(&group.id))
        .collect();
    let notes = queries::notes(tx, &group.id).await?;
    let matches = queries::group_matches(tx, &group.id).await?;
    let at = |id: &Option<String>| entries.iter().position(|entry| Some(&entry.id) == id.as_ref());
    let mut played = Vec::new();
    for found in matches.iter().filter(|found| found.state == MatchState::Ended) {
        let (Some(a), Some(b)) = (at(&found.a_entry_id), at(&found.b_entry_id)) else { continue };
        let Some(ending) = found.outcome.and_then(|outcome| Ending::of(outcome, found.winner))
        else {
            continue;
        };
        let scores = if discipline.tie_order.is_empty() {
            vec![score_of(tx, found, ending).await?]
        } else {
            rubber_scores(tx, found).await?
        };
        played.push(Played { a, b, ending, scores });
    }
    let entrants: Vec<standings::Entrant> = entries
        .iter()
        .map(|entry| {
            let note = notes.iter().find(|(id, ..)| *id == entry.id);
            let (conduct, lot) = note.map_or((0, None), |(_, conduct, lot)| (*conduct, *lot));
            standings::Entrant { conduct, lot }
        })
        .collect();
    let rows = standings::table(rules(discipline), &entrants, &played);
    let complete = matches.iter().all(|found| found.state == MatchState::Ended);
    Ok(Table { entries, rows, complete })
}

/// The score of a match as it is kept.
pub(super) async fn score_of(tx: &mut Tx, found: &Match, ending: Ending) -> Result<Score> {
    let games = queries::games(tx, &found.id).await?;
    let shootout = found.a_shootout.zip(found.b_shootout).map(|(a, b)| [a, b]);
    Ok(Score { games, shootout, ending })
}

async fn rubber_scores(tx: &mut Tx, tie: &Match) -> Result<Vec<Score>> {
    let mut scores = Vec::new();
    for rubber in queries::rubbers(tx, &tie.id).await? {
        let ending = rubber.outcome.filter(|outcome| *outcome != Outcome::Void);
        if let Some(ending) = ending.and_then(|outcome| Ending::of(outcome, rubber.winner)) {
            scores.push(score_of(tx, &rubber, ending).await?);
        }
    }
    Ok(scores)
}
