//! Those who redeem at a venue, and their way in: a personal link with a PIN, or an account with a password. They are staff
//! of the role venue and see what is their venue's and nothing else.

use admission::Millis;
use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
    routing::{get, post},
};
use axum_extra::extract::CookieJar;

use super::venue::{self, Venue};
use crate::{
    App,
    account::pin::{self, Door, Secret, Way},
    audit,
    db::{Tx, new_id},
    error::{Error, Result},
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
    Router::new()
        .route("/venue/{link}", get(ask).post(open))
        .route("/admin/venues/{venue}/people", post(change))
}

/// Somebody who redeems at a venue.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Person {
    pub(super) staff_id: String,
    pub(super) name: String,
    /// Signs in with a password; others by a link.
    pub(super) has_password: bool,
    #[sqlx(try_from = "i64")]
    pub(super) made_ms: Millis,
}

impl Person {
    /// As whoever made the link called them: without what makes the name of an account unique.
    pub(super) fn called(&self, venue: &Venue) -> &str {
        let name = self.name.strip_prefix(&venue.name).filter(|_| !self.has_password);
        let called = name.and_then(|name| name.trim_start().rsplit_once(' '));
        called.map_or(&self.name, |(called, _)| called)
    }
}

/// Who redeems at a venue now.
pub(super) async fn of_venue(tx: &mut Tx, venue_id: &str) -> Result<Vec<Person>> {
    Ok(fetch!(
        tx,
        fetch_all,
        "select p.staff_id, s.name, p.link_hash is null as has_password, p.made_ms
         from venue_staff p join staff s on s.id = p.staff_id
         where p.venue_id = $1 and p.revoked_ms is null and s.disabled_ms is null order by p.made_ms, p.staff_id",
        venue_id,
    )?)
}

/// The venue of a member of staff.
///
/// # Errors
/// [`Error::NotFound`] when they are at none, or no longer.
pub(super) async fn venue_of(tx: &mut Tx, staff: &Staff) -> Result<Venue> {
    let row: Option<(String,)> = fetch!(
        tx,
        fetch_optional,
        "select venue_id from venue_staff where staff_id = $1 and revoked_ms is null",
        &staff.id,
    )?;
    let (venue,) = row.filter(|_| staff.role == Role::Venue).ok_or(Error::NotFound)?;
    venue::venue(tx, &venue).await
}

/// Makes a new link and PIN for somebody called `name` at a venue.
///
/// # Errors
/// When the database fails.
pub(crate) async fn make(
    tx: &mut Tx,
    venue: &Venue,
    name: &str,
    secret: Secret,
    now: Millis,
) -> Result<Way> {
    let id = new_id(now);
    execute!(
        tx,
        "insert into staff (id, name, role, password_hash, created_ms) values ($1, $2, 'venue', $3, $4)",
        &id,
        // Names of staff are unique; this one is never typed.
        format!("{} {} {}", venue.name, name.trim(), &id[id.len() - 6..]),
        NO_PASSWORD,
        now.0,
    )?;
    execute!(
        tx,
        "insert into venue_staff (staff_id, venue_id, link_hash, pin_hash, made_ms) values ($1, $2, $3, $4, $5)",
        &id,
        &venue.id,
        pin::hash(&secret.link),
        &secret.pin_hash,
        now.0,
    )?;
    Ok(Way { path: format!("/venue/{}", secret.link), pin: secret.pin })
}

/// An account of the role venue redeems at this venue from now on.
async fn assign(tx: &mut Tx, venue: &Venue, name: &str, now: Millis) -> Result<()> {
    let row: Option<(String,)> = fetch!(
        tx,
        fetch_optional,
        "select id from staff where name = $1 and role = 'venue' and disabled_ms is null",
        name.trim(),
    )?;
    let Some((staff_id,)) = row else {
        return Err(Error::invalid(
            "name",
            "没有这个场馆账号。请管理员先用 turnout-server staff add 建一个，角色为 venue。",
            "There is no such account of the role venue. An administrator makes one with: turnout-server staff add.",
        ));
    };
    execute!(
        tx,
        "insert into venue_staff (staff_id, venue_id, made_ms) values ($1, $2, $3)
         on conflict (staff_id) do update set venue_id = excluded.venue_id, revoked_ms = null",
        staff_id,
        &venue.id,
        now.0,
    )?;
    Ok(())
}

