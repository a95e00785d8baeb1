//! `raddle check` and the tour.

use std::path::Path;
use std::time::{Duration, Instant};

use raddle::coverage::samples::samples;
use raddle::formats::{Document, Extras, summary};
use raddle::on_tree::OnTree;
use raddle::route::Route;
use raddle::whatif::why::{Why, why};
use raddle::{Engine, Options, Report, Scenario, Verdict};
use raddle_checker::render::diagram;
use raddle_checker::search::reduced::resources::Resources;
use raddle_checker::search::reference::Limits;
use raddle_engines::Scheduler;
use raddle_kernel_c::subject::{KernelC, Stuck};
use raddle_probing::scenario::InputError;

use super::agree::{ENGINE_TIME, this_program};
use super::ahead::{Results, check_ahead};
use super::cluster::{self, Together};
use super::dump::{Dumps, names};
use super::embedded::embedded;
use super::inputs::{Exit, INPUT_ERROR, Input, Loaded, files, is_slow};
use super::interrupt;
use super::out::{Out, complain, shown};
use super::saving;
use super::stats::Stats;
use super::watch::Watch;
use super::{CheckArgs, LinesArg, StatsFormat, certificate};

/// So many states are visited at the most for each value of a rule that `--why` tries.
const WHY_STATES: usize = 200_000;

/// How loom and shuttle are to explore.
fn native(args: &CheckArgs) -> raddle_engines::NativeOptions {
    let defaults = raddle_engines::NativeOptions::default();
    let scheduler = args.scheduler.unwrap_or(Scheduler::Pct);
    let samples = args.engine == Engine::Shuttle && scheduler != Scheduler::Dfs;
    raddle_engines::NativeOptions {
        scheduler,
        iterations: args.iterations.unwrap_or(if samples { 10_000 } else { defaults.iterations }),
        seed: args.seed.unwrap_or(defaults.seed),
        depth: args.depth.unwrap_or(defaults.depth),
        preemptions: args.preemptions,
        weak_memory: args.weak_memory,
        ..defaults
    }
}

/// What is wrong with the options together.
fn contradiction(args: &CheckArgs) -> Option<String> {
    use Engine::{Exhaustive, Loom, Reference, Shuttle};
    let by_engine: [(&str, bool, &[Engine]); 20] = [
        ("--max-states", args.limits.max_states.is_some(), &[Exhaustive, Reference]),
        ("--max-memory", args.limits.max_memory.is_some(), &[Exhaustive, Reference]),
        ("--threads", args.limits.threads.is_some(), &[Exhaustive]),
        ("--compact", args.compact, &[Exhaustive]),
        ("--spill", args.spill.is_some(), &[Exhaustive]),
        ("--checkpoint", args.checkpoint.is_some(), &[Exhaustive]),
        ("--resume", args.resume.is_some(), &[Exhaustive]),
        ("--all-orders", args.all_orders, &[Exhaustive]),
        ("--no-symmetry", args.no_symmetry, &[Exhaustive]),
        ("--no-reduction", args.no_reduction, &[Exhaustive]),
        ("--without", args.without.is_some(), &[Exhaustive]),
        ("--scheduler", args.scheduler.is_some(), &[Shuttle]),
        ("--seed", args.seed.is_some(), &[Shuttle]),
        ("--depth", args.depth.is_some(), &[Shuttle]),
        ("--iterations", args.iterations.is_some(), &[Loom, Shuttle]),
        ("--preemptions", args.preemptions.is_some(), &[Loom]),
        ("--weak-memory", args.weak_memory, &[Loom]),
        ("--why", args.why, &[Exhaustive, Reference]),
        ("--passing", !args.passing.is_empty(), &[Exhaustive, Reference]),
        ("--avoiding", !args.avoiding.is_empty(), &[Exhaustive, Reference]),
    ];
    let by_format: [(&str, bool, &[&str]); 4] = [
        ("--certificate", args.certificate.is_some(), &["text"]),
        ("--why", args.why, &["text", "lkml"]),
        ("--samples", args.samples > 0, &["text"]),
        ("--timing", args.timing, &["text", "json"]),
    ];
    let refused = |option: &str, by: &str, takers: Vec<&str>| {
        Some(format!("{option}: {by} does not take it; use {}", takers.join(" or ")))
    };
    for (option, _, engines) in by_engine.into_iter().filter(|(_, given, _)| *given) {
        if !engines.contains(&args.engine) {
            let takers: Vec<String> = engines.iter().map(|one| format!("--engine {}", one.name())).collect();
            let takers = takers.iter().map(String::as_str).collect();
            return refused(option, &format!("the engine {}", args.engine.name()), takers);
        }
    }
    for (option, _, formats) in by_format.into_iter().filter(|(_, given, _)| *given) {
        if !formats.contains(&args.format.name) {
            let takers: Vec<String> = formats.iter().map(|one| format!("--format {one}")).collect();
            let takers = takers.iter().map(String::as_str).collect();
            return refused(option, &format!("the format {}", args.format.name), takers);
        }
    }
    let of_trees =
        [("--assumptions", args.assumptions), ("--lines", matches!(args.lines, Some(LinesArg::Patch)))];
    if let Some(problem) = args.on.without_tree(args.tree.as_ref(), &of_trees) {
        return Some(problem);
    }
    saving::contradiction(args).or_else(|| cluster::contradiction(args)).map(str::to_owned)
}

