//! Which rule of a revision prevents which hazard: each rule is changed, one at a time, and what goes
//! wrong then, and did not before, is what it prevented.

use super::{Hazards, hazards};
use crate::check::Options;
use crate::scenario::Scenario;
use raddle_driver_core::revision::Revision;
use raddle_driver_core::rules::{RULES, Rules};
use raddle_probing::scenario::InputError;

/// A rule, and another value than the revision's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The rule's name.
    pub rule: &'static str,
    /// Its value in the revision.
    pub value: &'static str,
    /// The value it is given instead.
    pub instead: &'static str,
}

/// What a change lets happen in a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ablation {
    /// The scenario's path, as given.
    pub scenario: String,
    /// The change.
    pub change: Change,
    /// Hazards that the revision itself does not have.
    pub appear: Vec<String>,
    /// Whether both were explored completely.
    pub complete: bool,
}

/// All changes of one rule of a revision: truth values flipped, words replaced by each other word.
#[must_use]
pub fn changes(revision: &Revision) -> Vec<Change> {
    let rules = Rules::of(revision);
    let of_rule = |rule: &raddle_driver_core::rules::RuleInfo| {
        let (name, value, words) = (rule.name, (rule.get)(&rules), rule.words);
        let others = words.iter().filter(move |word| **word != value);
        others.map(move |instead| Change { rule: name, value, instead })
    };
    RULES.iter().flat_map(of_rule).collect()
}

/// Makes each change in a scenario. Rules that the scenario itself sets are left alone.
///
/// # Errors
///
/// What is wrong with the scenario on this revision. A change under which its set-up fails is left out.
pub fn ablate(
    scenario: &Scenario,
    revision: &Revision,
    options: &Options,
) -> Result<Vec<Ablation>, InputError> {
    let whole = hazards(scenario, revision.name, &[], options)?;
    let fixed = &scenario.file().rules;
    let mut ablations = Vec::new();
    for change in changes(revision) {
        if fixed.iter().any(|(name, _)| *name == change.rule) {
            continue;
        }
        let changed = hazards(scenario, revision.name, &[(change.rule, change.instead)], options);
        // "bound:DRIVER" may not come about without the rule.
        let changed = changed.unwrap_or(Hazards { ids: Vec::new(), complete: true });
        ablations.push(Ablation {
            scenario: scenario.file().path.clone(),
            change,
            appear: changed.beyond(&whole),
            complete: whole.complete && changed.complete,
        });
    }
    Ok(ablations)
}

/// Why a rule may prevent nothing that the properties know, where that has a reason of its own.
///
/// It is shown beside a change that let nothing new happen; it decides nothing.
#[must_use]
pub fn why_nothing(rule: &str) -> Option<&'static str> {
    Some(match rule {
        "getters-hide-stash" | "setters-clear-bit" | "shared-async-bit" | "failed-bind-clears-drvdata" => {
            "it matters only where drvdata is the stash"
        }
        "release-flushes-attach-work" | "unregister-cancels-attach-work" | "force-mod-async-probe" => {
            "it matters only with attach-strategy = workqueue"
        }
        "device-attach-checks-dead"
        | "device-helper-rechecks"
        | "bind-rechecks"
        | "walk-stops-when-bound" => {
            "from v5.14 on __driver_probe_device looks again (split-driver-probe-device)"
        }
        "device-side-async" => "without it new devices are probed synchronously, which takes time only",
        "can-match" => "it saves retries of devices that no driver matches",
        "parent-lock" => "nothing in the model is protected by the parent's lock alone",
        "defer-all-probes" | "shutdown-waits" => "without it probing is not blocked, so no promise is broken",
        "deferred-timeout" => "it triggers deferred probing once more",
        "attach-may-fail" => "it lets Luis' work function fail, and matters only there",
        _ => return None,
    })
}
