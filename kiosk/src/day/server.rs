//! A server in memory that keeps the rules of the real one: journals by kiosk and chain, provisional admissions, a
//! ticket's uses as they follow from all scans, places lent to kiosks, revisions.

use std::collections::{BTreeMap, BTreeSet};

use admission::{
    Millis, Reason, Refusal, Verdict,
    decide::{self, StationKind, Terms, TicketState, Use},
    scan::{Act, Chain, Entry, Scan, WalkIn},
    sync::{
        Allotment, CardRow, Check, Checked, Corrected, Feed, Heard, OfferInfo, Post, Receipt,
        TicketRow, Upload,
    },
    ticket::{TicketFact, TicketId},
    time::HOUR,
};

use super::sabotage::Sabotage;

/// An admission that a check counted is dropped when the kiosk has heard the server so much later and knows nothing of it.
const UNCONFIRMED_MS: i64 = 10_000;
/// Places are lent for this long at most, and the end is moved in steps.
const LENT_MS: i64 = 12 * HOUR;
const STEP_MS: i64 = HOUR;

/// What the server keeps of one kiosk.
pub(super) struct Journal {
    pub(super) entries: Vec<Entry>,
    /// Each entry's scan, by the time that counts for it, and the ticket that it counts for.
    scans: Vec<(Millis, Scan, Option<TicketId>)>,
    pub(super) chain: Chain,
    provisional: BTreeMap<u64, (TicketId, Use, Millis)>,
    undone: BTreeSet<u64>,
    pub(super) lent: Option<Lent>,
    pub(super) revoked: bool,
}

/// Places that one kiosk may give.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lent {
    pub(super) places: u32,
    pub(super) used: u32,
    until: Millis,
}

/// The places of the event's first offer, from which kiosks are lent some.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places {
    pub(super) quota: u32,
    pub(super) taken: u32,
    /// So many are kept in the hands of each gate.
    pub(super) walk_ins: u32,
}

pub(super) struct Server {
    pub(super) rows: BTreeMap<TicketId, TicketRow>,
    pub(super) kiosks: BTreeMap<String, Journal>,
    /// Tickets that are in the inbox.
    pub(super) conflicts: BTreeSet<TicketId>,
    /// Tickets of which it ever counted an admission at a check, each with the kiosks that asked.
    pub(super) believed: BTreeMap<TicketId, BTreeSet<String>>,
    pub(super) places: Places,
    /// The ticket for which one counts that a gate gave to a walk-in.
    given: BTreeMap<TicketId, TicketId>,
    cards: Vec<CardRow>,
    offers: Vec<OfferInfo>,
    revision: i64,
    sabotage: Option<Sabotage>,
}

impl Server {
    pub(super) fn new(
        rows: Vec<TicketRow>,
        cards: Vec<CardRow>,
        kiosks: &[String],
        (offers, places): (Vec<OfferInfo>, Places),
        sabotage: Option<Sabotage>,
    ) -> Self {
        let journal = |kiosk: &String| Journal {
            entries: Vec::new(),
            scans: Vec::new(),
            chain: Chain::start(kiosk),
            provisional: BTreeMap::new(),
            undone: BTreeSet::new(),
            lent: None,
            revoked: false,
        };
        let mut server = Self {
            rows: BTreeMap::new(),
            kiosks: kiosks.iter().map(|kiosk| (kiosk.clone(), journal(kiosk))).collect(),
            conflicts: BTreeSet::new(),
            believed: BTreeMap::new(),
            places,
            given: BTreeMap::new(),
            cards,
            offers,
            revision: 0,
            sabotage,
        };
        for row in rows {
            server.revision += 1;
            server.rows.insert(row.fact.id, TicketRow { revision: server.revision, ..row });
        }
        server
    }

