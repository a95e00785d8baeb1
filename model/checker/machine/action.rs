//! What a step can do: one row for each action.
//!
//! [`Action::walk`] says of each action what it names and how it touches that; footprints, renamings and
//! what commutes are read off it. [`Action::wait`] says which actions wait, and for what. What an action
//! does is [`effect`](super::effect)'s. A new action is one that the compiler asks for in these three.

use super::layout::{CellId, Field, Part};
use super::value::{Object, Obs};

/// A function that a spawned task runs, with its arguments. The program says what the number means.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry {
    /// Which function.
    pub function: u8,
    /// Its arguments.
    pub args: Vec<Obs>,
}

/// An end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
    /// Before its first member.
    First,
    /// Behind its last one.
    Last,
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
    /// From here on the waiters for this cell wait for this task. So as long as it holds, nobody else may bring about
    /// what they wait for: otherwise they are said to wait for ever when they do not.
    Hold(CellId),
    /// The end of [`Action::Hold`].
    Release(CellId),
    /// Waits until a counter is zero.
    AwaitZero(CellId),
    /// Waits until a cell has another value.
    AwaitNot(CellId, Obs),
    /// Waits until one of several cells has another value.
    AwaitAny(Vec<(CellId, Obs)>),
    /// Waits until a flag is set, and clears it; a task that waits here is idle.
    Claim(CellId),
    /// Waits until a flag is cleared, which the end of this entry does.
    AwaitEnded(CellId, Entry),
    /// Adds to a `list_head`, unless the object is on it or on the other one.
    ListAdd {
        /// The list.
        list: CellId,
        /// The list that it must not be on either.
        unless_on: CellId,
        /// What is added.
        member: Object,
        /// Where.
        at: End,
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
    /// The same backward: what stands before a member, or the last of the first list.
    ListPrev(CellId, CellId, Option<u8>),
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
    /// Chooses the run under way to wait for, not one that is pending. Observes whether there is one.
    FlushRunning(CellId),
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
    /// It sets a flag to 1, and observes whether it was set.
    Mark,
    /// It writes this value, or leaves it, as other touches of the step decide: twice is the same as once.
    Same(u8),
    /// It writes it, and nothing of what was there gets anywhere.
    Put,
    /// It writes it.
    Write,
}

impl Touch {
    /// Whether two touches of the same commute.
    #[must_use]
    pub fn commutes(self, other: Touch) -> bool {
        let alike = match self {
            Touch::Read | Touch::Count | Touch::Own | Touch::Same(_) => true,
            Touch::Mark | Touch::Put | Touch::Write => false,
        };
        alike && self == other
    }

    /// Whether something of what was there may get anywhere else.
    #[must_use]
    pub fn sees(self) -> bool {
        !matches!(self, Touch::Same(_) | Touch::Put)
    }

