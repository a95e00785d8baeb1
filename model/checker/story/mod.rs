//! A trace as data: a schedule, and what happened when it was replayed on the machine.
//!
//! A schedule is all that a run needs to be repeated. Replaying it tells the story: which functions
//! each task was in, what each step did, what changed, and what went wrong. A story is data; `render`
//! makes sentences of it, and what a program says in its own words is there for people only.

mod ending;
pub mod links;
mod naming;
mod needed;
pub mod retrace;
mod scenes;
mod teller;
mod told;

pub use naming::op_does;
pub use scenes::{scenes, set_up_scenes};
pub use told::{Call, Does, Life, Member, Note, Saw, Source, Value, WaitFor, is_part_of};

use serde::{Deserialize, Serialize};

use crate::machine::expect::broken;
use crate::machine::fair::{Seen, is_fair};
use crate::machine::hazard::{Breach, Hazard};
use crate::machine::program::{Program, SlotKind};
use crate::machine::run::{Refused, Run, Taken, deadlock};
use crate::machine::set_up::{SetUpError, set_up};

/// Which task took a step, and with which outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// The slot of the task.
    pub slot: usize,
    /// The outcome of a choice; 0 for every other step.
    pub outcome: u8,
}

/// A task that takes part in a story.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// Its name or role: `rmmod`, `kworker (async)`, `kworker (async) #2`, `set-up`.
    pub name: String,
    /// Which of those with the same role it is, from 1 on.
    pub number: usize,
}

/// A cell that a step changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The cell's name, such as `pmem0.owner`; that of an object for what becomes of it.
    pub cell: String,
    /// Its value before.
    pub from: Value,
    /// Its value after.
    pub to: Value,
    /// Whether the hazard needs it; what it does not need is folded.
    pub needed: bool,
}

/// What a step is, for a reader who looks for locks and waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepKind {
    /// It acquires a mutex.
    Lock,
    /// It releases a mutex.
    Unlock,
    /// One of several outcomes was chosen.
    Choice,
    /// It starts another task.
    Spawn,
    /// It only reads.
    Read,
    /// It writes.
    Write,
}

/// One step of a story.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldStep {
    /// Which actor took it, as an index.
    pub actor: usize,
    /// The functions it was in, outermost first.
    pub stack: Vec<Call>,
    /// What kind of step it is.
    pub kind: StepKind,
    /// What it did; `None` where only the note says it.
    pub does: Option<Does>,
    /// The mutex that was held over this step alone.
    pub under: Option<String>,
    /// What it means to the program, if that adds to what it did.
    pub note: Option<Note>,
    /// What it observed, if that is worth a word.
    pub observed: Option<Saw>,
    /// What it changed; ghosts left out.
    pub changes: Vec<Change>,
    /// The actor that it started.
    pub started: Option<usize>,
    /// Where the model says so.
    pub at: Source,
    /// Whether the hazard needs it; what it does not need is folded.
    pub needed: bool,
}

impl ToldStep {
    /// The objects and cells that it names.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        match (&self.does, &self.note) {
            (Some(does), _) => does.names(),
            (None, Some(note)) => note.objects.iter().map(String::as_str).collect(),
            (None, None) => Vec::new(),
        }
    }
}

/// A task that cannot go on at the end of a story.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Which actor.
    pub actor: usize,
    /// The functions it is in.
    pub stack: Vec<Call>,
    /// What it waits for.
    pub on: WaitFor,
    /// The actors that alone can bring it about; empty if nobody can.
    pub by: Vec<usize>,
    /// Whether it is one of a set of tasks that wait for each other.
    pub deadlocked: bool,
}

/// A mutex that is held at the end of a story.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldMutex {
    /// The mutex, such as `pmem0.mutex`.
    pub lock: String,
    /// Which actor holds it.
    pub actor: usize,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldHazard {
    /// The hazard id.
    pub id: String,
    /// How the property was broken, with names.
    pub breach: Breach<String, String>,
    /// Whether the last step raised it; otherwise it is a property of the state at the end.
    pub at_last_step: bool,
}

