//! The hand model as a subject: which function makes each call.

use super::attach_work::driver_attach_workfn;
use super::bus::driver_attach_async;
use super::bus::{bind_store, bus_rescan_devices, device_reprobe, drivers_probe_store, unbind_store};
use super::core::{device_add, device_del, device_unregister, uevent_show};
use super::cpu::Cpu;
use super::cpu::{DEFAULT_DOMAIN, Errno, ND_DOMAIN, entry};
use super::dd::{__device_attach_async_helper, __driver_attach_async_helper};
use super::dd::{attach_by_hand, dev_get_drvdata, dev_set_drvdata, driver_override_store, use_device};
use super::deferred::deferred_probe_work_func;
use super::deferred::{
    deferred_probe_initcall, deferred_probe_timeout, device_block_probing, device_unblock_probing,
    driver_deferred_probe_trigger, wait_for_device_probe,
};
use super::driver::{driver_register, driver_unregister};
use super::links;
use super::nvdimm::nd_async_device_register;
use super::nvdimm::{nd_device_register, nd_device_unregister, nd_synchronize};
use super::release::device_shutdown;
use super::rules::{AttachStrategy, InitWaits, RULES, Rules};
use raddle_checker::atoms;
use raddle_checker::machine::cpu::Step;
use raddle_checker::machine::layout::Layout;
use raddle_checker::machine::op::{Action, Entry};
use raddle_checker::machine::program;
use raddle_checker::machine::value::{Datum, Object};
use raddle_probing::call::KernelCall;
use raddle_probing::cpu as probing;
use raddle_probing::ids::{Device, Driver};
use raddle_probing::module;
use raddle_probing::objects::{AttachWork, BUS_CODE, DRVDATA};
use raddle_probing::program::Probing;
use raddle_probing::sources::Sources;
use raddle_probing::subject::{Item, Subject};
use raddle_probing::world::World;

/// The driver core, modelled by hand, under a set of rules.
#[derive(Clone, Debug)]
pub struct HandModel {
    rules: Rules,
}

/// A scenario on the hand model.
pub type DriverCore = Probing<'static>;

impl HandModel {
    /// The model under these rules.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        HandModel { rules }
    }

    /// The rules in force.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    fn cpu<'a>(&'a self, cpu: &probing::Cpu<'a>) -> Cpu<'a> {
        Cpu::new(*cpu, &self.rules)
    }
}

impl Subject for HandModel {
    fn rules(&self) -> Vec<(&'static str, &'static str)> {
        RULES.iter().map(|rule| (rule.name, (rule.get)(&self.rules))).collect()
    }

    fn sources(&self) -> Option<&'static Sources> {
        Some(&crate::SOURCES)
    }

    fn init_waits(&self) -> module::InitWaits {
        module::InitWaits {
            if_async_used: self.rules.init_waits == InitWaits::IfAsyncUsed,
            unless_async_probe: self.rules.async_probe_skips_wait,
        }
    }

    fn driver_register(&self, cpu: &probing::Cpu<'_>, drv: Driver) -> Step<Result<(), Errno>> {
        driver_register(&self.cpu(cpu), drv)
    }

    fn driver_unregister(&self, cpu: &probing::Cpu<'_>, drv: Driver) -> Step<()> {
        driver_unregister(&self.cpu(cpu), drv)
    }

    fn device_add(&self, cpu: &probing::Cpu<'_>, dev: Device) -> Step<Result<(), Errno>> {
        device_add(&self.cpu(cpu), dev)
    }

    fn deferred_probe_work(&self, cpu: &probing::Cpu<'_>) -> Step<()> {
        deferred_probe_work_func(&self.cpu(cpu))
    }

    fn call(&self, cpu: &probing::Cpu<'_>, call: KernelCall<Device>, of: Option<Driver>) -> Step<()> {
        make(&self.cpu(cpu), call, of)
    }

    fn run(&self, cpu: &probing::Cpu<'_>, entry: &Entry) -> Step<()> {
        let cpu = &self.cpu(cpu);
        let dev = || Device::from_obs(entry.args[0]);
        let drv = || Driver::from_obs(entry.args[0]);
        match entry.function {
            entry::ATTACH_WORKFN => driver_attach_workfn(cpu, drv()),
            entry::ATTACH_KTHREAD => {
                driver_attach_workfn(cpu, drv())?;
                cpu.step(Action::SpawnEnd(cpu.cell(drv().kthread()))).map(|_| ())
            }
            entry::DRIVER_ATTACH_ASYNC => driver_attach_async(cpu, drv()),
            entry::DRIVER_ATTACH_HELPER => __driver_attach_async_helper(cpu, dev()),
            entry::DEVICE_ATTACH_HELPER => __device_attach_async_helper(cpu, dev()),
            entry::ND_REGISTER => nd_async_device_register(cpu, dev()),
            other => unreachable!("internal: no function has number {other}"),
        }
    }

    fn domain(&self, function: u8) -> Option<u8> {
        match function {
            entry::DRIVER_ATTACH_ASYNC | entry::DRIVER_ATTACH_HELPER | entry::DEVICE_ATTACH_HELPER => {
                Some(DEFAULT_DOMAIN)
            }
            entry::ND_REGISTER => Some(ND_DOMAIN),
            _ => None,
        }
    }

    fn items(&self, world: &World) -> Vec<Item> {
        if self.rules.attach_strategy != AttachStrategy::Workqueue {
            return Vec::new();
        }
        let item = |(i, name): (u8, &String)| Item {
            name: format!("kworker (attach {name})"),
            entry: Entry { function: entry::ATTACH_WORKFN, args: atoms![Driver(i)].to_vec() },
            work: AttachWork(i).work(),
            attaches: Some(Driver(i).object()),
            needs: Vec::new(),
            runs: None,
            again: false,
        };
        (0..).zip(world.drivers.iter().map(|driver| &driver.name)).map(item).collect()
    }

    fn lay_out(&self, world: &World, layout: &mut Layout) {
        // 04d3e5461c1f, 18daa52418e7: WRITE_ONCE in device_set_driver, READ_ONCE in dev_uevent.
        for i in (0..world.devices.len() as u8).filter(|_| self.rules.uevent_reads_once) {
            layout.mark(layout.find(Device(i).driver()));
        }
    }

    fn shows(&self, function: &str) -> bool {
        // "Consolidate locking and unlocking of parent and device" (v5.1, and in Duyck's series) made functions of
        // what stood in their callers; that series also attaches devices one by one.
        self.rules.attach_strategy == AttachStrategy::AsyncPerDevice
            || !matches!(function, "device_driver_attach" | "device_driver_detach")
    }

    fn outcome(&self, call: &program::Call, outcome: usize) -> Option<&'static str> {
        match call.name {
            "bus_driver_async_probe" => {
                Some(["attach_work is allocated", "attach_work cannot be allocated"][outcome])
            }
            "driver_attach_workfn" => {
                Some(["driver_attach returned 0", "driver_attach returned an error"][outcome])
            }
            _ => None,
        }
    }

    fn role(&self, entry: &Entry, name: &dyn Fn(Object) -> String) -> Option<String> {
        let kthread = entry.function == entry::ATTACH_KTHREAD;
        kthread.then(|| format!("kthread ({})", name(Object::from_obs(entry.args[0]))))
    }
}

