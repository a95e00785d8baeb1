//! The reference search: plain breadth-first enumeration of all states. Every faster search must
//! agree with it, so it stays as plain as it is.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indexmap::IndexSet;
use rustc_hash::FxBuildHasher;

use super::livelock::{cycle, livelock};
use super::shortest::{Edge, Source, shortest};
use super::sightings::Sightings;
use super::system::{Choice, NoMove, State, System};
use crate::machine::hazard::{Hazard, id};
use crate::machine::program::Program;
use crate::machine::run::deadlock;

/// When to stop early.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// States to store at the most.
    pub state_limit: Option<usize>,
    /// Bytes to use for states at the most, by the search's own account.
    pub memory_limit: Option<usize>,
    /// Whether to look for data races, which is not done otherwise.
    pub data_races: bool,
    /// The time to search at the most; the reference search does not look at it.
    pub time_limit: Option<Duration>,
    /// Set when the search is to stop; the reference search does not look at it.
    pub interrupt: Option<&'static AtomicBool>,
    /// Explore all orders of steps, also of those that commute; the reference search always does.
    pub all_orders: bool,
    /// Take no states for each other that differ only in which of several things that are alike is which;
    /// only the reduced search ever does.
    pub no_symmetry: bool,
}

impl Limits {
    /// Why a search that began then is to stop now, whatever it has stored.
    pub(super) fn stop(&self, begun: Instant) -> Option<Cut> {
        if self.interrupt.is_some_and(|flag| flag.load(Ordering::Relaxed)) {
            return Some(Cut::Interrupt);
        }
        self.time_limit.filter(|limit| begun.elapsed() >= *limit).map(Cut::Time)
    }
}

/// Why a search did not visit every reachable state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The limit on states.
    States(usize),
    /// The limit on memory, in bytes.
    Memory(usize),
    /// More spawned tasks at once than there are workers.
    Workers(usize),
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

struct Reference<'p, P: Program> {
    system: System<'p, P>,
    states: IndexSet<State, FxBuildHasher>,
    /// The steps that lead one deeper.
    edges: Vec<Edge>,
    /// All other steps.
    others: Vec<Edge>,
    seen: Sightings,
}

/// Visits every state that the program can reach from this memory.
pub fn search<P: Program>(
    program: &P,
    memory: &[u8],
    limits: Limits,
    mut progress: impl FnMut(Progress),
) -> Outcome {
    const BETWEEN_REPORTS: usize = 4096;
    let mut system = System::new(program);
    let initial = system.initial(memory);
    let state_bytes = initial.bytes();
    let mut search = Reference {
        system,
        states: IndexSet::default(),
        edges: Vec::new(),
        others: Vec::new(),
        seen: Sightings::default(),
    };
    search.states.insert(initial);
    let mut outcome = Outcome {
        states: 0,
        transitions: 0,
        found: Vec::new(),
        cut: None,
        most_spawned: 0,
        depth: 0,
        nodes: 0,
        bytes: 0,
        omission_probability: 0.0,
    };
    // States are numbered in breadth-first order; those of the next depth begin here.
    let mut next_depth_begins = 1;
    let mut index = 0;
    let mut choices = Vec::new();
    let mut stopped = false;
    let waiters = search.system.deadlocked(&search.states[0]);
    if !waiters.is_empty() {
        search.seen.report(deadlock(&waiters, program), 0, 0, None);
        stopped = true;
    }
    while index < search.states.len() && !stopped {
        if index == next_depth_begins {
            outcome.depth += 1;
            next_depth_begins = search.states.len();
        }
        let state = search.states[index].clone();
        outcome.most_spawned = outcome.most_spawned.max(search.system.spawned(&state));
        search.system.enabled(&state, &mut choices);
        if limits.data_races {
            for race in search.system.races(&state) {
                search.seen.report(race, outcome.depth, index, None);
            }
        }
        if choices.is_empty() {
            search.at_rest(index, outcome.depth, &state);
        }
        for choice in &choices {
            outcome.transitions += 1;
            match search.follow(index, next_depth_begins, &state, *choice) {
                Ok(None) => {}
                Ok(Some(warning)) => search.seen.report(warning, outcome.depth + 1, index, Some(*choice)),
                Err(NoMove::Hazard(hazard)) => {
                    search.seen.report(hazard, outcome.depth + 1, index, Some(*choice))
                }
                Err(NoMove::NoWorker) => {
                    outcome.cut = Some(Cut::Workers(search.system.spawned(&state)));
                }
            }
        }
        index += 1;
        outcome.bytes = search.states.len() * state_bytes
            + (search.edges.len() + search.others.len()) * size_of::<Edge>();
        if index % BETWEEN_REPORTS == 0 {
            let frontier = search.states.len() - index;
            progress(Progress {
                states: search.states.len(),
                frontier,
                depth: outcome.depth,
                bytes: outcome.bytes,
            });
        }
        if index < search.states.len() {
            if let Some(limit) = limits.state_limit.filter(|limit| search.states.len() >= *limit) {
                outcome.cut = Some(Cut::States(limit));
                stopped = true;
            } else if let Some(limit) = limits.memory_limit.filter(|limit| outcome.bytes >= *limit) {
                outcome.cut = Some(Cut::Memory(limit));
                stopped = true;
            }
        }
    }
    outcome.states = search.states.len();
    outcome.found = search.traces();
    outcome.nodes = search.system.automaton().graph().node_count();
    outcome
}

