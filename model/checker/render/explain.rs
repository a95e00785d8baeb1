//! One paragraph made from a story: what led to what went wrong.
//!
//! It says only what the steps say: who freed what the bad step names, where the pointer to it was
//! read and who had stored it there, who last wrote what it reads, who took the lock, which look came
//! too early or saw what somebody else had written. Where no step says so, neither does this.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Deref;

use super::diagram::lock;
use super::lines::{bad_step, deadlocked, is_deadlock};
use super::sentences;
use super::words::actor;
use crate::machine::hazard::{Blame, Breach};
use crate::story::links::{Gone, gone, last_write, pointer, taken, written};
use crate::story::{Does, Saw, Story, ToldHazard, ToldStep, Value};

/// Explains what went wrong; empty if nothing did, or if the steps say no more than the diagram.
#[must_use]
pub fn explain(story: &Story) -> String {
    explanation(&Explained::new(story))
}

/// The steps that the explanation speaks of: a diagram must not leave them out.
pub(super) fn spoken_of(story: &Story) -> BTreeSet<usize> {
    let explained = Explained::new(story);
    explanation(&explained);
    explained.steps.into_inner()
}

/// A story, and the steps of it that were spoken of so far.
struct Explained<'s> {
    story: &'s Story,
    steps: RefCell<BTreeSet<usize>>,
}

impl<'s> Explained<'s> {
    fn new(story: &'s Story) -> Self {
        Explained { story, steps: RefCell::default() }
    }
}

impl Deref for Explained<'_> {
    type Target = Story;

    fn deref(&self) -> &Story {
        self.story
    }
}

fn explanation(story: &Explained<'_>) -> String {
    let Some(hazard) = &story.hazard else { return String::new() };
    if is_deadlock(story) {
        return circle(story);
    }
    if let Some(begins) = story.cycle {
        return round(story, begins);
    }
    let spoken_of = hazard.names();
    let spoken_of: Vec<&str> = spoken_of.iter().map(String::as_str).collect();
    let Some(number) = bad_step(story) else {
        return match chance(story, story.story.steps.len(), None) {
            Some(sentence) => sentence,
            None => writes(story, story.story.steps.len(), &spoken_of).join(" "),
        };
    };
    let step = &story.story.steps[number];
    if let Some(Does::Lock(lock)) = &step.does
        && let Some(taken) = taker(story, number, lock)
    {
        return taken;
    }
    let mut sentences = Vec::new();
    let gone = gone(story, number, &spoken_of).or_else(|| gone(story, number, &step.names()));
    match gone {
        Some(Gone { object, life, step: by }) => {
            sentences.push(format!("{object} was {} by {}.", Value::Life(life), place(story, by)));
            sentences.extend(had_from(story, number, step.actor, object));
        }
        None => {
            let stores = matches!(step.does, Some(Does::Write(..) | Does::WriteIf(..)));
            let read = if stores { Vec::new() } else { step.names() };
            sentences.extend(writes(story, number, &[read, spoken_of].concat()));
            if let Breach::NullFollowed(cell) = &hazard.breach
                && last_write(story, number, cell).is_none()
            {
                sentences.push(format!("Nobody has set {cell} before."));
            }
            if sentences.is_empty() {
                sentences.extend(chance(story, number, Some(step.actor)));
            }
            sentences.extend(blame(story, hazard));
        }
    }
    sentences.join(" ")
}

/// `kworker in f(x)`. Who says it of a step speaks of that step.
fn place(story: &Explained<'_>, step: usize) -> String {
    story.steps.borrow_mut().insert(step);
    place_of(story, &story.story.steps[step])
}

/// The same, for whoever only wants the words.
pub(super) fn place_of(story: &Story, step: &ToldStep) -> String {
    let inside = step.stack.last().map_or(String::new(), |call| format!(" in {}", call.bare()));
    format!("{}{inside}", actor(story, step.actor))
}

/// Where the task of the bad step had its pointer to an object from, and who had stored it there.
fn had_from(story: &Explained<'_>, before: usize, reader: usize, object: &str) -> Option<String> {
    let from = pointer(story, before, reader, object)?;
    let sentence = format!("{} had read {object} from {}", place(story, from.read), from.cell);
    Some(match from.stored {
        Some(step) => format!("{sentence}, where {} had stored it.", place(story, step)),
        None => format!("{sentence}."),
    })
}

/// Who last wrote each of these cells.
fn writes(story: &Explained<'_>, before: usize, named: &[&str]) -> Vec<String> {
    let mut cells: Vec<&str> = Vec::new();
    for change in story.story.steps[..before].iter().flat_map(|step| &step.changes) {
        if named.contains(&change.cell.as_str()) && !cells.contains(&change.cell.as_str()) {
            cells.push(&change.cell);
        }
    }
    let last = |cell: &&str| {
        let (step, to) = last_write(story, before, cell)?;
        Some(format!("{cell} was last changed, to {to}, by {}.", place(story, step)))
    };
    cells.iter().filter_map(last).collect()
}

/// What the program says is to blame, where the steps show it.
fn blame(story: &Explained<'_>, hazard: &ToldHazard) -> Vec<String> {
    let Breach::Program(told) = &hazard.breach else { return Vec::new() };
    match &told.blame {
        Blame::Unknown => Vec::new(),
        Blame::NotRun => not_run(story),
        Blame::Overwritten(object, words) => {
            let changes = story.story.steps.iter().rev().flat_map(|step| &step.changes);
            let mut overwritten =
                changes.filter(|change| change.from.is_object(object) && !change.to.is_object(object));
            let cell = overwritten.next().map(|change| &change.cell);
            cell.into_iter().map(|cell| format!("So nothing in {cell} {words}.")).collect()
        }
    }
}

