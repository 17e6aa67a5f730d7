//! How a kiosk is doing, as the organizer is told.

use admission::{Millis, time::MINUTE};

use super::Kiosk;
use crate::web::Frame;

/// A kiosk speaks every few seconds; after this long it is called silent.
const SILENT_MS: i64 = MINUTE;

/// How a kiosk is doing; what needs more care is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Health {
    /// No longer believed.
    Revoked,
    /// Its enrolment code expired unused.
    Expired,
    /// Its enrolment code was not used yet.
    Waiting,
    /// Heard of a moment ago.
    Online,
    /// Not heard of for a while: it works alone.
    Silent {
        /// When it was last heard.
        since: Millis,
    },
    /// Its journal contradicts itself.
    Quarantined,
}

impl Kiosk {
    /// How it is doing at `now`.
    pub(crate) fn health(&self, now: Millis) -> Health {
        if self.revoked_ms.is_some() {
            return Health::Revoked;
        }
        if self.quarantined_ms.is_some() {
            return Health::Quarantined;
        }
        let Some(enrolled) = self.enrolled_ms else {
            let expired = self.code_expires_ms.is_none_or(|expires| now.0 >= expires);
            return if expired { Health::Expired } else { Health::Waiting };
        };
        let heard = Millis(self.seen_ms.unwrap_or(enrolled));
        if now.since(heard) > SILENT_MS { Health::Silent { since: heard } } else { Health::Online }
    }
}

impl Health {
    /// The look of its badge. Working alone is nothing alarming.
    pub(crate) const fn badge(self) -> &'static str {
        match self {
            Self::Online => "ok",
            Self::Waiting => "info",
            Self::Quarantined => "warn",
            Self::Revoked | Self::Expired | Self::Silent { .. } => "mute",
        }
    }

    /// The words of its badge, in the reader's language.
    pub(crate) const fn name(self, frame: &Frame) -> &'static str {
        match self {
            Self::Online => frame.t("在线", "Online"),
            Self::Waiting => frame.t("等待登记", "To enrol"),
            Self::Expired => frame.t("登记码过期", "Code expired"),
            Self::Silent { .. } => frame.t("离线", "Offline"),
            Self::Quarantined => frame.t("已隔离", "Quarantined"),
            Self::Revoked => frame.t("已停用", "Revoked"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kiosk() -> Kiosk {
        Kiosk {
            id: String::new(),
            name: String::new(),
            event_id: String::new(),
            station_kind: "gate".to_owned(),
            station: String::new(),
            public_key: None,
            code_expires_ms: None,
            enrolled_ms: None,
            revoked_ms: None,
            lost: false,
            quarantined_ms: None,
            quarantine_note: None,
            head_seq: 0,
            head_chain: None,
            seen_ms: None,
            queue: 0,
            skew_ms: None,
            wrong_pins: 0,
            revision_seen: 0,
        }
    }

    #[test]
    fn a_kiosk_waits_is_online_falls_silent_and_is_revoked() {
        let now = Millis(10 * MINUTE);
        let waiting = Kiosk { code_expires_ms: Some(now.0 + 1), ..kiosk() };
        assert_eq!(waiting.health(now), Health::Waiting);
        assert_eq!(waiting.health(now.plus(1)), Health::Expired);
        let enrolled = Kiosk { enrolled_ms: Some(now.0), ..kiosk() };
        assert_eq!(enrolled.health(now), Health::Online);
        let since = now;
        assert_eq!(enrolled.health(now.plus(SILENT_MS + 1)), Health::Silent { since });
        let quarantined = Kiosk { quarantined_ms: Some(1), ..enrolled };
        assert_eq!(quarantined.health(now), Health::Quarantined);
        assert_eq!(Kiosk { revoked_ms: Some(1), ..quarantined }.health(now), Health::Revoked);
    }
}
