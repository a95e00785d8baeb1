//! `raddle agree`, and the process in which an engine runs.

use std::io::Read;
use std::path::PathBuf;

use raddle::check::{Engine, Options, Scenario};
use raddle::witness::{Agreement, agree as compare, serve};
use raddle_checker::search::reference::Limits;
use raddle_engines::agree::Covered;
use raddle_probing::scenario::scenario_files;

use super::out::{Out, complain};
use super::{AgreeArgs, INPUT_ERROR};

/// The program that runs engines in processes of their own: this one.
pub fn this_program() -> Option<PathBuf> {
    std::env::current_exe().ok()
}

/// Runs an engine for another process of raddle.
pub fn run_engine(out: &mut Out) -> u8 {
    let mut request = String::new();
    if let Err(error) = std::io::stdin().read_to_string(&mut request) {
        complain(format_args!("raddle: {error}"));
        return INPUT_ERROR;
    }
    out.line(serve(&request));
    0
}

/// Runs all engines on all scenario files below the paths.
pub fn agree(args: &AgreeArgs, out: &mut Out) -> u8 {
    let mut options = Options {
        revisions: args.revisions.clone(),
        engine: Engine::Reference,
        limits: Limits { state_limit: args.max_states, ..Limits::default() },
        process: this_program(),
        ..Options::default()
    };
    options.native.iterations = args.iterations;
    options.native.seed = args.seed;
    options.native.time = Some(args.engine_time);
    let (mut input_error, mut differ, mut inconclusive) = (false, false, false);
    for path in &args.paths {
        let files = scenario_files(path).unwrap_or_else(|error| {
            complain(error);
            input_error = true;
            Vec::new()
        });
        for file in files {
            let scenario = match Scenario::load(&file) {
                Ok(scenario) => scenario,
                Err(errors) => {
                    errors.iter().for_each(complain);
                    input_error = true;
                    continue;
                }
            };
            if scenario.file().world.environment.slow && !args.slow && *path != file {
                continue;
            }
            for revision in scenario.revisions(&options) {
                if out.is_gone() {
                    return 0;
                }
                match compare(&scenario, revision, &options) {
                    Ok(agreement) => {
                        differ |= !agreement.differences.is_empty();
                        inconclusive |= agreement.inconclusive;
                        show(&format!("{} on {revision}", file.display()), &agreement, out);
                    }
                    Err(error) => {
                        complain(error);
                        input_error = true;
                    }
                }
            }
        }
    }
    match (input_error, differ, inconclusive) {
        (true, ..) => INPUT_ERROR,
        (_, true, _) => 1,
        (_, _, true) => 3,
        _ => 0,
    }
}

fn show(what: &str, agreement: &Agreement, out: &mut Out) {
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
