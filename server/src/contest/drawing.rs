//! On the day: the list is closed, the draw is made from the seed that was committed to, and the matches are written.

use std::collections::HashMap;

use admission::Millis;
use data_encoding::HEXLOWER;

use super::{
    Discipline, Entry, EntryStatus, Format, Kind,
    bracket::{self, From, NewMatch},
    draw::record::{self, Drawn, KIND, Record, Terms, VERSION},
    entering::{self, refused},
    queries,
};
use crate::{
    App,
    db::{Tx, new_id},
    draw::record::commitment,
    error::{Error, Result},
    event::{self, Event},
    execute, fetch,
    keys::Keys,
};

/// The seed of a discipline's n-th draw. It is told to nobody before the draw.
fn seed_of(keys: &Keys, discipline_id: &str, number: i64) -> [u8; 32] {
    keys.draw.fingerprint(format!("contest/{discipline_id}/{number}").as_bytes()).0
}

/// Commits to the seed of a discipline's n-th draw.
pub(super) async fn commit(
    tx: &mut Tx,
    keys: &Keys,
    event_id: &str,
    discipline_id: &str,
    number: i64,
    now: Millis,
) -> Result<()> {
    execute!(
        tx,
        "insert into contest_draw (discipline_id, number, event_id, commitment, committed_ms) values ($1, $2, $3, $4, $5)",
        discipline_id,
        number,
        event_id,
        commitment(&seed_of(keys, discipline_id, number)),
        now.0,
    )?;
    Ok(())
}

/// A draw's row.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct DrawRow {
    pub(super) number: i64,
    pub(super) commitment: String,
    pub(super) committed_ms: i64,
    pub(super) drawn_ms: Option<i64>,
    pub(super) record: Option<String>,
    pub(super) void_ms: Option<i64>,
    pub(super) void_reason: Option<String>,
}

impl DrawRow {
    /// The published record.
    pub(super) fn read(&self) -> Result<Option<Record>> {
        let text = self.record.as_deref();
        Ok(text.map(serde_json::from_str).transpose().map_err(anyhow::Error::from)?)
    }
}

/// The draws of a discipline, the newest first; there is always one.
pub(super) async fn draws(tx: &mut Tx, discipline_id: &str) -> Result<Vec<DrawRow>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select number, commitment, committed_ms, drawn_ms, record, void_ms, void_reason from contest_draw
         where discipline_id = $1 order by number desc",
        discipline_id
    )?)
}

/// Closes the list: who is there is present, who is not is absent and out. Those in line whom the organizer has seen
/// take the places that became free.
///
/// # Errors
/// [`Error::Refused`] `list_closed` when it is closed already.
pub async fn close_list(tx: &mut Tx, discipline_id: &str, now: Millis) -> Result<()> {
    let (event, discipline) = held(tx, discipline_id).await?;
    if discipline.list_closed_ms.is_some() {
        return Err(refused("list_closed", "名单已经确定。", "The list is closed already."));
    }
    let players = queries::players(tx, &discipline.id).await?;
    let mut entries = queries::entries(tx, &discipline.id).await?;
    entries.retain(|entry| matches!(entry.status, EntryStatus::Entered | EntryStatus::Waiting));
    // Those with a place first, then the line in order.
    entries.sort_by_key(|entry| (entry.status == EntryStatus::Waiting, entry.line));
    let mut present = 0;
    for entry in &entries {
        let has_room = discipline.entries_max.is_none_or(|most| present < most);
        let is_there = entering::is_there(&discipline, entry, &players) && has_room;
        let status = match (is_there, entry.status) {
            (true, _) => EntryStatus::Present,
            (false, EntryStatus::Waiting) => continue,
            (false, _) => EntryStatus::Absent,
        };
        present += i64::from(is_there);
        execute!(tx, "update entry set status = $2 where id = $1", &entry.id, status)?;
    }
    execute!(tx, "update discipline set list_closed_ms = $2 where id = $1", &discipline.id, now.0)?;
    tx.notify(&event.id).await?;
    Ok(())
}

