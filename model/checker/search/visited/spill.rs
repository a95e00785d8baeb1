//! The part of an exact set that does not fit into memory: sorted runs on disk, each state in one of
//! them. Facts are added in place.
//!
//! As in a log-structured merge tree, runs are merged when there are several of about one size, so that
//! a state is written a number of times that grows with the logarithm of the set's size.

use std::io;
use std::path::Path;

use super::batch::{Size, hash};
use super::exact::Exact;
use super::run::{SortedFile, Writer};
use super::scratch::Scratch;

/// So many runs of a level become one of the next.
const FAN_IN: usize = 8;

/// The runs of a set.
#[derive(Debug)]
pub(super) struct Spill {
    size: Size,
    memory_limit: usize,
    /// With how many merges are behind each, large ones first.
    runs: Vec<(u32, SortedFile)>,
    /// The files made so far.
    made: u64,
    /// Removed with all that is in it, after the runs.
    dir: Scratch,
}

impl Spill {
    /// None yet; they will be in a new directory within the given one.
    pub(super) fn new(size: Size, dir: &Path, memory_limit: usize) -> io::Result<Self> {
        Ok(Spill { size, memory_limit, runs: Vec::new(), made: 0, dir: Scratch::new(dir)? })
    }

    /// The bytes of a state.
    pub(super) fn size(&self) -> Size {
        self.size
    }

    /// The bytes of memory that the rest of the set may hold.
    pub(super) fn memory_limit(&self) -> usize {
        self.memory_limit
    }

    /// Whether nothing has been written.
    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// The runs, the oldest first.
    pub(super) fn runs(&self) -> impl Iterator<Item = &SortedFile> {
        self.runs.iter().map(|(_, run)| run)
    }

    /// The bytes of memory that it holds.
    pub(super) fn bytes(&self) -> usize {
        self.runs().map(SortedFile::bytes).sum()
    }

    /// The bytes of its files.
    #[cfg(test)]
    pub(super) fn on_disk(&self) -> u64 {
        self.runs().map(SortedFile::on_disk).sum()
    }

    /// Writes all states of some shards, which have none of the states written before.
    pub(super) fn write(&mut self, shards: &[Exact]) -> io::Result<()> {
        let mut writer = self.create()?;
        for shard in shards {
            let mut states: Vec<(u64, &[u8])> = shard.iter().map(|state| (self.hash(state), state)).collect();
            states.sort_unstable();
            for (hash, state) in states {
                writer.push(state, hash)?;
            }
        }
        self.runs.push((0, writer.finish()?));
        while let Some(begin) = self.crowded() {
            let merged = self.merge(begin)?;
            let level = self.runs[begin].0 + 1;
            self.runs.truncate(begin);
            self.runs.push((level, merged));
        }
        Ok(())
    }

    /// Where the runs of the lowest level begin, if they are enough to be merged.
    fn crowded(&self) -> Option<usize> {
        let begin = self.runs.len().checked_sub(FAN_IN)?;
        (self.runs[begin].0 == self.runs[self.runs.len() - 1].0).then_some(begin)
    }

    /// One run of all from one on.
    fn merge(&mut self, begin: usize) -> io::Result<SortedFile> {
        let mut writer = self.create()?;
        let mut cursors = Vec::new();
        for (_, run) in &self.runs[begin..] {
            let mut head = Vec::with_capacity(self.size.whole);
            let mut cursor = run.cursor()?;
            if let Some(first) = cursor.next()? {
                head.extend_from_slice(first);
                cursors.push((self.hash(&head), head, cursor));
            }
        }
        while let Some(least) = (0..cursors.len())
            .min_by(|a, b| (cursors[*a].0, &cursors[*a].1).cmp(&(cursors[*b].0, &cursors[*b].1)))
        {
            let (head_hash, head, cursor) = &mut cursors[least];
            writer.push(head, *head_hash)?;
            match cursor.next()? {
                Some(next) => {
                    head.copy_from_slice(next);
                    *head_hash = self.hash(head);
                }
                None => drop(cursors.swap_remove(least)),
            }
        }
        writer.finish()
    }

    /// The hash of a state.
    fn hash(&self, state: &[u8]) -> u64 {
        hash(&state[..self.size.key])
    }

    /// A new file.
    fn create(&mut self) -> io::Result<Writer> {
        self.made += 1;
        Writer::create(self.dir.path().join(format!("run-{}", self.made)), self.size)
    }
}
