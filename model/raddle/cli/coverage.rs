//! `raddle graph` and `raddle coverage`.

use indexmap::{IndexMap, IndexSet};
use raddle::coverage::graph::{function_graph, lock_graph, state_graph};
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

fn failed(error: impl std::fmt::Display) -> u8 {
    complain(format_args!("raddle: {error}"));
    INPUT_ERROR
}

/// Prints a graph.
pub fn graph(args: &GraphArgs, out: &mut Out) -> u8 {
    let limit = args.max_states;
    let exit = &mut Exit::default();
    let result = match (&args.function, &args.locks, &args.states) {
        (_, Some(path), _) => {
            let Some(scenario) = load(path, exit) else { return exit.code() };
            lock_graph(&scenario, revision(args, &scenario), limit.unwrap_or(usize::MAX)).map(Some)
        }
        (_, _, Some(path)) => {
            let Some(scenario) = load(path, exit) else { return exit.code() };
            let revision = revision(args, &scenario);
            let limit = limit.unwrap_or(DRAWN_STATES);
            let options = Options::default().max_states(limit);
            match scenario.check_on(revision, &options, |_| {}) {
                Ok(report) => state_graph(&scenario, revision, report.violations.first(), limit).map(Some),
                Err(error) => Err(error.to_string()),
            }
        }
        (Some(function), ..) => of_function(function, args),
        (None, None, None) => Err("name a function, or use --locks or --states".to_owned()),
    };
    match result {
        Ok(Some(dot)) => {
            out.text(dot);
            0
        }
        Ok(None) => failed("no scenario that was tried calls this function on this revision; try --scenario"),
        Err(error) => failed(error),
    }
}

fn revision<'a>(args: &'a GraphArgs, scenario: &'a Scenario) -> &'a str {
    args.revision.as_deref().unwrap_or(&scenario.file().revisions[0])
}

/// The automaton of a function, in the scenario that is given or in the first built-in one that has it.
fn of_function(function: &str, args: &GraphArgs) -> Result<Option<String>, String> {
    let limit = args.max_states.unwrap_or(FUNCTION_STATES);
    if let Some(path) = &args.scenario {
        let scenario = Scenario::load(path).map_err(|errors| errors.to_string())?;
        return function_graph(&scenario, revision(args, &scenario), function, limit);
    }
    for (path, text) in embedded() {
        let Ok(scenario) = Scenario::parse(&path, text) else { continue };
        if is_slow(&scenario) {
            continue;
        }
        if let Some(dot) = function_graph(&scenario, revision(args, &scenario), function, limit)? {
            return Ok(Some(dot));
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
    for scenario in scenarios(&args.paths, args.slow, &mut exit) {
        for revision in scenario.revisions(&options) {
            let path = scenario.file().path.clone();
            let what = format!("{path} on {revision}");
            let found = || coverage(&scenario, revision, args.max_states);
            let found = exit.run(&what, || found().map_err(|error| format!("{what}: {error}")));
            let Some(found) = found else { continue };
            for (function, places) in &found.functions {
                all.entry((revision.clone(), function.clone())).or_default().extend(places.iter().cloned());
            }
            rows.push((path, revision.clone(), found));
        }
    }
    for (path, revision, found) in rows {
        let cut = if found.complete { "" } else { " (not all states were visited)" };
        out.line(format_args!("{path} on {revision}{cut}"));
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
