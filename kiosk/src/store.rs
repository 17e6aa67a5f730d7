//! The kiosk's own store, one SQLite file: a copy of what the server said, and the journal of what was done here.
//!
//! Three things are not left to luck (reliability.md, findings 2, 3 and 8): the level of `synchronous` is read
//! back, the version of SQLite is checked, and a connection whose write failed is closed.

use std::{path::Path, time::Duration};

use admission::{
    Verdict,
    card::Fingerprint,
    decide::Use,
    scan::{Act, Chain, Entry, Scan, Skew},
    sync::{Feed, Heard, Post, TicketRow},
    ticket::TicketId,
    time::Millis,
};
use serde::{Serialize, de::DeserializeOwned};
use sqlx::{
    QueryBuilder, Row, SqlSafeStr, Sqlite, SqliteConnection, SqlitePool,
    migrate::{Migration, MigrationType, Migrator},
    pool::PoolConnection,
    sqlite::{
        SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
    },
};

use crate::{
    door::{Found, Head, Known, Line, Lookup},
    mesh::{Proven, Signed, Told},
};

/// The first SQLite without the WAL-reset corruption bug.
const SQLITE_MIN: [u32; 3] = [3, 51, 3];
/// Rows of one `insert`: far below SQLite's limit of bound values, and one statement for all but the last.
const ROWS_AT_ONCE: usize = 500;

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
            revoked: self.fact("revoked").await?.unwrap_or_default(),
        })
    }

    /// How far the copy goes.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn cursors(&self) -> Result<Cursors> {
        Ok(self.fact("cursors").await?.unwrap_or_default())
    }

    /// The end of `kiosk`'s journal.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn head(&self, kiosk: &str) -> Result<Head> {
        let row = sqlx::query("select seq, chain from journal order by seq desc limit 1")
            .fetch_optional(&self.readers)
            .await?;
        row.map_or(Ok(Head::start(kiosk)), |row| head_of(&row))
    }

    /// Writes a line durably. When this returns well, no power cut takes it back.
    ///
    /// # Errors
    /// When it could not be written; whether it was is then unknown, see [`Self::head`].
    pub async fn append(&self, line: &Line) -> Result<()> {
        let mut connection = self.writer.acquire().await?;
        let written =
            sqlx::query("insert into journal (seq, body, chain, admitted, undoes, person, allotment) values ($1, $2, $3, $4, $5, $6, $7)")
                .bind(signed(line.head.seq))
                .bind(&line.entry.0)
                .bind(String::from(line.head.chain))
                .bind(line.admitted.map(String::from))
                .bind(line.deed.about.filter(|_| line.deed.act == Act::Undo).map(signed))
                .bind(line.deed.walk_in.as_ref().map(|walk_in| walk_in.person.clone()))
                .bind(line.deed.walk_in.as_ref().map(|walk_in| walk_in.allotment))
                .execute(&mut *connection)
                .await;
        settle(connection, written).map(drop)
    }

    /// Takes sealed boxes of a page of people, with how far they go then.
    ///
    /// # Errors
    /// When they could not be written; nothing is changed then.
    pub async fn take_people(&self, boxes: &[(TicketId, Vec<u8>)], through: i64) -> Result<()> {
        let mut connection = self.writer.acquire().await?;
        let written = write_people(&mut connection, boxes, through).await;
        settle(connection, written)
    }

    /// Every sealed box, by ticket, and how far they go.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn people(&self) -> Result<(Vec<(TicketId, Vec<u8>)>, i64)> {
        let rows = sqlx::query("select ticket, box from person").fetch_all(&self.readers).await?;
        let boxes = rows.iter().map(|row| Ok((id_of(row.try_get(0)?)?, row.try_get(1)?)));
        Ok((boxes.collect::<Result<_>>()?, self.fact("people").await?.unwrap_or_default()))
    }

    /// How often a wrong PIN was typed in a row, and before when the next is not looked at.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn wrong_pins(&self) -> Result<(u32, Millis)> {
        Ok(self.fact("wrong_pins").await?.unwrap_or_default())
    }

    /// Remembers wrong PINs, across restarts and power cuts.
    ///
    /// # Errors
    /// When it could not be written.
    pub async fn keep_wrong_pins(&self, wrong: u32, not_before: Millis) -> Result<()> {
        self.keep("wrong_pins", &(wrong, not_before)).await
    }

    /// Tries whether the store can be written.
    ///
    /// # Errors
    /// When it cannot.
    pub async fn probe(&self) -> Result<()> {
        self.keep("probe", &true).await
    }

    /// The entries after `seq`, at most `limit`, with the chain before them.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn entries_after(
        &self,
        kiosk: &str,
        seq: u64,
        limit: usize,
    ) -> Result<(Chain, Vec<Entry>)> {
        let before = self.chain_at(kiosk, seq).await?.ok_or(StoreError::Broken { at: seq })?;
        let rows = sqlx::query("select body from journal where seq > $1 order by seq limit $2")
            .bind(signed(seq))
            .bind(signed(limit as u64))
            .fetch_all(&self.readers)
            .await?;
        let entries = rows.iter().map(|row| row.try_get(0).map(Entry)).collect::<sqlx::Result<_>>();
        Ok((before, entries?))
    }

    /// How many more are inside by each entry after `seq`, by its place: one more by an admission, one fewer by one that is
    /// taken back.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn moves_after(&self, seq: u64) -> Result<Vec<(u64, i64)>> {
        let rows = sqlx::query(
            "select seq, case when admitted is null then -1 else 1 end from journal
             where seq > $1 and (admitted is not null or undoes is not null) order by seq",
        )
        .bind(signed(seq))
        .fetch_all(&self.readers)
        .await?;
        rows.iter()
            .map(|row| Ok((row.try_get::<i64, _>(0)?.unsigned_abs(), row.try_get(1)?)))
            .collect()
    }

    /// The chain after entry `seq`; none when there is no such entry.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn chain_at(&self, kiosk: &str, seq: u64) -> Result<Option<Chain>> {
        if seq == 0 {
            return Ok(Some(Chain::start(kiosk)));
        }
        let row = sqlx::query("select seq, chain from journal where seq = $1")
            .bind(signed(seq))
            .fetch_optional(&self.readers)
            .await?;
        row.map(|row| head_of(&row).map(|head| head.chain)).transpose()
    }

    /// Reads the whole journal and checks that nothing in it was changed, left out or added.
    ///
    /// # Errors
    /// [`StoreError::Broken`] at the first entry that does not fit.
    pub async fn verify(&self, kiosk: &str) -> Result<Head> {
        let mut head = Head::start(kiosk);
        loop {
            let rows = sqlx::query(
                "select seq, body, chain, admitted from journal where seq > $1 order by seq limit 1000",
            )
            .bind(signed(head.seq))
            .fetch_all(&self.readers)
            .await?;
            if rows.is_empty() {
                return Ok(head);
            }
            for row in rows {
                let seq = head.seq + 1;
                let broken = StoreError::Broken { at: seq };
                let entry = Entry(row.try_get("body")?);
                let found = head_of(&row)?;
                let chain = head.chain.after(seq, &entry);
                let admitted: Option<String> = row.try_get("admitted")?;
                let fits = entry.scan().is_ok_and(|scan| {
                    scan.seq == seq
                        && admitted
                            == scan.ticket.filter(|_| scan.verdict.is_admitted()).map(String::from)
                });
                head = Head { seq, chain };
                if found != head || !fits {
                    return Err(broken);
                }
            }
        }
    }

    /// Takes the page of the feed that follows `after`, asked for when the server had acknowledged the journal
    /// through `settled`: all of it in one transaction with how far the copy goes then. A page that follows
    /// something else (the copy was wiped meanwhile) is left.
    ///
    /// # Errors
    /// When it could not be written; the copy is then as before.
    pub async fn take_page(&self, feed: &Feed, after: Cursors, settled: u64) -> Result<()> {
        let mut connection = self.writer.acquire().await?;
        let written = write_page(&mut connection, feed, after, settled).await;
        settle(connection, written)
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

    /// What the entries after `seq` tell other kiosks, at most `limit`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn told_after(&self, kiosk: &str, seq: u64, limit: usize) -> Result<Vec<Told>> {
        let rows = sqlx::query(
            "select j.body, j.chain, u.body as about from journal j left join journal u on u.seq = j.undoes
             where j.seq > $1 order by j.seq limit $2",
        )
        .bind(signed(seq))
        .bind(signed(limit as u64))
        .fetch_all(&self.readers)
        .await?;
        let told = |row: &SqliteRow| {
            let scan: Scan = read("journal", row.try_get("body")?)?;
            let about: Option<String> = row.try_get("about")?;
            let about: Option<Scan> = about.map(|about| read("journal", about)).transpose()?;
            Ok(Told::of(kiosk, chain_of(row)?, &scan, about.as_ref()))
        };
        rows.iter().map(told).collect()
    }

    /// Keeps what other kiosks told.
    ///
    /// # Errors
    /// When it could not be written; nothing is changed then.
    pub async fn keep_told(&self, told: &[Proven]) -> Result<()> {
        let mut connection = self.writer.acquire().await?;
        let written = write_told(&mut connection, told).await;
        settle(connection, written)
    }

    /// What other kiosks told, in order, and through where the copy tells what they did.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn told(&self) -> Result<(Vec<Proven>, Vec<Heard>)> {
        let rows = sqlx::query("select told, signature from peer_scan order by kiosk, seq")
            .fetch_all(&self.readers)
            .await?;
        let proven = |row: &SqliteRow| {
            let signed = Signed { told: row.try_get(0)?, signature: row.try_get(1)? };
            Proven::kept(signed).ok_or_else(|| StoreError::Unreadable("peer_scan".to_owned()))
        };
        let told = rows.iter().map(proven).collect::<Result<_>>()?;
        let rows = sqlx::query("select kiosk, settled from peer").fetch_all(&self.readers).await?;
        let heard = |row: &SqliteRow| {
            let through = row.try_get::<i64, _>(1)?.unsigned_abs();
            Ok(Heard { kiosk: row.try_get(0)?, through })
        };
        Ok((told, rows.iter().map(heard).collect::<Result<_>>()?))
    }

    /// The copy, which goes as far as `cursors`, tells what these did: what they told of that goes. False when the copy
    /// is another meanwhile (it was wiped); nothing goes then.
    ///
    /// # Errors
    /// When it could not be written; nothing is changed then.
    pub async fn settle_told(&self, heard: &[Heard], cursors: Cursors) -> Result<bool> {
        let mut connection = self.writer.acquire().await?;
        let written = write_settled(&mut connection, heard, cursors).await;
        settle(connection, written)
    }

    /// What kiosks told that are not among these goes: they are believed no more.
    ///
    /// # Errors
    /// When it could not be written.
    pub async fn drop_told_except(&self, kiosks: &[&str]) -> Result<()> {
        let mut connection = self.writer.acquire().await?;
        let written = sqlx::query(
            "delete from peer_scan where kiosk not in (select value from json_each($1))",
        )
        .bind(json(&kiosks))
        .execute(&mut *connection)
        .await;
        settle(connection, written).map(drop)
    }

    /// Answers the door.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn look(&self, lookup: Lookup) -> Result<Found> {
        match lookup {
            Lookup::Ticket(id) => {
                // Most tickets were never let in here: then one question is enough.
                let row = sqlx::query(
                    "select t.body, t.settled, exists (select 1 from journal where admitted = $1) as used_here
                     from (select 1) left join ticket t on t.id = $1",
                )
                .bind(String::from(id))
                .fetch_one(&self.readers)
                .await?;
                Ok(Found::Ticket(self.known(id, &row).await?))
            }
            Lookup::Card(fingerprint) => self.holder(fingerprint).await,
            Lookup::Admission(id) => {
                let Found::Ticket(known) = Box::pin(self.look(Lookup::Ticket(id))).await? else {
                    return Err(StoreError::Unreadable("ticket".to_owned()));
                };
                let row = sqlx::query(
                    "select max(seq) from journal j where admitted = $1
                     and not exists (select 1 from journal u where u.undoes = j.seq)",
                )
                .bind(String::from(id))
                .fetch_one(&self.readers)
                .await?;
                let last: Option<i64> = row.try_get(0)?;
                Ok(Found::Admission(known, last.map(i64::unsigned_abs)))
            }
        }
    }

    /// How many tickets and cards the copy holds.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn size(&self) -> Result<(u64, u64)> {
        let row = sqlx::query("select (select count(*) from ticket), (select count(*) from card)")
            .fetch_one(&self.readers)
            .await?;
        Ok((row.try_get::<i64, _>(0)?.unsigned_abs(), row.try_get::<i64, _>(1)?.unsigned_abs()))
    }

    /// Wipes everything that tells of people, from the file and its log. The journal stays.
    ///
    /// # Errors
    /// When it could not be written.
    pub async fn wipe(&self, wipe: Wipe) -> Result<()> {
        let mut connection = self.writer.acquire().await?;
        let written = write_wipe(&mut connection, wipe).await;
        settle(connection, written)
    }

    async fn holder(&self, fingerprint: Fingerprint) -> Result<Found> {
        let card = sqlx::query("select person, blocked from card where fingerprint = $1")
            .bind(fingerprint.0.to_vec())
            .fetch_optional(&self.readers)
            .await?;
        let Some(card) = card else { return Ok(Found::NoCard) };
        let person: String = card.try_get("person")?;
        let rows = sqlx::query(
            "select id, body, settled, exists (select 1 from journal where admitted = t.id) as used_here
             from ticket t where person = $1 order by id",
        )
        .bind(&person)
        .fetch_all(&self.readers)
        .await?;
        let mut tickets = Vec::with_capacity(rows.len());
        for row in &rows {
            tickets.push(self.known(id_of(row.try_get("id")?)?, row).await?);
        }
        let mut given = Vec::new();
        if tickets.is_empty() {
            // A place given here a moment ago, of which the server has not told yet.
            let rows = sqlx::query(
                "select admitted as id, null as body, null as settled, true as used_here
                 from journal where person = $1 and admitted is not null",
            )
            .bind(&person)
            .fetch_all(&self.readers)
            .await?;
            for row in &rows {
                tickets.push(self.known(id_of(row.try_get("id")?)?, row).await?);
            }
            let rows = sqlx::query(
                "select allotment, count(*) from journal where allotment is not null group by allotment",
            )
            .fetch_all(&self.readers)
            .await?;
            for row in rows {
                let count: i64 = row.try_get(1)?;
                given.push((row.try_get(0)?, u32::try_from(count).unwrap_or(u32::MAX)));
            }
        }
        let mut fresh = [0; 12];
        getrandom::fill(&mut fresh).map_err(|_| StoreError::Unsafe("no randomness".to_owned()))?;
        let (blocked, fresh) = (card.try_get("blocked")?, TicketId(fresh));
        Ok(Found::Card { blocked, person, tickets, given, fresh })
    }

    /// What is known of a ticket: its row, if the copy has one, and whether it was ever let in here.
    async fn known(&self, id: TicketId, row: &SqliteRow) -> Result<Known> {
        let settled = row.try_get::<Option<i64>, _>("settled")?.unwrap_or_default();
        let body: Option<String> = row.try_get("body")?;
        let used_here: bool = row.try_get("used_here")?;
        let row = body.map(|body| read::<TicketRow>("ticket", body)).transpose()?;
        if !used_here {
            return Ok(Known { row, ..Known::nothing_of(id) });
        }
        let entries = sqlx::query(
            // What the row has the last word on is not read, however often a ticket was scanned here. Taking back is rare.
            "select j.seq, j.body, (select max(u.seq) from journal u where u.undoes = j.seq) as undone
             from journal j where j.admitted = $1 and j.seq > $2
             union all
             select j.seq, j.body, u.seq from journal u join journal j on j.seq = u.undoes
             where u.undoes is not null and u.seq > $2 and j.admitted = $1 and j.seq <= $2
             order by 1",
        )
        .bind(String::from(id))
        .bind(settled)
        .fetch_all(&self.readers)
        .await?;
        let (mut own, mut taken_back) = (Vec::with_capacity(entries.len()), Vec::new());
        for entry in entries {
            let seq: i64 = entry.try_get("seq")?;
            let undone: Option<i64> = entry.try_get("undone")?;
            let pending = if undone.is_some() { undone > Some(settled) } else { seq > settled };
            // Of everything up to `settled` the row has the last word.
            if !pending || (undone.is_some() && seq > settled) {
                continue;
            }
            let scan: Scan = read("journal", entry.try_get("body")?)?;
            debug_assert_eq!(scan.verdict, Verdict::Admitted);
            let (at, kind) = (scan.true_at(), scan.station_kind);
            let used = Use { at, station: scan.station, kind };
            if undone.is_some() {
                taken_back.push(used);
            } else {
                own.push((seq.unsigned_abs(), used));
            }
        }
        Ok(Known { id, row, own, taken_back, peers: Vec::new() })
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

/// What a wipe leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wipe {
    /// The lease ended: the copy goes, the post stays, and the next sync begins anew.
    LeaseEnded,
    /// The organizer revoked the kiosk: only the journal stays.
    Revoked,
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
    let sql = include_str!("../../migrations/kiosk/0001_kiosk.sql");
    let first = Migration::new(1, "kiosk".into(), MigrationType::Simple, sql.into_sql_str(), false);
    let sql = include_str!("../../migrations/kiosk/0002_deed.sql");
    let second = Migration::new(2, "deed".into(), MigrationType::Simple, sql.into_sql_str(), false);
    let sql = include_str!("../../migrations/kiosk/0003_mesh.sql");
    let third = Migration::new(3, "mesh".into(), MigrationType::Simple, sql.into_sql_str(), false);
    Migrator::with_migrations(vec![first, second, third])
}

