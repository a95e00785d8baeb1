//! A run as one HTML page that needs nothing else: a table of verdicts, and for each violation its
//! diagram, an explanation, and lanes to step through with memory, mutexes and the model's source.
//!
//! All that the script shows is data of the page; without the script the diagrams remain.

use std::fmt::Write as _;

use indexmap::{IndexMap, IndexSet};
use serde_json::{Value, json};

use crate::check::{Report, Scenario, Violation, diagram};
use crate::dumped::DumpedTrace;
use crate::embedded::source_line;
use crate::forms::row;
use crate::uses::function_steps;
use raddle_checker::render::{explain, step_words};
use raddle_checker::story::Scene;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// So many states of a scenario are explored for the automata of its functions.
const AUTOMATON_STATES: usize = 50_000;

/// The steps of each function, by its name: where each is, and what it does.
type Functions = IndexMap<String, IndexSet<(String, String)>>;

/// The page of a run.
///
/// # Errors
///
/// A trace that was just found cannot be replayed: our own mistake, or a scenario that changed.
pub fn page(checked: &[(Scenario, Report)]) -> Result<String, String> {
    let mut sections = String::new();
    let mut violations = Vec::new();
    let mut functions = Functions::new();
    for (scenario, report) in checked {
        for violation in &report.violations {
            violations.push(violation_data(scenario, report, violation)?);
            sections.push_str(&section(violations.len(), report, violation));
        }
        // After a set-up that goes wrong nothing was explored: of its functions only its own steps are known.
        let in_set_up = report.violations.iter().filter(|violation| violation.in_set_up);
        for step in in_set_up.clone().flat_map(|violation| &violation.story.steps) {
            let name = step.stack.last().map_or("", |call| call.split('(').next().unwrap_or(""));
            functions.entry(name.to_owned()).or_default().insert((step.at.clone(), step.does.clone()));
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
    Ok(format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>raddle: {} rows</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>raddle</h1>\n{}{sections}</main>\n\
         <script type=\"application/json\" id=\"data\">{data}</script>\n<script>\n{SCRIPT}</script>\n\
         </body>\n</html>\n",
        checked.len(),
        verdicts(checked)
    ))
}

fn verdicts(checked: &[(Scenario, Report)]) -> String {
    let mut out = "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Verdicts\"><table>\n\
                   <caption>Verdicts</caption>\n<thead><tr>"
        .to_owned();
    for head in ["scenario", "revision", "verdict", "as expected", "covered"] {
        put(&mut out, &format!("<th scope=\"col\">{head}</th>"));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    let mut number = 0;
    for (_, report) in checked {
        let row = row(report, false);
        let links: Vec<String> = report
            .violations
            .iter()
            .map(|violation| {
                number += 1;
                format!("<a href=\"#v{number}\">{}</a>", escaped(&violation.id))
            })
            .collect();
        let verdict =
            if links.is_empty() { row.verdict } else { format!("{}: {}", row.verdict, links.join(", ")) };
        put(
            &mut out,
            &format!(
                "<tr><th scope=\"row\">{}</th><td>{}</td><td>{verdict}</td><td>{}</td><td>{}</td></tr>\n",
                escaped(&row.scenario),
                escaped(&row.revision),
                if row.as_expected { "yes" } else { "<span class=\"bad\">no</span>" },
                escaped(&row.guarantee)
            ),
        );
    }
    out.push_str("</tbody></table></div>\n");
    out
}

fn section(number: usize, report: &Report, violation: &Violation) -> String {
    let hazard = violation.story.hazard.as_ref().map_or("", |hazard| hazard.text.as_str());
    let mut out = format!(
        "<section class=\"violation\" id=\"v{number}\" aria-labelledby=\"h{number}\">\n\
         <h2 id=\"h{number}\">{} on {}</h2>\n<p>{}: {}</p>\n<p class=\"bad\">{}.</p>\n<p>{}</p>\n\
         <details open><summary>Diagram</summary><div class=\"wide\" tabindex=\"0\" role=\"region\" \
         aria-label=\"Diagram\"><pre>{}</pre></div></details>\n",
        escaped(&violation.id),
        escaped(&report.revision),
        escaped(&report.scenario),
        escaped(&report.title),
        escaped(hazard),
        escaped(&explain(&violation.story)),
        escaped(&diagram(&violation.story, false)),
    );
    put(
        &mut out,
        "<h3>Step by step</h3>\n<p>Arrow keys, Home and End move while the focus is here.</p>\n\
         <p><button type=\"button\" class=\"back\">Back</button> \
         <button type=\"button\" class=\"next\">Next</button></p>\n\
         <p aria-live=\"polite\"></p>\n<div class=\"stepper\">\n\
         <div><div class=\"lanes\" tabindex=\"0\" role=\"region\" aria-label=\"Tasks\"></div></div>\n\
         <div><h4>Where</h4><p class=\"place\"></p><pre class=\"source\"></pre>\n\
         <h4>Mutexes</h4><ul class=\"locks\"></ul>\n\
         <h4>Tasks from here</h4><ul class=\"ready\"></ul>\n\
         <details open><summary>Memory</summary><table><thead><tr><th scope=\"col\">cell</th>\
         <th scope=\"col\">value</th></tr></thead><tbody class=\"memory\"></tbody></table></details>\n\
         <details><summary>All steps of this function</summary><ul class=\"automaton\"></ul></details>\n\
         </div></div>\n",
    );
    out.push_str("</section>\n");
    out
}

fn violation_data(scenario: &Scenario, report: &Report, violation: &Violation) -> Result<Value, String> {
    let story = &violation.story;
    let trace = DumpedTrace::new(scenario, report, violation);
    let scenes = trace.scenes()?;
    let last = story.steps.len().saturating_sub(1);
    let bad = story.hazard.as_ref().is_some_and(|hazard| hazard.at_last_step);
    let steps = story.steps.iter().enumerate().map(|(number, step)| {
        json!({
            "actor": step.actor,
            "stack": step.stack,
            "words": step_words(story, step),
            "at": step.at,
            "source": source_line(&step.at).unwrap_or(""),
            "bad": bad && number == last,
        })
    });
    Ok(json!({
        "actors": story.actors.iter().map(|actor| &actor.name).collect::<Vec<_>>(),
        "hazard": story.hazard.as_ref().map(|hazard| &hazard.text),
        "steps": steps.collect::<Vec<_>>(),
        "scenes": deltas(&scenes),
    }))
}

/// Scenes whose memory is what differs from the scene before; a cell that is gone has the value null.
fn deltas(scenes: &[Scene]) -> Vec<Value> {
    let mut before: IndexMap<&str, &str> = IndexMap::new();
    let mut deltas = Vec::with_capacity(scenes.len());
    for scene in scenes {
        let now: IndexMap<&str, &str> =
            scene.memory.iter().map(|(cell, value)| (cell.as_str(), value.as_str())).collect();
        let set = now.iter().filter(|(cell, value)| before.get(*cell) != Some(value));
        let gone = before.keys().filter(|cell| !now.contains_key(*cell));
        let memory: Vec<Value> = set
            .map(|(cell, value)| json!([cell, value]))
            .chain(gone.map(|cell| json!([cell, null])))
            .collect();
        deltas.push(json!({
            "memory": memory,
            "locks": scene.locks,
            "ready": scene.ready,
            "waiting": scene.waiting,
        }));
        before = now;
    }
    deltas
}

fn put(out: &mut String, text: &str) {
    out.write_str(text).expect("internal: a string can be written to");
}

/// A text for an element or an attribute.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            _ => out.push(c),
        }
    }
    out
}
