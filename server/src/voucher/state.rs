//! What a voucher is worth now, for its holder and for staff: computed from its booking, its ticket and its scans.

use admission::Millis;

use super::{
    batch, serial,
    venue::{self, Venue},
};
use crate::{booking::Ticket, db::Tx, error::Result, event::Offer, web::Frame};

/// What became of a voucher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It was issued and not used yet.
    Issued,
    /// Its contribution is still to be paid; it lapses otherwise.
    Held,
    /// It was redeemed so often, of so many times.
    Redeemed(u8, u8),
    /// Its time has passed, with so many uses of so many.
    Expired(u8, u8),
    /// Its booking or the whole campaign was cancelled.
    Cancelled,
    /// That, and its contribution was paid back.
    Refunded,
}

impl State {
    /// Of a ticket, given how its campaign and its money stand.
    pub(crate) fn of(
        ticket: &Ticket,
        (event_cancelled, refunded): (bool, bool),
        now: Millis,
    ) -> Result<Self> {
        let (terms, history) = (ticket.terms(), ticket.history()?);
        let used = terms.uses - terms.uses_left(&history);
        Ok(match ticket.state.as_str() {
            _ if refunded => Self::Refunded,
            _ if event_cancelled => Self::Cancelled,
            "cancelled" => Self::Cancelled,
            "unpaid" | "unapproved" => Self::Held,
            _ if used >= terms.uses => Self::Redeemed(used, terms.uses),
            _ if now > ticket.valid_to_ms => Self::Expired(used, terms.uses),
            _ if used > 0 => Self::Redeemed(used, terms.uses),
            _ => Self::Issued,
        })
    }

    /// In two to eight characters.
    pub(crate) fn words(self, frame: &Frame) -> String {
        match self {
            Self::Issued => frame.t("未使用", "Not used").to_owned(),
            Self::Held => frame.t("待缴费", "To be paid").to_owned(),
            Self::Redeemed(used, of) if used >= of => frame.t("已用完", "Used up").to_owned(),
            Self::Redeemed(used, of) => {
                frame.say(format!("已用 {used} / {of} 次"), format!("{used} of {of} used"))
            }
            Self::Expired(0, _) => frame.t("已过期", "Expired").to_owned(),
            Self::Expired(used, of) => frame.say(
                format!("已过期，用了 {used} / {of} 次"),
                format!("Expired, {used} of {of} used"),
            ),
            Self::Cancelled => frame.t("已取消", "Cancelled").to_owned(),
            Self::Refunded => frame.t("已退费", "Paid back").to_owned(),
        }
    }

    /// The look of its badge.
    pub(crate) const fn badge(self) -> &'static str {
        match self {
            Self::Issued | Self::Redeemed(..) => "ok",
            Self::Held => "info",
            Self::Expired(..) => "mute",
            Self::Cancelled | Self::Refunded => "warn",
        }
    }
}

/// What the holder of a voucher must know beside what a ticket says.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) serial: String,
    pub(crate) venue: Venue,
    pub(crate) companions: i64,
    pub(crate) left: u8,
    pub(crate) of: u8,
    /// The days of the week, as a mask.
    weekdays: u8,
    /// Dates left out that are still to come, as people write them.
    closed: Vec<jiff::civil::Date>,
}

impl Facts {
    /// Those of a ticket, when it is a voucher of a batch.
    pub(crate) async fn read(
        tx: &mut Tx,
        ticket: &Ticket,
        offer: &Offer,
        now: Millis,
    ) -> Result<Option<Self>> {
        let Some(batch) = batch::of_offer(tx, &offer.id).await? else { return Ok(None) };
        let (terms, history) = (ticket.terms(), ticket.history()?);
        let days = terms.days.clone();
        let today = admission::days::date_of(now, &crate::web::frame::zone("Asia/Shanghai"));
        Ok(Some(Self {
            serial: serial::of(&ticket.id),
            venue: venue::venue(tx, &batch.venue_id).await?,
            companions: batch.companions,
            left: terms.uses_left(&history),
            of: terms.uses,
            weekdays: days.as_ref().map_or(admission::days::ALL_WEEK, |days| days.weekdays),
            closed: days
                .map(|days| days.closed.into_iter().filter(|day| *day >= today).collect())
                .unwrap_or_default(),
        }))
    }

    /// 周一至周五；5月1日、5月2日除外.
    pub(crate) fn days(&self, frame: &Frame) -> String {
        let mut words = if self.weekdays == admission::days::ALL_WEEK {
            frame.t("每天", "Every day").to_owned()
        } else {
            admission::say::weekdays(self.weekdays, frame.lang)
        };
        let shown: Vec<String> = self
            .closed
            .iter()
            .take(12)
            .map(|day| {
                frame.say(
                    format!("{}月{}日", day.month(), day.day()),
                    day.strftime("%-d %B").to_string(),
                )
            })
            .collect();
        if !shown.is_empty() {
            let list = shown.join(frame.t("、", ", "));
            words.push_str(&frame.say(format!("；{list} 除外"), format!("; not on {list}")));
        }
        words
    }
}
