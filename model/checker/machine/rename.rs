//! Objects and tasks that take each other's places.
//!
//! A program proposes a [`Renaming`]. A [`Renamer`] exists only if layout and slots are the same after
//! it; it then renames all that the machine knows: memory, observations and steps. Whether the program
//! itself goes on in the same way is for its user to find out, node by node.

use indexmap::{IndexMap, IndexSet};

use super::action::{Parts, Touch, Use};
use super::hazard::About;
use super::layout::{CellId, Field, Kind, Layout, Part};
use super::op::{Entry, Event, Op};
use super::program::{Program, SlotKind};
use super::value::{Object, Obs, Sort};

/// Which object takes whose place, and which task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renaming {
    /// By the object before; objects that are not there stay what they are.
    pub objects: IndexMap<Object, Object>,
    /// For each slot the slot of the task that takes the place of its task. Only static tasks need to be
    /// right: work items follow their cells.
    pub slots: Vec<usize>,
}

impl Renaming {
    /// What an object becomes.
    #[must_use]
    pub fn object(&self, object: Object) -> Object {
        self.objects.get(&object).copied().unwrap_or(object)
    }

    /// Whether everything stays what it is.
    #[must_use]
    pub fn is_identity(&self) -> bool {
        self.objects.iter().all(|(from, to)| from == to) && is_identity(&self.slots)
    }

    /// This one and then another.
    #[must_use]
    pub fn then(&self, other: &Renaming) -> Renaming {
        Renaming {
            objects: self.objects.iter().map(|(from, to)| (*from, other.object(*to))).collect(),
            slots: self.slots.iter().map(|to| other.slots[*to]).collect(),
        }
    }

    /// Whether it is one-to-one and leaves sorts alone.
    fn is_permutation(&self) -> bool {
        let values: IndexSet<Object> = self.objects.values().copied().collect();
        let sorts = self.objects.iter().all(|(from, to)| from.sort == to.sort);
        sorts && values.len() == self.objects.len() && self.objects.keys().all(|key| values.contains(key))
    }
}

fn is_identity(places: &[usize]) -> bool {
    places.iter().enumerate().all(|(before, after)| before == *after)
}

/// More renamings than this are not tried one by one.
const FEW: usize = 24;

/// All renamings that are made of these, but for the one that does nothing; `None` if they are many.
#[must_use]
pub fn group(generators: &[Renaming]) -> Option<Vec<Renaming>> {
    let mut all: Vec<Renaming> = Vec::new();
    let mut at = 0;
    let mut new: Vec<Renaming> = generators.to_vec();
    loop {
        for renaming in new {
            if !renaming.is_identity() && !all.contains(&renaming) {
                all.push(renaming);
            }
        }
        if all.len() >= FEW {
            return None;
        }
        let Some(renaming) = all.get(at) else { return Some(all) };
        new = generators.iter().map(|generator| renaming.then(generator)).collect();
        at += 1;
    }
}

/// Who can take whose place, one item after the other: objects, tasks or whatever a program tells apart.
pub trait Alike {
    /// How many items there are.
    fn items(&self) -> usize;

    /// The items whose place an item may take at all.
    fn places(&self, item: usize) -> Vec<usize>;

    /// Whether the last of the items `0..to.len()` may take its place in `to`, the others taking theirs.
    fn fits(&self, to: &[usize]) -> bool;

    /// Whether all of them together may.
    fn is_renaming(&self, to: &[usize]) -> bool;
}

/// More tries than this are not made.
const TRIES: usize = 200_000;

/// Permutations of items that generate all that [`Alike`] allows: for each item and each place that it can
/// take while the items before it stay, one permutation. None if that takes too many tries.
#[must_use]
pub fn generators(alike: &impl Alike) -> Vec<Vec<usize>> {
    let mut tries = 0;
    let mut all = Vec::new();
    let stay = |items: usize| (0..items).collect::<Vec<usize>>();
    for item in 0..alike.items() {
        for place in alike.places(item).into_iter().filter(|place| *place > item) {
            let mut to = stay(item);
            to.push(place);
            let fits = (0..to.len()).all(|before| alike.fits(&to[..=before]));
            match fits.then(|| complete(alike, &mut to, &mut tries)) {
                Some(None) => return Vec::new(),
                Some(Some(true)) => all.push(to),
                Some(Some(false)) | None => {}
            }
        }
    }
    all
}

/// Finds places for the other items, their own first. `None` if that takes too many tries.
fn complete(alike: &impl Alike, to: &mut Vec<usize>, tries: &mut usize) -> Option<bool> {
    let item = to.len();
    if item == alike.items() {
        return Some(alike.is_renaming(to));
    }
    let mut places = alike.places(item);
    places.sort_by_key(|place| *place != item);
    for place in places.into_iter().filter(|place| !to.contains(place)).collect::<Vec<_>>() {
        *tries += 1;
        if *tries > TRIES {
            return None;
        }
        to.push(place);
        if alike.fits(to) && complete(alike, to, tries)? {
            return Some(true);
        }
        to.pop();
    }
    Some(false)
}

