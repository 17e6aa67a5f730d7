//! The only folder that knows there are two databases: SQLite, embedded, and PostgreSQL, for many servers.
//!
//! One SQL text runs on both, through [`execute!`](crate::execute) and [`fetch!`](crate::fetch); one of many rows through
//! [`execute_rows!`](crate::execute_rows) and [`fetch_rows!`](crate::fetch_rows).
//!
//! Two faults of sqlx 0.9.0 shape [`Tx`]: a dropped `begin()` can leave a transaction open in the PostgreSQL pool, and
//! a SQLite connection that met a full disk answers errors for ever. So a `Tx` speaks `begin` and `commit` itself, and
//! a connection whose transaction did not end cleanly is closed instead of going back to the pool.

mod log;
mod rows;

use std::{
    fs,
    num::NonZero,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    str::FromStr,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use anyhow::{Context as _, bail};
use sqlx::{
    ConnectOptions as _, Connection as _, PgPool, Postgres, Sqlite, SqlitePool,
    migrate::Migrator,
    pool::PoolConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

pub(crate) use log::fold_when_quiet;
pub use rows::Cell;
use rows::ROWS_BETWEEN;

use crate::threads;

/// The oldest SQLite without the WAL-reset corruption bug (3.7.0 to 3.51.2).
const SQLITE_MIN: (u32, u32, u32) = (3, 51, 3);

static STATEMENTS: AtomicU64 = AtomicU64::new(0);

/// How many statements this process has sent to its database, apart from `begin`, `commit` and the like.
#[must_use]
pub fn statements() -> u64 {
    STATEMENTS.load(Ordering::Relaxed)
}

/// PostgreSQL ends a statement after [`STATEMENT`] itself; one that has not answered by now will not: the network or the
/// host is gone. A transaction that holds locks for others may wait for this long.
const SILENCE: Duration = Duration::from_secs(12);
/// The longest that PostgreSQL works on one statement.
const STATEMENT: &str = "10s";

/// Each foreign key of each row is checked by a query, and under `force_custom_plan` each of those would be planned again:
/// two thirds of what PostgreSQL did for a booking. In a transaction that writes, plans are kept; that one made while a
/// table was small must not read all of it when it is large is seen to by taking an index wherever there is one.
///
/// Each statement sees what was committed before it, whatever the cluster is set to: who waited for an event's counter
/// must see what the one before wrote.
const POSTGRES_BEGIN: &str = "begin isolation level read committed; \
                              set local plan_cache_mode = auto; set local enable_seqscan = off";

/// So many statements stay prepared on each connection.
const STATEMENTS_KEPT: usize = 400;

/// How the tables came to be: one text for both engines, and what only one of them can be told.
static MIGRATIONS: Migrator = sqlx::migrate!("../migrations");
static OF_SQLITE: Migrator = sqlx::migrate!("../migrations/sqlite");
static OF_POSTGRES: Migrator = sqlx::migrate!("../migrations/postgres");

fn migrations(of_one: &Migrator) -> Migrator {
    Migrator::with_migrations(MIGRATIONS.iter().chain(of_one.iter()).cloned().collect())
}

/// SQLite's thread that writes.
pub(crate) const WRITER: &str = "sqlite-writer";

/// The database, whichever it is. Cheap to clone.
#[derive(Clone, Debug)]
pub enum Db {
    /// One file. One connection writes, several read.
    Sqlite {
        /// The only connection that writes.
        writer: SqlitePool,
        /// Read-only connections.
        readers: SqlitePool,
    },
    /// Any number of servers.
    Postgres(PgPool),
}

impl Db {
    /// An empty SQLite database, and the folder that it goes with.
    #[cfg(test)]
    pub(crate) async fn of_a_test() -> (tempfile::TempDir, Self) {
        let folder = tempfile::tempdir().expect("temporary folder");
        let url = format!("sqlite://{}", folder.path().join("turnout.db").display());
        (folder, Self::open(&url).await.expect("a database"))
    }

    /// The steps by which SQLite would do `sql`.
    #[cfg(test)]
    pub(crate) async fn plan(&self, sql: &str) -> Vec<String> {
        let Self::Sqlite { readers, .. } = self else { panic!("not SQLite") };
        let sql = sqlx::AssertSqlSafe(format!("explain query plan {sql}"));
        let steps: Vec<(i64, i64, i64, String)> =
            sqlx::query_as(sql).fetch_all(readers).await.expect("a plan");
        steps.into_iter().map(|(.., step)| step).collect()
    }

    /// Opens the database at `url` (`sqlite://turnout.db` or `postgres://…`) and brings its tables up to date.
    ///
    /// # Errors
    /// When it cannot be reached, is too old, or does not keep its promises about durability.
    pub async fn open(url: &str) -> anyhow::Result<Self> {
        // The address may hold a password: no error repeats it.
        match url.split(':').next() {
            Some("sqlite") => Self::open_sqlite(url).await.context(
                "数据库文件打不开，请检查 --data 或 --database。 Cannot open the database file: check --data or --database",
            ),
            Some("postgres" | "postgresql") => Self::open_postgres(url).await.context(
                "连不上 PostgreSQL，请检查 --database 和数据库是否在运行。 Cannot use PostgreSQL: check --database, and that it runs",
            ),
            _ => bail!(
                "--database 应为 sqlite://文件 或 postgres://…。 --database must be sqlite://FILE or postgres://…"
            ),
        }
    }

    async fn open_sqlite(url: &str) -> anyhow::Result<Self> {
        let options = SqliteConnectOptions::from_str(url)?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // NORMAL loses acknowledged commits when the power fails.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(5))
            .statement_cache_capacity(STATEMENTS_KEPT)
            .row_buffer_size(ROWS_BETWEEN)
            // Nearly each row of a booking changes a page of an index in which people stand in no order: the smaller the page,
            // the less is written to the log. Takes effect when the file is made.
            .page_size(2_048)
            .pragma("trusted_schema", "off")
            .pragma("cell_size_check", "on")
            // A rush dirties hundreds of pages with each commit, and waits while the log is moved: that is done before and after.
            // Nor is a long log cut short: that would be done by the first commit of the next rush, and take a tenth of a second.
            .pragma("wal_autocheckpoint", log::PAGES_MOST)
            .pragma("temp_store", "memory");
        make_private(options.get_filename())?;
        // The pages that a rush writes to, in KiB; those who read have SQLite's two MiB each.
        let writing =
            options.clone().pragma("cache_size", "-16384").thread_name(|_| WRITER.to_owned());
        // Opened anew it would have neither pages nor statements at hand, and be a thread of whoever asked for it.
        let one = SqlitePoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None);
        // Each time that it is opened, and whoever opens it.
        let first = one.after_connect(|_, _| {
            threads::go_first(WRITER);
            Box::pin(std::future::ready(Ok(())))
        });
        let writer = first.connect_with(writing).await?;
        assert_sqlite_keeps_promises(&writer).await?;
        migrations(&OF_SQLITE).run(&writer).await?;
        // Each is a thread with pages and prepared statements of its own; more of them than processors read no faster.
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        let readers = SqlitePoolOptions::new()
            .max_connections(u32::try_from(processors.clamp(4, 16)).unwrap_or(4))
            .connect_with(options.pragma("query_only", "on"))
            .await?;
        Ok(Self::Sqlite { writer, readers })
    }

    async fn open_postgres(url: &str) -> anyhow::Result<Self> {
        let options = PgConnectOptions::from_str(url)?
            .application_name("turnout-server")
            .statement_cache_capacity(STATEMENTS_KEPT)
            .options([
                ("idle_in_transaction_session_timeout", "5s"),
                ("statement_timeout", STATEMENT),
                ("lock_timeout", "5s"),
                // What is wanted is in memory or on a disk without a head: a few hundred rows of many are fetched by
                // their index.
                ("random_page_cost", "1.1"),
                // A plan made while a table was small and kept would read all of it when it is large.
                ("plan_cache_mode", "force_custom_plan"),
                // A table that must be read whole although that is switched off (`POSTGRES_BEGIN`) seems so dear that PostgreSQL
                // would compile the statement to machine code first, for hundreds of milliseconds, each time.
                ("jit", "off"),
            ]);
        // An index of millions of rows takes its time, and another process waits until it is there.
        let patient = options.clone().options([("statement_timeout", "0"), ("lock_timeout", "0")]);
        let mut conn = patient.connect().await?;
        migrations(&OF_POSTGRES).run(&mut conn).await?;
        conn.close().await?;
        let pool = PgPoolOptions::new()
            .max_connections(16)
            .acquire_timeout(Duration::from_secs(10))
            .connect_with(options)
            .await?;
        Ok(Self::Postgres(pool))
    }

    /// A connection for reading; each statement sees what is committed.
    ///
    /// # Errors
    /// When no connection is to be had.
    pub async fn read(&self) -> sqlx::Result<Tx> {
        let conn = match self {
            Self::Sqlite { readers, .. } => Conn::Sqlite(readers.acquire().await?),
            Self::Postgres(pool) => Conn::Postgres(pool.acquire().await?),
        };
        Ok(Tx { conn, open: false, spoilt: false, event: None, is_last: false })
    }

    /// A transaction for writing. On SQLite it holds the one writer, so no network and no waiting while it is open.
    ///
    /// # Errors
    /// When no connection is to be had.
    pub async fn write(&self) -> sqlx::Result<Tx> {
        let (conn, begin) = match self {
            Self::Sqlite { writer, .. } => {
                (Conn::Sqlite(writer.acquire().await?), "begin immediate")
            }
            Self::Postgres(pool) => (Conn::Postgres(pool.acquire().await?), POSTGRES_BEGIN),
        };
        // Open before the statement is sent: dropped halfway, the connection is closed.
        let mut tx = Tx { conn, open: true, spoilt: false, event: None, is_last: false };
        tx.run(begin).await?;
        Ok(tx)
    }

    /// A transaction for reading in which nothing changes meanwhile. To be ended with [`Tx::rollback`].
    ///
    /// # Errors
    /// When no connection is to be had.
    pub async fn snapshot(&self) -> sqlx::Result<Tx> {
        let begin = match self {
            Self::Sqlite { .. } => "begin",
            Self::Postgres(_) => "begin isolation level repeatable read read only",
        };
        let mut tx = self.read().await?;
        tx.open = true;
        tx.run(begin).await?;
        Ok(tx)
    }

    /// Moves SQLite's log into the file itself, so that the file alone is the database.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn fold_log(&self) -> sqlx::Result<()> {
        if let Self::Sqlite { writer, .. } = self {
            sqlx::query("pragma wal_checkpoint(truncate)").execute(writer).await?;
        }
        Ok(())
    }

    /// Closes all connections, waiting for those in use.
    pub async fn close(&self) {
        match self {
            Self::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }

    /// `sqlite` or `postgres`.
    #[must_use]
    pub const fn engine(&self) -> &'static str {
        match self {
            Self::Sqlite { .. } => "sqlite",
            Self::Postgres(_) => "postgres",
        }
    }
}

