//! The demo's contest in the middle of its day: the federation's own lists and six teams, checked in at two doors, drawn,
//! and about half of it played through what courts, umpires and checkpoints do, minute by minute up to now. Scores come
//! from a seed; who meets whom comes from the draw's.

use std::collections::{BTreeMap, HashMap, HashSet};

use admission::{
    Millis, Refusal, Verdict,
    decide::StationKind,
    time::{DAY, HOUR, MINUTE, SECOND},
};

use super::{
    EventNote, OfferNote, StandNote,
    world::{Door, add, draft, on_the_hour},
};
use crate::{
    App,
    contest::{
        self, Discipline, Entry, Format, Kind, Match, MatchRule, MatchState, Outcome, Player, Side,
        Sport,
        discipline::{self, Draft},
        drawing, entering,
        play::{api, call, late, line_up, queries::open_matches, record, scorer},
        walk::queries as walks,
    },
    db::Tx,
    event::{self, EventDraft},
    fetch,
    web::access::Person,
};

const LISTS: &[u8] = include_bytes!("../../../tests/data/contests.xlsx");

/// Where it is played, and how many of each.
const COURTS: [(&str, Sport, usize); 3] = [
    ("号台", Sport::TableTennis, 10),
    ("号场地", Sport::Badminton, 3),
    ("号足球场", Sport::Football, 2),
];
/// The course of the walk.
const COURSE: [&str; 4] = ["文化广场", "千灵山路口", "青龙湖东岸", "体育馆"];
const TEAMS: [&str; 6] =
    ["怪村联队", "佃起联队", "沙锅村联队", "魏各庄联队", "千灵山队", "青龙湖队"];
const SQUAD: usize = 3;

/// Play began so long ago, and is looked at so often.
const PLAYED_MS: i64 = 135 * MINUTE;
const STEP_MS: i64 = 5 * MINUTE;
/// The walk began so long ago.
const WALKED_MS: i64 = 50 * MINUTE;

/// Makes it. Gives the event, and an umpire's page to try.
pub(super) async fn make(
    app: &App,
    people: &[(Person, String)],
    now: Millis,
) -> anyhow::Result<(EventNote, StandNote)> {
    let starts = on_the_hour(now.plus(-3 * HOUR));
    let mut note = add(app, &drafted(starts), starts.plus(-20 * DAY)).await?;
    enter(app, &note.id, people, starts.plus(-2 * DAY)).await?;
    check_in(app, &note.id, starts, now).await?;
    draw(app, &note.id, now.plus(-PLAYED_MS - 10 * MINUTE)).await?;
    let (secret, umpire) = play(app, &note.id, now).await?;
    walk(app, &note.id, now).await?;
    let mut tx = app.db.read().await?;
    let offers = event::queries::offers(&mut tx, &note.id).await?;
    note.offers =
        offers.into_iter().map(|offer| OfferNote { id: offer.id, mode: offer.mode }).collect();
    let path = format!("/events/{}/umpire#{secret}", note.id);
    Ok((note, StandNote { name: umpire, path, pin: String::new() }))
}

fn drafted(starts: Millis) -> EventDraft {
    EventDraft {
        place: "王佐镇职工体育馆和足球场".to_owned(),
        poster: "乒乓球、羽毛球、五人制足球和健步走。请自带球拍，穿运动鞋入场；到场扫码检录，名单确定后公开抽签。"
            .to_owned(),
        ..draft("contest", "「五一杯」职工运动会", starts, 9)
    }
}

/// The organizer's lists, and six teams whose captains name their squads on their phones.
async fn enter(
    app: &App,
    event_id: &str,
    people: &[(Person, String)],
    at: Millis,
) -> anyhow::Result<()> {
    let mut tx = app.db.write().await?;
    let report = contest::import::carry_out(&mut tx, &app.keys, event_id, LISTS, at).await?;
    anyhow::ensure!(report.count(contest::import::Verdict::Error) == 0, "the lists are whole");
    event::queries::hold(&mut tx, event_id).await?;
    let event = event::queries::event(&mut tx, event_id).await?;
    let usual = Draft::usual("乒乓球团体", Sport::TableTennis, Kind::Team, &event, at);
    let draft = Draft { players: (3, 3), group_size: 3, ..usual };
    let id = discipline::create(&mut tx, &app.keys, &event, &draft, at).await?;
    let teams = contest::queries::discipline(&mut tx, &id).await?;
    for (team, squad) in TEAMS.into_iter().zip(people.chunks_exact(SQUAD)) {
        let others = squad[1..].iter().map(|(person, phone)| (person.name.clone(), phone.clone()));
        let entry = entering::Draft { team: team.to_owned(), others: others.collect() };
        let of = (&event, &teams);
        let entry = entering::enter(&mut tx, app, of, &squad[0].0.id, &entry, at).await?;
        for (player, _) in &squad[1..] {
            entering::accept(&mut tx, app, &entry, &player.id, at.plus(HOUR)).await?;
        }
    }
    Ok(tx.commit().await?)
}

