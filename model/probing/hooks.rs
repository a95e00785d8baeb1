//! Sysfs attributes and notifiers: what others call while it is there, and whose removal waits for them.
//!
//! Of sysfs the *active references* (fs/kernfs/dir.c): a reader or writer has one while it is in show or store,
//! removing the file waits until there is none, and who comes then finds no file. A notifier chain is alike: its
//! readers hold a semaphore that whoever unregisters wants for writing (kernel/notifier.c).
//!
//! Simplified: of a chain that semaphore is one for each callback.

use super::at::At;
use super::calls::run_in;
use super::cpu::Cpu;
use super::ids::{Device, Hook};
use super::world::Group;
use raddle_checker::atoms;
use raddle_checker::machine::cpu::Step;
use raddle_checker::machine::op::Action;
use raddle_checker::machine::value::Obs;

/// It can be called from here on.
pub fn create(cpu: &Cpu<'_>, hook: Hook) -> Step<()> {
    cpu.store(hook.there(), true)
}

/// It cannot be called any more, and nobody is in it.
pub fn remove(cpu: &Cpu<'_>, name: &'static str, hook: Hook) -> Step<()> {
    cpu.call(name, &atoms![hook], || {
        cpu.store(hook.there(), false)?;
        cpu.step(Action::AwaitZero(cpu.cell(hook.users())))?;
        Ok(())
    })
}

/// Its removal does not wait for this task any more.
pub fn leave(cpu: &Cpu<'_>, hook: Hook) -> Step<()> {
    let users = cpu.cell(hook.users());
    cpu.step(vec![Action::Dec(users), Action::Release(users)]).map(|_| ())
}

/// One of its bodies, if it is there.
pub fn call(cpu: &Cpu<'_>, name: &'static str, hook: Hook, body: usize) -> Step<()> {
    let decl = &cpu.world().hooks[hook.index()];
    cpu.call(name, &atoms![hook], || {
        let enter = Action::EnterIf(cpu.cell(hook.there()), cpu.cell(hook.users()));
        if cpu.step(enter)? == Obs::None {
            return Ok(());
        }
        let mut at = At::inside(decl.dev, hook);
        run_in(cpu, &decl.bodies[body], &mut at)?;
        if at.inside.is_some() {
            leave(cpu, hook)?;
        }
        Ok(())
    })
}

fn of_group(cpu: &Cpu<'_>, dev: Device, group: Group) -> impl Iterator<Item = Hook> {
    let hooks = (0..).map(Hook).zip(&cpu.world().hooks);
    hooks.filter(move |(_, decl)| (decl.dev, decl.group) == (Some(dev), group)).map(|(hook, _)| hook)
}

/// Creates the attributes that come with the device or with its binding.
pub fn create_group(cpu: &Cpu<'_>, dev: Device, group: Group) -> Step<()> {
    for hook in of_group(cpu, dev, group) {
        create(cpu, hook)?;
    }
    Ok(())
}

/// Removes them.
pub fn remove_group(cpu: &Cpu<'_>, dev: Device, group: Group) -> Step<()> {
    for hook in of_group(cpu, dev, group) {
        remove(cpu, "device_remove_file", hook)?;
    }
    Ok(())
}
