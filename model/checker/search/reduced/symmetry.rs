//! Symmetry reduction: one representative per orbit.
//!
//! A program proposes renamings of its objects and tasks. One is used if layout, slots and memory after
//! the set-up are the same after it, and as long as the automata are: the image of a task's start is the
//! start of the renamed task; the image of where an observation leads is where the renamed observation
//! leads from the image. Each node met is checked to make the renamed step, so whatever a program
//! proposes, its tasks go on alike. A renaming that fails is given up, and the search begins again.
//!
//! The automata are kept closed under the renamings, steps that nobody has taken yet included. So what
//! tasks can still do is known in every state that some explored state stands for, and the choices of
//! steps hold as if all of those had been explored.

pub mod audit;
#[cfg(test)]
mod tests;

use indexmap::{IndexMap, IndexSet};
use petgraph::graph::{EdgeIndex, NodeIndex};

use crate::machine::hazard::About;
use crate::machine::program::Program;
use crate::machine::rename::{Renamer, group};
use crate::search::packed::expand::{Expander, Scratch};
use crate::search::system::EMPTY;

/// A renaming, and where it takes each node.
struct Element {
    renamer: Renamer,
    images: Vec<u32>,
}

/// The renamings after which a program is what it was.
#[derive(Default)]
pub(super) struct Symmetry {
    /// All but the one that does nothing, or generators of them.
    elements: Vec<Element>,
    /// Whether these are all.
    complete: bool,
    /// How many starts and edges of the automata, and which nodes' spawned tasks, have their images.
    starts: usize,
    edges: usize,
}

/// Room for images of a state.
#[derive(Clone, Default)]
pub(super) struct Images {
    image: Vec<u8>,
    least: Vec<u8>,
    scratch: Scratch,
}

/// A renaming was given up: states that were stored may stand for others no longer.
pub(super) struct GivenUp;

impl Symmetry {
    /// The renamings of a program with this memory after its set-up.
    pub(super) fn of<P: Program>(program: &P, memory: &[u8]) -> Self {
        let generators = program.renamings();
        let group = group(&generators);
        let complete = group.is_some();
        let renamers = group.unwrap_or(generators).into_iter();
        let renamers = renamers.filter_map(|renaming| Renamer::new(program, &renaming));
        let kept = renamers.filter(|renamer| renamer.keeps(memory));
        let elements = kept.map(|renamer| Element { renamer, images: Vec::new() }).collect();
        Symmetry { elements, complete, starts: 0, edges: 0 }
    }

    /// Finds the images of all that the automata have learnt.
    ///
    /// # Errors
    ///
    /// If they go on differently after some renaming.
    pub(super) fn learn<P: Program>(&mut self, expander: &mut Expander<'_, P>) -> Result<(), GivenUp> {
        if self.elements.is_empty() {
            return Ok(());
        }
        let before = self.elements.len();
        loop {
            if let Some(start) = expander.starts.get_index(self.starts).copied() {
                self.starts += 1;
                self.elements.retain_mut(|element| element.start(expander, start).is_some());
            } else if self.edges < expander.system.automaton().graph().edge_count() {
                let edge = EdgeIndex::new(self.edges);
                self.edges += 1;
                let graph = expander.system.automaton().graph();
                let observed = graph[edge];
                let Some((from, to)) = graph.edge_endpoints(edge) else {
                    unreachable!("internal: an edge has ends")
                };
                expander.meet();
                expander.join(from.index() as u32, Some(observed), to.index() as u32);
                self.elements.retain_mut(|element| element.edge(expander, edge).is_some());
            } else {
                expander.meet();
                if !self.spawn(expander) {
                    break;
                }
            }
        }
        if self.elements.len() == before { Ok(()) } else { Err(GivenUp) }
    }

    /// Where the images of nodes that spawn tasks do so too. True if something was new.
    fn spawn<P: Program>(&self, expander: &mut Expander<'_, P>) -> bool {
        let mut new = false;
        for at in 0..expander.nodes.len() {
            let spawned = expander.nodes[at].spawns;
            if spawned == EMPTY {
                continue;
            }
            for element in &self.elements {
                // The task's start is among the starts, but perhaps not the image of it yet.
                let (image, start) = (element.image(at as u32), element.image(spawned));
                if image != EMPTY && start != EMPTY && expander.nodes[image as usize].spawns == EMPTY {
                    expander.join(image, None, start);
                    new = true;
                }
            }
        }
        new
    }

