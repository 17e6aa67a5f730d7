//! Call numbers at a desk's kiosk: who scans there takes a number, as on a phone, where the organizer wants it so.

use admission::sync::{CallNumber, NumberWanted};
use axum::{Json, extract::State};

use super::{pages::Queue, queries};
use crate::{
    App, booking,
    error::{Error, Result},
    event,
    web::access::Kiosk,
};

/// Gives the holder of a ticket the next number of the desk that the kiosk stands at, or the open one they have there
/// already; null where scans are no numbers.
#[utoipa::path(post, path = "/kiosk/numbers", request_body = Object,
    responses((status = 200, body = Object), (status = 401), (status = 404)))]
pub(super) async fn number(
    State(app): State<App>,
    kiosk: Kiosk,
    Json(wanted): Json<NumberWanted>,
) -> Result<Json<Option<CallNumber>>> {
    let now = app.clock.now();
    let mut tx = app.db.read().await?;
    let event = event::queries::event(&mut tx, &kiosk.event_id).await?;
    let desk = queries::of_kiosk(&mut tx, &kiosk.id).await?;
    let ticket = booking::queries::ticket(&mut tx, &wanted.ticket.to_string()).await?;
    drop(tx);
    // A copied disk takes no numbers.
    if ticket.event_id != event.id || kiosk.quarantined {
        return Err(Error::NotFound);
    }
    let Some(desk) = desk.filter(|_| !event.is_cancelled() && now < event.ends_ms) else {
        return Ok(Json(None));
    };
    let mut tx = app.db.write().await?;
    let turn = queries::take(&mut tx, &desk, &ticket.id, now).await?;
    let queue = Queue::read(&mut tx, desk).await?;
    tx.notify(&event.id).await?;
    tx.commit().await?;
    app.live.changed(&event.id);
    let (before, wait) = queue.ahead(Some(&turn));
    let called = turn.state == "called";
    Ok(Json(Some(CallNumber { label: turn.label(), called, before, wait })))
}
