//! `Cpu`: what modelled code runs on. Every call of one of its methods that ends in `?` is one
//! atomic step of the machine.

use std::ops::ControlFlow;

use smallvec::SmallVec;

use super::layout::{Cell, CellId, Layout};
use super::op::{Action, Entry, Op};
use super::place::Place;
use super::value::{Datum, Object, Obs, Observe};

/// The engine's: this task cannot go on now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause;

/// What a step, or a function made of steps, gives.
pub type Step<T> = Result<T, Pause>;

/// A call as an engine sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The function, or the empty name for a turn of a loop.
    pub name: &'static str,
    /// Its arguments, or the carried value of a loop.
    pub args: &'a [Obs],
}

/// The atoms of a value: mostly one, or two.
pub type Atoms = SmallVec<[Obs; 2]>;

/// What an engine says when a function is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entered {
    /// It has returned this already.
    Returned(Atoms),
    /// It is to be run; for a loop, with this carried value.
    Run(Atoms),
}

/// An engine, as modelled code sees it.
pub trait Backend {
    /// One atomic step.
    ///
    /// # Errors
    ///
    /// [`Pause`] if the task cannot go on now.
    fn step(&self, op: Op, at: Place) -> Step<Obs>;

    /// A function or loop is entered.
    fn enter(&self, frame: Frame<'_>) -> Entered;

    /// A loop goes on to its next turn with this value.
    fn turn(&self, carried: Vec<Obs>);

    /// The function or loop that was entered last returns this.
    fn leave(&self, result: Vec<Obs>);

    /// How many steps have been made so far, if the engine counts them. Those of a call that has returned are not.
    fn made(&self) -> Option<u64> {
        None
    }
}

/// The processor that one task runs on.
#[derive(Clone, Copy)]
pub struct Cpu<'a> {
    backend: &'a dyn Backend,
    layout: &'a Layout,
    current: &'a Entry,
}

/// Where an iterator of a klist stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KlistIter {
    klist: CellId,
    node: Option<u8>,
    died: bool,
}

/// A passed-on iterator has had its put callback: it no longer says that the node it left died.
impl Observe for KlistIter {
    fn record(&self, to: &mut Vec<Obs>) {
        to.push(Obs::Iter(self.klist, self.node, false));
    }

    fn replay(from: &mut std::slice::Iter<'_, Obs>) -> Self {
        KlistIter::from_obs(super::value::next_atom(from))
    }
}

impl KlistIter {
    fn from_obs(obs: Obs) -> Self {
        match obs {
            Obs::Iter(klist, node, died) => KlistIter { klist, node, died },
            other => unreachable!("internal: {other:?} is no iterator"),
        }
    }

    /// The index of the node it stands on.
    #[must_use]
    pub fn node(self) -> Option<u8> {
        self.node
    }

    /// Whether the node it left last was unlinked by that, so that its put callback is due.
    #[must_use]
    pub fn died(self) -> bool {
        self.died
    }
}

/// What a task holds while others wait for it to let go: a counter, or a value that must change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held(CellId);

impl Observe for Held {
    fn record(&self, to: &mut Vec<Obs>) {
        to.push(Obs::Holds(self.0));
    }

    fn replay(from: &mut std::slice::Iter<'_, Obs>) -> Self {
        Held::from_obs(super::value::next_atom(from)).expect("internal: it was held")
    }
}

impl Held {
    /// What a step observed, if it was to hold something.
    #[must_use]
    pub fn from_obs(obs: Obs) -> Option<Self> {
        match obs {
            Obs::Holds(cell) => Some(Held(cell)),
            _ => None,
        }
    }
}

/// Arguments of a modelled function, as atoms.
#[macro_export]
macro_rules! atoms {
    ($($arg:expr),* $(,)?) => {
        [$($crate::machine::value::Datum::to_obs($arg)),*]
    };
}

impl<'a> Cpu<'a> {
    /// A processor of an engine, on which `current` runs.
    #[must_use]
    pub fn new(backend: &'a dyn Backend, layout: &'a Layout, current: &'a Entry) -> Self {
        Cpu { backend, layout, current }
    }

    /// The entry that this task was started with.
    #[must_use]
    pub fn current(&self) -> &Entry {
        self.current
    }

    /// How many steps the task has made in this execution, if the engine counts them. Those of a call that has returned
    /// are not: each of its steps has been the last one of some execution.
    #[must_use]
    pub fn made(&self) -> Option<u64> {
        self.backend.made()
    }

