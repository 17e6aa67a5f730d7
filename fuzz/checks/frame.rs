//! A frame of the camera: the first byte is its width, the rest its pixels.

use std::time::{Duration, Instant};

use qr::Luma;

/// Panics when what must always hold does not.
pub(crate) fn check(bytes: &[u8]) {
    let Some((&width, pixels)) = bytes.split_first() else { return };
    let width = usize::from(width).max(1);
    let height = pixels.len() / width;
    let frame = Luma::new(width, height, pixels[..width * height].to_vec()).expect("whole rows");
    let begun = Instant::now();
    let until = begun + Duration::from_secs(1);
    drop(qr::read_frame(&frame, pixels.len(), until));
    drop(qr::read_still(&frame, until));
    assert!(begun.elapsed() < Duration::from_secs(60), "it hangs");
}
