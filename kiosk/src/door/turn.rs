//! One scan from its text to its entry in the journal.

use admission::{
    card::Reading,
    decide::{Reason, Spare, StationKind, Terms},
    scan::{Act, WalkIn},
    sync::Allotment,
    ticket::{self, CodeError},
};
use sha2::{Digest, Sha256};

use super::*;

impl Door {
    pub(super) fn scanned(&mut self, text: &str, trigger: Trigger, now: Millis) -> Effect {
        let text = text.trim();
        if text.is_empty() {
            return Effect::Ignore;
        }
        // A code that moves is the same while it is held, whatever follows the ticket code.
        let code = ticket::without_proof(text);
        let told = code.as_deref().unwrap_or(text);
        let hash: [u8; 32] =
            Sha256::new().chain_update(self.salt).chain_update(told).finalize().into();
        if let Some(shown) = self.repeated(text, &hash, trigger, now) {
            return Effect::Show(shown);
        }
        if let Some(closed) = self.closed_because() {
            return Effect::Show(self.closed(closed, now));
        }
        let draft = Draft { text: Some(hash), ..self.draft(now) };
        match Reading::of(text) {
            Reading::Other => self.record(draft),
            Reading::Card(_) if trigger == Trigger::Camera => self.record(draft),
            Reading::Code(code) => self.read_code(Draft { medium: Medium::Code, ..draft }, &code),
            Reading::Card(card) => {
                let draft = Draft { medium: Medium::Card, ..draft };
                let bins = self.known.post.as_ref().map_or(&[][..], |post| &post.card_bins);
                match &self.card_key {
                    _ if !card.has_bin(bins) => self.note(draft, Note::NotAUnionCard),
                    None => self.note(draft, Note::CardsLocked),
                    Some(key) => {
                        let fingerprint = card.fingerprint(key);
                        self.turn = Turn::Looking(draft, Subject::Card(fingerprint));
                        Effect::Look(Lookup::Card(fingerprint))
                    }
                }
            }
        }
    }

    /// Of what nothing is known yet.
    pub(super) fn draft(&self, now: Millis) -> Draft {
        Draft {
            text: None,
            at: now,
            medium: Medium::Other,
            verdict: Verdict::Refused(Refusal::Unknown),
            note: None,
            ticket: None,
            class: None,
            fact: None,
            proof: Proof::Absent,
            holder: None,
            place: None,
            trust: self.local_trust(now),
            deed: Deed::default(),
            left: None,
            choices: Vec::new(),
        }
    }

    /// A code or card that is still in view is not another scan. (The ticket page itself is, after a picture of it.)
    fn repeated(
        &mut self,
        text: &str,
        hash: &[u8; 32],
        trigger: Trigger,
        now: Millis,
    ) -> Option<Shown> {
        let last = self.last.as_ref()?;
        let soon = (0..SAME_SCAN_MS).contains(&now.since(last.seen));
        if trigger == Trigger::Machine || !soon || last.text != *hash {
            return None;
        }
        if last.shown.glance.is_some()
            && let Ok((fact, letters)) = ticket::verify_moving(text, &self.keys)
            && self.proof(&fact, letters, now) == Proof::Fresh
        {
            return None;
        }
        let last = self.last.as_mut()?;
        last.seen = now;
        Some(last.shown.clone())
    }

    /// What the letters behind a ticket code show of its holder.
    fn proof(&self, fact: &TicketFact, letters: Option<Letters>, at: Millis) -> Proof {
        let key = self.known.post.as_ref().and_then(|post| post.moving_key.as_ref());
        key.map_or(Proof::Absent, |key| {
            key.ticket(fact.id, fact.reissue).judge(letters, self.moment(at))
        })
    }

    fn read_code(&mut self, draft: Draft, code: &str) -> Effect {
        match ticket::verify_moving(code, &self.keys) {
            Ok((fact, letters)) => {
                let proof = self.proof(&fact, letters, draft.at);
                let (ticket, class) = (Some(fact.id), Some(fact.class));
                let draft = Draft { ticket, class, fact: Some(fact), proof, ..draft };
                let id = fact.id;
                self.turn = Turn::Looking(draft, Subject::Code(fact));
                Effect::Look(Lookup::Ticket(id))
            }
            Err(CodeError::Forged) => {
                self.record(Draft { verdict: Verdict::Refused(Refusal::Forged), ..draft })
            }
            Err(CodeError::NotATicket) => self.record(draft),
        }
    }

