//! The published vectors, properties on random groups, and an independent reference (`tests/data/standings.py`).

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use admission::say::Lang;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;
use crate::contest::score::judge;

const TT: MatchRule = MatchRule::TABLE_TENNIS;
const BADMINTON: MatchRule = MatchRule::BADMINTON;
const GOALS: MatchRule = MatchRule::FOOTBALL;
const NAMES: [&str; 8] = ["A", "B", "C", "D", "E", "F", "G", "H"];

/// `"A-B 11-9 11-8 11-7; B-C w/o"`: who played whom and how; `w/o` is lost by the second.
fn matches(text: &str) -> Vec<Played> {
    let at = |name: &str| NAMES.iter().position(|known| *known == name).expect("a name");
    text.split(';')
        .map(|line| {
            let mut words = line.split_whitespace();
            let (a, b) = words.next().expect("who").split_once('-').expect("two");
            let rest: Vec<&str> = words.collect();
            let score = match rest.as_slice() {
                ["w/o"] => Score::of(vec![], Ending::Walkover(Side::B)),
                games => {
                    Score::of(games.iter().map(|game| line_of(game)).collect(), Ending::Played)
                }
            };
            Played::of(at(a), at(b), score)
        })
        .collect()
}

fn line_of(game: &str) -> [i64; 2] {
    let (a, b) = game.split_once(['-', ':']).expect("a score");
    [a.parse().expect("a number"), b.parse().expect("a number")]
}

const fn rules(standings: Standings, rule: MatchRule) -> Rules {
    Rules { standings, rule, rubbers: None }
}

fn ranked(standings: Standings, rule: MatchRule, count: usize, text: &str) -> (String, Vec<Row>) {
    let played = matches(text);
    for played in &played {
        judge(rule, &played.scores[0], false).expect("a valid score");
    }
    let rows = table(rules(standings, rule), &vec![Entrant::default(); count], &played);
    assert!(rows.iter().all(|row| !row.shared), "{rows:?}");
    (rows.iter().map(|row| NAMES[row.entrant]).collect(), rows)
}

fn said(rows: &[Row], at: usize, lang: Lang) -> String {
    rows[at].why.as_ref().expect("a reason").sentence(lang, &NAMES)
}

#[test]
fn v1_ittf_ranks_by_the_ratio_of_games() {
    let (order, rows) = ranked(
        Standings::Ittf,
        TT,
        4,
        "A-B 11-1 11-1 11-1; A-C 11-1 11-1 11-1; A-D 11-1 11-1 11-1;
         B-C 11-9 11-8 11-7; C-D 11-6 9-11 11-8 11-9; D-B 11-9 8-11 11-6 7-11 11-8",
    );
    assert_eq!(order, "ABDC");
    assert_eq!(rows[0].why, None);
    assert_eq!(
        said(&rows, 1, Lang::Zh),
        "B、C、D 相同，比相互之间局的胜负比：B 5/3，D 4/5，C 3/4。"
    );
    assert_eq!(
        said(&rows, 3, Lang::En),
        "B, C, D are equal; ratio of games among them: B 5/3, D 4/5, C 3/4."
    );
}

#[test]
fn v2_ittf_ranks_by_the_ratio_of_points() {
    let (order, rows) = ranked(
        Standings::Ittf,
        TT,
        3,
        "A-B 11-9 11-9 11-9; B-C 11-5 11-5 11-5; C-A 11-8 11-8 11-8",
    );
    assert_eq!(order, "BAC");
    assert!(said(&rows, 0, Lang::Zh).contains("B 60/48，A 57/60，C 48/57"));
}

#[test]
fn v3_ittf_gives_nothing_for_a_walk_over() {
    let (order, rows) =
        ranked(Standings::Ittf, TT, 3, "A-B w/o; B-C 11-1 11-1 11-1; C-A 11-1 11-1 11-1");
    assert_eq!(order, "CAB");
    assert_eq!(rows.iter().map(|row| row.tally.points).collect::<Vec<_>>(), [3, 3, 2]);
    assert_eq!(said(&rows, 0, Lang::Zh), "A、C 相同，比相互之间的积分：C 2，A 1。");
}

const V4: &str = "A-B 21-18 19-21 21-15; A-C 21-10 21-12; A-D 21-9 21-11;
    B-C 21-19 19-21 21-19; C-D 21-19 18-21 21-19; D-B 21-5 19-21 21-5";

