//! The kiosk's own store, one SQLite file: a copy of what the server said, and the journal of what was done here.
//!
//! Three things are not left to luck (reliability.md, findings 2, 3 and 8): the level of `synchronous` is read
//! back, the version of SQLite is checked, and a connection whose write failed is closed.

mod copy;
mod journal;
mod peers;
mod people;
#[cfg(test)]
mod tests;
mod wipe;

use std::{path::Path, time::Duration};

use admission::{
    scan::{Chain, Skew},
    sync::{Corrected, IssuerPublicKey, Post},
    ticket::TicketId,
    time::Millis,
};
use serde::{Serialize, de::DeserializeOwned};
use sqlx::{
    Row, SqlSafeStr, Sqlite, SqliteConnection, SqlitePool,
    migrate::{Migration, MigrationType, Migrator},
    pool::PoolConnection,
    sqlite::{
        SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
    },
};

#[cfg(test)]
pub(crate) use self::copy::counts_for;
pub use self::wipe::Wipe;
use crate::{desk::Tries, door::Head, doubts::Stretch, settings::Settings, steady::Alive};

/// The first SQLite without the WAL-reset corruption bug.
const SQLITE_MIN: [u32; 3] = [3, 51, 3];
/// Rows of one `insert`: far below SQLite's limit of bound values, and one statement for all but the last.
const ROWS_AT_ONCE: usize = 500;

/// More than a kiosk loses its power in doubt of the time as long as it serves.
const CORRECTED_MAX: usize = 200;

/// What can go wrong with the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database failed: a full or broken disk, a locked or damaged file.
    #[error("the kiosk's store failed (本机存储出错，请检查磁盘): {0}")]
    Database(#[from] sqlx::Error),
    /// The tables could not be brought up to date.
    #[error("the kiosk's store could not be prepared (本机存储无法准备): {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// What the program relies on does not hold.
    #[error("the kiosk's store is not safe to use (本机存储不安全): {0}")]
    Unsafe(String),
    /// A row is not what was written.
    #[error("the kiosk's store holds something unreadable (本机存储内容损坏): {0}")]
    Unreadable(String),
    /// The journal was changed or cut after it was written.
    #[error(
        "the journal is damaged at entry {at} (第 {at} 条起日志已损坏): export it with `turnout-kiosk journal export`, then enrol this kiosk again in a new --data folder"
    )]
    Broken {
        /// The first entry that does not fit the chain.
        at: u64,
    },
}

type Result<T> = std::result::Result<T, StoreError>;

/// What the kiosk remembers of its server between two runs.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// What it serves.
    pub post: Option<Post>,
    /// How far the copy goes.
    pub cursors: Cursors,
    /// The server has all entries through this one.
    pub acknowledged: u64,
    /// When the copy was last known to be complete.
    pub complete_at: Option<Millis>,
    /// The skew last measured.
    pub skew: Option<Skew>,
    /// The organizer revoked the kiosk.
    pub revoked: bool,
}

/// How far the copy goes, by the server's revisions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Cursors {
    /// Of the event.
    pub revision: i64,
    /// Of the roster's cards.
    pub cards_revision: i64,
}

