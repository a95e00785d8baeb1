//! Scenarios under loom and shuttle, each engine in a process of its own if there is a program for it;
//! and whether all engines say the same.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::check::{Engine, Options, Report, Scenario, Verdict};
use raddle_checker::machine::set_up::set_up;
use raddle_checker::render::thousands;
use raddle_checker::story::Turn;
use raddle_driver_core::hand_model::DriverCore;
use raddle_driver_core::rules::RULES;
use raddle_engines::agree::{Covered, Witness, differences};
use raddle_engines::survey::survey;
use raddle_engines::{Scheduler, child, loom, shuttle};
use raddle_probing::scenario::InputError;

/// The hidden command by which raddle runs an engine in a process of its own.
pub const COMMAND: &str = "run-engine";

/// How much longer than an engine may take its process may take to start and to end.
const GRACE: Duration = Duration::from_secs(30);

/// States up to which the memories at the end are compared too.
const SMALL: usize = 20_000;

/// What a process for an engine is asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Request {
    scenario: String,
    text: String,
    revision: String,
    /// The value of every rule: it may be overridden otherwise than in the text.
    rules: Vec<(String, String)>,
    task: Task,
    options: raddle_engines::Options,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Task {
    Loom,
    Shuttle,
    Follow(Vec<Turn>),
}

/// Runs a scenario under loom or shuttle.
///
/// # Errors
///
/// The engine's process gave no answer, and why.
pub fn explore(
    scenario: &Scenario,
    program: &DriverCore,
    revision: &str,
    options: &Options,
) -> Result<raddle_engines::Result, String> {
    let task = if options.engine == Engine::Loom { Task::Loom } else { Task::Shuttle };
    ask(scenario, program, revision, task, &options.native, options.process.as_ref())
}

/// Follows a schedule on shuttle's threads: the hazards that it shows there.
///
/// # Errors
///
/// The engine's process gave no answer, and why.
pub fn follow(
    scenario: &Scenario,
    revision: &str,
    schedule: &[Turn],
    process: Option<&PathBuf>,
) -> Result<raddle_engines::Result, String> {
    let program = scenario.program(revision).map_err(|error| error.to_string())?;
    let options = raddle_engines::Options::default();
    ask(scenario, &program, revision, Task::Follow(schedule.to_vec()), &options, process)
}

fn ask(
    scenario: &Scenario,
    program: &DriverCore,
    revision: &str,
    task: Task,
    options: &raddle_engines::Options,
    process: Option<&PathBuf>,
) -> Result<raddle_engines::Result, String> {
    let Some(process) = process else {
        return run(program, &task, options);
    };
    let request = Request {
        scenario: scenario.file().path.clone(),
        text: scenario.text().to_owned(),
        revision: revision.to_owned(),
        rules: RULES
            .iter()
            .map(|rule| (rule.name.to_owned(), (rule.get)(program.subject().rules()).to_owned()))
            .collect(),
        task,
        options: options.clone(),
    };
    let request = serde_json::to_string(&request).map_err(|error| error.to_string())?;
    let limit = options.time.map(|time| time + GRACE);
    let answer = child::run(process, &[COMMAND], &request, limit).map_err(|failed| failed.to_string())?;
    serde_json::from_str(&answer).map_err(|error| format!("the engine's process says no JSON: {error}"))?
}

fn run(
    program: &DriverCore,
    task: &Task,
    options: &raddle_engines::Options,
) -> Result<raddle_engines::Result, String> {
    let memory = set_up(program, |_, _, _, _| {}).map_err(|_| "the set-up does not end well".to_owned())?;
    let program = Arc::new(program.clone());
    Ok(match task {
        Task::Loom => loom::explore(&program, &memory, options),
        Task::Shuttle => shuttle::explore(&program, &memory, options),
        Task::Follow(schedule) => shuttle::follow(&program, &memory, schedule),
    })
}