/// Tasks that were started and took no step.
fn not_run(story: &Explained<'_>) -> Vec<String> {
    let ran = |actor: usize| story.story.steps.iter().any(|step| step.actor == actor);
    let steps = story.story.steps.iter().enumerate();
    let idle = steps.filter(|(_, step)| step.started.is_some_and(|actor| !ran(actor)));
    let sentence = |(number, step): (usize, &ToldStep)| match &step.does {
        Some(Does::Schedule(call)) => {
            Some(format!("{call}, scheduled by {}, has not begun.", place(story, number)))
        }
        _ => None,
    };
    idle.filter_map(sentence).collect()
}

/// The last look that came too early for what another task did, or that saw what another had written;
/// before a step, and of one actor if one is given.
fn chance(story: &Explained<'_>, before: usize, only: Option<usize>) -> Option<String> {
    let steps = &story.story.steps;
    let asked = |step: &ToldStep| step.needed && only.is_none_or(|actor| step.actor == actor);
    let looks = steps[..before].iter().enumerate().rev().filter(|(_, step)| asked(step));
    looks.filter_map(|(number, step)| looked(step).map(|look| (number, step, look))).find_map(
        |(number, step, (cell, saw))| {
            let looker = place(story, number);
            let by_another = |(other, _): &(usize, &Value)| steps[*other].actor != step.actor;
            let mut writes =
                steps.iter().enumerate().filter_map(|(other, step)| Some((other, written(step, cell)?)));
            let later = writes.clone().find(|(other, _)| *other >= number);
            if let Some((writer, to)) = later.filter(by_another) {
                let writer = place(story, writer);
                return Some(format!("{looker} {saw} before {writer} changed it, to {to}."));
            }
            let (writer, to) = last_write(story, number, cell).filter(by_another)?;
            if step.observed.as_ref().and_then(Saw::value) != Some(to) {
                return None;
            }
            let first = writes.rfind(|(other, _)| *other < writer);
            let first = first.filter(|(_, value)| *value != to).map_or(String::new(), |(first, value)| {
                format!(" after {} had set it to {value}", place(story, first))
            });
            Some(format!("{looker} {saw}, to which {} had set it{first}.", place(story, writer)))
        },
    )
}

/// A look at a cell, and what it saw.
fn looked(step: &ToldStep) -> Option<(&str, String)> {
    let (does, saw) = (step.does.as_ref()?, step.observed.as_ref()?);
    match (does, saw) {
        (Does::Read(cell), saw) => Some((cell, format!("found {cell} to be {}", sentences::saw(saw)))),
        (Does::Next { list, .. }, Saw::EndOfList) => Some((list, format!("came to the end of {list}"))),
        (Does::Compare(count), saw) => Some((count, format!("found {count} {}", sentences::saw(saw)))),
        _ => None,
    }
}

/// What drives a cycle: a comparison that finds a count moved, and who had moved it.
fn round(story: &Explained<'_>, begins: usize) -> String {
    let cycle = &story.story.steps[begins.min(story.story.steps.len())..];
    let mut sentences: Vec<String> = Vec::new();
    let begins = story.story.steps.len() - cycle.len();
    for (number, step) in cycle.iter().enumerate() {
        let Some((cell, _)) = looked(step).filter(|_| step.observed == Some(Saw::Moved(true))) else {
            continue;
        };
        let increments = Some(Does::Increment(cell.to_owned()));
        let mut by: Vec<String> = Vec::new();
        let others = cycle.iter().enumerate().filter(|(_, other)| other.does == increments);
        for (other, _) in others {
            let place = chain(story, begins + other);
            if !by.contains(&place) {
                by.push(place);
            }
        }
        let sentence = format!(
            "In each round {} finds that {cell} has moved since its sample, and tries again; it was incremented by {}.",
            place(story, begins + number),
            by.join(", and by ")
        );
        if !sentences.contains(&sentence) {
            sentences.push(sentence);
        }
    }
    sentences.join(" ")
}

/// Where a step is, with the function that called that one.
fn chain(story: &Explained<'_>, number: usize) -> String {
    let stack = &story.story.steps[number].stack;
    let caller = stack.len().checked_sub(2).map(|n| format!(", called by {}", stack[n].bare()));
    format!("{}{}", place(story, number), caller.unwrap_or_default())
}

/// Who took a lock last.
fn taker(story: &Explained<'_>, before: usize, lock: &str) -> Option<String> {
    let step = taken(story, before, lock)?;
    Some(format!("{lock} was taken by {}.", place(story, step)))
}

/// Where each of the tasks that wait for each other took what another one wants.
fn circle(story: &Explained<'_>) -> String {
    let wanted: Vec<&str> = deadlocked(story).filter_map(lock).collect();
    let mut sentences = Vec::new();
    for wait in deadlocked(story) {
        let mine = story.held.iter().filter(|held| held.actor == wait.actor);
        for held in mine.filter(|held| wanted.contains(&held.lock.as_str())) {
            sentences.extend(taker(story, story.story.steps.len(), &held.lock));
        }
    }
    sentences.join(" ")
}
