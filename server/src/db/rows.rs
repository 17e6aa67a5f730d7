//! Statements of many rows: one text for all of them, on either engine.

use std::{borrow::Cow, sync::Arc};

use futures_util::{StreamExt as _, stream::BoxStream};
use sqlx::{
    Arguments as _, AssertSqlSafe, FromRow,
    postgres::{PgArguments, PgRow},
    sqlite::{SqliteArguments, SqliteRow},
};

use super::{Conn, Tx, bounded};

/// So many rows lie between SQLite's thread and whoever reads them at most: as many as a statement of many rows gives.
pub(super) const ROWS_BETWEEN: usize = 256;

/// Runs one statement with many rows on a [`Tx`]: `execute_rows!(tx, "insert into … ", rows, |row| [row.a, row.b])`
/// puts the rows behind the text as `values (…), (…)` would, and a last argument behind those; gives the number of rows it
/// touched. Without rows it does nothing. An argument is whatever a [`Cell`] is made from; `column1`, `column2` are the rows' names.
#[macro_export]
macro_rules! execute_rows {
    ($tx:expr, $sql:expr, $rows:expr, |$row:pat_param| [$($arg:expr),+ $(,)?] $(,)?) => {
        $crate::execute_rows!($tx, $sql, $rows, |$row| [$($arg),+], "")
    };
    ($tx:expr, $sql:expr, $rows:expr, |$row:pat_param| [$($arg:expr),+ $(,)?], $tail:expr $(,)?) => {{
        let cells = $rows.into_iter().map(|$row| [$($crate::db::Cell::from($arg)),+]).collect();
        $tx.execute_rows($sql, cells, $tail).await
    }};
}

/// Runs one query with many rows on a [`Tx`]: `fetch_rows!(tx, "select … where id in (", ids, |id| [id], ")")` puts
/// the rows between the two texts as `values (…), (…)` would. Without rows it gives none. Each row is answered for
/// itself: on SQLite some may be asked about in one statement and some in the next.
#[macro_export]
macro_rules! fetch_rows {
    ($tx:expr, $sql:expr, $rows:expr, |$row:pat_param| [$($arg:expr),+ $(,)?], $tail:expr $(,)?) => {{
        let cells = $rows.into_iter().map(|$row| [$($crate::db::Cell::from($arg)),+]).collect();
        $tx.fetch_rows($sql, cells, $tail).await
    }};
}

