//! From the histories of a program's tasks to automata: each distinct history is interned once, as a
//! node of a petgraph graph whose edges are the observed values.
//!
//! The graph is extracted lazily and memoised, so that modelled code runs only when a node is first
//! met; the searches handle node numbers. Numbers depend on the order of discovery, so nothing
//! observable may depend on them.

pub mod functions;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use indexmap::IndexMap;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;
use rustc_hash::FxBuildHasher;

use crate::machine::blocked::{Hold, holds};
use crate::machine::history::History;
use crate::machine::op::{Entry, Event, Op};
use crate::machine::place::Place;
use crate::machine::program::{Next, Program};
use crate::machine::rename::Renamer;
use crate::machine::value::Obs;

/// A control state of a task.
#[derive(Clone, Debug)]
pub struct Node {
    /// What the task remembers.
    pub control: History,
    /// The next step, and where the model says so; `None` at the end.
    pub next: Option<(Arc<Op>, Place)>,
    /// What a task here holds that others wait for.
    pub holds: Vec<Hold>,
}

impl Node {
    /// Whether a renaming makes another node of this one, as far as what the task does next and what it holds is concerned.
    pub(crate) fn becomes<P: Program>(&self, other: &Node, program: &P, renamer: &Renamer) -> bool {
        let [op, renamed] = [self, other].map(|node| node.next.as_ref().map(|(op, _)| &**op));
        let domain = |node: &Node| program.domain(node.control.entry());
        let hold = |hold: &Hold| match hold {
            Hold::Cell(cell) => Hold::Cell(renamer.cell(*cell)),
            Hold::Node(klist, node) => Hold::Node(renamer.cell(*klist), renamer.member(*klist, *node)),
        };
        let [event, told] = [op, renamed].map(|op| op.and_then(|op| op.event.as_ref()));
        let touches = |(event, told): (&Event, &Event)| {
            let touches = program.event_touches(event).into_iter();
            let touches: BTreeSet<_> = touches.map(|touch| renamer.touched(touch)).collect();
            touches == program.event_touches(told).into_iter().collect()
        };
        op.map(|op| renamer.op(op)).as_ref() == renamed
            && self.holds.iter().map(hold).eq(other.holds.iter().copied())
            && domain(self) == domain(other)
            && event.zip(told).is_none_or(touches)
    }
}

/// The automata of all tasks of a program, as far as they have been explored.
pub struct Automaton<'p, P: Program> {
    program: &'p P,
    graph: DiGraph<Node, Obs>,
    index: IndexMap<History, NodeIndex, FxBuildHasher>,
}

impl<'p, P: Program> Automaton<'p, P> {
    /// The automaton of which nothing has been explored.
    #[must_use]
    pub fn new(program: &'p P) -> Self {
        Automaton { program, graph: DiGraph::new(), index: IndexMap::default() }
    }

    /// The program.
    #[must_use]
    pub fn program(&self) -> &'p P {
        self.program
    }

    /// The graph so far.
    #[must_use]
    pub fn graph(&self) -> &DiGraph<Node, Obs> {
        &self.graph
    }

    /// A node.
    #[must_use]
    pub fn node(&self, node: NodeIndex) -> &Node {
        &self.graph[node]
    }

    /// The node of a task at its start.
    pub fn start(&mut self, entry: &Entry) -> NodeIndex {
        let (control, next) = self.program.start(entry);
        self.intern(control, next)
    }

    /// The node of a history, and of what its task does next.
    fn intern(&mut self, control: History, next: Next) -> NodeIndex {
        if let Some(node) = self.index.get(&control) {
            return *node;
        }
        let next = match next {
            Next::Step(op, at) => Some((Arc::new(op), at)),
            Next::Done => None,
        };
        let holds = holds(&control.atoms());
        let node = self.graph.add_node(Node { control: control.clone(), next, holds });
        self.index.insert(control, node);
        node
    }

    /// Where a task goes from a node when it observes this.
    pub fn resume(&mut self, node: NodeIndex, observed: Obs) -> NodeIndex {
        if let Some(edge) = self.graph.edges(node).find(|edge| *edge.weight() == observed) {
            return edge.target();
        }
        let (control, next) = self.program.resume(&self.graph[node].control, observed);
        let target = self.intern(control, next);
        self.graph.add_edge(node, target, observed);
        target
    }
}
