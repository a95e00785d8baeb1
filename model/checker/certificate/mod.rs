//! Certificates: what proves a program free of hazards, for a checker that does not trust the search.
//!
//! A certificate has a record for each state of a reduced graph: which tasks are explored there (a *persistent set*,
//! Godefroid 1996), and which others are said to stand still as long as those do. [`verify`] walks that graph with
//! the machine alone, and proves of each record that its set is persistent. A record stands for all states that
//! the certificate's renamings make of its own, and of each renaming it is proved that the program is the same after it.
//! [`verify`] shares the machine, the automata and [`System`] with the searches: no tables, no choice of steps, no packing, no
//! choice of representatives. [`produce`] makes a certificate by a search of its own, with the same simple relations, so it
//! stores more states than the default search.
//!
//! Why that is a proof (docs/reduction.md): a graph of persistent sets without a cycle has every hazard and every
//! state at rest of the program, and a deadlock of every program that has one.
//!
//! ```
//! use raddle_checker::automaton::functions::{Functions, Subject, entry};
//! use raddle_checker::certificate::{produce, verify};
//! use raddle_checker::machine::cpu::{Cpu, Step};
//! use raddle_checker::machine::layout::{Cell, Field, Kind, Layout};
//! use raddle_checker::machine::op::Entry;
//! use raddle_checker::machine::value::{Object, Sort};
//!
//! const ROOT: Object = Object { sort: Sort(0), index: 0 };
//! const LOCK: Cell<()> = Cell::new(ROOT, Field(0));
//! const N: Cell<u8> = Cell::new(ROOT, Field(1));
//!
//! struct Add;
//!
//! impl Subject for Add {
//!     fn run(&self, cpu: &Cpu<'_>, _: &Entry) -> Step<()> {
//!         cpu.lock(LOCK)?;
//!         let n: u8 = cpu.load(N)?;
//!         cpu.store(N, n + 1)?;
//!         cpu.unlock(LOCK)
//!     }
//! }
//!
//! let mut layout = Layout::new();
//! layout.immortal(ROOT, "root");
//! layout.cell(LOCK, "lock", Kind::Lock);
//! layout.cell(N, "n", Kind::Int);
//! let program = Functions::new(layout, Add).task("one", entry(0)).task("two", entry(0));
//!
//! let mut certificate = produce(&program, &program.memory(), 1_000).expect("there is no hazard");
//! let proved = verify(&program, &program.memory(), &certificate);
//! assert_eq!(proved.map(|proved| proved.states), Ok(certificate.records.len()));
//!
//! // Who is explored in the first state is not all that matters any more.
//! certificate.records[0].set = 1;
//! assert!(verify(&program, &program.memory(), &certificate).is_err());
//! ```

mod produce;
mod relations;
mod renamings;
#[cfg(test)]
pub(crate) mod tests;
mod verify;

use std::fmt;
use std::hash::{Hash, Hasher};

pub use produce::produce;
pub use verify::verify;

use crate::machine::program::Program;
use crate::machine::rename::Renaming;
use crate::machine::step::{Bound, Stop};
use crate::search::system::{State, System};

/// What proves a program free of hazards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certificate {
    /// Renamings after which the program is what it was: all that can be made of each other.
    pub renamings: Vec<Renaming>,
    /// A record for each state that is walked through.
    pub records: Vec<Record>,
}

/// A state of the reduced graph, in the order in which a breadth-first search meets it. It stands for all states that
/// the renamings make of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// A hash of memory and of where the tasks are.
    pub state: u64,
    /// The slots of a persistent set, a bit each. Those of its tasks that can go on are explored.
    pub set: u64,
    /// The slots of tasks that do nothing as long as the set does nothing, a bit each.
    pub still: u64,
    /// For each step that is explored, in order, which renaming takes where it leads to a state that has a record: 0, it
    /// has one itself; 1, the first. Those at the end that are 0 are left out.
    pub renamed: Vec<u8>,
}

/// What a certificate has proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proved {
    /// How many states were walked through.
    pub states: usize,
    /// How many steps were taken.
    pub transitions: usize,
}

