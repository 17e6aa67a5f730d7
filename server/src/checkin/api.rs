//! `/api/v1/events/{event}/attendance`, once and live.

use std::{convert::Infallible, time::Duration};

use axum::{
    Json,
    extract::{Path, State},
    response::sse::{self, KeepAlive, Sse},
};
use futures_util::{Stream, stream};

use super::attendance::{self, Attendance};
use crate::{App, error::Result, event, live::Listener};

/// Changes are gathered for this long, so that a rush at the door is one message.
const GATHER: Duration = Duration::from_millis(150);

/// The attendance of an event.
#[utoipa::path(get, path = "/events/{event}/attendance", params(("event" = String, Path)),
    responses((status = 200, body = Attendance), (status = 404)))]
pub(super) async fn attendance(
    State(app): State<App>,
    Path(event_id): Path<String>,
) -> Result<Json<Attendance>> {
    let mut tx = app.db.read().await?;
    event::queries::event(&mut tx, &event_id).await?;
    Ok(Json(attendance::of_event(&mut tx, &event_id).await?))
}

/// The attendance of an event, now and whenever it changes (server-sent events named `attendance`).
#[utoipa::path(get, path = "/events/{event}/attendance/stream", params(("event" = String, Path)),
    responses((status = 200, content_type = "text/event-stream"), (status = 404)))]
pub(super) async fn stream(
    State(app): State<App>,
    Path(event_id): Path<String>,
) -> Result<Sse<impl Stream<Item = std::result::Result<sse::Event, Infallible>>>> {
    let mut tx = app.db.read().await?;
    event::queries::event(&mut tx, &event_id).await?;
    drop(tx);
    let watch = Watch { changes: app.live.listen(), app, event_id, first: true };
    let events = stream::unfold(watch, |mut watch| async move {
        let event = watch.next().await?;
        Some((Ok(event), watch))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))))
}

struct Watch {
    app: App,
    event_id: String,
    changes: Listener,
    first: bool,
}

impl Watch {
    /// The attendance at the start and after each change; `None` ends the stream, and the page connects again.
    async fn next(&mut self) -> Option<sse::Event> {
        if !std::mem::take(&mut self.first) {
            tokio::select! {
                changed = self.changes.next_of(&self.event_id) => changed?,
                () = self.app.stopping.cancelled() => return None,
            }
            tokio::time::sleep(GATHER).await;
            self.changes.skip();
        }
        let mut tx = self.app.db.read().await.ok()?;
        let attendance = attendance::of_event(&mut tx, &self.event_id).await.ok()?;
        sse::Event::default().event("attendance").json_data(attendance).ok()
    }
}
