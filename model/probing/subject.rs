//! The code under test, as raddle sees it: what stands behind the calls of a scenario.
//!
//! A subject is the driver core in some form, such as a model written by hand or the kernel's own C,
//! interpreted. Its functions run on [`Cpu`], tell the checks of [events](crate::events), and call
//! the drivers of the scenario by [`body`](crate::body).

use super::at::At;
use super::call::KernelCall;
use super::calls;
use super::cpu::{Cpu, Errno};
use super::ids::{Device, Devres, Driver, Module};
use super::module::{self, InitWaits};
use super::objects::{WorkItem, acquired};
use super::sources::Sources;
use super::world::World;
use raddle_checker::machine::cpu::Step;
use raddle_checker::machine::layout::{Cell, Layout};
use raddle_checker::machine::op::Entry;
use raddle_checker::machine::place::{Place, SourceLine};
use raddle_checker::machine::program::Call;
use raddle_checker::machine::value::Object;

/// A work item with a worker of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// What the worker is called.
    pub name: String,
    /// What it runs each time that it takes the item off the queue.
    pub entry: Entry,
    /// The item.
    pub work: Cell<WorkItem>,
    /// Whom a wait for probing names that misses a run of the item, if the item probes devices.
    pub attaches: Option<Object>,
    /// What must be there when a worker takes it.
    pub needs: Vec<Object>,
    /// How often it runs at the most.
    pub runs: Option<u8>,
    /// Whether it is queued again at the end of each run, unless it is disabled.
    pub again: bool,
}

/// The code under test.
pub trait Subject: Send + Sync {
    /// When `load_module` waits for async work after a module's init.
    fn init_waits(&self) -> InitWaits;

    /// `driver_register`.
    ///
    /// # Errors
    ///
    /// [`Pause`](raddle_checker::machine::cpu::Pause) if the engine ends the task; so for all functions here.
    fn driver_register(&self, cpu: &Cpu<'_>, drv: Driver) -> Step<Result<(), Errno>>;

    /// `driver_unregister`.
    fn driver_unregister(&self, cpu: &Cpu<'_>, drv: Driver) -> Step<()>;

    /// `device_add`.
    fn device_add(&self, cpu: &Cpu<'_>, dev: Device) -> Step<Result<(), Errno>>;

    /// `deferred_probe_work_func`.
    fn deferred_probe_work(&self, cpu: &Cpu<'_>) -> Step<()>;

    /// Makes a call of a scenario. `of`: the driver whose code makes it, if it is one's.
    fn call(&self, cpu: &Cpu<'_>, call: KernelCall<Device>, of: Option<Driver>) -> Step<()>;

    /// `do_init_module`, for a module whose state has become COMING.
    fn do_init_module(&self, cpu: &Cpu<'_>, module: Module) -> Step<()> {
        module::do_init_module(cpu, module)
    }

    /// `delete_module`.
    fn delete_module(&self, cpu: &Cpu<'_>, module: Module) -> Step<()> {
        module::delete_module(cpu, module)
    }

    /// `devres_add`: a device's probe has acquired something that the driver core is to undo. One without a list keeps a
    /// flag for each.
    fn devres_add(&self, cpu: &Cpu<'_>, dev: Device, devres: Devres) -> Step<()> {
        cpu.store(acquired(dev, devres), true)
    }

    /// `devres_release`: it is undone by the driver, if it is still there.
    fn devres_release(&self, cpu: &Cpu<'_>, dev: Device, devres: Devres, at: &mut At) -> Step<()> {
        calls::devres_release(cpu, dev, devres, at)
    }

    /// Runs an entry of the subject's own: that of a spawned task, or of one of its items.
    fn run(&self, cpu: &Cpu<'_>, entry: &Entry) -> Step<()>;

    /// The async domain of the entries that run this function, if they are async entries.
    fn domain(&self, function: u8) -> Option<u8>;

    /// The work items of the subject's own.
    fn items(&self, _world: &World) -> Vec<Item> {
        Vec::new()
    }

    /// Adds cells of the subject's own, and marks those that it reads and writes as a whole.
    fn lay_out(&self, _world: &World, _layout: &mut Layout) {}

    /// Whether stacks show a function: a subject may share it with others where theirs is inlined.
    fn shows(&self, _function: &str) -> bool {
        true
    }

    /// What the outcome of a choice of the subject's own means.
    fn outcome(&self, _call: &Call, _outcome: usize) -> Option<&'static str> {
        None
    }

    /// The rules in force, if the subject has any: what each is called, and its value.
    fn rules(&self) -> Vec<(&'static str, &'static str)> {
        Vec::new()
    }

    /// The source of the subject's functions, if they are Rust.
    fn sources(&self) -> Option<&'static Sources> {
        None
    }

    /// What stands on a line of the source that a step is made at, if the subject is a text.
    fn source_line(&self, _at: Place) -> Option<SourceLine> {
        None
    }

    /// What a spawned task is called, if not `kworker (async)`. `name`: the name of an object.
    fn role(&self, _entry: &Entry, _name: &dyn Fn(Object) -> String) -> Option<String> {
        None
    }
}