pub fn options(args: &CheckArgs) -> Options {
    let options = args.limits.options().engine(args.engine);
    let limits = options.limits;
    // Threads that run the model do not come to an end by themselves.
    let native_time = args.engine.is_native().then_some(ENGINE_TIME);
    let mut options = options.limits(Limits {
        all_orders: args.all_orders || args.no_reduction,
        no_symmetry: args.no_symmetry || args.no_reduction,
        without: args.without.unwrap_or_default(),
        time_limit: limits.time_limit.or(native_time),
        ..limits
    });
    options.resources = Resources {
        threads: cluster::threads(args).unwrap_or(options.resources.threads),
        compact: args.compact,
        spill: args.spill.clone(),
        saving: None,
    };
    options.revisions = args.revisions.clone();
    options.native = native(args);
    options.process = this_program();
    options.route = Route::new(args.passing.clone(), args.avoiding.clone());
    options
}

/// Checks all scenario files below the paths.
pub fn check(args: &CheckArgs, out: &mut Out) -> u8 {
    if let Some(problem) = contradiction(args) {
        complain(format_args!("raddle: {problem}"));
        return INPUT_ERROR;
    }
    let together = match Together::begin(args) {
        Ok(together) => together,
        Err(code) => return code,
    };
    let options = options(args);
    let kernel = match args.tree.as_ref().map(|dir| args.on.open(dir)).transpose() {
        Ok(opened) => opened.map(|(tree, tables)| KernelC::new(tree, tables)),
        Err(error) => {
            complain(error);
            return INPUT_ERROR;
        }
    };
    let arguments = args.tree.as_deref().map(|dir| args.on.arguments(dir)).unwrap_or_default();
    let kernel = kernel.as_ref().map(|kernel| (kernel, &arguments[..]));
    let mut rows = Rows { together, ..Rows::default() };
    let inputs = files(&args.paths, &mut rows.exit);
    let dumps = names(inputs.iter().map(|input| input.file.as_path()));
    let load = |input: &Input| input.load(args.slow, &mut rows.exit);
    let loaded: Vec<Loaded> = inputs.iter().map(load).collect();
    let all = match kernel {
        _ if !may_work_ahead(args) => Vec::new(),
        Some(kernel) => on_tree(&loaded, kernel, args),
        None => pairs(&loaded, &options),
    };
    let one = |(scenario, on): &(&Scenario, On<'_>), few: &Options| small(scenario, *on, few, Some(args));
    check_ahead(&all, &options, one, |mut ahead| {
        for (input, loaded) in inputs.iter().zip(&loaded) {
            if out.is_gone() || rows.exit.interrupted() || rows.together.is_lost() {
                break;
            }
            let stem = dumps[input.file.as_path()].as_str();
            rows.file((input, loaded, stem), kernel, args, &options, &mut ahead, out);
        }
    });
    if out.is_gone() {
        return rows.exit.code();
    }
    match args.format.document {
        Document::Row(_)
            if args.format.name == "text" && rows.checked + rows.skipped + rows.not_on_trees > 1 =>
        {
            rows.summary(out)
        }
        Document::Row(_) => {}
        Document::Run(write) => {
            let unreadable = rows.exit.unreadable.clone();
            out.text(write(&rows.reports, &Extras { shown: args.shown(), unreadable, ..Extras::default() }))
        }
        Document::Violation(_) => rows.only_one(),
    }
    if interrupt::came() {
        saving::where_it_is(args);
    }
    if rows.together.has_lost_somebody() {
        saving::what_is_left(args);
    }
    let processes = std::mem::take(&mut rows.together).end();
    if let Some(StatsFormat::Json) = args.stats {
        rows.stats.print(processes);
    }
    if let Some((kernel, _)) = kernel.filter(|_| args.assumptions) {
        kernel.assumptions().iter().for_each(|assumption| out.line(format_args!("assumed: {assumption}")));
    }
    rows.exit.code()
}

/// What was checked so far.
#[derive(Default)]
struct Rows {
    exit: Exit,
    checked: usize,
    as_expected: usize,
    skipped: usize,
    /// Those that are not run on trees.
    not_on_trees: usize,
    /// For a document of the whole run.
    reports: Vec<Report>,
    /// Of a format with one document for each.
    violations: usize,
    stats: Stats,
    dumps: Dumps,
    together: Together,
}

impl Rows {
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
        let hand_model = match self.not_on_trees {
            0 => String::new(),
            n => format!(", {n} of the hand model alone skipped"),
        };
        let (rows, as_expected) = (self.checked, self.as_expected);
        out.line(format_args!("{rows} rows, {as_expected} as expected{skipped}{hand_model}"));
    }

    fn file(
        &mut self,
        (input, loaded, stem): (&Input, &Loaded, &str),
        kernel: Option<(&KernelC, &[String])>,
        args: &CheckArgs,
        options: &Options,
        ahead: &mut Results<'_, Small>,
        out: &mut Out,
    ) {
        let scenario = match loaded {
            Loaded::Scenario(scenario) => scenario,
            Loaded::Slow => {
                self.skipped += 1;
                return;
            }
            Loaded::Wrong => return,
        };
        if let Some(kernel) = kernel {
            return self.on_tree(scenario, kernel, args, options, ahead, out);
        }
        for revision in scenario.revisions(options) {
            if self.exit.interrupted() || self.together.is_lost() {
                return;
            }
            let mut options = options.clone();
            options.resources.saving = saving::saving(args, scenario, revision);
            if options.resources.saving.is_some() && self.checked > 0 {
                self.exit
                    .wrong("raddle: --checkpoint: one row is saved; name one scenario and one --revision");
                return;
            }
            if args.certificate.is_some() && self.checked > 0 {
                self.exit.wrong(
                    "raddle: --certificate: one row is certified; name one scenario and one --revision",
                );
                return;
            }
            let what = format!("{} on {revision}", scenario.file().path);
            let Rows { exit, together, .. } = self;
            let now = || self::row(scenario, On::Revision(revision), &options, Some(args), together);
            let Some(row) = exit.run(&what, || ahead.take_or(now)) else { continue };
            let verdict = row.report.verdict;
            self.row(scenario, row, (&input.file, stem), args, out);
            if let Some(file) = &args.certificate {
                if verdict == Verdict::Verified {
                    let most = args.limits.max_states;
                    certificate::write(file, scenario, revision, most, &mut self.exit, out);
                } else {
                    complain(format_args!("raddle: no certificate of {what}: it is {}", verdict.name()));
                }
            }
        }
    }

    /// A scenario on the kernel's own C, if it is run there.
    fn on_tree(
        &mut self,
        scenario: &Scenario,
        kernel: (&KernelC, &[String]),
        args: &CheckArgs,
        options: &Options,
        ahead: &mut Results<'_, Small>,
        out: &mut Out,
    ) {
        if is_passed_over(scenario, args) {
            self.not_on_trees += 1;
            return;
        }
        let what = format!("{} on Linux {}", scenario.file().path, kernel.0.tree().version());
        let Rows { exit, together, .. } = self;
        let now = || row(scenario, On::Tree(kernel.0, kernel.1), options, Some(args), together);
        let Some(row) = exit.run(&what, || ahead.take_or(now)) else { return };
        if let Some(stuck) = &row.stuck {
            complain(format_args!("raddle: {}: not understood: {stuck}", scenario.file().path));
        }
        self.row(scenario, row, (Path::new(&scenario.file().path), ""), args, out);
    }

    fn row(
        &mut self,
        scenario: &Scenario,
        row: Checked,
        named: (&Path, &str),
        args: &CheckArgs,
        out: &mut Out,
    ) {
        let Checked { report, why, time, .. } = row;
        self.stats.row(&report, time);
        self.exit.row(&report);
        self.exit.unexpected |= args.strict && !report.warnings.is_empty();
        self.checked += 1;
        self.as_expected += usize::from(report.as_expected());
        match args.format.document {
            Document::Row(write) => {
                let time = args.timing.then_some(time);
                let extras = Extras { shown: args.shown(), time, why, ..Extras::default() };
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
        if args.samples > 0 && report.verdict == Verdict::Verified {
            sample_runs(scenario, &report, args, out);
        }
        out.flush();
        if let Some(dir) = &args.dump
            && let Err(error) = self.dumps.write(dir, named, scenario, &report, args.shown())
        {
            self.exit.wrong(format_args!("raddle: {}: {error}", shown(dir)));
        }
        if matches!(args.format.document, Document::Run(_)) {
            self.reports.push(report);
        }
    }
}

/// What was found out about a row.
struct Checked {
    report: Report,
    /// Where the kernel's C is not understood.
    stuck: Option<Stuck>,
    why: Option<Why>,
    time: Duration,
}

impl From<Report> for Checked {
    fn from(report: Report) -> Self {
        Checked { report, stuck: None, why: None, time: Duration::ZERO }
    }
}

impl Checked {
    /// With why a hazard is there, if that is asked for, and the time since it was begun.
    fn explained(
        self,
        scenario: &Scenario,
        on: On<'_>,
        options: &Options,
        args: Option<&CheckArgs>,
        begun: Instant,
    ) -> Result<Self, InputError> {
        let wanted = matches!(on, On::Revision(_)) && args.is_some_and(|args| args.why);
        let why = wanted.then(|| why(scenario, &self.report, options, WHY_STATES)).transpose()?;
        Ok(Checked { why, time: begun.elapsed(), ..self })
    }
}

/// A row that was checked by one thread; `None`: it has too many states for that.
type Small = Option<Result<Checked, InputError>>;

/// Whether rows may be checked on a thread each: then none of them is saved or shared.
fn may_work_ahead(args: &CheckArgs) -> bool {
    let saved = args.checkpoint.is_some() || args.resume.is_some() || args.certificate.is_some();
    args.engine == Engine::Exhaustive && !saved && args.spill.is_none() && cluster::threads(args).is_none()
}

/// On what a scenario is checked.
#[derive(Clone, Copy)]
enum On<'l> {
    /// A revision of the hand model.
    Revision(&'l str),
    /// A kernel's own C, with the arguments that name the tree.
    Tree(&'l KernelC, &'l [String]),
}

/// The rows of a run on the hand model.
fn pairs<'l>(loaded: &'l [Loaded], options: &'l Options) -> Vec<(&'l Scenario, On<'l>)> {
    let of = |scenario: &'l Scenario| {
        scenario.revisions(options).iter().map(move |revision| (scenario, On::Revision(revision)))
    };
    loaded.iter().filter_map(Loaded::scenario).flat_map(of).collect()
}