    /// What two touches by one step come to.
    #[must_use]
    pub fn and(self, other: Touch) -> Touch {
        match self == other {
            true => self,
            false if self.sees() || other.sees() => Touch::Write,
            false => Touch::Put,
        }
    }
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

/// What is done with the parts of an action, each of which has its image. By default that is itself; of a cell it
/// is what [`Parts::named`] gives, however the action touches it.
pub trait Parts {
    /// A cell, its object's liveness included.
    fn cell(&mut self, cell: CellId, touch: Touch) -> CellId {
        self.parts(cell, &[(Part::Whole, touch)])
    }
    /// A list of which nodes are touched: those who hold them must be there.
    fn list(&mut self, cell: CellId, touch: Touch) -> CellId {
        self.nodes(cell, &[(Part::Whole, touch)])
    }
    /// A cell that is named and not touched.
    fn named(&mut self, cell: CellId) -> CellId;
    /// A count that is lowered; `frees`: the last reference frees the count's object.
    fn lowered(&mut self, cell: CellId, _frees: bool) -> CellId {
        self.named(cell)
    }
    /// Parts of a cell, its object's liveness included.
    fn parts(&mut self, cell: CellId, _parts: &[(Part, Touch)]) -> CellId {
        self.named(cell)
    }
    /// Parts of a list or klist of which nodes are touched: those who hold them must be there.
    fn nodes(&mut self, cell: CellId, _parts: &[(Part, Touch)]) -> CellId {
        self.named(cell)
    }
    /// The same, where only the node of this member is touched.
    fn node(&mut self, cell: CellId, _member: u8, _parts: &[(Part, Touch)]) -> CellId {
        self.named(cell)
    }
    /// A cell that gets this value, whatever was there.
    fn stored(&mut self, cell: CellId, _value: Obs) -> CellId {
        self.named(cell)
    }
    /// What all samplers see of a generation but these.
    fn samples(&mut self, cell: CellId, _but: &[u8], _touch: Touch) -> CellId {
        self.named(cell)
    }
    /// A reference is taken in this field of a member of the klist: of this one, or of any.
    fn reference(&mut self, _klist: CellId, _member: Option<Object>, _field: Field) {}
    /// An object.
    fn object(&mut self, object: Object, _used: Use) -> Object {
        object
    }
    /// A value that is stored or compared.
    fn value(&mut self, value: Obs) -> Obs {
        value
    }
    /// An object by its number in a list.
    fn member(&mut self, _list: CellId, index: u8) -> u8 {
        index
    }
    /// What a task is started with that the step starts or waits for.
    fn entry(&mut self, entry: &Entry) -> Entry {
        entry.clone()
    }
    /// The number of tasks in worker slots changes by this.
    fn workers(&mut self, _change: i8) {}
}

/// What a step waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Wait<'a> {
    /// A mutex to be free.
    Lock(CellId),
    /// A counter to be zero.
    Zero(CellId),
    /// A cell to have another value.
    Not(CellId, Obs),
    /// One of several cells to have another value.
    Any(&'a [(CellId, Obs)]),
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
    /// The cell that says whether the wait is over; of several the first.
    #[must_use]
    pub fn cell(self) -> CellId {
        match self {
            Wait::Any(all) => all[0].0,
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

    /// The cells that say so besides.
    pub fn others(self) -> impl Iterator<Item = CellId> {
        let all = match self {
            Wait::Any(all) => &all[1..],
            _ => &[],
        };
        all.iter().map(|(cell, _)| *cell)
    }

    /// What of that cell says so.
    #[must_use]
    pub fn parts(self) -> Vec<Part> {
        match self {
            Wait::Unlinked(_, member) => vec![Part::Node(member.index), Part::Pins(member.index)],
            Wait::Async(_, Some(domain)) => vec![Part::Domain(domain)],
            Wait::Start(_) => vec![Part::Pending, Part::Running],
            Wait::Run(_) => vec![Part::Waiters],
            Wait::Lock(_)
            | Wait::Zero(_)
            | Wait::Not(..)
            | Wait::Any(_)
            | Wait::Claim(_)
            | Wait::Ended(..)
            | Wait::Async(_, None) => vec![Part::Whole],
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
            | Wait::Any(_)
            | Wait::Ended(..)
            | Wait::Unlinked(..)
            | Wait::Async(..)
            | Wait::Run(_) => false,
        }
    }
}

/// Looks whether an action names a cell.
struct Named {
    cell: CellId,
    found: bool,
}

impl Parts for Named {
    fn named(&mut self, cell: CellId) -> CellId {
        self.found |= cell == self.cell;
        cell
    }
}

impl Action {
    /// Whether it names a cell, be it touched or not.
    #[must_use]
    pub fn names(&self, cell: CellId) -> bool {
        let mut named = Named { cell, found: false };
        self.walk(&mut named);
        named.found
    }

    /// Tells `of` of each part, in order; the action with the images that it gives.
    pub fn walk(&self, of: &mut impl Parts) -> Action {
        use Part::{AllPins, Barred, Domain, Node, Nodes, Order, Pending, Pins, Running, Sample, Waiters};
        use Touch::{Count, Mark, Own, Put, Read, Same, Write};
        match self {
            Action::Load(c) => Action::Load(of.cell(*c, Read)),
            Action::Follow(c) => Action::Follow(of.cell(*c, Read)),
            Action::Store(c, value) => Action::Store(of.stored(*c, *value), of.value(*value)),
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
            Action::AwaitAny(all) => {
                Action::AwaitAny(all.iter().map(|(c, value)| (of.cell(*c, Read), of.value(*value))).collect())
            }
            Action::Claim(c) => Action::Claim(of.cell(*c, Write)),
            Action::AwaitEnded(c, entry) => Action::AwaitEnded(of.cell(*c, Read), of.entry(entry)),
            Action::ListAdd { list, unless_on, member, at } => Action::ListAdd {
                list: of.list(*list, Write),
                unless_on: of.cell(*unless_on, Read),
                member: of.object(*member, Use::Named),
                at: *at,
            },
            Action::ListDel(one, other, o) => {
                Action::ListDel(of.list(*one, Write), of.list(*other, Write), of.object(*o, Use::Named))
            }
            Action::ListPop(c) => Action::ListPop(of.list(*c, Write)),
            Action::ListFirst(c) => Action::ListFirst(of.cell(*c, Read)),
            Action::ListNext(c, other, node) => {
                let (list, other) = (of.list(*c, Read), of.list(*other, Read));
                Action::ListNext(list, other, node.map(|node| of.member(*c, node)))
            }
            Action::ListPrev(c, other, node) => {
                let (list, other) = (of.list(*c, Read), of.list(*other, Read));
                Action::ListPrev(list, other, node.map(|node| of.member(*c, node)))
            }
            Action::ListHas(one, other, o) => {
                Action::ListHas(of.cell(*one, Read), of.cell(*other, Read), of.object(*o, Use::Named))
            }
            Action::ListSplice(from, to) => Action::ListSplice(of.list(*from, Write), of.list(*to, Write)),
            Action::KlistAdd(c, o) => {
                let klist = of.nodes(*c, &[(Order, Put), (Node(o.index), Write)]);
                Action::KlistAdd(klist, of.object(*o, Use::Named))
            }
            Action::KlistNext(c, node) => {
                let klist = of.nodes(*c, &[(Order, Read), (Nodes, Read), (AllPins, Count)]);
                Action::KlistNext(klist, node.map(|node| of.member(*c, node)))
            }
            Action::KlistExit(c, None) => Action::KlistExit(of.parts(*c, &[]), None),
            Action::KlistExit(c, Some(node)) => {
                let klist = of.nodes(*c, &[(Node(*node), Read), (Pins(*node), Count)]);
                Action::KlistExit(klist, Some(of.member(*c, *node)))
            }
            Action::KlistDel(c, o) => {
                let klist = of.nodes(*c, &[(Node(o.index), Write), (Pins(o.index), Write)]);
                Action::KlistDel(klist, of.object(*o, Use::Named))
            }
            Action::KlistAwait(c, o) => {
                let klist = of.parts(*c, &[(Node(o.index), Read), (Pins(o.index), Read)]);
                Action::KlistAwait(klist, of.object(*o, Use::Named))
            }
            Action::KlistLast(c, field) => {
                of.reference(*c, None, *field);
                Action::KlistLast(of.nodes(*c, &[(Order, Read), (Nodes, Read)]), *field)
            }
            Action::KlistFind(c, o, field) => {
                of.reference(*c, Some(*o), *field);
                let klist = of.node(*c, o.index, &[(Node(o.index), Read)]);
                Action::KlistFind(klist, of.object(*o, Use::Named), *field)
            }
            Action::KlistPeek(c) => Action::KlistPeek(of.nodes(*c, &[(Order, Read), (Nodes, Read)])),
            Action::KlistHas(c, o) => {
                Action::KlistHas(of.parts(*c, &[(Node(o.index), Read)]), of.object(*o, Use::Named))
            }
            Action::AsyncSchedule { lists, domain, entry, mark } => {
                of.workers(1);
                Action::AsyncSchedule {
                    lists: of.parts(*lists, &[(Domain(*domain), Count)]),
                    domain: *domain,
                    entry: of.entry(entry),
                    mark: mark.map(|mark| of.cell(mark, Own)),
                }
            }
            Action::AsyncEnd(c, domain) => {
                of.workers(-1);
                Action::AsyncEnd(of.parts(*c, &[(Domain(*domain), Count)]), *domain)
            }
            Action::AsyncAwait(c, None) => Action::AsyncAwait(of.cell(*c, Read), None),
            Action::AsyncAwait(c, Some(domain)) => {
                Action::AsyncAwait(of.parts(*c, &[(Domain(*domain), Read)]), Some(*domain))
            }
            Action::Spawn(c, entry) => {
                of.workers(1);
                Action::Spawn(of.cell(*c, Same(1)), of.entry(entry))
            }
            Action::SpawnEnd(c) => {
                of.workers(-1);
                Action::SpawnEnd(of.cell(*c, Same(0)))
            }
            Action::QueueWork(c) => Action::QueueWork(of.parts(*c, &[(Pending, Mark), (Barred, Read)])),
            Action::DisableWork(c, disabled) => {
                Action::DisableWork(of.parts(*c, &[(Barred, Write)]), *disabled)
            }
            Action::WorkStart(c) => Action::WorkStart(of.cell(*c, Write)),
            Action::WorkEnd(c) => {
                Action::WorkEnd(of.parts(*c, &[(Running, Write), (Waiters, Write), (Barred, Write)]))
            }
            // Who flushes a pending run is let go.
            Action::DequeueWork(c) => {
                Action::DequeueWork(of.parts(*c, &[(Pending, Write), (Waiters, Write)]))
            }
            Action::FlushBegin(c) => {
                Action::FlushBegin(of.parts(*c, &[(Pending, Read), (Running, Read), (Waiters, Write)]))
            }
            Action::FlushRunning(c) => {
                Action::FlushRunning(of.parts(*c, &[(Running, Read), (Waiters, Write)]))
            }
            Action::CancelBegin(c) => {
                let state = [(Pending, Write), (Running, Read), (Waiters, Write), (Barred, Write)];
                Action::CancelBegin(of.parts(*c, &state))
            }
            Action::FlushAwait(c) => Action::FlushAwait(of.parts(*c, &[(Waiters, Read)])),
            Action::Choose(n) => Action::Choose(*n),
            Action::Sample(c, who) => {
                Action::Sample(of.parts(*c, &[(Sample(*who), Put)]), of.member(*c, *who))
            }
            Action::Bump(c, unseen_by) => {
                // A sample that has moved stays one that has moved.
                let counter = of.samples(*c, unseen_by, Same(1));
                Action::Bump(counter, unseen_by.iter().map(|who| of.member(*c, *who)).collect())
            }
            Action::Net(c, up) => Action::Net(of.cell(*c, Write), *up),
            Action::Moved(c, who) => {
                Action::Moved(of.parts(*c, &[(Sample(*who), Write)]), of.member(*c, *who))
            }
            Action::DropSample(c, who) => {
                Action::DropSample(of.parts(*c, &[(Sample(*who), Same(0))]), of.member(*c, *who))
            }
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
            Action::AwaitAny(all) => Wait::Any(all),
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
            | Action::ListPrev(..)
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
            | Action::FlushRunning(_)
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
