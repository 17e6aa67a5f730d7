//! The draw into groups: seeds by the snake, everybody else by lot, one organisation's entrants spread evenly.

use super::{
    Entrant, Together,
    flow::Network,
    knock_out::{self, KnockOut, Seeds, numbered},
    lots::Lots,
};
use crate::contest::SeedRule;

/// How many groups of about `group_size` there are: none has fewer than three, unless there are fewer entrants.
#[must_use]
pub fn count(entrants: usize, group_size: usize) -> usize {
    let count = entrants.div_ceil(group_size.max(1));
    count.min(entrants / 3).max(1)
}

/// Drawn groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Groups {
    /// For each group, the places of its entrants in the list that was drawn, seeds first.
    pub groups: Vec<Vec<usize>>,
    /// How many pairs of one organisation share a group.
    pub together: u32,
}

/// Draws `entrants` into `count` groups. Seeds go 1, 2, … count, count, … 2, 1 and so on; a seed that would be with one of
/// its own, when it need not be, takes another group of the same row by lot.
#[must_use]
pub fn draw(count: usize, entrants: &[Entrant], lots: &Lots) -> Groups {
    let mut board = Board::new(count, entrants);
    let seeded = (0..entrants.len()).filter(|at| entrants[*at].seed.is_some());
    let mut seeded = lots.order(seeded, |at| format!("entry/{}", entrants[*at].id));
    seeded.sort_by_key(|at| entrants[*at].seed);
    let mut plan = board.plan();
    for row in seeded.chunks(count).enumerate() {
        plan = board.place_row(row, plan, lots);
    }
    let mut size = vec![0; entrants.len()];
    for number in &board.organisation {
        size[*number] += 1;
    }
    let others = (0..entrants.len()).filter(|at| !seeded.contains(at));
    let mut others = lots.order(others, |at| format!("entry/{}", entrants[*at].id));
    others.sort_by_cached_key(|at| {
        let name = entrants[*at].organisation.as_deref().unwrap_or_default();
        let size = size[board.organisation[*at]];
        (std::cmp::Reverse(size), lots.of(&format!("organisation/{name}")))
    });
    for entrant in others {
        let order =
            lots.order(0..count, |group| format!("group/{}/{}", entrants[entrant].id, group + 1));
        plan = board.place(entrant, &order, plan);
    }
    // Who plays whom when follows from the places in the group: seeds first, the others by lot.
    for group in &mut board.groups {
        let (seeds, rest): (Vec<usize>, Vec<usize>) =
            group.iter().partition(|at| seeded.contains(at));
        *group = seeds;
        group.extend(lots.order(rest, |at| format!("place/{}", entrants[*at].id)));
    }
    let together = together(&board.groups, entrants);
    Groups { groups: board.groups, together }
}

/// How many pairs of one organisation share a group.
#[must_use]
pub fn together(groups: &[Vec<usize>], entrants: &[Entrant]) -> u32 {
    let of = |at: usize| entrants[at].organisation.as_deref();
    let in_group = |group: &Vec<usize>| {
        let pairs = group
            .iter()
            .enumerate()
            .flat_map(|(n, a)| group[n + 1..].iter().map(move |b| (*a, *b)));
        pairs.filter(|(a, b)| of(*a).is_some() && of(*a) == of(*b)).count()
    };
    u32::try_from(groups.iter().map(in_group).sum::<usize>()).unwrap_or(u32::MAX)
}

/// How often a knock-out behind groups is drawn anew, at most, while a pair of one group could be further apart.
const ATTEMPTS: u32 = 64;

