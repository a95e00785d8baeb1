//! A story as lines, each of one actor: functions as they are entered, then what the steps did.
//!
//! Folding leaves out steps that the hazard does not need (the story knows which), and of the others
//! those that decide nothing: never one that changes anything, takes or releases a lock, starts a task,
//! chooses, waits, or is the last of its actor; and never one of which the explanation speaks, or the last
//! one that changed what the hazard names.

use std::collections::BTreeSet;

use rustc_hash::FxHashSet;

use super::diagram::DiagramOptions;
use super::explain::spoken_of;
use super::sentences::{awaited_words, racing, source};
use super::words::words;
use crate::machine::hazard::id;
use crate::story::{Call, Does, Source, StepKind, Story, ToldHazard, ToldStep, WaitFor, Waiting, is_part_of};

/// So many steps at the end are always told.
const LAST_STEPS: usize = 3;

/// So many steps of one actor that are left out in a row are shown as an ellipsis.
const ELLIPSIS: usize = 3;

/// A line of one actor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Whose it is.
    pub(super) actor: usize,
    /// How deep it is nested.
    pub(super) depth: usize,
    /// What it says.
    pub(super) text: String,
    /// What is written after the `^^^` below it, if it is marked.
    pub(super) mark: Option<String>,
    /// Whether it only adds to the one before: no column is made wider for it.
    pub(super) aside: bool,
}

/// Whether the story ends because tasks wait for each other, so that their waits are what is bad.
pub(super) fn is_deadlock(story: &Story) -> bool {
    let told = story.hazard.as_ref().is_some_and(|hazard| hazard.id == id::DEADLOCK);
    told && story.waiting.iter().any(|wait| wait.deadlocked)
}

/// The tasks that wait for each other.
pub(super) fn deadlocked(story: &Story) -> impl Iterator<Item = &Waiting> {
    story.waiting.iter().filter(|wait| wait.deadlocked)
}

/// The step that raised the hazard.
pub(super) fn bad_step(story: &Story) -> Option<usize> {
    let raised = story.hazard.as_ref().is_some_and(|hazard| hazard.at_last_step);
    if raised { story.steps.len().checked_sub(1) } else { None }
}

/// The lines of a story, in order.
pub(super) fn lines(story: &Story, options: &DiagramOptions) -> Vec<Line> {
    let full = options.full;
    let told = if full { vec![true; story.steps.len()] } else { told(story) };
    let bad = if is_deadlock(story) { None } else { bad_step(story) };
    let mut stacks: Vec<(usize, Stack)> = Vec::new();
    let mut lines = Vec::new();
    for (number, step) in story.steps.iter().enumerate() {
        let stack = stack_of(&mut stacks, step.actor);
        stack.go_to(&step.stack);
        if !told[number] {
            stack.left_out += 1;
            continue;
        }
        stack.enter(step.actor, &mut lines);
        let first = lines.len();
        let depth = step.stack.len();
        let line = |text| Line { actor: step.actor, depth, text, mark: None, aside: false };
        lines.extend(words(story, step, full).into_iter().map(line));
        if bad == Some(number) {
            lines[first].mark = story.hazard.as_ref().map(|hazard| match hazard.id.as_str() {
                // Of a task that waits for itself.
                id::DEADLOCK => "waits".to_owned(),
                other => other.to_owned(),
            });
        }
        // Of steps that are made on one line only the first shows it.
        if options.lines.shows(&step.at) && stack.shown.as_ref() != Some(&step.at) {
            let text = source(&step.at);
            lines.push(Line { actor: step.actor, depth: depth + 1, text, mark: None, aside: true });
        }
        stack.shown = Some(step.at.clone());
    }
    for race in &story.racing {
        let stack = stack_of(&mut stacks, race.actor);
        stack.go_to(&race.stack);
        stack.enter(race.actor, &mut lines);
        let mark = story.hazard.as_ref().map(|hazard| hazard.id.clone());
        lines.push(Line {
            actor: race.actor,
            depth: race.stack.len(),
            text: racing(race),
            mark,
            aside: false,
        });
    }
    if is_deadlock(story) {
        for wait in deadlocked(story) {
            let stack = stack_of(&mut stacks, wait.actor);
            stack.go_to(&wait.stack);
            stack.enter(wait.actor, &mut lines);
            let text = match &wait.on {
                WaitFor::Lock(_) => awaited_words(&wait.on),
                other => format!("wait for {}", awaited_words(other)),
            };
            lines.push(Line {
                actor: wait.actor,
                depth: wait.stack.len(),
                text,
                mark: Some("waits".to_owned()),
                aside: false,
            });
        }
    }
    lines
}

