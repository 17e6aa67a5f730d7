//! `/admin/events/{event}/fair/import`: the organizer brings the lists in, looking first at what would happen.

use askama::Template;
use axum::{
    Router,
    extract::{DefaultBodyLimit, Multipart, Path, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::get,
};

use super::{Report, read};
use crate::{
    App, audit,
    error::{Error, Result},
    event::Event,
    fair::pages::fair,
    people::import::sheet::Limits,
    web::{Frame, access::Staff, page},
};

/// A fair's lists are small.
const BYTES: usize = 4 << 20;

/// The HTML routes.
pub(in crate::fair) fn routes() -> Router<App> {
    Router::new()
        .route("/admin/events/{event}/fair/import", get(ask).post(bring))
        .layer(DefaultBodyLimit::max(BYTES + (64 << 10)))
}

#[derive(Template)]
#[template(path = "fair/import/page.html")]
struct ImportPage {
    frame: Frame,
    event: Event,
    tab: &'static str,
    outcome: Option<Outcome>,
    fault: Option<String>,
}

/// What an import did, or would do.
struct Outcome {
    report: Report,
    trial: bool,
}

/// `GET /admin/events/{event}/fair/import`.
async fn ask(State(app): State<App>, Path(id): Path<String>, frame: Frame) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let event = fair(&mut tx, &frame, &id).await?;
    page(&ImportPage { frame, event, tab: "fair", outcome: None, fault: None })
}

/// `POST /admin/events/{event}/fair/import`: with `trial`, says only what would happen.
async fn bring(
    State(app): State<App>,
    Path(id): Path<String>,
    staff: Staff,
    frame: Frame,
    mut form: Multipart,
) -> Result<Response> {
    let (mut bytes, mut trial) = (Vec::new(), false);
    while let Some(field) = form.next_field().await.map_err(|_| unreadable())? {
        match field.name() {
            Some("file") => bytes = field.bytes().await.map_err(|_| unreadable())?.to_vec(),
            Some("trial") => trial = true,
            _ => {}
        }
    }
    let now = app.clock.now();
    let limits = Limits { bytes: BYTES, unpacked: 64 << 20, rows: 5_000, ..Limits::default() };
    let lists = tokio::task::spawn_blocking(move || read(&bytes, &limits))
        .await
        .map_err(anyhow::Error::from)?;
    let mut tx = app.db.write().await?;
    let event = fair(&mut tx, &frame, &id).await?;
    let lists = match lists {
        Ok(lists) => lists,
        Err(error) => {
            tx.rollback().await?;
            let again = ImportPage {
                frame,
                event,
                tab: "fair",
                outcome: None,
                fault: Some(error.to_string()),
            };
            return Ok((StatusCode::UNPROCESSABLE_ENTITY, page(&again)?).into_response());
        }
    };
    let report = lists.write(&mut tx, &id, now).await?;
    if trial {
        tx.rollback().await?;
    } else {
        let note = report
            .counts()
            .map(|(_, en, counts)| format!("{en} +{} ~{}", counts.new, counts.updated))
            .join(", ");
        audit::record(&mut tx, &staff, "fair.import", &id, &note, now).await?;
        tx.commit().await?;
        app.live.changed(&id);
    }
    page(&ImportPage {
        frame,
        event,
        tab: "fair",
        outcome: Some(Outcome { report, trial }),
        fault: None,
    })
}

fn unreadable() -> Error {
    Error::invalid(
        "file",
        "文件没有传完整，请再选一次。",
        "The file did not arrive whole. Please choose it again.",
    )
}
