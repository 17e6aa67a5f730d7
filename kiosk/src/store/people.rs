//! Who holds the tickets, each in a box that is sealed under the PIN.

use admission::ticket::TicketId;
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};

use super::{ROWS_AT_ONCE, Result, Store, id_of, keep, settle};

impl Store {
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
