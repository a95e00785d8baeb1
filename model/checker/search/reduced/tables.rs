//! What persistent sets are computed from: for each automaton node, from which nodes a task can reach a
//! step that does not commute with the step of this one.
//!
//! Built from the automata as they are known. The search that uses the tables finds out whether the
//! automata grow, and whether that changes anything that it relied on.
//!
//! While a task holds a mutex and stands still, nobody gets past a step that waits for that mutex. So
//! what others can do meanwhile ends there; that is how a lock protects what is done under it, and
//! nothing else has to be known of which lock protects what.

use std::sync::OnceLock;

use indexmap::IndexMap;

use super::choose::members;
use crate::machine::action::Touch;
use crate::machine::blocked::Hold;
use crate::machine::commute::{Touches, liveness, raised};
use crate::machine::layout::{CellId, Layout};
use crate::machine::op::{Access, Action, Op};
use crate::machine::program::Program;
use crate::machine::value::Obs;
use crate::search::packed::expand::Expander;
use crate::search::system::EMPTY;

/// Which dependencies of a node's step are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    /// The step, none of the references that it drops being the last.
    Step,
    /// The step, when a count that it lowers comes to zero, or would drop below.
    Last,
    /// Only whether the step is enabled.
    Guard,
}

const VIEWS: usize = 3;

/// Tasks that may lower a count by so much may lower it without end, for all that is known.
pub(super) const ENDLESS: u8 = 15;

/// The place of the number of free workers among the counts.
pub(super) const WORKERS: usize = 0;

/// The counts must stay above what others may lower them by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Need {
    /// Which count.
    pub(super) count: u16,
    /// How much more than zero must be left.
    pub(super) slack: u8,
}

/// The dependencies of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// The nodes whose tasks may get to a step that does not commute with it, a bit each.
    clash: Box<[u64]>,
    /// It commutes with what others count as long as this much of the counts is left.
    pub(super) needs: Box<[Need]>,
}

impl Row {
    /// Whether a task at this node may get to a step that does not commute.
    #[inline]
    pub(super) fn clashes(&self, node: usize) -> bool {
        self.clash[node / 64] >> (node % 64) & 1 != 0
    }
}

/// The cells that a step touches, a bit each, by the way it does.
#[derive(Clone)]
struct Mask {
    words: usize,
    bits: Box<[u64]>,
}

impl Mask {
    fn new(words: usize) -> Self {
        Mask { words, bits: vec![0; 4 * words].into() }
    }

    fn add(&mut self, cell: CellId, touch: Touch) {
        let (word, bit) = (usize::from(cell.0) / 64, 1 << (cell.0 % 64));
        let mut now = touch;
        for other in [Touch::Read, Touch::Count, Touch::Own, Touch::Write] {
            let bits = &mut self.bits[other as usize * self.words + word];
            if *bits & bit != 0 {
                // Touched in two ways: as if it were written.
                now = if other == touch { touch } else { Touch::Write };
                *bits &= !bit;
            }
        }
        self.bits[now as usize * self.words + word] |= bit;
    }

    fn has(&self, cell: CellId) -> bool {
        let word = usize::from(cell.0) / 64;
        (0..4).any(|touch| self.bits[touch * self.words + word] >> (cell.0 % 64) & 1 != 0)
    }

    fn commutes(&self, other: &Mask) -> bool {
        (0..self.words).all(|word| {
            let of = |mask: &Mask, touch: Touch| mask.bits[touch as usize * self.words + word];
            let all = |mask: &Mask| {
                of(mask, Touch::Read) | of(mask, Touch::Count) | of(mask, Touch::Own) | of(mask, Touch::Write)
            };
            let alike = |touch: Touch| of(self, touch) & of(other, touch);
            let fine = alike(Touch::Read) | alike(Touch::Count) | alike(Touch::Own);
            all(self) & all(other) & !fine == 0
        })
    }
}

/// What tasks can still do, by the node they are at.
pub(super) struct Tables {
    /// How many nodes they know.
    pub(super) known: usize,
    masks: Vec<Mask>,
    touches: Vec<Touches>,
    /// The mutexes that a task at a node holds, whatever way it came, a bit each.
    held: Vec<u64>,
    /// The mutex that the step waits for, as such a bit.
    pub(super) waits_for: Vec<u64>,
    /// The nodes from which a step, or the start of a task that a step spawns, leads to a node.
    before: Vec<Vec<u32>>,
    /// The counts that some step lowers; the first is the number of free workers.
    pub(super) counts: IndexMap<Option<CellId>, usize>,
    /// By how much the tasks that come of a node may lower each count, on balance.
    drops: Vec<u8>,
    /// The mutexes that have a bit.
    locks: Vec<CellId>,
    /// Those of them that are in objects which can be freed.
    mortal: u64,
    rows: Vec<[OnceLock<Row>; VIEWS]>,
}

