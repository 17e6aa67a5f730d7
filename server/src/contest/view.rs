//! A discipline as pages show it: who entered, the groups with their results, the bracket round by round.

use std::collections::HashMap;

use admission::say::Lang;

use super::{
    Discipline, Entry, EntryStatus, Game, Group, Match, Side, Sport, Stage, draw::record::Record,
    drawing, queries, walk,
};
use crate::{db::Tx, error::Result};

/// Everything of one discipline that a page may show.
pub(super) struct Shown {
    pub(super) discipline: Discipline,
    pub(super) entries: Vec<Listed>,
    pub(super) groups: Vec<GroupShown>,
    /// The knock-out; without groups and draw there is none.
    pub(super) rounds: Vec<Round>,
    pub(super) third_place: Option<MatchShown>,
    pub(super) record: Option<Record>,
    /// Of a walk that has begun: its points, each with how many were seen there.
    pub(super) passed: Vec<(String, usize)>,
}

/// An entry in a list.
pub(super) struct Listed {
    pub(super) name: String,
    pub(super) organisation: Option<String>,
    pub(super) seed: Option<i64>,
    pub(super) bib: Option<String>,
    pub(super) status: EntryStatus,
}

/// A group with its results.
pub(super) struct GroupShown {
    pub(super) letter: String,
    /// Its entries by their places; for each the result against each other one.
    pub(super) rows: Vec<(SideShown, Vec<Cell>)>,
}

/// What stands in a group's table where two entries meet.
pub(super) enum Cell {
    /// Oneself.
    Same,
    /// Not played yet.
    Open,
    /// The score, and `won` when the row's entry did.
    Result(String, &'static str),
}

/// A round of the knock-out: for each match from the top its box.
pub(super) struct Round {
    pub(super) name: String,
    pub(super) boxes: Vec<Slot>,
}

/// A box of the bracket.
pub(super) enum Slot {
    /// A match.
    Match(MatchShown),
    /// Somebody goes on without one.
    Bye(SideShown),
}

/// A match in its box.
pub(super) struct MatchShown {
    pub(super) a: SideShown,
    pub(super) b: SideShown,
    /// 11-9 8-11 11-5.
    pub(super) games: String,
    pub(super) live: bool,
}

/// A side in its box.
#[derive(Clone, Default)]
pub(super) struct SideShown {
    pub(super) name: String,
    pub(super) organisation: String,
    pub(super) seed: Option<i64>,
    pub(super) score: Option<i64>,
    pub(super) won: bool,
    /// It is known who it is.
    pub(super) known: bool,
}

/// What is needed to name sides.
struct Names<'a> {
    entries: HashMap<&'a str, SideShown>,
    groups: HashMap<&'a str, String>,
    lang: Lang,
}

impl Shown {
    /// Reads a discipline; names of people are masked unless `whole`.
    pub(super) async fn read(
        tx: &mut Tx,
        discipline: Discipline,
        whole: bool,
        lang: Lang,
    ) -> Result<Self> {
        let entries = queries::entries(tx, &discipline.id).await?;
        let groups = queries::groups(tx, &discipline.id).await?;
        let matches = queries::matches(tx, &discipline.id).await?;
        let games = queries::games(tx, &discipline.id).await?;
        let draws = drawing::draws(tx, &discipline.id).await?;
        let record = draws.first().map(drawing::DrawRow::read).transpose()?.flatten();
        let name = |entry: &Entry| {
            if whole { entry.name.clone() } else { drawing::public_name(&discipline, &entry.name) }
        };
        let names = Names {
            entries: entries
                .iter()
                .map(|entry| (entry.id.as_str(), side(entry, name(entry))))
                .collect(),
            groups: groups.iter().map(|group| (group.id.as_str(), group.letter())).collect(),
            lang,
        };
        let knock_out: Vec<&Match> =
            matches.iter().filter(|one| one.stage == Stage::KnockOut).collect();
        let third_place =
            knock_out.iter().find(|one| one.third_place).map(|one| names.shown(one, &games));
        let rounds = match &record {
            Some(record) => rounds(record, &knock_out, &names, &games),
            None => Vec::new(),
        };
        let shown_groups =
            groups.iter().map(|group| names.group(group, &entries, &matches)).collect();
        let listed = entries
            .iter()
            .filter(|entry| entry.status != EntryStatus::Withdrawn)
            .map(|entry| Listed {
                name: name(entry),
                organisation: entry.organisation.clone(),
                seed: entry.seed,
                bib: entry.bib.clone(),
                status: entry.status,
            })
            .collect();
        let passed = passed(tx, &discipline).await?;
        Ok(Self {
            entries: listed,
            groups: shown_groups,
            rounds,
            third_place,
            record,
            passed,
            discipline,
        })
    }

