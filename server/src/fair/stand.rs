//! An employer's page on a phone: scan or type a visiting card, say how far you got. It works without a network: the
//! phone keeps what was recorded and sends it later (`stand.js`); without scripts it is a plain form.

use askama::Template;
use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, Query, State},
    response::{IntoResponse as _, Redirect, Response},
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Employer, Post, card,
    encounter::{self, Fact, Outcome},
    exhibitor::stand_of,
    people::{self, Met},
    queries,
};
use crate::{
    App,
    db::new_id,
    error::{Error, Refused, Result},
    event::Event,
    web::{
        Frame,
        access::Staff,
        form::Typed,
        page,
        photo::{self, Codes},
    },
};

/// Facts of one upload at most.
const UPLOAD_MAX: usize = 200;

/// The HTML routes.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/stand", get(show).post(add))
        .route("/stand/encounters/{encounter}/undo", post(undo))
        .route("/stand/people.xlsx", get(super::export::people))
}

#[derive(Debug, Default, Deserialize)]
struct Asked {
    /// A visitor's number, to go on from.
    #[serde(default)]
    card: String,
    #[serde(default)]
    done: String,
}

#[derive(Template)]
#[template(path = "fair/stand.html")]
struct StandPage {
    frame: Frame,
    event: Event,
    employer: Employer,
    posts: Vec<Post>,
    met: Vec<Met>,
    /// Numbers of those whose particulars must be deleted from exported files.
    to_delete: Vec<String>,
    form: Typed,
    /// Why the last fact was not kept.
    refusal: Option<String>,
    /// Names this rendering's tap.
    key: String,
    done: bool,
}

impl StandPage {
    async fn read(app: &App, mut frame: Frame, staff: &Staff, form: Typed) -> Result<Self> {
        "/stand".clone_into(&mut frame.path);
        let mut tx = app.db.read().await?;
        let (event, employer) = stand_of(&mut tx, staff).await?;
        let posts = queries::posts_of(&mut tx, &employer.id).await?;
        let met = people::met(&mut tx, &employer).await?;
        let to_delete = people::to_delete(&mut tx, &employer).await?;
        let to_delete = to_delete.iter().map(|id| card::short(id)).collect();
        let key = new_id(frame.now);
        Ok(Self {
            frame,
            event,
            employer,
            posts,
            met,
            to_delete,
            form,
            refusal: None,
            key,
            done: false,
        })
    }

    fn outcomes(&self) -> &'static [Outcome] {
        &Outcome::ALL
    }

    fn consented(&self) -> usize {
        self.met.iter().filter(|met| met.who.is_some()).count()
    }

    fn reached(&self) -> usize {
        self.met
            .iter()
            .filter(|met| matches!(met.outcome, Some(Outcome::Intention | Outcome::Hired)))
            .count()
    }
}

/// `GET /stand`.
async fn show(
    State(app): State<App>,
    Query(asked): Query<Asked>,
    staff: Staff,
    frame: Frame,
) -> Result<Response> {
    let mut shown =
        StandPage::read(&app, frame, &staff, Typed::of([("outcome", "talked".to_owned())])).await?;
    shown.done = asked.done == "kept";
    let asked_for = |met: &&Met| met.short() == asked.card;
    if let Some(met) = shown.met.iter().find(asked_for) {
        shown.form = Typed::of([
            ("card", met.short()),
            ("outcome", met.outcome.map_or("talked", Outcome::word).to_owned()),
            ("post", met.post.map(|post| post.to_string()).unwrap_or_default()),
            ("grade", met.grade.clone().unwrap_or_default()),
        ]);
    }
    page(&shown)
}

/// `POST /stand`: records one fact from the form.
async fn add(State(app): State<App>, staff: Staff, frame: Frame, form: Typed) -> Result<Response> {
    let now = app.clock.now();
    let fact = Fact {
        id: form.value("id").to_owned(),
        card: form.value("card").to_owned(),
        outcome: Outcome::from_word(form.value("outcome")).unwrap_or(Outcome::Talked),
        post: form.number("post"),
        grade: Some(form.value("grade").to_owned()),
        note: form.value("note").to_owned(),
        consent: form.has("consent", "yes"),
        at_ms: now.0,
    };
    match keep(&app, &staff, &fact).await {
        Ok(()) => Ok(Redirect::to("/stand?done=kept").into_response()),
        Err(Error::Invalid(refused)) => {
            let refusal = Some(refused.text(frame.lang).to_owned());
            let again = StandPage { refusal, ..StandPage::read(&app, frame, &staff, form).await? };
            Ok((refused.status, page(&again)?).into_response())
        }
        Err(error) => Err(error),
    }
}

