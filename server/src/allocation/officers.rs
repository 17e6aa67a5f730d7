//! The organizer's page of union officers: appointed by union and phone, dismissed with one tap.

use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
    routing::{get, post},
};

use super::queries::{self, Officer};
use crate::{
    App, audit,
    db::Tx,
    error::{Error, Result},
    event, outbox,
    web::{Frame, access::Staff, form::Typed, page},
};

/// The routes.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/admin/officers", get(show).post(appoint))
        .route("/admin/officers/{union}/{person}/dismissal", post(dismiss))
}

#[derive(Template)]
#[template(path = "allocation/officers.html")]
struct OfficersPage {
    frame: Frame,
    form: Typed,
    unions: Vec<(String, String)>,
    officers: Vec<Officer>,
}

impl OfficersPage {
    async fn read(tx: &mut Tx, mut frame: Frame, form: Typed) -> Result<Self> {
        frame.path = "/admin/officers".to_owned();
        let unions = event::queries::unions(tx).await?;
        Ok(Self { frame, form, unions, officers: queries::officers(tx).await? })
    }
}

/// `GET /admin/officers`.
async fn show(State(app): State<App>, frame: Frame) -> Result<Response> {
    let mut tx = app.db.read().await?;
    page(&OfficersPage::read(&mut tx, frame, Typed::default()).await?)
}

/// `POST /admin/officers`: appoints the member of a union who has that phone, and name if several have it.
async fn appoint(
    State(app): State<App>,
    staff: Staff,
    frame: Frame,
    mut form: Typed,
) -> Result<Response> {
    let union_id = form.value("union").replace('\0', "");
    let phone: String = form.value("phone").chars().filter(char::is_ascii_digit).collect();
    let name = form.value("name").trim().to_owned();
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let mut found = queries::by_phone(&mut tx, &union_id, &phone).await?;
    found.retain(|(_, known)| *known == name);
    let [(person_id, _)] = found.as_slice() else {
        tx.rollback().await?;
        let fault = Error::invalid(
            "phone",
            "这个工会的名册上没有这个姓名和手机号的会员，请核对。",
            "This union's roster has no member of that name and phone. Please check.",
        );
        form.blame("phone", fault.problem().refused);
        let mut tx = app.db.read().await?;
        let again = OfficersPage::read(&mut tx, frame, form).await?;
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page(&again)?).into_response());
    };
    if queries::appoint(&mut tx, &union_id, person_id, &staff.id, now).await? {
        let note = format!("of {union_id}");
        audit::record(&mut tx, &staff, "officer.appoint", person_id, &note, now).await?;
        let body = format!(
            "【王佐镇总工会】您已成为工会经办人，可以为本工会会员指定活动名额、安排领取物资：{}/officer",
            app.public_url
        );
        outbox::tell(&mut tx, person_id, &body, now).await?;
    }
    tx.commit().await?;
    app.outbox_wakes.notify_one();
    Ok(Redirect::to("/admin/officers").into_response())
}

/// `POST /admin/officers/{union}/{person}/dismissal`.
async fn dismiss(
    State(app): State<App>,
    Path((union_id, person_id)): Path<(String, String)>,
    staff: Staff,
) -> Result<Response> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    if queries::dismiss(&mut tx, &union_id, &person_id).await? {
        let note = format!("of {union_id}");
        audit::record(&mut tx, &staff, "officer.dismiss", &person_id, &note, now).await?;
    }
    tx.commit().await?;
    Ok(Redirect::to("/admin/officers").into_response())
}
