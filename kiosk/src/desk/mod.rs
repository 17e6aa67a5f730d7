//! The staffed side of a kiosk: opened by a PIN, it knows who holds the tickets, and finds them by whatever a person at
//! the desk can say of themselves.
//!
//! Names, ends of phones and cards are on the disk only in sealed boxes. They are in memory while the program runs and
//! the PIN was given once; the page that shows them closes by itself.

pub mod search;
mod tries;

use std::sync::{Arc, Mutex, MutexGuard};

use admission::{
    Clock,
    card::CardKey,
    pin,
    sync::{PersonRow, Post},
    ticket::TicketId,
    time::MINUTE,
};
use tokio::sync::watch;
use zeroize::Zeroizing;

use self::search::Names;
pub use self::tries::Tries;
use crate::{
    devices::Device,
    identity::{Enrolment, Folder},
    ready::{self, Finding},
    seal::{Lock, Opened, SealError, Vault},
    settings::Settings,
    store::{Store, StoreError},
};

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
    /// A new PIN that everybody tries first.
    #[error("a PIN that is easily guessed")]
    WeakPin,
    /// A new PIN that is the other one already.
    #[error("the desk's PIN and the supervisor's are two")]
    SamePin,
    /// The desk is not open.
    #[error("the desk is not open")]
    Closed,
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
    /// What staff set for the screen; none while nobody has.
    settings: watch::Sender<Option<Settings>>,
}

