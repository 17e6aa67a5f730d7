//! People enter a discipline, accept to play with others, stand in line, withdraw.
//!
//! An entry is complete when everybody it names has accepted. A complete entry has a place while there are any and nobody
//! stands in line; its players then have tickets. All of this runs with the event's counter held.

use admission::Millis;
use axum::http::StatusCode;

use super::{
    Discipline, Entry, EntryStatus, Kind, Player, discipline,
    eligibility::{
        Named, already, check_free, check_number, check_organisation, check_sexes, joined, member,
        member_by_phone, team_name,
    },
    queries,
};
use crate::{
    App, booking,
    db::{Tx, new_id},
    error::{Error, Refused, Result},
    event::{self, Event},
    execute, fetch, outbox,
};

/// Who enters, and with whom.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// The team's name; nobody else has one.
    pub team: String,
    /// Name and phone of everybody else: the partner, the squad.
    pub others: Vec<(String, String)>,
}

/// A "no" that stands against an entry.
pub(super) fn refused(code: &'static str, zh: impl Into<String>, en: impl Into<String>) -> Error {
    Refused::new(StatusCode::CONFLICT, code, zh, en).into()
}

/// Whether members can enter at `now`; the reason when they cannot.
///
/// # Errors
/// [`Error::Refused`] `not_open`, `closed` or `cancelled`.
pub fn open(event: &Event, discipline: &Discipline, now: Millis) -> Result<()> {
    if discipline.cancelled_ms.is_some() || event.is_cancelled() {
        return Err(refused(
            "cancelled",
            "这个项目不举行了。",
            "This discipline does not take place.",
        ));
    }
    if now < discipline.opens_ms {
        return Err(refused("not_open", "报名还没有开始。", "Entries are not open yet."));
    }
    let shut = event.status != "published" || now >= discipline.closes_ms;
    if shut || discipline.list_closed_ms.is_some() {
        return Err(refused(
            "closed",
            "报名已经截止。想参加请直接联系主办方。",
            "Entries are closed. Please ask the organizer.",
        ));
    }
    Ok(())
}

/// A member enters a discipline. Others it names are asked by message. Gives the entry's id.
///
/// # Errors
/// [`Error::Refused`] with what stands against it.
pub async fn enter(
    tx: &mut Tx,
    app: &App,
    (event, discipline): (&Event, &Discipline),
    captain_id: &str,
    draft: &Draft,
    now: Millis,
) -> Result<String> {
    open(event, discipline, now)?;
    let captain = member(tx, captain_id).await?;
    let mut players = vec![captain.clone()];
    for (name, phone) in &draft.others {
        let other = member_by_phone(tx, name, phone).await?;
        if players.iter().any(|player| player.id == other.id) {
            return Err(refused(
                "named_twice",
                format!("{name} 写了两次。请每人只写一次，自己不用写。"),
                format!("{name} is named twice. Please name everybody once, and not yourself."),
            ));
        }
        players.push(other);
    }
    check_number(discipline, players.len())?;
    check_sexes(discipline, &players)?;
    for player in &players {
        check_free(tx, discipline, player).await?;
    }
    check_organisation(tx, discipline, captain.organisation_id.as_deref()).await?;
    let name = match discipline.kind {
        Kind::Team => team_name(&draft.team)?,
        _ => joined(&players),
    };
    let id = new_id(now);
    execute!(
        tx,
        "insert into entry (id, event_id, discipline_id, organisation_id, name, status, captain_id, created_ms)
         values ($1, $2, $3, $4, $5, 'partner_pending', $6, $7)",
        &id,
        &event.id,
        &discipline.id,
        &captain.organisation_id,
        &name,
        &captain.id,
        now.0,
    )?;
    for (position, player) in (1_i64..).zip(&players) {
        let accepted = (player.id == captain.id).then_some(now.0);
        add_player(tx, discipline, &id, player, position, accepted).await?;
    }
    let body = format!(
        "【王佐镇总工会】{}邀请您一起参加「{}」{}，请点开确认：{}/entries/{id}",
        captain.name, event.title, discipline.name, app.public_url,
    );
    for player in &players[1..] {
        outbox::tell(tx, &player.id, &body, now).await?;
    }
    settle(tx, app, (event, discipline), &id, now).await?;
    tx.notify(&event.id).await?;
    Ok(id)
}

