//! The public pages of a contest: its disciplines, one discipline live, its draw for who wants to check it.

use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    http::header,
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Discipline, Entry, EntryStatus, Format, discipline,
    draw::record::Record,
    drawing::{self, DrawRow},
    entering, entry_pages, queries,
    view::{Cell, Shown, Slot},
};
use crate::{
    App,
    db::Tx,
    error::{Error, Result},
    event::{self, Event},
    web::{Frame, access::Caller, page},
};

/// The routes.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/events/{event}/contest", get(contest))
        .route("/disciplines/{discipline}", get(show))
        .route("/disciplines/{discipline}/screen", get(screen))
        .route("/disciplines/{discipline}/draw", get(draw))
        .route("/disciplines/{discipline}/entry", get(entry_pages::form).post(entry_pages::enter))
        .route("/entries/{entry}", get(entry_pages::entry))
        .route("/entries/{entry}/acceptance", post(entry_pages::accept))
        .route("/entries/{entry}/withdrawal", post(entry_pages::leave))
}

/// The JSON routes.
pub(super) fn api() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(record))
}

/// A discipline in the list of its contest.
struct Line {
    discipline: Discipline,
    /// Entries with a place.
    placed: usize,
    badge: &'static str,
    state: String,
    /// The reader's own entry.
    mine: Option<EntryStatus>,
}

#[derive(Template)]
#[template(path = "contest/list.html")]
struct ListPage {
    frame: Frame,
    event: Event,
    lines: Vec<Line>,
}

/// `GET /events/{event}/contest`: its disciplines.
async fn contest(State(app): State<App>, Path(id): Path<String>, frame: Frame) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let event = event::queries::event(&mut tx, &id).await?;
    if !event.is_public() && !frame.is_staff() {
        return Err(Error::NotFound);
    }
    let mine = match &frame.caller {
        Caller::Person(person) => queries::entries_of(&mut tx, &id, &person.id).await?,
        _ => Vec::new(),
    };
    let mut lines = Vec::new();
    for discipline in queries::disciplines(&mut tx, &id).await? {
        let shown = Shown::read(&mut tx, discipline, false, frame.lang).await?;
        let (badge, state) = standing(&frame, &event, &shown);
        let mine = mine
            .iter()
            .find(|entry| entry.discipline_id == shown.discipline.id)
            .map(|entry| entry.status);
        lines.push(Line {
            placed: shown.placed(),
            badge,
            state,
            mine,
            discipline: shown.discipline,
        });
    }
    page(&ListPage { frame, event, lines })
}

/// How a discipline stands, in a badge.
fn standing(frame: &Frame, event: &Event, shown: &Shown) -> (&'static str, String) {
    let discipline = &shown.discipline;
    let (badge, words) = if discipline.cancelled_ms.is_some() || event.is_cancelled() {
        ("warn", frame.t("不举行了", "Cancelled"))
    } else if discipline.finished_ms.is_some() {
        ("mute", frame.t("已结束", "Over"))
    } else if shown.record.is_some() {
        ("ok", frame.t("比赛中", "Playing"))
    } else if !shown.passed.is_empty() {
        ("ok", frame.t("已出发", "Under way"))
    } else if discipline.list_closed_ms.is_some() {
        ("info", frame.t("名单已定，等待抽签", "List closed, to be drawn"))
    } else if frame.now < discipline.opens_ms {
        let at = frame.at(&discipline.opens_ms, &event.time_zone);
        return ("info", frame.say(format!("{at} 开始报名"), format!("Opens {at}")));
    } else if frame.now < discipline.closes_ms {
        ("ok", frame.t("正在报名", "Open for entries"))
    } else {
        ("info", frame.t("报名截止，现场检录", "Entries closed, check-in"))
    };
    (badge, words.to_owned())
}

#[derive(Template)]
#[template(path = "contest/show.html")]
struct DisciplinePage {
    frame: Frame,
    event: Event,
    shown: Shown,
    badge: &'static str,
    state: String,
    mine: Option<Entry>,
    /// Why the reader cannot enter; none: they can.
    closed: Option<String>,
    /// Drawn for a screen in the hall: no way around, large.
    screen: bool,
}

impl DisciplinePage {
    fn terms(&self) -> String {
        let discipline = &self.shown.discipline;
        let lang = self.frame.lang;
        let late =
            discipline.late_rule.as_deref().and_then(|rule| rule.parse::<super::MatchRule>().ok());
        let mut said = vec![discipline.format.said(lang).to_owned()];
        if let [first, .., last] = self.shown.passed.as_slice() {
            said = vec![format!("{} → {}", first.0, last.0)];
        }
        if discipline.format != Format::Walk {
            said.push(discipline.rule.said(lang));
        }
        if let Some(late) = late {
            said.push(self.frame.say(
                format!("半决赛起 {}", late.said(lang)),
                format!("from the semi-finals {}", late.said(lang)),
            ));
        }
        said.join(self.frame.t("；", "; "))
    }

