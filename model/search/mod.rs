//! Searches over all interleavings of a program.

pub mod reference;
pub mod shortest;
pub mod system;
