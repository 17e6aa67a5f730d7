//! What the public sees of a fair: the posts, one post, one employer.

use std::collections::BTreeSet;

use askama::Template;
use axum::{
    Router,
    extract::{Path, Query, State},
    response::Response,
    routing::get,
};
use axum_extra::extract::CookieJar;

use super::{
    Education, Employer, Post, marks, queries,
    search::{self, Results, Search},
};
use crate::{
    App,
    db::Tx,
    error::{Error, Result},
    event::{self, Event},
    web::{Frame, page},
};

/// Pay to choose from, yuan a month.
const PAYS: [i64; 6] = [3_000, 4_000, 5_000, 6_000, 8_000, 10_000];

/// The HTML routes.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/events/{event}/fair", get(list))
        .route("/events/{event}/fair/posts/{post}", get(post))
        .route("/events/{event}/fair/employers/{employer}", get(employer))
}

/// A fair that the reader may see.
///
/// # Errors
/// [`Error::NotFound`] when there is none, it is no fair, or it is a draft and the reader is no staff.
pub(super) async fn fair(tx: &mut Tx, frame: &Frame, id: &str) -> Result<Event> {
    let event = event::queries::event(tx, id).await?;
    let shown = event.kind == "fair" && (event.is_public() || frame.is_staff());
    if shown { Ok(event) } else { Err(Error::NotFound) }
}

#[derive(Template)]
#[template(path = "fair/list.html")]
struct ListPage {
    frame: Frame,
    event: Event,
    search: Search,
    results: Results,
    /// Under the classification's large groups.
    trades: Vec<(&'static str, &'static str, Vec<String>)>,
    employers: Vec<Employer>,
    marks: BTreeSet<i64>,
    /// Of the whole fair.
    posts: usize,
}

impl ListPage {
    fn educations(&self) -> &'static [Education] {
        &Education::ALL[1..]
    }

    fn pays(&self) -> &'static [i64] {
        &PAYS
    }

    /// Where marking a post leads back to.
    fn back(&self) -> String {
        format!("/events/{}/fair{}", self.event.id, self.search.address(self.results.page))
    }
}

/// `GET /events/{event}/fair`: the posts that suit.
async fn list(
    State(app): State<App>,
    Path(id): Path<String>,
    Query(search): Query<Search>,
    jar: CookieJar,
    frame: Frame,
) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let event = fair(&mut tx, &frame, &id).await?;
    let posts = queries::posts(&mut tx, &id).await?;
    let employers = queries::employers(&mut tx, &id).await?;
    let marks = marks::of(&mut tx, &event, &frame.caller, &jar).await?;
    let results = search.run(&posts, &employers, &marks);
    let trades = search::trades(&posts);
    let posts = posts.len();
    page(&ListPage { frame, event, search, results, trades, employers, marks, posts })
}

#[derive(Template)]
#[template(path = "fair/post.html")]
struct PostPage {
    frame: Frame,
    event: Event,
    employer: Employer,
    post: Post,
    marked: bool,
}

impl PostPage {
    /// What else is said of it, under its headings.
    fn sections(&self) -> Vec<(&'static str, &str)> {
        let all = [
            (self.frame.t("工作内容", "Work"), self.post.work.as_str()),
            (self.frame.t("要求", "Conditions"), &self.post.conditions),
            (self.frame.t("福利", "Benefits"), &self.post.benefits),
            (self.frame.t("社会保险", "Social insurance"), &self.post.insurance),
        ];
        all.into_iter().filter(|(_, said)| !said.is_empty()).collect()
    }
}

/// `GET /events/{event}/fair/posts/{post}`.
async fn post(
    State(app): State<App>,
    Path((id, number)): Path<(String, String)>,
    jar: CookieJar,
    frame: Frame,
) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let event = fair(&mut tx, &frame, &id).await?;
    let post = queries::post(&mut tx, &id, number.parse().map_err(|_| Error::NotFound)?).await?;
    let employer = queries::employer(&mut tx, &post.employer_id).await?;
    let marked = marks::of(&mut tx, &event, &frame.caller, &jar).await?.contains(&post.number);
    page(&PostPage { frame, event, employer, post, marked })
}

#[derive(Template)]
#[template(path = "fair/employer.html")]
struct EmployerPage {
    frame: Frame,
    event: Event,
    employer: Employer,
    posts: Vec<Post>,
}

impl EmployerPage {
    fn headcount(&self) -> i64 {
        self.posts.iter().map(|post| post.headcount).sum()
    }
}

/// `GET /events/{event}/fair/employers/{employer}`.
async fn employer(
    State(app): State<App>,
    Path((id, employer)): Path<(String, String)>,
    frame: Frame,
) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let event = fair(&mut tx, &frame, &id).await?;
    let employer = queries::employer(&mut tx, &employer).await?;
    if employer.event_id != id {
        return Err(Error::NotFound);
    }
    let posts = queries::posts_of(&mut tx, &employer.id).await?;
    page(&EmployerPage { frame, event, employer, posts })
}
