//! Bookings that wait are written together: one statement for many rows, in one transaction of the ledger.
//!
//! What is decided is what would be decided one by one, in the order of arrival. Only attempts of different people are
//! put together; a person's second attempt must find what their first one left.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use admission::Millis;
use futures_util::future::BoxFuture;

use super::{
    Status, limits, line,
    memory::Memory,
    pace::Pace,
    queries::{self, NewBooking, NewTicket},
    rules::{self, Attempt, Booked, BookedTicket, Decision},
    rush::{Figures, Queue},
    tickets::Stamps,
};
use crate::{
    db::{Db, Tx},
    draw,
    error::{Error, Refused, Result},
    event::{self, Event, Offer, rules::Standing},
    ledger::{Decider, Door, Ledger},
    live::Live,
    no_show,
};

/// The way in. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Bookings {
    door: Door<Attempts>,
    pace: Pace,
    /// How the rush for each offer stands.
    pub(super) figures: Figures,
    /// What codes of tickets say.
    pub(super) stamps: Stamps,
}

impl Bookings {
    /// Opens the door to `ledger`.
    #[must_use]
    pub fn start(ledger: Ledger, db: Db, live: &Live) -> Self {
        let memory = Memory::start(db.clone(), live);
        let attempts = Attempts { memory, live: live.clone(), queue: Queue::default() };
        let stamps = Stamps::default();
        Self {
            door: Door::open(ledger, attempts),
            pace: Pace::new(),
            figures: Figures::start(db, live, stamps.clone()),
            stamps,
        }
    }

    /// Counts a try of `person_id`; refuses when there were too many of late.
    pub(super) fn pace(&self, person_id: &str) -> Result<()> {
        self.pace.count(person_id)
    }

    /// How many attempts were answered without the database.
    #[must_use]
    pub fn answered_from_memory(&self) -> u64 {
        self.door.decider().memory.answered()
    }

    /// Why the attempt gets no place, when that is known without asking the database.
    pub(super) fn refusal(&self, attempt: &Attempt) -> Option<Refused> {
        self.door.decider().memory.refusal(attempt)
    }

    /// Who waits here.
    pub(super) fn queue(&self) -> &Queue {
        &self.door.decider().queue
    }

    /// How many attempts are waiting now.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.queue().ahead(None)
    }

    /// How often the figures of a rush were read from the database.
    #[must_use]
    pub fn figures_read(&self) -> u64 {
        self.figures.reads()
    }

    /// Has `attempt` decided and committed.
    pub(super) async fn write(&self, attempt: Attempt) -> Result<Decision> {
        let (tap, queue) = (attempt.tap, self.queue());
        queue.join(tap);
        // It leaves the queue when it is decided; one for which there is no room, at once.
        self.door.ask(attempt).inspect_err(|_| queue.leave([tap]))?.await
    }
}

/// Decides attempts that wait.
struct Attempts {
    memory: Memory,
    live: Live,
    queue: Queue,
}

impl Decider for Attempts {
    type Question = Attempt;
    type Answer = Decision;

    fn group(attempt: &Attempt) -> &str {
        &attempt.offer_id
    }

    fn decide<'t>(
        tx: &'t mut Tx,
        attempts: &'t [Arc<Attempt>],
    ) -> BoxFuture<'t, Result<Vec<Decision>>> {
        Box::pin(decide(tx, attempts))
    }

    fn known(&self, attempt: &Attempt) -> Option<Decision> {
        let refused = self.memory.refusal(attempt)?;
        self.queue.leave([attempt.tap]);
        Some(Err(refused))
    }

    fn decided(
        &self,
        attempts: &[Arc<Attempt>],
        outcomes: &[Result<Decision>],
    ) -> Option<BoxFuture<'static, ()>> {
        self.queue.leave(attempts.iter().map(|attempt| attempt.tap));
        let decisions = || outcomes.iter().map(|outcome| outcome.as_ref().ok());
        if let Some((_, event_id)) = decisions().find_map(|decision| decision?.as_ref().ok()) {
            self.live.changed(event_id);
        }
        let refused: Vec<_> = attempts
            .iter()
            .zip(decisions())
            .filter_map(|(attempt, decision)| Some((attempt, decision?.as_ref().err()?)))
            .filter(|(_, refused)| Memory::learns_of(refused))
            .map(|(attempt, refused)| (Arc::clone(attempt), refused.clone()))
            .collect();
        if refused.is_empty() {
            return None;
        }
        let memory = self.memory.clone();
        Some(Box::pin(async move {
            if let Err(error) = memory.learn(&refused).await {
                tracing::warn!(cause = %error, "it is not remembered why people were refused");
            }
        }))
    }
}

