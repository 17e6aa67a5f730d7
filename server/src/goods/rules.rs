//! Who may have some here: what a counter asks beside the one decision about the ticket.

use admission::{Millis, Refusal};

use super::{
    queries::{self, But},
    stock::{Answer, answer},
};
use crate::{booking::Ticket, db::Tx, error::Result};

/// Why the counter of that name does not hand out on `ticket`, which is good by itself: its holder had theirs on another
/// ticket, they collect at another point, or there is none left here. Nothing where the event hands out no goods. The
/// event's counter is held.
pub(crate) async fn refusal(
    tx: &mut Tx,
    ticket: &Ticket,
    station: &str,
    but: But<'_>,
) -> Result<Option<Refusal>> {
    let event_id = &ticket.event_id;
    if queries::goods(tx, event_id).await?.is_none() {
        return Ok(None);
    }
    let (home, units, is_batch) = queries::worth(tx, &ticket.id).await?;
    if let (Some(person), false) = (&ticket.person_id, is_batch)
        && let Some((at, station)) = queries::had_already(tx, event_id, person, &ticket.id).await?
    {
        return Ok(Some(Refusal::AlreadyUsed { at: Millis(at), station }));
    }
    let stocks = queries::stocks(tx, event_id, but).await?;
    let Some(here) = stocks.iter().find(|stock| stock.name == station) else { return Ok(None) };
    Ok(match answer(&stocks, &here.point_id, home.as_deref(), units) {
        Answer::Give => None,
        Answer::Elsewhere => Some(Refusal::WrongStation),
        Answer::Short(elsewhere) => {
            Some(Refusal::OutOfStock { elsewhere: elsewhere.unwrap_or_default() })
        }
    })
}
