//! The SQL of playing.

use admission::Millis;

use super::{
    super::{Court, Game, Group, Match, Side, Sport, score::Score},
    scorer::By,
};
use crate::{
    db::{Tx, new_id},
    error::{Error, Result},
    execute, fetch,
};

/// Makes the writes of one contest follow one another until the transaction ends: what is read after it stays true.
pub(super) async fn hold(tx: &mut Tx, event_id: &str) -> Result<()> {
    let held =
        execute!(tx, "update contest set created_ms = created_ms where event_id = $1", event_id)?;
    if held == 1 { Ok(()) } else { Err(Error::NotFound) }
}

/// Who plays in a match: of a single match of a tie those whom a side named for it, else everybody of that entry.
pub(super) async fn people(tx: &mut Tx, found: &Match) -> Result<Vec<(String, String)>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select distinct p.id, p.name from entry_player l join person p on p.id = l.person_id
         where l.left_ms is null
           and ((l.entry_id = $2 and not exists (select 1 from match_player x where x.match_id = $1 and x.side = 'a'))
             or (l.entry_id = $3 and not exists (select 1 from match_player x where x.match_id = $1 and x.side = 'b'))
             or exists (select 1 from match_player x where x.match_id = $1 and x.person_id = l.person_id))
           and l.entry_id in ($2, $3) order by p.id",
        &found.id,
        &found.a_entry_id,
        &found.b_entry_id,
    )?)
}

/// A match that could be called, or the last end of one, with one of its people.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Seat {
    pub(super) match_id: String,
    pub(super) person_id: String,
}

/// Who would play in each match of an event that is ready.
pub(super) async fn seats(tx: &mut Tx, event_id: &str) -> Result<Vec<Seat>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select m.id as match_id, l.person_id from match_ m join match_player l on l.match_id = m.id
         where m.event_id = $1 and m.state = 'ready'
         union
         select m.id as match_id, l.person_id from match_ m
         join entry_player l on l.entry_id = m.a_entry_id and l.left_ms is null
         where m.event_id = $1 and m.state = 'ready'
           and not exists (select 1 from match_player x where x.match_id = m.id and x.side = 'a')
         union
         select m.id as match_id, l.person_id from match_ m
         join entry_player l on l.entry_id = m.b_entry_id and l.left_ms is null
         where m.event_id = $1 and m.state = 'ready'
           and not exists (select 1 from match_player x where x.match_id = m.id and x.side = 'b')",
        event_id,
    )?)
}

/// When each person of an event last ended a match that was played.
pub(super) async fn ends(tx: &mut Tx, event_id: &str) -> Result<Vec<(String, i64)>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select l.person_id, max(m.ended_ms) from match_ m
         join entry_player l on l.entry_id in (m.a_entry_id, m.b_entry_id)
         where m.event_id = $1 and m.state = 'ended' and m.outcome in ('played', 'retired', 'disqualified')
           -- Of a single match of a tie only those who were named for it, and the tie itself is played by nobody.
           and (not exists (select 1 from match_player x where x.match_id = m.id)
             or exists (select 1 from match_player x where x.match_id = m.id and x.person_id = l.person_id))
           and not exists (select 1 from match_ r where r.tie_id = m.id)
         group by l.person_id",
        event_id,
    )?)
}

/// Who is called or playing at an event: the person and the match.
pub(super) async fn on_court(tx: &mut Tx, event_id: &str) -> Result<Vec<(String, String)>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select person_id, match_id from on_court where event_id = $1",
        event_id
    )?)
}

/// Puts people on court for a match. Gives the name of one who is on court already.
pub(super) async fn occupy(
    tx: &mut Tx,
    found: &Match,
    people: &[(String, String)],
) -> Result<Option<String>> {
    for (id, name) in people {
        let placed = execute!(
            tx,
            "insert into on_court (event_id, person_id, match_id) values ($1, $2, $3) on conflict do nothing",
            &found.event_id,
            id,
            &found.id,
        )?;
        if placed == 0 {
            return Ok(Some(name.clone()));
        }
    }
    Ok(None)
}

