//! The store on a disk.

use std::path::PathBuf;

use admission::{
    Verdict,
    card::Fingerprint,
    decide::{StationKind, TicketState, Use},
    scan::{Act, Deed, Entry, Medium, Scan, Trust},
    sync::{CardRow, EventInfo, Feed, Heard, TicketRow},
    ticket::TicketFact,
};

use super::*;
use crate::{
    door::{Found, Known, Line, Lookup},
    mesh::{Proven, Told},
};

const KIOSK: &str = "k";

struct Temp {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

async fn store() -> (Store, Temp) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("kiosk.db");
    (Store::open(&path).await.expect("a store"), Temp { _folder: folder, path })
}

fn id(number: u32) -> TicketId {
    let mut id = [0; 12];
    id[..4].copy_from_slice(&number.to_be_bytes());
    TicketId(id)
}

/// The line after `head` that admits `ticket`.
fn line(head: Head, ticket: TicketId) -> Line {
    let seq = head.seq + 1;
    let entry = Entry::of(&Scan {
        seq,
        event: 4,
        station_kind: StationKind::Gate,
        station: "东门".into(),
        medium: Medium::Code,
        ticket: Some(ticket),
        verdict: Verdict::Admitted,
        trust: Trust::SignatureOnly,
        at: Millis(1_000),
        skew: Some(Skew { ms: 500, error_ms: 1 }),
        deed: Deed::default(),
    });
    let head = Head { seq, chain: head.chain.after(seq, &entry) };
    Line { head, entry, admitted: Some(ticket), deed: Deed::default() }
}

async fn append(store: &Store, tickets: &[TicketId]) -> Head {
    let mut head = store.head(KIOSK).await.expect("readable");
    for &ticket in tickets {
        let line = line(head, ticket);
        store.append(&line).await.expect("written");
        head = line.head;
    }
    head
}

fn row(number: u32) -> TicketRow {
    TicketRow {
        fact: TicketFact {
            id: id(number),
            event: 4,
            class: 0,
            valid_from: Millis(0),
            valid_to: Millis(9_000),
            reissue: 0,
        },
        state: TicketState::Valid,
        person: Some(format!("p{number}")),
        holder: "王*明".into(),
        place: None,
        uses: Vec::new(),
        revision: i64::from(number),
    }
}

fn page(tickets: Vec<TicketRow>, cards: Vec<CardRow>) -> Feed {
    Feed {
        server_now: Millis(1_000),
        post: Post {
            name: "K1".into(),
            station_kind: StationKind::Gate,
            station: "东门".into(),
            event: EventInfo {
                number: 4,
                id: "e".into(),
                title: "乒乓球赛".into(),
                time_zone: "Asia/Shanghai".into(),
                starts_at: Millis(0),
                ends_at: Millis(9_000),
                cancelled: false,
                offers: Vec::new(),
            },
            keys: Vec::new(),
            keys_signed: String::new(),
            card_bins: Vec::new(),
            lease_until: Millis(9_000),
            allotments: Vec::new(),
            room: None,
            peers: Vec::new(),
            moving_key: None,
            venue: None,
        },
        revision: tickets.last().map_or(0, |row| row.revision),
        tickets,
        cards_revision: i64::from(!cards.is_empty()),
        cards,
        heard: Vec::new(),
        more: false,
    }
}

async fn own_uses(store: &Store, number: u32) -> Vec<Use> {
    match store.look(Lookup::Ticket(id(number))).await.expect("readable") {
        Found::Ticket(known) => known.own.into_iter().map(|(_, used)| used).collect(),
        found => panic!("{found:?}"),
    }
}

#[tokio::test]
async fn the_journal_is_there_after_a_drop() {
    let (store, temp) = store().await;
    let head = append(&store, &[id(1), id(2)]).await;
    drop(store);
    let store = Store::open(&temp.path).await.expect("a store");
    assert_eq!(store.head(KIOSK).await.expect("readable"), head);
    assert_eq!(store.verify(KIOSK).await.expect("whole"), head);
    let used = Use::entry(Millis(1_500), "东门".into());
    assert_eq!(own_uses(&store, 1).await, [used]);
}

