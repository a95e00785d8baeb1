//! One run of a program, step by step: what replays a trace and carries out the set-up.
//!
//! It keeps whole control values and follows one schedule; the searches keep numbers instead.

use super::blocked::{Hold, TaskView, Waiter, deadlocked, holds};
use super::effect::{apply, occupy, permute};
use super::hazard::{About, Hazard, id};
use super::op::{Entry, Op, enabled};
use super::place::Place;
use super::program::{Call, Next, Program, SlotKind};
use super::race::races;
use super::value::Obs;

/// A task of a run.
#[derive(Clone, Debug)]
pub struct Task<C> {
    /// Where it is.
    pub control: C,
    /// Its next step; `None` when it has ended.
    pub next: Option<(Op, Place)>,
    /// What it holds.
    pub holds: Vec<Hold>,
    /// The how-manieth task it is of all that were started in this run.
    pub number: usize,
}

/// A run.
pub struct Run<'p, P: Program> {
    program: &'p P,
    memory: Vec<u8>,
    tasks: Vec<Option<Task<P::Control>>>,
    started: usize,
}

impl<P: Program> Clone for Run<'_, P> {
    fn clone(&self) -> Self {
        Run {
            program: self.program,
            memory: self.memory.clone(),
            tasks: self.tasks.clone(),
            started: self.started,
        }
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
    /// What it observed; `None` if the step was a hazard.
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
    /// More spawned tasks at once than there are workers.
    NoWorker,
}

impl<'p, P: Program> Run<'p, P> {
    /// A run at its beginning: items are idle, tasks have not started, the set-up has not run.
    #[must_use]
    pub fn new(program: &'p P) -> Self {
        let memory = program.initial_memory();
        let tasks = program.slots().iter().map(|_| None).collect();
        let mut run = Run { program, memory, tasks, started: 0 };
        for (slot, decl) in program.slots().iter().enumerate() {
            if let SlotKind::Item { entry, .. } = &decl.kind {
                run.tasks[slot] = Some(run.task(program.start(entry)));
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
                run.tasks[slot] = Some(run.task(program.start(entry)));
            }
        }
        run
    }

    fn task(&mut self, control: P::Control) -> Task<P::Control> {
        let next = match self.program.next(&control) {
            Next::Step(op, at) => Some((op, at)),
            Next::Done => None,
        };
        let holds = holds(&self.program.atoms(&control));
        self.started += 1;
        Task { control, next, holds, number: self.started }
    }

