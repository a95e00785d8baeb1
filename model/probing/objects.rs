//! The objects of the driver core, their cells and their names.

use super::call::Call;
use super::ghosts::{awaited, owed, started};
use super::ids::{
    Bus, Cdev, Device, Devres, Driver, Flag, Function, Hook, Instance, Link, List as ListId, Memory, Module,
    Mutex, Override, Pointer, Resource, Work, Workqueue,
};
use super::links::{Driving, Status};
use super::runtime::RuntimeStatus;
use super::world::{Home, InstanceDecl, World};
use raddle_checker::machine::layout::{ALIVE, Cell, CellId, Field, Kind, Layout, Says};
use raddle_checker::machine::rename::Renaming;
use raddle_checker::machine::value::{Datum, Object, Obs, Sort};
use raddle_checker::observe_datum;

/// `struct device`.
pub const DEVICE: Sort = Sort(0);
/// `struct device_driver`.
pub const DRIVER: Sort = Sort(1);
/// `struct driver_private` of the driver with the same index.
pub const PRIVATE: Sort = Sort(2);
/// `struct bus_type` with its `subsys_private`.
pub const BUS: Sort = Sort(3);
/// A module.
pub const MODULE: Sort = Sort(4);
/// A resource.
pub const RESOURCE: Sort = Sort(5);
/// A driver's work item.
pub const WORK: Sort = Sort(6);
/// Luis' `struct driver_attach_work` of the driver with the same index.
pub const ATTACH_WORK: Sort = Sort(7);
/// What a driver stores in drvdata; index [`BUS_CODE`] is what anybody else stores there.
pub const DRVDATA: Sort = Sort(8);
/// `struct device_private` of the device with the same index.
pub const DEVICE_PRIVATE: Sort = Sort(11);
/// A mutex of the scenario.
pub const MUTEX: Sort = Sort(10);
/// The globals of dd.c and async.c.
pub const GLOBAL: Sort = Sort(9);
/// One allocation of a driver's memory.
pub const INSTANCE: Sort = Sort(12);
/// Memory as it is declared.
pub const MEMORY: Sort = Sort(13);
/// A pointer to memory.
pub const POINTER: Sort = Sort(14);
/// A flag.
pub const FLAG: Sort = Sort(15);
/// A list of memory.
pub const LIST: Sort = Sort(16);
/// A function of a driver.
pub const FUNCTION: Sort = Sort(17);
/// A sysfs attribute or a notifier.
pub const HOOK: Sort = Sort(18);
/// A character device.
pub const CDEV: Sort = Sort(19);
/// The code of the module with the same index.
pub const CODE: Sort = Sort(20);

/// A workqueue of the scenario.
pub const WORKQUEUE: Sort = Sort(21);

/// The worker pool of the workqueue with the same index, which outlives it.
pub const POOL: Sort = Sort(22);

/// A device link.
pub const LINK: Sort = Sort(23);

/// A string in a device's `driver_override`.
pub const OVERRIDE: Sort = Sort(24);

/// The runtime power management of the device with the same index, for what is told of it.
pub const POWER: Sort = Sort(25);

/// The `struct device_link` of the device link with the same index, if calls make it.
pub const DEVICE_LINK: Sort = Sort(26);

/// What a subject with a list of devres keeps for something that a device has acquired: the index is its place in
/// [`World::acquisitions`].
pub const DEVRES: Sort = Sort(27);

/// The index of drvdata that is no driver's own.
pub const BUS_CODE: u8 = 63;

/// How many `request_module` of one module may be under way at once.
pub const TICKETS: u8 = 4;

/// The globals.
pub const CORE: Object = Object { sort: GLOBAL, index: 0 };

/// The hazard of using a driver that is gone.
pub const STALE_DRIVER_POINTER: &str = "stale-driver-pointer";

macro_rules! datum_ids {
    ($($type:ident = $sort:ident,)*) => {$(
        impl $type {
            /// As an object of the machine.
            #[must_use]
            pub fn object(self) -> Object {
                Object { sort: $sort, index: self.0 }
            }
        }

        impl Datum for $type {
            fn to_obs(self) -> Obs {
                Obs::Id(self.object())
            }

            fn from_obs(obs: Obs) -> Self {
                match obs {
                    Obs::Id(Object { sort: $sort, index }) => $type(index),
                    other => unreachable!("internal: {other:?} is no {}", stringify!($type)),
                }
            }
        }

        observe_datum!($type);
    )*};
}

