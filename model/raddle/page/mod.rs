//! A run as one HTML page that needs nothing else: a table of verdicts, and for each violation its
//! diagram, an explanation, and lanes to step through with memory, mutexes and the model's source.
//!
//! All that the script shows is data of the page; without the script the diagrams remain.

use indexmap::{IndexMap, IndexSet};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::{Value, json};

use crate::coverage::function_steps;
use crate::dumped::DumpedTrace;
use crate::report::Report;
use crate::scenario::Scenario;
use raddle_checker::Violation;
use raddle_checker::render::{
    DiagramOptions, blocked_words, diagram, explain, hazard_words, ready_words, step_words,
};
use raddle_checker::story::{Call, Scene, ToldStep};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// So many states of a scenario are explored for the automata of its functions.
const AUTOMATON_STATES: usize = 50_000;

/// Gives a line of the model's source by its place.
type SourceLine<'s> = &'s dyn Fn(&str) -> Option<&'static str>;

/// The steps of each function, by its name: where each is, and what it does.
type Functions = IndexMap<String, IndexSet<(String, String)>>;

/// The page of a run; `source_line` gives a line of the model's source by its place, such as
/// `model/driver_core/dd.rs:12`.
///
/// # Errors
///
/// A trace that was just found cannot be replayed: our own mistake, or a scenario that changed.
pub fn page(checked: &[(Scenario, Report)], source_line: SourceLine<'_>) -> Result<String, String> {
    let mut sections = Vec::new();
    let mut violations = Vec::new();
    let mut functions = Functions::new();
    for (scenario, report) in checked {
        for violation in &report.violations {
            violations.push(violation_data(scenario, report, violation, source_line)?);
            sections.push(section(violations.len(), report, violation));
        }
        // After a set-up that goes wrong nothing was explored: of its functions only its own steps are known.
        let in_set_up = report.violations.iter().filter(|violation| violation.in_set_up);
        for story in in_set_up.clone().map(|violation| &violation.story) {
            for step in &story.steps {
                let name = step.stack.last().map_or("", |call| call.name.as_str());
                let words = step_words(story, step);
                functions.entry(name.to_owned()).or_default().insert((step.at.to_string(), words));
            }
        }
        if report.violations.len() > in_set_up.count() {
            for (name, steps) in function_steps(scenario, &report.revision, AUTOMATON_STATES)? {
                functions.entry(name).or_default().extend(steps);
            }
        }
    }
    functions.values_mut().for_each(IndexSet::sort_unstable);
    let data = json!({ "violations": violations, "functions": functions }).to_string();
    // Nothing in a script's data may look like the end of the script.
    let data = data.replace('<', "\\u003c");
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "raddle: " (checked.len()) " rows" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    h1 { "raddle" }
                    (verdicts(checked))
                    @for section in &sections { (section) }
                }
                script type="application/json" id="data" { (PreEscaped(data)) }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    Ok(page.into_string() + "\n")
}

