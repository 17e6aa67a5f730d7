//! A person's no-shows as programs see them.

use axum::{
    Json,
    extract::{Path, State},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    queries::{self, NoShow},
    rules,
};
use crate::{App, error::Result, web::access::Person};

/// A booking whose holder stayed away without cancelling.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NoShowJson {
    booking: String,
    event: String,
    /// The event's title.
    title: String,
    /// The offer's name.
    offer: String,
    /// When admission ended, milliseconds since 1970, UTC.
    at_ms: i64,
    /// Not when it was excused, the event was cancelled, or a late scan shows that somebody went in.
    counts: bool,
    /// What the person said to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    appeal: Option<String>,
    /// `excused` or `kept`, once it was decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<String>,
    /// Why it was decided so.
    #[serde(skip_serializing_if = "String::is_empty")]
    reason: String,
}

impl From<NoShow> for NoShowJson {
    fn from(no_show: NoShow) -> Self {
        Self {
            booking: no_show.booking_id,
            event: no_show.event_id,
            title: no_show.title,
            offer: no_show.offer,
            at_ms: no_show.at_ms.0,
            counts: no_show.counts,
            appeal: no_show.appeal,
            decision: no_show.decision,
            reason: no_show.reason,
        }
    }
}

/// What a person's no-shows come to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NoShowsJson {
    /// Until then, offers that count no-shows are closed to the caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    barred_until_ms: Option<i64>,
    /// The newest first.
    no_shows: Vec<NoShowJson>,
}

/// The caller's own no-shows.
#[utoipa::path(get, path = "/no-shows", responses((status = 200, body = NoShowsJson)))]
pub(super) async fn list(State(app): State<App>, person: Person) -> Result<Json<NoShowsJson>> {
    let mut tx = app.db.read().await?;
    let no_shows = queries::of_person(&mut tx, &person.id).await?;
    let barred = rules::bar_of(&mut tx, &no_shows, app.clock.now()).await?;
    let no_shows = no_shows.into_iter().map(NoShowJson::from).collect();
    Ok(Json(NoShowsJson { barred_until_ms: barred.map(|until| until.0), no_shows }))
}

/// What a person says to a no-show.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Appeal {
    /// 1 to 300 characters.
    text: String,
}

/// Says why one stayed away. Until it is decided, it may be said again.
#[utoipa::path(post, path = "/bookings/{booking}/appeal", params(("booking" = String, Path)), request_body = Appeal,
    responses((status = 200, body = NoShowJson), (status = 404), (status = 409), (status = 422)))]
pub(super) async fn appeal(
    State(app): State<App>,
    person: Person,
    Path(booking): Path<String>,
    Json(appeal): Json<Appeal>,
) -> Result<Json<NoShowJson>> {
    Ok(Json(rules::appeal(&app, &person, &booking, &appeal.text).await?.into()))
}
