//! Who may borrow, for how long, and what happens when a book comes back or does not.

use admission::{
    Millis,
    time::{DAY, HOUR},
};
use axum::http::StatusCode;

use super::queries::{self, Loan, Rule};
use crate::{
    App,
    db::{Tx, new_id},
    error::{Refused, Result},
    execute, fetch, outbox,
    web::frame::zone,
};

/// Loans end on the federation's own clocks.
pub(super) const ZONE: &str = "Asia/Shanghai";
/// A reader is told so long before a book is due, and once a week when it is late.
const BEFORE_MS: i64 = 2 * DAY;
const AGAIN_MS: i64 = 7 * DAY;

/// What a change of loans gives: something, or a refusal that wrote nothing.
pub(crate) type Outcome<T> = std::result::Result<T, Refused>;

/// Waits until nobody else changes loans.
pub(super) async fn alone(tx: &mut Tx) -> Result<()> {
    Ok(tx.alone_in("loans").await?)
}

fn refused(code: &'static str, zh: impl Into<String>, en: impl Into<String>) -> Refused {
    Refused::new(StatusCode::CONFLICT, code, zh, en)
}

/// A day as a short message says it.
pub(super) fn day(moment: Millis) -> String {
    admission::say::zoned(moment, &zone(ZONE)).strftime("%-m月%-d日").to_string()
}

/// The end of the day that is so many weeks after `from`.
fn due(from: Millis, weeks: i64) -> Millis {
    let then = admission::say::zoned(from.plus(weeks * 7 * DAY), &zone(ZONE));
    let into_day = i64::from(then.hour()) * HOUR
        + i64::from(then.minute()) * 60_000
        + i64::from(then.second()) * 1_000
        + i64::from(then.millisecond());
    Millis(then.timestamp().as_millisecond() - into_day + DAY - 1)
}

/// Why somebody may borrow nothing now.
pub(super) async fn objection(
    tx: &mut Tx,
    person_id: &str,
    rule: Rule,
    now: Millis,
) -> Result<Option<Refused>> {
    let member: Option<(String,)> = fetch!(
        tx,
        fetch_optional,
        "select id from person where id = $1 and kind = 'member' and status in ('active', 'retained')",
        person_id,
    )?;
    if member.is_none() {
        return Ok(Some(refused(
            "not_eligible",
            "只借给在册会员。",
            "For members on the roster only.",
        )));
    }
    let open = queries::open_of(tx, person_id).await?;
    if let Some(late) = open.iter().find(|loan| loan.due_ms < now) {
        return Ok(Some(refused(
            "overdue",
            format!("《{}》已经过期，请先还书。", late.title),
            format!("{} is overdue; please bring it back first.", late.title),
        )));
    }
    if let Some(late) = queries::last_late(tx, person_id).await? {
        let until = Millis(late).plus(rule.bar_days * DAY);
        if now < until {
            let day = day(until);
            return Ok(Some(refused(
                "barred",
                format!("上次还书过期，{day}以后才能再借。"),
                format!("The last book came back late; borrowing is possible again after {day}."),
            )));
        }
    }
    let most = rule.most;
    if i64::try_from(open.len()).unwrap_or(i64::MAX) >= most {
        return Ok(Some(refused(
            "limit_reached",
            format!("一次最多借 {most} 本，请先还一本。"),
            format!("At most {most} at a time. Please bring one back first."),
        )));
    }
    Ok(None)
}

