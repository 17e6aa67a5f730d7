//! What vouchers and partner benefits came to, for the yearly report.

use std::collections::HashMap;

use admission::{Millis, days};

use super::{Entry, Kind, Month, all_open, clocks, queries};
use crate::{
    db::Tx,
    error::Result,
    voucher::{
        benefit::{self, Used},
        venue,
        venue::Venue,
    },
};

/// Every line of every venue: those of closed statements as they were frozen, the others computed. Whoever wants several
/// spans reads it once.
#[derive(Clone, Debug)]
pub(crate) struct Books {
    /// In the order in which they became partners; whether a line stands on a closed statement, and the line.
    venues: Vec<(Venue, Vec<(bool, Entry)>)>,
}

/// What a span came to at one venue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct VenueSpan {
    pub(crate) name: String,
    /// Redemptions that were not taken back in the span.
    pub(crate) redeemed: i64,
    /// What the federation owes for them.
    pub(crate) cents: i64,
    /// The part of it that stands on closed statements.
    pub(crate) closed_cents: i64,
    /// How often somebody was shown to be a member, without a voucher.
    pub(crate) benefits: i64,
    /// How many people they were, while that is known of all.
    pub(crate) benefit_people: Option<i64>,
}

impl Books {
    /// The lines as they are known at `now`.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn read(tx: &mut Tx, now: Millis) -> Result<Self> {
        let mut venues = Vec::new();
        for venue in venue::all(tx).await? {
            let closed = queries::all_frozen_entries(tx, &venue.id).await?;
            let open = all_open(tx, &venue, Month::of(now)).await?;
            let closed = closed.into_iter().map(|entry| (true, entry));
            let lines = closed.chain(open.into_iter().map(|(_, entry)| (false, entry))).collect();
            venues.push((venue, lines));
        }
        Ok(Self { venues })
    }

    /// What the federation owes for each event's vouchers, over all time, in cents. Without an entry: nothing was redeemed.
    pub(crate) fn by_event(&self) -> HashMap<&str, i64> {
        let mut events = HashMap::new();
        for (_, entry) in self.venues.iter().flat_map(|(_, lines)| lines) {
            *events.entry(entry.event_id.as_str()).or_default() += entry.amount_cents;
        }
        events
    }

    /// The venues at which something happened in `from..to`.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn of_span(
        &self,
        tx: &mut Tx,
        (from, to): (Millis, Millis),
    ) -> Result<Vec<VenueSpan>> {
        let benefits = benefit::by_venue(tx, days_of((from, to))).await?;
        let of = |(venue, lines): &(Venue, Vec<(bool, Entry)>)| {
            let (benefit_people, benefits) =
                benefits.get(&venue.id).copied().map_or((None, 0), Used::people_and_times);
            let nothing = VenueSpan { name: venue.name.clone(), ..VenueSpan::default() };
            let mut at = VenueSpan { benefits, benefit_people, ..nothing.clone() };
            for (closed, entry) in lines {
                if (from..to).contains(&entry.at_ms) {
                    at.cents += entry.amount_cents;
                    at.closed_cents += if *closed { entry.amount_cents } else { 0 };
                    at.redeemed += match entry.kind {
                        Kind::Redemption => 1,
                        Kind::Reversal => -1,
                        Kind::Adjustment => 0,
                    };
                }
            }
            Some(at).filter(|at| *at != nothing)
        };
        Ok(self.venues.iter().filter_map(of).collect())
    }
}

/// Discounts at all venues in a span: 人, while that is known of all, and 人次. None: there was none.
///
/// # Errors
/// When the database fails.
pub(crate) async fn benefits(
    tx: &mut Tx,
    span: (Millis, Millis),
) -> Result<Option<(Option<i64>, i64)>> {
    let used = benefit::used(tx, days_of(span)).await?;
    Ok(Some(used.people_and_times()).filter(|(_, times)| *times > 0))
}

/// The first day of a span, and the first after it.
fn days_of((from, to): (Millis, Millis)) -> (String, String) {
    let day = |moment| days::date_of(moment, &clocks()).to_string();
    (day(from), day(to))
}
