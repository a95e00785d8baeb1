//! The calls that a scenario can make: one table, from which the types, the parser's rows and the
//! documentation are made.
//!
//! To add a call, add a row here, and carry it out: in [`calls`](crate::calls) if it is a [`Call`] that
//! raddle makes itself, in each subject if it is a [`KernelCall`].

use std::mem::discriminant;

use super::ids::{Bus, Device, Driver, Module, Mutex, Resource, Work};
use super::scenario::Section;
use raddle_checker::machine::value::Object;

/// A row of the table.
pub struct CallInfo {
    /// The call's name.
    pub name: &'static str,
    /// The letters that stand for its arguments in the documentation.
    letters: &'static [&'static str],
    /// What it does.
    pub meaning: &'static str,
    /// What its arguments name.
    pub(crate) sections: &'static [Section],
    /// The call with arguments of these indices. A device that is left out has none.
    pub(crate) build: fn(&mut dyn Iterator<Item = u8>) -> Call,
}

impl CallInfo {
    /// Whether the last argument is the word `NULL`.
    pub(crate) fn ends_with_null(&self) -> bool {
        self.letters.len() > self.sections.len()
    }

    /// As it is written in a scenario.
    ///
    /// ```
    /// let bind = raddle_probing::call::CALLS.iter().find(|call| call.name == "bind").unwrap();
    /// assert_eq!(bind.written(), "bind(v, d)");
    /// ```
    #[must_use]
    pub fn written(&self) -> String {
        format!("{}({})", self.name, self.letters.join(", "))
    }
}

/// What an argument of a call is in memory and in the file.
trait Argument: Sized {
    const SECTION: Section;

    fn read(indices: &mut dyn Iterator<Item = u8>) -> Self;

    fn object(self) -> Option<Object>;
}

macro_rules! arguments {
    ($($type:ident)*) => {$(
        impl Argument for $type {
            const SECTION: Section = Section::$type;

            fn read(indices: &mut dyn Iterator<Item = u8>) -> Self {
                $type(indices.next().expect("internal: an argument is missing"))
            }

            fn object(self) -> Option<Object> {
                Some($type::object(self))
            }
        }
    )*};
}

arguments! { Bus Driver Module Mutex Resource Work }

/// The device, or the device at hand.
impl Argument for Option<Device> {
    const SECTION: Section = Section::Device;

    fn read(indices: &mut dyn Iterator<Item = u8>) -> Self {
        indices.next().map(Device)
    }

    fn object(self) -> Option<Object> {
        self.map(Device::object)
    }
}

/// The type of a device in the table: as it is written, it may be left out.
type D = Option<Device>;

/// An argument with its device replaced, if it is one.
macro_rules! replaced {
    (D, $value:expr, $with:expr) => {
        $with($value)
    };
    ($other:ident, $value:expr, $with:expr) => {
        $value
    };
}

macro_rules! calls {
    (
        kernel { $($kernel:ident($($kl:ident: $kt:ident),* $(; $knull:ident)?) $kname:literal, $kmeaning:literal;)* }
        raddle { $($own:ident($($l:ident: $t:ident),* $(; $null:ident)?) $name:literal, $meaning:literal;)* }
    ) => {
        /// A call that the subject makes. `D` is how it names a device.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum KernelCall<D = Option<Device>> {
            $(#[doc = concat!("`", $kname, "`: ", $kmeaning)] $kernel($($kt),*),)*
        }

        /// A call. In a body `None` stands for the device at hand; in tasks and work items it never occurs.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Call<D = Option<Device>> {
            $(#[doc = concat!("`", $name, "`: ", $meaning)] $own($($t),*),)*
            /// A call that the subject makes.
            Kernel(KernelCall<D>),
        }

        impl<D> KernelCall<D> {
            fn replace<E>(self, _with: impl Fn(D) -> E) -> KernelCall<E> {
                match self {
                    $(KernelCall::$kernel($($kl),*) => KernelCall::$kernel($(replaced!($kt, $kl, _with)),*),)*
                }
            }
        }

        impl<D> Call<D> {
            /// The same call, each device replaced.
            pub fn replace<E>(self, with: impl Fn(D) -> E) -> Call<E> {
                match self {
                    $(Call::$own($($l),*) => Call::$own($(replaced!($t, $l, with)),*),)*
                    Call::Kernel(call) => Call::Kernel(call.replace(with)),
                }
            }
        }

        impl Call {
            /// Whether both are calls of the same function.
            #[must_use]
            pub fn same_name(self, other: Call) -> bool {
                match (self, other) {
                    (Call::Kernel(one), Call::Kernel(other)) => discriminant(&one) == discriminant(&other),
                    _ => discriminant(&self) == discriminant(&other),
                }
            }

            /// The objects that it names, in order; `None` for the device at hand.
            #[must_use]
            pub fn objects(self) -> Vec<Option<Object>> {
                match self {
                    $(Call::$own($($l),*) => vec![$(Argument::object($l)),*],)*
                    $(Call::Kernel(KernelCall::$kernel($($kl),*)) => vec![$(Argument::object($kl)),*],)*
                }
            }
        }

        /// All calls.
        pub const CALLS: &[CallInfo] = &[
            $(CallInfo {
                name: $kname,
                letters: &[$(stringify!($kl),)* $(stringify!($knull))?],
                meaning: $kmeaning,
                sections: &[$(<$kt as Argument>::SECTION),*],
                build: |_indices| Call::Kernel(KernelCall::$kernel($(<$kt as Argument>::read(_indices)),*)),
            },)*
            $(CallInfo {
                name: $name,
                letters: &[$(stringify!($l),)* $(stringify!($null))?],
                meaning: $meaning,
                sections: &[$(<$t as Argument>::SECTION),*],
                build: |_indices| Call::$own($(<$t as Argument>::read(_indices)),*),
            },)*
        ];
    };
}

