//! No-shows: who had a place, stayed away and had not cancelled. They are told, may appeal, and are kept out of scarce
//! offers for a time when it happens too often.

mod api;
mod desk;
mod pages;
pub(crate) mod queries;
pub(crate) mod rules;
mod tally;

use axum::Router;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) use tally::run;
pub use tally::sweep;

use crate::App;

/// The person's and the organizer's pages.
pub(crate) fn routes() -> Router<App> {
    pages::routes().merge(desk::routes())
}

/// The JSON routes.
pub(crate) fn api() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(api::list)).routes(routes!(api::appeal))
}
