//! What another revision or another rule would change: the hazards of a scenario under given rules.

pub mod ablate;
pub mod compare;
pub mod why;

use crate::check::Options;
use crate::report::{Report, Verdict};
use crate::scenario::Scenario;
use raddle_probing::scenario::InputError;

/// What was found in one scenario under one set of rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hazards {
    /// The ids of the hazards, sorted.
    pub ids: Vec<String>,
    /// Whether everything was explored: if not, there may be more of them.
    pub complete: bool,
}

impl From<&Report> for Hazards {
    fn from(report: &Report) -> Self {
        let complete = !report.cut && report.verdict != Verdict::Inconclusive;
        Hazards { ids: report.hazards(), complete }
    }
}

impl Hazards {
    /// The ids that the other does not have.
    #[must_use]
    pub fn beyond(&self, other: &Hazards) -> Vec<String> {
        self.ids.iter().filter(|id| !other.ids.contains(id)).cloned().collect()
    }
}

/// The hazards of a scenario on a revision, with overrides of rules besides its own.
///
/// # Errors
///
/// What is wrong with the scenario on this revision.
pub fn hazards(
    scenario: &Scenario,
    revision: &str,
    overrides: &[(&str, &str)],
    options: &Options,
) -> Result<Hazards, InputError> {
    let program = scenario.program_with(revision, overrides)?;
    let report = scenario.check_program(&program, revision, options, &mut |_| {})?;
    Ok(Hazards::from(&report))
}
