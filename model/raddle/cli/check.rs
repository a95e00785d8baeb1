//! `raddle check` and the tour.

use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use raddle::check::{Engine, Options, Report, Scenario, Verdict};
use raddle::embedded::embedded;
use raddle::forms::Form;
use raddle::uses::samples;
use raddle::why::{Preventer, preventers};
use raddle_checker::render::thousands;
use raddle_checker::render::wrapped;
use raddle_checker::search::reduced::resources::Resources;
use raddle_checker::search::reference::{Limits, Progress};
use raddle_engines::Scheduler;
use raddle_probing::scenario::scenario_files;
use serde_json::{Map, Value, json};

use super::agree::this_program;
use super::dump::{dump, names};
use super::interrupt;
use super::out::{Out, complain};
use super::saving;
use super::stats::Stats;
use super::{CheckArgs, EngineArg, Format, INPUT_ERROR, StatsFormat};

/// What the rows so far say of the exit code (docs/scenarios.md#exit-codes).
#[derive(Default)]
struct Exit {
    input_error: bool,
    unexpected: bool,
    inconclusive: bool,
}

impl Exit {
    fn row(&mut self, report: &Report) {
        if report.verdict == Verdict::Inconclusive && report.sampled && report.as_expected() {
            // It found nothing that it should not have found, and never says more.
        } else if report.verdict == Verdict::Inconclusive {
            self.inconclusive = true;
        } else if !report.as_expected() {
            self.unexpected = true;
        }
    }

    fn code(&self) -> u8 {
        match self {
            Exit { input_error: true, .. } => INPUT_ERROR,
            Exit { unexpected: true, .. } => 1,
            Exit { inconclusive: true, .. } => 3,
            _ => 0,
        }
    }
}

/// How loom and shuttle are to explore.
fn native(args: &CheckArgs) -> raddle_engines::Options {
    let defaults = raddle_engines::Options::default();
    let samples = args.engine == EngineArg::Shuttle && args.scheduler != Scheduler::Dfs;
    raddle_engines::Options {
        scheduler: args.scheduler,
        iterations: args.iterations.unwrap_or(if samples { 10_000 } else { defaults.iterations }),
        seed: args.seed,
        depth: args.depth,
        preemptions: args.preemptions,
        time: args.engine_time,
        weak_memory: args.weak_memory,
        ..defaults
    }
}

/// Checks all scenario files below the paths.
pub fn check(args: &CheckArgs, out: &mut Out) -> u8 {
    let engine = match args.engine {
        EngineArg::Exhaustive => Engine::Exhaustive,
        EngineArg::Reference => Engine::Reference,
        EngineArg::Loom => Engine::Loom,
        EngineArg::Shuttle => Engine::Shuttle,
    };
    let native = native(args);
    if args.weak_memory && engine != Engine::Loom {
        complain("raddle: --weak-memory: only loom takes it: --engine loom --weak-memory");
        return INPUT_ERROR;
    }
    if args.timeout.is_some() && engine == Engine::Reference {
        complain("raddle: --timeout: the reference search has no limit on time");
        return INPUT_ERROR;
    }
    let limits = Limits {
        state_limit: args.max_states,
        memory_limit: args.max_memory,
        time_limit: args.timeout,
        interrupt: (engine == Engine::Exhaustive).then(interrupt::catch),
        all_orders: args.all_orders || args.no_reduction,
        no_symmetry: args.no_symmetry || args.no_reduction,
        ..Limits::default()
    };
    if !saving::is_possible(args) {
        return INPUT_ERROR;
    }
    let resources = Resources {
        threads: args.threads.unwrap_or(0),
        compact: args.compact,
        spill: args.spill.clone(),
        saving: None,
    };
    let revisions = args.revisions.clone();
    let options = Options { revisions, engine, limits, resources, native, process: this_program() };
    let mut exit = Exit::default();
    let mut shown = Shown::default();
    if args.threads == Some(0) {
        complain("raddle: --threads 0: at least one thread is needed");
        return INPUT_ERROR;
    }
    let mut files = Vec::new();
    for path in &args.paths {
        match scenario_files(path) {
            // A slow scenario is checked when it is asked for by name.
            Ok(found) => files.extend(found.into_iter().map(|file| (!args.slow && *path != file, file))),
            Err(error) => {
                complain(error);
                exit.input_error = true;
            }
        }
    }
    let dumps = names(files.iter().map(|(_, file)| file.as_path()));
    for (skip_slow, file) in &files {
        if out.is_gone() {
            return exit.code();
        }
        if interrupt::came() {
            exit.inconclusive = true;
            break;
        }
        let input = Input { file, skip_slow: *skip_slow, dump: &dumps[file.as_path()] };
        check_file(&input, args, &options, out, &mut exit, &mut shown);
    }
    if args.format == Format::Text && shown.rows + shown.skipped > 1 {
        summary(&shown, out);
    }
    if let Some(form) = form(args.format).filter(|form| form.of_a_run()) {
        out.text(form.run(&shown.reports, args.full));
    }
    if form(args.format).is_some_and(Form::stands_alone) {
        only_one(&shown);
    }
    if let Some(StatsFormat::Json) = args.stats {
        shown.stats.print();
    }
    exit.code()
}

