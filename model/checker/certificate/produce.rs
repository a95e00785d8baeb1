//! A search that makes certificates. Nothing rests on it: what it says is proved by [`verify`](super::verify).

use super::relations::{Here, Relations, Waits};
use super::verify::{is_cyclic, walk};
use super::{NoProof, Record, fits, hash, slots};
use crate::machine::program::Program;
use crate::search::system::System;

/// Makes a certificate of at most so many states.
///
/// # Errors
///
/// There is none: a hazard was met, or what certificates do not cover.
pub fn produce<P: Program>(program: &P, memory: &[u8], most: usize) -> Result<Vec<Record>, NoProof> {
    fits(program)?;
    let mut system = System::new(program);
    system.initial(memory);
    // Until the automata have nothing new.
    loop {
        let relations = Relations::of(&mut system);
        let mut records = Vec::new();
        let (edges, known) = (system.automaton().graph().edge_count(), relations.known());
        let (_, steps) = walk(&mut system, memory, |system, at, state| {
            if at >= most {
                return Err(NoProof::TooLarge(most));
            }
            let here = Here { relations: &relations, system, state };
            let (set, still) = choose(&here);
            records.push(Record { state: hash(system, state), set, still });
            Ok(set)
        })?;
        if is_cyclic(&steps) {
            return Err(NoProof::Cycle);
        }
        if (edges, known)
            == (system.automaton().graph().edge_count(), system.automaton().graph().node_count())
        {
            return Ok(records);
        }
    }
}

/// A persistent set with few tasks that can go on, and who stands still meanwhile.
fn choose<P: Program>(here: &Here<'_, '_, P>) -> (u64, u64) {
    let (live, enabled) = (here.live(), here.enabled());
    let mut best = (live, 0);
    for seed in slots(enabled) {
        let mut set = 1u64 << seed;
        while (set & enabled).count_ones() < (best.0 & enabled).count_ones() {
            let still = here.still(set);
            let movers = live & !set & !still;
            let mut more = 0;
            for slot in slots(set) {
                more |= if enabled >> slot & 1 != 0 {
                    here.clashers(slot, movers)
                } else if here.is_kept(slot, movers) {
                    0
                } else {
                    match here.waits(slot) {
                        Waits::For(those) => those & those.wrapping_neg(),
                        Waits::Anybody => here.wakers(slot, movers),
                    }
                };
            }
            if more & movers == 0 {
                best = (set, still);
                break;
            }
            set |= more & movers;
        }
    }
    best
}
