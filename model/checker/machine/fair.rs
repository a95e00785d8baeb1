//! Weak fairness of a cycle in one run: a task that could go on in all of its states takes a step in it.
//!
//! A cycle may end with its workers in another order than it began. So a task that only waits for its turn
//! is not starved if one like it moves: they take turns from round to round.

use super::history::History;
use super::program::Program;
use super::run::Run;

/// The tasks of one state of a run: their numbers, where they are, and whether they can go on.
pub struct Seen {
    tasks: Vec<(usize, History, bool)>,
}

impl Seen {
    /// The tasks of a run now.
    #[must_use]
    pub fn of<P: Program>(run: &Run<'_, P>) -> Self {
        let tasks = run.tasks().iter().enumerate().filter_map(|(slot, task)| {
            let task = task.as_ref()?;
            Some((task.number, task.control.clone(), run.enabled(slot)))
        });
        Seen { tasks: tasks.collect() }
    }

    fn goes_on(&self, number: usize) -> bool {
        self.tasks.iter().any(|(other, _, enabled)| *other == number && *enabled)
    }
}

/// Whether the cycle through these states, in which these tasks move by their numbers, is weakly fair. A task
/// that starts or ends within the cycle does so again in each of its rounds.
#[must_use]
pub fn is_fair(states: &[Seen], movers: &[usize]) -> bool {
    let Some(first) = states.first() else { return false };
    let moves = |control: &History| {
        first.tasks.iter().any(|(number, other, _)| other == control && movers.contains(number))
    };
    let starves = |(number, control, _): &(usize, History, bool)| {
        states.iter().all(|state| state.goes_on(*number)) && !movers.contains(number) && !moves(control)
    };
    !movers.is_empty() && !first.tasks.iter().any(starves)
}