/// Writes that a person plays for an entry.
pub(super) async fn add_player(
    tx: &mut Tx,
    discipline: &Discipline,
    entry_id: &str,
    player: &Named,
    position: i64,
    accepted_ms: Option<i64>,
) -> Result<()> {
    let done = execute!(
        tx,
        "insert into entry_player (entry_id, person_id, event_id, discipline_id, position, accepted_ms)
         values ($1, $2, $3, $4, $5, $6)",
        entry_id,
        &player.id,
        &discipline.event_id,
        &discipline.id,
        position,
        accepted_ms,
    );
    match done {
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
            Err(already(&player.name))
        }
        done => Ok(done.map(drop)?),
    }
}

/// Somebody who was asked says yes. Again changes nothing.
///
/// # Errors
/// [`Error::NotFound`] when they were not asked; [`Error::Refused`] when it is too late.
pub async fn accept(
    tx: &mut Tx,
    app: &App,
    entry_id: &str,
    person_id: &str,
    now: Millis,
) -> Result<()> {
    let (event, discipline, entry) = find(tx, entry_id).await?;
    open(&event, &discipline, now)?;
    let rows = execute!(
        tx,
        "update entry_player set accepted_ms = coalesce(accepted_ms, $3)
         where entry_id = $1 and person_id = $2 and left_ms is null",
        &entry.id,
        person_id,
        now.0,
    )?;
    if rows == 0 {
        return Err(Error::NotFound);
    }
    settle(tx, app, (&event, &discipline), &entry.id, now).await?;
    tx.notify(&event.id).await?;
    Ok(())
}

/// A player says no, or leaves: a pair is withdrawn, a team goes on without them while it has enough; who made the entry
/// withdraws all of it.
///
/// # Errors
/// [`Error::NotFound`] when they are not of this entry; [`Error::Refused`] `list_closed` when it is too late.
pub async fn leave(
    tx: &mut Tx,
    app: &App,
    entry_id: &str,
    person_id: &str,
    now: Millis,
) -> Result<()> {
    let (event, discipline, entry) = find(tx, entry_id).await?;
    let players = queries::players_of(tx, &entry.id).await?;
    if !players.iter().any(|player| player.person_id == person_id) {
        return Err(Error::NotFound);
    }
    let is_captain = entry.captain_id.as_deref() == Some(person_id);
    let enough = i64::try_from(players.len()).unwrap_or(0) > discipline.players_min;
    if discipline.kind != Kind::Team || is_captain || !enough {
        return withdraw_entry(tx, app, (&event, &discipline, &entry), now).await;
    }
    not_closed(&discipline)?;
    execute!(
        tx,
        "update entry_player set left_ms = $3 where entry_id = $1 and person_id = $2",
        &entry.id,
        person_id,
        now.0,
    )?;
    take_ticket_back(tx, app, &event, person_id, now).await?;
    settle(tx, app, (&event, &discipline), &entry.id, now).await?;
    tx.notify(&event.id).await?;
    Ok(())
}

/// Withdraws an entry; the first in line takes its place.
///
/// # Errors
/// [`Error::Refused`] `list_closed` when it is too late.
pub async fn withdraw(tx: &mut Tx, app: &App, entry_id: &str, now: Millis) -> Result<()> {
    let (event, discipline, entry) = find(tx, entry_id).await?;
    withdraw_entry(tx, app, (&event, &discipline, &entry), now).await
}

async fn withdraw_entry(
    tx: &mut Tx,
    app: &App,
    (event, discipline, entry): (&Event, &Discipline, &Entry),
    now: Millis,
) -> Result<()> {
    if entry.status == EntryStatus::Withdrawn {
        return Ok(());
    }
    not_closed(discipline)?;
    let players = queries::players_of(tx, &entry.id).await?;
    execute!(
        tx,
        "update entry set status = 'withdrawn', withdrawn_ms = $2, bib = null where id = $1",
        &entry.id,
        now.0
    )?;
    execute!(
        tx,
        "update entry_player set left_ms = $2 where entry_id = $1 and left_ms is null",
        &entry.id,
        now.0
    )?;
    let body = format!(
        "【王佐镇总工会】「{}」{}的报名「{}」已退出。",
        event.title, discipline.name, entry.name
    );
    for player in &players {
        take_ticket_back(tx, app, event, &player.person_id, now).await?;
        if players.len() > 1 {
            outbox::tell(tx, &player.person_id, &body, now).await?;
        }
    }
    promote(tx, app, (event, discipline), now).await?;
    tx.notify(&event.id).await?;
    Ok(())
}

