//! Several processes that search together, each with a part of the states.
//!
//! All of them run the same search. A state belongs to one of them, by the hash of its bytes, which are the same
//! everywhere: what is new about the automata is learnt by all at the end of a level, in the same order, so that
//! automaton nodes have the same numbers. What a search decides, it decides from what all have agreed on, so all
//! decide the same. How bytes get from one process to another is not known here.

/// The processes of a search, seen from one of them.
pub trait Peers: Send {
    /// Which of them this is.
    fn index(&self) -> usize;

    /// How many they are.
    fn count(&self) -> usize;

    /// Sends bytes to another process, of so many states. They arrive before the next agreement is reached.
    ///
    /// # Errors
    ///
    /// A process is gone.
    fn send(&mut self, to: usize, bytes: Vec<u8>, states: usize) -> Result<(), Gone>;

    /// What has arrived since this was last asked: all that was sent before the last agreement, and perhaps more,
    /// but nothing that was sent after an agreement that this process has not come to yet.
    ///
    /// # Errors
    ///
    /// A process is gone.
    fn arrived(&mut self) -> Result<Vec<Vec<u8>>, Gone>;

    /// Says something to all processes, itself included.
    ///
    /// # Errors
    ///
    /// A process is gone.
    fn say(&mut self, said: Vec<u8>) -> Result<(), Gone>;

    /// Waits until each process has said something: then an agreement is reached, and it returns what was said, by
    /// process. `None` if something may have arrived before.
    ///
    /// # Errors
    ///
    /// A process is gone.
    fn wait(&mut self) -> Result<Option<Vec<Vec<u8>>>, Gone>;
}

/// A process is gone, and the search with it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Gone(pub String);

/// One process alone.
#[derive(Clone, Debug, Default)]
pub struct Alone {
    said: Vec<u8>,
}

impl Peers for Alone {
    fn index(&self) -> usize {
        0
    }

    fn count(&self) -> usize {
        1
    }

    fn send(&mut self, _to: usize, _bytes: Vec<u8>, _states: usize) -> Result<(), Gone> {
        unreachable!("internal: there is no other process")
    }

    fn arrived(&mut self) -> Result<Vec<Vec<u8>>, Gone> {
        Ok(Vec::new())
    }

    fn say(&mut self, said: Vec<u8>) -> Result<(), Gone> {
        self.said = said;
        Ok(())
    }

    fn wait(&mut self) -> Result<Option<Vec<Vec<u8>>>, Gone> {
        Ok(Some(vec![std::mem::take(&mut self.said)]))
    }
}

/// To which of so many processes a state with this hash belongs. The upper bits alone, which choose a shard, would
/// leave most shards of a process empty.
pub(super) fn owner(hash: u64, count: usize) -> usize {
    // Fibonacci hashing: all bits reach the upper ones.
    let mixed = hash.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    ((u128::from(mixed) * count as u128) >> u64::BITS) as usize
}
