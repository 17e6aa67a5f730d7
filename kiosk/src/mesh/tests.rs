//! A few kiosks side by side, with wires that can be cut.

use admission::{Millis, time::HOUR};

use super::*;

const EVENT: u32 = 4;

/// A kiosk with its journal.
struct Kiosk {
    mesh: Mesh,
    journal: Vec<Proven>,
    kept: usize,
}

/// Kiosks, and what is on the wires between them.
struct World {
    kiosks: Vec<Kiosk>,
    /// Both ends of each connection: kiosk and the number it knows it by.
    wires: Vec<[(usize, LinkId); 2]>,
    now: u64,
    messages: usize,
}

fn name(at: usize) -> String {
    format!("k{at}")
}

fn peers(all: &[usize]) -> Vec<sync::Peer> {
    let peer = |at: &usize| {
        let key = ed25519_dalek::SigningKey::from_bytes(&[u8::try_from(*at).expect("few"); 32]);
        let public_key = data_encoding::HEXLOWER.encode(key.verifying_key().as_bytes());
        sync::Peer { kiosk: name(*at), name: name(*at), station: format!("门{at}"), public_key }
    };
    all.iter().map(peer).collect()
}

fn ticket(id: u8) -> TicketId {
    TicketId([id; 12])
}

fn used(at: usize, when: i64) -> Use {
    Use::entry(Millis(when), format!("门{at}"))
}

impl World {
    fn of(kiosks: usize) -> Self {
        let all: Vec<usize> = (0..kiosks).collect();
        let kiosk = |at: &usize| {
            let head = Head::start(&name(*at));
            let mesh = Mesh::new(name(*at), head, Some((EVENT, &peers(&all))), vec![], vec![]);
            Kiosk { mesh, journal: Vec::new(), kept: 0 }
        };
        let kiosks = all.iter().map(kiosk).collect();
        Self { kiosks, wires: Vec::new(), now: 10_000, messages: 0 }
    }

    fn all_connected(kiosks: usize) -> Self {
        let mut world = Self::of(kiosks);
        for a in 0..kiosks {
            for b in a + 1..kiosks {
                world.connect(a, b);
            }
        }
        world
    }

    fn connect(&mut self, a: usize, b: usize) {
        let id = 100 * (self.wires.len() as LinkId + 1);
        self.wires.push([(a, id), (b, id + 1)]);
        self.input(a, Input::Opened { link: id, kiosk: name(b), dialled: true });
        self.input(b, Input::Opened { link: id + 1, kiosk: name(a), dialled: false });
        // What was said before the other was there is lost.
        self.tick();
    }

    fn cut(&mut self, at: usize) {
        let (gone, left) =
            self.wires.drain(..).partition(|ends| ends.iter().any(|(k, _)| *k == at));
        self.wires = left;
        let gone: Vec<[(usize, LinkId); 2]> = gone;
        for (kiosk, link) in gone.into_iter().flatten() {
            self.input(kiosk, Input::Closed(link));
        }
    }

    fn input(&mut self, at: usize, input: Input) {
        for effect in self.kiosks[at].mesh.handle(input, self.now) {
            match effect {
                Effect::Send(link, message) => {
                    let ends = self.wires.iter().find(|ends| ends.contains(&(at, link)));
                    let other = ends.and_then(|ends| ends.iter().find(|end| end.0 != at));
                    if let Some(&(other, link)) = other {
                        self.messages += 1;
                        self.input(other, Input::Heard(link, message));
                    }
                }
                Effect::Close(link) => self.wires.retain(|ends| !ends.contains(&(at, link))),
                Effect::Read(link, after) => {
                    let after = usize::try_from(after).expect("small");
                    let entries = self.kiosks[at].journal.iter().skip(after).take(BATCH).cloned();
                    let entries = entries.collect();
                    self.input(at, Input::Own(link, entries));
                }
                Effect::Keep(told) => self.kiosks[at].kept += told.len(),
            }
        }
    }

