//! The visited states of a search and what waits to be expanded: byte strings of one length, whatever
//! they mean.
//!
//! A set is split by the upper bits of the hash into shards that share nothing: each is filled in the
//! order of the states, so that what was new is the same at any number of threads.

mod arena;
pub(in crate::search) mod batch;
pub(in crate::search) mod checkpoint;
mod compact;
pub(in crate::search) mod exact;
mod frames;
pub(in crate::search) mod frontier;
mod insert;
pub(in crate::search) mod lately;
pub(in crate::search) mod packing;
mod route;
mod run;
mod scratch;
pub(in crate::search) mod shard;
mod spill;
#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;

use batch::{Batch, Size, hash};
use compact::Compact;
use exact::Exact;
use indexmap::IndexMap;
use insert::{behind, insert};
use shard::{SHARDS, Shard, shard_of};
use spill::Spill;

/// After so many restored states, what is in memory is compared with its limit.
const RESTORED: usize = 1 << 12;

/// How a set keeps its states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::search) enum Storage {
    /// All bytes of each, in memory, with a table of about 6 bytes a state.
    Exact,
    /// A hash of 64 bits instead of each, about 10 bytes a state: two states may be taken for one, see
    /// [`Visited::omission_probability`]. There is no room for facts.
    Compact,
    /// All bytes of each, in sorted files once those in memory hold more than a limit.
    ///
    /// What is not in memory is looked for in the files, whose pages are read in their order: few large
    /// batches are much faster than many small ones.
    Spill {
        /// Where the files are made, in a directory of their own. It is removed with the set.
        dir: PathBuf,
        /// The bytes of memory that states and tables may hold after an insertion.
        memory_limit: usize,
    },
}

/// What a set has of each state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Its bytes.
    States = 1,
    /// Its hash.
    Hashes = 2,
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
    size: Size,
    shards: Shards,
    /// What has been written to disk, of an exact set.
    spill: Option<Spill>,
    /// By key, the states that have got facts since they were last taken and are on disk.
    grown_on_disk: IndexMap<Vec<u8>, Vec<u8>>,
    len: usize,
}

impl Visited {
    /// An empty set of states of this size.
    ///
    /// # Errors
    ///
    /// If the directory to spill to cannot be made.
    ///
    /// # Panics
    ///
    /// If states have facts and the set has no room for them.
    pub(in crate::search) fn new(size: impl Into<Size>, kind: &Storage) -> io::Result<Self> {
        let size = size.into();
        assert!(*kind != Storage::Compact || !size.has_facts(), "internal: no room for facts");
        let shards = match kind {
            Storage::Exact | Storage::Spill { .. } => Shards::Exact(empty(size)),
            Storage::Compact => Shards::Compact(empty(size)),
        };
        let spill = match kind {
            Storage::Spill { dir, memory_limit } => Some(Spill::new(size, dir, *memory_limit)?),
            Storage::Exact | Storage::Compact => None,
        };
        Ok(Visited { size, shards, spill, grown_on_disk: IndexMap::new(), len: 0 })
    }

    /// Adds all states of some batches. Says for each batch the places of those that were new,
    /// ascending; of equal states the first is the new one.
    ///
    /// The result does not depend on the number of threads of the rayon pool in which this is called.
    ///
    /// # Errors
    ///
    /// Those of reading and writing what is on disk, with the file. The set is of no more use then.
    ///
    /// # Panics
    ///
    /// If the states do not have the set's number of bytes.
    pub(in crate::search) fn insert(&mut self, batches: &[Batch]) -> io::Result<Vec<Vec<u32>>> {
        let right = batches.iter().all(|batch| batch.size() == self.size);
        assert!(right, "internal: states of another length");
        let new = match (&mut self.shards, &self.spill) {
            (Shards::Exact(shards), Some(spill)) if !spill.is_empty() => {
                let (new, grown) = behind(shards, spill, batches)?;
                self.grown_on_disk.extend(grown.into_iter().map(|state| marked(self.size, state)));
                new
            }
            (Shards::Exact(shards), _) => insert(shards, batches),
            (Shards::Compact(shards), _) => insert(shards, batches),
        };
        self.len += new.iter().map(Vec::len).sum::<usize>();
        self.spill_if_full()?;
        Ok(new)
    }

    /// Writes what is in memory to disk if it is too much.
    fn spill_if_full(&mut self) -> io::Result<()> {
        // What has got facts stays in memory; too little for the rest would make many small files.
        let grown = self.bytes_of_grown();
        if let (Shards::Exact(shards), Some(spill)) = (&mut self.shards, &mut self.spill)
            && shards.iter().map(Shard::bytes).sum::<usize>()
                > spill.memory_limit() - grown.min(spill.memory_limit() / 2)
        {
            for shard in &mut *shards {
                let grown = &mut self.grown_on_disk;
                shard.take_grown(usize::MAX, |state| grown.extend([marked(self.size, state.to_vec())]));
            }
            spill.write(shards)?;
            *shards = empty(self.size);
        }
        Ok(())
    }