    fn note(&mut self, draft: Draft, note: Note) -> Effect {
        self.record(Draft { verdict: note.verdict(), note: Some(note), ..draft })
    }

    pub(super) fn decide_code(
        &mut self,
        mut draft: Draft,
        fact: &TicketFact,
        known: Known,
        now: Millis,
    ) -> Effect {
        let Some(post) = &self.known.post else {
            return Effect::Show(self.closed(Closed::NotReady, now));
        };
        let (station, terms) = (post.as_station(), post.event.terms(fact.class));
        let ticket = match &known.row {
            Some(row) => {
                draft.holder = Some(row.holder.clone());
                draft.place.clone_from(&row.place);
                row.shown_by_code(fact.reissue, terms.clone())
            }
            None => {
                draft.trust = Trust::SignatureOnly;
                Ticket::from_code(*fact).under(terms.clone())
            }
        };
        // The event that was signed holds, whatever a row says.
        let fact_shown = TicketFact { event: fact.event, ..ticket.fact };
        let ticket = Ticket { fact: fact_shown, proof: draft.proof, ..ticket };
        let history = known.history();
        let rule = |now| (decide::decide(&ticket, &station, &history, now), ());
        draft.verdict = self.at_its_hour(draft.at, rule).0;
        draft.verdict = self.where_there_is_room(draft.verdict);
        draft.left = left(&draft.verdict, station.kind, &terms, &history);
        // Of another event's ticket the server would say no more.
        if fact.event != station.event {
            return self.record(draft);
        }
        let check = self.check(&draft, Some((fact.id, fact.reissue)), None);
        self.ask_or_record(draft, vec![known], check)
    }

    pub(super) fn decide_card(
        &mut self,
        mut draft: Draft,
        fingerprint: Fingerprint,
        found: Found,
        now: Millis,
    ) -> Effect {
        let Some(post) = &self.known.post else {
            return Effect::Show(self.closed(Closed::NotReady, now));
        };
        let is_nobody = match &found {
            Found::Card { blocked, tickets, .. } => !blocked && tickets.is_empty(),
            _ => true,
        };
        if is_nobody && self.known.complete_at.is_none() {
            // The rest of the copy is still to come, and with it perhaps this card, or its holder's ticket.
            return self.note(draft, Note::CardsLocked);
        }
        let tickets = match found {
            Found::Card { blocked: true, .. } => {
                draft.verdict = Verdict::Refused(Refusal::BlockedCard);
                Vec::new()
            }
            Found::Card { blocked: false, person, tickets, given, fresh } => {
                let candidates: Vec<_> =
                    tickets.iter().filter_map(|known| candidate(post, known)).collect();
                let station = post.as_station();
                let rule = |now| {
                    let (verdict, at) = decide::decide_for_card(&candidates, &station, now);
                    (verdict, (at, now))
                };
                let (verdict, (at, hour)) = self.at_its_hour(draft.at, rule);
                draft.verdict = self.where_there_is_room(verdict);
                if let Some(at) = at {
                    let (ticket, history) = &candidates[at];
                    draft.ticket = Some(ticket.fact.id);
                    draft.class = Some(ticket.fact.class);
                    draft.left = left(&draft.verdict, station.kind, &ticket.terms, history);
                    let known = tickets.iter().find(|known| known.id == ticket.fact.id);
                    if let Some(row) = known.and_then(|known| known.row.as_ref()) {
                        draft.holder = Some(row.holder.clone());
                        draft.place.clone_from(&row.place);
                    }
                }
                if draft.verdict == Verdict::Attention(Refusal::Ambiguous) {
                    draft.choices = choices(post, &candidates, hour);
                    // Whoever taps for them sees whose they are.
                    let row = tickets.iter().find_map(|known| known.row.as_ref());
                    draft.holder = row.map(|row| row.holder.clone());
                }
                if draft.verdict == Verdict::Refused(Refusal::NotBooked) {
                    let rule = |now| walk_in(post, &given, now);
                    let (verdict, from) = self.at_its_hour(draft.at, rule);
                    draft.verdict = self.where_there_is_room(verdict);
                    let from = from.filter(|_| draft.verdict.is_admitted());
                    if let Some(Allotment { number, class, .. }) = from {
                        draft.ticket = Some(fresh);
                        draft.class = Some(class);
                        draft.note = Some(Note::WalkIn);
                        draft.deed.act = Act::WalkIn;
                        draft.deed.walk_in = Some(WalkIn { person, allotment: number, class });
                    }
                }
                tickets
            }
            Found::NoCard | Found::Ticket(_) | Found::Admission(..) => {
                draft.verdict = Verdict::Refused(Refusal::UnknownCard);
                Vec::new()
            }
        };
        let check = self.check(&draft, None, Some(fingerprint));
        self.ask_or_record(draft, tickets, check)
    }

