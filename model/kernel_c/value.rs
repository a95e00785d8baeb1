//! Values of C, their arithmetic, and how they stand in a history.

use std::sync::{LazyLock, Mutex};

use raddle_checker::machine::cpu::KlistIter;
use raddle_checker::machine::value::{Object, Obs, Observe, Word};
use rustc_hash::FxHashSet;

use super::ast::{Int, Name};

/// A text that lives as long as the process, once.
#[must_use]
pub fn word(text: &str) -> &'static str {
    static WORDS: LazyLock<Mutex<FxHashSet<&'static str>>> = LazyLock::new(Mutex::default);
    let mut words = WORDS.lock().expect("internal: nobody panics here");
    if let Some(known) = words.get(text) {
        return known;
    }
    let new: &'static str = Box::leak(text.to_owned().into_boxed_str());
    words.insert(new);
    new
}

/// The address and the length of a text that lives as long as the process. No other text ever has both.
#[must_use]
pub fn place(text: &'static str) -> (usize, usize) {
    (text.as_ptr().addr(), text.len())
}

/// Whether two names are the same. Identifiers of a tree are interned: then their addresses are the same.
#[must_use]
pub fn same(one: &'static str, other: &'static str) -> bool {
    std::ptr::eq(one, other) || one == other
}

/// `int`.
pub const INT: Int = Int { signed: true, bytes: 4 };
/// `unsigned long`.
pub const ULONG: Int = Int { signed: false, bytes: 8 };

/// A path in an object or a variable: `p.knode_driver`, or nothing for the whole.
pub type Path = &'static str;

/// A value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// A number, as its type holds it; 0 is NULL too, and a negative number an error pointer.
    Int(i64, Int),
    /// A pointer into an object of the machine.
    Pointer(Object, Path),
    /// A pointer to a local variable: the frame, the variable, where in it.
    Local(u8, Name, Path),
    /// A function.
    Function(Name),
    /// A string, or another thing that is only passed on.
    Opaque(Path),
    /// An iterator of a klist.
    Iter(KlistIter),
    /// A sample of a counter that only grows, by its sampler.
    Sample(u8),
    /// What a variable holds before it is set.
    Unset,
}

/// 0, or NULL.
pub const ZERO: Value = Value::Int(0, INT);

/// A truth value.
#[must_use]
pub fn truth(value: bool) -> Value {
    Value::Int(i64::from(value), INT)
}

/// A number as it stands in a type of this sign and width.
#[must_use]
pub fn convert(number: i128, ty: Int) -> i64 {
    let bits = u32::from(ty.bytes) * 8;
    let cut = number & ((1_i128 << bits) - 1);
    let negative = ty.signed && cut >> (bits - 1) != 0;
    let value = if negative { cut - (1_i128 << bits) } else { cut };
    // Of an unsigned long the bits.
    value as u128 as u64 as i64
}

/// The number that a value of this type is.
fn number(value: i64, ty: Int) -> i128 {
    if ty.signed || ty.bytes < 8 { i128::from(value) } else { i128::from(value as u64) }
}

/// The integer promotions.
fn promoted(ty: Int) -> Int {
    if ty.bytes < 4 { INT } else { ty }
}

/// The usual arithmetic conversions.
#[must_use]
pub fn common(one: Int, other: Int) -> Int {
    let (one, other) = (promoted(one), promoted(other));
    match one.bytes.cmp(&other.bytes) {
        std::cmp::Ordering::Greater => one,
        std::cmp::Ordering::Less => other,
        std::cmp::Ordering::Equal => Int { signed: one.signed && other.signed, bytes: one.bytes },
    }
}

