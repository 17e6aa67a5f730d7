//! At the stated time what nobody collected goes to others: to those in line, who are asked one by one with a deadline,
//! or to whoever comes to the counter.

use admission::Millis;

use super::{Point, queries};
use crate::{
    App,
    booking::{Status, change::Cause, given},
    db::Tx,
    error::Result,
    event, execute, fetch, outbox,
};

/// So many bookings end in one piece of work: others want to book meanwhile.
const AT_ONCE: i64 = 100;

/// Does what is due; gives how many bookings ended. Several server processes may do it at once.
///
/// # Errors
/// When the database fails; what was done stays done, the rest is done the next time.
pub async fn sweep(app: &App) -> Result<usize> {
    let now = app.clock.now();
    let mut tx = app.db.read().await?;
    let due: Vec<(String, String)> = fetch!(
        tx,
        fetch_all,
        "select event_id, id from goods_point where leftover_ms <= $1 and leftover_done_ms is null order by event_id, id",
        now.0,
    )?;
    drop(tx);
    let mut count = 0;
    for (event_id, point_id) in due {
        loop {
            let (inner, event, point) = (app.clone(), event_id.clone(), point_id.clone());
            let ended = app
                .ledger
                .write(move |tx| {
                    let (app, event, point) = (inner.clone(), event.clone(), point.clone());
                    Box::pin(async move { pass_on(tx, &app, (&event, &point), now).await })
                })
                .await?;
            app.live.changed(&event_id);
            app.outbox_wakes.notify_one();
            count += ended.unwrap_or_default();
            if ended.is_none() {
                break;
            }
        }
    }
    Ok(count)
}

/// Ends some bookings of a point that nobody collected; none are left when it gives `None`.
async fn pass_on(
    tx: &mut Tx,
    app: &App,
    (event_id, point_id): (&str, &str),
    now: Millis,
) -> Result<Option<usize>> {
    event::queries::hold(tx, event_id).await?;
    let point = queries::point(tx, event_id, point_id).await?;
    if point.leftover_done_ms.is_some() {
        return Ok(None);
    }
    let event = event::queries::event(tx, event_id).await?;
    // Those in line come first unless it was said that whoever comes is next: then nobody waits for an answer.
    let statuses = if point.leftover_to == "walk_in" { "waiting" } else { "" };
    let due: Vec<(String, String, String)> = fetch!(
        tx,
        fetch_all,
        "select b.id, b.person_id, b.status from booking b
         where b.offer_id = $1 and b.created_ms < $4 and (b.status = 'confirmed' or b.status = $2)
           and not exists (select 1 from ticket t where t.booking_id = b.id and t.used_ms is not null)
           and not exists (select 1 from booking_change c where c.booking_id = b.id and c.cause = 'promoted'
                             and c.at_ms >= $4)
         order by case when b.status = 'waiting' then 0 else 1 end, b.id limit $3",
        &point.offer_id,
        statuses,
        AT_ONCE,
        point.leftover_ms,
    )?;
    for (booking_id, person_id, status) in &due {
        let end = (Status::Lapsed, Cause::of("leftover"));
        if !given::end_unused(tx, app, booking_id, end, now).await? {
            continue;
        }
        let body = if status == "waiting" {
            format!(
                "【王佐镇总工会】「{}」{}（{}）还有余量，先到先得，请带京卡到场领取。",
                event.title, point.name, point.place
            )
        } else {
            format!(
                "【王佐镇总工会】您在「{}」{}的一份没有按时领取，已经让给别人。",
                event.title, point.name
            )
        };
        outbox::tell(tx, person_id, &body, now).await?;
    }
    if !due.is_empty() {
        return Ok(Some(due.len()));
    }
    execute!(tx, "update goods_point set leftover_done_ms = $2 where id = $1", &point.id, now.0)?;
    tx.notify(event_id).await?;
    Ok(None)
}

impl Point {
    /// Whom what is left goes to, in words.
    pub(super) fn leftover_words(&self, frame: &crate::web::Frame) -> &'static str {
        if self.leftover_to == "walk_in" {
            frame.t("先到先得", "first come, first served")
        } else {
            frame.t("按候补次序递补，再给到场的人", "those in line, then whoever comes")
        }
    }
}