/// The knock-out that `groups` groups fill with the first `winners` of each: whoever was in one group is kept apart as
/// those of one organisation are, the first two in different halves, four in four quarters. Winners of groups stand on
/// the places of seeds, in the order of their groups, spread over halves and quarters, and get the byes first. The
/// entrants are in the order of [`qualifiers`]. A draw that keeps not all apart whom it could is drawn anew, with the
/// lots of the next attempt; of all that were made the best counts.
#[must_use]
pub fn knock_out(rule: SeedRule, groups: usize, winners: usize, lots: &Lots) -> KnockOut {
    let mut best: Option<KnockOut> = None;
    for attempt in 0..ATTEMPTS {
        let drawn = match attempt {
            0 => attempted(rule, groups, winners, Seeds::Spread, lots),
            _ => {
                let lots = Lots::new(lots.of(&format!("again/{attempt}")));
                attempted(rule, groups, winners, Seeds::Spread, &lots)
            }
        };
        let is_ideal = beyond(&drawn, groups, winners) == Together::default();
        if best.as_ref().is_none_or(|best| drawn.together < best.together) {
            best = Some(drawn);
        }
        if is_ideal {
            break;
        }
    }
    best.expect("there is at least one attempt")
}

/// The knock-out behind groups as records of version 1 have it: winners of a block that is not full by lot, drawn once.
#[must_use]
pub fn knock_out_of_version_1(
    rule: SeedRule,
    groups: usize,
    winners: usize,
    lots: &Lots,
) -> KnockOut {
    attempted(rule, groups, winners, Seeds::ByLot, lots)
}

/// Pairs of one group that are nearer to each other in a knock-out behind groups than so many of a group must be: of
/// three, two share a half, of four twice two, of more two share a quarter.
#[must_use]
pub fn beyond(drawn: &KnockOut, groups: usize, winners: usize) -> Together {
    let pairs = |n: usize| n * n.saturating_sub(1) / 2;
    // So many of each group spread over that many parts.
    let least = |parts: usize| {
        let (each, more) = (winners / parts, winners % parts);
        let pairs = more * pairs(each + 1) + (parts - more) * pairs(each);
        u32::try_from(groups * pairs).unwrap_or(u32::MAX)
    };
    Together {
        group: 0,
        half: drawn.together.half.saturating_sub(least(2)),
        quarter: drawn.together.quarter.saturating_sub(least(4)),
        first_round: drawn.together.first_round,
    }
}

fn attempted(rule: SeedRule, groups: usize, winners: usize, laid: Seeds, lots: &Lots) -> KnockOut {
    let entrants: Vec<Entrant> = qualifiers(groups, winners)
        .into_iter()
        .map(|(group, rank)| Entrant {
            id: qualifier(group, rank),
            organisation: Some(group.to_string()),
            seed: u32::try_from(group).ok().filter(|_| rank == 1),
            stage: u8::try_from(rank - 1).unwrap_or(u8::MAX),
        })
        .collect();
    let places = entrants.len().next_power_of_two() / 2;
    knock_out::draw_with(rule, places, laid, &entrants, lots)
}

/// Group and rank of everybody who goes on: all firsts, then all seconds, and so on.
#[must_use]
pub fn qualifiers(groups: usize, winners: usize) -> Vec<(usize, usize)> {
    (1..=winners).flat_map(|rank| (1..=groups).map(move |group| (group, rank))).collect()
}

/// What the lots of a group's rank are drawn by: `1/2` is the second of the first group.
#[must_use]
pub fn qualifier(group: usize, rank: usize) -> String {
    format!("{group}/{rank}")
}

/// The groups while they fill.
struct Board {
    groups: Vec<Vec<usize>>,
    /// How many each may have.
    room: Vec<usize>,
    organisation: Vec<usize>,
    waiting: Vec<u32>,
}

/// For each organisation, how many the flow would send to each group, and what all of it costs.
struct Plan {
    cost: i64,
    groups: Vec<Vec<u32>>,
}

impl Board {
    fn new(count: usize, entrants: &[Entrant]) -> Self {
        let organisation = numbered(entrants);
        let mut waiting = vec![0; entrants.len()];
        for number in &organisation {
            waiting[*number] += 1;
        }
        // The last row of the snake is not full: who has one more follows from its direction.
        let (full, rest) = (entrants.len() / count, entrants.len() % count);
        let room = (0..count)
            .map(|group| {
                let from_start = if full % 2 == 0 { group } else { count - 1 - group };
                full + usize::from(from_start < rest)
            })
            .collect();
        Self { groups: vec![Vec::new(); count], room, organisation, waiting }
    }

