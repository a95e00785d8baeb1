//! Buses: registering and removing drivers and devices, after drivers/base/bus.c (docs/kernel/register.md,
//! docs/kernel/attach.md, docs/kernel/device.md).
//!
//! Left out: bus interfaces, uevent files, module links, and the failures of sysfs files. The bus
//! lookup by name in `driver_register` reads whether the name is taken.

use std::ops::ControlFlow::{Break, Continue};

use super::attach_work::{
    bus_driver_async_probe, cancel_attach_work, drv_enable_async_probe, put_private, remove_driver_private,
};
use super::cpu::{Cpu, DEFAULT_DOMAIN, Errno, entry};
use super::dd::{bind_device, device_attach, device_initial_probe, driver_attach};
use super::release::{device_driver_detach, device_release_driver, driver_detach};
use super::rules::AttachStrategy;
use raddle_checker::atoms;
use raddle_checker::machine::cpu::Step;
use raddle_checker::machine::op::Action;
use raddle_checker::machine::value::Obs;
use raddle_probing::events::Event;
use raddle_probing::ids::{Bus, Device, Driver};
use raddle_probing::objects::Private;

/// The bus of a driver.
fn bus_of(cpu: &Cpu<'_>, drv: Driver) -> Bus {
    cpu.world().drivers[drv.index()].bus
}

/// `bus_add_driver`.
pub fn bus_add_driver(cpu: &Cpu<'_>, drv: Driver) -> Step<Result<(), Errno>> {
    cpu.call("bus_add_driver", &atoms![drv], || {
        let (bus, private) = (bus_of(cpu, drv), Private(drv.0));
        // 1 to 3: the references and the private structure, which nobody sees yet.
        cpu.step(vec![
            Action::Touch(drv.object()),
            Action::Get(cpu.cell(bus.refs())),
            Action::Alloc(private.object()),
            Action::Get(cpu.cell(private.refs())),
            cpu.storing(drv.name_taken(), true),
            cpu.storing(drv.p(), Some(private.object())),
        ])?;
        let autoprobe = cpu.world().buses[usize::from(bus.0)].autoprobe;
        if !cpu.rules().publish_before_attach && autoprobe {
            // Before 190888ac01d0 (v3.9).
            driver_attach(cpu, drv)?.ok();
        }
        // 4. Published.
        let add = Action::KlistAdd(cpu.cell(bus.klist_drivers()), drv.object());
        let mut actions = cpu.driver_private(drv).to_vec();
        if !cpu.world().environment.contract_kept {
            actions.push(cpu.storing(drv.registered(), true));
        }
        actions.push(add);
        cpu.step(cpu.telling(actions, Event::DriverPublished(drv)))?;
        // 5.
        if autoprobe && cpu.rules().publish_before_attach {
            let attached = attach_new_driver(cpu, drv)?;
            if let Err(errno) = attached {
                unwind_add_driver(cpu, drv)?;
                return Ok(Err(errno));
            }
        }
        // 8.
        if cpu.watched().bind_files {
            cpu.store(drv.files(), true)?;
        }
        Ok(Ok(()))
    })
}

/// `bus_add_driver` step 5: who walks the devices.
fn attach_new_driver(cpu: &Cpu<'_>, drv: Driver) -> Step<Result<(), Errno>> {
    match cpu.rules().attach_strategy {
        AttachStrategy::Workqueue | AttachStrategy::Kthread if drv_enable_async_probe(cpu, drv) => {
            bus_driver_async_probe(cpu, drv)
        }
        AttachStrategy::AsyncPerDriver if cpu.driver_allows_async_probing(drv) => {
            // 765230b5f084: the result is ignored.
            cpu.async_schedule(DEFAULT_DOMAIN, entry::DRIVER_ATTACH_ASYNC, &atoms![drv], || {
                driver_attach_async(cpu, drv)
            })?;
            Ok(Ok(()))
        }
        _ => driver_attach(cpu, drv),
    }
}

