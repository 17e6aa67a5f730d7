//! Flows of least cost through a small network: how well the entrants still to be drawn can be kept apart.

/// A network. Nodes are numbers from 0; arcs have a capacity and a cost for each unit.
#[derive(Clone, Debug, Default)]
pub(super) struct Network {
    /// Arcs stand in pairs: the arc, then its way back.
    arcs: Vec<Arc>,
    /// The arcs that leave each node.
    leaving: Vec<Vec<usize>>,
}

#[derive(Clone, Copy, Debug)]
struct Arc {
    to: usize,
    left: u32,
    cost: i64,
}

impl Network {
    /// A new node.
    pub(super) fn node(&mut self) -> usize {
        self.leaving.push(Vec::new());
        self.leaving.len() - 1
    }

    /// An arc; gives its number.
    pub(super) fn arc(&mut self, from: usize, to: usize, capacity: u32, cost: i64) -> usize {
        let arc = self.arcs.len();
        self.arcs.push(Arc { to, left: capacity, cost });
        self.arcs.push(Arc { to: from, left: 0, cost: -cost });
        self.leaving[from].push(arc);
        self.leaving[to].push(arc + 1);
        arc
    }

    /// How much flows through an arc.
    pub(super) fn through(&self, arc: usize) -> u32 {
        self.arcs[arc + 1].left
    }

    /// Sends as much as it can from `source` to `sink` at the least cost; gives how much, and the cost.
    pub(super) fn send(&mut self, source: usize, sink: usize) -> (u32, i64) {
        let (mut sent, mut cost) = (0, 0);
        while let Some((path, distance)) = self.cheapest(source, sink) {
            let most = path.iter().map(|arc| self.arcs[*arc].left).min().unwrap_or(0);
            for arc in path {
                self.arcs[arc].left -= most;
                self.arcs[arc ^ 1].left += most;
            }
            sent += most;
            cost += distance * i64::from(most);
        }
        (sent, cost)
    }

    /// The cheapest way that has room, by Bellman and Ford with a queue.
    fn cheapest(&self, source: usize, sink: usize) -> Option<(Vec<usize>, i64)> {
        let mut distance = vec![i64::MAX; self.leaving.len()];
        let mut came_by = vec![usize::MAX; self.leaving.len()];
        let mut waits = vec![false; self.leaving.len()];
        let mut queue = std::collections::VecDeque::from([source]);
        distance[source] = 0;
        while let Some(node) = queue.pop_front() {
            waits[node] = false;
            for &arc in &self.leaving[node] {
                let Arc { to, left, cost } = self.arcs[arc];
                let through = distance[node] + cost;
                if left > 0 && through < distance[to] {
                    distance[to] = through;
                    came_by[to] = arc;
                    if !std::mem::replace(&mut waits[to], true) {
                        queue.push_back(to);
                    }
                }
            }
        }
        if distance[sink] == i64::MAX {
            return None;
        }
        let mut path = Vec::new();
        let mut node = sink;
        while node != source {
            let arc = came_by[node];
            path.push(arc);
            node = self.arcs[arc ^ 1].to;
        }
        Some((path, distance[sink]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cheap_way_is_filled_before_the_dear_one_and_left_when_it_must_be() {
        let mut network = Network::default();
        let [source, a, b, sink] = [(); 4].map(|()| network.node());
        network.arc(source, a, 2, 0);
        network.arc(source, b, 1, 0);
        let near = network.arc(a, sink, 2, 1);
        let across = network.arc(a, b, 1, 0);
        let far = network.arc(b, sink, 1, 0);
        // a's first unit would take b's free way to the sink; b's own unit has no other, so a gives it back.
        assert_eq!(network.send(source, sink), (3, 2));
        assert_eq!([near, across, far].map(|arc| network.through(arc)), [2, 0, 1]);
    }
}
