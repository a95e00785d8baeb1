//! The checker of certificates.

use indexmap::IndexSet;
use petgraph::graph::DiGraph;

use super::relations::{Here, Relations};
use super::renamings::Renamings;
use super::{Certificate, NoProof, Proved, fits, hash, slots};
use crate::machine::program::Program;
use crate::search::system::{Choice, State, System};

/// The states that were met, and the steps between them, by their places.
pub(super) type Walked = (IndexSet<State>, Vec<(u32, u32)>);

/// What a walk goes by.
pub(super) trait Guide<P: Program> {
    /// The slots whose steps are taken in the state of this place.
    fn explored(&mut self, system: &mut System<'_, P>, at: usize, state: &State) -> Result<u64, NoProof>;

    /// The representative of the state to which a step leads. `step`: its number among the explored ones of its state.
    fn representative(
        &mut self,
        system: &mut System<'_, P>,
        from: (usize, &State),
        step: (usize, Choice),
        to: State,
    ) -> Result<State, NoProof>;
}

/// Walks from the initial state through what is explored. The states are in the order in which they are met.
pub(super) fn walk<P: Program>(
    system: &mut System<'_, P>,
    memory: &[u8],
    guide: &mut impl Guide<P>,
) -> Result<Walked, NoProof> {
    let initial = system.initial(memory);
    let mut states = IndexSet::from([initial]);
    let (mut steps, mut choices) = (Vec::new(), Vec::new());
    let mut at = 0;
    while let Some(state) = states.get_index(at).cloned() {
        without_hazard(system, &state)?;
        system.enabled(&state, &mut choices);
        let set = guide.explored(system, at, &state)?;
        let chosen: Vec<Choice> =
            choices.iter().copied().filter(|choice| set >> choice.slot & 1 != 0).collect();
        if chosen.is_empty() && !choices.is_empty() {
            return Err(NoProof::Nobody(at));
        }
        for (number, choice) in chosen.into_iter().enumerate() {
            let to = step(system, &state, choice)?;
            let (to, _) =
                states.insert_full(guide.representative(system, (at, &state), (number, choice), to)?);
            steps.push((at as u32, to as u32));
        }
        at += 1;
    }
    Ok((states, steps))
}

/// A step that must be without a hazard.
fn step<P: Program>(system: &mut System<'_, P>, state: &State, choice: Choice) -> Result<State, NoProof> {
    let moved = system.step(state, choice)?;
    match moved.warning {
        Some(warning) => Err(NoProof::Hazard(warning.id)),
        None => Ok(moved.state),
    }
}

/// A state must not be a deadlock, nor have a hazard if nothing can happen in it and it is at rest.
fn without_hazard<P: Program>(system: &System<'_, P>, state: &State) -> Result<(), NoProof> {
    if !system.deadlocked(state).is_empty() {
        return Err(NoProof::Hazard(crate::machine::hazard::id::DEADLOCK));
    }
    let mut choices = Vec::new();
    system.enabled(state, &mut choices);
    let at_rest = choices.is_empty() && system.quiescent(state);
    let hazards = if at_rest { system.program().at_quiescence(state.memory()) } else { Vec::new() };
    hazards.first().map_or(Ok(()), |hazard| Err(NoProof::Hazard(hazard.id)))
}

/// A certificate as a guide: what it says of renamings is proved on the way.
struct Proving<'c> {
    certificate: &'c Certificate,
    renamings: Renamings,
}

impl<P: Program> Guide<P> for Proving<'_> {
    fn explored(&mut self, system: &mut System<'_, P>, at: usize, state: &State) -> Result<u64, NoProof> {
        let record = self.certificate.records.get(at).ok_or(NoProof::Missing(at))?;
        if record.state != hash(system, state) {
            return Err(NoProof::OtherState(at));
        }
        self.renamings.learn(system)?;
        (0..self.renamings.len())
            .try_for_each(|number| without_hazard(system, &self.renamings.image(system, number, state).0))?;
        Ok(record.set)
    }

    /// The program's checks are its own code: that they say the same after a renaming is seen at each step.
    fn representative(
        &mut self,
        system: &mut System<'_, P>,
        (at, from): (usize, &State),
        (step_number, choice): (usize, Choice),
        to: State,
    ) -> Result<State, NoProof> {
        self.renamings.learn(system)?;
        for number in 0..self.renamings.len() {
            let (image, came_from) = self.renamings.image(system, number, from);
            let slot = came_from.iter().position(|slot| *slot == choice.slot);
            let slot = slot.expect("internal: a permutation");
            let leads = step(system, &image, Choice { slot, ..choice });
            if leads != Ok(self.renamings.image(system, number, &to).0) {
                return Err(NoProof::Unlike(at, choice.slot));
            }
        }
        match self.certificate.records[at].renamed.get(step_number) {
            None | Some(0) => Ok(to),
            Some(number) if usize::from(*number) <= self.renamings.len() => {
                Ok(self.renamings.image(system, usize::from(*number) - 1, &to).0)
            }
            Some(number) => Err(NoProof::Renaming(usize::from(*number) - 1)),
        }
    }
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
pub fn verify<P: Program>(program: &P, memory: &[u8], certificate: &Certificate) -> Result<Proved, NoProof> {
    fits(program)?;
    let mut system = System::new(program);
    let renamings = Renamings::of(program, &certificate.renamings)?;
    let mut proving = Proving { certificate, renamings };
    let (states, steps) = walk(&mut system, memory, &mut proving)?;
    let records = &certificate.records;
    if states.len() < records.len() {
        return Err(NoProof::Left(records.len() - states.len()));
    }
    if is_cyclic(&steps) {
        return Err(NoProof::Cycle);
    }
    // All that any task does was met on the way, and after each renaming.
    proving.renamings.learn(&mut system)?;
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
