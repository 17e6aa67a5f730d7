//! What is done to a picture before another try: scaling, blurring, sharpening, another black and white.
//!
//! A frame of the camera passes several of these, so each is a few plain loops over rows that the compiler turns into
//! vector instructions. At the edges the outermost pixels repeat.

use std::borrow::Cow;

use crate::Luma;

/// `picture` scaled down to fit into `bounds`, lying or standing.
pub(crate) fn fit(picture: &Luma, bounds: (usize, usize)) -> Cow<'_, Luma> {
    let (long, short) = (bounds.0.max(bounds.1), bounds.0.min(bounds.1));
    let (width, height) = (picture.width(), picture.height());
    let (longest, shortest) = (width.max(height), width.min(height));
    if longest <= long && shortest <= short {
        return Cow::Borrowed(picture);
    }
    // As a fraction of whole numbers: numerator over denominator is at least 1.
    let by = if longest * short >= shortest * long { (longest, long) } else { (shortest, short) };
    let edge = |at: usize| at * by.0 / by.1;
    let mean = |x, y| {
        let (columns, rows) = (edge(x)..edge(x + 1), edge(y)..edge(y + 1));
        let count = columns.len() * rows.len();
        let row = |y| picture.row(y)[columns.clone()].iter().map(|&pixel| usize::from(pixel));
        (rows.flat_map(row).sum::<usize>() / count.max(1)) as u8
    };
    Cow::Owned(Luma::from_fn(width * by.1 / by.0, height * by.1 / by.0, mean))
}

/// `picture` at half its size.
pub(crate) fn half(picture: &Luma) -> Luma {
    shrink::<2>(picture)
}

/// `picture` at a third of its size.
pub(crate) fn third(picture: &Luma) -> Luma {
    shrink::<3>(picture)
}

/// Each pixel the mean of `N` × `N`; what does not come out even is left off.
fn shrink<const N: usize>(picture: &Luma) -> Luma {
    let (width, height) = (picture.width() / N, picture.height() / N);
    let mut pixels = Vec::with_capacity(width * height);
    let mut sums = vec![0_u16; width];
    for y in 0..height {
        sums.fill(0);
        for row in (0..N).map(|below| picture.row(y * N + below)) {
            for (sum, piece) in sums.iter_mut().zip(row.chunks_exact(N)) {
                *sum += piece.iter().map(|&pixel| u16::from(pixel)).sum::<u16>();
            }
        }
        pixels.extend(sums.iter().map(|sum| (sum / (N * N) as u16) as u8));
    }
    Luma::of_rows(width, height, pixels)
}

/// A picture that is smaller than `bounds`, at twice its size, smoothly.
pub(crate) fn double(picture: &Luma, bounds: (usize, usize)) -> Option<Luma> {
    let (width, height) = (picture.width(), picture.height());
    if width > bounds.0 || height > bounds.1 || width == 0 || height == 0 {
        return None;
    }
    Some(Luma::from_fn(width * 2, height * 2, |x, y| {
        let near = (x / 2, y / 2);
        // The neighbour that the new pixel leans to.
        let aside = if x % 2 == 0 { near.0.saturating_sub(1) } else { (near.0 + 1).min(width - 1) };
        let beyond =
            if y % 2 == 0 { near.1.saturating_sub(1) } else { (near.1 + 1).min(height - 1) };
        let at = |x: usize, y: usize| usize::from(picture.row(y)[x]);
        let sum = 9 * at(near.0, near.1)
            + 3 * at(aside, near.1)
            + 3 * at(near.0, beyond)
            + at(aside, beyond);
        (sum / 16) as u8
    }))
}

/// Light for dark.
pub(crate) fn invert(picture: &Luma) -> Luma {
    map(picture, |pixel| 255 - pixel)
}

/// Each pixel the mean of the nine around it: for noise, and codes printed as dots.
pub(crate) fn blur(picture: &Luma) -> Luma {
    let sum = |values: [u16; 3]| values.iter().sum::<u16>();
    let ninth = |sum: u16| ((u32::from(sum) * 7_282) >> 16) as u8;
    around(picture, |column| sum(column.map(u16::from)), |sums| ninth(sum(sums)))
}

