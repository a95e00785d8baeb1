//! Which step of a story follows from which: who stored the pointer that is used, who freed what is used,
//! who started the task that runs.
//!
//! All of it is read off the steps. Steps are named by their numbers, from 0 on.

use super::told::{Does, Life, Saw, Value, is_part_of};
use super::{Change, Story, ToldHazard, ToldStep};
use crate::machine::hazard::{Blame, Breach};

/// How a later step follows from an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkKind {
    /// The first stored a value that the second read.
    Stored,
    /// The first read the pointer that the second uses.
    Carried,
    /// The first freed what the second uses, or ended its use.
    Ended,
    /// The first was the last to change what the second goes wrong with.
    Changed,
    /// The first started the task whose first step the second is.
    Started,
    /// The first queued the work item that the second takes.
    Queued,
}

impl LinkKind {
    /// Its name in data.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            LinkKind::Stored => "stored",
            LinkKind::Carried => "carried",
            LinkKind::Ended => "ended",
            LinkKind::Changed => "changed",
            LinkKind::Started => "started",
            LinkKind::Queued => "queued",
        }
    }
}

/// A step that follows from an earlier one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// How.
    pub kind: LinkKind,
    /// The earlier step.
    pub from: usize,
    /// The later step; the number of steps for what goes wrong when all have ended.
    pub to: usize,
    /// The object or cell by which it does; a task for one that was started.
    pub what: String,
}

/// The end of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone<'s> {
    /// The object.
    pub object: &'s str,
    /// What became of it: it is freed or retired.
    pub life: Life,
    /// The step.
    pub step: usize,
}

/// Where a task had a pointer from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pointer<'s> {
    /// The step that read it.
    pub read: usize,
    /// The cell that it was read from.
    pub cell: &'s str,
    /// The step that had stored it there, if one did.
    pub stored: Option<usize>,
}

/// The value that a step gave a cell.
#[must_use]
pub fn written<'s>(step: &'s ToldStep, cell: &str) -> Option<&'s Value> {
    step.changes.iter().find(|change| change.cell == cell).map(|change| &change.to)
}

/// The last step before this one that changed a cell, and the value that it gave it.
#[must_use]
pub fn last_write<'s>(story: &'s Story, before: usize, cell: &str) -> Option<(usize, &'s Value)> {
    let steps = story.steps[..before].iter().enumerate().rev();
    steps.filter_map(|(number, step)| Some((number, written(step, cell)?))).next()
}

/// The last end of one of these objects before a step, if it did not live again.
#[must_use]
pub fn gone<'s>(story: &'s Story, before: usize, named: &[&str]) -> Option<Gone<'s>> {
    let gone = story.steps[..before].iter().enumerate().rev().find_map(|(step, told)| {
        let by_change = told.changes.iter().find_map(|change| match change.to {
            Value::Life(life @ (Life::Freed | Life::Retired)) => Some((change.cell.as_str(), life)),
            _ => None,
        });
        let by_step = || match &told.does {
            Some(Does::Free(object)) => Some((object.as_str(), Life::Freed)),
            Some(Does::Retire(object)) => Some((object.as_str(), Life::Retired)),
            _ => None,
        };
        let (object, life) = by_change.or_else(by_step)?;
        named.contains(&object).then_some(Gone { object, life, step })
    })?;
    let again = last_write(story, before, gone.object).is_some_and(|(_, to)| *to == Value::Life(Life::Alive));
    (!again).then_some(gone)
}

/// Where an actor had its pointer to an object from, before a step.
#[must_use]
pub fn pointer<'s>(story: &'s Story, before: usize, reader: usize, object: &str) -> Option<Pointer<'s>> {
    let read = story.steps[..before].iter().rposition(|step| {
        let saw_it = step.observed.as_ref().and_then(Saw::value).is_some_and(|value| value.is_object(object));
        step.actor == reader && saw_it && matches!(step.does, Some(Does::Read(_)))
    })?;
    let Some(Does::Read(cell)) = &story.steps[read].does else { return None };
    let stored = last_write(story, read, cell).filter(|(_, to)| to.is_object(object));
    Some(Pointer { read, cell, stored: stored.map(|(step, _)| step) })
}

/// The last step before this one that took a mutex.
#[must_use]
pub fn taken(story: &Story, before: usize, mutex: &str) -> Option<usize> {
    let takes = |step: &ToldStep| matches!(&step.does, Some(Does::Lock(taken)) if taken == mutex);
    story.steps[..before].iter().rposition(takes)
}

