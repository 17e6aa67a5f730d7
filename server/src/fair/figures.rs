//! What a fair came to, by the definitions that reports use (domain notes §5), computed from rows each time:
//!
//! - entries 人次: admissions at the gates; people 人: the distinct people among them;
//! - intention: a visitor, an employer and a post, recorded by the stand; reported as distinct **people**, since one
//!   person may agree with three employers. One that came to nothing later was an intention all the same;
//! - consultation: one visit to one desk, by number or by a scan of the desk's kiosk, never both for the same visit.

use admission::Millis;
use serde::Serialize;

use crate::{checkin::attendance, db::Tx, error::Result, event::Event, fetch};

/// A scan so close to a visit that was called by number is that visit.
const SAME_VISIT_MS: i64 = 10 * admission::time::MINUTE;
/// Of the approved size, in hundredths, from which on the organizer is warned.
const WARN_AT: i64 = 90;

/// What a fair came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Figures {
    /// Employers with a stand.
    pub(crate) employers: i64,
    /// People they look for.
    pub(crate) headcount: i64,
    /// Posts as the lists have them.
    pub(crate) posts: i64,
    /// Distinct trades.
    pub(crate) trades: i64,
    /// 人次.
    pub(crate) entries: i64,
    /// 人.
    pub(crate) people: i64,
    /// Of these, who is still inside.
    pub(crate) inside: i64,
    /// People who talked with at least one employer, or left their particulars.
    pub(crate) talked: i64,
    /// People who reached an intention with at least one employer.
    pub(crate) intentions: i64,
    /// Intentions as such: visitor, employer and post.
    pub(crate) agreed: i64,
    /// People who were hired, then or later.
    pub(crate) hired: i64,
    /// 人次, at all desks.
    pub(crate) consultations: i64,
    pub(crate) desks: Vec<DeskFigure>,
    pub(crate) stands: Vec<StandFigure>,
    /// The approved size.
    pub(crate) capacity: Option<i64>,
}

/// What came to one desk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub(crate) struct DeskFigure {
    pub(crate) name: String,
    pub(crate) consultations: i64,
}

/// What came to one stand. People, each once for each employer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub(crate) struct StandFigure {
    pub(crate) stand: String,
    pub(crate) name: String,
    pub(crate) posts: i64,
    pub(crate) headcount: i64,
    pub(crate) visitors: i64,
    pub(crate) intentions: i64,
    pub(crate) hired: i64,
}

impl Figures {
    /// How full it is, in hundredths of the approved size.
    pub(crate) fn fullness(&self) -> Option<i64> {
        self.capacity.map(|capacity| self.inside * 100 / capacity.max(1))
    }

    /// Whether the gates refuse.
    pub(crate) fn is_full(&self) -> bool {
        self.capacity.is_some_and(|capacity| self.inside >= capacity)
    }

    /// Whether the organizer must act.
    pub(crate) fn is_nearly_full(&self) -> bool {
        self.fullness().is_some_and(|fullness| fullness >= WARN_AT)
    }
}

#[derive(sqlx::FromRow)]
struct Offered {
    employers: i64,
    headcount: i64,
    posts: i64,
    trades: i64,
}

#[derive(sqlx::FromRow)]
struct Reached {
    talked: i64,
    intentions: i64,
    agreed: i64,
    hired: i64,
}

