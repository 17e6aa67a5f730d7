//! Scans go into the books here, and nowhere else. What a ticket's first admission is follows from them.

use std::collections::{BTreeSet, HashMap, HashSet};

use admission::{
    Millis, Verdict,
    decide::{StationKind, Use},
    scan::{Act, Entry, Medium, Scan, Trust},
    ticket::TicketId,
};

use super::conflict;
use crate::{
    db::Tx,
    error::{Error, Result},
    event, execute, execute_rows, fair, fetch, fetch_rows,
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
    pub(super) ticket_id: String,
    pub(super) kiosk_id: Option<String>,
    /// Its place in the kiosk's journal.
    pub(super) seq: Option<i64>,
    /// Only a check has counted it.
    pub(super) provisional: bool,
    pub(super) true_ms: i64,
    station: String,
    pub(super) station_kind: String,
}

impl Counted {
    /// The use.
    pub(super) fn to_use(&self) -> Use {
        let kind = StationKind::from_word(&self.station_kind).unwrap_or(StationKind::Gate);
        Use { at: Millis(self.true_ms), station: self.station.clone(), kind }
    }

    /// The rows of each ticket, in their order.
    pub(super) fn by_ticket(rows: Vec<Self>) -> HashMap<String, Vec<Self>> {
        let mut tickets = HashMap::<String, Vec<Self>>::new();
        for row in rows {
            tickets.entry(row.ticket_id.clone()).or_default().push(row);
        }
        tickets
    }
}

impl Recorded<'_> {
    /// It is about its own ticket and nothing else, so it makes no difference to others what is written first.
    fn is_plain(&self) -> bool {
        let deed = &self.scan.deed;
        deed.walk_in.is_none() && deed.about.is_none()
    }

    /// The ticket that it let in, should that not be in the books.
    fn stray(&self) -> Option<String> {
        let is_given = self.scan.deed.walk_in.is_some();
        let let_in = self.scan.verdict.is_admitted() && self.kind() != "undo" && !is_given;
        self.scan.ticket.filter(|_| let_in).map(|ticket| ticket.to_string())
    }

    fn seq(&self) -> Result<i64> {
        Ok(i64::try_from(self.scan.seq).map_err(anyhow::Error::from)?)
    }

    fn kind(&self) -> &'static str {
        match self.scan.deed.act {
            Act::Scan | Act::WalkIn => "scan",
            Act::Hand | Act::Override => "hand",
            Act::Undo | Act::Consent => "undo",
        }
    }

    /// Nothing happens after it is heard of, whatever a kiosk's clock says.
    fn true_ms(&self) -> i64 {
        self.scan.true_at().0.clamp(0, self.received.0)
    }
}

