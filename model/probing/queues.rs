//! Workqueues of drivers, after kernel/workqueue.c.
//!
//! An item of a workqueue that is not ordered has a worker of its own. An ordered one has one worker for all, which
//! takes what has been pending longest, under the lock of its pool. Queueing on a workqueue that is drained is a
//! warning and does nothing, unless it is done by what runs on it.
//!
//! A delayed item is pending from when its timer is armed until it is taken: when the timer runs out makes no
//! difference that anybody could see. Simplified: one task at a time drains a workqueue; an item that comes to a
//! workqueue that is drained can be queued again, where in Linux it stays pending for ever.

use std::ops::ControlFlow::{Break, Continue};

use super::body::work_func;
use super::cpu::{Cpu, entry};
use super::ids::{Work, Workqueue};
use raddle_checker::atoms;
use raddle_checker::machine::cpu::Step;
use raddle_checker::machine::layout::CellId;
use raddle_checker::machine::op::{Action, End, Op};
use raddle_checker::machine::value::{Datum, Obs};

/// `alloc_workqueue`.
pub fn alloc(cpu: &Cpu<'_>, queue: Workqueue) -> Step<()> {
    cpu.step(Action::Alloc(queue.object())).map(drop)
}

/// `flush_workqueue`: waits for what is on it when it is called.
pub fn flush(cpu: &Cpu<'_>, queue: Workqueue) -> Step<()> {
    cpu.call("flush_workqueue", &atoms![queue], || flush_once(cpu, queue))
}

/// `drain_workqueue`.
pub fn drain(cpu: &Cpu<'_>, queue: Workqueue) -> Step<()> {
    cpu.call("drain_workqueue", &atoms![queue], || {
        empty(cpu, queue)?;
        cpu.store(queue.draining(), false)
    })
}

/// `destroy_workqueue`.
pub fn destroy(cpu: &Cpu<'_>, queue: Workqueue) -> Step<()> {
    cpu.call("destroy_workqueue", &atoms![queue], || {
        empty(cpu, queue)?;
        cpu.step(Action::Free(queue.object())).map(drop)
    })
}

/// Waits until nothing is on it: again and again, until nothing has been queued meanwhile.
fn empty(cpu: &Cpu<'_>, queue: Workqueue) -> Step<()> {
    cpu.store(queue.draining(), true)?;
    let queued = cpu.cell(queue.queued());
    cpu.repeat((), |()| {
        cpu.step(Action::Sample(queued, queue.0))?;
        flush_once(cpu, queue)?;
        let moved: bool = cpu.observe(Action::Moved(queued, queue.0))?;
        Ok(if moved { Continue(()) } else { Break(()) })
    })
}

fn flush_once(cpu: &Cpu<'_>, queue: Workqueue) -> Step<()> {
    let items: Vec<(Work, CellId)> =
        cpu.world().items_of(queue).map(|work| (work, cpu.cell(cpu.item(work)))).collect();
    let mut begin = vec![Action::Touch(queue.object())];
    begin.extend(items.iter().map(|(work, cell)| match cpu.world().works[work.index()].delayed {
        // While its timer has not run out it is not on the queue.
        true => Action::FlushRunning(*cell),
        false => Action::FlushBegin(*cell),
    }));
    cpu.step(begin)?;
    for (_, cell) in items {
        cpu.step(Action::FlushAwait(cell))?;
    }
    Ok(())
}

/// `queue_work` and `queue_delayed_work`.
pub fn queue_work(cpu: &Cpu<'_>, work: Work) -> Step<()> {
    let world = cpu.world();
    let decl = &world.works[work.index()];
    let Some(queue) = decl.queue else { return cpu.queue(work) };
    if decl.delayed {
        // Only the timer is armed.
        return cpu.queue(work);
    }
    cpu.call("queue_work", &atoms![work], || {
        if refuses(cpu, queue)? {
            return Ok(());
        }
        let mut counted = vec![Action::Touch(queue.object())];
        if world.queues[queue.index()].drained {
            counted.push(Action::Bump(cpu.cell(queue.queued()), Vec::new()));
        }
        if world.ordered(work).is_none() {
            counted.extend(cpu.queueing(work));
            return cpu.step(counted).map(drop);
        }
        cpu.lock(queue.pool_lock())?;
        if cpu.observe(cpu.queueing(work))? {
            let list = cpu.cell(queue.list());
            counted.push(Action::ListAdd { list, unless_on: list, member: work.object(), at: End::Last });
            counted.push(Action::QueueWork(cpu.cell(queue.worker())));
            cpu.step(counted)?;
        }
        cpu.unlock(queue.pool_lock())
    })
}