/// What two doors saw: nearly everybody came, slowly, then in a crowd, then late.
async fn check_in(app: &App, event_id: &str, starts: Millis, now: Millis) -> anyhow::Result<()> {
    let mut tx = app.db.read().await?;
    let mut come = HashSet::new();
    for discipline in contest::queries::disciplines(&mut tx, event_id).await? {
        let players = by_entry(contest::queries::players(&mut tx, &discipline.id).await?);
        let entries = contest::queries::entries(&mut tx, &discipline.id).await?;
        for (n, entry) in entries.iter().enumerate() {
            // Seeds and teams come; of the others one in seventeen does not.
            if entry.seed.is_some() || discipline.kind == Kind::Team || n % 17 != 16 {
                come.extend(players[&entry.id].iter().map(|player| player.person_id.clone()));
            }
        }
    }
    let tickets: Vec<(String, String)> = fetch!(
        tx,
        fetch_all,
        "select id, person_id from ticket where event_id = $1 order by created_ms, person_id",
        event_id
    )?;
    drop(tx);
    let tickets: Vec<_> = tickets.iter().filter(|(_, person)| come.contains(person)).collect();
    let (east, west) = tickets.split_at(tickets.len() * 3 / 5);
    for (station, tickets) in [("东门", east), ("西门", west)] {
        let mut door = Door::at(app, event_id, station, StationKind::Gate).await?;
        for (n, (ticket, _)) in tickets.iter().enumerate() {
            let share = n as f64 / tickets.len() as f64;
            let at = starts.plus((share.sqrt() * 65.0 * MINUTE as f64) as i64 - 40 * MINUTE);
            door.saw(ticket, Verdict::Admitted, at);
            if n % 29 == 4 {
                let used = Refusal::AlreadyUsed { at, station: station.to_owned() };
                door.saw(ticket, Verdict::Refused(used), at.plus(20 * SECOND));
            }
        }
        door.upload(app, event_id, now).await?;
    }
    Ok(())
}

fn by_entry(players: Vec<Player>) -> HashMap<String, Vec<Player>> {
    let mut by_entry: HashMap<String, Vec<Player>> = HashMap::new();
    for player in players {
        by_entry.entry(player.entry_id.clone()).or_default().push(player);
    }
    by_entry
}

/// Lists are closed, and what has matches is drawn.
async fn draw(app: &App, event_id: &str, at: Millis) -> anyhow::Result<()> {
    let mut tx = app.db.write().await?;
    event::queries::hold(&mut tx, event_id).await?;
    for discipline in contest::queries::disciplines(&mut tx, event_id).await? {
        if discipline.format != Format::Walk {
            drawing::close_list(&mut tx, &discipline.id, at).await?;
            drawing::draw(&mut tx, app, &discipline.id, at).await?;
        }
    }
    Ok(tx.commit().await?)
}

/// Chance from a seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % sides.max(1) as u64) as i64
    }

    /// Games of a match that the first side wins or loses, the last one included.
    fn games(&mut self, to_win: usize, points: i64, a_wins: bool) -> Vec<[i64; 2]> {
        let lost = self.below(to_win as i64) as usize;
        let mut games = Vec::new();
        for n in 0..to_win + lost {
            // The loser's games come somewhere before the last.
            let to_winner = n >= lost * 2 || n % 2 == 0;
            let less = match self.below(6) {
                0 => points - 1,
                _ => points - 2 - self.below(points * 2 / 3),
            };
            let more = if less == points - 1 { points + 1 } else { points };
            games.push(if to_winner == a_wins { [more, less] } else { [less, more] });
        }
        games
    }

    /// Goals of two halves; never a draw where there must be a winner.
    fn goals(&mut self, a_wins: bool, needs_winner: bool) -> Vec<[i64; 2]> {
        let mut halves = [0, 1].map(|_| [self.below(3), self.below(3)]);
        let sum = |side: usize, halves: &[[i64; 2]; 2]| halves[0][side] + halves[1][side];
        if needs_winner && sum(0, &halves) == sum(1, &halves) {
            halves[1][usize::from(!a_wins)] += 1;
        }
        halves.to_vec()
    }
}

