//! Devices come and go, after drivers/base/core.c (docs/kernel/device.md).
//!
//! Left out: sysfs but for the flag that says whether the device is registered, system sleep,
//! device nodes, classes, notifiers, uevents, and firmware nodes but for the device links that they ask for.

use super::bus::{bus_add_device, bus_probe_device, bus_remove_device};
use super::cpu::{Cpu, Errno};
use super::dd::is_dead;
use super::deferred::driver_deferred_probe_del;
use super::links::{device_links_purge, make_links};
use raddle_checker::atoms;
use raddle_checker::machine::cpu::Step;
use raddle_checker::machine::op::Action;
use raddle_checker::machine::value::{Datum, Obs};
use raddle_probing::events::Event;
use raddle_probing::hooks::{create_group, remove_group};
use raddle_probing::ids::{Device, Driver};
use raddle_probing::runtime;
use raddle_probing::world::{AddOutcome, Group};

/// `device_add`.
pub fn device_add(cpu: &Cpu<'_>, dev: Device) -> Step<Result<(), Errno>> {
    cpu.call("device_add", &atoms![dev], || {
        let outcomes = &cpu.world().devices[dev.index()].add;
        let outcome = outcomes[cpu.choose(outcomes.len())?];
        // Before fw_devlink whoever adds a consumer links it.
        make_links(cpu, dev, true)?;
        // 1. 2.
        let private = dev.private().object();
        // There is a new private part only if there was none: dead, once set, is never cleared.
        let mut actions = vec![
            Action::Get(cpu.cell(dev.refs())),
            Action::Alloc(private),
            cpu.storing(dev.p(), Some(private)),
        ];
        if let Some(parent) = cpu.parent(dev) {
            actions.push(Action::Get(cpu.cell(parent.refs())));
            actions.push(cpu.storing(dev.holds_parent(), true));
        }
        actions.push(cpu.storing(dev.registered(), true));
        if cpu.watched().uevent {
            actions.push(cpu.storing(dev.uevent_file(), true));
        }
        cpu.step(actions)?;
        create_group(cpu, dev, Group::Device)?;
        if outcome == AddOutcome::FailsBeforeKlist {
            return fail(cpu, dev);
        }
        // 3.
        bus_add_device(cpu, dev)?;
        if outcome == AddOutcome::FailsAfterKlist {
            if cpu.rules().add_failure_clears_driver {
                // v6.3: without the device lock, so that the release below is skipped.
                cpu.store(dev.driver(), None)?;
            }
            runtime::remove(cpu, dev, cpu.rules().pm_remove_flushes)?;
            bus_remove_device(cpu, dev, false)?;
            return fail(cpu, dev);
        }
        // 5.
        make_links(cpu, dev, false)?;
        // 6.
        if cpu.rules().ready_flag {
            cpu.device_lock(dev)?;
            cpu.store(dev.ready(), true)?;
            cpu.device_unlock(dev)?;
        }
        // 7.
        bus_probe_device(cpu, dev)?;
        // 8. The parent's klist of children, which is in its private part, holds a reference.
        if let Some(parent) = cpu.parent(dev) {
            let get = Action::Get(cpu.cell(dev.refs()));
            cpu.step(vec![cpu.private(parent), get, cpu.storing(dev.on_parent(), true)])?;
        }
        // 9. From here on it may be deleted.
        cpu.putting(dev, vec![Action::Store(cpu.cell(dev.added()), true.to_obs())])?;
        Ok(Ok(()))
    })
}

/// The error path of `device_add`: the device stays with its creator's reference, its private part
/// is freed.
fn fail(cpu: &Cpu<'_>, dev: Device) -> Step<Result<(), Errno>> {
    remove_files(cpu, dev)?;
    cpu.store(dev.registered(), false)?;
    put_parent(cpu, dev)?;
    cpu.step(vec![Action::Free(dev.private().object()), cpu.storing(dev.p(), None)])?;
    cpu.put_device(dev)?;
    Ok(Err(Errno::Failed))
}

/// Removing the device's files drains their readers.
fn remove_files(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    remove_group(cpu, dev, Group::Device)?;
    if cpu.watched().uevent {
        cpu.store(dev.uevent_file(), false)?;
        cpu.step(Action::AwaitZero(cpu.cell(dev.uevent_readers())))?;
    }
    Ok(())
}

fn put_parent(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    let Some(parent) = cpu.parent(dev) else {
        return Ok(());
    };
    cpu.store(dev.holds_parent(), false)?;
    cpu.put_device(parent)
}

/// `device_del`.
pub fn device_del(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    cpu.call("device_del", &atoms![dev], || {
        let claim = Action::Claim(cpu.cell(dev.added()));
        if cpu.world().environment.contract_kept {
            // device_add has returned 0, and this is the first device_del.
            cpu.step(claim)?;
        } else {
            // device_add has returned 0 once.
            let begin = vec![claim, cpu.storing(dev.added(), true)];
            cpu.step(cpu.telling(begin, Event::DeleteBegins(dev)))?;
        }
        // 1. 3451a495ef24 (v5.1).
        if cpu.rules().dead_flag {
            cpu.device_lock(dev)?;
            set_dead(cpu, dev)?;
            cpu.device_unlock(dev)?;
        }
        // 2.
        if cpu.parent(dev).is_some() {
            cpu.putting(dev, vec![cpu.storing(dev.on_parent(), false)])?;
        }
        remove_files(cpu, dev)?;
        // 3.
        bus_remove_device(cpu, dev, true)?;
        // 4. device_pm_remove.
        runtime::remove(cpu, dev, cpu.rules().pm_remove_flushes)?;
        // 5.
        driver_deferred_probe_del(cpu, dev, true)?;
        // 6.
        device_links_purge(cpu, dev)?;
        // 7.
        cpu.store(dev.registered(), false)?;
        // 8.
        put_parent(cpu, dev)
    })
}

fn set_dead(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    cpu.step(vec![cpu.private(dev), cpu.storing(dev.dead(), true)]).map(drop)
}

/// `kill_device` with the device lock around it: whether the device was not dead.
pub fn kill_device(cpu: &Cpu<'_>, dev: Device) -> Step<bool> {
    cpu.device_lock(dev)?;
    let was_dead = is_dead(cpu, dev)?;
    if !was_dead {
        set_dead(cpu, dev)?;
    }
    cpu.device_unlock(dev)?;
    Ok(!was_dead)
}

/// `device_unregister`.
pub fn device_unregister(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    cpu.call("device_unregister", &atoms![dev], || {
        device_del(cpu, dev)?;
        cpu.putting(dev, vec![cpu.storing(dev.created(), false)])
    })
}

/// Reads a device's `uevent` file (docs/kernel/uevent.md): `dev_uevent` names the driver.
pub fn uevent_show(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    cpu.call("uevent_show", &atoms![dev], || {
        let readers = cpu.cell(dev.uevent_readers());
        let open = Action::EnterIf(cpu.cell(dev.uevent_file()), readers);
        if cpu.step(open)? == Obs::None {
            return Ok(());
        }
        let tested: Option<Driver> = cpu.load(dev.driver())?;
        if let Some(tested) = tested {
            // 18daa52418e7 (v6.15): read once, under the drivers klist's spinlock; before, read again.
            let named = if cpu.rules().uevent_reads_once { tested } else { cpu.follow(dev.driver())? };
            cpu.deref_driver(named)?;
        }
        cpu.step(vec![Action::Dec(readers), Action::Release(readers)])?;
        Ok(())
    })
}
