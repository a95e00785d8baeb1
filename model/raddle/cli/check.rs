//! `raddle check` and the tour.

use std::path::Path;
use std::time::Instant;

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};
use raddle::coverage::samples::samples;
use raddle::formats::{Document, Extras, summary};
use raddle::report::diagram;
use raddle::whatif::why::{Preventer, preventers};
use raddle::{Engine, Options, Report, Scenario, Verdict};
use raddle_checker::search::reduced::resources::Resources;
use raddle_checker::search::reference::{Limits, Progress};
use raddle_engines::Scheduler;

use super::agree::this_program;
use super::dump::{dump, names};
use super::embedded::embedded;
use super::inputs::{Exit, INPUT_ERROR, Input, Loaded, files, is_slow};
use super::interrupt;
use super::out::{Out, complain};
use super::saving;
use super::stats::Stats;
use super::{CheckArgs, StatsFormat};

/// So many states are visited at the most for each value of a rule that `--why` tries.
const WHY_STATES: usize = 200_000;

/// How loom and shuttle are to explore.
fn native(args: &CheckArgs) -> raddle_engines::Options {
    let defaults = raddle_engines::Options::default();
    let samples = args.engine == Engine::Shuttle && args.scheduler != Scheduler::Dfs;
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

/// What is wrong with the options together.
fn contradiction(args: &CheckArgs) -> Option<&'static str> {
    if args.weak_memory && args.engine != Engine::Loom {
        Some("--weak-memory: only loom takes it: --engine loom --weak-memory")
    } else if args.timeout.is_some() && args.engine == Engine::Reference {
        Some("--timeout: the reference search has no limit on time")
    } else if args.threads == Some(0) {
        Some("--threads 0: at least one thread is needed")
    } else {
        saving::contradiction(args)
    }
}

fn options(args: &CheckArgs) -> Options {
    let mut options = Options::default().engine(args.engine).limits(Limits {
        state_limit: args.max_states,
        memory_limit: args.max_memory,
        time_limit: args.timeout,
        interrupt: (args.engine == Engine::Exhaustive).then(interrupt::catch),
        all_orders: args.all_orders || args.no_reduction,
        no_symmetry: args.no_symmetry || args.no_reduction,
        ..Limits::default()
    });
    options.resources = Resources {
        threads: args.threads.unwrap_or(0),
        compact: args.compact,
        spill: args.spill.clone(),
        saving: None,
    };
    options.revisions = args.revisions.clone();
    options.native = native(args);
    options.process = this_program();
    options
}

/// Checks all scenario files below the paths.
pub fn check(args: &CheckArgs, out: &mut Out) -> u8 {
    if let Some(problem) = contradiction(args) {
        complain(format_args!("raddle: {problem}"));
        return INPUT_ERROR;
    }
    let options = options(args);
    let mut run = Run::default();
    let inputs = files(&args.paths, &mut run.exit);
    let dumps = names(inputs.iter().map(|input| input.file.as_path()));
    for input in &inputs {
        if out.is_gone() {
            return run.exit.code();
        }
        if interrupt::came() {
            run.exit.inconclusive = true;
            break;
        }
        run.file(input, &dumps[input.file.as_path()], args, &options, out);
    }
    match args.format.document {
        Document::Row(_) if args.format.name == "text" && run.rows + run.skipped > 1 => run.summary(out),
        Document::Row(_) => {}
        Document::Run(write) => {
            out.text(write(&run.reports, &Extras { full: args.full, ..Extras::default() }))
        }
        Document::Violation(_) => run.only_one(),
    }
    if let Some(StatsFormat::Json) = args.stats {
        run.stats.print();
    }
    run.exit.code()
}

/// What was checked so far.
#[derive(Default)]
struct Run {
    exit: Exit,
    rows: usize,
    as_expected: usize,
    skipped: usize,
    /// For a document of the whole run.
    reports: Vec<Report>,
    /// Of a format with one document for each.
    violations: usize,
    stats: Stats,
}

impl Run {
    /// Of a format whose reader takes one document, the first violation was printed. This says so.
    fn only_one(&self) {
        match self.violations {
            0 => complain("raddle: nothing is violated, so there is nothing to print in this format"),
            1 => {}
            n => complain(format_args!(
                "raddle: this is the first of {n} violations; --dump DIR writes a file for each"
            )),
        }
    }

    fn summary(&self, out: &mut Out) {
        let skipped = match self.skipped {
            0 => String::new(),
            n => format!(", {n} slow ones skipped (--slow checks them)"),
        };
        out.line(format_args!("{} rows, {} as expected{skipped}", self.rows, self.as_expected));
    }

