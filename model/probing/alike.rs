//! Which objects and tasks of a world are alike: the ways in which they can take each other's places so
//! that the world, names aside, is declared as before.
//!
//! Whether memory after the set-up and all that the model does are as before too is for those who use
//! the renamings to find out. The checks of [`properties`](crate::properties) treat all objects alike,
//! with two exceptions that are left out here. Resources stand as numbers in what is owed, so they stay
//! what they are. So do memory, flags, pointers, lists and functions as they are declared, to keep it simple:
//! instances of memory take each other's places with their devices, and what lies in them with them. A wait for
//! probing that returns too early is reported for the first device or attach_work that it missed, so where there
//! are such waits those stay what they are.

use super::call::Call;
use super::ids::{Device, Devres, Module};
use super::objects::{
    ATTACH_WORK, BUS, CDEV, CODE, DEVICE, DEVICE_LINK, DEVICE_PRIVATE, DEVRES, DRIVER, DRVDATA, FLAG,
    FUNCTION, HOOK, INSTANCE, LINK, LIST, MEMORY, MODULE, MUTEX, OVERRIDE, POINTER, POOL, POWER, PRIVATE,
    RESOURCE, WORK, WORKQUEUE,
};
use super::world::{Initially, World};
use raddle_checker::machine::rename::{Alike, Renaming, generators};
use raddle_checker::machine::value::{Object, Sort};

/// Tasks are no objects, but are searched for like them.
const TASK: Sort = Sort(u8::MAX);

/// Ways in which a world's objects and tasks can take each other's places, of which all others are made.
///
/// `devices_stay` and `drivers_stay`: whether a wait for probing may be reported for a device, for a driver.
pub(super) fn renamings(
    world: &World,
    devices_stay: bool,
    drivers_stay: bool,
    slots: usize,
) -> Vec<Renaming> {
    let count = |sort: Sort| match sort {
        BUS => world.buses.len(),
        DEVICE => world.devices.len(),
        MODULE => world.modules.len(),
        DRIVER => world.drivers.len(),
        WORK => world.works.len(),
        RESOURCE => world.resources.len(),
        MUTEX => world.mutexes.len(),
        MEMORY => world.memories.len(),
        INSTANCE => world.instances.len(),
        FLAG => world.flags.len(),
        POINTER => world.pointers.len(),
        LIST => world.lists.len(),
        FUNCTION => world.functions.len(),
        HOOK => world.hooks.len(),
        CDEV => world.cdevs.len(),
        WORKQUEUE => world.queues.len(),
        LINK => world.links.len(),
        OVERRIDE => world.overrides.len(),
        _ => world.tasks.len(),
    };
    // What others refer to comes first.
    let sorts = [
        RESOURCE, MUTEX, BUS, DEVICE, MODULE, MEMORY, INSTANCE, FLAG, POINTER, LIST, FUNCTION, HOOK, CDEV,
        WORKQUEUE, LINK, DRIVER, OVERRIDE, WORK, TASK,
    ];
    let all = sorts.iter().flat_map(|sort| (0..count(*sort)).map(|index| (*sort, index as u8)));
    let mut search = Search {
        world,
        stay: vec![RESOURCE, MEMORY, FLAG, POINTER, LIST, FUNCTION],
        order: all.collect(),
        slots,
    };
    if devices_stay {
        search.stay.push(DEVICE);
    }
    if drivers_stay {
        search.stay.push(DRIVER);
    }
    generators(&search).iter().map(|to| search.renaming(to)).collect()
}

struct Search<'w> {
    world: &'w World,
    /// Sorts of objects that stay what they are.
    stay: Vec<Sort>,
    order: Vec<(Sort, u8)>,
    slots: usize,
}

/// A search whose first items take these places.
struct Decided<'s, 'w> {
    search: &'s Search<'w>,
    to: &'s [usize],
}

impl Alike for Search<'_> {
    fn items(&self) -> usize {
        self.order.len()
    }

    fn places(&self, item: usize) -> Vec<usize> {
        let sort = self.order[item].0;
        let stays = self.stay.contains(&sort);
        let may = |place: &usize| self.order[*place].0 == sort && (!stays || *place == item);
        (0..self.order.len()).filter(may).collect()
    }

    fn fits(&self, to: &[usize]) -> bool {
        let decided = Decided { search: self, to: &to[..to.len() - 1] };
        let last = to.len() - 1;
        let (sort, from) = self.order[last];
        decided.alike(sort, from, self.order[to[last]].1)
    }

    fn is_renaming(&self, to: &[usize]) -> bool {
        let decided = Decided { search: self, to };
        let items = self.order.iter().zip(to);
        items.into_iter().all(|((sort, from), place)| decided.alike(*sort, *from, self.order[*place].1))
    }
}

