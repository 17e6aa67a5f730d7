//! Matches as people read them: names, round, score, court.

use std::collections::HashMap;

use admission::{Millis, name, say::Lang};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    super::{
        Court, Discipline, Entry, Group, Match, MatchRule, MatchState, Outcome, Side, Sport, Stage,
        Takes, group_letter, queries as contest, view::round_name,
    },
    queries,
};
use crate::{db::Tx, error::Result};

/// A match as people read it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct MatchView {
    /// Its id.
    pub id: String,
    /// Its version, to be sent with a report.
    pub version: i64,
    /// The discipline's id.
    pub discipline_id: String,
    /// The discipline's name.
    pub discipline: String,
    /// What is played.
    pub sport: Sport,
    /// Which part: 小组 A 第 2 轮, 四分之一决赛.
    pub stage: String,
    /// The court's id.
    pub court_id: Option<String>,
    /// The court's name.
    pub court: Option<String>,
    /// The side named first.
    pub a: SideView,
    /// The other.
    pub b: SideView,
    /// How it stands.
    pub state: MatchState,
    /// Lines of the score.
    pub games: Vec<[i64; 2]>,
    /// The shoot-out.
    pub shootout: Option<[i64; 2]>,
    /// Games or goals won, when it is over; of a tie also before.
    pub score: Option<[i64; 2]>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// Who won.
    pub winner: Option<Side>,
    /// Called at, milliseconds.
    pub called_ms: Option<i64>,
    /// Who has not come by then loses by walk-over.
    pub late_ms: Option<i64>,
    /// Ended at, milliseconds.
    pub ended_ms: Option<i64>,
    /// How it is counted.
    pub rule: RuleView,
    /// It needs a winner.
    pub knockout: bool,
}

/// How a match is counted.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct RuleView {
    /// Best of so many games; none where goals are counted.
    pub best_of: Option<u8>,
    /// Points that win a game.
    pub to: Option<u8>,
    /// Where a game ends without two ahead.
    pub cap: Option<u8>,
    /// Halves, where goals are counted.
    pub halves: Option<u8>,
    /// In words.
    pub said: String,
}

/// A side of a match.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct SideView {
    /// The entry's id, when it is known.
    pub entry: Option<String>,
    /// Who it is, or where it comes from.
    pub name: String,
    /// For whom it plays.
    pub organisation: Option<String>,
    /// Who plays for a team, where its captain said so and the match has been called.
    pub players: Vec<String>,
    /// It has come to the court it was called to.
    pub here: bool,
}

impl MatchView {
    /// The side.
    pub(crate) fn side(&self, side: &Side) -> &SideView {
        match side {
            Side::A => &self.a,
            Side::B => &self.b,
        }
    }

    /// Whether that side won.
    pub(crate) fn won(&self, side: Side) -> bool {
        self.winner == Some(side)
    }

    /// The score in a line: 3:1 (11:8 9:11 11:6 11:7), or how it ended otherwise.
    pub(crate) fn said(&self, lang: &Lang) -> String {
        let lang = *lang;
        let lines: Vec<String> = self.games.iter().map(|[a, b]| format!("{a}:{b}")).collect();
        let mut said = self.score.map(|[a, b]| format!("{a}:{b}")).unwrap_or_default();
        if lines.len() > 1 || (said.is_empty() && !lines.is_empty()) {
            let lines = lines.join(" ");
            said += &match lang {
                _ if said.is_empty() => lines,
                Lang::Zh => format!("（{lines}）"),
                Lang::En => format!(" ({lines})"),
            };
        }
        if let Some([a, b]) = self.shootout {
            said += &match lang {
                Lang::Zh => format!("（点球 {a}:{b}）"),
                Lang::En => format!(" (shoot-out {a}:{b})"),
            };
        }
        match self.outcome {
            None | Some(Outcome::Played) => said,
            Some(outcome) if said.is_empty() => outcome.said(lang).to_owned(),
            Some(outcome) => format!("{said} {}", outcome.said(lang)),
        }
    }
}

