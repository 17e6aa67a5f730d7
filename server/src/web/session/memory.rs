//! Sessions in memory: who is signed in is looked up once a minute, and whoever waits for that is looked up together with
//! the others who wait.
//!
//! A session that ends here is forgotten at once, one that ends on another server process when the news of it comes, or
//! after [`Row::kept`] when there is none.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use admission::Millis;
use data_encoding::HEXLOWER;
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use crate::{
    db::Db,
    error::{Error, Result},
    execute_rows, fetch_rows,
    live::{Change, Live, News},
};

/// How long a member's session is believed without looking again: they open the page before a rush, and tap in it.
const MEMBER_KEPT: Duration = Duration::from_secs(60);
/// The same for staff, whose account may be taken from them on the command line.
const STAFF_KEPT: Duration = Duration::from_secs(5);
/// "Last seen" is written together for all, and before a session is looked up again.
const WRITE_SEEN_EVERY: Duration = Duration::from_secs(2);
/// How many sessions are remembered at most.
const SESSIONS: usize = 25_000;
/// How many look-ups wait at most.
const QUEUE: usize = 8_192;
/// How many are looked up together at most.
const BATCH: usize = 256;

/// A session and its holder, as the database has them.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Row {
    token_hash: Vec<u8>,
    pub(super) seen_ms: i64,
    pub(super) expires_ms: i64,
    pub(super) person_id: Option<String>,
    pub(super) person_name: Option<String>,
    pub(super) person_kind: Option<String>,
    pub(super) staff_id: Option<String>,
    pub(super) staff_name: Option<String>,
    pub(super) staff_role: Option<String>,
}

impl Row {
    const fn kept(&self) -> Duration {
        if self.staff_id.is_some() { STAFF_KEPT } else { MEMBER_KEPT }
    }
}

/// What is said when the session of that hash is over.
pub(super) fn topic(hash: &[u8]) -> String {
    format!("session {}", HEXLOWER.encode(hash))
}

type Waiting = (Vec<u8>, oneshot::Sender<Result<Option<Arc<Row>>>>);

/// The memory. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Sessions {
    known: Arc<Mutex<Known>>,
    lookups: mpsc::Sender<Waiting>,
    read: Arc<AtomicU64>,
}

#[derive(Debug, Default)]
struct Known {
    sessions: HashMap<Vec<u8>, (Arc<Row>, Instant)>,
    /// Sessions seen since that was last written, and when.
    seen: HashMap<Vec<u8>, Millis>,
    news: News,
}

impl Sessions {
    /// Starts looking sessions up in `db` and listening to which are over.
    #[must_use]
    pub fn start(db: Db, live: &Live) -> Self {
        let (lookups, waiting) = mpsc::channel(QUEUE);
        let sessions = Self { known: Arc::default(), lookups, read: Arc::default() };
        let (known, mut changes) = (Arc::downgrade(&sessions.known), live.listen());
        tokio::spawn(async move {
            while let Some(change) = changes.next().await {
                let Some(known) = known.upgrade() else { return };
                match change {
                    Change::Of(what) => lock(&known).heard(&what),
                    Change::Anything => lock(&known).missed(),
                }
            }
        });
        let known = Arc::clone(&sessions.known);
        tokio::spawn(look_up(db.clone(), known, Arc::clone(&sessions.read), waiting));
        tokio::spawn(write_seen(db, Arc::downgrade(&sessions.known)));
        sessions
    }

    /// How many sessions were looked up in the database.
    #[must_use]
    pub fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// The session of that hash.
    pub(super) async fn row(&self, hash: &[u8]) -> Result<Option<Arc<Row>>> {
        if let Some((row, until)) = lock(&self.known).sessions.get(hash)
            && Instant::now() < *until
        {
            return Ok(Some(Arc::clone(row)));
        }
        let (reply, answer) = oneshot::channel();
        self.lookups.try_send((hash.to_vec(), reply)).map_err(|_| Error::Busy)?;
        answer.await.map_err(|_| Error::Busy)?
    }

    /// The session of that hash is over.
    pub(super) fn forget(&self, hash: &[u8]) {
        lock(&self.known).heard(&topic(hash));
    }

    /// Notes that the session of that hash is in use; it is written a little later.
    pub(super) fn seen(&self, hash: Vec<u8>, now: Millis) {
        let mut known = lock(&self.known);
        if let Some((row, _)) = known.sessions.get_mut(&hash) {
            Arc::make_mut(row).seen_ms = now.0;
        }
        known.seen.insert(hash, now);
    }
}