/// `driver_attach_async` (v4.2 to v5.0).
pub fn driver_attach_async(cpu: &Cpu<'_>, drv: Driver) -> Step<()> {
    cpu.call("driver_attach_async", &atoms![drv], || {
        driver_attach(cpu, drv)?.ok();
        // The debug message names the driver.
        cpu.deref_driver(drv)
    })
}

/// The error path of `bus_add_driver`: nothing is detached.
fn unwind_add_driver(cpu: &Cpu<'_>, drv: Driver) -> Step<()> {
    cpu.call("bus_add_driver: out_unregister", &atoms![drv], || {
        let bus = bus_of(cpu, drv);
        if cpu.rules().unwind_unpublishes {
            let del = Action::KlistDel(cpu.cell(bus.klist_drivers()), drv.object());
            cpu.step(cpu.telling(del, Event::DriverUnpublished(drv)))?;
        }
        remove_driver_private(cpu, drv)?;
        cpu.step(Action::Dec(cpu.cell(bus.refs())))?;
        Ok(())
    })
}

/// `bus_remove_driver`.
pub fn bus_remove_driver(cpu: &Cpu<'_>, drv: Driver) -> Step<()> {
    cpu.call("bus_remove_driver", &atoms![drv], || {
        let bus = bus_of(cpu, drv);
        // 1. Removing the files drains the stores that are running.
        if cpu.watched().bind_files {
            cpu.store(drv.files(), false)?;
            cpu.step(Action::AwaitZero(cpu.cell(drv.stores())))?;
        }
        // 2. klist_remove.
        let klist = cpu.cell(bus.klist_drivers());
        let mut actions = vec![Action::Follow(cpu.cell(drv.p()))];
        actions.push(Action::KlistDel(klist, drv.object()));
        cpu.step(cpu.telling(actions, Event::DriverUnpublished(drv)))?;
        cpu.step(Action::KlistAwait(klist, drv.object()))?;
        if cpu.rules().unregister_cancels_attach_work {
            cancel_attach_work(cpu, drv)?;
        }
        // 3.
        driver_detach(cpu, drv)?;
        // 5. 6. From here on the driver is unregistered.
        put_private(cpu, drv, vec![Action::Dec(cpu.cell(bus.refs())), Action::Retire(drv.object())])
    })
}

/// `bus_add_device`: the device becomes visible to `driver_attach`.
pub fn bus_add_device(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    cpu.call("bus_add_device", &atoms![dev], || {
        let bus = cpu.world().devices[dev.index()].bus;
        let actions = vec![
            Action::Get(cpu.cell(bus.refs())),
            Action::Get(cpu.cell(dev.refs())),
            Action::KlistAdd(cpu.cell(bus.klist_devices()), dev.object()),
        ];
        cpu.step(cpu.telling(actions, Event::DevicePublished(dev)))?;
        Ok(())
    })
}

/// `bus_remove_device`. `deleting`: `device_del` calls it, not a failing `device_add`.
pub fn bus_remove_device(cpu: &Cpu<'_>, dev: Device, deleting: bool) -> Step<()> {
    cpu.call("bus_remove_device", &atoms![dev], || {
        let bus = cpu.world().devices[dev.index()].bus;
        let del = Action::KlistDel(cpu.cell(bus.klist_devices()), dev.object());
        let died = cpu.step(cpu.telling(vec![cpu.private(dev), del], Event::DeviceUnpublished(dev)))?;
        if died == Obs::Bool(true) {
            cpu.put_device(dev)?;
        }
        device_release_driver(cpu, dev, deleting)?;
        cpu.step(Action::Dec(cpu.cell(bus.refs())))?;
        Ok(())
    })
}

/// `bus_probe_device`.
pub fn bus_probe_device(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    cpu.call("bus_probe_device", &atoms![dev], || {
        let bus = cpu.world().devices[dev.index()].bus;
        if !cpu.world().buses[usize::from(bus.0)].autoprobe {
            return Ok(());
        }
        if cpu.rules().device_side_async {
            device_initial_probe(cpu, dev)?.ok();
        } else if device_attach(cpu, dev)?.is_err() {
            // WARN_ON(ret < 0), gone with 765230b5f084 (v4.2).
            cpu.warn(dev.object())?;
        }
        Ok(())
    })
}

