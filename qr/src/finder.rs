//! Finder patterns, the three eyes of a code: too many of them and the picture is hostile, none and it is empty.

use crate::Luma;

/// Every so many rows are looked at.
const STEP: usize = 4;
/// Finder-like runs in a picture of 1280 × 720 pixels. Photographs of codes have 2,612 at most and about 150 in the
/// middle; walls of finder patterns, on which decoders take seconds, have 6,720 and more.
const RUNS_MAX: usize = 3_000;
const PIXELS: usize = 1_280 * 720;
/// Five runs shorter than this are noise.
const SIDE_MIN: usize = 7;

/// Whether `picture` has more that looks like a finder pattern than any honest one: finding patterns would take seconds.
pub(crate) fn is_hostile(picture: &Luma) -> bool {
    let pixels = picture.pixels();
    let sum: u64 = pixels.iter().map(|&pixel| u64::from(pixel)).sum();
    let mean = sum / (pixels.len() as u64).max(1);
    let threshold = u8::try_from(mean).expect("a mean of bytes is a byte");
    let mut found = 0;
    for y in (0..picture.height()).step_by(STEP) {
        runs_in(picture.row(y), threshold, |_, _| found += 1);
    }
    found > RUNS_MAX * pixels.len().max(PIXELS / 4) / PIXELS
}

/// Whether something in a black and white picture looks like a finder pattern both across and down, dark on light or
/// light on dark.
pub(crate) fn is_near(picture: &Luma) -> bool {
    let mut near = false;
    for y in (0..picture.height()).step_by(2) {
        runs_in(picture.row(y), 128, |runs, end| {
            let middle = end - runs[4] - runs[3] - runs[2].div_ceil(2);
            near = near || is_finder_down(picture, (middle, y), runs);
        });
        if near {
            break;
        }
    }
    near
}

/// Tells `found` of five runs of one colour and the other that stand as 1:1:3:1:1, as across a finder pattern, and where
/// they end.
fn runs_in(row: &[u8], threshold: u8, mut found: impl FnMut([usize; 5], usize)) {
    let mut runs = [0; 5];
    let mut begin = 0;
    let mut colour = None;
    for (x, &pixel) in row.iter().enumerate() {
        let dark = pixel < threshold;
        if colour != Some(dark) {
            runs[4] = x - begin;
            if is_finder(runs) {
                found(runs, x);
            }
            runs.rotate_left(1);
            (begin, colour) = (x, Some(dark));
        }
    }
    runs[4] = row.len() - begin;
    if is_finder(runs) {
        found(runs, row.len());
    }
}

/// Whether the column through `at` shows what the row through it does, at most half as long or twice as long.
fn is_finder_down(picture: &Luma, at: (usize, usize), across: [usize; 5]) -> bool {
    let (x, y) = at;
    let dark = |y: usize| picture.row(y)[x] < 128;
    let middle = dark(y);
    let long: usize = across.iter().sum();
    // Three runs from the middle on: of the middle's colour, of the other, of the middle's again.
    let three = |rows: &mut dyn Iterator<Item = usize>| {
        let mut runs = [0; 3];
        let mut run = 0;
        for y in rows.take(2 * long) {
            if dark(y) != (middle == (run != 1)) {
                run += 1;
                if run == 3 {
                    break;
                }
            }
            runs[run] += 1;
        }
        runs
    };
    let up = three(&mut (0..y).rev());
    let down = three(&mut (y..picture.height()));
    let runs = [up[2], up[1], up[0] + down[0], down[1], down[2]];
    let high: usize = runs.iter().sum();
    long >= SIDE_MIN && high <= 2 * long && long <= 2 * high && is_finder(runs)
}

/// Each run within half a module of its share.
fn is_finder(runs: [usize; 5]) -> bool {
    let total: usize = runs.iter().sum();
    // In units of 1/14 of the whole: a module is 2, half a module 1.
    let near = |run: usize, units: usize, slack: usize| {
        (run * 14).abs_diff(units * total) <= slack * total
    };
    let [first, second, middle, fourth, fifth] = runs;
    first > 0
        && near(middle, 6, 3)
        && [first, second, fourth, fifth].iter().all(|&run| near(run, 2, 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_found_in_both_colours_and_at_any_size() {
        let row = |runs: [usize; 7]| {
            let pixels: Vec<u8> =
                (0..7).flat_map(|at| vec![at as u8 % 2 * 255; runs[at]]).collect();
            let mut found = Vec::new();
            runs_in(&pixels, 128, |runs, end| found.push((runs, end)));
            found
        };
        assert_eq!(row([9, 2, 2, 6, 2, 2, 9]), [([2, 2, 6, 2, 2], 23)]);
        assert_eq!(row([40, 5, 7, 17, 6, 5, 40]).len(), 1);
        assert_eq!(row([9, 2, 2, 2, 2, 2, 9]), []);
        // At the very edge of the picture.
        assert_eq!(row([0, 2, 2, 6, 2, 2, 0]).len(), 1);
        runs_in(&[], 128, |_, _| panic!("nothing is there"));
    }

    fn finder(x: usize, y: usize) -> u8 {
        let (dx, dy) = ((x % 18 / 2).abs_diff(4), (y % 18 / 2).abs_diff(4));
        if matches!(dx.max(dy), 2 | 4..) { 255 } else { 0 }
    }

    #[test]
    fn a_wall_of_finder_patterns_is_hostile_and_a_single_one_is_near() {
        assert!(is_hostile(&Luma::from_fn(1280, 720, finder)));
        let single = |x: usize, y: usize| if x < 18 && y < 18 { finder(x, y) } else { 255 };
        let light = Luma::from_fn(1280, 720, |x, y| 255 - single(x, y));
        let single = Luma::from_fn(1280, 720, single);
        assert!(is_near(&single) && is_near(&light) && !is_hostile(&single));
        let nothing = Luma::from_fn(0, 0, |_, _| 0);
        assert!(!is_hostile(&nothing) && !is_near(&nothing));
    }

    #[test]
    fn a_fence_is_not_near() {
        let fence = Luma::from_fn(180, 90, |x, _| finder(x, 8));
        assert!(!is_near(&fence));
    }
}
