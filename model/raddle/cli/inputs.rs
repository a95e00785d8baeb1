//! What the commands on scenario files share: the files below the paths, and the exit code.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use raddle::{Report, Scenario, Verdict};
use raddle_driver_core::revision::Revision;
use raddle_probing::scenario::scenario_files;

use super::interrupt;
use super::out::complain;

/// Something the user gave is wrong (docs/scenarios.md#exit-codes, 2).
pub const INPUT_ERROR: u8 = 2;

/// The exit code of a panic, as Rust has it.
const BROKEN: u8 = 101;

/// What happened so far, as far as the exit code depends on it.
#[derive(Default)]
pub struct Exit {
    pub input_error: bool,
    pub unexpected: bool,
    pub inconclusive: bool,
    /// raddle itself is wrong.
    broken: bool,
}

impl Exit {
    /// Adds a row.
    pub fn row(&mut self, report: &Report) {
        if report.verdict == Verdict::Inconclusive && report.sampled && report.as_expected() {
            // It found nothing that it should not have found, and never says more.
        } else if report.verdict == Verdict::Inconclusive {
            self.inconclusive = true;
        } else if !report.as_expected() {
            self.unexpected = true;
        }
    }

    /// Does the work of one row. Whatever goes wrong there is said, and costs no other row its result.
    pub fn run<T, E: std::fmt::Display>(
        &mut self,
        what: &str,
        work: impl FnOnce() -> Result<T, E>,
    ) -> Option<T> {
        match catch_unwind(AssertUnwindSafe(work)) {
            Ok(Ok(done)) => return Some(done),
            Ok(Err(error)) => self.wrong(error),
            Err(panic) => {
                let said = panic.downcast_ref::<String>().map(String::as_str);
                let said = said.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or_default();
                complain(format_args!("{what}: raddle is broken, please report it: {said}"));
                self.broken = true;
            }
        }
        None
    }

    /// Whether Ctrl-C was pressed: then what is left is not done.
    pub fn interrupted(&mut self) -> bool {
        self.inconclusive |= interrupt::came();
        interrupt::came()
    }

    /// Says what is wrong with the input.
    pub fn wrong(&mut self, error: impl std::fmt::Display) {
        complain(error);
        self.input_error = true;
    }

    /// Whether a revision is known; says so if it is not.
    pub fn knows(&mut self, revision: &str) -> bool {
        let known = Revision::find(revision).is_some();
        if !known {
            self.wrong(format_args!(
                "raddle: revision \"{revision}\" is not known; see raddle list revisions"
            ));
        }
        known
    }

    /// The exit code: the worst that happened.
    pub fn code(&self) -> u8 {
        match self {
            Exit { broken: true, .. } => BROKEN,
            Exit { input_error: true, .. } => INPUT_ERROR,
            Exit { unexpected: true, .. } => 1,
            Exit { inconclusive: true, .. } => 3,
            _ => 0,
        }
    }
}

/// A scenario file.
pub struct Input {
    pub file: PathBuf,
    /// Whether it was named itself: then it is taken even if it is slow.
    named: bool,
}

/// The scenario files below the paths.
pub fn files(paths: &[PathBuf], exit: &mut Exit) -> Vec<Input> {
    let mut inputs = Vec::new();
    for path in paths {
        match scenario_files(path) {
            Ok(files) => {
                inputs.extend(files.into_iter().map(|file| Input { named: *path == file, file }));
            }
            Err(error) => exit.wrong(error),
        }
    }
    inputs
}

/// What came of reading a scenario file.
pub enum Loaded {
    Scenario(Box<Scenario>),
    /// It is slow, and slow ones are left out.
    Slow,
    /// It is wrong, which was said.
    Wrong,
}

impl Input {
    /// Reads it.
    pub fn load(&self, slow_too: bool, exit: &mut Exit) -> Loaded {
        match load(&self.file, exit) {
            None => Loaded::Wrong,
            Some(scenario) if is_slow(&scenario) && !slow_too && !self.named => Loaded::Slow,
            Some(scenario) => Loaded::Scenario(Box::new(scenario)),
        }
    }
}

/// Reads a scenario file, or says what is wrong with it.
pub fn load(path: &Path, exit: &mut Exit) -> Option<Scenario> {
    Scenario::load(path).map_err(|errors| exit.wrong(errors)).ok()
}

/// Whether a scenario is left out unless it is asked for.
pub fn is_slow(scenario: &Scenario) -> bool {
    scenario.file().world.environment.slow
}

/// The scenarios below the paths for a table; slow ones only if they are named themselves. `None` if a path
/// is not there: then there is no table.
pub fn all(paths: &[PathBuf], exit: &mut Exit) -> Option<Vec<Scenario>> {
    let found = scenarios(paths, false, exit);
    paths.iter().all(|path| path.exists()).then_some(found)
}

/// All scenarios below the paths that can be read.
pub fn scenarios(paths: &[PathBuf], slow_too: bool, exit: &mut Exit) -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for input in files(paths, exit) {
        if let Loaded::Scenario(scenario) = input.load(slow_too, exit) {
            scenarios.push(*scenario);
        }
    }
    scenarios
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_costs_one_row_and_is_told_by_the_exit_code() {
        let mut exit = Exit::default();
        assert_eq!(exit.run("first", || -> Result<(), String> { panic!("on purpose") }), None);
        assert_eq!(exit.run("second", || Ok::<_, String>(2)), Some(2));
        assert_eq!(exit.code(), BROKEN);
        let mut exit = Exit::default();
        assert_eq!(exit.run("third", || Err::<(), _>("a mistake")), None);
        assert_eq!(exit.code(), INPUT_ERROR);
    }
}
