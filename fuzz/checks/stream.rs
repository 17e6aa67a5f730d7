//! What comes over a connection between two kiosks: frames, however the network cuts them. The first byte says how.

// The file alone: the kiosk's crate brings a database with it, which nobody fuzzes here.
#[path = "../../kiosk/src/mesh/frames.rs"]
mod frames;

use frames::{FRAME_MAX, Frames, TooLong};

/// Panics when what must always hold does not.
pub(crate) fn check(bytes: &[u8]) {
    let Some((&cut, bytes)) = bytes.split_first() else { return };
    let whole = read(bytes, bytes.len().max(1));
    // However the network cuts it, the same is read.
    assert_eq!(whole, read(bytes, usize::from(cut).max(1)));
    let (read_all, broken) = whole;
    // What was read goes out as it came in.
    let out: Vec<u8> =
        read_all.iter().flat_map(|frame| Frames::wrap(frame).expect("ours")).collect();
    assert!(bytes.starts_with(&out));
    let rest = &bytes[out.len()..];
    let announced = rest.first_chunk::<4>().map(|length| u32::from_be_bytes(*length));
    let too_long = announced.is_some_and(|length| u64::from(length) > FRAME_MAX as u64);
    assert_eq!(broken, too_long.then_some(TooLong));
}

/// Every frame of a stream that comes in pieces of `size`, to its end or to where it is broken.
fn read(bytes: &[u8], size: usize) -> (Vec<Vec<u8>>, Option<TooLong>) {
    let (mut frames, mut all) = (Frames::default(), Vec::new());
    for piece in bytes.chunks(size) {
        frames.take(piece);
        loop {
            match frames.next() {
                Ok(Some(frame)) => all.push(frame),
                Ok(None) => break,
                Err(broken) => return (all, Some(broken)),
            }
        }
    }
    (all, None)
}
