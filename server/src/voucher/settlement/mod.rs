//! What the federation owes a venue, month by month: a line for each redemption, and one for each that was taken back.
//! An open month is computed from the scans whenever it is looked at; closing freezes its lines under a number and a hash.
//! What arrives later goes to the next statement, marked as such; nothing that was settled is ever changed.

mod files;
mod lines;
pub(super) mod pages;
mod queries;
pub(crate) mod year;

use std::collections::BTreeMap;

use admission::{Millis, days};
use jiff::{Span, civil::Date, tz::TimeZone};
use sha2::{Digest as _, Sha256};

use lines::Frozen;
pub(super) use lines::{Entry, Kind, Mark};

use super::venue::Venue;
use crate::{
    App, audit,
    db::Tx,
    error::{Error, Result},
    web::{access::Staff, frame::zone},
};

/// A month of settlement, on the clocks of Beijing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Month(Date);

impl Month {
    /// The month of a moment.
    pub(super) fn of(moment: Millis) -> Self {
        Self(days::date_of(moment, &clocks()).first_of_month())
    }

    /// Of `2027-03`.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (year, month) = text.split_once('-')?;
        (year.len() == 4 && month.len() == 2)
            .then(|| Date::new(year.parse().ok()?, month.parse().ok()?, 1).ok())
            .flatten()
            .map(Self)
    }

    pub(super) fn begins(self) -> Millis {
        days::begin_of(self.0, &clocks())
    }

    pub(super) fn ends(self) -> Millis {
        self.next().begins()
    }

    pub(super) fn next(self) -> Self {
        Self(self.0.saturating_add(Span::new().months(1)))
    }

    #[cfg(test)]
    fn before(self) -> Self {
        Self(self.0.saturating_sub(Span::new().months(1)))
    }

    /// 2027年3月.
    pub(super) fn name(self) -> String {
        format!("{}年{}月", self.0.year(), self.0.month())
    }
}

impl std::fmt::Display for Month {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-{:02}", self.0.year(), self.0.month())
    }
}

fn clocks() -> TimeZone {
    zone("Asia/Shanghai")
}

/// A month's lines, open or closed.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    pub(super) month: Month,
    pub(super) entries: Vec<Entry>,
    /// None while it is open.
    pub(super) closed: Option<Closed>,
}

/// What a closed month is known by.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Closed {
    pub(super) id: String,
    pub(super) month: String,
    pub(super) number: String,
    pub(super) total_cents: i64,
    pub(super) sha256: String,
    #[sqlx(try_from = "i64")]
    pub(super) closed_ms: Millis,
}

impl Statement {
    pub(super) fn total_cents(&self) -> i64 {
        self.entries.iter().map(|entry| entry.amount_cents).sum()
    }

    /// How many lines are of that kind.
    pub(super) fn count(&self, kind: Kind) -> usize {
        self.entries.iter().filter(|entry| entry.kind == kind).count()
    }

    /// How many redemptions are not paid for.
    pub(super) fn unpaid(&self) -> usize {
        self.entries.iter().filter(|entry| entry.mark != Mark::Payable).count()
    }

    /// Whether its lines are those that were frozen.
    pub(super) fn is_sound(&self, venue: &Venue) -> bool {
        self.closed.as_ref().is_none_or(|closed| {
            closed.sha256 == hash(&closed.number, &venue.id, self.month, &self.entries)
                && closed.total_cents == self.total_cents()
        })
    }
}

/// The statement of a venue's month.
///
/// # Errors
/// When the database fails.
pub(super) async fn of_month(tx: &mut Tx, venue: &Venue, month: Month) -> Result<Statement> {
    if let Some(closed) = queries::closed(tx, &venue.id, &month.to_string()).await? {
        let entries = queries::frozen_entries(tx, &closed.id).await?;
        return Ok(Statement { month, entries, closed: Some(closed) });
    }
    let open = all_open(tx, venue, month).await?;
    let entries =
        open.into_iter().filter(|(home, _)| *home == month).map(|(_, entry)| entry).collect();
    Ok(Statement { month, entries, closed: None })
}

/// Every line that is not settled yet, through `month`, with the month whose statement it is for: as if the open months
/// were closed one after the other.
async fn all_open(tx: &mut Tx, venue: &Venue, month: Month) -> Result<Vec<(Month, Entry)>> {
    let redeemed = queries::redeemed(tx, &venue.id, month.ends()).await?;
    let mut frozen = queries::frozen(tx, &venue.id).await?;
    let through = queries::closed_through(tx, &venue.id).await?;
    let first = redeemed.first().map(|first| Month::of(first.true_ms));
    let Some(mut home) = through.map(Month::next).or(first) else { return Ok(Vec::new()) };
    let mut lines = Vec::new();
    while home <= month {
        let until = redeemed.partition_point(|scan| scan.true_ms < home.ends());
        let entries = lines::open(&redeemed[..until], &frozen, home.ends());
        frozen.extend(entries.iter().map(Frozen::of));
        lines.extend(entries.into_iter().map(|entry| {
            let late = Month::of(entry.at_ms) < home;
            (home, Entry { late, ..entry })
        }));
        home = home.next();
    }
    Ok(lines)
}

