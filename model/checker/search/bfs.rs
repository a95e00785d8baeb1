//! Breadth-first search over all states, one loop; a [`Visitor`] is told what it sees.

use indexmap::IndexSet;
use rustc_hash::FxBuildHasher;

use super::system::{Choice, State, System};
use crate::machine::hazard::Hazard;
use crate::machine::program::Program;
use crate::machine::run::deadlock;
use crate::machine::step::Stop;

/// States in the order in which they were found.
pub type States = IndexSet<State, FxBuildHasher>;

/// A state that is expanded.
#[derive(Clone, Copy, Debug)]
pub struct Here<'a> {
    /// Its number, in breadth-first order.
    pub index: usize,
    /// How many steps away from the initial state it is.
    pub depth: usize,
    /// The state.
    pub state: &'a State,
    /// The steps that it allows.
    pub choices: &'a [Choice],
}

/// Where a step leads.
#[derive(Clone, Debug)]
pub enum Led<'a> {
    /// To a state.
    To {
        /// Its number.
        index: usize,
        /// Whether it is farther from the initial state than the one before the step.
        deeper: bool,
        /// The state.
        state: &'a State,
        /// The slot in which the task that moved is now, unless it has left it.
        after: Option<usize>,
        /// A hazard that did not keep the task from going on.
        warning: Option<Box<Hazard>>,
    },
    /// To a state in which tasks wait for each other for ever; nothing is explored from there.
    Deadlock(Box<Hazard>, &'a State),
    /// Nowhere.
    Nowhere(Stop),
}

/// Is told what a search sees.
pub trait Visitor<P: Program> {
    /// The initial state is a deadlock; nothing is explored.
    fn begins_dead(&mut self, _hazard: Hazard) {}

    /// A state is expanded.
    fn state(&mut self, _system: &System<'_, P>, _here: Here<'_>) {}

    /// A step of it was taken.
    fn step(&mut self, _system: &System<'_, P>, _here: Here<'_>, _choice: Choice, _led: Led<'_>) {}

    /// Whether to go on, after so many of the states found have been expanded.
    fn goes_on(&mut self, _found: &States, _expanded: usize) -> bool {
        true
    }
}

/// Visits all states that can be reached from this memory, for as long as the visitor goes on. Returns the
/// states, and how many of them were expanded.
pub fn search<P: Program>(
    system: &mut System<'_, P>,
    memory: &[u8],
    visitor: &mut impl Visitor<P>,
) -> (States, usize) {
    let mut found = States::default();
    found.insert(system.initial(memory));
    let waiters = system.deadlocked(&found[0]);
    if !waiters.is_empty() {
        visitor.begins_dead(*deadlock(&waiters));
        return (found, 0);
    }
    let mut choices = Vec::new();
    let (mut index, mut depth, mut next_depth_begins) = (0, 0, 1);
    while let Some(state) = found.get_index(index).cloned() {
        if index == next_depth_begins {
            depth += 1;
            next_depth_begins = found.len();
        }
        system.enabled(&state, &mut choices);
        let here = Here { index, depth, state: &state, choices: &choices };
        visitor.state(system, here);
        for choice in &choices {
            match system.step(&state, *choice) {
                Err(stop) => visitor.step(system, here, *choice, Led::Nowhere(stop)),
                Ok(moved) => {
                    let known = found.get_index_of(&moved.state);
                    let waiters = known.map_or_else(|| system.deadlocked(&moved.state), |_| Vec::new());
                    if !waiters.is_empty() {
                        let led = Led::Deadlock(deadlock(&waiters), &moved.state);
                        visitor.step(system, here, *choice, led);
                        continue;
                    }
                    let index = known.unwrap_or_else(|| found.insert_full(moved.state).0);
                    let (state, after, warning) = (&found[index], moved.after, moved.warning);
                    visitor.step(
                        system,
                        here,
                        *choice,
                        Led::To { index, deeper: index >= next_depth_begins, state, after, warning },
                    );
                }
            }
        }
        index += 1;
        if !visitor.goes_on(&found, index) {
            break;
        }
    }
    (found, index)
}
