//! The staffed side of a kiosk: opened by a PIN, it knows who holds the tickets, and finds them by whatever a person at
//! the desk can say of themselves.
//!
//! Names, ends of phones and cards are on the disk only in sealed boxes. They are in memory while the program runs and
//! the PIN was given once; the page that shows them closes by itself.

pub mod search;

use std::sync::{Arc, Mutex, MutexGuard};

use admission::{
    Clock, Millis,
    card::CardKey,
    sync::{PersonRow, Post},
    time::{MINUTE, SECOND},
};

use self::search::Names;
use crate::{
    devices::Device,
    identity::{Enrolment, Folder},
    ready::{self, Finding},
    seal::{SealError, Vault},
    store::{Store, StoreError},
};

/// So many wrong PINs in a row cost nothing but a smile.
const FREE_TRIES: u32 = 3;
/// After more, each wait is twice the one before, up to this.
const WAIT_MAX_MS: i64 = 15 * MINUTE;
const WAIT_MS: i64 = 5 * SECOND;
/// A PIN has so many digits.
pub const PIN_DIGITS: std::ops::RangeInclusive<usize> = 6..=12;

/// Why the desk does not open.
#[derive(Debug, thiserror::Error)]
pub enum Shut {
    /// Another PIN.
    #[error("wrong PIN")]
    WrongPin {
        /// The next one is looked at after this many milliseconds.
        wait_ms: i64,
    },
    /// Too soon after wrong ones.
    #[error("too many wrong PINs")]
    TooSoon {
        /// The next one is looked at after this many milliseconds.
        wait_ms: i64,
    },
    /// A PIN that could not be one.
    #[error("a PIN has 6 to 12 digits")]
    NoPin,
    /// The first PIN is set by who enrolled the kiosk, and this is not the code it was enrolled by.
    #[error("not the enrolment code")]
    WrongCode {
        /// The next one is looked at after this many milliseconds.
        wait_ms: i64,
    },
    /// The disk failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The disk or the system failed.
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// The staffed side of a kiosk.
pub struct Desk {
    kiosk: String,
    folder: Folder,
    store: Store,
    clock: Arc<dyn Clock>,
    open: Mutex<Open>,
    /// PINs are looked at one at a time.
    turnstile: tokio::sync::Mutex<()>,
}

/// What is in memory since the PIN was given.
#[derive(Debug, Default)]
struct Open {
    vault: Option<Vault>,
    names: Names,
    /// How far the names go, by the server's revisions.
    through: i64,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk").field("kiosk", &self.kiosk).finish_non_exhaustive()
    }
}

impl Desk {
    /// The desk of `kiosk`, shut.
    #[must_use]
    pub fn new(kiosk: &str, folder: Folder, store: Store, clock: Arc<dyn Clock>) -> Self {
        let open = Mutex::new(Open::default());
        let turnstile = tokio::sync::Mutex::new(());
        Self { kiosk: kiosk.to_owned(), folder, store, clock, open, turnstile }
    }

    /// Whether a PIN was ever set on this kiosk.
    #[must_use]
    pub fn has_pin(&self) -> bool {
        self.folder.sealed_card_key().exists()
    }

    /// Whether the first PIN is still to be set, and by whom: by who knows the enrolment code.
    #[must_use]
    pub fn wants_code(&self) -> bool {
        !self.has_pin() && self.code().is_some()
    }

    /// The hash of the code that this kiosk was enrolled by.
    fn code(&self) -> Option<String> {
        self.folder.enrolment().ok().flatten().and_then(|enrolment| enrolment.code)
    }

    /// As [`Self::open`], for whoever stands at the screen: the first PIN is set only with the enrolment code.
    ///
    /// # Errors
    /// [`Shut`].
    pub async fn open_at_screen(&self, pin: &str, code: &str) -> Result<Option<CardKey>, Shut> {
        self.look_at(pin, Some(code)).await
    }

    /// Looks at a PIN: opens what it seals, or sets it when there is none yet. Gives the card key, if one was kept.
    /// Wrong ones make the next wait longer, also after a restart.
    ///
    /// # Errors
    /// [`Shut`].
    pub async fn open(&self, pin: &str) -> Result<Option<CardKey>, Shut> {
        self.look_at(pin, None).await
    }

