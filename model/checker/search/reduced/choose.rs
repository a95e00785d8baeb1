//! Persistent sets (Godefroid 1996): which tasks' steps are enough to explore in a state.
//!
//! A set of tasks is persistent if nothing that the others can do while the set stands still fails to
//! commute with a next step of the set, or brings about one that is not enabled. Then every run from
//! the state can be reordered so that a step of the set comes first.

use super::tables::{ENDLESS, Tables, View, WORKERS};
use crate::machine::layout::CellId;
use crate::machine::op::enabled;
use crate::machine::program::Program;
use crate::search::packed::expand::Expander;
use crate::search::system::EMPTY;

/// More slots than this are no bits of a word.
pub(super) const SLOTS: usize = u64::BITS as usize;

/// What is asked of a slot more than once.
#[derive(Clone, Copy)]
struct Known {
    slots: u64,
    sets: [u64; SLOTS],
}

impl Known {
    const NOTHING: Known = Known { slots: 0, sets: [0; SLOTS] };

    #[inline]
    fn get(&mut self, slot: usize, find: impl FnOnce() -> u64) -> u64 {
        if self.slots >> slot & 1 == 0 {
            self.slots |= 1 << slot;
            self.sets[slot] = find();
        }
        self.sets[slot]
    }
}

/// The slots of a state as sets.
struct Tasks<'s> {
    state: &'s [u8],
    nodes: &'s [u32; SLOTS],
    /// Those that have not ended.
    live: u64,
}

/// Room for a choice.
pub(super) struct Room {
    nodes: [u32; SLOTS],
    clashers: Known,
    enablers: Known,
}

impl Default for Room {
    fn default() -> Self {
        Room { nodes: [EMPTY; SLOTS], clashers: Known::NOTHING, enablers: Known::NOTHING }
    }
}

/// What the first look at a state comes to.
pub(super) enum Look {
    /// Nobody can go on.
    Nobody,
    /// The step of this task is enough.
    One(usize),
    /// A closer look is needed.
    Unclear,
}

/// Which slots wait for which to end.
pub(super) struct Order {
    /// The tasks that must end before a task starts.
    direct: Vec<u64>,
    /// For each slot those that cannot start before it has ended.
    later: Vec<u64>,
}

impl Order {
    /// That of a program.
    pub(super) fn of<P: Program>(expander: &Expander<'_, P>) -> Self {
        let bits = |slots: &Vec<usize>| slots.iter().fold(0u64, |all, slot| all | 1 << slot);
        let direct: Vec<u64> = expander.after.iter().map(bits).collect();
        let mut all = direct.clone();
        loop {
            let further = |before: &u64| members(*before).fold(*before, |more, slot| more | all[slot]);
            let next: Vec<u64> = all.iter().map(further).collect();
            if next == all {
                let waits = |slot: usize| {
                    let waiting = (0..all.len()).filter(|other| all[*other] >> slot & 1 != 0);
                    waiting.fold(0, |set, other| set | 1 << other)
                };
                let later = (0..all.len()).map(waits).collect();
                return Order { direct, later };
            }
            all = next;
        }
    }
}

/// The members of a set of slots, ascending.
pub(super) fn members(set: u64) -> impl Iterator<Item = usize> {
    let mut rest = set;
    std::iter::from_fn(move || {
        let slot = rest.trailing_zeros() as usize;
        rest &= rest.wrapping_sub(1);
        (slot < SLOTS).then_some(slot)
    })
}

/// Chooses what to explore.
pub(super) struct Chooser<'a, 'p, P: Program> {
    pub(super) expander: &'a Expander<'p, P>,
    pub(super) tables: &'a Tables,
    pub(super) order: &'a Order,
    /// Choose all tasks that can go on.
    pub(super) all: bool,
}

