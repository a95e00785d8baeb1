//! What `compare` and `ablate` share: the files, the revisions, the exit code.

use std::path::PathBuf;

use raddle::check::Scenario;
use raddle_driver_core::revision::Revision;
use raddle_probing::scenario::scenario_files;

use super::INPUT_ERROR;
use super::out::complain;

/// What the rows so far say of the exit code.
#[derive(Default)]
pub struct Sweep {
    pub input_error: bool,
    pub inconclusive: bool,
}

impl Sweep {
    /// Whether a revision is known; complains if it is not.
    pub fn knows(&self, revision: &str) -> bool {
        let known = Revision::find(revision).is_some();
        if !known {
            complain(format_args!("raddle: revision \"{revision}\" is not known; see raddle list revisions"));
        }
        known
    }

    /// The scenarios below the paths; slow ones only if they are named themselves.
    pub fn scenarios(&mut self, paths: &[PathBuf]) -> Vec<Scenario> {
        let mut scenarios = Vec::new();
        for path in paths {
            let files = match scenario_files(path) {
                Ok(files) => files,
                Err(error) => {
                    complain(error);
                    self.input_error = true;
                    continue;
                }
            };
            for file in files {
                match Scenario::load(&file) {
                    Ok(scenario) if scenario.file().world.environment.slow && *path != file => {}
                    Ok(scenario) => scenarios.push(scenario),
                    Err(errors) => {
                        errors.iter().for_each(complain);
                        self.input_error = true;
                    }
                }
            }
        }
        scenarios
    }

    /// 2 for an input error, 3 if not everything was explored, else 0.
    pub fn code(&self) -> u8 {
        match self {
            Sweep { input_error: true, .. } => INPUT_ERROR,
            Sweep { inconclusive: true, .. } => 3,
            _ => 0,
        }
    }
}

/// Hazard ids as text.
pub fn list(ids: &[String]) -> String {
    ids.join(", ")
}