impl ToldHazard {
    /// The objects and cells that it speaks of.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        [self.breach.objects(), self.breach.cells()].concat()
    }
}

/// A replayed schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Story {
    /// The tasks that took part or wait at the end, in order of their slots and then of their start.
    pub actors: Vec<Actor>,
    /// The steps, in order.
    pub steps: Vec<ToldStep>,
    /// What went wrong; `None` for the story of a run that went well.
    pub hazard: Option<ToldHazard>,
    /// The tasks that cannot go on at the end.
    pub waiting: Vec<Waiting>,
    /// The mutexes that are held at the end.
    pub held: Vec<HeldMutex>,
    /// For a livelock, the step at which the cycle begins that the rest of the steps are.
    pub cycle: Option<usize>,
    /// For a data race, the two steps that may come next, in any order.
    pub racing: Vec<Racing>,
}

/// A step that two tasks could take at once, one of them plainly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Racing {
    /// Which actor.
    pub actor: usize,
    /// The functions it is in.
    pub stack: Vec<Call>,
    /// The step.
    pub does: Does,
    /// The mutex that is held over this step alone.
    pub under: Option<String>,
    /// Whether its access is plain; otherwise it is atomic.
    pub plain: bool,
}

/// What can be seen at one place of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scene {
    /// Each cell with its value; mutexes, ghosts and cells of what is not allocated are left out.
    pub memory: Vec<Shown>,
    /// Each mutex that is held, with its holder.
    pub locks: Vec<(String, String)>,
    /// Each task that could take a step here, with that step.
    pub ready: Vec<Ready>,
    /// Each task that cannot, with what it waits for.
    pub waiting: Vec<Blocked>,
}

/// A cell as it can be seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// The object whose cell it is.
    pub object: String,
    /// The cell's name; that of the object for what has become of it.
    pub cell: String,
    /// Its value.
    pub value: Value,
}

/// A task that could take a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// The task's name.
    pub actor: String,
    /// The function it is in.
    pub inside: Option<Call>,
    /// The step.
    pub does: Does,
    /// The mutex that is held over this step alone.
    pub under: Option<String>,
}

/// A task that cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocked {
    /// The task's name.
    pub actor: String,
    /// The function it is in.
    pub inside: Option<Call>,
    /// What it waits for.
    pub on: WaitFor,
}

/// Why a schedule could not be replayed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// The set-up does not end well.
    #[error("the set-up of this scenario does not end well any more")]
    SetUp,
    /// The run does not come back to where its cycle began.
    #[error("the cycle does not close")]
    NoCycle,
    /// A task that could go on all the time never does.
    #[error("the cycle is not fair: a task that could go on never does")]
    Unfair,
    /// Something could still happen at the end.
    #[error("the run does not end at rest")]
    NotAtRest,
    /// The run is over before its schedule is.
    #[error("after step {0} the run is over, and the schedule goes on")]
    Over(usize),
    /// A step of the schedule is not possible.
    #[error("step {0} is not possible: {1}")]
    Refused(usize, String),
}

/// What a schedule ends with, if its last step is no hazard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending<'a> {
    /// Its last step.
    Step,
    /// A state at rest that has the hazard of this id.
    AtRest(&'a str),
    /// A cycle that begins at this step.
    Cycle(usize),
}

/// Replays a schedule after the set-up. What it ends with is found again, not taken on trust.
///
/// # Errors
///
/// Why the schedule is not one of this program, or does not end so.
pub fn replay<P: Program>(program: &P, schedule: &[Turn], ending: Ending<'_>) -> Result<Story, ReplayError> {
    replay_from(program, set_up_memory(program)?, schedule, ending)
}