/// Lends a copy to a person; gives the loan.
///
/// # Errors
/// When the database fails.
pub(crate) async fn lend(
    tx: &mut Tx,
    (barcode, person_id): (&str, &str),
    staff_id: &str,
    now: Millis,
) -> Result<Outcome<Loan>> {
    alone(tx).await?;
    let rule = queries::rule(tx).await?;
    let Some(copy) = queries::copy(tx, barcode).await? else {
        return Ok(Err(refused(
            "unknown_copy",
            "没有这个条码，请核对书上的标签。",
            "No copy has this barcode. Please check the label.",
        )));
    };
    if copy.state == "lost" {
        return Ok(Err(refused(
            "lost",
            "这一本登记为丢失。找到了请先点“找回来了”。",
            "This copy is noted as lost. If it was found, say so first.",
        )));
    }
    if let Some(last) = queries::last_of(tx, barcode).await?.filter(|last| last.ended_ms.is_none())
    {
        let reader = &last.reader;
        return Ok(Err(refused(
            "lent",
            format!("这一本还在{reader}名下，请先还书。"),
            format!("{reader} has this copy on record. Please take it back first."),
        )));
    }
    if let Some(refused) = objection(tx, person_id, rule, now).await? {
        return Ok(Err(refused));
    }
    let waits = queries::waits(tx, &copy.book_id).await?;
    let ahead = waits.iter().take_while(|wait| wait.person_id != person_id).count();
    if i64::try_from(ahead).unwrap_or(i64::MAX) >= queries::free_copies(tx, &copy.book_id).await? {
        return Ok(Err(refused(
            "reserved",
            "这本书有人预约在先，留给他们。",
            "Others wait for this book; it is kept for them.",
        )));
    }
    for own in waits.iter().filter(|wait| wait.person_id == person_id) {
        queries::end_wait(tx, &own.id, now).await?;
    }
    let id = new_id(now);
    execute!(
        tx,
        "insert into loan (id, barcode, person_id, lent_ms, due_ms, staff_id) values ($1, $2, $3, $4, $5, $6)",
        &id,
        barcode,
        person_id,
        now.0,
        due(now, rule.weeks).0,
        staff_id,
    )?;
    let loan = queries::loan(tx, &id).await?;
    Ok(Ok(loan.ok_or_else(|| anyhow::anyhow!("a loan that was just written"))?))
}

/// Prolongs a person's loan once, unless it is late or somebody waits for the book.
pub(super) async fn renew(
    tx: &mut Tx,
    (loan_id, person_id): (&str, &str),
    now: Millis,
) -> Result<Outcome<()>> {
    alone(tx).await?;
    let loan = queries::loan(tx, loan_id).await?.filter(|loan| loan.person_id == person_id);
    let loan = loan.ok_or(crate::error::Error::NotFound)?;
    if loan.ended_ms.is_some() {
        return Ok(Err(refused("returned", "这本书已经还了。", "This book was brought back.")));
    }
    if loan.renewed_ms.is_some() {
        return Ok(Err(refused(
            "renewed",
            "只能续借一次，请按时还书。",
            "A loan is renewed once.",
        )));
    }
    if loan.due_ms < now {
        return Ok(Err(refused(
            "overdue",
            "已经过期，不能续借，请尽快还书。",
            "It is overdue; please bring it back.",
        )));
    }
    let waiting = queries::waits(tx, &loan.book_id).await?.len();
    let free = queries::free_copies(tx, &loan.book_id).await?;
    if i64::try_from(waiting).unwrap_or(i64::MAX) > free {
        return Ok(Err(refused(
            "reserved",
            "有人在等这本书，不能续借。",
            "Somebody waits for this book.",
        )));
    }
    let rule = queries::rule(tx).await?;
    execute!(
        tx,
        "update loan set due_ms = $2, renewed_ms = $3, reminded_ms = null where id = $1",
        loan_id,
        due(loan.due_ms, rule.weeks).0,
        now.0,
    )?;
    Ok(Ok(()))
}

/// A copy is back; whoever waits longest for the book hears of it. Gives the loan that ended.
pub(super) async fn take_back(tx: &mut Tx, barcode: &str, now: Millis) -> Result<Outcome<Loan>> {
    alone(tx).await?;
    let open = queries::last_of(tx, barcode).await?.filter(|loan| loan.ended_ms.is_none());
    let Some(loan) = open else {
        return Ok(Err(refused(
            "not_lent",
            "这个条码现在没有借出。",
            "No copy of this barcode is out.",
        )));
    };
    execute!(tx, "update loan set ended_ms = $2 where id = $1", &loan.id, now.0)?;
    call_next(tx, &loan.book_id, now).await?;
    Ok(Ok(loan))
}

/// A copy is lost: its loan is over, and it is lent no more.
pub(super) async fn lose(tx: &mut Tx, barcode: &str, now: Millis) -> Result<Outcome<()>> {
    alone(tx).await?;
    let Some(copy) = queries::copy(tx, barcode).await? else {
        return Ok(Err(refused("unknown_copy", "没有这个条码。", "No copy has this barcode.")));
    };
    execute!(
        tx,
        "update loan set ended_ms = $2, lost = true where barcode = $1 and ended_ms is null",
        &copy.barcode,
        now.0,
    )?;
    execute!(tx, "update book_copy set state = 'lost' where barcode = $1", &copy.barcode)?;
    Ok(Ok(()))
}

