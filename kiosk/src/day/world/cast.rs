//! Who and what a day has: the event and its offers, tickets and their holders, people with cards.

use super::*;

/// One ticket and its holder's phone.
pub(super) struct Holder {
    pub(super) fact: TicketFact,
    pub(super) code: String,
    /// It was cancelled or reissued at some time: a door may not have heard of it.
    pub(super) changed: bool,
}

/// Somebody with a membership card, and the tickets that it opens.
pub(super) struct Person {
    pub(super) id: String,
    pub(super) card: String,
    pub(super) tickets: Vec<usize>,
}

pub(super) fn issuer() -> IssuerKey {
    IssuerKey::new(1, &[3; 32])
}

/// How often a ticket of that class is let pass at such stations.
pub(super) fn uses_of(kind: StationKind, class: u8) -> u8 {
    if kind == StationKind::Counter && class == 1 { USES } else { 1 }
}

pub(super) fn card_key() -> CardKey {
    CardKey::new([5; 32])
}

pub(super) fn offers() -> Vec<OfferInfo> {
    let (valid_from, valid_to) = (MORNING.plus(-DAY), MORNING.plus(3 * DAY));
    let entry = OfferInfo { valid_from, valid_to, ..OfferInfo::once(0, "五公里".into()) };
    let terms = Terms { uses: USES, moving_code: true, ..Terms::ONCE };
    let voucher = OfferInfo { class: 1, name: "温泉".into(), terms, ..entry.clone() };
    let terms = Terms { moving_code: true, ..Terms::ONCE };
    let moving = OfferInfo { class: 2, name: "十公里".into(), terms, ..entry.clone() };
    vec![entry, voucher, moving]
}

/// From what the codes on ticket pages are made.
pub(super) fn moving_key() -> EventKey {
    EventKey::of(&[9; 32], "e")
}

/// Whose card opens a ticket.
pub(super) fn owner<'a>(people: &'a [Person], holder: &Holder) -> Option<&'a Person> {
    people.iter().find(|person| {
        person.tickets.iter().any(|ticket| TicketId([number(*ticket); 12]) == holder.fact.id)
    })
}

/// The number of a ticket.
pub(super) fn number(which: usize) -> u8 {
    u8::try_from(which + 1).expect("few tickets")
}

pub(super) fn person(n: u8) -> Person {
    let (own, voucher) = (usize::from(n), usize::from(n) + usize::from(VOUCHERS - 1));
    let tickets = match n {
        0..8 => vec![own, voucher],
        8..HOLDERS_WITH_CARDS => vec![own],
        _ => Vec::new(),
    };
    // The first with a right check digit.
    let card = (0..10)
        .map(|check| format!(";6210300000000{n:02}{check}=30122200000000000000?"))
        .find(|card| CardNumber::read(card).is_some());
    Person { id: format!("p{n}"), card: card.expect("one of ten digits checks"), tickets }
}

/// A gate of the day's event, without other kiosks.
pub(in crate::day) fn post(name: &str, station: &str) -> Post {
    Post {
        name: name.to_owned(),
        station_kind: StationKind::Gate,
        station: station.to_owned(),
        event: EventInfo {
            number: EVENT,
            id: "e".into(),
            title: "健步走".into(),
            time_zone: "Asia/Shanghai".into(),
            starts_at: MORNING,
            ends_at: MORNING.plus(DAY),
            cancelled: false,
            offers: offers(),
        },
        keys: vec![IssuerPublicKey::new(1, &issuer().public())],
        keys_signed: String::new(),
        card_bins: vec!["621030".into()],
        lease_until: MORNING.plus(10 * DAY),
        allotments: Vec::new(),
        room: None,
        venue: None,
        peers: Vec::new(),
        moving_key: Some(moving_key()),
    }
}

pub(super) fn holder(id: u8) -> Holder {
    let fact = TicketFact {
        id: TicketId([id; 12]),
        event: EVENT,
        class: match id {
            VOUCHERS.. => 1,
            MOVING.. => 2,
            _ => 0,
        },
        valid_from: MORNING.plus(-DAY),
        valid_to: MORNING.plus(3 * DAY),
        reissue: 0,
    };
    Holder { code: fact.sign(&issuer()), fact, changed: false }
}
