//! The task that drives the door: takes scans one at a time, looks up, asks, writes and shows what the door says.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use admission::{
    Clock, Millis, Verdict,
    card::CardKey,
    decide::{Proof, StationKind},
    say::Lang,
    scan::Skew,
    sync::{CHECK_TIMEOUT_MS, Corrected, NumberWanted, Post},
    ticket::{self, TicketId},
};
use tokio::sync::{Notify, broadcast, mpsc, oneshot, watch};
use zeroize::Zeroizing;

use crate::{
    api::{Api, Failure},
    desk::Desk,
    devices::{Printer, Slip},
    door::{Cannot, Door, Effect, Found, Input, Line, Lookup, Order, Trigger, What},
    doubts,
    identity::Folder,
    mesh::{Time, net::Line as MeshLine},
    shown::{Closed, Outcome, Shown, Unread, wait},
    status::{Board, Phase, Status, Trouble},
    steady::{self, Alive, Watch},
    store::{Store, StoreError, Wipe},
    supervisor::Supervisor,
};

/// How long the first sync may keep a kiosk "starting" that could decide already.
const START_AT_MOST: Duration = Duration::from_millis(1_500);
/// A number is waited for so long; the verdict stands by then.
const NUMBER_TIMEOUT: Duration = Duration::from_secs(1);
/// How often the time is written down: a memory card bears that for years.
const ALIVE_EVERY_MS: i64 = 60_000;
/// A clock further off than this is told to staff.
pub(crate) const CLOCK_OFF_MS: i64 = 120_000;

/// What the doorkeeper hears.
#[derive(Debug)]
pub enum Message {
    /// Somebody or something scanned.
    Scan {
        /// What was read; wiped after use, since it may be a card number.
        text: Zeroizing<String>,
        /// Who pulled the trigger.
        trigger: Trigger,
        /// Told what is shown. Dropped when the read was empty.
        reply: oneshot::Sender<Shown>,
    },
    /// Staff or the holder tapped something.
    Order {
        /// What.
        order: Order,
        /// Told what is shown, or why it cannot be done.
        reply: oneshot::Sender<Result<Shown, Cannot>>,
    },
    /// How these tickets stand here now.
    Stand {
        /// Which.
        tickets: Vec<TicketId>,
        /// Told of those that something is known of, in the same order.
        reply: oneshot::Sender<Vec<Standing>>,
    },
    /// Something was shown to a device that could not read it.
    Unread(Unread, oneshot::Sender<Shown>),
    /// From the server.
    News(News),
}

/// How a ticket stands at this kiosk now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Which.
    pub ticket: TicketId,
    /// What the rule would say.
    pub verdict: Verdict,
    /// The holder's name, masked; empty when the copy does not have the ticket yet.
    pub holder: String,
    /// What was booked.
    pub offer: String,
    /// Whether an admission of it here could be taken back.
    pub undoable: bool,
}

/// What the sync brings.
#[derive(Debug)]
pub enum News {
    /// What the kiosk serves.
    Post(Box<Post>),
    /// A round ended well.
    Synced {
        /// The copy was complete then.
        complete_at: Millis,
        /// The skew last measured.
        skew: Option<Skew>,
    },
    /// The server's clock was read, before anything is sent that was written in doubt of this one; told when that is put
    /// right.
    Confirmed(Skew, oneshot::Sender<()>),
    /// A round failed, and what staff must see to.
    Failed(Option<Trouble>),
    /// The server has all entries through this one.
    Acknowledged(u64),
    /// The card key.
    CardKey(CardKey),
    /// The organizer revoked the kiosk; told when it decides nothing any more.
    Revoked(oneshot::Sender<()>),
    /// The server has all that a revoked kiosk had to tell, or takes nothing of it.
    Left,
}

/// A line to the doorkeeper, and what it publishes.
#[derive(Clone, Debug)]
pub struct Kiosk {
    pub(crate) messages: mpsc::Sender<Message>,
    /// How the kiosk is.
    pub status: Board,
    /// What is shown, as it happens.
    pub shown: broadcast::Sender<Shown>,
    /// Rings when there is something to send.
    pub(crate) recorded: Arc<Notify>,
}

