//! The mesh's sockets: listens, dials, carries frames between connections and the state machine. Nothing that comes in
//! here stops a door: what is not understood ends its connection, and there are only so many of those.

use std::{
    collections::{BTreeMap, HashMap},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use admission::{
    sync::{Heard, Peer},
    ticket::TicketId,
};
use anyhow::Context;
use ed25519_dalek::SigningKey;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream, ToSocketAddrs,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, watch},
    task::JoinSet,
    time::timeout,
};

use super::{
    BATCH, Effect, Input, LinkId, Mesh, Message, Neighbour, Proven, STATE_EVERY_MS, Time,
    found::{Beacon, Sighting},
    frames::Frames,
    session::Session,
};
use crate::{
    door::Found,
    doorkeeper::told_to,
    store::{Store, StoreError},
};

/// Where kiosks listen for each other, unless told otherwise or taken.
const PORT: u16 = 8082;
/// Whoever has not proven itself within this time does not.
const PATIENCE: Duration = Duration::from_secs(3);
/// A neighbour speaks each second; one that is silent for this long is gone.
const SILENCE: Duration = Duration::from_secs(5);
/// Connections at once that have not proven themselves.
const STRANGERS_MAX: usize = 16;
/// From one address.
const STRANGERS_FROM_ONE: usize = 4;
/// What is gathered before it is written: it can be heard again, so it need not be written at once.
const KEEP_EVERY: Duration = Duration::from_millis(200);
const REDIAL: Duration = Duration::from_millis(300);
const REDIAL_MAX: Duration = Duration::from_secs(3);

/// Where a kiosk listens for others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Listen {
    /// On port 8082 of every address, or another port when that is taken.
    #[default]
    Auto,
    /// Here.
    At(SocketAddr),
    /// Nowhere.
    Off,
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "off" => Ok(Self::Off),
            _ => text
                .parse()
                .map(Self::At)
                .map_err(|_| format!("{text:?} is no ADDRESS:PORT, `auto` or `off`")),
        }
    }
}

/// How a kiosk finds others.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Where it listens.
    pub listen: Listen,
    /// Where others are, each as HOST:PORT.
    pub peers: Vec<String>,
}

/// A line to the mesh.
#[derive(Clone)]
pub struct Line(Arc<Shared>);

struct Shared {
    state: Mutex<Inner>,
    begun: Instant,
    next_link: AtomicU64,
    /// Rings when the own journal has gone on.
    recorded: Notify,
    /// Rings when there may be other kiosks to look for.
    vouched: Notify,
    keep: mpsc::UnboundedSender<Proven>,
    read: mpsc::UnboundedSender<(LinkId, u64)>,
}

struct Inner {
    mesh: Mesh,
    /// The true time, as this kiosk last said that it knows it.
    time: Option<(Time, u64)>,
    links: HashMap<LinkId, mpsc::Sender<Message>>,
}

/// What the tasks that do the mesh's work need.
pub(crate) struct Work {
    line: Line,
    keep: mpsc::UnboundedReceiver<Proven>,
    read: mpsc::UnboundedReceiver<(LinkId, u64)>,
}

impl Line {
    /// A line to `mesh`, and its work.
    pub(crate) fn new(mesh: Mesh) -> (Self, Work) {
        let (keep, kept) = mpsc::unbounded_channel();
        let (read, reads) = mpsc::unbounded_channel();
        let shared = Shared {
            state: Mutex::new(Inner { mesh, time: None, links: HashMap::new() }),
            begun: Instant::now(),
            next_link: AtomicU64::new(1),
            recorded: Notify::new(),
            vouched: Notify::new(),
            keep,
            read,
        };
        let line = Self(Arc::new(shared));
        (line.clone(), Work { line, keep: kept, read: reads })
    }

    /// With how many others this kiosk agrees now.
    #[must_use]
    pub fn agreed(&self) -> u32 {
        let now = self.now();
        self.inner().mesh.agreed(now)
    }

    /// The event's other kiosks.
    #[must_use]
    pub fn neighbours(&self) -> Vec<Neighbour> {
        let now = self.now();
        self.inner().mesh.neighbours(now)
    }

    /// What this kiosk knows of the true time now, for the others.
    pub(crate) fn knows_time(&self, time: Option<Time>) {
        let now = self.now();
        self.inner().time = time.map(|time| (time, now));
    }

    /// What time it is, as the others know it.
    pub(crate) fn time(&self) -> Option<Time> {
        let now = self.now();
        self.inner().mesh.time(now)
    }

