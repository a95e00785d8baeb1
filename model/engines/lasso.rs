//! Livelocks in one run: it comes back to a state in which it has been, and everybody had a turn.
//!
//! The run is repeated on the machine, which knows whole states. A cycle counts by the same weak fairness
//! as in the searches: each task that is there throughout moves, or cannot go on
//! in one of the states. A task that starts or ends within the cycle does so again in each of its turns.
//! Nothing after a deadlock counts. Most runs come to an end or to a hazard first, so that a livelock is
//! missed says nothing.

use indexmap::IndexMap;

use raddle_checker::machine::fair::{Seen, is_fair};
use raddle_checker::machine::program::Program;
use raddle_checker::machine::run::Run;
use raddle_checker::story::Turn;

/// A cycle within a run: the numbers of its first step and of the first one after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lasso {
    /// So many steps come before the cycle.
    pub begins: usize,
    /// So many steps are a run that ends where the cycle closes.
    pub ends: usize,
}

/// The first fair cycle that a schedule closes; `None` if there is none or the schedule is a hazard.
#[must_use]
pub fn lasso<P: Program>(program: &P, memory: &[u8], schedule: &[Turn]) -> Option<Lasso> {
    let mut run = Run::from_memory(program, memory.to_vec());
    let mut places: IndexMap<_, Vec<usize>> = IndexMap::from([(run.content(), vec![0])]);
    let mut states = vec![Seen::of(&run)];
    let mut movers = Vec::new();
    for (number, turn) in schedule.iter().enumerate() {
        movers.push(run.tasks().get(turn.slot)?.as_ref()?.number);
        let taken = run.step(turn.slot, turn.outcome).ok()?;
        if taken.hazard.is_some_and(|hazard| !hazard.goes_on()) {
            return None;
        }
        states.push(Seen::of(&run));
        let ends = number + 1;
        let before = places.entry(run.content()).or_default();
        let fair = |begins: &usize| is_fair(&states[*begins..], &movers[*begins..]);
        if let Some(begins) = before.iter().copied().rev().find(fair) {
            return run.deadlocked().is_empty().then_some(Lasso { begins, ends });
        }
        before.push(ends);
    }
    None
}