/// Why there is no certificate, or why one proves nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoProof {
    /// A hazard was met; its id.
    Hazard(&'static str),
    /// The model has no room for what a step does.
    Bound(Bound),
    /// A run comes back to a state: only a search of all states tells what comes of that.
    Cycle,
    /// More slots than a record has bits, or properties of the program's own.
    Unfit,
    /// There are more states than this.
    TooLarge(usize),
    /// A state that was met has no record: the certificate is too short.
    Missing(usize),
    /// So many records are of no state that was met.
    Left(usize),
    /// The record of this place is of another state.
    OtherState(usize),
    /// Tasks can go on in this state, and none of them is explored.
    Nobody(usize),
    /// In this state, this slot is explored, and that one may do first what does not commute with it.
    Clash(usize, usize, usize),
    /// In this state, this slot of the set waits, and that one may let it go on.
    Enabled(usize, usize, usize),
    /// In this state, this slot is said to stand still, and does not.
    Moves(usize, usize),
    /// After this renaming, the first is 0, the program goes on differently, or the certificate has none of this number.
    Renaming(usize),
    /// What can be made of the renamings is not among them.
    NoGroup,
    /// In this state, a step of this slot leads elsewhere after some renaming, or to a hazard.
    Unlike(usize, usize),
}

impl From<Stop> for NoProof {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Hazard(hazard) => NoProof::Hazard(hazard.id),
            Stop::Bound(bound) => NoProof::Bound(bound),
        }
    }
}

impl fmt::Display for NoProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoProof::Hazard(id) => write!(f, "a run ends in {id}"),
            NoProof::Bound(Bound::Workers) => write!(f, "there are too few workers"),
            NoProof::Bound(Bound::Cell(_)) => write!(f, "a cell has no room for what a step stores"),
            NoProof::Cycle => write!(f, "a run comes back to a state"),
            NoProof::Unfit => write!(f, "the program has too many tasks, or properties of its own"),
            NoProof::TooLarge(states) => write!(f, "there are more than {states} states"),
            NoProof::Missing(at) => write!(f, "state {at} has no record"),
            NoProof::Left(records) => write!(f, "{records} records are of no state that was met"),
            NoProof::OtherState(at) => write!(f, "record {at} is of another state"),
            NoProof::Nobody(at) => write!(f, "state {at}: tasks can go on, and none of them is explored"),
            NoProof::Clash(at, slot, other) => {
                write!(
                    f,
                    "state {at}: task {other} may do what does not commute with the step of task {slot}"
                )
            }
            NoProof::Enabled(at, slot, other) => {
                write!(f, "state {at}: task {other} may let task {slot} go on")
            }
            NoProof::Moves(at, slot) => write!(f, "state {at}: task {slot} does not stand still"),
            NoProof::Renaming(number) => write!(f, "renaming {number}: the program is not the same after it"),
            NoProof::NoGroup => write!(f, "the renamings are not all that can be made of them"),
            NoProof::Unlike(at, slot) => {
                write!(f, "state {at}: after a renaming, the step of task {slot} leads elsewhere")
            }
        }
    }
}

/// The slots of a record's bits, ascending.
fn slots(set: u64) -> impl Iterator<Item = usize> {
    (0..u64::BITS as usize).filter(move |slot| set >> slot & 1 != 0)
}

/// A set of slots.
fn set(slots: impl Iterator<Item = usize>) -> u64 {
    slots.fold(0, |all, slot| all | 1 << slot)
}

/// A hash of what a state is, whatever its automaton nodes are numbered.
fn hash<P: Program>(system: &System<'_, P>, state: &State) -> u64 {
    let mut hasher = rustc_hash::FxHasher::default();
    state.memory().hash(&mut hasher);
    for slot in 0..system.program().slots().len() {
        state.node(slot).map(|node| &system.automaton().node(node).control).hash(&mut hasher);
    }
    hasher.finish()
}

/// Whether a program can have a certificate.
fn fits<P: Program>(program: &P) -> Result<(), NoProof> {
    let fits = program.slots().len() <= u64::BITS as usize && program.expectations().is_empty();
    fits.then_some(()).ok_or(NoProof::Unfit)
}
