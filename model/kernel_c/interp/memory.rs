//! Reading and writing fields, variables and globals.

use raddle_checker::machine::cpu::Step;
use raddle_checker::machine::op::{Action, Op};
use raddle_checker::machine::value::{Object, Obs};
use raddle_probing::events::{Event, ProbeError};
use raddle_probing::ids::Device;
use raddle_probing::objects::{BUS, CORE, DEVICE, MODULE};

use super::module::STATE;
use super::{Interp, Target, join};
use crate::ast::{Expr, ExprKind, Int, Name, Type};
use crate::contracts::Tell;
use crate::links::U32;
use crate::map::Slot;
use crate::subject::Assumed;
use crate::value::{INT, Path, Value, ZERO, convert, same, truth, word};

impl Interp<'_> {
    pub(super) fn slot(&mut self, at: Object, path: Path) -> Step<Slot> {
        match self.slot_if_known(at, path) {
            Some(slot) => Ok(slot),
            None if at == CORE => self.stuck(format!("the variable {path}")),
            None => self.stuck(format!("the field {path} of a {}", self.c.map().owner(at))),
        }
    }

    /// What a field is, if something is known of it.
    pub(super) fn slot_if_known(&self, at: Object, path: Path) -> Option<Slot> {
        self.c.map().slot(self.cpu.world(), self.cpu.watched(), self.layout(), at, path)
    }

    /// Notes an assumption that is made now.
    pub(super) fn assumed(&self, at: Object, path: Path) {
        self.c.assume(Assumed::Field(self.c.map().owner(at), path));
    }

    /// Reads. `follows`: the value is dereferenced at once.
    pub(super) fn load(&mut self, from: Target, follows: bool) -> Step<Value> {
        match from {
            Target::Local(frame, name, path) => match self.local_value(frame, name, path) {
                Some(value) => Ok(value),
                None if self.local_value(frame, name, "0$").is_some() => Ok(ZERO),
                None => self.stuck(format!("the variable {} is read before it is set", join(name, path))),
            },
            Target::Memory(at, STATE) if at.sort == MODULE => self.load_state(at),
            Target::Memory(at, path) => self.load_field(at, path, follows),
            Target::Flags => self.load_flags(),
            Target::Ignored(record) => Ok(Value::Opaque(record)),
        }
    }

    fn load_field(&mut self, at: Object, path: Path, follows: bool) -> Step<Value> {
        if self.slot_if_known(at, path).is_none()
            && let Some(node) = self.beside(at, path)?
        {
            return Ok(node);
        }
        match self.slot(at, path)? {
            Slot::Constant(value) => {
                self.later(Action::Touch(at));
                Ok(value)
            }
            Slot::Own(cell, value) if follows => {
                self.later(Action::Touch(at));
                self.later(Action::Follow(cell));
                Ok(value)
            }
            Slot::Own(cell, value) => {
                let observed = self.step(Action::Load(cell))?;
                self.read(cell, observed);
                Ok(if observed == Obs::None { ZERO } else { value })
            }
            Slot::Pointer(cell) => {
                let load = if follows { Action::Follow(cell) } else { Action::Load(cell) };
                let observed = self.step(load)?;
                self.read(cell, observed);
                Ok(match observed {
                    Obs::Id(object) => Value::Pointer(object, ""),
                    _ => ZERO,
                })
            }
            Slot::Bool(cell)
            | Slot::Int(cell)
            | Slot::Bits(cell, _)
            | Slot::Count(cell)
            | Slot::Atomic(cell) => {
                let observed = self.step(Action::Load(cell))?;
                self.read(cell, observed);
                Ok(match observed {
                    Obs::Bool(flag) => truth(flag),
                    Obs::Int(number) => Value::Int(i64::from(number), INT),
                    _ => ZERO,
                })
            }
            Slot::FromMinusOne(cell) => {
                let observed = self.step(Action::Load(cell))?;
                self.read(cell, observed);
                let Obs::Int(number) = observed else { unreachable!("internal: {observed:?} is no number") };
                Ok(Value::Int(i64::from(number) - 1, INT))
            }
            Slot::Packed(cell, bits) => {
                let observed = self.step(Action::Load(cell))?;
                self.read(cell, observed);
                let Obs::Int(packed) = observed else { unreachable!("internal: {observed:?} is no number") };
                Ok(Value::Int(i64::from(unpacked(packed, bits)), U32))
            }
            Slot::Zero(_) => {
                self.assumed(at, path);
                self.later(Action::Touch(at));
                Ok(ZERO)
            }
            Slot::Opaque => Ok(Value::Opaque(path)),
            // An array decays to its address.
            Slot::Part => Ok(Value::Pointer(at, path)),
            Slot::Generation(_)
            | Slot::Completion(_)
            | Slot::Work(_)
            | Slot::List(_)
            | Slot::Empty
            | Slot::Waiting
            | Slot::Lock(_)
            | Slot::Unlocked(_) => self.stuck(format!("{path} is read as a value")),
        }
    }

    pub(super) fn store(&mut self, to: Target, value: Value) -> Step<()> {
        match to {
            Target::Local(frame, name, path) => {
                self.set_local(frame, name, path, value);
                Ok(())
            }
            Target::Memory(at, STATE) if at.sort == MODULE => self.store_state(at, value),
            Target::Flags => self.store_flags(value),
            Target::Ignored(_) => Ok(()),
            Target::Memory(at, path) => {
                let slot = self.slot(at, path)?;
                let (cell, stored) = match (slot, value) {
                    (Slot::Own(cell, _) | Slot::Pointer(cell), Value::Int(0, _)) => (cell, Obs::None),
                    (Slot::Own(cell, own), value) if own == value => {
                        let Value::Pointer(object, _) = own else { unreachable!("internal: an own part") };
                        (cell, Obs::Id(object))
                    }
                    (Slot::Pointer(cell), Value::Pointer(object, "")) => (cell, Obs::Id(object)),
                    (Slot::Bool(cell), value) => (cell, Obs::Bool(self.holds(value)?)),
                    (Slot::FromMinusOne(cell), Value::Int(number, _)) => match u8::try_from(number + 1) {
                        Ok(number) => (cell, Obs::Int(number)),
                        Err(_) => return self.stuck(format!("{path} gets {number}, which no cell holds")),
                    },
                    (Slot::Int(cell), Value::Int(number, _)) => match u8::try_from(number) {
                        Ok(number) => (cell, Obs::Int(number)),
                        Err(_) => return self.stuck(format!("{path} gets {number}, which no cell holds")),
                    },
                    (Slot::Bits(cell, bits), Value::Int(number, _)) => {
                        let kept = u64::from(u8::MAX) & ((1_u64 << bits.min(63)) - 1);
                        match u8::try_from(number) {
                            Ok(small) => (cell, Obs::Int(small & kept as u8)),
                            Err(_) if bits <= 8 => (cell, Obs::Int((number as u64 & kept) as u8)),
                            Err(_) => {
                                return self.stuck(format!("{path} gets {number}, which no cell holds"));
                            }
                        }
                    }
                    (Slot::Packed(cell, bits), Value::Int(number, _)) => match packed(number as u32, bits) {
                        Some(packed) => (cell, Obs::Int(packed)),
                        None => return self.stuck(format!("{path} gets {number:#x}, which no cell holds")),
                    },
                    (Slot::Zero(_), _) => {
                        self.assumed(at, path);
                        self.later(Action::Touch(at));
                        return Ok(());
                    }
                    // A subsystem that knows its bus: the scenario's stands for it.
                    (Slot::Constant(Value::Pointer(bus, "")), Value::Opaque(name))
                        if bus.sort == BUS && name.ends_with("_bus_type") =>
                    {
                        self.later(Action::Touch(at));
                        return Ok(());
                    }
                    (Slot::Opaque, _) => {
                        self.later(Action::Touch(at));
                        return Ok(());
                    }
                    (Slot::Constant(known), value) if known == value => {
                        self.later(Action::Touch(at));
                        return Ok(());
                    }
                    _ => return self.stuck(format!("{path} gets {value:?}")),
                };
                let op = self.stored(at, path, value, Action::Store(cell, stored).into())?;
                self.step(op)?;
                Ok(())
            }
        }
    }

    /// What a store tells.
    fn stored(&mut self, at: Object, path: Path, value: Value, op: Op) -> Step<Op> {
        let null = matches!(value, Value::Int(0, _));
        if at.sort != DEVICE || !null {
            return Ok(op);
        }
        let field = format!("{}.{path}", self.c.map().owner(at));
        let Some((tell, frame)) = self.c.contracts().store(&field, &self.stack()) else { return Ok(op) };
        let dev = Device(at.index);
        let Some(drv) = self.nearest_driver(frame) else {
            return self.stuck("whose driver is released here");
        };
        let event = match tell {
            Tell::ProbeFailed => {
                // Without a probe that was called there is none that has failed.
                let error = match self.local_value(frame, "probe$", "") {
                    None => return Ok(op),
                    Some(Value::Int(1, _)) => ProbeError::Deferred,
                    Some(Value::Int(n, _)) if n >= 2 => {
                        ProbeError::Missed(raddle_probing::ids::Resource((n - 2) as u8))
                    }
                    Some(_) => ProbeError::Failed,
                };
                Event::ProbeFailed(dev, drv, error)
            }
            _ => Event::Released(dev, drv),
        };
        Ok(self.telling(op, event))
    }

    /// The frame of a local variable of the function that executes.
    pub(super) fn local(&self, name: Name) -> Option<usize> {
        let frame = self.frames.len().checked_sub(1)?;
        self.frames[frame].typed().any(|(own, _)| same(own, name)).then_some(frame)
    }

    /// The path of a variable of the function that executes, if it outlives the call.
    pub(super) fn static_path(&self, name: Name) -> Option<Path> {
        let frame = self.frames.last()?;
        frame.statics.contains(&name).then(|| word(&format!("{}.{name}", frame.function.name)))
    }

    /// The declared type of a local variable.
    pub(super) fn type_of(&self, frame: usize, name: Name) -> Option<&'static Type> {
        self.frames[frame].typed().find(|(own, _)| same(own, name)).map(|(_, ty)| ty)
    }

    /// A value as a variable of this type holds it.
    pub(super) fn converted(&self, value: Value, ty: &Type) -> Value {
        match (ty, value) {
            (Type::Bool, value) => value.holds().map_or(value, truth),
            (Type::Int(ty), value) => value.cast(*ty),
            (Type::Enum(_), value) => value.cast(INT),
            (Type::Named(name), Value::Int(..)) => {
                self.c.typedef(name).map_or(value, |ty| self.converted(value, &ty))
            }
            _ => value,
        }
    }

    /// Where an expression is.
    pub(super) fn target(&mut self, expr: &'static Expr) -> Step<Target> {
        match &expr.kind {
            ExprKind::Name(name) => Ok(match self.local(name) {
                Some(frame) => Target::Local(frame, name, ""),
                None => Target::Memory(CORE, self.static_path(name).unwrap_or(name)),
            }),
            ExprKind::Member { of, field, arrow: true } => {
                let value = self.followed(of)?;
                self.pointed(value, field)
            }
            ExprKind::Member { of, field, arrow: false } => Ok(match self.target(of)? {
                Target::Memory(object, path) => Target::Memory(object, join(path, field)),
                Target::Local(frame, name, path) => Target::Local(frame, name, join(path, field)),
                other => other,
            }),
            ExprKind::Deref(of) => {
                let value = self.followed(of)?;
                self.pointed(value, "")
            }
            ExprKind::Index(of, index) => {
                let index = self.eval(index)?;
                let Value::Int(index, _) = index else { return self.stuck("an index that is no number") };
                let field = word(&format!("[{index}]"));
                match self.target(of)? {
                    Target::Local(frame, name, path) => match self.local_value(frame, name, path) {
                        Some(Value::Local(frame, name, path)) => {
                            Ok(Target::Local(usize::from(frame), name, join(path, field)))
                        }
                        _ => Ok(Target::Local(frame, name, join(path, field))),
                    },
                    Target::Memory(object, path) => Ok(Target::Memory(object, join(path, field))),
                    other => Ok(other),
                }
            }
            ExprKind::Cast(_, of) => self.target(of),
            _ => self.stuck(format!("`{}` is assigned to", expr.text)),
        }
    }

    /// What a pointer points to, or a field of it.
    fn pointed(&mut self, value: Value, field: &'static str) -> Step<Target> {
        let path = |path: Path| if field.is_empty() { path } else { join(path, field) };
        match value {
            Value::Pointer(object, of) => Ok(Target::Memory(object, path(of))),
            Value::Local(frame, name, of) => Ok(Target::Local(usize::from(frame), name, path(of))),
            Value::Int(..) => self.null(),
            Value::Opaque("current") if field == "flags" => Ok(Target::Flags),
            Value::Opaque(record) if self.c.tables().ignored.contains_key(record) => {
                Ok(Target::Ignored(record))
            }
            other => self.stuck(format!("{other:?} is dereferenced")),
        }
    }

    /// A pointer that is followed at once.
    pub(super) fn followed(&mut self, expr: &'static Expr) -> Step<Value> {
        if let ExprKind::Member { .. } = &expr.kind {
            if let Some(value) = self.opaque(expr)? {
                return Ok(value);
            }
            let from = self.target(expr)?;
            return self.load(from, true);
        }
        self.eval(expr)
    }

    /// A member of something that is only passed on is such a thing too: its value, if `of` is one.
    pub(super) fn opaque(&mut self, of: &'static Expr) -> Step<Option<Value>> {
        let ExprKind::Member { of: outer, field, .. } = &of.kind else { return Ok(None) };
        if let Some(value) = self.opaque(outer)? {
            return Ok(Some(value));
        }
        if self.c.map().knows_opaque(field) {
            self.eval(outer)?;
            return Ok(Some(Value::Opaque(field)));
        }
        Ok(None)
    }

    /// The constant of a name, and the type that it has.
    pub(super) fn constant(&self, name: Name) -> Option<Value> {
        let number = match name {
            "NULL" | "false" => 0,
            "true" => 1,
            _ => self.c.constant(name)?,
        };
        let ty = if i32::try_from(number).is_ok() { INT } else { Int { signed: true, bytes: 8 } };
        Some(Value::Int(convert(number, ty), ty))
    }

    /// Whether two values are the same.
    pub(super) fn equal(&mut self, one: Value, other: Value) -> Step<bool> {
        match (one, other) {
            (Value::Int(a, at), Value::Int(b, bt)) => {
                let same = crate::value::arithmetic("==", (a, at), (b, bt));
                Ok(same == Some(truth(true)))
            }
            (Value::Unset, _) | (_, Value::Unset) => self.stuck("a variable is compared before it is set"),
            (Value::Opaque(a), Value::Opaque(b)) if a != b => self.stuck(format!("{a} and {b} are compared")),
            (Value::Opaque(_), Value::Pointer(..)) | (Value::Pointer(..), Value::Opaque(_)) => {
                self.stuck(format!("{one:?} and {other:?} are compared"))
            }
            _ => Ok(one == other),
        }
    }
}