/// How some bytes of memory are renamed, where they do not just stay.
#[derive(Clone, Copy, Debug)]
struct Move {
    from: usize,
    to: usize,
    len: usize,
    how: How,
}

#[derive(Clone, Copy, Debug)]
enum How {
    /// They stay what they are in their new place.
    Copy,
    /// One byte, looked up in this table.
    Value(usize),
    /// The members of a list, so many bytes apart, are looked up.
    Members(usize, usize),
    /// A byte for each member of a sort, or for each slot, goes to the place of that.
    Each(usize),
}

/// A renaming of all that the machine knows of a program.
#[derive(Clone, Debug)]
pub struct Renamer {
    renaming: Renaming,
    cells: Vec<CellId>,
    /// The sort of the objects that stand in a cell as numbers.
    members: Vec<Option<Sort>>,
    slots: Vec<usize>,
    /// What the tasks are started with that are there from the start.
    entries: IndexMap<Entry, Entry>,
    moves: Vec<Move>,
    tables: Vec<[u8; 256]>,
}

impl Renamer {
    /// The renaming of a program, if its layout and its slots are the same after it.
    #[must_use]
    pub fn new<P: Program>(program: &P, renaming: &Renaming) -> Option<Self> {
        let layout = program.layout();
        if !renaming.is_permutation() || !objects_are_alike(layout, renaming) {
            return None;
        }
        let cells = cells(program, renaming)?;
        let slots = slots(program, renaming, &cells)?;
        let entries = entries(program, &slots)?;
        let members = layout.cells().iter().map(|info| match &info.kind {
            Kind::List(sort, _) | Kind::Klist(sort, _) | Kind::Generation(sort, _) => Some(*sort),
            _ => None,
        });
        let mut renamer = Renamer {
            renaming: renaming.clone(),
            members: members.collect(),
            cells,
            slots,
            entries,
            moves: Vec::new(),
            tables: Vec::new(),
        };
        for cell in layout.ids() {
            renamer.plan(layout, cell);
        }
        Some(renamer)
    }

    /// How the bytes of a cell are renamed.
    fn plan(&mut self, layout: &Layout, cell: CellId) {
        let info = layout.info(cell);
        let (from, to, len) = (info.range().start, layout.info(self.cell(cell)).offset, info.range().len());
        if from != to {
            self.moves.push(Move { from, to, len, how: How::Copy });
        }
        let slot = |byte: u8| self.slots.get(usize::from(byte)).map_or(byte, |to| *to as u8);
        let index = |sort: Sort, index: u8| self.object(Object { sort, index }).index;
        let table: [u8; 256] = std::array::from_fn(|byte| {
            let byte = byte as u8;
            match (&info.kind, byte.checked_sub(1)) {
                (Kind::Lock, Some(owner)) => 1 + slot(owner),
                (Kind::Pointer(sorts), Some(code)) => {
                    let sort = sorts.get(usize::from(code / 64));
                    sort.map_or(byte, |sort| 1 + code / 64 * 64 + index(*sort, code % 64))
                }
                (Kind::List(sort, _) | Kind::Klist(sort, _) | Kind::Generation(sort, _), _) => {
                    index(*sort, byte)
                }
                (Kind::Work(_) | Kind::PerTask(_), _) => slot(byte),
                _ => byte,
            }
        });
        if table.iter().enumerate().all(|(byte, to)| byte == usize::from(*to)) {
            return;
        }
        let place = self.tables.iter().position(|other| *other == table).unwrap_or(self.tables.len());
        let (head, how) = match &info.kind {
            Kind::List(..) => (0, How::Members(1, place)),
            Kind::Klist(..) => (0, How::Members(2, place)),
            Kind::Work(_) => (1, How::Each(place)),
            Kind::PerTask(_) | Kind::Generation(..) => (0, How::Each(place)),
            _ => (0, How::Value(place)),
        };
        if place == self.tables.len() {
            self.tables.push(table);
        }
        self.moves.push(Move { from: from + head, to: to + head, len: len - head, how });
    }

    /// Whether memory is the same after the renaming.
    #[must_use]
    pub fn keeps(&self, memory: &[u8]) -> bool {
        let mut image = memory.to_vec();
        self.memory(memory, &mut image);
        image == memory
    }

