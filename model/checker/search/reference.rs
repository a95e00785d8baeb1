//! The reference search: plain breadth-first enumeration of all states. Every faster search must
//! agree with it, so it stays as plain as it is.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::bfs::{self, Here, Led, States, Visitor};
use super::livelock::{into_cycle, livelock};
use super::reduced::remedies::Remedies;
use super::shortest::{Edge, shortest};
use super::sightings::Sightings;
use super::system::{Choice, System};
use super::watch::Watch;
use crate::machine::hazard::Hazard;
use crate::machine::program::Program;
use crate::machine::set_up::{SetUpError, set_up_while};
use crate::machine::step::{Bound, Stop};

/// When to stop early.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// States to store at the most.
    pub state_limit: Option<usize>,
    /// Bytes to use for states at the most, by the search's own account.
    pub memory_limit: Option<usize>,
    /// Whether to look for data races, which is not done otherwise.
    pub data_races: bool,
    /// The time to search at the most.
    pub time_limit: Option<Duration>,
    /// Set when the search is to stop.
    pub interrupt: Option<&'static AtomicBool>,
    /// Disable partial order reduction; the reference search has none.
    pub all_orders: bool,
    /// Disable symmetry reduction; the reference search has none.
    pub no_symmetry: bool,
    /// Leave these out of partial order reduction.
    pub without: Remedies,
    /// Do not look for the runs to hazards that the reduced search has found: which ones there are is enough.
    pub no_runs: bool,
}

impl Limits {
    /// Why a search that began then is to stop now, whatever it has stored.
    pub(super) fn stop(&self, begun: Instant) -> Option<Cut> {
        if self.interrupt.is_some_and(|flag| flag.load(Ordering::Relaxed)) {
            return Some(Cut::Interrupt);
        }
        self.time_limit.filter(|limit| begun.elapsed() >= *limit).map(Cut::Time)
    }

    /// Why a search of one thread that began then, with so much expanded and stored, is to stop now. The clock is
    /// looked at now and then.
    pub(super) fn cut(&self, begun: Instant, expanded: usize, states: usize, bytes: usize) -> Option<Cut> {
        const BETWEEN_LOOKS: usize = 256;
        if expanded == states {
            return None;
        }
        let states = self.state_limit.filter(|limit| states >= *limit).map(Cut::States);
        let memory = || self.memory_limit.filter(|limit| bytes >= *limit).map(Cut::Memory);
        let looks = expanded.is_multiple_of(BETWEEN_LOOKS);
        states.or_else(memory).or_else(|| self.stop(begun).filter(|_| looks))
    }
}

/// Why there is nothing to search from.
#[derive(Clone, Debug)]
pub enum NoStart {
    /// The set-up did not end as the program says.
    Mistake(String),
    /// It raised a hazard.
    Hazard(Hazard),
    /// It came to a limit, or there was no room; a step of it counts as a state.
    Cut(Cut),
}

/// Memory after the set-up, within limits.
///
/// # Errors
///
/// Why there is none.
pub fn start<P: Program>(program: &P, limits: &Limits) -> Result<Vec<u8>, NoStart> {
    let begun = Instant::now();
    let (mut steps, mut cut) = (0, None);
    let memory = set_up_while(program, |_, _, _, _| {
        steps += 1;
        let states = limits.state_limit.filter(|limit| steps >= *limit).map(Cut::States);
        cut = states.or_else(|| limits.stop(begun));
        if cut.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    memory.map_err(|error| match error {
        SetUpError::Mistake(text) => NoStart::Mistake(text),
        SetUpError::Hazard(hazard, _) => NoStart::Hazard(hazard),
        SetUpError::Bound(bound) => NoStart::Cut(Cut::Bound(bound)),
        SetUpError::Stopped => NoStart::Cut(cut.expect("internal: it is stopped at a limit")),
    })
}

/// Why a search did not visit every reachable state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cut {
    /// The limit on states.
    States(usize),
    /// The limit on memory, in bytes.
    Memory(usize),
    /// What the model has no room for.
    Bound(Bound),
    /// The limit on time.
    Time(Duration),
    /// Somebody asked it to stop.
    Interrupt,
}

/// How far a search is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// States stored.
    pub states: usize,
    /// States not expanded yet.
    pub frontier: usize,
    /// Steps from the start.
    pub depth: usize,
    /// Bytes in use, by the search's own account.
    pub bytes: usize,
}

/// A hazard that was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its id.
    pub id: &'static str,
    /// The run to it: for each step the slot and the outcome, slots as [`Run`](crate::machine::run::Run) numbers them.
    pub schedule: Vec<Choice>,
    /// The hazard as a property of the last state, if no step raised it.
    pub at_rest: Option<Hazard>,
    /// For a livelock, the step at which the cycle begins that the rest of the run is.
    pub cycle: Option<usize>,
    /// How many other objects have the same hazard.
    pub others: usize,
    /// Whether there may be a shorter run: the search for the shortest one was cut.
    pub may_be_longer: bool,
}

/// What a search visited and found.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// States stored.
    pub states: usize,
    /// Steps taken, those that raised hazards included.
    pub transitions: usize,
    /// The hazards, sorted by id.
    pub found: Vec<Found>,
    /// The ids of hazards that were found, and the search for a run to show was cut.
    pub unshown: Vec<&'static str>,
    /// The properties that are to hold sometimes and held in no state, if all were visited.
    pub never: Vec<&'static str>,
    /// Why the search was cut, if it was.
    pub cut: Option<Cut>,
    /// The most spawned tasks that were unfinished at once.
    pub most_spawned: usize,
    /// The longest shortest way to a state, in steps.
    pub depth: usize,
    /// Nodes of the automata.
    pub nodes: usize,
    /// Bytes used for states, by the search's own account.
    pub bytes: usize,
    /// A bound on the probability that a state was missed: 0 unless only hashes were kept.
    pub omission_probability: f64,
}

