//! The curve of admissions over time, as the numbers that an inline SVG is drawn from.

use std::fmt::Write as _;

use admission::{
    Millis,
    time::{DAY, HOUR, MINUTE},
};

use super::attendance::CurveStep;

/// The drawing is this wide and high; the page stretches it.
pub(crate) const WIDTH: i64 = 1_000;
/// See [`WIDTH`].
pub(crate) const HEIGHT: i64 = 200;
/// How many moments are named below the curve.
const TICKS: i64 = 5;
/// At most so many rows in the table beside the curve.
const ROWS: i64 = 40;

/// What is drawn: holders that are in, over time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chart {
    /// Points of the curve: `0,200 12,199 …`.
    pub(crate) line: String,
    /// The same closed along the ground.
    pub(crate) area: String,
    /// The moments below the curve, evenly spaced.
    pub(crate) ticks: Vec<Millis>,
    /// More than a day and a half: ticks are dates.
    pub(crate) days: bool,
    /// What the curve says, for those who do not see it.
    pub(crate) rows: Vec<Row>,
}

/// A row of the table: what happened from `at` on, for one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) at: Millis,
    /// Admitted within this step.
    pub(crate) admitted: i64,
    /// In by the end of this step.
    pub(crate) total: i64,
}

impl Chart {
    /// The curve from `from` to `to` as of `now`, in steps of `step_ms`, with `booked` at its top. Admissions before
    /// and after the window widen it.
    pub(crate) fn of(
        steps: &[CurveStep],
        step_ms: i64,
        booked: i64,
        (from, to): (Millis, Millis),
        now: Millis,
    ) -> Self {
        let first = steps.first().map_or(from, |step| Millis(step.at_ms).min(from));
        let last = steps.last().map_or(to, |step| Millis(step.at_ms + step_ms).max(to));
        let last = last.max(first.plus(HOUR));
        let (line, area) = draw(steps, step_ms, booked, (first, last), now);
        let span = last.since(first);
        Self {
            line,
            area,
            ticks: (0..TICKS).map(|tick| first.plus(span * tick / (TICKS - 1))).collect(),
            days: span > DAY + DAY / 2,
            rows: rows(steps, row_ms(steps, step_ms)),
        }
    }
}

/// Each step is a rise from what was in before it to what is in after it; between them the curve is level.
fn draw(
    steps: &[CurveStep],
    step_ms: i64,
    booked: i64,
    (first, last): (Millis, Millis),
    now: Millis,
) -> (String, String) {
    let span = last.since(first);
    let admitted: i64 = steps.iter().map(|step| step.admitted).sum();
    let top = booked.max(admitted).max(1);
    let x = |at: Millis| (at.since(first) * WIDTH / span).clamp(0, WIDTH);
    let y = |total: i64| HEIGHT - total * HEIGHT / top;
    let mut points = vec![(0, HEIGHT)];
    let mut total = 0;
    for step in steps {
        points.push((x(Millis(step.at_ms)), y(total)));
        total += step.admitted;
        points.push((x(Millis(step.at_ms + step_ms)), y(total)));
    }
    points.push((x(now.clamp(first, last)).max(points.last().map_or(0, |(x, _)| *x)), y(total)));
    points.dedup();
    let mut line = String::new();
    for (x, y) in &points {
        // Writing to a string does not fail.
        write!(line, "{x},{y} ").expect("a string takes everything");
    }
    line.pop();
    let end = points.last().map_or(0, |(x, _)| *x);
    let area = format!("{line} {end},{HEIGHT} 0,{HEIGHT}");
    (line, area)
}

/// Steps of the table: the shortest usual span that keeps it short.
fn row_ms(steps: &[CurveStep], step_ms: i64) -> i64 {
    let span = match steps {
        [first, .., last] => last.at_ms - first.at_ms,
        _ => 0,
    };
    [step_ms, 15 * MINUTE, 30 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, DAY]
        .into_iter()
        .find(|row| span / row < ROWS)
        .unwrap_or(7 * DAY)
}

fn rows(steps: &[CurveStep], row_ms: i64) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut total = 0;
    for step in steps {
        let at = Millis(step.at_ms.div_euclid(row_ms) * row_ms);
        total += step.admitted;
        match rows.last_mut() {
            Some(row) if row.at == at => {
                row.admitted += step.admitted;
                row.total = total;
            }
            _ => rows.push(Row { at, admitted: step.admitted, total }),
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: i64 = 5 * MINUTE;

    fn at(hours: i64, admitted: i64) -> CurveStep {
        CurveStep { at_ms: hours * HOUR, admitted }
    }

    #[test]
    fn an_empty_curve_lies_on_the_ground_until_now() {
        let chart = Chart::of(&[], STEP, 212, (Millis(0), Millis(4 * HOUR)), Millis(HOUR));
        assert_eq!(chart.line, "0,200 250,200");
        assert_eq!(chart.area, "0,200 250,200 250,200 0,200");
        assert!(chart.rows.is_empty() && !chart.days);
    }

    #[test]
    fn the_curve_rises_to_the_top_when_everybody_is_in() {
        let steps = [at(1, 50), at(2, 50)];
        let chart = Chart::of(&steps, STEP, 100, (Millis(0), Millis(4 * HOUR)), Millis(3 * HOUR));
        assert_eq!(chart.line, "0,200 250,200 270,100 500,100 520,0 750,0");
        assert_eq!(
            chart.rows,
            [
                Row { at: Millis(HOUR), admitted: 50, total: 50 },
                Row { at: Millis(2 * HOUR), admitted: 50, total: 100 }
            ]
        );
    }

    #[test]
    fn what_came_early_widens_the_window() {
        let window = (Millis(2 * HOUR), Millis(4 * HOUR));
        let chart = Chart::of(&[at(0, 1)], STEP, 4, window, Millis(9 * HOUR));
        assert_eq!(chart.ticks.first(), Some(&Millis(0)));
        assert_eq!(chart.line, "0,200 20,150 1000,150");
    }

    #[test]
    fn a_month_of_admissions_is_a_short_table_of_days() {
        let steps: Vec<CurveStep> = (0..30 * 24).map(|hour| at(hour, 1)).collect();
        let chart =
            Chart::of(&steps, STEP, 10_000, (Millis(0), Millis(30 * DAY)), Millis(30 * DAY));
        assert_eq!((chart.rows.len(), chart.days), (30, true));
        assert_eq!(chart.rows[29].total, 720);
    }
}
