//! The SQL of no-shows.

use std::collections::HashMap;

use admission::Millis;

use super::rules::Rule;
use crate::{
    db::Tx,
    error::{Error, Result},
    execute, fetch, fetch_rows,
};

/// A no-show beside its event and its person.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct NoShow {
    pub(crate) booking_id: String,
    pub(crate) event_id: String,
    pub(crate) person_id: String,
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) offer: String,
    pub(crate) time_zone: String,
    #[sqlx(try_from = "i64")]
    pub(crate) at_ms: Millis,
    /// When it was counted; none while it is only excused beforehand.
    pub(crate) counted_ms: Option<i64>,
    pub(crate) appeal: Option<String>,
    pub(crate) decision: Option<String>,
    /// Why it was decided so.
    pub(crate) reason: String,
    /// Not when it was excused, the event or the booking was cancelled, or somebody went in after all.
    pub(crate) counts: bool,
    /// Whether the offer's no-shows were counted already.
    pub(crate) tallied: bool,
}

/// What makes a row of `no_show n` with its event `e` and its booking `b` count.
macro_rules! counts {
    () => {
        "n.counted_ms is not null and coalesce(n.decision, '') <> 'excused' and e.status <> 'cancelled'
           and b.status = 'confirmed'
           and not exists (select 1 from ticket t where t.booking_id = n.booking_id and t.used_ms is not null)"
    };
}

/// The columns of [`NoShow`], and whether each counts.
macro_rules! no_show_select {
    ($rest:literal) => {
        concat!(
            "select n.booking_id, n.event_id, n.person_id, p.name, e.title, o.name as offer, e.time_zone, n.at_ms,
                    n.counted_ms, n.appeal, n.decision, n.reason, (",
            counts!(),
            ") as counts, exists (select 1 from no_show_tally y where y.offer_id = b.offer_id) as tallied
             from no_show n join event e on e.id = n.event_id join booking b on b.id = n.booking_id
             join offer o on o.id = b.offer_id join person p on p.id = n.person_id ",
            $rest
        )
    };
}

/// The federation's rule.
pub(crate) async fn rule(tx: &mut Tx) -> Result<Rule> {
    Ok(fetch!(tx, fetch_one, "select times, period_days, bar_days from no_show_rule")?)
}

/// Writes the federation's rule.
pub(super) async fn set_rule(tx: &mut Tx, rule: Rule) -> Result<()> {
    execute!(
        tx,
        "update no_show_rule set times = $1, period_days = $2, bar_days = $3",
        rule.times,
        rule.period_days,
        rule.bar_days,
    )?;
    Ok(())
}

/// When those of `people` stayed away after `since`, as far as it counts, in order of time.
pub(crate) async fn counting(
    tx: &mut Tx,
    people: Vec<&str>,
    since: Millis,
) -> Result<HashMap<String, Vec<Millis>>> {
    let rows: Vec<(String, i64)> = fetch_rows!(
        tx,
        "select n.person_id, n.at_ms from (",
        people,
        |id| [id, since.0],
        concat!(
            ") v join no_show n on n.person_id = v.column1 and n.at_ms > v.column2
             join event e on e.id = n.event_id join booking b on b.id = n.booking_id where ",
            counts!(),
            " order by n.at_ms"
        ),
    )?;
    let mut counting = HashMap::<String, Vec<Millis>>::new();
    for (person_id, at_ms) in rows {
        counting.entry(person_id).or_default().push(Millis(at_ms));
    }
    Ok(counting)
}

/// An offer whose no-shows are to be counted.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Due {
    pub(super) offer_id: String,
    pub(super) event_id: String,
    pub(super) time_zone: String,
}

