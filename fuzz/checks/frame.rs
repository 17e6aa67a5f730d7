//! A frame of the camera: the first byte is its width, the rest its pixels. A small one, so that many are tried in a second:
//! 64 pixels hold a code of 41 modules with its edge, and 21 modules at three pixels each.

use std::time::{Duration, Instant};

use qr::Luma;

const SIDE: usize = 64;

/// Panics when what must always hold does not.
pub(crate) fn check(bytes: &[u8]) {
    let Some((&width, pixels)) = bytes.split_first() else { return };
    let width = usize::from(width).clamp(1, SIDE);
    let height = (pixels.len() / width).min(SIDE);
    let frame = Luma::new(width, height, pixels[..width * height].to_vec()).expect("whole rows");
    let begun = Instant::now();
    // Whatever is in it, the answer comes about when it is wanted.
    let until = || Instant::now() + Duration::from_millis(5);
    drop(qr::read_frame(&frame, pixels.len(), until()));
    drop(qr::read_still(&frame, until()));
    assert!(begun.elapsed() < Duration::from_secs(60), "it hangs");
}
