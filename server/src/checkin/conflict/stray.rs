//! Tickets that doors let in by their signature and that are not in the books: they were restored from a backup that is older.
//! A person looks at each, and says what became of it.

use admission::Millis;

use super::queries::Admission;
use crate::{
    App, audit,
    db::Tx,
    error::{Error, Result},
    event, execute, fetch,
    web::access::Staff,
};

/// What a person made of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// Its holder was booked anew.
    Entered,
    /// Nobody knows whose it was; it stays as the doors have it.
    Accepted,
    /// A scan that should not be. What the doors did is taken back.
    Error,
}

impl Finding {
    /// Every finding, as the page offers them.
    pub(super) const ALL: [Self; 3] = [Self::Entered, Self::Accepted, Self::Error];

    /// The word in SQL and forms.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Entered => "entered",
            Self::Accepted => "accepted",
            Self::Error => "error",
        }
    }

    /// The finding of that word.
    pub(super) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|finding| finding.word() == word)
    }
}

/// One that somebody has judged.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Judged {
    pub(super) ticket: String,
    pub(super) verdict: String,
    #[sqlx(try_from = "i64")]
    pub(super) settled_ms: Millis,
    pub(super) settled_by: String,
    pub(super) note: String,
}

/// How many nobody has judged, as often as doors let them in.
pub(in crate::checkin) async fn open(tx: &mut Tx, event_id: &str) -> Result<i64> {
    let (open,): (i64,) = fetch!(
        tx,
        fetch_one,
        "select count(*) from (
           select s.stray from scan s left join stray j on j.event_id = s.event_id and j.ticket = s.stray
           where s.event_id = $1 and s.stray is not null and s.ticket_id is null and s.undone_ms is null
           group by s.stray having count(*) > coalesce(max(j.admissions), 0)) as open",
        event_id,
    )?;
    Ok(open)
}

/// The admissions of those that nobody has judged, each ticket's together, the first one first.
pub(super) async fn admissions(tx: &mut Tx, event_id: &str) -> Result<Vec<Admission>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select s.id, s.stray as ticket_id, s.station, s.station_kind, s.true_ms, s.error_ms, s.trust, k.name as kiosk,
                s.operator
         from scan s left join kiosk k on k.id = s.kiosk_id
         where s.event_id = $1 and s.stray is not null and s.ticket_id is null and s.undone_ms is null
           and (select count(*) from scan o
                where o.event_id = s.event_id and o.stray = s.stray and o.ticket_id is null and o.undone_ms is null)
               > coalesce((select j.admissions from stray j where j.event_id = s.event_id and j.ticket = s.stray), 0)
         order by s.stray, s.true_ms, s.id",
        event_id,
    )?)
}

/// Those that somebody has judged, the latest first; without those that doors let in once more since.
pub(super) async fn judged(tx: &mut Tx, event_id: &str) -> Result<Vec<Judged>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select j.ticket, j.verdict, j.settled_ms, f.name as settled_by, j.note from stray j join staff f on f.id = j.staff_id
         where j.event_id = $1
           and j.admissions >= (select count(*) from scan o
                                where o.event_id = j.event_id and o.stray = j.ticket and o.ticket_id is null
                                  and o.undone_ms is null)
         order by j.settled_ms desc, j.ticket",
        event_id,
    )?)
}

/// Writes down what `staff` made of a ticket that is not in the books.
///
/// # Errors
/// [`Error::NotFound`] when no door of this event let such a ticket in.
pub(super) async fn settle(
    app: &App,
    staff: &Staff,
    (event_id, ticket): (&str, &str),
    (finding, note): (Finding, &str),
) -> Result<()> {
    let now = app.clock.now();
    let asked = (staff.clone(), event_id.to_owned(), ticket.to_owned(), note.trim().to_owned());
    let found = app
        .ledger
        .write(move |tx| {
            let asked = asked.clone();
            Box::pin(async move {
                let (staff, event, ticket, note) = &asked;
                write(tx, staff, (event.as_str(), ticket.as_str()), (finding, note.as_str()), now)
                    .await
            })
        })
        .await?;
    if !found {
        return Err(Error::NotFound);
    }
    app.live.changed(event_id);
    Ok(())
}

async fn write(
    tx: &mut Tx,
    staff: &Staff,
    (event_id, ticket): (&str, &str),
    (finding, note): (Finding, &str),
    now: Millis,
) -> Result<bool> {
    event::queries::hold(tx, event_id).await?;
    let (admissions,): (i64,) = fetch!(
        tx,
        fetch_one,
        "select count(*) from scan where event_id = $1 and stray = $2 and ticket_id is null and undone_ms is null",
        event_id,
        ticket,
    )?;
    if admissions == 0 {
        return Ok(false);
    }
    let is_error = finding == Finding::Error;
    if is_error {
        execute!(
            tx,
            "update scan set undone_ms = $3
             where event_id = $1 and stray = $2 and ticket_id is null and undone_ms is null",
            event_id,
            ticket,
            now.0,
        )?;
    }
    execute!(
        tx,
        "insert into stray (event_id, ticket, admissions, verdict, settled_ms, staff_id, note)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (event_id, ticket) do update
         set admissions = excluded.admissions, verdict = excluded.verdict, settled_ms = excluded.settled_ms,
             staff_id = excluded.staff_id, note = excluded.note",
        event_id,
        ticket,
        if is_error { 0 } else { admissions },
        finding.word(),
        now.0,
        &staff.id,
        note,
    )?;
    audit::record(tx, staff, &format!("stray.{}", finding.word()), ticket, note, now).await?;
    tx.notify(event_id).await?;
    Ok(true)
}