    fn tick(&self) {
        let (now, told) = (self.now(), self.inner().time);
        let time = told.map(|(time, then)| {
            let since = i64::try_from(now.saturating_sub(then)).unwrap_or(i64::MAX);
            Time { at: time.at.plus(since), ..time }
        });
        self.input(Input::Tick(time));
    }

    /// Tickets that other doors gave to somebody without one.
    pub(crate) fn given_to(&self, person: &str) -> Vec<TicketId> {
        self.inner().mesh.given_to(person)
    }

    /// Adds what the others did to what the store found.
    pub(crate) fn tell(&self, found: &mut Found) {
        self.inner().mesh.tell(found);
    }

    /// The own journal has gone on.
    pub(crate) fn recorded(&self) {
        self.0.recorded.notify_one();
    }

    /// The server vouches for these.
    pub(crate) fn vouched(&self, event: u32, peers: Vec<Peer>) {
        self.input(Input::Vouched(event, peers));
        self.0.vouched.notify_one();
    }

    /// The copy tells what these did.
    pub(crate) fn settled(&self, heard: Vec<Heard>) {
        self.input(Input::Settled(heard));
    }

    /// The copy was wiped.
    pub(crate) fn wiped(&self) {
        self.input(Input::Wiped);
    }

    /// Steps are short and never wait, and what they ask to send is queued before the next step: so the order in which
    /// things are said is the order in which they happened.
    fn input(&self, input: Input) {
        let now = self.now();
        let mut inner = self.inner();
        for effect in inner.mesh.handle(input, now) {
            match effect {
                Effect::Send(link, message) => {
                    if let Some(queue) = inner.links.get(&link) {
                        // A neighbour that does not listen is told again later.
                        drop(queue.try_send(message));
                    }
                }
                // Its task ends when nobody can queue for it any more.
                Effect::Close(link) => drop(inner.links.remove(&link)),
                Effect::Keep(told) => {
                    told.into_iter().for_each(|told| drop(self.0.keep.send(told)))
                }
                Effect::Read(link, after) => drop(self.0.read.send((link, after))),
            }
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.0.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Line").finish_non_exhaustive()
    }
}

/// The mesh's own kiosk.
#[derive(Clone)]
struct Own {
    line: Line,
    kiosk: String,
    key: SigningKey,
    store: Store,
}

/// Where a kiosk listens, when it was told where: fails at the start, not in the middle of an event.
pub(crate) async fn bind(listen: Listen) -> anyhow::Result<Option<TcpListener>> {
    let Listen::At(address) = listen else { return Ok(None) };
    let listener = TcpListener::bind(address).await;
    listener.map(Some).with_context(|| {
        format!(
            "cannot listen on {address} for other kiosks (端口被占用?): give another --mesh-listen"
        )
    })
}

impl Work {
    /// Works until `stop` turns true.
    pub(crate) async fn work(
        self,
        kiosk: String,
        key: SigningKey,
        store: Store,
        options: Options,
        bound: Option<TcpListener>,
        mut stop: watch::Receiver<bool>,
    ) {
        let Self { line, keep, read } = self;
        let own = Own { line, kiosk, key, store };
        // Dropped, and everything ended, when told to stop.
        let mut tasks = JoinSet::new();
        tasks.spawn(own.clone().speak(read));
        tasks.spawn(own.clone().keep(keep));
        tasks.spawn(own.clone().find(options, bound));
        tasks.spawn(async move {
            let mut second = tokio::time::interval(Duration::from_millis(STATE_EVERY_MS));
            loop {
                second.tick().await;
                own.line.tick();
            }
        });
        told_to(&mut stop).await;
    }
}

impl Own {
    /// Tells the others what is recorded here.
    async fn speak(self, mut read: mpsc::UnboundedReceiver<(LinkId, u64)>) {
        // What was recorded since the mesh was made, a moment ago, is news.
        let mut spoken = self.line.inner().mesh.head().seq;
        loop {
            let done = tokio::select! {
                () = self.line.0.recorded.notified() => self.tell_news(&mut spoken).await,
                wanted = read.recv() => match wanted {
                    Some((link, after)) => self.entries_after(after).await.map(|entries| {
                        self.line.input(Input::Own(link, entries.into_iter().map(|(_, e)| e).collect()));
                    }),
                    None => return,
                },
            };
            if let Err(error) = done {
                tracing::warn!(%error, "the journal cannot be read for the other kiosks");
            }
        }
    }