    /// Somebody changes a ticket at the office.
    pub(super) fn change(&mut self, ticket: TicketId, change: impl FnOnce(&mut TicketRow)) {
        self.revision += 1;
        let revision = self.revision;
        let row = self.rows.get_mut(&ticket).expect("a ticket of the day");
        change(row);
        row.revision = revision;
    }

    /// A booking is cancelled, and its place is free again.
    pub(super) fn cancel(&mut self, ticket: TicketId) {
        self.change(ticket, |row| row.state = TicketState::Cancelled);
        if self.rows[&ticket].fact.class == 0 {
            self.places.taken -= 1;
        }
    }

    /// The organizer revokes a kiosk.
    pub(super) fn revoke(&mut self, kiosk: &str) {
        self.journal(kiosk).revoked = true;
    }

    /// The feed after the two revisions, a few rows at a time. Whoever asks is lent places first.
    pub(super) fn feed(
        &mut self,
        kiosk: &str,
        post: Post,
        (after, cards_after): (i64, i64),
        now: Millis,
    ) -> Feed {
        const PAGE: usize = 30;
        self.tend(kiosk, &post, now);
        let ahead = u64::from(self.sabotage == Some(Sabotage::HeardTooSoon));
        let others = self.kiosks.iter().filter(|(other, _)| *other != kiosk);
        let heard = others.map(|(other, journal)| Heard {
            kiosk: other.clone(),
            through: journal.entries.len() as u64 + ahead,
        });
        let mut tickets: Vec<TicketRow> =
            self.rows.values().filter(|row| row.revision > after).cloned().collect();
        tickets.sort_by_key(|row| row.revision);
        let more = tickets.len() > PAGE;
        tickets.truncate(PAGE);
        // What is only believed of the one that asks, it knows better.
        for (ticket, used, _) in self.kiosks[kiosk].provisional.values() {
            if let Some(row) = tickets.iter_mut().find(|row| row.fact.id == *ticket)
                && let Some(at) = row.uses.iter().position(|counted| counted == used)
            {
                row.uses.remove(at);
            }
        }
        let cards: Vec<CardRow> =
            self.cards.iter().filter(|card| card.revision > cards_after).cloned().collect();
        Feed {
            server_now: now,
            post: Post { allotments: self.allotments(kiosk), ..post },
            revision: tickets.last().map_or(after, |row| row.revision),
            tickets,
            cards_revision: cards.last().map_or(cards_after, |card| card.revision),
            cards,
            heard: heard.collect(),
            more,
        }
    }

    /// What a kiosk may give, as it is told.
    pub(super) fn allotments(&self, kiosk: &str) -> Vec<Allotment> {
        let lent = self.kiosks[kiosk].lent;
        let told =
            |lent: Lent| Allotment { number: 1, class: 0, places: lent.places, until: lent.until };
        lent.map(told).into_iter().collect()
    }

    fn tend(&mut self, kiosk: &str, post: &Post, now: Millis) {
        let Some(offer) = self.offers.first() else { return };
        let Places { quota, taken, walk_ins } = self.places;
        if post.station_kind != StationKind::Gate || walk_ins == 0 || now >= offer.valid_to {
            return;
        }
        let until = offer.valid_to.min(now.plus(LENT_MS));
        let journal = self.kiosks.get_mut(kiosk).expect("a kiosk of the day");
        let in_hand = journal.lent.map_or(0, |lent| lent.places - lent.used);
        let more = walk_ins.saturating_sub(in_hand).min(quota - taken);
        let further = journal.lent.is_some_and(|lent| until >= lent.until.plus(STEP_MS));
        if more == 0 && !further {
            return;
        }
        let lent = journal.lent.get_or_insert(Lent { places: 0, used: 0, until });
        lent.places += more;
        lent.until = until;
        self.places.taken += more;
    }

    /// When each entry of a kiosk was, as the server says it.
    pub(super) fn times(&self, kiosk: &str) -> impl Iterator<Item = (Millis, u64)> {
        self.kiosks[kiosk].scans.iter().map(|(at, scan, _)| (*at, scan.seq))
    }

