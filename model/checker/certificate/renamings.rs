//! Renamings of objects and tasks, after which a program goes on alike.
//!
//! Where a renaming takes each node of the automata is found as for the searches: the image of a task's start is the start
//! of the renamed task, and the image of where an observation leads is where the renamed observation leads from the image.
//! Each node's image must take the renamed step and hold what the renamed task holds. The automata are kept closed
//! under the renamings, so that they know what tasks can do in each state that a record stands for.

use indexmap::IndexSet;
use petgraph::graph::{EdgeIndex, NodeIndex};

use super::NoProof;
use crate::machine::op::Entry;
use crate::machine::program::Program;
use crate::machine::rename::{Renamer, Renaming};
use crate::search::system::{EMPTY, State, System};

/// A renaming, and where it takes each node.
struct Element {
    renamer: Renamer,
    images: Vec<Option<NodeIndex>>,
}

/// The renamings of a certificate, with the images of all that the automata have met.
pub(super) struct Renamings {
    elements: Vec<Element>,
    /// How many nodes and edges of the automata have their images.
    nodes: usize,
    edges: usize,
    starts: IndexSet<Entry>,
}

impl Renamings {
    /// These, which together with the one that does nothing must be all that can be made of them.
    pub(super) fn of<P: Program>(program: &P, all: &[Renaming]) -> Result<Self, NoProof> {
        let slots = program.slots().len();
        let permutes = |renaming: &Renaming| {
            let mut places = renaming.slots.clone();
            places.sort_unstable();
            places.into_iter().eq(0..slots)
        };
        if let Some(number) = all.iter().position(|renaming| !permutes(renaming)) {
            return Err(NoProof::Renaming(number));
        }
        let closed = |one: &Renaming| {
            all.iter().map(|other| one.then(other)).all(|made| made.is_identity() || all.contains(&made))
        };
        if !all.iter().all(closed) {
            return Err(NoProof::NoGroup);
        }
        let element = |(number, renaming): (usize, &Renaming)| {
            let renamer = Renamer::new(program, renaming).ok_or(NoProof::Renaming(number))?;
            Ok(Element { renamer, images: Vec::new() })
        };
        let elements = all.iter().enumerate().map(element).collect::<Result<_, NoProof>>()?;
        Ok(Renamings { elements, nodes: 0, edges: 0, starts: IndexSet::new() })
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.elements.len()
    }

    /// Finds the images of what the automata have met since.
    pub(super) fn learn<P: Program>(&mut self, system: &mut System<'_, P>) -> Result<(), NoProof> {
        if self.elements.is_empty() {
            return Ok(());
        }
        loop {
            let graph = system.automaton().graph();
            if self.nodes < graph.node_count() {
                let node = NodeIndex::new(self.nodes);
                self.nodes += 1;
                let entry = graph[node].control.entry().clone();
                if self.starts.insert(entry.clone()) {
                    let start = system.automaton_mut().start(&entry);
                    for (number, element) in self.elements.iter_mut().enumerate() {
                        let image = system.automaton_mut().start(&element.renamer.entry(&entry));
                        element.set(system, start, image).ok_or(NoProof::Renaming(number))?;
                    }
                }
            } else if self.edges < graph.edge_count() {
                let edge = EdgeIndex::new(self.edges);
                self.edges += 1;
                let (from, to) = graph.edge_endpoints(edge).expect("internal: an edge has ends");
                let observed = graph[edge];
                for (number, element) in self.elements.iter_mut().enumerate() {
                    let at = element.image(from).expect("internal: a node is met before its edges");
                    let image = system.automaton_mut().resume(at, element.renamer.obs(observed));
                    element.set(system, to, image).ok_or(NoProof::Renaming(number))?;
                }
            } else {
                return Ok(());
            }
        }
    }

    /// What a renaming makes of a state, and where its tasks are then: for each slot, that of the task that is there now.
    pub(super) fn image<P: Program>(
        &self,
        system: &System<'_, P>,
        number: usize,
        state: &State,
    ) -> (State, Vec<usize>) {
        let Element { renamer, images } = &self.elements[number];
        let mut memory = state.memory().to_vec();
        renamer.memory(state.memory(), &mut memory);
        let mut nodes = state.nodes().to_vec();
        let mut before: Vec<usize> = (0..nodes.len()).collect();
        for (slot, place) in renamer.slots().iter().enumerate() {
            let image =
                state.node(slot).map(|node| images[node.index()].expect("internal: a node that was met"));
            nodes[*place] = image.map_or(EMPTY, |node| node.index() as u32);
            before[*place] = slot;
        }
        let mut renamed = State::from_parts(&memory, nodes.into_iter());
        let came_from = system.sort_workers(&mut renamed);
        (renamed, came_from.into_iter().map(|slot| before[slot]).collect())
    }
}

impl Element {
    fn image(&self, node: NodeIndex) -> Option<NodeIndex> {
        self.images.get(node.index()).copied().flatten()
    }

    /// Takes a node for the image of another one, if it goes on as that does.
    fn set<P: Program>(&mut self, system: &System<'_, P>, node: NodeIndex, image: NodeIndex) -> Option<()> {
        if let Some(known) = self.image(node) {
            return (known == image).then_some(());
        }
        let [one, other] = [node, image].map(|node| system.automaton().node(node));
        if !one.becomes(other, system.program(), &self.renamer) {
            return None;
        }
        let length = self.images.len().max(node.index() + 1);
        self.images.resize(length, None);
        self.images[node.index()] = Some(image);
        Some(())
    }
}
