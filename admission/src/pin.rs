//! The PINs of a kiosk's operating page: what one may be, and what it gives.
//!
//! A PIN is short. What it gives is made slowly (Argon2id over 64 MiB, about a fifth of a second), so that six digits hold
//! for days against whoever has the disk, not for ever; the lease and a revocation are the rest of the answer.

use argon2::{Algorithm, Argon2, Params, Version};
use zeroize::Zeroizing;

/// A PIN has so many digits.
pub const DIGITS: std::ops::RangeInclusive<usize> = 6..=12;

/// Whether `pin` could be one.
#[must_use]
pub fn is_pin(pin: &str) -> bool {
    DIGITS.contains(&pin.len()) && pin.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether `pin` is one of those that everybody tries first: one digit, a run, or the same few digits over and over. None of
/// these is set; one that was set before is still good.
#[must_use]
pub fn is_weak(pin: &str) -> bool {
    let digits = pin.as_bytes();
    let step = |by: i16| {
        digits.windows(2).all(|pair| (i16::from(pair[1]) - i16::from(pair[0]) - by) % 10 == 0)
    };
    let repeats =
        |length: usize| digits.iter().zip(digits.iter().cycle().skip(length)).all(|(a, b)| a == b);
    let repeats = (1..=3).any(|length| digits.len().is_multiple_of(length) && repeats(length));
    step(1) || step(-1) || repeats || ["5201314", "147258", "159357", "147258369"].contains(&pin)
}

/// What `pin` gives with this salt. Slow on purpose: not for a thread that serves anybody.
#[must_use]
pub fn stretch(pin: &str, salt: &[u8; 16]) -> Option<Zeroizing<[u8; 32]>> {
    let params = Params::new(64 * 1024, 3, 1, Some(32)).ok()?;
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(pin.as_bytes(), salt, &mut *key)
        .ok()?;
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_six_to_twelve_digits() {
        for pin in ["246810", "000000", "123456789012"] {
            assert!(is_pin(pin), "{pin}");
        }
        for text in ["", "12345", "1234567890123", "12345a", "１２３４５６"] {
            assert!(!is_pin(text), "{text}");
        }
    }

    #[test]
    fn what_everybody_tries_first_is_weak() {
        for pin in [
            "000000", "888888", "123456", "654321", "567890", "890123", "121212", "123123",
            "5201314",
        ] {
            assert!(is_weak(pin), "{pin}");
        }
        for pin in ["246810", "112358", "135790", "123465", "1231234", "808017"] {
            assert!(!is_weak(pin), "{pin}");
        }
    }

    #[test]
    fn the_same_pin_and_salt_give_the_same() {
        let key = stretch("246810", &[7; 16]).expect("memory");
        assert_eq!(stretch("246810", &[7; 16]).as_deref(), Some(&*key));
        assert_ne!(stretch("246811", &[7; 16]).as_deref(), Some(&*key));
        assert_ne!(stretch("246810", &[8; 16]).as_deref(), Some(&*key));
    }
}
