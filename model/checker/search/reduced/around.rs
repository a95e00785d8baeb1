//! Whether the steps between stored states lead around (Kahn 1962): states to which no step leads are taken away, with
//! their steps, until there are none; what is left then is on cycles or behind them. A state's steps are where it
//! belongs, so each process takes away its own and tells the others which of theirs have one step less.

use rustc_hash::FxBuildHasher;

use super::Stop;
use super::agree::all_say;
use super::round::Edge;
use crate::search::peers::{Gone, Peers, owner};

type Counts = indexmap::IndexMap<u64, usize, FxBuildHasher>;

/// The steps of one process.
struct Steps<'a> {
    /// Sorted.
    edges: &'a [Edge],
    /// For each of its states how many steps lead there.
    into: Counts,
    /// To which no step leads any more.
    free: Vec<u64>,
}

impl Steps<'_> {
    /// Takes free states away. `other` is told of the states of other processes to which their steps led.
    fn take_away(&mut self, peers: (usize, usize), mut other: impl FnMut(u64)) {
        let (index, count) = peers;
        while let Some(state) = self.free.pop() {
            self.into.swap_remove(&state);
            let begin = self.edges.partition_point(|(from, _)| *from < state);
            for (_, to) in self.edges[begin..].iter().take_while(|(from, _)| *from == state) {
                if owner(*to, count) == index { self.lose(*to) } else { other(*to) }
            }
        }
    }

    /// One step less leads to a state.
    fn lose(&mut self, state: u64) {
        let steps = self.into.get_mut(&state).expect("internal: a step that was counted");
        *steps -= 1;
        if *steps == 0 {
            self.free.push(state);
        }
    }
}

/// Tells the others of some of their states, and hears of own ones; whether anybody told anything.
fn exchange(peers: &mut dyn Peers, told: Vec<Vec<u64>>, mut heard: impl FnMut(u64)) -> Result<bool, Stop> {
    let anything = told.iter().any(|states| !states.is_empty());
    for (to, states) in told.into_iter().enumerate().filter(|(_, states)| !states.is_empty()) {
        peers.send(to, states.iter().flat_map(|state| state.to_le_bytes()).collect(), 0)?;
    }
    all_say(peers, &())?;
    for bytes in peers.arrived()? {
        let (states, rest) = bytes.as_chunks();
        if !rest.is_empty() {
            return Err(Gone("another process has sent what are no steps of this search".to_owned()).into());
        }
        states.iter().for_each(|state| heard(u64::from_le_bytes(*state)));
    }
    // Nobody goes on before all have heard.
    Ok(all_say(peers, &anything)?.contains(&true))
}

/// Whether the steps of all processes lead around.
pub(super) fn is_cyclic(edges: &mut [Edge], peers: &mut dyn Peers) -> Result<bool, Stop> {
    let (index, count) = (peers.index(), peers.count());
    edges.sort_unstable();
    let nothing = || vec![Vec::new(); count];
    let mut steps = Steps { edges, into: Counts::default(), free: Vec::new() };
    let mut told = nothing();
    for (from, to) in steps.edges {
        steps.into.entry(*from).or_default();
        match owner(*to, count) {
            own if own == index => *steps.into.entry(*to).or_default() += 1,
            other => told[other].push(*to),
        }
    }
    exchange(peers, told, |to| *steps.into.entry(to).or_default() += 1)?;
    steps.free = steps.into.iter().filter(|(_, steps)| **steps == 0).map(|(state, _)| *state).collect();
    loop {
        let mut told = nothing();
        steps.take_away((index, count), |to| told[owner(to, count)].push(to));
        if !exchange(peers, told, |to| steps.lose(to))? {
            break;
        }
    }
    Ok(all_say(peers, &!steps.into.is_empty())?.contains(&true))
}
