//! The organizer sets a contest up: its disciplines, and in how many of them one person may play.

use askama::Template;
use axum::{
    extract::{Path, State},
    response::{IntoResponse as _, Redirect, Response},
};

use super::{
    Discipline, Entry, EntryStatus, Format, Kind, MatchRule, Sexes, Sport,
    discipline::{self, Draft},
    entering,
    pages::finish,
    queries,
};
use crate::{
    App, audit,
    db::Tx,
    error::{Error, Result},
    event::{self, Event},
    web::{Frame, access::Staff, form::Typed, page},
};

/// A discipline with its numbers.
struct Line {
    discipline: Discipline,
    entered: usize,
    there: usize,
    waiting: usize,
}

#[derive(Template)]
#[template(path = "contest/desk.html")]
struct ListPage {
    frame: Frame,
    event: Event,
    lines: Vec<Line>,
    form: Typed,
    tab: &'static str,
}

impl ListPage {
    /// What can be chosen as sport and kind.
    fn what(&self) -> Vec<(String, &'static str)> {
        let one = |(sport, kind, zh, en): &(Sport, Kind, &'static str, &'static str)| {
            (format!("{}/{}", sport.word(), kind.word()), self.frame.lang.pick(zh, en))
        };
        WHAT.iter().map(one).collect()
    }

    fn formats(&self) -> Vec<(&'static str, &'static str)> {
        let drawn = Format::ALL.iter().filter(|format| **format != Format::Walk);
        drawn.map(|format| (format.word(), format.name(&self.frame))).collect()
    }

    fn sexes(&self) -> Vec<(&'static str, &'static str)> {
        Sexes::ALL.iter().map(|sex| (sex.word(), sex.name(&self.frame))).collect()
    }

    fn rules(&self) -> Vec<(&'static str, String)> {
        let rule = |text: &'static str| {
            Some((text, text.parse::<MatchRule>().ok()?.said(self.frame.lang)))
        };
        RULES.into_iter().filter_map(rule).collect()
    }

    async fn read(tx: &mut Tx, frame: Frame, event: Event, form: Typed) -> Result<Self> {
        let mut lines = Vec::new();
        for discipline in queries::disciplines(tx, &event.id).await? {
            let players = queries::players(tx, &discipline.id).await?;
            let entries = queries::entries(tx, &discipline.id).await?;
            let count = |wanted: &dyn Fn(&Entry) -> bool| {
                entries.iter().filter(|entry| wanted(entry)).count()
            };
            let placed = |entry: &Entry| {
                !matches!(
                    entry.status,
                    EntryStatus::Waiting | EntryStatus::Withdrawn | EntryStatus::PartnerPending
                )
            };
            lines.push(Line {
                entered: count(&placed),
                there: count(&|entry| {
                    placed(entry) && entering::is_there(&discipline, entry, &players)
                }),
                waiting: count(&|entry| entry.status == EntryStatus::Waiting),
                discipline,
            });
        }
        Ok(Self { frame, event, lines, form, tab: "contest" })
    }
}

/// `GET /admin/events/{event}/contest`: the disciplines, and a form for one more.
pub(super) async fn list(
    State(app): State<App>,
    Path(id): Path<String>,
    frame: Frame,
) -> Result<Response> {
    let mut tx = app.db.read().await?;
    let event = event::queries::event(&mut tx, &id).await?;
    page(&ListPage::read(&mut tx, frame, event, blank()).await?)
}

/// The form of a new discipline.
fn blank() -> Typed {
    Typed::of([
        ("what", "table_tennis/singles".to_owned()),
        ("format", "groups".to_owned()),
        ("entries_min", "4".to_owned()),
        ("group_size", "4".to_owned()),
        ("group_winners", "2".to_owned()),
        ("late_minutes", "15".to_owned()),
    ])
}

/// What can be chosen as sport and kind.
const WHAT: [(Sport, Kind, &str, &str); 8] = [
    (Sport::TableTennis, Kind::Singles, "乒乓球单打", "Table tennis, singles"),
    (Sport::TableTennis, Kind::Doubles, "乒乓球双打", "Table tennis, doubles"),
    (Sport::TableTennis, Kind::Team, "乒乓球团体", "Table tennis, teams"),
    (Sport::Badminton, Kind::Singles, "羽毛球单打", "Badminton, singles"),
    (Sport::Badminton, Kind::Doubles, "羽毛球双打", "Badminton, doubles"),
    (Sport::Badminton, Kind::Team, "羽毛球团体", "Badminton, teams"),
    (Sport::Football, Kind::Team, "足球", "Football"),
    (Sport::Walk, Kind::Singles, "健步走", "Walk"),
];

