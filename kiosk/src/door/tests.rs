//! The door with its surroundings in memory.

use std::collections::HashMap;

use admission::{
    decide::{Reason, StationKind, Terms, TicketState},
    moving::EventKey,
    scan::{Act, ID_SEEN},
    sync::{Allotment, Corrected, EventInfo, IssuerPublicKey},
    ticket::IssuerKey,
    time::HOUR,
};
use proptest::prelude::*;

use super::*;

const NOON: Millis = Millis(1_800_000_000_000);
const CARD: &str = ";6210300000000007=30122200000000000000?";

fn issuer() -> IssuerKey {
    IssuerKey::new(1, &[3; 32])
}

fn card_key() -> CardKey {
    CardKey::new([5; 32])
}

fn fact(id: u8) -> TicketFact {
    TicketFact {
        id: TicketId([id; 12]),
        event: 4,
        class: 0,
        valid_from: NOON.plus(-60 * MINUTE),
        valid_to: NOON.plus(60 * MINUTE),
        reissue: 0,
    }
}

fn row(id: u8) -> TicketRow {
    TicketRow {
        fact: fact(id),
        state: TicketState::Valid,
        person: Some("p".into()),
        holder: "王*明".into(),
        place: None,
        uses: Vec::new(),
        revision: 1,
    }
}

fn code(id: u8) -> String {
    fact(id).sign(&issuer())
}

fn fingerprint() -> Fingerprint {
    admission::card::CardNumber::read(CARD).expect("a card").fingerprint(&card_key())
}

fn used(station: &str) -> Use {
    Use::entry(NOON.plus(-MINUTE), station.into())
}

fn post() -> Post {
    Post {
        name: "K1".into(),
        station_kind: StationKind::Gate,
        station: "东门".into(),
        event: EventInfo {
            number: 4,
            id: "e".into(),
            title: "乒乓球赛".into(),
            time_zone: "Asia/Shanghai".into(),
            starts_at: NOON,
            ends_at: NOON.plus(60 * MINUTE),
            cancelled: false,
            offers: vec![OfferInfo::once(0, "男子单打".into())],
        },
        keys: vec![IssuerPublicKey::new(1, &issuer().public())],
        keys_signed: String::new(),
        card_bins: vec!["621030".into()],
        lease_until: NOON.plus(24 * HOUR),
        allotments: Vec::new(),
        room: None,
        peers: Vec::new(),
        moving_key: None,
        venue: None,
    }
}

/// A door with its surroundings in memory: what a simulation does too.
struct Rig {
    door: Door,
    rows: HashMap<TicketId, TicketRow>,
    cards: HashMap<[u8; 32], bool>,
    own: HashMap<TicketId, Vec<(u64, Use)>>,
    /// What other doors told.
    told: HashMap<TicketId, Vec<Use>>,
    /// What the server says; none is silence.
    server: Option<Checked>,
    asked: u32,
    journal: Vec<Line>,
    writable: bool,
    now: Millis,
}

impl Rig {
    fn new() -> Self {
        let known = Knowledge {
            head: Head::start("k"),
            post: Some(post()),
            complete_at: Some(NOON.plus(-3 * MINUTE)),
            skew: None,
            locked: false,
        };
        let mut door = Door::new("k".into(), [0; 16], known);
        door.take_card_key(Some(card_key()));
        Self {
            door,
            rows: HashMap::new(),
            cards: HashMap::new(),
            own: HashMap::new(),
            told: HashMap::new(),
            server: None,
            asked: 0,
            journal: Vec::new(),
            writable: true,
            now: NOON,
        }
    }

    fn with(mut self, row: TicketRow) -> Self {
        self.rows.insert(row.fact.id, row);
        self
    }

    fn with_card(mut self, blocked: bool) -> Self {
        self.cards.insert(fingerprint().0, blocked);
        self
    }

    fn online(mut self, verdict: Verdict, ticket: Option<TicketRow>) -> Self {
        self.door.synced(self.now, None);
        self.server = Some(checked(verdict, ticket));
        self
    }

    fn scan_by(&mut self, text: &str, trigger: Trigger) -> Shown {
        self.drive(Input::Scanned(Zeroizing::new(text.to_owned()), trigger)).expect("shown")
    }

    fn order(&mut self, what: What) -> Result<Shown, Cannot> {
        self.drive(Input::Ordered(Order { what, operator: Some("小李".into()) }))
    }

    fn drive(&mut self, mut input: Input) -> Result<Shown, Cannot> {
        loop {
            input = match self.door.handle(input, self.now) {
                Effect::Look(lookup) => Input::Found(self.look(lookup)),
                Effect::Ask(check) => {
                    assert_eq!(check.seq, self.journal.len() as u64 + 1);
                    self.asked += 1;
                    Input::Answered(self.server.clone().map(Box::new))
                }
                Effect::Record(line) => {
                    if self.writable {
                        self.write(line);
                    }
                    Input::Recorded(self.writable)
                }
                Effect::Show(shown) => return Ok(shown),
                Effect::Cannot(why) => return Err(why),
                Effect::Ignore => panic!("nothing was scanned"),
            }
        }
    }

    /// The same door at a station of another kind, under other terms.
    fn at(mut self, kind: StationKind, terms: Terms) -> Self {
        let mut post = post();
        post.station_kind = kind;
        post.moving_key = terms.moving_code.then(moving_key);
        post.event.offers[0].terms = terms;
        self.door.take_post(post);
        self
    }

    /// With so many places to give to members without a ticket.
    fn lent(mut self, places: u32) -> Self {
        let mut post = post();
        let until = NOON.plus(HOUR);
        post.allotments = vec![Allotment { number: 1, class: 0, places, until }];
        self.door.take_post(post);
        self
    }

    fn scans(&self) -> Vec<Scan> {
        self.journal.iter().map(|line| line.entry.scan().expect("own entry")).collect()
    }

    /// Places of entries that were taken back, and where.
    fn undone(&self) -> HashMap<u64, u64> {
        let undo = |scan: &Scan| scan.deed.act == Act::Undo;
        let undos = self.scans().into_iter().filter(undo);
        undos.filter_map(|scan| Some((scan.deed.about?, scan.seq))).collect()
    }

    fn given(&self) -> Vec<(i64, u32)> {
        let walk_ins = self.scans().into_iter().filter(|scan| scan.deed.act == Act::WalkIn);
        vec![(1, u32::try_from(walk_ins.count()).expect("few"))]
    }

    fn scan(&mut self, text: &str) -> Shown {
        self.scan_by(text, Trigger::Machine)
    }

    fn reason(&mut self, text: &str) -> Option<Reason> {
        match self.scan(text).outcome {
            Outcome::Decided(verdict, _) => verdict.reason(),
            other => panic!("{other:?}"),
        }
    }

    fn known(&self, id: TicketId) -> Known {
        let undos = self.undone();
        let peers = self.told.get(&id).cloned().unwrap_or_default();
        let row = self.rows.get(&id).cloned();
        let mut known = Known { row, peers, ..Known::nothing_of(id) };
        for (seq, used) in self.own.get(&id).into_iter().flatten() {
            known.add_own((*seq, undos.get(seq).copied()), 0, used.clone());
        }
        known
    }

    fn look(&self, lookup: Lookup) -> Found {
        match lookup {
            Lookup::Ticket(id) => Found::Ticket(self.known(id)),
            Lookup::Admission(id) => {
                let known = self.known(id);
                let last = known.own.last().map(|(seq, _)| *seq);
                Found::Admission(known, last)
            }
            Lookup::Card(fingerprint) => match self.cards.get(&fingerprint.0) {
                None => Found::NoCard,
                Some(&blocked) => {
                    let own = self.own.keys().copied().filter(|id| id.0[0] >= 200);
                    let mut ids: Vec<_> = self.rows.keys().copied().chain(own).collect();
                    ids.sort();
                    let tickets = ids.into_iter().map(|id| self.known(id)).collect();
                    let given = self.given();
                    let fresh = TicketId([200 + u8::try_from(self.journal.len()).unwrap_or(0); 12]);
                    Found::Card { blocked, person: "p".into(), tickets, given, fresh }
                }
            },
        }
    }

    fn write(&mut self, line: Line) {
        if let Some(id) = line.admitted {
            let at = line.entry.scan().expect("own entry").true_at();
            let kind = self.door.post().expect("a post").station_kind;
            let used = Use { at, station: "东门".into(), kind };
            self.own.entry(id).or_default().push((line.head.seq, used));
        }
        self.journal.push(line);
    }
}

