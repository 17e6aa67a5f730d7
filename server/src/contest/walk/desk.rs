//! `/admin/disciplines/{discipline}/walk`: the course, bibs, the start signal, passages typed at a point, chip files, and
//! who is where.

use admission::{Millis, time::MINUTE};
use askama::Template;
use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Multipart, Path, Query, State},
    response::{IntoResponse as _, Redirect, Response},
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Walker, chip,
    course::{State as How, clock},
    passed,
    queries::{self, Passage, Point, Walk},
    walkers,
};
use crate::{
    App, audit,
    contest::{Discipline, Sport, play::scorer::By, queries as contest},
    db::Tx,
    error::{Error, Result},
    event::{self, Event},
    web::{Frame, access::Staff, form::Typed, frame::zone, page},
};

/// The largest chip file.
const FILE_MAX: usize = 8 << 20;

/// The routes.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/admin/disciplines/{discipline}/walk", get(show))
        .route("/admin/disciplines/{discipline}/walk/course", post(course))
        .route("/admin/disciplines/{discipline}/walk/bibs", post(bibs))
        .route("/admin/disciplines/{discipline}/walk/gun", post(signal))
        .route("/admin/disciplines/{discipline}/walk/passages", post(typed))
        .route(
            "/admin/disciplines/{discipline}/walk/chips",
            post(chips).layer(DefaultBodyLimit::max(FILE_MAX)),
        )
}

#[derive(Debug, Default, Deserialize)]
struct Said {
    /// The point that passages are typed at.
    #[serde(default)]
    at: Option<i64>,
    /// The bib that was just noted.
    #[serde(default)]
    noted: String,
    /// How many lines of a chip file were taken, and how many were not.
    #[serde(default)]
    taken: Option<i64>,
    #[serde(default)]
    left: Option<i64>,
    /// The first lines that were not.
    #[serde(default)]
    lines: String,
}

#[derive(Template)]
#[template(path = "contest/walk/desk.html")]
struct WalkPage {
    frame: Frame,
    event: Event,
    tab: &'static str,
    discipline: Discipline,
    walk: Option<Walk>,
    points: Vec<Point>,
    walkers: Vec<Walker>,
    said: Said,
}

impl WalkPage {
    fn is_at(&self, point: &Point) -> bool {
        self.said.at == Some(point.position)
    }

    fn count(&self, states: &[How]) -> usize {
        self.walkers.iter().filter(|walker| states.contains(&walker.walked.state)).count()
    }

    /// The points, each with how many were seen there.
    fn passed(&self) -> Vec<(&Point, usize)> {
        self.points.iter().zip(passed(&self.walkers, self.points.len())).collect()
    }

    fn flagged(&self) -> usize {
        self.count(&[How::Missing, How::Disorder, How::Late])
    }

    fn without_bib(&self) -> usize {
        self.walkers.iter().filter(|walker| walker.entry.bib.is_none()).count()
    }

    fn gun(&self) -> Option<Millis> {
        self.walk.as_ref()?.gun_ms.map(Millis)
    }

    fn prefix(&self) -> &str {
        self.walk.as_ref().map_or("W", |walk| &walk.bib_prefix)
    }

    fn limit(&self) -> String {
        let limit = self.walk.as_ref().and_then(|walk| walk.limit_ms);
        limit.map(|ms| (ms / MINUTE).to_string()).unwrap_or_default()
    }

    fn course(&self) -> String {
        let names: Vec<&str> = self.points.iter().map(|point| point.name.as_str()).collect();
        names.join("\n")
    }

    fn time(&self, ms: &Option<i64>) -> String {
        ms.map_or_else(|| "–".to_owned(), clock)
    }

    /// When a walker was last seen, while they walk.
    fn seen_at(&self, walker: &Walker) -> Option<String> {
        let seen = walker.walked.firsts.iter().rev().flatten().next()?;
        let walks = walker.walked.state == How::Walking;
        walks.then(|| self.frame.at(&seen.at, &self.event.time_zone))
    }

