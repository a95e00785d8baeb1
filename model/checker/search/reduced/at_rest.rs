//! The shortest run to a hazard of states at rest, without a search of all states.
//!
//! A run that ends at rest can be reordered to one of the reduced search without a step more or less: in a state at
//! rest nothing is enabled, so a member of each persistent set has moved before. So the steps from any state to the
//! nearest such hazard are those of the reduced search from there ([`Map`]). With them, a depth-first search
//! meets only states on shortest runs. It is bounded by context switches (Musuvathi and Qadeer, *Iterative context
//! bounding for systematic testing of multithreaded programs*, 2007): each task that has still to move costs one at
//! least, so the bound begins there and grows until a run is found. Steps are tried in their order, so the first run
//! found is the one that docs/hazards.md defines.

use std::time::Instant;

use hashbrown::HashMap;
use rapidhash::fast::RandomState;

use super::chain::{Sought, Walker};
use super::choose::{Chooser, Room};
use super::{Reduced, Searched, VAIN};
use crate::machine::hazard::Hazard;
use crate::machine::program::Program;
use crate::search::packed::expand::{Halt, Scratch, Unknown};
use crate::search::reference::{Cut, Found, Limits};
use crate::search::shortest::{in_slot, switches};
use crate::search::system::Choice;

/// What lies between a state and the nearest hazard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ToGo {
    /// Steps.
    steps: u32,
    /// Tasks that are spawned on the way, at least.
    spawns: u32,
    /// The slots of tasks that move on each of the shortest ways, workers left out.
    moves: u64,
}

impl ToGo {
    const THERE: ToGo = ToGo { steps: 0, spawns: 0, moves: 0 };

    /// After another way.
    fn after(self, way: ToGo) -> ToGo {
        ToGo {
            steps: self.steps + way.steps,
            spawns: self.spawns + way.spawns,
            moves: self.moves | way.moves,
        }
    }

    /// What is so on all shortest of two ways.
    fn or(self, other: Option<ToGo>) -> ToGo {
        match other {
            None => self,
            Some(other) if other.steps != self.steps => {
                if other.steps < self.steps {
                    other
                } else {
                    self
                }
            }
            Some(other) => {
                ToGo { spawns: self.spawns.min(other.spawns), moves: self.moves & other.moves, ..self }
            }
        }
    }
}

/// Why there is no answer.
enum NoWay {
    /// The hazard is one of a step, too, or states come back.
    NotAtRest,
    /// A worker that the search took for idle does what nobody has done yet.
    Unknown(Box<Unknown>),
    Cut(Cut),
}

impl From<Box<Unknown>> for NoWay {
    fn from(unknown: Box<Unknown>) -> Self {
        NoWay::Unknown(unknown)
    }
}

/// What is known of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// Its ways are being looked through.
    Open,
    /// `None`: the hazard is not to be had from there.
    ToGo(Option<ToGo>),
}

/// A state whose ways are being looked through.
struct Frame {
    state: Box<[u8]>,
    /// The states that it leads to, and the ways there.
    next: Vec<(Box<[u8]>, ToGo)>,
    best: Option<ToGo>,
    /// The way to it from the state before.
    way: ToGo,
}

/// How far it is from states to a hazard.
struct Map<'s, 'p, P: Program> {
    searched: &'s Searched<'p, P>,
    id: &'static str,
    limits: &'s Limits,
    begun: Instant,
    /// What is known of states that the reduced search stores.
    known: HashMap<Box<[u8]>, Known, RandomState>,
    /// By place (a state, who went last, the steps to go), with how many switches no run was found.
    vain: HashMap<Box<[u8]>, u32, RandomState>,
    /// The most spawned tasks that were unfinished at once.
    most_spawned: usize,
    scratch: Scratch,
}

