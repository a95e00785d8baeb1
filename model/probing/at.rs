//! Where code of a driver stands: the device and the driver at hand, and the memory that it has found.
//!
//! A body finds its memory once, as C does with a local variable, and goes on with what it has found: if that is
//! freed meanwhile, each use of it is a hazard, also when the device has new memory by then.

use super::cpu::Cpu;
use super::ids::{Cdev, Device, Driver, Function, Hook, Instance, Memory, Work, Workqueue};
use super::objects::{placed, pointer_to};
use super::world::Home;
use raddle_checker::machine::cpu::Step;
use raddle_checker::machine::layout::Cell;
use raddle_checker::machine::value::Object;

/// Where code of a driver or a task stands.
#[derive(Clone, Debug, Default)]
pub struct At {
    /// The device at hand.
    pub dev: Option<Device>,
    /// The driver whose code it is.
    pub drv: Option<Driver>,
    /// The attribute or notifier whose body it is, as long as its removal waits for it.
    pub inside: Option<Hook>,
    /// The files that the task has open, with the memory in which their character devices lie.
    pub files: Vec<(Cdev, Instance)>,
    /// The memory that it has found.
    found: Vec<(Memory, Instance)>,
}

impl At {
    /// In the probe or remove of a driver.
    #[must_use]
    pub fn bound(dev: Device, drv: Driver) -> Self {
        At { dev: Some(dev), drv: Some(drv), ..At::default() }
    }

    /// In the body of an attribute or a notifier.
    #[must_use]
    pub fn inside(dev: Option<Device>, hook: Hook) -> Self {
        At { dev, inside: Some(hook), ..At::default() }
    }

    /// In code that is given an instance of memory, or nothing.
    #[must_use]
    pub fn given(cpu: &Cpu<'_>, instance: Option<Instance>) -> Self {
        let mut at = At::default();
        if let Some(instance) = instance {
            let decl = &cpu.world().instances[instance.index()];
            at.dev = decl.dev;
            at.find(decl.memory, instance);
        }
        at
    }

    /// The attribute or notifier that is meant, by the first one that is declared with it.
    #[must_use]
    pub fn hook(&self, cpu: &Cpu<'_>, first: Hook, told: Option<Device>) -> Hook {
        let dev = cpu.world().hooks[first.index()].dev.and(told.or(self.dev));
        cpu.world().hook_of(first, dev)
    }

    /// The character device that is meant, by the first one that is declared with it.
    #[must_use]
    pub fn cdev(&self, cpu: &Cpu<'_>, first: Cdev, told: Option<Device>) -> Cdev {
        let dev = cpu.world().cdevs[first.index()].dev.and(told.or(self.dev));
        cpu.world().cdev_of(first, dev)
    }

    /// The workqueue that is meant, by the first one that is declared with it.
    #[must_use]
    pub fn queue(&self, cpu: &Cpu<'_>, first: Workqueue, told: Option<Device>) -> Workqueue {
        let dev = cpu.world().queues[first.index()].dev.and(told.or(self.dev));
        cpu.world().queue_of(first, dev)
    }

    /// From here on the name of the memory stands for this instance.
    pub fn find(&mut self, memory: Memory, instance: Instance) {
        self.found.retain(|(other, _)| *other != memory);
        self.found.push((memory, instance));
    }

    /// The device whose memory is meant, if each has its own.
    ///
    /// # Panics
    ///
    /// If there is none at hand, which the scenario's reader finds first.
    #[must_use]
    pub fn owner(&self, cpu: &Cpu<'_>, memory: Memory, told: Option<Device>) -> Option<Device> {
        let per_device = cpu.world().memories[memory.index()].per_device;
        per_device.then(|| told.or(self.dev).expect("internal: memory of no device"))
    }

    /// The instance that the memory's name stands for. `told`: the device that the call names.
    #[track_caller]
    pub fn instance(&mut self, cpu: &Cpu<'_>, memory: Memory, told: Option<Device>) -> Step<Instance> {
        let found = self.found.iter().find(|(other, _)| *other == memory).filter(|_| told.is_none());
        if let Some((_, instance)) = found {
            return Ok(*instance);
        }
        let instance = cpu.follow(pointer_to(memory, self.owner(cpu, memory, told)))?;
        if told.is_none() {
            self.find(memory, instance);
        }
        Ok(instance)
    }

    /// Where something is: in memory, or in an object of its own.
    #[track_caller]
    pub fn place<T>(
        &mut self,
        cpu: &Cpu<'_>,
        home: Option<Home>,
        own: Object,
        told: Option<Device>,
    ) -> Step<Cell<T>> {
        let instance = home.map(|home| self.instance(cpu, home.memory, told)).transpose()?;
        Ok(placed(home, instance, own))
    }

    /// The work item that is meant, by the first one that is declared with it.
    #[track_caller]
    pub fn work(&mut self, cpu: &Cpu<'_>, first: Work, told: Option<Device>) -> Step<Work> {
        let data = cpu.world().works[first.index()].data;
        let memory = data.map(|data| cpu.world().instances[data.index()].memory);
        let instance = memory.map(|memory| self.instance(cpu, memory, told)).transpose()?;
        Ok(cpu.world().work_of(first, instance))
    }

    /// What a function is given.
    #[track_caller]
    pub fn given_to(
        &mut self,
        cpu: &Cpu<'_>,
        function: Function,
        told: Option<Device>,
    ) -> Step<Option<Instance>> {
        let memory = cpu.world().functions[function.index()].given;
        memory.map(|memory| self.instance(cpu, memory, told)).transpose()
    }
}