impl Outcome {
    /// Notes what there was no room for: of several things the least, in whichever order they are met.
    pub(super) fn cut_at(&mut self, bound: Bound) {
        let before = match self.cut {
            Some(Cut::Bound(before)) => before,
            _ => bound,
        };
        self.cut = Some(Cut::Bound(bound.min(before)));
    }

    /// That of a search that has not begun.
    pub(super) fn nothing() -> Self {
        Outcome {
            states: 0,
            transitions: 0,
            found: Vec::new(),
            unshown: Vec::new(),
            never: Vec::new(),
            cut: None,
            most_spawned: 0,
            depth: 0,
            nodes: 0,
            bytes: 0,
            omission_probability: 0.0,
        }
    }
}

/// What the reference search keeps of what it sees.
struct Reference<'r> {
    limits: Limits,
    begun: Instant,
    progress: &'r mut dyn FnMut(Progress),
    /// The steps that lead one deeper.
    edges: Vec<Edge>,
    /// All other steps.
    others: Vec<Edge>,
    seen: Sightings,
    watch: Watch,
    outcome: Outcome,
}

impl<P: Program> Visitor<P> for Reference<'_> {
    fn begins_dead(&mut self, hazard: Hazard) {
        self.seen.report(hazard, 0, 0, None);
    }

    fn state(&mut self, system: &System<'_, P>, here: Here<'_>) {
        let Here { index, depth, state, choices } = here;
        self.outcome.depth = depth;
        self.outcome.most_spawned = self.outcome.most_spawned.max(system.spawned(state));
        let broken = self.watch.state(system.program(), state.memory());
        let races = if self.limits.data_races { system.races(state) } else { Vec::new() };
        for hazard in broken.into_iter().chain(races) {
            self.seen.report(hazard, depth, index, None);
        }
        if choices.is_empty() && system.quiescent(state) {
            for hazard in system.program().at_quiescence(state.memory()) {
                self.seen.report(hazard, depth, index, None);
            }
        }
    }

    fn step(&mut self, _system: &System<'_, P>, here: Here<'_>, choice: Choice, led: Led<'_>) {
        self.outcome.transitions += 1;
        let hazard = match led {
            Led::To { index, deeper, after, warning, .. } => {
                // Only steps one deeper can be part of a shortest run.
                let edges = if deeper { &mut self.edges } else { &mut self.others };
                edges.push(Edge::new(index, here.index, choice, after));
                warning
            }
            Led::Deadlock(hazard, _) | Led::Nowhere(Stop::Hazard(hazard)) => Some(hazard),
            Led::Nowhere(Stop::Bound(bound)) => {
                self.outcome.cut_at(bound);
                None
            }
        };
        if let Some(hazard) = hazard {
            self.seen.report(*hazard, here.depth + 1, here.index, Some(choice));
        }
    }

    fn goes_on(&mut self, found: &States, expanded: usize) -> bool {
        const BETWEEN_REPORTS: usize = 4096;
        let edges = (self.edges.len() + self.others.len()) * size_of::<Edge>();
        let states = found.len();
        self.outcome.bytes = states * found[0].bytes() + edges;
        if expanded.is_multiple_of(BETWEEN_REPORTS) {
            let Outcome { depth, bytes, .. } = self.outcome;
            (self.progress)(Progress { states, frontier: states - expanded, depth, bytes });
        }
        let cut = self.limits.cut(self.begun, expanded, states, self.outcome.bytes);
        self.outcome.cut = cut.or(self.outcome.cut);
        cut.is_none()
    }
}

/// Visits every state that the program can reach from this memory.
pub fn search<P: Program>(
    program: &P,
    memory: &[u8],
    limits: Limits,
    mut progress: impl FnMut(Progress),
) -> Outcome {
    search_told(program, memory, limits, &mut progress)
}

/// No type of its own for whoever is told: the search is compiled once.
fn search_told<P: Program>(
    program: &P,
    memory: &[u8],
    limits: Limits,
    progress: &mut dyn FnMut(Progress),
) -> Outcome {
    let mut system = System::new(program);
    let mut reference = Reference {
        limits,
        begun: Instant::now(),
        progress,
        edges: Vec::new(),
        others: Vec::new(),
        seen: Sightings::default(),
        watch: Watch::new(program),
        outcome: Outcome::nothing(),
    };
    let (states, _) = bfs::search(&mut system, memory, &mut reference);
    let Reference { mut edges, others, seen, watch, mut outcome, .. } = reference;
    if outcome.cut.is_none() {
        outcome.never = watch.never(program);
    }
    outcome.states = states.len();
    outcome.found.extend(shown_livelock(&mut system, &states, &mut edges, others));
    edges.sort_unstable();
    outcome.found.extend(seen.shown(|sources| shortest(&mut system, &states, &edges, sources)));
    outcome.found.sort_unstable_by_key(|found| found.id);
    outcome.nodes = system.automaton().graph().node_count();
    outcome
}

/// A way into a cycle that a fair run never leaves, and the cycle. `edges` lead one deeper, `others` do not.
fn shown_livelock<P: Program>(
    system: &mut System<'_, P>,
    states: &States,
    edges: &mut Vec<Edge>,
    mut others: Vec<Edge>,
) -> Option<Found> {
    let deeper = edges.len();
    edges.append(&mut others);
    let members = livelock(system, states, edges);
    edges.truncate(deeper);
    let members = members?;
    edges.sort_unstable();
    Some(into_cycle(system, states, edges, &members))
}
