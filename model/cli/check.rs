//! `raddle check` and the tour.

use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use raddle::check::{Engine, Options, Report, Scenario, Verdict, thousands};
use raddle::embedded::embedded;
use raddle::scenario::scenario_files;
use raddle::search::reference::{Limits, Progress};
use serde_json::{Map, Value, json};

use super::dump::dump;
use super::interrupt;
use super::out::{Out, complain};
use super::stats::Stats;
use super::{CheckArgs, EngineArg, Format, INPUT_ERROR, StatsFormat};

/// What the rows so far say of the exit code (SCENARIOS.md 4).
#[derive(Default)]
struct Exit {
    input_error: bool,
    unexpected: bool,
    inconclusive: bool,
}

impl Exit {
    fn row(&mut self, report: &Report) {
        if report.verdict == Verdict::Inconclusive {
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

/// Checks all scenario files below the paths.
pub fn check(args: &CheckArgs, out: &mut Out) -> u8 {
    let engine = match args.engine {
        EngineArg::Exhaustive => Engine::Exhaustive,
        EngineArg::Reference => Engine::Reference,
    };
    if args.timeout.is_some() && engine == Engine::Reference {
        complain("raddle: --timeout: the reference search has no limit on time");
        return INPUT_ERROR;
    }
    let limits = Limits {
        state_limit: args.max_states,
        memory_limit: args.max_memory,
        time_limit: args.timeout,
        interrupt: (engine == Engine::Exhaustive).then(interrupt::catch),
        ..Limits::default()
    };
    let options = Options { revisions: args.revisions.clone(), engine, limits };
    let mut exit = Exit::default();
    let mut shown = Shown::default();
    if args.threads == Some(0) {
        complain("raddle: --threads 0: at least one thread is needed");
        return INPUT_ERROR;
    }
    for path in &args.paths {
        let files = match scenario_files(path) {
            Ok(files) => files,
            Err(error) => {
                complain(error);
                exit.input_error = true;
                continue;
            }
        };
        for file in files {
            if out.is_gone() {
                return exit.code();
            }
            if interrupt::came() {
                exit.inconclusive = true;
                break;
            }
            // A slow scenario is checked when it is asked for by name.
            check_file(&file, !args.slow && *path != file, args, &options, out, &mut exit, &mut shown);
        }
    }
    if args.format == Format::Text && shown.rows + shown.skipped > 1 {
        summary(&shown, out);
    }
    if let Some(StatsFormat::Json) = args.stats {
        shown.stats.print();
    }
    exit.code()
}

#[derive(Default)]
struct Shown {
    rows: usize,
    as_expected: usize,
    skipped: usize,
    stats: Stats,
}

fn summary(shown: &Shown, out: &mut Out) {
    let skipped = match shown.skipped {
        0 => String::new(),
        n => format!(", {n} slow ones skipped (--slow checks them)"),
    };
    out.line(format_args!("{} rows, {} as expected{skipped}", shown.rows, shown.as_expected));
}

fn check_file(
    file: &Path,
    skip_slow: bool,
    args: &CheckArgs,
    options: &Options,
    out: &mut Out,
    exit: &mut Exit,
    shown: &mut Shown,
) {
    let scenario = match Scenario::load(file) {
        Ok(scenario) => scenario,
        Err(errors) => {
            errors.iter().for_each(complain);
            exit.input_error = true;
            return;
        }
    };
    if skip_slow && scenario.file().world.environment.slow {
        shown.skipped += 1;
        return;
    }
    for revision in scenario.revisions(options) {
        if interrupt::came() {
            exit.inconclusive = true;
            return;
        }
        let bar = progress_bar(&format!("{} {revision}", file.display()));
        let begun = Instant::now();
        let result = scenario.check_on(revision, options, |progress| show(&bar, &progress));
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
            Format::Text => text(&report, seconds, args.full, out),
            Format::Json => out.line(json(&report, seconds)),
        }
        out.flush();
        if let Some(dir) = &args.dump
            && let Err(error) = dump(dir, &scenario, &report)
        {
            complain(format_args!("raddle: {}: {error}", dir.display()));
            exit.input_error = true;
        }
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

fn text(report: &Report, seconds: Option<Duration>, full: bool, out: &mut Out) {
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
        out.line(raddle::check::text(report, violation, full));
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

fn show(bar: &ProgressBar, progress: &Progress) {
    let (states, frontier) = (thousands(progress.states), thousands(progress.frontier));
    let speed = progress.states as f64 / bar.elapsed().as_secs_f64().max(f64::MIN_POSITIVE);
    let (speed, bytes) = (thousands(speed as usize), thousands(progress.bytes));
    bar.set_message(format!(
        "{states} states, {speed} states/s, {frontier} to expand, depth {}, {bytes} bytes",
        progress.depth
    ));
    bar.tick();
}