    pub(super) fn check(
        &self,
        draft: &Draft,
        ticket: Option<(TicketId, u8)>,
        card: Option<Fingerprint>,
    ) -> Check {
        let (seq, medium, at) = (self.known.head.seq + 1, draft.medium, draft.at);
        Check { seq, ticket, card, medium, proof: draft.proof, at, fact: draft.fact }
    }

    /// The server is asked unless it knows no better: of what was done at a door and not told yet.
    pub(super) fn ask_or_record(
        &mut self,
        draft: Draft,
        known: Vec<Known>,
        check: Check,
    ) -> Effect {
        let refused_here = |known: &Known| {
            Some(known.id) == draft.ticket && known.is_used_at_doors() && !draft.verdict.may_pass()
        };
        let pending = known.iter().any(|known| !known.taken_back.is_empty() || refused_here(known));
        if !self.in_contact || pending {
            return self.record(draft);
        }
        self.turn = Turn::Asking(draft, known);
        Effect::Ask(check)
    }

    /// The server knows more, except of what this kiosk did and has not told it yet.
    pub(super) fn weigh(
        &mut self,
        mut draft: Draft,
        known: Vec<Known>,
        checked: Box<Checked>,
    ) -> Effect {
        if draft.fact.is_some() && checked.ticket.is_none() {
            return self.weigh_unbooked(draft, &checked);
        }
        let own_walk_in = draft.deed.act == Act::WalkIn;
        let own = (draft.verdict.may_pass() && !own_walk_in).then(|| draft.clone());
        draft.trust = Trust::Live;
        let is_barred = draft.class.is_some_and(|class| checked.barred.contains(&class));
        if own_walk_in && !is_barred && checked.verdict == Verdict::Refused(Refusal::NotBooked) {
            return self.record(draft);
        }
        if own_walk_in {
            draft.deed = Deed::default();
            (draft.note, draft.ticket, draft.class) = (None, None, None);
            draft.place = None;
        }
        if let Some(row) = &checked.ticket
            && (draft.medium == Medium::Card || draft.ticket == Some(row.fact.id))
        {
            draft.is_about(row);
        }
        // Of more than this journal has, it speaks of another: nothing of what was done here need be among its uses.
        let through = Some(checked.have_through).filter(|seq| *seq <= self.known.head.seq);
        let about = known.iter().find(|known| Some(known.id) == draft.ticket);
        let counted = match (about, through) {
            (Some(about), Some(through)) => about.still_counted(&checked.uses, through),
            _ => checked.uses.clone(),
        };
        let is_used = checked.verdict.reason() == Some(admission::Reason::AlreadyUsed);
        let refuses_what_was_taken_back = is_used && counted.len() < checked.uses.len();
        if !checked.verdict.may_pass() && !refuses_what_was_taken_back {
            if checked.verdict.reason() != Some(admission::Reason::Ambiguous) {
                draft.choices.clear();
            } else if let Some(own) = own {
                // Of those that the server would let the holder choose from, this kiosk knows that one is left.
                return self.record(own);
            }
            draft.verdict = checked.verdict;
            return self.record(draft);
        }
        let Some(id) = draft.ticket else {
            // Admitted, but on what? The kiosk's own verdict stands.
            return self.record(draft);
        };
        let Some(known) = known.iter().find(|known| known.id == id) else {
            self.turn = Turn::LookingAgain(own.unwrap_or(draft), checked);
            return Effect::Look(Lookup::Ticket(id));
        };
        draft.choices.clear();
        draft.verdict = checked.verdict.clone();
        if let (Some(post), Some(row)) = (&self.known.post, &checked.ticket) {
            // The server judged everything but what it has not heard of.
            let terms = post.event.terms(row.fact.class);
            let own = known.own_after(through.unwrap_or_default());
            let own = own.filter(|used| through.is_some() || !counted.contains(used));
            let told = not_among(&known.peers, &counted);
            let history: Vec<Use> = counted.iter().chain(told).chain(own).cloned().collect();
            let (ticket, station) = (row.shown_by_card(terms.clone()), post.as_station());
            let ticket = ticket.with(draft.proof);
            let here = decide::decide(&ticket, &station, &history, checked.server_now);
            // What it asks for, it may have been told to ask for a moment ago.
            let agrees = here.is_admitted() && !refuses_what_was_taken_back;
            draft.verdict = if agrees { checked.verdict } else { here };
            draft.left = left(&draft.verdict, station.kind, &terms, &history);
        }
        // The server meant another of the holder's tickets, of which it has yet to hear that it was used.
        let other = own.filter(|own| !draft.verdict.may_pass() && own.ticket != draft.ticket);
        self.record(other.unwrap_or(draft))
    }