    /// Memory after the renaming. `to` must be a copy of `from`.
    pub fn memory(&self, from: &[u8], to: &mut [u8]) {
        for step in &self.moves {
            let from = &from[step.from..step.from + step.len];
            let to = &mut to[step.to..step.to + step.len];
            match step.how {
                How::Copy => to.copy_from_slice(from),
                How::Value(table) => to[0] = self.tables[table][usize::from(from[0])],
                How::Members(apart, table) => {
                    for i in (1..).step_by(apart).take(usize::from(from[0])) {
                        to[i] = self.tables[table][usize::from(from[i])];
                    }
                }
                How::Each(table) => {
                    for (byte, place) in from.iter().zip(&self.tables[table]) {
                        to[usize::from(*place)] = *byte;
                    }
                }
            }
        }
    }

    /// For each slot the one that its task moves to.
    #[must_use]
    pub fn slots(&self) -> &[usize] {
        &self.slots
    }

    /// What a cell becomes.
    #[must_use]
    pub fn cell(&self, cell: CellId) -> CellId {
        self.cells[usize::from(cell.0)]
    }

    /// What an object becomes.
    #[must_use]
    pub fn object(&self, object: Object) -> Object {
        self.renaming.object(object)
    }

    /// What a number becomes that stands for an object in a cell.
    #[must_use]
    pub fn member(&self, cell: CellId, index: u8) -> u8 {
        let sort = self.members[usize::from(cell.0)];
        sort.map_or(index, |sort| self.object(Object { sort, index }).index)
    }

    /// What an observation becomes.
    #[must_use]
    pub fn obs(&self, obs: Obs) -> Obs {
        match obs {
            Obs::Id(object) => Obs::Id(self.object(object)),
            Obs::Iter(klist, node, died) => {
                Obs::Iter(self.cell(klist), node.map(|node| self.member(klist, node)), died)
            }
            Obs::Holds(cell) => Obs::Holds(self.cell(cell)),
            Obs::Released(cell) => Obs::Released(self.cell(cell)),
            Obs::Unit
            | Obs::None
            | Obs::Some
            | Obs::Ok
            | Obs::Err
            | Obs::Bool(_)
            | Obs::Int(_)
            | Obs::Word(_) => obs,
        }
    }

    /// What a task is started with instead.
    #[must_use]
    pub fn entry(&self, entry: &Entry) -> Entry {
        if let Some(other) = self.entries.get(entry) {
            return other.clone();
        }
        Entry { function: entry.function, args: entry.args.iter().map(|arg| self.obs(*arg)).collect() }
    }

    /// What the checks are told instead.
    #[must_use]
    pub fn event(&self, event: &Event) -> Event {
        Event { kind: event.kind, args: event.args.map(|arg| self.obs(arg)) }
    }

    /// What a hazard is about then.
    #[must_use]
    pub fn about(&self, about: About) -> About {
        match about {
            About::Object(object) => About::Object(self.object(object)),
            About::Pair(one, other) => About::Pair(self.object(one), self.object(other)),
            About::Cell(cell) => About::Cell(self.cell(cell)),
            About::Program => About::Program,
        }
    }

    /// What touching a part of a cell becomes.
    #[must_use]
    pub fn touched(&self, (cell, part, touch): (CellId, Part, Touch)) -> (CellId, Part, Touch) {
        let member = |index: u8| self.member(cell, index);
        let part = match part {
            Part::Node(index) => Part::Node(member(index)),
            Part::Pins(index) => Part::Pins(member(index)),
            Part::Sample(index) => Part::Sample(member(index)),
            Part::Whole
            | Part::Order
            | Part::Nodes
            | Part::AllPins
            | Part::Domain(_)
            | Part::Pending
            | Part::Running
            | Part::Waiters
            | Part::Barred => part,
        };
        (self.cell(cell), part, touch)
    }

    /// What a step becomes.
    #[must_use]
    pub fn op(&self, op: &Op) -> Op {
        Op {
            under: op.under.map(|lock| self.cell(lock)),
            actions: op.actions.iter().map(|action| action.walk(&mut &*self)).collect(),
            event: op.event.as_ref().map(|event| self.event(event)),
        }
    }
}

/// The images of an action's parts.
impl Parts for &Renamer {
    fn named(&mut self, cell: CellId) -> CellId {
        Renamer::cell(self, cell)
    }

    fn object(&mut self, object: Object, _used: Use) -> Object {
        Renamer::object(self, object)
    }

    fn value(&mut self, value: Obs) -> Obs {
        self.obs(value)
    }

    fn member(&mut self, list: CellId, index: u8) -> u8 {
        Renamer::member(self, list, index)
    }

    fn entry(&mut self, entry: &Entry) -> Entry {
        Renamer::entry(self, entry)
    }
}

