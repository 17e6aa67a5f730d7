//! One kiosk of the day: the real door, mesh and courier, and a store that keeps what the real one keeps, in memory.

use std::collections::BTreeMap;

use admission::{
    Millis,
    card::{CardKey, Fingerprint},
    decide::{StationKind, Use},
    scan::{Act, Chain, Scan, Skew},
    sync::{CardRow, Corrected, Feed, Heard, Post, Receipt, TicketRow, Upload},
    ticket::TicketId,
};

use super::sabotage::Sabotage;
use crate::{
    courier::Courier,
    door::{Door, Found, Head, Knowledge, Known, Line, Lookup},
    mesh::{Mesh, Proven, Told},
    store::{Cursors, counts_for},
};

/// What is on the disk: it survives a power cut.
#[derive(Default)]
pub(super) struct Disk {
    pub(super) rows: BTreeMap<TicketId, (TicketRow, u64)>,
    pub(super) cards: BTreeMap<[u8; 32], (String, bool)>,
    pub(super) cursors: Cursors,
    pub(super) post: Option<Post>,
    pub(super) journal: Vec<Line>,
    acknowledged: u64,
    complete_at: Option<Millis>,
    skew: Option<Skew>,
    /// What is known by now of the clock under which entries were written.
    corrected: Vec<Corrected>,
    told: Vec<Proven>,
    heard: BTreeMap<String, u64>,
    /// It was revoked, and has wiped itself.
    pub(super) revoked: bool,
    /// It has told all it had to tell since, and given up its key.
    pub(super) left: bool,
}

impl Disk {
    /// Takes rows that the server sent when it had the journal through `settled`.
    pub(super) fn copy(&mut self, rows: Vec<TicketRow>, settled: u64) {
        self.rows.extend(rows.into_iter().map(|row| (row.fact.id, (row, settled))));
    }

    pub(super) fn copy_cards(&mut self, cards: Vec<CardRow>) {
        let card = |card: CardRow| (card.fingerprint.0, (card.person, card.blocked));
        self.cards.extend(cards.into_iter().map(card));
    }
}

/// What runs while there is power.
pub(super) struct Running {
    pub(super) door: Door,
    pub(super) mesh: Mesh,
    pub(super) courier: Courier,
    skew: Option<Skew>,
    /// What the others told and is not written down yet.
    unwritten: Vec<Proven>,
    /// When it last heard the server, by the server's clock.
    server_now: Option<Millis>,
    /// When its copy was complete in this run, by true time.
    pub(super) synced_at: Option<Millis>,
}

pub(super) struct Kiosk {
    pub(super) name: String,
    pub(super) disk: Disk,
    pub(super) on: Option<Running>,
    /// Its clock minus the true time.
    pub(super) clock_ms: i64,
    pub(super) sabotage: Option<Sabotage>,
    /// It was without power since it last ran.
    pub(super) was_cut: bool,
}

impl Kiosk {
    pub(super) fn clock(&self, now: Millis) -> Millis {
        now.plus(self.clock_ms)
    }

    /// Somebody sets its clock so far off. While it runs, it notices.
    pub(super) fn set_clock(&mut self, off_ms: i64) {
        let by_ms = off_ms - self.clock_ms;
        self.clock_ms = off_ms;
        if let Some(on) = &mut self.on {
            on.door.clock_set(by_ms);
            if let (Some(complete_at), skew) = on.door.clock() {
                (self.disk.complete_at, self.disk.skew) = (Some(complete_at), skew);
            }
        }
    }

    /// What is certainly past, as the store says it.
    fn latest(&self) -> Millis {
        let disk = &self.disk;
        let skew_ms = disk.skew.map_or(0, |skew| skew.ms);
        let heard = disk.complete_at.map_or(Millis::default(), |at| at.plus(skew_ms));
        let done = disk.journal.last().and_then(|line| Some(line.entry.scan().ok()?.true_at()));
        let ends = disk.post.as_ref().map_or(heard, |post| post.lease_until);
        done.filter(|done| *done < ends).map_or(heard, |done| done.max(heard))
    }

