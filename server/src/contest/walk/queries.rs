//! The SQL of walks.

use admission::Millis;

use super::course::Seen;
use crate::{
    contest::Discipline,
    db::{Tx, new_id},
    error::{Error, Result},
    event, execute, fetch,
};

/// What a walk has beyond its discipline.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct Walk {
    pub(crate) gun_ms: Option<i64>,
    pub(crate) limit_ms: Option<i64>,
    pub(crate) bib_prefix: String,
}

/// A point of the course.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct Point {
    pub(crate) position: i64,
    pub(crate) name: String,
}

/// The walk of a discipline, made when it is first asked for in a write.
pub(crate) async fn walk(tx: &mut Tx, discipline_id: &str) -> Result<Option<Walk>> {
    Ok(fetch!(
        tx,
        fetch_optional,
        "select gun_ms, limit_ms, bib_prefix from walk where discipline_id = $1",
        discipline_id
    )?)
}

/// Makes the walk of a discipline when there is none.
pub(crate) async fn begin(tx: &mut Tx, discipline: &Discipline) -> Result<()> {
    execute!(
        tx,
        "insert into walk (discipline_id, event_id, bib_prefix) values ($1, $2, 'W') on conflict do nothing",
        &discipline.id,
        &discipline.event_id,
    )?;
    Ok(())
}

/// Sets the prefix of bibs and the limit.
pub(crate) async fn set(
    tx: &mut Tx,
    discipline_id: &str,
    prefix: &str,
    limit_ms: Option<i64>,
) -> Result<()> {
    execute!(
        tx,
        "update walk set bib_prefix = $2, limit_ms = $3 where discipline_id = $1",
        discipline_id,
        prefix,
        limit_ms
    )?;
    Ok(())
}

/// Gives the start signal; false when it was given.
pub(crate) async fn fire(tx: &mut Tx, discipline_id: &str, now: Millis) -> Result<bool> {
    let fired = execute!(
        tx,
        "update walk set gun_ms = $2 where discipline_id = $1 and gun_ms is null",
        discipline_id,
        now.0
    )?;
    Ok(fired == 1)
}

/// Takes the start signal back: a false start.
pub(super) async fn recall(tx: &mut Tx, discipline_id: &str) -> Result<()> {
    execute!(tx, "update walk set gun_ms = null where discipline_id = $1", discipline_id)?;
    Ok(())
}

/// The points of a course, in order.
pub(crate) async fn points(tx: &mut Tx, discipline_id: &str) -> Result<Vec<Point>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select position, name from course_point where discipline_id = $1 order by position",
        discipline_id
    )?)
}

/// Replaces the points of a course.
pub(crate) async fn set_points(tx: &mut Tx, discipline: &Discipline, names: &[&str]) -> Result<()> {
    execute!(tx, "delete from course_point where discipline_id = $1", &discipline.id)?;
    for (position, name) in (0_i64..).zip(names) {
        execute!(
            tx,
            "insert into course_point (discipline_id, position, event_id, name, station) values ($1, $2, $3, $4, $4)",
            &discipline.id,
            position,
            &discipline.event_id,
            *name,
        )?;
    }
    Ok(())
}

/// Gives bibs to the entries that have none, in the order they were made; gives how many.
pub(crate) async fn give_bibs(tx: &mut Tx, discipline_id: &str) -> Result<usize> {
    let without: Vec<(String,)> = fetch!(
        tx,
        fetch_all,
        "select id from entry where discipline_id = $1 and bib is null and status in ('entered', 'present')
         order by created_ms, id",
        discipline_id
    )?;
    if !without.is_empty() {
        // The counter's row is held from here on, so no other server gives out the same numbers.
        let (prefix, next): (String, i64) = fetch!(
            tx,
            fetch_one,
            "update walk set next_bib = next_bib + $2 where discipline_id = $1 returning bib_prefix, next_bib",
            discipline_id,
            without.len() as i64
        )?;
        for (number, (id,)) in (next - without.len() as i64..).zip(&without) {
            execute!(
                tx,
                "update entry set bib = $2 where id = $1 and bib is null",
                id,
                format!("{prefix}{number:04}")
            )?;
        }
    }
    write_on_tickets(tx, discipline_id).await?;
    Ok(without.len())
}

