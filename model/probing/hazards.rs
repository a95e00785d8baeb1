//! The hazards of probing: their ids, and in which ways each can come about.
//!
//! A new way needs its row in [`Breach`] and its arm in [`Breach::hazard`], a new id also its row in
//! `PROPERTIES`.

use super::ids::{Device, Driver, Module, Resource, Work};
use super::objects::{DEVICE_LINK, DRIVER, LINK, MODULE, POWER, STALE_DRIVER_POINTER, WORKQUEUE};
use super::properties::Checks;
use super::world::Match;
use raddle_checker::machine::hazard::{self, About, Blame, Hazard, Property, Told, id as any, property};
use raddle_checker::machine::layout::CellId;
use raddle_checker::machine::value::Object;

/// Hazard ids of probing, besides those that any program can have.
pub mod id {
    /// Probe observes in drvdata what the core stashed there, or foreign drvdata is taken for a driver.
    pub const DRVDATA_STASH: &str = "drvdata-stash";
    /// Probe or remove is called for a driver that is not the one.
    pub const WRONG_DRIVER: &str = "wrong-driver";
    /// A device is bound, or deferred, after it was removed.
    pub const ZOMBIE_BIND: &str = "zombie-bind";
    /// A probe that is owed never happens.
    pub const LOST_PROBE: &str = "lost-probe";
    /// A wait for probing returns too early.
    pub const MISSED_BARRIER: &str = "missed-barrier";
    /// A driver leaves memory behind.
    pub const MEMORY_LEAK: &str = "memory-leak";
}

/// The hazards of probing, and those of any program that mean more here.
const PROPERTIES: &[Property] = &[
    property(any::DOUBLE_OPERATION, "probe without remove, unregister twice, a list node added twice"),
    property(
        id::DRVDATA_STASH,
        "probe or bus code observes in drvdata what the core stashed there, or foreign drvdata is taken for a driver",
    ),
    property(
        id::LOST_PROBE,
        "at quiescence a device is unbound and a probe of it by a registered, matching driver is owed",
    ),
    property(id::MEMORY_LEAK, "at quiescence memory of a device that is not bound is still allocated"),
    property(id::MISSED_BARRIER, "a wait for probing returns while probing that it covers has still to end"),
    property(
        STALE_DRIVER_POINTER,
        "a driver pointer is dereferenced after that driver was unregistered or its memory freed",
    ),
    property(any::USE_AFTER_FREE, "an object other than a driver is used after it was freed"),
    property(any::WARNING, "a WARN_ON of the kernel"),
    property(
        id::WRONG_DRIVER,
        "probe or remove is called for a driver that does not match, or was not scheduled or named",
    ),
    property(
        id::ZOMBIE_BIND,
        "a device is bound or deferred after device_del has passed the step that prevents it",
    ),
];

/// All hazards, by id.
#[must_use]
pub fn properties() -> Vec<Property> {
    let own = |property: &&Property| !PROPERTIES.iter().any(|own| own.id == property.id);
    let mut all: Vec<Property> = hazard::PROPERTIES.iter().filter(own).chain(PROPERTIES).copied().collect();
    all.sort_unstable_by_key(|property| property.id);
    all
}

/// How a property of probing is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breach {
    /// The kernel warns about an object.
    Warns(Object),
    /// A probe is called for a device that its driver does not match.
    ProbesWithoutMatch(Device, Driver),
    /// A probe is called by an async entry that was scheduled for the last driver.
    ProbesForAnother(Device, Driver, Driver),
    /// A probe is called for a device that has been probed and not removed.
    ProbesTwice(Device, Driver),
    /// A probe is called while probing is blocked.
    ProbesWhileBlocked(Device, Driver),
    /// A remove is called, but the last driver was named.
    RemovesAnother(Device, Driver, Driver),
    /// A remove is called for a device that the driver has not probed.
    RemovesUnprobed(Device, Driver),
    /// A device is bound after `device_del` has unbound it.
    BoundAfterRelease(Device),
    /// A device is deferred after `device_del` has taken it off the deferred lists.
    DeferredAfterDel(Device),
    /// `dev_get_drvdata` returns a driver that the core stashed.
    ReadsStash(Device, Object),
    /// Drvdata of somebody else is taken for a driver.
    TakesDrvdataForDriver(Device),
    /// `device_block_probing` returns while a probe runs.
    BlockedTooEarly(Device),
    /// A wait for probing returns while a probe runs that ran when it began.
    ProbeStillRuns(Device),
    /// A wait for probing returns, and a device that was on the active list is still to be probed.
    StillActive(Device),
    /// A wait for probing returns, and an async entry from before it is unfinished.
    EntryUnfinished,
    /// A wait for probing returns, and a run of a work item that probes devices is unfinished from before it: of a
    /// driver's attach_work, or of the work item in an object.
    AttachUnfinished(Object),
    /// The load of a module returns, and an async entry that was scheduled on its behalf is unfinished: by its
    /// init, or by a work item that its init has flushed.
    InitUnfinished(Module, Option<Work>),
    /// `driver_unregister` is called twice.
    UnregistersTwice(Driver),
    /// `device_del` is called twice.
    DeletesTwice(Device),
    /// A mutex is held when all tasks have ended.
    HeldAtRest(CellId),
    /// A probe is owed and was never tried.
    NeverProbed(Device, Driver),
    /// A probe was deferred for a resource that is there now.
    StaysDeferred(Device, Driver, Resource),
    /// Memory of a device that is not bound is still allocated.
    LeavesMemory(Object, Device),
    /// A count is above its holders.
    Leaks(CellId, Leak),
}

