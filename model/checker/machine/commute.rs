//! Which steps commute: the footprint of a step, told apart more finely than by reading and writing.
//!
//! Two steps commute if each does, observes and allows the same in either order. They do when no cell
//! is touched by both, or only in ways that do not matter to each other:
//!
//! * both read it;
//! * both count it ([`Touch::Count`]): up and down, as long as it stays above zero whatever the order,
//!   which is for whoever asks to make sure;
//! * each touches its own task's byte of it ([`Touch::Own`]).
//!
//! A step that is `under` a mutex leaves it as it found it, so it only reads it. Dropping a reference
//! frees the object only at the last one; what it writes then is told apart too ([`Touches::frees`]).

use super::layout::{Cell, CellId, Kind, Layout};
use super::op::{Access, Action, Op, freed};
use super::value::{Object, Obs};

/// How a step touches a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Touch {
    /// It reads it.
    Read,
    /// It counts it up or down, and observes at most whether it came to zero.
    Count,
    /// It reads or writes the byte of its own task.
    Own,
    /// It writes it.
    Write,
}

impl Touch {
    /// Whether two touches of one cell commute.
    #[must_use]
    pub fn commutes(self, other: Touch) -> bool {
        self == other && self != Touch::Write
    }
}

/// What a step touches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touches {
    /// The cells, liveness included, events and what [`frees`](Touches::frees) names not.
    pub cells: Vec<(CellId, Touch)>,
    /// The counts that it lowers.
    pub lowers: Vec<CellId>,
    /// The objects that it frees if it drops the last reference.
    pub frees: Vec<Object>,
}

impl Touches {
    /// What an op touches.
    #[must_use]
    pub fn of(layout: &Layout, op: &Op) -> Self {
        let mut touches = Touches::default();
        if let Some(lock) = op.under {
            touches.add(layout, lock, Touch::Read);
        }
        for action in &op.actions {
            touches.action(layout, action);
        }
        touches
    }

    /// What it writes besides if it drops the last reference.
    #[must_use]
    pub fn when_last(&self, layout: &Layout) -> Vec<CellId> {
        let mut cells = Vec::new();
        self.frees.iter().for_each(|object| freed(layout, *object, &mut cells));
        cells.into_iter().map(|(cell, _)| cell).collect()
    }

    fn add(&mut self, layout: &Layout, cell: CellId, touch: Touch) {
        self.cells.push((cell, touch));
        self.cells.extend(layout.info(cell).liveness.map(|liveness| (liveness, Touch::Read)));
    }

    fn action(&mut self, layout: &Layout, action: &Action) {
        match action {
            Action::Get(cell) | Action::Put(cell) | Action::Dec(cell) => {
                self.add(layout, *cell, Touch::Count);
                if !matches!(action, Action::Get(_)) {
                    self.lowers.push(*cell);
                }
                let object = layout.info(*cell).object;
                if matches!(action, Action::Put(_)) && layout.object(object).liveness.is_some() {
                    self.frees.push(object);
                }
            }
            Action::EnterIf(flag, count) => {
                self.add(layout, *flag, Touch::Read);
                self.add(layout, *count, Touch::Count);
            }
            Action::AsyncSchedule { lists, mark, .. } => {
                self.add(layout, *lists, Touch::Count);
                if let Some(mark) = mark {
                    // The byte of the task that is started, which nobody else knows yet.
                    self.add(layout, *mark, Touch::Own);
                }
            }
            Action::AsyncEnd(lists, _) => self.add(layout, *lists, Touch::Count),
            Action::SetOwn(cell, _) | Action::TestOwn(cell) => self.add(layout, *cell, Touch::Own),
            other => {
                let mut cells = Vec::new();
                other.footprint(layout, &mut cells);
                let taken = |cell: &CellId| other.takes_references(layout).contains(cell);
                self.cells.extend(cells.into_iter().map(|(cell, access)| match access {
                    _ if taken(&cell) => (cell, Touch::Count),
                    Access::Read => (cell, Touch::Read),
                    Access::Write => (cell, Touch::Write),
                }));
            }
        }
    }
}

impl Action {
    /// The counts in which it may take a reference along with what it finds.
    fn takes_references(&self, layout: &Layout) -> Vec<CellId> {
        match self {
            Action::KlistFind(_, object, field) => vec![layout.find(Cell::<u8>::new(*object, *field))],
            Action::KlistLast(cell, field) => match &layout.info(*cell).kind {
                Kind::Klist(sort, holders) => (0..holders.len() as u8)
                    .map(|index| Object { sort: *sort, index })
                    .map(|object| layout.find(Cell::<u8>::new(object, *field)))
                    .collect(),
                _ => Vec::new(),
            },
            _ => Vec::new(),
        }
    }
}

/// The counts that a step certainly raises when it is observed to do this, once for each time.
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
