//! The organizer's import pages: upload, look at what would happen, confirm. The file itself is never on a disk.

use std::{collections::HashMap, sync::Arc};

use askama::Template;
use axum::{
    Extension, Form, Router,
    extract::{
        DefaultBodyLimit, Multipart, Path, Query, State,
        multipart::{Field, MultipartError, MultipartRejection},
    },
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Redirect, Response},
    routing::{get, post},
};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{
    batch::Batch,
    headings::Kind,
    previews::{Preview, Previews, Stage},
    rows::Rules,
    sheet::{Limits, SheetError},
    text,
    verdict::Accepted,
    view::{Choice, Tab, View},
};
use crate::{
    App, audit,
    db::new_id,
    error::{Error, Refused, Result},
    web::{Frame, access::Staff, page, session},
};

/// The HTML routes.
pub(crate) fn routes() -> Router<App> {
    // A form's own wrapping comes on top of the file.
    let body = DefaultBodyLimit::max(Limits::default().bytes + 64 * 1024);
    Router::new()
        .route("/admin/import", get(ask).post(upload).layer(body))
        .route("/admin/import/{import}", get(show))
        .route("/admin/import/{import}/confirmation", post(confirm))
        .route("/admin/import/{import}/discard", post(discard))
        .layer(Extension(Previews::new()))
}

#[derive(Template)]
#[template(path = "people/import/upload.html")]
struct UploadPage {
    frame: Frame,
    fault: Option<String>,
    /// What the file was said to list.
    kind: Kind,
}

impl UploadPage {
    fn lists_members(&self) -> bool {
        self.kind == Kind::Members
    }
}

/// `GET /admin/import`: asks for a file.
async fn ask(frame: Frame) -> Result<Response> {
    page(&UploadPage { frame, fault: None, kind: Kind::Members })
}

/// `POST /admin/import`: reads the file and goes on to its preview; a file of no use comes back with the reason.
async fn upload(
    State(app): State<App>,
    Extension(previews): Extension<Previews>,
    headers: HeaderMap,
    frame: Frame,
    form: Result<Multipart, MultipartRejection>,
) -> Result<Response> {
    let uploaded = match receive(form).await {
        Ok(uploaded) => uploaded,
        Err(fault) => return refused(frame, Kind::Members, fault),
    };
    let Uploaded { kind, name, bytes } = uploaded;
    let _permit = previews.readers.clone().try_acquire_owned().map_err(|_| Error::Busy)?;
    let (app_too, now) = (app.clone(), app.clock.now());
    let reading = move || {
        let (card_key, bins, limits) = (&app_too.keys.card, &app_too.card_bins, Limits::default());
        Batch::read(kind, &bytes, &Rules { card_key, bins, today: super::today(now), limits })
    };
    let batch = match tokio::task::spawn_blocking(reading).await.map_err(anyhow::Error::from)? {
        Ok(batch) => batch,
        Err(error) => return refused(frame, kind, error.to_string()),
    };
    let id = new_id(now);
    let stage = tokio::sync::Mutex::new(Stage::Waiting(batch));
    let session = session_of(&app, &headers)?;
    previews.keep(Preview { id: id.clone(), session, file: name, since: now, stage }, now);
    Ok(Redirect::to(&format!("/admin/import/{id}")).into_response())
}

fn refused(frame: Frame, kind: Kind, fault: String) -> Result<Response> {
    let page = page(&UploadPage { frame, fault: Some(fault), kind })?;
    Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
}

/// An uploaded file.
struct Uploaded {
    kind: Kind,
    /// Its name as it may be shown.
    name: String,
    bytes: Zeroizing<Vec<u8>>,
}

async fn receive(form: Result<Multipart, MultipartRejection>) -> Result<Uploaded, String> {
    const NO_FILE: &str = "请选择一个 .xlsx 或 .csv 文件。 Choose an .xlsx or .csv file.";
    let broken = |error: MultipartError| match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => too_large(),
        _ => "上传没有完成，请再试一次。 The upload was cut off: please try again.".to_owned(),
    };
    let mut form = form.map_err(|_| NO_FILE.to_owned())?;
    let (mut kind, mut file) = (Kind::Members, None);
    while let Some(field) = form.next_field().await.map_err(broken)? {
        let what = field.name().unwrap_or_default().to_owned();
        match what.as_str() {
            "kind" => kind = kind_of(&field.text().await.map_err(broken)?),
            "file" => file = Some(receive_file(field, broken).await?),
            _ => {}
        }
    }
    let (name, bytes) = file.filter(|(_, bytes)| !bytes.is_empty()).ok_or(NO_FILE)?;
    Ok(Uploaded { kind, name, bytes })
}

