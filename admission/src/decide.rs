//! Who may enter: the one decision. Server, kiosk and tests all call [`decide()`].

use serde::{Deserialize, Serialize};

use crate::{
    ticket::TicketFact,
    time::{MINUTE, Millis},
};

/// A time window is stretched by this much at both ends, so that nobody argues about a minute
/// and a kiosk's clock may be a little off.
pub const TOLERANCE_MS: i64 = 2 * MINUTE;

/// What is known of a ticket where the decision is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// What its code says.
    pub fact: TicketFact,
    /// What has become of it since.
    pub state: TicketState,
    /// The reissue number in force; codes below it are revoked.
    pub reissue: u8,
}

impl Ticket {
    /// A ticket of which nothing but its signed code is known.
    #[must_use]
    pub const fn from_code(fact: TicketFact) -> Self {
        Self { fact, state: TicketState::Valid, reissue: fact.reissue }
    }
}

/// What has become of a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TicketState {
    /// It admits.
    Valid,
    /// The booking was cancelled.
    Cancelled,
    /// A contribution is still to be paid.
    Unpaid,
    /// The organizer has yet to approve.
    Unapproved,
}

/// Why a kiosk stands where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StationKind {
    /// Lets people in.
    Gate,
    /// Sees people out.
    Exit,
    /// Redeems vouchers.
    Counter,
    /// An employer's stand.
    Booth,
    /// A consultation desk.
    Desk,
    /// A point on a walk.
    Checkpoint,
}

impl StationKind {
    /// The word in SQL, URL and JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Gate => "gate",
            Self::Exit => "exit",
            Self::Counter => "counter",
            Self::Booth => "booth",
            Self::Desk => "desk",
            Self::Checkpoint => "checkpoint",
        }
    }

    /// The kind of that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Gate, Self::Exit, Self::Counter, Self::Booth, Self::Desk, Self::Checkpoint]
            .into_iter()
            .find(|kind| kind.word() == word)
    }
}

/// Where the scan happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Station {
    /// What is done here.
    pub kind: StationKind,
    /// Its name on the signpost, "东门".
    pub name: String,
    /// The number of the event it serves.
    pub event: u32,
    /// The whole event was cancelled.
    pub event_cancelled: bool,
}

/// One earlier admission on a ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Use {
    /// When, by the best estimate of true time.
    pub at: Millis,
    /// The station's name.
    pub station: String,
}

/// What a scan led to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// Come in.
    Admitted,
    /// Not this time, and why.
    Refused(Refusal),
    /// A person must look, and at what.
    Attention(Refusal),
}

impl Verdict {
    /// `admitted`, `refused` or `attention`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Admitted => "admitted",
            Self::Refused(_) => "refused",
            Self::Attention(_) => "attention",
        }
    }

    /// The reason of a refusal, or of the call for attention.
    #[must_use]
    pub const fn reason(&self) -> Option<Reason> {
        match self {
            Self::Admitted => None,
            Self::Refused(refusal) | Self::Attention(refusal) => Some(refusal.reason()),
        }
    }

    /// Whether the holder goes in.
    #[must_use]
    pub const fn is_admitted(&self) -> bool {
        matches!(self, Self::Admitted)
    }
}

/// Why somebody is refused, with what the sentence on the screen needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Refusal {
    /// Not a code or card that we know how to read.
    Unknown,
    /// The shape of a ticket code, not signed by us.
    Forged,
    /// A newer code was issued for this ticket.
    Revoked,
    /// The booking, or the whole event, was cancelled.
    Cancelled,
    /// A contribution is still to be paid.
    Unpaid,
    /// The organizer has yet to approve.
    Unapproved,
    /// A ticket for another event.
    WrongEvent,
    /// This ticket is used at another station.
    WrongStation,
    /// Admission has not begun.
    TooEarly {
        /// When it begins.
        opens_at: Millis,
    },
    /// Admission is over.
    TooLate {
        /// When it ended.
        closed_at: Millis,
    },
    /// Somebody went in on this ticket.
    AlreadyUsed {
        /// When.
        at: Millis,
        /// Past which station.
        station: String,
    },
    /// A moving code that no longer moves: a screenshot.
    StaleCode,
    /// A card that is on no roster.
    UnknownCard,
    /// A card that was reported lost.
    BlockedCard,
    /// A member's card, and no ticket for this event.
    NotBooked,
    /// No room.
    Full,
    /// More than one ticket fits.
    Ambiguous,
}

impl Refusal {
    /// The reason alone.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Unknown => Reason::Unknown,
            Self::Forged => Reason::Forged,
            Self::Revoked => Reason::Revoked,
            Self::Cancelled => Reason::Cancelled,
            Self::Unpaid => Reason::Unpaid,
            Self::Unapproved => Reason::Unapproved,
            Self::WrongEvent => Reason::WrongEvent,
            Self::WrongStation => Reason::WrongStation,
            Self::TooEarly { .. } => Reason::TooEarly,
            Self::TooLate { .. } => Reason::TooLate,
            Self::AlreadyUsed { .. } => Reason::AlreadyUsed,
            Self::StaleCode => Reason::StaleCode,
            Self::UnknownCard => Reason::UnknownCard,
            Self::BlockedCard => Reason::BlockedCard,
            Self::NotBooked => Reason::NotBooked,
            Self::Full => Reason::Full,
            Self::Ambiguous => Reason::Ambiguous,
        }
    }
}