fn not_closed(discipline: &Discipline) -> Result<()> {
    if discipline.list_closed_ms.is_none() {
        return Ok(());
    }
    Err(refused(
        "list_closed",
        "名单已经确定，不能再退出。请到现场告诉裁判长，按弃权处理。",
        "The list is closed. Please tell the referee; it counts as a walk-over.",
    ))
}

/// Gives a complete entry its place, or a place in line.
pub(super) async fn settle(
    tx: &mut Tx,
    app: &App,
    (event, discipline): (&Event, &Discipline),
    entry_id: &str,
    now: Millis,
) -> Result<()> {
    let entry = queries::entry(tx, entry_id).await?;
    let players = queries::players_of(tx, entry_id).await?;
    match entry.status {
        EntryStatus::PartnerPending
            if players.iter().all(|player| player.accepted_ms.is_some()) =>
        {
            execute!(
                tx,
                "update discipline set last_in_line = last_in_line + 1 where id = $1",
                &discipline.id
            )?;
            execute!(
                tx,
                "update entry set status = 'waiting',
                     line = (select last_in_line from discipline where id = entry.discipline_id) where id = $1",
                entry_id,
            )?;
            promote(tx, app, (event, discipline), now).await
        }
        _ => Ok(()),
    }
}

/// Gives free places to those in line, in order.
async fn promote(
    tx: &mut Tx,
    app: &App,
    (event, discipline): (&Event, &Discipline),
    now: Millis,
) -> Result<()> {
    let offer = discipline::players_offer(tx, event, now).await?;
    loop {
        let (placed,): (i64,) = fetch!(
            tx,
            fetch_one,
            "select count(*) from entry where discipline_id = $1 and status = 'entered'",
            &discipline.id
        )?;
        if discipline.entries_max.is_some_and(|most| placed >= most) {
            return Ok(());
        }
        let next: Option<(String,)> = fetch!(
            tx,
            fetch_optional,
            "select id from entry where discipline_id = $1 and status = 'waiting' order by line, id limit 1",
            &discipline.id
        )?;
        let Some((entry_id,)) = next else { return Ok(()) };
        execute!(tx, "update entry set status = 'entered' where id = $1", &entry_id)?;
        let body = format!(
            "【王佐镇总工会】「{}」{}报名成功，入场票在「我的票」：{}/entries/{entry_id}",
            event.title, discipline.name, app.public_url
        );
        for player in queries::players_of(tx, &entry_id).await? {
            booking::given::give(tx, &app.keys, (event, &offer), &player.person_id, now).await?;
            outbox::tell(tx, &player.person_id, &body, now).await?;
        }
    }
}

/// Takes a player's ticket back when they play in nothing else of the event.
async fn take_ticket_back(
    tx: &mut Tx,
    app: &App,
    event: &Event,
    person_id: &str,
    now: Millis,
) -> Result<()> {
    let (others,): (i64,) = fetch!(
        tx,
        fetch_one,
        "select count(*) from entry_player l join entry n on n.id = l.entry_id
         where l.person_id = $1 and l.event_id = $2 and l.left_ms is null and n.status in ('entered', 'present', 'absent')",
        person_id,
        &event.id,
    )?;
    if others == 0 {
        let offer = discipline::players_offer(tx, event, now).await?;
        booking::given::take_back(tx, app, &offer.id, person_id, now).await?;
    }
    Ok(())
}

/// An entry with its discipline and event.
pub(super) async fn find(tx: &mut Tx, entry_id: &str) -> Result<(Event, Discipline, Entry)> {
    let entry = queries::entry(tx, entry_id).await?;
    event::queries::hold(tx, &entry.event_id).await?;
    let entry = queries::entry(tx, &entry.id).await?;
    let (event, discipline) = discipline::find(tx, &entry.discipline_id).await?;
    Ok((event, discipline, entry))
}

/// Whether enough of an entry's people are there for it to play.
pub(super) fn is_there(discipline: &Discipline, entry: &Entry, players: &[Player]) -> bool {
    let of_entry = || players.iter().filter(|player| player.entry_id == entry.id);
    let admitted = of_entry().filter(|player| player.admitted_ms.is_some()).count();
    // Of an imported team often only the captain is named.
    let least = usize::try_from(discipline.players_min).unwrap_or(1).min(of_entry().count().max(1));
    entry.seen_ms.is_some() || admitted >= least
}
