//! One paragraph made from a story: what led to what went wrong.
//!
//! It says only what the steps say: who freed what the bad step names, where the pointer to it was
//! read and who had stored it there, who last wrote what it reads, who took the lock, which look came
//! too early or saw what somebody else had written. Where no step says so, neither does this.

use super::diagram::lock;
use super::lines::{bad_step, deadlocked, is_deadlock};
use super::words::{actor, core, frame, says};
use crate::story::{Story, ToldStep};

/// Explains what went wrong; empty if nothing did, or if the steps say no more than the diagram.
#[must_use]
pub fn explain(story: &Story) -> String {
    let Some(hazard) = &story.hazard else { return String::new() };
    if is_deadlock(story) {
        return circle(story);
    }
    if let Some(begins) = story.cycle {
        return round(story, begins);
    }
    let Some(number) = bad_step(story) else {
        return match chance(story, story.steps.len(), None) {
            Some(sentence) => sentence,
            None => writes(story, story.steps.len(), &hazard.text).join(" "),
        };
    };
    let step = &story.steps[number];
    if let Some(taken) = core(step).0.strip_prefix("lock ").and_then(|lock| taken(story, number, lock)) {
        return taken;
    }
    let mut sentences = Vec::new();
    let gone = gone(story, number, &hazard.text).or_else(|| gone(story, number, core(step).0));
    match gone {
        Some((object, how, by)) => {
            sentences.push(format!("{object} was {how} by {}.", place(story, by)));
            sentences.extend(pointer(story, number, step.actor, object));
        }
        None => {
            let stores = core(step).0.contains(" = ");
            let text = format!("{} {}", if stores { "" } else { core(step).0 }, hazard.text);
            sentences.extend(writes(story, number, &text));
            let null = hazard.text.strip_suffix(" is NULL and is dereferenced");
            let unset = null.filter(|cell| last_write(story, number, cell).is_none());
            sentences.extend(unset.map(|cell| format!("Nobody has set {cell} before.")));
            if sentences.is_empty() {
                sentences.extend(chance(story, number, Some(step.actor)));
            }
            sentences.extend(not_told(story, &hazard.text));
            if hazard.text.contains(" async entry from before ") {
                sentences.extend(not_run(story));
            }
        }
    }
    sentences.join(" ")
}

/// `kworker in f(x)`.
pub(super) fn place(story: &Story, step: &ToldStep) -> String {
    let inside = step.stack.last().map_or(String::new(), |call| format!(" in {}", bare(call)));
    format!("{}{inside}", actor(story, step.actor))
}

/// A call without what is noted of it.
fn bare(call: &str) -> String {
    frame(call.split(" /*").next().unwrap_or(call))
}

/// The last end of an object that the text names, freed or unregistered, if it did not live again.
fn gone<'a>(story: &'a Story, before: usize, text: &str) -> Option<(&'a str, &'static str, &'a ToldStep)> {
    let (number, object, how) =
        story.steps[..before].iter().enumerate().rev().find_map(|(number, step)| {
            let by_change = step.changes.iter().find_map(|change| match change.to.as_str() {
                "freed" => Some((change.cell.as_str(), "freed")),
                "unregistered" => Some((change.cell.as_str(), "unregistered")),
                _ => None,
            });
            let does = core(step).0;
            let by_word = || does.strip_prefix("free ").map(|object| (object, "freed"));
            let by_state = || does.strip_suffix(" is unregistered").map(|object| (object, "unregistered"));
            let (object, how) = by_change.or_else(by_word).or_else(by_state)?;
            says(text, object).then_some((number, object, how))
        })?;
    let again = last_write(story, before, object).is_some_and(|(_, to)| to == "alive");
    (!again).then_some((object, how, &story.steps[number]))
}

/// Where the task of the bad step had its pointer to an object from, and who had stored it there.
fn pointer(story: &Story, before: usize, reader: usize, object: &str) -> Option<String> {
    let read = story.steps[..before].iter().rposition(|step| {
        step.actor == reader && step.observed.as_deref() == Some(object) && core(step).0.starts_with("read ")
    })?;
    let cell = core(&story.steps[read]).0.strip_prefix("read ")?;
    let sentence = format!("{} had read {object} from {cell}", place(story, &story.steps[read]));
    let stored = last_write(story, read, cell).filter(|(_, to)| *to == object);
    Some(match stored {
        Some((step, _)) => format!("{sentence}, where {} had stored it.", place(story, step)),
        None => format!("{sentence}."),
    })
}

/// Who last wrote each cell that the text names.
fn writes(story: &Story, before: usize, text: &str) -> Vec<String> {
    let mut cells: Vec<&str> = Vec::new();
    for change in story.steps[..before].iter().flat_map(|step| &step.changes) {
        if says(text, &change.cell) && !cells.contains(&change.cell.as_str()) {
            cells.push(&change.cell);
        }
    }
    let last = |cell: &&str| {
        let (step, to) = last_write(story, before, cell)?;
        Some(format!("{cell} was last changed, to {to}, by {}.", place(story, step)))
    };
    cells.iter().filter_map(last).collect()
}

fn last_write<'a>(story: &'a Story, before: usize, cell: &str) -> Option<(&'a ToldStep, &'a str)> {
    story.steps[..before].iter().rev().find_map(|step| written(step, cell))
}

