//! A state as a byte string: memory, then the number of the automaton node of each slot.

use crate::machine::program::Program;
use crate::search::system::{EMPTY, State, System};

/// Where the parts of a state are.
#[derive(Clone, Copy, Debug)]
pub(in crate::search) struct Shape {
    /// Bytes of memory.
    pub(in crate::search) memory: usize,
    /// Slots.
    pub(in crate::search) slots: usize,
    /// Four bytes a node instead of two.
    pub(in crate::search) wide: bool,
}

impl Shape {
    /// The most nodes that two bytes can tell apart, besides none.
    pub(in crate::search) const NARROW: usize = u16::MAX as usize;

    /// The shape of a program's states.
    pub(in crate::search) fn of<P: Program>(program: &P, wide: bool) -> Self {
        Shape { memory: program.layout().bytes(), slots: program.slots().len(), wide }
    }

    /// Bytes of a state.
    pub(in crate::search) fn stride(self) -> usize {
        self.memory + self.slots * if self.wide { 4 } else { 2 }
    }

    /// The node of a slot, or [`EMPTY`].
    #[inline]
    pub(in crate::search) fn node(self, state: &[u8], slot: usize) -> u32 {
        if self.wide {
            return u32::from_le_bytes(bytes(state, self.memory + 4 * slot));
        }
        match u16::from_le_bytes(bytes(state, self.memory + 2 * slot)) {
            u16::MAX => EMPTY,
            node => u32::from(node),
        }
    }

    /// Puts a node into a slot.
    #[inline]
    pub(in crate::search) fn set(self, state: &mut [u8], slot: usize, node: u32) {
        if self.wide {
            let at = self.memory + 4 * slot;
            state[at..at + 4].copy_from_slice(&node.to_le_bytes());
        } else {
            let at = self.memory + 2 * slot;
            state[at..at + 2].copy_from_slice(&(node as u16).to_le_bytes());
        }
    }

    /// Adds to the number in a slot, around the end; none is -1.
    #[inline]
    pub(in crate::search) fn shift(self, state: &mut [u8], slot: usize, by: u32) {
        if self.wide {
            let at = self.memory + 4 * slot;
            let number = u32::from_le_bytes(bytes(state, at));
            state[at..at + 4].copy_from_slice(&number.wrapping_add(by).to_le_bytes());
        } else {
            let at = self.memory + 2 * slot;
            let number = u16::from_le_bytes(bytes(state, at));
            state[at..at + 2].copy_from_slice(&number.wrapping_add(by as u16).to_le_bytes());
        }
    }

    /// From a state of the plain system.
    pub(in crate::search) fn pack(self, state: &State) -> Vec<u8> {
        let mut bytes = vec![0; self.stride()];
        bytes[..self.memory].copy_from_slice(state.memory());
        for (slot, node) in state.nodes().iter().enumerate() {
            self.set(&mut bytes, slot, *node);
        }
        bytes
    }

    /// As a state of the plain system.
    pub(in crate::search) fn unpack(self, bytes: &[u8]) -> State {
        State::from_parts(&bytes[..self.memory], (0..self.slots).map(|slot| self.node(bytes, slot)))
    }

    /// The states of a plain system whose node numbers fit.
    pub(in crate::search) fn fits<P: Program>(self, system: &System<'_, P>) -> bool {
        self.wide || system.automaton().graph().node_count() < Shape::NARROW
    }
}

/// The bytes of a number in a state.
#[inline]
fn bytes<const N: usize>(state: &[u8], at: usize) -> [u8; N] {
    *state[at..].first_chunk().expect("internal: a state has all its slots")
}