/// Takes the people of a match off the court.
pub(super) async fn leave(tx: &mut Tx, match_id: &str) -> Result<()> {
    execute!(tx, "delete from on_court where match_id = $1", match_id)?;
    Ok(())
}

/// Matches of an event that are ready, called or playing.
pub(crate) async fn open_matches(tx: &mut Tx, event_id: &str) -> Result<Vec<Match>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select * from match_ where event_id = $1 and state in ('ready', 'called', 'playing')
         order by stage, round, position, label, id",
        event_id,
    )?)
}

/// The last matches of an event that ended.
pub(super) async fn ended(tx: &mut Tx, event_id: &str, limit: i64) -> Result<Vec<Match>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select * from match_ where event_id = $1 and state = 'ended' and outcome <> 'void'
         order by ended_ms desc, id limit $2",
        event_id,
        limit,
    )?)
}

/// Matches that the organizer wants played before others.
pub(super) async fn firsts(tx: &mut Tx, event_id: &str) -> Result<Vec<(String, i64)>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select match_id, at_ms from match_first where event_id = $1",
        event_id
    )?)
}

/// Wants a match played before others.
pub(super) async fn want_first(tx: &mut Tx, found: &Match, now: Millis) -> Result<()> {
    execute!(
        tx,
        "insert into match_first (match_id, event_id, at_ms) values ($1, $2, $3) on conflict do nothing",
        &found.id,
        &found.event_id,
        now.0,
    )?;
    Ok(())
}

/// Calls a match that is ready to a court that is free; false when either changed meanwhile.
pub(super) async fn call(tx: &mut Tx, found: &Match, court_id: &str, now: Millis) -> Result<bool> {
    let called = execute!(
        tx,
        "update match_ set state = 'called', court_id = $2, called_ms = $3, version = version + 1
         where id = $1 and state = 'ready' and not exists
            (select 1 from match_ o where o.court_id = $2 and o.state in ('called', 'playing'))",
        &found.id,
        court_id,
        now.0,
    )?;
    Ok(called == 1)
}

/// Takes a call back; false when the match is not called any more.
pub(super) async fn uncall(tx: &mut Tx, match_id: &str) -> Result<bool> {
    let done = execute!(
        tx,
        "update match_ set state = 'ready', court_id = null, called_ms = null, a_here_ms = null, b_here_ms = null,
            version = version + 1
         where id = $1 and state = 'called'",
        match_id,
    )?;
    Ok(done == 1)
}

/// Notes when a side came to the court; false when the match is not being called.
pub(super) async fn set_here(
    tx: &mut Tx,
    match_id: &str,
    side: Side,
    at: Option<i64>,
) -> Result<bool> {
    let rows = execute!(
        tx,
        "update match_ set a_here_ms = case when $2 = 'a' then $3 else a_here_ms end,
            b_here_ms = case when $2 = 'b' then $3 else b_here_ms end
         where id = $1 and state = 'called'",
        match_id,
        side.word(),
        at,
    )?;
    Ok(rows == 1)
}

