//! From a stored state to the next ones: one step of each chosen task, and then the step of one task for as
//! long as that is a persistent set. States passed on the way are not stored.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use indexmap::IndexSet;
use serde::{Deserialize, Serialize};

use super::choose::{Chooser, Look, Room, members};
use super::remedies::Remedy;
use crate::machine::expect::{Snapshot, When, broken};
use crate::machine::hazard::{About, Hazard};
use crate::machine::klist;
use crate::machine::layout::{ALIVE, CellId, Kind, Layout};
use crate::machine::program::Program;
use crate::machine::step::{Bound, Stop};
use crate::search::packed::expand::{Halt, Landed, Scratch, Unknown};
use crate::search::system::{Choice, EMPTY};

/// Why the states cannot be explored by the steps of chosen tasks alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Unfit {
    /// A run comes back to a state.
    Cycle,
    /// The model has no room for what a step does.
    Bound,
}

/// What came of states.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Gains {
    /// The objects of each hazard.
    #[serde(with = "super::saved::hazards")]
    pub(super) hazards: IndexMap<&'static str, IndexSet<About>>,
    /// Steps taken, those that are hazards included.
    pub(super) transitions: usize,
    pub(super) most_spawned: usize,
    pub(super) unfit: Option<Unfit>,
    /// Whether an object was freed whose node was on a klist: then the order of a klist may be seen by all who link and
    /// unlink nodes, since they write into the neighbours.
    pub(super) freed_linked: bool,
    /// States in which tasks wait for each other for ever.
    pub(super) stuck: Vec<Vec<u8>>,
    /// What there was no room for, the least of it, if every state is stored.
    pub(super) bound: Option<Bound>,
    /// The expectations that are to hold sometimes and did, by place, if every state is stored.
    pub(super) held: BTreeSet<usize>,
}

impl Gains {
    pub(super) fn report(&mut self, hazard: Hazard) {
        self.hazards.entry(hazard.id).or_default().insert(hazard.counts_as());
    }

    /// Whether all hazards of others are among these.
    pub(super) fn cover(&self, others: &Gains) -> bool {
        let there = |(id, about): (&&str, &IndexSet<About>)| {
            self.hazards.get(*id).is_some_and(|known| about.is_subset(known))
        };
        others.unfit.is_none() && others.hazards.iter().all(there)
    }

    /// Adds what came of other states.
    pub(super) fn add(&mut self, other: Gains) {
        for (id, about) in other.hazards {
            self.hazards.entry(id).or_default().extend(about);
        }
        self.transitions += other.transitions;
        self.most_spawned = self.most_spawned.max(other.most_spawned);
        self.unfit = self.unfit.or(other.unfit);
        self.freed_linked |= other.freed_linked;
        self.stuck.extend(other.stuck);
        self.bound = self.bound.into_iter().chain(other.bound).min();
        self.held.extend(other.held);
    }
}

/// Whether the node of an object that may not be used is on a klist.
pub(super) fn is_freed_linked(layout: &Layout, state: &[u8]) -> bool {
    let byte = |cell: CellId| state[layout.info(cell).offset];
    layout.cells().iter().any(|info| {
        let Kind::Klist(_, holders) = &info.kind else { return false };
        let holder = |(member, _): (u8, bool)| holders[usize::from(member)];
        let mut mortal = klist::nodes(&state[info.range()]).filter_map(holder);
        mortal.any(|holder| layout.object(holder).liveness.is_some_and(|liveness| byte(liveness) != ALIVE))
    })
}

/// Where states are on their way.
pub(super) struct Walker<'c, 'a, 'p, P: Program> {
    chooser: &'c Chooser<'a, 'p, P>,
    /// Whether deadlocks have happened already and are of no interest.
    past: bool,
    scratch: Scratch,
    room: Room,
    here: Vec<u8>,
    next: Vec<u8>,
    /// A state that the way was at, to find out that it comes back to it.
    mark: Vec<u8>,
    /// The tasks whose next step need not be taken from `here`: a *sleep set*.
    asleep: u64,
    orders: Orders,
    pub(super) gains: Gains,
    /// The steps since it was told to start or to expand.
    way: Vec<Choice>,
    /// The hazards of an id that is looked for.
    pub(super) sought: Option<Sought>,
}

/// Room for two steps in both orders.
#[derive(Default)]
struct Orders {
    scratch: Scratch,
    /// `here` and `next`, if there are facts: with those alone that the step between them sets.
    told: [Vec<u8>; 2],
    /// After the other task's step.
    between: Vec<u8>,
    /// After both steps, in each order.
    both: [Vec<u8>; 2],
}

/// A hazard that is looked for.
pub(super) struct Sought {
    pub(super) id: &'static str,
    /// For each time that it was met, the steps to it, and the hazard if it is one of the state after them.
    pub(super) hits: Vec<(Vec<Choice>, Option<Hazard>)>,
}

