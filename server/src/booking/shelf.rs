//! What a person has booked, with what they must know of each event.

use admission::Millis;

use crate::{db::Tx, error::Result, fetch, web::Frame};

/// A booking beside its event.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct Shelved {
    pub(crate) id: String,
    pub(crate) event_id: String,
    pub(crate) status: String,
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
        self.status == "confirmed" && self.event_status != "cancelled" && now < self.ends_ms
    }

    /// Where it is shown: a single ticket at once, several by way of their booking.
    pub(crate) fn address(&self) -> String {
        match &self.ticket_id {
            Some(ticket) if self.places == 1 && self.status == "confirmed" => {
                format!("/tickets/{ticket}")
            }
            _ => format!("/bookings/{}", self.id),
        }
    }

    /// Its state as a badge: kind and words.
    pub(crate) fn badge(&self, frame: &Frame) -> (&'static str, &'static str) {
        let over = frame.now >= self.ends_ms;
        match self.status.as_str() {
            _ if self.event_status == "cancelled" => {
                ("warn", frame.t("活动已取消", "Event cancelled"))
            }
            "cancelled" => ("mute", frame.t("已取消", "Cancelled")),
            "confirmed" if over && self.used > 0 => ("mute", frame.t("已参加", "Attended")),
            "confirmed" if over => ("mute", frame.t("已结束", "Over")),
            "confirmed" if self.used > 0 => ("ok", frame.t("已入场", "Admitted")),
            "confirmed" => ("ok", frame.t("已报名", "Booked")),
            "drawn_out" => ("mute", frame.t("没有抽中", "Not drawn")),
            _ => ("info", frame.t("等待结果", "Waiting")),
        }
    }
}
