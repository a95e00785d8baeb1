//! Searches over all interleavings of a program.

pub mod answer;
pub mod bfs;
#[cfg(test)]
mod brute;
pub mod exhaustive;
pub mod explore;
pub mod livelock;
#[cfg(test)]
mod orders;
mod packed;
#[cfg(test)]
mod random;
pub mod reduced;
pub mod reference;
pub mod shortest;
mod sightings;
pub mod system;
#[cfg(test)]
mod tests;
pub(in crate::search) mod visited;
mod watch;

pub use watch::broken;
