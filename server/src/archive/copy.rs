//! Copies all tables from one database to another, in one transaction.

use futures_util::TryStreamExt as _;
use sqlx::{AssertSqlSafe, Row as _};

use crate::db::{Conn, Db, Tx};

/// Every table, those that are referred to first.
pub const TABLES: [&str; 78] = [
    "organisation",
    "person",
    "roster",
    "card",
    "staff",
    "session",
    "login_code",
    "attempt",
    "message",
    "event",
    "event_revision",
    "venue",
    "venue_staff",
    "offer",
    "batch",
    "offer_union",
    "offer_floor",
    "union_officer",
    "allocation",
    "ballot",
    "booking",
    "booking_change",
    "payment",
    "ticket",
    "no_show",
    "no_show_tally",
    "no_show_rule",
    "kiosk",
    "allotment",
    "scan",
    "quarantine",
    "conflict",
    "stray",
    "settlement",
    "settlement_entry",
    "benefit_use",
    "audit",
    "contest",
    "court",
    "discipline",
    "contest_draw",
    "group_",
    "entry",
    "entry_player",
    "match_",
    "match_player",
    "game",
    "match_change",
    "on_court",
    "match_first",
    "umpire",
    "play_request",
    "entry_standing",
    "place_points",
    "walk",
    "course_point",
    "passage",
    "certificate",
    "employer",
    "exhibitor",
    "post",
    "post_mark",
    "seeker",
    "consent",
    "encounter",
    "employer_export",
    "desk",
    "desk_turn",
    "goods",
    "goods_point",
    "goods_entry",
    "goods_batch",
    "cost",
    "loan_rule",
    "book",
    "book_copy",
    "loan",
    "book_wait",
];

/// What a column holds; migrations use no other types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Flag,
    Bytes,
}

/// One value of a row.
enum Value {
    Text(Option<String>),
    Number(Option<i64>),
    Flag(Option<bool>),
    Bytes(Option<Vec<u8>>),
}

/// What becomes of the numbers by which kiosks ask for what changed since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Revisions {
    /// They go on.
    Kept,
    /// Everything is new: kiosks have heard of changes that the source does not know, under numbers that come once more.
    Ahead,
}

/// More than there ever were changes.
const AHEAD: i64 = 1 << 40;

/// Copies everything; gives the number of rows. The target holds nothing but what migrations put there.
pub(super) async fn everything(
    source: &Db,
    target: &Db,
    revisions: Revisions,
) -> anyhow::Result<u64> {
    let mut from = source.snapshot().await?;
    let mut to = target.write().await?;
    let mut rows = 0;
    for table in TABLES {
        rows += copy(&mut from, &mut to, table).await?;
    }
    if revisions == Revisions::Ahead {
        for table in ["event_revision", "ticket", "roster", "card"] {
            let sql = format!("update {table} set revision = revision + {AHEAD}");
            run(&mut to, &sql, Vec::new()).await?;
        }
    }
    from.rollback().await?;
    to.commit().await?;
    Ok(rows)
}

async fn copy(from: &mut Tx, to: &mut Tx, table: &'static str) -> anyhow::Result<u64> {
    let columns = columns(from, table).await?;
    let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
    let places: Vec<String> = (1..=columns.len()).map(|at| format!("${at}")).collect();
    let order = match table {
        // Unions come before the enterprises that name them.
        "organisation" => " order by kind desc",
        // A match comes after those it takes its sides from, and after the team match it is a part of.
        "match_" => " order by case when tie_id is null then 0 else 1 end, round",
        _ => "",
    };
    let select = format!("select {} from {table}{order}", names.join(", "));
    let insert =
        format!("insert into {table} ({}) values ({})", names.join(", "), places.join(", "));
    run(to, &format!("delete from {table}"), Vec::new()).await?;
    let mut rows = 0;
    // The rows of the two engines are of different types, so the loop is written once and compiled for each.
    macro_rules! moved {
        ($conn:expr) => {{
            // Names of tables and columns come from the migrations, never from a user.
            let mut found = sqlx::query(AssertSqlSafe(select)).fetch(&mut **$conn);
            while let Some(row) = found.try_next().await? {
                let values = columns.iter().enumerate().map(|(at, (_, kind))| {
                    Ok(match kind {
                        Kind::Text => Value::Text(row.try_get(at)?),
                        Kind::Number => Value::Number(row.try_get(at)?),
                        Kind::Flag => Value::Flag(row.try_get(at)?),
                        Kind::Bytes => Value::Bytes(row.try_get(at)?),
                    })
                });
                run(to, &insert, values.collect::<sqlx::Result<_>>()?).await?;
                rows += 1;
            }
        }};
    }
    match from.conn() {
        Conn::Sqlite(conn) => moved!(conn),
        Conn::Postgres(conn) => moved!(conn),
    }
    Ok(rows)
}

/// Runs a statement with values of kinds known only now.
async fn run(to: &mut Tx, sql: &str, values: Vec<Value>) -> sqlx::Result<()> {
    macro_rules! bound {
        ($conn:expr) => {{
            let mut query = sqlx::query(AssertSqlSafe(sql.to_owned()));
            for value in values {
                query = match value {
                    Value::Text(value) => query.bind(value),
                    Value::Number(value) => query.bind(value),
                    Value::Flag(value) => query.bind(value),
                    Value::Bytes(value) => query.bind(value),
                };
            }
            query.execute(&mut **$conn).await.map(drop)
        }};
    }
    match to.conn() {
        Conn::Sqlite(conn) => bound!(conn),
        Conn::Postgres(conn) => bound!(conn),
    }
}

/// Names and kinds of a table's columns.
async fn columns(from: &mut Tx, table: &'static str) -> anyhow::Result<Vec<(String, Kind)>> {
    let found: Vec<(String, String)> = match from.conn() {
        Conn::Sqlite(conn) => {
            sqlx::query_as("select name, lower(type) from pragma_table_info($1) order by cid")
                .bind(table)
                .fetch_all(&mut **conn)
                .await?
        }
        Conn::Postgres(conn) => {
            sqlx::query_as(
                "select cast(column_name as text), cast(data_type as text) from information_schema.columns
                 where table_name = $1 and table_schema = current_schema() order by ordinal_position",
            )
            .bind(table)
            .fetch_all(&mut **conn)
            .await?
        }
    };
    found
        .into_iter()
        .map(|(name, word)| {
            let kind = match word.as_str() {
                "text" => Kind::Text,
                "bigint" => Kind::Number,
                "boolean" => Kind::Flag,
                "bytea" => Kind::Bytes,
                other => anyhow::bail!("column {table}.{name} has the unknown type {other}"),
            };
            Ok((name, kind))
        })
        .collect()
}
