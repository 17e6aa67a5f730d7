//! The venue of a day, from morning to evening: who there is ([`cast`]), what breaks ([`trouble`]), who comes ([`doors`]), and
//! whether everything is right ([`oracle`]).

mod cast;
mod counted;
mod doors;
mod oracle;
mod random;
mod trouble;

use std::collections::{BTreeMap, VecDeque};

use admission::{
    Millis, Verdict,
    card::{CardKey, CardNumber},
    decide::{Reason, StationKind, Terms, TicketState},
    moving::{EventKey, STEP_MS},
    scan::{Act, Trust},
    sync::{
        self, CHECK_TIMEOUT_MS, CardRow, EventInfo, IssuerPublicKey, OfferInfo, Post, TicketRow,
        Upload,
    },
    ticket::{IssuerKey, TicketFact, TicketId},
    time::{DAY, HOUR, MINUTE},
};
use zeroize::Zeroizing;

use self::cast::*;
pub(super) use self::{cast::post, counted::Counted, random::Random};
use super::{
    kiosk::{Disk, Kiosk},
    sabotage::Sabotage,
    server::{Places, Server},
};
use crate::{
    courier::Task,
    door::{Effect, Input, Line, Lookup, Order, Trigger, What},
    mesh::{self, BATCH, LinkId, Message},
    shown::{Note, Outcome, Shown},
};

pub(super) const MORNING: Millis = Millis(1_800_000_000_000);
const MOMENTS: usize = 120;
const TICKETS: u8 = 60;
/// From this one on they are shown on a page where the code moves, or with an ID.
const MOVING: u8 = 31;
/// From this one on they are vouchers besides, good for three uses at a counter.
const VOUCHERS: u8 = 41;
const USES: u8 = 3;
/// So many people have a card and a ticket, and the first of them a voucher too; and so many have only a card.
const HOLDERS_WITH_CARDS: u8 = 16;
const WITHOUT_TICKETS: u8 = 12;
/// Places that may still be given to people without a ticket: fewer than may come.
const SPARE: u32 = 7;
const WALK_INS: u32 = 2;
const EVENT: u32 = 4;

/// What came of a day.
pub(super) struct Story {
    pub(super) faults: Vec<String>,
    pub(super) counted: Counted,
    /// Every verdict of the day, folded together.
    pub(super) trace: u64,
}

/// How a ticket is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Showing {
    /// On its page, by the clock of a phone that is a little off.
    Page,
    /// As a picture of its page that was made a while ago.
    Screenshot,
    /// On paper, or where the code does not move.
    Paper,
    /// By a card, or staff know who it is.
    Person,
}

/// What is shown at a door: a ticket, or somebody's card.
#[derive(Clone, Copy)]
enum Who {
    Ticket(usize),
    Person(usize),
}

pub(super) struct World {
    random: Random,
    now: Millis,
    server: Server,
    kiosks: Vec<Kiosk>,
    kinds: Vec<StationKind>,
    holders: Vec<Holder>,
    people: Vec<Person>,
    /// Who is on which piece of the local network.
    lan: Vec<u64>,
    /// Who reaches the server.
    reaches: Vec<bool>,
    wires: Vec<[(usize, LinkId); 2]>,
    next_link: LinkId,
    /// Uploads that are still under way, though their kiosks have given them up.
    under_way: Vec<(usize, Upload)>,
    /// How the ticket at hand is shown.
    showing: Showing,
    /// What was shown: scan by kiosk and place.
    shown: BTreeMap<(usize, u64), Verdict>,
    /// When that was.
    times: BTreeMap<(usize, u64), Millis>,
    /// Through which place of a kiosk's journal nobody may ever know the time.
    uncertain: BTreeMap<usize, u64>,
    story: Story,
    sabotage: Option<Sabotage>,
}