/// Which steps follow from which, as far as a reader of the story asks: how what went wrong came about, and
/// who started whom.
#[must_use]
pub fn links(story: &Story) -> Vec<Link> {
    let mut links = runs(story);
    let Some(hazard) = &story.hazard else { return links };
    if !hazard.at_last_step {
        links.extend(at_rest(story, hazard));
        return links;
    }
    let Some(bad) = story.steps.len().checked_sub(1) else { return links };
    let step = &story.steps[bad];
    let spoken_of = hazard.names();
    let spoken_of: Vec<&str> = spoken_of.iter().map(String::as_str).collect();
    let mut add = |kind, from, to, what: &str| links.push(Link { kind, from, to, what: what.to_owned() });
    if let Some(Does::Lock(mutex)) = &step.does {
        if let Some(from) = taken(story, bad, mutex) {
            add(LinkKind::Changed, from, bad, mutex);
        }
        return links;
    }
    if let Some(gone) = gone(story, bad, &spoken_of).or_else(|| gone(story, bad, &step.names())) {
        add(LinkKind::Ended, gone.step, bad, gone.object);
        if let Some(pointer) = pointer(story, bad, step.actor, gone.object) {
            add(LinkKind::Carried, pointer.read, bad, gone.object);
            if let Some(stored) = pointer.stored {
                add(LinkKind::Stored, stored, pointer.read, pointer.cell);
            }
        }
        return links;
    }
    let mut cells: Vec<&str> = Vec::new();
    for name in step.names().into_iter().chain(spoken_of) {
        if !cells.contains(&name) {
            cells.push(name);
        }
    }
    for cell in cells {
        if let Some((from, _)) = last_write(story, bad, cell) {
            add(LinkKind::Changed, from, bad, cell);
        }
    }
    links
}

/// What brought about a hazard that is one of the end: the last changes of what it speaks of, of a cell or else of what
/// belongs to an object; and who overwrote the pointer that is to blame.
fn at_rest(story: &Story, hazard: &ToldHazard) -> Vec<Link> {
    // These have steps of their own at the end.
    if matches!(hazard.breach, Breach::Deadlock(_) | Breach::Race(_) | Breach::Cycle(_) | Breach::SetUpWaits)
    {
        return Vec::new();
    }
    let mut links: Vec<Link> = Vec::new();
    let mut add = |found: Option<(usize, &str)>| {
        if let Some((from, what)) = found.filter(|(from, _)| links.iter().all(|link| link.from != *from)) {
            links.push(Link { kind: LinkKind::Changed, from, to: story.steps.len(), what: what.to_owned() });
        }
    };
    let last = |is_it: &dyn Fn(&Change) -> bool| {
        let steps = story.steps.iter().enumerate().rev();
        steps
            .filter_map(|(number, step)| {
                Some((number, step.changes.iter().find(|change| is_it(change))?.cell.as_str()))
            })
            .next()
    };
    let blamed = match &hazard.breach {
        Breach::Program(told) => match &told.blame {
            Blame::Overwritten(object, _) => Some(object),
            Blame::Unknown | Blame::NotRun => None,
        },
        _ => None,
    };
    if let Some(object) = blamed {
        add(last(&|change| change.from.is_object(object) && !change.to.is_object(object)));
    }
    let names = hazard.names();
    for name in &names {
        let changed =
            last(&|change| change.cell == *name).or_else(|| last(&|change| is_part_of(name, &change.cell)));
        add(changed.or_else(|| Some((taken(story, story.steps.len(), name)?, name.as_str()))));
    }
    links
}

/// Who started whom, and which run of a work item comes from which queueing.
fn runs(story: &Story) -> Vec<Link> {
    let mut links = Vec::new();
    for (from, step) in story.steps.iter().enumerate() {
        let after = || story.steps.iter().enumerate().skip(from + 1);
        if let Some(started) = step.started
            && let Some((to, _)) = after().find(|(_, other)| other.actor == started)
        {
            links.push(Link { kind: LinkKind::Started, from, to, what: story.actors[started].name.clone() });
        }
        if let Some(Does::Queue(work)) = &step.does
            && step.observed.is_none()
        {
            // Up to the next queueing: a run belongs to the last one before it.
            let next = after().find_map(|(to, other)| match &other.does {
                Some(Does::Take(taken)) if taken == work => Some(Some(to)),
                Some(Does::Cancel(taken)) if taken == work => Some(None),
                _ => None,
            });
            if let Some(to) = next.flatten() {
                links.push(Link { kind: LinkKind::Queued, from, to, what: work.clone() });
            }
        }
    }
    links
}
