//! The rush as everybody may watch it: how many places are left and how many people wait, without the database.
//!
//! All current offers are read together, on demand, at most twice a second however many ask.

use std::{
    collections::HashMap,
    convert::Infallible,
    hash::{BuildHasher as _, RandomState},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use admission::Millis;
use axum::{
    Json,
    extract::{Path, State},
    http::HeaderMap,
    response::sse::{self, KeepAlive, Sse},
};
use futures_util::{Stream, stream};
use serde::Serialize;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use super::tickets::Stamps;
use crate::{
    App,
    db::Db,
    error::{Error, Result},
    event::{
        queries::{self, Current},
        rules::{Standing, standing_in},
    },
    live::Live,
    web::{access::Caller, session},
};

/// How old a figure may be.
const KEPT: Duration = Duration::from_millis(500);
/// A database that takes longer is away.
const READ_AT_MOST: Duration = Duration::from_secs(2);
/// A page hears of changes no more often than that.
const TOLD_EVERY: Duration = Duration::from_secs(1);
/// So many pages listen at once; the others ask now and then.
const LISTENERS: usize = 4_000;

/// The figures of all current offers. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Figures {
    db: Db,
    table: Arc<tokio::sync::Mutex<Option<Table>>>,
    /// Counts up when something has changed.
    ticks: watch::Receiver<()>,
    listeners: Arc<Semaphore>,
    reads: Arc<AtomicU64>,
    /// Learns what tickets of the offers would say.
    stamps: Stamps,
}

#[derive(Clone, Debug)]
struct Table {
    until: Instant,
    /// None: they could not be read.
    offers: Option<Arc<[Current]>>,
}

impl Figures {
    /// Starts passing on what changes.
    pub(super) fn start(db: Db, live: &Live, stamps: Stamps) -> Self {
        let (tick, ticks) = watch::channel(());
        let mut changes = live.listen();
        tokio::spawn(async move {
            // Also what was missed is a change. One tick is for all that came since the one before.
            while changes.next().await.is_some() {
                tokio::time::sleep(TOLD_EVERY).await;
                changes.skip();
                if tick.send(()).is_err() {
                    return;
                }
            }
        });
        let listeners = Arc::new(Semaphore::new(LISTENERS));
        Self { db, table: Arc::default(), ticks, listeners, reads: Arc::default(), stamps }
    }

    /// How often the database was asked.
    pub(super) fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    /// All current offers, as they stood half a second ago or later. Whoever comes while they are read waits for it.
    pub(super) async fn offers(&self, now: Millis) -> Result<Arc<[Current]>> {
        let mut table = self.table.lock().await;
        if let Some(Table { until, offers }) = &*table
            && Instant::now() < *until
        {
            return offers.clone().ok_or(Error::Busy);
        }
        let until = Instant::now() + KEPT;
        self.reads.fetch_add(1, Ordering::Relaxed);
        let read = async {
            let mut tx = self.db.read().await?;
            queries::current_offers(&mut tx, now).await
        };
        match tokio::time::timeout(READ_AT_MOST, read).await {
            Ok(Ok(offers)) => {
                self.stamps.note_all(&offers);
                let offers: Arc<[Current]> = offers.into();
                *table = Some(Table { until, offers: Some(Arc::clone(&offers)) });
                Ok(offers)
            }
            outcome => {
                // Those who wait behind this one are told at once, not one after the other.
                *table = Some(Table { until: Instant::now() + KEPT, offers: None });
                outcome.unwrap_or(Err(Error::Busy)).and(Err(Error::Busy))
            }
        }
    }
}

/// The attempts that wait, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Queue {
    hasher: RandomState,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    came: u64,
    answered: u64,
    /// The number under which each came.
    numbers: HashMap<Tap, u64>,
}

/// Stands for a person and a key: keys are anybody's to choose. Of two that are alike by chance, one would be told how many
/// wait in front of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Tap(u64);

impl Queue {
    /// The tap of that person under that key.
    pub(super) fn tap(&self, person_id: &str, key: &str) -> Tap {
        Tap(self.hasher.hash_one((person_id, key)))
    }

    /// The attempt has come.
    pub(super) fn join(&self, tap: Tap) {
        let mut waiting = self.lock();
        let number = waiting.came;
        waiting.came += 1;
        waiting.numbers.insert(tap, number);
    }

    /// The attempts of those `taps`, the first that came, have their answers.
    pub(super) fn leave(&self, taps: impl IntoIterator<Item = Tap>) {
        let mut waiting = self.lock();
        for tap in taps {
            waiting.answered += 1;
            waiting.numbers.remove(&tap);
        }
    }

    /// How many wait in front of that attempt; all that wait when it is not among them.
    pub(super) fn ahead(&self, tap: Option<Tap>) -> u64 {
        let waiting = self.lock();
        let number = tap.and_then(|tap| waiting.numbers.get(&tap)).unwrap_or(&waiting.came);
        number.saturating_sub(waiting.answered)
    }

