//! States in a row, with their hashes.

use rapidhash::v3::{RapidSecrets, rapidhash_v3_inline};

/// A fixed seed: the same hash on every run and every machine.
const SECRETS: RapidSecrets = RapidSecrets::seed(0x7261_6464_6c65);

/// The hash of a state.
///
/// Every bit of the state reaches every bit of the hash: the upper bits choose a shard, the next ones a
/// place, the lowest tell neighbours apart, and for hash compaction all 64 stand for the state.
#[inline]
pub(in crate::search) fn hash(state: &[u8]) -> u64 {
    rapidhash_v3_inline::<true, false, false>(state, &SECRETS)
}

/// States of one length in the order in which they were pushed, with their hashes.
#[derive(Clone, Debug)]
pub(in crate::search) struct Batch {
    stride: usize,
    bytes: Vec<u8>,
    hashes: Vec<u64>,
}

impl Batch {
    /// An empty batch of states of so many bytes.
    pub(in crate::search) fn new(stride: usize) -> Self {
        Batch { stride, bytes: Vec::new(), hashes: Vec::new() }
    }

    /// Of states one behind the other; `None` if these bytes are no whole number of states.
    pub(in crate::search) fn of(stride: usize, bytes: Vec<u8>) -> Option<Self> {
        let hashes = bytes.chunks(stride).map(hash).collect();
        bytes.len().is_multiple_of(stride).then_some(Batch { stride, bytes, hashes })
    }

    /// Adds a state.
    ///
    /// # Panics
    ///
    /// If it does not have the batch's number of bytes.
    #[cfg(test)]
    #[inline]
    pub(in crate::search) fn push(&mut self, state: &[u8]) {
        assert_eq!(state.len(), self.stride, "internal: a state of another length");
        self.bytes.extend_from_slice(state);
        self.hashes.push(hash(state));
    }

    /// Adds the state that a function writes behind the bytes it is given, such as
    /// [`Packing::pack`](super::packing::Packing::pack): it need not be copied.
    ///
    /// # Panics
    ///
    /// If it did not write the batch's number of bytes.
    #[inline]
    pub(in crate::search) fn push_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let begin = self.bytes.len();
        write(&mut self.bytes);
        assert_eq!(self.bytes.len() - begin, self.stride, "internal: a state of another length");
        self.hashes.push(hash(&self.bytes[begin..]));
    }

    /// Adds the state at a place of another batch.
    #[inline]
    pub(in crate::search) fn push_from(&mut self, other: &Batch, place: usize) {
        assert_eq!(other.stride, self.stride, "internal: a state of another length");
        self.bytes.extend_from_slice(other.at(place));
        self.hashes.push(other.hashes[place]);
    }

    /// The bytes of a state.
    pub(in crate::search) fn stride(&self) -> usize {
        self.stride
    }

    /// How many states there are.
    pub(in crate::search) fn len(&self) -> usize {
        self.hashes.len()
    }

    /// The state at a place.
    #[inline]
    pub(in crate::search) fn at(&self, place: usize) -> &[u8] {
        &self.bytes[place * self.stride..][..self.stride]
    }

    /// The hash of the state at a place.
    #[inline]
    pub(in crate::search) fn hash_at(&self, place: usize) -> u64 {
        self.hashes[place]
    }

    /// All hashes.
    pub(super) fn hashes(&self) -> &[u64] {
        &self.hashes
    }

    /// Keeps so many of the first states.
    pub(in crate::search) fn truncate(&mut self, len: usize) {
        self.bytes.truncate(len * self.stride);
        self.hashes.truncate(len);
    }
}
