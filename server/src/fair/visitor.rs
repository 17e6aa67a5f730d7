//! A visitor's own page: the visiting card, which employers may see them, and taking that back; and the page behind a
//! stand's poster, where visitors leave their particulars themselves.

use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    response::{IntoResponse as _, Redirect, Response},
    routing::{get, post},
};

use super::{
    Employer, Post, card, consent,
    encounter::{self, Outcome},
    pages::fair,
    people, queries,
};
use crate::{
    App,
    booking::{self, Ticket, picture},
    db::Tx,
    desk,
    error::{Error, Result},
    event::Event,
    fetch,
    web::{
        Frame,
        access::{Caller, Person},
        form::Typed,
        page,
    },
};

/// The HTML routes.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/events/{event}/fair/me", get(me))
        .route("/events/{event}/fair/me/consents/{employer}", post(decide))
        .route("/stands/{poster}", get(poster).post(leave))
}

/// The visitor's own ticket of a fair.
pub(crate) async fn ticket_of(
    tx: &mut Tx,
    event_id: &str,
    person: &Person,
) -> Result<Option<Ticket>> {
    let tickets = booking::queries::tickets_of_card(tx, &person.id, event_id).await?;
    Ok(tickets.into_iter().find(|ticket| ticket.state == "valid"))
}

/// An employer that the visitor has to do with.
struct Contact {
    employer: Employer,
    /// The employer may see who they are.
    granted: bool,
    /// The employer carried their particulars away before they took consent back.
    exported: bool,
    outcome: Option<Outcome>,
    posts: Vec<String>,
}

#[derive(Template)]
#[template(path = "fair/me.html")]
struct MePage {
    frame: Frame,
    event: Event,
    ticket: Option<Ticket>,
    /// The card as a picture.
    qr: String,
    short: String,
    contacts: Vec<Contact>,
    turns: Vec<desk::Turn>,
}

/// `GET /events/{event}/fair/me`.
async fn me(
    State(app): State<App>,
    Path(id): Path<String>,
    person: Person,
    frame: Frame,
) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let event = fair(&mut tx, &frame, &id).await?;
    let ticket = ticket_of(&mut tx, &id, &person).await?;
    let (mut qr, mut short, mut contacts, mut turns) = Default::default();
    if let Some(ticket) = &ticket {
        qr = picture::qr_svg(&ticket.code(&app.keys)?)?;
        short = card::short(&ticket.id);
        contacts = contacts_of(&mut tx, ticket).await?;
        turns = desk::queries::turns_of(&mut tx, &id, &ticket.id).await?;
    }
    page(&MePage { frame, event, ticket, qr, short, contacts, turns })
}

async fn contacts_of(tx: &mut Tx, ticket: &Ticket) -> Result<Vec<Contact>> {
    let employers: Vec<Employer> = fetch!(
        tx,
        fetch_all,
        "select e.* from employer e
         where exists (select 1 from encounter n where n.employer_id = e.id and n.ticket_id = $1 and n.undone_ms is null)
            or exists (select 1 from consent c where c.employer_id = e.id and c.ticket_id = $1)
         order by e.stand",
        &ticket.id,
    )?;
    let mut contacts = Vec::with_capacity(employers.len());
    for employer in employers {
        let rows: Vec<(Outcome, Option<String>)> = fetch!(
            tx,
            fetch_all,
            "select n.outcome, p.name from encounter n left join post p on p.id = n.post_id
             where n.employer_id = $1 and n.ticket_id = $2 and n.undone_ms is null order by n.at_ms, n.id",
            &employer.id,
            &ticket.id,
        )?;
        let mut posts: Vec<String> = rows.iter().filter_map(|(_, post)| post.clone()).collect();
        posts.dedup();
        contacts.push(Contact {
            granted: consent::holds(tx, &employer.id, &ticket.id).await?,
            exported: people::to_delete(tx, &employer).await?.contains(&ticket.id),
            outcome: rows.last().map(|(outcome, _)| *outcome),
            posts,
            employer,
        });
    }
    Ok(contacts)
}

/// `POST /events/{event}/fair/me/consents/{employer}`: gives or takes back.
async fn decide(
    State(app): State<App>,
    Path((id, employer)): Path<(String, String)>,
    person: Person,
    frame: Frame,
    form: Typed,
) -> Result<Response> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    fair(&mut tx, &frame, &id).await?;
    let ticket = ticket_of(&mut tx, &id, &person).await?.ok_or(Error::NotFound)?;
    let employer = queries::employer(&mut tx, &employer).await?;
    if employer.event_id != id {
        return Err(Error::NotFound);
    }
    let holds = consent::holds(&mut tx, &employer.id, &ticket.id).await?;
    match form.value("consent") {
        "yes" if !holds => consent::give(&mut tx, &employer, &ticket, now).await?,
        "no" if holds => consent::take_back(&mut tx, &employer, &ticket, now).await?,
        _ => {}
    }
    tx.notify(&id).await?;
    tx.commit().await?;
    app.live.changed(&id);
    Ok(Redirect::to(&format!("/events/{id}/fair/me#employers")).into_response())
}

#[derive(Template)]
#[template(path = "fair/poster.html")]
struct PosterPage {
    frame: Frame,
    event: Event,
    employer: Employer,
    posts: Vec<Post>,
    /// None: they have none yet. For who is not signed in, always none.
    ticket: Option<Ticket>,
    granted: bool,
}

/// `GET /stands/{poster}`: what a stand's poster leads to.
async fn poster(
    State(app): State<App>,
    Path(poster): Path<String>,
    frame: Frame,
) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let (event, employer) = of_poster(&mut tx, &frame, &poster).await?;
    let posts = queries::posts_of(&mut tx, &employer.id).await?;
    let ticket = match &frame.caller {
        Caller::Person(person) => ticket_of(&mut tx, &event.id, person).await?,
        _ => None,
    };
    let granted = match &ticket {
        Some(ticket) => consent::holds(&mut tx, &employer.id, &ticket.id).await?,
        None => false,
    };
    page(&PosterPage { frame, event, employer, posts, ticket, granted })
}

/// `POST /stands/{poster}`: the visitor leaves their particulars, for a post or for none in particular.
async fn leave(
    State(app): State<App>,
    Path(poster): Path<String>,
    person: Person,
    frame: Frame,
    form: Typed,
) -> Result<Response> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let (event, employer) = of_poster(&mut tx, &frame, &poster).await?;
    let ticket = ticket_of(&mut tx, &event.id, &person).await?.ok_or(Error::NotFound)?;
    let post = match form.number("post") {
        Some(number) => Some(queries::post(&mut tx, &event.id, number).await?),
        None => None,
    };
    if post.as_ref().is_some_and(|post| post.employer_id != employer.id) {
        return Err(Error::NotFound);
    }
    if !consent::holds(&mut tx, &employer.id, &ticket.id).await? {
        consent::give(&mut tx, &employer, &ticket, now).await?;
    }
    encounter::leave(&mut tx, &employer, &ticket, post.as_ref().map(|post| post.id.as_str()), now)
        .await?;
    tx.notify(&event.id).await?;
    tx.commit().await?;
    app.live.changed(&event.id);
    Ok(Redirect::to(&format!("/events/{}/fair/me#employers", event.id)).into_response())
}

async fn of_poster(tx: &mut Tx, frame: &Frame, poster: &str) -> Result<(Event, Employer)> {
    let employer: Option<Employer> =
        fetch!(tx, fetch_optional, "select * from employer where poster = $1", poster)?;
    let employer = employer.ok_or(Error::NotFound)?;
    Ok((fair(tx, frame, &employer.event_id).await?, employer))
}
