//! Who may enter: the one decision. Server, kiosk and tests all call [`decide()`].

mod facts;
#[cfg(test)]
mod tests;
mod verdict;

use self::facts::last_move;
pub use self::{
    facts::{Proof, Station, StationKind, Terms, Ticket, TicketState, Use, is_inside},
    verdict::{Reason, Refusal, Verdict},
};
pub use crate::days::Days;
use crate::time::{MINUTE, Millis};

/// A time window is stretched by this much at both ends, so that nobody argues about a minute
/// and a kiosk's clock may be a little off.
pub const TOLERANCE_MS: i64 = 2 * MINUTE;

/// Decides whether `station` lets the holder of `ticket` pass now, after `history`: in at a gate, out at an exit, to
/// redeem at a counter, to visit a booth or desk, past a checkpoint.
///
/// Nobody is kept inside: an exit sees everybody out who has a ticket of this event, at any hour. A gate lets in once,
/// or again after an exit when the offer allows; a counter redeems as often as the offer says; a checkpoint counts once;
/// a booth and a desk take any number of visits.
///
/// The order of the checks is the order of helpfulness: a person at the wrong door is told so before
/// anything else, and "already used" late because it accuses. Who holds the ticket is asked last, of those alone whom
/// nothing else keeps out: nobody is sent to open a page, or asked for an ID, and refused then.
#[must_use]
pub fn decide(ticket: &Ticket, station: &Station, history: &[Use], now: Millis) -> Verdict {
    let fact = &ticket.fact;
    let refusal = if fact.event != station.event {
        Refusal::WrongEvent
    } else if station.kind == StationKind::Exit {
        return Verdict::Admitted;
    } else if station.event_cancelled {
        Refusal::Cancelled
    } else if elsewhere(ticket, station) {
        Refusal::WrongStation
    } else if let Some(refusal) = refusal_of(ticket) {
        refusal
    } else if now < fact.valid_from.plus(-TOLERANCE_MS) {
        Refusal::TooEarly { opens_at: fact.valid_from }
    } else if now >= fact.valid_to.plus(TOLERANCE_MS) {
        Refusal::TooLate { closed_at: fact.valid_to }
    } else if let Some(used) = spent(&ticket.terms, station, history) {
        Refusal::AlreadyUsed { at: used.at, station: used.station.clone() }
    } else if let Some(days) = ticket.terms.days.as_ref().filter(|days| !days.allow(now)) {
        let next = days.next_after(now, fact.valid_to);
        Refusal::NotToday { weekdays: days.weekdays, closed: days.leaves_out(now), next }
    } else {
        return to_its_holder(ticket, station);
    };
    Verdict::Refused(refusal)
}

/// What is said to whom nothing else keeps out.
fn to_its_holder(ticket: &Ticket, station: &Station) -> Verdict {
    match ticket.proof {
        _ if !ticket.terms.ask_for_proof(station.kind) => Verdict::Admitted,
        Proof::Fresh | Proof::Seen => Verdict::Admitted,
        Proof::Stale => Verdict::Refused(Refusal::StaleCode),
        Proof::Absent => Verdict::Attention(Refusal::ShowId),
    }
}

/// Whether the ticket is taken at one venue only, and the station stands at another.
fn elsewhere(ticket: &Ticket, station: &Station) -> bool {
    matches!((&ticket.terms.venue, &station.venue), (Some(its), Some(here)) if its != here)
}

/// The earlier use that stands against one more at `station`.
fn spent<'a>(terms: &Terms, station: &Station, history: &'a [Use]) -> Option<&'a Use> {
    let of = |kind| history.iter().filter(move |used| used.kind == kind);
    match station.kind {
        StationKind::Exit | StationKind::Booth | StationKind::Desk => None,
        StationKind::Checkpoint => of(StationKind::Checkpoint)
            .filter(|used| used.station == station.name)
            .min_by_key(|used| used.at),
        StationKind::Counter if terms.uses_left(history) > 0 => None,
        StationKind::Counter => of(StationKind::Counter).max_by_key(|used| used.at),
        StationKind::Gate => {
            let last = last_move(history)?;
            if terms.reentry {
                return Some(last).filter(|last| last.kind == StationKind::Gate);
            }
            // Whoever was seen to go out had come in, seen or not.
            of(StationKind::Gate).min_by_key(|used| used.at).or(Some(last))
        }
    }
}

