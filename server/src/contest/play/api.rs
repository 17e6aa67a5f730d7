//! The JSON of playing: what an umpire's phone and other programs ask and send.

use std::convert::Infallible;

use axum::{
    Json,
    extract::{Path, State},
    response::sse::{self, KeepAlive, Sse},
};
use futures_util::{Stream, stream};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    super::{MatchState, Side, Sport, queries as contest},
    advance, call, late, queries,
    record::{self, Report},
    scorer::By,
    table,
    view::{Book, MatchView},
};
use crate::{
    App, audit,
    db::Tx,
    error::{Error, Result},
    event,
    web::{Frame, access::Staff},
};

/// How many ended matches an umpire sees.
const ENDED: i64 = 5;

/// What a scorer sees.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Desk {
    /// The event's title.
    title: String,
    /// The server's time, for the call clock.
    now_ms: i64,
    /// Called and playing at the scorer's courts, then the last that ended there.
    matches: Vec<MatchView>,
}

/// The matches that the caller may score at an event.
#[utoipa::path(get, path = "/events/{event}/play", params(("event" = String, Path)),
    responses((status = 200, body = Desk), (status = 401), (status = 404)))]
pub(super) async fn desk(
    State(app): State<App>,
    Path(event_id): Path<String>,
    by: By,
    frame: Frame,
) -> Result<Json<Desk>> {
    let mut tx = app.db.read().await?;
    let event = event::queries::event(&mut tx, &event_id).await?;
    let book = Book::open(&mut tx, &event_id, frame.lang, false).await?;
    let mut found = queries::open_matches(&mut tx, &event_id).await?;
    found.retain(|found| found.state != MatchState::Ready && found.court_id.is_some());
    // As they stand in the hall.
    let place =
        |id: &Option<String>| book.courts.iter().position(|court| Some(&court.id) == id.as_ref());
    found.sort_by_key(|found| place(&found.court_id));
    found.extend(queries::ended(&mut tx, &event_id, ENDED).await?);
    found.retain(|found| by.check(&event_id, found.court_id.as_deref()).is_ok());
    if let By::Umpire(umpire) = &by
        && umpire.event_id != event_id
    {
        return Err(Error::NotFound);
    }
    let matches = found.iter().filter_map(|found| book.view(found)).collect();
    Ok(Json(Desk { title: event.title, now_ms: frame.now.0, matches }))
}

/// One match.
#[utoipa::path(get, path = "/matches/{match}", params(("match" = String, Path)),
    responses((status = 200, body = MatchView), (status = 401), (status = 404)))]
pub(super) async fn show(
    State(app): State<App>,
    Path(id): Path<String>,
    by: By,
    frame: Frame,
) -> Result<Json<MatchView>> {
    let mut tx = app.db.read().await?;
    let found = contest::match_(&mut tx, &id).await?;
    by.check(&found.event_id, found.court_id.as_deref())?;
    viewed(&mut tx, &id, &frame).await
}

/// A score while it is played, or the result: `outcome` says which. The same key again is answered as before.
#[utoipa::path(post, path = "/matches/{match}/report", params(("match" = String, Path)), request_body = Report,
    responses((status = 200, body = MatchView), (status = 401), (status = 404), (status = 409), (status = 422)))]
pub(super) async fn report(
    State(app): State<App>,
    Path(id): Path<String>,
    by: By,
    frame: Frame,
    Json(sent): Json<Report>,
) -> Result<Json<MatchView>> {
    let mut tx = app.db.write().await?;
    let found = record::report(&mut tx, &by, &id, &sent, frame.now).await?;
    done(&app, tx, &found.event_id).await?;
    viewed(&mut app.db.read().await?, &id, &frame).await
}

/// Corrects the result of a match that is over; `reason` is needed.
#[utoipa::path(post, path = "/matches/{match}/correction", params(("match" = String, Path)), request_body = Report,
    responses((status = 200, body = MatchView), (status = 404), (status = 409), (status = 422)))]
