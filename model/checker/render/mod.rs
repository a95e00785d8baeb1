//! Renderings of stories and verdicts: one short file each.
//!
//! Every name comes from the strings of a [`Story`](crate::story::Story), so nothing here knows what
//! the program is about. All output is ASCII and a function of its input alone. The forms for people
//! (diagram, text, explanation) are for lines of 75 columns; the forms for other programs are JSON,
//! XML, KTAP and Mermaid.

mod columns;
pub mod diagram;
pub mod explain;
pub mod itf;
pub mod junit;
pub mod ktap;
mod lines;
pub mod mermaid;
pub mod sarif;
mod sentences;
pub mod text;
mod words;
mod wrap;

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

pub use diagram::{DiagramOptions, Lines, diagram};
pub use explain::explain;
pub use lines::told;
pub use sentences::{awaited_words, blocked_words, does_words, hazard_words, ready_words, retraced_words};
pub use text::{Heading, report};
pub use wrap::{ascii, printable};

/// A number with commas, as texts print it.
#[must_use]
pub fn thousands(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A step of a story in words, as the diagrams say it.
#[must_use]
pub fn step_words(story: &crate::story::Story, step: &crate::story::ToldStep) -> String {
    words::words(story, step, true).join("; ")
}

/// A text in lines of at most 75 characters of ASCII, as mails have them.
#[must_use]
pub fn wrapped(text: &str) -> Vec<String> {
    wrap::wrap(text, DiagramOptions::default().width, 2)
}

/// An input that could not be checked, for the formats of whole runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Its path.
    pub path: String,
    /// What is wrong with it.
    pub why: String,
}

/// The outcome of checking one scenario on one revision, for the formats of test runners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The scenario's path as it was given.
    pub scenario: String,
    /// The revision it was checked on.
    pub revision: String,
    /// `verified`, `violated` or `inconclusive`.
    pub verdict: String,
    /// Whether that is what the scenario expects.
    pub as_expected: bool,
    /// The hazards that were found, by id.
    pub hazards: Vec<String>,
    /// The hazards that the scenario expects, if it says so for this revision.
    pub expected: Option<Vec<String>>,
    /// What was covered, in one sentence.
    pub guarantee: String,
    /// The diagram of a counterexample, if there is one.
    pub diagram: Option<String>,
}

impl Row {
    /// Whether the run ended before it could say anything.
    #[must_use]
    pub fn inconclusive(&self) -> bool {
        self.verdict == "inconclusive"
    }

    /// The verdict in one line, with what was expected where that is something else.
    fn summary(&self) -> String {
        let list = |ids: &[String]| if ids.is_empty() { "none".to_owned() } else { ids.join(", ") };
        let found = match self.hazards.as_slice() {
            [] => self.verdict.clone(),
            ids => format!("{}: {}", self.verdict, ids.join(", ")),
        };
        match &self.expected {
            _ if self.as_expected => found,
            Some(ids) => format!("{found}; expected hazards: {}", list(ids)),
            None => format!("{found}; nothing is expected for this revision"),
        }
    }

    /// The rows of each scenario, in the order in which scenarios first occur.
    fn by_scenario(rows: &[Row]) -> indexmap::IndexMap<&str, Vec<&Row>> {
        let mut groups: indexmap::IndexMap<&str, Vec<&Row>> = indexmap::IndexMap::new();
        for row in rows {
            groups.entry(&row.scenario).or_default().push(row);
        }
        groups
    }
}
