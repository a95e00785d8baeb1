//! What a scenario declares, resolved: plain data that the scenario parser fills in and the
//! program over the driver core is built from.
//!
//! Follows docs/scenarios.md, the tables of a file and the calls. Every name has been resolved to
//! an id, every default filled in. Nothing here knows text, lines or columns.

use super::call::Call;
use super::ids::{
    Bus, Cdev, Device, Devres, Driver, Hook, Instance, Link, Memory, Module, Override, TaskId, Work,
    Workqueue,
};

/// Everything a scenario declares, in the file's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct World {
    /// Buses; index 0 is always `platform`.
    pub buses: Vec<BusDecl>,
    /// Devices.
    pub devices: Vec<DeviceDecl>,
    /// Drivers.
    pub drivers: Vec<DriverDecl>,
    /// Modules: the declared ones, then those implied by drivers.
    pub modules: Vec<ModuleDecl>,
    /// Resources that drivers provide and require.
    pub resources: Vec<ResourceDecl>,
    /// Memory that drivers allocate.
    pub memories: Vec<MemoryDecl>,
    /// Its instances: those of one memory follow each other, those of one owner too.
    pub instances: Vec<InstanceDecl>,
    /// Mutexes of drivers and tasks.
    pub mutexes: Vec<MutexDecl>,
    /// Flags of drivers and tasks.
    pub flags: Vec<FlagDecl>,
    /// Pointers to instances of memory.
    pub pointers: Vec<PointerDecl>,
    /// Lists of instances of memory.
    pub lists: Vec<ListDecl>,
    /// Functions that bodies call.
    pub functions: Vec<FunctionDecl>,
    /// Sysfs attributes and notifiers (`[attribute.*]`, `[notifier.*]`), one for each device that has one.
    pub hooks: Vec<HookDecl>,
    /// Character devices, one for each device that has one.
    pub cdevs: Vec<CdevDecl>,
    /// The strings that calls write to the `driver_override` of devices: the device, and the driver that it names.
    pub overrides: Vec<(Device, Driver)>,
    /// Device links.
    pub links: Vec<LinkDecl>,
    /// Workqueues, one for each device that has one, or one for all.
    pub queues: Vec<QueueDecl>,
    /// What drivers acquire with calls that begin with `devm-`, in their order.
    pub devres: Vec<DevresDecl>,
    /// Work items, timers and interrupts (`[work.*]`, `[timer.*]`, `[irq.*]`), one for each instance of the
    /// memory that they lie in or are given.
    pub works: Vec<WorkDecl>,
    /// Tasks.
    pub tasks: Vec<TaskDecl>,
    /// The environment's freedom.
    pub environment: Environment,
}

impl World {
    /// All calls, of tasks, functions, work items and callbacks.
    pub fn calls(&self) -> impl Iterator<Item = &Call> {
        let tasks = self.tasks.iter().flat_map(|task| &task.run);
        let functions = self.functions.iter().flat_map(|function| &function.run);
        let releases = self.memories.iter().flat_map(|memory| memory.release.iter().flatten());
        let works = self.works.iter().flat_map(|work| &work.run);
        let bodies = self.drivers.iter().flat_map(|driver| driver.bodies().into_iter().flatten());
        let hooks = self.hooks.iter().flat_map(|hook| hook.bodies.iter().flatten());
        let files = self.cdevs.iter().flat_map(|cdev| cdev.bodies().into_iter().flatten());
        let modules = self.modules.iter().flat_map(|module| module.init.iter().chain(&module.exit));
        let bodies = bodies.chain(hooks).chain(files).chain(modules);
        let devres = self.devres.iter().flat_map(|devres| [&devres.acquire, &devres.undo]);
        tasks.chain(functions).chain(releases).chain(works).chain(bodies).chain(devres)
    }

    /// What a driver acquires with calls that begin with `devm-`, in their order.
    pub fn devres_of(&self, drv: Driver) -> impl DoubleEndedIterator<Item = Devres> {
        let ids = (0..self.devres.len() as u8).map(Devres);
        ids.filter(move |id| self.devres[id.index()].drv == drv)
    }

