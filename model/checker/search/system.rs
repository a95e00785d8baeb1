//! The transition system of a program: global states and their successors.
//!
//! A state is memory and one automaton node a slot. Spawned tasks have no order of start, so the
//! tasks in worker slots are kept sorted by content; what names a slot in memory (the owner of a
//! mutex, who waits for a work item) moves with them.

use petgraph::graph::NodeIndex;

use crate::automaton::Automaton;
use crate::machine::blocked::{TaskView, Tasks, Waiter, deadlocked};
use crate::machine::effect::permute;
use crate::machine::hazard::Hazard;
use crate::machine::layout::CellId;
use crate::machine::op::{Entry, Op, enabled};
use crate::machine::program::{Program, SlotKind};
use crate::machine::race::races;
use crate::machine::step::{Slots, Stepped, Stop, step};
use crate::machine::value::Obs;

/// A slot in which no task is.
pub(crate) const EMPTY: u32 = u32::MAX;

/// A global state.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    memory: Box<[u8]>,
    /// The automaton node of each slot, or [`EMPTY`].
    nodes: Box<[u32]>,
}

impl State {
    /// Its memory.
    #[must_use]
    pub fn memory(&self) -> &[u8] {
        &self.memory
    }

    /// The node of a slot, if a task is in it.
    #[must_use]
    pub fn node(&self, slot: usize) -> Option<NodeIndex> {
        (self.nodes[slot] != EMPTY).then(|| NodeIndex::new(self.nodes[slot] as usize))
    }

    /// A state from its parts.
    pub(crate) fn from_parts(memory: &[u8], nodes: impl Iterator<Item = u32>) -> Self {
        State { memory: memory.into(), nodes: nodes.collect() }
    }

    /// The nodes of all slots, those of empty ones included.
    pub(crate) fn nodes(&self) -> &[u32] {
        &self.nodes
    }

    /// The bytes it takes in a table, the table's own included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        const TABLE: usize = 24;
        size_of::<State>() + self.memory.len() + size_of_val(&*self.nodes) + TABLE
    }
}

/// A step that a state allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Choice {
    /// Which task.
    pub slot: usize,
    /// Which outcome.
    pub outcome: u8,
}

/// Where a step leads.
#[derive(Clone, Debug)]
pub struct Move {
    /// The state after it.
    pub state: State,
    /// For each slot of the state after it, the slot in which its task was before (a spawned task:
    /// the slot that it was put into).
    pub came_from: Vec<usize>,
    /// The slot that a spawned task was put into, before the workers were sorted.
    pub spawned: Option<usize>,
    /// The slot in which the task that moved is now, unless it has left it.
    pub after: Option<usize>,
    /// A hazard that does not keep the task from going on.
    pub warning: Option<Box<Hazard>>,
}

/// A program as a transition system.
pub struct System<'p, P: Program> {
    automaton: Automaton<'p, P>,
    workers: std::ops::Range<usize>,
}

impl<'p, P: Program> System<'p, P> {
    /// The transition system of a program.
    #[must_use]
    pub fn new(program: &'p P) -> Self {
        let slots = program.slots();
        let first = slots.iter().position(|slot| slot.kind == SlotKind::Worker).unwrap_or(slots.len());
        System { automaton: Automaton::new(program), workers: first..slots.len() }
    }

