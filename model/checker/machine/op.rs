//! `Op`: one atomic step, as a value, with one footprint, one guard and one effect for every engine.
//!
//! An op is made from constants and earlier observations. Its *footprint* is a superset of the cells
//! it touches, known without reading memory. Its *guard* reads exactly one cell. Its *effect*
//! ([`effect`](super::effect)) is a total function of the footprint's cells and never blocks.

use super::layout::{ALIVE, Cell, CellId, Field, Kind, Layout};
use super::value::{Object, Obs};

/// A function that a spawned task runs, with its arguments. The program says what the number means.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry {
    /// Which function.
    pub function: u8,
    /// Its arguments.
    pub args: Vec<Obs>,
}

/// Something that the program's checks want to know of, atomically with a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Event {
    /// What happens. The program says what each number means.
    pub kind: u8,
    /// To what.
    pub args: [Obs; 3],
}

/// One thing that a step does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Reads a cell.
    Load(CellId),
    /// Reads a pointer and follows it: NULL is a hazard.
    Follow(CellId),
    /// Writes a cell.
    Store(CellId, Obs),
    /// Checks that an object may be used, and does nothing.
    Touch(Object),
    /// Allocates an object.
    Alloc(Object),
    /// Frees an object.
    Free(Object),
    /// Marks an object as no longer to be used, its memory still there.
    Retire(Object),
    /// Takes a retired object into use again.
    Revive(Object),
    /// Acquires a mutex.
    Lock(CellId),
    /// Acquires a mutex if it is free. Observes whether it did.
    TryLock(CellId),
    /// Releases a mutex.
    Unlock(CellId),
    /// Takes a reference, or counts up.
    Get(CellId),
    /// Drops a reference; the last one frees the cell's object. Observes whether it was the last.
    Put(CellId),
    /// Counts down. Observes whether that was the last.
    Dec(CellId),
    /// Writes the third value if the cell has the second, and holds it; observes that, or what it had.
    Swap(CellId, Obs, Obs),
    /// If the flag in the first cell is set, counts up the second and holds it. Observes which.
    EnterIf(CellId, CellId),
    /// Sets or clears this task's flag.
    SetOwn(CellId, bool),
    /// Observes this task's flag.
    TestOwn(CellId),
    /// From here on the waiters for this cell wait for this task.
    Hold(CellId),
    /// The end of [`Action::Hold`].
    Release(CellId),
    /// Waits until a counter is zero.
    AwaitZero(CellId),
    /// Waits until a cell has another value.
    AwaitNot(CellId, Obs),
    /// Waits until a flag is set, and clears it; a task that waits here is idle.
    Claim(CellId),
    /// Waits until a flag is cleared, which the end of this entry does.
    AwaitEnded(CellId, Entry),
    /// Appends to a `list_head`, unless the object is on it or on the other one.
    ListAdd {
        /// The list.
        list: CellId,
        /// The list that it must not be on either.
        unless_on: CellId,
        /// What is added.
        member: Object,
    },
    /// Removes an object from whichever of two lists it is on.
    ListDel(CellId, CellId, Object),
    /// Removes and observes the first object.
    ListPop(CellId),
    /// Observes whether a list is empty.
    ListEmpty(CellId),
    /// Moves all of the first list to the tail of the second.
    ListSplice(CellId, CellId),
    /// `klist_add_tail`.
    KlistAdd(CellId, Object),
    /// `klist_next`, from the current node.
    KlistNext(CellId, Option<u8>),
    /// `klist_iter_exit`.
    KlistExit(CellId, Option<u8>),
    /// `klist_del`: marks the node dead and drops its own count.
    KlistDel(CellId, Object),
    /// The wait of `klist_remove`: until the node is unlinked.
    KlistAwait(CellId, Object),
    /// The last node that is not dead, with a reference taken in this field of its object.
    KlistLast(CellId, Field),
    /// Whether an object has a node that is not dead; if so, with a reference taken in this field.
    KlistFind(CellId, Object, Field),
    /// Puts an entry on the async lists and starts it.
    AsyncSchedule {
        /// The async lists.
        lists: CellId,
        /// The entry's domain.
        domain: u8,
        /// What it runs.
        entry: Entry,
        /// Flags by slot, in which the slot that it gets is to be set.
        mark: Option<CellId>,
    },
    /// The end of an async entry: it leaves the lists.
    AsyncEnd(CellId, u8),
    /// Waits until no entry of this domain (`None`: of any) is on the lists.
    AsyncAwait(CellId, Option<u8>),
    /// Starts a task that the async lists do not know.
    Spawn(CellId, Entry),
    /// The end of a spawned task: clears the flag that its creator waits for.
    SpawnEnd(CellId),
    /// `queue_work`: observes false if it was pending already.
    QueueWork(CellId),
    /// A worker takes the item: clears PENDING, marks it running. Idle while there is nothing to do.
    WorkStart(CellId),
    /// The work function has returned.
    WorkEnd(CellId),
    /// `flush_work`: chooses the run to wait for. Observes whether there is one.
    FlushBegin(CellId),
    /// `cancel_work_sync`: takes a pending item off the queue. Observes whether it was pending.
    CancelBegin(CellId),
    /// Waits for the chosen run to end.
    FlushAwait(CellId),
    /// One of so many outcomes.
    Choose(u8),
    /// Samples a growing counter for one sampler.
    Sample(CellId, u8),
    /// Increments a growing counter, unseen by these samplers.
    Bump(CellId, Vec<u8>),
    /// Counts up or down a number of which samplers see the difference only.
    Net(CellId, bool),
    /// Observes whether the counter moved since the sample.
    Moved(CellId, u8),
    /// Forgets a sample.
    DropSample(CellId, u8),
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
    fn from(actions: Vec<Action>) -> Self {
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
        let mut cells = Vec::new();
        if let Some(lock) = self.under {
            touch(layout, &mut cells, lock, Access::Write);
        }
        for action in &self.actions {
            action.footprint(layout, &mut cells);
        }
        cells.sort_unstable();
        // A cell that is both read and written counts as written.
        cells.reverse();
        cells.dedup_by_key(|(cell, _)| *cell);
        cells.reverse();
        cells
    }

    /// The one cell that says whether the step is enabled, if it ever is not.
    #[must_use]
    pub fn guard(&self) -> Option<CellId> {
        if self.under.is_some() {
            return self.under;
        }
        match self.actions[0] {
            Action::Lock(cell)
            | Action::AwaitZero(cell)
            | Action::AwaitNot(cell, _)
            | Action::Claim(cell)
            | Action::AwaitEnded(cell, _)
            | Action::KlistAwait(cell, _)
            | Action::AsyncAwait(cell, _)
            | Action::WorkStart(cell)
            | Action::FlushAwait(cell) => Some(cell),
            _ => None,
        }
    }

    /// Whether a task whose next step this is may be left for ever: it has nothing to do.
    #[must_use]
    pub fn idles(&self) -> bool {
        matches!(self.actions[0], Action::Claim(_) | Action::WorkStart(_))
    }
}

