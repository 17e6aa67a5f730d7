//! A kiosk's journal arrives: in batches, late, twice, out of order, and sometimes in contradiction with itself.

use std::collections::HashMap;

use admission::{
    Millis,
    scan::{Chain, Entry, Scan},
    sync::{Corrected, Receipt, UPLOAD_MAX, Upload},
    time::{DAY, SECOND},
};
use axum::http::StatusCode;

use super::{Kiosk, queries};
use crate::{
    checkin::{self, record::Recorded},
    db::Tx,
    error::{Error, Refused, Result},
    event,
};

/// A provisional admission never happened when the kiosk, this long after it was asked for, heard the server again and still
/// had nothing of it in its journal. (What it sent before it asked may arrive at any time after, and says nothing of it.)
const UNCONFIRMED_MS: i64 = 10 * SECOND;
/// A clock that is more than a century wrong is shown as a century wrong.
const SKEW_MAX_MS: i64 = 100 * 366 * DAY;

/// What an upload led to: "have all through m", or a quarantine that was written down.
pub(super) type Outcome = std::result::Result<Receipt, Refused>;

/// Refuses what no kiosk sends, before it is work for the ledger.
///
/// # Errors
/// [`Error::Invalid`] when there are too many entries, or their numbers end beyond what can be counted.
pub(super) fn check(upload: &Upload) -> Result<()> {
    if upload.entries.len() > UPLOAD_MAX {
        return Err(Error::invalid(
            "entries",
            "一次上传的记录太多。",
            "Too many entries in one upload.",
        ));
    }
    signed(upload.from_seq.saturating_add(UPLOAD_MAX as u64))?;
    signed(upload.head_seq).map(drop)
}

/// Takes an upload into the books; gives the event it is about, and whether somebody tries PINs or does no longer. Sending
/// again changes nothing.
pub(super) async fn receive(
    tx: &mut Tx,
    kiosk_id: &str,
    upload: &Upload,
    key_id: u8,
    now: Millis,
) -> Result<(String, Outcome, bool)> {
    let event_id = queries::kiosk(tx, kiosk_id).await?.event_id;
    event::queries::hold(tx, &event_id).await?;
    let kiosk = queries::kiosk(tx, kiosk_id).await?;
    let Journal { new, late, contradiction } = sort(tx, &kiosk, upload).await?;
    if let Some(note) = contradiction {
        for (seq, entry) in (upload.from_seq..).zip(&upload.entries) {
            let entry = entry.0.replace('\0', "\u{FFFD}");
            queries::keep_evidence(tx, kiosk_id, signed(seq)?, &entry, now).await?;
        }
        queries::quarantine(tx, kiosk_id, note, now).await?;
        return Ok((kiosk.event_id, Err(quarantined()), false));
    }
    let mut chain = head_chain(&kiosk)?;
    let mut through = kiosk.head_seq;
    if late {
        // What it says of the kiosk is over.
        return Ok((kiosk.event_id, Ok(receipt(through, chain, now)?), false));
    }
    for (entry, scan) in &new {
        chain = chain.after(scan.seq, entry);
        through = signed(scan.seq)?;
    }
    let recorded = new.iter().map(|(entry, scan)| Recorded { entry, scan, received: now, key_id });
    checkin::record::scans(tx, &kiosk, &recorded.collect::<Vec<_>>()).await?;
    if through > kiosk.head_seq
        && !queries::advance(tx, kiosk_id, kiosk.head_seq, through, chain).await?
    {
        // Another process took the same upload at the same moment; this one is rolled back and tried again.
        return Err(Error::Busy);
    }
    let before = match upload.heard {
        _ if upload.ends => Some(Millis(i64::MAX)),
        heard => heard.map(|heard| heard.min(now).plus(-UNCONFIRMED_MS)),
    };
    if let Some(before) = before {
        checkin::record::drop_unconfirmed(tx, &kiosk, signed(upload.head_seq)?, before).await?;
    }
    let queue = (signed(upload.head_seq)? - through).max(0);
    let skew_ms = upload.skew_ms.map(|skew_ms| skew_ms.clamp(-SKEW_MAX_MS, SKEW_MAX_MS));
    queries::seen(tx, kiosk_id, (queue, skew_ms, upload.wrong_pins), now).await?;
    let tried = i64::from(upload.wrong_pins) != kiosk.wrong_pins;
    if tried {
        tx.notify(&kiosk.event_id).await?;
    }
    Ok((kiosk.event_id, Ok(receipt(through, chain, now)?), tried))
}

