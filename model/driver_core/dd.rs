//! Binding drivers to devices, after drivers/base/dd.c (docs/kernel/attach.md,
//! docs/kernel/device.md).
//!
//! Left out: `device_bind_driver`'s sysfs failures, and the debug message at the end of Duyck's
//! helper, which names a device that it has just put. Simplified: writing drvdata and its bit are two
//! steps, reading them too.

use std::ops::ControlFlow::{Break, Continue};

use super::cpu::{Cpu, DEFAULT_DOMAIN, Errno, entry};
use super::deferred::driver_deferred_probe_add;
use super::probe::{
    __driver_probe_device, Probed, driver_bound, driver_probe_device, driver_sysfs_add, with_parent_active,
};
use super::rules::{AsyncStash, AttachStrategy, OverrideLock};
use raddle_checker::atoms;
use raddle_checker::machine::cpu::{KlistIter, Step};
use raddle_checker::machine::op::Action;
use raddle_checker::machine::value::{Object, Observe};
use raddle_probing::body::By;
use raddle_probing::events::Event;
use raddle_probing::ids::{Device, Driver, Override};
use raddle_probing::objects::{Core, DRIVER, DRVDATA};
use raddle_probing::runtime;
use raddle_probing::world::Match;

/// `driver_match_device`: calls the bus' match function, without a lock of its own.
pub fn driver_match_device(cpu: &Cpu<'_>, drv: Driver, dev: Device) -> Step<Match> {
    cpu.step(vec![Action::Touch(dev.object()), Action::Touch(drv.object())])?;
    if cpu.world().has_overrides(dev)
        && let Some(named) = device_match_driver_override(cpu, drv, dev)?
    {
        return Ok(if named { Match::Yes } else { Match::No });
    }
    Ok(match cpu.match_of(dev, drv) {
        // Before 656b8035b0ee (v4.6) only zero was told from the rest.
        Match::Defer | Match::Error if !cpu.rules().match_results => Match::Yes,
        result => result,
    })
}

/// `device_match_driver_override`: whether the device's `driver_override`, if it is set, names the driver.
fn device_match_driver_override(cpu: &Cpu<'_>, drv: Driver, dev: Device) -> Step<Option<bool>> {
    cpu.call("device_match_driver_override", &atoms![dev, drv], || {
        let locks = cpu.rules().override_lock == OverrideLock::Spinlock;
        if locks {
            cpu.lock(dev.override_lock())?;
        }
        let string = cpu.load(dev.driver_override())?;
        if let Some(string) = string {
            // It is compared.
            cpu.touch(Override::object(string))?;
        }
        if locks {
            cpu.unlock(dev.override_lock())?;
        }
        Ok(string.map(|string| cpu.world().overrides[string.index()].1 == drv))
    })
}

/// [`driver_match_device`] where the device is not locked: dc23806a7c47 locks it.
fn driver_match_unlocked(cpu: &Cpu<'_>, drv: Driver, dev: Device) -> Step<Match> {
    let locks = cpu.rules().override_lock == OverrideLock::Device;
    if locks {
        cpu.device_lock(dev)?;
    }
    let matched = driver_match_device(cpu, drv, dev)?;
    if locks {
        cpu.device_unlock(dev)?;
    }
    Ok(matched)
}

/// `driver_override_store`: the old string is freed.
///
/// Simplified: a string that names the same driver again is the old one.
pub fn driver_override_store(cpu: &Cpu<'_>, dev: Device, named: Option<Driver>) -> Step<()> {
    let new = named.map(|drv| cpu.world().override_of(dev, drv).expect("internal: it is declared"));
    cpu.call("driver_override_store", &atoms![dev, named], || {
        if !cpu.world().has_overrides(dev) || !cpu.find_device(dev)? {
            return Ok(());
        }
        if let Some(new) = new {
            cpu.step(Action::Alloc(new.object()))?;
        }
        let lock = match cpu.rules().override_lock {
            OverrideLock::None | OverrideLock::Device => dev.mutex(),
            OverrideLock::Spinlock => dev.override_lock(),
        };
        cpu.lock(lock)?;
        let old = cpu.load(dev.driver_override())?;
        cpu.store(dev.driver_override(), new)?;
        cpu.unlock(lock)?;
        if let Some(old) = old.filter(|old| Some(*old) != new) {
            cpu.step(Action::Free(old.object()))?;
        }
        cpu.put_device(dev)
    })
}

