//! The venue of a day: who comes, what breaks, and whether everything is right in the evening.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use admission::{
    Millis, Verdict,
    decide::{Reason, StationKind, TicketState},
    scan::{Act, Trust},
    sync::{self, EventInfo, IssuerPublicKey, OfferInfo, Post, TicketRow, Upload},
    ticket::{IssuerKey, TicketFact, TicketId},
    time::{DAY, HOUR},
};
use data_encoding::HEXLOWER;
use zeroize::Zeroizing;

use super::{
    kiosk::{Disk, Kiosk},
    sabotage::Sabotage,
    server::Server,
};
use crate::{
    courier::Task,
    door::{Effect, Input, Lookup, Order, Trigger, What},
    mesh::{self, BATCH, LinkId, Message},
    shown::{Outcome, Shown},
};

pub(super) const MORNING: Millis = Millis(1_800_000_000_000);
const MOMENTS: usize = 120;
const TICKETS: u8 = 60;
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
}

impl Counted {
    pub(super) fn all(&self) -> [(&'static str, u64); 11] {
        [
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

pub(super) struct World {
    random: Random,
    now: Millis,
    server: Server,
    kiosks: Vec<Kiosk>,
    holders: Vec<Holder>,
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
        let holders: Vec<Holder> = (1..=TICKETS).map(holder).collect();
        let row = |holder: &Holder| TicketRow {
            fact: holder.fact,
            state: TicketState::Valid,
            person: None,
            holder: "王*明".into(),
            place: None,
            uses: Vec::new(),
            revision: 0,
        };
        let server = Server::new(holders.iter().map(row).collect(), &names, sabotage);
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
            holders,
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
            (0..12).for_each(|_| world.carry(at, false));
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
            self.server.change(id, |row| row.state = TicketState::Cancelled);
        } else {
            self.server.change(id, |row| row.fact.reissue = 1);
        }
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
        let others = self.kiosks.iter().enumerate().filter(|(other, _)| *other != at);
        let peers = others.map(|(_, kiosk)| peer(kiosk)).collect();
        let name = &self.kiosks[at].name;
        Post { peers, ..post(name, name) }
    }

    /// One step of a kiosk's courier. With `luck`, answers get lost and requests arrive twice.
    fn carry(&mut self, at: usize, luck: bool) {
        let chance = u32::try_from(self.random.below(1 << 20)).expect("small");
        let Some(on) = &self.kiosks[at].on else { return };
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
            _ if !reaches => failed(&mut self.kiosks[at]),
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
                let feed = self.server.feed(&self.kiosks[at].name, post, after.revision, now);
                if lost {
                    failed(&mut self.kiosks[at]);
                    return;
                }
                for input in self.kiosks[at].take_page(feed, now) {
                    self.mesh(at, input);
                }
            }
            Task::FetchCardKey => {
                if let Some(on) = &mut self.kiosks[at].on {
                    on.courier.card_key();
                }
            }
        }
    }

    fn somebody_comes(&mut self, at: usize) {
        if self.kiosks[at].on.is_none() {
            return;
        }
        let which = self.random.index(self.holders.len());
        let code = Zeroizing::new(self.holders[which].code.clone());
        let id = self.holders[which].fact.id;
        let input = match self.random.below(20) {
            0 => Input::Ordered(Order { what: What::Undo(id, "扫错了".into()), operator: None }),
            1 => Input::Ordered(Order { what: What::CheckIn(id), operator: Some("甲".into()) }),
            _ => Input::Scanned(code, Trigger::Machine),
        };
        self.drive(at, input, which, true);
        // The same screenshot at another door, a moment later.
        if self.random.of_hundred(30) {
            let other = self.random.index(self.kiosks.len());
            let code = Zeroizing::new(self.holders[which].code.clone());
            self.drive(other, Input::Scanned(code, Trigger::Machine), which, true);
        }
    }

