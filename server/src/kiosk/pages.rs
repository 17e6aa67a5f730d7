//! `/admin/events/{event}/kiosks`: which kiosks there are, how they are doing, making one, revoking one.

use admission::{Millis, decide::StationKind, time::SECOND};
use askama::Template;
use axum::{
    Router,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
    routing::get,
};
use serde::Deserialize;

use super::{
    Health, Kiosk, queries,
    rules::{self, NewKiosk},
};
use crate::{
    App, audit,
    error::{Error, Refused, Result},
    event::{self, Event},
    web::{Frame, access::Staff, form::Typed, page},
};

/// A clock that is off by less is right.
const SKEW_MS: i64 = 2 * SECOND;

/// The HTML routes.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/admin/events/{event}/kiosks", get(list).post(add))
        .route("/admin/events/{event}/kiosks/{kiosk}/revocation", get(ask).post(revoke))
}

#[derive(Debug, Default, Deserialize)]
struct Done {
    #[serde(default)]
    done: String,
}

#[derive(Template)]
#[template(path = "kiosk/list.html")]
struct ListPage {
    frame: Frame,
    event: Event,
    kiosks: Vec<Shown>,
    form: Typed,
    /// The code of the one that was just made: shown once, kept nowhere.
    code: Option<String>,
    /// The address that kiosks reach the server by.
    server: String,
    done: String,
    tab: &'static str,
}

/// A kiosk, how it is doing, and how many tickets it has yet to hear of.
struct Shown {
    kiosk: Kiosk,
    health: Health,
    behind: i64,
}

impl ListPage {
    async fn read(app: &App, mut frame: Frame, event_id: &str, form: Typed) -> Result<Self> {
        let mut tx = app.db.read().await?;
        let event = event::queries::event(&mut tx, event_id).await?;
        let mut kiosks = Vec::new();
        for kiosk in queries::of_event(&mut tx, event_id).await? {
            let behind = queries::behind(&mut tx, &kiosk).await?;
            let health = kiosk.health(frame.now);
            kiosks.push(Shown { kiosk, health, behind });
        }
        frame.path = format!("/admin/events/{event_id}/kiosks");
        let server = app.public_url.to_string();
        let done = String::new();
        Ok(Self { frame, event, kiosks, form, code: None, server, done, tab: "kiosks" })
    }

    /// What can be done at a station: its word and its name.
    fn kinds(&self) -> [(&'static str, &'static str); 6] {
        let words = ["gate", "exit", "counter", "booth", "desk", "checkpoint"];
        words.map(|word| (word, self.kind(word)))
    }

    fn kind(&self, word: &str) -> &'static str {
        match word {
            "exit" => self.frame.t("离场", "Exit"),
            "counter" => self.frame.t("核销台", "Redeeming counter"),
            "booth" => self.frame.t("展位", "Booth"),
            "desk" => self.frame.t("服务台", "Service desk"),
            "checkpoint" => self.frame.t("打卡点", "Checkpoint"),
            _ => self.frame.t("入场", "Entrance"),
        }
    }

    /// When it was last heard.
    fn seen(&self, kiosk: &Kiosk) -> String {
        match kiosk.seen_ms.or(kiosk.enrolled_ms) {
            None => "–".to_owned(),
            Some(seen) => self.frame.ago(&Millis(seen), &self.event.time_zone),
        }
    }

    /// That somebody tries PINs at it.
    fn tried(&self, kiosk: &Kiosk) -> String {
        let n = kiosk.wrong_pins;
        self.frame.say(
            format!("有人在这台终端试密码：一天内输错 {n} 次。请派人去看一眼。"),
            format!("Somebody tries PINs at this kiosk: {n} wrong ones within a day. Please send somebody to look."),
        )
    }

    /// How far its clock is off: the look, and the words.
    fn skew(&self, kiosk: &Kiosk) -> (&'static str, String) {
        let Some(skew) = kiosk.skew_ms else { return ("soft", "–".to_owned()) };
        let seconds = skew.abs() / SECOND;
        let tenths = skew.abs() % SECOND / (SECOND / 10);
        let words = match (skew.abs() < SKEW_MS, skew > 0) {
            (true, _) => self.frame.t("准", "right").to_owned(),
            (_, true) => self
                .frame
                .say(format!("慢 {seconds}.{tenths} 秒"), format!("{seconds}.{tenths} s slow")),
            (_, false) => self
                .frame
                .say(format!("快 {seconds}.{tenths} 秒"), format!("{seconds}.{tenths} s fast")),
        };
        ("", words)
    }
}

