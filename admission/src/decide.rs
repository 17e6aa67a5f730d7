//! Who may enter: the one decision. Server, kiosk and tests all call [`decide()`].

use serde::{Deserialize, Serialize};

pub use crate::days::Days;
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
    /// How often and how it may be used.
    pub terms: Terms,
    /// What shows that its holder is here, and not only a picture of it.
    pub proof: Proof,
}

/// What shows that whoever holds a ticket is here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// Nothing: paper, a card, a plain code, or a moving one that cannot be judged here.
    #[default]
    Absent,
    /// A moving code that moves.
    Fresh,
    /// A moving code of another time, or of another ticket.
    Stale,
    /// Staff have looked at who it is.
    Seen,
}

impl Proof {
    /// Whether nothing is shown.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        *self == Self::Absent
    }
}

impl Ticket {
    /// A ticket of which nothing but its signed code is known.
    #[must_use]
    pub const fn from_code(fact: TicketFact) -> Self {
        let (state, proof) = (TicketState::Valid, Proof::Absent);
        Self { fact, state, reissue: fact.reissue, terms: Terms::ONCE, proof }
    }

    /// The same ticket under `terms`, which are its offer's.
    #[must_use]
    pub fn under(self, terms: Terms) -> Self {
        Self { terms, ..self }
    }

    /// The same ticket, shown with `proof`.
    #[must_use]
    pub fn with(self, proof: Proof) -> Self {
        Self { proof, ..self }
    }
}

/// How often, how, when and where the tickets of an offer may be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// How often it may be redeemed at counters.
    pub uses: u8,
    /// Whether its holder may go out and come in again.
    pub reentry: bool,
    /// On which days. None: on all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<Days>,
    /// The id of the only venue that takes it. None: any station of the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub venue: Option<String>,
    /// Whether it must be shown as a moving code, or with an ID.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub moving_code: bool,
}

impl Terms {
    /// Redeemed once, in once.
    pub const ONCE: Self =
        Self { uses: 1, reentry: false, days: None, venue: None, moving_code: false };

    /// Whether a station of that kind asks for proof that the holder is there: where somebody is let in or something is handed
    /// out. Who is inside already was looked at.
    #[must_use]
    pub const fn ask_for_proof(&self, kind: StationKind) -> bool {
        self.moving_code && matches!(kind, StationKind::Gate | StationKind::Counter)
    }

    /// How often it may still be redeemed after `history`.
    #[must_use]
    pub fn uses_left(&self, history: &[Use]) -> u8 {
        let used = history.iter().filter(|used| used.kind == StationKind::Counter).count();
        u8::try_from(used).map_or(0, |used| self.uses.saturating_sub(used))
    }
}

impl Default for Terms {
    fn default() -> Self {
        Self::ONCE
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
    /// The id of the venue where it stands. None: it serves them all.
    pub venue: Option<String>,
}

/// One earlier scan of a ticket that a station let pass: in, out, redeemed, visited, past a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Use {
    /// When, by the best estimate of true time.
    pub at: Millis,
    /// The station's name.
    pub station: String,
    /// What is done there.
    #[serde(default = "gate", skip_serializing_if = "is_gate")]
    pub kind: StationKind,
}

impl Use {
    /// An admission at a gate.
    #[must_use]
    pub const fn entry(at: Millis, station: String) -> Self {
        Self { at, station, kind: StationKind::Gate }
    }
}

