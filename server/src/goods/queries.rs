//! The SQL of goods. What was handed out is read from the scans at counters, and from nowhere else.

use admission::Millis;

use super::{Goods, Point, stock::Stock};
use crate::{
    db::{Tx, new_id},
    error::{Error, Result},
    execute, fetch,
};

/// Scans that handed something out, with what each is worth: `$1` the event, `$2` and `$3` a kiosk and a place in its
/// journal that is not counted.
macro_rules! handed_out {
    ($columns:literal, $rest:literal) => {
        concat!(
            "select ",
            $columns,
            " from scan s
              left join ticket t on t.id = s.ticket_id
              left join goods_batch g on g.booking_id = t.booking_id
              where s.event_id = $1 and s.station_kind = 'counter' and s.verdict = 'admitted' and s.undone_ms is null
                and not (s.kiosk_id is not null and s.kiosk_id = $2 and s.seq = $3) ",
            $rest
        )
    };
}

/// What an event hands out, if it does.
pub(crate) async fn goods(tx: &mut Tx, event_id: &str) -> Result<Option<Goods>> {
    Ok(fetch!(
        tx,
        fetch_optional,
        "select item, unit, unit_cents, offer_id from goods where event_id = $1",
        event_id
    )?)
}

/// The pick-up points of an event, the first made first.
pub(crate) async fn points(tx: &mut Tx, event_id: &str) -> Result<Vec<Point>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select id, event_id, name, place, offer_id, leftover_ms, leftover_to, leftover_done_ms from goods_point
         where event_id = $1 order by created_ms, id",
        event_id,
    )?)
}

/// A pick-up point of an event.
pub(super) async fn point(tx: &mut Tx, event_id: &str, id: &str) -> Result<Point> {
    let point = points(tx, event_id).await?.into_iter().find(|point| point.id == id);
    point.ok_or(Error::NotFound)
}

/// A place in a kiosk's journal that is not counted: what a check has claimed for the one who asks again.
pub(crate) type But<'a> = Option<(&'a str, i64)>;

/// Every point of an event in figures, in the order of [`points`].
pub(crate) async fn stocks(tx: &mut Tx, event_id: &str, but: But<'_>) -> Result<Vec<Stock>> {
    let (kiosk_id, seq) = but.unwrap_or(("", 0));
    let handed: Vec<(String, i64)> = fetch!(
        tx,
        fetch_all,
        handed_out!(
            "s.station, cast(sum(coalesce(g.units, 1)) as bigint)",
            "group by s.station order by s.station"
        ),
        event_id,
        kiosk_id,
        seq,
    )?;
    let mut stocks: Vec<Stock> = fetch!(
        tx,
        fetch_all,
        "select p.id as point_id, p.name,
                coalesce((select cast(sum(e.units) as bigint) from goods_entry e where e.point_id = p.id), 0) as brought,
                cast(0 as bigint) as handed,
                o.taken
                - (select count(*) from ticket t
                   where t.event_id = p.event_id and t.offer_id = p.offer_id and t.state <> 'cancelled'
                     and exists (select 1 from scan s where s.ticket_id = t.id and s.station_kind = 'counter'
                                   and s.verdict = 'admitted' and s.undone_ms is null))
                + coalesce((select cast(sum(g.units) as bigint) from goods_batch g join booking b on b.id = g.booking_id
                            where g.point_id = p.id and b.status = 'confirmed'
                              and not exists (select 1 from ticket t join scan s on s.ticket_id = t.id
                                              where t.booking_id = b.id and s.station_kind = 'counter'
                                                and s.verdict = 'admitted' and s.undone_ms is null)), 0) as promised
         from goods_point p join offer o on o.id = p.offer_id
         where p.event_id = $1 order by p.created_ms, p.id",
        event_id,
    )?;
    for stock in &mut stocks {
        let at = handed.iter().find(|(station, _)| *station == stock.name);
        stock.handed = at.map_or(0, |(_, units)| *units);
    }
    Ok(stocks)
}

/// Units handed out at counters that are called like no point, by station.
pub(super) async fn astray(tx: &mut Tx, event_id: &str) -> Result<Vec<(String, i64)>> {
    Ok(fetch!(
        tx,
        fetch_all,
        handed_out!(
            "s.station, cast(sum(coalesce(g.units, 1)) as bigint)",
            "and s.station not in (select name from goods_point p where p.event_id = $1)
             group by s.station order by s.station"
        ),
        event_id,
        "",
        0_i64,
    )?)
}

/// What an organisation's people had.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct OrganisationCount {
    pub(crate) name: Option<String>,
    /// 人: a delegate's units are for as many people.
    pub(crate) people: i64,
    pub(crate) units: i64,
}

