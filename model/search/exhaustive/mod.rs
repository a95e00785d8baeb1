//! The search that is used by default: what the reference search does, on packed states.
//!
//! States are byte strings in an arena (`store`), steps are table lookups (`packed`), and no edges
//! are stored: when a hazard was found, the layers up to it are expanded once more, backwards, to find
//! the run that is shown (`traces`). States, steps, hazards and runs are those of the reference
//! search, in the same order.

pub(super) mod store;
mod traces;

use std::sync::atomic::Ordering;
use std::time::Instant;

use indexmap::{IndexMap, IndexSet};

use self::store::Store;
use super::packed::expand::Expander;
use super::reference::{Cut, Limits, Outcome, Progress};
use super::shortest::Source;
use super::system::{Choice, NoMove};
use crate::machine::hazard::{About, Hazard};
use crate::machine::program::Program;
use crate::machine::run::deadlock;

/// The hazards of one id as they turn up.
struct Seen {
    steps: usize,
    sources: Vec<Source>,
    about: IndexSet<About>,
}

/// More automaton nodes turned up than two bytes can number.
struct TooNarrow;

struct Search<'p, P: Program> {
    expander: Expander<'p, P>,
    store: Store,
    /// Where the states of each depth begin.
    layers: Vec<usize>,
    seen: IndexMap<&'static str, Seen>,
    outcome: Outcome,
}

/// Visits every state that the program can reach from this memory.
pub fn search<P: Program>(
    program: &P,
    memory: &[u8],
    limits: Limits,
    mut progress: impl FnMut(Progress),
) -> Outcome {
    search_until(program, memory, limits, None, &mut progress)
}

/// The same, but only up to the depth at which these hazards have been found.
pub fn runs<P: Program>(
    program: &P,
    memory: &[u8],
    limits: Limits,
    hazards: &[&'static str],
    mut progress: impl FnMut(Progress),
) -> Outcome {
    search_until(program, memory, limits, Some(hazards), &mut progress)
}

fn search_until<P: Program>(
    program: &P,
    memory: &[u8],
    limits: Limits,
    wanted: Option<&[&'static str]>,
    progress: &mut impl FnMut(Progress),
) -> Outcome {
    let begun = Instant::now();
    let narrow = Search::new(program, memory, false).run(limits, wanted, begun, progress);
    narrow.unwrap_or_else(|TooNarrow| {
        let wide = Search::new(program, memory, true).run(limits, wanted, begun, progress);
        wide.unwrap_or_else(|TooNarrow| unreachable!("internal: four bytes number all nodes"))
    })
}

/// Why a search is to stop now, if it is.
pub(super) fn stops(limits: &Limits, begun: Instant) -> Option<Cut> {
    if limits.interrupt.is_some_and(|flag| flag.load(Ordering::Relaxed)) {
        return Some(Cut::Interrupt);
    }
    limits.time_limit.filter(|limit| begun.elapsed() >= *limit).map(Cut::Time)
}

impl<'p, P: Program> Search<'p, P> {
    fn new(program: &'p P, memory: &[u8], wide: bool) -> Self {
        let mut expander = Expander::new(program, wide);
        let mut store = Store::new(expander.shape.stride());
        let initial = expander.initial(memory);
        store.add(&initial, Store::hash(&initial));
        let outcome = Outcome {
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
        Search { expander, store, layers: vec![0, 1], seen: IndexMap::new(), outcome }
    }

    fn run(
        mut self,
        limits: Limits,
        wanted: Option<&[&'static str]>,
        begun: Instant,
        progress: &mut impl FnMut(Progress),
    ) -> Result<Outcome, TooNarrow> {
        const BETWEEN_REPORTS: usize = 4096;
        let mut choices = Vec::new();
        let mut state = vec![0; self.expander.shape.stride()];
        let mut next = state.clone();
        let mut index = 0;
        let plain = self.expander.unpack(self.store.at(0));
        let waiters = self.expander.system.deadlocked(&plain);
        let mut stopped = !waiters.is_empty();
        if stopped {
            self.report(deadlock(&waiters, self.expander.program), 0, 0, None);
        }
        while index < self.store.len() && !stopped {
            if index == self.layers[self.outcome.depth + 1] {
                self.outcome.depth += 1;
                self.layers.push(self.store.len());
                // A state at rest of this depth may be as near as a step found before.
                let near = |id: &&str| self.seen.get(*id).is_some_and(|seen| seen.steps < self.outcome.depth);
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
                stopped = !matches!(self.outcome.cut, None | Some(Cut::Workers(_)));
            }
        }
        self.outcome.states = self.store.len();
        self.outcome.found = self.traces(index);
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
        if index.is_multiple_of(BETWEEN_LOOKS) { stops(limits, begun) } else { None }
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
        let spawned = self.expander.spawned(state);
        self.outcome.most_spawned = self.outcome.most_spawned.max(spawned);
        self.expander.enabled(state, choices);
        if data_races {
            for race in self.expander.system.races(&self.expander.unpack(state)) {
                self.report(race, depth, index, None);
            }
        }
        if choices.is_empty() {
            let plain = self.expander.unpack(state);
            if self.expander.system.quiescent(&plain) {
                for hazard in self.expander.program.at_quiescence(plain.memory()) {
                    self.report(hazard, depth, index, None);
                }
            }
        }
        for choice in choices {
            self.outcome.transitions += 1;
            match self.follow(state, *choice, next) {
                Ok(None) => {}
                Ok(Some(hazard)) | Err(NoMove::Hazard(hazard)) => {
                    self.report(hazard, depth + 1, index, Some(*choice));
                }
                Err(NoMove::NoWorker) => self.outcome.cut = Some(Cut::Workers(spawned)),
            }
        }
    }

    fn follow(&mut self, state: &[u8], choice: Choice, next: &mut [u8]) -> Result<Option<Hazard>, NoMove> {
        let stepped = self.expander.step(state, choice, next)?;
        let hash = Store::hash(next);
        if self.store.find_hashed(next, hash).is_none() {
            if self.expander.may_be_deadlock(next) {
                let waiters = self.expander.system.deadlocked(&self.expander.unpack(next));
                if !waiters.is_empty() {
                    return Err(NoMove::Hazard(deadlock(&waiters, self.expander.program)));
                }
            }
            self.store.add(next, hash);
        }
        Ok(stepped.warning)
    }

    fn report(&mut self, hazard: Hazard, steps: usize, index: usize, choice: Option<Choice>) {
        let fresh = || Seen { steps, sources: Vec::new(), about: IndexSet::new() };
        let seen = self.seen.entry(hazard.id).or_insert_with(fresh);
        seen.about.insert(hazard.counts_as());
        // Steps are found before the states at rest of the same depth, which are one step nearer.
        if steps < seen.steps {
            seen.steps = steps;
            seen.sources.clear();
        }
        if seen.steps == steps {
            let at_rest = choice.is_none().then_some(hazard);
            seen.sources.push(Source { state: index, choice, at_rest });
        }
    }
}