impl Known {
    fn heard(&mut self, what: &str) {
        if let Some(hash) = what.strip_prefix("session ") {
            self.news.heard(what);
            if let Ok(hash) = HEXLOWER.decode(hash.as_bytes()) {
                self.sessions.remove(&hash);
            }
        }
    }

    /// Some news was missed; it may have been about any of them.
    fn missed(&mut self) {
        self.news.missed();
        self.sessions.clear();
    }

    /// Keeps rows that were read since `mark`, apart from those of which there is news.
    fn keep(&mut self, rows: &[Arc<Row>], read: Instant, mark: u64) {
        if self.sessions.len() + rows.len() > SESSIONS {
            let now = Instant::now();
            self.sessions.retain(|_, (_, until)| now < *until);
            if self.sessions.len() + rows.len() > SESSIONS {
                self.sessions.clear();
            }
        }
        let quiet = self.news.mark() == mark;
        for row in rows {
            if quiet || !self.news.since(mark, &topic(&row.token_hash)) {
                let until = read + row.kept();
                self.sessions.insert(row.token_hash.clone(), (Arc::clone(row), until));
            }
        }
    }
}

/// Looks up whatever waits, together.
async fn look_up(
    db: Db,
    known: Arc<Mutex<Known>>,
    count: Arc<AtomicU64>,
    mut waiting: mpsc::Receiver<Waiting>,
) {
    let mut batch = Vec::with_capacity(BATCH);
    while waiting.recv_many(&mut batch, BATCH).await > 0 {
        count.fetch_add(batch.len() as u64, Ordering::Relaxed);
        let (now, mark) = (Instant::now(), lock(&known).news.mark());
        let rows = match read(&db, &batch).await {
            Ok(rows) => rows,
            Err(error) => {
                tracing::error!(cause = %error, "sessions cannot be looked up");
                for (_, reply) in batch.drain(..) {
                    let error = if error.is_away() { Error::Away } else { Error::Busy };
                    drop(reply.send(Err(error)));
                }
                continue;
            }
        };
        let rows: Vec<_> = rows.into_iter().map(Arc::new).collect();
        lock(&known).keep(&rows, now, mark);
        let rows: HashMap<&[u8], &Arc<Row>> =
            rows.iter().map(|row| (row.token_hash.as_slice(), row)).collect();
        for (hash, reply) in batch.drain(..) {
            // The asker may have gone away.
            drop(reply.send(Ok(rows.get(hash.as_slice()).map(|row| Arc::clone(row)))));
        }
    }
}

async fn read(db: &Db, batch: &[Waiting]) -> Result<Vec<Row>> {
    let mut tx = db.read().await?;
    Ok(fetch_rows!(
        tx,
        "select s.token_hash, s.seen_ms, s.expires_ms, p.id as person_id, p.name as person_name,
                p.kind as person_kind, f.id as staff_id, f.name as staff_name, f.role as staff_role
         from session s
         left join person p on p.id = s.person_id
         left join staff f on f.id = s.staff_id and f.disabled_ms is null
         where s.token_hash in (",
        batch,
        |(hash, _)| [hash.as_slice()],
        ")",
    )?)
}

/// Writes now and then which sessions were seen. What a full disk does not take is not missed.
async fn write_seen(db: Db, known: std::sync::Weak<Mutex<Known>>) {
    loop {
        tokio::time::sleep(WRITE_SEEN_EVERY).await;
        let Some(known) = known.upgrade() else { return };
        let seen: Vec<_> = std::mem::take(&mut lock(&known).seen).into_iter().collect();
        drop(known);
        for seen in seen.chunks(BATCH) {
            if let Err(error) = write(&db, seen).await {
                tracing::warn!(cause = %error, "it is not noted when sessions were last seen");
                break;
            }
        }
    }
}

async fn write(db: &Db, seen: &[(Vec<u8>, Millis)]) -> Result<()> {
    let mut tx = db.write().await?;
    execute_rows!(
        tx,
        "with v (token_hash, seen_ms) as (",
        seen,
        |(hash, now)| [hash, now.0],
        ") update session set seen_ms = v.seen_ms from v where session.token_hash = v.token_hash",
    )?;
    Ok(tx.commit().await?)
}

/// A panic elsewhere leaves nothing half done in it.
fn lock(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}
