//! The decision, rule by rule, and over whatever may come.

use proptest::prelude::*;

use super::*;
use crate::ticket::{TicketFact, TicketId};

const NOON: Millis = Millis(1_800_000_000_000);

fn ticket() -> Ticket {
    Ticket::from_code(TicketFact {
        id: TicketId([1; 12]),
        event: 4,
        class: 0,
        valid_from: NOON,
        valid_to: NOON.plus(60 * MINUTE),
        reissue: 0,
    })
}

fn gate() -> Station {
    Station {
        kind: StationKind::Gate,
        name: "东门".into(),
        event: 4,
        event_cancelled: false,
        venue: None,
    }
}

fn refused(verdict: &Verdict) -> Option<Reason> {
    verdict.reason()
}

#[test]
fn a_valid_ticket_is_admitted_once() {
    assert_eq!(decide(&ticket(), &gate(), &[], NOON), Verdict::Admitted);
    let first = Use::entry(NOON, "东门".into());
    let second = Use::entry(NOON.plus(MINUTE), "西门".into());
    assert_eq!(
        decide(&ticket(), &gate(), &[second, first], NOON.plus(2 * MINUTE)),
        Verdict::Refused(Refusal::AlreadyUsed { at: NOON, station: "东门".into() })
    );
}

#[test]
fn a_voucher_is_taken_on_its_days_and_at_its_venue_only() {
    let days =
        Days { zone: "Asia/Shanghai".into(), weekdays: crate::days::WORKING, closed: vec![] };
    let terms = Terms { uses: 2, days: Some(days), venue: Some("springs".into()), ..Terms::ONCE };
    // NOON is a Friday in Beijing.
    let fact = TicketFact { valid_to: NOON.plus(30 * crate::time::DAY), ..ticket().fact };
    let voucher = Ticket::from_code(fact).under(terms);
    let counter = Station { kind: StationKind::Counter, venue: Some("springs".into()), ..gate() };
    assert_eq!(decide(&voucher, &counter, &[], NOON), Verdict::Admitted);
    let saturday = NOON.plus(crate::time::DAY);
    let Verdict::Refused(Refusal::NotToday { closed: false, next: Some(next), .. }) =
        decide(&voucher, &counter, &[], saturday)
    else {
        panic!("it is a Saturday")
    };
    assert_eq!(decide(&voucher, &counter, &[], next), Verdict::Admitted);
    let elsewhere = Station { venue: Some("lake".into()), ..counter.clone() };
    assert_eq!(refused(&decide(&voucher, &elsewhere, &[], NOON)), Some(Reason::WrongStation));
    let service = Station { venue: None, ..counter };
    assert_eq!(decide(&voucher, &service, &[], NOON), Verdict::Admitted);
}

#[test]
fn each_fault_has_its_own_reason() {
    let cancelled = Ticket { state: TicketState::Cancelled, ..ticket() };
    let unpaid = Ticket { state: TicketState::Unpaid, ..ticket() };
    let unapproved = Ticket { state: TicketState::Unapproved, ..ticket() };
    let reissued = Ticket { reissue: 1, ..ticket() };
    for (ticket, reason) in [
        (cancelled, Reason::Cancelled),
        (unpaid, Reason::Unpaid),
        (unapproved, Reason::Unapproved),
        (reissued, Reason::Revoked),
    ] {
        assert_eq!(refused(&decide(&ticket, &gate(), &[], NOON)), Some(reason));
    }
    let elsewhere = Station { event: 5, ..gate() };
    assert_eq!(refused(&decide(&ticket(), &elsewhere, &[], NOON)), Some(Reason::WrongEvent));
    let off = Station { event_cancelled: true, ..gate() };
    assert_eq!(refused(&decide(&ticket(), &off, &[], NOON)), Some(Reason::Cancelled));
}