    fn badge(&self, walker: &Walker) -> &'static str {
        match walker.walked.state {
            How::Finished => "ok",
            How::Walking => "info",
            How::Absent => "mute",
            How::Missing | How::Disorder | How::Late => "warn",
        }
    }

    fn how(&self, walker: &Walker) -> String {
        let names = |at: &[usize]| {
            let names: Vec<&str> = at
                .iter()
                .filter_map(|at| self.points.get(*at))
                .map(|point| point.name.as_str())
                .collect();
            names.join(self.frame.t("、", ", "))
        };
        let walked = &walker.walked;
        match walked.state {
            How::Finished => self.frame.t("完赛", "Finished").to_owned(),
            How::Absent => self.frame.t("未出发", "Not seen").to_owned(),
            How::Late => self.frame.t("超过关门时间", "Too late").to_owned(),
            How::Missing => self.frame.say(
                format!("漏点：{}", names(&walked.missing)),
                format!("Missing: {}", names(&walked.missing)),
            ),
            How::Disorder => self.frame.say(
                format!("顺序不对：{}", names(&walked.disorder)),
                format!("Out of order: {}", names(&walked.disorder)),
            ),
            How::Walking => {
                let last = walked.firsts.iter().rposition(Option::is_some).unwrap_or(0);
                self.frame
                    .say(format!("已过 {}", names(&[last])), format!("Past {}", names(&[last])))
            }
        }
    }
}

/// `GET /admin/disciplines/{discipline}/walk`.
async fn show(
    State(app): State<App>,
    Path(id): Path<String>,
    Query(said): Query<Said>,
    frame: Frame,
) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let discipline = of_walk(&mut tx, &id).await?;
    let event = event::queries::event(&mut tx, &discipline.event_id).await?;
    let walk = queries::walk(&mut tx, &id).await?;
    let points = queries::points(&mut tx, &id).await?;
    let walkers = walkers(&mut tx, &discipline).await?;
    page(&WalkPage { frame, event, tab: "play", discipline, walk, points, walkers, said })
}

/// The discipline, which must be a walk.
async fn of_walk(tx: &mut Tx, id: &str) -> Result<Discipline> {
    let discipline = contest::discipline(tx, id).await?;
    if discipline.sport == Sport::Walk { Ok(discipline) } else { Err(Error::NotFound) }
}

/// `POST …/course`: the points' names, a line each, start first and finish last; prefix of bibs; limit.
async fn course(
    State(app): State<App>,
    Path(id): Path<String>,
    staff: Staff,
    frame: Frame,
    form: Typed,
) -> Result<Response> {
    let names: Vec<&str> =
        form.value("points").lines().map(str::trim).filter(|name| !name.is_empty()).collect();
    let mut unique = names.clone();
    unique.sort_unstable();
    unique.dedup();
    let fits = names.iter().all(|name| name.chars().count() <= 20);
    if !(2..=50).contains(&names.len()) || unique.len() != names.len() || !fits {
        return Err(Error::invalid(
            "points",
            "路线要有 2 到 50 个点，一行一个，名称不重复，每个最多 20 个字；第一行是起点，最后一行是终点。",
            "A course has 2 to 50 points of different names, one a line, start first and finish last.",
        ));
    }
    let prefix = form.value("prefix").trim().to_uppercase();
    if prefix.chars().count() > 4 || !prefix.chars().all(|c| c.is_ascii_alphanumeric()) {
        return Err(Error::invalid(
            "prefix",
            "号码前缀最多 4 个字母或数字。",
            "The prefix has at most 4 letters or digits.",
        ));
    }
    let limit_ms = match form.value("limit").trim() {
        "" => None,
        _ => Some(
            form.number("limit").filter(|minutes| (1..=2880).contains(minutes)).ok_or_else(
                || {
                    Error::invalid(
                        "limit",
                        "关门时间请填 1 到 2880 分钟，或留空。",
                        "The limit is 1 to 2880 minutes, or empty.",
                    )
                },
            )? * MINUTE,
        ),
    };
    let mut tx = app.db.write().await?;
    let discipline = of_walk(&mut tx, &id).await?;
    queries::begin(&mut tx, &discipline).await?;
    queries::set(&mut tx, &id, &prefix, limit_ms).await?;
    queries::set_points(&mut tx, &discipline, &names).await?;
    audit::record(&mut tx, &staff, "walk.course", &id, "", frame.now).await?;
    done(&app, tx, &discipline).await?;
    Ok(back(&id, ""))
}

