//! What steps mean to somebody who knows the driver core: outcomes of choices, events.

use super::call::CALLS;
use super::events::{Event, ProbeError};
use super::ids::{Device, Driver, Module};
use super::links::{Driving, Status};
use super::objects::{DEVICE_LINK, LINK, MODULE, POWER, Private, WORKQUEUE};
use super::program::Probing;
use super::properties::Checks;
use super::runtime::RuntimeStatus;
use super::world::{AddOutcome, AsyncOutcome, Match, ProbeOutcome};
use raddle_checker::machine::layout::CellId;
use raddle_checker::machine::op::Action;
use raddle_checker::machine::program::{Call, Meaning, Program};
use raddle_checker::machine::value::{Datum, Obs};

/// The outcome of a choice that a function makes.
pub(super) fn outcome(core: &Probing<'_>, call: &Call, outcome: usize) -> String {
    let world = core.world();
    if let Some(text) = core.subject().outcome(call, outcome) {
        return text.to_owned();
    }
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
            AddOutcome::Ok => "this device_add succeeds",
            AddOutcome::FailsBeforeKlist => "this device_add fails before bus_add_device",
            AddOutcome::FailsAfterKlist => "this device_add fails after bus_add_device",
        }
        .to_owned(),
        name if CALLS.iter().any(|info| info.name == name && info.undo.is_some()) => {
            format!("{name} {}", if outcome == 0 { "succeeds" } else { "fails" })
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

/// A call that can end in one way only, and not well.
pub(super) fn call(core: &Probing<'_>, call: &Call) -> Option<String> {
    if call.name != "device_add" {
        return None;
    }
    match core.world().devices[Device::from_obs(call.args[0]).index()].add[..] {
        [AddOutcome::FailsBeforeKlist] => Some("fails before bus_add_device".to_owned()),
        [AddOutcome::FailsAfterKlist] => Some("fails after bus_add_device".to_owned()),
        _ => None,
    }
}

/// The value of a number or a flag that stands for something else.
pub(super) fn number(core: &Probing<'_>, cell: CellId, number: u8) -> Option<Meaning> {
    let (layout, world) = (core.layout(), core.world());
    let object = layout.info(cell).object;
    let module = (0..world.modules.len() as u8).map(Module).find(|it| it.object() == object);
    if let Some(module) = module {
        return (layout.find(module.state()) == cell)
            .then(|| super::module::state_name(number).map(Meaning::Name))
            .flatten();
    }
    if object.sort == LINK {
        return Status::name(number).map(Meaning::Name);
    }
    // Flags that stand for a pointer to the parent, and for a node on the parent's klist.
    let dev = (0..world.devices.len() as u8).map(Device).find(|it| it.object() == object)?;
    if world.has_links(dev) && layout.find(dev.driving()) == cell {
        return Driving::name(number).map(Meaning::Name);
    }
    if core.watched().runtime_pm && layout.find(dev.runtime_status()) == cell {
        return RuntimeStatus::name(number).map(Meaning::Name);
    }
    let parent = world.devices[dev.index()].parent?;
    if layout.find(dev.holds_parent()) != cell && layout.find(dev.on_parent()) != cell {
        return None;
    }
    Some(if number == 0 { Meaning::Null } else { Meaning::Object(parent.object()) })
}

/// What actions mean that say too little by themselves.
pub(super) fn actions(core: &Probing<'_>, stack: &[Call], actions: &[Action]) -> Option<String> {
    let layout = core.layout();
    if let [.., Call { name: "use", args }] = stack
        && let [Action::Load(cell) | Action::Store(cell, _)] = actions
        && layout.find(Device::from_obs(args[0]).async_probe()) == *cell
    {
        return Some("with another bit of the same word".to_owned());
    }
    let drivers = || (0..core.world().drivers.len() as u8).map(Driver);
    actions.iter().find_map(|action| match action {
        Action::Store(cell, value) => {
            let drv = drivers().find(|drv| layout.find(drv.files()) == *cell)?;
            let word = if *value == Obs::Bool(true) { "create" } else { "remove" };
            Some(format!("{word} the sysfs files bind and unbind of {}", core.object_name(drv.object())))
        }
        // What flush_work() is given, which is looked into.
        Action::Follow(cell) if drivers().any(|drv| layout.find(Private(drv.0).attach_work()) == *cell) => {
            Some("to flush it".to_owned())
        }
        Action::Bump(_, own) if !own.is_empty() => {
            let names: Vec<String> = own.iter().map(|dev| core.object_name(Device(*dev).object())).collect();
            let compare = if names.len() == 1 { "the compare" } else { "the compares" };
            let ignore = if names.len() == 1 { "ignores" } else { "ignore" };
            Some(format!("{compare} for {} {ignore} it", names.join(" and ")))
        }
        _ => None,
    })
}

/// An event in words; `None` where the step says enough.
pub(super) fn event(checks: &Checks<'_>, event: Event) -> Option<String> {
    Some(match event {
        Event::ProbeEntered(dev, drv, scheduled) => {
            let matched = match checks.world.drivers[drv.index()].matches[dev.index()] {
                Match::Yes => "",
                Match::No if checks.world.override_of(dev, drv).is_some() => "",
                Match::No => ", although match returned 0",
                Match::Defer => ", although match returned -EPROBE_DEFER",
                Match::Error => ", although match returned an error",
            };
            let scheduled = match scheduled {
                Some(other) if other != drv => {
                    format!(", in the entry scheduled for {}", checks.name(other.object()))
                }
                _ => String::new(),
            };
            let (d, v) = (checks.name(dev.object()), checks.name(drv.object()));
            format!("call the probe of {v} for {d}{matched}{scheduled}")
        }
        Event::RemoveEntered(dev, drv, _) => {
            format!("call the remove of {} for {}", checks.name(drv.object()), checks.name(dev.object()))
        }
        Event::ProbeFailed(_, _, error) => match error {
            ProbeError::Failed => "the probe failed",
            ProbeError::Deferred => "the probe returned -EPROBE_DEFER",
            ProbeError::Missed(_) => "the probe missed a resource: -EPROBE_DEFER",
        }
        .to_owned(),
        Event::Warn(object) if object.sort == MODULE => "WARN_ON(wait && current_is_async())".to_owned(),
        Event::Warn(object) if object.sort == WORKQUEUE => {
            "WARN_ONCE: cannot queue on a workqueue that is being drained".to_owned()
        }
        Event::Warn(object) if object.sort == POWER => "Unbalanced pm_runtime_enable!".to_owned(),
        Event::Warn(object) if object.sort == DEVICE_LINK => {
            "WARN: unable to drop a managed device link reference".to_owned()
        }
        Event::Warn(object) if object.sort == LINK => "WARN_ON: the status of the link is wrong".to_owned(),
        Event::Warn(_) => "WARN_ON(ret < 0)".to_owned(),
        Event::DrvdataAsDriver(_) => "drvdata is taken for a driver".to_owned(),
        Event::BarrierEnds | Event::LoadEnds(_) => "returns".to_owned(),
        Event::CallPuts(_) => "the caller gives up its reference".to_owned(),
        Event::DriverPublished(_)
        | Event::DriverUnpublished(_)
        | Event::DevicePublished(_)
        | Event::DeviceUnpublished(_)
        | Event::Bound(..)
        | Event::Released(..)
        | Event::ReleasePassed(..)
        | Event::DeferredAdd(_)
        | Event::DeferredDel(..)
        | Event::DeferredTaken
        | Event::DeferredDone(_)
        | Event::DrvdataRead(_)
        | Event::ProbingBlocked
        | Event::BindProbeEntered(..)
        | Event::BarrierBegins
        | Event::UnregisterBegins(_)
        | Event::DeleteBegins(_)
        | Event::NoTicket(_)
        | Event::LoadBegins(_)
        | Event::AttachDone(_) => return None,
    })
}
