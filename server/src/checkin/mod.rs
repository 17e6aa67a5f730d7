//! What happened at the doors: scans recorded, checks answered, attendance computed from them.

mod api;
pub(crate) mod attendance;
pub(crate) mod by_hand;
mod chart;
pub(crate) mod check;
mod conflict;
mod dashboard;
pub(crate) mod export;
mod holders;
mod outcome;
pub(crate) mod record;

pub use check::Checks;
pub(crate) use export::sheet;
pub(crate) use holders::like;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::App;

/// The JSON routes.
pub(crate) fn api() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(api::attendance)).routes(routes!(api::stream))
}

/// The organizer's pages.
pub(crate) fn desk() -> axum::Router<App> {
    use axum::routing::get;
    axum::Router::new()
        .route("/admin/events/{event}", get(dashboard::show))
        .route("/admin/events/{event}/attendance.xlsx", get(export::export))
        .merge(holders::routes())
        .merge(conflict::routes())
}
