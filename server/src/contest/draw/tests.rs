//! What every draw keeps to, tried on many: the seeds' places, the byes, separation as good as the best one.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;

use super::{
    Entrant, Together, groups,
    knock_out::{self, KnockOut},
    lots::Lots,
    places::{opponent, seed_blocks, seeds_max},
    record::{Drawn, Entry, KIND, Record, Terms, VERSION},
};
use crate::{
    contest::{Format, SeedRule},
    draw::record::{Fault, commitment},
};

fn entrants(organisations: &[u8], seeds: usize) -> Vec<Entrant> {
    let entrant = |(n, organisation): (usize, &u8)| Entrant {
        id: format!("entry-{n}"),
        organisation: (*organisation > 0).then(|| format!("单位{organisation}")),
        seed: (n < seeds).then(|| u32::try_from(n + 1).expect("few")),
        stage: 0,
    };
    organisations.iter().enumerate().map(entrant).collect()
}

fn rule() -> impl Strategy<Value = SeedRule> {
    prop_oneof![Just(SeedRule::Ittf), Just(SeedRule::Bwf)]
}

/// Of all ways to fill the open lines with the others, the one that keeps organisations apart best.
fn best(drawn: &KnockOut, entrants: &[Entrant], seeds: &HashSet<usize>) -> Together {
    let open: Vec<usize> = (0..drawn.lines.len())
        .filter(|line| drawn.lines[*line].is_some_and(|at| !seeds.contains(&at)))
        .collect();
    // Who has the same organisation is the same here.
    let mut left: HashMap<Option<&str>, Vec<usize>> = HashMap::new();
    for line in &open {
        let at = drawn.lines[*line].expect("open lines are taken");
        left.entry(entrants[at].organisation.as_deref()).or_default().push(at);
    }
    let mut left: Vec<Vec<usize>> = left.into_values().collect();
    let mut lines = drawn.lines.clone();
    let mut best = knock_out::together(&lines, entrants);
    fill(&mut lines, &open, &mut left, entrants, &mut best);
    best
}

