//! What the decision is made from: the ticket, its offer's terms, the station, and what the ticket was used for.

use serde::{Deserialize, Serialize};

use super::Days;
use crate::{ticket::TicketFact, time::Millis};

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

pub(super) fn last_move(history: &[Use]) -> Option<&Use> {
    let moves = history.iter().filter(|u| matches!(u.kind, StationKind::Gate | StationKind::Exit));
    // Of two at the same moment the later recorded one.
    moves.max_by_key(|used| used.at)
}