#[test]
fn the_window_is_stretched_by_the_tolerance_and_no_more() {
    let end = NOON.plus(60 * MINUTE);
    assert!(decide(&ticket(), &gate(), &[], NOON.plus(-TOLERANCE_MS)).is_admitted());
    assert_eq!(
        decide(&ticket(), &gate(), &[], NOON.plus(-TOLERANCE_MS - 1)),
        Verdict::Refused(Refusal::TooEarly { opens_at: NOON })
    );
    assert!(decide(&ticket(), &gate(), &[], end.plus(TOLERANCE_MS - 1)).is_admitted());
    assert_eq!(
        decide(&ticket(), &gate(), &[], end.plus(TOLERANCE_MS)),
        Verdict::Refused(Refusal::TooLate { closed_at: end })
    );
}

#[test]
fn a_card_is_let_in_by_whichever_ticket_admits() {
    let used = (ticket(), vec![Use::entry(NOON, "东门".into())]);
    let fresh = (ticket(), vec![]);
    assert_eq!(
        decide_for_card(&[used.clone(), fresh], &gate(), NOON),
        (Verdict::Admitted, Some(1))
    );
    let cancelled = (Ticket { state: TicketState::Cancelled, ..ticket() }, vec![]);
    let (verdict, at) = decide_for_card(&[cancelled, used], &gate(), NOON);
    assert_eq!((refused(&verdict), at), (Some(Reason::AlreadyUsed), Some(1)));
    assert_eq!(decide_for_card(&[], &gate(), NOON).0, Verdict::Refused(Refusal::NotBooked));
}

fn at(kind: StationKind) -> Station {
    Station { kind, name: "这里".into(), ..gate() }
}

fn used(kind: StationKind, minute: i64) -> Use {
    Use { at: NOON.plus(minute * MINUTE), station: "这里".into(), kind }
}

fn admits(ticket: &Ticket, kind: StationKind, history: &[Use]) -> bool {
    decide(ticket, &at(kind), history, NOON.plus(30 * MINUTE)).is_admitted()
}

#[test]
fn in_again_after_an_exit_only_when_the_offer_allows_it() {
    use StationKind::{Exit, Gate};
    let (once, again) = (ticket(), ticket().under(Terms { reentry: true, ..Terms::ONCE }));
    let (first, out, second) = (used(Gate, 1), used(Exit, 2), used(Gate, 3));
    let inside = [first.clone()];
    let outside = [first.clone(), out.clone()];
    let back = [second, out.clone(), first];
    for (history, inside_now, admits_once, admits_again) in [
        (&[][..], false, true, true),
        (&inside, true, false, false),
        (&outside, false, false, true),
        (&back, true, false, false),
        (&[out], false, false, true),
    ] {
        assert_eq!(is_inside(history), inside_now, "{history:?}");
        assert_eq!(admits(&once, Gate, history), admits_once, "{history:?}");
        assert_eq!(admits(&again, Gate, history), admits_again, "{history:?}");
    }
}

#[test]
fn nobody_is_kept_inside() {
    let late = NOON.plus(300 * MINUTE);
    let cancelled = Ticket { state: TicketState::Cancelled, ..ticket() };
    for ticket in [ticket(), cancelled] {
        assert!(decide(&ticket, &at(StationKind::Exit), &[], late).is_admitted());
    }
    let elsewhere = Station { event: 5, ..at(StationKind::Exit) };
    assert_eq!(refused(&decide(&ticket(), &elsewhere, &[], NOON)), Some(Reason::WrongEvent));
}

#[test]
fn a_counter_redeems_as_often_as_the_offer_says_whoever_came_in_at_a_gate() {
    use StationKind::{Counter, Gate};
    let thrice = ticket().under(Terms { uses: 3, ..Terms::ONCE });
    let mut history = vec![used(Gate, 1)];
    for left in [3, 2, 1] {
        assert_eq!(thrice.terms.uses_left(&history), left);
        assert!(admits(&thrice, Counter, &history));
        history.push(used(Counter, 10 - i64::from(left)));
    }
    assert_eq!(thrice.terms.uses_left(&history), 0);
    let last = history.last().cloned().expect("the third");
    assert_eq!(
        decide(&thrice, &at(Counter), &history, NOON.plus(30 * MINUTE)),
        Verdict::Refused(Refusal::AlreadyUsed { at: last.at, station: last.station })
    );
    assert!(!admits(&thrice, Gate, &history), "redeeming is not going out");
}