    fn tick(&mut self) {
        self.now += STATE_EVERY_MS;
        (0..self.kiosks.len()).for_each(|at| self.input(at, Input::Tick(None)));
    }

    fn record(&mut self, at: usize, did: Option<Did>) {
        let kiosk = &mut self.kiosks[at];
        let seq = kiosk.journal.len() as u64 + 1;
        let chain = Chain([u8::try_from(seq % 251).expect("small"); 32]);
        let told = Told { kiosk: name(at), event: EVENT, seq, chain, did };
        let told = Proven::unsigned(told);
        kiosk.journal.push(told.clone());
        self.input(at, Input::Recorded(Head { seq, chain }, vec![told]));
    }

    fn admits(&mut self, at: usize, id: u8, when: i64) {
        let did = Did { ticket: ticket(id), used: used(at, when), undoes: None, holder: None };
        self.record(at, Some(did));
    }

    fn takes_back(&mut self, at: usize, id: u8, when: i64, seq: u64) {
        let did = Did { ticket: ticket(id), used: used(at, when), undoes: Some(seq), holder: None };
        self.record(at, Some(did));
    }

    fn known(&self, at: usize, id: u8) -> Known {
        let mut found = Found::Ticket(Known::nothing_of(ticket(id)));
        self.kiosks[at].mesh.tell(&mut found);
        match found {
            Found::Ticket(known) => known,
            other => panic!("{other:?}"),
        }
    }

    fn agreed(&self, at: usize) -> u32 {
        self.kiosks[at].mesh.agreed(self.now)
    }
}

#[test]
fn what_is_done_at_one_door_is_known_at_the_others_at_once() {
    let mut world = World::all_connected(3);
    world.admits(0, 1, 5);
    for at in [1, 2] {
        assert_eq!(world.known(at, 1).peers, [used(0, 5)]);
        assert_eq!(world.agreed(at), 2);
    }
    assert_eq!(world.known(0, 1).peers, [], "its own it knows from its journal");
    world.record(0, None);
    assert_eq!((world.agreed(1), world.known(1, 1).peers.len()), (2, 1), "a refusal is no use");
}

#[test]
fn who_comes_late_catches_up_batch_by_batch_and_a_dead_kiosks_word_comes_from_others() {
    let mut world = World::of(3);
    world.connect(0, 1);
    for seq in 0..250_i64 {
        world.admits(0, u8::try_from(seq).expect("small"), seq);
    }
    assert_eq!(world.known(1, 249).peers, [used(0, 249)]);
    world.connect(1, 2);
    assert_eq!(
        world.known(2, 249).peers,
        [],
        "the second has not noticed yet that nobody else tells"
    );
    (0..4).for_each(|_| world.tick());
    assert_eq!(world.known(2, 249).peers, [used(0, 249)], "by the second, without the first");
    assert_eq!((world.agreed(2), world.kiosks[2].kept), (1, 250), "the first is not heard");
    let mut world = World::of(2);
    (0..250).for_each(|seq| world.admits(0, 7, seq));
    world.connect(0, 1);
    assert_eq!((world.known(1, 7).peers.len(), world.agreed(1)), (250, 1), "in one breath");
}

#[test]
fn after_a_cut_only_those_who_missed_nothing_agree() {
    let mut world = World::all_connected(2);
    world.admits(0, 1, 5);
    world.cut(0);
    assert_eq!(world.agreed(1), 0, "who knows what it does now");
    world.admits(0, 2, 6);
    assert_eq!(world.known(1, 2).peers, []);
    world.connect(0, 1);
    assert_eq!((world.known(1, 2).peers.len(), world.agreed(1)), (1, 1));
    world.now += FRESH_MS + 1;
    assert_eq!(world.agreed(1), 0, "silent for too long");
}