/// The file of the database at `url`; none when a server keeps it.
///
/// # Errors
/// When the address of a file cannot be read.
pub fn file_of(url: &str) -> anyhow::Result<Option<PathBuf>> {
    if !url.starts_with("sqlite:") {
        return Ok(None);
    }
    Ok(Some(SqliteConnectOptions::from_str(url)?.get_filename().to_owned()))
}

/// Makes the file, when there is none, readable by its owner only, as SQLite then makes those beside it: it holds names
/// and phones.
fn make_private(file: &Path) -> anyhow::Result<()> {
    let made = fs::OpenOptions::new().append(true).create(true).mode(0o600).open(file);
    made.map(drop).with_context(|| format!("cannot open the database {}", file.display()))
}

async fn assert_sqlite_keeps_promises(writer: &SqlitePool) -> anyhow::Result<()> {
    let (version,): (String,) = sqlx::query_as("select sqlite_version()").fetch_one(writer).await?;
    let parts: Vec<u32> = version.split('.').filter_map(|part| part.parse().ok()).collect();
    let found = (parts.first().copied(), parts.get(1).copied(), parts.get(2).copied());
    anyhow::ensure!(
        found >= (Some(SQLITE_MIN.0), Some(SQLITE_MIN.1), Some(SQLITE_MIN.2)),
        "SQLite {version} can corrupt its WAL; 3.51.3 or newer is needed"
    );
    let (synchronous,): (i64,) = sqlx::query_as("pragma synchronous").fetch_one(writer).await?;
    anyhow::ensure!(
        synchronous == 2,
        "SQLite does not run with synchronous=FULL; acknowledged bookings could be lost"
    );
    Ok(())
}