/// A file that is to be checked.
struct Input<'a> {
    file: &'a Path,
    /// Whether to leave it out if it is slow.
    skip_slow: bool,
    /// What its dumps are called.
    dump: &'a str,
}

#[derive(Default)]
struct Shown {
    rows: usize,
    as_expected: usize,
    skipped: usize,
    /// What a form of a whole run is made of in the end.
    reports: Vec<Report>,
    /// Violations that were met by a form that has one document for each.
    violations: usize,
    stats: Stats,
}

/// Of a form whose reader takes one document, the first violation was printed. This says so.
fn only_one(shown: &Shown) {
    match shown.violations {
        0 => complain("raddle: nothing is violated, so there is nothing to print in this format"),
        1 => {}
        n => complain(format_args!(
            "raddle: this is the first of {n} violations; --dump DIR writes a file for each"
        )),
    }
}

fn summary(shown: &Shown, out: &mut Out) {
    let skipped = match shown.skipped {
        0 => String::new(),
        n => format!(", {n} slow ones skipped (--slow checks them)"),
    };
    out.line(format_args!("{} rows, {} as expected{skipped}", shown.rows, shown.as_expected));
}

fn check_file(
    input: &Input<'_>,
    args: &CheckArgs,
    options: &Options,
    out: &mut Out,
    exit: &mut Exit,
    shown: &mut Shown,
) {
    let scenario = match Scenario::load(input.file) {
        Ok(scenario) => scenario,
        Err(errors) => {
            errors.iter().for_each(complain);
            exit.input_error = true;
            return;
        }
    };
    if input.skip_slow && scenario.file().world.environment.slow {
        shown.skipped += 1;
        return;
    }
    for revision in scenario.revisions(options) {
        if interrupt::came() {
            exit.inconclusive = true;
            return;
        }
        let mut options = options.clone();
        options.resources.saving = saving::saving(args, &scenario, revision);
        if options.resources.saving.is_some() && shown.rows > 0 {
            complain("raddle: --checkpoint: one row is saved; name one scenario and one --revision");
            exit.input_error = true;
            return;
        }
        let bar = progress_bar(&format!("{} {revision}", input.file.display()));
        let begun = Instant::now();
        let result = scenario.check_on(revision, &options, |progress| show(&bar, &progress));
        bar.finish_and_clear();
        let report = match result {
            Ok(report) => report,
            Err(error) => {
                complain(error);
                exit.input_error = true;
                continue;
            }
        };
        let time = begun.elapsed();
        let seconds = args.timing.then_some(time);
        shown.stats.row(&report, time);
        exit.row(&report);
        shown.rows += 1;
        shown.as_expected += usize::from(report.as_expected());
        match args.format {
            Format::Text => text(&report, seconds, args, &why(args, &scenario, &report), out),
            Format::Json => out.line(json(&report, seconds)),
            Format::Lkml => lkml(&report, args.full, &why(args, &scenario, &report), out),
            format => {
                let form = form(format).filter(|form| form.stands_alone());
                for (violation, form) in report.violations.iter().filter_map(|v| Some((v, form?))) {
                    shown.violations += 1;
                    if shown.violations == 1 {
                        out.text(form.violation(&report, violation, args.full));
                    }
                }
            }
        }
        if args.samples > 0 && report.verdict == Verdict::Verified && args.format == Format::Text {
            sample_runs(&scenario, &report, args, out);
        }
        out.flush();
        if let Some(dir) = &args.dump
            && let Err(error) = dump(dir, input.dump, &scenario, &report, args.full)
        {
            complain(format_args!("raddle: {}: {error}", dir.display()));
            exit.input_error = true;
        }
        if form(args.format).is_some_and(Form::of_a_run) {
            shown.reports.push(report);
        }
    }
}

