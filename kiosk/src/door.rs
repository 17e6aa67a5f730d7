//! The door: decides one scan after the other. A state machine without I/O: whoever drives it looks up, asks,
//! writes and shows what it says, so that a simulation can run many doors on one thread.
//!
//! A scan goes `Scanned → Look → Found → (Ask → Answered) → Record → Recorded → Show`. Nothing is shown before
//! its entry is recorded, and the next scan begins only then, so journal order is the order of decisions.

use admission::{
    Refusal, Verdict,
    card::{CardKey, Fingerprint, Reading},
    decide::{self, Ticket, Use},
    scan::{Chain, Entry, Medium, Scan, Skew, Trust},
    sync::{Check, Checked, Post, TicketRow},
    ticket::{self, CodeError, TicketFact, TicketId, TrustedKeys},
    time::{HOUR, MINUTE, Millis},
};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::shown::{Closed, Note, Outcome, Shown};

/// The same text again within this time is the same scan: a code held in view, a trigger pulled twice.
pub const SAME_SCAN_MS: i64 = 2_500;

/// What happens to a door.
#[derive(Debug)]
pub enum Input {
    /// Somebody or something scanned.
    Scanned(Zeroizing<String>, Trigger),
    /// The answer to [`Effect::Look`].
    Found(Found),
    /// The answer to [`Effect::Ask`]; none when there was none in time.
    Answered(Option<Box<Checked>>),
    /// The answer to [`Effect::Record`]: whether the line is durable.
    Recorded(bool),
}

/// What a door wants done. Its result is the next [`Input`].
#[derive(Debug)]
pub enum Effect {
    /// Look this up in the kiosk's store.
    Look(Lookup),
    /// Ask the server, for at most [`admission::sync::CHECK_TIMEOUT_MS`].
    Ask(Check),
    /// Write this durably.
    Record(Line),
    /// Show this; the scan is over.
    Show(Shown),
    /// Nothing: an empty read.
    Ignore,
}

/// Who pulled the trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// A person with a scanner or a camera, which may fire twice.
    Hand,
    /// A program, to which each line is one scan.
    Machine,
}

/// A question to the kiosk's own store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// This ticket.
    Ticket(TicketId),
    /// This card's holder and their tickets.
    Card(Fingerprint),
}

/// A ticket as the store knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Which.
    pub id: TicketId,
    /// The server's row, if the kiosk has it.
    pub row: Option<TicketRow>,
    /// Admissions from this kiosk's journal on which the row has not the last word yet.
    pub own: Vec<Use>,
}

/// What the store found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// About the ticket asked for.
    Ticket(Known),
    /// No such card.
    NoCard,
    /// The card's holder.
    Card {
        /// Reported lost.
        blocked: bool,
        /// The holder's tickets.
        tickets: Vec<Known>,
    },
}

/// The end of the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The last place.
    pub seq: u64,
    /// The chain after it.
    pub chain: Chain,
}

impl Head {
    /// Before the first entry of `kiosk`'s journal.
    #[must_use]
    pub fn start(kiosk: &str) -> Self {
        Self { seq: 0, chain: Chain::start(kiosk) }
    }
}

/// A line for the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Where the journal ends with it.
    pub head: Head,
    /// What is written.
    pub entry: Entry,
    /// The ticket it lets in.
    pub admitted: Option<TicketId>,
}

/// What a door knows of the world when it begins.
#[derive(Debug)]
pub struct Knowledge {
    /// The end of its journal.
    pub head: Head,
    /// What it serves.
    pub post: Option<Post>,
    /// When its copy was last known to be complete.
    pub complete_at: Option<Millis>,
    /// The skew last measured.
    pub skew: Option<Skew>,
    /// The organizer revoked the kiosk.
    pub locked: bool,
}

/// One kiosk's door.
#[derive(Debug)]
pub struct Door {
    kiosk: String,
    /// Keeps the memory of the last text from being guessed back (it may be a card number).
    salt: [u8; 16],
    known: Knowledge,
    keys: TrustedKeys,
    card_key: Option<CardKey>,
    /// Whether asking the server is worth the wait.
    in_contact: bool,
    /// When it last left a question unanswered.
    silent_at: Option<Millis>,
    turn: Turn,
    last: Option<Last>,
}

/// How far the scan at hand is.
#[derive(Debug)]
enum Turn {
    Free,
    Looking(Draft, Subject),
    Asking(Draft, Vec<Known>),
    /// The server admits a ticket that was not looked up yet: did this kiosk let it in before?
    LookingAgain(Draft, Box<Checked>),
    Recording(Draft, Head),
}

