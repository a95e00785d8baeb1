//! A run as one HTML page that needs nothing else: a matrix of verdicts, and for each violation its tasks as
//! lanes to step through, with memory, mutexes, the source, and the same run on another revision.
//!
//! All that the script shows is data of the page. Without the script the matrix and each violation's text
//! remain.

mod data;
mod matrix;

use std::collections::BTreeSet;

use indexmap::IndexMap;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::{Value, json};

use crate::formats::FORMATS;
use crate::report::Report;
use crate::scenario::Scenario;
use data::{Strings, memory_data, story_data, tasks_data};
use matrix::Matrix;
use raddle_checker::Violation;
use raddle_checker::render::{DiagramOptions, explain, hazard_words, retraced_words, told};
use raddle_checker::story::retrace::{Retraced, retrace};
use raddle_checker::story::{Scene, scenes, set_up_scenes};
use raddle_kernel_c::subject::KernelC;
use raddle_probing::program::Probing;

const STYLE: &str = include_str!("style.css");
const SCRIPTS: [&str; 3] = [include_str!("lanes.js"), include_str!("memory.js"), include_str!("page.js")];

/// So many lines of source are shown before and after that of a step.
const LINES_AROUND: u32 = 4;

/// Gives a line of the model's source by its place.
type SourceLine<'s> = &'s dyn Fn(&str) -> Option<&'static str>;

/// A row of a run, with all that the page shows of it.
#[derive(Debug)]
pub struct Row {
    scenario: Scenario,
    report: Report,
    /// By violation.
    runs: Vec<Run>,
}

/// What the page shows of a violation besides its story.
#[derive(Debug)]
struct Run {
    scenes: Vec<Scene>,
    /// The same run on another revision: its name, and how it goes there.
    elsewhere: Option<Elsewhere>,
}

#[derive(Debug)]
struct Elsewhere {
    revision: String,
    retraced: Retraced,
    scenes: Vec<Scene>,
}

impl Row {
    /// A scenario on a revision.
    ///
    /// # Errors
    ///
    /// A run that was just found cannot be repeated: our own mistake.
    pub fn new(scenario: &Scenario, report: Report) -> Result<Self, String> {
        let program = scenario.program(&report.revision).map_err(|error| error.to_string())?;
        Row::of(scenario, report, &program)
    }

    /// A scenario on a kernel's own C.
    ///
    /// # Errors
    ///
    /// As [`Row::new`].
    pub fn on_tree(scenario: &Scenario, report: Report, kernel: &KernelC) -> Result<Self, String> {
        Row::of(scenario, report, &Probing::new(scenario.file().world.clone(), kernel))
    }

    fn of(scenario: &Scenario, report: Report, program: &Probing<'_>) -> Result<Self, String> {
        let run = |violation: &Violation| {
            let scenes = match violation.in_set_up {
                true => set_up_scenes(program).ok_or("the set-up no longer raises its hazard")?,
                false => scenes(program, &violation.schedule).map_err(|error| error.to_string())?,
            };
            Ok(Run { scenes, elsewhere: None })
        };
        let runs = report.violations.iter().map(run).collect::<Result<_, String>>()?;
        Ok(Row { scenario: scenario.clone(), report, runs })
    }

    fn follow(
        &mut self,
        number: usize,
        program: &Probing<'_>,
        revision: &str,
        other: &Probing<'_>,
    ) -> Result<(), String> {
        let violation = &self.report.violations[number];
        // Where the set-up goes wrong there, there is nothing to follow.
        let Ok(retraced) = retrace(program, &violation.schedule, &violation.story, other) else {
            return Ok(());
        };
        let scenes = scenes(other, &retraced.schedule).map_err(|error| error.to_string())?;
        self.runs[number].elsewhere = Some(Elsewhere { revision: revision.to_owned(), retraced, scenes });
        Ok(())
    }

    fn has(&self, hazard: &str) -> bool {
        self.report.violations.iter().any(|violation| violation.id == hazard)
    }
}

/// For each violation, the revision of the same scenario without that hazard that is best compared with: the
/// next one, else the one before.
fn partners(rows: &[Row]) -> Vec<(usize, usize, usize)> {
    let mut partners = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        let same = |other: &usize| rows[*other].report.scenario == row.report.scenario;
        let after: Vec<usize> = (at + 1..rows.len()).filter(same).collect();
        let before: Vec<usize> = (0..at).rev().filter(same).collect();
        for (number, violation) in row.report.violations.iter().enumerate() {
            let good = |other: &&usize| !rows[**other].report.cut && !rows[**other].has(&violation.id);
            let partner = after.iter().find(good).or_else(|| before.iter().find(good));
            if let Some(other) = partner.filter(|_| !violation.in_set_up) {
                partners.push((at, number, *other));
            }
        }
    }
    partners
}

/// Follows each violation on a revision on which it does not happen.
///
/// # Errors
///
/// As [`Row::new`].
pub fn compare(rows: &mut [Row]) -> Result<(), String> {
    for (at, number, other) in partners(rows) {
        let [here, there] = [at, other].map(|row| rows[row].report.revision.clone());
        let program = |revision: &str| rows[at].scenario.program(revision).map_err(|error| error.to_string());
        let (program, partner) = (program(&here)?, program(&there)?);
        rows[at].follow(number, &program, &there, &partner)?;
    }
    Ok(())
}

