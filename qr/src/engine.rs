//! The decoders, behind one function: a panic in one is an empty answer.

use std::{
    collections::HashSet,
    panic::{AssertUnwindSafe, catch_unwind},
};

use quircs::Quirc;
use rxing::{
    BarcodeFormat, Binarizer, BinaryBitmap, DecodeHints, Luma8Source, Point, RXingResult, Reader,
    common::{GlobalHistogramBinarizer, HybridBinarizer},
    multi::MultipleBarcodeReader,
    qrcode::{QRCodeReader, cpp_port::QrReader},
};
use zeroize::Zeroizing;

use crate::{Code, Luma};

/// Smaller pictures hold no code, and some decoders divide by their size.
const SIDE_MIN: usize = 21;

/// A smaller area between the middles of finder patterns is no code, but noise that happened to have a check sum.
const AREA_MIN: u32 = 14 * 14 * 3 / 4;

/// A decoder, with its way to tell black from white.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    /// rxing's port of zxing-cpp's reader; black and white by neighbourhood.
    PortHybrid,
    /// The same; black and white by one threshold.
    PortHistogram,
    /// The same, looking at every row.
    PortHarder,
    /// rxing's port of ZXing's Java reader: one code only, but it guesses missing corners better.
    Java,
    /// quirc's port: another way to find corners altogether.
    Quirc,
}

/// The codes that `engine` finds.
pub(crate) fn read(picture: &Luma, engine: Engine) -> Vec<Code> {
    if picture.width() < SIDE_MIN || picture.height() < SIDE_MIN {
        return Vec::new();
    }
    let found = catch_unwind(AssertUnwindSafe(|| match engine {
        Engine::PortHybrid => port(picture, HybridBinarizer::new, false),
        Engine::PortHistogram => port(picture, GlobalHistogramBinarizer::new, false),
        Engine::PortHarder => port(picture, HybridBinarizer::new, true),
        Engine::Java => java(picture),
        Engine::Quirc => quirc(picture),
    }));
    let mut found = found.unwrap_or_else(|_| {
        tracing::warn!(?engine, "a decoder gave up on a picture in an unclean way");
        Vec::new()
    });
    found.retain(|code| code.area >= AREA_MIN && !code.text.is_empty());
    found
}

fn port<'a, B: Binarizer>(
    picture: &'a Luma,
    binarizer: impl Fn(Luma8Source<'a>) -> B,
    harder: bool,
) -> Vec<Code> {
    let Some(source) = source(picture) else { return Vec::new() };
    let mut bitmap = BinaryBitmap::new(binarizer(source));
    let found = QrReader.decode_multiple_with_hints(&mut bitmap, &hints(harder));
    found.unwrap_or_default().iter().map(code).collect()
}

fn java(picture: &Luma) -> Vec<Code> {
    let Some(source) = source(picture) else { return Vec::new() };
    let mut bitmap = BinaryBitmap::new(HybridBinarizer::new(source));
    let found = QRCodeReader::new().decode_with_hints(&mut bitmap, &hints(true));
    found.iter().map(code).collect()
}

fn quirc(picture: &Luma) -> Vec<Code> {
    let mut decoder = Quirc::new();
    let found = decoder.identify(picture.width(), picture.height(), picture.pixels());
    let read = found.filter_map(|code| {
        let code = code.ok()?;
        let data = code.decode().ok()?;
        let corners = code.corners.map(|corner| (corner.x as f32, corner.y as f32));
        // Other character sets than UTF-8 are left to the other engines.
        let text = Zeroizing::new(String::from_utf8(data.payload).ok()?);
        Some(Code { text, area: area(&corners) })
    });
    read.collect()
}

fn source(picture: &Luma) -> Option<Luma8Source<'_>> {
    let (width, height) = (picture.width().try_into().ok()?, picture.height().try_into().ok()?);
    Luma8Source::new_with_slice(picture.pixels(), width, height).ok()
}

fn hints(harder: bool) -> DecodeHints {
    DecodeHints {
        PossibleFormats: Some(HashSet::from([BarcodeFormat::QR_CODE])),
        TryHarder: Some(harder),
        ..DecodeHints::default()
    }
}

fn code(result: &RXingResult) -> Code {
    let corners: Vec<_> = result.getPoints().iter().map(|&Point { x, y }| (x, y)).collect();
    Code { text: Zeroizing::new(result.getText().to_owned()), area: area(&corners) }
}

/// The area within `corners`, in whatever order; three corners are those of finder patterns, half a square.
fn area(corners: &[(f32, f32)]) -> u32 {
    let mut corners = corners.to_vec();
    let count = corners.len().max(1) as f32;
    let sum = corners.iter().fold((0.0, 0.0), |sum, corner| (sum.0 + corner.0, sum.1 + corner.1));
    let middle = (sum.0 / count, sum.1 / count);
    let angle = |corner: &(f32, f32)| (corner.1 - middle.1).atan2(corner.0 - middle.0);
    corners.sort_by(|one, other| angle(one).total_cmp(&angle(other)));
    let next = corners.iter().cycle().skip(1);
    let doubled: f32 =
        corners.iter().zip(next).map(|(one, next)| one.0 * next.1 - next.0 * one.1).sum();
    let triangle = if corners.len() == 3 { 2.0 } else { 1.0 };
    (doubled.abs() / 2.0 * triangle) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_area_is_that_of_the_square_by_three_corners_or_four() {
        let square = [(0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0)];
        assert_eq!(area(&square), 100);
        assert_eq!(area(&[square[0], square[2], square[1], square[3]]), 100, "crosswise");
        assert_eq!(area(&[square[3], square[0], square[1]]), 100);
        assert_eq!(area(&[]), 0);
    }
}