    /// The program.
    #[must_use]
    pub fn program(&self) -> &'p P {
        self.automaton.program()
    }

    /// Its automata, as far as they have been met.
    #[must_use]
    pub fn automaton(&self) -> &Automaton<'p, P> {
        &self.automaton
    }

    /// Its automata, to be explored further.
    pub(crate) fn automaton_mut(&mut self) -> &mut Automaton<'p, P> {
        &mut self.automaton
    }

    /// The state in which all tasks are at their start, with this memory.
    pub fn initial(&mut self, memory: &[u8]) -> State {
        let slots = self.program().slots();
        let nodes = slots.iter().map(|slot| match &slot.kind {
            SlotKind::Task { entry, .. } | SlotKind::Item { entry, .. } => {
                self.automaton.start(entry).index() as u32
            }
            SlotKind::Worker => EMPTY,
        });
        State { nodes: nodes.collect(), memory: memory.into() }
    }

    /// The next step of the task in a slot.
    #[must_use]
    pub fn next(&self, state: &State, slot: usize) -> Option<&Op> {
        let node = self.automaton.node(state.node(slot)?);
        node.next.as_ref().map(|(op, _)| &**op)
    }

    fn ended(&self, state: &State, slot: usize) -> bool {
        self.next(state, slot).is_none()
    }

    fn started(&self, state: &State, slot: usize) -> bool {
        match &self.program().slots()[slot].kind {
            SlotKind::Task { after, .. } => after.iter().all(|before| self.ended(state, *before)),
            _ => true,
        }
    }

    /// Whether every task has started and ended, and all workers are idle or gone, or wait where a
    /// task may be left for ever.
    #[must_use]
    pub fn quiescent(&self, state: &State) -> bool {
        let at_rest = |slot: usize| match self.next(state, slot) {
            None => true,
            Some(op) => self.program().slots()[slot].kind.rests(op) || !self.started(state, slot),
        };
        (0..state.nodes.len()).all(at_rest)
    }

    /// The steps that a state allows, in order.
    pub fn enabled(&self, state: &State, choices: &mut Vec<Choice>) {
        choices.clear();
        let layout = self.program().layout();
        for slot in 0..state.nodes.len() {
            let Some(op) = self.next(state, slot) else { continue };
            if enabled(layout, &state.memory, slot, op) && self.started(state, slot) {
                choices.extend((0..op.outcomes()).map(|outcome| Choice { slot, outcome }));
            }
        }
    }

    /// Whether the task in a slot can take its next step.
    #[must_use]
    pub fn is_enabled(&self, state: &State, slot: usize) -> bool {
        let layout = self.program().layout();
        let next = self.next(state, slot);
        next.is_some_and(|op| enabled(layout, &state.memory, slot, op)) && self.started(state, slot)
    }

    /// The slots of spawned tasks.
    #[must_use]
    pub fn workers(&self) -> std::ops::Range<usize> {
        self.workers.clone()
    }

    /// Whether a slot is one of spawned tasks.
    #[must_use]
    pub fn is_worker(&self, slot: usize) -> bool {
        self.workers.contains(&slot)
    }

    /// Where a task at this node is: in its own slot, or, spawned, in any worker's.
    #[must_use]
    pub fn slots_of(&self, state: &State, slot: usize, node: Option<NodeIndex>) -> Vec<usize> {
        let range = if self.is_worker(slot) { self.workers() } else { slot..slot + 1 };
        range.filter(|place| node.is_some() && state.node(*place) == node).collect()
    }

    /// How many spawned tasks are unfinished.
    #[must_use]
    pub fn spawned(&self, state: &State) -> usize {
        self.workers.clone().filter(|slot| state.nodes[*slot] != EMPTY).count()
    }

    /// Takes a step that the state allows.
    ///
    /// # Errors
    ///
    /// Why it leads nowhere.
    pub fn step(&mut self, state: &State, choice: Choice) -> Result<Move, Stop> {
        let program = self.program();
        let node = state.node(choice.slot).expect("internal: an allowed step has a task");
        let (op, _) = self.automaton.node(node).next.clone().expect("internal: an allowed step");
        let State { mut memory, nodes } = state.clone();
        let mut nodes = Nodes { automaton: &mut self.automaton, nodes };
        let Stepped { spawned, ended, warning, .. } =
            step(program, &mut memory, &mut nodes, choice.slot, &op, choice.outcome)?;
        let mut state = State { memory, nodes: nodes.nodes };
        let came_from = self.sort_workers(&mut state);
        let after = came_from.iter().position(|slot| *slot == choice.slot).filter(|_| !ended);
        Ok(Move { state, came_from, spawned, after, warning })
    }

    /// Sorts the worker slots by content, empty ones last. For each slot, where its task was before.
    pub(crate) fn sort_workers(&self, state: &mut State) -> Vec<usize> {
        let mut came_from: Vec<usize> = (0..state.nodes.len()).collect();
        let rank = |slot: &usize| state.node(*slot).map(|node| &self.automaton.node(node).control);
        let order = |a: &usize, b: &usize| {
            if state.nodes[*a] == EMPTY && state.nodes[*b] == EMPTY {
                return a.cmp(b);
            }
            if state.nodes[*a] == state.nodes[*b] {
                // They may differ in what memory says of them.
                let in_memory = |slot: usize| self.named_in(&state.memory, slot);
                return in_memory(*a).cmp(in_memory(*b)).then(a.cmp(b));
            }
            match (rank(a), rank(b)) {
                (Some(left), Some(right)) => left.cmp(right),
                (left, right) => left.is_none().cmp(&right.is_none()),
            }
        };
        if came_from[self.workers.clone()].is_sorted_by(|a, b| order(a, b).is_lt()) {
            return came_from;
        }
        came_from[self.workers.clone()].sort_by(order);
        state.nodes = came_from.iter().map(|slot| state.nodes[*slot]).collect();
        permute(self.program().layout(), &mut state.memory, &came_from);
        came_from
    }

    /// What memory says of a slot: which mutexes it owns, and its bytes in the cells that have one a slot.
    fn named_in<'m>(&'m self, memory: &'m [u8], slot: usize) -> impl Iterator<Item = u8> + 'm {
        let layout = self.program().layout();
        let owns = move |lock: &CellId| u8::from(usize::from(memory[layout.info(*lock).offset]) == slot + 1);
        let byte = move |cell: &CellId| layout.of_slot(*cell, slot).map_or(0, |byte| memory[byte]);
        layout.locks().iter().map(owns).chain(layout.by_slot().iter().map(byte))
    }

    /// The tasks that wait for each other in a state.
    #[must_use]
    pub fn deadlocked(&self, state: &State) -> Vec<Waiter> {
        deadlocked(self.program(), &state.memory, &Here { system: self, state })
    }

    /// The data races between the next steps in a state.
    #[must_use]
    pub fn races(&self, state: &State) -> Vec<Hazard> {
        races(self.program(), &state.memory, &Here { system: self, state })
    }
}