/// Called matches whose clock has run out, of disciplines where the server decides, with one side there.
pub(super) async fn overdue(tx: &mut Tx, now: Millis) -> Result<Vec<String>> {
    let rows: Vec<(String,)> = fetch!(
        tx,
        fetch_all,
        "select m.id from match_ m join discipline d on d.id = m.discipline_id
         where m.state = 'called' and d.late_auto and m.called_ms + d.late_ms <= $1
           and (m.a_here_ms is null) <> (m.b_here_ms is null) order by m.called_ms, m.id",
        now.0,
    )?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Whom a side named for a single match of a tie, in order.
pub(super) async fn line_up(tx: &mut Tx, match_id: &str, side: Side) -> Result<Vec<String>> {
    let rows: Vec<(String,)> = fetch!(
        tx,
        fetch_all,
        "select person_id from match_player where match_id = $1 and side = $2 order by position",
        match_id,
        side.word(),
    )?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Replaces whom a side named for a single match of a tie.
pub(super) async fn set_line_up(
    tx: &mut Tx,
    rubber: &Match,
    side: Side,
    players: &[String],
) -> Result<()> {
    execute!(
        tx,
        "delete from match_player where match_id = $1 and side = $2",
        &rubber.id,
        side.word()
    )?;
    for (position, player) in (1_i64..).zip(players) {
        execute!(
            tx,
            "insert into match_player (match_id, event_id, side, position, person_id) values ($1, $2, $3, $4, $5)",
            &rubber.id,
            &rubber.event_id,
            side.word(),
            position,
            player,
        )?;
    }
    Ok(())
}

/// Whoever was named for the single matches of an event: match, side, name.
pub(super) async fn line_ups(tx: &mut Tx, event_id: &str) -> Result<Vec<(String, String, String)>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select l.match_id, l.side, p.name from match_player l join person p on p.id = l.person_id
         where l.event_id = $1 order by l.match_id, l.side, l.position",
        event_id,
    )?)
}

/// Writes how a match stands; false when somebody else changed it meanwhile.
pub(super) async fn save(tx: &mut Tx, changed: &Match) -> Result<bool> {
    let saved = execute!(
        tx,
        "update match_ set state = $3, started_ms = $4, ended_ms = $5, outcome = $6, winner = $7, a_score = $8, b_score = $9,
            a_shootout = $10, b_shootout = $11, a_entry_id = $12, b_entry_id = $13, version = version + 1
         where id = $1 and version = $2",
        &changed.id,
        changed.version,
        changed.state.word(),
        changed.started_ms,
        changed.ended_ms,
        changed.outcome.map(|outcome| outcome.word()),
        changed.winner.map(Side::word),
        changed.a_score,
        changed.b_score,
        changed.a_shootout,
        changed.b_shootout,
        &changed.a_entry_id,
        &changed.b_entry_id,
    )?;
    Ok(saved == 1)
}

/// The games of one match.
pub(super) async fn games(tx: &mut Tx, match_id: &str) -> Result<Vec<[i64; 2]>> {
    let games: Vec<(i64, i64)> = fetch!(
        tx,
        fetch_all,
        "select a_points, b_points from game where match_id = $1 order by number",
        match_id
    )?;
    Ok(games.into_iter().map(|(a, b)| [a, b]).collect())
}

/// The games of all matches of an event that are open or ended.
pub(super) async fn games_of_event(tx: &mut Tx, event_id: &str) -> Result<Vec<Game>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select match_id, number, a_points, b_points from game where event_id = $1 order by match_id, number",
        event_id
    )?)
}

/// Replaces the games of a match.
pub(super) async fn set_games(tx: &mut Tx, found: &Match, games: &[[i64; 2]]) -> Result<()> {
    execute!(tx, "delete from game where match_id = $1", &found.id)?;
    for (number, [a, b]) in (1_i64..).zip(games) {
        execute!(
            tx,
            "insert into game (match_id, event_id, number, a_points, b_points) values ($1, $2, $3, $4, $5)",
            &found.id,
            &found.event_id,
            number,
            a,
            b,
        )?;
    }
    Ok(())
}

/// Matches whose side comes from a match.
pub(super) async fn fed_by_match(tx: &mut Tx, match_id: &str) -> Result<Vec<Match>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select * from match_ where a_match_id = $1 or b_match_id = $1 order by id",
        match_id
    )?)
}

/// Matches whose side comes from a group.
pub(super) async fn fed_by_group(tx: &mut Tx, group_id: &str) -> Result<Vec<Match>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select * from match_ where a_group_id = $1 or b_group_id = $1 order by id",
        group_id
    )?)
}

