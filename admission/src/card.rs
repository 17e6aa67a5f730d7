//! What a swiped membership card becomes: a keyed fingerprint. The number itself never leaves this file.
//!
//! The 京卡·互助服务卡 is a bank card; its number is a payment secret (PCI DSS 3.3.1, 3.5.1.1). So a
//! [`CardNumber`] has no `Display`, its `Debug` is blank, and it is wiped when dropped.

use std::fmt;

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A card's number, in memory for as long as it takes to fingerprint it.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct CardNumber {
    digits: [u8; 19],
    len: usize,
}

impl fmt::Debug for CardNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CardNumber(…)")
    }
}

impl CardNumber {
    /// Reads what a card reader types: ISO/IEC 7813 track 2 (`;number=…?`), tracks 1 and 2 together, or the
    /// plain number, with full-width digits and spaces as people type them. `None` when it is no card number:
    /// not 12 to 19 digits, or the Luhn check digit is wrong.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let number = match text.rsplit_once(';') {
            Some((_, track_2)) => track_2_number(track_2)?,
            None => text,
        };
        let mut card = Self { digits: [0; 19], len: 0 };
        for c in number.chars() {
            let digit = match c {
                '0'..='9' => c as u8 - b'0',
                '０'..='９' => u8::try_from(u32::from(c) - u32::from('０')).ok()?,
                ' ' | '-' | '\u{3000}' => continue,
                _ => return None,
            };
            *card.digits.get_mut(card.len)? = b'0' + digit;
            card.len += 1;
        }
        ((12..=19).contains(&card.len) && luhn(card.bytes())).then_some(card)
    }

    /// Whether the number begins with one of `bins`, the issuer numbers of union cards.
    #[must_use]
    pub fn has_bin(&self, bins: &[impl AsRef<str>]) -> bool {
        bins.iter().any(|bin| self.bytes().starts_with(bin.as_ref().as_bytes()))
    }

    /// The last four digits: all that may be shown (PCI DSS 3.4.1).
    #[must_use]
    pub fn last4(&self) -> String {
        String::from_utf8_lossy(&self.bytes()[self.len - 4..]).into_owned()
    }

    /// `HMAC-SHA256(key, digits)`: what the roster keeps instead of the number.
    #[must_use]
    pub fn fingerprint(&self, key: &CardKey) -> Fingerprint {
        key.fingerprint(self.bytes())
    }

    fn bytes(&self) -> &[u8] {
        &self.digits[..self.len]
    }
}

/// The secret under which cards and ID numbers are fingerprinted; wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct CardKey([u8; 32]);

impl fmt::Debug for CardKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CardKey(…)")
    }
}

impl CardKey {
    /// The key of these secret bytes.
    #[must_use]
    pub const fn new(secret: [u8; 32]) -> Self {
        Self(secret)
    }

    /// The secret bytes, for sealing.
    #[must_use]
    pub const fn secret(&self) -> &[u8; 32] {
        &self.0
    }

    /// `HMAC-SHA256(key, bytes)`.
    ///
    /// # Panics
    /// Never: HMAC takes keys of any length.
    #[must_use]
    pub fn fingerprint(&self, bytes: &[u8]) -> Fingerprint {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        mac.update(bytes);
        Fingerprint(mac.finalize().into_bytes().into())
    }
}

/// A card (or ID number) as the stores know it: 32 bytes that are worth nothing without the key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint(pub [u8; 32]);

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint(…)")
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> Self {
        HEXLOWER.encode(&fingerprint.0)
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = &'static str;

    fn try_from(hex: String) -> Result<Self, Self::Error> {
        let bytes = HEXLOWER
            .decode(hex.as_bytes())
            .map_err(|_| "a fingerprint is 64 hexadecimal digits")?;
        bytes.try_into().map(Self).map_err(|_| "a fingerprint is 64 hexadecimal digits")
    }
}

/// What a scan's text is, told by its shape alone.
#[derive(Debug)]
pub enum Reading {
    /// A ticket code (its signature is still to be checked).
    Code(String),
    /// A card's number.
    Card(CardNumber),
    /// Neither: another QR code, a partial read, a swipe in the wrong direction.
    Other,
}

impl Reading {
    /// Sorts what a scanner, a card reader or a keyboard sent.
    #[must_use]
    pub fn of(text: &str) -> Self {
        if crate::ticket::looks_like_code(text) {
            return Self::Code(text.to_owned());
        }
        CardNumber::read(text).map_or(Self::Other, Self::Card)
    }
}

/// The number on track 2, whose text begins after the `;`: digits up to the separator `=` (some readers send `D`).
fn track_2_number(track: &str) -> Option<&str> {
    let track = track.strip_suffix('?').unwrap_or(track);
    track.split(['=', 'D', 'd']).next()
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| {
            let digit = u32::from(digit - b'0');
            if at % 2 == 0 { digit } else { digit * 2 / 10 + digit * 2 % 10 }
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// domain.md §1.4: the vector for K = 00 01 … 1f.
    #[test]
    fn the_fingerprint_is_the_published_vector() {
        let key = CardKey::new(std::array::from_fn(|at| at as u8));
        let card = CardNumber::read("6214680000000008").expect("valid number");
        assert_eq!(
            String::from(card.fingerprint(&key)),
            "ab090e083c9b27e68d8d9d6f0be38e964642fe6de6abab1716c860a783671e3c"
        );
    }

    #[test]
    fn track_2_plain_and_full_width_are_the_same_card() {
        let key = CardKey::new([1; 32]);
        let plain = CardNumber::read("6214680000000008").expect("plain").fingerprint(&key);
        for text in [
            ";6214680000000008=30122200000000000000?",
            "%B6214680000000008^WANG/XIAOMING^30122200000?;6214680000000008=30122200000000000000?",
            "６２１４６８００００００ ０００８",
            "6214 6800 0000 0008\r\n",
        ] {
            assert_eq!(CardNumber::read(text).expect(text).fingerprint(&key), plain, "{text}");
        }
    }

    #[test]
    fn a_wrong_check_digit_is_no_card() {
        assert!(CardNumber::read("6214680000000009").is_none());
        assert!(CardNumber::read("").is_none());
        assert!(CardNumber::read(";=?").is_none());
        assert!(CardNumber::read("19900000000").is_none());
    }

    #[test]
    fn the_number_shows_in_no_debug_text() {
        let card = CardNumber::read("6214680000000008").expect("valid number");
        assert!(!format!("{card:?} {:?}", Reading::of("6214680000000008")).contains("6214"));
        assert!(card.has_bin(&["602969", "621468"]));
        assert!(!card.has_bin(&["602969"]));
        assert_eq!(card.last4(), "0008");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in any::<String>()) {
            drop(Reading::of(&text));
        }
    }
}
