//! Kiosks ask about scans before they show a verdict. An admission is claimed provisionally; the kiosk's journal
//! confirms it, or it lapses.
//!
//! Checks that wait are decided together, as bookings are: what is decided is what would be decided one by one.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
};

use admission::{
    Millis, Refusal, Verdict,
    decide::{self, Proof, Station, StationKind, Terms, Use},
    sync::{Check, Checked},
    ticket::{TicketFact, TicketId},
};
use futures_util::future::BoxFuture;

use super::{
    attendance,
    record::{self, Counted},
};
use crate::{
    App,
    booking::{self, Ticket},
    db::Tx,
    error::{Error, Result},
    event::{self, Event, Offer},
    execute_rows, goods,
    kiosk::{self, Kiosk},
    ledger::{Decider, Door, Ledger},
    live::Live,
    no_show, voucher,
    web::access,
};

/// A check, with everything that time contributes fixed, so that it may be decided again.
#[derive(Debug)]
struct Asked {
    kiosk_id: String,
    event_id: String,
    check: Check,
    /// The place the scan will have in the kiosk's journal.
    seq: i64,
    now: Millis,
}

/// What the server would decide, on what.
struct Answer {
    verdict: Verdict,
    ticket: Option<Ticket>,
    uses: Vec<Use>,
    have_through: u64,
    /// Classes of which the card's holder is given no place at a gate.
    barred: Vec<u8>,
}

/// The way in. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Checks(Door<Admissions>);

impl Checks {
    /// Opens the door to `ledger`.
    #[must_use]
    pub fn start(ledger: Ledger, live: &Live) -> Self {
        Self(Door::open(ledger, Admissions(live.clone())))
    }
}

/// Decides checks that wait.
struct Admissions(Live);

impl Decider for Admissions {
    type Question = Asked;
    type Answer = Answer;

    fn group(asked: &Asked) -> &str {
        &asked.event_id
    }

    fn decide<'t>(tx: &'t mut Tx, asked: &'t [Arc<Asked>]) -> BoxFuture<'t, Result<Vec<Answer>>> {
        Box::pin(decide(tx, asked))
    }

    fn known(&self, _: &Asked) -> Option<Answer> {
        None
    }

    fn decided(
        &self,
        asked: &[Arc<Asked>],
        answers: &[Result<Answer>],
    ) -> Option<BoxFuture<'static, ()>> {
        let is_admitted = |answer: &Answer| answer.verdict.is_admitted();
        if answers.iter().any(|answer| answer.as_ref().is_ok_and(is_admitted)) {
            self.0.changed(&asked[0].event_id);
        }
        None
    }
}

/// What the server would decide about `check`, with an admission claimed.
pub(crate) async fn check(app: &App, caller: &access::Kiosk, check: Check) -> Result<Checked> {
    let now = app.clock.now();
    let seq = i64::try_from(check.seq)
        .map_err(|_| Error::invalid("seq", "记录编号过大。", "A number is too large."))?;
    let (kiosk_id, event_id) = (caller.id.clone(), caller.event_id.clone());
    let asked = Asked { kiosk_id, event_id, check, seq, now };
    let Answer { verdict, ticket, uses, have_through, barred } = app.checks.0.ask(asked)?.await?;
    // A kiosk learns nothing of other events.
    let ticket = ticket.filter(|ticket| ticket.event_id == caller.event_id);
    let ticket = ticket.as_ref().map(kiosk::rules::ticket_row).transpose()?;
    Ok(Checked { verdict, ticket, uses, have_through, barred, server_now: now })
}

