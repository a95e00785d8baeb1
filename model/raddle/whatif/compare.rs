//! What a patch fixes and what it breaks: the hazards of two revisions side by side.

use super::{Hazards, hazards};
use crate::check::Options;
use crate::scenario::Scenario;
use raddle_probing::scenario::InputError;

/// The hazards of one scenario on two revisions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// The scenario's path, as given.
    pub scenario: String,
    /// Hazards of the first revision only.
    pub gone: Vec<String>,
    /// Hazards of both.
    pub kept: Vec<String>,
    /// Hazards of the second revision only.
    pub new: Vec<String>,
    /// Whether both were explored completely.
    pub complete: bool,
}

/// Compares two revisions on a scenario, with its own overrides of rules in force on both.
///
/// ```
/// use raddle::whatif::compare::compare;
/// use raddle::{Options, Scenario};
///
/// let text = r#"
///     title = "probe reads drvdata"
///     revisions = ["duyck-v6"]
///     [device.pmem0]
///     initially = "added"
///     [driver.nd_pmem]
///     probe-type = "prefer-asynchronous"
///     probe = ["dev_get_drvdata()"]
///     [task.insmod]
///     run = ["driver_register(nd_pmem)"]
/// "#;
/// let scenario = Scenario::parse("example.toml", text)?;
/// let compared = compare(&scenario, "duyck-v6", "v5.1", &Options::default())?;
/// assert_eq!(compared.gone, ["drvdata-stash"]);
/// # Ok::<(), raddle::InputErrors>(())
/// ```
///
/// # Errors
///
/// What is wrong with the scenario on one of the revisions.
pub fn compare(
    scenario: &Scenario,
    from: &str,
    to: &str,
    options: &Options,
) -> Result<Comparison, InputError> {
    let before = hazards(scenario, from, &[], options)?;
    let after = hazards(scenario, to, &[], options)?;
    let kept = |hazards: &Hazards| hazards.ids.iter().filter(|id| after.ids.contains(id)).cloned().collect();
    Ok(Comparison {
        scenario: scenario.file().path.clone(),
        gone: before.beyond(&after),
        kept: kept(&before),
        new: after.beyond(&before),
        complete: before.complete && after.complete,
    })
}
