//! Steps on packed states: what [`System`] does, by table lookup and without allocation. Model code
//! runs only when a step leads to a node that has not been met.

use indexmap::IndexSet;
use petgraph::graph::NodeIndex;

use super::shape::Shape;
use crate::machine::blocked::Hold;
use crate::machine::effect::{Applied, apply, occupy};
use crate::machine::hazard::Hazard;
use crate::machine::layout::Layout;
use crate::machine::op::{Entry, Op, enabled};
use crate::machine::program::{Program, SlotKind};
use crate::machine::value::Obs;
use crate::search::system::{Choice, EMPTY, NoMove, State, System};

/// An automaton node, as the hot loop needs it.
pub(in crate::search) struct Node {
    /// The next step; `None` at the end.
    pub(in crate::search) op: Option<Op>,
    /// How many outcomes the step has.
    pub(in crate::search) outcomes: u8,
    /// A task that waits here has nothing to do.
    pub(in crate::search) idles: bool,
    /// Where the observations met so far lead.
    pub(in crate::search) edges: Vec<(Obs, u32)>,
    /// The start of the task that the step spawns, or [`EMPTY`] as long as that has not happened.
    pub(in crate::search) spawns: u32,
    /// What a task here holds.
    pub(in crate::search) holds: Vec<Hold>,
    /// The async domain of its task.
    pub(in crate::search) domain: Option<u8>,
    /// What its task was started with, by number.
    pub(in crate::search) entry: usize,
}

/// What a step did.
pub(in crate::search) struct Stepped {
    /// The slot in which the task that moved is now, unless it has left it.
    pub(in crate::search) after: Option<usize>,
    /// A hazard that does not keep the task from going on.
    pub(in crate::search) warning: Option<Hazard>,
}

/// Why a step was not taken.
pub(in crate::search) enum Halt {
    /// It leads nowhere.
    NoMove(NoMove),
    /// It leads to a node that has not been met: [`Expander::learn`] first.
    Unknown(Unknown),
}

/// Something that the automata do not know yet.
pub(in crate::search) struct Unknown {
    /// The state in which the step was tried, and the step.
    pub(in crate::search) tried: (Vec<u8>, Choice),
    at: usize,
    observed: Option<Obs>,
    starts: Option<Entry>,
}

