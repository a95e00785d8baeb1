//! Unbinding drivers from devices, after drivers/base/dd.c (docs/kernel/release.md).
//!
//! Left out: runtime power management of suppliers, notifiers, uevents. Of devres there is what
//! drivers of the scenario acquire.

use std::ops::ControlFlow::{Break, Continue};

use super::attach_work::flush_attach_work;
use super::cpu::Cpu;
use super::links::{device_links_busy, device_links_driver_cleanup, device_links_unbind_consumers};
use super::probe::links_matter;
use raddle_checker::atoms;
use raddle_checker::machine::cpu::Step;
use raddle_checker::machine::op::Action;
use raddle_probing::body::call_remove;
use raddle_probing::calls::devres_release_all;
use raddle_probing::events::Event;
use raddle_probing::ids::{Device, Driver};
use raddle_probing::objects::{DEVICE_REFS, Private};
use raddle_probing::runtime;

/// `__device_release_driver`, with the device lock held. `parent`: what the caller hands on, its lock held or not;
/// `named`: the driver that the caller names.
fn __device_release_driver(
    cpu: &Cpu<'_>,
    dev: Device,
    parent: Option<Device>,
    named: Option<Driver>,
) -> Step<()> {
    cpu.call("__device_release_driver", &atoms![dev], || {
        // 1.
        let Some(drv) = cpu.load(dev.driver())? else {
            return Ok(());
        };
        // 2. With the locks held.
        if cpu.rules().release_flushes_attach_work {
            flush_attach_work(cpu, drv)?;
        }
        if cpu.rules().release_waits_for_async && cpu.driver_allows_async_probing(drv) {
            cpu.async_synchronize_full()?;
        }
        // 3. Without the locks.
        let resumes_first = cpu.rules().pm_resumes_before_links;
        if resumes_first {
            runtime::get_sync(cpu, dev)?;
        }
        if !unbind_consumers(cpu, dev, parent, drv)? {
            return if resumes_first { runtime::put(cpu, dev) } else { Ok(()) };
        }
        if !resumes_first {
            runtime::get_sync(cpu, dev)?;
        }
        // 4. The sysfs links of the driver's kobject.
        let mut actions = cpu.driver_private(drv).to_vec();
        if links_matter(cpu) {
            actions.push(cpu.storing(dev.driver_link(), false));
        }
        cpu.step(actions)?;
        runtime::put_sync(cpu, dev)?;
        // 5.
        call_remove(cpu, drv, dev, named)?;
        // 6. 2e84dc379200 (v6.7): device links are updated last.
        if !cpu.rules().links_updated_last {
            device_links_driver_cleanup(cpu, dev)?;
        }
        // By all revisions before dev->driver is cleared.
        devres_release_all(cpu, dev)?;
        let released = cpu.storing(dev.driver(), None);
        cpu.step(cpu.telling(released, Event::Released(dev, drv)))?;
        super::dd::dev_set_drvdata(cpu, dev, None)?;
        super::probe::reinit_runtime_pm(cpu, dev)?;
        super::probe::count_bind(cpu, false)?;
        if cpu.rules().links_updated_last {
            device_links_driver_cleanup(cpu, dev)?;
        }
        // 7. klist_remove, which never sleeps: no iterator ever stands on this klist.
        let Some(listed) = cpu.load(dev.knode_driver())? else {
            return Ok(());
        };
        let klist = cpu.cell(Private(listed.0).klist_devices());
        cpu.step(vec![
            cpu.private(dev),
            cpu.storing(dev.knode_driver(), None),
            Action::KlistDel(klist, dev.object()),
        ])?;
        Ok(())
    })
}

/// Unbinds the consumers, until none is bound or probes: false if somebody else has released the device meanwhile.
fn unbind_consumers(cpu: &Cpu<'_>, dev: Device, parent: Option<Device>, drv: Driver) -> Step<bool> {
    if !cpu.world().has_links(dev) {
        return Ok(true);
    }
    // 8c97a46af04b (v4.18) to e121a833745b (v5.0): the parent's lock, whether it was taken or not.
    let locked = if cpu.rules().links_unlock_parent { parent } else { parent.and(cpu.locked_parent(dev)) };
    cpu.repeat((), |()| {
        if !device_links_busy(cpu, dev)? {
            return Ok(Break(true));
        }
        cpu.device_unlock(dev)?;
        if let Some(parent) = locked {
            cpu.device_unlock(parent)?;
        }
        device_links_unbind_consumers(cpu, dev)?;
        if let Some(parent) = locked {
            cpu.device_lock(parent)?;
        }
        cpu.device_lock(dev)?;
        let released = cpu.load(dev.driver())? != Some(drv);
        Ok(if released { Break(false) } else { Continue(()) })
    })
}

