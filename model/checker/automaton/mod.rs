//! From a program's control values to automata: each distinct control value is interned once, as a
//! node of a petgraph graph whose edges are the observed values.
//!
//! The graph is extracted lazily and memoised, so that modelled code runs only when a node is first
//! met; the searches handle node numbers. Numbers depend on the order of discovery, so nothing
//! observable may depend on them.

pub mod functions;
pub mod history;
#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;

use indexmap::IndexMap;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;
use rustc_hash::FxBuildHasher;

use crate::machine::blocked::{Hold, holds};
use crate::machine::op::{Entry, Op};
use crate::machine::place::Place;
use crate::machine::program::{Next, Program};
use crate::machine::value::Obs;

/// A control state of a task.
#[derive(Clone, Debug)]
pub struct Node<C> {
    /// The program's own value for it.
    pub control: C,
    /// The next step, and where the model says so; `None` at the end.
    pub next: Option<(Arc<Op>, Place)>,
    /// What a task here holds that others wait for.
    pub holds: Vec<Hold>,
}

/// The automata of all tasks of a program, as far as they have been explored.
pub struct Automaton<'p, P: Program> {
    program: &'p P,
    graph: DiGraph<Node<P::Control>, Obs>,
    index: IndexMap<P::Control, NodeIndex, FxBuildHasher>,
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
    pub fn graph(&self) -> &DiGraph<Node<P::Control>, Obs> {
        &self.graph
    }

    /// A node.
    #[must_use]
    pub fn node(&self, node: NodeIndex) -> &Node<P::Control> {
        &self.graph[node]
    }

    /// The node of a task at its start.
    pub fn start(&mut self, entry: &Entry) -> NodeIndex {
        let control = self.program.start(entry);
        self.intern(control, None)
    }

    /// The node of a control value. `next`: its next step, if that is known.
    pub fn intern(&mut self, control: P::Control, next: Option<Next>) -> NodeIndex {
        if let Some(node) = self.index.get(&control) {
            return *node;
        }
        let next = match next.unwrap_or_else(|| self.program.next(&control)) {
            Next::Step(op, at) => Some((Arc::new(op), at)),
            Next::Done => None,
        };
        let holds = holds(&self.program.atoms(&control));
        let node = self.graph.add_node(Node { control: control.clone(), next, holds });
        self.index.insert(control, node);
        node
    }

    /// Where a task goes from a node when it observes this.
    pub fn resume(&mut self, node: NodeIndex, observed: Obs) -> NodeIndex {
        if let Some(edge) = self.graph.edges(node).find(|edge| *edge.weight() == observed) {
            return edge.target();
        }
        let (control, next) = self.program.resumed(&self.graph[node].control, observed);
        let target = self.intern(control, Some(next));
        self.graph.add_edge(node, target, observed);
        target
    }
}
