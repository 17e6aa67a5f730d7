//! The mesh: kiosks of one event on one local network tell each other what they did, so that a ticket used at one door
//! is refused at the next without any server. A state machine without I/O, like the door: sockets are in [`net`].
//!
//! Everybody keeps, of every kiosk that the server vouches for, what it told from its first entry on without a gap, until
//! the server's own copy tells it. Once a second and after every news each tells its neighbours how far it is ([`State`]);
//! whoever is behind is sent what is missing: by its owner from the journal, or by anybody who has it. So whoever was
//! away, and whatever was lost, catches up, and hearing the same again changes nothing.

pub mod fact;
pub mod found;
mod frames;
pub mod net;
mod session;

use std::collections::{BTreeMap, HashMap};

use admission::{
    Millis,
    decide::Use,
    scan::Chain,
    sync::{self, Heard},
    ticket::TicketId,
};
use data_encoding::HEXLOWER_PERMISSIVE;
use ed25519_dalek::VerifyingKey;
use serde::{Deserialize, Serialize};

pub use self::fact::{Did, Holder, Proven, Signed, Told};
use crate::door::{Found, Head, Known};

/// Entries of one message at most.
pub const BATCH: usize = 100;
/// How often each tells how far it is.
pub const STATE_EVERY_MS: u64 = 1_000;
/// A neighbour that was not heard for this long may have done anything since.
const FRESH_MS: u64 = 2_500;
/// Between a scan and the server's word on it lies less, also where clocks are compared over a bad line.
const MOMENT_MS: i64 = 5_000;
/// What a neighbour says arrives within this time, or the connection is not worth much.
const TOLD_WITHIN_MS: i64 = 1_000;
/// What is kept of one kiosk at most, beyond what the server tells: more than a door sees in a week. It bounds the memory.
const KEPT_MAX: usize = 100_000;

/// A connection.
pub type LinkId = u64;

/// What happens to a mesh.
#[derive(Debug)]
pub enum Input {
    /// The server vouches for these.
    Vouched(u32, Vec<sync::Peer>),
    /// The server's copy tells what these did.
    Settled(Vec<Heard>),
    /// The copy was wiped: what the others did has to be heard from them again.
    Wiped,
    /// The kiosk's own journal goes on; entries in order.
    Recorded(Head, Vec<Proven>),
    /// The answer to [`Effect::Read`].
    Own(LinkId, Vec<Proven>),
    /// A connection to a kiosk that has proven itself.
    Opened {
        /// Which.
        link: LinkId,
        /// To whom.
        kiosk: String,
        /// Whether this side asked for it.
        dialled: bool,
    },
    /// Something was heard on a connection.
    Heard(LinkId, Message),
    /// A connection ended.
    Closed(LinkId),
    /// A second has passed, and it is so late, if this kiosk knows.
    Tick(Option<Time>),
}

/// What a mesh wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send this.
    Send(LinkId, Message),
    /// End this connection.
    Close(LinkId),
    /// Read the own journal after this place, at most [`BATCH`] entries.
    Read(LinkId, u64),
    /// Keep these across a restart; no hurry, since they can be heard again.
    Keep(Vec<Proven>),
}

/// What neighbours say to each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// How far the speaker is.
    State(State),
    /// Entries of one journal, in order.
    Told(State, Vec<Proven>),
}

/// How far a kiosk is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Where its own journal ends.
    pub head: u64,
    /// The chain there.
    pub chain: Chain,
    /// How far it has the journals of those whom it believes.
    pub have: BTreeMap<String, u64>,
    /// What time it is, if it knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Time>,
}

/// The true time, as the server or another kiosk confirmed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Time {
    /// It is now.
    pub at: Millis,
    /// More or less.
    pub error_ms: i64,
}

/// A kiosk of the event, as staff are told of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Neighbour {
    /// Its name.
    pub name: String,
    /// Its station.
    pub station: String,
    /// Whether it was heard a moment ago.
    pub connected: bool,
    /// Whether nothing that it did is missing here.
    pub agreed: bool,
    /// What it did is known here through this place of its journal.
    pub through: u64,
}

/// What one kiosk knows of the others.
#[derive(Debug)]
pub struct Mesh {
    me: String,
    event: u32,
    head: Head,
    peers: BTreeMap<String, Peer>,
    links: BTreeMap<LinkId, Link>,
    /// Who told something of a ticket, and where.
    by_ticket: HashMap<TicketId, Vec<(String, u64)>>,
    by_holder: BTreeMap<Holder, Vec<(String, u64)>>,
}

