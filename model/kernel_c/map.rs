//! What the kernel's memory is on the machine: for each field of an object a cell, a constant, or nothing.

use raddle_checker::machine::layout::{Cell, CellId, Field as Number, Kind, Layout};
use raddle_checker::machine::value::{Object, Sort};
use raddle_probing::cpu::Watched;
use raddle_probing::ids::{Bus, Device, Driver, Module};
use raddle_probing::objects::{
    BUS, CORE, Core, DEVICE, DEVICE_PRIVATE, DRIVER, DevicePrivate, GLOBAL, MODULE, PRIVATE, Private,
};
use raddle_probing::world::{ProbeType, World};
use rustc_hash::FxHashMap;

use super::table::{Field, Tables};
use super::value::{INT, Path, Value, ZERO, truth, word};

/// What a task touches that cannot go on.
pub const STUCK: Object = Object { sort: GLOBAL, index: 62 };
/// The hazard of that, which is none.
pub const STUCK_ID: &str = "stuck";

/// The first field of cells that the driver core's own do not use.
const FIRST: u8 = 128;

/// What a field is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Slot {
    /// A value that never changes.
    Constant(Value),
    /// NULL, or this value.
    Own(CellId, Value),
    /// A pointer to the beginning of an object, or NULL.
    Pointer(CellId),
    /// A truth value.
    Bool(CellId),
    /// A small number.
    Int(CellId),
    /// An `atomic_t` that is a count.
    Count(CellId),
    /// A counter that only grows.
    Generation(CellId),
    /// A lock.
    Lock(CellId),
    /// A lock that is not taken.
    Unlocked(&'static str),
    /// A list that is empty.
    Empty,
    /// A part, with an address.
    Part,
    /// It reads as 0.
    Zero(&'static str),
    /// A pointer that is only passed on.
    Opaque,
}

/// A field that the table does not name and that gets a cell of its own: a patch has added it, say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Own {
    /// What has it.
    pub owner: &'static str,
    /// Its path.
    pub path: String,
    /// What it holds.
    pub kind: OwnKind,
}

/// What a field with a cell of its own holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnKind {
    /// A truth value.
    Bool,
    /// A number.
    Int,
    /// A count.
    Count,
    /// A pointer to an object of this sort.
    Pointer(Sort),
    /// A lock.
    Lock,
}

/// The map.
#[derive(Clone, Debug)]
pub struct Map {
    fields: FxHashMap<(&'static str, Path), Field>,
    own: Vec<Own>,
}

/// The name of what has fields.
#[must_use]
pub fn owner(object: Object) -> &'static str {
    match object.sort {
        DEVICE => "device",
        DEVICE_PRIVATE => "device_private",
        DRIVER => "driver",
        PRIVATE => "private",
        BUS => "bus",
        MODULE => "module",
        _ => "global",
    }
}

impl Map {
    /// The map of these tables, with cells for fields that they do not name.
    #[must_use]
    pub fn new(tables: &Tables, own: Vec<Own>) -> Self {
        let fields = tables.fields.iter().map(|((owner, path), field)| ((*owner, word(path)), field.clone()));
        Map { fields: fields.collect(), own }
    }

    /// Lays out what the driver core's own layout does not have.
    pub fn lay_out(&self, world: &World, layout: &mut Layout) {
        layout.cell(null(), "the pointer", Kind::Pointer(vec![DEVICE]));
        layout.mortal(STUCK, "what raddle does not understand", STUCK_ID);
        let count = |owner: &str| match owner {
            "device" | "device_private" => world.devices.len(),
            "driver" | "private" => world.drivers.len(),
            "bus" => world.buses.len(),
            "module" => world.modules.len(),
            _ => 1,
        };
        for i in 0..world.drivers.len() as u8 {
            let name = format!("{}.klist_devices.k_lock", layout.object(Private(i).object()).name);
            layout.cell(k_lock(i), name, Kind::Lock);
        }
        for i in 0..world.buses.len().min(8) as u8 {
            let name = format!("{}.klist_drivers.k_lock", layout.object(Bus(i).object()).name);
            layout.cell(drivers_lock(i), name, Kind::Lock);
        }
        for (own, field) in self.own.iter().zip(0..) {
            for index in 0..count(own.owner) as u8 {
                let object = object(own.owner, index);
                let name = match own.owner {
                    "global" => own.path.clone(),
                    _ => format!("{}.{}", layout.object(object).name, own.path),
                };
                let kind = match own.kind {
                    OwnKind::Bool => Kind::Bool,
                    OwnKind::Int => Kind::Int,
                    OwnKind::Count => Kind::Count,
                    OwnKind::Pointer(sort) => Kind::Pointer(vec![sort]),
                    OwnKind::Lock => Kind::Lock,
                };
                layout.cell(own_cell(object, field), name, kind);
            }
        }
    }