/// The group of that id.
pub(super) async fn group(tx: &mut Tx, id: &str) -> Result<Group> {
    let row: Option<Group> = fetch!(tx, fetch_optional, "select * from group_ where id = $1", id)?;
    row.ok_or(Error::NotFound)
}

/// Settles a group's ranking, or opens it again.
pub(super) async fn finish_group(tx: &mut Tx, id: &str, at: Option<i64>) -> Result<()> {
    execute!(tx, "update group_ set finished_ms = $2 where id = $1", id, at)?;
    Ok(())
}

/// The matches of a group, without the single ones of ties.
pub(super) async fn group_matches(tx: &mut Tx, group_id: &str) -> Result<Vec<Match>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select * from match_ where group_id = $1 and tie_id is null order by round, position, id",
        group_id
    )?)
}

/// The single matches of a tie, in order.
pub(super) async fn rubbers(tx: &mut Tx, tie_id: &str) -> Result<Vec<Match>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select * from match_ where tie_id = $1 order by position, id",
        tie_id
    )?)
}

/// Makes the single matches of a tie that has none, by their labels.
pub(super) async fn add_rubbers(
    tx: &mut Tx,
    tie: &Match,
    labels: &[&str],
    now: Millis,
) -> Result<()> {
    for (position, label) in (1_i64..).zip(labels) {
        execute!(
            tx,
            "insert into match_ (id, event_id, discipline_id, stage, group_id, round, position, tie_id, label,
                a_entry_id, b_entry_id, state, created_ms)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'ready', $12)",
            new_id(now),
            &tie.event_id,
            &tie.discipline_id,
            tie.stage.word(),
            &tie.group_id,
            tie.round,
            position,
            &tie.id,
            *label,
            &tie.a_entry_id,
            &tie.b_entry_id,
            now.0,
        )?;
    }
    Ok(())
}

/// Ties of an event that can be played and have no single matches yet, with their order.
pub(super) async fn unopened_ties(tx: &mut Tx, event_id: &str) -> Result<Vec<Match>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select m.* from match_ m join discipline d on d.id = m.discipline_id
         where m.event_id = $1 and m.state = 'ready' and m.tie_id is null and d.tie_order <> ''
           and not exists (select 1 from match_ r where r.tie_id = m.id) order by m.id",
        event_id,
    )?)
}

/// Fair play and lots of the entries of a group: entry, conduct, lot.
pub(super) async fn notes(tx: &mut Tx, group_id: &str) -> Result<Vec<(String, i64, Option<i64>)>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select s.entry_id, s.conduct, s.lot from entry_standing s join entry n on n.id = s.entry_id where n.group_id = $1",
        group_id
    )?)
}

/// Notes the lot that was drawn for an entry.
pub(super) async fn set_lot(tx: &mut Tx, event_id: &str, entry_id: &str, lot: i64) -> Result<()> {
    execute!(
        tx,
        "insert into entry_standing (entry_id, event_id, lot) values ($1, $2, $3)
         on conflict (entry_id) do update set lot = excluded.lot",
        entry_id,
        event_id,
        lot,
    )?;
    Ok(())
}

/// Notes an entry's fair play: nought or below.
pub(super) async fn set_conduct(
    tx: &mut Tx,
    event_id: &str,
    entry_id: &str,
    conduct: i64,
) -> Result<()> {
    execute!(
        tx,
        "insert into entry_standing (entry_id, event_id, conduct) values ($1, $2, $3)
         on conflict (entry_id) do update set conduct = excluded.conduct",
        entry_id,
        event_id,
        conduct,
    )?;
    Ok(())
}

/// How many matches of a discipline are not over, and the last round of its knock-out.
pub(super) async fn progress(tx: &mut Tx, discipline_id: &str) -> Result<(i64, i64)> {
    let row: (i64, i64) = fetch!(
        tx,
        fetch_one,
        "select count(*) filter (where state <> 'ended'),
            coalesce(max(case when stage = 'knock_out' then round end), 0)
         from match_ where discipline_id = $1 and tie_id is null",
        discipline_id,
    )?;
    Ok(row)
}

