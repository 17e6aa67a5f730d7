//! What people tap instead of scanning: staff by the list, a supervisor against the rule, a holder who chooses or
//! consents. Every one of them goes the way of a scan, through the rule and the journal.

use admission::scan::{Act, ID_SEEN};

use super::*;

/// How long a holder may take to choose or to consent.
const ANSWER_MS: i64 = MINUTE;
/// How long staff may take to look at an ID: the holder has to find it, and they their PIN.
const LOOK_MS: i64 = 5 * MINUTE;

/// What was tapped, and by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// What.
    pub what: What,
    /// Who is on duty, as they call themselves; none for what the holder taps.
    pub operator: Option<String>,
}

/// What can be tapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The holder was found in the list and is here.
    CheckIn(TicketId),
    /// A supervisor lets the holder pass, and says why.
    Override(TicketId, String),
    /// The last admission of this ticket here is taken back, and why.
    Undo(TicketId, String),
    /// The holder of a card chose this one of several tickets.
    Choose(TicketId),
    /// The holder lets the stand have their name and phone, or not.
    Consent(bool),
}

/// Why an order is not carried out. Nothing is recorded then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cannot {
    /// This kiosk decides nothing now.
    Closed(Closed),
    /// There is no such ticket in the kiosk's copy.
    NoSuchTicket,
    /// This kiosk did not let the ticket in, so it cannot take that back.
    NotAdmittedHere,
    /// What was asked is no longer on the screen.
    TooLate,
}

impl Door {
    pub(super) fn ordered(&mut self, Order { what, operator }: Order, now: Millis) -> Effect {
        if let Some(closed) = self.closed_because() {
            return Effect::Cannot(Cannot::Closed(closed));
        }
        let mut draft = self.draft(now);
        draft.deed.operator = operator;
        let fresh = (0..ANSWER_MS).contains(&now.since(self.pending.at));
        let (ticket, subject) = match what {
            What::CheckIn(ticket) => {
                draft.deed.act = Act::Hand;
                draft.proof = Proof::Seen;
                (ticket, Subject::Listed)
            }
            What::Choose(ticket) if fresh && self.pending.tickets.contains(&ticket) => {
                draft.medium = Medium::Card;
                (ticket, Subject::Listed)
            }
            What::Override(ticket, why) => {
                draft.deed.act = Act::Override;
                draft.deed.why = Some(why);
                (ticket, Subject::Overridden)
            }
            What::Undo(ticket, why) => {
                draft.deed.act = Act::Undo;
                draft.deed.why = Some(why);
                (ticket, Subject::TakenBack)
            }
            What::Consent(given) if fresh => return self.consent(draft, given),
            What::Choose(_) | What::Consent(_) => return Effect::Cannot(Cannot::TooLate),
        };
        draft.ticket = Some(ticket);
        let lookup = match subject {
            Subject::TakenBack => Lookup::Admission(ticket),
            _ => Lookup::Ticket(ticket),
        };
        self.turn = Turn::Looking(draft, subject);
        Effect::Look(lookup)
    }

    fn consent(&mut self, mut draft: Draft, given: bool) -> Effect {
        let Some((seq, ticket)) = self.pending.visit.take() else {
            return Effect::Cannot(Cannot::TooLate);
        };
        draft.ticket = Some(ticket);
        draft.deed.act = Act::Consent;
        draft.deed.about = Some(seq);
        draft.deed.consent = Some(given);
        self.about_an_entry(draft, if given { Note::Consented } else { Note::Declined })
    }

    /// An entry that is about another one decides nothing.
    fn about_an_entry(&mut self, draft: Draft, note: Note) -> Effect {
        self.record(Draft { verdict: note.verdict(), note: Some(note), ..draft })
    }

    /// By the list, or chosen: the rule decides as if the card had been shown, to staff in the first case.
    pub(super) fn decide_listed(&mut self, mut draft: Draft, known: Known, now: Millis) -> Effect {
        let judged = self.judge(&known, draft.proof, now);
        let (Some((verdict, fact)), Some(post)) = (judged, &self.known.post) else {
            return Effect::Cannot(Cannot::NoSuchTicket);
        };
        draft.verdict = verdict;
        let terms = post.event.terms(fact.class);
        if post.station_kind == decide::StationKind::Counter && terms.uses > 1 {
            draft.left = Some(terms.uses_left(&known.history()).saturating_sub(1));
        }
        let seen = draft.proof == Proof::Seen && terms.ask_for_proof(post.station_kind);
        draft.deed.why = seen.then(|| ID_SEEN.to_owned());
        draft.is_of(&fact, known.row.as_ref());
        draft.left = draft.left.filter(|_| draft.verdict.is_admitted());
        let check = self.check(&draft, Some((known.id, fact.reissue)), None);
        self.ask_or_record(draft, vec![known], check)
    }

    /// What the rule says of a ticket that is shown with `proof`, and which it is: one of the copy, or one of which nothing is
    /// known here but its code, which staff were asked to look at a moment ago. None when there is no such ticket.
    #[must_use]
    pub fn judge(&self, known: &Known, proof: Proof, now: Millis) -> Option<(Verdict, TicketFact)> {
        let post = self.known.post.as_ref()?;
        let terms = |class| post.event.terms(class);
        let ticket = match &known.row {
            Some(row) => row.shown_by_card(terms(row.fact.class)),
            None => {
                let (fact, at) = self.looked_at.filter(|(fact, _)| fact.id == known.id)?;
                let is_soon = (0..LOOK_MS).contains(&now.since(at));
                is_soon.then(|| Ticket::from_code(fact).under(terms(fact.class)))?
            }
        };
        let (fact, ticket) = (ticket.fact, ticket.with(proof));
        let (station, history) = (post.as_station(), known.history());
        let rule = |now| (decide::decide(&ticket, &station, &history, now), ());
        let (verdict, ()) = self.at_its_hour(now, rule);
        Some((self.where_there_is_room(verdict), fact))
    }

    /// Lets pass whom the rule refuses, and writes down what it said. Whom it lets pass needs no supervisor.
    pub(super) fn override_rule(&mut self, mut draft: Draft, known: &Known, now: Millis) -> Effect {
        let Some((verdict, fact)) = self.judge(known, Proof::Seen, now) else {
            return Effect::Cannot(Cannot::NoSuchTicket);
        };
        draft.is_of(&fact, known.row.as_ref());
        draft.deed.against = verdict.reason();
        if draft.deed.against.is_none() {
            draft.deed.act = Act::Hand;
        }
        draft.verdict = Verdict::Admitted;
        self.record(draft)
    }

    pub(super) fn take_back(
        &mut self,
        mut draft: Draft,
        known: &Known,
        seq: Option<u64>,
    ) -> Effect {
        let Some(seq) = seq else { return Effect::Cannot(Cannot::NotAdmittedHere) };
        if let Some(row) = &known.row {
            draft.is_about(row);
        }
        draft.deed.about = Some(seq);
        self.about_an_entry(draft, Note::TakenBack)
    }
}