fn checked(verdict: Verdict, ticket: Option<TicketRow>) -> Checked {
    let uses = ticket.as_ref().map(|row| row.uses.clone()).unwrap_or_default();
    Checked { verdict, ticket, uses, have_through: 0, barred: Vec::new(), server_now: NOON }
}

fn forged(code: &str) -> String {
    let last = if code.ends_with('A') { 'Q' } else { 'A' };
    format!("{}{last}", &code[..code.len() - 1])
}

#[test]
fn each_fault_of_a_code_has_its_own_reason() {
    let elsewhere = TicketFact { event: 5, ..fact(2) };
    let early = TicketFact { valid_from: NOON.plus(30 * MINUTE), ..fact(3) };
    let late = TicketFact { valid_to: NOON.plus(-30 * MINUTE), ..fact(4) };
    let cancelled = TicketRow { state: TicketState::Cancelled, ..row(5) };
    let reissued = TicketRow { fact: TicketFact { reissue: 1, ..fact(6) }, ..row(6) };
    let taken = TicketRow { uses: vec![used("西门")], ..row(7) };
    let mut rig = Rig::new().with(row(1)).with(cancelled).with(reissued).with(taken);
    for (text, reason) in [
        (code(1), None),
        (code(1), Some(Reason::AlreadyUsed)),
        (elsewhere.sign(&issuer()), Some(Reason::WrongEvent)),
        (early.sign(&issuer()), Some(Reason::TooEarly)),
        (late.sign(&issuer()), Some(Reason::TooLate)),
        (code(5), Some(Reason::Cancelled)),
        (code(6), Some(Reason::Revoked)),
        (code(7), Some(Reason::AlreadyUsed)),
        (forged(&code(8)), Some(Reason::Forged)),
        (fact(8).sign(&IssuerKey::new(1, &[4; 32])), Some(Reason::Forged)),
        ("https://example.org/".to_owned(), Some(Reason::Unknown)),
    ] {
        assert_eq!(rig.reason(&text), reason, "{text}");
    }
    assert_eq!(rig.journal.len(), 11, "every scan is recorded, refusals too");
}

#[test]
fn each_fault_of_a_card_has_its_own_reason() {
    assert_eq!(Rig::new().reason(CARD), Some(Reason::UnknownCard));
    assert_eq!(Rig::new().with_card(true).with(row(1)).reason(CARD), Some(Reason::BlockedCard));
    assert_eq!(Rig::new().with_card(false).reason(CARD), Some(Reason::NotBooked));
    let mut rig = Rig::new().with_card(false).with(row(1));
    assert_eq!(rig.reason(CARD), None);
    assert_eq!(rig.reason(CARD), Some(Reason::AlreadyUsed));
    assert_eq!(rig.reason(&code(1)), Some(Reason::AlreadyUsed), "the code after the card");
}

#[test]
fn a_foreign_card_and_a_locked_key_are_told_apart() {
    let mut rig = Rig::new().with_card(false).with(row(1));
    let foreign = rig.scan("4111111111111111");
    assert_eq!(
        foreign.outcome,
        Outcome::Decided(Note::NotAUnionCard.verdict(), Some(Note::NotAUnionCard))
    );
    rig.door.take_card_key(None);
    let locked = rig.scan(CARD);
    assert_eq!(locked.verdict_word(), "attention");
    assert_eq!(
        locked.outcome,
        Outcome::Decided(Note::CardsLocked.verdict(), Some(Note::CardsLocked))
    );
    assert_eq!(rig.reason(&code(1)), None, "codes still work");
}

#[test]
fn nobody_is_refused_because_the_copy_is_still_on_its_way() {
    let on_its_way = |rig: Rig| {
        let mut rig = rig.lent(5);
        rig.door.forget_copy();
        rig.door.take_card_key(Some(card_key()));
        rig
    };
    // A card, or a ticket, that may come with the next page; no place is given to whoever may have one.
    for rig in [Rig::new(), Rig::new().with_card(false)] {
        let shown = on_its_way(rig).scan(CARD);
        let note = Note::CardsLocked;
        assert_eq!(shown.outcome, Outcome::Decided(note.verdict(), Some(note)));
    }
    assert_eq!(on_its_way(Rig::new().with_card(false).with(row(1))).reason(CARD), None);
    assert_eq!(on_its_way(Rig::new().with_card(true)).reason(CARD), Some(Reason::BlockedCard));
    assert_eq!(on_its_way(Rig::new()).reason(&code(1)), None, "codes need no copy");
}

#[test]
fn trust_says_on_what_a_verdict_rests() {
    let mut rig = Rig::new().with(row(1));
    assert_eq!(rig.scan(&code(1)).trust, Trust::Local { age_ms: 3 * MINUTE });
    assert_eq!(rig.scan(&code(2)).trust, Trust::SignatureOnly);
    let mut rig = Rig::new().with(row(3)).online(Verdict::Admitted, Some(row(3)));
    assert_eq!(rig.scan(&code(3)).trust, Trust::Live);
}

#[test]
fn the_server_knows_more() {
    let refusal = Refusal::AlreadyUsed { at: NOON, station: "西门".into() };
    let mut rig = Rig::new().with(row(1)).online(Verdict::Refused(refusal.clone()), Some(row(1)));
    assert_eq!(rig.scan(&code(1)).outcome, Outcome::Decided(Verdict::Refused(refusal), None));
    // An admission undone by the organizer, and a ticket booked a moment ago.
    let taken = TicketRow { uses: vec![used("西门")], ..row(2) };
    let mut rig = Rig::new().with(taken).online(Verdict::Admitted, Some(row(2)));
    assert_eq!(rig.reason(&code(2)), None);
    let mut rig = Rig::new().online(Verdict::Admitted, Some(row(3)));
    let shown = rig.scan(CARD);
    assert_eq!((shown.verdict_word(), shown.holder.as_deref()), ("admitted", Some("王*明")));
    assert_eq!(shown.offer.as_deref(), Some("男子单打"));
}

#[test]
fn a_holder_of_two_tickets_goes_in_on_the_one_that_was_not_used_wherever_the_server_has_not_heard()
{
    // The server proposes the first, on which another door, or this one, has let somebody in.
    for elsewhere in [true, false] {
        let mut rig = Rig::new().with(row(1)).with(row(2)).with_card(false);
        if elsewhere {
            rig.told.insert(TicketId([1; 12]), vec![used("西门")]);
        } else {
            assert_eq!(rig.reason(&code(1)), None);
        }
        let mut rig = rig.online(Verdict::Admitted, Some(row(1)));
        let shown = rig.scan(CARD);
        assert_eq!((shown.verdict_word(), shown.trust.word()), ("admitted", "local"));
        assert_eq!(rig.journal.last().and_then(|line| line.admitted), Some(TicketId([2; 12])));
        assert_eq!(rig.asked, 1);
        rig.told.insert(TicketId([2; 12]), vec![used("西门")]);
        assert_eq!(rig.reason(CARD), Some(Reason::AlreadyUsed), "no ticket is left");
    }
    // And of one that this kiosk does not know yet.
    let mut rig = Rig::new().with(row(2)).with_card(false);
    rig.told.insert(TicketId([1; 12]), vec![used("西门")]);
    let mut rig = rig.online(Verdict::Admitted, Some(row(1)));
    assert_eq!(rig.reason(CARD), None);
    assert_eq!(rig.journal.last().and_then(|line| line.admitted), Some(TicketId([2; 12])));
}

#[test]
fn nobody_is_asked_to_choose_from_what_is_used_up_here() {
    let redeemed = Use { kind: StationKind::Counter, ..used("兑换台") };
    let mut rig = Rig::new().with(row(1)).with(row(2)).with_card(false);
    rig.told.insert(TicketId([1; 12]), vec![redeemed]);
    let ambiguous = Verdict::Attention(Refusal::Ambiguous);
    let mut rig = rig.at(StationKind::Counter, Terms::ONCE).online(ambiguous, None);
    let shown = rig.scan(CARD);
    assert_eq!((shown.verdict_word(), shown.choices.len(), rig.asked), ("admitted", 0, 1));
    assert_eq!(rig.journal.last().and_then(|line| line.admitted), Some(TicketId([2; 12])));
}