    async fn look_at(&self, pin: &str, code: Option<&str>) -> Result<Option<CardKey>, Shut> {
        if !is_pin(pin) {
            return Err(Shut::NoPin);
        }
        let _turn = self.turnstile.lock().await;
        let now = self.clock.now();
        let (wrong, not_before) = self.store.wrong_pins().await?;
        let wait_ms = not_before.since(now);
        // A clock that was set back does not lock anybody out for longer than the longest wait.
        if (1..=WAIT_MAX_MS).contains(&wait_ms) {
            return Err(Shut::TooSoon { wait_ms });
        }
        // Written before the PIN is looked at, so that pulling the plug gives no free try.
        let wait_ms = wait_after(wrong + 1);
        self.store.keep_wrong_pins(wrong + 1, now.plus(wait_ms)).await?;
        if let Some(code) = code.filter(|_| self.wants_code())
            && self.code() != Some(Enrolment::hash_of(&self.kiosk, code))
        {
            tracing::warn!(wrong = wrong + 1, "a wrong enrolment code at the desk");
            return Err(Shut::WrongCode { wait_ms });
        }
        let opened = self.unlock(pin).await;
        if let Err(SealError::WrongPin) = opened {
            tracing::warn!(wrong = wrong + 1, "a wrong PIN at the desk");
            return Err(Shut::WrongPin { wait_ms });
        }
        self.store.keep_wrong_pins(0, Millis::default()).await?;
        let (vault, card_key) = opened?;
        let (boxes, through) = self.store.people().await?;
        let mut names = Names::default();
        for (ticket, sealed) in boxes {
            let row = vault.unseal(&ticket.to_string(), &sealed);
            if let Some(row) = row.and_then(|row| serde_json::from_slice::<PersonRow>(&row).ok()) {
                names.add(row);
            }
        }
        *self.opened() = Open { vault: Some(vault), names, through };
        Ok(card_key)
    }

    async fn unlock(&self, pin: &str) -> Result<(Vault, Option<CardKey>), SealError> {
        let (path, kiosk) = (self.folder.sealed_card_key(), self.kiosk.clone());
        let pin = zeroize::Zeroizing::new(pin.to_owned());
        // Slow on purpose (Argon2id), so not on a thread that serves the door.
        let opening = tokio::task::spawn_blocking(move || Vault::open(&path, &kiosk, &pin));
        opening.await.unwrap_or(Err(SealError::System("the task that opens the vault failed")))
    }

