//! What a step can do: one row for each action.
//!
//! [`Action::walk`] says of each action what it names and how it touches that; footprints, renamings and
//! what commutes are read off it. [`Action::wait`] says which actions wait, and for what. What an action
//! does is [`effect`](super::effect)'s. A new action is one that the compiler asks for in these three.

use super::layout::{CellId, Field};
use super::value::{Object, Obs};

/// A function that a spawned task runs, with its arguments. The program says what the number means.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry {
    /// Which function.
    pub function: u8,
    /// Its arguments.
    pub args: Vec<Obs>,
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
    /// Allocates the first of these that has never been allocated. Observes it.
    AllocFirst(Vec<Object>),
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
    /// Observes the first object.
    ListFirst(CellId),
    /// Observes what follows a member on whichever of two lists it is on, or the first of the first list. A member
    /// that is on neither is followed by itself.
    ListNext(CellId, CellId, Option<u8>),
    /// Whether an object is on one of two lists.
    ListHas(CellId, CellId, Object),
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
    /// Observes the last node that is linked, dead or not.
    KlistPeek(CellId),
    /// Whether an object has a node that is linked, dead or not.
    KlistHas(CellId, Object),
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
    /// `queue_work`: observes false if it was pending already, or cannot be queued.
    QueueWork(CellId),
    /// From here on the item cannot be queued, or can be again.
    DisableWork(CellId, bool),
    /// `cancel_work`: takes a pending item off the queue. Observes whether it was pending.
    DequeueWork(CellId),
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

/// How a step touches a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Touch {
    /// It reads it.
    Read,
    /// It counts it up or down, and observes at most whether it came to zero.
    Count,
    /// It reads or writes the byte of its own task, or sets that of the task that it starts.
    Own,
    /// It writes it.
    Write,
}

/// What a step does to an object as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// It only names it.
    Named,
    /// It must be there.
    Reads,
    /// It changes whether it may be used.
    Marks,
    /// It makes or frees it: its cells change too.
    Resets,
}

/// What is done with the parts of an action, each of which has its image.
pub trait Parts {
    /// A cell, its object's liveness included.
    fn cell(&mut self, cell: CellId, touch: Touch) -> CellId;
    /// A cell that is named and not touched.
    fn named(&mut self, cell: CellId) -> CellId;
    /// A count that is lowered; `frees`: the last reference frees the count's object.
    fn lowered(&mut self, cell: CellId, frees: bool) -> CellId;
    /// A list or klist of which nodes are touched: those who hold them must be there.
    fn klist(&mut self, cell: CellId, touch: Touch) -> CellId;
    /// A reference is taken in this field of a member of the klist: of this one, or of any.
    fn reference(&mut self, klist: CellId, member: Option<Object>, field: Field);
    /// An object.
    fn object(&mut self, object: Object, used: Use) -> Object;
    /// A value that is stored or compared.
    fn value(&mut self, value: Obs) -> Obs;
    /// An object by its number in a list.
    fn member(&mut self, list: CellId, index: u8) -> u8;
    /// What a task is started with that the step starts or waits for.
    fn entry(&mut self, entry: &Entry) -> Entry;
    /// The number of tasks in worker slots changes by this.
    fn workers(&mut self, change: i8);
}

/// What a step waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait<'a> {
    /// A mutex to be free.
    Lock(CellId),
    /// A counter to be zero.
    Zero(CellId),
    /// A cell to have another value.
    Not(CellId, Obs),
    /// A flag to be set, which the step clears; who waits here has nothing to do.
    Claim(CellId),
    /// A flag to be cleared by the end of a task.
    Ended(CellId, &'a Entry),
    /// A node to be unlinked.
    Unlinked(CellId, Object),
    /// The async lists (of one domain) to be empty.
    Async(CellId, Option<u8>),
    /// A work item to be pending and not running; who waits here has nothing to do.
    Start(CellId),
    /// A run of a work item to end.
    Run(CellId),
}

impl Wait<'_> {
    /// The one cell that says whether the wait is over.
    #[must_use]
    pub fn cell(self) -> CellId {
        match self {
            Wait::Lock(cell)
            | Wait::Zero(cell)
            | Wait::Not(cell, _)
            | Wait::Claim(cell)
            | Wait::Ended(cell, _)
            | Wait::Unlinked(cell, _)
            | Wait::Async(cell, _)
            | Wait::Start(cell)
            | Wait::Run(cell) => cell,
        }
    }

    /// Whether a task may be left here for ever: it has nothing to do.
    #[must_use]
    pub fn idles(self) -> bool {
        match self {
            Wait::Claim(_) | Wait::Start(_) => true,
            Wait::Lock(_)
            | Wait::Zero(_)
            | Wait::Not(..)
            | Wait::Ended(..)
            | Wait::Unlinked(..)
            | Wait::Async(..)
            | Wait::Run(_) => false,
        }
    }
}

