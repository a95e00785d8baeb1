//! The calls of tasks, work items and callbacks, their arguments resolved.
//!
//! Only the probe and remove callbacks have a device at hand, so only
//! there a device may be left out.

use indexmap::IndexMap;

use super::faults::Faults;
use super::names::{Names, Section};
use super::read::{Table, Text, strings};
use super::spans::Span;
use super::suggest::{alternatives, did_you_mean, quoted};
use super::syntax::{self, CallText, Token};
use crate::call::{CALLS, Call, CallInfo, RETURN};
use crate::world::{ProbeBody, ProbeOutcome};

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
                let help = is_known(error.name).then(|| expected(error.name));
                faults.add(text.part(error.range), error.message, help);
                return None;
            }
        };
        let name = call.name.text;
        if !is_known(name) {
            let known = CALLS.iter().map(|info| info.name).chain([RETURN.0]);
            let help = did_you_mean(name, known)
                .unwrap_or_else(|| "\"raddle list calls\" shows all calls".to_owned());
            let message = format!("call {} is not known", quoted(name));
            faults.add(text.part(call.name.range), message, Some(help));
            return None;
        }
        if body != Body::Probe && matches!(name, "return" | "require") {
            let message = format!("\"{name}\" is for probe callbacks only");
            faults.add(text.part(call.name.range), message, None);
            return None;
        }
        if name == RETURN.0 {
            return outcomes(text, &call.arguments, faults).map(Statement::Return);
        }
        self.call(text, &call, body, faults).map(Statement::Call)
    }

    fn call(&self, text: &Text, call: &CallText, body: Body, faults: &mut Faults) -> Option<Call> {
        let name = call.name.text;
        let mut arguments = call.arguments.as_slice();
        let with_null = |info: &&CallInfo| info.name == name && info.ends_with_null();
        let info = match (arguments.split_last(), CALLS.iter().find(with_null)) {
            (Some((last, rest)), Some(info)) if last.text == "NULL" => {
                arguments = rest;
                info
            }
            _ => CALLS.iter().find(|info| info.name == name && !info.ends_with_null())?,
        };
        let sections = info.sections;
        let without_device = sections.last() == Some(&Section::Device);
        if without_device && arguments.len() + 1 == sections.len() {
            if !body.has_device_at_hand() {
                let message = "a device must be named: only probe and remove have one at hand";
                faults.add(text.inside(), message, Some(expected(name)));
                return None;
            }
        } else if arguments.len() != sections.len() {
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
        let indices: Vec<Option<u8>> = arguments
            .iter()
            .zip(sections)
            .map(|(argument, section)| self.argument(text, argument, *section, faults))
            .collect();
        let indices: Vec<u8> = indices.into_iter().collect::<Option<_>>()?;
        Some((info.build)(&mut indices.into_iter()))
    }

    fn argument(&self, text: &Text, argument: &Token, section: Section, faults: &mut Faults) -> Option<u8> {
        let span = text.part(argument.range.clone());
        self.names.find(section, argument.text, span, faults)
    }
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
