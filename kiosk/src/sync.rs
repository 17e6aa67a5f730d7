//! The task that carries the journal up and the copy down, as the [`courier`](crate::courier) says.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use admission::{
    Clock, Millis,
    card::CardKey,
    scan::Skew,
    sync::{Heard, Post, Upload},
};
use data_encoding::HEXLOWER_PERMISSIVE;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use zeroize::Zeroizing;

use crate::{
    api::{Api, Failure},
    courier::{AnotherJournal, Courier, Task},
    desk::Desk,
    doorkeeper::{Message, News, told_to},
    mesh::net::Line as MeshLine,
    status::{Board, Trouble},
    store::{Cursors, Store, StoreError},
};

/// How often the time of a complete copy is written down when nothing else is: it spares the disk, and after
/// a crash the copy is called older than it is, never younger.
const WRITE_AGE_EVERY_MS: i64 = 15_000;

/// The code with which the server says that it keeps another journal under this kiosk's name.
const QUARANTINED: &str = "kiosk_quarantined";

/// The task that speaks with the server.
pub(crate) struct Sync {
    pub(crate) kiosk: String,
    pub(crate) api: Api,
    pub(crate) store: Store,
    pub(crate) desk: Arc<Desk>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) door: mpsc::Sender<Message>,
    pub(crate) recorded: Arc<Notify>,
    pub(crate) skew: Option<Skew>,
    /// How the door is: without a card key it wants one.
    pub(crate) status: Board,
    /// Whether the card key was fetched in this run: a sealed one may be an old one.
    pub(crate) card_key: CardKeyNews,
    pub(crate) complete_at_written: Millis,
    pub(crate) mesh: MeshLine,
    /// How far the server has the others' journals, as last told to the mesh.
    pub(crate) heard: Vec<Heard>,
    /// What the server's clock showed when it was last heard in this run.
    pub(crate) server_now: Option<Millis>,
}

/// What this run knows of the card key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CardKeyNews {
    /// Not asked yet.
    None,
    /// The server gave it.
    Fetched,
    /// The server does not give it, which staff were told.
    Refused,
}

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
enum StepError {
    #[error(transparent)]
    Server(#[from] Failure),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(
        "the server keeps another journal under this kiosk's name (本机日志与服务器不一致): was this disk copied or restored? Enrol it again in a new --data folder"
    )]
    Forked,
    #[error("the server's feed does not go on")]
    Stuck,
}

impl Sync {
    /// Carries until `stop` turns true, or the organizer revoked the kiosk and the server has all that it had to tell.
    pub(crate) async fn work(mut self, mut courier: Courier, mut stop: watch::Receiver<bool>) {
        let mut failing = false;
        loop {
            let task = courier.task(getrandom::u32().unwrap_or_default());
            if task == Task::Leave {
                self.tell(News::Left).await;
                return;
            }
            let done = tokio::select! {
                () = told_to(&mut stop) => return,
                done = self.step(task, &mut courier) => done,
            };
            match done {
                Ok(()) if courier_is_well(task) && failing => {
                    tracing::info!("the server is back");
                    failing = false;
                }
                Ok(()) => {}
                Err(StepError::Server(Failure::Revoked)) => {
                    if !courier.is_dismissed() {
                        let (locked, done) = oneshot::channel();
                        self.tell(News::Revoked(locked)).await;
                        // A scan that is under way is ended first, and goes up with the rest.
                        drop(done.await);
                    }
                    courier.dismiss();
                }
                Err(error) => {
                    // Once per outage: a kiosk may be offline for a day.
                    if !failing {
                        tracing::warn!(%error, "sync failed; the door goes on alone");
                    }
                    failing = true;
                    courier.failed();
                    self.tell(News::Failed(trouble(&error))).await;
                }
            }
        }
    }

    async fn step(&mut self, task: Task, courier: &mut Courier) -> Result<(), StepError> {
        match task {
            Task::Upload { after } => self.upload(after, courier).await,
            Task::Fetch => self.fetch(courier).await,
            Task::FetchCardKey => self.fetch_card_key(courier).await,
            Task::Rest { ms, well } => {
                let rest = tokio::time::sleep(Duration::from_millis(ms));
                tokio::select! {
                    () = rest => {}
                    () = self.recorded.notified(), if well => {}
                }
                courier.rested();
                Ok(())
            }
            Task::Leave => Ok(()),
        }
    }