    async fn tell_news(&self, spoken: &mut u64) -> Result<(), StoreError> {
        loop {
            let entries = self.entries_after(*spoken).await?;
            let Some((head, _)) = entries.last() else { return Ok(()) };
            let head = *head;
            *spoken = head.seq;
            let news = entries.into_iter().map(|(_, entry)| entry).collect();
            self.line.input(Input::Recorded(head, news));
        }
    }

    async fn entries_after(
        &self,
        seq: u64,
    ) -> Result<Vec<(crate::door::Head, Proven)>, StoreError> {
        let told = self.store.told_after(&self.kiosk, seq, BATCH).await?;
        let sign = |told: super::Told| {
            let head = crate::door::Head { seq: told.seq, chain: told.chain };
            (head, Proven::sign(told, &self.key))
        };
        Ok(told.into_iter().map(sign).collect())
    }

    /// Writes down what the others told, for the next start.
    async fn keep(self, mut told: mpsc::UnboundedReceiver<Proven>) {
        while let Some(first) = told.recv().await {
            tokio::time::sleep(KEEP_EVERY).await;
            let mut batch = vec![first];
            while let Ok(next) = told.try_recv() {
                batch.push(next);
            }
            if let Err(error) = self.store.keep_told(&batch).await {
                tracing::warn!(%error, "what other kiosks told is kept in memory only");
            }
        }
    }

    /// Looks for others as soon as there are any, and speaks with them.
    async fn find(self, options: Options, bound: Option<TcpListener>) {
        while !self.line.inner().mesh.has_peers() {
            self.line.0.vouched.notified().await;
        }
        let listener = match (bound, options.listen) {
            (None, Listen::Auto) => listen_anywhere().await,
            (bound, _) => bound,
        };
        let at = listener.as_ref().and_then(|listener| listener.local_addr().ok());
        tracing::info!(listen = ?at, "speaking with the event's other kiosks on this network");
        let mut tasks = JoinSet::new();
        if let Some(listener) = listener {
            tasks.spawn(self.clone().listen(listener));
        }
        for peer in options.peers {
            tasks.spawn(self.clone().dial_always(peer));
        }
        let alone = options.listen == Listen::Off || at.is_some_and(|at| at.ip().is_loopback());
        if !alone {
            match Beacon::light(&self.kiosk, at) {
                Ok(beacon) => self.clone().follow(beacon).await,
                Err(error) => tracing::warn!(
                    %error,
                    "other kiosks are not found by themselves on this network; give their --peer"
                ),
            }
        }
        while tasks.join_next().await.is_some() {}
    }

    async fn listen(self, listener: TcpListener) {
        let strangers = Strangers::new();
        let mut talks = JoinSet::new();
        loop {
            while talks.try_join_next().is_some() {}
            let Some(room) = strangers.room().await else { return };
            match listener.accept().await {
                Ok((stream, from)) => {
                    if let Some(stranger) = strangers.admit(room, from.ip()) {
                        talks.spawn(self.clone().talk(stream, false, Some(stranger)));
                    }
                }
                // Out of file descriptors, say: that passes.
                Err(_) => tokio::time::sleep(REDIAL).await,
            }
        }
    }

    /// Dials an address given by hand, again and again, unless whoever is there is connected already.
    async fn dial_always(self, address: String) {
        let mut who: Option<String> = None;
        let mut rest = REDIAL;
        loop {
            let known = who.as_deref();
            if !known.is_some_and(|kiosk| self.line.inner().mesh.is_linked(kiosk)) {
                let begun = Instant::now();
                who = self.dial(address.as_str()).await.or(who);
                rest = if begun.elapsed() > SILENCE { REDIAL } else { (rest * 2).min(REDIAL_MAX) };
            }
            tokio::time::sleep(rest).await;
        }
    }

    /// Speaks with whoever is at `address`, to the end; gives who that was.
    async fn dial(&self, address: impl ToSocketAddrs) -> Option<String> {
        let stream = timeout(PATIENCE, TcpStream::connect(address)).await.ok()?.ok()?;
        self.clone().talk(stream, true, None).await
    }

