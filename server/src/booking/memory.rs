//! What memory can answer without the database: that an offer is full, not open or over, and what a person was told
//! about it a moment ago.
//!
//! "Full" is said only to people who have never booked the offer, and a person's own refusal is repeated only for keys
//! that never got a booking: a repeated request still gets the answer it got before. Both are kept for half a second at
//! most and forgotten as soon as the event changes, here or on another server process: right again within a second
//! whatever happens to the news.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use admission::Millis;
use tokio::time::Instant;

use super::{
    queries,
    rules::{self, Attempt},
};
use crate::{
    db::Db,
    error::{Refused, Result},
    event::{
        self,
        rules::{Standing, standing},
    },
    live::{Change, Live, News},
};

/// How long an answer may be given again.
const KEPT: Duration = Duration::from_millis(500);

/// The memory. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    db: Db,
    known: Arc<Mutex<Known>>,
    answered: Arc<AtomicU64>,
}

#[derive(Debug, Default)]
struct Known {
    /// By the offer's id.
    offers: HashMap<String, Seen>,
    news: News,
}

/// An offer as it was seen when it refused people. All of it is forgotten at once, so that those who try again and again are
/// decided together then, and not each at a time of their own.
#[derive(Debug)]
struct Seen {
    event_id: String,
    until: Instant,
    shut: Option<Shut>,
    /// What people were told, by their ids.
    told: HashMap<String, Told>,
}

/// Nobody new gets a place now.
#[derive(Debug)]
struct Shut {
    standing: Standing,
    opens_ms: Millis,
    /// Everybody who ever booked it.
    people: HashSet<String>,
}

/// A person's own refusal: they hold as much as they may.
#[derive(Debug)]
struct Told {
    refused: Refused,
    /// Who asks for fewer places may get them.
    places: i64,
    /// Keys under which they got a booking.
    keys: HashSet<String>,
}

impl Memory {
    /// Starts listening to what changes.
    pub(super) fn start(db: Db, live: &Live) -> Self {
        let memory = Self { db, known: Arc::default(), answered: Arc::default() };
        let (known, mut changes) = (Arc::downgrade(&memory.known), live.listen());
        tokio::spawn(async move {
            while let Some(change) = changes.next().await {
                let Some(known) = known.upgrade() else { return };
                match change {
                    Change::Of(what) => lock(&known).heard(&what),
                    Change::Anything => lock(&known).missed(),
                }
            }
        });
        memory
    }

    /// How many answers it gave.
    pub(super) fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Why `attempt` gets no place, when that is known without asking.
    pub(super) fn refusal(&self, attempt: &Attempt) -> Option<Refused> {
        let (person, key) = (attempt.person.id.as_str(), attempt.key.as_str());
        let refused =
            lock(&self.known).offers.get(&attempt.offer_id)?.refusal(person, key, attempt)?;
        self.answered.fetch_add(1, Ordering::Relaxed);
        Some(refused)
    }

    /// Whether something that can be said again is to be learnt from such a refusal.
    pub(super) fn learns_of(refused: &Refused) -> bool {
        is_own(refused) || is_shut(refused)
    }

    /// Looks at an offer that has just refused those attempts, and remembers what can be said again.
    pub(super) async fn learn(&self, refused: &[(Arc<Attempt>, Refused)]) -> Result<()> {
        let Some((last, _)) = refused.last() else { return Ok(()) };
        // Both taken before anything is read: what changes meanwhile is not kept for longer, or not kept at all.
        let (until, mark) = (Instant::now() + KEPT, lock(&self.known).news.mark());
        let mut tx = self.db.read().await?;
        let offer = event::queries::offer(&mut tx, &last.offer_id).await?;
        let event = event::queries::event(&mut tx, &offer.event_id).await?;
        if !event.is_public() {
            return Ok(());
        }
        let standing = standing(&event, &offer, last.now);
        let shut = match standing {
            Standing::Open | Standing::Line | Standing::Reserved => None,
            Standing::SoldOut | Standing::NotOpen | Standing::Closed | Standing::Cancelled => {
                // Read after the offer: who has got a place since then is among them.
                let people = queries::bookers(&mut tx, &offer.id).await?;
                Some(Shut { standing, opens_ms: offer.opens_ms, people })
            }
        };
        let own: Vec<_> = refused.iter().filter(|(_, refused)| is_own(refused)).collect();
        let people = own.iter().map(|(attempt, _)| attempt.person.id.as_str()).collect();
        let mut keys = queries::keys_of(&mut tx, people).await?;
        let told = own.into_iter().map(|(attempt, refused)| {
            let id = attempt.person.id.clone();
            let keys = keys.remove(&id).unwrap_or_default();
            (id, Told { refused: refused.clone(), places: attempt.places(), keys })
        });
        let seen = Seen { event_id: event.id, until, shut, told: told.collect() };
        lock(&self.known).keep(offer.id, seen, mark);
        Ok(())
    }
}

