//! What modelled code tells the checks of: the events of probing.
//!
//! Whatever tells these events is a subject of the checks. A new event needs its row here, its cells
//! and its check in `properties`, and its words in `words`.

use super::coded::coded;
use super::ids::{Device, Driver, Module, Resource};
use raddle_checker::machine::op;
use raddle_checker::machine::value::{Datum, Object, Obs};
use raddle_checker::observe_datum;

coded! {
    /// An event, told atomically with a step.
    pub enum Event {
        /// The kernel warns about an object.
        Warn(object: Object),
        /// A driver is on its bus' klist.
        DriverPublished(drv: Driver),
        /// Against the contract: `driver_unregister` begins.
        UnregisterBegins(drv: Driver),
        /// Against the contract: `device_del` begins.
        DeleteBegins(dev: Device),
        /// A driver is taken off its bus' klist.
        DriverUnpublished(drv: Driver),
        /// A device is on its bus' klist.
        DevicePublished(dev: Device),
        /// A device is taken off its bus' klist.
        DeviceUnpublished(dev: Device),
        /// A probe is entered; the last argument is the driver that its async entry was scheduled for.
        ProbeEntered(dev: Device, drv: Driver, scheduled: Option<Driver>),
        /// A probe has failed.
        ProbeFailed(dev: Device, drv: Driver, error: ProbeError),
        /// A device is bound.
        Bound(dev: Device, drv: Driver),
        /// A remove is entered; the last argument is the driver that was named.
        RemoveEntered(dev: Device, drv: Driver, named: Option<Driver>),
        /// A device is unbound.
        Released(dev: Device, drv: Driver),
        /// `device_release_driver` is over; whether `device_del` called it.
        ReleasePassed(dev: Device, deleting: bool),
        /// A device is put on the pending list, or was on a list already.
        DeferredAdd(dev: Device),
        /// A device is taken off the deferred lists; whether `device_del` does it.
        DeferredDel(dev: Device, deleting: bool),
        /// `dev_get_drvdata` by anybody but the core.
        DrvdataRead(dev: Device),
        /// The core takes drvdata for a driver.
        DrvdataAsDriver(dev: Device),
        /// `device_block_probing` returns.
        ProbingBlocked,
        /// A call of the scenario is about to drop a reference.
        CallPuts(dev: Device),
        /// As [`ProbeEntered`](Event::ProbeEntered), through the sysfs file `bind` from v5.14 on.
        BindProbeEntered(dev: Device, drv: Driver, scheduled: Option<Driver>),
        /// A wait for probing begins.
        BarrierBegins,
        /// A wait for probing returns.
        BarrierEnds,
        /// So many requests of a module are under way that there is no room for another.
        NoTicket(module: Module),
        /// The load of a module begins, if the step holds what it asked for.
        LoadBegins(module: Module),
        /// The load of a module returns.
        LoadEnds(module: Module),
        /// The deferred-probe work has dealt with a device.
        DeferredDone(dev: Device),
        /// A work item whose run probes devices has returned; the object that it belongs to.
        AttachDone(of: Object),
        /// The deferred-probe work takes a device off the active list.
        DeferredTaken,
    }
}

impl From<Event> for op::Event {
    fn from(event: Event) -> Self {
        let (kind, args) = event.encode();
        op::Event { kind, args }
    }
}

impl From<&op::Event> for Event {
    fn from(event: &op::Event) -> Self {
        Event::decode(event.kind, event.args)
    }
}

/// Why a probe failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeError {
    /// An error that is no deferral.
    Failed,
    /// It returned `-EPROBE_DEFER` of its own accord.
    Deferred,
    /// It returned `-EPROBE_DEFER` because this resource was not there.
    Missed(Resource),
}

impl Datum for ProbeError {
    fn to_obs(self) -> Obs {
        Obs::Int(match self {
            ProbeError::Failed => 0,
            ProbeError::Deferred => 1,
            ProbeError::Missed(resource) => 2 + resource.0,
        })
    }

    fn from_obs(obs: Obs) -> Self {
        match u8::from_obs(obs) {
            0 => ProbeError::Failed,
            1 => ProbeError::Deferred,
            more => ProbeError::Missed(Resource(more - 2)),
        }
    }
}

observe_datum!(ProbeError);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_back_as_they_went() {
        let (dev, drv) = (Device(3), Driver(2));
        let events = [
            Event::Warn(dev.object()),
            Event::ProbeEntered(dev, drv, None),
            Event::BindProbeEntered(dev, drv, Some(drv)),
            Event::ProbeFailed(dev, drv, ProbeError::Missed(Resource(1))),
            Event::DeferredDel(dev, true),
            Event::ProbingBlocked,
            Event::DeferredTaken,
        ];
        for event in events {
            assert_eq!(Event::from(&op::Event::from(event)), event);
        }
    }
}
