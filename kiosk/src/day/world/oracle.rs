//! Whether everything is right: each verdict at the moment it is shown, and the books in the evening.

use super::*;

/// What was true before a scan.
pub(super) struct Before {
    /// A ticket that is shown, or that the card opens, was never used up anywhere, nobody changed it, and no other door
    /// asked the server about it. (When that door's plug was pulled before its verdict, the others refuse it until it speaks
    /// again; the door itself does not.)
    pub(super) has_right: bool,
    /// Somebody without a ticket, and this gate has a place in hand.
    pub(super) may_be_given: bool,
}

impl World {
    /// What is true before somebody shows a ticket or card at a door.
    pub(super) fn before(&self, at: usize, who: Who) -> Before {
        let (kind, fits) = (self.kinds[at], |which: &usize| {
            let holder = &self.holders[*which];
            let ever = self.lines_of(holder.fact.id, self.kinds[at]).count();
            let new = ever < usize::from(uses_of(self.kinds[at], holder.fact.class));
            let name = &self.kiosks[at].name;
            let asked = self.server.believed.get(&holder.fact.id);
            new && !holder.changed && asked.is_none_or(|by| by.iter().all(|kiosk| kiosk == name))
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
    pub(super) fn judge(&mut self, at: usize, who: Who, shown: &Shown, before: &Before) {
        let Some(scan) = &shown.scan else { return };
        let seq: u64 =
            scan.rsplit_once('-').and_then(|(_, seq)| seq.parse().ok()).expect("a scan id");
        let Outcome::Decided(verdict, note) = &shown.outcome else { return };
        self.shown.insert((at, seq), verdict.clone());
        self.times.insert((at, seq), self.now);
        for byte in format!("{at} {seq} {verdict:?} {:?}", shown.trust).bytes() {
            self.story.trace = (self.story.trace ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        }
        self.judge_label(at, shown.trust);
        let counted = &mut self.story.counted;
        counted.scans += 1;
        let in_doubt = self.kiosks[at].on.as_ref().is_some_and(|on| on.door.is_in_doubt());
        counted.in_doubt += u64::from(in_doubt);
        counted.admitted += u64::from(verdict.is_admitted());
        counted.agreed += u64::from(matches!(shown.trust, Trust::Agreed { .. }));
        match note {
            Some(Note::TakenBack) => return counted.undone += 1,
            // After a power cut cards wait for the server, or for somebody with the PIN.
            Some(Note::CardsLocked) => return,
            _ => {}
        }
        match verdict.reason() {
            Some(Reason::Full) => counted.full += 1,
            Some(Reason::StaleCode) => counted.screenshots += 1,
            Some(Reason::ShowId) => counted.ids += 1,
            _ => {}
        }
        self.judge_proof(at, who, verdict);
        if !verdict.is_admitted() {
            self.judge_refusal(at, who, shown, before);
        } else if let Some(line) = self.kiosks[at].disk.journal.iter().rfind(|l| l.head.seq == seq)
        {
            let line = line.clone();
            self.judge_admission(at, who, shown, &line);
        }
    }

    /// The label says how old the copy is, whatever was done to the clock since.
    fn judge_label(&mut self, at: usize, trust: Trust) {
        let synced_at = self.kiosks[at].on.as_ref().and_then(|on| on.synced_at);
        let (Some(synced_at), Trust::Local { age_ms } | Trust::Agreed { age_ms, .. }) =
            (synced_at, trust)
        else {
            return;
        };
        let age = self.now.since(synced_at);
        if age != age_ms {
            self.fault(format!("door {at} calls its copy {age_ms} ms old, and it is {age}"));
        }
    }

    /// A picture of a ticket page lets nobody in, and the page itself is never refused, nor asked for an ID, where it is known
    /// what time it is. (Where it is not, or not well, a picture may be just as old as the clock is late.)
    fn judge_proof(&mut self, at: usize, who: Who, verdict: &Verdict) {
        let name = self.name_of(who);
        let error_ms = self.kiosks[at].on.as_ref().and_then(|on| {
            let skew = on.door.clock().1.filter(|_| !on.door.is_in_doubt());
            skew.map(|skew| skew.error_ms)
        });
        let knows_the_time = error_ms.is_some_and(|error_ms| error_ms <= MINUTE);
        // Pictures are a minute old at least, and letters count for three quarters of one.
        let knows_it_well = error_ms.is_some_and(|error_ms| error_ms <= MINUTE / 4);
        let asks = match who {
            Who::Ticket(which) => self.holders[which].fact.class != 0,
            Who::Person(_) => true,
        };
        let right = match (verdict.reason(), self.showing) {
            (Some(Reason::StaleCode), how) => how == Showing::Screenshot && knows_the_time,
            (Some(Reason::ShowId), Showing::Page | Showing::Screenshot) => asks && !knows_the_time,
            (Some(Reason::ShowId), Showing::Paper | Showing::Person) => asks,
            (None, Showing::Screenshot) => !asks || !knows_it_well,
            (None, Showing::Paper) => !asks,
            _ => true,
        };
        if !right {
            let how = self.showing;
            self.fault(format!("{name}, shown as {how:?} at door {at}, came to {verdict:?}"));
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
        // Whether that was right, `judge_proof` says.
        let asked = matches!(shown.reason_word(), Some("show_id" | "stale_code"));
        if before.has_right && !several && !asked {
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

    /// Server and kiosks agree, every scan is there once, every double admission is a conflict, no place was given twice, and
    /// whoever was revoked knows nothing any more and has told everything.
    pub(super) fn reckon(&mut self) {
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
        wrong.extend(self.reckon_times());
        wrong.extend(self.reckon_tickets());
        wrong.extend(self.reckon_places());
        wrong.into_iter().for_each(|what| self.fault(what));
    }

    /// The server knows when everything was, whatever the clocks showed, unless nobody can.
    fn reckon_times(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for (at, kiosk) in self.kiosks.iter().enumerate() {
            let certain = self.uncertain.get(&at).copied().unwrap_or_default() + 1;
            for (time, seq) in self.server.times(&kiosk.name).filter(|(_, seq)| *seq >= certain) {
                let Some(was) = self.times.get(&(at, seq)) else { continue };
                // As others know the time, they know it to a second or two.
                if time.since(*was).abs() > 5_000 {
                    wrong.push(format!(
                        "door {at} was at scan {seq} at {was:?}, and the server says {time:?}"
                    ));
                }
            }
        }
        wrong
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

    pub(super) fn try_in_the_evening(&mut self) {
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
        let how = if fact.class == 0 { Showing::Paper } else { Showing::Page };
        let code = self.code(which, how);
        let Some(shown) = self.drive(at, code, Who::Ticket(which), false) else {
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
