//! Probing one device by one driver, after drivers/base/dd.c (docs/kernel/probe.md).
//!
//! Left out: runtime power management of suppliers, pins and DMA, attribute groups, notifiers and uevents; with them
//! the failures of the core itself. Of devres there is what drivers of the scenario acquire; that entries are left over
//! from before (step 5) does not occur.

use super::cpu::{Cpu, Errno};
use super::dd::{all_probes_deferred, is_dead};
use super::deferred::{
    driver_deferred_probe_add, driver_deferred_probe_del, driver_deferred_probe_trigger, drop_sample,
    retrigger_if_moved, sample_trigger_count,
};
use super::links::{device_links_check_suppliers, device_links_driver_bound, device_links_no_driver};
use super::rules::DeferredRetry;
use raddle_checker::atoms;
use raddle_checker::machine::cpu::Step;
use raddle_checker::machine::op::Action;
use raddle_checker::machine::value::{Obs, Observe};
use raddle_probing::body::{By, call_probe, probe_returned};
use raddle_probing::calls::devres_release_all;
use raddle_probing::events::Event;
use raddle_probing::ids::{Device, Driver};
use raddle_probing::objects::Core;
use raddle_probing::runtime;

/// What came of an attempt to probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probed {
    /// The device is bound.
    Bound,
    /// The driver's probe was called and failed.
    Failed(Errno),
    /// The core refused, and the probe was not called.
    Refused(Errno),
}

impl Observe for Probed {
    fn record(&self, to: &mut Vec<Obs>) {
        let option: Result<(), Result<Errno, Errno>> = match self {
            Probed::Bound => Ok(()),
            Probed::Failed(errno) => Err(Ok(*errno)),
            Probed::Refused(errno) => Err(Err(*errno)),
        };
        option.record(to);
    }

    fn replay(from: &mut std::slice::Iter<'_, Obs>) -> Self {
        match Result::<(), Result<Errno, Errno>>::replay(from) {
            Ok(()) => Probed::Bound,
            Err(Ok(errno)) => Probed::Failed(errno),
            Err(Err(errno)) => Probed::Refused(errno),
        }
    }
}

/// `driver_probe_device`, with the device lock held.
pub fn driver_probe_device(cpu: &Cpu<'_>, drv: Driver, dev: Device) -> Step<Probed> {
    cpu.call("driver_probe_device", &atoms![drv, dev], || {
        if !cpu.rules().split_driver_probe_device {
            // 1.
            if !cpu.load(dev.registered())? {
                return Ok(Probed::Refused(Errno::Failed));
            }
            // In v5.13, between the two changes, it is set here.
            if cpu.rules().can_match {
                cpu.store(dev.can_match(), true)?;
            }
            // 3.
            return powered_probe(cpu, drv, dev, By::Core);
        }
        // v5.14 on. 1. 2.
        sample_trigger_count(cpu, dev)?;
        let count = cpu.cell(Core.probe_count());
        cpu.step(vec![Action::Get(count), Action::Hold(count)])?;
        // 3.
        let probed = __driver_probe_device(cpu, drv, dev, By::Core)?;
        // 4. 5.
        if let Probed::Failed(Errno::ProbeDefer) | Probed::Refused(Errno::ProbeDefer) = probed {
            driver_deferred_probe_add(cpu, dev)?;
            retrigger_if_moved(cpu, dev)?;
        }
        // 6.
        drop_probe_count(cpu, dev)?;
        Ok(probed)
    })
}

fn drop_probe_count(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    let count = cpu.cell(Core.probe_count());
    let mut actions = drop_sample(cpu, dev);
    actions.extend([Action::Dec(count), Action::Release(count)]);
    cpu.step(actions)?;
    Ok(())
}

/// `__driver_probe_device` (v5.14 on).
pub fn __driver_probe_device(cpu: &Cpu<'_>, drv: Driver, dev: Device, by: By) -> Step<Probed> {
    cpu.call("__driver_probe_device", &atoms![drv, dev], || {
        // 1.
        if is_dead(cpu, dev)? || !cpu.load(dev.registered())? {
            return Ok(Probed::Refused(Errno::Failed));
        }
        // 2.
        if cpu.load(dev.driver())?.is_some() {
            return Ok(Probed::Refused(Errno::Busy));
        }
        // 3.
        if cpu.rules().ready_flag && !cpu.load(dev.ready())? {
            return Ok(Probed::Refused(Errno::ProbeDefer));
        }
        // 4.
        if cpu.rules().can_match {
            cpu.store(dev.can_match(), true)?;
        }
        // 5. to 7.
        powered_probe(cpu, drv, dev, by)
    })
}

/// `really_probe`, the parent resumed and no runtime power management of the device under way.
fn powered_probe(cpu: &Cpu<'_>, drv: Driver, dev: Device, by: By) -> Step<Probed> {
    with_parent_active(cpu, dev, || {
        runtime::barrier(cpu, dev)?;
        let probed = really_probe(cpu, drv, dev, by)?;
        runtime::request_idle(cpu, dev)?;
        Ok(probed)
    })
}

/// What is done with the parent resumed (v4.3 on).
pub fn with_parent_active<T>(cpu: &Cpu<'_>, dev: Device, body: impl FnOnce() -> Step<T>) -> Step<T> {
    let parent = cpu.parent(dev).filter(|_| cpu.rules().pm_resumes_parent);
    if let Some(parent) = parent {
        runtime::get_sync(cpu, parent)?;
    }
    let result = body()?;
    if let Some(parent) = parent {
        runtime::put(cpu, parent)?;
    }
    Ok(result)
}

