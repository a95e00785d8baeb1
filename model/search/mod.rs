//! Searches over all interleavings of a program.

pub mod livelock;
pub mod reference;
pub mod shortest;
pub mod system;
