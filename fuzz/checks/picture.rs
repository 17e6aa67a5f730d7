//! The bytes of a picture file.

use std::time::{Duration, Instant};

use qr::Luma;

/// Panics when what must always hold does not.
pub(crate) fn check(bytes: &[u8]) {
    if let Ok(picture) = Luma::read(bytes)
        && picture.pixels().len() < 1 << 20
    {
        drop(qr::read_still(&picture, Instant::now() + Duration::from_millis(200)));
    }
}
