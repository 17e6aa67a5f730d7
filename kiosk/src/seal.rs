//! What is kept on the disk only sealed, under the kiosk's PIN: the card key, and who holds the tickets. A stolen disk
//! matches no card and names nobody.
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

const NONCE_BYTES: usize = 12;

/// What can go wrong with what is sealed.
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
struct File {
    salt: String,
    /// An empty box: opens under the right PIN alone.
    proof: String,
    card_key: Option<String>,
}

/// The key that a PIN gives: seals and opens boxes of one kiosk. In memory only.
#[derive(Clone)]
pub struct Vault {
    cipher: ChaCha20Poly1305,
    kiosk: String,
    salt: [u8; 16],
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault")
    }
}

impl Vault {
    /// The vault of `kiosk` that `pin` opens, with the card key if the file at `path` has one. Without a file a new
    /// vault is made under that PIN. Slow on purpose: not for a thread that serves the door.
    ///
    /// # Errors
    /// [`SealError::WrongPin`] when the PIN does not fit.
    pub fn open(path: &Path, kiosk: &str, pin: &str) -> Result<(Self, Option<CardKey>), SealError> {
        let Some(text) = read_if_there(path)? else {
            let mut salt = [0; 16];
            getrandom::fill(&mut salt).map_err(|_| SealError::System("no randomness"))?;
            let vault = Self { cipher: cipher(pin, &salt)?, kiosk: kiosk.to_owned(), salt };
            vault.write(path, None)?;
            return Ok((vault, None));
        };
        let file: File = serde_json::from_slice(&text).map_err(io::Error::other)?;
        let salt: [u8; 16] = bytes(&file.salt)?.try_into().map_err(|_| SealError::WrongPin)?;
        let vault = Self { cipher: cipher(pin, &salt)?, kiosk: kiosk.to_owned(), salt };
        vault.unseal("proof", &bytes(&file.proof)?).ok_or(SealError::WrongPin)?;
        let card_key = match &file.card_key {
            None => None,
            Some(sealed) => {
                let opened =
                    vault.unseal("card key", &bytes(sealed)?).ok_or(SealError::WrongPin)?;
                let secret =
                    <[u8; 32]>::try_from(opened.as_slice()).map_err(|_| SealError::WrongPin)?;
                Some(CardKey::new(secret))
            }
        };
        Ok((vault, card_key))
    }

    /// Keeps `card_key` in the file at `path`.
    ///
    /// # Errors
    /// When the file cannot be written or the system gives no randomness.
    pub fn keep(&self, path: &Path, card_key: &CardKey) -> Result<(), SealError> {
        self.write(path, Some(self.seal("card key", card_key.secret())?))
    }

    fn write(&self, path: &Path, card_key: Option<Vec<u8>>) -> Result<(), SealError> {
        let file = File {
            salt: HEXLOWER.encode(&self.salt),
            proof: HEXLOWER.encode(&self.seal("proof", b"")?),
            card_key: card_key.map(|sealed| HEXLOWER.encode(&sealed)),
        };
        let text = serde_json::to_vec(&file).map_err(io::Error::other)?;
        Ok(write_private(path, &text)?)
    }

    /// A box with `secret` in it, which opens only as `what` of this kiosk.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn seal(&self, what: &str, secret: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|_| SealError::System("no randomness"))?;
        let aad = self.about(what);
        let sealed = self
            .cipher
            .encrypt(&nonce.into(), Payload { msg: secret, aad: aad.as_bytes() })
            .map_err(|_| SealError::System("encryption failed"))?;
        Ok([&nonce[..], &sealed].concat())
    }

    /// What is in a box that was sealed as `what`; none when it does not open.
    #[must_use]
    pub fn unseal(&self, what: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>()?;
        let aad = self.about(what);
        let payload = Payload { msg: sealed, aad: aad.as_bytes() };
        self.cipher.decrypt(&(*nonce).into(), payload).ok().map(Zeroizing::new)
    }

    fn about(&self, what: &str) -> String {
        format!("{}\0{what}", self.kiosk)
    }
}

/// Removes the card key from the file at `path`; the PIN stays what it is.
///
/// # Errors
/// When the file cannot be read or written.
pub fn forget_card_key(path: &Path) -> io::Result<()> {
    let Some(text) = read_if_there(path)? else { return Ok(()) };
    let file: File = serde_json::from_slice(&text)?;
    if file.card_key.is_none() {
        return Ok(());
    }
    write_private(path, &serde_json::to_vec(&File { card_key: None, ..file })?)
}

fn bytes(hex: &str) -> Result<Vec<u8>, SealError> {
    Ok(HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).map_err(io::Error::other)?)
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
        let (vault, none) = Vault::open(&path, "k1", "246810").expect("a new vault");
        assert!(none.is_none());
        vault.keep(&path, &CardKey::new([9; 32])).expect("kept");
        let sealed = vault.seal("T", "王小明".as_bytes()).expect("sealed");
        let (again, card_key) = Vault::open(&path, "k1", "246810").expect("the right PIN");
        assert_eq!(card_key.expect("a key").secret(), &[9; 32]);
        assert_eq!(again.unseal("T", &sealed).expect("its box").as_slice(), "王小明".as_bytes());
        assert!(again.unseal("U", &sealed).is_none(), "another ticket's box");
        assert!(matches!(Vault::open(&path, "k1", "246811"), Err(SealError::WrongPin)));
        assert!(matches!(Vault::open(&path, "k2", "246810"), Err(SealError::WrongPin)));
        let file = std::fs::read_to_string(&path).expect("a file");
        assert!(!file.contains(&HEXLOWER.encode(&[9; 32])));
        forget_card_key(&path).expect("forgotten");
        let (_, none) = Vault::open(&path, "k1", "246810").expect("the PIN stays");
        assert!(none.is_none());
    }
}
