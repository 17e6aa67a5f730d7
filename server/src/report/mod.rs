//! The yearly report in the federation's form: contests, themed activities, fairs, vouchers, hand-outs, with counts,
//! people (人), person-times (人次) and yuan. Everything is computed from rows each time; what nobody recorded is said
//! to be missing, never nought. The page, the spreadsheet and the PDF are written from the same [`tables`].

mod costs;
mod figures;
mod pages;
mod tables;

use axum::Router;

pub(crate) use self::costs::write as write_cost;
use crate::App;

/// The HTML routes.
pub(crate) fn routes() -> Router<App> {
    pages::routes().merge(costs::routes())
}