/// A match that says `-EPROBE_DEFER` puts the device on the pending list, without its lock.
fn match_defers(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    if cpu.rules().can_match {
        cpu.store(dev.can_match(), true)?;
    }
    driver_deferred_probe_add(cpu, dev)
}

/// `driver_attach`: tries a driver on all devices of its bus.
pub fn driver_attach(cpu: &Cpu<'_>, drv: Driver) -> Step<Result<(), Errno>> {
    cpu.call("driver_attach", &atoms![drv], || {
        cpu.deref_driver(drv)?;
        let bus = cpu.world().drivers[drv.index()].bus;
        cpu.repeat(cpu.klist_iter_init(bus.klist_devices()), |left| {
            let iter = cpu.klist_next(left)?;
            cpu.put_walked(left, iter)?;
            let Some(node) = iter.node() else {
                return Ok(Break(Ok(())));
            };
            if let Err(errno) = __driver_attach(cpu, drv, Device(node))? {
                let exit = cpu.klist_iter_exit(iter)?;
                cpu.put_walked(iter, exit)?;
                return Ok(Break(Err(errno)));
            }
            Ok(Continue(iter))
        })
    })
}

/// `__driver_attach`: tries a driver on one device.
pub fn __driver_attach(cpu: &Cpu<'_>, drv: Driver, dev: Device) -> Step<Result<(), Errno>> {
    cpu.call("__driver_attach", &atoms![drv, dev], || {
        // 1. to 4.
        match driver_match_unlocked(cpu, drv, dev)? {
            Match::No => return Ok(Ok(())),
            Match::Yes => {}
            Match::Defer => {
                match_defers(cpu, dev)?;
                // 25e9fbf0fd38 (v6.0); before, execution falls through as if it had matched.
                if cpu.rules().match_defer_returns {
                    return Ok(Ok(()));
                }
            }
            Match::Error if cpu.rules().match_error_goes_on => return Ok(Ok(())),
            Match::Error => return Ok(Err(Errno::Failed)),
        }
        if cpu.rules().attach_strategy == AttachStrategy::AsyncPerDevice
            && cpu.driver_allows_async_probing(drv)
        {
            schedule_probe(cpu, drv, dev)?;
        } else {
            device_driver_attach(cpu, drv, dev)?;
        }
        Ok(Ok(()))
    })
}

/// `__driver_attach`, step 6: leaves the driver in the stash and schedules the helper.
fn schedule_probe(cpu: &Cpu<'_>, drv: Driver, dev: Device) -> Step<()> {
    cpu.device_lock(dev)?;
    let scheduled = cpu.load(dev.driver())?.is_none() && stash_is_free(cpu, dev)?;
    if scheduled {
        cpu.get_device(dev)?;
        stash(cpu, drv, dev)?;
        if !cpu.rules().driver_attach_schedules_unlocked {
            schedule_helper(cpu, drv, dev)?;
        }
    }
    cpu.device_unlock(dev)?;
    // 70fe758352ca (v6.0): an inline helper would take the lock again.
    if scheduled && cpu.rules().driver_attach_schedules_unlocked {
        schedule_helper(cpu, drv, dev)?;
    }
    Ok(())
}

fn stash_is_free(cpu: &Cpu<'_>, dev: Device) -> Step<bool> {
    // 84e7c6786aad (v5.19): one pending asynchronous probe a device.
    if !cpu.rules().one_async_driver || cpu.rules().async_stash != AsyncStash::DevicePrivate {
        return Ok(true);
    }
    let load = Action::Load(cpu.cell(dev.async_driver()));
    let stashed: Option<Driver> = cpu.observe(vec![cpu.private(dev), load])?;
    Ok(stashed.is_none())
}

