//! The SQL of ballots.

use std::collections::HashMap;

use admission::Millis;

use super::record::Floor;
use crate::{db::Tx, error::Result, event::Offer, execute, fetch, fetch_rows};

/// A ballot's row.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct Ballot {
    pub(crate) commitment: String,
    pub(crate) committed_ms: i64,
    pub(crate) drawn_ms: Option<i64>,
    pub(crate) record: Option<String>,
}

/// The ballot of an offer.
pub(crate) async fn ballot(tx: &mut Tx, offer_id: &str) -> Result<Option<Ballot>> {
    Ok(fetch!(tx, fetch_optional, "select * from ballot where offer_id = $1", offer_id)?)
}

/// Whether the ballot of an offer is drawn. Whoever holds the event's counter can rely on it.
pub(crate) async fn is_drawn(tx: &mut Tx, offer_id: &str) -> Result<bool> {
    Ok(ballot(tx, offer_id).await?.is_some_and(|ballot| ballot.drawn_ms.is_some()))
}

/// Whether anybody ever entered the draw of an offer.
pub(super) async fn has_entries(tx: &mut Tx, offer_id: &str) -> Result<bool> {
    let any: Option<(String,)> =
        fetch!(tx, fetch_optional, "select id from booking where offer_id = $1 limit 1", offer_id)?;
    Ok(any.is_some())
}

/// The ids of the unions that have places set aside, with how many.
pub(crate) async fn floor_ids(tx: &mut Tx, offer_id: &str) -> Result<Vec<(String, i64)>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select union_id, places from offer_floor where offer_id = $1 order by union_id",
        offer_id,
    )?)
}

/// Writes the commitment of an offer's ballot, unless there is one.
pub(super) async fn commit(
    tx: &mut Tx,
    offer: &Offer,
    commitment: &str,
    now: Millis,
) -> Result<()> {
    execute!(
        tx,
        "insert into ballot (offer_id, event_id, commitment, committed_ms) values ($1, $2, $3, $4)
         on conflict (offer_id) do nothing",
        &offer.id,
        &offer.event_id,
        commitment,
        now.0,
    )?;
    Ok(())
}

/// Offers whose entries are all in and whose draw is to come.
pub(super) async fn due(tx: &mut Tx, now: Millis) -> Result<Vec<(String, String)>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select b.offer_id, b.event_id from ballot b join offer o on o.id = b.offer_id join event e on e.id = b.event_id
         where b.drawn_ms is null and o.mode = 'draw' and o.closes_ms <= $1 and e.status in ('published', 'closed')
         order by o.closes_ms, o.id",
        now.0,
    )?)
}

/// An entry as the draw sees it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Entered {
    pub(super) id: String,
    pub(super) person_id: String,
    pub(super) name: String,
    pub(super) union_name: Option<String>,
    pub(super) places: i64,
}

/// The entries of an offer.
pub(super) async fn entries(tx: &mut Tx, offer_id: &str) -> Result<Vec<Entered>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select b.id, b.person_id, p.name, u.name as union_name, b.places
         from booking b join person p on p.id = b.person_id left join organisation u on u.id = p.union_id
         where b.offer_id = $1 and b.status = 'entered' order by b.id",
        offer_id,
    )?)
}

/// Places set aside for unions, by their names.
pub(crate) async fn floors(tx: &mut Tx, offer_id: &str) -> Result<Vec<Floor>> {
    let rows: Vec<(String, i64)> = fetch!(
        tx,
        fetch_all,
        "select u.name, f.places from offer_floor f join organisation u on u.id = f.union_id
         where f.offer_id = $1 order by u.name, u.id",
        offer_id,
    )?;
    Ok(rows.into_iter().map(|(union, places)| Floor { union, places }).collect())
}

/// How often each person entered one of the last `drives` ballots of that kind and got nothing; nobody who got
/// something is in it. Who was given a place and let it lapse neither got something nor lost.
pub(super) async fn losses(tx: &mut Tx, kind: &str, drives: i64) -> Result<HashMap<String, i64>> {
    let last: Vec<(String,)> = fetch!(
        tx,
        fetch_all,
        "select b.offer_id from ballot b join event e on e.id = b.event_id
         where b.drawn_ms is not null and e.kind = $1 order by b.drawn_ms desc, b.offer_id limit $2",
        kind,
        drives,
    )?;
    let rows: Vec<(String, i64, i64)> = fetch_rows!(
        tx,
        "select person_id, count(*),
                cast(sum(case when status in ('drawn_out', 'waiting') then 0 else 1 end) as bigint)
         from booking where status in ('drawn_out', 'waiting', 'confirmed', 'held') and offer_id in (",
        last,
        |(offer_id,)| [offer_id],
        ") group by person_id",
    )?;
    let lost = rows.into_iter().filter(|(_, _, got)| *got == 0);
    Ok(lost.map(|(person_id, count, _)| (person_id, count)).collect())
}

/// Writes down a draw. False when another process drew first.
pub(super) async fn drawn(tx: &mut Tx, offer_id: &str, record: &str, now: Millis) -> Result<bool> {
    let rows = execute!(
        tx,
        "update ballot set drawn_ms = $2, record = $3 where offer_id = $1 and drawn_ms is null",
        offer_id,
        now.0,
        record,
    )?;
    Ok(rows == 1)
}
