//! Enrolled kiosks: how they join, what they are fed, what they upload, and when they are no longer believed.

pub(crate) mod allotment;
mod api;
mod health;
mod memory;
mod pages;
mod people;
pub(crate) mod queries;
pub mod rules;
mod signatures;
mod upload;

pub(crate) use api::receive;
pub(crate) use health::Health;
pub use memory::Known;
pub(crate) use pages::routes as desk;
pub(crate) use rules::signed_by;
pub use signatures::Signatures;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::App;

/// The JSON routes.
pub(crate) fn api() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(api::add))
        .routes(routes!(api::enrol))
        .routes(routes!(api::feed))
        .routes(routes!(api::scans))
        .routes(routes!(api::check))
        .routes(routes!(api::card_key))
        .routes(routes!(api::people))
}

/// So many wrong PINs are anybody's fingers; more are somebody who tries.
const WRONG_PINS: i64 = 4;

/// A kiosk as the organizer sees it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Kiosk {
    /// Its id, a UUID.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// The event it serves.
    pub event_id: String,
    /// What is done there.
    pub station_kind: String,
    /// The station's name.
    pub station: String,
    /// Ed25519; none until enrolled.
    pub public_key: Option<Vec<u8>>,
    /// When its enrolment code expires.
    pub code_expires_ms: Option<i64>,
    /// When it joined.
    pub enrolled_ms: Option<i64>,
    /// When it was revoked.
    pub revoked_ms: Option<i64>,
    /// Lost or stolen: nothing that it sends is taken any more.
    pub lost: bool,
    /// When its journal contradicted itself.
    pub quarantined_ms: Option<i64>,
    /// How.
    pub quarantine_note: Option<String>,
    /// All through this place of its journal is kept.
    pub head_seq: i64,
    /// The chain after that place.
    pub head_chain: Option<Vec<u8>>,
    /// When it was last heard.
    pub seen_ms: Option<i64>,
    /// How many scans it had yet to send.
    pub queue: i64,
    /// Server's clock minus the kiosk's, as it measured.
    pub skew_ms: Option<i64>,
    /// Wrong PINs that were typed at it within the last day.
    pub wrong_pins: i64,
    /// The revision of the event that it has.
    pub revision_seen: i64,
}

impl Kiosk {
    /// Whether somebody tries PINs at it.
    pub(crate) const fn is_tried(&self) -> bool {
        self.wrong_pins > WRONG_PINS && self.revoked_ms.is_none()
    }
}
