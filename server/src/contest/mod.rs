//! Contests: disciplines, entries, the draw, and the matches that come out of it.
//!
//! An event of the kind `contest` has disciplines (men's singles, a football cup). People enter them; on the day the list
//! is closed, who is not there is out, and the draw makes the matches.

mod bracket;
mod desk;
pub mod discipline;
pub mod draw;
pub mod drawing;
mod eligibility;
pub mod entering;
mod entry_pages;
pub mod import;
#[cfg(test)]
mod oracle;
mod pages;
pub mod play;
pub mod queries;
pub mod results;
mod rule;
pub mod score;
mod setup;
pub mod standings;
mod view;
pub mod walk;
mod words;

use admission::Millis;
use utoipa_axum::router::OpenApiRouter;

use crate::App;

pub use self::{
    rule::MatchRule,
    words::{
        EntryStatus, Format, Kind, MatchState, Outcome, SeedRule, Sexes, Side, Sport, Stage,
        Standings, Takes,
    },
};

/// The JSON routes.
pub(crate) fn api() -> OpenApiRouter<App> {
    pages::api()
}

/// The pages.
pub(crate) fn routes() -> axum::Router<App> {
    pages::routes().merge(desk::routes())
}

/// What is played at an event, by whom and how.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Discipline {
    /// Its id, a UUID.
    pub id: String,
    /// The event's id.
    pub event_id: String,
    /// 乒乓球男子单打.
    pub name: String,
    /// What is played.
    pub sport: Sport,
    /// Who makes up one entry.
    pub kind: Kind,
    /// Who plays whom.
    pub format: Format,
    /// Whose places the draw keeps for seeds.
    pub seed_rule: SeedRule,
    /// Who may play; none: anybody.
    pub sex: Option<Sexes>,
    /// Players of one entry, at least.
    pub players_min: i64,
    /// Players of one entry, at most.
    pub players_max: i64,
    /// With fewer entries it does not take place.
    pub entries_min: i64,
    /// Above it entries wait in line.
    pub entries_max: Option<i64>,
    /// Entries of one organisation, at most.
    pub organisation_max: Option<i64>,
    /// About how many play in one group.
    pub group_size: i64,
    /// How many of each group go on.
    pub group_winners: i64,
    /// Whether the losers of the semi-finals play for the third place.
    pub third_place: bool,
    /// How a match is counted.
    #[sqlx(try_from = "String")]
    pub rule: MatchRule,
    /// How it is counted in the knock-out once no more than `late_from` are left.
    pub late_rule: Option<String>,
    /// From when on: 4 is from the semi-finals.
    pub late_from: Option<i64>,
    /// The single matches of a team match, in order; empty: a team plays as one.
    pub tie_order: String,
    /// How a group's ranking is settled.
    pub standings: Standings,
    /// Entries are taken from then…
    #[sqlx(try_from = "i64")]
    pub opens_ms: Millis,
    /// …until then.
    #[sqlx(try_from = "i64")]
    pub closes_ms: Millis,
    /// Players are asked to have checked in by then.
    #[sqlx(try_from = "i64")]
    pub present_by_ms: Millis,
    /// Who is not there so many milliseconds after the call loses by walk-over.
    pub late_ms: i64,
    /// The server gives that walk-over by itself when the other side is there.
    pub late_auto: bool,
    /// A player rests so many milliseconds between two matches.
    pub rest_ms: i64,
    /// The list was closed: who was not there is out.
    pub list_closed_ms: Option<i64>,
    /// All is played.
    pub finished_ms: Option<i64>,
    /// It does not take place.
    pub cancelled_ms: Option<i64>,
}

impl Discipline {
    /// How a knock-out match is counted when `left` entrants are left before its round (2 in the final).
    #[must_use]
    pub fn rule_with(&self, left: i64) -> MatchRule {
        let late = self.late_from.is_some_and(|from| left <= from);
        let rule = self.late_rule.as_deref().filter(|_| late).and_then(|rule| rule.parse().ok());
        rule.unwrap_or(self.rule)
    }
}

/// One player, pair or team of a discipline.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Entry {
    /// Its id, a UUID.
    pub id: String,
    /// The event's id.
    pub event_id: String,
    /// The discipline's id.
    pub discipline_id: String,
    /// For whom it plays.
    pub organisation_id: Option<String>,
    /// That organisation's name.
    pub organisation: Option<String>,
    /// The team's name; of singles and pairs their players' names.
    pub name: String,
    /// 1 is the strongest; none: not seeded.
    pub seed: Option<i64>,
    /// What became of it so far.
    pub status: EntryStatus,
    /// Its place in the line.
    pub line: Option<i64>,
    /// Who made it; none: the organizer or an import.
    pub captain_id: Option<String>,
    /// A walker's or player's number.
    pub bib: Option<String>,
    /// The organizer saw them.
    pub seen_ms: Option<i64>,
    /// When it was made.
    #[sqlx(try_from = "i64")]
    pub created_ms: Millis,
    /// The group it was drawn into…
    pub group_id: Option<String>,
    /// …and its place there.
    pub group_place: Option<i64>,
    /// The line of the first round it was drawn to, from the top.
    pub draw_line: Option<i64>,
}

