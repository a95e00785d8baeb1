//! The calls of tasks, work items and callbacks: which there are, and their arguments resolved.
//!
//! Follows SCENARIOS.md 2. Only the probe and remove callbacks have a device at hand, so only
//! there a device may be left out.

use indexmap::IndexMap;

use super::faults::Faults;
use super::names::{Names, Sort};
use super::read::{Table, Text, strings};
use super::spans::Span;
use super::suggest::{alternatives, did_you_mean, quoted};
use super::syntax::{self, CallText, Token};
use crate::ids::{Bus, Device, Driver, Module, Resource, Work};
use crate::world::{Call, ProbeBody, ProbeOutcome};

/// Where a call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    Task,
    Work,
    Probe,
    Remove,
}

impl Body {
    fn has_device_at_hand(self) -> bool {
        matches!(self, Body::Probe | Body::Remove)
    }
}

/// What a call takes, and what it becomes.
#[derive(Clone, Copy)]
enum Form {
    Nothing(Call),
    Bus(fn(Bus) -> Call),
    Device(fn(Option<Device>) -> Call),
    Driver(fn(Driver) -> Call),
    DriverDevice(fn(Driver, Option<Device>) -> Call),
    Module(fn(Module) -> Call),
    Resource(fn(Resource) -> Call),
    Work(fn(Work) -> Call),
    /// A device and perhaps `NULL`.
    SetDrvdata,
    /// Outcomes.
    Return,
}

/// Every call, in the order of SCENARIOS.md 2.
const FORMS: &[(&str, Form)] = &[
    ("load_module", Form::Module(Call::LoadModule)),
    ("delete_module", Form::Module(Call::DeleteModule)),
    ("driver_register", Form::Driver(Call::DriverRegister)),
    ("driver_unregister", Form::Driver(Call::DriverUnregister)),
    ("device_add", Form::Device(Call::DeviceAdd)),
    ("device_del", Form::Device(Call::DeviceDel)),
    ("device_register", Form::Device(Call::DeviceRegister)),
    ("device_unregister", Form::Device(Call::DeviceUnregister)),
    ("get_device", Form::Device(Call::GetDevice)),
    ("put_device", Form::Device(Call::PutDevice)),
    ("bind", Form::DriverDevice(Call::Bind)),
    ("unbind", Form::DriverDevice(Call::Unbind)),
    ("drivers_probe", Form::Device(Call::DriversProbe)),
    ("bus_rescan_devices", Form::Bus(Call::BusRescanDevices)),
    ("device_reprobe", Form::Device(Call::DeviceReprobe)),
    ("device_shutdown", Form::Nothing(Call::DeviceShutdown)),
    ("device_block_probing", Form::Nothing(Call::DeviceBlockProbing)),
    ("device_unblock_probing", Form::Nothing(Call::DeviceUnblockProbing)),
    ("wait_for_device_probe", Form::Nothing(Call::WaitForDeviceProbe)),
    ("async_synchronize_full", Form::Nothing(Call::AsyncSynchronizeFull)),
    ("deferred_probe_initcall", Form::Nothing(Call::DeferredProbeInitcall)),
    ("deferred_probe_timeout", Form::Nothing(Call::DeferredProbeTimeout)),
    ("driver_deferred_probe_trigger", Form::Nothing(Call::DriverDeferredProbeTrigger)),
    ("request_module", Form::Module(Call::RequestModule)),
    ("nd_device_register", Form::Device(Call::NdDeviceRegister)),
    ("nd_device_unregister", Form::Device(Call::NdDeviceUnregister)),
    ("nd_synchronize", Form::Nothing(Call::NdSynchronize)),
    ("read_uevent", Form::Device(Call::ReadUevent)),
    ("queue_work", Form::Work(Call::QueueWork)),
    ("flush_work", Form::Work(Call::FlushWork)),
    ("cancel_work_sync", Form::Work(Call::CancelWorkSync)),
    ("provide", Form::Resource(Call::Provide)),
    ("withdraw", Form::Resource(Call::Withdraw)),
    ("require", Form::Resource(Call::Require)),
    ("dev_get_drvdata", Form::Device(Call::DevGetDrvdata)),
    ("dev_set_drvdata", Form::SetDrvdata),
    ("use", Form::Device(Call::Use)),
    ("return", Form::Return),
];