fn objects_are_alike(layout: &Layout, renaming: &Renaming) -> bool {
    layout.objects().iter().all(|(object, info)| {
        let other = layout.objects().get(&renaming.object(*object));
        other.is_some_and(|other| {
            (other.stale, other.liveness.is_some()) == (info.stale, info.liveness.is_some())
        })
    })
}

/// What each cell becomes, if that is a cell of the same kind.
fn cells<P: Program>(program: &P, renaming: &Renaming) -> Option<Vec<CellId>> {
    let layout = program.layout();
    let named: IndexMap<(Object, Field), CellId> =
        layout.named().map(|(object, field, cell)| ((object, field), cell)).collect();
    let mut cells: IndexMap<CellId, CellId> = IndexMap::new();
    for (object, field, cell) in layout.named() {
        let field = program.renamed_field(object, field, renaming);
        cells.insert(cell, *named.get(&(renaming.object(object), field))?);
    }
    for (object, info) in layout.objects() {
        let other = layout.object(renaming.object(*object));
        cells.extend(info.liveness.zip(other.liveness));
    }
    let all: Option<Vec<CellId>> = layout.ids().map(|cell| cells.get(&cell).copied()).collect();
    let all = all?;
    let images: IndexSet<CellId> = all.iter().copied().collect();
    let alike = |(cell, to): (CellId, &CellId)| {
        let (info, other) = (layout.info(cell), layout.info(*to));
        let kind = match (&info.kind, &other.kind) {
            (Kind::Klist(sort, holders), Kind::Klist(same, others)) => {
                let at = |index: usize| renaming.object(Object { sort: *sort, index: index as u8 }).index;
                let holder = |(index, holder): (usize, &Option<Object>)| {
                    others.get(usize::from(at(index))) == Some(&holder.map(|holder| renaming.object(holder)))
                };
                sort == same && holders.len() == others.len() && holders.iter().enumerate().all(holder)
            }
            (Kind::Generation(sort, samplers), kind) => {
                let at = |index: u8| renaming.object(Object { sort: *sort, index }).index;
                info.kind == *kind && (0..*samplers).all(|index| at(index) < *samplers)
            }
            (one, other) => one == other,
        };
        let liveness = info.liveness.map(|liveness| all[usize::from(liveness.0)]);
        kind && (info.ghost, info.marked) == (other.ghost, other.marked)
            && liveness == other.liveness
            && renaming.object(info.object) == other.object
    };
    (images.len() == all.len() && layout.ids().zip(&all).all(alike)).then_some(all)
}

/// Where the task of each slot goes, if that is a place of the same kind.
fn slots<P: Program>(program: &P, renaming: &Renaming, cells: &[CellId]) -> Option<Vec<usize>> {
    let decls = program.slots();
    let mut slots: Vec<usize> = Vec::new();
    for (slot, decl) in decls.iter().enumerate() {
        slots.push(match &decl.kind {
            SlotKind::Task { .. } => *renaming.slots.get(slot)?,
            SlotKind::Item { work, .. } => {
                let cell = cells[usize::from(work.0)];
                let is = |kind: &SlotKind| matches!(kind, SlotKind::Item { work, .. } if *work == cell);
                decls.iter().position(|other| is(&other.kind))?
            }
            SlotKind::Worker => slot,
        });
    }
    let alike = |slot: usize| match (&decls[slot].kind, &decls.get(slots[slot])?.kind) {
        (SlotKind::Task { after, .. }, SlotKind::Task { after: others, .. }) => {
            let mut after: Vec<usize> = after.iter().map(|before| slots[*before]).collect();
            let mut others = others.clone();
            after.sort_unstable();
            others.sort_unstable();
            (after == others).then_some(())
        }
        (SlotKind::Item { .. }, SlotKind::Item { .. }) | (SlotKind::Worker, SlotKind::Worker) => Some(()),
        _ => None,
    };
    (0..decls.len()).try_for_each(alike)?;
    let images: IndexSet<usize> = slots.iter().copied().collect();
    (images.len() == slots.len()).then_some(slots)
}

/// What the tasks are started with that take the places of those that are there from the start.
fn entries<P: Program>(program: &P, slots: &[usize]) -> Option<IndexMap<Entry, Entry>> {
    let entry = |slot: usize| match &program.slots()[slot].kind {
        SlotKind::Task { entry, .. } | SlotKind::Item { entry, .. } => Some(entry),
        SlotKind::Worker => None,
    };
    let mut entries: IndexMap<Entry, Entry> = IndexMap::new();
    for (slot, to) in slots.iter().enumerate() {
        let Some((from, to)) = entry(slot).zip(entry(*to)) else { continue };
        if from.function != to.function {
            return None;
        }
        let before = entries.insert(from.clone(), to.clone());
        if before.is_some_and(|before| before != *to) {
            return None;
        }
    }
    Some(entries)
}
