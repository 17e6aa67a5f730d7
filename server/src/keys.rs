//! The server's secrets: the keys that sign tickets, the key that fingerprints cards and the key
//! that seeds draws. Files in the data folder,
//! readable by their owner only; never in the database, so that a stolen database holds no usable card.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
    sync::Arc,
};

use admission::{
    card::CardKey,
    moving::EventKey,
    sync::{self, IssuerPublicKey},
    ticket::{IssuerKey, TrustedKeys},
};
use anyhow::Context as _;
use data_encoding::HEXLOWER;
use zeroize::Zeroizing;

use crate::{db::Db, fetch};

/// All secrets of this installation. Every server process of one installation needs the same files.
#[derive(Clone, Debug)]
pub struct Keys {
    /// Keys that sign tickets, by id; the last signs new ones, the others still verify.
    issuers: Arc<Vec<IssuerKey>>,
    /// Fingerprints cards and ID numbers.
    pub card: CardKey,
    /// Makes the seeds of draws. Without it a draw that was committed to cannot be made.
    pub draw: CardKey,
}

impl Keys {
    /// Reads the keys of the installation whose database this is. Where they are missing they are made, but never beside
    /// tickets and cards of others: those would all be strangers from then on.
    ///
    /// # Errors
    /// When the database has tickets or cards and `folder` no key of theirs, when it cannot be read, or as [`Keys::open`].
    pub async fn of(db: &Db, folder: &Path) -> anyhow::Result<Self> {
        let mut tx = db.read().await?;
        let (cards, tickets): (bool, bool) = fetch!(
            tx,
            fetch_one,
            "select exists (select 1 from card), exists (select 1 from ticket)",
        )?;
        drop(tx);
        let is_there = |prefix| {
            let names = fs::read_dir(folder).into_iter().flatten().flatten();
            names.filter_map(|file| file.file_name().into_string().ok()).any(|name: String| {
                name.strip_prefix(prefix).is_some_and(|rest| rest.ends_with(".key"))
            })
        };
        for (used, prefix, file) in
            [(cards, "card", "card.key"), (tickets, "ticket-", "ticket-….key")]
        {
            anyhow::ensure!(
                !used || is_there(prefix),
                "数据库在用，{0} 里却没有它的密钥 {file}。请先把原来的密钥放回去：新的密钥认不出已有的票和卡。 \
                 The database is in use, and {0} has no {file} of it. Put the keys back first: new ones would know none of its tickets and cards",
                folder.display()
            );
        }
        Self::open(folder)
    }

    /// Reads the keys in `folder`, making those that are missing.
    ///
    /// # Errors
    /// When a file cannot be read or made, or is not a key.
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
        let card = CardKey::new(*secret(&folder.join("card.key"))?);
        let draw = CardKey::new(*secret(&folder.join("draw.key"))?);
        let mut ids: Vec<u8> = fs::read_dir(folder)?
            .filter_map(|file| {
                file.ok()?
                    .file_name()
                    .to_str()?
                    .strip_prefix("ticket-")?
                    .strip_suffix(".key")?
                    .parse()
                    .ok()
            })
            .collect();
        ids.sort_unstable();
        if ids.is_empty() {
            ids.push(1);
        }
        let issuers = ids
            .into_iter()
            .map(|id| Ok(IssuerKey::new(id, &*secret(&folder.join(format!("ticket-{id}.key")))?)))
            .collect::<anyhow::Result<_>>()?;
        Ok(Self { issuers: Arc::new(issuers), card, draw })
    }

    /// The key that signs new tickets.
    ///
    /// # Panics
    /// Never: opening makes one when there is none.
    #[must_use]
    pub fn issuer(&self) -> &IssuerKey {
        self.issuers.last().expect("there is always a signing key")
    }

    /// From what the moving codes of an event's tickets are made: from a secret that every server process has.
    #[must_use]
    pub fn moving(&self, event_id: &str) -> EventKey {
        EventKey::of(self.draw.secret(), event_id)
    }

    /// The key of that id, while it is still trusted.
    #[must_use]
    pub fn issuer_of(&self, id: u8) -> Option<&IssuerKey> {
        self.issuers.iter().find(|key| key.id == id)
    }

    /// That a kiosk was revoked, signed by every key of which it may know one: the value of a header.
    #[must_use]
    pub fn revocation(&self, kiosk: &str, request_signature: &str) -> String {
        let sign = |key| sync::sign_revocation(key, kiosk, request_signature);
        self.issuers.iter().map(sign).collect::<Vec<_>>().join(", ")
    }

    /// The public keys that verify tickets as kiosks are told them, and that they are these, signed by each.
    #[must_use]
    pub fn told(&self) -> (Vec<IssuerPublicKey>, String) {
        let keys: Vec<_> = self.public().map(|(id, key)| IssuerPublicKey::new(id, &key)).collect();
        let sign = |key| sync::sign_keys(key, &keys);
        let signed = self.issuers.iter().map(sign).collect::<Vec<_>>().join(", ");
        (keys, signed)
    }

    /// The public keys that verify tickets: id and 32 bytes.
    pub fn public(&self) -> impl Iterator<Item = (u8, [u8; 32])> + '_ {
        self.issuers.iter().map(|key| (key.id, key.public()))
    }

    /// The same, ready to verify with.
    #[must_use]
    pub fn trusted(&self) -> TrustedKeys {
        let mut trusted = TrustedKeys::default();
        for (id, public) in self.public() {
            trusted.trust(id, &public);
        }
        trusted
    }
}

fn secret(file: &Path) -> anyhow::Result<Zeroizing<[u8; 32]>> {
    if !file.exists() {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *bytes).expect("the system has randomness");
        let text = Zeroizing::new(HEXLOWER.encode(&*bytes));
        let mut new = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(file)
            .with_context(|| format!("cannot write the key {}", file.display()))?;
        new.write_all(text.as_bytes())?;
        new.sync_all()?;
    }
    let text = Zeroizing::new(
        fs::read_to_string(file)
            .with_context(|| format!("cannot read the key {}", file.display()))?,
    );
    let bytes = HEXLOWER.decode(text.trim().as_bytes()).ok().map(Zeroizing::new);
    let bytes: Option<[u8; 32]> = bytes.and_then(|bytes| bytes.as_slice().try_into().ok());
    Ok(Zeroizing::new(
        bytes
            .with_context(|| format!("{} is not a key of 64 hexadecimal digits", file.display()))?,
    ))
}