/// The months of a venue that have a statement or something to settle, the latest first.
pub(super) async fn months(tx: &mut Tx, venue: &Venue, now: Millis) -> Result<Vec<Statement>> {
    let this = Month::of(now);
    let mut open = BTreeMap::from([(this, Vec::new())]);
    for (home, entry) in all_open(tx, venue, this).await? {
        open.entry(home).or_insert_with(Vec::new).push(entry);
    }
    let closed = queries::closed_months(tx, &venue.id).await?;
    open.retain(|month, _| !closed.contains(month));
    let mut statements: Vec<Statement> = open
        .into_iter()
        .map(|(month, entries)| Statement { month, entries, closed: None })
        .collect();
    for month in closed {
        statements.push(of_month(tx, venue, month).await?);
    }
    statements.sort_by_key(|statement| std::cmp::Reverse(statement.month));
    Ok(statements)
}

/// Closes a month that is over: its lines are frozen under a number and a hash.
///
/// # Errors
/// [`Error::Refused`] while the month runs, when it is closed, or when one before it is open.
pub(super) async fn close(app: &App, staff: &Staff, venue_id: &str, month: Month) -> Result<()> {
    let now = app.clock.now();
    let refused = |code, zh: String, en: String| {
        Err(crate::error::Refused::new(axum::http::StatusCode::CONFLICT, code, zh, en).into())
    };
    if now < month.ends() {
        return refused(
            "month_runs",
            "这个月还没有过完，月底以后才能结算。".to_owned(),
            "The month is not over; it can be closed afterwards.".to_owned(),
        );
    }
    let mut tx = app.db.write().await?;
    let venue = super::venue::venue(&mut tx, venue_id).await?;
    if queries::closed_through(&mut tx, venue_id).await?.is_some_and(|through| month <= through) {
        return refused(
            "closed",
            "这个月已经结算。后来的记录会进下一个月。".to_owned(),
            "It is closed. What arrives later goes to the next month.".to_owned(),
        );
    }
    let open = all_open(&mut tx, &venue, month).await?;
    if let Some((earlier, _)) = open.iter().find(|(home, _)| *home < month) {
        return refused(
            "earlier_open",
            format!("请先结算 {}。", earlier.name()),
            format!("Please close {earlier} first."),
        );
    }
    let entries: Vec<Entry> =
        open.into_iter().filter(|(home, _)| *home == month).map(|(_, entry)| entry).collect();
    let n = queries::closed_in(&mut tx, &month.to_string()).await? + 1;
    let number = format!("JS{}-{n:03}", month.to_string().replace('-', ""));
    let closed = Closed {
        id: crate::db::new_id(now),
        month: month.to_string(),
        sha256: hash(&number, venue_id, month, &entries),
        number,
        total_cents: entries.iter().map(|entry| entry.amount_cents).sum(),
        closed_ms: now,
    };
    match queries::freeze(&mut tx, &venue, &closed, &entries, staff).await {
        Err(Error::Database(error))
            if error.as_database_error().is_some_and(|error| error.is_unique_violation()) =>
        {
            // Somebody closed it at the same moment.
            tx.rollback().await?;
            return Err(Error::Busy);
        }
        outcome => outcome?,
    }
    audit::record(&mut tx, staff, "settlement.close", &closed.id, "", now).await?;
    tx.commit().await?;
    Ok(())
}

/// The hash of a statement's lines: anybody who has them can compute it again (docs/vouchers.md).
fn hash(number: &str, venue_id: &str, month: Month, entries: &[Entry]) -> String {
    let mut text = format!("turnout settlement 1\n{number}\n{venue_id}\n{month}\n");
    for entry in entries {
        let Entry { scan_id, kind, serial, at_ms, amount_cents, mark, late, .. } = entry;
        text.push_str(&format!(
            "{scan_id}\t{}\t{serial}\t{}\t{amount_cents}\t{}\t{late}\n",
            kind.word(),
            at_ms.0,
            mark.word()
        ));
    }
    data_encoding::HEXLOWER.encode(&Sha256::digest(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_read_and_written_and_lasts_from_midnight_to_midnight() {
        let march = Month::read("2027-03").expect("a month");
        assert_eq!((march.to_string().as_str(), march.name().as_str()), ("2027-03", "2027年3月"));
        assert_eq!(march.next().before(), march);
        assert_eq!(Month::of(march.begins()), march);
        assert_eq!(Month::of(march.ends().plus(-1)), march);
        assert_eq!(Month::of(march.ends()).to_string(), "2027-04");
        assert_eq!(Month::read("2027-3"), None);
        assert_eq!(Month::read("2027-13"), None);
    }
}
