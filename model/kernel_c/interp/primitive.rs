//! What the machine does itself: locks, klists, the deferred lists, kobjects, atomics, work items, async entries.

use raddle_checker::machine::cpu::{KlistIter, Step};
use raddle_checker::machine::layout::{CellId, Kind};
use raddle_checker::machine::op::{Action, End, Op};
use raddle_checker::machine::value::{Datum, Object, Obs, Observe};
use raddle_probing::body::call_remove;
use raddle_probing::call::Call;
use raddle_probing::cpu::DEFAULT_DOMAIN;
use raddle_probing::events::Event;
use raddle_probing::hooks::{create_group, remove_group};
use raddle_probing::ids::{Bus, Device, Driver};
use raddle_probing::objects::{
    BUS, CORE, Core, DEVICE, DEVICE_PRIVATE, DEVRES, DRIVER, DevicePrivate, LINK, OVERRIDE, PRIVATE, Private,
};
use raddle_probing::world::{AddOutcome, Group, Match};

use super::call::EPROBE_DEFER;
use super::{Interp, join};
use crate::ast::Name;
use crate::contracts::Tell;
use crate::devres::released_by;
use crate::map::{Slot, klist};
use crate::subject::RELEASE;
use crate::value::{INT, Path, Value, ZERO, truth, word};

