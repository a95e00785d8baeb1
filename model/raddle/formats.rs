//! The formats of `raddle check`: one table. A new format is a row here and a function that renders it.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::mailed::mailed;
use crate::report::{Report, Verdict};
use crate::whatif::why::Why;
use raddle_checker::Violation;
use raddle_checker::render::itf::itf;
use raddle_checker::render::junit::junit;
use raddle_checker::render::ktap::ktap;
use raddle_checker::render::mermaid::mermaid;
use raddle_checker::render::sarif::sarif;
use raddle_checker::render::{DiagramOptions, Unreadable, ascii, thousands, wrapped};
use raddle_probing::hazards::properties;

/// A format.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// Its name in options.
    pub name: &'static str,
    /// What it is, in one line.
    pub about: &'static str,
    /// The ending of a file that one violation is dumped into, without a full stop before it; `None`: it
    /// is not dumped.
    pub ending: Option<&'static str>,
    /// What a document of it holds.
    pub document: Document,
}

/// What one document holds, and how it is written.
#[derive(Clone, Copy, Debug)]
pub enum Document {
    /// A row: they are printed one after the other.
    Row(fn(&Report, &Extras) -> String),
    /// A whole run.
    Run(fn(&[Report], &Extras) -> String),
    /// One violation: a reader takes no second one after it.
    Violation(fn(&Report, &Violation) -> String),
}

/// What is printed of a row besides its report.
#[derive(Clone, Debug, Default)]
pub struct Extras {
    /// What diagrams show.
    pub shown: DiagramOptions,
    /// How long the check took.
    pub time: Option<Duration>,
    /// The rules that would change its verdict, if that is asked.
    pub why: Option<Why>,
    /// For a document of a whole run, the inputs that could not be checked.
    pub unreadable: Vec<Unreadable>,
}

/// All formats; the first is the default.
pub const FORMATS: &[Format] = &[
    Format { name: "text", about: "For people", ending: None, document: Document::Row(text) },
    Format {
        name: "json",
        about: "One JSON object a line",
        ending: None,
        document: Document::Row(json_line),
    },
    Format {
        name: "lkml",
        about: "To paste into a mail: claim, diagram, how to reproduce, what was covered; 75 columns, ASCII",
        ending: Some("txt"),
        document: Document::Row(lkml),
    },
    Format {
        name: "sarif",
        about: "SARIF 2.1.0, one log for the whole run",
        ending: Some("sarif"),
        document: Document::Run(sarif_log),
    },
    Format {
        name: "junit",
        about: "JUnit XML, one document for the whole run",
        ending: Some("junit.xml"),
        document: Document::Run(|reports, extras| junit(&rows(reports, extras), &extras.unreadable)),
    },
    Format {
        name: "ktap",
        about: "KTAP, the kernel's test output",
        ending: Some("ktap"),
        document: Document::Run(|reports, extras| ktap(&rows(reports, extras))),
    },
    Format {
        name: "mermaid",
        about: "A Mermaid sequence diagram of one violation",
        ending: Some("mmd"),
        document: Document::Violation(|_, violation| mermaid(&violation.story)),
    },
    Format {
        name: "itf",
        about: "ITF JSON (Apalache), the trace of one violation",
        ending: Some("itf.json"),
        document: Document::Violation(|report, violation| itf(&violation.story, &report.scenario)),
    },
];

impl Format {
    /// One violation as a document of its own.
    #[must_use]
    pub fn violation(&self, report: &Report, violation: &Violation, shown: DiagramOptions) -> String {
        let alone = || Report { violations: vec![violation.clone()], unshown: Vec::new(), ..report.clone() };
        let extras = Extras { shown, ..Extras::default() };
        match self.document {
            Document::Row(write) => format!("{}\n", write(&alone(), &extras).trim_end()),
            Document::Run(write) => write(&[alone()], &extras),
            Document::Violation(write) => write(report, violation),
        }
    }
}

fn rows(reports: &[Report], extras: &Extras) -> Vec<raddle_checker::render::Row> {
    reports.iter().map(|report| report.row(&extras.shown)).collect()
}

fn sarif_log(reports: &[Report], extras: &Extras) -> String {
    let each = reports.iter().flat_map(|report| report.violations.iter().map(move |one| (report, one)));
    let results: Vec<_> = each.map(|(report, one)| (report.heading(one), &one.story)).collect();
    sarif(&results, &properties(), &extras.unreadable)
}

