//! What the page's script draws: stories, memory and sources as compact data. Strings stand in a table, steps
//! in columns, memory as what differs from one place of the run to the next.

use indexmap::{IndexMap, IndexSet};
use serde_json::{Value, json};

use raddle_checker::render::{
    awaited_words, blocked_words, does_words, hazard_words, ready_words, step_words,
};
use raddle_checker::story::links::{links, taken};
use raddle_checker::story::{Blocked, Call, Scene, Shown, Story, Value as Told, WaitFor};

/// Strings by number, each once.
#[derive(Default)]
pub(super) struct Strings(IndexSet<String>);

impl Strings {
    /// The number of a string.
    pub(super) fn number(&mut self, text: impl Into<String>) -> usize {
        self.0.insert_full(text.into()).0
    }

    /// All of them, in order.
    pub(super) fn all(&self) -> Value {
        json!(self.0)
    }

    fn calls(&mut self, stack: &[Call]) -> Vec<usize> {
        stack.iter().map(|call| self.number(call.to_string())).collect()
    }
}

/// A story: tasks, steps, locks, waits, and which step follows from which. `told`: which steps are shown
/// while the rest is folded.
pub(super) fn story_data(story: &Story, scenes: &[Scene], told: &[bool], strings: &mut Strings) -> Value {
    let mut stacks: IndexSet<Vec<usize>> = IndexSet::new();
    let mut in_stack = Vec::new();
    for step in &story.steps {
        let calls = strings.calls(&step.stack);
        in_stack.push(stacks.insert_full(calls).0);
    }
    let column = |of: &dyn Fn(usize) -> Value| (0..story.steps.len()).map(of).collect::<Vec<_>>();
    let words: Vec<usize> = story.steps.iter().map(|step| strings.number(step_words(story, step))).collect();
    let files: Vec<usize> = story.steps.iter().map(|step| strings.number(step.at.file.clone())).collect();
    let texts: Vec<Option<usize>> = (story.steps.iter())
        .map(|step| step.at.text.as_ref().map(|text| strings.number(text.clone())))
        .collect();
    let mut data = json!({
        "actors": story.actors.iter().map(|actor| strings.number(actor.name.clone())).collect::<Vec<_>>(),
        "actor": column(&|step| json!(story.steps[step].actor)),
        "stacks": stacks,
        "stack": in_stack,
        "words": words,
        "file": files,
        "line": column(&|step| json!(story.steps[step].at.line)),
        "folded": numbers(told, false),
        "links": links(story).iter()
            .map(|link| json!([link.kind.name(), link.from, link.to, strings.number(link.what.clone())]))
            .collect::<Vec<_>>(),
    });
    // What most stories do not have.
    let mut put = |key: &str, value: Value| {
        if value.as_array().is_none_or(|values| !values.is_empty()) && !value.is_null() {
            data[key] = value;
        }
    };
    if texts.iter().any(Option::is_some) {
        put("text", json!(texts));
    }
    put("added", json!(numbers(&story.steps.iter().map(|step| step.at.added).collect::<Vec<_>>(), true)));
    put("cycle", json!(story.cycle));
    if let Some(hazard) = &story.hazard {
        put("id", json!(hazard.id));
        put("hazard", json!(hazard_words(story)));
        put("bad", json!(hazard.at_last_step.then(|| story.steps.len() - 1)));
    }
    let waiting: Vec<Value> = (story.waiting.iter())
        .map(|wait| {
            let mutex = if let WaitFor::Lock(mutex) = &wait.on { Some(mutex) } else { None };
            json!({
                "actor": wait.actor,
                "calls": strings.calls(&wait.stack),
                "words": strings.number(format!("waits for {}", awaited_words(&wait.on))),
                "bad": wait.deadlocked,
                "taken": mutex.and_then(|mutex| taken(story, story.steps.len(), mutex)),
            })
        })
        .collect();
    put("waiting", json!(waiting));
    let racing: Vec<Value> = (story.racing.iter())
        .map(|race| {
            let how = if race.plain { "plain" } else { "atomic" };
            let words = format!("{} ({how})", does_words(&(race.does.clone(), race.under.clone())));
            let (calls, words) = (strings.calls(&race.stack), strings.number(words));
            json!({ "actor": race.actor, "calls": calls, "words": words, "bad": true })
        })
        .collect();
    put("racing", json!(racing));
    put("locks", json!(locks(story, scenes, strings)));
    put("waits", json!(waits(story, scenes, strings)));
    data
}

