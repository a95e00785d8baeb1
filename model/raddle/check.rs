//! Checking a scenario: the face of the library.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::forms::heading;
use crate::witness;
use raddle_checker::machine::hazard::id;
use raddle_checker::machine::program::Program;
use raddle_checker::machine::set_up::{Failed, set_up};
use raddle_checker::machine::step::Bound;
use raddle_checker::render::{self, DiagramOptions, thousands};
use raddle_checker::search::answer;
use raddle_checker::search::reduced::resources::Resources;
use raddle_checker::search::reference::{self, Cut, Found, Limits, Outcome, Progress};
use raddle_checker::story::{self, Ending, Story, Turn};
use raddle_driver_core::hand_model::{DriverCore, HandModel};
use raddle_driver_core::revision::Revision;
use raddle_driver_core::rules::Rules;
use raddle_driver_core::terms;
use raddle_engines::Shown;
use raddle_probing::scenario::{InputError, ScenarioFile};
use raddle_probing::world::AsyncOutcome;

/// Which engine explores a scenario.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Engine {
    /// The default search.
    #[default]
    Exhaustive,
    /// The plain breadth-first search that every other one must agree with.
    Reference,
    /// loom, on threads of its own.
    Loom,
    /// shuttle, on threads of its own: it samples schedules, or tries them one after the other.
    Shuttle,
}

impl Engine {
    /// Its name in options and output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Engine::Exhaustive => "exhaustive",
            Engine::Reference => "reference",
            Engine::Loom => "loom",
            Engine::Shuttle => "shuttle",
        }
    }
}

/// How to check.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The revisions to check; empty: those that the scenario lists.
    pub revisions: Vec<String>,
    /// The engine.
    pub engine: Engine,
    /// When to stop early.
    pub limits: Limits,
    /// What the default search may use.
    pub resources: Resources,
    /// How loom and shuttle explore.
    pub native: raddle_engines::Options,
    /// The program that runs loom and shuttle in a process of its own; `None`: they run in this one.
    pub process: Option<PathBuf>,
}

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

/// A hazard, with the run that shows it.
#[derive(Clone, Debug)]
pub struct Violation {
    /// The hazard id.
    pub id: String,
    /// How many other objects have the same hazard.
    pub others: usize,
    /// The run, after the set-up; empty if the set-up itself raises the hazard.
    pub schedule: Vec<Turn>,
    /// Whether the set-up itself raises the hazard.
    pub in_set_up: bool,
    /// The run in words.
    pub story: Story,
}

/// A row of the result: one scenario on one revision.
#[derive(Clone, Debug)]
pub struct Report {
    /// The scenario's path, as given.
    pub scenario: String,
    /// The scenario's title.
    pub title: String,
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
    /// Whether the engine would not have visited everything anyway.
    pub sampled: bool,
    /// Bytes that the search used for states, by its own account.
    pub bytes: usize,
}

impl Report {
    /// The ids of the hazards that were found, sorted.
    #[must_use]
    pub fn hazards(&self) -> Vec<String> {
        self.violations.iter().map(|violation| violation.id.clone()).collect()
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
}

/// A scenario, ready to be checked.
///
/// ```
/// use raddle::check::{Options, Scenario, Verdict};
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
/// let scenario = Scenario::parse("example.toml", text).map_err(|errors| errors[0].to_string())?;
/// let reports = scenario.check(&Options::default()).map_err(|errors| errors[0].to_string())?;
/// assert_eq!(reports[0].verdict, Verdict::Verified);
/// # Ok::<(), String>(())
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
    pub fn load(path: &Path) -> Result<Self, Vec<InputError>> {
        ScenarioFile::load(path, &terms()).map(|file| Scenario { file })
    }

