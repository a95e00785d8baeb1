//! Calls: of functions of the tree, of macros, of what stands for them; and where scenarios enter.

use std::rc::Rc;

use raddle_checker::machine::cpu::Step;
use raddle_checker::machine::layout::Cell;
use raddle_checker::machine::op::{Action, Op};
use raddle_checker::machine::value::{Object, Obs};
use raddle_probing::body::{By, call_probe};
use raddle_probing::call::KernelCall;
use raddle_probing::cpu::Errno;
use raddle_probing::events::{Event, ProbeError};
use raddle_probing::ids::{Device, Driver};
use raddle_probing::objects::{BUS_CODE, Core, DEVICE, DRIVER, DRVDATA};

use super::{Flow, Frame, Interp, Target};
use crate::added::func_of;
use crate::ast::{Expr, ExprKind, Function, Macro, Name, StmtKind, Type};
use crate::contracts::Tell;
use crate::reach::is_run;
use crate::subject::{Assumed, Callee, Stuck};
use crate::table::Stub;
use crate::value::{Atoms, INT, Path, ULONG, Value, ZERO, word};

/// `-EPROBE_DEFER`.
pub const EPROBE_DEFER: i64 = 517;

pub(super) fn whole(object: Object) -> Value {
    Value::Pointer(object, "")
}

