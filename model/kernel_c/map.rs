//! What the kernel's memory is on the machine: for each field of an object a cell, a constant, or nothing.

use raddle_checker::machine::layout::{Cell, CellId, Field as Number, Kind, Layout};
use raddle_checker::machine::value::{Object, Sort};
use raddle_probing::cpu::Watched;
use raddle_probing::ids::{Bus, Device, Driver, Module};
use raddle_probing::objects::{
    BUS, CORE, Core, DEVICE, DEVICE_PRIVATE, DEVRES, DRIVER, DevicePrivate, GLOBAL, LINK, MODULE, PRIVATE,
    Private,
};
use raddle_probing::world::{ProbeType, World};
use rustc_hash::{FxHashMap, FxHashSet};

use super::added::{Added, List, Own, OwnKind};
use super::ast::Name;
use super::devres::{self, Notes};
use super::links::{self, Links};
use super::table::{Field, Kept, Tables};
use super::value::{INT, Path, Value, ZERO, truth, word};

/// What a task touches that cannot go on.
pub const STUCK: Object = Object { sort: GLOBAL, index: 62 };
/// The hazard of that, which is none.
pub const STUCK_ID: &str = "stuck";

/// The path of a module's code.
pub const CODE: Path = "code[]";

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
    /// A number from -1 on.
    FromMinusOne(CellId),
    /// A bit-field, with its width.
    Bits(CellId, u32),
    /// A number of which only these bits are ever set, eight at the most.
    Packed(CellId, u32),
    /// An `atomic_t` that is a count.
    Count(CellId),
    /// An `atomic_t` of which nothing is known: a number.
    Atomic(CellId),
    /// A counter that only grows.
    Generation(CellId),
    /// A completion: how often it has been completed.
    Completion(CellId),
    /// A work item.
    Work(CellId),
    /// The head of a list.
    List(CellId),
    /// A lock.
    Lock(CellId),
    /// A lock that is not taken.
    Unlocked(&'static str),
    /// A list that is empty.
    Empty,
    /// The suppliers that a firmware node waits for.
    Waiting,
    /// A part, with an address.
    Part,
    /// It reads as 0.
    Zero(&'static str),
    /// A pointer that is only passed on.
    Opaque,
}

/// What is known of a field.
#[derive(Clone, Debug)]
enum Known {
    /// It has a cell of its own, by its place among them.
    Own(usize),
    /// Nothing sets it.
    Unset,
    /// It belongs to a list that steps keep: the list's place among them.
    Kept(u8),
    /// It is the node of a list.
    Node,
    /// What a table says.
    Field(Field),
}

/// The map.
#[derive(Clone, Debug)]
pub struct Map {
    /// By owner and path.
    known: FxHashMap<&'static str, FxHashMap<Path, Known>>,
    /// The names of fields that are only passed on.
    opaque: FxHashSet<&'static str>,
    kept: Vec<Kept>,
    links: Links,
    notes: Notes,
    added: Added,
    /// The number of each cell of its own in its object.
    numbers: Vec<Number>,
}

impl Map {
    /// The map of these tables, with cells for fields that they do not name.
    #[must_use]
    pub fn new(tables: &Tables, added: Added, links: Links, notes: Notes) -> Self {
        let fields = tables.fields.iter().map(|((owner, path), field)| ((*owner, word(path)), field.clone()));
        let fields: Vec<((&'static str, Path), Field)> = fields.collect();
        let passed_on = fields.iter().filter(|(_, field)| *field == Field::Opaque);
        let opaque = passed_on.filter_map(|((_, path), _)| path.rsplit('.').next()).collect();
        let kept = tables.lists.clone();
        // What comes later counts.
        let mut known: FxHashMap<&'static str, FxHashMap<Path, Known>> = FxHashMap::default();
        let mut knows = |(owner, path): (&'static str, Path), what: Known| {
            known.entry(owner).or_default().insert(path, what);
        };
        fields.into_iter().for_each(|(at, field)| knows(at, Known::Field(field)));
        added.lists.iter().for_each(|list| knows(list.node, Known::Node));
        for (list, at) in kept.iter().zip(0..) {
            let parts = [("global", list.head), ("global", list.lock), list.node];
            parts.into_iter().for_each(|part| knows(part, Known::Kept(at)));
        }
        added.unset.iter().for_each(|at| knows(*at, Known::Unset));
        added.own.iter().enumerate().for_each(|(at, own)| knows((own.owner, own.path), Known::Own(at)));
        let numbers = numbers(&added, kept.len());
        Map { known, opaque, kept, links, notes, added, numbers }
    }

    /// The name of what has fields: one of the tables' owners, or a structure that is allocated.
    #[must_use]
    pub fn owner(&self, object: Object) -> &'static str {
        match object.sort {
            DEVICE => "device",
            DEVICE_PRIVATE => "device_private",
            DRIVER => "driver",
            PRIVATE => "private",
            BUS => "bus",
            MODULE => "module",
            LINK => "link",
            DEVRES => "devres",
            sort => self.added.made(sort).map_or("global", |made| made.record),
        }
    }

    /// The objects that have the fields of this owner.
    pub fn objects(&self, world: &World, owner: &str) -> impl Iterator<Item = Object> + use<> {
        let sort = self.sort(owner);
        let count = match sort {
            DEVICE | DEVICE_PRIVATE => world.devices.len(),
            DRIVER | PRIVATE => world.drivers.len(),
            BUS => world.buses.len(),
            MODULE => world.modules.len(),
            LINK => world.links.len(),
            DEVRES => world.acquisitions().count(),
            GLOBAL => 1,
            _ => allocations(world),
        };
        (0..count as u8).map(move |index| Object { sort, index })
    }

    /// The sort of the objects that have the fields of this owner.
    fn sort(&self, owner: &str) -> Sort {
        match owner {
            "device" => DEVICE,
            "device_private" => DEVICE_PRIVATE,
            "driver" => DRIVER,
            "private" => PRIVATE,
            "bus" => BUS,
            "module" => MODULE,
            "link" => LINK,
            "devres" => DEVRES,
            record => self.added.sort_of(record).unwrap_or(GLOBAL),
        }
    }

    /// Lays out what the driver core's own layout does not have.
    pub fn lay_out(&self, world: &World, layout: &mut Layout) {
        layout.cell(null(), "the pointer", Kind::Pointer(vec![DEVICE]));
        layout.mortal(STUCK, "what raddle does not understand", STUCK_ID);
        for i in 0..world.drivers.len() as u8 {
            let name = format!("{}.klist_devices.k_lock", layout.object(Private(i).object()).name);
            layout.cell(k_lock(i), name, Kind::Lock);
        }
        for i in 0..world.buses.len().min(8) as u8 {
            let name = format!("{}.klist_drivers.k_lock", layout.object(Bus(i).object()).name);
            layout.cell(drivers_lock(i), name, Kind::Lock);
        }
        links::lay_out(world, layout);
        devres::lay_out(world, layout);
        for (list, at) in self.kept.iter().zip(0..) {
            if is_seen(world, list) {
                let (sort, capacity) = (self.sort(list.node.0), self.objects(world, list.node.0).count());
                layout.cell(kept_list(at), list.head, Kind::List(sort, capacity as u8));
                layout.cell(kept_lock(at), list.lock, Kind::Lock);
            }
        }
        for made in &self.added.made {
            let short = made.record.trim_start_matches("struct ");
            for object in self.objects(world, made.record) {
                let number = if object.index > 0 { format!(" #{}", object.index + 1) } else { String::new() };
                layout.mortal(object, format!("{short}{number}"), "use-after-free");
            }
        }
        let Kind::Work(slots) = layout.info(layout.find(Core.deferred_probe_work())).kind else {
            unreachable!("internal: a work item")
        };
        for (at, own) in self.added.own.iter().enumerate() {
            for object in self.objects(world, own.owner) {
                let name = match own.owner {
                    "global" => own.path.to_owned(),
                    _ => format!("{}.{}", layout.object(object).name, own.path),
                };
                let kind = match own.kind {
                    OwnKind::Bool => Kind::Bool,
                    OwnKind::Int(_) => Kind::Int,
                    OwnKind::Count | OwnKind::Completion => Kind::Count,
                    OwnKind::Pointer(sort) => Kind::Pointer(vec![sort]),
                    OwnKind::Lock => Kind::Lock,
                    OwnKind::Work(_) => Kind::Work(slots),
                    OwnKind::List => {
                        let list = self.list(own.owner, own.path).expect("internal: its members are known");
                        let capacity = self.objects(world, list.node.0).count();
                        Kind::List(list.members, capacity as u8)
                    }
                };
                layout.cell(self.own_cell(object, at), name, kind);
            }
        }
    }

    /// The cell of a field with a cell of its own.
    fn own_cell(&self, object: Object, at: usize) -> Cell<u8> {
        Cell::new(object, self.numbers[at])
    }

    /// The list whose head is here.
    #[must_use]
    pub fn list(&self, owner: &str, path: &str) -> Option<&List> {
        self.added.lists.iter().find(|list| list.owner == owner && list.path == path)
    }

    /// The path of the nodes on the list whose head is here, in what is on it.
    #[must_use]
    pub fn node_of(&self, at: Object, path: Path) -> Option<Path> {
        let fixed = match (at.sort, path) {
            (DEVICE, devres::HEAD) => Some(devres::NODE),
            (DEVICE, _) => links::node_of(path),
            _ => None,
        };
        let kept = || self.kept.iter().find(|list| at.sort == GLOBAL && list.head == path);
        let node = || self.list(self.owner(at), path).map(|list| list.node.1);
        fixed.or_else(|| kept().map(|list| list.node.1)).or_else(node)
    }

    /// The head of the one list on which this node may be, where that is always the same one.
    #[must_use]
    pub fn head_of(&self, world: &World, at: Object, node: Path) -> Option<(Object, Path)> {
        let devres = devres::device_of(world, at).filter(|_| node == devres::NODE);
        let one = |list: &List| list.owner == "global" && list.node == (self.owner(at), node);
        let global = || self.added.lists.iter().find(|list| one(list)).map(|list| (CORE, list.path));
        devres.map(|dev| (dev.object(), devres::HEAD)).or_else(global)
    }

    /// The lists, each with all cells of its heads, on which this node may be.
    #[must_use]
    pub fn lists_of(&self, world: &World, layout: &Layout, owner: &str, path: &str) -> Vec<CellId> {
        let kept = self.kept.iter().zip(0..).filter(|(list, _)| list.node == (owner, path));
        let kept = kept.filter(|(list, _)| is_seen(world, list)).map(|(_, at)| layout.find(kept_list(at)));
        let lists = self.added.lists.iter().filter(|list| list.node.0 == owner && list.node.1 == path);
        let cells = lists.flat_map(|list| {
            let head =
                |own: &Own| own.kind == OwnKind::List && (own.owner, own.path) == (list.owner, list.path);
            let at = self.added.own.iter().position(head).expect("internal: a list has a head");
            self.objects(world, list.owner).map(move |object| layout.find(self.own_cell(object, at)))
        });
        kept.chain(cells).collect()
    }

    /// The lists that this step puts an object on or takes it off, each with its lock and whether it comes on it.
    pub fn kept_by(
        &self,
        world: &World,
        layout: &Layout,
        step: &str,
        owner: &str,
    ) -> Vec<(CellId, CellId, bool)> {
        let kept = self.kept.iter().zip(0..).filter(|(list, _)| {
            [&list.join, &list.leave].contains(&&step.to_owned())
                && list.node.0 == owner
                && is_seen(world, list)
        });
        kept.map(|(list, at)| (layout.find(kept_list(at)), layout.find(kept_lock(at)), list.join == step))
            .collect()
    }

    /// The work items: what has each, where, its cell, and the number of its function.
    pub fn items(&self, world: &World) -> Vec<(Object, Path, Cell<u8>, u8)> {
        let mut all = Vec::new();
        for (at, own) in self.added.own.iter().enumerate() {
            if let OwnKind::Work(function) = own.kind {
                let objects = self.objects(world, own.owner);
                all.extend(objects.map(|object| (object, own.path, self.own_cell(object, at), function)));
            }
        }
        all
    }

    /// The functions that a work item may run.
    #[must_use]
    pub fn functions(&self, at: Object, path: Path) -> &[Name] {
        let owner = self.owner(at);
        let own = self.added.own.iter().find(|own| own.owner == owner && own.path == path);
        match own.map(|own| own.kind) {
            Some(OwnKind::Work(number)) => &self.added.works[usize::from(number)],
            _ => &[],
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
        if path.is_empty() && self.added.made(at.sort).is_some() {
            return Some(Slot::Part);
        }
        let special = self.links.slot(world, layout, at, path);
        let special = special.or_else(|| self.notes.slot(world, layout, at, path));
        if special.is_some() {
            return special;
        }
        let field = match self.known.get(self.owner(at))?.get(path)? {
            Known::Own(own) => {
                let cell = layout.find(self.own_cell(at, *own));
                return Some(match self.added.own[*own].kind {
                    OwnKind::Int(Some(bits)) => Slot::Bits(cell, bits),
                    OwnKind::Completion => Slot::Completion(cell),
                    OwnKind::Count => Slot::Atomic(cell),
                    _ => by_kind(layout, cell),
                });
            }
            Known::Unset => return Some(Slot::Zero(path)),
            Known::Kept(list) => return self.kept_slot(world, layout, *list, path),
            Known::Node => return Some(Slot::Part),
            Known::Field(field) => field,
        };
        Some(match field {
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

    /// What belongs to a list that steps keep. Where nobody looks at the list, nothing is known of it.
    fn kept_slot(&self, world: &World, layout: &Layout, at: u8, path: Path) -> Option<Slot> {
        let list = &self.kept[usize::from(at)];
        is_seen(world, list).then(|| match path {
            _ if list.head == path => Slot::List(layout.find(kept_list(at))),
            _ if list.lock == path => Slot::Lock(layout.find(kept_lock(at))),
            _ => Slot::Part,
        })
    }

    /// Which device links the tree has.
    #[must_use]
    pub fn links(&self) -> &Links {
        &self.links
    }

    /// Whether the table or a cell of its own stands for a field.
    #[must_use]
    pub fn knows(&self, owner: &'static str, path: &str) -> bool {
        self.known.get(owner).is_some_and(|known| known.contains_key(path))
    }

    /// Whether some object has an opaque field of this name.
    #[must_use]
    pub fn knows_opaque(&self, field: &str) -> bool {
        self.opaque.contains(field)
    }

    /// What has cells of its own.
    #[must_use]
    pub fn added(&self) -> &Added {
        &self.added
    }

    /// What is assumed of a field, with the reason.
    #[must_use]
    pub fn assumption(&self, owner: &'static str, path: Path) -> Option<String> {
        let what = if owner == "global" { path.to_owned() } else { format!("{owner}.{path}") };
        Some(match self.known.get(owner)?.get(path)? {
            Known::Unset => format!("{what} is 0: nothing that scenarios reach sets it"),
            Known::Field(Field::Zero(reason)) => format!("{what} is 0: {reason}"),
            Known::Field(Field::Unlocked(reason)) => format!("{what} is not taken: {reason}"),
            Known::Field(Field::Empty(reason)) => format!("{what} is empty: {reason}"),
            _ => return None,
        })
    }
}

/// The number of each cell of its own in its object. Of the globals, the first are the klists' spinlocks, then come
/// the lists that steps keep: `kept` of them.
fn numbers(added: &Added, kept: usize) -> Vec<Number> {
    let number = |at: usize| {
        let owner = added.own[at].owner;
        let plain = owner == "global";
        let first = if plain { usize::from(KEPT) + 2 * kept } else { usize::from(FIRST) };
        let before = added.own[..at].iter().filter(|own| own.owner == owner).count();
        Number(u8::try_from(first + before).expect("internal: too many fields with cells of their own"))
    };
    (0..added.own.len()).map(number).collect()
}

/// The module's init or exit that a function's name stands for.
#[must_use]
pub fn callback(name: &str) -> Option<(&str, Module)> {
    let (what, module) = name.strip_prefix('<')?.strip_suffix('>')?.split_once(' ')?;
    Some((what, Module(module.parse().ok()?)))
}

/// A pointer that is always NULL.
#[must_use]
pub fn null() -> Cell<u8> {
    Cell::new(CORE, Number(u8::MAX))
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

/// The first of the cells of lists that steps keep.
const KEPT: u8 = FIRST + 72;

fn kept_list(at: u8) -> Cell<u8> {
    Cell::new(CORE, Number(KEPT + 2 * at))
}

fn kept_lock(at: u8) -> Cell<u8> {
    Cell::new(CORE, Number(KEPT + 2 * at + 1))
}

/// Whether somebody in a scenario looks at a list that steps keep.
fn is_seen(world: &World, list: &Kept) -> bool {
    world.calls().any(|call| call.name() == list.seen_by)
}

/// How many structures of one kind may be allocated in a run: memory that is freed is not used again, so that its
/// use afterwards is seen.
fn allocations(world: &World) -> usize {
    (world.devices.len() + world.drivers.len()).clamp(2, 8)
}

fn by_kind(layout: &Layout, cell: CellId) -> Slot {
    match &layout.info(cell).kind {
        Kind::Bool => Slot::Bool(cell),
        Kind::Count => Slot::Count(cell),
        Kind::Generation(..) => Slot::Generation(cell),
        Kind::Lock => Slot::Lock(cell),
        Kind::Pointer(_) => Slot::Pointer(cell),
        Kind::Work(_) => Slot::Work(cell),
        Kind::List(..) => Slot::List(cell),
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
        (GLOBAL, "device_links_lock") => layout.find(Core.device_links_lock()),
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
        // Of a series that was not merged (2014): the opposite of what probe_type asks for.
        (DRIVER, "sync_probe") => {
            truth(world.drivers[usize::from(at.index)].probe_type == ProbeType::ForceSynchronous)
        }
        (DRIVER, "suppress_bind_attrs") => ZERO,
        (PRIVATE, "driver") => whole(Driver(at.index).object()),
        (BUS, "p") => Value::Pointer(at, "p"),
        (BUS, "p.bus") => whole(at),
        (BUS, "match") => Value::Function("<match>"),
        (BUS, "need_parent_lock") => truth(world.buses[usize::from(at.index)].need_parent_lock),
        (BUS, "p.drivers_autoprobe") => truth(world.buses[usize::from(at.index)].autoprobe),
        (MODULE, "init" | "exit") => Value::Function(word(&format!("<{path} {}>", at.index))),
        (MODULE, "module_core" | "core_layout.base") => Value::Pointer(at, CODE),
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
