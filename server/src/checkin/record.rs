//! Scans go into the books here, and nowhere else. What a ticket's first admission is follows from them.

use admission::{
    Millis,
    decide::{StationKind, Use},
    scan::{Act, Entry, Scan},
};

use super::conflict;
use crate::{
    db::Tx,
    error::{Error, Result},
    event, execute, fetch,
    kiosk::{self, Kiosk},
};

/// An entry of a kiosk's journal that has arrived.
#[derive(Debug)]
pub(crate) struct Recorded<'a> {
    pub(crate) entry: &'a Entry,
    pub(crate) scan: &'a Scan,
    pub(crate) received: Millis,
    /// The key that signs tickets now: a walk-in is given one.
    pub(crate) key_id: u8,
}

/// A use of a ticket as its scan says it.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Counted {
    true_ms: i64,
    station: String,
    station_kind: String,
}

impl Counted {
    pub(super) fn into_use(self) -> Use {
        let kind = StationKind::from_word(&self.station_kind).unwrap_or(StationKind::Gate);
        Use { at: Millis(self.true_ms), station: self.station, kind }
    }
}

/// Writes a scan of a kiosk's journal. It takes the place of what a check counted provisionally under the same id:
/// the kiosk's own verdict is final.
pub(crate) async fn scan(tx: &mut Tx, kiosk: &Kiosk, recorded: &Recorded<'_>) -> Result<()> {
    let scan = recorded.scan;
    let seq = i64::try_from(scan.seq).map_err(anyhow::Error::from)?;
    let ticket = match &scan.deed.walk_in {
        Some(walk_in) if scan.verdict.is_admitted() => {
            kiosk::allotment::give(tx, kiosk, recorded, walk_in).await?
        }
        _ => known_ticket(tx, scan, &kiosk.event_id).await?,
    };
    let (before, undone_ms) = take_provisional(tx, &kiosk.id, seq).await?;
    // What staff took back between the check and now stays taken back.
    let undone_ms = undone_ms.filter(|_| before == ticket);
    // Nothing happens after it is heard of, whatever a kiosk's clock says.
    let true_ms = scan.true_at().0.clamp(0, recorded.received.0);
    let kind = match scan.deed.act {
        Act::Scan | Act::WalkIn => "scan",
        Act::Hand | Act::Override => "hand",
        Act::Undo | Act::Consent => "undo",
    };
    execute!(
        tx,
        "insert into scan (id, event_id, kiosk_id, seq, entry, kind, station_kind, station, medium, ticket_id, verdict,
                           reason, trust, at_ms, true_ms, error_ms, received_ms, undone_ms, act, operator, against, note)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)",
        format!("{}-{seq}", kiosk.id),
        &kiosk.event_id,
        &kiosk.id,
        seq,
        &recorded.entry.0,
        kind,
        scan.station_kind.word(),
        &scan.station,
        scan.medium.word(),
        &ticket,
        scan.verdict.word(),
        scan.verdict.reason().filter(|_| kind != "undo").map(admission::Reason::word),
        scan.trust.word(),
        scan.at.0,
        true_ms,
        scan.skew.map_or(0, |skew| skew.error_ms),
        recorded.received.0,
        undone_ms,
        scan.deed.act.word(),
        &scan.deed.operator,
        scan.deed.against.map(admission::Reason::word),
        &scan.deed.why,
    )?;
    amend(tx, &kiosk.id, scan, true_ms).await?;
    if before != ticket
        && let Some(before) = &before
    {
        recount(tx, &kiosk.event_id, before).await?;
    }
    if let Some(ticket) = &ticket {
        recount(tx, &kiosk.event_id, ticket).await?;
        conflict::weigh(tx, &kiosk.event_id, ticket, recorded.received).await?;
    }
    tx.notify(&kiosk.event_id).await?;
    Ok(())
}

/// What an entry says about an earlier one of the same journal.
async fn amend(tx: &mut Tx, kiosk_id: &str, scan: &Scan, true_ms: i64) -> Result<()> {
    let Some(about) = scan.deed.about.and_then(|about| i64::try_from(about).ok()) else {
        return Ok(());
    };
    match scan.deed.act {
        Act::Undo => execute!(
            tx,
            "update scan set undone_ms = coalesce(undone_ms, $3) where kiosk_id = $1 and seq = $2",
            kiosk_id,
            about,
            true_ms,
        )?,
        Act::Consent => execute!(
            tx,
            "update scan set consent = $3 where kiosk_id = $1 and seq = $2",
            kiosk_id,
            about,
            scan.deed.consent,
        )?,
        _ => 0,
    };
    Ok(())
}

