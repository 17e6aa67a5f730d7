//! Job fairs: employers at their stands with posts, visitors who look, mark, talk and consent, and the report.
//!
//! A visitor is known inside the fair by their ticket: its code is an opaque visiting card. What a stand writes down is
//! an `encounter`; who the visitor is, an employer sees only while there is `consent`. In reading order: [`import`],
//! `pages` and `search` (what the public sees), `entry` (and `registration`, at the entrance) and `visitor`, `stand` and `exhibitor` (an employer's
//! page and the way into it), `encounter` and `consent` (what is written down), `manage`, `figures`, `report`.

mod card;
pub(crate) mod consent;
mod education;
mod encounter;
mod entry;
pub(crate) mod exhibitor;
mod export;
pub(crate) mod figures;
pub mod import;
mod lawful;
mod manage;
mod marks;
mod occupation;
pub(crate) mod pages;
mod pay;
mod people;
pub(crate) mod queries;
mod registration;
mod report;
mod search;
mod stand;
mod visitor;

use axum::Router;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) use card::{SHORT, read as read_card};
pub(crate) use consent::NOTICE;
pub(crate) use education::Education;
pub(crate) use visitor::ticket_of;

use crate::App;

/// The JSON routes.
pub(crate) fn api() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(stand::upload)).routes(routes!(stand::codes))
}

/// The HTML routes.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .merge(pages::routes())
        .merge(marks::routes())
        .merge(entry::routes())
        .merge(registration::routes())
        .merge(visitor::routes())
        .merge(exhibitor::routes())
        .merge(stand::routes())
        .merge(manage::routes())
        .merge(report::routes())
        .merge(import::pages::routes())
}

/// The words that a visitor agrees to, in Chinese and English.
const fn consent_words() -> (&'static str, &'static str) {
    consent::WORDS
}

/// A firm that looks for people at a fair.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Employer {
    pub(crate) id: String,
    pub(crate) event_id: String,
    pub(crate) name: String,
    pub(crate) uscc: Option<String>,
    /// The number of its stand.
    pub(crate) stand: String,
    pub(crate) union_status: Option<String>,
    /// Whom the federation calls. For staff only.
    pub(crate) contact: String,
    pub(crate) contact_phone: Option<String>,
    /// What its stand's poster says, for visitors to scan.
    pub(crate) poster: String,
}

/// What an employer offers.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Post {
    pub(crate) id: String,
    pub(crate) event_id: String,
    pub(crate) employer_id: String,
    /// Within the event, from 1.
    pub(crate) number: i64,
    pub(crate) name: String,
    /// 职业分类大典 2022.
    pub(crate) occupation: Option<String>,
    /// What it counts as.
    pub(crate) trade: String,
    /// What a search looks into.
    pub(crate) search: String,
    pub(crate) headcount: i64,
    /// A month; none: to be agreed.
    pub(crate) pay_from_cents: Option<i64>,
    pub(crate) pay_to_cents: Option<i64>,
    pub(crate) education: Education,
    pub(crate) place: String,
    pub(crate) work: String,
    pub(crate) conditions: String,
    pub(crate) benefits: String,
    pub(crate) insurance: String,
}
