//! All states: what the reference search does, on packed states. The search that users get decides with
//! the reduced one where it can, and finds here the runs that it shows.
//!
//! States are byte strings in an arena (`visited`), steps are table lookups (`packed`), and no edges
//! are stored: when a hazard was found, the layers up to it are expanded once more, backwards, to find
//! the run that is shown (`traces`). States, steps, hazards and runs are those of the reference
//! search, in the same order.

mod traces;

use std::time::Instant;

use super::packed::expand::Expander;
use super::reference::{Cut, Limits, Outcome, Progress};
use super::sightings::Sightings;
use super::system::Choice;
use super::visited::batch::hash;
use super::visited::exact::Exact;
use super::visited::shard::Shard;
use super::watch::Watch;
use crate::machine::hazard::Hazard;
use crate::machine::program::Program;
use crate::machine::step::Stop;

/// More automaton nodes turned up than two bytes can number.
struct TooNarrow;

struct Search<'e, 'p, P: Program> {
    expander: &'e mut Expander<'p, P>,
    store: Exact,
    /// Where the states of each depth begin.
    layers: Vec<usize>,
    seen: Sightings,
    watch: Watch,
    outcome: Outcome,
}

/// Visits every state that the program can reach from this memory.
pub fn search<P: Program>(
    program: &P,
    memory: &[u8],
    limits: Limits,
    mut progress: impl FnMut(Progress),
) -> Outcome {
    search_until(&mut Expander::new(program, false), memory, limits, None, &mut progress)
}