#[test]
fn what_this_kiosk_let_in_stays_let_in() {
    let mut rig = Rig::new().with(row(1)).with_card(false);
    assert_eq!(rig.reason(&code(1)), None);
    let mut rig = rig.online(Verdict::Admitted, Some(row(1)));
    assert_eq!(rig.reason(&code(1)), Some(Reason::AlreadyUsed));
    assert_eq!(rig.asked, 0, "nothing the server could say would change it");
    assert_eq!(rig.reason(CARD), Some(Reason::AlreadyUsed));
    // Even when the copy does not know whose the ticket is.
    rig.rows.clear();
    assert_eq!(rig.reason(CARD), Some(Reason::AlreadyUsed));
}

#[test]
fn an_unplugged_network_costs_one_question_at_most() {
    let mut rig = Rig::new().with(row(1)).with(row(2)).with(row(3));
    rig.door.synced(NOON, None);
    rig.server = None;
    assert_eq!(rig.reason(&code(1)), None);
    assert_eq!(rig.reason(&code(2)), None);
    assert_eq!(rig.asked, 1);
    // A sync that was under way when the plug was pulled.
    rig.door.synced(NOON.plus(-500), None);
    assert_eq!(rig.reason(&code(4)), None);
    assert_eq!(rig.asked, 1);
    let mut rig = rig.online(Verdict::Admitted, Some(row(3)));
    assert_eq!(rig.reason(&code(3)), None);
    assert_eq!(rig.asked, 2);
}

#[test]
fn forged_and_foreign_texts_are_never_asked_about() {
    let mut rig = Rig::new().online(Verdict::Admitted, Some(row(1)));
    assert_eq!(rig.reason(&forged(&code(1))), Some(Reason::Forged));
    assert_eq!(rig.reason("hello"), Some(Reason::Unknown));
    let elsewhere = TicketFact { event: 5, ..fact(2) };
    assert_eq!(rig.reason(&elsewhere.sign(&issuer())), Some(Reason::WrongEvent));
    assert_eq!(rig.asked, 0);
}

#[test]
fn a_code_held_in_view_is_one_scan() {
    let mut rig = Rig::new().with(row(1));
    let first = rig.scan_by(&code(1), Trigger::Hand);
    for _ in 0..5 {
        rig.now = rig.now.plus(SAME_SCAN_MS - 1);
        assert_eq!(rig.scan_by(&code(1), Trigger::Hand), first);
    }
    assert_eq!(rig.journal.len(), 1);
    rig.now = rig.now.plus(SAME_SCAN_MS);
    assert_eq!(rig.scan_by(&code(1), Trigger::Hand).reason_word(), Some("already_used"));
    // To a program each line is a scan.
    assert_eq!(rig.scan(&code(1)).scan.as_deref(), Some("k-3"));
}

const ON_ITS_PAGE: Terms = Terms { moving_code: true, ..Terms::ONCE };

fn moving_key() -> EventKey {
    EventKey::of(&[9; 32], "e")
}

/// What the page of a ticket shows so many seconds after noon.
fn page(id: u8, seconds: i64) -> String {
    let key = moving_key().ticket(fact(id).id, 0);
    format!("{}{}", code(id), key.proof(NOON.plus(seconds * 1_000)))
}

impl Rig {
    /// A door of an event whose tickets are shown on their page; it has heard from the server that its clock is `ahead_ms`
    /// ahead.
    fn of_moving_codes(ahead_ms: i64) -> Self {
        let mut rig = Self::new().with(row(1)).with(row(2)).at(StationKind::Gate, ON_ITS_PAGE);
        rig.now = NOON.plus(ahead_ms);
        rig.door.synced(rig.now, Some(Skew { ms: -ahead_ms, error_ms: 20 }));
        rig.door.lost_contact();
        rig
    }
}

#[test]
fn a_ticket_page_opens_the_door_and_a_screenshot_of_it_does_not() {
    for ahead_ms in [0, 3 * HOUR, -45 * MINUTE] {
        let mut rig = Rig::of_moving_codes(ahead_ms);
        assert_eq!(rig.reason(&page(1, 0)), None);
        rig.now = rig.now.plus(2 * MINUTE);
        assert_eq!(rig.reason(&page(2, 0)), Some(Reason::StaleCode), "it was made at noon");
        assert_eq!(rig.reason(&page(1, 0)), Some(Reason::AlreadyUsed), "nothing helps any more");
        let others = format!("{}{}", code(2), &page(1, 120)[admission::ticket::CODE_CHARS..]);
        assert_eq!(rig.reason(&others), Some(Reason::StaleCode), "another ticket's letters");
        assert_eq!(rig.reason(&page(2, 120)), None);
        assert_eq!(rig.scans()[1].verdict, Verdict::Refused(Refusal::StaleCode));
    }
}

#[test]
fn whoever_has_paper_or_a_card_is_let_in_by_hand_after_a_look_at_an_id() {
    for shown_as in [code(1), CARD.to_owned()] {
        let mut rig = Rig::of_moving_codes(0).with_card(false);
        rig.rows.remove(&fact(2).id);
        let shown = rig.scan(&shown_as);
        assert_eq!((shown.verdict_word(), shown.reason_word()), ("attention", Some("show_id")));
        assert_eq!((shown.glance, shown.holder.as_deref()), (Some(fact(1).id), Some("王*明")));
        let let_in = rig.order(What::CheckIn(fact(1).id)).expect("shown");
        assert_eq!((let_in.verdict_word(), let_in.glance), ("admitted", None));
        let deed = rig.scans()[1].deed.clone();
        assert_eq!((deed.act, deed.why.as_deref()), (Act::Hand, Some(ID_SEEN)));
        assert_eq!(rig.reason(&shown_as), Some(Reason::AlreadyUsed));
    }
}

#[test]
fn whoever_booked_a_moment_ago_is_let_in_after_a_look_at_an_id_though_no_list_has_them() {
    for (shown_as, reason) in [(code(7), "show_id"), (page(7, -600), "stale_code")] {
        let mut rig = Rig::of_moving_codes(0);
        let shown = rig.scan(&shown_as);
        assert_eq!((shown.reason_word(), shown.glance), (Some(reason), Some(fact(7).id)));
        assert_eq!(rig.order(What::CheckIn(fact(8).id)), Err(Cannot::NoSuchTicket), "another");
        let let_in = rig.order(What::CheckIn(fact(7).id)).expect("shown");
        assert_eq!((let_in.verdict_word(), let_in.trust), ("admitted", Trust::SignatureOnly));
        let deed = rig.scans()[1].deed.clone();
        assert_eq!((deed.act, deed.why.as_deref()), (Act::Hand, Some(ID_SEEN)));
        assert_eq!(rig.reason(&shown_as), Some(Reason::AlreadyUsed), "once");
        let why = "负责人同意".to_owned();
        rig.order(What::Override(fact(7).id, why)).expect("a supervisor may");
        // That lasts as long as a look takes.
        let mut rig = Rig::of_moving_codes(0);
        rig.scan(&shown_as);
        rig.now = rig.now.plus(5 * MINUTE);
        assert_eq!(rig.order(What::CheckIn(fact(7).id)), Err(Cannot::NoSuchTicket));
    }
    // Of one that nobody asked them to look at, they let nobody in by its number.
    let mut rig = Rig::of_moving_codes(0);
    assert_eq!(rig.reason(&page(7, 0)), None);
    assert_eq!(rig.order(What::CheckIn(fact(7).id)), Err(Cannot::NoSuchTicket));
}

#[test]
fn staff_check_in_whom_a_restored_server_has_lost() {
    let mut rig = Rig::new().with(row(1)).online(Verdict::Refused(Refusal::Unknown), None);
    let shown = rig.order(What::CheckIn(fact(1).id)).expect("shown");
    assert_eq!((shown.verdict_word(), shown.holder.as_deref()), ("admitted", Some("王*明")));
    // Another door told the server that it let them in.
    let used = Refusal::AlreadyUsed { at: NOON.plus(-MINUTE), station: "西门".to_owned() };
    let mut rig = Rig::new().with(row(1)).online(Verdict::Refused(used), None);
    let shown = rig.order(What::CheckIn(fact(1).id)).expect("shown");
    assert_eq!(shown.reason_word(), Some("already_used"));
}

