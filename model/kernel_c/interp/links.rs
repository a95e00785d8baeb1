//! Device links: what stands for firmware, for runtime PM and for the link's own device.

use raddle_checker::machine::cpu::Step;
use raddle_checker::machine::op::Action;
use raddle_checker::machine::value::{Object, Obs};
use raddle_probing::ids::{Device, Link};
use raddle_probing::links::{GONE, MADE, NOT_MADE};
use raddle_probing::objects::{DEVICE, LINK};

use super::call::whole;
use super::{Flow, Interp};
use crate::ast::{Name, Stmt};
use crate::links::{U32, node_dev};
use crate::subject::{Assumed, Stuck};
use crate::value::{Path, Value, ZERO, truth};

/// The function of the work item that frees a link.
const RELEASE_LINK: &str = "device_link_release_fn";

impl Interp<'_> {
    /// What is done by hand where the scenario has links; `None` if it is something else.
    pub(super) fn links(&mut self, name: Name, args: &[Value]) -> Step<Option<Value>> {
        let world = self.cpu.world();
        if world.links.is_empty() {
            return Ok(None);
        }
        let of = match args.first() {
            Some(Value::Pointer(of, "")) if of.sort == DEVICE => {
                Some(Device(of.index)).filter(|dev| world.has_links(*dev))
            }
            _ => None,
        };
        match (name, args.first(), of) {
            ("device_pm_add" | "device_pm_remove", _, Some(dev)) => {
                self.step(self.cpu.storing(dev.in_dpm_list(), name == "device_pm_add"))?;
            }
            ("device_pm_initialized", _, Some(dev)) => {
                let there = self.step(Action::Load(self.cpu.cell(dev.in_dpm_list())))?;
                return Ok(Some(truth(there == Obs::Bool(true))));
            }
            ("fw_devlink_link_device", _, Some(dev)) => self.link_by_firmware(dev)?,
            // The link's own device in sysfs is not there. Its end is the link's, at once.
            ("device_register", Some(Value::Pointer(at, "link_dev")), _) if at.sort == LINK => {}
            ("device_unregister", Some(Value::Pointer(at, "link_dev")), _) if at.sort == LINK => {
                self.invoke(RELEASE_LINK, vec![Value::Pointer(*at, "rm_work")])?;
            }
            _ => return Ok(None),
        }
        Ok(Some(ZERO))
    }

    /// Before firmware asks for links, whoever adds a consumer makes them.
    pub(super) fn link_by_hand(&mut self, dev: Device) -> Step<()> {
        let links = self.c.map().links();
        if !self.cpu.world().has_links(dev) {
            return Ok(());
        }
        if !links.any {
            self.c.assume(Assumed::NoLinks);
        }
        if links.any && !links.by_firmware {
            for link in self.declared(dev) {
                self.make_link(link)?;
            }
            self.flush()?;
        }
        Ok(())
    }

    /// The links of a consumer that the scenario declares: those that no call makes.
    fn declared(&self, dev: Device) -> Vec<Link> {
        let world = self.cpu.world();
        world.suppliers(dev).filter(|link| world.links[link.index()].by_call.is_none()).collect()
    }

    fn make_link(&mut self, link: Link) -> Step<Value> {
        let args = self.asked(link)?;
        self.invoke("device_link_add", args)
    }

    /// What `device_link_add` is called with.
    fn asked(&self, link: Link) -> Step<Vec<Value>> {
        let decl = &self.cpu.world().links[link.index()];
        let flags = match self.c.map().links().asked(decl) {
            Ok(flags) => flags,
            Err((sort, name)) => return self.stuck_at(Stuck::absent(sort, name)),
        };
        Ok(vec![whole(decl.consumer.object()), whole(decl.supplier.object()), Value::Int(flags, U32)])
    }

    /// `device_link_add`, called by a driver.
    pub(super) fn link_by_call(&mut self, link: Link) -> Step<()> {
        let args = self.asked(link)?;
        // device_pm_initialized, which is not run, reads it.
        self.later(Action::Touch(self.cpu.world().links[link.index()].supplier.object()));
        self.run("device_link_add", args)
    }

    /// `device_link_del` of what `device_link_add` has returned: NULL, if it never made the link.
    pub(super) fn delete_link(&mut self, link: Link) -> Step<()> {
        let made = if self.is_wanted(link)? { ZERO } else { whole(link.object()) };
        self.run("device_link_del", vec![made])
    }

    /// `device_link_remove`.
    pub(super) fn remove_link(&mut self, link: Link) -> Step<()> {
        let decl = &self.cpu.world().links[link.index()];
        self.run("device_link_remove", vec![whole(decl.consumer.object()), whole(decl.supplier.object())])
    }

    /// `fw_devlink_link_device`: makes those links of a device whose other device is there. One that cannot be made is not
    /// asked for again.
    fn link_by_firmware(&mut self, dev: Device) -> Step<()> {
        let world = self.cpu.world();
        let consumers = world.consumers(dev).map(|link| (link, world.links[link.index()].consumer));
        let suppliers = world.suppliers(dev).map(|link| (link, world.links[link.index()].supplier));
        let declared = |(link, _): &(Link, Device)| world.links[link.index()].by_call.is_none();
        for (link, other) in consumers.chain(suppliers).filter(declared) {
            if self.step(Action::Load(self.cpu.cell(node_dev(other))))? == Obs::None
                || !self.is_wanted(link)?
            {
                continue;
            }
            if self.make_link(link)? == ZERO {
                self.step(self.cpu.storing(link.life(), GONE))?;
            }
        }
        Ok(())
    }

    /// Whether nothing has been made of a link yet.
    fn is_wanted(&mut self, link: Link) -> Step<bool> {
        Ok(self.step(Action::Load(self.cpu.cell(link.life())))? == Obs::Int(NOT_MADE))
    }

    /// Whether a device waits for suppliers that are no devices yet.
    pub(super) fn waits_for_firmware(&mut self, at: Object) -> Step<bool> {
        for link in self.declared(Device(at.index)) {
            if self.is_wanted(link)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A walk over the suppliers that a firmware node waits for: of several the first is looked at.
    pub(super) fn walk_waiting(
        &mut self,
        at: Object,
        path: Path,
        variable: Name,
        body: &'static Stmt,
    ) -> Step<Flow> {
        if !self.waits_for_firmware(at)? {
            return Ok(Flow::Next);
        }
        let frame = self.frames.len() - 1;
        self.set_local(frame, variable, "", Value::Pointer(at, super::join(path, "first")));
        Ok(super::flow::turned(self.stmt(body, None)?).unwrap_or(Flow::Next))
    }

    /// Memory for the link between the two devices that the function that executes has been given.
    pub(super) fn allocate_link(&mut self) -> Step<Value> {
        let frame = self.frames.len() - 1;
        let given = |name: Name| match self.local_value(frame, name, "") {
            Some(Value::Pointer(at, "")) if at.sort == DEVICE => Some(Device(at.index)),
            _ => None,
        };
        let ends = (given("consumer"), given("supplier"));
        let links = &self.cpu.world().links;
        let link = links.iter().position(|decl| (Some(decl.consumer), Some(decl.supplier)) == ends);
        let Some(link) = link.map(|at| Link(at as u8)) else {
            return self.stuck("a device link that the scenario does not have");
        };
        let made = self.cpu.storing(link.life(), MADE);
        self.step(vec![Action::Alloc(link.object()), made])?;
        Ok(Value::Pointer(link.object(), ""))
    }

    /// A link is freed.
    pub(super) fn free_link(&mut self, at: Object) -> Step<()> {
        let gone = self.cpu.storing(Link(at.index).life(), GONE);
        self.step(vec![gone, Action::Free(at)]).map(drop)
    }
}
