//! Results: places by discipline, points by organisation, certificates that anybody can verify, a spreadsheet.

pub(crate) mod certificate;
mod export;
mod pages;
pub(crate) mod places;

use crate::App;

/// The pages.
pub(crate) fn routes() -> axum::Router<App> {
    pages::routes().merge(certificate::routes())
}