/// A connection: in a transaction when it came from [`Db::write`], in none when from [`Db::read`].
#[derive(Debug)]
pub struct Tx {
    conn: Conn,
    open: bool,
    /// The connection is of no use any more.
    spoilt: bool,
    /// The last event whose counter it holds.
    event: Option<String>,
    /// No other event's counter is to be had.
    is_last: bool,
}

/// The connection of a [`Tx`], for the two macros.
#[derive(Debug)]
pub enum Conn {
    /// To SQLite.
    Sqlite(PoolConnection<Sqlite>),
    /// To PostgreSQL.
    Postgres(PoolConnection<Postgres>),
}

impl Tx {
    /// Makes what was written durable.
    ///
    /// # Errors
    /// When the database could not promise that; then nothing was written, or it is not known whether it was.
    pub async fn commit(mut self) -> sqlx::Result<()> {
        self.run("commit").await?;
        self.open = false;
        Ok(())
    }

    /// Takes back what was written.
    ///
    /// # Errors
    /// When the connection is broken; it is closed then, which takes back as well.
    pub async fn rollback(mut self) -> sqlx::Result<()> {
        self.run("rollback").await?;
        self.open = false;
        Ok(())
    }

    /// For [`execute!`](crate::execute) and [`fetch!`](crate::fetch).
    pub fn conn(&mut self) -> &mut Conn {
        STATEMENTS.fetch_add(1, Ordering::Relaxed);
        &mut self.conn
    }

