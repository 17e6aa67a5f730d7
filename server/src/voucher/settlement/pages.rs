//! Statements: the organizer's pages of every venue, and a venue's own.

use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    response::{IntoResponse as _, Redirect, Response},
    routing::{get, post},
};

use super::{Entry, Kind, Month, Statement, close, files, months, of_month};
use crate::{
    App, audit,
    error::{Error, Result},
    voucher::{
        benefit,
        staff::{self, Person},
        venue::{self, Venue},
    },
    web::{Frame, access::Staff, attachment, page},
};

/// The HTML routes.
pub(in crate::voucher) fn routes() -> Router<App> {
    Router::new()
        .route("/venue/settlement", get(own_list))
        .route("/venue/settlement/{month}", get(own))
        .route("/venue/settlement/{month}/{file}", get(own_file))
        .route("/admin/venues/{venue}", get(hub))
        .route("/admin/venues/{venue}/settlement/{month}", get(show))
        .route("/admin/venues/{venue}/settlement/{month}/{file}", get(file))
        .route("/admin/venues/{venue}/settlement/{month}/closing", post(shut))
}

#[derive(Template)]
#[template(path = "voucher/venue.html")]
struct HubPage {
    frame: Frame,
    venue: Venue,
    people: Vec<Person>,
    statements: Vec<Statement>,
    /// How many members were counted on each day.
    members: Vec<(String, i64)>,
    /// Where its statements are.
    base: String,
}

/// `GET /admin/venues/{venue}`: who redeems there, and what is owed.
async fn hub(State(app): State<App>, Path(id): Path<String>, frame: Frame) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let venue = venue::venue(&mut tx, &id).await?;
    let people = staff::of_venue(&mut tx, &id).await?;
    let statements = months(&mut tx, &venue, frame.now).await?;
    let members = benefit::by_day(&mut tx, &venue).await?;
    let base = format!("/admin/venues/{id}/settlement");
    page(&HubPage { frame, venue, people, statements, members, base })
}

#[derive(Template)]
#[template(path = "voucher/statements.html")]
struct ListPage {
    frame: Frame,
    venue: Venue,
    statements: Vec<Statement>,
    base: &'static str,
}

/// `GET /venue/settlement`: a venue's own months.
async fn own_list(State(app): State<App>, staff: Staff, frame: Frame) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let venue = staff::venue_of(&mut tx, &staff).await?;
    let statements = months(&mut tx, &venue, frame.now).await?;
    page(&ListPage { frame, venue, statements, base: "/venue/settlement" })
}

#[derive(Template)]
#[template(path = "voucher/statement.html")]
struct StatementPage {
    frame: Frame,
    venue: Venue,
    statement: Statement,
    /// The list that it is in.
    back: String,
    /// Its own path.
    base: String,
    /// Whether its reader may close it now.
    may_close: bool,
    /// Why it was not closed.
    fault: Option<String>,
}

impl StatementPage {
    fn kind(&self, entry: &Entry) -> &'static str {
        files::kind(&self.frame, entry)
    }

    fn remark(&self, entry: &Entry) -> String {
        files::remark(&self.frame, entry)
    }

    fn sentence(&self) -> String {
        files::sentence(&self.frame, &self.statement)
    }

    fn sound(&self) -> bool {
        self.statement.is_sound(&self.venue)
    }
}

async fn read(app: &App, id: &str, month: &str) -> Result<(Venue, Statement)> {
    let now = Month::of(app.clock.now());
    let month = Month::read(month).filter(|month| *month <= now).ok_or(Error::NotFound)?;
    let mut tx = app.db.read().await?;
    let venue = venue::venue(&mut tx, id).await?;
    let statement = of_month(&mut tx, &venue, month).await?;
    Ok((venue, statement))
}

async fn read_own(app: &App, staff: &Staff, month: &str) -> Result<(Venue, Statement)> {
    let mut tx = app.db.read().await?;
    let venue = staff::venue_of(&mut tx, staff).await?;
    drop(tx);
    read(app, &venue.id, month).await
}