impl Action {
    /// Tells `of` of each part, in order; the action with the images that it gives.
    pub fn walk(&self, of: &mut impl Parts) -> Action {
        use Touch::{Count, Own, Read, Write};
        match self {
            Action::Load(c) => Action::Load(of.cell(*c, Read)),
            Action::Follow(c) => Action::Follow(of.cell(*c, Read)),
            Action::Store(c, value) => Action::Store(of.cell(*c, Write), of.value(*value)),
            Action::Touch(o) => Action::Touch(of.object(*o, Use::Reads)),
            Action::Alloc(o) => Action::Alloc(of.object(*o, Use::Resets)),
            Action::AllocFirst(all) => {
                Action::AllocFirst(all.iter().map(|o| of.object(*o, Use::Resets)).collect())
            }
            Action::Free(o) => Action::Free(of.object(*o, Use::Resets)),
            Action::Retire(o) => Action::Retire(of.object(*o, Use::Marks)),
            Action::Revive(o) => Action::Revive(of.object(*o, Use::Marks)),
            Action::Lock(c) => Action::Lock(of.cell(*c, Write)),
            Action::TryLock(c) => Action::TryLock(of.cell(*c, Write)),
            Action::Unlock(c) => Action::Unlock(of.cell(*c, Write)),
            Action::Get(c) => Action::Get(of.cell(*c, Count)),
            Action::Put(c) => Action::Put(of.lowered(*c, true)),
            Action::Dec(c) => Action::Dec(of.lowered(*c, false)),
            Action::Swap(c, from, to) => Action::Swap(of.cell(*c, Write), of.value(*from), of.value(*to)),
            Action::EnterIf(flag, count) => Action::EnterIf(of.cell(*flag, Read), of.cell(*count, Count)),
            Action::SetOwn(c, flag) => Action::SetOwn(of.cell(*c, Own), *flag),
            Action::TestOwn(c) => Action::TestOwn(of.cell(*c, Own)),
            Action::Hold(c) => Action::Hold(of.named(*c)),
            Action::Release(c) => Action::Release(of.named(*c)),
            Action::AwaitZero(c) => Action::AwaitZero(of.cell(*c, Read)),
            Action::AwaitNot(c, value) => Action::AwaitNot(of.cell(*c, Read), of.value(*value)),
            Action::Claim(c) => Action::Claim(of.cell(*c, Write)),
            Action::AwaitEnded(c, entry) => Action::AwaitEnded(of.cell(*c, Read), of.entry(entry)),
            Action::ListAdd { list, unless_on, member } => Action::ListAdd {
                list: of.klist(*list, Write),
                unless_on: of.cell(*unless_on, Read),
                member: of.object(*member, Use::Named),
            },
            Action::ListDel(one, other, o) => {
                Action::ListDel(of.klist(*one, Write), of.klist(*other, Write), of.object(*o, Use::Named))
            }
            Action::ListPop(c) => Action::ListPop(of.klist(*c, Write)),
            Action::ListFirst(c) => Action::ListFirst(of.cell(*c, Read)),
            Action::ListNext(c, other, node) => {
                let (list, other) = (of.klist(*c, Read), of.klist(*other, Read));
                Action::ListNext(list, other, node.map(|node| of.member(*c, node)))
            }
            Action::ListHas(one, other, o) => {
                Action::ListHas(of.cell(*one, Read), of.cell(*other, Read), of.object(*o, Use::Named))
            }
            Action::ListSplice(from, to) => Action::ListSplice(of.klist(*from, Write), of.klist(*to, Write)),
            Action::KlistAdd(c, o) => Action::KlistAdd(of.klist(*c, Write), of.object(*o, Use::Named)),
            Action::KlistNext(c, node) => {
                Action::KlistNext(of.klist(*c, Write), node.map(|node| of.member(*c, node)))
            }
            Action::KlistExit(c, node) => {
                Action::KlistExit(of.klist(*c, Write), node.map(|node| of.member(*c, node)))
            }
            Action::KlistDel(c, o) => Action::KlistDel(of.klist(*c, Write), of.object(*o, Use::Named)),
            Action::KlistAwait(c, o) => Action::KlistAwait(of.cell(*c, Read), of.object(*o, Use::Named)),
            Action::KlistLast(c, field) => {
                of.reference(*c, None, *field);
                Action::KlistLast(of.klist(*c, Read), *field)
            }
            Action::KlistFind(c, o, field) => {
                of.reference(*c, Some(*o), *field);
                Action::KlistFind(of.klist(*c, Read), of.object(*o, Use::Named), *field)
            }
            Action::KlistPeek(c) => Action::KlistPeek(of.klist(*c, Read)),
            Action::KlistHas(c, o) => Action::KlistHas(of.klist(*c, Read), of.object(*o, Use::Named)),
            Action::AsyncSchedule { lists, domain, entry, mark } => {
                of.workers(1);
                Action::AsyncSchedule {
                    lists: of.cell(*lists, Count),
                    domain: *domain,
                    entry: of.entry(entry),
                    mark: mark.map(|mark| of.cell(mark, Own)),
                }
            }
            Action::AsyncEnd(c, domain) => {
                of.workers(-1);
                Action::AsyncEnd(of.cell(*c, Count), *domain)
            }
            Action::AsyncAwait(c, domain) => Action::AsyncAwait(of.cell(*c, Read), *domain),
            Action::Spawn(c, entry) => {
                of.workers(1);
                Action::Spawn(of.cell(*c, Write), of.entry(entry))
            }
            Action::SpawnEnd(c) => {
                of.workers(-1);
                Action::SpawnEnd(of.cell(*c, Write))
            }
            Action::QueueWork(c) => Action::QueueWork(of.cell(*c, Write)),
            Action::DisableWork(c, disabled) => Action::DisableWork(of.cell(*c, Write), *disabled),
            Action::DequeueWork(c) => Action::DequeueWork(of.cell(*c, Write)),
            Action::WorkStart(c) => Action::WorkStart(of.cell(*c, Write)),
            Action::WorkEnd(c) => Action::WorkEnd(of.cell(*c, Write)),
            Action::FlushBegin(c) => Action::FlushBegin(of.cell(*c, Write)),
            Action::CancelBegin(c) => Action::CancelBegin(of.cell(*c, Write)),
            Action::FlushAwait(c) => Action::FlushAwait(of.cell(*c, Read)),
            Action::Choose(n) => Action::Choose(*n),
            Action::Sample(c, who) => Action::Sample(of.cell(*c, Write), of.member(*c, *who)),
            Action::Bump(c, unseen_by) => {
                let unseen_by = unseen_by.iter().map(|who| of.member(*c, *who)).collect();
                Action::Bump(of.cell(*c, Write), unseen_by)
            }
            Action::Net(c, up) => Action::Net(of.cell(*c, Write), *up),
            Action::Moved(c, who) => Action::Moved(of.cell(*c, Write), of.member(*c, *who)),
            Action::DropSample(c, who) => Action::DropSample(of.cell(*c, Write), of.member(*c, *who)),
        }
    }

