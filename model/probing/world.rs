//! What a scenario declares, resolved: plain data that the scenario parser fills in and the
//! program over the driver core is built from.
//!
//! Follows docs/scenarios.md, the tables of a file and the calls. Every name has been resolved to
//! an id, every default filled in. Nothing here knows text, lines or columns.

use super::call::Call;
use super::ids::{Bus, Device, Driver, Module, TaskId};

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
    /// Mutexes of drivers and tasks.
    pub mutexes: Vec<MutexDecl>,
    /// Work items of drivers (`[work.*]`).
    pub works: Vec<WorkDecl>,
    /// Tasks.
    pub tasks: Vec<TaskDecl>,
    /// The environment's freedom.
    pub environment: Environment,
}

impl World {
    /// All calls, of tasks, work items and callbacks.
    pub fn calls(&self) -> impl Iterator<Item = &Call> {
        let tasks = self.tasks.iter().flat_map(|task| &task.run);
        let works = self.works.iter().flat_map(|work| &work.run);
        let bodies = self.drivers.iter().flat_map(|driver| driver.probe.run.iter().chain(&driver.remove));
        tasks.chain(works).chain(bodies)
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
}

/// A probe callback: calls, then one of several outcomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeBody {
    /// What it does.
    pub run: Vec<Call>,
    /// What it may return, never empty.
    pub outcomes: Vec<ProbeOutcome>,
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
}

/// A resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceDecl {
    /// Its name.
    pub name: String,
    /// Whether it is there when the tasks start.
    pub initially_present: bool,
}

/// A mutex.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MutexDecl {
    /// Its name.
    pub name: String,
}

/// A work item of a driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkDecl {
    /// Its name.
    pub name: String,
    /// What its function does.
    pub run: Vec<Call>,
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
