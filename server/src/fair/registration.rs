//! `/admin/events/{event}/fair/registration`: at the entrance, somebody without a phone at hand is registered by a
//! volunteer in under a minute. A name is enough. The ticket stands on the screen, for the scanner at the gate.

use admission::Millis;
use askama::Template;
use axum::{
    Router,
    extract::{Path, Query, State},
    response::{IntoResponse as _, Redirect, Response},
    routing::get,
};
use serde::Deserialize;

use super::{
    Education,
    entry::{self, no_entry, no_name},
    pages::fair,
};
use crate::{
    App, audit,
    booking::{self, Ticket, picture, rules::Request},
    db::{Tx, new_id},
    error::{Error, Refused, Result},
    event::Event,
    execute, fetch,
    people::import::{check, text},
    web::{
        Frame,
        access::{Person, Staff},
        form::Typed,
        page,
    },
};

/// The HTML routes.
pub(super) fn routes() -> Router<App> {
    Router::new().route("/admin/events/{event}/fair/registration", get(ask).post(register))
}

#[derive(Debug, Default, Deserialize)]
struct Asked {
    /// The ticket that was made just now.
    #[serde(default)]
    ticket: String,
}

#[derive(Template)]
#[template(path = "fair/registration.html")]
struct RegistrationPage {
    frame: Frame,
    event: Event,
    form: Typed,
    /// Who was registered just now: their ticket, and its code as a picture.
    made: Option<(Ticket, String)>,
    /// Why there is no ticket.
    refusal: Option<String>,
    /// Names this rendering's tap.
    key: String,
}

impl RegistrationPage {
    fn educations(&self) -> &'static [Education] {
        &Education::ALL[1..]
    }
}

/// `GET /admin/events/{event}/fair/registration`.
async fn ask(
    State(app): State<App>,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
    frame: Frame,
) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let event = fair(&mut tx, &frame, &id).await?;
    let made = if asked.ticket.is_empty() {
        None
    } else {
        let ticket = booking::queries::ticket(&mut tx, &asked.ticket).await?;
        if ticket.event_id != event.id {
            return Err(Error::NotFound);
        }
        let code = picture::qr_svg(&ticket.code(&app.keys)?)?;
        Some((ticket, code))
    };
    let (form, key) = (Typed::default(), new_id(frame.now));
    page(&RegistrationPage { frame, event, form, made, refusal: None, key })
}

/// `POST /admin/events/{event}/fair/registration`.
async fn register(
    State(app): State<App>,
    Path(id): Path<String>,
    staff: Staff,
    mut frame: Frame,
    mut form: Typed,
) -> Result<Response> {
    let path = format!("/admin/events/{id}/fair/registration");
    frame.path.clone_from(&path);
    let phone = text::unspaced(form.value("phone"));
    let name = check::name(form.value("name")).ok();
    let phone = if phone.is_empty() { Some(None) } else { check::phone(&phone).ok().map(Some) };
    let mut tx = app.db.write().await?;
    let event = fair(&mut tx, &frame, &id).await?;
    let refused = match (name, phone) {
        (Some(name), Some(phone)) => {
            let who = (name.as_str(), phone.as_deref());
            match ticket_for(&app, tx, (&event, &frame, &staff), who, &form).await? {
                Ok(ticket) => {
                    return Ok(Redirect::to(&format!("{path}?ticket={ticket}")).into_response());
                }
                Err(refused) => refused,
            }
        }
        (None, _) => blame(&mut form, "name", no_name()),
        (_, None) => {
            let (zh, en) = ("手机号是 11 位数字，没有就留空。", "Eleven digits, or nothing.");
            blame(&mut form, "phone", entry::unprocessable("phone", zh, en))
        }
    };
    let refusal = form.is_sound().then(|| refused.text(frame.lang).to_owned());
    let key = new_id(frame.now);
    let again = RegistrationPage { frame, event, form, made: None, refusal, key };
    Ok((refused.status, page(&again)?).into_response())
}

/// The ticket of whoever stands there: the one that they have, or a new one.
async fn ticket_for(
    app: &App,
    mut tx: Tx,
    (event, frame, staff): (&Event, &Frame, &Staff),
    who: (&str, Option<&str>),
    form: &Typed,
) -> Result<std::result::Result<String, Refused>> {
    let (tap, now) = (form.value("key"), app.clock.now());
    let person = whoever(&mut tx, who, tap, now).await?;
    let offer = entry::offer(&mut tx, event, &person, frame).await?;
    if let Some(there) = booking::walk_in::ticket_of(&mut tx, &person.id, &event.id).await? {
        return Ok(Ok(there));
    }
    let Some(offer) = offer else { return Ok(Err(no_entry())) };
    audit::record(&mut tx, staff, "fair.register", &person.id, &event.id, now).await?;
    tx.commit().await?;
    let education = Education::from_word(form.value("education"));
    entry::say(app, event, &person, education, "").await?;
    let request = Request { offer: offer.id, guests: Vec::new() };
    match booking::rules::book(app, &person, request, tap).await {
        Ok(booked) => {
            Ok(Ok(booked.tickets.into_iter().next().map_or(String::new(), |ticket| ticket.id)))
        }
        Err(Error::Refused(refused)) => Ok(Err(refused)),
        Err(error) => Err(error),
    }
}

fn blame(form: &mut Typed, field: &'static str, refused: Refused) -> Refused {
    form.blame(field, refused.clone());
    refused
}

/// The person of that name and phone, on the roster or known from another fair; else a new guest. What `tap` names is the
/// guest's id, so that one that is sent twice makes one.
async fn whoever(
    tx: &mut Tx,
    (name, phone): (&str, Option<&str>),
    tap: &str,
    now: Millis,
) -> Result<Person> {
    let known: Option<(String, String)> = fetch!(
        tx,
        fetch_optional,
        "select id, kind from person where name = $2 and (phone = $1 or (id = $3 and kind = 'guest'))
         order by kind desc, id limit 1",
        phone,
        name,
        tap,
    )?;
    if let Some((id, kind)) = known {
        return Ok(Person { id, name: name.to_owned(), member: kind == "member" });
    }
    let (taken,): (i64,) = fetch!(tx, fetch_one, "select count(*) from person where id = $1", tap)?;
    let is_id = tap.len() == 36 && tap.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    let id = if is_id && taken == 0 { tap.to_owned() } else { new_id(now) };
    execute!(
        tx,
        "insert into person (id, kind, name, name_search, phone, created_ms, updated_ms)
         values ($1, 'guest', $2, $3, $4, $5, $5)",
        &id,
        name,
        name.to_lowercase(),
        phone,
        now.0,
    )?;
    Ok(Person { id, name: name.to_owned(), member: false })
}