impl<P: Program> Chooser<'_, '_, P> {
    /// Whether one task's step is enough, as far as that is seen at once. `first` is tried first.
    pub(super) fn look(&self, room: &mut Room, state: &[u8], first: usize) -> Look {
        if self.all {
            return if self.enabled(room, state) == 0 { Look::Nobody } else { Look::Unclear };
        }
        let Room { nodes, clashers, .. } = room;
        let tasks = self.tasks(nodes, state);
        clashers.slots = 0;
        if tasks.live >> first & 1 != 0
            && self.is_enabled(&tasks, first)
            && clashers.get(first, || self.clashers(&tasks, first)) == 0
        {
            return Look::One(first);
        }
        let mut somebody = false;
        for slot in members(tasks.live & !(1 << first)) {
            if self.is_enabled(&tasks, slot) {
                somebody = true;
                if clashers.get(slot, || self.clashers(&tasks, slot)) == 0 {
                    return Look::One(slot);
                }
            }
        }
        if somebody || clashers.slots != 0 { Look::Unclear } else { Look::Nobody }
    }

    /// The enabled tasks whose steps are enough; none if no step is enabled.
    pub(super) fn choose(&self, room: &mut Room, state: &[u8]) -> u64 {
        match self.look(room, state, 0) {
            Look::Nobody => 0,
            Look::One(slot) => 1 << slot,
            Look::Unclear => self.choose_closely(room, state),
        }
    }

    /// The same, right after a look that left it unclear.
    pub(super) fn choose_closely(&self, room: &mut Room, state: &[u8]) -> u64 {
        if self.all {
            return self.enabled(room, state);
        }
        let Room { nodes, clashers, enablers } = room;
        let tasks = self.tasks(nodes, state);
        enablers.slots = 0;
        let able = members(tasks.live).filter(|slot| self.is_enabled(&tasks, *slot));
        let enabled = able.fold(0, |all, slot| all | 1 << slot);
        let mut best = enabled;
        for seed in members(enabled) {
            let set = self.close(&tasks, enabled, seed, best, clashers, enablers);
            if set.count_ones() < best.count_ones() {
                best = set;
                if best.count_ones() == 1 {
                    break;
                }
            }
        }
        best
    }

    /// The tasks that may do something that does not commute with the next step of this one before it.
    pub(super) fn clashers_of(&self, room: &mut Room, state: &[u8], slot: usize) -> u64 {
        let tasks = self.tasks(&mut room.nodes, state);
        self.clashers(&tasks, slot)
    }

    /// All enabled tasks.
    pub(super) fn enabled(&self, room: &mut Room, state: &[u8]) -> u64 {
        let tasks = self.tasks(&mut room.nodes, state);
        members(tasks.live).filter(|slot| self.is_enabled(&tasks, *slot)).fold(0, |all, slot| all | 1 << slot)
    }

    fn tasks<'s>(&self, nodes: &'s mut [u32; SLOTS], state: &'s [u8]) -> Tasks<'s> {
        let mut live = 0;
        for (slot, place) in nodes.iter_mut().enumerate().take(self.expander.shape.slots) {
            let node = self.expander.shape.node(state, slot);
            *place = node;
            if node != EMPTY && self.expander.nodes[node as usize].op.is_some() {
                live |= 1 << slot;
            }
        }
        Tasks { state, nodes, live }
    }

    fn started(&self, tasks: &Tasks<'_>, slot: usize) -> bool {
        self.order.direct[slot] & tasks.live == 0
    }

    fn is_enabled(&self, tasks: &Tasks<'_>, slot: usize) -> bool {
        let Some(op) = &self.expander.nodes[tasks.nodes[slot] as usize].op else { return false };
        let memory = &tasks.state[..self.expander.shape.memory];
        self.started(tasks, slot) && enabled(self.expander.layout, memory, slot, op)
    }

    /// The tasks that may do something that does not commute with the next step of this one before it.
    fn clashers(&self, tasks: &Tasks<'_>, slot: usize) -> u64 {
        let node = tasks.nodes[slot] as usize;
        let others = self.others(tasks, slot);
        if node >= self.tables.known {
            return others;
        }
        let last = |cell| tasks.state[self.expander.layout.info(cell).offset] <= 1;
        let view = match self.tables.lowers(node) {
            [] => View::Step,
            lowers if lowers.iter().any(|cell| last(*cell)) => View::Last,
            _ => View::Step,
        };
        self.seen(tasks, slot, view, others)
    }

