//! The runs that are shown. No edges were stored, so the layers up to the deepest hazard are expanded
//! once more, from there backwards: only steps towards a hazard are kept. That costs at most as many
//! steps as the search itself.

use std::borrow::Cow;

use super::Search;
use crate::machine::program::Program;
use crate::search::livelock::{into_cycle, livelock};
use crate::search::packed::expand::Expander;
use crate::search::reference::{Cut, Found};
use crate::search::shortest::{Edge, Source, States, shortest};
use crate::search::system::State;
use crate::search::visited::batch::hash;
use crate::search::visited::exact::Exact;
use crate::search::visited::shard::Shard;

/// The states of a search, unpacked when they are asked for.
struct Packed<'s> {
    shape: crate::search::packed::shape::Shape,
    store: &'s Exact,
}

impl States for Packed<'_> {
    fn count(&self) -> usize {
        self.store.len()
    }

    fn at(&self, index: usize) -> Cow<'_, State> {
        Cow::Owned(self.shape.unpack(self.store.at(index)))
    }

    fn index_of(&self, state: &State) -> Option<usize> {
        let state = self.shape.pack(state);
        self.store.find(&state, hash(&state))
    }
}

/// The steps from a range of states to stored ones.
fn edges<P: Program>(
    expander: &mut Expander<'_, P>,
    store: &Exact,
    from: std::ops::Range<usize>,
    mut keep: impl FnMut(Edge, usize),
) {
    let mut choices = Vec::new();
    let mut next = vec![0; expander.shape.stride()];
    for index in from {
        let state = store.at(index);
        expander.enabled(state, &mut choices);
        for choice in &choices {
            let Ok(stepped) = expander.step(state, *choice, &mut next) else { continue };
            if let Some(target) = store.find(&next, hash(&next)) {
                keep(Edge::new(target, index, *choice, stepped.after), target);
            }
        }
    }
}

impl<P: Program> Search<'_, '_, P> {
    /// For each id that was met the run that is shown.
    pub(super) fn traces(&mut self) -> Vec<Found> {
        let seen = std::mem::take(&mut self.seen);
        let towards = self.towards(seen.sources());
        let Search { expander, store, .. } = self;
        let states = Packed { shape: expander.shape, store };
        seen.shown(|sources| shortest(&mut expander.system, &states, &towards, sources)).collect()
    }

    /// The steps that lead one deeper and towards these sources, sorted.
    fn towards<'s>(&mut self, sources: impl Iterator<Item = &'s Source>) -> Vec<Edge> {
        let mut kept = Vec::new();
        let mut wanted = vec![false; self.store.len()];
        let mut deepest = 0;
        for source in sources {
            wanted[source.state] = true;
            deepest = deepest.max(source.state);
        }
        let mut layer = self.layers.partition_point(|begin| *begin <= deepest) - 1;
        while layer > 0 {
            let (begins, next_begins) = (self.layers[layer - 1], self.layers[layer]);
            edges(self.expander, &self.store, begins..next_begins, |edge, target| {
                if target >= next_begins && wanted[target] {
                    wanted[edge.from as usize] = true;
                    kept.push(edge);
                }
            });
            layer -= 1;
        }
        kept.sort_unstable();
        kept
    }

    /// A way into a cycle that a fair run never leaves, and the cycle; so many states were expanded.
    pub(super) fn livelock(&mut self, expanded: usize, memory_limit: Option<usize>) -> Option<Found> {
        // What looking for cycles takes for each step.
        const BYTES: usize = size_of::<Edge>() + size_of::<&Edge>();
        if !self.expander.may_come_back() {
            return None;
        }
        let bytes = self.store.bytes() + self.outcome.transitions * BYTES;
        if let Some(limit) = memory_limit.filter(|limit| bytes >= *limit) {
            self.outcome.cut = Some(Cut::Memory(limit));
            return None;
        }
        let mut all = Vec::new();
        edges(self.expander, &self.store, 0..expanded, |edge, _| all.push(edge));
        let Search { expander, store, .. } = self;
        let states = Packed { shape: expander.shape, store };
        let members = livelock(&expander.system, &states, &all)?;
        drop(all);
        let entry = Source { state: members[0] as usize, choice: None, at_rest: None };
        let towards = self.towards(std::iter::once(&entry));
        let Search { expander, store, .. } = self;
        let states = Packed { shape: expander.shape, store };
        Some(into_cycle(&mut expander.system, &states, &towards, &members))
    }
}
