//! `/books`: what a member has, until when, and what else there is.

use askama::Template;
use axum::{
    Router,
    extract::{Path, Query, State},
    response::{IntoResponse as _, Redirect, Response},
    routing::{get, post},
};
use serde::Deserialize;

use super::{
    queries::{self, Loan, Rule, Title},
    rules,
};
use crate::{
    App,
    checkin::like,
    error::{Refused, Result},
    web::{Frame, access::Person, form::Typed, page},
};

/// The HTML routes.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/books", get(show))
        .route("/books/{book}/wait", post(wait))
        .route("/loans/{loan}/renewal", post(renew))
}

#[derive(Debug, Default, Deserialize)]
struct Asked {
    #[serde(default)]
    q: String,
}

#[derive(Template)]
#[template(path = "loan/show.html")]
struct BooksPage {
    frame: Frame,
    rule: Rule,
    loans: Vec<Loan>,
    titles: Vec<Title>,
    objection: Option<Refused>,
    q: String,
    refusal: Option<Refused>,
}

impl BooksPage {
    async fn read(app: &App, mut frame: Frame, person: &Person, q: String) -> Result<Self> {
        frame.path = "/books".to_owned();
        let q = q.replace('\0', "");
        let mut tx = app.db.read().await?;
        let rule = queries::rule(&mut tx).await?;
        Ok(Self {
            loans: queries::open_of(&mut tx, &person.id).await?,
            titles: queries::titles(&mut tx, &like(q.trim()), &person.id).await?,
            objection: rules::objection(&mut tx, &person.id, rule, frame.now).await?,
            refusal: None,
            rule,
            frame,
            q,
        })
    }

    /// How a title stands for the reader: the look of its badge, and its words.
    fn standing(&self, title: &Title) -> (&'static str, String) {
        let frame = &self.frame;
        match title.mine {
            Some(until) if until > 0 => {
                let day = rules::day(admission::Millis(until));
                ("ok", frame.say(format!("为您保留到 {day}"), format!("kept for you until {day}")))
            }
            Some(_) => ("info", frame.t("您在等", "You wait for it").to_owned()),
            None if title.free() > 0 => {
                let free = title.free();
                ("ok", frame.say(format!("可借 {free} 册"), format!("{free} here")))
            }
            None if title.waiting > 0 => {
                let waiting = title.waiting;
                ("warn", frame.say(format!("{waiting} 人在等"), format!("{waiting} wait")))
            }
            None => ("warn", frame.t("都借出了", "All out").to_owned()),
        }
    }
}

/// `GET /books?q=…`.
async fn show(
    State(app): State<App>,
    Query(asked): Query<Asked>,
    person: Person,
    frame: Frame,
) -> Result<Response> {
    page(&BooksPage::read(&app, frame, &person, asked.q).await?)
}

/// `POST /books/{book}/wait`: waits for a book, or no more.
async fn wait(
    State(app): State<App>,
    Path(book): Path<String>,
    person: Person,
    form: Typed,
) -> Result<Response> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    if form.has("act", "leave") {
        rules::alone(&mut tx).await?;
        for own in queries::waits(&mut tx, &book).await? {
            if own.person_id == person.id {
                queries::end_wait(&mut tx, &own.id, now).await?;
            }
        }
        rules::call_next(&mut tx, &book, now).await?;
    } else {
        rules::wait_for(&mut tx, (&book, &person.id), now).await?;
    }
    tx.commit().await?;
    app.outbox_wakes.notify_one();
    Ok(Redirect::to("/books").into_response())
}

/// `POST /loans/{loan}/renewal`: one's own, once.
async fn renew(
    State(app): State<App>,
    Path(loan): Path<String>,
    person: Person,
    frame: Frame,
) -> Result<Response> {
    let mut tx = app.db.write().await?;
    match rules::renew(&mut tx, (&loan, &person.id), app.clock.now()).await? {
        Ok(()) => {
            tx.commit().await?;
            Ok(Redirect::to("/books").into_response())
        }
        Err(refused) => {
            tx.rollback().await?;
            let shown = BooksPage::read(&app, frame, &person, String::new()).await?;
            let status = refused.status;
            Ok((status, page(&BooksPage { refusal: Some(refused), ..shown })?).into_response())
        }
    }
}
