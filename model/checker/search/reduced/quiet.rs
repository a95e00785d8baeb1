//! What no task can change any more.
//!
//! Lists are *frozen* when all are empty and no task can get to a step that puts something on one. (As long as they
//! are empty nothing is found on them, so ways on which something was found do not count.) Then steps on lists
//! change nothing.
//!
//! The worker of an item is *inert* when lists are frozen, a run of its item only looks for something on them,
//! and nobody can see whether it runs. Then it is as good as idle: `Chooser::settle` makes it so.

use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;

use super::remedies::Remedy;
use super::tables::{Nodes, Tables, has, is_unseen};
use crate::machine::layout::{CellId, Kind};
use crate::machine::op::{Action, Op};
use crate::machine::program::{Program, SlotKind};
use crate::machine::value::Obs;
use crate::search::packed::expand::Expander;
use crate::search::system::EMPTY;

/// The worker of an item that may become inert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) slot: usize,
    /// The start of its automaton, where it is idle.
    pub(super) start: u32,
    /// The nodes of a run that finds nothing.
    pub(super) idle: Nodes,
    /// The nodes of others from which it may be seen.
    pub(super) seen: Nodes,
    /// What its checks write: it must be zero.
    pub(super) zero: Vec<CellId>,
    /// The mutexes that it takes.
    pub(super) locks: Vec<CellId>,
}

/// What may become quiet.
#[derive(Default)]
pub(super) struct Quiet {
    /// Where the lengths of all lists are in memory.
    pub(super) lists: Vec<usize>,
    /// The nodes from which something may be put on a list; all if that is not asked for.
    pub(super) adds: Nodes,
    /// By item.
    pub(super) items: IndexMap<CellId, Item, FxBuildHasher>,
}

/// Whether a step takes the first of a list: then it finds none as long as lists are empty.
fn pops(op: Option<&Op>) -> bool {
    op.and_then(|op| op.actions.last()).is_some_and(|action| matches!(action, Action::ListPop(_)))
}

impl Quiet {
    pub(super) fn of<P: Program>(expander: &Expander<'_, P>, tables: &Tables) -> Self {
        let lists = expander.layout.cells().iter().filter(|info| matches!(info.kind, Kind::List(..)));
        let lists: Vec<usize> = lists.map(|info| info.offset).collect();
        let mut quiet = Quiet { lists, ..Quiet::default() };
        if !tables.remedies.has(Remedy::Frozen) || quiet.lists.is_empty() {
            return quiet;
        }
        quiet.adds = adds(expander);
        for (slot, decl) in expander.program.slots().iter().enumerate() {
            if let SlotKind::Item { work, .. } = &decl.kind
                && let Some(item) = item(expander, tables, slot, *work)
            {
                quiet.items.insert(*work, item);
            }
        }
        quiet
    }

    /// Whether these say of the nodes that the others know what those say.
    pub(super) fn confirms(&self, other: &Quiet, same: impl Fn(&[u64], &[u64]) -> bool) -> bool {
        let alike = |(work, item): (&CellId, &Item)| {
            other.items.get(work).is_some_and(|old| {
                (item.start, &item.zero, &item.locks) == (old.start, &old.zero, &old.locks)
                    && same(&item.idle, &old.idle)
                    && same(&item.seen, &old.seen)
            })
        };
        self.items.len() == other.items.len()
            && self.items.iter().all(alike)
            && self.adds.is_empty() == other.adds.is_empty()
            && (self.adds.is_empty() || same(&self.adds, &other.adds))
    }
}

/// The nodes from which something may be put on a list, if lists are empty.
fn adds<P: Program>(expander: &Expander<'_, P>) -> Nodes {
    let known = expander.nodes.len();
    let mut before: Vec<Vec<u32>> = vec![Vec::new(); known];
    for (at, node) in expander.nodes.iter().enumerate() {
        let pops = pops(node.op.as_ref());
        let edges = node.edges.iter().filter(|(observed, _)| !pops || *observed == Obs::None);
        let next = edges.map(|(_, to)| *to).chain((node.spawns != EMPTY).then_some(node.spawns));
        next.for_each(|to| before[to as usize].push(at as u32));
    }
    let adds = |op: &Op| op.actions.iter().any(|action| matches!(action, Action::ListAdd { .. }));
    let mut reached = vec![0u64; known.div_ceil(64).max(1)];
    let mut todo: Vec<u32> = (0..known as u32).collect();
    todo.retain(|at| expander.nodes[*at as usize].op.as_ref().is_some_and(adds));
    while let Some(at) = todo.pop() {
        let at = at as usize;
        if !has(&reached, at) {
            reached[at / 64] |= 1 << (at % 64);
            todo.extend(&before[at]);
        }
    }
    reached.into()
}