/// The rendering of a format; text and JSON lines are no renderings of violations.
fn form(format: Format) -> Option<Form> {
    match format {
        Format::Text | Format::Json => None,
        Format::Lkml => Some(Form::Lkml),
        Format::Sarif => Some(Form::Sarif),
        Format::Junit => Some(Form::Junit),
        Format::Ktap => Some(Form::Ktap),
        Format::Mermaid => Some(Form::Mermaid),
        Format::Itf => Some(Form::Itf),
    }
}

/// What can be pasted into a mail: every violation, or what was covered.
fn lkml(report: &Report, full: bool, why: &[Preventer], out: &mut Out) {
    for violation in &report.violations {
        out.text(Form::Lkml.violation(report, violation, full));
        prevented(&violation.id, why, out);
        out.line("");
    }
    if report.violations.is_empty() {
        let claim = format!("{} on {}, {}", report.title, report.revision, report.scenario);
        for sentence in [claim, format!("{}.", report.guarantee)] {
            wrapped(&sentence).iter().for_each(|line| out.line(line));
        }
        out.line("");
    }
}

/// Runs of a verified scenario, so that one sees that something happens in it.
fn sample_runs(scenario: &Scenario, report: &Report, args: &CheckArgs, out: &mut Out) {
    match samples(scenario, &report.revision, args.samples, args.max_states.unwrap_or(usize::MAX)) {
        Ok(stories) => {
            for (number, story) in stories.iter().enumerate() {
                out.line(format_args!("Sample run {} of {}:\n", number + 1, stories.len()));
                out.line(raddle::check::diagram(story, args.full));
            }
        }
        Err(error) => complain(format_args!("raddle: {error}")),
    }
}

/// The rules that would have prevented the violations of a report, if they are asked for.
fn why(args: &CheckArgs, scenario: &Scenario, report: &Report) -> Vec<Preventer> {
    if !args.why || report.violations.is_empty() {
        return Vec::new();
    }
    preventers(scenario, report, WHY_STATES).unwrap_or_else(|error| {
        complain(error);
        Vec::new()
    })
}

/// So many states are visited at the most for each value of a rule that `--why` tries.
const WHY_STATES: usize = 200_000;

fn prevented(id: &str, why: &[Preventer], out: &mut Out) {
    let mine: Vec<&Preventer> = why.iter().filter(|one| one.prevents.iter().any(|it| it == id)).collect();
    if !mine.is_empty() {
        out.line("");
        out.line("Rules that prevent it, each changed alone on this revision:");
    }
    for one in mine {
        wrapped(&format!("* {}", one.sentence())).iter().for_each(|line| out.line(line));
    }
}

fn json(report: &Report, seconds: Option<Duration>) -> Value {
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
    if let Some(seconds) = seconds {
        put("seconds", json!(seconds.as_secs_f64()));
        put("peak_memory_bytes", json!(report.bytes));
    }
    Value::Object(object)
}