const fn gate() -> StationKind {
    StationKind::Gate
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_gate(kind: &StationKind) -> bool {
    matches!(kind, StationKind::Gate)
}

/// Whether somebody with this history is inside: came in, and was not seen to go out since.
#[must_use]
pub fn is_inside(history: &[Use]) -> bool {
    last_move(history).is_some_and(|used| used.kind == StationKind::Gate)
}

fn last_move(history: &[Use]) -> Option<&Use> {
    let moves = history.iter().filter(|u| matches!(u.kind, StationKind::Gate | StationKind::Exit));
    // Of two at the same moment the later recorded one.
    moves.max_by_key(|used| used.at)
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

    /// Whether the holder goes in, at once or when somebody has looked at an ID.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        matches!(self, Self::Admitted | Self::Attention(Refusal::ShowId))
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
    /// Not on this day of the week, or not on this date.
    NotToday {
        /// The days of the week on which it may be used: Monday is the lowest bit.
        weekdays: u8,
        /// Today would be such a day of the week, and is left out by its date: a public holiday.
        closed: bool,
        /// The next day on which it may be used, from its first moment. None: there is none left.
        next: Option<Millis>,
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
    /// A ticket that asks for a moving code, shown on paper or by card: somebody looks at an ID.
    ShowId,
    /// A card that is on no roster.
    UnknownCard,
    /// A card that was reported lost.
    BlockedCard,
    /// A member's card, and no ticket for this event.
    NotBooked,
    /// No room.
    Full,
    /// Goods are used up at this pick-up point.
    OutOfStock {
        /// Where there is some left; empty when nowhere.
        elsewhere: String,
    },
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
            Self::NotToday { .. } => Reason::NotToday,
            Self::AlreadyUsed { .. } => Reason::AlreadyUsed,
            Self::StaleCode => Reason::StaleCode,
            Self::ShowId => Reason::ShowId,
            Self::UnknownCard => Reason::UnknownCard,
            Self::BlockedCard => Reason::BlockedCard,
            Self::NotBooked => Reason::NotBooked,
            Self::Full => Reason::Full,
            Self::OutOfStock { .. } => Reason::OutOfStock,
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
    NotToday,
    AlreadyUsed,
    StaleCode,
    ShowId,
    UnknownCard,
    BlockedCard,
    NotBooked,
    Full,
    OutOfStock,
    Ambiguous,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 20] = [
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
        Self::NotToday,
        Self::AlreadyUsed,
        Self::StaleCode,
        Self::ShowId,
        Self::UnknownCard,
        Self::BlockedCard,
        Self::NotBooked,
        Self::Full,
        Self::OutOfStock,
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
            Self::NotToday => "not_today",
            Self::AlreadyUsed => "already_used",
            Self::StaleCode => "stale_code",
            Self::ShowId => "show_id",
            Self::UnknownCard => "unknown_card",
            Self::BlockedCard => "blocked_card",
            Self::NotBooked => "not_booked",
            Self::Full => "full",
            Self::OutOfStock => "out_of_stock",
            Self::Ambiguous => "ambiguous",
        }
    }

    /// The reason of that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.word() == word)
    }
}

/// Decides whether `station` lets the holder of `ticket` pass now, after `history`: in at a gate, out at an exit, to
/// redeem at a counter, to visit a booth or desk, past a checkpoint.
///
/// Nobody is kept inside: an exit sees everybody out who has a ticket of this event, at any hour. A gate lets in once,
/// or again after an exit when the offer allows; a counter redeems as often as the offer says; a checkpoint counts once;
/// a booth and a desk take any number of visits.
///
/// The order of the checks is the order of helpfulness: a person at the wrong door is told so before
/// anything else, and "already used" late because it accuses. Who holds the ticket is asked last, of those alone whom
/// nothing else keeps out: nobody is sent to open a page, or asked for an ID, and refused then.
#[must_use]
pub fn decide(ticket: &Ticket, station: &Station, history: &[Use], now: Millis) -> Verdict {
    let fact = &ticket.fact;
    let refusal = if fact.event != station.event {
        Refusal::WrongEvent
    } else if station.kind == StationKind::Exit {
        return Verdict::Admitted;
    } else if station.event_cancelled {
        Refusal::Cancelled
    } else if elsewhere(ticket, station) {
        Refusal::WrongStation
    } else if let Some(refusal) = refusal_of(ticket) {
        refusal
    } else if now < fact.valid_from.plus(-TOLERANCE_MS) {
        Refusal::TooEarly { opens_at: fact.valid_from }
    } else if now >= fact.valid_to.plus(TOLERANCE_MS) {
        Refusal::TooLate { closed_at: fact.valid_to }
    } else if let Some(used) = spent(&ticket.terms, station, history) {
        Refusal::AlreadyUsed { at: used.at, station: used.station.clone() }
    } else if let Some(days) = ticket.terms.days.as_ref().filter(|days| !days.allow(now)) {
        let next = days.next_after(now, fact.valid_to);
        Refusal::NotToday { weekdays: days.weekdays, closed: days.leaves_out(now), next }
    } else {
        return to_its_holder(ticket, station);
    };
    Verdict::Refused(refusal)
}

