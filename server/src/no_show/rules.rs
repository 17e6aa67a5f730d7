//! How many no-shows are too many, and who is barred until when.

use std::collections::HashMap;

use admission::{Millis, time::DAY};
use axum::http::StatusCode;

use super::queries::{self, NoShow};
use crate::{
    App, audit,
    db::Tx,
    error::{Error, Refused, Result},
    event::{Event, Offer},
    outbox,
    web::{
        access::{Person, Staff},
        frame::zone,
    },
};

/// An appeal, and the reason of a decision, are a few sentences.
pub(super) const CHARS: usize = 300;

/// Who stays away `times` within `period_days` is barred for `bar_days` from the last of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Rule {
    /// 0: nobody is barred.
    pub(crate) times: i64,
    pub(crate) period_days: i64,
    pub(crate) bar_days: i64,
}

/// Rules in force elsewhere (domain.md §6.1), to choose from. Where only the number and the bar are known, the period
/// is ours: half a year.
pub(crate) const PRESETS: [(&str, &str, Rule); 4] = [
    ("纪念堂预约", "Memorial hall", Rule { times: 2, period_days: 120, bar_days: 120 }),
    ("体育馆", "Sports hall", Rule { times: 3, period_days: 180, bar_days: 30 }),
    ("图书馆", "Library", Rule { times: 3, period_days: 180, bar_days: 90 }),
    ("工会电影票", "Union cinema tickets", Rule { times: 1, period_days: 90, bar_days: 90 }),
];

impl Rule {
    /// Until when a person with these no-shows is barred, in order of time. None when they never were.
    pub(crate) fn bar(&self, no_shows: &[Millis]) -> Option<Millis> {
        let times = usize::try_from(self.times).ok().filter(|times| *times > 0)?;
        let too_many = |run: &&[Millis]| run[times - 1].since(run[0]) <= self.period_days * DAY;
        let ends = |run: &[Millis]| run[times - 1].plus(self.bar_days * DAY);
        no_shows.windows(times).filter(too_many).map(ends).max()
    }

    /// For how long a no-show matters, in milliseconds.
    pub(crate) const fn reach_ms(&self) -> i64 {
        (self.period_days + self.bar_days) * DAY
    }

    /// How many of these no-shows count at `now`.
    pub(crate) fn recent(&self, no_shows: &[Millis], now: Millis) -> usize {
        no_shows.iter().filter(|at| now.since(**at) <= self.period_days * DAY).count()
    }
}

/// Those of `people` whom their no-shows keep out of `offer` at `now`, and until when.
pub(crate) async fn barred(
    tx: &mut Tx,
    offer: &Offer,
    people: Vec<&str>,
    now: Millis,
) -> Result<HashMap<String, Millis>> {
    if !offer.no_shows_count || people.is_empty() {
        return Ok(HashMap::new());
    }
    let rule = queries::rule(tx).await?;
    let no_shows = queries::counting(tx, people, now.plus(-rule.reach_ms())).await?;
    let bar = |(person, at): (String, Vec<Millis>)| Some((person, rule.bar(&at)?));
    Ok(no_shows.into_iter().filter_map(bar).filter(|(_, until)| now < *until).collect())
}

/// Until when a person is kept out of `offer`, if they are.
pub(crate) async fn barred_until(
    tx: &mut Tx,
    offer: &Offer,
    person_id: &str,
    now: Millis,
) -> Result<Option<Millis>> {
    Ok(barred(tx, offer, vec![person_id], now).await?.remove(person_id))
}

/// Until when a person with these no-shows is barred, if they are now.
pub(crate) async fn bar_of(
    tx: &mut Tx,
    no_shows: &[NoShow],
    now: Millis,
) -> Result<Option<Millis>> {
    let mut at: Vec<Millis> =
        no_shows.iter().filter(|one| one.counts).map(|one| one.at_ms).collect();
    at.sort_unstable();
    Ok(queries::rule(tx).await?.bar(&at).filter(|until| now < *until))
}