/// Those of a run on a tree.
fn on_tree<'l>(
    loaded: &'l [Loaded],
    (kernel, arguments): (&'l KernelC, &'l [String]),
    args: &CheckArgs,
) -> Vec<(&'l Scenario, On<'l>)> {
    let all = loaded.iter().filter_map(Loaded::scenario).filter(|scenario| !is_passed_over(scenario, args));
    all.map(|scenario| (scenario, On::Tree(kernel, arguments))).collect()
}

/// Whether a scenario is left out that does not run on trees: nobody has named it.
fn is_passed_over(scenario: &Scenario, args: &CheckArgs) -> bool {
    scenario.not_on_trees().is_some() && args.paths.iter().all(|path| path.is_dir())
}

/// What one thread finds out about a row.
fn small(scenario: &Scenario, on: On<'_>, few: &Options, args: Option<&CheckArgs>) -> Small {
    let begun = Instant::now();
    let row = match on {
        On::Revision(revision) => scenario.check_on(revision, few, |_| {}).map(Checked::from),
        On::Tree(kernel, arguments) => row_on_tree(scenario, (kernel, arguments), few),
    };
    if row.as_ref().is_ok_and(|row| row.report.cut && row.stuck.is_none()) {
        return None;
    }
    Some(row.and_then(|row| row.explained(scenario, on, few, args, begun)))
}

