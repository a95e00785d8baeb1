//! What loom must know of a program before it starts, from a plain enumeration of its states: which
//! tasks ever run, and which cells ever change. Also the memories in which nothing can happen any
//! more, which all complete engines must reach.

use indexmap::IndexSet;
use rustc_hash::FxBuildHasher;

use crate::machine::layout::CellId;
use crate::machine::program::Program;
use crate::search::system::{NoMove, State, System};

/// What an enumeration of all states saw.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// The slots whose tasks ever take a step: named ones, then as many workers as were in use at once.
    pub slots: Vec<usize>,
    /// For each cell whether a step ever changes it.
    pub changes: Vec<bool>,
    /// The memories in which nothing can happen any more, sorted.
    pub terminal: Vec<Vec<u8>>,
    /// States.
    pub states: usize,
}

/// Enumerates all states; `None` if there are more than so many, or too few workers.
#[must_use]
pub fn survey<P: Program>(program: &P, memory: &[u8], state_limit: usize) -> Option<Survey> {
    let layout = program.layout();
    let mut system = System::new(program);
    let mut states: IndexSet<State, FxBuildHasher> = IndexSet::default();
    states.insert(system.initial(memory));
    let mut survey = Survey { changes: vec![false; layout.cells().len()], ..Survey::default() };
    let mut slots = IndexSet::new();
    let mut terminal = IndexSet::new();
    let mut most_spawned = 0;
    let mut choices = Vec::new();
    let mut index = 0;
    while let Some(state) = states.get_index(index).cloned() {
        index += 1;
        most_spawned = most_spawned.max(system.spawned(&state));
        system.enabled(&state, &mut choices);
        if choices.is_empty() && system.quiescent(&state) {
            terminal.insert(state.memory().to_vec());
        }
        for choice in &choices {
            if !system.is_worker(choice.slot) {
                slots.insert(choice.slot);
            }
            let moved = match system.step(&state, *choice) {
                Ok(moved) => moved,
                Err(NoMove::Hazard(_)) => continue,
                Err(NoMove::NoWorker) => return None,
            };
            let (before, after) = (state.memory(), moved.state.memory());
            for (cell, changes) in layout.ids().zip(&mut survey.changes) {
                let range = layout.info(cell).range();
                *changes |= before[range.clone()] != after[range];
            }
            if !states.contains(&moved.state) && system.deadlocked(&moved.state).is_empty() {
                if states.len() >= state_limit {
                    return None;
                }
                states.insert(moved.state);
            }
        }
    }
    slots.sort_unstable();
    slots.extend(system.workers().take(most_spawned));
    survey.slots = slots.into_iter().collect();
    survey.terminal = terminal.into_iter().collect();
    survey.terminal.sort_unstable();
    survey.states = states.len();
    Some(survey)
}

impl Survey {
    /// Whether a step ever changes a cell.
    #[must_use]
    pub fn changes(&self, cell: CellId) -> bool {
        self.changes[usize::from(cell.0)]
    }
}
