//! `raddle review`, and `raddle compare --tree`: what each patch brings and cures.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use raddle::on_tree::OnTree;
use raddle::{Options, Report, Scenario, Verdict};
use raddle_checker::render::{DiagramOptions, Lines};
use raddle_kernel_c::error::Error;
use raddle_kernel_c::patch::Mail;
use raddle_kernel_c::subject::KernelC;
use serde_json::{Value, json};

use super::ahead::check_ahead;
use super::inputs::{Exit, INPUT_ERROR, scenarios};
use super::out::{Out, complain};
use super::tree::{TreeArgs, patched, read};
use super::{CompareArgs, ReviewArgs};

/// The hazards of each scenario that could be explored to its end.
#[derive(Default)]
pub struct Row {
    /// What came of each, by its path.
    pub reports: IndexMap<String, Report>,
    /// Those that could not be explored, with the reason.
    pub unfinished: Vec<String>,
}

/// A scenario whose hazards differ from one row to another.
pub struct Change {
    path: String,
    new: Vec<String>,
    gone: Vec<String>,
}

impl Change {
    /// As JSON.
    pub fn to_json(&self) -> Value {
        json!({ "scenario": self.path, "new": self.new, "gone": self.gone })
    }
}

impl Row {
    /// Adds what came of a scenario.
    pub fn add(&mut self, path: &str, on: OnTree) {
        match on.stuck {
            Some(stuck) => self.unfinished.push(format!("{path}: not understood: {stuck}")),
            None if on.report.verdict == Verdict::Inconclusive => self.unfinished.push(path.to_owned()),
            None => {}
        }
        self.reports.insert(path.to_owned(), on.report);
    }

    /// What differs in another row of the same scenarios.
    pub fn changes(&self, after: &Row) -> Vec<Change> {
        let both = after.reports.iter().filter_map(|(path, new)| Some((path, self.reports.get(path)?, new)));
        let differ = both.filter_map(|(path, old, new)| {
            let (old, new) = (old.hazards(), new.hazards());
            let beyond = |one: &[String], other: &[String]| -> Vec<String> {
                one.iter().filter(|id| !other.contains(id)).cloned().collect()
            };
            let change = Change { path: path.clone(), new: beyond(&new, &old), gone: beyond(&old, &new) };
            (old != new).then_some(change)
        });
        differ.collect()
    }
}

/// Checks the scenarios without rules of their own.
pub fn check(
    scenarios: &[Scenario],
    kernel: &KernelC,
    args: &[String],
    options: &Options,
    exit: &mut Exit,
) -> Row {
    let mut row = Row::default();
    let one = |scenario: &Scenario, few: &Options| {
        let on = scenario.check_on_tree(kernel, args, few, |_| {});
        Some(on).filter(|on| !on.as_ref().is_ok_and(OnTree::is_cut))
    };
    check_ahead(scenarios, options, one, |mut ahead| {
        for scenario in scenarios {
            let path = &scenario.file().path;
            let now = || scenario.check_on_tree(kernel, args, options, |_| {});
            if let Some(on) = exit.run(path, || ahead.take_or(now)) {
                row.add(path, on);
            }
        }
    });
    row
}

/// The scenarios below the paths that run on a tree.
pub fn library(paths: &[PathBuf], exit: &mut Exit) -> Vec<Scenario> {
    let paths = if paths.is_empty() { vec![PathBuf::from("scenarios")] } else { paths.to_vec() };
    let mut all = scenarios(&paths, false, exit);
    all.retain(|scenario| scenario.not_on_trees().is_none());
    all
}

/// Says what has changed in a scenario.
pub fn show(change: &Change, out: &mut Out) {
    out.line(format_args!("    {}", change.path));
    for (word, ids) in [("new", &change.new), ("gone", &change.gone)] {
        if !ids.is_empty() {
            out.line(format_args!("        {word:<5}{}", ids.join(", ")));
        }
    }
}

/// Says what has changed from one row to the next; how many scenarios differ.
fn changes(before: &Row, after: &Row, out: &mut Out) -> usize {
    let all = before.changes(after);
    all.iter().for_each(|change| show(change, out));
    let fresh = after.unfinished.iter().filter(|path| !before.unfinished.contains(path));
    fresh.for_each(|what| out.line(format_args!("    not explored to the end: {what}")));
    all.len()
}