impl Interp<'_> {
    /// The value of a primitive; `None` if it is none.
    pub(super) fn primitive(&mut self, name: Name, args: &[Value]) -> Step<Option<Value>> {
        let pointer = |at: usize| match args.get(at) {
            Some(Value::Pointer(object, path)) => Some((*object, *path)),
            _ => None,
        };
        let value = match name {
            "mutex_lock"
            | "mutex_lock_nested"
            | "mutex_lock_interruptible"
            | "spin_lock"
            | "spin_lock_irq"
            | "mutex_unlock"
            | "spin_unlock"
            | "spin_unlock_irq"
            | "down_write"
            | "up_write"
            | "mutex_trylock" => {
                let Some((at, path)) = pointer(0) else {
                    return self.stuck(format!("{name}({:?})", args.first()));
                };
                self.lock(name, at, path)?
            }
            "kfree" => self.kfree(args)?,
            "strlen" | "strchr" | "strnchr" | "strcmp" | "kstrndup" => self.string(name, args)?,
            "kobject_get"
            | "kobject_put"
            | "kobject_init_and_add"
            | "kobject_add"
            | "kobject_del"
            | "kobject_name" => match (args.first(), pointer(0)) {
                (Some(Value::Int(0, _)), _) => ZERO,
                (_, Some((at, path))) => self.kobject(name, at, path)?,
                _ => return self.stuck(format!("{name}({:?})", args.first())),
            },
            "device_create_file" | "device_remove_file" => {
                self.device_file(name, args)?;
                ZERO
            }
            "sysfs_create_link" | "sysfs_create_link_nowarn" | "sysfs_remove_link" => {
                self.link(name, args)?
            }
            "dpm_sysfs_add" => Value::Int(-i64::from(self.add == AddOutcome::FailsAfterKlist), INT),
            "driver_find" => self.driver_find()?,
            "add_bind_files" | "remove_bind_files" => self.bind_files(name, pointer(0))?,
            // Buses never go.
            "bus_get" | "subsys_get" => args[0],
            "bus_to_subsys" => match pointer(0) {
                Some((at, _)) => Value::Pointer(at, "p"),
                None => ZERO,
            },
            "bus_put" | "subsys_put" => ZERO,
            "klist_iter_init" | "klist_iter_init_node" | "klist_next" | "klist_iter_exit" => {
                self.walk(name, args)?
            }
            "klist_add_tail" | "klist_del" | "klist_remove" | "klist_node_attached" => {
                let Some((at, path)) = pointer(0) else {
                    return self.stuck(format!("{name}({:?})", args.first()));
                };
                self.klist(name, at, path, pointer(1))?
            }
            "list_empty"
            | "list_empty_careful"
            | "list_add"
            | "list_add_tail"
            | "list_move"
            | "list_move_tail"
            | "list_del"
            | "list_del_init"
            | "list_add_tail_rcu"
            | "list_del_rcu"
            | "list_splice_tail_init" => {
                if let Some(value) = self.local_list(name, args)? {
                    return Ok(Some(value));
                }
                let Some((at, path)) = pointer(0) else {
                    return self.stuck(format!("{name}({:?})", args.first()));
                };
                let name = name.trim_end_matches("_rcu");
                match self.own_list(name, at, path, pointer(1))? {
                    Some(value) => value,
                    None => self.list(name, at, path, pointer(1))?,
                }
            }
            "atomic_read"
            | "atomic_set"
            | "atomic_inc"
            | "atomic_dec"
            | "atomic_inc_return"
            | "atomic_dec_return"
            | "atomic_dec_and_test"
            | "refcount_read"
            | "refcount_set"
            | "refcount_inc"
            | "refcount_dec"
            | "refcount_dec_not_one"
            | "refcount_dec_and_test" => {
                let Some((at, path)) = pointer(0) else {
                    return self.stuck(format!("{name}({:?})", args.first()));
                };
                self.atomic(name, at, path, args.get(1))?
            }
            "queue_work"
            | "schedule_work"
            | "queue_delayed_work"
            | "schedule_delayed_work"
            | "mod_delayed_work"
            | "flush_work"
            | "flush_delayed_work"
            | "flush_workqueue"
            | "cancel_work_sync"
            | "cancel_delayed_work_sync" => return self.work_item(name, args),
            "complete" | "wait_for_completion" | "init_completion" | "reinit_completion" => {
                let Some((at, path)) = pointer(0) else {
                    return self.stuck(format!("{name}({:?})", args.first()));
                };
                self.completion(name, at, path)?
            }
            "async_schedule"
            | "async_schedule_dev"
            | "async_schedule_node"
            | "async_schedule_domain"
            | "async_schedule_dev_domain" => self.async_schedule(name, args)?,
            "async_synchronize_full" | "async_synchronize_full_domain" => {
                self.async_synchronize(name, args)?
            }
            "current_is_async" => truth(self.cpu.current_is_async()),
            "<match>" => self.bus_match(args)?,
            "<remove>" => self.remove(args)?,
            _ => match released_by(name) {
                Some(devres) => self.release(devres, args)?,
                None => return self.modules(name, args),
            },
        };
        Ok(Some(value))
    }

    /// What a primitive on a field tells.
    fn tells(&self, name: &str, at: Object, path: Path) -> Option<(Tell, usize)> {
        let contracts = self.c.contracts();
        if !contracts.tells(name) {
            return None;
        }
        contracts.primitive(name, &format!("{}.{path}", self.c.map().owner(at)), &self.stack())
    }

    fn is_deleting(&self) -> bool {
        self.c.contracts().stack(Tell::Deleting, &self.stack()).is_some()
    }

    // ------------------------------------------------------------------------------------- locks

    fn lock_cell(&mut self, at: Object, path: Path) -> Step<Option<CellId>> {
        if at.sort == PRIVATE {
            self.later(Action::Touch(at));
        }
        match self.slot(at, path)? {
            Slot::Lock(cell) => Ok(Some(cell)),
            Slot::Unlocked(_) => {
                self.assumed(at, path);
                Ok(None)
            }
            _ => self.stuck(format!("{path} is taken for a lock")),
        }
    }

    fn lock(&mut self, name: Name, at: Object, path: Path) -> Step<Value> {
        let Some(cell) = self.lock_cell(at, path)? else { return Ok(truth(name == "mutex_trylock")) };
        let general = match name {
            "mutex_unlock" | "spin_unlock" | "spin_unlock_irq" | "up_write" => "mutex_unlock",
            "mutex_trylock" => "mutex_trylock",
            _ => "mutex_lock",
        };
        let action = match general {
            "mutex_unlock" => Action::Unlock(cell),
            "mutex_trylock" => Action::TryLock(cell),
            _ => Action::Lock(cell),
        };
        let event = match self.tells(general, at, path) {
            Some((tell, frame)) => match (tell, self.nearest_in(frame)) {
                (Tell::DeferredDone, Some(dev)) => Some(Event::DeferredDone(dev)),
                (Tell::DeferredAdd, Some(dev)) => Some(Event::DeferredAdd(dev)),
                (Tell::DeferredDel, Some(dev)) => Some(Event::DeferredDel(dev, self.is_deleting())),
                (Tell::ReleasePassed, Some(dev)) if dev.object() == at => {
                    Some(Event::ReleasePassed(dev, self.is_deleting()))
                }
                _ => None,
            },
            None => None,
        };
        let op = match event {
            // What is done next is done in the same step: nobody can tell that a lock was taken before, as long as nobody
            // only tries to take it.
            None if general == "mutex_lock" && !self.tries_locks() => {
                self.flush_before(&Op::from(action.clone()))?;
                self.pending.push(action);
                return Ok(ZERO);
            }
            Some(event) => self.telling(action, event),
            None => Op::from(action),
        };
        let observed = self.step(op)?;
        Ok(match general {
            "mutex_trylock" => truth(observed == Obs::Bool(true)),
            _ => ZERO,
        })
    }

    /// Whether somebody only tries to take a lock: then it can be seen that it is taken, whatever it protects.
    fn tries_locks(&self) -> bool {
        let tries = |call: &Call| matches!(call, Call::DeviceTryLock(_));
        self.c.reach().primitives.contains("mutex_trylock") || self.cpu.world().calls().any(tries)
    }

    /// The device of a frame, by a local variable of its own.
    fn nearest_in(&self, frame: usize) -> Option<Device> {
        self.devices_in(frame).next()
    }

    /// The devices of a frame's own local variables, last declared first.
    fn devices_in(&self, frame: usize) -> impl Iterator<Item = Device> {
        let one = &self.frames[frame];
        one.typed().filter_map(move |(name, ty)| {
            let device = matches!(ty, crate::ast::Type::Pointer(of)
                if **of == crate::ast::Type::Record("struct device"));
            match self.local_value(frame, name, "") {
                Some(Value::Pointer(object, "")) if device && object.sort == DEVICE => {
                    Some(Device(object.index))
                }
                _ => None,
            }
        })
    }

    /// A step on a bus' klist of drivers, under its spinlock where the tree takes that by hand too.
    fn under_drivers_lock(&mut self, bus: Bus, op: Op) -> Step<Op> {
        if !self.c.takes_drivers_lock() {
            return Ok(op);
        }
        Ok(match self.slot(bus.object(), "p.klist_drivers.k_lock")? {
            Slot::Lock(cell) => {
                self.flush()?;
                op.under(cell)
            }
            _ => op,
        })
    }

    /// A step on a driver's klist, under its spinlock where the tree takes that by hand too.
    fn under_k_lock(&mut self, at: Object, op: Op) -> Step<Op> {
        Ok(match self.slot(at, "klist_devices.k_lock")? {
            Slot::Lock(cell) => op.under(cell),
            _ => op,
        })
    }

    // ----------------------------------------------------------------------------------- objects

    fn kfree(&mut self, args: &[Value]) -> Step<Value> {
        match args.first() {
            Some(Value::Pointer(at, ""))
                if matches!(at.sort, PRIVATE | DEVICE_PRIVATE) || self.c.added().made(at.sort).is_some() =>
            {
                self.step(Action::Free(*at))?;
            }
            Some(Value::Pointer(at, "")) if at.sort == DEVRES => self.free_devres(*at)?,
            Some(Value::Pointer(at, "")) if at.sort == LINK => self.free_link(*at)?,
            Some(Value::Pointer(at, "")) if at.sort == OVERRIDE => {
                // A string that names the same driver again is the old one.
                let kept = |(_, _, value): &&(Name, Path, Value)| *value == args[0];
                if self.frame().locals.iter().filter(kept).count() < 2 {
                    self.step(Action::Free(*at))?;
                }
            }
            Some(Value::Int(0, _) | Value::Opaque(_)) => {}
            other => return self.stuck(format!("kfree({other:?})")),
        }
        Ok(ZERO)
    }

    /// The device that holds its reference on this one, if the function that executes takes or drops that.
    fn child_of(&self, parent: Object) -> Option<Device> {
        let frame = self.c.contracts().stack(Tell::HoldsParent, &self.stack())?;
        // The function itself calls get_device and put_device.
        if frame + 2 < self.frames.len() {
            return None;
        }
        self.devices_in(frame).find(|dev| self.cpu.parent(*dev).map(Device::object) == Some(parent))
    }

    pub(super) fn put_device(&mut self, dev: Device, before: Vec<Action>) -> Step<()> {
        let mut actions = std::mem::take(&mut self.pending);
        actions.extend(before);
        self.cpu.putting(dev, actions)
    }

    fn kobject(&mut self, name: Name, at: Object, path: Path) -> Step<Value> {
        let itself = Value::Pointer(at, path);
        let (dev, drv) = (Device(at.index), Driver(at.index));
        match (name, at.sort, path) {
            ("kobject_name", ..) => {
                self.later(Action::Touch(at));
                Ok(Value::Pointer(at, join(path, "name[]")))
            }
            ("kobject_get", DEVICE, "kobj") => {
                let mut actions = vec![Action::Get(self.cpu.cell(dev.refs()))];
                if let Some(child) = self.child_of(at) {
                    actions.push(self.cpu.storing(child.holds_parent(), true));
                }
                self.step(actions)?;
                Ok(itself)
            }
            ("kobject_put", DEVICE, "kobj") => {
                if let Some(child) = self.child_of(at) {
                    self.step(self.cpu.storing(child.holds_parent(), false))?;
                }
                let creator = self.c.contracts().stack(Tell::CreatorPuts, &self.stack());
                let creator = creator.filter(|frame| frame + 2 >= self.frames.len());
                let puts = creator.and_then(|frame| self.nearest_in(frame)) == Some(dev);
                let before = if puts { vec![self.cpu.storing(dev.created(), false)] } else { Vec::new() };
                self.put_device(dev, before)?;
                Ok(ZERO)
            }
            ("kobject_add", DEVICE, "kobj") => {
                self.keep_lists(name, at)?;
                if self.add == AddOutcome::FailsBeforeKlist {
                    self.keep_lists("kobject_del", at)?;
                    return Ok(Value::Int(-5, INT));
                }
                self.step(self.cpu.storing(dev.registered(), true))?;
                Ok(ZERO)
            }
            ("kobject_del", DEVICE, "kobj") => {
                self.step(self.cpu.storing(dev.registered(), false))?;
                self.keep_lists(name, at)?;
                Ok(ZERO)
            }
            ("kobject_init_and_add", PRIVATE, "kobj") => {
                let taken = self.cpu.storing(drv.name_taken(), true);
                self.step(vec![Action::Get(self.cpu.cell(Private(drv.0).refs())), taken])?;
                Ok(ZERO)
            }
            ("kobject_put", PRIVATE, "kobj") => {
                let free = self.cpu.storing(drv.name_taken(), false);
                let refs = self.cpu.cell(Private(drv.0).refs());
                let stack = self.stack();
                let ends = self.unregistering.is_some() || stack.first() == Some(&"driver_unregister");
                let ends = ends && self.c.contracts().stack(Tell::Unregistered, &stack).is_some();
                let retire = ends.then(|| Action::Retire(drv.object()));
                if !self.c.runs_release() {
                    let actions = [free, Action::Put(refs)].into_iter().chain(retire).collect::<Vec<_>>();
                    self.step(actions)?;
                    return Ok(ZERO);
                }
                if self.step(vec![free, Action::Dec(refs)])? == Obs::Bool(true) {
                    self.invoke(RELEASE, vec![itself])?;
                }
                if let Some(retire) = retire {
                    self.step(retire)?;
                }
                Ok(ZERO)
            }
            _ => self.stuck(format!("{name} of {path}")),
        }
    }

    /// Puts an object on lists, or takes it off, as a step does it besides.
    fn keep_lists(&mut self, name: Name, member: Object) -> Step<()> {
        let map = self.c.map();
        for (list, lock, joins) in map.kept_by(self.cpu.world(), self.layout(), name, map.owner(member)) {
            let action = match joins {
                true => Action::ListAdd { list, unless_on: list, member, at: End::Last },
                false => Action::ListDel(list, list, member),
            };
            self.flush()?;
            self.step(Op::from(action).under(lock))?;
        }
        Ok(())
    }

    /// Whether a driver of this name is on the bus: the one at hand.
    fn driver_find(&mut self) -> Step<Value> {
        let top = self.frames.len() - 1;
        let Some(drv) = self.nearest_driver(top) else { return self.stuck("driver_find of what") };
        let taken = self.step(Action::Load(self.cpu.cell(drv.name_taken())))? == Obs::Bool(true);
        Ok(if taken { Value::Pointer(drv.object(), "") } else { ZERO })
    }

    fn bind_files(&mut self, name: Name, of: Option<(Object, Path)>) -> Step<Value> {
        let Some((at, "")) = of.filter(|(at, _)| at.sort == DRIVER) else { return self.stuck(name) };
        if self.cpu.watched().bind_files {
            let drv = Driver(at.index);
            self.step(self.cpu.storing(drv.files(), name == "add_bind_files"))?;
            if name == "remove_bind_files" {
                // Removing a file drains the stores that are running.
                self.step(Action::AwaitZero(self.cpu.cell(drv.stores())))?;
            }
        }
        Ok(ZERO)
    }

    /// A device's file: of the others nobody looks at any.
    fn device_file(&mut self, name: Name, args: &[Value]) -> Step<()> {
        let [Value::Pointer(at, ""), Value::Opaque("&dev_attr_uevent")] = args else { return Ok(()) };
        if at.sort != DEVICE {
            return Ok(());
        }
        let dev = Device(at.index);
        // The scenario's attributes of devices come and go with it.
        self.flush()?;
        match name {
            "device_create_file" => create_group(self.cpu, dev, Group::Device)?,
            _ => remove_group(self.cpu, dev, Group::Device)?,
        }
        if self.cpu.watched().uevent {
            self.step(self.cpu.storing(dev.uevent_file(), name == "device_create_file"))?;
            if name == "device_remove_file" {
                // Removing a file drains its readers.
                self.step(Action::AwaitZero(self.cpu.cell(dev.uevent_readers())))?;
            }
        }
        Ok(())
    }

    /// A device's link `driver`, of which there is one at the most: where a device may be probed that is bound.
    fn link(&mut self, name: Name, args: &[Value]) -> Step<Value> {
        for arg in args {
            if let Value::Pointer(at, _) = arg {
                self.later(Action::Touch(*at));
            }
        }
        let (Some(Value::Pointer(at, "kobj")), Some(Value::Opaque("\"driver\""))) =
            (args.first(), args.last())
        else {
            return Ok(ZERO);
        };
        if at.sort != DEVICE || !self.cpu.watched().bind_files {
            return Ok(ZERO);
        }
        let link = Device(at.index).driver_link();
        if name != "sysfs_remove_link" && self.step(Action::Load(self.cpu.cell(link)))? == Obs::Bool(true) {
            return Ok(Value::Int(-17, INT));
        }
        self.step(self.cpu.storing(link, name != "sysfs_remove_link"))?;
        Ok(ZERO)
    }

    // ------------------------------------------------------------------------------------ klists

    /// What a klist's nodes are: devices of a bus (BUS), drivers of a bus (DRIVER), devices of a driver (PRIVATE).
    fn klist_of(&self, iter: KlistIter) -> raddle_checker::machine::value::Sort {
        let mut atoms = Vec::new();
        iter.record(&mut atoms);
        let Obs::Iter(cell, ..) = atoms[0] else { unreachable!("internal: an iterator") };
        let info = self.layout().info(cell);
        match &info.kind {
            Kind::Klist(DRIVER, _) => DRIVER,
            _ if info.object.sort == BUS => BUS,
            _ => PRIVATE,
        }
    }

    fn walk(&mut self, name: Name, args: &[Value]) -> Step<Value> {
        let at = usize::from(name.starts_with("klist_iter_init"));
        let Some(Value::Local(frame, variable, path)) = args.get(at) else {
            return self.stuck(format!("{name}: an iterator that is no local variable"));
        };
        let (frame, iter_path) = (usize::from(*frame), join(path, "i_klist"));
        if at == 1 {
            let Some(Value::Pointer(object, of)) = args.first() else { return self.stuck("a walk of what") };
            if klist(self.layout(), *object, of).is_none() {
                return self.stuck(format!("the klist {of}"));
            }
            if args.get(2).is_some_and(|start| !matches!(start, Value::Int(0, _))) {
                return self.stuck("a walk that begins in the middle");
            }
            let bus = Bus(object.index);
            let iter = match (object.sort, *of) {
                (BUS, "p.klist_devices") => self.cpu.klist_iter_init(bus.klist_devices()),
                (BUS, _) => self.cpu.klist_iter_init(bus.klist_drivers()),
                _ => self.cpu.klist_iter_init(Private(object.index).klist_devices()),
            };
            self.set_local(frame, variable, iter_path, Value::Iter(iter));
            return Ok(ZERO);
        }
        let Some(Value::Iter(left)) = self.local_value(frame, variable, iter_path) else {
            return self.stuck("an iterator that is not set");
        };
        let next = name == "klist_next";
        if !next && left.node().is_none() {
            // Without a node it is no step.
            self.set_local(frame, variable, iter_path, Value::Unset);
            return Ok(ZERO);
        }
        let kind = self.klist_of(left);
        let iter = self.moved_on(left, next)?;
        if kind == BUS
            && iter.died()
            && let Some(node) = left.node()
        {
            // The klist's put callback.
            self.put_device(Device(node), vec![])?;
        }
        let kept = if next { Value::Iter(passed_on(iter)) } else { Value::Unset };
        self.set_local(frame, variable, iter_path, kept);
        let node = if next { iter.node() } else { None };
        Ok(match (node, kind) {
            (None, _) => ZERO,
            (Some(node), BUS) => Value::Pointer(DevicePrivate(node).object(), "knode_bus"),
            (Some(node), DRIVER) => Value::Pointer(Private(node).object(), "knode_bus"),
            (Some(node), _) => Value::Pointer(DevicePrivate(node).object(), "knode_driver"),
        })
    }

    fn moved_on(&mut self, left: KlistIter, next: bool) -> Step<KlistIter> {
        let mut atoms = Vec::new();
        left.record(&mut atoms);
        let Obs::Iter(cell, node, _) = atoms[0] else { unreachable!("internal: an iterator") };
        let action = if next { Action::KlistNext(cell, node) } else { Action::KlistExit(cell, node) };
        let observed = self.step(action)?;
        Ok(KlistIter::replay(&mut [observed].iter()))
    }

    fn klist(&mut self, name: Name, at: Object, path: Path, list: Option<(Object, Path)>) -> Step<Value> {
        let (dev, drv) = (Device(at.index), Driver(at.index));
        let general = if name == "klist_remove" { "klist_del" } else { name };
        let tell = self.tells(general, at, path).map(|(tell, _)| tell);
        match (general, at.sort, path, list) {
            ("klist_add_tail", DEVICE_PRIVATE, "knode_driver", Some((to, "klist_devices"))) => {
                let bound = Driver(to.index);
                let mut actions = std::mem::take(&mut self.pending);
                actions.push(Action::Touch(to));
                actions.push(self.cpu.storing(dev.knode_driver(), Some(bound)));
                actions
                    .push(Action::KlistAdd(self.cpu.cell(Private(to.index).klist_devices()), dev.object()));
                let mut op = Op::from(actions);
                if tell == Some(Tell::Bound) {
                    op = self.telling(op, Event::Bound(dev, bound));
                }
                let op = self.under_k_lock(to, op)?;
                self.cpu.step_at(op, self.place())?;
            }
            ("klist_add_tail", DEVICE_PRIVATE, "knode_bus", Some((to, "p.klist_devices"))) => {
                let bus = Bus(to.index);
                let add = Action::KlistAdd(self.cpu.cell(bus.klist_devices()), dev.object());
                let op = Op::from(vec![Action::Get(self.cpu.cell(dev.refs())), add]);
                let op = if tell.is_some() { self.telling(op, Event::DevicePublished(dev)) } else { op };
                self.step(op)?;
            }
            ("klist_add_tail", PRIVATE, "knode_bus", Some((to, "p.klist_drivers"))) => {
                let mut actions = Vec::new();
                if !self.cpu.world().environment.contract_kept {
                    actions.push(self.cpu.storing(drv.registered(), true));
                }
                actions.push(Action::KlistAdd(self.cpu.cell(Bus(to.index).klist_drivers()), drv.object()));
                let op = Op::from(actions);
                let op = if tell.is_some() { self.telling(op, Event::DriverPublished(drv)) } else { op };
                let op = self.under_drivers_lock(Bus(to.index), op)?;
                self.step(op)?;
            }
            ("klist_add_tail", DEVICE_PRIVATE, "knode_parent", Some((_, "klist_children"))) => {
                let on = self.cpu.storing(dev.on_parent(), true);
                self.step(vec![Action::Get(self.cpu.cell(dev.refs())), on])?;
            }
            ("klist_del", DEVICE_PRIVATE, "knode_bus", _) => {
                let bus = self.cpu.world().devices[dev.index()].bus;
                let op = Op::from(Action::KlistDel(self.cpu.cell(bus.klist_devices()), dev.object()));
                let op = if tell.is_some() { self.telling(op, Event::DeviceUnpublished(dev)) } else { op };
                if self.step(op)? == Obs::Bool(true) {
                    self.put_device(dev, vec![])?;
                }
            }
            ("klist_del", DEVICE_PRIVATE, "knode_parent", _) => {
                let off = self.cpu.storing(dev.on_parent(), false);
                self.put_device(dev, vec![off])?;
            }
            ("klist_del", DEVICE_PRIVATE, "knode_driver", _) => {
                if let Obs::Id(of) = self.step(Action::Load(self.cpu.cell(dev.knode_driver())))? {
                    let private = Private(of.index);
                    let off = self.cpu.storing(dev.knode_driver(), None);
                    let del = Action::KlistDel(self.cpu.cell(private.klist_devices()), dev.object());
                    let op = self.under_k_lock(private.object(), Op::from(vec![off, del]))?;
                    self.step(op)?;
                }
            }
            ("klist_del", PRIVATE, "knode_bus", _) => {
                let bus = self.cpu.world().drivers[drv.index()].bus;
                let cell = self.cpu.cell(bus.klist_drivers());
                let op = Op::from(Action::KlistDel(cell, drv.object()));
                let op = if tell.is_some() { self.telling(op, Event::DriverUnpublished(drv)) } else { op };
                let op = self.under_drivers_lock(bus, op)?;
                self.step(op)?;
                if name == "klist_remove" {
                    self.step(Action::KlistAwait(cell, drv.object()))?;
                }
            }
            ("klist_node_attached", DEVICE_PRIVATE, "knode_driver", _) => {
                let on = self.step(Action::Load(self.cpu.cell(dev.knode_driver())))? != Obs::None;
                return Ok(truth(on));
            }
            ("klist_node_attached", DEVICE_PRIVATE, "knode_bus", _) => {
                let bus = self.cpu.world().devices[dev.index()].bus;
                let has = Action::KlistHas(self.cpu.cell(bus.klist_devices()), dev.object());
                return Ok(truth(self.step(has)? == Obs::Bool(true)));
            }
            _ => return self.stuck(format!("{name} of {path}")),
        }
        Ok(ZERO)
    }

    // ------------------------------------------------------------------------------------- lists

    fn list(&mut self, name: Name, at: Object, path: Path, other: Option<(Object, Path)>) -> Step<Value> {
        let (pending, active) = (self.cpu.cell(Core.pending_list()), self.cpu.cell(Core.active_list()));
        let empty = matches!(name, "list_empty" | "list_empty_careful");
        let dev = Device(at.index).object();
        match (name, at.sort, path) {
            (_, DEVICE_PRIVATE, "deferred_probe") if empty => {
                let on = self.step(Action::ListHas(pending, active, dev))? == Obs::Bool(true);
                Ok(truth(!on))
            }
            _ if empty && self.slot(at, path)? == Slot::Empty => {
                self.assumed(at, path);
                self.later(Action::Touch(at));
                Ok(truth(true))
            }
            // It is on none.
            ("list_del" | "list_del_init", ..) if self.slot(at, path)? == Slot::Empty => {
                self.assumed(at, path);
                self.later(Action::Touch(at));
                Ok(ZERO)
            }
            (_, PRIVATE, "klist_devices.k_list") if empty => {
                let last = Action::KlistPeek(self.cpu.cell(Private(at.index).klist_devices()));
                Ok(truth(self.step(last)? == Obs::None))
            }
            (_, _, "deferred_probe_active_list") if empty => {
                Ok(truth(self.step(Action::ListFirst(active))? == Obs::None))
            }
            (_, _, "deferred_probe_pending_list") if empty => {
                Ok(truth(self.step(Action::ListFirst(pending))? == Obs::None))
            }
            ("list_add_tail", DEVICE_PRIVATE, "deferred_probe")
                if other.is_some_and(|(_, list)| list == "deferred_probe_pending_list") =>
            {
                self.step(Action::ListAdd { list: pending, unless_on: active, member: dev, at: End::Last })?;
                Ok(ZERO)
            }
            ("list_del_init", DEVICE_PRIVATE, "deferred_probe") => {
                match self.tells(name, at, path) {
                    Some((Tell::DeferredTaken, _)) => {
                        let op = self.telling(Action::ListPop(active), Event::DeferredTaken);
                        self.step(op)?;
                    }
                    _ => drop(self.step(Action::ListDel(pending, active, dev))?),
                }
                Ok(ZERO)
            }
            ("list_splice_tail_init", _, "deferred_probe_pending_list")
                if other.is_some_and(|(_, list)| list == "deferred_probe_active_list") =>
            {
                self.step(Action::ListSplice(pending, active))?;
                Ok(ZERO)
            }
            _ => self.stuck(format!("{name} of {path}")),
        }
    }

    // ----------------------------------------------------------------------------------- atomics

    fn atomic(&mut self, name: Name, at: Object, path: Path, to: Option<&Value>) -> Step<Value> {
        let slot = self.slot(at, path)?;
        if let Slot::Atomic(cell) = slot {
            return self.own_atomic(name, cell, path, to);
        }
        match (name, slot) {
            // A count that nobody looks at.
            ("refcount_set" | "refcount_inc" | "refcount_dec_not_one", Slot::Zero(_)) => {
                self.assumed(at, path);
                Ok(ZERO)
            }
            ("atomic_read", Slot::Generation(cell)) => {
                let top = self.frames.len() - 1;
                let Some(dev) = self.nearest_device(top) else {
                    return self.stuck("who samples the counter");
                };
                self.step(Action::Sample(cell, dev.0))?;
                Ok(Value::Sample(dev.0))
            }
            ("atomic_inc", Slot::Generation(cell)) => {
                self.step(Action::Bump(cell, vec![]))?;
                Ok(ZERO)
            }
            ("atomic_read", Slot::Count(_)) => self.load(super::Target::Memory(at, path), false),
            ("atomic_inc", Slot::Count(cell)) => {
                self.step(vec![Action::Get(cell), Action::Hold(cell)])?;
                Ok(ZERO)
            }
            ("atomic_dec", Slot::Count(cell)) => {
                // A sample is of no use any more.
                let sample = self.frame().locals.iter().find_map(|(name, path, value)| match value {
                    Value::Sample(who) => Some((*name, *path, *who)),
                    _ => None,
                });
                let mut actions = Vec::new();
                if let Some((name, path, who)) = sample {
                    actions.push(Action::DropSample(self.cpu.cell(Core.trigger_count()), who));
                    let frame = self.frames.len() - 1;
                    self.set_local(frame, name, path, Value::Unset);
                }
                actions.extend([Action::Dec(cell), Action::Release(cell)]);
                self.step(actions)?;
                Ok(ZERO)
            }
            _ => self.stuck(format!("{name} of {path}")),
        }
    }

    /// An atomic counter that no table names. One that drops below 0 is taken for a reference count.
    fn own_atomic(&mut self, name: Name, cell: CellId, path: Path, to: Option<&Value>) -> Step<Value> {
        let (_, what) = name.split_once('_').unwrap_or_default();
        let actions = match (what, to) {
            ("read", _) => vec![Action::Load(cell)],
            ("set", Some(Value::Int(number, _))) => match u8::try_from(*number) {
                Ok(number) => vec![Action::Store(cell, Obs::Int(number))],
                Err(_) => return self.stuck(format!("{path} gets {number}, which no cell holds")),
            },
            ("inc", _) => vec![Action::Get(cell)],
            ("dec" | "dec_and_test", _) => vec![Action::Dec(cell)],
            ("inc_return", _) => vec![Action::Get(cell), Action::Load(cell)],
            ("dec_return", _) => vec![Action::Dec(cell), Action::Load(cell)],
            _ => return self.stuck(format!("{name} of {path}")),
        };
        let observed = self.step(actions)?;
        if what == "read" {
            self.read(cell, observed);
        }
        Ok(match (what, observed) {
            ("dec_and_test", observed) => truth(observed == Obs::Bool(true)),
            (_, Obs::Int(number)) => Value::Int(i64::from(number), INT),
            _ => ZERO,
        })
    }

    // ------------------------------------------------------------------------------ work and async

    /// What is done with a work item; `None` if a table says what stands for it. Delays are of any length.
    fn work_item(&mut self, name: Name, args: &[Value]) -> Step<Option<Value>> {
        let mut item = None;
        for arg in args {
            if let Value::Pointer(at, path) = arg {
                item = match self.slot_if_known(*at, path) {
                    _ if (*at, *path) == (CORE, "deferred_probe_work") => {
                        Some(self.cpu.cell(Core.deferred_probe_work()))
                    }
                    Some(Slot::Work(cell)) => Some(cell),
                    _ => item,
                };
            }
        }
        // The driver core's own workqueue has nothing else on it, and without a patch's items no other has.
        let own = self.c.added().works.is_empty() || args.first() == Some(&Value::Opaque("deferred_wq"));
        if item.is_none() && name == "flush_workqueue" && own {
            item = Some(self.cpu.cell(Core.deferred_probe_work()));
        }
        let Some(work) = item else {
            if self.c.tables().stubs.contains_key(name) {
                return Ok(None);
            }
            let mut paths = args.iter().filter_map(|arg| match arg {
                Value::Pointer(_, path) => Some(*path),
                _ => None,
            });
            let what = paths.next_back().unwrap_or("what no table names");
            return self.stuck(format!("{name} of {what}"));
        };
        if name.starts_with("queue") || name.starts_with("schedule") || name.starts_with("mod") {
            return Ok(Some(truth(self.step(Action::QueueWork(work))? == Obs::Bool(true))));
        }
        let cancels = name.starts_with("cancel");
        let begin = if cancels { Action::CancelBegin(work) } else { Action::FlushBegin(work) };
        let waits = self.step(begin)? == Obs::Bool(true);
        if waits || cancels {
            self.step(Action::FlushAwait(work))?;
        }
        Ok(Some(truth(waits)))
    }

    fn async_schedule(&mut self, name: Name, args: &[Value]) -> Step<Value> {
        let (Some(Value::Function(function)), Some(Value::Pointer(data, ""))) = (args.first(), args.get(1))
        else {
            return self.stuck(format!("{name} of {args:?}"));
        };
        let Some((entry, domain)) = self.c.spawned(function) else {
            return self.stuck(format!("{name} of {function}, which nothing was known of at load"));
        };
        // A ghost: the driver that the entry is for.
        let top = self.frames.len() - 1;
        let drv = if data.sort == DEVICE { self.nearest_driver(top) } else { None };
        let drv = drv.filter(|_| self.c.is_for_driver(function));
        let atoms: Vec<Obs> =
            [Some(Obs::Id(*data)), drv.map(|drv| drv.to_obs())].into_iter().flatten().collect();
        self.flush()?;
        let (cpu, argument) = (self.cpu, args[1]);
        cpu.async_schedule(domain, entry, &atoms, || {
            let Some(function) = self.c.tree().function(function, self.file()) else {
                return self.stuck(format!("the function {function}"));
            };
            self.call(function, vec![argument, ZERO]).map(drop)
        })?;
        Ok(ZERO)
    }

    fn async_synchronize(&mut self, name: Name, args: &[Value]) -> Step<Value> {
        let domain = match (name, args.first()) {
            ("async_synchronize_full", _) => DEFAULT_DOMAIN,
            (_, Some(value)) => self.c.domain_of(value),
            _ => return self.stuck(name),
        };
        let mut op = Op::from(Action::AsyncAwait(self.cpu.cell(Core.async_lists()), Some(domain)));
        if let Some((Tell::BarrierEnds, _)) = self.c.contracts().primitive(name, "", &self.stack()) {
            op = self.telling(op, Event::BarrierEnds);
        }
        self.step(op)?;
        Ok(ZERO)
    }

    // --------------------------------------------------------------------------------- callbacks

    fn bus_match(&mut self, args: &[Value]) -> Step<Value> {
        let (dev, drv) = match args {
            [Value::Pointer(dev, ""), Value::Pointer(drv, "")]
                if dev.sort == DEVICE && drv.sort == DRIVER =>
            {
                (Device(dev.index), Driver(drv.index))
            }
            _ => return self.stuck(format!("a match of {args:?}")),
        };
        self.step(vec![Action::Touch(dev.object()), Action::Touch(drv.object())])?;
        if self.cpu.world().has_overrides(dev)
            && let Some(named) = self.match_override(dev, drv)?
        {
            return Ok(truth(named));
        }
        let result = match self.cpu.match_of(dev, drv) {
            Match::No => 0,
            Match::Yes => 1,
            Match::Defer => -EPROBE_DEFER,
            Match::Error => -19,
        };
        Ok(Value::Int(result, INT))
    }

    fn remove(&mut self, args: &[Value]) -> Step<Value> {
        let Some(Value::Pointer(dev, "")) = args.first() else { return self.stuck("a remove of what") };
        let stack = self.stack();
        let whose = self.c.contracts().store("device.driver", &stack).map(|(_, frame)| frame);
        let Some(drv) = whose.and_then(|frame| self.nearest_driver(frame)) else {
            return self.stuck("whose remove this is");
        };
        let named = self.c.contracts().stack(Tell::Named, &stack);
        let named = named.and_then(|frame| self.nearest_driver(frame));
        self.flush()?;
        call_remove(self.cpu, drv, Device(dev.index), named)?;
        Ok(ZERO)
    }
}

/// An iterator whose put callback has been dealt with.
fn passed_on(iter: KlistIter) -> KlistIter {
    let mut atoms = Vec::new();
    iter.record(&mut atoms);
    KlistIter::replay(&mut atoms.iter())
}

/// The path of a domain's variable.
pub(crate) fn domain_path(value: &Value) -> Option<Path> {
    match value {
        Value::Pointer(CORE, path) | Value::Opaque(path) => Some(word(path.trim_start_matches('&'))),
        _ => None,
    }
}