/// What a step came to.
enum Way {
    /// It leads to `next`; the slot in which the task is then.
    On(usize),
    /// It is a hazard.
    Hazard(Box<Hazard>),
    /// It leads to `next`, and completes a deadlock.
    Deadlock(Box<Hazard>),
    /// It cannot be taken.
    Nowhere,
}

impl<'c, 'a, 'p, P: Program> Walker<'c, 'a, 'p, P> {
    pub(super) fn new(chooser: &'c Chooser<'a, 'p, P>, past: bool) -> Self {
        let stride = chooser.expander.shape.stride();
        Walker {
            chooser,
            past,
            scratch: Scratch::default(),
            room: Room::default(),
            here: vec![0; stride],
            next: vec![0; stride],
            mark: vec![0; stride],
            asleep: 0,
            orders: Orders::default(),
            gains: Gains::default(),
            way: Vec::new(),
            sought: None,
        }
    }

    fn report(&mut self, hazard: Hazard, at_rest: bool) {
        if let Some(Sought { id, hits }) = &mut self.sought
            && *id == hazard.id
        {
            hits.push((self.way.clone(), at_rest.then(|| hazard.clone())));
        }
        self.gains.report(hazard);
    }

    /// Goes to a state.
    pub(super) fn start(&mut self, state: &[u8]) {
        self.here.copy_from_slice(state);
        self.chooser.settle(&mut self.room, &mut self.here);
        self.asleep = 0;
        self.way.clear();
    }

    /// The steps that led to where it is.
    pub(super) fn arrived(&self) -> &[Choice] {
        &self.way
    }

    /// Where it is.
    pub(super) fn state(&self) -> &[u8] {
        &self.here
    }

    /// Takes the steps of the chosen tasks in a stored state. `found` is given each state to store. What it finds
    /// depends on the state and on the tables alone, not on what else has been stored.
    pub(super) fn expand(
        &mut self,
        state: &[u8],
        mut found: impl FnMut(&[u8], &[Choice]),
    ) -> Result<(), Box<Unknown>> {
        self.start(state);
        // What has faded may make a worker as good as idle that was not when the last step was taken: then nobody
        // may be left who goes on.
        if !self.past
            && self.here != state
            && let Some(deadlock) = self.chooser.expander.deadlock(&self.here)
        {
            self.report(*deadlock, false);
            self.gains.stuck.push(self.here.clone());
            return Ok(());
        }
        let chosen = self.chooser.choose(&mut self.room, state);
        if self.chooser.every_state {
            self.look_at(chosen == 0);
        }
        let mut led_on = false;
        self.all_of(state, chosen, &mut led_on, &mut found)?;
        if !led_on {
            // All chosen steps are hazards, after which nothing is explored: so the others go first.
            let rest = self.chooser.enabled(&mut self.room, state) & !chosen;
            self.all_of(state, rest, &mut led_on, &mut found)?;
        }
        Ok(())
    }