/// A binary operator on numbers; `None` if it has no meaning: an unknown operator, a division by 0, a shift too
/// far.
#[must_use]
pub fn arithmetic(operator: &str, (left, lt): (i64, Int), (right, rt): (i64, Int)) -> Option<Value> {
    let ty = common(lt, rt);
    let shift = matches!(operator, "<<" | ">>");
    let ty = if shift { promoted(lt) } else { ty };
    let (a, b) = (number(convert(number(left, lt), ty), ty), number(right, rt));
    let b = if shift { b } else { number(convert(b, ty), ty) };
    let compared = match operator {
        "==" => Some(a == b),
        "!=" => Some(a != b),
        "<" => Some(a < b),
        ">" => Some(a > b),
        "<=" => Some(a <= b),
        ">=" => Some(a >= b),
        _ => None,
    };
    if let Some(compared) = compared {
        return Some(truth(compared));
    }
    let result = match operator {
        "+" => a + b,
        "-" => a - b,
        "*" => a.checked_mul(b)?,
        "/" => a.checked_div(b)?,
        "%" => a.checked_rem(b)?,
        "&" => a & b,
        "|" => a | b,
        "^" => a ^ b,
        "<<" if (0..i128::from(ty.bytes) * 8).contains(&b) => a << b,
        ">>" if (0..i128::from(ty.bytes) * 8).contains(&b) => a >> b,
        _ => return None,
    };
    Some(Value::Int(convert(result, ty), ty))
}

impl Value {
    /// Whether a condition with this value holds; `None` if the value has not been set.
    #[must_use]
    pub fn holds(self) -> Option<bool> {
        match self {
            Value::Int(value, _) => Some(value != 0),
            Value::Unset => None,
            _ => Some(true),
        }
    }

    /// A number, in this type.
    #[must_use]
    pub fn cast(self, ty: Int) -> Self {
        match self {
            Value::Int(value, from) => Value::Int(convert(number(value, from), ty), ty),
            other => other,
        }
    }

    /// Appends the value's atoms.
    pub fn put(self, to: &mut Vec<Obs>) {
        let mut tagged = |tag: u8, words: &[&'static str]| {
            to.push(Obs::Int(tag));
            to.extend(words.iter().map(|text| Obs::Word(Word(text))));
        };
        match self {
            Value::Int(value, ty) => {
                tagged(0, &[]);
                to.push(Obs::Int(ty.bytes * 2 + u8::from(ty.signed)));
                put_number(value, to);
            }
            Value::Pointer(object, path) => {
                tagged(1, &[path]);
                to.push(Obs::Id(object));
            }
            Value::Local(frame, name, path) => {
                tagged(2, &[name, path]);
                to.push(Obs::Int(frame));
            }
            Value::Function(name) => tagged(3, &[name]),
            Value::Opaque(what) => tagged(4, &[what]),
            Value::Iter(iter) => {
                tagged(5, &[]);
                iter.record(to);
            }
            Value::Sample(who) => {
                tagged(6, &[]);
                to.push(Obs::Int(who));
            }
            Value::Unset => tagged(7, &[]),
        }
    }

    /// Reads back what [`Value::put`] wrote.
    pub fn get(from: &mut std::slice::Iter<'_, Obs>) -> Self {
        match get_byte(from) {
            0 => {
                let ty = get_byte(from);
                Value::Int(get_number(from), Int { signed: ty % 2 == 1, bytes: ty / 2 })
            }
            1 => {
                let path = get_word(from);
                match from.next() {
                    Some(Obs::Id(object)) => Value::Pointer(*object, path),
                    other => unreachable!("internal: {other:?} is no object"),
                }
            }
            2 => {
                let (name, path) = (get_word(from), get_word(from));
                Value::Local(get_byte(from), name, path)
            }
            3 => Value::Function(get_word(from)),
            4 => Value::Opaque(get_word(from)),
            5 => Value::Iter(KlistIter::replay(from)),
            6 => Value::Sample(get_byte(from)),
            _ => Value::Unset,
        }
    }
}

fn put_number(value: i64, to: &mut Vec<Obs>) {
    match u8::try_from(value) {
        Ok(small) => to.extend([Obs::Bool(true), Obs::Int(small)]),
        Err(_) => {
            to.push(Obs::Bool(false));
            to.extend(value.to_le_bytes().map(Obs::Int));
        }
    }
}