/// Units and people by organisation, most units first.
pub(crate) async fn by_organisation(tx: &mut Tx, event_id: &str) -> Result<Vec<OrganisationCount>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "with had as (
             select coalesce(g.organisation_id, p.organisation_id, p.union_id) as organisation_id,
                    coalesce(g.units, 1) as units, g.units as batch,
                    coalesce(t.person_id, t.id, s.id) as who
             from scan s left join ticket t on t.id = s.ticket_id
             left join goods_batch g on g.booking_id = t.booking_id
             left join booking b on b.id = t.booking_id left join person p on p.id = b.person_id
             where s.event_id = $1 and s.station_kind = 'counter' and s.verdict = 'admitted' and s.undone_ms is null)
         select o.name,
                cast(coalesce(sum(h.batch), 0) as bigint)
                + count(distinct case when h.batch is null then h.who end) as people,
                cast(sum(h.units) as bigint) as units
         from had h left join organisation o on o.id = h.organisation_id
         group by o.id, o.name order by units desc, o.name nulls last",
        event_id,
    )?)
}

/// One line of the stock's ledger.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Line {
    pub(super) point: String,
    pub(super) kind: String,
    pub(super) units: i64,
    pub(super) note: String,
    pub(super) staff: String,
    #[sqlx(try_from = "i64")]
    pub(super) at_ms: Millis,
}

/// The ledger of an event's stock, the newest first.
pub(super) async fn lines(tx: &mut Tx, event_id: &str, limit: i64) -> Result<Vec<Line>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select p.name as point, e.kind, e.units, e.note, f.name as staff, e.at_ms
         from goods_entry e join goods_point p on p.id = e.point_id join staff f on f.id = e.staff_id
         where e.event_id = $1 order by e.at_ms desc, e.id desc limit $2",
        event_id,
        limit,
    )?)
}

/// Writes one line of the ledger. The event's counter is held, and what it takes away is there.
pub(super) async fn write_line(
    tx: &mut Tx,
    point: &Point,
    (kind, units, note): (&str, i64, &str),
    staff_id: &str,
    now: Millis,
) -> Result<()> {
    execute!(
        tx,
        "insert into goods_entry (id, event_id, point_id, kind, units, note, staff_id, at_ms)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        new_id(now),
        &point.event_id,
        &point.id,
        kind,
        units,
        note,
        staff_id,
        now.0,
    )?;
    Ok(())
}

/// What a ticket is good for: its point, if it is for one, and how many units.
pub(super) async fn worth(tx: &mut Tx, ticket_id: &str) -> Result<(Option<String>, i64, bool)> {
    let row: Option<(Option<String>, i64, bool)> = fetch!(
        tx,
        fetch_optional,
        "select coalesce(g.point_id, p.id), coalesce(g.units, 1), g.units is not null
         from ticket t left join goods_batch g on g.booking_id = t.booking_id
         left join goods_point p on p.offer_id = t.offer_id
         where t.id = $1",
        ticket_id,
    )?;
    Ok(row.unwrap_or((None, 1, false)))
}

/// When and where a person had theirs on another ticket of the event; a delegate's tickets are not theirs.
pub(super) async fn had_already(
    tx: &mut Tx,
    event_id: &str,
    person_id: &str,
    ticket_id: &str,
) -> Result<Option<(i64, String)>> {
    Ok(fetch!(
        tx,
        fetch_optional,
        "select s.true_ms, s.station from offer o join booking b on b.offer_id = o.id
         join ticket t on t.booking_id = b.id join scan s on s.ticket_id = t.id
         where o.event_id = $2 and b.person_id = $1 and t.person_id = $1 and t.id <> $3 and s.station_kind = 'counter'
           and s.verdict = 'admitted' and s.undone_ms is null
           and not exists (select 1 from goods_batch g where g.booking_id = t.booking_id)
         order by s.true_ms limit 1",
        person_id,
        event_id,
        ticket_id,
    )?)
}

/// Somebody who may collect, or did.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Collector {
    pub(super) ticket_id: String,
    pub(super) holder: String,
    pub(super) state: String,
    pub(super) phone: Option<String>,
    pub(super) organisation: Option<String>,
    /// The point they chose.
    pub(super) point: Option<String>,
    pub(super) units: i64,
    /// The organisation whose units a delegate collects.
    pub(super) batch: Option<String>,
    pub(super) had_ms: Option<i64>,
    pub(super) had_at: Option<String>,
}

/// The columns and joins of [`Collector`]: `$1` is the event.
macro_rules! collector_select {
    ($rest:literal) => {
        concat!(
            "select t.id as ticket_id, t.holder, t.state, p.phone, coalesce(o.name, u.name) as organisation,
                    q.name as point, coalesce(g.units, 1) as units, c.name as batch,
                    (select min(s.true_ms) from scan s where s.ticket_id = t.id and s.station_kind = 'counter'
                       and s.verdict = 'admitted' and s.undone_ms is null) as had_ms,
                    (select s.station from scan s where s.ticket_id = t.id and s.station_kind = 'counter'
                       and s.verdict = 'admitted' and s.undone_ms is null order by s.true_ms limit 1) as had_at
             from ticket t join booking b on b.id = t.booking_id join person p on p.id = b.person_id
             left join organisation o on o.id = p.organisation_id
             left join organisation u on u.id = p.union_id
             left join goods_batch g on g.booking_id = b.id
             left join organisation c on c.id = g.organisation_id
             left join goods_point q on q.id = g.point_id or (g.point_id is null and q.offer_id = t.offer_id)
             where t.event_id = $1 ",
            $rest
        )
    };
}

