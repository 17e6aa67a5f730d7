//! Ballots: entries are gathered for a time, then places are drawn, and anybody can compute the draw again.
//!
//! The seed of an offer's ballot is made from the key folder's draw key and the offer's id. So it is fixed before the
//! first entry, lies in no database, and every server process can draw; [`record`] says what is published.

pub mod cli;
mod pages;
pub(crate) mod queries;
pub mod record;
mod rules;

pub(crate) use pages::{api, routes};
pub(crate) use queries::is_drawn;
pub use rules::sweep;
pub(crate) use rules::{commit, refuse_change};