impl Kiosk {
    /// Takes one scan to the door and waits for what is shown. None for an empty read, or at the very end.
    pub async fn scan(&self, text: Zeroizing<String>, trigger: Trigger) -> Option<Shown> {
        let (reply, answer) = oneshot::channel();
        self.messages.send(Message::Scan { text, trigger, reply }).await.ok()?;
        answer.await.ok()
    }

    /// Has something done that was tapped. None at the very end.
    pub async fn order(&self, order: Order) -> Option<Result<Shown, Cannot>> {
        let (reply, answer) = oneshot::channel();
        self.messages.send(Message::Order { order, reply }).await.ok()?;
        answer.await.ok()
    }

    /// How these tickets stand here now; those that nothing is known of are left out.
    pub async fn stand(&self, tickets: Vec<TicketId>) -> Vec<Standing> {
        let (reply, answer) = oneshot::channel();
        if self.messages.send(Message::Stand { tickets, reply }).await.is_err() {
            return Vec::new();
        }
        answer.await.unwrap_or_default()
    }

    /// Tells the holder that something was shown and not read. None at the very end.
    pub async fn unread(&self, unread: Unread) -> Option<Shown> {
        let (reply, answer) = oneshot::channel();
        self.messages.send(Message::Unread(unread, reply)).await.ok()?;
        answer.await.ok()
    }

    /// Waits until scans can be decided, or never will be.
    pub async fn started(&self) {
        self.status.when(|status| status.phase != Phase::Starting).await;
    }
}

/// Waits until `stop` turns true, or nobody is left to turn it.
pub(crate) async fn told_to(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}

/// The task that drives the door.
pub(crate) struct Doorkeeper {
    kiosk: String,
    door: Door,
    store: Store,
    folder: Folder,
    desk: Arc<Desk>,
    api: Option<Api>,
    clock: Arc<dyn Clock>,
    printer: Option<Printer>,
    mesh: MeshLine,
    messages: mpsc::Receiver<Message>,
    status: watch::Sender<Status>,
    shown: broadcast::Sender<Shown>,
    recorded: Arc<Notify>,
    acknowledged: u64,
    trouble: Option<Trouble>,
    /// The journal could not be written.
    out_of_order: bool,
    /// What is not certain to be wiped as it should be: the disk was full, or the plug was pulled in between.
    owed: Option<Wipe>,
    /// The server has all that a revoked kiosk had to tell.
    left: bool,
    /// Until the first sync has ended, one way or the other.
    starting_since: Option<Instant>,
    /// Who starts the program again when this task tells nothing any more.
    supervisor: Option<Supervisor>,
    watch: Watch,
    /// The name of this time between two power cuts.
    boot: Option<String>,
    /// When the time was last written down, by how long the machine had been on; and whether it was sure then.
    alive_at: Option<(i64, bool)>,
}

/// What a doorkeeper works with.
pub(crate) struct Tools {
    pub(crate) kiosk: String,
    pub(crate) door: Door,
    pub(crate) store: Store,
    pub(crate) folder: Folder,
    pub(crate) desk: Arc<Desk>,
    pub(crate) api: Option<Api>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) printer: Option<Printer>,
    pub(crate) mesh: MeshLine,
    pub(crate) acknowledged: u64,
    /// What is known at the start to be seen to.
    pub(crate) trouble: Option<Trouble>,
    pub(crate) supervisor: Option<Supervisor>,
    pub(crate) boot: Option<String>,
}

impl Doorkeeper {
    /// A doorkeeper, and the line to them.
    pub(crate) fn new(tools: Tools) -> (Self, Kiosk) {
        let Tools {
            kiosk,
            door,
            store,
            folder,
            desk,
            api,
            clock,
            printer,
            mesh,
            acknowledged,
            trouble,
            supervisor,
            boot,
        } = tools;
        let (sender, messages) = mpsc::channel(64);
        let (shown, _) = broadcast::channel(64);
        let recorded = Arc::new(Notify::new());
        let (status, board) = Board::new(Status::of(&door, clock.now()));
        let line = Kiosk {
            messages: sender,
            status: board,
            shown: shown.clone(),
            recorded: recorded.clone(),
        };
        let starting_since = api.is_some().then(Instant::now);
        let locked = door.closed_because() == Some(Closed::Locked);
        let mut keeper = Self {
            kiosk,
            door,
            store,
            folder,
            desk,
            api,
            clock,
            printer,
            mesh,
            messages,
            status,
            shown,
            recorded,
            acknowledged,
            trouble,
            out_of_order: false,
            owed: locked.then_some(Wipe::Revoked),
            left: false,
            starting_since,
            supervisor,
            watch: Watch::default(),
            boot,
            alive_at: None,
        };
        keeper.publish();
        (keeper, line)
    }

