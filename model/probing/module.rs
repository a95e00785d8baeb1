//! Loading and unloading modules, after kernel/module/main.c and kernel/kmod.c (docs/kernel/module.md).
//!
//! Left out: RCU grace periods, `stop_machine`, and module references: the driver core takes none.
//! Simplified: a module that is loaded again lies at the same address.

use std::ops::ControlFlow::{Break, Continue};

use super::at::At;
use super::calls::run_body;
use super::cpu::{Cpu, Errno, entry};
use super::events::Event;
use super::ids::{Driver, Module};
use super::objects::{Core, TICKETS};
use raddle_checker::atoms;
use raddle_checker::machine::cpu::{Held, Step};
use raddle_checker::machine::op::{Action, Entry, Op};
use raddle_checker::machine::value::{Datum, Obs};

/// When `load_module` waits for async work after a module's init.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InitWaits {
    /// Only if the loading task has scheduled some itself (`PF_USED_ASYNC`: 774a1221e862, v3.8, to v5.16).
    pub if_async_used: bool,
    /// Never for a module that asked for `async_probe` (f2411da74698, v4.2).
    pub unless_async_probe: bool,
}

/// Not loaded.
pub const UNLOADED: u8 = 0;
/// Its init runs.
pub const COMING: u8 = 1;
/// Loaded.
pub const LIVE: u8 = 2;
/// Its exit runs.
pub const GOING: u8 = 3;
/// Loaded, and its loader still has the initial reference: unloading fails.
pub const LIVE_HELD: u8 = 4;

/// The kernel's word for a module's state.
#[must_use]
pub fn state_name(state: u8) -> Option<&'static str> {
    Some(match state {
        UNLOADED => "UNLOADED",
        COMING => "COMING",
        LIVE => "LIVE",
        GOING => "GOING",
        LIVE_HELD => "LIVE (held by its loader)",
        _ => return None,
    })
}

fn drivers_of(cpu: &Cpu<'_>, module: Module) -> Vec<Driver> {
    let all = (0..cpu.world().drivers.len() as u8).map(Driver);
    all.filter(|drv| cpu.world().drivers[drv.index()].module == module).collect()
}

/// `load_module`, after the modules of its soft dependency.
pub fn load_module(cpu: &Cpu<'_>, module: Module) -> Step<()> {
    cpu.call("load_module", &atoms![module], || {
        for first in &cpu.world().modules[module.index()].softdep_pre {
            load_module(cpu, *first)?;
        }
        let state = cpu.cell(module.state());
        let held = cpu.repeat((), |()| {
            let swap = Action::Swap(state, UNLOADED.to_obs(), COMING.to_obs());
            let before = match is_barrier(cpu, module) {
                true => cpu.step(cpu.telling(swap, Event::LoadBegins(module)))?,
                false => cpu.step(swap)?,
            };
            if before == COMING.to_obs() {
                // Another loader is at work.
                cpu.step(Action::AwaitNot(state, COMING.to_obs()))?;
                return Ok(Continue(()));
            }
            Ok(Break(Held::from_obs(before)))
        })?;
        if held.is_none() {
            return Ok(());
        }
        let cpu = &if is_barrier(cpu, module) { cpu.on_behalf_of(module) } else { *cpu };
        cpu.subject().do_init_module(cpu, module)
    })
}

/// The memory of a module that is loaded: its drivers and its code.
#[must_use]
pub fn allocated(cpu: &Cpu<'_>, module: Module) -> Vec<Action> {
    let mut fresh: Vec<Action> =
        drivers_of(cpu, module).iter().map(|drv| Action::Alloc(drv.object())).collect();
    if cpu.world().has_code(module) {
        fresh.push(Action::Alloc(module.code()));
    }
    fresh
}

/// A module's init: what the scenario says, and then its drivers are registered, or none.
pub fn init(cpu: &Cpu<'_>, module: Module) -> Step<Result<(), Errno>> {
    run_body(cpu, &cpu.world().modules[module.index()].init, At::default())?;
    let drivers = drivers_of(cpu, module);
    for (i, drv) in drivers.iter().enumerate() {
        if let Err(error) = cpu.subject().driver_register(cpu, *drv)? {
            for earlier in drivers[..i].iter().rev() {
                cpu.subject().driver_unregister(cpu, *earlier)?;
            }
            run_body(cpu, &cpu.world().modules[module.index()].exit, At::default())?;
            return Ok(Err(error));
        }
    }
    Ok(Ok(()))
}

/// A module's exit: its drivers are unregistered, and then what the scenario says.
pub fn exit(cpu: &Cpu<'_>, module: Module) -> Step<()> {
    for drv in drivers_of(cpu, module).iter().rev() {
        cpu.subject().driver_unregister(cpu, *drv)?;
    }
    run_body(cpu, &cpu.world().modules[module.index()].exit, At::default())
}

