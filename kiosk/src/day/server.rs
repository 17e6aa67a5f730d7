//! A server in memory that keeps the rules of the real one: journals by kiosk and chain, provisional admissions, a
//! ticket's uses as they follow from all scans, revisions.

use std::collections::{BTreeMap, BTreeSet};

use admission::{
    Millis, Verdict,
    decide::{self, StationKind, TicketState, Use},
    scan::{Act, Chain, Entry, Scan},
    sync::{Check, Checked, Feed, Heard, Post, Receipt, TicketRow, Upload},
    ticket::TicketId,
};

use super::sabotage::Sabotage;

/// An admission that a check counted is dropped when the journal does not confirm it within this time.
const UNCONFIRMED_MS: i64 = 10_000;

/// What the server keeps of one kiosk.
pub(super) struct Journal {
    pub(super) entries: Vec<Entry>,
    /// Each entry's scan, by the time that counts for it.
    scans: Vec<(Millis, Scan)>,
    pub(super) chain: Chain,
    provisional: BTreeMap<u64, (TicketId, Use, Millis)>,
    undone: BTreeSet<u64>,
}

pub(super) struct Server {
    pub(super) rows: BTreeMap<TicketId, TicketRow>,
    pub(super) kiosks: BTreeMap<String, Journal>,
    /// Tickets that are in the inbox.
    pub(super) conflicts: BTreeSet<TicketId>,
    /// Tickets of which it ever counted an admission at a check.
    pub(super) believed: BTreeSet<TicketId>,
    revision: i64,
    sabotage: Option<Sabotage>,
}

impl Server {
    pub(super) fn new(rows: Vec<TicketRow>, kiosks: &[String], sabotage: Option<Sabotage>) -> Self {
        let journal = |kiosk: &String| {
            let chain = Chain::start(kiosk);
            let (provisional, undone) = (BTreeMap::new(), BTreeSet::new());
            (
                kiosk.clone(),
                Journal { entries: Vec::new(), scans: Vec::new(), chain, provisional, undone },
            )
        };
        let mut server = Self {
            rows: BTreeMap::new(),
            kiosks: kiosks.iter().map(journal).collect(),
            conflicts: BTreeSet::new(),
            believed: BTreeSet::new(),
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

    /// The feed after `after`, a few rows at a time.
    pub(super) fn feed(&self, kiosk: &str, post: Post, after: i64, now: Millis) -> Feed {
        const PAGE: usize = 30;
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
        Feed {
            server_now: now,
            post,
            revision: tickets.last().map_or(after, |row| row.revision),
            tickets,
            cards: Vec::new(),
            cards_revision: 0,
            heard: heard.collect(),
            more,
        }
    }

    /// Takes an upload: what goes on where the journal ended. None when it contradicts what was sent before.
    pub(super) fn upload(&mut self, kiosk: &str, upload: &Upload, now: Millis) -> Option<Receipt> {
        let journal = self.kiosks.get_mut(kiosk).expect("a kiosk of the day");
        let mut chain = upload.before;
        let mut touched = BTreeSet::new();
        // Late, or once more: the journal has gone on since.
        let late = upload.head_seq < journal.entries.len() as u64;
        if late && self.sabotage == Some(Sabotage::QuarantineTheLate) {
            return None;
        }
        for (seq, entry) in (upload.from_seq..).zip(&upload.entries) {
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
                journal.chain = journal.chain.after(seq, entry);
                journal.entries.push(entry.clone());
                // Nothing happens after it is heard of.
                journal.scans.push((scan.true_at().min(now), scan.clone()));
                if let Some((ticket, ..)) = journal.provisional.remove(&seq) {
                    touched.insert(ticket);
                }
                if let (Act::Undo, Some(about)) = (scan.deed.act, scan.deed.about) {
                    journal.undone.insert(about);
                }
                touched.extend(scan.ticket);
            }
            chain = chain.after(seq, entry);
        }
        if !late && self.sabotage != Some(Sabotage::BurnOnLostReply) {
            let gone =
                |seq: &u64, at: &Millis| *seq > upload.head_seq && now.since(*at) > UNCONFIRMED_MS;
            let dropped = journal.provisional.iter().filter(|(seq, (.., at))| gone(seq, at));
            let dropped: Vec<u64> = dropped.map(|(seq, _)| *seq).collect();
            touched.extend(
                dropped.iter().filter_map(|seq| journal.provisional.remove(seq)).map(|p| p.0),
            );
        }
        let receipt = Receipt {
            have_through: journal.entries.len() as u64,
            chain: journal.chain,
            server_now: now,
        };
        touched.into_iter().for_each(|ticket| self.recount(ticket));
        Some(receipt)
    }

    /// What it would decide; an admission counts until the journal says otherwise.
    pub(super) fn check(
        &mut self,
        kiosk: &str,
        post: &Post,
        check: &Check,
        now: Millis,
    ) -> Checked {
        let row = check.ticket.and_then(|(id, _)| self.rows.get(&id)).cloned();
        let have_through = self.kiosks[kiosk].entries.len() as u64;
        let Some((row, (id, reissue))) = row.zip(check.ticket) else {
            let verdict = Verdict::Refused(admission::Refusal::Unknown);
            return Checked {
                verdict,
                ticket: None,
                uses: Vec::new(),
                have_through,
                server_now: now,
            };
        };
        let uses = self.uses(id, Some(kiosk));
        let ticket = row.shown_by_code(reissue, post.event.terms(row.fact.class));
        let verdict = decide::decide(&ticket, &post.as_station(), &uses, now);
        if verdict.is_admitted() {
            let used = Use { at: now, station: post.station.clone(), kind: post.station_kind };
            let journal = self.kiosks.get_mut(kiosk).expect("a kiosk of the day");
            // Whatever it had asked about under this place, it never did.
            let before = journal.provisional.insert(check.seq, (id, used, now));
            self.believed.insert(id);
            before.into_iter().for_each(|(before, ..)| self.recount(before));
            self.recount(id);
        }
        Checked {
            verdict,
            ticket: self.rows.get(&id).cloned(),
            uses,
            have_through,
            server_now: now,
        }
    }

    /// Every scan of every journal that stands and lets a ticket in.
    fn admissions(&self, ticket: TicketId) -> Vec<(Millis, &Scan)> {
        let mut all = Vec::new();
        for journal in self.kiosks.values() {
            for (at, scan) in &journal.scans {
                let stands = scan.ticket == Some(ticket) && scan.verdict.is_admitted();
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
        if !self.rows.contains_key(&ticket) {
            return;
        }
        let gates = self.admissions(ticket);
        let gates = gates.iter().filter(|(_, scan)| scan.station_kind == StationKind::Gate).count();
        if gates > 1 && self.sabotage != Some(Sabotage::NoConflicts) {
            self.conflicts.insert(ticket);
        } else {
            self.conflicts.remove(&ticket);
        }
        let uses = self.uses(ticket, None);
        if self.rows.get(&ticket).is_some_and(|row| row.uses != uses) {
            self.change(ticket, |row| row.uses = uses);
        }
    }

    pub(super) fn is_valid(&self, ticket: TicketId) -> bool {
        self.rows.get(&ticket).is_some_and(|row| row.state == TicketState::Valid)
    }
}
