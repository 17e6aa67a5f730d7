//! An event's particulars: new, and changed.

use askama::Template;
use axum::{
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
};

use super::{Done, draft};
use crate::{
    App, audit,
    error::Result,
    event::{Event, Offer, queries, rules},
    web::{Frame, access::Staff, form::Typed, page},
};

#[derive(Template)]
#[template(path = "event/editor/new.html")]
struct NewPage {
    frame: Frame,
    form: Typed,
}

#[derive(Template)]
#[template(path = "event/editor/edit.html")]
struct EditPage {
    frame: Frame,
    form: Typed,
    event: Event,
    offers: Vec<Offer>,
    done: Done,
    tab: &'static str,
}

/// `GET /admin/events/new`.
pub(super) async fn new(frame: Frame) -> Result<Response> {
    page(&NewPage { frame, form: draft::blank_event() })
}

/// `POST /admin/events`: makes a draft and leads to its first offer.
pub(super) async fn create(
    State(app): State<App>,
    staff: Staff,
    mut frame: Frame,
    mut form: Typed,
) -> Result<Response> {
    let Some(draft) = draft::event(&mut form) else {
        frame.path = "/admin/events/new".to_owned();
        return Ok(refused(page(&NewPage { frame, form })?));
    };
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let id = queries::create(&mut tx, &draft, now).await?;
    audit::record(&mut tx, &staff, "event.create", &id, "", now).await?;
    tx.commit().await?;
    Ok(Redirect::to(&format!("/admin/events/{id}/offers/new?done=created")).into_response())
}

/// `GET /admin/events/{event}/edit`.
pub(super) async fn edit(
    State(app): State<App>,
    Path(id): Path<String>,
    Query(done): Query<Done>,
    frame: Frame,
) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let event = queries::event(&mut tx, &id).await?;
    let offers = queries::offers(&mut tx, &id).await?;
    let form = draft::form_of_event(&event);
    page(&EditPage { frame, form, event, offers, done, tab: "edit" })
}

/// `POST /admin/events/{event}/edit`.
pub(super) async fn change(
    State(app): State<App>,
    Path(id): Path<String>,
    staff: Staff,
    frame: Frame,
    mut form: Typed,
) -> Result<Response> {
    let Some(draft) = draft::event(&mut form) else {
        let mut tx = app.db.read().await?;
        let event = queries::event(&mut tx, &id).await?;
        let offers = queries::offers(&mut tx, &id).await?;
        let again = EditPage { frame, form, event, offers, done: Done::default(), tab: "edit" };
        return Ok(refused(page(&again)?));
    };
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    queries::event(&mut tx, &id).await?;
    queries::update(&mut tx, &id, &draft, now).await?;
    audit::record(&mut tx, &staff, "event.change", &id, "", now).await?;
    tx.notify(&id).await?;
    tx.commit().await?;
    app.live.changed(&id);
    Ok(Redirect::to(&format!("/admin/events/{id}/edit?done=saved")).into_response())
}

impl EditPage {
    /// How an offer's places are given.
    fn mode(&self, offer: &Offer) -> String {
        let mode = match offer.mode.as_str() {
            "draw" => self.frame.t("抽签", "Draw"),
            "approval" => self.frame.t("审核", "Approval"),
            "allocation" => self.frame.t("分到各工会", "Allocation"),
            _ => self.frame.t("先到先得", "First come"),
        };
        let line =
            if offer.waiting_list { self.frame.t("，可候补", ", waiting list") } else { "" };
        format!("{mode}{line}")
    }

    /// How an offer stands: the look of its badge, and its words.
    fn standing(&self, offer: &Offer) -> (&'static str, &'static str) {
        use rules::Standing::{Cancelled, Closed, Line, NotOpen, Open, Reserved, SoldOut};
        match rules::standing(&self.event, offer, self.frame.now) {
            Closed if offer.is_given() => {
                ("info", self.frame.t("随报名给出", "Comes with entries"))
            }
            Open => ("ok", self.frame.t("正在报名", "Open")),
            NotOpen => ("info", self.frame.t("还没开始", "Not open yet")),
            Reserved => ("info", self.frame.t("由各工会指定", "Given by the unions")),
            Line if offer.is_reserved(self.frame.now) => {
                ("info", self.frame.t("由各工会指定，可候补", "Given by the unions; waiting list"))
            }
            Line => ("warn", self.frame.t("名额已满，可候补", "Full; waiting list")),
            SoldOut => ("warn", self.frame.t("名额已满", "Full")),
            Closed if self.event.status == "draft" => {
                ("mute", self.frame.t("未发布", "Not published"))
            }
            Closed => ("mute", self.frame.t("报名已截止", "Closed")),
            Cancelled => ("warn", self.frame.t("已取消", "Cancelled")),
        }
    }
}

/// The same page, as the answer to what could not be saved.
pub(super) fn refused(page: Response) -> Response {
    (StatusCode::UNPROCESSABLE_ENTITY, page).into_response()
}
