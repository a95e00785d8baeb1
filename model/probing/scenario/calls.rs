//! The calls of tasks, work items and callbacks, their arguments resolved.
//!
//! Only the probe and remove callbacks, and what is given memory of a device, have a device at hand, so only there
//! a device may be left out.

use indexmap::IndexMap;

use super::faults::Faults;
use super::names::{Names, Section};
use super::read::{Table, Text, strings};
use super::spans::Span;
use super::suggest::{alternatives, did_you_mean, quoted};
use super::syntax::{self, CallText, Token};
use super::things::Things;
use crate::call::{CALLS, Call, CallInfo, RETURN};
use crate::ids::{Devres, Driver, Memory};
use crate::world::{DevresDecl, ProbeBody, ProbeOutcome};

/// What a call stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// The probe of a driver.
    Probe(Driver),
    /// Its remove, or the error path of its probe.
    Driver(Driver),
    /// A task.
    Task,
    Other,
}

/// Where a call stands: in what, and what is at hand there.
#[derive(Clone, Debug)]
pub(crate) struct Stand {
    body: Body,
    /// Whether there is a device at hand.
    device: bool,
    /// The memory that it has found already.
    found: Vec<Memory>,
    /// The key that would give it memory, where it is given none.
    giving: Option<&'static str>,
}

impl Stand {
    /// In a callback of a driver, with its device at hand.
    pub(crate) fn bound(body: Body) -> Self {
        Stand { body, device: true, found: Vec::new(), giving: None }
    }

    /// In a body that has a device at hand, or has not.
    pub(crate) fn of_device(device: bool) -> Self {
        Stand { body: Body::Other, device, found: Vec::new(), giving: None }
    }

    /// In a body that is given an instance of memory, or nothing.
    pub(crate) fn given(body: Body, memory: Option<Memory>, things: &Things) -> Self {
        let device = memory.is_some_and(|memory| things.per_device(memory));
        Stand { body, device, found: memory.into_iter().collect(), giving: None }
    }

    /// In a body that this key gives memory, or none as it is.
    pub(crate) fn given_by(key: &'static str, memory: Option<Memory>, things: &Things) -> Self {
        Stand { giving: Some(key).filter(|_| memory.is_none()), ..Stand::given(Body::Other, memory, things) }
    }
}

/// What stands before a call whose effect the driver core undoes.
const DEVM: &str = "devm-";

/// What comes from outside the driver.
const TASKS_ONLY: [&str; 6] = ["read", "write", "notify", "open", "ioctl", "close"];

/// More of them in a file are an error.
const MOST_DEVRES: usize = 32;

/// What a probe callback may return.
const OUTCOMES: &[(&str, ProbeOutcome)] = &[
    ("0", ProbeOutcome::Ok),
    ("-ENODEV", ProbeOutcome::Enodev),
    ("-EPROBE_DEFER", ProbeOutcome::ProbeDefer),
    ("-EIO", ProbeOutcome::Eio),
];