impl Tables {
    /// Tables of the automata as they are.
    pub(super) fn new<P: Program>(expander: &Expander<'_, P>) -> Self {
        let known = expander.nodes.len();
        let locks: Vec<CellId> = expander.layout.locks().iter().copied().take(64).collect();
        let is_mortal = |lock: &CellId| expander.layout.info(*lock).liveness.is_some();
        let mortal = locks.iter().enumerate().filter(|(_, lock)| is_mortal(lock));
        let mut tables = Tables {
            mortal: mortal.fold(0, |all, (place, _)| all | 1 << place),
            known,
            masks: Vec::with_capacity(known),
            touches: Vec::with_capacity(known),
            held: Vec::new(),
            waits_for: Vec::with_capacity(known),
            before: vec![Vec::new(); known],
            counts: std::iter::once((None, 0)).collect(),
            drops: Vec::new(),
            locks,
            rows: (0..known).map(|_| Default::default()).collect(),
        };
        for node in &expander.nodes {
            tables.step(expander, node.op.as_ref());
        }
        for (at, node) in expander.nodes.iter().enumerate() {
            let next =
                node.edges.iter().map(|(_, to)| *to).chain((node.spawns != EMPTY).then_some(node.spawns));
            next.for_each(|to| tables.before[to as usize].push(at as u32));
            for (_, to) in &node.edges {
                tables.holding(at, &node.holds, &expander.nodes[*to as usize].holds);
            }
        }
        tables.held = tables.hold(expander, true);
        tables.leave(expander);
        tables.lower(expander);
        tables
    }

    fn step<P: Program>(&mut self, expander: &Expander<'_, P>, op: Option<&Op>) {
        let layout = expander.layout;
        let mut mask = Mask::new(layout.cells().len().div_ceil(64));
        let mut touches = Touches::default();
        let mut waits_for = 0;
        if let Some(op) = op {
            touches = Touches::of(layout, op);
            if let Some(event) = &op.event {
                let touch = |access| if access == Access::Read { Touch::Read } else { Touch::Write };
                let cells = expander.program.event_cells(event).into_iter();
                touches.cells.extend(cells.map(|(cell, access)| (cell, touch(access))));
            }
            touches.cells.iter().for_each(|(cell, touch)| mask.add(*cell, *touch));
            for cell in &touches.lowers {
                let place = self.counts.len();
                self.counts.entry(Some(*cell)).or_insert(place);
            }
            waits_for = op.locks().map_or(0, |lock| self.bit(lock));
        }
        self.masks.push(mask);
        self.touches.push(touches);
        self.waits_for.push(waits_for);
    }

    /// Whether others wait for ever depends on what a task holds: a step that changes that counts as one
    /// that counts the cell.
    fn holding(&mut self, node: usize, before: &[Hold], after: &[Hold]) {
        let times = |holds: &[Hold], hold: &Hold| holds.iter().filter(|other| *other == hold).count();
        for hold in before.iter().chain(after) {
            if times(before, hold) != times(after, hold) {
                let (Hold::Cell(cell) | Hold::Node(cell, _)) = hold;
                self.masks[node].add(*cell, Touch::Count);
            }
        }
    }

    fn bit(&self, lock: CellId) -> u64 {
        self.locks.iter().position(|other| *other == lock).map_or(0, |place| 1 << place)
    }

