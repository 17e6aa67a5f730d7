//! `/api/v1/bookings` and the pictures of tickets.

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Status, held, line, picture, queries,
    rules::{self, Booked, BookedTicket, Request},
};
use crate::{App, db::new_id, error::Result, web::access::Person};

/// Books places of an offer, for oneself and for companions. The same Idempotency-Key gives the same answer again.
#[utoipa::path(post, path = "/bookings", request_body = Request,
    params(("Idempotency-Key" = Option<String>, Header, description = "Names this tap; send it again when the reply was lost")),
    responses((status = 201, body = Booked), (status = 403), (status = 409), (status = 422), (status = 503)))]
pub(super) async fn book(
    State(app): State<App>,
    person: Person,
    headers: HeaderMap,
    Json(request): Json<Request>,
) -> Result<(StatusCode, Json<Booked>)> {
    // Without a key there is nothing to recognise a second try by, but the ledger still needs one for its own.
    let key = match headers.get("idempotency-key") {
        // One that cannot be read is refused as an empty one is.
        Some(key) => key.to_str().unwrap_or_default().to_owned(),
        None => new_id(app.clock.now()),
    };
    Ok((StatusCode::CREATED, Json(rules::book(&app, &person, request, &key).await?)))
}

/// A booking as its holder sees it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BookingJson {
    id: String,
    event: String,
    offer: String,
    status: Status,
    places: i64,
    created_ms: i64,
    /// Its position in the line now: 1 is next.
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<i64>,
    /// Its places are held until then, to be confirmed or paid for.
    #[serde(skip_serializing_if = "Option::is_none")]
    held_until_ms: Option<i64>,
    tickets: Vec<BookedTicket>,
}

/// One's own booking.
#[utoipa::path(get, path = "/bookings/{booking}", params(("booking" = String, Path)),
    responses((status = 200, body = BookingJson), (status = 404)))]
pub(super) async fn show(
    State(app): State<App>,
    person: Person,
    Path(id): Path<String>,
) -> Result<Json<BookingJson>> {
    let mut tx = app.db.read().await?;
    let booking = queries::booking(&mut tx, &id, &person.id).await?;
    let tickets = queries::tickets_of(&mut tx, &id).await?;
    let position = line::position(&mut tx, &booking).await?;
    let tickets = tickets
        .iter()
        .map(|ticket| Ok(BookedTicket { id: ticket.id.clone(), code: ticket.code(&app.keys)? }))
        .collect::<Result<_>>()?;
    Ok(Json(BookingJson {
        id: booking.id,
        event: booking.event_id,
        offer: booking.offer_id,
        status: booking.status,
        places: booking.places,
        created_ms: booking.created_ms.0,
        position,
        held_until_ms: booking.held_until_ms,
        tickets,
    }))
}

/// Cancels one's own booking in time; the places go back. Cancelling again changes nothing.
#[utoipa::path(post, path = "/bookings/{booking}/cancellation", params(("booking" = String, Path)),
    responses((status = 200, body = BookingJson), (status = 404), (status = 409)))]
pub(super) async fn cancel(
    State(app): State<App>,
    person: Person,
    Path(id): Path<String>,
) -> Result<Json<BookingJson>> {
    rules::cancel(&app, &person, &id).await?;
    show(State(app), person, Path(id)).await
}

/// Takes the places that are held for one. Confirming again changes nothing.
#[utoipa::path(post, path = "/bookings/{booking}/confirmation", params(("booking" = String, Path)),
    responses((status = 200, body = BookingJson), (status = 404), (status = 409)))]
pub(super) async fn confirm(
    State(app): State<App>,
    person: Person,
    Path(id): Path<String>,
) -> Result<Json<BookingJson>> {
    held::confirm(&app, &person, &id).await?;
    show(State(app), person, Path(id)).await
}

/// The ticket's code as PNG.
#[utoipa::path(get, path = "/tickets/{ticket}/qr.png", params(("ticket" = String, Path)),
    responses((status = 200, content_type = "image/png"), (status = 404)))]
pub(super) async fn qr_png(
    State(app): State<App>,
    person: Person,
    Path(id): Path<String>,
) -> Result<Response> {
    let code = own_code(&app, &person, &id).await?;
    Ok(private("image/png", picture::qr_png(&code)?))
}

/// The ticket's code as SVG.
#[utoipa::path(get, path = "/tickets/{ticket}/qr.svg", params(("ticket" = String, Path)),
    responses((status = 200, content_type = "image/svg+xml"), (status = 404)))]
pub(super) async fn qr_svg(
    State(app): State<App>,
    person: Person,
    Path(id): Path<String>,
) -> Result<Response> {
    let code = own_code(&app, &person, &id).await?;
    Ok(private("image/svg+xml", picture::qr_svg(&code)?.into_bytes()))
}

async fn own_code(app: &App, person: &Person, id: &str) -> Result<String> {
    let mut tx = app.db.read().await?;
    queries::ticket_of(&mut tx, id, &person.id).await?.code(&app.keys)
}

fn private(kind: &'static str, body: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "private, no-store")], body)
        .into_response()
}