/// Where a search begins.
enum Begin<'s> {
    /// In any state.
    Any(&'s [u8]),
    /// In one that the reduced search stores.
    Stored(&'s [u8]),
}

impl<'s, 'p, P: Program> Map<'s, 'p, P> {
    fn chooser(&self) -> Chooser<'s, 'p, P> {
        // What workers do counts as steps, so none is taken for idle.
        Chooser { settles: false, ..self.searched.chooser() }
    }

    /// How far it is from a state.
    fn distance(&mut self, state: &[u8]) -> Result<Option<ToGo>, NoWay> {
        let mut stack = vec![self.frame(Begin::Any(state), ToGo::THERE)?];
        loop {
            let top = stack.last_mut().expect("internal: the first state is left last");
            if let Some((state, way)) = top.next.pop() {
                match self.known.get(&state) {
                    // The states come back.
                    Some(Known::Open) => return Err(NoWay::NotAtRest),
                    Some(Known::ToGo(rest)) => {
                        top.best = rest.map(|rest| rest.after(way).or(top.best)).or(top.best);
                    }
                    None => {
                        let frame = self.frame(Begin::Stored(&state), way)?;
                        self.known.insert(state, Known::Open);
                        stack.push(frame);
                    }
                }
                continue;
            }
            let Some(Frame { state, best, way, .. }) = stack.pop() else { unreachable!("internal: a state") };
            let Some(before) = stack.last_mut() else { return Ok(best) };
            before.best = best.map(|rest| rest.after(way).or(before.best)).or(before.best);
            self.known.insert(state, Known::ToGo(best));
        }
    }

    /// The states that the reduced search stores next, and what is known of hazards on the way.
    fn frame(&mut self, from: Begin<'_>, way: ToGo) -> Result<Frame, NoWay> {
        const BETWEEN_LOOKS: usize = 256;
        let size = self.known.len() + self.vain.len();
        let bytes = size * (self.searched.expander.shape.stride() + size_of::<(Box<[u8]>, Known)>());
        if let Some(limit) = self.limits.state_limit.filter(|limit| size >= *limit) {
            return Err(NoWay::Cut(Cut::States(limit)));
        }
        if let Some(limit) = self.limits.memory_limit.filter(|limit| bytes >= *limit) {
            return Err(NoWay::Cut(Cut::Memory(limit)));
        }
        if size.is_multiple_of(BETWEEN_LOOKS)
            && let Some(cut) = self.limits.stop(self.begun)
        {
            return Err(NoWay::Cut(cut));
        }
        let chooser = self.chooser();
        let mut walker = Walker::new(&chooser, false);
        walker.sought = Some(Sought { id: self.id, hits: Vec::new() });
        let mut found: Vec<(Vec<u8>, Box<[Choice]>)> = Vec::new();
        let state = match from {
            Begin::Any(state) => {
                walker.start(state);
                if walker.run(0)? {
                    found.push((walker.state().to_vec(), walker.arrived().into()));
                }
                state
            }
            Begin::Stored(state) => {
                walker.expand(state, |state, way| found.push((state.to_vec(), way.into())))?;
                state
            }
        };
        if walker.gains.unfit.is_some() {
            return Err(NoWay::NotAtRest);
        }
        let hits = walker.sought.map(|sought| sought.hits).unwrap_or_default();
        let mut frame = Frame { state: state.into(), next: Vec::new(), best: None, way };
        for (way, hazard) in hits {
            if hazard.is_none() {
                return Err(NoWay::NotAtRest);
            }
            frame.best = Some(self.along(state, &way)?.or(frame.best));
        }
        for (mut to, way) in found {
            let way = self.along(state, &way)?;
            chooser.fade(&mut to);
            frame.next.push((to.into(), way));
        }
        Ok(frame)
    }

    /// What lies on a way.
    fn along(&mut self, state: &[u8], way: &[Choice]) -> Result<ToGo, NoWay> {
        let (mut here, mut next) = (state.to_vec(), state.to_vec());
        let mut all = ToGo::THERE;
        for choice in way {
            let Some((step, _)) = self.step(&here, *choice, &mut next)? else {
                unreachable!("internal: a step of a run")
            };
            all = all.after(step);
            std::mem::swap(&mut here, &mut next);
        }
        Ok(all)
    }

    /// A step, and the slot in which its task is then; `None` if it leads nowhere.
    fn step(
        &mut self,
        here: &[u8],
        choice: Choice,
        next: &mut [u8],
    ) -> Result<Option<(ToGo, Option<usize>)>, NoWay> {
        let expander = &self.searched.expander;
        let landed = match expander.try_step(&mut self.scratch, here, choice, next) {
            Ok(landed) => landed,
            Err(Halt::Unknown(unknown)) => return Err(unknown.into()),
            Err(Halt::Stop(_)) => return Ok(None),
        };
        let is_worker = expander.system.workers().contains(&choice.slot);
        let left = usize::from(is_worker && landed.after.is_none());
        let unfinished = expander.spawned(next);
        self.most_spawned = self.most_spawned.max(unfinished);
        let spawns = unfinished + left - expander.spawned(here);
        let moves = if is_worker { 0 } else { 1 << choice.slot };
        Ok(Some((ToGo { steps: 1, spawns: spawns as u32, moves }, landed.after)))
    }
}

/// A state on shortest runs.
struct Place {
    state: Vec<u8>,
    /// Who went last, as [`in_slot`] has it.
    last: Option<u8>,
    /// The switches that are left.
    budget: u32,
    to_go: ToGo,
    /// The steps that have still to be tried, the first one last.
    choices: Vec<Choice>,
}

impl<P: Program> Reduced<'_, P> {
    /// The run that is shown for a hazard, if it is one of states at rest alone; `None` if it is not.
    ///
    /// # Errors
    ///
    /// The limit that was hit.
    pub fn shortest_to_rest(&mut self, id: &'static str, limits: &Limits) -> Result<Option<Found>, Cut> {
        let begun = Instant::now();
        let (schedule, hazard, spawned) = loop {
            match self.searched.shortest_to_rest(id, limits, begun) {
                Ok(run) => break run,
                Err(NoWay::NotAtRest) => return Ok(None),
                Err(NoWay::Cut(cut)) => return Err(cut),
                Err(NoWay::Unknown(unknown)) => self.searched.learn_more(*unknown),
            }
            if !self.searched.expander.fits() {
                return Ok(None);
            }
        };
        self.outcome.most_spawned = self.outcome.most_spawned.max(spawned);
        let schedule = self.searched.named(&schedule, true);
        let (others, cycle, at_rest) = (0, None, Some(hazard));
        Ok(Some(Found { id, schedule, at_rest, cycle, others, may_be_longer: false }))
    }
}

