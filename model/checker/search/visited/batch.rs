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

/// What the bytes of a state are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::search) struct Size {
    /// All of them.
    pub(in crate::search) whole: usize,
    /// So many of the first tell states apart. The others are facts, a bit each, of which a state that is found again
    /// may have more; the last of them is a mark ([`Exact::take_grown`](super::exact::Exact::take_grown)).
    pub(in crate::search) key: usize,
}

impl Size {
    /// Whether states have facts.
    pub(in crate::search) fn has_facts(self) -> bool {
        self.key < self.whole
    }
}

impl From<usize> for Size {
    /// Of states without facts.
    fn from(whole: usize) -> Self {
        Size { whole, key: whole }
    }
}

/// States of one length in the order in which they were pushed, with their hashes.
#[derive(Clone, Debug)]
pub(in crate::search) struct Batch {
    size: Size,
    bytes: Vec<u8>,
    hashes: Vec<u64>,
}

impl Batch {
    /// An empty batch of states of so many bytes.
    pub(in crate::search) fn new(size: impl Into<Size>) -> Self {
        Batch { size: size.into(), bytes: Vec::new(), hashes: Vec::new() }
    }

    /// Of states one behind the other; `None` if these bytes are no whole number of states.
    pub(in crate::search) fn of(size: impl Into<Size>, bytes: Vec<u8>) -> Option<Self> {
        let size = size.into();
        let hashes = bytes.chunks_exact(size.whole).map(|state| hash(&state[..size.key])).collect();
        bytes.len().is_multiple_of(size.whole).then_some(Batch { size, bytes, hashes })
    }

    /// Adds a state.
    ///
    /// # Panics
    ///
    /// If it does not have the batch's number of bytes.
    #[cfg(test)]
    #[inline]
    pub(in crate::search) fn push(&mut self, state: &[u8]) {
        assert_eq!(state.len(), self.size.whole, "internal: a state of another length");
        self.bytes.extend_from_slice(state);
        self.hashes.push(hash(&state[..self.size.key]));
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
        assert_eq!(self.bytes.len() - begin, self.size.whole, "internal: a state of another length");
        self.hashes.push(hash(&self.bytes[begin..][..self.size.key]));
    }

    /// Adds the state at a place of another batch.
    #[inline]
    pub(in crate::search) fn push_from(&mut self, other: &Batch, place: usize) {
        assert_eq!(other.size, self.size, "internal: a state of another length");
        self.bytes.extend_from_slice(other.at(place));
        self.hashes.push(other.hashes[place]);
    }

    /// The bytes of a state.
    pub(in crate::search) fn size(&self) -> Size {
        self.size
    }

    /// How many states there are.
    pub(in crate::search) fn len(&self) -> usize {
        self.hashes.len()
    }

    /// The state at a place.
    #[inline]
    pub(in crate::search) fn at(&self, place: usize) -> &[u8] {
        &self.bytes[place * self.size.whole..][..self.size.whole]
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
        self.bytes.truncate(len * self.size.whole);
        self.hashes.truncate(len);
    }
}