fn kind_of(word: &str) -> Kind {
    if word == "organisations" { Kind::Organisations } else { Kind::Members }
}

async fn receive_file(
    mut field: Field<'_>,
    broken: impl Fn(MultipartError) -> String,
) -> Result<(String, Zeroizing<Vec<u8>>), String> {
    let name = text::shown(field.file_name().unwrap_or_default());
    let mut bytes = Zeroizing::new(Vec::new());
    while let Some(chunk) = field.chunk().await.map_err(&broken)? {
        if bytes.len() + chunk.len() > Limits::default().bytes {
            return Err(too_large());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok((name, bytes))
}

fn too_large() -> String {
    SheetError::TooLarge(Limits::default().bytes as u64 >> 20).to_string()
}

#[derive(Template)]
#[template(path = "people/import/preview.html")]
struct PreviewPage {
    frame: Frame,
    id: String,
    file: String,
    done: bool,
    view: View,
}

impl PreviewPage {
    fn imported(&self) -> String {
        let View { new, update, unchanged, .. } = self.view;
        self.frame.say(
            format!("新增 {new} 行，更新 {update} 行，不变 {unchanged} 行。"),
            format!("{new} new, {update} updated, {unchanged} unchanged."),
        )
    }

    fn button(&self) -> String {
        match self.view.to_write() {
            0 => self.frame.t("导入勾选的", "Import what is ticked").to_owned(),
            rows => self.frame.say(format!("导入 {rows} 行"), format!("Import {rows} rows")),
        }
    }
}

/// Which rows to look at.
#[derive(Debug, Deserialize)]
struct Look {
    show: Option<String>,
    page: Option<usize>,
}

/// `GET /admin/import/{import}`: what the import would do now, or did.
async fn show(
    State(app): State<App>,
    Extension(previews): Extension<Previews>,
    Path(id): Path<String>,
    Query(look): Query<Look>,
    headers: HeaderMap,
    frame: Frame,
) -> Result<Response> {
    let preview = find(&app, &previews, &id, &headers)?;
    let stage = preview.stage.lock().await;
    let choice = Choice { tab: look.show.as_deref().and_then(Tab::from_word), page: look.page };
    let (done, view) = match &*stage {
        Stage::Waiting(batch) => {
            let report = batch.preview(&app.db, &Accepted::default()).await?;
            (false, View::new(&report, choice, frame.lang))
        }
        Stage::Done(report) => (true, View::new(report, choice, frame.lang)),
    };
    let (id, file) = (preview.id.clone(), preview.file.clone());
    page(&PreviewPage { frame, id, file, done, view })
}

/// `POST /admin/import/{import}/confirmation`: carries the import out, once. The form has a ticked box per code of
/// conflict to carry out.
async fn confirm(
    State(app): State<App>,
    Extension(previews): Extension<Previews>,
    Path(id): Path<String>,
    headers: HeaderMap,
    staff: Staff,
    Form(ticked): Form<HashMap<String, String>>,
) -> Result<Redirect> {
    let preview = find(&app, &previews, &id, &headers)?;
    let mut stage = preview.stage.lock().await;
    if let Stage::Waiting(batch) = &*stage {
        let (accepted, now) = (Accepted::of(ticked.keys()), app.clock.now());
        let mut tx = app.db.write().await?;
        let report = batch.carry_out(&mut tx, &accepted, now, |_| ()).await?;
        let action = match batch.kind() {
            Kind::Organisations => "import.organisations",
            Kind::Members => "import.members",
        };
        audit::record(&mut tx, &staff, action, &id, &report.summary(), now).await?;
        tx.commit().await?;
        *stage = Stage::Done(report);
    }
    Ok(Redirect::to(&format!("/admin/import/{id}")))
}

/// `POST /admin/import/{import}/discard`: forgets the upload.
async fn discard(
    State(app): State<App>,
    Extension(previews): Extension<Previews>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Redirect> {
    previews.discard(&id, &session_of(&app, &headers)?, app.clock.now());
    Ok(Redirect::to("/admin/import"))
}

fn find(app: &App, previews: &Previews, id: &str, headers: &HeaderMap) -> Result<Arc<Preview>> {
    let session = session_of(app, headers)?;
    let gone = || {
        Refused::new(
            StatusCode::NOT_FOUND,
            "import_gone",
            "这份预览已经过期（保留半小时）或不是您上传的。请重新上传文件。",
            "This preview is gone (it lasts half an hour) or not yours. Please upload the file again.",
        )
    };
    Ok(previews.find(id, &session, app.clock.now()).ok_or_else(gone)?)
}

fn session_of(app: &App, headers: &HeaderMap) -> Result<Vec<u8>> {
    session::fingerprint(app, headers).ok_or(Error::SignedOut)
}
