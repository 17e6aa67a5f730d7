//! Checking in by hand, and taking an admission back: scans that staff make on the organizer's page.

use admission::{
    Millis, Reason, Verdict,
    decide::{Proof, Station, StationKind, decide},
    say,
};
use axum::http::StatusCode;

use super::{check::decided, conflict, record};
use crate::{
    App, audit, booking,
    db::{Tx, new_id},
    error::{Error, Refused, Result},
    event, execute, fetch, voucher,
    web::{access::Staff, frame::zone},
};

/// The station of what is done by hand.
pub(crate) const DESK: &str = "服务台";

/// Checks the holder of a ticket in. `note` says why it was done by hand.
///
/// # Errors
/// [`Error::Refused`] with the decision's reason, in words, when the ticket does not admit; [`Error::NotFound`].
pub(crate) async fn check_in(
    app: &App,
    staff: &Staff,
    event_id: &str,
    ticket_id: &str,
    note: &str,
) -> Result<()> {
    let (staff, note, now) = (staff.clone(), note.trim().to_owned(), app.clock.now());
    let (event, ticket) = (event_id.to_owned(), ticket_id.to_owned());
    let outcome = app
        .ledger
        .write(move |tx| {
            let (staff, event, ticket, note) =
                (staff.clone(), event.clone(), ticket.clone(), note.clone());
            Box::pin(async move { admit(tx, &staff, &event, &ticket, &note, now).await })
        })
        .await?;
    outcome?;
    app.live.changed(event_id);
    Ok(())
}

async fn admit(
    tx: &mut Tx,
    staff: &Staff,
    event_id: &str,
    ticket_id: &str,
    note: &str,
    now: Millis,
) -> Result<std::result::Result<(), Refused>> {
    // The counter first: from here on no door decides on this event until the commit.
    event::queries::hold(tx, event_id).await?;
    let at = (desk(tx, event_id).await?, DESK);
    if let Some(refused) = objection(tx, (event_id, ticket_id), at, now).await? {
        return Ok(Err(refused));
    }
    pass(tx, staff, (event_id, ticket_id), at, note, now).await?;
    Ok(Ok(()))
}

/// Why a station of that kind and name does not let the holder of a ticket pass, in words; the decision is the one that
/// every kiosk makes of somebody whom staff have looked at. The event's counter is held.
///
/// # Errors
/// [`Error::NotFound`] when the ticket is none of the event's.
pub(crate) async fn objection(
    tx: &mut Tx,
    (event_id, ticket_id): (&str, &str),
    (kind, name): (StationKind, &str),
    now: Millis,
) -> Result<Option<Refused>> {
    let event = event::queries::event(tx, event_id).await?;
    let ticket = booking::queries::ticket(tx, ticket_id).await?;
    if ticket.event_id != event_id {
        return Err(Error::NotFound);
    }
    let station = Station {
        kind,
        name: name.to_owned(),
        event: u32::try_from(event.number).map_err(anyhow::Error::from)?,
        event_cancelled: event.is_cancelled(),
        venue: None,
    };
    let shown = decided(&ticket)?.with(Proof::Seen);
    let verdict = decide(&shown, &station, &ticket.history()?, now);
    let (Verdict::Refused(refusal) | Verdict::Attention(refusal)) = &verdict else {
        return Ok(None);
    };
    let words = |lang| say::tell_at(kind, &verdict, lang, now, &zone(&event.time_zone)).next;
    let code = refusal.reason().word();
    let (zh, en) = (words(say::Lang::Zh), words(say::Lang::En));
    Ok(Some(Refused::new(StatusCode::CONFLICT, code, zh, en)))
}

/// Writes that staff let the holder of a ticket pass at a station, by hand. The event's counter is held, and nothing
/// speaks against it.
///
/// # Errors
/// When the database fails.
pub(crate) async fn pass(
    tx: &mut Tx,
    staff: &Staff,
    (event_id, ticket_id): (&str, &str),
    at: (StationKind, &str),
    note: &str,
    now: Millis,
) -> Result<()> {
    let row = Row { kind: "hand", verdict: "admitted", event_id, ticket_id, at, staff, note };
    insert(tx, &row, now).await?;
    record::recount(tx, event_id, &[ticket_id]).await?;
    conflict::weigh(tx, event_id, &[ticket_id], now).await?;
    audit::record(tx, staff, "admission.hand", ticket_id, note, now).await?;
    tx.notify(event_id).await?;
    Ok(())
}