    /// Works until `stop` turns true. A scan that has begun is ended first.
    pub(crate) async fn work(mut self, mut stop: watch::Receiver<bool>) {
        let mut second = tokio::time::interval(Duration::from_millis(500));
        if let Some(supervisor) = &self.supervisor {
            supervisor.ready();
        }
        loop {
            tokio::select! {
                biased;
                () = told_to(&mut stop) => return,
                message = self.messages.recv() => match message {
                    Some(Message::Scan { text, trigger, reply }) => {
                        if let Some(shown) = self.scan(text, trigger).await {
                            // Whoever asked may have gone; the screens still show it.
                            drop(reply.send(shown));
                        }
                    }
                    Some(Message::Order { order, reply }) => {
                        drop(reply.send(self.obey(order).await));
                    }
                    Some(Message::Stand { tickets, reply }) => {
                        drop(reply.send(self.stand(tickets).await));
                    }
                    Some(Message::Unread(unread, reply)) => {
                        let shown = self.door.unread(unread, self.clock.now());
                        drop(self.shown.send(shown.clone()));
                        drop(reply.send(shown));
                    }
                    Some(Message::News(news)) => self.hear(news).await,
                    None => return,
                },
                _ = second.tick() => self.look_around().await,
            }
            self.publish();
            if let Some(supervisor) = &mut self.supervisor {
                supervisor.alive();
            }
        }
    }

    /// One scan, from the text to what is shown.
    async fn scan(&mut self, text: Zeroizing<String>, trigger: Trigger) -> Option<Shown> {
        let code = self.printer.as_ref().and_then(|_| ticket::without_proof(&text));
        let mut shown = self.drive(Input::Scanned(text, trigger)).await?.ok()?;
        self.number(&mut shown).await;
        // No screen need be open.
        drop(self.shown.send(shown.clone()));
        self.print(&shown, code);
        Some(shown)
    }

    /// Something tapped, from the order to what is shown.
    async fn obey(&mut self, order: Order) -> Result<Shown, Cannot> {
        let for_the_holder = !matches!(order.what, What::Undo(..) | What::Consent(_));
        let shown = self.drive(Input::Ordered(order)).await.unwrap_or(Err(Cannot::TooLate))?;
        if for_the_holder {
            drop(self.shown.send(shown.clone()));
            self.print(&shown, None);
        }
        Ok(shown)
    }

    /// None for an empty read.
    async fn drive(&mut self, mut input: Input) -> Option<Result<Shown, Cannot>> {
        let begun = Instant::now();
        self.mind_the_clock().await;
        let mut shown = loop {
            let now = self.clock.now();
            self.door.take_agreed(self.mesh.agreed());
            input = match self.door.handle(input, now) {
                Effect::Look(lookup) => match self.look(lookup).await {
                    Ok(found) => Input::Found(found),
                    Err(error) => {
                        self.fall_out(&error);
                        // The door knows no such answer to its question, and closes.
                        Input::Recorded(false)
                    }
                },
                Effect::Ask(check) => Input::Answered(self.ask(check).await),
                Effect::Record(line) => Input::Recorded(self.record(&line).await),
                Effect::Show(shown) => break shown,
                Effect::Ignore => return None,
                Effect::Cannot(why) => return Some(Err(why)),
            };
        };
        if shown.scan.is_some() {
            shown.decide_us = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
            self.recorded.notify_one();
            self.mesh.recorded();
        }
        Some(Ok(shown))
    }

    /// What the store knows, and what other doors told of it.
    async fn look(&self, lookup: Lookup) -> Result<Found, StoreError> {
        let mut found = self.store.look(lookup).await?;
        if let Found::Card { person, tickets, .. } = &mut found
            && tickets.is_empty()
        {
            // One that was given at another door may have been used at this one since.
            for id in self.mesh.given_to(person) {
                if let Found::Ticket(known) = self.store.look(Lookup::Ticket(id)).await? {
                    tickets.push(known);
                }
            }
        }
        self.mesh.tell(&mut found);
        Ok(found)
    }

