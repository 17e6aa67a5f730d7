//! Proof that the books are right: nothing here is believed because it was written.

use admission::scan::{Chain, Entry};

use crate::{
    db::{Conn, Db, Tx},
    fetch,
};

/// Something that should not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What is wrong, in words.
    pub what: &'static str,
    /// Ids of what it is wrong with.
    pub ids: Vec<String>,
}

/// Questions whose right answer is no row. Each gives ids.
const QUESTIONS: [(&str, &str); 12] = [
    (
        "the places taken of an offer are not those of its confirmed and held bookings and of what kiosks hold for walk-ins",
        "select o.id from offer o
         where o.taken <> (select coalesce(sum(b.places), 0) from booking b
                           where b.offer_id = o.id and b.status in ('confirmed', 'held'))
                       + (select coalesce(sum(a.places - a.used), 0) from allotment a where a.offer_id = o.id)",
    ),
    (
        "a confirmed booking has not one living ticket for each place",
        "select b.id from booking b where b.status = 'confirmed'
           and b.places <> (select count(*) from ticket t where t.booking_id = b.id and t.state <> 'cancelled')",
    ),
    (
        "the bookings that wait for an offer are not as many as it says",
        "select o.id from offer o
         where o.waiting <> (select count(*) from booking b where b.offer_id = o.id and b.status = 'waiting')",
    ),
    (
        "a booking that is over has a living ticket",
        "select b.id from booking b where b.status in ('drawn_out', 'declined', 'lapsed', 'cancelled')
           and exists (select 1 from ticket t where t.booking_id = b.id and t.state <> 'cancelled')",
    ),
    (
        "a ticket's first admission is not that of its scans",
        "select t.id from ticket t
         where coalesce(t.used_ms, -1) <> (select coalesce(min(s.true_ms), -1) from scan s
                                           where s.ticket_id = t.id and s.verdict = 'admitted' and s.undone_ms is null
                                             and s.station_kind in ('gate', 'counter', 'checkpoint'))",
    ),
    (
        "the places a union gave are not those of its bookings",
        "select a.offer_id || ' ' || a.union_id from allocation a
         where a.taken <> (select coalesce(sum(b.places), 0) from booking b
                           where b.offer_id = a.offer_id and b.union_id = a.union_id
                             and b.status in ('confirmed', 'held'))",
    ),
    (
        "more places are divided among unions than there are",
        "select o.id from offer o where o.mode = 'allocation'
           and o.quota < (select coalesce(sum(a.places), 0) from allocation a where a.offer_id = o.id)",
    ),
    (
        "a no-show is not of its booking's person and event",
        "select n.booking_id from no_show n join booking b on b.id = n.booking_id
         where n.person_id <> b.person_id or n.event_id <> b.event_id",
    ),
    (
        "a booking is not of its offer's event",
        "select b.id from booking b join offer o on o.id = b.offer_id where b.event_id <> o.event_id",
    ),
    (
        "a ticket is not of its booking's event, offer and person",
        "select t.id from ticket t join booking b on b.id = t.booking_id
         where t.event_id <> b.event_id or t.offer_id <> b.offer_id or t.person_id <> b.person_id",
    ),
    (
        "a scan is not of its kiosk's and its ticket's event, or of none that there is",
        "select s.id from scan s left join kiosk k on k.id = s.kiosk_id left join ticket t on t.id = s.ticket_id
         left join event e on e.id = s.event_id
         where e.id is null or s.event_id <> k.event_id or s.event_id <> t.event_id",
    ),
    (
        "a ticket is newer than its event's counter",
        "select t.id from ticket t join event_revision r on r.event_id = t.event_id where t.revision > r.revision",
    ),
];

/// What is wrong with the books; nothing, it is hoped.
///
/// # Errors
/// When the database cannot be read.
pub async fn verify(db: &Db) -> anyhow::Result<Vec<Finding>> {
    file(db).await?;
    let mut tx = db.snapshot().await?;
    let mut findings = Vec::new();
    for (what, question) in QUESTIONS {
        let ids: Vec<(String,)> = fetch!(tx, fetch_all, question)?;
        if !ids.is_empty() {
            findings.push(Finding { what, ids: ids.into_iter().map(|(id,)| id).collect() });
        }
    }
    findings.extend(broken_chains(&mut tx).await?);
    tx.rollback().await?;
    Ok(findings)
}

/// Checks the SQLite file itself: its pages, its references. PostgreSQL does that by itself.
pub(super) async fn file(db: &Db) -> anyhow::Result<()> {
    let mut tx = db.read().await?;
    if let Conn::Sqlite(conn) = tx.conn() {
        let (found,): (String,) =
            sqlx::query_as("pragma integrity_check").fetch_one(&mut **conn).await?;
        anyhow::ensure!(found == "ok", "the database file is damaged: {found}");
        let dangling = sqlx::query("pragma foreign_key_check").fetch_all(&mut **conn).await?;
        anyhow::ensure!(
            dangling.is_empty(),
            "{} rows refer to rows that are not there",
            dangling.len()
        );
    }
    Ok(())
}

/// Kiosks whose kept journal is not bound by the chain that was acknowledged.
async fn broken_chains(tx: &mut Tx) -> anyhow::Result<Option<Finding>> {
    let kiosks: Vec<(String, i64, Option<Vec<u8>>)> =
        fetch!(tx, fetch_all, "select id, head_seq, head_chain from kiosk order by id")?;
    let mut ids = Vec::new();
    for (id, head_seq, head_chain) in kiosks {
        let entries: Vec<(i64, Option<String>)> = fetch!(
            tx,
            fetch_all,
            "select seq, entry from scan where kiosk_id = $1 and not provisional order by seq",
            &id,
        )?;
        let contiguous = entries.iter().zip(1..).all(|((seq, _), at)| *seq == at);
        let complete = i64::try_from(entries.len())? == head_seq;
        let chain =
            entries.into_iter().zip(1..).fold(Chain::start(&id), |chain, ((_, entry), seq)| {
                chain.after(seq, &Entry(entry.unwrap_or_default()))
            });
        let bound = head_chain.is_none_or(|head| head == chain.0);
        if !(contiguous && complete && bound) {
            ids.push(id);
        }
    }
    Ok((!ids.is_empty())
        .then_some(Finding { what: "a kiosk's journal is not the one that was acknowledged", ids }))
}