/// Offers all of whose tickets ended before `ended`, though not before `oldest`, and whose no-shows were not counted
/// yet.
pub(super) async fn due(tx: &mut Tx, ended: Millis, oldest: Millis) -> Result<Vec<Due>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select o.id as offer_id, o.event_id, e.time_zone from offer o join event e on e.id = o.event_id
         where o.no_shows_count and o.valid_to_ms < $1 and o.valid_to_ms > $2 and e.status in ('published', 'closed')
           and not exists (select 1 from no_show_tally y where y.offer_id = o.id)
           and not exists (select 1 from ticket t where t.event_id = o.event_id and t.offer_id = o.id
                           and t.state <> 'cancelled' and t.valid_to_ms >= $1)
         order by o.valid_to_ms, o.id limit 100",
        ended.0,
        oldest.0,
    )?)
}

/// Counts the no-shows of an offer; gives who stayed away. None the second time.
pub(super) async fn tally(tx: &mut Tx, offer_id: &str, now: Millis) -> Result<Vec<String>> {
    let first = execute!(
        tx,
        "insert into no_show_tally (offer_id, event_id, at_ms) select id, event_id, $2 from offer where id = $1
         on conflict (offer_id) do nothing",
        offer_id,
        now.0,
    )?;
    if first == 0 {
        return Ok(Vec::new());
    }
    let rows: Vec<(String,)> = fetch!(
        tx,
        fetch_all,
        "insert into no_show (booking_id, event_id, person_id, at_ms, counted_ms)
         select b.id, b.event_id, b.person_id,
                coalesce((select max(t.valid_to_ms) from ticket t where t.booking_id = b.id), o.valid_to_ms), $2
         from booking b join offer o on o.id = b.offer_id join event e on e.id = b.event_id
         where b.offer_id = $1 and b.status = 'confirmed' and e.status <> 'cancelled'
           and not exists (select 1 from ticket t where t.booking_id = b.id and t.used_ms is not null)
         on conflict (booking_id) do nothing
         returning person_id",
        offer_id,
        now.0,
    )?;
    Ok(rows.into_iter().map(|(person_id,)| person_id).collect())
}

/// No-shows since `since` that a late scan undid and whose person was not told yet, as booking, person and title.
pub(super) async fn undone(tx: &mut Tx, since: Millis) -> Result<Vec<(String, String, String)>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select n.booking_id, n.person_id, e.title from no_show n join event e on e.id = n.event_id
         where n.at_ms > $1 and n.counted_ms is not null and n.undone_ms is null
           and coalesce(n.decision, '') <> 'excused' and e.status <> 'cancelled'
           and exists (select 1 from ticket t where t.booking_id = n.booking_id and t.used_ms is not null)
         order by n.booking_id limit 200",
        since.0,
    )?)
}

/// Notes that its person was told. False when they were already.
pub(super) async fn note_undone(tx: &mut Tx, booking_id: &str, now: Millis) -> Result<bool> {
    let rows = execute!(
        tx,
        "update no_show set undone_ms = $2 where booking_id = $1 and undone_ms is null",
        booking_id,
        now.0,
    )?;
    Ok(rows == 1)
}

/// The no-shows of a person, the newest first.
pub(crate) async fn of_person(tx: &mut Tx, person_id: &str) -> Result<Vec<NoShow>> {
    Ok(fetch!(
        tx,
        fetch_all,
        no_show_select!(
            "where n.person_id = $1 and n.counted_ms is not null order by n.at_ms desc, n.booking_id limit 50"
        ),
        person_id
    )?)
}

/// The no-show of a booking.
pub(super) async fn find(tx: &mut Tx, booking_id: &str) -> Result<NoShow> {
    let row: Option<NoShow> =
        fetch!(tx, fetch_optional, no_show_select!("where n.booking_id = $1"), booking_id)?;
    row.ok_or(Error::NotFound)
}

/// Appeals that wait for a decision, the oldest first.
pub(super) async fn appeals(tx: &mut Tx) -> Result<Vec<NoShow>> {
    Ok(fetch!(
        tx,
        fetch_all,
        no_show_select!(
            "where n.appeal is not null and n.decision is null order by n.appealed_ms limit 200"
        )
    )?)
}