/// What is in memory since the PIN was given.
#[derive(Debug, Default)]
struct Open {
    vault: Option<Vault>,
    /// The supervisor's own PIN, if they have one.
    supervisor: Option<Lock>,
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
        let settings = watch::Sender::new(None);
        Self { kiosk: kiosk.to_owned(), folder, store, clock, open, turnstile, settings }
    }

    /// What staff set for the screen, as it changes. None while nobody has.
    #[must_use]
    pub fn settings(&self) -> watch::Receiver<Option<Settings>> {
        self.settings.subscribe()
    }

    /// Remembers what staff set before.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn remember_settings(&self) -> Result<(), StoreError> {
        self.settings.send_replace(self.store.settings().await?);
        Ok(())
    }

    /// Waits on for wrong PINs of before.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub async fn remember_tries(&self) -> Result<(), StoreError> {
        let tries = self.store.tries().await?;
        let begun = tries.begun(self.clock.now());
        if begun == tries { Ok(()) } else { self.store.keep_tries(begun).await }
    }

    /// Takes what staff set for the screen, across restarts.
    ///
    /// # Errors
    /// When it could not be written; nothing is changed then.
    pub async fn set(&self, settings: Settings) -> Result<(), StoreError> {
        self.store.keep_settings(&settings).await?;
        self.settings.send_replace(Some(settings));
        Ok(())
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
        if !pin::is_pin(pin) {
            return Err(Shut::NoPin);
        }
        if !self.has_pin() && pin::is_weak(pin) {
            return Err(Shut::WeakPin);
        }
        let opened = self.counted(async {
            if let Some(code) = code.filter(|_| self.wants_code())
                && self.code() != Some(Enrolment::hash_of(&self.kiosk, code))
            {
                return Err(Shut::WrongCode { wait_ms: 0 });
            }
            Ok(self.unlock(pin).await?)
        });
        let Opened { vault, card_key, supervisor } = opened.await?;
        let (boxes, through) = self.store.people().await?;
        let mut names = Names::default();
        for (ticket, sealed) in boxes {
            let row = vault.unseal(&ticket.to_string(), &sealed);
            if let Some(row) = row.and_then(|row| serde_json::from_slice::<PersonRow>(&row).ok()) {
                names.add(row);
            }
        }
        *self.opened() = Open { vault: Some(vault), supervisor, names, through };
        Ok(card_key)
    }

    /// Whether a supervisor has a PIN of their own. Known while the desk's was given.
    #[must_use]
    pub fn has_supervisor(&self) -> bool {
        self.opened().supervisor.is_some()
    }

    /// Whether `pin` is that of a supervisor: their own, or the desk's where there is no other. Wrong ones count as at the
    /// desk's own door.
    ///
    /// # Errors
    /// [`Shut`].
    pub async fn supervises(&self, pin: &str) -> Result<(), Shut> {
        if !pin::is_pin(pin) {
            return Err(Shut::NoPin);
        }
        if self.wanted_after().is_none() {
            return Err(Shut::Closed);
        }
        self.counted(async {
            let lock = self.opened().supervisor.clone();
            let is_theirs = match lock {
                Some(lock) => fits(lock, pin).await?,
                None => self.unlock(pin).await.map(|_| true)?,
            };
            if is_theirs { Ok(()) } else { Err(Shut::WrongPin { wait_ms: 0 }) }
        })
        .await
    }

    /// Changes who is let in: `pin` is the supervisor's, or the desk's where there is no other. What is sealed stays as it is.
    ///
    /// # Errors
    /// [`Shut`].
    pub async fn change(&self, pin: &str, new: NewPin<'_>) -> Result<(), Shut> {
        let (NewPin::Desk(text) | NewPin::Supervisor(text)) = new;
        if !pin::is_pin(text) {
            return Err(Shut::NoPin);
        }
        if pin::is_weak(text) {
            return Err(Shut::WeakPin);
        }
        self.supervises(pin).await?;
        let supervisor = self.opened().supervisor.clone();
        let is_other = match (&new, supervisor) {
            (NewPin::Desk(_), None) => false,
            (NewPin::Desk(_), Some(lock)) => fits(lock, text).await?,
            (NewPin::Supervisor(_), _) => self.unlock(text).await.is_ok(),
        };
        if is_other {
            return Err(Shut::SamePin);
        }
        let pin = Zeroizing::new(text.to_owned());
        let lock = slowly(move || Lock::new(&pin)).await?;
        let path = self.folder.sealed_card_key();
        // While this is held nobody writes the file, and nobody forgets what is in it.
        let mut open = self.opened();
        let vault = open.vault.as_ref().ok_or(Shut::Closed)?;
        match new {
            NewPin::Desk(_) => vault.change_lock(&path, &lock)?,
            NewPin::Supervisor(_) => {
                vault.keep_supervisor(&path, &lock)?;
                open.supervisor = Some(lock);
            }
        }
        Ok(())
    }

    /// Has a PIN looked at, unless it is too soon after wrong ones. A wrong one makes the next wait longer, also after a
    /// restart.
    async fn counted<T>(&self, look: impl Future<Output = Result<T, Shut>>) -> Result<T, Shut> {
        let _turn = self.turnstile.lock().await;
        let now = self.clock.now();
        let tries = self.store.tries().await?;
        let wait_ms = tries.wait_ms(now);
        if wait_ms > 0 {
            return Err(Shut::TooSoon { wait_ms });
        }
        // Written before the PIN is looked at, so that pulling the plug gives no free try.
        let tries = tries.and_one(now);
        self.store.keep_tries(tries).await?;
        let looked = look.await;
        let wait_ms = tries.wait_ms(now);
        match looked {
            Err(Shut::WrongPin { .. } | Shut::Seal(SealError::WrongPin)) => {
                tracing::warn!(today = tries.today(now), "a wrong PIN at the desk");
                Err(Shut::WrongPin { wait_ms })
            }
            Err(Shut::WrongCode { .. }) => {
                tracing::warn!(today = tries.today(now), "a wrong enrolment code at the desk");
                Err(Shut::WrongCode { wait_ms })
            }
            looked => {
                self.store.keep_tries(tries.but_right()).await?;
                looked
            }
        }
    }

    async fn unlock(&self, pin: &str) -> Result<Opened, SealError> {
        let (path, kiosk) = (self.folder.sealed_card_key(), self.kiosk.clone());
        let pin = Zeroizing::new(pin.to_owned());
        slowly(move || Vault::open(&path, &kiosk, &pin)).await
    }

    /// Keeps the card key sealed on the disk, if the PIN is known.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep_card_key(&self, card_key: &CardKey) -> Result<bool, SealError> {
        let open = self.opened();
        let Some(vault) = &open.vault else { return Ok(false) };
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
            let plain = Zeroizing::new(serde_json::to_vec(row).unwrap_or_default());
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

    /// Who holds `ticket`.
    #[must_use]
    pub fn holder(&self, ticket: TicketId) -> Option<PersonRow> {
        self.opened().names.holder(ticket)
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

/// A PIN to be set.
#[derive(Clone, Copy)]
pub enum NewPin<'a> {
    /// The one that opens the desk.
    Desk(&'a str),
    /// The one that overrules.
    Supervisor(&'a str),
}

async fn fits(lock: Lock, pin: &str) -> Result<bool, SealError> {
    let pin = Zeroizing::new(pin.to_owned());
    slowly(move || lock.fits(&pin)).await
}

/// What is slow on purpose (Argon2id) runs on no thread that serves the door.
async fn slowly<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SealError> + Send + 'static,
) -> Result<T, SealError> {
    let work = tokio::task::spawn_blocking(work).await;
    work.unwrap_or(Err(SealError::System("the task that opens the vault failed")))
}

/// A page of the desk that nobody touches closes after this long.
pub const IDLE_MS: i64 = 10 * MINUTE;

#[cfg(test)]
mod tests {
    use admission::Millis;

    use super::*;

    struct HandClock(Mutex<Millis>);

    impl Clock for HandClock {
        fn now(&self) -> Millis {
            *self.0.lock().expect("no panic holds it")
        }
    }

    /// A disk, a clock that is set by hand, and the desk whenever the kiosk starts.
    struct Kiosk {
        temp: tempfile::TempDir,
        folder: Folder,
        clock: Arc<HandClock>,
    }

    impl Kiosk {
        fn new() -> Self {
            let temp = tempfile::tempdir().expect("a folder");
            let folder = Folder::new(temp.path());
            Self { temp, folder, clock: Arc::new(HandClock(Mutex::new(Millis(1_800_000_000_000)))) }
        }

        async fn desk(&self) -> Desk {
            let store = Store::open(&self.folder.store()).await.expect("a store");
            Desk::new("k", self.folder.clone(), store, self.clock.clone())
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

    #[tokio::test]
    async fn without_the_pin_the_disk_names_nobody_and_wrong_ones_slow_down_across_restarts() {
        let kiosk = Kiosk::new();
        let first = kiosk.desk().await;
        assert!(!first.has_pin() && first.wanted_after().is_none());
        assert!(matches!(first.open("12345").await, Err(Shut::NoPin)));
        assert!(first.open("246810").await.expect("set").is_none());
        first.take(vec![person()], 3).await.expect("taken");
        first.keep_card_key(&CardKey::new([9; 32])).expect("kept");
        assert_eq!(first.find("wxm", 5).1, 1);
        first.store.close().await;

        let mut bytes = Vec::new();
        for file in std::fs::read_dir(kiosk.temp.path()).expect("a folder") {
            bytes.extend(std::fs::read(file.expect("a file").path()).expect("readable"));
        }
        for secret in ["王小明", "小明", "4321", "8765", "首钢", "wangxiaoming", "wxm", "246810"]
        {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} is on the disk");
        }

        let second = kiosk.desk().await;
        assert_eq!((second.known(), second.find("王", 5).1), (0, 0), "shut");
        for _ in 0..3 {
            assert!(matches!(second.open("000000").await, Err(Shut::WrongPin { wait_ms: 0 })));
        }
        assert!(matches!(second.open("000000").await, Err(Shut::WrongPin { wait_ms: 5_000 })));
        second.store.close().await;
        let third = kiosk.desk().await;
        assert!(matches!(third.open("246810").await, Err(Shut::TooSoon { wait_ms: 5_000 })));
        *kiosk.clock.0.lock().expect("no panic holds it") = Millis(1_800_000_005_000);
        let card_key = third.open("246810").await.expect("the right one").expect("a card key");
        assert_eq!(card_key.secret(), &[9; 32]);
        assert_eq!((third.known(), third.wanted_after()), (1, Some(3)));
        let tries = third.store.tries().await.expect("readable");
        assert_eq!((tries.wait_ms(kiosk.clock.now()), tries.today(kiosk.clock.now())), (0, 4));
        third.forget();
        assert_eq!((third.known(), third.wanted_after()), (0, None));
    }

    #[tokio::test]
    async fn the_desk_and_a_supervisor_have_two_pins_and_each_can_be_changed() {
        let kiosk = Kiosk::new();
        let first = kiosk.desk().await;
        assert!(matches!(first.open("123456").await, Err(Shut::WeakPin)));
        first.open("246810").await.expect("set");
        first.take(vec![person()], 3).await.expect("taken");
        // While there is one PIN, whoever has it overrules and changes it.
        first.supervises("246810").await.expect("one PIN for all");
        let weak = first.change("246810", NewPin::Desk("111111")).await;
        assert!(matches!(weak, Err(Shut::WeakPin)));
        let same = first.change("246810", NewPin::Supervisor("246810")).await;
        assert!(matches!(same, Err(Shut::SamePin)));
        first.change("246810", NewPin::Supervisor("808017")).await.expect("changed");
        // From now on the desk's PIN opens the desk and nothing else.
        for (pin, new) in
            [("246810", NewPin::Desk("975311")), ("246810", NewPin::Supervisor("975311"))]
        {
            assert!(matches!(first.change(pin, new).await, Err(Shut::WrongPin { .. })));
        }
        let same = first.change("808017", NewPin::Desk("808017")).await;
        assert!(matches!(same, Err(Shut::SamePin)));
        first.change("808017", NewPin::Desk("975311")).await.expect("changed");
        first.store.close().await;

        let second = kiosk.desk().await;
        assert!(matches!(second.open("246810").await, Err(Shut::WrongPin { .. })));
        assert!(matches!(second.change("975311", NewPin::Desk("864203")).await, Err(Shut::Closed)));
        second.open("975311").await.expect("the new one");
        assert_eq!((second.known(), second.has_supervisor()), (1, true));
        assert!(matches!(second.supervises("975311").await, Err(Shut::WrongPin { .. })));
        second.supervises("808017").await.expect("a supervisor");
    }

    #[tokio::test]
    async fn what_staff_set_for_the_screen_outlives_a_restart() {
        let kiosk = Kiosk::new();
        let first = kiosk.desk().await;
        first.remember_settings().await.expect("readable");
        assert_eq!(*first.settings().borrow(), None);
        let settings = Settings { camera: true, device: None, sound: true, voice: false };
        first.set(settings.clone()).await.expect("kept");
        first.store.close().await;
        let second = kiosk.desk().await;
        second.remember_settings().await.expect("readable");
        assert_eq!(*second.settings().borrow(), Some(settings));
    }
}
