//! Searches over all interleavings of a program.

pub mod explore;
pub mod reference;
pub mod shortest;
pub mod system;