/// Writes scans of a kiosk's journal, in their order. Each takes the place of what a check counted provisionally under
/// the same id: the kiosk's own verdict is final. The event's counter is held.
pub(crate) async fn scans(tx: &mut Tx, kiosk: &Kiosk, recorded: &[Recorded<'_>]) -> Result<()> {
    for run in recorded.chunk_by(|one, next| one.is_plain() && next.is_plain()) {
        write(tx, kiosk, run).await?;
    }
    if !recorded.is_empty() {
        tx.notify(&kiosk.event_id).await?;
    }
    Ok(())
}

/// Writes one scan, or several plain ones together.
async fn write(tx: &mut Tx, kiosk: &Kiosk, run: &[Recorded<'_>]) -> Result<()> {
    let tickets = tickets_of(tx, kiosk, run).await?;
    let places = run.iter().map(|recorded| Ok((kiosk.id.as_str(), recorded.seq()?)));
    let places: Vec<(&str, i64)> = places.collect::<Result<_>>()?;
    let mut counted = take_provisional(tx, &places).await?;
    let mut rows = Vec::with_capacity(run.len());
    let mut changed = BTreeSet::new();
    for ((recorded, ticket), (_, seq)) in run.iter().zip(&tickets).zip(&places) {
        let (before, undone_ms) = counted
            .remove(&(kiosk.id.clone(), *seq))
            .map_or((None, None), |before| (before.ticket_id, before.undone_ms));
        // What staff took back between the check and now stays taken back.
        let undone_ms = undone_ms.filter(|_| before == *ticket);
        rows.push((recorded, *seq, ticket, undone_ms));
        changed.extend(before);
        changed.extend(ticket.clone());
    }
    execute_rows!(
        tx,
        "insert into scan (id, event_id, kiosk_id, seq, entry, kind, station_kind, station, medium, ticket_id, verdict,
                           reason, trust, at_ms, true_ms, error_ms, received_ms, undone_ms, act, operator, against, note,
                           stray) ",
        &rows,
        |(recorded, seq, ticket, undone_ms)| [
            format!("{}-{seq}", kiosk.id),
            &kiosk.event_id,
            &kiosk.id,
            *seq,
            &recorded.entry.0,
            recorded.kind(),
            recorded.scan.station_kind.word(),
            &recorded.scan.station,
            recorded.scan.medium.word(),
            ticket.as_deref(),
            recorded.scan.verdict.word(),
            reason(recorded),
            recorded.scan.trust.word(),
            recorded.scan.at.0,
            recorded.true_ms(),
            recorded.scan.skew.map_or(0, |skew| skew.error_ms),
            recorded.received.0,
            *undone_ms,
            recorded.scan.deed.act.word(),
            recorded.scan.deed.operator.as_deref(),
            recorded.scan.deed.against.map(admission::Reason::word),
            recorded.scan.deed.why.as_deref(),
            recorded.stray().filter(|_| ticket.is_none()),
        ],
    )?;
    let mut amended = Vec::new();
    for recorded in run {
        amended.extend(amend(tx, kiosk, recorded).await?);
    }
    changed.extend(amended.iter().cloned());
    let changed: Vec<&str> = changed.iter().map(String::as_str).collect();
    recount(tx, &kiosk.event_id, &changed).await?;
    let weighed: BTreeSet<&str> =
        tickets.iter().flatten().chain(&amended).map(String::as_str).collect();
    let weighed: Vec<&str> = weighed.into_iter().collect();
    let received = run.last().map_or(Millis(0), |recorded| recorded.received);
    conflict::weigh(tx, &kiosk.event_id, &weighed, received).await
}

/// Why it was refused; what only tells of another entry was not.
fn reason(recorded: &Recorded<'_>) -> Option<&'static str> {
    recorded
        .scan
        .verdict
        .reason()
        .filter(|_| recorded.kind() != "undo")
        .map(admission::Reason::word)
}

/// The id of each scan's ticket, when it is a ticket of this event that exists. A code can be valid for another event.
async fn tickets_of(
    tx: &mut Tx,
    kiosk: &Kiosk,
    run: &[Recorded<'_>],
) -> Result<Vec<Option<String>>> {
    if let [recorded] = run
        && let Some(walk_in) = &recorded.scan.deed.walk_in
        && recorded.scan.verdict.is_admitted()
    {
        let given = kiosk::allotment::give(tx, kiosk, recorded, walk_in).await?;
        if let (Some(told), Some(ticket)) = (recorded.scan.ticket, &given) {
            adopt(tx, &kiosk.event_id, told, ticket).await?;
        }
        return Ok(vec![given]);
    }
    let ids = run.iter().map(|recorded| recorded.scan.ticket.map(|id| id.to_string()));
    let ids: Vec<Option<String>> = ids.collect();
    let known: Vec<(String, String)> = fetch_rows!(
        tx,
        "select id, event_id from ticket where id in (",
        ids.iter().flatten(),
        |id| [id],
        ")",
    )?;
    let known: HashSet<String> = (known.into_iter())
        .filter(|(_, event_id)| *event_id == kiosk.event_id)
        .map(|(id, _)| id)
        .collect();
    let unknown = ids.iter().flatten().filter(|id| !known.contains(*id)).collect();
    let given = given_as(tx, &kiosk.event_id, unknown).await?;
    let counts_for = |id: String| match known.contains(&id) {
        true => Some(id),
        false => given.get(&id).cloned(),
    };
    Ok(ids.into_iter().map(|id| id.and_then(counts_for)).collect())
}

/// What doors told of each of these tickets, which are not in the books, in order of true time.
pub(super) async fn of_strays(
    tx: &mut Tx,
    event_id: &str,
    tickets: &HashSet<String>,
) -> Result<HashMap<String, Vec<Counted>>> {
    let rows = fetch_rows!(
        tx,
        "select stray as ticket_id, kiosk_id, seq, provisional, true_ms, station, station_kind from scan
         where ticket_id is null and undone_ms is null and (event_id, stray) in (",
        tickets,
        |ticket| [event_id, ticket.as_str()],
        ") order by true_ms, id",
    )?;
    Ok(Counted::by_ticket(rows))
}

/// Scans of the ticket that a gate gave to a walk-in may arrive before the gate's own word: they count for `ticket` from now
/// on, which is that one or the one that the person had.
async fn adopt(tx: &mut Tx, event_id: &str, told: TicketId, ticket: &str) -> Result<()> {
    execute!(
        tx,
        "update scan set ticket_id = $3 where event_id = $1 and ticket_id is null and entry like $2",
        event_id,
        format!("%\"{told}\"%"),
        ticket,
    )?;
    Ok(())
}

/// The tickets for which those count that gates gave to people who turned out to have another; without those that no gate
/// gave.
async fn given_as(
    tx: &mut Tx,
    event_id: &str,
    told: Vec<&String>,
) -> Result<HashMap<String, String>> {
    let mut given: Vec<(String, String)> = fetch_rows!(
        tx,
        "select v.column1, s.ticket_id from (",
        told,
        |id| [id, event_id],
        ") v join scan s on s.event_id = v.column2 and s.entry like '%\"' || v.column1 || '\"%'
         where s.act = 'walk_in' and s.ticket_id is not null order by s.id",
    )?;
    // The first of them counts: the last one that is put in.
    given.reverse();
    Ok(given.into_iter().collect())
}

/// A scan at a venue's counter that staff made on a phone, which named it.
#[derive(Debug)]
pub(crate) struct ByPhone<'a> {
    /// The phone's name for it, among all phones.
    pub(crate) id: &'a str,
    pub(crate) event_id: &'a str,
    pub(crate) ticket_id: &'a str,
    pub(crate) staff_id: &'a str,
    pub(crate) station: &'a str,
    pub(crate) medium: Medium,
    pub(crate) verdict: &'a Verdict,
    /// What staff saw to.
    pub(crate) note: Option<&'a str>,
    pub(crate) trust: Trust,
    /// The phone's clock.
    pub(crate) at: Millis,
    pub(crate) true_at: Millis,
    pub(crate) received: Millis,
}

/// A scan by phone that is in the books.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Before {
    pub(crate) admitted: bool,
    pub(crate) undone: bool,
    /// When it happened.
    pub(crate) at: Millis,
}

/// The scan of that id, when it was recorded before.
pub(crate) async fn by_phone_before(tx: &mut Tx, id: &str) -> Result<Option<Before>> {
    let row: Option<(String, Option<i64>, i64)> = fetch!(
        tx,
        fetch_optional,
        "select verdict, undone_ms, true_ms from scan where id = $1",
        id
    )?;
    Ok(row.map(|(verdict, undone_ms, at)| Before {
        admitted: verdict == "admitted",
        undone: undone_ms.is_some(),
        at: Millis(at),
    }))
}

/// Writes a scan by phone; the event's counter is held, and the id was not there before.
pub(crate) async fn by_phone(tx: &mut Tx, scan: &ByPhone<'_>) -> Result<()> {
    execute!(
        tx,
        "insert into scan (id, event_id, staff_id, kind, station_kind, station, medium, ticket_id, verdict, reason, trust,
                           at_ms, true_ms, received_ms, note)
         values ($1, $2, $3, 'scan', 'counter', $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        scan.id,
        scan.event_id,
        scan.staff_id,
        scan.station,
        scan.medium.word(),
        scan.ticket_id,
        scan.verdict.word(),
        scan.verdict.reason().map(admission::Reason::word),
        scan.trust.word(),
        scan.at.0,
        scan.true_at.0,
        scan.received.0,
        scan.note,
    )?;
    recount(tx, scan.event_id, &[scan.ticket_id]).await?;
    conflict::weigh(tx, scan.event_id, &[scan.ticket_id], scan.received).await?;
    tx.notify(scan.event_id).await?;
    Ok(())
}

/// Takes one admission back; the scan stays, marked, and who did it and why is an entry of its own. Once: a second time
/// changes nothing. The event's counter is held.
pub(crate) async fn take_back(
    tx: &mut Tx,
    scan_id: &str,
    (staff_id, reason): (&str, &str),
    now: Millis,
) -> Result<()> {
    let row: Option<(String, Option<String>)> = fetch!(
        tx,
        fetch_optional,
        "update scan set undone_ms = $2 where id = $1 and verdict = 'admitted' and undone_ms is null
         returning event_id, ticket_id",
        scan_id,
        now.0,
    )?;
    let Some((event_id, Some(ticket_id))) = row else { return Ok(()) };
    execute!(
        tx,
        "insert into scan (id, event_id, staff_id, kind, act, station_kind, station, medium, ticket_id, verdict, trust,
                           at_ms, true_ms, received_ms, note)
         select $2, event_id, $3, 'undo', 'undo', station_kind, station, 'other', ticket_id, 'attention', 'live',
                $4, $4, $4, $5
         from scan where id = $1",
        scan_id,
        format!("{scan_id}.undo"),
        staff_id,
        now.0,
        reason,
    )?;
    recount(tx, &event_id, &[ticket_id.as_str()]).await?;
    conflict::weigh(tx, &event_id, &[ticket_id.as_str()], now).await?;
    tx.notify(&event_id).await?;
    Ok(())
}

/// What an entry says about an earlier one of the same journal. Gives the ticket for which an admission counted that it takes
/// back: for a walk-in who had a ticket by then, another than the door knew.
async fn amend(tx: &mut Tx, kiosk: &Kiosk, recorded: &Recorded<'_>) -> Result<Option<String>> {
    let (kiosk_id, scan, true_ms) = (&kiosk.id, recorded.scan, recorded.true_ms());
    let Some(about) = scan.deed.about.and_then(|about| i64::try_from(about).ok()) else {
        return Ok(None);
    };
    match scan.deed.act {
        Act::Undo => {
            let row: Option<(Option<String>,)> = fetch!(
                tx,
                fetch_optional,
                "update scan set undone_ms = coalesce(undone_ms, $3) where kiosk_id = $1 and seq = $2 returning ticket_id",
                kiosk_id,
                about,
                true_ms,
            )?;
            return Ok(row.and_then(|(ticket,)| ticket));
        }
        Act::Consent => {
            if let (StationKind::Booth, Some(ticket), Some(granted)) =
                (scan.station_kind, scan.ticket, scan.deed.consent)
            {
                let times = (Millis(true_ms), recorded.received);
                let ticket = ticket.to_string();
                let stand = (kiosk.event_id.as_str(), scan.station.as_str(), ticket.as_str());
                let entry = (kiosk_id.as_str(), recorded.seq()?);
                fair::consent::at_kiosk(tx, entry, stand, granted, times).await?;
            }
            execute!(
                tx,
                "update scan set consent = $3 where kiosk_id = $1 and seq = $2",
                kiosk_id,
                about,
                scan.deed.consent,
            )?;
        }
        _ => {}
    }
    Ok(None)
}

/// What a check counted under a place of a kiosk's journal.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Provisional {
    kiosk_id: String,
    seq: i64,
    pub(super) ticket_id: Option<String>,
    /// When staff took it back.
    undone_ms: Option<i64>,
}

