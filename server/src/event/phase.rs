//! How an event stands, in two to four characters, for those who run it.

use admission::Millis;

use super::Event;
use crate::web::Frame;

/// How an event stands at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Only staff see it.
    Draft,
    /// The public sees it; it has not begun.
    Published,
    /// Nobody can book any more; it has not begun.
    Closed,
    /// It is on now.
    Running,
    /// It is over.
    Over,
    /// It was cancelled.
    Cancelled,
}

impl Event {
    /// How it stands at `now`.
    pub(crate) fn phase(&self, now: &Millis) -> Phase {
        match self.status.as_str() {
            "draft" => Phase::Draft,
            "cancelled" => Phase::Cancelled,
            _ if *now >= self.ends_ms => Phase::Over,
            _ if *now >= self.starts_ms => Phase::Running,
            "closed" => Phase::Closed,
            _ => Phase::Published,
        }
    }
}

impl Phase {
    /// The look of its badge.
    pub(crate) const fn badge(self) -> &'static str {
        match self {
            Self::Running => "ok",
            Self::Published => "info",
            Self::Cancelled => "warn",
            Self::Draft | Self::Closed | Self::Over => "mute",
        }
    }

    /// The words of its badge, in the reader's language.
    pub(crate) const fn name(self, frame: &Frame) -> &'static str {
        match self {
            Self::Draft => frame.t("草稿", "Draft"),
            Self::Published => frame.t("已发布", "Published"),
            Self::Closed => frame.t("停止报名", "Booking closed"),
            Self::Running => frame.t("进行中", "On now"),
            Self::Over => frame.t("已结束", "Over"),
            Self::Cancelled => frame.t("已取消", "Cancelled"),
        }
    }
}
