//! Allocation: an offer's places are divided among unions, and each union's officers name their people. What they have
//! not given at the stated time flows back to everybody who may book.

mod desk;
mod officers;
mod pages;
pub(crate) mod queries;
pub(crate) mod rules;

use axum::Router;

pub use self::rules::sweep;
use crate::App;

/// The officers' and the organizer's pages.
pub(crate) fn routes() -> Router<App> {
    pages::routes().merge(desk::routes()).merge(officers::routes())
}