fn row(
    scenario: &Scenario,
    on: On<'_>,
    options: &Options,
    args: Option<&CheckArgs>,
    together: &mut Together,
) -> Result<Checked, InputError> {
    let begun = Instant::now();
    let row = match on {
        On::Revision(revision) => Checked::from(watched(scenario, revision, options, together)?),
        On::Tree(kernel, arguments) => row_on_tree(scenario, (kernel, arguments), options)?,
    };
    row.explained(scenario, on, options, args, begun)
}

/// A scenario on the kernel's own C. `arguments`: those that name the tree.
fn row_on_tree(
    scenario: &Scenario,
    (kernel, arguments): (&KernelC, &[String]),
    options: &Options,
) -> Result<Checked, InputError> {
    let OnTree { report, stuck } = scenario.check_on_tree(kernel, arguments, options, |_| {})?;
    Ok(Checked { stuck, ..Checked::from(report) })
}

/// Checks a row under a progress bar.
fn watched(
    scenario: &Scenario,
    revision: &str,
    options: &Options,
    together: &mut Together,
) -> Result<Report, InputError> {
    let mut watch = Watch::new(&format!("{} on {revision}", scenario.file().path));
    together.check(scenario, revision, options, |progress| watch.show(&progress))
}

/// Runs of a verified scenario, so that one sees that something happens in it.
fn sample_runs(scenario: &Scenario, report: &Report, args: &CheckArgs, out: &mut Out) {
    match samples(scenario, &report.revision, args.samples, &args.limits.limits()) {
        Ok(stories) => {
            for (number, story) in stories.iter().enumerate() {
                out.line(format_args!("Sample run {} of {}:\n", number + 1, stories.len()));
                out.line(diagram(story, &args.shown()));
            }
        }
        Err(error) => complain(format_args!("raddle: {error}")),
    }
}