async fn write_page(
    connection: &mut SqliteConnection,
    feed: &Feed,
    after: Cursors,
    settled: u64,
) -> sqlx::Result<()> {
    let mut tx = sqlx::Connection::begin_with(connection, "begin immediate").await?;
    if !copy_is_at(&mut tx, after).await? {
        return tx.rollback().await;
    }
    for rows in feed.tickets.chunks(ROWS_AT_ONCE) {
        let mut insert =
            QueryBuilder::<Sqlite>::new("insert into ticket (id, person, settled, body) ");
        insert.push_values(rows, |mut values, row| {
            values
                .push_bind(String::from(row.fact.id))
                .push_bind(row.person.clone())
                .push_bind(signed(settled))
                .push_bind(json(row));
        });
        insert.push(
            " on conflict (id) do update set person = excluded.person, settled = excluded.settled, body = excluded.body",
        );
        insert.build().persistent(rows.len() == ROWS_AT_ONCE).execute(&mut *tx).await?;
    }
    for rows in feed.cards.chunks(ROWS_AT_ONCE) {
        let mut insert =
            QueryBuilder::<Sqlite>::new("insert into card (fingerprint, person, blocked) ");
        insert.push_values(rows, |mut values, row| {
            values
                .push_bind(row.fingerprint.0.to_vec())
                .push_bind(row.person.clone())
                .push_bind(row.blocked);
        });
        insert.push(
            " on conflict (fingerprint) do update set person = excluded.person, blocked = excluded.blocked",
        );
        insert.build().persistent(rows.len() == ROWS_AT_ONCE).execute(&mut *tx).await?;
    }
    keep(&mut tx, "post", &feed.post).await?;
    let cursors = Cursors { revision: feed.revision, cards_revision: feed.cards_revision };
    keep(&mut tx, "cursors", &cursors).await?;
    tx.commit().await
}

