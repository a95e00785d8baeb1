//! The matrix of verdicts: scenarios down, revisions across.

use indexmap::{IndexMap, IndexSet};
use maud::{Markup, html};
use serde_json::{Value, json};

use super::Row;
use crate::report::{Report, Verdict};
use raddle_driver_core::revision::REVISIONS;

/// The rows of a run by scenario and revision.
pub(super) struct Matrix<'r> {
    rows: &'r [Row],
    /// The revisions, oldest first.
    revisions: Vec<&'r str>,
    /// By path: its name on the page, and its row for each revision.
    scenarios: IndexMap<&'r str, Line<'r>>,
}

/// A scenario of the matrix.
struct Line<'r> {
    /// The directory that it is in, below the one that all have in common.
    group: String,
    /// Its name within that.
    stem: String,
    title: &'r str,
    /// By revision the number of its row.
    cells: IndexMap<&'r str, usize>,
}

impl Line<'_> {
    fn name(&self) -> String {
        if self.group.is_empty() { self.stem.clone() } else { format!("{}/{}", self.group, self.stem) }
    }
}

/// What differs from the revision to the left of a cell.
enum Change {
    None,
    /// Hazards that are gone.
    Cured,
    /// Hazards that are new.
    New,
    /// Both.
    Other,
}

impl<'r> Matrix<'r> {
    pub(super) fn of(rows: &'r [Row]) -> Self {
        let names: IndexSet<&str> = rows.iter().map(|row| row.report.revision.as_str()).collect();
        let mut revisions: Vec<&str> = names.into_iter().collect();
        let place = |name: &str| REVISIONS.iter().position(|revision| revision.name == name);
        // Of what is no revision the order stays as it is.
        revisions.sort_by_key(|name| place(name).unwrap_or(REVISIONS.len()));
        let paths: IndexSet<&str> = rows.iter().map(|row| row.report.scenario.as_str()).collect();
        let shared = shared_directory(&paths);
        let mut scenarios: IndexMap<&str, Line> = IndexMap::new();
        for (number, row) in rows.iter().enumerate() {
            let report = &row.report;
            let line = scenarios.entry(&report.scenario).or_insert_with(|| {
                let name = report.scenario[shared..].trim_end_matches(".toml");
                let (group, stem) = name.rsplit_once('/').unwrap_or(("", name));
                Line {
                    group: group.to_owned(),
                    stem: stem.to_owned(),
                    title: &report.title,
                    cells: IndexMap::new(),
                }
            });
            line.cells.entry(&report.revision).or_insert(number);
        }
        Matrix { rows, revisions, scenarios }
    }

    /// What was checked, in one sentence.
    pub(super) fn summary(&self) -> String {
        let count = |verdict| self.rows.iter().filter(|row| row.report.verdict == verdict).count();
        let many = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        let parts: Vec<String> = [Verdict::Verified, Verdict::Violated, Verdict::Inconclusive]
            .into_iter()
            .filter(|verdict| count(*verdict) > 0)
            .map(|verdict| format!("{} {}", count(verdict), verdict.name()))
            .collect();
        let parts = if parts.is_empty() { "nothing was checked".to_owned() } else { parts.join(", ") };
        let (scenarios, revisions) = (self.scenarios.len(), self.revisions.len());
        format!("{} on {}: {parts}", many(scenarios, "scenario"), many(revisions, "revision"))
    }

    /// The name of a row's violation in links: `bart/unregister-pending@v5.1`; of several of one row, with
    /// the hazard's id.
    pub(super) fn slug(&self, row: usize, violation: usize) -> String {
        let report = &self.rows[row].report;
        match report.violations.len() {
            0 | 1 => self.row_slug(row),
            _ => format!("{}:{}", self.row_slug(row), report.violations[violation].id),
        }
    }

    fn row_slug(&self, row: usize) -> String {
        let report = &self.rows[row].report;
        let name = format!("{}@{}", self.scenarios[report.scenario.as_str()].name(), report.revision);
        name.replace(|c: char| !(c.is_ascii_alphanumeric() || "/@.-_+".contains(c)), "-")
    }

    /// The rows, for the script: where each stands, what came of it, and the number of its first violation.
    pub(super) fn rows_data(&self) -> Value {
        let mut first = 0;
        let data = self.rows.iter().enumerate().map(|(number, row)| {
            let report = &row.report;
            let runs: Vec<Value> = (report.violations.iter().enumerate())
                .map(|(at, violation)| json!([self.slug(number, at), violation.id, first + at]))
                .collect();
            first += report.violations.len();
            json!({
                "slug": self.row_slug(number),
                "scenario": self.scenarios.get_index_of(report.scenario.as_str()),
                "revision": report.revision,
                "verdict": report.verdict.name(),
                "expected": report.expected,
                "asExpected": report.as_expected(),
                "guarantee": report.guarantee,
                "warnings": report.warnings,
                "runs": runs,
            })
        });
        data.collect()
    }

    /// The scenarios, for the script.
    pub(super) fn scenarios_data(&self) -> Value {
        let data = self.scenarios.iter().map(|(path, line)| {
            let (_, row) = line.cells.first().expect("internal: a scenario has a row");
            let file = self.rows[*row].scenario.file();
            json!({
                "name": line.name(),
                "path": path,
                "title": file.title,
                "source": file.source,
                "about": file.about,
                "text": file.text(),
                "rows": line.cells.values().collect::<Vec<_>>(),
            })
        });
        data.collect()
    }

