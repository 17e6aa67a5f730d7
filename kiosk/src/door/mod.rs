//! The door: decides one scan after the other. A state machine without I/O: whoever drives it looks up, asks,
//! writes and shows what it says, so that a simulation can run many doors on one thread.
//!
//! A scan goes `Scanned → Look → Found → (Ask → Answered) → Record → Recorded → Show`. Nothing is shown before
//! its entry is recorded, and the next scan begins only then, so journal order is the order of decisions.

mod clock;
mod order;
mod room;
mod turn;

use admission::{
    Refusal, Verdict,
    card::{CardKey, Fingerprint},
    decide::{self, Proof, Ticket, Use},
    moving::Letters,
    scan::{Chain, Deed, Entry, Medium, Scan, Skew, Trust},
    sync::{Check, Checked, OfferInfo, Post, TicketRow},
    ticket::{TicketFact, TicketId, TrustedKeys},
    time::{MINUTE, Millis},
};
use zeroize::Zeroizing;

pub use self::order::{Cannot, Order, What};
use crate::{
    mesh::not_among,
    shown::{Choice, Closed, Note, Outcome, Shown, Unread},
};

/// The same text again within this time is the same scan: a code held in view, a trigger pulled twice.
pub const SAME_SCAN_MS: i64 = 2_500;
/// A reader may send each track of a card for itself, within this time.
const ONE_SWIPE_MS: i64 = 1_000;

/// What happens to a door.
#[expect(clippy::large_enum_variant, reason = "one at a time is handed on, and none is kept")]
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
    /// Staff or the holder tapped something.
    Ordered(Order),
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
    /// What was ordered cannot be done.
    Cannot(Cannot),
}

/// Who pulled the trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// A person with a scanner, which may fire twice.
    Hand,
    /// A camera, likewise. It sees pictures: the number of a card in one of them is no card.
    Camera,
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
    /// This ticket, and the last admission on it by this kiosk.
    Admission(TicketId),
}

/// A ticket as the store knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Which.
    pub id: TicketId,
    /// The server's row, if the kiosk has it.
    pub row: Option<TicketRow>,
    /// Uses from this kiosk's journal on which the row has not the last word yet, with their places.
    pub own: Vec<(u64, Use)>,
    /// Uses that the row still counts and that were taken back here, or at another door, since.
    pub taken_back: Vec<Use>,
    /// Uses from this kiosk's journal that the row never counted, each with the place where it was taken back: the server
    /// counts one from when it hears of it until it hears of that place.
    pub undone: Vec<(u64, Use)>,
    /// Uses that other doors told of and the row does not tell yet.
    pub peers: Vec<Use>,
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
        /// Whose it is.
        person: String,
        /// The holder's tickets.
        tickets: Vec<Known>,
        /// How many places this kiosk gave of each of its allotments, by number.
        given: Vec<(i64, u32)>,
        /// A random id, should a ticket be given.
        fresh: TicketId,
    },
    /// About the ticket asked for, with the place of this kiosk's last admission on it that stands.
    Admission(Known, Option<u64>),
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
    /// What it does beside.
    pub deed: Deed,
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
    /// With how many other doors this one agrees now.
    agreed: u32,
    turn: Turn,
    last: Option<Last>,
    pending: Pending,
    /// What the code says of whom staff were asked to look at last, and when: it may be in no list here yet.
    looked_at: Option<(TicketFact, Millis)>,
    moves: room::Moves,
    /// What it does not know of the time.
    doubt: Option<clock::Doubt>,
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

/// What a lookup is for.
#[derive(Debug)]
enum Subject {
    Code(TicketFact),
    Card(Fingerprint),
    /// A ticket of the list, or of those that the holder may choose from.
    Listed,
    /// A supervisor lets it pass, whatever the rule says.
    Overridden,
    /// The last admission on it is taken back.
    TakenBack,
}

/// A verdict in the making.
#[derive(Clone, Debug)]
struct Draft {
    /// The text that was read, hashed; none when nothing was.
    text: Option<[u8; 32]>,
    at: Millis,
    medium: Medium,
    verdict: Verdict,
    note: Option<Note>,
    ticket: Option<TicketId>,
    class: Option<u8>,
    /// What its code says, or the copy: by that a server can decide that has lost it.
    fact: Option<TicketFact>,
    /// What shows that the holder is here.
    proof: Proof,
    holder: Option<String>,
    /// The walker's number, or the seat.
    place: Option<String>,
    trust: Trust,
    deed: Deed,
    /// How often it may be redeemed after this, when it is redeemed.
    left: Option<u8>,
    /// What the holder may choose from.
    choices: Vec<Choice>,
}

