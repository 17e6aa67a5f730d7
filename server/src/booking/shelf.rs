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

/// By way of the offers: a person's bookings stand in no index of their own. Made in the order in which it stands.
const OF: &str = "select b.id, b.event_id, b.status, b.places, e.title, e.place, e.entrance, e.starts_ms, e.ends_ms, e.time_zone,
            e.status as event_status,
            (select min(t.id) from ticket t where t.booking_id = b.id) as ticket_id,
            (select count(*) from ticket t where t.booking_id = b.id and t.used_ms is not null) as used
     from event e cross join offer o cross join booking b
     where e.ends_ms > $1 and o.event_id = e.id and b.offer_id = o.id and b.person_id = $2
     order by e.starts_ms, b.id";

/// Everything `person_id` has booked of events that end after `since`, by the time of the event. It takes longer the more
/// offers there were since.
pub(crate) async fn of(tx: &mut Tx, person_id: &str, since: Millis) -> Result<Vec<Shelved>> {
    Ok(fetch!(tx, fetch_all, OF, since.0, person_id)?)
}

/// Whether there were events that ended before `since`.
pub(super) async fn goes_on_before(tx: &mut Tx, since: Millis) -> Result<bool> {
    let event: Option<(String,)> =
        fetch!(tx, fetch_optional, "select id from event where ends_ms <= $1 limit 1", since.0)?;
    Ok(event.is_some())
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

#[cfg(test)]
mod tests {
    use super::OF;
    use crate::db::Db;

    /// A rush looks at its bookings: no other person's are read for that.
    #[tokio::test]
    async fn a_persons_bookings_are_looked_up_in_each_offer() {
        let (_folder, db) = Db::of_a_test().await;
        let plan = db.plan(OF).await;
        let last = "SEARCH b USING INDEX booking_offer (offer_id=? AND person_id=?)";
        assert!(plan.contains(&last.to_owned()), "{plan:?}");
    }
}
