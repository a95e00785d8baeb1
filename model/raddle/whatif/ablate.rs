//! Which rule of a revision prevents which hazard: each rule is changed alone, and the hazards that appear
//! are those that it prevents.

use super::hazards;
use crate::check::Options;
use crate::scenario::Scenario;
use raddle_driver_core::revision::Revision;
use raddle_driver_core::rules::{RULES, RuleInfo, Rules};
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

impl Change {
    /// What is so, and the beginning of a sentence about what is if it is not: in words for a review.
    #[must_use]
    pub fn words(&self) -> String {
        let otherwise = match self.instead {
            "false" => "Without that".to_owned(),
            "true" => "If it were so".to_owned(),
            word => format!("With {word}"),
        };
        format!("{}. {otherwise}", said(self.rule, self.value))
    }
}

/// What a value of a rule says of a kernel, without a full stop.
pub(super) fn said(rule: &str, value: &str) -> String {
    let rule = RULES.iter().find(|one| one.name == rule).expect("internal: a rule of the table");
    rule.says(value)
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

/// All changes of one rule, of these rules if there are any: truth values flipped, words replaced by each other word.
#[must_use]
pub fn changes(rules: &Rules, of: &[String]) -> Vec<Change> {
    let wanted = |change: &Change| of.is_empty() || of.iter().any(|name| name == change.rule);
    changes_by_rule(|rule| (rule.get)(rules)).map(|(_, change)| change).filter(wanted).collect()
}

/// The same of all rules, with the rule of each. `value`: that of a rule.
pub(super) fn changes_by_rule(
    value: impl Fn(&'static RuleInfo) -> &'static str,
) -> impl Iterator<Item = (&'static RuleInfo, Change)> {
    RULES.iter().flat_map(move |rule| {
        let value = value(rule);
        let others = rule.words.iter().filter(move |word| **word != value);
        others.map(move |instead| (rule, Change { rule: rule.name, value, instead }))
    })
}

/// Makes each of these changes of a revision's rules in a scenario. It overrides what the scenario says of that rule.
///
/// # Errors
///
/// What is wrong with the scenario on this revision. A change under which its set-up fails is left out.
pub fn ablate(
    scenario: &Scenario,
    revision: &Revision,
    changes: &[Change],
    options: &Options,
) -> Result<Vec<Ablation>, InputError> {
    let as_is = hazards(scenario, revision.name, &[], options)?;
    let program = scenario.program(revision.name)?;
    let in_force = program.subject().rules();
    let mut ablations = Vec::new();
    for change in changes.iter().copied() {
        let own = in_force.iter().any(|(rule, value)| *rule == change.rule && *value != change.value);
        let under = |value| hazards(scenario, revision.name, &[(change.rule, value)], options);
        let before = if own { under(change.value) } else { Ok(as_is.clone()) };
        if let (Ok(before), Ok(after)) = (before, under(change.instead)) {
            ablations.push(Ablation {
                scenario: scenario.file().path.clone(),
                change,
                appear: after.beyond(&before),
                complete: before.complete && after.complete,
            });
        }
    }
    Ok(ablations)
}
