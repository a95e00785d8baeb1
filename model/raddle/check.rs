//! Checking a scenario: it is set up, explored by an engine, and every hazard told.

use std::path::PathBuf;
use std::time::Instant;

use crate::engine;
use crate::guarantee;
use crate::report::{Report, Verdict};
use crate::route::Route;
use crate::scenario::{InputErrors, Scenario};
use crate::vacuous;
use raddle_checker::Violation;
use raddle_checker::machine::hazard::id;
use raddle_checker::machine::program::Program;
use raddle_checker::machine::set_up::set_up;
use raddle_checker::search::answer;
use raddle_checker::search::peers::{Alone, Peers};
use raddle_checker::search::reduced::resources::Resources;
use raddle_checker::search::reference::{self, Cut, Limits, NoStart, Outcome, Progress, start};
use raddle_checker::story::Ending;
use raddle_driver_core::hand_model::DriverCore;
use raddle_engines::Shown;
use raddle_engines::child::NoAnswer;
use raddle_probing::program::Probing;
use raddle_probing::scenario::InputError;

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
    /// All of them.
    pub const ALL: [Engine; 4] = [Engine::Exhaustive, Engine::Reference, Engine::Loom, Engine::Shuttle];

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

    /// What it is, in one line.
    #[must_use]
    pub fn about(self) -> &'static str {
        match self {
            Engine::Exhaustive => "The default search",
            Engine::Reference => "The plain breadth-first search that every other one must agree with",
            Engine::Loom => "loom: the model on its threads, exhaustive for up to 4 tasks and workers",
            Engine::Shuttle => "shuttle: the model on its threads, schedules drawn at random",
        }
    }

    /// Whether it runs the model on threads of its own.
    #[must_use]
    pub fn is_native(self) -> bool {
        matches!(self, Engine::Loom | Engine::Shuttle)
    }
}

/// How to check. The default checks the revisions that a scenario lists, to the end, on all processors.
///
/// ```
/// use raddle::{Engine, Options};
///
/// let options = Options::default().engine(Engine::Reference).revision("v5.1").max_states(100_000);
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
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
    pub native: raddle_engines::NativeOptions,
    /// Which runs are shown, if not the shortest; empty: those that the scenario file asks for.
    pub route: Route,
    /// The program that runs loom and shuttle in a process of its own; `None`: they run in this one.
    pub process: Option<PathBuf>,
}

impl Options {
    /// Checks on this revision, and on others that are added, instead of those that the scenario lists.
    #[must_use]
    pub fn revision(mut self, revision: &str) -> Self {
        self.revisions.push(revision.to_owned());
        self
    }

    /// Explores with this engine.
    #[must_use]
    pub fn engine(mut self, engine: Engine) -> Self {
        self.engine = engine;
        self
    }

    /// Stops after so many states.
    #[must_use]
    pub fn max_states(mut self, states: usize) -> Self {
        self.limits.state_limit = Some(states);
        self
    }

    /// Stops at these limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Searches on so many threads; 0 for as many as there are processors. Results do not depend on it.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.resources.threads = threads;
        self
    }
}

impl Scenario {
    /// The revisions that are checked: those of the options, else those of the file.
    #[must_use]
    pub fn revisions<'s>(&'s self, options: &'s Options) -> &'s [String] {
        if options.revisions.is_empty() { &self.file().revisions } else { &options.revisions }
    }

    /// Checks the scenario on all its revisions, in order.
    ///
    /// # Errors
    ///
    /// What is wrong with the scenario on these revisions.
    pub fn check(&self, options: &Options) -> Result<Vec<Report>, InputErrors> {
        let check = |revision: &String| self.check_on(revision, options, |_| {});
        Ok(self.revisions(options).iter().map(check).collect::<Result<_, _>>()?)
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
        self.check_among(revision, options, &mut Alone::default(), progress)
    }

    /// The same with other processes, which [take part](Scenario::take_part).
    ///
    /// # Errors
    ///
    /// What is wrong with the scenario on this revision, or a process is gone.
    pub fn check_among(
        &self,
        revision: &str,
        options: &Options,
        peers: &mut dyn Peers,
        mut progress: impl FnMut(Progress) + Send,
    ) -> Result<Report, InputError> {
        self.check_told(revision, options, peers, &mut progress)
    }

