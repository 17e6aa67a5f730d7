//! From the bytes of one scanner to its readings: ended by a line end, a tab, or a pause.

use std::time::Duration;

use admission::ticket;
use zeroize::{Zeroize, Zeroizing};

use super::pieces::{self, Whole};

/// Longer than any code or swipe: a scanner that never ends its readings.
const LINE_MAX: usize = 4_096;
/// A reading that is whole ends after this pause: some scanners send nothing behind it.
const PAUSE: Duration = Duration::from_millis(60);
/// A ticket code, which is whole, may go on with the letters of a moving one.
const CODE_PAUSE: Duration = Duration::from_millis(180);
/// One that is not may go on: wireless scanners and busy networks pause inside a code.
const LONG_PAUSE: Duration = Duration::from_millis(500);
/// What is shorter than any reading, and was not ended, was noise on the line.
const SHORTEST: usize = 12;

/// What one scanner has sent since its last reading. Wiped when dropped: it may be half a card number.
#[derive(Default)]
pub(super) struct Lines {
    sent: Zeroizing<Vec<u8>>,
}

impl Lines {
    /// Takes `bytes`; gives the readings that they end.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<Zeroizing<String>> {
        // Growing would leave copies behind.
        let room = LINE_MAX.saturating_sub(self.sent.len());
        self.sent.reserve_exact(room);
        let mut ended = Vec::new();
        for &byte in bytes {
            match byte {
                // Line ends, tab, and "end of text" are what scanners can be set to send behind a code.
                b'\r' | b'\n' | b'\t' | 0x03 => ended.extend(self.end()),
                0..0x20 | 0x7F => {}
                byte if self.sent.len() < LINE_MAX => self.sent.push(byte),
                _ => {}
            }
        }
        ended
    }

    /// How long a pause may be before [`Lines::pause`] is to be called; none while nothing has been sent.
    pub(super) fn patience(&self) -> Option<Duration> {
        if self.sent.is_empty() {
            return None;
        }
        let text = std::str::from_utf8(&self.sent).unwrap_or_default();
        Some(match pieces::whole(text) {
            None => LONG_PAUSE,
            Some(Whole::MayGoOn) => CODE_PAUSE,
            Some(Whole::Ends) => PAUSE,
        })
    }

    /// The pause has come: gives the reading that it ends. Too short a rest is forgotten.
    pub(super) fn pause(&mut self) -> Option<Zeroizing<String>> {
        if self.sent.len() < SHORTEST {
            self.sent.zeroize();
            return None;
        }
        self.end()
    }

    fn end(&mut self) -> Option<Zeroizing<String>> {
        let text = text(&self.sent);
        self.sent.zeroize();
        (!text.trim().is_empty()).then_some(text)
    }
}

/// The bytes as text; what is not UTF-8 is replaced.
pub(super) fn text(line: &[u8]) -> Zeroizing<String> {
    match std::str::from_utf8(line) {
        Ok(text) => Zeroizing::new(text.to_owned()),
        Err(_) => Zeroizing::new(String::from_utf8_lossy(line).into_owned()),
    }
}

// A code must fit, however it is typed.
const _: () = assert!(LINE_MAX > 4 * ticket::MOVING_CHARS);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SWIPE: &str = ";6214680000000008=30122200000000000000?";

    fn pushed(lines: &mut Lines, text: &str) -> Vec<String> {
        lines.push(text.as_bytes()).iter().map(|line| line.to_string()).collect()
    }

    #[test]
    fn every_usual_suffix_ends_a_reading() {
        for suffix in ["\r\n", "\r", "\n", "\t", "\u{3}", "\r\n\r\n"] {
            let mut lines = Lines::default();
            assert_eq!(pushed(&mut lines, &format!("\u{2}{SWIPE}{suffix}")), [SWIPE], "{suffix:?}");
            assert_eq!(lines.patience(), None, "{suffix:?} leaves nothing behind");
        }
    }

    #[test]
    fn a_code_in_two_bursts_is_one_and_two_codes_in_one_burst_are_two() {
        let mut lines = Lines::default();
        assert!(pushed(&mut lines, &SWIPE[..10]).is_empty());
        assert_eq!(lines.patience(), Some(LONG_PAUSE), "it may go on");
        assert_eq!(pushed(&mut lines, &format!("{}\rsecond\r", &SWIPE[10..])), [SWIPE, "second"]);
    }

    #[test]
    fn without_a_suffix_a_pause_ends_what_is_whole_soon_and_the_rest_later() {
        let mut lines = Lines::default();
        pushed(&mut lines, SWIPE);
        assert_eq!(lines.patience(), Some(PAUSE));
        assert_eq!(lines.pause().as_deref().map(String::as_str), Some(SWIPE));
        pushed(&mut lines, "T1ABCDEFGHIJKLMNOP");
        assert_eq!(lines.patience(), Some(LONG_PAUSE));
        assert!(lines.pause().is_some(), "half a code is told as such");
        let code = format!("T1{}", "A".repeat(ticket::CODE_CHARS - 2));
        pushed(&mut lines, &code);
        assert_eq!(lines.patience(), Some(CODE_PAUSE), "four letters may follow");
        pushed(&mut lines, "23YZ");
        assert_eq!(lines.patience(), Some(PAUSE));
        assert_eq!(lines.pause().map(|line| line.len()), Some(ticket::MOVING_CHARS));
        pushed(&mut lines, "noise");
        assert!(lines.pause().is_none());
        assert_eq!(lines.patience(), None);
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let mut lines = Lines::default();
        assert!(pushed(&mut lines, &"x".repeat(3 * LINE_MAX)).is_empty());
        assert_eq!(pushed(&mut lines, "\n")[0].len(), LINE_MAX);
    }

    proptest! {
        #[test]
        fn how_bytes_are_cut_into_bursts_changes_nothing(bytes in any::<Vec<u8>>(), at in 0_usize..300) {
            let at = at.min(bytes.len());
            let (mut whole, mut cut) = (Lines::default(), Lines::default());
            let once = whole.push(&bytes);
            let mut twice = cut.push(&bytes[..at]);
            twice.extend(cut.push(&bytes[at..]));
            prop_assert_eq!(once, twice);
        }
    }
}
