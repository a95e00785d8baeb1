//! Packed states and steps on them, for the searches that are fast: a state is a byte string, and a
//! step is a table lookup.

pub(super) mod cycles;
pub(super) mod expand;
pub(super) mod shape;
