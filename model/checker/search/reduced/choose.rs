//! Persistent sets (Godefroid 1996): which tasks' steps are enough to explore in a state.
//!
//! A set of tasks is persistent if nothing that the others can do while the set stands still fails to
//! commute with a next step of the set, or brings about one that is not enabled. Then every run from
//! the state can be reordered so that a step of the set comes first.

use super::conds::{Cond, changes_nothing, is_seen, of_memory};
use super::pieces::{Fading, Piece};
use super::quiet::Item;
use super::remedies::Remedy;
use super::tables::{ENDLESS, Tables, View, has};
use crate::machine::layout::CellId;
use crate::machine::op::Op;
use crate::machine::program::Program;
use crate::machine::work::DISABLED;
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
    /// Whether lists are empty and stay so.
    frozen: bool,
    /// The workers of items that are as good as idle.
    inert: u64,
}

/// What has been asked of the slots of a state.
struct Asked {
    clashers: Known,
    enablers: Known,
    keepers: Known,
}

/// Room for a choice.
pub(super) struct Room {
    nodes: [u32; SLOTS],
    asked: Asked,
}

impl Default for Room {
    fn default() -> Self {
        let (clashers, enablers, keepers) = (Known::NOTHING, Known::NOTHING, Known::NOTHING);
        Room { nodes: [EMPTY; SLOTS], asked: Asked { clashers, enablers, keepers } }
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
    /// Store every state. Then all tasks are chosen, too.
    pub(super) every_state: bool,
    /// With that: look for data races.
    pub(super) data_races: bool,
    /// Whether workers that are as good as idle are taken for idle.
    pub(super) settles: bool,
}

impl<P: Program> Chooser<'_, '_, P> {
    /// Whether one task's step is enough, as far as that is seen at once. `first` is tried first.
    pub(super) fn look(&self, room: &mut Room, state: &[u8], first: usize) -> Look {
        if self.all {
            return if self.enabled(room, state) == 0 { Look::Nobody } else { Look::Unclear };
        }
        let Room { nodes, asked: Asked { clashers, .. } } = room;
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
        let Room { nodes, asked } = room;
        let tasks = self.tasks(nodes, state);
        asked.enablers.slots = 0;
        asked.keepers.slots = 0;
        let able = members(tasks.live).filter(|slot| self.is_enabled(&tasks, *slot));
        let enabled = able.fold(0, |all, slot| all | 1 << slot);
        let mut best = enabled;
        for seed in members(enabled) {
            let set = self.close(&tasks, enabled, seed, best, asked);
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
        let mut tasks = Tasks { state, nodes, live, frozen: false, inert: 0 };
        tasks.frozen = self.is_frozen(&tasks);
        if tasks.frozen && self.settles {
            let inert =
                self.tables.quiet.items.iter().filter(|(work, item)| self.is_inert(&tasks, **work, item));
            tasks.inert = inert.fold(0, |all, (_, item)| all | 1 << item.slot);
            tasks.live &= !tasks.inert;
        }
        tasks
    }

    /// Whether lists are empty and stay so.
    fn is_frozen(&self, tasks: &Tasks<'_>) -> bool {
        let quiet = &self.tables.quiet;
        let adds = |slot: usize| {
            let at = tasks.nodes[slot] as usize;
            at >= self.tables.known || has(&quiet.adds, at)
        };
        !quiet.adds.is_empty()
            && quiet.lists.iter().all(|list| tasks.state[*list] == 0)
            && !members(tasks.live).any(adds)
    }

    /// Whether the worker of an item is as good as idle.
    fn is_inert(&self, tasks: &Tasks<'_>, work: CellId, item: &Item) -> bool {
        let at = tasks.nodes[item.slot] as usize;
        let bytes = |cell: CellId| &tasks.state[self.expander.layout.info(cell).range()];
        let seen = |slot: usize| {
            let at = tasks.nodes[slot] as usize;
            at >= self.tables.known || has(&item.seen, at)
        };
        at < self.tables.known
            && has(&item.idle, at)
            && bytes(work)[1..].iter().all(|waiter| *waiter == 0)
            && item.zero.iter().all(|cell| bytes(*cell).iter().all(|byte| *byte == 0))
            && !members(tasks.live & !(1 << item.slot)).any(seen)
    }

    /// Takes workers that are as good as idle to where they are idle.
    pub(super) fn settle(&self, room: &mut Room, state: &mut [u8]) {
        if self.tables.quiet.items.is_empty() || !self.settles {
            return;
        }
        let inert = self.tasks(&mut room.nodes, state).inert;
        for (work, item) in &self.tables.quiet.items {
            if inert >> item.slot & 1 != 0 {
                state[self.expander.layout.info(*work).offset] &= DISABLED;
                self.expander.shape.set(state, item.slot, item.start);
                for lock in &item.locks {
                    let owner = &mut state[self.expander.layout.info(*lock).offset];
                    if usize::from(*owner) == item.slot + 1 {
                        *owner = 0;
                    }
                }
            }
        }
    }

    /// Gives what nobody can see any more the same value in all states.
    pub(super) fn fade(&self, state: &mut [u8]) {
        if self.all || !self.tables.remedies.has(Remedy::Canon) {
            return;
        }
        for piece in &self.tables.faded {
            self.forget(state, *piece);
        }
        let mut room = [0; SLOTS];
        let slots = 0..self.expander.shape.slots;
        let nodes = slots.map(|slot| self.expander.shape.node(state, slot)).filter(|node| *node != EMPTY);
        let tasks = room.iter_mut().zip(nodes).map(|(place, node)| *place = node as usize).count();
        for piece in self.tables.unseen(&room[..tasks]) {
            self.forget(state, piece);
        }
    }

    fn forget(&self, state: &mut [u8], piece: Piece) {
        match self.tables.pieces.fading(piece) {
            Fading::Zero(range) => state[range].fill(0),
            Fading::Sort(range) => crate::machine::klist::sort(&mut state[range]),
            Fading::Stays => {}
        }
    }

    /// Whether a condition holds in a state. `op`: the step that may be put first.
    fn holds(&self, tasks: &Tasks<'_>, cond: Cond, op: &Op) -> bool {
        let (layout, memory) = (self.expander.layout, &tasks.state[..self.expander.shape.memory]);
        let is_inert = |work: CellId| {
            let item = self.tables.quiet.items.get(&work);
            item.is_some_and(|item| tasks.inert >> item.slot & 1 != 0)
        };
        let nothing = || self.tables.remedies.has(Remedy::Here) && changes_nothing(layout, memory, op);
        match cond {
            Cond::Members => !tasks.frozen,
            Cond::Lists => !tasks.frozen && !nothing(),
            Cond::Nothing => !tasks.frozen && nothing(),
            Cond::Item(work) => !is_inert(work),
            Cond::Live(piece) => {
                let nodes = members(tasks.live).map(|slot| tasks.nodes[slot] as usize);
                is_seen(self.tables, piece, nodes)
            }
            cond => match of_memory(layout, memory, cond, op) {
                Some(holds) => holds,
                None => !matches!(cond, Cond::Unmarked(work) | Cond::Cancelled(work) if is_inert(work)),
            },
        }
    }

    fn started(&self, tasks: &Tasks<'_>, slot: usize) -> bool {
        self.order.direct[slot] & tasks.live == 0
    }

    fn is_enabled(&self, tasks: &Tasks<'_>, slot: usize) -> bool {
        let node = &self.expander.nodes[tasks.nodes[slot] as usize];
        self.started(tasks, slot) && self.expander.is_enabled(node, tasks.state, slot)
    }

    /// The tasks that may do something that does not commute with the next step of this one before it.
    fn clashers(&self, tasks: &Tasks<'_>, slot: usize) -> u64 {
        let node = tasks.nodes[slot] as usize;
        let others = self.others(tasks, slot);
        if node >= self.tables.known {
            return others;
        }
        let touches = self.tables.touches(node);
        let last = |cell: &CellId| {
            let left = tasks.state[self.expander.layout.info(*cell).offset];
            let lowered = touches.lowered(*cell);
            left < lowered || left == lowered && self.tables.is_zero_seen(*cell)
        };
        let view = if touches.lowers.iter().any(last) { View::Last } else { View::Step };
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

    /// The tasks each of which must let go before one that waits can go on, besides the owner of a mutex: a
    /// *necessary enabling set* is any of them (Godefroid).
    fn keepers(&self, tasks: &Tasks<'_>, slot: usize) -> u64 {
        let node = tasks.nodes[slot] as usize;
        let tokens = &self.tables.tokens;
        if node >= self.tables.known {
            return 0;
        }
        // Whoever frees the object that it waits for ends the wait too.
        let waits = tokens.waits_for(node) & !tokens.locks();
        if waits == 0 || waits & tokens.mortal() != 0 {
            return 0;
        }
        let keeps = |other: &usize| {
            let at = tasks.nodes[*other] as usize;
            at < self.tables.known && tokens.held(at) & waits != 0
        };
        members(tasks.live & !(1 << slot)).filter(keeps).fold(0, |all, other| all | 1 << other)
    }

    /// Whether somebody has lost one of these because the object that it is in was freed.
    fn has_lost(&self, tasks: &Tasks<'_>, tokens: u64) -> bool {
        let holders = |token: u64| {
            let has = |slot: &usize| {
                let at = tasks.nodes[*slot] as usize;
                at < self.tables.known && self.tables.tokens.held(at) & token != 0
            };
            members(tasks.live).filter(has).count()
        };
        self.tables.tokens.lost(tokens, self.expander.layout, tasks.state, holders)
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
        if self.tables.tokens.may_lose(node).any(lost) || self.has_lost(tasks, self.tables.tokens.held(node))
        {
            return others;
        }
        let row = self.tables.row(self.expander, node, view, op);
        let those = |nodes: &[u64], among: u64| {
            let clashes = |other: &usize| {
                let at = tasks.nodes[*other] as usize;
                at >= self.tables.known || has(nodes, at)
            };
            members(among).filter(clashes).fold(0, |all, other| all | 1 << other)
        };
        let mut seen = those(&row.clash, others);
        for (cond, nodes) in &row.conditional {
            let more = those(nodes, others & !seen);
            if more != 0 && self.holds(tasks, *cond, op) {
                seen |= more;
            }
        }
        for need in &row.needs {
            let place = usize::from(need.count);
            let lowered = |other: &usize| self.tables.drops(tasks.nodes[*other] as usize, place);
            let most: usize = members(others).map(|other| usize::from(lowered(&other))).sum();
            let endless = members(others).any(|other| lowered(&other) >= ENDLESS);
            let left = tasks.state[self.expander.layout.info(self.tables.counts[place]).offset];
            let left = isize::from(left) - isize::from(need.slack);
            let lowers = |other: &usize| match left {
                // So low already that any lowering matters, even of what the same task has raised.
                ..=0 => self.tables.may_lower(tasks.nodes[*other] as usize, place),
                _ => lowered(other) > 0,
            };
            if endless || left <= most as isize {
                seen |= members(others).filter(lowers).fold(0, |all, slot| all | 1 << slot);
            }
        }
        seen
    }

    /// The enabled tasks of the smallest persistent set with this one, if they are fewer than the best.
    fn close(&self, tasks: &Tasks<'_>, enabled: u64, seed: usize, best: u64, asked: &mut Asked) -> u64 {
        let mut set = 1 << seed;
        while (set & enabled).count_ones() < best.count_ones() {
            let movers = self.movers(tasks, enabled, set, asked);
            let mut more = 0;
            for slot in members(set) {
                more |= if enabled >> slot & 1 != 0 {
                    asked.clashers.get(slot, || self.clashers(tasks, slot))
                } else if self.started(tasks, slot) {
                    let keep = asked.keepers.get(slot, || self.keepers(tasks, slot));
                    match keep {
                        0 => asked.enablers.get(slot, || self.enablers(tasks, slot)),
                        // Each of them has to let go first, so one is enough; and one that stands still does not.
                        _ if keep & !movers != 0 => 0,
                        _ => keep & keep.wrapping_neg(),
                    }
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
    fn movers(&self, tasks: &Tasks<'_>, enabled: u64, set: u64, asked: &mut Asked) -> u64 {
        let mut movers = enabled & !set;
        loop {
            let mut joining = 0;
            for slot in members(tasks.live & !movers & !set & !enabled) {
                let joins = if self.started(tasks, slot) {
                    asked.keepers.get(slot, || self.keepers(tasks, slot)) & !movers == 0
                        && asked.enablers.get(slot, || self.enablers(tasks, slot)) & movers != 0
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