async fn write_people(
    connection: &mut SqliteConnection,
    boxes: &[(TicketId, Vec<u8>)],
    through: i64,
) -> sqlx::Result<()> {
    let mut tx = sqlx::Connection::begin_with(connection, "begin immediate").await?;
    for rows in boxes.chunks(ROWS_AT_ONCE) {
        let mut insert = QueryBuilder::<Sqlite>::new("insert into person (ticket, box) ");
        insert.push_values(rows, |mut values, (ticket, sealed)| {
            values.push_bind(String::from(*ticket)).push_bind(sealed.clone());
        });
        insert.push(" on conflict (ticket) do update set box = excluded.box");
        insert.build().persistent(rows.len() == ROWS_AT_ONCE).execute(&mut *tx).await?;
    }
    keep(&mut tx, "people", &through).await?;
    tx.commit().await
}

async fn write_told(connection: &mut SqliteConnection, told: &[Proven]) -> sqlx::Result<()> {
    let mut tx = sqlx::Connection::begin_with(connection, "begin immediate").await?;
    for rows in told.chunks(ROWS_AT_ONCE) {
        let mut insert =
            QueryBuilder::<Sqlite>::new("insert into peer_scan (kiosk, seq, told, signature) ");
        insert.push_values(rows, |mut values, proven| {
            values
                .push_bind(proven.told().kiosk.clone())
                .push_bind(signed(proven.told().seq))
                .push_bind(proven.signed().told.clone())
                .push_bind(proven.signed().signature.clone());
        });
        insert.push(" on conflict (kiosk, seq) do nothing");
        insert.build().persistent(false).execute(&mut *tx).await?;
    }
    tx.commit().await
}

