//! raddle: a deterministic model checker for probe races in the Linux driver core.

pub mod ablate;
pub mod automaton;
pub mod check;
pub mod compare;
pub mod driver_core;
pub mod dumped;
pub mod embedded;
pub mod engines;
pub mod forms;
pub mod machine;
pub mod page;
pub mod render;
pub mod scenario;
pub mod search;
pub mod sweep;
pub mod trace;
pub mod uses;
pub mod why;
pub mod witness;
