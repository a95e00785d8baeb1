//! Searches over all interleavings of a program.

pub mod answer;
pub mod bfs;
pub mod exhaustive;
pub mod explore;
pub mod livelock;
mod packed;
pub mod peers;
pub mod reduced;
pub mod reference;
pub mod shortest;
mod sightings;
pub mod system;
#[cfg(test)]
mod tests;
pub(in crate::search) mod visited;
mod watch;