    /// What each device may acquire for the driver core to undo.
    pub fn acquisitions(&self) -> impl Iterator<Item = (Device, Devres)> {
        let of = |dev: Device| self.devres_on(self.devices[dev.index()].bus).map(move |devres| (dev, devres));
        (0..self.devices.len() as u8).map(Device).flat_map(of)
    }

    /// What drivers of a bus acquire with calls that begin with `devm-`, in their order.
    pub fn devres_on(&self, bus: Bus) -> impl DoubleEndedIterator<Item = Devres> {
        let ids = (0..self.devres.len() as u8).map(Devres);
        ids.filter(move |id| self.drivers[self.devres[id.index()].drv.index()].bus == bus)
    }

    /// The instances of some memory that belong to one device, or the only ones.
    pub fn instances_of(&self, memory: Memory, dev: Option<Device>) -> impl Iterator<Item = Instance> {
        let ids = (0..self.instances.len() as u8).map(Instance);
        ids.filter(move |id| {
            let decl = &self.instances[id.index()];
            (decl.memory, decl.dev) == (memory, dev)
        })
    }

    /// The hook of a device, by the first one that is declared with it.
    ///
    /// # Panics
    ///
    /// If there is none, which is our own mistake.
    #[must_use]
    pub fn hook_of(&self, first: Hook, dev: Option<Device>) -> Hook {
        let all = (first.0..self.hooks.len() as u8).map(Hook);
        let of = |hook: &Hook| (self.hooks[hook.index()].first, self.hooks[hook.index()].dev) == (first, dev);
        all.into_iter().find(of).expect("internal: there is a hook for each device")
    }

    /// The character device of a device, by the first one that is declared with it.
    ///
    /// # Panics
    ///
    /// If there is none, which is our own mistake.
    #[must_use]
    pub fn cdev_of(&self, first: Cdev, dev: Option<Device>) -> Cdev {
        let all = (first.0..self.cdevs.len() as u8).map(Cdev);
        let of = |cdev: &Cdev| (self.cdevs[cdev.index()].first, self.cdevs[cdev.index()].dev) == (first, dev);
        all.into_iter().find(of).expect("internal: there is a character device for each device")
    }

    /// The work item of an instance, by the first one that is declared with it.
    ///
    /// # Panics
    ///
    /// If there is none, which is our own mistake.
    #[must_use]
    pub fn work_of(&self, first: Work, instance: Option<Instance>) -> Work {
        let all = (first.0..self.works.len() as u8).map(Work);
        let of = |work: &Work| {
            let decl = &self.works[work.index()];
            decl.first == first && decl.data == instance
        };
        all.into_iter().find(of).expect("internal: there is a work item for each instance")
    }

    /// Whether the `driver_override` of a device is ever set.
    #[must_use]
    pub fn has_overrides(&self, dev: Device) -> bool {
        self.overrides.iter().any(|(of, _)| *of == dev)
    }

    /// The string in a device's `driver_override` that names a driver.
    #[must_use]
    pub fn override_of(&self, dev: Device, drv: Driver) -> Option<Override> {
        self.overrides.iter().position(|pair| *pair == (dev, drv)).map(|at| Override(at as u8))
    }

    /// The links of a device to its suppliers.
    pub fn suppliers(&self, dev: Device) -> impl Iterator<Item = Link> {
        let links = (0..).map(Link).zip(&self.links);
        links.filter(move |(_, decl)| decl.consumer == dev).map(|(link, _)| link)
    }

    /// The links of a device to its consumers.
    pub fn consumers(&self, dev: Device) -> impl Iterator<Item = Link> {
        let links = (0..).map(Link).zip(&self.links);
        links.filter(move |(_, decl)| decl.supplier == dev).map(|(link, _)| link)
    }

    /// Whether a device has links.
    #[must_use]
    pub fn has_links(&self, dev: Device) -> bool {
        self.links.iter().any(|decl| [decl.consumer, decl.supplier].contains(&dev))
    }

    /// The workqueue of a device, by the first one that is declared with it.
    ///
    /// # Panics
    ///
    /// If there is none, which is our own mistake.
    #[must_use]
    pub fn queue_of(&self, first: Workqueue, dev: Option<Device>) -> Workqueue {
        let all = (first.0..self.queues.len() as u8).map(Workqueue);
        let of = |queue: &Workqueue| {
            (self.queues[queue.index()].first, self.queues[queue.index()].dev) == (first, dev)
        };
        all.into_iter().find(of).expect("internal: there is a workqueue for each device")
    }

