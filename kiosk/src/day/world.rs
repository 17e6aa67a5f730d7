//! The venue of a day: who comes, what breaks, and whether everything is right in the evening.

use std::collections::{BTreeMap, VecDeque};

use admission::{
    Millis, Verdict,
    card::{CardKey, CardNumber},
    decide::{Reason, StationKind, Terms, TicketState},
    scan::{Act, Trust},
    sync::{self, CardRow, EventInfo, IssuerPublicKey, OfferInfo, Post, TicketRow, Upload},
    ticket::{IssuerKey, TicketFact, TicketId},
    time::{DAY, HOUR},
};
use data_encoding::HEXLOWER;
use zeroize::Zeroizing;

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
/// From this one on they are vouchers, good for three uses at a counter.
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

/// How often what happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counted {
    scans: u64,
    admitted: u64,
    agreed: u64,
    refused_by_word_of_others: u64,
    double_admissions: u64,
    undone: u64,
    cancelled: u64,
    power_cuts: u64,
    lost_answers: u64,
    doubled_uploads: u64,
    late_uploads: u64,
    by_card: u64,
    walk_ins: u64,
    full: u64,
    redeemed: u64,
    chosen: u64,
    overridden: u64,
    by_hand: u64,
    revoked: u64,
    told_after_revocation: u64,
}

impl Counted {
    pub(super) fn all(&self) -> [(&'static str, u64); 20] {
        [
            ("admission by card", self.by_card),
            ("walk-in", self.walk_ins),
            ("walk-in without a place left", self.full),
            ("redemption", self.redeemed),
            ("choice at a counter", self.chosen),
            ("override", self.overridden),
            ("admission by hand", self.by_hand),
            ("revoked kiosk", self.revoked),
            ("scan told after a revocation", self.told_after_revocation),
            ("scan", self.scans),
            ("admission", self.admitted),
            ("agreement", self.agreed),
            ("refusal by word of others", self.refused_by_word_of_others),
            ("double admission", self.double_admissions),
            ("undo", self.undone),
            ("cancellation", self.cancelled),
            ("power cut", self.power_cuts),
            ("lost answer", self.lost_answers),
            ("doubled upload", self.doubled_uploads),
            ("late upload", self.late_uploads),
        ]
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.scans += other.scans;
        self.admitted += other.admitted;
        self.agreed += other.agreed;
        self.refused_by_word_of_others += other.refused_by_word_of_others;
        self.double_admissions += other.double_admissions;
        self.undone += other.undone;
        self.cancelled += other.cancelled;
        self.power_cuts += other.power_cuts;
        self.lost_answers += other.lost_answers;
        self.doubled_uploads += other.doubled_uploads;
        self.late_uploads += other.late_uploads;
        self.by_card += other.by_card;
        self.walk_ins += other.walk_ins;
        self.full += other.full;
        self.redeemed += other.redeemed;
        self.chosen += other.chosen;
        self.overridden += other.overridden;
        self.by_hand += other.by_hand;
        self.revoked += other.revoked;
        self.told_after_revocation += other.told_after_revocation;
    }
}

/// Chance that can be had again (xorshift64*).
pub(super) struct Random(u64);

impl Random {
    pub(super) fn of(seed: u64) -> Self {
        // Nought would stay nought.
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) % end
    }

    pub(super) fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).expect("below a usize")
    }

    fn of_hundred(&mut self, often: u64) -> bool {
        self.below(100) < often
    }

    pub(super) fn around(&mut self, most: i64) -> i64 {
        i64::try_from(self.below(2 * most.unsigned_abs())).expect("small") - most
    }
}

/// One ticket and its holder's phone.
struct Holder {
    fact: TicketFact,
    code: String,
    /// It was cancelled or reissued at some time: a door may not have heard of it.
    changed: bool,
}

/// Somebody with a membership card, and the tickets that it opens.
struct Person {
    id: String,
    card: String,
    tickets: Vec<usize>,
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
    /// What was shown: scan by kiosk and place.
    shown: BTreeMap<(usize, u64), Verdict>,
    story: Story,
    sabotage: Option<Sabotage>,
}

