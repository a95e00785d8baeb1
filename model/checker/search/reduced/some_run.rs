//! A run to a hazard, not the shortest: for when the search for the shortest one was cut. The search is
//! made once more, and this time remembers how it came to each state.

use std::time::Instant;

use super::chain::{Sought, Walker};
use super::choose::Chooser;
use super::{Reduced, Searched};
use crate::machine::program::Program;
use crate::search::reference::{Cut, Found, Limits};
use crate::search::shortest::Follower;
use crate::search::system::Choice;
use crate::search::visited::batch::hash;
use crate::search::visited::exact::Exact;
use crate::search::visited::shard::Shard;

/// How the search came to a stored state: from which one, by which steps.
type Way = (Option<usize>, Box<[Choice]>);

impl<P: Program> Reduced<'_, P> {
    /// A run to a hazard that was found.
    ///
    /// # Errors
    ///
    /// The limit that was hit before.
    pub fn some_run(&mut self, id: &'static str, limits: &Limits) -> Result<Found, Cut> {
        const BETWEEN_LOOKS: usize = 256;
        let begun = Instant::now();
        let mut store = Exact::new(self.searched.expander.shape.stride().into());
        let mut ways: Vec<Way> = Vec::new();
        let mut at: Option<usize> = None;
        loop {
            match self.searched.look(id, &mut store, &mut ways, at) {
                Some((steps, hazard)) => {
                    let mut schedule = steps;
                    while let Some(place) = at {
                        let (from, steps) = &ways[place];
                        schedule.splice(0..0, steps.iter().copied());
                        at = *from;
                    }
                    let schedule = self.searched.named(&schedule, hazard.is_some());
                    let (others, cycle) = (0, None);
                    return Ok(Found { id, schedule, at_rest: hazard, cycle, others, may_be_longer: true });
                }
                None => at = Some(at.map_or(0, |at| at + 1)),
            }
            assert!(at.is_none_or(|at| at < ways.len()), "internal: {id} was found and is not there");
            let bytes = store.bytes() + ways.len() * size_of::<Way>();
            if let Some(limit) = limits.memory_limit.filter(|limit| bytes >= *limit) {
                return Err(Cut::Memory(limit));
            }
            if at.is_some_and(|at| at.is_multiple_of(BETWEEN_LOOKS))
                && let Some(cut) = limits.stop(begun)
            {
                return Err(cut);
            }
        }
    }
}

impl<P: Program> Searched<'_, P> {
    /// Expands a stored state (`None`: begins), until the hazard turns up.
    fn look(
        &mut self,
        id: &'static str,
        store: &mut Exact,
        ways: &mut Vec<Way>,
        at: Option<usize>,
    ) -> Option<(Vec<Choice>, Option<crate::machine::hazard::Hazard>)> {
        loop {
            // The run is one of the program's own, with all that workers do.
            let chooser = Chooser { settles: false, ..self.chooser() };
            let mut walker = Walker::new(&chooser, false);
            walker.sought = Some(Sought { id, hits: Vec::new() });
            let mut found: Vec<(Vec<u8>, Box<[Choice]>)> = Vec::new();
            let result = match at {
                None => {
                    walker.start(&self.initial);
                    let result = walker.run(0);
                    if let Ok(true) = result {
                        found.push((walker.state().to_vec(), walker.arrived().into()));
                    }
                    result.map(|_| ())
                }
                Some(place) => {
                    let state = store.at(place).to_vec();
                    walker.expand(&state, |state, way| found.push((state.to_vec(), way.into())))
                }
            };
            if let Err(unknown) = result {
                // Nothing is taken for alike here.
                let _ = self.learn(*unknown);
                continue;
            }
            for (state, way) in found {
                if store.insert(&state, hash(&state)) {
                    ways.push((at, way));
                }
            }
            return walker.sought.and_then(|sought| sought.hits.into_iter().next());
        }
    }

    /// A run in which workers stay where they are.
    pub(super) fn named(&mut self, schedule: &[Choice], at_rest: bool) -> Vec<Choice> {
        let mut state = self.expander.unpack(&self.initial);
        let system = &mut self.expander.system;
        let mut follower = Follower::new(system);
        for (place, choice) in schedule.iter().enumerate() {
            if place + 1 == schedule.len() && !at_rest {
                follower.last(*choice);
                break;
            }
            let Ok(moved) = system.step(&state, *choice) else { unreachable!("internal: a step of a run") };
            follower.take(&state, *choice, &moved);
            state = moved.state;
        }
        follower.schedule
    }
}
