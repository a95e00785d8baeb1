//! The ids of the subject: small numbers in the order of the scenario file.

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident,)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u8);

        impl $name {
            /// The position in the scenario's table.
            #[must_use]
            pub fn index(self) -> usize {
                usize::from(self.0)
            }
        }
    )*};
}

ids! {
    /// A bus type; 0 is the platform bus.
    Bus,
    /// A device (with its `device_private`).
    Device,
    /// A driver (`struct device_driver`).
    Driver,
    /// A kernel module.
    Module,
    /// Something that one probe provides and another requires.
    Resource,
    /// A mutex that drivers and tasks lock.
    Mutex,
    /// What runs when it is queued: a work item, a timer or an interrupt, of one instance of its memory.
    Work,
    /// Memory that drivers allocate, as it is declared.
    Memory,
    /// One allocation of declared memory.
    Instance,
    /// A pointer to an instance.
    Pointer,
    /// A flag of drivers and tasks.
    Flag,
    /// A list of instances.
    List,
    /// A function that bodies call.
    Function,
    /// What is called from outside while it is there: a sysfs attribute or a notifier, of one device.
    Hook,
    /// A character device, of one device.
    Cdev,
    /// A workqueue, of one device or of all.
    Workqueue,
    /// A device link: a consumer and its supplier.
    Link,
    /// A string that names a driver in a device's `driver_override`.
    Override,
    /// Something that a driver's probe acquires with a call that begins with `devm-`.
    Devres,
    /// A task of the scenario file.
    TaskId,
}
