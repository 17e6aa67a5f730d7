//! The SQL of settlement.

use admission::Millis;

use super::{
    Closed, Month,
    lines::{Entry, Frozen, Redeemed},
};
use crate::{
    db::Tx, error::Result, execute, execute_rows, fetch, voucher::venue::Venue, web::access::Staff,
};

/// The redemptions of a venue's vouchers before `until`, in order of time.
pub(super) async fn redeemed(tx: &mut Tx, venue_id: &str, until: Millis) -> Result<Vec<Redeemed>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select s.id as scan_id, s.event_id, s.ticket_id, o.name as batch, s.true_ms, s.received_ms, s.undone_ms,
                t.valid_from_ms, t.valid_to_ms, o.uses, b.price_cents
         from batch b join offer o on o.id = b.offer_id
              join scan s on s.event_id = b.event_id and s.true_ms < $2
              join ticket t on t.id = s.ticket_id and t.offer_id = b.offer_id
         where b.venue_id = $1 and s.station_kind = 'counter' and s.verdict = 'admitted' and not s.provisional
         order by s.true_ms, s.id",
        venue_id,
        until.0,
    )?)
}

/// What was settled with a venue.
pub(super) async fn frozen(tx: &mut Tx, venue_id: &str) -> Result<Vec<Frozen>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select scan_id, kind, amount_cents from settlement_entry where venue_id = $1",
        venue_id,
    )?)
}

/// A closed month of a venue.
pub(super) async fn closed(tx: &mut Tx, venue_id: &str, month: &str) -> Result<Option<Closed>> {
    Ok(fetch!(
        tx,
        fetch_optional,
        "select id, month, number, total_cents, sha256, closed_ms from settlement where venue_id = $1 and month = $2",
        venue_id,
        month,
    )?)
}

/// The lines of a closed month, in their order.
pub(super) async fn frozen_entries(tx: &mut Tx, settlement_id: &str) -> Result<Vec<Entry>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select scan_id, kind, event_id, ticket_id, serial, batch, at_ms, received_ms, amount_cents, mark, late
         from settlement_entry where settlement_id = $1 order by line",
        settlement_id,
    )?)
}

/// The lines of all closed months of a venue.
pub(super) async fn all_frozen_entries(tx: &mut Tx, venue_id: &str) -> Result<Vec<Entry>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select scan_id, kind, event_id, ticket_id, serial, batch, at_ms, received_ms, amount_cents, mark, late
         from settlement_entry where venue_id = $1",
        venue_id,
    )?)
}

/// The closed months of a venue.
pub(super) async fn closed_months(tx: &mut Tx, venue_id: &str) -> Result<Vec<Month>> {
    let rows: Vec<(String,)> =
        fetch!(tx, fetch_all, "select month from settlement where venue_id = $1", venue_id)?;
    Ok(rows.iter().filter_map(|(month,)| Month::read(month)).collect())
}

/// The last closed month of a venue.
pub(super) async fn closed_through(tx: &mut Tx, venue_id: &str) -> Result<Option<Month>> {
    Ok(closed_months(tx, venue_id).await?.into_iter().max())
}

/// How many venues' statements of a month are closed.
pub(super) async fn closed_in(tx: &mut Tx, month: &str) -> Result<i64> {
    let (count,): (i64,) =
        fetch!(tx, fetch_one, "select count(*) from settlement where month = $1", month)?;
    Ok(count)
}

/// Writes a closed month.
pub(super) async fn freeze(
    tx: &mut Tx,
    venue: &Venue,
    closed: &Closed,
    entries: &[Entry],
    staff: &Staff,
) -> Result<()> {
    execute!(
        tx,
        "insert into settlement (id, venue_id, month, number, total_cents, sha256, closed_ms, staff_id)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        &closed.id,
        &venue.id,
        &closed.month,
        &closed.number,
        closed.total_cents,
        &closed.sha256,
        closed.closed_ms.0,
        &staff.id,
    )?;
    for (chunk, first) in entries.chunks(500).zip((1_i64..).step_by(500)) {
        execute_rows!(
            tx,
            "insert into settlement_entry (scan_id, kind, settlement_id, venue_id, event_id, line, ticket_id, serial, batch, at_ms,
                                           received_ms, amount_cents, mark, late) ",
            chunk.iter().zip(first..),
            |(entry, line)| [
                &entry.scan_id,
                entry.kind.word(),
                &closed.id,
                &venue.id,
                &entry.event_id,
                line,
                &entry.ticket_id,
                &entry.serial,
                &entry.batch,
                entry.at_ms.0,
                entry.received_ms.0,
                entry.amount_cents,
                entry.mark.word(),
                entry.late,
            ],
        )?;
    }
    Ok(())
}
