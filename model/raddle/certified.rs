//! Second opinions: what proves a verified row without trusting the search that checked it.
//!
//! [`export`] writes a row as a model for other checkers. A [`Certificate`] proves a verified one; its file has JSON on each line: first what was checked, the scenario included, then a record for each state of a
//! reduced graph ([`raddle_checker::certificate`]). Whoever verifies it needs nothing else.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::scenario::Scenario;
use raddle_checker::certificate::{self, Proved, Record};
use raddle_checker::export::Model;
use raddle_checker::machine::hazard::id;
use raddle_checker::machine::program::Program;
use raddle_checker::machine::rename::Renaming;
use raddle_checker::machine::set_up::{SetUpError, set_up};
use raddle_checker::machine::value::{Object, Sort};
use raddle_checker::render::printable;
use raddle_driver_core::hand_model::DriverCore;

/// The version of the format.
const VERSION: u32 = 2;

const FORMAT: &str = "raddle certificate";

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    format: String,
    version: u32,
    /// The scenario's path, as it was given.
    scenario: String,
    /// The scenario's text.
    text: String,
    revision: String,
    /// The tasks of a record's bits, from the lowest.
    tasks: Vec<String>,
    /// The renamings, from that of number 1: for each what takes the place of what.
    renamings: Vec<Renamed>,
}

/// A renaming: by sort and index of an object those of the one whose place it takes, and for each task the place of the one
/// whose place that takes. What stays what it is is left out of the objects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Renamed {
    objects: Vec<[(u8, u8); 2]>,
    tasks: Vec<usize>,
}

impl Renamed {
    fn of(renaming: &Renaming) -> Self {
        let object = |object: &Object| (object.sort.0, object.index);
        let moved = renaming.objects.iter().filter(|(from, to)| from != to);
        let mut objects: Vec<_> = moved.map(|(from, to)| [object(from), object(to)]).collect();
        objects.sort_unstable();
        Renamed { objects, tasks: renaming.slots.clone() }
    }

    /// The renaming of a program.
    fn renaming(&self, program: &DriverCore) -> Renaming {
        let object = |(sort, index): (u8, u8)| Object { sort: Sort(sort), index };
        let named = self.objects.iter().map(|[from, to]| (object(*from), object(*to)));
        let mut objects: IndexMap<Object, Object> =
            program.layout().objects().keys().map(|object| (*object, *object)).collect();
        objects.extend(named);
        Renaming { objects, slots: self.tasks.clone() }
    }
}

/// The line of a state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Line {
    /// The record's hash, in hexadecimal.
    #[serde(with = "hexadecimal")]
    state: u64,
    /// A persistent set.
    set: u64,
    /// Who does nothing as long as the set does nothing.
    still: u64,
    /// For each step that is explored the number of the renaming after which the state that it leads to has a record; 0: it has
    /// one itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    renamed: Vec<u8>,
}

mod hexadecimal {
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{number:016x}"))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let text = String::deserialize(deserializer)?;
        u64::from_str_radix(&text, 16).map_err(serde::de::Error::custom)
    }
}

/// What proves a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    head: Head,
    records: Vec<Record>,
}

/// Memory after the set-up of what certificates cover.
fn memory(scenario: &Scenario, program: &DriverCore) -> Result<Vec<u8>, String> {
    if scenario.file().also.iter().any(|also| also == id::DATA_RACE) {
        return Err("the scenario asks for data races, which certificates do not cover".to_owned());
    }
    begin(program)
}

/// Memory after the set-up.
fn begin(program: &DriverCore) -> Result<Vec<u8>, String> {
    set_up(program, |_, _, _, _| {}).map_err(|error| match error {
        SetUpError::Mistake(text) => text,
        SetUpError::Hazard(hazard, _) => format!("the set-up ends in {}", hazard.id),
        SetUpError::Bound(bound) => bound.words(program),
        SetUpError::Stopped => unreachable!("internal: nobody stops it"),
    })
}

/// A row as a model for SPIN and TLC, of at most so many states ([`raddle_checker::export`]).
///
/// ```
/// use raddle::Scenario;
/// use raddle::certified::export;
///
/// let text = r#"
///     title = "two devices come"
///     revisions = ["v6.12"]
///     [device.one]
///     [device.two]
///     [task.one]
///     run = ["device_add(one)"]
///     [task.two]
///     run = ["device_add(two)"]
/// "#;
/// let scenario = Scenario::parse("two.toml", text).expect("a scenario");
/// let model = export(&scenario, "v6.12", 10_000)?;
/// assert_eq!(model.explore().states, model.states);
/// assert!(model.promela().contains("two devices come"));
/// # Ok::<(), String>(())
/// ```
///
/// # Errors
///
/// Why there is none.
pub fn export(scenario: &Scenario, revision: &str, most: usize) -> Result<Model, String> {
    let program = scenario.program(revision).map_err(|error| error.to_string())?;
    let memory = begin(&program)?;
    let title = format!("{} on {revision}: {}", scenario.file().path, scenario.file().title);
    raddle_checker::export::export(&program, &memory, &printable(&title), most)
        .map_err(|error| error.to_string())
}

