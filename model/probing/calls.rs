//! Making a scenario's calls: those that raddle makes itself, and the way to the subject for the others.

use std::ops::ControlFlow::{Break, Continue};

use super::at::At;
use super::call::Call;
use super::cpu::Cpu;
use super::events::Event;
use super::files;
use super::hooks;
use super::ids::{Device, Devres, Flag, Function, Instance, List, Memory, Mutex, Pointer, TaskId, Work};
use super::module::{load_module, request_module};
use super::objects::{DEVICE_REFS, Private, acquired, pointer_to};
use super::queues;
use super::runtime::{self, RuntimeStatus};
use super::world::DriverDecl;
use raddle_checker::atoms;
use raddle_checker::machine::cpu::{Held, Step};
use raddle_checker::machine::layout::{ALIVE, Cell, CellId};
use raddle_checker::machine::op::{Action, End};
use raddle_checker::machine::value::{Datum, Obs};

/// Whether a body goes on after a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// It does.
    On,
    /// The call has ended it.
    Ended,
}

impl Flow {
    fn on_if(goes_on: bool) -> Self {
        if goes_on { Flow::On } else { Flow::Ended }
    }
}

/// A task of the scenario: its calls in order, whatever they return.
pub fn run_task(cpu: &Cpu<'_>, task: TaskId) -> Step<()> {
    let mut at = At::default();
    run_in(cpu, &cpu.world().tasks[task.index()].run, &mut at)?;
    // What is open at its end is closed by exit.
    while let Some((cdev, instance)) = at.files.pop() {
        files::close(cpu, cdev, instance)?;
    }
    Ok(())
}

/// Calls one after the other, until one of them ends the body.
pub fn run_body(cpu: &Cpu<'_>, calls: &[Call], mut at: At) -> Step<()> {
    run_in(cpu, calls, &mut at).map(drop)
}

/// The same, for who looks at where it stood at its end, and whether a call has ended it early.
pub fn run_in(cpu: &Cpu<'_>, calls: &[Call], at: &mut At) -> Step<Flow> {
    for call in calls {
        if run_call(cpu, *call, at)? == Flow::Ended {
            return Ok(Flow::Ended);
        }
    }
    Ok(Flow::On)
}

