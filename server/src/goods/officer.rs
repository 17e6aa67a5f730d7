//! `/officer/goods/{event}/{organisation}`: what a union's people are to have, for its officer: how many, where and when,
//! and who comes for them, which the officer may change until somebody did. Made for a phone.

use admission::{Millis, time::DAY};
use askama::Template;
use axum::{
    Router,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
    routing::get,
};
use serde::Deserialize;

use super::{
    batch,
    queries::{self, Share},
};
use crate::{
    App,
    allocation::queries::{Colleague, colleagues, is_member, offices},
    db::Tx,
    error::{Error, Refused, Result},
    event,
    web::{Frame, access::Person, form::Typed, page},
};

/// So many members are shown; who is not among them is found by name.
const SHOWN: i64 = 20;
/// What was collected stays to be seen for so long after the event.
const KEPT: i64 = 30 * DAY;

/// The HTML routes.
pub(super) fn routes() -> Router<App> {
    Router::new().route("/officer/goods/{event}/{organisation}", get(show).post(send_another))
}

/// What the unions whose officer a person is are to have, or had.
pub(crate) async fn shares_of(tx: &mut Tx, person_id: &str, now: Millis) -> Result<Vec<Share>> {
    let mut shares = Vec::new();
    for (union_id, _) in offices(tx, person_id).await? {
        shares.extend(queries::shares(tx, &union_id, now.plus(-KEPT)).await?);
    }
    Ok(shares)
}

impl Share {
    /// When they were collected.
    pub(crate) fn had(&self) -> Option<Millis> {
        self.had_ms.map(Millis)
    }
}

#[derive(Debug, Default, Deserialize)]
struct Asked {
    #[serde(default)]
    q: String,
}

#[derive(Template)]
#[template(path = "goods/officer.html")]
struct OfficerPage {
    frame: Frame,
    person: Person,
    /// What is still to be collected, if anything is.
    open: Option<Share>,
    /// What was.
    collected: Vec<Share>,
    colleagues: Vec<Colleague>,
    q: String,
    refusal: Option<Refused>,
}

impl OfficerPage {
    /// The caller must be an officer of the union, or of the one that the enterprise belongs to.
    async fn read(
        tx: &mut Tx,
        mut frame: Frame,
        person: Person,
        (event_id, organisation_id): (&str, &str),
        q: String,
    ) -> Result<Self> {
        frame.path = format!("/officer/goods/{event_id}/{organisation_id}");
        let (union_id, shares) =
            mine(tx, &person.id, (event_id, organisation_id), frame.now).await?;
        let (collected, mut open): (Vec<_>, Vec<_>) =
            shares.into_iter().partition(|share| share.had_ms.is_some());
        let colleagues = match open.is_empty() {
            true => Vec::new(),
            false => colleagues(tx, "", &union_id, q.trim(), SHOWN).await?,
        };
        Ok(Self { frame, person, open: open.pop(), collected, colleagues, q, refusal: None })
    }

    /// What the page is about: there is always one.
    fn first(&self) -> Option<&Share> {
        self.open.as_ref().or_else(|| self.collected.first())
    }
}

/// The union whose officer a person is, and what that organisation of it is to have or had at the event.
///
/// # Errors
/// [`Error::NotFound`] when the person is no officer there, or nothing is on the list.
async fn mine(
    tx: &mut Tx,
    person_id: &str,
    (event_id, organisation_id): (&str, &str),
    now: Millis,
) -> Result<(String, Vec<Share>)> {
    for (union_id, _) in offices(tx, person_id).await? {
        let mut shares = queries::shares(tx, &union_id, now.plus(-KEPT)).await?;
        shares.retain(|s| s.event_id == event_id && s.organisation_id == organisation_id);
        if !shares.is_empty() {
            return Ok((union_id, shares));
        }
    }
    Err(Error::NotFound)
}

/// `GET /officer/goods/{event}/{organisation}?q=…`: the units, and the union's members to choose from.
async fn show(
    State(app): State<App>,
    Path((event, organisation)): Path<(String, String)>,
    Query(Asked { q }): Query<Asked>,
    person: Person,
    frame: Frame,
) -> Result<Response> {
    let mut tx = app.db.read().await?;
    page(&OfficerPage::read(&mut tx, frame, person, (&event, &organisation), q).await?)
}

/// `POST /officer/goods/{event}/{organisation}`: that member comes for the units.
async fn send_another(
    State(app): State<App>,
    Path((event_id, organisation)): Path<(String, String)>,
    officer: Person,
    frame: Frame,
    form: Typed,
) -> Result<Response> {
    let now = app.clock.now();
    let ids = (event_id.as_str(), organisation.as_str());
    let mut tx = app.db.write().await?;
    event::queries::hold(&mut tx, &event_id).await?;
    let (union_id, shares) = mine(&mut tx, &officer.id, ids, now).await?;
    let open = shares.iter().find(|share| share.ticket_id == form.value("ticket"));
    let done = match open.filter(|share| share.had_ms.is_none()) {
        Some(share) => {
            let chosen = form.value("person");
            if !is_member(&mut tx, &union_id, chosen).await? {
                return Err(Error::NotFound);
            }
            let (event, goods) = batch::of_event(&mut tx, &event_id).await?;
            let change = (share.ticket_id.as_str(), chosen);
            batch::send_another(&mut tx, &app, (&event, &goods), change, now).await?
        }
        None => false,
    };
    if done {
        tx.commit().await?;
        app.live.changed(&event_id);
        app.outbox_wakes.notify_one();
        let address = format!("/officer/goods/{event_id}/{organisation}");
        return Ok(Redirect::to(&address).into_response());
    }
    tx.rollback().await?;
    let mut tx = app.db.read().await?;
    let again = OfficerPage::read(&mut tx, frame, officer, ids, String::new()).await?;
    let refused = Refused::new(
        StatusCode::CONFLICT,
        "already_changed",
        "刚才已经有人领走，或另一位经办人改过领取人。下面是现在的情况。",
        "They were collected just now, or another officer chose somebody. This is how it stands.",
    );
    Ok((refused.status, page(&OfficerPage { refusal: Some(refused), ..again })?).into_response())
}