async fn write_settled(
    connection: &mut SqliteConnection,
    heard: &[Heard],
    cursors: Cursors,
) -> sqlx::Result<bool> {
    let mut tx = sqlx::Connection::begin_with(connection, "begin immediate").await?;
    if !copy_is_at(&mut tx, cursors).await? {
        tx.rollback().await?;
        return Ok(false);
    }
    for Heard { kiosk, through } in heard {
        sqlx::query("delete from peer_scan where kiosk = $1 and seq <= $2")
            .bind(kiosk)
            .bind(signed(*through))
            .execute(&mut *tx)
            .await?;
        sqlx::query(
            "insert into peer (kiosk, settled) values ($1, $2) on conflict (kiosk) do update set settled = max(settled, excluded.settled)",
        )
        .bind(kiosk)
        .bind(signed(*through))
        .execute(&mut *tx)
        .await?;
    }
    tx.commit().await?;
    Ok(true)
}

async fn copy_is_at(connection: &mut SqliteConnection, cursors: Cursors) -> sqlx::Result<bool> {
    let row = sqlx::query("select value from fact where name = 'cursors'")
        .fetch_optional(connection)
        .await?;
    let stored = row.map(|row| row.try_get::<String, _>(0)).transpose()?;
    Ok(stored.unwrap_or_else(|| json(&Cursors::default())) == json(&cursors))
}