/// The verdict in one line.
#[must_use]
pub fn summary(report: &Report) -> String {
    let verdict = match report.verdict {
        Verdict::Violated => format!("violated: {}", report.hazards().join(", ")),
        Verdict::Inconclusive if report.sampled => "no hazard found".to_owned(),
        verdict => verdict.name().to_owned(),
    };
    let expected = match (report.as_expected(), &report.expected) {
        (true, _) => String::new(),
        // Nothing was expected, so nothing is unexpected.
        (false, None) => String::new(),
        (false, Some(ids)) if ids.is_empty() => " -- UNEXPECTED, should be verified".to_owned(),
        (false, Some(ids)) => format!(" -- UNEXPECTED, should be {}", ids.join(", ")),
    };
    format!("{} on {}: {verdict}{expected}", report.scenario, report.revision)
}

/// A row for people: one line if nothing is wrong, else every violation.
fn text(report: &Report, extras: &Extras) -> String {
    let mut out = summary(report) + "\n";
    if report.violations.is_empty() {
        line(&mut out, &format!("    {}", report.guarantee));
    }
    for warning in &report.warnings {
        line(&mut out, &format!("    warning: {warning}"));
    }
    if report.verdict == Verdict::Verified {
        rules(&mut out, None, extras.why.as_ref());
    }
    if let Some(time) = extras.time {
        let bytes = thousands(report.bytes);
        line(&mut out, &format!("    {:.3} s, {bytes} bytes for states", time.as_secs_f64()));
    }
    for violation in &report.violations {
        line(&mut out, "");
        line(&mut out, report.text(violation, &extras.shown).trim_end());
        rules(&mut out, Some(&violation.id), extras.why.as_ref());
        line(&mut out, "");
    }
    out + "\n"
}

/// What can be pasted into a mail: every violation, or what was covered.
fn lkml(report: &Report, extras: &Extras) -> String {
    let mut out = String::new();
    for violation in &report.violations {
        out.push_str(&report.text(violation, &extras.shown));
        rules(&mut out, Some(&violation.id), extras.why.as_ref());
        line(&mut out, "");
    }
    if !report.violations.is_empty() {
        let name = report.scenario.rsplit('/').next().unwrap_or(&report.scenario);
        wrapped(&format!("The scenario, {name}:")).iter().for_each(|row| line(&mut out, row));
        mailed(&report.scenario_text)
            .iter()
            .for_each(|row| line(&mut out, ascii(&format!("  {row}")).trim_end()));
        line(&mut out, "");
    }
    if report.violations.is_empty() {
        let claim = format!("{} on {}, {}", report.title, report.revision, report.scenario);
        for sentence in [claim, format!("{}.", report.guarantee)] {
            wrapped(&sentence).iter().for_each(|row| line(&mut out, row));
        }
        for warning in &report.warnings {
            wrapped(&format!("Warning: {warning}.")).iter().for_each(|row| line(&mut out, row));
        }
        if report.verdict == Verdict::Verified {
            rules(&mut out, None, extras.why.as_ref());
        }
        line(&mut out, "");
    }
    out
}

/// The rules that prevent a hazard, or protect from all of them.
fn rules(out: &mut String, hazard: Option<&str>, why: Option<&Why>) {
    let Some(why) = why else { return };
    let (claim, all): (&str, Vec<String>) = match hazard {
        Some(id) => {
            let mine = why.preventers.iter().filter(|one| one.prevents.iter().any(|it| it == id));
            ("What would prevent it", mine.map(|one| one.words()).collect())
        }
        None => ("What protects it", why.protectors.iter().map(|one| one.words()).collect()),
    };
    line(out, "");
    match all.as_slice() {
        [] => line(out, &format!("{claim}: no rule that is changed alone.")),
        _ => line(out, &format!("{claim}, each alone on this revision:")),
    }
    for words in all {
        wrapped(&format!("* {words}")).iter().for_each(|row| line(out, row));
    }
    if why.untried > 0 {
        line(out, &format!("A limit was hit on {} other changes.", why.untried));
    }
}

fn line(out: &mut String, text: &str) {
    writeln!(out, "{text}").expect("internal: a string can be written to");
}

fn json_line(report: &Report, extras: &Extras) -> String {
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| object.insert(key.to_owned(), value);
    put("scenario", json!(report.scenario));
    put("revision", json!(report.revision));
    put("engine", json!(report.engine.name()));
    put("verdict", json!(report.verdict));
    put("hazards", json!(report.hazards()));
    put("expected", json!(report.expected));
    put("as_expected", json!(report.as_expected()));
    put("states", json!(report.states));
    put("transitions", json!(report.transitions));
    put("guarantee", json!(report.guarantee));
    put("warnings", json!(report.warnings));
    if let Some(time) = extras.time {
        put("seconds", json!(time.as_secs_f64()));
        put("peak_memory_bytes", json!(report.bytes));
    }
    format!("{}\n", Value::Object(object))
}
