//! The SQL of conflicts.

use std::collections::HashMap;

use admission::{
    Millis,
    decide::{StationKind, Use},
};

use super::Finding;
use crate::{db::Tx, error::Result, execute, fetch, fetch_rows, web::access::Staff};

/// One admission of a ticket, with who let it in.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Admission {
    pub(super) id: String,
    pub(super) ticket_id: String,
    pub(super) station: String,
    station_kind: String,
    #[sqlx(try_from = "i64")]
    pub(super) true_ms: Millis,
    /// How far `true_ms` may be off, either way.
    pub(super) error_ms: i64,
    pub(super) trust: String,
    pub(super) kiosk: Option<String>,
    /// Who stood there: staff by their account, or as they called themselves at the kiosk.
    pub(super) operator: Option<String>,
}

impl Admission {
    pub(super) fn as_use(&self) -> Use {
        let kind = StationKind::from_word(&self.station_kind).unwrap_or(StationKind::Gate);
        Use { at: self.true_ms, station: self.station.clone(), kind }
    }
}

/// The columns and joins of [`Admission`]; what counts as one. A check's provisional word may still be
/// taken back, and a supervisor who let somebody in again knew of the first time.
macro_rules! admission_select {
    ($rest:literal) => {
        concat!(
            "select s.id, s.ticket_id, s.station, s.station_kind, s.true_ms, s.error_ms, s.trust, k.name as kiosk,
                    coalesce(f.name, s.operator) as operator
             from scan s left join kiosk k on k.id = s.kiosk_id left join staff f on f.id = s.staff_id
             where s.verdict = 'admitted' and s.kind <> 'undo' and not s.provisional
               and coalesce(s.against, '') <> 'already_used' ",
            $rest
        )
    };
}

/// The admissions of a ticket that were not taken back, the first one first.
pub(super) async fn admissions(tx: &mut Tx, ticket_id: &str) -> Result<Vec<Admission>> {
    Ok(fetch!(
        tx,
        fetch_all,
        admission_select!("and s.ticket_id = $1 and s.undone_ms is null order by s.true_ms, s.id"),
        ticket_id,
    )?)
}

/// The same of each of these tickets that has any, by ticket.
pub(super) async fn admissions_of(
    tx: &mut Tx,
    tickets: &[&str],
) -> Result<HashMap<String, Vec<Admission>>> {
    let rows: Vec<Admission> = fetch_rows!(
        tx,
        admission_select!("and s.undone_ms is null and s.ticket_id in ("),
        tickets,
        |id| [*id],
        ") order by s.true_ms, s.id",
    )?;
    let mut admissions = HashMap::<String, Vec<Admission>>::new();
    for row in rows {
        admissions.entry(row.ticket_id.clone()).or_default().push(row);
    }
    Ok(admissions)
}

/// The admissions of every ticket of an event that has a conflict, also those taken back, the first one first.
pub(super) async fn of_conflicts(tx: &mut Tx, event_id: &str) -> Result<Vec<Admission>> {
    Ok(fetch!(
        tx,
        fetch_all,
        admission_select!(
            "and s.event_id = $1 and s.ticket_id in (select ticket_id from conflict where event_id = $1)
             order by s.true_ms, s.id"
        ),
        event_id,
    )?)
}

/// A conflict as the organizer sees it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Conflict {
    pub(super) ticket_id: String,
    pub(super) holder: String,
    pub(super) offer: String,
    pub(super) verdict: Option<String>,
    pub(super) settled_ms: Option<i64>,
    pub(super) settled_by: Option<String>,
    pub(super) note: String,
}

/// The conflicts of an event: those that nobody has judged first, then the latest.
pub(super) async fn of_event(tx: &mut Tx, event_id: &str) -> Result<Vec<Conflict>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select c.ticket_id, t.holder, o.name as offer, c.verdict, c.settled_ms, f.name as settled_by, c.note
         from conflict c join ticket t on t.id = c.ticket_id join offer o on o.id = t.offer_id
         left join staff f on f.id = c.staff_id
         where c.event_id = $1
         order by case when c.verdict is null then 0 else 1 end, c.found_ms desc, c.ticket_id",
        event_id,
    )?)
}

/// Opens a conflict, or opens a settled one again when there are more admissions than were judged.
pub(super) async fn open(
    tx: &mut Tx,
    event_id: &str,
    ticket_id: &str,
    admissions: usize,
    now: Millis,
) -> Result<()> {
    execute!(
        tx,
        "insert into conflict (ticket_id, event_id, admissions, found_ms) values ($1, $2, $3, $4)
         on conflict (ticket_id) do update
         set admissions = excluded.admissions, found_ms = excluded.found_ms, verdict = null, settled_ms = null,
             staff_id = null, note = ''
         where conflict.admissions < excluded.admissions",
        ticket_id,
        event_id,
        i64::try_from(admissions).map_err(anyhow::Error::from)?,
        now.0,
    )?;
    Ok(())
}

/// Writes down the finding; false when there is no such conflict.
pub(super) async fn settle(
    tx: &mut Tx,
    (event_id, ticket_id): (&str, &str),
    finding: Finding,
    (staff, note): (&Staff, &str),
    now: Millis,
) -> Result<bool> {
    let rows = execute!(
        tx,
        "update conflict set verdict = $3, staff_id = $4, note = $5, settled_ms = $6
         where event_id = $1 and ticket_id = $2",
        event_id,
        ticket_id,
        finding.word(),
        &staff.id,
        note,
        now.0,
    )?;
    Ok(rows == 1)
}
