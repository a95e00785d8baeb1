//! The one run that is shown for a hazard (docs/hazards.md): of all runs with the fewest steps, one
//! with the fewest context switches; of those the least sequence of (task, outcome).
//!
//! All shortest runs are paths in the graph of steps that lead one deeper. Backwards from the hazard
//! we compute, for each state on such a path and each task that may go next, the fewest switches that
//! remain; forwards we take the least step that keeps to the minimum.

use std::borrow::Cow;

use indexmap::{IndexMap, IndexSet};
use rustc_hash::FxBuildHasher;

use super::system::{Choice, Move, State, System};
use crate::machine::hazard::Hazard;
use crate::machine::program::Program;

/// The states of a search, by number in breadth-first order.
pub trait States {
    /// How many there are.
    fn count(&self) -> usize;

    /// A state by number.
    fn at(&self, index: usize) -> Cow<'_, State>;

    /// The number of a state, if it is among them.
    fn index_of(&self, state: &State) -> Option<usize>;
}

impl States for IndexSet<State, FxBuildHasher> {
    fn count(&self) -> usize {
        self.len()
    }

    fn at(&self, index: usize) -> Cow<'_, State> {
        Cow::Borrowed(&self[index])
    }

    fn index_of(&self, state: &State) -> Option<usize> {
        self.get_index_of(state)
    }
}

/// A step that leads one deeper.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    pub(super) to: u32,
    pub(super) from: u32,
    pub(super) slot: u8,
    pub(super) outcome: u8,
    /// The slot in which the task is after the step; [`GONE`] if it has ended and left it.
    after: u8,
}

/// Who went last when the task that went last has ended and left its slot.
const GONE: u8 = u8::MAX;

/// Who went last, by the slot in which the task is after its step, unless it has left it.
pub(super) fn in_slot(after: Option<usize>) -> u8 {
    after.map_or(GONE, |slot| slot as u8)
}

/// The context switches, 0 or 1, that it costs that the task in a slot goes next. `last`: who went last, if anybody.
pub(super) fn switches(last: Option<u8>, slot: usize) -> u32 {
    u32::from(last.is_some_and(|last| usize::from(last) != slot))
}

impl Edge {
    /// A step from one state to another.
    #[must_use]
    pub fn new(to: usize, from: usize, choice: Choice, after: Option<usize>) -> Self {
        let small = |n: usize| u32::try_from(n).expect("internal: over four thousand million states");
        Edge {
            to: small(to),
            from: small(from),
            slot: choice.slot as u8,
            outcome: choice.outcome,
            after: in_slot(after),
        }
    }
}

/// Where a hazard happens: at a step of a state, or in a state at rest.
#[derive(Clone, Debug)]
pub struct Source {
    /// The state.
    pub state: usize,
    /// The step, unless the state itself is the hazard.
    pub choice: Option<Choice>,
    /// The hazard of a state at rest.
    pub at_rest: Option<Hazard>,
}

/// For a state, the fewest switches that remain, by the slot that goes next. A state at rest has none.
type Remaining = Vec<(u8, u32)>;

fn cost(remaining: &Remaining, last: Option<u8>) -> u32 {
    let all = remaining.iter().map(|(slot, rest)| rest + switches(last, usize::from(*slot)));
    all.min().unwrap_or(0)
}