/// A match that is at a court, and when it will be over.
struct AtCourt {
    id: String,
    until: Millis,
}

/// From the first call up to now. Gives the secret and the name of an umpire.
async fn play(app: &App, event_id: &str, now: Millis) -> anyhow::Result<(String, String)> {
    let begun = now.plus(-PLAYED_MS);
    let mut tx = app.db.write().await?;
    for (name, sport, count) in COURTS {
        for n in 1..=count {
            api::new_court(&mut tx, event_id, &format!("{n}{name}"), Some(sport), begun).await?;
        }
    }
    let umpire = "吴裁判".to_owned();
    let secret = scorer::invite(&mut tx, event_id, &umpire, None, begun).await?;
    let by = scorer::By::Umpire(scorer::Umpire {
        id: String::new(),
        event_id: event_id.to_owned(),
        name: umpire.clone(),
        court_id: None,
    });
    let disciplines = contest::queries::disciplines(&mut tx, event_id).await?;
    let mut day = Day {
        tx: &mut tx,
        by,
        disciplines,
        dice: Dice(20_170_501),
        on: Vec::new(),
        named: HashSet::new(),
        missed: None,
        now,
    };
    let mut at = begun;
    while at < now {
        let is_last = at.plus(STEP_MS) >= now;
        if is_last {
            day.hurry(2, at);
        }
        loop {
            day.end(at).await?;
            day.name_line_ups(event_id, at).await?;
            call::fill(day.tx, &day.by, event_id, at).await?;
            day.see_calls(event_id, at).await?;
            // Who meets whom is drawn anew for each world. In some, nobody is ready for the courts that became free.
            if !is_last || day.has_just_called(event_id, at).await? || day.on.is_empty() {
                break;
            }
            day.hurry(1, at);
        }
        at = at.plus(STEP_MS);
    }
    day.hurry(1, now);
    day.end(now).await?;
    day.stop(event_id, now).await?;
    tx.commit().await?;
    Ok((secret, umpire))
}

struct Day<'a> {
    tx: &'a mut Tx,
    by: scorer::By,
    disciplines: Vec<Discipline>,
    dice: Dice,
    on: Vec<AtCourt>,
    /// Ties whose line-ups are in.
    named: HashSet<String>,
    /// A match to which one player has not come.
    missed: Option<String>,
    now: Millis,
}

