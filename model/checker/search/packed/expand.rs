//! Steps on packed states: what [`System`] does, by table lookup and without allocation. Model code
//! runs only when a step leads to a node that has not been met.

use std::sync::OnceLock;

use indexmap::IndexSet;
use petgraph::graph::NodeIndex;
use rustc_hash::FxBuildHasher;

use super::shape::Shape;
use crate::machine::blocked::{Hold, TaskView, Tasks, deadlocked};
use crate::machine::hazard::Hazard;
use crate::machine::layout::{CellId, Layout};
use crate::machine::op::{Entry, Op, enabled};
use crate::machine::program::{Program, SlotKind};
use crate::machine::run::deadlock;
use crate::machine::step::{Slots, Stepped, Stop, step};
use crate::machine::value::Obs;
use crate::search::system::{Choice, EMPTY, State, System};

/// An automaton node, as the hot loop needs it.
pub(in crate::search) struct Node {
    /// The next step; `None` at the end.
    pub(in crate::search) op: Option<Op>,
    /// Whether the step ever waits.
    waits: bool,
    /// How many outcomes the step has.
    pub(in crate::search) outcomes: u8,
    /// Where the observations met so far lead.
    pub(in crate::search) edges: Vec<(Obs, u32)>,
    /// The start of the task that the step spawns, or [`EMPTY`] as long as that has not happened.
    pub(in crate::search) spawns: u32,
    /// What a task here holds.
    pub(in crate::search) holds: Vec<Hold>,
    /// What its task was started with, by number.
    pub(in crate::search) entry: usize,
    /// Whether it does not matter which truth value the step observes, once somebody has asked.
    indifferent: OnceLock<bool>,
}

impl Node {
    /// Where an observation leads, if it has been met.
    fn target(&self, observed: Obs) -> Option<u32> {
        self.edges.iter().find(|(known, _)| *known == observed).map(|(_, target)| *target)
    }
}

/// Where a step led.
pub(in crate::search) struct Landed {
    /// The slot in which the task that moved is now, unless it has left it.
    pub(in crate::search) after: Option<usize>,
    /// A hazard that does not keep the task from going on.
    pub(in crate::search) warning: Option<Box<Hazard>>,
    /// Whether all workers are in the slots in which they were; if not, [`Scratch::place`] knows where they are.
    pub(in crate::search) stayed: bool,
}

/// Why a step was not taken.
pub(in crate::search) enum Halt {
    /// It leads nowhere.
    Stop(Stop),
    /// It leads to a node that has not been met: [`Expander::learn`] first.
    Unknown(Box<Unknown>),
}

/// A step that leads to a node that has not been met.
pub(in crate::search) struct Unknown {
    /// The state in which the step was tried, and the step.
    pub(in crate::search) tried: (Vec<u8>, Choice),
    /// The node at which the task was.
    at: u32,
    new: New,
}

/// What is new about the automata: at which node, which observation, and what a task that is started begins with.
pub(in crate::search) type News = (u32, Option<Obs>, Option<Entry>);

impl Unknown {
    /// What is new, whichever state it was met in.
    pub(in crate::search) fn news(&self) -> News {
        let resumed = self.new.resumed.map(|(_, observed)| observed);
        (self.at, resumed, self.new.started.as_ref().map(|(_, entry)| entry.clone()))
    }
}

/// What sorting workers needs room for.
#[derive(Clone, Default)]
pub(in crate::search) struct Scratch {
    before: Vec<u8>,
    came_from: Vec<usize>,
}

impl Scratch {
    /// Where the task in a slot is, after a step by which workers changed their slots.
    pub(in crate::search) fn place(&self, slot: usize) -> Option<usize> {
        self.came_from.iter().position(|from| *from == slot)
    }
}

/// What a node does not know yet, and the slots whose numbers depend on it.
#[derive(Default)]
struct New {
    /// Where this observation leads.
    resumed: Option<(usize, Obs)>,
    /// What the task that is started begins with.
    started: Option<(usize, Entry)>,
}