/// One value of a row for [`execute_rows!`](crate::execute_rows) and [`fetch_rows!`](crate::fetch_rows).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell<'a> {
    /// `text`.
    Text(Option<Cow<'a, str>>),
    /// `bigint`.
    Number(Option<i64>),
    /// `boolean`.
    Truth(Option<bool>),
    /// `bytea`.
    Bytes(Option<Cow<'a, [u8]>>),
}

macro_rules! cells {
    ($($of:ty => |$value:ident| $cell:expr),+ $(,)?) => {$(
        impl<'a> From<$of> for Cell<'a> {
            fn from($value: $of) -> Self {
                $cell
            }
        }
    )+};
}

cells! {
    &'a str => |text| Self::Text(Some(Cow::Borrowed(text))),
    &'a String => |text| Self::Text(Some(Cow::Borrowed(text))),
    &'a &'a str => |text| Self::Text(Some(Cow::Borrowed(text))),
    &'a &'a String => |text| Self::Text(Some(Cow::Borrowed(text))),
    String => |text| Self::Text(Some(Cow::Owned(text))),
    Cow<'a, str> => |text| Self::Text(Some(text)),
    Option<&'a str> => |text| Self::Text(text.map(Cow::Borrowed)),
    Option<String> => |text| Self::Text(text.map(Cow::Owned)),
    &'a Option<String> => |text| Self::Text(text.as_deref().map(Cow::Borrowed)),
    i64 => |number| Self::Number(Some(number)),
    &'a i64 => |number| Self::Number(Some(*number)),
    Option<i64> => |number| Self::Number(number),
    bool => |truth| Self::Truth(Some(truth)),
    Option<bool> => |truth| Self::Truth(truth),
    &'a [u8] => |bytes| Self::Bytes(Some(Cow::Borrowed(bytes))),
    &'a Vec<u8> => |bytes| Self::Bytes(Some(Cow::Borrowed(bytes))),
    Option<&'a [u8]> => |bytes| Self::Bytes(bytes.map(Cow::Borrowed)),
}

/// What is put behind this is a list, in which something is looked for.
const IN_LIST: &str = "in (";
/// For so many rows there is a SQLite statement; for a number between them the next larger one is taken.
const SIZES: [usize; 7] = [1, 4, 16, 32, 64, 128, 256];

/// So many rows are many on PostgreSQL.
const MANY: usize = 32;

/// Statements of many rows are prepared once and kept, and so must be few: on PostgreSQL one text, each column an array, and
/// now and then others for what many rows have alike; on SQLite one text for each of certain numbers of rows, of which a statement may use fewer.
impl Tx {
    /// For [`execute_rows!`](crate::execute_rows).
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn execute_rows<const N: usize>(
        &mut self,
        sql: &str,
        rows: Vec<[Cell<'_>; N]>,
        tail: &str,
    ) -> sqlx::Result<u64> {
        let (mut left, mut touched) = (rows.as_slice(), 0);
        while !left.is_empty() {
            let done = match self.conn() {
                Conn::Sqlite(conn) => {
                    let (text, arguments) = sqlite_rows(sql, &mut left, tail);
                    let query = sqlx::query_with(AssertSqlSafe(text), arguments);
                    query.execute(&mut **conn).await.map(|done| done.rows_affected())
                }
                Conn::Postgres(conn) => {
                    let (text, arguments) = postgres_rows(sql, std::mem::take(&mut left), tail);
                    let query = sqlx::query_with(AssertSqlSafe(text), arguments);
                    bounded(query.execute(&mut **conn)).await.map(|done| done.rows_affected())
                }
            };
            touched += self.checked(done)?;
        }
        Ok(touched)
    }

    /// For [`fetch_rows!`](crate::fetch_rows).
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn fetch_rows<T, const N: usize>(
        &mut self,
        sql: &str,
        rows: Vec<[Cell<'_>; N]>,
        tail: &str,
    ) -> sqlx::Result<Vec<T>>
    where
        T: Send + Unpin + for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow>,
    {
        let (mut left, mut found) = (rows.as_slice(), Vec::new());
        while !left.is_empty() {
            let some = match self.conn() {
                Conn::Sqlite(conn) => {
                    let (text, arguments) = sqlite_rows(sql, &mut left, tail);
                    let query = sqlx::query_as_with(AssertSqlSafe(text), arguments);
                    all_at_once(query.fetch(&mut **conn)).await
                }
                Conn::Postgres(conn) => {
                    let (text, arguments) = postgres_rows(sql, std::mem::take(&mut left), tail);
                    let query = sqlx::query_as_with(AssertSqlSafe(text), arguments);
                    bounded(query.fetch_all(&mut **conn)).await
                }
            };
            found.append(&mut self.checked(some)?);
        }
        Ok(found)
    }
}

/// All that a statement gives. SQLite's thread hands over each row for itself: whoever waits for the next one is woken for each,
/// which costs more than the row. Others run meanwhile.
async fn all_at_once<T>(rows: BoxStream<'_, sqlx::Result<T>>) -> sqlx::Result<Vec<T>> {
    let (mut chunks, mut found) = (rows.ready_chunks(ROWS_BETWEEN), Vec::new());
    while let Some(chunk) = chunks.next().await {
        for row in chunk {
            found.push(row?);
        }
        tokio::task::yield_now().await;
    }
    Ok(found)
}

/// A statement for as many of the rows as one takes; those are taken away. Where there are fewer than it has room for, the
/// last one stands in a list (`in (`) several times; elsewhere a limit leaves out what was not filled in.
fn sqlite_rows<const N: usize>(
    sql: &str,
    rows: &mut &[[Cell<'_>; N]],
    tail: &str,
) -> (String, SqliteArguments) {
    let room = SIZES.into_iter().find(|size| *size >= rows.len()).unwrap_or(SIZES[SIZES.len() - 1]);
    let (now, later) = rows.split_at(room.min(rows.len()));
    *rows = later;
    let row = format!("({})", ["?"; N].join(","));
    let places = vec![row.as_str(); room].join(",");
    let mut arguments = SqliteArguments::default();
    arguments.reserve(room * N + 1, 0);
    let mut texts = Texts::<N>::default();
    if sql.ends_with(IN_LIST) {
        let again = now.iter().rev().take(1).cycle().take(room - now.len());
        now.iter().chain(again).for_each(|row| bind(&mut arguments, row, &mut texts));
        return (format!("{sql}values {places}{tail}"), arguments);
    }
    now.iter().for_each(|row| bind(&mut arguments, row, &mut texts));
    for _ in now.len() * N..room * N {
        arguments.add(None::<i64>).expect("a null can be written");
    }
    arguments.add(i64::try_from(now.len()).unwrap_or(i64::MAX)).expect("a number can be written");
    // A bare `limit ?` would be planned anew for each number of rows.
    (format!("{sql}select * from (values {places}) limit ? + 0{tail}"), arguments)
}

/// The last text of each column: often the next row has the same.
struct Texts<const N: usize>([Option<Arc<str>>; N]);

impl<const N: usize> Default for Texts<N> {
    fn default() -> Self {
        Self([const { None }; N])
    }
}

fn bind<const N: usize>(
    arguments: &mut SqliteArguments,
    row: &[Cell<'_>; N],
    texts: &mut Texts<N>,
) {
    for (cell, last) in row.iter().zip(&mut texts.0) {
        let added = match cell {
            Cell::Text(Some(text)) => {
                let shared = match last {
                    Some(last) if **last == **text => Arc::clone(last),
                    _ => Arc::clone(last.insert(Arc::from(&**text))),
                };
                arguments.add(shared)
            }
            Cell::Text(None) => arguments.add(None::<Arc<str>>),
            Cell::Number(number) => arguments.add(*number),
            Cell::Truth(truth) => arguments.add(*truth),
            Cell::Bytes(bytes) => arguments.add(bytes.as_deref().map(<[u8]>::to_vec)),
        };
        added.expect("texts, numbers and bytes can be written");
    }
}

/// A statement for all the rows. What all of many rows that are written have alike is told once: an array is taken apart again, value
/// by value. With fewer there would be a statement for each chance likeness.
fn postgres_rows<const N: usize>(
    sql: &str,
    rows: &[[Cell<'_>; N]],
    tail: &str,
) -> (String, PgArguments) {
    let is_written = rows.len() >= MANY && sql.starts_with("insert into");
    // The rows are as many as some column says.
    let is_alike: [bool; N] = std::array::from_fn(|column| {
        is_written && column > 0 && rows.iter().all(|row| row[column] == rows[0][column])
    });
    let each = |prefix: &str| {
        let columns = (0..N).filter(|column| !is_alike[*column]);
        columns.map(|column| format!("{prefix}{}", column + 1)).collect::<Vec<_>>().join(",")
    };
    let text = match sql.strip_suffix(IN_LIST) {
        // Of a table without statistics the planner believes that next to nothing is left after the other conditions,
        // and would compare each row with each of a list of rows. In an array it looks each up.
        Some(sql) if N == 1 => format!("{sql}= any($1{tail}"),
        _ => {
            let (parameters, names) = (each("$"), each("column"));
            let prefix = |column: usize| if is_alike[column] { "$" } else { "column" };
            let all = (0..N).map(|column| format!("{}{}", prefix(column), column + 1));
            let all = all.collect::<Vec<_>>().join(",");
            format!("{sql}select {all} from unnest({parameters}) as rows_({names}){tail}")
        }
    };
    let mut arguments = PgArguments::default();
    for column in 0..N {
        let cells = rows.iter().map(|row| &row[column]);
        // All cells of a column are made from one type.
        let added = match &rows[0][column] {
            Cell::Text(text) if is_alike[column] => arguments.add(text.as_deref()),
            Cell::Number(number) if is_alike[column] => arguments.add(*number),
            Cell::Truth(truth) if is_alike[column] => arguments.add(*truth),
            Cell::Bytes(bytes) if is_alike[column] => arguments.add(bytes.as_deref()),
            Cell::Text(_) => arguments.add(cells.map(Cell::text).collect::<Vec<_>>()),
            Cell::Number(_) => arguments.add(cells.map(Cell::number).collect::<Vec<_>>()),
            Cell::Truth(_) => arguments.add(cells.map(Cell::truth).collect::<Vec<_>>()),
            Cell::Bytes(_) => arguments.add(cells.map(Cell::bytes).collect::<Vec<_>>()),
        };
        added.expect("texts, numbers and bytes can be written");
    }
    (text, arguments)
}

impl Cell<'_> {
    fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { text.as_deref() } else { None }
    }

    const fn number(&self) -> Option<i64> {
        if let Self::Number(number) = self { *number } else { None }
    }

    const fn truth(&self) -> Option<bool> {
        if let Self::Truth(truth) = self { *truth } else { None }
    }

    fn bytes(&self) -> Option<&[u8]> {
        if let Self::Bytes(bytes) = self { bytes.as_deref() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_all_of_many_have_alike_is_told_once() {
        let rows = |count| -> Vec<[Cell<'_>; 3]> {
            let row = |n: usize| ["one".into(), (n as i64).into(), Cell::from(Some(7))];
            (0..count).map(row).collect()
        };
        let text = |sql, count| postgres_rows(sql, &rows(count), " on conflict do nothing").0;
        assert_eq!(
            text("insert into t ", MANY),
            "insert into t select column1,column2,$3 from unnest($1,$2) as rows_(column1,column2) on conflict do nothing",
            "the first column says how many rows there are"
        );
        let all = "select column1,column2,column3 from unnest($1,$2,$3) as rows_(column1,column2,column3)";
        for (sql, count) in [("insert into t ", MANY - 1), ("with v as (", MANY)] {
            assert_eq!(text(sql, count), format!("{sql}{all} on conflict do nothing"));
        }
    }
}