/// The kiosk's store.
#[derive(Clone, Debug)]
pub struct Store {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl Store {
    /// Opens the store at `path`, made if missing, and checks what must hold.
    ///
    /// # Errors
    /// When the file cannot be opened, or SQLite is too old or not set to write durably.
    pub async fn open(path: &Path) -> Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(5))
            .pragma("secure_delete", "on")
            .pragma("trusted_schema", "off")
            .pragma("cell_size_check", "on")
            .pragma("temp_store", "memory")
            .pragma("journal_size_limit", "67108864");
        let pool = |size| {
            SqlitePoolOptions::new()
                .max_connections(size)
                .min_connections(1)
                .idle_timeout(None)
                .max_lifetime(None)
                .acquire_timeout(Duration::from_secs(10))
                .test_before_acquire(false)
        };
        let writer = pool(1).connect_with(options.clone()).await?;
        check_engine(&mut *writer.acquire().await?).await?;
        migrator().run(&writer).await?;
        let readers = pool(2).connect_with(options.read_only(true)).await?;
        Ok(Self { writer, readers })
    }

    /// Closes every connection, so that the write-ahead log is folded into the file.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    /// What is remembered of the server.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn memory(&self) -> Result<Memory> {
        Ok(Memory {
            post: self.fact("post").await?,
            cursors: self.cursors().await?,
            acknowledged: self.fact("acknowledged").await?.unwrap_or_default(),
            complete_at: self.fact("complete_at").await?,
            skew: self.fact("skew").await?,
            revoked: self.is_revoked().await?,
        })
    }

    /// What is certainly past, by true time: the server was heard then, or something was done here since.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn latest(&self, kiosk: &str, memory: &Memory) -> Result<Millis> {
        let skew_ms = memory.skew.map_or(0, |skew| skew.ms);
        let heard = memory.complete_at.map_or(Millis::default(), |at| at.plus(skew_ms));
        let before_last = self.head(kiosk).await?.seq.saturating_sub(1);
        let (_, last) = self.entries_after(kiosk, before_last, 1).await?;
        let done = last.first().and_then(|entry| entry.scan().ok()).map(|scan| scan.true_at());
        // What is said to be done after everything is over was done under a clock that ran ahead.
        let ends = memory.post.as_ref().map_or(heard, |post| post.lease_until);
        Ok(done.filter(|done| *done < ends).map_or(heard, |done| done.max(heard)))
    }

    /// Whether the organizer revoked the kiosk, and it has wiped itself.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn is_revoked(&self) -> Result<bool> {
        Ok(self.fact("revoked").await?.unwrap_or_default())
    }

    /// How far the copy goes.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn cursors(&self) -> Result<Cursors> {
        Ok(self.fact("cursors").await?.unwrap_or_default())
    }

    /// The wrong PINs that were typed.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn tries(&self) -> Result<Tries> {
        Ok(self.fact("tries").await?.unwrap_or_default())
    }

    /// Remembers wrong PINs, across restarts and power cuts.
    ///
    /// # Errors
    /// When it could not be written.
    pub async fn keep_tries(&self, tries: Tries) -> Result<()> {
        self.keep("tries", &tries).await
    }

    /// What staff set for the screen; none while nobody has.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn settings(&self) -> Result<Option<Settings>> {
        self.fact("settings").await
    }

    /// Keeps what staff set for the screen.
    ///
    /// # Errors
    /// When it could not be written.
    pub async fn keep_settings(&self, settings: &Settings) -> Result<()> {
        self.keep("settings", settings).await
    }

    /// The server's own keys, as it last told them. They outlive a revocation, which they sign.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn server_keys(&self) -> Result<Vec<IssuerPublicKey>> {
        Ok(self.fact("server_keys").await?.unwrap_or_default())
    }

    /// Keeps the server's own keys.
    ///
    /// # Errors
    /// When it could not be written.
    pub async fn keep_server_keys(&self, keys: &Vec<IssuerPublicKey>) -> Result<()> {
        self.keep("server_keys", keys).await
    }

    /// What was known of the time while the machine was on.
    pub(crate) async fn alive(&self) -> Result<Option<Alive>> {
        self.fact("alive").await
    }

    /// Keeps what is known of the time.
    pub(crate) async fn keep_alive(&self, alive: &Alive) -> Result<()> {
        self.keep("alive", alive).await
    }

    /// What was written in doubt of the time and is not put right yet.
    pub(crate) async fn doubts(&self) -> Result<Vec<Stretch>> {
        Ok(self.fact("doubts").await?.unwrap_or_default())
    }

    /// Keeps what is being written in doubt of the time.
    pub(crate) async fn keep_doubts(&self, stretches: &Vec<Stretch>) -> Result<()> {
        self.keep("doubts", stretches).await
    }

    /// What is known by now of the clock under which entries were written.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn corrected(&self) -> Result<Vec<Corrected>> {
        Ok(self.fact("corrected").await?.unwrap_or_default())
    }

    /// Keeps what is known at last of the clock under which entries were written: no doubt is left. Also of those that the
    /// server has: one that is restored from a backup asks for them again.
    ///
    /// # Errors
    /// When it could not be written; nothing is changed then.
    pub async fn put_right(&self, corrected: Vec<Corrected>) -> Result<()> {
        let mut all = self.corrected().await?;
        all.extend(corrected);
        all.drain(..all.len().saturating_sub(CORRECTED_MAX));
        let mut connection = self.writer.acquire().await?;
        let written = put_right(&mut connection, &all).await;
        settle(connection, written)
    }

    /// Tries whether the store can be written.
    ///
    /// # Errors
    /// When it cannot.
    pub async fn probe(&self) -> Result<()> {
        self.keep("probe", &true).await
    }

    /// The server has all entries through `seq`.
    ///
    /// # Errors
    /// When it could not be written.
    pub async fn acknowledge(&self, seq: u64) -> Result<()> {
        self.keep("acknowledged", &seq).await
    }

    /// The copy was complete at `complete_at`, by this kiosk's clock, which is `skew` off.
    ///
    /// # Errors
    /// When it could not be written.
    pub async fn complete(&self, complete_at: Millis, skew: Option<Skew>) -> Result<()> {
        if skew.is_some() {
            self.keep("skew", &skew).await?;
        }
        self.keep("complete_at", &complete_at).await
    }

    async fn fact<T: DeserializeOwned>(&self, name: &'static str) -> Result<Option<T>> {
        let row = sqlx::query("select value from fact where name = $1")
            .bind(name)
            .fetch_optional(&self.readers)
            .await?;
        row.map(|row| read(name, row.try_get(0)?)).transpose()
    }

    async fn keep<T: Serialize + Sync>(&self, name: &'static str, value: &T) -> Result<()> {
        let mut connection = self.writer.acquire().await?;
        let written = keep(&mut connection, name, value).await;
        settle(connection, written)
    }
}