#[tokio::test]
async fn a_changed_cut_or_foreign_journal_is_found_out() {
    for (sabotage, at) in [
        ("update journal set body = replace(body, '东门', '西门') where seq = 2", 2),
        ("delete from journal where seq = 2", 2),
        ("update journal set admitted = null where seq = 3", 3),
        ("update journal set chain = (select chain from journal where seq = 1) where seq = 2", 2),
    ] {
        let (store, _temp) = store().await;
        append(&store, &[id(1), id(2), id(3)]).await;
        sqlx::query(sabotage).execute(&store.writer).await.expect("sabotaged");
        let found = store.verify(KIOSK).await;
        assert!(
            matches!(found, Err(StoreError::Broken { at: found }) if found == at),
            "{sabotage}"
        );
    }
    let (store, _temp) = store().await;
    append(&store, &[id(1)]).await;
    assert!(matches!(store.verify("another").await, Err(StoreError::Broken { at: 1 })));
}

#[tokio::test]
async fn a_place_in_the_journal_is_taken_once() {
    let (store, _temp) = store().await;
    let start = Head::start(KIOSK);
    store.append(&line(start, id(1))).await.expect("written");
    assert!(store.append(&line(start, id(2))).await.is_err());
    assert_eq!(store.head(KIOSK).await.expect("readable"), line(start, id(1)).head);
    append(&store, &[id(3)]).await;
    assert_eq!(store.verify(KIOSK).await.expect("whole").seq, 2);
}

#[tokio::test]
async fn after_a_full_disk_the_store_writes_again() {
    let (store, _temp) = store().await;
    // As small as the file is: whatever grows it fails like on a full disk.
    sqlx::query("pragma max_page_count = 1").execute(&store.writer).await.expect("set");
    let many = page((1..3_000).map(row).collect(), Vec::new());
    assert!(store.take_page(&many, Cursors::default(), 0).await.is_err());
    assert_eq!(store.size().await.expect("readable"), (0, 0));
    // The connection that failed is gone, and with it its limit.
    store.take_page(&many, Cursors::default(), 0).await.expect("written");
    append(&store, &[id(1)]).await;
    assert_eq!(store.size().await.expect("readable"), (2_999, 0));
}

#[tokio::test]
async fn a_page_is_taken_whole_and_only_in_its_place() {
    let (store, _temp) = store().await;
    let cards = vec![CardRow {
        fingerprint: Fingerprint([7; 32]),
        person: "p2".into(),
        blocked: false,
        revision: 1,
    }];
    let first = page((1..=1_234).map(row).collect(), cards);
    store.take_page(&first, Cursors::default(), 0).await.expect("written");
    let cursors = Cursors { revision: 1_234, cards_revision: 1 };
    let memory = store.memory().await.expect("readable");
    assert_eq!((memory.cursors, memory.post), (cursors, Some(first.post)));
    let found = store.look(Lookup::Card(Fingerprint([7; 32]))).await.expect("readable");
    let known = Known { row: Some(row(2)), ..Known::nothing_of(id(2)) };
    let Found::Card { blocked: false, person, tickets, .. } = found else { panic!("{found:?}") };
    assert_eq!((person.as_str(), tickets), ("p2", vec![known]));
    let unknown = store.look(Lookup::Card(Fingerprint([8; 32]))).await.expect("readable");
    assert_eq!(unknown, Found::NoCard);
    // A page that was under way while the copy was wiped.
    store.wipe(Wipe::LeaseEnded).await.expect("wiped");
    let late = page(vec![row(1_235)], Vec::new());
    store.take_page(&late, cursors, 0).await.expect("left");
    assert_eq!(store.size().await.expect("readable"), (0, 0));
    assert_eq!(store.cursors().await.expect("readable"), Cursors::default());
}

