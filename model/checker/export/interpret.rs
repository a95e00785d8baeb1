//! A peer of our own: all states of a written model, by an interpreter that knows the language of
//! [`code`](super::code) and nothing else.

use std::collections::BTreeSet;

use indexmap::IndexSet;
use rustc_hash::FxBuildHasher;

use super::code::{Expr, FALSE, Place, Statement, TRUE, Two};
use super::{Explored, Model};

#[derive(Clone, PartialEq, Eq, Hash)]
struct State {
    memory: Vec<u8>,
    nodes: Vec<usize>,
}

/// A state, and what is no part of it.
struct Here<'m> {
    model: &'m Model,
    state: State,
    temps: Vec<usize>,
    observed: usize,
    hazard: usize,
}

impl Here<'_> {
    fn value(&self, of: &Expr) -> usize {
        match of {
            Expr::Num(number) => *number,
            Expr::Byte(address) => self.state.memory[self.value(address)].into(),
            Expr::Node(slot) => self.state.nodes[*slot],
            Expr::Temp(temp) => self.temps[*temp],
            Expr::Observed => self.observed,
            Expr::Hazard => self.hazard,
            Expr::Two(two, left, right) => {
                let (left, right) = (self.value(left), self.value(right));
                match two {
                    Two::Add => left + right,
                    Two::Sub => left - right,
                    Two::Div => left / right,
                    Two::Rem => left % right,
                    _ => unreachable!("internal: {of:?} is no number"),
                }
            }
            Expr::Not(_) => unreachable!("internal: {of:?} is no number"),
        }
    }

    fn holds(&self, condition: &Expr) -> bool {
        match condition {
            &TRUE => true,
            &FALSE => false,
            Expr::Not(of) => !self.holds(of),
            Expr::Two(Two::And, left, right) => self.holds(left) && self.holds(right),
            Expr::Two(Two::Or, left, right) => self.holds(left) || self.holds(right),
            Expr::Two(two, left, right) => {
                let (left, right) = (self.value(left), self.value(right));
                match two {
                    Two::Eq => left == right,
                    Two::Ne => left != right,
                    Two::Lt => left < right,
                    Two::Le => left <= right,
                    _ => unreachable!("internal: {condition:?} is no condition"),
                }
            }
            _ => unreachable!("internal: {condition:?} is no condition"),
        }
    }

    fn run(&mut self, statements: &[Statement]) {
        for statement in statements {
            match statement {
                Statement::Set(place, value) => {
                    let value = self.value(value);
                    match place {
                        Place::Byte(address) => {
                            let address = self.value(address);
                            self.state.memory[address] = u8::try_from(value).expect("internal: a byte");
                        }
                        Place::Node(slot) => self.state.nodes[*slot] = value,
                        Place::Temp(temp) => self.temps[*temp] = value,
                        Place::Observed => self.observed = value,
                        Place::Hazard => self.hazard = value,
                    }
                }
                Statement::If(condition, then, otherwise) => {
                    let branch = if self.holds(condition) { then } else { otherwise };
                    self.run(branch);
                }
                Statement::Sort => {
                    let model = self.model;
                    self.run(&model.sort);
                }
            }
        }
    }
}

impl Model {
    /// Visits all states of the model, as a peer does. A state that is a hazard is not counted.
    #[must_use]
    pub fn explore(&self) -> Explored {
        let initial = State { memory: self.memory.clone(), nodes: self.nodes.clone() };
        let mut states: IndexSet<State, FxBuildHasher> = IndexSet::default();
        states.insert(initial);
        let mut hazards = BTreeSet::new();
        let mut next = 0;
        while let Some(state) = states.get_index(next).cloned() {
            let begin = |state: State| Here {
                model: self,
                state,
                temps: vec![0; self.temps],
                observed: 0,
                hazard: 0,
            };
            let before = begin(state.clone());
            for step in self.steps.iter().filter(|step| before.holds(&step.guard)) {
                let mut after = begin(state.clone());
                after.run(&step.effect);
                match self.hazard(after.hazard) {
                    Some(id) => drop(hazards.insert(id)),
                    None => drop(states.insert(after.state)),
                }
            }
            next += 1;
        }
        Explored { states: states.len(), hazards: hazards.into_iter().collect() }
    }
}