#[test]
fn a_use_that_was_taken_back_counts_no_more_whoever_tells_of_it() {
    let mut world = World::all_connected(2);
    world.admits(0, 1, 5);
    world.takes_back(0, 1, 5, 1);
    assert_eq!((world.known(1, 1).peers, world.known(1, 1).taken_back), (vec![], vec![]));
    world.admits(0, 1, 9);
    assert_eq!(world.known(1, 1).peers, [used(0, 9)], "in again");
    // The copy counts the last one; then it is taken back, and the copy does not know.
    world.input(1, Input::Settled(vec![Heard { kiosk: name(0), through: 3 }]));
    assert_eq!(world.known(1, 1), Known::nothing_of(ticket(1)), "the copy tells it now");
    world.takes_back(0, 1, 9, 3);
    assert_eq!(world.known(1, 1).taken_back, [used(0, 9)]);
}

#[test]
fn hearing_it_again_or_out_of_place_changes_nothing() {
    let mut world = World::all_connected(2);
    (1..=5).for_each(|at| world.admits(0, 1, at));
    let link = world.wires[0][1].1;
    let before = (world.known(1, 1), world.kiosks[1].kept);
    let told = world.kiosks[0].journal.clone();
    let state = State { head: 5, chain: told[4].told().chain, have: BTreeMap::new(), time: None };
    for some in [&told[..], &told[..2], &told[3..]] {
        world.input(1, Input::Heard(link, Message::Told(state.clone(), some.to_vec())));
    }
    let beyond = Told { seq: 7, ..told[4].told().clone() };
    let elsewhere = Told { seq: 6, event: 5, ..told[4].told().clone() };
    let stranger = Told { seq: 1, kiosk: "x".into(), ..told[4].told().clone() };
    let odd = [beyond, elsewhere, stranger].map(Proven::unsigned).to_vec();
    world.input(1, Input::Heard(link, Message::Told(state, odd)));
    assert_eq!((world.known(1, 1), world.kiosks[1].kept), before);
    assert_eq!(world.agreed(1), 1);
}

#[test]
fn who_is_no_longer_vouched_for_is_neither_heard_nor_believed() {
    let mut world = World::all_connected(3);
    world.admits(0, 1, 5);
    world.input(1, Input::Vouched(EVENT, peers(&[1, 2])));
    assert_eq!(world.known(1, 1).peers, [], "what a stolen kiosk told burns no ticket");
    world.admits(0, 2, 6);
    assert_eq!(world.known(1, 2).peers, [], "nor through others");
    (0..4).for_each(|_| world.tick());
    assert_eq!((world.known(1, 2).peers, world.agreed(1)), (vec![], 1));
    assert_eq!(world.known(2, 2).peers.len(), 1, "who has not heard of it yet goes on");
}

#[test]
fn with_one_that_tells_two_stories_nobody_agrees() {
    let mut world = World::all_connected(2);
    world.admits(0, 1, 5);
    assert_eq!(world.agreed(1), 1);
    let link = world.wires[0][1].1;
    let told = world.kiosks[0].journal[0].told().clone();
    let other = Proven::unsigned(Told { chain: Chain([9; 32]), ..told.clone() });
    let state = State { head: 1, chain: told.chain, have: BTreeMap::new(), time: None };
    world.input(1, Input::Heard(link, Message::Told(state, vec![other])));
    assert_eq!((world.agreed(1), world.known(1, 1).peers.len()), (0, 1));
    // A journal that got shorter: a restored disk.
    let mut world = World::all_connected(2);
    (1..=3).for_each(|at| world.admits(0, 1, at));
    let link = world.wires[0][1].1;
    let shorter = State { head: 2, ..State::default() };
    world.input(1, Input::Heard(link, Message::State(shorter)));
    assert_eq!(world.agreed(1), 0);
}