/// Facts that a phone gathered.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Upload {
    /// In the order they happened; 200 at most.
    facts: Vec<Fact>,
}

/// What became of an upload. Facts that are in neither list are to be sent again.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(super) struct Uploaded {
    /// Ids of facts that are kept, now or before.
    kept: Vec<String>,
    /// Facts that can never be kept.
    refused: Vec<RefusedFact>,
}

/// A fact that can never be kept, and why.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RefusedFact {
    id: String,
    /// Stable code for programs: `unknown_card`.
    code: &'static str,
    /// What is wrong and what to do, in the caller's language.
    title: String,
}

/// Records what happened at a stand. Each fact is named by the phone: sending it again changes nothing.
#[utoipa::path(post, path = "/stand/encounters", request_body = Upload,
    responses((status = 200, body = Uploaded), (status = 403), (status = 422)))]
pub(super) async fn upload(
    State(app): State<App>,
    staff: Staff,
    frame: Frame,
    Json(Upload { facts }): Json<Upload>,
) -> Result<Json<Uploaded>> {
    if facts.len() > UPLOAD_MAX {
        return Err(Error::invalid(
            "facts",
            format!("一次最多 {UPLOAD_MAX} 条。"),
            format!("At most {UPLOAD_MAX} at once."),
        ));
    }
    let mut uploaded = Uploaded::default();
    for fact in facts {
        let id = fact.id.clone();
        match keep(&app, &staff, &fact).await {
            Ok(()) => uploaded.kept.push(id),
            Err(error @ (Error::Invalid(_) | Error::NotFound)) => {
                let Refused { code, zh, en, .. } = error.problem().refused;
                let title = frame.say(zh, en);
                uploaded.refused.push(RefusedFact { id, code, title });
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Json(uploaded))
}

/// Reads the codes of a photograph (JPEG, PNG, WebP), for phones whose browser cannot.
#[utoipa::path(post, path = "/stand/codes", request_body = Vec<u8>,
    responses((status = 200, body = Codes), (status = 422), (status = 503)))]
pub(super) async fn codes(_: Staff, picture: Bytes) -> Result<Json<Codes>> {
    photo::codes(picture).await
}

async fn keep(app: &App, staff: &Staff, fact: &Fact) -> Result<()> {
    let (app, staff, fact, now) = (app.clone(), staff.clone(), fact.clone(), app.clock.now());
    let ledger = app.ledger.clone();
    let kept = {
        let app = app.clone();
        ledger
            .write(move |tx| {
                let (app, staff, fact) = (app.clone(), staff.clone(), fact.clone());
                Box::pin(async move {
                    let (event, employer) = stand_of(tx, &staff).await?;
                    let kept =
                        encounter::record(&app, tx, (&event, &employer), &staff, &fact, now).await;
                    Ok(match kept {
                        Ok(_) => {
                            tx.notify(&event.id).await?;
                            Ok(event.id)
                        }
                        // A refusal wrote nothing, and must not undo what others wrote.
                        Err(error @ (Error::Invalid(_) | Error::NotFound)) => Err(error),
                        Err(error) => return Err(error),
                    })
                })
            })
            .await?
    };
    app.live.changed(&kept?);
    app.outbox_wakes.notify_one();
    Ok(())
}

/// `POST /stand/encounters/{encounter}/undo`: takes a mistake back.
async fn undo(State(app): State<App>, Path(id): Path<String>, staff: Staff) -> Result<Response> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let (event, employer) = stand_of(&mut tx, &staff).await?;
    encounter::undo(&mut tx, &employer, &format!("{}.{id}", employer.id), now).await?;
    tx.notify(&event.id).await?;
    tx.commit().await?;
    app.live.changed(&event.id);
    Ok(Redirect::to("/stand").into_response())
}