/// What became of the attempts so far, by the id that a booking of theirs has.
type Decided<'a> = HashMap<&'a str, Decision>;

/// Decides attempts for one offer; gives the outcomes in their order.
async fn decide(tx: &mut Tx, attempts: &[Arc<Attempt>]) -> Result<Vec<Decision>> {
    let mut decided = Decided::new();
    let mut waiting: Vec<&Attempt> = attempts.iter().map(Arc::as_ref).collect();
    while !waiting.is_empty() {
        let mut people = HashSet::new();
        let (round, later): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|attempt| people.insert(&attempt.person.id));
        decide_round(tx, round, &mut decided).await?;
        waiting = later;
    }
    let outcome = |attempt: &Arc<Attempt>| {
        decided.remove(attempt.booking_id.as_str()).expect("each was in a round")
    };
    Ok(attempts.iter().map(outcome).collect())
}

/// Decides one attempt of each person.
async fn decide_round<'a>(
    tx: &mut Tx,
    attempts: Vec<&'a Attempt>,
    decided: &mut Decided<'a>,
) -> Result<()> {
    let offer = match event::queries::offer(tx, &attempts[0].offer_id).await {
        Ok(offer) => offer,
        Err(Error::NotFound) => {
            refuse(attempts, decided, |_| Some(rules::no_such_offer()));
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let later = Given::later(&offer);
    // Where nothing can be written, nobody has to wait: before it opens, and when it is sold out.
    let may_write = (offer.left() > 0 || offer.waiting_list || later.is_some())
        && attempts.iter().any(|attempt| offer.opens_ms <= attempt.now);
    if may_write {
        event::queries::hold(tx, &offer.event_id).await?;
    }
    let event = event::queries::event(tx, &offer.event_id).await?;
    let attempts = replay(tx, attempts, decided).await?;
    let attempts = refuse(attempts, decided, |attempt| attempt.refusal(&event, &offer));
    // However early they came: what is drawn is drawn.
    let is_drawn = offer.mode == "draw" && draw::is_drawn(tx, &offer.id).await?;
    let attempts =
        refuse(attempts, decided, |_| rules::refusal_of(Standing::Closed).filter(|_| is_drawn));
    let people = attempts.iter().map(|attempt| attempt.person.id.as_str()).collect();
    let ineligible = rules::ineligible(tx, &offer, people).await?;
    let attempts = refuse(attempts, decided, |attempt| {
        ineligible.contains(&attempt.person.id).then(|| rules::not_eligible(&offer))
    });
    let people = attempts.iter().map(|attempt| attempt.person.id.as_str()).collect();
    // Between attempts of one round lie milliseconds; a bar ends on a day.
    let now = attempts.first().map_or(Millis(0), |attempt| attempt.now);
    let barred = no_show::rules::barred(tx, &offer, people, now).await?;
    let attempts = refuse(attempts, decided, |attempt| {
        let until = barred.get(&attempt.person.id)?;
        Some(no_show::rules::refusal(*until, &event))
    });
    let entered = queries::entered(tx, &offer, &attempts).await?;
    let attempts = refuse(attempts, decided, |attempt| {
        entered.contains(&attempt.person.id).then(rules::one_entry)
    });
    let over = limits::over(tx, &event, &offer, &attempts).await?;
    let attempts = refuse(attempts, decided, |attempt| over.get(&attempt.person.id).cloned());
    let wish = |attempt: &&'a Attempt| (attempt.person.id.as_str(), attempt.places());
    let wishes = attempts.iter().map(wish).collect();
    let too_many = queries::over_limit(tx, &offer, wishes).await?;
    let attempts = refuse(attempts, decided, |attempt| {
        too_many.contains(&attempt.person.id).then(|| rules::limit_reached(&offer))
    });
    // A place that became free this moment is for the next: only who holds the counter knows what people have.
    let attempts = refuse(attempts, decided, |_| (!may_write).then(rules::sold_out));
    if let Some(given) = later {
        return write_bookings(tx, &event, &offer, &attempts, given, decided).await;
    }
    let (won, lost) = match offer.is_reserved(now) {
        // The unions' officers give the places; others may stand in line for what will be left.
        true => (Vec::new(), attempts),
        false => take(tx, &offer, attempts).await?,
    };
    write_bookings(tx, &event, &offer, &won, Given::place(&offer), decided).await?;
    if offer.waiting_list && !lost.is_empty() {
        let given = Given::line(tx, &offer, lost.len()).await?;
        return write_bookings(tx, &event, &offer, &lost, given, decided).await;
    }
    refuse(lost, decided, |_| Some(rules::sold_out()));
    Ok(())
}

/// What accepted attempts are given.
#[derive(Clone, Copy, Debug)]
pub(super) struct Given {
    /// What becomes of the booking.
    pub(super) status: Status,
    /// The state of the tickets it has from the beginning; none: it has no tickets yet.
    pub(super) tickets: Option<&'static str>,
    /// How long its places are held, in milliseconds.
    pub(super) held_ms: Option<i64>,
    /// The place in line of the first of them; the others stand behind it.
    pub(super) line: Option<i64>,
    /// The position in line of the first of them: 1 is next.
    position: Option<i64>,
}

impl Given {
    /// A place of `offer`: confirmed, or held for one who still has to confirm or to pay.
    pub(super) const fn place(offer: &Offer) -> Self {
        let (line, position) = (None, None);
        match offer.held_ms() {
            None => {
                let (status, tickets) = (Status::Confirmed, Some("valid"));
                Self { status, tickets, held_ms: None, line, position }
            }
            held_ms => {
                // A ticket that says that it is unpaid is of use at the counter; one to be confirmed is of none.
                let tickets = if offer.contribution_cents > 0 { Some("unpaid") } else { None };
                Self { status: Status::Held, tickets, held_ms, line, position }
            }
        }
    }

    /// For modes in which nobody has a place at once: an entry in the draw, a request to the organizer.
    fn later(offer: &Offer) -> Option<Self> {
        let (status, tickets) = match offer.mode.as_str() {
            "draw" => (Status::Entered, None),
            // The door says that it is not approved yet.
            "approval" => (Status::Requested, Some("unapproved")),
            _ => return None,
        };
        Some(Self { status, tickets, held_ms: None, line: None, position: None })
    }

    /// Places in the line of `offer`, for so many.
    async fn line(tx: &mut Tx, offer: &Offer, count: usize) -> Result<Self> {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let (last, waiting) = line::join(tx, &offer.id, count).await?;
        Ok(Self {
            status: Status::Waiting,
            tickets: None,
            held_ms: None,
            line: Some(last - count + 1),
            position: Some(waiting - count + 1),
        })
    }
}

/// Gives those whose key was answered before the same answer, before any rule; gives the others.
async fn replay<'a>(
    tx: &mut Tx,
    attempts: Vec<&'a Attempt>,
    decided: &mut Decided<'a>,
) -> Result<Vec<&'a Attempt>> {
    let key = |attempt: &&'a Attempt| (attempt.person.id.as_str(), attempt.key.as_str());
    let keys = attempts.iter().map(key).collect();
    let mut answered = queries::answered(tx, keys).await?;
    let mut new = Vec::with_capacity(attempts.len());
    for attempt in attempts {
        match answered.remove(&attempt.person.id) {
            Some(before) => {
                decided.insert(&attempt.booking_id, attempt.replay(tx, before).await?);
            }
            None => new.push(attempt),
        }
    }
    Ok(new)
}