/// Removes what checks counted under those places, if anything; gives it by kiosk and place.
pub(super) async fn take_provisional(
    tx: &mut Tx,
    places: &[(&str, i64)],
) -> Result<HashMap<(String, i64), Provisional>> {
    let removed: Vec<Provisional> = fetch_rows!(
        tx,
        "delete from scan where provisional and (kiosk_id, seq) in (",
        places,
        |(kiosk_id, seq)| [*kiosk_id, *seq],
        ") returning kiosk_id, seq, ticket_id, undone_ms",
    )?;
    Ok(removed.into_iter().map(|row| ((row.kiosk_id.clone(), row.seq), row)).collect())
}

/// What checks count of a kiosk and its journal does not say yet, by ticket.
pub(crate) async fn believed_of(tx: &mut Tx, kiosk: &Kiosk) -> Result<HashMap<String, Vec<Use>>> {
    let rows: Vec<Counted> = fetch!(
        tx,
        fetch_all,
        "select ticket_id, kiosk_id, seq, provisional, true_ms, station, station_kind from scan
         where kiosk_id = $1 and seq > $2 and provisional and verdict = 'admitted' and ticket_id is not null",
        &kiosk.id,
        kiosk.head_seq,
    )?;
    let uses = |rows: Vec<Counted>| rows.iter().map(Counted::to_use).collect();
    Ok(Counted::by_ticket(rows).into_iter().map(|(ticket, rows)| (ticket, uses(rows))).collect())
}

