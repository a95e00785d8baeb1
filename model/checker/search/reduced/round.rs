//! What is kept while the tables hold: the states found, those not expanded yet, and what came of them;
//! and how a batch of states is expanded on all threads.
//!
//! The states of a batch are dealt out in pieces of fixed size and what comes of them is gathered in
//! order, so nothing depends on the number of threads.

use std::cell::RefCell;
use std::io;

use rayon::prelude::*;

use super::chain::{Gains, Walker};
use super::resources::Resources;
use super::symmetry::Images;
use super::{Searched, Stop};
use crate::machine::program::Program;
use crate::search::packed::expand::Unknown;
use crate::search::reference::Limits;
use crate::search::visited::batch::{Batch, hash};
use crate::search::visited::frontier::Frontier;
use crate::search::visited::{Storage, Visited};

/// States that are expanded before their successors are stored.
const BATCH: usize = 4096;

/// States that a thread expands at a time.
const PIECE: usize = 64;

/// A step between stored states, by their hashes.
pub(super) type Edge = (u64, u64);

/// A round of the search.
pub(super) struct Round {
    pub(super) visited: Visited,
    pub(super) frontier: Frontier,
    pub(super) gains: Gains,
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
}

/// What came of a piece of a batch.
struct Piece {
    found: Batch,
    edges: Vec<Edge>,
    gains: Gains,
    /// Where it stopped, because of what is unknown there; the states from there on.
    rest: Option<(Unknown, Vec<u8>)>,
}

impl Round {
    /// One in which no state has been found.
    pub(super) fn new(stride: usize, limits: &Limits, resources: &Resources) -> io::Result<Self> {
        let (mut kind, mut frontier) = (Storage::Exact, Frontier::new(stride));
        if let Some(dir) = &resources.spill {
            // Most of the memory is for states found, some for those not expanded yet.
            std::fs::create_dir_all(dir)?;
            let limit = limits.memory_limit.unwrap_or(usize::MAX);
            kind = Storage::Spill { dir: dir.clone(), memory_limit: limit / 4 * 3 };
            frontier = frontier.spill_to(dir, limit / 4)?;
        } else if resources.compact {
            kind = Storage::Compact;
        }
        let visited = Visited::new(stride, &kind)?;
        let gains = Gains::default();
        Ok(Round {
            visited,
            frontier,
            gains,
            passed: 1,
            beyond: None,
            edges: None,
            stale: false,
            tried: Vec::new(),
            news: None,
        })
    }

    /// The bytes of memory that states take.
    pub(super) fn bytes(&self) -> usize {
        let edges = self.edges.as_ref().map_or(0, |edges| edges.capacity() * size_of::<Edge>());
        self.visited.bytes() + self.frontier.bytes() + edges
    }

    /// How many states it has found.
    pub(super) fn states(&self) -> usize {
        self.passed + self.visited.len()
    }

    pub(super) fn take(&mut self, gains: Gains) {
        self.beyond.as_mut().unwrap_or(&mut self.gains).add(gains);
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
}

impl<P: Program> Searched<'_, P> {
    /// Expands some states. What is unknown is learnt on the way.
    pub(super) fn batch(&mut self, round: &mut Round) -> Result<(), Stop> {
        let stride = self.packer.stride();
        let states = round.frontier.take(BATCH)?;
        let mut pieces: Vec<Vec<u8>> = states.chunks(PIECE * stride).map(<[u8]>::to_vec).collect();
        while !pieces.is_empty() {
            let expand = |states: &Vec<u8>| self.piece(round, states);
            let done: Vec<Piece> = if pieces.len() == 1 {
                pieces.iter().map(expand).collect()
            } else {
                pieces.par_iter().map(expand).collect()
            };
            pieces.clear();
            let mut found = Vec::new();
            for piece in done {
                found.push(piece.found);
                if let Some(edges) = &mut round.edges {
                    edges.extend(piece.edges);
                }
                round.take(piece.gains);
                if let Some((unknown, rest)) = piece.rest {
                    round.tried.push(unknown.tried.0.clone());
                    round.stale |= self.learn(unknown).is_err();
                    round.news = Some(round.gains.transitions);
                    pieces.push(rest);
                }
            }
            if round.stale {
                return Ok(());
            }
            if !self.packer.fits(self.expander.nodes.len()) {
                return Err(Stop::TooNarrow);
            }
            round.add(&found)?;
        }
        Ok(())
    }

    fn piece(&self, round: &Round, states: &[u8]) -> Piece {
        let packer = &self.packer;
        let chooser = self.chooser();
        let mut walker = Walker::new(&chooser, round.beyond.is_some());
        let mut state = self.initial.clone();
        let mut piece = Piece {
            found: Batch::new(packer.stride()),
            edges: Vec::new(),
            gains: Gains::default(),
            rest: None,
        };
        // What is stored of a state: its canonical image, packed.
        let room = RefCell::new((state.clone(), Images::default()));
        let pack = |state: &[u8], bytes: &mut Vec<u8>| {
            let (image, images) = &mut *room.borrow_mut();
            image.copy_from_slice(state);
            self.symmetry.canonical(&self.expander, images, image, |state| chooser.fade(state));
            packer.pack(image, bytes);
        };
        // Whether a state is stored already is looked up before it is looked at closely.
        let packed = RefCell::new(Vec::new());
        let known = |state: &[u8]| {
            let bytes = &mut *packed.borrow_mut();
            bytes.clear();
            pack(state, bytes);
            round.visited.has_at_hand(bytes)
        };
        for (place, from) in states.chunks(packer.stride()).enumerate() {
            packer.unpack(from, &mut state);
            let before = piece.found.len();
            let result = walker.expand(&state, &known, |state, _| {
                piece.found.push_with(|bytes| pack(state, bytes));
            });
            if let Err(unknown) = result {
                piece.found.truncate(before);
                piece.rest = Some((unknown, states[place * packer.stride()..].to_vec()));
                break;
            }
            if round.edges.is_some() {
                let from = hash(from);
                piece.edges.extend((before..piece.found.len()).map(|to| (from, piece.found.hash_at(to))));
            }
            piece.gains.add(std::mem::take(&mut walker.gains));
        }
        piece
    }
}
