//! The default search: partial order reduction by persistent sets, symmetry reduction, compact states.
//!
//! In each state the steps of some tasks are enough (`choose`); a state in which the steps of one task
//! with one outcome are enough is passed and not stored (`chain`). What tasks can still do is known
//! from the automata (`tables`), which grow while the search runs: when that changes something that the
//! search relied on, it begins again, knowing more. In the end every decision is justified by automata
//! that the search found complete. docs/reduction.md has the argument.
//!
//! Two things it does not decide: a program whose states can come back, and one that wants more workers
//! than there are. Then all states are searched.

mod ahead;
mod audit;
mod chain;
mod choose;
mod conds;
mod pack;
mod pieces;
mod quiet;
pub mod remedies;
pub mod resources;
mod round;
mod saved;
mod some_run;
mod symmetry;
mod tables;
mod tokens;

pub use self::audit::audit as audit_orders;
pub use self::symmetry::audit::audit as audit_symmetry;

use std::time::Instant;

use indexmap::{IndexMap, IndexSet};

use self::chain::{Gains, Walker};
use self::choose::{Chooser, Order, Room, SLOTS};
use self::pack::{Packer, WIDTHS};
use self::remedies::{Remedies, Remedy};
use self::resources::{Resources, SearchError};
use self::round::{Edge, Round};
use self::saved::Lesson;
use self::symmetry::{Images, Symmetry};
use self::tables::Tables;
use super::packed::expand::Expander;
use super::reference::{Cut, Limits, Outcome, Progress};
use super::visited::batch::Batch;
use super::visited::checkpoint::{Claim, Refused};
use crate::automaton::Automaton;
use crate::machine::hazard::About;
use crate::machine::program::Program;

/// What the search came to.
pub struct Reduced<'p, P: Program> {
    /// States stored, steps taken and so on; no runs.
    pub outcome: Outcome,
    /// The hazards, and the objects of each.
    pub hazards: IndexMap<&'static str, IndexSet<About>>,
    searched: Searched<'p, P>,
}

impl<'p, P: Program> Reduced<'p, P> {
    /// The automata of the tasks: if the search came to its end and found no hazard, all that any run does.
    #[must_use]
    pub fn automaton(&self) -> &Automaton<'p, P> {
        self.searched.expander.system.automaton()
    }
}

/// Searches for all hazards of the program from this memory. `None` if only a search of all states can
/// tell.
///
/// # Errors
///
/// The disk fails, or what was saved is refused.
pub fn search<'p, P: Program>(
    program: &'p P,
    memory: &[u8],
    limits: Limits,
    resources: &Resources,
    mut progress: impl FnMut(Progress) + Send,
) -> Result<Option<Reduced<'p, P>>, SearchError> {
    if limits.data_races || program.slots().len() > SLOTS {
        return Ok(None);
    }
    let begun = Instant::now();
    let _claim = resources.saving.as_ref().map(|saving| Claim::take(&saving.file)).transpose()?;
    let threads = rayon::ThreadPoolBuilder::new().num_threads(resources.threads.min(MOST_THREADS)).build();
    let threads = threads.map_err(|error| SearchError::Io(std::io::Error::other(error)))?;
    threads.install(|| {
        for width in WIDTHS {
            match Searched::new(program, memory, &limits, width).run(&limits, resources, begun, &mut progress)
            {
                Err(Stop::TooNarrow) => {}
                Err(Stop::Error(failed)) => return Err(failed),
                Ok(reduced) => return Ok(reduced),
            }
        }
        // Four bytes number all nodes; but what was saved may have states of no such length.
        let saving = resources.saving.as_ref().expect("internal: four bytes number all nodes");
        Err(SearchError::refused(saving, &Refused::OtherLength))
    })
}

/// More threads than these are no help to anybody.
const MOST_THREADS: usize = 256;

/// Steps after which it does not matter any more to have begun in vain. In tests they are few, so that small programs
/// go on with tables that were made anew.
const SOON: usize = if cfg!(test) { 8 } else { 10_000 };

/// Random runs in a row that meet nothing new before enough is known.
const VAIN: usize = 16;

/// Why a search ends without a result.
enum Stop {
    /// More automaton nodes turned up than their packed numbers have room for.
    TooNarrow,
    Error(SearchError),
}

impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Self {
        Stop::Error(error.into())
    }
}

