//! The default search: partial order reduction by persistent sets, symmetry reduction, compact states.
//!
//! In each state the steps of some tasks are enough (`choose`); a state in which the steps of one task
//! with one outcome are enough is passed and not stored (`chain`). What tasks can still do is known
//! from the automata (`tables`), which grow while the search runs: when that changes something that the
//! search relied on, it begins again, knowing more. In the end every decision is justified by automata
//! that the search found complete. docs/reduction.md has the argument.
//!
//! The states are visited level by level, by one process or by several (`agree`): the tables are the same for all
//! states of a level and all processes.
//!
//! Two things it does not decide: a program whose states can come back, and one that wants more workers
//! than there are in an order that is explored. Then all states are searched.

mod agree;
mod ahead;
mod around;
mod at_rest;
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

use self::chain::{Gains, Walker, is_freed_linked};
use self::choose::{Chooser, Order, Room, SLOTS};
use self::pack::{Packer, WIDTHS};
use self::remedies::{Remedies, Remedy};
use self::resources::{Resources, SearchError};
use self::round::{Round, Totals};
use self::saved::{Lesson, Place};
use self::symmetry::{Images, Symmetry};
use self::tables::Tables;
use super::packed::expand::{Expander, Unknown};
use super::peers::{Alone, Gone, Peers, owner};
use super::reference::{Cut, Limits, Outcome, Progress};
use super::visited::batch::Batch;
use super::visited::checkpoint::Refused;
use crate::automaton::Automaton;
use crate::machine::expect::When;
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

    /// The steps, for a search that goes on with the same automata.
    pub(super) fn expander(&mut self) -> &mut Expander<'p, P> {
        &mut self.searched.expander
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
    progress: impl FnMut(Progress) + Send,
) -> Result<Option<Reduced<'p, P>>, SearchError> {
    search_among(program, memory, limits, resources, &mut Alone::default(), progress)
}

/// The same with other processes, each of which makes this search and has a part of the states. What it comes to is
/// the same for all.
///
/// # Errors
///
/// The disk fails, or what was saved is refused, or a process is gone.
pub fn search_among<'p, P: Program>(
    program: &'p P,
    memory: &[u8],
    limits: Limits,
    resources: &Resources,
    peers: &mut dyn Peers,
    mut progress: impl FnMut(Progress) + Send,
) -> Result<Option<Reduced<'p, P>>, SearchError> {
    if limits.data_races {
        return Ok(None);
    }
    visit(program, memory, (limits, false), resources, peers, &mut progress)
}

/// Visits all states with other processes, without any reduction, and finds all hazards but livelocks. `None` if there
/// may be one: if a run comes back to a state.
///
/// # Errors
///
/// As [`search_among`].
pub fn every_state_among<'p, P: Program>(
    program: &'p P,
    memory: &[u8],
    limits: Limits,
    resources: &Resources,
    peers: &mut dyn Peers,
    mut progress: impl FnMut(Progress) + Send,
) -> Result<Option<Reduced<'p, P>>, SearchError> {
    let limits = Limits { all_orders: true, no_symmetry: true, ..limits };
    // What is saved is the reduced search.
    let resources = Resources { saving: None, ..resources.clone() };
    visit(program, memory, (limits, true), &resources, peers, &mut progress)
}

fn visit<'p, P: Program>(
    program: &'p P,
    memory: &[u8],
    (limits, every_state): (Limits, bool),
    resources: &Resources,
    peers: &mut dyn Peers,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Option<Reduced<'p, P>>, SearchError> {
    if program.slots().len() > SLOTS {
        return Ok(None);
    }
    let mut place = resources.saving.as_ref().map(|saving| Place::claim(saving, peers)).transpose()?;
    let begun = Instant::now();
    let mut search = || {
        for width in WIDTHS {
            let mut searched = Searched::new(program, memory, (&limits, resources, every_state), width);
            match searched.run((&limits, resources, begun), &mut place, peers, progress) {
                Err(Stop::TooNarrow) => {}
                Err(Stop::Error(failed)) => return Err(failed),
                Err(Stop::Gone(gone)) => return Err(SearchError::Gone { gone, level: searched.level }),
                Ok(None) => return Ok(None),
                Ok(Some((round, cut))) => return Ok(Some(searched.end(round, cut))),
            }
        }
        // Four bytes number all nodes; but what was saved may have states of no such length.
        let saving = resources.saving.as_ref().expect("internal: four bytes number all nodes");
        let file = saving.from.as_ref().unwrap_or(&saving.file).clone();
        Err(SearchError::Refused { file, why: Refused::OtherLength.to_string() })
    };
    let threads = resources.threads.min(MOST_THREADS);
    // Whoever makes many searches may have the threads already.
    if rayon::current_thread_index().is_some() && rayon::current_num_threads() == threads {
        return search();
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.map_err(|error| SearchError::Io(std::io::Error::other(error)))?.install(search)
}

