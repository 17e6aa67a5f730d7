//! The ledger: hot writes gathered into one transaction (design.md, decision 5).
//!
//! A booking of a scarce offer or a scan is work for the ledger. One task takes what is waiting, up to `BATCH`,
//! runs it in one transaction, commits, and only then answers each. So an answer is always durable, and a thousand
//! bookings cost a few commits. The queue is bounded: when it is full, the caller is told at once.
//!
//! Work must write nothing when it refuses, and it may be run again: if anything in a batch fails, the batch is rolled
//! back and each piece runs in a transaction of its own, so that one poisoned request cannot take others with it.

use std::fmt;

use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

use crate::{
    db::{Db, Tx},
    error::{Error, Result},
};

/// How many pieces of work wait at most.
const QUEUE: usize = 4_096;
/// How many share one transaction at most.
const BATCH: usize = 256;

/// The way in. Cheap to clone.
#[derive(Clone)]
pub struct Ledger {
    queue: mpsc::Sender<Box<dyn Work>>,
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ledger({} waiting)", QUEUE - self.queue.capacity())
    }
}

impl Ledger {
    /// Starts the ledger's task on `db`. It ends when the last [`Ledger`] is dropped and the queue is empty.
    #[must_use]
    pub fn start(db: Db) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        tokio::spawn(keep(db, waiting));
        Self { queue }
    }

    /// Has `work` done and committed; gives what it gave.
    ///
    /// # Errors
    /// [`Error::Busy`] at once when the queue is full; whatever the work or the commit failed with.
    pub async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T>> + Send + Sync + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let work = Box::new(Waiting { work, outcome: None, reply });
        self.queue.try_send(work).map_err(|_| Error::Busy)?;
        answer.await.map_err(|_| Error::Busy)?
    }

    /// How many pieces of work are waiting now.
    #[must_use]
    pub fn waiting(&self) -> usize {
        QUEUE - self.queue.capacity()
    }
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
            self.outcome = Some((self.work)(tx).await?);
            Ok(())
        })
    }

    fn answer(self: Box<Self>, committed: Result<()>) {
        let Self { outcome, reply, .. } = *self;
        // The asker may have gone away; the write stands all the same.
        drop(reply.send(committed.and_then(|()| outcome.ok_or(Error::Busy))));
    }
}

async fn keep(db: Db, mut waiting: mpsc::Receiver<Box<dyn Work>>) {
    let mut batch = Vec::with_capacity(BATCH);
    while waiting.recv_many(&mut batch, BATCH).await > 0 {
        if together(&db, &mut batch).await.is_ok() {
            batch.drain(..).for_each(|work| work.answer(Ok(())));
            continue;
        }
        for mut work in batch.drain(..) {
            let committed = alone(&db, work.as_mut()).await;
            work.answer(committed);
        }
    }
}

async fn together(db: &Db, batch: &mut [Box<dyn Work>]) -> Result<()> {
    let mut tx = db.write().await?;
    for work in batch {
        work.run(&mut tx).await?;
    }
    Ok(tx.commit().await?)
}

async fn alone(db: &Db, work: &mut dyn Work) -> Result<()> {
    let mut tx = db.write().await?;
    work.run(&mut tx).await?;
    Ok(tx.commit().await?)
}
