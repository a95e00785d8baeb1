//! Devres on the machine: what of them has cells.
//!
//! What drivers acquire with devm- is on the real list of its device: `struct devres`, or `struct devres_action` where
//! the tree has that, is memory that the world keeps for each such call of a device, and the list is changed under
//! `devres_lock`. A device for which nothing is acquired has none of that.

use raddle_checker::machine::layout::{Cell, CellId, Field, Kind, Layout};
use raddle_checker::machine::value::Object;
use raddle_probing::ids::{Device, Devres};
use raddle_probing::objects::{DEVICE, DEVRES};
use raddle_probing::world::World;

use super::map::Slot;
use super::tree::Tree;
use super::value::{Path, Value, word};

/// `struct devres`.
pub const RECORD: &str = "struct devres";

/// Where the node of the list is in it.
pub const NODE: &str = "node.entry";

/// The list of a device, and its lock.
pub const HEAD: &str = "devres_head";
const LOCK: &str = "devres_lock";

/// What the tree's own functions store in a node.
#[derive(Clone, Copy, Debug, Default)]
pub struct Notes {
    /// Whether a node has functions of its own, which call that of the driver (v7.1).
    own_functions: bool,
}

impl Notes {
    /// Those of a tree.
    #[must_use]
    pub fn of(tree: &Tree) -> Self {
        Notes { own_functions: tree.function("devres_node_init", "drivers/base/devres.c").is_some() }
    }

    /// What a field of a devres is, or one of a device that has some; `None` if the tables say it.
    #[must_use]
    pub fn slot(&self, world: &World, layout: &Layout, at: Object, path: Path) -> Option<Slot> {
        match (at.sort, path) {
            (DEVICE, HEAD) if has_devres(world, Device(at.index)) => {
                Some(Slot::List(layout.find(head(Device(at.index)))))
            }
            (DEVICE, LOCK) if has_devres(world, Device(at.index)) => {
                Some(Slot::Lock(layout.find(lock(Device(at.index)))))
            }
            (DEVRES, "node.release" | "release" | "node.free_node") => {
                let (_, devres) = world.acquisitions().nth(usize::from(at.index))?;
                Some(Slot::Constant(Value::Function(match (path, self.own_functions) {
                    ("node.release", true) => "dr_node_release",
                    ("node.free_node", _) => "dr_node_free",
                    _ => releases(devres),
                })))
            }
            _ => None,
        }
    }
}

/// The function that undoes what a driver has acquired, as the driver gives it to the driver core.
#[must_use]
pub fn releases(devres: Devres) -> &'static str {
    word(&format!("<release {}>", devres.0))
}

/// The acquisition that a function undoes.
#[must_use]
pub fn released_by(function: &str) -> Option<Devres> {
    function.strip_prefix("<release ")?.strip_suffix('>')?.parse().ok().map(Devres)
}

/// Whether drivers acquire something for a device.
fn has_devres(world: &World, dev: Device) -> bool {
    world.devres_on(world.devices[dev.index()].bus).next().is_some()
}

/// Lays out the lists, their locks and what is on them.
pub fn lay_out(world: &World, layout: &mut Layout) {
    let all: Vec<(Device, Devres)> = world.acquisitions().collect();
    for dev in (0..world.devices.len() as u8).map(Device).filter(|dev| has_devres(world, *dev)) {
        let name = layout.object(dev.object()).name.clone();
        let most = u8::try_from(all.len()).unwrap_or(u8::MAX);
        layout.cell(head(dev), format!("{name}.{HEAD}"), Kind::List(DEVRES, most));
        layout.cell(lock(dev), format!("{name}.{LOCK}"), Kind::Lock);
    }
    for ((dev, devres), index) in all.into_iter().zip(0..=u8::MAX) {
        let (name, call) = (&layout.object(dev.object()).name, world.devres[devres.index()].acquire.name());
        let name = format!("devres of {call} of {name}");
        layout.mortal(Object { sort: DEVRES, index }, name, "use-after-free");
    }
}

/// The device that a devres is of.
#[must_use]
pub fn device_of(world: &World, at: Object) -> Option<Device> {
    let mut all = world.acquisitions().filter(|_| at.sort == DEVRES);
    all.nth(usize::from(at.index)).map(|(dev, _)| dev)
}

/// The list on which the node of a devres may be.
#[must_use]
pub fn list_of(world: &World, layout: &Layout, at: Object, node: Path) -> Option<CellId> {
    device_of(world, at).filter(|_| node == NODE).map(|dev| layout.find(head(dev)))
}

fn head(dev: Device) -> Cell<u8> {
    Cell::new(dev.object(), Field(43))
}

fn lock(dev: Device) -> Cell<u8> {
    Cell::new(dev.object(), Field(44))
}
