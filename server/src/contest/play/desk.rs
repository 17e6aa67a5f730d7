//! `/admin/events/{event}/play`: the organizer's desk on the day. Courts, calls with their clock, what is ready, groups that
//! need lots, links for umpires. Works without scripts; `live.js` keeps it fresh.

use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    response::{IntoResponse as _, Redirect, Response},
    routing::{get, post},
};

use super::{
    super::{Court, Discipline, Group, MatchState, Side, Sport, queries as contest},
    advance,
    api::{done, draw_lots, invited, link, new_court},
    call, late, line_up, queries,
    scorer::{self, By, Umpire},
    table,
    view::{Book, MatchView, minutes},
};
use crate::{
    App, audit,
    error::{Error, Result},
    event::{self, Event},
    web::{Frame, access::Staff, form::Typed, page},
};

/// How many ended matches are shown.
const ENDED: i64 = 20;

/// The routes.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/admin/events/{event}/play", get(show))
        .route("/admin/events/{event}/play/calls", post(fill))
        .route("/admin/events/{event}/play/courts", post(add_courts))
        .route("/admin/events/{event}/play/courts/{court}", post(close))
        .route("/admin/events/{event}/play/umpires", post(invite))
        .route("/admin/events/{event}/play/umpires/{umpire}", post(dismiss))
        .route("/admin/matches/{match}/call", post(call_one))
        .route("/admin/matches/{match}/first", post(first))
        .route("/admin/matches/{match}/arrival", post(arrive))
        .route("/admin/matches/{match}/late", post(judge_late))
        .route("/admin/groups/{group}/lots", post(lots))
}

/// A match that is ready, and why it is not called yet.
struct Ready {
    found: MatchView,
    /// Somebody in it is at a court.
    busy: bool,
    /// Minutes until everybody has rested.
    rests: i64,
    wanted: bool,
}

#[derive(Template)]
#[template(path = "contest/play/desk.html")]
struct DeskPage {
    frame: Frame,
    event: Event,
    tab: &'static str,
    courts: Vec<(Court, Option<MatchView>)>,
    ready: Vec<Ready>,
    ended: Vec<MatchView>,
    grouped: Vec<Discipline>,
    walks: Vec<Discipline>,
    /// Ties that have not begun, and whether each side's line-up is in.
    ties: Vec<(MatchView, [bool; 2])>,
    /// What is played here on courts.
    sports: Vec<Sport>,
    /// Groups where nothing tells some apart.
    equal: Vec<(Discipline, Group, Vec<String>)>,
    umpires: Vec<Umpire>,
    /// A link that was just made.
    link: Option<(String, String)>,
    left: usize,
    over: i64,
}

impl DeskPage {
    fn waits(&self, found: &MatchView) -> i64 {
        minutes(found.called_ms, self.frame.now)
    }

    fn is_late(&self, found: &MatchView) -> bool {
        found.late_ms.is_some_and(|until| self.frame.now.0 >= until)
    }

    /// The side that has not come while the other has, once the clock has run out.
    fn missing<'a>(&self, found: &'a MatchView) -> Option<&'a str> {
        let missing = match (found.a.here, found.b.here) {
            (true, false) => &found.b,
            (false, true) => &found.a,
            _ => return None,
        };
        (found.state == MatchState::Called && self.is_late(found)).then_some(&missing.name)
    }

    fn free(&self) -> impl Iterator<Item = &Court> {
        self.courts
            .iter()
            .filter(|(court, found)| !court.closed && found.is_none())
            .map(|(court, _)| court)
    }

    /// The free courts where that discipline's sport can be played.
    fn free_for(&self, found: &MatchView) -> Vec<&Court> {
        self.free().filter(|court| court.takes(found.sport)).collect()
    }

    fn court_of(&self, umpire: &Umpire) -> Option<&str> {
        let found =
            self.courts.iter().find(|(court, _)| Some(&court.id) == umpire.court_id.as_ref());
        found.map(|(court, _)| court.name.as_str())
    }

    fn playing(&self) -> usize {
        self.courts.iter().filter(|(_, found)| found.is_some()).count()
    }

    fn is_in(&self, named: &[bool; 2], side: &Side) -> bool {
        named[super::super::score::at(*side)]
    }

    fn points(&self, game: &[i64; 2], side: &Side) -> i64 {
        game[super::super::score::at(*side)]
    }
}

/// `GET /admin/events/{event}/play`.
async fn show(State(app): State<App>, Path(id): Path<String>, frame: Frame) -> Result<Response> {
    page(&read(&app, &id, frame, None).await?)
}