    /// How many have a place.
    pub(super) fn placed(&self) -> usize {
        let placed =
            |entry: &&Listed| matches!(entry.status, EntryStatus::Entered | EntryStatus::Present);
        self.entries.iter().filter(placed).count()
    }
}

/// The points of a walk that has begun, each with how many were seen there.
async fn passed(tx: &mut Tx, discipline: &Discipline) -> Result<Vec<(String, usize)>> {
    if discipline.sport != Sport::Walk {
        return Ok(Vec::new());
    }
    let begun =
        walk::queries::walk(tx, &discipline.id).await?.is_some_and(|walk| walk.gun_ms.is_some());
    if !begun {
        return Ok(Vec::new());
    }
    let points = walk::queries::points(tx, &discipline.id).await?;
    let counts = walk::passed(&walk::walkers(tx, discipline).await?, points.len());
    Ok(points.into_iter().map(|point| point.name).zip(counts).collect())
}

fn side(entry: &Entry, name: String) -> SideShown {
    SideShown {
        name,
        organisation: entry.organisation.clone().unwrap_or_default(),
        seed: entry.seed,
        known: true,
        ..SideShown::default()
    }
}

/// The bracket: boxes for every match and every bye of the first round.
fn rounds(record: &Record, matches: &[&Match], names: &Names<'_>, games: &[Game]) -> Vec<Round> {
    let lines = &record.drawn.lines;
    let mut rounds = Vec::new();
    let (mut left, mut number) = (lines.len(), 1);
    while left > 1 {
        let mut boxes = Vec::new();
        for position in 1..=left / 2 {
            let found = matches.iter().find(|one| {
                !one.third_place
                    && usize::try_from(one.round) == Ok(number)
                    && usize::try_from(one.position) == Ok(position)
            });
            boxes.push(match found {
                Some(found) => Slot::Match(names.shown(found, games)),
                None => {
                    let pair = &lines[2 * position - 2..2 * position];
                    let line = pair.iter().flatten().next();
                    Slot::Bye(line.map(|text| names.line(text)).unwrap_or_default())
                }
            });
        }
        rounds.push(Round { name: round_name(left, names.lang), boxes });
        left /= 2;
        number += 1;
    }
    rounds
}

/// The name of the round in which `left` are left.
pub(super) fn round_name(left: usize, lang: Lang) -> String {
    match (left, lang) {
        (2, _) => lang.pick("决赛", "Final").to_owned(),
        (4, _) => lang.pick("半决赛", "Semi-final").to_owned(),
        (_, Lang::Zh) => format!("1/{} 决赛", left / 2),
        (8, Lang::En) => "Quarter-final".to_owned(),
        (_, Lang::En) => format!("Last {left}"),
    }
}

