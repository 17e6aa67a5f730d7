//! The ledger: hot writes gathered into one transaction (design.md, decision 5).
//!
//! A booking of a scarce offer or a scan is work for the ledger. One task takes what is waiting, up to `BATCH`,
//! runs it in one transaction, commits, and only then answers each. So an answer is always durable, and a thousand
//! bookings cost a few commits. The queue is bounded: when it is full, the caller is told at once. The task has a thread of
//! its own: in a rush it would wait after each statement behind hundreds of requests, and all who wait with it. What comes
//! by the thousand waits at a `Door`, where the ledger finds whatever has come by the time it is ready.
//!
//! Work must write nothing when it refuses, and it may be run again: if anything in a batch fails, the batch is rolled
//! back and each piece runs in a transaction of its own, so that one poisoned request cannot take others with it. Work
//! that panics fails like any other; the ledger goes on. When it is the database that fails, the batch is tried once more
//! and then answered as a whole: nobody waits for a database that is away behind hundreds of others.
//!
//! Work first takes its event's counter (`event::queries::hold`). Server processes on one database take the
//! counters in the order of the events' ids, so they never wait for each other in a circle: work that comes out of
//! turn runs in the next transaction.

mod door;

use std::{fmt, panic::AssertUnwindSafe, sync::Arc};

pub(crate) use door::{Decider, Door};
use futures_util::{FutureExt as _, future::BoxFuture};
use tokio::sync::{mpsc, oneshot};

use crate::{
    db::{Db, Tx},
    error::{Error, Result},
    threads,
};

/// The name of its thread.
const THREAD: &str = "ledger";
/// How many pieces of work wait at most.
const QUEUE: usize = 4_096;
/// How many share one transaction at most: the more, the less each of them costs, and the longer the first of them waits.
const BATCH: usize = 512;

/// The way in. Cheap to clone.
#[derive(Clone)]
pub struct Ledger {
    queue: mpsc::Sender<Call>,
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ledger({} waiting)", QUEUE - self.queue.capacity())
    }
}

impl Ledger {
    /// Starts the ledger on `db`. It ends when the last [`Ledger`] is dropped and the queue is empty.
    ///
    /// # Panics
    /// Outside of a tokio runtime, and when the system has no thread to give.
    #[must_use]
    pub fn start(db: Db) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let runtime = tokio::runtime::Handle::current();
        let thread = std::thread::Builder::new().name(THREAD.to_owned());
        let run = move || {
            threads::go_first(THREAD);
            runtime.block_on(keep(db, waiting));
        };
        thread.spawn(run).expect("a thread");
        Self { queue }
    }

    /// Has `work` done and committed; gives what it gave.
    ///
    /// # Errors
    /// [`Error::Busy`] at once when the queue is full; [`Error::Away`] when the database is; whatever the work or the commit failed with.
    pub async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T>> + Send + Sync + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let work = Box::new(Waiting { work, outcome: None, reply });
        self.queue.try_send(Call::Work(work)).map_err(|_| Error::Busy)?;
        answer.await.map_err(|_| Error::Busy)?
    }

    /// How many pieces of work are waiting now.
    #[must_use]
    pub fn waiting(&self) -> usize {
        QUEUE - self.queue.capacity()
    }
}

/// What the ledger is called for.
enum Call {
    Work(Box<dyn Work>),
    /// Somebody waits there.
    Door(Arc<dyn door::Gathers>),
}

trait Work: Send {
    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, Result<()>>;
    fn answer(self: Box<Self>, committed: Result<()>);
}

struct Waiting<T, F> {
    work: F,
    outcome: Option<T>,
    reply: oneshot::Sender<Result<T>>,
}

impl<T, F> Work for Waiting<T, F>
where
    T: Send,
    F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T>> + Send + Sync,
{
    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, Result<()>> {
        Box::pin(async move {
            self.outcome = Some(caught(async { (self.work)(tx).await }).await?);
            Ok(())
        })
    }

    fn answer(self: Box<Self>, committed: Result<()>) {
        let Self { outcome, reply, .. } = *self;
        // The asker may have gone away; the write stands all the same.
        drop(reply.send(committed.and_then(|()| outcome.ok_or(Error::Busy))));
    }
}

/// What `work` gives; one that panics fails.
async fn caught<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let outcome = AssertUnwindSafe(work).catch_unwind().await;
    outcome.map_err(|_| anyhow::anyhow!("work for the ledger panicked"))?
}