/// Notes when all of a discipline was played, or that it goes on after all.
pub(super) async fn finish(tx: &mut Tx, discipline_id: &str, at: Option<i64>) -> Result<()> {
    execute!(tx, "update discipline set finished_ms = $2 where id = $1", discipline_id, at)?;
    Ok(())
}

/// What was answered to that key: the request's hash and the version after it.
pub(super) async fn answered(
    tx: &mut Tx,
    match_id: &str,
    key: &str,
) -> Result<Option<(Vec<u8>, i64)>> {
    Ok(fetch!(
        tx,
        fetch_optional,
        "select request_sha256, version from play_request where match_id = $1 and key = $2",
        match_id,
        key
    )?)
}

/// Keeps what was answered to a key.
pub(super) async fn keep_answer(
    tx: &mut Tx,
    found: &Match,
    key: &str,
    sha256: Vec<u8>,
    now: Millis,
) -> Result<()> {
    execute!(
        tx,
        "insert into play_request (match_id, key, event_id, request_sha256, version, at_ms) values ($1, $2, $3, $4, $5, $6)",
        &found.id,
        key,
        &found.event_id,
        sha256,
        found.version + 1,
        now.0,
    )?;
    Ok(())
}

/// One line of a match's history.
pub(super) struct Change<'a> {
    pub(super) action: &'a str,
    pub(super) before: Option<&'a Score>,
    pub(super) after: Option<&'a Score>,
    pub(super) reason: &'a str,
}

/// Writes down what was done to a match, and by whom.
pub(super) async fn note(
    tx: &mut Tx,
    found: &Match,
    by: &By,
    change: &Change<'_>,
    now: Millis,
) -> Result<()> {
    execute!(
        tx,
        "insert into match_change (id, event_id, match_id, at_ms, staff_id, umpire, action, before, after, reason)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        new_id(now),
        &found.event_id,
        &found.id,
        now.0,
        by.staff_id(),
        by.umpire_name(),
        change.action,
        change.before.map(told),
        change.after.map(told),
        change.reason,
    )?;
    Ok(())
}

/// A score as it is kept in the history.
fn told(score: &Score) -> String {
    serde_json::json!({
        "games": score.games, "shootout": score.shootout, "outcome": score.ending.outcome().word(),
        "winner": score.ending.given_to().map(Side::word),
    })
    .to_string()
}

/// What was done to a match, the newest first.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Told {
    #[sqlx(try_from = "i64")]
    pub(super) at_ms: Millis,
    pub(super) who: Option<String>,
    pub(super) action: String,
    pub(super) before: Option<String>,
    pub(super) after: Option<String>,
    pub(super) reason: String,
}

/// The history of a match, the newest first.
pub(super) async fn history(tx: &mut Tx, match_id: &str) -> Result<Vec<Told>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select c.at_ms, coalesce(s.name, c.umpire) as who, c.action, c.before, c.after, c.reason
         from match_change c left join staff s on s.id = c.staff_id where c.match_id = $1 order by c.at_ms desc, c.id desc",
        match_id
    )?)
}

/// Adds a court behind those there are, for one sport or for any; false when there is one of that name.
pub(super) async fn add_court(
    tx: &mut Tx,
    event_id: &str,
    name: &str,
    sport: Option<Sport>,
    now: Millis,
) -> Result<bool> {
    let added = execute!(
        tx,
        "insert into court (id, event_id, name, position, sport)
         select $1, $2, $3, coalesce(max(position), 0) + 1, $4 from court where event_id = $2
         on conflict do nothing",
        new_id(now),
        event_id,
        name,
        sport.map(Sport::word),
    )?;
    Ok(added == 1)
}

/// Closes a court or opens it again.
pub(super) async fn close_court(tx: &mut Tx, court: &Court, closed: bool) -> Result<()> {
    execute!(tx, "update court set closed = $2 where id = $1", &court.id, closed)?;
    Ok(())
}
