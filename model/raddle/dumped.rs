//! Traces on disk: versioned JSON that holds all that a replay needs, the scenario included.

use serde::{Deserialize, Serialize};

use crate::report::Report;
use crate::scenario::Scenario;
use raddle_checker::Violation;
use raddle_checker::render::printable;
use raddle_checker::render::{DiagramOptions, diagram};
use raddle_checker::story::{self, Ending, ReplayError, Scene, Story, Turn};

/// The version of the format; it changes when older readers could misread it.
const VERSION: u32 = 2;

/// What is said of a trace of a set-up that goes well now.
const NO_HAZARD: &str = "the set-up no longer raises a hazard; the model or the scenario has changed since \
                         this trace was dumped";

/// Why a text was not read. What an error repeats of the text is shown as text.
fn damaged(what: &str, error: &serde_json::Error) -> String {
    format!("{what}: {}", printable(&error.to_string()))
}

/// A violation's run, with the scenario that it belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DumpedTrace {
    /// What this is: `raddle trace`.
    pub format: String,
    /// The version of the format.
    pub version: u32,
    /// The scenario's path, as it was given.
    pub scenario: String,
    /// The scenario's text.
    pub text: String,
    /// The revision.
    pub revision: String,
    /// The hazard id.
    pub hazard: String,
    /// How many other objects have the same hazard.
    pub others: usize,
    /// What was covered.
    pub guarantee: String,
    /// Whether the set-up itself raises the hazard.
    pub in_set_up: bool,
    /// The run: which task goes, and with which outcome.
    pub schedule: Vec<Turn>,
    /// The run in words, for readers; a replay makes its own.
    pub story: Story,
}

/// What a replay showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// The run in words.
    pub story: Story,
    /// Whether it still shows its hazard.
    pub shows: bool,
    /// The run as a diagram.
    pub text: String,
}

impl DumpedTrace {
    /// A violation of a report on a scenario.
    #[must_use]
    pub fn new(scenario: &Scenario, report: &Report, violation: &Violation) -> Self {
        DumpedTrace {
            format: "raddle trace".to_owned(),
            version: VERSION,
            scenario: report.scenario.clone(),
            text: scenario.text().to_owned(),
            revision: report.revision.clone(),
            hazard: violation.id.clone(),
            others: violation.others,
            guarantee: report.guarantee.clone(),
            in_set_up: violation.in_set_up,
            schedule: violation.schedule.clone(),
            story: violation.story.clone(),
        }
    }

    /// Reads a trace.
    ///
    /// # Errors
    ///
    /// Why the text is no trace that this version can read.
    pub fn parse(text: &str) -> Result<Self, String> {
        let value: serde_json::Value =
            serde_json::from_str(text).map_err(|error| damaged("this is no JSON", &error))?;
        if value.get("format").and_then(|format| format.as_str()) != Some("raddle trace") {
            return Err("this is no trace of raddle (no \"format\": \"raddle trace\")".to_owned());
        }
        match value.get("version").and_then(serde_json::Value::as_u64) {
            Some(version) if version == u64::from(VERSION) => {}
            Some(version) => {
                return Err(format!(
                    "this trace has version {version} of the format, and this raddle reads version {VERSION}; \
                     check the scenario again with --dump"
                ));
            }
            None => return Err("this trace is damaged: it has no version".to_owned()),
        }
        let trace: DumpedTrace =
            serde_json::from_value(value).map_err(|error| damaged("this trace is damaged", &error))?;
        let (steps, told) = (trace.schedule.len(), trace.story.steps.len());
        if steps != told && !trace.in_set_up {
            return Err(format!("this trace is damaged: its schedule has {steps} steps, its story {told}"));
        }
        let printable = |text: &String| printable(text);
        Ok(DumpedTrace {
            scenario: printable(&trace.scenario),
            revision: printable(&trace.revision),
            hazard: printable(&trace.hazard),
            ..trace
        })
    }

    /// Re-runs the trace on the model as it is now.
    ///
    /// # Errors
    ///
    /// The run is not possible, or does not end as the trace says: it is damaged, or the scenario or the model
    /// has changed.
    pub fn replay(&self) -> Result<Replayed, String> {
        let scenario = Scenario::parse(&self.scenario, &self.text).map_err(|errors| errors[0].to_string())?;
        let program = scenario.program(&self.revision).map_err(|error| error.to_string())?;
        let mut story = if self.in_set_up {
            story::replay_set_up(&program).ok_or(NO_HAZARD)?
        } else {
            let at_rest = self.story.hazard.as_ref().is_some_and(|hazard| !hazard.at_last_step);
            let ending = match self.story.cycle {
                Some(begins) => Ending::Cycle(begins),
                None if at_rest => Ending::AtRest(&self.hazard),
                None => Ending::Step,
            };
            let changed = |error: ReplayError| {
                format!(
                    "{error}; this trace is damaged, or the model or the scenario has changed since it was dumped"
                )
            };
            story::replay(&program, &self.schedule, ending).map_err(changed)?
        };
        // A route shows steps that the hazard alone does not need.
        for (step, dumped) in story.steps.iter_mut().zip(&self.story.steps) {
            step.needed |= dumped.needed;
        }
        let shows = story.hazard.as_ref().is_some_and(|hazard| hazard.id == self.hazard);
        let text = diagram(&story, &DiagramOptions::full());
        Ok(Replayed { story, shows, text })
    }

    /// What can be seen at each place of the run.
    ///
    /// # Errors
    ///
    /// The scenario or the model has changed.
    pub fn scenes(&self) -> Result<Vec<Scene>, String> {
        let scenario = Scenario::parse(&self.scenario, &self.text).map_err(|errors| errors[0].to_string())?;
        let program = scenario.program(&self.revision).map_err(|error| error.to_string())?;
        if self.in_set_up {
            return story::set_up_scenes(&program).ok_or_else(|| NO_HAZARD.to_owned());
        }
        story::scenes(&program, &self.schedule).map_err(|error| error.to_string())
    }
}
