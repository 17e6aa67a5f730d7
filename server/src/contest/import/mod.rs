//! `turnout-server import contest FILE --event ID`: the entries of a contest from the organizer's spreadsheet.
//!
//! A sheet has one row for each player, pair or team, under a header that names at least 项目 (the discipline) and 姓名 or
//! 队名. Disciplines that the event does not have yet are made in the federation's usual form. Players must be on the
//! roster, by name and phone: a row that names somebody else is left out, and the fault names its cell.

mod report;
mod rows;

use std::process::ExitCode;

use admission::{Clock, Millis};
use anyhow::Context as _;

pub use self::report::{Fault, Report, ReportLine, Verdict};
use self::rows::{Field, Row};
use super::{
    Discipline, Kind, Sport,
    discipline::{self, Draft},
    eligibility::{self, Named},
    entering, queries,
};
use crate::{
    booking,
    config::Storage,
    db::{Tx, new_id},
    error::{Error, Result},
    event::{self, Event},
    execute, fetch,
    keys::Keys,
    people::import::text::name_key,
};

/// Runs the command.
///
/// # Errors
/// When the file cannot be read, there is no such contest, or the database fails; then nothing was written.
pub async fn run(
    bytes: &[u8],
    event_id: &str,
    storage: &Storage,
    dry_run: bool,
    clock: &dyn Clock,
) -> anyhow::Result<ExitCode> {
    let db = storage.open_existing().await?;
    let keys = Keys::of(&db, &storage.data.join("keys")).await?;
    let mut tx = db.write().await?;
    let done = carry_out(&mut tx, &keys, event_id, bytes, clock.now()).await;
    let report = match done {
        Ok(report) => report,
        Err(error) => {
            tx.rollback().await?;
            return Err(error);
        }
    };
    if dry_run {
        tx.rollback().await?
    } else {
        tx.commit().await?
    }
    db.close().await;
    report::print(&report, dry_run)?;
    Ok(ExitCode::from(u8::from(report.count(Verdict::Error) > 0)))
}

/// Reads the file and enters everybody it names. The caller commits, or takes it back for a dry run.
///
/// # Errors
/// When the file cannot be read, there is no such contest, or the database fails.
pub async fn carry_out(
    tx: &mut Tx,
    keys: &Keys,
    event_id: &str,
    bytes: &[u8],
    now: Millis,
) -> anyhow::Result<Report> {
    let rows = rows::read(bytes)?;
    anyhow::ensure!(
        !rows.is_empty(),
        "找不到表头或表头下面没有数据。表头要有“项目”和“姓名”（或“队名”）。 No header with 项目 and 姓名 (or 队名) was found, or nothing is below it"
    );
    event::queries::hold(tx, event_id).await?;
    let event =
        event::queries::event(tx, event_id).await.ok().filter(|event| event.kind == "contest");
    let event = event.context("没有这场比赛。 There is no such contest")?;
    let mut report = Report::default();
    for row in &rows {
        let (verdict, label, fault) =
            match enter(tx, keys, &event, row, &mut report.disciplines, now).await {
                Ok((verdict, label)) => (verdict, label, None),
                Err(Stop::Fault(label, fault)) => (Verdict::Error, label, Some(fault)),
                Err(Stop::Failed(error)) => return Err(error.into()),
            };
        report.lines.push(ReportLine {
            sheet: row.sheet.clone(),
            row: row.number,
            verdict,
            label,
            fault,
        });
    }
    tx.notify(&event.id).await?;
    Ok(report)
}

/// Why a row is not entered.
enum Stop {
    /// It is at fault.
    Fault(String, Fault),
    /// We are.
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<sqlx::Error> for Stop {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error.into())
    }
}