    /// Who holds a signed ticket booked, whatever the server knows of it: one that was restored from a backup may have lost
    /// it. What this door says by the signature, or by its own copy, holds; but where another door told the server that it
    /// was used, it was.
    fn weigh_unbooked(&mut self, mut draft: Draft, checked: &Checked) -> Effect {
        let is_used = checked.verdict.reason() == Some(admission::Reason::AlreadyUsed);
        if draft.verdict.is_admitted() && is_used {
            draft.verdict = checked.verdict.clone();
            draft.left = None;
            draft.trust = Trust::Live;
        }
        self.record(draft)
    }

    pub(super) fn record(&mut self, draft: Draft) -> Effect {
        let Some(post) = &self.known.post else {
            let why = self.closed_because().unwrap_or(Closed::NotReady);
            return Effect::Show(self.closed(why, draft.at));
        };
        let seq = self.known.head.seq + 1;
        let entry = Entry::of(&Scan {
            seq,
            event: post.event.number,
            station_kind: post.station_kind,
            station: post.station.clone(),
            medium: draft.medium,
            ticket: draft.ticket,
            verdict: draft.verdict.clone(),
            trust: draft.trust,
            at: draft.at,
            skew: self.known.skew,
            deed: draft.deed.clone(),
        });
        let head = Head { seq, chain: self.known.head.chain.after(seq, &entry) };
        let admitted = draft.ticket.filter(|_| draft.verdict.is_admitted());
        let line = Line { head, entry, admitted, deed: draft.deed.clone() };
        self.turn = Turn::Recording(draft, head);
        Effect::Record(line)
    }