impl Known {
    fn heard(&mut self, event: &str) {
        self.news.heard(event);
        self.offers.retain(|_, seen| seen.event_id != event);
    }

    /// Some news was missed; it may have been about any of them.
    fn missed(&mut self) {
        self.news.missed();
        self.offers.clear();
    }

    /// Keeps what was seen since `mark`, unless the event has changed since then.
    fn keep(&mut self, offer_id: String, seen: Seen, mark: u64) {
        let now = Instant::now();
        self.offers.retain(|_, before| now < before.until);
        if self.news.since(mark, &seen.event_id) {
            return;
        }
        match self.offers.entry(offer_id) {
            Entry::Vacant(entry) => {
                entry.insert(seen);
            }
            Entry::Occupied(mut before) => before.get_mut().add(seen),
        }
    }
}

impl Seen {
    fn refusal(&self, person: &str, key: &str, attempt: &Attempt) -> Option<Refused> {
        if Instant::now() >= self.until {
            return None;
        }
        let shut = self.shut.as_ref().and_then(|shut| shut.refusal(person, attempt.now));
        shut.or_else(|| self.told.get(person)?.refusal(key, attempt.places()))
    }

    /// Adds what was seen later; it is forgotten with the rest.
    fn add(&mut self, later: Self) {
        self.shut = later.shut.or(self.shut.take());
        self.told.extend(later.told);
    }
}

impl Shut {
    fn refusal(&self, person: &str, now: Millis) -> Option<Refused> {
        let holds = !self.people.contains(person)
            && (self.standing != Standing::NotOpen || now < self.opens_ms);
        holds.then(|| rules::refusal_of(self.standing)).flatten()
    }
}

impl Told {
    fn refusal(&self, key: &str, places: i64) -> Option<Refused> {
        let holds = places >= self.places && !self.keys.contains(key);
        holds.then(|| self.refused.clone())
    }
}

/// Whether it is about what the person holds. (Who is eligible can change without any news of the event.)
fn is_own(refused: &Refused) -> bool {
    refused.code == "limit_reached"
}

/// Whether it is about the offer, for everybody.
fn is_shut(refused: &Refused) -> bool {
    matches!(refused.code, "sold_out" | "not_open")
}

/// A panic elsewhere leaves nothing half done in it.
fn lock(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full(people: &[&str]) -> Seen {
        let people = people.iter().map(|id| (*id).to_owned()).collect();
        let until = Instant::now() + KEPT;
        let shut = Shut { standing: Standing::SoldOut, opens_ms: Millis(0), people };
        Seen { event_id: "event".to_owned(), until, shut: Some(shut), told: HashMap::new() }
    }

    #[test]
    fn what_was_seen_before_a_change_is_not_kept_after_it() {
        let mut known = Known::default();
        let mark = known.news.mark();
        // Somebody wins a place on another server after the look, and the news of it comes before it is kept.
        known.heard("event");
        known.keep("offer".to_owned(), full(&[]), mark);
        assert!(known.offers.is_empty(), "the winner would be told that it is sold out");
        known.keep("offer".to_owned(), full(&["winner"]), known.news.mark());
        let shut = known.offers["offer"].shut.as_ref().expect("kept");
        assert!(shut.refusal("winner", Millis(1)).is_none());
        assert_eq!(shut.refusal("other", Millis(1)).expect("full").code, "sold_out");
        known.heard("another event");
        assert_eq!(known.offers.len(), 1);
        known.heard("event");
        assert!(known.offers.is_empty());
    }

    #[test]
    fn an_own_refusal_is_for_as_many_places_and_for_new_keys() {
        let told = Told {
            refused: rules::sold_out(),
            places: 2,
            keys: HashSet::from(["winning tap".to_owned()]),
        };
        assert!(told.refusal("another tap", 2).is_some());
        assert!(told.refusal("another tap", 1).is_none(), "one place may be left for them");
        assert!(told.refusal("winning tap", 2).is_none(), "it has an answer already");
    }
}
