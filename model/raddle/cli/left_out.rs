//! `raddle ablate --tree`: which hazards appear, and which go, when a statement of a kernel's own C is left out.

use std::path::Path;

use indexmap::IndexMap;
use raddle::{Options, Scenario};
use raddle_kernel_c::error::Error;
use raddle_kernel_c::statement::{Reached, Statement};
use raddle_kernel_c::subject::KernelC;
use rayon::ThreadPoolBuilder;
use rayon::prelude::*;
use serde_json::json;

use super::inputs::{Exit, INPUT_ERROR};
use super::out::{Out, complain};
use super::review::{Change, Row, check, library, show};
use super::{AblateArgs, TableFormat};

/// What came of leaving a statement out.
struct LeftOut {
    statement: Statement,
    /// How many scenarios come to it.
    reached: usize,
    changes: Vec<Change>,
    /// Scenarios that could not be explored to their end without it.
    unfinished: Vec<String>,
}

impl LeftOut {
    fn outcome(&self) -> &'static str {
        match (self.reached, self.changes.is_empty(), self.unfinished.is_empty()) {
            (0, ..) => "unreached",
            (_, false, _) => "changes",
            (_, true, false) => "unfinished",
            (_, true, true) => "nothing",
        }
    }
}

/// Leaves out one statement after the other, of a patch or of the functions that are reached. Statements of which
/// nothing is run, messages and calls of stubs, are passed over.
pub fn ablate(args: &AblateArgs, dir: &Path, out: &mut Out) -> u8 {
    match ablate_all(args, dir, out) {
        Ok(code) => code,
        Err(error) => {
            complain(error);
            INPUT_ERROR
        }
    }
}

fn ablate_all(args: &AblateArgs, dir: &Path, out: &mut Out) -> Result<u8, Error> {
    let mails = args.on.mails()?;
    let mut base = args.on.kernel(dir, &mails)?;
    base.watch();
    let mut exit = Exit::default();
    let mut options = args.limits.options();
    options.limits.no_runs = true;
    let mut scenarios = Vec::new();
    for scenario in library(&args.paths, &mut exit) {
        let before = check(std::slice::from_ref(&scenario), &base, &[], &options, &mut exit);
        scenarios.push((scenario, before, base.take_reached()));
    }
    // The smallest first: one scenario is often enough.
    let states = |row: &Row| row.reports.values().map(|report| report.states).max().unwrap_or_default();
    scenarios.sort_by_key(|(_, row, _)| states(row));

    let mut all = statements(&base, args.function.as_deref(), !mails.is_empty());
    if let Some(count) = args.sample {
        all = sample(&all, count, args.seed);
    }
    let threads = ThreadPoolBuilder::new().num_threads(options.resources.threads).build();
    let threads = threads.expect("internal: threads can be started");
    options.resources.threads = 1;
    let mut done = Vec::new();
    // Each has a thread to itself; of some at a time, so that they are told in their order.
    for some in all.chunks(4 * threads.current_num_threads()) {
        if out.is_gone() || exit.interrupted() {
            break;
        }
        let try_one = |statement: &Statement| {
            let mut exit = Exit::default();
            let one = leave_out(*statement, &base, &scenarios, args.first, &options, &mut exit);
            (one, exit)
        };
        let tried: Vec<(LeftOut, Exit)> = threads.install(|| some.par_iter().map(try_one).collect());
        for (one, own) in tried {
            exit.add(own);
            told(&one, args.format, out);
            done.push(one);
        }
        out.flush();
    }
    if args.format == TableFormat::Text {
        let count = |outcome: &str| done.iter().filter(|one| one.outcome() == outcome).count();
        out.line(format_args!(
            "{} statements left out: {} change the hazards of some scenario, {} cannot be judged, {} change nothing, \
             {} are in no scenario's way",
            done.len(),
            count("changes"),
            count("unfinished"),
            count("nothing"),
            count("unreached")
        ));
    }
    Ok(exit.code())
}

