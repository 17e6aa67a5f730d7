//! `/admin`: every event with its numbers, for staff.

use askama::Template;
use axum::{Router, extract::State, response::Response, routing::get};

use super::{Event, phase::Phase, queries};
use crate::{
    App,
    error::Result,
    web::{Frame, page},
};

/// The HTML routes.
pub(crate) fn routes() -> Router<App> {
    Router::new().route("/admin", get(board))
}

/// An event with its numbers.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct Counted {
    #[sqlx(flatten)]
    pub(crate) event: Event,
    /// Places of all offers.
    pub(crate) quota: i64,
    /// Places that are booked.
    pub(crate) taken: i64,
    /// Holders that were admitted.
    pub(crate) admitted: i64,
}

#[derive(Template)]
#[template(path = "event/board.html")]
struct BoardPage {
    frame: Frame,
    shelves: Vec<Shelf>,
}

/// Events that stand alike.
struct Shelf {
    title: &'static str,
    events: Vec<Counted>,
}

/// `GET /admin`. Drafts are shown to those who may change them.
async fn board(State(app): State<App>, frame: Frame) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let mut coming = Vec::new();
    let (mut running, mut drafts, mut past) = (Vec::new(), Vec::new(), Vec::new());
    for counted in queries::all_counted(&mut tx).await? {
        match counted.event.phase(&frame.now) {
            Phase::Running => running.push(counted),
            Phase::Published | Phase::Closed => coming.push(counted),
            Phase::Draft if frame.is_organizer() => drafts.push(counted),
            Phase::Draft => {}
            Phase::Over | Phase::Cancelled => past.push(counted),
        }
    }
    // The query gives the newest first; what is to come is read from the next on.
    coming.reverse();
    let shelves = [
        (frame.t("进行中", "On now"), running),
        (frame.t("即将开始", "Coming up"), coming),
        (frame.t("草稿", "Drafts"), drafts),
        (frame.t("已结束", "Over"), past),
    ];
    let shelves = shelves
        .into_iter()
        .filter(|(_, events)| !events.is_empty())
        .map(|(title, events)| Shelf { title, events })
        .collect();
    page(&BoardPage { frame, shelves })
}