/// The organizer saw an entry's people: it is there without a scan.
///
/// # Errors
/// When the database fails.
pub async fn see(tx: &mut Tx, entry_id: &str, now: Millis) -> Result<()> {
    execute!(tx, "update entry set seen_ms = $2 where id = $1", entry_id, now.0)?;
    Ok(())
}

/// Opens a closed list again, as long as nothing was drawn from it.
///
/// # Errors
/// [`Error::Refused`] `drawn`.
pub async fn reopen_list(tx: &mut Tx, discipline_id: &str) -> Result<()> {
    let (event, discipline) = held(tx, discipline_id).await?;
    not_drawn(tx, &discipline).await?;
    execute!(tx, "update discipline set list_closed_ms = null where id = $1", &discipline.id)?;
    execute!(
        tx,
        "update entry set status = 'entered' where discipline_id = $1 and status in ('present', 'absent')",
        &discipline.id
    )?;
    tx.notify(&event.id).await?;
    Ok(())
}

/// Draws who is present, publishes the seed, writes groups and matches.
///
/// # Errors
/// [`Error::Refused`] `list_open`, `drawn` or `too_few`.
pub async fn draw(tx: &mut Tx, app: &App, discipline_id: &str, now: Millis) -> Result<()> {
    let (event, discipline) = held(tx, discipline_id).await?;
    if discipline.format == Format::Walk {
        return Err(refused("no_draw", "健步走不用抽签。", "A walk has no draw."));
    }
    if discipline.list_closed_ms.is_none() {
        return Err(refused("list_open", "请先确定名单，再抽签。", "Please close the list first."));
    }
    let row = not_drawn(tx, &discipline).await?;
    let mut entries = queries::entries(tx, &discipline.id).await?;
    entries.retain(|entry| entry.status == EntryStatus::Present);
    let least = discipline.entries_min.max(2);
    if i64::try_from(entries.len()).unwrap_or(0) < least {
        return Err(refused(
            "too_few",
            format!(
                "到场的只有 {} 个，不足最少 {least} 个，不能抽签。可以重开名单，或取消这个项目。",
                entries.len()
            ),
            format!(
                "Only {} are present of at least {least}. Reopen the list, or cancel the discipline.",
                entries.len()
            ),
        ));
    }
    if entries.len() > super::draw::ENTRANTS_MAX {
        return Err(refused(
            "too_many",
            "到场的超过 256 个，请分成几个项目。",
            "More than 256: please split the discipline.",
        ));
    }
    let seed = seed_of(&app.keys, &discipline.id, row.number);
    if commitment(&seed) != row.commitment {
        return Err(Error::Internal(anyhow::anyhow!(
            "the draw key is not the one that committed to the draw of discipline {}: bring back keys/draw.key",
            discipline.id
        )));
    }
    let record = record_of(&event, &discipline, &row, &entries, &seed, now);
    let text = serde_json::to_string_pretty(&record).map_err(anyhow::Error::from)?;
    let rows = execute!(
        tx,
        "update contest_draw set drawn_ms = $3, record = $4 where discipline_id = $1 and number = $2 and drawn_ms is null",
        &discipline.id,
        row.number,
        now.0,
        &text,
    )?;
    if rows == 0 {
        return Err(drawn_already());
    }
    write(tx, &discipline, &record.drawn, now).await?;
    tx.notify(&event.id).await?;
    Ok(())
}

