//! The draw of a knock-out: seeds, byes, everybody else, one organisation's entrants as far apart as can be.
//!
//! Entrants are drawn one by one, each to a line by lot. A line is taken only if the others can still be kept apart as
//! well as before: that is asked of a flow of least cost from the organisations through the halves and quarters. So no
//! choice ever has to be taken back, and the result is as good as the best one (the tests try all of them).

use super::{
    Entrant, Together,
    flow::Network,
    lots::Lots,
    places::{byes, crowd, seed_blocks},
};
use crate::contest::SeedRule;

/// What a pair in one half, in one quarter, and in one match of the first round costs: no number of the later ones
/// outweighs one of the earlier.
const HALF: i64 = 10_000 * QUARTER;
const QUARTER: i64 = 1_000;
const FIRST_ROUND: i64 = 1;

/// A drawn knock-out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnockOut {
    /// For each line from the top, the place of its entrant in the list that was drawn; none: a bye.
    pub lines: Vec<Option<usize>>,
    /// Who could not be kept apart.
    pub together: Together,
}

/// On which place of its block a seed stands, where separation leaves the choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seeds {
    /// The lot decides, as the rules of ITTF and BWF say.
    ByLot,
    /// Where the half, quarter, eighth… has fewest seeds, then the lot: a block that is not full leaves no half short of
    /// places.
    Spread,
}

/// Draws `entrants` (2 to [`super::ENTRANTS_MAX`]), of whom the first `seeds_max` with a seed get a place for seeds.
#[must_use]
pub fn draw(rule: SeedRule, seeds_max: usize, entrants: &[Entrant], lots: &Lots) -> KnockOut {
    draw_with(rule, seeds_max, Seeds::ByLot, entrants, lots)
}

/// Draws as [`draw`] does, with the seeds of a block laid as `laid` says.
#[must_use]
pub(super) fn draw_with(
    rule: SeedRule,
    seeds_max: usize,
    laid: Seeds,
    entrants: &[Entrant],
    lots: &Lots,
) -> KnockOut {
    let size = entrants.len().next_power_of_two().max(2);
    let mut board = Board::new(size, entrants);
    let seeds = board.place_seeds(rule, seeds_max, laid, lots);
    for line in byes(rule, size, entrants.len(), &seeds, lots) {
        board.close(line);
    }
    for line in &seeds {
        board.fixed[line - 1] = true;
    }
    board.seeding = false;
    board.place_others(lots);
    board.part_first_round(lots);
    let together = together(&board.lines, entrants);
    KnockOut { lines: board.lines, together }
}

/// How many pairs of one organisation share a half, a quarter, a match of the first round.
#[must_use]
pub fn together(lines: &[Option<usize>], entrants: &[Entrant]) -> Together {
    let size = lines.len();
    let mut together = Together::default();
    let of = |line: usize| entrants[lines[line]?].organisation.as_deref();
    for a in 0..size {
        for b in a + 1..size {
            if of(a).is_some() && of(a) == of(b) {
                let (quarter_a, quarter_b) = (a * 4 / size, b * 4 / size);
                together.half += u32::from(quarter_a / 2 == quarter_b / 2);
                together.quarter += u32::from(quarter_a == quarter_b);
                together.first_round += u32::from(a / 2 == b / 2);
            }
        }
    }
    together
}

/// The lines while they fill. Lines count from 0 here.
struct Board<'a> {
    entrants: &'a [Entrant],
    lines: Vec<Option<usize>>,
    /// Lines nobody may be drawn to any more.
    closed: Vec<bool>,
    /// Where the seeds stand, once all of them do.
    fixed: Vec<bool>,
    /// The seeds are being placed: byes are not known yet, so nor is the first round.
    seeding: bool,
    /// The organisation of each entrant, by number; who has none is one of their own.
    organisation: Vec<usize>,
    /// For each organisation, how many are still to be drawn in this stage.
    waiting: Vec<u32>,
}