fn issuer() -> IssuerKey {
    IssuerKey::new(1, &[3; 32])
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
        let taken = u32::from(VOUCHERS - 1);
        let places = Places { quota: taken + SPARE, taken, walk_ins: WALK_INS };
        let server = Server::new(rows, cards.collect(), &names, (offers(), places), sabotage);
        let kiosk = |name: &String| Kiosk {
            name: name.clone(),
            disk: Disk::default(),
            on: None,
            clock_ms: 0,
            sabotage,
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
            shown: BTreeMap::new(),
            story,
            sabotage,
        };
        for at in 0..doors {
            world.kiosks[at].clock_ms = world.random.around(2 * HOUR);
            world.kiosks[at].start();
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

    fn break_something(&mut self) {
        let at = self.random.index(self.kiosks.len());
        match self.random.below(24) {
            0 => self.reaches[at] = false,
            1 => self.reaches.fill(false),
            2 | 3 => self.reaches[at] = true,
            4 => self.reaches.fill(true),
            5 | 6 => self.lan[at] = self.random.below(3),
            7 | 8 => self.lan.fill(0),
            9 => self.cut_power(at),
            10 | 11 if self.kiosks[at].on.is_none() => self.kiosks[at].start(),
            12 => self.kiosks[at].clock_ms = self.random.around(2 * HOUR),
            13 => self.office(),
            14 if self.random.of_hundred(12) => self.revoke(at),
            _ => {}
        }
    }

    /// An upload that was given up arrives, whichever was sent first, and perhaps not for the last time.
    fn one_arrives_late(&mut self) {
        let which = self.random.index(self.under_way.len());
        let (at, upload) = match self.random.of_hundred(30) {
            true => self.under_way[which].clone(),
            false => self.under_way.swap_remove(which),
        };
        let has = self.server.kiosks[&self.kiosks[at].name].entries.len() as u64;
        self.story.counted.late_uploads += u64::from(upload.head_seq < has);
        if self.server.upload(&self.kiosks[at].name, &upload, self.now).is_none() {
            self.fault(format!("{} is said to contradict itself, late", self.kiosks[at].name));
        }
    }

    /// Somebody at the office cancels a booking, or gives a new code for one.
    fn office(&mut self) {
        let which = self.random.index(self.holders.len());
        let id = self.holders[which].fact.id;
        if self.holders[which].changed {
            return;
        }
        self.story.counted.cancelled += 1;
        self.holders[which].changed = true;
        if self.random.of_hundred(50) {
            self.server.cancel(id);
        } else {
            self.server.change(id, |row| row.fact.reissue = 1);
        }
    }

    /// The organizer revokes a kiosk, which hears of it when it next reaches the server. Two stay.
    fn revoke(&mut self, at: usize) {
        let stay = (0..self.kiosks.len()).filter(|at| !self.is_revoked(*at)).count();
        if stay > 2 && !self.is_revoked(at) {
            let name = self.kiosks[at].name.clone();
            self.server.revoke(&name);
            self.story.counted.revoked += 1;
        }
    }

    fn is_revoked(&self, at: usize) -> bool {
        self.server.kiosks[&self.kiosks[at].name].revoked
    }

    fn cut_power(&mut self, at: usize) {
        if self.kiosks[at].on.take().is_some() {
            self.story.counted.power_cuts += 1;
        }
        self.unplug(|a, b| a == at || b == at);
    }

    fn unplug(&mut self, gone: impl Fn(usize, usize) -> bool) {
        let (cut, left) = std::mem::take(&mut self.wires)
            .into_iter()
            .partition::<Vec<_>, _>(|[(a, _), (b, _)]| gone(*a, *b));
        self.wires = left;
        for (at, link) in cut.into_iter().flatten() {
            self.mesh(at, mesh::Input::Closed(link));
        }
    }

    /// Who is on one network connects; who is not is cut off.
    fn meet(&mut self) {
        let lan = self.lan.clone();
        self.unplug(|a, b| lan[a] != lan[b]);
        if self.random.of_hundred(10) {
            let at = self.random.index(self.kiosks.len());
            self.unplug(|a, _| a == at);
        }
        for a in 0..self.kiosks.len() {
            for b in a + 1..self.kiosks.len() {
                let wired = self.wires.iter().any(|[(x, _), (y, _)]| (*x, *y) == (a, b));
                let on = self.kiosks[a].on.is_some() && self.kiosks[b].on.is_some();
                if on && !wired && lan[a] == lan[b] {
                    let (la, lb) = (self.next_link, self.next_link + 1);
                    self.next_link += 2;
                    self.wires.push([(a, la), (b, lb)]);
                    let [to_a, to_b] = [a, b].map(|at| self.kiosks[at].name.clone());
                    self.mesh(a, mesh::Input::Opened { link: la, kiosk: to_b, dialled: true });
                    self.mesh(b, mesh::Input::Opened { link: lb, kiosk: to_a, dialled: false });
                }
            }
        }
    }

    fn tick(&mut self) {
        self.now = self.now.plus(1_000);
        (0..self.kiosks.len()).for_each(|at| self.mesh(at, mesh::Input::Tick));
    }

    fn steady(&self) -> u64 {
        u64::try_from(self.now.0).expect("after 1970")
    }

    /// Gives a mesh something, and everybody what comes of it.
    fn mesh(&mut self, at: usize, input: mesh::Input) {
        let mut inputs = VecDeque::from([(at, input)]);
        while let Some((at, input)) = inputs.pop_front() {
            let now = self.steady();
            let Some(on) = &mut self.kiosks[at].on else { continue };
            for effect in on.mesh.handle(input, now) {
                match effect {
                    mesh::Effect::Send(link, message) => {
                        inputs.extend(self.deliver(at, link, message));
                    }
                    mesh::Effect::Close(link) => {
                        self.wires.retain(|ends| !ends.contains(&(at, link)));
                    }
                    mesh::Effect::Read(link, after) => {
                        let own = self.kiosks[at].told_after(after, BATCH);
                        inputs.push_back((at, mesh::Input::Own(link, own)));
                    }
                    mesh::Effect::Keep(told) => self.kiosks[at].keep(told),
                }
            }
        }
    }

    fn deliver(&self, from: usize, link: LinkId, message: Message) -> Option<(usize, mesh::Input)> {
        let ends = self.wires.iter().find(|ends| ends.contains(&(from, link)))?;
        let (to, link) = *ends.iter().find(|(at, _)| *at != from)?;
        Some((to, mesh::Input::Heard(link, message)))
    }

    fn post(&self, at: usize) -> Post {
        let peer = |kiosk: &Kiosk| {
            let (kiosk, name) = (kiosk.name.clone(), kiosk.name.clone());
            sync::Peer { station: name.clone(), kiosk, name, public_key: String::new() }
        };
        let others =
            (0..self.kiosks.len()).filter(|other| *other != at && !self.is_revoked(*other));
        let peers = others.map(|other| peer(&self.kiosks[other])).collect();
        let name = &self.kiosks[at].name;
        Post { peers, station_kind: self.kinds[at], ..post(name, name) }
    }

    /// One step of a kiosk's courier. With `luck`, answers get lost and requests arrive twice.
    fn carry(&mut self, at: usize, luck: bool) {
        let chance = u32::try_from(self.random.below(1 << 20)).expect("small");
        let Some(on) = self.kiosks[at].on.as_ref().filter(|_| !self.kiosks[at].disk.left) else {
            return;
        };
        let task = on.courier.task(chance);
        let lost = luck && self.random.of_hundred(8);
        let reaches = self.reaches[at];
        let now = self.now;
        let post = self.post(at);
        let failed = |kiosk: &mut Kiosk| {
            if let Some(on) = &mut kiosk.on {
                on.courier.failed();
                on.door.lost_contact();
            }
        };
        match task {
            Task::Rest { .. } => {
                if let Some(on) = &mut self.kiosks[at].on {
                    on.courier.rested();
                }
            }
            Task::Leave => self.kiosks[at].disk.left = true,
            _ if !reaches => failed(&mut self.kiosks[at]),
            Task::Fetch | Task::FetchCardKey if self.is_revoked(at) => self.tell_revoked(at),
            Task::Upload { .. }
                if self.is_revoked(at) && self.sabotage == Some(Sabotage::DeafToTheRevoked) =>
            {
                self.tell_revoked(at);
            }
            Task::Upload { after } => {
                let upload = self.kiosks[at].next_upload(after);
                if luck && self.random.of_hundred(6) {
                    self.under_way.push((at, upload));
                    failed(&mut self.kiosks[at]);
                    return;
                }
                if luck && self.random.of_hundred(10) {
                    self.story.counted.doubled_uploads += 1;
                    self.server.upload(&self.kiosks[at].name, &upload, now);
                }
                if self.is_revoked(at) {
                    let has = self.server.kiosks[&self.kiosks[at].name].entries.len() as u64;
                    let new = upload.head_seq.saturating_sub(has);
                    self.story.counted.told_after_revocation += new;
                }
                let Some(receipt) = self.server.upload(&self.kiosks[at].name, &upload, now) else {
                    self.fault(format!("{} is said to contradict itself", self.kiosks[at].name));
                    return;
                };
                if !lost {
                    if self.kiosks[at].acknowledged(&receipt, now).is_none() {
                        self.fault(format!(
                            "{} does not know its own journal",
                            self.kiosks[at].name
                        ));
                    }
                } else {
                    self.story.counted.lost_answers += 1;
                    failed(&mut self.kiosks[at]);
                }
            }
            Task::Fetch => {
                let after = self.kiosks[at].disk.cursors;
                let after = (after.revision, after.cards_revision);
                let feed = self.server.feed(&self.kiosks[at].name, post, after, now);
                if lost {
                    failed(&mut self.kiosks[at]);
                    return;
                }
                for input in self.kiosks[at].take_page(feed, now) {
                    self.mesh(at, input);
                }
            }
            Task::FetchCardKey => self.kiosks[at].take_card_key(card_key()),
        }
    }

    fn tell_revoked(&mut self, at: usize) {
        for input in self.kiosks[at].hear_of_revocation() {
            self.mesh(at, input);
        }
    }

    fn somebody_comes(&mut self, at: usize) {
        if self.kiosks[at].on.is_none() {
            return;
        }
        let which = self.random.index(self.holders.len());
        let id = self.holders[which].fact.id;
        let by = || Some("甲".to_owned());
        let order = |what, operator| Input::Ordered(Order { what, operator });
        match self.random.below(24) {
            0 => drop(self.drive(
                at,
                order(What::Undo(id, "扫错了".into()), None),
                Who::Ticket(which),
                true,
            )),
            1 => drop(self.drive(at, order(What::CheckIn(id), by()), Who::Ticket(which), true)),
            2 => {
                let pass = order(What::Override(id, "负责人同意".into()), by());
                drop(self.drive(at, pass, Who::Ticket(which), true));
            }
            3..=8 => self.card_is_shown(at),
            _ => {
                self.drive(at, self.code(which), Who::Ticket(which), true);
                // The same screenshot at another door, a moment later.
                if self.random.of_hundred(30) {
                    let other = self.random.index(self.kiosks.len());
                    self.drive(other, self.code(which), Who::Ticket(which), true);
                }
            }
        }
    }

    fn code(&self, which: usize) -> Input {
        Input::Scanned(Zeroizing::new(self.holders[which].code.clone()), Trigger::Machine)
    }

    /// Somebody shows a card; who has several vouchers taps one of them; who was given a place may be taken out again.
    fn card_is_shown(&mut self, at: usize) {
        let which = self.random.index(self.people.len());
        let card = Zeroizing::new(self.people[which].card.clone());
        let who = Who::Person(which);
        let shown = self.drive(at, Input::Scanned(card, Trigger::Machine), who, true);
        let Some(shown) = shown else { return };
        if !shown.choices.is_empty() {
            let ticket = shown.choices[self.random.index(shown.choices.len())].ticket;
            let choose = Input::Ordered(Order { what: What::Choose(ticket), operator: None });
            if self
                .drive(at, choose, who, true)
                .is_some_and(|shown| shown.verdict_word() == "admitted")
            {
                self.story.counted.chosen += 1;
            }
        }
        let given =
            matches!(shown.outcome, Outcome::Decided(Verdict::Admitted, Some(Note::WalkIn)));
        if given && self.random.of_hundred(15) {
            let ticket = self.kiosks[at].disk.journal.last().and_then(|line| line.admitted);
            let what = What::Undo(ticket.expect("the place given"), "扫错了".into());
            self.drive(at, Input::Ordered(Order { what, operator: None }), who, true);
        }
    }

    /// One scan or order at a door, from the first step to what is shown; none when the power went, or it cannot be done.
    fn drive(&mut self, at: usize, mut input: Input, who: Who, luck: bool) -> Option<Shown> {
        let before = self.before(at, who);
        loop {
            let (now, steady, clock) = (self.now, self.steady(), self.kiosks[at].clock(self.now));
            let on = self.kiosks[at].on.as_mut()?;
            let boast = self.sabotage == Some(Sabotage::BoastOfAgreement);
            let others = u32::try_from(self.lan.len() - 1).expect("few");
            on.door.take_agreed(if boast { others } else { on.mesh.agreed(steady) });
            let effect = on.door.handle(input, clock);
            if luck && self.random.of_hundred(1) {
                self.cut_power(at);
                return None;
            }
            input = match effect {
                Effect::Look(lookup) => Input::Found(self.look(at, lookup)),
                Effect::Ask(_) if self.reaches[at] && self.is_revoked(at) => {
                    self.tell_revoked(at);
                    Input::Answered(None)
                }
                Effect::Ask(check) => {
                    let post = self.post(at);
                    let checked = self.reaches[at]
                        .then(|| self.server.check(&self.kiosks[at].name, &post, &check, now));
                    let lost = luck && self.random.of_hundred(15);
                    self.story.counted.lost_answers += u64::from(lost && checked.is_some());
                    Input::Answered(checked.filter(|_| !lost).map(Box::new))
                }
                Effect::Record(line) => {
                    let head = line.head;
                    self.kiosks[at].write(line);
                    if luck && self.random.of_hundred(2) {
                        self.cut_power(at);
                        return None;
                    }
                    let news = self.kiosks[at].told_after(head.seq - 1, BATCH);
                    self.mesh(at, mesh::Input::Recorded(head, news));
                    Input::Recorded(true)
                }
                Effect::Show(shown) => {
                    self.judge(at, who, &shown, &before);
                    return Some(shown);
                }
                Effect::Ignore | Effect::Cannot(_) => return None,
            };
        }
    }

    fn look(&self, at: usize, lookup: Lookup) -> crate::door::Found {
        let mut found = self.kiosks[at].look(lookup);
        if self.sabotage == Some(Sabotage::DeafToOthers)
            && let crate::door::Found::Ticket(known) | crate::door::Found::Admission(known, _) =
                &mut found
        {
            known.peers.clear();
        }
        found
    }

    /// What is true before somebody shows a ticket or card at a door.
    fn before(&self, at: usize, who: Who) -> Before {
        let (kind, fits) = (self.kinds[at], |which: &usize| {
            let holder = &self.holders[*which];
            let ever = self.lines_of(holder.fact.id, self.kinds[at]).count();
            let new = ever < usize::from(uses_of(self.kinds[at], holder.fact.class));
            new && !holder.changed && !self.server.believed.contains(&holder.fact.id)
        });
        let has_right = match who {
            Who::Ticket(which) => fits(&which),
            Who::Person(which) => self.people[which].tickets.iter().any(fits),
        };
        let is_stranger = |which: usize| {
            let person = &self.people[which];
            let given = |line: &&Line| {
                line.deed.walk_in.as_ref().is_some_and(|walk_in| walk_in.person == person.id)
            };
            let anywhere =
                self.kiosks.iter().flat_map(|kiosk| &kiosk.disk.journal).any(|l| given(&l));
            person.tickets.is_empty() && !anywhere
        };
        let may_be_given = kind == StationKind::Gate
            && matches!(who, Who::Person(which) if is_stranger(which) && which + 1 < self.people.len())
            && self.in_hand(at) > 0;
        Before { has_right, may_be_given }
    }

    /// Places that a kiosk has in hand, as it was told.
    fn in_hand(&self, at: usize) -> u32 {
        let disk = &self.kiosks[at].disk;
        let lent: u32 = disk.post.iter().flat_map(|post| &post.allotments).map(|a| a.places).sum();
        lent.saturating_sub(self.given(at))
    }

    fn given(&self, at: usize) -> u32 {
        let journal = self.kiosks[at].disk.journal.iter();
        let given = journal.filter(|line| line.deed.walk_in.is_some()).count();
        u32::try_from(given).expect("few")
    }

    /// Every line that ever let a ticket pass at a station of that kind, with its door.
    fn lines_of(&self, id: TicketId, kind: StationKind) -> impl Iterator<Item = (usize, &Line)> {
        let doors = (0..self.kiosks.len()).filter(move |at| self.kinds[*at] == kind);
        doors.flat_map(move |at| {
            let journal = self.kiosks[at].disk.journal.iter();
            journal.filter(move |line| line.admitted == Some(id)).map(move |line| (at, line))
        })
    }

    /// Those that were not taken back.
    fn standing(&self, id: TicketId, kind: StationKind) -> Vec<(usize, &Line)> {
        let stands = |at: usize, line: &Line| {
            let undoes = |other: &Line| {
                other.deed.act == Act::Undo && other.deed.about == Some(line.head.seq)
            };
            !self.kiosks[at].disk.journal.iter().any(undoes)
        };
        self.lines_of(id, kind).filter(|(at, line)| stands(*at, line)).collect()
    }

    /// Looks at a verdict at the moment it is shown.
    fn judge(&mut self, at: usize, who: Who, shown: &Shown, before: &Before) {
        let Some(scan) = &shown.scan else { return };
        let seq: u64 =
            scan.rsplit_once('-').and_then(|(_, seq)| seq.parse().ok()).expect("a scan id");
        let Outcome::Decided(verdict, note) = &shown.outcome else { return };
        self.shown.insert((at, seq), verdict.clone());
        for byte in format!("{at} {seq} {verdict:?} {:?}", shown.trust).bytes() {
            self.story.trace = (self.story.trace ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        }
        let counted = &mut self.story.counted;
        counted.scans += 1;
        counted.admitted += u64::from(verdict.is_admitted());
        counted.agreed += u64::from(matches!(shown.trust, Trust::Agreed { .. }));
        match note {
            Some(Note::TakenBack) => return counted.undone += 1,
            // After a power cut cards wait for the server, or for somebody with the PIN.
            Some(Note::CardsLocked) => return,
            _ => {}
        }
        if verdict.reason() == Some(Reason::Full) {
            counted.full += 1;
        }
        if !verdict.is_admitted() {
            self.judge_refusal(at, who, shown, before);
        } else if let Some(line) = self.kiosks[at].disk.journal.iter().rfind(|l| l.head.seq == seq)
        {
            let line = line.clone();
            self.judge_admission(at, who, shown, &line);
        }
    }

    fn judge_refusal(&mut self, at: usize, who: Who, shown: &Shown, before: &Before) {
        let (kind, name) = (self.kinds[at], self.name_of(who));
        if let (Who::Ticket(which), Some("already_used")) = (who, shown.reason_word()) {
            let id = self.holders[which].fact.id;
            let elsewhere = self.standing(id, kind).iter().any(|(door, _)| *door != at);
            if elsewhere && !self.reaches[at] {
                self.story.counted.refused_by_word_of_others += 1;
            }
        }
        let several = shown.reason_word() == Some("ambiguous") && !shown.choices.is_empty();
        if before.has_right && !several {
            self.fault(format!("{name} was turned away at door {at}: {:?}", shown.outcome));
        }
        if before.may_be_given {
            self.fault(format!("{name} got no place at door {at}: {:?}", shown.outcome));
        }
    }

    fn judge_admission(&mut self, at: usize, who: Who, shown: &Shown, line: &Line) {
        let (kind, name) = (self.kinds[at], self.name_of(who));
        let Some(id) = line.admitted else {
            return self.fault(format!("{name} was let in at door {at} on nothing"));
        };
        let counted = &mut self.story.counted;
        counted.by_card += u64::from(matches!(who, Who::Person(_)));
        counted.redeemed += u64::from(kind == StationKind::Counter);
        counted.walk_ins += u64::from(line.deed.act == Act::WalkIn);
        counted.overridden += u64::from(line.deed.act == Act::Override);
        counted.by_hand += u64::from(line.deed.act == Act::Hand);
        if line.deed.act == Act::Override {
            return;
        }
        let class = self.holders.iter().find(|h| h.fact.id == id).map_or(0, |h| h.fact.class);
        let uses = usize::from(uses_of(kind, class));
        let others: Vec<(usize, Trust, Act)> = self
            .standing(id, kind)
            .into_iter()
            .filter(|(door, other)| (*door, other.head) != (at, line.head))
            .map(|(door, other)| {
                let trust = other.entry.scan().expect("own entry").trust;
                (door, trust, other.deed.act)
            })
            .collect();
        let here = others.iter().filter(|(door, ..)| *door == at).count();
        if here >= uses {
            self.fault(format!("{name} went in {} times at door {at}", here + 1));
        }
        // A place that was given here beside the ticket counts for it.
        if let (Who::Person(which), StationKind::Gate) = (who, kind) {
            let person = &self.people[which];
            let journal = &self.kiosks[at].disk.journal;
            let undone = |seq| {
                journal
                    .iter()
                    .any(|line| line.deed.act == Act::Undo && line.deed.about == Some(seq))
            };
            let inside = journal.iter().any(|other| {
                let theirs = other.deed.walk_in.as_ref().is_some_and(|w| w.person == person.id);
                theirs && other.head != line.head && !undone(other.head.seq)
            });
            if inside && person.tickets.is_empty() {
                return self
                    .fault(format!("{name} was given a place at door {at} and went in again"));
            }
        }
        if others.len() >= uses {
            self.story.counted.double_admissions += 1;
        }
        let peers = self.kiosks[at].disk.post.iter().flat_map(|post| &post.peers);
        let peers: Vec<&str> = peers.map(|peer| peer.kiosk.as_str()).collect();
        let all = u32::try_from(peers.len()).expect("few");
        let believed = |door: usize| door == at || peers.contains(&self.kiosks[door].name.as_str());
        let known = others.iter().filter(|(door, ..)| believed(*door)).count();
        if known >= uses && matches!(shown.trust, Trust::Agreed { kiosks, .. } if kiosks == all) {
            self.fault(format!("door {at} agreed with everybody and let {name} in again"));
        }
        // What the server was asked about it counts until the door says otherwise: it lets nobody in twice.
        let asked = |(_, trust, act): &&(usize, Trust, Act)| {
            *trust == Trust::Live && matches!(act, Act::Scan | Act::Hand)
        };
        let is_live = shown.trust == Trust::Live && line.deed.act != Act::WalkIn;
        if is_live && others.iter().filter(asked).count() >= uses {
            self.fault(format!("the server let {name} in again at door {at}"));
        }
        let lent = self.server.kiosks[&self.kiosks[at].name].lent.map_or(0, |lent| lent.places);
        if self.given(at) > lent {
            self.fault(format!("door {at} gave {} places and was lent {lent}", self.given(at)));
        }
    }

    fn name_of(&self, who: Who) -> String {
        match who {
            Who::Ticket(which) => format!("ticket {which}"),
            Who::Person(which) => format!("person {which}"),
        }
    }

    /// In the evening everything works, and there is time.
    fn mend(&mut self) {
        self.reaches.fill(true);
        self.lan.fill(0);
        for kiosk in &mut self.kiosks {
            if kiosk.on.is_none() {
                kiosk.start();
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

    /// Server and kiosks agree, every scan is there once, every double admission is a conflict, no place was given twice, and
    /// whoever was revoked knows nothing any more and has told everything.
    fn reckon(&mut self) {
        let mut wrong = Vec::new();
        for ((at, seq), verdict) in &self.shown {
            if self.kiosks[*at].scan(*seq).map(|scan| scan.verdict).as_ref() != Some(verdict) {
                wrong.push(format!("door {at} showed scan {seq} and its journal does not say so"));
            }
        }
        let stay = (0..self.kiosks.len()).filter(|at| !self.is_revoked(*at)).count();
        for (at, kiosk) in self.kiosks.iter().enumerate() {
            let own = kiosk.disk.journal.iter().map(|line| &line.entry);
            if !own.eq(self.server.kiosks[&kiosk.name].entries.iter()) {
                wrong.push(format!("door {at} and the server differ about its journal"));
            }
            if self.is_revoked(at) {
                let knows = !kiosk.disk.rows.is_empty() || !kiosk.disk.cards.is_empty();
                if knows || !kiosk.disk.left || kiosk.disk.post.is_some() {
                    wrong.push(format!("door {at} was revoked and is not wiped, or has not left"));
                }
                continue;
            }
            let rows = kiosk.disk.rows.iter().map(|(id, (row, _))| (id, row));
            if !rows.eq(self.server.rows.iter()) {
                wrong.push(format!("door {at} has other tickets than the server"));
            }
            let agreed = kiosk.on.as_ref().map(|on| on.mesh.agreed(self.steady()));
            if agreed != u32::try_from(stay - 1).ok() {
                wrong.push(format!("door {at} agrees with {agreed:?} others only"));
            }
            for (id, row) in &self.server.rows {
                let crate::door::Found::Ticket(known) = kiosk.look(Lookup::Ticket(*id)) else {
                    continue;
                };
                let mut history = known.history();
                history.sort_by_key(|used| used.at);
                if history != row.uses {
                    wrong.push(format!("door {at} and the server differ about ticket {id:?}"));
                }
            }
        }
        wrong.extend(self.reckon_tickets());
        wrong.extend(self.reckon_places());
        wrong.into_iter().for_each(|what| self.fault(what));
    }

    /// Every double use is a conflict, and nothing else is.
    fn reckon_tickets(&self) -> Vec<String> {
        let mut times = BTreeMap::<(TicketId, bool), usize>::new();
        for (at, kiosk) in self.kiosks.iter().enumerate() {
            for line in &kiosk.disk.journal {
                let Some(id) = line.admitted else { continue };
                let stands = self.standing(id, self.kinds[at]);
                let stands =
                    stands.iter().any(|(door, other)| (*door, other.head) == (at, line.head));
                // A supervisor who saw that it was used knew what they did.
                if stands && line.deed.against != Some(Reason::AlreadyUsed) {
                    // A place given to somebody who had one by then counts for that one.
                    let counts_for = self.server.counts_for(&kiosk.name, line.head.seq);
                    let counter = self.kinds[at] == StationKind::Counter;
                    *times.entry((counts_for.unwrap_or(id), counter)).or_default() += 1;
                }
            }
        }
        let mut wrong = Vec::new();
        for (id, row) in &self.server.rows {
            let at_gates = times.get(&(*id, false)).copied().unwrap_or_default();
            let at_counters = times.get(&(*id, true)).copied().unwrap_or_default();
            let uses = usize::from(uses_of(StationKind::Counter, row.fact.class));
            if (at_gates > 1 || at_counters > uses) != self.server.conflicts.contains(id) {
                wrong.push(format!(
                    "ticket {id:?} went in {at_gates} times and was redeemed {at_counters} times, and the inbox knows otherwise"
                ));
            }
        }
        wrong
    }

    /// No more places were given than there are, and who was given one has it.
    fn reckon_places(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let living = self
            .server
            .rows
            .values()
            .filter(|row| row.fact.class == 0 && row.state != TicketState::Cancelled);
        let (living, places) = (living.count(), self.server.places);
        let in_hand: u32 = self
            .server
            .kiosks
            .values()
            .filter_map(|journal| journal.lent)
            .map(|lent| lent.places - lent.used)
            .sum();
        if places.taken > places.quota
            || living as u64 + u64::from(in_hand) != u64::from(places.taken)
        {
            wrong.push(format!("{living} tickets, {in_hand} in the doors' hands: {places:?}"));
        }
        for (at, kiosk) in self.kiosks.iter().enumerate() {
            for line in &kiosk.disk.journal {
                let Some(walk_in) = &line.deed.walk_in else { continue };
                let ticket = self.server.counts_for(&kiosk.name, line.head.seq);
                let row = ticket.and_then(|ticket| self.server.rows.get(&ticket));
                if row.and_then(|row| row.person.as_ref()) != Some(&walk_in.person) {
                    wrong.push(format!(
                        "{} was given a place at door {at} and has none",
                        walk_in.person
                    ));
                }
            }
        }
        wrong
    }

    fn try_in_the_evening(&mut self) {
        for which in 0..self.holders.len() {
            let at = loop {
                let at = self.random.index(self.kiosks.len());
                if !self.is_revoked(at) {
                    break at;
                }
            };
            self.try_once(at, which);
        }
    }

    fn try_once(&mut self, at: usize, which: usize) {
        let fact = self.holders[which].fact;
        let times = self.standing(fact.id, self.kinds[at]).len();
        let uses = usize::from(uses_of(self.kinds[at], fact.class));
        let reissued = self.server.rows[&fact.id].fact.reissue > 0;
        let Some(shown) = self.drive(at, self.code(which), Who::Ticket(which), false) else {
            return self.fault(format!("nothing was shown for ticket {which} in the evening"));
        };
        let right = match shown.reason_word() {
            None => self.server.is_valid(fact.id) && !reissued && times < uses,
            Some("already_used") => times >= uses,
            Some("cancelled") => !self.server.is_valid(fact.id),
            Some("revoked") => reissued,
            Some(_) => false,
        };
        if !right {
            self.fault(format!(
                "ticket {which}, used {times} times at such doors, is shown at door {at} in the evening: {:?}",
                shown.outcome
            ));
        }
    }
}

/// What was true before a scan.
struct Before {
    /// A ticket that is shown, or that the card opens, was never used up anywhere, nobody changed it, and the server was never
    /// asked about it. (When that door's plug was pulled before its verdict, the others refuse it until it speaks again.)
    has_right: bool,
    /// Somebody without a ticket, and this gate has a place in hand.
    may_be_given: bool,
}

/// How often a ticket of that class is let pass at such stations.
fn uses_of(kind: StationKind, class: u8) -> u8 {
    if kind == StationKind::Counter && class == 1 { USES } else { 1 }
}

fn card_key() -> CardKey {
    CardKey::new([5; 32])
}

fn offers() -> Vec<OfferInfo> {
    let (valid_from, valid_to) = (MORNING.plus(-DAY), MORNING.plus(3 * DAY));
    let entry = OfferInfo { valid_from, valid_to, ..OfferInfo::once(0, "五公里".into()) };
    let terms = Terms { uses: USES, ..Terms::ONCE };
    let voucher = OfferInfo { class: 1, name: "茶水".into(), terms, ..entry.clone() };
    vec![entry, voucher]
}

/// Whose card opens a ticket.
fn owner<'a>(people: &'a [Person], holder: &Holder) -> Option<&'a Person> {
    people.iter().find(|person| {
        person.tickets.iter().any(|ticket| TicketId([number(*ticket); 12]) == holder.fact.id)
    })
}

/// The number of a ticket.
fn number(which: usize) -> u8 {
    u8::try_from(which + 1).expect("few tickets")
}

fn person(n: u8) -> Person {
    let (own, voucher) = (usize::from(n), usize::from(n) + usize::from(VOUCHERS - 1));
    let tickets = match n {
        0..8 => vec![own, voucher],
        8..HOLDERS_WITH_CARDS => vec![own],
        _ => Vec::new(),
    };
    // The first with a right check digit.
    let card = (0..10)
        .map(|check| format!(";6210300000000{n:02}{check}=30122200000000000000?"))
        .find(|card| CardNumber::read(card).is_some());
    Person { id: format!("p{n}"), card: card.expect("one of ten digits checks"), tickets }
}

/// A gate of the day's event, without other kiosks.
pub(super) fn post(name: &str, station: &str) -> Post {
    Post {
        name: name.to_owned(),
        station_kind: StationKind::Gate,
        station: station.to_owned(),
        event: EventInfo {
            number: EVENT,
            id: "e".into(),
            title: "健步走".into(),
            time_zone: "Asia/Shanghai".into(),
            starts_at: MORNING,
            ends_at: MORNING.plus(DAY),
            cancelled: false,
            offers: offers(),
        },
        keys: vec![IssuerPublicKey { id: 1, public_key: HEXLOWER.encode(&issuer().public()) }],
        card_bins: vec!["621030".into()],
        lease_until: MORNING.plus(10 * DAY),
        allotments: Vec::new(),
        room: None,
        venue: None,
        peers: Vec::new(),
    }
}

fn holder(id: u8) -> Holder {
    let fact = TicketFact {
        id: TicketId([id; 12]),
        event: EVENT,
        class: u8::from(id >= VOUCHERS),
        valid_from: MORNING.plus(-DAY),
        valid_to: MORNING.plus(3 * DAY),
        reissue: 0,
    };
    Holder { code: fact.sign(&issuer()), fact, changed: false }
}
