//! What kernel code can do, one atomic step each.
//!
//! The machine knows cells, locks, counts, lists, klists, work items, async entries and tasks. It
//! knows no subject: a [`Program`](program::Program) says which objects there are and what runs.

pub mod action;
pub mod blocked;
pub mod commute;
pub mod cpu;
pub mod effect;
pub mod expect;
pub mod fair;
pub mod hazard;
pub mod history;
pub mod klist;
pub mod layout;
pub mod op;
pub mod place;
pub mod program;

pub mod race;
pub mod rename;
pub mod run;
pub mod set_up;
pub mod step;
pub mod value;
pub mod work;
