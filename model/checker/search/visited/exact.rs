//! One shard of an exact set: two states are the same if all of their bytes are.

use super::arena::Arena;
use super::batch::{Batch, hash};
use super::shard::{GROUP, Shard};
use super::table::Table;

/// The states of a shard and where to find them.
#[derive(Debug)]
pub(in crate::search) struct Exact {
    arena: Arena,
    table: Table,
}

impl Exact {
    /// The number of a state, if it is there: how many came before it.
    #[inline]
    pub(in crate::search) fn find(&self, state: &[u8], hash: u64) -> Option<usize> {
        if self.arena.len() == 0 {
            return None;
        }
        let found = self.table.find(hash, |number| self.arena.at(number) == state);
        found.ok().map(|number| number as usize)
    }

    /// A state by number.
    #[inline]
    pub(in crate::search) fn at(&self, number: usize) -> &[u8] {
        self.arena.at(number as u32)
    }

    /// How many states there are.
    pub(in crate::search) fn len(&self) -> usize {
        self.arena.len()
    }

    /// The states, in the order in which they came.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.arena.iter()
    }

    /// Makes room in the table for so many more.
    fn reserve(&mut self, more: usize) {
        while self.arena.len() + more > self.table.room() {
            self.table.grow(self.arena.iter().map(hash));
        }
    }
}

impl Shard for Exact {
    fn new(stride: usize) -> Self {
        Exact { arena: Arena::new(stride), table: Table::new() }
    }

    #[inline]
    fn insert(&mut self, state: &[u8], hash: u64) -> bool {
        self.reserve(1);
        let Exact { arena, table } = self;
        match table.find(hash, |number| arena.at(number) == state) {
            Ok(_) => false,
            Err(gap) => {
                table.put(gap, hash, arena.len() as u32);
                arena.push(state);
                true
            }
        }
    }

    fn warm(&mut self, batch: &Batch, places: &[u32]) {
        self.reserve(places.len());
        // Loops as short as can be: the processor runs ahead to the next reads while it waits.
        let mut hashes = [0; GROUP];
        let hashes = &mut hashes[..places.len()];
        let mut read = 0;
        for (hash, place) in hashes.iter_mut().zip(places) {
            *hash = batch.hash_at(*place as usize);
            read ^= ends(batch.at(*place as usize));
        }
        for hash in hashes.iter() {
            read ^= self.table.touch(*hash) as u8;
        }
        let mut numbers = [0; GROUP];
        let mut guesses = 0;
        for hash in hashes {
            if let Some(number) = self.table.guess(*hash) {
                numbers[guesses] = number;
                guesses += 1;
            }
        }
        for number in &numbers[..guesses] {
            read ^= ends(self.arena.at(*number));
        }
        std::hint::black_box(read);
    }

    fn bytes(&self) -> usize {
        self.arena.bytes() + self.table.bytes()
    }
}

/// Something of the first and of the last byte: they may be in two cache lines.
fn ends(state: &[u8]) -> u8 {
    state.first().unwrap_or(&0) ^ state.last().unwrap_or(&0)
}
