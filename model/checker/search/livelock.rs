//! Livelocks: cycles of the state graph that a weakly fair run can stay in for ever.
//!
//! Weak fairness: a task that could go on in every state from some point on does go on. A strongly
//! connected component has a weakly fair run that stays in it exactly if every task is disabled in one
//! of its states, or moves in it. (If one task is enabled throughout and never moves in the whole
//! component, so it does in every part of it.) All tasks of a program are finite but for their
//! retries, so such a component is a retry without progress.

use petgraph::algo::kosaraju_scc;
use petgraph::graph::DiGraph;
use rustc_hash::FxHashMap;

use super::reference::Found;
use super::shortest::{Edge, Follower, Source, States, shortest};
use super::system::{Choice, State, System};
use crate::machine::hazard::id;
use crate::machine::program::Program;

/// The states of the first component (by its first state) in which a fair run can stay for ever,
/// ascending. `edges` are all steps, in any order.
pub fn livelock<P: Program>(
    system: &System<'_, P>,
    states: &impl States,
    edges: &[Edge],
) -> Option<Vec<u32>> {
    let residue = on_cycles(states.count(), edges);
    if residue.is_empty() {
        return None;
    }
    let place: FxHashMap<u32, u32> =
        residue.iter().enumerate().map(|(i, state)| (*state, i as u32)).collect();
    let inner = edges.iter().filter_map(|edge| Some((*place.get(&edge.from)?, *place.get(&edge.to)?)));
    let mut graph: DiGraph<(), ()> = DiGraph::new();
    residue.iter().for_each(|_| {
        graph.add_node(());
    });
    graph.extend_with_edges(inner);
    let mut components: Vec<Vec<u32>> = kosaraju_scc(&graph)
        .into_iter()
        .map(|component| {
            let mut members: Vec<u32> = component.iter().map(|node| residue[node.index()]).collect();
            members.sort_unstable();
            members
        })
        .collect();
    components.sort_unstable();
    let mut of: FxHashMap<u32, usize> = FxHashMap::default();
    for (number, members) in components.iter().enumerate() {
        of.extend(members.iter().map(|state| (*state, number)));
    }
    let mut steps: Vec<Vec<&Edge>> = vec![Vec::new(); components.len()];
    for edge in edges {
        if let (Some(from), Some(to)) = (of.get(&edge.from), of.get(&edge.to))
            && from == to
        {
            steps[*from].push(edge);
        }
    }
    let fair = |(members, steps): (&Vec<u32>, &Vec<&Edge>)| {
        !steps.is_empty() && starved(system, states, members, steps).is_none()
    };
    let first = components.iter().zip(&steps).position(fair)?;
    Some(components.swap_remove(first))
}

/// The states from which a cycle can be reached: what is left when states without a way on are taken
/// away, again and again.
fn on_cycles(states: usize, edges: &[Edge]) -> Vec<u32> {
    let mut ways_on = vec![0u32; states];
    // Where in `into` the steps to each state begin.
    let mut begins = vec![0usize; states + 1];
    for edge in edges {
        ways_on[edge.from as usize] += 1;
        begins[edge.to as usize] += 1;
    }
    // Each is filled from its end, so that it begins where the one before it ends.
    let mut all = 0;
    for begin in &mut begins {
        all += *begin;
        *begin = all;
    }
    let mut into = vec![0u32; edges.len()];
    for edge in edges {
        let begin = &mut begins[edge.to as usize];
        *begin -= 1;
        into[*begin] = edge.from;
    }
    let mut ends: Vec<u32> = (0..states as u32).filter(|state| ways_on[*state as usize] == 0).collect();
    while let Some(end) = ends.pop() {
        let end = end as usize;
        for from in &into[begins[end]..begins[end + 1]] {
            let ways = &mut ways_on[*from as usize];
            *ways -= 1;
            if *ways == 0 {
                ends.push(*from);
            }
        }
    }
    (0..states as u32).filter(|state| ways_on[*state as usize] > 0).collect()
}