impl<P: Program> Reference<'_, P> {
    fn follow(
        &mut self,
        index: usize,
        next_depth_begins: usize,
        state: &State,
        choice: Choice,
    ) -> Result<Option<Hazard>, NoMove> {
        let moved = self.system.step(state, choice)?;
        let known = self.states.get_index_of(&moved.state);
        if known.is_none() {
            let waiters = self.system.deadlocked(&moved.state);
            if !waiters.is_empty() {
                return Err(NoMove::Hazard(deadlock(&waiters, self.system.program())));
            }
        }
        let target = known.unwrap_or_else(|| self.states.insert_full(moved.state).0);
        // Only steps one deeper can be part of a shortest run.
        if target >= next_depth_begins {
            self.edges.push(Edge::new(target, index, choice, moved.after));
        } else {
            self.others.push(Edge::new(target, index, choice, moved.after));
        }
        Ok(moved.warning)
    }

    fn at_rest(&mut self, index: usize, depth: usize, state: &State) {
        if !self.system.quiescent(state) {
            return;
        }
        for hazard in self.system.program().at_quiescence(state.memory()) {
            self.seen.report(hazard, depth, index, None);
        }
    }

    fn traces(&mut self) -> Vec<Found> {
        let seen = std::mem::take(&mut self.seen);
        let mut found = Vec::new();
        found.extend(self.livelock());
        self.edges.sort_unstable();
        let Reference { system, states, edges, .. } = self;
        found.extend(seen.shown(|sources| shortest(system, states, edges, sources)));
        found.sort_unstable_by_key(|found| found.id);
        found
    }

    /// A way into a cycle that a fair run never leaves, and the cycle.
    fn livelock(&mut self) -> Option<Found> {
        let deeper = self.edges.len();
        self.edges.append(&mut self.others);
        let members = livelock(&self.system, &self.states, &self.edges);
        self.edges.truncate(deeper);
        let members = members?;
        self.edges.sort_unstable();
        let entry = Source { state: members[0] as usize, choice: None, at_rest: None };
        let (mut follower, _) = shortest(&mut self.system, &self.states, &self.edges, &[entry]);
        let begins = follower.schedule.len();
        cycle(&mut self.system, &self.states, &members, &mut follower);
        let schedule = follower.schedule;
        Some(Found {
            id: id::LIVELOCK,
            schedule,
            at_rest: None,
            cycle: Some(begins),
            others: 0,
            may_be_longer: false,
        })
    }
}
