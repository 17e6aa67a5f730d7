//! What tells of people goes; the journal, which names nobody, stays.

use sqlx::SqliteConnection;

use super::{Result, Store, keep, settle};

/// What a wipe leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wipe {
    /// The lease ended: the copy goes, the post stays, and the next sync begins anew.
    LeaseEnded,
    /// The organizer revoked the kiosk: only the journal stays.
    Revoked,
}

impl Store {
    /// Wipes everything that tells of people, from the file and its log. The journal stays.
    ///
    /// # Errors
    /// When it could not be written.
    pub async fn wipe(&self, wipe: Wipe) -> Result<()> {
        let mut connection = self.writer.acquire().await?;
        let written = write_wipe(&mut connection, wipe).await;
        settle(connection, written)
    }
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
