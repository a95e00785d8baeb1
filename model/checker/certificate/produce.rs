//! A search that makes certificates. Nothing rests on it: what it says is proved by [`verify`](super::verify).

use super::relations::{Here, Relations, Waits};
use super::renamings::Renamings;
use super::verify::{Guide, is_cyclic, walk};
use super::{Certificate, NoProof, Record, fits, hash, set, slots};
use crate::machine::program::Program;
use crate::machine::rename::{Renamer, Renaming, group};
use crate::search::system::{Choice, State, System};

/// Makes a certificate of at most so many states.
///
/// # Errors
///
/// There is none: a hazard was met, or what certificates do not cover.
pub fn produce<P: Program>(program: &P, memory: &[u8], most: usize) -> Result<Certificate, NoProof> {
    fits(program)?;
    // Those after which the initial state is the same: after others, hazards of states that no run comes to would be met.
    let mut all = group(&program.renamings()).unwrap_or_default();
    all.retain(|renaming| Renamer::new(program, renaming).is_some_and(|renamer| renamer.keeps(memory)));
    let plain = || with(program, memory, most, Vec::new());
    match with(program, memory, most, all) {
        Err(NoProof::Renaming(_) | NoProof::NoGroup) => plain(),
        made => made,
    }
}

/// The same with these renamings.
fn with<P: Program>(
    program: &P,
    memory: &[u8],
    most: usize,
    renamings: Vec<Renaming>,
) -> Result<Certificate, NoProof> {
    let mut system = System::new(program);
    system.initial(memory);
    // Until the automata have nothing new.
    loop {
        let mut of = Renamings::of(program, &renamings)?;
        of.learn(&mut system)?;
        let relations = Relations::of(&mut system);
        let graph = system.automaton().graph();
        let (edges, nodes) = (graph.edge_count(), graph.node_count());
        let mut search = Search { relations: &relations, renamings: of, records: Vec::new(), most };
        let (_, steps) = walk(&mut system, memory, &mut search)?;
        if is_cyclic(&steps) {
            return Err(NoProof::Cycle);
        }
        search.renamings.learn(&mut system)?;
        let records = search.records;
        let graph = system.automaton().graph();
        if (edges, nodes) == (graph.edge_count(), graph.node_count()) {
            return Ok(Certificate { renamings, records });
        }
    }
}

/// A search that writes down what it does.
struct Search<'r> {
    relations: &'r Relations,
    renamings: Renamings,
    records: Vec<Record>,
    most: usize,
}

impl<P: Program> Guide<P> for Search<'_> {
    fn explored(&mut self, system: &mut System<'_, P>, at: usize, state: &State) -> Result<u64, NoProof> {
        if at >= self.most {
            return Err(NoProof::TooLarge(self.most));
        }
        let here = Here { relations: self.relations, system, state };
        let (set, still) = choose(&here);
        self.records.push(Record { state: hash(system, state), set, still, renamed: Vec::new() });
        Ok(set)
    }

    /// The representative of an orbit is the state with the least hash.
    fn representative(
        &mut self,
        system: &mut System<'_, P>,
        (at, _): (usize, &State),
        (number, _): (usize, Choice),
        to: State,
    ) -> Result<State, NoProof> {
        self.renamings.learn(system)?;
        let (mut least, mut by) = ((hash(system, &to), to.clone()), 0);
        for place in 0..self.renamings.len() {
            let (image, _) = self.renamings.image(system, place, &to);
            let hashed = hash(system, &image);
            if hashed < least.0 {
                (least, by) = ((hashed, image), place + 1);
            }
        }
        if by > 0 {
            let renamed = &mut self.records[at].renamed;
            renamed.resize(number + 1, 0);
            renamed[number] = u8::try_from(by).expect("internal: a small group");
        }
        Ok(least.1)
    }
}

/// The tasks that stand still as long as those of a set do.
fn still<P: Program>(here: &Here<'_, '_, P>, of: u64) -> u64 {
    let mut still = here.live() & !of & !here.enabled();
    loop {
        let movers = here.live() & !of & !still;
        let kept = set(slots(still).filter(|slot| here.is_kept(*slot, movers)));
        if kept == still {
            return still;
        }
        still = kept;
    }
}

/// A persistent set with few tasks that can go on, and who stands still meanwhile.
fn choose<P: Program>(here: &Here<'_, '_, P>) -> (u64, u64) {
    let (live, enabled) = (here.live(), here.enabled());
    let mut best = (live, 0);
    for seed in slots(enabled) {
        let mut set = 1u64 << seed;
        while (set & enabled).count_ones() < (best.0 & enabled).count_ones() {
            let still = still(here, set);
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