fn verdicts(checked: &[(Scenario, Report)]) -> Markup {
    let mut number = 0;
    let mut link = || {
        number += 1;
        format!("#v{number}")
    };
    html! {
        div .wide tabindex="0" role="region" aria-label="Verdicts" {
            table {
                caption { "Verdicts" }
                thead { tr {
                    @for head in ["scenario", "revision", "verdict", "as expected", "covered"] {
                        th scope="col" { (head) }
                    }
                } }
                tbody {
                    @for (_, report) in checked {
                        tr {
                            th scope="row" { (report.scenario) }
                            td { (report.revision) }
                            td {
                                (report.verdict.name())
                                @for (place, violation) in report.violations.iter().enumerate() {
                                    @if place == 0 { ": " } @else { ", " }
                                    a href=(link()) { (violation.id) }
                                }
                            }
                            td { @if report.as_expected() { "yes" } @else { span .bad { "no" } } }
                            td {
                                (report.guarantee)
                                @for warning in &report.warnings { br; "Warning: " (warning) "." }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn section(number: usize, report: &Report, violation: &Violation) -> Markup {
    let hazard = hazard_words(&violation.story);
    html! {
        section .violation id={ "v" (number) } aria-labelledby={ "h" (number) } {
            h2 id={ "h" (number) } { (violation.id) " on " (report.revision) }
            p { (report.scenario) ": " (report.title) }
            p .bad { (hazard) "." }
            p { (explain(&violation.story)) }
            details open {
                summary { "Diagram" }
                div .wide tabindex="0" role="region" aria-label="Diagram" {
                    pre { (diagram(&violation.story, &DiagramOptions::default())) }
                }
            }
            h3 { "Step by step" }
            p { "Arrow keys, Home and End move while the focus is here." }
            p { button .back type="button" { "Back" } " " button .next type="button" { "Next" } }
            p aria-live="polite" {}
            div .stepper {
                div { div .lanes tabindex="0" role="region" aria-label="Tasks" {} }
                div {
                    h4 { "Where" }
                    p .place {}
                    pre .source {}
                    h4 { "Mutexes" }
                    ul .locks {}
                    h4 { "Tasks from here" }
                    ul .ready {}
                    details open {
                        summary { "Memory" }
                        table {
                            thead { tr { th scope="col" { "cell" } th scope="col" { "value" } } }
                            tbody .memory {}
                        }
                    }
                    details {
                        summary { "All steps of this function" }
                        ul .automaton {}
                    }
                }
            }
        }
    }
}

fn violation_data(
    scenario: &Scenario,
    report: &Report,
    violation: &Violation,
    source_line: SourceLine<'_>,
) -> Result<Value, String> {
    let story = &violation.story;
    let trace = DumpedTrace::new(scenario, report, violation);
    let scenes = trace.scenes()?;
    let last = story.steps.len().saturating_sub(1);
    let bad = story.hazard.as_ref().is_some_and(|hazard| hazard.at_last_step);
    let steps = story.steps.iter().enumerate().map(|(number, step)| {
        json!({
            "actor": step.actor,
            "stack": step.stack.iter().map(Call::to_string).collect::<Vec<_>>(),
            "words": step_words(story, step),
            "at": step.at.to_string(),
            "source": source(step, source_line),
            "bad": bad && number == last,
        })
    });
    Ok(json!({
        "actors": story.actors.iter().map(|actor| &actor.name).collect::<Vec<_>>(),
        "hazard": story.hazard.as_ref().map(|_| hazard_words(story)),
        "steps": steps.collect::<Vec<_>>(),
        "scenes": deltas(&scenes),
    }))
}

/// The line of source of a step, `+` before it if a patch has added it.
fn source(step: &ToldStep, source_line: SourceLine<'_>) -> String {
    let mark = if step.at.added { "+ " } else { "" };
    let own = || source_line(&step.at.to_string()).unwrap_or("");
    format!("{mark}{}", step.at.text.as_deref().unwrap_or_else(own))
}

/// Scenes whose memory is what differs from the scene before; a cell that is gone has the value null.
fn deltas(scenes: &[Scene]) -> Vec<Value> {
    let mut before: IndexMap<&str, String> = IndexMap::new();
    let mut deltas = Vec::with_capacity(scenes.len());
    for scene in scenes {
        let now: IndexMap<&str, String> =
            scene.memory.iter().map(|(cell, value)| (cell.as_str(), value.to_string())).collect();
        let set = now.iter().filter(|(cell, value)| before.get(*cell) != Some(value));
        let gone = before.keys().filter(|cell| !now.contains_key(*cell));
        let memory: Vec<Value> = set
            .map(|(cell, value)| json!([cell, value]))
            .chain(gone.map(|cell| json!([cell, null])))
            .collect();
        deltas.push(json!({
            "memory": memory,
            "locks": scene.locks,
            "ready": scene.ready.iter().map(|ready| (&ready.actor, ready_words(ready))).collect::<Vec<_>>(),
            "waiting": (scene.waiting.iter())
                .map(|blocked| (&blocked.actor, blocked_words(blocked)))
                .collect::<Vec<_>>(),
        }));
        before = now;
    }
    deltas
}
