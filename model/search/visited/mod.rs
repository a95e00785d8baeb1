//! The visited states of a search and what waits to be expanded: byte strings of one length, whatever
//! they mean.
//!
//! A set is split by the upper bits of the hash into shards that share nothing: each is filled in the
//! order of the states, so that what was new is the same at any number of threads.

mod arena;
pub(in crate::search) mod batch;
mod compact;
mod exact;
pub(in crate::search) mod frontier;
pub(in crate::search) mod packing;
mod route;
mod table;
#[cfg(test)]
mod tests;

use std::io;

use rayon::prelude::*;

use batch::Batch;
use compact::Compact;
use exact::Exact;
use route::{Chosen, Route, gather};

/// The first bits of a hash say which shard.
const SHARD_BITS: u32 = 6;

/// Parts of a set.
const SHARDS: usize = 1 << SHARD_BITS;

/// States whose cache lines are fetched together before they are looked at.
const GROUP: usize = 16;

/// Fewer states than these are not worth a second thread.
const FEW: usize = 2048;

/// The shard of a hash.
#[inline]
fn shard_of(hash: u64) -> usize {
    (hash >> (u64::BITS - SHARD_BITS)) as usize
}

/// A place below a limit for a hash within its shard; a larger hash has no smaller place.
#[inline]
fn scale(hash: u64, limit: usize) -> usize {
    ((u128::from(hash << SHARD_BITS) * limit as u128) >> u64::BITS) as usize
}

/// One part of a set: the states whose hashes begin with its number.
trait Shard: Send + Sync {
    /// An empty one for states of so many bytes.
    fn new(stride: usize) -> Self;

    /// Adds a state; whether it was new.
    fn insert(&mut self, state: &[u8], hash: u64) -> bool;

    /// Reads what inserting these, at most [`GROUP`], will read: the processor fetches all of it at
    /// once. Changes no result.
    fn warm(&mut self, batch: &Batch, places: &[u32]);

    /// How many states there are.
    fn len(&self) -> usize;

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

/// How a set keeps its states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::search) enum Kind {
    /// All bytes of each, in memory, with a table of about 6 bytes a state.
    Exact,
    /// A hash of 64 bits instead of each, about 10 bytes a state: two states may be taken for one, see
    /// [`Visited::omission_probability`].
    Compact,
}

/// The shards of a set.
#[derive(Debug)]
enum Shards {
    Exact(Vec<Exact>),
    Compact(Vec<Compact>),
}

/// A set of states of one length.
#[derive(Debug)]
pub(in crate::search) struct Visited {
    stride: usize,
    shards: Shards,
    len: usize,
}

impl Visited {
    /// An empty set of states of so many bytes.
    pub(in crate::search) fn new(stride: usize, kind: &Kind) -> io::Result<Self> {
        let shards = match kind {
            Kind::Exact => Shards::Exact((0..SHARDS).map(|_| Exact::new(stride)).collect()),
            Kind::Compact => Shards::Compact((0..SHARDS).map(|_| Compact::new(stride)).collect()),
        };
        Ok(Visited { stride, shards, len: 0 })
    }

    /// Adds all states of some batches. Says for each batch the places of those that were new,
    /// ascending; of equal states the first is the new one.
    ///
    /// The result does not depend on the number of threads of the rayon pool in which this is called.
    ///
    /// # Panics
    ///
    /// If the states do not have the set's number of bytes.
    pub(in crate::search) fn insert(&mut self, batches: &[Batch]) -> io::Result<Vec<Vec<u32>>> {
        let right = batches.iter().all(|batch| batch.stride() == self.stride);
        assert!(right, "internal: states of another length");
        let new = match &mut self.shards {
            Shards::Exact(shards) => insert(shards, batches),
            Shards::Compact(shards) => insert(shards, batches),
        };
        self.len += new.iter().map(Vec::len).sum::<usize>();
        Ok(new)
    }

    /// How many states there are.
    pub(in crate::search) fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub(in crate::search) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bytes of memory that it holds, with what its tables and blocks have reserved.
    pub(in crate::search) fn bytes(&self) -> usize {
        match &self.shards {
            Shards::Exact(shards) => shards.iter().map(Shard::bytes).sum(),
            Shards::Compact(shards) => shards.iter().map(Shard::bytes).sum(),
        }
    }

    /// A bound on the probability that any state was taken for another one and so left out: 0 for a set
    /// that keeps its states.
    ///
    /// Of `n` states two have the same hash with a probability of at most the number of pairs divided by
    /// that of hashes, `n * (n - 1) / 2^65` (the birthday bound). It assumes that hashes of different
    /// states agree as seldom as random numbers do; the hash is fixed, so the same search always leaves
    /// out the same states. And `n` is how many states there are really: that of the set is the same
    /// unless some were left out, so read it as "had there been two states with one hash, then by a
    /// coincidence of this probability".
    pub(in crate::search) fn omission_probability(&self) -> f64 {
        match self.shards {
            Shards::Exact(_) => 0.0,
            Shards::Compact(_) => {
                let n = self.len as f64;
                // One hash stands for two, 0 and 1: a pair in 2^127, lost in the rounding up to n * n.
                (n * n / 2_f64.powi(65)).min(1.0)
            }
        }
    }
}

/// Adds all states of some batches; for each batch the places of those that were new.
fn insert<S: Shard>(shards: &mut [S], batches: &[Batch]) -> Vec<Vec<u32>> {
    if batches.iter().map(Batch::len).sum::<usize>() < FEW {
        return batches.iter().map(|batch| insert_few(shards, batch)).collect();
    }
    let routes: Vec<Route> = batches.par_iter().map(Route::of).collect();
    let insert = |(shard, states): (usize, &mut S)| {
        let mut new = Chosen::default();
        for (batch, route) in batches.iter().zip(&routes) {
            states.insert_all(batch, route.places(shard), &mut new.places);
            new.end_batch();
        }
        new
    };
    let new: Vec<Chosen> = shards.par_iter_mut().enumerate().map(insert).collect();
    batches.par_iter().enumerate().map(|(at, batch)| gather(&new, at, batch.len())).collect()
}

/// The same for one batch, on this thread.
fn insert_few<S: Shard>(shards: &mut [S], batch: &Batch) -> Vec<u32> {
    let new = |place: &u32| {
        let (state, hash) = (batch.at(*place as usize), batch.hash_at(*place as usize));
        shards[shard_of(hash)].insert(state, hash)
    };
    (0..batch.len() as u32).filter(new).collect()
}
