//! What is kept while the tables hold: the states found, those not expanded yet, and what came of them;
//! and how the states of a level are expanded, on all threads and by all processes.
//!
//! The states of a batch are dealt out in pieces of fixed size, and what comes of a state depends on it and on the
//! tables alone. What is new about the automata is learnt once all states of a level have been expanded, in the order
//! of its bytes. So nothing depends on the number of threads or processes.

use std::cell::RefCell;
use std::io;

use indexmap::IndexMap;
use rayon::prelude::*;

use super::chain::{Gains, Walker};
use super::resources::Resources;
use super::symmetry::Images;
use super::{Searched, Stop};
use crate::machine::program::Program;
use crate::search::packed::expand::{News, Unknown};
use crate::search::peers::{Gone, Peers, owner};
use crate::search::reference::Limits;
use crate::search::system::Choice;
use crate::search::visited::batch::{Batch, Size, hash};
use crate::search::visited::frontier::Frontier;
use crate::search::visited::lately::Lately;
use crate::search::visited::{Storage, Visited};

use serde::{Deserialize, Serialize};

/// States that are expanded before their successors are stored.
const BATCH: usize = if cfg!(test) { 8 } else { 4096 };

/// States that a thread expands at a time.
const PIECE: usize = if cfg!(test) { 4 } else { 64 };

/// Bytes of memory for states that were sent, so that they are not sent again soon.
const LATELY: usize = 1 << 22;

/// Bytes of a message to another process, about. What holds messages grows with them.
pub(super) const MESSAGE: usize = 1 << 16;

/// A step between stored states, by their hashes.
pub(super) type Edge = (u64, u64);

/// A state, and a step of it that leads to something new about the automata.
pub(super) type Tried = (Vec<u8>, usize, u8);

/// What all processes have together.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Totals {
    /// States stored.
    pub(super) stored: usize,
    /// States that wait to be expanded.
    pub(super) waiting: usize,
    /// Those of them that belong to the level that was begun and were not expanded.
    pub(super) left: usize,
    /// Those of them from which something unknown was met.
    pub(super) again: usize,
    /// Those of them that have got facts since they were found.
    pub(super) grown: usize,
    /// Deadlocks that were not gone on from.
    pub(super) stuck: usize,
    /// Bytes of memory that states take.
    pub(super) bytes: usize,
}

/// A round of the search.
pub(super) struct Round {
    pub(super) visited: Visited,
    pub(super) frontier: Frontier,
    /// So many of those states belong to the level that was begun.
    pub(super) left: usize,
    /// States from which something unknown was met, which is known by now.
    pub(super) again: Vec<u8>,
    /// The same, and it is not known yet.
    pub(super) unclear: Vec<u8>,
    /// The levels that were begun.
    pub(super) depth: usize,
    /// What came of the states that all processes have expanded, but for deadlocks, which each keeps.
    pub(super) gains: Gains,
    /// What came of states since the last agreement.
    pub(super) fresh: Gains,
    /// What is new about the automata, where it was met: of several places the least.
    pub(super) unknown: IndexMap<News, Tried>,
    pub(super) totals: Totals,
    /// States that were found and not stored: the initial one, if it is passed.
    pub(super) passed: usize,
    /// What came of going on after deadlocks, once everything before them has been explored.
    pub(super) beyond: Option<Gains>,
    /// The steps between stored states; only if states may come back.
    pub(super) edges: Option<Vec<Edge>>,
    /// A renaming was given up by which states were taken for each other.
    pub(super) stale: bool,
    /// The states in which something new about the automata was met.
    pub(super) tried: Vec<Vec<u8>>,
    /// The steps taken when something new about the automata was last met.
    pub(super) news: Option<usize>,
    /// What was sent to other processes lately, once something was.
    lately: Option<Lately>,
}

/// What came of a piece of a batch.
struct Piece {
    found: Batch,
    edges: Vec<Edge>,
    gains: Gains,
    /// States from which something unknown was met.
    unclear: Vec<u8>,
    unknown: Vec<Unknown>,
}

impl Round {
    /// One in which no state has been found.
    pub(super) fn new(size: Size, limits: &Limits, resources: &Resources) -> io::Result<Self> {
        let (mut kind, mut frontier) = (Storage::Exact, Frontier::new(size.whole));
        if let Some(dir) = &resources.spill {
            // Most of the memory is for states found, some for those not expanded yet.
            std::fs::create_dir_all(dir)?;
            let limit = limits.memory_limit.unwrap_or(usize::MAX);
            kind = Storage::Spill { dir: dir.clone(), memory_limit: limit / 4 * 3 };
            frontier = frontier.spill_to(dir, limit / 4)?;
        } else if resources.compact {
            kind = Storage::Compact;
        }
        let visited = Visited::new(size, &kind)?;
        Ok(Round {
            visited,
            frontier,
            left: 0,
            again: Vec::new(),
            unclear: Vec::new(),
            depth: 0,
            gains: Gains::default(),
            fresh: Gains::default(),
            unknown: IndexMap::new(),
            totals: Totals::default(),
            passed: 1,
            beyond: None,
            edges: None,
            stale: false,
            tried: Vec::new(),
            news: None,
            lately: None,
        })
    }

    /// The bytes of memory that states take in this process.
    pub(super) fn bytes(&self) -> usize {
        let edges = self.edges.as_ref().map_or(0, |edges| edges.capacity() * size_of::<Edge>());
        let again = self.again.capacity() + self.unclear.capacity();
        self.visited.bytes() + self.frontier.bytes() + again + edges
    }

    /// How many states have been found, as far as this process knows.
    pub(super) fn states(&self) -> usize {
        self.passed + self.visited.len().max(self.totals.stored)
    }