#[derive(Debug)]
struct Peer {
    name: String,
    station: String,
    key: Option<VerifyingKey>,
    /// The copy tells everything through this place.
    settled: u64,
    /// What it told after that, without a gap.
    facts: BTreeMap<u64, Proven>,
    /// Where it said that its journal ends.
    told_head: u64,
    /// It told two stories under one number, or its journal got shorter: a copied or restored disk.
    contradicts: bool,
}

#[derive(Debug)]
struct Link {
    kiosk: String,
    dialled: bool,
    heard_at: u64,
    told: Option<State>,
    /// What time it said that it is, and when.
    time: Option<(Time, u64)>,
    /// What it said when it last said nothing else.
    state: Option<State>,
    /// The last own entry that was sent here.
    sent: u64,
    /// Own entries are being read for it.
    reading: bool,
}

impl Peer {
    fn through(&self) -> u64 {
        self.facts.last_key_value().map_or(self.settled, |(seq, _)| *seq)
    }
}

impl Mesh {
    /// What `me`, whose journal ends at `head`, knows after a start: what was kept, and through where the copy tells.
    #[must_use]
    pub fn new(
        me: String,
        head: Head,
        vouched: Option<(u32, &[sync::Peer])>,
        kept: Vec<Proven>,
        settled: Vec<Heard>,
    ) -> Self {
        let mut mesh = Self {
            me,
            event: 0,
            head,
            peers: BTreeMap::new(),
            links: BTreeMap::new(),
            by_ticket: HashMap::new(),
            by_holder: BTreeMap::new(),
        };
        if let Some((event, peers)) = vouched {
            mesh.vouch(event, peers);
        }
        mesh.settle(settled);
        mesh.take(kept);
        mesh
    }

    /// Takes something in; says what to do. `now` counts milliseconds steadily, whatever the clock on the wall does.
    pub fn handle(&mut self, input: Input, now: u64) -> Vec<Effect> {
        match input {
            Input::Vouched(event, peers) => self.vouch(event, &peers),
            Input::Settled(heard) => {
                self.settle(heard);
                Vec::new()
            }
            Input::Wiped => {
                self.forget();
                Vec::new()
            }
            Input::Recorded(head, news) => self.recorded(head, news),
            Input::Own(link, entries) => self.send_own(link, entries),
            Input::Opened { link, kiosk, dialled } => self.opened(link, kiosk, dialled, now),
            Input::Heard(link, message) => self.heard(link, message, now),
            Input::Closed(link) => {
                self.links.remove(&link);
                Vec::new()
            }
            Input::Tick(time) => self.tell_state(time),
        }
    }

    /// With how many others this kiosk agrees now: heard a moment ago, and nothing that they did is missing here.
    #[must_use]
    pub fn agreed(&self, now: u64) -> u32 {
        let agreed = self.neighbours(now).iter().filter(|neighbour| neighbour.agreed).count();
        u32::try_from(agreed).unwrap_or(u32::MAX)
    }

    /// The event's other kiosks.
    #[must_use]
    pub fn neighbours(&self, now: u64) -> Vec<Neighbour> {
        let neighbour = |(id, peer): (&String, &Peer)| {
            let link = self.links.values().find(|link| link.kiosk == *id);
            let link = link.filter(|link| now.saturating_sub(link.heard_at) <= FRESH_MS);
            let told = link.and_then(|link| link.told.as_ref());
            let agreed = told.is_some_and(|told| !peer.contradicts && told.head <= peer.through());
            let (name, station) = (peer.name.clone(), peer.station.clone());
            let through = peer.through();
            Neighbour { name, station, connected: told.is_some(), agreed, through }
        };
        self.peers.iter().map(neighbour).collect()
    }

    /// What time it is, by the neighbour who knows it best. On its way it was for less than a moment.
    #[must_use]
    pub fn time(&self, now: u64) -> Option<Time> {
        let fresh = |link: &&Link| now.saturating_sub(link.heard_at) <= FRESH_MS;
        let told = self.links.values().filter(fresh).filter_map(|link| link.time);
        let (Time { at, error_ms }, heard) = told.min_by_key(|(time, _)| time.error_ms)?;
        let since = i64::try_from(now.saturating_sub(heard)).unwrap_or(i64::MAX);
        Some(Time { at: at.plus(since), error_ms: error_ms.saturating_add(TOLD_WITHIN_MS) })
    }

    /// Where the kiosk's own journal ends, as the others are told.
    #[must_use]
    pub const fn head(&self) -> Head {
        self.head
    }

