//! What the commands on scenario files share: the files below the paths, and the exit code.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use raddle::{Report, Scenario, Verdict};
use raddle_checker::render::Unreadable;
use raddle_driver_core::revision::Revision;
use raddle_probing::scenario::scenario_files;

use super::embedded::embedded;
use super::interrupt;
use super::out::{complain, shown};

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
    /// The inputs that could not be checked.
    pub unreadable: Vec<Unreadable>,
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

    /// Adds what happened elsewhere.
    pub fn add(&mut self, other: Exit) {
        self.input_error |= other.input_error;
        self.unexpected |= other.unexpected;
        self.inconclusive |= other.inconclusive;
        self.broken |= other.broken;
        self.unreadable.extend(other.unreadable);
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

    /// Says what is wrong with a scenario file.
    pub fn unreadable(&mut self, path: &Path, error: impl std::fmt::Display) {
        let why = error.to_string();
        self.unreadable.push(Unreadable { path: shown(path), why: why.clone() });
        self.wrong(why);
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

/// A scenario file, or a scenario that is built in.
pub struct Input {
    pub file: PathBuf,
    /// The text of one that is built in.
    built_in: Option<&'static str>,
    /// Whether it was named itself: then it is taken even if it is slow.
    named: bool,
}

/// The name of a built-in scenario or of a directory of them, by its path.
pub fn bare(path: &str) -> &str {
    let path = path.trim_end_matches('/');
    let path = if path == "scenarios" { "" } else { path.strip_prefix("scenarios/").unwrap_or(path) };
    path.strip_suffix(".toml").unwrap_or(path)
}

/// The built-in scenarios that a path names that is none: `bart/unregister-pending`, with or without `scenarios/`
/// before it and `.toml` behind it; those of a directory such as `bart`; or the only one of a name such as
/// `unregister-pending`.
fn built_in(path: &Path) -> Vec<(String, &'static str)> {
    let Some(name) = path.to_str().filter(|_| !path.exists()) else { return Vec::new() };
    let name = bare(name);
    let mut found = embedded();
    found.retain(|(path, _)| {
        let below = bare(path).strip_prefix(name);
        name.is_empty() || below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
    });
    if found.is_empty() && !name.is_empty() {
        found = embedded();
        found.retain(|(path, _)| bare(path).rsplit('/').next() == Some(name));
        found.truncate(if found.len() == 1 { 1 } else { 0 });
    }
    found
}

/// The scenario files below the paths, and the built-in scenarios that they name.
pub fn files(paths: &[PathBuf], exit: &mut Exit) -> Vec<Input> {
    let mut inputs = Vec::new();
    for path in paths {
        let known = built_in(path);
        if !known.is_empty() {
            let named = known.len() == 1;
            let input = |(name, text): (String, _)| Input { file: name.into(), built_in: Some(text), named };
            inputs.extend(known.into_iter().map(input));
            continue;
        }
        match scenario_files(path) {
            Ok(files) => {
                let input = |file| Input { named: *path == file, file, built_in: None };
                inputs.extend(files.into_iter().map(input));
            }
            Err(error) => exit.unreadable(path, error),
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

impl Loaded {
    /// The scenario, if there is one.
    pub fn scenario(&self) -> Option<&Scenario> {
        match self {
            Loaded::Scenario(scenario) => Some(scenario),
            Loaded::Slow | Loaded::Wrong => None,
        }
    }
}

impl Input {
    /// Reads it.
    pub fn load(&self, slow_too: bool, exit: &mut Exit) -> Loaded {
        let scenario = match self.built_in {
            Some(text) => parse(&self.file, text, exit),
            None => load(&self.file, exit),
        };
        match scenario {
            None => Loaded::Wrong,
            Some(scenario) if is_slow(&scenario) && !slow_too && !self.named => Loaded::Slow,
            Some(scenario) => Loaded::Scenario(Box::new(scenario)),
        }
    }
}

/// Reads a scenario file or one built-in scenario, or says what is wrong with it.
pub fn load(path: &Path, exit: &mut Exit) -> Option<Scenario> {
    match built_in(path)[..] {
        [(ref name, text)] => parse(Path::new(name), text, exit),
        _ => Scenario::load(path).map_err(|errors| exit.unreadable(path, errors)).ok(),
    }
}

fn parse(path: &Path, text: &str, exit: &mut Exit) -> Option<Scenario> {
    Scenario::parse(&path.display().to_string(), text).map_err(|errors| exit.unreadable(path, errors)).ok()
}

/// Whether a scenario is left out unless it is asked for.
pub fn is_slow(scenario: &Scenario) -> bool {
    scenario.file().world.environment.slow
}

/// The scenarios below the paths for a table; slow ones only if they are named themselves. `None` if a path
/// is not there: then there is no table.
pub fn all(paths: &[PathBuf], exit: &mut Exit) -> Option<Vec<Scenario>> {
    let found = scenarios(paths, false, exit);
    paths.iter().all(|path| path.exists() || !built_in(path).is_empty()).then_some(found)
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