/// A reason without its particulars: what is counted and filtered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is documented at Refusal")]
pub enum Reason {
    Unknown,
    Forged,
    Revoked,
    Cancelled,
    Unpaid,
    Unapproved,
    WrongEvent,
    WrongStation,
    TooEarly,
    TooLate,
    AlreadyUsed,
    StaleCode,
    UnknownCard,
    BlockedCard,
    NotBooked,
    Full,
    Ambiguous,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 17] = [
        Self::Unknown,
        Self::Forged,
        Self::Revoked,
        Self::Cancelled,
        Self::Unpaid,
        Self::Unapproved,
        Self::WrongEvent,
        Self::WrongStation,
        Self::TooEarly,
        Self::TooLate,
        Self::AlreadyUsed,
        Self::StaleCode,
        Self::UnknownCard,
        Self::BlockedCard,
        Self::NotBooked,
        Self::Full,
        Self::Ambiguous,
    ];

    /// The word in SQL and JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Forged => "forged",
            Self::Revoked => "revoked",
            Self::Cancelled => "cancelled",
            Self::Unpaid => "unpaid",
            Self::Unapproved => "unapproved",
            Self::WrongEvent => "wrong_event",
            Self::WrongStation => "wrong_station",
            Self::TooEarly => "too_early",
            Self::TooLate => "too_late",
            Self::AlreadyUsed => "already_used",
            Self::StaleCode => "stale_code",
            Self::UnknownCard => "unknown_card",
            Self::BlockedCard => "blocked_card",
            Self::NotBooked => "not_booked",
            Self::Full => "full",
            Self::Ambiguous => "ambiguous",
        }
    }

    /// The reason of that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.word() == word)
    }
}

/// Decides whether `ticket` lets its holder in at `station` now, after the admissions in `history`.
///
/// The order of the checks is the order of helpfulness: a person at the wrong door is told so before
/// anything else, and "already used" comes last because it accuses.
#[must_use]
pub fn decide(ticket: &Ticket, station: &Station, history: &[Use], now: Millis) -> Verdict {
    let fact = &ticket.fact;
    let refusal = if fact.event != station.event {
        Refusal::WrongEvent
    } else if station.event_cancelled {
        Refusal::Cancelled
    } else if let Some(refusal) = refusal_of(ticket) {
        refusal
    } else if now < fact.valid_from.plus(-TOLERANCE_MS) {
        Refusal::TooEarly { opens_at: fact.valid_from }
    } else if now >= fact.valid_to.plus(TOLERANCE_MS) {
        Refusal::TooLate { closed_at: fact.valid_to }
    } else if let Some(first) = history.iter().min_by_key(|used| used.at) {
        Refusal::AlreadyUsed { at: first.at, station: first.station.clone() }
    } else {
        return Verdict::Admitted;
    };
    Verdict::Refused(refusal)
}

/// Decides for a card: whichever of the holder's tickets admits, or else the most telling refusal.
/// `tickets` are those of this holder for this event, each with its history; none at all is `not_booked`.
///
/// Returns the verdict and the place of the ticket it is about.
#[must_use]
pub fn decide_for_card(
    tickets: &[(Ticket, Vec<Use>)],
    station: &Station,
    now: Millis,
) -> (Verdict, Option<usize>) {
    let verdicts: Vec<Verdict> =
        tickets.iter().map(|(ticket, history)| decide(ticket, station, history, now)).collect();
    if let Some(at) = verdicts.iter().position(Verdict::is_admitted) {
        return (Verdict::Admitted, Some(at));
    }
    let telling = |verdict: &Verdict| match verdict.reason() {
        Some(Reason::AlreadyUsed) => 0,
        Some(Reason::TooEarly) => 1,
        Some(Reason::TooLate) => 2,
        Some(Reason::Cancelled | Reason::Revoked) => 9,
        _ => 5,
    };
    match verdicts.iter().enumerate().min_by_key(|(_, verdict)| telling(verdict)) {
        Some((at, verdict)) => (verdict.clone(), Some(at)),
        None => (Verdict::Refused(Refusal::NotBooked), None),
    }
}

fn refusal_of(ticket: &Ticket) -> Option<Refusal> {
    match ticket.state {
        TicketState::Cancelled => Some(Refusal::Cancelled),
        _ if ticket.fact.reissue < ticket.reissue => Some(Refusal::Revoked),
        TicketState::Unapproved => Some(Refusal::Unapproved),
        TicketState::Unpaid => Some(Refusal::Unpaid),
        TicketState::Valid => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ticket::TicketId;

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
        Station { kind: StationKind::Gate, name: "东门".into(), event: 4, event_cancelled: false }
    }

    fn refused(verdict: &Verdict) -> Option<Reason> {
        verdict.reason()
    }

    #[test]
    fn a_valid_ticket_is_admitted_once() {
        assert_eq!(decide(&ticket(), &gate(), &[], NOON), Verdict::Admitted);
        let first = Use { at: NOON, station: "东门".into() };
        let second = Use { at: NOON.plus(MINUTE), station: "西门".into() };
        assert_eq!(
            decide(&ticket(), &gate(), &[second, first], NOON.plus(2 * MINUTE)),
            Verdict::Refused(Refusal::AlreadyUsed { at: NOON, station: "东门".into() })
        );
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
        let used = (ticket(), vec![Use { at: NOON, station: "东门".into() }]);
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
            let history = vec![Use { at: Millis(1), station: "门".into() }; uses];
            let now = Millis(now);
            if decide(&ticket, &gate(), &history, now).is_admitted() {
                prop_assert!(uses == 0);
                prop_assert!(now.plus(TOLERANCE_MS) >= ticket.fact.valid_from);
                prop_assert!(now < ticket.fact.valid_to.plus(TOLERANCE_MS));
            }
        }
    }
}