/// The figures of a fair, as of what is committed.
pub(crate) async fn of(tx: &mut Tx, event: &Event, now: Millis) -> Result<Figures> {
    let offered: Offered = fetch!(
        tx,
        fetch_one,
        "select (select count(*) from employer where event_id = $1) as employers,
                cast(coalesce(sum(headcount), 0) as bigint) as headcount, count(*) as posts,
                count(distinct trade) as trades
         from post where event_id = $1",
        &event.id,
    )?;
    let (entries, people): (i64, i64) = fetch!(
        tx,
        fetch_one,
        "select count(*), count(distinct coalesce(t.person_id, t.id)) from scan s join ticket t on t.id = s.ticket_id
         where s.event_id = $1 and s.station_kind = 'gate' and s.verdict = 'admitted' and s.undone_ms is null",
        &event.id,
    )?;
    let reached: Reached = fetch!(
        tx,
        fetch_one,
        "select count(distinct coalesce(t.person_id, t.id)) as talked,
                count(distinct coalesce(t.person_id, t.id))
                    filter (where n.how = 'stand' and n.outcome in ('intention', 'hired')) as intentions,
                count(distinct n.employer_id || ' ' || coalesce(n.post_id, '') || ' ' || coalesce(t.person_id, t.id))
                    filter (where n.how = 'stand' and n.outcome in ('intention', 'hired')) as agreed,
                count(distinct coalesce(t.person_id, t.id))
                    filter (where n.how = 'stand' and n.outcome = 'hired') as hired
         from encounter n join ticket t on t.id = n.ticket_id where n.event_id = $1 and n.undone_ms is null",
        &event.id,
    )?;
    let desks = desks(tx, &event.id).await?;
    // Everybody has gone home, scanned or not.
    let inside =
        if now >= event.ends_ms { 0 } else { attendance::inside(tx, &event.id, None).await? };
    Ok(Figures {
        employers: offered.employers,
        headcount: offered.headcount,
        posts: offered.posts,
        trades: offered.trades,
        entries,
        people,
        inside,
        talked: reached.talked,
        intentions: reached.intentions,
        agreed: reached.agreed,
        hired: reached.hired,
        consultations: desks.iter().map(|desk| desk.consultations).sum(),
        desks,
        stands: stands(tx, &event.id).await?,
        capacity: event.capacity,
    })
}

async fn desks(tx: &mut Tx, event_id: &str) -> Result<Vec<DeskFigure>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select d.name,
                (select count(*) from desk_turn t where t.desk_id = d.id and t.state = 'done')
                + (select count(*) from scan s
                   where s.event_id = d.event_id and s.station_kind = 'desk' and s.station = d.name
                     and s.verdict = 'admitted' and s.undone_ms is null and s.ticket_id is not null
                     and not exists (select 1 from desk_turn t where t.desk_id = d.id and t.ticket_id = s.ticket_id
                                         and t.state = 'done' and s.true_ms >= t.called_ms - $2
                                         and s.true_ms <= t.ended_ms + $2)
                     -- A scan that took a number is no visit yet.
                     and not (d.kiosk_numbers and exists
                             (select 1 from desk_turn t where t.desk_id = d.id and t.ticket_id = s.ticket_id
                                 and s.true_ms >= t.taken_ms - $2
                                 and s.true_ms <= coalesce(t.ended_ms, t.called_ms, t.taken_ms) + $2)))
                    as consultations
         from desk d where d.event_id = $1 order by d.letter",
        event_id,
        SAME_VISIT_MS,
    )?)
}

/// Every stand, the busiest first.
async fn stands(tx: &mut Tx, event_id: &str) -> Result<Vec<StandFigure>> {
    let mut stands: Vec<StandFigure> = fetch!(
        tx,
        fetch_all,
        "select e.stand, e.name,
                (select count(*) from post p where p.employer_id = e.id) as posts,
                (select cast(coalesce(sum(headcount), 0) as bigint) from post p where p.employer_id = e.id) as headcount,
                (select count(*) from (
                     select n.ticket_id from encounter n where n.employer_id = e.id and n.undone_ms is null
                     union
                     select s.ticket_id from scan s where s.event_id = e.event_id and s.station_kind = 'booth'
                         and s.station = e.stand and s.verdict = 'admitted' and s.undone_ms is null
                         and s.ticket_id is not null) came) as visitors,
                (select count(distinct n.ticket_id) from encounter n where n.employer_id = e.id and n.undone_ms is null
                     and n.how = 'stand' and n.outcome in ('intention', 'hired')) as intentions,
                (select count(distinct n.ticket_id) from encounter n where n.employer_id = e.id and n.undone_ms is null
                     and n.how = 'stand' and n.outcome = 'hired') as hired
         from employer e where e.event_id = $1 order by e.stand",
        event_id,
    )?;
    stands.sort_by_key(|stand| std::cmp::Reverse((stand.visitors, stand.intentions)));
    Ok(stands)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_organizer_is_warned_at_nine_tenths() {
        let at = |inside, capacity| Figures { inside, capacity, ..Figures::default() };
        for (inside, capacity, warned) in [
            (899, Some(1_000), false),
            (900, Some(1_000), true),
            (1_000, Some(1_000), true),
            (9_999, None, false),
        ] {
            assert_eq!(at(inside, capacity).is_nearly_full(), warned, "{inside} of {capacity:?}");
        }
    }
}