/// How the flow would spread the others: for each organisation, how many to each quarter, and what all of it costs.
struct Plan {
    cost: i64,
    quarters: Vec<[u32; 4]>,
}

impl<'a> Board<'a> {
    fn new(size: usize, entrants: &'a [Entrant]) -> Self {
        let organisation = numbered(entrants);
        let mut waiting = vec![0; entrants.len()];
        for (number, entrant) in organisation.iter().zip(entrants) {
            waiting[*number] += u32::from(entrant.stage == 0);
        }
        Self {
            entrants,
            lines: vec![None; size],
            closed: vec![false; size],
            fixed: vec![false; size],
            seeding: true,
            organisation,
            waiting,
        }
    }

    fn quarter(&self, line: usize) -> usize {
        line * 4 / self.lines.len()
    }

    /// Keeps a line (from 1) empty.
    fn close(&mut self, line: usize) {
        self.closed[line - 1] = true;
    }

    fn put(&mut self, entrant: usize, line: usize) {
        self.lines[line] = Some(entrant);
        self.closed[line] = true;
        self.waiting[self.organisation[entrant]] -= 1;
    }

    fn take_back(&mut self, entrant: usize, line: usize) {
        self.lines[line] = None;
        self.closed[line] = false;
        self.waiting[self.organisation[entrant]] += 1;
    }

    /// Each seed to a line of its block: the first by lot that keeps the others apart best. Gives the lines from 1 in
    /// the order of the seeds.
    fn place_seeds(
        &mut self,
        rule: SeedRule,
        seeds_max: usize,
        laid: Seeds,
        lots: &Lots,
    ) -> Vec<usize> {
        let seeded = (0..self.entrants.len()).filter(|at| self.entrants[*at].seed.is_some());
        let mut seeded = lots.order(seeded, |at| format!("entry/{}", self.entrants[*at].id));
        seeded.sort_by_key(|at| self.entrants[*at].seed);
        let mut seeded = seeded.into_iter().take(seeds_max);
        let mut lines = Vec::new();
        for block in seed_blocks(rule, self.lines.len()) {
            let mut free = block;
            while !free.is_empty() {
                let Some(entrant) = seeded.next() else { return lines };
                let id = &self.entrants[entrant].id;
                let order = lots.order(free.clone(), |line| format!("line/{id}/{line}"));
                let mut costs = [None; 4];
                // Of equal ones the first.
                let line = order.into_iter().min_by_key(|line| {
                    let quarter = self.quarter(line - 1);
                    let cost =
                        *costs[quarter].get_or_insert_with(|| self.cost_of(entrant, line - 1));
                    let crowded = match laid {
                        Seeds::ByLot => Vec::new(),
                        Seeds::Spread => crowd(*line, self.lines.len(), &lines),
                    };
                    (cost, crowded)
                });
                let Some(line) = line else { return lines };
                self.put(entrant, line - 1);
                free.retain(|other| *other != line);
                lines.push(line);
            }
        }
        lines
    }

    fn cost_of(&mut self, entrant: usize, line: usize) -> i64 {
        self.put(entrant, line);
        let cost = self.plan().cost;
        self.take_back(entrant, line);
        cost
    }

    /// Everybody else stage by stage, the largest organisation first.
    fn place_others(&mut self, lots: &Lots) {
        let mut size = vec![0; self.entrants.len()];
        for number in &self.organisation {
            size[*number] += 1;
        }
        let placed: Vec<usize> = self.lines.iter().flatten().copied().collect();
        let others = (0..self.entrants.len()).filter(|at| !placed.contains(at));
        let mut others = lots.order(others, |at| format!("entry/{}", self.entrants[*at].id));
        let name = |at: usize| self.entrants[at].organisation.as_deref().unwrap_or_default();
        others.sort_by_cached_key(|at| {
            let lot = lots.of(&format!("organisation/{}", name(*at)));
            (std::cmp::Reverse(size[self.organisation[*at]]), lot)
        });
        let last = self.entrants.iter().map(|entrant| entrant.stage).max().unwrap_or(0);
        for stage in 0..=last {
            let of_stage = |at: &usize| self.entrants[*at].stage == stage;
            let now: Vec<usize> = others.iter().copied().filter(of_stage).collect();
            if stage > 0 {
                for at in &now {
                    self.waiting[self.organisation[*at]] += 1;
                }
            }
            let mut plan = self.plan();
            for entrant in now {
                plan = self.place(entrant, plan, lots);
            }
        }
    }

