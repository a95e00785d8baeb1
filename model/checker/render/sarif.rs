//! Violations as SARIF 2.1.0 (OASIS), for tools that show analysis results beside the source.
//!
//! One result a hazard. It is located at the call in the scenario that goes wrong; the related location is the line of
//! the bad step, in the model's source or in the text that it interprets. Its code flow has one thread flow for each
//! task, and the global number of each step as its `executionOrder`. A hazard that the scenario expects is a note, any
//! other one an error. The fingerprint does not depend on paths, lines or the run. Left out: artifacts, graphs.

use indexmap::IndexSet;
use serde_json::{Map, Value, json};

use super::Unreadable;
use super::explain::{explain, place_of};
use super::lines::{bad_step, is_deadlock};
use super::sentences::hazard_words;
use super::text::Heading;
use super::words::words;
use super::wrap::ascii;
use crate::machine::hazard::Property;
use crate::story::{StepKind, Story, ToldHazard, ToldStep};

/// A log with one run and one result for each violation, with a line feed at its end. `rules`: what hazards mean;
/// `unreadable`: what is wrong with inputs that could not be checked.
#[must_use]
pub fn sarif(violations: &[(Heading<'_>, &Story)], rules: &[Property], unreadable: &[Unreadable]) -> String {
    let ids: IndexSet<&str> = violations.iter().map(|(heading, _)| heading.hazard).collect();
    let rules: Vec<Value> = ids.iter().map(|id| self::rule(id, rules)).collect();
    let results: Vec<Value> = violations
        .iter()
        .map(|(heading, story)| result(heading, story, ids.get_index_of(heading.hazard)))
        .collect();
    let component = json!({
        "name": "raddle",
        "version": env!("CARGO_PKG_VERSION"),
        "rules": rules,
    });
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": component },
            "columnKind": "utf16CodeUnits",
            "invocations": [{
                "executionSuccessful": unreadable.is_empty(),
                "toolExecutionNotifications": unreadable.iter().map(notification).collect::<Vec<_>>(),
            }],
            "results": results,
        }],
    });
    format!("{log:#}\n")
}

/// A hazard, with what it means if that is known.
fn rule(id: &str, rules: &[Property]) -> Value {
    let mut rule = json!({ "id": ascii(id) });
    if let Some(known) = rules.iter().find(|known| known.id == id) {
        let meaning = ascii(known.meaning);
        rule["shortDescription"] = json!({ "text": format!("{meaning}.") });
        rule["help"] = json!({
            "text": format!("{id}: {meaning}. docs/hazards.md has its exact meaning, raddle list hazards all of them."),
        });
    }
    rule
}

/// An input that could not be checked.
fn notification(unreadable: &Unreadable) -> Value {
    json!({
        "level": "error",
        "message": { "text": ascii(&unreadable.why) },
        "locations": [{ "physicalLocation": { "artifactLocation": { "uri": uri(&unreadable.path) } } }],
    })
}

fn result(heading: &Heading<'_>, story: &Story, rule: Option<usize>) -> Value {
    let text = if story.hazard.is_some() { hazard_words(story) } else { heading.title.to_owned() };
    let bad = bad_step(story).filter(|_| !is_deadlock(story));
    let place = bad.map_or(String::new(), |number| {
        let step = &story.steps[number];
        format!(" The bad step is \"{}\" by {}.", words(story, step, true).join("; "), place_of(story, step))
    });
    let message = format!("{}.{place} {}", text.trim_end_matches('.'), explain(story));
    let mut result = Map::new();
    result.insert("ruleId".to_owned(), json!(ascii(heading.hazard)));
    result.insert("ruleIndex".to_owned(), json!(rule));
    result.insert("level".to_owned(), json!(if heading.expected { "note" } else { "error" }));
    result.insert("message".to_owned(), json!({ "text": ascii(message.trim_end()) }));
    if let Some(step) = story.steps.last() {
        // What no call of it does is the whole scenario's.
        let line = heading.line.unwrap_or(1);
        let scenario = json!({
            "artifactLocation": { "uri": uri(heading.scenario) },
            "region": { "startLine": line },
        });
        result.insert("locations".to_owned(), json!([{ "physicalLocation": scenario }]));
        let mut related = location(step);
        related["id"] = json!(1);
        related["message"] = json!({ "text": ascii(&words(story, step, true).join(", ")) });
        result.insert("relatedLocations".to_owned(), json!([related]));
        result.insert("codeFlows".to_owned(), json!([{ "threadFlows": thread_flows(story) }]));
    }
    let names = story.hazard.as_ref().map(ToldHazard::names).unwrap_or_default();
    let print = [heading.title, heading.revision, heading.hazard, &names.join(" ")].join("|");
    result.insert("partialFingerprints".to_owned(), json!({ "raddleHazard/v1": ascii(&print) }));
    let properties = json!({
        "scenario": ascii(heading.scenario),
        "title": ascii(heading.title),
        "revision": ascii(heading.revision),
        "others": heading.others,
        "guarantee": ascii(heading.guarantee),
    });
    result.insert("properties".to_owned(), properties);
    Value::Object(result)
}

/// One flow for each task that took a step.
fn thread_flows(story: &Story) -> Vec<Value> {
    let mut flows = Vec::new();
    for (number, actor) in story.actors.iter().enumerate() {
        let mine = story.steps.iter().enumerate().filter(|(_, step)| step.actor == number);
        let locations: Vec<Value> = mine.map(|(order, step)| flow_location(story, order, step)).collect();
        if !locations.is_empty() {
            let id = format!("{number}: {}", ascii(&actor.name));
            flows
                .push(json!({ "id": id, "message": { "text": ascii(&actor.name) }, "locations": locations }));
        }
    }
    flows
}

fn flow_location(story: &Story, number: usize, step: &ToldStep) -> Value {
    let bad = bad_step(story) == Some(number);
    let mut kinds = match step.kind {
        StepKind::Lock => vec!["acquire", "lock"],
        StepKind::Unlock => vec!["release", "lock"],
        StepKind::Choice => vec!["branch"],
        StepKind::Spawn => vec!["call"],
        StepKind::Read | StepKind::Write => vec!["memory"],
    };
    if bad {
        kinds.push("danger");
    }
    let mut location = location(step);
    location["message"] = json!({ "text": ascii(&words(story, step, true).join(", ")) });
    json!({
        "location": location,
        "stack": { "frames": step.stack.iter().rev().map(|call| json!({
            "location": { "logicalLocations": [{ "fullyQualifiedName": ascii(&call.to_string()) }] },
        })).collect::<Vec<_>>() },
        "kinds": kinds,
        "nestingLevel": step.stack.len(),
        "executionOrder": number + 1,
        "importance": if bad { "essential" } else { "important" },
    })
}

/// Where the model says what the step does.
fn location(step: &ToldStep) -> Value {
    let mut physical = json!({ "artifactLocation": { "uri": uri(&step.at.file) } });
    if step.at.line > 0 {
        physical["region"] = json!({ "startLine": step.at.line });
        if let Some(text) = &step.at.text {
            physical["region"]["snippet"] = json!({ "text": ascii(text) });
        }
    }
    let mut location = json!({ "physicalLocation": physical });
    if step.at.added {
        location["properties"] = json!({ "added": true });
    }
    location
}

/// A URI of a file, relative if its path is: other characters than these are percent-encoded.
fn uri(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-~".contains(&byte);
    let encoded: String = path
        .bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect();
    if path.starts_with('/') { format!("file://{encoded}") } else { encoded }
}
