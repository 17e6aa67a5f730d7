//! Counts the no-shows of an offer, once, a day after its admission ended: by then the kiosks that were without a
//! network have sent what they saw. A scan that arrives later still takes the no-show back, since it is not counted
//! while a ticket of the booking is used.

use std::time::Duration;

use admission::{Millis, say, time::DAY};

use super::{
    queries,
    rules::{self, Rule},
};
use crate::{
    App,
    db::Tx,
    error::Result,
    event::{self, Event},
    outbox,
    web::frame::zone,
};

const EVERY: Duration = Duration::from_secs(300);
/// Kiosks without a network have so long to send what they saw.
const GRACE_MS: i64 = DAY;
/// What is older is not raised with anybody any more: a server that was away, or an offer from before this was counted.
const OLD_MS: i64 = 30 * DAY;
/// Nobody is told at night: from this hour on, and before that one.
const DAYTIME: std::ops::Range<i8> = 8..21;

/// Counts what is due every minute until the server stops.
pub(crate) async fn run(app: App) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = app.stopping.cancelled() => return,
        }
        match sweep(&app).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "no-shows were counted"),
            Err(error) => {
                tracing::warn!(cause = %error, "no-shows could not be counted; trying again");
            }
        }
    }
}

/// Counts the no-shows of offers whose admission ended a day ago and tells those who stayed away; gives how many.
/// Several server processes may do it at once; each offer is counted once.
///
/// # Errors
/// When the database fails; what was counted before that stays counted.
pub async fn sweep(app: &App) -> Result<usize> {
    let now = app.clock.now();
    let mut tx = app.db.read().await?;
    let due = queries::due(&mut tx, now.plus(-GRACE_MS), now.plus(-OLD_MS)).await?;
    let undone = queries::undone(&mut tx, now.plus(-OLD_MS)).await?;
    drop(tx);
    let mut count = 0;
    for due in due.into_iter().filter(|due| is_daytime(now, &due.time_zone)) {
        let public_url = app.public_url.clone();
        let counted = app.ledger.write(move |tx| {
            let (offer_id, event_id) = (due.offer_id.clone(), due.event_id.clone());
            let public_url = public_url.clone();
            Box::pin(async move {
                event::queries::hold(tx, &event_id).await?;
                let event = event::queries::event(tx, &event_id).await?;
                let people = queries::tally(tx, &offer_id, now).await?;
                tell(tx, &event, &people, &public_url, now).await?;
                Ok(people.len())
            })
        });
        count += counted.await?;
    }
    for (booking_id, person_id, title) in &undone {
        tell_undone(app, booking_id, person_id, title, now).await?;
    }
    if count > 0 || !undone.is_empty() {
        app.outbox_wakes.notify_one();
    }
    Ok(count)
}

fn is_daytime(now: Millis, time_zone: &str) -> bool {
    DAYTIME.contains(&say::zoned(now, &zone(time_zone)).hour())
}

/// A kiosk has sent, late, that somebody did go in.
async fn tell_undone(
    app: &App,
    booking_id: &str,
    person_id: &str,
    title: &str,
    now: Millis,
) -> Result<()> {
    let mut tx = app.db.write().await?;
    if queries::note_undone(&mut tx, booking_id, now).await? {
        let body = format!(
            "【王佐镇总工会】已查到您参加了「{title}」，之前「没有来」的记录不再计入。给您添麻烦了。"
        );
        outbox::tell(&mut tx, person_id, &body, now).await?;
    }
    Ok(tx.commit().await?)
}

/// Tells those who stayed away how often that was, and what follows.
async fn tell(
    tx: &mut Tx,
    event: &Event,
    people: &[String],
    public_url: &str,
    now: Millis,
) -> Result<()> {
    let rule = queries::rule(tx).await?;
    let mut different: Vec<&str> = people.iter().map(String::as_str).collect();
    different.sort_unstable();
    different.dedup();
    let since = now.plus(-rule.reach_ms());
    let no_shows = queries::counting(tx, different.clone(), since).await?;
    for person_id in different {
        let at = no_shows.get(person_id).map(Vec::as_slice).unwrap_or_default();
        let body = format!(
            "【王佐镇总工会】您报了「{}」没有来，也没有取消。{}有特殊情况请到这里申诉：{public_url}/me#no-shows",
            event.title,
            follows(rule, at, event, now)
        );
        outbox::tell(tx, person_id, &body, now).await?;
    }
    Ok(())
}

/// What follows from `no_shows`, in words.
fn follows(rule: Rule, no_shows: &[Millis], event: &Event, now: Millis) -> String {
    let (recent, days) = (rule.recent(no_shows, now), rule.period_days);
    match rule.bar(no_shows).filter(|until| *until > now) {
        _ if rule.times == 0 => String::new(),
        Some(until) => {
            let (day, _) = rules::day(until, &event.time_zone);
            format!("{days} 天内已有 {recent} 次，{day} 起才能再报限量名额。")
        }
        None => format!(
            "{days} 天内第 {recent} 次，满 {} 次将有 {} 天不能报限量名额。",
            rule.times, rule.bar_days
        ),
    }
}