impl Names<'_> {
    fn shown(&self, found: &Match, games: &[Game]) -> MatchShown {
        let side = |side: Side| {
            let (score, from) = match side {
                Side::A => (found.a_score, self.source(&found.a_group_id, found.a_rank)),
                Side::B => (found.b_score, self.source(&found.b_group_id, found.b_rank)),
            };
            let known = found.entry(side).and_then(|id| self.entries.get(id)).cloned();
            let unknown = SideShown { name: from, ..SideShown::default() };
            SideShown { score, won: found.winner == Some(side), ..known.unwrap_or(unknown) }
        };
        let said: Vec<String> = games
            .iter()
            .filter(|game| game.match_id == found.id)
            .map(|game| format!("{}-{}", game.a_points, game.b_points))
            .collect();
        let mut said = said.join("  ");
        if let (Some(a), Some(b)) = (found.a_shootout, found.b_shootout) {
            let word = self.lang.pick("点球", "shoot-out");
            said = format!("{said}  {word} {a}-{b}");
        }
        if let Some(outcome) = found.outcome.filter(|outcome| *outcome != super::Outcome::Played) {
            said = format!("{said}  {}", outcome.said(self.lang));
        }
        let live = matches!(found.state, super::MatchState::Called | super::MatchState::Playing);
        MatchShown { a: side(Side::A), b: side(Side::B), games: said.trim().to_owned(), live }
    }

    /// A 组第 1.
    fn source(&self, group: &Option<String>, rank: Option<i64>) -> String {
        let letter = group.as_deref().and_then(|id| self.groups.get(id));
        match (letter, rank, self.lang) {
            (Some(letter), Some(rank), Lang::Zh) => format!("{letter} 组第 {rank}"),
            (Some(letter), Some(rank), Lang::En) => format!("{letter}{rank}"),
            _ => String::new(),
        }
    }

    /// Who stands on a line of the draw.
    fn line(&self, text: &str) -> SideShown {
        if let Some(known) = self.entries.get(text) {
            return known.clone();
        }
        let (group, rank) = text.split_once('/').unwrap_or((text, ""));
        let letter = group.parse().map(super::group_letter).unwrap_or_default();
        let name = match self.lang {
            Lang::Zh => format!("{letter} 组第 {rank}"),
            Lang::En => format!("{letter}{rank}"),
        };
        SideShown { name, ..SideShown::default() }
    }

    fn group(&self, group: &Group, entries: &[Entry], matches: &[Match]) -> GroupShown {
        let mut members: Vec<&Entry> =
            entries.iter().filter(|entry| entry.group_id.as_deref() == Some(&group.id)).collect();
        members.sort_by_key(|entry| entry.group_place);
        let cell = |row: &Entry, column: &Entry| {
            if row.id == column.id {
                return Cell::Same;
            }
            let found = matches.iter().find_map(|one| {
                let (a, b) = (one.a_entry_id.as_deref()?, one.b_entry_id.as_deref()?);
                let side = if a == row.id && b == column.id {
                    Side::A
                } else if a == column.id && b == row.id {
                    Side::B
                } else {
                    return None;
                };
                (one.group_id.as_deref() == Some(&group.id)).then_some((one, side))
            });
            match found {
                Some((
                    Match { ended_ms: Some(_), a_score, b_score, winner, outcome, .. },
                    side,
                )) => {
                    let (own, other) = match side {
                        Side::A => (a_score, b_score),
                        Side::B => (b_score, a_score),
                    };
                    let said = match (own, other, outcome) {
                        (Some(own), Some(other), _) => format!("{own}:{other}"),
                        (_, _, Some(outcome)) => outcome.said(self.lang).to_owned(),
                        _ => "–".to_owned(),
                    };
                    Cell::Result(said, if *winner == Some(side) { "won" } else { "" })
                }
                _ => Cell::Open,
            }
        };
        let rows = members
            .iter()
            .map(|&row| {
                let side = self.entries.get(row.id.as_str()).cloned().unwrap_or_default();
                (side, members.iter().map(|&column| cell(row, column)).collect())
            })
            .collect();
        GroupShown { letter: group.letter(), rows }
    }
}
