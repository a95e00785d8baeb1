//! One run of a program, step by step: what replays a trace and carries out the set-up.
//!
//! It keeps whole control values and follows one schedule; the searches keep numbers instead.

use super::blocked::{BlockedOn, Hold, TaskView, Tasks, Waiter, deadlocked, holds};
use super::effect::{apply, permute};
use super::hazard::{About, Breach, Hazard, id};
use super::history::History;
use super::op::{Entry, Op, enabled};
use super::place::Place;
use super::program::{Call, Next, Program, SlotKind};
use super::race::races;
use super::step::{Bound, Slots, Stop, step};
use super::value::Obs;

/// A task of a run.
#[derive(Clone, Debug)]
pub struct Task {
    /// Where it is.
    pub control: History,
    /// Its next step; `None` when it has ended.
    pub next: Option<(Op, Place)>,
    /// What it holds.
    pub holds: Vec<Hold>,
    /// Its start order within the run, from 1.
    pub number: usize,
}

/// A run.
pub struct Run<'p, P: Program> {
    memory: Vec<u8>,
    tasks: Roster<'p, P>,
}

impl<P: Program> Clone for Run<'_, P> {
    fn clone(&self) -> Self {
        Run { memory: self.memory.clone(), tasks: self.tasks.clone() }
    }
}

/// The tasks of a run, by slot.
struct Roster<'p, P: Program> {
    program: &'p P,
    by_slot: Vec<Option<Task>>,
    started: usize,
}

impl<P: Program> Clone for Roster<'_, P> {
    fn clone(&self) -> Self {
        Roster { program: self.program, by_slot: self.by_slot.clone(), started: self.started }
    }
}

impl<P: Program> Roster<'_, P> {
    fn put(&mut self, slot: usize, control: History, next: Next, number: usize) {
        let next = match next {
            Next::Step(op, at) => Some((op, at)),
            Next::Done => None,
        };
        let holds = holds(&control.atoms());
        self.by_slot[slot] = Some(Task { control, next, holds, number });
    }
}

impl<P: Program> Slots for Roster<'_, P> {
    fn resume(&mut self, slot: usize, observed: Obs) {
        let task = self.by_slot[slot].as_ref().expect("internal: a task that takes a step");
        let number = task.number;
        let (control, next) = self.program.resume(&task.control, observed);
        self.put(slot, control, next, number);
    }

    fn leave(&mut self, slot: usize) {
        self.by_slot[slot] = None;
    }

    fn is_free(&self, slot: usize) -> bool {
        self.by_slot[slot].is_none()
    }

    fn start(&mut self, slot: usize, entry: &Entry) {
        self.started += 1;
        let (control, next) = self.program.start(entry);
        self.put(slot, control, next, self.started);
    }
}

/// One step of a run, as it was taken.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The functions that the task was in.
    pub stack: Vec<Call>,
    /// What it did.
    pub op: Op,
    /// Where the model says so.
    pub at: Place,
    /// What it observed; `None` if its effect was a hazard.
    pub observed: Option<Obs>,
    /// The slot of a task that it started.
    pub spawned: Option<usize>,
    /// The hazard that the step was.
    pub hazard: Option<Hazard>,
}

/// Why a step could not be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There is no such task, or it has ended.
    NoTask,
    /// It waits for something.
    NotEnabled,
    /// Its next step has no such outcome.
    NoOutcome,
    /// The model has no room for what it does.
    Bound(Bound),
}

impl<'p, P: Program> Run<'p, P> {
    /// A run at its beginning: items are idle, tasks have not started, the set-up has not run.
    #[must_use]
    pub fn new(program: &'p P) -> Self {
        let by_slot = program.slots().iter().map(|_| None).collect();
        let mut run =
            Run { memory: program.initial_memory(), tasks: Roster { program, by_slot, started: 0 } };
        for (slot, decl) in program.slots().iter().enumerate() {
            if let SlotKind::Item { entry, .. } = &decl.kind {
                run.start(slot, entry);
            }
        }
        run
    }

    /// A run that goes on from a memory in which nothing is under way, with all tasks at their start.
    #[must_use]
    pub fn from_memory(program: &'p P, memory: Vec<u8>) -> Self {
        let mut run = Run::new(program);
        run.memory = memory;
        for (slot, decl) in program.slots().iter().enumerate() {
            if let SlotKind::Task { entry, .. } = &decl.kind {
                run.start(slot, entry);
            }
        }
        run
    }

