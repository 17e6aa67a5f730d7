//! Benefits without a voucher: "is this person a member today?" A member's page shows a moving code; a venue's page reads it
//! and is told yes or no, and counts.

use std::collections::HashMap;

use admission::{Millis, name::masked, time::DAY};
use askama::Template;
use axum::{Router, extract::State, response::Response, routing::get};

use super::{
    member_code::{self, Read},
    serial, staff,
    venue::{self, Venue},
};
use crate::{
    App,
    booking::picture,
    db::Tx,
    error::Result,
    execute, fetch,
    web::{
        Frame,
        access::{Caller, Staff},
        frame::zone,
        page,
    },
};

/// Who was there is forgotten after this long; that somebody was still counts.
const REMEMBERED_MS: i64 = 62 * DAY;

/// The HTML routes.
pub(super) fn routes() -> Router<App> {
    Router::new().route("/benefits", get(show))
}

#[derive(Template)]
#[template(path = "voucher/benefits.html")]
struct BenefitsPage {
    frame: Frame,
    venues: Vec<Venue>,
    /// The moving code as a picture, for a member.
    code: Option<String>,
}

/// `GET /benefits`: where members get what, and the code that shows that its reader is one.
async fn show(State(app): State<App>, frame: Frame) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let mut venues = venue::open(&mut tx).await?;
    venues.retain(|venue| !venue.benefit.is_empty());
    let code = match &frame.caller {
        Caller::Person(person) if is_member(&mut tx, &person.id).await? => {
            let code = member_code::seal(&app.keys, &person.id, frame.now)?;
            Some(picture::qr_svg(&code)?)
        }
        _ => None,
    };
    page(&BenefitsPage { frame, venues, code })
}

/// On the roster today.
async fn is_member(tx: &mut Tx, person_id: &str) -> Result<bool> {
    Ok(member(tx, person_id).await?.is_some())
}

/// The name and the organisation of a member of today.
async fn member(tx: &mut Tx, person_id: &str) -> Result<Option<(String, Option<String>)>> {
    Ok(fetch!(
        tx,
        fetch_optional,
        "select p.name, o.name from person p left join organisation o on o.id = coalesce(p.organisation_id, p.union_id)
         where p.id = $1 and p.kind = 'member' and p.status in ('active', 'retained')",
        person_id,
    )?)
}

/// What a venue is told about whoever showed a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// A member, counted: the name masked, the organisation, the how-manieth time today and of how many.
    Yes { name: String, organisation: String, nth: i64, of: i64 },
    /// A member who was counted as often today as is agreed.
    Again { name: String, of: i64 },
    /// On no roster, or no longer.
    No,
    /// A picture of a code, or a page that lost its network.
    Stale,
    /// No code of ours.
    Unknown,
}

impl Told {
    /// The look of it.
    pub(super) const fn look(&self) -> &'static str {
        if matches!(self, Self::Yes { .. }) { "ok" } else { "warn" }
    }

    /// What it is, and what to do.
    pub(super) fn words(&self, frame: &Frame) -> (String, String) {
        let pair = |zh: (&str, &str), en: (&str, &str)| {
            (frame.t(zh.0, en.0).to_owned(), frame.t(zh.1, en.1).to_owned())
        };
        match self {
            Self::Yes { name, organisation, nth, of } => (
                frame.say("是会员".to_owned(), "A member".to_owned()),
                frame.say(
                    format!("{name} · {organisation}。已登记，今天第 {nth} / {of} 次。"),
                    format!("{name} · {organisation}. Counted: {nth} of {of} today."),
                ),
            ),
            Self::Again { name, of } => (
                frame.say("今天已经登记过".to_owned(), "Counted already today".to_owned()),
                frame.say(
                    format!("{name} 是会员，今天的 {of} 次已经用完，请明天再来。"),
                    format!("{name} is a member; the {of} of today are used. Please come again tomorrow."),
                ),
            ),
            Self::No => pair(
                ("不是在册会员", "会员名册里没有这个人，或已转出。请本人联系本单位工会。"),
                ("Not a member", "The roster does not know them, or not any more. Please ask their union."),
            ),
            Self::Stale => pair(
                ("码已过期", "会员码一分钟内有效，截图不行。请对方打开「会员优惠」页面，连上网络再出示。"),
                ("Not fresh", "A member code is good for a minute; a picture of it is not. Please show the page itself."),
            ),
            Self::Unknown => pair(
                ("无法识别", "这不是会员码，请对方打开「会员优惠」页面出示。"),
                ("Not recognised", "This is no member code. Please show the page “Member benefits”."),
            ),
        }
    }
}

/// Whether a text that was scanned is a member's code.
pub(super) fn is_code(said: &str) -> bool {
    member_code::looks_like_one(&serial::plain(said))
}