    /// Takes an upload: what goes on where the journal ended. None when it contradicts what was sent before.
    pub(super) fn upload(&mut self, kiosk: &str, upload: &Upload, now: Millis) -> Option<Receipt> {
        let mut chain = upload.before;
        let mut touched = BTreeSet::new();
        // Late, or once more: the journal has gone on since.
        let late = upload.head_seq < self.journal(kiosk).entries.len() as u64;
        if late && self.sabotage == Some(Sabotage::QuarantineTheLate) {
            return None;
        }
        for (seq, entry) in (upload.from_seq..).zip(&upload.entries) {
            let journal = self.journal(kiosk);
            let have = journal.entries.len() as u64;
            if seq <= have {
                let known = usize::try_from(seq - 1).ok().and_then(|at| journal.entries.get(at));
                if known != Some(entry) {
                    return None;
                }
            } else if seq == have + 1 {
                if chain != journal.chain {
                    return None;
                }
                let scan = entry.scan().ok().filter(|scan| scan.seq == seq)?;
                let skew = Corrected::of(&upload.corrected, seq, scan.skew);
                let scan = Scan { skew, ..scan };
                touched.extend(self.record(kiosk, entry, scan, now));
            }
            chain = chain.after(seq, entry);
        }
        if !late && self.sabotage != Some(Sabotage::BurnOnLostReply) {
            let believes_the_late = self.sabotage == Some(Sabotage::BelieveTheLate);
            let before = match upload.heard {
                _ if upload.ends || believes_the_late => Millis(i64::MAX),
                Some(heard) => heard.min(now).plus(-UNCONFIRMED_MS),
                None => Millis(i64::MIN),
            };
            let journal = self.journal(kiosk);
            let gone = |seq: &u64, at: &Millis| *seq > upload.head_seq && *at < before;
            let dropped = journal.provisional.iter().filter(|(seq, (.., at))| gone(seq, at));
            let dropped: Vec<u64> = dropped.map(|(seq, _)| *seq).collect();
            touched.extend(
                dropped.iter().filter_map(|seq| journal.provisional.remove(seq)).map(|p| p.0),
            );
        }
        touched.into_iter().for_each(|ticket| self.recount(ticket));
        let journal = self.journal(kiosk);
        let have_through = journal.entries.len() as u64;
        Some(Receipt { have_through, chain: journal.chain, server_now: now })
    }

    /// Keeps an entry that goes on where the journal ended; gives the tickets of which it may change what they come to.
    fn record(&mut self, kiosk: &str, entry: &Entry, scan: Scan, now: Millis) -> Vec<TicketId> {
        let counts_for = match &scan.deed.walk_in {
            Some(walk_in) if scan.verdict.is_admitted() => {
                let given = self.give(kiosk, &scan, walk_in);
                self.adopt(scan.ticket, given);
                given
            }
            _ => scan.ticket.and_then(|ticket| match self.rows.contains_key(&ticket) {
                true => Some(ticket),
                false => self.given.get(&ticket).copied(),
            }),
        };
        let journal = self.journal(kiosk);
        journal.chain = journal.chain.after(scan.seq, entry);
        journal.entries.push(entry.clone());
        let before = journal.provisional.remove(&scan.seq).map(|(ticket, ..)| ticket);
        let mut touched: Vec<TicketId> = before.into_iter().chain(counts_for).collect();
        if let (Act::Undo, Some(about)) = (scan.deed.act, scan.deed.about) {
            journal.undone.insert(about);
            let undone = journal.scans.iter().find(|(_, scan, _)| scan.seq == about);
            touched.extend(undone.and_then(|(.., ticket)| *ticket));
        }
        // Nothing happens after it is heard of.
        journal.scans.push((scan.true_at().min(now), scan, counts_for));
        touched
    }