    /// A row of seeds, each into a group of its own.
    fn place_row(&mut self, (row, seeds): (usize, &[usize]), mut plan: Plan, lots: &Lots) -> Plan {
        let count = self.groups.len();
        let mut free: Vec<usize> = (0..count).collect();
        for (at, seed) in seeds.iter().enumerate() {
            let snake = if row % 2 == 0 { at } else { count - 1 - at };
            let mut order = lots
                .order(free.clone(), |group| format!("row/{}/{}/{}", row + 1, at + 1, group + 1));
            // The snake's own group first, when nobody had to take it.
            order.sort_by_key(|group| *group != snake);
            plan = self.place(*seed, &order, plan);
            free.retain(|group| self.groups[*group].last() != Some(seed));
        }
        plan
    }

    /// Puts an entrant into the first group of `order` that costs nothing; into the first with room when all cost.
    fn place(&mut self, entrant: usize, order: &[usize], mut plan: Plan) -> Plan {
        let organisation = self.organisation[entrant];
        let order: Vec<usize> = order
            .iter()
            .copied()
            .filter(|group| self.groups[*group].len() < self.room[*group])
            .collect();
        self.waiting[organisation] -= 1;
        for group in &order {
            self.groups[*group].push(entrant);
            if plan.groups[organisation][*group] > 0 {
                plan.groups[organisation][*group] -= 1;
                return plan;
            }
            let other = self.plan();
            if other.cost == plan.cost {
                return other;
            }
            self.groups[*group].pop();
        }
        let group = order.first().copied().or_else(|| {
            (0..self.groups.len()).find(|group| self.groups[*group].len() < self.room[*group])
        });
        let group = group.expect("there is room for every entrant");
        self.groups[group].push(entrant);
        self.plan()
    }

    /// The best that can still be done.
    fn plan(&self) -> Plan {
        let mut network = Network::default();
        let (source, sink, lone) = (network.node(), network.node(), network.node());
        let groups: Vec<usize> = self.groups.iter().map(|_| network.node()).collect();
        let left: Vec<u32> = (self.groups.iter().zip(&self.room))
            .map(|(group, room)| u32::try_from(room - group.len()).unwrap_or(0))
            .collect();
        let mut lone_arcs = Vec::new();
        for (group, left) in groups.iter().zip(&left) {
            network.arc(*group, sink, *left, 0);
            lone_arcs.push(network.arc(lone, *group, *left, 0));
        }
        let mut standing = vec![vec![0_u32; self.groups.len()]; self.waiting.len()];
        for (number, group) in self.groups.iter().enumerate() {
            for entrant in group {
                standing[self.organisation[*entrant]][number] += 1;
            }
        }
        let (mut cost, mut alone, mut arcs) = (0, Vec::new(), Vec::new());
        for (organisation, waiting) in self.waiting.iter().copied().enumerate() {
            let standing = &standing[organisation];
            cost += standing.iter().map(|n| i64::from(n * n.saturating_sub(1) / 2)).sum::<i64>();
            if waiting == 1 && standing.iter().all(|n| *n == 0) {
                alone.push(organisation);
            } else if waiting > 0 {
                let node = network.node();
                network.arc(source, node, waiting, 0);
                for (group, node_of_group) in groups.iter().enumerate() {
                    for more in 0..waiting.min(left[group]) {
                        let price = i64::from(standing[group] + more);
                        arcs.push((
                            organisation,
                            group,
                            network.arc(node, *node_of_group, 1, price),
                        ));
                    }
                }
            }
        }
        network.arc(source, lone, u32::try_from(alone.len()).unwrap_or(0), 0);
        cost += network.send(source, sink).1;
        let mut plan = vec![vec![0; self.groups.len()]; self.waiting.len()];
        for (organisation, group, arc) in arcs {
            plan[organisation][group] += network.through(arc);
        }
        // Hands the flow of those who may go anywhere to them, one each.
        let each = lone_arcs.iter().enumerate().flat_map(|(group, arc)| {
            std::iter::repeat_n(group, usize::try_from(network.through(*arc)).unwrap_or(0))
        });
        for (organisation, group) in alone.into_iter().zip(each) {
            plan[organisation][group] = 1;
        }
        Plan { cost, groups: plan }
    }
}
