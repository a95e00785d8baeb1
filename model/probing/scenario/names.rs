//! The names that a file declares: one table of names for each sort of thing.

use indexmap::IndexSet;

use super::faults::Faults;
use super::spans::Span;
use super::suggest::{did_you_mean, quoted};

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    Bus,
    Device,
    Driver,
    Module,
    Resource,
    Work,
    Task,
}

impl Sort {
    /// Every sort. Drivers come before modules, since each driver implies a module of its name.
    pub(crate) const ALL: [Sort; 7] =
        [Sort::Bus, Sort::Device, Sort::Driver, Sort::Module, Sort::Resource, Sort::Work, Sort::Task];

    /// The table that declares it.
    pub(crate) fn table(self) -> &'static str {
        match self {
            Sort::Bus => "bus",
            Sort::Device => "device",
            Sort::Driver => "driver",
            Sort::Module => "module",
            Sort::Resource => "resource",
            Sort::Work => "work",
            Sort::Task => "task",
        }
    }

    /// What it is called in a message.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Sort::Work => "work item",
            _ => self.table(),
        }
    }

    /// What several of them are called in a message.
    pub(crate) fn plural(self) -> &'static str {
        match self {
            Sort::Bus => "buses",
            Sort::Device => "devices",
            Sort::Driver => "drivers",
            Sort::Module => "modules",
            Sort::Resource => "resources",
            Sort::Work => "work items",
            Sort::Task => "tasks",
        }
    }

    /// How many a file may declare. The ids are bytes, so every sort has a limit.
    pub(crate) fn limit(self) -> usize {
        match self {
            Sort::Task => 32,
            _ => 64,
        }
    }
}

/// The names that a file declares.
#[derive(Default)]
pub(crate) struct Names {
    tables: [IndexSet<String>; Sort::ALL.len()],
}

impl Names {
    /// Declares a name; its index is the number of names declared before it.
    pub(crate) fn declare(&mut self, sort: Sort, name: &str) -> u8 {
        let (index, _) = self.tables[sort as usize].insert_full(name.to_owned());
        u8::try_from(index).unwrap_or_else(|_| unreachable!("internal: limits come before ids"))
    }

    /// The names of one sort, by index.
    pub(crate) fn of(&self, sort: Sort) -> impl ExactSizeIterator<Item = &str> {
        self.tables[sort as usize].iter().map(String::as_str)
    }

    /// The name with this index.
    pub(crate) fn name(&self, sort: Sort, index: u8) -> &str {
        &self.tables[sort as usize][usize::from(index)]
    }

    /// The index of a declared name; notes a name that is not declared.
    pub(crate) fn find(&self, sort: Sort, name: &str, span: Span, faults: &mut Faults) -> Option<u8> {
        if let Some(index) = self.tables[sort as usize].get_index_of(name) {
            return u8::try_from(index).ok();
        }
        let elsewhere = Sort::ALL.into_iter().find(|other| self.tables[*other as usize].contains(name));
        let message = match elsewhere {
            Some(other) => format!("{} is a {}, a {} is expected", quoted(name), other.noun(), sort.noun()),
            None => format!("{} {} is not declared", sort.noun(), quoted(name)),
        };
        faults.add(span, message, did_you_mean(name, self.of(sort)));
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
