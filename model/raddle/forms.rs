//! What is printed and dumped of a report: each rendering by name, with the ending of its file.

use crate::check::{Report, Verdict, Violation, diagram, text};
use raddle_checker::render::itf::itf;
use raddle_checker::render::junit::junit;
use raddle_checker::render::ktap::ktap;
use raddle_checker::render::mermaid::mermaid;
use raddle_checker::render::sarif::sarif;
use raddle_checker::render::{Heading, Row};

/// A rendering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Text to paste into a mail: claim, diagram, explanation, how to reproduce it, what was covered.
    Lkml,
    /// SARIF 2.1.0 (OASIS).
    Sarif,
    /// JUnit XML.
    Junit,
    /// KTAP, the kernel's test output.
    Ktap,
    /// A Mermaid `sequenceDiagram`.
    Mermaid,
    /// Apalache's Informal Trace Format.
    Itf,
}

impl Form {
    /// All of them.
    pub const ALL: [Form; 6] = [Form::Lkml, Form::Sarif, Form::Junit, Form::Ktap, Form::Mermaid, Form::Itf];

    /// The ending of a file that holds it, without a full stop before it.
    #[must_use]
    pub fn ending(self) -> &'static str {
        match self {
            Form::Lkml => "txt",
            Form::Sarif => "sarif",
            Form::Junit => "junit.xml",
            Form::Ktap => "ktap",
            Form::Mermaid => "mmd",
            Form::Itf => "itf.json",
        }
    }

    /// Whether one document holds a whole run. Of the others there is one for each violation.
    #[must_use]
    pub fn of_a_run(self) -> bool {
        matches!(self, Form::Sarif | Form::Junit | Form::Ktap)
    }

    /// Whether its readers take one document with one violation, so that two in a row are none.
    #[must_use]
    pub fn stands_alone(self) -> bool {
        matches!(self, Form::Mermaid | Form::Itf)
    }

    /// A whole run as one document: of every report and every violation.
    ///
    /// # Panics
    ///
    /// For a form that has a document for each violation.
    #[must_use]
    pub fn run(self, reports: &[Report], full: bool) -> String {
        let rows = || reports.iter().map(|report| row(report, full)).collect::<Vec<_>>();
        match self {
            Form::Sarif => {
                let violations = reports.iter().flat_map(|report| {
                    report
                        .violations
                        .iter()
                        .map(move |violation| (heading(report, violation), &violation.story))
                });
                sarif(&violations.collect::<Vec<_>>())
            }
            Form::Junit => junit(&rows()),
            Form::Ktap => ktap(&rows()),
            Form::Lkml | Form::Mermaid | Form::Itf => {
                unreachable!("internal: {self:?} is no form of a run")
            }
        }
    }

    /// One violation as a document of its own.
    #[must_use]
    pub fn violation(self, report: &Report, violation: &Violation, full: bool) -> String {
        match self {
            Form::Lkml => text(report, violation, full),
            Form::Mermaid => mermaid(&violation.story),
            Form::Itf => itf(&violation.story, &report.scenario),
            Form::Sarif => sarif(&[(heading(report, violation), &violation.story)]),
            Form::Junit | Form::Ktap => {
                let alone = Report { violations: vec![violation.clone()], ..report.clone() };
                self.run(&[alone], full)
            }
        }
    }
}

/// A report as a row of a test runner's table; its diagram is that of the first violation.
#[must_use]
pub fn row(report: &Report, full: bool) -> Row {
    Row {
        scenario: report.scenario.clone(),
        revision: report.revision.clone(),
        verdict: match report.verdict {
            Verdict::Verified => "verified",
            Verdict::Violated => "violated",
            Verdict::Inconclusive => "inconclusive",
        }
        .to_owned(),
        as_expected: report.as_expected(),
        hazards: report.hazards(),
        expected: report.expected.clone(),
        guarantee: report.guarantee.clone(),
        diagram: report.violations.first().map(|violation| diagram(&violation.story, full)),
    }
}

/// What a rendering says of a violation besides its story.
#[must_use]
pub fn heading<'a>(report: &'a Report, violation: &'a Violation) -> Heading<'a> {
    Heading {
        scenario: &report.scenario,
        title: &report.title,
        revision: &report.revision,
        rules: &report.rules,
        hazard: &violation.id,
        others: violation.others,
        guarantee: &report.guarantee,
    }
}