/// Whether whoever showed the code is a member today; counts them. The same wish again counts nobody twice.
///
/// # Errors
/// [`crate::Error::NotFound`] when the staff are at no venue.
pub(super) async fn count(app: &App, staff: &Staff, id: &str, said: &str) -> Result<Told> {
    let now = app.clock.now();
    let person_id = match member_code::open(&app.keys, &serial::plain(said), now) {
        Read::Person(id) => id,
        Read::Stale => return Ok(Told::Stale),
        Read::Forged => return Ok(Told::Unknown),
    };
    let mut tx = app.db.write().await?;
    let venue = staff::venue_of(&mut tx, staff).await?;
    let told = count_in(&mut tx, &venue, &staff.id, (id, &person_id), now).await?;
    tx.commit().await?;
    Ok(told)
}

/// Counts a member at a venue.
///
/// # Errors
/// When the database fails.
pub(crate) async fn count_in(
    tx: &mut Tx,
    venue: &Venue,
    staff_id: &str,
    (id, person_id): (&str, &str),
    now: Millis,
) -> Result<Told> {
    let Some((name, organisation)) = member(tx, person_id).await? else { return Ok(Told::No) };
    let (id, of) = (format!("{}.{id}", venue.id), venue.benefit_times);
    let (name, organisation) = (masked(&name), organisation.unwrap_or_default());
    let known: Option<(i64,)> =
        fetch!(tx, fetch_optional, "select nth from benefit_use where id = $1", &id)?;
    if let Some((nth,)) = known {
        return Ok(Told::Yes { name, organisation, nth, of });
    }
    let day = admission::days::date_of(now, &zone("Asia/Shanghai")).to_string();
    let (before,): (i64,) = fetch!(
        tx,
        fetch_one,
        "select count(*) from benefit_use where venue_id = $1 and person_id = $2 and day = $3",
        &venue.id,
        person_id,
        &day,
    )?;
    // Two phones at once ask for the same place; the key lets one have it.
    let rows = if before < of {
        execute!(
            tx,
            "insert into benefit_use (id, venue_id, person_id, day, nth, staff_id, at_ms) values ($1, $2, $3, $4, $5, $6, $7)
             on conflict do nothing",
            &id,
            &venue.id,
            person_id,
            &day,
            before + 1,
            staff_id,
            now.0,
        )?
    } else {
        0
    };
    Ok(if rows == 1 {
        Told::Yes { name, organisation, nth: before + 1, of }
    } else {
        Told::Again { name, of }
    })
}

/// How many members were counted at a venue on the day of `now`.
pub(super) async fn today(tx: &mut Tx, venue: &Venue, now: Millis) -> Result<i64> {
    let day = admission::days::date_of(now, &zone("Asia/Shanghai")).to_string();
    let (count,): (i64,) = fetch!(
        tx,
        fetch_one,
        "select count(*) from benefit_use where venue_id = $1 and day = $2",
        &venue.id,
        day,
    )?;
    Ok(count)
}

/// How many were counted at a venue on each of its days, the latest first.
pub(super) async fn by_day(tx: &mut Tx, venue: &Venue) -> Result<Vec<(String, i64)>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select day, count(*) from benefit_use where venue_id = $1 group by day order by day desc limit 31",
        &venue.id,
    )?)
}

/// How often benefits were used, and by whom as far as that is not forgotten.
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
pub(super) struct Used {
    times: i64,
    /// Times of which it is known who it was.
    known: i64,
    people: i64,
}

impl Used {
    /// 人, while it is known of all who they were, and 人次.
    pub(super) fn people_and_times(self) -> (Option<i64>, i64) {
        (Some(self.people).filter(|_| self.known == self.times), self.times)
    }
}

/// What was used at each venue from one day to before another, by the venue's id.
pub(super) async fn by_venue(
    tx: &mut Tx,
    (from, to): (String, String),
) -> Result<HashMap<String, Used>> {
    #[derive(sqlx::FromRow)]
    struct Row {
        venue_id: String,
        #[sqlx(flatten)]
        used: Used,
    }
    let rows: Vec<Row> = fetch!(
        tx,
        fetch_all,
        "select venue_id, count(*) as times, count(person_id) as known, count(distinct person_id) as people
         from benefit_use where day >= $1 and day < $2 group by venue_id",
        from,
        to,
    )?;
    Ok(rows.into_iter().map(|row| (row.venue_id, row.used)).collect())
}

/// What was used at all venues together from one day to before another.
pub(super) async fn used(tx: &mut Tx, (from, to): (String, String)) -> Result<Used> {
    Ok(fetch!(
        tx,
        fetch_one,
        "select count(*) as times, count(person_id) as known, count(distinct person_id) as people
         from benefit_use where day >= $1 and day < $2",
        from,
        to,
    )?)
}

/// Forgets who was there long ago.
pub(crate) async fn forget(tx: &mut Tx, now: Millis) -> sqlx::Result<()> {
    execute!(
        tx,
        "update benefit_use set person_id = null where person_id is not null and at_ms < $1",
        now.plus(-REMEMBERED_MS).0,
    )?;
    Ok(())
}