impl Day<'_> {
    fn discipline(&self, found: &Match) -> anyhow::Result<Discipline> {
        let known = self.disciplines.iter().find(|one| one.id == found.discipline_id);
        known.cloned().ok_or_else(|| anyhow::anyhow!("a match of no discipline"))
    }

    /// Notes what was just called, and how long it will take.
    async fn see_calls(&mut self, event_id: &str, at: Millis) -> anyhow::Result<()> {
        for found in open_matches(self.tx, event_id).await? {
            let known = self.on.iter().any(|on| on.id == found.id);
            if found.state != MatchState::Called || known {
                continue;
            }
            let sport = self.discipline(&found)?.sport;
            // Not a part of a tie, which the others may decide.
            let may_miss = sport == Sport::TableTennis
                && found.tie_id.is_none()
                && at >= self.now.plus(-6 * STEP_MS);
            if may_miss && self.missed.is_none() {
                self.missed = Some(found.id.clone());
            }
            if self.missed.as_ref() == Some(&found.id) {
                continue;
            }
            let minutes = match sport {
                Sport::Football => 44 + self.dice.below(4),
                Sport::Badminton => 23 + self.dice.below(14),
                _ => 12 + self.dice.below(11),
            };
            self.on.push(AtCourt { id: found.id, until: at.plus(minutes * MINUTE) });
        }
        Ok(())
    }

    /// Whether a match was called now whose players are about to come.
    async fn has_just_called(&mut self, event_id: &str, at: Millis) -> anyhow::Result<bool> {
        let open = open_matches(self.tx, event_id).await?;
        Ok(open.iter().any(|found| {
            let is_missed = self.missed.as_ref() == Some(&found.id);
            found.state == MatchState::Called && found.called_ms == Some(at.0) && !is_missed
        }))
    }

    /// Captains name who plays, before their ties are called; for the last round they have not yet.
    async fn name_line_ups(&mut self, event_id: &str, at: Millis) -> anyhow::Result<()> {
        for tie in open_matches(self.tx, event_id).await? {
            let discipline = self.discipline(&tie)?;
            let is_tie = tie.tie_id.is_none() && !discipline.tie_order.is_empty();
            if !is_tie || tie.round == 3 || !self.named.insert(tie.id.clone()) {
                continue;
            }
            for side in [Side::A, Side::B] {
                let Some(entry) = tie.entry(side) else { continue };
                let squad = contest::queries::players_of(self.tx, entry).await?;
                let letters = if side == Side::A { ["A", "B", "C"] } else { ["X", "Y", "Z"] };
                let named: BTreeMap<String, Vec<String>> = letters
                    .into_iter()
                    .zip(&squad)
                    .map(|(letter, player)| (letter.to_owned(), vec![player.person_id.clone()]))
                    .collect();
                let captain = line_up::Namer::Captain(&squad[0].person_id);
                line_up::name(self.tx, &tie.id, captain, &named, at).await?;
            }
        }
        Ok(())
    }

    /// Ends so many matches by now that would have ended soon: however the draw fell, somebody was just called, and a court
    /// is free.
    fn hurry(&mut self, matches: usize, now: Millis) {
        self.on.sort_by_key(|on| on.until);
        for on in self.on.iter_mut().take(matches) {
            on.until = on.until.min(now);
        }
    }

    /// Results of all matches that are over by now, in the order in which they ended.
    async fn end(&mut self, at: Millis) -> anyhow::Result<()> {
        self.on.sort_by_key(|on| on.until);
        let over = self.on.partition_point(|on| on.until <= at);
        for AtCourt { id, until } in self.on.drain(..over).collect::<Vec<_>>() {
            let found = contest::queries::match_(self.tx, &id).await?;
            // A tie that is decided ends what was left of it.
            if matches!(found.state, MatchState::Called | MatchState::Playing) {
                let report = self.result(&found).await?;
                record::report(self.tx, &self.by, &id, &report, until).await?;
            }
        }
        Ok(())
    }

    async fn result(&mut self, found: &Match) -> anyhow::Result<record::Report> {
        let discipline = self.discipline(found)?;
        let (rule, needs_winner) = record::rule_of(self.tx, &discipline, found).await?;
        let a_wins = self.a_wins(found).await?;
        let mut report = said(found, Vec::new());
        report.outcome = Some(Outcome::Played);
        report.games = match rule {
            MatchRule::Games { best_of, to, .. } => {
                self.dice.games(usize::from(best_of / 2 + 1), i64::from(to), a_wins)
            }
            MatchRule::Goals { .. } => self.dice.goals(a_wins, needs_winner),
        };
        // Now and then somebody is hurt.
        if discipline.sport == Sport::Badminton && self.dice.below(9) == 0 {
            report.games.truncate(1);
            report.games.push([7, 5]);
            report.outcome = Some(Outcome::Retired);
            report.gone = Some(if a_wins { Side::B } else { Side::A });
        }
        Ok(report)
    }

    /// Seeds win more often than not; of others chance decides.
    async fn a_wins(&mut self, found: &Match) -> anyhow::Result<bool> {
        let mut seeds = Vec::new();
        for side in [Side::A, Side::B] {
            let entry: Option<Entry> = match found.entry(side) {
                Some(id) => Some(contest::queries::entry(self.tx, id).await?),
                None => None,
            };
            seeds.push(entry.and_then(|entry| entry.seed).unwrap_or(i64::MAX));
        }
        let surprise = self.dice.below(8) == 0;
        Ok(match seeds[0].cmp(&seeds[1]) {
            std::cmp::Ordering::Less => !surprise,
            std::cmp::Ordering::Greater => surprise,
            std::cmp::Ordering::Equal => self.dice.below(2) == 0,
        })
    }

    /// How it stands now: most matches are being played, some were just called, and for one a player has not come.
    async fn stop(&mut self, event_id: &str, now: Millis) -> anyhow::Result<()> {
        for found in open_matches(self.tx, event_id).await? {
            let Some(called) = found.called_ms.filter(|_| found.state == MatchState::Called) else {
                continue;
            };
            if self.missed.as_ref() == Some(&found.id) {
                self.arrive(&found, Side::A, Millis(called + MINUTE)).await?;
                continue;
            }
            if now.0 - called <= STEP_MS {
                let side = if self.dice.below(2) == 0 { Side::A } else { Side::B };
                self.arrive(&found, side, now.plus(-MINUTE)).await?;
                continue;
            }
            let games = match self.discipline(&found)?.rule {
                MatchRule::Games { to, .. } => {
                    let mut games = self.dice.games(1, i64::from(to), true);
                    games.push([
                        self.dice.below(i64::from(to) - 2),
                        self.dice.below(i64::from(to) - 2),
                    ]);
                    games
                }
                MatchRule::Goals { .. } => vec![[self.dice.below(3), self.dice.below(2)]],
            };
            let report = said(&found, games);
            record::report(self.tx, &self.by, &found.id, &report, now.plus(-MINUTE)).await?;
        }
        Ok(())
    }

    async fn arrive(&mut self, found: &Match, side: Side, at: Millis) -> anyhow::Result<()> {
        late::arrive(self.tx, &self.by, &found.id, (side, true), at).await?;
        Ok(())
    }
}

