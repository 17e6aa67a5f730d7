//! The pages on which members enter a discipline, answer an invitation, withdraw.

use askama::Template;
use axum::{
    extract::{Path, State},
    response::{IntoResponse as _, Redirect, Response},
};

use super::{
    Discipline, Entry, EntryStatus, Kind, Player, Sport, discipline,
    entering::{self, Draft},
    pages::{finish, own, public},
    queries, results,
};
use crate::{
    App,
    db::Tx,
    error::{Error, Refused, Result},
    event::{self, Event},
    web::{Frame, access::Person, form::Typed, page},
};

#[derive(Template)]
#[template(path = "contest/enter.html")]
struct EnterPage {
    frame: Frame,
    event: Event,
    discipline: Discipline,
    form: Typed,
    refusal: Option<String>,
}

/// A field for somebody else: the partner, or one of the squad.
struct Other {
    name: String,
    phone: String,
    optional: bool,
}

impl EnterPage {
    /// Fields for the others who may be named, with what was typed.
    fn others(&self) -> Vec<Other> {
        let typed = |field, n| self.form.values(field).nth(n).unwrap_or_default().to_owned();
        let most = usize::try_from(self.discipline.players_max - 1).unwrap_or(0);
        let least = usize::try_from(self.discipline.players_min - 1).unwrap_or(0);
        (0..most)
            .map(|n| Other {
                name: typed("name", n),
                phone: typed("phone", n),
                optional: n >= least,
            })
            .collect()
    }
}

/// `GET /disciplines/{discipline}/entry`: the form on which a member enters.
pub(super) async fn form(
    State(app): State<App>,
    Path(id): Path<String>,
    person: Person,
    frame: Frame,
) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let (event, discipline) = public(&mut tx, &id, &frame).await?;
    if let Some(entry) = own(&mut tx, &discipline, &person.id).await? {
        return Ok(Redirect::to(&format!("/entries/{}", entry.id)).into_response());
    }
    let closed = entering::open(&event, &discipline, frame.now).err();
    let refusal = closed.map(|error| error.problem().refused.text(frame.lang).to_owned());
    page(&EnterPage { frame, event, discipline, form: Typed::default(), refusal })
}

/// `POST /disciplines/{discipline}/entry`.
pub(super) async fn enter(
    State(app): State<App>,
    Path(id): Path<String>,
    person: Person,
    mut frame: Frame,
    form: Typed,
) -> Result<Response> {
    frame.path = format!("/disciplines/{id}/entry");
    let others = form.values("name").zip(form.values("phone"));
    let others = others.map(|(name, phone)| (name.trim().to_owned(), phone.trim().to_owned()));
    let draft = Draft {
        team: form.value("team").to_owned(),
        others: others.filter(|(name, phone)| !name.is_empty() || !phone.is_empty()).collect(),
    };
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let found = queries::discipline(&mut tx, &id).await?;
    event::queries::hold(&mut tx, &found.event_id).await?;
    let (event, discipline) = public(&mut tx, &id, &frame).await?;
    match entering::enter(&mut tx, &app, (&event, &discipline), &person.id, &draft, now).await {
        Ok(entry) => {
            finish(&app, tx, &event.id).await?;
            Ok(Redirect::to(&format!("/entries/{entry}")).into_response())
        }
        Err(Error::Refused(refused) | Error::Invalid(refused)) => {
            tx.rollback().await?;
            let refusal = Some(refused.text(frame.lang).to_owned());
            let again = page(&EnterPage { frame, event, discipline, form, refusal })?;
            Ok((refused.status, again).into_response())
        }
        Err(error) => Err(error),
    }
}

#[derive(Template)]
#[template(path = "contest/entry.html")]
struct EntryPage {
    frame: Frame,
    event: Event,
    discipline: Discipline,
    entry: Entry,
    players: Vec<Player>,
    /// Ties that can be played, for whose line-up the reader as captain is asked: id, the other side, handed in.
    ties: Vec<(String, String, bool)>,
    /// There is a certificate to be had.
    certificate: bool,
    /// The reader.
    person: Person,
    refusal: Option<String>,
}

