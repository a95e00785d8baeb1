//! A small program as a model for other checkers: SPIN (Promela) and TLC (TLA+).
//!
//! What is written out: memory, byte for byte; for each task the node of its automaton; for each step its guard and
//! its effect, from the machine's documentation (`actions.rs`), not by a call of what the searches run. So a peer's answer
//! is a second opinion on the machine's effects, on which steps are enabled, and on the search: it visits all states
//! without any reduction, and must find the same number of states and the same hazards.
//!
//! What is not independent: the automata are those of the reference search, and what the program's own checks say
//! (its events, and its checks at rest) is written as a table of what they said in that search. A peer that comes to
//! something that is in no table, or to an observation that no edge has, reports the hazard `unforeseen`.
//!
//! Simplified: a deadlock is a state in which nobody can go on and somebody waits. Raddle finds a circle of waiters
//! as soon as it is closed, and explores nothing after it, so with deadlocks the numbers of states differ, and what
//! lies behind is `unforeseen`; a circle beside a task that never ends is not seen. Livelocks and data races are not written out.
//!
//! ```
//! use raddle_checker::export::export;
//! use raddle_checker::{Cell, Cpu, Entry, Field, Functions, Kind, Layout, Object, Sort, Step, entry};
//!
//! const ROOT: Object = Object { sort: Sort(0), index: 0 };
//! const LOCK: Cell<()> = Cell::new(ROOT, Field(0));
//!
//! let mut layout = Layout::new();
//! layout.immortal(ROOT, "root");
//! layout.cell(LOCK, "lock", Kind::Lock);
//! let run = |cpu: &Cpu<'_>, _: &Entry| -> Step<()> {
//!     cpu.lock(LOCK)?;
//!     cpu.unlock(LOCK)
//! };
//! let program = Functions::new(layout, run).task("one", entry(0)).task("two", entry(0));
//!
//! let model = export(&program, &program.memory(), "two tasks", 1_000)?;
//! assert_eq!((model.states, model.hazards.len()), (8, 0));
//! assert!(model.promela().contains("active proctype"));
//! assert!(model.tla("Two").contains("MODULE Two"));
//! # Ok::<(), raddle_checker::export::NoExport>(())
//! ```

mod actions;
mod code;
mod gather;
mod interpret;
mod promela;
#[cfg(test)]
pub(crate) mod tests;
mod tla;

use std::fmt;

pub use gather::export;
pub use tla::invariant;

use crate::machine::hazard::id;
use code::{Expr, Statement};

/// What a peer found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explored {
    /// How many states there are that are no hazards.
    pub states: usize,
    /// The ids of the hazards, sorted.
    pub hazards: Vec<&'static str>,
}

/// One step of a task, from one node.
#[derive(Clone, Debug)]
struct Choice {
    /// Whose step it is, and where it stands.
    comment: String,
    guard: Expr,
    effect: Vec<Statement>,
}

/// A program that has been written out.
#[derive(Clone, Debug)]
pub struct Model {
    /// How many states the reference search stored.
    pub states: usize,
    /// The ids of the hazards that it found and the model can show, sorted. A peer should find these, and no other.
    pub hazards: Vec<&'static str>,
    /// What it is.
    title: String,
    /// The names of the hazards, from number 1.
    names: Vec<&'static str>,
    /// What the bytes of memory are.
    bytes: Vec<String>,
    /// The names of the slots.
    slots: Vec<String>,
    /// Memory at first.
    memory: Vec<u8>,
    /// The node of each slot at first; 0: no task.
    nodes: Vec<usize>,
    temps: usize,
    /// Sorts the spawned tasks.
    sort: Vec<Statement>,
    steps: Vec<Choice>,
}

impl Model {
    /// The hazard that a number stands for in the model that is written; 0 is none.
    #[must_use]
    pub fn hazard(&self, number: usize) -> Option<&'static str> {
        self.names.get(number.checked_sub(1)?).copied()
    }

    /// What is wrong between the reference search and a peer, if anything is.
    ///
    /// A livelock is not written out. With a deadlock there are more states behind it, and other hazards there; it is
    /// not seen while others can go on for ever.
    #[must_use]
    pub fn contradiction(&self, peer: &Explored) -> Option<String> {
        let (expected, found) = (&self.hazards, &peer.hazards);
        let differ = if expected.contains(&id::DEADLOCK) {
            expected.iter().any(|id| *id != id::DEADLOCK && !found.contains(id))
        } else {
            found != expected || peer.states != self.states
        };
        differ.then(|| {
            format!("{} states and {found:?}, where raddle has {} and {expected:?}", peer.states, self.states)
        })
    }

    /// As a model for SPIN.
    #[must_use]
    pub fn promela(&self) -> String {
        promela::Promela(self).to_string()
    }

    /// As a TLA+ module of this name.
    #[must_use]
    pub fn tla(&self, name: &str) -> String {
        tla::Tla { model: self, name }.to_string()
    }

    /// What TLC is to do with that module: its configuration file.
    #[must_use]
    pub fn tlc(&self) -> String {
        let invariants: String = self.names.iter().map(|name| format!(" {}", tla::invariant(name))).collect();
        format!("SPECIFICATION Spec\nCHECK_DEADLOCK FALSE\nINVARIANTS{invariants}\n")
    }
}

/// Why a program is not written out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoExport {
    /// There are more states than this.
    TooLarge(usize),
    /// It has properties of its own, which hold always or sometimes.
    Expectations,
    /// Its first state is a deadlock already.
    BeginsDead,
}

impl fmt::Display for NoExport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoExport::TooLarge(most) => write!(f, "there are more than {most} states"),
            NoExport::Expectations => write!(f, "the program has properties of its own"),
            NoExport::BeginsDead => write!(f, "nobody can go on at the start"),
        }
    }
}

impl std::error::Error for NoExport {}