/// Checks the scenarios that come to a statement without it.
fn leave_out(
    statement: Statement,
    base: &KernelC,
    scenarios: &[(Scenario, Row, Reached)],
    first: bool,
    options: &Options,
    exit: &mut Exit,
) -> LeftOut {
    let reaching = scenarios.iter().filter(|(.., reached)| reached.contains(&statement));
    let mut one =
        LeftOut { statement, reached: reaching.clone().count(), changes: Vec::new(), unfinished: Vec::new() };
    let kernel = base.without(statement);
    // Where it never does anything, nothing changes without it.
    for (scenario, before, _) in reaching.filter(|(.., reached)| reached.acts(&statement)) {
        let mut after = Row::default();
        let path = &scenario.file().path;
        let checked =
            exit.run(path, || Ok::<_, Error>(scenario.check_on_tree(&kernel, &[], options, |_| {})));
        match checked {
            Some(Ok(on)) => after.add(path, on),
            // Its set-up, say, does not bind what it is to bind.
            Some(Err(error)) => after.unfinished.push(format!("{path}: {}", error.message)),
            None => after.unfinished.push(format!("{path}: raddle is broken")),
        }
        one.changes.extend(before.changes(&after));
        one.unfinished.extend(after.unfinished.into_iter().filter(|path| !before.unfinished.contains(path)));
        if exit.interrupted() || (first && !one.changes.is_empty()) {
            break;
        }
    }
    one
}

fn told(one: &LeftOut, format: TableFormat, out: &mut Out) {
    let (statement, of) = (one.statement, one.statement.function);
    if format == TableFormat::Json {
        let changes: Vec<_> = one.changes.iter().map(Change::to_json).collect();
        return out.line(json!({
            "file": of.file,
            "line": statement.line(),
            "function": of.name,
            "statement": statement.text(),
            "reached": one.reached,
            "outcome": one.outcome(),
            "changes": changes,
            "unfinished": one.unfinished,
        }));
    }
    out.line(format_args!("{}:{} ({}) {}", of.file, statement.line(), of.name, statement.text()));
    one.changes.iter().for_each(|change| show(change, out));
    one.unfinished.iter().for_each(|what| out.line(format_args!("    not explored to the end: {what}")));
    match one.outcome() {
        "unreached" => out.line("    no scenario comes here"),
        "nothing" => {
            out.line(format_args!("    nothing changes in the {} scenarios that come here", one.reached))
        }
        _ => {}
    }
}

/// The statements of functions of the core that do something: of one function, or those that a patch adds.
fn statements(kernel: &KernelC, function: Option<&str>, added: bool) -> Vec<Statement> {
    let functions =
        kernel.reach().functions.values().filter(|of| function.is_none_or(|name| name == of.name));
    let mut all: Vec<Statement> = functions.flat_map(|of| Statement::of(of)).collect();
    all.retain(|statement| {
        let wanted =
            function.is_some() || !added || kernel.tree().is_added(statement.function.file, statement.line());
        wanted && !statement.calls().is_some_and(|name| kernel.passes_over(name))
    });
    all.sort_by_key(|statement| (statement.function.file, statement.line()));
    all
}

/// So many of them, drawn by a seed, in their order. Whether one is drawn depends on its function and on its text, so that
/// a tree that has more or fewer functions has much the same sample.
fn sample(all: &[Statement], count: usize, seed: u64) -> Vec<Statement> {
    let mut before: IndexMap<(&str, &str, String), u64> = IndexMap::new();
    let mut numbers: Vec<(u64, usize)> = Vec::with_capacity(all.len());
    for (statement, at) in all.iter().zip(0..) {
        let (file, function, text) = (statement.function.file, statement.function.name, statement.text());
        let words = format!("{file}\n{function}\n{text}");
        let same = before.entry((file, function, text)).or_default();
        numbers.push((drawn(seed, &words, *same), at));
        *same += 1;
    }
    numbers.sort_unstable();
    numbers.truncate(count);
    let mut kept: Vec<usize> = numbers.into_iter().map(|(_, at)| at).collect();
    kept.sort_unstable();
    kept.into_iter().map(|at| all[at]).collect()
}

/// A number that depends on a seed, on words, and on how often they have come before: splitmix64, byte after byte.
fn drawn(seed: u64, words: &str, before: u64) -> u64 {
    let mixed = |state: u64| {
        let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    words.bytes().fold(mixed(mixed(seed) ^ before), |state, byte| mixed(state ^ u64::from(byte)))
}