    fn all_of(
        &mut self,
        state: &[u8],
        slots: u64,
        led_on: &mut bool,
        found: &mut impl FnMut(&[u8], &[Choice]),
    ) -> Result<(), Box<Unknown>> {
        let expander = self.chooser.expander;
        let sleeps = self.chooser.tables.remedies.has(Remedy::Sleep);
        // What was explored after these steps need not be explored again after others that commute with them.
        let mut explored = 0;
        for slot in members(slots) {
            let outcomes = expander.nodes[expander.shape.node(state, slot) as usize].outcomes;
            for outcome in 0..outcomes {
                self.start(state);
                self.asleep = explored;
                let way = self.step(Choice { slot, outcome }, false)?;
                self.gains.transitions += 1;
                match way {
                    Way::Hazard(hazard) => self.report(*hazard, false),
                    Way::Deadlock(hazard) => {
                        self.report(*hazard, false);
                        // Where every state is stored, nothing more is asked of those behind deadlocks.
                        if !self.chooser.every_state {
                            self.gains.stuck.push(self.next.clone());
                        }
                    }
                    Way::Nowhere => {}
                    Way::On(after) => {
                        *led_on = true;
                        explored |= u64::from(sleeps && outcomes == 1) << slot;
                        std::mem::swap(&mut self.here, &mut self.next);
                        if self.run(after)? {
                            found(&self.here, &self.way);
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Goes on from `here` as long as one step is enough. True if it ends in a state to store, from which all steps
    /// are taken then, those of tasks asleep too.
    pub(super) fn run(&mut self, last: usize) -> Result<bool, Box<Unknown>> {
        let expander = self.chooser.expander;
        let mut last = last;
        let (mut steps, mut marked_at) = (0usize, 0usize);
        self.mark.copy_from_slice(&self.here);
        loop {
            self.gains.most_spawned = self.gains.most_spawned.max(expander.spawned(&self.here));
            if self.chooser.every_state {
                return Ok(true);
            }
            let mut commutes = true;
            let slot = match self.chooser.look(&mut self.room, &self.here, last) {
                Look::Nobody => {
                    self.at_rest();
                    return Ok(false);
                }
                // What follows its step has been explored.
                Look::One(slot) if self.asleep >> slot & 1 != 0 => return Ok(false),
                Look::One(slot) => slot,
                Look::Unclear => {
                    let chosen = self.chooser.choose_closely(&mut self.room, &self.here) & !self.asleep;
                    if chosen == 0 {
                        return Ok(false);
                    }
                    if chosen.count_ones() > 1 {
                        return Ok(true);
                    }
                    commutes = false;
                    chosen.trailing_zeros() as usize
                }
            };
            let outcomes = expander.nodes[expander.shape.node(&self.here, slot) as usize].outcomes;
            if outcomes > 1 {
                return Ok(true);
            }
            match self.step(Choice { slot, outcome: 0 }, commutes)? {
                // Not to be taken alone: reported when the state is expanded.
                Way::Hazard(_) | Way::Deadlock(_) => {
                    self.way.pop();
                    return Ok(true);
                }
                Way::Nowhere => return Ok(false),
                Way::On(slot) => last = slot,
            }
            self.gains.transitions += 1;
            std::mem::swap(&mut self.here, &mut self.next);
            // Brent's way to notice a cycle.
            steps += 1;
            if self.here == self.mark {
                self.gains.unfit = Some(Unfit::Cycle);
                return Ok(false);
            }
            if steps == 2 * marked_at + 64 {
                marked_at = steps;
                self.mark.copy_from_slice(&self.here);
            }
        }
    }

    /// One step from `here` to `next`. `alone` is a step that commutes with all that others can do.
    fn step(&mut self, choice: Choice, alone: bool) -> Result<Way, Box<Unknown>> {
        let expander = self.chooser.expander;
        self.way.push(choice);
        match expander.try_step(&mut self.scratch, &self.here, choice, &mut self.next) {
            Err(Halt::Unknown(unknown)) => Err(unknown),
            Err(Halt::Stop(Stop::Hazard(hazard))) => Ok(Way::Hazard(hazard)),
            Err(Halt::Stop(Stop::Bound(bound))) => {
                match self.chooser.every_state {
                    true => self.gains.bound = self.gains.bound.into_iter().chain([bound]).min(),
                    false => self.gains.unfit = Some(Unfit::Bound),
                }
                Ok(Way::Nowhere)
            }
            Ok(Landed { after, warning, stayed }) => {
                let node = expander.shape.node(&self.here, choice.slot);
                if self.chooser.tables.may_free(node as usize) {
                    self.gains.freed_linked |= is_freed_linked(expander.layout, &self.next);
                }
                self.chooser.settle(&mut self.room, &mut self.next);
                if self.asleep != 0 {
                    self.asleep = self.still_asleep(choice, stayed, alone)?;
                }
                let certainly_none = self.past || alone && self.leaves_waits_alone(choice.slot, after);
                if !certainly_none && let Some(deadlock) = expander.deadlock(&self.next) {
                    return Ok(Way::Deadlock(deadlock));
                }
                if let Some(hazard) = warning {
                    self.report(*hazard, false);
                }
                Ok(Way::On(after.unwrap_or(choice.slot)))
            }
        }
    }

    /// The tasks that stay asleep after the step from `here` to `next`, by their slots there: those whose next steps
    /// commute with it. `alone`: all of them do.
    fn still_asleep(&mut self, choice: Choice, stayed: bool, alone: bool) -> Result<u64, Box<Unknown>> {
        let mut asleep = 0;
        for slot in members(self.asleep & !(1 << choice.slot)) {
            let after = if stayed { Some(slot) } else { self.scratch.place(slot) };
            if let Some(after) = after
                && (alone || self.commute(choice, slot, after)?)
            {
                asleep |= 1 << after;
            }
        }
        Ok(asleep)
    }

    /// Whether the step from `here` to `next` and that of another task come to the same in either order; the other
    /// task's slot in both states.
    fn commute(&mut self, choice: Choice, slot: usize, after: usize) -> Result<bool, Box<Unknown>> {
        let Walker { chooser, room, here, next, orders, .. } = self;
        let Orders { scratch, told: [told_here, told_next], between, both: [one, other] } = orders;
        let expander = chooser.expander;
        let (mut here, mut next) = (&*here, &*next);
        [&mut *between, one, other].into_iter().for_each(|state| state.resize(here.len(), 0));
        // Where the task in a slot is after a step that goes on without a warning.
        let mut take = |from: &[u8], choice: Choice, to: &mut [u8], of: usize| {
            let node = &expander.nodes[expander.shape.node(from, choice.slot) as usize];
            if !expander.is_enabled(node, from, choice.slot) || !expander.started(from, choice.slot) {
                return Ok(None);
            }
            match expander.try_step(scratch, from, choice, to) {
                Err(Halt::Unknown(unknown)) => Err(unknown),
                Ok(Landed { warning: None, stayed: true, .. }) => Ok(Some(of)),
                Ok(Landed { warning: None, .. }) => Ok(scratch.place(of)),
                Ok(_) | Err(Halt::Stop(_)) => Ok(None),
            }
        };
        if !expander.facts.is_empty() {
            // Which facts are so already must not matter, only which the steps set: what none sets differs from all.
            told_here.clone_from(here);
            told_next.clone_from(next);
            expander.facts.iter().for_each(|at| told_here[*at] = u8::MAX);
            if take(told_here, choice, told_next, choice.slot)?.is_none() {
                return Ok(false);
            }
            chooser.settle(room, told_next);
            (here, next) = (told_here, told_next);
        }
        if take(next, Choice { slot: after, outcome: 0 }, one, after)?.is_none() {
            return Ok(false);
        }
        let Some(place) = take(here, Choice { slot, outcome: 0 }, between, choice.slot)? else {
            return Ok(false);
        };
        if take(between, Choice { slot: place, ..choice }, other, place)?.is_none() {
            return Ok(false);
        }
        chooser.settle(room, one);
        chooser.settle(room, other);
        if one != other {
            chooser.fade(one);
            chooser.fade(other);
        }
        Ok(one == other)
    }

    /// Whether a step that commutes with all others certainly completes no deadlock: the task can go on,
    /// holds what it held, and has started nobody who might have to wait at once.
    fn leaves_waits_alone(&self, before: usize, after: Option<usize>) -> bool {
        let expander = self.chooser.expander;
        let Some(after) = after else { return false };
        let (from, to) = (expander.shape.node(&self.here, before), expander.shape.node(&self.next, after));
        if to == EMPTY {
            return false;
        }
        let (from, to) = (&expander.nodes[from as usize], &expander.nodes[to as usize]);
        from.spawns == EMPTY && from.holds == to.holds && expander.is_enabled(to, &self.next, after)
    }

    /// Looks at a state that is stored as every one is, for what is a property of it.
    fn look_at(&mut self, nobody_goes_on: bool) {
        let expander = self.chooser.expander;
        let memory = &self.here[..expander.shape.memory];
        let snapshot = Snapshot::new(expander.layout, memory);
        for (place, expectation) in expander.program.expectations().iter().enumerate() {
            if expectation.when == When::Sometimes && expectation.holds(snapshot) {
                self.gains.held.insert(place);
            }
        }
        let broken = broken(expander.program, memory);
        let races = match self.chooser.data_races {
            true => expander.system.races(&expander.unpack(&self.here)),
            false => Vec::new(),
        };
        broken.into_iter().chain(races).for_each(|hazard| self.report(hazard, true));
        if nobody_goes_on {
            self.at_rest();
        }
    }

    /// Fails if a hazard of the state at rest `here` needs more than one fact, or that there is none.
    fn needs_one_fact_each(&self, hazards: &[Hazard]) {
        let expander = self.chooser.expander;
        let facts = || expander.facts.iter().map(|at| self.here[*at]);
        if facts().all(|bits| bits == 0) {
            return;
        }
        let mut memory = self.here[..expander.shape.memory].to_vec();
        expander.facts.iter().for_each(|at| memory[*at] = 0);
        let mut found: BTreeSet<Hazard> = expander.program.at_quiescence(&memory).into_iter().collect();
        for (at, bits) in expander.facts.iter().zip(facts()) {
            for bit in (0..u8::BITS).map(|bit| 1 << bit).filter(|bit| bits & bit != 0) {
                memory[*at] = bit;
                found.extend(expander.program.at_quiescence(&memory));
            }
            memory[*at] = 0;
        }
        assert!(
            hazards.iter().all(|hazard| found.contains(hazard)),
            "a hazard needs several facts: {hazards:?}"
        );
        assert_eq!(
            hazards.iter().collect::<BTreeSet<_>>().len(),
            found.len(),
            "a hazard needs that facts are missing"
        );
    }

    fn at_rest(&mut self) {
        let expander = self.chooser.expander;
        let plain = expander.unpack(&self.here);
        if expander.system.quiescent(&plain) {
            let hazards = expander.program.at_quiescence(plain.memory());
            if cfg!(debug_assertions) {
                self.needs_one_fact_each(&hazards);
            }
            hazards.into_iter().for_each(|hazard| self.report(hazard, true));
        }
    }
}