    /// The program.
    #[must_use]
    pub fn program(&self) -> &'p P {
        self.tasks.program
    }

    /// Memory now.
    #[must_use]
    pub fn memory(&self) -> &[u8] {
        &self.memory
    }

    /// The tasks now, by slot.
    #[must_use]
    pub fn tasks(&self) -> &[Option<Task>] {
        &self.tasks.by_slot
    }

    /// Puts a task into a slot, at its start.
    pub fn start(&mut self, slot: usize, entry: &Entry) {
        self.tasks.start(slot, entry);
    }

    /// Whether the task in a slot has ended, or has never started.
    #[must_use]
    pub fn ended(&self, slot: usize) -> bool {
        self.tasks()[slot].as_ref().is_none_or(|task| task.next.is_none())
    }

    /// Whether the task in a slot can take its next step.
    #[must_use]
    pub fn enabled(&self, slot: usize) -> bool {
        let next = self.tasks()[slot].as_ref().and_then(|task| task.next.as_ref());
        next.is_some_and(|(op, _)| enabled(self.program().layout(), &self.memory, slot, op))
            && self.may_start(slot)
    }

    /// Whether the tasks after which the task in a slot starts have ended.
    #[must_use]
    pub fn may_start(&self, slot: usize) -> bool {
        match &self.program().slots()[slot].kind {
            SlotKind::Task { after, .. } => after.iter().all(|before| self.ended(*before)),
            _ => true,
        }
    }

    /// Whether nothing can happen any more: every task has ended, idles, or waits to start.
    #[must_use]
    pub fn at_rest(&self) -> bool {
        (0..self.tasks().len()).all(|slot| {
            let next = self.tasks()[slot].as_ref().and_then(|task| task.next.as_ref());
            let rests = |op: &Op| self.program().slots()[slot].kind.rests(op) || !self.may_start(slot);
            !self.enabled(slot) && next.is_none_or(|(op, _)| rests(op))
        })
    }

    /// Takes one step. After a step that was a hazard the run is over.
    ///
    /// # Errors
    ///
    /// Why there is no such step.
    pub fn step(&mut self, slot: usize, outcome: u8) -> Result<Taken, Refused> {
        let task = self.tasks().get(slot).and_then(Option::as_ref).ok_or(Refused::NoTask)?;
        let (op, at) = task.next.clone().ok_or(Refused::NoTask)?;
        if !self.enabled(slot) {
            return Err(Refused::NotEnabled);
        }
        if outcome >= op.outcomes() {
            return Err(Refused::NoOutcome);
        }
        let program = self.program();
        let stack = program.stack(&task.control);
        let mut taken = Taken { stack, op, at, observed: None, spawned: None, hazard: None };
        let mut before = self.memory.clone();
        let stepped = step(program, &mut self.memory, &mut self.tasks, slot, &taken.op, outcome);
        let stepped = match stepped {
            Ok(stepped) => stepped,
            Err(Stop::Hazard(hazard)) => {
                taken.hazard = Some(*hazard);
                // If the checks of its event found it, the step itself was taken.
                let applied = apply(program.layout(), &mut before, slot, &taken.op, outcome);
                taken.observed = applied.ok().map(|applied| applied.observed);
                return Ok(taken);
            }
            Err(Stop::Bound(bound)) => return Err(Refused::Bound(bound)),
        };
        taken.observed = Some(stepped.observed);
        taken.spawned = stepped.spawned;
        taken.hazard = stepped.warning.map(|warning| *warning);
        let waiters = self.deadlocked();
        if !waiters.is_empty() {
            taken.hazard = Some(*deadlock(&waiters));
        }
        Ok(taken)
    }

    /// Whether two runs are in the same state, tasks in worker slots taken in any order.
    #[must_use]
    pub fn same_state(&self, other: &Self) -> bool {
        self.sorted() == other.sorted()
    }

    /// Whether memory, all slots and the start order of the tasks are the same.
    #[must_use]
    pub fn goes_on_like(&self, other: &Self) -> bool {
        let tasks = |run: &Self| {
            let mut slots: Vec<usize> =
                (0..run.tasks().len()).filter(|slot| run.tasks()[*slot].is_some()).collect();
            slots.sort_by_key(|slot| run.tasks()[*slot].as_ref().map(|task| task.number));
            slots
        };
        let control = |run: &Self, slot: usize| run.tasks()[slot].as_ref().map(|task| task.control.clone());
        self.memory == other.memory
            && tasks(self) == tasks(other)
            && tasks(self).into_iter().all(|slot| control(self, slot) == control(other, slot))
    }

    /// Memory and controls, the workers sorted by content: equal for the same states.
    #[must_use]
    pub fn content(&self) -> (Vec<u8>, Vec<Option<History>>) {
        let (memory, controls) = self.sorted();
        (memory, controls.into_iter().map(|control| control.cloned()).collect())
    }

    /// Memory and controls with the workers sorted by content.
    fn sorted(&self) -> (Vec<u8>, Vec<Option<&History>>) {
        let mut came_from: Vec<usize> = (0..self.tasks().len()).collect();
        let control = |slot: usize| self.tasks()[slot].as_ref().map(|task| &task.control);
        let is_worker = |slot: &usize| self.program().slots()[*slot].kind == SlotKind::Worker;
        let first = came_from.iter().position(is_worker).unwrap_or(came_from.len());
        came_from[first..].sort_by_key(|slot| (control(*slot).is_none(), control(*slot)));
        let mut memory = self.memory.clone();
        permute(self.program().layout(), &mut memory, &came_from);
        (memory, came_from.into_iter().map(control).collect())
    }

    /// The tasks that wait for each other.
    #[must_use]
    pub fn deadlocked(&self) -> Vec<Waiter> {
        deadlocked(self.program(), &self.memory, self)
    }

    /// The data races between the next steps of its tasks.
    #[must_use]
    pub fn races(&self) -> Vec<Hazard> {
        races(self.program(), &self.memory, self)
    }
}

impl<P: Program> Tasks for Run<'_, P> {
    fn task(&self, slot: usize) -> Option<TaskView<'_>> {
        if !self.may_start(slot) {
            return None;
        }
        let task = self.tasks()[slot].as_ref()?;
        let (op, _) = task.next.as_ref()?;
        Some(TaskView::new(op, &task.holds, task.control.entry()))
    }
}

/// A deadlock, as the hazard of the step that completed it.
#[must_use]
pub fn deadlock(waiters: &[Waiter]) -> Box<Hazard> {
    let cell = |waiter: &Waiter| match &waiter.on {
        BlockedOn::Lock(cell) | BlockedOn::Value(cell) | BlockedOn::Node(cell, _) | BlockedOn::Run(cell) => {
            Some(*cell)
        }
        BlockedOn::Async(_) | BlockedOn::Ended(_) => None,
    };
    let about = cell(&waiters[0]).map_or(About::Program, About::Cell);
    let breach = Breach::Deadlock(waiters.iter().filter_map(cell).collect());
    Box::new(Hazard { id: id::DEADLOCK, about, breach })
}
