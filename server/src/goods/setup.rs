//! An organizer says what is handed out and where, and writes down what comes and goes.

use admission::{Millis, time::MINUTE};

use super::{Goods, Point, queries};
use crate::{
    db::{Tx, new_id},
    error::{Error, Result},
    event::{self, Event, OfferDraft},
    execute,
};

/// A stock of more is a slip of the finger.
pub(super) const UNITS_MAX: i64 = 1_000_000;

/// Says what an event hands out, or says it anew.
///
/// # Errors
/// [`Error::Invalid`] for names that are none.
pub(crate) async fn start(tx: &mut Tx, event_id: &str, goods: &Goods, now: Millis) -> Result<()> {
    if !(1..=40).contains(&goods.item.chars().count()) {
        return Err(Error::invalid(
            "item",
            "请写发什么，最多 40 个字。",
            "Please say what is handed out, in at most 40 characters.",
        ));
    }
    if !(1..=4).contains(&goods.unit.chars().count()) {
        return Err(Error::invalid(
            "unit",
            "单位写一两个字，例如“份”。",
            "A unit is a word or two: 份, box.",
        ));
    }
    execute!(
        tx,
        "insert into goods (event_id, item, unit, unit_cents, created_ms) values ($1, $2, $3, $4, $5)
         on conflict (event_id) do update set item = excluded.item, unit = excluded.unit, unit_cents = excluded.unit_cents",
        event_id,
        &goods.item,
        &goods.unit,
        goods.unit_cents,
        now.0,
    )?;
    Ok(())
}

/// A pick-up point about to be made.
#[derive(Clone, Debug)]
pub(crate) struct NewPoint {
    pub(crate) name: String,
    pub(crate) place: String,
    /// How many may book there.
    pub(crate) quota: i64,
    pub(crate) opens: Millis,
    pub(crate) closes: Millis,
    /// The hours of the hand-out.
    pub(crate) from: Millis,
    pub(crate) to: Millis,
    pub(crate) leftover: Option<Millis>,
    /// `line` or `walk_in`.
    pub(crate) leftover_to: &'static str,
    /// How long one from the line may take to accept.
    pub(crate) accept_ms: i64,
}

/// Makes a pick-up point with the offer that is booked there: one a person in the whole event. Gives its id.
///
/// # Errors
/// [`Error::Invalid`], naming the first field that is wrong.
pub(crate) async fn add_point(
    tx: &mut Tx,
    event: &Event,
    new: &NewPoint,
    now: Millis,
) -> Result<String> {
    if new.place.is_empty() || new.place.chars().count() > 80 {
        return Err(Error::invalid(
            "place",
            "请写领取地点，最多 80 个字。",
            "Please say where it is, in at most 80 characters.",
        ));
    }
    if new.leftover.is_some_and(|at| at <= new.from || at >= new.to) {
        return Err(Error::invalid(
            "leftover",
            "余量转出的时间要在领取时间之内。",
            "The time for what is left must lie within the hours of the hand-out.",
        ));
    }
    let draft = OfferDraft {
        valid_from_ms: Some(new.from.0),
        valid_to_ms: Some(new.to.0),
        cancel_until_ms: Some(new.to.0),
        limit_event: Some(1),
        waiting_list: true,
        accept_ms: new.accept_ms,
        ..OfferDraft::plain(&new.name, new.quota, new.opens.0, new.closes.0)
    };
    event::rules::check_offer(&draft)?;
    event::queries::hold(tx, &event.id).await?;
    if queries::points(tx, &event.id).await?.iter().any(|point| point.name == new.name) {
        return Err(Error::invalid(
            "name",
            "已经有同名的领取点。",
            "There is a point of that name already.",
        ));
    }
    let offer_id = event::queries::add_offer(tx, &event.id, &draft, now).await?;
    let id = new_id(now);
    execute!(
        tx,
        "insert into goods_point (id, event_id, name, place, offer_id, leftover_ms, leftover_to, created_ms)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        &id,
        &event.id,
        &new.name,
        &new.place,
        &offer_id,
        new.leftover.map(|at| at.0),
        new.leftover_to,
        now.0,
    )?;
    Ok(id)
}

/// The offer whose tickets delegates hold, made when it is first needed. Nobody can book it.
pub(super) async fn delegates_offer(
    tx: &mut Tx,
    event: &Event,
    goods: &Goods,
    now: Millis,
) -> Result<event::Offer> {
    let id = match &goods.offer_id {
        Some(id) => id.clone(),
        None => {
            let points = queries::points(tx, &event.id).await?;
            let (mut from, mut to) = (event.starts_ms, event.ends_ms);
            for point in &points {
                let offer = event::queries::offer(tx, &point.offer_id).await?;
                (from, to) = (from.min(offer.valid_from_ms), to.max(offer.valid_to_ms));
            }
            let draft = OfferDraft {
                mode: event::GIVEN.to_owned(),
                valid_from_ms: Some(from.0),
                valid_to_ms: Some(to.0),
                cancel_until_ms: Some(now.0 - MINUTE),
                // One person may collect for several units.
                per_person: 100,
                ..OfferDraft::plain("单位代领", 5_000, now.0 - 2 * MINUTE, now.0 - MINUTE)
            };
            let id = event::queries::add_offer(tx, &event.id, &draft, now).await?;
            execute!(tx, "update goods set offer_id = $2 where event_id = $1", &event.id, &id)?;
            id
        }
    };
    event::queries::offer(tx, &id).await
}

/// What happens to the stock of a point.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    /// So many units came.
    Delivery(i64),
    /// So many more or fewer were found.
    Correction(i64),
    /// So many went to another point.
    Transfer(i64, Point),
}

/// Writes what happened to the stock of a point. What it takes away must be there: no stock falls below nothing.
///
/// # Errors
/// [`Error::Invalid`] for no units, no reason, or more than there is.
pub(crate) async fn enter(
    tx: &mut Tx,
    point: &Point,
    entry: &Entry,
    note: &str,
    (staff_id, now): (&str, Millis),
) -> Result<()> {
    event::queries::hold(tx, &point.event_id).await?;
    let (kind, units) = match entry {
        Entry::Delivery(units) => ("delivery", *units),
        Entry::Correction(units) => ("correction", *units),
        Entry::Transfer(units, _) => ("transfer", -*units),
    };
    let positive = matches!(entry, Entry::Correction(_)) || units * sign(entry) > 0;
    if units == 0 || !positive || units.abs() > UNITS_MAX {
        return Err(Error::invalid(
            "units",
            "请填数量，用数字；盘亏在更正里填负数。",
            "Please give a number; what is missing is a correction below nought.",
        ));
    }
    if note.is_empty() && kind == "correction" {
        return Err(Error::invalid("note", "更正要写明原因。", "A correction needs a reason."));
    }
    if units < 0 {
        let stocks = queries::stocks(tx, &point.event_id, None).await?;
        let left = stocks.iter().find(|stock| stock.point_id == point.id).map_or(0, |s| s.left());
        if left + units < 0 {
            return Err(Error::invalid(
                "units",
                format!("账上只剩 {left}，不能减成负数。"),
                format!("There are {left} on the books; it cannot fall below nought."),
            ));
        }
    }
    queries::write_line(tx, point, (kind, units, note), staff_id, now).await?;
    if let Entry::Transfer(units, other) = entry {
        queries::write_line(tx, other, ("transfer", *units, note), staff_id, now).await?;
    }
    Ok(())
}

/// What a transfer takes away is written as a number above nought.
const fn sign(entry: &Entry) -> i64 {
    if matches!(entry, Entry::Transfer(..)) { -1 } else { 1 }
}
