//! A scenario on a subject, as a program for the machine.

use std::ops::ControlFlow::{Break, Continue};
use std::sync::Arc;

use super::body::work_func;
use super::call::{Call, KernelCall};
use super::calls::run_task;
use super::cpu::{Cpu, Watched, entry};
use super::events;
use super::ids::{Device, Driver, Instance, Module, TaskId, Work, Workqueue};
use super::module::{LIVE, modprobe};
use super::objects::{Core, DRVDATA, lay_out, work_item};
use super::properties::Checks;
use super::queues;
use super::runtime;
use super::subject::{Item, Subject};
use super::world::{Initially, WorkDecl, WorkKind, World};
use raddle_checker::atoms;
use raddle_checker::machine::cpu as machine;
use raddle_checker::machine::cpu::Step;
use raddle_checker::machine::hazard::Hazard;
use raddle_checker::machine::history::History;
use raddle_checker::machine::layout::{CellId, Field, Layout, Part};
use raddle_checker::machine::op::{Action, Entry, Event, Op, Touch};
use raddle_checker::machine::place::{Place, SourceLine};
use raddle_checker::machine::program::{self, Program, SlotDecl, SlotKind};
use raddle_checker::machine::rename::Renaming;
use raddle_checker::machine::step::Stop;
use raddle_checker::machine::value::{Datum, Object, Obs};

/// A scenario's world, and the code under test. One type for all subjects: the searches are compiled once for all of
/// them.
#[derive(Clone)]
pub struct Probing<'s> {
    world: World,
    subject: Arc<dyn Subject + 's>,
    watched: Watched,
    layout: Layout,
    memory: Vec<u8>,
    items: Vec<Item>,
    slots: Vec<SlotDecl>,
}

impl<'s> Probing<'s> {
    /// The subject, with what the scenario declares.
    #[must_use]
    pub fn new(world: World, subject: impl Subject + 's) -> Self {
        let items = items(&world, &subject);
        // Work items have a byte a slot.
        let count = world.tasks.len().max(1) + items.len() + usize::from(world.environment.workers);
        let (mut layout, mut memory) =
            lay_out(&world, u8::try_from(count).expect("internal: too many slots"));
        subject.lay_out(&world, &mut layout);
        memory.resize(layout.bytes(), 0);
        for driver in &world.drivers {
            if driver.initially_registered {
                memory[layout.info(layout.find(driver.module.state())).offset] = LIVE;
            }
        }
        let slots = slots(&world, &items, &layout);
        let watched = watched(&world, subject.init_waits().if_async_used);
        Probing { world, subject: Arc::new(subject), watched, layout, memory, items, slots }
    }

    /// What the scenario declares.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The code under test.
    #[must_use]
    pub fn subject(&self) -> &(dyn Subject + 's) {
        &*self.subject
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

    /// What scenarios look at.
    #[must_use]
    pub(crate) fn watched(&self) -> Watched {
        self.watched
    }

    fn checks(&self) -> Checks<'_> {
        Checks { world: &self.world, layout: &self.layout, items: &self.items }
    }
}

/// A worker that takes an item off the queue whenever it is pending, as often as the item may run.
fn worker(cpu: &Cpu<'_>, item: &Item, func: impl Fn() -> Step<()>) -> Step<()> {
    let work = cpu.cell(item.work);
    cpu.repeat(item.runs, |left| {
        let last = left == Some(1);
        let mut start = vec![Action::WorkStart(work)];
        // From its last run on it is not queued any more, or somebody could wait for it in vain.
        start.extend(item.needs.iter().map(|object| Action::Touch(*object)));
        start.extend(last.then_some(Action::DisableWork(work, true)));
        cpu.step(start)?;
        func()?;
        let mut end = vec![Action::WorkEnd(work)];
        end.extend(item.again.then_some(Action::QueueWork(work)));
        match item.attaches {
            Some(of) => cpu.step(cpu.telling(end, events::Event::AttachDone(of)))?,
            None => cpu.step(end)?,
        };
        Ok(if last { Break(()) } else { Continue(left.map(|left| left - 1)) })
    })
}

