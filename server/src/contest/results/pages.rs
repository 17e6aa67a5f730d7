//! `/events/{event}/results`: places and organisations, live; for a big screen too. Organizers set what a place is worth.

use askama::Template;
use axum::{
    Router,
    extract::{Path, Query, State},
    response::{IntoResponse as _, Redirect, Response},
    routing::{get, post},
};
use serde::Deserialize;

use super::{
    export,
    places::{self, Organisation, Placed},
};
use crate::{
    App, audit,
    contest::{
        Discipline,
        play::{board::fitting, view::Book},
    },
    error::{Error, Result},
    event::{self, Event},
    execute,
    web::{Frame, access::Staff, form::Typed, page},
};

/// How many places are shown of each discipline.
const SHOWN: usize = 8;

/// The routes.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/events/{event}/results", get(show))
        .route("/admin/events/{event}/results/points", post(set_points))
        .route("/admin/events/{event}/results.xlsx", get(export::export))
}

#[derive(Debug, Deserialize)]
struct Shown {
    /// For the screen in the hall.
    #[serde(default)]
    screen: Option<String>,
}

/// A discipline and its first places, with the names as the reader may see them.
struct Outcome {
    discipline: Discipline,
    placed: Vec<(Placed, String)>,
    more: usize,
}

#[derive(Template)]
#[template(path = "contest/results/show.html")]
struct ResultsPage {
    frame: Frame,
    event: Event,
    screen: bool,
    all: Vec<Outcome>,
    organisations: Vec<Organisation>,
    worth: String,
}

impl ResultsPage {
    /// How many columns a screen in the hall has to show: disciplines with places, and the organisations.
    fn blocks(&self) -> usize {
        let settled = self.all.iter().filter(|one| !one.placed.is_empty()).count();
        settled + usize::from(!self.organisations.is_empty())
    }

    fn fitting(&self) -> String {
        fitting(self.blocks().max(1), 3)
    }
}

/// `GET /events/{event}/results`. Staff see whole names.
async fn show(
    State(app): State<App>,
    Path(id): Path<String>,
    Query(shown): Query<Shown>,
    frame: Frame,
) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let event = event::queries::event(&mut tx, &id).await?;
    if !event.is_public() && !frame.is_staff() {
        return Err(Error::NotFound);
    }
    let book = Book::open(&mut tx, &id, frame.lang, !frame.is_staff()).await?;
    let (mut all, mut every) = (Vec::new(), Vec::new());
    for discipline in &book.disciplines {
        let placed = places::of_discipline(&mut tx, discipline).await?;
        let more = placed.len().saturating_sub(SHOWN);
        let named =
            placed.iter().take(SHOWN).map(|one| (one.clone(), book.name(&one.entry))).collect();
        every.push(placed);
        all.push(Outcome { discipline: discipline.clone(), placed: named, more });
    }
    let worth = places::points(&mut tx, &id).await?;
    let organisations = places::organisations(&every, &worth);
    let worth = worth.iter().map(i64::to_string).collect::<Vec<_>>().join(" ");
    page(&ResultsPage { frame, event, screen: shown.screen.is_some(), all, organisations, worth })
}

/// `POST /admin/events/{event}/results/points`: what the places are worth, from the first.
async fn set_points(
    State(app): State<App>,
    Path(id): Path<String>,
    staff: Staff,
    frame: Frame,
    form: Typed,
) -> Result<Response> {
    let words = form.value("points").split([' ', ',', '，', '、']).filter(|word| !word.is_empty());
    let points: Option<Vec<i64>> =
        words.map(|word| word.parse().ok().filter(|points| (0..=1000).contains(points))).collect();
    let points = points.filter(|points| points.len() <= 64).ok_or_else(|| {
        Error::invalid(
            "points",
            "请从第一名起依次填写分值，用空格隔开，例如 8 7 6 5 4 3 2 1。",
            "Give the points from the first place on, with spaces between: 8 7 6 5 4 3 2 1.",
        )
    })?;
    let mut tx = app.db.write().await?;
    event::queries::event(&mut tx, &id).await?;
    execute!(tx, "delete from place_points where event_id = $1", &id)?;
    for (place, points) in (1_i64..).zip(&points) {
        execute!(
            tx,
            "insert into place_points (event_id, place, points) values ($1, $2, $3)",
            &id,
            place,
            points
        )?;
    }
    audit::record(&mut tx, &staff, "results.points", &id, form.value("points"), frame.now).await?;
    tx.notify(&id).await?;
    tx.commit().await?;
    app.live.changed(&id);
    Ok(Redirect::to(&format!("/events/{id}/results")).into_response())
}
