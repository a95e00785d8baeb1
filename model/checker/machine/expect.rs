//! Properties that a program is to have.

use std::fmt;
use std::sync::Arc;

use super::hazard::{About, Hazard};
use super::layout::{Cell, Layout};
use super::program::Program;
use super::value::Datum;

/// A state's memory, by the names of its cells.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot<'a> {
    layout: &'a Layout,
    memory: &'a [u8],
}

impl<'a> Snapshot<'a> {
    /// The memory of a state.
    #[must_use]
    pub fn new(layout: &'a Layout, memory: &'a [u8]) -> Self {
        Snapshot { layout, memory }
    }

    /// The value of a variable.
    #[must_use]
    pub fn get<T: Datum>(&self, cell: Cell<T>) -> T {
        let id = self.layout.find(cell);
        T::from_obs(self.layout.decode(id, self.memory[self.layout.info(id).offset]))
    }

    /// Whether a mutex is held.
    #[must_use]
    pub fn is_locked(&self, mutex: Cell<()>) -> bool {
        self.memory[self.layout.info(self.layout.find(mutex)).offset] != 0
    }
}

/// In which states an expectation is to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// In every state.
    Always,
    /// In every state in which nothing can happen any more.
    AtRest,
    /// In some state: a run must exist that gets there.
    Sometimes,
}

/// An expectation of states.
#[derive(Clone)]
pub struct Expectation {
    /// Its name; a violation goes by it.
    pub name: &'static str,
    /// Where it is to hold.
    pub when: When,
    holds: Arc<dyn Fn(Snapshot<'_>) -> bool + Send + Sync>,
}

impl Expectation {
    /// An expectation of this name.
    #[must_use]
    pub fn new(
        name: &'static str,
        when: When,
        holds: impl Fn(Snapshot<'_>) -> bool + Send + Sync + 'static,
    ) -> Self {
        Expectation { name, when, holds: Arc::new(holds) }
    }

    /// Whether it holds in a state.
    #[must_use]
    pub fn holds(&self, snapshot: Snapshot<'_>) -> bool {
        (self.holds)(snapshot)
    }
}

impl fmt::Debug for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expectation")
            .field("name", &self.name)
            .field("when", &self.when)
            .finish_non_exhaustive()
    }
}

/// The properties that are to hold always, and do not in this state.
#[must_use]
pub fn broken<P: Program>(program: &P, memory: &[u8]) -> Vec<Hazard> {
    let snapshot = Snapshot::new(program.layout(), memory);
    let expectations = program.expectations().iter();
    let broken =
        expectations.filter(|expectation| expectation.when == When::Always && !expectation.holds(snapshot));
    broken
        .map(|expectation| {
            Hazard::new(expectation.name, About::Program, format!("{} does not hold", expectation.name))
        })
        .collect()
}
