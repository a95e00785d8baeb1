//! Patches as mail archives keep them, laid over a tree in memory.

mod apply;
mod hunk;
mod mail;

pub use apply::{Applied, Changed, apply};
pub use mail::{Diff, Mail};
