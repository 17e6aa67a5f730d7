//! The SQL of the booking desk.

use crate::{booking::Status, db::Tx, error::Result, fetch};

/// A booking, for a list.
#[derive(sqlx::FromRow)]
pub(super) struct Row {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) phone: Option<String>,
    pub(super) offer: String,
    pub(super) status: Status,
    pub(super) places: i64,
    pub(super) held_until_ms: Option<i64>,
    /// What it costs; in the list of refunds, what is to be given back.
    pub(super) cents: i64,
    /// Which one it is of its offer, counted as the line is.
    pub(super) number: i64,
}

/// What became of a booking.
#[derive(sqlx::FromRow)]
pub(super) struct Change {
    pub(super) at_ms: i64,
    pub(super) booking_id: String,
    pub(super) name: String,
    pub(super) offer: String,
    pub(super) cause: String,
    pub(super) staff: Option<String>,
    pub(super) reason: String,
}

/// The columns and joins of [`Row`].
macro_rules! row_select {
    ($rest:literal) => {
        concat!(
            "select b.id, p.name, p.phone, o.name as offer, b.status, b.places, b.held_until_ms,
                    b.places * o.contribution_cents as cents,
                    row_number() over (partition by b.offer_id order by b.line, b.id) as number
             from booking b join person p on p.id = b.person_id join offer o on o.id = b.offer_id ",
            $rest
        )
    };
}

/// The columns and joins of [`Change`].
macro_rules! change_select {
    ($rest:literal) => {
        concat!(
            "select c.at_ms, c.booking_id, p.name, o.name as offer, c.cause, s.name as staff, c.reason
             from booking_change c join booking b on b.id = c.booking_id join person p on p.id = b.person_id
             join offer o on o.id = b.offer_id left join staff s on s.id = c.staff_id ",
            $rest
        )
    };
}

/// Bookings of an event that stand like that, the first in line first.
pub(super) async fn rows(
    tx: &mut Tx,
    event_id: &str,
    status: Status,
    most: i64,
) -> Result<Vec<Row>> {
    Ok(fetch!(
        tx,
        fetch_all,
        row_select!(
            "where o.event_id = $1 and b.status = $2 order by o.class, b.line, b.held_until_ms, b.id limit $3"
        ),
        event_id,
        status,
        most,
    )?)
}

/// How many bookings of an event stand like that.
pub(super) async fn count(tx: &mut Tx, event_id: &str, status: Status) -> Result<i64> {
    let (count,): (i64,) = fetch!(
        tx,
        fetch_one,
        "select count(*) from offer o join booking b on b.offer_id = o.id where o.event_id = $1 and b.status = $2",
        event_id,
        status,
    )?;
    Ok(count)
}

/// Bookings of an event whose person's name contains `sought`, or whose phone ends in it, the newest first.
pub(super) async fn find(tx: &mut Tx, event_id: &str, sought: &str, most: i64) -> Result<Vec<Row>> {
    let plain = sought.to_lowercase().replace(['%', '_', '\\', '\0'], "");
    let digits = plain.len() == 4 && plain.chars().all(|c| c.is_ascii_digit());
    let phone = if digits { format!("%{plain}") } else { String::new() };
    Ok(fetch!(
        tx,
        fetch_all,
        row_select!(
            "where o.event_id = $1 and (p.name_search like $2 or p.phone like $3) order by b.created_ms desc, b.id desc limit $4"
        ),
        event_id,
        format!("%{plain}%"),
        phone,
        most,
    )?)
}

/// Bookings of an event that came to nothing and were paid for: what is to be given back.
pub(super) async fn refunds(tx: &mut Tx, event_id: &str) -> Result<Vec<Row>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select b.id, p.name, p.phone, o.name as offer, b.status, b.places, b.held_until_ms, m.cents,
                row_number() over (order by b.id) as number
         from (select booking_id, cast(sum(case when kind = 'paid' then cents else -cents end) as bigint) as cents
               from payment where event_id = $1 group by booking_id) m
         join booking b on b.id = m.booking_id join person p on p.id = b.person_id
         join offer o on o.id = b.offer_id join event e on e.id = b.event_id
         where m.cents > 0
           and (e.status = 'cancelled' or b.status in ('drawn_out', 'declined', 'lapsed', 'cancelled'))
         order by b.cancelled_ms, b.id limit 1000",
        event_id,
    )?)
}

/// What became of the bookings of an event, the newest first.
pub(super) async fn log(tx: &mut Tx, event_id: &str, most: i64) -> Result<Vec<Change>> {
    Ok(fetch!(
        tx,
        fetch_all,
        change_select!("where c.event_id = $1 order by c.at_ms desc, c.id desc limit $2"),
        event_id,
        most,
    )?)
}

/// What became of one booking, from its beginning.
pub(super) async fn log_of(tx: &mut Tx, booking_id: &str) -> Result<Vec<Change>> {
    Ok(fetch!(
        tx,
        fetch_all,
        change_select!("where c.booking_id = $1 order by c.at_ms, c.id"),
        booking_id,
    )?)
}

/// Money that changed hands for a booking.
#[derive(sqlx::FromRow)]
pub(super) struct Payment {
    pub(super) kind: String,
    pub(super) cents: i64,
    pub(super) method: String,
    pub(super) staff: Option<String>,
    pub(super) at_ms: i64,
}

/// What was paid and given back for a booking.
pub(super) async fn payments(tx: &mut Tx, booking_id: &str) -> Result<Vec<Payment>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select y.kind, y.cents, y.method, s.name as staff, y.at_ms
         from payment y left join staff s on s.id = y.staff_id where y.booking_id = $1 order by y.at_ms, y.kind",
        booking_id,
    )?)
}

/// Name and phone of a person.
pub(super) async fn person(tx: &mut Tx, id: &str) -> Result<(String, Option<String>)> {
    Ok(fetch!(tx, fetch_one, "select name, phone from person where id = $1", id)?)
}