/// Decides those that `refusal` refuses; gives the others.
fn refuse<'a>(
    attempts: Vec<&'a Attempt>,
    decided: &mut Decided<'a>,
    refusal: impl Fn(&Attempt) -> Option<Refused>,
) -> Vec<&'a Attempt> {
    let stays = |attempt: &&'a Attempt| match refusal(attempt) {
        Some(refused) => {
            decided.insert(&attempt.booking_id, Err(refused));
            false
        }
        None => true,
    };
    attempts.into_iter().filter(stays).collect()
}

/// Takes the places of all at once; when there are not so many left, of one after the other. Gives those that have
/// theirs and those that have none. With a waiting list nobody overtakes: behind the first without a place all wait.
async fn take<'a>(
    tx: &mut Tx,
    offer: &Offer,
    attempts: Vec<&'a Attempt>,
) -> Result<(Vec<&'a Attempt>, Vec<&'a Attempt>)> {
    let places = attempts.iter().map(|attempt| attempt.places()).sum();
    if attempts.is_empty() || queries::take(tx, &offer.id, places).await? {
        return Ok((attempts, Vec::new()));
    }
    let (mut won, mut lost) = (Vec::new(), Vec::new());
    for attempt in attempts {
        let waits = offer.waiting_list && !lost.is_empty();
        if !waits && queries::take(tx, &offer.id, attempt.places()).await? {
            won.push(attempt);
        } else {
            lost.push(attempt);
        }
    }
    Ok((won, lost))
}

