//! One shard of an exact set: two states are the same if all of their bytes are.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::arena::Arena;
use super::batch::{Batch, hash};
use super::shard::{GROUP, Shard, within};

/// The states of a shard, and their numbers by their hashes.
#[derive(Debug)]
pub(in crate::search) struct Exact {
    arena: Arena,
    table: HashTable<u32>,
}

/// Where in the table a state belongs, by its number.
fn place_of(arena: &Arena) -> impl Fn(&u32) -> u64 {
    |number| within(hash(arena.at(*number)))
}

impl Exact {
    /// The number of a state, if it is there: how many came before it.
    #[inline]
    pub(in crate::search) fn find(&self, state: &[u8], hash: u64) -> Option<usize> {
        let number = self.table.find(within(hash), |number| self.arena.at(*number) == state);
        number.map(|number| *number as usize)
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

    /// Makes room for more. States are read in their order: in that of the table each would be a cache miss.
    #[cold]
    fn grow(&mut self) {
        let place = place_of(&self.arena);
        let mut table = HashTable::with_capacity(self.table.capacity() + 1);
        for number in 0..self.table.len() as u32 {
            table.insert_unique(place(&number), number, &place);
        }
        self.table = table;
    }
}

impl Shard for Exact {
    fn new(stride: usize) -> Self {
        Exact { arena: Arena::new(stride), table: HashTable::new() }
    }

    #[inline]
    fn insert(&mut self, state: &[u8], at: u64) -> bool {
        if self.table.len() == self.table.capacity() {
            self.grow();
        }
        let Exact { arena, table } = self;
        let same = |number: &u32| arena.at(*number) == state;
        match table.entry(within(at), same, place_of(arena)) {
            Entry::Occupied(_) => false,
            Entry::Vacant(gap) => {
                gap.insert(u32::try_from(arena.len()).expect("internal: too many states in one shard"));
                arena.push(state);
                true
            }
        }
    }

    fn warm(&mut self, batch: &Batch, places: &[u32]) {
        // Loops as short as can be: the processor runs ahead to the next reads while it waits.
        let mut guesses = [0; GROUP];
        let mut read = 0;
        let mut found = 0;
        for place in places {
            read ^= ends(batch.at(*place as usize));
            // Whatever is found first is probably what a search will compare.
            if let Some(number) = self.table.find(within(batch.hash_at(*place as usize)), |_| true) {
                guesses[found] = *number;
                found += 1;
            }
        }
        for number in &guesses[..found] {
            read ^= ends(self.arena.at(*number));
        }
        std::hint::black_box(read);
    }

    fn bytes(&self) -> usize {
        self.arena.bytes() + self.table.allocation_size()
    }
}

/// Something of the first and of the last byte: they may be in two cache lines.
fn ends(state: &[u8]) -> u8 {
    state.first().unwrap_or(&0) ^ state.last().unwrap_or(&0)
}