    pub(super) fn start(&mut self, now: Millis) {
        let (latest, clock) = (self.latest(), self.clock(now));
        let disk = &self.disk;
        let head = self.head();
        let heard = disk.heard.iter();
        let heard = heard.map(|(kiosk, through)| Heard { kiosk: kiosk.clone(), through: *through });
        let vouched = disk.post.as_ref().map(|post| (post.event.number, post.peers.as_slice()));
        let mesh = Mesh::new(self.name.clone(), head, vouched, disk.told.clone(), heard.collect());
        let (post, complete_at, skew) = (disk.post.clone(), disk.complete_at, disk.skew);
        let known = Knowledge { head, post, complete_at, skew, locked: disk.revoked };
        let mut courier = Courier::new(disk.acknowledged);
        if disk.revoked {
            courier.dismiss();
        }
        let mut door = Door::new(self.name.clone(), [0; 16], known);
        door.go_on_from(latest, clock);
        if self.was_cut && door.post().is_some() {
            door.doubt(latest, clock);
        }
        self.was_cut = false;
        self.on = Some(Running {
            door,
            mesh,
            courier,
            skew,
            unwritten: Vec::new(),
            server_now: None,
            synced_at: None,
        });
    }

    pub(super) fn head(&self) -> Head {
        self.disk.journal.last().map_or(Head::start(&self.name), |line| line.head)
    }

    /// Writes a line, and it is there after any power cut.
    pub(super) fn write(&mut self, line: Line) {
        if self.sabotage == Some(Sabotage::SkipTheJournal) && line.head.seq.is_multiple_of(5) {
            return;
        }
        let place = self.disk.journal.len() as u64 + 1;
        assert!(line.head.seq == place || self.sabotage.is_some(), "a place is taken once");
        self.disk.journal.push(line);
    }

    pub(super) fn scan(&self, seq: u64) -> Option<Scan> {
        let at = usize::try_from(seq.checked_sub(1)?).ok()?;
        self.disk.journal.get(at)?.entry.scan().ok()
    }

    /// What the store finds, with what the other doors told.
    pub(super) fn look(&self, lookup: Lookup) -> Found {
        let mut found = match lookup {
            Lookup::Ticket(id) => Found::Ticket(self.known(id)),
            Lookup::Card(fingerprint) => self.holder(fingerprint),
            Lookup::Admission(id) => {
                let undone = self.undone();
                let last =
                    self.disk.journal.iter().rev().find(|line| {
                        line.admitted == Some(id) && !undone.contains_key(&line.head.seq)
                    });
                Found::Admission(self.known(id), last.map(|line| line.head.seq))
            }
        };
        if let Some(on) = &self.on {
            if let Found::Card { person, tickets, .. } = &mut found
                && tickets.is_empty()
            {
                tickets.extend(on.mesh.given_to(person).into_iter().map(|id| self.known(id)));
            }
            on.mesh.tell(&mut found);
        }
        found
    }

    fn holder(&self, fingerprint: Fingerprint) -> Found {
        let Some((person, blocked)) = self.disk.cards.get(&fingerprint.0) else {
            return Found::NoCard;
        };
        let theirs = self.disk.rows.values().filter(|(row, _)| row.person.as_ref() == Some(person));
        let mut tickets: Vec<Known> = theirs.map(|(row, _)| self.known(row.fact.id)).collect();
        let walk_ins = || {
            let journal = self.disk.journal.iter();
            journal.filter_map(|line| Some((line.admitted?, line.deed.walk_in.as_ref()?)))
        };
        let mut given = BTreeMap::<i64, u32>::new();
        if tickets.is_empty() {
            let own = walk_ins().filter(|(_, walk_in)| walk_in.person == *person);
            tickets.extend(own.map(|(ticket, _)| self.known(ticket)));
            for (_, walk_in) in walk_ins() {
                *given.entry(walk_in.allotment).or_default() += 1;
            }
        } else if let Some(at) = counts_for(&tickets) {
            let settled = self.disk.rows[&tickets[at].id].1;
            let undone = self.undone();
            for line in self.disk.journal.iter().filter(|line| line.head.seq > settled) {
                let theirs = line.deed.walk_in.as_ref().is_some_and(|w| w.person == *person);
                let counted = line.admitted.is_none_or(|id| self.disk.rows.contains_key(&id));
                if theirs && !counted && !undone.contains_key(&line.head.seq) {
                    let scan = line.entry.scan().expect("own entry");
                    let (at_ms, kind) = (scan.true_at(), scan.station_kind);
                    let used = Use { at: at_ms, station: scan.station, kind };
                    tickets[at].own.push((line.head.seq, used));
                }
            }
        }
        if self.sabotage == Some(Sabotage::GiveWithoutEnd) {
            given.clear();
        }
        let mut fresh = TicketId([0; 12]);
        fresh.0.copy_from_slice(&self.head().chain.0[..12]);
        let (blocked, person) = (*blocked, person.clone());
        Found::Card { blocked, person, tickets, given: given.into_iter().collect(), fresh }
    }

