//! Consultation desks: people take a number on their phone or at the desk's kiosk and are called; one visit is one
//! consultation.
//!
//! How long it will take is told from how long the last visits took, or not at all: a made-up figure is worse than none.

mod kiosk;
mod pages;
pub(crate) mod queries;
mod staff;
mod wait;

use admission::Millis;
use axum::Router;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{App, web::Frame};

/// The JSON route.
pub(crate) fn api() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(kiosk::number))
}

/// The HTML routes.
pub(crate) fn routes() -> Router<App> {
    pages::routes().merge(staff::routes())
}

/// A desk and how its queue stands.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Desk {
    pub(crate) id: String,
    pub(crate) event_id: String,
    pub(crate) name: String,
    /// Before its numbers.
    pub(crate) letter: String,
    /// How many people it serves at once.
    pub(crate) seats: i64,
    /// A scan at its kiosk takes a number; else it counts as one visit.
    pub(crate) kiosk_numbers: bool,
}

/// One person's place in a desk's queue.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Turn {
    pub(crate) id: String,
    /// The desk's name and letter.
    pub(crate) desk: String,
    pub(crate) letter: String,
    pub(crate) number: i64,
    pub(crate) ticket_id: Option<String>,
    /// `waiting`, `called`, `done`, `skipped` or `left`.
    pub(crate) state: String,
    pub(crate) taken_ms: i64,
    pub(crate) calls: i64,
}

impl Turn {
    /// A12.
    pub(crate) fn label(&self) -> String {
        format!("{}{}", self.letter, self.number)
    }

    /// When it was taken.
    pub(crate) const fn taken(&self) -> Millis {
        Millis(self.taken_ms)
    }

    /// The look of its badge.
    pub(crate) fn badge(&self) -> &'static str {
        match self.state.as_str() {
            "called" => "ok",
            "waiting" => "info",
            "skipped" => "warn",
            _ => "mute",
        }
    }

    /// How it stands, for its holder.
    pub(crate) fn state_name(&self, frame: &Frame) -> &'static str {
        match self.state.as_str() {
            "called" => frame.t("请过去", "Your turn"),
            "waiting" => frame.t("排队中", "Waiting"),
            "done" => frame.t("已咨询", "Done"),
            "skipped" => frame.t("过号", "Missed"),
            _ => frame.t("已放弃", "Given up"),
        }
    }
}