/// What the holder may answer to what was just shown, for a minute.
#[derive(Debug, Default)]
struct Pending {
    at: Millis,
    /// Tickets to choose from, after a card at a counter.
    tickets: Vec<TicketId>,
    /// A visit that waits for the holder's word: its place and ticket.
    visit: Option<(u64, TicketId)>,
}

/// The last scan, for telling a repetition.
#[derive(Debug)]
struct Last {
    text: [u8; 32],
    seen: Millis,
    medium: Medium,
    ticket: Option<TicketId>,
    /// What holds of it now: also what was tapped since.
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
            agreed: 0,
            turn: Turn::Free,
            last: None,
            pending: Pending::default(),
            looked_at: None,
            moves: room::Moves::default(),
            doubt: None,
        }
    }

    /// Takes the next step. Inputs that do not fit the step at hand are a driver's mistake and end the scan.
    pub fn handle(&mut self, input: Input, now: Millis) -> Effect {
        match (std::mem::replace(&mut self.turn, Turn::Free), input) {
            (_, Input::Scanned(text, trigger)) => self.scanned(&text, trigger, now),
            (_, Input::Ordered(order)) => self.ordered(order, now),
            (Turn::Looking(draft, Subject::Code(fact)), Input::Found(Found::Ticket(known))) => {
                self.decide_code(draft, &fact, known, now)
            }
            (Turn::Looking(draft, Subject::Card(fingerprint)), Input::Found(found)) => {
                self.decide_card(draft, fingerprint, found, now)
            }
            (Turn::Looking(draft, Subject::Listed), Input::Found(Found::Ticket(known))) => {
                self.decide_listed(draft, known, now)
            }
            (Turn::Looking(draft, Subject::Overridden), Input::Found(Found::Ticket(known))) => {
                self.override_rule(draft, &known, now)
            }
            (
                Turn::Looking(draft, Subject::TakenBack),
                Input::Found(Found::Admission(known, seq)),
            ) => self.take_back(draft, &known, seq),
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
        self.settle_moves();
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

    /// With how many other doors this one agrees now: of what they did, nothing is missing in what is found.
    pub const fn take_agreed(&mut self, kiosks: u32) {
        self.agreed = kiosks;
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
        self.pending = Pending::default();
        self.looked_at = None;
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

    /// The trust of a verdict from the kiosk's own copy.
    #[must_use]
    pub fn local_trust(&self, now: Millis) -> Trust {
        let Some(complete_at) = self.known.complete_at else { return Trust::SignatureOnly };
        let age_ms = now.since(complete_at).max(0);
        match self.agreed {
            0 => Trust::Local { age_ms },
            kiosks => Trust::Agreed { kiosks, age_ms },
        }
    }

    /// What every ticket is told here at this hour; none while one of the offers admits. (Nobody is kept inside.)
    #[must_use]
    pub fn out_of_hours(&self, now: Millis) -> Option<Refusal> {
        let post = self.known.post.as_ref()?;
        // It says that it is closed when it is.
        let is_of_the_hour = |now| match self.out_of_hours_at(post, now) {
            None => (Verdict::Admitted, None),
            Some(refusal) => (Verdict::Refused(refusal.clone()), Some(refusal)),
        };
        self.at_its_hour(now, is_of_the_hour).1
    }

    fn out_of_hours_at(&self, post: &Post, now: Millis) -> Option<Refusal> {
        let begun = |offer: &&OfferInfo| now >= offer.valid_from.plus(-decide::TOLERANCE_MS);
        let ended = |offer: &&OfferInfo| now >= offer.valid_to.plus(decide::TOLERANCE_MS);
        let offers = &post.event.offers;
        if post.station_kind == decide::StationKind::Exit
            || offers.iter().any(|offer| begun(&offer) && !ended(&offer))
        {
            return None;
        }
        let opens = offers.iter().filter(|offer| !begun(offer)).map(|offer| offer.valid_from).min();
        let closed = offers.iter().map(|offer| offer.valid_to).max();
        opens
            .map(|opens_at| Refusal::TooEarly { opens_at })
            .or(closed.map(|closed_at| Refusal::TooLate { closed_at }))
    }

    /// What is shown when nothing can be decided.
    #[must_use]
    pub fn closed(&self, closed: Closed, now: Millis) -> Shown {
        self.undecided(Outcome::Closed(closed), now)
    }

    /// What is shown when something was shown to a scanner or reader that could not read it.
    #[must_use]
    pub fn unread(&self, unread: Unread, now: Millis) -> Shown {
        let read = |last: &&Last| {
            let soon = (0..ONE_SWIPE_MS).contains(&now.since(last.seen));
            unread == Unread::Swipe && last.medium == Medium::Card && soon
        };
        match (self.closed_because(), self.last.as_ref().filter(read)) {
            (Some(closed), _) => self.closed(closed, now),
            // Another track of the card that was just read.
            (None, Some(last)) => last.shown.clone(),
            (None, None) => self.undecided(Outcome::Unread(unread), now),
        }
    }

    /// The ticket of whoever was just noted at a stand or a desk.
    #[must_use]
    pub fn visitor(&self) -> Option<TicketId> {
        self.pending.visit.map(|(_, ticket)| ticket)
    }

    fn undecided(&self, outcome: Outcome, now: Millis) -> Shown {
        Shown {
            scan: None,
            kind: self
                .known
                .post
                .as_ref()
                .map_or(decide::StationKind::Gate, |post| post.station_kind),
            outcome,
            trust: self.local_trust(now),
            holder: None,
            place: None,
            offer: None,
            left: None,
            choices: Vec::new(),
            glance: None,
            number: None,
            asks_consent: false,
            at: now,
            decide_us: 0,
        }
    }
}

impl Draft {
    /// About a ticket of the copy, or one of which nothing is known but what its code says.
    fn is_of(&mut self, fact: &TicketFact, row: Option<&TicketRow>) {
        (self.fact, self.class) = (Some(*fact), Some(fact.class));
        match row {
            Some(row) => self.is_about(row),
            None => self.trust = Trust::SignatureOnly,
        }
    }

    fn is_about(&mut self, row: &TicketRow) {
        self.ticket = Some(row.fact.id);
        self.class = Some(row.fact.class);
        self.holder = Some(row.holder.clone());
        self.place.clone_from(&row.place);
    }
}

impl Known {
    /// Of a ticket of which nothing is known.
    #[must_use]
    pub fn nothing_of(id: TicketId) -> Self {
        let (own, taken_back, undone, peers) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { id, row: None, own, taken_back, undone, peers }
    }

    /// Adds a use from the `seq`-th entry of this kiosk's journal, which `undo` took back, if any did. Of what stands through
    /// `settled` the row has the last word.
    pub fn add_own(&mut self, (seq, undo): (u64, Option<u64>), settled: u64, used: Use) {
        match undo {
            _ if undo.unwrap_or(seq) <= settled => {}
            None => self.own.push((seq, used)),
            Some(undo) if seq > settled => self.undone.push((undo, used)),
            Some(_) => self.taken_back.push(used),
        }
    }

    /// What was done at doors that the server may not have heard from.
    fn is_used_at_doors(&self) -> bool {
        !self.own.is_empty() || !self.peers.is_empty()
    }

    /// Every use known: this kiosk's own, those that other doors told of, and those that the server counts and nobody
    /// took back.
    #[must_use]
    pub fn history(&self) -> Vec<Use> {
        let mut uses: Vec<Use> = self.row.iter().flat_map(|row| row.uses.iter().cloned()).collect();
        // What the row counts already, it counts: also when the server had believed it before it was told.
        let told = self.peers.iter().chain(self.own.iter().map(|(_, used)| used));
        let told: Vec<Use> = not_among(told, &uses).cloned().collect();
        for gone in &self.taken_back {
            // The server clamps times that lie ahead of its own, so the nearest at that station is meant.
            let same = |used: &&Use| used.station == gone.station && used.kind == gone.kind;
            let near = uses.iter().filter(same).min_by_key(|used| used.at.since(gone.at).abs());
            if let Some(at) = near.and_then(|near| uses.iter().position(|used| used == near)) {
                uses.remove(at);
            }
        }
        uses.extend(told);
        uses
    }

    /// What this kiosk did after the `through`-th entry of its journal.
    fn own_after(&self, through: u64) -> impl Iterator<Item = &Use> {
        self.own.iter().filter(move |(seq, _)| *seq > through).map(|(_, used)| used)
    }

    /// What a server that has this kiosk's journal through the `through`-th entry counts, without what was taken back here
    /// and it has not heard of.
    fn still_counted(&self, counted: &[Use], through: u64) -> Vec<Use> {
        let unheard = self.undone.iter().filter(|(undo, _)| *undo > through);
        let unheard: Vec<Use> = unheard.map(|(_, used)| used.clone()).collect();
        if unheard.is_empty() {
            return counted.to_vec();
        }
        // Of two in a moment at one place, the one that stands is not the one that was taken back.
        let strange: Vec<Use> = not_among(counted, &self.history()).cloned().collect();
        not_among(counted, &strange).chain(not_among(&strange, &unheard)).cloned().collect()
    }
}

#[cfg(test)]
mod tests;
