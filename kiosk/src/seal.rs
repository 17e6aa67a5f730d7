//! What is kept on the disk only sealed: the card key, and who holds the tickets. A stolen disk matches no card and names
//! nobody.
//!
//! Everything is sealed under one key, the vault's, and that under what the kiosk's PIN gives ([`Lock`]). So the PIN can be
//! changed without sealing a hundred thousand names anew. (Where it never was, the vault's key is what the first PIN gives.)
//! Inside stands what tells a supervisor's PIN from another: whoever has the disk learns nothing of it without the first.

use std::{io, path::Path};

use admission::{card::CardKey, pin};
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
    /// The PIN's salt.
    salt: String,
    /// An empty box: opens under the right PIN alone.
    proof: String,
    /// The vault's key, sealed under what the PIN gives. None where that is the vault's key itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    card_key: Option<String>,
    /// What tells the supervisor's PIN from others, sealed under the vault's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    supervisor: Option<String>,
}

/// What a PIN gives, and the salt it was made with.
#[derive(Clone, PartialEq, Eq)]
pub struct Lock {
    salt: [u8; 16],
    key: Zeroizing<[u8; 32]>,
}

impl std::fmt::Debug for Lock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lock")
    }
}

impl Lock {
    /// A new one for `pin`. Slow on purpose.
    ///
    /// # Errors
    /// When the system gives no randomness or no memory.
    pub fn new(pin: &str) -> Result<Self, SealError> {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(|_| SealError::System("no randomness"))?;
        Self::of(pin, salt)
    }

    fn of(pin: &str, salt: [u8; 16]) -> Result<Self, SealError> {
        let key = pin::stretch(pin, &salt).ok_or(SealError::System("Argon2"))?;
        Ok(Self { salt, key })
    }

    /// Whether `pin` opens it. Slow on purpose.
    ///
    /// # Errors
    /// When the system gives no memory.
    pub fn fits(&self, pin: &str) -> Result<bool, SealError> {
        // Both are made by a slow function of what was typed: how long the comparison takes tells nothing.
        Ok(Self::of(pin, self.salt)? == *self)
    }

    fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new([&self.salt[..], &self.key[..]].concat())
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (salt, key) = bytes.split_first_chunk::<16>()?;
        Some(Self { salt: *salt, key: Zeroizing::new(key.try_into().ok()?) })
    }
}

/// The vault's key: seals and opens boxes of one kiosk. In memory only.
#[derive(Clone)]
pub struct Vault {
    cipher: ChaCha20Poly1305,
    key: Zeroizing<[u8; 32]>,
    kiosk: String,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault")
    }
}

/// What a PIN opened.
#[derive(Debug)]
pub struct Opened {
    /// The vault.
    pub vault: Vault,
    /// The card key, if one was kept.
    pub card_key: Option<CardKey>,
    /// The supervisor's own PIN, if they have one.
    pub supervisor: Option<Lock>,
}

impl Vault {
    fn new(key: Zeroizing<[u8; 32]>, kiosk: &str) -> Self {
        let cipher = ChaCha20Poly1305::new((&*key).into());
        Self { cipher, key, kiosk: kiosk.to_owned() }
    }