fn get_number(from: &mut std::slice::Iter<'_, Obs>) -> i64 {
    if from.next() == Some(&Obs::Bool(true)) {
        return i64::from(get_byte(from));
    }
    i64::from_le_bytes(std::array::from_fn(|_| get_byte(from)))
}

/// Reads a small number.
pub fn get_byte(from: &mut std::slice::Iter<'_, Obs>) -> u8 {
    match from.next() {
        Some(Obs::Int(byte)) => *byte,
        other => unreachable!("internal: {other:?} is no number"),
    }
}

/// Reads a word.
pub fn get_word(from: &mut std::slice::Iter<'_, Obs>) -> &'static str {
    match from.next() {
        Some(Obs::Word(Word(text))) => text,
        other => unreachable!("internal: {other:?} is no word"),
    }
}

/// Atoms as they are.
#[derive(Debug)]
pub struct Atoms(pub Vec<Obs>);

impl Observe for Atoms {
    fn record(&self, to: &mut Vec<Obs>) {
        to.extend(&self.0);
    }

    fn replay(from: &mut std::slice::Iter<'_, Obs>) -> Self {
        Atoms(from.by_ref().copied().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use raddle_checker::machine::value::Sort;

    const U32: Int = Int { signed: false, bytes: 4 };
    const U8: Int = Int { signed: false, bytes: 1 };
    const LONG: Int = Int { signed: true, bytes: 8 };

    fn result(left: (i64, Int), operator: &str, right: (i64, Int)) -> (i64, Int) {
        match arithmetic(operator, left, right) {
            Some(Value::Int(value, ty)) => (value, ty),
            other => panic!("{left:?} {operator} {right:?}: {other:?}"),
        }
    }

    #[test]
    fn arithmetic_follows_sign_and_width() {
        assert_eq!(result((-1, INT), "<", (0, INT)).0, 1);
        assert_eq!(result((-1, INT), "<", (0, U32)).0, 0, "-1 becomes the largest unsigned");
        assert_eq!(result((-4095, LONG), ">=", (-4095, ULONG)).0, 1);
        assert_eq!(result((1, INT), "-", (2, U32)), (0xffff_ffff, U32));
        assert_eq!(result((255, U8), "+", (1, U8)), (256, INT), "small types are promoted");
        assert_eq!(result((i64::from(i32::MAX), INT), "+", (1, INT)), (i64::from(i32::MIN), INT));
        assert_eq!(result((1, INT), "<<", (31, INT)), (i64::from(i32::MIN), INT));
        assert_eq!(result((-1, ULONG), ">>", (63, INT)), (1, ULONG));
        assert_eq!(result((7, INT), "%", (-3, INT)), (1, INT));
        assert_eq!(arithmetic("/", (1, INT), (0, INT)), None);
        assert_eq!(arithmetic("<<", (1, INT), (32, INT)), None);
        assert_eq!(Value::Int(300, INT).cast(U8), Value::Int(44, U8));
        assert_eq!(Value::Int(200, INT).cast(Int { signed: true, bytes: 1 }).cast(INT), Value::Int(-56, INT));
    }

    #[test]
    fn values_come_back_as_they_went() {
        let object = Object { sort: Sort(1), index: 2 };
        for value in [
            ZERO,
            Value::Int(-517, INT),
            Value::Int(-1, ULONG),
            Value::Pointer(object, "p.knode"),
            Value::Local(3, "iter", "a.b"),
            Value::Function("probe"),
            Value::Opaque("work"),
            Value::Sample(1),
            Value::Unset,
        ] {
            let mut atoms = Vec::new();
            value.put(&mut atoms);
            let mut from = atoms.iter();
            assert_eq!(Value::get(&mut from), value);
            assert!(from.next().is_none());
        }
    }
}
