//! The organizer's booking desk of an event: who is to be decided on, who is next and until when, what is to be
//! refunded, what became of others; and each booking with what can be done about it by hand.

mod list;
mod queries;
mod show;

use axum::{
    Router,
    routing::{get, post},
};

use crate::{
    App,
    error::{Error, Result},
    event::{self, Event},
    web::Frame,
};

/// The organizer's routes.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/admin/events/{event}/line", get(list::show))
        .route("/admin/events/{event}/line/decisions", post(list::decide_several))
        .route("/admin/events/{event}/line/{booking}", get(show::show))
        .route("/admin/events/{event}/line/{booking}/payment", post(list::pay))
        .route("/admin/events/{event}/line/{booking}/decision", post(list::decide))
        .route("/admin/events/{event}/line/{booking}/removal", post(show::remove))
        .route("/admin/events/{event}/line/{booking}/turn", post(show::turn))
        .route("/admin/events/{event}/line/{booking}/refund", post(show::refund))
}

/// The event, if the booking is one of it: an id is no permission.
async fn event_of(app: &App, event_id: &str, booking_id: &str) -> Result<Event> {
    let mut tx = app.db.read().await?;
    let event = event::queries::event(&mut tx, event_id).await?;
    match super::queries::find(&mut tx, booking_id).await? {
        Some(booking) if booking.event_id == event.id => Ok(event),
        _ => Err(Error::NotFound),
    }
}

impl queries::Change {
    /// What happened, in words.
    fn words(&self, frame: &Frame) -> &'static str {
        match self.cause.as_str() {
            "promoted" => frame.t("轮到，等待确认", "Their turn; to be confirmed"),
            "called" => frame.t("提前轮到，等待确认", "Called before their turn"),
            "put_last" => frame.t("调到队尾", "Sent to the end of the line"),
            "accepted" => frame.t("接受了名额", "Took the place"),
            "confirmed" => frame.t("已确认", "Confirmed"),
            "paid" => frame.t("已缴费", "Paid"),
            "refunded" => frame.t("已退款", "Refunded"),
            "lapsed" => frame.t("过时未确认", "Lapsed"),
            "cancelled" => frame.t("本人取消", "Cancelled by the holder"),
            "removed" => frame.t("主办方取消", "Cancelled by the organizer"),
            "drawn" => frame.t("抽中", "Drawn"),
            "drawn_out" => frame.t("没有抽中", "Not drawn"),
            "approved" => frame.t("审核通过", "Approved"),
            "declined" => frame.t("审核不通过", "Not approved"),
            "named" => frame.t("由工会指定", "Named by the union"),
            "barred" => frame.t("多次没有来，退出", "Barred for no-shows"),
            "not_eligible" => frame.t("不在报名范围，退出", "Not eligible any more"),
            "taken_back" => frame.t("由工会收回", "Taken back by the union"),
            _ => frame.t("有变化", "Changed"),
        }
    }
}