    /// No type of its own for whoever is told: the searches are compiled once.
    fn check_told(
        &self,
        revision: &str,
        options: &Options,
        peers: &mut dyn Peers,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Report, InputError> {
        let begun = Instant::now();
        let program = self.program(revision)?;
        let mut report = self.program_among(&program, revision, options, peers, progress)?;
        report.warnings = vacuous::warnings(self, &program, &report, options, begun);
        let route = Route::of(self, options);
        if route != Route::default() {
            route.apply(self, &mut report, options)?;
        }
        Ok(report)
    }

    /// Takes part in the search of another process, which [checks](Scenario::check_among) the same.
    ///
    /// # Errors
    ///
    /// What is wrong with the scenario on this revision, or a process is gone.
    pub fn take_part(
        &self,
        revision: &str,
        options: &Options,
        peers: &mut dyn Peers,
    ) -> Result<(), InputError> {
        let program = self.program(revision)?;
        self.program_among(&program, revision, options, peers, &mut |_| {}).map(drop)
    }

    /// Checks a program that was made by [`Scenario::program_with`]. No generics: the searches are compiled
    /// once, here, and not again for each caller.
    ///
    /// # Errors
    ///
    /// The set-up is not as the scenario says.
    pub fn check_program(
        &self,
        program: &DriverCore,
        revision: &str,
        options: &Options,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Report, InputError> {
        self.program_among(program, revision, options, &mut Alone::default(), progress)
    }

    fn program_among(
        &self,
        program: &DriverCore,
        revision: &str,
        options: &Options,
        peers: &mut dyn Peers,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Report, InputError> {
        self.check_subject(program, revision, options, peers, progress, |report, memory| {
            fill_native(
                report,
                self,
                (program, memory),
                options,
                engine::explore(self, program, revision, options),
            );
        })
    }

    /// Checks a scenario on a subject. `native`: loom or shuttle, if one of them is asked for.
    pub(crate) fn check_subject(
        &self,
        program: &Probing<'_>,
        revision: &str,
        options: &Options,
        peers: &mut dyn Peers,
        progress: &mut (dyn FnMut(Progress) + Send),
        native: impl FnOnce(&mut Report, &[u8]),
    ) -> Result<Report, InputError> {
        let mut report = Report {
            scenario: self.file().path.clone(),
            title: self.file().title.clone(),
            scenario_text: self.file().text().to_owned(),
            revision: revision.to_owned(),
            rules: self.overrides(),
            engine: options.engine,
            verdict: Verdict::Inconclusive,
            violations: Vec::new(),
            unshown: Vec::new(),
            expected: self.file().expect.get(revision).cloned(),
            states: 0,
            transitions: 0,
            guarantee: String::new(),
            cut: false,
            sampled: false,
            bytes: 0,
            warnings: Vec::new(),
            options: Vec::new(),
        };
        let begun = Instant::now();
        match start(program, &options.limits) {
            Ok(memory) if options.engine.is_native() => native(&mut report, &memory),
            Ok(memory) => {
                let mut limits = options.limits;
                limits.data_races |= self.file().also.iter().any(|also| also == id::DATA_RACE);
                // The set-up has had its share of the time.
                limits.time_limit = limits.time_limit.map(|limit| limit.saturating_sub(begun.elapsed()));
                let mut outcome = if options.engine == Engine::Reference {
                    reference::search(program, &memory, limits, progress)
                } else {
                    answer::search_among(program, &memory, limits, &options.resources, peers, progress)
                        .map_err(|failed| InputError::of_file(&self.file().path, failed.to_string()))?
                };
                if let (Some(Cut::Time(told)), Some(limit)) = (&mut outcome.cut, options.limits.time_limit) {
                    *told = limit;
                }
                fill(&mut report, self, program, &memory, &outcome);
            }
            Err(NoStart::Mistake(text)) => return Err(self.set_up_mistake(program, text)),
            Err(NoStart::Cut(cut)) => {
                report.cut = true;
                report.guarantee = guarantee::of_cut_set_up(self, program, cut);
            }
            Err(NoStart::Hazard(hazard)) => {
                report.verdict = Verdict::Violated;
                report.violations = vec![Violation::in_set_up(program, &hazard)];
                report.guarantee = guarantee::OF_BAD_SET_UP.to_owned();
            }
        }
        Ok(report)
    }

    fn set_up_mistake(&self, program: &Probing<'_>, text: String) -> InputError {
        let memory = set_up_memory(program);
        match program.unbound(&memory) {
            Some(dev) => self.file().device_error(dev, text, None),
            None => InputError::of_file(&self.file().path, text),
        }
    }
}

/// Memory after a set-up that ended, whatever the scenario says of it.
fn set_up_memory(program: &Probing<'_>) -> Vec<u8> {
    let mut memory = program.initial_memory();
    // Only its mistakes are of interest here: the last state that it reached.
    let _ = set_up(program, |_, _, _, after| memory = after.memory().to_vec());
    memory
}

fn fill(report: &mut Report, scenario: &Scenario, program: &Probing<'_>, memory: &[u8], outcome: &Outcome) {
    report.states = outcome.states;
    report.transitions = outcome.transitions;
    report.cut = outcome.cut.is_some();
    report.bytes = outcome.bytes;
    report.violations = outcome.found.iter().map(|found| Violation::of(program, memory, found)).collect();
    report.unshown = outcome.unshown.iter().map(|id| (*id).to_owned()).collect();
    let found = !report.hazards().is_empty();
    report.verdict = Verdict::of(found, !report.cut);
    report.guarantee = guarantee::of_search(scenario, program, report.verdict, outcome);
}

/// What loom or shuttle has found, or why there is no answer.
pub(crate) fn fill_native(
    report: &mut Report,
    scenario: &Scenario,
    (program, memory): (&Probing<'_>, &[u8]),
    options: &Options,
    result: Result<raddle_engines::Result, NoAnswer>,
) {
    let result = match result {
        Ok(result) => result,
        Err(why) => {
            report.cut = true;
            report.guarantee = format!("inconclusive: {why}");
            return;
        }
    };
    let violation = |shown: &Shown| {
        let ending = match shown.cycle {
            Some(begins) => Ending::Cycle(begins),
            None if shown.at_rest => Ending::AtRest(&shown.id),
            None => Ending::Step,
        };
        Violation::told(program, memory, &shown.id, shown.schedule.clone(), ending)
    };
    let native = &options.native;
    let is_loom = options.engine == Engine::Loom;
    report.violations = result.shown.iter().map(violation).collect();
    report.sampled = !is_loom || native.preemptions.is_some() || native.weak_memory;
    report.cut = result.refused.is_some() || is_loom && result.cut.is_some();
    report.verdict = Verdict::of(!report.violations.is_empty(), !report.cut && !report.sampled);
    report.guarantee = guarantee::of_engine(scenario, report.verdict, options, &result);
}
