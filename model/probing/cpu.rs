//! The processor that a subject's functions run on: the machine's, with the world of the scenario and the
//! primitives that every subject builds on.

use std::ops::Deref;

use super::events::Event;
use super::ghosts::{awaited, started};
use super::ids::{Device, Driver, Module, Work};
use super::objects::{Core, DEVICE_REFS, DRIVER, MODULE, Private, WORK, WorkItem, work_item};
use super::subject::Subject;
use super::world::{AsyncOutcome, Match, World};
use raddle_checker::atoms;
use raddle_checker::machine::cpu::{self, KlistIter, Step};
use raddle_checker::machine::layout::{Cell, CellId};
use raddle_checker::machine::op::{Action, Entry, Op};
use raddle_checker::machine::value::{Datum, Object, Obs, Observe, next_atom};

/// A kernel error that probing tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errno {
    /// `-ENODEV`, `-EIO` and every other error that only says no.
    Failed,
    /// `-EPROBE_DEFER`.
    ProbeDefer,
    /// `-EBUSY` or `-EEXIST`: it is there already.
    Busy,
}

impl Observe for Errno {
    fn record(&self, to: &mut Vec<Obs>) {
        to.push(Obs::Int(match self {
            Errno::Failed => 0,
            Errno::ProbeDefer => 1,
            Errno::Busy => 2,
        }));
    }

    fn replay(from: &mut std::slice::Iter<'_, Obs>) -> Self {
        match next_atom(from) {
            Obs::Int(0) => Errno::Failed,
            Obs::Int(1) => Errno::ProbeDefer,
            _ => Errno::Busy,
        }
    }
}

/// The functions that tasks, items and spawned tasks run, by number. A subject numbers its own from
/// [`SUBJECT`](entry::SUBJECT) on.
pub mod entry {
    /// A task of the scenario; its number.
    pub const TASK: u8 = 0;
    /// `driver_register` in the set-up; a driver.
    pub const SET_UP_DRIVER: u8 = 1;
    /// `device_add` in the set-up; a device.
    pub const SET_UP_DEVICE: u8 = 2;
    /// The deferred-probe work.
    pub const DEFERRED: u8 = 3;
    /// A driver's work item; its number.
    pub const WORK: u8 = 4;
    /// The worker of an ordered workqueue; its number.
    pub const QUEUE: u8 = 5;
    /// The work item of a device's runtime power management; the device.
    pub const POWER: u8 = 6;
    /// The first function of the subject's own.
    pub const SUBJECT: u8 = 16;
    /// `modprobe`; a module and a ticket.
    pub const MODPROBE: u8 = 200;
    /// A task without calls.
    pub const NOTHING: u8 = 201;
}

/// The async domain of everything but libnvdimm.
pub const DEFAULT_DOMAIN: u8 = 0;
/// libnvdimm's own async domain, `ASYNC_DOMAIN_EXCLUSIVE`: nothing but `nd_synchronize` waits for its entries.
pub const ND_DOMAIN: u8 = 1;

/// The processor.
#[derive(Clone, Copy)]
pub struct Cpu<'a> {
    machine: cpu::Cpu<'a>,
    world: &'a World,
    watched: Watched,
    subject: &'a dyn Subject,
    behalf: Behalf,
}

/// On whose behalf a task runs, as far as loading modules is concerned: a ghost, handed on with the arguments
/// of the entries that it starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Behalf {
    /// The modules whose init it is part of.
    modules: u64,
    /// The work item whose run it is, or whose run has scheduled it.
    work: Option<Work>,
}

impl Behalf {
    /// Of an entry: its arguments name modules and work items for nothing else, but for modprobe's first.
    fn of(entry: &Entry) -> Self {
        let mut behalf = Behalf::default();
        for arg in entry.args.iter().skip(usize::from(entry.function == entry::MODPROBE)) {
            match arg {
                Obs::Id(object) if object.sort == MODULE => behalf.modules |= 1 << object.index,
                Obs::Id(object) if object.sort == WORK => behalf.work = Some(Work(object.index)),
                _ => {}
            }
        }
        behalf
    }

