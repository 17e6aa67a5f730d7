//! The roster: organisations, members and their cards.

pub mod import;

/// A phone as it may be shown (`138****5678`), if there is one.
pub(crate) fn shown_phone(phone: Option<&str>) -> String {
    phone.map(import::text::masked_phone).unwrap_or_default()
}