/// More threads than these are no help to anybody.
const MOST_THREADS: usize = 256;

/// Steps after which it does not matter any more to have begun in vain. In tests they are few, so that small programs
/// go on with tables that were made anew.
const SOON: usize = if cfg!(test) { 8 } else { 10_000 };

/// States with new facts that are taken to be expanded again, at most.
const GROWN: usize = if cfg!(test) { 16 } else { 1 << 16 };

/// Random runs in a row that meet nothing new before enough is known.
const VAIN: usize = 16;

/// Why a search ends without a result.
enum Stop {
    /// More automaton nodes turned up than their packed numbers have room for.
    TooNarrow,
    Error(SearchError),
    Gone(Gone),
}

impl From<Gone> for Stop {
    fn from(gone: Gone) -> Self {
        Stop::Gone(gone)
    }
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
    /// Every state is stored, and looked at for data races.
    every_state: bool,
    data_races: bool,
    remedies: Remedies,
    /// Whether who links or unlinks a node of a klist may see its order: an object was freed whose node was on one.
    neighbours: bool,
    symmetry: Symmetry,
    /// What was learnt about the automata, in order, for whoever goes on with a saved search.
    lessons: Vec<Lesson>,
    /// The levels that were closed, those of rounds that were given up included.
    level: usize,
}

/// What a search may use, and since when.
type Means<'a> = (&'a Limits, &'a Resources, Instant);

impl<'p, P: Program> Searched<'p, P> {
    fn new(program: &'p P, memory: &[u8], how: (&Limits, &Resources, bool), width: u32) -> Self {
        let (limits, resources, every_state) = how;
        let mut expander = Expander::new(program, width > u16::BITS);
        let initial = expander.initial(memory);
        let mut symmetry =
            if limits.no_symmetry { Symmetry::default() } else { Symmetry::of(program, memory) };
        // What is given up here has not been relied on.
        let _ = symmetry.learn(&mut expander);
        let order = Order::of(&expander);
        let remedies = match (every_state, limits.all_orders) {
            (true, _) => Remedies::NONE.with(Remedy::Learn),
            (false, true) => Remedies::NONE,
            (false, false) => limits.without.others(),
        };
        // A hash has no room for facts. Which states are expanded again, and when, depends on the order in which they come
        // from other processes, so all tables must know the same nodes.
        let joins = remedies.has(Remedy::Facts) && remedies.has(Remedy::Learn) && !resources.compact;
        let packer = Packer::new(&expander, &initial, width, joins);
        let neighbours = is_freed_linked(expander.layout, &initial);
        let tables = Tables::new(&expander, remedies, neighbours);
        let mut searched = Searched {
            expander,
            initial,
            packer,
            order,
            tables,
            all_orders: limits.all_orders,
            every_state,
            data_races: limits.data_races,
            remedies,
            neighbours,
            symmetry,
            lessons: Vec::new(),
            level: 0,
        };
        if remedies.has(Remedy::Learn) {
            // Nothing has been taken for alike yet.
            let _ = searched.learn_ahead(&[searched.initial.clone()], VAIN);
            if !every_state {
                searched.look_again();
            }
        }
        searched
    }

