//! Dan Williams' asynchronous device registration, after drivers/nvdimm/bus.c (4d88a97aa9e8, v4.2;
//! docs/kernel/nvdimm.md).
//!
//! Left out: the bus lock and the ioctl side.

use super::core::{device_add, device_unregister, kill_device};
use super::cpu::{Cpu, ND_DOMAIN, entry};
use raddle_checker::atoms;
use raddle_checker::machine::cpu::Step;
use raddle_checker::machine::op::Action;
use raddle_probing::ids::Device;

use raddle_probing::objects::Core;

/// `nd_device_register`: takes references and lets an async entry add the device. It returns nothing.
pub fn nd_device_register(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    cpu.call("nd_device_register", &atoms![dev], || {
        // 1. 2.
        if let Some(parent) = held_parent(cpu, dev) {
            cpu.get_device(parent)?;
        }
        cpu.get_device(dev)?;
        // 3.
        cpu.async_schedule(ND_DOMAIN, entry::ND_REGISTER, &atoms![dev], || nd_async_device_register(cpu, dev))
    })
}

fn held_parent(cpu: &Cpu<'_>, dev: Device) -> Option<Device> {
    cpu.parent(dev).filter(|_| cpu.rules().nd_register_gets_parent)
}

/// `nd_async_device_register`: a failed `device_add` also drops the creator's reference.
pub fn nd_async_device_register(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    cpu.call("nd_async_device_register", &atoms![dev], || {
        if device_add(cpu, dev)?.is_err() {
            cpu.putting(dev, vec![cpu.storing(dev.created(), false)])?;
        }
        cpu.put_device(dev)?;
        if cpu.rules().nd_register_gets_parent && cpu.rules().nd_reads_parent_late {
            // dev->parent is read of a device that may be gone.
            cpu.touch(dev.object())?;
        }
        if let Some(parent) = held_parent(cpu, dev) {
            cpu.put_device(parent)?;
        }
        Ok(())
    })
}

/// `nd_synchronize`: waits for libnvdimm's own domain.
pub fn nd_synchronize(cpu: &Cpu<'_>) -> Step<()> {
    cpu.call("nd_synchronize", &[], || {
        cpu.step(Action::AsyncAwait(cpu.cell(Core.async_lists()), Some(ND_DOMAIN)))?;
        Ok(())
    })
}

/// `nd_device_unregister` (`ND_SYNC`).
pub fn nd_device_unregister(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    cpu.call("nd_device_unregister", &atoms![dev], || {
        // 1. 8aac0e233891 (v5.3).
        if cpu.rules().nd_unregister_kills && !kill_device(cpu, dev)? {
            return Ok(());
        }
        // 2.
        nd_synchronize(cpu)?;
        device_unregister(cpu, dev)
    })
}
