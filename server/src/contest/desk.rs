//! The organizer's page of a discipline: entries, seeds, who is there, closing the list, the draw.

use askama::Template;
use axum::{
    Form, Router,
    extract::{Path, Query, State},
    response::{IntoResponse as _, Redirect, Response},
    routing::{get, post},
};
use serde::Deserialize;

use super::{
    Discipline, Entry, EntryStatus, Format, Player, discipline,
    drawing::{self, DrawRow},
    entering,
    pages::finish,
    queries, setup,
};
use crate::{
    App, audit,
    db::Tx,
    error::{Error, Refused, Result},
    event::Event,
    execute,
    web::{
        Frame,
        access::{Role, Staff},
        form::Typed,
        page,
    },
};

/// The routes.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/admin/events/{event}/contest", get(setup::list).post(setup::create))
        .route("/admin/events/{event}/contest/limit", post(setup::limit))
        .route("/admin/disciplines/{discipline}", get(show))
        .route("/admin/disciplines/{discipline}/list", post(list_of))
        .route("/admin/disciplines/{discipline}/draw", post(draw))
        .route("/admin/entries/{entry}", post(change))
}

/// An entry with what the organizer decides by.
struct Row {
    entry: Entry,
    players: Vec<Player>,
    there: bool,
}

impl Row {
    fn admitted(&self) -> usize {
        self.players.iter().filter(|player| player.admitted_ms.is_some()).count()
    }
}

#[derive(Template)]
#[template(path = "contest/desk_discipline.html")]
struct DeskPage {
    frame: Frame,
    event: Event,
    discipline: Discipline,
    rows: Vec<Row>,
    draw: Option<DrawRow>,
    refusal: Option<String>,
    done: &'static str,
    tab: &'static str,
}

impl DeskPage {
    fn rows_as(&self, statuses: &[EntryStatus]) -> Vec<&Row> {
        self.rows.iter().filter(|row| statuses.contains(&row.entry.status)).collect()
    }

    fn placed(&self) -> Vec<&Row> {
        self.rows_as(&[EntryStatus::Entered, EntryStatus::Present, EntryStatus::Absent])
    }

    fn waiting(&self) -> usize {
        self.rows_as(&[EntryStatus::Waiting]).len()
    }

    fn missing(&self) -> usize {
        self.placed().len() - self.there()
    }

    fn there(&self) -> usize {
        self.placed().iter().filter(|row| row.there).count()
    }

    fn is_drawn(&self) -> bool {
        self.draw.as_ref().is_some_and(|draw| draw.drawn_ms.is_some())
    }

    /// The notice after something was done.
    fn said(&self) -> Option<(&'static str, &'static str)> {
        let frame = &self.frame;
        Some(match self.done {
            "closed" => (
                frame.t("名单已确定", "The list is closed"),
                frame.t("到场的可以抽签了。", "Those present can be drawn."),
            ),
            "reopened" => (
                frame.t("名单已重开", "The list is open again"),
                frame.t("还可以检录。", "People can still check in."),
            ),
            "drawn" => (
                frame.t("抽签完成", "Drawn"),
                frame.t("种子和对阵已经公布。", "The seed and the matches are published."),
            ),
            "void" => (
                frame.t("抽签已作废", "The draw is void"),
                frame.t(
                    "原因已公布，可以重新抽签。",
                    "The reason is published; it can be drawn again.",
                ),
            ),
            "saved" => (frame.t("已保存", "Saved"), ""),
            _ => return None,
        })
    }
}

#[derive(Deserialize)]
struct Done {
    #[serde(default)]
    done: String,
}

/// `GET /admin/disciplines/{discipline}`.
async fn show(
    State(app): State<App>,
    Path(id): Path<String>,
    Query(done): Query<Done>,
    frame: Frame,
) -> Result<Response> {
    let known = ["closed", "reopened", "drawn", "void", "saved"];
    let done = known.into_iter().find(|word| *word == done.done).unwrap_or_default();
    page(&DeskPage { done, ..read(&app, &id, frame).await? })
}

async fn read(app: &App, id: &str, frame: Frame) -> Result<DeskPage> {
    let mut tx = app.db.read().await?;
    let (event, discipline) = discipline::find(&mut tx, id).await?;
    let mut players = queries::players(&mut tx, id).await?;
    let mut rows = Vec::new();
    for entry in queries::entries(&mut tx, id).await? {
        let there = entering::is_there(&discipline, &entry, &players);
        let (own, others) = players.into_iter().partition(|player| player.entry_id == entry.id);
        players = others;
        rows.push(Row { entry, players: own, there });
    }
    let draw = drawing::draws(&mut tx, id).await?.into_iter().next();
    Ok(DeskPage { frame, event, discipline, rows, draw, refusal: None, done: "", tab: "contest" })
}