/// The newest no-shows about which there is no open appeal.
pub(super) async fn newest(tx: &mut Tx) -> Result<Vec<NoShow>> {
    Ok(fetch!(
        tx,
        fetch_all,
        no_show_select!(
            "where n.appeal is null or n.decision is not null order by n.at_ms desc, n.booking_id limit 200"
        )
    )?)
}

/// Keeps what a person says to their no-show, unless it was decided. False when it was, or is not theirs.
pub(super) async fn appeal(
    tx: &mut Tx,
    booking_id: &str,
    person_id: &str,
    text: &str,
    now: Millis,
) -> Result<bool> {
    let rows = execute!(
        tx,
        "update no_show set appeal = $3, appealed_ms = $4
         where booking_id = $1 and person_id = $2 and decision is null",
        booking_id,
        person_id,
        text,
        now.0,
    )?;
    Ok(rows == 1)
}

/// Excuses a no-show or keeps it. False when that was decided already.
pub(super) async fn decide(
    tx: &mut Tx,
    booking_id: &str,
    decision: &str,
    reason: &str,
    staff_id: &str,
    now: Millis,
) -> Result<bool> {
    let rows = execute!(
        tx,
        "update no_show set decision = $2, reason = $3, decided_ms = $4, staff_id = $5,
                            counted_ms = coalesce(counted_ms, $4)
         where booking_id = $1 and coalesce(decision, '') <> $2",
        booking_id,
        decision,
        reason,
        now.0,
        staff_id,
    )?;
    Ok(rows == 1)
}

/// Takes back what was excused beforehand. False when it was counted meanwhile.
pub(super) async fn forget(tx: &mut Tx, booking_id: &str) -> Result<bool> {
    let rows = execute!(
        tx,
        "delete from no_show where booking_id = $1 and counted_ms is null",
        booking_id
    )?;
    Ok(rows == 1)
}

/// The booking of a ticket of that event.
pub(super) async fn booking_of_ticket(
    tx: &mut Tx,
    event_id: &str,
    ticket_id: &str,
) -> Result<String> {
    let row: Option<(String,)> = fetch!(
        tx,
        fetch_optional,
        "select booking_id from ticket where id = $1 and event_id = $2",
        ticket_id,
        event_id,
    )?;
    row.map(|(id,)| id).ok_or(Error::NotFound)
}

/// Excuses a confirmed booking, counted or not yet. False when its offer counts no no-shows, or it is not confirmed.
pub(super) async fn excuse(
    tx: &mut Tx,
    booking_id: &str,
    reason: &str,
    staff_id: &str,
    now: Millis,
) -> Result<bool> {
    let rows = execute!(
        tx,
        "insert into no_show (booking_id, event_id, person_id, at_ms, decision, reason, decided_ms, staff_id)
         select b.id, b.event_id, b.person_id,
                coalesce((select max(t.valid_to_ms) from ticket t where t.booking_id = b.id), o.valid_to_ms),
                'excused', $2, $3, $4
         from booking b join offer o on o.id = b.offer_id
         where b.id = $1 and b.status = 'confirmed' and o.no_shows_count
         on conflict (booking_id) do update set decision = 'excused', reason = excluded.reason,
             decided_ms = excluded.decided_ms, staff_id = excluded.staff_id",
        booking_id,
        reason,
        now.0,
        staff_id,
    )?;
    Ok(rows == 1)
}

/// What may be said of the no-show of a ticket's booking: whether its offer counts them, and the reason why it was
/// excused, if it was.
pub(crate) async fn leave(tx: &mut Tx, ticket_id: &str) -> Result<(bool, Option<String>)> {
    let row: Option<(bool, Option<String>)> = fetch!(
        tx,
        fetch_optional,
        "select o.no_shows_count, n.reason from ticket t join offer o on o.id = t.offer_id
         left join no_show n on n.booking_id = t.booking_id and n.decision = 'excused' where t.id = $1",
        ticket_id,
    )?;
    Ok(row.unwrap_or_default())
}