/// The bus file `bind` of a driver: `bind_store(v, name)`.
pub fn bind_store(cpu: &Cpu<'_>, drv: Driver, dev: Device) -> Step<()> {
    cpu.call("bind_store", &atoms![drv, dev], || {
        if !enter_store(cpu, drv)? {
            return Ok(());
        }
        if on_bus(cpu, drv, dev)? {
            bind_device(cpu, drv, dev)?;
            cpu.put_device(dev)?;
        }
        leave_store(cpu, drv)
    })
}

/// The bus file `unbind` of a driver: `unbind_store(v, name)`.
pub fn unbind_store(cpu: &Cpu<'_>, drv: Driver, dev: Device) -> Step<()> {
    cpu.call("unbind_store", &atoms![drv, dev], || {
        if !enter_store(cpu, drv)? {
            return Ok(());
        }
        if on_bus(cpu, drv, dev)? {
            // 2. Tested without a lock, and not again.
            if cpu.load(dev.driver())? == Some(drv) {
                device_driver_detach(cpu, dev, Some(drv))?;
            }
            cpu.put_device(dev)?;
        }
        leave_store(cpu, drv)
    })
}

/// The device is looked up by name on the driver's bus; found, it comes with a reference.
fn on_bus(cpu: &Cpu<'_>, drv: Driver, dev: Device) -> Step<bool> {
    let same = cpu.world().devices[dev.index()].bus == bus_of(cpu, drv);
    if same { cpu.find_device(dev) } else { Ok(false) }
}

fn enter_store(cpu: &Cpu<'_>, drv: Driver) -> Step<bool> {
    let enter = Action::EnterIf(cpu.cell(drv.files()), cpu.cell(drv.stores()));
    Ok(cpu.step(enter)? != Obs::None)
}

fn leave_store(cpu: &Cpu<'_>, drv: Driver) -> Step<()> {
    let stores = cpu.cell(drv.stores());
    cpu.step(vec![Action::Dec(stores), Action::Release(stores)])?;
    Ok(())
}

/// `bus_rescan_devices_helper`.
pub fn bus_rescan_devices_helper(cpu: &Cpu<'_>, dev: Device) -> Step<Result<(), Errno>> {
    cpu.call("bus_rescan_devices_helper", &atoms![dev], || {
        if cpu.load(dev.driver())?.is_some() {
            return Ok(Ok(()));
        }
        let parent = cpu.locked_parent(dev);
        if let Some(parent) = parent {
            cpu.device_lock(parent)?;
        }
        let result = device_attach(cpu, dev)?;
        if let Some(parent) = parent {
            cpu.device_unlock(parent)?;
        }
        Ok(result.map(|_| ()))
    })
}

/// `bus_rescan_devices`.
pub fn bus_rescan_devices(cpu: &Cpu<'_>, bus: Bus) -> Step<()> {
    cpu.call("bus_rescan_devices", &atoms![bus], || {
        cpu.repeat(cpu.klist_iter_init(bus.klist_devices()), |left| {
            let iter = cpu.klist_next(left)?;
            cpu.put_walked(left, iter)?;
            let Some(node) = iter.node() else {
                return Ok(Break(()));
            };
            if bus_rescan_devices_helper(cpu, Device(node))?.is_err() {
                let exit = cpu.klist_iter_exit(iter)?;
                cpu.put_walked(iter, exit)?;
                return Ok(Break(()));
            }
            Ok(Continue(iter))
        })
    })
}

/// The bus file `drivers_probe`.
pub fn drivers_probe_store(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    cpu.call("drivers_probe_store", &atoms![dev], || {
        if cpu.find_device(dev)? {
            bus_rescan_devices_helper(cpu, dev)?.ok();
            cpu.put_device(dev)?;
        }
        Ok(())
    })
}

/// `device_reprobe`: not atomic.
pub fn device_reprobe(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    cpu.call("device_reprobe", &atoms![dev], || {
        if cpu.load(dev.driver())?.is_some() {
            device_driver_detach(cpu, dev, None)?;
        }
        bus_rescan_devices_helper(cpu, dev)?.ok();
        Ok(())
    })
}
