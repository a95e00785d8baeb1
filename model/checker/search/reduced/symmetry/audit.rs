//! An audit of symmetry for any program: what the reduction takes for granted of renamings is carried out.

use std::collections::BTreeSet;

use indexmap::IndexSet;

use super::{Element, Images, Symmetry};
use crate::machine::hazard::{About, id};
use crate::machine::program::Program;
use crate::machine::step::Stop;
use crate::search::packed::expand::{Expander, Scratch};
use crate::search::system::EMPTY;

/// What a state leads to: hazards, and states.
type Successors = BTreeSet<(Option<(&'static str, About)>, Vec<u8>)>;

fn successors<P: Program>(expander: &mut Expander<'_, P>, state: &[u8]) -> Successors {
    let mut all = Successors::new();
    let mut choices = Vec::new();
    expander.enabled(state, &mut choices);
    let plain = expander.unpack(state);
    let deadlock = expander.deadlock(state);
    all.extend(deadlock.map(|_| (Some((id::DEADLOCK, About::Program)), Vec::new())));
    if expander.system.quiescent(&plain) {
        let at_rest = expander.program.at_quiescence(plain.memory());
        all.extend(at_rest.into_iter().map(|hazard| (Some((hazard.id, hazard.about)), Vec::new())));
    }
    for choice in choices {
        let mut next = vec![0; state.len()];
        all.insert(match expander.step(state, choice, &mut next) {
            Ok(landed) => (landed.warning.map(|warning| (warning.id, warning.about)), next),
            Err(Stop::Hazard(hazard)) => (Some((hazard.id, hazard.about)), Vec::new()),
            Err(Stop::Bound(_)) => (None, Vec::new()),
        });
    }
    all
}

/// Visits up to `most` states and checks that after each renaming a state leads to the renamed states and
/// hazards. Returns how many renamings there are, the identity not counted.
///
/// # Panics
///
/// If some renaming is no automorphism of the states visited.
pub fn audit<P: Program>(program: &P, memory: &[u8], most: usize) -> usize {
    let mut expander = Expander::new(program, true);
    let initial = expander.initial(memory);
    let mut symmetry = Symmetry::of(program, memory);
    let mut states = IndexSet::from([initial]);
    let mut at = 0;
    let _ = symmetry.learn(&mut expander);
    while at < states.len().min(most) && !symmetry.elements.is_empty() {
        let state = states[at].clone();
        at += 1;
        let next = successors(&mut expander, &state);
        let _ = symmetry.learn(&mut expander);
        let rename = |expander: &Expander<'_, P>, element: &Element, state: &[u8]| {
            let mut image = state.to_vec();
            if !image.is_empty() {
                element.rename(expander, state, &mut image);
                expander.sort_workers(&mut Scratch::default(), &mut image);
            }
            image
        };
        for element in &symmetry.elements {
            let image = rename(&expander, element, &state);
            let renamed: Successors = next
                .iter()
                .map(|(hazard, state)| {
                    let hazard = hazard.map(|(id, about)| (id, element.renamer.about(about)));
                    (hazard, rename(&expander, element, state))
                })
                .collect();
            assert_eq!(successors(&mut expander, &image), renamed, "of {state:?}");
        }
        // All states of an orbit have the same least image, where all images are tried.
        for element in symmetry.elements.iter().filter(|_| symmetry.complete) {
            let least = |state: &[u8]| {
                let mut least = state.to_vec();
                symmetry.canonical(&expander, &mut Images::default(), &mut least, |_| ());
                least
            };
            assert_eq!(least(&state), least(&rename(&expander, element, &state)));
        }
        states.extend(next.into_iter().map(|(_, state)| state).filter(|state| !state.is_empty()));
    }
    closed(&expander, &symmetry);
    symmetry.elements.len()
}

/// Wherever a node leads, its image leads to the image of that.
pub(super) fn closed<P: Program>(expander: &Expander<'_, P>, symmetry: &Symmetry) {
    for element in &symmetry.elements {
        for (at, node) in expander.nodes.iter().enumerate() {
            let image = &expander.nodes[element.image(at as u32) as usize];
            for (observed, to) in &node.edges {
                assert!(image.edges.contains(&(element.renamer.obs(*observed), element.image(*to))));
            }
            if node.spawns != EMPTY {
                assert_eq!(image.spawns, element.image(node.spawns));
                assert!(expander.starts.contains(&image.spawns));
            }
        }
    }
}
