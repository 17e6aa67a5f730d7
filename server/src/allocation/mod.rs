//! Allocation: an offer's places are divided among unions, and each union's officers name their people. What they have
//! not given at the stated time flows back to everybody who may book.

mod api;
mod desk;
mod officers;
mod pages;
pub(crate) mod queries;
pub(crate) mod rules;

use axum::Router;
use utoipa_axum::{router::OpenApiRouter, routes};

pub use self::rules::sweep;
use crate::App;

/// The JSON routes.
pub(crate) fn api() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(api::list))
        .routes(routes!(api::show))
        .routes(routes!(api::members))
        .routes(routes!(api::name))
        .routes(routes!(api::take_back))
}

/// The officers' and the organizer's pages.
pub(crate) fn routes() -> Router<App> {
    pages::routes().merge(desk::routes()).merge(officers::routes())
}
