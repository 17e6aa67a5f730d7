//! Playing: which match is called where and when, scores from umpires' phones, results, and who goes on.
//!
//! In reading order: `schedule` (what is next), `call`, `late` (who does not come), `record` (scores and results),
//! `advance` (what follows), `line_up` (who plays which part of a tie),
//! `table` (groups as they stand); then the pages: `desk` for the organizer, `board` for everybody, the umpire's.
//! All writes of one contest follow one another (`queries::hold`), so what they read stays true.

mod advance;
pub(crate) mod api;
pub(crate) mod board;
pub(crate) mod call;
mod desk;
pub mod late;
pub(crate) mod line_up;
mod line_up_pages;
mod pages;
pub(crate) mod queries;
pub(crate) mod record;
mod schedule;
pub(crate) mod scorer;
pub(crate) mod table;
mod ties;
pub(crate) mod view;

pub use scorer::Umpire;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::App;

/// The JSON routes.
pub(crate) fn api() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(api::desk))
        .routes(routes!(api::show))
        .routes(routes!(api::report))
        .routes(routes!(api::correct))
        .routes(routes!(api::call))
        .routes(routes!(api::arrive))
        .routes(routes!(api::judge_late))
        .routes(routes!(api::fill))
        .routes(routes!(api::add_court))
        .routes(routes!(api::invite))
        .routes(routes!(api::conduct))
        .routes(routes!(api::changes))
}

/// The pages.
pub(crate) fn routes() -> axum::Router<App> {
    desk::routes().merge(pages::routes()).merge(board::routes()).merge(line_up_pages::routes())
}