/// The same, but only up to the depth at which these hazards have been found, and without a look for livelocks. The
/// steps are those of an expander, which may know some automata already.
pub(super) fn runs<P: Program>(
    expander: &mut Expander<'_, P>,
    memory: &[u8],
    limits: Limits,
    hazards: &[&'static str],
    progress: &mut dyn FnMut(Progress),
) -> Outcome {
    search_until(expander, memory, limits, Some(hazards), progress)
}

fn search_until<P: Program>(
    expander: &mut Expander<'_, P>,
    memory: &[u8],
    limits: Limits,
    wanted: Option<&[&'static str]>,
    progress: &mut dyn FnMut(Progress),
) -> Outcome {
    let begun = Instant::now();
    let program = expander.program;
    Search::new(expander, memory).run(limits, wanted, begun, progress).unwrap_or_else(|TooNarrow| {
        let wide = &mut Expander::new(program, true);
        let wide = Search::new(wide, memory).run(limits, wanted, begun, progress);
        wide.unwrap_or_else(|TooNarrow| unreachable!("internal: four bytes number all nodes"))
    })
}

impl<'e, 'p, P: Program> Search<'e, 'p, P> {
    fn new(expander: &'e mut Expander<'p, P>, memory: &[u8]) -> Self {
        let program = expander.program;
        let mut store = Exact::new(expander.shape.stride().into());
        let initial = expander.initial(memory);
        store.insert(&initial, hash(&initial));
        let outcome = Outcome::nothing();
        Search {
            expander,
            store,
            layers: vec![0, 1],
            seen: Sightings::default(),
            watch: Watch::new(program),
            outcome,
        }
    }

    fn run(
        mut self,
        limits: Limits,
        wanted: Option<&[&'static str]>,
        begun: Instant,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Outcome, TooNarrow> {
        const BETWEEN_REPORTS: usize = 4096;
        let mut choices = Vec::new();
        let mut state = vec![0; self.expander.shape.stride()];
        let mut next = state.clone();
        let mut index = 0;
        let deadlock = self.expander.deadlock(self.store.at(0));
        let mut stopped = deadlock.is_some();
        deadlock.into_iter().for_each(|hazard| self.seen.report(*hazard, 0, 0, None));
        while index < self.store.len() && !stopped {
            if index == self.layers[self.outcome.depth + 1] {
                self.outcome.depth += 1;
                self.layers.push(self.store.len());
                // A state at rest of this depth may be as near as a step found before.
                let near = |id: &&str| self.seen.steps(id).is_some_and(|steps| steps < self.outcome.depth);
                if wanted.is_some_and(|wanted| wanted.iter().all(near)) {
                    break;
                }
            }
            state.copy_from_slice(self.store.at(index));
            self.expand(index, &state, &mut next, &mut choices, limits.data_races);
            if !self.expander.fits() {
                return Err(TooNarrow);
            }
            index += 1;
            if index.is_multiple_of(BETWEEN_REPORTS) {
                let (states, depth, bytes) = (self.store.len(), self.outcome.depth, self.store.bytes());
                progress(Progress { states, frontier: states - index, depth, bytes });
            }
            if index < self.store.len() {
                self.outcome.cut = self.limit(&limits, begun, index).or(self.outcome.cut);
                stopped = !matches!(self.outcome.cut, None | Some(Cut::Bound(_)));
            }
        }
        self.outcome.states = self.store.len();
        let livelock = match wanted {
            None => self.livelock(index, limits.memory_limit),
            Some(_) => None,
        };
        self.outcome.found = self.traces().into_iter().chain(livelock).collect();
        self.outcome.found.sort_unstable_by_key(|found| found.id);
        if self.outcome.cut.is_none() {
            self.outcome.never = self.watch.never(self.expander.program);
        }
        self.outcome.bytes = self.store.bytes();
        self.outcome.nodes = self.expander.nodes.len();
        Ok(self.outcome)
    }

    /// The limit that has been reached, if there is one.
    fn limit(&self, limits: &Limits, begun: Instant, index: usize) -> Option<Cut> {
        const BETWEEN_LOOKS: usize = 256;
        if let Some(limit) = limits.state_limit.filter(|limit| self.store.len() >= *limit) {
            return Some(Cut::States(limit));
        }
        if let Some(limit) = limits.memory_limit.filter(|limit| self.store.bytes() >= *limit) {
            return Some(Cut::Memory(limit));
        }
        if index.is_multiple_of(BETWEEN_LOOKS) { limits.stop(begun) } else { None }
    }

    fn expand(
        &mut self,
        index: usize,
        state: &[u8],
        next: &mut [u8],
        choices: &mut Vec<Choice>,
        data_races: bool,
    ) {
        let depth = self.outcome.depth;
        self.outcome.most_spawned = self.outcome.most_spawned.max(self.expander.spawned(state));
        self.expander.enabled(state, choices);
        let broken = self.watch.state(self.expander.program, &state[..self.expander.shape.memory]);
        let races = match data_races {
            true => self.expander.system.races(&self.expander.unpack(state)),
            false => Vec::new(),
        };
        for hazard in broken.into_iter().chain(races) {
            self.seen.report(hazard, depth, index, None);
        }
        if choices.is_empty() {
            let plain = self.expander.unpack(state);
            if self.expander.system.quiescent(&plain) {
                for hazard in self.expander.program.at_quiescence(plain.memory()) {
                    self.seen.report(hazard, depth, index, None);
                }
            }
        }
        for choice in choices {
            self.outcome.transitions += 1;
            match self.follow(state, *choice, next) {
                Ok(None) => {}
                Ok(Some(hazard)) | Err(Stop::Hazard(hazard)) => {
                    self.seen.report(*hazard, depth + 1, index, Some(*choice));
                }
                Err(Stop::Bound(bound)) => self.outcome.cut_at(bound),
            }
        }
    }

    fn follow(&mut self, state: &[u8], choice: Choice, next: &mut [u8]) -> Result<Option<Box<Hazard>>, Stop> {
        let landed = self.expander.step(state, choice, next)?;
        let hash = hash(next);
        if self.store.find(next, hash).is_none() {
            if let Some(hazard) = self.expander.deadlock(next) {
                return Err(Stop::Hazard(hazard));
            }
            self.store.insert(next, hash);
        }
        Ok(landed.warning)
    }
}
