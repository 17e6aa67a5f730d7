//! Scanners and swipe readers that are keyboards: what their keys type, on an English keyboard whatever the
//! desktop's, and the grab that keeps the desktop from hearing them.

use std::{io, path::Path};

/// Keys as the kernel numbers them (`linux/input-event-codes.h`).
mod code {
    pub(super) const TAB: u16 = 15;
    pub(super) const ENTER: u16 = 28;
    pub(super) const SHIFT: [u16; 2] = [42, 54];
    pub(super) const ALT: u16 = 56;
    pub(super) const CAPS_LOCK: u16 = 58;
    pub(super) const KEYPAD_ENTER: u16 = 96;
}

/// What each key types alone and with shift, from key 2 on; 0 where it types nothing.
const TYPED: [(&[u8; 12], &[u8; 12]); 5] = [
    (b"1234567890-=", b"!@#$%^&*()_+"),
    (b"qwertyuiop[]", b"QWERTYUIOP{}"),
    (b"asdfghjkl;'`", b"ASDFGHJKL:\"~"),
    (b"\\zxcvbnm,./\0", b"|ZXCVBNM<>?\0"),
    (b"789-456+1230", b"789-456+1230"),
];
/// The first key of each row of [`TYPED`].
const ROWS: [u16; 5] = [2, 16, 30, 43, KEYPAD];
const KEYPAD: u16 = 71;
const SPACE: u16 = 57;

/// What a keyboard's keys have typed so far.
#[derive(Debug, Default)]
pub(super) struct Keyboard {
    shift: [bool; 2],
    caps_lock: bool,
    /// While Alt is held: the digits typed on the keypad. Some scanners type each letter as its number.
    alt: Option<u32>,
}

impl Keyboard {
    /// A key of number `code` moved: `value` is 0 when it rose, 1 when it fell, 2 when it repeats. Gives what
    /// that types: a character, or a carriage return for Enter and Tab, which end a reading.
    pub(super) fn moved(&mut self, code: u16, value: i32) -> Option<u8> {
        let down = value == 1;
        if let Some(which) = code::SHIFT.iter().position(|shift| *shift == code) {
            self.shift[which] = value != 0;
            return None;
        }
        match (code, value) {
            (code::ALT, 1) => self.alt = Some(0),
            (code::ALT, 0) => {
                let number = self.alt.take().and_then(|number| u8::try_from(number).ok());
                return number.filter(|number| (0x20..0x7F).contains(number));
            }
            (code::CAPS_LOCK, 1) => self.caps_lock = !self.caps_lock,
            (code::ENTER | code::KEYPAD_ENTER | code::TAB, 1) => return Some(b'\r'),
            // A scanner never holds a key: a repetition is a jam, or somebody's elbow.
            _ if down => return self.typed(code),
            _ => {}
        }
        None
    }

    fn typed(&mut self, code: u16) -> Option<u8> {
        let (plain, shifted) = keys(code)?;
        if let Some(number) = &mut self.alt {
            if code >= KEYPAD && plain.is_ascii_digit() {
                *number = number.saturating_mul(10).saturating_add(u32::from(plain - b'0'));
            }
            return None;
        }
        let shift = self.shift != [false; 2];
        let upper = if plain.is_ascii_alphabetic() { shift != self.caps_lock } else { shift };
        Some(if upper { shifted } else { plain })
    }
}

/// What the key types alone, and with shift.
fn keys(code: u16) -> Option<(u8, u8)> {
    if code == SPACE {
        return Some((b' ', b' '));
    }
    ROWS.iter().zip(TYPED).find_map(|(first, (plain, shifted))| {
        let at = usize::from(code.checked_sub(*first)?);
        Some((*plain.get(at)?, *shifted.get(at)?)).filter(|(plain, _)| *plain != 0)
    })
}

#[cfg(target_os = "linux")]
mod grabbed {
    use evdev::{Device, EventStream, EventType};

    use super::{Keyboard, Path, io};

    /// A keyboard that types only here.
    pub(in crate::devices) struct Keys {
        events: EventStream,
        keyboard: Keyboard,
    }

    impl Keys {
        /// Takes the keyboard at `path` from everybody else (`EVIOCGRAB`); it is given back when dropped.
        ///
        /// # Errors
        /// When there is none, it is not permitted, or another program holds it.
        pub(in crate::devices) fn grab(path: &Path) -> io::Result<Self> {
            let mut device = Device::open(path)?;
            device.grab()?;
            Ok(Self { events: device.into_event_stream()?, keyboard: Keyboard::default() })
        }

