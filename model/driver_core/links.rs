//! Device links between consumers and suppliers, after drivers/base/core.c (docs/kernel/links.md).
//!
//! Links that are declared are managed ones. With fw_devlink they are firmware's, with DL_FLAG_AUTOPROBE_CONSUMER.
//! Others are made by calls, with the flags that the scenario gives them. Left out: DL_FLAG_PM_RUNTIME,
//! DL_FLAG_SYNC_STATE_ONLY and sync_state, the references that a link holds on its devices, cycles and best-effort
//! probing.

use std::ops::ControlFlow::{Break, Continue};

use super::cpu::Cpu;
use super::deferred::{driver_deferred_probe_add, wait_for_probes};
use super::release::device_release_driver_internal;
use raddle_checker::atoms;
use raddle_checker::machine::cpu::Step;
use raddle_checker::machine::op::Action;
use raddle_probing::ids::{Device, Link};
use raddle_probing::links::{Driving, Status};
use raddle_probing::objects::Core;
use raddle_probing::world::LinkFlags;

/// Whether a revision knows links and the device has any.
fn has_links(cpu: &Cpu<'_>, dev: Device) -> bool {
    cpu.rules().device_links && cpu.world().has_links(dev)
}

fn consumer(cpu: &Cpu<'_>, link: Link) -> Device {
    cpu.world().links[link.index()].consumer
}

fn supplier(cpu: &Cpu<'_>, link: Link) -> Device {
    cpu.world().links[link.index()].supplier
}

/// What a function does with `device_links_lock` held.
fn locked<T>(cpu: &Cpu<'_>, body: impl FnOnce() -> Step<T>) -> Step<T> {
    cpu.lock(Core.device_links_lock())?;
    let result = body()?;
    cpu.unlock(Core.device_links_lock())?;
    Ok(result)
}

/// The links of a list that are there, each with its status.
fn for_each_link(
    cpu: &Cpu<'_>,
    links: Vec<Link>,
    mut each: impl FnMut(Link, Status) -> Step<()>,
) -> Step<()> {
    for link in links {
        let status = cpu.load(link.status())?;
        if !matches!(status, Status::None | Status::Deleted) {
            each(link, status)?;
        }
    }
    Ok(())
}

/// `WARN_ON`.
fn warn_on(cpu: &Cpu<'_>, link: Link, wrong: bool) -> Step<()> {
    if wrong { cpu.warn(link.object()) } else { Ok(()) }
}

/// The links of a device are made that can be: `device_link_add` with the other device there. `early`: the device
/// is about to be added, else it has been.
///
/// With fw_devlink the device that comes later makes them, before it whoever adds the consumer does.
pub fn make_links(cpu: &Cpu<'_>, dev: Device, early: bool) -> Step<()> {
    if !has_links(cpu, dev) {
        return Ok(());
    }
    let by_firmware = cpu.rules().fw_devlink;
    if !early {
        // device_pm_add.
        cpu.store(dev.in_dpm_list(), true)?;
    }
    if by_firmware == early {
        return Ok(());
    }
    let world = cpu.world();
    let mut links: Vec<Link> = world.suppliers(dev).collect();
    if by_firmware {
        links.extend(world.consumers(dev));
    }
    for link in links.into_iter().filter(|link| flags(cpu, *link).is_none()) {
        device_link_add(cpu, link)?;
    }
    Ok(())
}

/// `device_link_add`, unless it is there already: in vain if the supplier has not been added, or is deleted.
fn device_link_add(cpu: &Cpu<'_>, link: Link) -> Step<()> {
    cpu.call("device_link_add", &atoms![consumer(cpu, link), supplier(cpu, link)], || {
        locked(cpu, || {
            let there = cpu.load(supplier(cpu, link).in_dpm_list())?;
            let by_consumer = !cpu.rules().fw_devlink || cpu.load(consumer(cpu, link).in_dpm_list())?;
            if !there || !by_consumer || cpu.load(link.status())? != Status::None {
                return Ok(());
            }
            let of_supplier = cpu.load(supplier(cpu, link).driving())?;
            let of_consumer = cpu.load(consumer(cpu, link).driving())?;
            cpu.store(link.status(), initial(cpu, of_supplier, of_consumer))
        })
    })
}

/// The flags of a link that calls make.
fn flags(cpu: &Cpu<'_>, link: Link) -> Option<LinkFlags> {
    cpu.world().links[link.index()].by_call
}