    /// Reads a scenario from text; `path` is what messages call it.
    ///
    /// # Errors
    ///
    /// All that is wrong with it, each with its place.
    pub fn parse(path: &str, text: &str) -> Result<Self, Vec<InputError>> {
        ScenarioFile::parse(path, text, &terms()).map(|file| Scenario { file })
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

    /// The revisions that are checked: those of the options, else those of the file.
    #[must_use]
    pub fn revisions<'s>(&'s self, options: &'s Options) -> &'s [String] {
        if options.revisions.is_empty() { &self.file.revisions } else { &options.revisions }
    }

    /// Checks the scenario on all its revisions, in order.
    ///
    /// # Errors
    ///
    /// What is wrong with the scenario on these revisions.
    pub fn check(&self, options: &Options) -> Result<Vec<Report>, Vec<InputError>> {
        let check = |revision: &String| self.check_on(revision, options, |_| {});
        self.revisions(options).iter().map(check).collect::<Result<_, _>>().map_err(|error| vec![error])
    }

    /// Checks the scenario on one revision. `progress` is told how far the search is, now and then.
    ///
    /// # Errors
    ///
    /// What is wrong with the scenario on this revision.
    pub fn check_on(
        &self,
        revision: &str,
        options: &Options,
        progress: impl FnMut(Progress) + Send,
    ) -> Result<Report, InputError> {
        let program = self.program(revision)?;
        self.check_program(&program, revision, options, progress)
    }

    /// Checks a program that was made by [`Scenario::program_with`].
    ///
    /// # Errors
    ///
    /// The set-up is not as the scenario says.
    pub fn check_program(
        &self,
        program: &DriverCore,
        revision: &str,
        options: &Options,
        progress: impl FnMut(Progress) + Send,
    ) -> Result<Report, InputError> {
        let mut report = Report {
            scenario: self.file.path.clone(),
            title: self.file.title.clone(),
            revision: revision.to_owned(),
            rules: self.overrides(),
            engine: options.engine,
            verdict: Verdict::Inconclusive,
            violations: Vec::new(),
            expected: self.file.expect.get(revision).cloned(),
            states: 0,
            transitions: 0,
            guarantee: String::new(),
            cut: false,
            sampled: false,
            bytes: 0,
        };
        match set_up(program, |_, _, _, _| {}) {
            Ok(_) if matches!(options.engine, Engine::Loom | Engine::Shuttle) => {
                match witness::explore(self, program, revision, options) {
                    Ok(result) => fill_native(&mut report, program, &self.restrictions(), options, &result),
                    Err(why) => {
                        report.cut = true;
                        report.guarantee = format!("inconclusive: {why}");
                    }
                }
            }
            Ok(memory) => {
                let mut limits = options.limits;
                limits.data_races |= self.file.also.iter().any(|also| also == id::DATA_RACE);
                let outcome = if options.engine == Engine::Reference {
                    reference::search(program, &memory, limits, progress)
                } else {
                    answer::search(program, &memory, limits, &options.resources, progress)
                        .map_err(|failed| InputError::of_file(&self.file.path, failed.to_string()))?
                };
                self.fill(&mut report, program, &outcome);
            }
            Err(Failed::Mistake(text)) => return Err(self.set_up_mistake(program, text)),
            Err(Failed::Bound(bound)) => {
                report.cut = true;
                report.guarantee = format!("inconclusive: {} (in the set-up)", self.bound(program, bound));
            }
            Err(Failed::Hazard(hazard, _)) => {
                let story = story::replay_set_up(program)
                    .unwrap_or_else(|| unreachable!("internal: the set-up raised {}", hazard.id));
                report.verdict = Verdict::Violated;
                report.violations = vec![Violation {
                    id: hazard.id.to_owned(),
                    others: 0,
                    schedule: Vec::new(),
                    in_set_up: true,
                    story,
                }];
                report.guarantee = "violated: in the set-up; nothing else was explored".to_owned();
            }
        }
        Ok(report)
    }

    fn set_up_mistake(&self, program: &DriverCore, text: String) -> InputError {
        let memory = set_up_memory(program);
        match program.unbound(&memory) {
            Some(dev) => self.file.device_error(dev, text, None),
            None => InputError::of_file(&self.file.path, text),
        }
    }

    fn fill(&self, report: &mut Report, program: &DriverCore, outcome: &Outcome) {
        report.states = outcome.states;
        report.transitions = outcome.transitions;
        report.cut = outcome.cut.is_some();
        report.bytes = outcome.bytes;
        report.violations = outcome.found.iter().map(|found| violation(program, found)).collect();
        report.verdict = match (report.violations.is_empty(), report.cut) {
            (false, _) => Verdict::Violated,
            (true, true) => Verdict::Inconclusive,
            (true, false) => Verdict::Verified,
        };
        report.guarantee = self.guarantee(program, report, outcome);
    }

    /// What the verdict covers (docs/verified.md): every restriction in force is named.
    fn guarantee(&self, program: &DriverCore, report: &Report, outcome: &Outcome) -> String {
        let world = &self.file.world;
        let verdict = match report.verdict {
            Verdict::Verified => "verified: all interleavings".to_owned(),
            Verdict::Violated if !report.cut => "violated: all interleavings".to_owned(),
            _ => {
                let cut = outcome.cut.map_or(String::new(), |cut| self.cut(program, cut));
                let word = if report.verdict == Verdict::Violated { "violated" } else { "inconclusive" };
                match outcome.depth {
                    0 => format!("{word}: {cut}; some interleavings"),
                    depth => format!("{word}: {cut}; up to {depth} steps"),
                }
            }
        };
        let plural = |n: usize| if n == 1 { "" } else { "s" };
        let (tasks, entries) = (world.tasks.len(), outcome.most_spawned);
        let entry_word = if entries == 1 { "entry" } else { "entries" };
        let mut parts = vec![
            format!("{verdict} of {tasks} task{} and up to {entries} async {entry_word}", plural(tasks)),
            format!("{} state{}", thousands(outcome.states), plural(outcome.states)),
        ];
        parts.extend(self.restrictions());
        if outcome.omission_probability > 0.0 {
            let probability = outcome.omission_probability;
            parts.push(format!("a state missed with a probability below {probability:.1e}"));
        }
        let longer = outcome.found.iter().filter(|found| found.may_be_longer).map(|found| found.id);
        let longer: Vec<&str> = longer.collect();
        if !longer.is_empty() {
            parts.push(format!("a shorter run may show {}", longer.join(", ")));
        }
        parts.join(", ")
    }

    /// What any verdict on this scenario leaves out.
    pub(crate) fn restrictions(&self) -> Vec<String> {
        let world = &self.file.world;
        let mut parts = vec!["sequential consistency".to_owned()];
        let contract = if world.environment.contract_kept { "kept" } else { "violated" };
        parts.push(format!("contract {contract}"));
        parts.push("set-up fixed".to_owned());
        match world.environment.async_schedule[..] {
            [AsyncOutcome::Queued] => parts.push("async_schedule always queues".to_owned()),
            [AsyncOutcome::Inline] => parts.push("async_schedule always runs inline".to_owned()),
            _ => {}
        }
        let rules = self.overrides();
        if !rules.is_empty() {
            parts.push(format!("with {rules}"));
        }
        parts
    }

    /// The rules that the scenario changes.
    fn overrides(&self) -> String {
        let rule = |(name, value): (&String, &String)| format!("{name} = {value}");
        self.file.rules.iter().map(rule).collect::<Vec<_>>().join(", ")
    }

    fn cut(&self, program: &DriverCore, cut: Cut) -> String {
        match cut {
            Cut::States(limit) => format!("the limit of {} states was hit", thousands(limit)),
            Cut::Memory(limit) => format!("the limit of {} bytes was hit", thousands(limit)),
            Cut::Time(limit) => format!("the limit of {} seconds was hit", limit.as_secs_f64()),
            Cut::Interrupt => "it was interrupted".to_owned(),
            Cut::Bound(bound) => self.bound(program, bound),
        }
    }

    /// What the model has no room for.
    fn bound(&self, program: &DriverCore, bound: Bound) -> String {
        match bound {
            Bound::Workers => format!("workers = {} is too small", self.file.world.environment.workers),
            Bound::Cell(_) => bound.words(program),
        }
    }
}

/// Memory after a set-up that ended, whatever the scenario says of it.
fn set_up_memory(program: &DriverCore) -> Vec<u8> {
    let mut memory = program.initial_memory();
    // Only its mistakes are of interest here: the last state that it reached.
    let _ = set_up(program, |_, _, _, after| memory = after.memory().to_vec());
    memory
}

fn fill_native(
    report: &mut Report,
    program: &DriverCore,
    restrictions: &[String],
    options: &Options,
    result: &raddle_engines::Result,
) {
    let violation = |shown: &Shown| {
        let ending = match shown.cycle {
            Some(begins) => Ending::Cycle(begins),
            None if shown.at_rest => Ending::AtRest(&shown.id),
            None => Ending::Step,
        };
        told(program, &shown.id, shown.schedule.clone(), ending, 0)
    };
    report.violations = result.shown.iter().map(violation).collect();
    (report.guarantee, report.verdict, report.cut) = witness::guarantee(restrictions, options, result);
    let native = &options.native;
    report.sampled = options.engine == Engine::Shuttle || native.preemptions.is_some() || native.weak_memory;
}

fn violation(program: &DriverCore, found: &Found) -> Violation {
    let schedule: Vec<Turn> =
        found.schedule.iter().map(|choice| Turn { slot: choice.slot, outcome: choice.outcome }).collect();
    let ending = match (&found.at_rest, found.cycle) {
        (_, Some(begins)) => Ending::Cycle(begins),
        (Some(hazard), None) => Ending::AtRest(hazard.id),
        (None, None) => Ending::Step,
    };
    told(program, found.id, schedule, ending, found.others)
}

/// A violation with its story, which must show the hazard again.
fn told(program: &DriverCore, id: &str, schedule: Vec<Turn>, ending: Ending<'_>, others: usize) -> Violation {
    let story = story::replay(program, &schedule, ending).unwrap_or_else(|error| {
        unreachable!("internal: a trace that was just found cannot be replayed: {error}")
    });
    let shows = story.hazard.as_ref().map(|hazard| hazard.id.as_str());
    assert!(shows == Some(id), "internal: the replay shows {shows:?} instead of {id}");
    Violation { id: id.to_owned(), others, schedule, in_set_up: false, story }
}

/// A story as a race diagram; `full` shows every step.
#[must_use]
pub fn diagram(story: &Story, full: bool) -> String {
    render::diagram(story, &DiagramOptions { full, ..DiagramOptions::default() })
}

/// What is printed for a violation: the claim, the diagram, what went wrong, how to see it again.
#[must_use]
pub fn text(report: &Report, violation: &Violation, full: bool) -> String {
    let heading = heading(report, violation);
    render::report(&heading, &violation.story, &DiagramOptions { full, ..DiagramOptions::default() })
}