/// Takes every admission on a ticket back; the scans stay, marked. `reason` is required.
///
/// # Errors
/// [`Error::Invalid`] without a reason; [`Error::Refused`] when nobody was admitted.
pub(crate) async fn undo(
    app: &App,
    staff: &Staff,
    event_id: &str,
    ticket_id: &str,
    reason: &str,
) -> Result<()> {
    let reason = reason.trim().to_owned();
    if reason.is_empty() {
        return Err(Error::invalid(
            "reason",
            "请写明撤销的原因。",
            "Please say why the admission is taken back.",
        ));
    }
    let (staff, now) = (staff.clone(), app.clock.now());
    let (event, ticket) = (event_id.to_owned(), ticket_id.to_owned());
    let outcome = app
        .ledger
        .write(move |tx| {
            let (staff, event, ticket, reason) =
                (staff.clone(), event.clone(), ticket.clone(), reason.clone());
            Box::pin(async move { take_back(tx, &staff, &event, &ticket, &reason, now).await })
        })
        .await?;
    outcome?;
    app.live.changed(event_id);
    Ok(())
}

async fn take_back(
    tx: &mut Tx,
    staff: &Staff,
    event_id: &str,
    ticket_id: &str,
    reason: &str,
    now: Millis,
) -> Result<std::result::Result<(), Refused>> {
    event::queries::hold(tx, event_id).await?;
    let rows = execute!(
        tx,
        "update scan set undone_ms = $3
         where ticket_id = $1 and event_id = $2 and verdict = 'admitted' and undone_ms is null",
        ticket_id,
        event_id,
        now.0,
    )?;
    if rows == 0 {
        let known: Option<(String,)> = fetch!(
            tx,
            fetch_optional,
            "select id from ticket where id = $1 and event_id = $2",
            ticket_id,
            event_id
        )?;
        known.ok_or(Error::NotFound)?;
        return Ok(Err(Refused::new(
            StatusCode::CONFLICT,
            "not_admitted",
            "此票还没有入场记录，无需撤销。",
            "Nobody was admitted on this ticket; there is nothing to take back.",
        )));
    }
    note_undo(tx, staff, event_id, ticket_id, reason, now).await?;
    record::recount(tx, event_id, &[ticket_id]).await?;
    conflict::weigh(tx, event_id, &[ticket_id], now).await?;
    audit::record(tx, staff, "admission.undo", ticket_id, reason, now).await?;
    tx.notify(event_id).await?;
    Ok(Ok(()))
}

/// Writes down that `staff` took admissions of a ticket back, and why.
pub(super) async fn note_undo(
    tx: &mut Tx,
    staff: &Staff,
    event_id: &str,
    ticket_id: &str,
    note: &str,
    now: Millis,
) -> Result<()> {
    let at = (desk(tx, event_id).await?, DESK);
    let row = Row { kind: "undo", verdict: "attention", event_id, ticket_id, at, staff, note };
    insert(tx, &row, now).await
}

/// What the service desk of an event is: where vouchers are redeemed, or a door.
async fn desk(tx: &mut Tx, event_id: &str) -> Result<StationKind> {
    let settled = voucher::batch::is_campaign(tx, event_id).await?;
    Ok(if settled { StationKind::Counter } else { StationKind::Gate })
}

struct Row<'a> {
    kind: &'static str,
    verdict: &'static str,
    event_id: &'a str,
    ticket_id: &'a str,
    at: (StationKind, &'a str),
    staff: &'a Staff,
    note: &'a str,
}

async fn insert(tx: &mut Tx, row: &Row<'_>, now: Millis) -> Result<()> {
    execute!(
        tx,
        "insert into scan (id, event_id, staff_id, kind, station_kind, station, medium, ticket_id, verdict, trust, at_ms,
                           true_ms, received_ms, note)
         values ($1, $2, $3, $4, $5, $6, 'other', $7, $8, 'live', $9, $9, $9, $10)",
        new_id(now),
        row.event_id,
        &row.staff.id,
        row.kind,
        row.at.0.word(),
        row.at.1,
        row.ticket_id,
        row.verdict,
        now.0,
        row.note,
    )?;
    Ok(())
}

/// The name of a reason for tables.
pub(crate) fn reason_name(word: &str, lang: say::Lang) -> String {
    Reason::from_word(word)
        .map_or_else(|| word.to_owned(), |reason| say::headline(reason, lang).to_owned())
}