/// What a reading turned out to be.
#[derive(Debug)]
enum Subject {
    Code(TicketFact),
    Card(Fingerprint),
}

/// A verdict in the making.
#[derive(Debug)]
struct Draft {
    text: [u8; 32],
    at: Millis,
    medium: Medium,
    verdict: Verdict,
    note: Option<Note>,
    ticket: Option<TicketId>,
    class: Option<u8>,
    holder: Option<String>,
    trust: Trust,
}

/// The last scan, for telling a repetition.
#[derive(Debug)]
struct Last {
    text: [u8; 32],
    seen: Millis,
    shown: Shown,
}

impl Door {
    /// The door of `kiosk`, which knows `known`. `salt` is random.
    #[must_use]
    pub fn new(kiosk: String, salt: [u8; 16], known: Knowledge) -> Self {
        let keys = known.post.as_ref().map(Post::trusted_keys).unwrap_or_default();
        Self {
            kiosk,
            salt,
            known,
            keys,
            card_key: None,
            in_contact: false,
            silent_at: None,
            turn: Turn::Free,
            last: None,
        }
    }

    /// Takes the next step. Inputs that do not fit the step at hand are a driver's mistake and end the scan.
    pub fn handle(&mut self, input: Input, now: Millis) -> Effect {
        match (std::mem::replace(&mut self.turn, Turn::Free), input) {
            (_, Input::Scanned(text, trigger)) => self.scanned(&text, trigger, now),
            (Turn::Looking(draft, Subject::Code(fact)), Input::Found(Found::Ticket(known))) => {
                self.decide_code(draft, &fact, known, now)
            }
            (Turn::Looking(draft, Subject::Card(fingerprint)), Input::Found(found)) => {
                self.decide_card(draft, fingerprint, found, now)
            }
            (Turn::Asking(draft, known), Input::Answered(Some(checked))) => {
                self.weigh(draft, known, checked)
            }
            (Turn::Asking(draft, _), Input::Answered(None)) => {
                self.in_contact = false;
                self.silent_at = Some(now);
                self.record(draft)
            }
            (Turn::LookingAgain(draft, checked), Input::Found(Found::Ticket(known))) => {
                self.weigh(draft, vec![known], checked)
            }
            (Turn::Recording(draft, head), Input::Recorded(true)) => self.recorded(draft, head),
            _ => Effect::Show(self.closed(Closed::OutOfOrder, now)),
        }
    }

    /// What the server said the kiosk serves.
    pub fn take_post(&mut self, post: Post) {
        self.keys = post.trusted_keys();
        self.known.post = Some(post);
    }

    /// A sync ended well: the copy was complete at `complete_at`.
    pub fn synced(&mut self, complete_at: Millis, skew: Option<Skew>) {
        self.known.complete_at = Some(complete_at);
        self.known.skew = skew;
        // One that began before a question went unanswered does not prove that the next would be answered.
        // (Long before: then the clock was set back, and it does.)
        let outrun = |silent_at: Millis| (1..MINUTE).contains(&silent_at.since(complete_at));
        self.in_contact = !self.silent_at.is_some_and(outrun);
    }

    /// A sync failed: the server is not worth a wait.
    pub fn lost_contact(&mut self) {
        self.in_contact = false;
    }

    /// The secret under which cards are fingerprinted; none forgets it.
    pub fn take_card_key(&mut self, card_key: Option<CardKey>) {
        self.card_key = card_key;
    }

    /// The copy was wiped because its lease ended: codes are still decided by their signature.
    pub fn forget_copy(&mut self) {
        self.known.complete_at = None;
        self.card_key = None;
        self.last = None;
    }

    /// The organizer revoked the kiosk: everything but the journal's end is forgotten.
    pub fn lock(&mut self) {
        self.forget_copy();
        self.known.post = None;
        self.known.locked = true;
        self.keys = TrustedKeys::default();
    }

    /// The journal ends elsewhere than was thought: a write whose outcome was unknown.
    pub fn take_head(&mut self, head: Head) {
        self.known.head = head;
    }

    /// The end of the journal.
    #[must_use]
    pub const fn head(&self) -> Head {
        self.known.head
    }

    /// What the kiosk serves.
    #[must_use]
    pub const fn post(&self) -> Option<&Post> {
        self.known.post.as_ref()
    }

    /// Whether cards can be read.
    #[must_use]
    pub const fn reads_cards(&self) -> bool {
        self.card_key.is_some()
    }

