//! What a scan came to, in a badge.

use super::by_hand::reason_name;
use crate::web::Frame;

/// What a scan came to, as its row says it.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct Outcome {
    /// `scan`, `hand` or `undo`.
    pub(super) kind: String,
    /// `admitted`, `refused` or `attention`.
    pub(super) verdict: String,
    pub(super) reason: Option<String>,
    /// When staff took the admission back.
    pub(super) undone_ms: Option<i64>,
}

impl Outcome {
    /// The look of its badge.
    pub(super) fn badge(&self) -> &'static str {
        match (self.kind.as_str(), self.verdict.as_str()) {
            ("undo", _) => "mute",
            (_, "admitted") if self.undone_ms.is_some() => "mute",
            (_, "admitted") => "ok",
            (_, "refused") => "warn",
            _ => "info",
        }
    }

    /// The words of its badge, in the reader's language.
    pub(super) fn words(&self, frame: &Frame) -> String {
        let reason = self.reason.as_deref().map(|reason| reason_name(reason, frame.lang));
        let words = match (self.kind.as_str(), self.verdict.as_str()) {
            ("undo", _) => frame.t("撤销入场", "Taken back"),
            (_, "admitted") if self.undone_ms.is_some() => {
                frame.t("入场（已撤销）", "In, taken back")
            }
            ("hand", _) => frame.t("人工签到", "In, by hand"),
            (_, "admitted") => frame.t("入场", "In"),
            _ => return reason.unwrap_or_else(|| frame.t("请核对", "Look").to_owned()),
        };
        words.to_owned()
    }
}
