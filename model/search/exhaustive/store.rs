//! The visited states: byte strings of one length, each stored once and numbered in the order of
//! their arrival.
//!
//! An arena of fixed-size records, and an open-addressing table of their numbers. Two states are the
//! same if all of their bytes are: a hash only says where to look.

use std::hash::Hasher;

use hashbrown::HashTable;
use rustc_hash::FxHasher;

/// Records in one block of the arena.
const BLOCK: usize = 1 << 14;

/// A set of byte strings of one length.
pub(in crate::search) struct Store {
    stride: usize,
    blocks: Vec<Box<[u8]>>,
    len: usize,
    table: HashTable<u32>,
}

fn record(blocks: &[Box<[u8]>], stride: usize, index: u32) -> &[u8] {
    let index = index as usize;
    let begin = index % BLOCK * stride;
    &blocks[index / BLOCK][begin..begin + stride]
}

impl Store {
    /// A set of strings of so many bytes.
    pub(in crate::search) fn new(stride: usize) -> Self {
        Store { stride, blocks: Vec::new(), len: 0, table: HashTable::new() }
    }

    /// How many there are.
    pub(in crate::search) fn len(&self) -> usize {
        self.len
    }

    /// The bytes in use.
    pub(in crate::search) fn bytes(&self) -> usize {
        // A byte of control a bucket, and the number in it.
        self.len * self.stride + self.table.capacity() * 8 / 7 * 5
    }

    /// A string by number.
    pub(in crate::search) fn at(&self, index: usize) -> &[u8] {
        record(&self.blocks, self.stride, index as u32)
    }

    /// The number of a string.
    pub(in crate::search) fn find(&self, bytes: &[u8]) -> Option<usize> {
        self.find_hashed(bytes, Store::hash(bytes))
    }

    /// The same, when the hash is known.
    pub(in crate::search) fn find_hashed(&self, bytes: &[u8], hash: u64) -> Option<usize> {
        let same = |index: &u32| record(&self.blocks, self.stride, *index) == bytes;
        self.table.find(hash, same).map(|index| *index as usize)
    }

    /// Adds a string that is not there.
    pub(in crate::search) fn add(&mut self, bytes: &[u8], hash: u64) {
        let (blocks, stride, index) = (&mut self.blocks, self.stride, self.len);
        if index.is_multiple_of(BLOCK) {
            blocks.push(vec![0; BLOCK * stride].into_boxed_slice());
        }
        let begin = index % BLOCK * stride;
        blocks[index / BLOCK][begin..begin + stride].copy_from_slice(bytes);
        let number = u32::try_from(index).expect("internal: over four thousand million states");
        self.table.insert_unique(hash, number, |index| Store::hash(record(blocks, stride, *index)));
        self.len += 1;
    }

    /// The hash of a string.
    pub(in crate::search) fn hash(bytes: &[u8]) -> u64 {
        let mut hasher = FxHasher::default();
        hasher.write(bytes);
        hasher.finish()
    }
}
