//! What steps mean to somebody who knows the driver core: outcomes of choices, events.

use super::body::{DEFERRED, probe_returned};
use super::cpu::Errno;
use super::ids::{Device, Driver};
use super::program::DriverCore;
use super::properties::event;
use super::world::{AddOutcome, AsyncOutcome, ProbeOutcome};
use crate::machine::op::Event;
use crate::machine::program::{Call, Program};
use crate::machine::value::{Datum, Object, Obs};

/// The outcome of a choice that a function makes.
pub(super) fn outcome(core: &DriverCore, call: &Call, outcome: usize) -> String {
    let world = core.world();
    match call.name {
        "probe" => {
            let returns = match world.drivers[Driver::from_obs(call.args[0]).index()].probe.outcomes[outcome]
            {
                ProbeOutcome::Ok => "0",
                ProbeOutcome::Enodev => "-ENODEV",
                ProbeOutcome::ProbeDefer => "-EPROBE_DEFER",
                ProbeOutcome::Eio => "-EIO",
            };
            format!("probe returns {returns}")
        }
        "device_add" => match world.devices[Device::from_obs(call.args[0]).index()].add[outcome] {
            AddOutcome::Ok => "device_add will succeed",
            AddOutcome::FailsBeforeKlist => "device_add will fail before the bus knows the device",
            AddOutcome::FailsAfterKlist => "device_add will fail after the bus knows the device",
        }
        .to_owned(),
        "bus_driver_async_probe" => {
            ["attach_work is allocated", "attach_work cannot be allocated"][outcome].to_owned()
        }
        "driver_attach_workfn" => {
            ["driver_attach returned 0", "driver_attach returned an error"][outcome].to_owned()
        }
        _ => match world.environment.async_schedule.get(outcome) {
            Some(AsyncOutcome::Queued) => "async_schedule queues".to_owned(),
            Some(AsyncOutcome::Inline) => {
                "async_schedule runs it inline (no memory, or too many entries)".to_owned()
            }
            None => format!("outcome {outcome} of {}", call.name),
        },
    }
}

/// An event that says more than its step.
pub(super) fn event(core: &DriverCore, event: &Event) -> Option<String> {
    let name = |obs: Obs| core.object_name(Object::from_obs(obs));
    Some(match event.kind {
        event::PROBE_ENTERED => {
            format!("call the probe of {} for {}", name(event.args[1]), name(event.args[0]))
        }
        event::REMOVE_ENTERED => {
            format!("call the remove of {} for {}", name(event.args[1]), name(event.args[0]))
        }
        event::PROBE_FAILED => {
            let outcome = u8::from_obs(event.args[2]);
            match probe_returned(outcome) {
                Errno::ProbeDefer if outcome == DEFERRED => "the probe returned -EPROBE_DEFER",
                Errno::ProbeDefer => "the probe missed a resource: -EPROBE_DEFER",
                _ => "the probe failed",
            }
            .to_owned()
        }
        event::WARN => "WARN_ON".to_owned(),
        event::CALL_PUTS => "the caller gives up its reference".to_owned(),
        _ => return None,
    })
}