    /// Whether the server answered last.
    #[must_use]
    pub const fn in_contact(&self) -> bool {
        self.in_contact
    }

    /// Why nothing is decided, if so.
    #[must_use]
    pub const fn closed_because(&self) -> Option<Closed> {
        if self.known.locked {
            Some(Closed::Locked)
        } else if self.known.post.is_none() {
            Some(Closed::NotReady)
        } else {
            None
        }
    }

    /// Whether what the copy tells of people must go: its lease is over, and the server has not been heard for
    /// an hour. (While it is heard, it renews the lease or says what goes.)
    #[must_use]
    pub fn lease_ended(&self, now: Millis) -> bool {
        match (&self.known.post, self.known.complete_at) {
            (Some(post), Some(complete_at)) => {
                self.true_time(now) > post.lease_until && now.since(complete_at) > HOUR
            }
            _ => false,
        }
    }

    /// The best estimate of the true time when the kiosk's clock shows `now`.
    #[must_use]
    pub fn true_time(&self, now: Millis) -> Millis {
        now.plus(self.known.skew.map_or(0, |skew| skew.ms))
    }

    /// The trust of a verdict from the kiosk's own copy.
    #[must_use]
    pub fn local_trust(&self, now: Millis) -> Trust {
        self.known.complete_at.map_or(Trust::SignatureOnly, |complete_at| Trust::Local {
            age_ms: now.since(complete_at).max(0),
        })
    }

    /// What is shown when nothing can be decided.
    #[must_use]
    pub fn closed(&self, closed: Closed, now: Millis) -> Shown {
        Shown {
            scan: None,
            outcome: Outcome::Closed(closed),
            trust: self.local_trust(now),
            holder: None,
            offer: None,
            at: now,
            decide_us: 0,
        }
    }