fn touch(layout: &Layout, cells: &mut Vec<(CellId, Access)>, cell: CellId, access: Access) {
    cells.push((cell, access));
    if let Some(liveness) = layout.info(cell).liveness {
        cells.push((liveness, Access::Read));
    }
}

impl Action {
    pub(super) fn footprint(&self, layout: &Layout, cells: &mut Vec<(CellId, Access)>) {
        use Access::{Read, Write};
        let mut add = |cell: CellId, access| touch(layout, cells, cell, access);
        match self {
            Action::Load(cell)
            | Action::Follow(cell)
            | Action::ListEmpty(cell)
            | Action::AwaitZero(cell)
            | Action::AwaitNot(cell, _)
            | Action::AwaitEnded(cell, _)
            | Action::AsyncAwait(cell, _)
            | Action::FlushAwait(cell)
            | Action::KlistAwait(cell, _) => add(*cell, Read),
            Action::Store(cell, _)
            | Action::Lock(cell)
            | Action::TryLock(cell)
            | Action::Unlock(cell)
            | Action::Get(cell)
            | Action::Dec(cell)
            | Action::Swap(cell, ..)
            | Action::SetOwn(cell, _)
            | Action::TestOwn(cell)
            | Action::Claim(cell)
            | Action::ListPop(cell)
            | Action::AsyncEnd(cell, _)
            | Action::Spawn(cell, _)
            | Action::SpawnEnd(cell)
            | Action::QueueWork(cell)
            | Action::WorkStart(cell)
            | Action::WorkEnd(cell)
            | Action::FlushBegin(cell)
            | Action::CancelBegin(cell)
            | Action::Sample(cell, _)
            | Action::Bump(cell, _)
            | Action::Net(cell, _)
            | Action::Moved(cell, _)
            | Action::DropSample(cell, _) => add(*cell, Write),
            Action::AsyncSchedule { lists, mark, .. } => {
                add(*lists, Write);
                if let Some(mark) = mark {
                    add(*mark, Write);
                }
            }
            Action::EnterIf(flag, count) => {
                add(*flag, Read);
                add(*count, Write);
            }
            Action::Put(cell) => {
                add(*cell, Write);
                freed(layout, layout.info(*cell).object, cells);
            }
            Action::ListAdd { list, unless_on, .. } => {
                add(*list, Write);
                add(*unless_on, Read);
            }
            Action::ListDel(one, other, _) | Action::ListSplice(one, other) => {
                add(*one, Write);
                add(*other, Write);
            }
            Action::KlistAdd(cell, _)
            | Action::KlistNext(cell, _)
            | Action::KlistExit(cell, _)
            | Action::KlistDel(cell, _) => {
                add(*cell, Write);
                nodes(layout, *cell, cells);
            }
            Action::KlistLast(cell, field) => {
                add(*cell, Read);
                nodes(layout, *cell, cells);
                if let Kind::Klist(sort, holders) = &layout.info(*cell).kind {
                    for index in 0..holders.len() as u8 {
                        let object = Object { sort: *sort, index };
                        touch(layout, cells, layout.find(Cell::<u8>::new(object, *field)), Write);
                    }
                }
            }
            Action::KlistFind(cell, object, field) => {
                add(*cell, Read);
                nodes(layout, *cell, cells);
                touch(layout, cells, layout.find(Cell::<u8>::new(*object, *field)), Write);
            }
            Action::Touch(object) => {
                cells.extend(layout.object(*object).liveness.map(|liveness| (liveness, Read)));
            }
            Action::Alloc(object) | Action::Free(object) => freed(layout, *object, cells),
            Action::Retire(object) | Action::Revive(object) => {
                cells.extend(layout.object(*object).liveness.map(|liveness| (liveness, Write)));
            }
            Action::Hold(_) | Action::Release(_) | Action::Choose(_) => {}
        }
    }
}