/// Makes a call. `of`: the driver whose code makes it.
fn make(cpu: &Cpu<'_>, call: KernelCall<Device>, of: Option<Driver>) -> Step<()> {
    match call {
        KernelCall::DriverRegister(drv) => driver_register(cpu, drv).map(|_| ()),
        KernelCall::DriverUnregister(drv) => driver_unregister(cpu, drv),
        KernelCall::DeviceAdd(dev) | KernelCall::DeviceRegister(dev) => device_add(cpu, dev).map(|_| ()),
        KernelCall::DeviceDel(dev) => device_del(cpu, dev),
        KernelCall::DeviceUnregister(dev) => device_unregister(cpu, dev),
        KernelCall::Bind(drv, dev) => bind_store(cpu, drv, dev),
        KernelCall::DeviceDriverAttach(drv, dev) => attach_by_hand(cpu, drv, dev),
        KernelCall::Unbind(drv, dev) => unbind_store(cpu, drv, dev),
        KernelCall::DriverOverrideStore(dev, drv) => driver_override_store(cpu, dev, Some(drv)),
        KernelCall::DriverOverrideClear(dev) => driver_override_store(cpu, dev, None),
        KernelCall::DriversProbe(dev) => drivers_probe_store(cpu, dev),
        KernelCall::BusRescanDevices(bus) => bus_rescan_devices(cpu, bus),
        KernelCall::DeviceReprobe(dev) => device_reprobe(cpu, dev),
        KernelCall::DeviceShutdown() => device_shutdown(cpu),
        KernelCall::DeviceBlockProbing() => device_block_probing(cpu),
        KernelCall::DeviceUnblockProbing() => device_unblock_probing(cpu),
        KernelCall::WaitForDeviceProbe() => wait_for_device_probe(cpu),
        KernelCall::DeferredProbeInitcall() => deferred_probe_initcall(cpu),
        KernelCall::DeferredProbeTimeout() => deferred_probe_timeout(cpu),
        KernelCall::DriverDeferredProbeTrigger() => driver_deferred_probe_trigger(cpu, None),
        KernelCall::DeviceLinkAdd(link) => links::link_by_call(cpu, link),
        KernelCall::DeviceLinkDel(link) => links::device_link_del(cpu, link),
        KernelCall::DeviceLinkRemove(link) => links::device_link_remove(cpu, link),
        KernelCall::NdDeviceRegister(dev) => nd_device_register(cpu, dev),
        KernelCall::NdDeviceUnregister(dev) => nd_device_unregister(cpu, dev),
        KernelCall::NdSynchronize() => nd_synchronize(cpu),
        KernelCall::ReadUevent(dev) => uevent_show(cpu, dev),
        KernelCall::DevGetDrvdata(dev) => {
            cpu.call("dev_get_drvdata", &atoms![dev], || dev_get_drvdata(cpu, dev))
        }
        KernelCall::DevSetDrvdata(dev) => {
            let data = Object { sort: DRVDATA, index: of.map_or(BUS_CODE, |drv| drv.0) };
            cpu.call("dev_set_drvdata", &atoms![dev, data], || dev_set_drvdata(cpu, dev, Some(data)))
        }
        KernelCall::DevSetDrvdataNull(dev) => {
            let null = None::<Object>;
            cpu.call("dev_set_drvdata", &atoms![dev, null], || dev_set_drvdata(cpu, dev, null))
        }
        KernelCall::Use(dev) => use_device(cpu, dev),
    }
}