    async fn upload(&mut self, after: u64, courier: &mut Courier) -> Result<(), StepError> {
        if self.status.now().clock_unsure && !courier.is_dismissed() {
            self.confirm_clock(after).await?;
        }
        let heard = self.server_now;
        // Once that is written down, the door is shut for good.
        let ends = courier.is_dismissed() && self.store.is_revoked().await?;
        let (before, entries) =
            self.store.entries_after(&self.kiosk, after, courier.batch()).await?;
        let head_seq = self.store.head(&self.kiosk).await?.seq;
        let skew_ms = self.skew.map(|skew| skew.ms);
        let wrong_pins = self.store.tries().await?.today(self.clock.now());
        let from_seq = after + 1;
        let mut corrected = self.store.corrected().await?;
        corrected.retain(|one| one.through >= from_seq);
        let upload = Upload {
            from_seq,
            before,
            entries,
            head_seq,
            skew_ms,
            heard,
            ends,
            wrong_pins,
            corrected,
        };
        let begun = Instant::now();
        let receipt = self.api.upload(&upload).await?;
        self.measure(begun, receipt.server_now);
        let own = self.store.chain_at(&self.kiosk, receipt.have_through).await?;
        // What was recorded while the upload was under way goes with the next.
        courier.receipt(&receipt, head_seq, own).map_err(|AnotherJournal| StepError::Forked)?;
        if receipt.have_through != after {
            self.store.acknowledge(receipt.have_through).await?;
            self.tell(News::Acknowledged(receipt.have_through)).await;
        }
        Ok(())
    }

    /// Hears the time before anything is sent that was written in doubt of it: a sign of life is answered with it.
    async fn confirm_clock(&mut self, after: u64) -> Result<(), StepError> {
        let (before, _) = self.store.entries_after(&self.kiosk, after, 0).await?;
        let head_seq = self.store.head(&self.kiosk).await?.seq;
        let upload = Upload { from_seq: after + 1, before, head_seq, ..Upload::default() };
        let begun = Instant::now();
        let receipt = self.api.upload(&upload).await?;
        // What was measured before the machine was without power is worth nothing.
        self.skew = None;
        self.measure(begun, receipt.server_now);
        let Some(skew) = self.skew else { return Ok(()) };
        let (done, told) = oneshot::channel();
        self.tell(News::Confirmed(skew, done)).await;
        drop(told.await);
        Ok(())
    }

    async fn fetch(&mut self, courier: &mut Courier) -> Result<(), StepError> {
        let after = self.store.cursors().await?;
        let begun = Instant::now();
        let feed = self.api.feed(after).await?;
        self.measure(begun, feed.server_now);
        let moved = (feed.revision, feed.cards_revision) != (after.revision, after.cards_revision);
        if feed.more && !moved {
            return Err(StepError::Stuck);
        }
        let memory = self.store.memory().await?;
        if moved || memory.post.as_ref() != Some(&feed.post) {
            self.store.take_page(&feed, after, courier.acknowledged()).await?;
        }
        if memory.post.as_ref() != Some(&feed.post) {
            let peers = &feed.post.peers;
            if memory.post.as_ref().map(|post| &post.peers) != Some(peers) {
                self.mesh.vouched(feed.post.event.number, peers.clone());
                self.heard.clear();
                let believed: Vec<&str> = peers.iter().map(|peer| peer.kiosk.as_str()).collect();
                self.store.drop_told_except(&believed).await?;
            }
            if memory.post.as_ref().map(|post| &post.keys) != Some(&feed.post.keys) {
                self.take_keys(&feed.post).await?;
            }
            self.tell(News::Post(Box::new(feed.post))).await;
        }
        if after == Cursors::default() {
            // A copy that begins anew tells what the mesh has yet to be told of.
            self.heard.clear();
        }
        if !feed.more && feed.heard != self.heard {
            let cursors = Cursors { revision: feed.revision, cards_revision: feed.cards_revision };
            if self.store.settle_told(&feed.heard, cursors).await? {
                self.mesh.settled(feed.heard.clone());
                self.heard = feed.heard;
            }
        }
        let wanted = self.card_key == CardKeyNews::None || !self.status.now().cards;
        if courier.page(feed.more, wanted) {
            let sent = self.when(begun);
            if moved || sent.since(self.complete_at_written) > WRITE_AGE_EVERY_MS {
                self.store.complete(sent, self.skew).await?;
                self.complete_at_written = sent;
            }
            self.tell(News::Synced { complete_at: sent, skew: self.skew }).await;
            self.fetch_people(feed.revision).await?;
        }
        Ok(())
    }

