//! States that were met lately: a few of them, in a fixed piece of memory.

use super::shard::scale;

/// Remembers states of one length. Each has one place, by its hash, and takes that of the one that was there.
#[derive(Debug)]
pub(in crate::search) struct Lately {
    stride: usize,
    states: Vec<u8>,
    /// The places at which there is a state.
    there: Vec<bool>,
}

impl Lately {
    /// Of states of so many bytes, in about so many bytes of memory.
    pub(in crate::search) fn new(stride: usize, bytes: usize) -> Self {
        let places = (bytes / stride.max(1)).max(1);
        Lately { stride, states: vec![0; places * stride], there: vec![false; places] }
    }

    /// Remembers a state; whether it was not remembered.
    pub(in crate::search) fn insert(&mut self, state: &[u8], hash: u64) -> bool {
        let place = scale(hash, self.there.len());
        let at = &mut self.states[place * self.stride..][..self.stride];
        if self.there[place] && at == state {
            return false;
        }
        self.there[place] = true;
        at.copy_from_slice(state);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::visited::batch::hash;

    #[test]
    fn what_it_remembers_it_was_given() {
        let mut lately = Lately::new(2, 200);
        let (mut given, mut known) = (std::collections::BTreeSet::new(), 0);
        for round in 0_u16..3 {
            for number in 0_u16..400 {
                let state = (number / (round + 1)).to_le_bytes();
                if !lately.insert(&state, hash(&state)) {
                    assert!(given.contains(&state), "it was given {state:?} before");
                    known += 1;
                }
                given.insert(state);
                assert!(!lately.insert(&state, hash(&state)), "the last one is remembered");
            }
        }
        assert!(known > 300, "{known} states were remembered");
    }
}