/// What a probe callback may return.
const OUTCOMES: &[(&str, ProbeOutcome)] = &[
    ("0", ProbeOutcome::Ok),
    ("-ENODEV", ProbeOutcome::Enodev),
    ("-EPROBE_DEFER", ProbeOutcome::ProbeDefer),
    ("-EIO", ProbeOutcome::Eio),
];

impl Form {
    /// The sorts of its arguments; `NULL` and outcomes are none.
    fn sorts(self) -> &'static [Sort] {
        match self {
            Form::Nothing(_) | Form::Return => &[],
            Form::Bus(_) => &[Sort::Bus],
            Form::Device(_) | Form::SetDrvdata => &[Sort::Device],
            Form::Driver(_) => &[Sort::Driver],
            Form::DriverDevice(_) => &[Sort::Driver, Sort::Device],
            Form::Module(_) => &[Sort::Module],
            Form::Resource(_) => &[Sort::Resource],
            Form::Work(_) => &[Sort::Work],
        }
    }

    /// The ways in which the call is written.
    fn written(self, name: &str) -> Vec<String> {
        match self {
            Form::SetDrvdata => vec![format!("{name}(d)"), format!("{name}(d, NULL)")],
            Form::Return => {
                let outcomes: Vec<&str> = OUTCOMES.iter().map(|(outcome, _)| *outcome).collect();
                vec![format!("{name}({})", outcomes.join(", "))]
            }
            _ => {
                let letters: Vec<&str> = self.sorts().iter().map(|sort| letter(*sort)).collect();
                vec![format!("{name}({})", letters.join(", "))]
            }
        }
    }
}

/// The letter that stands for an argument in the documentation of calls.
fn letter(sort: Sort) -> &'static str {
    match sort {
        Sort::Bus => "bus",
        Sort::Device => "d",
        Sort::Driver => "v",
        Sort::Module => "m",
        Sort::Resource => "r",
        Sort::Work => "w",
        Sort::Task => "t",
    }
}

/// Every call that a scenario may make, as it is written: `bind(v, d)`.
///
/// ```
/// assert!(raddle_probing::scenario::call_forms().contains(&"bind(v, d)".to_owned()));
/// ```
#[must_use]
pub fn call_forms() -> Vec<String> {
    FORMS.iter().flat_map(|(name, form)| form.written(name)).collect()
}

/// The reader of the calls of one file.
pub(crate) struct Calls<'a> {
    pub(crate) names: &'a Names,
    /// Where each call was written first.
    pub(crate) places: IndexMap<Call, Span>,
}

/// A call, or the closing `return` of a probe callback.
enum Statement {
    Call(Call),
    Return(Vec<ProbeOutcome>),
}