impl Interp<'_> {
    // ---------------------------------------------------------------------------------- entering

    /// `driver_register`.
    pub fn driver_register(&mut self, drv: Driver) -> Step<Result<(), Errno>> {
        self.step(Action::Revive(drv.object()))?;
        let result = self.enter("driver_register", vec![whole(drv.object())])?;
        if result != 0 {
            self.step(Action::Retire(drv.object()))?;
            return Ok(Err(errno(result)));
        }
        let registered = self.cpu.storing(drv.registered(), true);
        self.step(vec![Action::Touch(drv.object()), registered])?;
        Ok(Ok(()))
    }

    /// `driver_unregister`.
    pub fn driver_unregister(&mut self, drv: Driver) -> Step<()> {
        self.begins(drv.registered(), Event::UnregisterBegins(drv))?;
        self.unregistering = Some(drv);
        self.enter("driver_unregister", vec![whole(drv.object())])?;
        self.flush()
    }

    /// `device_add`.
    pub fn device_add(&mut self, dev: Device) -> Step<Result<(), Errno>> {
        self.link_by_hand(dev)?;
        let result = self.enter("device_add", vec![whole(dev.object())])?;
        self.flush()?;
        Ok(if result == 0 { Ok(()) } else { Err(errno(result)) })
    }

    /// What a function's caller promises, and what the scenario decides of it.
    fn before(&mut self, function: &Function, args: &[Value]) -> Step<()> {
        let Some(Value::Pointer(at, "")) = args.first() else { return Ok(()) };
        if at.sort != DEVICE {
            return Ok(());
        }
        let dev = Device(at.index);
        match function.name {
            "device_add" => {
                self.flush()?;
                let outcomes = &self.cpu.world().devices[dev.index()].add;
                self.add = outcomes[self.cpu.choose(outcomes.len())?];
            }
            "device_del" => self.begins(dev.added(), Event::DeleteBegins(dev))?,
            _ => {}
        }
        Ok(())
    }

    /// The end of what was begun: with the contract kept it is the first, and what began it has returned.
    fn begins(&mut self, begun: Cell<bool>, event: Event) -> Step<()> {
        let claim = Action::Claim(self.cpu.cell(begun));
        let op = match self.cpu.world().environment.contract_kept {
            true => Op::from(claim),
            false => self.telling(vec![claim, self.cpu.storing(begun, true)], event),
        };
        self.step(op).map(drop)
    }

    /// From here on a device may be deleted.
    fn after(&mut self, function: &Function, args: &[Value], result: Value) -> Step<()> {
        if let ("device_add", Some(Value::Pointer(at, "")), Value::Int(0, _)) =
            (function.name, args.first(), result)
        {
            self.step(self.cpu.storing(Device(at.index).added(), true))?;
        }
        Ok(())
    }

    /// An async entry's function, or a work item's.
    pub fn spawned(&mut self, function: Name, argument: Value) -> Step<()> {
        self.enter(function, vec![argument, Value::Int(0, ULONG)])?;
        self.flush()
    }

    /// A work item's function: of several, that of its last initialization.
    pub fn work(&mut self, functions: &[Name], at: Object, path: Path) -> Step<()> {
        let function = match functions {
            [one] => *one,
            several => match self.load(Target::Memory(at, func_of(path)), false)? {
                Value::Int(number, _) => several[number as usize],
                other => return self.stuck(format!("the work item {path} runs {other:?}")),
            },
        };
        self.enter(function, vec![Value::Pointer(at, path)])?;
        self.flush()
    }

    /// The deferred-probe work.
    pub fn deferred_probe_work(&mut self) -> Step<()> {
        self.spawned("deferred_probe_work_func", Value::Opaque("work"))
    }

    /// A call of a scenario. `of`: the driver whose code makes it.
    pub fn kernel_call(&mut self, call: KernelCall<Device>, of: Option<Driver>) -> Step<()> {
        match call {
            KernelCall::DriverRegister(drv) => return self.driver_register(drv).map(drop),
            KernelCall::DriverUnregister(drv) => return self.driver_unregister(drv),
            KernelCall::DeviceAdd(dev) | KernelCall::DeviceRegister(dev) => {
                return self.device_add(dev).map(drop);
            }
            KernelCall::DeviceDel(dev) => self.run("device_del", vec![whole(dev.object())])?,
            KernelCall::DeviceUnregister(dev) => self.run("device_unregister", vec![whole(dev.object())])?,
            KernelCall::Bind(drv, dev) => return self.bind_file("bind_store", drv, dev),
            KernelCall::Unbind(drv, dev) => return self.bind_file("unbind_store", drv, dev),
            KernelCall::DriverOverrideStore(dev, drv) => return self.store_override(dev, Some(drv)),
            KernelCall::DriverOverrideClear(dev) => return self.store_override(dev, None),
            KernelCall::DeviceLinkAdd(link) => self.link_by_call(link)?,
            KernelCall::DeviceLinkDel(link) => self.delete_link(link)?,
            KernelCall::DeviceLinkRemove(link) => self.remove_link(link)?,
            KernelCall::DriversProbe(dev) => {
                let bus = self.cpu.world().devices[dev.index()].bus;
                // Renamed in v5.0.
                let name = if self.has("drivers_probe_store") {
                    "drivers_probe_store"
                } else {
                    "store_drivers_probe"
                };
                let text = Value::Pointer(dev.object(), "kobj.name[]");
                self.enter(name, vec![whole(bus.object()), text, Value::Int(1, ULONG)])?;
            }
            KernelCall::BusRescanDevices(bus) => self.run("bus_rescan_devices", vec![whole(bus.object())])?,
            KernelCall::DeviceReprobe(dev) => self.run("device_reprobe", vec![whole(dev.object())])?,
            KernelCall::DeviceDriverAttach(drv, dev) => {
                self.run("device_driver_attach", vec![whole(drv.object()), whole(dev.object())])?;
            }
            KernelCall::DeviceShutdown() => self.run("device_shutdown", vec![])?,
            KernelCall::DeviceBlockProbing() => self.enter_if("device_block_probing", vec![])?,
            KernelCall::DeviceUnblockProbing() => self.enter_if("device_unblock_probing", vec![])?,
            KernelCall::WaitForDeviceProbe() => self.run("wait_for_device_probe", vec![])?,
            KernelCall::DeferredProbeInitcall() => self.run("deferred_probe_initcall", vec![])?,
            KernelCall::DeferredProbeTimeout() => {
                for name in ["deferred_probe_timeout_work_func", "deferred_probe_timeout_func"] {
                    self.enter_if(name, vec![Value::Opaque("work")])?;
                }
            }
            KernelCall::DriverDeferredProbeTrigger() => self.run("driver_deferred_probe_trigger", vec![])?,
            KernelCall::NdDeviceRegister(dev) => self.run("nd_device_register", vec![whole(dev.object())])?,
            KernelCall::NdDeviceUnregister(dev) => {
                let mode = self.c.constant("ND_SYNC").unwrap_or(1);
                let mode = Value::Int(mode as i64, INT);
                self.run("nd_device_unregister", vec![whole(dev.object()), mode])?;
            }
            KernelCall::NdSynchronize() => self.run("nd_synchronize", vec![])?,
            KernelCall::ReadUevent(dev) => return self.read_uevent(dev),
            KernelCall::DevGetDrvdata(dev) => {
                // Whoever asks is told what is there.
                let read = self.cpu.cell(dev.drvdata());
                let op = self.telling(Action::Load(read), Event::DrvdataRead(dev));
                self.step(op)?;
            }
            KernelCall::DevSetDrvdata(dev) => {
                let data = Object { sort: DRVDATA, index: of.map_or(BUS_CODE, |drv| drv.0) };
                self.enter("dev_set_drvdata", vec![whole(dev.object()), whole(data)])?;
            }
            KernelCall::DevSetDrvdataNull(dev) => {
                self.enter("dev_set_drvdata", vec![whole(dev.object()), ZERO])?;
            }
            KernelCall::Use(dev) => drop(self.step(Action::Touch(dev.object()))?),
        }
        self.flush()
    }

    /// A write to a driver's sysfs file, which is there as long as the driver is on its bus.
    fn bind_file(&mut self, name: Name, drv: Driver, dev: Device) -> Step<()> {
        let stores = self.cpu.cell(drv.stores());
        if self.step(Action::EnterIf(self.cpu.cell(drv.files()), stores))? == Obs::None {
            return Ok(());
        }
        let text = Value::Pointer(dev.object(), "kobj.name[]");
        self.enter(name, vec![whole(drv.object()), text, Value::Int(1, ULONG)])?;
        self.step(vec![Action::Dec(stores), Action::Release(stores)])?;
        Ok(())
    }

    fn read_uevent(&mut self, dev: Device) -> Step<()> {
        let readers = self.cpu.cell(dev.uevent_readers());
        if self.step(Action::EnterIf(self.cpu.cell(dev.uevent_file()), readers))? == Obs::None {
            return Ok(());
        }
        // The kset's table of functions leads from uevent_show to it.
        let kobj = Value::Pointer(dev.object(), "kobj");
        let args = if self.parameters("dev_uevent") == 3 {
            vec![Value::Opaque("kset"), kobj, Value::Opaque("env")]
        } else {
            vec![kobj, Value::Opaque("env")]
        };
        self.enter("dev_uevent", args)?;
        self.step(vec![Action::Dec(readers), Action::Release(readers)])?;
        Ok(())
    }

    /// Calls a function of the tree, whatever it returns.
    pub(super) fn run(&mut self, name: Name, args: Vec<Value>) -> Step<()> {
        self.enter(name, args).map(|_| ())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.c.tree().function(name, "drivers/base/dd.c").is_some()
    }

    fn parameters(&self, name: &str) -> usize {
        self.c.tree().function(name, "drivers/base/core.c").map_or(0, |function| function.params.len())
    }

    fn enter_if(&mut self, name: Name, args: Vec<Value>) -> Step<()> {
        if self.has(name) { self.run(name, args) } else { Ok(()) }
    }

    /// Calls a function of the tree from outside: the number that it returns.
    pub(super) fn enter(&mut self, name: Name, args: Vec<Value>) -> Step<i64> {
        Ok(match self.value_of(name, args)? {
            Value::Int(number, _) => number,
            _ => 0,
        })
    }

    /// The same: whatever it returns.
    pub(super) fn value_of(&mut self, name: Name, args: Vec<Value>) -> Step<Value> {
        let Some(function) = self.c.tree().function(name, "drivers/base/dd.c") else {
            return self.stuck_at(Stuck::absent("function", name));
        };
        (self.line, self.entered) = (function.line, function.file);
        self.call(function, args)
    }

    // ----------------------------------------------------------------------------------- calling

    pub(super) fn call(&mut self, function: &'static Function, mut args: Vec<Value>) -> Step<Value> {
        if let Some(unread) = function.unread.first() {
            let (file, line, what) = (function.file, unread.line, unread.what.clone());
            return self.stuck_at(Stuck { file, line, function: function.name, what });
        }
        self.foreign_data(function, &mut args)?;
        let frame = Frame::new(function);
        let line = self.line;
        let depth = self.frames.len();
        self.before(function, &args)?;
        // Functions of headers, and those that macros make, are inlined.
        let result = if function.file.ends_with(".c") && function.made_by.is_none() {
            if self.reads.is_some() {
                return self.stuck(format!("a wait whose condition calls {}", function.name));
            }
            let before = self.frames.clone();
            let ids: Vec<Obs> = args
                .iter()
                .filter_map(|arg| match arg {
                    Value::Pointer(object, "") => Some(Obs::Id(*object)),
                    _ => None,
                })
                .collect();
            let cpu = self.cpu;
            let done: Atoms = cpu.call(function.name, &ids, || {
                self.enter_frame(frame, &args);
                let value = self.body(function)?;
                self.frames.truncate(depth);
                let mut out = self.changes(&before);
                value.put(&mut out);
                Ok(Atoms(out))
            })?;
            self.frames = before;
            let mut from = done.0.iter();
            self.apply(&mut from);
            Value::get(&mut from)
        } else {
            self.enter_frame(frame, &args);
            let value = self.body(function)?;
            self.frames.truncate(depth);
            value
        };
        self.after(function, &args, result)?;
        self.line = line;
        Ok(result)
    }

    fn enter_frame(&mut self, frame: Frame, args: &[Value]) {
        let mut frame = frame;
        for ((name, ty), value) in frame.function.params.iter().zip(args) {
            frame.locals.push((name, "", self.converted(*value, ty)));
        }
        self.frames.push(Rc::new(frame));
    }

    fn body(&mut self, function: &'static Function) -> Step<Value> {
        match self.c.contracts().enter(function.name) {
            Some(Tell::BarrierBegins) => {
                let count = self.cpu.cell(Core.probe_count());
                let op = self.telling(Action::Load(count), Event::BarrierBegins);
                self.step(op)?;
            }
            Some(Tell::ProbingUnblocked) => {
                self.step(self.cpu.storing(Core.probing_blocked(), false))?;
            }
            _ => {}
        }
        let value = match self.block(&function.body, None, true)? {
            Flow::Return(value) => self.converted(value, &function.returns),
            Flow::Next => ZERO,
            other => return self.stuck(format!("the function ends with {other:?}")),
        };
        if self.c.contracts().leave(function.name) == Some(Tell::ProbingBlocked) {
            let done = self.cpu.storing(Core.probing_blocked(), true);
            let op = self.telling(done, Event::ProbingBlocked);
            self.step(op)?;
        }
        Ok(value)
    }

    /// What others have stored in drvdata is taken for a driver.
    fn foreign_data(&mut self, function: &Function, args: &mut [Value]) -> Step<()> {
        for ((_, ty), value) in function.params.iter().zip(args) {
            let driver = matches!(ty, Type::Pointer(of) if **of == Type::Record("struct device_driver"));
            if let (true, Value::Pointer(data, path)) = (driver, *value)
                && data.sort == DRVDATA
            {
                let top = self.frames.len().saturating_sub(1);
                let Some(dev) = self.nearest_device(top) else { return self.stuck("whose data this is") };
                let op = self.telling(Action::Touch(dev.object()), Event::DrvdataAsDriver(dev));
                self.step(op)?;
                *value = Value::Pointer(Object { sort: DRIVER, index: data.index }, path);
            }
        }
        Ok(())
    }

    pub(super) fn call_expr(
        &mut self,
        whole: &'static Expr,
        callee: &'static Expr,
        args: &'static [Expr],
    ) -> Step<Value> {
        let name = match &callee.kind {
            ExprKind::Name(name) if self.local(name).is_none() => *name,
            _ => match self.eval(callee)? {
                Value::Function("<probe>") => return self.probe(callee, args),
                Value::Function(name) => name,
                Value::Int(0, _) => return self.null(),
                other => return self.stuck(format!("{other:?} is called")),
            },
        };
        match self.c.callee(name, self.file()) {
            Callee::Special => return self.special(name, args),
            Callee::Macro(made) => {
                let texts: Vec<&str> = args.iter().map(|arg| arg.text).collect();
                return self.expanded(&made, &texts);
            }
            Callee::Variable => {
                let value = self.eval(callee)?;
                return match value {
                    Value::Int(0, _) => self.null(),
                    other => self.stuck(format!("{other:?} is called")),
                };
            }
            Callee::Own | Callee::Function(_) | Callee::Unknown => {}
        }
        let mut values = Vec::with_capacity(args.len());
        for arg in args {
            values.push(self.eval(arg)?);
        }
        self.line = whole.line;
        self.invoke(name, values)
    }

    /// A call with its values: a step of the machine, a stub, or a function of the tree.
    pub(super) fn invoke(&mut self, name: Name, args: Vec<Value>) -> Step<Value> {
        let c = self.c;
        if let Some(value) = self.links(name, &args)? {
            return Ok(value);
        }
        if let Callee::Function(function) = c.callee(name, self.file()) {
            return self.call_of(function, args);
        }
        if let Some(value) = self.primitive(name, &args)? {
            return Ok(value);
        }
        let with_links = !self.cpu.world().links.is_empty();
        if let Some(stubbed) = c.tables().stubs.get(name).filter(|stub| !(stub.without_links && with_links)) {
            c.assume(Assumed::Stub(name));
            return match &stubbed.stub {
                Stub::Argument(at) => match args.get(*at) {
                    Some(value) => Ok(*value),
                    None => self.stuck(format!("{name} has no argument {at}")),
                },
                Stub::OneOf(values) => {
                    let chosen = if values.len() == 1 { 0 } else { self.chosen(name, values.len())? };
                    let text = &values[chosen];
                    let number = match text.strip_prefix("-E") {
                        Some(error) => c.constant(word(&format!("E{error}"))).map(|number| -(number as i64)),
                        None => text.parse().ok(),
                    };
                    match number {
                        Some(number) => Ok(Value::Int(number, INT)),
                        None => self.stuck(format!("the number {text} of the stub {name}")),
                    }
                }
            };
        }
        match c.tree().function(name, self.file()) {
            Some(function) => self.call_of(function, args),
            None => self.stuck(format!("the function {name}")),
        }
    }

    /// Calls a function, if its file is one of those that are run.
    fn call_of(&mut self, function: &'static Function, args: Vec<Value>) -> Step<Value> {
        if is_run(function.file) {
            return self.call(function, args);
        }
        self.stuck(format!("the function {}, of {}", function.name, function.file))
    }

    /// One of several outcomes of a function that is not run.
    pub(super) fn chosen(&mut self, name: Name, count: usize) -> Step<usize> {
        self.flush()?;
        let cpu = self.cpu;
        let place = self.place();
        let choose = Action::Choose(u8::try_from(count).expect("internal: few values"));
        let chosen: Atoms = cpu.call(name, &[], || Ok(Atoms(vec![cpu.step_at(choose, place)?])))?;
        Ok(match chosen.0[0] {
            Obs::Int(outcome) => usize::from(outcome),
            other => unreachable!("internal: {other:?} is no outcome"),
        })
    }

    /// What a macro stands for, in the function that uses it.
    pub(super) fn expanded(&mut self, made: &Macro, args: &[&str]) -> Step<Value> {
        let line = self.line;
        let body = match self.c.tree().expand(made, args, line) {
            Ok(body) => body,
            Err(why) => return self.stuck(format!("{}: {why}", made.name)),
        };
        match &body.body[..] {
            [one] => match &one.kind {
                StmtKind::Return(Some(value)) => self.eval(value),
                _ => self.statements(&body.body),
            },
            _ => self.statements(&body.body),
        }
    }

    /// `drv->probe(dev)`.
    fn probe(&mut self, callee: &'static Expr, args: &'static [Expr]) -> Step<Value> {
        let ExprKind::Member { of, .. } = &callee.kind else { return self.stuck("whose probe this is") };
        let (Value::Pointer(drv, _), Value::Pointer(dev, _)) = (self.eval(of)?, self.eval(&args[0])?) else {
            return self.stuck("a probe of what");
        };
        if dev.sort != DEVICE || drv.sort != DRIVER {
            return self.stuck("a probe of what");
        }
        self.flush()?;
        let stack = self.stack();
        let by = if self.c.contracts().stack(Tell::Bind, &stack).is_some() { By::Bind } else { By::Core };
        Ok(match call_probe(self.cpu, Driver(drv.index), Device(dev.index), by)? {
            Ok(()) => ZERO,
            Err(error) => {
                let (kind, number) = match error {
                    ProbeError::Failed => (0, -19),
                    ProbeError::Deferred => (1, -EPROBE_DEFER),
                    ProbeError::Missed(resource) => (2 + i64::from(resource.0), -EPROBE_DEFER),
                };
                // Why it failed is told when the failure is dealt with.
                let frame = self.c.contracts().store("device.driver", &stack).map(|(_, frame)| frame);
                if let Some(frame) = frame {
                    self.set_local(frame, "probe$", "", Value::Int(kind, INT));
                }
                Value::Int(number, INT)
            }
        })
    }
}

fn errno(number: i64) -> Errno {
    match -number {
        EPROBE_DEFER => Errno::ProbeDefer,
        16 | 17 => Errno::Busy,
        _ => Errno::Failed,
    }
}