    /// What a field is; `None` if nothing is known of it.
    #[must_use]
    pub fn slot(
        &self,
        world: &World,
        watched: Watched,
        layout: &Layout,
        at: Object,
        path: Path,
    ) -> Option<Slot> {
        let owner = owner(at);
        if let Some(field) = self.own.iter().position(|own| own.owner == owner && own.path == path) {
            return Some(by_kind(layout, layout.find(own_cell(at, field as u8))));
        }
        Some(match self.fields.get(&(owner, path))? {
            Field::Cell(name) => match (name.as_str(), watched.enable, watched.block) {
                ("enable", false, _) => Slot::Constant(truth(true)),
                ("defer_all_probes", _, false) => Slot::Constant(truth(false)),
                (name, ..) => by_kind(layout, cell(layout, at, name)?),
            },
            Field::Own(name) => {
                let value = match at.sort {
                    DRIVER => Value::Pointer(Private(at.index).object(), ""),
                    _ => Value::Pointer(DevicePrivate(at.index).object(), ""),
                };
                Slot::Own(cell(layout, at, name)?, value)
            }
            Field::World => Slot::Constant(declared(world, at, path)?),
            Field::Part => Slot::Part,
            Field::Opaque => Slot::Opaque,
            Field::Zero(_) => Slot::Zero(word(path)),
            Field::Unlocked(_) => Slot::Unlocked(word(path)),
            Field::Empty(_) => Slot::Empty,
        })
    }

    /// Whether the table or a cell of its own stands for a field.
    #[must_use]
    pub fn knows(&self, owner: &'static str, path: &str) -> bool {
        self.fields.contains_key(&(owner, word(path)))
            || self.own.iter().any(|own| own.owner == owner && own.path == path)
    }

    /// Whether some object has an opaque field of this name.
    #[must_use]
    pub fn knows_opaque(&self, field: &str) -> bool {
        let last = |path: &str| path.rsplit('.').next() == Some(field);
        self.fields.iter().any(|((_, path), kind)| *kind == Field::Opaque && last(path))
    }

    /// The fields with cells of their own.
    #[must_use]
    pub fn own(&self) -> &[Own] {
        &self.own
    }

    /// What is assumed of a field, with the reason.
    #[must_use]
    pub fn assumption(&self, owner: &'static str, path: Path) -> Option<String> {
        let what = if owner == "global" { path.to_owned() } else { format!("{owner}.{path}") };
        Some(match self.fields.get(&(owner, path))? {
            Field::Zero(reason) => format!("{what} is 0: {reason}"),
            Field::Unlocked(reason) => format!("{what} is not taken: {reason}"),
            Field::Empty(reason) => format!("{what} is empty: {reason}"),
            _ => return None,
        })
    }
}

/// A pointer that is always NULL.
#[must_use]
pub fn null() -> Cell<u8> {
    Cell::new(CORE, Number(u8::MAX))
}

fn object(owner: &str, index: u8) -> Object {
    match owner {
        "device" => Device(index).object(),
        "device_private" => DevicePrivate(index).object(),
        "driver" => Driver(index).object(),
        "private" => Private(index).object(),
        "bus" => Bus(index).object(),
        "module" => Module(index).object(),
        _ => CORE,
    }
}

/// The spinlock of a driver's klist of devices. Its object is always there: that the klist is gone is found by
/// a check of its own, first.
fn k_lock(driver: u8) -> Cell<u8> {
    Cell::new(CORE, Number(FIRST + driver))
}

/// The spinlock of a bus' klist of drivers.
fn drivers_lock(bus: u8) -> Cell<u8> {
    Cell::new(CORE, Number(FIRST + 64 + bus))
}

fn own_cell(object: Object, field: u8) -> Cell<u8> {
    // Of the globals, the first are the klists' spinlocks.
    let first = if object == CORE { FIRST + 72 } else { FIRST };
    Cell::new(object, Number(first + field))
}