    /// The ticket of somebody to whom a kiosk gave a place: the one that they have, or the new one.
    fn give(&mut self, kiosk: &str, scan: &Scan, walk_in: &WalkIn) -> Option<TicketId> {
        let id = scan.ticket?;
        let offer = self.offers.first()?;
        let (valid_from, valid_to) = (offer.valid_from, offer.valid_to);
        let has = self.ticket_of(&walk_in.person);
        let lent = self.journal(kiosk).lent.as_mut().filter(|lent| lent.used < lent.places);
        let from_its_own = lent.map(|lent| lent.used += 1).is_some();
        if has.is_some() {
            self.places.taken -= u32::from(from_its_own);
            return has;
        }
        if !from_its_own {
            if self.places.taken >= self.places.quota {
                return None;
            }
            self.places.taken += 1;
        }
        self.revision += 1;
        let row = TicketRow {
            fact: TicketFact { id, event: scan.event, class: 0, valid_from, valid_to, reissue: 0 },
            state: TicketState::Valid,
            person: Some(walk_in.person.clone()),
            holder: "李*".to_owned(),
            place: None,
            uses: Vec::new(),
            revision: self.revision,
        };
        self.rows.insert(id, row);
        Some(id)
    }

    /// Scans of a ticket that a gate gave may have arrived before the gate's own word.
    fn adopt(&mut self, told: Option<TicketId>, given: Option<TicketId>) {
        let (Some(told), Some(ticket)) = (told, given) else { return };
        self.given.insert(told, ticket);
        for (_, scan, counts_for) in self.kiosks.values_mut().flat_map(|kiosk| &mut kiosk.scans) {
            if scan.ticket == Some(told) && counts_for.is_none() {
                *counts_for = given;
            }
        }
    }

    /// The living ticket of a person, the one in use first.
    fn ticket_of(&self, person: &str) -> Option<TicketId> {
        let living = self.rows.values().filter(|row| row.state != TicketState::Cancelled);
        let theirs = living.filter(|row| row.person.as_deref() == Some(person));
        theirs.min_by_key(|row| (row.uses.is_empty(), row.fact.id)).map(|row| row.fact.id)
    }

    /// What it would decide; an admission counts until the journal says otherwise.
    pub(super) fn check(
        &mut self,
        kiosk: &str,
        post: &Post,
        check: &Check,
        now: Millis,
    ) -> Checked {
        let have_through = self.kiosks[kiosk].entries.len() as u64;
        let refused = |refusal| Checked {
            verdict: Verdict::Refused(refusal),
            ticket: None,
            uses: Vec::new(),
            have_through,
            barred: Vec::new(),
            server_now: now,
        };
        let terms = |row: &TicketRow| post.event.terms(row.fact.class);
        let tickets = match (check.ticket, check.card) {
            (Some((id, reissue)), _) => match self.rows.get(&id) {
                None => return refused(Refusal::Unknown),
                Some(row) => vec![row.shown_by_code(reissue, terms(row))],
            },
            (None, Some(card)) => match self.cards.iter().find(|known| known.fingerprint == card) {
                None => return refused(Refusal::UnknownCard),
                Some(card) if card.blocked => return refused(Refusal::BlockedCard),
                Some(card) => {
                    let theirs = |row: &&TicketRow| row.person.as_ref() == Some(&card.person);
                    let mut rows: Vec<_> = self.rows.values().filter(theirs).collect();
                    rows.sort_by_key(|row| (row.fact.valid_to, row.fact.id));
                    rows.into_iter().map(|row| row.shown_by_card(terms(row))).collect()
                }
            },
            (None, None) => return refused(Refusal::Unknown),
        };
        let mut known: Vec<_> = tickets
            .into_iter()
            .map(|ticket| {
                let ticket = ticket.with(check.proof);
                let uses = self.uses(ticket.fact.id, Some(kiosk));
                (ticket, uses)
            })
            .collect();
        let (verdict, at) = decide::decide_for_card(&known, &post.as_station(), now);
        let id = at.map(|at| known[at].0.fact.id);
        if let Some(id) = id.filter(|_| verdict.is_admitted()) {
            let used = Use { at: now, station: post.station.clone(), kind: post.station_kind };
            // Whatever it had asked about under this place, it never did.
            let before = self.journal(kiosk).provisional.insert(check.seq, (id, used, now));
            self.believed.entry(id).or_default().insert(kiosk.to_owned());
            before.into_iter().for_each(|(before, ..)| self.recount(before));
            self.recount(id);
        }
        Checked {
            verdict,
            ticket: id.and_then(|id| self.rows.get(&id)).cloned(),
            uses: at.map(|at| known.swap_remove(at).1).unwrap_or_default(),
            have_through,
            barred: Vec::new(),
            server_now: now,
        }
    }

