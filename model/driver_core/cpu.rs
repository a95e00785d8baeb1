//! The processor of the hand model: that of [`raddle_probing`], with the rules of the revision and what
//! they decide about locks and asynchronous probing.

use std::ops::Deref;

use super::rules::{AttachStrategy, ParentLock, Rules};
use raddle_checker::machine::cpu::Step;
use raddle_probing::cpu;
use raddle_probing::ids::{Device, Driver};
use raddle_probing::objects::AttachWork;
use raddle_probing::world::ProbeType;

pub use raddle_probing::cpu::{DEFAULT_DOMAIN, Errno, ND_DOMAIN};

/// The functions of the hand model that spawned tasks and items run.
pub mod entry {
    use raddle_probing::cpu::entry::SUBJECT;

    /// Luis' `driver_attach_workfn`, on the workqueue; a driver.
    pub const ATTACH_WORKFN: u8 = SUBJECT;
    /// The same in a kernel thread; a driver.
    pub const ATTACH_KTHREAD: u8 = SUBJECT + 1;
    /// `driver_attach_async`; a driver.
    pub const DRIVER_ATTACH_ASYNC: u8 = SUBJECT + 2;
    /// `__driver_attach_async_helper`; a device, and as a ghost the driver it is for.
    pub const DRIVER_ATTACH_HELPER: u8 = SUBJECT + 3;
    /// `__device_attach_async_helper`; a device.
    pub const DEVICE_ATTACH_HELPER: u8 = SUBJECT + 4;
    /// `nd_async_device_register`; a device.
    pub const ND_REGISTER: u8 = SUBJECT + 5;
}

/// The processor.
#[derive(Clone, Copy)]
pub struct Cpu<'a> {
    probing: cpu::Cpu<'a>,
    rules: &'a Rules,
}

impl<'a> Deref for Cpu<'a> {
    type Target = cpu::Cpu<'a>;

    fn deref(&self) -> &Self::Target {
        &self.probing
    }
}

impl<'a> Cpu<'a> {
    /// A processor under these rules.
    #[must_use]
    pub fn new(probing: cpu::Cpu<'a>, rules: &'a Rules) -> Self {
        Cpu { probing, rules }
    }

    /// The rules of the revision, with the scenario's overrides.
    #[must_use]
    pub fn rules(&self) -> &'a Rules {
        self.rules
    }

    /// `driver_allows_async_probing`: constant for a driver.
    #[must_use]
    pub fn driver_allows_async_probing(&self, drv: Driver) -> bool {
        let decl = &self.world().drivers[drv.index()];
        let known = matches!(
            self.rules.attach_strategy,
            AttachStrategy::AsyncPerDriver | AttachStrategy::AsyncPerDevice
        );
        known
            && match decl.probe_type {
                ProbeType::PreferAsynchronous => true,
                ProbeType::ForceSynchronous => false,
                ProbeType::Default => self.world().modules[decl.module.index()].async_probe,
            }
    }

    /// The parent whose lock is taken with the device's own (8c97a46af04b, v4.18).
    #[must_use]
    pub fn locked_parent(&self, dev: Device) -> Option<Device> {
        let decl = &self.world().devices[dev.index()];
        let takes = match self.rules.parent_lock {
            ParentLock::Always => true,
            ParentLock::Never => false,
            ParentLock::ByFlag => self.world().buses[usize::from(decl.bus.0)].need_parent_lock,
        };
        decl.parent.filter(|_| takes)
    }

    /// `__device_driver_lock`: the parent's lock if the revision takes it, then the device's.
    pub fn device_driver_lock(&self, dev: Device) -> Step<()> {
        if let Some(parent) = self.locked_parent(dev) {
            self.device_lock(parent)?;
        }
        self.device_lock(dev)
    }

    /// `__device_driver_unlock`.
    pub fn device_driver_unlock(&self, dev: Device) -> Step<()> {
        self.device_unlock(dev)?;
        if let Some(parent) = self.locked_parent(dev) {
            self.device_unlock(parent)?;
        }
        Ok(())
    }

    /// The driver's `attach_work`.
    #[must_use]
    pub fn attach_work(&self, drv: Driver) -> AttachWork {
        AttachWork(drv.0)
    }
}