#[test]
fn a_door_that_does_not_know_the_time_calls_no_page_a_screenshot() {
    let mut rig = Rig::new().with(row(1)).with(row(2)).at(StationKind::Gate, ON_ITS_PAGE);
    rig.now = NOON.plus(10 * MINUTE);
    assert_eq!(rig.reason(&page(1, 0)), Some(Reason::ShowId), "its clock may be wrong");
    assert_eq!(rig.reason(&page(2, 600)), None, "and may be right");
    rig.door.synced(rig.now, Some(Skew { ms: 0, error_ms: 2 * MINUTE }));
    rig.door.lost_contact();
    assert_eq!(rig.reason(&page(1, 0)), Some(Reason::ShowId), "so thin a line tells no time");
    // A server that knows no moving codes gives no key to judge them by.
    let mut rig = Rig::of_moving_codes(0);
    let mut post = rig.door.post().expect("given").clone();
    post.moving_key = None;
    rig.door.take_post(post);
    assert_eq!(rig.reason(&page(1, -600)), Some(Reason::ShowId));
}

#[test]
fn a_page_that_is_held_while_its_code_changes_is_one_scan() {
    let mut rig = Rig::of_moving_codes(0);
    let first = rig.scan_by(&page(1, 0), Trigger::Camera);
    assert_eq!(first.verdict_word(), "admitted");
    for seconds in [2, 4, 6, 8, 10, 12, 14, 15, 17, 19] {
        rig.now = NOON.plus(seconds * 1_000);
        assert_eq!(rig.scan_by(&page(1, seconds), Trigger::Camera), first, "{seconds} s");
    }
    assert_eq!(rig.journal.len(), 1);
}

#[test]
fn whoever_opens_the_page_after_a_picture_of_it_is_let_in_at_once() {
    for before in [page(1, -600), code(1)] {
        let mut rig = Rig::of_moving_codes(0);
        let refused = rig.scan_by(&before, Trigger::Camera);
        assert_eq!(refused.glance, Some(fact(1).id));
        rig.now = rig.now.plus(1_000);
        assert_eq!(rig.scan_by(&before, Trigger::Camera), refused, "still held");
        rig.now = rig.now.plus(1_000);
        assert_eq!(rig.scan_by(&page(1, 2), Trigger::Camera).verdict_word(), "admitted");
        assert_eq!(rig.journal.len(), 2);
    }
}