/// Writes the bookings of `attempts`, with their tickets if they are given any, and the answers.
async fn write_bookings<'a>(
    tx: &mut Tx,
    event: &Event,
    offer: &Offer,
    attempts: &[&'a Attempt],
    given: Given,
    decided: &mut Decided<'a>,
) -> Result<()> {
    if attempts.is_empty() {
        return Ok(());
    }
    let places = attempts.iter().map(|attempt| attempt.places()).sum();
    let mut revisions = match given.tickets {
        Some(_) => event::queries::next_revisions(tx, &event.id, places).await?,
        None => 0,
    }..;
    let (mut tickets, mut answers) = (Vec::new(), Vec::new());
    let mut said = None;
    for (attempt, at) in attempts.iter().zip(0..) {
        let issuer = attempt.keys.issuer();
        let mut booked = Vec::new();
        let holders = attempt.holders().take(given.tickets.map_or(0, |_| usize::MAX));
        for (n, (holder, revision)) in holders.zip(&mut revisions).enumerate() {
            let ticket = NewTicket {
                id: attempt.ticket_ids[n],
                booking_id: &attempt.booking_id,
                person_id: (n == 0).then_some(attempt.person.id.as_str()),
                holder,
                key_id: issuer.id,
                revision,
                created: attempt.now,
                state: given.tickets.unwrap_or("valid"),
            };
            let fact = ticket.fact(event, offer)?;
            let code = attempt.code(n, &fact);
            said = Some(fact);
            booked.push(BookedTicket { id: ticket.id.to_string(), code });
            tickets.push(ticket);
        }
        let (id, status) = (attempt.booking_id.clone(), given.status.word().to_owned());
        let position = given.position.map(|first| first + at);
        answers.push((*attempt, Booked { id, status, tickets: booked, position }));
    }
    if let (Some(fact), Some(attempt)) = (said, attempts.first()) {
        attempt.stamps.note(&offer.id, fact);
    }
    let bookings: Vec<_> = answers
        .iter()
        .map(|(attempt, booked)| NewBooking { attempt, answer: Some(booked) })
        .collect();
    queries::insert_bookings(tx, offer, &bookings, given).await?;
    queries::insert_tickets(tx, offer, &tickets).await?;
    for (attempt, booked) in answers {
        decided.insert(&attempt.booking_id, Ok((booked, event.id.clone())));
    }
    tx.notify(&event.id).await?;
    Ok(())
}
