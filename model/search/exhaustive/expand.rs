//! Steps on packed states: what [`System`] does, by table lookup and without allocation. Model code
//! runs only when a step leads to a node that has not been met.

use indexmap::IndexSet;
use petgraph::graph::NodeIndex;

use super::shape::Shape;
use crate::machine::blocked::Hold;
use crate::machine::effect::{apply, occupy};
use crate::machine::hazard::Hazard;
use crate::machine::layout::Layout;
use crate::machine::op::{Entry, Op, enabled};
use crate::machine::program::{Program, SlotKind};
use crate::machine::value::Obs;
use crate::search::system::{Choice, EMPTY, NoMove, State, System};

/// An automaton node, as the hot loop needs it.
pub(super) struct Node {
    /// The next step; `None` at the end.
    pub(super) op: Option<Op>,
    outcomes: u8,
    /// A task that waits here has nothing to do.
    pub(super) idles: bool,
    /// Where the observations met so far lead.
    pub(super) edges: Vec<(Obs, u32)>,
    /// The start of the task that the step spawns, or [`EMPTY`] as long as that has not happened.
    pub(super) spawns: u32,
    /// What a task here holds.
    pub(super) holds: Vec<Hold>,
    /// The async domain of its task.
    pub(super) domain: Option<u8>,
    /// What its task was started with, by number.
    pub(super) entry: usize,
}

/// What a step did.
pub(super) struct Stepped {
    /// The slot in which the task that moved is now, unless it has left it.
    pub(super) after: Option<usize>,
    /// A hazard that does not keep the task from going on.
    pub(super) warning: Option<Hazard>,
}

/// A program's steps on packed states.
pub(super) struct Expander<'p, P: Program> {
    /// The plain system, with the same node numbers.
    pub(super) system: System<'p, P>,
    pub(super) program: &'p P,
    pub(super) layout: &'p Layout,
    pub(super) shape: Shape,
    pub(super) nodes: Vec<Node>,
    /// What tasks were started with.
    pub(super) entries: IndexSet<Entry>,
    /// For each slot, the slots whose tasks must have ended before it starts.
    pub(super) after: Vec<Vec<usize>>,
    /// For each node its place among all nodes by content, for the order of workers.
    ranks: Vec<u32>,
    by_content: Vec<u32>,
    /// Where the owner of each mutex is in memory.
    pub(super) locks: Vec<usize>,
    /// Where the bytes of slot 0 are in the cells that have one a slot.
    by_slot: Vec<usize>,
    scratch: Vec<u8>,
    came_from: Vec<usize>,
}

impl<'p, P: Program> Expander<'p, P> {
    /// The steps of a program; `wide` if its nodes need four bytes.
    pub(super) fn new(program: &'p P, wide: bool) -> Self {
        let layout = program.layout();
        let after = program.slots().iter().map(|slot| match &slot.kind {
            SlotKind::Task { after, .. } => after.clone(),
            _ => Vec::new(),
        });
        let of_first = |cell| layout.of_slot(cell, 0).unwrap_or_else(|| unreachable!("internal: by slot"));
        Expander {
            system: System::new(program),
            program,
            layout,
            shape: Shape::of(program, wide),
            nodes: Vec::new(),
            entries: IndexSet::new(),
            after: after.collect(),
            ranks: Vec::new(),
            by_content: Vec::new(),
            locks: layout.locks().iter().map(|lock| layout.info(*lock).offset).collect(),
            by_slot: layout.by_slot().iter().map(|cell| of_first(*cell)).collect(),
            scratch: Vec::new(),
            came_from: Vec::new(),
        }
    }

    /// The state in which all tasks are at their start, with this memory.
    pub(super) fn initial(&mut self, memory: &[u8]) -> Vec<u8> {
        let state = self.system.initial(memory);
        self.meet();
        self.shape.pack(&state)
    }

    /// Whether all nodes met so far have a number that fits.
    pub(super) fn fits(&self) -> bool {
        self.shape.fits(&self.system)
    }

    /// As a state of the plain system.
    pub(super) fn unpack(&self, state: &[u8]) -> State {
        self.shape.unpack(state)
    }

    /// The node of the task in a slot, if one is there.
    #[inline]
    pub(super) fn node_of(&self, state: &[u8], slot: usize) -> Option<&Node> {
        match self.shape.node(state, slot) {
            EMPTY => None,
            node => Some(&self.nodes[node as usize]),
        }
    }

    /// The next step of the task in a slot.
    #[inline]
    pub(super) fn next(&self, state: &[u8], slot: usize) -> Option<&Op> {
        self.node_of(state, slot)?.op.as_ref()
    }

    /// Whether the tasks after which the task in a slot starts have ended.
    #[inline]
    pub(super) fn started(&self, state: &[u8], slot: usize) -> bool {
        self.after[slot].iter().all(|before| self.next(state, *before).is_none())
    }

    /// The steps that a state allows, in order.
    pub(super) fn enabled(&self, state: &[u8], choices: &mut Vec<Choice>) {
        choices.clear();
        for slot in 0..self.shape.slots {
            let Some(node) = self.node_of(state, slot) else { continue };
            let Some(op) = &node.op else { continue };
            if enabled(self.layout, &state[..self.shape.memory], slot, op) && self.started(state, slot) {
                choices.extend((0..node.outcomes).map(|outcome| Choice { slot, outcome }));
            }
        }
    }

    /// How many spawned tasks are unfinished.
    pub(super) fn spawned(&self, state: &[u8]) -> usize {
        self.system.workers().filter(|slot| self.shape.node(state, *slot) != EMPTY).count()
    }