/// The run to the first of these hazards, and the hazard if it is one of a state at rest.
///
/// `states` are in breadth-first order, `edges` sorted; all sources are equally deep.
pub fn shortest<P: Program>(
    system: &mut System<'_, P>,
    states: &impl States,
    edges: &[Edge],
    sources: &[Source],
) -> (Follower, Option<Hazard>) {
    let remaining = backwards(edges, sources);
    let ends: IndexSet<(usize, Option<Choice>)> =
        sources.iter().map(|source| (source.state, source.choice)).collect();
    let mut follower = Follower::new(system);
    let mut choices = Vec::new();
    let mut current = 0;
    let mut last: Option<u8> = None;
    'run: loop {
        if ends.contains(&(current, None)) {
            let source = sources.iter().find(|source| source.state == current);
            return (follower, source.and_then(|source| source.at_rest.clone()));
        }
        let best = cost(&remaining[&(current as u32)], last);
        let state = &*states.at(current);
        system.enabled(state, &mut choices);
        for choice in &choices {
            let switch = switches(last, choice.slot);
            if ends.contains(&(current, Some(*choice))) {
                if switch == best {
                    follower.last(*choice);
                    return (follower, None);
                }
                continue;
            }
            let Ok(moved) = system.step(state, *choice) else { continue };
            let Some(target) = states.index_of(&moved.state) else { continue };
            let Some(rest) = remaining.get(&(target as u32)).filter(|_| target > current) else { continue };
            let after = in_slot(moved.after);
            if switch + cost(rest, Some(after)) == best && is_edge(edges, target, current) {
                follower.take(state, *choice, &moved);
                current = target;
                last = Some(after);
                continue 'run;
            }
        }
        unreachable!("internal: the way to a hazard is lost");
    }
}

/// Follows a run over states whose workers are sorted, and names its steps as a run does whose workers
/// stay where they are: a spawned task gets the first free slot.
#[derive(Clone, Debug)]
pub struct Follower {
    /// Where each slot of the current state is in that run.
    places: Vec<usize>,
    /// The steps so far.
    pub schedule: Vec<Choice>,
}

impl Follower {
    pub(super) fn new<P: Program>(system: &System<'_, P>) -> Self {
        Follower { places: (0..system.program().slots().len()).collect(), schedule: Vec::new() }
    }

    /// A step that leads nowhere: it is the hazard.
    pub(super) fn last(&mut self, choice: Choice) {
        self.schedule.push(Choice { slot: self.places[choice.slot], ..choice });
    }

    /// A step.
    pub fn take(&mut self, state: &State, choice: Choice, moved: &Move) {
        self.last(choice);
        let places = &mut self.places;
        if let Some(free) = moved.spawned {
            let empty = (0..places.len()).filter(|slot| *slot >= free && state.node(*slot).is_none());
            let first = empty.min_by_key(|slot| places[*slot]).unwrap_or(free);
            places.swap(free, first);
        }
        *places = moved.came_from.iter().map(|slot| places[*slot]).collect();
    }
}

fn is_edge(edges: &[Edge], to: usize, from: usize) -> bool {
    let (to, from) = (to as u32, from as u32);
    let begin = edges.partition_point(|edge| (edge.to, edge.from) < (to, from));
    edges.get(begin).is_some_and(|edge| (edge.to, edge.from) == (to, from))
}

fn backwards(edges: &[Edge], sources: &[Source]) -> IndexMap<u32, Remaining> {
    let mut remaining: IndexMap<u32, Remaining> = IndexMap::new();
    let mut layer: IndexSet<u32> = IndexSet::new();
    for source in sources {
        let state = source.state as u32;
        layer.insert(state);
        let rest = remaining.entry(state).or_default();
        if let Some(choice) = source.choice {
            lower(rest, choice.slot as u8, 0);
        }
    }
    while !layer.is_empty() {
        let mut before = IndexSet::new();
        for state in &layer {
            let rest = remaining[state].clone();
            let begin = edges.partition_point(|edge| edge.to < *state);
            for edge in edges[begin..].iter().take_while(|edge| edge.to == *state) {
                let switches = cost(&rest, Some(edge.after));
                lower(remaining.entry(edge.from).or_default(), edge.slot, switches);
                before.insert(edge.from);
            }
        }
        layer = before;
    }
    remaining
}

fn lower(rest: &mut Remaining, slot: u8, switches: u32) {
    match rest.iter_mut().find(|(other, _)| *other == slot) {
        Some((_, least)) => *least = switches.min(*least),
        None => rest.push((slot, switches)),
    }
}