/// They no longer redeem there; their sessions end.
async fn dismiss(tx: &mut Tx, venue: &Venue, staff_id: &str, now: Millis) -> Result<()> {
    let rows = execute!(
        tx,
        "update venue_staff set revoked_ms = $3 where staff_id = $1 and venue_id = $2 and revoked_ms is null",
        staff_id,
        &venue.id,
        now.0,
    )?;
    if rows == 0 {
        return Err(Error::NotFound);
    }
    execute!(tx, "delete from session where staff_id = $1", staff_id)?;
    Ok(())
}

#[derive(Template)]
#[template(path = "voucher/way.html")]
struct WayPage {
    frame: Frame,
    venue: Venue,
    address: String,
    pin: String,
}

/// `POST /admin/venues/{venue}/people`: makes a link, lets an account in, or sends somebody away.
async fn change(
    State(app): State<App>,
    Path(id): Path<String>,
    staff: Staff,
    mut frame: Frame,
    form: Typed,
) -> Result<Response> {
    frame.path = format!("/admin/venues/{id}");
    let now = app.clock.now();
    let back = format!("/admin/venues/{id}");
    let (act, secret) = match form.value("act") {
        "make" => ("venue.link", Some(Secret::new().await?)),
        "assign" => ("venue.assign", None),
        _ => ("venue.dismiss", None),
    };
    let mut tx = app.db.write().await?;
    let venue = venue::venue(&mut tx, &id).await?;
    let made = match (act, secret) {
        (_, Some(secret)) => {
            let name: String = form.value("name").trim().chars().take(20).collect();
            Some(make(&mut tx, &venue, &name, secret, now).await?)
        }
        ("venue.assign", _) => {
            assign(&mut tx, &venue, form.value("name"), now).await?;
            None
        }
        _ => {
            dismiss(&mut tx, &venue, form.value("staff"), now).await?;
            None
        }
    };
    audit::record(&mut tx, &staff, act, &id, "", now).await?;
    tx.commit().await?;
    let Some(Way { path, pin }) = made else { return Ok(Redirect::to(&back).into_response()) };
    let address = format!("{}{path}", app.public_url);
    Ok((StatusCode::CREATED, page(&WayPage { frame, venue, address, pin })?).into_response())
}

async fn door(tx: &mut Tx, link: &str) -> Result<(Door, Venue)> {
    let door: Option<Door> = fetch!(
        tx,
        fetch_optional,
        "select staff_id, venue_id as house, pin_hash from venue_staff where link_hash = $1 and revoked_ms is null",
        pin::hash(link),
    )?;
    let door = door.ok_or(Error::NotFound)?;
    let venue = venue::venue(tx, &door.house).await?;
    Ok((door, venue))
}

#[derive(Template)]
#[template(path = "voucher/pin.html")]
struct PinPage {
    frame: Frame,
    venue: Venue,
    link: String,
    fault: Option<String>,
}

/// `GET /venue/{link}`: asks for the PIN.
async fn ask(
    State(app): State<App>,
    Path(link): Path<String>,
    mut frame: Frame,
) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let (door, venue) = door(&mut tx, &link).await?;
    if door.is_open_to(&frame) {
        return Ok(Redirect::to("/venue").into_response());
    }
    "/venue".clone_into(&mut frame.path);
    page(&PinPage { frame, venue, link, fault: None })
}

/// `POST /venue/{link}`: the right PIN opens a session.
async fn open(
    State(app): State<App>,
    Path(link): Path<String>,
    Address(address): Address,
    jar: CookieJar,
    mut frame: Frame,
    form: Typed,
) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let (door, venue) = door(&mut tx, &link).await?;
    drop(tx);
    "/venue".clone_into(&mut frame.path);
    let typed = (form.value("pin"), address.as_str(), jar);
    pin::enter(&app, (link.as_str(), door), typed, "/venue", |refused| {
        let fault = Some(refused.text(frame.lang).to_owned());
        page(&PinPage { frame, venue, link: link.clone(), fault })
    })
    .await
}