    /// What `pin` opens of `kiosk`'s file at `path`. Without a file a new vault is made under that PIN. Slow on purpose: not
    /// for a thread that serves the door.
    ///
    /// # Errors
    /// [`SealError::WrongPin`] when the PIN does not fit.
    pub fn open(path: &Path, kiosk: &str, pin: &str) -> Result<Opened, SealError> {
        let Some(text) = read_if_there(path)? else {
            let mut key = Zeroizing::new([0; 32]);
            getrandom::fill(&mut *key).map_err(|_| SealError::System("no randomness"))?;
            let vault = Self::new(key, kiosk);
            let (salt, proof) = (String::new(), String::new());
            let file = File { salt, proof, key: None, card_key: None, supervisor: None };
            write(path, &vault.locked(file, &Lock::new(pin)?)?)?;
            return Ok(Opened { vault, card_key: None, supervisor: None });
        };
        let file: File = serde_json::from_slice(&text).map_err(io::Error::other)?;
        let salt: [u8; 16] = bytes(&file.salt)?.try_into().map_err(|_| SealError::WrongPin)?;
        let under = Self::new(Lock::of(pin, salt)?.key, kiosk);
        under.unseal("proof", &bytes(&file.proof)?).ok_or(SealError::WrongPin)?;
        let vault = match &file.key {
            None => under,
            Some(sealed) => {
                let key = under.unseal("vault key", &bytes(sealed)?).ok_or(SealError::WrongPin)?;
                let key = key.as_slice().try_into().map_err(|_| SealError::WrongPin)?;
                Self::new(Zeroizing::new(key), kiosk)
            }
        };
        let inside = |what, sealed: &Option<String>| -> Result<_, SealError> {
            let Some(sealed) = sealed else { return Ok(None) };
            vault.unseal(what, &bytes(sealed)?).ok_or(SealError::WrongPin).map(Some)
        };
        let card_key = inside("card key", &file.card_key)?;
        let card_key = card_key.map(|secret| secret.as_slice().try_into().map(CardKey::new));
        let card_key = card_key.transpose().map_err(|_| SealError::WrongPin)?;
        let supervisor = inside("supervisor", &file.supervisor)?;
        let supervisor = supervisor.and_then(|bytes| Lock::from_bytes(&bytes));
        Ok(Opened { vault, card_key, supervisor })
    }

    /// Keeps `card_key` in the file at `path`.
    ///
    /// # Errors
    /// When the file cannot be written or the system gives no randomness.
    pub fn keep(&self, path: &Path, card_key: &CardKey) -> Result<(), SealError> {
        let sealed = HEXLOWER.encode(&self.seal("card key", card_key.secret())?);
        write(path, &File { card_key: Some(sealed), ..read(path)? })
    }

    /// From now on `lock` opens it, and what opened it before does not.
    ///
    /// # Errors
    /// When the file cannot be written or the system gives no randomness.
    pub fn change_lock(&self, path: &Path, lock: &Lock) -> Result<(), SealError> {
        write(path, &self.locked(read(path)?, lock)?)
    }

    /// From now on a supervisor has that PIN.
    ///
    /// # Errors
    /// When the file cannot be written or the system gives no randomness.
    pub fn keep_supervisor(&self, path: &Path, lock: &Lock) -> Result<(), SealError> {
        let sealed = HEXLOWER.encode(&self.seal("supervisor", &lock.to_bytes())?);
        write(path, &File { supervisor: Some(sealed), ..read(path)? })
    }