/// Answers a request, in the process that was started for it.
#[must_use]
pub fn serve(request: &str) -> String {
    let answer = serde_json::from_str(request).map_err(|error| error.to_string()).and_then(|request| {
        let Request { scenario, text, revision, rules, task, options } = request;
        let scenario = Scenario::parse(&scenario, &text).map_err(|errors| errors[0].to_string())?;
        let rules: Vec<(&str, &str)> =
            rules.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let program = scenario.program_with(&revision, &rules).map_err(|error| error.to_string())?;
        run(&program, &task, &options)
    });
    serde_json::to_string(&answer).unwrap_or_else(|error| unreachable!("internal: no JSON: {error}"))
}

/// What loom or shuttle covered, in one sentence; whether that is everything; whether it was cut.
pub(crate) fn guarantee(
    restrictions: &[String],
    options: &Options,
    result: &raddle_engines::Result,
) -> (String, Verdict, bool) {
    let native = &options.native;
    let found = !result.shown.is_empty();
    let executions = thousands(result.executions);
    if let Some(why) = &result.refused {
        return (format!("inconclusive: {why}"), Verdict::Inconclusive, true);
    }
    let verdict = |complete: bool| match (found, complete) {
        (true, _) => Verdict::Violated,
        (false, true) => Verdict::Verified,
        (false, false) => Verdict::Inconclusive,
    };
    let word = |complete: bool| match verdict(complete) {
        Verdict::Violated => "violated",
        Verdict::Verified => "verified",
        Verdict::Inconclusive => "inconclusive",
    };
    let covers = format!("{}, {}", restrictions.join(", "), not_looked_for(native));
    if native.weak_memory {
        return (of_weak_memory(restrictions, native, result), verdict(false), result.cut.is_some());
    }
    if options.engine == Engine::Shuttle {
        let how = match native.scheduler {
            Scheduler::Pct => format!("pct depth {}, seed {}", native.depth, native.seed),
            Scheduler::Dfs => "dfs".to_owned(),
            other => format!("{}, seed {}", other.name(), native.seed),
        };
        let cut = result.cut.as_ref().map_or(String::new(), |why| format!("; {why}"));
        let what = if found { "hazards" } else { "no hazard" };
        return (format!("{what} in {executions} schedules ({how}){cut}, {covers}"), verdict(false), false);
    }
    match (&result.cut, native.preemptions) {
        (Some(why), _) => (
            format!("{}: cut off, {why}; {executions} executions, {covers}", word(false)),
            verdict(false),
            true,
        ),
        (None, Some(n)) => (
            format!("{}: bounded by {n} preemptions, {executions} executions, {covers}", word(false)),
            verdict(false),
            false,
        ),
        (None, None) => {
            (format!("{}: exhaustive, {executions} executions, {covers}", word(true)), verdict(true), false)
        }
    }
}

/// What loom and shuttle find by luck, or not at all.
fn not_looked_for(native: &raddle_engines::Options) -> String {
    format!(
        "livelocks looked for only in runs of {} steps, data races not looked for",
        thousands(native.step_limit)
    )
}

/// The guarantee of the experiment with weak memory, which is none.
fn of_weak_memory(
    restrictions: &[String],
    native: &raddle_engines::Options,
    result: &raddle_engines::Result,
) -> String {
    let executions = thousands(result.executions);
    let mut parts = vec![
        "experiment: marked fields as loom's atomics, the rest sequentially consistent".to_owned(),
        "loom may miss and may invent outcomes".to_owned(),
        format!("{executions} executions"),
    ];
    parts.extend(native.preemptions.map(|n| format!("bounded by {n} preemptions")));
    parts.extend(result.cut.as_ref().map(|why| format!("cut off, {why}")));
    parts.extend(restrictions.iter().filter(|part| *part != "sequential consistency").cloned());
    parts.push(not_looked_for(native));
    let only = result
        .weak_only
        .iter()
        .map(|only| format!("{} (after {} steps; {})", only.id, only.steps, only.stale.join(", ")));
    let only: Vec<String> = only.collect();
    if only.is_empty() {
        parts.push("no hazard by stale values alone".to_owned());
    } else {
        parts.push(format!("only where values are stale: {}", only.join(", ")));
    }
    parts.join(", ")
}