/// Whether a workqueue takes nothing, because it is drained and somebody else queues.
fn refuses(cpu: &Cpu<'_>, queue: Workqueue) -> Step<bool> {
    if !cpu.world().queues[queue.index()].drained || runs_on(cpu, queue) || !cpu.load(queue.draining())? {
        return Ok(false);
    }
    cpu.warn(queue.object())?;
    Ok(true)
}

/// Whether the current task is a worker of this workqueue.
fn runs_on(cpu: &Cpu<'_>, queue: Workqueue) -> bool {
    let entry = cpu.current();
    match entry.function {
        entry::WORK => cpu.world().works[Work::from_obs(entry.args[0]).index()].queue == Some(queue),
        entry::QUEUE => Workqueue::from_obs(entry.args[0]) == queue,
        _ => false,
    }
}

/// Whether a delayed item whose timer has run out is not put on its workqueue.
pub fn refuses_delayed(cpu: &Cpu<'_>, work: Work) -> Step<bool> {
    let decl = &cpu.world().works[work.index()];
    let queue = decl.queue.filter(|_| decl.delayed);
    let Some(queue) = queue.filter(|queue| cpu.world().queues[queue.index()].drained) else {
        return Ok(false);
    };
    let drained = cpu.load(queue.draining())?;
    if drained {
        cpu.warn(queue.object())?;
    }
    Ok(drained)
}

/// A step on an item, with what goes with it on an ordered workqueue: the pool's lock, and its list.
pub fn on_item(cpu: &Cpu<'_>, work: Work, actions: Vec<Action>) -> Op {
    let mut all = cpu.home_of(work);
    let Some(queue) = cpu.world().ordered(work) else {
        all.extend(actions);
        return all.into();
    };
    let takes_off = |action: &Action| matches!(action, Action::DequeueWork(_) | Action::CancelBegin(_));
    if actions.iter().any(takes_off) {
        let list = cpu.cell(queue.list());
        all.push(Action::ListDel(list, list, work.object()));
    }
    all.extend(actions);
    Op::from(all).under(cpu.cell(queue.pool_lock()))
}

/// The worker of an ordered workqueue: one item after the other.
pub fn work_in_order(cpu: &Cpu<'_>, queue: Workqueue) -> Step<()> {
    let (list, lock) = (cpu.cell(queue.list()), cpu.cell(queue.pool_lock()));
    cpu.step(Action::Lock(lock))?;
    cpu.repeat((), |()| {
        let first: Option<Work> = cpu.observe(Action::ListFirst(list))?;
        let Some(work) = first else { return Ok(Break(())) };
        let cell = cpu.cell(cpu.item(work));
        let mut start = cpu.home_of(work);
        // Who waits for its run waits for this worker.
        let own = [Action::ListDel(list, list, work.object()), Action::WorkStart(cell), Action::Hold(cell)];
        start.extend(own);
        cpu.step(start)?;
        cpu.step(Action::Unlock(lock))?;
        work_func(&cpu.on_behalf_of_work(work), work)?;
        cpu.step(Action::Lock(lock))?;
        cpu.step(vec![Action::WorkEnd(cell), Action::Release(cell)])?;
        Ok(Continue(()))
    })?;
    cpu.step(Action::Unlock(lock)).map(drop)
}

/// The workqueue that a worker's entry names.
#[must_use]
pub fn named(args: &[Obs]) -> Workqueue {
    Workqueue::from_obs(args[0])
}
