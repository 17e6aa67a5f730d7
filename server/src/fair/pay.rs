//! What a post pays, in words.

use super::Post;
use crate::web::Frame;

impl Post {
    /// 4500–6000 元/月; 面议.
    pub(crate) fn pay(&self, frame: &Frame) -> String {
        let yuan = |cents: i64| cents / 100;
        match (self.pay_from_cents.map(yuan), self.pay_to_cents.map(yuan)) {
            (Some(from), Some(to)) if from == to => {
                frame.say(format!("{from} 元/月"), format!("¥{from} a month"))
            }
            (Some(from), Some(to)) => {
                frame.say(format!("{from}–{to} 元/月"), format!("¥{from}–{to} a month"))
            }
            (Some(from), None) => {
                frame.say(format!("{from} 元/月起"), format!("from ¥{from} a month"))
            }
            (None, Some(to)) => {
                frame.say(format!("最高 {to} 元/月"), format!("up to ¥{to} a month"))
            }
            (None, None) => frame.t("薪资面议", "Pay to be agreed").to_owned(),
        }
    }

    /// The most it pays, for searches; one whose pay is to be agreed may pay anything.
    pub(super) fn pays_at_least(&self, yuan: i64) -> bool {
        self.pay_to_cents.or(self.pay_from_cents).is_none_or(|cents| cents >= yuan * 100)
    }
}
