//! The store of a day, which is in memory, held against the real one: the same entries and pages, and both find the same.

use admission::{
    Millis, Verdict,
    card::Fingerprint,
    decide::{StationKind, TicketState, Use},
    scan::{Act, Deed, Entry, Medium, Scan, Skew, Trust, WalkIn},
    sync::{CardRow, Feed, TicketRow, UPLOAD_MAX},
    ticket::{TicketFact, TicketId},
};

use super::{
    kiosk::{Disk, Kiosk},
    world::{self, Random},
};
use crate::{
    door::{Found, Head, Line, Lookup},
    mesh::Told,
    store::{Cursors, Store},
};

const WALKS: u64 = 12;
const STEPS: usize = 80;
const TICKETS: u8 = 6;
/// Each may have a card, and some a ticket.
const PEOPLE: u8 = 4;

struct Walk {
    random: Random,
    model: Kiosk,
    real: Store,
    now: Millis,
}

impl Walk {
    /// Lets a ticket in, refuses it, gives somebody a place, or takes an admission back that stands.
    async fn writes(&mut self) {
        let ticket = self.ticket();
        let lines = &self.model.disk.journal;
        let undone = |seq| {
            let undoes = |line: &Line| line.deed.act == Act::Undo && line.deed.about == Some(seq);
            lines.iter().any(undoes)
        };
        let standing: Vec<(u64, TicketId)> = lines
            .iter()
            .filter_map(|line| Some((line.head.seq, line.admitted?)))
            .filter(|(seq, _)| !undone(*seq))
            .collect();
        let (verdict, ticket, deed) = match self.random.below(7) {
            0 if !standing.is_empty() => {
                let (about, ticket) = standing[self.random.index(standing.len())];
                let deed = Deed { act: Act::Undo, about: Some(about), ..Deed::default() };
                (Verdict::Attention(admission::Refusal::Unknown), ticket, deed)
            }
            1 => (Verdict::Refused(admission::Refusal::Forged), ticket, Deed::default()),
            2 => {
                let fresh = TicketId([100 + u8::try_from(lines.len()).expect("few"); 12]);
                let (person, allotment) = (self.person(), 1 + self.random.around(1).abs());
                let walk_in = Some(WalkIn { person, allotment, class: 0 });
                let deed = Deed { act: Act::WalkIn, walk_in, ..Deed::default() };
                (Verdict::Admitted, fresh, deed)
            }
            _ => (Verdict::Admitted, ticket, Deed::default()),
        };
        let head = self.model.head();
        let seq = head.seq + 1;
        let admitted = Some(ticket).filter(|_| verdict.is_admitted());
        let entry = Entry::of(&Scan {
            seq,
            event: 4,
            station_kind: StationKind::Gate,
            station: "东门".into(),
            medium: Medium::Code,
            ticket: Some(ticket),
            verdict,
            trust: Trust::SignatureOnly,
            at: self.now,
            skew: Some(Skew { ms: self.random.around(5_000), error_ms: 1 }),
            deed: deed.clone(),
        });
        let head = Head { seq, chain: head.chain.after(seq, &entry) };
        let line = Line { head, entry, admitted, deed };
        self.real.append(&line).await.expect("written");
        self.model.write(line);
    }

