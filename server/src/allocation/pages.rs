//! An officer's pages: what their union may give and is given, and whom they name. Made for a phone.

use admission::Millis;
use askama::Template;
use axum::{
    Form, Router,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
    routing::{get, post},
};
use serde::Deserialize;

use super::{
    queries::{self, Colleague, Named, Task},
    rules::{self, Share},
};
use crate::{
    App,
    booking::{Status, named::Naming},
    error::{Error, Refused, Result},
    event::{Event, Offer},
    goods::{self, queries::Share as Goods},
    web::{Frame, access::Person, page},
};

/// So many members are shown; who is not among them is found by name.
const SHOWN: i64 = 40;

/// The officers' routes.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/officer", get(list))
        .route("/officer/offers/{offer}/{union}", get(show).post(name))
        .route("/officer/offers/{offer}/{union}/{booking}/return", post(take_back))
}

#[derive(Template)]
#[template(path = "allocation/list.html")]
struct ListPage {
    frame: Frame,
    unions: Vec<(String, String)>,
    tasks: Vec<Task>,
    /// Units for the union's people.
    goods: Vec<Goods>,
}

impl Task {
    const fn left(&self) -> i64 {
        self.places - self.taken
    }

    fn until(&self) -> Option<Millis> {
        self.flow_back_ms.map(Millis)
    }
}

/// `GET /officer`: what the reader gives for their union.
async fn list(State(app): State<App>, person: Person, frame: Frame) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let unions = queries::offices(&mut tx, &person.id).await?;
    if unions.is_empty() {
        return Err(Error::NotFound);
    }
    let tasks = queries::tasks(&mut tx, &person.id, frame.now).await?;
    let goods = goods::shares_of(&mut tx, &person.id, frame.now).await?;
    page(&ListPage { frame, unions, tasks, goods })
}

#[derive(Debug, Default, Deserialize)]
struct Asked {
    #[serde(default)]
    q: String,
}

#[derive(Template)]
#[template(path = "allocation/name.html")]
struct NamePage {
    frame: Frame,
    event: Event,
    offer: Offer,
    union_id: String,
    union_name: String,
    places: i64,
    taken: i64,
    colleagues: Vec<Colleague>,
    named: Vec<Named>,
    q: String,
    /// Whether people can be named now.
    open: bool,
    refusal: Option<String>,
}

impl NamePage {
    /// The caller must be an officer of the union, and the union have a part of the offer.
    async fn read(
        app: &App,
        mut frame: Frame,
        person: &Person,
        (offer, union_id): (&str, &str),
        q: String,
    ) -> Result<Self> {
        frame.path = format!("/officer/offers/{offer}/{union_id}");
        let mut tx = app.db.read().await?;
        let share = Share::of(&mut tx, person, (offer, union_id), frame.now).await?;
        let open = share.state() == rules::State::Naming;
        let Share { event, offer, union_id, union_name, places, taken, .. } = share;
        let sought = q.trim();
        let colleagues = queries::colleagues(&mut tx, &offer.id, &union_id, sought, SHOWN).await?;
        let named = queries::named(&mut tx, &offer.id, &union_id).await?;
        let refusal = None;
        Ok(Self {
            frame,
            event,
            offer,
            union_id,
            union_name,
            places,
            taken,
            colleagues,
            named,
            q,
            open,
            refusal,
        })
    }

    const fn left(&self) -> i64 {
        self.places - self.taken
    }

    /// Whether the named person's place can still be taken back.
    fn may_return(&self, named: &Named) -> bool {
        named.status.is_open()
            && !self.event.is_cancelled()
            && self.frame.now <= self.offer.cancel_until_ms
    }
}

impl Named {
    /// How it stands, as a badge: kind and words.
    fn badge(&self, frame: &Frame) -> (&'static str, &'static str) {
        match (self.status, self.cancelled_by.as_deref()) {
            (Status::Confirmed, _) => ("ok", frame.t("已报名", "Has a place")),
            (Status::Cancelled, Some("taken_back")) => ("mute", frame.t("已收回", "Taken back")),
            (Status::Cancelled, Some("cancelled")) => ("mute", frame.t("本人谢绝", "Declined")),
            (status, _) => status.badge(frame),
        }
    }
}

/// `GET /officer/offers/{offer}/{union}?q=…`: places left, the union's members, and who was named.
async fn show(
    State(app): State<App>,
    Path((offer, union)): Path<(String, String)>,
    Query(Asked { q }): Query<Asked>,
    person: Person,
    frame: Frame,
) -> Result<Response> {
    page(&NamePage::read(&app, frame, &person, (&offer, &union), q).await?)
}

#[derive(Deserialize)]
struct Chosen {
    person: String,
    #[serde(default)]
    q: String,
}

/// `POST /officer/offers/{offer}/{union}`: names a member.
async fn name(
    State(app): State<App>,
    Path((offer_id, union_id)): Path<(String, String)>,
    officer: Person,
    frame: Frame,
    Form(chosen): Form<Chosen>,
) -> Result<Response> {
    let naming = Naming { officer, offer_id, union_id };
    let done = naming.name(&app, &chosen.person).await.map_err(|error| match error {
        Error::NotFound => not_of_the_union().into(),
        error => error,
    });
    answer(&app, frame, &naming, chosen.q, done).await
}

/// `POST /officer/offers/{offer}/{union}/{booking}/return`: takes a place back.
async fn take_back(
    State(app): State<App>,
    Path((offer_id, union_id, booking)): Path<(String, String, String)>,
    officer: Person,
    frame: Frame,
) -> Result<Response> {
    let naming = Naming { officer, offer_id, union_id };
    let done = naming.take_back(&app, &booking).await;
    answer(&app, frame, &naming, String::new(), done).await
}

/// To an officer; whoever is none is told that there is nothing.
fn not_of_the_union() -> Refused {
    Refused::new(
        StatusCode::NOT_FOUND,
        "not_found",
        "这位会员现在不在本工会的名册上，可能刚调到别的单位。请另选一位，或联系镇总工会更新名册。",
        "They are not on your union's roster now; perhaps they have moved. Please choose somebody else, or ask the federation to update the roster.",
    )
}

/// The page again, with why it was refused if it was.
async fn answer(
    app: &App,
    frame: Frame,
    naming: &Naming,
    q: String,
    done: Result<()>,
) -> Result<Response> {
    let ids = (naming.offer_id.as_str(), naming.union_id.as_str());
    match done {
        Ok(()) => {
            let address = format!("/officer/offers/{}/{}", ids.0, ids.1);
            Ok(Redirect::to(&address).into_response())
        }
        Err(error @ (Error::Refused(_) | Error::Invalid(_) | Error::TooMany { .. })) => {
            let refused = error.problem().refused;
            let refusal = Some(refused.text(frame.lang).to_owned());
            let again = NamePage::read(app, frame, &naming.officer, ids, q).await?;
            Ok((refused.status, page(&NamePage { refusal, ..again })?).into_response())
        }
        Err(error) => Err(error),
    }
}
