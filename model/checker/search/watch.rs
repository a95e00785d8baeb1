//! Properties that are to hold always or sometimes, looked at in every state.

use crate::machine::expect::{Snapshot, When, broken};
use crate::machine::hazard::Hazard;
use crate::machine::program::Program;

/// The properties of a program that no state has had yet.
pub(super) struct Watch {
    /// By place: whether the expectation is to hold sometimes, and has not held yet.
    missing: Vec<bool>,
}

impl Watch {
    /// Before the first state.
    pub(super) fn new<P: Program>(program: &P) -> Self {
        Watch {
            missing: program
                .expectations()
                .iter()
                .map(|expectation| expectation.when == When::Sometimes)
                .collect(),
        }
    }

    /// Looks at a state: the hazards that it is.
    pub(super) fn state<P: Program>(&mut self, program: &P, memory: &[u8]) -> Vec<Hazard> {
        if self.missing.is_empty() {
            return Vec::new();
        }
        let snapshot = Snapshot::new(program.layout(), memory);
        for (expectation, missing) in program.expectations().iter().zip(&mut self.missing) {
            *missing = *missing && !expectation.holds(snapshot);
        }
        broken(program, memory)
    }

    /// The properties that no state had.
    pub(super) fn never<P: Program>(&self, program: &P) -> Vec<&'static str> {
        let expectations = program.expectations().iter().zip(&self.missing);
        expectations.filter(|(_, missing)| **missing).map(|(expectation, _)| expectation.name).collect()
    }
}