/// A lost copy was found, or replaced by the same edition under the same label.
pub(super) async fn find(tx: &mut Tx, barcode: &str, now: Millis) -> Result<Outcome<()>> {
    alone(tx).await?;
    let Some(copy) = queries::copy(tx, barcode).await? else {
        return Ok(Err(refused("unknown_copy", "没有这个条码。", "No copy has this barcode.")));
    };
    execute!(tx, "update book_copy set state = 'here' where barcode = $1", &copy.barcode)?;
    call_next(tx, &copy.book_id, now).await?;
    Ok(Ok(()))
}

/// Somebody wants a book that is out, or wants one no more.
pub(super) async fn wait_for(
    tx: &mut Tx,
    (book_id, person_id): (&str, &str),
    now: Millis,
) -> Result<()> {
    alone(tx).await?;
    execute!(
        tx,
        "insert into book_wait (id, book_id, person_id, at_ms) select $1, id, $3, $4 from book where id = $2
         on conflict do nothing",
        new_id(now),
        book_id,
        person_id,
        now.0,
    )?;
    call_next(tx, book_id, now).await
}

/// Tells those who wait for a book, as far as copies are there, until when one is kept for them.
pub(super) async fn call_next(tx: &mut Tx, book_id: &str, now: Millis) -> Result<()> {
    let rule = queries::rule(tx).await?;
    let free = usize::try_from(queries::free_copies(tx, book_id).await?).unwrap_or(0);
    let until = due(now, 0).plus(rule.hold_days * DAY);
    for wait in queries::waits(tx, book_id).await?.into_iter().take(free) {
        if wait.held_until_ms.is_some() {
            continue;
        }
        execute!(tx, "update book_wait set held_until_ms = $2 where id = $1", &wait.id, until.0)?;
        let (title,): (String,) =
            fetch!(tx, fetch_one, "select title from book where id = $1", book_id)?;
        let body = format!("【王佐镇总工会】您预约的《{title}》到了，为您保留到 {}。", day(until));
        outbox::tell(tx, &wait.person_id, &body, now).await?;
    }
    Ok(())
}

/// Reminds readers of what is due or late, and lets the next have what was kept for somebody in vain. Gives how many
/// messages were written.
///
/// # Errors
/// When the database fails; then nothing was done.
pub async fn sweep(app: &App) -> Result<usize> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    alone(&mut tx).await?;
    let mut told = 0;
    for loan in queries::to_remind(&mut tx, now.plus(BEFORE_MS), now.plus(-AGAIN_MS)).await? {
        let (title, day) = (&loan.title, day(loan.due_ms));
        let body = if loan.due_ms < now {
            format!(
                "【王佐镇总工会】您借的《{title}》{day}就该还了，请尽快归还；过期未还不能再借。"
            )
        } else {
            format!("【王佐镇总工会】您借的《{title}》{day}到期，请按时归还或在“借书”里续借。")
        };
        outbox::tell(&mut tx, &loan.person_id, &body, now).await?;
        execute!(&mut tx, "update loan set reminded_ms = $2 where id = $1", &loan.id, now.0)?;
        told += 1;
    }
    let lapsed: Vec<(String, String)> = fetch!(
        &mut tx,
        fetch_all,
        "select id, book_id from book_wait where ended_ms is null and held_until_ms < $1 order by held_until_ms",
        now.0,
    )?;
    for (id, book_id) in lapsed {
        queries::end_wait(&mut tx, &id, now).await?;
        call_next(&mut tx, &book_id, now).await?;
    }
    tx.commit().await?;
    app.outbox_wakes.notify_one();
    Ok(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loan_is_due_at_the_end_of_a_day_in_beijing() {
        // 2027-03-05 13:25 in Beijing.
        let due = due(Millis(1_804_224_300_000), 4);
        assert_eq!(day(due), "4月2日");
        assert_eq!(day(due.plus(1)), "4月3日");
    }
}
