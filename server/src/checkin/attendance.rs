//! Attendance: numbers computed from tickets and scans.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{db::Tx, error::Result, fetch};

/// Admissions are drawn as a curve in steps of this long.
pub(crate) const STEP_MS: i64 = 5 * 60_000;

/// Who was expected, who came, and what happened at the doors. People, not entries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Attendance {
    /// Tickets that are not cancelled.
    pub(crate) booked: i64,
    /// Of these, holders that were admitted.
    pub(crate) admitted: i64,
    /// Of these, holders that are still to come.
    pub(crate) to_come: i64,
    /// Refusals at the doors, of any reason.
    pub(crate) refused: i64,
    /// Refusals by reason, the most frequent first.
    pub(crate) reasons: Vec<ReasonCount>,
    /// What each station did.
    pub(crate) stations: Vec<StationCount>,
    /// Admissions in steps of five minutes; steps without any are left out.
    pub(crate) curve: Vec<CurveStep>,
}

/// How often a reason was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema, sqlx::FromRow)]
pub(crate) struct ReasonCount {
    /// `already_used`, …
    pub(crate) reason: String,
    pub(crate) count: i64,
}

/// What a station did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema, sqlx::FromRow)]
pub(crate) struct StationCount {
    pub(crate) station: String,
    pub(crate) admitted: i64,
    pub(crate) refused: i64,
}

/// Admissions within one step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema, sqlx::FromRow)]
pub(crate) struct CurveStep {
    /// When the step begins, milliseconds since 1970.
    pub(crate) at_ms: i64,
    pub(crate) admitted: i64,
}

/// The attendance of an event, as of what is committed.
pub(crate) async fn of_event(tx: &mut Tx, event_id: &str) -> Result<Attendance> {
    let (booked, admitted): (i64, i64) = fetch!(
        tx,
        fetch_one,
        "select count(*), count(used_ms) from ticket where event_id = $1 and state <> 'cancelled'",
        event_id,
    )?;
    let reasons: Vec<ReasonCount> = fetch!(
        tx,
        fetch_all,
        "select coalesce(reason, '') as reason, count(*) as count from scan
         where event_id = $1 and verdict = 'refused' and not provisional
         group by reason order by count(*) desc, reason",
        event_id,
    )?;
    let stations: Vec<StationCount> = fetch!(
        tx,
        fetch_all,
        "select station, count(*) filter (where verdict = 'admitted' and undone_ms is null) as admitted,
                count(*) filter (where verdict = 'refused') as refused
         from scan where event_id = $1 and kind <> 'undo' group by station order by station",
        event_id,
    )?;
    let curve: Vec<CurveStep> = fetch!(
        tx,
        fetch_all,
        "select used_ms / $2 * $2 as at_ms, count(*) as admitted from ticket
         where event_id = $1 and state <> 'cancelled' and used_ms is not null
         group by used_ms / $2 * $2 order by at_ms",
        event_id,
        STEP_MS,
    )?;
    let refused = reasons.iter().map(|reason| reason.count).sum();
    Ok(Attendance {
        booked,
        admitted,
        to_come: booked - admitted,
        refused,
        reasons,
        stations,
        curve,
    })
}
