//! The values that programs compute with: typed observations, never raw bits.
//!
//! An observation is what one atomic step tells the code that made it. Histories are made of
//! observations, so they must be few (a step returns as little as the code needs) and typed (so that
//! the ids in a history can be renamed).

use serde::{Deserialize, Serialize};

use super::layout::CellId;

/// What an object is (file, page, work item, ...). The program says what each number means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Sort(pub u8);

/// An object of the program: its sort and its index among those of that sort.
///
/// Model code compares objects for equality only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Object {
    /// What it is.
    pub sort: Sort,
    /// Which one, at most 63.
    pub index: u8,
}

/// A word of the program, such as the name of an error: the machine only compares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Word(pub &'static str);

/// One atom of a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Obs {
    /// The step only had an effect.
    Unit,
    /// NULL, or an absent value.
    None,
    /// A value follows.
    Some,
    /// A result that is no error follows.
    Ok,
    /// An error follows.
    Err,
    /// A truth value.
    Bool(bool),
    /// A small number.
    Int(u8),
    /// A pointer to an object.
    Id(Object),
    /// A word of the program.
    Word(Word),
    /// Where an iterator of a klist stands, and whether the node it left was unlinked by that.
    Iter(CellId, Option<u8>, bool),
    /// From here on the task is one of those that the waiters for this cell wait for.
    Holds(CellId),
    /// The end of [`Obs::Holds`].
    Released(CellId),
}

/// A value of model code that can be kept in a history.
pub trait Observe: Sized {
    /// Appends the value's atoms.
    fn record(&self, to: &mut Vec<Obs>);

    /// Reads back what [`Observe::record`] wrote.
    fn replay(from: &mut std::slice::Iter<'_, Obs>) -> Self;
}

/// Reads one atom.
///
/// # Panics
///
/// If the record ends early, which is our own mistake.
pub fn next_atom(from: &mut std::slice::Iter<'_, Obs>) -> Obs {
    *from.next().expect("internal: a record ends early")
}

/// A value that is exactly one atom, and so can stand in a cell.
pub trait Datum: Copy {
    /// As an atom.
    fn to_obs(self) -> Obs;

    /// From an atom.
    ///
    /// # Panics
    ///
    /// If the atom is of another type, which is our own mistake.
    fn from_obs(obs: Obs) -> Self;
}

/// Implements [`Observe`] for a type that is a [`Datum`].
#[macro_export]
macro_rules! observe_datum {
    ($($type:ty),*) => {$(
        impl $crate::machine::value::Observe for $type {
            fn record(&self, to: &mut Vec<$crate::machine::value::Obs>) {
                to.push($crate::machine::value::Datum::to_obs(*self));
            }

            fn replay(from: &mut std::slice::Iter<'_, $crate::machine::value::Obs>) -> Self {
                $crate::machine::value::Datum::from_obs($crate::machine::value::next_atom(from))
            }
        }
    )*};
}

impl Datum for () {
    fn to_obs(self) -> Obs {
        Obs::Unit
    }

    fn from_obs(_: Obs) -> Self {}
}

impl Datum for bool {
    fn to_obs(self) -> Obs {
        Obs::Bool(self)
    }

    fn from_obs(obs: Obs) -> Self {
        match obs {
            Obs::Bool(value) => value,
            other => unreachable!("internal: {other:?} is no bool"),
        }
    }
}

impl Datum for u8 {
    fn to_obs(self) -> Obs {
        Obs::Int(self)
    }

    fn from_obs(obs: Obs) -> Self {
        match obs {
            Obs::Int(value) => value,
            other => unreachable!("internal: {other:?} is no number"),
        }
    }
}

impl Datum for Object {
    fn to_obs(self) -> Obs {
        Obs::Id(self)
    }

    fn from_obs(obs: Obs) -> Self {
        match obs {
            Obs::Id(object) => object,
            other => unreachable!("internal: {other:?} is no object"),
        }
    }
}

impl Datum for Word {
    fn to_obs(self) -> Obs {
        Obs::Word(self)
    }

    fn from_obs(obs: Obs) -> Self {
        match obs {
            Obs::Word(word) => word,
            other => unreachable!("internal: {other:?} is no word"),
        }
    }
}

/// A pointer that may be NULL.
impl<T: Datum> Datum for Option<T> {
    fn to_obs(self) -> Obs {
        self.map_or(Obs::None, Datum::to_obs)
    }

    fn from_obs(obs: Obs) -> Self {
        match obs {
            Obs::None => None,
            other => Some(T::from_obs(other)),
        }
    }
}

observe_datum!((), bool, u8, Object, Word);

impl<T: Observe> Observe for Option<T> {
    fn record(&self, to: &mut Vec<Obs>) {
        match self {
            None => to.push(Obs::None),
            Some(value) => {
                to.push(Obs::Some);
                value.record(to);
            }
        }
    }

    fn replay(from: &mut std::slice::Iter<'_, Obs>) -> Self {
        match next_atom(from) {
            Obs::None => None,
            _ => Some(T::replay(from)),
        }
    }
}

impl<T: Observe, E: Observe> Observe for Result<T, E> {
    fn record(&self, to: &mut Vec<Obs>) {
        match self {
            Ok(value) => {
                to.push(Obs::Ok);
                value.record(to);
            }
            Err(error) => {
                to.push(Obs::Err);
                error.record(to);
            }
        }
    }

    fn replay(from: &mut std::slice::Iter<'_, Obs>) -> Self {
        match next_atom(from) {
            Obs::Ok => Ok(T::replay(from)),
            _ => Err(E::replay(from)),
        }
    }
}

impl<A: Observe, B: Observe> Observe for (A, B) {
    fn record(&self, to: &mut Vec<Obs>) {
        self.0.record(to);
        self.1.record(to);
    }

    fn replay(from: &mut std::slice::Iter<'_, Obs>) -> Self {
        let first = A::replay(from);
        (first, B::replay(from))
    }
}

impl<A: Observe, B: Observe, C: Observe> Observe for (A, B, C) {
    fn record(&self, to: &mut Vec<Obs>) {
        self.0.record(to);
        self.1.record(to);
        self.2.record(to);
    }

    fn replay(from: &mut std::slice::Iter<'_, Obs>) -> Self {
        let first = A::replay(from);
        let second = B::replay(from);
        (first, second, C::replay(from))
    }
}
