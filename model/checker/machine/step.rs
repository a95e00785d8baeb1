//! Taking a step: the one function that every engine calls for it.
//!
//! The effect changes memory, the program's checks are told of the event, the task goes on with what it
//! observed, and a task that is spawned gets the first free worker slot. How tasks are kept differs from
//! engine to engine (control values, numbers of automaton nodes, threads): that is what [`Slots`] hides.

use serde::{Deserialize, Serialize};

use super::effect::apply;
use super::hazard::Hazard;
use super::layout::CellId;
use super::op::{Entry, Op};
use super::program::{Program, SlotKind};
use super::value::Obs;

/// Why a step leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It is a hazard. That is rare: on the heap it is no burden to the steps that raise none.
    Hazard(Box<Hazard>),
    /// The model has no room for what it does, so what comes of it is not known.
    Bound(Bound),
}

/// What the model has no room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Bound {
    /// More spawned tasks at once than there are workers.
    Workers,
    /// A value that this cell cannot hold.
    Cell(CellId),
}

impl From<Hazard> for Stop {
    fn from(hazard: Hazard) -> Self {
        Stop::Hazard(Box::new(hazard))
    }
}

impl From<Bound> for Stop {
    fn from(bound: Bound) -> Self {
        Stop::Bound(bound)
    }
}

impl Bound {
    /// In words, such as `there are too few workers`.
    #[must_use]
    pub fn words<P: Program>(self, program: &P) -> String {
        match self {
            Bound::Workers => "there are too few workers".to_owned(),
            Bound::Cell(cell) => format!("{} has no room for more", program.layout().info(cell).name),
        }
    }
}

/// The tasks of a state, as an engine keeps them.
pub trait Slots {
    /// The task in this slot goes on with what it observed.
    fn resume(&mut self, slot: usize, observed: Obs);

    /// The task in this slot has given the slot back.
    fn leave(&mut self, slot: usize);

    /// Whether a worker slot is free.
    fn is_free(&self, slot: usize) -> bool;

    /// A task starts in this slot.
    fn start(&mut self, slot: usize, entry: &Entry);
}

/// What a step did besides changing memory and slots.
#[derive(Clone, Debug)]
pub struct Stepped {
    /// What the task observed.
    pub observed: Obs,
    /// The slot of the task that it started.
    pub spawned: Option<usize>,
    /// The task gave its slot back.
    pub ended: bool,
    /// A hazard that does not keep the task from going on.
    pub warning: Option<Box<Hazard>>,
}

/// Takes an enabled step. If it leads nowhere, memory and slots are to be thrown away.
///
/// # Errors
///
/// Why it leads nowhere.
pub fn step<P: Program, S: Slots>(
    program: &P,
    memory: &mut [u8],
    slots: &mut S,
    slot: usize,
    op: &Op,
    outcome: u8,
) -> Result<Stepped, Stop> {
    let layout = program.layout();
    let applied = apply(layout, memory, slot, op, outcome)?;
    let mut warning = None;
    if let Some(event) = &op.event {
        match program.event(event, slot, applied.observed, memory) {
            Ok(()) => {}
            Err(Stop::Hazard(hazard)) if hazard.goes_on() => warning = Some(hazard),
            Err(stop) => return Err(stop),
        }
    }
    if applied.ended {
        slots.leave(slot);
    } else {
        slots.resume(slot, applied.observed);
    }
    let mut spawned = None;
    if let Some(entry) = &applied.spawned {
        let is_free = |slot: &usize| program.slots()[*slot].kind == SlotKind::Worker && slots.is_free(*slot);
        let Some(free) = (0..program.slots().len()).find(is_free) else {
            return Err(Bound::Workers.into());
        };
        slots.start(free, entry);
        if let Some(cell) = applied.marked {
            memory[layout.info(cell).range()][free] = 1;
        }
        spawned = Some(free);
    }
    Ok(Stepped { observed: applied.observed, spawned, ended: applied.ended, warning })
}