/// Where the given value stands.
fn numbers(flags: &[bool], value: bool) -> Vec<usize> {
    flags.iter().enumerate().filter(|(_, flag)| **flag == value).map(|(number, _)| number).collect()
}

fn actor_of(story: &Story, name: &str) -> Option<usize> {
    story.actors.iter().position(|actor| actor.name == name)
}

/// Who holds which mutex over which steps: the actor, the mutex, the step that takes it, the one that
/// releases it, or the number of steps if it is held at the end.
fn locks(story: &Story, scenes: &[Scene], strings: &mut Strings) -> Vec<Value> {
    let held = |scene: &Scene| scene.locks.clone();
    spans(scenes, held, |(mutex, holder), from, to| {
        Some(json!([actor_of(story, &holder)?, strings.number(mutex), from, to]))
    })
}

/// Who waits for what over which steps: the actor, what it waits for in words, the mutex if it is one, the
/// step after which the wait begins, the one that ends it.
fn waits(story: &Story, scenes: &[Scene], strings: &mut Strings) -> Vec<Value> {
    let blocked = |scene: &Scene| {
        let wait = |wait: &Blocked| (wait.actor.clone(), wait.on.clone());
        scene.waiting.iter().map(wait).collect::<Vec<_>>()
    };
    spans(scenes, blocked, |(waiter, on), from, to| {
        let words = strings.number(awaited_words(&on));
        let mutex = if let WaitFor::Lock(mutex) = on { Some(strings.number(mutex)) } else { None };
        Some(json!([actor_of(story, &waiter)?, words, mutex, from, to]))
    })
}

/// Over which steps what is seen in scenes stays.
fn spans<T: Clone + Eq>(
    scenes: &[Scene],
    seen: impl Fn(&Scene) -> Vec<T>,
    mut told: impl FnMut(T, usize, usize) -> Option<Value>,
) -> Vec<Value> {
    let mut open: Vec<(T, usize)> = Vec::new();
    let mut spans = Vec::new();
    for (place, scene) in scenes.iter().enumerate() {
        let now = seen(scene);
        let (stays, over): (Vec<_>, Vec<_>) = open.into_iter().partition(|(one, _)| now.contains(one));
        // The scene of a place is that after the step before it.
        spans.extend(over.into_iter().filter_map(|(one, from)| told(one, from, place - 1)));
        open = stays;
        for one in now {
            if !open.iter().any(|(other, _)| *other == one) {
                open.push((one, place.saturating_sub(1)));
            }
        }
    }
    let end = scenes.len().saturating_sub(1);
    spans.extend(open.into_iter().filter_map(|(one, from)| told(one, from, end)));
    spans
}

