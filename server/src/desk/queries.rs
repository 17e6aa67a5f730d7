//! The SQL of desks and their queues.

use admission::Millis;
use axum::http::StatusCode;

use super::{Desk, Turn};
use crate::{
    db::{Tx, new_id},
    error::{Error, Refused, Result},
    execute, fetch,
    web::access::Staff,
};

/// The columns of [`Turn`].
macro_rules! turn_select {
    ($rest:literal) => {
        concat!(
            "select t.id, d.name as desk, d.letter, t.number, t.ticket_id, t.state, t.taken_ms, t.calls
             from desk_turn t join desk d on d.id = t.desk_id ",
            $rest
        )
    };
}

/// Adds a desk to an event. False when it is there already.
pub(crate) async fn add(tx: &mut Tx, event_id: &str, name: &str, now: Millis) -> Result<bool> {
    let letters: Vec<(String,)> =
        fetch!(tx, fetch_all, "select letter from desk where event_id = $1", event_id)?;
    // No I and no O: they are read as digits.
    let free = "ABCDEFGHJKLMNPQRSTUVWXYZ"
        .chars()
        .map(String::from)
        .find(|letter| !letters.contains(&(letter.clone(),)));
    let Some(letter) = free else { return Ok(false) };
    let rows = execute!(
        tx,
        "insert into desk (id, event_id, name, letter, created_ms) values ($1, $2, $3, $4, $5)
         on conflict (event_id, name) do nothing",
        new_id(now),
        event_id,
        name,
        letter,
        now.0,
    )?;
    Ok(rows == 1)
}

/// The desks of an event.
pub(crate) async fn desks(tx: &mut Tx, event_id: &str) -> Result<Vec<Desk>> {
    Ok(fetch!(tx, fetch_all, "select * from desk where event_id = $1 order by letter", event_id)?)
}

/// A desk of an event.
pub(super) async fn desk(tx: &mut Tx, event_id: &str, id: &str) -> Result<Desk> {
    let row: Option<Desk> = fetch!(
        tx,
        fetch_optional,
        "select * from desk where id = $1 and event_id = $2",
        id,
        event_id
    )?;
    row.ok_or(Error::NotFound)
}

/// The desk that a kiosk stands at and gives numbers of.
pub(super) async fn of_kiosk(tx: &mut Tx, kiosk_id: &str) -> Result<Option<Desk>> {
    Ok(fetch!(
        tx,
        fetch_optional,
        "select d.* from desk d join kiosk k on k.event_id = d.event_id and k.station = d.name
         where k.id = $1 and k.station_kind = 'desk' and d.kiosk_numbers",
        kiosk_id,
    )?)
}

/// Changes what a scan at a desk's kiosk means.
pub(crate) async fn number_by_kiosk(tx: &mut Tx, desk: &Desk, numbers: bool) -> Result<()> {
    execute!(tx, "update desk set kiosk_numbers = $2 where id = $1", &desk.id, numbers)?;
    Ok(())
}

/// Changes how many people a desk serves at once.
pub(super) async fn seat(tx: &mut Tx, desk: &Desk, seats: i64) -> Result<()> {
    execute!(tx, "update desk set seats = $2 where id = $1", &desk.id, seats)?;
    Ok(())
}

/// The numbers that a visitor took at an event.
pub(crate) async fn turns_of(tx: &mut Tx, event_id: &str, ticket_id: &str) -> Result<Vec<Turn>> {
    Ok(fetch!(
        tx,
        fetch_all,
        turn_select!(
            "where t.event_id = $1 and t.ticket_id = $2 order by t.taken_ms desc, t.id desc"
        ),
        event_id,
        ticket_id,
    )?)
}

/// The open and missed numbers of a desk: those being served first, then who waits, then who was missed.
pub(super) async fn queue(tx: &mut Tx, desk: &Desk) -> Result<Vec<Turn>> {
    Ok(fetch!(
        tx,
        fetch_all,
        turn_select!(
            "where t.desk_id = $1 and t.state in ('called', 'waiting', 'skipped')
             order by case t.state when 'called' then 0 when 'waiting' then 1 else 2 end, t.number"
        ),
        &desk.id,
    )?)
}

/// How long the last ten visits of a desk took, milliseconds.
pub(super) async fn visits(tx: &mut Tx, desk: &Desk) -> Result<Vec<i64>> {
    let rows: Vec<(i64,)> = fetch!(
        tx,
        fetch_all,
        "select ended_ms - called_ms from desk_turn
         where desk_id = $1 and state = 'done' and ended_ms > called_ms order by ended_ms desc limit 10",
        &desk.id,
    )?;
    Ok(rows.into_iter().map(|(ms,)| ms).collect())
}

/// Visits of a desk that are over.
pub(super) async fn done(tx: &mut Tx, desk: &Desk) -> Result<i64> {
    let (count,): (i64,) = fetch!(
        tx,
        fetch_one,
        "select count(*) from desk_turn where desk_id = $1 and state = 'done'",
        &desk.id
    )?;
    Ok(count)
}

