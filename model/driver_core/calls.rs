//! The calls of a scenario (SCENARIOS.md 2), as functions of the model.

use super::bus::{bind_store, bus_rescan_devices, device_reprobe, drivers_probe_store, unbind_store};
use super::core::{device_add, device_del, device_unregister, uevent_show};
use super::cpu::Cpu;
use super::dd::{dev_get_drvdata, dev_set_drvdata, use_device};
use super::deferred::{
    deferred_probe_initcall, deferred_probe_timeout, device_block_probing, device_unblock_probing,
    driver_deferred_probe_trigger, wait_for_device_probe,
};
use super::driver::{driver_register, driver_unregister};
use super::module::{delete_module, load_module, request_module};
use super::nvdimm::{nd_device_register, nd_device_unregister, nd_synchronize};
use super::release::device_shutdown;
use raddle_checker::atoms;
use raddle_checker::machine::cpu::Step;
use raddle_checker::machine::op::Action;
use raddle_checker::machine::value::Object;
use raddle_probing::ids::{Device, Driver, TaskId};
use raddle_probing::objects::{BUS_CODE, DRVDATA};
use raddle_probing::properties::event;
use raddle_probing::world::Call;

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
    match call {
        Call::LoadModule(module) => load_module(cpu, module),
        Call::DeleteModule(module) => delete_module(cpu, module),
        Call::RequestModule(module) => request_module(cpu, module),
        Call::DriverRegister(drv) => driver_register(cpu, drv).map(|_| ()),
        Call::DriverUnregister(drv) => driver_unregister(cpu, drv),
        Call::DeviceAdd(dev) | Call::DeviceRegister(dev) => device_add(cpu, on(dev)).map(|_| ()),
        Call::DeviceDel(dev) => device_del(cpu, on(dev)),
        Call::DeviceUnregister(dev) => device_unregister(cpu, on(dev)),
        Call::GetDevice(dev) => {
            let dev = on(dev);
            cpu.step(vec![Action::Get(cpu.cell(dev.refs())), Action::Get(cpu.cell(dev.extra_refs()))])?;
            Ok(())
        }
        Call::PutDevice(dev) => {
            let dev = on(dev);
            // Ghost: whose reference it is.
            cpu.tell(dev.object(), event::CALL_PUTS, &atoms![dev])?;
            cpu.put_device(dev)
        }
        Call::Bind(drv, dev) => bind_store(cpu, drv, on(dev)),
        Call::Unbind(drv, dev) => unbind_store(cpu, drv, on(dev)),
        Call::DriversProbe(dev) => drivers_probe_store(cpu, on(dev)),
        Call::BusRescanDevices(bus) => bus_rescan_devices(cpu, bus),
        Call::DeviceReprobe(dev) => device_reprobe(cpu, on(dev)),
        Call::DeviceShutdown => device_shutdown(cpu),
        Call::DeviceBlockProbing => device_block_probing(cpu),
        Call::DeviceUnblockProbing => device_unblock_probing(cpu),
        Call::WaitForDeviceProbe => wait_for_device_probe(cpu),
        Call::AsyncSynchronizeFull => cpu.async_synchronize_full(),
        Call::DeferredProbeInitcall => deferred_probe_initcall(cpu),
        Call::DeferredProbeTimeout => deferred_probe_timeout(cpu),
        Call::DriverDeferredProbeTrigger => driver_deferred_probe_trigger(cpu, None),
        Call::NdDeviceRegister(dev) => nd_device_register(cpu, on(dev)),
        Call::NdDeviceUnregister(dev) => nd_device_unregister(cpu, on(dev)),
        Call::NdSynchronize => nd_synchronize(cpu),
        Call::ReadUevent(dev) => uevent_show(cpu, on(dev)),
        Call::QueueWork(work) => cpu.queue_work(work.work()).map(|_| ()),
        Call::FlushWork(work) => cpu.flush_work(work.work()).map(|_| ()),
        Call::CancelWorkSync(work) => cpu.cancel_work_sync(work.work()).map(|_| ()),
        Call::Provide(resource) => cpu.store(resource.present(), true),
        Call::Withdraw(resource) => cpu.store(resource.present(), false),
        Call::Require(_) => unreachable!("internal: require stands in probe only"),
        Call::DevGetDrvdata(dev) => {
            let dev = on(dev);
            cpu.call("dev_get_drvdata", &atoms![dev], || dev_get_drvdata(cpu, dev))
        }
        Call::DevSetDrvdata(dev) => {
            let (dev, index) = (on(dev), at.drv.map_or(BUS_CODE, |drv| drv.0));
            let data = Object { sort: DRVDATA, index };
            cpu.call("dev_set_drvdata", &atoms![dev, data], || dev_set_drvdata(cpu, dev, Some(data)))
        }
        Call::DevSetDrvdataNull(dev) => {
            let (dev, null) = (on(dev), None::<Object>);
            cpu.call("dev_set_drvdata", &atoms![dev, null], || dev_set_drvdata(cpu, dev, null))
        }
        Call::Use(dev) => use_device(cpu, on(dev)),
    }
}
