//! Who must look again: tells open pages, on this process and the others, that an event changed.

use std::time::Duration;

use sqlx::postgres::PgListener;
use tokio::sync::broadcast;

use crate::db::Db;

/// The channel of changed events. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Live {
    changed: broadcast::Sender<String>,
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
        drop(self.changed.send(event.to_owned()));
    }

    /// Ids of events as they change. A reader that falls behind misses ids, so it looks again at its own event.
    #[must_use]
    pub fn watch(&self) -> broadcast::Receiver<String> {
        self.changed.subscribe()
    }
}

async fn listen(pool: sqlx::PgPool, changed: broadcast::Sender<String>) {
    while !pool.is_closed() {
        if let Err(error) = listen_until_broken(&pool, &changed).await {
            tracing::warn!(cause = %error, "not hearing of other servers' changes; trying again");
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn listen_until_broken(
    pool: &sqlx::PgPool,
    changed: &broadcast::Sender<String>,
) -> sqlx::Result<()> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen("turnout_event").await?;
    loop {
        let event = listener.recv().await?.payload().to_owned();
        drop(changed.send(event));
    }
}