/// Gives a visitor the desk's next number, or the open one they have there already.
pub(super) async fn take(tx: &mut Tx, desk: &Desk, ticket_id: &str, now: Millis) -> Result<Turn> {
    // The desk's row is written first: takers of one desk are serial, so nobody holds two numbers.
    let number = next_number(tx, desk).await?;
    let open: Option<Turn> = fetch!(
        tx,
        fetch_optional,
        turn_select!(
            "where t.desk_id = $1 and t.ticket_id = $2 and t.state in ('waiting', 'called')"
        ),
        &desk.id,
        ticket_id,
    )?;
    if let Some(open) = open {
        execute!(tx, "update desk set last_number = last_number - 1 where id = $1", &desk.id)?;
        return Ok(open);
    }
    let id = new_id(now);
    execute!(
        tx,
        "insert into desk_turn (id, event_id, desk_id, number, ticket_id, state, taken_ms)
         values ($1, $2, $3, $4, $5, 'waiting', $6)",
        &id,
        &desk.event_id,
        &desk.id,
        number,
        ticket_id,
        now.0,
    )?;
    turn(tx, desk, &id).await
}

/// Notes a visit of somebody who took no number.
pub(super) async fn walk_in(
    tx: &mut Tx,
    desk: &Desk,
    ticket_id: Option<&str>,
    staff: &Staff,
    now: Millis,
) -> Result<()> {
    let number = next_number(tx, desk).await?;
    execute!(
        tx,
        "insert into desk_turn (id, event_id, desk_id, number, ticket_id, state, taken_ms, called_ms, calls, ended_ms, staff_id)
         values ($1, $2, $3, $4, $5, 'done', $6, $6, 1, $6, $7)",
        new_id(now),
        &desk.event_id,
        &desk.id,
        number,
        ticket_id,
        now.0,
        &staff.id,
    )?;
    Ok(())
}

async fn next_number(tx: &mut Tx, desk: &Desk) -> Result<i64> {
    let (number,): (i64,) = fetch!(
        tx,
        fetch_one,
        "update desk set last_number = last_number + 1 where id = $1 returning last_number",
        &desk.id,
    )?;
    Ok(number)
}

/// A turn of a desk.
pub(super) async fn turn(tx: &mut Tx, desk: &Desk, id: &str) -> Result<Turn> {
    let row: Option<Turn> = fetch!(
        tx,
        fetch_optional,
        turn_select!("where t.id = $1 and t.desk_id = $2"),
        id,
        &desk.id
    )?;
    row.ok_or(Error::NotFound)
}

/// Calls the next number; none when nobody waits. Two who call at once call two numbers.
pub(super) async fn call_next(
    tx: &mut Tx,
    desk: &Desk,
    staff: &Staff,
    now: Millis,
) -> Result<Option<Turn>> {
    loop {
        let first: Option<(String,)> = fetch!(
            tx,
            fetch_optional,
            "select id from desk_turn where desk_id = $1 and state = 'waiting' order by number limit 1",
            &desk.id,
        )?;
        let Some((id,)) = first else { return Ok(None) };
        let rows = execute!(
            tx,
            "update desk_turn set state = 'called', called_ms = $2, calls = 1, staff_id = $3
             where id = $1 and state = 'waiting'",
            &id,
            now.0,
            &staff.id,
        )?;
        if rows == 1 {
            return turn(tx, desk, &id).await.map(Some);
        }
    }
}

/// What staff do with one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Call it once more; one that was missed comes back.
    Again,
    /// Its holder was here: a consultation.
    Done,
    /// Its holder did not come.
    Skip,
}

/// Carries a step out. A second tap finds it done.
pub(super) async fn step(
    tx: &mut Tx,
    desk: &Desk,
    id: &str,
    step: Step,
    now: Millis,
) -> Result<()> {
    let turn = turn(tx, desk, id).await?;
    let rows = match step {
        Step::Again => execute!(
            tx,
            "update desk_turn set state = 'called', calls = calls + 1, called_ms = $2, ended_ms = null
             where id = $1 and state in ('called', 'skipped')",
            id,
            now.0,
        )?,
        Step::Done => execute!(
            tx,
            "update desk_turn set state = 'done', ended_ms = $2 where id = $1 and state = 'called'",
            id,
            now.0,
        )?,
        Step::Skip => execute!(
            tx,
            "update desk_turn set state = 'skipped', ended_ms = $2 where id = $1 and state = 'called'",
            id,
            now.0,
        )?,
    };
    let there =
        matches!((step, turn.state.as_str()), (Step::Done, "done") | (Step::Skip, "skipped"));
    if rows == 1 || there { Ok(()) } else { Err(gone().into()) }
}

/// The visitor gives a number up.
pub(super) async fn leave(
    tx: &mut Tx,
    desk: &Desk,
    id: &str,
    ticket_id: &str,
    now: Millis,
) -> Result<()> {
    execute!(
        tx,
        "update desk_turn set state = 'left', ended_ms = $4
         where id = $1 and desk_id = $2 and ticket_id = $3 and state in ('waiting', 'called')",
        id,
        &desk.id,
        ticket_id,
        now.0,
    )?;
    Ok(())
}

fn gone() -> Refused {
    Refused::new(
        StatusCode::CONFLICT,
        "turn_over",
        "这个号已经处理过了，请刷新看最新的队列。",
        "This number was dealt with already. Please look at the queue again.",
    )
}
