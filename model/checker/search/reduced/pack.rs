//! How states are packed for storing: each byte of memory in as many bits as its kind needs, each
//! automaton node in as many as there are nodes. Facts about the run come last, and a byte that says whether the state
//! was found before with fewer of them.

use crate::machine::layout::{CellInfo, Kind};
use crate::machine::program::Program;
use crate::search::packed::expand::Expander;
use crate::search::packed::shape::Shape;
use crate::search::visited::batch::Size;
use crate::search::visited::packing::{Field, Packing};

/// The widths of a node's number, from the narrowest. A search that meets more nodes begins again.
pub(super) const WIDTHS: [u32; 4] = [10, 13, 16, 32];

/// Packs the states of a program.
pub(super) struct Packer {
    packing: Packing,
    shape: Shape,
    /// Where in memory facts are.
    facts: Vec<usize>,
    /// Nodes that have a number.
    room: usize,
}

impl Packer {
    /// One whose nodes have so many bits; `initial` is any state. `joins`: states that differ in facts alone are one.
    pub(super) fn new<P: Program>(
        expander: &Expander<'_, P>,
        initial: &[u8],
        width: u32,
        joins: bool,
    ) -> Self {
        let shape = expander.shape;
        let mut fields = Vec::new();
        let facts = if joins { expander.facts.clone() } else { Vec::new() };
        for info in expander.layout.cells() {
            let bits = bits_of(expander, info);
            let fields_of = info.range().zip(bits).filter(|(offset, _)| !facts.contains(offset));
            fields.extend(fields_of.map(|(offset, bits)| Field { offset, bytes: 1, bits }));
        }
        let bytes = if shape.wide { 4 } else { 2 };
        let node = |slot| Field { offset: shape.memory + slot * bytes, bytes, bits: width };
        fields.extend((0..shape.slots).map(node));
        let mut base = initial.to_vec();
        base.fill(0);
        let room = usize::try_from((1u64 << width) - 1).unwrap_or(usize::MAX);
        Packer { packing: Packing::new(&base, &fields), shape, facts, room }
    }

    /// Whether so many nodes have a number.
    pub(super) fn fits(&self, nodes: usize) -> bool {
        nodes <= self.room
    }

    /// Bytes of a packed state.
    pub(super) fn size(&self) -> Size {
        let key = self.packing.stride();
        let facts = if self.facts.is_empty() { 0 } else { self.facts.len() + 1 };
        Size { whole: key + facts, key }
    }

    /// Packs a state; its nodes are left one up, its facts zero.
    pub(super) fn pack(&self, state: &mut [u8], out: &mut Vec<u8>) {
        // No node is 0 then.
        (0..self.shape.slots).for_each(|slot| self.shape.shift(state, slot, 1));
        if self.facts.is_empty() {
            self.packing.pack(state, out);
            return;
        }
        let begin = out.len();
        out.extend(self.facts.iter().map(|at| state[*at]).chain([0]));
        self.forget(state);
        self.packing.pack(state, out);
        out[begin..].rotate_left(self.facts.len() + 1);
    }

    /// Unpacks a state. Whether it was found before, with fewer facts.
    pub(super) fn unpack(&self, packed: &[u8], state: &mut [u8]) -> bool {
        let (key, facts) = packed.split_at(self.packing.stride());
        self.packing.unpack(key, state);
        (0..self.shape.slots).for_each(|slot| self.shape.shift(state, slot, u32::MAX));
        self.facts.iter().zip(facts).for_each(|(at, fact)| state[*at] = *fact);
        facts.last().is_some_and(|mark| *mark != 0)
    }

    /// Makes a state one without facts, if states that differ in them alone are one.
    pub(super) fn forget(&self, state: &mut [u8]) {
        self.facts.iter().for_each(|at| state[*at] = 0);
    }
}

/// The bits of each byte of a cell.
fn bits_of<P: Program>(expander: &Expander<'_, P>, info: &CellInfo) -> Vec<u32> {
    let most = |value: usize| usize::BITS - value.leading_zeros();
    let all = info.range().len();
    if info.ghost {
        // What checks keep is theirs to say.
        return vec![8; all];
    }
    match &info.kind {
        Kind::Bool | Kind::PerTask(_) => vec![1; all],
        Kind::Lock => vec![most(expander.shape.slots); all],
        Kind::Liveness => vec![2; all],
        // The state of the item, then for each slot which run it waits for.
        Kind::Work(_) => [4].into_iter().chain(std::iter::repeat_n(2, all - 1)).collect(),
        // 1 + 64 * place of the sort + index, at most 63.
        Kind::Pointer(sorts) => vec![most(64 * sorts.len()).min(u8::BITS); all],
        Kind::Int
        | Kind::Count
        | Kind::List(..)
        | Kind::Klist(..)
        | Kind::Async(_)
        | Kind::Generation(..) => {
            vec![8; all]
        }
    }
}
