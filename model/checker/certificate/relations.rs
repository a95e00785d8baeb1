//! Which steps commute, who can let whom go on, and what tasks can still do: from the automata as they are.
//!
//! All of it is coarser than what the default search knows. Two steps commute if they touch no part of a cell in
//! ways that matter to each other ([`Touch::commutes`]). Klists are touched as a whole. A step that lowers a count
//! clashes with every other one that lowers it. It writes the count and all that it may free, but for a step that is
//! taken where the count is above 1. While the owner of a mutex stands still, nobody gets past a step that waits for
//! the mutex, unless the mutex is in something that can be freed.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use indexmap::IndexMap;
use petgraph::graph::NodeIndex;

use super::{set, slots};
use crate::machine::blocked::Hold;
use crate::machine::commute::Touches;
use crate::machine::layout::{CellId, Kind, Layout, Part};
use crate::machine::op::{Action, Op, Touch};
use crate::machine::program::{Program, SlotKind};
use crate::search::system::{State, System};

/// Automaton nodes, a bit each.
type Nodes = Vec<u64>;

type Parts = Vec<(CellId, Part, Touch)>;

/// What a step touches and waits for.
struct Footprint {
    parts: Parts,
    /// What it touches besides if it brings a count to zero.
    last: Parts,
    /// The counts that it lowers.
    lowers: Vec<CellId>,
    /// The mutex that it waits for, if the mutex is always there.
    lock: Option<CellId>,
    /// What says whether it can be taken.
    guard: Parts,
    clash: [OnceCell<Nodes>; 2],
    wakers: OnceCell<Nodes>,
}

/// Where a task goes from a node, and where those that it starts do.
pub(super) struct Relations {
    nodes: Vec<Option<Footprint>>,
    next: Vec<Vec<usize>>,
    locks: Vec<CellId>,
    reached: RefCell<IndexMap<(usize, u64), Rc<Nodes>>>,
}

/// What a task waits for of whom.
pub(super) enum Waits {
    /// For these to end, or for one of these to act: nobody else lets it go on.
    For(u64),
    /// For whoever gets to a step that may let it go on.
    Anybody,
}

fn clash(one: &[(CellId, Part, Touch)], other: &[(CellId, Part, Touch)]) -> bool {
    one.iter().any(|(cell, part, touch)| {
        // Parts of a klist count as all of it.
        let overlaps = |of: Part| of == *part || of == Part::Whole || *part == Part::Whole;
        other.iter().any(|(by, of, how)| by == cell && overlaps(*of) && !touch.commutes(*how))
    })
}

fn footprint<P: Program>(system: &System<'_, P>, op: &Op) -> Footprint {
    let (program, layout) = (system.program(), system.program().layout());
    let touches = Touches::of(layout, op);
    let mut parts = touches.parts.clone();
    parts.extend(op.event.iter().flat_map(|event| program.event_touches(event)));
    for (cell, part, touch) in &mut parts {
        if matches!(layout.info(*cell).kind, Kind::Klist(..)) {
            *part = Part::Whole;
            *touch = if *touch == Touch::Read { Touch::Read } else { Touch::Write };
        }
    }
    let liveness = |cell: CellId| layout.info(cell).liveness;
    if touches.workers < 0 {
        // Who gives its slot back must hold no mutex.
        let mortal = layout.locks().iter().filter_map(|lock| liveness(*lock));
        parts.extend(mortal.map(|liveness| (liveness, Part::Whole, Touch::Read)));
    }
    let written = touches.when_last(layout).into_iter().chain(touches.lowers.iter().copied());
    let last = written.map(|cell| (cell, Part::Whole, Touch::Write)).collect();
    let lock = op.locks().filter(|lock| liveness(*lock).is_none());
    let mut guard = Parts::new();
    if let Some(wait) = op.wait() {
        if op.locks().is_none() {
            guard.extend(wait.parts().into_iter().map(|part| (wait.cell(), part, Touch::Read)));
        }
        guard.extend(liveness(wait.cell()).map(|liveness| (liveness, Part::Whole, Touch::Read)));
    }
    Footprint {
        parts,
        last,
        lowers: touches.lowers,
        lock,
        guard,
        clash: [OnceCell::new(), OnceCell::new()],
        wakers: OnceCell::new(),
    }
}

