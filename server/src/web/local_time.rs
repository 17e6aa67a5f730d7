//! Moments as a browser's `datetime-local` field holds them: on the clocks of the event's time zone.

use admission::{Millis, say::zoned};
use jiff::{civil::DateTime, tz::TimeZone};

/// The moment that `text` ("2027-03-05T14:00") names on the clocks of `zone`. `None` when it names none.
///
/// A time that a zone skips in spring is read as if its clocks had not been put forward; one that it has twice in
/// autumn is the first.
pub(crate) fn read(text: &str, zone: &TimeZone) -> Option<Millis> {
    let civil: DateTime = text.trim().parse().ok()?;
    let zoned = civil.to_zoned(zone.clone()).ok()?;
    Some(Millis(zoned.timestamp().as_millisecond()))
}

/// `moment` as the field shows it.
pub(crate) fn write(moment: Millis, zone: &TimeZone) -> String {
    zoned(moment, zone).strftime("%Y-%m-%dT%H:%M").to_string()
}

#[cfg(test)]
mod tests {
    use admission::time::HOUR;

    use super::*;

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).expect("bundled zone")
    }

    #[test]
    fn a_moment_is_read_on_the_clocks_of_its_zone() {
        let beijing = read("2027-03-05T14:00", &zone("Asia/Shanghai")).expect("a moment");
        let berlin = read("2027-03-05T14:00", &zone("Europe/Berlin")).expect("a moment");
        assert_eq!(berlin.since(beijing), 7 * HOUR);
        assert_eq!(write(beijing, &zone("Asia/Shanghai")), "2027-03-05T14:00");
        assert_eq!(write(beijing, &zone("Europe/Berlin")), "2027-03-05T07:00");
    }

    #[test]
    fn seconds_are_taken_and_nonsense_is_not() {
        let zone = zone("Asia/Shanghai");
        assert_eq!(read("2027-03-05T14:00:00", &zone), read(" 2027-03-05T14:00 ", &zone));
        for text in ["", "14:00", "2027-02-30T14:00", "明天", "2027-03-05T25:00"] {
            assert_eq!(read(text, &zone), None, "{text}");
        }
    }

    #[test]
    fn a_skipped_hour_is_read_forward() {
        let berlin = zone("Europe/Berlin");
        let skipped = read("2027-03-28T02:30", &berlin).expect("a moment");
        assert_eq!(write(skipped, &berlin), "2027-03-28T03:30");
    }
}
