//! `/demo`: everything one needs to try the demo world, and the messages that would have gone to phones. There is no
//! such page outside a demo.

use std::sync::Arc;

use askama::Template;
use axum::{Router, extract::State, response::Response, routing::get};

use super::Notes;
use crate::{
    App,
    error::{Error, Result},
    fetch,
    web::{Frame, page},
};

/// The HTML route.
pub(crate) fn routes() -> Router<App> {
    Router::new().route("/demo", get(show))
}

/// A message that would have gone to a phone.
#[derive(sqlx::FromRow)]
struct Message {
    phone: String,
    body: String,
}

#[derive(Template)]
#[template(path = "demo/page.html")]
struct DemoPage {
    frame: Frame,
    notes: Arc<Notes>,
    messages: Vec<Message>,
}

async fn show(State(app): State<App>, frame: Frame) -> Result<Response> {
    let notes = app.demo.clone().ok_or(Error::NotFound)?;
    let mut tx = app.db.read().await?;
    let messages: Vec<Message> = fetch!(
        tx,
        fetch_all,
        "select phone, body from message order by created_ms desc, id desc limit 5"
    )?;
    page(&DemoPage { frame, notes, messages })
}