impl Decided<'_, '_> {
    /// Whether an object becomes that one, as far as has been decided.
    fn becomes(&self, sort: Sort, from: u8, to: u8) -> bool {
        let place = self.search.order.iter().position(|other| *other == (sort, from));
        let place = place.and_then(|place| self.to.get(place));
        place.is_none_or(|place| self.search.order[*place] == (sort, to))
    }

    /// Whether one is declared as the other is, as far as has been decided what it refers to.
    fn alike(&self, sort: Sort, from: u8, to: u8) -> bool {
        let (i, j) = (usize::from(from), usize::from(to));
        let world = self.search.world;
        match sort {
            BUS => {
                let (one, other) = (&world.buses[i], &world.buses[j]);
                (one.need_parent_lock, one.autoprobe) == (other.need_parent_lock, other.autoprobe)
            }
            DEVICE => {
                let (one, other) = (&world.devices[i], &world.devices[j]);
                let initially = match (one.initially, other.initially) {
                    (Initially::Bound(one), Initially::Bound(other)) => self.becomes(DRIVER, one.0, other.0),
                    (one, other) => one == other,
                };
                let parent = match (one.parent, other.parent) {
                    (Some(one), Some(other)) => self.becomes(DEVICE, one.0, other.0),
                    (one, other) => one == other,
                };
                initially && parent && self.becomes(BUS, one.bus.0, other.bus.0) && one.add == other.add
            }
            MODULE => {
                let (one, other) = (&world.modules[i], &world.modules[j]);
                let mut first = one.softdep_pre.iter().zip(&other.softdep_pre);
                one.async_probe == other.async_probe
                    && self.calls(&one.init, &other.init)
                    && self.calls(&one.exit, &other.exit)
                    && one.softdep_pre.len() == other.softdep_pre.len()
                    && first.all(|(one, other)| self.becomes(MODULE, one.0, other.0))
            }
            DRIVER => {
                let (one, other) = (&world.drivers[i], &world.drivers[j]);
                let devices = 0..world.devices.len();
                let mut pairs = devices.clone().flat_map(|dev| devices.clone().map(move |to| (dev, to)));
                let matches = pairs.all(|(dev, to)| {
                    !self.is_decided(DEVICE, dev as u8)
                        || !self.becomes(DEVICE, dev as u8, to as u8)
                        || one.matches[dev] == other.matches[to]
                });
                matches
                    && self.becomes(BUS, one.bus.0, other.bus.0)
                    && self.becomes(MODULE, one.module.0, other.module.0)
                    && (one.probe_type, one.initially_registered)
                        == (other.probe_type, other.initially_registered)
                    && one.probe.outcomes == other.probe.outcomes
                    && one.probe.fails == other.probe.fails
                    && one.bodies().into_iter().zip(other.bodies()).all(|(one, other)| self.calls(one, other))
            }
            INSTANCE => {
                let (one, other) = (&world.instances[i], &world.instances[j]);
                self.of_alike_devices(one.dev, other.dev)
                    && (one.memory, one.earlier) == (other.memory, other.earlier)
            }
            HOOK => {
                let (one, other) = (&world.hooks[i], &world.hooks[j]);
                let mut bodies = one.bodies.iter().zip(&other.bodies);
                one.first == other.first
                    && self.of_alike_devices(one.dev, other.dev)
                    && bodies.all(|(one, other)| self.calls(one, other))
            }
            CDEV => {
                let (one, other) = (&world.cdevs[i], &world.cdevs[j]);
                let mut bodies = one.bodies().into_iter().zip(other.bodies());
                one.first == other.first
                    && self.of_alike_devices(one.dev, other.dev)
                    && bodies.all(|(one, other)| self.calls(one, other))
            }
            OVERRIDE => {
                let (one, other) = (world.overrides[i], world.overrides[j]);
                self.becomes(DEVICE, one.0.0, other.0.0) && self.becomes(DRIVER, one.1.0, other.1.0)
            }
            LINK => {
                let (one, other) = (&world.links[i], &world.links[j]);
                one.by_call == other.by_call
                    && self.becomes(DEVICE, one.consumer.0, other.consumer.0)
                    && self.becomes(DEVICE, one.supplier.0, other.supplier.0)
            }
            WORKQUEUE => {
                let (one, other) = (&world.queues[i], &world.queues[j]);
                one.first == other.first && self.of_alike_devices(one.dev, other.dev)
            }
            WORK => {
                let (one, other) = (&world.works[i], &world.works[j]);
                let data = match (one.data, other.data) {
                    (Some(from), Some(to)) => {
                        one.first == other.first && self.becomes(INSTANCE, from.0, to.0)
                    }
                    (one, other) => one == other,
                };
                let module = match (one.module, other.module) {
                    (Some(one), Some(other)) => self.becomes(MODULE, one.0, other.0),
                    (one, other) => one == other,
                };
                let queue = match (one.queue, other.queue) {
                    (Some(one), Some(other)) => self.becomes(WORKQUEUE, one.0, other.0),
                    (one, other) => one == other,
                };
                data && module
                    && queue
                    && (one.kind, one.runs, one.delayed) == (other.kind, other.runs, other.delayed)
                    && self.calls(&one.run, &other.run)
            }
            MEMORY => {
                let release = |at: usize| world.memories[at].release.as_deref().unwrap_or_default();
                i == j && self.calls(release(i), release(j))
            }
            FUNCTION => i == j && self.calls(&world.functions[i].run, &world.functions[j].run),
            RESOURCE | FLAG | POINTER | LIST => i == j,
            MUTEX => i == j || (world.mutexes[i].home.is_none() && world.mutexes[j].home.is_none()),
            _ => {
                let (one, other) = (&world.tasks[i], &world.tasks[j]);
                let among = |before: u8| {
                    one.after.is_empty()
                        || other.after.iter().any(|after| self.becomes(TASK, before, after.0))
                };
                self.calls(&one.run, &other.run)
                    && one.after.len() == other.after.len()
                    && one.after.iter().all(|before| among(before.0))
            }
        }
    }

