//! States that wait to be expanded, first come first served.
//!
//! In blocks: what has been taken is returned to the system.

use std::collections::VecDeque;
use std::io;

/// Bytes of a block, about.
const BLOCK_BYTES: usize = 1 << 20;

/// A queue of states of one length.
#[derive(Debug)]
pub(in crate::search) struct Frontier {
    stride: usize,
    /// States of a block.
    block: usize,
    blocks: VecDeque<Vec<u8>>,
    /// States of the first block that have been taken.
    taken: usize,
    len: usize,
}

impl Frontier {
    /// An empty queue of states of so many bytes.
    pub(in crate::search) fn new(stride: usize) -> Self {
        Frontier::in_blocks(stride, (BLOCK_BYTES / stride.max(1)).max(1))
    }

    /// The same with so many states in a block.
    pub(super) fn in_blocks(stride: usize, block: usize) -> Self {
        Frontier { stride, block, blocks: VecDeque::new(), taken: 0, len: 0 }
    }

    /// How many states wait.
    pub(in crate::search) fn len(&self) -> usize {
        self.len
    }

    /// Whether none waits.
    pub(in crate::search) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bytes of memory that it holds.
    pub(in crate::search) fn bytes(&self) -> usize {
        self.blocks.iter().map(Vec::capacity).sum()
    }

    /// Adds a state behind the others.
    ///
    /// # Panics
    ///
    /// If it does not have the queue's number of bytes.
    pub(in crate::search) fn push(&mut self, state: &[u8]) -> io::Result<()> {
        assert_eq!(state.len(), self.stride, "internal: a state of another length");
        if (self.taken + self.len).is_multiple_of(self.block) {
            // The first block grows as it is filled: most searches are small.
            let ahead = if self.blocks.is_empty() { 0 } else { self.block * self.stride };
            self.blocks.push_back(Vec::with_capacity(ahead));
        }
        self.blocks.back_mut().expect("internal: a block to write in").extend_from_slice(state);
        self.len += 1;
        Ok(())
    }

    /// Takes the first states, at most so many: their bytes, one state behind the other.
    pub(in crate::search) fn take(&mut self, most: usize) -> io::Result<Vec<u8>> {
        let wanted = most.min(self.len);
        let mut states = Vec::with_capacity(wanted * self.stride);
        let mut missing = wanted;
        while missing > 0 {
            let now = missing.min(self.block - self.taken);
            let first = &self.blocks[0];
            states.extend_from_slice(&first[self.taken * self.stride..][..now * self.stride]);
            self.taken += now;
            self.len -= now;
            missing -= now;
            if self.taken == self.block || self.len == 0 {
                self.blocks.pop_front();
                self.taken = 0;
            }
        }
        Ok(states)
    }
}
