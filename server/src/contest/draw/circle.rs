//! Everybody against everybody: the first stays, the others move round (“1 固定，逆时针轮转”, domain.md §4.3).

/// The rounds of a group of `n`, each a list of pairs of places from 1. With an odd number one rests in each round.
#[must_use]
pub fn rounds(n: usize) -> Vec<Vec<(usize, usize)>> {
    if n < 2 {
        return Vec::new();
    }
    let even = n + n % 2;
    let mut ring: Vec<usize> = (1..=even).collect();
    let mut rounds = Vec::new();
    for _ in 1..even {
        let pairs = (0..even / 2).map(|at| (ring[at], ring[even - 1 - at]));
        // Who meets the place that is not there rests.
        rounds.push(pairs.filter(|(a, b)| *a <= n && *b <= n).collect());
        ring[1..].rotate_right(1);
    }
    rounds
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn six_play_as_the_circle_says() {
        // domain.md §4.3.
        let rounds: Vec<HashSet<(usize, usize)>> = rounds(6)
            .into_iter()
            .map(|round| round.into_iter().map(|(a, b)| (a.min(b), a.max(b))).collect())
            .collect();
        let expected = [
            [(1, 6), (2, 5), (3, 4)],
            [(1, 5), (4, 6), (2, 3)],
            [(1, 4), (3, 5), (2, 6)],
            [(1, 3), (2, 4), (5, 6)],
            [(1, 2), (3, 6), (4, 5)],
        ];
        assert_eq!(rounds, expected.map(HashSet::from));
    }

    #[test]
    fn five_are_six_without_the_sixth() {
        let without: Vec<Vec<(usize, usize)>> = rounds(6)
            .into_iter()
            .map(|round| round.into_iter().filter(|(a, b)| *a != 6 && *b != 6).collect())
            .collect();
        assert_eq!(rounds(5), without);
    }

    #[test]
    fn everybody_meets_everybody_once_and_plays_once_a_round() {
        for n in 2..=20 {
            let rounds = rounds(n);
            assert_eq!(rounds.len(), n - 1 + n % 2);
            let mut met = HashSet::new();
            for round in &rounds {
                let mut busy = HashSet::new();
                for (a, b) in round {
                    assert!(busy.insert(*a) && busy.insert(*b), "{a} and {b} of {n}");
                    assert!(met.insert((*a.min(b), *a.max(b))));
                }
            }
            assert_eq!(met.len(), n * (n - 1) / 2);
        }
    }
}