/// A program, as far as it is known.
struct Searched<'p, P: Program> {
    expander: Expander<'p, P>,
    initial: Vec<u8>,
    packer: Packer,
    order: Order,
    tables: Tables,
    all_orders: bool,
    remedies: Remedies,
    symmetry: Symmetry,
    /// What was learnt about the automata, in order, for whoever goes on with a saved search.
    lessons: Vec<Lesson>,
}

impl<'p, P: Program> Searched<'p, P> {
    fn new(program: &'p P, memory: &[u8], limits: &Limits, width: u32) -> Self {
        let mut expander = Expander::new(program, width > u16::BITS);
        let initial = expander.initial(memory);
        let mut symmetry =
            if limits.no_symmetry { Symmetry::default() } else { Symmetry::of(program, memory) };
        // What is given up here has not been relied on.
        let _ = symmetry.learn(&mut expander);
        let packer = Packer::new(&expander, &initial, width);
        let order = Order::of(&expander);
        let remedies = if limits.all_orders { Remedies::NONE } else { limits.without.others() };
        let tables = Tables::new(&expander, remedies);
        let mut searched = Searched {
            expander,
            initial,
            packer,
            order,
            tables,
            all_orders: limits.all_orders,
            remedies,
            symmetry,
            lessons: Vec::new(),
        };
        if remedies.has(Remedy::Learn) {
            // Nothing has been taken for alike yet.
            let _ = searched.learn_ahead(&[searched.initial.clone()], VAIN);
            searched.look_again();
        }
        searched
    }