/// Decides checks at one event; gives the answers in their order.
async fn decide(tx: &mut Tx, asked: &[Arc<Asked>]) -> Result<Vec<Answer>> {
    let event_id = &asked[0].event_id;
    // From here on checks and cancellations of this event are serial across server processes: two doors cannot both
    // find a ticket unused.
    event::queries::hold(tx, event_id).await?;
    let event = event::queries::event(tx, event_id).await?;
    let kiosks: HashSet<&str> = asked.iter().map(|asked| asked.kiosk_id.as_str()).collect();
    let kiosks = kiosk::queries::kiosks(tx, kiosks).await?;
    let has_counter = kiosks.values().any(|kiosk| kiosk.station_kind == "counter");
    let hands_out = has_counter && goods::queries::goods(tx, event_id).await?.is_some();
    let mut answers = HashMap::new();
    let mut waiting: VecDeque<(usize, &Asked)> =
        asked.iter().map(Arc::as_ref).enumerate().collect();
    while !waiting.is_empty() {
        // What is left at a counter depends on everybody who was let pass before.
        let together = if hands_out { 1 } else { waiting.len() };
        let round: Vec<_> = waiting.drain(..together).collect();
        let found = find(tx, &event, &round).await?;
        let (mut tickets, mut places) = (HashSet::new(), HashSet::new());
        let (mut now, mut later) = (Vec::new(), Vec::new());
        for ((at, asked), found) in round.into_iter().zip(found) {
            let kiosk = kiosks.get(&asked.kiosk_id).ok_or(Error::NotFound)?;
            // A second check of a ticket, or under the same place, must find what the first one left.
            let is_free = !found.tickets().iter().any(|ticket| tickets.contains(&ticket.id))
                && !places.contains(&(&asked.kiosk_id, asked.seq));
            if is_free {
                tickets.extend(found.tickets().iter().map(|ticket| ticket.id.clone()));
                places.insert((&asked.kiosk_id, asked.seq));
                now.push((at, Case { asked, kiosk, found }));
            } else {
                later.push((at, asked));
            }
        }
        for other in later.into_iter().rev() {
            waiting.push_front(other);
        }
        let (order, cases): (Vec<usize>, Vec<Case<'_>>) = now.into_iter().unzip();
        answers.extend(order.into_iter().zip(decide_round(tx, &event, cases).await?));
    }
    let answer = |at| answers.remove(&at).expect("each was in a round");
    Ok((0..asked.len()).map(answer).collect())
}

/// A check, and what it is about.
struct Case<'a> {
    asked: &'a Asked,
    kiosk: &'a Kiosk,
    found: Found,
}

/// What a check is about.
enum Found {
    /// The ticket of its code, or those that its card opens.
    Tickets(Vec<Ticket>),
    /// A card that opens none; whose it is.
    NotBooked(String),
    /// A ticket that is signed and not in the books, by what its code says.
    Stray(TicketFact),
    /// Nothing that could let anybody in.
    Refused(Refusal, Option<Box<Ticket>>),
}

impl Found {
    fn tickets(&self) -> &[Ticket] {
        match self {
            Self::Tickets(tickets) => tickets,
            Self::NotBooked(_) | Self::Stray(_) | Self::Refused(..) => &[],
        }
    }
}

/// What each of the checks is about.
async fn find(tx: &mut Tx, event: &Event, round: &[(usize, &Asked)]) -> Result<Vec<Found>> {
    let checks = || round.iter().map(|(_, asked)| &asked.check);
    let ids: HashSet<String> =
        checks().filter_map(|check| Some(check.ticket?.0.to_string())).collect();
    let tickets = booking::queries::tickets(tx, &ids).await?;
    let without_code = checks().filter(|check| check.ticket.is_none());
    let prints: HashSet<&[u8]> =
        without_code.filter_map(|check| Some(check.card.as_ref()?.0.as_slice())).collect();
    let cards = kiosk::queries::cards(tx, &prints).await?;
    let people = cards.values().map(|card| card.person_id.as_str()).collect();
    let of_cards = booking::queries::tickets_of_cards(tx, people, &event.id).await?;
    let found = checks().map(|check| match (&check.ticket, &check.card) {
        (Some((id, reissue)), _) => match tickets.get(&id.to_string()) {
            None => {
                let fact = check
                    .fact
                    .filter(|fact| fact.id == *id && i64::from(fact.event) == event.number);
                fact.map_or(Found::Refused(Refusal::Unknown, None), Found::Stray)
            }
            Some(ticket) if i64::from(*reissue) < ticket.reissue => {
                Found::Refused(Refusal::Revoked, Some(Box::new(ticket.clone())))
            }
            Some(ticket) => Found::Tickets(vec![ticket.clone()]),
        },
        (None, Some(card)) => match cards.get(card.0.as_slice()) {
            None => Found::Refused(Refusal::UnknownCard, None),
            Some(card) if card.blocked => Found::Refused(Refusal::BlockedCard, None),
            Some(card) => match of_cards.get(&card.person_id) {
                Some(tickets) => Found::Tickets(tickets.clone()),
                None => Found::NotBooked(card.person_id.clone()),
            },
        },
        (None, None) => Found::Refused(Refusal::Unknown, None),
    });
    Ok(found.collect())
}

