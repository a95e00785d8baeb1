//! The hazards of a breadth-first search as they turn up: where those of each id are nearest.

use indexmap::{IndexMap, IndexSet};

use super::reference::Found;
use super::shortest::{Follower, Source};
use super::system::Choice;
use crate::machine::hazard::{About, Hazard};

/// Where the hazards of one id were seen.
struct Seen {
    /// The fewest steps to one.
    steps: usize,
    /// Where those in so few steps are.
    sources: Vec<Source>,
    about: IndexSet<About>,
}

/// The hazards by id.
#[derive(Default)]
pub(super) struct Sightings(IndexMap<&'static str, Seen>);

impl Sightings {
    /// A hazard in so many steps: of a step of a state, or of the state itself.
    pub(super) fn report(&mut self, hazard: Hazard, steps: usize, index: usize, choice: Option<Choice>) {
        let fresh = || Seen { steps, sources: Vec::new(), about: IndexSet::new() };
        let seen = self.0.entry(hazard.id).or_insert_with(fresh);
        seen.about.insert(hazard.counts_as());
        // Steps are found before the states at rest of the same depth, which are one step nearer.
        if steps < seen.steps {
            seen.steps = steps;
            seen.sources.clear();
        }
        if seen.steps == steps {
            let at_rest = choice.is_none().then_some(hazard);
            seen.sources.push(Source { state: index, choice, at_rest });
        }
    }

    /// The fewest steps to a hazard of an id, if one was seen.
    pub(super) fn steps(&self, id: &str) -> Option<usize> {
        self.0.get(id).map(|seen| seen.steps)
    }

    /// Where the nearest hazards of all ids are.
    pub(super) fn sources(&self) -> impl Iterator<Item = &Source> {
        self.0.values().flat_map(|seen| &seen.sources)
    }

    /// For each id the hazard that is shown, by the run to the first of its sources.
    pub(super) fn shown(
        self,
        mut run: impl FnMut(&[Source]) -> (Follower, Option<Hazard>),
    ) -> impl Iterator<Item = Found> {
        self.0.into_iter().map(move |(id, Seen { sources, about, .. })| {
            let (Follower { schedule, .. }, at_rest) = run(&sources);
            let others = about.len() - 1;
            Found { id, schedule, at_rest, cycle: None, others, may_be_longer: false }
        })
    }
}
