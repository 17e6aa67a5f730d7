//! The drill: practice tickets and cards for every reason, put before a door of their own. It decides by the real rule, and
//! what it wants written, asked or looked up ends here: nothing reaches the journal, the counts, the server or the printer.

use admission::{
    Millis, Refusal, Verdict,
    card::CardKey,
    days::ALL_WEEK,
    decide::{Days, Reason, StationKind, TicketState, Use},
    moving::EventKey,
    scan::Skew,
    sync::{Checked, IssuerPublicKey, OfferInfo, Post, Room, TicketRow},
    ticket::{IssuerKey, TicketFact, TicketId},
    time::{HOUR, MINUTE},
};
use zeroize::Zeroizing;

use crate::{
    door::{Door, Effect, Found, Head, Input, Knowledge, Known, Lookup, Trigger},
    shown::Shown,
};

/// A made-up card of a made-up bank.
const CARD: &str = ";6210300000000007=30122200000000000000?";
const BIN: &str = "621030";
/// Signs practice tickets, which no real door takes: its key is everybody's.
const PRACTICE: [u8; 32] = *b"turnout practice, worth nothing.";
const CLASS: u8 = 0;

/// One case: what is shown to the door, and what the door finds.
struct Case {
    post: Post,
    text: String,
    tickets: Vec<TicketRow>,
    card: Option<Card>,
    /// What the server says; none when it is not asked.
    server: Option<Verdict>,
}

/// Whose card it is.
struct Card {
    blocked: bool,
}

/// What people would see at the kiosk that serves `post` whom a door refuses for the reason of that word, or lets in
/// (`admitted`). None for any other word.
#[must_use]
pub fn practice(word: &str, post: &Post, now: Millis) -> Option<Shown> {
    let reason = Reason::from_word(word);
    (reason.is_some() || word == "admitted").then(|| case(reason, post, now).shown(now))
}