impl Calls<'_> {
    /// The calls under a key of a task, a work item or a driver.
    pub(crate) fn list(&mut self, table: Table, key: &str, body: Body, faults: &mut Faults) -> Vec<Call> {
        self.probe_body(table, key, body, faults).run
    }

    /// The calls under a key, and the outcomes of a closing `return`; without one, 0.
    pub(crate) fn probe_body(
        &mut self,
        table: Table,
        key: &str,
        body: Body,
        faults: &mut Faults,
    ) -> ProbeBody {
        let mut probe = ProbeBody { run: Vec::new(), outcomes: vec![ProbeOutcome::Ok] };
        let texts = table.get(key).and_then(|value| strings(value, faults));
        let texts = texts.unwrap_or_default();
        for (index, text) in texts.iter().enumerate() {
            match self.statement(text, body, faults) {
                Some(Statement::Call(call)) => {
                    self.places.entry(call).or_insert_with(|| text.inside());
                    probe.run.push(call);
                }
                Some(Statement::Return(_)) if index + 1 < texts.len() => {
                    let message = "\"return\" must be the last call";
                    faults.add(text.inside(), message, None);
                }
                Some(Statement::Return(outcomes)) => probe.outcomes = outcomes,
                None => {}
            }
        }
        probe
    }

    fn statement(&self, text: &Text, body: Body, faults: &mut Faults) -> Option<Statement> {
        let call = match syntax::parse(text.value) {
            Ok(call) => call,
            Err(error) => {
                let help = form(error.name).map(|form| expected(error.name, form));
                faults.add(text.part(error.range), error.message, help);
                return None;
            }
        };
        let name = call.name.text;
        let Some(form) = form(name) else {
            let known = FORMS.iter().map(|(name, _)| *name);
            let help = did_you_mean(name, known)
                .unwrap_or_else(|| "\"raddle list calls\" shows all calls".to_owned());
            let message = format!("call {} is not known", quoted(name));
            faults.add(text.part(call.name.range), message, Some(help));
            return None;
        };
        if body != Body::Probe && matches!(name, "return" | "require") {
            let message = format!("\"{name}\" is for probe callbacks only");
            faults.add(text.part(call.name.range), message, None);
            return None;
        }
        if matches!(form, Form::Return) {
            return outcomes(text, &call.arguments, faults).map(Statement::Return);
        }
        self.call(text, &call, form, body, faults).map(Statement::Call)
    }

    fn call(
        &self,
        text: &Text,
        call: &CallText,
        form: Form,
        body: Body,
        faults: &mut Faults,
    ) -> Option<Call> {
        let name = call.name.text;
        let mut arguments = call.arguments.as_slice();
        let mut null = false;
        if let (Form::SetDrvdata, Some((last, rest))) = (form, arguments.split_last())
            && last.text == "NULL"
        {
            (arguments, null) = (rest, true);
        }

        let sorts = form.sorts();
        let without_device = sorts.last() == Some(&Sort::Device);
        if without_device && arguments.len() + 1 == sorts.len() {
            if !body.has_device_at_hand() {
                let message = "a device must be named: only probe and remove have one at hand";
                faults.add(text.inside(), message, Some(expected(name, form)));
                return None;
            }
        } else if arguments.len() != sorts.len() {
            let message = format!(
                "{name} takes {}, not {}",
                match sorts.len() {
                    0 => "no arguments".to_owned(),
                    1 => "1 argument".to_owned(),
                    number => format!("{number} arguments"),
                },
                call.arguments.len()
            );
            faults.add(text.inside(), message, Some(expected(name, form)));
            return None;
        }

        let ids: Vec<Option<u8>> = arguments
            .iter()
            .zip(sorts)
            .map(|(argument, sort)| self.argument(text, argument, *sort, faults))
            .collect();
        let ids: Vec<u8> = ids.into_iter().collect::<Option<_>>()?;
        let device = |index: usize| ids.get(index).copied().map(Device);
        Some(match form {
            Form::Nothing(call) => call,
            Form::Bus(call) => call(Bus(ids[0])),
            Form::Device(call) => call(device(0)),
            Form::Driver(call) => call(Driver(ids[0])),
            Form::DriverDevice(call) => call(Driver(ids[0]), device(1)),
            Form::Module(call) => call(Module(ids[0])),
            Form::Resource(call) => call(Resource(ids[0])),
            Form::Work(call) => call(Work(ids[0])),
            Form::SetDrvdata if null => Call::DevSetDrvdataNull(device(0)),
            Form::SetDrvdata => Call::DevSetDrvdata(device(0)),
            Form::Return => unreachable!("internal: a return is no call of the world"),
        })
    }

    fn argument(&self, text: &Text, argument: &Token, sort: Sort, faults: &mut Faults) -> Option<u8> {
        let span = text.part(argument.range.clone());
        self.names.find(sort, argument.text, span, faults)
    }
}

/// The outcomes of a `return`.
fn outcomes(text: &Text, arguments: &[Token], faults: &mut Faults) -> Option<Vec<ProbeOutcome>> {
    if arguments.is_empty() {
        let message = "return takes at least one outcome";
        faults.add(text.inside(), message, Some(expected("return", Form::Return)));
        return None;
    }
    let names: Vec<&str> = OUTCOMES.iter().map(|(name, _)| *name).collect();
    let mut outcomes = Vec::new();
    for argument in arguments {
        let span = text.part(argument.range.clone());
        let known = OUTCOMES.iter().find(|(name, _)| *name == argument.text);
        match known {
            Some((name, outcome)) if outcomes.contains(outcome) => {
                faults.add(span, format!("{} is given twice", quoted(name)), None);
            }
            Some((_, outcome)) => outcomes.push(*outcome),
            None => {
                let message =
                    format!("a probe cannot return {}, only {}", quoted(argument.text), alternatives(&names));
                let help = did_you_mean(argument.text, names.iter().copied());
                faults.add(span, message, help);
            }
        }
    }
    Some(outcomes)
}

fn form(name: &str) -> Option<Form> {
    let entry = FORMS.iter().find(|(known, _)| *known == name);
    entry.map(|(_, form)| *form)
}

fn expected(name: &str, form: Form) -> String {
    format!("expected {}", form.written(name).join(" or "))
}