calls! {
    kernel {
        DriverRegister(v: Driver) "driver_register", "Registers a driver, which probes the devices of its bus that match.";
        DriverUnregister(v: Driver) "driver_unregister", "Unbinds a driver from its devices and takes it off its bus.";
        DeviceAdd(d: D) "device_add", "Puts a device on its bus and looks for a driver.";
        DeviceDel(d: D) "device_del", "Unbinds a device and takes it off its bus.";
        DeviceRegister(d: D) "device_register", "The same as device_add: the creator's reference is there from the start.";
        DeviceUnregister(d: D) "device_unregister", "device_del, then the creator's reference is put.";
        Bind(v: Driver, d: D) "bind", "A write of the device's name to the driver's sysfs file bind.";
        DeviceDriverAttach(v: Driver, d: D) "device_driver_attach", "Attaches a driver to a device by hand, without asking whether they match (v5.1 on; exported from v5.14 on).";
        Unbind(v: Driver, d: D) "unbind", "A write of the device's name to the driver's sysfs file unbind.";
        DriversProbe(d: D) "drivers_probe", "A write of the device's name to the bus' sysfs file drivers_probe.";
        BusRescanDevices(bus: Bus) "bus_rescan_devices", "Looks for a driver for each unbound device of a bus.";
        DeviceReprobe(d: D) "device_reprobe", "Unbinds a device and looks for a driver again.";
        DeviceShutdown() "device_shutdown", "Shuts all devices down; from v4.19 on it waits for probing and blocks it first.";
        DeviceBlockProbing() "device_block_probing", "Defers every probe from now on, and waits for those under way (v4.5 on).";
        DeviceUnblockProbing() "device_unblock_probing", "Ends device_block_probing, and tries the deferred devices.";
        WaitForDeviceProbe() "wait_for_device_probe", "Waits for the probing that is under way.";
        DeferredProbeInitcall() "deferred_probe_initcall", "The late initcall that enables deferred probing.";
        DeferredProbeTimeout() "deferred_probe_timeout", "The deferred-probe timeout runs out (v4.19 on).";
        DriverDeferredProbeTrigger() "driver_deferred_probe_trigger", "Tries the deferred devices again.";
        NdDeviceRegister(d: D) "nd_device_register", "libnvdimm: lets an async entry add a device.";
        NdDeviceUnregister(d: D) "nd_device_unregister", "libnvdimm: nd_synchronize, then device_unregister.";
        NdSynchronize() "nd_synchronize", "libnvdimm: waits for its own async domain.";
        ReadUevent(d: D) "read_uevent", "Reads a device's sysfs file uevent.";
        DevGetDrvdata(d: D) "dev_get_drvdata", "Reads a device's drvdata.";
        DevSetDrvdata(d: D) "dev_set_drvdata", "Stores a pointer to data of the driver whose code it is, or to foreign data.";
        DevSetDrvdataNull(d: D; NULL) "dev_set_drvdata", "Clears a device's drvdata.";
        Use(d: D) "use", "Any other use of the device object.";
    }
    raddle {
        LoadModule(m: Module) "load_module", "Loads a module: registers its drivers, then waits as the kernel does. No effect if it is loaded.";
        DeleteModule(m: Module) "delete_module", "Unregisters a module's drivers and frees their memory. No effect if it is not loaded.";
        RequestModule(m: Module) "request_module", "Starts modprobe for a module that is not loaded, and waits until it has ended.";
        AsyncSynchronizeFull() "async_synchronize_full", "Waits until no async entry is unfinished.";
        GetDevice(d: D) "get_device", "Takes a reference on a device.";
        PutDevice(d: D) "put_device", "Drops a reference that a call has taken, or else the creator's.";
        DeviceAlloc(d: D) "device_alloc", "Allocates a new device in place of one that has been freed; waits until it has been.";
        QueueWork(w: Work) "queue_work", "Queues a work item, unless it is pending.";
        FlushWork(w: Work) "flush_work", "Waits for the run of a work item that is pending or under way.";
        CancelWorkSync(w: Work) "cancel_work_sync", "Takes a work item off the queue and waits for the run under way.";
        Lock(m: Mutex) "lock", "Locks a mutex of the scenario.";
        Unlock(m: Mutex) "unlock", "Unlocks a mutex of the scenario.";
        Provide(r: Resource) "provide", "Makes a resource present.";
        Withdraw(r: Resource) "withdraw", "Takes a resource away.";
        Require(r: Resource) "require", "In probe only: without the resource the probe ends with -EPROBE_DEFER.";
    }
}

/// The last line of a probe callback, which is no call: name, how it is written, meaning.
pub const RETURN: (&str, &str, &str) = (
    "return",
    "return(0, -ENODEV, -EPROBE_DEFER, -EIO)",
    "In probe only, last: the outcomes to enumerate; without it 0.",
);