/// The numbers of a state's nodes, while the task at this node takes a step.
struct Numbers<'a> {
    node: &'a Node,
    shape: Shape,
    numbers: &'a mut [u8],
    /// What the node does not know; nearly always nothing.
    new: Option<Box<New>>,
}

impl Slots for Numbers<'_> {
    fn resume(&mut self, slot: usize, observed: Obs) {
        match self.node.target(observed) {
            Some(target) => self.shape.set(self.numbers, slot, target),
            None => self.new.get_or_insert_default().resumed = Some((slot, observed)),
        }
    }

    fn leave(&mut self, slot: usize) {
        self.shape.set(self.numbers, slot, EMPTY);
    }

    fn is_free(&self, slot: usize) -> bool {
        self.shape.node(self.numbers, slot) == EMPTY
    }

    fn start(&mut self, slot: usize, entry: &Entry) {
        match self.node.spawns {
            EMPTY => self.new.get_or_insert_default().started = Some((slot, entry.clone())),
            spawns => self.shape.set(self.numbers, slot, spawns),
        }
    }
}

/// A packed state, for what tasks wait for.
struct Here<'a, 'p, P: Program> {
    expander: &'a Expander<'p, P>,
    state: &'a [u8],
}

impl<P: Program> Tasks for Here<'_, '_, P> {
    #[inline]
    fn task(&self, slot: usize) -> Option<TaskView<'_>> {
        let Here { expander, state } = *self;
        let node = expander.node_of(state, slot)?;
        let op = node.op.as_ref()?;
        let entry = &expander.entries[node.entry];
        expander.started(state, slot).then_some(TaskView { op, waits: node.waits, holds: &node.holds, entry })
    }
}

/// A program's steps on packed states.
pub(in crate::search) struct Expander<'p, P: Program> {
    /// The plain system, with the same node numbers.
    pub(in crate::search) system: System<'p, P>,
    pub(in crate::search) program: &'p P,
    pub(in crate::search) layout: &'p Layout,
    pub(in crate::search) shape: Shape,
    pub(in crate::search) nodes: Vec<Node>,
    /// What tasks were started with.
    pub(in crate::search) entries: IndexSet<Entry, FxBuildHasher>,
    /// The nodes at which tasks begin.
    pub(in crate::search) starts: IndexSet<u32, FxBuildHasher>,
    /// For each slot, the slots whose tasks must have ended before it starts.
    pub(in crate::search) after: Vec<Vec<usize>>,
    /// For each node its place among all nodes by content, for the order of workers.
    ranks: Vec<u32>,
    by_content: Vec<u32>,
    /// Where the owner of each mutex is in memory.
    pub(in crate::search) locks: Vec<usize>,
    /// Where the bytes of slot 0 are in the cells that have one a slot.
    by_slot: Vec<usize>,
    /// Where in memory facts about the run are, ascending.
    pub(in crate::search) facts: Vec<usize>,
    scratch: Scratch,
}

impl<'p, P: Program> Expander<'p, P> {
    /// The steps of a program; `wide` if its nodes need four bytes.
    pub(in crate::search) fn new(program: &'p P, wide: bool) -> Self {
        let layout = program.layout();
        let after = program.slots().iter().map(|slot| match &slot.kind {
            SlotKind::Task { after, .. } => after.clone(),
            _ => Vec::new(),
        });
        let mut facts: Vec<usize> = program.facts().iter().map(|cell| layout.info(*cell).offset).collect();
        facts.sort_unstable();
        facts.dedup();
        let of_first = |cell| layout.of_slot(cell, 0).unwrap_or_else(|| unreachable!("internal: by slot"));
        Expander {
            system: System::new(program),
            program,
            layout,
            shape: Shape::of(program, wide),
            nodes: Vec::new(),
            entries: IndexSet::default(),
            starts: IndexSet::default(),
            after: after.collect(),
            ranks: Vec::new(),
            by_content: Vec::new(),
            locks: layout.locks().iter().map(|lock| layout.info(*lock).offset).collect(),
            by_slot: layout.by_slot().iter().map(|cell| of_first(*cell)).collect(),
            facts,
            scratch: Scratch::default(),
        }
    }

