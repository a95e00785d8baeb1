//! One paragraph made from a story: who did the bad step and where, and what led to it.
//!
//! It says only what the steps say: who freed what the bad step names, where the pointer to it was
//! read and who had stored it there, who last wrote what it reads. Where no step says so, neither
//! does this.

use super::diagram::lock;
use super::lines::{bad_step, deadlocked, is_deadlock};
use super::words::{actor, core, frame, names};
use crate::trace::{Story, ToldStep};

/// Explains what went wrong; empty if nothing did.
#[must_use]
pub fn explain(story: &Story) -> String {
    let Some(hazard) = &story.hazard else { return String::new() };
    if is_deadlock(story) {
        return circle(story);
    }
    let mut sentences = Vec::new();
    let (before, text) = match bad_step(story) {
        Some(number) => {
            let step = &story.steps[number];
            sentences.push(format!("The bad step is \"{}\" by {}.", step.does, place(story, step)));
            (number, format!("{} {}", core(step).0, hazard.text))
        }
        None => (story.steps.len(), hazard.text.clone()),
    };
    let gone = gone(story, before, &text);
    if let Some((object, how, step)) = &gone {
        sentences.push(format!("{object} was {how} by {}.", place(story, step)));
    }
    let reader = bad_step(story).map(|number| story.steps[number].actor);
    match (gone, reader) {
        (Some((object, ..)), Some(reader)) => sentences.extend(pointer(story, before, reader, object)),
        _ => sentences.extend(writes(story, before, &text)),
    }
    sentences.join(" ")
}

/// `kworker in f(x)`.
fn place(story: &Story, step: &ToldStep) -> String {
    let inside = step.stack.last().map_or(String::new(), |call| format!(" in {}", frame(call)));
    format!("{}{inside}", actor(story, step.actor))
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
            names(text, object).then_some((number, object, how))
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
        if names(text, &change.cell) && !cells.contains(&change.cell.as_str()) {
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
    story.steps[..before].iter().rev().find_map(|step| {
        let change = step.changes.iter().find(|change| change.cell == cell)?;
        Some((step, change.to.as_str()))
    })
}

/// Where each of the tasks that wait for each other took what another one wants.
fn circle(story: &Story) -> String {
    let wanted: Vec<&str> = deadlocked(story).filter_map(lock).collect();
    let mut sentences = Vec::new();
    for wait in deadlocked(story) {
        let mine = story.held.iter().filter(|held| held.actor == wait.actor);
        for held in mine.filter(|held| wanted.contains(&held.lock.as_str())) {
            let took = format!("lock {}", held.lock);
            let step = story.steps.iter().rev().find(|step| step.actor == held.actor && core(step).0 == took);
            sentences.extend(step.map(|step| format!("{} was taken by {}.", held.lock, place(story, step))));
        }
    }
    sentences.join(" ")
}
