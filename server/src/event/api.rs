//! `/api/v1/events`.

use admission::Millis;
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Event, EventDraft, Offer, queries, rules};
use crate::{
    App, audit,
    db::Tx,
    draw,
    error::Result,
    web::access::{Access, Caller, Staff},
};

/// An event as programs see it. Times are milliseconds since 1970, UTC.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventJson {
    id: String,
    kind: String,
    theme: Option<String>,
    title: String,
    place: String,
    entrance: String,
    poster: String,
    starts_ms: i64,
    ends_ms: i64,
    time_zone: String,
    status: String,
    /// What holders are told when it is cancelled.
    cancel_note: String,
    offers: Vec<OfferJson>,
}

/// An offer as programs see it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OfferJson {
    id: String,
    name: String,
    mode: String,
    quota: i64,
    left: i64,
    /// Who finds no place may wait in line.
    waiting_list: bool,
    /// How many bookings wait in line now.
    waiting: i64,
    opens_ms: i64,
    closes_ms: i64,
    cancel_until_ms: i64,
    per_person: i64,
    guests_max: i64,
    eligibility: String,
    valid_from_ms: i64,
    valid_to_ms: i64,
    /// For an allocation: what the unions did not give by then is open to everybody who may book.
    #[serde(skip_serializing_if = "Option::is_none")]
    flow_back_ms: Option<i64>,
    /// `open`, `not_open`, `reserved`, `waiting_list`, `sold_out`, `closed` or `cancelled`.
    standing: &'static str,
}

impl EventJson {
    async fn read(tx: &mut Tx, event: Event, now: Millis) -> Result<Self> {
        let offers = queries::offers(tx, &event.id).await?;
        let offers = offers.into_iter().map(|offer| OfferJson::of(&event, offer, now)).collect();
        Ok(Self {
            id: event.id,
            kind: event.kind,
            theme: event.theme,
            title: event.title,
            place: event.place,
            entrance: event.entrance,
            poster: event.poster,
            starts_ms: event.starts_ms.0,
            ends_ms: event.ends_ms.0,
            time_zone: event.time_zone,
            status: event.status,
            cancel_note: event.cancel_note,
            offers,
        })
    }
}

impl OfferJson {
    fn of(event: &Event, offer: Offer, now: Millis) -> Self {
        Self {
            standing: rules::standing(event, &offer, now).word(),
            left: offer.left(),
            flow_back_ms: offer.flow_back_ms,
            id: offer.id,
            name: offer.name,
            waiting_list: offer.waiting_list,
            waiting: offer.waiting,
            mode: offer.mode,
            quota: offer.quota,
            opens_ms: offer.opens_ms.0,
            closes_ms: offer.closes_ms.0,
            cancel_until_ms: offer.cancel_until_ms.0,
            per_person: offer.per_person,
            guests_max: offer.guests_max,
            eligibility: offer.eligibility,
            valid_from_ms: offer.valid_from_ms.0,
            valid_to_ms: offer.valid_to_ms.0,
        }
    }
}

/// The events that are public and not over.
#[utoipa::path(get, path = "/events", responses((status = 200, body = [EventJson])))]
pub(super) async fn list(State(app): State<App>) -> Result<Json<Vec<EventJson>>> {
    let now = app.clock.now();
    let mut tx = app.db.read().await?;
    let mut events = Vec::new();
    for event in queries::public(&mut tx, now).await? {
        events.push(EventJson::read(&mut tx, event, now).await?);
    }
    Ok(Json(events))
}

/// One event. Staff see drafts too.
#[utoipa::path(get, path = "/events/{event}", params(("event" = String, Path)),
    responses((status = 200, body = EventJson), (status = 404)))]
pub(super) async fn show(
    State(app): State<App>,
    Path(id): Path<String>,
    caller: Caller,
) -> Result<Json<EventJson>> {
    let mut tx = app.db.read().await?;
    let event = queries::event(&mut tx, &id).await?;
    if !event.is_public() && !Access::Volunteer.admits(&caller) {
        return Err(crate::error::Error::NotFound);
    }
    Ok(Json(EventJson::read(&mut tx, event, app.clock.now()).await?))
}

/// Makes an event with its offers.
#[utoipa::path(post, path = "/events", request_body = EventDraft,
    responses((status = 201, body = EventJson), (status = 422)))]
pub(super) async fn create(
    State(app): State<App>,
    staff: Staff,
    Json(draft): Json<EventDraft>,
) -> Result<(StatusCode, Json<EventJson>)> {
    rules::check_event(&draft)?;
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let id = queries::create(&mut tx, &draft, now).await?;
    audit::record(&mut tx, &staff, "event.create", &id, "", now).await?;
    draw::commit(&mut tx, &app.keys, &id, now).await?;
    let event = queries::event(&mut tx, &id).await?;
    let json = EventJson::read(&mut tx, event, now).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(json)))
}

/// What may change of an event; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct EventChange {
    title: Option<String>,
    place: Option<String>,
    entrance: Option<String>,
    poster: Option<String>,
    theme: Option<String>,
    starts_ms: Option<i64>,
    ends_ms: Option<i64>,
    /// `published`, `closed` or `cancelled`.
    status: Option<String>,
    /// With `cancelled`: what holders are told.
    cancel_note: Option<String>,
}

/// Changes an event: its particulars, or its status.
#[utoipa::path(patch, path = "/events/{event}", params(("event" = String, Path)), request_body = EventChange,
    responses((status = 200, body = EventJson), (status = 404), (status = 422)))]
pub(super) async fn change(
    State(app): State<App>,
    Path(id): Path<String>,
    staff: Staff,
    Json(change): Json<EventChange>,
) -> Result<Json<EventJson>> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let event = queries::event(&mut tx, &id).await?;
    let draft = EventDraft {
        kind: event.kind,
        theme: change.theme.or(event.theme),
        title: change.title.unwrap_or(event.title),
        place: change.place.unwrap_or(event.place),
        entrance: change.entrance.unwrap_or(event.entrance),
        poster: change.poster.unwrap_or(event.poster),
        starts_ms: change.starts_ms.unwrap_or(event.starts_ms.0),
        ends_ms: change.ends_ms.unwrap_or(event.ends_ms.0),
        time_zone: event.time_zone,
        status: "draft".to_owned(),
        offers: Vec::new(),
    };
    rules::check_event(&draft)?;
    queries::update(&mut tx, &id, &draft, now).await?;
    audit::record(&mut tx, &staff, "event.change", &id, "", now).await?;
    if let Some(status) = &change.status {
        super::set_status(
            &mut tx,
            &staff,
            &id,
            status,
            change.cancel_note.as_deref().unwrap_or_default(),
            now,
        )
        .await?;
    }
    let event = queries::event(&mut tx, &id).await?;
    let json = EventJson::read(&mut tx, event, now).await?;
    tx.notify(&id).await?;
    tx.commit().await?;
    app.live.changed(&id);
    // A cancelled event's holders are told.
    app.outbox_wakes.notify_one();
    Ok(Json(json))
}