    fn modules(self) -> impl Iterator<Item = Module> {
        (0..64).map(Module).filter(move |module| self.modules >> module.0 & 1 != 0)
    }

    /// As arguments of an entry.
    fn args(self) -> impl Iterator<Item = Obs> {
        self.modules().map(Datum::to_obs).chain(self.work.map(Datum::to_obs))
    }
}

/// What scenarios look at, so that steps that nobody could see are left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Watched {
    /// Some task uses a driver's bind and unbind files.
    pub bind_files: bool,
    /// Some task reads a device's uevent file.
    pub uevent: bool,
    /// Some task loads a module, and the revision looks at `PF_USED_ASYNC`.
    pub used_async: bool,
    /// Whether deferral is enabled by a task.
    pub enable: bool,
    /// Whether a task blocks probing.
    pub block: bool,
    /// Whether a task waits for probing to end.
    pub barriers: bool,
    /// Whether a task loads a module.
    pub loads: bool,
    /// Whether somebody uses runtime power management.
    pub runtime_pm: bool,
}

impl<'a> Deref for Cpu<'a> {
    type Target = cpu::Cpu<'a>;

    fn deref(&self) -> &Self::Target {
        &self.machine
    }
}

impl<'a> Cpu<'a> {
    /// The machine's processor, for this world and this subject.
    #[must_use]
    pub fn new(machine: cpu::Cpu<'a>, world: &'a World, watched: Watched, subject: &'a dyn Subject) -> Self {
        let behalf = if watched.loads { Behalf::of(machine.current()) } else { Behalf::default() };
        Cpu { machine, world, watched, subject, behalf }
    }