/// Declares the draw void, in public and with a reason, as long as no match was called; commits to the next.
///
/// # Errors
/// [`Error::Invalid`] without a reason; [`Error::Refused`] `not_drawn` or `playing`.
pub async fn declare_void(
    tx: &mut Tx,
    app: &App,
    discipline_id: &str,
    reason: &str,
    now: Millis,
) -> Result<()> {
    let (event, discipline) = held(tx, discipline_id).await?;
    let reason = reason.trim();
    if !(4..=200).contains(&reason.chars().count()) {
        return Err(Error::invalid(
            "reason",
            "请写明作废的原因（4 到 200 个字），会公布在抽签页上。",
            "Please say why (4 to 200 characters); it is published on the draw's page.",
        ));
    }
    let Some(row) =
        draws(tx, &discipline.id).await?.into_iter().next().filter(|row| row.drawn_ms.is_some())
    else {
        return Err(refused("not_drawn", "还没有抽签。", "Nothing was drawn yet."));
    };
    let (begun,): (i64,) = fetch!(
        tx,
        fetch_one,
        "select count(*) from match_ where discipline_id = $1 and state in ('called', 'playing', 'ended')",
        &discipline.id
    )?;
    if begun > 0 {
        return Err(refused(
            "playing",
            "已经有比赛叫号或开始，抽签不能作废。",
            "Matches were called or played; the draw stands.",
        ));
    }
    execute!(
        tx,
        "update contest_draw set void_ms = $3, void_reason = $4 where discipline_id = $1 and number = $2",
        &discipline.id,
        row.number,
        now.0,
        reason,
    )?;
    execute!(
        tx,
        "update entry set group_id = null, group_place = null, draw_line = null where discipline_id = $1",
        &discipline.id
    )?;
    // Later rounds refer to earlier ones and to groups.
    let rounds: Vec<(i64,)> = fetch!(
        tx,
        fetch_all,
        "select distinct round from match_ where discipline_id = $1 order by round desc",
        &discipline.id
    )?;
    for (round,) in rounds {
        execute!(
            tx,
            "delete from match_change where match_id in (select id from match_ where discipline_id = $1 and round = $2)",
            &discipline.id,
            round
        )?;
        execute!(
            tx,
            "delete from match_ where discipline_id = $1 and round = $2",
            &discipline.id,
            round
        )?;
    }
    execute!(tx, "delete from group_ where discipline_id = $1", &discipline.id)?;
    commit(tx, &app.keys, &event.id, &discipline.id, row.number + 1, now).await?;
    tx.notify(&event.id).await?;
    Ok(())
}

/// The discipline with its event's counter held, so that nobody else changes it until commit.
async fn held(tx: &mut Tx, discipline_id: &str) -> Result<(Event, Discipline)> {
    let discipline = queries::discipline(tx, discipline_id).await?;
    event::queries::hold(tx, &discipline.event_id).await?;
    super::discipline::find(tx, discipline_id).await
}

fn drawn_already() -> Error {
    refused("drawn", "已经抽过签。", "It was drawn already.")
}

/// The draw that is to come.
async fn not_drawn(tx: &mut Tx, discipline: &Discipline) -> Result<DrawRow> {
    let row =
        draws(tx, &discipline.id).await?.into_iter().next().filter(|row| row.drawn_ms.is_none());
    row.ok_or_else(drawn_already)
}

fn record_of(
    event: &Event,
    discipline: &Discipline,
    row: &DrawRow,
    entries: &[Entry],
    seed: &[u8; 32],
    now: Millis,
) -> Record {
    let terms = Terms {
        format: discipline.format,
        seed_rule: discipline.seed_rule,
        group_size: u32::try_from(discipline.group_size).unwrap_or(4),
        group_winners: u32::try_from(discipline.group_winners).unwrap_or(2),
    };
    let entries: Vec<record::Entry> = entries
        .iter()
        .map(|entry| record::Entry {
            id: entry.id.clone(),
            name: public_name(discipline, &entry.name),
            organisation: entry.organisation.clone(),
            seed: entry.seed.and_then(|seed| u32::try_from(seed).ok()),
        })
        .collect();
    let drawn = record::draw(VERSION, seed, &terms, &entries);
    Record {
        version: VERSION,
        kind: KIND.to_owned(),
        title: format!("{} · {}", event.title, discipline.name),
        commitment: row.commitment.clone(),
        committed_ms: row.committed_ms,
        seed: HEXLOWER.encode(seed),
        drawn_ms: now.0,
        terms,
        entries,
        drawn,
    }
}