/// Why a count is too high.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leak {
    /// There are fewer holders.
    NotPut,
    /// The creator has given it up, and the object is still there.
    CreatorPut,
    /// The driver is not registered.
    Unregistered,
    /// No device or driver on the bus accounts for it.
    NobodyOnBus,
    /// Nobody probes any more.
    NobodyProbes,
    /// No driver is bound.
    Unbound,
}

impl Leak {
    fn words(self) -> &'static str {
        match self {
            Leak::NotPut => "somebody forgot to put it",
            Leak::CreatorPut => "its creator has put it and it is still there",
            Leak::Unregistered => "the driver is not registered",
            Leak::NobodyOnBus => "no device or driver on it accounts for that",
            Leak::NobodyProbes => "nobody probes any more",
            Leak::Unbound => "no driver is bound, and the next one cannot have the device suspended",
        }
    }
}

impl Breach {
    /// The hazard: its id, what it is about, and what it says.
    pub fn hazard(self, checks: &Checks<'_>) -> Hazard {
        let name = |object: Object| checks.name(object);
        let device = |dev: Device| checks.name(dev.object());
        let driver = |drv: Driver| checks.name(drv.object());
        let pair = |dev: Device, drv: Driver| About::Pair(dev.object(), drv.object());
        let one = |dev: Device| About::Object(dev.object());
        let probes = |dev: Device, drv: Driver, how: String| {
            let sentence = format!("the probe of {} is called for {}{how}", driver(drv), device(dev));
            Told::new(sentence).of([drv.object(), dev.object()])
        };
        let removes = |dev: Device, drv: Driver, how: String| {
            let sentence = format!("the remove of {} is called for {}, {how}", driver(drv), device(dev));
            Told::new(sentence).of([drv.object(), dev.object()])
        };
        let of = |dev: Device, sentence: String| Told::new(sentence).of([dev.object()]);
        let returns = |how: String| Told {
            waited: true,
            ..Told::new(format!("a wait for probing returns, and {how}"))
        };
        let (id, about, told) = match self {
            Breach::Warns(object) => {
                let sentence = match object.sort {
                    MODULE => format!("request_module({}) waits inside an async function", name(object)),
                    WORKQUEUE => format!("something is queued on {}, which is being drained", name(object)),
                    POWER => format!("pm_runtime_enable is called although the {} is enabled", name(object)),
                    DEVICE_LINK => {
                        format!("device_link_del is called for {}, which the driver core owns", name(object))
                    }
                    LINK => format!("the kernel warns about the status of the device link {}", name(object)),
                    _ => format!("the kernel warns about {}", name(object)),
                };
                (any::WARNING, About::Object(object), Told::new(sentence).of([object]))
            }
            Breach::ProbesWithoutMatch(dev, drv) => {
                let returned = match checks.world.drivers[drv.index()].matches[dev.index()] {
                    Match::Defer => "for which its match returned -EPROBE_DEFER",
                    Match::Error => "for which its match returned an error",
                    Match::No | Match::Yes => "which does not match",
                };
                (id::WRONG_DRIVER, pair(dev, drv), probes(dev, drv, format!(", {returned}")))
            }
            Breach::ProbesForAnother(dev, drv, scheduled) => {
                let meant = driver(scheduled);
                let how = format!(" by an async entry that was scheduled for {meant}");
                let mut told = probes(dev, drv, how).of([scheduled.object()]);
                let words = format!("tells this entry any more to probe {meant}");
                told.blame = Blame::Overwritten(scheduled.object(), words);
                (id::WRONG_DRIVER, pair(dev, drv), told)
            }
            Breach::ProbesTwice(dev, drv) => {
                let how = ", which has been probed and not removed".to_owned();
                (any::DOUBLE_OPERATION, pair(dev, drv), probes(dev, drv, how))
            }
            Breach::ProbesWhileBlocked(dev, drv) => {
                (id::MISSED_BARRIER, pair(dev, drv), probes(dev, drv, " while probing is blocked".to_owned()))
            }
            Breach::RemovesAnother(dev, drv, named) => {
                let told = removes(dev, drv, format!("but {} was named", driver(named)));
                (id::WRONG_DRIVER, pair(dev, drv), told.of([named.object()]))
            }
            Breach::RemovesUnprobed(dev, drv) => {
                let told = removes(dev, drv, "which it has not probed".to_owned());
                (any::DOUBLE_OPERATION, pair(dev, drv), told)
            }
            Breach::BoundAfterRelease(dev) => {
                let d = device(dev);
                let sentence = format!("{d} is bound after device_del has passed its device_release_driver");
                (id::ZOMBIE_BIND, one(dev), of(dev, sentence))
            }
            Breach::DeferredAfterDel(dev) => {
                let d = device(dev);
                let sentence =
                    format!("{d} is put on the deferred list after device_del has taken it off for good");
                (id::ZOMBIE_BIND, one(dev), of(dev, sentence))
            }
            Breach::ReadsStash(dev, stashed) => {
                let (d, v) = (device(dev), name(stashed));
                let sentence =
                    format!("dev_get_drvdata({d}) returns the driver {v} that the core stashed there");
                (id::DRVDATA_STASH, one(dev), of(dev, sentence).of([stashed]))
            }
            Breach::TakesDrvdataForDriver(dev) => {
                let d = device(dev);
                let sentence = format!("the drvdata that others stored in {d} is taken for a driver");
                (id::DRVDATA_STASH, one(dev), of(dev, sentence))
            }
            Breach::BlockedTooEarly(dev) => {
                let d = device(dev);
                let sentence = format!("device_block_probing returns while the probe of {d} still runs");
                (id::MISSED_BARRIER, one(dev), Told { waited: true, ..of(dev, sentence) })
            }
            Breach::ProbeStillRuns(dev) => {
                let how = format!("the probe of {} that ran when it was called still runs", device(dev));
                (id::MISSED_BARRIER, one(dev), returns(how).of([dev.object()]))
            }
            Breach::StillActive(dev) => {
                let how = format!("{}, which was on the active list, is still to be probed", device(dev));
                (id::MISSED_BARRIER, one(dev), returns(how).of([dev.object()]))
            }
            Breach::EntryUnfinished => {
                let mut told = returns("an async entry from before it is unfinished".to_owned());
                told.blame = Blame::NotRun;
                (id::MISSED_BARRIER, About::Program, told)
            }
            Breach::AttachUnfinished(of) => {
                let what = if of.sort == DRIVER { "attach_work of" } else { "work item in" };
                let how = format!("the {what} {} from before it is unfinished", name(of));
                (id::MISSED_BARRIER, About::Object(of), returns(how).of([of]))
            }
            Breach::InitUnfinished(module, work) => {
                let m = name(module.object());
                let by = match work {
                    Some(work) => format!("{}, which its init has flushed,", name(work.object())),
                    None => "its init".to_owned(),
                };
                let sentence = format!(
                    "load_module({m}) returns, and an async entry that {by} has scheduled is unfinished"
                );
                let mut told = Told::new(sentence).of([module.object()]);
                told.blame = Blame::NotRun;
                (id::MISSED_BARRIER, About::Object(module.object()), told)
            }
            Breach::UnregistersTwice(drv) => {
                let sentence = format!("driver_unregister({}) is called a second time", driver(drv));
                let told = Told::new(sentence).of([drv.object()]);
                (any::DOUBLE_OPERATION, About::Object(drv.object()), told)
            }
            Breach::DeletesTwice(dev) => {
                let sentence = format!("device_del({}) is called a second time", device(dev));
                (any::DOUBLE_OPERATION, one(dev), of(dev, sentence))
            }
            Breach::HeldAtRest(mutex) => {
                let name = &checks.layout.info(mutex).name;
                let mut told = Told::new(format!("{name} is still held when all tasks have ended"));
                told.cells.push(mutex);
                (any::UNLOCK_IMBALANCE, About::Cell(mutex), told)
            }
            Breach::NeverProbed(dev, drv) => {
                let (d, v) = (device(dev), driver(drv));
                let sentence = format!("{d} is unbound and {v} has never been given a chance to probe it");
                let mut told = Told::new(sentence).of([dev.object(), drv.object()]);
                told.stays = Some((dev.object(), "unbound".to_owned()));
                (id::LOST_PROBE, pair(dev, drv), told)
            }
            Breach::StaysDeferred(dev, drv, resource) => {
                let (d, v, r) = (device(dev), driver(drv), name(resource.object()));
                let sentence = format!("{d} stays deferred although {r}, for which {v} waits, is there");
                let mut told = Told::new(sentence).of([dev.object(), drv.object()]);
                told.cells.push(checks.layout.find(resource.present()));
                told.stays = Some((dev.object(), "deferred".to_owned()));
                (id::LOST_PROBE, pair(dev, drv), told)
            }
            Breach::LeavesMemory(instance, dev) => {
                let (memory, d) = (name(instance), device(dev));
                let mut told =
                    Told::new(format!("{memory} is still allocated, and {d} is not bound any more"));
                told = told.of([instance, dev.object()]);
                told.stays = Some((instance, "allocated".to_owned()));
                (id::MEMORY_LEAK, About::Object(instance), told)
            }
            Breach::Leaks(count, why) => {
                let (name, why) = (&checks.layout.info(count).name, why.words());
                let mut told =
                    Told::new(format!("{name} is never dropped to what its holders account for: {why}"));
                told.cells.push(count);
                (any::REFCOUNT_LEAK, About::Cell(count), told)
            }
        };
        Hazard::told(id, about, told)
    }
}