/// What all engines say of a scenario on a revision.
#[derive(Clone, Debug)]
pub struct Agreement {
    /// The engines, the reference first.
    pub witnesses: Vec<Witness>,
    /// In what they differ.
    pub differences: Vec<String>,
    /// The reference or the exhaustive search did not see everything: nothing can be compared.
    pub inconclusive: bool,
}

/// Runs all engines on a scenario and compares what they find.
///
/// # Errors
///
/// What is wrong with the scenario on this revision.
pub fn agree(scenario: &Scenario, revision: &str, options: &Options) -> Result<Agreement, InputError> {
    let mut witnesses = Vec::new();
    let program = scenario.program(revision)?;
    let mut in_set_up = false;
    for engine in [Engine::Reference, Engine::Exhaustive] {
        let report = scenario.check_on(revision, &Options { engine, ..options.clone() }, |_| {})?;
        in_set_up |= report.violations.iter().any(|violation| violation.in_set_up);
        witnesses.push(of_search(&report));
    }
    let inconclusive = witnesses.iter().any(|witness| witness.covered != Covered::All);
    if !inconclusive && !in_set_up {
        let memory = set_up(&program, |_, _, _, _| {});
        let small = memory.ok().and_then(|memory| survey(&program, &memory, SMALL));
        witnesses[0].terminal = small.map(|survey| survey.terminal);
        let samples = options.native.iterations;
        let all = raddle_engines::Options { iterations: usize::MAX, ..options.native.clone() };
        let with = |scheduler: Scheduler| raddle_engines::Options { scheduler, ..options.native.clone() };
        let drawn = "schedules are drawn at random";
        let plans = [
            ("loom", Engine::Loom, all.clone(), None),
            (
                "shuttle (dfs)",
                Engine::Shuttle,
                raddle_engines::Options { scheduler: Scheduler::Dfs, ..all },
                None,
            ),
            ("shuttle (random)", Engine::Shuttle, with(Scheduler::Random), Some(drawn)),
            ("shuttle (pct)", Engine::Shuttle, with(Scheduler::Pct), Some(drawn)),
            ("shuttle (urw)", Engine::Shuttle, with(Scheduler::Urw), Some(drawn)),
        ];
        for (name, engine, native, part) in plans {
            if samples == 0 && part.is_some() {
                continue;
            }
            let options = Options { engine, native, ..options.clone() };
            witnesses.push(match explore(scenario, &program, revision, &options) {
                Ok(result) => Witness::new(name, result, part),
                Err(why) => Witness {
                    engine: name.to_owned(),
                    covered: Covered::Nothing(why),
                    hazards: Vec::new(),
                    terminal: None,
                    only_steps: true,
                    work: String::new(),
                },
            });
        }
    }
    let mut found = Vec::new();
    if !inconclusive {
        for other in &witnesses[1..] {
            found.extend(differences(&witnesses[0], other));
            // Our own mistakes are no limits of an engine.
            if let Covered::Nothing(why) = &other.covered
                && why.contains("internal")
            {
                found.push(format!("{}: {why}", other.engine));
            }
        }
    }
    Ok(Agreement { witnesses, differences: found, inconclusive })
}

fn of_search(report: &Report) -> Witness {
    Witness {
        engine: report.engine.name().to_owned(),
        covered: if report.cut { Covered::Part(report.guarantee.clone()) } else { Covered::All },
        hazards: report.hazards(),
        terminal: None,
        only_steps: false,
        work: format!("{} states", thousands(report.states)),
    }
}