/// `GET /venue/settlement/{month}`.
async fn own(
    State(app): State<App>,
    Path(month): Path<String>,
    staff: Staff,
    frame: Frame,
) -> Result<Response> {
    let (venue, statement) = read_own(&app, &staff, &month).await?;
    let (back, base) = ("/venue/settlement".to_owned(), format!("/venue/settlement/{month}"));
    page(&StatementPage { frame, venue, statement, back, base, may_close: false, fault: None })
}

/// `GET /admin/venues/{venue}/settlement/{month}`.
async fn show(
    State(app): State<App>,
    Path((id, month)): Path<(String, String)>,
    frame: Frame,
) -> Result<Response> {
    page(&statement_page(&app, frame, &id, &month).await?)
}

async fn statement_page(app: &App, frame: Frame, id: &str, month: &str) -> Result<StatementPage> {
    let (venue, statement) = read(app, id, month).await?;
    let may_close = statement.closed.is_none() && frame.now >= statement.month.ends();
    let back = format!("/admin/venues/{id}");
    let base = format!("{back}/settlement/{month}");
    Ok(StatementPage { frame, venue, statement, back, base, may_close, fault: None })
}

/// `POST /admin/venues/{venue}/settlement/{month}/closing`.
async fn shut(
    State(app): State<App>,
    Path((id, month)): Path<(String, String)>,
    staff: Staff,
    mut frame: Frame,
) -> Result<Response> {
    let read = Month::read(&month).ok_or(Error::NotFound)?;
    match close(&app, &staff, &id, read).await {
        Ok(()) => {
            Ok(Redirect::to(&format!("/admin/venues/{id}/settlement/{month}")).into_response())
        }
        Err(Error::Refused(refused)) => {
            frame.path = format!("/admin/venues/{id}/settlement/{month}");
            let fault = Some(refused.text(frame.lang).to_owned());
            let again = statement_page(&app, frame, &id, &month).await?;
            Ok((refused.status, page(&StatementPage { fault, ..again })?).into_response())
        }
        Err(error) => Err(error),
    }
}

/// `GET /venue/settlement/{month}/{file}`: a venue's own statement, as [`written`].
async fn own_file(
    State(app): State<App>,
    Path((month, file)): Path<(String, String)>,
    staff: Staff,
    frame: Frame,
) -> Result<Response> {
    let read = read_own(&app, &staff, &month).await?;
    written(&app, &staff, &frame, read, &file).await
}

/// `GET /admin/venues/{venue}/settlement/{month}/{file}`: a venue's statement, as [`written`].
async fn file(
    State(app): State<App>,
    Path((id, month, file)): Path<(String, String, String)>,
    staff: Staff,
    frame: Frame,
) -> Result<Response> {
    let read = read(&app, &id, &month).await?;
    written(&app, &staff, &frame, read, &file).await
}

/// `statement.xlsx` or `statement.pdf`. It is written down who took it out of the house.
///
/// # Errors
/// [`Error::NotFound`] for any other file.
async fn written(
    app: &App,
    staff: &Staff,
    frame: &Frame,
    (venue, statement): (Venue, Statement),
    file: &str,
) -> Result<Response> {
    let bytes = match file {
        "statement.xlsx" => files::xlsx(frame, &venue, &statement).map_err(anyhow::Error::from)?,
        "statement.pdf" => files::pdf(frame, &venue, &statement),
        _ => return Err(Error::NotFound),
    };
    let (now, month) = (app.clock.now(), statement.month.to_string());
    let mut tx = app.db.write().await?;
    audit::record(&mut tx, staff, "settlement.file", &venue.id, &month, now).await?;
    tx.commit().await?;
    let name = format!("{}-{month}-结算单{}", venue.name, &file["statement".len()..]);
    Ok(attachment(file, &name, bytes))
}
