//! A story as ITF JSON, Apalache's Informal Trace Format, for its viewers.
//!
//! Variables are the cells that change in the story, as strings. Identifiers cannot contain dots, so
//! `#meta` maps each to the cell's name; what a step does is in its state's `#meta`.

use indexmap::{IndexMap, IndexSet};
use serde_json::{Map, Value, json};

use super::sentences::hazard_words;
use super::words::{actor, words};
use super::wrap::ascii;
use crate::story::{Call, Story};

/// The story as ITF, with a line feed at its end. `scenario` is its source, for `#meta`.
#[must_use]
pub fn itf(story: &Story, scenario: &str) -> String {
    let cells = identifiers(story);
    let mut values: Map<String, Value> = Map::new();
    for change in story.steps.iter().flat_map(|step| &step.changes) {
        let variable = &cells[change.cell.as_str()];
        if !values.contains_key(variable) {
            values.insert(variable.clone(), json!(ascii(&change.from.to_string())));
        }
    }
    let mut states = vec![state(json!({ "index": 0 }), &values)];
    for (number, step) in story.steps.iter().enumerate() {
        for change in &step.changes {
            values.insert(cells[change.cell.as_str()].clone(), json!(ascii(&change.to.to_string())));
        }
        let meta = json!({
            "index": number + 1,
            "actor": ascii(actor(story, step.actor)),
            "in": ascii(&step.stack.last().map_or(String::new(), Call::to_string)),
            "action": ascii(&words(story, step, true).join(", ")),
            "at": ascii(&step.at.to_string()),
        });
        states.push(state(meta, &values));
    }
    let types: Map<String, Value> = cells.values().map(|name| (name.clone(), json!("Str"))).collect();
    let origin: Map<String, Value> =
        cells.iter().map(|(cell, name)| (name.clone(), json!(ascii(cell)))).collect();
    let trace = json!({
        "#meta": {
            "format": "ITF",
            "format-description": "https://apalache-mc.org/docs/adr/015adr-trace.html",
            "status": if story.hazard.is_some() { "violation" } else { "ok" },
            "violated": story.hazard.as_ref().map(|hazard| ascii(&hazard.id)),
            "description": story.hazard.as_ref().map(|_| ascii(&hazard_words(story))),
            "scenario": ascii(scenario),
            "varTypes": types,
            "cells": origin,
        },
        "vars": cells.values().collect::<Vec<_>>(),
        "states": states,
    });
    format!("{trace:#}\n")
}

fn state(meta: Value, values: &Map<String, Value>) -> Value {
    let mut state = Map::new();
    state.insert("#meta".to_owned(), meta);
    state.extend(values.clone());
    Value::Object(state)
}

/// An identifier for each cell that changes, in the order of the first changes.
fn identifiers(story: &Story) -> IndexMap<&str, String> {
    let mut taken: IndexSet<String> = IndexSet::new();
    let mut cells = IndexMap::new();
    for change in story.steps.iter().flat_map(|step| &step.changes) {
        if cells.contains_key(change.cell.as_str()) {
            continue;
        }
        let valid = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let mut name: String = change.cell.chars().map(valid).collect();
        if !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            name.insert(0, '_');
        }
        // A name that another cell has already gets the first number that is free.
        let numbered = (2..).map(|n| format!("{name}_{n}"));
        let free = std::iter::once(name.clone()).chain(numbered).find(|name| !taken.contains(name));
        let free = free.expect("internal: there is always another number");
        taken.insert(free.clone());
        cells.insert(change.cell.as_str(), free);
    }
    cells
}
