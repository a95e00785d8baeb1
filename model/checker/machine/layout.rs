//! Where shared state lies: objects, their cells, and each cell's place in a state's bytes.
//!
//! A layout is made once, when a scenario is loaded; from then on a state's memory is plain bytes.

use serde::{Deserialize, Serialize};

use std::marker::PhantomData;

use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;

use super::value::{Object, Obs, Sort};

/// A field of an object. The program says what each number means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Field(pub u8);

/// A cell by number: what an [`Op`](super::op::Op) speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CellId(pub u16);

/// A cell by name, as model code speaks of it, with the type of what it holds.
#[derive(Debug, PartialEq, Eq)]
pub struct Cell<T> {
    /// Whose cell.
    pub object: Object,
    /// Which one.
    pub field: Field,
    holds: PhantomData<T>,
}

impl<T> Cell<T> {
    /// Names a cell.
    #[must_use]
    pub const fn new(object: Object, field: Field) -> Self {
        Cell { object, field, holds: PhantomData }
    }
}

impl<T> Clone for Cell<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Cell<T> {}

/// What a cell holds, and so how many bytes it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A truth value.
    Bool,
    /// A small number.
    Int,
    /// NULL or a pointer to an object of one of these sorts.
    Pointer(Vec<Sort>),
    /// A mutex: free, or the slot of its owner.
    Lock,
    /// A reference count or another counter; a reference count that drops to zero frees its object.
    Count,
    /// Whether an object is there: [`ABSENT`], [`ALIVE`], [`FREED`] or [`RETIRED`].
    Liveness,
    /// A `list_head` of objects of this sort.
    List(Sort, u8),
    /// A klist of objects of this sort: order, dead flags and counts of its nodes, under its spinlock.
    /// The object with index `i` has its node in `holders[i]`, whose memory every walk touches.
    Klist(Sort, Vec<Option<Object>>),
    /// A work item: PENDING, running, and who waits for which run (a byte a slot).
    Work(u8),
    /// A flag a task, by slot.
    PerTask(u8),
    /// The async lists: the number of unfinished entries in each domain.
    Async(u8),
    /// A counter that only grows, as its samplers see it: none, sampled or moved, a byte each. They are
    /// the objects of this sort, by their indices.
    Generation(Sort, u8),
}

/// What a step touches of a cell, where that is less than all of it.
///
/// Two steps that touch different parts of a cell do not meet there. The parts of a klist are its order, each node
/// (whether it is linked, and dead) and the iterators that stand on each node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// All of it.
    Whole,
    /// Of a klist: in which order its nodes are linked.
    Order,
    /// Of a klist: whether the node of this member is linked and whether it is dead.
    Node(u8),
    /// Of a klist: every [`Part::Node`].
    Nodes,
    /// Of a klist: how many iterators stand on the node of this member.
    Pins(u8),
    /// Of a klist: every [`Part::Pins`].
    AllPins,
    /// Of a generation: what this sampler sees.
    Sample(u8),
    /// Of the async lists: the entries of this domain.
    Domain(u8),
    /// Of a work item: whether it is pending.
    Pending,
    /// Of a work item: whether it runs.
    Running,
    /// Of a work item: who waits for which run.
    Waiters,
    /// Of a work item: whether it cannot be queued.
    Barred,
}

/// An object that has not been allocated.
pub const ABSENT: u8 = 0;
/// An object that may be used.
pub const ALIVE: u8 = 1;
/// An object whose memory has been freed.
pub const FREED: u8 = 2;
/// An object whose memory is there but which may no longer be used.
pub const RETIRED: u8 = 3;

impl Kind {
    fn bytes(&self) -> usize {
        match self {
            Kind::List(_, capacity) => 1 + usize::from(*capacity),
            Kind::Klist(_, holders) => 1 + 2 * holders.len(),
            Kind::Work(slots) => 1 + usize::from(*slots),
            Kind::PerTask(slots) => usize::from(*slots),
            Kind::Async(domains) => usize::from(*domains),
            Kind::Generation(_, samplers) => usize::from(*samplers),
            _ => 1,
        }
    }
}

/// A cell of the layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CellInfo {
    /// Its name in traces, such as `door.owner`.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
    /// The first of its bytes.
    pub offset: usize,
    /// The object whose lifetime it shares.
    pub object: Object,
    /// The liveness cell of that object, if it can be freed.
    pub liveness: Option<CellId>,
    /// Read by checks only, never by model code; left out of traces.
    pub ghost: bool,
    /// The kernel reads and writes it by `READ_ONCE` and `WRITE_ONCE`.
    pub marked: bool,
    /// What its name and its value say.
    pub says: Says,
}