    /// Whether it may wait for the counter of `event`: on PostgreSQL, only after those of smaller ids, so that no two
    /// processes wait for each other.
    pub(crate) fn is_turn_of(&mut self, event: &str) -> bool {
        let held = self.event.as_deref();
        if self.is_last && held != Some(event) {
            return false;
        }
        if matches!(self.conn, Conn::Postgres(_)) && held.is_some_and(|held| held > event) {
            return false;
        }
        if held != Some(event) {
            self.event = Some(event.to_owned());
        }
        true
    }

    /// Waits until no other server process is in the part of that name, and stays alone in it until the end of the
    /// transaction. Nothing on SQLite, where there is one writer. From now on it is no other event's turn: who is in
    /// here waits for nobody, so no two processes wait for each other.
    ///
    /// # Errors
    /// When the statement fails.
    pub(crate) async fn alone_in(&mut self, part: &str) -> sqlx::Result<()> {
        if let Conn::Postgres(conn) = &mut self.conn {
            let lock = sqlx::query("select pg_advisory_xact_lock(hashtext($1))").bind(part);
            let done = bounded(lock.execute(&mut **conn)).await.map(drop);
            self.is_last = true;
            return self.checked(done);
        }
        Ok(())
    }

    /// Tells every server process on this PostgreSQL, at commit, that `event` changed. Nothing on SQLite,
    /// where there is one process.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn notify(&mut self, event: &str) -> sqlx::Result<()> {
        if let Conn::Postgres(conn) = &mut self.conn {
            let notify = sqlx::query("select pg_notify('turnout_event', $1)").bind(event);
            let done = bounded(notify.execute(&mut **conn)).await.map(drop);
            return self.checked(done);
        }
        Ok(())
    }

    /// For [`execute!`](crate::execute) and [`fetch!`](crate::fetch): a connection that failed for want of a database
    /// is not used again.
    pub fn checked<T>(&mut self, result: sqlx::Result<T>) -> sqlx::Result<T> {
        self.spoilt |= result.as_ref().is_err_and(is_away);
        result
    }

    async fn run(&mut self, sql: &'static str) -> sqlx::Result<()> {
        match &mut self.conn {
            Conn::Sqlite(conn) => sqlx::raw_sql(sql).execute(&mut **conn).await.map(drop),
            Conn::Postgres(conn) => {
                bounded(sqlx::raw_sql(sql).execute(&mut **conn)).await.map(drop)
            }
        }
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        if self.open || self.spoilt {
            match &mut self.conn {
                Conn::Sqlite(conn) => conn.close_on_drop(),
                Conn::Postgres(conn) => conn.close_on_drop(),
            }
        }
    }
}

