//! From a hash to the numbers of the states that may have it.
//!
//! Open addressing in buckets of one cache line. An entry of four bytes is a number and, in the bits
//! that numbers do not need, a piece of the hash, so that the state itself is seldom read in vain.
//! Nothing is ever taken out: a bucket fills from the left and never has a hole.

use super::shard::scale;

/// No entry.
const EMPTY: u32 = u32::MAX;

/// Entries of a bucket.
const WIDTH: usize = 16;

#[repr(align(64))]
#[derive(Clone, Copy, Debug)]
struct Bucket([u32; WIDTH]);

impl Bucket {
    /// One bit for each entry that agrees with a hash in the bits above the number.
    #[inline]
    fn candidates(&self, hash: u64, number_bits: u32) -> u32 {
        let mut found = 0;
        for (at, entry) in self.0.iter().enumerate() {
            found |= u32::from((entry ^ hash as u32) >> number_bits == 0) << at;
        }
        found
    }

    /// How many entries there are.
    #[inline]
    fn filled(&self) -> usize {
        self.0.iter().map(|entry| usize::from(*entry != EMPTY)).sum()
    }
}

/// A hash table of numbers, counted from 0.
#[derive(Debug)]
pub(super) struct Table {
    buckets: Vec<Bucket>,
    /// An entry's lower bits that are the number; the others are those of the hash.
    number_bits: u32,
}

/// Where an entry can be put.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gap {
    bucket: usize,
    slot: usize,
}

impl Table {
    /// A table without room.
    pub(super) fn new() -> Self {
        Table { buckets: Vec::new(), number_bits: 0 }
    }

    /// How many entries it takes: seven eighths of its places.
    pub(super) fn room(&self) -> usize {
        self.buckets.len() * (WIDTH / 8 * 7)
    }

    /// Makes a larger table of the hashes of all states, by number; returns once there is room for more.
    pub(super) fn grow(&mut self, hashes: impl Iterator<Item = u64>) {
        let wanted = self.buckets.len() + self.buckets.len() / 2 + 1;
        // The old table is not needed for the new one: the two are never held together.
        self.buckets = Vec::new();
        self.buckets = vec![Bucket([EMPTY; WIDTH]); wanted];
        self.number_bits = (wanted * WIDTH).ilog2() + 1;
        assert!(self.number_bits < u32::BITS, "internal: over a thousand million states in one shard");
        for (number, hash) in hashes.enumerate() {
            let mut bucket = self.home(hash);
            while self.buckets[bucket].0[WIDTH - 1] != EMPTY {
                bucket = self.next(bucket);
            }
            let slot = self.buckets[bucket].filled();
            self.put(Gap { bucket, slot }, hash, number as u32);
        }
    }

    /// The number of a state by its hash and a comparison with the state of a number, or where to put
    /// it. The table must have room.
    #[inline]
    pub(super) fn find(&self, hash: u64, same: impl Fn(u32) -> bool) -> Result<u32, Gap> {
        let mut at = self.home(hash);
        loop {
            let bucket = &self.buckets[at];
            let mut candidates = bucket.candidates(hash, self.number_bits);
            while candidates != 0 {
                let entry = bucket.0[candidates.trailing_zeros() as usize % WIDTH];
                let number = entry & ((1 << self.number_bits) - 1);
                if entry != EMPTY && same(number) {
                    return Ok(number);
                }
                candidates &= candidates - 1;
            }
            if bucket.0[WIDTH - 1] == EMPTY {
                return Err(Gap { bucket: at, slot: bucket.filled() });
            }
            at = self.next(at);
        }
    }

    /// Reads where [`Table::find`] will read.
    #[inline]
    pub(super) fn touch(&self, hash: u64) -> u32 {
        self.buckets[self.home(hash)].0[0]
    }

    /// A number that [`Table::find`] will probably ask about. The table must have room.
    #[inline]
    pub(super) fn guess(&self, hash: u64) -> Option<u32> {
        let bucket = &self.buckets[self.home(hash)];
        let candidates = bucket.candidates(hash, self.number_bits);
        let entry = *bucket.0.get(candidates.trailing_zeros() as usize)?;
        (entry != EMPTY).then_some(entry & ((1 << self.number_bits) - 1))
    }

    /// Puts a number where [`Table::find`] said.
    #[inline]
    pub(super) fn put(&mut self, gap: Gap, hash: u64, number: u32) {
        let tag = hash as u32 >> self.number_bits << self.number_bits;
        self.buckets[gap.bucket].0[gap.slot] = tag | number;
    }

    /// The bytes of memory that it holds.
    pub(super) fn bytes(&self) -> usize {
        self.buckets.capacity() * size_of::<Bucket>()
    }

    /// The bucket where a search begins.
    #[inline]
    fn home(&self, hash: u64) -> usize {
        scale(hash, self.buckets.len())
    }

    #[inline]
    fn next(&self, bucket: usize) -> usize {
        if bucket + 1 == self.buckets.len() { 0 } else { bucket + 1 }
    }
}