    /// The state in which all tasks are at their start, with this memory.
    pub(in crate::search) fn initial(&mut self, memory: &[u8]) -> Vec<u8> {
        let state = self.system.initial(memory);
        self.starts.extend(state.nodes().iter().filter(|node| **node != EMPTY));
        self.meet();
        self.shape.pack(&state)
    }

    /// Whether all nodes met so far have a number that fits.
    pub(in crate::search) fn fits(&self) -> bool {
        self.shape.fits(&self.system)
    }

    /// As a state of the plain system.
    pub(in crate::search) fn unpack(&self, state: &[u8]) -> State {
        self.shape.unpack(state)
    }

    /// The node of the task in a slot, if one is there.
    #[inline]
    pub(in crate::search) fn node_of(&self, state: &[u8], slot: usize) -> Option<&Node> {
        match self.shape.node(state, slot) {
            EMPTY => None,
            node => Some(&self.nodes[node as usize]),
        }
    }

    /// The next step of the task in a slot.
    #[inline]
    pub(in crate::search) fn next(&self, state: &[u8], slot: usize) -> Option<&Op> {
        self.node_of(state, slot)?.op.as_ref()
    }

    /// Whether the tasks after which the task in a slot starts have ended.
    #[inline]
    pub(in crate::search) fn started(&self, state: &[u8], slot: usize) -> bool {
        self.after[slot].iter().all(|before| self.next(state, *before).is_none())
    }

    /// The steps that a state allows, in order.
    pub(in crate::search) fn enabled(&self, state: &[u8], choices: &mut Vec<Choice>) {
        choices.clear();
        for slot in 0..self.shape.slots {
            let Some(node) = self.node_of(state, slot) else { continue };
            if self.is_enabled(node, state, slot) && self.started(state, slot) {
                choices.extend((0..node.outcomes).map(|outcome| Choice { slot, outcome }));
            }
        }
    }

    /// Whether a task at this node, in this slot, can take its next step, if it has started.
    #[inline]
    pub(in crate::search) fn is_enabled(&self, node: &Node, state: &[u8], slot: usize) -> bool {
        let goes_on = |op| enabled(self.layout, &state[..self.shape.memory], slot, op);
        if node.waits { node.op.as_ref().is_some_and(goes_on) } else { node.op.is_some() }
    }

    /// The deadlock that a state is, if it is one.
    pub(in crate::search) fn deadlock(&self, state: &[u8]) -> Option<Box<Hazard>> {
        let waits = |slot: usize| {
            let node = self.node_of(state, slot).filter(|node| node.waits);
            node.is_some_and(|node| !self.is_enabled(node, state, slot) && self.started(state, slot))
        };
        // Nearly always nobody waits.
        if !(0..self.shape.slots).any(waits) {
            return None;
        }
        let here = Here { expander: self, state };
        let waiters = deadlocked(self.program, &state[..self.shape.memory], &here);
        (!waiters.is_empty()).then(|| deadlock(&waiters))
    }

    /// How many spawned tasks are unfinished.
    pub(in crate::search) fn spawned(&self, state: &[u8]) -> usize {
        self.system.workers().filter(|slot| self.shape.node(state, *slot) != EMPTY).count()
    }

