//! The organizer's pages of a fair: the live board, the employers with their ways in, the stands' posters.

use admission::Millis;
use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
    routing::{get, post},
};

use super::{
    Employer,
    exhibitor::{self, Secret, Way},
    figures::{self, Figures},
    pages::fair,
    queries,
};
use crate::{
    App, audit,
    booking::picture,
    error::{Error, Result},
    event::Event,
    execute,
    web::{Frame, access::Staff, form::Typed, page},
};

/// The HTML routes.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/admin/events/{event}/fair", get(board))
        .route("/admin/events/{event}/fair/capacity", post(limit))
        .route("/admin/events/{event}/fair/employers", get(employers))
        .route("/admin/events/{event}/fair/employers/{employer}/link", post(link))
        .route("/admin/events/{event}/fair/posters", get(posters))
}

#[derive(Template)]
#[template(path = "fair/board.html")]
struct BoardPage {
    frame: Frame,
    event: Event,
    tab: &'static str,
    figures: Figures,
}

impl BoardPage {
    /// The width of a stand's bar, in hundredths of the busiest.
    fn share(&self, visitors: &i64) -> i64 {
        let most = self.figures.stands.first().map_or(1, |stand| stand.visitors);
        visitors * 100 / most.max(1)
    }
}

/// `GET /admin/events/{event}/fair`: the fair as it is now.
async fn board(State(app): State<App>, Path(id): Path<String>, frame: Frame) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let event = fair(&mut tx, &frame, &id).await?;
    let figures = figures::of(&mut tx, &event, frame.now).await?;
    page(&BoardPage { frame, event, tab: "fair", figures })
}

/// `POST /admin/events/{event}/fair/capacity`: the approved size; empty for none.
async fn limit(
    State(app): State<App>,
    Path(id): Path<String>,
    staff: Staff,
    frame: Frame,
    form: Typed,
) -> Result<Response> {
    let said = form.value("capacity").trim().to_owned();
    let capacity = form.number("capacity").filter(|capacity| (1..=1_000_000).contains(capacity));
    if capacity.is_none() && !said.is_empty() {
        return Err(Error::invalid(
            "capacity",
            "核准人数应为 1 到 1000000 的整数，没有就留空。",
            "The approved size is a whole number from 1 to 1000000, or empty.",
        ));
    }
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    fair(&mut tx, &frame, &id).await?;
    execute!(
        tx,
        "update event set capacity = $2, updated_ms = $3 where id = $1",
        &id,
        capacity,
        now.0
    )?;
    audit::record(&mut tx, &staff, "fair.capacity", &id, &said, now).await?;
    tx.notify(&id).await?;
    tx.commit().await?;
    app.live.changed(&id);
    Ok(Redirect::to(&format!("/admin/events/{id}/fair")).into_response())
}

#[derive(Template)]
#[template(path = "fair/employers.html")]
struct EmployersPage {
    frame: Frame,
    event: Event,
    tab: &'static str,
    /// Each with when its way in was made.
    employers: Vec<(Employer, Option<Millis>)>,
    /// The one that was just made: shown once, kept nowhere.
    made: Option<Made>,
}

struct Made {
    employer: Employer,
    way: Way,
    /// The link, whole, and as a picture for the agent's phone.
    url: String,
    qr: String,
}

impl EmployersPage {
    async fn read(app: &App, mut frame: Frame, id: &str) -> Result<Self> {
        frame.path = format!("/admin/events/{id}/fair/employers");
        let mut tx = app.db.read().await?;
        let event = fair(&mut tx, &frame, id).await?;
        let made = exhibitor::made(&mut tx, id).await?;
        let of = |employer: &Employer| {
            made.iter().find(|(id, _)| *id == employer.id).map(|(_, at)| Millis(*at))
        };
        let employers = queries::employers(&mut tx, id).await?;
        let employers =
            employers.into_iter().map(|employer| (employer.clone(), of(&employer))).collect();
        Ok(Self { frame, event, tab: "fair", employers, made: None })
    }
}

/// `GET /admin/events/{event}/fair/employers`.
async fn employers(
    State(app): State<App>,
    Path(id): Path<String>,
    frame: Frame,
) -> Result<Response> {
    page(&EmployersPage::read(&app, frame, &id).await?)
}

/// `POST /admin/events/{event}/fair/employers/{employer}/link`: makes a new way in, or with `act=revoke` takes it away.
/// Link and PIN stand on the answer and nowhere else.
async fn link(
    State(app): State<App>,
    Path((id, employer)): Path<(String, String)>,
    staff: Staff,
    frame: Frame,
    form: Typed,
) -> Result<Response> {
    let secret = Secret::new().await?;
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    fair(&mut tx, &frame, &id).await?;
    let employer = queries::employer(&mut tx, &employer).await?;
    if employer.event_id != id {
        return Err(Error::NotFound);
    }
    if form.value("act") == "revoke" {
        exhibitor::revoke(&mut tx, &employer.id, now).await?;
        audit::record(&mut tx, &staff, "stand.revoke", &employer.id, "", now).await?;
        tx.commit().await?;
        return Ok(Redirect::to(&format!("/admin/events/{id}/fair/employers")).into_response());
    }
    let way = exhibitor::make(&mut tx, &employer, secret, now).await?;
    audit::record(&mut tx, &staff, "stand.link", &employer.id, "", now).await?;
    tx.commit().await?;
    let url = format!("{}{}", app.public_url, way.path);
    let made = Made { qr: picture::qr_svg(&url)?, url, employer, way };
    let shown = EmployersPage { made: Some(made), ..EmployersPage::read(&app, frame, &id).await? };
    Ok((StatusCode::CREATED, page(&shown)?).into_response())
}

#[derive(Template)]
#[template(path = "fair/posters.html")]
struct PostersPage {
    frame: Frame,
    event: Event,
    /// Each with the picture of its address.
    posters: Vec<(Employer, String)>,
}

/// `GET /admin/events/{event}/fair/posters`: one sheet for each stand, to be printed.
async fn posters(State(app): State<App>, Path(id): Path<String>, frame: Frame) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let event = fair(&mut tx, &frame, &id).await?;
    let mut posters = Vec::new();
    for employer in queries::employers(&mut tx, &id).await? {
        let qr = picture::qr_svg(&format!("{}/stands/{}", app.public_url, employer.poster))?;
        posters.push((employer, qr));
    }
    page(&PostersPage { frame, event, posters })
}
