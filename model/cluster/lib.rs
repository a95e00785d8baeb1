//! Searches of [`raddle_checker`] by several processes, on one machine or many, on timely dataflow.
//!
//! Each process has a part of the states. [`Cluster`] is what a search needs of the others
//! ([`Peers`](raddle_checker::search::peers::Peers)): timely sets up the connections, exchanges what is sent, and
//! tells when all of it has arrived.

pub mod cluster;
mod dataflow;
pub mod hosts;
mod quiet;
pub mod start;

pub use cluster::{Cluster, ClusterError, Load, Row};
pub use hosts::Hosts;
