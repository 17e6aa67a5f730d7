//! `/admin/events/{event}/list`: who holds tickets; checking in by hand, and taking an admission back.

mod pages;
pub(super) mod queries;

use axum::{
    Router,
    routing::{get, post},
};

pub(crate) use self::queries::like;
use crate::App;

/// The HTML routes.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/admin/events/{event}/list", get(pages::list))
        .route("/admin/events/{event}/list/{ticket}", get(pages::show))
        .route("/admin/events/{event}/list/{ticket}/admission", post(pages::check_in))
        .route("/admin/events/{event}/list/{ticket}/undo", post(pages::undo))
}