/// `do_init_module`, and that the module gets its memory.
pub(super) fn do_init_module(cpu: &Cpu<'_>, module: Module) -> Step<()> {
    let mut fresh = allocated(cpu, module);
    if cpu.watched().used_async {
        fresh.push(Action::SetOwn(cpu.cell(Core.used_async()), false));
    }
    if !fresh.is_empty() {
        cpu.step(fresh)?;
    }
    if init(cpu, module)?.is_err() {
        // No wait for async work at all (docs/kernel/module.md#load_module, 4).
        return cpu.step(freed(cpu, module)).map(drop);
    }
    let waits = init_waits(cpu, module)?;
    let state = cpu.cell(module.state());
    let live = if waits { LIVE_HELD } else { LIVE };
    let now_live = vec![cpu.storing(module.state(), live), Action::Release(state)];
    if !waits {
        return cpu.step(load_returns(cpu, module, now_live.into())).map(drop);
    }
    cpu.step(now_live)?;
    cpu.async_synchronize_full()?;
    cpu.step(load_returns(cpu, module, cpu.storing(module.state(), LIVE).into())).map(drop)
}

/// Whether user space may take the end of loading for the end of the probing that the module has begun.
fn is_barrier(cpu: &Cpu<'_>, module: Module) -> bool {
    !cpu.world().modules[module.index()].async_probe
}

/// The last step of a load that succeeds, with what it tells.
#[must_use]
pub fn load_returns(cpu: &Cpu<'_>, module: Module, last: Op) -> Op {
    if is_barrier(cpu, module) { cpu.telling(last, Event::LoadEnds(module)) } else { last }
}

/// Whether the loader waits for async work after init.
fn init_waits(cpu: &Cpu<'_>, module: Module) -> Step<bool> {
    let waits = cpu.subject().init_waits();
    if waits.unless_async_probe && cpu.world().modules[module.index()].async_probe {
        return Ok(false);
    }
    if !waits.if_async_used {
        return Ok(true);
    }
    if !cpu.watched().used_async {
        return Ok(false);
    }
    cpu.observe(Action::TestOwn(cpu.cell(Core.used_async())))
}

/// What frees a module.
#[must_use]
pub fn freed(cpu: &Cpu<'_>, module: Module) -> Vec<Action> {
    let mut actions: Vec<Action> =
        drivers_of(cpu, module).iter().map(|drv| Action::Free(drv.object())).collect();
    if cpu.world().has_code(module) {
        actions.push(Action::Free(module.code()));
    }
    actions.push(cpu.storing(module.state(), UNLOADED));
    actions.push(Action::Release(cpu.cell(module.state())));
    actions
}

/// `delete_module`.
pub(super) fn delete_module(cpu: &Cpu<'_>, module: Module) -> Step<()> {
    cpu.call("delete_module", &atoms![module], || {
        let swap = Action::Swap(cpu.cell(module.state()), LIVE.to_obs(), GOING.to_obs());
        if Held::from_obs(cpu.step(swap)?).is_none() {
            return Ok(());
        }
        exit(cpu, module)?;
        cpu.async_synchronize_full()?;
        cpu.step(freed(cpu, module)).map(drop)
    })
}

/// `request_module`: starts `modprobe` and waits until it has ended.
pub fn request_module(cpu: &Cpu<'_>, module: Module) -> Step<()> {
    cpu.call("request_module", &atoms![module], || {
        // 0fdff3ec6d87 (v3.9).
        if cpu.current_is_async() {
            cpu.warn(module.object())?;
        }
        let state = cpu.load(module.state())?;
        if state == LIVE || state == LIVE_HELD {
            return Ok(());
        }
        let ticket = take_ticket(cpu, module)?;
        let args = [module.to_obs(), Obs::Int(ticket)].into_iter().chain(cpu.behalf()).collect();
        let entry = Entry { function: entry::MODPROBE, args };
        cpu.step(Action::Spawn(cpu.cell(module.modprobe(ticket)), entry.clone()))?;
        let ended = Action::AwaitEnded(cpu.cell(module.modprobe(ticket)), entry);
        cpu.step(vec![ended, cpu.storing(module.ticket(ticket), false)])?;
        Ok(())
    })
}

/// A number that no other request of this module has: it keeps it until its modprobe has ended.
fn take_ticket(cpu: &Cpu<'_>, module: Module) -> Step<u8> {
    for ticket in 0.. {
        let swap = Action::Swap(cpu.cell(module.ticket(ticket)), Obs::Bool(false), Obs::Bool(true));
        if Held::from_obs(cpu.step(swap)?).is_some() {
            return Ok(ticket);
        }
        if ticket + 1 == TICKETS {
            // The checks say that there is no room, and the search ends here.
            cpu.tell(module.object(), Event::NoTicket(module))?;
            return Ok(ticket);
        }
    }
    unreachable!("internal: tickets are few")
}

/// `modprobe`, a task of its own.
pub fn modprobe(cpu: &Cpu<'_>, module: Module, ticket: u8) -> Step<()> {
    cpu.call("modprobe", &atoms![module], || load_module(cpu, module))?;
    cpu.step(Action::SpawnEnd(cpu.cell(module.modprobe(ticket))))?;
    Ok(())
}