        /// What was typed since. Nothing is lost when this is dropped before it is done.
        pub(in crate::devices) async fn read(&mut self, chunk: &mut [u8]) -> io::Result<usize> {
            loop {
                let event = self.events.next_event().await?;
                if event.event_type() != EventType::KEY {
                    continue;
                }
                if let Some(byte) = self.keyboard.moved(event.code(), event.value()) {
                    chunk[0] = byte;
                    return Ok(1);
                }
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod grabbed {
    use super::{Path, io};

    /// Only Linux has such keyboards.
    pub(in crate::devices) enum Keys {}

    impl Keys {
        pub(in crate::devices) fn grab(_: &Path) -> io::Result<Self> {
            Err(io::ErrorKind::Unsupported.into())
        }

        pub(in crate::devices) async fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            match *self {}
        }
    }
}

pub(super) use grabbed::Keys;

#[cfg(test)]
mod tests {
    use super::*;

    /// What the keys type; a capital's shift is pressed and let go as scanners do.
    fn typed(keyboard: &mut Keyboard, moves: &[(u16, i32)]) -> String {
        moves
            .iter()
            .filter_map(|(code, value)| keyboard.moved(*code, *value))
            .map(char::from)
            .collect()
    }

    fn strokes(codes: &[u16]) -> Vec<(u16, i32)> {
        codes.iter().flat_map(|code| [(*code, 1), (*code, 0)]).collect()
    }

    /// The keys that type `text`.
    fn keys_for(text: &str) -> Vec<(u16, i32)> {
        let key = |byte: u8| {
            (0..120).find_map(|code| match keys(code)? {
                (plain, _) if plain == byte => Some((code, false)),
                (_, shifted) if shifted == byte => Some((code, true)),
                _ => None,
            })
        };
        text.bytes()
            .flat_map(|byte| {
                match key(byte).unwrap_or_else(|| panic!("no key types {}", byte as char)) {
                    (code, false) => strokes(&[code]),
                    (code, true) => [vec![(42, 1)], strokes(&[code]), vec![(42, 0)]].concat(),
                }
            })
            .collect()
    }

    #[test]
    fn keys_have_the_kernels_numbers() {
        // input-event-codes.h: KEY_1 2, KEY_Q 16, KEY_A 30, KEY_SEMICOLON 39, KEY_BACKSLASH 43, KEY_Z 44, KEY_SLASH 53.
        for (code, plain, shifted) in [
            (2, b'1', b'!'),
            (11, b'0', b')'),
            (13, b'=', b'+'),
            (16, b'q', b'Q'),
            (25, b'p', b'P'),
            (30, b'a', b'A'),
            (39, b';', b':'),
            (40, b'\'', b'"'),
            (41, b'`', b'~'),
            (43, b'\\', b'|'),
            (44, b'z', b'Z'),
            (53, b'/', b'?'),
            (57, b' ', b' '),
            (71, b'7', b'7'),
            (79, b'1', b'1'),
            (82, b'0', b'0'),
        ] {
            assert_eq!(keys(code), Some((plain, shifted)), "key {code}");
        }
        for code in [0, 1, 14, 28, 29, 42, 54, 56, 58, 83, 102, 700] {
            assert_eq!(keys(code), None, "key {code} types nothing");
        }
    }

    #[test]
    fn a_swipe_and_a_code_come_as_they_are() {
        for text in [
            "%B6214680000000008^WANG/XIAO MING^3012?;6214680000000008=3012?",
            "T1ABCXYZ234567",
            "https://a.b/c?d=e_f&g#h",
        ] {
            let mut moves = keys_for(text);
            moves.extend(strokes(&[code::ENTER]));
            assert_eq!(typed(&mut Keyboard::default(), &moves), format!("{text}\r"));
        }
    }

    #[test]
    fn caps_lock_turns_letters_only_and_repeats_type_nothing() {
        let mut keyboard = Keyboard::default();
        assert_eq!(typed(&mut keyboard, &strokes(&[code::CAPS_LOCK, 30, 2])), "A1");
        assert_eq!(typed(&mut keyboard, &keys_for("B;")), "b;");
        assert_eq!(typed(&mut keyboard, &[(30, 1), (30, 2), (30, 2), (30, 0)]), "A");
    }

    #[test]
    fn letters_typed_as_alt_and_a_number_are_letters() {
        // T is 84, 1 is 49; KP8 72, KP4 75, KP9 73.
        let mut moves = vec![(code::ALT, 1)];
        moves.extend(strokes(&[72, 75]));
        moves.extend([(code::ALT, 0), (code::ALT, 1)]);
        moves.extend(strokes(&[75, 73]));
        moves.push((code::ALT, 0));
        assert_eq!(typed(&mut Keyboard::default(), &moves), "T1");
    }

    #[test]
    fn enter_and_tab_end_a_reading() {
        let mut keyboard = Keyboard::default();
        assert_eq!(typed(&mut keyboard, &strokes(&[28, 15, 96])), "\r\r\r");
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn what_is_no_keyboard_is_not_grabbed() {
        assert!(Keys::grab(Path::new("/dev/null")).is_err());
        assert!(Keys::grab(Path::new("/dev/input/none")).is_err());
    }
}