pub(super) async fn correct(
    State(app): State<App>,
    Path(id): Path<String>,
    staff: Staff,
    frame: Frame,
    Json(sent): Json<Report>,
) -> Result<Json<MatchView>> {
    let mut tx = app.db.write().await?;
    let found = record::correct(&mut tx, &By::Staff(staff), &id, &sent, frame.now).await?;
    done(&app, tx, &found.event_id).await?;
    viewed(&mut app.db.read().await?, &id, &frame).await
}

/// Where a match is called to.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Call {
    /// The court's id.
    court: String,
}

/// Calls a match to a court.
#[utoipa::path(post, path = "/matches/{match}/call", params(("match" = String, Path)), request_body = Call,
    responses((status = 200, body = MatchView), (status = 404), (status = 409)))]
pub(super) async fn call(
    State(app): State<App>,
    Path(id): Path<String>,
    staff: Staff,
    frame: Frame,
    Json(Call { court }): Json<Call>,
) -> Result<Json<MatchView>> {
    let mut tx = app.db.write().await?;
    let found = call::call(&mut tx, &By::Staff(staff), &id, &court, frame.now).await?;
    done(&app, tx, &found.event_id).await?;
    viewed(&mut app.db.read().await?, &id, &frame).await
}

/// Who has come.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Arrival {
    /// Which side.
    side: Side,
    /// False takes it back.
    #[serde(default = "yes")]
    here: bool,
}

const fn yes() -> bool {
    true
}

/// Marks that a side has come to the court its match was called to.
#[utoipa::path(post, path = "/matches/{match}/arrival", params(("match" = String, Path)), request_body = Arrival,
    responses((status = 200, body = MatchView), (status = 401), (status = 404), (status = 409)))]
pub(super) async fn arrive(
    State(app): State<App>,
    Path(id): Path<String>,
    by: By,
    frame: Frame,
    Json(Arrival { side, here }): Json<Arrival>,
) -> Result<Json<MatchView>> {
    let mut tx = app.db.write().await?;
    let found = late::arrive(&mut tx, &by, &id, (side, here), frame.now).await?;
    done(&app, tx, &found.event_id).await?;
    viewed(&mut app.db.read().await?, &id, &frame).await
}

/// Gives the match to the side that has come, once the call clock has run out.
#[utoipa::path(post, path = "/matches/{match}/late", params(("match" = String, Path)),
    responses((status = 200, body = MatchView), (status = 401), (status = 404), (status = 409)))]
pub(super) async fn judge_late(
    State(app): State<App>,
    Path(id): Path<String>,
    by: By,
    frame: Frame,
) -> Result<Json<MatchView>> {
    let mut tx = app.db.write().await?;
    let found = late::judge(&mut tx, &by, &id, frame.now).await?;
    done(&app, tx, &found.event_id).await?;
    viewed(&mut app.db.read().await?, &id, &frame).await
}

/// How many matches were called.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Called {
    /// That many.
    called: usize,
}

/// Calls the next matches to all courts that are free.
#[utoipa::path(post, path = "/events/{event}/calls", params(("event" = String, Path)),
    responses((status = 200, body = Called), (status = 404), (status = 409)))]
pub(super) async fn fill(
    State(app): State<App>,
    Path(event_id): Path<String>,
    staff: Staff,
    frame: Frame,
) -> Result<Json<Called>> {
    let mut tx = app.db.write().await?;
    let called = call::fill(&mut tx, &By::Staff(staff), &event_id, frame.now).await?;
    done(&app, tx, &event_id).await?;
    Ok(Json(Called { called }))
}

/// A court to be added.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct NewCourt {
    /// 1号台.
    name: String,
    /// What can be played there; left out: anything.
    #[serde(default)]
    sport: Option<Sport>,
}

/// Adds a court.
#[utoipa::path(post, path = "/events/{event}/courts", params(("event" = String, Path)), request_body = NewCourt,
    responses((status = 200), (status = 404), (status = 409)))]
pub(super) async fn add_court(
    State(app): State<App>,
    Path(event_id): Path<String>,
    _staff: Staff,
    frame: Frame,
    Json(NewCourt { name, sport }): Json<NewCourt>,
) -> Result<Json<serde_json::Value>> {
    let mut tx = app.db.write().await?;
    new_court(&mut tx, &event_id, &name, sport, frame.now).await?;
    done(&app, tx, &event_id).await?;
    Ok(Json(serde_json::json!({})))
}

