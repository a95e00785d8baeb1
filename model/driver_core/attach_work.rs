//! Luis Rodriguez' `driver_attach_workfn` (v2 6/7, 2014; docs/kernel/races.md, A1 to A11), and
//! `driver_private`'s end, which that series changed.
//!
//! Left out: module links. `owner` is always set: every driver of a scenario has a module. The
//! strategy `kthread` is the row of Luis' table of which no code was posted: the same function in a
//! kernel thread that nobody waits for.

use super::cpu::{Cpu, Errno, entry};
use super::dd::driver_attach;
use super::rules::AttachStrategy;
use raddle_checker::atoms;
use raddle_checker::machine::cpu::Step;
use raddle_checker::machine::op::{Action, Entry};
use raddle_probing::ids::Driver;
use raddle_probing::objects::Private;
use raddle_probing::world::ProbeType;

/// `drv_enable_async_probe`.
#[must_use]
pub fn drv_enable_async_probe(cpu: &Cpu<'_>, drv: Driver) -> bool {
    let decl = &cpu.world().drivers[drv.index()];
    let requested = cpu.world().modules[decl.module.index()].async_probe;
    // sync_probe
    decl.probe_type != ProbeType::ForceSynchronous && (cpu.rules().force_mod_async_probe || requested)
}

/// `bus_driver_async_probe`: allocates `attach_work` and queues it.
pub fn bus_driver_async_probe(cpu: &Cpu<'_>, drv: Driver) -> Step<Result<(), Errno>> {
    cpu.call("bus_driver_async_probe", &atoms![drv], || {
        if cpu.rules().attach_strategy == AttachStrategy::Kthread {
            let entry = Entry { function: entry::ATTACH_KTHREAD, args: atoms![drv].to_vec() };
            cpu.step(Action::Spawn(cpu.cell(drv.kthread()), entry))?;
            return Ok(Ok(()));
        }
        if cpu.rules().attach_may_fail && cpu.choose(2)? == 1 {
            return Ok(Err(Errno::Failed));
        }
        let attach = cpu.attach_work(drv);
        cpu.step(vec![
            Action::Alloc(attach.object()),
            cpu.storing(Private(drv.0).attach_work(), Some(attach.object())),
        ])?;
        cpu.queue_work(attach.work())?;
        Ok(Ok(()))
    })
}

/// `driver_attach_workfn`.
pub fn driver_attach_workfn(cpu: &Cpu<'_>, drv: Driver) -> Step<()> {
    cpu.call("driver_attach_workfn", &atoms![drv], || {
        // 1. It always returns 0 in 3.18 but for a vanished bus.
        let mut failed = driver_attach(cpu, drv)?.is_err();
        if !failed && cpu.rules().attach_may_fail {
            failed = cpu.choose(2)? == 1;
        }
        if failed {
            remove_driver_private(cpu, drv)?;
            let bus = cpu.world().drivers[drv.index()].bus;
            cpu.step(vec![Action::Touch(drv.object()), Action::Dec(cpu.cell(bus.refs()))])?;
        }
        Ok(())
    })
}

/// `remove_driver_private`: the put, then what the kobject's release has freed is freed again.
pub fn remove_driver_private(cpu: &Cpu<'_>, drv: Driver) -> Step<()> {
    cpu.call("remove_driver_private", &atoms![drv], || {
        put_private(cpu, drv, Vec::new())?;
        // 0f9b011d3321 (v4.14) leaves both to the release.
        if !cpu.rules().unwind_frees_once {
            if cpu.rules().attach_strategy == AttachStrategy::Workqueue
                && cpu.load(Private(drv.0).attach_work())?.is_some()
            {
                cpu.step(Action::Free(cpu.attach_work(drv).object()))?;
            }
            cpu.step(Action::Free(Private(drv.0).object()))?;
        }
        cpu.store(drv.p(), None)
    })
}

/// `kobject_put(&priv->kobj)`: the last put frees `driver_private`, and `attach_work` before it.
/// `last` is done in the same step as the last thing that this does.
pub fn put_private(cpu: &Cpu<'_>, drv: Driver, last: Vec<Action>) -> Step<()> {
    let private = Private(drv.0);
    let refs = cpu.cell(private.refs());
    let follow = Action::Follow(cpu.cell(drv.p()));
    let free_name = cpu.storing(drv.name_taken(), false);
    if cpu.rules().attach_strategy != AttachStrategy::Workqueue {
        let mut actions = vec![follow, free_name, Action::Put(refs)];
        actions.extend(last);
        cpu.step(actions)?;
        return Ok(());
    }
    cpu.call("driver_release", &atoms![drv], || {
        let attach = cpu.load(private.attach_work())?;
        let released: bool = cpu.observe(vec![follow, free_name, Action::Dec(refs)])?;
        let mut actions = Vec::new();
        if released {
            if attach.is_some() {
                cpu.step(Action::Free(cpu.attach_work(drv).object()))?;
            }
            actions.push(Action::Free(private.object()));
        }
        actions.extend(last);
        if !actions.is_empty() {
            cpu.step(actions)?;
        }
        Ok(())
    })
}

/// The flush in `__device_release_driver`: decided by the module's flag, not by whether there is work.
pub fn flush_attach_work(cpu: &Cpu<'_>, drv: Driver) -> Step<()> {
    let decl = &cpu.world().drivers[drv.index()];
    let requested = cpu.world().modules[decl.module.index()].async_probe;
    let queued = cpu.rules().attach_strategy == AttachStrategy::Workqueue;
    if !queued || !requested || decl.probe_type == ProbeType::ForceSynchronous {
        return Ok(());
    }
    cpu.step(cpu.driver_private(drv).to_vec())?;
    cpu.follow(Private(drv.0).attach_work())?;
    cpu.flush_work(cpu.attach_work(drv).work())?;
    Ok(())
}

/// The repair that the series lacks (docs/kernel/races.md#a1): no work is left once the driver is unpublished.
pub fn cancel_attach_work(cpu: &Cpu<'_>, drv: Driver) -> Step<()> {
    if cpu.load(Private(drv.0).attach_work())?.is_some() {
        cpu.cancel_work_sync(cpu.attach_work(drv).work())?;
    }
    Ok(())
}
