//! A scenario file, and the program that it is on a revision.

use std::path::Path;

use raddle_driver_core::hand_model::{DriverCore, HandModel};
use raddle_driver_core::revision::Revision;
use raddle_driver_core::rules::Rules;
use raddle_driver_core::terms;
use raddle_probing::scenario::{InputError, ScenarioFile};

/// All that is wrong with a scenario file, each mistake with its place; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputErrors(pub Vec<InputError>);

impl std::ops::Deref for InputErrors {
    type Target = [InputError];

    fn deref(&self) -> &[InputError] {
        &self.0
    }
}

impl std::fmt::Display for InputErrors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let lines: Vec<String> = self.iter().map(InputError::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for InputErrors {}

impl From<InputError> for InputErrors {
    fn from(error: InputError) -> Self {
        InputErrors(vec![error])
    }
}

/// A scenario, ready to be checked.
///
/// ```
/// use raddle::{Options, Scenario, Verdict};
///
/// let text = r#"
///     title = "a driver is registered while its device is added"
///     revisions = ["v3.18"]
///     [device.pmem0]
///     [driver.nd_pmem]
///     [task.insmod]
///     run = ["driver_register(nd_pmem)"]
///     [task.hotplug]
///     run = ["device_register(pmem0)"]
/// "#;
/// let reports = Scenario::parse("example.toml", text)?.check(&Options::default())?;
/// assert_eq!(reports[0].verdict, Verdict::Verified);
/// # Ok::<(), raddle::InputErrors>(())
/// ```
#[derive(Clone, Debug)]
pub struct Scenario {
    file: ScenarioFile,
}

impl Scenario {
    /// Reads a scenario file.
    ///
    /// # Errors
    ///
    /// All that is wrong with it, each with its place.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, InputErrors> {
        let file = ScenarioFile::load(path.as_ref(), &terms());
        file.map(|file| Scenario { file }).map_err(InputErrors)
    }

    /// Reads a scenario from text; `path` is what messages call it.
    ///
    /// # Errors
    ///
    /// All that is wrong with it, each with its place.
    pub fn parse(path: &str, text: &str) -> Result<Self, InputErrors> {
        let file = ScenarioFile::parse(path, text, &terms());
        file.map(|file| Scenario { file }).map_err(InputErrors)
    }

    /// The scenario's text.
    #[must_use]
    pub fn text(&self) -> &str {
        self.file.text()
    }

    /// The scenario as it was read.
    #[must_use]
    pub fn file(&self) -> &ScenarioFile {
        &self.file
    }

    /// The scenario as a program on a revision, with the file's overrides.
    ///
    /// # Errors
    ///
    /// The revision is unknown.
    pub fn program(&self, revision: &str) -> Result<DriverCore, InputError> {
        self.program_with(revision, &[])
    }

    /// The same with further overrides, each a rule's name and value.
    ///
    /// # Errors
    ///
    /// As [`Scenario::program`].
    pub fn program_with(&self, revision: &str, overrides: &[(&str, &str)]) -> Result<DriverCore, InputError> {
        let Some(known) = Revision::find(revision) else {
            let text = format!("revision \"{revision}\" is not known; see raddle list revisions");
            return Err(InputError::of_file(&self.file.path, text));
        };
        let mut rules = Rules::of(known);
        for (name, value) in &self.file.rules {
            assert!(rules.set(name, value), "internal: the parser has checked rules");
        }
        for (name, word) in overrides {
            assert!(rules.set(name, word), "internal: {name} has no value {word}");
        }
        Ok(DriverCore::new(self.file.world.clone(), HandModel::new(rules)))
    }

    /// The rules that the scenario changes.
    pub(crate) fn overrides(&self) -> String {
        let rules = self.file.rules.iter().map(|(name, value)| format!("{name} = {value}"));
        rules.collect::<Vec<_>>().join(", ")
    }
}