fn stash(cpu: &Cpu<'_>, drv: Driver, dev: Device) -> Step<()> {
    match cpu.rules().async_stash {
        AsyncStash::None => {}
        AsyncStash::Drvdata => cpu.store(dev.drvdata(), Some(drv.object()))?,
        AsyncStash::DrvdataAndBit => {
            cpu.store(dev.drvdata(), Some(drv.object()))?;
            set_async_probe(cpu, dev, true)?;
        }
        AsyncStash::DevicePrivate => {
            cpu.step(vec![cpu.private(dev), cpu.storing(dev.async_driver(), Some(drv))])?;
        }
    }
    Ok(())
}

fn schedule_helper(cpu: &Cpu<'_>, drv: Driver, dev: Device) -> Step<()> {
    cpu.async_schedule(DEFAULT_DOMAIN, entry::DRIVER_ATTACH_HELPER, &atoms![dev, drv], || {
        __driver_attach_async_helper(cpu, dev)
    })
}

/// `__driver_attach_async_helper`: probes a device by the driver in the stash.
pub fn __driver_attach_async_helper(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    cpu.call("__driver_attach_async_helper", &atoms![dev], || {
        cpu.device_driver_lock(dev)?;
        let drv = match cpu.rules().async_stash {
            AsyncStash::None => None,
            AsyncStash::Drvdata => helper_v4(cpu, dev)?,
            AsyncStash::DrvdataAndBit => helper_v6(cpu, dev)?,
            AsyncStash::DevicePrivate => helper_merged(cpu, dev)?,
        };
        cpu.device_driver_unlock(dev)?;
        if let Some(drv) = drv {
            // The debug message names the driver (not in Duyck's series).
            cpu.deref_driver(drv)?;
        }
        cpu.put_device(dev)
    })
}

/// What the helper of Duyck v4 does under the locks.
fn helper_v4(cpu: &Cpu<'_>, dev: Device) -> Step<Option<Driver>> {
    // With 3451a495ef24 (rule dead-flag) dead too.
    if may_probe(cpu, dev)?
        && let Some(stashed) = cpu.load(dev.drvdata())?
    {
        let drv = drvdata_as_driver(cpu, dev, stashed)?;
        driver_probe_device(cpu, drv, dev)?;
    }
    Ok(None)
}

/// What the helper of Duyck v6 does under the locks.
fn helper_v6(cpu: &Cpu<'_>, dev: Device) -> Step<Option<Driver>> {
    let stashed = if cpu.load(dev.async_probe())? { cpu.load(dev.drvdata())? } else { None };
    if let Some(stashed) = stashed
        && may_probe(cpu, dev)?
    {
        let drv = drvdata_as_driver(cpu, dev, stashed)?;
        driver_probe_device(cpu, drv, dev)?;
    }
    set_async_probe(cpu, dev, false)?;
    Ok(None)
}

/// What the merged helper does under the locks; the driver that it names afterwards.
fn helper_merged(cpu: &Cpu<'_>, dev: Device) -> Step<Option<Driver>> {
    let load = vec![cpu.private(dev), Action::Load(cpu.cell(dev.async_driver()))];
    let drv: Option<Driver> = cpu.observe(load)?;
    if cpu.rules().one_async_driver {
        cpu.step(vec![cpu.private(dev), cpu.storing(dev.async_driver(), None)])?;
    }
    let goes_on = cpu.rules().split_driver_probe_device || may_probe(cpu, dev)?;
    if goes_on {
        // A NULL here is dereferenced by driver_probe_device.
        let drv = match drv {
            Some(drv) => drv,
            None => return cpu.follow(dev.async_driver()).map(Some),
        };
        driver_probe_device(cpu, drv, dev)?;
    }
    Ok(drv)
}

/// `!dev->p->dead && !dev->driver` (v5.1 to v5.13), with the lock held.
fn may_probe(cpu: &Cpu<'_>, dev: Device) -> Step<bool> {
    Ok(!is_dead(cpu, dev)? && cpu.load(dev.driver())?.is_none())
}