/// Writes bibs on the walkers' tickets, from where kiosks show and print them.
async fn write_on_tickets(tx: &mut Tx, discipline_id: &str) -> Result<()> {
    let tickets: Vec<(String, String, String)> = fetch!(
        tx,
        fetch_all,
        "select t.id, t.event_id, min(e.bib)
         from entry e cross join entry_player l cross join offer o cross join booking b cross join ticket t
         where l.entry_id = e.id and l.left_ms is null and o.event_id = e.event_id and b.offer_id = o.id
           and b.person_id = l.person_id and t.booking_id = b.id and t.person_id = l.person_id and t.state <> 'cancelled'
           and e.discipline_id = $1 and e.bib is not null and e.status <> 'withdrawn' and coalesce(t.place, '') <> e.bib
         group by t.id, t.event_id order by t.id",
        discipline_id
    )?;
    let Some((_, event_id, _)) = tickets.first() else { return Ok(()) };
    let first = event::queries::next_revisions(tx, event_id, tickets.len() as i64).await?;
    for (revision, (ticket, _, bib)) in (first..).zip(&tickets) {
        execute!(
            tx,
            "update ticket set place = $2, revision = $3 where id = $1",
            ticket,
            bib,
            revision
        )?;
    }
    Ok(())
}

/// Who was seen where: by kiosks at checkpoint stations, by phones, by chips. Entry and passage.
pub(crate) async fn seen(tx: &mut Tx, discipline_id: &str) -> Result<Vec<(String, Seen)>> {
    let rows: Vec<(String, i64, i64, i64)> = fetch!(
        tx,
        fetch_all,
        "select l.entry_id, c.position, s.true_ms, s.error_ms from course_point c
         join scan s on s.event_id = c.event_id and s.station_kind = 'checkpoint' and s.station = c.station
         join ticket t on t.id = s.ticket_id
         join entry_player l on l.person_id = t.person_id and l.discipline_id = c.discipline_id and l.left_ms is null
         where c.discipline_id = $1 and s.undone_ms is null and s.verdict = 'admitted'
         union all
         select entry_id, position, at_ms, cast(0 as bigint) from passage where discipline_id = $1 and undone_ms is null",
        discipline_id
    )?;
    let seen = |(entry, position, at, error_ms): (String, i64, i64, i64)| {
        (
            entry,
            Seen {
                position: usize::try_from(position).unwrap_or(usize::MAX),
                at: Millis(at),
                error_ms,
            },
        )
    };
    Ok(rows.into_iter().map(seen).collect())
}

/// The entry of a discipline with that bib.
pub(super) async fn entry_of_bib(
    tx: &mut Tx,
    discipline_id: &str,
    bib: &str,
) -> Result<Option<String>> {
    let row: Option<(String,)> = fetch!(
        tx,
        fetch_optional,
        "select id from entry where discipline_id = $1 and bib = $2 and status <> 'withdrawn'",
        discipline_id,
        bib
    )?;
    Ok(row.map(|(id,)| id))
}

/// A passage that no kiosk saw.
pub(super) struct Passage<'a> {
    pub(super) entry_id: &'a str,
    pub(super) position: i64,
    pub(super) at: Millis,
    pub(super) source: &'a str,
    pub(super) staff_id: Option<&'a str>,
    pub(super) umpire: Option<&'a str>,
}

/// Writes a passage; the same again changes nothing.
pub(super) async fn pass(
    tx: &mut Tx,
    discipline: &Discipline,
    passage: &Passage<'_>,
    now: Millis,
) -> Result<bool> {
    let written = execute!(
        tx,
        "insert into passage (id, event_id, discipline_id, entry_id, position, at_ms, source, staff_id, umpire, received_ms)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict do nothing",
        new_id(now),
        &discipline.event_id,
        &discipline.id,
        passage.entry_id,
        passage.position,
        passage.at.0,
        passage.source,
        passage.staff_id,
        passage.umpire,
        now.0,
    )?;
    Ok(written == 1)
}

/// Takes back what phones noted of an entry at a point, as a wrong bib was typed.
pub(super) async fn unpass(tx: &mut Tx, entry_id: &str, position: i64, now: Millis) -> Result<()> {
    let undone = execute!(
        tx,
        "update passage set undone_ms = $3 where entry_id = $1 and position = $2 and undone_ms is null and source = 'phone'",
        entry_id,
        position,
        now.0
    )?;
    if undone > 0 { Ok(()) } else { Err(Error::NotFound) }
}