/// What a cell's name and value say to a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Says {
    /// The value of what has this name.
    Value,
    /// How many references there are.
    References,
    /// The name is a statement, and the flag says whether it is true.
    Statement,
}

impl CellInfo {
    /// Whether all accesses to it are marked: by `READ_ONCE` and `WRITE_ONCE`, or as those of an `atomic_t`
    /// or a `refcount_t`.
    #[must_use]
    pub fn is_marked(&self) -> bool {
        self.marked || (self.kind == Kind::Count && !self.ghost)
    }

    /// Its bytes within a state's memory.
    #[must_use]
    pub fn range(&self) -> std::ops::Range<usize> {
        self.offset..self.offset + self.kind.bytes()
    }
}

/// An object of the layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Its name in traces.
    pub name: String,
    /// Its liveness, if it can be freed.
    pub liveness: Option<CellId>,
    /// The hazard that using it after its end is.
    pub stale: &'static str,
    /// Its cells.
    pub cells: Vec<CellId>,
    /// An object that is freed with it, and in whose memory its nodes of `list_head`s are.
    pub part: Option<Object>,
}

/// All objects and cells of a program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    cells: Vec<CellInfo>,
    objects: IndexMap<Object, ObjectInfo, FxBuildHasher>,
    index: IndexMap<(Object, Field), CellId, FxBuildHasher>,
    bytes: usize,
    locks: Vec<CellId>,
    by_slot: Vec<CellId>,
}

impl Layout {
    /// An empty layout.
    #[must_use]
    pub fn new() -> Self {
        Layout::default()
    }

    /// Adds an object that is never freed.
    pub fn immortal(&mut self, object: Object, name: impl Into<String>) {
        let info = ObjectInfo {
            name: name.into(),
            liveness: None,
            stale: "use-after-free",
            cells: Vec::new(),
            part: None,
        };
        let before = self.objects.insert(object, info);
        assert!(before.is_none(), "internal: {object:?} is declared twice");
    }

    /// Adds an object that can be freed; `stale` is the hazard that using it afterwards is.
    pub fn mortal(&mut self, object: Object, name: impl Into<String>, stale: &'static str) {
        let name = name.into();
        self.immortal(object, name.clone());
        let liveness = self.push(CellInfo {
            name,
            kind: Kind::Liveness,
            offset: 0,
            object,
            liveness: None,
            ghost: false,
            marked: false,
            says: Says::Value,
        });
        let info = &mut self.objects[&object];
        info.liveness = Some(liveness);
        info.stale = stale;
    }

    /// Adds a cell of an object that was added before.
    pub fn cell<T>(&mut self, cell: Cell<T>, name: impl Into<String>, kind: Kind) -> CellId {
        let liveness = self.objects[&cell.object].liveness;
        let id = self.push(CellInfo {
            name: name.into(),
            kind,
            offset: 0,
            object: cell.object,
            liveness,
            ghost: false,
            marked: false,
            says: Says::Value,
        });
        let before = self.index.insert((cell.object, cell.field), id);
        assert!(before.is_none(), "internal: a cell is declared twice");
        self.objects[&cell.object].cells.push(id);
        id
    }

    /// Adds a cell that only checks read. It outlives its object.
    pub fn ghost<T>(&mut self, cell: Cell<T>, name: impl Into<String>, kind: Kind) -> CellId {
        let id = self.push(CellInfo {
            name: name.into(),
            kind,
            offset: 0,
            object: cell.object,
            liveness: None,
            ghost: true,
            marked: false,
            says: Says::Value,
        });
        let before = self.index.insert((cell.object, cell.field), id);
        assert!(before.is_none(), "internal: a cell is declared twice");
        id
    }

    /// Says that an object that can be freed has a part: it is freed with it if it is there, and in its memory are
    /// the nodes by which the whole is on a `list_head`.
    pub fn part(&mut self, whole: Object, part: Object) {
        self.objects[&whole].part = Some(part);
    }

    /// The object in whose memory an object's node of a `list_head` is.
    #[must_use]
    pub fn holds_node(&self, member: Object) -> Object {
        self.object(member).part.unwrap_or(member)
    }

    /// The kernel reads and writes this cell by `READ_ONCE` and `WRITE_ONCE`.
    ///
    /// # Panics
    ///
    /// If it has more than one byte, which is our own mistake.
    pub fn mark(&mut self, cell: CellId) {
        let info = &mut self.cells[usize::from(cell.0)];
        assert!(info.kind.bytes() == 1, "internal: {} is no variable", info.name);
        info.marked = true;
    }

