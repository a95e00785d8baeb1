//! Scenario files: from TOML text to a validated, resolved scenario.
//!
//! Follows docs/scenarios.md. What comes out is plain data, the [`World`] that a program over the
//! driver core is built from; that program is not built here, and nothing here runs anything.
//! Every mistake of a file is reported with its place, twenty at a time.
//!
//! The way of a file: `files` reads it, `document` parses TOML, `header` and `resolve` read its
//! tables with the readers of `read`; `declare` declares names, `calls` resolves calls. Each notes what
//! is wrong in `faults`, which turns into [`InputError`]s at the end.

mod calls;
mod cycles;
mod declare;
mod document;
mod error;
mod faults;
mod files;
mod header;
mod links;
mod names;
mod read;
mod resolve;
mod spans;
mod suggest;
mod syntax;
mod template;
#[cfg(test)]
mod tests;
mod things;

use std::path::Path;

use raddle_checker::render::printable;

use indexmap::IndexMap;

pub use error::InputError;
pub use files::scenario_files;
pub(crate) use names::Section;
pub use spans::Place;
pub use template::{Template, template};

use crate::call::Call;
use crate::ids::Device;
use crate::world::World;
use faults::Faults;
use read::{FILE_KEYS, Table, string};
use spans::{Source, Span};

/// The names of a subject that a scenario may use.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Its revisions.
    pub revisions: Vec<&'static str>,
    /// Its rules, each with its values.
    pub rules: Vec<(&'static str, &'static [&'static str])>,
}

/// A scenario file, read and found without mistakes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioFile {
    /// The path, as the user gave it, in printable characters.
    pub path: String,
    /// What the scenario is, in one line.
    pub title: String,
    /// Who described it first, where and when.
    pub source: Option<String>,
    /// Why it matters.
    pub about: Option<String>,
    /// The revisions to check, in the file's order.
    pub revisions: Vec<String>,
    /// Rules that are overridden on each of these revisions.
    pub rules: IndexMap<String, String>,
    /// What the scenario declares.
    pub world: World,
    /// Hazards to look for beside those that always are (`[check] also`).
    pub also: Vec<String>,
    /// Functions and cells that the shown runs are to pass (`[check] passing`).
    pub passing: Vec<String>,
    /// Functions and hazards that the shown runs are to avoid (`[check] avoiding`).
    pub avoiding: Vec<String>,
    /// The hazards that must be found, sorted; by revision.
    pub expect: IndexMap<String, Vec<String>>,
    /// Where all this was written.
    pub places: Places,
}

/// Where the parts of a scenario were written, so that later stages can point at them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    source: Source,
    revisions: IndexMap<String, Span>,
    rules: IndexMap<String, Span>,
    calls: IndexMap<Call, Span>,
    devices: Vec<Span>,
}

impl ScenarioFile {
    /// The file's text.
    #[must_use]
    pub fn text(&self) -> &str {
        self.places.source.text()
    }

    /// Reads the text of a scenario file; `path` is only for messages.
    ///
    /// # Errors
    ///
    /// The mistakes in the file, from its top to its end; after twenty, only how many more.
    ///
    /// ```
    /// use raddle_probing::scenario::{ScenarioFile, Terms};
    ///
    /// let terms = Terms { revisions: vec!["v5.1"], rules: vec![] };
    /// let text = r#"
    /// title     = "a driver comes and goes"
    /// revisions = ["v5.1"]
    /// [driver.nd_pmem]
    /// [task.rmmod]
    /// run = ["driver_unregister(nd_pmen)"]
    /// "#;
    /// let errors = ScenarioFile::parse("unregister.toml", text, &terms).unwrap_err();
    /// let first_line = errors[0].to_string().lines().next().unwrap().to_owned();
    /// assert_eq!(
    ///     first_line,
    ///     r#"unregister.toml:6:27: driver "nd_pmen" is not declared; did you mean "nd_pmem"?"#
    /// );
    /// ```
    pub fn parse(path: &str, text: &str, terms: &Terms) -> Result<ScenarioFile, Vec<InputError>> {
        if text.len() > files::SIZE_LIMIT {
            return Err(vec![files::too_large(path)]);
        }
        let source = Source::new(path, text);
        let document = document::parse(&source)?;
        let root = Table::root(&document);
        let mut faults = Faults::new(&source);

        root.only(FILE_KEYS, "the file", &mut faults);
        let title = header::title(root, &mut faults);
        let credit = header::line(root, "source", &mut faults);
        let about = root.get("about").and_then(|value| string(value, &mut faults));
        let about = about.map(|text| text.value.to_owned());
        let revisions = header::revisions(root, terms, &mut faults);
        let rules = header::rules(root, terms, &mut faults);
        let [also, passing, avoiding] = header::check(root, &mut faults);
        let expect = header::expect(root, terms, &mut faults);
        let resolved = resolve::resolve(root, &mut faults);

        let Some(resolved) = resolved.filter(|_| faults.is_empty()) else {
            return Err(faults.into_errors());
        };
        let places = Places {
            rules: rules.iter().map(|(rule, (_, span))| (rule.clone(), span.clone())).collect(),
            calls: resolved.calls,
            devices: resolved.devices,
            source: source.clone(),
            revisions,
        };
        Ok(ScenarioFile {
            path: printable(path),
            title,
            source: credit,
            about,
            revisions: places.revisions.keys().cloned().collect(),
            rules: rules.into_iter().map(|(rule, (value, _))| (rule, value)).collect(),
            world: resolved.world,
            also,
            passing,
            avoiding,
            expect,
            places,
        })
    }

    /// Reads a scenario file.
    ///
    /// # Errors
    ///
    /// If it cannot be read, is larger than 1 MiB or is not UTF-8; else those of
    /// [`parse`](Self::parse).
    pub fn load(path: &Path, terms: &Terms) -> Result<ScenarioFile, Vec<InputError>> {
        let text = files::read(path).map_err(|error| vec![error])?;
        ScenarioFile::parse(&files::shown(path), &text, terms)
    }

    /// An error that points at a revision in `revisions`.
    #[must_use]
    pub fn revision_error(&self, revision: &str, message: String, help: Option<String>) -> InputError {
        self.error(self.places.revisions.get(revision), message, help)
    }

    /// An error that points at a rule in `[rules]`.
    #[must_use]
    pub fn rule_error(&self, rule: &str, message: String, help: Option<String>) -> InputError {
        self.error(self.places.rules.get(rule), message, help)
    }

    /// An error that points at the first place where a call is written.
    #[must_use]
    pub fn call_error(&self, call: &Call, message: String, help: Option<String>) -> InputError {
        self.error(self.places.calls.get(call), message, help)
    }

    /// An error that points at what a device is `initially`, or else at its name.
    #[must_use]
    pub fn device_error(&self, device: Device, message: String, help: Option<String>) -> InputError {
        self.error(self.places.devices.get(device.index()), message, help)
    }

    fn error(&self, span: Option<&Span>, message: String, help: Option<String>) -> InputError {
        InputError {
            path: self.path.clone(),
            place: span.map(|span| self.places.source.place(span)),
            message,
            help,
        }
    }
}
