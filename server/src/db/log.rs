//! SQLite's log is moved into the file when there is little to do: in the middle of a rush all who book would wait for that.

use std::time::Duration;

use sqlx::SqlitePool;

use super::Db;

/// Pages in the log after which SQLite moves them in the middle of whatever goes on: with pages of 2 KiB, 640 MiB. The file
/// of the log stays as long as it ever was.
pub(super) const PAGES_MOST: &str = "320000";
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A log that grows by more pages between two looks is in a rush.
const QUIET_PAGES: i64 = 400;
/// For fewer pages it is not worth it.
const PAGES_LEAST: i64 = 1_000;

/// Moves the log into the file whenever there is little to do, until the database is closed.
pub(crate) async fn fold_when_quiet(db: Db) {
    let Db::Sqlite { readers, .. } = db else { return };
    let mut before = 0;
    while !readers.is_closed() {
        tokio::time::sleep(LOOK_EVERY).await;
        before = match look(&readers, before).await {
            Ok(pages) => pages,
            Err(error) => {
                tracing::warn!(cause = %error, "the log was not moved into the database; trying again");
                0
            }
        };
    }
}

/// Moves the log if it has become long and has not grown much since it had `before` pages; gives its pages now. Nobody waits for it.
async fn look(readers: &SqlitePool, before: i64) -> sqlx::Result<i64> {
    let (_, pages, folded) = checkpoint(readers, "pragma wal_checkpoint(noop)").await?;
    // A log that began anew is shorter.
    let grew = if pages < before { pages } else { pages - before };
    if pages - folded >= PAGES_LEAST && grew <= QUIET_PAGES {
        checkpoint(readers, "pragma wal_checkpoint(passive)").await?;
    }
    Ok(pages)
}

/// Whether it was kept from it, the log's pages, and how many of them are in the file already.
async fn checkpoint(readers: &SqlitePool, pragma: &'static str) -> sqlx::Result<(i64, i64, i64)> {
    sqlx::query_as(pragma).fetch_one(readers).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_long_log_is_moved_when_it_does_not_grow() {
        let (_folder, db) = Db::of_a_test().await;
        let Db::Sqlite { writer, readers } = &db else { panic!("SQLite") };
        db.fold_log().await.expect("begins empty");
        sqlx::raw_sql("create table long (text text)").execute(writer).await.expect("made");
        let insert =
            "with recursive n (n) as (select 1 union all select n + 1 from n where n < 2000)
                      insert into long select hex(randomblob(1500)) from n";
        sqlx::raw_sql(insert).execute(writer).await.expect("written");
        let pages = look(readers, 0).await.expect("looked at");
        let left = || checkpoint(readers, "pragma wal_checkpoint(noop)");
        let (_, all, folded) = left().await.expect("looked at");
        assert!(all == pages && pages > PAGES_LEAST && folded == 0, "it grows: {all}, {folded}");
        assert_eq!(look(readers, pages).await.expect("looked at"), pages);
        assert_eq!(left().await.expect("looked at"), (0, pages, pages), "it was quiet");
    }

    /// The first commit after a rush begins the log anew.
    #[tokio::test]
    async fn a_log_that_begins_anew_is_not_cut_short() {
        let (folder, db) = Db::of_a_test().await;
        let Db::Sqlite { writer, readers } = &db else { panic!("SQLite") };
        let insert = "create table if not exists long (bytes blob);
                      insert into long values (zeroblob(70000000))";
        sqlx::raw_sql(insert).execute(writer).await.expect("written");
        checkpoint(readers, "pragma wal_checkpoint(passive)").await.expect("moved");
        let log = folder.path().join("turnout.db-wal");
        let length = || std::fs::metadata(&log).expect("a log").len();
        let before = length();
        sqlx::raw_sql("delete from long").execute(writer).await.expect("written");
        let (_, pages, _) =
            checkpoint(readers, "pragma wal_checkpoint(noop)").await.expect("looked at");
        assert!(pages < 1_000, "it began anew: {pages}");
        assert_eq!(length(), before);
    }
}
