//! One shard of an exact set: two states are the same if all bytes of their keys are. A state that is found again has
//! the facts of both.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::arena::Arena;
use super::batch::{Batch, Size, hash};
use super::shard::{GROUP, Shard, within};

/// The states of a shard, and their numbers by their hashes.
#[derive(Debug)]
pub(in crate::search) struct Exact {
    size: Size,
    arena: Arena,
    table: HashTable<u32>,
    /// The states that have got facts since they were last taken: those that are marked.
    grown: Vec<u32>,
}

/// Where in the table a state belongs, by its number.
fn place_of(arena: &Arena, size: Size) -> impl Fn(&u32) -> u64 {
    move |number| within(hash(&arena.at(*number)[..size.key]))
}

/// Adds facts; whether there are more. The mark is left as it is.
pub(super) fn join(there: &mut [u8], more: &[u8]) -> bool {
    let facts = there.len() - 1;
    let mut grown = false;
    for (there, more) in there[..facts].iter_mut().zip(more) {
        grown |= more & !*there != 0;
        *there |= more;
    }
    grown
}

impl Exact {
    /// The number of a state, if it is there: how many came before it.
    #[inline]
    pub(in crate::search) fn find(&self, state: &[u8], hash: u64) -> Option<usize> {
        let key = self.size.key;
        let same = |number: &u32| self.arena.at(*number)[..key] == state[..key];
        let number = self.table.find(within(hash), same);
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
        let place = place_of(&self.arena, self.size);
        let mut table = HashTable::with_capacity(self.table.capacity() + 1);
        for number in 0..self.table.len() as u32 {
            table.insert_unique(place(&number), number, &place);
        }
        self.table = table;
    }

    /// How many states have got facts since they were last taken.
    pub(super) fn grown(&self) -> usize {
        self.grown.len()
    }

    /// Takes so many of the states that have got facts, at most, in the order in which they did: how many there were. What
    /// `take` is given has the mark; the states here lose it.
    pub(super) fn take_grown(&mut self, most: usize, mut take: impl FnMut(&[u8])) -> usize {
        let count = most.min(self.grown.len());
        for number in self.grown.drain(..count) {
            let state = self.arena.at_mut(number);
            take(state);
            state[self.size.whole - 1] = 0;
        }
        count
    }
}

impl Shard for Exact {
    fn new(size: Size) -> Self {
        Exact { size, arena: Arena::new(size.whole), table: HashTable::new(), grown: Vec::new() }
    }

    #[inline]
    fn insert(&mut self, state: &[u8], at: u64) -> bool {
        if self.table.len() == self.table.capacity() {
            self.grow();
        }
        let Exact { size, arena, table, grown } = self;
        let Size { whole, key } = *size;
        let same = |number: &u32| arena.at(*number)[..key] == state[..key];
        match table.entry(within(at), same, place_of(arena, *size)) {
            Entry::Occupied(number) => {
                if size.has_facts() {
                    let there = arena.at_mut(*number.get());
                    if join(&mut there[key..], &state[key..]) && there[whole - 1] == 0 {
                        there[whole - 1] = 1;
                        grown.push(*number.get());
                    }
                }
                false
            }
            Entry::Vacant(gap) => {
                let number = u32::try_from(arena.len()).expect("internal: too many states in one shard");
                gap.insert(number);
                arena.push(state);
                // It was marked when the search was saved.
                if size.has_facts() && state[whole - 1] != 0 {
                    grown.push(number);
                }
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
        self.arena.bytes() + self.table.allocation_size() + self.grown.capacity() * size_of::<u32>()
    }
}

/// Something of the first and of the last byte: they may be in two cache lines.
fn ends(state: &[u8]) -> u8 {
    state.first().unwrap_or(&0) ^ state.last().unwrap_or(&0)
}
