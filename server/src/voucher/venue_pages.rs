//! The organizer's pages of partner venues.

use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
    routing::get,
};

use super::venue::{self, Venue, VenueDraft};
use crate::{
    App, audit,
    error::{Error, Result},
    web::{Frame, access::Staff, form::Typed, page},
};

/// The HTML routes.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/admin/venues", get(list).post(create))
        .route("/admin/venues/new", get(new))
        .route("/admin/venues/{venue}/edit", get(edit).post(change))
}

#[derive(Template)]
#[template(path = "voucher/venues.html")]
struct VenuesPage {
    frame: Frame,
    venues: Vec<Venue>,
}

/// `GET /admin/venues`.
async fn list(State(app): State<App>, frame: Frame) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let venues = venue::open(&mut tx).await?;
    page(&VenuesPage { frame, venues })
}

#[derive(Template)]
#[template(path = "voucher/venue_form.html")]
struct FormPage {
    frame: Frame,
    form: Typed,
    /// None for a new one.
    venue: Option<Venue>,
}

/// `GET /admin/venues/new`.
async fn new(frame: Frame) -> Result<Response> {
    let form = Typed::of([("benefit_times", "1".to_owned())]);
    page(&FormPage { frame, form, venue: None })
}

/// `POST /admin/venues`.
async fn create(
    State(app): State<App>,
    staff: Staff,
    mut frame: Frame,
    mut form: Typed,
) -> Result<Response> {
    "/admin/venues/new".clone_into(&mut frame.path);
    let now = app.clock.now();
    if let Some(draft) = draft(&mut form) {
        let mut tx = app.db.write().await?;
        match venue::add(&mut tx, &draft, now).await {
            Ok(id) => {
                audit::record(&mut tx, &staff, "venue.create", &id, "", now).await?;
                tx.commit().await?;
                return Ok(Redirect::to(&format!("/admin/venues/{id}")).into_response());
            }
            Err(Error::Invalid(refused)) => form.blame(refused.code, refused.clone()),
            Err(error) => return Err(error),
        }
        tx.rollback().await?;
    }
    again(FormPage { frame, form, venue: None })
}

/// `GET /admin/venues/{venue}/edit`.
async fn edit(State(app): State<App>, Path(id): Path<String>, frame: Frame) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let venue = venue::venue(&mut tx, &id).await?;
    let form = Typed::of([
        ("name", venue.name.clone()),
        ("address", venue.address.clone()),
        ("contact", venue.contact.clone()),
        ("contact_phone", venue.contact_phone.clone().unwrap_or_default()),
        ("benefit", venue.benefit.clone()),
        ("benefit_times", venue.benefit_times.to_string()),
    ]);
    page(&FormPage { frame, form, venue: Some(venue) })
}

/// `POST /admin/venues/{venue}/edit`.
async fn change(
    State(app): State<App>,
    Path(id): Path<String>,
    staff: Staff,
    frame: Frame,
    mut form: Typed,
) -> Result<Response> {
    let now = app.clock.now();
    let mut tx = app.db.read().await?;
    let venue = venue::venue(&mut tx, &id).await?;
    drop(tx);
    if let Some(draft) = draft(&mut form) {
        let mut tx = app.db.write().await?;
        match venue::change(&mut tx, &id, &draft, now).await {
            Ok(()) => {
                audit::record(&mut tx, &staff, "venue.change", &id, "", now).await?;
                tx.commit().await?;
                return Ok(Redirect::to("/admin/venues").into_response());
            }
            Err(Error::Invalid(refused)) => form.blame(refused.code, refused.clone()),
            Err(error) => return Err(error),
        }
        tx.rollback().await?;
    }
    again(FormPage { frame, form, venue: Some(venue) })
}

fn again(shown: FormPage) -> Result<Response> {
    Ok((StatusCode::UNPROCESSABLE_ENTITY, page(&shown)?).into_response())
}

/// The draft in `form`; none when something is wrong with it, which is noted there.
fn draft(form: &mut Typed) -> Option<VenueDraft> {
    let text = |field| form.value(field).trim().to_owned();
    let draft = VenueDraft {
        name: text("name"),
        address: text("address"),
        contact: text("contact"),
        contact_phone: text("contact_phone"),
        benefit: form.value("benefit").replace("\r\n", "\n").trim().to_owned(),
        benefit_times: form.number("benefit_times").unwrap_or(0),
    };
    for refused in venue::faults(&draft) {
        form.blame(refused.code, refused.clone());
    }
    form.is_sound().then_some(draft)
}
