//! Scenarios under loom and shuttle, in a process of their own if there is a program for it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::check::{Engine, Options};
use crate::scenario::Scenario;
use raddle_checker::machine::set_up::set_up;
use raddle_checker::story::Turn;
use raddle_driver_core::hand_model::DriverCore;
use raddle_engines::child::{self, NoAnswer, Until};
use raddle_engines::{loom, shuttle};
use raddle_kernel_c::subject::KernelC;
use raddle_probing::program::Probing;

/// The hidden command by which raddle runs an engine in a process of its own.
pub const COMMAND: &str = "run-engine";

/// How much longer than an engine may take its process may take to start and to end.
const GRACE: Duration = Duration::from_secs(30);

/// What a process for an engine is asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Request {
    scenario: String,
    text: String,
    on: On,
    task: Task,
    options: raddle_engines::NativeOptions,
}

/// What a scenario runs on.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum On {
    /// The hand model.
    Revision {
        revision: String,
        /// The value of every rule: it may be overridden otherwise than in the text.
        rules: Vec<(String, String)>,
    },
    /// A kernel's own C: the arguments that name it on the command line.
    Tree(Vec<String>),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Task {
    Loom,
    Shuttle,
    Follow(Vec<Turn>),
}

/// Runs a scenario under loom or shuttle. Of the limits of the options, time and interruption hold.
///
/// # Errors
///
/// The engine's process gave no answer, and why.
pub fn explore(
    scenario: &Scenario,
    program: &DriverCore,
    revision: &str,
    options: &Options,
) -> Result<raddle_engines::Result, NoAnswer> {
    ask(scenario, program, revision, task(options), options)
}

/// The same on a kernel's own C, in a process of its own only. `arguments`: those that name it on the command line.
///
/// # Errors
///
/// The engine's process gave no answer, and why.
pub fn explore_on_tree(
    scenario: &Scenario,
    arguments: &[String],
    options: &Options,
) -> Result<raddle_engines::Result, NoAnswer> {
    let Some(process) = &options.process else {
        return Err(refused("loom and shuttle run a kernel's C in a process of its own only"));
    };
    ask_process(process, scenario, On::Tree(arguments.to_vec()), task(options), options)
}

fn task(options: &Options) -> Task {
    if options.engine == Engine::Loom { Task::Loom } else { Task::Shuttle }
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
    options: &Options,
) -> Result<raddle_engines::Result, NoAnswer> {
    let program = scenario.program(revision).map_err(refused)?;
    ask(scenario, &program, revision, Task::Follow(schedule.to_vec()), options)
}

fn ask(
    scenario: &Scenario,
    program: &DriverCore,
    revision: &str,
    task: Task,
    options: &Options,
) -> Result<raddle_engines::Result, NoAnswer> {
    let Some(process) = &options.process else {
        return run(program, &task, &native(options));
    };
    let rules =
        program.subject().rules().into_iter().map(|(rule, value)| (rule.to_owned(), value.to_owned()));
    let on = On::Revision { revision: revision.to_owned(), rules: rules.collect() };
    ask_process(process, scenario, on, task, options)
}

/// How the engines explore, within the limits of all.
fn native(options: &Options) -> raddle_engines::NativeOptions {
    let mut native = options.native.clone();
    native.time = native.time.into_iter().chain(options.limits.time_limit).min();
    native
}

fn ask_process(
    process: &Path,
    scenario: &Scenario,
    on: On,
    task: Task,
    options: &Options,
) -> Result<raddle_engines::Result, NoAnswer> {
    let native = native(options);
    let until = Until {
        limit: native.time.map(|time| time.saturating_add(GRACE)),
        interrupt: options.limits.interrupt,
    };
    let request = Request {
        scenario: scenario.file().path.clone(),
        text: scenario.text().to_owned(),
        on,
        task,
        options: native,
    };
    let request = serde_json::to_string(&request).map_err(refused)?;
    let answer = child::run(process, &[COMMAND], &request, until)?;
    let answer: Result<_, String> = serde_json::from_str(&answer)
        .map_err(|error| refused(format!("the engine's process says no JSON: {error}")))?;
    answer.map_err(refused)
}

fn refused(why: impl ToString) -> NoAnswer {
    NoAnswer::Refused(why.to_string())
}

fn run(
    program: &Probing<'static>,
    task: &Task,
    options: &raddle_engines::NativeOptions,
) -> Result<raddle_engines::Result, NoAnswer> {
    let memory = set_up(program, |_, _, _, _| {}).map_err(|_| refused("the set-up does not end well"))?;
    let program = Arc::new(program.clone());
    Ok(match task {
        Task::Loom => loom::explore(&program, &memory, options),
        Task::Shuttle => shuttle::explore(&program, &memory, options),
        Task::Follow(schedule) => shuttle::follow(&program, &memory, schedule),
    })
}

/// Answers a request, in the process that was started for it. `open`: reads the kernel that arguments name.
#[must_use]
pub fn serve(request: &str, open: impl FnOnce(&[String]) -> Result<KernelC, String>) -> String {
    let answer = serde_json::from_str(request).map_err(|error| error.to_string()).and_then(|request| {
        let Request { scenario, text, on, task, options } = request;
        let scenario = Scenario::parse(&scenario, &text).map_err(|errors| errors[0].to_string())?;
        let result = match on {
            On::Revision { revision, rules } => {
                let rules: Vec<(&str, &str)> =
                    rules.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                let program = scenario.program_with(&revision, &rules).map_err(|error| error.to_string())?;
                run(&program, &task, &options)
            }
            On::Tree(arguments) => {
                // The process ends with the engine.
                let kernel: &'static KernelC = Box::leak(Box::new(open(&arguments)?));
                run(&Probing::new(scenario.file().world.clone(), kernel), &task, &options)
            }
        };
        result.map_err(|why| why.to_string())
    });
    serde_json::to_string(&answer).unwrap_or_else(|error| unreachable!("internal: no JSON: {error}"))
}
