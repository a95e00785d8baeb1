//! Runtime power management of devices, after drivers/base/power/runtime.c (docs/kernel/power.md).
//!
//! A device is suspended when nobody uses it: at once, or by a work item that runs at any time later. Then what
//! autosuspend does with a timer makes no difference that anybody could see. Left out: idle callbacks, callbacks that
//! fail, `pm_runtime_get` and other requests to resume, devices that are safe in interrupts or ignore their
//! children, and device links with `DL_FLAG_PM_RUNTIME`.
//!
//! Where no call of the scenario is of it, it is disabled for every device, and nothing here is a step.

use std::ops::ControlFlow::{Break, Continue};

use super::calls::callback;
use super::coded::states;
use super::cpu::Cpu;
use super::ids::Device;
use raddle_checker::atoms;
use raddle_checker::machine::cpu::Step;
use raddle_checker::machine::layout::Cell;
use raddle_checker::machine::op::Action;
use raddle_checker::machine::value::{Datum, Obs};
use raddle_checker::observe_datum;

states! {
    /// `enum rpm_status`.
    RuntimeStatus {
        /// It is not used, and its driver's runtime suspend has run. New devices are so.
        Suspended = 0 "RPM_SUSPENDED",
        /// Its driver's runtime resume has run.
        Active = 1 "RPM_ACTIVE",
        /// Runtime resume runs.
        Resuming = 2 "RPM_RESUMING",
        /// Runtime suspend runs.
        Suspending = 3 "RPM_SUSPENDING",
    }
}

/// When a suspend is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    /// By the work item.
    Later,
    /// By the caller.
    Now,
}

/// The cells of a new device: runtime power management is disabled.
pub fn init(cpu: &Cpu<'_>, dev: Device) -> Vec<Action> {
    let disabled = || Action::Get(cpu.cell(dev.disable_depth()));
    cpu.watched().runtime_pm.then(disabled).into_iter().collect()
}

fn used(cpu: &Cpu<'_>) -> bool {
    cpu.watched().runtime_pm
}

fn lock(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    cpu.lock(dev.power_lock())
}

fn unlock(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    cpu.unlock(dev.power_lock())
}

/// Counts a user, or a child, up.
fn count(cpu: &Cpu<'_>, count: Cell<u8>) -> Step<()> {
    cpu.observe(Action::Get(cpu.cell(count)))
}

/// Counts one down: whether that was the last. Below zero is a hazard.
fn drop_one(cpu: &Cpu<'_>, count: Cell<u8>) -> Step<bool> {
    cpu.observe(Action::Dec(cpu.cell(count)))
}

/// What a function does with the device's `power.lock` held.
fn locked(cpu: &Cpu<'_>, name: &'static str, dev: Device, body: impl FnOnce() -> Step<()>) -> Step<()> {
    cpu.call(name, &atoms![dev], || {
        lock(cpu, dev)?;
        body()?;
        unlock(cpu, dev)
    })
}

/// Waits, without the lock, while a suspend or a resume is under way.
fn wait(cpu: &Cpu<'_>, dev: Device, status: RuntimeStatus) -> Step<()> {
    unlock(cpu, dev)?;
    cpu.step(Action::AwaitNot(cpu.cell(dev.runtime_status()), status.to_obs()))?;
    lock(cpu, dev)
}

/// `pm_runtime_get_noresume`.
pub fn get_noresume(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    if used(cpu) { count(cpu, dev.usage_count()) } else { Ok(()) }
}

/// `pm_runtime_put_noidle`. Simplified: in Linux one too many does nothing.
pub fn put_noidle(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    if used(cpu) { drop_one(cpu, dev.usage_count()).map(drop) } else { Ok(()) }
}

/// `pm_runtime_get_sync`.
pub fn get_sync(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    if !used(cpu) {
        return Ok(());
    }
    cpu.call("pm_runtime_get_sync", &atoms![dev], || {
        count(cpu, dev.usage_count())?;
        lock(cpu, dev)?;
        rpm_resume(cpu, dev)?;
        unlock(cpu, dev)
    })
}