/// `dev->p->dead` (3451a495ef24).
pub fn is_dead(cpu: &Cpu<'_>, dev: Device) -> Step<bool> {
    if !cpu.rules().dead_flag {
        return Ok(false);
    }
    cpu.observe(vec![cpu.private(dev), Action::Load(cpu.cell(dev.dead()))])
}

/// Takes drvdata for a driver, as Duyck's helpers do: what anybody else stored there is a hazard.
fn drvdata_as_driver(cpu: &Cpu<'_>, dev: Device, stashed: Object) -> Step<Driver> {
    if stashed.sort == DRVDATA {
        cpu.tell(dev.object(), Event::DrvdataAsDriver(dev))?;
    }
    debug_assert!(stashed.sort == DRIVER || stashed.sort == DRVDATA);
    Ok(Driver(stashed.index))
}

/// Writes `dev->async_probe`.
pub fn set_async_probe(cpu: &Cpu<'_>, dev: Device, value: bool) -> Step<()> {
    cpu.store(dev.async_probe(), value)
}

/// A use of the device by anybody. With `shared-async-bit` it changes a bit beside `async_probe`: the
/// word is read, and written back with the `async_probe` of that time. (What a writer of `async_probe`
/// does to the other bit is not modelled.)
pub fn use_device(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    if cpu.rules().async_stash != AsyncStash::DrvdataAndBit || !cpu.rules().shared_async_bit {
        return cpu.touch(dev.object());
    }
    cpu.call("use", &atoms![dev], || {
        let bit = cpu.load(dev.async_probe())?;
        cpu.store(dev.async_probe(), bit)
    })
}

/// `dev_set_drvdata`.
pub fn dev_set_drvdata(cpu: &Cpu<'_>, dev: Device, data: Option<Object>) -> Step<()> {
    cpu.store(dev.drvdata(), data)?;
    if cpu.rules().async_stash == AsyncStash::DrvdataAndBit && cpu.rules().setters_clear_bit {
        set_async_probe(cpu, dev, false)?;
    }
    Ok(())
}

/// `dev_get_drvdata`, as anybody but the core calls it: seeing the core's stash is a hazard.
pub fn dev_get_drvdata(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    let hides = cpu.rules().async_stash == AsyncStash::DrvdataAndBit && cpu.rules().getters_hide_stash;
    if hides && cpu.load(dev.async_probe())? {
        return Ok(());
    }
    cpu.step(cpu.telling(Action::Load(cpu.cell(dev.drvdata())), Event::DrvdataRead(dev)))?;
    Ok(())
}

/// `device_driver_attach` (before v5.1 its body stood in `__driver_attach`).
pub fn device_driver_attach(cpu: &Cpu<'_>, drv: Driver, dev: Device) -> Step<()> {
    cpu.call("device_driver_attach", &atoms![drv, dev], || {
        cpu.device_driver_lock(dev)?;
        if cpu.rules().split_driver_probe_device || may_probe(cpu, dev)? {
            driver_probe_device(cpu, drv, dev)?;
        }
        cpu.device_driver_unlock(dev)
    })
}

/// `device_driver_attach`, called from outside the core: exported from v5.14 on, with probes and deferrals as
/// in sysfs bind. Before, it is the core's own function.
pub fn attach_by_hand(cpu: &Cpu<'_>, drv: Driver, dev: Device) -> Step<()> {
    if !cpu.rules().split_driver_probe_device {
        return device_driver_attach(cpu, drv, dev);
    }
    cpu.call("device_driver_attach", &atoms![drv, dev], || attach_exported(cpu, drv, dev))
}

/// The exported `device_driver_attach`: no probe_count, and a deferral is not put on the list.
fn attach_exported(cpu: &Cpu<'_>, drv: Driver, dev: Device) -> Step<()> {
    cpu.device_driver_lock(dev)?;
    __driver_probe_device(cpu, drv, dev, By::Bind)?;
    cpu.device_driver_unlock(dev)
}