#[tokio::test]
async fn a_place_given_here_counts_for_the_ticket_that_the_person_turns_out_to_have() {
    let (store, _temp) = store().await;
    let start = Head::start(KIOSK);
    let mut given = line(start, id(9));
    given.deed.act = Act::WalkIn;
    given.deed.walk_in =
        Some(admission::scan::WalkIn { person: "p2".into(), allotment: 1, class: 0 });
    store.append(&given).await.expect("written");
    let fingerprint = Fingerprint([7; 32]);
    let card = CardRow { fingerprint, person: "p2".into(), blocked: false, revision: 1 };
    let tickets = async || match store.look(Lookup::Card(fingerprint)).await.expect("readable") {
        Found::Card { tickets, .. } => {
            tickets.into_iter().map(|known| (known.id, known.own.len())).collect::<Vec<_>>()
        }
        found => panic!("{found:?}"),
    };
    // Booked meanwhile, and the server has yet to hear of the place that was given.
    let booked = page(vec![row(2)], vec![card]);
    store.take_page(&booked, Cursors::default(), 0).await.expect("written");
    assert_eq!(tickets().await, [(id(2), 1)]);
    // It has heard, and its row tells.
    let after = Cursors { revision: 2, cards_revision: 1 };
    let told =
        Feed { cards_revision: 1, ..page(vec![TicketRow { revision: 3, ..row(2) }], Vec::new()) };
    store.take_page(&told, after, 1).await.expect("written");
    assert_eq!(tickets().await, [(id(2), 0)]);
}

#[tokio::test]
async fn a_row_that_knows_of_an_admission_has_the_last_word_on_it() {
    let (store, _temp) = store().await;
    append(&store, &[id(1)]).await;
    store.take_page(&page(vec![row(1)], Vec::new()), Cursors::default(), 0).await.expect("written");
    assert_eq!(own_uses(&store, 1).await.len(), 1, "the server had not heard of it");
    let undone = page(vec![TicketRow { revision: 2, ..row(1) }], Vec::new());
    let after = Cursors { revision: 1, cards_revision: 0 };
    store.take_page(&undone, after, 1).await.expect("written");
    assert_eq!(own_uses(&store, 1).await, [], "it had, and somebody undid it");
    append(&store, &[id(1)]).await;
    assert_eq!(own_uses(&store, 1).await.len(), 1, "let in again");
}

#[tokio::test]
async fn what_was_taken_back_counts_no_more_whichever_side_heard_first() {
    let (store, _temp) = store().await;
    let head = append(&store, &[id(1)]).await;
    let scan = line(head, id(1)).entry.scan().expect("own entry");
    let deed = Deed { act: Act::Undo, about: Some(1), ..Deed::default() };
    let verdict = Verdict::Attention(admission::Refusal::Unknown);
    let entry = Entry::of(&Scan { deed: deed.clone(), verdict, ..scan });
    let after = Head { seq: 2, chain: head.chain.after(2, &entry) };
    store.append(&Line { head: after, entry, admitted: None, deed }).await.expect("written");
    assert_eq!(store.verify(KIOSK).await.expect("whole"), after);
    let known = || async {
        match store.look(Lookup::Admission(id(1))).await.expect("readable") {
            Found::Admission(known, last) => (known, last),
            found => panic!("{found:?}"),
        }
    };
    let (found, last) = known().await;
    assert_eq!((found.own.len(), found.taken_back.len(), last), (0, 0, None));
    assert_eq!(found.undone.iter().map(|(undo, _)| *undo).collect::<Vec<_>>(), [2]);
    // The server had heard of the admission and not yet of its end.
    let used = Use::entry(Millis(1_500), "东门".into());
    let told = page(vec![TicketRow { uses: vec![used.clone()], ..row(1) }], Vec::new());
    store.take_page(&told, Cursors::default(), 1).await.expect("written");
    let (found, _) = known().await;
    assert_eq!((found.taken_back.as_slice(), found.history()), (&[used][..], vec![]));
    assert_eq!(found.undone, []);
}