    /// The mutexes that are held at each node, on every way to it or on some way.
    fn hold<P: Program>(&self, expander: &Expander<'_, P>, on_every_way: bool) -> Vec<u64> {
        let mut all = vec![if on_every_way { u64::MAX } else { 0 }; self.known];
        let mut todo: Vec<usize> = expander.starts.iter().map(|start| *start as usize).collect();
        todo.iter().for_each(|start| all[*start] = 0);
        let mut met = vec![false; self.known];
        while let Some(at) = todo.pop() {
            let (mut held, mut tried) = (all[at], 0);
            for action in expander.nodes[at].op.iter().flat_map(|op| &op.actions) {
                match action {
                    Action::Lock(lock) => held |= self.bit(*lock),
                    Action::Unlock(lock) => held &= !self.bit(*lock),
                    Action::TryLock(lock) => tried |= self.bit(*lock),
                    // No other action takes or releases a mutex.
                    _ => {}
                }
            }
            let seen = expander.nodes[at].op.as_ref().and_then(|op| op.actions.last());
            for (observed, to) in &expander.nodes[at].edges {
                let taken = match (seen, observed) {
                    (Some(Action::TryLock(_)), Obs::Bool(true)) => tried,
                    (Some(Action::TryLock(_)), _) => 0,
                    // Whether it was taken is not seen.
                    _ => {
                        if on_every_way {
                            0
                        } else {
                            tried
                        }
                    }
                };
                let next = held | taken;
                let to = *to as usize;
                let joined = if on_every_way { all[to] & next } else { all[to] | next };
                if joined != all[to] || !std::mem::replace(&mut met[to], true) {
                    all[to] = joined;
                    todo.push(to);
                }
            }
        }
        all
    }

    /// Who gives its slot back must hold no mutex. Nobody else changes who holds it, but whoever frees the
    /// object that it is in does.
    fn leave<P: Program>(&mut self, expander: &Expander<'_, P>) {
        let may_hold = self.hold(expander, false);
        for (node, may_hold) in may_hold.into_iter().enumerate() {
            if self.touches[node].workers >= 0 {
                continue;
            }
            for lock in expander.layout.locks() {
                let bit = self.bit(*lock);
                if bit == 0 || may_hold & bit != 0 {
                    let liveness = expander.layout.info(*lock).liveness;
                    liveness.into_iter().for_each(|liveness| self.masks[node].add(liveness, Touch::Read));
                }
            }
        }
    }

    /// By how much the counts may sink, on balance, from each node on.
    fn lower<P: Program>(&mut self, expander: &Expander<'_, P>) {
        let width = self.counts.len();
        self.drops = vec![0; self.known * width];
        let mut todo: Vec<u32> = (0..self.known as u32).collect();
        let mut waiting = vec![true; self.known];
        let mut most = vec![0i16; width];
        while let Some(at) = todo.pop() {
            let at = at as usize;
            waiting[at] = false;
            let node = &expander.nodes[at];
            let Some(op) = &node.op else { continue };
            most.fill(i16::MIN);
            let nowhere = [(Obs::Unit, EMPTY)];
            let edges = if node.edges.is_empty() { &nowhere[..] } else { &node.edges };
            for (observed, to) in edges {
                let raised = raised(expander.layout, op, *observed);
                for (place, (cell, _)) in self.counts.iter().enumerate() {
                    let mut sinks = match cell {
                        None => i16::from(self.touches[at].workers),
                        Some(cell) => {
                            let times =
                                |cells: &[CellId]| cells.iter().filter(|other| *other == cell).count();
                            times(&self.touches[at].lowers) as i16 - times(&raised) as i16
                        }
                    };
                    for next in [*to, node.spawns] {
                        if next != EMPTY {
                            let drop = self.drops[next as usize * width + place];
                            // What is raised here is not enough against what has no end.
                            sinks =
                                sinks.saturating_add(if drop < ENDLESS { i16::from(drop) } else { i16::MAX });
                        }
                    }
                    most[place] = most[place].max(sinks);
                }
            }
            let mut changed = false;
            for (place, sinks) in most.iter().enumerate() {
                let sinks = (*sinks).clamp(0, i16::from(ENDLESS)) as u8;
                let drop = &mut self.drops[at * width + place];
                changed |= sinks > *drop;
                *drop = sinks.max(*drop);
            }
            if changed {
                for before in &self.before[at] {
                    if !std::mem::replace(&mut waiting[*before as usize], true) {
                        todo.push(*before);
                    }
                }
            }
        }
    }

    /// By how much the tasks that come of a node may lower a count, on balance.
    #[inline]
    pub(super) fn drops(&self, node: usize, count: usize) -> u8 {
        if node < self.known { self.drops[node * self.counts.len() + count] } else { ENDLESS }
    }

    /// What the step at a node does not commute with.
    pub(super) fn row(&self, layout: &Layout, node: usize, view: View, op: &Op) -> &Row {
        self.rows[node][view as usize].get_or_init(|| self.make_row(layout, node, view, op))
    }

