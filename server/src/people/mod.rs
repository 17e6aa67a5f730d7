//! The roster: organisations, members and their cards.

pub mod import;