    /// The items of a workqueue.
    pub fn items_of(&self, queue: Workqueue) -> impl Iterator<Item = Work> {
        let works = (0..).map(Work).zip(&self.works);
        works.filter(move |(_, decl)| decl.queue == Some(queue)).map(|(work, _)| work)
    }

    /// The ordered workqueue on which an item is.
    #[must_use]
    pub fn ordered(&self, work: Work) -> Option<Workqueue> {
        self.works[work.index()].queue.filter(|queue| self.queues[queue.index()].ordered)
    }

    /// Whether the code of a module is told of: somebody may run it after the module has gone.
    #[must_use]
    pub fn has_code(&self, module: Module) -> bool {
        self.works.iter().any(|work| work.module == Some(module))
    }

    /// Whether some call is of runtime power management: without one it is disabled for every device.
    #[must_use]
    pub fn has_runtime_pm(&self) -> bool {
        self.calls().any(|call| call.is_runtime_pm())
    }

    /// Whether a module is loaded by some call.
    #[must_use]
    pub fn loads_modules(&self) -> bool {
        self.calls().any(|call| matches!(call, Call::LoadModule(_) | Call::RequestModule(_)))
    }
}

/// A bus type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusDecl {
    /// Its name.
    pub name: String,
    /// `need_parent_lock` of `struct bus_type` (8c97a46af04b, v4.18).
    pub need_parent_lock: bool,
    /// `drivers_autoprobe`.
    pub autoprobe: bool,
}

/// What a device is when the tasks start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Initially {
    /// Not on its bus yet.
    Absent,
    /// `device_add` has returned 0.
    Added,
    /// Added, and bound to this driver.
    Bound(Driver),
}

/// An outcome of `device_add`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddOutcome {
    /// It returns 0.
    Ok,
    /// It fails before the device is on its bus' klist.
    FailsBeforeKlist,
    /// It fails after the device was on its bus' klist.
    FailsAfterKlist,
}

/// A device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceDecl {
    /// Its name.
    pub name: String,
    /// Its bus.
    pub bus: Bus,
    /// Its parent device.
    pub parent: Option<Device>,
    /// Its state when the tasks start.
    pub initially: Initially,
    /// Outcomes of `device_add` to enumerate, never empty.
    pub add: Vec<AddOutcome>,
}

/// `probe_type` of `struct device_driver` (765230b5f084, v4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeType {
    /// `PROBE_DEFAULT_STRATEGY`.
    Default,
    /// `PROBE_PREFER_ASYNCHRONOUS`.
    PreferAsynchronous,
    /// `PROBE_FORCE_SYNCHRONOUS`.
    ForceSynchronous,
}

/// What the bus' match function says of a device and a driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// Zero.
    No,
    /// Positive.
    Yes,
    /// `-EPROBE_DEFER`.
    Defer,
    /// Any other negative value.
    Error,
}

/// A driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriverDecl {
    /// Its name.
    pub name: String,
    /// Its bus.
    pub bus: Bus,
    /// The module that holds its memory.
    pub module: Module,
    /// What it asks for.
    pub probe_type: ProbeType,
    /// `initially = "registered"`.
    pub initially_registered: bool,
    /// One entry a device, in the order of [`World::devices`]; [`Match::No`] for devices of other buses.
    pub matches: Vec<Match>,
    /// The probe callback.
    pub probe: ProbeBody,
    /// The remove callback.
    pub remove: Vec<Call>,
    /// The callback of system suspend.
    pub suspend: Vec<Call>,
    /// The callback of system resume.
    pub resume: Vec<Call>,
    /// The callback of runtime suspend.
    pub runtime_suspend: Vec<Call>,
    /// The callback of runtime resume.
    pub runtime_resume: Vec<Call>,
}

impl DriverDecl {
    /// All that it does.
    #[must_use]
    pub fn bodies(&self) -> [&Vec<Call>; 7] {
        let DriverDecl { probe, remove, suspend, resume, runtime_suspend, runtime_resume, .. } = self;
        [&probe.run, &probe.unwind, remove, suspend, resume, runtime_suspend, runtime_resume]
    }
}

