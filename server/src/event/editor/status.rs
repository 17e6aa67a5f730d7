//! Publishing, closing and cancelling: one page that says what will happen, then the deed.

use askama::Template;
use axum::{
    extract::{Path, Query, State},
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Deserialize;

use super::{draft, events::refused};
use crate::{
    App,
    error::{Error, Result},
    event::{Event, queries, set_status},
    web::{Frame, access::Staff, form::Typed, page},
};

/// What holders are told fits into a short message.
const NOTE_CHARS: usize = 200;

#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    to: String,
}

#[derive(Template)]
#[template(path = "event/editor/status.html")]
struct StatusPage {
    frame: Frame,
    form: Typed,
    event: Event,
    /// `published`, `closed` or `cancelled`.
    to: String,
    /// Who has a place and will be told.
    holders: i64,
    /// Whether there is anything to book.
    offers: usize,
}

/// `GET /admin/events/{event}/status?to=…`: what it would mean.
pub(super) async fn ask(
    State(app): State<App>,
    Path(id): Path<String>,
    Query(Asked { to }): Query<Asked>,
    frame: Frame,
) -> Result<Response> {
    page(&read(&app, frame, &id, to, Typed::default()).await?)
}

/// `POST /admin/events/{event}/status`.
pub(super) async fn change(
    State(app): State<App>,
    Path(id): Path<String>,
    staff: Staff,
    mut frame: Frame,
    mut form: Typed,
) -> Result<Response> {
    let (to, note) = (form.value("to").to_owned(), form.value("note").trim().to_owned());
    let length = note.chars().count();
    if length > NOTE_CHARS || (to == "cancelled" && note.is_empty()) {
        let zh = format!("请用 1 到 {NOTE_CHARS} 个字告诉持票人，现在是 {length} 个。");
        let en = format!("Please tell holders in 1 to {NOTE_CHARS} characters; it has {length}.");
        draft::blame(&mut form, vec![Error::invalid("note", zh, en).problem().refused]);
        frame.path = format!("/admin/events/{id}/edit");
        return Ok(refused(page(&read(&app, frame, &id, to, form).await?)?));
    }
    let mut tx = app.db.write().await?;
    set_status(&mut tx, &staff, &id, &to, &note, app.clock.now()).await?;
    tx.notify(&id).await?;
    tx.commit().await?;
    app.live.changed(&id);
    app.outbox_wakes.notify_one();
    Ok(Redirect::to(&format!("/admin/events/{id}/edit?done={to}")).into_response())
}

async fn read(app: &App, frame: Frame, id: &str, to: String, form: Typed) -> Result<StatusPage> {
    if !matches!(to.as_str(), "published" | "closed" | "cancelled") {
        return Err(Error::NotFound);
    }
    let mut tx = app.db.read().await?;
    let event = queries::event(&mut tx, id).await?;
    let holders = queries::holders(&mut tx, id).await?;
    let offers = queries::offers(&mut tx, id).await?.len();
    Ok(StatusPage { frame, form, event, to, holders, offers })
}