async fn enter(
    tx: &mut Tx,
    keys: &Keys,
    event: &Event,
    row: &Row,
    made: &mut Vec<String>,
    now: Millis,
) -> Result<(Verdict, String), Stop> {
    if let Some(field) = row.damaged {
        return Err(row.fault(field, "number_destroyed", "表格软件把这一格改坏了，请设为文本后重新填写。 The spreadsheet damaged this cell: format it as text and type it again."));
    }
    let found = discipline_of(tx, keys, event, row, made, now).await?;
    if found.list_closed_ms.is_some() {
        return Err(row.fault(
            Field::Discipline,
            "list_closed",
            "这个项目的名单已经确定。 The list of this discipline is closed.",
        ));
    }
    let seed = match row.text(Field::Seed) {
        "" => None,
        text => match text.parse::<i64>() {
            Ok(seed @ 1..=256) => Some(seed),
            _ => {
                return Err(row.fault(
                    Field::Seed,
                    "seed",
                    "种子号应为 1 到 256 的整数。 A seed is a number from 1 to 256.",
                ));
            }
        },
    };
    let people = match found.kind {
        Kind::Team => vec![captain(tx, row, now).await?],
        Kind::Singles => vec![person(tx, row, Field::Name, Field::Phone).await?],
        Kind::Doubles => vec![
            person(tx, row, Field::Name, Field::Phone).await?,
            person(tx, row, Field::Partner, Field::PartnerPhone).await?,
        ],
    };
    let organisation_id =
        organisation(tx, row).await?.or_else(|| people[0].organisation_id.clone());
    let name = match found.kind {
        Kind::Team => row.text(Field::Team).to_owned(),
        _ => eligibility::joined(&people),
    };
    let bib = Some(row.text(Field::Bib)).filter(|bib| !bib.is_empty());
    for (player, field) in people.iter().zip([Field::Name, Field::Partner]) {
        let field = if found.kind == Kind::Team { Field::Captain } else { field };
        match entry_with(tx, &found, &player.id).await? {
            Some(known) if known == name => return Ok((Verdict::Unchanged, row.label())),
            Some(_) => {
                return Err(row.fault(
                    field,
                    "already_entered",
                    "此人已经报了这个项目。 This person has entered this discipline already.",
                ));
            }
            None => {}
        }
    }
    if bib.is_some() && taken(tx, event, bib).await? {
        return Err(row.fault(
            Field::Bib,
            "bib_taken",
            "这个号码已经有人用。 Somebody else has this number.",
        ));
    }
    let id = new_id(now);
    execute!(
        tx,
        "insert into entry (id, event_id, discipline_id, organisation_id, name, seed, status, bib, created_ms)
         values ($1, $2, $3, $4, $5, $6, 'entered', $7, $8)",
        &id,
        &event.id,
        &found.id,
        organisation_id,
        &name,
        seed,
        bib,
        now.0,
    )?;
    let offer = discipline::players_offer(tx, event, now).await?;
    for (position, player) in (1_i64..).zip(&people) {
        entering::add_player(tx, &found, &id, player, position, Some(now.0)).await?;
        booking::given::give(tx, keys, (event, &offer), &player.id, now).await?;
    }
    Ok((Verdict::New, row.label()))
}

/// The discipline that the row names; made when the event has none of that name.
async fn discipline_of(
    tx: &mut Tx,
    keys: &Keys,
    event: &Event,
    row: &Row,
    made: &mut Vec<String>,
    now: Millis,
) -> Result<Discipline, Stop> {
    let name = row.text(Field::Discipline);
    let known = queries::disciplines(tx, &event.id).await?.into_iter().find(|one| one.name == name);
    if let Some(known) = known {
        return if known.kind == row.kind() {
            Ok(known)
        } else {
            Err(row.fault(Field::Discipline, "kind", "这个项目的单打、双打或团体与表头不符。 The header does not fit this discipline's singles, doubles or teams."))
        };
    }
    let sports = [
        ("乒乓", Sport::TableTennis),
        ("羽毛", Sport::Badminton),
        ("足球", Sport::Football),
        ("走", Sport::Walk),
    ];
    let sport = sports.iter().find(|(word, _)| name.contains(word) || row.sheet.contains(word));
    let Some((_, sport)) = sport else {
        return Err(row.fault(Field::Discipline, "sport_unknown", "看不出是什么项目，请先在活动页添加它。 It is not clear what is played: add the discipline on the event's page first."));
    };
    let draft = Draft::usual(name, *sport, row.kind(), event, now);
    match discipline::create(tx, keys, event, &draft, now).await {
        Ok(id) => {
            made.push(name.to_owned());
            Ok(queries::discipline(tx, &id).await?)
        }
        Err(Error::Invalid(refused)) => Err(row.fault(
            Field::Discipline,
            refused.code,
            format!("{} {}", refused.zh, refused.en),
        )),
        Err(error) => Err(error.into()),
    }
}

