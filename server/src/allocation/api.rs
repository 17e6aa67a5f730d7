//! An officer's part of an offer as programs see it: what their union may give, to whom they gave it, and naming and
//! taking back. The rules are those of the pages.

use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    queries::{self, Colleague, Named, Task},
    rules::{self, Share},
};
use crate::{
    App,
    booking::{Status, named::Naming},
    error::Result,
    web::access::Person,
};

/// At most so many members are listed; others are found by name.
const MEMBERS: i64 = 100;

/// A union's part of an offer.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AllocationJson {
    event: String,
    /// The event's title.
    title: String,
    offer: String,
    /// The offer's name.
    offer_name: String,
    union: String,
    union_name: String,
    /// How many places the union may give.
    places: i64,
    /// How many it has given.
    given: i64,
    /// `not_open`, `naming`, `flowed_back` (what was left is open to everybody who may book) or `closed`.
    state: &'static str,
    /// What is not given by then flows back, milliseconds since 1970, UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    flow_back_ms: Option<i64>,
    /// When those in line were given what had flowed back.
    #[serde(skip_serializing_if = "Option::is_none")]
    flowed_back_ms: Option<i64>,
}

/// Somebody whom an officer of the union named.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NamedJson {
    booking: String,
    name: String,
    status: Status,
    /// `taken_back` by the union, `cancelled` by the person themselves, …
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_by: Option<String>,
    /// The officer's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    officer: Option<String>,
    created_ms: i64,
}

/// A union's part of an offer, and whom it gave places.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AllocationWithNamedJson {
    #[serde(flatten)]
    allocation: AllocationJson,
    /// The newest first.
    named: Vec<NamedJson>,
}

/// A member of the officer's union.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ColleagueJson {
    person: String,
    name: String,
    /// The enterprise they work for.
    #[serde(skip_serializing_if = "Option::is_none")]
    firm: Option<String>,
    /// How their open booking of the offer stands, if they have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
}

impl From<Share> for AllocationJson {
    fn from(share: Share) -> Self {
        Self {
            state: share.state().word(),
            flow_back_ms: share.offer.flow_back_ms,
            flowed_back_ms: share.offer.flowed_back_ms,
            event: share.event.id,
            title: share.event.title,
            offer: share.offer.id,
            offer_name: share.offer.name,
            union: share.union_id,
            union_name: share.union_name,
            places: share.places,
            given: share.taken,
        }
    }
}

impl From<Named> for NamedJson {
    fn from(named: Named) -> Self {
        Self {
            booking: named.booking_id,
            name: named.name,
            status: named.status,
            ended_by: named.cancelled_by,
            officer: named.officer,
            created_ms: named.created_ms.0,
        }
    }
}

impl From<Colleague> for ColleagueJson {
    fn from(colleague: Colleague) -> Self {
        let Colleague { id, name, firm, status, .. } = colleague;
        Self { person: id, name, firm, status }
    }
}

/// What the caller gives as officer of their union, the most urgent first. Empty when they are no officer.
#[utoipa::path(get, path = "/officer/allocations", responses((status = 200, body = [AllocationJson])))]
pub(super) async fn list(
    State(app): State<App>,
    officer: Person,
) -> Result<Json<Vec<AllocationJson>>> {
    let now = app.clock.now();
    let mut tx = app.db.read().await?;
    let mut all = Vec::new();
    for Task { offer_id, union_id, .. } in queries::tasks(&mut tx, &officer.id, now).await? {
        all.push(Share::of(&mut tx, &officer, (&offer_id, &union_id), now).await?.into());
    }
    Ok(Json(all))
}

/// One part of an offer, and whom the union gave places.
#[utoipa::path(get, path = "/officer/allocations/{offer}/{union}",
    params(("offer" = String, Path), ("union" = String, Path)),
    responses((status = 200, body = AllocationWithNamedJson), (status = 404)))]
pub(super) async fn show(
    State(app): State<App>,
    officer: Person,
    Path((offer, union)): Path<(String, String)>,
) -> Result<Json<AllocationWithNamedJson>> {
    let mut tx = app.db.read().await?;
    let share = Share::of(&mut tx, &officer, (&offer, &union), app.clock.now()).await?;
    let named = queries::named(&mut tx, &offer, &union).await?;
    let named = named.into_iter().map(NamedJson::from).collect();
    Ok(Json(AllocationWithNamedJson { allocation: share.into(), named }))
}

/// Whom to look for.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Sought {
    #[serde(default)]
    q: String,
}

/// Members of the union whose name contains `q`, with how they stand towards the offer; 100 at most.
#[utoipa::path(get, path = "/officer/allocations/{offer}/{union}/members",
    params(("offer" = String, Path), ("union" = String, Path), ("q" = Option<String>, Query)),
    responses((status = 200, body = [ColleagueJson]), (status = 404)))]
pub(super) async fn members(
    State(app): State<App>,
    officer: Person,
    Path((offer, union)): Path<(String, String)>,
    Query(Sought { q }): Query<Sought>,
) -> Result<Json<Vec<ColleagueJson>>> {
    let mut tx = app.db.read().await?;
    Share::of(&mut tx, &officer, (&offer, &union), app.clock.now()).await?;
    let found = queries::colleagues(&mut tx, &offer, &union, q.trim(), MEMBERS).await?;
    Ok(Json(found.into_iter().map(ColleagueJson::from).collect()))
}

/// Whom an officer names.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Chosen {
    /// The person's id.
    person: String,
}

/// Names a member: they have a place and a ticket, and are told. Naming them again changes nothing.
#[utoipa::path(post, path = "/officer/allocations/{offer}/{union}/bookings", request_body = Chosen,
    params(("offer" = String, Path), ("union" = String, Path)),
    responses((status = 201, body = AllocationWithNamedJson), (status = 403), (status = 404), (status = 409), (status = 429)))]
pub(super) async fn name(
    State(app): State<App>,
    officer: Person,
    Path((offer_id, union_id)): Path<(String, String)>,
    Json(chosen): Json<Chosen>,
) -> Result<(StatusCode, Json<AllocationWithNamedJson>)> {
    let path = Path((offer_id.clone(), union_id.clone()));
    let naming = Naming { officer: officer.clone(), offer_id, union_id };
    naming.name(&app, &chosen.person).await?;
    Ok((StatusCode::CREATED, show(State(app), officer, path).await?))
}

/// Takes a place back from somebody the union named, in time. Doing it again changes nothing.
#[utoipa::path(post, path = "/officer/allocations/{offer}/{union}/bookings/{booking}/return",
    params(("offer" = String, Path), ("union" = String, Path), ("booking" = String, Path)),
    responses((status = 200, body = AllocationWithNamedJson), (status = 404), (status = 409)))]
pub(super) async fn take_back(
    State(app): State<App>,
    officer: Person,
    Path((offer_id, union_id, booking)): Path<(String, String, String)>,
) -> Result<Json<AllocationWithNamedJson>> {
    let path = Path((offer_id.clone(), union_id.clone()));
    let naming = Naming { officer: officer.clone(), offer_id, union_id };
    naming.take_back(&app, &booking).await?;
    show(State(app), officer, path).await
}

impl rules::State {
    const fn word(self) -> &'static str {
        match self {
            Self::NotOpen => "not_open",
            Self::Naming => "naming",
            Self::FlowedBack => "flowed_back",
            Self::Closed => "closed",
        }
    }
}
