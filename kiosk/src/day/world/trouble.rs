//! What breaks on a day, and what goes over the networks meanwhile: between doors, and between a door and the server.

use admission::scan::Skew;

use super::*;
use crate::mesh::Time;

impl World {
    pub(super) fn break_something(&mut self) {
        let at = self.random.index(self.kiosks.len());
        match self.random.below(24) {
            0 => self.reaches[at] = false,
            1 => self.reaches.fill(false),
            2 | 3 => self.reaches[at] = true,
            4 => self.reaches.fill(true),
            5 | 6 => self.lan[at] = self.random.below(3),
            7 | 8 => self.lan.fill(0),
            9 => self.cut_power(at),
            10 | 11 if self.kiosks[at].on.is_none() => self.kiosks[at].start(self.now),
            12 => {
                let off_ms = self.random.around(2 * HOUR);
                self.kiosks[at].set_clock(off_ms);
            }
            13 => self.office(),
            14 if self.random.of_hundred(12) => self.revoke(at),
            _ => {}
        }
    }

    /// An upload that was given up arrives, whichever was sent first, and perhaps not for the last time.
    pub(super) fn one_arrives_late(&mut self) {
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

    pub(super) fn is_revoked(&self, at: usize) -> bool {
        self.server.kiosks[&self.kiosks[at].name].revoked
    }

    pub(super) fn cut_power(&mut self, at: usize) {
        if let Some(on) = self.kiosks[at].on.take() {
            self.story.counted.power_cuts += 1;
            self.kiosks[at].was_cut = true;
            if on.door.is_in_doubt() {
                // Of what it wrote in doubt, nobody will ever know the time.
                let from = self.uncertain.entry(at).or_default();
                *from = (*from).max(self.kiosks[at].head().seq);
            }
            // Without a battery for its clock it begins in the past.
            if self.random.of_hundred(25) {
                self.kiosks[at].set_clock(20_000 - self.now.0);
                self.story.counted.forgotten_times += 1;
            }
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
    pub(super) fn meet(&mut self) {
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

    pub(super) fn tick(&mut self) {
        self.now = self.now.plus(1_000);
        for at in 0..self.kiosks.len() {
            let clock = self.kiosks[at].clock(self.now);
            let Some(on) = &self.kiosks[at].on else { continue };
            let known = on.door.clock().1.filter(|_| !on.door.is_in_doubt());
            let time =
                known.map(|skew| Time { at: on.door.true_time(clock), error_ms: skew.error_ms });
            let told = on.mesh.time(self.steady()).filter(|_| on.door.is_in_doubt());
            if let Some(Time { at: told, error_ms }) = told {
                self.story.counted.confirmed_by_others += 1;
                self.kiosks[at].confirm(Skew { ms: told.since(clock), error_ms });
            }
            self.mesh(at, mesh::Input::Tick(time));
        }
    }

    pub(super) fn steady(&self) -> u64 {
        u64::try_from(self.now.0).expect("after 1970")
    }

    /// Gives a mesh something, and everybody what comes of it.
    pub(super) fn mesh(&mut self, at: usize, input: mesh::Input) {
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

    pub(super) fn post(&self, at: usize) -> Post {
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
    pub(super) fn carry(&mut self, at: usize, luck: bool) {
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
                // It hears the time before it sends what it wrote in doubt of it.
                let clock = self.kiosks[at].clock(now);
                self.kiosks[at].confirm(Skew::measured(clock, now, clock));
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

    pub(super) fn tell_revoked(&mut self, at: usize) {
        for input in self.kiosks[at].hear_of_revocation() {
            self.mesh(at, input);
        }
    }
}
