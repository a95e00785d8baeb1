//! The tests of the whole, in one binary: what they share is compiled and linked once. The scenarios are
//! tests of their own names, in a second one.
//!
//! `cargo test --test it cli::` runs those of one file.

mod agree;
mod cli;
#[cfg(feature = "cluster")]
mod cluster;
mod docs;
mod engines;
mod forms;
mod growth;
mod luis;
mod mutations;
mod peers;
mod reduction;
mod trees;
mod uses;
mod weak;
mod yardstick;