/// Why a barred person may not book.
pub(crate) fn refusal(until: Millis, event: &Event) -> Refused {
    let (zh, en) = day(until, &event.time_zone);
    Refused::new(
        StatusCode::FORBIDDEN,
        "not_eligible",
        format!(
            "您多次报名后没有来，{zh} 起才能再报这类名额。有特殊情况，可以在「我的票」里申诉。"
        ),
        format!(
            "You booked and stayed away several times; such places are open to you again from {en}. If there were reasons, appeal under “My tickets”."
        ),
    )
}

/// What a barred person is told who loses their place in a line or a draw.
pub(crate) fn put_out(title: &str, until: Millis, time_zone: &str, public_url: &str) -> String {
    let (day, _) = day(until, time_zone);
    format!(
        "【王佐镇总工会】您多次报名后没有来，{day} 起才能再报限量名额，「{title}」的候补或抽签不再保留。有特殊情况请申诉：{public_url}/me#no-shows"
    )
}

/// A person says why they stayed away. Until it is decided, they may say it again.
///
/// # Errors
/// [`Error::NotFound`] when there is no such no-show of theirs; [`Error::Invalid`] for no words or too many;
/// [`Error::Refused`] `decided` when it was decided, or does not count.
pub(super) async fn appeal(
    app: &App,
    person: &Person,
    booking: &str,
    text: &str,
) -> Result<NoShow> {
    let text = words("text", text)?;
    let mut tx = app.db.write().await?;
    let no_show = own(&mut tx, person, booking).await?;
    let now = app.clock.now();
    if !no_show.may_appeal() || !queries::appeal(&mut tx, booking, &person.id, &text, now).await? {
        tx.rollback().await?;
        return Err(Refused::new(
            StatusCode::CONFLICT,
            "decided",
            "这条记录已经处理过，或不计入。如还有疑问请联系镇总工会。",
            "This was decided already, or does not count. If you have a question, please ask the federation.",
        )
        .into());
    }
    let no_show = queries::find(&mut tx, booking).await?;
    tx.commit().await?;
    Ok(no_show)
}

/// A person's own no-show.
///
/// # Errors
/// [`Error::NotFound`] when it is another's, or not counted yet.
pub(super) async fn own(tx: &mut Tx, person: &Person, booking: &str) -> Result<NoShow> {
    let no_show = queries::find(tx, booking).await?;
    let theirs = no_show.person_id == person.id && no_show.counted_ms.is_some();
    if theirs { Ok(no_show) } else { Err(Error::NotFound) }
}

/// Staff excuse a no-show or keep it, with a reason; its person is told. Deciding the same again changes nothing.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Invalid`] when it is kept without a reason.
pub(super) async fn decide(
    app: &App,
    staff: &Staff,
    booking: &str,
    decision: &str,
    reason: &str,
) -> Result<()> {
    let excused = decision == "excused";
    let what = if excused { "excused" } else { "kept" };
    let reason =
        if excused && reason.trim().is_empty() { String::new() } else { words("reason", reason)? };
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let no_show = queries::find(&mut tx, booking).await?;
    let changed = if !excused && no_show.counted_ms.is_none() && !no_show.tallied {
        // The leave that was given beforehand is taken back; what happens on the day decides.
        queries::forget(&mut tx, booking).await?
    } else {
        queries::decide(&mut tx, booking, what, &reason, &staff.id, now).await?
    };
    if changed {
        audit::record(&mut tx, staff, &format!("no_show.{what}"), booking, &reason, now).await?;
        let outcome = match (excused, no_show.counted_ms) {
            (true, _) => "这次没有来已经谅解，不再计入。",
            (false, Some(_)) => "这次没有来仍然计入。",
            (false, None) => "事先请假没有保留，请按时参加；不能来请联系主办方。",
        };
        let why = if reason.is_empty() { String::new() } else { format!("说明：{reason}。") };
        let body = format!("【王佐镇总工会】关于「{}」：{outcome}{why}", no_show.title);
        outbox::tell(&mut tx, &no_show.person_id, &body, now).await?;
    }
    // A barred person may be free again: their open page of the event says so.
    tx.notify(&no_show.event_id).await?;
    tx.commit().await?;
    app.live.changed(&no_show.event_id);
    app.outbox_wakes.notify_one();
    Ok(())
}

