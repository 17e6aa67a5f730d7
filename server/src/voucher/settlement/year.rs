//! What a year's vouchers and partner benefits came to, for the yearly report.

use std::collections::HashMap;

use admission::{Millis, days};

use super::{Kind, Month, all_open, clocks, queries};
use crate::{
    db::Tx,
    error::Result,
    voucher::{benefit, venue},
};

/// What a span of time came to at the partner venues.
#[derive(Clone, Debug, Default)]
pub(crate) struct Span {
    /// What the federation owes for each event's vouchers, over all time, in cents. Without an entry: nothing was redeemed.
    pub(crate) events: HashMap<String, i64>,
    /// The venues at which something happened, in the order in which they became partners.
    pub(crate) venues: Vec<VenueSpan>,
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
}

/// What `from..to` came to, as it is known at `now`: lines of closed statements as they were frozen, the others computed.
///
/// # Errors
/// When the database fails.
pub(crate) async fn of_span(
    tx: &mut Tx,
    (from, to): (Millis, Millis),
    now: Millis,
) -> Result<Span> {
    let day = |moment| days::date_of(moment, &clocks()).to_string();
    let benefits = benefit::by_venue(tx, (&day(from), &day(to))).await?;
    let mut span = Span::default();
    for venue in venue::all(tx).await? {
        let mut at = VenueSpan { name: venue.name.clone(), ..VenueSpan::default() };
        at.benefits = benefits.get(&venue.id).copied().unwrap_or(0);
        let closed = queries::all_frozen_entries(tx, &venue.id).await?;
        let open = all_open(tx, &venue, Month::of(now)).await?;
        let closed = closed.into_iter().map(|entry| (true, entry));
        for (closed, entry) in closed.chain(open.into_iter().map(|(_, entry)| (false, entry))) {
            *span.events.entry(entry.event_id).or_default() += entry.amount_cents;
            if (from..to).contains(&entry.at_ms) {
                at.cents += entry.amount_cents;
                at.closed_cents += if closed { entry.amount_cents } else { 0 };
                at.redeemed += match entry.kind {
                    Kind::Redemption => 1,
                    Kind::Reversal => -1,
                    Kind::Adjustment => 0,
                };
            }
        }
        if at != (VenueSpan { name: venue.name, ..VenueSpan::default() }) {
            span.venues.push(at);
        }
    }
    Ok(span)
}
