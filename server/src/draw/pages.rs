//! The public page of a ballot, and its record for download.

use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    http::header,
    response::{IntoResponse as _, Response},
    routing::get,
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    queries::{self, Ballot},
    record::{Entry, Record},
};
use crate::{
    App,
    error::{Error, Result},
    event::{self, Event, Offer},
    web::{Frame, page},
};

/// The routes.
pub(crate) fn routes() -> Router<App> {
    Router::new().route("/offers/{offer}/draw", get(show))
}

/// The JSON routes.
pub(crate) fn api() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(record))
}

#[derive(Template)]
#[template(path = "draw/show.html")]
struct DrawPage {
    frame: Frame,
    event: Event,
    offer: Offer,
    ballot: Ballot,
    /// None before the draw.
    record: Option<Record>,
    /// Whether the server finds the record right.
    sound: bool,
}

impl DrawPage {
    /// The entries of those ids, in that order.
    fn entries<'a>(&self, record: &'a Record, ids: &'a [String]) -> Vec<&'a Entry> {
        ids.iter().filter_map(|id| record.entries.iter().find(|entry| entry.id == *id)).collect()
    }

    fn at(&self, ms: &i64) -> String {
        self.frame.in_full(&admission::Millis(*ms), &self.event.time_zone)
    }
}

/// `GET /offers/{offer}/draw`.
async fn show(State(app): State<App>, Path(id): Path<String>, frame: Frame) -> Result<Response> {
    let (event, offer, ballot) = read(&app, &id).await?;
    let record: Option<Record> = ballot
        .record
        .as_deref()
        .map(serde_json::from_str)
        .transpose()
        .map_err(anyhow::Error::from)?;
    let sound = record.as_ref().is_some_and(|record| record.verify().is_ok());
    page(&DrawPage { frame, event, offer, ballot, record, sound })
}

/// The published record of a ballot, as it was drawn; anybody can compute it again.
#[utoipa::path(get, path = "/offers/{offer}/draw", params(("offer" = String, Path)),
    responses((status = 200, body = Record), (status = 404)))]
async fn record(State(app): State<App>, Path(id): Path<String>) -> Result<Response> {
    let (_, _, ballot) = read(&app, &id).await?;
    let record = ballot.record.ok_or(Error::NotFound)?;
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"draw.json\""),
        (header::CACHE_CONTROL, "public, max-age=300"),
    ];
    Ok((headers, record).into_response())
}

async fn read(app: &App, id: &str) -> Result<(Event, Offer, Ballot)> {
    let mut tx = app.db.read().await?;
    let offer = event::queries::offer(&mut tx, id).await?;
    let event = event::queries::event(&mut tx, &offer.event_id).await?;
    if !event.is_public() {
        return Err(Error::NotFound);
    }
    let ballot = queries::ballot(&mut tx, id).await?.ok_or(Error::NotFound)?;
    Ok((event, offer, ballot))
}
