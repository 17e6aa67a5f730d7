//! What a scan came to, in a badge.

use super::by_hand::reason_name;
use crate::web::Frame;

/// What a scan came to, as its row says it.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct Outcome {
    /// `scan`, `hand` or `undo`.
    pub(super) kind: String,
    /// What a person did: `scan`, `hand`, `override`, `undo`, `consent`, `walk_in`.
    pub(super) act: String,
    /// What is done at the station.
    pub(super) station_kind: String,
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
        let words = match (self.act.as_str(), self.kind.as_str(), self.verdict.as_str()) {
            ("consent", ..) => frame.t("本人表态", "Said whether they agree"),
            (_, "undo", _) => frame.t("撤销入场", "Taken back"),
            (_, _, "admitted") if self.undone_ms.is_some() => {
                frame.t("入场（已撤销）", "In, taken back")
            }
            ("override", ..) => frame.t("主管放行", "Let in by a supervisor"),
            ("walk_in", ..) => frame.t("现场入场", "In, without booking"),
            (_, "hand", _) => frame.t("人工签到", "In, by hand"),
            (_, _, "admitted") => match self.station_kind.as_str() {
                "exit" => frame.t("离场", "Out"),
                "counter" => frame.t("核销", "Redeemed"),
                "booth" | "desk" => frame.t("到访", "Visit"),
                "checkpoint" => frame.t("打卡", "Checkpoint"),
                _ => frame.t("入场", "In"),
            },
            _ => return reason.unwrap_or_else(|| frame.t("请核对", "Look").to_owned()),
        };
        words.to_owned()
    }
}
