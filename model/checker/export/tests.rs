//! The written model against the reference search, on random programs over all actions of the machine (those of
//! `search::tests`).

use super::{NoExport, export};
use crate::machine::program::Program;

/// The interpreter of the written model finds what the reference search finds.
pub(crate) fn exported<P: Program>(program: &P, memory: &[u8]) {
    const MOST: usize = 300;
    match export(program, memory, "random", MOST) {
        Ok(model) => assert_eq!(model.contradiction(&model.explore()), None),
        Err(NoExport::TooLarge(_) | NoExport::BeginsDead | NoExport::Expectations) => {}
    }
}