    fn locked(&self, file: File, lock: &Lock) -> Result<File, SealError> {
        let under = Self::new(lock.key.clone(), &self.kiosk);
        Ok(File {
            salt: HEXLOWER.encode(&lock.salt),
            proof: HEXLOWER.encode(&under.seal("proof", b"")?),
            key: Some(HEXLOWER.encode(&under.seal("vault key", &*self.key)?)),
            ..file
        })
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

fn read(path: &Path) -> Result<File, SealError> {
    let text = read_if_there(path)?.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
    Ok(serde_json::from_slice(&text).map_err(io::Error::other)?)
}

fn write(path: &Path, file: &File) -> Result<(), SealError> {
    Ok(write_private(path, &serde_json::to_vec(file).map_err(io::Error::other)?)?)
}

fn bytes(hex: &str) -> Result<Vec<u8>, SealError> {
    Ok(HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).map_err(io::Error::other)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_pin_and_the_kiosk_that_sealed_it_open_the_card_key() {
        let temp = tempfile::tempdir().expect("a folder");
        let path = temp.path().join("card-key.sealed");
        let Opened { vault, card_key, .. } =
            Vault::open(&path, "k1", "246810").expect("a new vault");
        assert!(card_key.is_none());
        vault.keep(&path, &CardKey::new([9; 32])).expect("kept");
        let sealed = vault.seal("T", "王小明".as_bytes()).expect("sealed");
        let again = Vault::open(&path, "k1", "246810").expect("the right PIN");
        assert_eq!(again.card_key.expect("a key").secret(), &[9; 32]);
        let opened = again.vault.unseal("T", &sealed).expect("its box");
        assert_eq!(opened.as_slice(), "王小明".as_bytes());
        assert!(again.vault.unseal("U", &sealed).is_none(), "another ticket's box");
        assert!(matches!(Vault::open(&path, "k1", "246811"), Err(SealError::WrongPin)));
        assert!(matches!(Vault::open(&path, "k2", "246810"), Err(SealError::WrongPin)));
        let file = std::fs::read_to_string(&path).expect("a file");
        assert!(!file.contains(&HEXLOWER.encode(&[9; 32])));
        forget_card_key(&path).expect("forgotten");
        let opened = Vault::open(&path, "k1", "246810").expect("the PIN stays");
        assert!(opened.card_key.is_none());
    }

    /// What the program wrote before PINs could be changed.
    fn written_before(path: &Path, pin: &str) -> Vec<u8> {
        let lock = Lock::new(pin).expect("a lock");
        let vault = Vault::new(lock.key.clone(), "k1");
        let hex = |what, secret: &[u8]| HEXLOWER.encode(&vault.seal(what, secret).expect("sealed"));
        let (salt, proof) = (HEXLOWER.encode(&lock.salt), hex("proof", b""));
        let card_key = hex("card key", &[9; 32]);
        let text = format!(r#"{{"salt":"{salt}","proof":"{proof}","card_key":"{card_key}"}}"#);
        write_private(path, text.as_bytes()).expect("written");
        vault.seal("T", "王小明".as_bytes()).expect("sealed")
    }

    #[test]
    fn a_changed_pin_opens_all_that_the_old_one_sealed_and_the_old_one_nothing() {
        let temp = tempfile::tempdir().expect("a folder");
        let path = temp.path().join("card-key.sealed");
        let sealed = written_before(&path, "246810");
        let before = Vault::open(&path, "k1", "246810").expect("it is still good");
        before.vault.change_lock(&path, &Lock::new("808017").expect("a lock")).expect("changed");
        let after = Vault::open(&path, "k1", "808017").expect("the new PIN");
        assert_eq!(after.card_key.expect("a key").secret(), &[9; 32]);
        assert!(after.vault.unseal("T", &sealed).is_some(), "who was sealed before");
        assert!(matches!(Vault::open(&path, "k1", "246810"), Err(SealError::WrongPin)));
        // Whoever had it open goes on.
        before.vault.keep(&path, &CardKey::new([8; 32])).expect("kept");
        let after = Vault::open(&path, "k1", "808017").expect("the new PIN");
        assert_eq!(after.card_key.expect("a key").secret(), &[8; 32]);
    }

    #[test]
    fn a_supervisors_pin_stands_inside_and_opens_nothing() {
        let temp = tempfile::tempdir().expect("a folder");
        let path = temp.path().join("card-key.sealed");
        let Opened { vault, supervisor, .. } =
            Vault::open(&path, "k1", "246810").expect("a new vault");
        assert!(supervisor.is_none());
        vault.keep_supervisor(&path, &Lock::new("808017").expect("a lock")).expect("kept");
        vault.change_lock(&path, &Lock::new("135792").expect("a lock")).expect("changed");
        let supervisor = Vault::open(&path, "k1", "135792").expect("the PIN").supervisor;
        let supervisor = supervisor.expect("it stays");
        assert!(supervisor.fits("808017").expect("memory"));
        assert!(!supervisor.fits("135792").expect("memory"));
        assert!(matches!(Vault::open(&path, "k1", "808017"), Err(SealError::WrongPin)));
    }
}