    /// Draws one entrant to the first line by lot that costs nothing; gives the plan for the rest.
    fn place(&mut self, entrant: usize, mut plan: Plan, lots: &Lots) -> Plan {
        let organisation = self.organisation[entrant];
        let id = &self.entrants[entrant].id;
        let free = (0..self.lines.len()).filter(|line| !self.closed[*line]);
        let order = lots.order(free, |line| format!("line/{id}/{}", line + 1));
        let mut refused = [false; 4];
        for line in &order {
            let quarter = self.quarter(*line);
            if refused[quarter] {
                continue;
            }
            self.put(entrant, *line);
            if plan.quarters[organisation][quarter] > 0 {
                plan.quarters[organisation][quarter] -= 1;
                return plan;
            }
            let other = self.plan();
            if other.cost == plan.cost {
                return other;
            }
            self.take_back(entrant, *line);
            refused[quarter] = true;
        }
        unreachable!("the plan sends every entrant to some quarter with a free line")
    }

    /// For each organisation, how many of it stand in each quarter already, and how many of them not as seeds.
    fn standing(&self) -> (Vec<[u32; 4]>, Vec<[u32; 4]>) {
        let mut all = vec![[0; 4]; self.entrants.len()];
        let mut movable = all.clone();
        for (line, entrant) in self.lines.iter().enumerate() {
            if let Some(entrant) = entrant {
                let (organisation, quarter) = (self.organisation[*entrant], self.quarter(line));
                all[organisation][quarter] += 1;
                movable[organisation][quarter] += u32::from(!self.fixed[line]);
            }
        }
        (all, movable)
    }

    /// For each quarter, in how many matches of the first round somebody of `organisation` can stand without meeting
    /// one of their own; without end while the seeds are being placed.
    fn apart(&self, organisation: usize, byes: &[bool]) -> [u32; 4] {
        if self.seeding {
            return [u32::MAX; 4];
        }
        let mut apart = [0; 4];
        for pair in (0..self.lines.len()).step_by(2) {
            let is_seed = |line: &usize| self.fixed[*line];
            let open = [pair, pair + 1].iter().any(|line| !is_seed(line) && !byes[*line]);
            let own = [pair, pair + 1].iter().filter(|line| is_seed(line)).any(|line| {
                self.lines[*line].is_some_and(|seed| self.organisation[seed] == organisation)
            });
            apart[self.quarter(pair)] += u32::from(open && !own);
        }
        apart
    }