    /// Dials whoever is heard of on the network and not connected.
    async fn follow(self, beacon: Beacon) {
        let mut seen: BTreeMap<String, Vec<SocketAddr>> = BTreeMap::new();
        let mut dials = JoinSet::new();
        let mut again = tokio::time::interval(REDIAL_MAX);
        loop {
            while dials.try_join_next().is_some() {}
            let news: Vec<String> = tokio::select! {
                sighting = beacon.next() => {
                    let Some(Sighting { kiosk, addresses }) = sighting else { return };
                    // Of those who are not believed nothing is remembered.
                    if !self.line.inner().mesh.misses(&kiosk) {
                        continue;
                    }
                    seen.insert(kiosk.clone(), addresses);
                    vec![kiosk]
                }
                _ = again.tick() => seen.keys().cloned().collect(),
            };
            for kiosk in news {
                if dials.len() >= STRANGERS_MAX || !self.line.inner().mesh.misses(&kiosk) {
                    continue;
                }
                let (own, addresses) = (self.clone(), seen[&kiosk].clone());
                dials.spawn(async move {
                    // Both have heard of each other: the larger leaves it to the smaller for a moment.
                    if own.kiosk > kiosk {
                        tokio::time::sleep(REDIAL).await;
                    }
                    for address in addresses {
                        if own.line.inner().mesh.misses(&kiosk) {
                            own.dial(address).await;
                        }
                    }
                });
            }
        }
    }

    /// One connection from its beginning to its end; gives who was there, once that is proven.
    async fn talk(
        self,
        stream: TcpStream,
        dialled: bool,
        stranger: Option<Stranger>,
    ) -> Option<String> {
        let (mut talk, kiosk) = timeout(PATIENCE, self.greet(stream)).await.ok()??;
        drop(stranger);
        let link = self.line.0.next_link.fetch_add(1, Ordering::Relaxed);
        let (queue, mut queued) = mpsc::channel(64);
        self.line.inner().links.insert(link, queue);
        self.line.input(Input::Opened { link, kiosk: kiosk.clone(), dialled });
        loop {
            tokio::select! {
                message = queued.recv() => {
                    let Some(frame) = message.and_then(|message| talk.session.frame(&message)) else { break };
                    if talk.send(&frame).await.is_none() {
                        break;
                    }
                }
                frame = timeout(SILENCE, talk.next()) => {
                    let Ok(Some(frame)) = frame else { break };
                    let keys = self.line.inner().mesh.keys();
                    match talk.session.read(&frame, &keys) {
                        Ok(message) => self.line.input(Input::Heard(link, message)),
                        Err(broken) => {
                            tracing::warn!(kiosk, %broken, "a connection is ended");
                            break;
                        }
                    }
                }
            }
        }
        self.line.inner().links.remove(&link);
        self.line.input(Input::Closed(link));
        Some(kiosk)
    }

    async fn greet(&self, stream: TcpStream) -> Option<(Talk, String)> {
        stream.set_nodelay(true).ok()?;
        let (reader, writer) = stream.into_split();
        let mut challenge = [0; 16];
        getrandom::fill(&mut challenge).ok()?;
        let session = Session::new(self.kiosk.clone(), self.key.clone(), challenge);
        let mut talk = Talk { session, frames: Frames::default(), reader, writer };
        let hello = talk.session.hello();
        talk.send(&hello).await?;
        let hello = talk.next().await?;
        let keys = self.line.inner().mesh.keys();
        let kiosk = match talk.session.greeted(&hello, &keys) {
            Ok(kiosk) => kiosk,
            Err(broken) => {
                tracing::debug!(%broken, "a connection is ended");
                return None;
            }
        };
        let proof = talk.session.proof()?;
        talk.send(&proof).await?;
        // Their proof; what else it says comes again.
        let proof = talk.next().await?;
        talk.session.read(&proof, &keys).ok()?;
        Some((talk, kiosk))
    }
}

async fn listen_anywhere() -> Option<TcpListener> {
    for port in [PORT, 0] {
        // The first takes both kinds of addresses, where the machine has the newer one at all.
        for all in [IpAddr::from(Ipv6Addr::UNSPECIFIED), Ipv4Addr::UNSPECIFIED.into()] {
            if let Ok(listener) = TcpListener::bind((all, port)).await {
                return Some(listener);
            }
        }
    }
    None
}

/// Who has connected and not proven itself yet: so many at once, and fewer from one place, so that nobody on the network keeps
/// the door shut to the others.
struct Strangers {
    all: Arc<Semaphore>,
    from: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// One of them, until it is dropped.
struct Stranger {
    _one: OwnedSemaphorePermit,
    ip: IpAddr,
    from: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl Strangers {
    fn new() -> Self {
        Self { all: Arc::new(Semaphore::new(STRANGERS_MAX)), from: Arc::default() }
    }

    /// Room for one more.
    async fn room(&self) -> Option<OwnedSemaphorePermit> {
        self.all.clone().acquire_owned().await.ok()
    }

    /// Takes the room for somebody from there; none when too many of theirs are here.
    fn admit(&self, room: OwnedSemaphorePermit, ip: IpAddr) -> Option<Stranger> {
        let ip = ip.to_canonical();
        let mut from = self.from.lock().unwrap_or_else(PoisonError::into_inner);
        let here = from.entry(ip).or_default();
        if *here >= STRANGERS_FROM_ONE {
            return None;
        }
        *here += 1;
        Some(Stranger { _one: room, ip, from: self.from.clone() })
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let mut from = self.from.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(here) = from.get_mut(&self.ip) {
            *here -= 1;
            if *here == 0 {
                from.remove(&self.ip);
            }
        }
    }
}

struct Talk {
    session: Session,
    frames: Frames,
    reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
}

impl Talk {
    /// None when the other does not take it.
    async fn send(&mut self, frame: &[u8]) -> Option<()> {
        let bytes = Frames::wrap(frame)?;
        timeout(SILENCE, self.writer.write_all(&bytes)).await.ok()?.ok()
    }