    /// The bytes of a state.
    pub(in crate::search) fn size(&self) -> Size {
        self.size
    }

    /// How many states have got facts since they were last taken.
    pub(in crate::search) fn grown(&self) -> usize {
        match &self.shards {
            Shards::Exact(shards) => {
                shards.iter().map(Exact::grown).sum::<usize>() + self.grown_on_disk.len()
            }
            Shards::Compact(_) => 0,
        }
    }

    /// Takes so many of the states that have got facts since they were last taken, at most, one behind the other, with
    /// all facts that they have and the mark.
    pub(in crate::search) fn take_grown(&mut self, most: usize) -> Vec<u8> {
        let mut states = Vec::new();
        let mut left = most;
        if let Shards::Exact(shards) = &mut self.shards {
            for shard in shards {
                left -= shard.take_grown(left, |state| states.extend_from_slice(state));
            }
        }
        let taken = left.min(self.grown_on_disk.len());
        self.grown_on_disk.drain(..taken).for_each(|(_, state)| states.extend_from_slice(&state));
        states
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
        let shards: usize = match &self.shards {
            Shards::Exact(shards) => shards.iter().map(Shard::bytes).sum(),
            Shards::Compact(shards) => shards.iter().map(Shard::bytes).sum(),
        };
        shards + self.bytes_of_grown() + self.spill.as_ref().map_or(0, Spill::bytes)
    }

    /// The bytes of memory for states on disk that have got facts.
    fn bytes_of_grown(&self) -> usize {
        self.grown_on_disk.len() * (self.size.whole + self.size.key)
    }

    /// The bytes on disk.
    #[cfg(test)]
    pub(in crate::search) fn on_disk(&self) -> u64 {
        self.spill.as_ref().map_or(0, Spill::on_disk)
    }

    /// A bound on the probability that any state was taken for another one and so left out: 0 for a set
    /// that keeps its states.
    ///
    /// Of `n` states two have the same hash with a probability of at most the number of pairs divided by
    /// that of hashes, `n * (n - 1) / 2^65` (the birthday bound). Two things are assumed. Hashes of
    /// different states agree as seldom as random numbers do, although the hash is fixed: running again
    /// leaves out the same states again. And `n`, which should count the states that there are, counts
    /// those that were found, by all processes of the search: the bound is that for a system of as many states.
    pub(in crate::search) fn omission_probability(&self, n: usize) -> f64 {
        match self.shards {
            Shards::Exact(_) => 0.0,
            Shards::Compact(_) => {
                let n = n as f64;
                // One hash stands for two, 0 and 1: a pair in 2^127, lost in the rounding up to n * n.
                (n * n / 2_f64.powi(65)).min(1.0)
            }
        }
    }

    /// What it has of each state.
    fn form(&self) -> Form {
        match self.shards {
            Shards::Exact(_) => Form::States,
            Shards::Compact(_) => Form::Hashes,
        }
    }

    /// The bytes of what it has of each state.
    fn record(&self) -> usize {
        match self.form() {
            Form::States => self.size.whole,
            Form::Hashes => size_of::<u64>(),
        }
    }

    /// Gives what it has of each state to a function, in no certain order.
    fn each_record(&self, mut f: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        match &self.shards {
            Shards::Exact(shards) => shards.iter().flat_map(Exact::iter).try_for_each(&mut f)?,
            Shards::Compact(shards) => {
                shards.iter().flat_map(Compact::iter).try_for_each(|hash| f(&hash.to_le_bytes()))?;
            }
        }
        for run in self.spill.iter().flat_map(Spill::runs) {
            let mut cursor = run.cursor()?;
            while let Some(state) = cursor.next()? {
                f(self.grown_on_disk.get(&state[..self.size.key]).map_or(state, Vec::as_slice))?;
            }
        }
        Ok(())
    }

    /// Adds what [`Visited::each_record`] gave; whether it was new, as far as memory tells.
    fn restore(&mut self, record: &[u8]) -> io::Result<bool> {
        let new = match &mut self.shards {
            Shards::Exact(shards) => {
                let hash = hash(&record[..self.size.key]);
                shards[shard_of(hash)].insert(record, hash)
            }
            Shards::Compact(shards) => {
                let hash = u64::from_le_bytes(record.try_into().expect("internal: eight bytes of a hash"));
                shards[shard_of(hash)].insert_hash(hash)
            }
        };
        self.len += usize::from(new);
        if self.len.is_multiple_of(RESTORED) {
            self.spill_if_full()?;
        }
        Ok(new)
    }
}

/// A state that has got facts, by its key.
fn marked(size: Size, mut state: Vec<u8>) -> (Vec<u8>, Vec<u8>) {
    state[size.whole - 1] = 1;
    (state[..size.key].to_vec(), state)
}

/// A set without states.
fn empty<S: Shard>(size: Size) -> Vec<S> {
    (0..SHARDS).map(|_| S::new(size)).collect()
}