/// `device_link_add`, called from outside the core: in vain if the supplier has not been added, or is deleted.
pub fn link_by_call(cpu: &Cpu<'_>, link: Link) -> Step<()> {
    let Some(flags) = flags(cpu, link).filter(|_| cpu.rules().device_links) else { return Ok(()) };
    cpu.call("device_link_add", &atoms![consumer(cpu, link), supplier(cpu, link)], || {
        locked(cpu, || {
            let (supplier, consumer) = (supplier(cpu, link), consumer(cpu, link));
            cpu.touch(supplier.object())?;
            if !cpu.load(supplier.in_dpm_list())? {
                return Ok(());
            }
            let get = Action::Get(cpu.cell(link.kref()));
            if cpu.load(link.kref())? > 0 {
                // 72175d4ea4c4 (v5.1): a managed link has one reference, the core's.
                let counts = flags.stateless || !cpu.rules().core_owns_links;
                return if counts { cpu.step(get).map(drop) } else { Ok(()) };
            }
            // A new link takes a reference on each of the two.
            let mut new = vec![Action::Touch(consumer.object()), Action::Alloc(link.memory()), get];
            if !flags.stateless {
                let of_supplier = cpu.load(supplier.driving())?;
                let of_consumer = cpu.load(consumer.driving())?;
                new.push(cpu.storing(link.status(), initial(cpu, of_supplier, of_consumer)));
            }
            cpu.step(new).map(drop)
        })
    })
}

/// `device_link_del`.
pub fn device_link_del(cpu: &Cpu<'_>, link: Link) -> Step<()> {
    if !cpu.rules().device_links {
        return Ok(());
    }
    cpu.call("device_link_del", &atoms![link], || {
        locked(cpu, || {
            cpu.touch(link.memory())?;
            device_link_put_kref(cpu, link)
        })
    })
}

/// `device_link_remove`.
pub fn device_link_remove(cpu: &Cpu<'_>, link: Link) -> Step<()> {
    if !cpu.rules().device_links {
        return Ok(());
    }
    cpu.call("device_link_remove", &atoms![consumer(cpu, link), supplier(cpu, link)], || {
        locked(cpu, || {
            // It is looked up on a list of the supplier's.
            cpu.touch(supplier(cpu, link).object())?;
            match cpu.load(link.kref())? {
                0 => Ok(()),
                _ => device_link_put_kref(cpu, link),
            }
        })
    })
}

/// `device_link_put_kref`, of a link that is there.
fn device_link_put_kref(cpu: &Cpu<'_>, link: Link) -> Step<()> {
    let stateless = flags(cpu, link).is_some_and(|flags| flags.stateless);
    if stateless || !cpu.rules().core_owns_links {
        return drop_link(cpu, link);
    }
    let orphan = cpu.rules().link_del_of_orphans && !cpu.load(consumer(cpu, link).registered())?;
    if orphan { delete(cpu, link) } else { cpu.warn(link.memory()) }
}

/// A reference on a link is dropped; the last one deletes it.
fn drop_link(cpu: &Cpu<'_>, link: Link) -> Step<()> {
    let last = cpu.observe(Action::Dec(cpu.cell(link.kref())))?;
    if last { delete(cpu, link) } else { Ok(()) }
}

/// `__device_link_del`: the link leaves the lists of its devices, and goes. A declared one does not come back.
fn delete(cpu: &Cpu<'_>, link: Link) -> Step<()> {
    if flags(cpu, link).is_none() {
        return cpu.store(link.status(), Status::Deleted);
    }
    cpu.step(vec![
        cpu.storing(link.status(), Status::None),
        cpu.storing(link.kref(), 0),
        Action::Free(link.memory()),
    ])
    .map(drop)
}

/// What a new link begins with.
fn initial(cpu: &Cpu<'_>, supplier: Driving, consumer: Driving) -> Status {
    match (supplier, consumer) {
        // Up to v5.0 a supplier that probes supplies nothing yet.
        (Driving::Probing, Driving::Probing) if !cpu.rules().core_owns_links => Status::Dormant,
        (Driving::Probing | Driving::Bound, Driving::Probing) => Status::ConsumerProbe,
        (Driving::Bound, Driving::Bound) => Status::Active,
        (Driving::Bound, _) => Status::Available,
        (Driving::Unbinding, _) => Status::SupplierUnbind,
        (Driving::NoDriver | Driving::Probing, _) => Status::Dormant,
    }
}

