//! raddle: a deterministic model checker for probe races in the Linux driver core.

pub mod ablate;
pub mod check;
pub mod compare;
pub mod dumped;
pub mod embedded;
pub mod forms;
pub mod page;
pub mod sweep;
pub mod uses;
pub mod why;
pub mod witness;
