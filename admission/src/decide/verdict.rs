//! What a scan leads to, and why.

use serde::{Deserialize, Serialize};

use crate::time::Millis;

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