fn fill(
    lines: &mut Vec<Option<usize>>,
    open: &[usize],
    left: &mut [Vec<usize>],
    entrants: &[Entrant],
    best: &mut Together,
) {
    let Some((line, open)) = open.split_first() else {
        *best = knock_out::together(lines, entrants).min(*best);
        return;
    };
    for kind in 0..left.len() {
        if let Some(at) = left[kind].pop() {
            lines[*line] = Some(at);
            fill(lines, open, left, entrants, best);
            left[kind].push(at);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_knock_out_keeps_its_rules(
        seed in any::<[u8; 32]>(), rule in rule(), organisations in prop::collection::vec(0..40_u8, 2..129), seeds in 0..33_usize
    ) {
        let entrants = entrants(&organisations, seeds.min(organisations.len()));
        let most = seeds_max(rule, entrants.len());
        let drawn = knock_out::draw(rule, most, &entrants, &Lots::new(seed));
        let size = drawn.lines.len();
        prop_assert_eq!(size, entrants.len().next_power_of_two());
        // Everybody stands on one line.
        let placed: HashSet<usize> = drawn.lines.iter().flatten().copied().collect();
        prop_assert_eq!(placed.len(), entrants.len());
        prop_assert_eq!(drawn.lines.iter().flatten().count(), entrants.len());
        // No bye meets a bye.
        prop_assert!(drawn.lines.chunks(2).all(|pair| pair.iter().any(Option::is_some)));
        // Seeds stand in their blocks, and the first of them have the byes.
        let seeds = seeds.min(most).min(entrants.len());
        let mut rank = 0;
        for block in seed_blocks(rule, size) {
            let of_block: Vec<usize> = (rank..seeds.min(rank + block.len())).collect();
            for at in &of_block {
                let line = drawn.lines.iter().position(|line| *line == Some(*at)).expect("placed") + 1;
                prop_assert!(block.contains(&line), "seed {} on line {line} of {size}", at + 1);
                let has_bye = drawn.lines[opponent(line) - 1].is_none();
                prop_assert_eq!(has_bye, *at < size - entrants.len());
            }
            rank += block.len();
        }
        // The same seed draws the same.
        prop_assert_eq!(&drawn, &knock_out::draw(rule, most, &entrants, &Lots::new(seed)));
    }

    #[test]
    fn separation_in_a_small_draw_is_the_best_there_is(
        seed in any::<[u8; 32]>(), rule in rule(), organisations in prop::collection::vec(0..4_u8, 2..9), seeds in 0..5_usize
    ) {
        let entrants = entrants(&organisations, seeds.min(organisations.len()));
        let most = seeds_max(rule, entrants.len());
        let drawn = knock_out::draw(rule, most, &entrants, &Lots::new(seed));
        let seeds = (0..seeds.min(most)).collect();
        prop_assert_eq!(drawn.together, best(&drawn, &entrants, &seeds));
    }

    #[test]
    fn separation_in_groups_is_even(
        seed in any::<[u8; 32]>(), organisations in prop::collection::vec(0..12_u8, 6..65), size in 3..6_usize
    ) {
        let entrants = entrants(&organisations, 0);
        let count = groups::count(entrants.len(), size);
        let drawn = groups::draw(count, &entrants, &Lots::new(seed));
        let sizes: Vec<usize> = drawn.groups.iter().map(Vec::len).collect();
        prop_assert_eq!(sizes.iter().sum::<usize>(), entrants.len());
        prop_assert!(sizes.iter().max().expect("groups") - sizes.iter().min().expect("groups") <= 1);
        // Without seeds nothing hinders the even spread of each organisation alone, so it must be reached by all.
        let mut least = 0;
        for organisation in 1..12 {
            let n = organisations.iter().filter(|other| **other == organisation).count();
            let (each, more) = (n / count, n % count);
            least += more * (each + 1) * each / 2 + (count - more) * each * each.saturating_sub(1) / 2;
        }
        prop_assert!(drawn.together as usize >= least);
        prop_assert_eq!(drawn.together as usize, least);
    }

    #[test]
    fn seeds_go_round_the_groups_as_a_snake(seed in any::<[u8; 32]>(), n in 6..50_usize, size in 3..6_usize) {
        let entrants = entrants(&vec![0; n], n);
        let count = groups::count(n, size);
        let drawn = groups::draw(count, &entrants, &Lots::new(seed));
        for (number, group) in drawn.groups.iter().enumerate() {
            for (row, at) in group.iter().enumerate() {
                let place = if row % 2 == 0 { number } else { count - 1 - number };
                prop_assert_eq!(*at, row * count + place);
            }
        }
    }

    #[test]
    fn what_was_changed_afterwards_is_found(seed in any::<[u8; 32]>(), change in 0..6_u8) {
        let mut record = record(seed, Format::KnockOut, 13);
        prop_assert_eq!(record.verify(), Ok(()));
        match change {
            0 => record.drawn.lines.swap(0, 15),
            1 => record.seed = "07".repeat(32),
            2 => record.terms.seed_rule = SeedRule::Bwf,
            3 => record.entries[3].id = "entry-4".to_owned(),
            4 => record.entries[12].organisation = None,
            _ => { record.entries.pop(); }
        }
        // Whether an organisation changes the draw is a matter of chance; everything else must be found.
        prop_assert!(change == 4 || record.verify().is_err());
    }
}

#[test]
fn separation_in_a_draw_of_sixteen_is_the_best_there_is() {
    for (n, organisations) in [
        vec![1, 1, 1, 1, 1, 2, 2, 2, 0, 0, 0, 0, 0],
        vec![1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0],
        vec![1, 0, 1, 0, 1, 1, 1, 1, 1, 1, 1, 2, 2],
        vec![1, 2, 1, 2, 1, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        vec![1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2],
    ]
    .into_iter()
    .enumerate()
    {
        for seeds in [0, 2, 4] {
            let entrants = entrants(&organisations, seeds);
            let drawn = knock_out::draw(
                SeedRule::Ittf,
                8,
                &entrants,
                &Lots::new([u8::try_from(10 * n + seeds).expect("small"); 32]),
            );
            let seeds = (0..seeds).collect();
            assert_eq!(drawn.together, best(&drawn, &entrants, &seeds), "{organisations:?}");
        }
    }
}

#[test]
fn every_line_can_be_reached() {
    let entrants = entrants(&[1, 2, 3, 4, 5, 5, 6, 7], 2);
    let mut reached = HashMap::<usize, HashSet<usize>>::new();
    for n in 0..200_u8 {
        let drawn = knock_out::draw(SeedRule::Ittf, 4, &entrants, &Lots::new([n; 32]));
        for (line, at) in drawn.lines.iter().enumerate() {
            reached.entry(at.expect("no byes")).or_default().insert(line);
        }
    }
    assert_eq!(reached[&0], HashSet::from([0]));
    assert_eq!(reached[&1], HashSet::from([7]));
    for at in 2..8 {
        assert_eq!(reached[&at], (1..7).collect(), "entrant {at}");
    }
}

#[test]
fn groups_are_of_about_the_size_asked_for() {
    for (entrants, size, groups) in
        [(2, 4, 1), (5, 4, 1), (6, 4, 2), (7, 4, 2), (11, 4, 3), (13, 4, 4), (52, 4, 13), (9, 3, 3)]
    {
        assert_eq!(groups::count(entrants, size), groups, "{entrants} by {size}");
    }
}

#[test]
fn whoever_was_in_one_group_is_as_far_apart_in_the_knock_out_as_can_be() {
    // Every number of groups, by both rules; the seeds differ from case to case.
    for count in 2..=32_usize {
        for (winners, rule) in [
            (1, SeedRule::Ittf),
            (2, SeedRule::Ittf),
            (2, SeedRule::Bwf),
            (3, SeedRule::Ittf),
            (4, SeedRule::Bwf),
        ] {
            for draw in 0..if winners == 2 { 8 } else { 2 } {
                let seed: [u8; 32] = [count, winners, draw]
                    .repeat(11)
                    .into_iter()
                    .take(32)
                    .map(|n| u8::try_from(n).expect("small"))
                    .collect::<Vec<u8>>()
                    .try_into()
                    .expect("32 bytes");
                as_far_apart_as_can_be(rule, count, winners, seed);
            }
        }
    }
}

#[track_caller]
fn as_far_apart_as_can_be(rule: SeedRule, count: usize, winners: usize, seed: [u8; 32]) {
    let drawn = groups::knock_out(rule, count, winners, &Lots::new(seed));
    let (who, size) = (groups::qualifiers(count, winners), drawn.lines.len());
    let line = |group, rank| {
        let at = who.iter().position(|one| *one == (group, rank)).expect("goes on");
        drawn.lines.iter().position(|line| *line == Some(at)).expect("placed")
    };
    let parts = |group, parts: usize| {
        let part = |rank| line(group, rank) * parts / size;
        (1..=winners).map(part).collect::<HashSet<usize>>().len()
    };
    for group in 1..=count {
        let said = format!("group {group} of {count}, {winners} go on, {rule:?}");
        if winners >= 2 {
            assert_ne!(line(group, 1) * 2 / size, line(group, 2) * 2 / size, "{said}");
        }
        // With two groups of two each the knock-out has four lines, with fewer there are no quarters.
        assert_eq!(parts(group, 4.min(size)), winners.min(size), "quarters: {said}");
        let halves: Vec<usize> = (1..=winners).map(|rank| line(group, rank) * 2 / size).collect();
        let above = halves.iter().filter(|half| **half == 0).count();
        assert!(above.abs_diff(winners - above) <= 1, "halves: {said}");
    }
    assert_eq!(drawn.together.first_round, 0);
    assert_eq!(groups::beyond(&drawn, count, winners), Together::default());
    // Winners get the byes first, in the order of their groups.
    let byes = size - who.len();
    for group in 1..=count.min(size / 2) {
        assert_eq!(drawn.lines[line(group, 1) ^ 1].is_none(), group <= byes);
    }
}

#[test]
fn a_record_of_the_first_version_is_drawn_as_it_was() {
    // Two of each of eleven groups: by the first version's rule halves could be shared, and what was published stands.
    let mut differ = 0;
    for seed in 0..8 {
        let mut record = record([seed; 32], Format::Groups, 42);
        assert_eq!(record.drawn.groups.len(), 11);
        assert_eq!(record.verify(), Ok(()));
        let now = record.drawn.clone();
        record.version = 1;
        record.drawn =
            super::record::draw(1, &[seed; 32], &record.terms.clone(), &record.entries.clone());
        assert_eq!(record.verify(), Ok(()));
        let differs = record.drawn.lines != now.lines;
        differ += usize::from(differs);
        record.drawn = now;
        assert_eq!(record.verify().is_err(), differs);
    }
    assert!(differ > 0);
    let mut newer = record([1; 32], Format::Groups, 13);
    newer.version = VERSION + 1;
    assert_eq!(newer.verify(), Err(Fault::Unknown));
}

/// A record of `n` entries that follows from its seed.
pub(super) fn record(seed: [u8; 32], format: Format, n: u8) -> Record {
    let entries: Vec<Entry> = (0..n)
        .map(|n| Entry {
            id: format!("entry-{n}"),
            name: "王*明".to_owned(),
            organisation: (n % 5 > 0).then(|| format!("单位{}", n % 5)),
            seed: (n < 4).then(|| u32::from(n) + 1),
        })
        .collect();
    let terms = Terms { format, seed_rule: SeedRule::Ittf, group_size: 4, group_winners: 2 };
    let drawn = super::record::draw(VERSION, &seed, &terms, &entries);
    Record {
        version: VERSION,
        kind: KIND.to_owned(),
        title: "乒乓球男子单打".to_owned(),
        commitment: commitment(&seed),
        committed_ms: 0,
        seed: data_encoding::HEXLOWER.encode(&seed),
        drawn_ms: 1,
        terms,
        entries,
        drawn,
    }
}

#[test]
fn the_order_of_the_list_does_not_matter() {
    for format in [Format::KnockOut, Format::Groups, Format::RoundRobin] {
        let mut record = record([5; 32], format, 13);
        record.entries.reverse();
        assert_eq!(record.verify(), Ok(()));
        let text = serde_json::to_string(&record).expect("JSON");
        assert_eq!(serde_json::from_str::<Record>(&text).expect("a record"), record);
    }
}

#[test]
fn a_record_without_entries_or_of_another_kind_is_refused() {
    let mut empty = record([1; 32], Format::Groups, 13);
    empty.entries.clear();
    empty.drawn = Drawn::default();
    assert_eq!(empty.verify(), Err(Fault::Entries));
    let mut ballot = record([1; 32], Format::Groups, 13);
    ballot.kind = "ballot".to_owned();
    assert_eq!(ballot.verify(), Err(Fault::Unknown));
}
