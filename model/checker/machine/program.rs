//! The trait at which the checker and its subject meet.

use super::cpu::{Cpu, Step};
use super::expect::Expectation;
use super::hazard::Hazard;
use super::history::{History, rerun};
use super::layout::{CellId, Field, Layout, Part};
use super::op::{Entry, Event, Op, Touch, Wait};
use super::place::{Place, SourceLine};
use super::rename::Renaming;
use super::step::Stop;
use super::value::{Object, Obs};

/// A place for a task. Static tasks have one each; workers take the tasks that are spawned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotDecl {
    /// Its name in the scenario, or the role of a worker.
    pub name: String,
    /// What kind of place it is.
    pub kind: SlotKind,
}

/// What runs in a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SlotKind {
    /// A task that starts when the tasks in these slots have ended.
    Task {
        /// What it runs.
        entry: Entry,
        /// Slots of the tasks that must have ended first.
        after: Vec<usize>,
    },
    /// The worker of one work item: it waits until the item is pending, for ever.
    Item {
        /// What it runs.
        entry: Entry,
        /// The item.
        work: CellId,
    },
    /// A free place for a spawned task.
    Worker,
}

impl SlotKind {
    /// Whether a task in such a place may be left at this step when nothing can happen any more: a worker that has
    /// no work, or a static task that waits for leave to make its next call. Whoever else waits for leave is in the
    /// middle of something.
    #[must_use]
    pub fn rests(&self, op: &Op) -> bool {
        match op.wait() {
            Some(Wait::Start(_)) => true,
            Some(Wait::Claim(_)) => matches!(self, SlotKind::Task { .. }),
            _ => false,
        }
    }
}

/// What a number stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// A NULL pointer.
    Null,
    /// A pointer to an object.
    Object(Object),
    /// A constant of this name, such as `LIVE`.
    Name(&'static str),
}

/// A modelled function that a task is in, with its arguments.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Call {
    /// The kernel's name for it.
    pub name: &'static str,
    /// Its arguments.
    pub args: Vec<Obs>,
}

/// What a task does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// This step, made at this place in the source.
    Step(Op, Place),
    /// Nothing: it has ended.
    Done,
}

/// A program for the machine: tasks, how each goes on, and what must not happen.
///
/// Everything is deterministic: the same control value always has the same next step.
pub trait Program: Sync {
    /// The cells of its memory.
    fn layout(&self) -> &Layout;

    /// The places for tasks: static tasks in order, then work items, then workers.
    fn slots(&self) -> &[SlotDecl];

    /// Memory when the set-up begins.
    fn initial_memory(&self) -> Vec<u8>;

    /// What runs alone before all tasks, in order, each to the end of all that it started.
    fn set_up(&self) -> Vec<Entry> {
        Vec::new()
    }

    /// What must be true after the set-up; the text of a mistake of the scenario otherwise.
    ///
    /// # Errors
    ///
    /// The first thing that is not as the scenario says.
    fn check_set_up(&self, _memory: &[u8]) -> Result<(), String> {
        Ok(())
    }

    /// Runs a task's function. The searches run it again and again from its start ([`rerun`]), an engine once, on
    /// a thread of its own.
    ///
    /// # Errors
    ///
    /// [`Pause`](super::cpu::Pause) if the task cannot go on now.
    fn run(&self, cpu: &Cpu<'_>, entry: &Entry) -> Step<()>;

    /// A task at its start, and what it does first.
    fn start(&self, entry: &Entry) -> (History, Next) {
        rerun(self.layout(), &History::new(entry), None, |cpu| self.run(cpu, entry))
    }

    /// What a task does next.
    fn next(&self, task: &History) -> Next {
        rerun(self.layout(), task, None, |cpu| self.run(cpu, task.entry())).1
    }

    /// The task after it took its next step and observed this, and what it does then.
    fn resume(&self, task: &History, observed: Obs) -> (History, Next) {
        rerun(self.layout(), task, Some(observed), |cpu| self.run(cpu, task.entry()))
    }

    /// The functions that a task is in, outermost first, as they are shown.
    fn stack(&self, task: &History) -> Vec<Call> {
        task.stack()
    }

    /// The async domain that a spawned task belongs to, if the async lists know it.
    fn domain(&self, _entry: &Entry) -> Option<u8> {
        None
    }

    /// How the checks of an event touch which parts of cells.
    fn event_touches(&self, _event: &Event) -> Vec<(CellId, Part, Touch)> {
        Vec::new()
    }

    /// Checks an event of the task in this slot, after the effect of its step.
    ///
    /// # Errors
    ///
    /// The hazard that it is, or what there is no room for.
    fn event(&self, _event: &Event, _slot: usize, _observed: Obs, _memory: &mut [u8]) -> Result<(), Stop> {
        Ok(())
    }

    /// Checks a state in which nothing can happen any more.
    fn at_quiescence(&self, _memory: &[u8]) -> Vec<Hazard> {
        Vec::new()
    }

    /// The properties that are to hold always or sometimes. With any, all states are searched, without
    /// reduction.
    fn expectations(&self) -> &[Expectation] {
        &[]
    }

    /// Generators of its symmetries: renamings of its objects and tasks after which all is as it was that the
    /// machine cannot see (what the program is configured with, and what its checks say). Layout, memory and
    /// every step are compared by those who use them.
    fn renamings(&self) -> Vec<Renaming> {
        Vec::new()
    }

    /// What a field is called in the object that takes this one's place.
    fn renamed_field(&self, _object: Object, field: Field, _renaming: &Renaming) -> Field {
        field
    }

    /// What [`Program::at_quiescence`] reads; `None`: anything.
    fn seen_at_rest(&self) -> Option<Vec<(CellId, Part)>> {
        None
    }

    /// Cells of one byte whose bits are facts about the run: what happened, as far as it matters at rest. Only events
    /// write them: each leaves a cell as it is, or sets it to what does not depend on the state. Only
    /// [`Program::at_quiescence`] reads them, which finds no hazard that needs more than one of all these bits. So the
    /// hazards of two states that differ in facts alone are those of one that has the facts of both.
    fn facts(&self) -> Vec<CellId> {
        Vec::new()
    }

    /// The name of an object.
    fn object_name(&self, object: Object) -> String {
        self.layout().object(object).name.clone()
    }

    /// What a number in a cell stands for; `None` where it is only a number. Of a flag the numbers are 0
    /// and 1.
    fn meaning(&self, _cell: CellId, _number: u8) -> Option<Meaning> {
        None
    }

    /// What is known of a call before it is made, such as that it is going to fail.
    fn call_note(&self, _call: &Call) -> Option<String> {
        None
    }

    /// What a step means, in words of the program: the outcome of a choice, the event that its checks
    /// are told of. `None` where what the step does says enough.
    fn note(&self, _stack: &[Call], _op: &Op, _observed: Option<Obs>) -> Option<String> {
        None
    }

    /// What stories call the file that a step is made in.
    fn source_file(&self, at: Place) -> String {
        at.file().to_owned()
    }

    /// What stands on a line of the source that a step is made at, where stories are to show it.
    fn source_line(&self, _at: Place) -> Option<SourceLine> {
        None
    }

    /// What a spawned task is called, such as `kworker (async)`.
    fn role(&self, _entry: &Entry) -> String {
        "worker".to_owned()
    }
}
