//! Which states of a batch go to which shard, and back again.

use super::batch::Batch;
use super::shard::{SHARDS, shard_of};

/// The places of a batch, shard after shard, ascending in each.
#[derive(Debug)]
pub(super) struct Route {
    order: Vec<u32>,
    /// Where each shard's places begin, and after the last one, where they end.
    begins: [usize; SHARDS + 1],
}

impl Route {
    /// Of a batch.
    pub(super) fn of(batch: &Batch) -> Self {
        assert!(u32::try_from(batch.len()).is_ok(), "internal: over four thousand million states at once");
        let mut begins = [0; SHARDS + 1];
        for hash in batch.hashes() {
            begins[shard_of(*hash) + 1] += 1;
        }
        for shard in 0..SHARDS {
            begins[shard + 1] += begins[shard];
        }
        let mut next = begins;
        let mut order = vec![0; batch.len()];
        for (place, hash) in batch.hashes().iter().enumerate() {
            let at = &mut next[shard_of(*hash)];
            order[*at] = place as u32;
            *at += 1;
        }
        Route { order, begins }
    }

    /// The places of a shard.
    pub(super) fn places(&self, shard: usize) -> &[u32] {
        &self.order[self.begins[shard]..self.begins[shard + 1]]
    }
}

/// Places of several batches, batch after batch, as one shard chose them.
#[derive(Debug, Default)]
pub(super) struct Chosen {
    /// The places.
    pub(super) places: Vec<u32>,
    ends: Vec<usize>,
}

impl Chosen {
    /// Ends a batch: what comes belongs to the next one.
    pub(super) fn end_batch(&mut self) {
        self.ends.push(self.places.len());
    }

    /// The places of a batch.
    pub(super) fn of(&self, batch: usize) -> &[u32] {
        let begin = if batch == 0 { 0 } else { self.ends[batch - 1] };
        &self.places[begin..self.ends[batch]]
    }
}

/// What all shards chose of a batch of so many states, ascending.
pub(super) fn gather(chosen: &[Chosen], batch: usize, len: usize) -> Vec<u32> {
    let mut marks = vec![0_u64; len.div_ceil(64)];
    let mut count = 0;
    for chosen in chosen {
        let places = chosen.of(batch);
        count += places.len();
        for place in places {
            marks[*place as usize / 64] |= 1 << (place % 64);
        }
    }
    let mut ascending = Vec::with_capacity(count);
    for (word, mut mark) in marks.into_iter().enumerate() {
        while mark != 0 {
            ascending.push(word as u32 * 64 + mark.trailing_zeros());
            mark &= mark - 1;
        }
    }
    ascending
}
