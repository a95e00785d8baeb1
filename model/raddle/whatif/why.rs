//! Which rule of a revision would have prevented a hazard: each rule is changed, one at a time, and the
//! scenario checked again.

use crate::check::Options;
use crate::report::{Report, Verdict};
use crate::scenario::Scenario;
use raddle_checker::search::reference::Limits;
use raddle_driver_core::revision::{REVISIONS, Revision, Series};
use raddle_driver_core::rules::{Change, RULES, RuleInfo};
use raddle_probing::scenario::InputError;

/// A rule that prevents a hazard when its value is another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preventer {
    /// The rule's name.
    pub rule: &'static str,
    /// Its value on the revision.
    pub from: &'static str,
    /// The value that prevents the hazard.
    pub to: &'static str,
    /// Where that value comes from.
    pub origin: Origin,
    /// The revision that has it, if one does.
    pub revision: Option<&'static str>,
    /// The commit that brought this value, or took it away; else where docs/kernel tells of the rule.
    pub source: String,
    /// The hazards that it prevents, by id.
    pub prevents: Vec<String>,
    /// The hazards that it brings instead, by id.
    pub brings: Vec<String>,
}

/// Where a rule has the value that prevents a hazard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// In a later release: this is how the kernel was mended.
    Later,
    /// In patches that were posted.
    Posted,
    /// In an earlier release: taking the commit back.
    Earlier,
    /// Nowhere.
    Nowhere,
}

impl Preventer {
    /// One sentence about one of the hazards that it prevents.
    #[must_use]
    pub fn sentence(&self) -> String {
        let instead = match self.brings.as_slice() {
            [] => String::new(),
            ids => format!(", but brings {}", ids.join(" and ")),
        };
        let origin = match (self.origin, self.revision) {
            (Origin::Earlier, Some(revision)) => format!("as in {revision}, before {}", self.source),
            (_, Some(revision)) => format!("as in {revision}; see {}", self.source),
            (_, None) => format!("as in no revision; see {}", self.source),
        };
        format!("{} = {} (here: {}) prevents it{instead} ({origin}).", self.rule, self.to, self.from)
    }
}

/// Tries every other value of every rule on a violated report's scenario and revision.
///
/// A value counts only if the search was complete; `state_limit` bounds each. First come those that
/// bring no other hazard, of these the ones by [`Origin`], and of these the rules with the fewest values:
/// a choice between two is a smaller change than one between five.
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
    let options = Options::default().limits(limits);
    let mut found: Vec<(usize, Preventer)> = Vec::new();
    for rule in RULES {
        let from = (rule.get)(as_is.subject().rules());
        for to in rule.words.iter().filter(|word| **word != from) {
            let program = scenario.program_with(&report.revision, &[(rule.name, to)])?;
            // A set-up that ends otherwise under this rule says nothing about the hazard.
            let Ok(other) = scenario.check_program(&program, &report.revision, &options, &mut |_| {}) else {
                continue;
            };
            if other.cut || other.verdict == Verdict::Inconclusive {
                continue;
            }
            let left = other.hazards();
            let prevents: Vec<String> = hazards.iter().filter(|id| !left.contains(id)).cloned().collect();
            if !prevents.is_empty() {
                let brings = left.into_iter().filter(|id| !hazards.contains(id)).collect();
                let (origin, revision, source) = origin(rule, to, &report.revision);
                let one = Preventer { rule: rule.name, from, to, origin, revision, source, prevents, brings };
                found.push((rule.words.len(), one));
            }
        }
    }
    found.sort_by_key(|(values, one)| (one.brings.len(), one.origin, *values));
    Ok(found.into_iter().map(|(_, one)| one).collect())
}

/// Where a rule has a value, seen from a revision: the revision that has it, and the source that brought
/// it, or the one that replaced it if it is the older way.
fn origin(rule: &RuleInfo, value: &str, here: &str) -> (Origin, Option<&'static str>, String) {
    let place = |name: &str| REVISIONS.iter().position(|revision| revision.name == name);
    let here = place(here).unwrap_or(0);
    let has = |revision: &&Revision| rule.on(revision) == value;
    let released = |revision: &&Revision| revision.series == Series::Released;
    let later = REVISIONS[here..].iter().filter(released).find(has);
    // A series has it if the release that it builds on has not.
    let own = |revision: &&Revision| !has(&&Revision { series: Series::Released, ..**revision });
    let posted = REVISIONS.iter().filter(|one| !released(one)).filter(own).find(has);
    let earlier = REVISIONS[..here].iter().filter(released).rfind(has);
    let page = format!("docs/kernel/{}", rule.page);
    let source = |change: Option<&Change>| change.map_or(page.clone(), Change::named);
    if let Some(revision) = later {
        let change = rule.changes.iter().rfind(|change| change.version <= revision.version);
        (Origin::Later, Some(revision.name), source(change))
    } else if let Some(revision) = posted {
        (Origin::Posted, Some(revision.name), page)
    } else if let Some(revision) = earlier {
        let change = rule.changes.iter().find(|change| change.version > revision.version);
        (Origin::Earlier, Some(revision.name), source(change))
    } else {
        (Origin::Nowhere, None, page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_in_driver_detach_prevents_the_stale_pointer() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/bart/unregister-pending-no-flush.toml");
        let scenario = Scenario::load(path).expect("it is a scenario");
        let report = scenario.check_on("duyck-v4", &Options::default(), |_| {}).expect("it is checked");
        let found = preventers(&scenario, &report, 100_000).expect("it is checked");
        let wait = found.iter().find(|one| one.rule == "detach-waits-for-async").expect("it prevents it");
        assert_eq!((wait.from, wait.to), ("false", "true"));
        assert_eq!(wait.prevents, ["stale-driver-pointer"]);
        assert_eq!((wait.origin, wait.revision), (Origin::Later, Some("v5.1")));
        assert_eq!(wait.source, "c37d721c68ad, v5.0");
    }

    #[test]
    fn a_value_comes_from_the_nearest_revision_that_has_it() {
        let of = |name: &str, value: &str, here: &str| {
            let rule = RULES.iter().find(|rule| rule.name == name).expect("a rule");
            origin(rule, value, here)
        };
        let later = (Origin::Later, Some("v5.1"), "ef0ff68351be, v5.1".to_owned());
        assert_eq!(of("async-stash", "device-private", "duyck-v4"), later);
        let posted = (Origin::Posted, Some("duyck-v6"), "docs/kernel/attach.md#__driver_attach".to_owned());
        assert_eq!(of("async-stash", "drvdata-and-bit", "v5.1"), posted);
        let earlier = (Origin::Earlier, Some("v5.9"), "b232b02bf3c2, v5.19".to_owned());
        assert_eq!(of("device-attach-schedules-unlocked", "false", "v6.0"), earlier);
        let nowhere = (Origin::Nowhere, None, "docs/kernel/races.md#a1".to_owned());
        assert_eq!(of("unregister-cancels-attach-work", "true", "luis-v2"), nowhere);
    }
}
