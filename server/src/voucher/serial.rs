//! A voucher's serial: the first ten characters of its ticket's number, 50 random bits. It is printed below the code,
//! typed where a code does not scan, and stands on statements. It is computed; a closed statement keeps those that it
//! was closed with.

use admission::{moving::Letters, ticket};

use crate::{
    App,
    booking::{self, Ticket},
    db::Tx,
    error::{Error, Result},
    fetch,
    people::import::text,
};

/// Characters of a serial.
const CHARS: usize = 10;

/// The serial of a ticket: `ABCDE-23456`.
pub(crate) fn of(ticket_id: &str) -> String {
    let number = ticket::number(ticket_id);
    match (number.get(..CHARS / 2), number.get(CHARS / 2..CHARS)) {
        (Some(first), Some(second)) => format!("{first}-{second}"),
        _ => number,
    }
}

/// What a code that was scanned says beside the voucher.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scanned {
    /// Its reissue number: a code that was replaced says so.
    pub(crate) reissue: u8,
    /// What a moving code shows behind it.
    pub(crate) letters: Option<Letters>,
}

/// The voucher of a code that was scanned, or a serial that was typed, and what the code says beside.
///
/// # Errors
/// [`Error::NotFound`] when there is none, or the code is not signed by us.
pub(crate) async fn read(app: &App, tx: &mut Tx, said: &str) -> Result<(Ticket, Option<Scanned>)> {
    let plain = plain(said);
    if ticket::looks_like_code(&plain) {
        let read = ticket::verify_moving(&plain, &app.keys.trusted());
        let (fact, letters) = read.map_err(|_| Error::NotFound)?;
        let ticket = booking::queries::ticket(tx, &fact.id.to_string()).await?;
        return Ok((ticket, Some(Scanned { reissue: fact.reissue, letters })));
    }
    // What looks alike is one letter: a number has no 0, 1 or 8.
    let plain = plain.replace('0', "O").replace('1', "I").replace('8', "B");
    let start = plain.get(..CHARS).ok_or(Error::NotFound)?;
    let ids: Vec<(String, i64)> = fetch!(
        tx,
        fetch_all,
        "select t.id, t.created_ms from batch b cross join ticket t
         where t.event_id = b.event_id and t.offer_id = b.offer_id
           and (substr(t.id, 9, 10) = $1 or substr(t.id, 1, 10) = $1)",
        start,
    )?;
    Ok((booking::queries::typed(tx, ids, &plain).await?, None))
}

/// Letters and digits, as they stand in codes.
pub(super) fn plain(said: &str) -> String {
    text::unspaced(said)
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_uppercase())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_is_ten_characters_in_two_groups_however_it_is_typed() {
        assert_eq!(of("TIMETIMEABCDE23456FG"), "ABCDE-23456");
        assert_eq!(plain(" abcde－２３４５６ "), "ABCDE23456");
    }
}