/// `POST /admin/disciplines/{discipline}/list`: closes the list, or opens it again.
async fn list_of(
    State(app): State<App>,
    Path(id): Path<String>,
    staff: Staff,
    frame: Frame,
    form: Typed,
) -> Result<Response> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let (done, word) = match form.value("what") {
        "reopen" => (drawing::reopen_list(&mut tx, &id).await, "reopened"),
        _ => (drawing::close_list(&mut tx, &id, now).await, "closed"),
    };
    answer(&app, tx, done, &id, &staff, frame, word).await
}

/// `POST /admin/disciplines/{discipline}/draw`: draws, or declares the draw void.
async fn draw(
    State(app): State<App>,
    Path(id): Path<String>,
    staff: Staff,
    frame: Frame,
    form: Typed,
) -> Result<Response> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let (done, word) = match form.value("what") {
        "void" => {
            (drawing::declare_void(&mut tx, &app, &id, form.value("reason"), now).await, "void")
        }
        _ => (drawing::draw(&mut tx, &app, &id, now).await, "drawn"),
    };
    answer(&app, tx, done, &id, &staff, frame, word).await
}

#[derive(Deserialize)]
struct Change {
    /// `seen`, `unseen`, `withdraw` or `seed`.
    what: String,
    #[serde(default)]
    seed: String,
}

/// `POST /admin/entries/{entry}`: seen at the desk, withdrawn, seeded.
async fn change(
    State(app): State<App>,
    Path(id): Path<String>,
    staff: Staff,
    frame: Frame,
    Form(change): Form<Change>,
) -> Result<Response> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let (_, discipline, entry) = entering::find(&mut tx, &id).await?;
    // A volunteer says who is there; the rest is the organizer's.
    let is_organizer = matches!(staff.role, Role::Admin | Role::Organizer);
    let done = match change.what.as_str() {
        "seen" | "unseen" => {
            seen(&mut tx, &discipline, &entry, (change.what == "seen").then_some(now.0)).await
        }
        _ if !is_organizer => return Err(Error::Forbidden),
        "withdraw" => entering::withdraw(&mut tx, &app, &id, now).await,
        "seed" => seed(&mut tx, &discipline, &entry, &change.seed).await,
        _ => Err(Error::NotFound),
    };
    answer(&app, tx, done, &discipline.id, &staff, frame, "saved").await
}

fn closed() -> Error {
    Error::Refused(Refused::new(
        axum::http::StatusCode::CONFLICT,
        "list_closed",
        "名单已经确定。要改，先重开名单。",
        "The list is closed. Open it again first.",
    ))
}

/// The organizer saw them, or not after all.
async fn seen(tx: &mut Tx, discipline: &Discipline, entry: &Entry, at: Option<i64>) -> Result<()> {
    if discipline.list_closed_ms.is_some() {
        return Err(closed());
    }
    execute!(tx, "update entry set seen_ms = $2 where id = $1", &entry.id, at)?;
    Ok(())
}

/// The number of the seed, or none; until the draw.
async fn seed(tx: &mut Tx, discipline: &Discipline, entry: &Entry, typed: &str) -> Result<()> {
    let drawn = drawing::draws(tx, &discipline.id)
        .await?
        .first()
        .is_some_and(|draw| draw.drawn_ms.is_some());
    let number = match typed.trim() {
        "" => None,
        text => Some(text.parse::<i64>().ok().filter(|seed| (1..=256).contains(seed)).ok_or_else(
            || {
                Error::invalid(
                    "seed",
                    "种子号应为 1 到 256 的整数。",
                    "A seed is a number from 1 to 256.",
                )
            },
        )?),
    };
    if drawn {
        return Err(closed());
    }
    execute!(tx, "update entry set seed = $2 where id = $1", &entry.id, number)?;
    Ok(())
}

/// Back to the discipline, or the page again with why it was refused.
async fn answer(
    app: &App,
    mut tx: Tx,
    done: Result<()>,
    discipline_id: &str,
    staff: &Staff,
    mut frame: Frame,
    word: &'static str,
) -> Result<Response> {
    let refused = match done {
        Ok(()) => {
            let event_id = queries::discipline(&mut tx, discipline_id).await?.event_id;
            audit::record(
                &mut tx,
                staff,
                &format!("discipline.{word}"),
                discipline_id,
                "",
                frame.now,
            )
            .await?;
            tx.notify(&event_id).await?;
            finish(app, tx, &event_id).await?;
            let back = format!("/admin/disciplines/{discipline_id}?done={word}");
            return Ok(Redirect::to(&back).into_response());
        }
        Err(Error::Refused(refused) | Error::Invalid(refused)) => refused,
        Err(error) => return Err(error),
    };
    tx.rollback().await?;
    frame.path = format!("/admin/disciplines/{discipline_id}");
    let refusal = Some(refused.text(frame.lang).to_owned());
    let again = DeskPage { refusal, ..read(app, discipline_id, frame).await? };
    Ok((refused.status, page(&again)?).into_response())
}