    /// The best that can still be done.
    fn plan(&self) -> Plan {
        let mut network = Network::default();
        let (source, sink) = (network.node(), network.node());
        let quarters = [(); 4].map(|()| network.node());
        let byes: Vec<bool> = self
            .closed
            .iter()
            .zip(&self.lines)
            .map(|(closed, line)| *closed && line.is_none())
            .collect();
        let mut room = [0; 4];
        for line in 0..self.lines.len() {
            room[self.quarter(line)] += u32::from(!self.closed[line]);
        }
        for (quarter, room) in quarters.into_iter().zip(room) {
            network.arc(quarter, sink, room, 0);
        }
        let (standing, movable) = self.standing();
        let mut cost = 0;
        // Those with nobody to be kept apart from may go anywhere: one node stands for all of them.
        let lone = network.node();
        let lone_arcs = quarters.map(|quarter| network.arc(lone, quarter, u32::MAX / 2, 0));
        let mut alone = 0;
        let mut arcs = Vec::new();
        for organisation in 0..self.entrants.len() {
            let (waiting, standing) = (self.waiting[organisation], standing[organisation]);
            let total = standing.iter().sum::<u32>() + waiting;
            if total <= 1 {
                alone += waiting;
                continue;
            }
            let apart = self.apart(organisation, &byes);
            let (mut halves, node) = ([0; 2], network.node());
            network.arc(source, node, waiting, 0);
            for quarter in 0..4 {
                halves[quarter / 2] += standing[quarter];
                let met = movable[organisation][quarter].saturating_sub(apart[quarter]);
                cost += QUARTER * pairs(standing[quarter]) + FIRST_ROUND * i64::from(met);
            }
            for (half, &there) in halves.iter().enumerate() {
                cost += HALF * pairs(there);
                let middle = network.node();
                for more in 0..waiting {
                    network.arc(node, middle, 1, HALF * i64::from(there + more));
                }
                for quarter in [2 * half, 2 * half + 1] {
                    for more in 0..waiting.min(room[quarter]) {
                        let meets = movable[organisation][quarter] + more >= apart[quarter];
                        let price = QUARTER * i64::from(standing[quarter] + more)
                            + FIRST_ROUND * i64::from(meets);
                        let arc = network.arc(middle, quarters[quarter], 1, price);
                        arcs.push((organisation, quarter, arc));
                    }
                }
            }
        }
        network.arc(source, lone, alone, 0);
        cost += network.send(source, sink).1;
        let lone_flow = lone_arcs.map(|arc| network.through(arc));
        let mut plan = vec![[0; 4]; self.entrants.len()];
        for (organisation, quarter, arc) in arcs {
            plan[organisation][quarter] += network.through(arc);
        }
        share(&mut plan, lone_flow, &self.waiting, &standing);
        Plan { cost, quarters: plan }
    }

    /// Changes entrants of one quarter who would meet one of their own for others, as long as there is somebody to
    /// change with.
    fn part_first_round(&mut self, lots: &Lots) {
        let size = self.lines.len();
        let movable: Vec<usize> =
            (0..size).filter(|line| self.lines[*line].is_some() && !self.fixed[*line]).collect();
        for x in movable.iter().copied() {
            if !self.meets_own(x) {
                continue;
            }
            let near = movable.iter().copied().filter(|y| self.quarter(*y) == self.quarter(x));
            for y in lots.order(near, |y| format!("swap/{}/{}", x + 1, y + 1)) {
                self.lines.swap(x, y);
                if !self.meets_own(x) && !self.meets_own(y) {
                    break;
                }
                self.lines.swap(x, y);
            }
        }
    }

    /// Whether who stands on a line meets one of their own in the first round.
    fn meets_own(&self, line: usize) -> bool {
        match (self.lines[line], self.lines[line ^ 1]) {
            (Some(a), Some(b)) => self.organisation[a] == self.organisation[b],
            _ => false,
        }
    }
}

const fn pairs(n: u32) -> i64 {
    let n = n as i64;
    n * (n - 1) / 2
}

/// Numbers the organisations; who has none gets a number of their own.
pub(super) fn numbered(entrants: &[Entrant]) -> Vec<usize> {
    let mut first = std::collections::HashMap::new();
    entrants
        .iter()
        .enumerate()
        .map(|(at, entrant)| match entrant.organisation.as_deref() {
            Some(organisation) => *first.entry(organisation).or_insert(at),
            None => at,
        })
        .collect()
}

/// Hands the flow of those who may go anywhere to them, one each.
fn share(plan: &mut [[u32; 4]], mut flow: [u32; 4], waiting: &[u32], standing: &[[u32; 4]]) {
    for organisation in 0..plan.len() {
        if waiting[organisation] == 1
            && standing[organisation] == [0; 4]
            && let Some(quarter) = (0..4).find(|quarter| flow[*quarter] > 0)
        {
            flow[quarter] -= 1;
            plan[organisation][quarter] = 1;
        }
    }
}