    /// The tasks that may change whether the next step of this one is enabled.
    fn enablers(&self, tasks: &Tasks<'_>, slot: usize) -> u64 {
        let others = self.others(tasks, slot);
        let node = tasks.nodes[slot] as usize;
        if node >= self.tables.known {
            return others;
        }
        let mut owner = 0;
        if let Some(op) = &self.expander.nodes[node].op
            && let Some(lock) = op.locks()
        {
            let byte = tasks.state[self.expander.layout.info(lock).offset];
            owner = if byte == 0 { others } else { 1 << (byte - 1) & others };
        }
        owner | self.seen(tasks, slot, View::Guard, others)
    }

    /// Who else may do anything before this one has ended.
    fn others(&self, tasks: &Tasks<'_>, slot: usize) -> u64 {
        tasks.live & !(1 << slot) & !self.order.later[slot]
    }

    fn seen(&self, tasks: &Tasks<'_>, slot: usize, view: View, others: u64) -> u64 {
        let node = tasks.nodes[slot] as usize;
        let Some(op) = &self.expander.nodes[node].op else { return 0 };
        // Who frees an object also takes the mutex in it from its owner.
        let lost =
            |lock: CellId| usize::from(tasks.state[self.expander.layout.info(lock).offset]) != slot + 1;
        if self.tables.may_lose(node).any(lost) {
            return others;
        }
        let row = self.tables.row(self.expander.layout, node, view, op);
        let mut seen = 0;
        for other in members(others) {
            let at = tasks.nodes[other] as usize;
            if at >= self.tables.known || row.clashes(at) {
                seen |= 1 << other;
            }
        }
        for need in &row.needs {
            let place = usize::from(need.count);
            let lowered = |other: &usize| self.tables.drops(tasks.nodes[*other] as usize, place);
            let most: usize = members(others).map(|other| usize::from(lowered(&other))).sum();
            let endless = members(others).any(|other| lowered(&other) >= ENDLESS);
            if endless || self.count(tasks, place) <= most + usize::from(need.slack) {
                seen |=
                    members(others).filter(|other| lowered(other) > 0).fold(0, |all, slot| all | 1 << slot);
            }
        }
        seen
    }

    /// A count; for workers one more than are free.
    fn count(&self, tasks: &Tasks<'_>, place: usize) -> usize {
        if place == WORKERS {
            let free = |slot: &usize| tasks.nodes[*slot] == EMPTY;
            return 1 + self.expander.system.workers().filter(free).count();
        }
        match self.tables.counts.get_index(place) {
            Some((Some(cell), _)) => usize::from(tasks.state[self.expander.layout.info(*cell).offset]),
            _ => unreachable!("internal: a count by number"),
        }
    }

    /// The enabled tasks of the smallest persistent set with this one, if they are fewer than the best.
    fn close(
        &self,
        tasks: &Tasks<'_>,
        enabled: u64,
        seed: usize,
        best: u64,
        clashers: &mut Known,
        enablers: &mut Known,
    ) -> u64 {
        let mut set = 1 << seed;
        while (set & enabled).count_ones() < best.count_ones() {
            let movers = self.movers(tasks, enabled, set, enablers);
            let mut more = 0;
            for slot in members(set) {
                more |= if enabled >> slot & 1 != 0 {
                    clashers.get(slot, || self.clashers(tasks, slot))
                } else if self.started(tasks, slot) {
                    enablers.get(slot, || self.enablers(tasks, slot))
                } else {
                    self.order.direct[slot]
                };
            }
            more &= movers;
            if more == 0 {
                return set & enabled;
            }
            set |= more;
        }
        enabled
    }

    /// The tasks that may move while a set stands still.
    fn movers(&self, tasks: &Tasks<'_>, enabled: u64, set: u64, enablers: &mut Known) -> u64 {
        let mut movers = enabled & !set;
        loop {
            let mut joining = 0;
            for slot in members(tasks.live & !movers & !set & !enabled) {
                let joins = if self.started(tasks, slot) {
                    enablers.get(slot, || self.enablers(tasks, slot)) & movers != 0
                } else {
                    self.order.direct[slot] & tasks.live & !movers == 0
                };
                joining |= u64::from(joins) << slot;
            }
            if joining == 0 {
                return movers;
            }
            movers |= joining;
        }
    }
}
