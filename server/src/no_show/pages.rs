//! A person's page of one no-show: what it means, and an appeal.

use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    response::{IntoResponse as _, Redirect, Response},
    routing::get,
};

use super::{
    queries::NoShow,
    rules::{self, CHARS},
};
use crate::{
    App,
    error::{Error, Result},
    web::{Frame, access::Person, form::Typed, page},
};

/// The HTML routes.
pub(super) fn routes() -> Router<App> {
    Router::new().route("/bookings/{booking}/appeal", get(show).post(appeal))
}

#[derive(Template)]
#[template(path = "no_show/appeal.html")]
struct AppealPage {
    frame: Frame,
    form: Typed,
    no_show: NoShow,
}

impl NoShow {
    /// How it stands, as a badge: kind and words.
    pub(crate) fn badge(&self, frame: &Frame) -> (&'static str, &'static str) {
        match (self.counts, self.decision.as_deref(), &self.appeal) {
            (true, None, Some(_)) => ("info", frame.t("申诉中", "Appealed")),
            (true, ..) => ("warn", frame.t("没有来", "No-show")),
            (false, Some("excused"), _) if self.counted_ms.is_none() => {
                ("info", frame.t("事先请假", "Excused beforehand"))
            }
            (false, Some("excused"), _) => ("ok", frame.t("已谅解，不计", "Excused")),
            (false, ..) => ("mute", frame.t("不计", "Does not count")),
        }
    }

    /// What the person said to it; empty when nothing.
    pub(crate) fn words(&self) -> &str {
        self.appeal.as_deref().unwrap_or_default()
    }

    /// It counts and was not decided.
    pub(super) fn may_appeal(&self) -> bool {
        self.counts && self.decision.is_none()
    }
}

/// `GET /bookings/{booking}/appeal`.
async fn show(
    State(app): State<App>,
    Path(booking): Path<String>,
    person: Person,
    frame: Frame,
) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let no_show = rules::own(&mut tx, &person, &booking).await?;
    let form = Typed::of([("text", no_show.words().to_owned())]);
    page(&AppealPage { frame, form, no_show })
}

/// `POST /bookings/{booking}/appeal`: keeps what the person says. Until it is decided, they may say it again.
async fn appeal(
    State(app): State<App>,
    Path(booking): Path<String>,
    person: Person,
    frame: Frame,
    mut form: Typed,
) -> Result<Response> {
    match rules::appeal(&app, &person, &booking, form.value("text")).await {
        // When it was decided meanwhile, the page says so.
        Ok(_) | Err(Error::Refused(_)) => {
            Ok(Redirect::to(&format!("/bookings/{booking}/appeal")).into_response())
        }
        Err(Error::Invalid(refused)) => {
            let mut tx = app.db.read().await?;
            let no_show = rules::own(&mut tx, &person, &booking).await?;
            let status = refused.status;
            form.blame("text", refused);
            Ok((status, page(&AppealPage { frame, form, no_show })?).into_response())
        }
        Err(error) => Err(error),
    }
}
