//! Attendance: numbers computed from tickets and scans.

use admission::Millis;
use serde::Serialize;
use utoipa::ToSchema;

use super::{outcome::Outcome, record::Counted};
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
    /// Holders that came in and were not seen to go out.
    pub(crate) inside: i64,
    /// Refusals at the doors, of any reason.
    pub(crate) refused: i64,
    /// How often somebody had to look.
    pub(crate) attention: i64,
    /// Tickets that were admitted at two doors, and nobody has said yet what it was.
    pub(crate) conflicts: i64,
    /// Refusals by reason, the most frequent first.
    pub(crate) reasons: Vec<ReasonCount>,
    /// What each station did.
    pub(crate) stations: Vec<StationCount>,
    /// What was booked and used of each offer.
    pub(crate) offers: Vec<OfferCount>,
    /// Admissions in steps of five minutes; steps without any are left out.
    pub(crate) curve: Vec<CurveStep>,
}

impl Attendance {
    /// Whether people are seen to go out, so that those inside are known.
    pub(crate) fn has_exit(&self) -> bool {
        self.inside < self.admitted
    }
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
    /// Its last scan, milliseconds since 1970.
    pub(crate) last_ms: i64,
}

/// What was booked and used of an offer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema, sqlx::FromRow)]
pub(crate) struct OfferCount {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) quota: i64,
    pub(crate) booked: i64,
    pub(crate) admitted: i64,
}

/// Admissions within one step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema, sqlx::FromRow)]
pub(crate) struct CurveStep {
    /// When the step begins, milliseconds since 1970.
    pub(crate) at_ms: i64,
    pub(crate) admitted: i64,
}

/// How many people are inside: those whose last passing was inwards; `but` one ticket. Without a kiosk at an exit that is
/// everybody who came.
pub(crate) async fn inside(tx: &mut Tx, event_id: &str, but: Option<&str>) -> Result<i64> {
    let (inside,): (i64,) = fetch!(
        tx,
        fetch_one,
        "select count(*) from (
             select ticket_id, max(case when station_kind = 'gate' then true_ms else 0 end) as came_ms,
                    max(case when station_kind = 'exit' then true_ms else 0 end) as went_ms
             from scan where event_id = $1 and station_kind in ('gate', 'exit') and verdict = 'admitted'
                 and undone_ms is null and ticket_id is not null and ticket_id <> $2
             group by ticket_id) passed
         where came_ms > went_ms",
        event_id,
        but.unwrap_or_default(),
    )?;
    Ok(inside)
}

/// The same of one ticket, by what is counted of it: whether its holder is inside.
pub(super) fn is_inside(rows: &[Counted]) -> bool {
    let last =
        |kind| rows.iter().filter(|row| row.station_kind == kind).map(|row| row.true_ms).max();
    last("gate").unwrap_or(0) > last("exit").unwrap_or(0)
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
                count(*) filter (where verdict = 'refused') as refused, max(true_ms) as last_ms
         from scan where event_id = $1 and kind <> 'undo' group by station order by station",
        event_id,
    )?;
    let (attention,): (i64,) = fetch!(
        tx,
        fetch_one,
        "select count(*) from scan where event_id = $1 and verdict = 'attention' and kind <> 'undo'",
        event_id,
    )?;
    let (inside,): (i64,) = fetch!(
        tx,
        fetch_one,
        "select count(*) from (
             select station_kind, row_number() over (partition by ticket_id order by true_ms desc, id desc) as latest
             from scan where event_id = $1 and verdict = 'admitted' and undone_ms is null and ticket_id is not null
               and station_kind in ('gate', 'exit')) moved
         where latest = 1 and station_kind = 'gate'",
        event_id,
    )?;
    let (conflicts,): (i64,) = fetch!(
        tx,
        fetch_one,
        "select count(*) from conflict where event_id = $1 and verdict is null",
        event_id,
    )?;
    let offers: Vec<OfferCount> = fetch!(
        tx,
        fetch_all,
        "select o.id, o.name, o.quota, count(t.id) as booked, count(t.used_ms) as admitted
         from offer o left join ticket t on t.event_id = o.event_id and t.offer_id = o.id and t.state <> 'cancelled'
         where o.event_id = $1 group by o.id, o.name, o.quota, o.class order by o.class",
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
        inside,
        refused,
        attention,
        conflicts,
        reasons,
        stations,
        offers,
        curve,
    })
}

/// A scan as the organizer sees it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct RecentScan {
    /// Who it was, when the ticket is known.
    pub(crate) holder: Option<String>,
    pub(crate) ticket_id: Option<String>,
    pub(crate) station: String,
    #[sqlx(try_from = "i64")]
    pub(crate) true_ms: Millis,
    #[sqlx(flatten)]
    pub(super) outcome: Outcome,
}

impl RecentScan {
    /// The ticket's id and its holder, when they are known.
    pub(crate) fn of(&self) -> Option<(&str, &str)> {
        self.ticket_id.as_deref().zip(self.holder.as_deref())
    }
}

/// The last scans of an event, the newest first, at most `limit`.
pub(crate) async fn recent(tx: &mut Tx, event_id: &str, limit: i64) -> Result<Vec<RecentScan>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select t.holder, s.ticket_id, s.station, s.station_kind, s.kind, s.act, s.verdict, s.reason, s.true_ms,
                s.undone_ms
         from scan s left join ticket t on t.id = s.ticket_id
         where s.event_id = $1 order by s.true_ms desc, s.id desc limit $2",
        event_id,
        limit,
    )?)
}
