//! Whether the steps between stored states lead around (Kahn 1962): states to which no step leads are taken away, with
//! their steps, until there are none; what is left then is on cycles or behind them. A state's steps are where it
//! belongs, so each process takes away its own and tells the others which of theirs have one step less.

use rustc_hash::FxBuildHasher;

use super::Stop;
use super::agree::all_say;
use super::round::Edge;
use crate::search::peers::{Gone, Peers, owner};

/// How many steps, by the state to which they lead.
type Counts = indexmap::IndexMap<u64, u32, FxBuildHasher>;

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
    /// Takes free states away. What is told to others: to how many of their states so many steps less lead.
    fn take_away(&mut self, index: usize, told: &mut [Counts]) {
        let count = told.len();
        while let Some(state) = self.free.pop() {
            self.into.swap_remove(&state);
            let begin = self.edges.partition_point(|(from, _)| *from < state);
            for (_, to) in self.edges[begin..].iter().take_while(|(from, _)| *from == state) {
                match owner(*to, count) {
                    own if own == index => self.lose(*to, 1),
                    other => *told[other].entry(*to).or_default() += 1,
                }
            }
        }
    }

    /// So many steps less lead to a state.
    fn lose(&mut self, state: u64, less: u32) {
        let steps = self.into.get_mut(&state).expect("internal: a step that was counted");
        *steps -= less;
        if *steps == 0 {
            self.free.push(state);
        }
    }
}

/// The bytes of a state and of a number of steps.
const TOLD: usize = size_of::<u64>() + size_of::<u32>();

/// Tells the others of steps to their states, and hears of own ones; whether anybody told anything.
fn exchange(peers: &mut dyn Peers, told: Vec<Counts>, mut heard: impl FnMut(u64, u32)) -> Result<bool, Stop> {
    let anything = told.iter().any(|states| !states.is_empty());
    for (to, states) in told.into_iter().enumerate().filter(|(_, states)| !states.is_empty()) {
        let mut bytes = Vec::with_capacity(states.len() * TOLD);
        for (state, steps) in states {
            bytes.extend_from_slice(&state.to_le_bytes());
            bytes.extend_from_slice(&steps.to_le_bytes());
        }
        peers.send(to, bytes, 0)?;
    }
    all_say(peers, &())?;
    for bytes in peers.arrived()? {
        let (each, rest) = bytes.as_chunks::<TOLD>();
        if !rest.is_empty() {
            return Err(Gone("another process has sent what are no steps of this search".to_owned()).into());
        }
        for [state @ .., a, b, c, d] in each {
            heard(u64::from_le_bytes(*state), u32::from_le_bytes([*a, *b, *c, *d]));
        }
    }
    // Nobody goes on before all have heard.
    Ok(all_say(peers, &anything)?.contains(&true))
}

/// Whether the steps of all processes lead around.
pub(super) fn is_cyclic(edges: &mut [Edge], peers: &mut dyn Peers) -> Result<bool, Stop> {
    let (index, count) = (peers.index(), peers.count());
    edges.sort_unstable();
    let nothing = || vec![Counts::default(); count];
    let mut steps = Steps { edges, into: Counts::default(), free: Vec::new() };
    let mut told = nothing();
    for (from, to) in steps.edges {
        steps.into.entry(*from).or_default();
        match owner(*to, count) {
            own if own == index => *steps.into.entry(*to).or_default() += 1,
            other => *told[other].entry(*to).or_default() += 1,
        }
    }
    exchange(peers, told, |to, more| *steps.into.entry(to).or_default() += more)?;
    steps.free = steps.into.iter().filter(|(_, steps)| **steps == 0).map(|(state, _)| *state).collect();
    loop {
        let mut told = nothing();
        steps.take_away(index, &mut told);
        if !exchange(peers, told, |to, less| steps.lose(to, less))? {
            break;
        }
    }
    Ok(all_say(peers, &!steps.into.is_empty())?.contains(&true))
}
