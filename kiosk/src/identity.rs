//! Who this kiosk is: its id and server, and the private key that signs what it sends. Two files in its folder.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use data_encoding::HEXLOWER;
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// What a kiosk keeps of its enrolment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolment {
    /// The kiosk's id.
    pub kiosk: String,
    /// Its name.
    pub name: String,
    /// The server it belongs to, without a slash at the end.
    pub server: String,
    /// A hash of the one-time code: whoever sets the first PIN shows that they enrolled this kiosk. None where the
    /// PIN was set with the enrolment, or by an older program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

impl Enrolment {
    /// What [`Self::code`] is for `code`, however it was typed: with or without hyphens, in either case.
    #[must_use]
    pub fn hash_of(kiosk: &str, code: &str) -> String {
        let plain: String = code.chars().filter(char::is_ascii_alphanumeric).collect();
        let text = format!("turnout first pin 1\n{kiosk}\n{}", plain.to_ascii_uppercase());
        HEXLOWER.encode(&Sha256::digest(text))
    }
}

/// The files of one kiosk.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// The folder at `path`, which may not exist yet.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.0.join("kiosk.db")
    }

    /// The card key, sealed under a PIN.
    #[must_use]
    pub fn sealed_card_key(&self) -> PathBuf {
        self.0.join("card-key.sealed")
    }

    /// The enrolment, if this folder has one.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn enrolment(&self) -> io::Result<Option<Enrolment>> {
        let Some(text) = read_if_there(&self.enrolment_file())? else { return Ok(None) };
        serde_json::from_slice(&text).map(Some).map_err(io::Error::other)
    }

    /// The private key; none after a revocation.
    ///
    /// # Errors
    /// When the file cannot be read or is no key.
    pub fn key(&self) -> io::Result<Option<SigningKey>> {
        let Some(text) = read_if_there(&self.key_file())? else { return Ok(None) };
        let secret = HEXLOWER
            .decode(text.trim_ascii())
            .ok()
            .map(Zeroizing::new)
            .and_then(|bytes| <[u8; 32]>::try_from(bytes.as_slice()).ok().map(Zeroizing::new))
            .ok_or_else(|| io::Error::other("kiosk.key does not hold a key"))?;
        Ok(Some(SigningKey::from_bytes(&secret)))
    }

    /// Keeps a new enrolment. The key is written first: an enrolment without a key would be useless.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn keep(&self, enrolment: &Enrolment, key: &SigningKey) -> io::Result<()> {
        let secret = Zeroizing::new(HEXLOWER.encode(&*Zeroizing::new(key.to_bytes())));
        write_private(&self.key_file(), secret.as_bytes())?;
        let text = serde_json::to_vec_pretty(enrolment).map_err(io::Error::other)?;
        write_private(&self.enrolment_file(), &text)
    }

    /// Makes the folder, readable by its owner alone.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn make(&self) -> io::Result<()> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&self.0)
    }

    /// Removes the private key, and with it the right to speak.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub fn wipe_key(&self) -> io::Result<()> {
        remove_if_there(&self.key_file())
    }

    /// Removes what the PIN opens: the sealed card key, and the PIN with it.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub fn wipe_pin(&self) -> io::Result<()> {
        remove_if_there(&self.sealed_card_key())
    }

    /// Removes the sealed card key. The PIN that it was sealed under stays, so that nobody sets another.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn wipe_card_key(&self) -> io::Result<()> {
        crate::seal::forget_card_key(&self.sealed_card_key())
    }

    /// Puts a revoked kiosk's store aside, so that a new enrolment begins a new journal and nothing is lost.
    ///
    /// # Errors
    /// When a file cannot be renamed.
    pub fn set_store_aside(&self, kiosk: &str) -> io::Result<()> {
        for suffix in ["", "-wal", "-shm"] {
            let from = self.0.join(format!("kiosk.db{suffix}"));
            if from.exists() {
                fs::rename(from, self.0.join(format!("kiosk-{kiosk}.db{suffix}")))?;
            }
        }
        Ok(())
    }

    fn enrolment_file(&self) -> PathBuf {
        self.0.join("kiosk.json")
    }

    fn key_file(&self) -> PathBuf {
        self.0.join("kiosk.key")
    }
}

/// Writes a file that only its owner may read, whole or not at all, and durably.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    match path.parent() {
        // Without this the rename itself may be lost in a power cut.
        Some(folder) => fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

pub(crate) fn read_if_there(path: &Path) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(Zeroizing::new(bytes))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_enrolment_is_kept_for_its_owner_alone() {
        let temp = tempfile::tempdir().expect("a folder");
        let folder = Folder::new(&temp.path().join("kiosk"));
        assert_eq!(folder.enrolment().expect("nothing there"), None);
        folder.make().expect("made");
        let enrolment = Enrolment {
            kiosk: "k".into(),
            name: "东门 1".into(),
            server: "http://127.0.0.1:8080".into(),
            code: Some(Enrolment::hash_of("k", "ABCDE-FGHJK")),
        };
        assert_eq!(enrolment.code, Some(Enrolment::hash_of("k", " abcdefghjk ")));
        assert_ne!(enrolment.code, Some(Enrolment::hash_of("k", "ABCDE-FGHJL")));
        assert_ne!(enrolment.code, Some(Enrolment::hash_of("l", "ABCDE-FGHJK")));
        let key = SigningKey::from_bytes(&[7; 32]);
        folder.keep(&enrolment, &key).expect("kept");
        assert_eq!(folder.enrolment().expect("read"), Some(enrolment));
        assert_eq!(folder.key().expect("read").map(|key| key.to_bytes()), Some(key.to_bytes()));
        #[cfg(unix)]
        {
            let mode = |name: &str| {
                let path = temp.path().join("kiosk").join(name);
                std::os::unix::fs::PermissionsExt::mode(
                    &fs::metadata(path).expect("there").permissions(),
                ) & 0o777
            };
            assert_eq!((mode(""), mode("kiosk.key"), mode("kiosk.json")), (0o700, 0o600, 0o600));
        }
        folder.wipe_pin().expect("wiped");
        folder.wipe_key().expect("wiped");
        assert!(folder.key().expect("read").is_none());
    }
}
