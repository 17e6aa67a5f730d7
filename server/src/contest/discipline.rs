//! A discipline is made: checked, written with the commitment to its first draw, and with the offer of the players' tickets.

use admission::{
    Millis,
    time::{HOUR, MINUTE},
};

use super::{
    Discipline, Format, Kind, MatchRule, SeedRule, Sexes, Sport, Standings, drawing, queries,
};
use crate::{
    db::{Tx, new_id},
    error::{Error, Result},
    event::{self, Event, Offer, OfferDraft},
    execute, fetch,
    keys::Keys,
};

/// What the players' offer is called, and how many tickets it has.
const PLAYERS: &str = "参赛选手";
const PLAYERS_MAX: i64 = 5_000;

/// Orders of a tie that can be chosen: the ITTF's with singles, with a double first; badminton's of five, and of three as
/// unions play it.
pub const TIE_ORDERS: [&str; 4] =
    ["A-X B-Y C-Z A-Y B-X", "BC-YZ A-X C-Z A-Y B-X", "XD MS WS MD WD", "MS XD MD"];

/// What an organizer says of a new discipline.
#[derive(Clone, Debug)]
pub struct Draft {
    /// 乒乓球男子单打.
    pub name: String,
    /// What is played.
    pub sport: Sport,
    /// Who makes up one entry.
    pub kind: Kind,
    /// Who plays whom.
    pub format: Format,
    /// Who may play; none: anybody.
    pub sex: Option<Sexes>,
    /// Players of one team, at least and at most.
    pub players: (i64, i64),
    /// Entries, at least.
    pub entries_min: i64,
    /// Entries, at most.
    pub entries_max: Option<i64>,
    /// Entries of one organisation, at most.
    pub organisation_max: Option<i64>,
    /// About how many play in one group.
    pub group_size: i64,
    /// How many of each group go on.
    pub group_winners: i64,
    /// Whether the third place is played for.
    pub third_place: bool,
    /// How a match is counted.
    pub rule: MatchRule,
    /// Another way from the semi-finals on.
    pub late_rule: Option<MatchRule>,
    /// The single matches of a tie of teams, in order; empty: a team plays as one.
    pub tie_order: String,
    /// Who is not there so many minutes after the call loses by walk-over…
    pub late_minutes: i64,
    /// …which the server says by itself when the other side is there.
    pub late_auto: bool,
    /// Entries are taken from then…
    pub opens: Millis,
    /// …until then.
    pub closes: Millis,
    /// Players are to have checked in by then.
    pub present_by: Millis,
}

impl Draft {
    /// What one begins with for a sport: the federation's usual form.
    #[must_use]
    pub fn usual(name: &str, sport: Sport, kind: Kind, event: &Event, now: Millis) -> Self {
        let format = match sport {
            Sport::Walk => Format::Walk,
            Sport::Football => Format::Groups,
            _ if kind == Kind::Doubles => Format::KnockOut,
            _ => Format::Groups,
        };
        Self {
            name: name.to_owned(),
            sport,
            kind,
            format,
            sex: None,
            players: match (sport, kind) {
                (_, Kind::Singles) => (1, 1),
                (_, Kind::Doubles) => (2, 2),
                (Sport::Football, Kind::Team) => (5, 12),
                (_, Kind::Team) => (3, 6),
            },
            entries_min: 4,
            entries_max: None,
            organisation_max: None,
            group_size: 4,
            group_winners: 2,
            third_place: false,
            rule: match sport {
                Sport::Badminton => MatchRule::BADMINTON,
                Sport::Football => MatchRule::FOOTBALL,
                _ => MatchRule::TABLE_TENNIS,
            },
            late_rule: None,
            tie_order: match (sport, kind) {
                (Sport::TableTennis, Kind::Team) => TIE_ORDERS[0].to_owned(),
                (Sport::Badminton, Kind::Team) => TIE_ORDERS[2].to_owned(),
                _ => String::new(),
            },
            late_minutes: 15,
            late_auto: false,
            opens: now,
            closes: Millis(event.starts_ms.0.max(now.0 + HOUR)),
            present_by: Millis(event.starts_ms.0.max(now.0 + HOUR) + 15 * MINUTE),
        }
    }