async fn read(
    app: &App,
    id: &str,
    frame: Frame,
    link: Option<(String, String)>,
) -> Result<DeskPage> {
    let mut tx = app.db.read().await?;
    let event = event::queries::event(&mut tx, id).await?;
    let book = Book::open(&mut tx, id, frame.lang, false).await?;
    let open = queries::open_matches(&mut tx, id).await?;
    let at = |court: &Court| {
        let found = open.iter().find(|found| {
            found.state != MatchState::Ready && found.court_id.as_ref() == Some(&court.id)
        });
        found.and_then(|found| book.view(found))
    };
    let courts = book.courts.iter().map(|court| (court.clone(), at(court))).collect();
    let (candidates, hall) = call::ready(&mut tx, id).await?;
    let mut ready: Vec<_> = candidates.iter().collect();
    ready.sort_by_key(|(_, candidate)| {
        // Who cannot be called yet comes last.
        let waits = candidate.waits_for(&hall) || candidate.rested(&hall) > frame.now;
        let rank = (candidate.stage.word(), candidate.round, candidate.position);
        (candidate.wanted.is_none(), waits, rank)
    });
    let ready = ready
        .into_iter()
        .filter_map(|(found, candidate)| {
            Some(Ready {
                found: book.view(found)?,
                busy: candidate.waits_for(&hall),
                rests: rests(candidate.rested(&hall).0, frame.now.0),
                wanted: candidate.wanted.is_some(),
            })
        })
        .collect();
    let ended = queries::ended(&mut tx, id, ENDED).await?;
    let ended = ended.iter().filter_map(|found| book.view(found)).collect();
    let mut equal = Vec::new();
    let (mut left, mut over) = (0, 0);
    for discipline in &book.disciplines {
        for found in contest::matches(&mut tx, &discipline.id).await? {
            if found.state == MatchState::Ended { over += 1 } else { left += 1 }
        }
        for group in contest::groups(&mut tx, &discipline.id).await? {
            if group.finished_ms.is_some() {
                continue;
            }
            let table = table::of_group(&mut tx, discipline, &group).await?;
            let fed = queries::fed_by_group(&mut tx, &group.id).await?;
            if table.needs_lots(advance::ranks(&fed, &group.id)) {
                let names = table.equal().map(|entry| entry.name.clone()).collect();
                equal.push((discipline.clone(), group, names));
            }
        }
    }
    let awaited = line_up::awaited(&mut tx, id, &book.disciplines).await?;
    let ties = awaited.iter().filter_map(|(tie, named)| Some((book.view(tie)?, *named))).collect();
    let umpires = scorer::of_event(&mut tx, id).await?;
    let walks = book.disciplines.iter().filter(|one| one.sport == Sport::Walk).cloned().collect();
    let mut sports: Vec<Sport> = book.disciplines.iter().map(|one| one.sport).collect();
    sports.retain(|sport| *sport != Sport::Walk);
    sports.sort_by_key(|sport| sport.word());
    sports.dedup();
    let grouped =
        book.disciplines.iter().filter(|one| super::board::has_groups(one)).cloned().collect();
    Ok(DeskPage {
        frame,
        event,
        tab: "play",
        courts,
        ready,
        ended,
        grouped,
        walks,
        ties,
        sports,
        equal,
        umpires,
        link,
        left,
        over,
    })
}

/// Minutes until `rested`.
fn rests(rested: i64, now: i64) -> i64 {
    if rested <= now { 0 } else { (rested - now + 59_999) / 60_000 }
}

/// `POST /admin/events/{event}/play/calls`: the next matches to all free courts.
async fn fill(
    State(app): State<App>,
    Path(id): Path<String>,
    staff: Staff,
    frame: Frame,
) -> Result<Response> {
    let mut tx = app.db.write().await?;
    call::fill(&mut tx, &By::Staff(staff), &id, frame.now).await?;
    done(&app, tx, &id).await?;
    Ok(back(&id))
}

/// `POST /admin/matches/{match}/call`: to a court, or back into the line when none is named.
async fn call_one(
    State(app): State<App>,
    Path(id): Path<String>,
    staff: Staff,
    frame: Frame,
    form: Typed,
) -> Result<Response> {
    let mut tx = app.db.write().await?;
    let by = By::Staff(staff);
    let found = match form.value("court") {
        "" => call::uncall(&mut tx, &by, &id, frame.now).await?,
        court => call::call(&mut tx, &by, &id, court, frame.now).await?,
    };
    done(&app, tx, &found.event_id).await?;
    Ok(back(&found.event_id))
}