/// The worker of an item, if its runs do nothing as long as lists are empty.
fn item<P: Program>(expander: &Expander<'_, P>, tables: &Tables, slot: usize, work: CellId) -> Option<Item> {
    let known = expander.nodes.len();
    let SlotKind::Item { entry, .. } = &expander.program.slots()[slot].kind else { return None };
    let entry = expander.entries.get_index_of(entry)?;
    let mut starts = expander.starts.iter().filter(|start| expander.nodes[**start as usize].entry == entry);
    let start = *starts.next()?;
    let immortal = |cell: &CellId| expander.layout.info(*cell).liveness.is_none();
    let mut idle = vec![0u64; known.div_ceil(64).max(1)];
    let (mut zero, mut locks) = (Vec::new(), Vec::new());
    // With the mutexes that it holds there.
    let mut todo: Vec<(usize, Vec<CellId>)> = vec![(start as usize, Vec::new())];
    let mut met: IndexMap<usize, Vec<CellId>> = IndexMap::new();
    while let Some((at, mut holds)) = todo.pop() {
        if let Some(before) = met.insert(at, holds.clone()) {
            if before != holds {
                return None;
            }
            continue;
        }
        idle[at / 64] |= 1 << (at % 64);
        let node = &expander.nodes[at];
        let op = node.op.as_ref().filter(|op| op.under.is_none() && node.spawns == EMPTY)?;
        for action in &op.actions {
            let does_nothing = match action {
                Action::WorkStart(cell) | Action::WorkEnd(cell) => {
                    *cell == work && immortal(cell) && holds.is_empty()
                }
                Action::Lock(lock) => {
                    let first = immortal(lock) && holds.is_empty();
                    holds.push(*lock);
                    locks.push(*lock);
                    first
                }
                Action::Unlock(lock) => holds.pop() == Some(*lock),
                Action::ListPop(list) => immortal(list),
                _ => false,
            };
            if !does_nothing {
                return None;
            }
        }
        let pops = pops(Some(op));
        if let Some(event) = &op.event {
            // Whatever else is in memory: it leaves zero as it is.
            let mut memory = vec![0; expander.layout.bytes()];
            let observed = if pops { Obs::None } else { Obs::Unit };
            expander.program.event(event, slot, observed, &mut memory).ok()?;
            if memory.iter().any(|byte| *byte != 0) {
                return None;
            }
            zero.extend(expander.program.event_touches(event).into_iter().map(|(cell, ..)| cell));
        }
        // All of it must be known: a worker that is taken for idle goes nowhere, so that nothing more is learnt.
        let (_, to) = node.edges.iter().find(|(observed, _)| !pops || *observed == Obs::None)?;
        todo.push((*to as usize, holds));
    }
    for cells in [&mut zero, &mut locks] {
        cells.sort_unstable();
        cells.dedup();
    }
    // Whether a worker is as good as idle must not depend on facts.
    if zero.iter().any(|cell| expander.is_fact(*cell)) {
        return None;
    }
    // Others see it by all they do with the item but queueing it unobserved, or by its mutexes if they hold or try
    // them: a step under one only waits for it.
    let sees = |at: &usize| {
        let Some(op) = expander.nodes[*at].op.as_ref().filter(|_| !has(&idle, *at)) else { return false };
        let item = op.actions.iter().any(|action| match action {
            Action::QueueWork(cell) => *cell == work && !is_unseen(expander, *at),
            Action::TryLock(lock) | Action::Lock(lock) => locks.contains(lock),
            other => other.names(work),
        });
        let checks = op.event.iter().flat_map(|event| expander.program.event_touches(event));
        let mut checked = checks.map(|(cell, ..)| cell);
        let mut touched = tables.touches(*at).parts.iter().map(|(cell, ..)| *cell);
        item || checked.any(|cell| cell == work || zero.contains(&cell) || locks.contains(&cell))
            || touched.any(|cell| zero.contains(&cell))
    };
    let seen = tables.reach((0..known).filter(sees), 0);
    Some(Item { slot, start, idle: idle.into(), seen, zero, locks })
}

/// Whether a step that changes nothing on lists may change something after another one.
pub(super) fn undoes(step: &Op, other: &Op) -> bool {
    step.actions.iter().any(|action| other.actions.iter().any(|by| undone(action, by)))
}

fn undone(action: &Action, by: &Action) -> bool {
    // Whether something may come on a list, and whether it may be this; whether it may leave one.
    let comes = |list: &CellId, member: Option<u8>| match by {
        Action::ListAdd { list: to, member: new, .. } => {
            to == list && member.is_none_or(|member| member == new.index)
        }
        Action::ListSplice(_, to) => to == list,
        _ => false,
    };
    match action {
        Action::ListDel(one, other, member) => {
            // What a splice takes from one of the two to the other was there before.
            let moved = matches!(by, Action::ListSplice(from, to)
                if [one, other].contains(&from) && [one, other].contains(&to));
            !moved && (comes(one, Some(member.index)) || comes(other, Some(member.index)))
        }
        Action::ListSplice(from, _) => comes(from, None),
        Action::ListPop(list) => comes(list, None),
        // On a list already: until it leaves that.
        Action::ListAdd { .. } => {
            matches!(by, Action::ListDel(..) | Action::ListPop(_) | Action::ListSplice(..))
        }
        _ => false,
    }
}