/// `GET /admin/events/{event}/kiosks`.
async fn list(
    State(app): State<App>,
    Path(event): Path<String>,
    Query(Done { done }): Query<Done>,
    frame: Frame,
) -> Result<Response> {
    page(&ListPage { done, ..ListPage::read(&app, frame, &event, blank()).await? })
}

fn blank() -> Typed {
    Typed::of([("kind", "gate".to_owned())])
}

/// `POST /admin/events/{event}/kiosks`: makes a kiosk. Its code stands on the answer and nowhere else.
async fn add(
    State(app): State<App>,
    Path(event): Path<String>,
    staff: Staff,
    frame: Frame,
    mut form: Typed,
) -> Result<Response> {
    let Some(new) = new_kiosk(&mut form, &event) else {
        let again = ListPage::read(&app, frame, &event, form).await?;
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page(&again)?).into_response());
    };
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let (id, code) = rules::add(&mut tx, &new, now).await?;
    audit::record(&mut tx, &staff, "kiosk.add", &id, "", now).await?;
    tx.commit().await?;
    page(&ListPage { code: Some(code), ..ListPage::read(&app, frame, &event, blank()).await? })
}

/// The kiosk in `form`. `None` when something is wrong with it; the faults are noted in the form.
fn new_kiosk(form: &mut Typed, event: &str) -> Option<NewKiosk> {
    let name = form.value("name").trim().to_owned();
    let station = match form.value("station").trim() {
        "" => name.clone(),
        station => station.to_owned(),
    };
    let kind = StationKind::from_word(form.value("kind"));
    if !(1..=40).contains(&name.chars().count()) {
        form.blame("name", fault("名称要有 1 到 40 个字。", "A name has 1 to 40 characters."));
    }
    if station.chars().count() > 40 {
        form.blame("station", fault("位置最多 40 个字。", "A place has at most 40 characters."));
    }
    if kind.is_none() {
        form.blame("kind", fault("请选择用途。", "Please choose what it is for."));
    }
    let station_kind = kind.filter(|_| form.is_sound())?;
    Some(NewKiosk { name, event_id: event.to_owned(), station_kind, station })
}

fn fault(zh: &str, en: &str) -> Refused {
    Refused::new(StatusCode::UNPROCESSABLE_ENTITY, "kiosk", zh, en)
}

#[derive(Template)]
#[template(path = "kiosk/revoke.html")]
struct RevokePage {
    frame: Frame,
    event: Event,
    kiosk: Kiosk,
}

/// `GET /admin/events/{event}/kiosks/{kiosk}/revocation`: what it would mean.
async fn ask(
    State(app): State<App>,
    Path((event, kiosk)): Path<(String, String)>,
    frame: Frame,
) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let event = event::queries::event(&mut tx, &event).await?;
    let kiosk = queries::kiosk(&mut tx, &kiosk).await?;
    if kiosk.event_id != event.id {
        return Err(Error::NotFound);
    }
    page(&RevokePage { frame, event, kiosk })
}

/// `POST /admin/events/{event}/kiosks/{kiosk}/revocation`. A second tap finds it revoked.
async fn revoke(
    State(app): State<App>,
    Path((event, kiosk)): Path<(String, String)>,
    staff: Staff,
    form: Typed,
) -> Result<Response> {
    let lost = form.has("lost", "yes");
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let before = queries::kiosk(&mut tx, &kiosk).await?;
    if before.event_id != event {
        return Err(Error::NotFound);
    }
    if before.revoked_ms.is_none() {
        queries::revoke(&mut tx, &kiosk, &event, lost, now).await?;
        let note = if lost { "lost" } else { "" };
        audit::record(&mut tx, &staff, "kiosk.revoke", &kiosk, note, now).await?;
        tx.notify(&event).await?;
    }
    tx.commit().await?;
    app.kiosks.forget(&kiosk);
    app.live.changed(&event);
    Ok(Redirect::to(&format!("/admin/events/{event}/kiosks?done=revoked")).into_response())
}
