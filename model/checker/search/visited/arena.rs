//! States one behind the other, numbered in the order of their arrival.
//!
//! In blocks, so that nothing is copied when it grows and little is reserved ahead.

/// States of one block.
const BLOCK: usize = 1 << 9;

/// Numbered states of one length.
#[derive(Debug)]
pub(super) struct Arena {
    stride: usize,
    len: usize,
    blocks: Vec<Vec<u8>>,
}

impl Arena {
    /// An empty one for states of so many bytes.
    pub(super) fn new(stride: usize) -> Self {
        Arena { stride, len: 0, blocks: Vec::new() }
    }

    /// How many states there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The state of a number.
    #[inline]
    pub(super) fn at(&self, number: u32) -> &[u8] {
        let number = number as usize;
        &self.blocks[number / BLOCK][number % BLOCK * self.stride..][..self.stride]
    }

    /// The same, to be changed.
    #[inline]
    pub(super) fn at_mut(&mut self, number: u32) -> &mut [u8] {
        let number = number as usize;
        &mut self.blocks[number / BLOCK][number % BLOCK * self.stride..][..self.stride]
    }

    /// Adds a state, whose number is how many there were.
    #[inline]
    pub(super) fn push(&mut self, state: &[u8]) {
        if self.len.is_multiple_of(BLOCK) {
            // The first block grows as it is filled: most searches are small.
            let ahead = if self.len == 0 { 0 } else { BLOCK * self.stride };
            self.blocks.push(Vec::with_capacity(ahead));
        }
        self.blocks[self.len / BLOCK].extend_from_slice(state);
        self.len += 1;
    }

    /// All states, by number.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len).map(|number| self.at(number as u32))
    }

    /// The bytes of memory that it holds.
    pub(super) fn bytes(&self) -> usize {
        let blocks: usize = self.blocks.iter().map(Vec::capacity).sum();
        blocks + self.blocks.capacity() * size_of::<Vec<u8>>()
    }
}