    /// The ticket that an entry counts for.
    pub(super) fn counts_for(&self, kiosk: &str, seq: u64) -> Option<TicketId> {
        let at = usize::try_from(seq.checked_sub(1)?).ok()?;
        self.kiosks[kiosk].scans.get(at)?.2
    }

    /// Every scan of every journal that stands and lets a ticket in.
    fn admissions(&self, ticket: TicketId) -> Vec<(Millis, &Scan)> {
        let mut all = Vec::new();
        for journal in self.kiosks.values() {
            for (at, scan, counts_for) in &journal.scans {
                let stands = *counts_for == Some(ticket) && scan.verdict.is_admitted();
                if stands && !journal.undone.contains(&scan.seq) {
                    all.push((*at, scan));
                }
            }
        }
        all
    }

    /// A ticket's uses; without what is only believed of `asking`.
    fn uses(&self, ticket: TicketId, asking: Option<&str>) -> Vec<Use> {
        let scanned = self.admissions(ticket).into_iter();
        let mut uses: Vec<Use> = scanned
            .map(|(at, scan)| Use { at, station: scan.station.clone(), kind: scan.station_kind })
            .collect();
        let believed = self.kiosks.iter().filter(|(kiosk, _)| asking != Some(kiosk.as_str()));
        let believed = believed.flat_map(|(_, journal)| journal.provisional.values());
        uses.extend(believed.filter(|(of, ..)| *of == ticket).map(|(_, used, _)| used.clone()));
        uses.sort_by_key(|used| used.at);
        uses
    }

    fn recount(&mut self, ticket: TicketId) {
        let Some(row) = self.rows.get(&ticket) else { return };
        let admissions = self.admissions(ticket);
        // A supervisor who let somebody in again knew of the first time.
        let knew = |scan: &Scan| scan.deed.against == Some(Reason::AlreadyUsed);
        let at = |kind| {
            let there = admissions.iter().filter(|(_, scan)| scan.station_kind == kind);
            there.filter(|(_, scan)| !knew(scan)).count()
        };
        let uses_of = usize::from(self.terms(row.fact.class).uses);
        let double = at(StationKind::Gate) > 1 || at(StationKind::Counter) > uses_of;
        if double && self.sabotage != Some(Sabotage::NoConflicts) {
            self.conflicts.insert(ticket);
        } else {
            self.conflicts.remove(&ticket);
        }
        let uses = self.uses(ticket, None);
        if self.rows.get(&ticket).is_some_and(|row| row.uses != uses) {
            self.change(ticket, |row| row.uses = uses);
        }
    }

    fn terms(&self, class: u8) -> Terms {
        let offer = self.offers.iter().find(|offer| offer.class == class);
        offer.map_or(Terms::ONCE, |offer| offer.terms.clone())
    }

    fn journal(&mut self, kiosk: &str) -> &mut Journal {
        self.kiosks.get_mut(kiosk).expect("a kiosk of the day")
    }

    pub(super) fn is_valid(&self, ticket: TicketId) -> bool {
        self.rows.get(&ticket).is_some_and(|row| row.state == TicketState::Valid)
    }
}