    /// The server's own keys: they sign its word that this kiosk was revoked.
    async fn take_keys(&self, post: &Post) -> Result<(), StoreError> {
        if !self.api.are_its_keys(&post.keys, &post.keys_signed) {
            tracing::warn!(
                "somebody says that the server has other keys, and it has not signed them"
            );
            return Ok(());
        }
        self.store.keep_server_keys(&post.keys).await?;
        self.api.trust(post.keys.clone());
        Ok(())
    }

    /// Names for the desk, once its PIN was given, through the revision that the copy has.
    async fn fetch_people(&mut self, through: i64) -> Result<(), StepError> {
        while let Some(after) = self.desk.wanted_after().filter(|after| *after < through) {
            let page = self.api.people(after).await?;
            if page.more && page.revision <= after {
                return Err(StepError::Stuck);
            }
            let through = if page.more { page.revision } else { page.revision.max(through) };
            self.desk.take(page.people, through).await?;
        }
        Ok(())
    }

    /// Without the card key the kiosk still reads codes, so a refusal is told and the round goes on.
    async fn fetch_card_key(&mut self, courier: &mut Courier) -> Result<(), StepError> {
        courier.card_key();
        let card_key = match self.api.card_key().await {
            Ok(answer) => secret(&Zeroizing::new(answer.card_key)),
            Err(error @ Failure::Refused { .. }) => {
                if self.card_key != CardKeyNews::Refused {
                    tracing::warn!(%error, "cards cannot be read here");
                }
                self.card_key = CardKeyNews::Refused;
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        let Some(card_key) = card_key else {
            tracing::warn!(
                "the server's card key is not 64 hexadecimal digits; cards cannot be read here"
            );
            return Ok(());
        };
        self.card_key = CardKeyNews::Fetched;
        match self.desk.keep_card_key(&card_key) {
            Ok(true) => tracing::info!("the card key is sealed on disk under the PIN"),
            Ok(false) => {}
            Err(error) => tracing::error!(%error, "the card key is in memory only"),
        }
        self.tell(News::CardKey(card_key)).await;
        Ok(())
    }

    /// Keeps the sharper of two measurements, unless they contradict each other: then the clock was moved.
    fn measure(&mut self, begun: Instant, server: Millis) {
        self.server_now = Some(server);
        self.api.is_past(server);
        let new = Skew::measured(self.when(begun), server, self.clock.now());
        self.skew = Some(match self.skew {
            Some(old) if old.error_ms < new.error_ms && old.agrees_with(new) => old,
            _ => new,
        });
    }

    /// When that was, by the clock as it is now: it may have been set since.
    fn when(&self, begun: Instant) -> Millis {
        let ago = i64::try_from(begun.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.clock.now().plus(-ago)
    }

    async fn tell(&self, news: News) {
        // The doorkeeper leaves first only when the program ends.
        drop(self.door.send(Message::News(news)).await);
    }
}

const fn courier_is_well(task: Task) -> bool {
    matches!(task, Task::Fetch | Task::Upload { .. })
}

fn trouble(error: &StepError) -> Option<Trouble> {
    match error {
        StepError::Forked => Some(Trouble::Forked),
        StepError::Server(Failure::Refused { code, .. }) if code == QUARANTINED => {
            Some(Trouble::Forked)
        }
        StepError::Server(Failure::Refused { status: 400..500, .. }) => Some(Trouble::Refused),
        _ => None,
    }
}

fn secret(hex: &str) -> Option<CardKey> {
    let bytes = Zeroizing::new(HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).ok()?);
    <[u8; 32]>::try_from(bytes.as_slice()).ok().map(CardKey::new)
}
