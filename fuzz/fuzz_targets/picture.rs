//! The bytes of a picture file.
#![no_main]

use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use qr::Luma;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(picture) = Luma::read(bytes)
        && picture.pixels().len() < 1 << 20
    {
        drop(qr::read_still(&picture, Instant::now() + Duration::from_millis(200)));
    }
});
