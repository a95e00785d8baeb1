//! Making a scenario's calls: those that raddle makes itself, and the way to the subject for the others.

use super::call::Call;
use super::cpu::Cpu;
use super::events::Event;
use super::ids::{Device, Driver, TaskId};
use super::module::{delete_module, load_module, request_module};
use raddle_checker::atoms;
use raddle_checker::machine::cpu::Step;
use raddle_checker::machine::layout::ALIVE;
use raddle_checker::machine::op::Action;
use raddle_checker::machine::value::Obs;

/// Where a call stands: in a body there are a device and a driver at hand.
#[derive(Clone, Copy, Debug)]
pub struct At {
    /// The device at hand.
    pub dev: Option<Device>,
    /// The driver whose code it is.
    pub drv: Option<Driver>,
}

/// A task of the scenario: its calls in order, whatever they return.
pub fn run_task(cpu: &Cpu<'_>, task: TaskId) -> Step<()> {
    for call in &cpu.world().tasks[task.index()].run {
        run_call(cpu, *call, At { dev: None, drv: None })?;
    }
    Ok(())
}

/// One call.
pub fn run_call(cpu: &Cpu<'_>, call: Call, at: At) -> Step<()> {
    let on = |dev: Option<Device>| dev.or(at.dev).expect("internal: a call without a device");
    match call.replace(on) {
        Call::LoadModule(module) => load_module(cpu, module),
        Call::DeleteModule(module) => delete_module(cpu, module),
        Call::RequestModule(module) => request_module(cpu, module),
        Call::AsyncSynchronizeFull() => cpu.async_synchronize_full(),
        Call::GetDevice(dev) => {
            cpu.step(vec![Action::Get(cpu.cell(dev.refs())), Action::Get(cpu.cell(dev.extra_refs()))])?;
            Ok(())
        }
        Call::PutDevice(dev) => {
            // Ghost: whose reference it is.
            cpu.tell(dev.object(), Event::CallPuts(dev))?;
            cpu.put_device(dev)
        }
        Call::DeviceAlloc(dev) => cpu.call("device_alloc", &atoms![dev], || {
            let there = cpu.liveness(dev.object()).expect("internal: devices can be freed");
            cpu.step(vec![
                Action::AwaitNot(there, Obs::Int(ALIVE)),
                Action::Alloc(dev.object()),
                Action::Get(cpu.cell(dev.refs())),
                cpu.storing(dev.created(), true),
            ])?;
            Ok(())
        }),
        Call::QueueWork(work) => cpu.queue(work),
        Call::FlushWork(work) => cpu.flush(work),
        Call::CancelWorkSync(work) => cpu.cancel_work_sync(work.work()).map(|_| ()),
        Call::Lock(mutex) => cpu.lock(mutex.lock()),
        Call::Unlock(mutex) => cpu.unlock(mutex.lock()),
        Call::Provide(resource) => cpu.store(resource.present(), true),
        Call::Withdraw(resource) => cpu.store(resource.present(), false),
        Call::Require(_) => unreachable!("internal: the probe callback looks at what it requires"),
        Call::Kernel(call) => cpu.subject().call(cpu, call, at.drv),
    }
}
