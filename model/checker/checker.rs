//! Checks a program: searches all its runs, and tells the story of each violation.

use std::path::PathBuf;
use std::time::Duration;

use crate::machine::hazard::Hazard;
use crate::machine::program::Program;
use crate::machine::step::Bound;
use crate::render::{self, DiagramOptions};
use crate::search::answer;
use crate::search::reduced::resources::{Resources, SearchError};
use crate::search::reference::{Cut, Found, Limits, NoStart, Outcome, Progress, start};
use crate::search::system::Choice;
use crate::story::{self, Ending, Story, Turn};

/// Checks a program. All settings have defaults: every run is searched, on all processors.
///
/// See the [crate page](crate) for an example.
#[derive(Clone, Debug)]
#[must_use]
pub struct Checker<'p, P: Program> {
    program: &'p P,
    limits: Limits,
    resources: Resources,
}

impl<'p, P: Program> Checker<'p, P> {
    /// A check of this program.
    pub fn new(program: &'p P) -> Self {
        Checker { program, limits: Limits::default(), resources: Resources::default() }
    }

    /// On so many threads; 0 for as many as there are processors. The result does not depend on it.
    pub fn threads(mut self, threads: usize) -> Self {
        self.resources.threads = threads;
        self
    }

    /// Stops when so many states are stored.
    pub fn max_states(mut self, states: usize) -> Self {
        self.limits.state_limit = Some(states);
        self
    }

    /// Stops when states take so many bytes.
    pub fn max_memory(mut self, bytes: usize) -> Self {
        self.limits.memory_limit = Some(bytes);
        self
    }

    /// Stops after this time.
    pub fn timeout(mut self, time: Duration) -> Self {
        self.limits.time_limit = Some(time);
        self
    }

    /// Looks for data races too. Then all states are searched, without reduction.
    pub fn data_races(mut self) -> Self {
        self.limits.data_races = true;
        self
    }

    /// Disables partial order reduction.
    pub fn all_orders(mut self) -> Self {
        self.limits.all_orders = true;
        self
    }

    /// Disables symmetry reduction.
    pub fn no_symmetry(mut self) -> Self {
        self.limits.no_symmetry = true;
        self
    }

    /// Keeps states on disk, in this directory, where they are too many for memory.
    pub fn spill(mut self, directory: impl Into<PathBuf>) -> Self {
        self.resources.spill = Some(directory.into());
        self
    }

    /// Searches.
    ///
    /// # Errors
    ///
    /// The set-up does not end as the program says, or the disk fails.
    pub fn run(self) -> Result<Report, Error> {
        self.run_with(|_| {})
    }

    /// Searches; `progress` is told how far the search is, now and then.
    ///
    /// # Errors
    ///
    /// As [`Checker::run`].
    pub fn run_with(self, progress: impl FnMut(Progress) + Send) -> Result<Report, Error> {
        let memory = match start(self.program, &self.limits) {
            Ok(memory) => memory,
            Err(NoStart::Cut(cut)) => return Ok(Report { cut: Some(cut), ..Report::nothing() }),
            Err(NoStart::Mistake(text)) => return Err(Error::SetUp(text)),
            Err(NoStart::Hazard(hazard)) => {
                let violation = Violation::in_set_up(self.program, &hazard);
                return Ok(Report { violations: vec![violation], ..Report::nothing() });
            }
        };
        let outcome = answer::search(self.program, &memory, self.limits, &self.resources, progress)?;
        Ok(Report::of(self.program, &memory, &outcome))
    }
}

/// Why a program could not be checked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The set-up does not end as the program says.
    #[error("{0}")]
    SetUp(String),
    /// The disk fails, or what was saved is refused.
    #[error(transparent)]
    Search(#[from] SearchError),
}

/// What a check found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// The hazards that some run has, sorted by id.
    pub violations: Vec<Violation>,
    /// The ids of hazards that some run has, and the search for a run to show was cut.
    pub unshown: Vec<&'static str>,
    /// The properties that are to hold *sometimes* and hold in no state that was visited.
    pub never: Vec<&'static str>,
    /// Why not all states were visited, if they were not.
    pub cut: Option<Cut>,
    /// States stored.
    pub states: usize,
    /// Steps taken.
    pub transitions: usize,
}