/// The same, with the memory that the set-up leaves.
///
/// # Errors
///
/// As [`replay`].
pub fn replay_from<P: Program>(
    program: &P,
    memory: Vec<u8>,
    schedule: &[Turn],
    ending: Ending<'_>,
) -> Result<Story, ReplayError> {
    let mut teller = teller::Teller::new(program, false);
    // The states of the cycle from its first one on, and who moves in it.
    let mut seen = Vec::new();
    let mut movers = Vec::new();
    let mut began = None;
    let begins = if let Ending::Cycle(begins) = ending { Some(begins) } else { None };
    let mut number = 0;
    let run = follow(program, memory, schedule, |step, after| {
        if let Some((slot, before, taken)) = step {
            teller.tell(slot, before, taken, after);
            if begins.is_some_and(|begins| number >= begins) {
                movers.extend(before.tasks()[slot].iter().map(|task| task.number));
            }
            number += 1;
        }
        if begins.is_some_and(|begins| number >= begins) {
            began.get_or_insert_with(|| after.clone());
            seen.push(Seen::of(after));
        }
    })?;
    let last = match ending {
        Ending::Step => None,
        Ending::AtRest(id) => {
            // What any state may have; the tasks may wait for each other from the very start.
            let waiters = run.deadlocked();
            let mut hazards = run.races();
            hazards.extend((!waiters.is_empty()).then(|| *deadlock(&waiters)));
            hazards.extend(broken(program, run.memory()));
            if run.at_rest() {
                hazards.extend(program.at_quiescence(run.memory()));
            } else if !hazards.iter().any(|hazard| hazard.id == id) {
                return Err(ReplayError::NotAtRest);
            }
            hazards.into_iter().find(|hazard| hazard.id == id)
        }
        Ending::Cycle(_) if number == 0 || !began.is_some_and(|began| began.same_state(&run)) => {
            return Err(ReplayError::NoCycle);
        }
        Ending::Cycle(_) if !is_fair(&seen, &movers) => return Err(ReplayError::Unfair),
        Ending::Cycle(begins) => Some(Hazard::cycle(schedule.len() - begins)),
    };
    Ok(teller.end(&run, last, begins))
}

/// A step as it is taken: the slot, the run before it, and what was done.
type Step<'s, 'p, P> = (usize, &'s Run<'p, P>, &'s Taken);

/// The memory that the set-up leaves.
fn set_up_memory<P: Program>(program: &P) -> Result<Vec<u8>, ReplayError> {
    set_up(program, |_, _, _, _| {}).map_err(|_| ReplayError::SetUp)
}

/// Follows a schedule after the set-up. `see` is told of the run at its start and after each step.
fn follow<'p, P: Program>(
    program: &'p P,
    memory: Vec<u8>,
    schedule: &[Turn],
    mut see: impl FnMut(Option<Step<'_, 'p, P>>, &Run<'p, P>),
) -> Result<Run<'p, P>, ReplayError> {
    let mut run = Run::from_memory(program, memory);
    see(None, &run);
    let mut over = false;
    for (number, turn) in schedule.iter().enumerate() {
        if over {
            return Err(ReplayError::Over(number));
        }
        let before = run.clone();
        let taken = run.step(turn.slot, turn.outcome).map_err(|refused| {
            let why = match refused {
                Refused::NoTask => "there is no such task, or it has ended".to_owned(),
                Refused::NotEnabled => "the task waits for something".to_owned(),
                Refused::NoOutcome => "the step has no such outcome".to_owned(),
                Refused::Bound(bound) => bound.words(program),
            };
            ReplayError::Refused(number + 1, why)
        })?;
        over = taken.hazard.as_ref().is_some_and(|hazard| !hazard.goes_on());
        see(Some((turn.slot, &before, &taken)), &run);
    }
    Ok(run)
}

/// The story of a set-up that raises a hazard; `None` if it does not.
#[must_use]
pub fn replay_set_up<P: Program>(program: &P) -> Option<Story> {
    let mut teller = teller::Teller::new(program, true);
    let mut end = None;
    let result = set_up(program, |slot, before, taken: &Taken, after| {
        teller.tell(slot, before, taken, after);
        end = Some(after.clone());
    });
    match (result, end) {
        (Err(SetUpError::Hazard(hazard, _)), Some(run)) => {
            let waits = teller.hazard.is_none().then_some(hazard);
            Some(teller.end(&run, waits, None))
        }
        _ => None,
    }
}

/// Whether a slot holds tasks of its own name.
fn named(kind: &SlotKind) -> bool {
    !matches!(kind, SlotKind::Worker)
}
