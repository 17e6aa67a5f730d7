//! Pictures as the decoders take them: grey, of a bounded size.

use std::{io::Read, panic::catch_unwind};

use image::{DynamicImage, ImageReader, Limits};

/// Files larger than this are no photographs.
const FILE_MAX: u64 = 64 << 20;
/// Cameras of phones make up to 108 million pixels; a side beyond this is a bomb.
const SIDE_MAX: u32 = 16_384;
const PIXELS_MAX: u64 = 120_000_000;
/// What decompressing may take.
const MEMORY_MAX: u64 = 512 << 20;

/// A grey picture, row by row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Luma {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

/// Why a file is not looked at.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// No such file, or no permission.
    #[error("cannot be read (无法读取): {0}")]
    File(#[from] std::io::Error),
    /// Another kind of file, or a damaged one.
    #[error("is not a whole PNG, JPEG, WebP, GIF or BMP picture (不是完整的图片): {0}")]
    Picture(String),
    /// Too large to be a photograph.
    #[error("is too large for a photograph (图片过大)")]
    TooLarge,
}

impl Luma {
    /// A picture of `pixels`; none when they are not `width` × `height`.
    #[must_use]
    pub fn new(width: usize, height: usize, pixels: Vec<u8>) -> Option<Self> {
        (width.checked_mul(height) == Some(pixels.len())).then_some(Self { width, height, pixels })
    }

    /// Makes each pixel from its place.
    pub(crate) fn from_fn(
        width: usize,
        height: usize,
        mut pixel: impl FnMut(usize, usize) -> u8,
    ) -> Self {
        let mut pixels = Vec::with_capacity(width * height);
        for y in 0..height {
            pixels.extend((0..width).map(|x| pixel(x, y)));
        }
        Self { width, height, pixels }
    }

    /// A picture made of rows that are all of the width, as many as the height.
    pub(crate) fn of_rows(width: usize, height: usize, pixels: Vec<u8>) -> Self {
        debug_assert_eq!(width * height, pixels.len());
        Self { width, height, pixels }
    }

    /// Reads a picture file, such as an open [`std::fs::File`]: PNG, JPEG, WebP, GIF or BMP, told by its bytes.
    ///
    /// # Errors
    /// When it is no picture, or too large.
    pub fn open(file: impl Read) -> Result<Self, Unreadable> {
        let mut bytes = Vec::new();
        file.take(FILE_MAX + 1).read_to_end(&mut bytes)?;
        Self::read(&bytes)
    }

    /// Reads the bytes of a picture file.
    ///
    /// # Errors
    /// When they are no picture, or too large a one.
    pub fn read(bytes: &[u8]) -> Result<Self, Unreadable> {
        if bytes.len() as u64 > FILE_MAX {
            return Err(Unreadable::TooLarge);
        }
        catch_unwind(|| unpack(bytes))
            .unwrap_or_else(|_| Err(Unreadable::Picture("its reader gave up".to_owned())))
    }

    /// Pixels in a row.
    #[must_use]
    pub const fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    #[must_use]
    pub const fn height(&self) -> usize {
        self.height
    }

    /// All pixels, row by row from the top; 0 is black.
    #[must_use]
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// One row.
    pub(crate) fn row(&self, y: usize) -> &[u8] {
        &self.pixels[y * self.width..][..self.width]
    }
}

fn unpack(bytes: &[u8]) -> Result<Luma, Unreadable> {
    let guess = || ImageReader::new(std::io::Cursor::new(bytes)).with_guessed_format();
    let (width, height) = guess()?.into_dimensions().map_err(because)?;
    if width > SIDE_MAX || height > SIDE_MAX || u64::from(width) * u64::from(height) > PIXELS_MAX {
        return Err(Unreadable::TooLarge);
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(SIDE_MAX);
    limits.max_image_height = Some(SIDE_MAX);
    limits.max_alloc = Some(MEMORY_MAX);
    let mut reader = guess()?;
    reader.limits(limits);
    Ok(grey(reader.decode().map_err(because)?))
}

fn because(error: image::ImageError) -> Unreadable {
    match error {
        image::ImageError::Limits(_) => Unreadable::TooLarge,
        other => Unreadable::Picture(other.to_string()),
    }
}

/// What is transparent is laid on white: a code saved without its background is black on nothing.
fn grey(image: DynamicImage) -> Luma {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let pixels = if image.color().has_alpha() {
        let on_white = |[grey, alpha]: [u8; 2]| {
            let alpha = u32::from(alpha);
            let blended = u32::from(grey) * alpha + 255 * (255 - alpha);
            u8::try_from(blended / 255).expect("a mean of two bytes is a byte")
        };
        image.into_luma_alpha8().pixels().map(|pixel| on_white(pixel.0)).collect()
    } else {
        image.into_luma8().into_raw()
    };
    Luma { width, height, pixels }
}

#[cfg(test)]
mod tests {
    use image::{DynamicImage, GrayAlphaImage, GrayImage, ImageFormat, LumaA};

    use super::*;

    fn file(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
        let mut bytes = std::io::Cursor::new(Vec::new());
        image.into().write_to(&mut bytes, format).expect("written");
        bytes.into_inner()
    }

    #[test]
    fn what_is_transparent_is_white() {
        let image = GrayAlphaImage::from_fn(2, 1, |x, _| LumaA([0, if x == 0 { 0 } else { 255 }]));
        let luma = Luma::read(&file(image, ImageFormat::Png)).expect("a picture");
        assert_eq!(luma.pixels(), [255, 0]);
    }

    #[test]
    fn files_of_each_kind_are_read_by_their_bytes_and_others_are_named() {
        for format in [ImageFormat::Png, ImageFormat::Bmp, ImageFormat::Jpeg, ImageFormat::Gif] {
            let image = DynamicImage::from(GrayImage::new(8, 4)).into_rgb8();
            let luma = Luma::read(&file(image, format)).expect("a picture");
            assert_eq!((luma.width(), luma.height()), (8, 4), "{format:?}");
        }
        for bytes in [&b""[..], b"no picture at all", b"\x89PNG\r\n\x1a\n"] {
            assert!(matches!(Luma::read(bytes), Err(Unreadable::Picture(_))));
        }
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        // A PNG of a few bytes that claims to be 60,000 pixels wide and high.
        let mut bytes = file(GrayImage::new(1, 1), ImageFormat::Png);
        bytes[16..24].copy_from_slice(&[0, 0, 0xEA, 0x60, 0, 0, 0xEA, 0x60]);
        // The header's checksum is that of the changed header.
        let sum = crc(&bytes[12..29]);
        bytes[29..33].copy_from_slice(&sum.to_be_bytes());
        assert!(matches!(Luma::read(&bytes), Err(Unreadable::TooLarge)));
    }

    /// The checksum of PNG chunks (ISO/IEC 15948, annex D).
    fn crc(bytes: &[u8]) -> u32 {
        let round = |crc: u32| if crc & 1 == 1 { 0xEDB8_8320 ^ (crc >> 1) } else { crc >> 1 };
        !bytes.iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), |crc, _| round(crc)))
    }
}
