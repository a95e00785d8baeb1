//! Which rule of a revision would have prevented a hazard: each rule is changed, one at a time, and the
//! scenario checked again.

use crate::check::{Options, Report, Scenario, Verdict};
use crate::driver_core::rules::RULES;
use crate::scenario::InputError;
use crate::search::reference::Limits;

/// A rule that prevents a hazard when its value is another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preventer {
    /// The rule's name.
    pub rule: &'static str,
    /// Its value on the revision.
    pub from: &'static str,
    /// The value that prevents the hazard.
    pub to: &'static str,
    /// The commit or mail that it follows.
    pub source: &'static str,
    /// The hazards that it prevents, by id.
    pub prevents: Vec<String>,
    /// The hazards that it brings instead, by id.
    pub brings: Vec<String>,
}

impl Preventer {
    /// One sentence about one of the hazards that it prevents.
    #[must_use]
    pub fn sentence(&self) -> String {
        let instead = match self.brings.as_slice() {
            [] => String::new(),
            ids => format!(", but brings {}", ids.join(" and ")),
        };
        format!(
            "{} = {} (here: {}) prevents it{instead}; see {}.",
            self.rule, self.to, self.from, self.source
        )
    }
}

/// Tries every other value of every rule on a violated report's scenario and revision.
///
/// A value counts only if the search was complete; `state_limit` bounds each.
///
/// # Errors
///
/// What is wrong with the scenario on this revision.
pub fn preventers(
    scenario: &Scenario,
    report: &Report,
    state_limit: usize,
) -> Result<Vec<Preventer>, InputError> {
    let hazards = report.hazards();
    let as_is = scenario.program(&report.revision)?;
    let limits = Limits { state_limit: Some(state_limit), ..Limits::default() };
    let options = Options { limits, ..Options::default() };
    let mut found = Vec::new();
    for rule in RULES {
        let from = (rule.get)(as_is.rules());
        for to in rule.words.iter().filter(|word| **word != from) {
            let program = scenario.program_with(&report.revision, &[(rule.name, to)])?;
            // A set-up that ends otherwise under this rule says nothing about the hazard.
            let Ok(other) = scenario.check_program(&program, &report.revision, &options, |_| {}) else {
                continue;
            };
            if other.cut || other.verdict == Verdict::Inconclusive {
                continue;
            }
            let left = other.hazards();
            let prevents: Vec<String> = hazards.iter().filter(|id| !left.contains(id)).cloned().collect();
            if !prevents.is_empty() {
                let brings = left.into_iter().filter(|id| !hazards.contains(id)).collect();
                found.push(Preventer { rule: rule.name, from, to, source: rule.source, prevents, brings });
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded::embedded;

    #[test]
    fn the_wait_in_driver_detach_prevents_the_stale_pointer() {
        let path = "scenarios/bart/unregister-pending-no-flush.toml";
        let (_, text) = embedded().into_iter().find(|(name, _)| name == path).expect("it is built in");
        let scenario = Scenario::parse(path, text).expect("it is a scenario");
        let report = scenario.check_on("duyck-v4", &Options::default(), |_| {}).expect("it is checked");
        let found = preventers(&scenario, &report, 100_000).expect("it is checked");
        let wait = found.iter().find(|one| one.rule == "detach-waits-for-async").expect("it prevents it");
        assert_eq!((wait.from, wait.to), ("false", "true"));
        assert_eq!(wait.prevents, ["stale-driver-pointer"]);
        assert!(wait.source.contains("37e98d9bedb5"));
    }
}