#[test]
fn two_that_dial_each_other_keep_one_connection_and_a_dead_one_gives_way() {
    let mut world = World::of(2);
    world.connect(0, 1);
    world.wires.push([(1, 7), (0, 8)]);
    world.input(1, Input::Opened { link: 7, kiosk: name(0), dialled: true });
    world.input(0, Input::Opened { link: 8, kiosk: name(1), dialled: false });
    assert_eq!((world.wires.len(), world.wires[0][0]), (1, (0, 100)), "that of the smaller");
    world.now += FRESH_MS + 1;
    world.wires.push([(1, 9), (0, 10)]);
    world.input(1, Input::Opened { link: 9, kiosk: name(0), dialled: true });
    world.input(0, Input::Opened { link: 10, kiosk: name(1), dialled: false });
    assert_eq!((world.wires.len(), world.wires[0][0]), (1, (1, 9)));
    world.admits(0, 1, 5);
    world.tick();
    assert_eq!(world.known(1, 1).peers.len(), 1);
}

#[test]
fn a_place_given_at_another_door_is_the_holders_ticket_here() {
    let mut world = World::all_connected(2);
    let holder = Some(Holder::of(EVENT, "p"));
    let did = Did { ticket: ticket(9), used: used(0, 5), undoes: None, holder };
    world.record(0, Some(did));
    let given = |world: &World, person: &str| world.kiosks[1].mesh.given_to(person);
    assert_eq!(given(&world, "p"), [ticket(9)]);
    assert_eq!(given(&world, "q"), []);
    assert_eq!(world.known(1, 9).peers, [used(0, 5)]);
    world.takes_back(0, 9, 5, 1);
    assert_eq!(world.known(1, 9).peers, []);
}

#[test]
fn after_a_restart_what_was_kept_is_known_and_after_a_wipe_it_is_heard_again() {
    let mut world = World::all_connected(2);
    (1..=4).for_each(|at| world.admits(0, 1, at * HOUR));
    let kept = world.kiosks[0].journal.clone();
    let settled = vec![Heard { kiosk: name(0), through: 2 }];
    let head = Head::start(&name(1));
    world.cut(1);
    world.kiosks[1].mesh =
        Mesh::new(name(1), head, Some((EVENT, &peers(&[0, 1]))), kept[2..].to_vec(), settled);
    assert_eq!(world.known(1, 1).peers.len(), 2);
    world.input(1, Input::Wiped);
    assert_eq!(world.known(1, 1).peers.len(), 0);
    world.connect(0, 1);
    assert_eq!(world.known(1, 1).peers.len(), 4);
    let before = world.messages;
    (0..10).for_each(|_| world.tick());
    assert!(world.messages - before <= 20, "who has everything says so once a second and no more");
}

#[test]
fn a_journal_with_a_hole_does_not_keep_the_network_busy() {
    let mut world = World::of(2);
    (1..=9).for_each(|at| world.admits(0, 1, at));
    world.kiosks[0].journal.remove(4);
    world.connect(0, 1);
    let before = world.messages;
    (0..10).for_each(|_| world.tick());
    assert!(world.messages - before <= 40, "{}", world.messages - before);
    assert_eq!((world.known(1, 1).peers.len(), world.agreed(1)), (4, 0));
}

#[test]
fn who_knows_the_time_tells_it_and_who_does_not_is_not_asked() {
    let mut world = World::all_connected(3);
    assert_eq!(world.kiosks[0].mesh.time(world.now), None);
    let (sharp, blunt) =
        (Time { at: Millis(50_000), error_ms: 5 }, Time { at: Millis(58_000), error_ms: 900 });
    world.input(1, Input::Tick(Some(sharp)));
    world.input(2, Input::Tick(Some(blunt)));
    let heard = |world: &World| world.kiosks[0].mesh.time(world.now);
    let Time { at, error_ms } = heard(&world).expect("two know it");
    assert_eq!((at, error_ms > 5), (Millis(50_000), true), "the better of two, a little blunter");
    world.now += 700;
    assert_eq!(heard(&world).expect("still fresh").at, Millis(50_700));
    // Whoever says nothing of the time any more is heard, and knows nothing of it.
    world.tick();
    assert!(heard(&world).is_some());
    world.cut(1);
    assert_eq!(heard(&world).expect("the other").at, Millis(59_700));
    world.cut(2);
    assert_eq!(heard(&world), None);
}