datum_ids! {
    Bus = BUS,
    Device = DEVICE,
    Driver = DRIVER,
    Module = MODULE,
    Resource = RESOURCE,
    Work = WORK,
    Mutex = MUTEX,
    Instance = INSTANCE,
    Memory = MEMORY,
    Pointer = POINTER,
    Flag = FLAG,
    ListId = LIST,
    Function = FUNCTION,
    Hook = HOOK,
    Cdev = CDEV,
    Workqueue = WORKQUEUE,
    Link = LINK,
    Override = OVERRIDE,
}

/// A mutex.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lock;
/// A count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count;
/// A `list_head`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct List;
/// A klist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Klist;
/// A work item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkItem;
/// The async lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AsyncLists;
/// A counter that only grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generation;
/// A flag a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PerTask;

/// The field that holds a device's references, for the machine's klist steps.
pub const DEVICE_REFS: Field = Field(0);

macro_rules! cells {
    ($($owner:ty { $($(#[$doc:meta])* $name:ident($number:literal): $type:ty,)* })*) => {$(
        impl $owner {
            $(
                $(#[$doc])*
                #[must_use]
                pub fn $name(self) -> Cell<$type> {
                    Cell::new(self.object(), Field($number))
                }
            )*
        }
    )*};
}

/// Luis' `attach_work` of a driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttachWork(pub u8);

impl AttachWork {
    /// As an object of the machine.
    #[must_use]
    pub fn object(self) -> Object {
        Object { sort: ATTACH_WORK, index: self.0 }
    }
}

/// The `device_private` of a device: `device_add` allocates it, its error path frees it, and so does the device's
/// last put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DevicePrivate(pub u8);

impl DevicePrivate {
    /// As an object of the machine.
    #[must_use]
    pub fn object(self) -> Object {
        Object { sort: DEVICE_PRIVATE, index: self.0 }
    }
}

impl Device {
    /// Its runtime power management, for what is told of it.
    #[must_use]
    pub fn power(self) -> Object {
        Object { sort: POWER, index: self.0 }
    }

    /// Its private part.
    #[must_use]
    pub fn private(self) -> DevicePrivate {
        DevicePrivate(self.0)
    }

    /// `dev->p->async_driver`.
    #[must_use]
    pub fn async_driver(self) -> Cell<Option<Driver>> {
        self.private().async_driver()
    }

    /// `dev->p->dead`.
    #[must_use]
    pub fn dead(self) -> Cell<bool> {
        self.private().dead()
    }

    /// The klist on which `dev->p->knode_driver` is, by its driver.
    #[must_use]
    pub fn knode_driver(self) -> Cell<Option<Driver>> {
        self.private().knode_driver()
    }
}

impl Workqueue {
    /// Its worker pool.
    #[must_use]
    pub fn pool(self) -> Object {
        Object { sort: POOL, index: self.0 }
    }

    /// What is pending on it, if it is ordered.
    #[must_use]
    pub fn list(self) -> Cell<List> {
        Cell::new(self.pool(), Field(0))
    }

    /// The lock of its pool, under which that is changed.
    #[must_use]
    pub fn pool_lock(self) -> Cell<Lock> {
        Cell::new(self.pool(), Field(1))
    }

    /// What wakes its worker, if it is ordered.
    #[must_use]
    pub fn worker(self) -> Cell<WorkItem> {
        Cell::new(self.pool(), Field(2))
    }
}

/// The `driver_private` of a driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Private(pub u8);

impl Private {
    /// As an object of the machine.
    #[must_use]
    pub fn object(self) -> Object {
        Object { sort: PRIVATE, index: self.0 }
    }
}

/// The globals of dd.c and async.c.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Core;

impl Core {
    pub(super) fn object(self) -> Object {
        CORE
    }
}

cells! {
    Device {
        /// The kobject's count.
        refs(0): Count,
        /// The device lock.
        mutex(1): Lock,
        /// `dev->driver`.
        driver(2): Option<Driver>,
        /// `dev->driver_data`.
        drvdata(3): Option<Object>,
        /// `dev->async_probe` (Duyck v6).
        async_probe(5): bool,
        /// Whether `device_add` has made it ready (v7.1-rc).
        ready(7): bool,
        /// Whether the kobject is in sysfs: `device_is_registered()`.
        registered(8): bool,
        /// `dev->p`: NULL or its own.
        p(9): Option<Object>,
        /// `dev->can_match`.
        can_match(11): bool,
        /// Whether it holds its reference on its parent.
        holds_parent(12): bool,
        /// Whether it is on its parent's klist of children, which holds a reference on it.
        on_parent(13): bool,
        /// Whether `device_add` has returned 0 and `device_del` has not begun.
        added(14): bool,
        /// What its links know of its driver.
        driving(28): Driving,
        /// Whether links to it can be made: between `device_pm_add` and `device_pm_remove`.
        in_dpm_list(29): bool,
        /// `driver_override`.
        driver_override(30): Option<Override>,
        /// The spinlock of `driver_override` (v7.0).
        override_lock(33): Lock,
        /// `power.usage_count`.
        usage_count(34): u8,
        /// `power.child_count`: its children that are not suspended.
        child_count(35): u8,
        /// `power.disable_depth`.
        disable_depth(36): u8,
        /// `power.runtime_status`.
        runtime_status(37): RuntimeStatus,
        /// Whether `power.request` asks for a suspend.
        suspend_requested(38): bool,
        /// `power.request_pending`: the work item has been queued and has not begun.
        request_pending(39): bool,
        /// `power.work`.
        power_work(40): WorkItem,
        /// `power.lock`.
        power_lock(41): Lock,
        /// Whether system suspend has been through it.
        asleep(42): bool,
        /// Readers of its uevent file.
        uevent_readers(24): Count,
        /// Whether its uevent file is there.
        uevent_file(25): bool,
        /// Whether its sysfs link `driver` is there.
        driver_link(26): bool,
    }
    Driver {
        /// `drv->p`.
        p(0): Option<Object>,
        /// Whether its bind and unbind files are there.
        files(1): bool,
        /// Stores to those files that are running.
        stores(2): Count,
        /// Whether `driver_register` has returned 0 and `driver_unregister` has not begun.
        registered(3): bool,
        /// Whether its name is taken on its bus.
        name_taken(4): bool,
        /// Whether the kernel thread that attaches it runs.
        kthread(5): bool,
    }
    DevicePrivate {
        /// `async_driver`.
        async_driver(0): Option<Driver>,
        /// `dead`.
        dead(1): bool,
        /// The klist on which `knode_driver` is, by its driver.
        knode_driver(2): Option<Driver>,
    }
    Private {
        /// The kobject's count.
        refs(0): Count,
        /// The klist of devices bound to the driver.
        klist_devices(1): Klist,
        /// Luis: `priv->attach_work`.
        attach_work(2): Option<Object>,
    }
    AttachWork {
        /// The work item.
        work(0): WorkItem,
    }
    Bus {
        /// The subsystem's count.
        refs(0): Count,
        /// The klist of devices.
        klist_devices(1): Klist,
        /// The klist of drivers.
        klist_drivers(2): Klist,
    }
    Module {
        /// `mod->state`.
        state(0): u8,
    }
    Resource {
        /// Whether it is there.
        present(0): bool,
    }
    Hook {
        /// Whether it can be called.
        there(0): bool,
        /// Those who are in it.
        users(1): Count,
    }
    Cdev {
        /// Where open finds it.
        map(0): Option<Instance>,
        /// The lock under which open looks it up, and takes its reference.
        map_lock(1): Lock,
    }
    Link {
        /// Its status.
        status(0): Status,
        /// What has become of its memory, where the subject allocates it.
        life(1): u8,
        /// Its references, if calls make it: none if it is not there.
        kref(2): u8,
    }
    Workqueue {
        /// Whether it is being drained: only what runs on it may queue more.
        draining(0): bool,
        /// Counts what is queued on it, for who drains it.
        queued(1): Generation,
    }
    Instance {
        /// Its references.
        refs(0): Count,
    }
    Core {
        /// `deferred_probe_mutex`.
        deferred_probe_mutex(0): Lock,
        /// `deferred_probe_pending_list`.
        pending_list(1): List,
        /// `deferred_probe_active_list`.
        active_list(2): List,
        /// `deferred_trigger_count`.
        trigger_count(3): Generation,
        /// `driver_deferred_probe_enable`.
        enable(4): bool,
        /// `defer_all_probes`.
        defer_all_probes(5): bool,
        /// `probe_count`.
        probe_count(6): Count,
        /// The async lists.
        async_lists(7): AsyncLists,
        /// `deferred_probe_work`.
        deferred_probe_work(8): WorkItem,
        /// `PF_USED_ASYNC`.
        used_async(9): PerTask,
        /// Whether the deferred-probe timeout has not run out.
        timeout(10): bool,
        /// `device_links_lock`.
        device_links_lock(15): Lock,
    }
}

impl Link {
    /// Its memory, if calls make it.
    #[must_use]
    pub fn memory(self) -> Object {
        Object { sort: DEVICE_LINK, index: self.0 }
    }
}

impl Module {
    /// Its code, which goes with it.
    #[must_use]
    pub fn code(self) -> Object {
        Object { sort: CODE, index: self.0 }
    }

    /// Whether a request has this number.
    #[must_use]
    pub fn ticket(self, ticket: u8) -> Cell<bool> {
        Cell::new(self.object(), Field(2 + TICKETS + ticket))
    }

    /// Whether the `modprobe` that was started for this ticket runs.
    #[must_use]
    pub fn modprobe(self, ticket: u8) -> Cell<bool> {
        Cell::new(self.object(), Field(1 + ticket))
    }
}

/// Whether a device has acquired something that the driver core is to undo.
#[must_use]
pub fn acquired(dev: Device, devres: Devres) -> Cell<bool> {
    Cell::new(dev.object(), Field(192 + devres.0))
}

/// Where something of a driver is: in an instance of memory, or in an object of its own.
#[must_use]
pub fn placed<T>(home: Option<Home>, instance: Option<Instance>, own: Object) -> Cell<T> {
    match home.zip(instance) {
        Some((home, instance)) => Cell::new(instance.object(), Field(home.field)),
        None => Cell::new(own, Field(0)),
    }
}

/// The pointer by which a driver finds the memory of a device, or memory that is there once.
#[must_use]
pub fn pointer_to(memory: Memory, dev: Option<Device>) -> Cell<Option<Instance>> {
    match dev {
        Some(dev) => Cell::new(dev.object(), Field(128 + memory.0)),
        None => Cell::new(memory.object(), Field(0)),
    }
}

/// A work item.
#[must_use]
pub fn work_item(world: &World, work: Work) -> Cell<WorkItem> {
    let decl = &world.works[work.index()];
    match decl.data.zip(decl.field) {
        Some((instance, field)) => Cell::new(instance.object(), Field(field)),
        None => Cell::new(work.object(), Field(0)),
    }
}

/// What a field of an object is called after a renaming: what is owed to a driver is owed to
/// another one, and what is noted for a module for another one.
pub fn renamed_field(object: Object, field: Field, renaming: &Renaming) -> Field {
    match field.0.checked_sub(64) {
        Some(drv) if object.sort == DEVICE && drv < 64 => {
            Field(64 + renaming.object(Driver(drv).object()).index)
        }
        Some(module) if object.sort == WORK => {
            let (base, module) = (64 + module / 64 * 64, Module(module % 64));
            Field(base + renaming.object(module.object()).index)
        }
        _ => field,
    }
}

/// Lays out the memory of a world, and the bytes with which it begins.
///
/// `count`: the number of places for tasks.
pub fn lay_out(world: &World, count: u8) -> (Layout, Vec<u8>) {
    let mut layout = Layout::new();
    let loads = world.loads_modules();
    let requests = world.calls().any(|call| matches!(call, Call::RequestModule(_)));
    let mut set: Vec<(CellId, u8)> = Vec::new();
    lay_out_core(world, &mut layout, count, &mut set);
    for i in 0..world.drivers.len() as u8 {
        lay_out_driver(world, &mut layout, Driver(i), count, &mut set);
    }
    for i in 0..world.devices.len() as u8 {
        lay_out_device(world, &mut layout, Device(i), count, &mut set);
    }
    for i in 0..world.buses.len() as u8 {
        lay_out_bus(world, &mut layout, Bus(i), &mut set);
    }
    for (i, module) in world.modules.iter().enumerate() {
        let id = Module(i as u8);
        layout.immortal(id.object(), &module.name);
        layout.cell(id.state(), format!("{}.state", module.name), Kind::Int);
        if world.has_code(id) {
            layout.mortal(id.code(), format!("the code of {}", module.name), "use-after-free");
            // A module that no task loads is there.
            set.push((layout.object(id.code()).liveness.expect("internal: it is mortal"), ALIVE));
        }
        if loads {
            id.ghosts(&mut layout, &module.name, count);
        }
        for ticket in (0..TICKETS).filter(|_| requests) {
            layout.ghost(id.ticket(ticket), format!("requests of {}", module.name), Kind::Bool);
            layout.cell(id.modprobe(ticket), format!("modprobe {}", module.name), Kind::Bool);
        }
    }
    lay_out_memory(world, &mut layout, count, &mut set);
    for (i, resource) in world.resources.iter().enumerate() {
        let id = Resource(i as u8);
        layout.immortal(id.object(), &resource.name);
        let present = layout.cell(id.present(), &resource.name, Kind::Bool);
        set.push((present, u8::from(resource.initially_present)));
    }
    for (i, work) in world.works.iter().enumerate() {
        let id = Work(i as u8);
        layout.immortal(id.object(), &work.name);
        layout.cell(work_item(world, id), &work.name, Kind::Work(count));
        if !loads {
            continue;
        }
        id.ghosts(&mut layout, &work.name, count);
        for (module, index) in world.modules.iter().zip(0..) {
            let (work, by) = (&work.name, Module(index));
            layout.ghost(started(id, by), format!("{work}: queued for {}", module.name), Kind::Bool);
            layout.ghost(awaited(id, by), format!("{work}: flushed for {}", module.name), Kind::Bool);
        }
    }
    let mut memory = vec![0; layout.bytes()];
    for (cell, byte) in set {
        memory[layout.info(cell).offset] = byte;
    }
    (layout, memory)
}

/// What drivers allocate, and what lies in it or by itself; without work items.
fn lay_out_memory(world: &World, layout: &mut Layout, slots: u8, set: &mut Vec<(CellId, u8)>) {
    for (memory, i) in world.memories.iter().zip(0..) {
        let id = Memory(i);
        layout.immortal(id.object(), &memory.name);
        if !memory.per_device {
            layout.cell(pointer_to(id, None), format!("the {}", memory.name), Kind::Pointer(vec![INSTANCE]));
            continue;
        }
        for (dev, device) in (0..).map(Device).zip(&world.devices) {
            let name = format!("{} of {}", memory.name, device.name);
            layout.cell(pointer_to(id, Some(dev)), name, Kind::Pointer(vec![INSTANCE]));
        }
    }
    for (i, instance) in (0..).map(Instance).zip(&world.instances) {
        layout.mortal(i.object(), &instance.name, "use-after-free");
        let refs = layout.cell(i.refs(), format!("{}.refs", instance.name), Kind::Count);
        layout.says(refs, Says::References);
    }
    let mutexes =
        world.mutexes.iter().zip(0..).map(|(it, i)| (&it.name, it.home, Mutex(i).object(), Kind::Lock));
    let flags = world.flags.iter().zip(0..).map(|(it, i)| (&it.name, it.home, Flag(i).object(), Kind::Bool));
    let pointers = world.pointers.iter().zip(0..);
    let pointers =
        pointers.map(|(it, i)| (&it.name, it.home, Pointer(i).object(), Kind::Pointer(vec![INSTANCE])));
    let all = world.instances.len() as u8;
    let lists = world.lists.iter().zip(0..);
    let lists = lists.map(|(it, i)| (&it.name, it.home, ListId(i).object(), Kind::List(INSTANCE, all)));
    for (name, home, own, kind) in mutexes.chain(flags).chain(pointers).chain(lists) {
        layout.immortal(own, name);
        let Some(place) = home else {
            layout.cell(placed::<u8>(None, None, own), name, kind);
            continue;
        };
        let here = |(_, instance): &(Instance, &InstanceDecl)| instance.memory == place.memory;
        for (i, instance) in (0..).map(Instance).zip(&world.instances).filter(here) {
            let name = format!("{}.{name}", instance.name);
            layout.cell(placed::<u8>(home, Some(i), own), name, kind.clone());
        }
    }
    for (flag, i) in world.flags.iter().zip(0..).filter(|(flag, _)| flag.initially) {
        set.push((layout.find(placed::<bool>(flag.home, None, Flag(i).object())), 1));
    }
    for (hook, i) in (0..).map(Hook).zip(&world.hooks).map(|(i, hook)| (hook, i)) {
        layout.immortal(i.object(), &hook.name);
        layout.cell(i.there(), &hook.name, Kind::Bool);
        layout.cell(i.users(), format!("users of {}", hook.name), Kind::Count);
    }
    for (cdev, i) in (0..).map(Cdev).zip(&world.cdevs).map(|(i, cdev)| (cdev, i)) {
        layout.immortal(i.object(), &cdev.name);
        layout.cell(i.map(), format!("cdev_map: {}", cdev.name), Kind::Pointer(vec![INSTANCE]));
        layout.cell(i.map_lock(), format!("{}.lock", cdev.name), Kind::Lock);
    }
    let queues = world.queues.len() as u8;
    for (queue, i) in world.queues.iter().zip((0..).map(Workqueue)) {
        match queue.mortal() {
            true => layout.mortal(i.object(), &queue.name, "use-after-free"),
            false => layout.immortal(i.object(), &queue.name),
        }
        if !queue.allocated {
            set.extend(layout.object(i.object()).liveness.map(|liveness| (liveness, ALIVE)));
        }
        if queue.drained {
            layout.cell(i.draining(), format!("{}: draining", queue.name), Kind::Bool);
            layout.cell(i.queued(), format!("{}: queued", queue.name), Kind::Generation(WORKQUEUE, queues));
        }
        if !queue.ordered {
            continue;
        }
        layout.immortal(i.pool(), format!("the pool of {}", queue.name));
        layout.cell(i.list(), format!("{}.list", queue.name), Kind::List(WORK, world.works.len() as u8));
        layout.cell(i.pool_lock(), format!("{}.lock", queue.name), Kind::Lock);
        layout.cell(i.worker(), format!("the worker of {}", queue.name), Kind::Work(slots));
    }
    for (function, i) in world.functions.iter().zip(0..) {
        layout.immortal(Function(i).object(), &function.name);
    }
}

fn lay_out_core(world: &World, layout: &mut Layout, slots: u8, set: &mut Vec<(CellId, u8)>) {
    let devices = world.devices.len() as u8;
    layout.immortal(CORE, "driver core");
    layout.cell(Core.deferred_probe_mutex(), "deferred_probe_mutex", Kind::Lock);
    layout.cell(Core.pending_list(), "deferred_probe_pending_list", Kind::List(DEVICE, devices));
    layout.cell(Core.active_list(), "deferred_probe_active_list", Kind::List(DEVICE, devices));
    layout.cell(Core.trigger_count(), "deferred_trigger_count", Kind::Generation(DEVICE, devices));
    let enable = layout.cell(Core.enable(), "driver_deferred_probe_enable", Kind::Bool);
    set.push((enable, u8::from(world.environment.booted)));
    layout.cell(Core.defer_all_probes(), "defer_all_probes", Kind::Bool);
    layout.cell(Core.probe_count(), "probe_count", Kind::Count);
    layout.cell(Core.async_lists(), "async entries", Kind::Async(2));
    layout.cell(Core.deferred_probe_work(), "deferred_probe_work", Kind::Work(slots));
    layout.cell(Core.used_async(), "PF_USED_ASYNC", Kind::PerTask(slots));
    let timeout = layout.cell(Core.timeout(), "driver_deferred_probe_timeout", Kind::Bool);
    set.push((timeout, 1));
    if !world.links.is_empty() {
        layout.cell(Core.device_links_lock(), "device_links_lock", Kind::Lock);
    }
    for ((dev, drv), i) in world.overrides.iter().zip((0..).map(Override)) {
        let (dev, drv) = (&world.devices[dev.index()].name, &world.drivers[drv.index()].name);
        layout.mortal(i.object(), format!("the string {drv} of {dev}"), "use-after-free");
    }
    for (link, i) in world.links.iter().zip((0..).map(Link)) {
        layout.mortal(i.object(), format!("link {}", link.name), "use-after-free");
        set.extend(layout.object(i.object()).liveness.map(|liveness| (liveness, ALIVE)));
        layout.cell(i.status(), format!("link {}", link.name), Kind::Int);
        layout.ghost(i.life(), format!("the memory of link {}", link.name), Kind::Int);
        if link.by_call.is_some() {
            let kref = layout.cell(i.kref(), format!("link {}.kref", link.name), Kind::Count);
            layout.says(kref, Says::References);
            layout.mortal(i.memory(), format!("link {}", link.name), "use-after-free");
        }
    }
    Core.ghosts(layout, "", slots);
    layout.says(layout.find(Core.probing_blocked()), Says::Statement);
}

fn lay_out_driver(world: &World, layout: &mut Layout, id: Driver, slots: u8, set: &mut Vec<(CellId, u8)>) {
    let name = &world.drivers[id.index()].name;
    layout.mortal(id.object(), name, STALE_DRIVER_POINTER);
    set.push((layout.object(id.object()).liveness.expect("internal: it is mortal"), ALIVE));
    layout.cell(id.p(), format!("{name}.p"), Kind::Pointer(vec![PRIVATE]));
    layout.ghost(id.files(), format!("{name}/bind"), Kind::Bool);
    layout.ghost(id.stores(), format!("stores to {name}/bind"), Kind::Count);
    // Against the contract driver_unregister waits for less.
    let registered = if world.environment.contract_kept { "registered" } else { "on its bus" };
    let registered = layout.ghost(id.registered(), format!("{name} is {registered}"), Kind::Bool);
    let taken = layout.ghost(id.name_taken(), format!("the name {name} is taken"), Kind::Bool);
    layout.says(registered, Says::Statement);
    layout.says(taken, Says::Statement);
    if !world.environment.contract_kept {
        id.contract_ghosts(layout, name, slots);
    }
    id.ghosts(layout, name, slots);
    layout.ghost(id.kthread(), format!("kthread of {name}"), Kind::Bool);
    let private = Private(id.0);
    layout.mortal(private.object(), format!("{name}.p"), "use-after-free");
    let refs = layout.cell(private.refs(), format!("{name}.p.refs"), Kind::Count);
    layout.says(refs, Says::References);
    let holders = (0..world.devices.len() as u8).map(|i| Some(DevicePrivate(i).object())).collect();
    layout.cell(private.klist_devices(), format!("{name}.p.klist_devices"), Kind::Klist(DEVICE, holders));
    layout.cell(private.attach_work(), format!("{name}.p.attach_work"), Kind::Pointer(vec![ATTACH_WORK]));
    let attach = AttachWork(id.0);
    layout.mortal(attach.object(), format!("{name}.p.attach_work"), "use-after-free");
    layout.cell(attach.work(), format!("{name}.p.attach_work"), Kind::Work(slots));
}

fn lay_out_device(world: &World, layout: &mut Layout, id: Device, slots: u8, set: &mut Vec<(CellId, u8)>) {
    let name = &world.devices[id.index()].name;
    layout.mortal(id.object(), name, "use-after-free");
    set.push((layout.object(id.object()).liveness.expect("internal: it is mortal"), ALIVE));
    let driver = || Kind::Pointer(vec![DRIVER]);
    let refs = layout.cell(id.refs(), format!("{name}.refs"), Kind::Count);
    layout.says(refs, Says::References);
    set.push((refs, 1));
    layout.cell(id.mutex(), format!("{name}.mutex"), Kind::Lock);
    layout.cell(id.driver(), format!("{name}.driver"), driver());
    layout.cell(id.drvdata(), format!("{name}.driver_data"), Kind::Pointer(vec![DRIVER, DRVDATA]));
    layout.cell(id.async_probe(), format!("{name}.async_probe"), Kind::Bool);
    layout.cell(id.ready(), format!("{name}.ready_to_probe"), Kind::Bool);
    layout.cell(id.registered(), format!("{name}.registered"), Kind::Bool);
    layout.cell(id.p(), format!("{name}.p"), Kind::Pointer(vec![DEVICE_PRIVATE]));
    let private = id.private();
    layout.mortal(private.object(), format!("{name}.p"), "use-after-free");
    layout.part(id.object(), private.object());
    layout.cell(private.async_driver(), format!("{name}.p.async_driver"), driver());
    layout.cell(private.dead(), format!("{name}.p.dead"), Kind::Bool);
    layout.cell(private.knode_driver(), format!("{name}.p.knode_driver"), driver());
    layout.cell(id.can_match(), format!("{name}.can_match"), Kind::Bool);
    layout.cell(id.holds_parent(), format!("{name}.parent"), Kind::Bool);
    layout.cell(id.on_parent(), format!("{name}.p.knode_parent"), Kind::Bool);
    layout.cell(id.driver_link(), format!("{name}/driver"), Kind::Bool);
    if world.has_overrides(id) {
        layout.cell(id.driver_override(), format!("{name}.driver_override"), Kind::Pointer(vec![OVERRIDE]));
        layout.cell(id.override_lock(), format!("{name}.driver_override.lock"), Kind::Lock);
    }
    if world.has_runtime_pm() {
        layout.immortal(id.power(), format!("runtime PM of {name}"));
        layout.cell(id.usage_count(), format!("{name}.power.usage_count"), Kind::Count);
        layout.cell(id.child_count(), format!("{name}.power.child_count"), Kind::Count);
        let depth = layout.cell(id.disable_depth(), format!("{name}.power.disable_depth"), Kind::Count);
        set.push((depth, 1));
        layout.cell(id.runtime_status(), format!("{name}.power.runtime_status"), Kind::Int);
        layout.cell(id.suspend_requested(), format!("{name}.power.request"), Kind::Bool);
        layout.cell(id.request_pending(), format!("{name}.power.request_pending"), Kind::Bool);
        layout.cell(id.power_work(), format!("{name}.power.work"), Kind::Work(slots));
        layout.cell(id.power_lock(), format!("{name}.power.lock"), Kind::Lock);
        layout.cell(id.asleep(), format!("{name}.power.is_suspended"), Kind::Bool);
    }
    if world.has_links(id) {
        layout.cell(id.driving(), format!("{name}.links.status"), Kind::Int);
        // Firmware, and who links by hand, asks whether it is there when it may be gone.
        layout.ghost(id.in_dpm_list(), format!("{name}.power.in_dpm_list"), Kind::Bool);
    }
    if !world.environment.contract_kept {
        id.contract_ghosts(layout, name, slots);
    }
    layout.ghost(id.uevent_file(), format!("{name}/uevent"), Kind::Bool);
    layout.ghost(id.uevent_readers(), format!("readers of {name}/uevent"), Kind::Count);
    let added = layout.ghost(id.added(), format!("{name} is added"), Kind::Bool);
    layout.says(added, Says::Statement);
    id.ghosts(layout, name, slots);
    set.push((layout.find(id.created()), 1));
    for devres in world.devres_on(world.devices[id.index()].bus) {
        let name = format!("{name}: devm {}", world.devres[devres.index()].acquire.name());
        layout.cell(acquired(id, devres), name, Kind::Bool);
    }
    for (i, driver) in world.drivers.iter().enumerate() {
        if driver.bus == world.devices[id.index()].bus {
            layout.ghost(owed(id, Driver(i as u8)), format!("{name}: owed to {}", driver.name), Kind::Int);
        }
    }
}

fn lay_out_bus(world: &World, layout: &mut Layout, id: Bus, set: &mut Vec<(CellId, u8)>) {
    let name = &world.buses[id.index()].name;
    layout.immortal(id.object(), name);
    let refs = layout.cell(id.refs(), format!("{name}.refs"), Kind::Count);
    layout.says(refs, Says::References);
    set.push((refs, 1));
    let devices = (0..world.devices.len() as u8).map(|i| Some(DevicePrivate(i).object())).collect();
    layout.cell(id.klist_devices(), format!("{name}.klist_devices"), Kind::Klist(DEVICE, devices));
    let drivers = (0..world.drivers.len() as u8).map(|i| Some(Private(i).object())).collect();
    layout.cell(id.klist_drivers(), format!("{name}.klist_drivers"), Kind::Klist(DRIVER, drivers));
}