    fn scanned(&mut self, text: &str, trigger: Trigger, now: Millis) -> Effect {
        let text = text.trim();
        if text.is_empty() {
            return Effect::Ignore;
        }
        let hash: [u8; 32] =
            Sha256::new().chain_update(self.salt).chain_update(text).finalize().into();
        if let Some(shown) = self.repeated(&hash, trigger, now) {
            return Effect::Show(shown);
        }
        if let Some(closed) = self.closed_because() {
            return Effect::Show(self.closed(closed, now));
        }
        let draft = Draft {
            text: hash,
            at: now,
            medium: Medium::Other,
            verdict: Verdict::Refused(Refusal::Unknown),
            note: None,
            ticket: None,
            class: None,
            holder: None,
            trust: self.local_trust(now),
        };
        match Reading::of(text) {
            Reading::Other => self.record(draft),
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

    /// A code or card that is still in view is not another scan.
    fn repeated(&mut self, text: &[u8; 32], trigger: Trigger, now: Millis) -> Option<Shown> {
        let last = self.last.as_mut()?;
        let soon = (0..SAME_SCAN_MS).contains(&now.since(last.seen));
        (trigger == Trigger::Hand && soon && last.text == *text).then(|| {
            last.seen = now;
            last.shown.clone()
        })
    }

    fn read_code(&mut self, draft: Draft, code: &str) -> Effect {
        match ticket::verify(code, &self.keys) {
            Ok(fact) => {
                let draft = Draft { ticket: Some(fact.id), class: Some(fact.class), ..draft };
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

    fn decide_code(
        &mut self,
        mut draft: Draft,
        fact: &TicketFact,
        known: Known,
        now: Millis,
    ) -> Effect {
        let Some(post) = &self.known.post else {
            return Effect::Show(self.closed(Closed::NotReady, now));
        };
        let station = post.as_station();
        let ticket = match &known.row {
            Some(row) => {
                draft.holder = Some(row.holder.clone());
                row.shown_by_code(fact.reissue)
            }
            None => {
                draft.trust = Trust::SignatureOnly;
                Ticket::from_code(*fact)
            }
        };
        // The event that was signed holds, whatever a row says.
        let ticket = Ticket { fact: TicketFact { event: fact.event, ..ticket.fact }, ..ticket };
        draft.verdict =
            decide::decide(&ticket, &station, &known.history(), self.true_time(draft.at));
        // Of another event's ticket the server would say no more; of an admission here it knows no more.
        if fact.event != station.event || !known.own.is_empty() {
            return self.record(draft);
        }
        let check = self.check(&draft, Some((fact.id, fact.reissue)), None);
        self.ask_or_record(draft, vec![known], check)
    }

    fn decide_card(
        &mut self,
        mut draft: Draft,
        fingerprint: Fingerprint,
        found: Found,
        now: Millis,
    ) -> Effect {
        let Some(post) = &self.known.post else {
            return Effect::Show(self.closed(Closed::NotReady, now));
        };
        let tickets = match found {
            Found::Card { blocked: true, .. } => {
                draft.verdict = Verdict::Refused(Refusal::BlockedCard);
                Vec::new()
            }
            Found::Card { blocked: false, tickets } => {
                let (rows, candidates): (Vec<_>, Vec<_>) = tickets
                    .iter()
                    .filter_map(|known| Some((known.row.as_ref()?, known.history())))
                    .map(|(row, history)| (row, (row.shown_by_card(), history)))
                    .unzip();
                let true_now = self.true_time(draft.at);
                let (verdict, at) =
                    decide::decide_for_card(&candidates, &post.as_station(), true_now);
                draft.verdict = verdict;
                if let Some(row) = at.and_then(|at| rows.get(at)) {
                    draft.is_about(row);
                }
                tickets
            }
            Found::NoCard | Found::Ticket(_) => {
                draft.verdict = Verdict::Refused(Refusal::UnknownCard);
                Vec::new()
            }
        };
        let check = self.check(&draft, None, Some(fingerprint));
        self.ask_or_record(draft, tickets, check)
    }

    fn check(
        &self,
        draft: &Draft,
        ticket: Option<(TicketId, u8)>,
        card: Option<Fingerprint>,
    ) -> Check {
        Check { seq: self.known.head.seq + 1, ticket, card, medium: draft.medium, at: draft.at }
    }

    fn ask_or_record(&mut self, draft: Draft, known: Vec<Known>, check: Check) -> Effect {
        if !self.in_contact {
            return self.record(draft);
        }
        self.turn = Turn::Asking(draft, known);
        Effect::Ask(check)
    }

    /// The server knows more, except of what this kiosk did and has not told it yet.
    fn weigh(&mut self, mut draft: Draft, known: Vec<Known>, checked: Box<Checked>) -> Effect {
        draft.trust = Trust::Live;
        if let Some(row) = &checked.ticket
            && (draft.medium == Medium::Card || draft.ticket == Some(row.fact.id))
        {
            draft.is_about(row);
        }
        if !checked.verdict.is_admitted() {
            draft.verdict = checked.verdict;
            return self.record(draft);
        }
        let Some(id) = draft.ticket else {
            // Admitted, but on what? The kiosk's own verdict stands.
            return self.record(draft);
        };
        let Some(known) = known.iter().find(|known| known.id == id) else {
            self.turn = Turn::LookingAgain(draft, checked);
            return Effect::Look(Lookup::Ticket(id));
        };
        draft.verdict = match known.own.iter().min_by_key(|used| used.at) {
            Some(Use { at, station }) => {
                let station = station.clone();
                Verdict::Refused(Refusal::AlreadyUsed { at: *at, station })
            }
            None => Verdict::Admitted,
        };
        self.record(draft)
    }

    fn record(&mut self, draft: Draft) -> Effect {
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
        });
        let head = Head { seq, chain: self.known.head.chain.after(seq, &entry) };
        let admitted = draft.ticket.filter(|_| draft.verdict.is_admitted());
        let line = Line { head, entry, admitted };
        self.turn = Turn::Recording(draft, head);
        Effect::Record(line)
    }

    fn recorded(&mut self, draft: Draft, head: Head) -> Effect {
        self.known.head = head;
        let offers = self.known.post.as_ref().map_or(&[][..], |post| &post.event.offers);
        let offer = offers.iter().find(|(class, _)| Some(*class) == draft.class);
        let shown = Shown {
            scan: Some(format!("{}-{}", self.kiosk, head.seq)),
            outcome: Outcome::Decided(draft.verdict, draft.note),
            trust: draft.trust,
            holder: draft.holder,
            offer: offer.map(|(_, name)| name.clone()),
            at: draft.at,
            decide_us: 0,
        };
        self.last = Some(Last { text: draft.text, seen: draft.at, shown: shown.clone() });
        Effect::Show(shown)
    }
}

impl Draft {
    fn is_about(&mut self, row: &TicketRow) {
        self.ticket = Some(row.fact.id);
        self.class = Some(row.fact.class);
        self.holder = Some(row.holder.clone());
    }
}

impl Known {
    /// Every admission known: this kiosk's own and the one that the server counts.
    fn history(&self) -> Vec<Use> {
        let used = self.row.as_ref().and_then(|row| row.used.clone());
        self.own.iter().cloned().chain(used).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use admission::{
        decide::{Reason, StationKind, TicketState},
        sync::{EventInfo, IssuerPublicKey},
        ticket::IssuerKey,
    };
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;

    use super::*;

    const NOON: Millis = Millis(1_800_000_000_000);
    const CARD: &str = ";6210300000000007=30122200000000000000?";

    fn issuer() -> IssuerKey {
        IssuerKey::new(1, &[3; 32])
    }

    fn card_key() -> CardKey {
        CardKey::new([5; 32])
    }

    fn fact(id: u8) -> TicketFact {
        TicketFact {
            id: TicketId([id; 12]),
            event: 4,
            class: 0,
            valid_from: NOON.plus(-60 * MINUTE),
            valid_to: NOON.plus(60 * MINUTE),
            reissue: 0,
        }
    }

    fn row(id: u8) -> TicketRow {
        TicketRow {
            fact: fact(id),
            state: TicketState::Valid,
            person: Some("p".into()),
            holder: "王*明".into(),
            used: None,
            revision: 1,
        }
    }

    fn code(id: u8) -> String {
        fact(id).sign(&issuer())
    }

    fn fingerprint() -> Fingerprint {
        admission::card::CardNumber::read(CARD).expect("a card").fingerprint(&card_key())
    }

    fn used(station: &str) -> Use {
        Use { at: NOON.plus(-MINUTE), station: station.into() }
    }

    fn post() -> Post {
        Post {
            name: "K1".into(),
            station_kind: StationKind::Gate,
            station: "东门".into(),
            event: EventInfo {
                number: 4,
                id: "e".into(),
                title: "乒乓球赛".into(),
                time_zone: "Asia/Shanghai".into(),
                starts_at: NOON,
                ends_at: NOON.plus(60 * MINUTE),
                cancelled: false,
                offers: vec![(0, "男子单打".into())],
            },
            keys: vec![IssuerPublicKey { id: 1, public_key: HEXLOWER.encode(&issuer().public()) }],
            card_bins: vec!["621030".into()],
            lease_until: NOON.plus(24 * HOUR),
        }
    }

    /// A door with its surroundings in memory: what a simulation does too.
    struct Rig {
        door: Door,
        rows: HashMap<TicketId, TicketRow>,
        cards: HashMap<[u8; 32], bool>,
        own: HashMap<TicketId, Vec<Use>>,
        /// What the server says; none is silence.
        server: Option<Checked>,
        asked: u32,
        journal: Vec<Line>,
        writable: bool,
        now: Millis,
    }

    impl Rig {
        fn new() -> Self {
            let known = Knowledge {
                head: Head::start("k"),
                post: Some(post()),
                complete_at: Some(NOON.plus(-3 * MINUTE)),
                skew: None,
                locked: false,
            };
            let mut door = Door::new("k".into(), [0; 16], known);
            door.take_card_key(Some(card_key()));
            Self {
                door,
                rows: HashMap::new(),
                cards: HashMap::new(),
                own: HashMap::new(),
                server: None,
                asked: 0,
                journal: Vec::new(),
                writable: true,
                now: NOON,
            }
        }

        fn with(mut self, row: TicketRow) -> Self {
            self.rows.insert(row.fact.id, row);
            self
        }

        fn with_card(mut self, blocked: bool) -> Self {
            self.cards.insert(fingerprint().0, blocked);
            self
        }

        fn online(mut self, verdict: Verdict, ticket: Option<TicketRow>) -> Self {
            self.door.synced(self.now, None);
            self.server = Some(Checked { verdict, ticket, server_now: NOON });
            self
        }

        fn scan_by(&mut self, text: &str, trigger: Trigger) -> Shown {
            let mut input = Input::Scanned(Zeroizing::new(text.to_owned()), trigger);
            loop {
                input = match self.door.handle(input, self.now) {
                    Effect::Look(lookup) => Input::Found(self.look(lookup)),
                    Effect::Ask(check) => {
                        assert_eq!(check.seq, self.journal.len() as u64 + 1);
                        self.asked += 1;
                        Input::Answered(self.server.clone().map(Box::new))
                    }
                    Effect::Record(line) => {
                        if self.writable {
                            self.write(line);
                        }
                        Input::Recorded(self.writable)
                    }
                    Effect::Show(shown) => return shown,
                    Effect::Ignore => panic!("nothing was scanned"),
                }
            }
        }

        fn scan(&mut self, text: &str) -> Shown {
            self.scan_by(text, Trigger::Machine)
        }

        fn reason(&mut self, text: &str) -> Option<Reason> {
            match self.scan(text).outcome {
                Outcome::Decided(verdict, _) => verdict.reason(),
                Outcome::Closed(closed) => panic!("{closed:?}"),
            }
        }

        fn known(&self, id: TicketId) -> Known {
            let own = self.own.get(&id).cloned().unwrap_or_default();
            Known { id, row: self.rows.get(&id).cloned(), own }
        }

        fn look(&self, lookup: Lookup) -> Found {
            match lookup {
                Lookup::Ticket(id) => Found::Ticket(self.known(id)),
                Lookup::Card(fingerprint) => match self.cards.get(&fingerprint.0) {
                    None => Found::NoCard,
                    Some(&blocked) => {
                        let mut ids: Vec<_> = self.rows.keys().copied().collect();
                        ids.sort();
                        let tickets = ids.into_iter().map(|id| self.known(id)).collect();
                        Found::Card { blocked, tickets }
                    }
                },
            }
        }

        fn write(&mut self, line: Line) {
            if let Some(id) = line.admitted {
                let at = line.entry.scan().expect("own entry").true_at();
                self.own.entry(id).or_default().push(Use { at, station: "东门".into() });
            }
            self.journal.push(line);
        }
    }

    fn forged(code: &str) -> String {
        let last = if code.ends_with('A') { 'Q' } else { 'A' };
        format!("{}{last}", &code[..code.len() - 1])
    }

    #[test]
    fn each_fault_of_a_code_has_its_own_reason() {
        let elsewhere = TicketFact { event: 5, ..fact(2) };
        let early = TicketFact { valid_from: NOON.plus(30 * MINUTE), ..fact(3) };
        let late = TicketFact { valid_to: NOON.plus(-30 * MINUTE), ..fact(4) };
        let cancelled = TicketRow { state: TicketState::Cancelled, ..row(5) };
        let reissued = TicketRow { fact: TicketFact { reissue: 1, ..fact(6) }, ..row(6) };
        let taken = TicketRow { used: Some(used("西门")), ..row(7) };
        let mut rig = Rig::new().with(row(1)).with(cancelled).with(reissued).with(taken);
        for (text, reason) in [
            (code(1), None),
            (code(1), Some(Reason::AlreadyUsed)),
            (elsewhere.sign(&issuer()), Some(Reason::WrongEvent)),
            (early.sign(&issuer()), Some(Reason::TooEarly)),
            (late.sign(&issuer()), Some(Reason::TooLate)),
            (code(5), Some(Reason::Cancelled)),
            (code(6), Some(Reason::Revoked)),
            (code(7), Some(Reason::AlreadyUsed)),
            (forged(&code(8)), Some(Reason::Forged)),
            (fact(8).sign(&IssuerKey::new(1, &[4; 32])), Some(Reason::Forged)),
            ("https://example.org/".to_owned(), Some(Reason::Unknown)),
        ] {
            assert_eq!(rig.reason(&text), reason, "{text}");
        }
        assert_eq!(rig.journal.len(), 11, "every scan is recorded, refusals too");
    }

    #[test]
    fn each_fault_of_a_card_has_its_own_reason() {
        assert_eq!(Rig::new().reason(CARD), Some(Reason::UnknownCard));
        assert_eq!(Rig::new().with_card(true).with(row(1)).reason(CARD), Some(Reason::BlockedCard));
        assert_eq!(Rig::new().with_card(false).reason(CARD), Some(Reason::NotBooked));
        let mut rig = Rig::new().with_card(false).with(row(1));
        assert_eq!(rig.reason(CARD), None);
        assert_eq!(rig.reason(CARD), Some(Reason::AlreadyUsed));
        assert_eq!(rig.reason(&code(1)), Some(Reason::AlreadyUsed), "the code after the card");
    }

    #[test]
    fn a_foreign_card_and_a_locked_key_are_told_apart() {
        let mut rig = Rig::new().with_card(false).with(row(1));
        let foreign = rig.scan("4111111111111111");
        assert_eq!(
            foreign.outcome,
            Outcome::Decided(Note::NotAUnionCard.verdict(), Some(Note::NotAUnionCard))
        );
        rig.door.take_card_key(None);
        let locked = rig.scan(CARD);
        assert_eq!(locked.verdict_word(), "attention");
        assert_eq!(
            locked.outcome,
            Outcome::Decided(Note::CardsLocked.verdict(), Some(Note::CardsLocked))
        );
        assert_eq!(rig.reason(&code(1)), None, "codes still work");
    }

    #[test]
    fn trust_says_on_what_a_verdict_rests() {
        let mut rig = Rig::new().with(row(1));
        assert_eq!(rig.scan(&code(1)).trust, Trust::Local { age_ms: 3 * MINUTE });
        assert_eq!(rig.scan(&code(2)).trust, Trust::SignatureOnly);
        let mut rig = Rig::new().with(row(3)).online(Verdict::Admitted, Some(row(3)));
        assert_eq!(rig.scan(&code(3)).trust, Trust::Live);
    }

    #[test]
    fn the_server_knows_more() {
        let refusal = Refusal::AlreadyUsed { at: NOON, station: "西门".into() };
        let mut rig =
            Rig::new().with(row(1)).online(Verdict::Refused(refusal.clone()), Some(row(1)));
        assert_eq!(rig.scan(&code(1)).outcome, Outcome::Decided(Verdict::Refused(refusal), None));
        // An admission undone by the organizer, and a ticket booked a moment ago.
        let taken = TicketRow { used: Some(used("西门")), ..row(2) };
        let mut rig = Rig::new().with(taken).online(Verdict::Admitted, Some(row(2)));
        assert_eq!(rig.reason(&code(2)), None);
        let mut rig = Rig::new().online(Verdict::Admitted, Some(row(3)));
        let shown = rig.scan(CARD);
        assert_eq!((shown.verdict_word(), shown.holder.as_deref()), ("admitted", Some("王*明")));
        assert_eq!(shown.offer.as_deref(), Some("男子单打"));
    }

    #[test]
    fn what_this_kiosk_let_in_stays_let_in() {
        let mut rig = Rig::new().with(row(1)).with_card(false);
        assert_eq!(rig.reason(&code(1)), None);
        let mut rig = rig.online(Verdict::Admitted, Some(row(1)));
        assert_eq!(rig.reason(&code(1)), Some(Reason::AlreadyUsed));
        assert_eq!(rig.asked, 0, "nothing the server could say would change it");
        assert_eq!(rig.reason(CARD), Some(Reason::AlreadyUsed));
        // Even when the copy does not know whose the ticket is.
        rig.rows.clear();
        assert_eq!(rig.reason(CARD), Some(Reason::AlreadyUsed));
    }

    #[test]
    fn an_unplugged_network_costs_one_question_at_most() {
        let mut rig = Rig::new().with(row(1)).with(row(2)).with(row(3));
        rig.door.synced(NOON, None);
        rig.server = None;
        assert_eq!(rig.reason(&code(1)), None);
        assert_eq!(rig.reason(&code(2)), None);
        assert_eq!(rig.asked, 1);
        // A sync that was under way when the plug was pulled.
        rig.door.synced(NOON.plus(-500), None);
        assert_eq!(rig.reason(&code(4)), None);
        assert_eq!(rig.asked, 1);
        let mut rig = rig.online(Verdict::Admitted, Some(row(3)));
        assert_eq!(rig.reason(&code(3)), None);
        assert_eq!(rig.asked, 2);
    }

    #[test]
    fn forged_and_foreign_texts_are_never_asked_about() {
        let mut rig = Rig::new().online(Verdict::Admitted, Some(row(1)));
        assert_eq!(rig.reason(&forged(&code(1))), Some(Reason::Forged));
        assert_eq!(rig.reason("hello"), Some(Reason::Unknown));
        let elsewhere = TicketFact { event: 5, ..fact(2) };
        assert_eq!(rig.reason(&elsewhere.sign(&issuer())), Some(Reason::WrongEvent));
        assert_eq!(rig.asked, 0);
    }

    #[test]
    fn a_code_held_in_view_is_one_scan() {
        let mut rig = Rig::new().with(row(1));
        let first = rig.scan_by(&code(1), Trigger::Hand);
        for _ in 0..5 {
            rig.now = rig.now.plus(SAME_SCAN_MS - 1);
            assert_eq!(rig.scan_by(&code(1), Trigger::Hand), first);
        }
        assert_eq!(rig.journal.len(), 1);
        rig.now = rig.now.plus(SAME_SCAN_MS);
        assert_eq!(rig.scan_by(&code(1), Trigger::Hand).reason_word(), Some("already_used"));
        // To a program each line is a scan.
        assert_eq!(rig.scan(&code(1)).scan.as_deref(), Some("k-3"));
    }

    #[test]
    fn without_a_durable_line_nothing_is_green() {
        let mut rig = Rig::new().with(row(1));
        rig.writable = false;
        let shown = rig.scan_by(&code(1), Trigger::Hand);
        assert_eq!(shown.outcome, Outcome::Closed(Closed::OutOfOrder));
        assert_eq!(rig.door.head(), Head::start("k"));
        rig.writable = true;
        let shown = rig.scan_by(&code(1), Trigger::Hand);
        assert_eq!((shown.verdict_word(), shown.scan.as_deref()), ("admitted", Some("k-1")));
    }

    #[test]
    fn a_locked_kiosk_decides_nothing_and_forgets() {
        let mut rig = Rig::new().with(row(1));
        rig.door.lock();
        assert_eq!(rig.scan(&code(1)).outcome, Outcome::Closed(Closed::Locked));
        assert!(rig.journal.is_empty() && !rig.door.reads_cards());
    }

    #[test]
    fn a_lease_ends_only_out_of_contact() {
        let mut rig = Rig::new();
        assert!(!rig.door.lease_ended(NOON.plus(24 * HOUR)));
        assert!(rig.door.lease_ended(NOON.plus(24 * HOUR + 1)));
        rig.door.synced(NOON.plus(24 * HOUR), None);
        assert!(!rig.door.lease_ended(NOON.plus(24 * HOUR + 1)));
    }

    #[test]
    fn a_wrong_clock_is_corrected_before_it_refuses_anybody() {
        let mut rig = Rig::new().with(row(1));
        rig.now = NOON.plus(-3 * HOUR);
        rig.door.synced(rig.now, Some(Skew { ms: 3 * HOUR, error_ms: 5 }));
        assert_eq!(rig.reason(&code(1)), None);
        let scan = rig.journal[0].entry.scan().expect("own entry");
        assert_eq!((scan.at, scan.true_at()), (NOON.plus(-3 * HOUR), NOON));
    }

    #[test]
    fn the_journal_is_one_chain() {
        let mut rig = Rig::new().with(row(1));
        let mut chain = Chain::start("k");
        for text in [code(1), code(1), "x".to_owned()] {
            rig.scan(&text);
        }
        for (at, line) in rig.journal.iter().enumerate() {
            chain = chain.after(at as u64 + 1, &line.entry);
            assert_eq!(line.head, Head { seq: at as u64 + 1, chain });
        }
        let text: String = rig.journal.iter().map(|line| line.entry.0.clone()).collect();
        assert!(!text.contains("王*明"), "the journal names nobody");
    }

    proptest! {
        /// Whatever is scanned and whatever the server says: no signature, no green.
        #[test]
        fn no_text_is_admitted_without_a_signature(text in any::<String>(), online: bool) {
            let mut rig = Rig::new().with(row(1));
            if online {
                rig = rig.online(Verdict::Admitted, Some(row(1)));
            }
            if !text.trim().is_empty() {
                prop_assert_ne!(rig.scan(&text).verdict_word(), "admitted");
            }
        }

        #[test]
        fn no_changed_code_is_admitted(at in 2..ticket::CODE_CHARS, to in "[A-Z2-7]") {
            let mut changed = code(1);
            prop_assume!(changed[at..=at] != to);
            changed.replace_range(at..=at, &to);
            let mut rig = Rig::new().with(row(1)).online(Verdict::Admitted, Some(row(1)));
            prop_assert_ne!(rig.scan(&changed).verdict_word(), "admitted");
        }

        /// Any order of scans of few tickets, with silence and answers in between: each is let in once at most.
        #[test]
        fn a_ticket_is_let_in_once(scans in prop::collection::vec((1_u8..4, any::<bool>(), any::<bool>()), 1..40)) {
            let mut rig = Rig::new().with(row(1)).with(row(2)).with_card(false);
            let mut admitted = HashMap::new();
            for (id, by_card, online) in scans {
                rig.server = online.then(|| Checked {
                    verdict: Verdict::Admitted,
                    ticket: Some(row(id)),
                    server_now: NOON,
                });
                rig.door.synced(rig.now, None);
                rig.scan(&if by_card { CARD.to_owned() } else { code(id) });
                if let Some(id) = rig.journal.last().and_then(|line| line.admitted) {
                    *admitted.entry(id).or_insert(0) += 1;
                }
            }
            prop_assert!(admitted.values().all(|&times| times == 1));
        }
    }
}