/// The ticket of that id.
pub(super) async fn collector(tx: &mut Tx, event_id: &str, ticket_id: &str) -> Result<Collector> {
    let row: Option<Collector> =
        fetch!(tx, fetch_optional, collector_select!("and t.id = $2"), event_id, ticket_id)?;
    row.ok_or(Error::NotFound)
}

/// The tickets of a person.
pub(super) async fn of_person(
    tx: &mut Tx,
    event_id: &str,
    person_id: &str,
) -> Result<Vec<Collector>> {
    Ok(fetch!(
        tx,
        fetch_all,
        collector_select!("and b.person_id = $2 and t.state <> 'cancelled' order by t.id"),
        event_id,
        person_id,
    )?)
}

/// Tickets by a part of a name or the end of a phone; `like` is lowered and escaped.
pub(super) async fn named(
    tx: &mut Tx,
    event_id: &str,
    (like, phone): (&str, &str),
) -> Result<Vec<Collector>> {
    Ok(fetch!(
        tx,
        fetch_all,
        collector_select!(
            "and t.state <> 'cancelled' and (t.holder_search like $2 escape '\\' or p.phone like $3
               or c.name_search like $2 escape '\\')
             order by case when g.units is null then 1 else 0 end, t.holder_search, t.id limit 30"
        ),
        event_id,
        like,
        phone,
    )?)
}

/// The last hand-outs at a point.
pub(super) async fn last_at(tx: &mut Tx, event_id: &str, station: &str) -> Result<Vec<Collector>> {
    Ok(fetch!(
        tx,
        fetch_all,
        collector_select!(
            "and exists (select 1 from scan s where s.ticket_id = t.id and s.station = $2 and s.station_kind = 'counter'
                           and s.verdict = 'admitted' and s.undone_ms is null)
             order by had_ms desc, t.id limit 10"
        ),
        event_id,
        station,
    )?)
}

/// Organisations whose units a delegate collects, and how each stands; those still to come first.
pub(super) async fn batches(tx: &mut Tx, event_id: &str) -> Result<Vec<Collector>> {
    Ok(fetch!(
        tx,
        fetch_all,
        collector_select!(
            "and g.units is not null and t.state <> 'cancelled' order by had_ms nulls first, c.name_search, t.id"
        ),
        event_id,
    )?)
}

/// Units for the people of an organisation, as its union's officer sees them.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct Share {
    pub(crate) event_id: String,
    pub(crate) title: String,
    pub(crate) time_zone: String,
    pub(crate) item: String,
    pub(crate) unit: String,
    pub(crate) organisation_id: String,
    pub(crate) organisation: String,
    pub(crate) units: i64,
    pub(crate) point: String,
    pub(crate) place: String,
    #[sqlx(try_from = "i64")]
    pub(crate) from_ms: Millis,
    #[sqlx(try_from = "i64")]
    pub(crate) to_ms: Millis,
    pub(crate) ticket_id: String,
    /// The delegate.
    pub(crate) person_id: String,
    pub(crate) holder: String,
    pub(crate) phone: Option<String>,
    pub(crate) had_ms: Option<i64>,
}

/// What a union and the enterprises under it are to have or had, of events that are not over since `since`; what is still
/// to be collected first.
pub(super) async fn shares(tx: &mut Tx, union_id: &str, since: Millis) -> Result<Vec<Share>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select g.event_id, e.title, e.time_zone, k.item, k.unit, g.organisation_id, o.name as organisation, g.units,
                q.name as point, q.place, f.valid_from_ms as from_ms, f.valid_to_ms as to_ms,
                t.id as ticket_id, b.person_id, t.holder, p.phone,
                (select min(s.true_ms) from scan s where s.ticket_id = t.id and s.station_kind = 'counter'
                   and s.verdict = 'admitted' and s.undone_ms is null) as had_ms
         from organisation o join goods_batch g on g.organisation_id = o.id
         join booking b on b.id = g.booking_id and b.status = 'confirmed'
         join ticket t on t.booking_id = b.id join person p on p.id = b.person_id
         join event e on e.id = g.event_id and e.status in ('published', 'closed') and e.ends_ms > $2
         join goods k on k.event_id = g.event_id
         join goods_point q on q.id = g.point_id join offer f on f.id = q.offer_id
         where (o.id = $1 or o.union_id = $1)
         order by had_ms nulls first, f.valid_from_ms, o.name_search, t.id",
        union_id,
        since.0,
    )?)
}

/// People who had theirs more than once, on whatever tickets: the doors did not hear of each other.
pub(super) async fn twice(tx: &mut Tx, event_id: &str) -> Result<Vec<(String, i64)>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select p.name, count(*) from scan s join ticket t on t.id = s.ticket_id join person p on p.id = t.person_id
         where s.event_id = $1 and s.station_kind = 'counter' and s.verdict = 'admitted' and s.undone_ms is null
           and not exists (select 1 from goods_batch g where g.booking_id = t.booking_id)
         group by p.id, p.name having count(*) > 1 order by p.name",
        event_id,
    )?)
}
