//! Whether a run can come back to a state: judged from the automata alone.
//!
//! Along a cycle of the state graph, follow a step backwards: within its task to the step before it;
//! from the first step of a spawned task to the step that spawned it; from the first step of a work
//! item's run to a step that queued it, which the cycle must contain, since taking the item clears
//! PENDING. The way back never ends and the automata are finite, so it goes around a cycle of the
//! graph made here. If that has none, no run comes back to a state, and there is no livelock.

use petgraph::algo::is_cyclic_directed;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;

use super::expand::Expander;
use crate::machine::op::Action;
use crate::machine::program::Program;
use crate::search::system::EMPTY;

impl<P: Program> Expander<'_, P> {
    /// False if no run of the steps met so far comes back to a state.
    pub(in crate::search) fn may_come_back(&self) -> bool {
        let automata = self.system.automaton().graph();
        let starts = |at: usize| match &self.nodes[at].op {
            Some(op) => match (op.under, &op.actions[..]) {
                (None, [Action::WorkStart(cell)]) => Some(*cell),
                _ => None,
            },
            None => None,
        };
        let mut graph: DiGraph<(), ()> = DiGraph::with_capacity(self.nodes.len(), automata.edge_count());
        self.nodes.iter().for_each(|_| {
            graph.add_node(());
        });
        let mut runs = Vec::new();
        for edge in automata.edge_references() {
            match starts(edge.source().index()) {
                Some(cell) => runs.push((cell, edge.target())),
                None => {
                    graph.add_edge(edge.source(), edge.target(), ());
                }
            }
        }
        for (at, node) in self.nodes.iter().enumerate() {
            let from = NodeIndex::new(at);
            if node.spawns != EMPTY {
                graph.add_edge(from, NodeIndex::new(node.spawns as usize), ());
            }
            for action in node.op.iter().flat_map(|op| &op.actions) {
                let Action::QueueWork(queued) = action else { continue };
                for (_, target) in runs.iter().filter(|(cell, _)| cell == queued) {
                    graph.add_edge(from, *target, ());
                }
            }
        }
        is_cyclic_directed(&graph)
    }
}