    /// What the action waits for, if it ever waits.
    #[inline]
    #[must_use]
    pub fn wait(&self) -> Option<Wait<'_>> {
        Some(match self {
            Action::Lock(c) => Wait::Lock(*c),
            Action::AwaitZero(c) => Wait::Zero(*c),
            Action::AwaitNot(c, value) => Wait::Not(*c, *value),
            Action::Claim(c) => Wait::Claim(*c),
            Action::AwaitEnded(c, entry) => Wait::Ended(*c, entry),
            Action::KlistAwait(c, o) => Wait::Unlinked(*c, *o),
            Action::AsyncAwait(c, domain) => Wait::Async(*c, *domain),
            Action::WorkStart(c) => Wait::Start(*c),
            Action::FlushAwait(c) => Wait::Run(*c),
            Action::Load(_)
            | Action::Follow(_)
            | Action::Store(..)
            | Action::Touch(_)
            | Action::Alloc(_)
            | Action::AllocFirst(_)
            | Action::Free(_)
            | Action::Retire(_)
            | Action::Revive(_)
            | Action::TryLock(_)
            | Action::Unlock(_)
            | Action::Get(_)
            | Action::Put(_)
            | Action::Dec(_)
            | Action::Swap(..)
            | Action::EnterIf(..)
            | Action::SetOwn(..)
            | Action::TestOwn(_)
            | Action::Hold(_)
            | Action::Release(_)
            | Action::ListAdd { .. }
            | Action::ListDel(..)
            | Action::ListPop(_)
            | Action::ListFirst(_)
            | Action::ListNext(..)
            | Action::ListHas(..)
            | Action::ListSplice(..)
            | Action::KlistAdd(..)
            | Action::KlistNext(..)
            | Action::KlistExit(..)
            | Action::KlistDel(..)
            | Action::KlistLast(..)
            | Action::KlistFind(..)
            | Action::KlistPeek(_)
            | Action::KlistHas(..)
            | Action::AsyncSchedule { .. }
            | Action::AsyncEnd(..)
            | Action::Spawn(..)
            | Action::SpawnEnd(_)
            | Action::QueueWork(_)
            | Action::DisableWork(..)
            | Action::DequeueWork(_)
            | Action::WorkEnd(_)
            | Action::FlushBegin(_)
            | Action::CancelBegin(_)
            | Action::Choose(_)
            | Action::Sample(..)
            | Action::Bump(..)
            | Action::Net(..)
            | Action::Moved(..)
            | Action::DropSample(..) => return None,
        })
    }
}
