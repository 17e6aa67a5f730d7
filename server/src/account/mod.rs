//! Signing in: members and guests with a phone and a six-digit code, staff with a name and a password.

mod api;
pub(crate) mod pages;
pub(crate) mod pin;
pub mod rules;

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::App;

/// The JSON routes.
pub(crate) fn api() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(api::code))
        .routes(routes!(api::login))
        .routes(routes!(api::staff_login))
}
