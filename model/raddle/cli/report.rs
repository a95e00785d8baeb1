//! `raddle report`.

use std::fs;
use std::path::Path;

use raddle::page::{Row, compare, compare_trees, page};
use raddle::{Options, Report, Scenario};
use raddle_kernel_c::error::Error;
use raddle_kernel_c::subject::KernelC;

use super::dump::write;
use super::embedded::source_line;
use super::inputs::{Exit, INPUT_ERROR, scenarios};
use super::out::{Out, complain, shown};
use super::watch::Watch;
use super::{ReportArgs, review};

/// Writes the page of a run.
pub fn report(args: &ReportArgs, out: &mut Out) -> u8 {
    let mut exit = Exit::default();
    let mut options = args.limits.options();
    options.revisions.clone_from(&args.revisions);
    let rows = match &args.tree {
        None => on_revisions(args, &options, &mut exit),
        Some(dir) => match on_tree(args, dir, &options, &mut exit) {
            Ok(rows) => rows,
            Err(error) => {
                complain(error);
                return INPUT_ERROR;
            }
        },
    };
    let Some(rows) = rows else { return exit.code() };
    let path = args.out.join("index.html");
    let written = fs::create_dir_all(&args.out)
        .map_err(|error| format!("{}: {error}", shown(&args.out)))
        .and_then(|()| write(&path, &page(&rows, &source_line)).map_err(|error| error.to_string()));
    match written {
        Ok(()) => {
            out.line(format_args!("{} is written: {} rows", shown(&path), rows.len()));
            exit.code()
        }
        Err(error) => {
            complain(format_args!("raddle: {error}"));
            INPUT_ERROR
        }
    }
}

/// A row for each scenario and revision; `None` if it was interrupted.
fn on_revisions(args: &ReportArgs, options: &Options, exit: &mut Exit) -> Option<Vec<Row>> {
    let mut rows = Vec::new();
    for scenario in scenarios(&args.paths, args.slow, exit) {
        for revision in scenario.revisions(options) {
            if exit.interrupted() {
                return None;
            }
            let what = format!("{} on {revision}", scenario.file().path);
            let mut watch = Watch::new(&what);
            let report =
                exit.run(&what, || scenario.check_on(revision, options, |so_far| watch.show(&so_far)));
            rows.extend(report.and_then(|report| row(exit, &scenario, report, Row::new)));
        }
    }
    exit.run("the comparison", || compare(&mut rows))?;
    Some(rows)
}

/// The same on a kernel's own C: without patches, and with them if there are any.
fn on_tree(
    args: &ReportArgs,
    dir: &Path,
    options: &Options,
    exit: &mut Exit,
) -> Result<Option<Vec<Row>>, Error> {
    let mails = args.on.mails()?;
    let base = args.on.kernel(dir, &[])?;
    let name = format!("Linux {}", base.tree().version());
    let patched = if mails.is_empty() { None } else { Some(args.on.kernel(dir, &mails)?) };
    let mut kernels: Vec<(String, &KernelC)> = vec![(name.clone(), &base)];
    kernels.extend(patched.as_ref().map(|kernel| (format!("{name} patched"), kernel)));
    let arguments = args.on.arguments(dir);
    let mut rows = Vec::new();
    for scenario in review::library(&args.paths, exit) {
        for (name, kernel) in &kernels {
            if exit.interrupted() {
                return Ok(None);
            }
            let what = format!("{} on {name}", scenario.file().path);
            let on = exit.run(&what, || scenario.check_on_tree(kernel, &arguments, options, |_| {}));
            let Some(on) = on else { continue };
            if let Some(stuck) = &on.stuck {
                complain(format_args!("raddle: {}: not understood: {stuck}", scenario.file().path));
            }
            let report = Report { revision: name.clone(), ..on.report };
            let new = |scenario: &Scenario, report| Row::on_tree(scenario, report, kernel);
            rows.extend(row(exit, &scenario, report, new));
        }
    }
    Ok(exit.run("the comparison", || compare_trees(&mut rows, &kernels)).map(|()| rows))
}

fn row(
    exit: &mut Exit,
    scenario: &Scenario,
    report: Report,
    new: impl Fn(&Scenario, Report) -> Result<Row, String>,
) -> Option<Row> {
    exit.row(&report);
    let what = format!("{} on {}", report.scenario, report.revision);
    exit.run(&what, || new(scenario, report))
}
