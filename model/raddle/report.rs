//! What came of checking a scenario on a revision.

use serde::{Deserialize, Serialize};

use crate::check::Engine;
use raddle_checker::Violation;
use raddle_checker::render::{self, DiagramOptions, Heading, Row};
use raddle_checker::story::{Call, Story};

/// What came of checking a scenario on a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Every reachable state was visited, and none shows a hazard.
    Verified,
    /// A hazard was found.
    Violated,
    /// A limit was hit before everything was visited, and nothing was found.
    Inconclusive,
}

impl Verdict {
    /// Its name in output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Verified => "verified",
            Verdict::Violated => "violated",
            Verdict::Inconclusive => "inconclusive",
        }
    }

    /// What was found, and whether everything was visited.
    pub(crate) fn of(found: bool, complete: bool) -> Self {
        match (found, complete) {
            (true, _) => Verdict::Violated,
            (false, true) => Verdict::Verified,
            (false, false) => Verdict::Inconclusive,
        }
    }
}

/// A row of the result: one scenario on one revision.
#[derive(Clone, Debug)]
pub struct Report {
    /// The scenario's path, as given.
    pub scenario: String,
    /// The scenario's title.
    pub title: String,
    /// The scenario's text.
    pub scenario_text: String,
    /// The revision.
    pub revision: String,
    /// The rules that the scenario changes, such as `detach-waits-for-async = false`.
    pub rules: String,
    /// The engine.
    pub engine: Engine,
    /// The verdict.
    pub verdict: Verdict,
    /// The hazards that were found, sorted by id.
    pub violations: Vec<Violation>,
    /// The ids of hazards that were found and for which there is no run to show, sorted.
    pub unshown: Vec<String>,
    /// The hazards that the scenario expects, sorted; `None` if it says nothing of this revision.
    pub expected: Option<Vec<String>>,
    /// States stored.
    pub states: usize,
    /// Steps taken.
    pub transitions: usize,
    /// What the verdict covers, in one sentence.
    pub guarantee: String,
    /// Whether a limit was hit.
    pub cut: bool,
    /// Whether the engine never visits everything, even without a limit.
    pub sampled: bool,
    /// Bytes that the search used for states, by its own account.
    pub bytes: usize,
    /// Why the verdict may say less than it seems to: calls that are never made, rules that change nothing.
    pub warnings: Vec<String>,
    /// Options of `raddle check` by which its runs are shown, if they are not the shortest.
    pub options: Vec<String>,
}

impl Report {
    /// The ids of the hazards that were found, sorted.
    #[must_use]
    pub fn hazards(&self) -> Vec<String> {
        let shown = self.violations.iter().map(|violation| &violation.id);
        let mut all: Vec<String> = shown.chain(&self.unshown).cloned().collect();
        all.sort_unstable();
        all
    }

    /// Whether the hazards are exactly the expected ones; without an expectation, whether it is verified.
    #[must_use]
    pub fn as_expected(&self) -> bool {
        match &self.expected {
            Some(expected) if self.sampled => self.hazards().iter().all(|id| expected.contains(id)),
            Some(expected) => self.verdict != Verdict::Inconclusive && self.hazards() == *expected,
            None => self.verdict == Verdict::Verified,
        }
    }

    /// The report as a row of a test runner's table; its diagram is that of the first violation.
    #[must_use]
    pub fn row(&self, shown: &DiagramOptions) -> Row {
        Row {
            scenario: self.scenario.clone(),
            revision: self.revision.clone(),
            verdict: self.verdict.name().to_owned(),
            as_expected: self.as_expected(),
            hazards: self.hazards(),
            expected: self.expected.clone(),
            guarantee: self.guarantee.clone(),
            diagram: self.violations.first().map(|violation| render::diagram(&violation.story, shown)),
        }
    }

    /// What a rendering says of a violation besides its story.
    #[must_use]
    pub fn heading<'a>(&'a self, violation: &'a Violation) -> Heading<'a> {
        Heading {
            scenario: &self.scenario,
            title: &self.title,
            revision: &self.revision,
            rules: &self.rules,
            hazard: &violation.id,
            expected: self.expected.as_ref().is_some_and(|expected| expected.contains(&violation.id)),
            line: call_line(&self.scenario_text, &violation.story),
            others: violation.others,
            guarantee: &self.guarantee,
            options: &self.options,
        }
    }

    /// A violation for people: the claim, the diagram, what went wrong, how to see it again.
    #[must_use]
    pub fn text(&self, violation: &Violation, shown: &DiagramOptions) -> String {
        render::report(&self.heading(violation), &violation.story, shown)
    }
}

/// The line of a scenario's text with the call in which a run goes wrong: that of the task of the last step or,
/// if that was started by another task, of the one that started it.
fn call_line(text: &str, story: &Story) -> Option<u32> {
    let stuck =
        story.waiting.iter().find(|wait| wait.deadlocked).map(|wait| (wait.actor, wait.stack.first()));
    let mut at = stuck.or_else(|| story.steps.last().map(|step| (step.actor, step.stack.first())));
    // Each was started by a task before it.
    for _ in 0..=story.actors.len() {
        let (actor, call) = at?;
        let written = call.map(|call| format!("\"{}\"", Call { note: None, ..call.clone() }));
        let line = written.and_then(|call| text.lines().position(|line| line.contains(&call)));
        if let Some(line) = line {
            return u32::try_from(line + 1).ok();
        }
        let starter = story.steps.iter().find(|step| step.started == Some(actor));
        at = starter.map(|step| (step.actor, step.stack.first()));
    }
    None
}