    /// What the scenario declares.
    #[must_use]
    pub fn world(&self) -> &'a World {
        self.world
    }

    /// The code under test.
    #[must_use]
    pub fn subject(&self) -> &'a dyn Subject {
        self.subject
    }

    /// The same processor within the init of a module.
    #[must_use]
    pub fn on_behalf_of(mut self, module: Module) -> Self {
        self.behalf.modules |= 1 << module.0;
        self
    }

    /// Those on whose behalf the current task runs, as arguments of an entry that it starts.
    pub fn behalf(&self) -> impl Iterator<Item = Obs> {
        self.behalf.args()
    }

    /// The ghosts that count the unfinished async entries scheduled on somebody's behalf.
    fn unfinished(&self) -> impl Iterator<Item = CellId> {
        let modules = self.behalf.modules().map(|module| self.cell(module.unfinished()));
        modules.chain(self.behalf.work.map(|work| self.cell(work.unfinished())))
    }

    /// Notes in each load on whose behalf this runs that it has to do with a work item.
    fn noting(&self, ghost: impl Fn(Module) -> Cell<bool>) -> Vec<Action> {
        self.behalf.modules().map(|module| self.storing(ghost(module), true)).collect()
    }

    /// Where a scenario's work item is.
    #[must_use]
    pub fn item(&self, work: Work) -> Cell<WorkItem> {
        work_item(self.world, work)
    }

    /// The same processor within the run of a work item.
    #[must_use]
    pub fn on_behalf_of_work(mut self, work: Work) -> Self {
        if self.watched.loads {
            self.behalf.work = Some(work);
        }
        self
    }

    /// The memory in which an item lies, for steps on it: an item of a workqueue is no field of it, since who flushes
    /// the workqueue looks at all its items.
    #[must_use]
    pub fn home_of(&self, work: Work) -> Vec<Action> {
        let decl = &self.world.works[work.index()];
        let home = decl.lies_in().filter(|_| decl.queue.is_some());
        home.map(|instance| Action::Touch(instance.object())).into_iter().collect()
    }

    /// The actions of [`queue`](Cpu::queue).
    #[must_use]
    pub fn queueing(&self, work: Work) -> Vec<Action> {
        let mut actions = self.home_of(work);
        actions.extend(self.noting(|module| started(work, module)));
        actions.push(Action::QueueWork(self.cell(self.item(work))));
        actions
    }

    /// `queue_work` of a scenario's work item.
    #[track_caller]
    pub fn queue(&self, work: Work) -> Step<()> {
        self.step(self.queueing(work)).map(|_| ())
    }

    /// `flush_work` of a scenario's work item.
    pub fn flush(&self, work: Work) -> Step<()> {
        let cell = self.cell(self.item(work));
        let mut actions = self.home_of(work);
        actions.extend(self.noting(|module| awaited(work, module)));
        actions.push(Action::FlushBegin(cell));
        if self.observe(actions)? {
            self.step(Action::FlushAwait(cell))?;
        }
        Ok(())
    }

    /// What somebody in this scenario looks at.
    #[must_use]
    pub fn watched(&self) -> Watched {
        self.watched
    }

    /// What the bus' match function says; it never changes.
    #[must_use]
    pub fn match_of(&self, dev: Device, drv: Driver) -> Match {
        self.world.drivers[drv.index()].matches[dev.index()]
    }

    /// The parent of a device.
    #[must_use]
    pub fn parent(&self, dev: Device) -> Option<Device> {
        self.world.devices[dev.index()].parent
    }

    /// Dereferences a driver pointer.
    #[track_caller]
    pub fn deref_driver(&self, drv: Driver) -> Step<()> {
        self.touch(drv.object())
    }

    /// `device_lock`.
    #[track_caller]
    pub fn device_lock(&self, dev: Device) -> Step<()> {
        self.lock(dev.mutex())
    }

    /// `device_unlock`.
    #[track_caller]
    pub fn device_unlock(&self, dev: Device) -> Step<()> {
        self.unlock(dev.mutex())
    }

    /// `get_device`.
    #[track_caller]
    pub fn get_device(&self, dev: Device) -> Step<()> {
        self.observe(Action::Get(self.cell(dev.refs())))
    }

    /// `put_device`. The last put frees the device, then drops its parent if it still holds it.
    pub fn put_device(&self, dev: Device) -> Step<()> {
        self.putting(dev, vec![])
    }

    /// `put_device`, in the same step as what goes before it.
    pub fn putting(&self, dev: Device, mut before: Vec<Action>) -> Step<()> {
        let Some(parent) = self.parent(dev) else {
            before.push(Action::Put(self.cell(dev.refs())));
            return self.step(before).map(|_| ());
        };
        self.call("put_device", &atoms![dev], || {
            // Whether it holds its parent is read before the step that may free it.
            let holds = self.load(dev.holds_parent())?;
            before.push(Action::Put(self.cell(dev.refs())));
            let last: bool = self.observe(before)?;
            if last && holds {
                self.put_device(parent)?;
            }
            Ok(())
        })
    }

    /// `dev->p` is followed: it is NULL once a failed `device_add` has freed it.
    pub fn private(&self, dev: Device) -> Action {
        Action::Follow(self.cell(dev.p()))
    }

    /// `drv->p` is followed: the driver must be there, the pointer not NULL.
    pub fn driver_private(&self, drv: Driver) -> [Action; 3] {
        [
            Action::Touch(drv.object()),
            Action::Follow(self.cell(drv.p())),
            Action::Touch(Private(drv.0).object()),
        ]
    }

    /// Drops what the walk of a bus' devices still owes: the reference of a node that died under it.
    pub fn put_walked(&self, left: KlistIter, iter: KlistIter) -> Step<()> {
        match left.node() {
            Some(node) if iter.died() => self.put_device(Device(node)),
            _ => Ok(()),
        }
    }

    /// A klist's member, with a reference on it, if it is there.
    #[track_caller]
    pub fn find_device(&self, dev: Device) -> Step<bool> {
        let bus = self.world.devices[dev.index()].bus;
        self.observe(Action::KlistFind(self.cell(bus.klist_devices()), dev.object(), DEVICE_REFS))
    }

    /// `async_schedule`: queues the entry, or runs its function here (no memory, over `MAX_WORK`).
    ///
    /// `inline` runs the function.
    pub fn async_schedule(
        &self,
        domain: u8,
        function: u8,
        args: &[Obs],
        inline: impl FnOnce() -> Step<()>,
    ) -> Step<()> {
        let outcomes = &self.world.environment.async_schedule;
        match outcomes[self.choose(outcomes.len())?] {
            AsyncOutcome::Queued => {
                let args = args.iter().copied().chain(self.behalf()).collect();
                let entry = Entry { function, args };
                let mut actions: Vec<Action> = self.unfinished().map(Action::Get).collect();
                if self.watched.used_async {
                    actions.push(Action::SetOwn(self.cell(Core.used_async()), true));
                }
                // A barrier must know which entries there are.
                let covered = self.watched.barriers && domain == DEFAULT_DOMAIN;
                let mark = covered.then(|| self.cell(Core.entries()));
                let lists = self.cell(Core.async_lists());
                actions.push(Action::AsyncSchedule { lists, domain, entry, mark });
                self.step(actions).map(|_| ())
            }
            AsyncOutcome::Inline => inline(),
        }
    }

    /// `async_synchronize_full`: until the global list is empty. Exclusive domains are not on it.
    #[track_caller]
    pub fn async_synchronize_full(&self) -> Step<()> {
        self.step(self.global_list_empty()).map(|_| ())
    }

    /// The step of [`async_synchronize_full`](Cpu::async_synchronize_full), for steps that tell more.
    #[must_use]
    pub fn global_list_empty(&self) -> Action {
        Action::AsyncAwait(self.cell(Core.async_lists()), Some(DEFAULT_DOMAIN))
    }

    /// `current_is_async`: whether the current worker runs an async entry.
    #[must_use]
    pub fn current_is_async(&self) -> bool {
        self.subject.domain(self.current().function).is_some()
    }

    /// The driver that the current async entry was scheduled for, if it is one for this device: a ghost. The
    /// arguments of such an entry are the device and the driver.
    #[must_use]
    pub fn scheduled_for(&self, dev: Device) -> Option<Driver> {
        match self.current().args[..] {
            [of, Obs::Id(drv), ..] if self.current_is_async() && of == dev.to_obs() && drv.sort == DRIVER => {
                Some(Driver(drv.index))
            }
            _ => None,
        }
    }

    /// The end of an async entry: it leaves the lists.
    pub fn async_end(&self, domain: u8) -> Step<()> {
        let mut actions: Vec<Action> = self.unfinished().map(Action::Dec).collect();
        actions.push(Action::AsyncEnd(self.cell(Core.async_lists()), domain));
        self.step(actions).map(|_| ())
    }

    /// An op that tells the checks of an event.
    pub fn telling(&self, op: impl Into<Op>, event: Event) -> Op {
        op.into().telling(event)
    }

    /// Tells the checks of an event, as a step of its own.
    #[track_caller]
    pub fn tell(&self, about: Object, event: Event) -> Step<()> {
        self.step(self.telling(Action::Touch(about), event)).map(|_| ())
    }

    /// A kernel warning: the task goes on.
    #[track_caller]
    pub fn warn(&self, about: Object) -> Step<()> {
        self.tell(about, Event::Warn(about))
    }

    /// The `deferred_probe_mutex`, for steps that are wholly under it.
    #[must_use]
    pub fn deferred_probe_mutex(&self) -> CellId {
        self.cell(Core.deferred_probe_mutex())
    }
}
