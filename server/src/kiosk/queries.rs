//! The SQL of kiosks.

use std::collections::{HashMap, HashSet};

use admission::{Millis, scan::Chain};

use super::{Kiosk, rules::NewKiosk};
use crate::{
    db::{Tx, new_id},
    error::{Error, Result},
    execute, fetch, fetch_rows,
};

/// Writes a kiosk that is still to enrol; gives its id.
pub(crate) async fn insert(
    tx: &mut Tx,
    new: &NewKiosk,
    code: &NewCode,
    now: Millis,
) -> Result<String> {
    let id = new_id(now);
    execute!(
        tx,
        "insert into kiosk (id, name, event_id, station_kind, station, code_hash, code_expires_ms, created_ms)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        &id,
        new.name.trim(),
        &new.event_id,
        new.station_kind.word(),
        new.station.trim(),
        &code.hash,
        code.expires.0,
        now.0,
    )?;
    Ok(id)
}

/// An enrolment code as it is kept.
#[derive(Debug)]
pub(crate) struct NewCode {
    pub(crate) hash: Vec<u8>,
    pub(crate) expires: Millis,
}

/// Enrols the kiosk that has this code, once. `None` when no kiosk has it, or it expired.
pub(crate) async fn enrol(
    tx: &mut Tx,
    code_hash: &[u8],
    public_key: &[u8],
    now: Millis,
) -> Result<Option<(String, String)>> {
    Ok(fetch!(
        tx,
        fetch_optional,
        "update kiosk set public_key = $2, enrolled_ms = $3, code_hash = null, code_expires_ms = null
         where code_hash = $1 and code_expires_ms > $3 and revoked_ms is null returning id, name",
        code_hash,
        public_key,
        now.0,
    )?)
}

/// The kiosk of that id.
pub(crate) async fn kiosk(tx: &mut Tx, id: &str) -> Result<Kiosk> {
    let row: Option<Kiosk> = fetch!(tx, fetch_optional, "select * from kiosk where id = $1", id)?;
    row.ok_or(Error::NotFound)
}

/// Those kiosks, by id.
pub(crate) async fn kiosks(tx: &mut Tx, ids: HashSet<&str>) -> Result<HashMap<String, Kiosk>> {
    let rows: Vec<Kiosk> =
        fetch_rows!(tx, "select * from kiosk where id in (", ids, |id| [id], ")")?;
    Ok(rows.into_iter().map(|kiosk| (kiosk.id.clone(), kiosk)).collect())
}

/// The kiosks of an event, in order of making.
pub(crate) async fn of_event(tx: &mut Tx, event_id: &str) -> Result<Vec<Kiosk>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select * from kiosk where event_id = $1 order by created_ms, id",
        event_id
    )?)
}

/// How many gates of an event have a kiosk that may let people in.
pub(super) async fn gates(tx: &mut Tx, event_id: &str) -> Result<i64> {
    let (gates,): (i64,) = fetch!(
        tx,
        fetch_one,
        "select count(*) from kiosk
         where event_id = $1 and station_kind = 'gate' and enrolled_ms is not null and revoked_ms is null",
        event_id,
    )?;
    Ok(gates)
}

/// How many tickets of its event changed since the kiosk's copy.
pub(crate) async fn behind(tx: &mut Tx, kiosk: &Kiosk) -> Result<i64> {
    let (behind,): (i64,) = fetch!(
        tx,
        fetch_one,
        "select count(*) from ticket where event_id = $1 and revision > $2",
        &kiosk.event_id,
        kiosk.revision_seen,
    )?;
    Ok(behind)
}

/// No longer fed. What it recorded before still counts, also what it has yet to send, unless it was lost.
pub(crate) async fn revoke(
    tx: &mut Tx,
    id: &str,
    event_id: &str,
    lost: bool,
    now: Millis,
) -> Result<()> {
    let rows = execute!(
        tx,
        "update kiosk set revoked_ms = $3, lost = $4, code_hash = null
         where id = $1 and event_id = $2 and revoked_ms is null",
        id,
        event_id,
        now.0,
        lost,
    )?;
    if rows == 0 { Err(Error::NotFound) } else { Ok(()) }
}

/// What a kiosk says of itself: how much it has yet to send, its skew, and the wrong PINs of the last day.
pub(crate) async fn seen(
    tx: &mut Tx,
    id: &str,
    (queue, skew_ms, wrong_pins): (i64, Option<i64>, u32),
    now: Millis,
) -> Result<()> {
    execute!(
        tx,
        "update kiosk set seen_ms = $2, queue = $3, skew_ms = coalesce($4, skew_ms), wrong_pins = $5 where id = $1",
        id,
        now.0,
        queue,
        skew_ms,
        i64::from(wrong_pins),
    )?;
    Ok(())
}