async fn person(tx: &mut Tx, row: &Row, name: Field, phone: Field) -> Result<Named, Stop> {
    for field in [name, phone] {
        if row.text(field).is_empty() {
            return Err(row.fault(
                field,
                "missing",
                "必填项是空的，请补上。 This is required and empty: fill it in.",
            ));
        }
    }
    match eligibility::member_by_phone(tx, row.text(name), row.text(phone)).await {
        Ok(person) => Ok(person),
        Err(Error::Refused(_)) => Err(row.fault(
            phone,
            "player_unknown",
            "名册上没有这个姓名和手机号的会员，请核对。 The roster has no member of this name and phone: check both.",
        )),
        Err(error) => Err(error.into()),
    }
}

/// Who leads a team. They need not be on the roster: workers of firms without a union play too.
async fn captain(tx: &mut Tx, row: &Row, now: Millis) -> Result<Named, Stop> {
    let stop = match person(tx, row, Field::Captain, Field::CaptainPhone).await {
        Err(Stop::Fault(_, Fault { code: "player_unknown", .. })) => None,
        other => Some(other),
    };
    if let Some(known) = stop {
        return known;
    }
    let organisation_id = organisation(tx, row).await?;
    let name = row.text(Field::Captain);
    let known: Option<Named> = fetch!(
        tx,
        fetch_optional,
        "select id, name, sex, organisation_id from person
         where kind = 'guest' and name = $1 and coalesce(organisation_id, '') = $2 order by id limit 1",
        name,
        organisation_id.as_deref().unwrap_or_default()
    )?;
    if let Some(known) = known {
        return Ok(known);
    }
    let phone = row.text(Field::CaptainPhone);
    let others: Option<(String,)> =
        fetch!(tx, fetch_optional, "select id from person where phone = $1 limit 1", phone)?;
    // A number that is somebody else's would let them sign in as the captain.
    let phone = others.is_none().then_some(phone);
    let guest = Named { id: new_id(now), name: name.to_owned(), sex: None, organisation_id };
    execute!(
        tx,
        "insert into person (id, kind, name, name_search, phone, organisation_id, created_ms, updated_ms)
         values ($1, 'guest', $2, $3, $4, $5, $6, $6)",
        &guest.id,
        name,
        name_key(name),
        phone,
        &guest.organisation_id,
        now.0,
    )?;
    Ok(guest)
}

async fn organisation(tx: &mut Tx, row: &Row) -> Result<Option<String>, Stop> {
    let name = row.text(Field::Organisation);
    if name.is_empty() {
        return Ok(None);
    }
    let found: Option<(String,)> = fetch!(
        tx,
        fetch_optional,
        "select id from organisation where name_search = $1 order by kind limit 1",
        name_key(name)
    )?;
    match found {
        Some((id,)) => Ok(Some(id)),
        None => Err(row.fault(Field::Organisation, "enterprise_unknown", "名册里没有这个单位，请核对名称，或先导入单位。 This organisation is not known: check its name, or import the organisations first.")),
    }
}

/// The name of the entry of a discipline that has that person.
async fn entry_with(
    tx: &mut Tx,
    discipline: &Discipline,
    person_id: &str,
) -> Result<Option<String>, Stop> {
    let row: Option<(String,)> = fetch!(
        tx,
        fetch_optional,
        "select n.name from entry_player l join entry n on n.id = l.entry_id
         where l.discipline_id = $1 and l.person_id = $2 and l.left_ms is null",
        &discipline.id,
        person_id
    )?;
    Ok(row.map(|(name,)| name))
}

async fn taken(tx: &mut Tx, event: &Event, bib: Option<&str>) -> Result<bool, Stop> {
    let row: Option<(String,)> = fetch!(
        tx,
        fetch_optional,
        "select id from entry where event_id = $1 and bib = $2",
        &event.id,
        bib
    )?;
    Ok(row.is_some())
}