/// `pm_runtime_reinit` (5de85b9d57ab, v4.5): a driver has left the device.
pub fn reinit_runtime_pm(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    if cpu.rules().pm_reinit { runtime::reinit(cpu, dev) } else { Ok(()) }
}

/// `really_probe`.
fn really_probe(cpu: &Cpu<'_>, drv: Driver, dev: Device, by: By) -> Step<Probed> {
    cpu.call("really_probe", &atoms![drv, dev], || {
        let counts = !cpu.rules().split_driver_probe_device;
        // 1.
        if counts {
            sample_trigger_count(cpu, dev)?;
        }
        // 2.
        if all_probes_deferred(cpu)? {
            if counts {
                driver_deferred_probe_add(cpu, dev)?;
                if let Some(drop) = drop_sample(cpu, dev).pop() {
                    cpu.step(drop)?;
                }
            }
            return Ok(Probed::Refused(Errno::ProbeDefer));
        }
        // 3.
        if !device_links_check_suppliers(cpu, dev)? {
            if counts {
                driver_deferred_probe_add(cpu, dev)?;
                retrigger_if_moved(cpu, dev)?;
            }
            return Ok(Probed::Refused(Errno::ProbeDefer));
        }
        // 4.
        let count = cpu.cell(Core.probe_count());
        if counts {
            cpu.step(vec![Action::Get(count), Action::Hold(count)])?;
        }
        // 6. 7.
        cpu.store(dev.driver(), Some(drv))?;
        if !driver_sysfs_add(cpu, drv, dev)? {
            // probe_failed: the probe is not called. The link goes, and what an earlier binding has left stays.
            device_links_no_driver(cpu, dev)?;
            cpu.step(vec![cpu.storing(dev.driver_link(), false), cpu.storing(dev.driver(), None)])?;
            super::dd::dev_set_drvdata(cpu, dev, None)?;
            reinit_runtime_pm(cpu, dev)?;
            if counts {
                drop_probe_count(cpu, dev)?;
            }
            return Ok(Probed::Failed(Errno::Failed));
        }
        // 8.
        let result = call_probe(cpu, drv, dev, by)?;
        let probed = match result {
            // 9.
            Ok(()) => {
                driver_bound(cpu, dev)?;
                Probed::Bound
            }
            // 10.
            Err(error) => {
                device_links_no_driver(cpu, dev)?;
                devres_release_all(cpu, dev)?;
                let mut failed = vec![cpu.storing(dev.driver(), None)];
                if links_matter(cpu) {
                    failed.push(cpu.storing(dev.driver_link(), false));
                }
                cpu.step(cpu.telling(failed, Event::ProbeFailed(dev, drv, error)))?;
                super::dd::dev_set_drvdata(cpu, dev, None)?;
                reinit_runtime_pm(cpu, dev)?;
                let errno = probe_returned(error);
                if counts && errno == Errno::ProbeDefer {
                    driver_deferred_probe_add(cpu, dev)?;
                    retrigger_if_moved(cpu, dev)?;
                }
                Probed::Failed(errno)
            }
        };
        if counts {
            drop_probe_count(cpu, dev)?;
        }
        Ok(probed)
    })
}

/// Whether a bound device may be probed again, so that its link `driver` matters: up to v5.0, by sysfs bind.
#[must_use]
pub fn links_matter(cpu: &Cpu<'_>) -> bool {
    !cpu.rules().bind_rechecks && cpu.watched().bind_files
}

/// `driver_sysfs_add`: false if the device has a link `driver` already (-EEXIST).
///
/// Left out: other failures, and the link in the driver's directory.
pub fn driver_sysfs_add(cpu: &Cpu<'_>, drv: Driver, dev: Device) -> Step<bool> {
    let mut actions = cpu.driver_private(drv).to_vec();
    if !links_matter(cpu) {
        cpu.step(actions)?;
        return Ok(true);
    }
    actions.push(Action::Load(cpu.cell(dev.driver_link())));
    if cpu.observe(actions)? {
        return Ok(false);
    }
    cpu.store(dev.driver_link(), true)?;
    Ok(true)
}

/// `driver_bound`, with the device lock held.
pub fn driver_bound(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    cpu.call("driver_bound", &atoms![dev], || {
        // 1.
        if cpu.load(dev.knode_driver())?.is_some() {
            return Ok(());
        }
        // 2. The node goes on the klist of whatever dev->driver is.
        let drv: Driver = cpu.follow(dev.driver())?;
        let private = raddle_probing::objects::Private(drv.0);
        let mut actions = vec![cpu.private(dev)];
        actions.extend(cpu.driver_private(drv));
        actions.push(cpu.storing(dev.knode_driver(), Some(drv)));
        actions.push(Action::KlistAdd(cpu.cell(private.klist_devices()), dev.object()));
        cpu.step(cpu.telling(actions, Event::Bound(dev, drv)))?;
        // 3.
        device_links_driver_bound(cpu, dev)?;
        // 4. 5.
        driver_deferred_probe_del(cpu, dev, false)?;
        count_bind(cpu, true)?;
        driver_deferred_probe_trigger(cpu, Some(dev))
    })
}

/// Andy Shevchenko's count of net binds.
pub fn count_bind(cpu: &Cpu<'_>, up: bool) -> Step<()> {
    if cpu.rules().deferred_retry == DeferredRetry::NetBinds {
        cpu.step(Action::Net(cpu.cell(Core.trigger_count()), up))?;
    }
    Ok(())
}