    /// Puts in the place of a state the representative of its orbit: the least of its images. Where the
    /// renamings are too many to be tried one by one, it is one that no generator makes less: for tasks of
    /// which each has its own that is as if they were sorted.
    pub(super) fn canonical<P: Program>(
        &self,
        expander: &Expander<'_, P>,
        images: &mut Images,
        state: &mut [u8],
        fade: impl Fn(&mut [u8]),
    ) {
        let Images { image, least, scratch } = images;
        fade(state);
        loop {
            let mut moved = false;
            for element in &self.elements {
                image.clear();
                image.extend_from_slice(state);
                element.rename(expander, state, image);
                expander.sort_workers(scratch, image);
                fade(image);
                let than: &[u8] = if moved { least } else { state };
                if expander.order(image, than).is_lt() {
                    std::mem::swap(image, least);
                    moved = true;
                    if !self.complete {
                        state.copy_from_slice(least);
                    }
                }
            }
            if moved {
                state.copy_from_slice(least);
            }
            if self.complete || !moved {
                return;
            }
        }
    }

    /// Adds what hazards are about after each renaming.
    pub(super) fn close(&self, hazards: &mut IndexMap<&'static str, IndexSet<About>>) {
        for abouts in hazards.values_mut() {
            let mut at = 0;
            while let Some(about) = abouts.get_index(at).copied() {
                abouts.extend(self.elements.iter().map(|element| element.renamer.about(about)));
                at += 1;
            }
        }
    }
}

impl Element {
    fn image(&self, node: u32) -> u32 {
        self.images.get(node as usize).copied().unwrap_or(EMPTY)
    }

    /// The image of the start of a task.
    fn start<P: Program>(&mut self, expander: &mut Expander<'_, P>, start: u32) -> Option<()> {
        let automaton = expander.system.automaton_mut();
        let entry = automaton.node(NodeIndex::new(start as usize)).control.entry();
        let renamed = self.renamer.entry(entry);
        let image = automaton.start(&renamed).index() as u32;
        expander.starts.insert(image);
        self.set(expander, start, image)
    }

    /// The image of where an edge leads.
    fn edge<P: Program>(&mut self, expander: &mut Expander<'_, P>, edge: EdgeIndex) -> Option<()> {
        let automaton = expander.system.automaton_mut();
        let observed = self.renamer.obs(automaton.graph()[edge]);
        let (from, to) = automaton.graph().edge_endpoints(edge)?;
        let at = self.image(from.index() as u32);
        assert!(at != EMPTY, "internal: a node was met before its edges");
        let image = automaton.resume(NodeIndex::new(at as usize), observed).index() as u32;
        self.set(expander, to.index() as u32, image)
    }

    /// Takes a node for the image of another one, if it makes the renamed step.
    fn set<P: Program>(&mut self, expander: &Expander<'_, P>, node: u32, image: u32) -> Option<()> {
        let known = self.image(node);
        if known != EMPTY {
            return (known == image).then_some(());
        }
        let automaton = expander.system.automaton();
        let [one, other] = [node, image].map(|node| automaton.node(NodeIndex::new(node as usize)));
        if !one.becomes(other, expander.program, &self.renamer) {
            return None;
        }
        let length = self.images.len().max(node as usize + 1);
        self.images.resize(length, EMPTY);
        self.images[node as usize] = image;
        Some(())
    }

    /// The image of a state, its workers not sorted. `to` must be a copy of it.
    fn rename<P: Program>(&self, expander: &Expander<'_, P>, state: &[u8], to: &mut [u8]) {
        let shape = expander.shape;
        self.renamer.memory(&state[..shape.memory], &mut to[..shape.memory]);
        for (slot, place) in self.renamer.slots().iter().enumerate() {
            let node = shape.node(state, slot);
            let image = if node == EMPTY { EMPTY } else { self.images[node as usize] };
            shape.set(to, *place, image);
        }
    }
}
