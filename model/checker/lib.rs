//! A model checker for concurrent programs that are written as ordinary Rust functions.
//!
//! [`machine`] is what a program can do, one atomic step each; [`automaton`] turns its functions into
//! automata by re-execution; [`search`] visits every reachable state; [`story`] replays a schedule and
//! keeps what happened as data; [`render`] draws it.

pub mod automaton;
pub mod machine;
pub mod render;
pub mod search;
pub mod story;