/// What the names of matches are made from.
pub(crate) struct Book {
    pub(crate) disciplines: Vec<Discipline>,
    pub(crate) courts: Vec<Court>,
    entries: HashMap<String, Entry>,
    groups: HashMap<String, Group>,
    /// Of each discipline, the last round of its knock-out.
    rounds: HashMap<String, i64>,
    games: HashMap<String, Vec<[i64; 2]>>,
    /// Whom each side named for the single matches of ties, by match and side.
    line_ups: HashMap<(String, &'static str), Vec<String>>,
    /// Position and round of matches that others come from.
    before: HashMap<String, (i64, i64)>,
    masked: bool,
    lang: Lang,
}

impl Book {
    /// Reads what is needed to name the matches of an event; `masked` for the public.
    pub(crate) async fn open(
        tx: &mut Tx,
        event_id: &str,
        lang: Lang,
        masked: bool,
    ) -> Result<Self> {
        let disciplines = contest::disciplines(tx, event_id).await?;
        let (mut entries, mut groups, mut rounds, mut before) =
            (HashMap::new(), HashMap::new(), HashMap::new(), HashMap::new());
        for discipline in &disciplines {
            let known = contest::entries(tx, &discipline.id).await?;
            entries.extend(known.into_iter().map(|entry| (entry.id.clone(), entry)));
            let known = contest::groups(tx, &discipline.id).await?;
            groups.extend(known.into_iter().map(|group| (group.id.clone(), group)));
            for found in contest::matches(tx, &discipline.id).await? {
                if found.stage == Stage::KnockOut {
                    let last: &mut i64 = rounds.entry(discipline.id.clone()).or_insert(0);
                    *last = found.round.max(*last);
                }
                before.insert(found.id, (found.round, found.position));
            }
        }
        let mut games: HashMap<String, Vec<[i64; 2]>> = HashMap::new();
        for game in queries::games_of_event(tx, event_id).await? {
            games.entry(game.match_id).or_default().push([game.a_points, game.b_points]);
        }
        let mut line_ups: HashMap<_, Vec<String>> = HashMap::new();
        for (match_id, side, name) in queries::line_ups(tx, event_id).await? {
            let side = if side == Side::A.word() { Side::A } else { Side::B };
            let name = if masked { name::masked(&name) } else { name };
            line_ups.entry((match_id, side.word())).or_default().push(name);
        }
        let courts = contest::courts(tx, event_id).await?;
        Ok(Self {
            disciplines,
            courts,
            entries,
            groups,
            rounds,
            games,
            line_ups,
            before,
            masked,
            lang,
        })
    }

    /// The match as people read it; none when its discipline is gone.
    pub(crate) fn view(&self, found: &Match) -> Option<MatchView> {
        let discipline = self.disciplines.iter().find(|one| one.id == found.discipline_id)?;
        let rounds = self.rounds.get(&discipline.id).copied().unwrap_or(1);
        let rule = match found.stage {
            Stage::Group => discipline.rule,
            Stage::KnockOut => discipline.rule_with(
                1_i64.checked_shl((rounds - found.round + 1).try_into().unwrap_or(1)).unwrap_or(2),
            ),
        };
        let court = self.courts.iter().find(|court| Some(&court.id) == found.court_id.as_ref());
        Some(MatchView {
            id: found.id.clone(),
            version: found.version,
            discipline_id: discipline.id.clone(),
            discipline: discipline.name.clone(),
            sport: discipline.sport,
            stage: self.stage(found, rounds),
            court_id: found.court_id.clone(),
            court: court.map(|court| court.name.clone()),
            a: self.side(found, Side::A),
            b: self.side(found, Side::B),
            state: found.state,
            games: self.games.get(&found.id).cloned().unwrap_or_default(),
            shootout: found.a_shootout.zip(found.b_shootout).map(|(a, b)| [a, b]),
            score: found.a_score.zip(found.b_score).map(|(a, b)| [a, b]),
            outcome: found.outcome,
            winner: found.winner,
            called_ms: found.called_ms,
            late_ms: found.called_ms.map(|at| at + discipline.late_ms),
            ended_ms: found.ended_ms,
            rule: rule_view(rule, self.lang),
            knockout: found.stage == Stage::KnockOut || found.tie_id.is_some(),
        })
    }