    /// A page of the feed, asked for when the server had some of the journal.
    async fn hears(&mut self) {
        let after = self.model.disk.cursors;
        let settled = self.random.below(self.model.head().seq + 1);
        let mut tickets: Vec<TicketRow> = Vec::new();
        for revision in after.revision + 1..=after.revision + 1 + self.random.around(2).max(0) {
            let id = self.ticket();
            tickets.retain(|row| row.fact.id != id);
            let used = Use::entry(self.now.plus(-self.random.around(9_000).abs()), "西门".into());
            tickets.push(TicketRow {
                fact: TicketFact {
                    id,
                    event: 4,
                    class: 0,
                    valid_from: Millis(0),
                    valid_to: Millis(i64::MAX),
                    reissue: 0,
                },
                state: TicketState::Valid,
                person: Some(self.person()).filter(|person| person != "p0"),
                holder: "王*明".into(),
                place: None,
                uses: vec![used; self.random.index(3)],
                revision,
            });
        }
        let revision = tickets.last().map_or(after.revision, |row| row.revision);
        let card = CardRow {
            fingerprint: Fingerprint([1 + self.random_below(PEOPLE); 32]),
            person: self.person(),
            blocked: self.random.below(4) == 0,
            revision: after.cards_revision + 1,
        };
        let cursors = Cursors { revision, cards_revision: card.revision };
        let feed = Feed {
            server_now: self.now,
            post: world::post("k", "东门"),
            revision,
            tickets,
            cards_revision: card.revision,
            cards: vec![card],
            heard: Vec::new(),
            more: false,
        };
        self.real.take_page(&feed, after, settled).await.expect("written");
        self.model.disk.cursors = cursors;
        self.model.disk.copy(feed.tickets, settled);
        self.model.disk.copy_cards(feed.cards);
    }

    /// Whatever is asked, both find the same.
    async fn agree(&mut self) {
        for id in (1..=TICKETS).map(|id| TicketId([id; 12])) {
            for lookup in [Lookup::Ticket(id), Lookup::Admission(id)] {
                let found = self.real.look(lookup).await.expect("found");
                assert_eq!(found, self.model.look(lookup));
            }
        }
        for card in 1..=PEOPLE {
            let lookup = Lookup::Card(Fingerprint([card; 32]));
            let mut found = self.real.look(lookup).await.expect("found");
            let mut told = self.model.look(lookup);
            for found in [&mut found, &mut told] {
                if let Found::Card { fresh, .. } = found {
                    // By chance in the one.
                    *fresh = TicketId([0; 12]);
                }
            }
            assert_eq!(found, told);
        }
        let head = self.model.head();
        assert_eq!(self.real.head("k").await.expect("read"), head);
        let after = self.random.below(head.seq + 1);
        let chain = self.real.chain_at("k", after).await.expect("read");
        assert_eq!(chain, self.model.chain_at(after));
        let told = self.real.told_after("k", after, 5).await.expect("read");
        let modelled: Vec<Told> =
            self.model.told_after(after, 5).iter().map(|proven| proven.told().clone()).collect();
        assert_eq!(told, modelled);
        let (before, entries) =
            self.real.entries_after("k", after, UPLOAD_MAX.min(7)).await.expect("read");
        let upload = self.model.next_upload(after);
        assert_eq!((before, entries), (upload.before, upload.entries));
    }

    fn person(&mut self) -> String {
        format!("p{}", self.random.below(u64::from(PEOPLE)))
    }

    fn random_below(&mut self, end: u8) -> u8 {
        u8::try_from(self.random.below(u64::from(end))).expect("below a u8")
    }

    fn ticket(&mut self) -> TicketId {
        TicketId([1 + u8::try_from(self.random.below(u64::from(TICKETS))).expect("few"); 12])
    }
}

#[tokio::test]
async fn the_store_of_a_day_finds_what_the_real_store_finds() {
    for seed in 1..=WALKS {
        println!("seed {seed}");
        let folder = tempfile::tempdir().expect("a folder");
        let model = Kiosk {
            name: "k".into(),
            disk: Disk::default(),
            on: None,
            clock_ms: 0,
            sabotage: None,
            was_cut: false,
        };
        let real = Store::open(&folder.path().join("kiosk.db")).await.expect("a store");
        let mut walk = Walk { random: Random::of(seed), model, real, now: world::MORNING };
        for _ in 0..STEPS {
            walk.now = walk.now.plus(1_000);
            match walk.random.below(3) {
                0 => walk.hears().await,
                _ => walk.writes().await,
            }
            walk.agree().await;
        }
        walk.real.close().await;
    }
}