/// A person of an entry.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Player {
    /// The entry's id.
    pub entry_id: String,
    /// The person's id.
    pub person_id: String,
    /// The person's name.
    pub name: String,
    /// 男 m, 女 f, or not known.
    pub sex: Option<String>,
    /// 1 is the first named.
    pub position: i64,
    /// None: asked, not yet answered.
    pub accepted_ms: Option<i64>,
    /// When a kiosk let them in.
    pub admitted_ms: Option<i64>,
}

/// A group of a discipline.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Group {
    /// Its id, a UUID.
    pub id: String,
    /// The discipline's id.
    pub discipline_id: String,
    /// 1 is A.
    pub number: i64,
    /// Its ranking is settled.
    pub finished_ms: Option<i64>,
}

impl Group {
    /// A, B, C… and after Z by number.
    #[must_use]
    pub fn letter(&self) -> String {
        group_letter(self.number)
    }
}

/// The letter of a group: 1 is A; after Z by number.
#[must_use]
pub fn group_letter(number: i64) -> String {
    match u8::try_from(number) {
        Ok(n @ 1..=26) => char::from(b'A' + n - 1).to_string(),
        _ => number.to_string(),
    }
}

/// A match. A bye has no row: whoever has it stands in the second round.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Match {
    /// Its id, a UUID.
    pub id: String,
    /// The event's id.
    pub event_id: String,
    /// The discipline's id.
    pub discipline_id: String,
    /// Which part of the discipline it belongs to.
    pub stage: Stage,
    /// Its group.
    pub group_id: Option<String>,
    /// From 1; in a knock-out the last is the final.
    pub round: i64,
    /// From 1, from the top of the bracket.
    pub position: i64,
    /// It is the match for the third place, beside the final.
    pub third_place: bool,
    /// The team match it is a part of.
    pub tie_id: Option<String>,
    /// Which part: `A-X`.
    pub label: String,
    /// The first side, when it is known.
    pub a_entry_id: Option<String>,
    /// The other side, when it is known.
    pub b_entry_id: Option<String>,
    /// The match the first side comes from…
    pub a_match_id: Option<String>,
    /// …as its winner or loser.
    pub a_takes: Option<Takes>,
    /// The group the first side comes from…
    pub a_group_id: Option<String>,
    /// …by its rank there.
    pub a_rank: Option<i64>,
    /// The match the other side comes from…
    pub b_match_id: Option<String>,
    /// …as its winner or loser.
    pub b_takes: Option<Takes>,
    /// The group the other side comes from…
    pub b_group_id: Option<String>,
    /// …by its rank there.
    pub b_rank: Option<i64>,
    /// How it stands.
    pub state: MatchState,
    /// Where it is played.
    pub court_id: Option<String>,
    /// Its players were called.
    pub called_ms: Option<i64>,
    /// The first side has come to the court…
    pub a_here_ms: Option<i64>,
    /// …and the other.
    pub b_here_ms: Option<i64>,
    /// It began.
    pub started_ms: Option<i64>,
    /// It ended.
    pub ended_ms: Option<i64>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// Who won; none of an ended match: a draw, or nobody came.
    pub winner: Option<Side>,
    /// Games or goals of the first side.
    pub a_score: Option<i64>,
    /// Games or goals of the other side.
    pub b_score: Option<i64>,
    /// Goals of the first side in the shoot-out.
    pub a_shootout: Option<i64>,
    /// Goals of the other side in the shoot-out.
    pub b_shootout: Option<i64>,
    /// Goes up with each change.
    pub version: i64,
}

impl Match {
    /// The entry on that side, when it is known.
    #[must_use]
    pub fn entry(&self, side: Side) -> Option<&str> {
        match side {
            Side::A => self.a_entry_id.as_deref(),
            Side::B => self.b_entry_id.as_deref(),
        }
    }

    /// The entry that won.
    #[must_use]
    pub fn won_by(&self) -> Option<&str> {
        self.entry(self.winner?)
    }
}

/// The points of one game, or the goals of one half.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Game {
    /// The match's id.
    pub match_id: String,
    /// From 1.
    pub number: i64,
    /// Of the first side.
    pub a_points: i64,
    /// Of the other side.
    pub b_points: i64,
}

/// Where matches are played.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Court {
    /// Its id, a UUID.
    pub id: String,
    /// The event's id.
    pub event_id: String,
    /// 1号台.
    pub name: String,
    /// In this order they are offered.
    pub position: i64,
    /// What can be played there; none: anything.
    pub sport: Option<Sport>,
    /// Not to be used for now.
    pub closed: bool,
}

impl Court {
    /// Whether that sport can be played there.
    #[must_use]
    pub fn takes(&self, sport: Sport) -> bool {
        self.sport.is_none_or(|only| only == sport)
    }
}
