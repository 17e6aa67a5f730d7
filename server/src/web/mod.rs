//! The web's common parts: page frame, who is calling and what they may, problems, static files.

pub mod access;
mod assets;
mod dates;
pub(crate) mod form;
pub mod frame;
mod icon;
pub mod limits;
pub(crate) mod local_time;
pub(crate) mod photo;
pub(crate) mod problem;
mod reader;
pub mod session;
mod to_its_end;

pub(crate) use assets::asset;
pub use frame::Frame;
pub(crate) use to_its_end::ToItsEnd;

use askama::Template;
use axum::{
    http::header,
    response::{Html, IntoResponse, Response},
};

use crate::error::Result;

/// A page from its template.
///
/// # Errors
/// When the template cannot be rendered.
pub fn page(template: &impl Template) -> Result<Response> {
    let html = template.render().map_err(anyhow::Error::from)?;
    Ok(Html(html).into_response())
}

/// A spreadsheet or PDF to be saved under `name`; `ascii` is for browsers that cannot read that, and its ending says
/// which of the two it is.
pub(crate) fn attachment(ascii: &str, name: &str, file: Vec<u8>) -> Response {
    let kind = if ascii.ends_with(".pdf") {
        "application/pdf"
    } else {
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    };
    let named = format!(
        "attachment; filename=\"{ascii}\"; filename*=UTF-8''{}",
        access::percent_encoded(name)
    );
    ([(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, named)], file)
        .into_response()
}

/// The routes of the web's common parts.
pub(crate) fn routes() -> axum::Router<crate::App> {
    use axum::routing::{get, post};
    axum::Router::new()
        .route("/assets/{*path}", get(assets::serve))
        .route("/sw.js", get(assets::service_worker))
        .route("/favicon.ico", get(assets::favicon))
        .route("/language", post(frame::switch))
}