#[test]
fn v4_the_same_scores_rank_otherwise_by_bwf_and_by_ittf() {
    let (order, rows) = ranked(Standings::Bwf, BADMINTON, 4, V4);
    assert_eq!(order, "ABCD");
    assert_eq!(
        said(&rows, 2, Lang::Zh),
        "B、C、D 相同，比净胜局（球）：B −1，C −2，D −2；C、D 仍相同，看两者之间的比赛：C 胜，D 负。"
    );
    let (order, rows) = ranked(Standings::Ittf, BADMINTON, 4, V4);
    assert_eq!(order, "ADCB");
    assert!(said(&rows, 1, Lang::Zh).contains("D 120/91，C 119/120，B 92/120"));
}

#[test]
fn v5_football_ranks_otherwise_in_2022_and_in_2026() {
    let group = "A-B 0:1; A-C 5:0; A-D 3:0; B-C 1:0; B-D 0:2; C-D 1:1";
    let text = group.replace(':', "-");
    assert_eq!(ranked(Standings::Fifa2022, GOALS, 4, &text).0, "ABDC");
    let (order, rows) = ranked(Standings::Fifa2026, GOALS, 4, &text);
    assert_eq!(order, "BADC");
    assert_eq!(said(&rows, 0, Lang::Zh), "A、B 相同，比相互之间的积分：B 3，A 0。");
}

#[test]
fn bwf_strikes_all_results_of_one_who_gives_up() {
    let mut played = matches(V4);
    // A retires against D: the three others stand as if A had never come.
    played[2] = Played::of(0, 3, Score::of(vec![[21, 9], [0, 3]], Ending::Retired(Side::A)));
    let rows = table(rules(Standings::Bwf, BADMINTON), &[Entrant::default(); 4], &played);
    let order: String = rows.iter().map(|row| NAMES[row.entrant]).collect();
    assert_eq!((order.as_str(), rows[3].struck, rows[3].tally.played), ("DCBA", true, 0));
    let all_played = rows[..3].iter().all(|row| row.tally.played == 2);
    assert!(all_played, "{rows:?}");
}

#[test]
fn a_union_counts_the_games_won_and_in_ties_the_matches() {
    let three = MatchRule::Games { best_of: 3, to: 15, cap: Some(21) };
    let (order, rows) =
        ranked(Standings::Union, three, 3, "A-B 15-3 13-15 15-9; B-C 15-2 15-2; A-C 3-15 3-15");
    assert_eq!(order, "BCA");
    assert_eq!(rows.iter().map(|row| row.tally.points).collect::<Vec<_>>(), [3, 2, 2]);
    assert_eq!(said(&rows, 1, Lang::Zh), "A、C 相同，比相互之间的积分：C 2，A 0。");

    // All three matches of a tie are played: 3:0 gives 3 and 0, 2:1 gives 2 and 1.
    let won =
        |first: bool| Score::of(vec![if first { [15, 3] } else { [3, 15] }; 2], Ending::Played);
    let tie = |a, b, firsts: [bool; 3]| Played {
        a,
        b,
        ending: Ending::Played,
        scores: firsts.map(won).to_vec(),
    };
    let ties =
        [tie(0, 1, [true; 3]), tie(1, 2, [true, true, false]), tie(2, 0, [true, true, false])];
    let rules = Rules { standings: Standings::Union, rule: three, rubbers: Some(3) };
    let rows = table(rules, &[Entrant::default(); 3], &ties);
    let points: Vec<_> = rows.iter().map(|row| (NAMES[row.entrant], row.tally.points)).collect();
    assert_eq!(points, [("A", 4), ("C", 3), ("B", 2)]);
}

#[test]
fn teams_are_told_apart_by_single_matches_before_games() {
    let score = |games: &[[i64; 2]]| Score::of(games.to_vec(), Ending::Played);
    let (straight, long) =
        (score(&[[11, 1]; 3]), score(&[[11, 1], [1, 11], [11, 1], [1, 11], [11, 1]]));
    let lost = score(&[[1, 11]; 3]);
    let tie = |a, b, scores: Vec<Score>| Played { a, b, ending: Ending::Played, scores };
    // Each has beaten one: A 3:0 with long games, B 3:1, C 3:1.
    let ties = [
        tie(0, 1, vec![long.clone(), long.clone(), long]),
        tie(1, 2, vec![straight.clone(), lost.clone(), straight.clone(), straight.clone()]),
        tie(2, 0, vec![straight.clone(), straight.clone(), lost, straight]),
    ];
    let rules = Rules { standings: Standings::Ittf, rule: TT, rubbers: Some(5) };
    let rows = table(rules, &[Entrant::default(); 3], &ties);
    assert_eq!(said(&rows, 0, Lang::Zh), "A、B、C 相同，比场的胜负比：A 4/3，C 4/4，B 3/4。");
    let given = [Played { ending: Ending::Walkover(Side::B), scores: vec![], ..ties[0].clone() }];
    let rows = table(rules, &[Entrant::default(); 2], &given);
    assert_eq!((rows[0].tally.rubbers, rows[0].tally.games), ([3, 0], [9, 0]));
}