/// Adds a court of that name, for one sport or for any.
pub(crate) async fn new_court(
    tx: &mut Tx,
    event_id: &str,
    name: &str,
    sport: Option<Sport>,
    now: admission::Millis,
) -> Result<()> {
    event::queries::event(tx, event_id).await?;
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 20 {
        return Err(Error::invalid(
            "name",
            "名称请用 1 到 20 个字。",
            "A name has 1 to 20 characters.",
        ));
    }
    if !queries::add_court(tx, event_id, name, sport, now).await? {
        return Err(call::conflict(
            "name_taken",
            "已有同名的台（场地）。",
            "There is a court of this name.",
        )
        .into());
    }
    Ok(())
}

/// Who is to get a link for scoring.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Invitation {
    /// Their name.
    name: String,
    /// The only court it is for.
    #[serde(default)]
    court: Option<String>,
}

/// A link for scoring, shown once.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Invited {
    /// The address to open on the umpire's phone.
    link: String,
    /// Its secret, to be sent in the header `x-umpire`.
    secret: String,
}

/// Makes a personal link by which an umpire scores without an account.
#[utoipa::path(post, path = "/events/{event}/umpires", params(("event" = String, Path)), request_body = Invitation,
    responses((status = 201, body = Invited), (status = 404), (status = 422)))]
pub(super) async fn invite(
    State(app): State<App>,
    Path(event_id): Path<String>,
    staff: Staff,
    frame: Frame,
    Json(asked): Json<Invitation>,
) -> Result<(axum::http::StatusCode, Json<Invited>)> {
    let secret =
        invited(&app, &staff, &event_id, &asked.name, asked.court.as_deref(), frame.now).await?;
    let link = link(&app, &event_id, &secret);
    Ok((axum::http::StatusCode::CREATED, Json(Invited { link, secret })))
}

/// Makes a link; gives its secret.
pub(super) async fn invited(
    app: &App,
    staff: &Staff,
    event_id: &str,
    name: &str,
    court: Option<&str>,
    now: admission::Millis,
) -> Result<String> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 20 {
        return Err(Error::invalid(
            "name",
            "姓名请用 1 到 20 个字。",
            "A name has 1 to 20 characters.",
        ));
    }
    let mut tx = app.db.write().await?;
    event::queries::event(&mut tx, event_id).await?;
    if let Some(court) = court
        && !contest::courts(&mut tx, event_id).await?.iter().any(|known| known.id == court)
    {
        return Err(Error::NotFound);
    }
    let secret = super::scorer::invite(&mut tx, event_id, name, court, now).await?;
    audit::record(&mut tx, staff, "umpire.invite", event_id, "", now).await?;
    tx.commit().await?;
    Ok(secret)
}

/// The address of an umpire's page. The secret stands behind the `#`: browsers send that to nobody.
pub(super) fn link(app: &App, event_id: &str, secret: &str) -> String {
    format!("{}/events/{event_id}/umpire#{secret}", app.public_url)
}

/// Draws lots among those of a group whom nothing else tells apart.
pub(super) async fn draw_lots(
    tx: &mut Tx,
    staff: &Staff,
    group_id: &str,
    now: admission::Millis,
) -> Result<String> {
    let group = queries::group(tx, group_id).await?;
    let discipline = contest::discipline(tx, &group.discipline_id).await?;
    queries::hold(tx, &discipline.event_id).await?;
    let found = table::of_group(tx, &discipline, &group).await?;
    if !found.complete {
        return Err(call::conflict(
            "not_over",
            "小组赛还没有打完，不用抽签。",
            "The group is not over yet.",
        )
        .into());
    }
    let mut equal: Vec<String> = found.equal().map(|entry| entry.id.clone()).collect();
    // Fisher and Yates, by the system's randomness.
    for last in (1..equal.len()).rev() {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).expect("the system has randomness");
        let chosen = u64::from_le_bytes(bytes) % (last as u64 + 1);
        equal.swap(last, usize::try_from(chosen).unwrap_or(0));
    }
    for (lot, entry) in (1_i64..).zip(&equal) {
        queries::set_lot(tx, &discipline.event_id, entry, lot).await?;
    }
    audit::record(tx, staff, "group.lots", group_id, "", now).await?;
    advance::after_group(tx, group_id, &discipline, now).await?;
    Ok(discipline.event_id)
}

