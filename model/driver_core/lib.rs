//! The subject: the driver core of Linux, by revision.
//!
//! The files follow drivers/base/*.c and KERNEL.md Part 1, step by step; what each leaves out stands
//! at its head. [`rules`] holds the decisions that patches changed, [`revision`] the revisions that
//! are sets of them, [`properties`] what must not happen.

mod alike;
pub mod attach_work;
pub mod body;
pub mod bus;
pub mod calls;
pub mod core;
pub mod cpu;
pub mod dd;
pub mod deferred;
pub mod driver;
pub mod module;
pub mod nvdimm;
pub mod probe;
pub mod program;
pub mod release;
pub mod revision;
pub mod rules;
mod words;