    /// Whether there is anybody to speak with.
    #[must_use]
    pub fn has_peers(&self) -> bool {
        !self.peers.is_empty()
    }

    /// Whether that kiosk is believed, and not connected.
    #[must_use]
    pub fn misses(&self, kiosk: &str) -> bool {
        self.peers.contains_key(kiosk) && !self.is_linked(kiosk)
    }

    /// Whether that kiosk is connected.
    #[must_use]
    pub fn is_linked(&self, kiosk: &str) -> bool {
        self.links.values().any(|link| link.kiosk == kiosk)
    }

    /// The keys of those who are believed.
    #[must_use]
    pub fn keys(&self) -> HashMap<String, VerifyingKey> {
        let key = |(id, peer): (&String, &Peer)| Some((id.clone(), peer.key?));
        self.peers.iter().filter_map(key).collect()
    }

    /// Tickets that other doors gave to somebody without one.
    #[must_use]
    pub fn given_to(&self, person: &str) -> Vec<TicketId> {
        let places = self.by_holder.get(&Holder::of(self.event, person)).into_iter().flatten();
        let given = places.filter_map(|(kiosk, seq)| {
            Some(self.peers.get(kiosk)?.facts.get(seq)?.told().did.as_ref()?.ticket)
        });
        given.collect()
    }

    /// Adds what the others did to what the store found.
    pub fn tell(&self, found: &mut Found) {
        match found {
            Found::Ticket(known) | Found::Admission(known, _) => self.tell_ticket(known),
            Found::NoCard => {}
            Found::Card { tickets, .. } => {
                tickets.iter_mut().for_each(|known| self.tell_ticket(known));
            }
        }
    }

    fn tell_ticket(&self, known: &mut Known) {
        for (did, own_undo) in self.deeds(self.by_ticket.get(&known.id)) {
            if own_undo {
                known.taken_back.push(did.used.clone());
            } else {
                known.peers.push(did.used.clone());
            }
        }
    }

