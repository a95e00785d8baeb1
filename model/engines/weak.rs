//! An experiment: fields that the kernel marks, as loom's atomics.
//!
//! A marked field is one that the kernel reads and writes by `READ_ONCE` and `WRITE_ONCE`
//! ([`CellInfo::marked`](raddle_checker::machine::layout::CellInfo)) or an `atomic_t` or `refcount_t` (a count). A step
//! that only loads one reads whatever loom's atomic gives it, without taking the cell's token; so it may be
//! stale. All other steps keep their tokens and work on memory as it is, and what they write is then written
//! to the atomic too, with the kernel's ordering: a store and a count up are relaxed, `refcount_dec` releases
//! and acquires, and what returns a value is fully ordered.
//!
//! Left out: two writers of one field synchronise, by its token; so do two steps on one object that can be
//! freed, by its liveness; and a task that has waited has seen what it waited for. Hence outcomes that the
//! kernel's memory model allows are missed. loom's atomics are no oracle either (they miss and invent
//! outcomes even with SeqCst), and they remember seven stores.

use ::loom::sync::atomic::{AtomicU8, Ordering, fence};

use raddle_checker::machine::layout::{CellId, Layout};
use raddle_checker::machine::op::{Action, Op};

/// The atomics of one execution, by cell.
pub(super) struct Atomics {
    cells: Vec<Option<AtomicU8>>,
}

/// The marked field that a step only loads.
pub(super) fn weak_load(layout: &Layout, op: &Op) -> Option<CellId> {
    match op.actions[..] {
        [Action::Load(cell) | Action::Follow(cell)]
            if op.under.is_none() && op.event.is_none() && layout.info(cell).is_marked() =>
        {
            Some(cell)
        }
        _ => None,
    }
}

impl Atomics {
    /// With these values in memory; `used`: whether there is to be an atomic for a marked field.
    pub(super) fn new(layout: &Layout, memory: &[u8], used: impl Fn(CellId) -> bool) -> Self {
        let atomic = |cell: CellId| {
            let info = layout.info(cell);
            (info.is_marked() && used(cell)).then(|| AtomicU8::new(memory[info.offset]))
        };
        Atomics { cells: layout.ids().map(atomic).collect() }
    }

    /// What a load reads; `None` if the field is no atomic.
    pub(super) fn load(&self, cell: CellId) -> Option<(CellId, u8)> {
        let atomic = self.cells[usize::from(cell.0)].as_ref()?;
        Some((cell, atomic.load(Ordering::Relaxed)))
    }

    /// Writes what a step has changed in memory, or stored there. The step still has its tokens.
    pub(super) fn publish(&self, layout: &Layout, op: &Op, before: &[u8], after: &[u8]) {
        for (cell, _) in op.footprint(layout) {
            let Some(atomic) = &self.cells[usize::from(cell.0)] else { continue };
            let at = layout.info(cell).offset;
            let stores =
                op.actions.iter().any(|action| matches!(action, Action::Store(to, _) if *to == cell));
            if before[at] == after[at] && !stores {
                continue;
            }
            match op.actions[0] {
                _ if stores => atomic.store(after[at], Ordering::Relaxed),
                Action::Put(_) => {
                    atomic.swap(after[at], Ordering::AcqRel);
                }
                Action::Dec(_) | Action::Swap(..) => {
                    fence(Ordering::SeqCst);
                    atomic.swap(after[at], Ordering::Relaxed);
                    fence(Ordering::SeqCst);
                }
                _ => {
                    atomic.swap(after[at], Ordering::Relaxed);
                }
            }
        }
    }
}
