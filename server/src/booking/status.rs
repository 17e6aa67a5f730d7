//! What can become of a booking.

use serde::Serialize;
use utoipa::ToSchema;

use crate::web::Frame;

/// What became of a booking so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Status {
    /// It has its places.
    Confirmed,
    /// It has its places until an hour, to be confirmed or paid for by then.
    Held,
    /// It stands in line for a place.
    Waiting,
    /// It takes part in a draw that is to come.
    Entered,
    /// An organizer is to approve it.
    Requested,
    /// It took part in a draw and got nothing.
    DrawnOut,
    /// An organizer did not approve it.
    Declined,
    /// Its places were held and the hour passed.
    Lapsed,
    /// Its holder or the organizer cancelled it.
    Cancelled,
}

impl Status {
    /// The word in SQL, JSON and CSS.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Held => "held",
            Self::Waiting => "waiting",
            Self::Entered => "entered",
            Self::Requested => "requested",
            Self::DrawnOut => "drawn_out",
            Self::Declined => "declined",
            Self::Lapsed => "lapsed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Its look and words for its holder, before the event.
    pub(crate) const fn badge(self, frame: &Frame) -> (&'static str, &'static str) {
        match self {
            Self::Confirmed => ("ok", frame.t("已报名", "Booked")),
            Self::Held => ("warn", frame.t("待确认", "To be confirmed")),
            Self::Waiting => ("info", frame.t("候补中", "In line")),
            Self::Entered => ("info", frame.t("等待抽签", "In the draw")),
            Self::Requested => ("info", frame.t("等待审核", "To be approved")),
            Self::DrawnOut => ("mute", frame.t("没有抽中", "Not drawn")),
            Self::Declined => ("mute", frame.t("没有通过", "Not approved")),
            Self::Lapsed => ("mute", frame.t("过期未确认", "Lapsed")),
            Self::Cancelled => ("mute", frame.t("已取消", "Cancelled")),
        }
    }

    /// Its places count as taken.
    #[must_use]
    pub const fn has_places(self) -> bool {
        matches!(self, Self::Confirmed | Self::Held)
    }

    /// It has places or may still get them, and so counts for the limits of its person.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(
            self,
            Self::Confirmed | Self::Held | Self::Waiting | Self::Entered | Self::Requested
        )
    }
}