    /// What stands of what was told at these places: uses, and (marked) the ends of uses that the copy still counts.
    fn deeds<'a>(&'a self, places: Option<&'a Vec<(String, u64)>>) -> Vec<(&'a Did, bool)> {
        let mut all = Vec::new();
        for (kiosk, seq) in places.into_iter().flatten() {
            let fact = self.peers.get(kiosk).and_then(|peer| Some((peer, peer.facts.get(seq)?)));
            if let Some((peer, did)) =
                fact.and_then(|(peer, f)| Some((peer, f.told().did.as_ref()?)))
            {
                all.push((peer, kiosk, *seq, did));
            }
        }
        let undone = |kiosk: &str, seq: u64| {
            all.iter().any(|(_, by, _, did)| did.undoes == Some(seq) && *by == kiosk)
        };
        all.iter()
            .filter_map(|(peer, kiosk, seq, did)| match did.undoes {
                Some(of) => (of <= peer.settled).then_some((*did, true)),
                None => (!undone(kiosk, *seq)).then_some((*did, false)),
            })
            .collect()
    }

    /// Takes what was told, as far as it goes on where the last ended; gives what was new.
    fn take(&mut self, told: Vec<Proven>) -> Vec<Proven> {
        let mut new = Vec::new();
        for proven in told {
            let Told { kiosk, event, seq, chain, did } = proven.told();
            let Some(peer) = self.peers.get_mut(kiosk).filter(|_| *event == self.event) else {
                continue;
            };
            if peer.facts.get(seq).is_some_and(|known| known.told().chain != *chain) {
                peer.contradict(kiosk);
            }
            if *seq != peer.through() + 1 || peer.facts.len() >= KEPT_MAX {
                continue;
            }
            if let Some(did) = did {
                self.by_ticket.entry(did.ticket).or_default().push((kiosk.clone(), *seq));
                if let Some(holder) = did.holder {
                    self.by_holder.entry(holder).or_default().push((kiosk.clone(), *seq));
                }
            }
            peer.facts.insert(*seq, proven.clone());
            new.push(proven);
        }
        new
    }

    fn vouch(&mut self, event: u32, vouched: &[sync::Peer]) -> Vec<Effect> {
        if event != self.event {
            self.peers.clear();
        }
        self.event = event;
        let mut before = std::mem::take(&mut self.peers);
        for sync::Peer { kiosk, name, station, public_key } in vouched {
            if *kiosk == self.me {
                continue;
            }
            let bytes = HEXLOWER_PERMISSIVE.decode(public_key.as_bytes()).unwrap_or_default();
            let key = bytes.as_slice().try_into().ok();
            let key = key.and_then(|key| VerifyingKey::from_bytes(key).ok());
            let (name, station) = (name.clone(), station.clone());
            let peer = match before.remove(kiosk).filter(|peer| peer.key == key) {
                Some(peer) => Peer { name, station, ..peer },
                None => Peer {
                    name,
                    station,
                    key,
                    settled: 0,
                    facts: BTreeMap::new(),
                    told_head: 0,
                    contradicts: false,
                },
            };
            self.peers.insert(kiosk.clone(), peer);
        }
        self.index();
        let gone = |link: &Link| !self.peers.contains_key(&link.kiosk);
        let gone: Vec<LinkId> =
            self.links.iter().filter(|(_, link)| gone(link)).map(|(id, _)| *id).collect();
        gone.into_iter()
            .filter_map(|id| self.links.remove(&id).map(|_| Effect::Close(id)))
            .collect()
    }

    /// From now on the copy tells what these did through there.
    fn settle(&mut self, heard: Vec<Heard>) {
        let mut moved = false;
        for Heard { kiosk, through } in heard {
            if let Some(peer) = self.peers.get_mut(&kiosk).filter(|peer| peer.settled < through) {
                peer.settled = through;
                peer.facts = peer.facts.split_off(&(through + 1));
                moved = true;
            }
        }
        if moved {
            self.index();
        }
    }

    fn forget(&mut self) {
        for peer in self.peers.values_mut() {
            peer.settled = 0;
            peer.facts.clear();
        }
        self.index();
    }

    fn index(&mut self) {
        self.by_ticket.clear();
        self.by_holder.clear();
        for (kiosk, peer) in &self.peers {
            for (seq, proven) in &peer.facts {
                if let Some(did) = &proven.told().did {
                    self.by_ticket.entry(did.ticket).or_default().push((kiosk.clone(), *seq));
                    if let Some(holder) = did.holder {
                        self.by_holder.entry(holder).or_default().push((kiosk.clone(), *seq));
                    }
                }
            }
        }
    }

    fn recorded(&mut self, head: Head, news: Vec<Proven>) -> Vec<Effect> {
        let first = news.first().map_or(head.seq, |proven| proven.told().seq);
        self.head = head;
        let state = self.state();
        let mut effects = Vec::new();
        for (id, link) in &mut self.links {
            // Whoever is further behind is sent what lies between first.
            if link.sent + 1 == first && !link.reading {
                link.sent = news.last().map_or(link.sent, |proven| proven.told().seq);
                effects.push(Effect::Send(*id, Message::Told(state.clone(), news.clone())));
            }
        }
        effects
    }

    fn send_own(&mut self, id: LinkId, entries: Vec<Proven>) -> Vec<Effect> {
        let state = self.state();
        let Some(link) = self.links.get_mut(&id) else { return Vec::new() };
        link.reading = false;
        let Some(last) = entries.last() else { return Vec::new() };
        link.sent = last.told().seq;
        let all = entries.len() < BATCH;
        let mut effects = vec![Effect::Send(id, Message::Told(state, entries))];
        if all && link.sent < self.head.seq {
            // Recorded while this was read, and not pushed because of it.
            link.reading = true;
            effects.push(Effect::Read(id, link.sent));
        }
        effects
    }

    fn opened(&mut self, id: LinkId, kiosk: String, dialled: bool, now: u64) -> Vec<Effect> {
        if !self.peers.contains_key(&kiosk) {
            return vec![Effect::Close(id)];
        }
        let mut effects = Vec::new();
        let old = self.links.iter().find(|(_, link)| link.kiosk == kiosk);
        if let Some((&old, link)) = old {
            // When both dialled at once, both keep the one that the smaller asked for.
            let preferred = |dialled: bool| dialled == (self.me < kiosk);
            let stale = now.saturating_sub(link.heard_at) > FRESH_MS;
            if preferred(link.dialled) && !preferred(dialled) && !stale {
                return vec![Effect::Close(id)];
            }
            self.links.remove(&old);
            effects.push(Effect::Close(old));
        }
        let link = Link {
            kiosk,
            dialled,
            heard_at: now,
            told: None,
            time: None,
            state: None,
            sent: 0,
            reading: false,
        };
        self.links.insert(id, link);
        effects.push(Effect::Send(id, Message::State(self.state())));
        effects
    }

    fn heard(&mut self, id: LinkId, message: Message, now: u64) -> Vec<Effect> {
        let (state, told, only_state) = match message {
            Message::State(state) => (state, Vec::new(), true),
            Message::Told(state, told) => (state, told, false),
        };
        let mut effects = Vec::new();
        let batch = told.len() > 1;
        let new = self.take(told);
        // Who got nowhere does not ask at once again: the same would come.
        let goes_on = batch && !new.is_empty();
        if !new.is_empty() {
            effects.push(Effect::Keep(new));
        }
        let Some(link) = self.links.get_mut(&id) else { return effects };
        link.heard_at = now;
        link.told = Some(state.clone());
        link.time = state.time.map(|time| (time, now)).or(link.time);
        if let Some(peer) = self.peers.get_mut(&link.kiosk) {
            peer.says_it_ends(&link.kiosk, state.head, state.chain);
        }
        if only_state {
            let before = link.state.replace(state.clone());
            effects.extend(self.serve(id, &state, before.as_ref()));
        }
        if goes_on {
            // So that the next batch comes at once.
            effects.push(Effect::Send(id, Message::State(self.state())));
        }
        effects
    }

    /// Sends a neighbour what it lacks: of the own journal at once, of others' what they do not seem to send themselves.
    fn serve(&mut self, id: LinkId, state: &State, before: Option<&State>) -> Vec<Effect> {
        let Some(link) = self.links.get_mut(&id) else { return Vec::new() };
        let has = |state: &State, kiosk: &str| state.have.get(kiosk).copied();
        let stuck =
            |kiosk: &str| before.is_some_and(|before| has(before, kiosk) == has(state, kiosk));
        let mut effects = Vec::new();
        if let Some(has) = has(state, &self.me) {
            // What was sent and not heard of twice was lost.
            if has > link.sent || stuck(&self.me) {
                link.sent = has;
            }
            if link.sent < self.head.seq && !link.reading {
                link.reading = true;
                effects.push(Effect::Read(id, link.sent));
            }
        }
        let neighbour = link.kiosk.clone();
        for (kiosk, peer) in &self.peers {
            let Some(has) = has(state, kiosk).filter(|_| *kiosk != neighbour && stuck(kiosk))
            else {
                continue;
            };
            if peer.settled <= has && has < peer.through() {
                let missing = peer.facts.range(has + 1..).take(BATCH);
                let missing = missing.map(|(_, proven)| proven.clone()).collect();
                effects.push(Effect::Send(id, Message::Told(self.state(), missing)));
            }
        }
        effects
    }

    fn tell_state(&self, time: Option<Time>) -> Vec<Effect> {
        let state = State { time, ..self.state() };
        self.links.keys().map(|id| Effect::Send(*id, Message::State(state.clone()))).collect()
    }

    fn state(&self) -> State {
        let have = self.peers.iter().map(|(id, peer)| (id.clone(), peer.through())).collect();
        State { head: self.head.seq, chain: self.head.chain, have, time: None }
    }
}