/// The work items: the deferred-probe work, the subject's own, those of the scenario.
fn items(world: &World, subject: &impl Subject) -> Vec<Item> {
    let deferred = Item {
        name: "kworker (deferred)".to_owned(),
        entry: Entry { function: entry::DEFERRED, args: Vec::new() },
        work: Core.deferred_probe_work(),
        attaches: None,
        needs: Vec::new(),
        runs: None,
        again: false,
    };
    let mut items = vec![deferred];
    items.extend(subject.items(world));
    let ordered = world.queues.iter().zip((0..).map(Workqueue)).filter(|(decl, _)| decl.ordered);
    items.extend(ordered.map(|(decl, queue)| Item {
        name: format!("kworker ({})", decl.name),
        entry: Entry { function: entry::QUEUE, args: atoms![queue].to_vec() },
        work: queue.worker(),
        attaches: None,
        needs: Vec::new(),
        runs: None,
        again: false,
    }));
    let devices = world.devices.iter().zip((0..).map(Device)).filter(|_| world.has_runtime_pm());
    items.extend(devices.map(|(decl, dev)| Item {
        name: format!("kworker (pm, {})", decl.name),
        entry: Entry { function: entry::POWER, args: atoms![dev].to_vec() },
        work: dev.power_work(),
        attaches: None,
        needs: Vec::new(),
        runs: None,
        again: false,
    }));
    // The items of an ordered workqueue have its worker.
    let own = world.works.iter().zip(0..).filter(|(_, i)| world.ordered(Work(*i)).is_none());
    items.extend(own.map(|(decl, i)| Item {
        name: match decl.kind {
            WorkKind::Work => format!("kworker ({})", decl.name),
            WorkKind::Timer => format!("timer ({})", decl.name),
            WorkKind::Irq => format!("irq ({})", decl.name),
        },
        entry: Entry { function: entry::WORK, args: atoms![Work(i)].to_vec() },
        work: work_item(world, Work(i)),
        attaches: None,
        needs: needs(decl),
        runs: decl.runs,
        again: decl.kind == WorkKind::Irq,
    }));
    items
}

/// What must be there when a worker takes an item: the memory in which it lies, of which it is no field if it has a
/// workqueue, and the workqueue.
fn needs(decl: &WorkDecl) -> Vec<Object> {
    let Some(queue) = decl.queue else { return Vec::new() };
    decl.lies_in().map(Instance::object).into_iter().chain([queue.object()]).collect()
}

/// The places for tasks.
fn slots(world: &World, items: &[Item], layout: &Layout) -> Vec<SlotDecl> {
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
    slots.extend(items.iter().map(|item| SlotDecl {
        name: item.name.clone(),
        kind: SlotKind::Item { entry: item.entry.clone(), work: layout.find(item.work) },
    }));
    for _ in 0..world.environment.workers {
        slots.push(SlotDecl { name: "kworker".to_owned(), kind: SlotKind::Worker });
    }
    slots
}

fn watched(world: &World, init_waits_if_async_used: bool) -> Watched {
    let kernel = |test: fn(KernelCall) -> bool| {
        world.calls().any(|call| if let Call::Kernel(call) = call { test(*call) } else { false })
    };
    let loads = world.loads_modules();
    let blocks =
        kernel(|call| matches!(call, KernelCall::DeviceBlockProbing() | KernelCall::DeviceShutdown()));
    let initcall = kernel(|call| matches!(call, KernelCall::DeferredProbeInitcall()));
    let waits = kernel(|call| matches!(call, KernelCall::WaitForDeviceProbe()));
    Watched {
        bind_files: kernel(|call| matches!(call, KernelCall::Bind(..) | KernelCall::Unbind(..))),
        uevent: kernel(|call| matches!(call, KernelCall::ReadUevent(_))),
        used_async: loads && init_waits_if_async_used,
        enable: !world.environment.booted || initcall,
        block: blocks,
        barriers: blocks || waits,
        loads,
        runtime_pm: world.has_runtime_pm(),
    }
}

