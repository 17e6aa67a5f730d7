//! The visiting card: a ticket's code, or the first characters of its number, typed. Neither says who somebody is.

use admission::ticket;

use crate::{
    App,
    booking::{self, Ticket},
    db::Tx,
    error::{Error, Result},
    fetch,
    people::import::text,
};

/// So many characters of a ticket's number tell visitors of a fair apart: 40 bits.
pub(crate) const SHORT: usize = 8;

/// A ticket's number as a card shows it: `ABCD 2345`.
pub(crate) fn short(ticket_id: &str) -> String {
    let number = ticket::number(ticket_id);
    match (number.get(..4), number.get(4..SHORT)) {
        (Some(first), Some(second)) => format!("{first} {second}"),
        _ => number,
    }
}

/// The ticket of an event whose card was scanned or typed.
///
/// # Errors
/// [`Error::NotFound`] when there is none, it was cancelled, or the code is another event's or nobody's.
pub(crate) async fn read(app: &App, tx: &mut Tx, event_id: &str, said: &str) -> Result<Ticket> {
    let plain: String = text::unspaced(said)
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_uppercase())
        .collect();
    let ticket = if ticket::looks_like_code(&plain) {
        let fact = ticket::verify(&plain, &app.keys.trusted()).map_err(|_| Error::NotFound)?;
        booking::queries::ticket(tx, &fact.id.to_string()).await?
    } else {
        let start = plain.get(..SHORT).ok_or(Error::NotFound)?;
        let ids: Vec<(String, i64)> = fetch!(
            tx,
            fetch_all,
            "select id, created_ms from ticket
             where event_id = $1 and (substr(id, 9, 8) = $2 or substr(id, 1, 8) = $2)",
            event_id,
            start,
        )?;
        booking::queries::typed(tx, ids, &plain).await?
    };
    if ticket.event_id == event_id && ticket.state != "cancelled" {
        Ok(ticket)
    } else {
        Err(Error::NotFound)
    }
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn a_card_shows_eight_characters_in_two_groups() {
        assert_eq!(short("TIMETIMEABCD2345EFGH"), "ABCD 2345");
        assert_eq!(short("x"), "x");
    }
}
