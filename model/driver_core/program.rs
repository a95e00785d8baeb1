//! The driver core as a program for the machine.

use std::ops::ControlFlow::Continue;

use super::attach_work::driver_attach_workfn;
use super::body::work_func;
use super::bus::driver_attach_async;
use super::calls::run_task;
use super::core::device_add;
use super::cpu::{Cpu, DEFAULT_DOMAIN, ND_DOMAIN, Watched, entry};
use super::dd::{__device_attach_async_helper, __driver_attach_async_helper};
use super::deferred::deferred_probe_work_func;
use super::driver::driver_register;
use super::module::{LIVE, modprobe};
use super::nvdimm::nd_async_device_register;
use super::rules::{AttachStrategy, Rules};
use raddle_checker::atoms;
use raddle_checker::automaton::history::{History, rerun};
use raddle_checker::machine::cpu as machine;
use raddle_checker::machine::cpu::Step;
use raddle_checker::machine::hazard::Hazard;
use raddle_checker::machine::layout::{CellId, Field, Layout};
use raddle_checker::machine::op::{Access, Action, Entry, Event, Op};
use raddle_checker::machine::program::{self, Native, Next, Program, SlotDecl, SlotKind};
use raddle_checker::machine::rename::Renaming;
use raddle_checker::machine::value::{Datum, Object, Obs};
use raddle_probing::ids::{Device, Driver, Module, TaskId, Work};
use raddle_probing::objects::{AttachWork, Core, DRVDATA, lay_out};
use raddle_probing::properties::{Checks, event};
use raddle_probing::world::{Call, Initially, World};

/// A scenario's world on one revision of the driver core.
#[derive(Clone)]
pub struct DriverCore {
    world: World,
    rules: Rules,
    watched: Watched,
    layout: Layout,
    memory: Vec<u8>,
    slots: Vec<SlotDecl>,
}

impl DriverCore {
    /// The driver core under these rules, with what the scenario declares.
    #[must_use]
    pub fn new(world: World, rules: Rules) -> Self {
        // Items name cells, and cells are laid out by the number of slots: first without, then with.
        let drafts = slots(&world, &rules, None);
        let (mut layout, mut memory) = lay_out(&world, &drafts);
        // 04d3e5461c1f, 18daa52418e7: WRITE_ONCE in device_set_driver, READ_ONCE in dev_uevent.
        for i in (0..world.devices.len() as u8).filter(|_| rules.uevent_reads_once) {
            layout.mark(layout.find(Device(i).driver()));
        }
        let slots = slots(&world, &rules, Some(&layout));
        for driver in &world.drivers {
            if driver.initially_registered {
                memory[layout.info(layout.find(driver.module.state())).offset] = LIVE;
            }
        }
        let watched = watched(&world, &rules);
        DriverCore { world, rules, watched, layout, memory, slots }
    }

    /// What the scenario declares.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The rules in force.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// A device that the scenario declares bound and that is not, in this memory after the set-up.
    #[must_use]
    pub fn unbound(&self, memory: &[u8]) -> Option<Device> {
        let devices = (0..self.world.devices.len() as u8).map(Device);
        devices.into_iter().find(|dev| match self.world.devices[dev.index()].initially {
            Initially::Bound(drv) => {
                let cell = self.layout.find(dev.driver());
                let bound = self.layout.decode(cell, memory[self.layout.info(cell).offset]);
                bound != drv.to_obs()
            }
            _ => false,
        })
    }

    fn checks(&self) -> Checks<'_> {
        Checks { world: &self.world, layout: &self.layout }
    }
}

