//! Drivers come and go, after drivers/base/driver.c (docs/kernel/register.md).
//!
//! Left out: attribute groups and their failures.

use super::bus::{bus_add_driver, bus_remove_driver};
use super::cpu::{Cpu, Errno};
use raddle_checker::atoms;
use raddle_checker::machine::cpu::Step;
use raddle_checker::machine::op::Action;
use raddle_probing::events::Event;
use raddle_probing::ids::Driver;

/// `driver_register`.
pub fn driver_register(cpu: &Cpu<'_>, drv: Driver) -> Step<Result<(), Errno>> {
    cpu.call("driver_register", &atoms![drv], || {
        // 1. driver_find.
        let find = Action::Load(cpu.cell(drv.name_taken()));
        if cpu.observe(vec![Action::Revive(drv.object()), find])? {
            return Ok(Err(Errno::Busy));
        }
        // 2.
        if let Err(errno) = bus_add_driver(cpu, drv)? {
            cpu.step(Action::Retire(drv.object()))?;
            return Ok(Err(errno));
        }
        // 4. The uevent; from here on it may be unregistered.
        cpu.step(vec![Action::Touch(drv.object()), cpu.storing(drv.registered(), true)])?;
        Ok(Ok(()))
    })
}

/// `driver_unregister`.
pub fn driver_unregister(cpu: &Cpu<'_>, drv: Driver) -> Step<()> {
    cpu.call("driver_unregister", &atoms![drv], || {
        let claim = Action::Claim(cpu.cell(drv.registered()));
        if cpu.world().environment.contract_kept {
            // driver_register has returned 0, and this is the first call.
            cpu.step(claim)?;
        } else {
            // It has been on its bus' klist.
            let begin = vec![claim, cpu.storing(drv.registered(), true)];
            cpu.step(cpu.telling(begin, Event::UnregisterBegins(drv)))?;
        }
        bus_remove_driver(cpu, drv)
    })
}