/// The case that leads to `reason`.
fn case(reason: Option<Reason>, post: &Post, now: Millis) -> Case {
    let key = IssuerKey::new(1, &PRACTICE);
    let fact = TicketFact {
        id: TicketId([1; 12]),
        event: post.event.number,
        class: CLASS,
        valid_from: now.plus(-HOUR),
        valid_to: now.plus(HOUR),
        reissue: 0,
    };
    let row = TicketRow {
        fact,
        state: TicketState::Valid,
        person: None,
        holder: "演*练".to_owned(),
        place: None,
        uses: Vec::new(),
        revision: 1,
    };
    let with = |row: TicketRow| Case {
        post: practice_post(post, &key, now),
        text: fact.sign(&key),
        tickets: vec![row],
        card: None,
        server: None,
    };
    let plain = || with(row.clone());
    let coded = |fact: TicketFact| Case {
        text: fact.sign(&key),
        ..with(TicketRow { fact, ..row.clone() })
    };
    let stated = |state| with(TicketRow { state, ..row.clone() });
    let carded = |card, tickets| Case { text: CARD.to_owned(), card, tickets, ..plain() };
    let told = |refusal| Case { server: Some(refusal), ..plain() };
    // The ticket page as it was at a moment, at an event that asks for it.
    let moving = |shown: Millis| {
        let (mut asks, secret) = (plain(), EventKey::of(&PRACTICE, &post.event.id));
        asks.text.push_str(&secret.ticket(fact.id, fact.reissue).proof(shown));
        asks.post.moving_key = Some(secret);
        for offer in &mut asks.post.event.offers {
            offer.terms.moving_code = true;
        }
        asks
    };
    let Some(reason) = reason else { return plain() };
    match reason {
        Reason::Unknown => Case { text: "PRACTICE".to_owned(), ..plain() },
        Reason::Forged => Case { text: fact.sign(&IssuerKey::new(1, &[7; 32])), ..plain() },
        Reason::Revoked => {
            with(TicketRow { fact: TicketFact { reissue: 1, ..fact }, ..row.clone() })
        }
        Reason::Cancelled => stated(TicketState::Cancelled),
        Reason::Unpaid => stated(TicketState::Unpaid),
        Reason::Unapproved => stated(TicketState::Unapproved),
        Reason::WrongEvent => coded(TicketFact { event: fact.event.wrapping_add(1), ..fact }),
        Reason::TooEarly => coded(TicketFact { valid_from: now.plus(35 * MINUTE), ..fact }),
        Reason::TooLate => coded(TicketFact { valid_to: now.plus(-35 * MINUTE), ..fact }),
        Reason::NotToday => {
            let mut shut = plain();
            let zone = post.event.time_zone.clone();
            let mut days = Days { zone, weekdays: ALL_WEEK, closed: Vec::new() };
            days.closed.push(days.date(now));
            for offer in &mut shut.post.event.offers {
                offer.terms.days = Some(days.clone());
            }
            shut
        }
        Reason::AlreadyUsed => {
            let used = Use::entry(now.plus(-5 * MINUTE), post.station.clone());
            with(TicketRow { uses: vec![used], ..row.clone() })
        }
        Reason::UnknownCard => carded(None, Vec::new()),
        Reason::BlockedCard => carded(Some(Card { blocked: true }), Vec::new()),
        Reason::NotBooked => carded(Some(Card { blocked: false }), Vec::new()),
        Reason::Full => {
            let mut full = plain();
            full.post.room = Some(Room { share: 0, through: 0 });
            full
        }
        Reason::Ambiguous => {
            let other = TicketFact { id: TicketId([2; 12]), class: CLASS + 1, ..fact };
            let other = TicketRow { fact: other, ..row.clone() };
            let mut several = carded(Some(Card { blocked: false }), vec![row.clone(), other]);
            several.post.station_kind = StationKind::Counter;
            several
        }
        // No rule of a door's own leads to these: the server says them.
        Reason::WrongStation => told(Verdict::Refused(Refusal::WrongStation)),
        Reason::OutOfStock => {
            told(Verdict::Refused(Refusal::OutOfStock { elsewhere: "南宫服务站".to_owned() }))
        }
        Reason::StaleCode => moving(now.plus(-5 * MINUTE)),
        Reason::ShowId => Case { text: fact.sign(&key), ..moving(now) },
    }
}

/// The same event and station as a gate that trusts practice tickets, and nothing else.
fn practice_post(post: &Post, key: &IssuerKey, now: Millis) -> Post {
    let mut practice = post.clone();
    let name = |class: u8| post.event.offer(class).map(|offer| offer.name.clone());
    let offer = |class: u8| OfferInfo {
        valid_from: now.plus(-HOUR),
        valid_to: now.plus(HOUR),
        ..OfferInfo::once(class, name(class).unwrap_or_else(|| "演练票".to_owned()))
    };
    practice.event.offers = vec![offer(CLASS), offer(CLASS + 1)];
    practice.event.cancelled = false;
    practice.station_kind = StationKind::Gate;
    practice.keys = vec![IssuerPublicKey::new(1, &key.public())];
    practice.card_bins = vec![BIN.to_owned()];
    practice.allotments = Vec::new();
    practice.room = None;
    practice.venue = None;
    practice.moving_key = None;
    practice
}