/// The newest revisions that there are: of the event, and of the roster.
pub(super) async fn newest(tx: &mut Tx, event_id: &str) -> Result<(i64, i64)> {
    Ok(fetch!(
        tx,
        fetch_one,
        "select e.revision, r.revision from event_revision e, roster r where e.event_id = $1",
        event_id,
    )?)
}

/// How far the kiosk's copy goes.
pub(crate) async fn fed(tx: &mut Tx, id: &str, revision: i64, now: Millis) -> Result<()> {
    execute!(
        tx,
        "update kiosk set seen_ms = $2, revision_seen = $3 where id = $1",
        id,
        now.0,
        revision
    )?;
    Ok(())
}

/// The journal is kept through `seq`.
pub(crate) async fn advance(
    tx: &mut Tx,
    id: &str,
    from: i64,
    to: i64,
    chain: Chain,
) -> Result<bool> {
    let rows = execute!(
        tx,
        "update kiosk set head_seq = $3, head_chain = $4 where id = $1 and head_seq = $2",
        id,
        from,
        to,
        chain.0.to_vec(),
    )?;
    Ok(rows == 1)
}

/// The journal contradicts itself: from now on the kiosk's records are kept apart.
pub(crate) async fn quarantine(tx: &mut Tx, id: &str, note: &str, now: Millis) -> Result<()> {
    execute!(
        tx,
        "update kiosk set quarantined_ms = coalesce(quarantined_ms, $2), quarantine_note = coalesce(quarantine_note, $3)
         where id = $1",
        id,
        now.0,
        note,
    )?;
    Ok(())
}

/// Keeps an entry as evidence, once.
pub(crate) async fn keep_evidence(
    tx: &mut Tx,
    kiosk_id: &str,
    seq: i64,
    entry: &str,
    now: Millis,
) -> Result<()> {
    execute!(
        tx,
        "insert into quarantine (id, kiosk_id, seq, entry, received_ms)
         select $1, $2, $3, $4, $5
         where not exists (select 1 from quarantine where kiosk_id = $2 and seq = $3 and entry = $4)",
        new_id(now),
        kiosk_id,
        seq,
        entry,
        now.0,
    )?;
    Ok(())
}

/// A card of the roster as a kiosk keeps it.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct Card {
    pub(crate) fingerprint: Vec<u8>,
    pub(crate) person_id: String,
    pub(crate) blocked: bool,
    pub(crate) revision: i64,
}

/// Cards changed after `revision`, in order, at most `limit`. Cards of those who left count as blocked.
pub(crate) async fn cards_after(tx: &mut Tx, revision: i64, limit: i64) -> Result<Vec<Card>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select c.fingerprint, c.person_id, c.revision,
                (c.blocked or coalesce(p.status, '') not in ('active', 'retained')) as blocked
         from card c join person p on p.id = c.person_id
         where c.revision > $1 order by c.revision limit $2",
        revision,
        limit,
    )?)
}

/// Which member's card it is, unless it is blocked or on no roster.
pub(crate) async fn person_of_card(tx: &mut Tx, fingerprint: &[u8]) -> Result<Option<String>> {
    let row: Option<(String,)> = fetch!(
        tx,
        fetch_optional,
        "select c.person_id from card c join person p on p.id = c.person_id
         where c.fingerprint = $1 and not c.blocked and p.status in ('active', 'retained')",
        fingerprint,
    )?;
    Ok(row.map(|(person_id,)| person_id))
}

/// The cards of those fingerprints, by fingerprint: whose they are, and whether they are blocked.
pub(crate) async fn cards(
    tx: &mut Tx,
    fingerprints: &HashSet<&[u8]>,
) -> Result<HashMap<Vec<u8>, Card>> {
    let rows: Vec<Card> = fetch_rows!(
        tx,
        "select c.fingerprint, c.person_id, c.revision,
                (c.blocked or coalesce(p.status, '') not in ('active', 'retained')) as blocked
         from card c join person p on p.id = c.person_id where c.fingerprint in (",
        fingerprints,
        |fingerprint| [*fingerprint],
        ")",
    )?;
    Ok(rows.into_iter().map(|card| (card.fingerprint.clone(), card)).collect())
}
