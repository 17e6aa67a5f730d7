//! An employer's way in: a personal link and a PIN. Whoever has both is staff of the role exhibitor, and sees what is its
//! employer's and nothing else.

use admission::Millis;
use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    response::{IntoResponse as _, Redirect, Response},
    routing::get,
};
use axum_extra::extract::CookieJar;

use super::{Employer, queries};
pub(crate) use crate::account::pin::{Secret, Way};
use crate::{
    App,
    account::pin::{self, Door},
    db::{Tx, new_id},
    error::{Error, Result},
    event::{self, Event},
    execute, fetch,
    staff::NO_PASSWORD,
    web::{
        Frame,
        access::{Role, Staff},
        form::Typed,
        limits::Address,
        page,
    },
};

/// The HTML routes.
pub(super) fn routes() -> Router<App> {
    Router::new().route("/stand/{link}", get(ask).post(open))
}

/// Makes an employer's agent a new link and PIN; those they had before no longer open anything.
///
/// # Errors
/// When hashing or the database fails.
pub(crate) async fn make(
    tx: &mut Tx,
    employer: &Employer,
    secret: Secret,
    now: Millis,
) -> Result<Way> {
    revoke(tx, &employer.id, now).await?;
    let id = new_id(now);
    execute!(
        tx,
        "insert into staff (id, name, role, password_hash, created_ms) values ($1, $2, 'exhibitor', $3, $4)",
        &id,
        // Names of staff are unique; this one is never typed.
        format!("{} {} {}", employer.stand, employer.name, queries::random_code()),
        NO_PASSWORD,
        now.0,
    )?;
    execute!(
        tx,
        "insert into exhibitor (staff_id, event_id, employer_id, link_hash, pin_hash, made_ms)
         values ($1, $2, $3, $4, $5, $6)",
        &id,
        &employer.event_id,
        &employer.id,
        pin::hash(&secret.link),
        &secret.pin_hash,
        now.0,
    )?;
    Ok(Way { path: format!("/stand/{}", secret.link), pin: secret.pin })
}

/// Takes an employer's links back, and ends the sessions they opened.
pub(crate) async fn revoke(tx: &mut Tx, employer_id: &str, now: Millis) -> Result<()> {
    execute!(
        tx,
        "delete from session where staff_id in (select staff_id from exhibitor where employer_id = $1)",
        employer_id,
    )?;
    execute!(
        tx,
        "update staff set disabled_ms = $2 where disabled_ms is null
             and id in (select staff_id from exhibitor where employer_id = $1)",
        employer_id,
        now.0,
    )?;
    execute!(
        tx,
        "update exhibitor set revoked_ms = $2 where employer_id = $1 and revoked_ms is null",
        employer_id,
        now.0,
    )?;
    Ok(())
}

/// The event and the employer of a member of staff.
///
/// # Errors
/// [`Error::NotFound`] when they are nobody's agent, or no longer.
pub(crate) async fn stand_of(tx: &mut Tx, staff: &Staff) -> Result<(Event, Employer)> {
    let row: Option<(String,)> = fetch!(
        tx,
        fetch_optional,
        "select employer_id from exhibitor where staff_id = $1 and revoked_ms is null",
        &staff.id,
    )?;
    let (employer,) = row.filter(|_| staff.role == Role::Exhibitor).ok_or(Error::NotFound)?;
    let employer = queries::employer(tx, &employer).await?;
    Ok((event::queries::event(tx, &employer.event_id).await?, employer))
}

/// When each employer's way in was made, by employer.
pub(crate) async fn made(tx: &mut Tx, event_id: &str) -> Result<Vec<(String, i64)>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select employer_id, made_ms from exhibitor where event_id = $1 and revoked_ms is null order by made_ms",
        event_id,
    )?)
}

#[derive(Template)]
#[template(path = "fair/pin.html")]
struct PinPage {
    frame: Frame,
    event: Event,
    employer: Employer,
    link: String,
    fault: Option<String>,
}

async fn door(tx: &mut Tx, link: &str) -> Result<(Door, Event, Employer)> {
    let door: Option<Door> = fetch!(
        tx,
        fetch_optional,
        "select staff_id, employer_id as house, pin_hash from exhibitor where link_hash = $1 and revoked_ms is null",
        pin::hash(link),
    )?;
    let door = door.ok_or(Error::NotFound)?;
    let employer = queries::employer(tx, &door.house).await?;
    let event = event::queries::event(tx, &employer.event_id).await?;
    Ok((door, event, employer))
}

/// `GET /stand/{link}`: asks for the PIN.
async fn ask(
    State(app): State<App>,
    Path(link): Path<String>,
    mut frame: Frame,
) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let (door, event, employer) = door(&mut tx, &link).await?;
    if door.is_open_to(&frame) {
        return Ok(Redirect::to("/stand").into_response());
    }
    "/stand".clone_into(&mut frame.path);
    page(&PinPage { frame, event, employer, link, fault: None })
}

/// `POST /stand/{link}`: the right PIN opens a session.
async fn open(
    State(app): State<App>,
    Path(link): Path<String>,
    Address(address): Address,
    jar: CookieJar,
    mut frame: Frame,
    form: Typed,
) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let (door, event, employer) = door(&mut tx, &link).await?;
    drop(tx);
    "/stand".clone_into(&mut frame.path);
    let typed = (form.value("pin"), address.as_str(), jar);
    pin::enter(&app, (link.as_str(), door), typed, "/stand", |refused| {
        let fault = Some(refused.text(frame.lang).to_owned());
        page(&PinPage { frame, event, employer, link: link.clone(), fault })
    })
    .await
}