#[test]
fn lots_decide_only_what_nothing_else_does() {
    let played = matches("A-B 1-1");
    let lot = |lot| Entrant { lot: Some(lot), ..Entrant::default() };
    let open = table(rules(Standings::Fifa2026, GOALS), &[Entrant::default(); 2], &played);
    assert!(open.iter().all(|row| row.shared && row.rank == 1));
    let drawn = table(rules(Standings::Fifa2026, GOALS), &[lot(2), lot(1)], &played);
    assert_eq!((drawn[0].entrant, drawn[1].rank, drawn[1].shared), (1, 2, false));
    assert_eq!(said(&drawn, 0, Lang::Zh), "A、B 相同，抽签：B 第 1 签，A 第 2 签。");
    let cards = Entrant { conduct: -1, lot: Some(1) };
    let drawn = table(rules(Standings::Fifa2022, GOALS), &[cards, lot(2)], &played);
    assert_eq!(drawn[0].entrant, 1, "fair play comes before lots");
}

/// A finished game, or goals.
fn game(rule: MatchRule) -> impl Strategy<Value = [i64; 2]> {
    (0..3_i64, 0..3_i64, any::<bool>()).prop_map(move |(few, more, first)| {
        let (won, lost) = match rule {
            MatchRule::Goals { .. } => (few, more),
            MatchRule::Games { to, .. } if few == 0 && more > 0 => {
                (i64::from(to) + more, i64::from(to) + more - 2)
            }
            // Few different scores, so that ties abound.
            MatchRule::Games { to, .. } => (to.into(), i64::from(to) - 2 - few * 2),
        };
        if first { [won, lost] } else { [lost, won] }
    })
}

/// A valid score, at times given up or not played.
fn score(rule: MatchRule) -> impl Strategy<Value = Score> {
    let games = prop::collection::vec(game(rule), 1..=5);
    (games, 0..16_u8, any::<bool>()).prop_map(move |(games, chance, first)| {
        let loser = if first { Side::A } else { Side::B };
        match chance {
            0 => return Score::of(vec![], Ending::Walkover(loser)),
            1 => return Score::of(vec![], Ending::Neither),
            _ => {}
        }
        let mut score = Score::of(vec![], Ending::Played);
        for game in games.iter().cycle().take(20) {
            score.games.push(*game);
            if judge(rule, &score, false).is_ok() {
                break;
            }
        }
        if chance == 2 {
            score.games.pop();
            if matches!(rule, MatchRule::Games { .. }) {
                score.games.push([3, 7]);
            }
            score.ending = Ending::Retired(loser);
        }
        score
    })
}

/// A match of two, or a tie of three single matches.
fn met(rules: Rules, a: usize, b: usize) -> impl Strategy<Value = Played> {
    let count = rules.rubbers.unwrap_or(1);
    let scores = prop::collection::vec(score(rules.rule), count);
    (scores, 0..12_u8).prop_map(move |(mut scores, chance)| {
        if rules.rubbers.is_none() {
            return Played::of(a, b, scores.remove(0));
        }
        scores.retain(|score| score.ending != Ending::Neither);
        match chance {
            0 => Played { a, b, ending: Ending::Walkover(Side::B), scores: vec![] },
            1 => Played {
                a,
                b,
                ending: Ending::Retired(Side::A),
                scores: scores[..scores.len().min(1)].to_vec(),
            },
            _ => Played { a, b, ending: Ending::Played, scores },
        }
    })
}

type Group = (Rules, Vec<Entrant>, Vec<Played>);