/// `pm_runtime_put`.
pub fn put(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    put_with(cpu, "pm_runtime_put", dev, When::Later)
}

/// `pm_runtime_put_sync`.
pub fn put_sync(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    put_with(cpu, "pm_runtime_put_sync", dev, When::Now)
}

fn put_with(cpu: &Cpu<'_>, name: &'static str, dev: Device, when: When) -> Step<()> {
    if !used(cpu) {
        return Ok(());
    }
    cpu.call(name, &atoms![dev], || {
        if !drop_one(cpu, dev.usage_count())? {
            return Ok(());
        }
        lock(cpu, dev)?;
        rpm_idle(cpu, dev, when)?;
        unlock(cpu, dev)
    })
}

/// `pm_request_idle`.
pub fn request_idle(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    if !used(cpu) {
        return Ok(());
    }
    locked(cpu, "pm_request_idle", dev, || rpm_idle(cpu, dev, When::Later))
}

/// `rpm_resume`, with the lock held.
fn rpm_resume(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    cpu.call("rpm_resume", &atoms![dev], || {
        let parent = cpu.parent(dev);
        let has_parent = cpu.repeat(false, |has_parent: bool| {
            // 1. 2.
            if cpu.load(dev.disable_depth())? > 0 {
                return Ok(Break(has_parent));
            }
            let status = Action::Load(cpu.cell(dev.runtime_status()));
            match cpu.observe(vec![cpu.storing(dev.suspend_requested(), false), status])? {
                RuntimeStatus::Active => return Ok(Break(has_parent)),
                // 3.
                status @ (RuntimeStatus::Resuming | RuntimeStatus::Suspending) => {
                    wait(cpu, dev, status)?;
                    return Ok(Continue(has_parent));
                }
                RuntimeStatus::Suspended => {}
            }
            // 4.
            if let Some(parent) = parent.filter(|_| !has_parent) {
                unlock(cpu, dev)?;
                let is_active = resume_parent(cpu, parent)?;
                lock(cpu, dev)?;
                return Ok(if is_active { Continue(true) } else { Break(true) });
            }
            // 5. 6.
            run_callback(cpu, dev, RuntimeStatus::Resuming)?;
            if let Some(parent) = parent {
                count(cpu, parent.child_count())?;
            }
            rpm_idle(cpu, dev, When::Later)?;
            Ok(Break(has_parent))
        })?;
        // 7.
        if let Some(parent) = parent.filter(|_| has_parent) {
            unlock(cpu, dev)?;
            put(cpu, parent)?;
            lock(cpu, dev)?;
        }
        Ok(())
    })
}

/// A parent is used while its child resumes: whether it is active, or has runtime power management disabled.
fn resume_parent(cpu: &Cpu<'_>, parent: Device) -> Step<bool> {
    count(cpu, parent.usage_count())?;
    lock(cpu, parent)?;
    let enabled = cpu.load(parent.disable_depth())? == 0;
    if enabled {
        rpm_resume(cpu, parent)?;
    }
    let is_active = !enabled || cpu.load(parent.runtime_status())? == RuntimeStatus::Active;
    unlock(cpu, parent)?;
    Ok(is_active)
}

/// The callback of the driver that the device has now, without the lock; who waits for the status waits for this task.
fn run_callback(cpu: &Cpu<'_>, dev: Device, doing: RuntimeStatus) -> Step<()> {
    let status = cpu.cell(dev.runtime_status());
    cpu.step(vec![Action::Store(status, doing.to_obs()), Action::Hold(status)])?;
    unlock(cpu, dev)?;
    let done = match doing {
        RuntimeStatus::Resuming => {
            callback(cpu, dev, "runtime_resume", |decl| &decl.runtime_resume)?;
            RuntimeStatus::Active
        }
        _ => {
            callback(cpu, dev, "runtime_suspend", |decl| &decl.runtime_suspend)?;
            RuntimeStatus::Suspended
        }
    };
    lock(cpu, dev)?;
    cpu.step(vec![Action::Store(status, done.to_obs()), Action::Release(status)]).map(drop)
}