/// Memory over a run: the cells that matter to a reader, and their values by place of the run.
pub(super) fn memory_data(story: &Story, scenes: &[Scene], strings: &mut Strings) -> Value {
    let named: Vec<String> = (story.hazard.iter())
        .flat_map(|hazard| hazard.names())
        .chain(story.steps.last().into_iter().flat_map(|step| step.names().into_iter().map(str::to_owned)))
        .collect();
    // A pointer and what it points to may have one name: a cell is known by its object and its name.
    let key = |shown: &'_ Shown| (shown.object.clone(), shown.cell.clone());
    let mut first: IndexMap<(String, String), (&Shown, bool)> = IndexMap::new();
    for shown in scenes.iter().flat_map(|scene| &scene.memory) {
        let (was, changes) = first.entry(key(shown)).or_insert((shown, false));
        *changes |= was.value != shown.value;
    }
    // A cell that is there for a part of the run only changes too.
    for scene in scenes {
        let there: IndexSet<(String, String)> = scene.memory.iter().map(key).collect();
        for (cell, (_, changes)) in &mut first {
            *changes |= !there.contains(cell);
        }
    }
    let objects: IndexSet<&str> = (first.values())
        .filter(|(shown, changes)| *changes || named.contains(&shown.object) || named.contains(&shown.cell))
        .map(|(shown, _)| shown.object.as_str())
        .collect();
    let kept: Vec<(&(String, String), &Shown)> = (first.iter())
        .filter(|(_, (shown, changes))| {
            let points = matches!(&shown.value, Told::Object(to) if objects.contains(to.as_str()));
            objects.contains(shown.object.as_str())
                && (*changes || points || named.contains(&shown.cell) || shown.cell == shown.object)
        })
        .map(|(cell, (shown, _))| (cell, *shown))
        .collect();
    let cells: Vec<Value> = (kept.iter())
        .map(|(_, shown)| {
            let rest = shown.cell.strip_prefix(&*shown.object).unwrap_or(&shown.cell);
            json!([strings.number(shown.object.clone()), strings.number(rest.trim_start_matches('.'))])
        })
        .collect();
    let mut values: Vec<&Told> = Vec::new();
    let mut before: IndexMap<(String, String), &Told> = IndexMap::new();
    let mut deltas = Vec::new();
    for scene in scenes {
        let now: IndexMap<(String, String), &Told> =
            scene.memory.iter().map(|shown| (key(shown), &shown.value)).collect();
        let mut delta: Vec<i64> = Vec::new();
        for (number, (cell, _)) in kept.iter().enumerate() {
            match (before.get(*cell), now.get(*cell)) {
                (old, Some(new)) if old != Some(new) => {
                    let place = values.iter().position(|known| known == new).unwrap_or_else(|| {
                        values.push(new);
                        values.len() - 1
                    });
                    delta.extend([number as i64, place as i64]);
                }
                (Some(_), None) => delta.extend([number as i64, -1]),
                _ => {}
            }
        }
        deltas.push(delta);
        before = now;
    }
    let values: Vec<Value> = values.into_iter().map(|of| value(of, strings)).collect();
    json!({ "cells": cells, "values": values, "deltas": deltas })
}

/// A value: its text, and the objects that it points to or lists.
fn value(value: &Told, strings: &mut Strings) -> Value {
    let to: Vec<String> = match value {
        Told::Object(object) => vec![object.clone()],
        Told::Members(members) => members.iter().map(|member| member.name.clone()).collect(),
        Told::Nothing
        | Told::Null
        | Told::Bool(_)
        | Told::Number(_)
        | Told::References(_)
        | Told::Name(_)
        | Told::Life(_)
        | Told::Work { .. } => Vec::new(),
    };
    let life = if let Told::Life(life) = value { Some(json!(life)) } else { None };
    let text = strings.number(value.to_string());
    match (life, to.is_empty()) {
        (Some(life), _) => json!({ "text": text, "life": life }),
        (None, true) => json!({ "text": text }),
        (None, false) => {
            json!({ "text": text, "to": to.into_iter().map(|to| strings.number(to)).collect::<Vec<_>>() })
        }
    }
}

/// What each task could do at each place of a run, or waits for: by task, where that differs from the place
/// before.
pub(super) fn tasks_data(scenes: &[Scene], strings: &mut Strings) -> Value {
    let mut before: IndexMap<usize, (usize, bool)> = IndexMap::new();
    let mut deltas = Vec::new();
    for scene in scenes {
        let mut now: IndexMap<usize, (usize, bool)> = IndexMap::new();
        for ready in &scene.ready {
            now.insert(strings.number(ready.actor.clone()), (strings.number(ready_words(ready)), true));
        }
        for blocked in &scene.waiting {
            now.insert(
                strings.number(blocked.actor.clone()),
                (strings.number(blocked_words(blocked)), false),
            );
        }
        let mut delta: Vec<Value> = Vec::new();
        for (task, (words, ready)) in &now {
            if before.get(task) != Some(&(*words, *ready)) {
                delta.push(json!([task, words, u8::from(*ready)]));
            }
        }
        delta.extend(before.keys().filter(|task| !now.contains_key(*task)).map(|task| json!([task])));
        deltas.push(delta);
        before = now;
    }
    json!(deltas)
}