    /// Where everything is in memory.
    #[must_use]
    pub fn layout(&self) -> &'a Layout {
        self.layout
    }

    /// The number of a cell.
    #[must_use]
    pub fn cell<T>(&self, cell: Cell<T>) -> CellId {
        self.layout.find(cell)
    }

    /// The cell that says whether an object is there, if it can be freed.
    #[must_use]
    pub fn liveness(&self, object: Object) -> Option<CellId> {
        self.layout.object(object).liveness
    }

    /// Runs a modelled function in a frame of its own. When it has returned, only its result is kept.
    ///
    /// # Errors
    ///
    /// [`Pause`] if the task cannot go on now.
    pub fn call<T: Observe>(
        &self,
        name: &'static str,
        args: &[Obs],
        body: impl FnOnce() -> Step<T>,
    ) -> Step<T> {
        match self.backend.enter(Frame { name, args }) {
            Entered::Returned(result) => Ok(T::replay(&mut result.iter())),
            Entered::Run(_) => {
                let result = body()?;
                self.backend.leave(recorded(&result));
                Ok(result)
            }
        }
    }

    /// A loop. Each turn remembers only the carried value.
    ///
    /// # Errors
    ///
    /// [`Pause`] if the task cannot go on now.
    pub fn repeat<C: Observe, T: Observe>(
        &self,
        carried: C,
        mut body: impl FnMut(C) -> Step<ControlFlow<T, C>>,
    ) -> Step<T> {
        match self.backend.enter(Frame { name: "", args: &recorded(&carried) }) {
            Entered::Returned(result) => Ok(T::replay(&mut result.iter())),
            Entered::Run(mut carried) => loop {
                match body(C::replay(&mut carried.iter()))? {
                    ControlFlow::Break(result) => {
                        self.backend.leave(recorded(&result));
                        return Ok(result);
                    }
                    ControlFlow::Continue(next) => {
                        let next = recorded(&next);
                        carried = Atoms::from_slice(&next);
                        self.backend.turn(next);
                    }
                }
            },
        }
    }

    /// One step made of a single op.
    ///
    /// # Errors
    ///
    /// [`Pause`] if the task cannot go on now; so for all steps below.
    #[track_caller]
    pub fn step(&self, op: impl Into<Op>) -> Step<Obs> {
        self.backend.step(op.into(), Place::caller())
    }

    /// One step, made at a place that is not the caller's line of Rust.
    ///
    /// # Errors
    ///
    /// [`Pause`] if the task cannot go on now.
    pub fn step_at(&self, op: impl Into<Op>, at: Place) -> Step<Obs> {
        self.backend.step(op.into(), at)
    }

    /// One step that observes a single value.
    #[track_caller]
    pub fn observe<T: Datum>(&self, op: impl Into<Op>) -> Step<T> {
        self.backend.step(op.into(), Place::caller()).map(T::from_obs)
    }

    /// Reads a cell.
    #[track_caller]
    pub fn load<T: Datum>(&self, cell: Cell<T>) -> Step<T> {
        self.observe(Action::Load(self.cell(cell)))
    }

    /// Reads a pointer and follows it; NULL is a hazard.
    #[track_caller]
    pub fn follow<T: Datum>(&self, cell: Cell<Option<T>>) -> Step<T> {
        self.observe(Action::Follow(self.cell(cell)))
    }

    /// Writes a cell.
    #[track_caller]
    pub fn store<T: Datum>(&self, cell: Cell<T>, value: T) -> Step<()> {
        self.observe(self.storing(cell, value))
    }

    /// The action of [`Cpu::store`], for steps that do more.
    pub fn storing<T: Datum>(&self, cell: Cell<T>, value: T) -> Action {
        Action::Store(self.cell(cell), value.to_obs())
    }

    /// `mutex_lock`.
    #[track_caller]
    pub fn lock<T>(&self, cell: Cell<T>) -> Step<()> {
        self.observe(Action::Lock(self.cell(cell)))
    }

    /// `mutex_unlock`.
    #[track_caller]
    pub fn unlock<T>(&self, cell: Cell<T>) -> Step<()> {
        self.observe(Action::Unlock(self.cell(cell)))
    }

    /// Uses an object.
    #[track_caller]
    pub fn touch(&self, object: Object) -> Step<()> {
        self.observe(Action::Touch(object))
    }

    /// One of `n` outcomes; no step if there is only one.
    #[track_caller]
    pub fn choose(&self, n: usize) -> Step<usize> {
        if n == 1 {
            return Ok(0);
        }
        let n = u8::try_from(n).expect("internal: too many outcomes");
        self.observe::<u8>(Action::Choose(n)).map(usize::from)
    }

    /// `klist_iter_init`: no step, it stands nowhere yet.
    pub fn klist_iter_init<T>(&self, klist: Cell<T>) -> KlistIter {
        KlistIter { klist: self.cell(klist), node: None, died: false }
    }

    /// `klist_next`. If the node that it left was unlinked by that, the put callback is due.
    #[track_caller]
    pub fn klist_next(&self, iter: KlistIter) -> Step<KlistIter> {
        self.step(Action::KlistNext(iter.klist, iter.node)).map(KlistIter::from_obs)
    }

    /// `klist_iter_exit`.
    #[track_caller]
    pub fn klist_iter_exit(&self, iter: KlistIter) -> Step<KlistIter> {
        self.step(Action::KlistExit(iter.klist, iter.node)).map(KlistIter::from_obs)
    }

    /// `queue_work`: false if it was pending already.
    #[track_caller]
    pub fn queue_work<T>(&self, work: Cell<T>) -> Step<bool> {
        self.observe(Action::QueueWork(self.cell(work)))
    }

    /// `flush_work`: waits for the run that is pending or under way now.
    #[track_caller]
    pub fn flush_work<T>(&self, work: Cell<T>) -> Step<bool> {
        let work = self.cell(work);
        let wait = self.observe(Action::FlushBegin(work))?;
        if wait {
            self.step(Action::FlushAwait(work))?;
        }
        Ok(wait)
    }

    /// `cancel_work_sync`: takes the item off the queue and waits for the run that is under way.
    #[track_caller]
    pub fn cancel_work_sync<T>(&self, work: Cell<T>) -> Step<bool> {
        let work = self.cell(work);
        let pending = self.observe(Action::CancelBegin(work))?;
        self.step(Action::FlushAwait(work))?;
        Ok(pending)
    }
}

fn recorded<T: Observe>(value: &T) -> Vec<Obs> {
    let mut atoms = Vec::new();
    value.record(&mut atoms);
    atoms
}