    /// A panic elsewhere leaves nothing half done in it.
    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How the rush for an offer stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct RushJson {
    /// The offer's id.
    offer: String,
    /// `not_open`, `open`, `waiting_list`, `sold_out`, `closed` or `cancelled`.
    standing: &'static str,
    /// Booking opens, milliseconds since 1970.
    opens_ms: i64,
    /// How many places there are.
    quota: i64,
    /// How many of them are taken.
    taken: i64,
    /// How many are left.
    left: i64,
    /// Bookings in the waiting list.
    waiting: i64,
}

impl RushJson {
    fn of(current: &Current, now: Millis) -> Self {
        let Current { offer, event_status, event_ends_ms, .. } = current;
        let standing: Standing = standing_in(event_status, *event_ends_ms, offer, now);
        Self {
            offer: offer.id.clone(),
            standing: standing.word(),
            opens_ms: offer.opens_ms.0,
            quota: offer.quota,
            taken: offer.taken,
            left: offer.left(),
            waiting: offer.waiting,
        }
    }
}

/// The same, with the server's clock and the queue.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RushNowJson {
    #[serde(flatten)]
    rush: RushJson,
    /// The server's clock, milliseconds since 1970. The opening time is by this clock.
    now_ms: i64,
    /// Attempts that wait for their answer in front of the caller's own with this Idempotency-Key; without it, or when
    /// that one does not wait, all that wait.
    ahead: u64,
}

/// How the rush for an offer stands: from memory, at most half a second old, for whoever asks.
#[utoipa::path(get, path = "/offers/{offer}/rush",
    params(("offer" = String, Path),
           ("Idempotency-Key" = Option<String>, Header, description = "The key of an attempt of the caller's that waits")),
    responses((status = 200, body = RushNowJson), (status = 404), (status = 503)))]
pub(super) async fn rush(
    State(app): State<App>,
    Path(offer_id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<RushNowJson>> {
    let now = app.clock.now();
    let offers = app.bookings.figures.offers(now).await?;
    let current = offers.iter().find(|current| current.offer.id == offer_id);
    let rush = RushJson::of(current.ok_or(Error::NotFound)?, now);
    let tap = tap(&app, &headers).await;
    let ahead = app.bookings.queue().ahead(tap);
    // Asked again: the figures may have taken a while to read.
    Ok(Json(RushNowJson { rush, now_ms: app.clock.now().0, ahead }))
}

/// Whose tap is asked about, and its key. Nobody has to be signed in, and one whose session cannot be read now is told as
/// any other.
async fn tap(app: &App, headers: &HeaderMap) -> Option<Tap> {
    let key = headers.get("idempotency-key")?.to_str().ok()?;
    let caller = tokio::time::timeout(READ_AT_MOST, session::caller_of(app, headers)).await;
    match caller.ok()?.ok()? {
        Caller::Person(person) => Some(app.bookings.queue().tap(&person.id, key)),
        _ => None,
    }
}

/// How the rush for each offer of an event stands, now and whenever it changes (server-sent events named `rush`, at most
/// one a second). 503 when too many listen: ask for the offer now and then instead.
#[utoipa::path(get, path = "/events/{event}/rush/stream", params(("event" = String, Path)),
    responses((status = 200, content_type = "text/event-stream"), (status = 404), (status = 503)))]
pub(super) async fn stream(
    State(app): State<App>,
    Path(event_id): Path<String>,
) -> Result<Sse<impl Stream<Item = std::result::Result<sse::Event, Infallible>>>> {
    let figures = app.bookings.figures.clone();
    let place = Arc::clone(&figures.listeners).try_acquire_owned().map_err(|_| Error::Busy)?;
    let known = figures.offers(app.clock.now()).await?;
    if !known.iter().any(|current| current.offer.event_id == event_id) {
        return Err(Error::NotFound);
    }
    let (ticks, stopping) = (figures.ticks.clone(), app.stopping.clone());
    let listener = Listener { app, event_id, ticks, stopping, told: Vec::new(), _place: place };
    let events = stream::unfold(listener, |mut listener| async move {
        let event = listener.next().await?;
        Some((Ok(event), listener))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(20))))
}

/// A page that listens.
struct Listener {
    app: App,
    event_id: String,
    ticks: watch::Receiver<()>,
    stopping: CancellationToken,
    told: Vec<RushJson>,
    _place: OwnedSemaphorePermit,
}

impl Listener {
    /// The figures at the start and after each change of them; `None` ends the stream, and the page connects again.
    async fn next(&mut self) -> Option<sse::Event> {
        loop {
            if !self.told.is_empty() {
                tokio::select! {
                    changed = self.ticks.changed() => changed.ok()?,
                    () = self.stopping.cancelled() => return None,
                }
            }
            let now = self.app.clock.now();
            let offers = self.app.bookings.figures.offers(now).await.ok()?;
            let figures: Vec<RushJson> = (offers.iter())
                .filter(|current| current.offer.event_id == self.event_id)
                .map(|current| RushJson::of(current, now))
                .collect();
            if figures.is_empty() {
                return None;
            }
            if figures != self.told {
                let event = sse::Event::default().event("rush").json_data(&figures).ok()?;
                self.told = figures;
                return Some(event);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_who_waits_is_told_how_many_are_in_front() {
        let queue = Queue::default();
        let tap = |person: &str, key: &str| queue.tap(person, key);
        let (anna, ben, cem) = (tap("anna", "1"), tap("ben", "1"), tap("cem", "2"));
        for tap in [anna, ben, cem] {
            queue.join(tap);
        }
        let ahead = |taps: [Option<Tap>; 4]| taps.map(|tap| queue.ahead(tap));
        assert_eq!(ahead([Some(anna), Some(ben), Some(cem), None]), [0, 1, 2, 3]);
        assert_eq!(queue.ahead(Some(tap("cem", "1"))), 3, "another's key");
        queue.leave([anna, ben]);
        assert_eq!([Some(cem), Some(anna), None].map(|tap| queue.ahead(tap)), [0, 1, 1]);
        queue.leave([cem]);
        assert_eq!(queue.ahead(None), 0);
    }
}