/// Decides cases about different tickets.
async fn decide_round(tx: &mut Tx, event: &Event, cases: Vec<Case<'_>>) -> Result<Vec<Answer>> {
    let tickets = cases.iter().flat_map(|case| case.found.tickets());
    let ids: Vec<&str> = tickets.map(|ticket| ticket.id.as_str()).collect();
    let counted = Counted::by_ticket(record::counted(tx, ids).await?);
    let rows_of = |ticket: &Ticket| counted.get(&ticket.id).map_or(&[][..], Vec::as_slice);
    let has_gate = cases.iter().any(|case| case.kiosk.station_kind == "gate");
    let mut room = match event.capacity.filter(|_| has_gate) {
        Some(capacity) => Some(capacity - attendance::inside(tx, &event.id, None).await?),
        None => None,
    };
    let mut barred = barred(tx, event, &cases).await?;
    let strays = strays(tx, event, &cases).await?;
    let mut answers = Vec::with_capacity(cases.len());
    let mut admitted = Vec::new();
    for Case { asked, kiosk, found } in cases {
        let have_through = u64::try_from(kiosk.head_seq).map_err(anyhow::Error::from)?;
        let mut barred_from = Vec::new();
        let tickets = match found {
            Found::Tickets(tickets) => tickets,
            Found::NotBooked(person) => {
                barred_from = barred.remove(&person).unwrap_or_default();
                Vec::new()
            }
            // Nothing is claimed: there is nothing that it could be claimed of. What the door does, its journal tells at once.
            Found::Stray(fact) => {
                let (ticket, rows) = &strays[&fact.id];
                let uses: Vec<Use> = rows.iter().map(Counted::to_use).collect();
                let station = station(tx, event, kiosk).await?;
                let shown = ticket.clone().with(asked.check.proof);
                let verdict = decide::decide(&shown, &station, &uses, asked.now);
                let (ticket, barred) = (None, Vec::new());
                answers.push(Answer { verdict, ticket, uses, have_through, barred });
                continue;
            }
            Found::Refused(why, ticket) => {
                let (verdict, ticket) = (Verdict::Refused(why), ticket.map(|ticket| *ticket));
                let (uses, barred) = (Vec::new(), Vec::new());
                answers.push(Answer { verdict, ticket, uses, have_through, barred });
                continue;
            }
        };
        let mut known = Vec::with_capacity(tickets.len());
        for ticket in &tickets {
            let rows = rows_of(ticket).iter().filter(|row| asked.is_told(row));
            let shown = decided(ticket)?.with(asked.check.proof);
            known.push((shown, rows.map(Counted::to_use).collect()));
        }
        let station = station(tx, event, kiosk).await?;
        let (mut verdict, at) = decide::decide_for_card(&known, &station, asked.now);
        let ticket = at.and_then(|at| tickets.into_iter().nth(at));
        let uses = at.map(|at| known.swap_remove(at).1).unwrap_or_default();
        let is_inside =
            ticket.as_ref().is_some_and(|ticket| attendance::is_inside(rows_of(ticket)));
        if let (StationKind::Gate, Some(room)) = (station.kind, room)
            // Apart from the ticket that asks: a retry finds its own claim.
            && room + i64::from(is_inside) <= 0
        {
            verdict = decide::when_full(verdict, station.kind);
        }
        if let (true, StationKind::Counter, Some(ticket)) =
            (verdict.may_pass(), station.kind, &ticket)
        {
            let but = Some((asked.kiosk_id.as_str(), asked.seq));
            let refusal = goods::refusal(tx, ticket, &station.name, but).await?;
            verdict = refusal.map_or(verdict, Verdict::Refused);
        }
        if let (Verdict::Admitted, Some(ticket)) = (&verdict, &ticket) {
            match (&mut room, station.kind) {
                (Some(room), StationKind::Gate) => *room -= i64::from(!is_inside),
                (Some(room), StationKind::Exit) => *room += i64::from(is_inside),
                _ => {}
            }
            let rows = rows_of(ticket);
            admitted.push(Claim { asked, kiosk, ticket: ticket.id.clone(), rows, station });
        }
        answers.push(Answer { verdict, ticket, uses, have_through, barred: barred_from });
    }
    claim(tx, event, &admitted).await?;
    Ok(answers)
}

