//! Who plays which single match of a tie of teams. A captain names the line-up on the phone before the tie; the other
//! side does not see it before the tie begins, the umpire sees both.
//!
//! Labels say what is named. `A-X` and `AB-XY`: the first side names A, B, C, the other X, Y, Z, a different player each.
//! `MS`, `WD`, `XD2`: one player or two for each, nobody in more than two, and not twice in the same event.

use std::collections::BTreeMap;

use admission::Millis;

use super::{
    super::{Discipline, Match, MatchState, Player, Side, queries as contest},
    call::conflict,
    queries, ties,
};
use crate::{
    db::Tx,
    error::{Error, Result},
};

/// The most single matches of one tie that a player may play, where labels are events.
const EVENTS_MAX: usize = 2;

/// What a captain names players for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    /// `A`, or `XD2`.
    pub(super) key: String,
    /// How many players.
    pub(super) players: usize,
    /// Who may play in it: m, f, or one of each x.
    pub(super) sex: Option<char>,
}

/// The slots of a side in a tie of those labels, in the order in which they first play.
pub(super) fn slots(labels: &[&str], side: Side) -> Vec<Slot> {
    let mut slots: Vec<Slot> = Vec::new();
    for label in labels {
        let found: Vec<Slot> = match label.split_once('-') {
            Some(sides) => letters(sides, side)
                .chars()
                .map(|letter| Slot { key: letter.to_string(), players: 1, sex: None })
                .collect(),
            None => vec![Slot {
                key: (*label).to_owned(),
                players: if label.contains('D') { 2 } else { 1 },
                sex: match label.chars().next() {
                    Some('M') => Some('m'),
                    Some('W') => Some('f'),
                    Some('X') => Some('x'),
                    _ => None,
                },
            }],
        };
        for slot in found {
            if !slots.contains(&slot) {
                slots.push(slot);
            }
        }
    }
    slots.sort_by_key(|slot| (slot.key.len() == 1).then(|| slot.key.clone()));
    slots
}

fn letters<'a>((a, b): (&'a str, &'a str), side: Side) -> &'a str {
    match side {
        Side::A => a,
        Side::B => b,
    }
}

/// Who plays a single match of that label, by the slots' players.
fn of_label(label: &str, side: Side, named: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let players = |key: &str| named.get(key).cloned().unwrap_or_default();
    match label.split_once('-') {
        Some(sides) => {
            letters(sides, side).chars().flat_map(|letter| players(&letter.to_string())).collect()
        }
        None => players(label),
    }
}

/// Checks what a captain named against the rules of the tie.
///
/// # Errors
/// [`Error::Invalid`] on the slot that is wrong.
pub(super) fn check(
    labels: &[&str],
    side: Side,
    squad: &[Player],
    named: &BTreeMap<String, Vec<String>>,
) -> Result<()> {
    let mut in_letters: BTreeMap<&str, &str> = BTreeMap::new();
    let mut in_events: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let slots = slots(labels, side);
    for slot in &slots {
        let wrong = |zh: String, en: String| Err(Error::invalid("line_up", zh, en));
        let key = slot.key.as_str();
        let players = named.get(key).map(Vec::as_slice).unwrap_or_default();
        let known: Vec<&Player> = players
            .iter()
            .filter_map(|id| squad.iter().find(|player| player.person_id == *id))
            .collect();
        if known.len() != slot.players {
            return wrong(
                format!("{key} 要选 {} 名本队队员。", slot.players),
                format!("{key} needs {} of your squad.", slot.players),
            );
        }
        let sexes: Vec<&str> = known.iter().filter_map(|player| player.sex.as_deref()).collect();
        let fits = match slot.sex {
            Some('m') => sexes.iter().all(|sex| *sex == "m"),
            Some('f') => sexes.iter().all(|sex| *sex == "f"),
            Some('x') => sexes.len() < 2 || sexes[0] != sexes[1],
            _ => true,
        };
        if !fits {
            return wrong(
                format!("{key} 的性别不符合这个单项。"),
                format!("Those named for {key} may not play in that event."),
            );
        }
        for player in known {
            let id = player.person_id.as_str();
            if labels.iter().any(|label| label.contains('-')) {
                if let Some(other) = in_letters.insert(id, key) {
                    return wrong(
                        format!("{} 不能同时是 {other} 和 {key}。", player.name),
                        format!("{} cannot be both {other} and {key}.", player.name),
                    );
                }
                continue;
            }
            let event = key.trim_end_matches(|c: char| c.is_ascii_digit());
            let events = in_events.entry(id).or_default();
            if events.contains(&event) {
                return wrong(
                    format!("{} 在 {event} 里只能上一次。", player.name),
                    format!("{} may play {event} only once.", player.name),
                );
            }
            events.push(event);
            if events.len() > EVENTS_MAX {
                return wrong(
                    format!("{} 最多上 {EVENTS_MAX} 场。", player.name),
                    format!("{} may play {EVENTS_MAX} matches of a tie.", player.name),
                );
            }
        }
    }
    Ok(())
}