    /// One scan or order at a door, from the first step to what is shown; none when the power went.
    fn drive(&mut self, at: usize, mut input: Input, which: usize, luck: bool) -> Option<Shown> {
        let id = self.holders[which].fact.id;
        let before = self.before(which);
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
                    self.judge(at, which, &shown, &before);
                    return Some(shown);
                }
                Effect::Ignore | Effect::Cannot(_) => return None,
            };
            debug_assert_eq!(id, self.holders[which].fact.id);
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

    /// What is true before somebody shows a ticket at a door.
    fn before(&self, which: usize) -> Before {
        let id = self.holders[which].fact.id;
        let ever = self
            .kiosks
            .iter()
            .any(|kiosk| kiosk.disk.journal.iter().any(|line| line.admitted == Some(id)));
        let standing: Vec<usize> =
            (0..self.kiosks.len()).filter(|kiosk| self.stands(*kiosk, id) > 0).collect();
        let believed = self.server.believed.contains(&id);
        Before { ever, standing, believed }
    }

    /// How many admissions of a ticket stand in a kiosk's journal.
    fn stands(&self, at: usize, id: TicketId) -> usize {
        let journal = &self.kiosks[at].disk.journal;
        let undone: BTreeSet<u64> = journal
            .iter()
            .filter(|line| line.deed.act == Act::Undo)
            .filter_map(|line| line.deed.about)
            .collect();
        journal
            .iter()
            .filter(|line| line.admitted == Some(id) && !undone.contains(&line.head.seq))
            .count()
    }

    /// Looks at a verdict at the moment it is shown.
    fn judge(&mut self, at: usize, which: usize, shown: &Shown, before: &Before) {
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
        if note.is_some() {
            counted.undone += 1;
            return;
        }
        let elsewhere = before.standing.iter().any(|door| *door != at);
        let reason = verdict.reason();
        if reason == Some(Reason::AlreadyUsed) && elsewhere && !self.reaches[at] {
            counted.refused_by_word_of_others += 1;
        }
        let changed = self.holders[which].changed;
        if !verdict.is_admitted() && !before.ever && !changed && !before.believed {
            self.fault(format!("ticket {which} was turned away at door {at}: {verdict:?}"));
        }
        if !verdict.is_admitted() {
            return;
        }
        if elsewhere {
            self.story.counted.double_admissions += 1;
        }
        if before.standing.contains(&at) {
            self.fault(format!("ticket {which} went in twice at door {at}"));
        }
        let all = u32::try_from(self.kiosks.len() - 1).expect("few");
        if elsewhere && matches!(shown.trust, Trust::Agreed { kiosks, .. } if kiosks == all) {
            self.fault(format!("door {at} agreed with everybody and let ticket {which} in again"));
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

    /// Server and kiosks agree, every scan is there once, every double admission is a conflict, and every ticket is good
    /// for exactly what it should be.
    fn reckon(&mut self) {
        let mut wrong = Vec::new();
        for ((at, seq), verdict) in &self.shown {
            if self.kiosks[*at].scan(*seq).map(|scan| scan.verdict).as_ref() != Some(verdict) {
                wrong.push(format!("door {at} showed scan {seq} and its journal does not say so"));
            }
        }
        for (at, kiosk) in self.kiosks.iter().enumerate() {
            let own = kiosk.disk.journal.iter().map(|line| &line.entry);
            if !own.eq(self.server.kiosks[&kiosk.name].entries.iter()) {
                wrong.push(format!("door {at} and the server differ about its journal"));
            }
            let rows = kiosk.disk.rows.iter().map(|(id, (row, _))| (id, row));
            if !rows.eq(self.server.rows.iter()) {
                wrong.push(format!("door {at} has other tickets than the server"));
            }
            let agreed = kiosk.on.as_ref().map(|on| on.mesh.agreed(self.steady()));
            if agreed != u32::try_from(self.kiosks.len() - 1).ok() {
                wrong.push(format!("door {at} agrees with {agreed:?} others only"));
            }
            for (which, holder) in self.holders.iter().enumerate() {
                let crate::door::Found::Ticket(known) = kiosk.look(Lookup::Ticket(holder.fact.id))
                else {
                    continue;
                };
                let mut history = known.history();
                history.sort_by_key(|used| used.at);
                if history != self.server.rows[&holder.fact.id].uses {
                    wrong.push(format!("door {at} and the server differ about ticket {which}"));
                }
            }
        }
        for (which, holder) in self.holders.iter().enumerate() {
            let times: usize =
                (0..self.kiosks.len()).map(|at| self.stands(at, holder.fact.id)).sum();
            if (times > 1) != self.server.conflicts.contains(&holder.fact.id) {
                wrong.push(format!(
                    "ticket {which} went in {times} times, and the inbox knows otherwise"
                ));
            }
        }
        wrong.into_iter().for_each(|what| self.fault(what));
        if !self.story.faults.is_empty() {
            return;
        }
        for which in 0..self.holders.len() {
            self.try_in_the_evening(which);
        }
    }

    fn try_in_the_evening(&mut self, which: usize) {
        let id = self.holders[which].fact.id;
        let times: usize = (0..self.kiosks.len()).map(|at| self.stands(at, id)).sum();
        let reissued = self.server.rows[&id].fact.reissue > 0;
        let at = self.random.index(self.kiosks.len());
        let code = Zeroizing::new(self.holders[which].code.clone());
        let Some(shown) = self.drive(at, Input::Scanned(code, Trigger::Machine), which, false)
        else {
            return self.fault(format!("nothing was shown for ticket {which} in the evening"));
        };
        let right = match shown.reason_word() {
            None => self.server.is_valid(id) && !reissued && times == 0,
            Some("already_used") => times > 0,
            Some("cancelled") => !self.server.is_valid(id),
            Some("revoked") => reissued,
            Some(_) => false,
        };
        if !right {
            self.fault(format!(
                "ticket {which}, in {times} times, is shown in the evening: {:?}",
                shown.outcome
            ));
        }
    }
}

/// What was true before a scan.
struct Before {
    /// The ticket was let in somewhere at some time.
    ever: bool,
    /// Doors at which an admission of it stands.
    standing: Vec<usize>,
    /// A door asked the server about it, who counted it. When that door's plug was pulled before its verdict, the others
    /// refuse the ticket until it speaks again.
    believed: bool,
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
            offers: vec![OfferInfo::once(0, "五公里".into())],
        },
        keys: vec![IssuerPublicKey { id: 1, public_key: HEXLOWER.encode(&issuer().public()) }],
        card_bins: Vec::new(),
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
        class: 0,
        valid_from: MORNING.plus(-DAY),
        valid_to: MORNING.plus(3 * DAY),
        reissue: 0,
    };
    Holder { code: fact.sign(&issuer()), fact, changed: false }
}