/// One call.
pub fn run_call(cpu: &Cpu<'_>, call: Call, at: &mut At) -> Step<Flow> {
    let on = |dev: Option<Device>| dev.or(at.dev).expect("internal: a call without a device");
    match call.replace(on) {
        Call::LoadModule(module) => load_module(cpu, module)?,
        Call::DeleteModule(module) => cpu.subject().delete_module(cpu, module)?,
        Call::RequestModule(module) => request_module(cpu, module)?,
        Call::AsyncSynchronizeFull() => cpu.async_synchronize_full()?,
        Call::GetDevice(dev) => {
            cpu.step(vec![Action::Get(cpu.cell(dev.refs())), Action::Get(cpu.cell(dev.extra_refs()))])?;
        }
        Call::PutDevice(dev) => {
            // Ghost: whose reference it is.
            cpu.tell(dev.object(), Event::CallPuts(dev))?;
            cpu.put_device(dev)?;
        }
        Call::BusFindDevice(dev) => {
            if !cpu.find_device(dev)? {
                return Ok(Flow::Ended);
            }
            cpu.step(Action::Get(cpu.cell(dev.extra_refs())))?;
        }
        Call::DriverFindDevice(drv, dev) => {
            let mut actions = cpu.driver_private(drv).to_vec();
            let klist = cpu.cell(Private(drv.0).klist_devices());
            actions.push(Action::KlistFind(klist, dev.object(), DEVICE_REFS));
            if !cpu.observe(actions)? {
                return Ok(Flow::Ended);
            }
            cpu.step(Action::Get(cpu.cell(dev.extra_refs())))?;
        }
        Call::DeviceAlloc(dev) => device_alloc(cpu, dev)?,
        Call::Alloc(memory, told) => alloc(cpu, memory, told, at)?,
        Call::Free(memory, told) => {
            let instance = at.instance(cpu, memory, told)?;
            cpu.step(Action::Free(instance.object()))?;
        }
        Call::UseMemory(memory, told) => {
            let instance = at.instance(cpu, memory, told)?;
            cpu.touch(instance.object())?;
        }
        Call::Get(memory, told) => {
            let instance = at.instance(cpu, memory, told)?;
            cpu.step(Action::Get(cpu.cell(instance.refs())))?;
        }
        Call::GetUnlessZero(memory, told) => {
            let refs = cpu.cell(at.instance(cpu, memory, told)?.refs());
            let got = cpu.step(Action::EnterIf(refs, refs))?;
            return Ok(Flow::on_if(Held::from_obs(got).is_some()));
        }
        Call::Put(memory, told) => {
            let instance = at.instance(cpu, memory, told)?;
            put(cpu, memory, instance)?;
        }
        Call::SetPointer(pointer, memory, told) => {
            let instance = at.instance(cpu, memory, told)?;
            let place = place_of(cpu, pointer, told, at)?;
            cpu.store(place, Some(instance))?;
        }
        Call::ClearPointer(pointer, told) => {
            let place = place_of(cpu, pointer, told, at)?;
            cpu.store(place, None)?;
        }
        Call::Follow(pointer, told) => {
            let place = place_of(cpu, pointer, told, at)?;
            let instance: Instance = cpu.follow(place)?;
            at.find(cpu.world().pointers[pointer.index()].to, instance);
            cpu.touch(instance.object())?;
        }
        Call::ReturnIfPointer(pointer, told) => {
            let place = place_of(cpu, pointer, told, at)?;
            return Ok(Flow::on_if(cpu.load(place)?.is_none()));
        }
        Call::ReturnUnlessPointer(pointer, told) => {
            let place = place_of(cpu, pointer, told, at)?;
            let Some(instance) = cpu.load(place)? else { return Ok(Flow::Ended) };
            at.find(cpu.world().pointers[pointer.index()].to, instance);
        }
        Call::SetFlag(flag, told) => {
            let place = flag_of(cpu, flag, told, at)?;
            cpu.store(place, true)?;
        }
        Call::ClearFlag(flag, told) => {
            let place = flag_of(cpu, flag, told, at)?;
            cpu.store(place, false)?;
        }
        Call::ReturnIf(flag, told) => {
            let place = flag_of(cpu, flag, told, at)?;
            return Ok(Flow::on_if(!cpu.load(place)?));
        }
        Call::ReturnUnless(flag, told) => {
            let place = flag_of(cpu, flag, told, at)?;
            return Ok(Flow::on_if(cpu.load(place)?));
        }
        Call::WaitEvent(flag, told) => {
            let place = flag_of(cpu, flag, told, at)?;
            cpu.step(Action::AwaitNot(cpu.cell(place), Obs::Bool(false)))?;
        }
        Call::WaitForCompletion(flag, told) => {
            let place = flag_of(cpu, flag, told, at)?;
            let completed = Action::AwaitNot(cpu.cell(place), Obs::Bool(false));
            cpu.step(vec![completed, cpu.storing(place, false)])?;
        }
        Call::ListAdd(list, memory, told) => {
            let instance = at.instance(cpu, memory, told)?;
            let list = cpu.cell(list_of(cpu, list, told, at)?);
            cpu.step(Action::ListAdd { list, unless_on: list, member: instance.object(), at: End::Last })?;
        }
        Call::ListDel(list, memory, told) => {
            let instance = at.instance(cpu, memory, told)?;
            let list = cpu.cell(list_of(cpu, list, told, at)?);
            cpu.step(Action::ListDel(list, list, instance.object()))?;
        }
        Call::ForEach(list, function, told) => {
            let list = list_of(cpu, list, told, at)?;
            for_each(cpu, list, function)?;
        }
        Call::CallFunction(function, told) => {
            let given = at.given_to(cpu, function, told)?;
            call_function(cpu, function, given)?;
        }
        Call::DeviceCreateFile(attribute, told) => hooks::create(cpu, at.hook(cpu, attribute.hook(), told))?,
        Call::DeviceRemoveFile(attribute, told) => {
            hooks::remove(cpu, "device_remove_file", at.hook(cpu, attribute.hook(), told))?;
        }
        Call::ReadAttribute(attribute, told) => {
            hooks::call(cpu, "show", at.hook(cpu, attribute.hook(), told), 0)?;
        }
        Call::WriteAttribute(attribute, told) => {
            hooks::call(cpu, "store", at.hook(cpu, attribute.hook(), told), 1)?;
        }
        Call::BreakActive(attribute, told) => {
            let hook = at.hook(cpu, attribute.hook(), told);
            if at.inside.take_if(|inside| *inside == hook).is_some() {
                hooks::leave(cpu, hook)?;
            }
        }
        Call::RegisterNotifier(notifier, told) => hooks::create(cpu, at.hook(cpu, notifier.hook(), told))?,
        Call::UnregisterNotifier(notifier, told) => {
            hooks::remove(cpu, "unregister_notifier", at.hook(cpu, notifier.hook(), told))?;
        }
        Call::Notify(notifier, told) => {
            hooks::call(cpu, "notifier_call", at.hook(cpu, notifier.hook(), told), 0)?;
        }
        Call::CdevAdd(cdev, told) => {
            let cdev = at.cdev(cpu, cdev.cdev(), told);
            let instance = at.instance(cpu, cpu.world().cdevs[cdev.index()].memory, told)?;
            files::cdev_add(cpu, cdev, instance)?;
        }
        Call::CdevDel(cdev, told) => {
            let cdev = at.cdev(cpu, cdev.cdev(), told);
            files::cdev_del(cpu, cdev)?;
        }
        Call::Open(cdev, told) => {
            let cdev = at.cdev(cpu, cdev.cdev(), told);
            let file = files::open(cpu, cdev)?;
            at.files.extend(file.map(|instance| (cdev, instance)));
        }
        Call::Ioctl(cdev, told) => {
            let cdev = at.cdev(cpu, cdev.cdev(), told);
            if let Some((_, instance)) = at.files.iter().rfind(|(open, _)| *open == cdev) {
                files::ioctl(cpu, cdev, *instance)?;
            }
        }
        Call::Close(cdev, told) => {
            let cdev = at.cdev(cpu, cdev.cdev(), told);
            if let Some(last) = at.files.iter().rposition(|(open, _)| *open == cdev) {
                let (_, instance) = at.files.remove(last);
                files::close(cpu, cdev, instance)?;
            }
        }
        // What is done when it is undone.
        Call::AddAction(..) => {}
        Call::Devm(devres) => {
            let decl = &cpu.world().devres[devres.index()];
            run_call(cpu, decl.acquire, at)?;
            cpu.subject().devres_add(cpu, at.dev.expect("internal: devm in a probe"), devres)?;
        }
        Call::DevmUndo(devres) => {
            let dev = at.dev.expect("internal: devm in a callback");
            cpu.subject().devres_release(cpu, dev, devres, at)?;
        }
        Call::QueueWork(work, told) => {
            let work = at.work(cpu, work, told)?;
            queues::queue_work(cpu, work)?;
        }
        Call::FlushWork(work, told) => {
            let work = at.work(cpu, work, told)?;
            cpu.call("flush_work", &atoms![work], || cpu.flush(work))?;
        }
        Call::CancelWork(work, told) => on_work(cpu, "cancel_work", work, told, at, cancel)?,
        Call::CancelWorkSync(work, told) => on_work(cpu, "cancel_work_sync", work, told, at, cancel_sync)?,
        Call::DisableWorkSync(work, told) => on_work(cpu, "disable_work_sync", work, told, at, disable_sync)?,
        Call::EnableWork(work, told) => on_work(cpu, "enable_work", work, told, at, enable)?,
        Call::AllocWorkqueue(queue, told) => queues::alloc(cpu, at.queue(cpu, queue.queue(), told))?,
        Call::FlushWorkqueue(queue, told) => queues::flush(cpu, at.queue(cpu, queue.queue(), told))?,
        Call::DrainWorkqueue(queue, told) => queues::drain(cpu, at.queue(cpu, queue.queue(), told))?,
        Call::DestroyWorkqueue(queue, told) => queues::destroy(cpu, at.queue(cpu, queue.queue(), told))?,
        Call::ModTimer(timer, told) => on_work(cpu, "mod_timer", timer.work(), told, at, queue)?,
        Call::TimerDelete(timer, told) => on_work(cpu, "timer_delete", timer.work(), told, at, cancel)?,
        Call::TimerDeleteSync(timer, told) => {
            on_work(cpu, "timer_delete_sync", timer.work(), told, at, cancel_sync)?;
        }
        Call::TimerShutdownSync(timer, told) => {
            on_work(cpu, "timer_shutdown_sync", timer.work(), told, at, disable_sync)?;
        }
        Call::RequestIrq(irq, told) => on_work(cpu, "request_irq", irq.work(), told, at, enable_and_queue)?,
        Call::FreeIrq(irq, told) => on_work(cpu, "free_irq", irq.work(), told, at, disable_sync)?,
        Call::DisableIrq(irq, told) => on_work(cpu, "disable_irq", irq.work(), told, at, disable_sync)?,
        Call::EnableIrq(irq, told) => on_work(cpu, "enable_irq", irq.work(), told, at, enable_and_queue)?,
        Call::Lock(mutex, told) => {
            let place = mutex_of(cpu, mutex, told, at)?;
            cpu.lock(place)?;
        }
        Call::TryLock(mutex, told) => {
            let place = mutex_of(cpu, mutex, told, at)?;
            return Ok(Flow::on_if(cpu.observe(Action::TryLock(cpu.cell(place)))?));
        }
        Call::Unlock(mutex, told) => {
            let place = mutex_of(cpu, mutex, told, at)?;
            cpu.unlock(place)?;
        }
        Call::DeviceLock(dev) => cpu.device_lock(dev)?,
        Call::DeviceTryLock(dev) => {
            return Ok(Flow::on_if(cpu.observe(Action::TryLock(cpu.cell(dev.mutex())))?));
        }
        Call::DeviceUnlock(dev) => cpu.device_unlock(dev)?,
        Call::DeviceSuspend(dev) => device_suspend(cpu, dev)?,
        Call::DeviceResume(dev) => device_resume(cpu, dev)?,
        Call::PmRuntimeEnable(dev) => runtime::enable(cpu, dev)?,
        Call::PmRuntimeDisable(dev) => runtime::disable(cpu, dev)?,
        Call::PmRuntimeGetSync(dev) | Call::PmRuntimeResumeAndGet(dev) => runtime::get_sync(cpu, dev)?,
        Call::PmRuntimePut(dev) => runtime::put(cpu, dev)?,
        Call::PmRuntimePutSync(dev) => runtime::put_sync(cpu, dev)?,
        Call::PmRuntimeGetNoresume(dev) => runtime::get_noresume(cpu, dev)?,
        Call::PmRuntimePutNoidle(dev) => runtime::put_noidle(cpu, dev)?,
        Call::PmRuntimeSetActive(dev) => runtime::set_status(cpu, dev, RuntimeStatus::Active)?,
        Call::PmRuntimeSetSuspended(dev) => runtime::set_status(cpu, dev, RuntimeStatus::Suspended)?,
        Call::Provide(resource) => cpu.store(resource.present(), true)?,
        Call::Withdraw(resource) => cpu.store(resource.present(), false)?,
        Call::Require(_) => unreachable!("internal: the probe callback looks at what it requires"),
        Call::Kernel(call) => cpu.subject().call(cpu, call, at.drv)?,
    }
    Ok(Flow::On)
}