#[test]
fn the_server_is_told_what_was_shown_and_its_word_counts_under_the_same_rule() {
    let mut rig = Rig::of_moving_codes(0);
    rig.door.synced(rig.now, Some(Skew { ms: 0, error_ms: 5 }));
    let proof_told = |rig: &mut Rig, text: &str| {
        let text = Zeroizing::new(text.to_owned());
        let Effect::Look(lookup) = rig.door.handle(Input::Scanned(text, Trigger::Machine), rig.now)
        else {
            panic!("it is looked up")
        };
        let found = rig.look(lookup);
        match rig.door.handle(Input::Found(found), rig.now) {
            Effect::Ask(check) => check.proof,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(proof_told(&mut rig, &page(1, 0)), Proof::Fresh);
    assert_eq!(proof_told(&mut rig, &page(1, -600)), Proof::Stale);
    assert_eq!(proof_told(&mut rig, &code(1)), Proof::Absent);
    // One that asks for nothing yet admits everybody; this door does not.
    rig.server = Some(checked(Verdict::Admitted, Some(row(1))));
    assert_eq!(rig.reason(&page(1, -600)), Some(Reason::StaleCode));
    assert_eq!(rig.reason(&page(1, 0)), None);
}

#[test]
fn a_code_still_held_in_view_says_what_staff_have_tapped_since() {
    let mut rig = Rig::new().with(row(1)).with(row(2));
    let held = |rig: &mut Rig, id| {
        rig.now = rig.now.plus(500);
        rig.scan_by(&code(id), Trigger::Hand)
    };
    let first = held(&mut rig, 1);
    assert_eq!(first.verdict_word(), "admitted");
    rig.order(What::Undo(fact(1).id, "扫错了人".into())).expect("shown");
    let anew = held(&mut rig, 1);
    assert_eq!((anew.verdict_word(), anew.scan.as_deref()), ("admitted", Some("k-3")));
    rig.now = rig.now.plus(SAME_SCAN_MS);
    assert_eq!(held(&mut rig, 1).reason_word(), Some("already_used"));
    rig.order(What::Override(fact(2).id, "负责人同意".into())).expect("shown");
    assert_eq!(held(&mut rig, 1).reason_word(), Some("already_used"), "that was somebody else");
    let passed = rig.order(What::Override(fact(1).id, "负责人同意".into())).expect("shown");
    assert_eq!(held(&mut rig, 1), passed);
    assert_eq!(rig.journal.len(), 6);
}

#[test]
fn a_card_that_was_swiped_again_after_its_holder_chose_redeems_nothing_more() {
    let mut rig = Rig::new().with(row(1)).with(row(2)).with_card(false);
    rig = rig.at(StationKind::Counter, Terms::ONCE);
    assert_eq!(rig.scan_by(CARD, Trigger::Hand).choices.len(), 2);
    let chosen = rig.order(What::Choose(TicketId([2; 12]))).expect("shown");
    assert_eq!(chosen.verdict_word(), "admitted");
    assert_eq!(rig.scan_by(CARD, Trigger::Hand), chosen);
    assert_eq!(rig.journal.len(), 2);
}

#[test]
fn a_track_that_is_not_read_says_nothing_against_the_one_that_was() {
    let mut rig = Rig::new().with(row(1)).with_card(false);
    let torn = |rig: &Rig| rig.door.unread(Unread::Swipe, rig.now);
    assert_eq!(torn(&rig).outcome, Outcome::Unread(Unread::Swipe));
    let shown = rig.scan_by(CARD, Trigger::Hand);
    rig.now = rig.now.plus(ONE_SWIPE_MS - 1);
    assert_eq!(torn(&rig), shown);
    assert_eq!(
        rig.door.unread(Unread::Code, rig.now).outcome,
        Outcome::Unread(Unread::Code),
        "a code is nobody's track"
    );
    rig.now = rig.now.plus(1);
    assert_eq!(torn(&rig).outcome, Outcome::Unread(Unread::Swipe), "the next person's");
}

#[test]
fn the_number_of_a_card_in_a_picture_is_no_card() {
    let mut rig = Rig::new().with(row(1)).with_card(false);
    for text in [CARD, "6210300000000007"] {
        let shown = rig.scan_by(text, Trigger::Camera);
        assert_eq!(shown.reason_word(), Some("unknown"));
    }
    assert!(rig.scans().iter().all(|scan| scan.medium == Medium::Other));
    assert_eq!(rig.scan_by(&code(1), Trigger::Camera).verdict_word(), "admitted");
}

#[test]
fn without_a_durable_line_nothing_is_green() {
    let mut rig = Rig::new().with(row(1));
    rig.writable = false;
    let shown = rig.scan_by(&code(1), Trigger::Hand);
    assert_eq!(shown.outcome, Outcome::Closed(Closed::OutOfOrder));
    assert_eq!(rig.door.head(), Head::start("k"));
    rig.writable = true;
    let shown = rig.scan_by(&code(1), Trigger::Hand);
    assert_eq!((shown.verdict_word(), shown.scan.as_deref()), ("admitted", Some("k-1")));
}

#[test]
fn a_locked_kiosk_decides_nothing_and_forgets() {
    let mut rig = Rig::new().with(row(1));
    rig.door.lock();
    assert_eq!(rig.scan(&code(1)).outcome, Outcome::Closed(Closed::Locked));
    assert!(rig.journal.is_empty() && !rig.door.reads_cards());
}

#[test]
fn a_lease_ends_only_out_of_contact() {
    let mut rig = Rig::new();
    assert!(!rig.door.lease_ended(NOON.plus(24 * HOUR)));
    assert!(rig.door.lease_ended(NOON.plus(24 * HOUR + 1)));
    rig.door.synced(NOON.plus(24 * HOUR), None);
    assert!(!rig.door.lease_ended(NOON.plus(24 * HOUR + 1)));
}

#[test]
fn a_wrong_clock_is_corrected_before_it_refuses_anybody() {
    let mut rig = Rig::new().with(row(1));
    rig.now = NOON.plus(-3 * HOUR);
    rig.door.synced(rig.now, Some(Skew { ms: 3 * HOUR, error_ms: 5 }));
    assert_eq!(rig.reason(&code(1)), None);
    let scan = rig.journal[0].entry.scan().expect("own entry");
    assert_eq!((scan.at, scan.true_at()), (NOON.plus(-3 * HOUR), NOON));
}

#[test]
fn before_and_after_the_hours_everybody_is_told_when_they_are() {
    let mut post = post();
    post.event.offers = vec![
        OfferInfo { valid_from: NOON, valid_to: NOON.plus(HOUR), ..OfferInfo::once(0, "a".into()) },
        OfferInfo {
            valid_from: NOON.plus(2 * HOUR),
            valid_to: NOON.plus(3 * HOUR),
            ..OfferInfo::once(1, "b".into())
        },
    ];
    let mut door = Rig::new().door;
    door.take_post(post.clone());
    let told = |door: &Door, minutes: i64| door.out_of_hours(NOON.plus(minutes * MINUTE));
    let opens = |at: i64| Some(Refusal::TooEarly { opens_at: NOON.plus(at) });
    assert_eq!(told(&door, -3), opens(0));
    for minutes in [-2, 0, 61, 118, 181] {
        assert_eq!(told(&door, minutes), None, "{minutes}: within the tolerance a ticket is taken");
    }
    assert_eq!(told(&door, 62), opens(2 * HOUR), "between the two");
    let over = Some(Refusal::TooLate { closed_at: NOON.plus(3 * HOUR) });
    assert_eq!(told(&door, 182), over);
    // By the true time.
    door.synced(NOON, Some(Skew { ms: -10 * MINUTE, error_ms: 5 }));
    assert_eq!(told(&door, 5), opens(0));
    post.station_kind = StationKind::Exit;
    door.take_post(post.clone());
    assert_eq!(told(&door, 300), None, "nobody is kept inside");
    post.station_kind = StationKind::Gate;
    post.event.offers.clear();
    door.take_post(post);
    assert_eq!(told(&door, 300), None);
}

#[test]
fn a_clock_that_begins_in_the_past_makes_nobody_too_early() {
    let mut rig = Rig::new().with(row(1));
    assert_eq!(rig.door.go_on_from(NOON, NOON.plus(MINUTE)), 0, "it goes on as it went");
    // The battery that it does not have.
    rig.now = Millis(20_000);
    assert!(rig.door.go_on_from(NOON, rig.now) > 50 * 365 * 24 * HOUR);
    rig.now = rig.now.plus(5 * MINUTE);
    let shown = rig.scan(&code(1));
    assert_eq!(shown.verdict_word(), "admitted");
    assert_eq!(shown.trust, Trust::Local { age_ms: 8 * MINUTE }, "three, and five since");
    let scan = rig.journal[0].entry.scan().expect("own entry");
    assert_eq!((scan.at, scan.true_at()), (rig.now, NOON.plus(5 * MINUTE)));
    assert!(
        scan.skew.is_some_and(|skew| skew.error_ms >= 24 * HOUR),
        "and nobody knows for how long"
    );
    rig.now = rig.now.plus(60 * MINUTE);
    assert_eq!(rig.reason(&code(2)), Some(Reason::TooLate), "time goes on");
}

#[test]
fn what_was_measured_of_a_clock_holds_no_longer_when_it_was_set_without_power() {
    // Hours fast, years slow: and right again, when it comes back.
    for measured_ms in [-3 * HOUR, 50 * 365 * 24 * HOUR] {
        let mut rig = Rig::new().with(row(1));
        let skew = Some(Skew { ms: measured_ms, error_ms: 5 });
        rig.door.synced(NOON.plus(-3 * MINUTE - measured_ms), skew);
        rig.door.lost_contact();
        assert_ne!(rig.door.go_on_from(NOON.plus(-MINUTE), rig.now), 0);
        assert!(!rig.door.lease_ended(rig.now), "names and cards stay");
        let shown = rig.scan(&code(1));
        assert_eq!(shown.verdict_word(), "admitted");
        assert_eq!(shown.trust, Trust::Local { age_ms: 3 * MINUTE });
        assert_eq!(rig.scans()[0].true_at(), NOON);
    }
    // A lease that is over is over.
    let mut rig = Rig::new();
    let later = NOON.plus(30 * 24 * HOUR);
    assert_eq!(rig.door.go_on_from(NOON, later), 0);
    assert!(rig.door.lease_ended(later));
}

#[test]
fn a_clock_that_is_set_while_it_runs_changes_nothing() {
    for by_ms in [-3 * HOUR, 3 * HOUR, -50 * 365 * 24 * HOUR, 30 * 24 * HOUR] {
        let mut rig = Rig::new().with(row(1)).with(row(2));
        assert_eq!(rig.scan_by(&code(1), Trigger::Hand).verdict_word(), "admitted");
        rig.door.clock_set(by_ms);
        rig.now = rig.now.plus(by_ms);
        let again = rig.scan_by(&code(1), Trigger::Hand);
        assert_eq!(again.verdict_word(), "admitted", "it is held in view all the time");
        assert!(!rig.door.lease_ended(rig.now), "names and cards stay");
        let shown = rig.scan(&code(2));
        assert_eq!(shown.verdict_word(), "admitted");
        assert_eq!(shown.trust, Trust::Local { age_ms: 3 * MINUTE });
        let scans = rig.scans();
        assert_eq!((scans.len(), scans[0].true_at(), scans[1].true_at()), (2, NOON, NOON));
    }
}

#[test]
fn the_journal_is_one_chain() {
    let mut rig = Rig::new().with(row(1));
    let mut chain = Chain::start("k");
    for text in [code(1), code(1), "x".to_owned()] {
        rig.scan(&text);
    }
    for (at, line) in rig.journal.iter().enumerate() {
        chain = chain.after(at as u64 + 1, &line.entry);
        assert_eq!(line.head, Head { seq: at as u64 + 1, chain });
    }
    let text: String = rig.journal.iter().map(|line| line.entry.0.clone()).collect();
    assert!(!text.contains("王*明"), "the journal names nobody");
}

const AGAIN: Terms = Terms { uses: 1, reentry: true, ..Terms::ONCE };
const THRICE: Terms = Terms { uses: 3, ..Terms::ONCE };

#[test]
fn one_scan_path_serves_every_station() {
    for (kind, verdicts) in [
        (StationKind::Gate, [None, Some(Reason::AlreadyUsed)]),
        (StationKind::Exit, [None, None]),
        (StationKind::Counter, [None, Some(Reason::AlreadyUsed)]),
        (StationKind::Desk, [None, None]),
        (StationKind::Booth, [None, None]),
        (StationKind::Checkpoint, [None, Some(Reason::AlreadyUsed)]),
    ] {
        let mut rig = Rig::new().with(row(1)).at(kind, Terms::ONCE);
        assert_eq!([rig.reason(&code(1)), rig.reason(&code(1))], verdicts, "{kind:?}");
        assert!(rig.scans().iter().all(|scan| scan.station_kind == kind));
        assert_eq!(rig.reason(&forged(&code(1))), Some(Reason::Forged), "{kind:?}");
    }
    let out = Use { kind: StationKind::Exit, ..used("出口") };
    let back =
        TicketRow { uses: vec![Use { at: NOON.plus(-HOUR), ..used("东门") }, out], ..row(1) };
    assert_eq!(Rig::new().with(back.clone()).at(StationKind::Gate, AGAIN).reason(&code(1)), None);
    let once = Rig::new().with(back).reason(&code(1));
    assert_eq!(once, Some(Reason::AlreadyUsed));
}

#[test]
fn a_voucher_is_redeemed_as_often_as_it_says_also_together_with_the_server() {
    let mut rig = Rig::new().with(row(1)).at(StationKind::Counter, THRICE);
    let left: Vec<_> = (0..3).map(|_| rig.scan(&code(1)).left).collect();
    assert_eq!(left, [Some(2), Some(1), Some(0)]);
    assert_eq!(rig.reason(&code(1)), Some(Reason::AlreadyUsed));
    // The server knows of one at another counter, and not yet of the one here.
    let elsewhere = Use { kind: StationKind::Counter, ..used("别的台") };
    let known = TicketRow { uses: vec![elsewhere], ..row(2) };
    let mut rig = Rig::new().with(row(2)).at(StationKind::Counter, THRICE);
    assert_eq!(rig.reason(&code(2)), None);
    let mut rig = rig.online(Verdict::Admitted, Some(known));
    let second = rig.scan(&code(2));
    assert_eq!((second.verdict_word(), second.left), ("admitted", Some(0)));
    assert_eq!(rig.reason(&code(2)), Some(Reason::AlreadyUsed));
}

#[test]
fn what_the_server_believes_since_it_was_asked_is_one_use_with_what_the_door_did() {
    let use_at = |ms: i64, station: &str| Use {
        at: NOON.plus(ms),
        station: station.into(),
        kind: StationKind::Counter,
    };
    let known = |row: Vec<Use>, own: Vec<Use>, peers: Vec<Use>| Known {
        row: Some(TicketRow { uses: row, ..self::row(1) }),
        own: (1..).zip(own).collect(),
        peers,
        ..Known::nothing_of(TicketId([1; 12]))
    };
    // The server's clock, a moment later: of this door, and of another that told.
    let here = known(vec![use_at(180, "一号台")], vec![use_at(0, "一号台")], Vec::new());
    assert_eq!(here.history().len(), 1);
    let there = known(vec![use_at(180, "二号台")], Vec::new(), vec![use_at(0, "二号台")]);
    assert_eq!(there.history().len(), 1);
    // Two in a moment are two, whichever of them the server has heard of.
    let twice = vec![use_at(0, "一号台"), use_at(2_000, "一号台")];
    assert_eq!(known(vec![use_at(180, "一号台")], twice, Vec::new()).history().len(), 2);
    let elsewhere = known(vec![use_at(0, "一号台")], Vec::new(), vec![use_at(0, "二号台")]);
    assert_eq!(elsewhere.history().len(), 2);
    let later = known(vec![use_at(60_000, "一号台")], vec![use_at(0, "一号台")], Vec::new());
    assert_eq!(later.history().len(), 2);
    // So the second of two uses is not refused.
    let terms = Terms { uses: 2, ..Terms::ONCE };
    let mut counter = Rig::new().at(StationKind::Counter, terms);
    let believed = Use { at: NOON.plus(180), station: "东门".into(), kind: StationKind::Counter };
    counter.rows.insert(TicketId([1; 12]), TicketRow { uses: vec![believed], ..row(1) });
    let own = Use { at: NOON, station: "东门".into(), kind: StationKind::Counter };
    counter.own.insert(TicketId([1; 12]), vec![(1, own)]);
    assert_eq!(counter.reason(&code(1)), None);
    assert_eq!(counter.reason(&code(1)), Some(Reason::AlreadyUsed));
}

#[test]
fn a_server_that_has_more_of_the_journal_than_there_is_hides_nothing_that_was_done_here() {
    // A restored disk: what the server has through the ninth entry is another first, second, third.
    for (uses, left) in [(0, Some(1)), (1, Some(1))] {
        let mut rig = Rig::new().with(row(1)).at(StationKind::Counter, THRICE);
        assert_eq!(rig.reason(&code(1)), None);
        rig = rig.online(Verdict::Admitted, Some(row(1)));
        let own = rig.own[&TicketId([1; 12])].iter().take(uses).map(|(_, used)| used.clone());
        let said = rig.server.as_mut().expect("it answers");
        (said.uses, said.have_through) = (own.collect(), 9);
        assert_eq!(rig.scan(&code(1)).left, left, "neither forgotten nor counted twice");
    }
}

#[test]
fn at_a_counter_the_holder_of_several_chooses_on_the_screen() {
    let mut rig = Rig::new().with(row(1)).with(row(2)).with_card(false);
    rig = rig.at(StationKind::Counter, THRICE);
    let shown = rig.scan(CARD);
    assert_eq!((shown.verdict_word(), shown.reason_word()), ("attention", Some("ambiguous")));
    assert_eq!(shown.holder.as_deref(), Some("王*明"));
    let choices: Vec<_> = shown.choices.iter().map(|c| (c.ticket.0[0], c.left, c.of)).collect();
    assert_eq!(choices, [(1, 3, 3), (2, 3, 3)]);
    // Nothing but what is on the screen can be chosen, and not for ever.
    assert_eq!(rig.order(What::Choose(TicketId([9; 12]))), Err(Cannot::TooLate));
    let chosen = rig.order(What::Choose(TicketId([2; 12]))).expect("shown");
    assert_eq!((chosen.verdict_word(), chosen.left), ("admitted", Some(2)));
    assert_eq!(rig.order(What::Choose(TicketId([2; 12]))), Err(Cannot::TooLate), "once");
    rig.scan(CARD);
    rig.now = rig.now.plus(2 * MINUTE);
    assert_eq!(rig.order(What::Choose(TicketId([1; 12]))), Err(Cannot::TooLate));
    assert_eq!(rig.scans()[1].medium, Medium::Card);
}

#[test]
fn a_visitor_is_asked_once_whether_the_stand_may_have_their_name() {
    let mut rig = Rig::new().with(row(1)).at(StationKind::Booth, Terms::ONCE);
    assert_eq!(rig.order(What::Consent(true)), Err(Cannot::TooLate), "nobody was here");
    assert!(rig.scan(&code(1)).asks_consent);
    rig.order(What::Consent(true)).expect("shown");
    assert_eq!(rig.order(What::Consent(false)), Err(Cannot::TooLate));
    let deed = rig.scans()[1].deed.clone();
    assert_eq!((deed.act, deed.about, deed.consent), (Act::Consent, Some(1), Some(true)));
    assert_eq!(rig.journal[1].admitted, None);
    assert!(!Rig::new().with(row(1)).scan(&code(1)).asks_consent, "a gate does not ask");
}

#[test]
fn staff_check_in_by_the_list_under_the_same_rule() {
    let cancelled = TicketRow { state: TicketState::Cancelled, ..row(2) };
    let mut rig = Rig::new().with(row(1)).with(cancelled);
    let shown = rig.order(What::CheckIn(TicketId([1; 12]))).expect("shown");
    assert_eq!((shown.verdict_word(), shown.holder.as_deref()), ("admitted", Some("王*明")));
    let again = rig.order(What::CheckIn(TicketId([1; 12]))).expect("shown");
    assert_eq!(again.reason_word(), Some("already_used"));
    let off = rig.order(What::CheckIn(TicketId([2; 12]))).expect("shown");
    assert_eq!(off.reason_word(), Some("cancelled"));
    assert_eq!(rig.order(What::CheckIn(TicketId([3; 12]))), Err(Cannot::NoSuchTicket));
    let first = rig.scans()[0].deed.clone();
    assert_eq!((first.act, first.operator.as_deref()), (Act::Hand, Some("小李")));
    assert_eq!(rig.reason(&code(1)), Some(Reason::AlreadyUsed), "the code after the list");
}

#[test]
fn a_supervisor_lets_pass_against_the_rule_and_it_says_so() {
    let cancelled = TicketRow { state: TicketState::Cancelled, ..row(1) };
    let mut rig = Rig::new().with(cancelled).with(row(2));
    let why = || "领导批准".to_owned();
    let shown = rig.order(What::Override(TicketId([1; 12]), why())).expect("shown");
    assert_eq!(shown.verdict_word(), "admitted");
    rig.order(What::Override(TicketId([2; 12]), why())).expect("shown");
    let deeds: Vec<_> = rig.scans().into_iter().map(|scan| scan.deed).collect();
    assert_eq!((deeds[0].act, deeds[0].against), (Act::Override, Some(Reason::Cancelled)));
    assert_eq!(deeds[0].why.as_deref(), Some("领导批准"));
    assert_eq!((deeds[1].act, deeds[1].against), (Act::Hand, None), "the rule allowed it");
}

#[test]
fn what_was_taken_back_here_can_be_used_again_and_the_server_is_not_asked_before_it_knows() {
    let mut rig = Rig::new().with(row(1));
    let id = TicketId([1; 12]);
    let undo = || What::Undo(id, "扫错了".to_owned());
    assert_eq!(rig.order(undo()), Err(Cannot::NotAdmittedHere));
    assert_eq!(rig.reason(&code(1)), None);
    rig.order(undo()).expect("shown");
    assert_eq!(rig.order(undo()), Err(Cannot::NotAdmittedHere), "once");
    assert_eq!(rig.reason(&code(1)), None, "used again");
    let deed = rig.scans()[1].deed.clone();
    assert_eq!((deed.act, deed.about), (Act::Undo, Some(1)));
    // Held in view all the time: the green that was taken back is not shown once more.
    let green = rig.scan_by(&code(1), Trigger::Hand);
    assert_eq!(green.verdict_word(), "admitted", "the same scan still");
    rig.order(undo()).expect("shown");
    let again = rig.scan_by(&code(1), Trigger::Hand);
    assert_eq!(again.verdict_word(), "admitted");
    assert_ne!(again.scan, green.scan, "decided and written again");
    // A row that still counts what was taken back.
    let known = Known {
        id,
        row: Some(TicketRow { uses: vec![used("东门")], ..row(1) }),
        taken_back: vec![used("东门")],
        ..Known::nothing_of(id)
    };
    assert_eq!(known.history(), []);
}

#[test]
fn a_server_that_has_not_heard_of_an_undo_refuses_nobody() {
    let id = TicketId([1; 12]);
    let refused =
        |at: Use| Verdict::Refused(Refusal::AlreadyUsed { at: at.at, station: at.station });
    // Taken back in the second entry; the server has heard of the first one, and answers the third.
    let world = |heard: u64, uses: Vec<Use>| {
        let mut rig = Rig::new().with(row(1));
        assert_eq!(rig.reason(&code(1)), None);
        rig.order(What::Undo(id, "扫错了".to_owned())).expect("shown");
        let last = uses.last().expect("a use").clone();
        rig = rig.online(refused(last), Some(row(1)));
        let said = rig.server.as_mut().expect("it answers");
        (said.uses, said.have_through) = (uses, heard);
        (rig.reason(&code(1)), rig.asked)
    };
    let own = Use { at: NOON, ..used("东门") };
    assert_eq!(world(1, vec![own.clone()]), (None, 1), "it was taken back");
    let used = |reason| (Some(reason), 1);
    assert_eq!(world(2, vec![own.clone()]), used(Reason::AlreadyUsed), "it has heard of that");
    assert_eq!(world(9, vec![own.clone()]), used(Reason::AlreadyUsed), "it speaks of another");
    let elsewhere = vec![own.clone(), self::used("西门")];
    assert_eq!(world(1, elsewhere), used(Reason::AlreadyUsed), "another door let in, too");
    let before = Use { at: NOON.plus(-MINUTE), ..own };
    assert_eq!(world(1, vec![before]), used(Reason::AlreadyUsed), "another time");
}

#[test]
fn of_a_voucher_the_uses_that_were_taken_back_are_left_whatever_the_server_counts() {
    let id = TicketId([1; 12]);
    let mut rig = Rig::new().with(row(1)).at(StationKind::Counter, THRICE);
    assert_eq!(rig.scan(&code(1)).left, Some(2));
    rig.order(What::Undo(id, "扫错了".to_owned())).expect("shown");
    let own = rig.own[&id][0].1.clone();
    let other = Use { station: "西边".into(), ..own.clone() };
    rig = rig.online(Verdict::Admitted, Some(row(1)));
    let said = rig.server.as_mut().expect("it answers");
    (said.uses, said.have_through) = (vec![own, other], 1);
    assert_eq!(rig.scan(&code(1)).left, Some(1));
}

#[test]
fn what_another_door_told_is_refused_here_and_the_server_which_may_not_know_is_not_asked() {
    let mut rig = Rig::new().with(row(1)).online(Verdict::Admitted, Some(row(1)));
    rig.told.insert(TicketId([1; 12]), vec![used("西门")]);
    let shown = rig.scan(&code(1));
    let refused =
        Verdict::Refused(Refusal::AlreadyUsed { at: NOON.plus(-MINUTE), station: "西门".into() });
    assert_eq!(shown.outcome, Outcome::Decided(refused, None));
    assert_eq!(rig.asked, 0);
    // A voucher of several uses: the server is asked, and does not know of the one at the other counter.
    let terms = Terms { uses: 2, ..Terms::ONCE };
    let counter = |uses: Vec<Use>| {
        let mut rig = Rig::new().with(row(1)).at(StationKind::Counter, terms.clone());
        rig = rig.online(Verdict::Admitted, Some(row(1)));
        rig.server.as_mut().expect("it answers").uses = uses;
        let told = Use { kind: StationKind::Counter, ..used("西边") };
        rig.told.insert(TicketId([1; 12]), vec![told]);
        rig
    };
    let at_counter = |station: &str| Use { kind: StationKind::Counter, ..used(station) };
    assert_eq!(counter(Vec::new()).scan(&code(1)).left, Some(0));
    let mut both = counter(vec![at_counter("东边")]);
    assert_eq!(both.reason(&code(1)), Some(Reason::AlreadyUsed));
    let mut same = counter(vec![at_counter("西边")]);
    assert_eq!(same.scan(&code(1)).left, Some(0), "the server knows of the very same");
}

#[test]
fn a_verdict_says_with_how_many_others_it_agrees() {
    let mut rig = Rig::new().with(row(1));
    rig.door.take_agreed(3);
    let trust = Trust::Agreed { kiosks: 3, age_ms: 3 * MINUTE };
    assert_eq!(rig.scan(&code(1)).trust, trust);
    assert_eq!(rig.scans()[0].trust, trust);
    assert_eq!(rig.scan(&code(2)).trust, Trust::SignatureOnly, "no copy of it");
    rig.door.forget_copy();
    assert_eq!(rig.door.local_trust(NOON), Trust::SignatureOnly);
}

#[test]
fn a_member_without_a_ticket_is_given_a_place_while_there_are_any() {
    let mut rig = Rig::new().with_card(false).lent(1);
    let shown = rig.scan(CARD);
    assert_eq!((shown.verdict_word(), shown.offer.as_deref()), ("admitted", Some("男子单打")));
    let walk_in = rig.scans()[0].deed.walk_in.clone().expect("a walk-in");
    assert_eq!((walk_in.person.as_str(), walk_in.allotment), ("p", 1));
    assert_eq!(rig.reason(CARD), Some(Reason::AlreadyUsed), "the same card again");
    rig.own.clear();
    assert_eq!(rig.reason(CARD), Some(Reason::Full), "another member");
    assert_eq!(Rig::new().with_card(false).reason(CARD), Some(Reason::NotBooked));
    // The server knows of a booking that the copy does not have yet.
    let mut rig = Rig::new().with_card(false).lent(1).online(Verdict::Admitted, Some(row(4)));
    rig.scan(CARD);
    let scan = rig.scans().remove(0);
    assert_eq!((scan.ticket, scan.deed.walk_in), (Some(TicketId([4; 12])), None));
    let mut rig = Rig::new().with_card(false).lent(1);
    rig = rig.online(Verdict::Refused(Refusal::NotBooked), None);
    assert_eq!((rig.scan(CARD).verdict_word(), rig.scans()[0].deed.act), ("admitted", Act::WalkIn));
}

#[test]
fn who_stayed_away_too_often_is_given_no_place_as_far_as_the_server_is_heard() {
    for (barred, reason) in [(vec![0], Some(Reason::NotBooked)), (vec![1], None)] {
        let mut rig = Rig::new().with_card(false).lent(1);
        rig = rig.online(Verdict::Refused(Refusal::NotBooked), None);
        rig.server.as_mut().expect("online").barred.clone_from(&barred);
        assert_eq!(rig.reason(CARD), reason, "{barred:?}");
        assert_eq!(rig.scans()[0].deed.walk_in.is_none(), reason.is_some());
        assert_eq!(rig.scans()[0].ticket.is_none(), reason.is_some());
    }
}

#[test]
fn a_gate_that_is_alone_lets_in_no_more_than_its_share_of_the_approved_size() {
    use admission::sync::Room;
    let with = |share, through| {
        let mut post = post();
        post.room = Some(Room { share, through });
        post
    };
    let mut rig = (1..=6).fold(Rig::new().with_card(false), |rig, id| rig.with(row(id)));
    rig.door.take_post(with(2, 0));
    assert_eq!((rig.reason(&code(1)), rig.reason(&code(2))), (None, None));
    let shown = rig.scan(&code(3));
    assert_eq!((shown.reason_word(), shown.trust.word()), (Some("full"), "local"));
    let id = TicketId([3; 12]);
    assert_eq!(
        rig.order(What::CheckIn(id)).expect("shown").reason_word(),
        Some("full"),
        "by hand too"
    );
    // A supervisor may, and says so; one that is taken back makes room.
    let over = rig.order(What::Override(id, "负责人同意".to_owned())).expect("shown");
    assert_eq!(over.verdict_word(), "admitted");
    assert_eq!(rig.scans().last().and_then(|scan| scan.deed.against), Some(Reason::Full));
    for id in [3, 2] {
        rig.order(What::Undo(TicketId([id; 12]), "没有进场".to_owned())).expect("shown");
    }
    assert_eq!(rig.reason(&code(4)), None);
    assert_eq!(rig.reason(&code(5)), Some(Reason::Full));
    // A new share counts all that the server has heard of; a restart counts the rest again.
    rig.door.take_post(with(1, rig.door.head().seq));
    assert_eq!((rig.reason(&code(5)), rig.reason(&code(6))), (None, Some(Reason::Full)));
    rig.door.take_moves([(40, 1), (41, -1)]);
    assert_eq!(rig.reason(&code(6)), None);
    // In contact the server counts everybody, and knows better.
    let mut rig = Rig::new().with(row(1)).online(Verdict::Admitted, Some(row(1)));
    rig.door.take_post(with(0, 0));
    assert_eq!(rig.reason(&code(1)), None);
    let full = Verdict::Refused(Refusal::Full);
    let mut rig = Rig::new().with(row(1)).online(full, Some(row(1)));
    rig.door.take_post(with(9, 0));
    assert_eq!(rig.reason(&code(1)), Some(Reason::Full));
    // Whoever goes out is not held back.
    let mut rig = Rig::new().with(row(1)).at(StationKind::Exit, Terms::ONCE);
    assert_eq!(rig.reason(&code(1)), None);
}

proptest! {
    /// Whatever is scanned and whatever the server says: no signature, no green.
    #[test]
    fn no_text_is_admitted_without_a_signature(text in any::<String>(), online: bool) {
        let mut rig = Rig::new().with(row(1));
        if online {
            rig = rig.online(Verdict::Admitted, Some(row(1)));
        }
        if !text.trim().is_empty() {
            prop_assert_ne!(rig.scan(&text).verdict_word(), "admitted");
        }
    }

    #[test]
    fn no_changed_code_is_admitted(at in 2..admission::ticket::CODE_CHARS, to in "[A-Z2-7]") {
        let mut changed = code(1);
        prop_assume!(changed[at..=at] != to);
        changed.replace_range(at..=at, &to);
        let mut rig = Rig::new().with(row(1)).online(Verdict::Admitted, Some(row(1)));
        prop_assert_ne!(rig.scan(&changed).verdict_word(), "admitted");
    }

    /// Any order of scans of few tickets, with silence and answers in between: each is let in once at most.
    #[test]
    fn a_ticket_is_let_in_once(scans in prop::collection::vec((1_u8..4, any::<bool>(), any::<bool>()), 1..40)) {
        let mut rig = Rig::new().with(row(1)).with(row(2)).with_card(false);
        let mut admitted = HashMap::new();
        for (id, by_card, online) in scans {
            rig.server = online.then(|| checked(Verdict::Admitted, Some(row(id))));
            rig.door.synced(rig.now, None);
            rig.scan(&if by_card { CARD.to_owned() } else { code(id) });
            if let Some(id) = rig.journal.last().and_then(|line| line.admitted) {
                *admitted.entry(id).or_insert(0) += 1;
            }
        }
        prop_assert!(admitted.values().all(|&times| times == 1));
    }
}

/// A door whose machine was without power, and whose clock shows two hours less than it is.
fn in_doubt() -> Rig {
    let mut rig = Rig::new().with(row(1)).with(row(2)).with(row(3)).with_card(false);
    rig.now = NOON.plus(-2 * HOUR);
    let latest = rig.now.plus(-MINUTE);
    assert_eq!(rig.door.go_on_from(latest, rig.now), 0, "such a time may be right");
    rig.door.doubt(latest, rig.now);
    rig
}

#[test]
fn nobody_is_turned_away_for_the_hour_alone_while_the_clock_is_in_doubt() {
    let mut rig = in_doubt();
    assert!(rig.door.is_in_doubt());
    assert_eq!(rig.door.out_of_hours(rig.now), None, "nor does the screen say that it is closed");
    assert_eq!(
        rig.reason(&code(1)),
        None,
        "an hour too early, by a clock that nobody has confirmed"
    );
    assert_eq!(rig.reason(&code(1)), Some(Reason::AlreadyUsed), "every other rule holds");
    assert_eq!(rig.reason(&forged(&code(2))), Some(Reason::Forged));
    let next_week = TicketFact {
        valid_from: NOON.plus(7 * 24 * HOUR),
        valid_to: NOON.plus(8 * 24 * HOUR),
        ..fact(9)
    };
    let early = rig.reason(&next_week.sign(&issuer()));
    assert_eq!(early, Some(Reason::TooEarly), "so long it was not without power");
    let yesterday = TicketFact {
        valid_from: NOON.plus(-30 * HOUR),
        valid_to: NOON.plus(-20 * HOUR),
        ..fact(8)
    };
    let late = rig.reason(&yesterday.sign(&issuer()));
    assert_eq!(late, Some(Reason::TooLate), "that time is certainly past");
    // Once it is confirmed, the hour counts again.
    let mut rig = in_doubt();
    rig.door.confirm(Skew { ms: 0, error_ms: 5 });
    assert_eq!(rig.reason(&code(1)), Some(Reason::TooEarly));
    assert!(rig.door.out_of_hours(rig.now).is_none(), "the offer has no hours of its own here");
}

#[test]
fn in_doubt_too_the_holder_of_several_finds_them_on_the_screen() {
    let mut rig = in_doubt().at(StationKind::Counter, Terms::ONCE);
    let shown = rig.scan(CARD);
    assert_eq!(shown.reason_word(), Some("ambiguous"), "an hour too early by its clock");
    assert_eq!(shown.choices.len(), 3);
    let chosen = rig.order(What::Choose(shown.choices[1].ticket)).expect("shown");
    assert_eq!(chosen.verdict_word(), "admitted");
}

#[test]
fn what_was_written_in_doubt_is_put_right_once_the_clock_is_known() {
    let mut rig = in_doubt();
    assert_eq!(rig.door.confirm(Skew { ms: 5, error_ms: 5 }), None, "nothing was written");
    let mut rig = in_doubt();
    rig.scan(&code(1));
    rig.scan(&code(2));
    let corrected = rig.door.confirm(Skew { ms: 2 * HOUR, error_ms: 5 }).expect("two entries");
    let expected = Corrected { from: 1, through: 2, by_ms: 2 * HOUR, error_ms: 5 };
    assert_eq!(corrected, expected);
    assert!(!rig.door.is_in_doubt());
    assert_eq!(rig.door.confirm(Skew { ms: 0, error_ms: 5 }), None, "once");
    rig.scan(&code(3));
    let scans = rig.scans();
    assert!(
        scans[0].skew.is_some_and(|skew| skew.error_ms >= 24 * HOUR),
        "it says that it does not know"
    );
    let at = |scan: &Scan| {
        let skew = Corrected::of(&[corrected], scan.seq, scan.skew);
        Scan { skew, ..scan.clone() }.true_at()
    };
    assert_eq!([at(&scans[0]), at(&scans[1]), at(&scans[2])], [NOON; 3]);
    // The copy is as old as it is, and not as the clock had it.
    assert_eq!(rig.door.local_trust(rig.now), Trust::Local { age_ms: 3 * MINUTE });
}

#[test]
fn a_signed_ticket_that_the_server_has_lost_is_let_in_once() {
    let unknown = Verdict::Refused(Refusal::Unknown);
    let mut rig = Rig::new().online(unknown.clone(), None);
    let shown = rig.scan(&code(1));
    assert_eq!((shown.verdict_word(), shown.trust), ("admitted", Trust::SignatureOnly));
    assert_eq!(rig.asked, 1);
    // This door has a copy of it still.
    let mut rig = Rig::new().with(row(1)).online(unknown.clone(), None);
    let shown = rig.scan(&code(1));
    assert_eq!((shown.verdict_word(), shown.holder.as_deref()), ("admitted", Some("王*明")));
    assert_eq!(rig.reason(&code(1)), Some(Reason::AlreadyUsed), "once");
    // Another door told the server that it let it in.
    let used = Refusal::AlreadyUsed { at: NOON.plus(-MINUTE), station: "西门".to_owned() };
    let mut rig = Rig::new().online(Verdict::Refused(used), None);
    let shown = rig.scan(&code(1));
    assert_eq!((shown.reason_word(), shown.trust), (Some("already_used"), Trust::Live));
    // What this door refuses by its own copy, a server that knows nothing of it does not let in.
    let cancelled = TicketRow { state: TicketState::Cancelled, ..row(1) };
    let mut rig = Rig::new().with(cancelled).online(Verdict::Admitted, None);
    assert_eq!(rig.reason(&code(1)), Some(Reason::Cancelled));
}
