//! States that wait to be expanded, first come first served.
//!
//! In blocks: what has been taken is returned to the system, and what came last can wait on disk.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::run::about;
use super::scratch::Scratch;

/// Bytes of a block, about.
const BLOCK_BYTES: usize = 1 << 20;

/// Some states, one behind the other.
#[derive(Debug)]
enum Block {
    Memory(Vec<u8>),
    File(PathBuf),
}

/// Where blocks go that are too much for memory.
#[derive(Debug)]
struct Spill {
    /// Removed with all that is in it.
    dir: Scratch,
    memory_limit: usize,
    /// The files made so far.
    made: u64,
}

/// A queue of states of one length.
#[derive(Debug)]
pub(in crate::search) struct Frontier {
    stride: usize,
    /// States of a block.
    block: usize,
    /// All but the first and the last are full; these two are in memory.
    blocks: VecDeque<Block>,
    /// States of the first block that have been taken.
    taken: usize,
    len: usize,
    spill: Option<Spill>,
}

impl Frontier {
    /// An empty queue of states of so many bytes.
    pub(in crate::search) fn new(stride: usize) -> Self {
        Frontier::in_blocks(stride, (BLOCK_BYTES / stride.max(1)).max(1))
    }

    /// The same with so many states in a block.
    pub(super) fn in_blocks(stride: usize, block: usize) -> Self {
        Frontier { stride, block, blocks: VecDeque::new(), taken: 0, len: 0, spill: None }
    }

    /// Makes it write blocks to files in a new directory within the given one, which is removed with the
    /// queue, while those in memory hold more bytes than a limit (and there are more than two).
    ///
    /// # Errors
    ///
    /// If the directory cannot be made.
    pub(in crate::search) fn spill_to(mut self, dir: &Path, memory_limit: usize) -> io::Result<Self> {
        self.spill = Some(Spill { dir: Scratch::new(dir)?, memory_limit, made: 0 });
        Ok(self)
    }

    /// The bytes of a state.
    pub(in crate::search) fn stride(&self) -> usize {
        self.stride
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
        let held = |block: &Block| match block {
            Block::Memory(states) => states.capacity(),
            Block::File(_) => 0,
        };
        self.blocks.iter().map(held).sum()
    }

    /// The bytes on disk.
    #[cfg(test)]
    pub(in crate::search) fn on_disk(&self) -> u64 {
        let files = self.blocks.iter().filter(|block| matches!(block, Block::File(_))).count();
        (files * self.block * self.stride) as u64
    }

    /// Adds a state behind the others.
    ///
    /// # Errors
    ///
    /// Those of writing a block to disk, with the file.
    ///
    /// # Panics
    ///
    /// If it does not have the queue's number of bytes.
    #[inline]
    pub(in crate::search) fn push(&mut self, state: &[u8]) -> io::Result<()> {
        assert_eq!(state.len(), self.stride, "internal: a state of another length");
        if (self.taken + self.len).is_multiple_of(self.block) {
            self.begin_block()?;
        }
        match self.blocks.back_mut() {
            Some(Block::Memory(states)) => states.extend_from_slice(state),
            _ => unreachable!("internal: the last block is in memory"),
        }
        self.len += 1;
        Ok(())
    }

    /// Takes the first states, at most so many: their bytes, one state behind the other.
    ///
    /// # Errors
    ///
    /// Those of reading a block from disk, with the file.
    pub(in crate::search) fn take(&mut self, most: usize) -> io::Result<Vec<u8>> {
        let wanted = most.min(self.len);
        let mut states = Vec::with_capacity(wanted * self.stride);
        let mut missing = wanted;
        while missing > 0 {
            let now = missing.min(self.block - self.taken);
            match &self.blocks[0] {
                Block::Memory(first) => {
                    states.extend_from_slice(&first[self.taken * self.stride..][..now * self.stride]);
                }
                Block::File(_) => unreachable!("internal: the first block is in memory"),
            }
            self.taken += now;
            self.len -= now;
            missing -= now;
            if self.taken == self.block || self.len == 0 {
                self.next_block()?;
            }
        }
        Ok(states)
    }

    /// Gives the bytes of all states to a function, in their order, in pieces of whole states.
    ///
    /// # Errors
    ///
    /// Those of reading a block from disk, with the file, and the function's.
    pub(super) fn each_block(&self, mut f: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        for (at, block) in self.blocks.iter().enumerate() {
            match block {
                Block::Memory(states) if at == 0 => f(&states[self.taken * self.stride..])?,
                Block::Memory(states) => f(states)?,
                Block::File(path) => f(&fs::read(path).map_err(about(path))?)?,
            }
        }
        Ok(())
    }

    /// Appends an empty block, after writing the last one to disk if memory is short.
    fn begin_block(&mut self) -> io::Result<()> {
        let held = self.bytes();
        if let Some(spill) = &mut self.spill
            && self.blocks.len() > 1
            && held > spill.memory_limit
            && let Some(last @ Block::Memory(_)) = self.blocks.back_mut()
        {
            spill.made += 1;
            let path = spill.dir.path().join(format!("block-{}", spill.made));
            if let Block::Memory(states) = last {
                fs::write(&path, states).map_err(about(&path))?;
            }
            *last = Block::File(path);
        }
        // The first block grows as it is filled: most searches are small.
        let ahead = if self.blocks.is_empty() { 0 } else { self.block * self.stride };
        self.blocks.push_back(Block::Memory(Vec::with_capacity(ahead)));
        Ok(())
    }

    /// Drops the first block and brings the next one into memory.
    fn next_block(&mut self) -> io::Result<()> {
        self.blocks.pop_front();
        self.taken = 0;
        if let Some(first @ Block::File(_)) = self.blocks.front_mut() {
            let mut states = Vec::new();
            if let Block::File(path) = first {
                states = fs::read(&path).map_err(about(path))?;
                fs::remove_file(&path).map_err(about(path))?;
            }
            *first = Block::Memory(states);
        }
        Ok(())
    }
}