/// Decides for a card: whichever of the holder's tickets admits, or would when somebody has looked at an ID, or else the
/// most telling refusal. At a counter the holder says which, when several could be redeemed; at an exit it is the one that
/// is inside.
/// `tickets` are those of this holder for this event, each with its history; none at all is `not_booked`.
///
/// Returns the verdict and the place of the ticket it is about.
#[must_use]
pub fn decide_for_card(
    tickets: &[(Ticket, Vec<Use>)],
    station: &Station,
    now: Millis,
) -> (Verdict, Option<usize>) {
    let verdicts: Vec<Verdict> =
        tickets.iter().map(|(ticket, history)| decide(ticket, station, history, now)).collect();
    let passing: Vec<usize> = (0..tickets.len()).filter(|&at| verdicts[at].may_pass()).collect();
    match (station.kind, &passing[..]) {
        (_, []) => {}
        (StationKind::Counter, [_, _, ..]) => {
            return (Verdict::Attention(Refusal::Ambiguous), None);
        }
        (StationKind::Exit, [first, ..]) => {
            let inside = tickets.iter().position(|(_, history)| is_inside(history));
            return (Verdict::Admitted, inside.or(Some(*first)));
        }
        (_, [first, ..]) => {
            let admitting = passing.iter().find(|at| verdicts[**at].is_admitted());
            let at = *admitting.unwrap_or(first);
            return (verdicts[at].clone(), Some(at));
        }
    }
    let telling = |verdict: &Verdict| match verdict.reason() {
        Some(Reason::AlreadyUsed) => 0,
        Some(Reason::TooEarly | Reason::NotToday) => 1,
        Some(Reason::TooLate) => 2,
        Some(Reason::Cancelled | Reason::Revoked) => 9,
        _ => 5,
    };
    match verdicts.iter().enumerate().min_by_key(|(_, verdict)| telling(verdict)) {
        Some((at, verdict)) => (verdict.clone(), Some(at)),
        None => (Verdict::Refused(Refusal::NotBooked), None),
    }
}

/// What a verdict becomes at `station` when the event is at its approved size: nobody more comes in. Whoever goes out, and
/// what is done inside, is not touched.
#[must_use]
pub fn when_full(verdict: Verdict, station: StationKind) -> Verdict {
    match station {
        StationKind::Gate if verdict.may_pass() => Verdict::Refused(Refusal::Full),
        _ => verdict,
    }
}

/// Places that a kiosk may give by itself to members without a ticket: what is left of an allotment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spare {
    /// Admission on the offer begins.
    pub valid_from: Millis,
    /// Admission on the offer ends.
    pub valid_to: Millis,
    /// The allotment is given until then.
    pub until: Millis,
    /// How many places are left.
    pub left: u32,
}

/// Decides whether a member who has no ticket is given a place at `station` now, from one of its `spares`.
///
/// Returns the verdict and the place of the spare that it is from. Where nobody gives places it is `not_booked`.
#[must_use]
pub fn decide_walk_in(
    station: &Station,
    spares: &[Spare],
    now: Millis,
) -> (Verdict, Option<usize>) {
    let refused = |refusal| (Verdict::Refused(refusal), None);
    if station.kind != StationKind::Gate || spares.is_empty() {
        return refused(Refusal::NotBooked);
    }
    if station.event_cancelled {
        return refused(Refusal::Cancelled);
    }
    let begun = |spare: &&Spare| now >= spare.valid_from.plus(-TOLERANCE_MS);
    let on = |spare: &&Spare| begun(spare) && now < spare.valid_to.plus(TOLERANCE_MS);
    let has = |spare: &Spare| on(&spare) && spare.left > 0 && now < spare.until;
    if let Some(at) = spares.iter().position(has) {
        return (Verdict::Admitted, Some(at));
    }
    if spares.iter().any(|spare| on(&spare)) {
        return refused(Refusal::Full);
    }
    let ahead = spares.iter().filter(|spare| !begun(spare)).map(|spare| spare.valid_from).min();
    match (ahead, spares.iter().map(|spare| spare.valid_to).max()) {
        (Some(opens_at), _) => refused(Refusal::TooEarly { opens_at }),
        (None, Some(closed_at)) => refused(Refusal::TooLate { closed_at }),
        (None, None) => refused(Refusal::NotBooked),
    }
}

fn refusal_of(ticket: &Ticket) -> Option<Refusal> {
    match ticket.state {
        TicketState::Cancelled => Some(Refusal::Cancelled),
        _ if ticket.fact.reissue < ticket.reissue => Some(Refusal::Revoked),
        TicketState::Unapproved => Some(Refusal::Unapproved),
        TicketState::Unpaid => Some(Refusal::Unpaid),
        TicketState::Valid => None,
    }
}