/// An entry's name as the public sees it: people masked, teams whole.
pub(super) fn public_name(discipline: &Discipline, name: &str) -> String {
    match discipline.kind {
        Kind::Team => name.to_owned(),
        _ => name.split(" / ").map(admission::name::masked).collect::<Vec<_>>().join(" / "),
    }
}

/// Writes what was drawn: groups, lines, matches.
async fn write(tx: &mut Tx, discipline: &Discipline, drawn: &Drawn, now: Millis) -> Result<()> {
    let mut groups = Vec::new();
    for (number, members) in (1_i64..).zip(&drawn.groups) {
        let id = new_id(now);
        execute!(
            tx,
            "insert into group_ (id, event_id, discipline_id, number) values ($1, $2, $3, $4)",
            &id,
            &discipline.event_id,
            &discipline.id,
            number
        )?;
        for (place, entry) in (1_i64..).zip(members) {
            execute!(
                tx,
                "update entry set group_id = $2, group_place = $3 where id = $1",
                entry,
                &id,
                place
            )?;
        }
        groups.push(id);
    }
    if drawn.groups.is_empty() {
        for (line, entry) in (1_i64..).zip(&drawn.lines) {
            execute!(tx, "update entry set draw_line = $2 where id = $1", entry, line)?;
        }
    }
    let mut ids: HashMap<usize, String> = HashMap::new();
    for (at, new) in bracket::matches(drawn, discipline.third_place).iter().enumerate() {
        let id = new_id(now);
        insert(tx, discipline, new, &id, &groups, &ids, now).await?;
        ids.insert(at, id);
    }
    Ok(())
}

/// A side as a match's row has it: entry, match, takes, group, rank.
type Columns<'a> =
    (Option<&'a str>, Option<&'a str>, Option<super::Takes>, Option<&'a str>, Option<i64>);

fn columns<'a>(
    from: &'a From,
    groups: &'a [String],
    ids: &'a HashMap<usize, String>,
) -> Columns<'a> {
    match from {
        From::Entry(id) => (Some(id), None, None, None, None),
        From::Match(at, takes) => (None, ids.get(at).map(String::as_str), Some(*takes), None, None),
        From::Group(group, rank) => {
            (None, None, None, groups.get(group - 1).map(String::as_str), i64::try_from(*rank).ok())
        }
    }
}

async fn insert(
    tx: &mut Tx,
    discipline: &Discipline,
    new: &NewMatch,
    id: &str,
    groups: &[String],
    ids: &HashMap<usize, String>,
    now: Millis,
) -> Result<()> {
    let a = columns(&new.a, groups, ids);
    let b = columns(&new.b, groups, ids);
    let state = if a.0.is_some() && b.0.is_some() { "ready" } else { "waiting" };
    execute!(
        tx,
        "insert into match_ (id, event_id, discipline_id, stage, group_id, round, position, third_place,
             a_entry_id, a_match_id, a_takes, a_group_id, a_rank, b_entry_id, b_match_id, b_takes, b_group_id, b_rank,
             state, created_ms)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)",
        id,
        &discipline.event_id,
        &discipline.id,
        new.stage,
        new.group.and_then(|group| groups.get(group - 1)),
        i64::try_from(new.round).unwrap_or(1),
        i64::try_from(new.position).unwrap_or(1),
        new.third_place,
        a.0,
        a.1,
        a.2,
        a.3,
        a.4,
        b.0,
        b.1,
        b.2,
        b.3,
        b.4,
        state,
        now.0,
    )?;
    Ok(())
}