/// Fair play of an entry, in football.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Conduct {
    /// Nought, or below it for cards: −1 for a yellow one, −3 for an indirect red one, −4 for a red one, −5 for both.
    conduct: i64,
}

/// Notes an entry's fair play; its group's ranking follows.
#[utoipa::path(post, path = "/entries/{entry}/conduct", params(("entry" = String, Path)), request_body = Conduct,
    responses((status = 200), (status = 404), (status = 409), (status = 422)))]
pub(super) async fn conduct(
    State(app): State<App>,
    Path(id): Path<String>,
    staff: Staff,
    frame: Frame,
    Json(Conduct { conduct }): Json<Conduct>,
) -> Result<Json<serde_json::Value>> {
    if !(-100..=0).contains(&conduct) {
        return Err(Error::invalid(
            "conduct",
            "公平竞赛分是 0 或负数。",
            "Fair play is nought or below.",
        ));
    }
    let mut tx = app.db.write().await?;
    let entry = contest::entry(&mut tx, &id).await?;
    queries::hold(&mut tx, &entry.event_id).await?;
    let discipline = contest::discipline(&mut tx, &entry.discipline_id).await?;
    queries::set_conduct(&mut tx, &entry.event_id, &id, conduct).await?;
    audit::record(&mut tx, &staff, "entry.conduct", &id, &conduct.to_string(), frame.now).await?;
    if let Some(group) = &entry.group_id {
        let fed = queries::fed_by_group(&mut tx, group).await?;
        if fed.iter().any(|next| !matches!(next.state, MatchState::Waiting | MatchState::Ready)) {
            return Err(call::conflict(
                "built_upon",
                "后面的比赛已经叫号或打完，名次不能再变。",
                "Matches that follow were called or played; the ranking stands.",
            )
            .into());
        }
        advance::after_group(&mut tx, group, &discipline, frame.now).await?;
    }
    done(&app, tx, &entry.event_id).await?;
    Ok(Json(serde_json::json!({})))
}

/// Tells when something changes at an event (server-sent events without names); the page then asks again.
#[utoipa::path(get, path = "/events/{event}/changes", params(("event" = String, Path)),
    responses((status = 200, content_type = "text/event-stream"), (status = 404)))]
pub(super) async fn changes(
    State(app): State<App>,
    Path(event_id): Path<String>,
) -> Result<Sse<impl Stream<Item = std::result::Result<sse::Event, Infallible>>>> {
    let mut tx = app.db.read().await?;
    if !event::queries::event(&mut tx, &event_id).await?.is_public() {
        return Err(Error::NotFound);
    }
    drop(tx);
    let start = (app.live.listen(), app.stopping.clone(), event_id);
    let events = stream::unfold(start, |(mut changes, stopping, event_id)| async move {
        tokio::select! {
            changed = changes.next_of(&event_id) => changed?,
            () = stopping.cancelled() => return None,
        }
        // A rush of changes is one message.
        tokio::time::sleep(std::time::Duration::from_millis(150)).await;
        changes.skip();
        Some((Ok(sse::Event::default().data("changed")), (changes, stopping, event_id)))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(std::time::Duration::from_secs(15))))
}

/// Commits, and tells whoever looks.
pub(super) async fn done(app: &App, mut tx: Tx, event_id: &str) -> Result<()> {
    tx.notify(event_id).await?;
    tx.commit().await?;
    app.live.changed(event_id);
    Ok(())
}

async fn viewed(tx: &mut Tx, id: &str, frame: &Frame) -> Result<Json<MatchView>> {
    let found = contest::match_(tx, id).await?;
    let book = Book::open(tx, &found.event_id, frame.lang, false).await?;
    Ok(Json(book.view(&found).ok_or(Error::NotFound)?))
}
