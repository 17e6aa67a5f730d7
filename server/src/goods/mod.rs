//! Goods handed out at pick-up points: grain, summer supplies.
//!
//! An event hands out goods once it has a row in `goods`. Each pick-up point has an offer of its own: who books chooses
//! the point and the hours. **A hand-out is a scan at a counter** (a kiosk's, or one that staff make on a phone); the
//! stock of a point is what was brought there less what was scanned there, computed each time, so there is no second
//! truth to keep in step. In reading order: `stock` (the figures), `rules` (who may have one here), `hand_out` (staff's
//! phone), `batch` (units collected by a delegate, whom a union's officer may choose: `officer`), `leftover`, and the pages.

mod batch;
mod batch_pages;
mod counter;
mod desk;
mod hand_out;
mod leftover;
mod officer;
mod pages;
pub(crate) mod queries;
mod rules;
mod setup;
mod stock;

use admission::Millis;
use axum::Router;

pub use self::leftover::sweep;
pub(crate) use self::{
    batch::{NewBatch, add as add_batch},
    officer::shares_of,
    rules::refusal,
    setup::{Entry, NewPoint, add_point, enter, start},
};
use crate::App;

/// The HTML routes.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .merge(pages::routes())
        .merge(desk::routes())
        .merge(counter::routes())
        .merge(batch_pages::routes())
        .merge(officer::routes())
}

/// What an event hands out.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct Goods {
    /// 杂粮礼盒.
    pub(crate) item: String,
    /// 份.
    pub(crate) unit: String,
    /// What one unit cost, if that is recorded.
    pub(crate) unit_cents: Option<i64>,
    /// The offer of the delegates' tickets.
    pub(crate) offer_id: Option<String>,
}

/// Where goods are collected.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct Point {
    pub(crate) id: String,
    pub(crate) event_id: String,
    /// What its kiosks' station is called.
    pub(crate) name: String,
    pub(crate) place: String,
    pub(crate) offer_id: String,
    pub(crate) leftover_ms: Option<i64>,
    /// `line` or `walk_in`.
    pub(crate) leftover_to: String,
    pub(crate) leftover_done_ms: Option<i64>,
}

impl Point {
    /// When what nobody collected goes to others, if that is still to come.
    fn leftover(&self) -> Option<Millis> {
        self.leftover_ms.filter(|_| self.leftover_done_ms.is_none()).map(Millis)
    }
}