    pub(super) fn recorded(&mut self, draft: Draft, head: Head) -> Effect {
        self.known.head = head;
        if draft.verdict.is_admitted() {
            self.moved(head.seq, 1);
        } else if draft.deed.act == Act::Undo {
            self.moved(head.seq, -1);
        }
        let post = self.known.post.as_ref();
        let kind = post.map_or(StationKind::Gate, |post| post.station_kind);
        let offer = post.zip(draft.class).and_then(|(post, class)| post.event.offer(class));
        let glance = draft
            .ticket
            .filter(|_| matches!(draft.verdict.reason(), Some(Reason::ShowId | Reason::StaleCode)));
        if let (Some(fact), Some(_)) = (draft.fact, glance) {
            self.looked_at = Some((fact, draft.at));
        }
        let visit = draft.ticket.filter(|_| {
            matches!(kind, StationKind::Booth | StationKind::Desk) && draft.verdict.is_admitted()
        });
        if !matches!(draft.deed.act, Act::Undo | Act::Consent) {
            self.pending = Pending {
                at: draft.at,
                tickets: draft.choices.iter().map(|choice| choice.ticket).collect(),
                visit: visit.map(|ticket| (head.seq, ticket)),
            };
        }
        let shown = Shown {
            scan: Some(format!("{}-{}", self.kiosk, head.seq)),
            kind,
            outcome: Outcome::Decided(draft.verdict, draft.note),
            trust: draft.trust,
            holder: draft.holder,
            place: draft.place,
            offer: offer.map(|offer| offer.name.clone()),
            left: draft.left,
            choices: draft.choices,
            glance,
            number: None,
            asks_consent: visit.is_some(),
            at: draft.at,
            decide_us: 0,
        };
        let last = self.last.as_mut();
        // What the holder taps is about the card or code that was just read.
        let same = |last: &&mut Last| {
            draft.deed.act == Act::Scan || draft.ticket.is_some() && draft.ticket == last.ticket
        };
        match (draft.text, last.filter(same)) {
            (Some(text), _) => {
                let (seen, medium, ticket) = (draft.at, draft.medium, draft.ticket);
                self.last = Some(Last { text, seen, medium, ticket, shown: shown.clone() });
            }
            // What was taken back is decided anew when it is read again.
            (None, Some(_)) if draft.deed.act == Act::Undo => self.last = None,
            // Still held in view, it says what holds now.
            (None, Some(last)) => last.shown = shown.clone(),
            (None, None) => {}
        }
        Effect::Show(shown)
    }
}

/// How often it may be redeemed once this is done.
fn left(verdict: &Verdict, kind: StationKind, terms: &Terms, history: &[Use]) -> Option<u8> {
    (kind == StationKind::Counter && verdict.is_admitted() && terms.uses > 1)
        .then(|| terms.uses_left(history).saturating_sub(1))
}

/// A ticket that the card opens, with its history. One that was given here a moment ago has no row yet.
fn candidate(post: &Post, known: &Known) -> Option<(Ticket, Vec<Use>)> {
    let history = known.history();
    match &known.row {
        Some(row) => Some((row.shown_by_card(post.event.terms(row.fact.class)), history)),
        None if !known.is_used_at_doors() => None,
        None => {
            let fact = TicketFact {
                id: known.id,
                event: post.event.number,
                class: 0,
                valid_from: Millis(0),
                valid_to: Millis(i64::MAX),
                reissue: 0,
            };
            Some((Ticket::from_code(fact), history))
        }
    }
}

/// What the holder may choose from: the tickets that the rule would let pass.
fn choices(post: &Post, candidates: &[(Ticket, Vec<Use>)], now: Millis) -> Vec<Choice> {
    let station = post.as_station();
    let fits = |(ticket, history): &&(Ticket, Vec<Use>)| {
        decide::decide(ticket, &station, history, now).may_pass()
    };
    let choice = |(ticket, history): &(Ticket, Vec<Use>)| Choice {
        ticket: ticket.fact.id,
        offer: post.event.offer(ticket.fact.class).map_or(String::new(), |o| o.name.clone()),
        left: ticket.terms.uses_left(history),
        of: ticket.terms.uses,
    };
    candidates.iter().filter(fits).map(choice).collect()
}

/// A place from one of the kiosk's own allotments, if there is one.
fn walk_in(post: &Post, given: &[(i64, u32)], now: Millis) -> (Verdict, Option<Allotment>) {
    let spare = |lent: &Allotment| {
        let offer = post.event.offer(lent.class)?;
        let gone = given.iter().find(|(number, _)| *number == lent.number).map_or(0, |(_, n)| *n);
        let (valid_from, valid_to) = (offer.valid_from, offer.valid_to);
        let left = lent.places.saturating_sub(gone);
        Some((*lent, Spare { valid_from, valid_to, until: lent.until, left }))
    };
    let (lent, spares): (Vec<_>, Vec<_>) = post.allotments.iter().filter_map(spare).unzip();
    let (verdict, at) = decide::decide_walk_in(&post.as_station(), &spares, now);
    (verdict, at.map(|at| lent[at]))
}