/// `POST …/bibs`: to everybody who has none.
async fn bibs(State(app): State<App>, Path(id): Path<String>) -> Result<Response> {
    let mut tx = app.db.write().await?;
    let discipline = of_walk(&mut tx, &id).await?;
    queries::begin(&mut tx, &discipline).await?;
    queries::give_bibs(&mut tx, &id).await?;
    done(&app, tx, &discipline).await?;
    Ok(back(&id, ""))
}

/// `POST …/gun`: the start signal, or taken back.
async fn signal(
    State(app): State<App>,
    Path(id): Path<String>,
    staff: Staff,
    frame: Frame,
    form: Typed,
) -> Result<Response> {
    if form.value("recall") == "yes" {
        let mut tx = app.db.write().await?;
        let discipline = of_walk(&mut tx, &id).await?;
        queries::recall(&mut tx, &id).await?;
        audit::record(&mut tx, &staff, "walk.recall", &id, "", frame.now).await?;
        done(&app, tx, &discipline).await?;
    } else {
        fire(&app, &staff, &id, frame.now).await?;
    }
    Ok(back(&id, ""))
}

async fn fire(app: &App, staff: &Staff, id: &str, now: Millis) -> Result<i64> {
    let mut tx = app.db.write().await?;
    let discipline = of_walk(&mut tx, id).await?;
    queries::begin(&mut tx, &discipline).await?;
    if queries::fire(&mut tx, id, now).await? {
        audit::record(&mut tx, staff, "walk.start", id, "", now).await?;
    }
    let gun = queries::walk(&mut tx, id).await?.and_then(|walk| walk.gun_ms);
    done(app, tx, &discipline).await?;
    Ok(gun.unwrap_or(now.0))
}

/// When the start signal was given.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Gun {
    /// Milliseconds since 1970, UTC.
    gun_ms: i64,
}

/// Gives the start signal of a walk; a second one changes nothing.
#[utoipa::path(post, path = "/disciplines/{discipline}/gun", params(("discipline" = String, Path)),
    responses((status = 200, body = Gun), (status = 404)))]
pub(super) async fn gun(
    State(app): State<App>,
    Path(id): Path<String>,
    staff: Staff,
    frame: Frame,
) -> Result<Json<Gun>> {
    Ok(Json(Gun { gun_ms: fire(&app, &staff, &id, frame.now).await? }))
}

/// Who passed where, as a volunteer's phone noted it.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Noted {
    /// The bib: `W0001`.
    bib: String,
    /// The point's number; 0 is the start.
    point: i64,
    /// When, if the phone was without a network; by default now.
    #[serde(default)]
    at_ms: Option<i64>,
    /// Take back what phones noted of this bib here.
    #[serde(default)]
    undo: bool,
}

/// Notes a passage; the same again changes nothing.
#[utoipa::path(post, path = "/disciplines/{discipline}/passages", params(("discipline" = String, Path)), request_body = Noted,
    responses((status = 200), (status = 401), (status = 404), (status = 422)))]
pub(super) async fn passage(
    State(app): State<App>,
    Path(id): Path<String>,
    by: By,
    frame: Frame,
    Json(noted): Json<Noted>,
) -> Result<Json<serde_json::Value>> {
    note(&app, &by, &id, &noted, frame.now).await?;
    Ok(Json(serde_json::json!({})))
}

async fn note(app: &App, by: &By, id: &str, noted: &Noted, now: Millis) -> Result<String> {
    let mut tx = app.db.write().await?;
    let discipline = of_walk(&mut tx, id).await?;
    by.check(&discipline.event_id, None)?;
    let points = queries::points(&mut tx, id).await?;
    if !points.iter().any(|point| point.position == noted.point) {
        return Err(Error::invalid("point", "没有这个点，请重新选择。", "There is no such point."));
    }
    let bib = full_bib(&noted.bib, queries::walk(&mut tx, id).await?.as_ref());
    let Some(entry_id) = queries::entry_of_bib(&mut tx, id, &bib).await? else {
        return Err(Error::invalid(
            "bib",
            format!("没有号码 {bib}，请核对。"),
            format!("There is no bib {bib}."),
        ));
    };
    if noted.undo {
        queries::unpass(&mut tx, &entry_id, noted.point, now).await?;
    } else {
        // Nothing happens after it is heard of.
        let at = Millis(noted.at_ms.unwrap_or(now.0).clamp(0, now.0));
        let passage = Passage {
            entry_id: &entry_id,
            position: noted.point,
            at,
            source: "phone",
            staff_id: by.staff_id(),
            umpire: by.umpire_name(),
        };
        queries::pass(&mut tx, &discipline, &passage, now).await?;
    }
    done(app, tx, &discipline).await?;
    Ok(bib)
}