    /// The program.
    #[must_use]
    pub fn program(&self) -> &'p P {
        self.program
    }

    /// Memory now.
    #[must_use]
    pub fn memory(&self) -> &[u8] {
        &self.memory
    }

    /// The tasks now, by slot.
    #[must_use]
    pub fn tasks(&self) -> &[Option<Task<P::Control>>] {
        &self.tasks
    }

    /// Puts a task into a slot, at its start.
    pub fn start(&mut self, slot: usize, entry: &Entry) {
        self.tasks[slot] = Some(self.task(self.program.start(entry)));
    }

    /// Whether the task in a slot has ended, or has never started.
    #[must_use]
    pub fn ended(&self, slot: usize) -> bool {
        self.tasks[slot].as_ref().is_none_or(|task| task.next.is_none())
    }

    /// Whether the task in a slot can take its next step.
    #[must_use]
    pub fn enabled(&self, slot: usize) -> bool {
        let next = self.tasks[slot].as_ref().and_then(|task| task.next.as_ref());
        next.is_some_and(|(op, _)| enabled(self.program.layout(), &self.memory, slot, op))
            && self.may_start(slot)
    }

    /// Whether the tasks after which the task in a slot starts have ended.
    #[must_use]
    pub fn may_start(&self, slot: usize) -> bool {
        match &self.program.slots()[slot].kind {
            SlotKind::Task { after, .. } => after.iter().all(|before| self.ended(*before)),
            _ => true,
        }
    }

    /// Takes one step. After a step that was a hazard the run is over.
    ///
    /// # Errors
    ///
    /// Why there is no such step.
    pub fn step(&mut self, slot: usize, outcome: u8) -> Result<Taken, Refused> {
        let task = self.tasks.get(slot).and_then(Option::as_ref).ok_or(Refused::NoTask)?;
        let (op, at) = task.next.clone().ok_or(Refused::NoTask)?;
        if !self.enabled(slot) {
            return Err(Refused::NotEnabled);
        }
        if outcome >= op.outcomes() {
            return Err(Refused::NoOutcome);
        }
        let control = task.control.clone();
        let number = task.number;
        let stack = self.program.stack(&control);
        let mut taken = Taken { stack, op, at, observed: None, spawned: None, hazard: None };
        let applied = match apply(self.program.layout(), &mut self.memory, slot, &taken.op, outcome) {
            Ok(applied) => applied,
            Err(hazard) => {
                taken.hazard = Some(hazard);
                return Ok(taken);
            }
        };
        taken.observed = Some(applied.observed);
        if let Some(event) = taken.op.event
            && let Err(hazard) = self.program.event(&event, slot, applied.observed, &mut self.memory)
        {
            let goes_on = hazard.goes_on();
            taken.hazard = Some(hazard);
            if !goes_on {
                return Ok(taken);
            }
        }
        if applied.ended {
            self.tasks[slot] = None;
        } else {
            let mut task = self.task(self.program.resume(&control, applied.observed));
            self.started -= 1;
            task.number = number;
            self.tasks[slot] = Some(task);
        }
        if let Some(entry) = applied.spawned {
            let worker = |slot: &usize| {
                self.program.slots()[*slot].kind == SlotKind::Worker && self.tasks[*slot].is_none()
            };
            let free = (0..self.tasks.len()).find(worker).ok_or(Refused::NoWorker)?;
            self.start(free, &entry);
            occupy(self.program.layout(), &mut self.memory, free, applied.marked);
            taken.spawned = Some(free);
        }
        let waiters = self.deadlocked();
        if !waiters.is_empty() {
            taken.hazard = Some(deadlock(&waiters, self.program));
        }
        Ok(taken)
    }

    /// Whether two runs are in the same state, tasks in worker slots taken in any order.
    #[must_use]
    pub fn same_state(&self, other: &Self) -> bool {
        self.sorted() == other.sorted()
    }

    /// Memory and controls, the workers sorted by content: equal for the same states.
    #[must_use]
    pub fn content(&self) -> (Vec<u8>, Vec<Option<P::Control>>) {
        let (memory, controls) = self.sorted();
        (memory, controls.into_iter().map(|control| control.cloned()).collect())
    }

    /// Memory and controls with the workers sorted by content.
    fn sorted(&self) -> (Vec<u8>, Vec<Option<&P::Control>>) {
        let mut came_from: Vec<usize> = (0..self.tasks.len()).collect();
        let control = |slot: usize| self.tasks[slot].as_ref().map(|task| &task.control);
        let is_worker = |slot: &usize| self.program.slots()[*slot].kind == SlotKind::Worker;
        let first = came_from.iter().position(is_worker).unwrap_or(came_from.len());
        came_from[first..].sort_by_key(|slot| (control(*slot).is_none(), control(*slot)));
        let mut memory = self.memory.clone();
        permute(self.program.layout(), &mut memory, &came_from);
        (memory, came_from.into_iter().map(control).collect())
    }

    /// The tasks that wait for each other.
    #[must_use]
    pub fn deadlocked(&self) -> Vec<Waiter> {
        let views: Vec<Option<TaskView<'_>>> = (0..self.tasks.len()).map(|slot| self.view(slot)).collect();
        deadlocked(self.program, &self.memory, &views)
    }

    /// The data races between the next steps of its tasks.
    #[must_use]
    pub fn races(&self) -> Vec<Hazard> {
        let views: Vec<Option<TaskView<'_>>> = (0..self.tasks.len()).map(|slot| self.view(slot)).collect();
        races(self.program.layout(), &self.memory, &views)
    }

    fn view(&self, slot: usize) -> Option<TaskView<'_>> {
        if !self.may_start(slot) {
            return None;
        }
        let task = self.tasks[slot].as_ref()?;
        let (op, _) = task.next.as_ref()?;
        Some(TaskView { op, holds: &task.holds, entry: self.program.entry(&task.control) })
    }
}

/// A deadlock, as the hazard of the step that completed it.
#[must_use]
pub fn deadlock<P: Program>(waiters: &[Waiter], program: &P) -> Hazard {
    use super::blocked::BlockedOn;
    let layout = program.layout();
    let about = match &waiters[0].on {
        BlockedOn::Lock(cell) | BlockedOn::Value(cell) | BlockedOn::Node(cell, _) | BlockedOn::Run(cell) => {
            About::Cell(*cell)
        }
        BlockedOn::Async(_) | BlockedOn::Ended(_) => About::Program,
    };
    let who = |slot: &usize| program.slots()[*slot].name.clone();
    let lines = waiters.iter().map(|waiter| {
        let on = match &waiter.on {
            BlockedOn::Lock(cell) => layout.info(*cell).name.clone(),
            BlockedOn::Value(cell) => format!("{} to change", layout.info(*cell).name),
            BlockedOn::Node(cell, object) => {
                format!("{} to leave {}", program.object_name(*object), layout.info(*cell).name)
            }
            BlockedOn::Async(_) => "all async entries".to_owned(),
            BlockedOn::Run(cell) => format!("the run of {}", layout.info(*cell).name),
            BlockedOn::Ended(entry) => program.role(entry),
        };
        let by: Vec<String> = waiter.by.iter().map(who).collect();
        let by = if by.is_empty() { "nobody".to_owned() } else { by.join(", ") };
        format!("{} waits for {on}, which depends on {by}", who(&waiter.slot))
    });
    Hazard::new(id::DEADLOCK, about, lines.collect::<Vec<_>>().join("; "))
}
