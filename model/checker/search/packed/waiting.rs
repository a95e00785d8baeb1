//! Whether a packed state may be a deadlock: the sets of [`deadlocked`](crate::machine::blocked) as bits.

use super::expand::Expander;
use crate::machine::blocked::Hold;
use crate::machine::op::{Action, Op, enabled};
use crate::machine::program::{Program, SlotKind};
use crate::machine::work;

/// More slots than this are no bits of a word.
const BITS: usize = u64::BITS as usize;

impl<P: Program> Expander<'_, P> {
    /// False if tasks certainly do not wait for each other for ever.
    pub(in crate::search) fn may_be_deadlock(&self, state: &[u8]) -> bool {
        let slots = self.shape.slots;
        if slots > BITS {
            return true;
        }
        let memory = &state[..self.shape.memory];
        let (mut there, mut goes_on, mut waits) = (0u64, 0u64, 0u64);
        for slot in 0..slots {
            let Some(node) = self.node_of(state, slot) else { continue };
            let Some(op) = &node.op else { continue };
            if !self.started(state, slot) {
                continue;
            }
            there |= 1 << slot;
            if enabled(self.layout, memory, slot, op) {
                goes_on |= 1 << slot;
            } else if !node.idles {
                waits |= 1 << slot;
            }
        }
        if waits == 0 {
            return false;
        }
        if goes_on == 0 {
            return true;
        }
        let mut by = [0u64; BITS];
        let mut members = 0;
        for slot in (0..slots).filter(|slot| waits & (1 << slot) != 0) {
            let Some(op) = self.next(state, slot) else { continue };
            if let Some(bringers) = self.bringers(state, there, slot, op) {
                by[slot] = bringers;
                members |= 1 << slot;
            }
        }
        loop {
            let stay = |slot: &usize| {
                let by = by[*slot];
                members & (1 << slot) != 0 && (by == 0 || by & (members | !there) != 0)
            };
            let rest = (0..slots).filter(stay).fold(0, |rest, slot| rest | 1 << slot);
            if rest == members {
                return members != 0;
            }
            members = rest;
        }
    }

    /// The slots that can bring about what a task waits for; `None` if somebody else can.
    fn bringers(&self, state: &[u8], there: u64, slot: usize, op: &Op) -> Option<u64> {
        let memory = &state[..self.shape.memory];
        let with = |test: &dyn Fn(&super::expand::Node) -> bool| {
            let live = (0..self.shape.slots).filter(|other| there & (1 << other) != 0);
            let those = live.filter(|other| self.node_of(state, *other).is_some_and(test));
            those.fold(0, |all, other| all | 1u64 << other)
        };
        let lock = match (op.under, &op.actions[0]) {
            (Some(lock), _) => Some(lock),
            (None, Action::Lock(lock)) => Some(*lock),
            _ => None,
        };
        if let Some(lock) = lock {
            let owner = memory[self.layout.info(lock).offset];
            return Some(1 << (owner - 1));
        }
        Some(match &op.actions[0] {
            Action::AwaitZero(cell) | Action::AwaitNot(cell, _) | Action::Claim(cell) => {
                with(&|node| node.holds.contains(&Hold::Cell(*cell)))
            }
            Action::KlistAwait(cell, member) => {
                with(&|node| node.holds.contains(&Hold::Node(*cell, member.index)))
            }
            Action::AsyncAwait(_, domain) => {
                with(&|node| node.domain.is_some() && (domain.is_none() || node.domain == *domain))
            }
            Action::FlushAwait(cell) | Action::WorkStart(cell) => {
                if !work::waits_for_running(&memory[self.layout.info(*cell).range()], slot) {
                    return None;
                }
                let item = |kind: &SlotKind| matches!(kind, SlotKind::Item { work, .. } if work == cell);
                let place = self.program.slots().iter().position(|decl| item(&decl.kind));
                place.map_or(0, |place| 1 << place)
            }
            Action::AwaitEnded(_, entry) => {
                let entry = self.entries.get_index_of(entry);
                with(&|node| Some(node.entry) == entry)
            }
            other => unreachable!("internal: {other:?} never waits"),
        })
    }
}