/// What PostgreSQL answers, or that it does not: an answer that is lost on the way is waited for no longer than
/// `SILENCE`.
///
/// # Errors
/// `Io` with `TimedOut` when there was none; the connection is of no use then ([`Tx::checked`]).
pub async fn bounded<T>(answer: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
    let silence = || sqlx::Error::Io(std::io::Error::from(std::io::ErrorKind::TimedOut));
    tokio::time::timeout(SILENCE, answer).await.unwrap_or_else(|_| Err(silence()))
}

/// Whether it failed because the database is away or takes no writes for now: a restart, a failover, a standby, too many
/// connections, a full disk. The same request may succeed a little later.
#[must_use]
pub fn is_away(error: &sqlx::Error) -> bool {
    use sqlx::Error;
    match error {
        Error::Io(_)
        | Error::Tls(_)
        | Error::Protocol(_)
        | Error::PoolTimedOut
        | Error::PoolClosed
        | Error::WorkerCrashed => true,
        Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            match error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
                Some(_) => is_away_for_postgres(&code),
                None => code.parse().is_ok_and(is_away_for_sqlite),
            }
        }
        _ => false,
    }
}

/// PostgreSQL's codes, Appendix A of its manual: connection, resources (53), operator intervention (57), system errors
/// (58), a lock that was not to be had, and a standby that takes no writes.
fn is_away_for_postgres(code: &str) -> bool {
    matches!(code.get(..2), Some("08" | "53" | "57" | "58"))
        || matches!(code, "55P03" | "25P03" | "25006")
}

/// SQLite's codes: busy, locked, read-only, I/O, full, cannot open; the low byte of an extended code.
const fn is_away_for_sqlite(code: i32) -> bool {
    matches!(code & 0xff, 5 | 6 | 8 | 10 | 13 | 14)
}

/// Runs one statement on a [`Tx`]; gives the number of rows it touched.
#[macro_export]
macro_rules! execute {
    ($tx:expr, $sql:expr $(, $arg:expr)* $(,)?) => {{
        let done = match $tx.conn() {
            $crate::db::Conn::Sqlite(conn) => {
                sqlx::query($sql)$(.bind($arg))*.execute(&mut **conn).await.map(|done| done.rows_affected())
            }
            $crate::db::Conn::Postgres(conn) => {
                let done = $crate::db::bounded(sqlx::query($sql)$(.bind($arg))*.execute(&mut **conn)).await;
                done.map(|done| done.rows_affected())
            }
        };
        $tx.checked(done)
    }};
}

/// Runs one query on a [`Tx`]: `fetch!(tx, fetch_optional, sql, args…)`. The row type is inferred; it is anything that
/// derives `sqlx::FromRow`, or a tuple.
#[macro_export]
macro_rules! fetch {
    ($tx:expr, $fetch:ident, $sql:expr $(, $arg:expr)* $(,)?) => {{
        let rows = match $tx.conn() {
            $crate::db::Conn::Sqlite(conn) => sqlx::query_as($sql)$(.bind($arg))*.$fetch(&mut **conn).await,
            $crate::db::Conn::Postgres(conn) => {
                $crate::db::bounded(sqlx::query_as($sql)$(.bind($arg))*.$fetch(&mut **conn)).await
            }
        };
        $tx.checked(rows)
    }};
}

/// A new id: UUIDv7, so that rows sort by when they were made.
#[must_use]
pub fn new_id(now: admission::Millis) -> String {
    let ms = u64::try_from(now.0).unwrap_or(0);
    let mut random = [0; 10];
    getrandom::fill(&mut random).expect("the system has randomness");
    uuid::Builder::from_unix_timestamp_millis(ms, &random).into_uuid().to_string()
}
