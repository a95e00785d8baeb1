//! Macros and functions whose arguments are not simply values.

use raddle_checker::machine::cpu::Step;
use raddle_checker::machine::layout::Kind;
use raddle_checker::machine::op::Action;
use raddle_checker::machine::value::{Object, Obs};
use raddle_probing::ids::Device;
use raddle_probing::objects::{CORE, Core, DEVICE, DEVICE_REFS, DevicePrivate, PRIVATE, Private};

use super::{Interp, NO_ENTRY, Target, join};
use crate::added::{ALLOCATORS, INIT_WORK, func_of};
use crate::ast::{Expr, ExprKind, Name, Type};
use crate::known::PRINTS;
use crate::map::Slot;
use crate::subject::Assumed;
use crate::table::Stub;
use crate::types::Typer;
use crate::value::{INT, Path, ULONG, Value, ZERO, truth, word};
use crate::{devres, links};

/// The path that a member of `container_of` is.
fn member(expr: &Expr) -> Option<String> {
    match &expr.kind {
        ExprKind::Name(name) => Some((*name).to_owned()),
        ExprKind::Member { of, field, .. } => Some(format!("{}.{field}", member(of)?)),
        _ => None,
    }
}

impl Interp<'_> {
    pub(super) fn special(&mut self, name: Name, args: &'static [Expr]) -> Step<Value> {
        match (name, args) {
            ("IS_ENABLED" | "IS_REACHABLE" | "IS_BUILTIN" | "IS_MODULE", [option]) => {
                let set = self.c.tree().config().test(name, option.text);
                Ok(truth(set == Some(true)))
            }
            (
                "READ_ONCE" | "ACCESS_ONCE" | "likely" | "unlikely" | "rcu_dereference" | "smp_load_acquire"
                | "__builtin_expect",
                [of, ..],
            ) => self.eval(of),
            ("WRITE_ONCE" | "smp_store_release", [to, value]) => {
                let to = match name {
                    "WRITE_ONCE" => self.target(to)?,
                    _ => match self.eval(to)? {
                        Value::Pointer(object, path) => Target::Memory(object, path),
                        Value::Local(frame, name, path) => Target::Local(usize::from(frame), name, path),
                        other => return self.stuck(format!("{other:?} is stored to")),
                    },
                };
                self.assign(to, value)
            }
            (
                "list_entry",
                [
                    Expr {
                        kind: ExprKind::Member { of: head, field: end @ ("prev" | "next"), arrow: false },
                        ..
                    },
                    _,
                    of,
                ],
            ) => self.entry_beside(head, end, of),
            ("list_last_entry", [head, ..]) => match self.eval(head)? {
                Value::Pointer(at, path) => self.last_of(at, path),
                other => self.stuck(format!("a list at {other:?}")),
            },
            ("list_first_entry_or_null", [head, ..]) => {
                let head = self.eval(head)?;
                self.first_of(name, head)
            }
            ("list_first_entry", [head, ..]) => match self.eval(head)? {
                Value::Pointer(CORE, "deferred_probe_active_list") => {
                    match self.step(Action::ListFirst(self.cpu.cell(Core.active_list())))? {
                        Obs::Id(first) => Ok(Value::Pointer(DevicePrivate(first.index).object(), "")),
                        _ => self.stuck("the first of an empty list"),
                    }
                }
                other => self.first_of(name, other),
            },
            ("container_of" | "container_of_const" | "list_entry", [from, _, of]) => {
                let value = self.eval(from)?;
                self.member_of(value, of)
            }
            ("spin_lock_irqsave" | "spin_unlock_irqrestore", [lock, flags]) => {
                self.irq_lock(name == "spin_lock_irqsave", lock, flags)
            }
            ("BUG_ON" | "VM_BUG_ON", [of]) => {
                let value = self.eval(of)?;
                if self.holds(value)? { self.null() } else { Ok(ZERO) }
            }
            ("LIST_HEAD_INIT", _) => Ok(Value::Opaque("an empty list")),
            ("BUG", _) => self.null(),
            ("BUILD_BUG_ON", _) | ("lockdep_set_novalidate_class", _) => Ok(ZERO),
            ("WARN" | "WARN_ON" | "WARN_ON_ONCE" | "WARN_ONCE", [of, ..])
            | ("dev_WARN_ONCE", [_, of, ..]) => {
                let value = self.eval(of)?;
                let warns = self.holds(value)?;
                if warns {
                    self.warn()?;
                }
                Ok(truth(warns))
            }
            ("dev_WARN", _) => {
                self.warn()?;
                Ok(ZERO)
            }
            ("IS_ERR", [of]) => Ok(truth(matches!(self.eval(of)?, Value::Int(n, _) if n < 0))),
            ("IS_ERR_OR_NULL", [of]) => Ok(truth(matches!(self.eval(of)?, Value::Int(n, _) if n <= 0))),
            ("PTR_ERR" | "ERR_PTR" | "ERR_CAST", [of]) => self.eval(of),
            ("PTR_ERR_OR_ZERO", [of]) => Ok(match self.eval(of)? {
                Value::Int(n, ty) if n < 0 => Value::Int(n, ty),
                _ => ZERO,
            }),
            ("wait_event", [_, condition]) => self.wait_event(condition),
            ("wait_event_interruptible" | "wait_event_killable", [_, condition]) => {
                self.c.assume(Assumed::NotInterrupted(name));
                self.wait_event(condition)
            }
            ("wait_event_timeout", _) => self.stuck("a wait with a timeout"),
            ("test_bit" | "set_bit" | "clear_bit", [bit, flags]) => self.bit(name, bit, flags),
            ("bus_find_device_by_name", [bus, _, text]) => self.find_by_name(bus, text),
            ("static_branch_likely" | "static_branch_unlikely", _) => Ok(ZERO),
            _ if ALLOCATORS.contains(&name) => self.allocate(name, args, None),
            (_, [item, function, ..]) if INIT_WORK.contains(&name) => self.init_work(name, item, function),
            _ if PRINTS.contains(&name) => {
                for arg in args {
                    self.eval(arg)?;
                }
                Ok(ZERO)
            }
            _ => self.stuck(format!("{name}(..)")),
        }
    }

    /// A spinlock is taken, and the interrupts of the processor that are disabled thereby noted, which nobody looks at.
    fn irq_lock(&mut self, takes: bool, lock: &'static Expr, flags: &'static Expr) -> Step<Value> {
        let lock = self.eval(lock)?;
        if takes {
            let flags = self.target(flags)?;
            self.store(flags, Value::Int(0, ULONG))?;
        }
        self.invoke(if takes { "spin_lock" } else { "spin_unlock" }, vec![lock])
    }

    /// A work item gets its function. Where that is always the same one it is no step.
    fn init_work(&mut self, name: Name, item: &'static Expr, function: &'static Expr) -> Step<Value> {
        let (at, path) = match self.eval(item)? {
            Value::Pointer(at, path) if matches!(self.slot(at, path)?, Slot::Work(_)) => (at, path),
            other => return self.stuck(format!("{name} of {other:?}")),
        };
        self.later(Action::Touch(at));
        let functions = self.c.map().functions(at, path);
        if functions.len() > 1 {
            let number = functions.iter().position(|known| function.text == *known);
            let Some(number) = number else { return self.stuck(format!("{name} with {}", function.text)) };
            self.store(Target::Memory(at, func_of(path)), Value::Int(number as i64, INT))?;
        }
        Ok(ZERO)
    }

    fn warn(&mut self) -> Step<()> {
        let top = self.frames.len() - 1;
        let about = self.nearest_device(top).map_or(CORE, Device::object);
        self.flush()?;
        let op = self.telling(Action::Touch(about), raddle_probing::events::Event::Warn(about));
        self.step(op)?;
        Ok(())
    }

    /// `list_entry` of what is beside a list's head or a node.
    fn entry_beside(&mut self, of: &'static Expr, end: Name, member: &'static Expr) -> Step<Value> {
        match self.target(of)? {
            Target::Memory(at, path) => match self.beside(at, join(path, end))? {
                Some(node) => self.member_of(node, member),
                None if end == "prev" => self.last_of(at, path),
                None => self.first_of("list_entry", Value::Pointer(at, path)),
            },
            _ => self.stuck("a list in a variable"),
        }
    }

    /// The structure of which a value points to this member.
    pub(super) fn member_of(&mut self, value: Value, of: &Expr) -> Step<Value> {
        let Some(of) = member(of) else { return self.stuck(of.text) };
        self.container(value, &of)
    }

    /// Strips a member off a pointer.
    fn container(&mut self, value: Value, of: &str) -> Step<Value> {
        let strip = |path: Path| -> Option<Path> {
            if path == of {
                return Some("");
            }
            path.strip_suffix(of)?.strip_suffix('.')
        };
        match value {
            Value::Pointer(object, path) => match strip(path) {
                Some(rest) => Ok(Value::Pointer(object, rest)),
                None if matches!(self.slot_if_known(object, path), Some(Slot::List(_) | Slot::Empty)) => {
                    Ok(Value::Pointer(object, word(&format!("{path}{NO_ENTRY}{of}"))))
                }
                None => self.stuck(format!("{path} is no {of}")),
            },
            Value::Local(frame, name, path) => match strip(path) {
                Some(rest) => Ok(Value::Local(frame, name, rest)),
                None => self.stuck(format!("{path} is no {of}")),
            },
            other => self.stuck(format!("container_of({other:?})")),
        }
    }

    /// The last of a list, a klist's too.
    fn last_of(&mut self, at: Object, path: Path) -> Step<Value> {
        if let Some(list) = self.head(at, path) {
            return match self.step(Action::ListPrev(list, list, None))? {
                Obs::Id(last) => Ok(Value::Pointer(last, "")),
                _ => self.stuck("the last of an empty list"),
            };
        }
        if (at.sort, path) != (PRIVATE, "klist_devices.k_list") {
            return self.stuck(format!("the last of {path}"));
        }
        match self.step(Action::KlistPeek(self.cpu.cell(Private(at.index).klist_devices())))? {
            Obs::Id(dev) => Ok(Value::Pointer(DevicePrivate(dev.index).object(), "")),
            _ => self.stuck("the last of an empty list"),
        }
    }

    /// `test_bit` and the like: each bit is a field of its own.
    fn bit(&mut self, name: Name, bit: &'static Expr, flags: &'static Expr) -> Step<Value> {
        let flags = match &flags.kind {
            ExprKind::Address(of) => of,
            _ => flags,
        };
        let of = match self.target(flags)? {
            // None of these flags is ever set.
            Target::Memory(at, path)
                if self.slot_if_known(at, join(path, bit.text)).is_none()
                    && matches!(self.slot_if_known(at, path), Some(Slot::Zero(_)))
                    && name == "test_bit" =>
            {
                Target::Memory(at, path)
            }
            Target::Memory(at, path) => Target::Memory(at, join(path, bit.text)),
            Target::Local(frame, name, path) => Target::Local(frame, name, join(path, bit.text)),
            Target::Flags | Target::Ignored(_) => return self.stuck(format!("{name} of {}", flags.text)),
        };
        match name {
            "test_bit" => self.load(of, false),
            _ => {
                self.store(of, truth(name == "set_bit"))?;
                Ok(ZERO)
            }
        }
    }

    /// A device is looked up on a bus by its name: found, it comes with a reference.
    fn find_by_name(&mut self, bus: &'static Expr, text: &'static Expr) -> Step<Value> {
        let (Value::Pointer(bus, _), Value::Pointer(dev, _)) = (self.eval(bus)?, self.eval(text)?) else {
            return self.stuck("a device that is looked up by a name of its own");
        };
        let dev = Device(dev.index);
        let own = self.cpu.world().devices[dev.index()].bus;
        if own.object() != bus {
            return Ok(ZERO);
        }
        let find = Action::KlistFind(self.cpu.cell(own.klist_devices()), dev.object(), DEVICE_REFS);
        let found = self.step(find)? == Obs::Bool(true);
        Ok(if found { Value::Pointer(dev.object(), "") } else { ZERO })
    }

    /// Memory for a structure. The private parts of the driver core's objects have their own; `to`: what it is
    /// assigned to, where that is known.
    pub(super) fn allocate(&mut self, name: Name, args: &'static [Expr], to: Option<Target>) -> Step<Value> {
        let function = self.frames.last().map(|frame| frame.function);
        let sized = function
            .zip(args.first())
            .and_then(|(function, arg)| Typer::new(self.c.tree(), function).sized(arg));
        let record = sized.or_else(|| self.pointed_by(to?));
        let new = match (record, to) {
            (Some("struct device_private"), Some(Target::Memory(at, "p"))) => {
                DevicePrivate(at.index).object()
            }
            (Some("struct driver_private"), Some(Target::Local(frame, ..))) => {
                match self.nearest_driver(frame) {
                    Some(drv) => Private(drv.0).object(),
                    None => return self.stuck("whose private structure this is"),
                }
            }
            (Some(links::RECORD), _) => return self.allocate_link(),
            (Some(devres::RECORD), _) => return self.allocate_devres(),
            (Some(record), _) if self.c.tables().ignored.contains_key(record) => {
                self.c.assume(Assumed::Ignored(record));
                return Ok(Value::Opaque(record));
            }
            (Some(record), _) => return self.make(name, record),
            _ => return self.stuck(format!("{name} of what")),
        };
        self.step(Action::Alloc(new))?;
        Ok(Value::Pointer(new, ""))
    }

    /// The structure that a place holds a pointer to.
    fn pointed_by(&self, to: Target) -> Option<Name> {
        match to {
            Target::Local(frame, name, "") => match self.type_of(frame, name)? {
                Type::Pointer(of) => match **of {
                    Type::Record(record) => Some(record),
                    _ => None,
                },
                _ => None,
            },
            Target::Local(..) | Target::Flags | Target::Ignored(_) => None,
            Target::Memory(at, path) => match self.slot_if_known(at, path)? {
                Slot::Pointer(cell) => match &self.layout().info(cell).kind {
                    Kind::Pointer(sorts) => self.c.added().made(*sorts.first()?).map(|made| made.record),
                    _ => None,
                },
                Slot::Own(..) if at.sort == DEVICE => Some("struct device_private"),
                _ => None,
            },
        }
    }

    /// One of the structures that a patch allocates: the first of its kind that never was. A table may say that
    /// there may be no memory.
    fn make(&mut self, name: Name, record: Name) -> Step<Value> {
        let c = self.c;
        let all: Vec<Object> = c.map().objects(self.cpu.world(), record).collect();
        if c.added().sort_of(record).is_none_or(|sort| c.added().made(sort).is_none()) {
            return self.stuck(format!("{name} of a {record}"));
        }
        if let Some(Stub::OneOf(values)) = c.tables().stubs.get(name).map(|stubbed| &stubbed.stub) {
            let chosen = if values.len() == 1 { 0 } else { self.chosen(name, values.len())? };
            if values[chosen] == "0" {
                return Ok(ZERO);
            }
        } else {
            c.assume(Assumed::FindsMemory(name));
        }
        match self.step(Action::AllocFirst(all))? {
            Obs::Id(new) => Ok(Value::Pointer(new, "")),
            other => unreachable!("internal: {other:?} has been allocated"),
        }
    }
}