impl Report {
    fn nothing() -> Self {
        Report {
            violations: Vec::new(),
            unshown: Vec::new(),
            never: Vec::new(),
            cut: None,
            states: 0,
            transitions: 0,
        }
    }

    fn of<P: Program>(program: &P, memory: &[u8], outcome: &Outcome) -> Self {
        Report {
            violations: outcome.found.iter().map(|found| Violation::of(program, memory, found)).collect(),
            unshown: outcome.unshown.clone(),
            never: outcome.never.clone(),
            cut: outcome.cut,
            states: outcome.states,
            transitions: outcome.transitions,
        }
    }

    /// Whether all runs were searched and each has its properties.
    #[must_use]
    pub fn is_verified(&self) -> bool {
        self.violations.is_empty() && self.never.is_empty() && self.cut.is_none()
    }

    /// The hazards that some run has, sorted by id.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// What the model had no room for, if that cut the search.
    #[must_use]
    pub fn bound(&self) -> Option<Bound> {
        match self.cut {
            Some(Cut::Bound(bound)) => Some(bound),
            Some(Cut::States(_) | Cut::Memory(_) | Cut::Time(_) | Cut::Interrupt) | None => None,
        }
    }
}

/// A hazard, with a shortest run to it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Violation {
    /// The hazard's id, or the name of the property.
    pub id: String,
    /// How many other objects have the same hazard.
    pub others: usize,
    /// The run, after the set-up; empty if the set-up itself raises the hazard.
    pub schedule: Vec<Turn>,
    /// Whether the set-up itself raises the hazard.
    pub in_set_up: bool,
    /// The run, told.
    pub story: Story,
}

impl Violation {
    /// A hazard that a search found. `memory`: what the set-up leaves.
    #[must_use]
    pub fn of<P: Program>(program: &P, memory: &[u8], found: &Found) -> Self {
        let turn = |choice: &Choice| Turn { slot: choice.slot, outcome: choice.outcome };
        let schedule = found.schedule.iter().map(turn).collect();
        let ending = match (&found.at_rest, found.cycle) {
            (_, Some(begins)) => Ending::Cycle(begins),
            (Some(hazard), None) => Ending::AtRest(hazard.id),
            (None, None) => Ending::Step,
        };
        Violation { others: found.others, ..Violation::told(program, memory, found.id, schedule, ending) }
    }

    /// A hazard with the run that shows it, which is replayed. `memory`: what the set-up leaves.
    ///
    /// # Panics
    ///
    /// If the run does not show the hazard.
    #[must_use]
    pub fn told<P: Program>(
        program: &P,
        memory: &[u8],
        id: &str,
        schedule: Vec<Turn>,
        ending: Ending<'_>,
    ) -> Self {
        let story = story::replay_from(program, memory.to_vec(), &schedule, ending).unwrap_or_else(|error| {
            unreachable!("internal: a trace that was just found cannot be replayed: {error}")
        });
        let shows = story.hazard.as_ref().map(|hazard| hazard.id.as_str());
        assert!(shows == Some(id), "internal: the replay shows {shows:?} instead of {id}");
        Violation { id: id.to_owned(), others: 0, schedule, in_set_up: false, story }
    }

    /// A hazard that the set-up raises.
    #[must_use]
    pub fn in_set_up<P: Program>(program: &P, hazard: &Hazard) -> Self {
        let story = story::replay_set_up(program)
            .unwrap_or_else(|| unreachable!("internal: the set-up raised {}", hazard.id));
        Violation { id: hazard.id.to_owned(), others: 0, schedule: Vec::new(), in_set_up: true, story }
    }

    /// The run as a diagram: a column for each task, a line for each step.
    #[must_use]
    pub fn diagram(&self) -> String {
        render::diagram(&self.story, &DiagramOptions::default())
    }
}
