//! Deferred probing, after drivers/base/dd.c (docs/kernel/deferred.md).
//!
//! A critical section of `deferred_probe_mutex` that does one thing is one step under that mutex.
//! Left out: the order of power management lists (moving a device to their end before its probe), and
//! deferral reasons.

use std::ops::ControlFlow::{Break, Continue};

use super::bus::bus_probe_device;
use super::cpu::Cpu;
use super::rules::DeferredRetry;
use raddle_checker::atoms;
use raddle_checker::machine::cpu::Step;
use raddle_checker::machine::op::{Action, End, Op};
use raddle_checker::machine::value::Datum;
use raddle_probing::events::Event;
use raddle_probing::ids::Device;
use raddle_probing::objects::Core;

/// `driver_deferred_probe_add`: appends to the pending list. No reference is taken.
pub fn driver_deferred_probe_add(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    cpu.call("driver_deferred_probe_add", &atoms![dev], || {
        if cpu.rules().can_match && !cpu.load(dev.can_match())? {
            return Ok(());
        }
        let add = Action::ListAdd {
            list: cpu.cell(Core.pending_list()),
            unless_on: cpu.cell(Core.active_list()),
            member: dev.object(),
            at: End::Last,
        };
        let op = Op::from(vec![cpu.private(dev), add]).under(cpu.deferred_probe_mutex());
        cpu.step(cpu.telling(op, Event::DeferredAdd(dev)))?;
        Ok(())
    })
}

/// `driver_deferred_probe_del`. `deleting`: `device_del` calls it.
pub fn driver_deferred_probe_del(cpu: &Cpu<'_>, dev: Device, deleting: bool) -> Step<()> {
    cpu.call("driver_deferred_probe_del", &atoms![dev], || {
        let (pending, active) = (cpu.cell(Core.pending_list()), cpu.cell(Core.active_list()));
        let op = Op::from(vec![cpu.private(dev), Action::ListDel(pending, active, dev.object())]);
        cpu.step(cpu.telling(op.under(cpu.deferred_probe_mutex()), Event::DeferredDel(dev, deleting)))?;
        Ok(())
    })
}

/// `driver_deferred_probe_trigger`: moves all pending devices to the active list and queues the work.
/// `cause`: the device whose binding or deferral triggers, if it is one.
pub fn driver_deferred_probe_trigger(cpu: &Cpu<'_>, cause: Option<Device>) -> Step<()> {
    cpu.call("driver_deferred_probe_trigger", &[], || {
        // 1. Constant if the scenario begins with deferral enabled.
        if cpu.watched().enable && !cpu.load(Core.enable())? {
            return Ok(());
        }
        // 2. 58b116bce136: the count is incremented in the same critical section.
        let mut actions = Vec::new();
        let count = cpu.cell(Core.trigger_count());
        match cpu.rules().deferred_retry {
            DeferredRetry::Never | DeferredRetry::NetBinds => {}
            DeferredRetry::TriggerCount => actions.push(Action::Bump(count, Vec::new())),
            DeferredRetry::ForeignTriggers => actions.push(Action::Bump(count, own_ancestors(cpu, cause))),
        }
        actions.push(Action::ListSplice(cpu.cell(Core.pending_list()), cpu.cell(Core.active_list())));
        cpu.step(Op::from(actions).under(cpu.deferred_probe_mutex()))?;
        // 3. After the mutex was dropped.
        cpu.queue_work(Core.deferred_probe_work())?;
        Ok(())
    })
}

/// A device and its ancestors: with Anderson's counters they do not count what it triggers.
fn own_ancestors(cpu: &Cpu<'_>, cause: Option<Device>) -> Vec<u8> {
    let mut all = Vec::new();
    let mut next = cause;
    while let Some(dev) = next {
        all.push(dev.0);
        next = cpu.parent(dev);
    }
    all
}

/// `deferred_probe_work_func`: the mutex is dropped around each probe.
pub fn deferred_probe_work_func(cpu: &Cpu<'_>) -> Step<()> {
    cpu.call("deferred_probe_work_func", &[], || {
        cpu.lock(Core.deferred_probe_mutex())?;
        cpu.repeat((), |()| {
            let pop = Action::ListPop(cpu.cell(Core.active_list()));
            let first: Option<Device> = cpu.observe(cpu.telling(pop, Event::DeferredTaken))?;
            let Some(dev) = first else {
                return Ok(Break(()));
            };
            cpu.get_device(dev)?;
            cpu.unlock(Core.deferred_probe_mutex())?;
            bus_probe_device(cpu, dev)?;
            let lock = Action::Lock(cpu.deferred_probe_mutex());
            cpu.step(cpu.telling(lock, Event::DeferredDone(dev)))?;
            cpu.put_device(dev)?;
            Ok(Continue(()))
        })?;
        cpu.unlock(Core.deferred_probe_mutex())
    })
}

/// Remembers `deferred_trigger_count` before a probe.
pub fn sample_trigger_count(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    if cpu.rules().deferred_retry != DeferredRetry::Never {
        cpu.step(Action::Sample(cpu.cell(Core.trigger_count()), dev.0))?;
    }
    Ok(())
}

/// Forgets what [`sample_trigger_count`] remembered.
pub fn drop_sample(cpu: &Cpu<'_>, dev: Device) -> Vec<Action> {
    if cpu.rules().deferred_retry == DeferredRetry::Never {
        return Vec::new();
    }
    vec![Action::DropSample(cpu.cell(Core.trigger_count()), dev.0)]
}

