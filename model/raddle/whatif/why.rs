//! Which rule of a revision would prevent a hazard, or protects a verified scenario: each rule is changed
//! alone, and the scenario checked again.

use std::time::Instant;

use indexmap::IndexMap;

use super::ablate::{Change, changes_by_rule, said};
use super::{Hazards, hazards};
use crate::check::{Engine, Options};
use crate::report::{Report, Verdict};
use crate::scenario::Scenario;
use raddle_driver_core::revision::{REVISIONS, Revision, Series};
use raddle_driver_core::rules::{self, RuleInfo};
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
    /// What would have to be so, in words for a review.
    #[must_use]
    pub fn words(&self) -> String {
        let instead = match self.brings.as_slice() {
            [] => String::new(),
            ids => format!(", but there is {}", ids.join(" and ")),
        };
        let origin = match (self.origin, self.revision) {
            (Origin::Later, Some(revision)) => format!("So it is in {revision} ({})", self.source),
            (Origin::Posted, Some(revision)) => format!("So it was posted in {revision} ({})", self.source),
            (Origin::Earlier, Some(revision)) => format!("So it was in {revision}, before {}", self.source),
            (_, _) => format!("So it is in no revision ({})", self.source),
        };
        format!(
            "{}. Then there is no {}{instead}. {origin}. [{} = {}, here {}]",
            said(self.rule, self.to),
            self.prevents.join(" and no "),
            self.rule,
            self.to,
            self.from
        )
    }
}

/// A rule that keeps a verified scenario from a hazard: with another value it would have one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protector {
    /// The rule, its value here, and the other one.
    pub change: Change,
    /// The hazards that the other value brings, by id.
    pub from: Vec<String>,
    /// The commits or the page behind the rule.
    pub source: String,
}

impl Protector {
    /// What protects it, in words for a review.
    #[must_use]
    pub fn words(&self) -> String {
        let Change { rule, value, .. } = self.change;
        let (words, hazards) = (self.change.words(), self.from.join(" and "));
        format!("{words}, there is {hazards} ({}). [{rule} = {value}]", self.source)
    }
}

/// Which rules would change a verdict, each changed alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Why {
    /// What would prevent the hazards of a violated report.
    pub preventers: Vec<Preventer>,
    /// What protects a verified one.
    pub protectors: Vec<Protector>,
    /// Changes about which nothing is known: a limit was hit.
    pub untried: usize,
}

/// Tries every other value of every rule on a report's scenario and revision.
///
/// A value counts only if the search was complete. The limits of the options hold for each search, and the
/// time for all of them together; `state_limit` bounds each further. Of the preventers, first come those
/// that bring no other hazard, of these the ones by [`Origin`], and of these the rules with the fewest
/// values: a choice between two is a smaller change than one between five.
///
/// # Errors
///
/// What is wrong with the scenario on this revision.
pub fn why(
    scenario: &Scenario,
    report: &Report,
    options: &Options,
    state_limit: usize,
) -> Result<Why, InputError> {
    let begun = Instant::now();
    let mut options = options.clone().engine(Engine::Exhaustive);
    options.resources.saving = None;
    let time = options.limits.time_limit;
    options.limits.state_limit = options.limits.state_limit.into_iter().chain([state_limit]).min();
    let here = Hazards::from(report);
    let as_is = scenario.program(&report.revision)?;
    let mut found: Vec<(usize, Preventer)> = Vec::new();
    let mut why = Why::default();
    let in_force: IndexMap<&str, &'static str> = as_is.subject().rules().into_iter().collect();
    for (rule, change) in changes_by_rule(|rule| in_force[rule.name]) {
        options.limits.time_limit = time.map(|limit| limit.saturating_sub(begun.elapsed()));
        // A set-up that ends otherwise under this rule says nothing about the hazard.
        let other = hazards(scenario, &report.revision, &[(change.rule, change.instead)], &options);
        let Ok(other) = other else { continue };
        if !other.complete && (report.verdict == Verdict::Violated || other.ids.is_empty()) {
            why.untried += 1;
            continue;
        }
        let (prevents, brings) = (here.beyond(&other), other.beyond(&here));
        if report.verdict == Verdict::Verified && !brings.is_empty() {
            why.protectors.push(Protector { change, from: brings, source: rule.source() });
        } else if report.verdict == Verdict::Violated && !prevents.is_empty() {
            let Change { rule: name, value: from, instead: to } = change;
            let (origin, revision, source) = origin(rule, to, &report.revision);
            let one = Preventer { rule: name, from, to, origin, revision, source, prevents, brings };
            found.push((rule.words.len(), one));
        }
    }
    found.sort_by_key(|(values, one)| (one.brings.len(), one.origin, *values));
    why.preventers = found.into_iter().map(|(_, one)| one).collect();
    Ok(why)
}

/// Where a rule has a value, seen from a revision: the revision that has it, and the source that brought
/// it, or the one that replaced it if it is the older way.
#[must_use]
pub fn origin(rule: &RuleInfo, value: &str, here: &str) -> (Origin, Option<&'static str>, String) {
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
    let source = |change: Option<&rules::Change>| change.map_or(page.clone(), rules::Change::named);
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