/// The same on a kernel's own C, without and with patches: rows of the first and of the second, each by its
/// name.
///
/// # Errors
///
/// As [`Row::new`].
pub fn compare_trees(rows: &mut [Row], kernels: &[(String, &KernelC)]) -> Result<(), String> {
    for (at, number, other) in partners(rows) {
        let [here, there] = [at, other].map(|row| rows[row].report.revision.clone());
        let program = |revision: &str| {
            let kernel = kernels.iter().find(|(name, _)| name == revision).map(|(_, kernel)| *kernel);
            let kernel = kernel.expect("internal: a row is of one of the kernels");
            Probing::new(rows[at].scenario.file().world.clone(), kernel)
        };
        let (program, partner) = (program(&here), program(&there));
        rows[at].follow(number, &program, &there, &partner)?;
    }
    Ok(())
}

/// The page of a run; `source_line` gives a line of the model's source by its place, such as
/// `model/driver_core/dd.rs:12`.
#[must_use]
pub fn page(rows: &[Row], source_line: SourceLine<'_>) -> String {
    let matrix = Matrix::of(rows);
    let mut sources: IndexMap<String, BTreeSet<u32>> = IndexMap::new();
    let mut violations = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        for (number, violation) in row.report.violations.iter().enumerate() {
            let steps = violation.story.steps.iter();
            let there = row.runs[number].elsewhere.iter().flat_map(|there| &there.retraced.story.steps);
            for step in steps.chain(there).filter(|step| step.at.text.is_none()) {
                let first = step.at.line.saturating_sub(LINES_AROUND).max(1);
                let lines = first..=step.at.line + LINES_AROUND;
                sources.entry(step.at.file.clone()).or_default().extend(lines);
            }
            violations.push((matrix.slug(at, number), row, number));
        }
    }
    let lines = |file: &str, lines: &BTreeSet<u32>| {
        let known = lines.iter().filter_map(|line| Some((line, source_line(&format!("{file}:{line}"))?)));
        known.map(|(line, text)| (line.to_string(), text)).collect::<IndexMap<_, _>>()
    };
    let sources: IndexMap<&str, _> =
        sources.iter().map(|(file, numbers)| (file.as_str(), lines(file, numbers))).collect();
    let mut strings = Strings::default();
    let runs: Vec<Value> = (violations.iter())
        .map(|(_, row, violation)| violation_data(row, *violation, &mut strings))
        .collect();
    let all = json!({
        "rows": matrix.rows_data(),
        "scenarios": matrix.scenarios_data(),
        "sources": sources,
        "strings": strings.all(),
    });
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "raddle: " (matrix.summary()) }
                style { (PreEscaped(STYLE)) }
                script { (PreEscaped("document.documentElement.className = 'js';")) }
            }
            body {
                header .top { h1 { a href="#" { "raddle" } } p { (matrix.summary()) } }
                main {
                    section #all aria-labelledby="verdicts" { (matrix.markup()) }
                    section #view hidden aria-live="off" {}
                    div .texts {
                        @for (number, (slug, row, violation)) in violations.iter().enumerate() {
                            (text(number, slug, row, *violation))
                        }
                    }
                }
                script type="application/json" id="data" { (PreEscaped(in_script(&all))) }
                @for (number, run) in runs.iter().enumerate() {
                    script type="application/json" id={ "run-" (number) } { (PreEscaped(in_script(run))) }
                }
                @for script in SCRIPTS { script { (PreEscaped(script)) } }
            }
        }
    };
    page.into_string() + "\n"
}

/// Data within a script element, in which nothing may look like its end.
fn in_script(data: &Value) -> String {
    data.to_string().replace('<', "\\u003c")
}

/// A violation as text, to be read without the script and to be copied into a mail.
fn text(number: usize, slug: &str, row: &Row, violation: usize) -> Markup {
    let report = &row.report;
    let violation = &report.violations[violation];
    html! {
        section id={ "text-" (number) } data-slug=(slug) {
            h2 { (violation.id) " on " (report.revision) ": " (report.title) }
            pre tabindex="0" { (mail(report, violation)) }
        }
    }
}

/// A violation as it is pasted into a mail.
fn mail(report: &Report, violation: &Violation) -> String {
    let lkml =
        FORMATS.iter().find(|format| format.name == "lkml").expect("internal: there is a form for mails");
    lkml.violation(report, violation, DiagramOptions::default())
}

fn violation_data(row: &Row, number: usize, strings: &mut Strings) -> Value {
    let violation = &row.report.violations[number];
    let (story, run) = (&violation.story, &row.runs[number]);
    let shown = told(story);
    let elsewhere = run.elsewhere.as_ref().map(|there| {
        let retraced = &there.retraced;
        // Shown there: what corresponds to a step that is shown here, and what is there only.
        let mut told = retraced.extra.clone();
        for (here, pair) in retraced.pairs.iter().enumerate() {
            if let Some(pair) = pair {
                told[*pair] |= shown[here];
            }
        }
        json!({
            "revision": there.revision,
            "why": retraced_words(story, retraced),
            "pairs": retraced.pairs,
            "extra": retraced.extra,
            "story": story_data(&retraced.story, &there.scenes, &told, strings),
        })
    });
    json!({
        "hazard": hazard_words(story),
        "others": violation.others,
        "explained": explain(story),
        "story": story_data(story, &run.scenes, &shown, strings),
        "memory": memory_data(story, &run.scenes, strings),
        "tasks": tasks_data(&run.scenes, strings),
        "elsewhere": elsewhere,
    })
}
