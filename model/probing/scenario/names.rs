//! The names that a file declares: one set of names for each section.

use indexmap::IndexSet;

use super::faults::Faults;
use super::spans::Span;
use super::suggest::{did_you_mean, quoted};

/// A section of a file, which declares names: `[bus.NAME]`, `[device.NAME]` and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Bus,
    Device,
    Driver,
    Module,
    Memory,
    Mutex,
    Flag,
    Pointer,
    List,
    Function,
    Resource,
    Work,
    Timer,
    Irq,
    Attribute,
    Notifier,
    Cdev,
    Workqueue,
    Link,
    Task,
}

impl Section {
    /// Every section. Drivers come before modules, since each driver implies a module of its name.
    pub(crate) const ALL: [Section; 20] = [
        Section::Bus,
        Section::Device,
        Section::Driver,
        Section::Module,
        Section::Memory,
        Section::Mutex,
        Section::Flag,
        Section::Pointer,
        Section::List,
        Section::Function,
        Section::Resource,
        Section::Work,
        Section::Timer,
        Section::Irq,
        Section::Attribute,
        Section::Notifier,
        Section::Cdev,
        Section::Workqueue,
        Section::Link,
        Section::Task,
    ];

    /// The table that declares it.
    pub(crate) fn table(self) -> &'static str {
        match self {
            Section::Bus => "bus",
            Section::Device => "device",
            Section::Driver => "driver",
            Section::Module => "module",
            Section::Memory => "memory",
            Section::Mutex => "mutex",
            Section::Flag => "flag",
            Section::Pointer => "pointer",
            Section::List => "list",
            Section::Function => "function",
            Section::Resource => "resource",
            Section::Work => "work",
            Section::Timer => "timer",
            Section::Irq => "irq",
            Section::Attribute => "attribute",
            Section::Notifier => "notifier",
            Section::Cdev => "cdev",
            Section::Workqueue => "workqueue",
            Section::Link => "link",
            Section::Task => "task",
        }
    }

    /// What it is called in a message.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Section::Work => "work item",
            Section::Irq => "interrupt",
            Section::Cdev => "character device",
            Section::Link => "device link",
            _ => self.table(),
        }
    }

    /// One of them, with its article.
    fn one(self) -> String {
        let noun = self.noun();
        format!("{} {noun}", if noun.starts_with(['a', 'i']) { "an" } else { "a" })
    }

    /// What several of them are called in a message.
    pub(crate) fn plural(self) -> &'static str {
        match self {
            Section::Bus => "buses",
            Section::Device => "devices",
            Section::Driver => "drivers",
            Section::Module => "modules",
            Section::Memory => "memories",
            Section::Mutex => "mutexes",
            Section::Flag => "flags",
            Section::Pointer => "pointers",
            Section::List => "lists",
            Section::Function => "functions",
            Section::Resource => "resources",
            Section::Work => "work items",
            Section::Timer => "timers",
            Section::Irq => "interrupts",
            Section::Attribute => "attributes",
            Section::Notifier => "notifiers",
            Section::Cdev => "character devices",
            Section::Workqueue => "workqueues",
            Section::Link => "device links",
            Section::Task => "tasks",
        }
    }

    /// How many a file may declare. The ids are bytes, so every section has a limit.
    pub(crate) fn limit(self) -> usize {
        match self {
            Section::Task => 32,
            _ => 64,
        }
    }
}

/// The names that a file declares.
#[derive(Default)]
pub(crate) struct Names {
    tables: [IndexSet<String>; Section::ALL.len()],
}

impl Names {
    /// Declares a name; its index is the number of names declared before it.
    pub(crate) fn declare(&mut self, section: Section, name: &str) -> u8 {
        let (index, _) = self.tables[section as usize].insert_full(name.to_owned());
        u8::try_from(index).unwrap_or_else(|_| unreachable!("internal: limits come before ids"))
    }

    /// The names of one section, by index.
    pub(crate) fn of(&self, section: Section) -> impl ExactSizeIterator<Item = &str> {
        self.tables[section as usize].iter().map(String::as_str)
    }

    /// The name with this index.
    pub(crate) fn name(&self, section: Section, index: u8) -> &str {
        &self.tables[section as usize][usize::from(index)]
    }

    /// Whether a name is declared.
    pub(crate) fn has(&self, section: Section, name: &str) -> bool {
        self.tables[section as usize].contains(name)
    }

    /// The index of a declared name; notes a name that is not declared.
    pub(crate) fn find(&self, section: Section, name: &str, span: Span, faults: &mut Faults) -> Option<u8> {
        if let Some(index) = self.tables[section as usize].get_index_of(name) {
            return u8::try_from(index).ok();
        }
        let elsewhere = Section::ALL.into_iter().find(|other| self.tables[*other as usize].contains(name));
        let message = match elsewhere {
            Some(other) => {
                format!("{} is {}, {} is expected", quoted(name), other.one(), section.one())
            }
            None => format!("{} {} is not declared", section.noun(), quoted(name)),
        };
        faults.add(span, message, did_you_mean(name, self.of(section)));
        None
    }
}

/// Notes a name that is not `[A-Za-z_][A-Za-z0-9_-]*`.
pub(crate) fn check_name(name: &str, span: Span, faults: &mut Faults) -> bool {
    let mut bytes = name.bytes();
    let good = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if !good {
        let help = "a name is a letter or \"_\", then letters, digits, \"_\" and \"-\"";
        let message = format!("{} is not a name", quoted(name));
        faults.add(span, message, Some(help.to_owned()));
    }
    good
}
