//! The lines of a knock-out that are kept for seeds, and which lines stay empty. Lines count from 1 at the top.

use super::lots::Lots;
use crate::contest::SeedRule;

/// The lines for seeds in a draw of `size` (a power of two): blocks of one line for the first seed, one for the second,
/// two for the third and fourth, four for the fifth to eighth and so on. Within a block the lot decides.
///
/// ITTF 3.6.2: of the block m+1…2m, with the draw in m equal sections, the bottom of each odd and the top of each even
/// section. BWF: with the draw in 2m sections, the top of each even one in the upper half and the bottom of each odd
/// one in the lower half (domain.md §4.2). There is one place in each pair of the first round.
#[must_use]
pub fn seed_blocks(rule: SeedRule, size: usize) -> Vec<Vec<usize>> {
    let mut blocks = vec![vec![1]];
    if size < 2 {
        return blocks;
    }
    if size >= 4 {
        blocks.push(vec![size]);
    }
    let mut m = 2;
    while 2 * m <= size / 2 {
        let sections = match rule {
            SeedRule::Ittf => m,
            SeedRule::Bwf => 2 * m,
        };
        let length = size / sections;
        let line = |section: usize| match rule {
            SeedRule::Ittf if section % 2 == 1 => Some(section * length),
            SeedRule::Ittf => Some((section - 1) * length + 1),
            SeedRule::Bwf if section <= m && section.is_multiple_of(2) => {
                Some((section - 1) * length + 1)
            }
            SeedRule::Bwf if section > m && section % 2 == 1 => Some(section * length),
            SeedRule::Bwf => None,
        };
        blocks.push((1..=sections).filter_map(line).collect());
        m *= 2;
    }
    blocks
}

/// How many may be seeded: by the ITTF no more than there are matches in the first round; by the national badminton
/// rule 2 below 16 entries, 4 below 32, 8 below 64, else 16.
#[must_use]
pub fn seeds_max(rule: SeedRule, entrants: usize) -> usize {
    match rule {
        SeedRule::Ittf => entrants.next_power_of_two() / 2,
        SeedRule::Bwf => match entrants {
            0..16 => 2.min(entrants.next_power_of_two() / 2),
            16..32 => 4,
            32..64 => 8,
            _ => 16,
        },
    }
}

/// The line that `line` meets in the first round.
#[must_use]
pub const fn opponent(line: usize) -> usize {
    if line % 2 == 1 { line + 1 } else { line - 1 }
}

/// The lines that stay empty when `entrants` are drawn into `size`: opposite the seeds in their order, then opposite the
/// other places of seeds, block by block; within a block opposite the place in the half, quarter, eighth… that has
/// fewest byes so far, then by lot. `seeds` are the lines of the seeds in their order.
#[must_use]
pub fn byes(
    rule: SeedRule,
    size: usize,
    entrants: usize,
    seeds: &[usize],
    lots: &Lots,
) -> Vec<usize> {
    let count = size - entrants;
    let mut empty: Vec<usize> = seeds.iter().take(count).map(|line| opponent(*line)).collect();
    for block in seed_blocks(rule, size) {
        let free = block.into_iter().filter(|line| !seeds.contains(line));
        let mut free = lots.order(free, |line| format!("bye/{line}"));
        while empty.len() < count && !free.is_empty() {
            let at = (0..free.len()).min_by_key(|at| crowd(free[*at], size, &empty)).unwrap_or(0);
            empty.push(opponent(free.remove(at)));
        }
    }
    empty
}

/// How many of `taken` stand in the half of `line`, in its quarter, its eighth and so on, in a draw of `size`.
pub(super) fn crowd(line: usize, size: usize, taken: &[usize]) -> Vec<usize> {
    let parts = std::iter::successors(Some(2), |parts| Some(parts * 2));
    parts
        .take_while(|parts| *parts <= size / 2)
        .map(|parts| {
            let part = |line: usize| (line - 1) * parts / size;
            taken.iter().filter(|other| part(**other) == part(line)).count()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn seeds_stand_where_the_rules_say() {
        // domain.md §4.2, the table.
        let table: [(usize, SeedRule, &[&[usize]]); 6] = [
            (8, SeedRule::Ittf, &[&[1], &[8], &[4, 5]]),
            (8, SeedRule::Bwf, &[&[1], &[8], &[3, 6]]),
            (16, SeedRule::Ittf, &[&[1], &[16], &[8, 9], &[4, 5, 12, 13]]),
            (16, SeedRule::Bwf, &[&[1], &[16], &[5, 12], &[3, 7, 10, 14]]),
            (
                32,
                SeedRule::Ittf,
                &[&[1], &[32], &[16, 17], &[8, 9, 24, 25], &[4, 5, 12, 13, 20, 21, 28, 29]],
            ),
            (
                32,
                SeedRule::Bwf,
                &[&[1], &[32], &[9, 24], &[5, 13, 20, 28], &[3, 7, 11, 15, 18, 22, 26, 30]],
            ),
        ];
        for (size, rule, blocks) in table {
            assert_eq!(seed_blocks(rule, size), blocks, "{size} {rule:?}");
        }
    }

    #[test]
    fn each_pair_of_the_first_round_has_one_place_for_a_seed() {
        for rule in [SeedRule::Ittf, SeedRule::Bwf] {
            for size in [2, 4, 8, 16, 32, 64, 128, 256] {
                let lines: Vec<usize> = seed_blocks(rule, size).concat();
                assert_eq!(lines.len(), size / 2);
                let pairs: HashSet<usize> = lines.iter().map(|line| (line - 1) / 2).collect();
                assert_eq!(pairs.len(), size / 2, "{size} {rule:?}");
            }
        }
    }

    #[test]
    fn byes_are_spread_as_evenly_as_they_can_be() {
        for rule in [SeedRule::Ittf, SeedRule::Bwf] {
            for size in [8, 16, 32, 64, 128] {
                for entrants in size / 2 + 1..=size {
                    let lots = Lots::new([u8::try_from(entrants).expect("small"); 32]);
                    let empty = byes(rule, size, entrants, &[], &lots);
                    assert_eq!(empty.len(), size - entrants);
                    let pairs: HashSet<usize> = empty.iter().map(|line| (line - 1) / 2).collect();
                    assert_eq!(pairs.len(), empty.len(), "a bye meets a bye: {entrants} of {size}");
                    for parts in [2, 4] {
                        let in_part = |part| {
                            empty.iter().filter(|line| (**line - 1) * parts / size == part).count()
                        };
                        let (least, most) = (
                            (0..parts).map(in_part).min().expect("parts"),
                            (0..parts).map(in_part).max().expect("parts"),
                        );
                        assert!(
                            most - least <= 1,
                            "{entrants} of {size}: {least} to {most} in {parts}"
                        );
                    }
                }
            }
        }
    }
}
