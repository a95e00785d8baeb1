//! One shard of a set that knows its states by their hashes alone.

use super::batch::{Batch, Size};
use super::shard::{GROUP, Shard, scale};

/// No hash. The state whose hash it would be is kept under [`INSTEAD`].
const EMPTY: u64 = 0;

/// What stands for a hash of [`EMPTY`].
const INSTEAD: u64 = 1;

/// Hashes of a bucket.
const WIDTH: usize = 8;

/// A cache line of hashes; it fills from the left and never has a hole.
#[repr(align(64))]
#[derive(Clone, Copy, Debug)]
struct Bucket([u64; WIDTH]);

/// The hashes of a shard.
#[derive(Debug)]
pub(super) struct Compact {
    buckets: Vec<Bucket>,
    len: usize,
}

impl Compact {
    /// Adds a hash; whether it was new.
    #[inline]
    pub(super) fn insert_hash(&mut self, hash: u64) -> bool {
        self.reserve(1);
        let new = put(&mut self.buckets, if hash == EMPTY { INSTEAD } else { hash });
        self.len += usize::from(new);
        new
    }

    /// The hashes, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = u64> {
        self.buckets.iter().flat_map(|bucket| bucket.0).filter(|hash| *hash != EMPTY)
    }

    /// Makes room for so many more: seven eighths of the places are used, at most.
    fn reserve(&mut self, more: usize) {
        while self.len + more > self.buckets.len() * (WIDTH / 8 * 7) {
            let wanted = self.buckets.len() + self.buckets.len() / 4 + 1;
            let mut buckets = vec![Bucket([EMPTY; WIDTH]); wanted];
            // A larger hash is further on in both tables: this reads and writes them front to back.
            for hash in self.iter() {
                put(&mut buckets, hash);
            }
            self.buckets = buckets;
        }
    }
}

/// Puts a hash where it is looked for; whether it was not there.
#[inline]
fn put(buckets: &mut [Bucket], hash: u64) -> bool {
    let mut at = scale(hash, buckets.len());
    loop {
        let bucket = &mut buckets[at].0;
        let mut same = false;
        let mut filled = 0;
        for there in bucket.iter() {
            same |= *there == hash;
            filled += usize::from(*there != EMPTY);
        }
        if same {
            return false;
        }
        if filled < WIDTH {
            bucket[filled] = hash;
            return true;
        }
        at = if at + 1 == buckets.len() { 0 } else { at + 1 };
    }
}

impl Shard for Compact {
    fn new(_size: Size) -> Self {
        Compact { buckets: Vec::new(), len: 0 }
    }

    #[inline]
    fn insert(&mut self, _state: &[u8], hash: u64) -> bool {
        self.insert_hash(hash)
    }

    fn warm(&mut self, batch: &Batch, places: &[u32]) {
        debug_assert!(places.len() <= GROUP, "a group at a time");
        self.reserve(places.len());
        let mut read = 0;
        for place in places {
            read ^= self.buckets[scale(batch.hash_at(*place as usize), self.buckets.len())].0[0];
        }
        std::hint::black_box(read);
    }

    fn bytes(&self) -> usize {
        self.buckets.capacity() * size_of::<Bucket>()
    }
}
