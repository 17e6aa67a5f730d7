//! The roster: organisations, members and their cards.
