//! Entry for members and for anyone: who has signed in with their phone says their name and holds a ticket.

use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
    routing::get,
};

use super::{Education, pages::fair};
use crate::{
    App,
    booking::{self, Status, rules::Request},
    db::{Tx, new_id},
    error::{Error, Refused, Result},
    event::{self, Event, Offer, rules::Standing},
    execute,
    people::import::{check, text},
    web::{Frame, access::Person, form::Typed, page},
};

/// What somebody looks for is said in a line.
const WISH_CHARS: usize = 60;

/// The HTML routes.
pub(super) fn routes() -> Router<App> {
    Router::new().route("/events/{event}/fair/entry", get(ask).post(enter))
}

#[derive(Template)]
#[template(path = "fair/entry.html")]
struct EntryPage {
    frame: Frame,
    event: Event,
    person: Person,
    form: Typed,
    /// Why there is no ticket yet.
    refusal: Option<String>,
    /// Names this rendering's tap.
    key: String,
}

impl EntryPage {
    fn educations(&self) -> &'static [Education] {
        &Education::ALL[1..]
    }
}

/// `GET /events/{event}/fair/entry`: the ticket, for who has one; else what is still to be said.
async fn ask(
    State(app): State<App>,
    Path(id): Path<String>,
    person: Person,
    frame: Frame,
) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let event = fair(&mut tx, &frame, &id).await?;
    if let Some(there) = held(&mut tx, &id, &person).await? {
        return Ok(Redirect::to(&there).into_response());
    }
    // Who signed in with a phone alone has no name yet.
    let name = if is_made_up(&person) { String::new() } else { person.name.clone() };
    let key = new_id(frame.now);
    let form = Typed::of([("name", name)]);
    page(&EntryPage { frame, event, person, form, refusal: None, key })
}

/// `POST /events/{event}/fair/entry`: notes the name and what is looked for, and books.
async fn enter(
    State(app): State<App>,
    Path(id): Path<String>,
    mut person: Person,
    mut frame: Frame,
    mut form: Typed,
) -> Result<Response> {
    frame.path = format!("/events/{id}/fair/entry");
    let mut tx = app.db.read().await?;
    let event = fair(&mut tx, &frame, &id).await?;
    if let Some(there) = held(&mut tx, &id, &person).await? {
        return Ok(Redirect::to(&there).into_response());
    }
    let offer = offer(&mut tx, &event, &person, &frame).await?;
    drop(tx);
    if !person.member {
        match check::name(form.value("name")) {
            Ok(name) => person.name = name,
            Err(_) => form.blame("name", no_name()),
        }
    }
    let education = Education::from_word(form.value("education"));
    let wish: String = text::folded(form.value("wish")).chars().take(WISH_CHARS).collect();
    let key = form.value("key").to_owned();
    let again = |frame: Frame, form: Typed, refused: &Refused| {
        let refusal = form.is_sound().then(|| refused.text(frame.lang).to_owned());
        let key = new_id(frame.now);
        let html = page(&EntryPage {
            frame,
            event: event.clone(),
            person: person.clone(),
            form,
            refusal,
            key,
        })?;
        Ok((refused.status, html).into_response())
    };
    if !form.is_sound() {
        return again(frame, form, &no_name());
    }
    let offer = match offer {
        Some(offer) => offer,
        None => return again(frame, form, &no_entry()),
    };
    say(&app, &event, &person, education, &wish).await?;
    let request = Request { offer: offer.id, guests: Vec::new() };
    match booking::rules::book(&app, &person, request, &key).await {
        Ok(booked) => Ok(Redirect::to(&address(
            &booked.id,
            booked.tickets.first().map(|ticket| ticket.id.as_str()),
        ))
        .into_response()),
        Err(Error::Refused(refused)) => again(frame, form, &refused),
        Err(error) => Err(error),
    }
}

/// Where the person's place at the fair is, if they hold one.
async fn held(tx: &mut Tx, event_id: &str, person: &Person) -> Result<Option<String>> {
    for offer in event::queries::offers(tx, event_id).await? {
        if let Some(booking) = booking::queries::booking_of_offer(tx, &offer.id, &person.id).await?
        {
            let tickets = booking::queries::tickets_of(tx, &booking.id).await?;
            let ticket = tickets.first().filter(|_| booking.status == Status::Confirmed);
            return Ok(Some(address(&booking.id, ticket.map(|ticket| ticket.id.as_str()))));
        }
    }
    Ok(None)
}

fn address(booking: &str, ticket: Option<&str>) -> String {
    ticket.map_or_else(|| format!("/bookings/{booking}"), |ticket| format!("/tickets/{ticket}"))
}

/// The first offer that the person may book now.
pub(super) async fn offer(
    tx: &mut Tx,
    event: &Event,
    person: &Person,
    frame: &Frame,
) -> Result<Option<Offer>> {
    for offer in event::queries::offers(tx, &event.id).await? {
        let open = matches!(
            event::rules::standing(event, &offer, frame.now),
            Standing::Open | Standing::Line
        );
        if open
            && offer.mode == "first_come"
            && booking::rules::eligible(tx, &offer, &person.id).await?
        {
            return Ok(Some(offer));
        }
    }
    Ok(None)
}

/// Writes down what the visitor says of themselves.
pub(super) async fn say(
    app: &App,
    event: &Event,
    person: &Person,
    education: Option<Education>,
    wish: &str,
) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    if !person.member {
        execute!(
            tx,
            "update person set name = $2, name_search = $3, updated_ms = $4 where id = $1 and kind = 'guest'",
            &person.id,
            &person.name,
            person.name.to_lowercase(),
            now.0,
        )?;
    }
    execute!(
        tx,
        "insert into seeker (person_id, event_id, education, wish, updated_ms) values ($1, $2, $3, $4, $5)
         on conflict (event_id, person_id) do update set education = excluded.education, wish = excluded.wish,
             updated_ms = excluded.updated_ms",
        &person.id,
        &event.id,
        education.filter(|had| *had != Education::Any).map(Education::word),
        wish,
        now.0,
    )?;
    Ok(tx.commit().await?)
}

/// Whether the name is the one that signing in with a phone made up.
fn is_made_up(person: &Person) -> bool {
    let rest = person.name.strip_prefix("来宾");
    !person.member && rest.is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))
}

pub(super) fn no_name() -> Refused {
    unprocessable(
        "name",
        "请写您的姓名，2 到 30 个字。",
        "Please write your name, 2 to 30 letters.",
    )
}

pub(super) fn unprocessable(code: &'static str, zh: &str, en: &str) -> Refused {
    Refused::new(StatusCode::UNPROCESSABLE_ENTITY, code, zh, en)
}

pub(super) fn no_entry() -> Refused {
    Refused::new(
        StatusCode::CONFLICT,
        "not_open",
        "现在领不了入场券：还没开始、已截止或名额已满。请问现场服务台。",
        "No tickets right now: it is not open yet, over, or full. Please ask at the counter.",
    )
}