impl Certificate {
    /// Makes one of at most so many states, by a search of its own.
    ///
    /// ```
    /// use raddle::Scenario;
    /// use raddle::certified::Certificate;
    ///
    /// let text = r#"
    ///     title = "two devices come"
    ///     revisions = ["v6.12"]
    ///     [device.one]
    ///     [device.two]
    ///     [task.one]
    ///     run = ["device_add(one)"]
    ///     [task.two]
    ///     run = ["device_add(two)"]
    /// "#;
    /// let scenario = Scenario::parse("two.toml", text).expect("a scenario");
    /// let certificate = Certificate::make(&scenario, "v6.12", 10_000)?;
    /// let proved = Certificate::parse(&certificate.text())?.verify()?;
    /// assert!(proved.states > 1);
    /// # Ok::<(), String>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Why there is none.
    pub fn make(scenario: &Scenario, revision: &str, most: usize) -> Result<Self, String> {
        let program = scenario.program(revision).map_err(|error| error.to_string())?;
        let memory = memory(scenario, &program)?;
        let made = certificate::produce(&program, &memory, most).map_err(|error| error.to_string())?;
        let head = Head {
            format: FORMAT.to_owned(),
            version: VERSION,
            scenario: scenario.file().path.clone(),
            text: scenario.text().to_owned(),
            revision: revision.to_owned(),
            tasks: tasks(&program),
            renamings: made.renamings.iter().map(Renamed::of).collect(),
        };
        Ok(Certificate { head, records: made.records })
    }

    /// The scenario and the revision that it is about, as `FILE on REVISION`.
    #[must_use]
    pub fn about(&self) -> String {
        format!("{} on {}", printable(&self.head.scenario), printable(&self.head.revision))
    }

    /// How many states it has.
    #[must_use]
    pub fn states(&self) -> usize {
        self.records.len()
    }

    /// As it is written to a file.
    #[must_use]
    pub fn text(&self) -> String {
        let lines = self.records.iter().map(|Record { state, set, still, renamed }| {
            line(&Line { state: *state, set: *set, still: *still, renamed: renamed.clone() })
        });
        std::iter::once(line(&self.head)).chain(lines).collect()
    }

    /// Reads one.
    ///
    /// # Errors
    ///
    /// Why the text is none, with the line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut lines = text.lines();
        let first = lines.next().unwrap_or_default();
        let damaged = |line: usize, error: &serde_json::Error| {
            format!("line {line}: this is no certificate of raddle: {}", printable(&error.to_string()))
        };
        let head: Head = serde_json::from_str(first).map_err(|error| damaged(1, &error))?;
        if head.format != FORMAT {
            return Err("line 1: this is no certificate of raddle".to_owned());
        }
        if head.version != VERSION {
            let found = head.version;
            return Err(format!(
                "this certificate has version {found} of the format, and this raddle reads version {VERSION}"
            ));
        }
        let record = |(number, line): (usize, &str)| {
            let Line { state, set, still, renamed } =
                serde_json::from_str(line).map_err(|error| damaged(number + 2, &error))?;
            Ok(Record { state, set, still, renamed })
        };
        let records = lines.enumerate().map(record).collect::<Result<_, String>>()?;
        Ok(Certificate { head, records })
    }

    /// Proves the row again, by the machine alone.
    ///
    /// # Errors
    ///
    /// Why it proves nothing.
    pub fn verify(&self) -> Result<Proved, String> {
        let Head { scenario: path, text, revision, tasks: named, renamings, .. } = &self.head;
        let scenario = Scenario::parse(path, text).map_err(|errors| errors[0].to_string())?;
        let program = scenario.program(revision).map_err(|error| error.to_string())?;
        if tasks(&program) != *named {
            return Err("its tasks are not those of its scenario".to_owned());
        }
        let memory = memory(&scenario, &program)?;
        let renamings = renamings.iter().map(|renamed| renamed.renaming(&program)).collect();
        let certificate = certificate::Certificate { renamings, records: self.records.clone() };
        certificate::verify(&program, &memory, &certificate).map_err(|error| error.to_string())
    }
}

fn line(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("internal: names and numbers") + "\n"
}

/// The names of a program's slots.
fn tasks(program: &DriverCore) -> Vec<String> {
    program.slots().iter().map(|slot| slot.name.clone()).collect()
}