/// Removes what a check counted under that place, if anything; gives its ticket, and when staff took it back.
pub(super) async fn take_provisional(
    tx: &mut Tx,
    kiosk_id: &str,
    seq: i64,
) -> Result<(Option<String>, Option<i64>)> {
    let removed: Option<(Option<String>, Option<i64>)> = fetch!(
        tx,
        fetch_optional,
        "delete from scan where kiosk_id = $1 and seq = $2 and provisional returning ticket_id, undone_ms",
        kiosk_id,
        seq,
    )?;
    Ok(removed.unwrap_or_default())
}

/// The journal line that is kept under that place.
pub(crate) async fn entry(tx: &mut Tx, kiosk_id: &str, seq: i64) -> Result<Option<String>> {
    let row: Option<(Option<String>,)> = fetch!(
        tx,
        fetch_optional,
        "select entry from scan where kiosk_id = $1 and seq = $2 and not provisional",
        kiosk_id,
        seq,
    )?;
    Ok(row.and_then(|(entry,)| entry))
}

/// Takes back what checks counted and the door never did: provisional rows above the journal's head, older than
/// `before`.
pub(crate) async fn drop_unconfirmed(
    tx: &mut Tx,
    kiosk: &Kiosk,
    head_seq: i64,
    before: Millis,
) -> Result<()> {
    let dropped: Vec<(Option<String>,)> = fetch!(
        tx,
        fetch_all,
        "delete from scan where kiosk_id = $1 and provisional and seq > $2 and received_ms < $3 returning ticket_id",
        &kiosk.id,
        head_seq,
        before.0,
    )?;
    for ticket in dropped.iter().filter_map(|(ticket,)| ticket.as_deref()) {
        recount(tx, &kiosk.event_id, ticket).await?;
    }
    if !dropped.is_empty() {
        tx.notify(&kiosk.event_id).await?;
    }
    Ok(())
}

/// Computes a ticket's uses and its first admission from its scans; the event's counter is held already. When they
/// changed, the ticket takes a revision, so that the kiosks hear of it.
pub(crate) async fn recount(tx: &mut Tx, event_id: &str, ticket_id: &str) -> Result<()> {
    let rows: Vec<Counted> = fetch!(
        tx,
        fetch_all,
        "select true_ms, station, station_kind from scan
         where ticket_id = $1 and verdict = 'admitted' and undone_ms is null order by true_ms, id",
        ticket_id,
    )?;
    let uses: Vec<Use> = rows.into_iter().map(Counted::into_use).collect();
    // Somebody at a stand, or on the way out, was let in by a door that has not spoken yet.
    let counts =
        |kind| matches!(kind, StationKind::Gate | StationKind::Counter | StationKind::Checkpoint);
    let first = uses.iter().find(|used| counts(used.kind));
    let (used_ms, station) =
        first.map_or((None, None), |used| (Some(used.at.0), Some(used.station.clone())));
    let history = serde_json::to_string(&uses).map_err(anyhow::Error::from)?;
    let history = Some(history).filter(|_| !uses.is_empty());
    let row: Option<(Option<i64>, Option<String>, Option<String>)> = fetch!(
        tx,
        fetch_optional,
        "select used_ms, used_station, history from ticket where id = $1",
        ticket_id
    )?;
    if row.ok_or(Error::NotFound)? == (used_ms, station.clone(), history.clone()) {
        return Ok(());
    }
    let revision = event::queries::next_revisions(tx, event_id, 1).await?;
    execute!(
        tx,
        "update ticket set used_ms = $2, used_station = $3, revision = $4, history = $5 where id = $1",
        ticket_id,
        used_ms,
        station,
        revision,
        history,
    )?;
    Ok(())
}

/// The id of the scan's ticket, when it is a ticket of this event that exists. A code can be valid for another event.
async fn known_ticket(tx: &mut Tx, scan: &Scan, event_id: &str) -> Result<Option<String>> {
    let Some(id) = scan.ticket else { return Ok(None) };
    let row: Option<(String,)> = fetch!(
        tx,
        fetch_optional,
        "select id from ticket where id = $1 and event_id = $2",
        id.to_string(),
        event_id,
    )?;
    Ok(row.map(|(id,)| id))
}
