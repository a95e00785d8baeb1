//! What a search may use: threads, memory, disk.

use std::path::PathBuf;
use std::time::Duration;

use crate::search::peers::Gone;
use crate::search::visited::batch::hash;

/// What a search may use. Its results do not depend on it, but for [`Resources::compact`].
#[derive(Clone, Debug, Default)]
pub struct Resources {
    /// Threads; 0 for as many as there are processors.
    pub threads: usize,
    /// Keep only a hash of each state: less memory, and a small probability that states are missed.
    pub compact: bool,
    /// A directory for states that are too many for memory (see
    /// [`Limits::memory_limit`](crate::search::reference::Limits::memory_limit)).
    pub spill: Option<PathBuf>,
    /// Where the search is saved, so that it can be gone on with.
    pub saving: Option<Saving>,
}

/// How a search is saved.
#[derive(Clone, Debug)]
pub struct Saving {
    /// The file.
    pub file: PathBuf,
    /// How often, besides at the end.
    pub every: Duration,
    /// Go on from what this file holds.
    pub from: Option<PathBuf>,
    /// What is searched, so that a file of another search is refused.
    pub fingerprint: [u8; 32],
}

impl Saving {
    /// A fingerprint of what is searched, put into words.
    #[must_use]
    pub fn fingerprint_of(searched: &str) -> [u8; 32] {
        let mut fingerprint = [0; 32];
        for (part, bytes) in fingerprint.chunks_mut(8).enumerate() {
            bytes.copy_from_slice(&hash(format!("{part} {searched}").as_bytes()).to_le_bytes());
        }
        fingerprint
    }
}

/// Why a search could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// The disk.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// Another process of the search.
    #[error("{gone}, after {level} levels of the search")]
    Gone {
        /// Which, and how that was noticed.
        gone: Gone,
        /// The levels that were closed.
        level: usize,
    },
    /// What was saved is refused.
    #[error("{}: {why}", file.display())]
    Refused {
        /// The file.
        file: PathBuf,
        /// Why.
        why: String,
    },
}