/// One line a row.
fn row(report: &Report) -> String {
    let verdict = match report.verdict {
        Verdict::Verified => "verified".to_owned(),
        Verdict::Violated => format!("violated: {}", report.hazards().join(", ")),
        Verdict::Inconclusive if report.sampled => "no hazard found".to_owned(),
        Verdict::Inconclusive => "inconclusive".to_owned(),
    };
    let expected = match (report.as_expected(), &report.expected) {
        (true, _) => String::new(),
        (false, None) => " -- UNEXPECTED".to_owned(),
        (false, Some(ids)) if ids.is_empty() => " -- UNEXPECTED, should be verified".to_owned(),
        (false, Some(ids)) => format!(" -- UNEXPECTED, should be {}", ids.join(", ")),
    };
    format!("{} on {}: {verdict}{expected}", report.scenario, report.revision)
}

fn text(report: &Report, seconds: Option<Duration>, args: &CheckArgs, why: &[Preventer], out: &mut Out) {
    out.line(row(report));
    if report.violations.is_empty() {
        out.line(format_args!("    {}", report.guarantee));
    }
    if let Some(seconds) = seconds {
        let bytes = thousands(report.bytes);
        out.line(format_args!("    {:.3} s, {bytes} bytes for states", seconds.as_secs_f64()));
    }
    for violation in &report.violations {
        out.line("");
        out.line(raddle::check::text(report, violation, args.full).trim_end());
        prevented(&violation.id, why, out);
        out.line("");
    }
    out.line("");
}

/// Checks the scenarios that are built in, one line each.
pub fn tour(out: &mut Out) -> u8 {
    let mut exit = Exit::default();
    let options = Options::default();
    for (path, source) in embedded() {
        let scenario = match Scenario::parse(&path, source) {
            Ok(scenario) => scenario,
            Err(errors) => unreachable!("internal: a built-in scenario is wrong: {}", errors[0]),
        };
        if scenario.file().world.environment.slow {
            continue;
        }
        for revision in scenario.revisions(&options) {
            let bar = progress_bar(&format!("{path} {revision}"));
            let report = scenario.check_on(revision, &options, |progress| show(&bar, &progress));
            bar.finish_and_clear();
            match report {
                Ok(report) => {
                    exit.row(&report);
                    out.line(row(&report));
                    out.flush();
                }
                Err(error) => {
                    complain(error);
                    exit.input_error = true;
                }
            }
            if out.is_gone() {
                return exit.code();
            }
        }
    }
    out.line("");
    out.line("Next: raddle check FILE explains a row; raddle new NAME starts a scenario.");
    exit.code()
}

/// A line that tells how far a search is; it shows on a terminal only.
fn progress_bar(what: &str) -> ProgressBar {
    let bar = ProgressBar::no_length();
    let style = ProgressStyle::with_template("{spinner} {prefix}: {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.set_prefix(what.to_owned());
    bar
}

/// What is left is estimated from the states that wait to be expanded, as if no more were found: it is
/// less than it will be.
fn show(bar: &ProgressBar, progress: &Progress) {
    let elapsed = bar.elapsed().as_secs_f64().max(f64::MIN_POSITIVE);
    let expanded = progress.states.saturating_sub(progress.frontier).max(1) as f64;
    let left = elapsed * progress.frontier as f64 / expanded;
    let (states, frontier) = (thousands(progress.states), thousands(progress.frontier));
    let speed = thousands((progress.states as f64 / elapsed) as usize);
    let bytes = thousands(progress.bytes);
    let depth = match progress.depth {
        0 => String::new(),
        depth => format!("depth {depth}, "),
    };
    bar.set_message(format!(
        "{states} states, {speed} states/s, {frontier} to expand, {depth}{bytes} bytes, \
         estimated to take at least {left:.0} s more"
    ));
    bar.tick();
}