/// A probe callback: calls, then one of several outcomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeBody {
    /// What it does.
    pub run: Vec<Call>,
    /// What it may return, never empty.
    pub outcomes: Vec<ProbeOutcome>,
    /// Whether each of its calls that acquire something may fail, which ends it.
    pub fails: bool,
    /// What its error path does: of it as many calls from the end as it has acquired things by hand.
    pub unwind: Vec<Call>,
}

/// What a probe callback may return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeOutcome {
    /// 0.
    Ok,
    /// `-ENODEV`.
    Enodev,
    /// `-EPROBE_DEFER`.
    ProbeDefer,
    /// `-EIO`.
    Eio,
}

/// A module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleDecl {
    /// Its name.
    pub name: String,
    /// The module parameter `async_probe`.
    pub async_probe: bool,
    /// `MODULE_SOFTDEP("pre: ...")`: modules that are loaded first.
    pub softdep_pre: Vec<Module>,
    /// What its init does before it registers its drivers.
    pub init: Vec<Call>,
    /// What its exit does after it has unregistered them.
    pub exit: Vec<Call>,
}

/// A resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceDecl {
    /// Its name.
    pub name: String,
    /// Whether it is there when the tasks start.
    pub initially_present: bool,
}

/// Memory that drivers allocate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryDecl {
    /// Its name.
    pub name: String,
    /// Whether each device has its own.
    pub per_device: bool,
    /// What the last `put` does; `None`: it frees it.
    pub release: Option<Vec<Call>>,
}

/// One allocation of memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceDecl {
    /// What is told of it.
    pub name: String,
    /// Which memory.
    pub memory: Memory,
    /// Whose it is.
    pub dev: Option<Device>,
    /// How many allocations its owner can have made before.
    pub earlier: u8,
}

/// Where something lies in memory: in each instance it is a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Home {
    /// The memory.
    pub memory: Memory,
    /// The field.
    pub field: u8,
}

/// A mutex.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MutexDecl {
    /// Its name.
    pub name: String,
    /// The memory in which it lies.
    pub home: Option<Home>,
}

/// A flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlagDecl {
    /// Its name.
    pub name: String,
    /// The memory in which it lies.
    pub home: Option<Home>,
    /// Whether it is set when the tasks start; in memory it is not.
    pub initially: bool,
}

/// A pointer to an instance of memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PointerDecl {
    /// Its name.
    pub name: String,
    /// The memory in which it lies.
    pub home: Option<Home>,
    /// The memory that it points to.
    pub to: Memory,
}

/// A list of instances of memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListDecl {
    /// Its name.
    pub name: String,
    /// The memory in which its head lies.
    pub home: Option<Home>,
    /// What is on it.
    pub of: Memory,
}

/// A function that bodies call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionDecl {
    /// Its name.
    pub name: String,
    /// The memory of which it is given an instance.
    pub given: Option<Memory>,
    /// What it does.
    pub run: Vec<Call>,
}

/// Who creates a hook and removes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// The driver, by calls.
    ByHand,
    /// `device_add` and `device_del`.
    Device,
    /// The driver core, before and after it is bound (`dev_groups`, v5.4 on).
    Bound,
}

/// What is called from outside while it is there, and whose removal waits for those who are in it: a sysfs
/// attribute or a notifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookDecl {
    /// Its name.
    pub name: String,
    /// The first of those that are declared together, one for each device.
    pub first: Hook,
    /// Whose it is.
    pub dev: Option<Device>,
    /// Who creates and removes it.
    pub group: Group,
    /// What it does: of an attribute its show and its store.
    pub bodies: Vec<Vec<Call>>,
}

/// A character device that lies in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CdevDecl {
    /// Its name.
    pub name: String,
    /// The first of those that are declared together, one for each device.
    pub first: Cdev,
    /// Whose it is.
    pub dev: Option<Device>,
    /// The memory in which it lies.
    pub memory: Memory,
    /// Whether it holds a reference on that memory, and so do its open files.
    pub holds: bool,
    /// What open does.
    pub open: Vec<Call>,
    /// What read, write and ioctl do.
    pub ioctl: Vec<Call>,
    /// What the last close does.
    pub release: Vec<Call>,
}