    /// Takes a step that the state allows. `to` has the length of a state.
    ///
    /// # Errors
    ///
    /// Why it leads nowhere.
    pub(in crate::search) fn step(
        &mut self,
        from: &[u8],
        choice: Choice,
        to: &mut [u8],
    ) -> Result<Landed, Stop> {
        let (stepped, new) = self.take(from, choice, to)?;
        if let Some(new) = new {
            self.grow(self.shape.node(from, choice.slot), &new);
            let node = &self.nodes[self.shape.node(from, choice.slot) as usize];
            if let Some((slot, observed)) = new.resumed {
                self.shape.set(to, slot, node.target(observed).unwrap_or(EMPTY));
            }
            if let Some((slot, _)) = new.started {
                self.shape.set(to, slot, node.spawns);
            }
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        let landed = self.land(&mut scratch, choice, stepped, to);
        self.scratch = scratch;
        Ok(landed)
    }

    /// Takes a step that the state allows, if the automata know where it leads.
    ///
    /// # Errors
    ///
    /// Why it was not taken.
    pub(in crate::search) fn try_step(
        &self,
        scratch: &mut Scratch,
        from: &[u8],
        choice: Choice,
        to: &mut [u8],
    ) -> Result<Landed, Halt> {
        let (stepped, new) = self.take(from, choice, to).map_err(Halt::Stop)?;
        if let Some(new) = new {
            let at = self.shape.node(from, choice.slot);
            return Err(Halt::Unknown(Box::new(Unknown { tried: (from.to_vec(), choice), at, new: *new })));
        }
        Ok(self.land(scratch, choice, stepped, to))
    }

    /// Takes a step up to the numbers of nodes that are new: these slots are left as they were.
    #[inline]
    fn take(&self, from: &[u8], choice: Choice, to: &mut [u8]) -> Result<(Stepped, Option<Box<New>>), Stop> {
        to.copy_from_slice(from);
        let node = &self.nodes[self.shape.node(from, choice.slot) as usize];
        let op = node.op.as_ref().expect("internal: an allowed step");
        let (memory, numbers) = to.split_at_mut(self.shape.memory);
        let shape = Shape { memory: 0, ..self.shape };
        let mut slots = Numbers { node, shape, numbers, new: None };
        let stepped = step(self.program, memory, &mut slots, choice.slot, op, choice.outcome)?;
        Ok((stepped, slots.new))
    }

    /// Sorts the workers of a state that a step led to.
    #[inline]
    fn land(&self, scratch: &mut Scratch, choice: Choice, stepped: Stepped, to: &mut [u8]) -> Landed {
        let Stepped { ended, warning, .. } = stepped;
        let sorted = self.sort_workers(scratch, to);
        let after = match ended {
            true => None,
            false if sorted => Some(choice.slot),
            false => scratch.place(choice.slot),
        };
        Landed { after, warning, stayed: sorted }
    }

    /// The automata grow by what a step found unknown.
    pub(in crate::search) fn learn(&mut self, unknown: &Unknown) {
        self.grow(unknown.at, &unknown.new);
    }

    #[cold]
    fn grow(&mut self, at: u32, new: &New) {
        let at = at as usize;
        if let Some((_, observed)) = new.resumed
            && self.nodes[at].target(observed).is_none()
        {
            let target = self.system.automaton_mut().resume(NodeIndex::new(at), observed).index() as u32;
            self.nodes[at].edges.push((observed, target));
        }
        if let Some((_, entry)) = &new.started {
            self.nodes[at].spawns = self.system.automaton_mut().start(entry).index() as u32;
            self.starts.insert(self.nodes[at].spawns);
        }
        self.meet();
    }

    /// Where a node leads that spawns a task, and where its observations lead, as somebody else knows.
    pub(in crate::search) fn join(&mut self, at: u32, observed: Option<Obs>, target: u32) {
        let node = &mut self.nodes[at as usize];
        match observed {
            None => {
                node.spawns = target;
                self.starts.insert(target);
            }
            Some(observed) if node.target(observed).is_none() => {
                node.edges.push((observed, target));
            }
            Some(_) => {}
        }
    }

    /// Whether it does not matter which truth value the step at a node observes.
    pub(in crate::search) fn is_indifferent(&self, at: usize) -> bool {
        *self.nodes[at].indifferent.get_or_init(|| {
            let control = &self.system.automaton().node(NodeIndex::new(at)).control;
            let after = |observed| self.program.resume(control, Obs::Bool(observed)).0;
            after(true) == after(false)
        })
    }

    /// Whether a task that is not spawned starts at a node.
    pub(in crate::search) fn is_there_from_the_start(&self, start: u32) -> bool {
        let node = &self.nodes[start as usize];
        let own = |kind: &SlotKind| match kind {
            SlotKind::Task { entry, .. } | SlotKind::Item { entry, .. } => {
                self.entries.get_index_of(entry) == Some(node.entry)
            }
            SlotKind::Worker => false,
        };
        self.program.slots().iter().any(|slot| own(&slot.kind))
    }

    /// The order of two states by what they are, whatever the numbers of their nodes; facts come last.
    pub(in crate::search) fn order(&self, one: &[u8], other: &[u8]) -> std::cmp::Ordering {
        let memory = self.shape.memory;
        let rank = |state: &[u8], slot: usize| match self.shape.node(state, slot) {
            EMPTY => EMPTY,
            node => self.ranks[node as usize],
        };
        let nodes = || {
            let ranks = (0..self.shape.slots).map(|slot| rank(one, slot).cmp(&rank(other, slot)));
            ranks.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
        };
        let mut begin = 0;
        let ends = self.facts.iter().copied().chain([memory]);
        let mut parts = ends.map(|end| {
            let part = begin..end;
            begin = end + 1;
            one[part.clone()].cmp(&other[part])
        });
        let facts = || self.facts.iter().map(|at| one[*at]).cmp(self.facts.iter().map(|at| other[*at]));
        let told_apart = parts.find(|order| order.is_ne()).unwrap_or(std::cmp::Ordering::Equal);
        told_apart.then_with(nodes).then_with(facts)
    }

    /// Whether a cell has facts about the run.
    pub(in crate::search) fn is_fact(&self, cell: CellId) -> bool {
        self.facts.binary_search(&self.layout.info(cell).offset).is_ok()
    }

    /// Takes over the nodes that the automata have grown by.
    pub(in crate::search) fn meet(&mut self) {
        let automaton = self.system.automaton();
        if self.nodes.len() == automaton.graph().node_count() {
            return;
        }
        for number in self.nodes.len()..automaton.graph().node_count() {
            let node = automaton.node(NodeIndex::new(number));
            let op = node.next.as_ref().map(|(op, _)| Op::clone(op));
            let entry = node.control.entry();
            self.nodes.push(Node {
                outcomes: op.as_ref().map_or(0, Op::outcomes),
                waits: op.as_ref().is_some_and(|op| op.wait().is_some()),
                op,
                edges: Vec::new(),
                spawns: EMPTY,
                holds: node.holds.clone(),
                entry: self.entries.insert_full(entry.clone()).0,
                indifferent: OnceLock::new(),
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
    pub(in crate::search) fn sort_workers(&self, scratch: &mut Scratch, state: &mut [u8]) -> bool {
        let workers = self.system.workers();
        // Most states have few spawned tasks, which come first.
        let idle = workers.clone().rev().take_while(|slot| self.shape.node(state, *slot) == EMPTY).count();
        let busy = workers.start..workers.end - idle;
        if busy.skip(1).all(|slot| self.before(state, slot - 1, slot).is_lt()) {
            return true;
        }
        let Scratch { before, came_from } = scratch;
        came_from.clear();
        came_from.extend(0..self.shape.slots);
        came_from[workers.clone()].sort_unstable_by(|one, other| self.before(state, *one, *other));
        before.clear();
        before.extend_from_slice(state);
        for slot in workers {
            let from = came_from[slot];
            self.shape.set(state, slot, self.shape.node(before, from));
            for first in &self.by_slot {
                state[first + slot] = before[first + from];
            }
            for lock in &self.locks {
                if usize::from(before[*lock]) == from + 1 {
                    state[*lock] = slot as u8 + 1;
                }
            }
        }
        false
    }
}
