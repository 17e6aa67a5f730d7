//! Books that members borrow: a copy is lent at the desk by the member's card and the copy's barcode, renewed once,
//! brought back in time or late, waited for, lost. All changes of loans are one at a time, so the last copy is lent once
//! and nobody has more than they may.

mod catalogue;
mod desk;
mod pages;
mod queries;
mod rules;

use axum::Router;

pub use self::{catalogue::NewBook, rules::sweep};
pub(crate) use self::{catalogue::add as add_books, rules::lend};
use crate::App;

/// The HTML routes.
pub(crate) fn routes() -> Router<App> {
    pages::routes().merge(desk::routes())
}
