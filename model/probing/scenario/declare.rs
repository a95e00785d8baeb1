//! What a file declares: its names and, for each, its table; within the limits.
//!
//! Names are declared before any is looked up, so that tables may come in any order.

use super::faults::Faults;
use super::names::{Names, Section, check_name};
use super::read::{Entry, Table, string};
use super::spans::Span;
use super::suggest::shortened;
use crate::ids::Module;

/// A declared thing: `[device.NAME]` and what is in it.
pub(crate) struct Declaration<'t> {
    pub(crate) name: &'t str,
    pub(crate) name_span: Span,
    pub(crate) table: Table<'t>,
}

impl Declaration<'_> {
    /// Where a key's value was written; the name if the key was left out.
    pub(crate) fn span_of(&self, key: &str) -> Span {
        match self.table.get(key) {
            Some(value) => value.span(),
            None => self.name_span.clone(),
        }
    }
}

/// The keys of each section's tables.
const KEYS: &[(Section, &[&str])] = &[
    (Section::Bus, &["need-parent-lock", "autoprobe"]),
    (Section::Device, &["bus", "parent", "suppliers", "initially", "add"]),
    (
        Section::Driver,
        &[
            "bus",
            "module",
            "probe-type",
            "initially",
            "matches",
            "probe",
            "fails-at",
            "unwind",
            "remove",
            "suspend",
            "resume",
            "runtime-suspend",
            "runtime-resume",
        ],
    ),
    (Section::Module, &["async_probe", "softdep-pre", "init", "exit"]),
    (Section::Memory, &["per", "instances", "release"]),
    (Section::Mutex, &["in"]),
    (Section::Flag, &["in", "initially"]),
    (Section::Pointer, &["in", "to"]),
    (Section::List, &["in", "of"]),
    (Section::Function, &["given", "run"]),
    (Section::Resource, &["initially"]),
    (Section::Work, &["in", "queue", "delayed", "runs", "module", "run"]),
    (Section::Timer, &["in", "runs", "module", "run"]),
    (Section::Irq, &["given", "runs", "module", "run"]),
    (Section::Attribute, &["per", "group", "show", "store"]),
    (Section::Notifier, &["per", "run"]),
    (Section::Cdev, &["in", "holds", "open", "ioctl", "release"]),
    (Section::Workqueue, &["per", "ordered"]),
    (Section::Link, &["consumer", "supplier", "flags"]),
    (Section::Task, &["after", "run"]),
];

/// Everything that a file declares, in its order.
pub(crate) struct Declared<'t> {
    sections: Vec<(Section, Vec<Declaration<'t>>)>,
}

impl<'t> Declared<'t> {
    /// Reads the declarations and declares their names; `None` if there are too many.
    pub(crate) fn read(root: Table<'t>, names: &mut Names, faults: &mut Faults) -> Option<Self> {
        // Every table is read before any limit ends the reading.
        let read = |(section, keys): &(Section, &[&str])| {
            (*section, declarations(root, *section, keys, names, faults))
        };
        let all: Vec<_> = KEYS.iter().map(read).collect();
        let sections = all.into_iter().map(|(section, those)| Some((section, those?)));
        Some(Declared { sections: sections.collect::<Option<_>>()? })
    }

    /// What is declared in a section.
    pub(crate) fn of(&self, section: Section) -> &[Declaration<'t>] {
        self.sections.iter().find(|(other, _)| *other == section).map_or(&[], |(_, those)| those)
    }
}

fn declarations<'t>(
    root: Table<'t>,
    section: Section,
    keys: &[&str],
    names: &mut Names,
    faults: &mut Faults,
) -> Option<Vec<Declaration<'t>>> {
    let table = root.table(section.table(), faults);
    let limit = section.limit();
    if let Some(first_over) = table.entries().nth(limit) {
        let message = format!("more than {limit} {}", section.plural());
        let count = table.entries().count();
        let help = format!("the limit is {limit}, this file has {count}");
        faults.add(first_over.key_span, message, Some(help));
        return None;
    }
    let mut declarations = Vec::new();
    for Entry { key, key_span, value } in table.entries() {
        check_name(key, key_span.clone(), faults);
        if section == Section::Device && key == "NULL" {
            faults.add(key_span.clone(), "no device can be called NULL", None);
        }
        names.declare(section, key);
        let table = Table::read(value, faults);
        let place = format!("[{}.{}]", section.table(), shortened(key));
        table.only(keys, &place, faults);
        declarations.push(Declaration { name: key, name_span: key_span, table });
    }
    Some(declarations)
}

/// Declares the modules that drivers are in and that have no table; gives each driver's module.
pub(crate) fn imply_modules(drivers: &[Declaration], names: &mut Names, faults: &mut Faults) -> Vec<Module> {
    drivers
        .iter()
        .map(|driver| {
            let name = driver
                .table
                .get("module")
                .and_then(|value| string(value, faults))
                .filter(|name| check_name(name.value, name.inside(), faults));
            Module(names.declare(Section::Module, name.map_or(driver.name, |name| name.value)))
        })
        .collect()
}