/// Staff excuse somebody before the day is over: should they stay away, it is not counted.
///
/// # Errors
/// [`Error::NotFound`] when there is no such ticket at the event; [`Error::Invalid`] without a reason;
/// [`Error::Refused`] `not_counted` when its offer does not count no-shows, or the booking is not confirmed.
pub(super) async fn excuse(
    app: &App,
    staff: &Staff,
    (event, ticket): (&str, &str),
    reason: &str,
) -> Result<()> {
    let now = app.clock.now();
    let reason = words("excuse", reason)?;
    let mut tx = app.db.write().await?;
    let booking = queries::booking_of_ticket(&mut tx, event, ticket).await?;
    if !queries::excuse(&mut tx, &booking, &reason, &staff.id, now).await? {
        tx.rollback().await?;
        return Err(Refused::new(
            StatusCode::CONFLICT,
            "not_counted",
            "这个名额不登记没有来，或报名已取消，不用请假。",
            "This offer does not count no-shows, or the booking is not confirmed; there is nothing to excuse.",
        )
        .into());
    }
    audit::record(&mut tx, staff, "no_show.excused", &booking, &reason, now).await?;
    let no_show = queries::find(&mut tx, &booking).await?;
    let body =
        format!("【王佐镇总工会】「{}」您请了假，没有来不会计入。说明：{reason}。", no_show.title);
    outbox::tell(&mut tx, &no_show.person_id, &body, now).await?;
    tx.commit().await?;
    app.outbox_wakes.notify_one();
    Ok(())
}

/// A few sentences that somebody typed into `field`.
fn words(field: &'static str, typed: &str) -> Result<String> {
    let text = typed.replace("\r\n", "\n").replace('\0', "").trim().to_owned();
    if text.is_empty() || text.chars().count() > CHARS {
        return Err(Error::invalid(
            field,
            format!("请用 1 到 {CHARS} 个字说明原因。"),
            format!("Please give the reason in 1 to {CHARS} characters."),
        ));
    }
    Ok(text)
}

/// A day on the clocks of `time_zone`, in Chinese and English.
pub(crate) fn day(at: Millis, time_zone: &str) -> (String, String) {
    let zoned = admission::say::zoned(at, &zone(time_zone));
    (zoned.strftime("%Y年%-m月%-d日").to_string(), zoned.strftime("%-d %B %Y").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Rule = Rule { times: 2, period_days: 120, bar_days: 30 };

    fn days(days: &[i64]) -> Vec<Millis> {
        days.iter().map(|day| Millis(day * DAY)).collect()
    }

    #[test]
    fn two_within_the_period_bar_from_the_second() {
        for (no_shows, bar) in [
            (&[][..], None),
            (&[0], None),
            (&[0, 120], Some(150)),
            (&[0, 121], None),
            (&[0, 121, 130], Some(160)),
            // Each further one within the period bars again.
            (&[0, 10, 20], Some(50)),
        ] {
            assert_eq!(RULE.bar(&days(no_shows)), bar.map(|day| Millis(day * DAY)), "{no_shows:?}");
        }
    }

    #[test]
    fn without_times_nobody_is_barred() {
        assert_eq!(Rule { times: 0, ..RULE }.bar(&days(&[0, 1, 2])), None);
    }

    #[test]
    fn old_ones_no_longer_count() {
        assert_eq!(RULE.recent(&days(&[0, 100, 130]), Millis(140 * DAY)), 2);
    }
}