/// What an umpire's phone sends.
fn said(found: &Match, games: Vec<[i64; 2]>) -> record::Report {
    record::Report {
        key: format!("demo-{}", found.version),
        version: found.version,
        games,
        shootout: None,
        outcome: None,
        gone: None,
        reason: String::new(),
    }
}

/// Everybody has a bib and was seen at the start; more than half have passed the first checkpoint, the fastest the next.
async fn walk(app: &App, event_id: &str, now: Millis) -> anyhow::Result<()> {
    let gun = now.plus(-WALKED_MS);
    let mut tx = app.db.write().await?;
    event::queries::hold(&mut tx, event_id).await?;
    let disciplines = contest::queries::disciplines(&mut tx, event_id).await?;
    let walk = disciplines.into_iter().find(|one| one.sport == Sport::Walk);
    let walk = walk.ok_or_else(|| anyhow::anyhow!("the lists have a walk"))?;
    walks::begin(&mut tx, &walk).await?;
    walks::set(&mut tx, &walk.id, "W", Some(150 * MINUTE)).await?;
    walks::set_points(&mut tx, &walk, &COURSE).await?;
    walks::give_bibs(&mut tx, &walk.id).await?;
    walks::fire(&mut tx, &walk.id, gun).await?;
    tx.commit().await?;
    let mut tx = app.db.read().await?;
    let tickets: Vec<(String,)> = fetch!(
        tx,
        fetch_all,
        "select t.id from entry e join entry_player l on l.entry_id = e.id
         join ticket t on t.person_id = l.person_id and t.event_id = e.event_id
         where e.discipline_id = $1 and t.used_ms is not null order by e.bib",
        &walk.id
    )?;
    drop(tx);
    let mut dice = Dice(300);
    // Of each walker: how long after the signal they started, and their pace from point to point.
    let paces: Vec<_> = tickets
        .iter()
        .map(|_| (dice.below(4 * MINUTE), 20 * MINUTE + dice.below(50 * MINUTE)))
        .collect();
    for (point, station) in (0..).zip(COURSE).take(3) {
        let mut door = Door::at(app, event_id, station, StationKind::Checkpoint).await?;
        let mut seen: Vec<_> = tickets
            .iter()
            .zip(&paces)
            .map(|((ticket,), (start, pace))| (gun.plus(start + point * pace), ticket))
            .filter(|(at, _)| *at < now)
            .collect();
        seen.sort();
        for (at, ticket) in seen {
            door.saw(ticket, Verdict::Admitted, at);
        }
        door.upload(app, event_id, now).await?;
    }
    Ok(())
}
