//! `raddle completions`: a script by which a shell asks raddle itself what may come next, since only that knows its
//! built-in scenarios, revisions, rules and hazards.

use std::ffi::OsStr;

use clap::CommandFactory;
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter};
use clap_complete::env::{CompleteEnv, Shells};

use super::embedded::embedded;
use super::inputs::{INPUT_ERROR, bare};
use super::out::{Out, complain};

/// The variable by which a shell asks.
const VARIABLE: &str = "RADDLE_COMPLETE";

/// Answers a shell that asks, and ends the process.
pub fn answer() {
    CompleteEnv::with_factory(super::Cli::command).var(VARIABLE).complete();
}

/// Prints the script for a shell.
pub fn script(shell: clap_complete::Shell, out: &mut Out) -> u8 {
    let mut script = Vec::new();
    let shells = Shells::builtins();
    let shell = shells.completer(&shell.to_string()).expect("internal: clap knows the same shells");
    match shell.write_registration(VARIABLE, "raddle", "raddle", "raddle", &mut script) {
        Ok(()) => {
            // Scripts may have control characters, such as what stands between words.
            out.raw(&script);
            0
        }
        Err(error) => {
            complain(format_args!("raddle: {error}"));
            INPUT_ERROR
        }
    }
}

/// Completes files, and the names of built-in scenarios.
pub fn of_scenarios() -> ArgValueCompleter {
    ArgValueCompleter::new(|word: &OsStr| {
        let mut all = PathCompleter::any().complete(word);
        let word = word.to_string_lossy();
        let mut names: Vec<String> = embedded().iter().map(|(path, _)| bare(path).to_owned()).collect();
        if !word.contains('/') {
            // There are hundreds: directories first.
            names.iter_mut().for_each(|name| name.truncate(name.find('/').map_or(name.len(), |at| at + 1)));
            names.dedup();
        }
        names.retain(|name| name.starts_with(word.as_ref()));
        all.extend(names.into_iter().map(CompletionCandidate::new));
        all
    })
}