/// The diagrams of hazards that one row has and the other has not.
fn diagrams(before: &Row, after: &Row, out: &mut Out) {
    for (path, report) in &after.reports {
        let old = before.reports.get(path).map(Report::hazards).unwrap_or_default();
        for violation in report.violations.iter().filter(|violation| !old.contains(&violation.id)) {
            out.line("");
            let shown = DiagramOptions { lines: Lines::Added, ..DiagramOptions::default() };
            out.text(report.text(violation, &shown));
        }
    }
}

/// A series, patch by patch.
pub fn review(args: &ReviewArgs, out: &mut Out) -> u8 {
    match review_series(args, out) {
        Ok(code) => code,
        Err(error) => {
            complain(error);
            INPUT_ERROR
        }
    }
}

fn review_series(args: &ReviewArgs, out: &mut Out) -> Result<u8, Error> {
    let file = args.series.display().to_string();
    // Patches that the series builds on come first.
    let first = args.on.mails()?;
    let mails: Vec<Mail> = first.iter().cloned().chain(Mail::all(&file, &read(&args.series)?)?).collect();
    let mut exit = Exit::default();
    let scenarios = library(&args.paths, &mut exit);
    let options = args.limits.options();
    let base = args.on.kernel(&args.tree, &first)?;
    // All of the series must apply before anything is checked.
    args.on.kernel(&args.tree, &mails)?;
    out.line(format_args!(
        "{} scenarios on Linux {}, after each of {} patches of {file}:\n",
        scenarios.len(),
        base.tree().version(),
        mails.len() - first.len()
    ));
    let onset = check(&scenarios, &base, &[], &options, &mut exit);
    let mut before = Row { reports: onset.reports.clone(), unfinished: onset.unfinished.clone() };
    let mut last = None;
    for count in first.len() + 1..=mails.len() {
        let kernel = args.on.kernel(&args.tree, &mails[..count])?;
        let mut arguments = args.on.arguments(&args.tree);
        arguments.extend(["--patch".to_owned(), file.clone()]);
        let after = check(&scenarios, &kernel, &arguments, &options, &mut exit);
        if let Some(mail) = kernel.tree().applied().last() {
            patched(mail, out);
        }
        match changes(&before, &after, out) {
            0 => out.line("    no scenario has other hazards than before"),
            n => {
                exit.unexpected |= after.reports.values().any(|report| !report.violations.is_empty());
                out.line(format_args!("    {n} scenarios have other hazards than before"));
            }
        }
        out.line("");
        out.flush();
        before = Row { reports: after.reports.clone(), unfinished: after.unfinished.clone() };
        last = Some(after);
    }
    if let Some(last) = last {
        diagrams(&onset, &last, out);
    }
    Ok(exit.code())
}

/// A tree without and with its patches.
pub fn compare(args: &CompareArgs, dir: &Path, out: &mut Out) -> u8 {
    let compared = (|| -> Result<u8, Error> {
        let (base, patched_kernel) = (args.on.kernel(dir, &[])?, args.on.kernel(dir, &args.on.mails()?)?);
        let mut exit = Exit::default();
        let scenarios = library(&args.paths, &mut exit);
        let options = args.limits.options();
        patched_kernel.tree().applied().iter().for_each(|mail| patched(mail, out));
        let before = check(&scenarios, &base, &[], &options, &mut exit);
        let after = check(&scenarios, &patched_kernel, &[], &options, &mut exit);
        let differ = changes(&before, &after, out);
        for (path, report) in after.reports.iter().filter(|(_, report)| !report.violations.is_empty()) {
            let old = before.reports.get(path).map(Report::hazards).unwrap_or_default();
            let kept: Vec<String> = report.hazards().into_iter().filter(|id| old.contains(id)).collect();
            if !kept.is_empty() {
                out.line(format_args!("    {path}\n        kept {}", kept.join(", ")));
            }
        }
        let version = base.tree().version();
        out.line(format_args!(
            "Linux {version} -> patched: {} scenarios, {differ} of them differ",
            after.reports.len()
        ));
        Ok(exit.code())
    })();
    compared.unwrap_or_else(|error| {
        complain(error);
        INPUT_ERROR
    })
}

impl TreeArgs {
    /// The tree with these patches, ready to be run.
    pub fn kernel(&self, dir: &Path, mails: &[Mail]) -> Result<KernelC, Error> {
        let (tree, tables) = self.open_with(dir, mails)?;
        Ok(KernelC::new(tree, tables))
    }
}