/// The journal lines that are kept under places from the first through the last.
pub(crate) async fn entries(
    tx: &mut Tx,
    kiosk_id: &str,
    first: i64,
    last: i64,
) -> Result<HashMap<i64, String>> {
    let rows: Vec<(i64, Option<String>)> = fetch!(
        tx,
        fetch_all,
        "select seq, entry from scan where kiosk_id = $1 and seq >= $2 and seq <= $3 and not provisional",
        kiosk_id,
        first,
        last,
    )?;
    Ok(rows.into_iter().filter_map(|(seq, entry)| Some((seq, entry?))).collect())
}

/// Takes back what checks counted and the door never did: provisional rows above the end that the journal had when the kiosk
/// spoke, older than `before`.
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
    let tickets: BTreeSet<&str> = dropped.iter().filter_map(|(id,)| id.as_deref()).collect();
    recount(tx, &kiosk.event_id, &tickets.into_iter().collect::<Vec<_>>()).await?;
    if !dropped.is_empty() {
        tx.notify(&kiosk.event_id).await?;
    }
    Ok(())
}

/// What the scans of a ticket come to.
#[derive(Debug, PartialEq, Eq, sqlx::FromRow)]
struct Sum {
    id: String,
    used_ms: Option<i64>,
    used_station: Option<String>,
    history: Option<String>,
}