/// A worker that takes an item off the queue whenever it is pending, for ever. `attaches`: the driver
/// that the item attaches, for the checks.
fn item(cpu: &Cpu<'_>, work: CellId, attaches: Option<Driver>, func: impl Fn() -> Step<()>) -> Step<()> {
    cpu.repeat((), |()| {
        cpu.step(Action::WorkStart(work))?;
        func()?;
        let end = Action::WorkEnd(work);
        match attaches {
            Some(drv) => cpu.step(cpu.telling(end, event::ATTACH_DONE, &atoms![drv]))?,
            None => cpu.step(end)?,
        };
        Ok(Continue(()))
    })
}

/// The places for tasks. Without a layout the items name cell 0: only their number counts then.
fn slots(world: &World, rules: &Rules, layout: Option<&Layout>) -> Vec<SlotDecl> {
    let cell = |find: &dyn Fn(&Layout) -> CellId| layout.map_or(CellId(0), find);
    let item = |name: String, function: u8, args: Vec<Obs>, work: CellId| SlotDecl {
        name,
        kind: SlotKind::Item { entry: Entry { function, args }, work },
    };
    let mut slots = Vec::new();
    for (i, task) in world.tasks.iter().enumerate() {
        let entry = Entry { function: entry::TASK, args: vec![Obs::Int(i as u8)] };
        let after = task.after.iter().map(|before| before.index()).collect();
        slots.push(SlotDecl { name: task.name.clone(), kind: SlotKind::Task { entry, after } });
    }
    if world.tasks.is_empty() {
        // The set-up runs in the first slot.
        let entry = Entry { function: entry::NOTHING, args: Vec::new() };
        slots.push(SlotDecl { name: "set-up".to_owned(), kind: SlotKind::Task { entry, after: Vec::new() } });
    }
    let work = cell(&|layout| layout.find(Core.deferred_probe_work()));
    slots.push(item("kworker (deferred)".to_owned(), entry::DEFERRED, vec![], work));
    if rules.attach_strategy == AttachStrategy::Workqueue {
        for (i, driver) in world.drivers.iter().enumerate() {
            let drv = Driver(i as u8);
            let work = cell(&|layout| layout.find(AttachWork(drv.0).work()));
            let name = format!("kworker (attach {})", driver.name);
            slots.push(item(name, entry::ATTACH_WORKFN, atoms![drv].to_vec(), work));
        }
    }
    for (i, decl) in world.works.iter().enumerate() {
        let id = Work(i as u8);
        let work = cell(&|layout| layout.find(id.work()));
        slots.push(item(format!("kworker ({})", decl.name), entry::WORK, atoms![id].to_vec(), work));
    }
    for _ in 0..world.environment.workers {
        slots.push(SlotDecl { name: "kworker".to_owned(), kind: SlotKind::Worker });
    }
    slots
}

/// All calls of a world.
pub fn all_calls(world: &World) -> impl Iterator<Item = &Call> {
    let tasks = world.tasks.iter().flat_map(|task| &task.run);
    let works = world.works.iter().flat_map(|work| &work.run);
    let bodies = world.drivers.iter().flat_map(|driver| driver.probe.run.iter().chain(&driver.remove));
    tasks.chain(works).chain(bodies)
}

fn watched(world: &World, rules: &Rules) -> Watched {
    let any = |test: fn(&Call) -> bool| all_calls(world).any(test);
    let loads = any(|call| matches!(call, Call::LoadModule(_) | Call::RequestModule(_)));
    let waits = rules.init_waits == super::rules::InitWaits::IfAsyncUsed;
    let blocks = any(|call| matches!(call, Call::DeviceBlockProbing | Call::DeviceShutdown));
    let initcall = any(|call| matches!(call, Call::DeferredProbeInitcall));
    Watched {
        bind_files: any(|call| matches!(call, Call::Bind(..) | Call::Unbind(..))),
        uevent: any(|call| matches!(call, Call::ReadUevent(_))),
        used_async: loads && waits,
        enable: !world.environment.booted || initcall,
        block: blocks,
        barriers: blocks || loads || any(|call| matches!(call, Call::WaitForDeviceProbe)),
    }
}

