//! Which steps commute: the footprint of a step, told apart more finely than by reading and writing.
//!
//! Two steps commute if each does, observes and allows the same in either order. They do when no part of a cell is
//! touched by both, or only in ways that do not matter to each other ([`Touch::commutes`]): both read it, both
//! count it (as long as it stays above zero whatever the order, which is for whoever asks to make sure), each
//! touches its own task's byte of it, or both write the same value.
//!
//! A klist is touched part by part ([`Part`]) as long as none of its nodes is dead: who steps off a dead node may
//! unlink it. Whoever asks makes sure of that too, for the klists in [`Touches::klists`].
//!
//! A step that is `under` a mutex leaves it as it found it, so it only reads it. Dropping a reference
//! frees the object only at the last one; what it writes then is told apart too ([`Touches::frees`]).

use super::action::{Parts, Touch, Use};
use super::layout::{Cell, CellId, Field, Kind, Layout, ObjectInfo, Part};
use super::op::{Action, Op};
use super::value::{Object, Obs};

/// What a step touches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touches {
    /// The parts of cells, liveness included, events and what [`frees`](Touches::frees) names not.
    pub parts: Vec<(CellId, Part, Touch)>,
    /// The klists of which it touches nodes.
    pub klists: Vec<CellId>,
    /// The counts that it lowers.
    pub lowers: Vec<CellId>,
    /// The objects that it frees if it drops the last reference.
    pub frees: Vec<Object>,
    /// How many more tasks are in worker slots after it.
    pub workers: i8,
}

impl Touches {
    /// What an op touches.
    #[must_use]
    pub fn of(layout: &Layout, op: &Op) -> Self {
        let mut recorder = Recorder { layout, touches: Touches::default() };
        if let Some(lock) = op.under {
            recorder.cell(lock, Touch::Read);
        }
        for action in &op.actions {
            action.walk(&mut recorder);
        }
        recorder.touches
    }

    /// How often it lowers a count.
    #[must_use]
    pub fn lowered(&self, count: CellId) -> u8 {
        self.lowers.iter().filter(|other| **other == count).count() as u8
    }

    /// What it writes besides if it drops the last reference.
    #[must_use]
    pub fn when_last(&self, layout: &Layout) -> Vec<CellId> {
        self.frees.iter().flat_map(|object| life(layout, *object)).collect()
    }
}

/// An object, and its part: what is freed with it.
fn whole(layout: &Layout, object: Object) -> impl Iterator<Item = &ObjectInfo> {
    let info = layout.object(object);
    [Some(info), info.part.map(|part| layout.object(part))].into_iter().flatten()
}

/// What making or freeing an object writes: its liveness and all of its cells, and those of its part.
fn life(layout: &Layout, object: Object) -> impl Iterator<Item = CellId> {
    whole(layout, object).flat_map(|info| info.liveness.iter().chain(&info.cells)).copied()
}

/// The liveness of an object and of its part, which are freed with it.
pub fn liveness(layout: &Layout, object: Object) -> impl Iterator<Item = CellId> {
    whole(layout, object).filter_map(|info| info.liveness)
}

/// Collects what the parts of actions touch.
struct Recorder<'a> {
    layout: &'a Layout,
    touches: Touches,
}

impl Recorder<'_> {
    fn liveness(&mut self, object: Object, touch: Touch) {
        let liveness = self.layout.object(object).liveness;
        self.touches.parts.extend(liveness.map(|liveness| (liveness, Part::Whole, touch)));
    }

    fn touch(&mut self, cell: CellId, parts: impl Iterator<Item = (Part, Touch)>) {
        self.touches.parts.extend(parts.map(|(part, touch)| (cell, part, touch)));
        let liveness = self.layout.info(cell).liveness;
        self.touches.parts.extend(liveness.map(|liveness| (liveness, Part::Whole, Touch::Read)));
    }
}