impl EntryPage {
    /// The reader was asked and has not answered.
    fn is_asked(&self) -> bool {
        self.players
            .iter()
            .any(|player| player.person_id == self.person.id && player.accepted_ms.is_none())
    }

    fn present_by(&self) -> String {
        self.frame.moment(&self.discipline.present_by_ms, &self.event.time_zone)
    }

    fn can_leave(&self) -> bool {
        self.entry.status.is_open() && self.discipline.list_closed_ms.is_none()
    }

    /// Leaving ends the whole entry.
    fn ends_all(&self) -> bool {
        let captain = self.entry.captain_id.as_deref() == Some(&self.person.id);
        self.discipline.kind != Kind::Team || captain
    }
}

/// `GET /entries/{entry}`: a player's own entry.
pub(super) async fn entry(
    State(app): State<App>,
    Path(id): Path<String>,
    person: Person,
    frame: Frame,
) -> Result<Response> {
    page(&read_entry(&app, &id, person, frame).await?)
}

async fn read_entry(app: &App, id: &str, person: Person, frame: Frame) -> Result<EntryPage> {
    let mut tx = app.db.read().await?;
    let entry = queries::entry(&mut tx, id).await?;
    // An id is no permission: only those it names see it.
    if !queries::is_of(&mut tx, id, &person.id).await? {
        return Err(Error::NotFound);
    }
    let (event, discipline) = discipline::find(&mut tx, &entry.discipline_id).await?;
    let players = queries::players_of(&mut tx, id).await?;
    let first = players.first().map(|player| player.person_id.as_str());
    let is_captain = entry.captain_id.as_deref().or(first) == Some(person.id.as_str());
    let ties = match is_captain && !discipline.tie_order.is_empty() {
        true => queries::ties_of(&mut tx, id).await?,
        false => Vec::new(),
    };
    // Nobody is placed before the list is closed.
    let listed = discipline.list_closed_ms.is_some() || discipline.sport == Sport::Walk;
    let certificate = listed && results::certificate::is_due(&mut tx, id).await?;
    let refusal = None;
    Ok(EntryPage { frame, event, discipline, entry, players, ties, certificate, person, refusal })
}

/// `POST /entries/{entry}/acceptance`: a partner or squad member says yes.
pub(super) async fn accept(
    State(app): State<App>,
    Path(id): Path<String>,
    person: Person,
    frame: Frame,
) -> Result<Response> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let done = entering::accept(&mut tx, &app, &id, &person.id, now).await;
    answer(&app, tx, done, &id, person, frame).await
}

/// `POST /entries/{entry}/withdrawal`: a player says no, or leaves.
pub(super) async fn leave(
    State(app): State<App>,
    Path(id): Path<String>,
    person: Person,
    frame: Frame,
) -> Result<Response> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let done = entering::leave(&mut tx, &app, &id, &person.id, now).await;
    answer(&app, tx, done, &id, person, frame).await
}

/// The entry's page again, with why it was refused if it was.
async fn answer(
    app: &App,
    mut tx: Tx,
    done: Result<()>,
    id: &str,
    person: Person,
    mut frame: Frame,
) -> Result<Response> {
    let refused: Refused = match done {
        Ok(()) => {
            let event_id = queries::entry(&mut tx, id).await?.event_id;
            finish(app, tx, &event_id).await?;
            return Ok(Redirect::to(&format!("/entries/{id}")).into_response());
        }
        Err(Error::Refused(refused) | Error::Invalid(refused)) => refused,
        Err(error) => return Err(error),
    };
    tx.rollback().await?;
    frame.path = format!("/entries/{id}");
    let refusal = Some(refused.text(frame.lang).to_owned());
    let again = EntryPage { refusal, ..read_entry(app, id, person, frame).await? };
    Ok((refused.status, page(&again)?).into_response())
}