    fn file(&mut self, input: &Input, stem: &str, args: &CheckArgs, options: &Options, out: &mut Out) {
        let scenario = match input.load(args.slow, &mut self.exit) {
            Loaded::Scenario(scenario) => scenario,
            Loaded::Slow => {
                self.skipped += 1;
                return;
            }
            Loaded::Wrong => return,
        };
        for revision in scenario.revisions(options) {
            if interrupt::came() {
                self.exit.inconclusive = true;
                return;
            }
            let mut options = options.clone();
            options.resources.saving = saving::saving(args, &scenario, revision);
            if options.resources.saving.is_some() && self.rows > 0 {
                self.exit
                    .wrong("raddle: --checkpoint: one row is saved; name one scenario and one --revision");
                return;
            }
            let begun = Instant::now();
            match watched(&scenario, revision, &options) {
                Ok(report) => self.row(&scenario, report, begun, stem, args, out),
                Err(error) => self.exit.wrong(error),
            }
        }
    }

    fn row(
        &mut self,
        scenario: &Scenario,
        report: Report,
        begun: Instant,
        stem: &str,
        args: &CheckArgs,
        out: &mut Out,
    ) {
        let time = begun.elapsed();
        self.stats.row(&report, time);
        self.exit.row(&report);
        self.rows += 1;
        self.as_expected += usize::from(report.as_expected());
        match args.format.document {
            Document::Row(write) => {
                let why = why(args, scenario, &report);
                let extras = Extras { full: args.full, time: args.timing.then_some(time), why };
                out.text(write(&report, &extras));
            }
            Document::Violation(write) => {
                if let Some(first) = report.violations.first().filter(|_| self.violations == 0) {
                    out.text(write(&report, first));
                }
                self.violations += report.violations.len();
            }
            Document::Run(_) => {}
        }
        if args.samples > 0 && report.verdict == Verdict::Verified && args.format.name == "text" {
            sample_runs(scenario, &report, args, out);
        }
        out.flush();
        if let Some(dir) = &args.dump
            && let Err(error) = dump(dir, stem, scenario, &report, args.full)
        {
            self.exit.wrong(format_args!("raddle: {}: {error}", dir.display()));
        }
        if matches!(args.format.document, Document::Run(_)) {
            self.reports.push(report);
        }
    }
}

/// Checks a row under a progress bar.
fn watched(
    scenario: &Scenario,
    revision: &str,
    options: &Options,
) -> Result<Report, raddle_probing::scenario::InputError> {
    let bar = progress_bar(&format!("{} {revision}", Path::new(&scenario.file().path).display()));
    let result = scenario.check_on(revision, options, |progress| show(&bar, &progress));
    bar.finish_and_clear();
    result
}

/// Runs of a verified scenario, so that one sees that something happens in it.
fn sample_runs(scenario: &Scenario, report: &Report, args: &CheckArgs, out: &mut Out) {
    match samples(scenario, &report.revision, args.samples, args.max_states.unwrap_or(usize::MAX)) {
        Ok(stories) => {
            for (number, story) in stories.iter().enumerate() {
                out.line(format_args!("Sample run {} of {}:\n", number + 1, stories.len()));
                out.line(diagram(story, args.full));
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

/// Checks the scenarios that are built in, one line each.
pub fn tour(out: &mut Out) -> u8 {
    let mut exit = Exit::default();
    let options = Options::default();
    for (path, source) in embedded() {
        let scenario = Scenario::parse(&path, source)
            .unwrap_or_else(|errors| unreachable!("internal: a built-in scenario is wrong: {errors}"));
        if is_slow(&scenario) {
            continue;
        }
        for revision in scenario.revisions(&options) {
            match watched(&scenario, revision, &options) {
                Ok(report) => {
                    exit.row(&report);
                    out.line(summary(&report));
                    out.flush();
                }
                Err(error) => exit.wrong(error),
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

/// The time left is a lower bound: it is estimated from the frontier, as if no more states were found.
fn show(bar: &ProgressBar, progress: &Progress) {
    let elapsed = bar.elapsed().as_secs_f64().max(f64::MIN_POSITIVE);
    let expanded = progress.states.saturating_sub(progress.frontier).max(1) as f64;
    let left = elapsed * progress.frontier as f64 / expanded;
    let count = |n: usize| HumanCount(n as u64);
    let depth = match progress.depth {
        0 => String::new(),
        depth => format!("depth {depth}, "),
    };
    bar.set_message(format!(
        "{} states, {} states/s, {} to expand, {depth}{}, at least {left:.0} s left",
        count(progress.states),
        count((progress.states as f64 / elapsed) as usize),
        count(progress.frontier),
        HumanBytes(progress.bytes as u64),
    ));
    bar.tick();
}