/// Light gaps of a pixel or two within the dark are closed: cracks, dust, the grid of a printer.
pub(crate) fn close(picture: &Luma) -> Luma {
    let darkest = |[a, b, c]: [u8; 3]| a.min(b).min(c);
    let lightest = |[a, b, c]: [u8; 3]| a.max(b).max(c);
    around(&around(picture, darkest, darkest), lightest, lightest)
}

/// Edges of what is out of focus: each pixel three times as far from the mean of those around it.
pub(crate) fn sharpen(picture: &Luma) -> Luma {
    let blurred = blur(picture);
    let pairs = picture.pixels().iter().zip(blurred.pixels());
    let sharp = pairs.map(|(&pixel, &mean)| {
        (3 * i16::from(pixel) - 2 * i16::from(mean)).clamp(0, i16::from(u8::MAX)) as u8
    });
    Luma::of_rows(picture.width(), picture.height(), sharp.collect())
}

/// Black and white by the mean of each pixel's surroundings, `radius` pixels to each side (at most 127): for shadows,
/// reflections, and screens that hardly shine.
pub(crate) fn local_threshold(picture: &Luma, radius: usize) -> Luma {
    /// By so much darker than its surroundings a pixel must be, or flat paper turns to noise.
    const DARKER: u32 = 5;
    let (width, height) = (picture.width(), picture.height());
    if width == 0 || height == 0 {
        return picture.clone();
    }
    let row = |y: usize| picture.row(y.saturating_sub(radius).min(height - 1));
    let side = 2 * radius + 1;
    let area = (side * side) as u32;
    // The sum of each column from `radius` rows above the row at hand to as many below; rows are counted from there.
    let mut columns = vec![0_u16; width];
    for y in 0..side - 1 {
        add(&mut columns, row(y));
    }
    let mut before = vec![0_u32; width + side];
    let mut pixels = Vec::with_capacity(width * height);
    for y in 0..height {
        add(&mut columns, row(y + side - 1));
        let mut sum = 0;
        for (x, before) in before.iter_mut().enumerate() {
            *before = sum;
            sum += u32::from(columns[x.saturating_sub(radius).min(width - 1)]);
        }
        let sums = before[side..].iter().zip(&before).map(|(end, begin)| end - begin);
        let dark = |(&pixel, sum): (&u8, u32)| (u32::from(pixel) + DARKER) * area < sum;
        let both = picture.row(y).iter().zip(sums);
        pixels.extend(both.map(|pair| if dark(pair) { 0 } else { 255 }));
        for (column, &pixel) in columns.iter_mut().zip(row(y)) {
            *column -= u16::from(pixel);
        }
    }
    Luma::of_rows(width, height, pixels)
}

fn add(columns: &mut [u16], row: &[u8]) {
    for (column, &pixel) in columns.iter_mut().zip(row) {
        *column += u16::from(pixel);
    }
}

fn map(picture: &Luma, pixel: impl Fn(u8) -> u8) -> Luma {
    let pixels = picture.pixels().iter().map(|&of| pixel(of)).collect();
    Luma::of_rows(picture.width(), picture.height(), pixels)
}