/// `rpm_check_suspend_allowed`, and whether the device is active.
fn may_suspend(cpu: &Cpu<'_>, dev: Device) -> Step<bool> {
    Ok(cpu.load(dev.disable_depth())? == 0
        && cpu.load(dev.usage_count())? == 0
        && cpu.load(dev.child_count())? == 0
        && cpu.load(dev.runtime_status())? == RuntimeStatus::Active)
}

/// `rpm_idle`, with the lock held: without an idle callback the device is suspended.
fn rpm_idle(cpu: &Cpu<'_>, dev: Device, when: When) -> Step<()> {
    cpu.call("rpm_idle", &atoms![dev], || {
        // 1. A request that is pending goes first.
        if !may_suspend(cpu, dev)? || cpu.load(dev.suspend_requested())? {
            return Ok(());
        }
        if when == When::Now {
            return rpm_suspend(cpu, dev);
        }
        // 2.
        let pending = Action::Load(cpu.cell(dev.request_pending()));
        if !cpu.observe(vec![cpu.storing(dev.suspend_requested(), true), pending])? {
            let queue = Action::QueueWork(cpu.cell(dev.power_work()));
            cpu.step(vec![cpu.storing(dev.request_pending(), true), queue])?;
        }
        Ok(())
    })
}

/// `rpm_suspend`, with the lock held, of a device that may be suspended.
fn rpm_suspend(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    cpu.call("rpm_suspend", &atoms![dev], || {
        // 2. 3.
        run_callback(cpu, dev, RuntimeStatus::Suspending)?;
        // 4.
        if let Some(parent) = cpu.parent(dev) {
            drop_one(cpu, parent.child_count())?;
            unlock(cpu, dev)?;
            lock(cpu, parent)?;
            rpm_idle(cpu, parent, When::Later)?;
            unlock(cpu, parent)?;
            lock(cpu, dev)?;
        }
        Ok(())
    })
}

/// `pm_runtime_work`.
pub fn work(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    cpu.call("pm_runtime_work", &atoms![dev], || {
        lock(cpu, dev)?;
        // 1.
        if cpu.load(dev.request_pending())? {
            let requested: bool = cpu.load(dev.suspend_requested())?;
            cpu.step(vec![
                cpu.storing(dev.suspend_requested(), false),
                cpu.storing(dev.request_pending(), false),
            ])?;
            // 2.
            if requested && may_suspend(cpu, dev)? {
                rpm_suspend(cpu, dev)?;
            }
        }
        unlock(cpu, dev)
    })
}

/// `pm_runtime_barrier`.
pub fn barrier(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    if !used(cpu) {
        return Ok(());
    }
    cpu.call("pm_runtime_barrier", &atoms![dev], || {
        count(cpu, dev.usage_count())?;
        lock(cpu, dev)?;
        cancel(cpu, dev)?;
        unlock(cpu, dev)?;
        drop_one(cpu, dev.usage_count()).map(drop)
    })
}

/// `__pm_runtime_barrier`, with the lock held: nothing is pending, and nothing is under way.
fn cancel(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    if cpu.load(dev.request_pending())? {
        cpu.store(dev.suspend_requested(), false)?;
        unlock(cpu, dev)?;
        cpu.cancel_work_sync(dev.power_work())?;
        lock(cpu, dev)?;
        cpu.store(dev.request_pending(), false)?;
    }
    cpu.repeat((), |()| match cpu.load(dev.runtime_status())? {
        RuntimeStatus::Active | RuntimeStatus::Suspended => Ok(Break(())),
        status => {
            wait(cpu, dev, status)?;
            Ok(Continue(()))
        }
    })
}

