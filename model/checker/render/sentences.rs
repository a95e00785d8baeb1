//! The sentences of the machine's primitives: the one place where a story's data becomes English.
//!
//! Nothing reads them back: who wants to know what a step does looks at its [`Does`].

use std::fmt;

use crate::machine::hazard::Breach;
use crate::story::retrace::{End, Retraced};
use crate::story::{Blocked, Call, Does, Life, Ready, Saw, Source, Story, Value, WaitFor};

use super::words::actor;

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Nothing => Ok(()),
            Value::Null => f.write_str("NULL"),
            Value::Bool(value) => write!(f, "{value}"),
            Value::Number(value) => write!(f, "{value}"),
            Value::References(value) => write!(f, "{value}"),
            Value::Name(name) | Value::Object(name) => f.write_str(name),
            Value::Life(life) => f.write_str(match life {
                Life::Absent => "absent",
                Life::Alive => "alive",
                Life::Freed => "freed",
                Life::Retired => "unregistered",
            }),
            Value::Members(members) => {
                f.write_str("[")?;
                for (number, member) in members.iter().enumerate() {
                    let comma = if number == 0 { "" } else { ", " };
                    match member.dead {
                        true => write!(f, "{comma}({})", member.name)?,
                        false => write!(f, "{comma}{}", member.name)?,
                    }
                }
                f.write_str("]")
            }
            Value::Work { pending, running } => f.write_str(match (pending, running) {
                (false, false) => "idle",
                (true, false) => "pending",
                (false, true) => "running",
                (true, true) => "running and pending",
            }),
        }
    }
}

