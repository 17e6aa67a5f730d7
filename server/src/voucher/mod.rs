//! Vouchers: what partner venues give to members, and what the federation owes them for it.
//!
//! A campaign is an event of kind `voucher`; a batch is one of its offers, with a venue, days and money beside it
//! ([`batch`]); a voucher is a ticket of it; a redemption is a scan at a counter. In reading order: `venue` (who the
//! partners are), [`batch`] (what is handed out), `state` (what a voucher is worth now), `staff`, `counter` and
//! `redeem` (a venue's way in, its page, and what it does), `list`
//! (what its phone judges by without a network), `settlement` (what is owed), `lookup` (disputes), `benefit` and
//! `member_code` (what members get without a voucher).

pub mod batch;
pub(crate) mod benefit;
mod counter;
mod list;
mod lookup;
mod member_code;
mod redeem;
pub(crate) mod serial;
pub(crate) mod settlement;
pub(crate) mod staff;
pub(crate) mod state;
mod venue;
mod venue_pages;

pub use batch::BatchDraft;
pub use list::Prints;
pub use venue::VenueDraft;

use admission::decide::Days;
use axum::Router;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{App, db::Tx, error::Result, event::Event, fetch};

pub(crate) use venue::{Venue, add as add_venue, open as venues, venue};

/// The JSON routes.
pub(crate) fn api() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(venue::list, venue::create))
        .routes(routes!(counter::upload))
        .routes(routes!(counter::codes))
        .routes(routes!(list::list))
}

/// The HTML routes.
pub(crate) fn routes() -> Router<App> {
    venue_pages::routes()
        .merge(staff::routes())
        .merge(counter::routes())
        .merge(settlement::pages::routes())
        .merge(lookup::routes())
        .merge(benefit::routes())
}

/// On which days, from an offer's row. What no program of ours wrote closes every day: a venue must not be charged with
/// what nobody agreed.
pub(crate) fn days(json: Option<&str>) -> Option<Days> {
    json.map(|json| {
        serde_json::from_str(json).unwrap_or_else(|_| Days {
            zone: "Asia/Shanghai".to_owned(),
            weekdays: 0,
            closed: Vec::new(),
        })
    })
}

/// The venue at which a station of an event stands: the one whose name it has.
pub(crate) async fn venue_of_station(
    tx: &mut Tx,
    event: &Event,
    station: &str,
) -> Result<Option<String>> {
    // Doors of other events are in a hurry.
    if event.kind != "voucher" {
        return Ok(None);
    }
    let row: Option<(String,)> = fetch!(
        tx,
        fetch_optional,
        "select v.id from venue v
         where v.name = $1 and exists (select 1 from offer o where o.event_id = $2 and o.venue_id = v.id)",
        station,
        &event.id,
    )?;
    Ok(row.map(|(id,)| id))
}