/// `pm_runtime_disable`.
pub fn disable(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    if !used(cpu) {
        return Ok(());
    }
    locked(cpu, "pm_runtime_disable", dev, || {
        let was_enabled = cpu.load(dev.disable_depth())? == 0;
        count(cpu, dev.disable_depth())?;
        if was_enabled { cancel(cpu, dev) } else { Ok(()) }
    })
}

/// `pm_runtime_enable`: a warning if it is enabled.
pub fn enable(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    if !used(cpu) {
        return Ok(());
    }
    locked(cpu, "pm_runtime_enable", dev, || match cpu.load(dev.disable_depth())? {
        0 => cpu.warn(dev.power()),
        _ => drop_one(cpu, dev.disable_depth()).map(drop),
    })
}

/// `__pm_runtime_set_status`: nothing happens while runtime power management is enabled.
///
/// Simplified: the lock is held throughout.
pub fn set_status(cpu: &Cpu<'_>, dev: Device, status: RuntimeStatus) -> Step<()> {
    let name = match status {
        RuntimeStatus::Active => "pm_runtime_set_active",
        _ => "pm_runtime_set_suspended",
    };
    locked(cpu, name, dev, || {
        if cpu.load(dev.disable_depth())? == 0 || cpu.load(dev.runtime_status())? == status {
            return Ok(());
        }
        let Some(parent) = cpu.parent(dev) else { return cpu.store(dev.runtime_status(), status) };
        if status == RuntimeStatus::Suspended {
            drop_one(cpu, parent.child_count())?;
            cpu.store(dev.runtime_status(), status)?;
            unlock(cpu, dev)?;
            request_idle(cpu, parent)?;
            return lock(cpu, dev);
        }
        // An active child of a parent that is suspended is refused.
        lock(cpu, parent)?;
        let refused = cpu.load(parent.disable_depth())? == 0
            && cpu.load(parent.runtime_status())? != RuntimeStatus::Active;
        if !refused {
            count(cpu, parent.child_count())?;
            cpu.store(dev.runtime_status(), status)?;
        }
        unlock(cpu, parent)
    })
}

/// `pm_runtime_reinit`: a device whose driver has left it active and disabled is suspended.
pub fn reinit(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    if !used(cpu) || cpu.load(dev.disable_depth())? == 0 {
        return Ok(());
    }
    match cpu.load(dev.runtime_status())? {
        RuntimeStatus::Active => set_status(cpu, dev, RuntimeStatus::Suspended),
        _ => Ok(()),
    }
}

/// `pm_runtime_remove`: the device goes. `flushes`: the work item's run is waited for.
pub fn remove(cpu: &Cpu<'_>, dev: Device, flushes: bool) -> Step<()> {
    if !used(cpu) {
        return Ok(());
    }
    cpu.call("pm_runtime_remove", &atoms![dev], || {
        disable(cpu, dev)?;
        if flushes {
            cpu.flush_work(dev.power_work())?;
        }
        reinit(cpu, dev)
    })
}

/// What `device_prepare` and `__device_suspend` do before the callback.
pub fn falls_asleep(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    get_noresume(cpu, dev)?;
    barrier(cpu, dev)
}

/// What `device_suspend_late` does after it.
pub fn is_asleep(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    if !used(cpu) {
        return Ok(());
    }
    disable(cpu, dev)?;
    cpu.store(dev.asleep(), true)
}

/// What `device_resume_early` does before the callback of resume: whether the device was asleep, and is to be put.
pub fn wakes_up(cpu: &Cpu<'_>, dev: Device) -> Step<bool> {
    if !used(cpu) || !cpu.load(dev.asleep())? {
        return Ok(false);
    }
    cpu.store(dev.asleep(), false)?;
    enable(cpu, dev)?;
    Ok(true)
}