    /// The next frame; none at the end, or when the next is none of ours. What was read is not lost when this is given up
    /// halfway.
    async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(frame) = self.frames.next().ok()? {
                return Some(frame);
            }
            let mut chunk = [0; 8 * 1024];
            match self.reader.read(&mut chunk).await {
                Ok(0) | Err(_) => return None,
                Ok(n) => self.frames.take(&chunk[..n]),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use admission::{
        Millis, Refusal, Verdict,
        decide::StationKind,
        scan::{Deed, Entry, Medium, Scan, Trust},
    };

    use super::*;

    #[tokio::test]
    async fn what_is_scanned_before_the_mesh_has_begun_is_told() {
        let temp = tempfile::tempdir().expect("a folder");
        let store = Store::open(&temp.path().join("kiosk.db")).await.expect("a store");
        let head = crate::door::Head::start("k");
        let mesh = Mesh::new("k".to_owned(), head, None, Vec::new(), Vec::new());
        let (line, work) = Line::new(mesh);
        let scan = Scan {
            seq: 1,
            event: 4,
            station_kind: StationKind::Gate,
            station: "东门".into(),
            medium: Medium::Other,
            ticket: None,
            verdict: Verdict::Refused(Refusal::Unknown),
            trust: Trust::SignatureOnly,
            at: Millis(1),
            skew: None,
            deed: Deed::default(),
        };
        let entry = Entry::of(&scan);
        let head = crate::door::Head { seq: 1, chain: head.chain.after(1, &entry) };
        let journaled = crate::door::Line { head, entry, admitted: None, deed: Deed::default() };
        store.append(&journaled).await.expect("written");
        line.recorded();
        let (kiosk, key) = ("k".to_owned(), SigningKey::from_bytes(&[1; 32]));
        let own = Own { line: line.clone(), kiosk, key, store };
        let speaking = tokio::spawn(own.speak(work.read));
        let told = async {
            while line.inner().mesh.head() != head {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(60), told).await.expect("the others hear of it");
        speaking.abort();
    }

    #[tokio::test]
    async fn one_place_does_not_keep_the_door_shut_to_the_others() {
        let strangers = Strangers::new();
        let place = |last: u8| IpAddr::from([192, 168, 8, last]);
        let mut here = Vec::new();
        for _ in 0..100 {
            let room = strangers.room().await.expect("room");
            here.extend(strangers.admit(room, place(66)));
        }
        assert_eq!(here.len(), STRANGERS_FROM_ONE);
        let same = "::ffff:192.168.8.66".parse().expect("an address");
        assert!(strangers.admit(strangers.room().await.expect("room"), same).is_none());
        let other = strangers.admit(strangers.room().await.expect("room"), place(7));
        assert!(other.is_some());
        here.pop();
        let again = strangers.admit(strangers.room().await.expect("room"), place(66));
        assert!(again.is_some(), "who has left makes room");
        drop((here, other, again));
        assert!(strangers.from.lock().expect("no panic holds it").is_empty());
        assert_eq!(strangers.all.available_permits(), STRANGERS_MAX);
    }
}
