//! Whether all engines say the same of a scenario.

use crate::check::{Engine, Options};
use crate::engine::{explore, explore_on_tree};
use crate::report::Report;
use crate::scenario::Scenario;
use raddle_checker::machine::set_up::set_up;
use raddle_checker::render::thousands;
use raddle_engines::Scheduler;
use raddle_engines::agree::{Covered, Witness, differences};
use raddle_engines::child::NoAnswer;
use raddle_engines::survey::survey;
use raddle_kernel_c::subject::KernelC;
use raddle_probing::program::Probing;
use raddle_probing::scenario::InputError;

/// States up to which the memories at the end are compared too.
const SMALL: usize = 20_000;

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
    let program = scenario.program(revision)?;
    agreement(
        &program,
        options,
        |options| scenario.check_on(revision, options, |_| {}),
        |options| explore(scenario, &program, revision, options),
    )
}

/// The same on a kernel's own C. `arguments`: those that name it on the command line.
///
/// # Errors
///
/// What is wrong with the scenario on this tree.
pub fn agree_on_tree(
    scenario: &Scenario,
    kernel: &KernelC,
    arguments: &[String],
    options: &Options,
) -> Result<Agreement, InputError> {
    agreement(
        &Probing::new(scenario.file().world.clone(), kernel),
        options,
        |options| Ok(scenario.check_on_tree(kernel, arguments, options, |_| {})?.report),
        |options| explore_on_tree(scenario, arguments, options),
    )
}

fn agreement(
    program: &Probing<'_>,
    options: &Options,
    check: impl Fn(&Options) -> Result<Report, InputError>,
    explore: impl Fn(&Options) -> Result<raddle_engines::Result, NoAnswer>,
) -> Result<Agreement, InputError> {
    let mut witnesses = Vec::new();
    let mut in_set_up = false;
    // Our own mistakes are no limits of an engine.
    let mut mistakes = Vec::new();
    for engine in [Engine::Reference, Engine::Exhaustive] {
        let report = check(&Options { engine, ..options.clone() })?;
        in_set_up |= report.violations.iter().any(|violation| violation.in_set_up);
        witnesses.push(of_search(&report));
    }
    let inconclusive = witnesses.iter().any(|witness| witness.covered != Covered::All);
    if !inconclusive && !in_set_up {
        let memory = set_up(program, |_, _, _, _| {});
        let small = memory.ok().and_then(|memory| survey(program, &memory, SMALL, None));
        witnesses[0].terminal = small.map(|survey| survey.terminal);
        let samples = options.native.iterations;
        let all = raddle_engines::NativeOptions { iterations: usize::MAX, ..options.native.clone() };
        let with =
            |scheduler: Scheduler| raddle_engines::NativeOptions { scheduler, ..options.native.clone() };
        let drawn = "schedules are drawn at random";
        let plans = [
            ("loom", Engine::Loom, all.clone(), None),
            (
                "shuttle (dfs)",
                Engine::Shuttle,
                raddle_engines::NativeOptions { scheduler: Scheduler::Dfs, ..all },
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
            witnesses.push(match explore(&options) {
                Ok(result) => Witness::new(name, result, part),
                Err(why) => {
                    mistakes.extend(matches!(why, NoAnswer::Panicked(_)).then(|| format!("{name}: {why}")));
                    Witness {
                        engine: name.to_owned(),
                        covered: Covered::Nothing(why.to_string()),
                        hazards: Vec::new(),
                        terminal: None,
                        only_steps: true,
                        work: String::new(),
                    }
                }
            });
        }
    }
    let mut found = Vec::new();
    if !inconclusive {
        found.extend(witnesses[1..].iter().flat_map(|other| differences(&witnesses[0], other)));
        found.append(&mut mistakes);
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