    async fn stand(&mut self, tickets: Vec<TicketId>) -> Vec<Standing> {
        let now = self.clock.now();
        let mut standings = Vec::with_capacity(tickets.len());
        for ticket in tickets {
            let Ok(Found::Admission(known, last)) = self.look(Lookup::Admission(ticket)).await
            else {
                continue;
            };
            // They are listed for staff, who look at who it is.
            let judged = self.door.judge(&known, Proof::Seen, now);
            if let (Some((verdict, fact)), Some(post)) = (judged, self.door.post()) {
                let offer = post.event.offer(fact.class).map(|offer| offer.name.clone());
                let offer = offer.unwrap_or_default();
                let holder = known.row.map(|row| row.holder).unwrap_or_default();
                let undoable = last.is_some();
                standings.push(Standing { ticket, verdict, holder, offer, undoable });
            }
        }
        standings
    }

    /// Takes a call number for whoever was noted at a desk. Without the server there is none, and the scan is a visit.
    async fn number(&self, shown: &mut Shown) {
        let noted = matches!(shown.outcome, Outcome::Decided(Verdict::Admitted, None));
        let (StationKind::Desk, true, Some(api), Some(ticket)) =
            (shown.kind, noted, self.api.as_ref(), self.door.visitor())
        else {
            return;
        };
        let wanted = NumberWanted { ticket };
        match tokio::time::timeout(NUMBER_TIMEOUT, api.number(&wanted)).await {
            Ok(Ok(Some(number))) => {
                shown.number = Some(number);
                // The visit is still to come: now they read how long it takes.
                shown.asks_consent = false;
            }
            Ok(Ok(None)) => {}
            Ok(Err(failure)) => tracing::warn!(%failure, "no call number"),
            Err(_) => tracing::warn!("no call number in time"),
        }
    }

    /// Gives who was let in a slip, if there is a printer.
    fn print(&self, shown: &Shown, code: Option<String>) {
        let (Some(printer), Some(post), Some(scan)) =
            (&self.printer, self.door.post(), &shown.scan)
        else {
            return;
        };
        let goes_in = post.station_kind != StationKind::Exit;
        let number = shown.number.as_ref();
        if goes_in && matches!(shown.outcome, Outcome::Decided(Verdict::Admitted, _)) {
            printer.print(Slip {
                scan: scan.clone(),
                event: post.event.title.clone(),
                station: post.station.clone(),
                holder: shown.holder.clone(),
                place: number.map(|number| number.label.clone()).or_else(|| shown.place.clone()),
                offer: number.map(|number| wait(number, Lang::Zh)).or_else(|| shown.offer.clone()),
                code,
                at: self.door.true_time(shown.at),
                time_zone: post.event.time_zone.clone(),
            });
        }
    }

    async fn ask(
        &mut self,
        check: admission::sync::Check,
    ) -> Option<Box<admission::sync::Checked>> {
        let api = self.api.as_ref()?;
        let patience = Duration::from_millis(CHECK_TIMEOUT_MS);
        match tokio::time::timeout(patience, api.check(&check)).await {
            Ok(Ok(checked)) => Some(Box::new(checked)),
            Ok(Err(Failure::Revoked)) => {
                self.lock().await;
                None
            }
            Ok(Err(failure)) => {
                tracing::warn!(%failure, "the server does not answer; deciding alone");
                None
            }
            Err(_) => {
                tracing::warn!(
                    "the server takes longer than {CHECK_TIMEOUT_MS} ms; deciding alone"
                );
                None
            }
        }
    }

    /// Writes a line. After a failure it is unknown whether the line stands, so the journal's end is read again.
    async fn record(&mut self, line: &Line) -> bool {
        let Err(error) = self.store.append(line).await else {
            self.out_of_order = false;
            return true;
        };
        match self.store.head(&self.kiosk).await {
            Ok(head) if head == line.head => return true,
            Ok(head) if head == self.door.head() => {
                if self.store.append(line).await.is_ok() {
                    self.out_of_order = false;
                    return true;
                }
            }
            Ok(head) => self.door.take_head(head),
            Err(_) => {}
        }
        self.fall_out(&error);
        false
    }