    fn make_row(&self, layout: &Layout, node: usize, view: View, op: &Op) -> Row {
        let held = self.held[node];
        let touches = &self.touches[node];
        let mut mask = match view {
            View::Guard => Mask::new(self.masks[node].words),
            _ => self.masks[node].clone(),
        };
        if view == View::Last {
            let lowered = touches.lowers.iter().copied();
            touches
                .when_last(layout)
                .into_iter()
                .chain(lowered)
                .for_each(|cell| mask.add(cell, Touch::Write));
        }
        let mut live: Vec<CellId> = Vec::new();
        if view == View::Guard
            && let Some(guard) = op.guard()
        {
            // Who holds a mutex is asked of the state.
            if op.locks().is_none() {
                mask.add(guard, Touch::Read);
            }
            live.push(guard);
        }
        live.extend(self.locks.iter().filter(|lock| held & self.bit(**lock) != 0));
        for lock in live {
            if let Some(liveness) = layout.info(lock).liveness {
                mask.add(liveness, Touch::Read);
            }
        }
        let mut needs: Vec<Need> = Vec::new();
        for (place, (cell, _)) in self.counts.iter().enumerate() {
            let count = place as u16;
            match cell {
                None if view == View::Guard => {}
                None => match touches.workers {
                    0 => {}
                    down => needs.push(Need { count, slack: u8::from(down > 0) }),
                },
                Some(cell) => {
                    // Others may free the object with the count, and this step uses it or its part, ...
                    let object = layout.info(*cell).object;
                    let frees = |touches: &Touches| touches.frees.contains(&object);
                    let used =
                        liveness(layout, object).any(|cell| mask.has(cell)) && self.touches.iter().any(frees);
                    // ... or it counts itself.
                    let counts = view != View::Guard && touches.cells.contains(&(*cell, Touch::Count));
                    let lowers = view == View::Step && touches.lowers.contains(cell);
                    if used || counts {
                        needs.push(Need { count, slack: u8::from(lowers) });
                    }
                }
            }
        }
        Row { clash: self.reach(&mask, held), needs: needs.into() }
    }

    /// The nodes from which a step can be reached that does not commute with these touches, without
    /// passing a step that waits for one of these mutexes.
    fn reach(&self, mask: &Mask, held: u64) -> Box<[u64]> {
        let mut clash = vec![0u64; self.known.div_ceil(64).max(1)];
        let mut todo = Vec::new();
        let mut meet = |node: usize, todo: &mut Vec<usize>| {
            if self.waits_for[node] & held == 0 && clash[node / 64] >> (node % 64) & 1 == 0 {
                clash[node / 64] |= 1 << (node % 64);
                todo.push(node);
            }
        };
        for node in 0..self.known {
            if !mask.commutes(&self.masks[node]) {
                meet(node, &mut todo);
            }
        }
        while let Some(node) = todo.pop() {
            for before in &self.before[node] {
                meet(*before as usize, &mut todo);
            }
        }
        clash.into()
    }

    /// Whether these tables say of all that the others were asked what they said, and know more nodes.
    pub(super) fn confirm<P: Program>(&self, other: &Tables, expander: &Expander<'_, P>) -> bool {
        let counts = self.counts.keys().take(other.counts.len()).eq(other.counts.keys());
        let drops = |node: usize| {
            let all = |place: usize| self.drops(node, place) == other.drops(node, place);
            self.waits_for[node] == other.waits_for[node] && (0..other.counts.len()).all(all)
        };
        let rows = |node: usize| {
            [View::Step, View::Last, View::Guard].into_iter().all(|view| {
                let Some(row) = other.rows[node][view as usize].get() else { return true };
                let Some(op) = &expander.nodes[node].op else { return true };
                let now = self.row(expander.layout, node, view, op);
                now.needs == row.needs && (0..other.known).all(|node| now.clashes(node) == row.clashes(node))
            })
        };
        counts && (0..other.known).all(|node| drops(node) && rows(node))
    }

    /// The mutexes that a task at a node has taken and that are in objects which can be freed.
    #[inline]
    pub(super) fn may_lose(&self, node: usize) -> impl Iterator<Item = CellId> {
        members(self.held[node] & self.mortal).map(|place| self.locks[place])
    }

    /// The counts that the step at a node lowers.
    pub(super) fn lowers(&self, node: usize) -> &[CellId] {
        &self.touches[node].lowers
    }
}