impl Relations {
    /// Those of the automata as a system has met them.
    pub(super) fn of<P: Program>(system: &mut System<'_, P>) -> Self {
        let graph = system.automaton().graph();
        let started = |action: &Action| match action {
            Action::AsyncSchedule { entry, .. } | Action::Spawn(_, entry) => Some(entry.clone()),
            _ => None,
        };
        let spawns: Vec<Vec<_>> = graph
            .node_weights()
            .map(|node| node.next.iter().flat_map(|(op, _)| op.actions.iter().filter_map(started)).collect())
            .collect();
        let mut next: Vec<Vec<usize>> = vec![Vec::new(); spawns.len()];
        for edge in graph.edge_indices() {
            let (from, to) = graph.edge_endpoints(edge).expect("internal: an edge has ends");
            next[from.index()].push(to.index());
        }
        for (at, entries) in spawns.into_iter().enumerate() {
            next[at].extend(entries.iter().map(|entry| system.automaton_mut().start(entry).index()));
        }
        let graph = system.automaton().graph();
        next.resize(graph.node_count(), Vec::new());
        let mut nodes = Vec::new();
        for at in graph.node_indices() {
            let mut own = graph[at].next.as_ref().map(|(op, _)| footprint(system, op));
            if let Some(own) = &mut own {
                // What a task holds decides who waits for ever.
                for to in &next[at.index()] {
                    let (before, after) = (&graph[at].holds, &graph[NodeIndex::new(*to)].holds);
                    let differ = before.iter().filter(|hold| !after.contains(hold));
                    let differ = differ.chain(after.iter().filter(|hold| !before.contains(hold)));
                    own.parts.extend(differ.map(|hold| match hold {
                        Hold::Cell(cell) | Hold::Node(cell, _) => (*cell, Part::Whole, Touch::Count),
                    }));
                }
            }
            nodes.push(own);
        }
        let layout = system.program().layout();
        let is_mortal = |lock: &CellId| layout.info(*lock).liveness.is_some();
        let mut locks: Vec<CellId> = layout.locks().to_vec();
        locks.retain(|lock| !is_mortal(lock));
        locks.truncate(u64::BITS as usize);
        Relations { nodes, next, locks, reached: RefCell::default() }
    }

    fn set(&self, is_in: impl Fn(&Footprint) -> bool) -> Nodes {
        let mut set = vec![0; self.nodes.len().div_ceil(64)];
        for (at, node) in self.nodes.iter().enumerate() {
            if node.as_ref().is_some_and(&is_in) {
                set[at / 64] |= 1 << (at % 64);
            }
        }
        set
    }

    /// The nodes whose steps do not commute with the step of this one. `last`: if it brings a count to zero.
    fn clashes<'n>(&self, node: &'n Footprint, last: bool) -> &'n Nodes {
        node.clash[usize::from(last)].get_or_init(|| {
            self.set(|other| {
                let none = Parts::new();
                let of = |node: &Footprint, last: bool| {
                    let more = if last { &node.last } else { &none };
                    node.parts.iter().chain(more).copied().collect::<Parts>()
                };
                node.lowers.iter().any(|count| other.lowers.contains(count))
                    || clash(&of(node, last), &of(other, true))
            })
        })
    }

    /// The nodes whose steps may let the step of this one be taken.
    fn wakers<'n>(&self, node: &'n Footprint) -> &'n Nodes {
        node.wakers.get_or_init(|| {
            self.set(|other| clash(&node.guard, &other.parts) || clash(&node.guard, &other.last))
        })
    }

    /// The nodes that a task can get to from one, and the tasks that it starts, without passing a step that waits
    /// for one of these mutexes.
    fn reach(&self, from: usize, held: u64) -> Rc<Nodes> {
        if let Some(reached) = self.reached.borrow().get(&(from, held)) {
            return reached.clone();
        }
        let waits = |at: usize| {
            let lock = self.nodes[at].as_ref().and_then(|node| node.lock);
            lock.is_some_and(|lock| slots(held).any(|place| self.locks[place] == lock))
        };
        let mut reached = vec![0u64; self.nodes.len().div_ceil(64)];
        let mut todo = vec![from];
        while let Some(at) = todo.pop() {
            if !waits(at) && reached[at / 64] >> (at % 64) & 1 == 0 {
                reached[at / 64] |= 1 << (at % 64);
                todo.extend(&self.next[at]);
            }
        }
        let reached = Rc::new(reached);
        self.reached.borrow_mut().insert((from, held), reached.clone());
        reached
    }
}

