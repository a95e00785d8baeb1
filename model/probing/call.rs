//! The calls that a scenario can make: one table, from which the types, the parser's rows and the
//! documentation are made.
//!
//! To add a call, add a row here, and carry it out: in [`calls`](crate::calls) if it is a [`Call`] that
//! raddle makes itself, in each subject if it is a [`KernelCall`].

use std::mem::discriminant;

use super::ids::{
    Bus, Cdev as CdevId, Device, Devres, Driver, Flag, Function, Hook, Link, List, Memory, Module, Mutex,
    Pointer, Resource, Work, Workqueue as WorkqueueId,
};
use super::objects::{CDEV, HOOK, WORK, WORKQUEUE};
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
    /// Whether a device may follow: the one whose memory is meant.
    pub(crate) at: bool,
    /// The call that undoes it, with the same arguments, if it acquires something.
    pub undo: Option<&'static str>,
    /// The kernel version that has it first, if not all have it.
    pub since: Option<(u16, u16)>,
    /// The call with arguments of these indices. A device that is left out has none.
    pub(crate) build: fn(&mut dyn Iterator<Item = u8>) -> Call,
}

impl CallInfo {
    /// Whether the last argument is the word `NULL`.
    pub(crate) fn ends_with_null(&self) -> bool {
        self.letters.len() > self.sections.len()
    }