    fn of_alike_devices(&self, one: Option<Device>, other: Option<Device>) -> bool {
        match (one, other) {
            (Some(one), Some(other)) => self.becomes(DEVICE, one.0, other.0),
            (one, other) => one == other,
        }
    }

    fn is_decided(&self, sort: Sort, index: u8) -> bool {
        self.search.order[..self.to.len()].contains(&(sort, index))
    }

    fn calls(&self, one: &[Call], other: &[Call]) -> bool {
        let alike = |(one, other): (&Call, &Call)| {
            let pairs = one.objects().into_iter().zip(other.objects());
            // Of what is in memory or of a device the first one is named, whichever is meant.
            let of_memory = |object: &Object| {
                let works = &self.search.world.works;
                object.sort == WORK && works[usize::from(object.index)].data.is_some()
                    || [HOOK, CDEV, WORKQUEUE].contains(&object.sort)
            };
            let mut pairs = pairs.map(|pair| match pair {
                (Some(from), Some(to)) if of_memory(&from) || of_memory(&to) => from == to,
                (Some(from), Some(to)) => {
                    from.sort == to.sort && self.becomes(from.sort, from.index, to.index)
                }
                (from, to) => from == to,
            });
            let devres = match (one, other) {
                (Call::Devm(one), Call::Devm(other)) | (Call::DevmUndo(one), Call::DevmUndo(other)) => {
                    let world = self.search.world;
                    let parts = |id: Devres| {
                        let decl = &world.devres[id.index()];
                        [decl.acquire, decl.undo]
                    };
                    one == other && self.calls(&parts(*one), &parts(*other))
                }
                _ => true,
            };
            devres && one.same_name(*other) && pairs.all(|alike| alike)
        };
        one.len() == other.len() && one.iter().zip(other).all(alike)
    }
}

impl Search<'_> {
    fn renaming(&self, to: &[usize]) -> Renaming {
        let mut slots: Vec<usize> = (0..self.slots).collect();
        let mut renaming = Renaming { objects: indexmap::IndexMap::new(), slots: Vec::new() };
        for ((sort, index), place) in self.order.iter().zip(to) {
            let to = self.order[*place].1;
            let of = match *sort {
                TASK => {
                    slots[usize::from(*index)] = usize::from(to);
                    continue;
                }
                DRIVER => vec![DRIVER, PRIVATE, ATTACH_WORK, DRVDATA],
                DEVICE if self.world.has_runtime_pm() => vec![DEVICE, DEVICE_PRIVATE, POWER],
                DEVICE => vec![DEVICE, DEVICE_PRIVATE],
                WORKQUEUE if self.world.queues[usize::from(*index)].ordered => vec![WORKQUEUE, POOL],
                MODULE if self.world.has_code(Module(*index)) => vec![MODULE, CODE],
                LINK if self.world.links[usize::from(*index)].by_call.is_some() => vec![LINK, DEVICE_LINK],
                sort => vec![sort],
            };
            for sort in of {
                let object = |index: u8| Object { sort, index };
                renaming.objects.insert(object(*index), object(to));
            }
        }
        renaming.slots = slots;
        let notes: Vec<(Device, Devres)> = self.world.acquisitions().collect();
        for (at, (dev, devres)) in notes.iter().enumerate() {
            let to = Device(renaming.object(dev.object()).index);
            if let Some(to) = notes.iter().position(|note| *note == (to, *devres)) {
                let object = |index: usize| Object { sort: DEVRES, index: index as u8 };
                renaming.objects.insert(object(at), object(to));
            }
        }
        renaming
    }
}