/// What is said to whom nothing else keeps out.
fn to_its_holder(ticket: &Ticket, station: &Station) -> Verdict {
    match ticket.proof {
        _ if !ticket.terms.ask_for_proof(station.kind) => Verdict::Admitted,
        Proof::Fresh | Proof::Seen => Verdict::Admitted,
        Proof::Stale => Verdict::Refused(Refusal::StaleCode),
        Proof::Absent => Verdict::Attention(Refusal::ShowId),
    }
}

/// Whether the ticket is taken at one venue only, and the station stands at another.
fn elsewhere(ticket: &Ticket, station: &Station) -> bool {
    matches!((&ticket.terms.venue, &station.venue), (Some(its), Some(here)) if its != here)
}

/// The earlier use that stands against one more at `station`.
fn spent<'a>(terms: &Terms, station: &Station, history: &'a [Use]) -> Option<&'a Use> {
    let of = |kind| history.iter().filter(move |used| used.kind == kind);
    match station.kind {
        StationKind::Exit | StationKind::Booth | StationKind::Desk => None,
        StationKind::Checkpoint => of(StationKind::Checkpoint)
            .filter(|used| used.station == station.name)
            .min_by_key(|used| used.at),
        StationKind::Counter if terms.uses_left(history) > 0 => None,
        StationKind::Counter => of(StationKind::Counter).max_by_key(|used| used.at),
        StationKind::Gate => {
            let last = last_move(history)?;
            if terms.reentry {
                return Some(last).filter(|last| last.kind == StationKind::Gate);
            }
            // Whoever was seen to go out had come in, seen or not.
            of(StationKind::Gate).min_by_key(|used| used.at).or(Some(last))
        }
    }
}

/// Decides for a card: whichever of the holder's tickets admits, or would when somebody has looked at an ID, or else the
/// most telling refusal. At a counter the holder says which, when several could be redeemed; at an exit it is the one that
/// is inside.
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
    let passing: Vec<usize> = (0..tickets.len()).filter(|&at| verdicts[at].may_pass()).collect();
    match (station.kind, &passing[..]) {
        (_, []) => {}
        (StationKind::Counter, [_, _, ..]) => {
            return (Verdict::Attention(Refusal::Ambiguous), None);
        }
        (StationKind::Exit, [first, ..]) => {
            let inside = tickets.iter().position(|(_, history)| is_inside(history));
            return (Verdict::Admitted, inside.or(Some(*first)));
        }
        (_, [first, ..]) => {
            let admitting = passing.iter().find(|at| verdicts[**at].is_admitted());
            let at = *admitting.unwrap_or(first);
            return (verdicts[at].clone(), Some(at));
        }
    }
    let telling = |verdict: &Verdict| match verdict.reason() {
        Some(Reason::AlreadyUsed) => 0,
        Some(Reason::TooEarly | Reason::NotToday) => 1,
        Some(Reason::TooLate) => 2,
        Some(Reason::Cancelled | Reason::Revoked) => 9,
        _ => 5,
    };
    match verdicts.iter().enumerate().min_by_key(|(_, verdict)| telling(verdict)) {
        Some((at, verdict)) => (verdict.clone(), Some(at)),
        None => (Verdict::Refused(Refusal::NotBooked), None),
    }
}