/// The reader of the calls of one file.
pub(crate) struct Calls<'a> {
    pub(crate) names: &'a Names,
    pub(crate) things: &'a Things,
    /// What probes acquire with `devm-`.
    pub(crate) devres: Vec<DevresDecl>,
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
    pub(crate) fn list(&mut self, table: Table, key: &str, stand: Stand, faults: &mut Faults) -> Vec<Call> {
        self.probe_body(table, key, stand, faults).run
    }

    /// The calls under a key, and the outcomes of a closing `return`; without one, 0.
    pub(crate) fn probe_body(
        &mut self,
        table: Table,
        key: &str,
        mut stand: Stand,
        faults: &mut Faults,
    ) -> ProbeBody {
        let mut probe =
            ProbeBody { run: Vec::new(), outcomes: vec![ProbeOutcome::Ok], fails: false, unwind: Vec::new() };
        let texts = table.get(key).and_then(|value| strings(value, faults));
        let texts = texts.unwrap_or_default();
        for (index, text) in texts.iter().enumerate() {
            match self.statement(text, &mut stand, faults) {
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

    fn statement(&mut self, text: &Text, stand: &mut Stand, faults: &mut Faults) -> Option<Statement> {
        let call = match syntax::parse(text.value) {
            Ok(call) => call,
            Err(error) => {
                let help = is_known(error.name).then(|| expected(error.name));
                faults.add(text.part(error.range), error.message, help);
                return None;
            }
        };
        if let Some(rest) = call.name.text.strip_prefix(DEVM) {
            let range = call.name.range.start + DEVM.len()..call.name.range.end;
            let bare = CallText { name: Token { text: rest, range }, arguments: call.arguments.clone() };
            return self.devm(text, &bare, stand, faults).map(Statement::Call);
        }
        let name = call.name.text;
        if TASKS_ONLY.contains(&name) && stand.body != Body::Task {
            faults.add(text.part(call.name.range), format!("\"{name}\" is for tasks only"), None);
            return None;
        }
        if name == "add_action" {
            let help = Some("write devm-add_action(...)".to_owned());
            faults.add(text.part(call.name.range), "add_action is for devm- only", help);
            return None;
        }
        if !is_known(name) {
            let known = CALLS.iter().map(|info| info.name).chain([RETURN.0]);
            let help = KERNEL_NAMES.iter().find(|(kernel, _)| *kernel == name);
            let help = help
                .map(|(_, call)| format!("the call for it is {}", quoted(call)))
                .or_else(|| did_you_mean(name, known))
                .unwrap_or_else(|| "\"raddle list calls\" shows all calls".to_owned());
            let message = format!("call {} is not known", quoted(name));
            faults.add(text.part(call.name.range), message, Some(help));
            return None;
        }
        if !matches!(stand.body, Body::Probe(_)) && matches!(name, "return" | "require") {
            let message = format!("\"{name}\" is for probe callbacks only");
            faults.add(text.part(call.name.range), message, None);
            return None;
        }
        if name == RETURN.0 {
            return outcomes(text, &call.arguments, faults).map(Statement::Return);
        }
        self.call(text, &call, stand, faults).map(Statement::Call)
    }

    /// A call that begins with `devm-`: in a probe one that acquires something, or one that undoes it early.
    fn devm(&mut self, text: &Text, call: &CallText, stand: &mut Stand, faults: &mut Faults) -> Option<Call> {
        let name = call.name.text;
        let acquiring: Vec<&str> =
            CALLS.iter().filter(|row| row.undo.is_some()).map(|row| row.name).collect();
        let info = CALLS.iter().find(|info| info.name == name && info.undo.is_some());
        let undoes = CALLS.iter().any(|info| info.undo == Some(name));
        if info.is_none() && !undoes {
            let message = format!("devm- does not go with {}", quoted(name));
            let help = did_you_mean(name, acquiring.iter().copied())
                .unwrap_or_else(|| format!("it goes with {}", acquiring.join(", ")));
            faults.add(text.part(call.name.range.clone()), message, Some(help));
            return None;
        }
        let (Body::Probe(drv) | Body::Driver(drv)) = stand.body else {
            let message = "devm- is for the callbacks of drivers only";
            faults.add(text.part(call.name.range.clone()), message, None);
            return None;
        };
        let resolved = self.call(text, call, stand, faults)?;
        if info.is_none() {
            let same = |decl: &DevresDecl| decl.drv == drv && decl.undo == resolved;
            let Some(at) = self.devres.iter().position(same) else {
                let message = "nothing that is undone so is acquired with devm- by this driver's probe";
                faults.add(text.inside(), message, None);
                return None;
            };
            return Some(Call::DevmUndo(Devres(at as u8)));
        }
        if !matches!(stand.body, Body::Probe(_)) {
            let message = "devm- acquires something in a probe only";
            faults.add(text.part(call.name.range.clone()), message, None);
            return None;
        }
        if self.devres.len() == MOST_DEVRES {
            faults.add(text.inside(), format!("more than {MOST_DEVRES} calls with devm-"), None);
            return None;
        }
        let undo = CallText {
            name: Token { text: info.and_then(|info| info.undo)?, range: call.name.range.clone() },
            arguments: call.arguments.clone(),
        };
        let undo = self.call(text, &undo, stand, faults)?;
        self.devres.push(DevresDecl { drv, acquire: resolved, undo });
        Some(Call::Devm(Devres(self.devres.len() as u8 - 1)))
    }

    /// The row of the table that a call means: its name, and what its arguments are declared as.
    fn row(&self, call: &CallText, stand: &Stand) -> &'static CallInfo {
        let null = call.arguments.last().is_some_and(|last| last.text == "NULL");
        let named = |info: &&CallInfo| info.name == call.name.text;
        let rows: Vec<&CallInfo> = CALLS.iter().filter(named).collect();
        let by_null = rows.iter().filter(|info| info.ends_with_null() == null);
        let rows: Vec<&CallInfo> =
            if by_null.clone().next().is_some() { by_null.copied().collect() } else { rows };
        let fits = |info: &&&CallInfo| {
            let declared = |(argument, section): (&Token, &Section)| self.names.has(*section, argument.text);
            takes(info, call, stand) && call.arguments.iter().zip(info.sections).all(declared)
        };
        let takes = |info: &&&CallInfo| takes(info, call, stand);
        rows.iter().find(fits).or_else(|| rows.iter().find(takes)).unwrap_or(&rows[0])
    }

    fn call(&self, text: &Text, call: &CallText, stand: &mut Stand, faults: &mut Faults) -> Option<Call> {
        let name = call.name.text;
        let info = self.row(call, stand);
        let sections = info.sections;
        let arguments = &call.arguments[..call.arguments.len() - usize::from(info.ends_with_null())];
        if arguments.len() + 1 == sections.len() && sections.last() == Some(&Section::Device) {
            if !stand.device {
                let message = "a device must be named: only probe and remove have one at hand";
                faults.add(text.inside(), message, Some(expected(name)));
                return None;
            }
        } else if !takes(info, call, stand) {
            let message = format!(
                "{name} takes {}, not {}",
                match sections.len() {
                    0 => "no arguments".to_owned(),
                    1 => "1 argument".to_owned(),
                    number => format!("{number} arguments"),
                },
                call.arguments.len()
            );
            faults.add(text.inside(), message, Some(expected(name)));
            return None;
        }
        let of = sections.iter().chain(info.at.then_some(&Section::Device));
        let indices: Vec<Option<u8>> = arguments
            .iter()
            .zip(of)
            .map(|(argument, section)| self.argument(text, argument, *section, faults))
            .collect();
        let indices: Vec<u8> = indices.into_iter().collect::<Option<_>>()?;
        if info.at {
            self.check_memory(text, info, &indices, arguments, stand, faults)?;
        }
        let numbers = indices.iter().zip(sections.iter().chain([&Section::Device]));
        let mut numbers = numbers.map(|(index, section)| self.things.number(*section, *index));
        let call = (info.build)(&mut numbers);
        match call {
            Call::Alloc(memory, None) => stand.found.push(memory),
            Call::Follow(pointer, _) | Call::ReturnUnlessPointer(pointer, _) => {
                stand.found.extend(self.things.target(Section::Pointer, pointer.index()));
            }
            _ => {}
        }
        Some(call)
    }

    /// A call on something in a device's memory must say or know which device, and other calls must not; and what
    /// is given to each other must fit.
    fn check_memory(
        &self,
        text: &Text,
        info: &CallInfo,
        indices: &[u8],
        arguments: &[Token],
        stand: &Stand,
        faults: &mut Faults,
    ) -> Option<()> {
        let named: Vec<(Section, u8)> = info.sections.iter().copied().zip(indices.iter().copied()).collect();
        let target = |(section, index): &(Section, u8)| self.things.target(*section, usize::from(*index));
        if let [first @ (Section::Pointer | Section::List, _), (other, index)] = &named[..]
            && let (Some(wanted), Some(got)) = (target(first), self.things.memory_of(*other, *index))
            && wanted != got
        {
            let name = |memory: Memory| quoted(self.names.name(Section::Memory, memory.0));
            let message =
                format!("{} is of {}, not of {}", quoted(arguments[0].text), name(wanted), name(got));
            faults.add(text.inside(), message, None);
            return None;
        }
        // Each member of a list is given to the function: only the list itself must be found.
        let count = if info.name == "for_each" { 1 } else { named.len() };
        let needed = named[..count].iter();
        let needed = needed.filter_map(|(section, index)| self.things.memory_of(*section, *index));
        let of_devices: Vec<Memory> = needed.filter(|memory| self.things.per_device(*memory)).collect();
        let told = indices.len() > info.sections.len();
        let hook = named.iter().any(|(section, index)| self.things.is_of_devices(*section, *index));
        if told && of_devices.is_empty() && !hook {
            let message = format!("{} is there once, for all devices", quoted(arguments[0].text));
            faults.add(text.inside(), message, Some(expected(info.name)));
            return None;
        }
        let found = |memory: &Memory| stand.found.contains(memory) && info.name != "alloc";
        // Which character device is meant is not told by memory that was found.
        let anew = hook || named[0].0 == Section::Cdev;
        if !told
            && !stand.device
            && (hook || !of_devices.is_empty())
            && (anew || !of_devices.iter().all(found))
        {
            let message = "a device must be named last: each has its own, and none is at hand here";
            let whole: Vec<&str> = arguments.iter().map(|argument| argument.text).collect();
            let memory = of_devices.first().map(|memory| quoted(self.names.name(Section::Memory, memory.0)));
            let giving = stand
                .giving
                .zip(memory)
                .map(|(key, memory)| format!(", or add {key} = {memory} to its table"));
            let help =
                format!("such as {}({}, DEVICE){}", info.name, whole.join(", "), giving.unwrap_or_default());
            faults.add(text.inside(), message, Some(help));
            return None;
        }
        Some(())
    }

    fn argument(&self, text: &Text, argument: &Token, section: Section, faults: &mut Faults) -> Option<u8> {
        let span = text.part(argument.range.clone());
        self.names.find(section, argument.text, span, faults)
    }
}

/// Functions of the kernel that a driver's author may write, and the calls that stand for them.
const KERNEL_NAMES: &[(&str, &str)] = &[
    ("add_timer", "mod_timer"),
    ("alloc_ordered_workqueue", "alloc_workqueue"),
    ("cancel_delayed_work", "cancel_work"),
    ("cancel_delayed_work_sync", "cancel_work_sync"),
    ("create_workqueue", "alloc_workqueue"),
    ("del_timer", "timer_delete"),
    ("del_timer_sync", "timer_delete_sync"),
    ("devm_kzalloc", "devm-alloc"),
    ("devm_pm_runtime_enable", "devm-pm_runtime_enable"),
    ("devm_request_irq", "devm-request_irq"),
    ("kfree", "free"),
    ("kmalloc", "alloc"),
    ("kzalloc", "alloc"),
    ("mod_delayed_work", "queue_work"),
    ("mutex_lock", "lock"),
    ("mutex_unlock", "unlock"),
    ("pm_runtime_get", "pm_runtime_get_sync"),
    ("pm_runtime_put_autosuspend", "pm_runtime_put"),
    ("pm_runtime_put_sync_autosuspend", "pm_runtime_put_sync"),
    ("pm_runtime_put_sync_suspend", "pm_runtime_put_sync"),
    ("queue_delayed_work", "queue_work"),
    ("schedule_delayed_work", "queue_work"),
    ("schedule_work", "queue_work"),
    ("spin_lock", "lock"),
    ("spin_unlock", "unlock"),
];

/// Whether a row takes as many arguments as a call has.
fn takes(info: &CallInfo, call: &CallText, stand: &Stand) -> bool {
    let (count, most) = (call.arguments.len() - usize::from(info.ends_with_null()), info.sections.len());
    let without_device = info.sections.last() == Some(&Section::Device) && stand.device;
    count == most || (without_device && count + 1 == most) || (info.at && count == most + 1)
}

/// The outcomes of a `return`.
fn outcomes(text: &Text, arguments: &[Token], faults: &mut Faults) -> Option<Vec<ProbeOutcome>> {
    if arguments.is_empty() {
        let message = "return takes at least one outcome";
        faults.add(text.inside(), message, Some(expected("return")));
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

fn is_known(name: &str) -> bool {
    name == RETURN.0 || CALLS.iter().any(|info| info.name == name)
}

fn expected(name: &str) -> String {
    let written = CALLS.iter().filter(|info| info.name == name).map(CallInfo::written);
    let written = written.chain((name == RETURN.0).then(|| RETURN.1.to_owned()));
    format!("expected {}", written.collect::<Vec<_>>().join(" or "))
}
