//! `Op`: one atomic step, as a value, with one footprint, one guard and one effect for every engine.
//!
//! An op is made from constants and earlier observations. Its *footprint* is a superset of the cells
//! it touches, known without reading memory. Its *guard* reads one cell, or a few that are named. Its *effect*
//! ([`effect`](super::effect)) is a total function of the footprint's cells and never blocks.

use super::commute::Touches;
use super::layout::{ALIVE, CellId, CellInfo, Layout};
use super::value::Obs;

pub use super::action::{Action, End, Entry, Touch, Wait};

/// Something that the program's checks want to know of, atomically with a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Event {
    /// What happens. The program says what each number means.
    pub kind: u8,
    /// To what.
    pub args: [Obs; 3],
}

/// One atomic step.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Op {
    /// A mutex that is held over this step alone: taken before it and released after it.
    pub under: Option<CellId>,
    /// What it does, in order. The first may have a guard; the last is what is observed.
    pub actions: Vec<Action>,
    /// What the program's checks are told.
    pub event: Option<Event>,
}

/// How a step touches a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// It reads it.
    Read,
    /// It may write it.
    Write,
}

impl From<Action> for Op {
    fn from(action: Action) -> Self {
        Op { under: None, actions: vec![action], event: None }
    }
}

impl From<Vec<Action>> for Op {
    /// The last action is the one that is observed: to hold something, or to let it go, must be last.
    fn from(actions: Vec<Action>) -> Self {
        let observed = |action: &Action| matches!(action, Action::Hold(_) | Action::Release(_));
        debug_assert!(!actions.iter().rev().skip(1).any(observed), "{actions:?}: nobody learns what is held");
        Op { under: None, actions, event: None }
    }
}

impl Op {
    /// The same step, with the checks told of an event.
    #[must_use]
    pub fn telling(mut self, event: impl Into<Event>) -> Self {
        self.event = Some(event.into());
        self
    }

    /// The same step, with a mutex held over it.
    #[must_use]
    pub fn under(mut self, lock: CellId) -> Self {
        self.under = Some(lock);
        self
    }

    /// How many outcomes the step has: more than one only for a choice.
    #[must_use]
    pub fn outcomes(&self) -> u8 {
        match self.actions[..] {
            [Action::Choose(n)] => n,
            _ => 1,
        }
    }

    /// The cells it may touch, liveness included, events not.
    #[must_use]
    pub fn footprint(&self, layout: &Layout) -> Vec<(CellId, Access)> {
        let touches = Touches::of(layout, self);
        let access = |touch: Touch| if touch == Touch::Read { Access::Read } else { Access::Write };
        let mut cells: Vec<(CellId, Access)> =
            touches.parts.iter().map(|(cell, _, touch)| (*cell, access(*touch))).collect();
        // The mutex is taken and released.
        cells.extend(self.under.map(|lock| (lock, Access::Write)));
        cells.extend(touches.when_last(layout).into_iter().map(|cell| (cell, Access::Write)));
        // A cell that is both read and written counts as written.
        cells.sort_unstable_by(|one, other| other.cmp(one));
        cells.dedup_by_key(|(cell, _)| *cell);
        cells.reverse();
        cells
    }

    /// What the step waits for, if it ever waits.
    #[inline]
    #[must_use]
    pub fn wait(&self) -> Option<Wait<'_>> {
        match self.under {
            Some(lock) => Some(Wait::Lock(lock)),
            None => self.actions[0].wait(),
        }
    }

    /// The cell that says whether the step is enabled, if it ever is not; of several the first.
    #[must_use]
    pub fn guard(&self) -> Option<CellId> {
        self.wait().map(Wait::cell)
    }

    /// All cells that say so.
    pub fn guards(&self) -> impl Iterator<Item = CellId> {
        self.wait().into_iter().flat_map(|wait| std::iter::once(wait.cell()).chain(wait.others()))
    }

    /// Whether a task whose next step this is may be left for ever: it has nothing to do.
    #[must_use]
    pub fn idles(&self) -> bool {
        self.wait().is_some_and(Wait::idles)
    }

    /// The mutex that it waits for, if that is what it waits for.
    #[must_use]
    pub fn locks(&self) -> Option<CellId> {
        match self.wait() {
            Some(Wait::Lock(lock)) => Some(lock),
            _ => None,
        }
    }
}

/// Whether a step may be taken now. `slot` is the task that would take it.
///
/// A step that would be a hazard at once (re-locking one's own lock) is enabled.
#[must_use]
pub fn enabled(layout: &Layout, memory: &[u8], slot: usize, op: &Op) -> bool {
    let Some(wait) = op.wait() else { return true };
    let info = layout.info(wait.cell());
    let byte = memory[info.offset];
    if op.under.is_some() {
        return byte == 0;
    }
    let is_gone =
        |info: &CellInfo| info.liveness.is_some_and(|live| memory[layout.info(live).offset] != ALIVE);
    if !wait.idles() && (is_gone(info) || wait.others().any(|cell| is_gone(layout.info(cell)))) {
        // The effect finds it.
        return true;
    }
    match wait {
        Wait::Lock(_) => byte == 0 || usize::from(byte) == slot + 1,
        Wait::Zero(_) | Wait::Ended(..) => byte == 0,
        Wait::Not(cell, value) => byte != layout.encode(cell, value),
        Wait::Any(all) => {
            all.iter().any(|(cell, value)| memory[layout.info(*cell).offset] != layout.encode(*cell, *value))
        }
        Wait::Claim(_) => byte != 0,
        Wait::Async(_, None) => memory[info.range()].iter().all(|n| *n == 0),
        Wait::Async(_, Some(domain)) => memory[info.offset + usize::from(domain)] == 0,
        Wait::Start(_) => byte & super::work::PENDING != 0 && byte & super::work::RUNNING == 0,
        Wait::Run(_) => memory[info.offset + 1 + slot] == super::work::WAITS_FOR_NOTHING,
        Wait::Unlinked(_, node) => !super::klist::linked(&memory[info.range()], node.index),
    }
}
