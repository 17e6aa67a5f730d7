//! The organizer's page of no-shows: appeals to decide, what was counted, and the federation's rule.

use askama::Template;
use axum::{
    Form, Router,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
    routing::{get, post},
};
use serde::Deserialize;

use super::{
    queries::{self, NoShow},
    rules::{self, CHARS, PRESETS, Rule},
};
use crate::{
    App, audit,
    db::Tx,
    error::{Error, Result},
    web::{
        Frame,
        access::{Caller, Role, Staff},
        form::Typed,
        page,
    },
};

/// The most that the rule takes for each of its numbers: what a person can still foresee.
const MOST: [(&str, i64, i64, &str, &str); 3] = [
    ("times", 0, 20, "次数要在 0 到 20 之间。", "The number of times must be 0 to 20."),
    ("period_days", 1, 730, "期限要在 1 到 730 天之间。", "The period must be 1 to 730 days."),
    ("bar_days", 1, 730, "暂停要在 1 到 730 天之间。", "The bar must be 1 to 730 days."),
];

/// The organizer's routes.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/admin/no-shows", get(show))
        .route("/admin/no-shows/rule", post(set_rule))
        .route("/admin/no-shows/{booking}/decision", post(decide))
        .route("/admin/events/{event}/list/{ticket}/excuse", post(excuse))
}

#[derive(Template)]
#[template(path = "no_show/desk.html")]
struct DeskPage {
    frame: Frame,
    form: Typed,
    rule: Rule,
    appeals: Vec<NoShow>,
    newest: Vec<NoShow>,
    /// Why a decision was not taken.
    refusal: Option<String>,
}

impl DeskPage {
    async fn read(tx: &mut Tx, frame: Frame) -> Result<Self> {
        let rule = queries::rule(tx).await?;
        let form = Typed::of([
            ("times", rule.times.to_string()),
            ("period_days", rule.period_days.to_string()),
            ("bar_days", rule.bar_days.to_string()),
        ]);
        let (appeals, newest) = (queries::appeals(tx).await?, queries::newest(tx).await?);
        Ok(Self { frame, form, rule, appeals, newest, refusal: None })
    }

    /// Administrators change the rule.
    fn may_set_rule(&self) -> bool {
        matches!(&self.frame.caller, Caller::Staff(staff) if staff.role == Role::Admin)
    }
}

/// `GET /admin/no-shows`.
async fn show(State(app): State<App>, frame: Frame) -> Result<Response> {
    let mut tx = app.db.read().await?;
    page(&DeskPage::read(&mut tx, frame).await?)
}

#[derive(Deserialize)]
struct Decision {
    /// `excused` or `kept`.
    what: String,
    /// Why; its person reads it. Needed when it is kept.
    #[serde(default)]
    reason: String,
}

/// `POST /admin/no-shows/{booking}/decision`: excuses a no-show, or keeps it. Its person is told.
async fn decide(
    State(app): State<App>,
    Path(booking): Path<String>,
    staff: Staff,
    mut frame: Frame,
    Form(decision): Form<Decision>,
) -> Result<Response> {
    match rules::decide(&app, &staff, &booking, &decision.what, &decision.reason).await {
        Ok(()) => Ok(Redirect::to("/admin/no-shows").into_response()),
        Err(Error::Invalid(refused)) => {
            frame.path = "/admin/no-shows".to_owned();
            let refusal = Some(refused.text(frame.lang).to_owned());
            let mut tx = app.db.read().await?;
            let again = DeskPage { refusal, ..DeskPage::read(&mut tx, frame).await? };
            Ok((refused.status, page(&again)?).into_response())
        }
        Err(error) => Err(error),
    }
}

#[derive(Deserialize)]
struct Leave {
    reason: String,
}

/// `POST /admin/events/{event}/list/{ticket}/excuse`: a holder told beforehand that they cannot come.
async fn excuse(
    State(app): State<App>,
    Path((event, ticket)): Path<(String, String)>,
    staff: Staff,
    Form(leave): Form<Leave>,
) -> Result<Response> {
    rules::excuse(&app, &staff, (&event, &ticket), &leave.reason).await?;
    Ok(Redirect::to(&format!("/admin/events/{event}/list/{ticket}?done=excused")).into_response())
}

/// `POST /admin/no-shows/rule`: the federation's rule.
async fn set_rule(
    State(app): State<App>,
    staff: Staff,
    mut frame: Frame,
    mut form: Typed,
) -> Result<Response> {
    let mut numbers = [0; 3];
    for ((field, least, most, zh, en), number) in MOST.into_iter().zip(&mut numbers) {
        match form.number(field).filter(|number| (least..=most).contains(number)) {
            Some(typed) => *number = typed,
            None => form.blame(field, Error::invalid(field, zh, en).problem().refused),
        }
    }
    if !form.is_sound() {
        frame.path = "/admin/no-shows".to_owned();
        let mut tx = app.db.read().await?;
        let again = DeskPage { form, ..DeskPage::read(&mut tx, frame).await? };
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page(&again)?).into_response());
    }
    let [times, period_days, bar_days] = numbers;
    let rule = Rule { times, period_days, bar_days };
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    queries::set_rule(&mut tx, rule).await?;
    let note = format!("{times} in {period_days} days: {bar_days} days");
    audit::record(&mut tx, &staff, "no_show.rule", "", &note, now).await?;
    tx.commit().await?;
    Ok(Redirect::to("/admin/no-shows").into_response())
}
