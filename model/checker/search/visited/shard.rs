//! One part of a set, the states whose hashes begin with its number; and what it needs of a hash.

use super::batch::{Batch, Size};

/// The first bits of a hash say which shard.
const SHARD_BITS: u32 = 6;

/// Parts of a set.
pub(super) const SHARDS: usize = 1 << SHARD_BITS;

/// States whose cache lines are fetched together before they are looked at.
pub(super) const GROUP: usize = 32;

/// The shard of a hash.
#[inline]
pub(super) fn shard_of(hash: u64) -> usize {
    (hash >> (u64::BITS - SHARD_BITS)) as usize
}

/// A place below a limit for a hash within its shard; a larger hash has no smaller place.
#[inline]
pub(super) fn scale(hash: u64, limit: usize) -> usize {
    ((u128::from(hash << SHARD_BITS) * limit as u128) >> u64::BITS) as usize
}

/// A hash for a table within a shard: the bits that all hashes of the shard share come last.
#[inline]
pub(super) fn within(hash: u64) -> u64 {
    hash.rotate_left(SHARD_BITS)
}

/// One part of a set.
pub(in crate::search) trait Shard: Send + Sync {
    /// An empty one for states of this size.
    fn new(size: Size) -> Self;

    /// Adds a state; whether it was new.
    fn insert(&mut self, state: &[u8], hash: u64) -> bool;

    /// Reads what inserting these, at most [`GROUP`], will read: the processor fetches all of it at
    /// once. Changes no result.
    fn warm(&mut self, batch: &Batch, places: &[u32]);

    /// The bytes of memory that it holds.
    fn bytes(&self) -> usize;

    /// Adds states in their order and chooses those that were new.
    fn insert_all(&mut self, batch: &Batch, places: &[u32], new: &mut Vec<u32>) {
        for group in places.chunks(GROUP) {
            self.warm(batch, group);
            for place in group {
                if self.insert(batch.at(*place as usize), batch.hash_at(*place as usize)) {
                    new.push(*place);
                }
            }
        }
    }
}