async fn write_wipe(connection: &mut SqliteConnection, wipe: Wipe) -> sqlx::Result<()> {
    let mut tx = sqlx::Connection::begin_with(&mut *connection, "begin immediate").await?;
    sqlx::query("delete from ticket").execute(&mut *tx).await?;
    sqlx::query("delete from card").execute(&mut *tx).await?;
    sqlx::query("delete from person").execute(&mut *tx).await?;
    sqlx::query("delete from peer_scan").execute(&mut *tx).await?;
    sqlx::query("delete from peer").execute(&mut *tx).await?;
    sqlx::query("delete from fact where name in ('cursors', 'complete_at', 'people')")
        .execute(&mut *tx)
        .await?;
    if wipe == Wipe::Revoked {
        sqlx::query("delete from fact where name = 'post'").execute(&mut *tx).await?;
        keep(&mut tx, "revoked", &true).await?;
    }
    tx.commit().await?;
    // What was deleted is overwritten (`secure_delete`), but older pages still stand in the log.
    sqlx::query("pragma wal_checkpoint(truncate)").execute(connection).await.map(drop)
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

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use admission::{
        decide::{StationKind, TicketState},
        scan::{Deed, Medium, Trust},
        sync::{CardRow, EventInfo},
        ticket::TicketFact,
    };

    use super::*;

    const KIOSK: &str = "k";

    struct Temp {
        _folder: tempfile::TempDir,
        path: PathBuf,
    }

    async fn store() -> (Store, Temp) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("kiosk.db");
        (Store::open(&path).await.expect("a store"), Temp { _folder: folder, path })
    }

    fn id(number: u32) -> TicketId {
        let mut id = [0; 12];
        id[..4].copy_from_slice(&number.to_be_bytes());
        TicketId(id)
    }

    /// The line after `head` that admits `ticket`.
    fn line(head: Head, ticket: TicketId) -> Line {
        let seq = head.seq + 1;
        let entry = Entry::of(&Scan {
            seq,
            event: 4,
            station_kind: StationKind::Gate,
            station: "东门".into(),
            medium: Medium::Code,
            ticket: Some(ticket),
            verdict: Verdict::Admitted,
            trust: Trust::SignatureOnly,
            at: Millis(1_000),
            skew: Some(Skew { ms: 500, error_ms: 1 }),
            deed: Deed::default(),
        });
        let head = Head { seq, chain: head.chain.after(seq, &entry) };
        Line { head, entry, admitted: Some(ticket), deed: Deed::default() }
    }

    async fn append(store: &Store, tickets: &[TicketId]) -> Head {
        let mut head = store.head(KIOSK).await.expect("readable");
        for &ticket in tickets {
            let line = line(head, ticket);
            store.append(&line).await.expect("written");
            head = line.head;
        }
        head
    }

    fn row(number: u32) -> TicketRow {
        TicketRow {
            fact: TicketFact {
                id: id(number),
                event: 4,
                class: 0,
                valid_from: Millis(0),
                valid_to: Millis(9_000),
                reissue: 0,
            },
            state: TicketState::Valid,
            person: Some(format!("p{number}")),
            holder: "王*明".into(),
            place: None,
            uses: Vec::new(),
            revision: i64::from(number),
        }
    }

    fn page(tickets: Vec<TicketRow>, cards: Vec<CardRow>) -> Feed {
        Feed {
            server_now: Millis(1_000),
            post: Post {
                name: "K1".into(),
                station_kind: StationKind::Gate,
                station: "东门".into(),
                event: EventInfo {
                    number: 4,
                    id: "e".into(),
                    title: "乒乓球赛".into(),
                    time_zone: "Asia/Shanghai".into(),
                    starts_at: Millis(0),
                    ends_at: Millis(9_000),
                    cancelled: false,
                    offers: Vec::new(),
                },
                keys: Vec::new(),
                card_bins: Vec::new(),
                lease_until: Millis(9_000),
                allotments: Vec::new(),
                room: None,
                peers: Vec::new(),
                venue: None,
            },
            revision: tickets.last().map_or(0, |row| row.revision),
            tickets,
            cards_revision: i64::from(!cards.is_empty()),
            cards,
            heard: Vec::new(),
            more: false,
        }
    }

    async fn own_uses(store: &Store, number: u32) -> Vec<Use> {
        match store.look(Lookup::Ticket(id(number))).await.expect("readable") {
            Found::Ticket(known) => known.own.into_iter().map(|(_, used)| used).collect(),
            found => panic!("{found:?}"),
        }
    }

    #[tokio::test]
    async fn the_journal_is_there_after_a_drop() {
        let (store, temp) = store().await;
        let head = append(&store, &[id(1), id(2)]).await;
        drop(store);
        let store = Store::open(&temp.path).await.expect("a store");
        assert_eq!(store.head(KIOSK).await.expect("readable"), head);
        assert_eq!(store.verify(KIOSK).await.expect("whole"), head);
        let used = Use::entry(Millis(1_500), "东门".into());
        assert_eq!(own_uses(&store, 1).await, [used]);
    }

    #[tokio::test]
    async fn a_changed_cut_or_foreign_journal_is_found_out() {
        for (sabotage, at) in [
            ("update journal set body = replace(body, '东门', '西门') where seq = 2", 2),
            ("delete from journal where seq = 2", 2),
            ("update journal set admitted = null where seq = 3", 3),
            (
                "update journal set chain = (select chain from journal where seq = 1) where seq = 2",
                2,
            ),
        ] {
            let (store, _temp) = store().await;
            append(&store, &[id(1), id(2), id(3)]).await;
            sqlx::query(sabotage).execute(&store.writer).await.expect("sabotaged");
            let found = store.verify(KIOSK).await;
            assert!(
                matches!(found, Err(StoreError::Broken { at: found }) if found == at),
                "{sabotage}"
            );
        }
        let (store, _temp) = store().await;
        append(&store, &[id(1)]).await;
        assert!(matches!(store.verify("another").await, Err(StoreError::Broken { at: 1 })));
    }

    #[tokio::test]
    async fn a_place_in_the_journal_is_taken_once() {
        let (store, _temp) = store().await;
        let start = Head::start(KIOSK);
        store.append(&line(start, id(1))).await.expect("written");
        assert!(store.append(&line(start, id(2))).await.is_err());
        assert_eq!(store.head(KIOSK).await.expect("readable"), line(start, id(1)).head);
        append(&store, &[id(3)]).await;
        assert_eq!(store.verify(KIOSK).await.expect("whole").seq, 2);
    }

    #[tokio::test]
    async fn after_a_full_disk_the_store_writes_again() {
        let (store, _temp) = store().await;
        // As small as the file is: whatever grows it fails like on a full disk.
        sqlx::query("pragma max_page_count = 1").execute(&store.writer).await.expect("set");
        let many = page((1..3_000).map(row).collect(), Vec::new());
        assert!(store.take_page(&many, Cursors::default(), 0).await.is_err());
        assert_eq!(store.size().await.expect("readable"), (0, 0));
        // The connection that failed is gone, and with it its limit.
        store.take_page(&many, Cursors::default(), 0).await.expect("written");
        append(&store, &[id(1)]).await;
        assert_eq!(store.size().await.expect("readable"), (2_999, 0));
    }

    #[tokio::test]
    async fn a_page_is_taken_whole_and_only_in_its_place() {
        let (store, _temp) = store().await;
        let cards = vec![CardRow {
            fingerprint: Fingerprint([7; 32]),
            person: "p2".into(),
            blocked: false,
            revision: 1,
        }];
        let first = page((1..=1_234).map(row).collect(), cards);
        store.take_page(&first, Cursors::default(), 0).await.expect("written");
        let cursors = Cursors { revision: 1_234, cards_revision: 1 };
        let memory = store.memory().await.expect("readable");
        assert_eq!((memory.cursors, memory.post), (cursors, Some(first.post)));
        let found = store.look(Lookup::Card(Fingerprint([7; 32]))).await.expect("readable");
        let known = Known {
            id: id(2),
            row: Some(row(2)),
            own: Vec::new(),
            taken_back: Vec::new(),
            peers: Vec::new(),
        };
        let Found::Card { blocked: false, person, tickets, .. } = found else {
            panic!("{found:?}")
        };
        assert_eq!((person.as_str(), tickets), ("p2", vec![known]));
        let unknown = store.look(Lookup::Card(Fingerprint([8; 32]))).await.expect("readable");
        assert_eq!(unknown, Found::NoCard);
        // A page that was under way while the copy was wiped.
        store.wipe(Wipe::LeaseEnded).await.expect("wiped");
        let late = page(vec![row(1_235)], Vec::new());
        store.take_page(&late, cursors, 0).await.expect("left");
        assert_eq!(store.size().await.expect("readable"), (0, 0));
        assert_eq!(store.cursors().await.expect("readable"), Cursors::default());
    }

    #[tokio::test]
    async fn a_row_that_knows_of_an_admission_has_the_last_word_on_it() {
        let (store, _temp) = store().await;
        append(&store, &[id(1)]).await;
        store
            .take_page(&page(vec![row(1)], Vec::new()), Cursors::default(), 0)
            .await
            .expect("written");
        assert_eq!(own_uses(&store, 1).await.len(), 1, "the server had not heard of it");
        let undone = page(vec![TicketRow { revision: 2, ..row(1) }], Vec::new());
        let after = Cursors { revision: 1, cards_revision: 0 };
        store.take_page(&undone, after, 1).await.expect("written");
        assert_eq!(own_uses(&store, 1).await, [], "it had, and somebody undid it");
        append(&store, &[id(1)]).await;
        assert_eq!(own_uses(&store, 1).await.len(), 1, "let in again");
    }

    #[tokio::test]
    async fn what_was_taken_back_counts_no_more_whichever_side_heard_first() {
        let (store, _temp) = store().await;
        let head = append(&store, &[id(1)]).await;
        let scan = line(head, id(1)).entry.scan().expect("own entry");
        let deed = Deed { act: Act::Undo, about: Some(1), ..Deed::default() };
        let verdict = Verdict::Attention(admission::Refusal::Unknown);
        let entry = Entry::of(&Scan { deed: deed.clone(), verdict, ..scan });
        let after = Head { seq: 2, chain: head.chain.after(2, &entry) };
        store.append(&Line { head: after, entry, admitted: None, deed }).await.expect("written");
        assert_eq!(store.verify(KIOSK).await.expect("whole"), after);
        let known = || async {
            match store.look(Lookup::Admission(id(1))).await.expect("readable") {
                Found::Admission(known, last) => (known, last),
                found => panic!("{found:?}"),
            }
        };
        let (found, last) = known().await;
        assert_eq!((found.own.len(), found.taken_back.len(), last), (0, 0, None));
        // The server had heard of the admission and not yet of its end.
        let used = Use::entry(Millis(1_500), "东门".into());
        let told = page(vec![TicketRow { uses: vec![used.clone()], ..row(1) }], Vec::new());
        store.take_page(&told, Cursors::default(), 1).await.expect("written");
        let (found, _) = known().await;
        assert_eq!((found.taken_back.as_slice(), found.history()), (&[used][..], vec![]));
    }

    #[tokio::test]
    async fn what_others_told_is_kept_until_the_copy_tells_it_or_they_are_believed_no_more() {
        let (store, _temp) = store().await;
        append(&store, &[id(1), id(2), id(3)]).await;
        let told = store.told_after("east", 1, 10).await.expect("readable");
        assert_eq!(told.iter().map(|told| told.seq).collect::<Vec<_>>(), [2, 3]);
        let key = ed25519_dalek::SigningKey::from_bytes(&[1; 32]);
        let mut proven: Vec<Proven> =
            told.into_iter().map(|told| Proven::sign(told, &key)).collect();
        let west = Told { kiosk: "west".into(), ..proven[0].told().clone() };
        proven.push(Proven::sign(west, &key));
        store.keep_told(&proven).await.expect("written");
        store.keep_told(&proven).await.expect("the same again");
        assert_eq!(store.told().await.expect("readable"), (proven.clone(), Vec::new()));
        let heard = vec![Heard { kiosk: "east".into(), through: 2 }];
        let another = Cursors { revision: 9, cards_revision: 0 };
        assert!(!store.settle_told(&heard, another).await.expect("left"));
        assert_eq!(store.told().await.expect("readable").0.len(), 3);
        assert!(store.settle_told(&heard, Cursors::default()).await.expect("written"));
        assert_eq!(store.told().await.expect("readable"), (proven[1..].to_vec(), heard));
        store.drop_told_except(&["east"]).await.expect("written");
        assert_eq!(store.told().await.expect("readable").0, proven[1..2]);
        store.wipe(Wipe::LeaseEnded).await.expect("wiped");
        assert_eq!(store.told().await.expect("readable"), (Vec::new(), Vec::new()));
    }

    #[tokio::test]
    async fn a_wipe_leaves_the_journal_and_no_name() {
        let (store, temp) = store().await;
        store
            .take_page(&page(vec![row(1)], Vec::new()), Cursors::default(), 0)
            .await
            .expect("written");
        let head = append(&store, &[id(1)]).await;
        store.wipe(Wipe::Revoked).await.expect("wiped");
        let memory = store.memory().await.expect("readable");
        assert_eq!((memory.post, memory.revoked), (None, true));
        assert_eq!(store.verify(KIOSK).await.expect("whole"), head);
        for suffix in ["", "-wal"] {
            let bytes = std::fs::read(format!("{}{suffix}", temp.path.display())).expect("a file");
            assert!(!bytes.windows(7).any(|window| window == "王*明".as_bytes()), "{suffix}");
        }
    }

    #[tokio::test]
    async fn what_is_read_of_a_ticket_does_not_grow_with_what_the_server_counts() {
        let (store, _temp) = store().await;
        let head = append(&store, &[id(1); 40]).await;
        let undo = |head: Head, about: u64| {
            let mut undo = line(head, id(1));
            undo.admitted = None;
            undo.deed = Deed { act: Act::Undo, about: Some(about), ..Deed::default() };
            undo
        };
        // The last of forty is taken back after the server had counted it; then it is used once more.
        let taken_back = undo(head, 40);
        store.append(&taken_back).await.expect("written");
        let again = line(taken_back.head, id(1));
        store.append(&again).await.expect("written");
        store
            .take_page(&page(vec![row(1)], Vec::new()), Cursors::default(), 40)
            .await
            .expect("taken");
        let Found::Ticket(known) = store.look(Lookup::Ticket(id(1))).await.expect("found") else {
            panic!("a ticket")
        };
        assert_eq!((known.own.len(), known.own[0].0, known.taken_back.len()), (1, 42, 1));
        assert_eq!(store.moves_after(39).await.expect("read"), [(40, 1), (41, -1), (42, 1)]);
        let plan = sqlx::query(
            "explain query plan select j.seq from journal j where j.admitted = 'x' and j.seq > 5",
        )
        .fetch_all(&store.readers)
        .await
        .expect("a plan");
        let plan: String = plan[0].try_get("detail").expect("text");
        assert!(plan.contains("journal_admitted (admitted=? AND seq>?)"), "{plan}");
    }
}