impl<P: Program> Searched<'_, P> {
    fn shortest_to_rest(
        &self,
        id: &'static str,
        limits: &Limits,
        begun: Instant,
    ) -> Result<(Vec<Choice>, Hazard, usize), NoWay> {
        let mut map = Map {
            searched: self,
            id,
            limits,
            begun,
            known: HashMap::default(),
            vain: HashMap::default(),
            most_spawned: 0,
            scratch: Scratch::default(),
        };
        let Some(to_go) = map.distance(&self.initial)? else { return Err(NoWay::NotAtRest) };
        // The first task to move costs no switch.
        let mut bound = self.switches(&self.initial, None, to_go).saturating_sub(1);
        loop {
            if let Some((run, hazard)) = self.within(&mut map, to_go, bound)? {
                return Ok((run, hazard, map.most_spawned));
            }
            bound += 1;
        }
    }

    /// The automata grow by what was met, and the tables are made anew.
    fn learn_more(&mut self, unknown: Unknown) {
        let tried = [unknown.tried.0.clone()];
        // Nothing is taken for alike here.
        let _ = self.learn(unknown);
        let _ = self.learn_ahead(&tried, VAIN);
        self.look_again();
    }

    /// The fewest switches that may still be needed. `last`: the slot of the task that went last, if it is in one.
    fn switches(&self, state: &[u8], last: Option<usize>, to_go: ToGo) -> u32 {
        let (mut moves, mut workers) = (to_go.moves, self.expander.spawned(state) as u32);
        if let Some(slot) = last {
            match self.expander.system.workers().contains(&slot) {
                true => workers -= 1,
                false => moves &= !(1 << slot),
            }
        }
        moves.count_ones() + workers + to_go.spawns
    }

    /// The first run with no more than so many switches.
    fn within(
        &self,
        map: &mut Map<'_, '_, P>,
        to_go: ToGo,
        bound: u32,
    ) -> Result<Option<(Vec<Choice>, Hazard)>, NoWay> {
        let expander = &self.expander;
        let mut room = Room::default();
        let chooser = map.chooser();
        let place = |state: Vec<u8>, last: Option<u8>, budget: u32, to_go: ToGo| {
            let mut choices = Vec::new();
            expander.enabled(&state, &mut choices);
            choices.reverse();
            Place { state, last, budget, to_go, choices }
        };
        let mut run: Vec<Choice> = Vec::new();
        let mut stack = vec![place(self.initial.clone(), None, bound, to_go)];
        let mut next = self.initial.clone();
        let mut key = Vec::new();
        while let Some(top) = stack.last_mut() {
            if top.to_go.steps == 0 {
                let plain = expander.unpack(&top.state);
                let mut hazards = expander.program.at_quiescence(plain.memory()).into_iter();
                let hazard = hazards.find(|hazard| hazard.id == map.id).ok_or(NoWay::NotAtRest)?;
                return Ok(Some((run, hazard)));
            }
            let Some(choice) = top.choices.pop() else {
                stack.pop();
                run.pop();
                continue;
            };
            let Some(budget) = top.budget.checked_sub(switches(top.last, choice.slot)) else { continue };
            let Some((step, after)) = map.step(&top.state, choice, &mut next)? else { continue };
            let last = in_slot(after);
            // What is needed after this step, if it is on a shortest way.
            let mut rest = ToGo {
                steps: top.to_go.steps - 1,
                spawns: top.to_go.spawns.saturating_sub(step.spawns),
                moves: top.to_go.moves & !step.moves,
            };
            if after.is_some_and(|slot| self.must_move(&next, slot)) {
                rest.moves |= step.moves;
            }
            if self.switches(&next, after, rest) > budget {
                continue;
            }
            key.clear();
            key.extend_from_slice(&next);
            key.push(last);
            // A state may be met after more steps than one, and only some be the fewest.
            key.extend_from_slice(&rest.steps.to_le_bytes());
            if map.vain.get(&key[..]).is_some_and(|vain| *vain >= budget) {
                continue;
            }
            // The only step of a persistent set is on a shortest way.
            let outcomes = expander.nodes[expander.shape.node(&top.state, choice.slot) as usize].outcomes;
            let alone = outcomes == 1 && chooser.clashers_of(&mut room, &top.state, choice.slot) == 0;
            if !alone {
                match map.distance(&next)? {
                    Some(to_go) if to_go.steps == rest.steps => rest = to_go,
                    // On no shortest way at all.
                    _ => {
                        map.vain.insert(key[..].into(), u32::MAX);
                        continue;
                    }
                }
                if self.switches(&next, after, rest) > budget {
                    continue;
                }
            }
            // As long as it is on the stack it is not met again, and later it was in vain.
            map.vain.insert(key[..].into(), budget);
            run.push(choice);
            stack.push(place(next.clone(), Some(last), budget, rest));
        }
        Ok(None)
    }

    /// Whether the task in a slot cannot be left where it is at rest.
    fn must_move(&self, state: &[u8], slot: usize) -> bool {
        let kind = &self.expander.program.slots()[slot].kind;
        self.expander.next(state, slot).is_some_and(|op| !kind.rests(op))
    }
}