/// The bits of a mask, lowest first.
fn bits(mask: u32) -> impl Iterator<Item = u32> {
    (0..u32::BITS).map(|at| 1 << at).filter(move |bit| mask & bit != 0)
}

/// A number of which only these bits are set, as a byte; `None` if others are.
fn packed(number: u32, mask: u32) -> Option<u8> {
    let set = bits(mask).zip(0..u8::BITS).filter(|(bit, _)| number & bit != 0);
    let (kept, byte) = set.fold((0, 0), |(kept, byte), (bit, at)| (kept | bit, byte | 1 << at));
    (kept == number).then_some(byte)
}

/// The number that a byte stands for.
fn unpacked(byte: u8, mask: u32) -> u32 {
    bits(mask).zip(0..u8::BITS).filter(|(_, at)| byte & (1 << at) != 0).map(|(bit, _)| bit).sum()
}

#[cfg(test)]
mod tests {
    use super::{packed, unpacked};

    #[test]
    fn the_bits_of_a_mask_fit_into_a_byte() {
        let mask = 0b11_1111_0011;
        assert_eq!(packed(0b10_0000_0010, mask), Some(0b1000_0010));
        assert!((0..=u8::MAX).all(|byte| packed(unpacked(byte, mask), mask) == Some(byte)));
        assert_eq!(packed(0b100, mask), None);
    }
}