/// After a failed write the connection may answer errors for ever (sqlx 0.9.0 counts a transaction that SQLite
/// has rolled back by itself), so it is closed and the pool opens a new one.
fn settle<T>(mut connection: PoolConnection<Sqlite>, written: sqlx::Result<T>) -> Result<T> {
    if written.is_err() {
        connection.close_on_drop();
    }
    Ok(written?)
}

async fn check_engine(connection: &mut SqliteConnection) -> Result<()> {
    let synchronous: i64 =
        sqlx::query("pragma synchronous").fetch_one(&mut *connection).await?.try_get(0)?;
    if synchronous != 2 {
        return Err(StoreError::Unsafe(format!("synchronous is {synchronous}, not 2 (full)")));
    }
    let mode: String =
        sqlx::query("pragma journal_mode").fetch_one(&mut *connection).await?.try_get(0)?;
    if mode != "wal" {
        return Err(StoreError::Unsafe(format!("journal_mode is {mode}, not wal")));
    }
    let version: String =
        sqlx::query("select sqlite_version()").fetch_one(&mut *connection).await?.try_get(0)?;
    let numbers: Vec<u32> = version.split('.').filter_map(|part| part.parse().ok()).collect();
    if numbers.as_slice() < SQLITE_MIN.as_slice() {
        return Err(StoreError::Unsafe(format!("SQLite {version} is older than 3.51.3")));
    }
    Ok(())
}

fn migrator() -> Migrator {
    let sql = include_str!("../../../migrations/kiosk/0001_kiosk.sql");
    let first = Migration::new(1, "kiosk".into(), MigrationType::Simple, sql.into_sql_str(), false);
    let sql = include_str!("../../../migrations/kiosk/0002_deed.sql");
    let second = Migration::new(2, "deed".into(), MigrationType::Simple, sql.into_sql_str(), false);
    let sql = include_str!("../../../migrations/kiosk/0003_mesh.sql");
    let third = Migration::new(3, "mesh".into(), MigrationType::Simple, sql.into_sql_str(), false);
    Migrator::with_migrations(vec![first, second, third])
}

async fn keep<T: Serialize>(
    connection: &mut SqliteConnection,
    name: &'static str,
    value: &T,
) -> sqlx::Result<()> {
    sqlx::query(
        "insert into fact (name, value) values ($1, $2) on conflict (name) do update set value = excluded.value",
    )
    .bind(name)
    .bind(json(value))
    .execute(connection)
    .await
    .map(drop)
}

async fn put_right(connection: &mut SqliteConnection, all: &Vec<Corrected>) -> sqlx::Result<()> {
    let mut tx = sqlx::Connection::begin_with(connection, "begin immediate").await?;
    keep(&mut tx, "corrected", all).await?;
    sqlx::query("delete from fact where name = 'doubts'").execute(&mut *tx).await?;
    tx.commit().await
}

fn id_of(id: String) -> Result<TicketId> {
    id.parse().map_err(|_| StoreError::Unreadable("ticket id".to_owned()))
}

fn head_of(row: &SqliteRow) -> Result<Head> {
    let seq: i64 = row.try_get("seq")?;
    Ok(Head { seq: seq.unsigned_abs(), chain: chain_of(row)? })
}

fn chain_of(row: &SqliteRow) -> Result<Chain> {
    let chain: String = row.try_get("chain")?;
    Chain::try_from(chain).map_err(|what| StoreError::Unreadable(what.to_owned()))
}

fn read<T: DeserializeOwned>(what: &str, text: String) -> Result<T> {
    // The error's own text could quote a name, so only the place is told.
    serde_json::from_str(&text).map_err(|_| StoreError::Unreadable(what.to_owned()))
}

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("what the store keeps is plain data")
}

/// SQLite counts in signed integers; a journal never gets that long.
fn signed(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}
