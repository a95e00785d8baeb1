//! Whether the steps between stored states lead around (Kahn 1962): states to which no step leads are taken away, with
//! their steps, until there are none; what is left then is on cycles or behind them. A state's steps are where it
//! belongs, so each process takes away its own and tells the others which of theirs have one step less.

use super::Stop;
use super::agree::{all_say, all_say_and};
use super::round::{Edge, MESSAGE};
use crate::search::peers::{Gone, Peers, owner};

/// The steps of one process.
struct Steps<'a> {
    /// Sorted.
    edges: &'a [Edge],
    /// Its states from which steps lead, ascending: no others are on cycles.
    states: Vec<u64>,
    /// For each how many steps lead there.
    into: Vec<u32>,
    /// To which no step leads any more.
    free: Vec<u64>,
    /// How many have not been taken away.
    left: usize,
}

impl<'a> Steps<'a> {
    fn of(edges: &'a [Edge]) -> Self {
        let states: Vec<u64> =
            edges.chunk_by(|one, next| one.0 == next.0).map(|of_one| of_one[0].0).collect();
        Steps { edges, into: vec![0; states.len()], free: Vec::new(), left: states.len(), states }
    }

    /// How many steps lead to a state, if steps lead on from there.
    fn into(&mut self, state: u64) -> Option<&mut u32> {
        let place = self.states.binary_search(&state).ok()?;
        Some(&mut self.into[place])
    }

    /// A step leads to a state.
    fn count(&mut self, state: u64) {
        if let Some(steps) = self.into(state) {
            *steps += 1;
        }
    }

    /// It does not any more.
    fn lose(&mut self, state: u64) {
        let Some(steps) = self.into(state) else { return };
        *steps -= 1;
        if *steps == 0 {
            self.free.push(state);
        }
    }

    /// Takes free states away.
    fn take_away(&mut self, others: &mut Others<'_>) -> Result<(), Gone> {
        let edges = self.edges;
        while let Some(state) = self.free.pop() {
            self.left -= 1;
            let begin = edges.partition_point(|(from, _)| *from < state);
            for (_, to) in edges[begin..].iter().take_while(|(from, _)| *from == state) {
                if !others.tell(*to)? {
                    self.lose(*to);
                }
            }
        }
        Ok(())
    }
}

/// The other processes, and to which of their states steps lead, or lead no more.
struct Others<'a> {
    peers: &'a mut dyn Peers,
    /// What is told to each next.
    told: Vec<Vec<u8>>,
    /// Whether anything was told since they were last heard.
    tells: bool,
}

impl<'a> Others<'a> {
    fn of(peers: &'a mut dyn Peers) -> Self {
        Others { told: vec![Vec::new(); peers.count()], peers, tells: false }
    }

    /// Tells of a step to a state, if that belongs to another process.
    fn tell(&mut self, state: u64) -> Result<bool, Gone> {
        let to = owner(state, self.peers.count());
        if to == self.peers.index() {
            return Ok(false);
        }
        self.tells = true;
        self.told[to].extend_from_slice(&state.to_le_bytes());
        if self.told[to].len() >= MESSAGE {
            self.send(to)?;
        }
        Ok(true)
    }

    fn send(&mut self, to: usize) -> Result<(), Gone> {
        self.peers.send(to, std::mem::take(&mut self.told[to]), 0)
    }

    /// Hears of steps to own states; whether anybody told anything.
    fn hear(&mut self, mut heard: impl FnMut(u64)) -> Result<bool, Stop> {
        for to in 0..self.told.len() {
            if !self.told[to].is_empty() {
                self.send(to)?;
            }
        }
        all_say_and(self.peers, &(), |peers| {
            for bytes in peers.arrived()? {
                let (states, rest) = bytes.as_chunks();
                if !rest.is_empty() {
                    let what = "another process has sent what are no steps of this search";
                    return Err(Gone(what.to_owned()).into());
                }
                states.iter().for_each(|state| heard(u64::from_le_bytes(*state)));
            }
            Ok(())
        })?;
        // Nobody goes on before all have heard.
        Ok(all_say(self.peers, &std::mem::take(&mut self.tells))?.contains(&true))
    }
}

/// Whether the steps of all processes lead around.
pub(super) fn is_cyclic(edges: &mut [Edge], peers: &mut dyn Peers) -> Result<bool, Stop> {
    edges.sort_unstable();
    let mut steps = Steps::of(edges);
    let mut others = Others::of(peers);
    for (_, to) in steps.edges {
        if !others.tell(*to)? {
            steps.count(*to);
        }
    }
    others.hear(|to| steps.count(to))?;
    let free = steps.states.iter().zip(&steps.into).filter(|(_, into)| **into == 0);
    steps.free = free.map(|(state, _)| *state).collect();
    loop {
        steps.take_away(&mut others)?;
        if !others.hear(|to| steps.lose(to))? {
            break;
        }
    }
    Ok(all_say(others.peers, &(steps.left > 0))?.contains(&true))
}
