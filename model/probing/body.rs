//! Probe, remove and work functions of drivers, as a scenario declares them.

use super::call::Call;
use super::calls::{At, run_call};
use super::cpu::{Cpu, Errno};
use super::events::{Event, ProbeError};
use super::ids::{Device, Driver, Work};
use super::world::ProbeOutcome;
use raddle_checker::atoms;
use raddle_checker::machine::cpu::Step;
use raddle_checker::machine::op::Action;

/// On whose behalf a device is probed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The core's own.
    Core,
    /// A write to the sysfs file `bind` from v5.14 on, which barriers do not wait for.
    Bind,
}

/// Calls the driver's probe. The error says why it failed.
pub fn call_probe(cpu: &Cpu<'_>, drv: Driver, dev: Device, by: By) -> Step<Result<(), ProbeError>> {
    cpu.call("probe", &atoms![drv, dev], || {
        let scheduled = cpu.scheduled_for(dev);
        let entered = match by {
            By::Core => Event::ProbeEntered(dev, drv, scheduled),
            By::Bind => Event::BindProbeEntered(dev, drv, scheduled),
        };
        cpu.step(cpu.telling(Action::Touch(drv.object()), entered))?;
        let body = &cpu.world().drivers[drv.index()].probe;
        let at = At { dev: Some(dev), drv: Some(drv) };
        for call in &body.run {
            if let Call::Require(resource) = call {
                if !cpu.load(resource.present())? {
                    return Ok(Err(ProbeError::Missed(*resource)));
                }
            } else {
                run_call(cpu, *call, at)?;
            }
        }
        Ok(match body.outcomes[cpu.choose(body.outcomes.len())?] {
            ProbeOutcome::Ok => Ok(()),
            ProbeOutcome::ProbeDefer => Err(ProbeError::Deferred),
            ProbeOutcome::Enodev | ProbeOutcome::Eio => Err(ProbeError::Failed),
        })
    })
}

/// The error that a failed probe returned.
#[must_use]
pub fn probe_returned(error: ProbeError) -> Errno {
    if error == ProbeError::Failed { Errno::Failed } else { Errno::ProbeDefer }
}

/// Calls the driver's remove. `named`: the driver that whoever asked for this has named.
pub fn call_remove(cpu: &Cpu<'_>, drv: Driver, dev: Device, named: Option<Driver>) -> Step<()> {
    cpu.call("remove", &atoms![drv, dev], || {
        let entered = Event::RemoveEntered(dev, drv, named);
        cpu.step(cpu.telling(Action::Touch(drv.object()), entered))?;
        for call in &cpu.world().drivers[drv.index()].remove {
            run_call(cpu, *call, At { dev: Some(dev), drv: Some(drv) })?;
        }
        Ok(())
    })
}

/// The function of a driver's work item.
pub fn work_func(cpu: &Cpu<'_>, work: Work) -> Step<()> {
    cpu.call("work_func", &atoms![work], || {
        for call in &cpu.world().works[work.index()].run {
            run_call(cpu, *call, At { dev: None, drv: None })?;
        }
        Ok(())
    })
}
