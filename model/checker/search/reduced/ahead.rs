//! Most of the automata is found by random runs, always the same ones, before the search needs it: then it seldom
//! begins again. What they miss is learnt on the way; nothing depends on their being complete.

use super::Searched;
use super::symmetry::GivenUp;
use crate::machine::program::Program;
use crate::search::packed::expand::{Halt, Scratch};

/// The steps of a run at the most.
const STEPS: usize = 2_000;

/// Xorshift: what is drawn is the same every time.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % end
    }
}

impl<P: Program> Searched<'_, P> {
    /// Makes random runs from these states until so many in a row have met nothing new.
    ///
    /// # Errors
    ///
    /// If the automata go on differently after some renaming that was used.
    pub(super) fn learn_ahead(&mut self, from: &[Vec<u8>], in_vain: usize) -> Result<(), GivenUp> {
        let mut random = Random(0x9E37_79B9_7F4A_7C15);
        let (mut vain, mut runs) = (0, 0);
        let (mut state, mut next) = (from[0].clone(), from[0].clone());
        let (mut choices, mut scratch) = (Vec::new(), Scratch::default());
        let mut alike = Ok(());
        while vain < in_vain {
            vain += 1;
            state.copy_from_slice(&from[runs % from.len()]);
            runs += 1;
            // Some runs change tasks at every step, some seldom.
            let stays = [0, 50, 80, 95, 99][random.below(5)];
            let mut last = None;
            for _ in 0..STEPS {
                self.expander.enabled(&state, &mut choices);
                let again = choices.iter().position(|choice| Some(choice.slot) == last);
                let mut place = match again {
                    Some(place) if random.below(100) < stays => place,
                    _ if choices.is_empty() => break,
                    _ => random.below(choices.len()),
                };
                // A hazard is no way on: then another step.
                let landed = loop {
                    match self.expander.try_step(&mut scratch, &state, choices[place], &mut next) {
                        Ok(landed) => break Some(landed),
                        Err(Halt::Stop(_)) => {
                            choices.swap_remove(place);
                            if choices.is_empty() {
                                break None;
                            }
                            place = random.below(choices.len());
                        }
                        Err(Halt::Unknown(unknown)) => {
                            vain = 0;
                            alike = self.learn(*unknown).and(alike);
                        }
                    }
                };
                let Some(landed) = landed else { break };
                last = landed.after;
                std::mem::swap(&mut state, &mut next);
            }
        }
        alike
    }
}
