//! Line-ups of ties of teams: `/ties/{tie}/line-up` on a captain's phone, and `/admin/ties/{tie}/line-up/{side}` for the
//! organizer, who writes down what a captain without a phone says.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    response::{IntoResponse as _, Redirect, Response},
    routing::get,
};

use super::{
    super::{MatchState, Player, Side},
    api::done,
    line_up::{self, Namer, Slot, Tie},
    queries,
    view::{Book, MatchView},
};
use crate::{
    App, audit,
    error::{Error, Result},
    event::{self, Event},
    web::{
        Frame,
        access::{Person, Staff},
        form::Typed,
        page,
    },
};

/// The routes.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/ties/{tie}/line-up", get(show).post(hand_in))
        .route("/admin/ties/{tie}/line-up/{side}", get(show_for).post(hand_in_for))
}

#[derive(Template)]
#[template(path = "contest/play/line_up.html")]
struct LineUpPage {
    frame: Frame,
    event: Event,
    tie: Tie,
    found: MatchView,
    /// What stands in the fields.
    chosen: BTreeMap<String, Vec<String>>,
    begun: bool,
    refusal: Option<String>,
}

impl LineUpPage {
    /// Where it leads back to.
    fn back(&self) -> String {
        match self.frame.is_staff() {
            true => format!("/admin/events/{}/play", self.event.id),
            false => {
                format!("/entries/{}", self.tie.found.entry(self.tie.side).unwrap_or_default())
            }
        }
    }

    /// For which team.
    fn team(&self) -> &str {
        &self.found.side(&self.tie.side).name
    }

    fn slots(&self) -> Vec<Slot> {
        line_up::slots(&self.tie.labels(), self.tie.side)
    }

    fn is_named(&self) -> bool {
        self.tie.named.values().any(|players| !players.is_empty())
    }

    fn by_letters(&self) -> bool {
        self.tie.discipline.tie_order.contains('-')
    }

    fn is_chosen(&self, slot: &Slot, at: &usize, player: &Player) -> bool {
        let chosen = self.chosen.get(&slot.key).and_then(|players| players.get(*at));
        chosen == Some(&player.person_id)
    }

    /// 混双 XD, 男单 MS2, or a letter.
    fn said(&self, slot: &Slot) -> String {
        let (zh, en) = match slot.key.trim_end_matches(|c: char| c.is_ascii_digit()) {
            "MS" => ("男单", "Men’s singles"),
            "WS" => ("女单", "Women’s singles"),
            "MD" => ("男双", "Men’s doubles"),
            "WD" => ("女双", "Women’s doubles"),
            "XD" => ("混双", "Mixed doubles"),
            _ => return slot.key.clone(),
        };
        format!("{} {}", self.frame.t(zh, en), slot.key)
    }
}

/// `GET /ties/{tie}/line-up`.
async fn show(
    State(app): State<App>,
    Path(id): Path<String>,
    person: Person,
    frame: Frame,
) -> Result<Response> {
    page(&read(&app, &id, Namer::Captain(&person.id), frame, None).await?)
}

/// `GET /admin/ties/{tie}/line-up/{side}`.
async fn show_for(
    State(app): State<App>,
    Path((id, side)): Path<(String, String)>,
    frame: Frame,
) -> Result<Response> {
    page(&read(&app, &id, Namer::Organizer(of(&side)?), frame, None).await?)
}

fn of(side: &str) -> Result<Side> {
    Side::from_word(side).ok_or(Error::NotFound)
}

async fn read(
    app: &App,
    id: &str,
    namer: Namer<'_>,
    frame: Frame,
    typed: Option<(BTreeMap<String, Vec<String>>, String)>,
) -> Result<LineUpPage> {
    let mut tx = app.db.read().await?;
    let tie = line_up::tie(&mut tx, id, namer).await?;
    let event = event::queries::event(&mut tx, &tie.found.event_id).await?;
    let rubbers = queries::rubbers(&mut tx, id).await?;
    let begun = tie.found.state == MatchState::Ended
        || rubbers.iter().any(|rubber| rubber.state != MatchState::Ready);
    let book = Book::open(&mut tx, &event.id, frame.lang, false).await?;
    let found = book.view(&tie.found).ok_or(Error::NotFound)?;
    let (chosen, refusal) = match typed {
        Some((chosen, refusal)) => (chosen, Some(refusal)),
        None => (tie.named.clone(), None),
    };
    Ok(LineUpPage { frame, event, tie, found, chosen, begun, refusal })
}

/// `POST /ties/{tie}/line-up`: what was chosen stays when it is refused.
async fn hand_in(
    State(app): State<App>,
    Path(id): Path<String>,
    person: Person,
    mut frame: Frame,
    form: Typed,
) -> Result<Response> {
    frame.path = format!("/ties/{id}/line-up");
    name(&app, &id, (Namer::Captain(&person.id), None), frame, &form).await
}

/// `POST /admin/ties/{tie}/line-up/{side}`.
async fn hand_in_for(
    State(app): State<App>,
    Path((id, side)): Path<(String, String)>,
    staff: Staff,
    mut frame: Frame,
    form: Typed,
) -> Result<Response> {
    frame.path = format!("/admin/ties/{id}/line-up/{side}");
    name(&app, &id, (Namer::Organizer(of(&side)?), Some(&staff)), frame, &form).await
}

async fn name(
    app: &App,
    id: &str,
    (namer, staff): (Namer<'_>, Option<&Staff>),
    frame: Frame,
    form: &Typed,
) -> Result<Response> {
    let mut tx = app.db.write().await?;
    let tie = line_up::tie(&mut tx, id, namer).await?;
    let named: BTreeMap<String, Vec<String>> = line_up::slots(&tie.labels(), tie.side)
        .into_iter()
        .map(|slot| (slot.key.clone(), form.values(&slot.key).map(str::to_owned).collect()))
        .collect();
    match line_up::name(&mut tx, id, namer, &named, frame.now).await {
        Ok(found) => {
            if let Some(staff) = staff {
                audit::record(&mut tx, staff, "tie.line_up", id, tie.side.word(), frame.now)
                    .await?;
            }
            done(app, tx, &found.event_id).await?;
            Ok(Redirect::to(&frame.path).into_response())
        }
        Err(Error::Refused(refused) | Error::Invalid(refused)) => {
            tx.rollback().await?;
            let typed = Some((named, refused.text(frame.lang).to_owned()));
            let again = page(&read(app, id, namer, frame, typed).await?)?;
            Ok((refused.status, again).into_response())
        }
        Err(error) => Err(error),
    }
}
