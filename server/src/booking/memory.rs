//! What memory can answer without the database: that an offer is full, or not open yet.
//!
//! Such an answer is given only to people who have never booked the offer, so that a repeated request still gets the
//! answer it got before. It is kept for half a second at most and forgotten as soon as the event changes, here or on
//! another server process: right again within a second whatever happens to the news.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use admission::Millis;
use tokio::{sync::broadcast::error::RecvError, time::Instant};

use super::{queries, rules};
use crate::{
    db::Db,
    error::{Refused, Result},
    event::{
        self,
        rules::{Standing, standing},
    },
    live::Live,
};

/// How long an answer may be given again.
const KEPT: Duration = Duration::from_millis(500);

/// The memory. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    db: Db,
    shut: Arc<Mutex<HashMap<String, Shut>>>,
    answered: Arc<AtomicU64>,
}

/// An offer of which nobody new gets a place now.
#[derive(Debug)]
struct Shut {
    event_id: String,
    standing: Standing,
    opens_ms: Millis,
    /// Everybody who ever booked it.
    people: HashSet<String>,
    until: Instant,
}

impl Memory {
    /// Starts listening to what changes.
    pub(super) fn start(db: Db, live: &Live) -> Self {
        let memory = Self { db, shut: Arc::default(), answered: Arc::default() };
        let (shut, mut changes) = (Arc::downgrade(&memory.shut), live.watch());
        tokio::spawn(async move {
            loop {
                let changed = changes.recv().await;
                let Some(shut) = shut.upgrade() else { return };
                match changed {
                    Ok(event) => lock(&shut).retain(|_, shut| shut.event_id != event),
                    // Some news was missed; it may have been about any of them.
                    Err(RecvError::Lagged(_)) => lock(&shut).clear(),
                    Err(RecvError::Closed) => return,
                }
            }
        });
        memory
    }

    /// How many answers it gave.
    pub(super) fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Why `person_id` gets no place of the offer at `now`, when that is known without asking.
    pub(super) fn refusal(&self, offer_id: &str, person_id: &str, now: Millis) -> Option<Refused> {
        let all = lock(&self.shut);
        let shut = all.get(offer_id)?;
        let holds = Instant::now() < shut.until
            && !shut.people.contains(person_id)
            && (shut.standing != Standing::NotOpen || now < shut.opens_ms);
        let refused = holds.then(|| rules::refusal_of(shut.standing)).flatten();
        if refused.is_some() {
            self.answered.fetch_add(1, Ordering::Relaxed);
        }
        refused
    }

    /// Looks at an offer that has just refused somebody, and remembers if it would refuse everybody new.
    pub(super) async fn learn(&self, offer_id: &str, now: Millis) -> Result<()> {
        // Counted from before it is read: what changes meanwhile is not kept for longer.
        let until = Instant::now() + KEPT;
        let mut tx = self.db.read().await?;
        let offer = event::queries::offer(&mut tx, offer_id).await?;
        let event = event::queries::event(&mut tx, &offer.event_id).await?;
        let standing = standing(&event, &offer, now);
        if !event.is_public() || !matches!(standing, Standing::SoldOut | Standing::NotOpen) {
            return Ok(());
        }
        // Read after the offer: who has got a place since then is among them.
        let people = queries::bookers(&mut tx, offer_id).await?;
        let shut = Shut { event_id: event.id, standing, opens_ms: offer.opens_ms, people, until };
        let mut all = lock(&self.shut);
        all.retain(|_, shut| Instant::now() < shut.until);
        all.insert(offer.id, shut);
        Ok(())
    }
}

/// A panic elsewhere leaves nothing half done in it.
fn lock(shut: &Mutex<HashMap<String, Shut>>) -> MutexGuard<'_, HashMap<String, Shut>> {
    shut.lock().unwrap_or_else(PoisonError::into_inner)
}