    /// When players are to have checked in by.
    fn present_by(&self) -> String {
        self.frame.moment(&self.shown.discipline.present_by_ms, &self.event.time_zone)
    }

    /// Those who are in, and then those in line.
    fn listed(&self, waiting: bool) -> Vec<&super::view::Listed> {
        let wanted = |entry: &&super::view::Listed| match entry.status {
            EntryStatus::Waiting => waiting,
            EntryStatus::PartnerPending | EntryStatus::Withdrawn => false,
            _ => !waiting,
        };
        self.shown.entries.iter().filter(wanted).collect()
    }
}

/// `GET /disciplines/{discipline}`: entries, then groups and bracket, live.
async fn show(State(app): State<App>, Path(id): Path<String>, frame: Frame) -> Result<Response> {
    page(&read(&app, &id, frame, false).await?)
}

/// `GET /disciplines/{discipline}/screen`: the same for a screen in the hall.
async fn screen(State(app): State<App>, Path(id): Path<String>, frame: Frame) -> Result<Response> {
    page(&read(&app, &id, frame, true).await?)
}

async fn read(app: &App, id: &str, frame: Frame, screen: bool) -> Result<DisciplinePage> {
    let mut tx = app.db.read().await?;
    let (event, discipline) = public(&mut tx, id, &frame).await?;
    let mine = match &frame.caller {
        Caller::Person(person) => own(&mut tx, &discipline, &person.id).await?,
        _ => None,
    };
    let closed = match entering::open(&event, &discipline, frame.now) {
        Ok(()) => None,
        Err(error) => Some(error.problem().refused.text(frame.lang).to_owned()),
    };
    let shown = Shown::read(&mut tx, discipline, frame.is_staff(), frame.lang).await?;
    let (badge, state) = standing(&frame, &event, &shown);
    Ok(DisciplinePage { frame, event, shown, badge, state, mine, closed, screen })
}

/// A discipline that the reader may see, with its event.
pub(super) async fn public(tx: &mut Tx, id: &str, frame: &Frame) -> Result<(Event, Discipline)> {
    let (event, discipline) = discipline::find(tx, id).await?;
    if event.is_public() || frame.is_staff() {
        Ok((event, discipline))
    } else {
        Err(Error::NotFound)
    }
}

/// A person's entry in a discipline.
pub(super) async fn own(
    tx: &mut Tx,
    discipline: &Discipline,
    person_id: &str,
) -> Result<Option<Entry>> {
    let entries = queries::entries_of(tx, &discipline.event_id, person_id).await?;
    Ok(entries.into_iter().find(|entry| entry.discipline_id == discipline.id))
}

#[derive(Template)]
#[template(path = "contest/draw.html")]
struct DrawPage {
    frame: Frame,
    event: Event,
    discipline: Discipline,
    /// The newest first.
    draws: Vec<Drawn>,
}

/// A draw with what it published.
struct Drawn {
    row: DrawRow,
    record: Option<Record>,
    sound: bool,
}

impl DrawPage {
    fn at(&self, ms: &i64) -> String {
        self.frame.in_full(&admission::Millis(*ms), &self.event.time_zone)
    }

    /// Nobody shares a half, a quarter, a group or a first match with one of their own.
    fn is_apart(&self, record: &Record) -> bool {
        record.drawn.together == super::draw::Together::default()
    }

    /// In the knock-out behind groups some of one group are nearer to each other than they must be.
    fn is_close(&self, record: &Record) -> bool {
        let together = record.drawn.together;
        super::draw::Together { group: 0, ..together } != super::draw::Together::default()
    }
}

/// `GET /disciplines/{discipline}/draw`: how it is drawn, what was committed to, how to check it.
async fn draw(State(app): State<App>, Path(id): Path<String>, frame: Frame) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let (event, discipline) = public(&mut tx, &id, &frame).await?;
    let mut draws = Vec::new();
    for row in drawing::draws(&mut tx, &id).await? {
        let record = row.read()?;
        let sound = record.as_ref().is_some_and(|record| record.verify().is_ok());
        draws.push(Drawn { row, record, sound });
    }
    page(&DrawPage { frame, event, discipline, draws })
}

/// The published record of a discipline's last draw, as it was drawn; anybody can compute it again.
#[utoipa::path(get, path = "/disciplines/{discipline}/draw", params(("discipline" = String, Path)),
    responses((status = 200, body = Record), (status = 404)))]
async fn record(State(app): State<App>, Path(id): Path<String>, frame: Frame) -> Result<Response> {
    let mut tx = app.db.read().await?;
    public(&mut tx, &id, &frame).await?;
    let drawn = drawing::draws(&mut tx, &id).await?.into_iter().find_map(|row| row.record);
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"draw.json\""),
    ];
    Ok((headers, drawn.ok_or(Error::NotFound)?).into_response())
}

/// Commits, and tells whoever watches or is to be written to.
pub(super) async fn finish(app: &App, tx: Tx, event_id: &str) -> Result<()> {
    tx.commit().await?;
    app.live.changed(event_id);
    app.outbox_wakes.notify_one();
    Ok(())
}