/// Checks the scenarios that are built in, one line each.
pub fn tour(out: &mut Out) -> u8 {
    let mut exit = Exit::default();
    let options = Options::default();
    let scenarios = embedded().into_iter().map(|(path, source)| {
        let scenario = Scenario::parse(&path, source)
            .unwrap_or_else(|errors| unreachable!("internal: a built-in scenario is wrong: {errors}"));
        if is_slow(&scenario) { Loaded::Slow } else { Loaded::Scenario(Box::new(scenario)) }
    });
    let scenarios: Vec<Loaded> = scenarios.collect();
    let rows = pairs(&scenarios, &options);
    let one = |(scenario, on): &(&Scenario, On<'_>), few: &Options| small(scenario, *on, few, None);
    check_ahead(&rows, &options, one, |mut ahead| {
        for (scenario, on) in &rows {
            let now = || row(scenario, *on, &options, None, &mut Together::default());
            if let Some(Checked { report, .. }) = exit.run(&scenario.file().path, || ahead.take_or(now)) {
                exit.row(&report);
                out.line(summary(&report));
                out.flush();
            }
            if out.is_gone() {
                break;
            }
        }
    });
    if out.is_gone() {
        return exit.code();
    }
    out.line("");
    out.line("Next: raddle check FILE explains a row; raddle new NAME starts a scenario.");
    exit.code()
}