/// What sorting workers needs room for.
#[derive(Clone, Default)]
pub(in crate::search) struct Scratch {
    before: Vec<u8>,
    came_from: Vec<usize>,
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
    pub(in crate::search) entries: IndexSet<Entry>,
    /// The nodes at which tasks begin.
    pub(in crate::search) starts: IndexSet<u32>,
    /// For each slot, the slots whose tasks must have ended before it starts.
    pub(in crate::search) after: Vec<Vec<usize>>,
    /// For each node its place among all nodes by content, for the order of workers.
    ranks: Vec<u32>,
    by_content: Vec<u32>,
    /// Where the owner of each mutex is in memory.
    pub(in crate::search) locks: Vec<usize>,
    /// Where the bytes of slot 0 are in the cells that have one a slot.
    by_slot: Vec<usize>,
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
        let of_first = |cell| layout.of_slot(cell, 0).unwrap_or_else(|| unreachable!("internal: by slot"));
        Expander {
            system: System::new(program),
            program,
            layout,
            shape: Shape::of(program, wide),
            nodes: Vec::new(),
            entries: IndexSet::new(),
            starts: IndexSet::new(),
            after: after.collect(),
            ranks: Vec::new(),
            by_content: Vec::new(),
            locks: layout.locks().iter().map(|lock| layout.info(*lock).offset).collect(),
            by_slot: layout.by_slot().iter().map(|cell| of_first(*cell)).collect(),
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
            let Some(op) = &node.op else { continue };
            if enabled(self.layout, &state[..self.shape.memory], slot, op) && self.started(state, slot) {
                choices.extend((0..node.outcomes).map(|outcome| Choice { slot, outcome }));
            }
        }
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
    ) -> Result<Stepped, NoMove> {
        let (applied, warning) = self.act(from, choice, to)?;
        let mut scratch = std::mem::take(&mut self.scratch);
        let landed = loop {
            match self.land(&mut scratch, from, choice, to, &applied) {
                Ok(after) => break Ok(after),
                Err(Halt::NoMove(why)) => break Err(why),
                Err(Halt::Unknown(unknown)) => self.learn(&unknown),
            }
        };
        self.scratch = scratch;
        Ok(Stepped { after: landed?, warning })
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
    ) -> Result<Stepped, Halt> {
        let (applied, warning) = self.act(from, choice, to).map_err(Halt::NoMove)?;
        Ok(Stepped { after: self.land(scratch, from, choice, to, &applied)?, warning })
    }

    /// What a step does to memory, and a hazard that does not keep the task from going on.
    fn act(&self, from: &[u8], choice: Choice, to: &mut [u8]) -> Result<(Applied, Option<Hazard>), NoMove> {
        to.copy_from_slice(from);
        let node = &self.nodes[self.shape.node(from, choice.slot) as usize];
        let op = node.op.as_ref().expect("internal: an allowed step");
        let memory = &mut to[..self.shape.memory];
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
        Ok((applied, warning))
    }

    /// Where a step leads, once it has been taken; in which slot the task is then.
    fn land(
        &self,
        scratch: &mut Scratch,
        from: &[u8],
        choice: Choice,
        to: &mut [u8],
        applied: &Applied,
    ) -> Result<Option<usize>, Halt> {
        let shape = self.shape;
        let at = shape.node(from, choice.slot) as usize;
        let node = &self.nodes[at];
        let (mut new, mut starts) = (None, None);
        let mut target = EMPTY;
        if !applied.ended {
            match node.edges.iter().find(|(observed, _)| *observed == applied.observed) {
                Some((_, known)) => target = *known,
                None => new = Some(applied.observed),
            }
        }
        let mut free = None;
        if let Some(entry) = &applied.spawned {
            let is_free = |slot: &usize| match *slot == choice.slot {
                true => applied.ended,
                false => shape.node(to, *slot) == EMPTY,
            };
            let found = self.system.workers().find(is_free);
            free = Some(found.ok_or(Halt::NoMove(NoMove::NoWorker))?);
            if node.spawns == EMPTY {
                starts = Some(entry.clone());
            }
        }
        if new.is_some() || starts.is_some() {
            let tried = (from.to_vec(), choice);
            return Err(Halt::Unknown(Unknown { tried, at, observed: new, starts }));
        }
        shape.set(to, choice.slot, target);
        if let Some(free) = free {
            shape.set(to, free, node.spawns);
            occupy(self.layout, &mut to[..shape.memory], free, applied.marked);
        }
        let sorted = self.sort_workers(scratch, to);
        Ok(match applied.ended {
            true => None,
            false if sorted => Some(choice.slot),
            false => scratch.came_from.iter().position(|slot| *slot == choice.slot),
        })
    }

    /// The automata grow by what a step found unknown.
    #[cold]
    pub(in crate::search) fn learn(&mut self, unknown: &Unknown) {
        let at = unknown.at;
        if let Some(observed) = unknown.observed
            && !self.nodes[at].edges.iter().any(|(known, _)| *known == observed)
        {
            let target = self.system.automaton_mut().resume(NodeIndex::new(at), observed).index() as u32;
            self.nodes[at].edges.push((observed, target));
        }
        if let Some(entry) = &unknown.starts {
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
            Some(observed) if node.edges.iter().all(|(known, _)| *known != observed) => {
                node.edges.push((observed, target));
            }
            Some(_) => {}
        }
    }

    /// The order of two states by what they are, whatever the numbers of their nodes.
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
        one[..memory].cmp(&other[..memory]).then_with(nodes)
    }

    /// Takes over the nodes that the automata have grown by.
    pub(in crate::search) fn meet(&mut self) {
        let automaton = self.system.automaton();
        if self.nodes.len() == automaton.graph().node_count() {
            return;
        }
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
    pub(in crate::search) fn sort_workers(&self, scratch: &mut Scratch, state: &mut [u8]) -> bool {
        let workers = self.system.workers();
        if workers.clone().skip(1).all(|slot| self.before(state, slot - 1, slot).is_lt()) {
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
