//! The copy of what the server said: tickets and cards, and what is found in it with what the journal tells.

use admission::{
    Verdict,
    card::Fingerprint,
    decide::{TicketState, Use},
    scan::Scan,
    sync::{Feed, TicketRow},
    ticket::TicketId,
};
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection, sqlite::SqliteRow};

use super::{
    Cursors, ROWS_AT_ONCE, Result, Store, StoreError, id_of, json, keep, read, settle, signed,
};
use crate::door::{Found, Known, Lookup};

impl Store {
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
        } else {
            let settled =
                rows.iter().map(|row| row.try_get("settled")).collect::<sqlx::Result<_>>();
            self.count_places_given(&person, &mut tickets, settled?).await?;
        }
        let mut fresh = [0; 12];
        getrandom::fill(&mut fresh).map_err(|_| StoreError::Unsafe("no randomness".to_owned()))?;
        let (blocked, fresh) = (card.try_get("blocked")?, TicketId(fresh));
        Ok(Found::Card { blocked, person, tickets, given, fresh })
    }

    /// A place that was given here to somebody who has a ticket counts for that ticket, as it does at the server once it hears
    /// of it. `settled` is through where the row of each ticket has the last word.
    async fn count_places_given(
        &self,
        person: &str,
        tickets: &mut [Known],
        settled: Vec<i64>,
    ) -> Result<()> {
        let Some(at) = counts_for(tickets) else { return Ok(()) };
        let entries = sqlx::query(
            "select j.seq, j.body from journal j where j.person = $1 and j.seq > $2 and j.admitted is not null
             and not exists (select 1 from journal u where u.undoes = j.seq)
             and not exists (select 1 from ticket t where t.id = j.admitted) order by j.seq",
        )
        .bind(person)
        .bind(settled[at])
        .fetch_all(&self.readers)
        .await?;
        for entry in entries {
            let scan: Scan = read("journal", entry.try_get("body")?)?;
            let (at_ms, kind) = (scan.true_at(), scan.station_kind);
            tickets[at].own.push((scan.seq, Use { at: at_ms, station: scan.station, kind }));
        }
        Ok(())
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
        let mut known = Known { row, ..Known::nothing_of(id) };
        for entry in entries {
            let seq: i64 = entry.try_get("seq")?;
            let undo: Option<i64> = entry.try_get("undone")?;
            let scan: Scan = read("journal", entry.try_get("body")?)?;
            debug_assert_eq!(scan.verdict, Verdict::Admitted);
            let (at, kind) = (scan.true_at(), scan.station_kind);
            let used = Use { at, station: scan.station, kind };
            let places = (seq.unsigned_abs(), undo.map(i64::unsigned_abs));
            known.add_own(places, settled.unsigned_abs(), used);
        }
        Ok(known)
    }
}

/// Which of a person's tickets a place counts for that was given to them beside: a living one, the one in use first.
pub(crate) fn counts_for(tickets: &[Known]) -> Option<usize> {
    let living = tickets.iter().enumerate().filter_map(|(at, known)| {
        let row = known.row.as_ref().filter(|row| row.state != TicketState::Cancelled)?;
        Some((row.uses.is_empty(), known.id, at))
    });
    living.min().map(|(.., at)| at)
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

pub(super) async fn copy_is_at(
    connection: &mut SqliteConnection,
    cursors: Cursors,
) -> sqlx::Result<bool> {
    let row = sqlx::query("select value from fact where name = 'cursors'")
        .fetch_optional(connection)
        .await?;
    let stored = row.map(|row| row.try_get::<String, _>(0)).transpose()?;
    Ok(stored.unwrap_or_else(|| json(&Cursors::default())) == json(&cursors))
}