    /// What a cell's name and value say, if that is more than a value.
    pub fn says(&mut self, cell: CellId, says: Says) {
        self.cells[usize::from(cell.0)].says = says;
    }

    fn push(&mut self, mut info: CellInfo) -> CellId {
        let id = CellId(u16::try_from(self.cells.len()).expect("internal: too many cells"));
        info.offset = self.bytes;
        self.bytes = info.range().end;
        match info.kind {
            Kind::Lock => self.locks.push(id),
            Kind::Work(_) | Kind::PerTask(_) => self.by_slot.push(id),
            _ => {}
        }
        self.cells.push(info);
        id
    }

    /// The number of bytes of a state's memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// All cells, by number.
    #[must_use]
    pub fn cells(&self) -> &[CellInfo] {
        &self.cells
    }

    /// The numbers of all cells.
    pub fn ids(&self) -> impl Iterator<Item = CellId> + use<> {
        (0..self.cells.len()).map(|number| CellId(number as u16))
    }

    /// A cell by number.
    #[must_use]
    pub fn info(&self, cell: CellId) -> &CellInfo {
        &self.cells[usize::from(cell.0)]
    }

    /// All objects, in the order in which they were added.
    #[must_use]
    pub fn objects(&self) -> &IndexMap<Object, ObjectInfo, FxBuildHasher> {
        &self.objects
    }

    /// An object.
    ///
    /// # Panics
    ///
    /// If it is unknown, which is our own mistake.
    #[must_use]
    pub fn object(&self, object: Object) -> &ObjectInfo {
        &self.objects[&object]
    }

    /// All cells that have a name, each with its own.
    pub fn named(&self) -> impl Iterator<Item = (Object, Field, CellId)> {
        self.index.iter().map(|((object, field), cell)| (*object, *field, *cell))
    }

    /// The number of a named cell.
    ///
    /// # Panics
    ///
    /// If it is unknown, which is our own mistake.
    #[must_use]
    pub fn find<T>(&self, cell: Cell<T>) -> CellId {
        match self.index.get(&(cell.object, cell.field)) {
            Some(id) => *id,
            None => unreachable!("internal: {:?} has no field {:?}", cell.object, cell.field),
        }
    }

    /// The mutexes, whose owners are slots.
    #[must_use]
    pub fn locks(&self) -> &[CellId] {
        &self.locks
    }

    /// The cells that end with a byte a slot: those of work items and of flags that tasks have.
    #[must_use]
    pub fn by_slot(&self) -> &[CellId] {
        &self.by_slot
    }

    /// Where the byte of a slot is in a cell that has one for each.
    #[must_use]
    pub fn of_slot(&self, cell: CellId, slot: usize) -> Option<usize> {
        let info = self.info(cell);
        match info.kind {
            Kind::Work(_) => Some(info.offset + 1 + slot),
            Kind::PerTask(_) => Some(info.offset + slot),
            _ => None,
        }
    }

    /// The byte that stands for a value in a one-byte cell.
    #[must_use]
    pub fn encode(&self, cell: CellId, value: Obs) -> u8 {
        match (&self.info(cell).kind, value) {
            (Kind::Bool, Obs::Bool(value)) => u8::from(value),
            (Kind::Int | Kind::Count | Kind::Liveness, Obs::Int(value)) => value,
            (Kind::Pointer(_), Obs::None) => 0,
            (Kind::Pointer(sorts), Obs::Id(object)) => {
                let place = sorts.iter().position(|sort| *sort == object.sort);
                let place = place.expect("internal: a pointer to an object of a foreign sort");
                1 + u8::try_from(place).expect("internal: too many sorts") * 64 + object.index
            }
            (kind, value) => unreachable!("internal: {value:?} does not fit {kind:?}"),
        }
    }

    /// The value that a byte of a one-byte cell stands for.
    #[must_use]
    pub fn decode(&self, cell: CellId, byte: u8) -> Obs {
        match &self.info(cell).kind {
            Kind::Bool => Obs::Bool(byte != 0),
            Kind::Int | Kind::Count | Kind::Liveness => Obs::Int(byte),
            Kind::Pointer(_) if byte == 0 => Obs::None,
            Kind::Pointer(sorts) => {
                let sort = sorts[usize::from((byte - 1) / 64)];
                Obs::Id(Object { sort, index: (byte - 1) % 64 })
            }
            kind => unreachable!("internal: {kind:?} is no single value"),
        }
    }
}
