//! `driver_override`. From v7.0 on the driver core has it, and its functions are run; before, it is the bus', for which
//! raddle's own code stands: a match reads the string without a lock, a write changes it under the device's.

use raddle_checker::machine::cpu::Step;
use raddle_checker::machine::op::Action;
use raddle_checker::machine::value::{Object, Obs};
use raddle_probing::ids::{Device, Driver, Override};
use raddle_probing::objects::OVERRIDE;

use super::Interp;
use crate::subject::Assumed;
use crate::value::{INT, ULONG, Value, ZERO};

/// The function that stores it, and the one that a bus' match function asks.
const STORE: &str = "__device_set_driver_override";
const MATCH: &str = "device_match_driver_override";

/// How long the names of drivers are, which differ.
const LENGTH: Value = Value::Int(3, ULONG);

impl Interp<'_> {
    /// What a bus' match function says of a device whose `driver_override` is ever set; `None`: it is not set now.
    pub(super) fn match_override(&mut self, dev: Device, drv: Driver) -> Step<Option<bool>> {
        if self.has(MATCH) {
            let whole = |object: Object| Value::Pointer(object, "");
            let said = self.invoke(MATCH, vec![whole(dev.object()), whole(drv.object())])?;
            return match said {
                Value::Int(number, _) => Ok((number >= 0).then_some(number > 0)),
                other => self.stuck(format!("{MATCH} says {other:?}")),
            };
        }
        self.c.assume(Assumed::BusOverride);
        match self.step(Action::Load(self.cpu.cell(dev.driver_override())))? {
            Obs::Id(string) => self.names(string, drv).map(Some),
            _ => Ok(None),
        }
    }

    /// Whether a string names a driver.
    fn names(&mut self, string: Object, drv: Driver) -> Step<bool> {
        self.step(Action::Touch(string))?;
        Ok(self.cpu.world().overrides[usize::from(string.index)].1 == drv)
    }

    /// A write to the file: of a driver's name, or of nothing.
    pub(super) fn store_override(&mut self, dev: Device, named: Option<Driver>) -> Step<()> {
        let find = self.cpu.find_device(dev)?;
        if !find {
            return Ok(());
        }
        let new = named.and_then(|drv| self.cpu.world().override_of(dev, drv)).map(Override::object);
        if self.has(STORE) {
            let text = new.map_or(Value::Opaque("\"\""), |new| Value::Pointer(new, "text[]"));
            self.enter(STORE, vec![Value::Pointer(dev.object(), ""), text, LENGTH])?;
        } else {
            self.c.assume(Assumed::BusOverride);
            self.store_bus_override(dev, new)?;
        }
        self.flush()?;
        self.put_device(dev, vec![])
    }

    fn store_bus_override(&mut self, dev: Device, new: Option<Object>) -> Step<()> {
        if let Some(new) = new {
            self.step(Action::Alloc(new))?;
        }
        let (lock, cell) = (self.cpu.cell(dev.mutex()), self.cpu.cell(dev.driver_override()));
        self.step(Action::Lock(lock))?;
        let old = self.step(Action::Load(cell))?;
        self.step(Action::Store(cell, new.map_or(Obs::None, Obs::Id)))?;
        self.step(Action::Unlock(lock))?;
        match old {
            Obs::Id(old) if Some(old) != new => self.step(Action::Free(old)).map(drop),
            _ => Ok(()),
        }
    }

    /// Functions on strings, of which only those have a length that are written to `driver_override`.
    pub(super) fn string(&mut self, name: &str, args: &[Value]) -> Step<Value> {
        Ok(match (name, args) {
            ("strlen", [Value::Opaque("\"\"")]) => Value::Int(0, ULONG),
            ("strlen", [Value::Pointer(at, _)]) if at.sort == OVERRIDE => LENGTH,
            // None has a newline.
            ("strchr" | "strnchr", [Value::Pointer(at, _), ..]) if at.sort == OVERRIDE => ZERO,
            ("kstrndup", [Value::Pointer(at, "text[]"), ..]) if at.sort == OVERRIDE => {
                self.step(Action::Alloc(*at))?;
                Value::Pointer(*at, "")
            }
            ("strcmp", [Value::Pointer(string, ""), Value::Pointer(drv, _)]) if string.sort == OVERRIDE => {
                Value::Int(i64::from(!self.names(*string, Driver(drv.index))?), INT)
            }
            _ => return self.stuck(format!("{name} of {:?}", args.first())),
        })
    }
}
