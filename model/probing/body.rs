//! Probe, remove and work functions of drivers, as a scenario declares them.

use super::at::At;
use super::call::Call;
use super::calls::{Flow, run_body, run_call};
use super::cpu::{Cpu, Errno};
use super::events::{Event, ProbeError};
use super::hooks;
use super::ids::{Device, Driver, Work};
use super::queues;
use super::runtime;
use super::world::{Group, ProbeBody, ProbeOutcome, WorkKind};
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
        let mut at = At::bound(dev, drv);
        let mut by_hand = 0;
        let result = run_probe(cpu, body, &mut at, &mut by_hand)?;
        if result.is_ok() {
            hooks::create_group(cpu, dev, Group::Bound)?;
        } else {
            let last = body.unwind.len().saturating_sub(by_hand);
            run_body(cpu, &body.unwind[last..], at)?;
        }
        Ok(result)
    })
}

/// The calls of a probe, and what it returns. `by_hand`: counts what it has acquired without `devm-`.
fn run_probe(
    cpu: &Cpu<'_>,
    body: &ProbeBody,
    at: &mut At,
    by_hand: &mut usize,
) -> Step<Result<(), ProbeError>> {
    for call in &body.run {
        // Of a call with devm- the note for what undoes it may find no memory.
        let (acquires, can_fail) = match call {
            Call::Devm(devres) => (cpu.world().devres[devres.index()].acquire, true),
            call => (*call, call.can_fail()),
        };
        if body.fails && can_fail && fails(cpu, acquires)? {
            if let Call::PmRuntimeGetSync(dev) = *call {
                // It does not take back what it has counted.
                runtime::get_noresume(cpu, dev.or(at.dev).expect("internal: a probe has a device"))?;
            }
            return Ok(Err(ProbeError::Failed));
        }
        if let Call::Require(resource) = call {
            if !cpu.load(resource.present())? {
                return Ok(Err(ProbeError::Missed(*resource)));
            }
        } else if run_call(cpu, *call, at)? == Flow::Ended {
            return Ok(Err(ProbeError::Failed));
        }
        *by_hand += usize::from(call.undo().is_some());
    }
    Ok(match body.outcomes[cpu.choose(body.outcomes.len())?] {
        ProbeOutcome::Ok => Ok(()),
        ProbeOutcome::ProbeDefer => Err(ProbeError::Deferred),
        ProbeOutcome::Enodev | ProbeOutcome::Eio => Err(ProbeError::Failed),
    })
}

/// Whether a call that acquires something fails this time.
fn fails(cpu: &Cpu<'_>, call: Call) -> Step<bool> {
    cpu.call(call.name(), &[], || Ok(cpu.choose(2)? == 1))
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
        hooks::remove_group(cpu, dev, Group::Bound)?;
        cpu.step(cpu.telling(Action::Touch(drv.object()), entered))?;
        run_body(cpu, &cpu.world().drivers[drv.index()].remove, At::bound(dev, drv))
    })
}

/// The function of a driver's work item, timer or interrupt.
pub fn work_func(cpu: &Cpu<'_>, work: Work) -> Step<()> {
    let decl = &cpu.world().works[work.index()];
    let name = match decl.kind {
        WorkKind::Work => "work_func",
        WorkKind::Timer => "timer_func",
        WorkKind::Irq => "irq_handler",
    };
    // Its code is there when it is called, and when it returns.
    let code = || decl.module.map_or(Ok(()), |module| cpu.touch(module.code()));
    cpu.call(name, &atoms![work], || {
        if queues::refuses_delayed(cpu, work)? {
            return Ok(());
        }
        code()?;
        run_body(cpu, &decl.run, At::given(cpu, decl.data))?;
        code()
    })
}
