//! The shortest run to a hazard that passes what one wants to see and avoids what one does not.
//!
//! Breadth-first search over states and what was passed on the way there.

use std::time::Instant;

use indexmap::{IndexMap, IndexSet};

use crate::check::Options;
use crate::coverage::slots::SlotMap;
use crate::report::Report;
use crate::scenario::Scenario;
use raddle_checker::Violation;
use raddle_checker::machine::layout::CellId;
use raddle_checker::machine::program::Program;
use raddle_checker::machine::run::deadlock;
use raddle_checker::machine::set_up::set_up;
use raddle_checker::machine::step::Stop;
use raddle_checker::search::system::{Choice, State, System};
use raddle_checker::story::{Ending, Turn};
use raddle_driver_core::hand_model::DriverCore;
use raddle_probing::hazards;
use raddle_probing::scenario::InputError;

/// States, with what was passed, that are visited unless the options say otherwise.
const STATES: usize = 2_000_000;

/// What a run has to pass and to avoid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Route {
    /// Functions that are called, cells that are accessed.
    pub passing: Vec<String>,
    /// Functions that are not called, hazards that do not show.
    pub avoiding: Vec<String>,
}

/// What a word of a route names.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Mark {
    Function(String),
    Cell(CellId),
    Hazard(String),
}

impl Route {
    /// A route that passes these and avoids those.
    #[must_use]
    pub fn new(passing: Vec<String>, avoiding: Vec<String>) -> Self {
        Route { passing, avoiding }
    }

    /// The route of the options, or else the one that the scenario file gives (`[check] passing`, `avoiding`).
    #[must_use]
    pub fn of(scenario: &Scenario, options: &Options) -> Self {
        if options.route != Route::default() {
            return options.route.clone();
        }
        Route::new(scenario.file().passing.clone(), scenario.file().avoiding.clone())
    }

    /// Replaces the runs of a report by the shortest ones of this route. A hazard that no such run shows
    /// keeps its run, and a warning says so.
    ///
    /// # Errors
    ///
    /// A word of the route names nothing on any revision; a function of a file's route that is not called on this
    /// one is a warning.
    pub fn apply(
        &self,
        scenario: &Scenario,
        report: &mut Report,
        options: &Options,
    ) -> Result<(), InputError> {
        let program = scenario.program(&report.revision)?;
        let wrong = |text: String| InputError::of_file(&scenario.file().path, text);
        if self.passing.len() > u8::BITS as usize {
            return Err(wrong(format!("a run can pass {} things at the most", u8::BITS)));
        }
        let mark = |word: &String| {
            let cells = program.layout().cells();
            if hazards::properties().iter().any(|property| property.id == word) {
                Mark::Hazard(word.clone())
            } else if let Some(cell) = cells.iter().position(|info| info.name == *word) {
                Mark::Cell(CellId(cell as u16))
            } else {
                Mark::Function(word.clone())
            }
        };
        let passing: Vec<Mark> = self.passing.iter().map(mark).collect();
        let avoiding: Vec<Mark> = self.avoiding.iter().map(mark).collect();
        let misplaced = |marks: &[Mark], words: &[String], is_wrong: fn(&Mark) -> bool| {
            marks.iter().position(is_wrong).map(|place| words[place].clone())
        };
        if let Some(word) = misplaced(&passing, &self.passing, |mark| matches!(mark, Mark::Hazard(_))) {
            return Err(wrong(format!("{word} is a hazard, and no run passes one")));
        }
        if let Some(word) = misplaced(&avoiding, &self.avoiding, |mark| matches!(mark, Mark::Cell(_))) {
            return Err(wrong(format!("{word} is a cell; only hazards and functions can be avoided")));
        }
        let Ok(memory) = set_up(&program, |_, _, _, _| {}) else { return Ok(()) };
        let wanted = report.violations.iter().filter(|one| !one.in_set_up && one.story.cycle.is_none());
        let wanted: IndexSet<String> = wanted.map(|one| one.id.clone()).collect();
        let mut search = Search::new(&program, passing, avoiding, wanted);
        let end = search.run(&memory, options);
        if end == End::All {
            let all = search.passing.iter().chain(&search.avoiding);
            let unmet = all.filter_map(|mark| match mark {
                Mark::Function(name) if !search.entered.contains(name.as_str()) => Some(name),
                _ => None,
            });
            if let Some(name) = unmet.into_iter().next() {
                let text = format!(
                    "\"{name}\" is no hazard and no cell, and no task calls it on {}",
                    report.revision
                );
                // The route of a file may be meant for other revisions.
                if *self == options.route {
                    return Err(wrong(text));
                }
                report.warnings.push(text);
            }
        }
        if *self == options.route {
            let passing = self.passing.iter().map(|word| ["--passing", word]);
            let avoiding = self.avoiding.iter().map(|word| ["--avoiding", word]);
            report.options = passing.chain(avoiding).flatten().map(str::to_owned).collect();
        }
        let several = report.violations.len() > 1;
        for violation in &mut report.violations {
            // That others are shown without it is what it is named for.
            let own = several && self.avoiding.contains(&violation.id);
            match search.violation(&memory, violation) {
                Some(found) => *violation = found,
                None if own => {}
                None => {
                    let cut = if end == End::Limit { " among those that were looked at" } else { "" };
                    report.warnings.push(format!(
                        "no run to {} takes the route{cut}; the shortest is shown",
                        violation.id
                    ));
                }
            }
        }
        Ok(())
    }
}

/// Why a search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// All wanted hazards were found.
    Found,
    /// All runs were looked at.
    All,
    /// A limit was hit.
    Limit,
}

