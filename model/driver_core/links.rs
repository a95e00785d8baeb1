//! Device links between consumers and suppliers, after drivers/base/core.c (docs/kernel/links.md).
//!
//! All links are managed ones: which device supplies which is declared. With fw_devlink they are firmware's, with
//! DL_FLAG_AUTOPROBE_CONSUMER. Left out: other flags, the references that a link holds on its devices, sync_state,
//! cycles and best-effort probing.

use std::ops::ControlFlow::{Break, Continue};

use super::cpu::Cpu;
use super::deferred::{driver_deferred_probe_add, wait_for_probes};
use super::release::device_release_driver_internal;
use raddle_checker::atoms;
use raddle_checker::machine::cpu::Step;
use raddle_probing::ids::{Device, Link};
use raddle_probing::links::{Driving, Status};
use raddle_probing::objects::Core;

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
    for link in links {
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
            cpu.store(link.status(), initial(of_supplier, of_consumer))
        })
    })
}

/// What a new link begins with.
fn initial(supplier: Driving, consumer: Driving) -> Status {
    match (supplier, consumer) {
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
            for link in &suppliers {
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
                match cpu.rules().fw_devlink {
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
            let reversed = |links: Vec<Link>| links.into_iter().rev().collect::<Vec<_>>();
            for_each_link(cpu, reversed(cpu.world().suppliers(dev).collect()), |link, status| {
                warn_on(cpu, link, status == Status::Active)?;
                cpu.store(link.status(), Status::Deleted)
            })?;
            for_each_link(cpu, reversed(cpu.world().consumers(dev).collect()), |link, status| {
                warn_on(cpu, link, status != Status::Dormant)?;
                cpu.store(link.status(), Status::Deleted)
            })
        })
    })
}
