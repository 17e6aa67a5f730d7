//! Tickets that come after their booking, and what they are worth.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use admission::{
    Millis,
    ticket::{TicketFact, TicketId},
};

use super::{
    Booking,
    queries::{self, NewTicket},
};
use crate::{
    db::Tx,
    error::Result,
    event::{self, Event, Offer, queries::Current},
    execute, fetch,
    keys::Keys,
};

/// The id of a ticket that is made now.
pub(super) fn new_ticket_id(now: Millis) -> TicketId {
    let mut random = [0; 7];
    getrandom::fill(&mut random).expect("the system has randomness");
    TicketId::new(now, random)
}

/// What the code of a new ticket says.
pub(crate) fn fact(id: TicketId, event_number: i64, offer: &Offer) -> Result<TicketFact> {
    Ok(TicketFact {
        id,
        event: u32::try_from(event_number).map_err(anyhow::Error::from)?,
        class: u8::try_from(offer.class).map_err(anyhow::Error::from)?,
        valid_from: offer.valid_from_ms,
        valid_to: offer.valid_to_ms,
        reissue: 0,
    })
}

/// What the codes of an offer's tickets say, as was seen last, so that those of the next attempts are signed before they come
/// to the ledger: signing is most of the work of a booking, and the ledger does one thing at a time. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Stamps(Arc<Mutex<HashMap<String, TicketFact>>>);

impl Stamps {
    /// How many offers are remembered.
    const OFFERS: usize = 1_000;

    /// Remembers what tickets of these offers would say.
    pub(super) fn note_all(&self, offers: &[Current]) {
        for Current { offer, event_number, .. } in offers {
            if let Ok(fact) = fact(TicketId::new(Millis(0), [0; 7]), *event_number, offer) {
                self.note(&offer.id, fact);
            }
        }
    }

    /// Remembers what a ticket of the offer says.
    pub(super) fn note(&self, offer_id: &str, fact: TicketFact) {
        let mut stamps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stamp) = stamps.get_mut(offer_id) {
            *stamp = fact;
            return;
        }
        if stamps.len() >= Self::OFFERS {
            stamps.clear();
        }
        stamps.insert(offer_id.to_owned(), fact);
    }

    /// What a ticket of the offer would say, as far as is known.
    pub(super) fn of(&self, offer_id: &str) -> Option<TicketFact> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(offer_id).copied()
    }
}

/// Issues the tickets of a booking that has none yet, the holder's own first, in `state`.
pub(super) async fn issue(
    tx: &mut Tx,
    keys: &Keys,
    (event, offer): (&Event, &Offer),
    booking: &Booking,
    state: &'static str,
    now: Millis,
) -> Result<()> {
    let (name,): (String,) =
        fetch!(tx, fetch_one, "select name from person where id = $1", &booking.person_id)?;
    let guests: Vec<String> = serde_json::from_str(&booking.guests).map_err(anyhow::Error::from)?;
    let first = event::queries::next_revisions(tx, &event.id, booking.places).await?;
    let holders = std::iter::once(&name).chain(&guests);
    let tickets: Vec<NewTicket<'_>> = holders
        .zip(first..)
        .map(|(holder, revision)| NewTicket {
            id: new_ticket_id(now),
            booking_id: &booking.id,
            person_id: (revision == first).then_some(booking.person_id.as_str()),
            holder,
            key_id: keys.issuer().id,
            revision,
            created: now,
            state,
        })
        .collect();
    queries::insert_tickets(tx, offer, &tickets).await
}

/// Sets what the tickets of a booking are worth: `valid`, `unpaid`, `unapproved` or `cancelled`. Each takes a revision.
pub(super) async fn set_state(tx: &mut Tx, booking: &Booking, state: &'static str) -> Result<()> {
    let tickets = queries::tickets_of(tx, &booking.id).await?;
    if tickets.is_empty() {
        return Ok(());
    }
    let count = i64::try_from(tickets.len()).unwrap_or(i64::MAX);
    let first = event::queries::next_revisions(tx, &booking.event_id, count).await?;
    for (ticket, revision) in tickets.iter().zip(first..) {
        execute!(
            tx,
            "update ticket set state = $2, revision = $3 where id = $1",
            &ticket.id,
            state,
            revision
        )?;
    }
    Ok(())
}