    /// Checks it.
    ///
    /// # Errors
    /// [`Error::Invalid`], naming the first field that is wrong.
    pub fn check(&self) -> Result<()> {
        let length = self.name.trim().chars().count();
        let (least, most) = self.players;
        let rules: [(bool, &'static str, &str, &str); 10] = [
            (
                (2..=40).contains(&length),
                "name",
                "项目名称应为 2 到 40 个字。",
                "A name has 2 to 40 characters.",
            ),
            (
                (self.sport == Sport::Walk) == (self.format == Format::Walk),
                "format",
                "健步走没有对阵，其他项目要选赛制。",
                "A walk has no matches, and every other sport has.",
            ),
            (
                least >= 1 && least <= most && most <= 30,
                "players",
                "每队人数应在 1 到 30 之间，最少不能多于最多。",
                "A team has 1 to 30 players, and no more at least than at most.",
            ),
            (
                (2..=256).contains(&self.entries_min),
                "entries_min",
                "最少报名数应在 2 到 256 之间。",
                "At least 2 to 256 entries.",
            ),
            (
                self.entries_max.is_none_or(|max| max >= self.entries_min && max <= self.most()),
                "entries_max",
                "最多报名数不能少于最少报名数，对阵项目不超过 256。",
                "At most no less than at least, and 256 where matches are played.",
            ),
            (
                self.organisation_max.is_none_or(|max| max >= 1),
                "organisation_max",
                "每单位最多报名数应为 1 或更多。",
                "At least one entry per organisation.",
            ),
            (
                (3..=16).contains(&self.group_size)
                    && (1..=4).contains(&self.group_winners)
                    && self.group_winners < self.group_size,
                "group_size",
                "每组 3 到 16 个，出线 1 到 4 个，且少于每组数。",
                "Groups of 3 to 16, of whom 1 to 4 go on.",
            ),
            (
                (0..=120).contains(&self.late_minutes),
                "late_minutes",
                "迟到弃权的等候时间应在 0 到 120 分钟之间。",
                "Between 0 and 120 minutes after the call.",
            ),
            (
                self.tie_order.is_empty()
                    || (self.kind == Kind::Team && TIE_ORDERS.contains(&self.tie_order.as_str())),
                "tie_order",
                "请从列表里选择团体赛的比赛顺序。",
                "Please choose the order of a tie from the list.",
            ),
            (
                self.closes > self.opens,
                "closes",
                "报名截止要晚于报名开始。",
                "Entries close after they open.",
            ),
        ];
        for (holds, field, zh, en) in rules {
            if !holds {
                return Err(Error::invalid(field, zh, en));
            }
        }
        Ok(())
    }

    /// How many may enter at all.
    const fn most(&self) -> i64 {
        if matches!(self.format, Format::Walk) { 10_000 } else { 256 }
    }
}

/// Writes a new discipline and commits to its first draw; gives its id. The transaction holds the event's counter.
///
/// # Errors
/// [`Error::Invalid`]; `name` too when the event has one of this name.
pub async fn create(
    tx: &mut Tx,
    keys: &Keys,
    event: &Event,
    draft: &Draft,
    now: Millis,
) -> Result<String> {
    draft.check()?;
    players_offer(tx, event, now).await?;
    let id = new_id(now);
    let (least, most) = match draft.kind {
        Kind::Singles => (1, 1),
        Kind::Doubles => (2, 2),
        Kind::Team => draft.players,
    };
    let seed_rule = if draft.sport == Sport::Badminton { SeedRule::Bwf } else { SeedRule::Ittf };
    let standings = match draft.sport {
        Sport::TableTennis => Standings::Ittf,
        Sport::Badminton => Standings::Bwf,
        Sport::Football => Standings::Fifa2022,
        Sport::Walk => Standings::Union,
    };
    let done = execute!(
        tx,
        "insert into discipline (id, event_id, name, sport, kind, format, seed_rule, sex, players_min, players_max,
             entries_min, entries_max, organisation_max, group_size, group_winners, third_place, rule, late_rule,
             late_from, standings, opens_ms, closes_ms, present_by_ms, created_ms, tie_order, late_ms, late_auto)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24,
             $25, $26, $27)",
        &id,
        &event.id,
        draft.name.trim(),
        draft.sport,
        draft.kind,
        draft.format,
        seed_rule,
        draft.sex,
        least,
        most,
        draft.entries_min,
        draft.entries_max,
        draft.organisation_max,
        draft.group_size,
        draft.group_winners,
        draft.third_place,
        draft.rule.to_string(),
        draft.late_rule.map(|rule| rule.to_string()),
        draft.late_rule.map(|_| 4_i64),
        standings,
        draft.opens.0,
        draft.closes.0,
        draft.present_by.0,
        now.0,
        &draft.tie_order,
        draft.late_minutes * MINUTE,
        draft.late_auto,
    );
    match done {
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
            return Err(Error::invalid(
                "name",
                "这场比赛已经有同名项目。",
                "This contest has a discipline of that name.",
            ));
        }
        done => done?,
    };
    drawing::commit(tx, keys, &event.id, &id, 1, now).await?;
    tx.notify(&event.id).await?;
    Ok(id)
}

/// The offer whose tickets the event's players hold, made when it is first needed. Nobody can book it.
pub(super) async fn players_offer(tx: &mut Tx, event: &Event, now: Millis) -> Result<Offer> {
    let known: Option<(String,)> =
        fetch!(tx, fetch_optional, "select offer_id from contest where event_id = $1", &event.id)?;
    let id = match known {
        Some((id,)) => id,
        None => {
            let draft = OfferDraft {
                mode: event::GIVEN.to_owned(),
                // Who cannot come withdraws their entry, and the ticket with it.
                cancel_until_ms: Some(now.0 - MINUTE),
                ..OfferDraft::plain(PLAYERS, PLAYERS_MAX, now.0 - 2 * MINUTE, now.0 - MINUTE)
            };
            let id = event::queries::add_offer(tx, &event.id, &draft, now).await?;
            execute!(
                tx,
                "insert into contest (event_id, offer_id, created_ms) values ($1, $2, $3)",
                &event.id,
                &id,
                now.0,
            )?;
            id
        }
    };
    event::queries::offer(tx, &id).await
}

/// Sets in how many disciplines of the event one person may play; none: no limit.
///
/// # Errors
/// [`Error::Invalid`] for less than one.
pub async fn limit(tx: &mut Tx, event: &Event, per_person: Option<i64>, now: Millis) -> Result<()> {
    if per_person.is_some_and(|most| most < 1) {
        return Err(Error::invalid(
            "per_person",
            "每人最多报的项目数应为 1 或更多。",
            "At least one discipline per person.",
        ));
    }
    players_offer(tx, event, now).await?;
    execute!(tx, "update contest set per_person = $2 where event_id = $1", &event.id, per_person)?;
    Ok(())
}

/// The discipline of that id, with its event.
pub(super) async fn find(tx: &mut Tx, id: &str) -> Result<(Event, Discipline)> {
    let discipline = queries::discipline(tx, id).await?;
    let event = event::queries::event(tx, &discipline.event_id).await?;
    Ok((event, discipline))
}
