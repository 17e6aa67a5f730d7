//! The structure of our draws beside that of somebody else's program: npm's `brackets-manager`, run by Node
//! (`tests/data/brackets`). Its packages come from their lock file, once, into a folder below `target`.
//!
//! Compared: which matches a knock-out has, who meets whom in which round and who has a bye, for the same lines; who has a
//! bye and how far apart the strongest stand, for the same seeds; rounds and pairs of a round robin; how many stand in
//! each group.
//!
//! Not comparable: on which line of its block a seed stands, and whom the others meet first (ours are drawn by lot, theirs
//! are fixed); in which order pairs of a round robin meet; who stands in which group (ours keep organisations apart).

use std::{
    collections::BTreeSet,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};

use super::{
    Format, SeedRule, Stage, Takes,
    bracket::{self, From, NewMatch},
    draw::{
        Entrant, circle, groups,
        lots::Lots,
        record::{Drawn, Entry, Terms, VERSION, draw},
    },
};

const SIZES: std::ops::RangeInclusive<usize> = 8..=128;

/// What the other program says of each stage.
fn oracle(asked: &[Json]) -> Vec<Json> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/brackets");
    let mut node = Command::new("node")
        .arg(folder.join("brackets.js"))
        .env("NODE_PATH", installed(&folder).join("node_modules"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node runs; scripts/needs installs it");
    let mut stdin = node.stdin.take().expect("a pipe");
    stdin.write_all(json!(asked).to_string().as_bytes()).expect("it listens");
    drop(stdin);
    let output = node.wait_with_output().expect("it ends");
    assert!(output.status.success(), "brackets.js failed");
    let answers: Vec<Json> = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(answers.len(), asked.len());
    answers
}

/// Where its packages are: brought by `npm ci` when this lock file was not seen before.
fn installed(folder: &Path) -> PathBuf {
    let lock = fs::read(folder.join("package-lock.json")).expect("the lock file");
    let name = data_encoding::HEXLOWER.encode(&Sha256::digest(&lock)[..8]);
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/brackets").join(name);
    if place.exists() {
        return place;
    }
    // Another test may be at it too: whoever is first puts its own there, whole.
    let made =
        place.with_extension(format!("{}-{:?}", std::process::id(), std::thread::current().id()));
    fs::create_dir_all(&made).expect("a folder");
    for file in ["package.json", "package-lock.json"] {
        fs::copy(folder.join(file), made.join(file)).expect("copied");
    }
    let done = Command::new("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
        .current_dir(&made)
        .output()
        .expect("npm runs; scripts/needs installs it");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(
        done.status.success(),
        "npm could not bring brackets-manager (it needs the network once): {said}"
    );
    if fs::rename(&made, &place).is_err() {
        assert!(place.exists(), "the packages are there");
        fs::remove_dir_all(&made).expect("removed");
    }
    place
}

fn entries(count: usize, seeds: usize) -> Vec<Entry> {
    let entry = |n: usize| Entry {
        id: format!("e{n:03}"),
        name: String::new(),
        organisation: Some(format!("单位{}", n % 7)),
        seed: (n <= seeds).then(|| u32::try_from(n).expect("few")),
    };
    (1..=count).map(entry).collect()
}

fn knock_out(rule: SeedRule, count: usize, seeds: usize) -> Drawn {
    let terms =
        Terms { format: Format::KnockOut, seed_rule: rule, group_size: 4, group_winners: 2 };
    let seed = Sha256::digest(format!("{rule:?}/{count}")).into();
    draw(VERSION, &seed, &terms, &entries(count, seeds))
}

/// Round (nought for the third place), and who met.
type Meeting = (usize, BTreeSet<String>);

/// Who meets whom when of two the one whose name sorts first wins.
fn meetings(matches: &[NewMatch]) -> BTreeSet<Meeting> {
    let mut ended: Vec<[String; 2]> = Vec::new();
    let mut met = BTreeSet::new();
    for one in matches {
        assert_eq!(one.stage, Stage::KnockOut);
        let mut sides = [&one.a, &one.b].map(|side| match side {
            From::Entry(id) => id.clone(),
            From::Match(at, Takes::Winner) => ended[*at][0].clone(),
            From::Match(at, Takes::Loser) => ended[*at][1].clone(),
            From::Group(..) => panic!("no groups here"),
        });
        sides.sort();
        met.insert((if one.third_place { 0 } else { one.round }, sides.clone().into()));
        ended.push(sides);
    }
    met
}

fn text(value: &Json) -> String {
    value.as_str().expect("text").to_owned()
}

fn round(value: &Json) -> usize {
    usize::try_from(value["round"].as_u64().expect("a round")).expect("small")
}

#[test]
fn the_same_lines_give_the_same_matches_in_the_same_rounds() {
    let rules = [SeedRule::Ittf, SeedRule::Bwf];
    let drawn: Vec<(usize, Drawn)> = SIZES
        .flat_map(|count| rules.map(|rule| (count, knock_out(rule, count, count / 4))))
        .collect();
    let asked: Vec<Json> = drawn
        .iter()
        .map(|(count, drawn)| json!({ "lines": drawn.lines, "thirdPlace": count % 2 == 0 }))
        .collect();
    for ((count, drawn), answer) in drawn.iter().zip(oracle(&asked)) {
        let theirs: BTreeSet<Meeting> = answer
            .as_array()
            .expect("matches")
            .iter()
            .map(|one| {
                let round = if one["third"] == true { 0 } else { round(one) };
                (round, [text(&one["a"]), text(&one["b"])].into())
            })
            .collect();
        let matches = bracket::matches(drawn, count % 2 == 0);
        assert_eq!(matches.len(), answer.as_array().map_or(0, Vec::len), "{count} entries");
        assert_eq!(meetings(&matches), theirs, "{count} entries");
    }
}

/// Who has a bye.
fn byes(lines: &[Option<String>]) -> BTreeSet<&str> {
    let pairs = lines.chunks(2).filter_map(|pair| match pair {
        [Some(one), None] | [None, Some(one)] => Some(one.as_str()),
        _ => None,
    });
    pairs.collect()
}

/// In how many equal parts of the draw the strongest stand, each in a part of its own: in 2 the first and the second, in
/// 4 the first four…
fn apart(lines: &[Option<String>], strongest: &[String]) -> Vec<usize> {
    let parts = std::iter::successors(Some(2), |parts| Some(parts * 2));
    let alone = |parts: &usize| {
        let part = lines.chunks(lines.len() / parts);
        part.clone().count() == *parts
            && part.clone().all(|part| {
                let of = |line: &&Option<String>| {
                    line.as_ref().is_some_and(|id| strongest[..*parts].contains(id))
                };
                part.iter().filter(of).count() == 1
            })
    };
    parts.take_while(|parts| *parts <= lines.len() / 2).filter(alone).collect()
}

#[test]
fn the_same_seeds_have_the_byes_and_stand_as_far_apart() {
    let drawn: Vec<(usize, Drawn)> =
        SIZES.map(|count| (count, knock_out(SeedRule::Ittf, count, count))).collect();
    let strongest = |count: usize| entries(count, 0).into_iter().map(|entry| entry.id);
    let asked: Vec<Json> = drawn
        .iter()
        .map(|(count, drawn)| {
            json!({ "seeds": strongest(*count).collect::<Vec<_>>(), "size": drawn.lines.len() })
        })
        .collect();
    for ((count, drawn), answer) in drawn.iter().zip(oracle(&asked)) {
        let theirs: Vec<Option<String>> = answer
            .as_array()
            .expect("lines")
            .iter()
            .map(|line| Some(text(line)).filter(|line| line != "bye"))
            .collect();
        assert_eq!(drawn.lines.len(), theirs.len(), "{count} entries");
        assert_eq!(byes(&drawn.lines), byes(&theirs), "{count} entries");
        let strongest: Vec<String> = strongest(*count).collect();
        let ours = apart(&drawn.lines, &strongest);
        assert_eq!(ours, apart(&theirs, &strongest), "{count} entries");
        assert_eq!(1 << (ours.len() + 1), drawn.lines.len(), "halves, quarters, down to pairs");
    }
}

#[test]
fn everybody_meets_everybody_in_as_many_rounds() {
    let asked: Vec<Json> = (3..=16)
        .map(|count| json!({ "members": (1..=count).map(|n| n.to_string()).collect::<Vec<_>>() }))
        .collect();
    for (count, answer) in (3..=16).zip(oracle(&asked)) {
        let ours: Vec<(usize, BTreeSet<String>)> = (1..)
            .zip(circle::rounds(count))
            .flat_map(|(round, pairs)| {
                pairs.into_iter().map(move |(a, b)| (round, [a.to_string(), b.to_string()].into()))
            })
            .collect();
        let theirs: Vec<(usize, BTreeSet<String>)> = answer
            .as_array()
            .expect("matches")
            .iter()
            .map(|one| (round(one), [text(&one["a"]), text(&one["b"])].into()))
            .collect();
        let pairs = |meetings: &[Meeting]| -> BTreeSet<BTreeSet<String>> {
            meetings.iter().map(|(_, pair)| pair.clone()).collect()
        };
        let rounds = |meetings: &[Meeting]| meetings.iter().map(|(round, _)| *round).max();
        assert_eq!(ours.len(), theirs.len(), "{count} members");
        assert_eq!(pairs(&ours), pairs(&theirs), "{count} members");
        assert_eq!(rounds(&ours), rounds(&theirs), "{count} members");
    }
}

#[test]
fn groups_are_as_even() {
    let cases: Vec<(usize, usize)> =
        SIZES.flat_map(|count| [3, 4, 5].map(|size| (count, groups::count(count, size)))).collect();
    let asked: Vec<Json> =
        cases.iter().map(|(count, groups)| json!({ "entries": count, "groups": groups })).collect();
    for ((count, number), answer) in cases.into_iter().zip(oracle(&asked)) {
        let entrants: Vec<Entrant> = entries(count, count / 4)
            .into_iter()
            .map(|entry| Entrant {
                id: entry.id,
                organisation: entry.organisation,
                seed: entry.seed,
                stage: 0,
            })
            .collect();
        let drawn = groups::draw(number, &entrants, &Lots::new([7; 32]));
        let mut ours: Vec<usize> = drawn.groups.iter().map(Vec::len).collect();
        let mut theirs: Vec<usize> = serde_json::from_value(answer).expect("sizes");
        ours.sort_unstable();
        theirs.sort_unstable();
        assert_eq!(ours, theirs, "{count} in {number} groups");
    }
}