impl Native for DriverCore {
    fn run(&self, cpu: &machine::Cpu<'_>, entry: &Entry) -> Step<()> {
        let cpu = &Cpu::new(*cpu, &self.world, &self.rules, self.watched);
        let args = &entry.args;
        match entry.function {
            entry::TASK => run_task(cpu, TaskId(u8::from_obs(args[0]))),
            entry::SET_UP_DRIVER => driver_register(cpu, Driver::from_obs(args[0])).map(|_| ()),
            entry::SET_UP_DEVICE => device_add(cpu, Device::from_obs(args[0])).map(|_| ()),
            entry::DEFERRED => {
                item(cpu, cpu.cell(Core.deferred_probe_work()), None, || deferred_probe_work_func(cpu))
            }
            entry::WORK => {
                let work = Work::from_obs(args[0]);
                item(cpu, cpu.cell(work.work()), None, || work_func(cpu, work))
            }
            entry::ATTACH_WORKFN => {
                let drv = Driver::from_obs(args[0]);
                item(cpu, cpu.cell(AttachWork(drv.0).work()), Some(drv), || driver_attach_workfn(cpu, drv))
            }
            entry::ATTACH_KTHREAD => {
                let drv = Driver::from_obs(args[0]);
                driver_attach_workfn(cpu, drv)?;
                cpu.step(Action::SpawnEnd(cpu.cell(drv.kthread()))).map(|_| ())
            }
            entry::DRIVER_ATTACH_ASYNC => {
                driver_attach_async(cpu, Driver::from_obs(args[0]))?;
                cpu.async_end(DEFAULT_DOMAIN)
            }
            entry::DRIVER_ATTACH_HELPER => {
                __driver_attach_async_helper(cpu, Device::from_obs(args[0]))?;
                cpu.async_end(DEFAULT_DOMAIN)
            }
            entry::DEVICE_ATTACH_HELPER => {
                __device_attach_async_helper(cpu, Device::from_obs(args[0]))?;
                cpu.async_end(DEFAULT_DOMAIN)
            }
            entry::ND_REGISTER => {
                nd_async_device_register(cpu, Device::from_obs(args[0]))?;
                cpu.async_end(ND_DOMAIN)
            }
            entry::MODPROBE => modprobe(cpu, Module::from_obs(args[0]), u8::from_obs(args[1])),
            entry::NOTHING => Ok(()),
            other => unreachable!("internal: no function has number {other}"),
        }
    }
}

impl Program for DriverCore {
    type Control = History;

    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn slots(&self) -> &[SlotDecl] {
        &self.slots
    }

    fn initial_memory(&self) -> Vec<u8> {
        self.memory.clone()
    }

    fn set_up(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        for (i, driver) in self.world.drivers.iter().enumerate() {
            if driver.initially_registered {
                entries
                    .push(Entry { function: entry::SET_UP_DRIVER, args: atoms![Driver(i as u8)].to_vec() });
            }
        }
        // Parents before children, else in the file's order.
        let mut added = vec![false; self.world.devices.len()];
        let mut pending: Vec<usize> = (0..added.len()).collect();
        pending.retain(|i| self.world.devices[*i].initially != Initially::Absent);
        while let Some(at) = pending.iter().position(|i| {
            let parent = self.world.devices[*i].parent;
            parent.is_none_or(|parent| added[parent.index()] || !pending.contains(&parent.index()))
        }) {
            let i = pending.remove(at);
            added[i] = true;
            entries.push(Entry { function: entry::SET_UP_DEVICE, args: atoms![Device(i as u8)].to_vec() });
        }
        entries
    }

    fn check_set_up(&self, memory: &[u8]) -> Result<(), String> {
        let Some(dev) = self.unbound(memory) else {
            return Ok(());
        };
        let decl = &self.world.devices[dev.index()];
        let Initially::Bound(drv) = decl.initially else { unreachable!("internal: it is to be bound") };
        let driver = &self.world.drivers[drv.index()].name;
        Err(format!("device \"{}\" is not bound to \"{driver}\" after the set-up", decl.name))
    }