/// How a match can be counted, besides what is usual.
const RULES: [&str; 8] = [
    "games/3/11",
    "games/5/11",
    "games/7/11",
    "games/3/15/21",
    "games/3/21/30",
    "goals/2/15",
    "goals/2/20",
    "goals/2/25",
];

/// `POST /admin/events/{event}/contest`: a new discipline.
pub(super) async fn create(
    State(app): State<App>,
    Path(id): Path<String>,
    staff: Staff,
    frame: Frame,
    mut form: Typed,
) -> Result<Response> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    event::queries::hold(&mut tx, &id).await?;
    let event = event::queries::event(&mut tx, &id).await?;
    let done = match draft(&form, &event, now) {
        Ok(draft) => discipline::create(&mut tx, &app.keys, &event, &draft, now).await,
        Err(error) => Err(error),
    };
    match done {
        Ok(discipline) => {
            audit::record(&mut tx, &staff, "discipline.create", &discipline, "", now).await?;
            finish(&app, tx, &event.id).await?;
            Ok(Redirect::to(&format!("/admin/disciplines/{discipline}")).into_response())
        }
        Err(Error::Invalid(refused)) => {
            tx.rollback().await?;
            let status = refused.status;
            form.blame(refused.code, refused);
            let mut tx = app.db.read().await?;
            let again = page(&ListPage::read(&mut tx, frame, event, form).await?)?;
            Ok((status, again).into_response())
        }
        Err(error) => Err(error),
    }
}

fn draft(form: &Typed, event: &Event, now: admission::Millis) -> Result<Draft> {
    let what = WHAT.iter().find(|(sport, kind, ..)| {
        form.value("what") == format!("{}/{}", sport.word(), kind.word())
    });
    let (sport, kind, ..) = what.ok_or_else(|| {
        Error::invalid("what", "请选择项目类别。", "Please choose what is played.")
    })?;
    let usual = Draft::usual(form.value("name"), *sport, *kind, event, now);
    let format = match sport {
        Sport::Walk => Format::Walk,
        _ => Format::from_word(form.value("format")).unwrap_or(usual.format),
    };
    let number = |field, or: i64| {
        if form.value(field).trim().is_empty() {
            Ok(or)
        } else {
            form.number(field)
                .ok_or_else(|| Error::invalid(field, "请填整数。", "Please type a whole number."))
        }
    };
    let optional = |field| {
        if form.value(field).trim().is_empty() { Ok(None) } else { number(field, 0).map(Some) }
    };
    let rule = match form.value("rule") {
        "" => usual.rule,
        text => text.parse::<MatchRule>().map_err(|_| {
            Error::invalid("rule", "请选择计分办法。", "Please choose how a match is counted.")
        })?,
    };
    Ok(Draft {
        format,
        rule,
        sex: Sexes::from_word(form.value("sex")),
        players: (number("players_min", usual.players.0)?, number("players_max", usual.players.1)?),
        entries_min: number("entries_min", usual.entries_min)?,
        entries_max: optional("entries_max")?,
        organisation_max: optional("organisation_max")?,
        group_size: number("group_size", usual.group_size)?,
        group_winners: number("group_winners", usual.group_winners)?,
        third_place: form.has("third_place", "yes"),
        tie_order: match form.value("tie_order") {
            "" => usual.tie_order,
            "none" => String::new(),
            order => order.to_owned(),
        },
        late_minutes: number("late_minutes", usual.late_minutes)?,
        late_auto: form.has("late_auto", "yes"),
        ..usual
    })
}

/// `POST /admin/events/{event}/contest/limit`: in how many disciplines one person may play.
pub(super) async fn limit(
    State(app): State<App>,
    Path(id): Path<String>,
    staff: Staff,
    form: Typed,
) -> Result<Response> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    event::queries::hold(&mut tx, &id).await?;
    let event = event::queries::event(&mut tx, &id).await?;
    discipline::limit(&mut tx, &event, form.number("per_person"), now).await?;
    audit::record(&mut tx, &staff, "contest.limit", &id, form.value("per_person"), now).await?;
    finish(&app, tx, &id).await?;
    Ok(Redirect::to(&format!("/admin/events/{id}/contest")).into_response())
}