#[test]
fn visits_have_no_number_and_a_checkpoint_counts_once() {
    use StationKind::{Booth, Checkpoint, Desk};
    for kind in [Booth, Desk] {
        assert!(admits(&ticket(), kind, &[used(kind, 1), used(kind, 2)]));
    }
    assert!(!admits(&ticket(), Checkpoint, &[used(Checkpoint, 1)]));
    let elsewhere = Use { station: "别处".into(), ..used(Checkpoint, 1) };
    assert!(admits(&ticket(), Checkpoint, &[elsewhere]));
}

#[test]
fn at_a_counter_the_holder_chooses_and_at_an_exit_the_one_inside_goes_out() {
    let now = NOON.plus(30 * MINUTE);
    let (fresh, redeemed) = ((ticket(), vec![]), (ticket(), vec![used(StationKind::Counter, 1)]));
    let counter = at(StationKind::Counter);
    let both = [fresh.clone(), fresh.clone()];
    let (verdict, which) = decide_for_card(&both, &counter, now);
    assert_eq!((verdict, which), (Verdict::Attention(Refusal::Ambiguous), None));
    let one_left = [redeemed, fresh.clone()];
    assert_eq!(decide_for_card(&one_left, &counter, now), (Verdict::Admitted, Some(1)));
    let inside = [fresh, (ticket(), vec![used(StationKind::Gate, 1)])];
    assert_eq!(decide_for_card(&inside, &at(StationKind::Exit), now), (Verdict::Admitted, Some(1)));
}

#[test]
fn a_walk_in_is_given_a_place_while_there_is_one_and_its_time_is() {
    let spare = Spare {
        valid_from: NOON,
        valid_to: NOON.plus(60 * MINUTE),
        until: NOON.plus(40 * MINUTE),
        left: 1,
    };
    let none_left = Spare { left: 0, ..spare };
    let at = |minute| NOON.plus(minute * MINUTE);
    let reason = |spares: &[Spare], minute| refused(&decide_walk_in(&gate(), spares, at(minute)).0);
    assert_eq!(decide_walk_in(&gate(), &[none_left, spare], NOON), (Verdict::Admitted, Some(1)));
    assert_eq!(reason(&[none_left], 0), Some(Reason::Full));
    assert_eq!(reason(&[spare], 40), Some(Reason::Full), "lent until then");
    assert_eq!(reason(&[spare], -10), Some(Reason::TooEarly));
    assert_eq!(reason(&[spare], 70), Some(Reason::TooLate));
    assert_eq!(reason(&[], 0), Some(Reason::NotBooked));
    let desk = Station { kind: StationKind::Desk, ..gate() };
    assert_eq!(refused(&decide_walk_in(&desk, &[spare], NOON).0), Some(Reason::NotBooked));
}

fn asks_for_a_moving_code() -> Ticket {
    ticket().under(Terms { moving_code: true, ..Terms::ONCE })
}

#[test]
fn a_moving_code_is_asked_for_where_somebody_is_let_in_or_something_handed_out() {
    use StationKind::{Booth, Checkpoint, Counter, Desk, Exit, Gate};
    let verdicts = [
        (Proof::Fresh, Verdict::Admitted),
        (Proof::Seen, Verdict::Admitted),
        (Proof::Stale, Verdict::Refused(Refusal::StaleCode)),
        (Proof::Absent, Verdict::Attention(Refusal::ShowId)),
    ];
    for (proof, verdict) in verdicts {
        let shown = asks_for_a_moving_code().with(proof);
        for kind in [Gate, Counter] {
            assert_eq!(decide(&shown, &at(kind), &[], NOON), verdict, "{kind:?}");
        }
        for kind in [Exit, Booth, Desk, Checkpoint] {
            assert_eq!(decide(&shown, &at(kind), &[], NOON), Verdict::Admitted, "{kind:?}");
        }
        let plain = ticket().with(proof);
        assert_eq!(decide(&plain, &gate(), &[], NOON), Verdict::Admitted, "{proof:?}");
    }
}

