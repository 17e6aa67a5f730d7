//! The SQL of loans.

use admission::Millis;

use crate::{db::Tx, error::Result, execute, fetch};

/// What organizers set.
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
pub(super) struct Rule {
    pub(super) weeks: i64,
    pub(super) most: i64,
    pub(super) bar_days: i64,
    pub(super) hold_days: i64,
}

pub(super) async fn rule(tx: &mut Tx) -> Result<Rule> {
    Ok(fetch!(tx, fetch_one, "select weeks, most, bar_days, hold_days from loan_rule")?)
}

pub(super) async fn set_rule(tx: &mut Tx, rule: Rule) -> Result<()> {
    execute!(
        tx,
        "update loan_rule set weeks = $1, most = $2, bar_days = $3, hold_days = $4",
        rule.weeks,
        rule.most,
        rule.bar_days,
        rule.hold_days,
    )?;
    Ok(())
}

/// A copy of a book.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Copied {
    pub(super) barcode: String,
    pub(super) book_id: String,
    pub(super) state: String,
}

pub(super) async fn copy(tx: &mut Tx, barcode: &str) -> Result<Option<Copied>> {
    Ok(fetch!(
        tx,
        fetch_optional,
        "select barcode, book_id, state from book_copy where barcode = $1",
        barcode,
    )?)
}

/// A loan with its book and reader.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct Loan {
    pub(crate) id: String,
    pub(super) barcode: String,
    pub(super) book_id: String,
    pub(super) title: String,
    pub(super) person_id: String,
    pub(super) reader: String,
    pub(super) phone: Option<String>,
    #[sqlx(try_from = "i64")]
    pub(super) due_ms: Millis,
    pub(super) renewed_ms: Option<i64>,
    pub(super) ended_ms: Option<i64>,
}

/// The columns and joins of [`Loan`].
macro_rules! loan_select {
    ($rest:literal) => {
        concat!(
            "select l.id, l.barcode, c.book_id, b.title, l.person_id, p.name as reader, p.phone, l.due_ms, l.renewed_ms,
                    l.ended_ms
             from loan l join book_copy c on c.barcode = l.barcode join book b on b.id = c.book_id
             join person p on p.id = l.person_id ",
            $rest
        )
    };
}

pub(super) async fn loan(tx: &mut Tx, id: &str) -> Result<Option<Loan>> {
    Ok(fetch!(tx, fetch_optional, loan_select!("where l.id = $1"), id)?)
}

/// The loan that has a copy now; the last one when none has.
pub(super) async fn last_of(tx: &mut Tx, barcode: &str) -> Result<Option<Loan>> {
    Ok(fetch!(
        tx,
        fetch_optional,
        loan_select!(
            "where l.barcode = $1 order by case when l.ended_ms is null then 0 else 1 end, l.lent_ms desc, l.id desc limit 1"
        ),
        barcode,
    )?)
}

/// What somebody has now, the next due first.
pub(super) async fn open_of(tx: &mut Tx, person_id: &str) -> Result<Vec<Loan>> {
    Ok(fetch!(
        tx,
        fetch_all,
        loan_select!("where l.person_id = $1 and l.ended_ms is null order by l.due_ms, l.id"),
        person_id,
    )?)
}

/// Everything that is out and due before `moment`, the longest overdue first.
pub(super) async fn due_before(tx: &mut Tx, moment: Millis) -> Result<Vec<Loan>> {
    Ok(fetch!(
        tx,
        fetch_all,
        loan_select!("where l.ended_ms is null and l.due_ms < $1 order by l.due_ms, l.id"),
        moment.0,
    )?)
}

/// Of what is due before `moment`, that whose reader was not reminded since `since`.
pub(super) async fn to_remind(tx: &mut Tx, moment: Millis, since: Millis) -> Result<Vec<Loan>> {
    Ok(fetch!(
        tx,
        fetch_all,
        loan_select!(
            "where l.ended_ms is null and l.due_ms < $1 and coalesce(l.reminded_ms, 0) < $2 order by l.due_ms, l.id"
        ),
        moment.0,
        since.0,
    )?)
}

/// When somebody last brought a book back late.
pub(super) async fn last_late(tx: &mut Tx, person_id: &str) -> Result<Option<i64>> {
    let (late,): (Option<i64>,) = fetch!(
        tx,
        fetch_one,
        "select max(ended_ms) from loan where person_id = $1 and ended_ms > due_ms and not lost",
        person_id,
    )?;
    Ok(late)
}

/// Copies of a book that are neither lent nor lost.
pub(super) async fn free_copies(tx: &mut Tx, book_id: &str) -> Result<i64> {
    let (free,): (i64,) = fetch!(
        tx,
        fetch_one,
        "select count(*) from book_copy c where c.book_id = $1 and c.state = 'here'
           and not exists (select 1 from loan l where l.barcode = c.barcode and l.ended_ms is null)",
        book_id,
    )?;
    Ok(free)
}

/// One who waits for a book.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Wait {
    pub(super) id: String,
    pub(super) person_id: String,
    pub(super) held_until_ms: Option<i64>,
}

/// Who waits for a book, the first first.
pub(super) async fn waits(tx: &mut Tx, book_id: &str) -> Result<Vec<Wait>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select id, person_id, held_until_ms from book_wait where book_id = $1 and ended_ms is null order by at_ms, id",
        book_id,
    )?)
}

pub(super) async fn end_wait(tx: &mut Tx, id: &str, now: Millis) -> Result<()> {
    execute!(
        tx,
        "update book_wait set ended_ms = $2 where id = $1 and ended_ms is null",
        id,
        now.0
    )?;
    Ok(())
}

/// A title as a reader sees it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Title {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) author: String,
    pub(super) copies: i64,
    pub(super) lent: i64,
    pub(super) waiting: i64,
    /// Until when a copy is kept for the reader; nought: they wait for one. None: they do not wait.
    pub(super) mine: Option<i64>,
}

impl Title {
    /// Copies for whoever comes.
    pub(super) fn free(&self) -> i64 {
        (self.copies - self.lent - self.waiting).max(0)
    }
}

/// Titles that contain `like`, as `person_id` sees them.
pub(super) async fn titles(tx: &mut Tx, like: &str, person_id: &str) -> Result<Vec<Title>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select b.id, b.title, b.author,
                (select count(*) from book_copy c where c.book_id = b.id and c.state = 'here') as copies,
                (select count(*) from loan l join book_copy c on c.barcode = l.barcode
                 where c.book_id = b.id and l.ended_ms is null) as lent,
                (select count(*) from book_wait w where w.book_id = b.id and w.ended_ms is null) as waiting,
                (select coalesce(w.held_until_ms, 0) from book_wait w
                 where w.book_id = b.id and w.ended_ms is null and w.person_id = $2) as mine
         from book b where b.search like $1 escape '\\' order by b.search, b.id limit 60",
        like,
        person_id,
    )?)
}

/// Titles, copies, loans that are out.
pub(super) async fn counts(tx: &mut Tx) -> Result<(i64, i64, i64)> {
    Ok(fetch!(
        tx,
        fetch_one,
        "select (select count(*) from book), (select count(*) from book_copy where state = 'here'),
                (select count(*) from loan where ended_ms is null)",
    )?)
}