fn group() -> impl Strategy<Value = Group> {
    let sports =
        vec![(TT, None), (BADMINTON, None), (GOALS, None), (TT, Some(3)), (BADMINTON, Some(3))];
    let rules = (prop::sample::select(Standings::ALL.to_vec()), prop::sample::select(sports))
        .prop_map(|(standings, (rule, rubbers))| Rules { standings, rule, rubbers });
    (rules, 2..=6_usize).prop_flat_map(|(rules, count)| {
        let both = (0..count).flat_map(|a| (a + 1..count).map(move |b| (a, b)));
        let all: Vec<_> = both.map(|(a, b)| met(rules, a, b)).collect();
        let missing = prop::collection::vec(0..10_u8, all.len());
        let conduct = prop::collection::vec(-1..=0_i64, count);
        (all, missing, conduct, any::<bool>()).prop_map(move |(played, missing, conduct, lots)| {
            let whole = missing[0] > 2;
            let kept = played.into_iter().zip(missing).filter(|(_, missing)| whole || *missing > 2);
            let entrant = |(at, conduct): (usize, &i64)| Entrant {
                conduct: *conduct,
                lot: lots.then_some((at as i64 * 7 + 3) % 11),
            };
            let entrants = conduct.iter().enumerate().map(entrant).collect();
            (rules, entrants, kept.map(|(played, _)| played).collect())
        })
    })
}

fn turned(ending: Ending) -> Ending {
    match ending {
        Ending::Retired(side) => Ending::Retired(side.other()),
        Ending::Disqualified(side) => Ending::Disqualified(side.other()),
        Ending::Walkover(side) => Ending::Walkover(side.other()),
        Ending::Played | Ending::Neither => ending,
    }
}

/// Entrant → rank and whether it is shared.
fn ranks(rows: &[Row]) -> Vec<(usize, bool)> {
    let mut ranks = vec![(0, false); rows.len()];
    for row in rows {
        ranks[row.entrant] = (row.rank, row.shared);
    }
    ranks
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_matches_and_of_sides_and_of_entrants_says_nothing(
        (rules, entrants, played) in group(), turn in 0..6_usize,
    ) {
        let rows = table(rules, &entrants, &played);
        let mut other_way: Vec<Played> = played.iter().map(|played| Played {
            a: played.b,
            b: played.a,
            ending: turned(played.ending),
            scores: played.scores.iter().map(|score| Score {
                games: score.games.iter().map(|[a, b]| [*b, *a]).collect(),
                shootout: None,
                ending: turned(score.ending),
            }).collect(),
        }).collect();
        other_way.reverse();
        prop_assert_eq!(ranks(&rows), ranks(&table(rules, &entrants, &other_way)));
        let (count, moved) = (entrants.len(), |at: usize| (at + turn) % entrants.len());
        let mut others = entrants.clone();
        for at in 0..count {
            others[moved(at)] = entrants[at];
        }
        let elsewhere: Vec<Played> = played.iter()
            .map(|played| Played { a: moved(played.a), b: moved(played.b), ..played.clone() }).collect();
        let there = ranks(&table(rules, &others, &elsewhere));
        for (at, rank) in ranks(&rows).into_iter().enumerate() {
            prop_assert_eq!(there[moved(at)], rank);
        }
    }

    #[test]
    fn ranks_have_no_gaps_and_lots_leave_nothing_open((rules, entrants, played) in group()) {
        let rows = table(rules, &entrants, &played);
        let mut seen: Vec<usize> = rows.iter().map(|row| row.entrant).collect();
        seen.sort_unstable();
        prop_assert_eq!(seen, (0..entrants.len()).collect::<Vec<_>>());
        let mut next = 1;
        for class in rows.chunk_by(|one, other| one.rank == other.rank) {
            prop_assert_eq!(class[0].rank, next);
            prop_assert!(class.iter().all(|row| row.shared == (class.len() > 1)));
            prop_assert!(!class[0].shared || class[0].struck || entrants[0].lot.is_none());
            next += class.len();
        }
        // Whoever has more of what counts first stands above.
        for pair in rows.windows(2).filter(|pair| !pair[1].struck) {
            let first = |row: &Row| rules.standings.first().of(&row.tally, &entrants[row.entrant]);
            prop_assert!(first(&pair[0]) >= first(&pair[1]));
            let equal = first(&pair[0]) == first(&pair[1]) && pair[0].rank != pair[1].rank;
            prop_assert!(!equal || pair[1].why.is_some(), "a tie that was broken says why");
        }
    }

    /// ITTF begins again for those still equal: whom the points left equal are ranked as if the group were only they.
    #[test]
    fn those_still_equal_are_ranked_by_their_own_matches((rules, entrants, played) in group()) {
        let rules = Rules { standings: Standings::Ittf, ..rules };
        let rows = table(rules, &entrants, &played);
        for class in rows.chunk_by(|one, other| one.tally.points == other.tally.points) {
            let own: Vec<usize> = class.iter().map(|row| row.entrant).collect();
            let at = |entrant: usize| own.iter().position(|own| *own == entrant);
            let theirs: Vec<Played> = played.iter()
                .filter_map(|played| Some(Played { a: at(played.a)?, b: at(played.b)?, ..played.clone() })).collect();
            let few: Vec<Entrant> = own.iter().map(|at| entrants[*at]).collect();
            let alone: Vec<usize> = table(rules, &few, &theirs).iter().map(|row| row.rank).collect();
            let here: Vec<usize> = class.iter().map(|row| row.rank - class[0].rank + 1).collect();
            prop_assert_eq!(alone, here);
        }
    }

    /// Who withdraws changes nothing among the others by the BWF's rules.
    #[test]
    fn struck_results_leave_no_trace((rules, entrants, played) in group()) {
        let rules = Rules { standings: Standings::Bwf, ..rules };
        let rows = table(rules, &entrants, &played);
        let gone: Vec<usize> = rows.iter().filter(|row| row.struck).map(|row| row.entrant).collect();
        let rest: Vec<Played> = played.iter()
            .filter(|played| !gone.contains(&played.a) && !gone.contains(&played.b)).cloned().collect();
        let without = table(rules, &entrants, &rest);
        let order = |rows: &[Row]| -> Vec<usize> {
            rows.iter().map(|row| row.entrant).filter(|at| !gone.contains(at)).collect()
        };
        let whole = |rows: &[Row]| rows.iter().all(|row| row.struck || !row.shared);
        prop_assert!(!whole(&rows) || !whole(&without) || order(&rows) == order(&without));
    }
}

