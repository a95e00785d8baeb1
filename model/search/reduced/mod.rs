//! The search that is used by default: it explores only enough orders of steps to find every hazard.
//!
//! In each state the steps of some tasks are enough (`choose`); a state in which the steps of one task
//! with one outcome are enough is passed and not stored (`chain`). What tasks can still do is known
//! from the automata (`tables`), which grow while the search runs: when that changes something that the
//! search relied on, it begins again, knowing more. In the end every decision is justified by automata
//! that the search found complete. docs/reduction.md has the argument.
//!
//! Two things it does not decide: a program whose states can come back, and one that wants more workers
//! than there are. Then it says so ([`Unfit`]), and all states are searched.

mod chain;
mod choose;
mod symmetry;
mod tables;
mod witness;

#[cfg(test)]
pub(crate) use self::symmetry::tests::mirrored;

use std::cell::RefCell;
use std::time::Instant;

use self::chain::{Gains, Walker};
use self::choose::{Chooser, Order, SLOTS};
use self::symmetry::{Images, Symmetry};
use self::tables::Tables;
use super::exhaustive::stops;
use super::exhaustive::store::Store;
use super::packed::expand::{Expander, Unknown};
use super::reference::{Cut, Limits, Outcome, Progress};
use crate::machine::hazard::{About, Hazard};
use crate::machine::program::Program;
use crate::machine::run::deadlock;
use indexmap::{IndexMap, IndexSet};

/// What the search came to.
pub struct Reduced<'p, P: Program> {
    /// States stored, steps taken and so on; no runs.
    pub outcome: Outcome,
    /// The hazards, and the objects of each.
    pub hazards: IndexMap<&'static str, IndexSet<About>>,
    search: Search<'p, P>,
}

/// More automaton nodes turned up than two bytes can number.
struct TooNarrow;

/// Searches for all hazards of the program from this memory. `None` if only a search of all states can
/// tell.
pub fn search<'p, P: Program>(
    program: &'p P,
    memory: &[u8],
    limits: Limits,
    mut progress: impl FnMut(Progress),
) -> Option<Reduced<'p, P>> {
    if limits.data_races || program.slots().len() > SLOTS {
        return None;
    }
    let begun = Instant::now();
    let narrow = Search::new(program, memory, &limits, false).run(&limits, begun, &mut progress);
    narrow.unwrap_or_else(|TooNarrow| {
        let wide = Search::new(program, memory, &limits, true).run(&limits, begun, &mut progress);
        wide.unwrap_or_else(|TooNarrow| unreachable!("internal: four bytes number all nodes"))
    })
}

struct Search<'p, P: Program> {
    expander: Expander<'p, P>,
    initial: Vec<u8>,
    order: Order,
    tables: Tables,
    symmetry: Symmetry,
}

/// What is kept while the tables hold.
struct Round {
    store: Store,
    /// States expanded.
    expanded: usize,
    gains: Gains,
    /// What came of going on after deadlocks, once everything before them has been explored.
    beyond: Option<Gains>,
    /// The steps between stored states, by their hashes; only if states may come back.
    edges: Option<Vec<(u64, u64)>>,
    /// Nodes and edges of the automata when something new was last met, and the steps then.
    news: Option<usize>,
    /// A renaming was given up by which states were taken for each other.
    stale: bool,
}

impl<'p, P: Program> Search<'p, P> {
    fn new(program: &'p P, memory: &[u8], limits: &Limits, wide: bool) -> Self {
        let mut expander = Expander::new(program, wide);
        let initial = expander.initial(memory);
        let mut symmetry =
            if limits.no_symmetry { Symmetry::default() } else { Symmetry::of(program, memory) };
        // What is given up here has not been relied on.
        let _ = symmetry.learn(&mut expander);
        let order = Order::of(&expander);
        let tables = Tables::new(&expander);
        Search { expander, initial, order, tables, symmetry }
    }