    fn entry<'c>(&self, control: &'c History) -> &'c Entry {
        control.entry()
    }

    fn start(&self, entry: &Entry) -> History {
        rerun(&self.layout, &History::new(entry), None, |cpu| self.run(cpu, entry)).0
    }

    fn next(&self, control: &History) -> Next {
        rerun(&self.layout, control, None, |cpu| self.run(cpu, control.entry())).1
    }

    fn resume(&self, control: &History, observed: Obs) -> History {
        rerun(&self.layout, control, Some(observed), |cpu| self.run(cpu, control.entry())).0
    }

    fn stack(&self, control: &History) -> Vec<program::Call> {
        let mut stack = control.stack();
        // "Consolidate locking and unlocking of parent and device" (v5.1, and in Duyck's series) made functions of
        // what stood in their callers; that series also attaches devices one by one.
        if self.rules.attach_strategy != AttachStrategy::AsyncPerDevice {
            stack.retain(|call| !matches!(call.name, "device_driver_attach" | "device_driver_detach"));
        }
        stack
    }

    fn atoms(&self, control: &History) -> Vec<Vec<Obs>> {
        control.atoms()
    }

    fn domain(&self, entry: &Entry) -> Option<u8> {
        match entry.function {
            entry::DRIVER_ATTACH_ASYNC | entry::DRIVER_ATTACH_HELPER | entry::DEVICE_ATTACH_HELPER => {
                Some(DEFAULT_DOMAIN)
            }
            entry::ND_REGISTER => Some(ND_DOMAIN),
            _ => None,
        }
    }

    fn event_cells(&self, event: &Event) -> Vec<(CellId, Access)> {
        self.checks().cells(event)
    }

    fn event(&self, event: &Event, slot: usize, observed: Obs, memory: &mut [u8]) -> Result<(), Hazard> {
        self.checks().check(event, slot, observed, memory)
    }

    fn at_quiescence(&self, memory: &[u8]) -> Vec<Hazard> {
        self.checks().at_quiescence(memory)
    }

    fn renamings(&self) -> Vec<Renaming> {
        super::alike::renamings(&self.world, &self.rules, self.watched, self.slots.len())
    }

    fn renamed_field(&self, object: Object, field: Field, renaming: &Renaming) -> Field {
        raddle_probing::objects::renamed_field(object, field, renaming)
    }

    fn object_name(&self, object: Object) -> String {
        match object.sort {
            DRVDATA if object.index < 63 => {
                format!("data of {}", self.world.drivers[usize::from(object.index)].name)
            }
            DRVDATA => "foreign data".to_owned(),
            _ => self.layout.object(object).name.clone(),
        }
    }

    fn number_name(&self, cell: CellId, number: u8) -> Option<String> {
        super::words::number(self, cell, number)
    }

    fn call_note(&self, call: &program::Call) -> Option<String> {
        super::words::call(self, call)
    }

    fn note(&self, stack: &[program::Call], op: &Op, observed: Option<Obs>) -> Option<String> {
        match (op.event, &op.actions[..], observed) {
            (Some(event), ..) => super::words::event(self, &event),
            (None, [Action::Choose(_)], Some(Obs::Int(outcome))) => {
                Some(super::words::outcome(self, stack.last()?, usize::from(outcome)))
            }
            _ => super::words::actions(self, stack, &op.actions),
        }
    }

    fn role(&self, entry: &Entry) -> String {
        match entry.function {
            entry::MODPROBE => format!("modprobe {}", self.object_name(Object::from_obs(entry.args[0]))),
            entry::ATTACH_KTHREAD => {
                format!("kthread ({})", self.object_name(Object::from_obs(entry.args[0])))
            }
            _ => "kworker (async)".to_owned(),
        }
    }
}