fn receipt(through: i64, chain: Chain, now: Millis) -> Result<Receipt> {
    let have_through = u64::try_from(through).map_err(anyhow::Error::from)?;
    Ok(Receipt { have_through, chain, server_now: now })
}

struct Journal<'a> {
    /// Entries that continue what is kept.
    new: Vec<(&'a Entry, Scan)>,
    /// It was sent when the journal was shorter than what is kept, and arrives late or once more. From a restored disk it
    /// looks the same; that kiosk knows by the answer, and forks as soon as it writes.
    late: bool,
    /// What contradicts what is kept.
    contradiction: Option<&'static str>,
}

/// Parts an upload into what is kept already, what is new, and what cannot be.
async fn sort<'a>(tx: &mut Tx, kiosk: &Kiosk, upload: &'a Upload) -> Result<Journal<'a>> {
    let contradicts =
        |note| Ok(Journal { new: Vec::new(), late: false, contradiction: Some(note) });
    if kiosk.quarantined_ms.is_some() {
        return contradicts("quarantined before");
    }
    let head = u64::try_from(kiosk.head_seq).map_err(anyhow::Error::from)?;
    let numbered = (upload.from_seq..).zip(&upload.entries);
    let after = upload.from_seq.saturating_add(upload.entries.len() as u64);
    let last_known = head.min(after.saturating_sub(1));
    let kept = match upload.from_seq {
        from if from <= last_known => {
            checkin::record::entries(tx, &kiosk.id, signed(from)?, signed(last_known)?).await?
        }
        _ => HashMap::new(),
    };
    let mut new = Vec::new();
    let mut chain = upload.before;
    for (seq, entry) in numbered {
        if seq == head + 1 && chain != head_chain(kiosk)? {
            return contradicts("the chain does not continue what was uploaded before: a fork");
        }
        if seq <= head {
            if kept.get(&signed(seq)?) != Some(&entry.0) {
                return contradicts(
                    "another entry was uploaded before under the same number: a cloned disk",
                );
            }
        } else if seq == head + 1 + new.len() as u64 {
            match entry.scan() {
                Ok(scan) if scan.seq == seq => {
                    let skew = Corrected::of(&upload.corrected, seq, scan.skew);
                    new.push((entry, keepable(Scan { skew, ..scan })));
                }
                _ => return contradicts("an entry is not the scan of its place"),
            }
        }
        chain = chain.after(seq, entry);
    }
    if after == head + 1 && chain != head_chain(kiosk)? {
        return contradicts("the chain is not that of what was uploaded before: a fork");
    }
    let late = new.is_empty() && upload.head_seq < head;
    Ok(Journal { new, late, contradiction: None })
}

/// The scan without what PostgreSQL keeps in no text: one entry that is never taken would hold up all behind it for ever.
/// (The entry itself is kept as it is; in JSON that character has another form.)
fn keepable(mut scan: Scan) -> Scan {
    let deed = &mut scan.deed;
    let person = deed.walk_in.as_mut().map(|walk_in| &mut walk_in.person);
    let texts = [Some(&mut scan.station), deed.why.as_mut(), deed.operator.as_mut(), person];
    texts.into_iter().flatten().for_each(|text| text.retain(|c| c != '\0'));
    scan
}

fn head_chain(kiosk: &Kiosk) -> Result<Chain> {
    match &kiosk.head_chain {
        None => Ok(Chain::start(&kiosk.id)),
        Some(bytes) => {
            let bytes =
                bytes.as_slice().try_into().map_err(|_| anyhow::anyhow!("a chain has 32 bytes"))?;
            Ok(Chain(bytes))
        }
    }
}

fn signed(seq: u64) -> Result<i64> {
    i64::try_from(seq)
        .map_err(|_| Error::invalid("seq", "记录编号过大。", "A number is too large."))
}

/// The answer to a kiosk that is no longer believed.
pub(super) fn quarantined() -> Refused {
    Refused::new(
        StatusCode::CONFLICT,
        "kiosk_quarantined",
        "此终端的记录前后矛盾，已隔离保存。请联系主办方核对，并重新登记终端。",
        "This kiosk's journal contradicts itself; its records are kept apart. Please ask the organizer and enrol again.",
    )
}