impl Sum {
    fn of(id: String, uses: &[Use]) -> Result<Self> {
        // Somebody at a stand, or on the way out, was let in by a door that has not spoken yet.
        let counts = |kind| {
            matches!(kind, StationKind::Gate | StationKind::Counter | StationKind::Checkpoint)
        };
        let first = uses.iter().find(|used| counts(used.kind));
        let history = serde_json::to_string(uses).map_err(anyhow::Error::from)?;
        Ok(Self {
            id,
            used_ms: first.map(|used| used.at.0),
            used_station: first.map(|used| used.station.clone()),
            history: Some(history).filter(|_| !uses.is_empty()),
        })
    }
}

/// Computes uses and first admission of each of these different tickets from its scans; the event's counter is held
/// already. Each ticket of which they changed takes a revision, so that the kiosks hear of it.
pub(crate) async fn recount(tx: &mut Tx, event_id: &str, tickets: &[&str]) -> Result<()> {
    let counted = Counted::by_ticket(counted(tx, tickets.iter().copied()).await?);
    let before: Vec<Sum> = fetch_rows!(
        tx,
        "select id, used_ms, used_station, history from ticket where id in (",
        tickets,
        |id| [*id],
        ")",
    )?;
    if before.len() < tickets.len() {
        return Err(Error::NotFound);
    }
    let mut changed = Vec::new();
    for before in before {
        let rows = counted.get(&before.id).map_or(&[][..], Vec::as_slice);
        let uses: Vec<Use> = rows.iter().map(Counted::to_use).collect();
        let sum = Sum::of(before.id.clone(), &uses)?;
        if sum != before {
            changed.push(sum);
        }
    }
    write_sums(tx, event_id, &changed).await
}

/// Writes what each of these different tickets was used for, the first use first. It is more than before, and the caller
/// knows it from the scans; the event's counter is held.
pub(super) async fn used(
    tx: &mut Tx,
    event_id: &str,
    tickets: Vec<(&str, Vec<Use>)>,
) -> Result<()> {
    let sums = tickets.into_iter().map(|(id, uses)| Sum::of(id.to_owned(), &uses));
    write_sums(tx, event_id, &sums.collect::<Result<Vec<_>>>()?).await
}

async fn write_sums(tx: &mut Tx, event_id: &str, changed: &[Sum]) -> Result<()> {
    if changed.is_empty() {
        return Ok(());
    }
    let count = i64::try_from(changed.len()).unwrap_or(i64::MAX);
    let first = event::queries::next_revisions(tx, event_id, count).await?;
    execute_rows!(
        tx,
        "with v (id, used_ms, used_station, history, revision) as (",
        changed.iter().zip(first..),
        |(sum, revision)| [
            &sum.id,
            sum.used_ms,
            &sum.used_station,
            &sum.history,
            revision,
        ],
        ") update ticket set used_ms = v.used_ms, used_station = v.used_station, history = v.history,
                             revision = v.revision from v where ticket.id = v.id",
    )?;
    Ok(())
}

/// The uses of these tickets that count, the first ones first.
pub(super) async fn counted<'a>(
    tx: &mut Tx,
    tickets: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<Counted>> {
    Ok(fetch_rows!(
        tx,
        "select ticket_id, kiosk_id, seq, provisional, true_ms, station, station_kind from scan
         where verdict = 'admitted' and undone_ms is null and ticket_id in (",
        tickets,
        |id| [id],
        ") order by true_ms, id",
    )?)
}