    /// Whether it may be of something in a driver's memory, so that a device may be named last.
    #[must_use]
    pub fn of_memory(&self) -> bool {
        self.at
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

arguments! { Bus Driver Module Mutex Resource Work Memory Pointer Flag List Function Link }

macro_rules! items {
    ($($(#[$doc:meta])* $type:ident $sort:ident $what:ident $id:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub struct $type(pub u8);

        impl $type {
            fn object(self) -> Object {
                Object { sort: $sort, index: self.0 }
            }

            /// As what it is in the world.
            #[must_use]
            pub fn $what(self) -> $id {
                $id(self.0)
            }
        }
    )*};
}

items! {
    /// A timer: the first of the items that are declared with it.
    Timer WORK work Work
    /// An interrupt: the first of the items that are declared with it.
    Irq WORK work Work
    /// A sysfs attribute: the first of the hooks that are declared with it.
    Attribute HOOK hook Hook
    /// A notifier: the first of the hooks that are declared with it.
    Notifier HOOK hook Hook
    /// A character device: the first of those that are declared with it.
    Cdev CDEV cdev CdevId
    /// A workqueue: the first of those that are declared with it.
    Workqueue WORKQUEUE queue WorkqueueId
}

arguments! { Timer Irq Attribute Notifier Cdev Workqueue }

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

/// The device whose memory is meant, if it is told.
type Told = Option<Device>;

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
        kernel { $($kernel:ident($($kl:ident: $kt:ident),* $(; $knull:ident)?) $kname:literal $(since $major:literal $minor:literal)?, $kmeaning:literal;)* }
        raddle { $(
            $own:ident($($l:ident: $t:ident),* $(; $null:ident)? $(@ $at:ident: $told:ident)?)
                $name:literal $(undone by $undo:literal)?, $meaning:literal;
        )* }
    ) => {
        /// A call that the subject makes. `D` is how it names a device.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum KernelCall<D = Option<Device>> {
            $(#[doc = concat!("`", $kname, "`: ", $kmeaning)] $kernel($($kt),*),)*
        }

        /// A call. In a body `None` stands for the device at hand; in tasks and work items it never occurs.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Call<D = Option<Device>> {
            $(#[doc = concat!("`", $name, "`: ", $meaning)] $own($($t,)* $($told)?),)*
            /// A call that the subject makes.
            Kernel(KernelCall<D>),
            /// A call of a probe that begins with `devm-`.
            Devm(Devres),
            /// A call that begins with `devm-` and undoes before its time what such a call has acquired.
            DevmUndo(Devres),
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
                    $(Call::$own($($l,)* $($at)?) => Call::$own($(replaced!($t, $l, with),)* $($at)?),)*
                    Call::Kernel(call) => Call::Kernel(call.replace(with)),
                    Call::Devm(devres) => Call::Devm(devres),
                    Call::DevmUndo(devres) => Call::DevmUndo(devres),
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

            /// The function that it calls. What a call with `devm-` stands for is not told.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Call::$own(..) => $name,)*
                    $(Call::Kernel(KernelCall::$kernel(..)) => $kname,)*
                    Call::Devm(_) | Call::DevmUndo(_) => "devm",
                }
            }

            /// The objects that it names, in order; `None` for the device at hand.
            #[must_use]
            pub fn objects(self) -> Vec<Option<Object>> {
                match self {
                    $(Call::$own($($l,)* $($at)?) => vec![$(Argument::object($l),)* $($at.map(Device::object))?],)*
                    Call::Devm(_) | Call::DevmUndo(_) => Vec::new(),
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
                at: false,
                undo: None,
                since: [$(Some(($major, $minor)),)? None][0],
                build: |_indices| Call::Kernel(KernelCall::$kernel($(<$kt as Argument>::read(_indices)),*)),
            },)*
            $(CallInfo {
                name: $name,
                letters: &[$(stringify!($l),)* $(stringify!($null))?],
                meaning: $meaning,
                sections: &[$(<$t as Argument>::SECTION),*],
                at: [$(stringify!($at),)? ""].len() > 1,
                undo: [$(Some($undo),)? None][0],
                since: None,
                build: |_indices| Call::$own(
                    $(<$t as Argument>::read(_indices),)*
                    $({
                        let $at = _indices.next().map(Device);
                        $at
                    })?
                ),
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
        DeviceDriverAttach(v: Driver, d: D) "device_driver_attach" since 5 1, "Attaches a driver to a device by hand, without asking whether they match (v5.1 on; exported from v5.14 on).";
        Unbind(v: Driver, d: D) "unbind", "A write of the device's name to the driver's sysfs file unbind.";
        DriverOverrideStore(d: D, v: Driver) "driver_override_store", "A write of a driver's name to the device's sysfs file driver_override: from now on only this one matches.";
        DriverOverrideClear(d: D; NULL) "driver_override_store", "Clears it: the device matches as it is declared.";
        DriversProbe(d: D) "drivers_probe", "A write of the device's name to the bus' sysfs file drivers_probe.";
        BusRescanDevices(bus: Bus) "bus_rescan_devices", "Looks for a driver for each unbound device of a bus.";
        DeviceReprobe(d: D) "device_reprobe", "Unbinds a device and looks for a driver again.";
        DeviceShutdown() "device_shutdown", "Shuts all devices down; from v4.19 on it waits for probing and blocks it first.";
        DeviceBlockProbing() "device_block_probing" since 4 5, "Defers every probe from now on, and waits for those under way (v4.5 on).";
        DeviceUnblockProbing() "device_unblock_probing" since 4 5, "Ends device_block_probing, and tries the deferred devices.";
        WaitForDeviceProbe() "wait_for_device_probe", "Waits for the probing that is under way.";
        DeferredProbeInitcall() "deferred_probe_initcall", "The late initcall that enables deferred probing.";
        DeferredProbeTimeout() "deferred_probe_timeout" since 4 19, "The deferred-probe timeout runs out (v4.19 on).";
        DriverDeferredProbeTrigger() "driver_deferred_probe_trigger", "Tries the deferred devices again.";
        DeviceLinkAdd(k: Link) "device_link_add" since 4 10, "Makes a device link, unless the supplier is not there (v4.10 on).";
        DeviceLinkDel(k: Link) "device_link_del" since 4 10, "Drops the reference on a device link that device_link_add has returned; v5.1 on for stateless ones only.";
        DeviceLinkRemove(k: Link) "device_link_remove" since 4 10, "The same, if the link is there.";
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
        GetDevice(d: D) "get_device" undone by "put_device", "Takes a reference on a device.";
        PutDevice(d: D) "put_device", "Drops a reference that a call has taken, or else the creator's.";
        BusFindDevice(d: D) "bus_find_device", "Looks a device up on its bus, and takes a reference; the body ends if it is not there.";
        DriverFindDevice(v: Driver, d: D) "driver_find_device", "Looks a device up among those bound to a driver, and takes a reference; the body ends if it is not there.";
        DeviceAlloc(d: D) "device_alloc", "Allocates a new device in place of one that has been freed; waits until it has been.";
        Alloc(mem: Memory @ at: Told) "alloc" undone by "free", "Allocates memory, with one reference; its name stands for this allocation from now on.";
        Free(mem: Memory @ at: Told) "free", "Frees memory, and all that lies in it.";
        UseMemory(mem: Memory @ at: Told) "use", "Any use of memory.";
        Get(mem: Memory @ at: Told) "get" undone by "put", "Takes a reference on memory.";
        GetUnlessZero(mem: Memory @ at: Told) "get-unless-zero", "Takes a reference on memory; the body ends if there is none left.";
        Put(mem: Memory @ at: Told) "put", "Drops a reference on memory; the last one releases it.";
        SetPointer(ptr: Pointer, mem: Memory @ at: Told) "set", "Lets a pointer point to memory.";
        ClearPointer(ptr: Pointer @ at: Told) "clear", "Sets a pointer to NULL.";
        Follow(ptr: Pointer @ at: Told) "follow", "Reads a pointer and uses what it points to: the memory that its name stands for from now on.";
        ReturnIfPointer(ptr: Pointer @ at: Told) "return-if", "Ends the body if a pointer is not NULL.";
        ReturnUnlessPointer(ptr: Pointer @ at: Told) "return-unless", "Ends the body if a pointer is NULL; else the memory's name stands for what it points to.";
        SetFlag(f: Flag @ at: Told) "set", "Sets a flag.";
        ClearFlag(f: Flag @ at: Told) "clear", "Clears a flag.";
        ReturnIf(f: Flag @ at: Told) "return-if", "Ends the body if a flag is set.";
        ReturnUnless(f: Flag @ at: Told) "return-unless", "Ends the body if a flag is not set.";
        WaitEvent(f: Flag @ at: Told) "wait_event", "Waits until a flag is set.";
        WaitForCompletion(f: Flag @ at: Told) "wait_for_completion", "Waits until a flag is set, and clears it.";
        ListAdd(l: List, mem: Memory @ at: Told) "list_add" undone by "list_del", "Puts memory on a list, at its end.";
        ListDel(l: List, mem: Memory @ at: Told) "list_del", "Takes memory off a list.";
        ForEach(l: List, fun: Function @ at: Told) "for_each", "Calls a function for each member of a list.";
        AddAction(fun: Function @ at: Told) "add_action" undone by "call", "After devm- only: the function is called when what the probe has acquired is undone.";
        CallFunction(fun: Function @ at: Told) "call", "Calls a function.";
        QueueWork(w: Work @ at: Told) "queue_work", "Queues a work item, delayed or not, unless it is pending.";
        FlushWork(w: Work @ at: Told) "flush_work", "Waits for the run of a work item that is pending or under way.";
        CancelWork(w: Work @ at: Told) "cancel_work", "Takes a work item off the queue; a run under way goes on.";
        CancelWorkSync(w: Work @ at: Told) "cancel_work_sync", "Takes a work item off the queue and waits for the run under way, which cannot queue it again.";
        DisableWorkSync(w: Work @ at: Told) "disable_work_sync", "cancel_work_sync, and nobody can queue it any more.";
        EnableWork(w: Work @ at: Told) "enable_work", "Ends disable_work_sync.";
        AllocWorkqueue(q: Workqueue @ at: Told) "alloc_workqueue" undone by "destroy_workqueue", "Allocates a workqueue.";
        FlushWorkqueue(q: Workqueue @ at: Told) "flush_workqueue", "Waits for what is on a workqueue now; not for delayed work whose timer has not run out.";
        DrainWorkqueue(q: Workqueue @ at: Told) "drain_workqueue", "Waits until nothing is on a workqueue; meanwhile only what runs on it may queue more.";
        DestroyWorkqueue(q: Workqueue @ at: Told) "destroy_workqueue", "drain_workqueue, then the workqueue is freed; delayed work whose timer has not run out stays.";
        ModTimer(t: Timer @ at: Told) "mod_timer", "Arms a timer, if it is not armed.";
        TimerDelete(t: Timer @ at: Told) "timer_delete", "Disarms a timer; a run under way goes on.";
        TimerDeleteSync(t: Timer @ at: Told) "timer_delete_sync", "Disarms a timer and waits for the run under way, which cannot arm it again.";
        TimerShutdownSync(t: Timer @ at: Told) "timer_shutdown_sync", "timer_delete_sync, and nobody can arm it any more.";
        RequestIrq(irq: Irq @ at: Told) "request_irq" undone by "free_irq", "From here on the handler runs at any time, as often as the interrupt says.";
        FreeIrq(irq: Irq @ at: Told) "free_irq", "Waits for the handler under way; it does not run any more.";
        DisableIrq(irq: Irq @ at: Told) "disable_irq", "The same, until enable_irq.";
        EnableIrq(irq: Irq @ at: Told) "enable_irq", "Ends disable_irq.";
        DeviceCreateFile(a: Attribute @ at: Told) "device_create_file" undone by "device_remove_file", "Creates a sysfs attribute.";
        DeviceRemoveFile(a: Attribute @ at: Told) "device_remove_file", "Removes a sysfs attribute, and waits for those who are in its show or store.";
        ReadAttribute(a: Attribute @ at: Told) "read", "Reads a sysfs attribute: its show, if it is there.";
        WriteAttribute(a: Attribute @ at: Told) "write", "Writes a sysfs attribute: its store, if it is there.";
        BreakActive(a: Attribute @ at: Told) "sysfs_break_active_protection", "In show or store: who removes the attribute no longer waits for the rest.";
        RegisterNotifier(n: Notifier @ at: Told) "register_notifier" undone by "unregister_notifier", "Registers a callback.";
        UnregisterNotifier(n: Notifier @ at: Told) "unregister_notifier", "Unregisters a callback, and waits for who is in it.";
        Notify(n: Notifier @ at: Told) "notify", "Calls a callback, if it is registered.";
        CdevAdd(c: Cdev @ at: Told) "cdev_add" undone by "cdev_del", "Makes a character device that can be opened.";
        CdevDel(c: Cdev @ at: Told) "cdev_del", "From here on open fails; files that are open stay so.";
        Open(c: Cdev @ at: Told) "open", "Opens a character device, if it is there; in tasks.";
        Ioctl(c: Cdev @ at: Told) "ioctl", "Any other call on the file that this task has opened, if it has.";
        Close(c: Cdev @ at: Told) "close", "Closes the file that this task has opened, if it has.";
        Lock(m: Mutex @ at: Told) "lock", "Locks a mutex of the scenario.";
        TryLock(m: Mutex @ at: Told) "trylock", "Locks a mutex of the scenario; the body ends if it is not free.";
        Unlock(m: Mutex @ at: Told) "unlock", "Unlocks a mutex of the scenario.";
        DeviceLock(d: D) "device_lock", "Locks a device.";
        DeviceTryLock(d: D) "device_trylock", "Locks a device; the body ends if it is not free.";
        DeviceUnlock(d: D) "device_unlock", "Unlocks a device.";
        DeviceSuspend(d: D) "device_suspend", "System suspend of a device: with its lock, the suspend of its driver, if it is bound.";
        DeviceResume(d: D) "device_resume", "System resume of a device, alike.";
        PmRuntimeEnable(d: D) "pm_runtime_enable" undone by "pm_runtime_disable", "Enables runtime power management of a device.";
        PmRuntimeDisable(d: D) "pm_runtime_disable", "Disables it, and waits for a suspend or resume under way: no callback runs any more.";
        PmRuntimeGetSync(d: D) "pm_runtime_get_sync" undone by "pm_runtime_put_sync", "Counts a user of a device, and resumes it if it is suspended.";
        PmRuntimeResumeAndGet(d: D) "pm_runtime_resume_and_get" undone by "pm_runtime_put_sync", "The same; where it may fail, a failure leaves no user behind, as one of pm_runtime_get_sync does.";
        PmRuntimePut(d: D) "pm_runtime_put", "Drops a user; after the last a work item suspends the device, at any time later.";
        PmRuntimePutSync(d: D) "pm_runtime_put_sync", "Drops a user; the last suspends the device.";
        PmRuntimeGetNoresume(d: D) "pm_runtime_get_noresume" undone by "pm_runtime_put_noidle", "Counts a user of a device.";
        PmRuntimePutNoidle(d: D) "pm_runtime_put_noidle", "Drops a user, and suspends nothing.";
        PmRuntimeSetActive(d: D) "pm_runtime_set_active", "While it is disabled: the device counts as active from now on; no callback runs.";
        PmRuntimeSetSuspended(d: D) "pm_runtime_set_suspended", "While it is disabled: the device counts as suspended from now on; no callback runs.";
        Provide(r: Resource) "provide", "Makes a resource present.";
        Withdraw(r: Resource) "withdraw", "Takes a resource away.";
        Require(r: Resource) "require", "In probe only: without the resource the probe ends with -EPROBE_DEFER.";
    }
}

impl Call {
    /// Whether it is one of runtime power management.
    #[must_use]
    pub fn is_runtime_pm(self) -> bool {
        self.name().starts_with("pm_runtime_")
    }

    /// The kernel version that has it first, if not all have it.
    #[must_use]
    pub fn since(self) -> Option<(u16, u16)> {
        CALLS.iter().find(|info| info.name == self.name()).and_then(|info| info.since)
    }

    /// Whether it can fail, so that a probe has to see to that.
    #[must_use]
    pub fn can_fail(self) -> bool {
        // In Linux these return no error.
        let sure = matches!(
            self,
            Call::GetDevice(_)
                | Call::Get(..)
                | Call::ListAdd(..)
                | Call::PmRuntimeEnable(_)
                | Call::PmRuntimeGetNoresume(_)
        );
        self.undo().is_some() && !sure
    }

    /// The call that undoes it, if it acquires something.
    #[must_use]
    pub fn undo(self) -> Option<&'static str> {
        CALLS.iter().find(|info| info.name == self.name()).and_then(|info| info.undo)
    }
}

/// The last line of a probe callback, which is no call: name, how it is written, meaning.
pub const RETURN: (&str, &str, &str) = (
    "return",
    "return(0, -ENODEV, -EPROBE_DEFER, -EIO)",
    "In probe only, last: the outcomes to enumerate; without it 0.",
);