    /// Takes a step that the state allows. `to` has the length of a state.
    ///
    /// # Errors
    ///
    /// Why it leads nowhere.
    pub(super) fn step(&mut self, from: &[u8], choice: Choice, to: &mut [u8]) -> Result<Stepped, NoMove> {
        to.copy_from_slice(from);
        let shape = self.shape;
        let at = shape.node(from, choice.slot) as usize;
        let node = &self.nodes[at];
        let op = node.op.as_ref().expect("internal: an allowed step");
        let memory = &mut to[..shape.memory];
        let applied = apply(self.layout, memory, choice.slot, op, choice.outcome).map_err(NoMove::Hazard)?;
        let mut warning = None;
        if let Some(event) = &op.event
            && let Err(hazard) = self.program.event(event, choice.slot, applied.observed, memory)
        {
            if !hazard.goes_on() {
                return Err(NoMove::Hazard(hazard));
            }
            warning = Some(hazard);
        }
        let target = if applied.ended {
            EMPTY
        } else {
            match node.edges.iter().find(|(observed, _)| *observed == applied.observed) {
                Some((_, target)) => *target,
                None => self.discover(at, applied.observed),
            }
        };
        shape.set(to, choice.slot, target);
        if let Some(entry) = applied.spawned {
            let mut workers = self.system.workers();
            let free = workers.find(|slot| shape.node(to, *slot) == EMPTY).ok_or(NoMove::NoWorker)?;
            if self.nodes[at].spawns == EMPTY {
                self.nodes[at].spawns = self.system.automaton_mut().start(&entry).index() as u32;
                self.meet();
            }
            let start = self.nodes[at].spawns;
            shape.set(to, free, start);
            occupy(self.layout, &mut to[..shape.memory], free, applied.marked);
        }
        let sorted = self.sort_workers(to);
        let after = match applied.ended {
            true => None,
            false if sorted => Some(choice.slot),
            false => self.came_from.iter().position(|slot| *slot == choice.slot),
        };
        Ok(Stepped { after, warning })
    }

    /// A task observes something at a node for the first time.
    #[cold]
    fn discover(&mut self, at: usize, observed: Obs) -> u32 {
        let target = self.system.automaton_mut().resume(NodeIndex::new(at), observed).index() as u32;
        self.nodes[at].edges.push((observed, target));
        self.meet();
        target
    }

    /// Takes over the nodes that the automata have grown by.
    fn meet(&mut self) {
        let automaton = self.system.automaton();
        for number in self.nodes.len()..automaton.graph().node_count() {
            let node = automaton.node(NodeIndex::new(number));
            let op = node.next.as_ref().map(|(op, _)| op.clone());
            let entry = self.program.entry(&node.control);
            self.nodes.push(Node {
                outcomes: op.as_ref().map_or(0, Op::outcomes),
                idles: op.as_ref().is_some_and(Op::idles),
                op,
                edges: Vec::new(),
                spawns: EMPTY,
                holds: node.holds.clone(),
                domain: self.program.domain(entry),
                entry: self.entries.insert_full(entry.clone()).0,
            });
            let content = |other: &u32| &automaton.node(NodeIndex::new(*other as usize)).control;
            let place = self.by_content.partition_point(|other| content(other) < &node.control);
            self.by_content.insert(place, number as u32);
        }
        self.ranks.resize(self.nodes.len(), 0);
        for (rank, node) in self.by_content.iter().enumerate() {
            self.ranks[*node as usize] = rank as u32;
        }
    }

    /// Whether the worker in one slot belongs before that in another one.
    fn before(&self, state: &[u8], one: usize, other: usize) -> std::cmp::Ordering {
        let (left, right) = (self.shape.node(state, one), self.shape.node(state, other));
        if left == right {
            if left == EMPTY {
                return one.cmp(&other);
            }
            let owns = |slot: usize, lock: &usize| usize::from(state[*lock]) == slot + 1;
            let owned = self.locks.iter().map(|lock| owns(one, lock).cmp(&owns(other, lock)));
            let bytes = self.by_slot.iter().map(|first| state[first + one].cmp(&state[first + other]));
            let differs = owned.chain(bytes).find(|order| order.is_ne());
            return differs.unwrap_or_else(|| one.cmp(&other));
        }
        match (left, right) {
            (EMPTY, _) => std::cmp::Ordering::Greater,
            (_, EMPTY) => std::cmp::Ordering::Less,
            _ => self.ranks[left as usize].cmp(&self.ranks[right as usize]),
        }
    }

    /// Sorts the worker slots by content, empty ones last. True if they were sorted; otherwise
    /// `came_from` says where the task of each slot was.
    fn sort_workers(&mut self, state: &mut [u8]) -> bool {
        let workers = self.system.workers();
        if workers.clone().skip(1).all(|slot| self.before(state, slot - 1, slot).is_lt()) {
            return true;
        }
        let mut came_from = std::mem::take(&mut self.came_from);
        came_from.clear();
        came_from.extend(0..self.shape.slots);
        came_from[workers.clone()].sort_unstable_by(|one, other| self.before(state, *one, *other));
        let mut before = std::mem::take(&mut self.scratch);
        before.clear();
        before.extend_from_slice(state);
        for slot in workers {
            let from = came_from[slot];
            self.shape.set(state, slot, self.shape.node(&before, from));
            for first in &self.by_slot {
                state[first + slot] = before[first + from];
            }
            for lock in &self.locks {
                if usize::from(before[*lock]) == from + 1 {
                    state[*lock] = slot as u8 + 1;
                }
            }
        }
        self.came_from = came_from;
        self.scratch = before;
        false
    }
}