/// A state, and what is asked of it.
pub(super) struct Here<'a, 'p, P: Program> {
    pub(super) relations: &'a Relations,
    pub(super) system: &'a System<'p, P>,
    pub(super) state: &'a State,
}

impl<P: Program> Here<'_, '_, P> {
    fn layout(&self) -> &Layout {
        self.system.program().layout()
    }

    /// The tasks that have not ended, those that have not started included.
    pub(super) fn live(&self) -> u64 {
        let slots = 0..self.system.program().slots().len();
        set(slots.filter(|slot| self.system.next(self.state, *slot).is_some()))
    }

    /// The tasks that can go on.
    pub(super) fn enabled(&self) -> u64 {
        set(slots(self.live()).filter(|slot| self.system.is_enabled(self.state, *slot)))
    }

    /// What a task that cannot go on waits for.
    pub(super) fn waits(&self, slot: usize) -> Waits {
        if let SlotKind::Task { after, .. } = &self.system.program().slots()[slot].kind {
            let before = set(after.iter().copied()) & self.live();
            if before != 0 {
                return Waits::For(before);
            }
        }
        match self.step(slot).and_then(|step| step.lock) {
            Some(lock) => {
                let owner = self.state.memory()[self.layout().info(lock).offset];
                Waits::For(if owner == 0 { 0 } else { 1 << (owner - 1) })
            }
            None => Waits::Anybody,
        }
    }

    /// Whether it is enough that one of those that a task waits for stands still: those that must end before it
    /// starts, or the owner of a mutex.
    pub(super) fn is_kept(&self, slot: usize, movers: u64) -> bool {
        match self.waits(slot) {
            Waits::For(those) => those & !movers != 0 || those == 0,
            Waits::Anybody => self.wakers(slot, movers) == 0,
        }
    }

    fn step(&self, slot: usize) -> Option<&Footprint> {
        self.relations.nodes.get(self.state.node(slot)?.index())?.as_ref()
    }

    /// The mutexes of tasks that are none of these.
    fn held(&self, movers: u64) -> u64 {
        let is_held = |lock: &CellId| {
            let owner = self.state.memory()[self.layout().info(*lock).offset];
            owner != 0 && movers >> (owner - 1) & 1 == 0
        };
        let held = self.relations.locks.iter().enumerate().filter(|(_, lock)| is_held(lock));
        set(held.map(|(place, _)| place))
    }

    /// Which of these may come to one of some nodes, while all others stand still.
    fn come_to(&self, movers: u64, nodes: &Nodes) -> u64 {
        let held = self.held(movers);
        let comes = |slot: &usize| {
            let Some(node) = self.state.node(*slot) else { return false };
            let node = node.index();
            // What is not known yet may do anything.
            node >= self.relations.nodes.len()
                || self.relations.reach(node, held).iter().zip(nodes).any(|(one, other)| one & other != 0)
        };
        set(slots(movers).filter(comes))
    }

    /// Which of these may do what does not commute with the next step of a task.
    pub(super) fn clashers(&self, slot: usize, movers: u64) -> u64 {
        let Some(step) = self.step(slot) else { return movers };
        let times = |count: &CellId| step.lowers.iter().filter(|other| *other == count).count();
        let is_low = |count: &CellId| {
            usize::from(self.state.memory()[self.layout().info(*count).offset]) <= times(count)
        };
        let last = step.lowers.iter().any(is_low);
        self.come_to(movers, self.relations.clashes(step, last))
    }

    /// Which of these may let a task go on that waits for no mutex.
    pub(super) fn wakers(&self, slot: usize, movers: u64) -> u64 {
        let Some(step) = self.step(slot) else { return movers };
        self.come_to(movers, self.relations.wakers(step))
    }
}
