//! What the event's other kiosks told, until the copy tells it. A cache: whatever is lost can be heard again.

use admission::sync::Heard;
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection, sqlite::SqliteRow};

use super::{
    Cursors, ROWS_AT_ONCE, Result, Store, StoreError, copy::copy_is_at, json, settle, signed,
};
use crate::mesh::{Proven, Signed};

impl Store {
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
