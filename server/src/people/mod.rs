//! The roster: organisations, members and their cards.

pub mod import;

pub(crate) use import::text::masked_phone;