    /// Searches. Returns the last round, and the limit that it came to; `None` if only a search of all states can
    /// tell.
    fn run(
        &mut self,
        means: Means<'_>,
        place: &mut Option<Place>,
        peers: &mut dyn Peers,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Option<(Round, Option<Cut>)>, Stop> {
        let (limits, resources, _) = means;
        let mut round = match self.resume(limits, resources, place.as_mut(), peers)? {
            Some(round) => round,
            None => self.begin(limits, resources, peers)?,
        };
        loop {
            if round.stale {
                round = self.begin(limits, resources, peers)?;
                continue;
            }
            let freed_linked =
                round.gains.freed_linked || round.beyond.as_ref().is_some_and(|beyond| beyond.freed_linked);
            if freed_linked {
                self.neighbours = true;
                self.lessons.push(Lesson::FreedLinked);
                self.look_again();
                round = self.begin(limits, resources, peers)?;
                continue;
            }
            self.symmetry.close(&mut round.gains.hazards);
            let uncovered = |gains| !round.gains.cover(gains);
            let unfit = round.gains.unfit.is_some() || round.beyond.as_ref().is_some_and(uncovered);
            if !self.packer.fits(self.expander.nodes.len()) {
                return Err(Stop::TooNarrow);
            }
            if self.every_state {
                // Nothing is asked of the tables.
                if round.news.take().is_some() && round.edges.is_none() && self.expander.may_come_back() {
                    round = self.begin(limits, resources, peers)?;
                    continue;
                }
            } else if self.is_outdated(&round) || (unfit && round.news.is_some()) {
                let holds = self.look_again();
                // Each knows only what it has asked of the tables.
                let holds = !agree::all_say(peers, &holds)?.contains(&false);
                round.news = None;
                // What was explored with less known was explored in too many orders.
                let early = round.gains.transitions < SOON && !self.remedies.has(Remedy::Learn);
                if !holds || early || (round.edges.is_none() && self.expander.may_come_back()) {
                    let tried = std::mem::take(&mut round.tried);
                    if self.remedies.has(Remedy::Learn) && !tried.is_empty() {
                        round.stale |= self.learn_ahead(&tried, VAIN).is_err();
                        self.look_again();
                    }
                    round = self.begin(limits, resources, peers)?;
                }
                continue;
            }
            // What was found with tables that do not hold means nothing.
            if unfit {
                return Ok(None);
            }
            let mut own = None;
            if round.totals.waiting > 0 {
                // What was unknown is expanded before the next level.
                round.depth += usize::from(round.totals.left == 0 && round.totals.again == 0);
                own = self.level(&mut round, means, place, peers, progress)?;
            } else if round.totals.stuck > 0 {
                self.go_on(&mut round, peers)?;
            } else {
                break;
            }
            let due = place.as_ref().is_some_and(Place::is_due);
            let agreed = self.agree(&mut round, peers, (own, due))?;
            self.level += usize::from(round.totals.left == 0);
            let cut = agreed.cut.or_else(|| too_many(round.passed + round.totals.stored, limits));
            if let Some(place) = place.as_mut().filter(|_| cut.is_some() || agreed.save) {
                self.save(&mut round, place, peers)?;
            }
            if cut.is_some() && (round.totals.waiting > 0 || round.news.is_some()) {
                return Ok(Some((round, cut)));
            }
        }
        if let Some(place) = place {
            self.save(&mut round, place, peers)?;
        }
        if let Some(edges) = &mut round.edges
            && around::is_cyclic(edges, peers)?
        {
            return Ok(None);
        }
        Ok(Some((round, None)))
    }

    /// Expands all states of the level that belong to this process, or as many as limits allow: which it came to.
    fn level(
        &mut self,
        round: &mut Round,
        (limits, resources, begun): Means<'_>,
        place: &mut Option<Place>,
        peers: &mut dyn Peers,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Option<Cut>, Stop> {
        if round.totals.left == 0 && round.totals.again == 0 {
            round.left = round.frontier.len();
            // The later, the more facts have come together. Some may be left from a search that is gone on with.
            if round.totals.grown == round.totals.waiting && round.again.is_empty() {
                round.again = round.visited.take_grown(GROWN);
            }
        }
        while round.left > 0 || !round.again.is_empty() {
            self.batch(round, peers)?;
            let (states, bytes) = (round.states(), round.bytes());
            let depth = if self.every_state { round.depth } else { 0 };
            progress(Progress { states, frontier: round.frontier.len(), depth, bytes });
            let too_much = limits.memory_limit.filter(|limit| bytes >= *limit && resources.spill.is_none());
            let cut = too_many(states, limits).or(too_much.map(Cut::Memory)).or_else(|| limits.stop(begun));
            if cut.is_some() {
                return Ok(cut);
            }
            // Several processes save at the end of a level, all of them the same one.
            if let Some(place) = place.as_mut().filter(|place| place.is_due() && peers.count() == 1) {
                self.save(round, place, peers)?;
            }
        }
        Ok(None)
    }

    fn chooser(&self) -> Chooser<'_, 'p, P> {
        let Searched { expander, tables, order, all_orders, every_state, data_races, .. } = self;
        Chooser {
            expander,
            tables,
            order,
            all: *all_orders,
            every_state: *every_state,
            data_races: *data_races,
            settles: !*every_state,
        }
    }

    fn end(self, mut round: Round, cut: Option<Cut>) -> Reduced<'p, P> {
        self.symmetry.close(&mut round.gains.hazards);
        let cut = cut.or(round.gains.bound.map(Cut::Bound));
        let mut never = Vec::new();
        if self.every_state && cut.is_none() {
            let sometimes = self.expander.program.expectations().iter().enumerate();
            let sometimes = sometimes.filter(|(_, expectation)| expectation.when == When::Sometimes);
            let missing = sometimes.filter(|(place, _)| !round.gains.held.contains(place));
            never.extend(missing.map(|(_, expectation)| expectation.name));
        }
        let outcome = Outcome {
            states: round.passed + round.totals.stored,
            transitions: round.gains.transitions,
            cut,
            never,
            depth: if self.every_state { round.depth.saturating_sub(1) } else { 0 },
            most_spawned: round.gains.most_spawned,
            nodes: self.expander.nodes.len(),
            bytes: round.totals.bytes,
            omission_probability: round.visited.omission_probability(round.totals.stored),
            ..Outcome::nothing()
        };
        Reduced { outcome, hazards: round.gains.hazards, searched: self }
    }

    /// Makes the tables anew. Whether all that was asked of the old ones stands.
    fn look_again(&mut self) -> bool {
        let tables = Tables::new(&self.expander, self.remedies, self.neighbours);
        let holds = tables.confirm(&self.tables, &self.expander);
        self.tables = tables;
        self.lessons.push(Lesson::Tables);
        holds
    }

    /// Begins again, with the tables as they are. All processes do the same here, and one of them keeps the state.
    fn begin(&mut self, limits: &Limits, resources: &Resources, peers: &dyn Peers) -> Result<Round, Stop> {
        let mut round = Round::new(self.packer.size(), limits, resources)?;
        round.edges = self.expander.may_come_back().then(Vec::new);
        self.tables.forget_rows();
        let mut initial = self.initial.clone();
        self.chooser().settle(&mut Room::default(), &mut initial);
        if let Some(hazard) = self.expander.deadlock(&initial) {
            round.gains.report(*hazard);
            return Ok(round);
        }
        // The way from the initial state begins with no step.
        loop {
            match self.walk_from(&initial, false) {
                (Ok(found), gains, passed) => {
                    round.passed -= usize::from(found.len() > 0 && !passed);
                    round.gains.add(gains);
                    round.totals = Totals { stored: found.len(), waiting: found.len(), ..Totals::default() };
                    if found.len() > 0 && owner(found.hash_at(0), peers.count()) == peers.index() {
                        round.add(&[found])?;
                    }
                    return Ok(round);
                }
                (Err(unknown), ..) => {
                    round.stale |= self.learn(*unknown).is_err();
                    if !self.packer.fits(self.expander.nodes.len()) {
                        return Err(Stop::TooNarrow);
                    }
                    round.news = Some(round.gains.transitions);
                }
            }
        }
    }

    /// Goes on after all deadlocks. What others do there they can do before, unless it comes of the very
    /// step that completed the deadlock: then only a search of all states can tell.
    fn go_on(&mut self, round: &mut Round, peers: &mut dyn Peers) -> Result<(), Stop> {
        round.beyond.get_or_insert_default();
        let mut all_found = Vec::new();
        for state in std::mem::take(&mut round.gains.stuck) {
            match self.walk_from(&state, true) {
                (Ok(found), gains, _) => {
                    round.fresh.add(gains);
                    all_found.push(found);
                }
                (Err(mut unknown), ..) => {
                    self.packer.forget(&mut unknown.tried.0);
                    round.meet(*unknown);
                    round.gains.stuck.push(state);
                }
            }
        }
        round.deliver(all_found, peers)
    }

    /// Goes on from a state that is not stored, perhaps past a deadlock. Returns the state to store to which that
    /// leads, if there is one; what came of it; and whether it is another one.
    fn walk_from(&self, from: &[u8], past: bool) -> (Result<Batch, Box<Unknown>>, Gains, bool) {
        let chooser = self.chooser();
        let mut walker = Walker::new(&chooser, past);
        walker.start(from);
        let found = walker.run(0).map(|store| {
            let mut found = Batch::new(self.packer.size());
            if store {
                let mut state = walker.state().to_vec();
                let fade = |state: &mut [u8]| chooser.fade(state);
                self.symmetry.canonical(&self.expander, &mut Images::default(), &mut state, fade);
                found.push_with(|bytes| self.packer.pack(&mut state, bytes));
            }
            found
        });
        let passed = walker.state() != self.initial;
        (found, walker.gains, passed)
    }

    /// Whether so much is new that the tables should be looked at again.
    fn is_outdated(&self, round: &Round) -> bool {
        let Some(news) = round.news else { return false };
        round.totals.waiting == 0
            || self.remedies.has(Remedy::Learn)
            || self.expander.nodes.len() > self.tables.known * 5 / 4 + 16
            || round.gains.transitions > 2 * news + SOON
    }
}

/// The limit on states, if it has been reached.
fn too_many(states: usize, limits: &Limits) -> Option<Cut> {
    limits.state_limit.filter(|limit| states >= *limit).map(Cut::States)
}
