//! Calling matches to courts: by hand, or the next ones to all that are free.

use admission::{Millis, say::Lang};
use axum::http::StatusCode;

use super::{
    super::{Match, MatchState, queries as contest},
    queries::{self, Change},
    schedule::{self, Candidate, Hall},
    scorer::By,
    ties,
};
use crate::{
    db::Tx,
    error::{Error, Refused, Result},
};

/// What is ready at an event and who is busy.
pub(super) async fn ready(tx: &mut Tx, event_id: &str) -> Result<(Vec<(Match, Candidate)>, Hall)> {
    let disciplines = contest::disciplines(tx, event_id).await?;
    let seats = queries::seats(tx, event_id).await?;
    let firsts = queries::firsts(tx, event_id).await?;
    let hall = Hall {
        on_court: queries::on_court(tx, event_id)
            .await?
            .into_iter()
            .map(|(person, _)| person)
            .collect(),
        ended: queries::ends(tx, event_id)
            .await?
            .into_iter()
            .map(|(id, at)| (id, Millis(at)))
            .collect(),
    };
    let mut candidates = Vec::new();
    for found in queries::open_matches(tx, event_id).await? {
        let Some(discipline) = disciplines.iter().find(|one| one.id == found.discipline_id) else {
            continue;
        };
        // A tie is not called; its single matches are.
        let is_tie = found.tie_id.is_none() && !discipline.tie_order.is_empty();
        if found.state != MatchState::Ready || is_tie {
            continue;
        }
        let people = seats.iter().filter(|seat| seat.match_id == found.id);
        let candidate = Candidate {
            match_id: found.id.clone(),
            sport: discipline.sport,
            stage: found.stage,
            round: found.round,
            position: found.position,
            wanted: firsts.iter().find(|(id, _)| *id == found.id).map(|(_, at)| Millis(*at)),
            rest_ms: discipline.rest_ms,
            people: people.map(|seat| seat.person_id.clone()).collect(),
        };
        candidates.push((found, candidate));
    }
    Ok((candidates, hall))
}

/// Calls the next matches to all courts that are free; gives how many.
///
/// # Errors
/// [`Error::NotFound`] when there is no such contest.
pub(crate) async fn fill(tx: &mut Tx, by: &By, event_id: &str, now: Millis) -> Result<usize> {
    queries::hold(tx, event_id).await?;
    ties::open(tx, event_id, now).await?;
    let (ready, hall) = ready(tx, event_id).await?;
    let taken: Vec<String> = queries::open_matches(tx, event_id)
        .await?
        .into_iter()
        .filter(|found| found.state != MatchState::Ready)
        .filter_map(|found| found.court_id)
        .collect();
    let courts: Vec<_> = contest::courts(tx, event_id)
        .await?
        .into_iter()
        .filter(|court| !taken.contains(&court.id))
        .collect();
    let candidates: Vec<Candidate> = ready.iter().map(|(_, candidate)| candidate.clone()).collect();
    let calls = schedule::fill(&courts, &candidates, hall, now);
    for (court, match_id) in &calls {
        let found = ready.iter().find(|(found, _)| found.id == *match_id);
        let (found, _) = found.ok_or(Error::NotFound)?;
        place(tx, by, found, court, now).await?;
    }
    Ok(calls.len())
}

/// Calls one match to a court. Whoever does it by hand may do so before its players have rested.
///
/// # Errors
/// A refusal: the match is not ready, the court is taken, or somebody is at another court.
pub(super) async fn call(
    tx: &mut Tx,
    by: &By,
    match_id: &str,
    court_id: &str,
    now: Millis,
) -> Result<Match> {
    let event_id = contest::match_(tx, match_id).await?.event_id;
    queries::hold(tx, &event_id).await?;
    ties::open(tx, &event_id, now).await?;
    let found = contest::match_(tx, match_id).await?;
    if found.state != MatchState::Ready {
        return Err(conflict(
            "not_ready",
            "这场比赛现在不能叫号，请刷新页面看看。",
            "This match cannot be called now. Please reload.",
        )
        .into());
    }
    let courts = contest::courts(tx, &event_id).await?;
    let court = courts.iter().find(|court| court.id == court_id).ok_or(Error::NotFound)?;
    if court.closed {
        return Err(conflict(
            "court_closed",
            "这张台（场地）停用了，请换一张。",
            "This court is closed. Please choose another.",
        )
        .into());
    }
    let sport = contest::discipline(tx, &found.discipline_id).await?.sport;
    if !court.takes(sport) {
        return Err(conflict(
            "court_sport",
            format!("{} 打不了{}，请换一张台（场地）。", court.name, sport.said(Lang::Zh)),
            format!("{} is not played at {}.", sport.said(Lang::En), court.name),
        )
        .into());
    }
    place(tx, by, &found, &court.id, now).await?;
    contest::match_(tx, match_id).await
}

async fn place(tx: &mut Tx, by: &By, found: &Match, court_id: &str, now: Millis) -> Result<()> {
    let people = queries::people(tx, found).await?;
    if let Some(name) = queries::occupy(tx, found, &people).await? {
        return Err(conflict(
            "player_busy",
            format!("{name} 正在另一张台（场地）比赛或已被叫号，等那一场结束再叫。"),
            format!("{name} is at another court. Call this match when that one is over."),
        )
        .into());
    }
    if !queries::call(tx, found, court_id, now).await? {
        return Err(conflict(
            "court_taken",
            "这张台（场地）已有比赛，请换一张。",
            "This court has a match. Please choose another.",
        )
        .into());
    }
    queries::note(
        tx,
        found,
        by,
        &Change { action: "called", before: None, after: None, reason: "" },
        now,
    )
    .await
}

/// Takes a call back: the match waits again.
pub(super) async fn uncall(tx: &mut Tx, by: &By, match_id: &str, now: Millis) -> Result<Match> {
    let found = contest::match_(tx, match_id).await?;
    queries::hold(tx, &found.event_id).await?;
    if !queries::uncall(tx, match_id).await? {
        return Err(conflict(
            "not_called",
            "这场比赛已经开始或结束，不能收回叫号。",
            "This match has begun; the call cannot be taken back.",
        )
        .into());
    }
    queries::leave(tx, match_id).await?;
    queries::note(
        tx,
        &found,
        by,
        &Change { action: "uncalled", before: None, after: None, reason: "" },
        now,
    )
    .await?;
    contest::match_(tx, match_id).await
}

pub(super) fn conflict(
    code: &'static str,
    zh: impl Into<String>,
    en: impl Into<String>,
) -> Refused {
    Refused::new(StatusCode::CONFLICT, code, zh, en)
}
