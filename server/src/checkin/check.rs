//! A kiosk asks about a scan before it shows its verdict. An admission is claimed provisionally; the kiosk's journal
//! confirms it, or it lapses.

use admission::{
    Millis, Refusal, Verdict,
    decide::{self, Station, StationKind, Use},
    sync::{Check, Checked},
};

use super::{
    attendance,
    record::{self, Counted},
};
use crate::{
    App,
    booking::{self, Ticket},
    db::Tx,
    error::{Error, Result},
    event, execute, fetch,
    kiosk::{self, Kiosk},
    web::access,
};

/// What the server would decide about `check`, with an admission claimed.
pub(crate) async fn check(app: &App, caller: &access::Kiosk, check: Check) -> Result<Checked> {
    let (now, id) = (app.clock.now(), caller.id.clone());
    let Answer { verdict, ticket, uses, have_through } = app
        .ledger
        .write(move |tx| {
            let (id, check) = (id.clone(), check.clone());
            Box::pin(async move { answer(tx, &id, &check, now).await })
        })
        .await?;
    if verdict.is_admitted() {
        app.live.changed(&caller.event_id);
    }
    // A kiosk learns nothing of other events.
    let ticket = ticket.filter(|ticket| ticket.event_id == caller.event_id);
    let ticket = ticket.as_ref().map(kiosk::rules::ticket_row).transpose()?;
    Ok(Checked { verdict, ticket, uses, have_through, server_now: now })
}

/// What the server would decide, on what.
struct Answer {
    verdict: Verdict,
    ticket: Option<Ticket>,
    uses: Vec<Use>,
    have_through: u64,
}

async fn answer(tx: &mut Tx, kiosk_id: &str, check: &Check, now: Millis) -> Result<Answer> {
    let kiosk = kiosk::queries::kiosk(tx, kiosk_id).await?;
    // From here on checks and cancellations of this event are serial across server processes: two doors cannot both
    // find a ticket unused.
    event::queries::hold(tx, &kiosk.event_id).await?;
    let have_through = u64::try_from(kiosk.head_seq).map_err(anyhow::Error::from)?;
    let refusal = |refusal, ticket| {
        Ok(Answer { verdict: Verdict::Refused(refusal), ticket, uses: Vec::new(), have_through })
    };
    let refused = |why| refusal(why, None);
    let tickets = match (&check.ticket, &check.card) {
        (Some((id, reissue)), _) => match booking::queries::ticket(tx, &id.to_string()).await {
            Ok(ticket) if i64::from(*reissue) < ticket.reissue => {
                return refusal(Refusal::Revoked, Some(ticket));
            }
            Ok(ticket) => vec![ticket],
            Err(Error::NotFound) => return refused(Refusal::Unknown),
            Err(error) => return Err(error),
        },
        (None, Some(card)) => match kiosk::queries::card(tx, &card.0).await? {
            None => return refused(Refusal::UnknownCard),
            Some(card) if card.blocked => return refused(Refusal::BlockedCard),
            Some(card) => {
                booking::queries::tickets_of_card(tx, &card.person_id, &kiosk.event_id).await?
            }
        },
        (None, None) => return refused(Refusal::Unknown),
    };
    let station = station(tx, &kiosk).await?;
    let mut known = Vec::with_capacity(tickets.len());
    for ticket in &tickets {
        known.push((decided(ticket)?, history(tx, ticket, &kiosk.id, check.seq).await?));
    }
    let (mut verdict, at) = decide::decide_for_card(&known, &station, now);
    let ticket = at.and_then(|at| tickets.into_iter().nth(at));
    let uses = at.map(|at| known.swap_remove(at).1).unwrap_or_default();
    if let (Verdict::Admitted, StationKind::Gate, Some(ticket)) = (&verdict, station.kind, &ticket)
        && is_full(tx, &kiosk.event_id, &ticket.id).await?
    {
        verdict = Verdict::Refused(Refusal::Full);
    }
    if let (Verdict::Admitted, Some(ticket)) = (&verdict, &ticket) {
        claim(tx, &kiosk, check, ticket, now).await?;
    }
    Ok(Answer { verdict, ticket, uses, have_through })
}

/// Whether the event holds as many as were approved, apart from the ticket that asks: a retry finds its own claim.
async fn is_full(tx: &mut Tx, event_id: &str, ticket_id: &str) -> Result<bool> {
    match event::queries::event(tx, event_id).await?.capacity {
        None => Ok(false),
        Some(capacity) => Ok(attendance::inside(tx, event_id, Some(ticket_id)).await? >= capacity),
    }
}

/// Counts the admission until the kiosk's journal says what the door did. A repeated question finds its own claim.
async fn claim(
    tx: &mut Tx,
    kiosk: &Kiosk,
    check: &Check,
    ticket: &Ticket,
    now: Millis,
) -> Result<()> {
    let seq = i64::try_from(check.seq).map_err(anyhow::Error::from)?;
    let (before, _) = record::take_provisional(tx, &kiosk.id, seq).await?;
    // Under a place that is journaled already nothing is claimed: the door has decided.
    execute!(
        tx,
        "insert into scan (id, event_id, kiosk_id, seq, kind, station_kind, station, medium, ticket_id, verdict, trust,
                           at_ms, true_ms, received_ms, provisional)
         values ($1, $2, $3, $4, 'scan', $5, $6, $7, $8, 'admitted', 'live', $9, $10, $10, true)
         on conflict (kiosk_id, seq) do nothing",
        format!("{}-{seq}", kiosk.id),
        &kiosk.event_id,
        &kiosk.id,
        seq,
        &kiosk.station_kind,
        &kiosk.station,
        check.medium.word(),
        &ticket.id,
        check.at.0,
        now.0,
    )?;
    if let Some(before) = before
        && before != ticket.id
    {
        record::recount(tx, &kiosk.event_id, &before).await?;
    }
    record::recount(tx, &kiosk.event_id, &ticket.id).await?;
    tx.notify(&kiosk.event_id).await?;
    Ok(())
}

async fn station(tx: &mut Tx, kiosk: &Kiosk) -> Result<Station> {
    let event = event::queries::event(tx, &kiosk.event_id).await?;
    Ok(Station {
        kind: StationKind::from_word(&kiosk.station_kind).unwrap_or(StationKind::Gate),
        name: kiosk.station.clone(),
        event: u32::try_from(event.number).map_err(anyhow::Error::from)?,
        event_cancelled: event.is_cancelled(),
    })
}

/// The ticket as the decision takes it.
pub(super) fn decided(ticket: &Ticket) -> Result<decide::Ticket> {
    let fact = ticket.fact()?;
    Ok(decide::Ticket {
        reissue: fact.reissue,
        state: kiosk::rules::state(&ticket.state),
        terms: ticket.terms(),
        fact,
    })
}

/// Uses of the ticket, apart from what only a check claimed for the kiosk that asks: it knows itself what it did, and a
/// retry is recognised before any rule.
async fn history(tx: &mut Tx, ticket: &Ticket, kiosk_id: &str, seq: u64) -> Result<Vec<Use>> {
    let rows: Vec<Counted> = fetch!(
        tx,
        fetch_all,
        "select true_ms, station, station_kind from scan
         where ticket_id = $1 and verdict = 'admitted' and undone_ms is null
           and (kiosk_id is null or kiosk_id <> $2 or (seq <> $3 and not provisional))
         order by true_ms, id",
        &ticket.id,
        kiosk_id,
        i64::try_from(seq).map_err(anyhow::Error::from)?,
    )?;
    Ok(rows.into_iter().map(Counted::into_use).collect())
}
