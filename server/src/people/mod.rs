//! The roster: organisations, members and their cards.

pub mod import;

pub(crate) use import::masked_phone;
