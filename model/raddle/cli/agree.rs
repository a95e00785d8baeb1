//! `raddle agree`, and the process in which an engine runs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use raddle::Options;
use raddle::agree::{Agreement, agree as compare, agree_on_tree};
use raddle::engine::serve;
use raddle_engines::agree::Covered;
use raddle_engines::child;
use raddle_kernel_c::subject::KernelC;

use super::AgreeArgs;
use super::inputs::{Exit, INPUT_ERROR, scenarios};
use super::out::{Out, complain};

/// So long an engine on threads may take, unless it is said.
pub const ENGINE_TIME: Duration = Duration::from_secs(60);

/// The program that runs engines in processes of their own: this one.
pub fn this_program() -> Option<PathBuf> {
    std::env::current_exe().ok()
}

/// Runs an engine for another process of raddle.
pub fn run_engine(out: &mut Out) -> u8 {
    match child::request() {
        Ok(request) => {
            out.line(serve(&request, super::tree::kernel_of));
            0
        }
        Err(error) => {
            complain(format_args!("raddle: {error}"));
            INPUT_ERROR
        }
    }
}

/// Runs all engines on all scenario files below the paths.
pub fn agree(args: &AgreeArgs, out: &mut Out) -> u8 {
    if let Some(problem) = args.on.without_tree(args.tree.as_ref(), &[("--engines", args.engines)]) {
        complain(format_args!("raddle: {problem}"));
        return INPUT_ERROR;
    }
    if let Some(dir) = args.tree.as_ref().filter(|_| !args.engines) {
        return super::tree::agree(dir, args, out);
    }
    let mut options = args.limits.options();
    options.revisions.clone_from(&args.revisions);
    options.process = this_program();
    options.native.iterations = args.iterations;
    options.native.seed = args.seed;
    options.native.time = Some(args.limits.timeout.unwrap_or(ENGINE_TIME));
    let mut exit = Exit::default();
    if let Some(dir) = &args.tree {
        return engines_on_tree(dir, args, &options, exit, out);
    }
    let mut counts = Counts::default();
    for scenario in scenarios(&args.paths, args.slow, &mut exit) {
        for revision in scenario.revisions(&options) {
            if out.is_gone() || exit.interrupted() {
                return exit.code();
            }
            let what = format!("{} on {revision}", scenario.file().path);
            if let Some(agreement) = exit.run(&what, || compare(&scenario, revision, &options)) {
                counts.add(&agreement);
                show(&what, &agreement, &mut exit, out);
            }
        }
    }
    counts.show(out);
    exit.code()
}

/// How many rows came out how.
#[derive(Default)]
struct Counts {
    /// All engines find the same hazards.
    hazards: usize,
    /// None of them finds a hazard: a weaker agreement, since those that sample find little by chance.
    no_hazard: usize,
    inconclusive: usize,
    differ: usize,
}

impl Counts {
    fn add(&mut self, agreement: &Agreement) {
        let finds = agreement.witnesses.iter().any(|witness| !witness.hazards.is_empty());
        let count = match (agreement.differences.is_empty(), agreement.inconclusive, finds) {
            (false, ..) => &mut self.differ,
            (true, true, _) => &mut self.inconclusive,
            (true, false, true) => &mut self.hazards,
            (true, false, false) => &mut self.no_hazard,
        };
        *count += 1;
    }

    fn show(&self, out: &mut Out) {
        let Counts { hazards, no_hazard, inconclusive, differ } = self;
        let rows = hazards + no_hazard + inconclusive + differ;
        if rows > 1 {
            out.line(format_args!(
                "{rows} rows: on {hazards} the engines agree on hazards, on {no_hazard} none finds one, \
                 {inconclusive} inconclusive, {differ} differ"
            ));
        }
    }
}

/// All engines on a kernel's own C.
fn engines_on_tree(dir: &Path, args: &AgreeArgs, options: &Options, mut exit: Exit, out: &mut Out) -> u8 {
    let kernel = match args.on.open(dir) {
        Ok((tree, tables)) => KernelC::new(tree, tables),
        Err(error) => {
            complain(error);
            return INPUT_ERROR;
        }
    };
    let arguments = args.on.arguments(dir);
    let paths = if args.paths.is_empty() { vec![PathBuf::from("scenarios")] } else { args.paths.clone() };
    let mut counts = Counts::default();
    for scenario in scenarios(&paths, args.slow, &mut exit) {
        if out.is_gone() || exit.interrupted() {
            break;
        }
        if !scenario.file().rules.is_empty() {
            continue;
        }
        let what = format!("{} on Linux {}", scenario.file().path, kernel.tree().version());
        if let Some(agreement) = exit.run(&what, || agree_on_tree(&scenario, &kernel, &arguments, options)) {
            counts.add(&agreement);
            show(&what, &agreement, &mut exit, out);
        }
    }
    counts.show(out);
    exit.code()
}

fn show(what: &str, agreement: &Agreement, exit: &mut Exit, out: &mut Out) {
    exit.unexpected |= !agreement.differences.is_empty();
    exit.inconclusive |= agreement.inconclusive;
    let word = match (agreement.differences.is_empty(), agreement.inconclusive) {
        (false, _) => "THE ENGINES DIFFER",
        (true, true) => "inconclusive",
        (true, false) => "the engines agree",
    };
    out.line(format_args!("{what}: {word}"));
    for witness in &agreement.witnesses {
        let found =
            if witness.hazards.is_empty() { "no hazard".to_owned() } else { witness.hazards.join(", ") };
        let says = match &witness.covered {
            Covered::All => format!("{found}, {}", witness.work),
            Covered::Part(why) => format!("{found}, {} (partly compared: {why})", witness.work),
            Covered::Nothing(why) => format!("not compared: {why}"),
        };
        out.line(format_args!("    {:<16} {says}", witness.engine));
    }
    for difference in &agreement.differences {
        out.line(format_args!("    DIFFERENCE: {difference}"));
    }
    out.flush();
}