/// The liveness of all objects that hold a klist's nodes.
fn nodes(layout: &Layout, cell: CellId, cells: &mut Vec<(CellId, Access)>) {
    if let Kind::Klist(_, holders) = &layout.info(cell).kind {
        let liveness = |holder: &Object| layout.object(*holder).liveness;
        cells.extend(holders.iter().flatten().filter_map(liveness).map(|cell| (cell, Access::Read)));
    }
}

/// What allocating or freeing an object writes: its liveness and all of its cells.
pub(super) fn freed(layout: &Layout, object: Object, cells: &mut Vec<(CellId, Access)>) {
    let info = layout.object(object);
    cells.extend(info.liveness.map(|liveness| (liveness, Access::Write)));
    cells.extend(info.cells.iter().map(|cell| (*cell, Access::Write)));
}

/// Whether a step may be taken now. `slot` is the task that would take it.
///
/// A step that would be a hazard at once (re-locking one's own lock) is enabled.
#[must_use]
pub fn enabled(layout: &Layout, memory: &[u8], slot: usize, op: &Op) -> bool {
    let at = |cell: &CellId| layout.info(*cell).offset;
    if let Some(lock) = op.under {
        return memory[at(&lock)] == 0;
    }
    let Some(guard) = op.guard() else {
        return true;
    };
    let gone = layout.info(guard).liveness.is_some_and(|live| memory[at(&live)] != ALIVE);
    if gone && !op.idles() {
        // The effect finds it.
        return true;
    }
    match &op.actions[0] {
        Action::Lock(cell) => {
            let owner = memory[at(cell)];
            owner == 0 || usize::from(owner) == slot + 1
        }
        Action::AwaitZero(cell) => memory[at(cell)] == 0,
        Action::AwaitEnded(cell, _) => memory[at(cell)] == 0,
        Action::AwaitNot(cell, value) => memory[at(cell)] != layout.encode(*cell, *value),
        Action::Claim(cell) => memory[at(cell)] != 0,
        Action::AsyncAwait(cell, None) => memory[layout.info(*cell).range()].iter().all(|n| *n == 0),
        Action::AsyncAwait(cell, Some(domain)) => memory[at(cell) + usize::from(*domain)] == 0,
        Action::WorkStart(cell) => {
            let state = memory[at(cell)];
            state & super::work::PENDING != 0 && state & super::work::RUNNING == 0
        }
        Action::FlushAwait(cell) => memory[at(cell) + 1 + slot] == super::work::WAITS_FOR_NOTHING,
        Action::KlistAwait(cell, node) => {
            !super::klist::linked(&memory[layout.info(*cell).range()], node.index)
        }
        _ => true,
    }
}
