//! The search that users get: the reduced one says which hazards there are, one of all states up to the
//! depth of those finds the runs that are shown. Where the reduced one cannot decide, all states are
//! searched.

use super::exhaustive;
use super::reduced;
use super::reference::{Found, Limits, Outcome, Progress};
use crate::machine::program::Program;

/// Finds all hazards that the program can reach from this memory, and for each the run that is shown.
///
/// The states, steps and bytes of the outcome are those of the search that decided.
pub fn search<P: Program>(
    program: &P,
    memory: &[u8],
    limits: Limits,
    mut progress: impl FnMut(Progress),
) -> Outcome {
    let reduced =
        if limits.all_orders { None } else { reduced::search(program, memory, limits, &mut progress) };
    let Some(mut reduced) = reduced else {
        return exhaustive::search(program, memory, limits, progress);
    };
    if reduced.hazards.is_empty() {
        return reduced.outcome;
    }
    let mut ids: Vec<&'static str> = reduced.hazards.keys().copied().collect();
    ids.sort_unstable();
    let all = exhaustive::runs(program, memory, limits, &ids, progress);
    for id in ids {
        let shown = all.found.iter().find(|found| found.id == id).cloned();
        let found = shown.unwrap_or_else(|| {
            assert!(all.cut.is_some(), "internal: {id} is not to be found among all states");
            reduced.witness(id)
        });
        let others = reduced.hazards[id].len() - 1;
        reduced.outcome.found.push(Found { others, ..found });
    }
    reduced.outcome
}