/// Who names a line-up.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Namer<'a> {
    /// The captain of one of the sides, by their person's id.
    Captain(&'a str),
    /// The organizer, for a side whose captain has no phone.
    Organizer(Side),
}

/// A tie as the captain of one of its sides sees it.
pub(super) struct Tie {
    pub(super) found: Match,
    pub(super) discipline: Discipline,
    /// The side that is named.
    pub(super) side: Side,
    pub(super) squad: Vec<Player>,
    /// Whom it named so far.
    pub(super) named: BTreeMap<String, Vec<String>>,
}

impl Tie {
    pub(super) fn labels(&self) -> Vec<&str> {
        self.discipline.tie_order.split_whitespace().collect()
    }
}

/// The tie of that id for the captain of one of its sides, or for the organizer in their stead.
///
/// # Errors
/// [`Error::NotFound`] for everybody else, and while the sides are not known.
pub(super) async fn tie(tx: &mut Tx, tie_id: &str, namer: Namer<'_>) -> Result<Tie> {
    let found = contest::match_(tx, tie_id).await?;
    let discipline = contest::discipline(tx, &found.discipline_id).await?;
    if found.tie_id.is_some() || discipline.tie_order.is_empty() {
        return Err(Error::NotFound);
    }
    for side in [Side::A, Side::B] {
        let Some(entry_id) = found.entry(side) else { continue };
        let squad = contest::players_of(tx, entry_id).await?;
        let entry = contest::entry(tx, entry_id).await?;
        // An imported team has no captain who entered it: the first named is.
        let captain = entry.captain_id.or_else(|| Some(squad.first()?.person_id.clone()));
        let theirs = match namer {
            Namer::Captain(person_id) => captain.as_deref() == Some(person_id),
            Namer::Organizer(for_side) => for_side == side,
        };
        if theirs {
            let named = named(tx, &found, &discipline, side).await?;
            return Ok(Tie { found, discipline, side, squad, named });
        }
    }
    Err(Error::NotFound)
}

/// The ties of an event that have not begun, and whether each side has handed its line-up in.
pub(super) async fn awaited(
    tx: &mut Tx,
    event_id: &str,
    disciplines: &[Discipline],
) -> Result<Vec<(Match, [bool; 2])>> {
    let mut awaited = Vec::new();
    for found in queries::open_matches(tx, event_id).await? {
        let of_teams = disciplines
            .iter()
            .any(|one| one.id == found.discipline_id && !one.tie_order.is_empty());
        if !of_teams || found.tie_id.is_some() || found.state != MatchState::Ready {
            continue;
        }
        let rubbers = queries::rubbers(tx, &found.id).await?;
        if rubbers.iter().any(|rubber| rubber.state != MatchState::Ready) {
            continue;
        }
        let mut handed_in = [false; 2];
        for (known, side) in handed_in.iter_mut().zip([Side::A, Side::B]) {
            if let Some(rubber) = rubbers.first() {
                *known = !queries::line_up(tx, &rubber.id, side).await?.is_empty();
            }
        }
        awaited.push((found, handed_in));
    }
    Ok(awaited)
}

/// Whom a side named so far, by slot.
async fn named(
    tx: &mut Tx,
    tie: &Match,
    discipline: &Discipline,
    side: Side,
) -> Result<BTreeMap<String, Vec<String>>> {
    let mut named = BTreeMap::new();
    let rubbers = queries::rubbers(tx, &tie.id).await?;
    for (rubber, label) in rubbers.iter().zip(discipline.tie_order.split_whitespace()) {
        let players = queries::line_up(tx, &rubber.id, side).await?;
        match label.split_once('-') {
            Some(sides) => {
                for (letter, player) in letters(sides, side).chars().zip(players) {
                    named.insert(letter.to_string(), vec![player]);
                }
            }
            None => {
                named.insert(label.to_owned(), players);
            }
        }
    }
    Ok(named)
}