impl World {
    pub(super) fn new(seed: u64, sabotage: Option<Sabotage>) -> Self {
        let mut random = Random::of(seed);
        let doors = 2 + random.index(4);
        let names: Vec<String> = (0..doors).map(|at| format!("door{at}")).collect();
        // The last stand at counters, where there are enough.
        let counters = doors.saturating_sub(2).min(2);
        let kinds: Vec<StationKind> = (0..doors)
            .map(|at| match at >= doors - counters {
                true => StationKind::Counter,
                false => StationKind::Gate,
            })
            .collect();
        let holders: Vec<Holder> = (1..=TICKETS).map(holder).collect();
        let people: Vec<Person> = (0..HOLDERS_WITH_CARDS + WITHOUT_TICKETS).map(person).collect();
        let row = |holder: &Holder| TicketRow {
            fact: holder.fact,
            state: TicketState::Valid,
            person: owner(&people, holder).map(|person| person.id.clone()),
            holder: "王*明".into(),
            place: None,
            uses: Vec::new(),
            revision: 0,
        };
        let rows = holders.iter().map(row).collect();
        let cards = (1..).zip(&people).map(|(revision, person)| CardRow {
            fingerprint: CardNumber::read(&person.card).expect("a card").fingerprint(&card_key()),
            person: person.id.clone(),
            // The last of them was reported lost.
            blocked: revision == i64::from(HOLDERS_WITH_CARDS + WITHOUT_TICKETS),
            revision,
        });
        let taken = u32::from(MOVING - 1);
        let places = Places { quota: taken + SPARE, taken, walk_ins: WALK_INS };
        let server = Server::new(rows, cards.collect(), &names, (offers(), places), sabotage);
        let kiosk = |name: &String| Kiosk {
            name: name.clone(),
            disk: Disk::default(),
            on: None,
            clock_ms: 0,
            sabotage,
            was_cut: false,
        };
        let kiosks = names.iter().map(kiosk).collect();
        let story =
            Story { faults: Vec::new(), counted: Counted::default(), trace: 0xCBF2_9CE4_8422_2325 };
        let mut world = Self {
            random,
            now: MORNING,
            server,
            kiosks,
            kinds,
            holders,
            people,
            lan: vec![0; doors],
            reaches: vec![true; doors],
            wires: Vec::new(),
            next_link: 1,
            under_way: Vec::new(),
            showing: Showing::Person,
            shown: BTreeMap::new(),
            times: BTreeMap::new(),
            uncertain: BTreeMap::new(),
            story,
            sabotage,
        };
        for at in 0..doors {
            world.kiosks[at].clock_ms = world.random.around(2 * HOUR);
            world.kiosks[at].start(MORNING);
            // In the morning each has synced once: before that it decides nothing.
            (0..14).for_each(|_| world.carry(at, false));
        }
        world
    }

    /// From morning to evening, and the reckoning.
    pub(super) fn day(mut self) -> Story {
        for _ in 0..MOMENTS {
            self.moment();
            if !self.story.faults.is_empty() {
                return self.story;
            }
        }
        self.mend();
        if self.story.faults.is_empty() {
            self.reckon();
        }
        if self.story.faults.is_empty() {
            self.try_in_the_evening();
        }
        self.story
    }

    fn fault(&mut self, what: String) {
        let hours = self.now.since(MORNING) / 60_000;
        self.story.faults.push(format!("minute {hours}: {what}"));
    }

    fn moment(&mut self) {
        let gap = [200, 3_000, 90_000, 600_000][self.random.index(4)];
        self.now = self.now.plus(i64::try_from(1 + self.random.below(gap)).expect("small"));
        self.break_something();
        if !self.under_way.is_empty() && self.random.of_hundred(30) {
            self.one_arrives_late();
        }
        for at in 0..self.kiosks.len() {
            if self.random.of_hundred(40) {
                self.kiosks[at].write_down();
            }
        }
        self.meet();
        for _ in 0..2 {
            self.tick();
        }
        for at in 0..self.kiosks.len() {
            for _ in 0..self.random.index(6) {
                self.carry(at, true);
            }
        }
        for _ in 0..self.random.index(5) {
            let at = self.random.index(self.kiosks.len());
            self.somebody_comes(at);
        }
    }

    /// In the evening everything works, and there is time.
    fn mend(&mut self) {
        self.reaches.fill(true);
        self.lan.fill(0);
        for kiosk in &mut self.kiosks {
            if kiosk.on.is_none() {
                kiosk.start(self.now);
            }
        }
        self.meet();
        for _ in 0..60 {
            self.tick();
            for at in 0..self.kiosks.len() {
                (0..3).for_each(|_| self.carry(at, false));
                self.kiosks[at].write_down();
            }
        }
        while !self.under_way.is_empty() && self.story.faults.is_empty() {
            self.one_arrives_late();
        }
    }
}
