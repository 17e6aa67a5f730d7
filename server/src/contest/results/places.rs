//! Who came where, and what that is worth to an organisation.
//!
//! A knock-out gives the first two places, the third by its own match or shared, then those who lost in the same round
//! share. Who did not get out of the groups comes after, by rank in the group, shared across groups. A round robin is
//! its table; a walk the net times.

use std::collections::{BTreeMap, HashSet};

use crate::{
    contest::{
        Discipline, Entry, Match, MatchState, Outcome, Side, Sport, Stage,
        play::table,
        queries as contest,
        walk::{self, course::clock},
    },
    db::Tx,
    error::Result,
    fetch,
};

/// What the first places are worth where an organizer says nothing.
const POINTS: [i64; 8] = [8, 7, 6, 5, 4, 3, 2, 1];

/// An entry and its place.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub(crate) place: i64,
    /// Others have the same place.
    pub(crate) shared: bool,
    pub(crate) entry: Entry,
    /// A walker's net time.
    pub(crate) time: Option<String>,
}

/// The places of a discipline that are settled so far, the first first.
pub(crate) async fn of_discipline(tx: &mut Tx, discipline: &Discipline) -> Result<Vec<Placed>> {
    if discipline.sport == Sport::Walk {
        let walkers = walk::walkers(tx, discipline).await?.into_iter();
        let ranked = walkers.filter_map(|walker| Some((walker.rank? as i64, walker)));
        let placed =
            ranked.map(|(place, walker)| (place, walker.entry, walker.walked.net_ms.map(clock)));
        return Ok(shared(placed.collect()));
    }
    let entries = contest::entries(tx, &discipline.id).await?;
    let matches = contest::matches(tx, &discipline.id).await?;
    let knock_out: Vec<&Match> =
        matches.iter().filter(|found| found.stage == Stage::KnockOut).collect();
    let mut classes = knocked_out(&knock_out);
    let reached: HashSet<String> = knock_out
        .iter()
        .flat_map(|found| [found.a_entry_id.clone(), found.b_entry_id.clone()])
        .flatten()
        .collect();
    // Who did not get out of the groups, by rank: behind everybody of a better rank in any group, played out or not.
    let mut behind: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    let mut sizes = Vec::new();
    for group in contest::groups(tx, &discipline.id).await? {
        let table = table::of_group(tx, discipline, &group).await?;
        let rows: Vec<_> = table.rows.iter().filter(|row| !row.struck).collect();
        sizes.push(rows.len());
        if group.finished_ms.is_none() {
            continue;
        }
        for row in rows {
            let id = &table.entries[row.entrant].id;
            if !reached.contains(id) {
                behind.entry(row.rank).or_default().push(id.clone());
            }
        }
    }
    for (rank, class) in behind {
        let better: usize = sizes.iter().map(|size| (*size).min(rank - 1)).sum();
        classes.push((better as i64 + 1, class));
    }
    let mut placed = Vec::new();
    for (place, class) in classes {
        for id in class {
            if let Some(entry) = entries.iter().find(|entry| entry.id == id) {
                placed.push((place, entry.clone(), None));
            }
        }
    }
    Ok(shared(placed))
}

/// The places that a knock-out has settled: place and entries.
fn knocked_out(matches: &[&Match]) -> Vec<(i64, Vec<String>)> {
    let rounds = matches.iter().map(|found| found.round).max().unwrap_or(0);
    let third = matches.iter().find(|found| found.third_place);
    let ended =
        |found: &&&Match| found.state == MatchState::Ended && found.outcome != Some(Outcome::Void);
    let mut classes: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    for found in matches.iter().filter(ended) {
        let Some(winner) = found.winner else { continue };
        let [won, lost] =
            [winner, winner.other()].map(|side: Side| found.entry(side).map(str::to_owned));
        let mut add = |place: i64, entry: Option<String>| {
            classes.entry(place).or_default().extend(entry);
        };
        if found.third_place {
            add(3, won);
            add(4, lost);
        } else if found.round == rounds {
            add(1, won);
            add(2, lost);
        } else if found.round + 1 < rounds || third.is_none() {
            // Losers of a round with 2^k left share the place behind the half that goes on.
            let left =
                1_i64.checked_shl(u32::try_from(rounds - found.round).unwrap_or(0)).unwrap_or(1);
            add(left + 1, lost);
        }
    }
    classes.into_iter().filter(|(_, class)| !class.is_empty()).collect()
}

fn shared(mut placed: Vec<(i64, Entry, Option<String>)>) -> Vec<Placed> {
    placed.sort_by_key(|(place, ..)| *place);
    let places: Vec<i64> = placed.iter().map(|(place, ..)| *place).collect();
    let count = |place: i64| places.iter().filter(|other| **other == place).count();
    placed
        .into_iter()
        .map(|(place, entry, time)| Placed { place, shared: count(place) > 1, entry, time })
        .collect()
}

/// What places are worth at an event, from the first.
pub(crate) async fn points(tx: &mut Tx, event_id: &str) -> Result<Vec<i64>> {
    let rows: Vec<(i64,)> = fetch!(
        tx,
        fetch_all,
        "select points from place_points where event_id = $1 order by place",
        event_id
    )?;
    let own: Vec<i64> = rows.into_iter().map(|(points,)| points).collect();
    Ok(if own.is_empty() { POINTS.to_vec() } else { own })
}

/// What an organisation's entries brought it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Organisation {
    pub(crate) name: String,
    pub(crate) rank: usize,
    pub(crate) points: i64,
    /// First, second and third places.
    pub(crate) medals: [i64; 3],
}

/// Organisations by points, then by first, second and third places; equals share a rank. Entries that share a place each
/// bring its points.
pub(crate) fn organisations(all: &[Vec<Placed>], worth: &[i64]) -> Vec<Organisation> {
    let mut sums: BTreeMap<String, (i64, [i64; 3])> = BTreeMap::new();
    for placed in all.iter().flatten() {
        let (Some(name), Ok(at)) = (&placed.entry.organisation, usize::try_from(placed.place - 1))
        else {
            continue;
        };
        let (points, medals) = sums.entry(name.clone()).or_default();
        *points += worth.get(at).copied().unwrap_or(0);
        if let Some(medal) = medals.get_mut(at) {
            *medal += 1;
        }
    }
    let mut rows: Vec<Organisation> = sums
        .into_iter()
        .filter(|(_, (points, medals))| *points > 0 || medals.iter().any(|medal| *medal > 0))
        .map(|(name, (points, medals))| Organisation { name, rank: 0, points, medals })
        .collect();
    rows.sort_by_key(|row| std::cmp::Reverse((row.points, row.medals)));
    for at in 0..rows.len() {
        let same = at > 0
            && (rows[at].points, rows[at].medals) == (rows[at - 1].points, rows[at - 1].medals);
        rows[at].rank = if same { rows[at - 1].rank } else { at + 1 };
    }
    rows
}
