//! A run of one program followed on another one, such as a patched one: the same steps in the same order,
//! as far as that goes, and why it goes no further.
//!
//! Steps correspond if a task does the same in the same function. What the other program does in between
//! is done on the way; what it never does is left out. The steps that the hazard needs must come in
//! their order: where the next of them has to wait, the run ends.

use super::naming::op_does;
use super::teller::Teller;
use super::told::{Does, WaitFor};
use super::{Ending, ReplayError, Story, Turn, follow, named, replay, set_up_memory};
use crate::machine::expect::broken;
use crate::machine::hazard::Hazard;
use crate::machine::program::Program;
use crate::machine::run::{Refused, Run, Taken};

/// A task takes at most so many steps of its own on the way to the next common one.
const STEPS_BETWEEN: usize = 60;

/// So many steps are taken at most after the last common one.
const STEPS_AFTER: usize = 400;

/// A run as it goes on another program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retraced {
    /// The run there.
    pub story: Story,
    /// Its schedule.
    pub schedule: Vec<Turn>,
    /// For each step of the first run the step there that corresponds.
    pub pairs: Vec<Option<usize>>,
    /// For each step there whether its task does the like nowhere in the first run.
    pub extra: Vec<bool>,
    /// Why it ends.
    pub end: End,
}

/// Why a run goes no further on another program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It has this hazard there.
    Wrong(String),
    /// The task of this step of the first run waits before it takes it.
    Waits {
        /// The step.
        step: usize,
        /// What the task waits for.
        on: WaitFor,
    },
    /// The task of this step of the first run ends, or waits, without taking it.
    Absent {
        /// The step.
        step: usize,
    },
    /// It goes as the first one does, and nothing is wrong there.
    Well,
}

/// What a step is known by: what it does, the mutex that it is under, and the function that does it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    does: (Does, Option<String>),
    function: Option<&'static str>,
}

/// A run that goes on, and its schedule.
struct Going<'p, P: Program> {
    run: Run<'p, P>,
    schedule: Vec<Turn>,
    /// The hazard that ended it.
    wrong: Option<Hazard>,
}

impl<P: Program> Clone for Going<'_, P> {
    fn clone(&self) -> Self {
        Going { run: self.run.clone(), schedule: self.schedule.clone(), wrong: self.wrong.clone() }
    }
}

impl<P: Program> Going<'_, P> {
    fn step(&mut self, slot: usize, outcome: u8) -> Result<Taken, Refused> {
        let taken = self.run.step(slot, outcome)?;
        self.schedule.push(Turn { slot, outcome });
        self.wrong = taken.hazard.clone().filter(|hazard| !hazard.goes_on());
        Ok(taken)
    }

    /// The key of a task's next step.
    fn next(&self, slot: usize) -> Option<Key> {
        let task = self.run.tasks()[slot].as_ref()?;
        let (op, _) = task.next.as_ref()?;
        let program = self.run.program();
        let function = program.stack(&task.control).last().map(|call| call.name);
        Some(Key { does: op_does(program, op), function })
    }
}

