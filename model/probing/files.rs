//! Character devices and their open files, after fs/char_dev.c.
//!
//! `open` looks the device up in a map and takes a reference under its lock; `cdev_del` takes it out of the map and
//! waits for nobody, so files stay open. The last close calls release and then touches the `cdev` once more
//! (`cdev_put`). An open that a call ends early has failed: the file is not open, and release does not run. Left out:
//! modules' references, that a file may be shared, and the mutex under which the open of a misc or USB device runs.

use super::at::At;
use super::calls::{Flow, put, run_body, run_in};
use super::cpu::Cpu;
use super::ids::{Cdev, Instance};
use raddle_checker::atoms;
use raddle_checker::machine::cpu::Step;
use raddle_checker::machine::op::Action;

/// `cdev_add`: it can be opened from here on. One that has a parent holds a reference on it.
pub fn cdev_add(cpu: &Cpu<'_>, cdev: Cdev, instance: Instance) -> Step<()> {
    cpu.call("cdev_add", &atoms![cdev], || {
        if cpu.world().cdevs[cdev.index()].holds {
            cpu.step(Action::Get(cpu.cell(instance.refs())))?;
        }
        cpu.store(cdev.map(), Some(instance))
    })
}

/// `cdev_del`.
pub fn cdev_del(cpu: &Cpu<'_>, cdev: Cdev) -> Step<()> {
    cpu.call("cdev_del", &atoms![cdev], || {
        cpu.lock(cdev.map_lock())?;
        let instance = cpu.load(cdev.map())?;
        cpu.store(cdev.map(), None)?;
        cpu.unlock(cdev.map_lock())?;
        instance.map_or(Ok(()), |instance| put_held(cpu, cdev, instance))
    })
}

/// Drops the reference that a character device or an open file holds, if they hold any.
fn put_held(cpu: &Cpu<'_>, cdev: Cdev, instance: Instance) -> Step<()> {
    let decl = &cpu.world().cdevs[cdev.index()];
    if decl.holds { put(cpu, decl.memory, instance) } else { Ok(()) }
}

/// `open`: the memory in which the device lies, if it is there.
pub fn open(cpu: &Cpu<'_>, cdev: Cdev) -> Step<Option<Instance>> {
    let decl = &cpu.world().cdevs[cdev.index()];
    cpu.call("open", &atoms![cdev], || {
        cpu.lock(cdev.map_lock())?;
        let found = cpu.load(cdev.map())?;
        if let Some(instance) = found
            && decl.holds
        {
            cpu.step(Action::Get(cpu.cell(instance.refs())))?;
        }
        cpu.unlock(cdev.map_lock())?;
        let Some(instance) = found else { return Ok(None) };
        if run_in(cpu, &decl.open, &mut At::given(cpu, found))? == Flow::Ended {
            cpu.touch(instance.object())?;
            put_held(cpu, cdev, instance)?;
            return Ok(None);
        }
        Ok(found)
    })
}

/// Any other call on an open file.
pub fn ioctl(cpu: &Cpu<'_>, cdev: Cdev, instance: Instance) -> Step<()> {
    let decl = &cpu.world().cdevs[cdev.index()];
    cpu.call("ioctl", &atoms![cdev], || run_body(cpu, &decl.ioctl, At::given(cpu, Some(instance))))
}

/// The last close.
pub fn close(cpu: &Cpu<'_>, cdev: Cdev, instance: Instance) -> Step<()> {
    let decl = &cpu.world().cdevs[cdev.index()];
    cpu.call("close", &atoms![cdev], || {
        run_body(cpu, &decl.release, At::given(cpu, Some(instance)))?;
        cpu.touch(instance.object())?;
        put_held(cpu, cdev, instance)
    })
}