    fn run(
        mut self,
        limits: &Limits,
        begun: Instant,
        progress: &mut impl FnMut(Progress),
    ) -> Result<Option<Reduced<'p, P>>, TooNarrow> {
        let plain = self.expander.unpack(&self.initial);
        let waiters = self.expander.system.deadlocked(&plain);
        if !waiters.is_empty() {
            let hazard = deadlock(&waiters, self.expander.program);
            return Ok(Some(self.only(hazard)));
        }
        let mut round = self.begin()?;
        loop {
            if round.stale {
                round = self.begin()?;
                continue;
            }
            self.symmetry.close(&mut round.gains.hazards);
            if round.gains.unfit.is_some()
                || round.beyond.as_ref().is_some_and(|gains| !round.gains.cover(gains))
            {
                return Ok(None);
            }
            if self.is_outdated(&round) {
                let tables = Tables::new(&self.expander);
                let holds = tables.confirm(&self.tables, &self.expander);
                self.tables = tables;
                round.news = None;
                if !holds || (round.edges.is_none() && self.expander.may_come_back()) {
                    round = self.begin()?;
                }
                continue;
            }
            if round.expanded == round.store.len() {
                if round.beyond.is_some() || round.gains.stuck.is_empty() {
                    break;
                }
                self.go_on(&mut round)?;
                continue;
            }
            self.batch(&mut round)?;
            let (states, bytes) = (round.store.len(), round.bytes());
            progress(Progress { states, frontier: states - round.expanded, depth: 0, bytes });
            let cut = if limits.state_limit.is_some_and(|limit| states >= limit) {
                limits.state_limit.map(Cut::States)
            } else if limits.memory_limit.is_some_and(|limit| bytes >= limit) {
                limits.memory_limit.map(Cut::Memory)
            } else {
                stops(limits, begun)
            };
            if cut.is_some() && (round.expanded < states || round.news.is_some()) {
                return Ok(Some(self.end(round, cut)));
            }
        }
        if round.edges.as_ref().is_some_and(|edges| is_cyclic(edges)) {
            return Ok(None);
        }
        Ok(Some(self.end(round, None)))
    }

    fn only(self, hazard: Hazard) -> Reduced<'p, P> {
        let mut gains = Gains::default();
        gains.report(hazard);
        let mut store = Store::new(self.expander.shape.stride());
        store.add(&self.initial, Store::hash(&self.initial));
        self.end(
            Round { store, expanded: 0, gains, beyond: None, edges: None, news: None, stale: false },
            None,
        )
    }

    fn end(self, mut round: Round, cut: Option<Cut>) -> Reduced<'p, P> {
        self.symmetry.close(&mut round.gains.hazards);
        let outcome = Outcome {
            states: round.store.len(),
            transitions: round.gains.transitions,
            found: Vec::new(),
            cut,
            most_spawned: round.gains.most_spawned,
            depth: 0,
            nodes: self.expander.nodes.len(),
            bytes: round.bytes(),
        };
        Reduced { outcome, hazards: round.gains.hazards, search: self }
    }

    /// Begins again, with the tables as they are.
    fn begin(&mut self) -> Result<Round, TooNarrow> {
        let edges = self.expander.may_come_back().then(Vec::new);
        let stride = self.expander.shape.stride();
        let mut round = Round {
            store: Store::new(stride),
            expanded: 0,
            gains: Gains::default(),
            beyond: None,
            edges,
            news: None,
            stale: false,
        };
        let initial = self.initial.clone();
        // The way from the initial state begins with no step.
        self.walk_from(&mut round, &initial)?;
        Ok(round)
    }

    /// Goes on after all deadlocks. What others do there they can do before, unless it comes of the very
    /// step that completed the deadlock: then only a search of all states can tell.
    fn go_on(&mut self, round: &mut Round) -> Result<(), TooNarrow> {
        round.beyond = Some(Gains::default());
        for state in std::mem::take(&mut round.gains.stuck) {
            self.walk_from(round, &state)?;
        }
        Ok(())
    }

    /// Goes on from a state and stores the one to which that leads.
    fn walk_from(&mut self, round: &mut Round, state: &[u8]) -> Result<(), TooNarrow> {
        loop {
            let chooser = Chooser { expander: &self.expander, tables: &self.tables, order: &self.order };
            let mut walker = Walker::new(&chooser, round.beyond.is_some());
            walker.start(state);
            match walker.run(0, &|_| false) {
                Ok(store) => {
                    let mut state = walker.state().to_vec();
                    if store {
                        self.symmetry.canonical(&self.expander, &mut Images::default(), &mut state);
                    }
                    let hash = Store::hash(&state);
                    if store && round.store.find_hashed(&state, hash).is_none() {
                        round.store.add(&state, hash);
                    }
                    round.take(walker.gains);
                    return Ok(());
                }
                Err(unknown) => self.learn(round, &unknown)?,
            }
        }
    }

    /// The automata grow.
    fn learn(&mut self, round: &mut Round, unknown: &Unknown) -> Result<(), TooNarrow> {
        self.expander.learn(unknown);
        round.stale |= self.symmetry.learn(&mut self.expander).is_err();
        round.news = Some(round.gains.transitions);
        if self.expander.fits() { Ok(()) } else { Err(TooNarrow) }
    }

    /// Whether so much is new that the tables should be looked at again.
    fn is_outdated(&self, round: &Round) -> bool {
        const SOON: usize = 10_000;
        let Some(news) = round.news else { return false };
        round.expanded == round.store.len()
            || self.expander.nodes.len() > self.tables.known * 5 / 4 + 16
            || round.gains.transitions > 2 * news + SOON
    }

    /// Expands some states.
    fn batch(&mut self, round: &mut Round) -> Result<(), TooNarrow> {
        const BATCH: usize = 256;
        let until = round.store.len().min(round.expanded + BATCH);
        let mut found: Vec<Vec<u8>> = Vec::new();
        let images = RefCell::new(Images::default());
        while round.expanded < until {
            let chooser = Chooser { expander: &self.expander, tables: &self.tables, order: &self.order };
            let mut walker = Walker::new(&chooser, round.beyond.is_some());
            let mut stopped = None;
            while round.expanded < until {
                found.clear();
                let store = &round.store;
                let canonical = |state: &[u8]| {
                    let mut state = state.to_vec();
                    self.symmetry.canonical(&self.expander, &mut images.borrow_mut(), &mut state);
                    state
                };
                let known = |state: &[u8]| store.find(&canonical(state)).is_some();
                let state = round.store.at(round.expanded).to_vec();
                if let Err(unknown) = walker.expand(&state, &known, |state, _| found.push(canonical(state))) {
                    stopped = Some(unknown);
                    break;
                }
                let from = Store::hash(&state);
                for state in &found {
                    let hash = Store::hash(state);
                    if let Some(edges) = &mut round.edges {
                        edges.push((from, hash));
                    }
                    if round.store.find_hashed(state, hash).is_none() {
                        round.store.add(state, hash);
                    }
                }
                round.expanded += 1;
                round.take(std::mem::take(&mut walker.gains));
            }
            if let Some(unknown) = stopped {
                self.learn(round, &unknown)?;
                if round.stale || self.is_outdated(round) {
                    break;
                }
            }
        }
        Ok(())
    }
}

impl Round {
    fn take(&mut self, gains: Gains) {
        self.beyond.as_mut().unwrap_or(&mut self.gains).add(gains);
    }

    fn bytes(&self) -> usize {
        self.store.bytes() + self.edges.as_ref().map_or(0, |edges| edges.capacity() * size_of::<(u64, u64)>())
    }
}

/// Whether these steps lead around.
fn is_cyclic(edges: &[(u64, u64)]) -> bool {
    let mut graph = petgraph::graph::DiGraph::<(), ()>::new();
    let mut places: IndexMap<u64, petgraph::graph::NodeIndex> = IndexMap::new();
    for (from, to) in edges {
        let [from, to] = [from, to].map(|hash| *places.entry(*hash).or_insert_with(|| graph.add_node(())));
        graph.add_edge(from, to, ());
    }
    petgraph::algo::is_cyclic_directed(&graph)
}
