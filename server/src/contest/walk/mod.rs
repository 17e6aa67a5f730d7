//! Walks: bibs, the start signal, an ordered course seen by kiosks, phones or chips, times and ranks.
//!
//! Nothing is stored of who finished: `course` computes it from who was seen where, so scans may arrive late, twice and
//! out of order.

pub(crate) mod chip;
pub(crate) mod course;
mod desk;
pub(crate) mod queries;

use admission::Millis;
use utoipa_axum::{router::OpenApiRouter, routes};

use self::course::{Course, Seen, Walked, walked};
use super::{Discipline, Entry, EntryStatus, queries as contest};
use crate::{App, db::Tx, error::Result};

/// The JSON routes.
pub(crate) fn api() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(desk::passage)).routes(routes!(desk::gun))
}

/// The pages.
pub(crate) fn routes() -> axum::Router<App> {
    desk::routes()
}

/// A walker and what they did.
pub(crate) struct Walker {
    pub(crate) entry: Entry,
    pub(crate) walked: Walked,
    pub(crate) rank: Option<usize>,
}

impl Walker {
    /// How many points they have been seen at, and when at the last of them.
    fn progress(&self) -> (usize, Millis) {
        let last = self.walked.firsts.iter().rposition(Option::is_some);
        let seen = last.and_then(|last| Some((last + 1, self.walked.firsts[last]?.at)));
        seen.unwrap_or((0, Millis(0)))
    }
}

/// How many of `walkers` were seen at each point.
pub(crate) fn passed(walkers: &[Walker], points: usize) -> Vec<usize> {
    let at = |point: usize| {
        let seen = |walker: &&Walker| matches!(walker.walked.firsts.get(point), Some(Some(_)));
        walkers.iter().filter(seen).count()
    };
    (0..points).map(at).collect()
}

/// Everybody who may walk, the ranked first, then who is ahead, then by bib.
pub(crate) async fn walkers(tx: &mut Tx, discipline: &Discipline) -> Result<Vec<Walker>> {
    let walk = queries::walk(tx, &discipline.id).await?;
    let points = queries::points(tx, &discipline.id).await?.len();
    let course = Course {
        points,
        gun: walk.as_ref().and_then(|walk| walk.gun_ms).map(Millis),
        limit_ms: walk.and_then(|walk| walk.limit_ms),
    };
    let mut seen: std::collections::HashMap<String, Vec<Seen>> = std::collections::HashMap::new();
    for (entry, one) in queries::seen(tx, &discipline.id).await? {
        seen.entry(entry).or_default().push(one);
    }
    let entries: Vec<Entry> = contest::entries(tx, &discipline.id)
        .await?
        .into_iter()
        .filter(|entry| matches!(entry.status, EntryStatus::Entered | EntryStatus::Present))
        .collect();
    let done: Vec<Walked> = entries
        .iter()
        .map(|entry| walked(course, seen.get(&entry.id).map_or(&[], Vec::as_slice)))
        .collect();
    let ranks = course::ranks(&done);
    let mut walkers: Vec<Walker> = entries
        .into_iter()
        .zip(done)
        .zip(ranks)
        .map(|((entry, walked), rank)| Walker { entry, walked, rank })
        .collect();
    walkers.sort_by(|one, other| {
        let key = |walker: &Walker| {
            let (points, at) = walker.progress();
            let rank = walker.rank.unwrap_or(usize::MAX);
            (rank, std::cmp::Reverse(points), at, walker.entry.bib.clone())
        };
        key(one).cmp(&key(other))
    });
    Ok(walkers)
}