#[test]
fn nobody_is_asked_to_prove_anything_who_would_not_pass_then() {
    let (cancelled, early) = (TicketState::Cancelled, NOON.plus(-60 * MINUTE));
    let used = [Use::entry(NOON, "东门".into())];
    for proof in [Proof::Absent, Proof::Stale, Proof::Fresh] {
        let shown = asks_for_a_moving_code().with(proof);
        let told = |ticket: &Ticket, uses: &[Use], now| {
            refused(&decide(ticket, &gate(), uses, now)).expect("none is admitted")
        };
        assert_eq!(told(&shown, &used, NOON), Reason::AlreadyUsed);
        assert_eq!(told(&shown, &[], early), Reason::TooEarly);
        let gone = Ticket { state: cancelled, ..shown };
        assert_eq!(told(&gone, &[], NOON), Reason::Cancelled);
    }
}

#[test]
fn a_card_opens_the_ticket_that_asks_for_nothing_first() {
    let glance = Verdict::Attention(Refusal::ShowId);
    let asks = || (asks_for_a_moving_code(), vec![]);
    let used = (ticket(), vec![Use::entry(NOON, "东门".into())]);
    assert_eq!(decide_for_card(&[used, asks()], &gate(), NOON), (glance.clone(), Some(1)));
    let plain = (ticket(), vec![]);
    let both = [asks(), plain];
    assert_eq!(decide_for_card(&both, &gate(), NOON), (Verdict::Admitted, Some(1)));
    let counter = at(StationKind::Counter);
    let (verdict, which) = decide_for_card(&both, &counter, NOON);
    assert_eq!((verdict, which), (Verdict::Attention(Refusal::Ambiguous), None));
    let exit = at(StationKind::Exit);
    assert_eq!(decide_for_card(&[asks()], &exit, NOON), (Verdict::Admitted, Some(0)));
    assert_eq!(when_full(glance, StationKind::Gate), Verdict::Refused(Refusal::Full));
}

#[test]
fn terms_of_an_older_server_ask_for_no_moving_code() {
    let read: Terms = serde_json::from_str(r#"{"uses":1,"reentry":false}"#).expect("plain");
    assert_eq!(read, Terms::ONCE);
    let told = serde_json::to_string(&Terms::ONCE).expect("plain");
    assert!(!told.contains("moving"), "{told}");
}

#[test]
fn a_use_of_an_older_journal_was_at_a_gate() {
    let read: Use = serde_json::from_str(r#"{"at":7,"station":"东门"}"#).expect("plain data");
    assert_eq!(read, Use::entry(Millis(7), "东门".into()));
    assert_eq!(serde_json::to_string(&read).expect("plain"), r#"{"at":7,"station":"东门"}"#);
}

#[test]
fn a_verdict_is_one_flat_object() {
    let verdict = Verdict::Refused(Refusal::TooEarly { opens_at: Millis(5) });
    let json = serde_json::to_string(&verdict).expect("plain data");
    assert_eq!(json, r#"{"verdict":"refused","reason":"too_early","opens_at":5}"#);
    assert_eq!(serde_json::from_str::<Verdict>(&json).expect("own text"), verdict);
    assert_eq!(
        serde_json::to_string(&Verdict::Admitted).expect("plain data"),
        r#"{"verdict":"admitted"}"#
    );
}

proptest! {
    #[test]
    fn nobody_is_admitted_twice_or_outside_the_window(
        from in 0u32..1_000_000, length in 0u32..100_000, now in 0i64..2_000_000_000, uses in 0usize..3,
    ) {
        let mut ticket = ticket();
        ticket.fact.valid_from = Millis::from_seconds(from);
        ticket.fact.valid_to = Millis::from_seconds(from + length);
        let history = vec![Use::entry(Millis(1), "门".into()); uses];
        let now = Millis(now);
        if decide(&ticket, &gate(), &history, now).is_admitted() {
            prop_assert!(uses == 0);
            prop_assert!(now.plus(TOLERANCE_MS) >= ticket.fact.valid_from);
            prop_assert!(now < ticket.fact.valid_to.plus(TOLERANCE_MS));
        }
    }
}
