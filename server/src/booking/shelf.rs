//! What a person has booked, with what they must know of each event.

use admission::Millis;

use super::Status;
use crate::{db::Tx, error::Result, fetch, web::Frame};

/// A booking beside its event.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct Shelved {
    pub(crate) id: String,
    pub(crate) event_id: String,
    pub(crate) status: Status,
    pub(crate) places: i64,
    pub(crate) title: String,
    pub(crate) place: String,
    pub(crate) entrance: String,
    #[sqlx(try_from = "i64")]
    pub(crate) starts_ms: Millis,
    #[sqlx(try_from = "i64")]
    pub(crate) ends_ms: Millis,
    pub(crate) time_zone: String,
    pub(crate) event_status: String,
    /// One of its tickets: the only one, when it has one place.
    pub(crate) ticket_id: Option<String>,
    /// How many of its tickets have been used.
    pub(crate) used: i64,
}

/// Everything `person_id` has booked, by the time of the event.
pub(crate) async fn of(tx: &mut Tx, person_id: &str) -> Result<Vec<Shelved>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select b.id, b.event_id, b.status, b.places, e.title, e.place, e.entrance, e.starts_ms, e.ends_ms, e.time_zone,
                e.status as event_status,
                (select min(t.id) from ticket t where t.booking_id = b.id) as ticket_id,
                (select count(*) from ticket t where t.booking_id = b.id and t.used_ms is not null) as used
         from booking b join event e on e.id = b.event_id
         where b.person_id = $1 order by e.starts_ms, b.id",
        person_id,
    )?)
}

impl Shelved {
    /// Holds, and its event is not over.
    pub(crate) fn is_ahead(&self, now: Millis) -> bool {
        self.status.is_open() && self.event_status != "cancelled" && now < self.ends_ms
    }

    /// Where it is shown: a single ticket at once, several by way of their booking.
    pub(crate) fn address(&self) -> String {
        match &self.ticket_id {
            Some(ticket) if self.places == 1 && self.status == Status::Confirmed => {
                format!("/tickets/{ticket}")
            }
            _ => format!("/bookings/{}", self.id),
        }
    }

    /// Its state as a badge: kind and words.
    pub(crate) fn badge(&self, frame: &Frame) -> (&'static str, &'static str) {
        let over = frame.now >= self.ends_ms;
        match self.status {
            _ if self.event_status == "cancelled" => {
                ("warn", frame.t("活动已取消", "Event cancelled"))
            }
            Status::Confirmed if over && self.used > 0 => ("mute", frame.t("已参加", "Attended")),
            Status::Confirmed if over => ("mute", frame.t("已结束", "Over")),
            Status::Confirmed if self.used > 0 => ("ok", frame.t("已入场", "Admitted")),
            status => status.badge(frame),
        }
    }
}