    fn run(
        mut self,
        limits: &Limits,
        resources: &Resources,
        begun: Instant,
        progress: &mut impl FnMut(Progress),
    ) -> Result<Option<Reduced<'p, P>>, Stop> {
        let mut saved = Instant::now();
        let mut round = match self.resume(limits, resources)? {
            Some(round) => round,
            None => self.begin(limits, resources)?,
        };
        loop {
            if round.stale {
                round = self.begin(limits, resources)?;
                continue;
            }
            self.symmetry.close(&mut round.gains.hazards);
            let uncovered = |gains| !round.gains.cover(gains);
            let unfit = round.gains.unfit.is_some() || round.beyond.as_ref().is_some_and(uncovered);
            if !self.packer.fits(self.expander.nodes.len()) {
                return Err(Stop::TooNarrow);
            }
            if self.is_outdated(&round) || (unfit && round.news.is_some()) {
                let holds = self.look_again();
                round.news = None;
                // What was explored with less known was explored in too many orders.
                let early = round.gains.transitions < SOON && !self.remedies.has(Remedy::Learn);
                if !holds || early || (round.edges.is_none() && self.expander.may_come_back()) {
                    let tried = std::mem::take(&mut round.tried);
                    if self.remedies.has(Remedy::Learn) && !tried.is_empty() {
                        round.stale |= self.learn_ahead(&tried, VAIN).is_err();
                        self.look_again();
                    }
                    round = self.begin(limits, resources)?;
                }
                continue;
            }
            // What was found with tables that do not hold means nothing.
            if unfit {
                return Ok(None);
            }
            if round.frontier.is_empty() {
                if round.beyond.is_some() || round.gains.stuck.is_empty() {
                    break;
                }
                self.go_on(&mut round)?;
                continue;
            }
            self.batch(&mut round)?;
            let (states, bytes) = (round.states(), round.bytes());
            let frontier = round.frontier.len();
            progress(Progress { states, frontier, depth: 0, bytes });
            let cut = self.limit(&round, limits, resources).or_else(|| limits.stop(begun));
            if let Some(saving) = &resources.saving
                && (cut.is_some() || saved.elapsed() >= saving.every)
            {
                self.save(&mut round, saving)?;
                saved = Instant::now();
            }
            if cut.is_some() && (frontier > 0 || round.news.is_some()) {
                return Ok(Some(self.end(round, cut)));
            }
        }
        if let Some(saving) = &resources.saving {
            self.save(&mut round, saving)?;
        }
        if round.edges.as_ref().is_some_and(|edges| is_cyclic(edges)) {
            return Ok(None);
        }
        Ok(Some(self.end(round, None)))
    }

    fn chooser(&self) -> Chooser<'_, 'p, P> {
        let Searched { expander, tables, order, all_orders: all, .. } = self;
        Chooser { expander, tables, order, all: *all, settles: true }
    }

    /// The limit that has been reached, if there is one.
    fn limit(&self, round: &Round, limits: &Limits, resources: &Resources) -> Option<Cut> {
        if let Some(limit) = limits.state_limit.filter(|limit| round.states() >= *limit) {
            return Some(Cut::States(limit));
        }
        let limit = limits.memory_limit.filter(|limit| round.bytes() >= *limit && resources.spill.is_none());
        limit.map(Cut::Memory)
    }

    fn end(self, mut round: Round, cut: Option<Cut>) -> Reduced<'p, P> {
        self.symmetry.close(&mut round.gains.hazards);
        let outcome = Outcome {
            states: round.states(),
            transitions: round.gains.transitions,
            cut,
            most_spawned: round.gains.most_spawned,
            nodes: self.expander.nodes.len(),
            bytes: round.bytes(),
            omission_probability: round.visited.omission_probability(),
            ..Outcome::nothing()
        };
        Reduced { outcome, hazards: round.gains.hazards, searched: self }
    }

    /// Makes the tables anew. Whether all that was asked of the old ones stands.
    fn look_again(&mut self) -> bool {
        let tables = Tables::new(&self.expander, self.remedies);
        let holds = tables.confirm(&self.tables, &self.expander);
        self.tables = tables;
        self.lessons.push(Lesson::Tables);
        holds
    }

    /// Begins again, with the tables as they are.
    fn begin(&mut self, limits: &Limits, resources: &Resources) -> Result<Round, Stop> {
        let mut round = Round::new(self.packer.stride(), limits, resources)?;
        round.edges = self.expander.may_come_back().then(Vec::new);
        let mut initial = self.initial.clone();
        self.chooser().settle(&mut Room::default(), &mut initial);
        match self.expander.deadlock(&initial) {
            // The way from the initial state begins with no step.
            None => self.walk_from(&mut round, &initial)?,
            Some(hazard) => round.gains.report(hazard),
        }
        Ok(round)
    }

    /// Goes on after all deadlocks. What others do there they can do before, unless it comes of the very
    /// step that completed the deadlock: then only a search of all states can tell.
    fn go_on(&mut self, round: &mut Round) -> Result<(), Stop> {
        round.beyond = Some(Gains::default());
        for state in std::mem::take(&mut round.gains.stuck) {
            self.walk_from(round, &state)?;
        }
        Ok(())
    }

    /// Goes on from a state and stores the one to which that leads.
    fn walk_from(&mut self, round: &mut Round, state: &[u8]) -> Result<(), Stop> {
        loop {
            let chooser = self.chooser();
            let mut walker = Walker::new(&chooser, round.beyond.is_some());
            walker.start(state);
            match walker.run(0, &|_| false) {
                Ok(store) => {
                    let mut state = walker.state().to_vec();
                    round.take(walker.gains);
                    if store {
                        round.passed -= usize::from(state == self.initial && round.beyond.is_none());
                        let fade = |state: &mut [u8]| self.chooser().fade(state);
                        self.symmetry.canonical(&self.expander, &mut Images::default(), &mut state, fade);
                        let mut found = Batch::new(self.packer.stride());
                        found.push_with(|bytes| self.packer.pack(&mut state, bytes));
                        round.add(&[found])?;
                    }
                    return Ok(());
                }
                Err(unknown) => {
                    round.stale |= self.learn(unknown).is_err();
                    if !self.packer.fits(self.expander.nodes.len()) {
                        return Err(Stop::TooNarrow);
                    }
                    round.news = Some(round.gains.transitions);
                }
            }
        }
    }

    /// Whether so much is new that the tables should be looked at again.
    fn is_outdated(&self, round: &Round) -> bool {
        let Some(news) = round.news else { return false };
        round.frontier.is_empty()
            || self.remedies.has(Remedy::Learn)
            || self.expander.nodes.len() > self.tables.known * 5 / 4 + 16
            || round.gains.transitions > 2 * news + SOON
    }
}

/// Whether these steps lead around.
fn is_cyclic(edges: &[Edge]) -> bool {
    let mut graph = petgraph::graph::DiGraph::<(), ()>::new();
    let mut places: IndexMap<u64, petgraph::graph::NodeIndex> = IndexMap::new();
    for (from, to) in edges {
        let [from, to] = [from, to].map(|hash| *places.entry(*hash).or_insert_with(|| graph.add_node(())));
        graph.add_edge(from, to, ());
    }
    petgraph::algo::is_cyclic_directed(&graph)
}
