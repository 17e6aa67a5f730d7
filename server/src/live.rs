//! Who must look again: tells open pages, on this process and the others, that an event changed; and whoever remembers
//! a session, that it is over.

use std::{collections::HashMap, time::Duration};

use sqlx::postgres::PgListener;
use tokio::sync::broadcast::{self, error::RecvError};

use crate::db::Db;

/// What is told to those who listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The event of that id changed; or a session is over (`session` and its hash).
    Of(String),
    /// What happened was not heard for a while: anything may have changed.
    Anything,
}

/// One who listens.
#[derive(Debug)]
pub(crate) struct Listener(broadcast::Receiver<Change>);

impl Listener {
    /// The next change. Whoever fell behind hears that anything may have changed. `None`: nothing will change any more.
    pub(crate) async fn next(&mut self) -> Option<Change> {
        match self.0.recv().await {
            Ok(change) => Some(change),
            Err(RecvError::Lagged(_)) => Some(Change::Anything),
            Err(RecvError::Closed) => None,
        }
    }

    /// The next change that may be one of `event`. `None`: there will be none.
    pub(crate) async fn next_of(&mut self, event: &str) -> Option<()> {
        loop {
            match self.next().await? {
                Change::Of(other) if other != event => {}
                Change::Of(_) | Change::Anything => return Some(()),
            }
        }
    }

    /// Passes over what was told up to now.
    pub(crate) fn skip(&mut self) {
        self.0 = self.0.resubscribe();
    }
}

/// The channel of changed events. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Live {
    changed: broadcast::Sender<Change>,
}

impl Live {
    /// Starts listening to the other server processes, where there are any.
    #[must_use]
    pub fn start(db: &Db) -> Self {
        let (changed, _) = broadcast::channel(256);
        if let Db::Postgres(pool) = db {
            tokio::spawn(listen(pool.clone(), changed.clone()));
        }
        Self { changed }
    }

    /// Says that `event` changed, after the commit. Other processes hear of it through [`crate::db::Tx::notify`].
    pub fn changed(&self, event: &str) {
        // Nobody may be looking.
        drop(self.changed.send(Change::Of(event.to_owned())));
    }

    /// Listens to what changes from now on.
    pub(crate) fn listen(&self) -> Listener {
        Listener(self.changed.subscribe())
    }
}

/// When things last changed, counted: what was read before a change is not kept after it.
#[derive(Debug, Default)]
pub(crate) struct News {
    count: u64,
    /// What changed, and the count then.
    last: HashMap<String, u64>,
    /// Of what happened up to this count nothing is known any more.
    forgotten: u64,
}

impl News {
    /// How many different things are told apart.
    const KEPT: usize = 4_096;

    /// A mark to ask [`Self::since`] with, to be taken before something is read.
    pub(crate) const fn mark(&self) -> u64 {
        self.count
    }

    /// Notes that `what` changed.
    pub(crate) fn heard(&mut self, what: &str) {
        if self.last.len() >= Self::KEPT {
            self.last.clear();
            self.forgotten = self.count;
        }
        self.count += 1;
        self.last.insert(what.to_owned(), self.count);
    }

    /// Notes that some news was missed: anything may have changed.
    pub(crate) fn missed(&mut self) {
        self.last.clear();
        self.count += 1;
        self.forgotten = self.count;
    }

    /// Whether `what` changed, or may have changed, since the mark.
    pub(crate) fn since(&self, mark: u64, what: &str) -> bool {
        self.forgotten > mark || self.last.get(what).is_some_and(|last| *last > mark)
    }
}

async fn listen(pool: sqlx::PgPool, changed: broadcast::Sender<Change>) {
    while !pool.is_closed() {
        if let Err(error) = listen_until_broken(&pool, &changed).await {
            tracing::warn!(cause = %error, "not hearing of other servers' changes; trying again");
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn listen_until_broken(
    pool: &sqlx::PgPool,
    changed: &broadcast::Sender<Change>,
) -> sqlx::Result<()> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen("turnout_event").await?;
    drop(changed.send(Change::Anything));
    loop {
        // None: the connection broke, and there is another one by now.
        let event = listener.try_recv().await?.map(|news| Change::Of(news.payload().to_owned()));
        drop(changed.send(event.unwrap_or(Change::Anything)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_after_a_mark_is_told_and_news_before_it_is_not() {
        let mut news = News::default();
        news.heard("fair");
        let mark = news.mark();
        assert!(!news.since(mark, "fair") && !news.since(mark, "contest"));
        news.heard("contest");
        assert!(news.since(mark, "contest") && !news.since(mark, "fair"));
        news.missed();
        assert!(news.since(mark, "fair"), "it may have been about anything");
        assert!(!news.since(news.mark(), "fair"));
    }

    #[test]
    fn what_was_forgotten_counts_as_changed() {
        let mut news = News::default();
        let mark = news.mark();
        for n in 0..=News::KEPT {
            news.heard(&n.to_string());
        }
        assert!(news.since(mark, "0"));
    }
}