/// Where an actor is, and which of its functions have been told.
#[derive(Default)]
struct Stack {
    frames: Vec<(Call, bool)>,
    left_out: usize,
    /// The line of source of the last step that was told.
    shown: Option<Source>,
}

impl Stack {
    fn go_to(&mut self, stack: &[Call]) {
        let known = self.frames.iter().zip(stack).take_while(|((old, _), new)| old == *new).count();
        self.frames.truncate(known);
        self.frames.extend(stack[known..].iter().map(|call| (call.clone(), false)));
    }

    /// Tells the functions that were entered since.
    fn enter(&mut self, actor: usize, lines: &mut Vec<Line>) {
        let mut push = |depth, text| lines.push(Line { actor, depth, text, mark: None, aside: false });
        let inside = self.frames.iter().take_while(|frame| frame.1).count();
        if self.left_out >= ELLIPSIS && inside > 0 {
            push(inside, "...".to_owned());
        }
        self.left_out = 0;
        for (depth, (call, told)) in self.frames.iter_mut().enumerate() {
            if !*told {
                push(depth, call.to_string());
                *told = true;
            }
        }
    }
}

fn stack_of(stacks: &mut Vec<(usize, Stack)>, actor: usize) -> &mut Stack {
    let place = stacks.iter().position(|(other, _)| *other == actor).unwrap_or_else(|| {
        stacks.push((actor, Stack::default()));
        stacks.len() - 1
    });
    &mut stacks[place].1
}

/// How many steps are folded.
pub(super) fn folded(story: &Story, full: bool) -> usize {
    if full { 0 } else { told(story).iter().filter(|told| !**told).count() }
}

/// Which steps are told when the story is folded.
#[must_use]
pub fn told(story: &Story) -> Vec<bool> {
    let spoken_of = spoken_of(story);
    let last = |name: &String| {
        let changes = |step: &ToldStep| step.changes.iter().any(|change| change.cell == *name);
        story.steps.iter().rposition(changes)
    };
    let named = story.hazard.iter().flat_map(ToldHazard::names);
    let last_changes: BTreeSet<usize> = named.filter_map(|name| last(&name)).collect();
    let changed: FxHashSet<&str> =
        story.steps.iter().flat_map(|step| &step.changes).map(|change| change.cell.as_str()).collect();
    let mut ended: FxHashSet<usize> = FxHashSet::default();
    let mut told: Vec<bool> = Vec::with_capacity(story.steps.len());
    for (number, step) in story.steps.iter().enumerate().rev() {
        if spoken_of.contains(&number) || last_changes.contains(&number) {
            ended.insert(step.actor);
            told.push(true);
            continue;
        }
        // Who runs is always told.
        if !step.needed && step.started.is_none() {
            told.push(false);
            continue;
        }
        let last_of_actor = ended.insert(step.actor);
        let last = number + LAST_STEPS >= story.steps.len();
        told.push(last_of_actor || last || !padding(story, step, &changed));
    }
    told.reverse();
    told
}

/// Whether a step only looks, and nothing depends on what it sees; or only counts references.
fn padding(story: &Story, step: &ToldStep, changed: &FxHashSet<&str>) -> bool {
    let counts = matches!(step.does, Some(Does::Get(_) | Does::Put(_)));
    if counts && step.note.is_none() && !step.changes.iter().any(|change| change.needed) {
        return true;
    }
    if step.kind != StepKind::Read || !step.changes.is_empty() || step.started.is_some() {
        return false;
    }
    if let Some(Does::Read(cell)) = &step.does {
        // A cell that nobody changes is no part of a race.
        let named = |name: &String| is_part_of(cell, name);
        let bad = story.hazard.as_ref().is_some_and(|hazard| hazard.names().iter().any(named));
        return step.observed.is_none() || !(bad || changed.contains(cell.as_str()));
    }
    let looks = matches!(
        step.does,
        Some(Does::Use(_) | Does::Leave { .. } | Does::Forget(_) | Does::Wait(WaitFor::LetGo { .. }))
    );
    step.observed.is_none() && looks
}