/// `device_links_check_suppliers`: false if the probe is to be deferred.
pub fn device_links_check_suppliers(cpu: &Cpu<'_>, dev: Device) -> Step<bool> {
    if !has_links(cpu, dev) {
        return Ok(true);
    }
    cpu.call("device_links_check_suppliers", &atoms![dev], || {
        let suppliers: Vec<Link> = cpu.world().suppliers(dev).collect();
        // 1. A supplier that is no device yet.
        if cpu.rules().fw_devlink {
            for link in suppliers.iter().filter(|link| flags(cpu, **link).is_none()) {
                if cpu.load(link.status())? == Status::None {
                    return Ok(false);
                }
            }
        }
        // 2. to 4.
        locked(cpu, || {
            let mut ready = true;
            for link in &suppliers {
                match cpu.load(link.status())? {
                    Status::None | Status::Deleted => {}
                    Status::Available => cpu.store(link.status(), Status::ConsumerProbe)?,
                    _ => {
                        device_links_missing_supplier(cpu, dev)?;
                        ready = false;
                        break;
                    }
                }
            }
            cpu.store(dev.driving(), Driving::Probing)?;
            Ok(ready)
        })
    })
}

/// `device_links_missing_supplier`: those that were looked at are available again.
fn device_links_missing_supplier(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    for_each_link(cpu, cpu.world().suppliers(dev).collect(), |link, status| match status {
        Status::ConsumerProbe => let_go(cpu, link),
        _ => Ok(()),
    })
}

/// A consumer lets go of its supplier.
fn let_go(cpu: &Cpu<'_>, link: Link) -> Step<()> {
    // 8c3e315d4296 (v5.8) looks whether the supplier is bound.
    let bound =
        !cpu.rules().links_look_at_supplier || cpu.load(supplier(cpu, link).driving())? == Driving::Bound;
    warn_on(cpu, link, !bound)?;
    cpu.store(link.status(), if bound { Status::Available } else { Status::Dormant })
}

/// `device_links_driver_bound`.
pub fn device_links_driver_bound(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    if !has_links(cpu, dev) {
        return Ok(());
    }
    cpu.call("device_links_driver_bound", &atoms![dev], || {
        locked(cpu, || {
            for_each_link(cpu, cpu.world().consumers(dev).collect(), |link, status| {
                if matches!(status, Status::ConsumerProbe | Status::Active) {
                    return Ok(());
                }
                warn_on(cpu, link, status != Status::Dormant)?;
                cpu.store(link.status(), Status::Available)?;
                // DL_FLAG_AUTOPROBE_CONSUMER, which firmware's links have.
                let autoprobe = match flags(cpu, link) {
                    Some(flags) => flags.autoprobe_consumer && cpu.rules().core_owns_links,
                    None => cpu.rules().fw_devlink,
                };
                match autoprobe {
                    true => driver_deferred_probe_add(cpu, consumer(cpu, link)),
                    false => Ok(()),
                }
            })?;
            for_each_link(cpu, cpu.world().suppliers(dev).collect(), |link, status| {
                warn_on(cpu, link, status != Status::ConsumerProbe)?;
                cpu.store(link.status(), Status::Active)
            })?;
            cpu.store(dev.driving(), Driving::Bound)
        })
    })
}

/// `__device_links_no_driver`.
fn __device_links_no_driver(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    let mut suppliers: Vec<Link> = cpu.world().suppliers(dev).collect();
    suppliers.reverse();
    for_each_link(cpu, suppliers, |link, status| match status {
        _ if flags(cpu, link).is_some_and(|flags| flags.autoremove_consumer) => drop_link(cpu, link),
        Status::ConsumerProbe | Status::Active => let_go(cpu, link),
        _ => Ok(()),
    })?;
    cpu.store(dev.driving(), Driving::NoDriver)
}

/// `device_links_no_driver`: a probe has failed.
pub fn device_links_no_driver(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    if !has_links(cpu, dev) {
        return Ok(());
    }
    cpu.call("device_links_no_driver", &atoms![dev], || {
        locked(cpu, || {
            for_each_link(cpu, cpu.world().consumers(dev).collect(), |link, status| match status {
                Status::ConsumerProbe | Status::Active => cpu.store(link.status(), Status::Dormant),
                _ => Ok(()),
            })?;
            __device_links_no_driver(cpu, dev)
        })
    })
}

