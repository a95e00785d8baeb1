//! The checker of certificates.

use indexmap::IndexSet;
use petgraph::graph::DiGraph;

use super::relations::{Here, Relations};
use super::{NoProof, Proved, Record, fits, hash, slots};
use crate::machine::program::Program;
use crate::search::system::{Choice, State, System};

/// The states that were met, and the steps between them, by their places.
pub(super) type Walked = (IndexSet<State>, Vec<(u32, u32)>);

/// Walks from the initial state through what `explored` says of each state that is met: the slots whose steps are
/// taken there. The states are in the order in which they are met.
pub(super) fn walk<P: Program>(
    system: &mut System<'_, P>,
    memory: &[u8],
    mut explored: impl FnMut(&mut System<'_, P>, usize, &State) -> Result<u64, NoProof>,
) -> Result<Walked, NoProof> {
    let initial = system.initial(memory);
    let mut states = IndexSet::from([initial]);
    let (mut steps, mut choices) = (Vec::new(), Vec::new());
    let mut at = 0;
    while let Some(state) = states.get_index(at).cloned() {
        if !system.deadlocked(&state).is_empty() {
            return Err(NoProof::Hazard(crate::machine::hazard::id::DEADLOCK));
        }
        system.enabled(&state, &mut choices);
        if choices.is_empty()
            && system.quiescent(&state)
            && let Some(hazard) = system.program().at_quiescence(state.memory()).first()
        {
            return Err(NoProof::Hazard(hazard.id));
        }
        let set = explored(system, at, &state)?;
        let chosen: Vec<Choice> =
            choices.iter().copied().filter(|choice| set >> choice.slot & 1 != 0).collect();
        if chosen.is_empty() && !choices.is_empty() {
            return Err(NoProof::Nobody(at));
        }
        for choice in chosen {
            let moved = system.step(&state, choice)?;
            if let Some(warning) = moved.warning {
                return Err(NoProof::Hazard(warning.id));
            }
            let (to, _) = states.insert_full(moved.state);
            steps.push((at as u32, to as u32));
        }
        at += 1;
    }
    Ok((states, steps))
}

/// Whether steps lead around.
pub(super) fn is_cyclic(steps: &[(u32, u32)]) -> bool {
    petgraph::algo::is_cyclic_directed(&DiGraph::<(), ()>::from_edges(steps))
}

/// Proves with a certificate that no run of a program from this memory has a hazard, is endless, or needs more room
/// than the model has.
///
/// # Errors
///
/// Why it proves nothing.
pub fn verify<P: Program>(program: &P, memory: &[u8], records: &[Record]) -> Result<Proved, NoProof> {
    fits(program)?;
    let mut system = System::new(program);
    let (states, steps) = walk(&mut system, memory, |system, at, state| {
        let record = records.get(at).ok_or(NoProof::Missing(at))?;
        if record.state != hash(system, state) {
            return Err(NoProof::OtherState(at));
        }
        Ok(record.set)
    })?;
    if states.len() < records.len() {
        return Err(NoProof::Left(records.len() - states.len()));
    }
    if is_cyclic(&steps) {
        return Err(NoProof::Cycle);
    }
    // All that any task does was met on the way.
    let relations = Relations::of(&mut system);
    for (at, (state, record)) in states.iter().zip(records).enumerate() {
        let here = Here { relations: &relations, system: &system, state };
        let (live, enabled) = (here.live(), here.enabled());
        let (set, still) = (record.set & live, record.still & live & !record.set);
        let movers = live & !set & !still;
        for slot in slots(still) {
            if enabled >> slot & 1 != 0 || !here.is_kept(slot, movers) {
                return Err(NoProof::Moves(at, slot));
            }
        }
        for slot in slots(set) {
            if enabled >> slot & 1 != 0 {
                if let Some(other) = slots(here.clashers(slot, movers)).next() {
                    return Err(NoProof::Clash(at, slot, other));
                }
            } else if !here.is_kept(slot, movers) {
                return Err(NoProof::Enabled(at, slot, slots(movers).next().unwrap_or(slot)));
            }
        }
    }
    Ok(Proved { states: states.len(), transitions: steps.len() })
}