/// The tickets that are signed and not in the books, by their codes, each with what doors told of it.
async fn strays(
    tx: &mut Tx,
    event: &Event,
    cases: &[Case<'_>],
) -> Result<HashMap<TicketId, (decide::Ticket, Vec<Counted>)>> {
    let facts = cases.iter().filter_map(|case| match &case.found {
        Found::Stray(fact) => Some(*fact),
        _ => None,
    });
    let facts: HashMap<TicketId, TicketFact> = facts.map(|fact| (fact.id, fact)).collect();
    if facts.is_empty() {
        return Ok(HashMap::new());
    }
    let ids = facts.keys().map(TicketId::to_string).collect();
    let mut told = record::of_strays(tx, &event.id, &ids).await?;
    let offers = event::queries::offers(tx, &event.id).await?;
    let stray = |(_, fact): (TicketId, TicketFact)| {
        let offer = offers.iter().find(|offer| offer.class == i64::from(fact.class));
        let terms = offer.map_or(Terms::ONCE, Offer::terms);
        let rows = told.remove(&fact.id.to_string()).unwrap_or_default();
        (fact.id, (decide::Ticket::from_code(fact).under(terms), rows))
    };
    Ok(facts.into_iter().map(stray).collect())
}

/// Classes of which gates give those without a ticket no place, by person: what no-shows keep them out of.
async fn barred(
    tx: &mut Tx,
    event: &Event,
    cases: &[Case<'_>],
) -> Result<HashMap<String, Vec<u8>>> {
    let mut barred = HashMap::<String, Vec<u8>>::new();
    let at_gates = cases.iter().filter(|case| case.kiosk.station_kind == "gate");
    let people: Vec<(&str, Millis)> = at_gates
        .filter_map(|case| match &case.found {
            Found::NotBooked(person) => Some((person.as_str(), case.asked.now)),
            _ => None,
        })
        .collect();
    // Between checks of one round lie milliseconds; a bar ends on a day.
    let Some((_, now)) = people.first().copied() else { return Ok(barred) };
    for offer in event::queries::offers(tx, &event.id).await? {
        let people = people.iter().map(|(person, _)| *person).collect();
        let class = u8::try_from(offer.class).map_err(anyhow::Error::from)?;
        if offer.may_be_lent() {
            for person in no_show::rules::barred(tx, &offer, people, now).await?.into_keys() {
                barred.entry(person).or_default().push(class);
            }
        }
    }
    Ok(barred)
}

impl Asked {
    /// Whether a use of a ticket matters to the decision: not what only a check claimed for the kiosk that asks. It knows
    /// itself what it did, and a retry is recognised before any rule.
    fn is_told(&self, row: &Counted) -> bool {
        row.kiosk_id.as_deref() != Some(&self.kiosk_id)
            || (row.seq != Some(self.seq) && !row.provisional)
    }
}

/// An admission that is to be counted.
struct Claim<'a> {
    asked: &'a Asked,
    kiosk: &'a Kiosk,
    /// The ticket's id.
    ticket: String,
    /// What is counted of the ticket before it.
    rows: &'a [Counted],
    station: Station,
}

impl Claim<'_> {
    /// The uses of the ticket with this one, when it is the latest.
    fn uses(&self) -> Option<Vec<Use>> {
        let now = self.asked.now;
        let mut uses: Vec<Use> = self.rows.iter().map(Counted::to_use).collect();
        if uses.last().is_some_and(|last| last.at >= now) {
            return None;
        }
        uses.push(Use { at: now, station: self.station.name.clone(), kind: self.station.kind });
        Some(uses)
    }
}