    /// The matrix, with what filters it.
    pub(super) fn markup(&self) -> Markup {
        let hazards: IndexSet<&str> =
            self.rows.iter().flat_map(|row| &row.report.violations).map(|one| one.id.as_str()).collect();
        let mut hazards: Vec<&str> = hazards.into_iter().collect();
        hazards.sort_unstable();
        let mut groups: IndexMap<&str, Vec<&Line>> = IndexMap::new();
        for line in self.scenarios.values() {
            groups.entry(&line.group).or_default().push(line);
        }
        html! {
            h2 #verdicts { "Verdicts" }
            form #filters role="search" aria-label="Filter the verdicts" {
                label { "Search " input #search type="search" placeholder="title or name"; }
                label { "Hazard " select #hazard {
                    option value="" { "any" }
                    @for id in hazards { option { (id) } }
                } }
                label { "Revision " select #revision {
                    option value="" { "all" }
                    @for revision in &self.revisions { option { (revision) } }
                } }
                label { input #differs type="checkbox"; " differs between revisions" }
                label { input #unexpected type="checkbox"; " not as expected" }
            }
            p #count aria-live="polite" {}
            ul .legend {
                li { span .verified { "✓ verified" } " no run has a hazard" }
                li { span .violated { "✗ hazard" } " a run has it: open it" }
                li { span .inconclusive { "? inconclusive" } " a limit was hit" }
                li { span .unlisted { "–" } " not listed for this revision" }
                li { span .badge { "▼ cured" } " " span .badge { "▲ new" } " against the revision to its left" }
            }
            div .wide tabindex="0" role="region" aria-label="Scenarios by revision" {
                table #matrix {
                    thead { tr {
                        th scope="col" { "Scenario" }
                        @for revision in &self.revisions { th scope="col" { (revision) } }
                    } }
                    @for (group, lines) in &groups {
                        tbody {
                            @if !group.is_empty() {
                                tr .group { th scope="rowgroup" colspan=(self.revisions.len() + 1) { (group) } }
                            }
                            @for line in lines { (self.line(line)) }
                        }
                    }
                }
            }
        }
    }

    fn line(&self, line: &Line<'_>) -> Markup {
        let mut left: Option<&Report> = None;
        let differs = self.differs(line);
        html! {
            tr data-differs[differs] data-text={ (line.title) " " (line.name()) } {
                th scope="row" { span .title { (line.title) } " " span .name { (line.name()) } }
                @for revision in &self.revisions {
                    @match line.cells.get(revision) {
                        None => td .unlisted { span aria-hidden="true" { "–" } span .sr { "not listed" } },
                        Some(row) => {
                            (self.cell(*row, &change(left, &self.rows[*row].report)))
                            @let _set = left.replace(&self.rows[*row].report);
                        }
                    }
                }
            }
        }
    }

    /// Whether the hazards differ between the revisions of a scenario.
    fn differs(&self, line: &Line<'_>) -> bool {
        let hazards: IndexSet<Vec<String>> =
            line.cells.values().map(|row| self.rows[*row].report.hazards()).collect();
        hazards.len() > 1
    }

    fn cell(&self, row: usize, change: &Change) -> Markup {
        let report = &self.rows[row].report;
        let unexpected = report.expected.is_some() && !report.as_expected();
        html! {
            td class=(report.verdict.name()) data-unexpected[unexpected] data-hazards=(report.hazards().join(" ")) {
                @if report.violations.is_empty() {
                    a href={ "#" (self.row_slug(row)) } {
                        @match report.verdict {
                            Verdict::Verified => "✓ verified",
                            // Of a hazard whose run was not found in time nothing more is known.
                            Verdict::Violated => "✗ violated",
                            Verdict::Inconclusive => "? inconclusive",
                        }
                    }
                }
                @for (number, violation) in report.violations.iter().enumerate() {
                    a href={ "#" (self.slug(row, number)) } { "✗ " (violation.id) }
                }
                @match change {
                    Change::None => "",
                    Change::Cured => span .badge { "▼ cured" },
                    Change::New => span .badge { "▲ new" },
                    Change::Other => span .badge { "◆ other" },
                }
                @if unexpected { span .badge.odd { "not as expected" } }
            }
        }
    }
}

/// What differs from the revision before.
fn change(left: Option<&Report>, report: &Report) -> Change {
    let Some(left) = left.filter(|left| !left.cut && !report.cut) else { return Change::None };
    let beyond = |one: &Report, other: &Report| {
        let others = other.hazards();
        one.hazards().iter().any(|id| !others.contains(id))
    };
    match (beyond(left, report), beyond(report, left)) {
        (false, false) => Change::None,
        (true, false) => Change::Cured,
        (false, true) => Change::New,
        (true, true) => Change::Other,
    }
}

/// How much of the paths' beginning says nothing: what all have in common, up to a directory's end. A
/// library of scenarios is told by its own directories.
fn shared_directory(paths: &IndexSet<&str>) -> usize {
    let Some(first) = paths.first() else { return 0 };
    let library = "scenarios/";
    let end = |path: &str| path.find(library).filter(|at| *at == 0 || path[..*at].ends_with('/'));
    if let Some(at) = end(first)
        && paths.iter().all(|path| path.starts_with(&first[..at + library.len()]))
    {
        return at + library.len();
    }
    let common = paths.iter().fold(first.len(), |length, path| {
        let same = first.bytes().zip(path.bytes()).take_while(|(one, other)| one == other).count();
        length.min(same)
    });
    first.as_bytes()[..common].iter().rposition(|byte| *byte == b'/').map_or(0, |at| at + 1)
}
