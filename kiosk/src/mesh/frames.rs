//! Frames of a stream: a length in four bytes, and as many bytes. Without I/O: bytes come in as they come, frames go out.

/// No frame is longer.
pub(crate) const FRAME_MAX: usize = 128 * 1024;

/// The next frame is longer than any of ours: whoever sends it is none of us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

/// Bytes of which a frame is still to come.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    bytes: Vec<u8>,
}

impl Frames {
    /// A frame as it goes over the network; none when it is too long.
    pub(crate) fn wrap(frame: &[u8]) -> Option<Vec<u8>> {
        let length = u32::try_from(frame.len()).ok().filter(|_| frame.len() <= FRAME_MAX)?;
        Some([&length.to_be_bytes(), frame].concat())
    }

    /// Takes what came. Asked for the next frame after each, it never holds much more than one.
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next frame, if it is there whole.
    pub(crate) fn next(&mut self) -> Result<Option<Vec<u8>>, TooLong> {
        let Some(length) = self.bytes.first_chunk::<4>() else { return Ok(None) };
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| TooLong)?;
        if length > FRAME_MAX {
            return Err(TooLong);
        }
        if self.bytes.len() < 4 + length {
            return Ok(None);
        }
        let rest = self.bytes.split_off(4 + length);
        let frame = std::mem::replace(&mut self.bytes, rest);
        Ok(Some(frame[4..].to_vec()))
    }
}