#[tokio::test]
async fn what_others_told_is_kept_until_the_copy_tells_it_or_they_are_believed_no_more() {
    let (store, _temp) = store().await;
    append(&store, &[id(1), id(2), id(3)]).await;
    let told = store.told_after("east", 1, 10).await.expect("readable");
    assert_eq!(told.iter().map(|told| told.seq).collect::<Vec<_>>(), [2, 3]);
    let key = ed25519_dalek::SigningKey::from_bytes(&[1; 32]);
    let mut proven: Vec<Proven> = told.into_iter().map(|told| Proven::sign(told, &key)).collect();
    let west = Told { kiosk: "west".into(), ..proven[0].told().clone() };
    proven.push(Proven::sign(west, &key));
    store.keep_told(&proven).await.expect("written");
    store.keep_told(&proven).await.expect("the same again");
    assert_eq!(store.told().await.expect("readable"), (proven.clone(), Vec::new()));
    let heard = vec![Heard { kiosk: "east".into(), through: 2 }];
    let another = Cursors { revision: 9, cards_revision: 0 };
    assert!(!store.settle_told(&heard, another).await.expect("left"));
    assert_eq!(store.told().await.expect("readable").0.len(), 3);
    assert!(store.settle_told(&heard, Cursors::default()).await.expect("written"));
    assert_eq!(store.told().await.expect("readable"), (proven[1..].to_vec(), heard));
    store.drop_told_except(&["east"]).await.expect("written");
    assert_eq!(store.told().await.expect("readable").0, proven[1..2]);
    store.wipe(Wipe::LeaseEnded).await.expect("wiped");
    assert_eq!(store.told().await.expect("readable"), (Vec::new(), Vec::new()));
}

#[tokio::test]
async fn a_wipe_leaves_the_journal_and_no_name() {
    let (store, temp) = store().await;
    store.take_page(&page(vec![row(1)], Vec::new()), Cursors::default(), 0).await.expect("written");
    let head = append(&store, &[id(1)]).await;
    store.wipe(Wipe::Revoked).await.expect("wiped");
    let memory = store.memory().await.expect("readable");
    assert_eq!((memory.post, memory.revoked), (None, true));
    assert_eq!(store.verify(KIOSK).await.expect("whole"), head);
    for suffix in ["", "-wal"] {
        let bytes = std::fs::read(format!("{}{suffix}", temp.path.display())).expect("a file");
        assert!(!bytes.windows(7).any(|window| window == "王*明".as_bytes()), "{suffix}");
    }
}

#[tokio::test]
async fn what_is_read_of_a_ticket_does_not_grow_with_what_the_server_counts() {
    let (store, _temp) = store().await;
    let head = append(&store, &[id(1); 40]).await;
    let undo = |head: Head, about: u64| {
        let mut undo = line(head, id(1));
        undo.admitted = None;
        undo.deed = Deed { act: Act::Undo, about: Some(about), ..Deed::default() };
        undo
    };
    // The last of forty is taken back after the server had counted it; then it is used once more.
    let taken_back = undo(head, 40);
    store.append(&taken_back).await.expect("written");
    let again = line(taken_back.head, id(1));
    store.append(&again).await.expect("written");
    store.take_page(&page(vec![row(1)], Vec::new()), Cursors::default(), 40).await.expect("taken");
    let Found::Ticket(known) = store.look(Lookup::Ticket(id(1))).await.expect("found") else {
        panic!("a ticket")
    };
    assert_eq!((known.own.len(), known.own[0].0, known.taken_back.len()), (1, 42, 1));
    assert_eq!(store.moves_after(39).await.expect("read"), [(40, 1), (41, -1), (42, 1)]);
    let plan = sqlx::query(
        "explain query plan select j.seq from journal j where j.admitted = 'x' and j.seq > 5",
    )
    .fetch_all(&store.readers)
    .await
    .expect("a plan");
    let plan: String = plan[0].try_get("detail").expect("text");
    assert!(plan.contains("journal_admitted (admitted=? AND seq>?)"), "{plan}");
}