impl CdevDecl {
    /// What it does.
    #[must_use]
    pub fn bodies(&self) -> [&Vec<Call>; 3] {
        [&self.open, &self.ioctl, &self.release]
    }
}

/// Something that a probe acquires and the driver core undoes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DevresDecl {
    /// Whose probe it is.
    pub drv: Driver,
    /// How it is acquired.
    pub acquire: Call,
    /// How it is undone.
    pub undo: Call,
}

/// A device link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkDecl {
    /// Its name, as in sysfs.
    pub name: String,
    /// Who needs the other.
    pub consumer: Device,
    /// Who must be bound first.
    pub supplier: Device,
    /// If calls make it and drop it (`[link.*]`), with which flags; else it is declared.
    pub by_call: Option<LinkFlags>,
}

/// Flags of a device link that a call makes: `DL_FLAG_*`. Without [`stateless`](LinkFlags::stateless) it is managed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkFlags {
    /// It says nothing of probing, and its references are counted.
    pub stateless: bool,
    /// It goes when its consumer is unbound.
    pub autoremove_consumer: bool,
    /// It goes when its supplier is unbound.
    pub autoremove_supplier: bool,
    /// Its consumer is probed again when its supplier is bound.
    pub autoprobe_consumer: bool,
}

/// A workqueue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueDecl {
    /// Its name.
    pub name: String,
    /// The first of those that are declared together, one for each device.
    pub first: Workqueue,
    /// Whose it is.
    pub dev: Option<Device>,
    /// Whether it runs one item at a time, in the order in which they were queued.
    pub ordered: bool,
    /// Whether some call allocates it; else it is there from the start.
    pub allocated: bool,
    /// Whether some call destroys it.
    pub destroyed: bool,
    /// Whether some call waits until it is empty.
    pub drained: bool,
}

impl QueueDecl {
    /// Whether it is not always there.
    #[must_use]
    pub fn mortal(&self) -> bool {
        self.allocated || self.destroyed
    }
}

/// What makes a work item run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkKind {
    /// A workqueue.
    Work,
    /// A timer.
    Timer,
    /// A device.
    Irq,
}

/// A work item, a timer or an interrupt of a driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkDecl {
    /// Its name.
    pub name: String,
    /// What makes it run.
    pub kind: WorkKind,
    /// The first of those that are declared together, one for each instance of memory.
    pub first: Work,
    /// The instance that its function is given.
    pub data: Option<Instance>,
    /// The field of that instance in which it lies.
    pub field: Option<u8>,
    /// The workqueue on which it is queued, if the scenario declares that.
    pub queue: Option<Workqueue>,
    /// Whether queueing it arms a timer, which puts it on its workqueue.
    pub delayed: bool,
    /// How often its function runs at the most.
    pub runs: Option<u8>,
    /// The module that has the code of its function.
    pub module: Option<Module>,
    /// What its function does.
    pub run: Vec<Call>,
}

impl WorkDecl {
    /// The memory in which it lies.
    #[must_use]
    pub fn lies_in(&self) -> Option<Instance> {
        self.data.filter(|_| self.kind != WorkKind::Irq)
    }
}

/// A task of the scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskDecl {
    /// Its name.
    pub name: String,
    /// It starts when these have ended.
    pub after: Vec<TaskId>,
    /// Its calls, in order.
    pub run: Vec<Call>,
}

/// An outcome of `async_schedule`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AsyncOutcome {
    /// An entry is queued.
    Queued,
    /// No memory, or over `MAX_WORK`: the function runs in its caller.
    Inline,
}

/// `[environment]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// Outcomes of `async_schedule` to enumerate, never empty.
    pub async_schedule: Vec<AsyncOutcome>,
    /// Whether `deferred_probe_initcall` has run.
    pub booted: bool,
    /// Whether the callers keep the driver core's contract (docs/scenarios.md#the-contract).
    pub contract_kept: bool,
    /// Async entries that may be scheduled and unfinished at once.
    pub workers: u8,
    /// Only checked by the documented slow command.
    pub slow: bool,
}