/// Tasks that were started and took no step.
fn not_run(story: &Story) -> Vec<String> {
    let ran = |actor: usize| story.steps.iter().any(|step| step.actor == actor);
    let idle = story.steps.iter().filter(|step| step.started.is_some_and(|actor| !ran(actor)));
    let sentence = |step: &ToldStep| {
        let what = core(step).0.strip_prefix("schedule ")?;
        Some(format!("{what}, scheduled by {}, has not begun.", place(story, step)))
    };
    idle.filter_map(sentence).collect()
}

/// What no longer says which driver an async entry was scheduled for.
fn not_told(story: &Story, text: &str) -> Option<String> {
    let (_, driver) = text.split_once(" by an async entry that was scheduled for ")?;
    let changes = story.steps.iter().rev().flat_map(|step| &step.changes);
    let overwritten = changes.filter(|change| change.from == driver && change.to != driver);
    let cell = &overwritten.map(|change| &change.cell).next()?;
    Some(format!("So nothing in {cell} tells this entry any more to probe {driver}."))
}

/// The last look that came too early for what another task did, or that saw what another had written;
/// before a step, and of one actor if one is given.
fn chance(story: &Story, before: usize, only: Option<usize>) -> Option<String> {
    let asked = |step: &ToldStep| step.needed && only.is_none_or(|actor| step.actor == actor);
    let looks = story.steps[..before].iter().enumerate().rev().filter(|(_, step)| asked(step));
    looks.filter_map(|(number, step)| looked(step).map(|look| (number, step, look))).find_map(
        |(number, step, (cell, saw))| {
            let looker = place(story, step);
            let by_another = |(other, _): &(&ToldStep, &str)| other.actor != step.actor;
            let later = story.steps[number..].iter().find_map(|other| written(other, cell));
            if let Some((writer, to)) = later.filter(by_another) {
                let writer = place(story, writer);
                return Some(format!("{looker} {saw} before {writer} changed it, to {to}."));
            }
            let (writer, to) = last_write(story, number, cell).filter(by_another)?;
            if step.observed.as_deref() != Some(to) {
                return None;
            }
            let first = story.steps[..number].iter().filter_map(|other| written(other, cell)).rev().nth(1);
            let first = first.filter(|(_, value)| *value != to).map_or(String::new(), |(first, value)| {
                format!(" after {} had set it to {value}", place(story, first))
            });
            Some(format!("{looker} {saw}, to which {} had set it{first}.", place(story, writer)))
        },
    )
}

/// A look at a cell, and what it saw.
fn looked(step: &ToldStep) -> Option<(&str, String)> {
    let (core, saw) = (core(step).0, step.observed.as_deref()?);
    if let Some(cell) = core.strip_prefix("read ") {
        return Some((cell, format!("found {cell} to be {saw}")));
    }
    if let Some(cell) = core.strip_prefix("next of ").filter(|_| saw == "end of list") {
        let cell = cell.split(" after ").next().unwrap_or(cell);
        return Some((cell, format!("came to the end of {cell}")));
    }
    let cell = core.strip_prefix("compare ")?.strip_suffix(" with the sample")?;
    Some((cell, format!("found {cell} {saw}")))
}

/// The value that a step gave a cell.
fn written<'a>(step: &'a ToldStep, cell: &str) -> Option<(&'a ToldStep, &'a str)> {
    let change = step.changes.iter().find(|change| change.cell == cell)?;
    Some((step, change.to.as_str()))
}

/// What drives a cycle: a comparison that finds a count moved, and who had moved it.
fn round(story: &Story, begins: usize) -> String {
    let cycle = &story.steps[begins.min(story.steps.len())..];
    let mut sentences: Vec<String> = Vec::new();
    for step in cycle.iter().filter(|step| step.observed.as_deref() == Some("it has moved")) {
        let Some((cell, _)) = looked(step) else { continue };
        let increments = format!("increment {cell}");
        let mut by: Vec<String> = Vec::new();
        for other in cycle.iter().filter(|other| core(other).0 == increments) {
            let place = chain(story, other);
            if !by.contains(&place) {
                by.push(place);
            }
        }
        let sentence = format!(
            "In each round {} finds that {cell} has moved since its sample, and tries again; it was incremented by {}.",
            place(story, step),
            by.join(", and by ")
        );
        if !sentences.contains(&sentence) {
            sentences.push(sentence);
        }
    }
    sentences.join(" ")
}

/// Where a step is, with the function that called that one.
fn chain(story: &Story, step: &ToldStep) -> String {
    let caller = step.stack.len().checked_sub(2).map(|n| format!(", called by {}", bare(&step.stack[n])));
    format!("{}{}", place(story, step), caller.unwrap_or_default())
}

/// Who took a lock last.
fn taken(story: &Story, before: usize, lock: &str) -> Option<String> {
    let took = format!("lock {lock}");
    let step = story.steps[..before].iter().rev().find(|step| core(step).0 == took)?;
    Some(format!("{lock} was taken by {}.", place(story, step)))
}

/// Where each of the tasks that wait for each other took what another one wants.
fn circle(story: &Story) -> String {
    let wanted: Vec<&str> = deadlocked(story).filter_map(lock).collect();
    let mut sentences = Vec::new();
    for wait in deadlocked(story) {
        let mine = story.held.iter().filter(|held| held.actor == wait.actor);
        for held in mine.filter(|held| wanted.contains(&held.lock.as_str())) {
            sentences.extend(taken(story, story.steps.len(), &held.lock));
        }
    }
    sentences.join(" ")
}