/// Thousands of random groups against the script in another language that was written from the rules alone.
#[test]
fn an_independent_reference_ranks_alike() {
    use proptest::{strategy::ValueTree as _, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let strategy = group();
    let groups: Vec<_> =
        (0..4000).map(|_| strategy.new_tree(&mut runner).expect("a group").current()).collect();
    let asked: Vec<Json> = groups
        .iter()
        .map(|(rules, entrants, played)| {
            let how = |ending: Ending| {
                let gone: Vec<usize> = [(0, Side::A), (1, Side::B)]
                    .into_iter()
                    .filter(|(_, side)| ending.lacks(*side))
                    .map(|(at, _)| at)
                    .collect();
                json!({ "gone": gone, "unplayed": ending.is_unplayed() })
            };
            let matches: Vec<Json> = played
                .iter()
                .map(|played| {
                    let scores = played.scores.iter();
                    let scores: Vec<Json> = scores
                        .map(|score| json!({ "games": score.games, "end": how(score.ending) }))
                        .collect();
                    json!({ "a": played.a, "b": played.b, "end": how(played.ending), "scores": scores })
                })
                .collect();
            json!({
                "rule": rules.standings.word(), "counted": rules.rule.to_string(), "rubbers": rules.rubbers,
                "conduct": entrants.iter().map(|entrant| entrant.conduct).collect::<Vec<_>>(),
                "lots": entrants.iter().map(|entrant| entrant.lot).collect::<Vec<_>>(),
                "matches": matches,
            })
        })
        .collect();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/standings.py");
    let mut python = Command::new("python3")
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 runs");
    let mut stdin = python.stdin.take().expect("a pipe");
    let text = serde_json::to_string(&asked).expect("plain data");
    let writing = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = python.wait_with_output().expect("it ends");
    writing.join().expect("no panic").expect("it reads");
    let answers: Vec<Vec<usize>> = serde_json::from_slice(&output.stdout).expect("ranks");
    assert_eq!(answers.len(), groups.len());
    let mut ties = 0;
    for ((group, asked), theirs) in groups.iter().zip(&asked).zip(&answers) {
        let (rules, entrants, played) = group;
        let rows = table(*rules, entrants, played);
        ties += usize::from(rows.iter().any(|row| row.why.is_some()));
        let ours: Vec<usize> = ranks(&rows).into_iter().map(|(rank, _)| rank).collect();
        assert_eq!(ours, *theirs, "{asked}");
    }
    assert!(ties > 1000, "only {ties} groups had ties");
}
