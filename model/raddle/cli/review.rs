//! `raddle review`, and `raddle compare --tree`: what each patch brings and cures.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use raddle::{Options, Report, Scenario, Verdict};
use raddle_checker::render::{DiagramOptions, Lines};
use raddle_kernel_c::ast::StmtKind;
use raddle_kernel_c::error::Error;
use raddle_kernel_c::patch::Mail;
use raddle_kernel_c::subject::KernelC;
use raddle_kernel_c::tree::{Deleted, Tree};
use raddle_kernel_c::walk;

use super::inputs::{Exit, INPUT_ERROR, scenarios};
use super::out::{Out, complain};
use super::tree::{TreeArgs, patched, read};
use super::{AblateArgs, CompareArgs, ReviewArgs};

/// The hazards of each scenario that could be explored to its end.
struct Row {
    reports: IndexMap<String, Report>,
    unfinished: Vec<String>,
}

/// Checks the scenarios without rules of their own.
fn check(
    scenarios: &[Scenario],
    kernel: &KernelC,
    args: &[String],
    options: &Options,
    exit: &mut Exit,
) -> Row {
    let mut row = Row { reports: IndexMap::new(), unfinished: Vec::new() };
    for scenario in scenarios {
        let path = scenario.file().path.clone();
        let Some(on) = exit.run(&path, || scenario.check_on_tree(kernel, args, options, |_| {})) else {
            continue;
        };
        match on.stuck {
            Some(stuck) => row.unfinished.push(format!("{path}: not understood: {stuck}")),
            None if on.report.verdict == Verdict::Inconclusive => row.unfinished.push(path.clone()),
            None => {}
        }
        row.reports.insert(path, on.report);
    }
    row
}

/// The scenarios below the paths that run on a tree.
fn library(paths: &[PathBuf], exit: &mut Exit) -> Vec<Scenario> {
    let paths = if paths.is_empty() { vec![PathBuf::from("scenarios")] } else { paths.to_vec() };
    let mut all = scenarios(&paths, false, exit);
    all.retain(|scenario| scenario.file().rules.is_empty());
    all
}

/// Says what has changed from one row to the next; how many scenarios differ.
fn changes(before: &Row, after: &Row, out: &mut Out) -> usize {
    let mut differ = 0;
    for (path, report) in &after.reports {
        let Some(old) = before.reports.get(path) else { continue };
        let (old, new) = (old.hazards(), report.hazards());
        if old == new {
            continue;
        }
        differ += 1;
        let beyond = |one: &[String], other: &[String]| -> Vec<String> {
            one.iter().filter(|id| !other.contains(id)).cloned().collect()
        };
        out.line(format_args!("    {path}"));
        for (word, ids) in [("new", beyond(&new, &old)), ("gone", beyond(&old, &new))] {
            if !ids.is_empty() {
                out.line(format_args!("        {word:<5}{}", ids.join(", ")));
            }
        }
    }
    let fresh = after.unfinished.iter().filter(|path| !before.unfinished.contains(path));
    fresh.for_each(|what| out.line(format_args!("    not explored to the end: {what}")));
    differ
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
    let options = Options::default().limits(args.limits.limits());
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

/// Leaves out one call or assignment after the other, of a patch or of the functions that are reached: which
/// hazards appear.
pub fn ablate(args: &AblateArgs, dir: &Path, out: &mut Out) -> u8 {
    let ablated = (|| -> Result<u8, Error> {
        let mails = args.on.mails()?;
        let base = args.on.kernel(dir, &mails)?;
        let mut exit = Exit::default();
        let scenarios = library(&args.paths, &mut exit);
        let options = Options::default().limits(args.limits.limits());
        let before = check(&scenarios, &base, &[], &options, &mut exit);
        let (mut protects, mut all) = (0, 0);
        for deleted in statements(&base, args.function.as_deref(), !mails.is_empty()) {
            if out.is_gone() || exit.interrupted() {
                break;
            }
            all += 1;
            let kernel = args.on.kernel_without(dir, &mails, deleted.clone())?;
            let after = check(&scenarios, &kernel, &[], &options, &mut exit);
            out.line(format_args!("{}:{} {}", deleted.file, deleted.line, first_line(deleted.text)));
            protects += usize::from(changes(&before, &after, out) > 0);
            out.flush();
        }
        out.line(format_args!(
            "{all} statements left out, {protects} of them change the hazards of some scenario"
        ));
        Ok(exit.code())
    })();
    ablated.unwrap_or_else(|error| {
        complain(error);
        INPUT_ERROR
    })
}

/// The calls and assignments of functions of the core: of one, or those that a patch adds.
fn statements(kernel: &KernelC, function: Option<&str>, added: bool) -> Vec<Deleted> {
    let mut all = Vec::new();
    for of in kernel.reach().functions.values().filter(|of| of.file.ends_with(".c") && of.made_by.is_none()) {
        if function.is_some_and(|name| name != of.name) {
            continue;
        }
        walk::statements(&of.body, &mut |stmt| {
            let StmtKind::Expr(expr) = &stmt.kind else { return };
            if function.is_some() || !added || kernel.tree().is_added(of.file, stmt.line) {
                all.push(Deleted { file: of.file, line: stmt.line, text: expr.text });
            }
        });
    }
    all.sort_by_key(|deleted| (deleted.file, deleted.line));
    all
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// A tree without and with its patches.
pub fn compare(args: &CompareArgs, dir: &Path, out: &mut Out) -> u8 {
    let compared = (|| -> Result<u8, Error> {
        let (base, patched_kernel) = (args.on.kernel(dir, &[])?, args.on.kernel(dir, &args.on.mails()?)?);
        let mut exit = Exit::default();
        let scenarios = library(&args.paths, &mut exit);
        let options = Options::default().limits(args.limits.limits());
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
    fn kernel(&self, dir: &Path, mails: &[Mail]) -> Result<KernelC, Error> {
        let (tree, tables) = self.open_with(dir, mails)?;
        Ok(KernelC::new(tree, tables))
    }

    fn kernel_without(&self, dir: &Path, mails: &[Mail], deleted: Deleted) -> Result<KernelC, Error> {
        let (mut options, tables) = self.options()?;
        options.patches = mails.to_vec();
        options.without = Some(deleted);
        Ok(KernelC::new(Tree::open(dir, options)?, tables))
    }
}
