//! The draw of a discipline: who stands where. Pure; chance comes from a seed, so anybody can compute it again.
//!
//! In reading order: [`lots`] (chance), [`places`] (lines of seeds and byes), `flow` (which entrants of one
//! organisation can still be kept apart), [`knock_out`], [`groups`], [`circle`] (who plays whom in a group and when),
//! [`record`] (what is published). docs/draws.md says the rule for readers who do not read Rust.

pub mod circle;
mod flow;
pub mod groups;
pub mod knock_out;
pub mod lots;
pub mod places;
pub mod record;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The most entrants of one draw.
pub const ENTRANTS_MAX: usize = 256;

/// Who is to be drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entrant {
    /// What the lots are drawn by: unique in the draw.
    pub id: String,
    /// Entrants of one organisation are kept apart; who has none is kept apart from nobody.
    pub organisation: Option<String>,
    /// 1 is the strongest; none: not seeded. Of two with one number the lot decides.
    pub seed: Option<u32>,
    /// In a knock-out those of a lower stage are drawn, and kept apart, before those of a higher one; seeds are of the
    /// lowest, 0. So the second of a group keeps clear of its first, wherever the third may go then.
    pub stage: u8,
}

/// How many pairs of one organisation's entrants the draw could not keep apart. All nought: all were.
///
/// The rules are relaxed from the last: first round, then quarter, then half. So no pair shares a half that did not have
/// to, however many meet in the first round for it.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq, PartialOrd, Ord, ToSchema,
)]
pub struct Together {
    /// Pairs in one group.
    #[serde(default)]
    pub group: u32,
    /// Pairs in one half; two of three must share one.
    pub half: u32,
    /// Pairs in one quarter.
    pub quarter: u32,
    /// Pairs that meet in the first round.
    pub first_round: u32,
}