    /// Stores states that were not there.
    pub(super) fn add(&mut self, found: &[Batch]) -> io::Result<()> {
        let new = self.visited.insert(found)?;
        for (batch, places) in found.iter().zip(new) {
            for place in places {
                self.frontier.push(batch.at(place as usize))?;
            }
        }
        Ok(())
    }

    /// Stores what belongs to this process and sends the rest to where it belongs.
    pub(super) fn deliver(&mut self, found: Vec<Batch>, peers: &mut dyn Peers) -> Result<(), Stop> {
        if peers.count() == 1 {
            return Ok(self.add(&found)?);
        }
        let size = self.visited.size();
        let stride = size.whole;
        let lately = self.lately.get_or_insert_with(|| Lately::new(stride, LATELY));
        let mut own = Batch::new(size);
        let mut others = vec![Vec::new(); peers.count()];
        for batch in found {
            for place in 0..batch.len() {
                let (state, hash) = (batch.at(place), batch.hash_at(place));
                let to = owner(hash, peers.count());
                if to == peers.index() {
                    own.push_from(&batch, place);
                } else if lately.insert(state, hash) {
                    others[to].extend_from_slice(state);
                    if others[to].len() >= MESSAGE {
                        send(peers, to, std::mem::take(&mut others[to]), stride)?;
                    }
                }
            }
        }
        for (to, states) in others.into_iter().enumerate().filter(|(_, states)| !states.is_empty()) {
            send(peers, to, states, stride)?;
        }
        self.add(&[own])?;
        self.receive(peers)
    }

    /// Stores what other processes have sent.
    pub(super) fn receive(&mut self, peers: &mut dyn Peers) -> Result<(), Stop> {
        for bytes in peers.arrived()? {
            let states = Batch::of(self.visited.size(), bytes).ok_or_else(|| {
                Gone("another process has sent what are no states of this search".to_owned())
            })?;
            self.add(&[states])?;
        }
        Ok(())
    }

    /// Notes what is unknown.
    pub(super) fn meet(&mut self, unknown: Unknown) {
        let Choice { slot, outcome } = unknown.tried.1;
        let news = unknown.news();
        let tried = (unknown.tried.0, slot, outcome);
        let least = self.unknown.entry(news).or_insert_with(|| tried.clone());
        if tried < *least {
            *least = tried;
        }
    }
}

/// Sends states to where they belong.
fn send(peers: &mut dyn Peers, to: usize, states: Vec<u8>, stride: usize) -> Result<(), Gone> {
    let count = states.len() / stride;
    peers.send(to, states, count)
}

impl<P: Program> Searched<'_, P> {
    /// Expands some states of the level.
    pub(super) fn batch(&mut self, round: &mut Round, peers: &mut dyn Peers) -> Result<(), Stop> {
        let stride = self.packer.size().whole;
        let states = if round.again.is_empty() {
            let states = round.frontier.take(BATCH.min(round.left))?;
            round.left -= states.len() / stride;
            states
        } else {
            let most = round.again.len().min(BATCH * stride);
            round.again.split_off(round.again.len() - most)
        };
        let pieces: Vec<&[u8]> = states.chunks(PIECE * stride).collect();
        let expand = |states: &&[u8]| self.piece(round, states);
        let done: Vec<Piece> = if pieces.len() == 1 {
            pieces.iter().map(expand).collect()
        } else {
            pieces.par_iter().map(expand).collect()
        };
        let mut found = Vec::new();
        for piece in done {
            found.push(piece.found);
            if let Some(edges) = &mut round.edges {
                edges.extend(piece.edges);
            }
            round.fresh.add(piece.gains);
            piece.unknown.into_iter().for_each(|unknown| round.meet(unknown));
            round.unclear.extend(piece.unclear);
        }
        round.deliver(found, peers)
    }

    fn piece(&self, round: &Round, states: &[u8]) -> Piece {
        let packer = &self.packer;
        let chooser = self.chooser();
        let mut walker = Walker::new(&chooser, round.beyond.is_some());
        let mut state = self.initial.clone();
        let mut piece = Piece {
            found: Batch::new(packer.size()),
            edges: Vec::new(),
            gains: Gains::default(),
            unclear: Vec::new(),
            unknown: Vec::new(),
        };
        // What is stored of a state: its canonical image, packed.
        let room = RefCell::new((state.clone(), Images::default()));
        let pack = |state: &[u8], bytes: &mut Vec<u8>| {
            let (image, images) = &mut *room.borrow_mut();
            image.copy_from_slice(state);
            self.symmetry.canonical(&self.expander, images, image, |state| chooser.fade(state));
            packer.pack(image, bytes);
        };
        let mut targets = Vec::new();
        for from in states.chunks(packer.size().whole) {
            let again = packer.unpack(from, &mut state);
            let before = piece.found.len();
            let result = walker.expand(&state, |state, _| {
                piece.found.push_with(|bytes| pack(state, bytes));
            });
            let mut gains = std::mem::take(&mut walker.gains);
            if let Err(mut unknown) = result {
                packer.forget(&mut unknown.tried.0);
                piece.found.truncate(before);
                piece.unclear.extend_from_slice(from);
                piece.unknown.push(*unknown);
                continue;
            }
            if again {
                // Its steps have been counted.
                gains.transitions = 0;
            } else if round.edges.is_some() {
                let from = hash(&from[..packer.size().key]);
                targets.clear();
                targets.extend((before..piece.found.len()).map(|to| piece.found.hash_at(to)));
                // Several ways to one state are as good as one.
                targets.sort_unstable();
                targets.dedup();
                piece.edges.extend(targets.iter().map(|to| (from, *to)));
            }
            piece.gains.add(gains);
        }
        piece
    }
}