    fn fall_out(&mut self, error: &StoreError) {
        tracing::error!(%error, "out of order: no scan is decided until the store works again");
        self.out_of_order = true;
    }

    async fn hear(&mut self, news: News) {
        match news {
            News::Post(post) => self.door.take_post(*post),
            News::Synced { complete_at, skew } => {
                let off = skew.is_some_and(|skew| skew.ms.saturating_abs() > CLOCK_OFF_MS);
                self.trouble = off.then_some(Trouble::ClockOff);
                // What is there now is there by a new lease.
                self.owed = self.owed.filter(|wipe| *wipe == Wipe::Revoked);
                if let Some(skew) = skew {
                    self.confirm(skew).await;
                }
                self.door.synced(complete_at, skew);
            }
            News::Confirmed(skew, done) => {
                self.confirm(skew).await;
                // Whoever told may have gone.
                let _gone = done.send(());
            }
            News::Failed(trouble) => {
                self.trouble = trouble.or(self.trouble);
                self.door.lost_contact();
                self.starting_since = None;
            }
            News::Acknowledged(seq) => self.acknowledged = seq,
            News::CardKey(card_key) => self.door.take_card_key(Some(card_key)),
            News::Revoked(locked) => {
                self.lock().await;
                // Whoever told may have gone.
                let _gone = locked.send(());
            }
            News::Left => self.leave(),
        }
    }

    /// Somebody may have set the clock.
    async fn mind_the_clock(&mut self) {
        let Some(on_ms) = steady::on_ms() else { return };
        let Some(by_ms) = self.watch.look(self.clock.now(), on_ms) else { return };
        tracing::warn!(
            by_ms,
            "the clock was set; the time goes on as it went until the server is heard"
        );
        self.door.clock_set(by_ms);
        if self.door.clock().1.is_some_and(|skew| skew.ms.saturating_abs() > CLOCK_OFF_MS) {
            self.trouble = self.trouble.or(Some(Trouble::ClockOff));
        }
        // For the next start.
        if let (Some(complete_at), skew) = self.door.clock()
            && let Err(error) = self.store.complete(complete_at, skew).await
        {
            tracing::warn!(%error, "that is not written down");
        }
        self.keep_alive().await;
    }

    /// The clock is so far off: what was written in doubt of it is put right.
    async fn confirm(&mut self, skew: Skew) {
        if !self.door.is_in_doubt() {
            return;
        }
        let mut corrected = self.of_runs_before(skew).await;
        let of_this_run = self.door.confirm(skew);
        tracing::info!(by_ms = of_this_run.map(|c| c.by_ms), "the clock is confirmed");
        corrected.extend(of_this_run);
        if let Err(error) = self.store.put_right(corrected).await {
            tracing::warn!(%error, "scans that were made in doubt of the clock keep their time");
        }
        if let (Some(complete_at), skew) = self.door.clock()
            && let Err(error) = self.store.complete(complete_at, skew).await
        {
            tracing::warn!(%error, "that is not written down");
        }
    }

    /// What that says of scans that the program made in doubt when it ran before.
    async fn of_runs_before(&self, skew: Skew) -> Vec<Corrected> {
        let (Some(boot), Some(on_ms)) = (&self.boot, steady::on_ms()) else { return Vec::new() };
        let on_at = doubts::switched_on(self.clock.now(), skew, on_ms);
        let known = doubts::Known { boot, on_at, error_ms: skew.error_ms };
        let stretches = self.store.doubts().await.unwrap_or_default();
        let Some((this, before)) = stretches.split_last() else { return Vec::new() };
        let mut times = HashMap::new();
        for seq in doubts::ends(before, this.from) {
            let entries = self.store.entries_after(&self.kiosk, seq.saturating_sub(1), 1).await;
            let last = entries.ok().and_then(|(_, entries)| entries.first()?.scan().ok());
            times.extend(last.filter(|scan| scan.seq == seq).map(|scan| (seq, scan.true_at())));
        }
        doubts::put_right(before, this.from, known, |seq| times.get(&seq).copied())
    }