/// A task that could go on in all of these states and never does, by its slot in the first.
fn starved<P: Program>(
    system: &System<'_, P>,
    states: &impl States,
    members: &[u32],
    steps: &[&Edge],
) -> Option<usize> {
    let first = &*states.at(members[0] as usize);
    let slots = system.program().slots().len();
    (0..slots).find(|slot| {
        let Some(node) = first.node(*slot) else { return false };
        // A task that never moves keeps its node; a spawned one may change its slot.
        let places = |state: &State| system.slots_of(state, *slot, Some(node));
        let goes_on = |member: &u32| {
            let state = &*states.at(*member as usize);
            places(state).iter().any(|place| system.is_enabled(state, *place))
        };
        let moves = |edge: &&&Edge| {
            let state = &*states.at(edge.from as usize);
            places(state).contains(&usize::from(edge.slot))
        };
        members.iter().all(goes_on) && !steps.iter().any(|edge| moves(&edge))
    })
}

/// The shortest way to the first of these states, and a fair cycle from there. `edges` are the steps that lead
/// one deeper, sorted.
pub fn into_cycle<P: Program>(
    system: &mut System<'_, P>,
    states: &impl States,
    edges: &[Edge],
    members: &[u32],
) -> Found {
    let entry = Source { state: members[0] as usize, choice: None, at_rest: None };
    let (mut follower, _) = shortest(system, states, edges, &[entry]);
    let begins = follower.schedule.len();
    cycle(system, states, members, &mut follower);
    Found {
        id: id::LIVELOCK,
        schedule: follower.schedule,
        at_rest: None,
        cycle: Some(begins),
        others: 0,
        may_be_longer: false,
    }
}

/// A fair cycle through the first of these states: the shortest one if that is fair, else one that
/// also visits what each starved task needs.
fn cycle<P: Program>(
    system: &mut System<'_, P>,
    states: &impl States,
    members: &[u32],
    follower: &mut Follower,
) {
    let entry = members[0];
    let mut current = entry;
    let mut visited = vec![entry];
    let mut taken: Vec<Edge> = Vec::new();
    let mut goal: Option<usize> = None;
    loop {
        // Back to the entry, or to a state where the starved task is disabled or from which it moves.
        let path = way(system, states, members, current, |system, state, edge| match goal {
            None => edge.to == entry,
            Some(slot) => {
                let node = states.at(entry as usize).node(slot);
                let here = &*states.at(edge.to as usize);
                let at = system.slots_of(here, slot, node);
                at.is_empty()
                    || at.iter().any(|place| !system.is_enabled(here, *place))
                    || system.slots_of(state, slot, node).contains(&usize::from(edge.slot))
            }
        });
        for (choice, edge) in path {
            let state = &*states.at(current as usize);
            let Ok(moved) = system.step(state, choice) else { unreachable!("internal: a step of a cycle") };
            follower.take(state, choice, &moved);
            current = edge.to;
            visited.push(current);
            taken.push(edge);
        }
        if goal.take().is_some() {
            continue;
        }
        visited.sort_unstable();
        visited.dedup();
        let steps: Vec<&Edge> = taken.iter().collect();
        // The entry is the first state of the component, so it is the first of those visited.
        match starved(system, states, &visited, &steps) {
            None => return,
            slot => goal = slot,
        }
    }
}

/// The shortest way from a state, within these states, whose last step reaches the goal.
fn way<P: Program>(
    system: &mut System<'_, P>,
    states: &impl States,
    members: &[u32],
    from: u32,
    reached: impl Fn(&System<'_, P>, &State, &Edge) -> bool,
) -> Vec<(Choice, Edge)> {
    let mut parents: indexmap::IndexMap<u32, Option<(u32, Choice, Edge)>> = indexmap::IndexMap::new();
    parents.insert(from, None);
    let mut choices = Vec::new();
    let mut at = 0;
    while at < parents.len() {
        let current = *parents.get_index(at).expect("internal: it was just there").0;
        at += 1;
        let state = &*states.at(current as usize);
        system.enabled(state, &mut choices);
        for choice in choices.clone() {
            let Ok(moved) = system.step(state, choice) else { continue };
            let Some(target) = states.index_of(&moved.state) else { continue };
            if members.binary_search(&(target as u32)).is_err() {
                continue;
            }
            let edge = Edge::new(target, current as usize, choice, moved.after);
            if reached(system, state, &edge) {
                let mut path = vec![(choice, edge)];
                let mut back = current;
                while let Some((before, choice, edge)) = parents[&back] {
                    path.push((choice, edge));
                    back = before;
                }
                path.reverse();
                return path;
            }
            if !parents.contains_key(&(target as u32)) {
                parents.insert(target as u32, Some((current, choice, edge)));
            }
        }
    }
    unreachable!("internal: a strongly connected component has a way")
}