/// The nodes of a state, as a step changes them.
struct Nodes<'a, 'p, P: Program> {
    automaton: &'a mut Automaton<'p, P>,
    nodes: Box<[u32]>,
}

impl<P: Program> Slots for Nodes<'_, '_, P> {
    fn resume(&mut self, slot: usize, observed: Obs) {
        let node = NodeIndex::new(self.nodes[slot] as usize);
        self.nodes[slot] = self.automaton.resume(node, observed).index() as u32;
    }

    fn leave(&mut self, slot: usize) {
        self.nodes[slot] = EMPTY;
    }

    fn is_free(&self, slot: usize) -> bool {
        self.nodes[slot] == EMPTY
    }

    fn start(&mut self, slot: usize, entry: &Entry) {
        self.nodes[slot] = self.automaton.start(entry).index() as u32;
    }
}

impl<P: Program> System<'_, P> {
    /// The tasks of a state, as far as waiting is concerned.
    pub fn tasks<'s>(&'s self, state: &'s State) -> impl Tasks + 's {
        Here { system: self, state }
    }
}

/// A state, with the automata that its nodes are of.
struct Here<'a, 'p, P: Program> {
    system: &'a System<'p, P>,
    state: &'a State,
}

impl<P: Program> Tasks for Here<'_, '_, P> {
    fn task(&self, slot: usize) -> Option<TaskView<'_>> {
        let node = self.system.automaton.node(self.state.node(slot)?);
        let (op, _) = node.next.as_ref()?;
        let entry = node.control.entry();
        let started = self.system.started(self.state, slot);
        started.then(|| TaskView::new(op, &node.holds, entry))
    }
}
