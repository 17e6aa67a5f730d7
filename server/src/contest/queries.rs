//! The SQL of contests.

use super::{Court, Discipline, Entry, Game, Group, Match, Player};
use crate::{
    db::Tx,
    error::{Error, Result},
    fetch,
};

/// The columns of [`Entry`].
macro_rules! entry_select {
    ($rest:literal) => {
        concat!(
            "select n.id, n.event_id, n.discipline_id, n.organisation_id, o.name as organisation, n.name, n.seed, n.status,
                    n.line, n.captain_id, n.bib, n.seen_ms, n.created_ms, n.group_id, n.group_place, n.draw_line
             from entry n left join organisation o on o.id = n.organisation_id ",
            $rest
        )
    };
}

/// The columns of [`Player`]. Admission is that of the person's ticket of the event.
macro_rules! player_select {
    ($rest:literal) => {
        concat!(
            "select l.entry_id, l.person_id, p.name, p.sex, l.position, l.accepted_ms,
                    (select min(t.used_ms) from offer o join booking b on b.offer_id = o.id join ticket t on t.booking_id = b.id
                     where o.event_id = l.event_id and b.person_id = l.person_id and t.person_id = l.person_id
                       and t.state <> 'cancelled') as admitted_ms
             from entry_player l join person p on p.id = l.person_id ",
            $rest
        )
    };
}

/// The disciplines of an event, the oldest first.
pub async fn disciplines(tx: &mut Tx, event_id: &str) -> Result<Vec<Discipline>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select * from discipline where event_id = $1 order by created_ms, id",
        event_id
    )?)
}

/// The discipline of that id.
pub async fn discipline(tx: &mut Tx, id: &str) -> Result<Discipline> {
    let row: Option<Discipline> =
        fetch!(tx, fetch_optional, "select * from discipline where id = $1", id)?;
    row.ok_or(Error::NotFound)
}

/// The entries of a discipline: seeds first, then as they were made.
pub async fn entries(tx: &mut Tx, discipline_id: &str) -> Result<Vec<Entry>> {
    Ok(fetch!(
        tx,
        fetch_all,
        entry_select!(
            "where n.discipline_id = $1 order by coalesce(n.seed, 9999), coalesce(n.bib, ''), n.created_ms, n.id"
        ),
        discipline_id
    )?)
}

/// The entry of that id.
pub async fn entry(tx: &mut Tx, id: &str) -> Result<Entry> {
    let row: Option<Entry> = fetch!(tx, fetch_optional, entry_select!("where n.id = $1"), id)?;
    row.ok_or(Error::NotFound)
}

/// The people of all entries of a discipline, without those who left, by entry and position.
pub async fn players(tx: &mut Tx, discipline_id: &str) -> Result<Vec<Player>> {
    Ok(fetch!(
        tx,
        fetch_all,
        player_select!(
            "where l.discipline_id = $1 and l.left_ms is null order by l.entry_id, l.position"
        ),
        discipline_id
    )?)
}

/// The groups of a discipline.
pub async fn groups(tx: &mut Tx, discipline_id: &str) -> Result<Vec<Group>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select * from group_ where discipline_id = $1 order by number",
        discipline_id
    )?)
}

/// The matches of a discipline without the single ones of team matches: groups first, then the rounds of the knock-out.
pub async fn matches(tx: &mut Tx, discipline_id: &str) -> Result<Vec<Match>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select * from match_ where discipline_id = $1 and tie_id is null
         order by stage, round, position, third_place, id",
        discipline_id
    )?)
}

/// The match of that id.
pub async fn match_(tx: &mut Tx, id: &str) -> Result<Match> {
    let row: Option<Match> = fetch!(tx, fetch_optional, "select * from match_ where id = $1", id)?;
    row.ok_or(Error::NotFound)
}

/// The games of all matches of a discipline, in order.
pub async fn games(tx: &mut Tx, discipline_id: &str) -> Result<Vec<Game>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select g.match_id, g.number, g.a_points, g.b_points from game g join match_ m on m.id = g.match_id
         where m.discipline_id = $1 order by g.match_id, g.number",
        discipline_id
    )?)
}

/// The courts of an event, in order.
pub async fn courts(tx: &mut Tx, event_id: &str) -> Result<Vec<Court>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select * from court where event_id = $1 order by position, id",
        event_id
    )?)
}

/// The people of an entry, without those who left, in order.
pub async fn players_of(tx: &mut Tx, entry_id: &str) -> Result<Vec<Player>> {
    Ok(fetch!(
        tx,
        fetch_all,
        player_select!("where l.entry_id = $1 and l.left_ms is null order by l.position"),
        entry_id
    )?)
}

/// A person's entries of an event, without those withdrawn, the oldest first.
pub async fn entries_of(tx: &mut Tx, event_id: &str, person_id: &str) -> Result<Vec<Entry>> {
    Ok(fetch!(
        tx,
        fetch_all,
        entry_select!(
            "join entry_player l on l.entry_id = n.id
             where n.event_id = $1 and l.person_id = $2 and l.left_ms is null order by n.created_ms, n.id"
        ),
        event_id,
        person_id
    )?)
}

/// Whether an entry names that person, or did.
pub async fn is_of(tx: &mut Tx, entry_id: &str, person_id: &str) -> Result<bool> {
    let row: Option<(String,)> = fetch!(
        tx,
        fetch_optional,
        "select entry_id from entry_player where entry_id = $1 and person_id = $2",
        entry_id,
        person_id
    )?;
    Ok(row.is_some())
}

/// The ties of an entry that can be played and have not begun: id, the other side's name, whether its line-up is there.
pub async fn ties_of(tx: &mut Tx, entry_id: &str) -> Result<Vec<(String, String, bool)>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select m.id, o.name, exists (select 1 from match_ r join match_player l on l.match_id = r.id
             where r.tie_id = m.id and l.side = case when m.a_entry_id = $1 then 'a' else 'b' end)
         from match_ m join entry o on o.id = case when m.a_entry_id = $1 then m.b_entry_id else m.a_entry_id end
         where (m.a_entry_id = $1 or m.b_entry_id = $1) and m.tie_id is null and m.state = 'ready'
         order by m.stage, m.round, m.position, m.id",
        entry_id
    )?)
}
