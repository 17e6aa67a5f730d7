//! Points in time, and who tells them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A point in time: milliseconds since 1970-01-01T00:00:00Z.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Millis(pub i64);

/// One second in milliseconds.
pub const SECOND: i64 = 1_000;
/// One minute in milliseconds.
pub const MINUTE: i64 = 60 * SECOND;
/// One hour in milliseconds.
pub const HOUR: i64 = 60 * MINUTE;
/// One day of 24 hours in milliseconds.
pub const DAY: i64 = 24 * HOUR;

impl Millis {
    /// This point moved by `ms` milliseconds (negative: earlier).
    #[must_use]
    pub const fn plus(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to this point; negative when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Whole seconds since 1970, as a ticket code carries them; clamped to what 32 bits hold.
    #[must_use]
    pub fn as_seconds(self) -> u32 {
        u32::try_from(self.0.div_euclid(SECOND).max(0)).unwrap_or(u32::MAX)
    }

    /// The point `seconds` after 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn from_seconds(seconds: u32) -> Self {
        Self(i64::from(seconds) * SECOND)
    }
}

impl From<i64> for Millis {
    fn from(ms: i64) -> Self {
        Self(ms)
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Tells the time. The system's clock at the programs' edge, a hand-moved one in tests.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Millis;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_of_a_ticket_are_clamped_not_wrapped() {
        assert_eq!(Millis(-1).as_seconds(), 0);
        assert_eq!(Millis(i64::MAX).as_seconds(), u32::MAX);
        assert_eq!(Millis::from_seconds(Millis(1_999).as_seconds()), Millis(1_000));
    }
}
