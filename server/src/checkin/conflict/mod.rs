//! Conflicts: admissions that were each right where they were made, and are wrong together. Doors without a network
//! cannot prevent them; when their journals arrive, a person decides what it was.

mod pages;
mod queries;
mod stray;

use admission::{
    Millis,
    decide::{self, Station, Terms, Ticket, TicketState, Use},
};

pub(super) use self::{pages::routes, stray::open as open_strays};
use super::{by_hand, record};
use crate::{
    App, audit, booking,
    db::Tx,
    error::{Error, Result},
    event, execute, execute_rows,
    web::access::Staff,
};

/// What a person made of a conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// One person, seen twice: they went out and in, or a door scanned again. Nothing changes.
    SamePerson,
    /// The code was passed on: two people went in on one ticket. The admissions stay, both.
    PassedOn,
    /// A scan that should not be. What no door would have let pass that knew of the earlier ones is taken back.
    Error,
}

impl Finding {
    /// Every finding, as the page offers them.
    pub(crate) const ALL: [Self; 3] = [Self::SamePerson, Self::PassedOn, Self::Error];

    /// The word in SQL and forms.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::SamePerson => "same_person",
            Self::PassedOn => "passed_on",
            Self::Error => "error",
        }
    }

    /// The finding of that word.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|finding| finding.word() == word)
    }
}

/// Which admissions of one ticket contradict the earlier ones: no door that knew of those would have given them. Asked of
/// the one rule, admission by admission in order of true time.
fn contradicting(ticket: &Ticket, admissions: &[Use]) -> Vec<usize> {
    // Windows and states have been judged at the door; here only the admissions are held against each other.
    let ticket =
        Ticket { state: TicketState::Valid, reissue: ticket.fact.reissue, ..ticket.clone() };
    let terms = Terms { days: None, venue: None, moving_code: false, ..ticket.terms };
    let ticket = ticket.clone().under(terms);
    let (mut right, mut wrong) = (Vec::with_capacity(admissions.len()), Vec::new());
    for (at, used) in admissions.iter().enumerate() {
        let station = Station {
            kind: used.kind,
            name: used.station.clone(),
            event: ticket.fact.event,
            event_cancelled: false,
            venue: None,
        };
        match decide::decide(&ticket, &station, &right, ticket.fact.valid_from).is_admitted() {
            true => right.push(used.clone()),
            false => wrong.push(at),
        }
    }
    wrong
}

/// Looks whether the admissions of each of these tickets contradict each other, after they changed. A new contradiction
/// stands in the organizer's inbox from this transaction on; one that is gone (an admission was taken back) leaves it,
/// unless somebody has judged it. The event's counter is held.
pub(super) async fn weigh(
    tx: &mut Tx,
    event_id: &str,
    tickets: &[&str],
    now: Millis,
) -> Result<()> {
    let mut admissions = queries::admissions_of(tx, tickets).await?;
    admissions.retain(|_, admissions| admissions.len() > 1);
    let mut right = Vec::with_capacity(tickets.len());
    for id in tickets {
        let Some(admissions) = admissions.get(*id) else {
            right.push(*id);
            continue;
        };
        let ticket = super::check::decided(&booking::queries::ticket(tx, id).await?)?;
        let uses: Vec<Use> = admissions.iter().map(queries::Admission::as_use).collect();
        if contradicting(&ticket, &uses).is_empty() {
            right.push(*id);
        } else {
            queries::open(tx, event_id, id, uses.len(), now).await?;
        }
    }
    execute_rows!(
        tx,
        "delete from conflict where verdict is null and ticket_id in (",
        right,
        |id| [id],
        ")",
    )?;
    Ok(())
}

/// Writes down what `staff` made of the conflict of a ticket. Choosing again changes it, except that an admission that
/// was taken back stays so.
///
/// # Errors
/// [`Error::NotFound`] when the ticket has no conflict at this event.
pub(crate) async fn settle(
    app: &App,
    staff: &Staff,
    event_id: &str,
    ticket_id: &str,
    (finding, note): (Finding, &str),
) -> Result<()> {
    let (staff, note, now) = (staff.clone(), note.trim().to_owned(), app.clock.now());
    let (event, ticket) = (event_id.to_owned(), ticket_id.to_owned());
    let found = app
        .ledger
        .write(move |tx| {
            let (staff, event, ticket, note) =
                (staff.clone(), event.clone(), ticket.clone(), note.clone());
            Box::pin(async move {
                event::queries::hold(tx, &event).await?;
                if !queries::settle(tx, (&event, &ticket), finding, (&staff, &note), now).await? {
                    return Ok(false);
                }
                if finding == Finding::Error {
                    take_back_what_contradicts(tx, &staff, &event, &ticket, &note, now).await?;
                }
                let action = format!("conflict.{}", finding.word());
                audit::record(tx, &staff, &action, &ticket, &note, now).await?;
                tx.notify(&event).await?;
                Ok(true)
            })
        })
        .await?;
    if !found {
        return Err(Error::NotFound);
    }
    app.live.changed(event_id);
    Ok(())
}

async fn take_back_what_contradicts(
    tx: &mut Tx,
    staff: &Staff,
    event_id: &str,
    ticket_id: &str,
    note: &str,
    now: Millis,
) -> Result<()> {
    let admissions = queries::admissions(tx, ticket_id).await?;
    let uses: Vec<Use> = admissions.iter().map(queries::Admission::as_use).collect();
    let ticket = super::check::decided(&booking::queries::ticket(tx, ticket_id).await?)?;
    let wrong = contradicting(&ticket, &uses);
    for at in &wrong {
        let id = &admissions[*at].id;
        execute!(tx, "update scan set undone_ms = $2 where id = $1", id, now.0)?;
    }
    if !wrong.is_empty() {
        by_hand::note_undo(tx, staff, event_id, ticket_id, note, now).await?;
        record::recount(tx, event_id, &[ticket_id]).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use admission::{
        decide::StationKind,
        ticket::{TicketFact, TicketId},
    };

    use super::*;

    #[test]
    fn two_admissions_of_one_ticket_contradict_and_one_does_not() {
        let ticket = Ticket::from_code(TicketFact {
            id: TicketId([1; 12]),
            event: 4,
            class: 0,
            valid_from: Millis(0),
            valid_to: Millis(1_000),
            reissue: 0,
        });
        let used = |at, kind| Use { at: Millis(at), station: "东门".to_owned(), kind };
        let (gate, exit) = (StationKind::Gate, StationKind::Exit);
        let (counter, booth) = (StationKind::Counter, StationKind::Booth);
        for right in [&[][..], &[used(1, gate)], &[used(1, gate), used(2, counter), used(3, exit)]]
        {
            assert_eq!(contradicting(&ticket, right), [0; 0]);
        }
        assert_eq!(contradicting(&ticket, &[used(1, gate), used(2, gate)]), [1]);
        let visits = [used(1, gate), used(2, gate), used(3, booth), used(4, exit), used(5, gate)];
        assert_eq!(contradicting(&ticket, &visits), [1, 4], "the visit and the way out stand");
        let again = ticket.clone().under(Terms { uses: 2, reentry: true, ..Terms::ONCE });
        assert_eq!(contradicting(&again, &visits), [1]);
        let redeemed = [used(1, counter), used(2, counter), used(3, counter)];
        assert_eq!(contradicting(&again, &redeemed), [2], "two were its right");
    }

    #[test]
    fn words_read_back() {
        for finding in Finding::ALL {
            assert_eq!(Finding::from_word(finding.word()), Some(finding));
        }
        assert_eq!(Finding::from_word("open"), None);
    }
}