/// Counts admissions of different tickets until the kiosks' journals say what the doors did. A repeated question finds
/// its own claim.
async fn claim(tx: &mut Tx, event: &Event, admitted: &[Claim<'_>]) -> Result<()> {
    if admitted.is_empty() {
        return Ok(());
    }
    let tickets: Vec<&str> = admitted.iter().map(|claim| claim.ticket.as_str()).collect();
    let uses: Option<Vec<Vec<Use>>> = admitted.iter().map(Claim::uses).collect();
    match (write_claims(tx, event, admitted).await? == admitted.len() as u64, uses) {
        // Nothing was under those places before, and nothing happened later: what the tickets come to is known.
        (true, Some(uses)) => {
            record::used(tx, &event.id, tickets.into_iter().zip(uses).collect()).await?;
        }
        _ => {
            let places = admitted.iter().map(|claim| (claim.kiosk.id.as_str(), claim.asked.seq));
            let before = record::take_provisional(tx, &places.collect::<Vec<_>>()).await?;
            write_claims(tx, event, admitted).await?;
            let mut changed: HashSet<&str> = tickets.into_iter().collect();
            changed.extend(before.values().filter_map(|before| before.ticket_id.as_deref()));
            record::recount(tx, &event.id, &changed.into_iter().collect::<Vec<_>>()).await?;
        }
    }
    Ok(tx.notify(&event.id).await?)
}

/// Writes claims; gives how many. Where something stands in their place nothing is written: what was claimed before goes
/// first, and under a place that is journaled already nothing is claimed, for the door has decided.
async fn write_claims(tx: &mut Tx, event: &Event, admitted: &[Claim<'_>]) -> Result<u64> {
    Ok(execute_rows!(
        tx,
        "insert into scan (id, event_id, kiosk_id, seq, kind, station_kind, station, medium, ticket_id, verdict, trust,
                           at_ms, true_ms, received_ms, provisional) ",
        admitted,
        |Claim { asked, kiosk, ticket, .. }| [
            format!("{}-{}", kiosk.id, asked.seq),
            &event.id,
            &kiosk.id,
            asked.seq,
            "scan",
            &kiosk.station_kind,
            &kiosk.station,
            asked.check.medium.word(),
            ticket,
            "admitted",
            "live",
            asked.check.at.0,
            asked.now.0,
            asked.now.0,
            true,
        ],
        " on conflict do nothing",
    )?)
}

async fn station(tx: &mut Tx, event: &Event, kiosk: &Kiosk) -> Result<Station> {
    Ok(Station {
        kind: StationKind::from_word(&kiosk.station_kind).unwrap_or(StationKind::Gate),
        name: kiosk.station.clone(),
        event: u32::try_from(event.number).map_err(anyhow::Error::from)?,
        event_cancelled: event.is_cancelled(),
        venue: voucher::venue_of_station(tx, event, &kiosk.station).await?,
    })
}

/// The ticket as the decision takes it.
pub(crate) fn decided(ticket: &Ticket) -> Result<decide::Ticket> {
    let fact = ticket.fact()?;
    Ok(decide::Ticket {
        reissue: fact.reissue,
        state: kiosk::rules::state(&ticket.state),
        terms: ticket.terms(),
        fact,
        proof: Proof::Absent,
    })
}
