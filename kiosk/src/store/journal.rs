//! The journal: what was done here, in its order, chained. Nothing in it is ever changed.

use admission::scan::{Act, Chain, Entry, Scan};
use sqlx::{Row, sqlite::SqliteRow};

use super::{Result, Store, StoreError, chain_of, head_of, read, settle, signed};
use crate::{
    door::{Head, Line},
    mesh::Told,
};

impl Store {
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
}