impl Program for Probing<'_> {
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
        // Parents before children and suppliers before consumers, else in the file's order.
        let mut added = vec![false; self.world.devices.len()];
        let mut pending: Vec<usize> = (0..added.len()).collect();
        pending.retain(|i| self.world.devices[*i].initially != Initially::Absent);
        while let Some(at) = pending.iter().position(|i| {
            let parent = self.world.devices[*i].parent;
            let before = |first: Device| added[first.index()] || !pending.contains(&first.index());
            let suppliers = self.world.suppliers(Device(*i as u8));
            let mut suppliers = suppliers.map(|link| &self.world.links[link.index()]);
            parent.is_none_or(before) && suppliers.all(|link| link.by_call.is_some() || before(link.supplier))
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

    fn run(&self, cpu: &machine::Cpu<'_>, entry: &Entry) -> Step<()> {
        let subject = &*self.subject;
        let cpu = &Cpu::new(*cpu, &self.world, self.watched, subject);
        let args = &entry.args;
        let function = || match entry.function {
            entry::TASK => run_task(cpu, TaskId(u8::from_obs(args[0]))),
            entry::SET_UP_DRIVER => subject.driver_register(cpu, Driver::from_obs(args[0])).map(|_| ()),
            entry::SET_UP_DEVICE => subject.device_add(cpu, Device::from_obs(args[0])).map(|_| ()),
            entry::DEFERRED => subject.deferred_probe_work(cpu),
            entry::WORK => work_func(cpu, Work::from_obs(args[0])),
            entry::POWER => runtime::work(cpu, Device::from_obs(args[0])),
            entry::QUEUE => queues::work_in_order(cpu, queues::named(args)),
            entry::MODPROBE => modprobe(cpu, Module::from_obs(args[0]), u8::from_obs(args[1])),
            entry::NOTHING => Ok(()),
            _ => subject.run(cpu, entry),
        };
        if let Some(item) = self.items.iter().find(|item| item.entry == *entry) {
            return worker(cpu, item, function);
        }
        function()?;
        match subject.domain(entry.function) {
            Some(domain) => cpu.async_end(domain),
            None => Ok(()),
        }
    }

    fn stack(&self, task: &History) -> Vec<program::Call> {
        let mut stack = task.stack();
        stack.retain(|call| self.subject.shows(call.name));
        stack
    }

    fn domain(&self, entry: &Entry) -> Option<u8> {
        self.subject.domain(entry.function)
    }

    fn event_touches(&self, event: &Event) -> Vec<(CellId, Part, Touch)> {
        self.checks().touches(event.into())
    }

    fn event(&self, event: &Event, slot: usize, observed: Obs, memory: &mut [u8]) -> Result<(), Stop> {
        self.checks().check(event.into(), slot, observed, memory)
    }

    fn at_quiescence(&self, memory: &[u8]) -> Vec<Hazard> {
        self.checks().at_quiescence(memory)
    }

    fn seen_at_rest(&self) -> Option<Vec<(CellId, Part)>> {
        Some(self.checks().seen_at_rest())
    }

    fn facts(&self) -> Vec<CellId> {
        self.checks().facts()
    }

    fn renamings(&self) -> Vec<Renaming> {
        let devices_stay = self.watched.barriers;
        let drivers_stay = devices_stay && self.items.iter().any(|item| item.attaches.is_some());
        super::alike::renamings(&self.world, devices_stay, drivers_stay, self.slots.len())
    }

    fn renamed_field(&self, object: Object, field: Field, renaming: &Renaming) -> Field {
        super::objects::renamed_field(object, field, renaming)
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

    fn meaning(&self, cell: CellId, number: u8) -> Option<program::Meaning> {
        super::words::number(self, cell, number)
    }

    fn call_note(&self, call: &program::Call) -> Option<String> {
        super::words::call(self, call)
    }

    fn note(&self, stack: &[program::Call], op: &Op, observed: Option<Obs>) -> Option<String> {
        match (op.event, &op.actions[..], observed) {
            (Some(event), ..) => super::words::event(&self.checks(), (&event).into()),
            (None, [Action::Choose(_)], Some(Obs::Int(outcome))) => {
                Some(super::words::outcome(self, stack.last()?, usize::from(outcome)))
            }
            _ => super::words::actions(self, stack, &op.actions),
        }
    }

    fn source_file(&self, at: Place) -> String {
        let crates = [Some(&super::SOURCES), self.subject.sources()];
        let named = crates.into_iter().flatten().find_map(|sources| sources.name(at.file()));
        named.unwrap_or_else(|| at.file().to_owned())
    }

    fn source_line(&self, at: Place) -> Option<SourceLine> {
        self.subject.source_line(at)
    }

    fn role(&self, entry: &Entry) -> String {
        match entry.function {
            entry::MODPROBE => format!("modprobe {}", self.object_name(Object::from_obs(entry.args[0]))),
            _ => {
                let role = self.subject.role(entry, &|object| self.object_name(object));
                role.unwrap_or_else(|| "kworker (async)".to_owned())
            }
        }
    }
}
