//! The bytes of a picture file. What is in it is looked for in small ones only: the target `frame` does that.

use std::time::{Duration, Instant};

use qr::Luma;

const PIXELS_MAX: usize = 64 * 64;

/// Panics when what must always hold does not.
pub(crate) fn check(bytes: &[u8]) {
    if let Ok(picture) = Luma::read(bytes)
        && picture.pixels().len() <= PIXELS_MAX
    {
        drop(qr::read_still(&picture, Instant::now() + Duration::from_millis(5)));
    }
}