    fn stage(&self, found: &Match, rounds: i64) -> String {
        let zh = self.lang == Lang::Zh;
        let label =
            if found.label.is_empty() { String::new() } else { format!(" · {}", found.label) };
        let group = found.group_id.as_ref().and_then(|id| self.groups.get(id));
        let stage = match (found.stage, group) {
            (Stage::Group, Some(group)) if zh => {
                format!("{} 组第 {} 轮", group_letter(group.number), found.round)
            }
            (Stage::Group, Some(group)) => {
                format!("Group {}, round {}", group_letter(group.number), found.round)
            }
            (Stage::Group, None) if zh => format!("第 {} 轮", found.round),
            (Stage::Group, None) => format!("Round {}", found.round),
            (Stage::KnockOut, _) if found.third_place => {
                self.lang.pick("三四名决赛", "Third place").to_owned()
            }
            (Stage::KnockOut, _) => {
                let left = u32::try_from(rounds - found.round + 1).unwrap_or(1);
                round_name(1_usize.checked_shl(left).unwrap_or(2), self.lang)
            }
        };
        stage + &label
    }

    /// The name of an entry, masked for the public.
    pub(crate) fn name(&self, entry: &Entry) -> String {
        // A team's name is nobody's.
        let team = self
            .disciplines
            .iter()
            .any(|one| one.id == entry.discipline_id && one.kind == super::super::Kind::Team);
        if !self.masked || team {
            return entry.name.clone();
        }
        let names: Vec<String> =
            entry.name.split(['/', '、']).map(|name| name::masked(name.trim())).collect();
        names.join("/")
    }

    /// Who plays for a side. Before the match is called its line-up is nobody else's business.
    fn players(&self, found: &Match, side: Side) -> Vec<String> {
        if matches!(found.state, MatchState::Waiting | MatchState::Ready) {
            return Vec::new();
        }
        self.line_ups.get(&(found.id.clone(), side.word())).cloned().unwrap_or_default()
    }

    fn side(&self, found: &Match, side: Side) -> SideView {
        if let Some(entry) = found.entry(side).and_then(|id| self.entries.get(id)) {
            return SideView {
                entry: Some(entry.id.clone()),
                name: self.name(entry),
                organisation: entry.organisation.clone(),
                players: self.players(found, side),
                here: match side {
                    Side::A => found.a_here_ms.is_some(),
                    Side::B => found.b_here_ms.is_some(),
                },
            };
        }
        let (match_id, takes, group_id, rank) = match side {
            Side::A => (&found.a_match_id, found.a_takes, &found.a_group_id, found.a_rank),
            Side::B => (&found.b_match_id, found.b_takes, &found.b_group_id, found.b_rank),
        };
        let zh = self.lang == Lang::Zh;
        let before = match_id.as_ref().and_then(|id| self.before.get(id));
        let group = group_id.as_ref().and_then(|id| self.groups.get(id));
        let name = match (before, group, rank) {
            (Some((round, position)), ..) if takes == Some(Takes::Loser) => {
                if zh {
                    format!("第 {round} 轮第 {position} 场负者")
                } else {
                    format!("Loser of {round}.{position}")
                }
            }
            (Some((round, position)), ..) => {
                if zh {
                    format!("第 {round} 轮第 {position} 场胜者")
                } else {
                    format!("Winner of {round}.{position}")
                }
            }
            (None, Some(group), Some(rank)) => {
                let letter = group_letter(group.number);
                if zh { format!("{letter} 组第 {rank} 名") } else { format!("{letter}{rank}") }
            }
            _ => self.lang.pick("待定", "To be decided").to_owned(),
        };
        SideView { entry: None, name, organisation: None, players: Vec::new(), here: false }
    }
}

fn rule_view(rule: MatchRule, lang: Lang) -> RuleView {
    let said = rule.said(lang);
    match rule {
        MatchRule::Games { best_of, to, cap } => {
            RuleView { best_of: Some(best_of), to: Some(to), cap, halves: None, said }
        }
        MatchRule::Goals { halves, .. } => {
            RuleView { best_of: None, to: None, cap: None, halves: Some(halves), said }
        }
    }
}

/// Whole minutes from `from` to `now`.
pub(super) fn minutes(from: Option<i64>, now: Millis) -> i64 {
    from.map_or(0, |from| (now.0 - from).max(0) / 60_000)
}
