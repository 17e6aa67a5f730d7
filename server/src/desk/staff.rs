//! The page of a desk's staff: call the next, once more, skip, done; and which desks there are.

use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    response::{IntoResponse as _, Redirect, Response},
    routing::get,
};

use super::{
    Turn,
    pages::Queue,
    queries::{self, Step},
};
use crate::{
    App,
    db::Tx,
    error::{Error, Result},
    event::{self, Event},
    fair::read_card,
    outbox,
    people::import::text,
    web::{Frame, access::Staff, form::Typed, page},
};

/// The HTML routes.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/admin/events/{event}/desks", get(list).post(add))
        .route("/admin/events/{event}/desks/{desk}", get(show).post(act))
}

#[derive(Template)]
#[template(path = "desk/manage.html")]
struct ListPage {
    frame: Frame,
    event: Event,
    tab: &'static str,
    queues: Vec<(Queue, i64)>,
}

/// `GET /admin/events/{event}/desks`.
async fn list(State(app): State<App>, Path(id): Path<String>, frame: Frame) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let event = event::queries::event(&mut tx, &id).await?;
    let mut queues = Vec::new();
    for desk in queries::desks(&mut tx, &id).await? {
        let done = queries::done(&mut tx, &desk).await?;
        queues.push((Queue::read(&mut tx, desk).await?, done));
    }
    page(&ListPage { frame, event, tab: "desks", queues })
}

/// `POST /admin/events/{event}/desks`: adds a desk. One that is there already stays as it is.
async fn add(State(app): State<App>, Path(id): Path<String>, form: Typed) -> Result<Response> {
    let name = text::folded(form.value("name"));
    if !(1..=20).contains(&name.chars().count()) {
        return Err(Error::invalid(
            "name",
            "名称要有 1 到 20 个字。",
            "A name has 1 to 20 characters.",
        ));
    }
    let mut tx = app.db.write().await?;
    event::queries::event(&mut tx, &id).await?;
    queries::add(&mut tx, &id, &name, app.clock.now()).await?;
    tx.commit().await?;
    Ok(Redirect::to(&format!("/admin/events/{id}/desks")).into_response())
}

#[derive(Template)]
#[template(path = "desk/show.html")]
struct DeskPage {
    frame: Frame,
    event: Event,
    queue: Queue,
    done: i64,
}

impl DeskPage {
    /// With one place, whoever is there is done when the next is called.
    fn finishes(&self) -> Option<&Turn> {
        self.queue.called.first().filter(|_| self.queue.desk.seats == 1)
    }
}

/// `GET /admin/events/{event}/desks/{desk}`.
async fn show(
    State(app): State<App>,
    Path((id, desk)): Path<(String, String)>,
    frame: Frame,
) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let event = event::queries::event(&mut tx, &id).await?;
    let desk = queries::desk(&mut tx, &id, &desk).await?;
    let done = queries::done(&mut tx, &desk).await?;
    let queue = Queue::read(&mut tx, desk).await?;
    page(&DeskPage { frame, event, queue, done })
}

/// `POST /admin/events/{event}/desks/{desk}`: what the staff did.
async fn act(
    State(app): State<App>,
    Path((id, desk)): Path<(String, String)>,
    staff: Staff,
    form: Typed,
) -> Result<Response> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let event = event::queries::event(&mut tx, &id).await?;
    let desk = queries::desk(&mut tx, &id, &desk).await?;
    let turn = form.value("turn");
    match form.value("act") {
        "next" => {
            if !turn.is_empty() {
                queries::step(&mut tx, &desk, turn, Step::Done, now).await?;
            }
            if let Some(called) = queries::call_next(&mut tx, &desk, &staff, now).await? {
                tell(&mut tx, &event, &called, now).await?;
            }
        }
        "again" => {
            queries::step(&mut tx, &desk, turn, Step::Again, now).await?;
            let called = queries::turn(&mut tx, &desk, turn).await?;
            tell(&mut tx, &event, &called, now).await?;
        }
        "done" => queries::step(&mut tx, &desk, turn, Step::Done, now).await?,
        "skip" => queries::step(&mut tx, &desk, turn, Step::Skip, now).await?,
        "walk_in" => {
            let ticket = match form.value("card").trim() {
                "" => None,
                card => Some(read_card(&app, &mut tx, &id, card).await?.id),
            };
            queries::walk_in(&mut tx, &desk, ticket.as_deref(), &staff, now).await?;
        }
        "seats" => {
            let seats = form.number("seats").unwrap_or(1).clamp(1, 20);
            queries::seat(&mut tx, &desk, seats).await?;
        }
        "kiosk" => {
            let numbers = form.has("numbers", "yes");
            queries::number_by_kiosk(&mut tx, &desk, numbers).await?;
        }
        _ => {}
    }
    tx.notify(&id).await?;
    tx.commit().await?;
    app.live.changed(&id);
    app.outbox_wakes.notify_one();
    Ok(Redirect::to(&format!("/admin/events/{id}/desks/{}", desk.id)).into_response())
}

/// Whoever is called hears of it, wherever in the hall they are.
async fn tell(tx: &mut Tx, event: &Event, turn: &Turn, now: admission::Millis) -> Result<()> {
    let Some(ticket) = &turn.ticket_id else { return Ok(()) };
    let ticket = crate::booking::queries::ticket(tx, ticket).await?;
    let Some(person) = &ticket.person_id else { return Ok(()) };
    let body =
        format!("【王佐镇总工会】{}：{} 号请到「{}」台。", event.title, turn.label(), turn.desk);
    outbox::tell(tx, person, &body, now).await
}