impl Parts for Recorder<'_> {
    fn parts(&mut self, cell: CellId, parts: &[(Part, Touch)]) -> CellId {
        if !parts.is_empty() && matches!(self.layout.info(cell).kind, Kind::Klist(..)) {
            self.touches.klists.push(cell);
        }
        self.touch(cell, parts.iter().copied());
        cell
    }

    fn named(&mut self, cell: CellId) -> CellId {
        cell
    }

    fn lowered(&mut self, cell: CellId, frees: bool) -> CellId {
        let object = self.layout.info(cell).object;
        if frees && self.layout.object(object).liveness.is_some() {
            self.touches.frees.push(object);
        }
        self.touches.lowers.push(cell);
        self.cell(cell, Touch::Count)
    }

    fn nodes(&mut self, cell: CellId, parts: &[(Part, Touch)]) -> CellId {
        match &self.layout.info(cell).kind {
            Kind::Klist(_, holders) => {
                holders.iter().flatten().for_each(|holder| self.liveness(*holder, Touch::Read));
            }
            Kind::List(sort, members) => (0..*members).for_each(|index| {
                let holder = self.layout.holds_node(Object { sort: *sort, index });
                self.liveness(holder, Touch::Read);
            }),
            kind => unreachable!("internal: {kind:?} is no list"),
        }
        self.parts(cell, parts)
    }

    fn node(&mut self, cell: CellId, member: u8, parts: &[(Part, Touch)]) -> CellId {
        let Kind::Klist(_, holders) = &self.layout.info(cell).kind else {
            unreachable!("internal: no klist")
        };
        holders[usize::from(member)].into_iter().for_each(|holder| self.liveness(holder, Touch::Read));
        self.parts(cell, parts)
    }

    fn stored(&mut self, cell: CellId, value: Obs) -> CellId {
        self.cell(cell, Touch::Same(self.layout.encode(cell, value)))
    }

    fn samples(&mut self, cell: CellId, but: &[u8], touch: Touch) -> CellId {
        let Kind::Generation(_, samplers) = self.layout.info(cell).kind else {
            unreachable!("internal: nobody samples this")
        };
        let seen = (0..samplers).filter(|who| !but.contains(who));
        self.touch(cell, seen.map(|who| (Part::Sample(who), touch)));
        cell
    }

    fn reference(&mut self, klist: CellId, member: Option<Object>, field: Field) {
        let members = match (&self.layout.info(klist).kind, member) {
            (_, Some(member)) => vec![member],
            (Kind::Klist(sort, holders), None) => {
                (0..holders.len() as u8).map(|index| Object { sort: *sort, index }).collect()
            }
            (other, None) => unreachable!("internal: {other:?} is no klist"),
        };
        for member in members {
            self.cell(self.layout.find(Cell::<u8>::new(member, field)), Touch::Count);
        }
    }

    fn object(&mut self, object: Object, used: Use) -> Object {
        match used {
            Use::Named => {}
            Use::Reads => self.liveness(object, Touch::Read),
            Use::Marks => self.liveness(object, Touch::Write),
            Use::Resets => {
                let cells = life(self.layout, object).map(|cell| (cell, Part::Whole, Touch::Write));
                self.touches.parts.extend(cells);
            }
        }
        object
    }

    fn workers(&mut self, change: i8) {
        self.touches.workers += change;
        if change < 0 {
            // Who gives its slot back clears its flags.
            let is_flags = |cell: &CellId| matches!(self.layout.info(*cell).kind, Kind::PerTask(_));
            let flags = self.layout.by_slot().iter().copied().filter(is_flags);
            self.touches.parts.extend(flags.map(|cell| (cell, Part::Whole, Touch::Own)));
        }
    }
}

/// The counts that a step certainly raises when it is observed to do this, once for each time. To leave
/// one out costs reduction, not soundness.
#[must_use]
pub fn raised(layout: &Layout, op: &Op, observed: Obs) -> Vec<CellId> {
    let last = op.actions.last();
    let raised = |action: &Action| match (action, observed) {
        (Action::Get(cell), _) => Some(*cell),
        (Action::EnterIf(_, count), Obs::Holds(_)) if Some(action) == last => Some(*count),
        (Action::KlistFind(_, object, field), Obs::Bool(true)) if Some(action) == last => {
            Some(layout.find(Cell::<u8>::new(*object, *field)))
        }
        (Action::KlistLast(_, field), Obs::Id(object)) if Some(action) == last => {
            Some(layout.find(Cell::<u8>::new(object, *field)))
        }
        _ => None,
    };
    op.actions.iter().filter_map(raised).collect()
}