/// Each pixel made from the nine around it: each column of three into one value, then three of those into one pixel.
fn around<T: Copy>(
    picture: &Luma,
    column: impl Fn([u8; 3]) -> T,
    row: impl Fn([T; 3]) -> u8,
) -> Luma {
    let (width, height) = (picture.width(), picture.height());
    if width == 0 || height == 0 {
        return picture.clone();
    }
    let mut pixels = Vec::with_capacity(width * height);
    let mut columns = Vec::with_capacity(width + 2);
    for y in 0..height {
        let rows = [y.saturating_sub(1), y, (y + 1).min(height - 1)].map(|y| picture.row(y));
        let [above, here, below] = rows;
        columns.clear();
        columns.push(column(rows.map(|row| row[0])));
        let three = above.iter().zip(here).zip(below);
        columns.extend(three.map(|((&above, &here), &below)| column([above, here, below])));
        columns.push(column(rows.map(|row| row[width - 1])));
        pixels.extend(columns.windows(3).map(|three| row([three[0], three[1], three[2]])));
    }
    Luma::of_rows(width, height, pixels)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: usize, pixels: &[u8]) -> Luma {
        Luma::new(width, pixels.len() / width, pixels.to_vec()).expect("a picture")
    }

    #[test]
    fn halves_and_thirds_are_means() {
        assert_eq!(half(&picture(4, &[0, 4, 9, 9, 4, 8, 9, 9])).pixels(), [4, 9]);
        assert_eq!(third(&picture(3, &[0, 0, 9, 0, 0, 9, 0, 0, 9])).pixels(), [3]);
        // What does not come out even is left off.
        assert_eq!(half(&picture(3, &[8; 9])).pixels(), [8]);
        assert_eq!(half(&picture(1, &[8; 9])).pixels(), []);
    }

    #[test]
    fn a_large_picture_fits_lying_or_standing() {
        let fitted = |width, height, bounds| {
            let picture = Luma::from_fn(width, height, |_, _| 7);
            let fitted = fit(&picture, bounds);
            (fitted.width(), fitted.height())
        };
        assert_eq!(fitted(1920, 1080, (1280, 720)), (1280, 720));
        assert_eq!(fitted(1080, 1920, (1280, 720)), (720, 1280));
        assert_eq!(fitted(1000, 1000, (1280, 720)), (720, 720));
        assert_eq!(fitted(10_000, 3, (1280, 720)), (1280, 0));
        assert_eq!(fitted(640, 480, (1280, 720)), (640, 480));
    }

    #[test]
    fn doubling_is_for_the_small_and_keeps_flat_areas_flat() {
        let doubled = double(&picture(2, &[5; 4]), (4, 4)).expect("small");
        assert_eq!((doubled.width(), doubled.pixels()), (4, &[5; 16][..]));
        assert_eq!(double(&picture(2, &[5; 4]), (1, 4)), None);
    }

    #[test]
    fn a_blur_is_the_mean_and_an_edge_is_sharpened() {
        let dot = picture(3, &[0, 0, 0, 0, 90, 0, 0, 0, 0]);
        assert_eq!(blur(&dot).pixels(), [10; 9]);
        assert_eq!(blur(&picture(2, &[255; 4])).pixels(), [255; 4]);
        assert_eq!(blur(&picture(1, &[9, 0, 0])).pixels(), [6, 3, 0]);
        let edge = picture(4, &[60, 60, 90, 90]);
        assert_eq!(sharpen(&edge).pixels(), [60, 40, 110, 90]);
    }

    #[test]
    fn a_crack_is_closed_and_an_edge_stays() {
        let crack = picture(5, &[0, 0, 255, 0, 0, 0, 0, 255, 0, 0, 0, 0, 255, 0, 0]);
        assert_eq!(close(&crack).pixels(), [0; 15]);
        let edge = picture(4, &[0, 0, 255, 255, 0, 0, 255, 255]);
        assert_eq!(close(&edge), edge);
    }

    #[test]
    fn a_shadow_does_not_hide_what_is_darker_than_it() {
        let shaded = Luma::from_fn(64, 8, |x, _| if x % 8 == 0 { x as u8 } else { x as u8 + 40 });
        let black = local_threshold(&shaded, 6);
        assert!((0..64).all(|x| (black.row(4)[x] == 0) == (x % 8 == 0)));
        assert_eq!(local_threshold(&picture(1, &[7]), 12).pixels(), [255]);
        // A radius beyond the picture.
        let dot = local_threshold(&picture(3, &[200, 200, 200, 200, 0, 200, 200, 200, 200]), 30);
        assert_eq!(dot.pixels(), [255, 255, 255, 255, 0, 255, 255, 255, 255]);
    }
}