/// One device in system suspend (drivers/base/power/main.c): the callback of its driver runs with the device lock held.
fn device_suspend(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    sleep(cpu, dev, "device_suspend", |cpu| {
        runtime::falls_asleep(cpu, dev)?;
        sleep_callback(cpu, dev, "suspend", |decl| &decl.suspend)?;
        runtime::is_asleep(cpu, dev)
    })
}

/// One device in system resume, alike.
fn device_resume(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    sleep(cpu, dev, "device_resume", |cpu| {
        let was_asleep = runtime::wakes_up(cpu, dev)?;
        sleep_callback(cpu, dev, "resume", |decl| &decl.resume)?;
        if was_asleep { runtime::put(cpu, dev) } else { Ok(()) }
    })
}

fn sleep(
    cpu: &Cpu<'_>,
    dev: Device,
    name: &'static str,
    body: impl FnOnce(&Cpu<'_>) -> Step<()>,
) -> Step<()> {
    cpu.call(name, &atoms![dev], || {
        // The list of devices holds no reference: who walks it takes one.
        if !cpu.find_device(dev)? {
            return Ok(());
        }
        body(cpu)?;
        cpu.put_device(dev)
    })
}

fn sleep_callback(
    cpu: &Cpu<'_>,
    dev: Device,
    name: &'static str,
    body: fn(&DriverDecl) -> &Vec<Call>,
) -> Step<()> {
    cpu.device_lock(dev)?;
    callback(cpu, dev, name, body)?;
    cpu.device_unlock(dev)
}

/// A callback of power management, of the driver that is bound or about to be.
pub(super) fn callback(
    cpu: &Cpu<'_>,
    dev: Device,
    name: &'static str,
    body: fn(&DriverDecl) -> &Vec<Call>,
) -> Step<()> {
    let Some(drv) = cpu.load(dev.driver())? else { return Ok(()) };
    cpu.call(name, &atoms![drv, dev], || {
        cpu.touch(drv.object())?;
        run_body(cpu, body(&cpu.world().drivers[drv.index()]), At::bound(dev, drv))
    })
}

/// `devres_release_all`: what the device's probe has acquired is undone, the last first.
pub fn devres_release_all(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    let world = cpu.world();
    let all: Vec<Devres> = world.devres_on(world.devices[dev.index()].bus).collect();
    if all.is_empty() {
        return Ok(());
    }
    cpu.call("devres_release_all", &atoms![dev], || {
        for devres in all.iter().rev() {
            devres_release(cpu, dev, *devres, &mut At::bound(dev, world.devres[devres.index()].drv))?;
        }
        Ok(())
    })
}

/// `devres_release`: undoes something that a probe has acquired, if it is still there.
pub(super) fn devres_release(cpu: &Cpu<'_>, dev: Device, devres: Devres, at: &mut At) -> Step<()> {
    let there = cpu.cell(acquired(dev, devres));
    let taken = cpu.step(Action::Swap(there, Obs::Bool(true), Obs::Bool(false)))?;
    if Held::from_obs(taken).is_some() { undo(cpu, devres, at) } else { Ok(()) }
}

/// What releases something that a probe has acquired.
pub fn undo(cpu: &Cpu<'_>, devres: Devres, at: &mut At) -> Step<()> {
    run_call(cpu, cpu.world().devres[devres.index()].undo, at).map(drop)
}

fn device_alloc(cpu: &Cpu<'_>, dev: Device) -> Step<()> {
    cpu.call("device_alloc", &atoms![dev], || {
        let there = cpu.liveness(dev.object()).expect("internal: devices can be freed");
        let mut fresh = vec![
            Action::AwaitNot(there, Obs::Int(ALIVE)),
            Action::Alloc(dev.object()),
            Action::Get(cpu.cell(dev.refs())),
            cpu.storing(dev.created(), true),
        ];
        fresh.extend(runtime::init(cpu, dev));
        cpu.step(fresh)?;
        Ok(())
    })
}

/// `kzalloc`, and the pointer by which the driver finds its memory again.
fn alloc(cpu: &Cpu<'_>, memory: Memory, told: Option<Device>, at: &mut At) -> Step<()> {
    let owner = at.owner(cpu, memory, told);
    let those = cpu.world().instances_of(memory, owner).map(Instance::object).collect();
    let instance: Instance = cpu.observe(Action::AllocFirst(those))?;
    cpu.step(vec![
        Action::Get(cpu.cell(instance.refs())),
        cpu.storing(pointer_to(memory, owner), Some(instance)),
    ])?;
    if told.is_none() {
        at.find(memory, instance);
    }
    Ok(())
}

/// `kref_put`: the last one releases the memory.
pub fn put(cpu: &Cpu<'_>, memory: Memory, instance: Instance) -> Step<()> {
    if !cpu.observe(Action::Dec(cpu.cell(instance.refs())))? {
        return Ok(());
    }
    match &cpu.world().memories[memory.index()].release {
        None => cpu.step(Action::Free(instance.object())).map(|_| ()),
        Some(release) => {
            cpu.call("release", &atoms![instance], || run_body(cpu, release, At::given(cpu, Some(instance))))
        }
    }
}

/// `list_for_each_entry`: the member is followed after its turn.
fn for_each(cpu: &Cpu<'_>, list: Cell<super::objects::List>, function: Function) -> Step<()> {
    let list = cpu.cell(list);
    cpu.repeat(None::<Instance>, |last| {
        let after = last.map(|last| last.0);
        let next: Option<Instance> = cpu.observe(Action::ListNext(list, list, after))?;
        let Some(member) = next else { return Ok(Break(())) };
        call_function(cpu, function, Some(member))?;
        Ok(Continue(next))
    })
}

fn call_function(cpu: &Cpu<'_>, function: Function, given: Option<Instance>) -> Step<()> {
    let args: Vec<Obs> = [function.to_obs()].into_iter().chain(given.map(Datum::to_obs)).collect();
    cpu.call("call", &args, || {
        run_body(cpu, &cpu.world().functions[function.index()].run, At::given(cpu, given))
    })
}

fn place_of(
    cpu: &Cpu<'_>,
    pointer: Pointer,
    told: Option<Device>,
    at: &mut At,
) -> Step<Cell<Option<Instance>>> {
    at.place(cpu, cpu.world().pointers[pointer.index()].home, pointer.object(), told)
}

fn flag_of(cpu: &Cpu<'_>, flag: Flag, told: Option<Device>, at: &mut At) -> Step<Cell<bool>> {
    at.place(cpu, cpu.world().flags[flag.index()].home, flag.object(), told)
}

fn list_of(cpu: &Cpu<'_>, list: List, told: Option<Device>, at: &mut At) -> Step<Cell<super::objects::List>> {
    at.place(cpu, cpu.world().lists[list.index()].home, list.object(), told)
}

fn mutex_of(
    cpu: &Cpu<'_>,
    mutex: Mutex,
    told: Option<Device>,
    at: &mut At,
) -> Step<Cell<super::objects::Lock>> {
    at.place(cpu, cpu.world().mutexes[mutex.index()].home, mutex.object(), told)
}

/// One of the calls on work items, timers and interrupts: what it does, and whether it waits for the run then.
fn on_work(
    cpu: &Cpu<'_>,
    name: &'static str,
    first: Work,
    told: Option<Device>,
    at: &mut At,
    does: fn(CellId) -> (Vec<Action>, bool),
) -> Step<()> {
    let work = at.work(cpu, first, told)?;
    cpu.call(name, &atoms![work], || {
        let cell = cpu.cell(cpu.item(work));
        let (step, waits) = does(cell);
        cpu.step(queues::on_item(cpu, work, step))?;
        if waits {
            cpu.step(Action::FlushAwait(cell))?;
        }
        Ok(())
    })
}

fn queue(work: CellId) -> (Vec<Action>, bool) {
    (vec![Action::QueueWork(work)], false)
}

fn cancel(work: CellId) -> (Vec<Action>, bool) {
    (vec![Action::DequeueWork(work)], false)
}

fn cancel_sync(work: CellId) -> (Vec<Action>, bool) {
    (vec![Action::CancelBegin(work)], true)
}

fn disable_sync(work: CellId) -> (Vec<Action>, bool) {
    (vec![Action::DisableWork(work, true), Action::CancelBegin(work)], true)
}

fn enable(work: CellId) -> (Vec<Action>, bool) {
    (vec![Action::DisableWork(work, false)], false)
}

fn enable_and_queue(work: CellId) -> (Vec<Action>, bool) {
    (vec![Action::DisableWork(work, false), Action::QueueWork(work)], false)
}