struct Search<'p> {
    system: System<'p, DriverCore>,
    passing: Vec<Mark>,
    avoiding: Vec<Mark>,
    /// Hazards to find.
    wanted: IndexSet<String>,
    /// The functions that were entered.
    entered: IndexSet<&'static str>,
    /// States with what was passed.
    visited: IndexSet<(State, u8)>,
    /// How each was reached.
    parents: Vec<(usize, Choice)>,
    /// By hazard: the last state, and the step that raises it, or none if it shows at rest.
    found: IndexMap<String, (usize, Option<Choice>)>,
}

impl<'p> Search<'p> {
    fn new(
        program: &'p DriverCore,
        passing: Vec<Mark>,
        avoiding: Vec<Mark>,
        wanted: IndexSet<String>,
    ) -> Self {
        Search {
            system: System::new(program),
            passing,
            avoiding,
            wanted,
            entered: IndexSet::new(),
            visited: IndexSet::new(),
            parents: Vec::new(),
            found: IndexMap::new(),
        }
    }

    fn run(&mut self, memory: &[u8], options: &Options) -> End {
        let begun = Instant::now();
        let limits = &options.limits;
        let state_limit = limits.state_limit.unwrap_or(STATES);
        let initial = self.system.initial(memory);
        self.visited.insert((initial, 0));
        self.parents.push((0, Choice { slot: 0, outcome: 0 }));
        let mut at = 0;
        let mut choices = Vec::new();
        while at < self.visited.len() && !self.wanted.iter().all(|id| self.found.contains_key(id)) {
            let late = limits.time_limit.is_some_and(|limit| begun.elapsed() >= limit);
            let stopped =
                limits.interrupt.is_some_and(|flag| flag.load(std::sync::atomic::Ordering::Relaxed));
            if late || stopped || self.visited.len() > state_limit {
                return End::Limit;
            }
            let (state, passed) = self.visited[at].clone();
            self.system.enabled(&state, &mut choices);
            if choices.is_empty() && self.system.quiescent(&state) {
                for hazard in self.system.program().at_quiescence(state.memory()) {
                    self.report(hazard.id, passed, at, None);
                }
            }
            for choice in choices.clone() {
                self.step(at, &state, passed, choice);
            }
            at += 1;
        }
        if at < self.visited.len() { End::Found } else { End::All }
    }

    fn step(&mut self, at: usize, state: &State, passed: u8, choice: Choice) {
        let program = self.system.program();
        let node =
            self.system.automaton().node(state.node(choice.slot).expect("internal: a task that moves"));
        let stack = program.stack(&node.control);
        let cells = node.next.as_ref().map_or(Vec::new(), |(op, _)| op.footprint(program.layout()));
        self.entered.extend(stack.iter().map(|call| call.name));
        let is_at = |mark: &Mark| match mark {
            Mark::Function(name) => stack.iter().any(|call| call.name == name),
            Mark::Cell(cell) => cells.iter().any(|(other, _)| other == cell),
            Mark::Hazard(_) => false,
        };
        if self.avoiding.iter().any(is_at) {
            return;
        }
        let now = (0..).zip(&self.passing).filter(|(_, mark)| is_at(mark));
        let passed = now.fold(passed, |passed, (bit, _): (u32, _)| passed | 1 << bit);
        match self.system.step(state, choice) {
            Err(Stop::Hazard(hazard)) => self.report(hazard.id, passed, at, Some(choice)),
            Err(Stop::Bound(_)) => {}
            Ok(moved) => {
                if let Some(warning) = moved.warning {
                    if self.avoids(warning.id) {
                        return;
                    }
                    self.report(warning.id, passed, at, Some(choice));
                }
                let waiters = self.system.deadlocked(&moved.state);
                if !waiters.is_empty() {
                    self.report(deadlock(&waiters).id, passed, at, Some(choice));
                } else if self.visited.insert((moved.state, passed)) {
                    self.parents.push((at, choice));
                }
            }
        }
    }

    fn avoids(&self, id: &str) -> bool {
        self.avoiding.iter().any(|mark| matches!(mark, Mark::Hazard(other) if other == id))
    }

    fn report(&mut self, id: &str, passed: u8, at: usize, choice: Option<Choice>) {
        let all = passed.count_ones() as usize == self.passing.len();
        if all && self.wanted.contains(id) && !self.avoids(id) {
            self.found.entry(id.to_owned()).or_insert((at, choice));
        }
    }

    /// The violation with the run that was found.
    fn violation(&mut self, memory: &[u8], usual: &Violation) -> Option<Violation> {
        let (last, choice) = *self.found.get(&usual.id)?;
        let mut choices: Vec<Choice> = choice.into_iter().collect();
        // From the last step on: whether something that is to be passed is passed for the first time.
        let mut first = vec![false; choices.len()];
        let mut at = last;
        while at != 0 {
            let (before, choice) = self.parents[at];
            choices.push(choice);
            first.push(self.visited[at].1 != self.visited[before].1);
            at = before;
        }
        let mut slots = SlotMap::new(&self.system);
        let mut state = self.system.initial(memory);
        let mut schedule = Vec::new();
        for choice in choices.into_iter().rev() {
            schedule.push(Turn { slot: slots.of_schedule(choice.slot), outcome: choice.outcome });
            let Some(next) = slots.step(&mut self.system, &state, choice) else { break };
            state = next;
        }
        let ending = if choice.is_none() { Ending::AtRest(&usual.id) } else { Ending::Step };
        let program = self.system.program();
        let mut violation = Violation::told(program, memory, &usual.id, schedule, ending);
        violation.others = usual.others;
        for (step, first) in violation.story.steps.iter_mut().zip(first.into_iter().rev()) {
            step.needed |= first;
        }
        Some(violation)
    }
}