    fn undone(&self) -> BTreeMap<u64, u64> {
        let undo = |line: &Line| {
            let about = line.deed.about.filter(|_| line.deed.act == Act::Undo)?;
            Some((about, line.head.seq))
        };
        self.disk.journal.iter().filter_map(undo).collect()
    }

    fn known(&self, id: TicketId) -> Known {
        let row = self.disk.rows.get(&id);
        let settled = row.map_or(0, |(_, settled)| *settled);
        let undone = self.undone();
        let mut known = Known { row: row.map(|(row, _)| row.clone()), ..Known::nothing_of(id) };
        for line in self.disk.journal.iter().filter(|line| line.admitted == Some(id)) {
            let seq = line.head.seq;
            let scan = line.entry.scan().expect("own entry");
            let used = Use { at: scan.true_at(), station: scan.station, kind: scan.station_kind };
            if used.kind == StationKind::Counter
                && self.sabotage == Some(Sabotage::RedeemWithoutEnd)
            {
                continue;
            }
            known.add_own((seq, undone.get(&seq).copied()), settled, used);
        }
        known
    }

    /// What the entries after `seq` tell the others.
    pub(super) fn told_after(&self, seq: u64, limit: usize) -> Vec<Proven> {
        let after = self.disk.journal.iter().filter(|line| line.head.seq > seq).take(limit);
        after
            .map(|line| {
                let scan = line.entry.scan().expect("own entry");
                let about = line.deed.about.and_then(|about| self.scan(about));
                Proven::unsigned(Told::of(&self.name, line.head.chain, &scan, about.as_ref()))
            })
            .collect()
    }

    pub(super) fn keep(&mut self, told: Vec<Proven>) {
        if let Some(on) = &mut self.on {
            on.unwritten.extend(told);
        }
    }

    /// What is written when there is time for it.
    pub(super) fn write_down(&mut self) {
        if let Some(on) = &mut self.on {
            self.disk.told.append(&mut on.unwritten);
        }
    }

    /// The clock is found to be so far off: what was written in doubt of it is put right.
    pub(super) fn confirm(&mut self, skew: Skew) {
        let Some(on) = &mut self.on else { return };
        let corrected = on.door.confirm(skew);
        let corrected = corrected.filter(|_| self.sabotage != Some(Sabotage::KeepWrongTimes));
        self.disk.corrected.extend(corrected);
        if let (Some(complete_at), skew) = on.door.clock() {
            (self.disk.complete_at, self.disk.skew) = (Some(complete_at), skew);
        }
    }

    pub(super) fn next_upload(&self, after: u64) -> Upload {
        let at = usize::try_from(after).expect("small");
        let before = self.chain_at(after).expect("what is acknowledged was written");
        let entries = self.disk.journal[at..].iter().take(7);
        let entries = entries.map(|line| line.entry.clone()).collect();
        Upload {
            from_seq: after + 1,
            before,
            entries,
            head_seq: self.head().seq,
            heard: self.on.as_ref().and_then(|on| on.server_now),
            ends: self.disk.revoked,
            corrected: self.disk.corrected.clone(),
            ..Upload::default()
        }
    }

    /// The journal's chain after so many entries.
    pub(super) fn chain_at(&self, seq: u64) -> Option<Chain> {
        match seq.checked_sub(1) {
            None => Some(Head::start(&self.name).chain),
            Some(last) => Some(self.disk.journal.get(usize::try_from(last).ok()?)?.head.chain),
        }
    }