async fn keep(db: Db, mut queue: mpsc::Receiver<Call>) {
    let (mut calls, mut batch) = (Vec::with_capacity(BATCH), Vec::with_capacity(BATCH));
    loop {
        if calls.is_empty() {
            if queue.recv_many(&mut calls, BATCH).await == 0 {
                return;
            }
        } else {
            // Others wait on at a door: nobody has to call for them again.
            calls.extend(std::iter::from_fn(|| queue.try_recv().ok()).take(BATCH));
        }
        for call in std::mem::take(&mut calls) {
            match call {
                Call::Work(work) => batch.push(work),
                Call::Door(door) => {
                    let (mut works, wait_on) = Arc::clone(&door).take(BATCH);
                    batch.append(&mut works);
                    if wait_on {
                        calls.push(Call::Door(door));
                    }
                }
            }
        }
        while !batch.is_empty() {
            batch = together(&db, batch).await;
        }
    }
}

/// What became of a batch.
enum Fate {
    Committed,
    /// One of them failed, and took the others with it.
    Spoilt,
    /// The database went away meanwhile.
    Interrupted,
    /// There is no database.
    Away,
}

/// Runs a batch in one transaction and answers it; gives back what must wait for the next one.
async fn together(db: &Db, mut batch: Vec<Box<dyn Work>>) -> Vec<Box<dyn Work>> {
    let mut later = Vec::new();
    let mut fate = run(db, &mut batch, &mut later).await;
    if matches!(fate, Fate::Interrupted) {
        // It may be back already, and a commit that was not answered may have happened: once more, all of them.
        fate = run(db, &mut batch, &mut later).await;
    }
    for mut work in batch {
        let outcome = match fate {
            Fate::Committed => Ok(()),
            Fate::Spoilt => alone(db, work.as_mut()).await,
            // Each of them would wait for a connection as long again, and those behind them too.
            Fate::Interrupted | Fate::Away => Err(Error::Away),
        };
        if outcome.as_ref().is_err_and(Error::is_away) {
            fate = Fate::Away;
        }
        work.answer(outcome);
    }
    later.sort_by(|(one, _), (other, _)| one.cmp(other));
    later.into_iter().map(|(_, work)| work).collect()
}

/// Runs a batch in one transaction; what comes out of turn moves to `later`, with its event.
async fn run(
    db: &Db,
    batch: &mut Vec<Box<dyn Work>>,
    later: &mut Vec<(String, Box<dyn Work>)>,
) -> Fate {
    let mut tx = match db.write().await {
        Ok(tx) => tx,
        Err(error) => {
            tracing::error!(cause = %error, "no transaction is to be had");
            return Fate::Away;
        }
    };
    let mut failed = None;
    for mut work in std::mem::take(batch) {
        let ran = if failed.is_none() { work.run(&mut tx).await } else { Ok(()) };
        if let Err(Error::OutOfTurn { event }) = ran {
            later.push((event, work));
            continue;
        }
        failed = failed.or(ran.err());
        batch.push(work);
    }
    let outcome = match failed {
        None => tx.commit().await.map_err(Error::from),
        Some(error) => Err(error),
    };
    match outcome {
        Ok(()) => Fate::Committed,
        Err(error) if error.is_away() => {
            tracing::error!(cause = %error, waiting = batch.len(), "the database went away");
            Fate::Interrupted
        }
        Err(_) => Fate::Spoilt,
    }
}

async fn alone(db: &Db, work: &mut dyn Work) -> Result<()> {
    let mut tx = db.write().await?;
    work.run(&mut tx).await?;
    Ok(tx.commit().await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetch;

    async fn one(tx: &mut Tx) -> Result<i64> {
        let (one,): (i64,) = fetch!(tx, fetch_one, "select cast(1 as bigint)")?;
        Ok(one)
    }

    #[tokio::test]
    async fn work_that_panics_fails_alone() {
        let (_folder, db) = Db::of_a_test().await;
        let ledger = Ledger::start(db);
        let good = |ledger: Ledger| async move { ledger.write(|tx| Box::pin(one(tx))).await };
        let bad = ledger
            .write(|_| -> BoxFuture<'_, Result<i64>> { Box::pin(async { panic!("on purpose") }) });
        let (before, bad, after) = tokio::join!(good(ledger.clone()), bad, good(ledger.clone()));
        assert!(matches!(bad, Err(Error::Internal(_))), "{bad:?}");
        assert_eq!((before.expect("works"), after.expect("works")), (1, 1));
        assert_eq!(good(ledger).await.expect("the ledger goes on"), 1);
    }
}