/// What a verdict becomes at `station` when the event is at its approved size: nobody more comes in. Whoever goes out, and
/// what is done inside, is not touched.
#[must_use]
pub fn when_full(verdict: Verdict, station: StationKind) -> Verdict {
    match station {
        StationKind::Gate if verdict.may_pass() => Verdict::Refused(Refusal::Full),
        _ => verdict,
    }
}

/// Places that a kiosk may give by itself to members without a ticket: what is left of an allotment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spare {
    /// Admission on the offer begins.
    pub valid_from: Millis,
    /// Admission on the offer ends.
    pub valid_to: Millis,
    /// The allotment is given until then.
    pub until: Millis,
    /// How many places are left.
    pub left: u32,
}

/// Decides whether a member who has no ticket is given a place at `station` now, from one of its `spares`.
///
/// Returns the verdict and the place of the spare that it is from. Where nobody gives places it is `not_booked`.
#[must_use]
pub fn decide_walk_in(
    station: &Station,
    spares: &[Spare],
    now: Millis,
) -> (Verdict, Option<usize>) {
    let refused = |refusal| (Verdict::Refused(refusal), None);
    if station.kind != StationKind::Gate || spares.is_empty() {
        return refused(Refusal::NotBooked);
    }
    if station.event_cancelled {
        return refused(Refusal::Cancelled);
    }
    let begun = |spare: &&Spare| now >= spare.valid_from.plus(-TOLERANCE_MS);
    let on = |spare: &&Spare| begun(spare) && now < spare.valid_to.plus(TOLERANCE_MS);
    let has = |spare: &Spare| on(&spare) && spare.left > 0 && now < spare.until;
    if let Some(at) = spares.iter().position(has) {
        return (Verdict::Admitted, Some(at));
    }
    if spares.iter().any(|spare| on(&spare)) {
        return refused(Refusal::Full);
    }
    let ahead = spares.iter().filter(|spare| !begun(spare)).map(|spare| spare.valid_from).min();
    match (ahead, spares.iter().map(|spare| spare.valid_to).max()) {
        (Some(opens_at), _) => refused(Refusal::TooEarly { opens_at }),
        (None, Some(closed_at)) => refused(Refusal::TooLate { closed_at }),
        (None, None) => refused(Refusal::NotBooked),
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
        let terms =
            Terms { uses: 2, days: Some(days), venue: Some("springs".into()), ..Terms::ONCE };
        // NOON is a Friday in Beijing.
        let fact = TicketFact { valid_to: NOON.plus(30 * crate::time::DAY), ..ticket().fact };
        let voucher = Ticket::from_code(fact).under(terms);
        let counter =
            Station { kind: StationKind::Counter, venue: Some("springs".into()), ..gate() };
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
        let (fresh, redeemed) =
            ((ticket(), vec![]), (ticket(), vec![used(StationKind::Counter, 1)]));
        let counter = at(StationKind::Counter);
        let both = [fresh.clone(), fresh.clone()];
        let (verdict, which) = decide_for_card(&both, &counter, now);
        assert_eq!((verdict, which), (Verdict::Attention(Refusal::Ambiguous), None));
        let one_left = [redeemed, fresh.clone()];
        assert_eq!(decide_for_card(&one_left, &counter, now), (Verdict::Admitted, Some(1)));
        let inside = [fresh, (ticket(), vec![used(StationKind::Gate, 1)])];
        assert_eq!(
            decide_for_card(&inside, &at(StationKind::Exit), now),
            (Verdict::Admitted, Some(1))
        );
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
        let reason =
            |spares: &[Spare], minute| refused(&decide_walk_in(&gate(), spares, at(minute)).0);
        assert_eq!(
            decide_walk_in(&gate(), &[none_left, spare], NOON),
            (Verdict::Admitted, Some(1))
        );
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
}
