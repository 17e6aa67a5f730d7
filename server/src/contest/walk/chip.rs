//! What a timing system writes: `bib,point,timestamp`, as .csv or .xlsx. Times are on the clocks of the event.

use admission::Millis;
use jiff::{
    Timestamp,
    civil::{Date, DateTime, Time},
    tz::TimeZone,
};

use super::queries::Point;
use crate::people::import::sheet::{self, Cell, Limits, SheetError};

/// A line that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) line: u32,
    pub(super) bib: String,
    pub(super) position: i64,
    pub(super) at: Millis,
}

/// A line that cannot, and why: the field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bad {
    pub(super) line: u32,
    /// `bib`, `point` or `time`.
    pub(super) what: &'static str,
}

/// Reads a file. A first line of headings is passed over; a point is given by number or by name.
pub(super) fn read(
    bytes: &[u8],
    points: &[Point],
    day: Date,
    zone: &TimeZone,
) -> Result<(Vec<Read>, Vec<Bad>), SheetError> {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    let mut first = true;
    sheet::read(bytes, &Limits::default(), |row| {
        let cell = |at: usize| match row.cells.get(at) {
            Some(Cell::Text(text)) => text.trim().to_owned(),
            _ => String::new(),
        };
        let (bib, point, time) = (cell(0).to_uppercase(), cell(1), cell(2));
        let position = points
            .iter()
            .find(|known| known.name == point || known.position.to_string() == point)
            .map(|known| known.position);
        let at = moment(&time, day, zone);
        let heading = std::mem::take(&mut first) && at.is_none() && position.is_none();
        match (bib.is_empty(), position, at) {
            _ if heading => {}
            (false, Some(position), Some(at)) => {
                good.push(Read { line: row.number, bib, position, at })
            }
            (true, ..) => bad.push(Bad { line: row.number, what: "bib" }),
            (_, None, _) => bad.push(Bad { line: row.number, what: "point" }),
            _ => bad.push(Bad { line: row.number, what: "time" }),
        }
        Ok::<(), SheetError>(())
    })?;
    Ok((good, bad))
}

/// 2027-03-05 09:30:12.5, 2027-03-05T09:30:12+08:00, or 09:30:12 on the day of the event.
fn moment(text: &str, day: Date, zone: &TimeZone) -> Option<Millis> {
    let text = text.trim().replace('/', "-");
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(Millis(at.as_millisecond()));
    }
    let civil = match text.parse::<DateTime>() {
        Ok(at) => at,
        Err(_) => day.to_datetime(text.parse::<Time>().ok()?),
    };
    Some(Millis(zone.to_zoned(civil).ok()?.timestamp().as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_timing_systems_are_read_line_by_line() {
        let points: Vec<Point> = ["起点", "1号点", "终点"]
            .into_iter()
            .enumerate()
            .map(|(at, name)| Point { position: at as i64, name: name.to_owned() })
            .collect();
        let zone = TimeZone::get("Asia/Shanghai").expect("a zone");
        let file = "bib,point,timestamp\nW0001,0,2027-03-05 09:30:00\nw0001,1号点,09:40:00.5\nW0001,终点,2027-03-05T01:50:00Z\n\
                    ,1,09:40:00\nW0002,9,09:40:00\nW0002,1,gestern\n";
        let (good, bad) =
            read(file.as_bytes(), &points, jiff::civil::date(2027, 3, 5), &zone).expect("a table");
        let start = 1_804_210_200_000;
        let read: Vec<_> =
            good.iter().map(|read| (read.bib.as_str(), read.position, read.at.0 - start)).collect();
        assert_eq!(read, [("W0001", 0, 0), ("W0001", 1, 600_500), ("W0001", 2, 1_200_000)]);
        let bad: Vec<_> = bad.iter().map(|bad| (bad.line, bad.what)).collect();
        assert_eq!(bad, [(5, "bib"), (6, "point"), (7, "time")]);
    }
}
