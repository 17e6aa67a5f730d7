//! A ticket as an entry for the holder's calendar.

use admission::{
    Millis,
    say::{Lang, zoned},
};
use icalendar::{Calendar, Component as _, Event as Entry, EventLike as _};
use jiff::tz::TimeZone;

use super::Ticket;
use crate::event::Event;

/// The calendar file for `ticket`, whose page is at `address`.
pub(crate) fn entry(
    event: &Event,
    ticket: &Ticket,
    address: &str,
    lang: Lang,
    now: Millis,
) -> String {
    let utc = |moment: Millis| zoned(moment, &TimeZone::UTC).strftime("%Y%m%dT%H%M%SZ").to_string();
    let place =
        [event.place.as_str(), event.entrance.as_str()].into_iter().filter(|part| !part.is_empty());
    let hint =
        lang.pick("入场时打开这个地址出示二维码：", "Show the code on this page at the door:");
    let hint = match ticket.moving_code {
        false => hint.to_owned(),
        true => {
            format!("{}{hint}", lang.pick("截图无效。", "A screenshot of the code is not taken. "))
        }
    };
    let entry = Entry::new()
        // The same ticket added twice is one entry.
        .uid(&format!("{}@turnout", ticket.id))
        .summary(&event.title)
        .location(&place.collect::<Vec<_>>().join(" · "))
        .description(&format!("{hint} {address}"))
        .url(address)
        .add_property("DTSTAMP", utc(now))
        .add_property("DTSTART", utc(event.starts_ms))
        .add_property("DTEND", utc(event.ends_ms))
        .done();
    Calendar::new().name(&event.title).push(entry).done().to_string()
}