    /// Keeps the card key sealed on the disk, if the PIN is known.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep_card_key(&self, card_key: &CardKey) -> Result<bool, SealError> {
        let Some(vault) = self.opened().vault.clone() else { return Ok(false) };
        vault.keep(&self.folder.sealed_card_key(), card_key)?;
        Ok(true)
    }

    /// From which revision on people are wanted; none while the PIN was not given.
    #[must_use]
    pub fn wanted_after(&self) -> Option<i64> {
        let open = self.opened();
        open.vault.as_ref().map(|_| open.through)
    }

    /// Takes a page of people: sealed to the disk, open into memory.
    ///
    /// # Errors
    /// When it could not be written.
    pub async fn take(&self, people: Vec<PersonRow>, through: i64) -> Result<(), StoreError> {
        let Some(vault) = self.opened().vault.clone() else { return Ok(()) };
        let mut boxes = Vec::with_capacity(people.len());
        for row in &people {
            let plain = zeroize::Zeroizing::new(serde_json::to_vec(row).unwrap_or_default());
            let sealed = vault.seal(&row.ticket.to_string(), &plain);
            let sealed = sealed.map_err(|error| StoreError::Unsafe(error.to_string()))?;
            boxes.push((row.ticket, sealed));
        }
        self.store.take_people(&boxes, through).await?;
        let mut open = self.opened();
        open.through = through;
        people.into_iter().for_each(|row| open.names.add(row));
        Ok(())
    }

    /// What the kiosk serves, as it was last told; none when it cannot be read.
    pub async fn post(&self) -> Option<Post> {
        self.store.memory().await.ok().and_then(|memory| memory.post)
    }

    /// Is this kiosk ready? Its `devices` are as they are now, with so many cameras as the browser sees. Without asking the
    /// server: the sync does that all the time.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn findings(
        &self,
        devices: Vec<Device>,
        cameras: Option<usize>,
    ) -> Result<Vec<Finding>, StoreError> {
        let memory = self.store.memory().await?;
        let head = self.store.head(&self.kiosk).await?;
        let known = ready::Knowledge {
            waiting: head.seq.saturating_sub(memory.acknowledged),
            size: self.store.size().await?,
            has_pin: self.has_pin(),
            post: memory.post,
            complete_at: memory.complete_at,
            skew: memory.skew,
            revoked: memory.revoked,
            server: None,
        };
        let folder = self.folder.path().to_owned();
        let looking = tokio::task::spawn_blocking(move || ready::machine(&folder));
        let mut machine = looking.await.unwrap_or_default();
        machine.cameras = cameras.unwrap_or(machine.cameras);
        machine.devices = Some(devices);
        Ok(ready::findings(&known, &machine, self.clock.now()))
    }

    /// Who fits `text`, the best first, at most `limit`; and how many fit in all.
    #[must_use]
    pub fn find(&self, text: &str, limit: usize) -> (Vec<PersonRow>, usize) {
        self.opened().names.find(text, limit)
    }

    /// How many people the desk knows.
    #[must_use]
    pub fn known(&self) -> usize {
        self.opened().names.len()
    }

    /// Forgets everybody: the lease is over or the kiosk revoked.
    pub fn forget(&self) {
        *self.opened() = Open::default();
    }

    fn opened(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Whether `pin` could be one.
#[must_use]
pub fn is_pin(pin: &str) -> bool {
    PIN_DIGITS.contains(&pin.len()) && pin.bytes().all(|byte| byte.is_ascii_digit())
}

/// How long to wait after so many wrong PINs in a row.
fn wait_after(wrong: u32) -> i64 {
    match wrong.checked_sub(FREE_TRIES) {
        None | Some(0) => 0,
        Some(more) => WAIT_MAX_MS.min(WAIT_MS << (more - 1).min(20)),
    }
}

/// A page of the desk that nobody touches closes after this long.
pub const IDLE_MS: i64 = 10 * MINUTE;

#[cfg(test)]
mod tests {
    use admission::ticket::TicketId;

    use super::*;

    struct HandClock(Mutex<Millis>);

    impl Clock for HandClock {
        fn now(&self) -> Millis {
            *self.0.lock().expect("no panic holds it")
        }
    }

    fn person() -> PersonRow {
        PersonRow {
            ticket: TicketId([7; 12]),
            name: "王小明".to_owned(),
            booker: None,
            phone4: Some("4321".to_owned()),
            cards4: vec!["8765".to_owned()],
            organisation: Some("首钢建设集团".to_owned()),
        }
    }

    #[test]
    fn waits_double_and_end_at_a_quarter_of_an_hour() {
        let waits: Vec<i64> = (1..=7).map(|wrong| wait_after(wrong) / SECOND).collect();
        assert_eq!(waits, [0, 0, 0, 5, 10, 20, 40]);
        assert_eq!(wait_after(1_000), WAIT_MAX_MS);
    }

    #[tokio::test]
    async fn without_the_pin_the_disk_names_nobody_and_wrong_ones_slow_down_across_restarts() {
        let temp = tempfile::tempdir().expect("a folder");
        let folder = Folder::new(temp.path());
        let clock = Arc::new(HandClock(Mutex::new(Millis(1_800_000_000_000))));
        let desk = async || {
            let store = Store::open(&folder.store()).await.expect("a store");
            Desk::new("k", folder.clone(), store, clock.clone())
        };
        let first = desk().await;
        assert!(!first.has_pin() && first.wanted_after().is_none());
        assert!(matches!(first.open("12345").await, Err(Shut::NoPin)));
        assert!(first.open("246810").await.expect("set").is_none());
        first.take(vec![person()], 3).await.expect("taken");
        first.keep_card_key(&CardKey::new([9; 32])).expect("kept");
        assert_eq!(first.find("wxm", 5).1, 1);
        first.store.close().await;

        let mut bytes = Vec::new();
        for file in std::fs::read_dir(temp.path()).expect("a folder") {
            bytes.extend(std::fs::read(file.expect("a file").path()).expect("readable"));
        }
        for secret in ["王小明", "小明", "4321", "8765", "首钢", "wangxiaoming", "wxm", "246810"]
        {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} is on the disk");
        }

        let second = desk().await;
        assert_eq!((second.known(), second.find("王", 5).1), (0, 0), "shut");
        for _ in 0..3 {
            assert!(matches!(second.open("000000").await, Err(Shut::WrongPin { wait_ms: 0 })));
        }
        assert!(matches!(second.open("000000").await, Err(Shut::WrongPin { wait_ms: 5_000 })));
        second.store.close().await;
        let third = desk().await;
        assert!(matches!(third.open("246810").await, Err(Shut::TooSoon { wait_ms: 5_000 })));
        *clock.0.lock().expect("no panic holds it") = Millis(1_800_000_005_000);
        let card_key = third.open("246810").await.expect("the right one").expect("a card key");
        assert_eq!(card_key.secret(), &[9; 32]);
        assert_eq!((third.known(), third.wanted_after()), (1, Some(3)));
        assert_eq!(third.store.wrong_pins().await.expect("readable").0, 0);
        third.forget();
        assert_eq!((third.known(), third.wanted_after()), (0, None));
    }
}