impl Peer {
    fn says_it_ends(&mut self, kiosk: &str, head: u64, chain: Chain) {
        let forked = self.facts.get(&head).is_some_and(|last| last.told().chain != chain);
        // A journal gets no shorter.
        if forked || head < self.told_head {
            self.contradict(kiosk);
        }
        self.told_head = head;
    }

    fn contradict(&mut self, kiosk: &str) {
        if !self.contradicts {
            tracing::warn!(
                kiosk,
                "a kiosk contradicts what it told before: was its disk copied or restored?"
            );
        }
        self.contradicts = true;
    }
}

/// Each use that a door tells of, unless it is one of those that are counted. What the server only believes since it was
/// asked, it counts by its own clock: a moment later than the door does, once for each.
pub(crate) fn not_among<'a>(
    told: impl IntoIterator<Item = &'a Use>,
    counted: &[Use],
) -> impl Iterator<Item = &'a Use> {
    let mut counted: Vec<&Use> = counted.iter().collect();
    told.into_iter().filter(move |used| {
        let apart = |other: &Use| other.at.since(used.at).saturating_abs();
        let same = |other: &Use| {
            other.station == used.station && other.kind == used.kind && apart(other) <= MOMENT_MS
        };
        let candidates = counted.iter().enumerate().filter(|(_, other)| same(other));
        match candidates.min_by_key(|(_, other)| apart(other)).map(|(at, _)| at) {
            Some(at) => {
                counted.remove(at);
                false
            }
            None => true,
        }
    })
}

#[cfg(test)]
mod tests;
