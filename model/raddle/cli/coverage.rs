//! `raddle graph` and `raddle coverage`.

use indexmap::{IndexMap, IndexSet};
use raddle::coverage::graph::{Drawing, function_graph, lock_graph, state_graph};
use raddle::coverage::{Coverage, coverage};
use raddle::{Options, Scenario};

use super::embedded::{embedded, source_line};
use super::inputs::{Exit, INPUT_ERROR, is_slow, load, scenarios};
use super::out::{Out, complain};
use super::{CoverageArgs, GraphArgs};

/// So many states are explored for the automaton of a function in each scenario that is tried.
const FUNCTION_STATES: usize = 20_000;

/// So many states are drawn at the most.
const DRAWN_STATES: usize = 2_000;

/// So many states are explored at the most for what a scenario never does.
const COVERED_STATES: usize = 200_000;

fn failed(error: impl std::fmt::Display) -> u8 {
    complain(format_args!("raddle: {error}"));
    INPUT_ERROR
}

/// Prints a graph.
pub fn graph(args: &GraphArgs, out: &mut Out) -> u8 {
    let exit = &mut Exit::default();
    let named = match args.scenario.as_ref().map(|path| load(path, exit)) {
        Some(None) => return exit.code(),
        named => named.flatten(),
    };
    let result = match (&args.function, &args.locks, &args.states) {
        (_, Some(path), _) => {
            let Some(scenario) = load(path, exit) else { return exit.code() };
            lock_graph(&scenario, revision(args, &scenario), &args.limits.limits()).map(Some)
        }
        (_, _, Some(path)) => {
            let Some(scenario) = load(path, exit) else { return exit.code() };
            states(&scenario, revision(args, &scenario), args).map(Some)
        }
        (Some(function), ..) => of_function(function, named, args),
        (None, None, None) => Err("name a function, or use --locks or --states".to_owned()),
    };
    match result {
        Ok(Some(Drawing { dot, cut })) => {
            out.text(dot);
            if let Some(why) = cut {
                complain(format_args!("raddle: the graph may lack something: {why}"));
                exit.inconclusive = true;
            }
            exit.code()
        }
        Ok(None) => failed(
            "no scenario that was tried calls this function on this revision, as far as it was explored; try --scenario",
        ),
        Err(error) => failed(error),
    }
}

fn revision<'a>(args: &'a GraphArgs, scenario: &'a Scenario) -> &'a str {
    args.revision.as_deref().unwrap_or(&scenario.file().revisions[0])
}

/// All states, with the counterexample.
fn states(scenario: &Scenario, revision: &str, args: &GraphArgs) -> Result<Drawing, String> {
    let limits = args.limits.within(DRAWN_STATES);
    let options = args.limits.options().limits(limits);
    let report = scenario.check_on(revision, &options, |_| {}).map_err(|error| error.to_string())?;
    let dot = state_graph(scenario, revision, report.violations.first(), &limits)?;
    Ok(Drawing { dot, cut: None })
}

/// The automaton of a function, in the scenario that is given or in the first built-in one that has it.
fn of_function(function: &str, named: Option<Scenario>, args: &GraphArgs) -> Result<Option<Drawing>, String> {
    let limits = args.limits.within(FUNCTION_STATES);
    if let Some(scenario) = named {
        return function_graph(&scenario, revision(args, &scenario), function, &limits);
    }
    for (path, text) in embedded() {
        let Ok(scenario) = Scenario::parse(&path, text) else { continue };
        if is_slow(&scenario) {
            continue;
        }
        if let Some(drawing) = function_graph(&scenario, revision(args, &scenario), function, &limits)? {
            return Ok(Some(drawing));
        }
    }
    Ok(None)
}

/// Prints what the scenarios never did.
pub fn cover(args: &CoverageArgs, out: &mut Out) -> u8 {
    let mut exit = Exit::default();
    // By revision and function: only what the same code does elsewhere can be missed here.
    let mut all: IndexMap<(String, String), IndexSet<String>> = IndexMap::new();
    let mut rows: Vec<(String, String, Coverage)> = Vec::new();
    let mut options = Options::default();
    options.revisions.clone_from(&args.revisions);
    let limits = args.limits.within(COVERED_STATES);
    for scenario in scenarios(&args.paths, args.slow, &mut exit) {
        for revision in scenario.revisions(&options) {
            if exit.interrupted() {
                break;
            }
            let path = scenario.file().path.clone();
            let what = format!("{path} on {revision}");
            let found = || coverage(&scenario, revision, &limits);
            let found = exit.run(&what, || found().map_err(|error| format!("{what}: {error}")));
            let Some(found) = found else { continue };
            for (function, places) in &found.functions {
                all.entry((revision.clone(), function.clone())).or_default().extend(places.iter().cloned());
            }
            rows.push((path, revision.clone(), found));
        }
    }
    for (path, revision, found) in rows {
        let cut =
            found.cut.as_ref().map_or(String::new(), |why| format!(" (not all states were visited: {why})"));
        out.line(format_args!("{path} on {revision}{cut}"));
        exit.inconclusive |= found.cut.is_some();
        for call in &found.uncontended {
            out.line(format_args!("    never met a contender: {call}"));
        }
        for (function, places) in &found.functions {
            let known = &all[&(revision.clone(), function.clone())];
            let missing = known.iter().filter(|place| !places.contains(*place));
            for place in missing {
                let line = source_line(place).map_or("", str::trim);
                out.line(format_args!("    never taken in {function}: {place}  {line}"));
            }
        }
    }
    exit.code()
}