/// `device_links_driver_cleanup`: a remove has returned.
pub fn device_links_driver_cleanup(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    if !has_links(cpu, dev) {
        return Ok(());
    }
    cpu.call("device_links_driver_cleanup", &atoms![dev], || {
        locked(cpu, || {
            for_each_link(cpu, cpu.world().consumers(dev).collect(), |link, status| {
                warn_on(cpu, link, status != Status::SupplierUnbind)?;
                let removes = flags(cpu, link).is_some_and(|flags| flags.autoremove_supplier);
                if removes && status == Status::SupplierUnbind {
                    return drop_link(cpu, link);
                }
                cpu.store(link.status(), Status::Dormant)
            })?;
            __device_links_no_driver(cpu, dev)
        })
    })
}

/// `device_links_busy`: whether a consumer is bound or probes; the links before it can be used no more.
pub fn device_links_busy(cpu: &Cpu<'_>, dev: Device) -> Step<bool> {
    if !has_links(cpu, dev) {
        return Ok(false);
    }
    cpu.call("device_links_busy", &atoms![dev], || {
        locked(cpu, || {
            let mut busy = false;
            for link in cpu.world().consumers(dev) {
                match cpu.load(link.status())? {
                    Status::None | Status::Deleted => {}
                    Status::ConsumerProbe | Status::Active => {
                        busy = true;
                        break;
                    }
                    _ => cpu.store(link.status(), Status::SupplierUnbind)?,
                }
            }
            cpu.store(dev.driving(), Driving::Unbinding)?;
            Ok(busy)
        })
    })
}

/// What `device_links_unbind_consumers` finds to do next.
enum Found {
    /// A consumer that probes: it is waited for.
    Probing,
    /// A consumer that is bound.
    Bound(Device),
}

/// `device_links_unbind_consumers`: no lock is held.
pub fn device_links_unbind_consumers(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    cpu.call("device_links_unbind_consumers", &atoms![dev], || {
        cpu.repeat((), |()| {
            cpu.lock(Core.device_links_lock())?;
            let mut found = None;
            for link in cpu.world().consumers(dev) {
                let status = cpu.load(link.status())?;
                match status {
                    Status::None | Status::Deleted => continue,
                    Status::ConsumerProbe => found = Some(Found::Probing),
                    _ => {
                        cpu.store(link.status(), Status::SupplierUnbind)?;
                        if status == Status::Active {
                            found = Some(Found::Bound(consumer(cpu, link)));
                        }
                    }
                }
                if found.is_some() {
                    break;
                }
            }
            if let Some(Found::Bound(consumer)) = found {
                cpu.get_device(consumer)?;
            }
            cpu.unlock(Core.device_links_lock())?;
            match found {
                None => return Ok(Break(())),
                Some(Found::Probing) => wait_for_probes(cpu)?,
                Some(Found::Bound(consumer)) => {
                    device_release_driver_internal(cpu, consumer)?;
                    cpu.put_device(consumer)?;
                }
            }
            Ok(Continue(()))
        })
    })
}

/// `device_links_purge`: a device goes, and its links with it.
pub fn device_links_purge(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    if !has_links(cpu, dev) {
        return Ok(());
    }
    // device_pm_remove.
    cpu.store(dev.in_dpm_list(), false)?;
    cpu.call("device_links_purge", &atoms![dev], || {
        locked(cpu, || {
            for (links, of_supplier) in [
                (cpu.world().suppliers(dev).collect::<Vec<_>>(), false),
                (cpu.world().consumers(dev).collect(), true),
            ] {
                for link in links.into_iter().rev() {
                    purge(cpu, link, of_supplier)?;
                }
            }
            Ok(())
        })
    })
}

/// One of the links of a device that goes: a warning if it is in use.
fn purge(cpu: &Cpu<'_>, link: Link, of_supplier: bool) -> Step<()> {
    if flags(cpu, link).is_some_and(|flags| flags.stateless) {
        return if cpu.load(link.kref())? > 0 { delete(cpu, link) } else { Ok(()) };
    }
    let status = cpu.load(link.status())?;
    if matches!(status, Status::None | Status::Deleted) {
        return Ok(());
    }
    let wrong = if of_supplier { status != Status::Dormant } else { status == Status::Active };
    warn_on(cpu, link, wrong)?;
    delete(cpu, link)
}
