//! The organizer's editor: an event's particulars, its offers, its status.

mod draft;
mod events;
mod offers;
mod status;

use axum::{Router, routing::get};
use serde::Deserialize;

use crate::{App, web::Frame};

/// The HTML routes.
pub(super) fn routes() -> Router<App> {
    use axum::routing::post;
    Router::new()
        .route("/admin/events/new", get(events::new))
        .route("/admin/events", post(events::create))
        .route("/admin/events/{event}/edit", get(events::edit).post(events::change))
        .route("/admin/events/{event}/status", get(status::ask).post(status::change))
        .route("/admin/events/{event}/offers/new", get(offers::new))
        .route("/admin/events/{event}/offers", post(offers::create))
        .route("/admin/events/{event}/offers/{offer}", get(offers::edit).post(offers::change))
}

/// What was just done, in an address, so that the page it leads to can say so.
#[derive(Debug, Default, Deserialize)]
struct Done {
    #[serde(default)]
    done: String,
}

impl Done {
    /// What was done and what comes next, for a notice.
    fn said(&self, frame: &Frame) -> Option<(&'static str, &'static str)> {
        let (zh, en) = match self.done.as_str() {
            "created" => (
                ("活动已存为草稿。", "再添加一个名额，就可以发布了。发布之前会员看不到。"),
                (
                    "Saved as a draft.",
                    "Add an offer, then publish. Until then members do not see it.",
                ),
            ),
            "saved" => (
                ("活动已保存。", "如果改了时间，请看看各名额的报名和入场时间是否也要改。"),
                ("Saved.", "If you changed its time, check the times of its offers too."),
            ),
            "offer" => (
                ("名额已保存。", "已经发出的票保持原来的入场时间。"),
                ("The offer was saved.", "Tickets that were issued keep their own times."),
            ),
            "published" => (
                ("活动已发布。", "会员现在能看到，并按报名时间报名。"),
                ("Published.", "Members see it now and can book when booking is open."),
            ),
            "closed" => (
                ("已停止报名。", "已经发出的票照常入场。"),
                ("Booking is closed.", "Tickets that were issued still admit."),
            ),
            "cancelled" => (
                ("活动已取消。", "持票人已收到通知，他们的票在入口会被拒绝。"),
                ("Cancelled.", "Holders are told, and their tickets are refused at the doors."),
            ),
            _ => return None,
        };
        Some(match frame.lang {
            admission::say::Lang::Zh => zh,
            admission::say::Lang::En => en,
        })
    }
}