    /// Takes the server's answer as the real sync does; none when it speaks of another journal.
    pub(super) fn acknowledged(&mut self, receipt: &Receipt, now: Millis) -> Option<()> {
        let (head, clock) = (self.head(), self.clock(now));
        let mut receipt = receipt.clone();
        if self.sabotage == Some(Sabotage::ForgetUploads) {
            (receipt.have_through, receipt.chain) = (head.seq, head.chain);
        }
        let own = self.chain_at(receipt.have_through);
        if let Some(on) = &mut self.on {
            on.courier.receipt(&receipt, head.seq, own).ok()?;
            on.skew = Some(Skew::measured(clock, receipt.server_now, clock));
            on.server_now = Some(receipt.server_now);
            self.disk.acknowledged = receipt.have_through;
        }
        Some(())
    }

    /// Takes a page of the feed as the real sync does.
    pub(super) fn take_page(&mut self, mut feed: Feed, now: Millis) -> Vec<crate::mesh::Input> {
        let clock = self.clock(now);
        if self.sabotage == Some(Sabotage::TakeScreenshots) {
            feed.post.event.offers.iter_mut().for_each(|offer| offer.terms.moving_code = false);
        }
        self.confirm(Skew::measured(clock, feed.server_now, clock));
        let Some(on) = &mut self.on else { return Vec::new() };
        let mut inputs = Vec::new();
        let disk = &mut self.disk;
        on.server_now = Some(feed.server_now);
        on.skew = Some(Skew::measured(clock, feed.server_now, clock));
        let mut rows = feed.tickets;
        if self.sabotage == Some(Sabotage::IgnoreRevocation) {
            rows.iter_mut().for_each(|row| row.state = admission::decide::TicketState::Valid);
        }
        disk.copy(rows, on.courier.acknowledged());
        disk.copy_cards(feed.cards);
        disk.cursors = Cursors { revision: feed.revision, cards_revision: feed.cards_revision };
        if disk.post.as_ref() != Some(&feed.post) {
            let peers = feed.post.peers.clone();
            // What others told is believed no more.
            disk.told.retain(|told| peers.iter().any(|peer| peer.kiosk == told.told().kiosk));
            on.unwritten.retain(|told| peers.iter().any(|peer| peer.kiosk == told.told().kiosk));
            disk.post = Some(feed.post.clone());
            inputs.push(crate::mesh::Input::Vouched(feed.post.event.number, peers));
            on.door.take_post(feed.post);
        }
        let wanted = !on.door.reads_cards();
        if on.courier.page(feed.more, wanted) {
            for Heard { kiosk, through } in &feed.heard {
                let settled = disk.heard.entry(kiosk.clone()).or_default();
                *settled = (*settled).max(*through);
                let settled = *settled;
                disk.told.retain(|t| t.told().kiosk != *kiosk || t.told().seq > settled);
            }
            inputs.push(crate::mesh::Input::Settled(feed.heard));
            (disk.complete_at, disk.skew) = (Some(clock), on.skew);
            on.door.synced(clock, on.skew);
            on.synced_at = Some(now);
        }
        inputs
    }

    /// Takes the card key.
    pub(super) fn take_card_key(&mut self, key: CardKey) {
        if let Some(on) = &mut self.on {
            on.courier.card_key();
            on.door.take_card_key(Some(key));
        }
    }

    /// The server said that the organizer revoked it: everything but the journal goes, as in the real doorkeeper.
    pub(super) fn hear_of_revocation(&mut self) -> Vec<crate::mesh::Input> {
        let Some(on) = &mut self.on else { return Vec::new() };
        on.courier.dismiss();
        if self.disk.revoked {
            return Vec::new();
        }
        on.door.lock();
        on.unwritten.clear();
        let disk = &mut self.disk;
        if self.sabotage != Some(Sabotage::KeepTheCopy) {
            (disk.rows, disk.cards) = (BTreeMap::new(), BTreeMap::new());
        }
        (disk.told, disk.heard, disk.post) = (Vec::new(), BTreeMap::new(), None);
        (disk.cursors, disk.complete_at) = (Cursors::default(), None);
        disk.revoked = true;
        vec![crate::mesh::Input::Vouched(0, Vec::new())]
    }
}
