//! What everybody may see: who is called where, what is played now, what comes next, and the tables of the groups with
//! the tie-breaks said. The same page, larger, is for the screen in the hall.

use askama::Template;
use axum::{
    Router,
    extract::{Path, Query, State},
    response::Response,
    routing::get,
};
use serde::Deserialize;

use super::{
    super::{
        Court, Discipline, Format, Group, MatchState, Side, queries as contest, standings::Row,
    },
    call, queries, table,
    view::{Book, MatchView, minutes},
};
use crate::{
    App,
    db::Tx,
    error::{Error, Result},
    event::{self, Event},
    web::{Frame, page},
};

/// How many matches are shown that come next, and that ended.
const NEXT: usize = 8;
const ENDED: i64 = 8;

/// The routes.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/events/{event}/play", get(show))
        .route("/disciplines/{discipline}/standings", get(standings))
}

#[derive(Debug, Deserialize)]
struct Shown {
    /// For the screen in the hall.
    #[serde(default)]
    screen: Option<String>,
}

#[derive(Template)]
#[template(path = "contest/play/board.html")]
struct BoardPage {
    frame: Frame,
    event: Event,
    screen: bool,
    courts: Vec<(Court, Option<MatchView>)>,
    next: Vec<MatchView>,
    ended: Vec<MatchView>,
    grouped: Vec<Discipline>,
}

/// `GET /events/{event}/play`. Staff see whole names.
async fn show(
    State(app): State<App>,
    Path(id): Path<String>,
    Query(shown): Query<Shown>,
    frame: Frame,
) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let event = event::queries::event(&mut tx, &id).await?;
    if !event.is_public() && !frame.is_staff() {
        return Err(Error::NotFound);
    }
    let book = Book::open(&mut tx, &id, frame.lang, !frame.is_staff()).await?;
    let open = queries::open_matches(&mut tx, &id).await?;
    let at = |court: &Court| {
        let found = open.iter().find(|found| {
            found.state != MatchState::Ready && found.court_id.as_ref() == Some(&court.id)
        });
        found.and_then(|found| book.view(found))
    };
    let courts = book
        .courts
        .iter()
        .filter(|court| !court.closed)
        .map(|court| (court.clone(), at(court)))
        .collect();
    let next = upcoming(&mut tx, &id, &book).await?;
    let ended = queries::ended(&mut tx, &id, ENDED).await?;
    let ended = ended.iter().filter_map(|found| book.view(found)).collect();
    let grouped = book.disciplines.iter().filter(|one| has_groups(one)).cloned().collect();
    page(&BoardPage { frame, event, screen: shown.screen.is_some(), courts, next, ended, grouped })
}

/// The matches that can be called next, as the scheduler would.
async fn upcoming(tx: &mut Tx, event_id: &str, book: &Book) -> Result<Vec<MatchView>> {
    let (mut ready, _) = call::ready(tx, event_id).await?;
    ready.sort_by_key(|(_, candidate)| {
        (candidate.wanted.is_none(), candidate.stage.word(), candidate.round, candidate.position)
    });
    Ok(ready.iter().take(NEXT).filter_map(|(found, _)| book.view(found)).collect())
}

/// Whether a discipline has tables.
pub(super) fn has_groups(discipline: &Discipline) -> bool {
    matches!(discipline.format, Format::Groups | Format::RoundRobin)
}

/// How many columns and rows show so many things, each about `tall` times as high as a court, on a screen that lies
/// (`c5 r3`) and on one that stands (`pc3 pr5`).
pub(crate) fn fitting(count: usize, tall: usize) -> String {
    // Columns grow until there are no more rows than so many to a column, in tenths.
    let columns = |tenths: usize| {
        (1..=8).find(|n| n * n * 10 >= count * tenths * tall || *n >= count).unwrap_or(8)
    };
    let rows = |columns: usize| count.div_ceil(columns).clamp(1, 8);
    let (lying, standing) = (columns(16), columns(6));
    format!("c{lying} r{} pc{standing} pr{}", rows(lying), rows(standing))
}

impl BoardPage {
    fn waits(&self, found: &MatchView) -> i64 {
        minutes(found.called_ms, self.frame.now)
    }
}

/// A group with its table.
struct Grouped {
    group: Group,
    names: Vec<String>,
    organisations: Vec<Option<String>>,
    rows: Vec<Row>,
    complete: bool,
}

#[derive(Template)]
#[template(path = "contest/play/standings.html")]
struct StandingsPage {
    frame: Frame,
    event: Event,
    discipline: Discipline,
    groups: Vec<Grouped>,
    football: bool,
}

/// `GET /disciplines/{discipline}/standings`.
async fn standings(
    State(app): State<App>,
    Path(id): Path<String>,
    frame: Frame,
) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let discipline = contest::discipline(&mut tx, &id).await?;
    let event = event::queries::event(&mut tx, &discipline.event_id).await?;
    if !event.is_public() && !frame.is_staff() {
        return Err(Error::NotFound);
    }
    let book = Book::open(&mut tx, &event.id, frame.lang, !frame.is_staff()).await?;
    let mut groups = Vec::new();
    for group in contest::groups(&mut tx, &id).await? {
        let table = table::of_group(&mut tx, &discipline, &group).await?;
        groups.push(Grouped {
            names: table.entries.iter().map(|entry| book.name(entry)).collect(),
            organisations: table.entries.iter().map(|entry| entry.organisation.clone()).collect(),
            rows: table.rows,
            complete: table.complete,
            group,
        });
    }
    let football = matches!(discipline.rule, super::super::MatchRule::Goals { .. });
    page(&StandingsPage { frame, event, discipline, groups, football })
}

impl StandingsPage {
    fn rule(&self) -> &'static str {
        let (zh, en) = self.discipline.standings.rule();
        self.frame.t(zh, en)
    }

    fn why(&self, group: &Grouped, row: &Row) -> Option<String> {
        row.why.as_ref().map(|why| why.sentence(self.frame.lang, &group.names))
    }
}

impl BoardPage {
    /// The points of one side in a game.
    fn points(&self, game: &[i64; 2], side: &Side) -> i64 {
        game[super::super::score::at(*side)]
    }
}