/// `POST /admin/matches/{match}/arrival`: a side has come to its court, or has not after all.
async fn arrive(
    State(app): State<App>,
    Path(id): Path<String>,
    staff: Staff,
    frame: Frame,
    form: Typed,
) -> Result<Response> {
    let side = Side::from_word(form.value("side")).ok_or(Error::NotFound)?;
    let here = form.value("here") != "no";
    let mut tx = app.db.write().await?;
    let found = late::arrive(&mut tx, &By::Staff(staff), &id, (side, here), frame.now).await?;
    done(&app, tx, &found.event_id).await?;
    Ok(back(&found.event_id))
}

/// `POST /admin/matches/{match}/late`: who has not come loses.
async fn judge_late(
    State(app): State<App>,
    Path(id): Path<String>,
    staff: Staff,
    frame: Frame,
) -> Result<Response> {
    let mut tx = app.db.write().await?;
    let found = late::judge(&mut tx, &By::Staff(staff), &id, frame.now).await?;
    done(&app, tx, &found.event_id).await?;
    Ok(back(&found.event_id))
}

/// `POST /admin/matches/{match}/first`: before the others that could be.
async fn first(State(app): State<App>, Path(id): Path<String>, frame: Frame) -> Result<Response> {
    let mut tx = app.db.write().await?;
    let found = contest::match_(&mut tx, &id).await?;
    queries::want_first(&mut tx, &found, frame.now).await?;
    done(&app, tx, &found.event_id).await?;
    Ok(back(&found.event_id))
}

/// `POST /admin/events/{event}/play/courts`: some of one name, numbered.
async fn add_courts(
    State(app): State<App>,
    Path(id): Path<String>,
    frame: Frame,
    form: Typed,
) -> Result<Response> {
    let (name, count) = (form.value("name").trim().to_owned(), form.number("count").unwrap_or(1));
    if !(1..=64).contains(&count) {
        return Err(Error::invalid(
            "count",
            "一次可添加 1 到 64 张台（场地）。",
            "Add 1 to 64 courts at a time.",
        ));
    }
    let sport = Sport::from_word(form.value("sport"));
    let mut tx = app.db.write().await?;
    let there = contest::courts(&mut tx, &id).await?;
    let mut number = 0;
    for _ in 0..count {
        let name = loop {
            number += 1;
            let name = format!("{number}{name}");
            if !there.iter().any(|court| court.name == name) {
                break name;
            }
        };
        new_court(&mut tx, &id, &name, sport, frame.now).await?;
    }
    done(&app, tx, &id).await?;
    Ok(back(&id))
}

/// `POST /admin/events/{event}/play/courts/{court}`: out of use, or in use again.
async fn close(
    State(app): State<App>,
    Path((id, court)): Path<(String, String)>,
    form: Typed,
) -> Result<Response> {
    let mut tx = app.db.write().await?;
    let courts = contest::courts(&mut tx, &id).await?;
    let court = courts.iter().find(|known| known.id == court).ok_or(Error::NotFound)?;
    queries::close_court(&mut tx, court, form.value("closed") == "yes").await?;
    done(&app, tx, &id).await?;
    Ok(back(&id))
}

/// `POST /admin/events/{event}/play/umpires`: the link is shown once.
async fn invite(
    State(app): State<App>,
    Path(id): Path<String>,
    staff: Staff,
    mut frame: Frame,
    form: Typed,
) -> Result<Response> {
    let (name, court) = (form.value("name").trim().to_owned(), form.value("court"));
    let court = (!court.is_empty()).then_some(court);
    let secret = invited(&app, &staff, &id, &name, court, frame.now).await?;
    frame.path = format!("/admin/events/{id}/play");
    let link = link(&app, &id, &secret);
    page(&read(&app, &id, frame, Some((name, link))).await?)
}

/// `POST /admin/events/{event}/play/umpires/{umpire}`: the link ends.
async fn dismiss(
    State(app): State<App>,
    Path((id, umpire)): Path<(String, String)>,
    staff: Staff,
    frame: Frame,
) -> Result<Response> {
    let mut tx = app.db.write().await?;
    scorer::dismiss(&mut tx, &id, &umpire, frame.now).await?;
    audit::record(&mut tx, &staff, "umpire.dismiss", &umpire, "", frame.now).await?;
    tx.commit().await?;
    Ok(back(&id))
}

/// `POST /admin/groups/{group}/lots`.
async fn lots(
    State(app): State<App>,
    Path(group): Path<String>,
    staff: Staff,
    frame: Frame,
) -> Result<Response> {
    let mut tx = app.db.write().await?;
    let event_id = draw_lots(&mut tx, &staff, &group, frame.now).await?;
    done(&app, tx, &event_id).await?;
    Ok(back(&event_id))
}

pub(super) fn back(event_id: &str) -> Response {
    Redirect::to(&format!("/admin/events/{event_id}/play")).into_response()
}