/// What `bind_store` does with the device that it found.
pub fn bind_device(cpu: &Cpu<'_>, drv: Driver, dev: Device) -> Step<()> {
    let rules = cpu.rules();
    // 2. Without a lock.
    if !rules.split_driver_probe_device && cpu.load(dev.driver())?.is_some() {
        return Ok(());
    }
    // Any result but zero passes, negative ones too.
    if driver_match_unlocked(cpu, drv, dev)? == Match::No {
        return Ok(());
    }
    // 3. 4.
    if rules.split_driver_probe_device {
        return attach_exported(cpu, drv, dev);
    }
    cpu.device_driver_lock(dev)?;
    if !rules.bind_rechecks || may_probe(cpu, dev)? {
        driver_probe_device(cpu, drv, dev)?;
    }
    cpu.device_driver_unlock(dev)
}

/// `device_attach`: synchronous.
pub fn device_attach(cpu: &Cpu<'_>, dev: Device) -> Step<Result<bool, Errno>> {
    __device_attach(cpu, dev, false)
}

/// `device_initial_probe`.
pub fn device_initial_probe(cpu: &Cpu<'_>, dev: Device) -> Step<Result<bool, Errno>> {
    __device_attach(cpu, dev, true)
}

/// `__device_attach`: looks for a driver for a device. Whether it is bound, or what stopped the walk.
pub fn __device_attach(cpu: &Cpu<'_>, dev: Device, allow_async: bool) -> Step<Result<bool, Errno>> {
    cpu.call("__device_attach", &atoms![dev], || {
        // 1.
        cpu.device_lock(dev)?;
        // 2.
        if cpu.rules().device_attach_checks_dead && is_dead(cpu, dev)? {
            cpu.device_unlock(dev)?;
            return Ok(Ok(false));
        }
        let (result, scheduled) = device_attach_locked(cpu, dev, allow_async)?;
        // 6. 7.
        cpu.device_unlock(dev)?;
        if scheduled && cpu.rules().device_attach_schedules_unlocked {
            schedule_device_helper(cpu, dev)?;
        }
        Ok(result)
    })
}

/// Steps 3 to 5 of `__device_attach`: its result, and whether pass 2 is to be scheduled or was.
fn device_attach_locked(cpu: &Cpu<'_>, dev: Device, allow_async: bool) -> Step<(Result<bool, Errno>, bool)> {
    if let Some(drv) = cpu.load(dev.driver())? {
        if cpu.load(dev.knode_driver())?.is_some() {
            return Ok((Ok(true), false));
        }
        // device_bind_driver. No call of a scenario sets dev->driver without the lock.
        let linked = driver_sysfs_add(cpu, drv, dev)?;
        if linked {
            driver_bound(cpu, dev)?;
        } else {
            cpu.store(dev.driver(), None)?;
            if cpu.rules().failed_bind_clears_drvdata {
                dev_set_drvdata(cpu, dev, None)?;
            }
        }
        return Ok((Ok(linked), false));
    }
    with_parent_active(cpu, dev, || {
        // 4.
        let pass = if allow_async { Pass::Synchronous } else { Pass::All };
        let (walked, have_async) = bus_for_each_drv(cpu, dev, pass)?;
        let result = match walked {
            Walked::Bound => Ok(true),
            Walked::Stopped(errno) => Err(errno),
            Walked::End => Ok(false),
        };
        // 5.
        let scheduled = result == Ok(false) && allow_async && have_async;
        if !scheduled {
            runtime::request_idle(cpu, dev)?;
            return Ok((result, false));
        }
        cpu.get_device(dev)?;
        if !cpu.rules().device_attach_schedules_unlocked {
            schedule_device_helper(cpu, dev)?;
        }
        Ok((result, true))
    })
}

fn schedule_device_helper(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    cpu.async_schedule(DEFAULT_DOMAIN, entry::DEVICE_ATTACH_HELPER, &atoms![dev], || {
        __device_attach_async_helper(cpu, dev)
    })
}