fn by_kind(layout: &Layout, cell: CellId) -> Slot {
    match &layout.info(cell).kind {
        Kind::Bool => Slot::Bool(cell),
        Kind::Count => Slot::Count(cell),
        Kind::Generation(..) => Slot::Generation(cell),
        Kind::Lock => Slot::Lock(cell),
        Kind::Pointer(_) => Slot::Pointer(cell),
        _ => Slot::Int(cell),
    }
}

/// A cell of the driver core's, by the name that the table gives it.
fn cell(layout: &Layout, at: Object, name: &str) -> Option<CellId> {
    let (dev, drv) = (Device(at.index), Driver(at.index));
    Some(match (at.sort, name) {
        (DEVICE, "p") => layout.find(dev.p()),
        (DEVICE_PRIVATE, "dead") => layout.find(dev.dead()),
        (DEVICE_PRIVATE, "async_driver") => layout.find(dev.async_driver()),
        (DEVICE, "driver") => layout.find(dev.driver()),
        (DEVICE, "drvdata") => layout.find(dev.drvdata()),
        (DEVICE, "async_probe") => layout.find(dev.async_probe()),
        (DEVICE, "can_match") => layout.find(dev.can_match()),
        (DEVICE, "ready") => layout.find(dev.ready()),
        (DEVICE, "registered") => layout.find(dev.registered()),
        (DEVICE, "mutex") => layout.find(dev.mutex()),
        (DRIVER, "p") => layout.find(drv.p()),
        (BUS, "drivers_lock") if at.index < 8 => layout.find(drivers_lock(at.index)),
        (PRIVATE, "k_lock") => layout.find(k_lock(at.index)),
        (GLOBAL, "deferred_probe_mutex") => layout.find(Core.deferred_probe_mutex()),
        (GLOBAL, "trigger_count") => layout.find(Core.trigger_count()),
        (GLOBAL, "probe_count") => layout.find(Core.probe_count()),
        (GLOBAL, "enable") => layout.find(Core.enable()),
        (GLOBAL, "defer_all_probes") => layout.find(Core.defer_all_probes()),
        _ => return None,
    })
}

/// A field that the scenario declares. Names are addresses: what they spell is the same for all.
fn declared(world: &World, at: Object, path: Path) -> Option<Value> {
    let whole = |object: Object| Value::Pointer(object, "");
    Some(match (at.sort, path) {
        (DEVICE, "bus") => whole(world.devices[usize::from(at.index)].bus.object()),
        (DEVICE, "parent") => {
            world.devices[usize::from(at.index)].parent.map_or(ZERO, |dev| whole(dev.object()))
        }
        (DEVICE_PRIVATE, "device") => whole(Device(at.index).object()),
        (DRIVER, "bus") => whole(world.drivers[usize::from(at.index)].bus.object()),
        (DRIVER, "owner") => whole(world.drivers[usize::from(at.index)].module.object()),
        (DRIVER, "probe") => Value::Function("<probe>"),
        (DRIVER, "remove") => Value::Function("<remove>"),
        (DRIVER, "probe_type") => Value::Int(
            match world.drivers[usize::from(at.index)].probe_type {
                ProbeType::Default => 0,
                ProbeType::PreferAsynchronous => 1,
                ProbeType::ForceSynchronous => 2,
            },
            INT,
        ),
        (DRIVER, "suppress_bind_attrs") => ZERO,
        (PRIVATE, "driver") => whole(Driver(at.index).object()),
        (BUS, "p") => Value::Pointer(at, "p"),
        (BUS, "p.bus") => whole(at),
        (BUS, "match") => Value::Function("<match>"),
        (BUS, "need_parent_lock") => truth(world.buses[usize::from(at.index)].need_parent_lock),
        (BUS, "p.drivers_autoprobe") => truth(world.buses[usize::from(at.index)].autoprobe),
        (MODULE, "async_probe_requested") => truth(world.modules[usize::from(at.index)].async_probe),
        (DEVICE, "kobj.name") | (DRIVER | BUS, "name") => Value::Pointer(at, word(&format!("{path}[]"))),
        _ => return None,
    })
}

/// The klist at a path.
#[must_use]
pub fn klist(layout: &Layout, at: Object, path: Path) -> Option<CellId> {
    Some(match (at.sort, path) {
        (PRIVATE, "klist_devices") => layout.find(Private(at.index).klist_devices()),
        (BUS, "p.klist_devices") => layout.find(Bus(at.index).klist_devices()),
        (BUS, "p.klist_drivers") => layout.find(Bus(at.index).klist_drivers()),
        _ => return None,
    })
}