/// What came of looking for a step.
enum Sought<'p, P: Program> {
    /// It was taken.
    Found(Going<'p, P>, Box<Taken>),
    /// Something went wrong on the way.
    Wrong(Going<'p, P>),
    /// The task waits before it.
    Waits(WaitFor),
    /// The task does not come to it.
    Absent,
}

/// Follows a run of a program, with the story of it, on another program.
///
/// # Errors
///
/// The schedule is not one of the first program, or the set-up of the other one goes wrong.
pub fn retrace<P: Program>(
    program: &P,
    schedule: &[Turn],
    story: &Story,
    other: &P,
) -> Result<Retraced, ReplayError> {
    let mut keys = Vec::new();
    follow(program, set_up_memory(program)?, schedule, |step, _| {
        keys.extend(step.map(|(_, _, taken)| Key {
            does: op_does(program, &taken.op),
            function: taken.stack.last().map(|call| call.name),
        }));
    })?;
    let memory = set_up_memory(other)?;
    let mut going = Going { run: Run::from_memory(other, memory), schedule: Vec::new(), wrong: None };
    let slot = |name: &String| other.slots().iter().position(|slot| named(&slot.kind) && slot.name == *name);
    let mut slots: Vec<Option<usize>> = story.actors.iter().map(|actor| slot(&actor.name)).collect();
    let mut pairs = vec![None; keys.len()];
    let mut end = None;
    let last = keys.len().saturating_sub(1);
    let needed = |number: usize| story.steps[number].needed || number == last;
    for (number, key) in keys.iter().enumerate() {
        let step = &story.steps[number];
        let Some(slot) = slots[step.actor] else { continue };
        // What this task still has to do after this step: beyond that it is not looked for.
        let later: Vec<&Key> = (number + 1..keys.len())
            .filter(|later| story.steps[*later].actor == step.actor && needed(*later))
            .map(|later| &keys[later])
            .collect();
        match seek(&going, slot, key, &later, schedule[number].outcome) {
            Sought::Found(went, taken) => {
                pairs[number] = Some(went.schedule.len() - 1);
                // A warning ends a run, though its task goes on.
                let warned = taken.hazard.filter(|_| number == last);
                if let (Some(actor), Some(slot)) = (step.started, taken.spawned) {
                    slots[actor] = Some(slot);
                }
                going = went;
                going.wrong = going.wrong.or(warned);
            }
            Sought::Wrong(went) if needed(number) => going = went,
            Sought::Waits(on) if needed(number) => end = Some(End::Waits { step: number, on }),
            Sought::Wrong(_) | Sought::Waits(_) | Sought::Absent => {}
        }
        if going.wrong.is_some() || end.is_some() {
            break;
        }
    }
    let at_last_step = story.hazard.as_ref().is_some_and(|hazard| hazard.at_last_step);
    let mut ending = Ending::Step;
    if going.wrong.is_none() && end.is_none() {
        if pairs.last().is_some_and(Option::is_none) && at_last_step {
            // What the task does instead.
            end = Some(End::Absent { step: last });
            if let Some(slot) = slots[story.steps[last].actor] {
                go_on(&mut going, &[slot]);
            }
        } else if !at_last_step && let Some(id) = story.hazard.as_ref().map(|hazard| hazard.id.as_str()) {
            let mut wrong = wrong_here(other, &going.run, id);
            if wrong.is_none() {
                let all: Vec<usize> = (0..other.slots().len()).collect();
                go_on(&mut going, &all);
                wrong = wrong_here(other, &going.run, id).filter(|_| going.wrong.is_none());
            }
            if let Some(hazard) = wrong {
                ending = Ending::AtRest(hazard.id);
                going.wrong = Some(hazard);
            }
        }
    }
    let end = match going.wrong {
        Some(hazard) => End::Wrong(hazard.id.to_owned()),
        None => end.unwrap_or(End::Well),
    };
    let there = replay(other, &going.schedule, ending)?;
    let extra = extra(other, &going.schedule, &keys, &pairs)?;
    Ok(Retraced { story: there, schedule: going.schedule, pairs, extra, end })
}

/// Runs a task until it has taken a step.
fn seek<'p, P: Program>(
    from: &Going<'p, P>,
    slot: usize,
    key: &Key,
    later: &[&Key],
    outcome: u8,
) -> Sought<'p, P> {
    let mut going = from.clone();
    for _ in 0..STEPS_BETWEEN {
        let Some(next) = going.next(slot) else { return Sought::Absent };
        let found = next == *key;
        if !found && later.contains(&&next) {
            return Sought::Absent;
        }
        if !going.run.enabled(slot) {
            let task = going.run.tasks()[slot].as_ref();
            return match task.and_then(|task| task.next.as_ref()) {
                Some((op, _)) if !op.idles() && going.run.may_start(slot) => {
                    Sought::Waits(Teller::new(going.run.program(), false).waits(op))
                }
                _ => Sought::Absent,
            };
        }
        let Ok(taken) = going.step(slot, if found { outcome } else { 0 }) else { return Sought::Absent };
        match (found, &going.wrong) {
            (true, _) => return Sought::Found(going, Box::new(taken)),
            (false, Some(_)) => return Sought::Wrong(going),
            (false, None) => {}
        }
    }
    Sought::Absent
}

/// A hazard of the state that a run has come to, by its id.
fn wrong_here<P: Program>(program: &P, run: &Run<'_, P>, id: &str) -> Option<Hazard> {
    let mut hazards = run.races();
    hazards.extend(broken(program, run.memory()));
    if run.at_rest() {
        hazards.extend(program.at_quiescence(run.memory()));
    }
    hazards.into_iter().find(|hazard| hazard.id == id)
}

/// Runs tasks one after the other, as far as they go.
fn go_on<P: Program>(going: &mut Going<'_, P>, slots: &[usize]) {
    let mut left = STEPS_AFTER;
    loop {
        let before = left;
        for slot in slots {
            while left > 0
                && going.wrong.is_none()
                && going.run.enabled(*slot)
                && going.step(*slot, 0).is_ok()
            {
                left -= 1;
            }
        }
        if left == before || left == 0 || going.wrong.is_some() {
            return;
        }
    }
}

/// The steps of a schedule that are like none of these.
fn extra<P: Program>(
    program: &P,
    schedule: &[Turn],
    keys: &[Key],
    pairs: &[Option<usize>],
) -> Result<Vec<bool>, ReplayError> {
    let mut extra = Vec::new();
    follow(program, set_up_memory(program)?, schedule, |step, _| {
        extra.extend(step.map(|(_, _, taken)| {
            let does = op_does(program, &taken.op);
            !keys.iter().any(|key| key.does == does)
        }));
    })?;
    for pair in pairs.iter().flatten() {
        extra[*pair] = false;
    }
    Ok(extra)
}
