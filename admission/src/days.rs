//! On which days a ticket may be used: some days of the week, and not on dates that are left out, on the clocks of its event.

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};

use crate::{say::zoned, time::Millis};

/// Every day of the week.
pub const ALL_WEEK: u8 = 0b111_1111;
/// Monday to Friday.
pub const WORKING: u8 = 0b001_1111;

/// The days on which a ticket may be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Days {
    /// The IANA name of the clocks that say what day it is.
    pub zone: String,
    /// Days of the week: Monday is the lowest bit, Sunday the seventh.
    pub weekdays: u8,
    /// Dates that are left out, in order: public holidays.
    pub closed: Vec<Date>,
}

impl Days {
    /// Whether it may be used at `now`.
    #[must_use]
    pub fn allow(&self, now: Millis) -> bool {
        self.allow_on(self.date(now))
    }

    /// The date of `now`.
    #[must_use]
    pub fn date(&self, now: Millis) -> Date {
        date_of(now, &self.clocks())
    }

    /// Whether the date of `now` is left out, though its day of the week is not.
    #[must_use]
    pub fn leaves_out(&self, now: Millis) -> bool {
        let today = self.date(now);
        self.has_weekday(today) && self.closed.contains(&today)
    }

    /// The first moment of the next day after that of `now` on which it may be used, if that comes before `end`.
    #[must_use]
    pub fn next_after(&self, now: Millis, end: Millis) -> Option<Millis> {
        let clocks = self.clocks();
        let mut day = zoned(now, &clocks).date();
        // Within a year there is a day, or none is worth telling.
        for _ in 0..366 {
            day = day.tomorrow().ok()?;
            let begins = Millis(day.to_zoned(clocks.clone()).ok()?.timestamp().as_millisecond());
            if begins >= end {
                return None;
            }
            if self.allow_on(day) {
                return Some(begins);
            }
        }
        None
    }

    /// Whether it may be used on that date.
    #[must_use]
    pub fn allow_on(&self, day: Date) -> bool {
        self.has_weekday(day) && !self.closed.contains(&day)
    }

    fn has_weekday(&self, day: Date) -> bool {
        self.weekdays >> day.weekday().to_monday_zero_offset() & 1 == 1
    }

    /// The clocks that say what day it is; those of Beijing when there are none of that name.
    fn clocks(&self) -> TimeZone {
        TimeZone::get(&self.zone)
            .or_else(|_| TimeZone::get("Asia/Shanghai"))
            .unwrap_or(TimeZone::UTC)
    }
}

/// The date of `now` in `zone`.
#[must_use]
pub fn date_of(now: Millis, zone: &TimeZone) -> Date {
    zoned(now, zone).date()
}

/// The first moment of `day` in `zone`; the end of the calendar when it has none.
#[must_use]
pub fn begin_of(day: Date, zone: &TimeZone) -> Millis {
    let begins = day.to_zoned(zone.clone()).map_or(Timestamp::MAX, |zoned| zoned.timestamp());
    Millis(begins.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{DAY, HOUR};

    /// Friday 2027-03-05 13:25 in Beijing.
    const FRIDAY: Millis = Millis(1_804_224_300_000);

    fn days(weekdays: u8, closed: &[&str]) -> Days {
        let closed = closed.iter().map(|day| day.parse().expect("a date")).collect();
        Days { zone: "Asia/Shanghai".to_owned(), weekdays, closed }
    }

    #[test]
    fn weekends_and_holidays_are_left_out_on_the_clocks_of_the_event() {
        let days = days(WORKING, &["2027-03-08"]);
        assert!(days.allow(FRIDAY));
        // Midnight in Beijing, while it is still Friday in London.
        assert!(days.allow(FRIDAY.plus(10 * HOUR)));
        assert!(!days.allow(FRIDAY.plus(11 * HOUR)));
        let monday = FRIDAY.plus(3 * DAY);
        assert!(
            !days.allow(monday) && days.leaves_out(monday) && !days.leaves_out(FRIDAY.plus(DAY))
        );
        let next = days.next_after(FRIDAY, FRIDAY.plus(9 * DAY)).expect("a day");
        assert_eq!(date_of(next, &days.clocks()).to_string(), "2027-03-09");
        assert_eq!(days.next_after(FRIDAY, FRIDAY.plus(3 * DAY)), None, "it ends before");
    }

    #[test]
    fn a_ticket_for_no_day_has_no_next() {
        assert_eq!(days(0, &[]).next_after(FRIDAY, Millis(i64::MAX)), None);
        assert!(days(ALL_WEEK, &[]).allow(FRIDAY.plus(DAY)));
    }
}