/// `device_release_driver`: never takes the parent's lock. `deleting`: `device_del` calls it.
pub fn device_release_driver(cpu: &Cpu<'_>, dev: Device, deleting: bool) -> Step<()> {
    cpu.call("device_release_driver", &atoms![dev], || {
        cpu.device_lock(dev)?;
        __device_release_driver(cpu, dev, None, None)?;
        let unlock = Action::Unlock(cpu.cell(dev.mutex()));
        cpu.step(cpu.telling(unlock, Event::ReleasePassed(dev, deleting)))?;
        Ok(())
    })
}

/// `device_driver_detach`: releases whatever is bound. `named`: what the user asked to unbind.
pub fn device_driver_detach(cpu: &Cpu<'_>, dev: Device, named: Option<Driver>) -> Step<()> {
    cpu.call("device_driver_detach", &atoms![dev], || {
        cpu.device_driver_lock(dev)?;
        let parent = if cpu.rules().unbind_hands_on_parent { cpu.parent(dev) } else { None };
        __device_release_driver(cpu, dev, parent, named)?;
        cpu.device_driver_unlock(dev)
    })
}

/// `device_release_driver_internal`, as the core calls it for a consumer: releases whatever is bound.
pub fn device_release_driver_internal(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    cpu.call("device_release_driver_internal", &atoms![dev], || {
        cpu.device_driver_lock(dev)?;
        __device_release_driver(cpu, dev, cpu.parent(dev), None)?;
        cpu.device_driver_unlock(dev)
    })
}

/// `driver_detach`: unbinds all devices of a driver that is off its bus' klist.
pub fn driver_detach(cpu: &Cpu<'_>, drv: Driver) -> Step<()> {
    cpu.call("driver_detach", &atoms![drv], || {
        // 1. c37d721c68ad (v5.0).
        if cpu.rules().detach_waits_for_async && cpu.driver_allows_async_probing(drv) {
            cpu.async_synchronize_full()?;
        }
        // 2.
        let klist = cpu.cell(Private(drv.0).klist_devices());
        cpu.repeat((), |()| {
            let follow = Action::Follow(cpu.cell(drv.p()));
            let last: Option<Device> = cpu.observe(vec![follow, Action::KlistLast(klist, DEVICE_REFS)])?;
            let Some(dev) = last else {
                return Ok(Break(()));
            };
            // 3.
            cpu.device_driver_lock(dev)?;
            if cpu.load(dev.driver())? == Some(drv) {
                __device_release_driver(cpu, dev, cpu.parent(dev), Some(drv))?;
            }
            cpu.device_driver_unlock(dev)?;
            // 4.
            cpu.put_device(dev)?;
            Ok(Continue(()))
        })
    })
}

/// `device_shutdown`: waits for probing and blocks it for ever, then calls the shutdown callbacks.
///
/// Left out: the callbacks themselves. Simplified: the devices are taken in reverse order of the file.
pub fn device_shutdown(cpu: &Cpu<'_>) -> Step<()> {
    cpu.call("device_shutdown", &[], || {
        if cpu.rules().shutdown_waits {
            super::deferred::wait_for_device_probe(cpu)?;
            super::deferred::device_block_probing(cpu)?;
        }
        for index in (0..cpu.world().devices.len() as u8).rev() {
            shutdown_device(cpu, Device(index))?;
        }
        Ok(())
    })
}

fn shutdown_device(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    cpu.call("device_shutdown: shutdown", &atoms![dev], || {
        if !cpu.find_device(dev)? {
            return Ok(());
        }
        // Always the parent's lock; need_parent_lock is not looked at.
        let parent = cpu.parent(dev);
        if let Some(parent) = parent {
            cpu.get_device(parent)?;
            cpu.device_lock(parent)?;
        }
        cpu.device_lock(dev)?;
        // It is not suspended any more.
        runtime::get_noresume(cpu, dev)?;
        runtime::barrier(cpu, dev)?;
        if let Some(drv) = cpu.load(dev.driver())? {
            cpu.deref_driver(drv)?;
        }
        cpu.device_unlock(dev)?;
        if let Some(parent) = parent {
            cpu.device_unlock(parent)?;
        }
        cpu.put_device(dev)?;
        if let Some(parent) = parent {
            cpu.put_device(parent)?;
        }
        Ok(())
    })
}