/// Triggers again if the count has moved since the sample: a supplier may have come meanwhile.
pub fn retrigger_if_moved(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    if cpu.rules().deferred_retry == DeferredRetry::Never {
        return Ok(());
    }
    let moved: bool = cpu.observe(Action::Moved(cpu.cell(Core.trigger_count()), dev.0))?;
    if !moved {
        return Ok(());
    }
    // From v5.14 on only if probing is not blocked.
    let looks = cpu.rules().split_driver_probe_device && cpu.watched().block;
    if looks && cpu.load(Core.defer_all_probes())? {
        return Ok(());
    }
    driver_deferred_probe_trigger(cpu, Some(dev))
}

/// `deferred_probe_initcall`: enables deferral and triggers it.
pub fn deferred_probe_initcall(cpu: &Cpu<'_>) -> Step<()> {
    cpu.call("deferred_probe_initcall", &[], || {
        cpu.store(Core.enable(), true)?;
        driver_deferred_probe_trigger(cpu, None)?;
        cpu.flush_work(Core.deferred_probe_work())?;
        if cpu.rules().deferred_timeout {
            driver_deferred_probe_trigger(cpu, None)?;
            cpu.flush_work(Core.deferred_probe_work())?;
        }
        Ok(())
    })
}

/// The deferred-probe timeout (v4.19 on): triggers once more, and waits for it.
pub fn deferred_probe_timeout(cpu: &Cpu<'_>) -> Step<()> {
    cpu.call("deferred_probe_timeout_work_func", &[], || {
        if !cpu.rules().deferred_timeout {
            return Ok(());
        }
        cpu.store(Core.timeout(), false)?;
        driver_deferred_probe_trigger(cpu, None)?;
        cpu.flush_work(Core.deferred_probe_work())?;
        // eed6e41813de (v5.12): with the mutex.
        if cpu.rules().timeout_walk_locked {
            cpu.lock(Core.deferred_probe_mutex())?;
        }
        list_pending(cpu)?;
        if cpu.rules().timeout_walk_locked {
            cpu.unlock(Core.deferred_probe_mutex())?;
        }
        Ok(())
    })
}

/// The walk over the pending list that names each device. A device that was taken off meanwhile is followed by
/// itself (`list_del_init`), so that a walk without the mutex may never end.
///
/// Simplified: one that was moved to the active list leads to the end of that list, and there the walk ends.
fn list_pending(cpu: &Cpu<'_>) -> Step<()> {
    let (pending, active) = (cpu.cell(Core.pending_list()), cpu.cell(Core.active_list()));
    cpu.repeat(None, |at: Option<Device>| {
        let next = Action::ListNext(pending, active, at.map(|dev| dev.0));
        let Some(dev) = cpu.observe(next)? else {
            return Ok(Break(()));
        };
        cpu.touch(Device::object(dev))?;
        Ok(Continue(Some(dev)))
    })
}

/// `wait_for_device_probe`.
pub fn wait_for_device_probe(cpu: &Cpu<'_>) -> Step<()> {
    cpu.call("wait_for_device_probe", &[], || {
        // The checks note what is under way now.
        let count = cpu.cell(Core.probe_count());
        cpu.step(cpu.telling(Action::Load(count), Event::BarrierBegins))?;
        wait_for_running(cpu)?;
        cpu.step(cpu.telling(cpu.global_list_empty(), Event::BarrierEnds))?;
        Ok(())
    })
}

/// The same, for the core's own: who calls it looks again afterwards, so that no check is told.
pub fn wait_for_probes(cpu: &Cpu<'_>) -> Step<()> {
    cpu.call("wait_for_device_probe", &[], || {
        wait_for_running(cpu)?;
        cpu.async_synchronize_full()
    })
}

/// Waits for the probes that run, and what [`wait_for_device_probe`] waits for before.
fn wait_for_running(cpu: &Cpu<'_>) -> Step<()> {
    if cpu.rules().barrier_waits_for_timeout {
        cpu.step(Action::AwaitNot(cpu.cell(Core.timeout()), true.to_obs()))?;
    }
    if cpu.rules().barrier_flushes_deferred {
        cpu.flush_work(Core.deferred_probe_work())?;
    }
    cpu.step(Action::AwaitZero(cpu.cell(Core.probe_count())))?;
    Ok(())
}

/// `device_block_probing` (v4.5 on; before, there is no such function and nothing happens).
pub fn device_block_probing(cpu: &Cpu<'_>) -> Step<()> {
    cpu.call("device_block_probing", &[], || {
        if !cpu.rules().defer_all_probes {
            return Ok(());
        }
        cpu.store(Core.defer_all_probes(), true)?;
        wait_for_device_probe(cpu)?;
        let done = cpu.storing(Core.probing_blocked(), true);
        cpu.step(cpu.telling(done, Event::ProbingBlocked))?;
        Ok(())
    })
}

/// `device_unblock_probing`.
pub fn device_unblock_probing(cpu: &Cpu<'_>) -> Step<()> {
    cpu.call("device_unblock_probing", &[], || {
        if !cpu.rules().defer_all_probes {
            return Ok(());
        }
        let (flag, ghost) = (Core.defer_all_probes(), Core.probing_blocked());
        cpu.step(vec![cpu.storing(flag, false), cpu.storing(ghost, false)])?;
        driver_deferred_probe_trigger(cpu, None)
    })
}
