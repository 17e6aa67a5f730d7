//! Late = walk-over: who has come to the court is marked; when the call clock has run out, who has not come loses. An
//! umpire or the desk confirms, or the server does it by itself where the discipline says so. Where neither or both are
//! marked a person decides: nobody loses because nobody tapped.

use std::time::Duration;

use admission::Millis;

use super::{
    super::{Match, MatchState, Outcome, Side, queries as contest},
    api::done,
    call::conflict,
    queries,
    record::{self, Report},
    scorer::By,
};
use crate::{
    App,
    db::Tx,
    error::{Error, Result},
};

const EVERY: Duration = Duration::from_secs(20);

/// Marks that a side has come to the court its match was called to, or that it has not after all.
///
/// # Errors
/// A refusal: the match is not called.
pub(crate) async fn arrive(
    tx: &mut Tx,
    by: &By,
    match_id: &str,
    (side, here): (Side, bool),
    now: Millis,
) -> Result<Match> {
    let found = contest::match_(tx, match_id).await?;
    queries::hold(tx, &found.event_id).await?;
    by.check(&found.event_id, found.court_id.as_deref())?;
    if !queries::set_here(tx, match_id, side, here.then_some(now.0)).await? {
        return Err(conflict(
            "not_called",
            "这场比赛没有在叫号，不用标记到场。",
            "This match is not being called.",
        )
        .into());
    }
    contest::match_(tx, match_id).await
}

/// The side that has not come while the other has.
pub(super) fn missing(found: &Match) -> Option<Side> {
    match (found.state, found.a_here_ms, found.b_here_ms) {
        (MatchState::Called, Some(_), None) => Some(Side::B),
        (MatchState::Called, None, Some(_)) => Some(Side::A),
        _ => None,
    }
}

/// Whoever has not come loses. Before the call clock has run out only the organizer may say so.
///
/// # Errors
/// A refusal: both came, neither did, or it is too early.
pub(super) async fn judge(tx: &mut Tx, by: &By, match_id: &str, now: Millis) -> Result<Match> {
    let event_id = contest::match_(tx, match_id).await?.event_id;
    queries::hold(tx, &event_id).await?;
    let found = contest::match_(tx, match_id).await?;
    let Some(gone) = missing(&found) else {
        return Err(conflict(
            "nobody_missing",
            "要先标记哪一方已到场，才能判另一方迟到弃权。",
            "Mark who has come first; then the other may lose by walk-over.",
        )
        .into());
    };
    let report = Report {
        key: format!("late/{}", found.version),
        version: found.version,
        games: Vec::new(),
        shootout: None,
        outcome: Some(Outcome::Walkover),
        gone: Some(gone),
        reason: String::new(),
    };
    record::report(tx, by, match_id, &report, now).await
}

/// Gives the walk-overs that are due where the server decides; how many.
///
/// # Errors
/// When the database fails.
pub async fn sweep(app: &App) -> Result<usize> {
    let now = app.clock.now();
    let due = queries::overdue(&mut app.db.read().await?, now).await?;
    let mut given = 0;
    for match_id in due {
        let mut tx = app.db.write().await?;
        match judge(&mut tx, &By::Clock, &match_id, now).await {
            Ok(found) => {
                done(app, tx, &found.event_id).await?;
                given += 1;
            }
            // It began, or was called back, in this moment.
            Err(Error::Refused(_)) => tx.rollback().await?,
            Err(error) => return Err(error),
        }
    }
    Ok(given)
}

/// Looks at the call clocks until the server stops.
pub async fn run(app: App) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = app.stopping.cancelled() => return,
        }
        if let Err(error) = sweep(&app).await {
            tracing::warn!(cause = %error, "call clocks were not looked at; trying again");
        }
    }
}