impl Call {
    /// The call without what is noted of it.
    pub(super) fn bare(&self) -> String {
        let args: Vec<String> = self.args.iter().map(Value::to_string).collect();
        format!("{}({})", self.name, args.join(", "))
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.bare())?;
        match &self.note {
            Some(note) => write!(f, " /* {note} */"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// A line of source with its place; `+` before one that a change under review has added.
pub(super) fn source(at: &Source) -> String {
    let mark = if at.added { "+ " } else { "" };
    match &at.text {
        Some(text) => format!("{mark}{at}: {text}"),
        None => format!("{mark}{at}"),
    }
}

/// What a step does.
pub(super) fn does(does: &Does) -> String {
    match does {
        Does::Read(cell) => format!("read {cell}"),
        Does::Write(cell, value) => format!("{cell} = {value}"),
        Does::WriteIf(cell, from, to) => format!("{cell} = {to} if it is {from}"),
        Does::Establish(statement) => statement.clone(),
        Does::Use(object) => format!("use {object}"),
        Does::Allocate(object) => format!("allocate {object}"),
        Does::Free(object) => format!("free {object}"),
        Does::Retire(object) => format!("{object} is unregistered"),
        Does::Lock(mutex) => format!("lock {mutex}"),
        Does::TryLock(mutex) => format!("try to lock {mutex}"),
        Does::Unlock(mutex) => format!("unlock {mutex}"),
        Does::Get(count) => format!("get {count}"),
        Does::Put(count) => format!("put {count}"),
        Does::Increment(count) => format!("increment {count}"),
        Does::Decrement(count) => format!("decrement {count}"),
        Does::Hold(cell) => cell.clone(),
        Does::Enter(flag) => format!("look whether {flag} is there"),
        Does::Wait(wait) => match wait {
            WaitFor::Lock(mutex) => format!("wait for {mutex}"),
            WaitFor::Zero(count) => format!("wait for {count} to be 0"),
            WaitFor::Not(cell, value) => format!("wait while {cell} is {value}"),
            WaitFor::Any(all) => {
                let all = all.iter().map(|(cell, value)| format!("{cell} is {value}"));
                format!("wait while {}", all.collect::<Vec<_>>().join(" and "))
            }
            WaitFor::Flag(flag) => format!("wait until {flag}"),
            WaitFor::End(task) => format!("wait for {task}"),
            WaitFor::LetGo { .. } | WaitFor::AsyncEntries | WaitFor::Run(_) => {
                format!("wait for {}", awaited(wait))
            }
        },
        Does::Add { member, list } => format!("add {member} to {list}"),
        Does::Remove { member, list } => format!("take {member} off {list}"),
        Does::Pop(list) => format!("take the first of {list}"),
        Does::First(list) => format!("look at the first of {list}"),
        Does::Peek(list) => format!("look at the last of {list}"),
        Does::Has { member, list } => format!("look whether {member} is on {list}"),
        Does::Splice { from, to } => format!("move {from} to {to}"),
        Does::Next { list, after } => format!("next of {list}{}", behind(after.as_ref())),
        Does::Previous { list, before } => format!("previous of {list} before {before}"),
        Does::Leave { list, after } => format!("leave {list}{}", behind(after.as_ref())),
        Does::Delete { member, list } => format!("delete {member} from {list}"),
        Does::Last(list) => format!("last of {list}"),
        Does::Find { member, list } => format!("find {member} in {list}"),
        Does::Schedule(call) => format!("schedule {call}"),
        Does::EndEntry => "the async entry ends".to_owned(),
        Does::Start(task) => format!("start {task}"),
        Does::EndTask => "the task ends".to_owned(),
        Does::Queue(work) => format!("queue {work}"),
        Does::Take(work) => format!("take {work} off the queue"),
        Does::EndWork(work) => format!("{work} ends"),
        Does::Flush(work) => format!("flush {work}"),
        Does::Cancel(work) => format!("cancel {work}"),
        Does::Disable(work, true) => format!("disable {work}"),
        Does::Disable(work, false) => format!("enable {work}"),
        Does::Choose => "one of several outcomes".to_owned(),
        Does::Sample(count) => format!("sample {count}"),
        Does::Compare(count) => format!("compare {count} with the sample"),
        Does::Forget(count) => format!("forget the sample of {count}"),
    }
}

fn behind(member: Option<&String>) -> String {
    member.map_or(String::new(), |member| format!(" after {member}"))
}

/// The cell that the sentence of [`does`] ends with, so that a change can follow it after a colon.
pub(super) fn ends_with(does: &Does) -> Option<&str> {
    match does {
        Does::Read(cell)
        | Does::Use(cell)
        | Does::Allocate(cell)
        | Does::Free(cell)
        | Does::Lock(cell)
        | Does::TryLock(cell)
        | Does::Unlock(cell)
        | Does::Get(cell)
        | Does::Put(cell)
        | Does::Increment(cell)
        | Does::Decrement(cell)
        | Does::Add { list: cell, .. }
        | Does::Remove { list: cell, .. }
        | Does::Pop(cell)
        | Does::First(cell)
        | Does::Peek(cell)
        | Does::Has { list: cell, .. }
        | Does::Splice { to: cell, .. }
        | Does::Next { list: cell, after: None }
        | Does::Leave { list: cell, after: None }
        | Does::Delete { list: cell, .. }
        | Does::Last(cell)
        | Does::Find { list: cell, .. }
        | Does::Queue(cell)
        | Does::Flush(cell)
        | Does::Cancel(cell)
        | Does::Disable(cell, _)
        | Does::Sample(cell)
        | Does::Forget(cell)
        | Does::Wait(WaitFor::Flag(cell) | WaitFor::Run(cell) | WaitFor::LetGo { list: cell, .. }) => {
            Some(cell)
        }
        Does::Write(..)
        | Does::WriteIf(..)
        | Does::Establish(_)
        | Does::Retire(_)
        | Does::Hold(_)
        | Does::Enter(_)
        | Does::Wait(
            WaitFor::Lock(_)
            | WaitFor::Zero(_)
            | WaitFor::Not(..)
            | WaitFor::Any(_)
            | WaitFor::AsyncEntries
            | WaitFor::End(_),
        )
        | Does::Next { .. }
        | Does::Previous { .. }
        | Does::Leave { .. }
        | Does::Schedule(_)
        | Does::EndEntry
        | Does::Start(_)
        | Does::EndTask
        | Does::Take(_)
        | Does::EndWork(_)
        | Does::Choose
        | Does::Compare(_) => None,
    }
}

/// What a task waits for, after "wait for".
pub(super) fn awaited(wait: &WaitFor) -> String {
    match wait {
        WaitFor::Lock(mutex) => mutex.clone(),
        WaitFor::Zero(count) => format!("{count} to be 0"),
        WaitFor::Not(cell, Value::Bool(value)) => format!("{cell} to be {}", !value),
        WaitFor::Not(cell, value) => format!("{cell} to be other than {value}"),
        WaitFor::Any(all) => {
            let all: Vec<&str> = all.iter().map(|(cell, _)| cell.as_str()).collect();
            format!("{} to change", all.join(" or "))
        }
        WaitFor::Flag(flag) => format!("{flag} to change"),
        WaitFor::LetGo { member, list } => format!("all to let go of {member} in {list}"),
        WaitFor::AsyncEntries => "all async entries".to_owned(),
        WaitFor::Run(work) => format!("the run of {work}"),
        WaitFor::End(task) => format!("the end of {task}"),
    }
}

/// What a task waits for, after "wait for"; of a mutex with the word that it is one.
#[must_use]
pub fn awaited_words(wait: &WaitFor) -> String {
    match wait {
        WaitFor::Lock(mutex) => format!("lock {mutex}"),
        other => awaited(other),
    }
}

/// What a step saw.
pub(super) fn saw(saw: &Saw) -> String {
    match saw {
        Saw::Value(value) | Saw::Besides(_, value) => return value.to_string(),
        Saw::EndOfList => "end of list",
        Saw::Moved(true) => "it has moved",
        Saw::Moved(false) => "unchanged",
        Saw::QueuedAlready => "it is on the queue already",
        Saw::NothingToWaitFor => "there is nothing to wait for",
        Saw::NotThere => "it is not there",
        Saw::OnListAlready => "it is on a list already",
        Saw::Empty => "it is empty",
        Saw::No => "no",
        Saw::NoEntries => "none",
        Saw::NothingToMove => "nothing to move",
    }
    .to_owned()
}

/// A step, and the mutex that it is wholly under.
fn under(text: String, mutex: Option<&String>) -> String {
    match mutex {
        Some(mutex) => format!("{text} under {mutex}"),
        None => text,
    }
}

/// A step that is not part of a story, as [`op_does`](crate::story::op_does) tells it.
#[must_use]
pub fn does_words((step, mutex): &(Does, Option<String>)) -> String {
    under(does(step), mutex.as_ref())
}

/// What one of two racing tasks does.
pub(super) fn racing(racing: &crate::story::Racing) -> String {
    let how = if racing.plain { "plainly" } else { "atomically" };
    format!("{}, {how}", under(does(&racing.does), racing.under.as_ref()))
}

fn inside(call: Option<&Call>) -> String {
    call.map_or(String::new(), |call| format!("{call}: "))
}

/// What a task could do, with the function that it is in.
#[must_use]
pub fn ready_words(ready: &Ready) -> String {
    format!("{}{}", inside(ready.inside.as_ref()), under(does(&ready.does), ready.under.as_ref()))
}

/// What a task waits for, with the function that it is in.
#[must_use]
pub fn blocked_words(blocked: &Blocked) -> String {
    format!("{}{}", inside(blocked.inside.as_ref()), awaited_words(&blocked.on))
}

/// Why a run goes no further on another program than it does, in sentences.
#[must_use]
pub fn retraced_words(story: &Story, there: &Retraced) -> String {
    let step = |number: usize| {
        let step = &story.steps[number];
        let inside = step.stack.last().map_or(String::new(), |call| format!(", in {}", call.bare()));
        (actor(story, step.actor), format!("{}{inside}", super::step_words(story, step)))
    };
    let ends = match &there.end {
        End::Wrong(id) if story.hazard.as_ref().is_some_and(|hazard| hazard.id == *id) => {
            return format!("The run goes wrong here as well: {}.", hazard_words(&there.story));
        }
        End::Wrong(id) => {
            return format!("The run ends with another hazard here, {id}: {}.", hazard_words(&there.story));
        }
        End::Well => match first_missing(story, there) {
            Some(number) => {
                let (actor, words) = step(number);
                let rest = "With the other steps in their order nothing goes wrong here.";
                format!("{actor} never comes to step {} ({words}) here. {rest}", number + 1)
            }
            None => {
                "Every step that the hazard needs is taken here as well, and nothing goes wrong.".to_owned()
            }
        },
        End::Waits { step: number, on } => {
            let (actor, words) = step(*number);
            let holder = match on {
                WaitFor::Lock(mutex) => there.story.held.iter().find(|held| held.lock == *mutex),
                _ => None,
            };
            let holder = holder.map_or(String::new(), |held| {
                format!(", which {} holds", super::words::actor(&there.story, held.actor))
            });
            format!(
                "Before step {} ({words}) {actor} has to wait for {}{holder}. So the run cannot go on.",
                number + 1,
                awaited(on)
            )
        }
        End::Absent { step: number } => {
            let (actor, words) = step(*number);
            format!("{actor} never comes to step {} ({words}) here.", number + 1)
        }
    };
    match differs(story, there) {
        Some((number, other)) => {
            let (actor, _) = step(number);
            let looks = story.steps[number].does.as_ref().map_or(String::new(), does);
            let [was, is] =
                [&story.steps[number], &there.story.steps[other]].map(|step| step.observed.as_ref());
            let [was, is] = [was, is].map(|observed| observed.map_or("nothing".to_owned(), saw));
            format!("{ends} At step {} ({looks}) {actor} sees {is} here, not {was}.", number + 1)
        }
        None => ends,
    }
}

/// The first step that the hazard needs and that has no counterpart.
fn first_missing(story: &Story, there: &Retraced) -> Option<usize> {
    let mut steps = story.steps.iter().zip(&there.pairs).enumerate();
    steps.find(|(_, (step, pair))| step.needed && pair.is_none()).map(|(number, _)| number)
}

/// The last step at which the task that goes another way sees something else, or any task if none does, and
/// its counterpart.
fn differs(story: &Story, there: &Retraced) -> Option<(usize, usize)> {
    let missing = match there.end {
        End::Absent { step } => Some(step),
        End::Well => first_missing(story, there),
        End::Wrong(_) | End::Waits { .. } => return None,
    };
    let actor = missing.map(|step| story.steps[step].actor);
    let pairs = there.pairs.iter().enumerate().filter_map(|(number, pair)| Some((number, (*pair)?)));
    let other = |(number, pair): &(usize, usize)| {
        let (was, is) = (&story.steps[*number], &there.story.steps[*pair]);
        was.needed && actor.is_none_or(|actor| was.actor == actor) && was.observed != is.observed
    };
    pairs.rev().find(other)
}

/// What went wrong, in one sentence without a full stop; empty if nothing did.
#[must_use]
pub fn hazard_words(story: &Story) -> String {
    let Some(hazard) = &story.hazard else { return String::new() };
    match &hazard.breach {
        Breach::UsedTooEarly(object) => format!("{object} is used before it is allocated"),
        Breach::UsedAfterFree(object) => format!("{object} is used after it has been freed"),
        Breach::UsedAfterRetire(object) => {
            format!("{object} is used after it has been unregistered, and may be gone")
        }
        Breach::FreedTwice(object) => format!("{object} is freed twice"),
        Breach::BelowZero(count) => format!("{count} drops below zero"),
        Breach::NullFollowed(cell) => format!("{cell} is NULL and is dereferenced"),
        Breach::NotHeld(mutex) => format!("{mutex} is unlocked by a task that does not hold it"),
        Breach::LockedAgain(mutex) => {
            format!("a task that holds {mutex} locks it again and waits for itself")
        }
        Breach::EndsHolding(mutexes) => format!("a task ends while it holds {}", mutexes.join(" and ")),
        Breach::LinkedTwice(object, list) => format!("{object} is added to {list} and is still linked"),
        Breach::Race(cell) => format!("{cell} is accessed by two tasks at once, plainly by at least one"),
        Breach::Deadlock(_) => waits_for_each_other(story),
        Breach::SetUpWaits => "the set-up waits for ever".to_owned(),
        Breach::Cycle(steps) => {
            format!("the last {steps} steps leave everything as it was before them, and can go on for ever")
        }
        Breach::Program(told) => told.sentence.clone(),
    }
}

/// Who waits for what in a deadlock, and for whom.
fn waits_for_each_other(story: &Story) -> String {
    let sentences = story.waiting.iter().filter(|wait| wait.deadlocked).map(|wait| {
        let by: Vec<&str> = wait.by.iter().map(|number| actor(story, *number)).collect();
        let by = if by.is_empty() { "nobody".to_owned() } else { by.join(", ") };
        format!("{} waits for {}, which depends on {by}", actor(story, wait.actor), awaited(&wait.on))
    });
    sentences.collect::<Vec<_>>().join("; ")
}
