//! The card key at rest: sealed under the kiosk's PIN, so that a stolen disk matches no card.
//!
//! A PIN is short. Argon2id over 64 MiB makes each guess cost about a fifth of a second, so six digits hold for
//! days, not for ever; the lease and a revocation are the rest of the answer.

use std::{io, path::Path};

use admission::card::CardKey;
use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::{
    ChaCha20Poly1305,
    aead::{Aead, KeyInit, Payload},
};
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::identity::{read_if_there, write_private};

/// What can go wrong with the sealed card key.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The file could not be read or written.
    #[error("the sealed card key cannot be read or written: {0}")]
    Io(#[from] io::Error),
    /// Another PIN, or another kiosk's file.
    #[error("the PIN does not open the card key (PIN 不正确): check --pin or TURNOUT_PIN")]
    WrongPin,
    /// The system gave no randomness or no memory.
    #[error("the card key cannot be sealed: {0}")]
    System(&'static str),
}

/// The file: what is needed beside the PIN.
#[derive(Serialize, Deserialize)]
struct Sealed {
    salt: String,
    nonce: String,
    card_key: String,
}

/// Seals `card_key` of `kiosk` under `pin` into the file at `path`.
///
/// # Errors
/// When the file cannot be written or the system gives no randomness.
pub fn seal(path: &Path, kiosk: &str, pin: &str, card_key: &CardKey) -> Result<(), SealError> {
    let (mut salt, mut nonce) = ([0; 16], [0; 12]);
    getrandom::fill(&mut salt).map_err(|_| SealError::System("no randomness"))?;
    getrandom::fill(&mut nonce).map_err(|_| SealError::System("no randomness"))?;
    let payload = Payload { msg: card_key.secret(), aad: kiosk.as_bytes() };
    let sealed = cipher(pin, &salt)?
        .encrypt(&nonce.into(), payload)
        .map_err(|_| SealError::System("encryption failed"))?;
    let file = Sealed {
        salt: HEXLOWER.encode(&salt),
        nonce: HEXLOWER.encode(&nonce),
        card_key: HEXLOWER.encode(&sealed),
    };
    let text = serde_json::to_vec(&file).map_err(io::Error::other)?;
    Ok(write_private(path, &text)?)
}

/// The card key of `kiosk` in the file at `path`, opened with `pin`; none when there is no file.
///
/// # Errors
/// [`SealError::WrongPin`] when the PIN does not fit.
pub fn open(path: &Path, kiosk: &str, pin: &str) -> Result<Option<CardKey>, SealError> {
    let Some(text) = read_if_there(path)? else { return Ok(None) };
    let file: Sealed = serde_json::from_slice(&text).map_err(io::Error::other)?;
    let bytes = |hex: &str| HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).map_err(io::Error::other);
    let nonce: [u8; 12] = bytes(&file.nonce)?.try_into().map_err(|_| SealError::WrongPin)?;
    let sealed = bytes(&file.card_key)?;
    let opened = cipher(pin, &bytes(&file.salt)?)?
        .decrypt(&nonce.into(), Payload { msg: &sealed, aad: kiosk.as_bytes() })
        .map(Zeroizing::new)
        .map_err(|_| SealError::WrongPin)?;
    let secret = <[u8; 32]>::try_from(opened.as_slice()).map_err(|_| SealError::WrongPin)?;
    Ok(Some(CardKey::new(secret)))
}

fn cipher(pin: &str, salt: &[u8]) -> Result<ChaCha20Poly1305, SealError> {
    let params = Params::new(64 * 1024, 3, 1, Some(32)).map_err(|_| SealError::System("Argon2"))?;
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(pin.as_bytes(), salt, &mut *key)
        .map_err(|_| SealError::System("Argon2"))?;
    Ok(ChaCha20Poly1305::new((&*key).into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_pin_and_the_kiosk_that_sealed_it_open_the_card_key() {
        let temp = tempfile::tempdir().expect("a folder");
        let path = temp.path().join("card-key.sealed");
        assert!(open(&path, "k1", "246810").expect("nothing there").is_none());
        seal(&path, "k1", "246810", &CardKey::new([9; 32])).expect("sealed");
        let opened = open(&path, "k1", "246810").expect("the right PIN").expect("a key");
        assert_eq!(opened.secret(), &[9; 32]);
        assert!(matches!(open(&path, "k1", "246811"), Err(SealError::WrongPin)));
        assert!(matches!(open(&path, "k2", "246810"), Err(SealError::WrongPin)));
        let file = std::fs::read_to_string(&path).expect("a file");
        assert!(!file.contains(&HEXLOWER.encode(&[9; 32])));
    }
}