/// `__device_attach_async_helper`: pass 2, by asynchronous drivers only.
pub fn __device_attach_async_helper(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    cpu.call("__device_attach_async_helper", &atoms![dev], || {
        cpu.device_lock(dev)?;
        if !cpu.rules().device_helper_rechecks || may_probe(cpu, dev)? {
            with_parent_active(cpu, dev, || {
                bus_for_each_drv(cpu, dev, Pass::Asynchronous)?;
                runtime::request_idle(cpu, dev)
            })?;
        }
        cpu.device_unlock(dev)?;
        cpu.put_device(dev)
    })
}

/// Which drivers a walk probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pass {
    All,
    Synchronous,
    Asynchronous,
}

/// How a walk over the drivers ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Walked {
    End,
    Bound,
    Stopped(Errno),
}

/// Walks the drivers of a device's bus. The second value: one of them probes asynchronously.
///
/// The klist is asked for one more driver before the result of the last is looked at.
fn bus_for_each_drv(cpu: &Cpu<'_>, dev: Device, pass: Pass) -> Step<(Walked, bool)> {
    let bus = cpu.world().devices[dev.index()].bus;
    let start = (cpu.klist_iter_init(bus.klist_drivers()), Walked::End, false);
    cpu.repeat(start, |(left, walked, have_async): (KlistIter, Walked, bool)| {
        let iter = cpu.klist_next(left)?;
        let Some(node) = iter.node() else {
            return Ok(Break((walked, have_async)));
        };
        if walked != Walked::End {
            cpu.klist_iter_exit(iter)?;
            return Ok(Break((walked, have_async)));
        }
        let (walked, is_async) = __device_attach_driver(cpu, Driver(node), dev, pass)?;
        Ok(Continue((iter, walked, have_async || is_async)))
    })
}

/// `__device_attach_driver`: whether the walk stops here, and whether the driver is asynchronous.
fn __device_attach_driver(cpu: &Cpu<'_>, drv: Driver, dev: Device, pass: Pass) -> Step<(Walked, bool)> {
    cpu.call("__device_attach_driver", &atoms![drv, dev], || {
        let rules = cpu.rules();
        if rules.walk_stops_when_bound && cpu.load(dev.driver())?.is_some() {
            return Ok((Walked::Stopped(Errno::Busy), false));
        }
        match driver_match_device(cpu, drv, dev)? {
            Match::No => return Ok((Walked::End, false)),
            Match::Yes => {}
            Match::Defer => {
                match_defers(cpu, dev)?;
                if rules.match_defer_returns {
                    return Ok((Walked::Stopped(Errno::ProbeDefer), false));
                }
            }
            Match::Error => return Ok((Walked::Stopped(Errno::Failed), false)),
        }
        let is_async = rules.device_side_async && cpu.driver_allows_async_probing(drv);
        let probes = match pass {
            Pass::All => true,
            Pass::Synchronous => !is_async,
            Pass::Asynchronous => is_async,
        };
        if !probes {
            return Ok((Walked::End, is_async));
        }
        let walked = match driver_probe_device(cpu, drv, dev)? {
            Probed::Bound => Walked::Bound,
            Probed::Failed(_) => Walked::End,
            Probed::Refused(errno) => Walked::Stopped(errno),
        };
        Ok((walked, is_async))
    })
}

impl Observe for Walked {
    fn record(&self, to: &mut Vec<raddle_checker::machine::value::Obs>) {
        let option: Option<Result<(), Errno>> = match self {
            Walked::End => None,
            Walked::Bound => Some(Ok(())),
            Walked::Stopped(errno) => Some(Err(*errno)),
        };
        option.record(to);
    }

    fn replay(from: &mut std::slice::Iter<'_, raddle_checker::machine::value::Obs>) -> Self {
        match Option::<Result<(), Errno>>::replay(from) {
            None => Walked::End,
            Some(Ok(())) => Walked::Bound,
            Some(Err(errno)) => Walked::Stopped(errno),
        }
    }
}

/// Whether probing is deferred altogether (`device_block_probing`).
pub fn all_probes_deferred(cpu: &Cpu<'_>) -> Step<bool> {
    if cpu.rules().defer_all_probes && cpu.watched().block {
        cpu.load(Core.defer_all_probes())
    } else {
        Ok(false)
    }
}