/// The bib as it was given out: `7` is `W0007`.
fn full_bib(typed: &str, walk: Option<&Walk>) -> String {
    let typed: String = typed.trim().to_uppercase();
    let prefix = walk.map_or("", |walk| &walk.bib_prefix);
    match typed.strip_prefix(prefix).unwrap_or(&typed).parse::<u32>() {
        Ok(number) => format!("{prefix}{number:04}"),
        Err(_) => typed,
    }
}

/// `POST …/passages`: typed at a point on a phone.
async fn typed(
    State(app): State<App>,
    Path(id): Path<String>,
    staff: Staff,
    frame: Frame,
    form: Typed,
) -> Result<Response> {
    let point = form.number("point").unwrap_or(-1);
    let noted = Noted {
        bib: form.value("bib").to_owned(),
        point,
        at_ms: None,
        undo: form.value("undo") == "yes",
    };
    let bib = note(&app, &By::Staff(staff), &id, &noted, frame.now).await?;
    Ok(back(&id, &format!("?at={point}&noted={bib}#passages")))
}

/// `POST …/chips`: a file of a timing system.
async fn chips(
    State(app): State<App>,
    Path(id): Path<String>,
    staff: Staff,
    frame: Frame,
    mut form: Multipart,
) -> Result<Response> {
    let unread = || {
        Error::invalid(
            "file",
            "请选择 .csv 或 .xlsx 文件，8 MB 以内。",
            "Choose a .csv or .xlsx file of at most 8 MB.",
        )
    };
    let mut bytes = Vec::new();
    while let Some(field) = form.next_field().await.map_err(|_| unread())? {
        if field.name() == Some("file") {
            bytes = field.bytes().await.map_err(|_| unread())?.to_vec();
        }
    }
    if bytes.is_empty() {
        return Err(unread());
    }
    let mut tx = app.db.read().await?;
    let discipline = of_walk(&mut tx, &id).await?;
    let event = event::queries::event(&mut tx, &discipline.event_id).await?;
    let points = queries::points(&mut tx, &id).await?;
    let walk = queries::walk(&mut tx, &id).await?;
    drop(tx);
    let time_zone = zone(&event.time_zone);
    let day = admission::say::zoned(event.starts_ms, &time_zone).date();
    let read = move || chip::read(&bytes, &points, day, &time_zone);
    let read = tokio::task::spawn_blocking(read).await.map_err(anyhow::Error::from)?;
    let (good, bad) =
        read.map_err(|error| Error::invalid("file", error.to_string(), error.to_string()))?;
    let mut lines: Vec<u32> = bad.iter().map(|bad| bad.line).collect();
    let mut tx = app.db.write().await?;
    let mut taken = 0;
    for read in &good {
        let bib = full_bib(&read.bib, walk.as_ref());
        let Some(entry_id) = queries::entry_of_bib(&mut tx, &id, &bib).await? else {
            lines.push(read.line);
            continue;
        };
        let passage = Passage {
            entry_id: &entry_id,
            position: read.position,
            at: read.at,
            source: "chip",
            staff_id: Some(&staff.id),
            umpire: None,
        };
        queries::pass(&mut tx, &discipline, &passage, frame.now).await?;
        taken += 1;
    }
    audit::record(&mut tx, &staff, "walk.chips", &id, &taken.to_string(), frame.now).await?;
    done(&app, tx, &discipline).await?;
    lines.sort_unstable();
    let first: Vec<String> = lines.iter().take(20).map(u32::to_string).collect();
    Ok(back(&id, &format!("?taken={taken}&left={}&lines={}", lines.len(), first.join(","))))
}

async fn done(app: &App, mut tx: Tx, discipline: &Discipline) -> Result<()> {
    tx.notify(&discipline.event_id).await?;
    tx.commit().await?;
    app.live.changed(&discipline.event_id);
    Ok(())
}

fn back(id: &str, query: &str) -> Response {
    Redirect::to(&format!("/admin/disciplines/{id}/walk{query}")).into_response()
}
