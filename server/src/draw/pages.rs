//! The public page of a ballot, and its record for download.

use std::collections::HashMap;

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
    record::{Entry, Floor, Record},
};
use crate::{
    App,
    db::Tx,
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
    /// Places set aside for unions.
    floors: Vec<Floor>,
    /// None before the draw.
    record: Option<Record>,
    /// Whether the server finds the record right.
    sound: bool,
}

impl DrawPage {
    /// The entries of those ids, in that order.
    fn entries<'a>(&self, record: &'a Record, ids: &'a [String]) -> Vec<&'a Entry> {
        let by_id: HashMap<&str, &Entry> =
            record.entries.iter().map(|entry| (entry.id.as_str(), entry)).collect();
        ids.iter().filter_map(|id| by_id.get(id.as_str()).copied()).collect()
    }

    /// How many places the people of a union asked for and got; none before the draw.
    fn of_union(&self, union: &str) -> Option<(i64, i64)> {
        let record = self.record.as_ref()?;
        let theirs = |entry: &&Entry| entry.union.as_deref() == Some(union);
        let sum = |entries: Vec<&Entry>| entries.into_iter().map(|entry| entry.places).sum();
        let won = self.entries(record, &record.won).into_iter().filter(theirs).collect();
        Some((sum(record.entries.iter().filter(theirs).collect()), sum(won)))
    }

    fn at(&self, ms: &i64) -> String {
        self.frame.in_full(&admission::Millis(*ms), &self.event.time_zone)
    }
}

/// `GET /offers/{offer}/draw`.
async fn show(State(app): State<App>, Path(id): Path<String>, frame: Frame) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let (event, offer, ballot) = read(&mut tx, &id).await?;
    let floors = queries::floors(&mut tx, &id).await?;
    drop(tx);
    let record: Option<Record> = ballot
        .record
        .as_deref()
        .map(serde_json::from_str)
        .transpose()
        .map_err(anyhow::Error::from)?;
    let sound = record.as_ref().is_some_and(|record| record.verify().is_ok());
    page(&DrawPage { frame, event, offer, ballot, floors, record, sound })
}

/// The published record of a ballot, as it was drawn; anybody can compute it again.
#[utoipa::path(get, path = "/offers/{offer}/draw", params(("offer" = String, Path)),
    responses((status = 200, body = Record), (status = 404)))]
async fn record(State(app): State<App>, Path(id): Path<String>) -> Result<Response> {
    let (_, _, ballot) = read(&mut app.db.read().await?, &id).await?;
    let record = ballot.record.ok_or(Error::NotFound)?;
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"draw.json\""),
        (header::CACHE_CONTROL, "public, max-age=300"),
    ];
    Ok((headers, record).into_response())
}

async fn read(tx: &mut Tx, id: &str) -> Result<(Event, Offer, Ballot)> {
    let offer = event::queries::offer(tx, id).await?;
    let event = event::queries::event(tx, &offer.event_id).await?;
    if !event.is_public() {
        return Err(Error::NotFound);
    }
    let ballot = queries::ballot(tx, id).await?.ok_or(Error::NotFound)?;
    Ok((event, offer, ballot))
}