    /// Writes down what time it is, now and then: after a power cut it was later than that.
    async fn keep_alive(&mut self) {
        let (Some(boot), Some(on_ms)) = (self.boot.clone(), steady::on_ms()) else { return };
        let (now, sure) = (self.clock.now(), !self.door.is_in_doubt());
        let (at, ahead_ms) = (self.door.true_time(now), now.0.saturating_sub(on_ms));
        self.alive_at = Some((on_ms, sure));
        if let Err(error) = self.store.keep_alive(&Alive { boot, at, ahead_ms, sure }).await {
            tracing::debug!(%error, "the time is not written down");
        }
    }

    /// Tells the other kiosks the time, or asks them.
    async fn compare_clocks(&mut self) {
        let now = self.clock.now();
        let known = self.door.clock().1.filter(|_| !self.door.is_in_doubt());
        self.mesh.knows_time(
            known.map(|skew| Time { at: self.door.true_time(now), error_ms: skew.error_ms }),
        );
        if let Some(Time { at, error_ms }) = self.mesh.time().filter(|_| known.is_none()) {
            self.confirm(Skew { ms: at.since(now), error_ms }).await;
        }
        let due = self.alive_at.is_none_or(|(on_ms, sure)| {
            steady::on_ms().is_some_and(|now| now - on_ms >= ALIVE_EVERY_MS)
                || sure == self.door.is_in_doubt()
        });
        if due && !self.out_of_order {
            self.keep_alive().await;
        }
    }

    /// What time alone brings: the end of starting, of a lease, of a full disk.
    async fn look_around(&mut self) {
        self.mind_the_clock().await;
        self.compare_clocks().await;
        if self.out_of_order && self.store.probe().await.is_ok() {
            tracing::info!("the store works again");
            self.out_of_order = false;
        }
        if let Some(wipe) = self.owed.filter(|_| !self.out_of_order) {
            self.wipe(wipe).await;
        }
        if self.door.lease_ended(self.clock.now()) {
            tracing::warn!(
                "the lease is over: names and cards are wiped until the server is heard again"
            );
            self.door.forget_copy();
            self.desk.forget();
            self.mesh.wiped();
            self.wipe(Wipe::LeaseEnded).await;
        }
    }

    async fn lock(&mut self) {
        tracing::error!(
            "the organizer has revoked this kiosk: tickets, names and cards are wiped; what it has yet to tell goes up as long as the server takes it"
        );
        // It believes nobody any more, and says nothing.
        self.mesh.vouched(0, Vec::new());
        self.door.lock();
        self.desk.forget();
        self.api = None;
        self.wipe(Wipe::Revoked).await;
    }

    /// With the key goes the right to speak; not before all is wiped: a kiosk without a key hears of no revocation.
    fn leave(&mut self) {
        self.left = true;
        if self.owed.is_some() {
            return;
        }
        if let Err(error) = self.folder.wipe_key() {
            tracing::error!(%error, "the key could not be wiped from disk");
        }
    }

    /// Wipes, now or as soon as the disk lets it.
    async fn wipe(&mut self, wipe: Wipe) {
        let store = self.store.wipe(wipe).await;
        if let Err(error) = &store {
            self.fall_out(error);
        }
        let secrets = match wipe {
            Wipe::LeaseEnded => self.folder.wipe_card_key(),
            Wipe::Revoked => self.folder.wipe_pin(),
        };
        if let Err(error) = &secrets {
            tracing::error!(%error, "the keys could not be wiped from disk");
        }
        self.owed = (store.is_err() || secrets.is_err()).then_some(wipe);
        if self.left {
            self.leave();
        }
    }

    fn publish(&mut self) {
        let ready = self.door.in_contact() && self.door.reads_cards();
        if self.starting_since.is_some_and(|since| ready || since.elapsed() > START_AT_MOST) {
            self.starting_since = None;
        }
        let now = self.clock.now();
        self.door.take_agreed(self.mesh.agreed());
        let mut status = Status::of(&self.door, now);
        status.neighbours = self.mesh.neighbours();
        if self.out_of_order {
            status.phase = Phase::OutOfOrder;
        } else if status.phase == Phase::Ready && self.starting_since.is_some() {
            status.phase = Phase::Starting;
        }
        status.waiting = self.door.head().seq.saturating_sub(self.acknowledged);
        status.trouble = self.trouble;
        self.status.send_if_modified(|published| {
            let changed = *published != status;
            *published = status;
            changed
        });
    }
}
