//! What visitors see of the desks: the queues, taking a number, and the big board.

use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    response::{IntoResponse as _, Redirect, Response},
    routing::{get, post},
};

use super::{
    Desk, Turn, queries,
    wait::{self, Wait},
};
use crate::{
    App,
    db::Tx,
    error::{Error, Result},
    event::{self, Event},
    fair::ticket_of,
    web::{
        Frame,
        access::{Caller, Person},
        page,
    },
};

/// The HTML routes.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/events/{event}/desks", get(list))
        .route("/events/{event}/desks/board", get(board))
        .route("/events/{event}/desks/{desk}/turns", post(take))
        .route("/events/{event}/desks/{desk}/turns/{turn}/leaving", post(leave))
}

/// A desk with its queue.
pub(super) struct Queue {
    pub(super) desk: Desk,
    pub(super) called: Vec<Turn>,
    pub(super) waiting: Vec<Turn>,
    pub(super) skipped: Vec<Turn>,
    visits: Vec<i64>,
}

impl Queue {
    pub(super) async fn read(tx: &mut Tx, desk: Desk) -> Result<Self> {
        let (called, rest): (Vec<Turn>, Vec<Turn>) =
            queries::queue(tx, &desk).await?.into_iter().partition(|turn| turn.state == "called");
        let (waiting, skipped) = rest.into_iter().partition(|turn| turn.state == "waiting");
        let visits = queries::visits(tx, &desk).await?;
        Ok(Self { desk, called, waiting, skipped, visits })
    }

    /// The number that the visitor holds here.
    fn mine(&self, ticket_id: Option<&str>) -> Option<&Turn> {
        let ticket_id = ticket_id?;
        self.called
            .iter()
            .chain(&self.waiting)
            .find(|turn| turn.ticket_id.as_deref() == Some(ticket_id))
    }

    /// How many wait before that turn; before somebody new, all.
    fn before(&self, turn: Option<&Turn>) -> i64 {
        let count = match turn {
            Some(turn) => self.waiting.iter().filter(|other| other.number < turn.number).count(),
            None => self.waiting.len(),
        };
        i64::try_from(count).unwrap_or(i64::MAX)
    }

    pub(super) fn wait(&self, turn: Option<&Turn>) -> Option<Wait> {
        let served = i64::try_from(self.called.len()).unwrap_or(i64::MAX);
        wait::wait(&self.visits, self.before(turn), served, self.desk.seats)
    }

    /// 前面 4 人在等，大约要等 20–32 分钟.
    fn told(&self, frame: &Frame, turn: Option<&Turn>) -> String {
        let (before, wait) = self.ahead(turn);
        admission::say::queue(before, wait, frame.lang)
    }

    /// How many wait before that turn, and how many minutes that takes, if it can be told.
    pub(super) fn ahead(&self, turn: Option<&Turn>) -> (u32, Option<(u32, u32)>) {
        let few = |n: i64| u32::try_from(n).unwrap_or(u32::MAX);
        let wait = self.wait(turn).map(|Wait { from, to }| (few(from), few(to)));
        (few(self.before(turn)), wait)
    }
}

/// An event that has desks and that the reader may see.
pub(super) async fn event_of(tx: &mut Tx, frame: &Frame, id: &str) -> Result<Event> {
    let event = event::queries::event(tx, id).await?;
    if event.is_public() || frame.is_staff() { Ok(event) } else { Err(Error::NotFound) }
}

#[derive(Template)]
#[template(path = "desk/list.html")]
struct ListPage {
    frame: Frame,
    event: Event,
    queues: Vec<Queue>,
    /// The visitor's ticket.
    ticket: Option<String>,
}

impl ListPage {
    fn mine<'a>(&self, queue: &'a Queue) -> Option<&'a Turn> {
        queue.mine(self.ticket.as_deref())
    }
}

/// `GET /events/{event}/desks`.
async fn list(State(app): State<App>, Path(id): Path<String>, frame: Frame) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let event = event_of(&mut tx, &frame, &id).await?;
    let ticket = match &frame.caller {
        Caller::Person(person) => ticket_of(&mut tx, &id, person).await?.map(|ticket| ticket.id),
        _ => None,
    };
    let mut queues = Vec::new();
    for desk in queries::desks(&mut tx, &id).await? {
        queues.push(Queue::read(&mut tx, desk).await?);
    }
    page(&ListPage { frame, event, queues, ticket })
}

#[derive(Template)]
#[template(path = "desk/board.html")]
struct BoardPage {
    frame: Frame,
    event: Event,
    queues: Vec<Queue>,
}

/// `GET /events/{event}/desks/board`: numbers only, to be read across a hall.
async fn board(State(app): State<App>, Path(id): Path<String>, frame: Frame) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let event = event_of(&mut tx, &frame, &id).await?;
    let mut queues = Vec::new();
    for desk in queries::desks(&mut tx, &id).await? {
        queues.push(Queue::read(&mut tx, desk).await?);
    }
    page(&BoardPage { frame, event, queues })
}

/// `POST /events/{event}/desks/{desk}/turns`: takes a number. A second tap finds the first.
async fn take(
    State(app): State<App>,
    Path((id, desk)): Path<(String, String)>,
    person: Person,
    frame: Frame,
) -> Result<Response> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let event = event_of(&mut tx, &frame, &id).await?;
    let desk = queries::desk(&mut tx, &id, &desk).await?;
    let Some(ticket) = ticket_of(&mut tx, &id, &person).await? else {
        tx.rollback().await?;
        return Ok(Redirect::to(&format!("/events/{id}/fair/entry")).into_response());
    };
    if event.is_cancelled() || now >= event.ends_ms {
        return Err(over());
    }
    queries::take(&mut tx, &desk, &ticket.id, now).await?;
    tx.notify(&id).await?;
    tx.commit().await?;
    app.live.changed(&id);
    Ok(Redirect::to(&format!("/events/{id}/desks")).into_response())
}

/// `POST /events/{event}/desks/{desk}/turns/{turn}/leaving`: gives one's own number up.
async fn leave(
    State(app): State<App>,
    Path((id, desk, turn)): Path<(String, String, String)>,
    person: Person,
) -> Result<Response> {
    let mut tx = app.db.write().await?;
    let desk = queries::desk(&mut tx, &id, &desk).await?;
    let ticket = ticket_of(&mut tx, &id, &person).await?.ok_or(Error::NotFound)?;
    queries::leave(&mut tx, &desk, &turn, &ticket.id, app.clock.now()).await?;
    tx.notify(&id).await?;
    tx.commit().await?;
    app.live.changed(&id);
    Ok(Redirect::to(&format!("/events/{id}/desks")).into_response())
}

fn over() -> Error {
    crate::error::Refused::new(
        axum::http::StatusCode::CONFLICT,
        "over",
        "活动已经结束，不再叫号。",
        "The event is over; no more numbers are called.",
    )
    .into()
}
