//! Device links and `driver_override` on the machine: what of them has cells.
//!
//! Links are made by the tree's own `device_link_add`, of the memory that the world keeps for each declared link, and are
//! on its lists of consumers and suppliers. What stands for firmware: each device that has links has a node (`fwnode`), whose
//! list of suppliers has those of whose links nothing has been made yet. A device without links has none of that.

use raddle_checker::machine::layout::{Cell, CellId, Field, Kind, Layout};
use raddle_checker::machine::value::Object;
use raddle_probing::ids::{Device, Link};
use raddle_probing::objects::{DEVICE, LINK};
use raddle_probing::world::{LinkDecl, LinkFlags, World};

use super::ast::{Int, Name};
use super::map::Slot;
use super::tree::Tree;
use super::value::{Path, Value};

/// `struct device_link`.
pub const RECORD: &str = "struct device_link";

/// The path of a device's firmware node.
pub const NODE: &str = "fwnode[]";

/// `u32`.
pub const U32: Int = Int { signed: false, bytes: 4 };

/// Whether a call asks for a flag.
type IsAsked = fn(LinkFlags) -> bool;

/// The flags that calls of a scenario may ask for.
const BY_CALL: [(Name, IsAsked); 4] = [
    ("DL_FLAG_STATELESS", |flags| flags.stateless),
    ("DL_FLAG_AUTOREMOVE_CONSUMER", |flags| flags.autoremove_consumer),
    ("DL_FLAG_AUTOREMOVE_SUPPLIER", |flags| flags.autoremove_supplier),
    ("DL_FLAG_AUTOPROBE_CONSUMER", |flags| flags.autoprobe_consumer),
];

/// The flags that firmware asks for.
const BY_FIRMWARE: [Name; 2] = ["DL_FLAG_AUTOPROBE_CONSUMER", "DL_FLAG_INFERRED"];

/// The flags that the driver core sets by itself.
const BY_CORE: [Name; 3] = ["DL_FLAG_MANAGED", "DL_FLAG_SYNC_STATE_ONLY", "DL_FLAG_CYCLE"];

/// Which links a tree has.
#[derive(Clone, Copy, Debug, Default)]
pub struct Links {
    /// Whether it has any.
    pub any: bool,
    /// Whether firmware asks for them: then the later of the two devices makes them, else whoever adds the consumer.
    pub by_firmware: bool,
    /// The flags of [`BY_CALL`], as far as the tree has them.
    by_call: [Option<i64>; 4],
    /// The flags that a link is declared with: those that firmware asks for.
    declared: i64,
    /// The flag that the driver core gives those that it manages.
    managed: i64,
    /// All flags that a link may have: none of runtime PM.
    flags: u32,
}

impl Links {
    /// Those of a tree.
    #[must_use]
    pub fn of(tree: &Tree) -> Self {
        let has = |name: &str| tree.function(name, "drivers/base/core.c").is_some();
        let flag = |name: &str| tree.constant(name).map(|number| number as i64);
        let all = |names: &[Name]| names.iter().filter_map(|name| flag(name)).fold(0, |all, one| all | one);
        let by_call = BY_CALL.map(|(name, _)| flag(name));
        let flags =
            all(&BY_FIRMWARE) | all(&BY_CORE) | by_call.iter().flatten().fold(0, |all, one| all | one);
        let by_firmware = has("fw_devlink_link_device");
        Links {
            any: has("device_link_add"),
            by_firmware,
            by_call,
            declared: if by_firmware { all(&BY_FIRMWARE) } else { 0 },
            managed: all(&BY_CORE[..1]),
            flags: flags as u32,
        }
    }

    /// The flags that `device_link_add` is called with.
    ///
    /// # Errors
    ///
    /// What the tree does not have: its sort, and its name.
    pub fn asked(&self, link: &LinkDecl) -> Result<i64, (&'static str, Name)> {
        if !self.any {
            return Err(("function", "device_link_add"));
        }
        let Some(flags) = link.by_call else { return Ok(self.declared) };
        let wanted = BY_CALL.iter().zip(self.by_call).filter(|((_, asks), _)| asks(flags));
        wanted.map(|((name, _), flag)| flag.ok_or(("flag", *name))).try_fold(0, |all, one| Ok(all | one?))
    }

