//! The parts of cells by number, and what a step touches of them.

use std::ops::Range;

use crate::machine::action::Touch;
use crate::machine::layout::{CellId, CellInfo, Kind, Layout, Part};

/// A part of a cell, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Piece(pub(super) u16);

/// The pieces of all cells.
#[derive(Clone, Debug)]
pub(super) struct Pieces {
    first: Vec<u16>,
    all: Vec<(CellId, Part)>,
    fading: Vec<Fading>,
}

/// What becomes of a piece that nobody can see any more.
#[derive(Clone, Debug)]
pub(super) enum Fading {
    /// These bytes are zeroed.
    Zero(Range<usize>),
    /// This klist is sorted.
    Sort(Range<usize>),
    /// Nothing: of what it is a part of only all is forgotten.
    Stays,
}

impl Fading {
    fn of(info: &CellInfo, part: Part) -> Self {
        match (&info.kind, part) {
            (Kind::Klist(..), Part::Order) => Fading::Sort(info.range()),
            (Kind::Generation(..), Part::Sample(who)) => {
                let at = info.offset + usize::from(who);
                Fading::Zero(at..at + 1)
            }
            (Kind::Klist(..) | Kind::Work(_) | Kind::Async(_) | Kind::Lock, _) => Fading::Stays,
            _ => Fading::Zero(info.range()),
        }
    }
}

/// The parts that a cell of this kind has.
fn parts(kind: &Kind) -> Vec<Part> {
    match kind {
        Kind::Klist(_, holders) => {
            let members = 0..holders.len() as u8;
            let nodes = members.clone().map(Part::Node);
            std::iter::once(Part::Order).chain(nodes).chain(members.map(Part::Pins)).collect()
        }
        Kind::Generation(_, samplers) => (0..*samplers).map(Part::Sample).collect(),
        Kind::Async(domains) => (0..*domains).map(Part::Domain).collect(),
        Kind::Work(_) => vec![Part::Pending, Part::Running, Part::Waiters, Part::Barred],
        Kind::Bool
        | Kind::Int
        | Kind::Pointer(_)
        | Kind::Lock
        | Kind::Count
        | Kind::Liveness
        | Kind::List(..)
        | Kind::PerTask(_) => vec![Part::Whole],
    }
}

impl Pieces {
    /// Those of a layout; not `fine`: each cell is one.
    pub(super) fn of(layout: &Layout, fine: bool) -> Self {
        let mut pieces = Pieces { first: Vec::new(), all: Vec::new(), fading: Vec::new() };
        for (cell, info) in layout.ids().zip(layout.cells()) {
            pieces.first.push(pieces.all.len() as u16);
            let parts = if fine { parts(&info.kind) } else { vec![Part::Whole] };
            pieces.fading.extend(parts.iter().map(|part| Fading::of(info, *part)));
            pieces.all.extend(parts.into_iter().map(|part| (cell, part)));
        }
        pieces.first.push(u16::try_from(pieces.all.len()).expect("internal: too many parts of cells"));
        pieces
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// All of them.
    pub(super) fn ids(&self) -> impl Iterator<Item = Piece> + use<> {
        (0..self.all.len() as u16).map(Piece)
    }

    /// Of which cell a piece is which part.
    pub(super) fn at(&self, piece: Piece) -> (CellId, Part) {
        self.all[usize::from(piece.0)]
    }

    /// What becomes of a piece that nobody can see any more.
    pub(super) fn fading(&self, piece: Piece) -> Fading {
        self.fading[usize::from(piece.0)].clone()
    }

    /// The pieces that a part is made of.
    pub(super) fn within(&self, cell: CellId, part: Part) -> impl Iterator<Item = Piece> {
        let place = usize::from(cell.0);
        let all = (self.first[place]..self.first[place + 1]).map(Piece);
        all.filter(move |piece| match (self.at(*piece).1, part) {
            (Part::Whole, _) | (_, Part::Whole) => true,
            (Part::Node(_), Part::Nodes) | (Part::Pins(_), Part::AllPins) => true,
            (own, part) => own == part,
        })
    }

    /// The piece that is this part.
    pub(super) fn one(&self, cell: CellId, part: Part) -> Piece {
        self.within(cell, part).next().expect("internal: a cell has parts")
    }
}

/// The pieces that a step touches, ascending, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Mask(Vec<(Piece, Touch)>);

impl Mask {
    pub(super) fn add(&mut self, piece: Piece, touch: Touch) {
        match self.0.binary_search_by_key(&piece, |(piece, _)| *piece) {
            Ok(at) => self.0[at].1 = self.0[at].1.and(touch),
            Err(at) => self.0.insert(at, (piece, touch)),
        }
    }

    /// Adds a part of a cell.
    pub(super) fn touch(&mut self, pieces: &Pieces, cell: CellId, part: Part, touch: Touch) {
        pieces.within(cell, part).for_each(|piece| self.add(piece, touch));
    }

    pub(super) fn has(&self, piece: Piece) -> bool {
        self.0.binary_search_by_key(&piece, |(piece, _)| *piece).is_ok()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Piece, Touch)> {
        self.0.iter().copied()
    }
}