/// Writes a line-up. It can change until a single match of the tie is called.
///
/// # Errors
/// [`Error::Invalid`] when it breaks a rule; a refusal `tie_begun` when it is too late.
pub(crate) async fn name(
    tx: &mut Tx,
    tie_id: &str,
    namer: Namer<'_>,
    named: &BTreeMap<String, Vec<String>>,
    now: Millis,
) -> Result<Match> {
    let event_id = contest::match_(tx, tie_id).await?.event_id;
    queries::hold(tx, &event_id).await?;
    let tie = tie(tx, tie_id, namer).await?;
    let labels = tie.labels();
    check(&labels, tie.side, &tie.squad, named)?;
    ties::open(tx, &event_id, now).await?;
    let rubbers = queries::rubbers(tx, tie_id).await?;
    if rubbers.is_empty() || rubbers.iter().any(|rubber| rubber.state != MatchState::Ready) {
        return Err(conflict(
            "tie_begun",
            "这场团体赛已经开始，名单不能再改。有特殊情况请找裁判长。",
            "This tie has begun; the line-up stands. Please see the referee.",
        )
        .into());
    }
    for (rubber, label) in rubbers.iter().zip(&labels) {
        let players = of_label(label, tie.side, named);
        queries::set_line_up(tx, rubber, tie.side, &players).await?;
    }
    Ok(tie.found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn squad(sexes: &str) -> Vec<Player> {
        sexes
            .chars()
            .enumerate()
            .map(|(n, sex)| Player {
                entry_id: String::new(),
                person_id: n.to_string(),
                name: format!("队员{n}"),
                sex: (sex != '?').then(|| sex.to_string()),
                position: 1,
                accepted_ms: None,
                admitted_ms: None,
            })
            .collect()
    }

    fn named(slots: &[(&str, &[usize])]) -> BTreeMap<String, Vec<String>> {
        slots
            .iter()
            .map(|(key, players)| {
                ((*key).to_owned(), players.iter().map(usize::to_string).collect())
            })
            .collect()
    }

    fn refusal(labels: &str, side: Side, squad: &[Player], slots: &[(&str, &[usize])]) -> String {
        let labels: Vec<&str> = labels.split(' ').collect();
        match check(&labels, side, squad, &named(slots)) {
            Ok(()) => String::new(),
            Err(error) => error.problem().refused.text(admission::say::Lang::Zh).to_owned(),
        }
    }

    #[test]
    fn each_side_names_its_own_letters() {
        let labels = ["BC-YZ", "A-X", "C-Z", "A-Y", "B-X"];
        let keys =
            |side| slots(&labels, side).iter().map(|slot| slot.key.clone()).collect::<String>();
        assert_eq!((keys(Side::A), keys(Side::B)), ("ABC".to_owned(), "XYZ".to_owned()));
        let named = named(&[("X", &[3]), ("Y", &[4]), ("Z", &[5])]);
        assert_eq!(of_label("BC-YZ", Side::B, &named), ["4", "5"]);
        assert_eq!(of_label("A-X", Side::B, &named), ["3"]);
    }

    #[test]
    fn one_letter_is_one_player_of_the_squad() {
        let (order, team) = ("A-X B-Y C-Z A-Y B-X", squad("mmm"));
        let refuses = |slots: &[(&str, &[usize])]| refusal(order, Side::A, &team, slots);
        assert_eq!(refuses(&[("A", &[0]), ("B", &[1]), ("C", &[2])]), "");
        assert_eq!(refuses(&[("A", &[0]), ("B", &[1])]), "C 要选 1 名本队队员。");
        assert_eq!(refuses(&[("A", &[0]), ("B", &[0]), ("C", &[2])]), "队员0 不能同时是 A 和 B。");
        assert_eq!(refuses(&[("A", &[7]), ("B", &[0]), ("C", &[2])]), "A 要选 1 名本队队员。");
    }

    #[test]
    fn in_badminton_a_player_plays_two_events_at_most_and_none_twice() {
        let (order, team) = ("XD MS WS MD WD", squad("mmff?"));
        let refuses = |slots: &[(&str, &[usize])]| refusal(order, Side::B, &team, slots);
        let sound: &[(&str, &[usize])] =
            &[("XD", &[0, 2]), ("MS", &[1]), ("WS", &[3]), ("MD", &[0, 1]), ("WD", &[2, 3])];
        assert_eq!(refuses(sound), "");
        let mut thrice = sound.to_vec();
        thrice[1] = ("MS", &[0]);
        assert_eq!(refuses(&thrice), "队员0 最多上 2 场。");
        let mut wrong = sound.to_vec();
        wrong[2] = ("WS", &[1]);
        assert_eq!(refuses(&wrong), "WS 的性别不符合这个单项。");
        let mut two_men = sound.to_vec();
        two_men[0] = ("XD", &[0, 1]);
        assert_eq!(refuses(&two_men), "XD 的性别不符合这个单项。");
        assert_eq!(
            refusal("MS1 MS2", Side::A, &team, &[("MS1", &[0]), ("MS2", &[0])]),
            "队员0 在 MS 里只能上一次。"
        );
        assert_eq!(refusal("MD", Side::A, &team, &[("MD", &[0, 0])]), "队员0 在 MD 里只能上一次。");
    }
}