    /// What a field of a link is, or one of a device that has links or a `driver_override`; `None` if the tables say it.
    #[must_use]
    pub fn slot(&self, world: &World, layout: &Layout, at: Object, path: Path) -> Option<Slot> {
        let whole = |dev: Device| Slot::Constant(Value::Pointer(dev.object(), ""));
        if at.sort == LINK {
            let decl = world.links.get(usize::from(at.index))?;
            return Some(match path {
                "supplier" => whole(decl.supplier),
                "consumer" => whole(decl.consumer),
                "status" => Slot::FromMinusOne(layout.find(Link(at.index).status())),
                // Those of a declared link do not change, and nobody counts its references.
                "flags" if decl.by_call.is_none() => {
                    Slot::Constant(Value::Int(self.declared | self.managed, U32))
                }
                "flags" => Slot::Packed(layout.find(flags(Link(at.index))), self.flags),
                "kref.refcount" if decl.by_call.is_some() => Slot::Atomic(layout.find(Link(at.index).kref())),
                _ => return None,
            });
        }
        let dev = Device(at.index);
        if at.sort != DEVICE {
            return None;
        }
        match path {
            "driver_override.name" if world.has_overrides(dev) => {
                return Some(Slot::Pointer(layout.find(dev.driver_override())));
            }
            "driver_override.lock" if world.has_overrides(dev) => {
                return Some(Slot::Lock(layout.find(dev.override_lock())));
            }
            _ => {}
        }
        if world.links.is_empty() || !world.has_links(dev) {
            return None;
        }
        let node = Value::Pointer(at, NODE);
        Some(match path {
            "links.consumers" => Slot::List(layout.find(consumers(dev))),
            "links.suppliers" => Slot::List(layout.find(suppliers(dev))),
            "links.status" => Slot::Int(layout.find(dev.driving())),
            "fwnode" if self.by_firmware => Slot::Constant(node),
            "fwnode[].dev" => Slot::Own(layout.find(node_dev(dev)), Value::Pointer(at, "")),
            "fwnode[].suppliers" => Slot::Waiting,
            "fwnode[].suppliers.first.supplier" => Slot::Constant(node),
            _ => return None,
        })
    }
}

/// Lays out what a link and the lists of links have, and the firmware nodes.
pub fn lay_out(world: &World, layout: &mut Layout) {
    for (decl, link) in world.links.iter().zip((0..).map(Link)).filter(|(decl, _)| decl.by_call.is_some()) {
        layout.cell(flags(link), format!("link {}.flags", decl.name), Kind::Int);
    }
    let all = world.links.len() as u8;
    for dev in (0..world.devices.len() as u8).map(Device).filter(|dev| world.has_links(*dev)) {
        let name = layout.object(dev.object()).name.clone();
        layout.cell(consumers(dev), format!("{name}.links.consumers"), Kind::List(LINK, all));
        layout.cell(suppliers(dev), format!("{name}.links.suppliers"), Kind::List(LINK, all));
        // A firmware node outlives its device.
        layout.ghost(node_dev(dev), format!("{name}.fwnode.dev"), Kind::Pointer(vec![DEVICE]));
    }
}

/// The nodes on a device's list of links.
#[must_use]
pub fn node_of(head: Path) -> Option<Path> {
    match head {
        "links.consumers" => Some("s_node"),
        "links.suppliers" => Some("c_node"),
        _ => None,
    }
}

/// The one list on which a node of a link may be.
#[must_use]
pub fn list_of(world: &World, layout: &Layout, link: Object, node: Path) -> Option<CellId> {
    let decl = world.links.get(usize::from(link.index)).filter(|_| link.sort == LINK)?;
    match node {
        "s_node" => Some(layout.find(consumers(decl.supplier))),
        "c_node" => Some(layout.find(suppliers(decl.consumer))),
        _ => None,
    }
}

/// Where a firmware node knows its device.
#[must_use]
pub fn node_dev(dev: Device) -> Cell<Option<Object>> {
    Cell::new(dev.object(), Field(40))
}

fn flags(link: Link) -> Cell<u8> {
    Cell::new(link.object(), Field(40))
}

fn consumers(dev: Device) -> Cell<u8> {
    Cell::new(dev.object(), Field(41))
}

fn suppliers(dev: Device) -> Cell<u8> {
    Cell::new(dev.object(), Field(42))
}