impl Case {
    fn shown(self, now: Millis) -> Shown {
        let known = Knowledge {
            head: Head::start("practice"),
            post: Some(self.post.clone()),
            complete_at: Some(now),
            skew: Some(Skew { ms: 0, error_ms: 0 }),
            locked: false,
        };
        let mut door = Door::new("practice".to_owned(), [0; 16], known);
        door.take_card_key(Some(CardKey::new([0; 32])));
        // Its clock is right; the server is asked only where it has something to say.
        door.synced(now, Some(Skew { ms: 0, error_ms: 0 }));
        if self.server.is_none() {
            door.lost_contact();
        }
        let mut input = Input::Scanned(Zeroizing::new(self.text.clone()), Trigger::Machine);
        loop {
            input = match door.handle(input, now) {
                Effect::Look(lookup) => Input::Found(self.found(lookup)),
                Effect::Ask(_) => Input::Answered(self.answer(now).map(Box::new)),
                Effect::Record(_) => Input::Recorded(true),
                Effect::Show(shown) => return Shown { scan: None, ..shown },
                // A scan that is not empty leads to none of these.
                Effect::Ignore | Effect::Cannot(_) => Input::Recorded(false),
            };
        }
    }

    fn found(&self, lookup: Lookup) -> Found {
        let known =
            |row: &TicketRow| Known { row: Some(row.clone()), ..Known::nothing_of(row.fact.id) };
        match (lookup, &self.card) {
            (Lookup::Card(_), None) => Found::NoCard,
            (Lookup::Card(_), Some(card)) => Found::Card {
                blocked: card.blocked,
                person: "practice".to_owned(),
                tickets: self.tickets.iter().map(known).collect(),
                given: Vec::new(),
                fresh: TicketId([9; 12]),
            },
            (Lookup::Ticket(id) | Lookup::Admission(id), _) => {
                let row = self.tickets.iter().find(|row| row.fact.id == id);
                Found::Ticket(row.map_or(Known::nothing_of(id), known))
            }
        }
    }

    fn answer(&self, now: Millis) -> Option<Checked> {
        let verdict = self.server.clone()?;
        let ticket = self.tickets.first().cloned();
        Some(Checked {
            verdict,
            ticket,
            uses: Vec::new(),
            have_through: 0,
            barred: Vec::new(),
            server_now: now,
        })
    }
}

#[cfg(test)]
mod tests {
    use admission::{say::Lang, sync::EventInfo};
    use jiff::tz::TimeZone;

    use super::*;

    const NOW: Millis = Millis(1_800_000_000_000);

    fn post(kind: StationKind) -> Post {
        Post {
            name: "K1".into(),
            station_kind: kind,
            station: "东门".into(),
            event: EventInfo {
                number: 4,
                id: "e".into(),
                title: "乒乓球赛".into(),
                time_zone: "Asia/Shanghai".into(),
                starts_at: NOW.plus(20 * HOUR),
                ends_at: NOW.plus(24 * HOUR),
                cancelled: true,
                offers: Vec::new(),
            },
            keys: Vec::new(),
            keys_signed: String::new(),
            card_bins: Vec::new(),
            lease_until: NOW.plus(24 * HOUR),
            allotments: Vec::new(),
            venue: None,
            room: Some(Room { share: 0, through: 0 }),
            peers: Vec::new(),
            moving_key: None,
        }
    }

    #[test]
    fn every_reason_is_what_a_real_door_says_of_its_practice_ticket() {
        for kind in [StationKind::Gate, StationKind::Exit, StationKind::Booth] {
            for reason in Reason::ALL {
                let shown = practice(reason.word(), &post(kind), NOW).expect("practice");
                assert_eq!(shown.reason_word(), Some(reason.word()));
                assert!(shown.is_practice() && shown.scan.is_none(), "{reason:?}");
                let words = shown.words(Lang::Zh, NOW, &TimeZone::UTC);
                assert!(!words.headline.is_empty() && !words.next.is_empty(), "{reason:?}");
            }
            let shown = practice("admitted", &post(kind), NOW).expect("practice");
            assert_eq!((shown.verdict_word(), shown.scan), ("admitted", None));
        }
        assert_eq!(practice("party", &post(StationKind::Gate), NOW), None);
    }

    #[test]
    fn two_practice_tickets_are_offered_to_choose_from() {
        let shown = practice("ambiguous", &post(StationKind::Counter), NOW).expect("practice");
        assert_eq!(shown.choices.len(), 2);
    }
}
