//! The moving code by which a member shows, without a card and without a name, that they are one: sealed by the server,
//! good for a minute, so that a picture of it is worth nothing.

use admission::Millis;
use chacha20poly1305::{ChaCha20Poly1305, aead::Aead as _};
use data_encoding::BASE32_NOPAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use uuid::Uuid;

use crate::keys::Keys;

/// How a code begins: letters and digits only, like a ticket's.
const PREFIX: &str = "M1";
/// It is good for so long, and a new one is shown three times as often.
pub(super) const GOOD_MS: i64 = 60_000;
/// Server processes' clocks may be so far apart.
const AHEAD_MS: i64 = 5_000;
const NONCE: usize = 12;

/// What became of reading a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// It shows this person's page, now.
    Person(String),
    /// It did a while ago: a picture of it, or a page without a network.
    Stale,
    /// It is none of ours.
    Forged,
}

/// Whether `text` claims to be a member's code.
pub(super) fn looks_like_one(plain: &str) -> bool {
    plain.starts_with(PREFIX) && plain.len() > 40
}

/// The code of a person now.
///
/// # Errors
/// When their id is none that this program made.
pub(super) fn seal(keys: &Keys, person_id: &str, now: Millis) -> crate::error::Result<String> {
    let id = Uuid::parse_str(person_id).map_err(anyhow::Error::from)?;
    let mut text = [0; 24];
    text[..16].copy_from_slice(id.as_bytes());
    text[16..].copy_from_slice(&now.0.to_be_bytes());
    let mut nonce = [0; NONCE];
    getrandom::fill(&mut nonce).expect("the system has randomness");
    let sealed = cipher(keys)
        .encrypt(&nonce.into(), text.as_slice())
        .map_err(|_| anyhow::anyhow!("a code could not be sealed"))?;
    Ok(format!("{PREFIX}{}", BASE32_NOPAD.encode(&[nonce.as_slice(), &sealed].concat())))
}

/// Reads a code that was shown; `plain` is in capital letters and digits.
pub(super) fn open(keys: &Keys, plain: &str, now: Millis) -> Read {
    let bytes =
        plain.strip_prefix(PREFIX).and_then(|rest| BASE32_NOPAD.decode(rest.as_bytes()).ok());
    let Some((nonce, sealed)) = bytes.as_ref().and_then(|bytes| bytes.split_first_chunk::<NONCE>())
    else {
        return Read::Forged;
    };
    let Ok(text) = cipher(keys).decrypt(&(*nonce).into(), sealed) else { return Read::Forged };
    let Ok(text) = <[u8; 24]>::try_from(text.as_slice()) else { return Read::Forged };
    let (id, made) = text.split_at(16);
    let made = Millis(i64::from_be_bytes(made.try_into().expect("eight bytes")));
    if !(-AHEAD_MS..=GOOD_MS).contains(&now.since(made)) {
        return Read::Stale;
    }
    Uuid::from_slice(id).map_or(Read::Forged, |id| Read::Person(id.to_string()))
}

/// Under a key of its own, made from the installation's: every server process has the same.
fn cipher(keys: &Keys) -> ChaCha20Poly1305 {
    let mut mac = Hmac::<Sha256>::new_from_slice(keys.draw.secret()).expect("any length fits");
    mac.update(b"turnout member code 1");
    ChaCha20Poly1305::new(&mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(1_804_224_300_000);

    #[test]
    fn a_code_is_good_for_a_minute_says_nothing_and_cannot_be_made_up() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let keys = Keys::open(folder.path()).expect("keys");
        let person = crate::db::new_id(NOW);
        let code = seal(&keys, &person, NOW).expect("a code");
        assert!(looks_like_one(&code) && code.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_ne!(
            seal(&keys, &person, NOW).expect("a code"),
            code,
            "nobody tells two visits from two people"
        );
        assert_eq!(open(&keys, &code, NOW.plus(59_000)), Read::Person(person));
        assert_eq!(open(&keys, &code, NOW.plus(61_000)), Read::Stale);
        assert_eq!(open(&keys, &code, NOW.plus(-6_000)), Read::Stale);
        for at in [2, 20, code.len() - 1] {
            let mut other = code.clone().into_bytes();
            other[at] = if other[at] == b'A' { b'B' } else { b'A' };
            let other = String::from_utf8(other).expect("ASCII");
            assert_eq!(open(&keys, &other, NOW), Read::Forged, "character {at}");
        }
    }
}
