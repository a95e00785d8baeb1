//! Typed readers over the tables of a parsed TOML file.
//!
//! Each takes a value with its span, and notes what was expected where something else was found.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::faults::Faults;
use super::spans::Span;
use super::suggest::{alternatives, did_you_mean, nearest, quoted};

/// Keys of the file itself, above and beside its tables.
pub(crate) const FILE_KEYS: &[&str] = &[
    "title",
    "source",
    "about",
    "revisions",
    "rules",
    "bus",
    "device",
    "driver",
    "module",
    "memory",
    "mutex",
    "flag",
    "pointer",
    "list",
    "function",
    "resource",
    "work",
    "timer",
    "irq",
    "attribute",
    "notifier",
    "cdev",
    "workqueue",
    "link",
    "task",
    "environment",
    "check",
    "expect",
];

/// A value with its span.
pub(crate) type Value<'t> = Spanned<DeValue<'t>>;

/// A key and its value.
pub(crate) struct Entry<'t> {
    pub(crate) key: &'t str,
    pub(crate) key_span: Span,
    pub(crate) value: &'t Value<'t>,
}

/// A table; one that is left out or has the wrong type reads as empty.
#[derive(Clone, Copy)]
pub(crate) struct Table<'t> {
    entries: Option<&'t DeTable<'t>>,
}

impl<'t> Table<'t> {
    /// The file's top level.
    pub(crate) fn root(entries: &'t DeTable<'t>) -> Self {
        Table { entries: Some(entries) }
    }

    /// A value that must be a table.
    pub(crate) fn read(value: &'t Value<'t>, faults: &mut Faults) -> Self {
        let entries = match value.get_ref().as_table() {
            Some(entries) => Some(entries),
            None => expected("a table", value, faults),
        };
        Table { entries }
    }

    /// The table under a key.
    pub(crate) fn table(&self, key: &str, faults: &mut Faults) -> Table<'t> {
        match self.get(key) {
            Some(value) => Table::read(value, faults),
            None => Table { entries: None },
        }
    }

    /// The value under a key.
    pub(crate) fn get(&self, key: &str) -> Option<&'t Value<'t>> {
        self.entries?.get(key)
    }

    /// The entries in the file's order.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Entry<'t>> + use<'t> {
        self.entries.into_iter().flat_map(|entries| entries.iter()).map(|(key, value)| Entry {
            key: key.get_ref(),
            key_span: key.span(),
            value,
        })
    }

    /// Notes every key that is not among the known ones; `place` is `[bus.nd]` or `the file`.
    pub(crate) fn only(&self, known: &[&str], place: &str, faults: &mut Faults) {
        for Entry { key, key_span, value } in self.entries() {
            if known.contains(&key) {
                continue;
            }
            let sort = if value.get_ref().is_table() { "table" } else { "key" };
            let help = if let Some(near) = nearest(key, known.iter().copied()) {
                format!("did you mean {}?", quoted(near))
            } else if FILE_KEYS.contains(&key) {
                "it belongs at the top of the file, above the first table".to_owned()
            } else {
                format!("known: {}", known.join(", "))
            };
            let message = format!("unknown {sort} {} in {place}", quoted(key));
            faults.add(key_span, message, Some(help));
        }
    }
}

/// A string and where its characters were written.
#[derive(Clone)]
pub(crate) struct Text<'t> {
    /// What it says.
    pub(crate) value: &'t str,
    /// The span, quotes included.
    pub(crate) span: Span,
    /// Whether it was written as it is: one pair of quotes and no escapes.
    verbatim: bool,
}

impl Text<'_> {
    /// The span of a part of the string; of the whole string if escapes have moved its characters.
    pub(crate) fn part(&self, part: Range<usize>) -> Span {
        if self.verbatim {
            let start = self.span.start + 1;
            start + part.start..start + part.end
        } else {
            self.span.clone()
        }
    }

    /// The span of the string's characters.
    pub(crate) fn inside(&self) -> Span {
        self.part(0..self.value.len())
    }
}

/// A string.
pub(crate) fn string<'t>(value: &'t Value<'t>, faults: &mut Faults) -> Option<Text<'t>> {
    let Some(text) = value.get_ref().as_str() else {
        return expected("a string", value, faults);
    };
    let span = value.span();
    let written = faults.source().text().get(span.clone());
    let inside = written.and_then(|written| written.get(1..written.len().saturating_sub(1)));
    Some(Text { value: text, verbatim: inside == Some(text), span })
}

/// A boolean.
pub(crate) fn boolean(value: &Value, faults: &mut Faults) -> Option<bool> {
    match value.get_ref().as_bool() {
        Some(boolean) => Some(boolean),
        None => expected("a boolean", value, faults),
    }
}

/// A whole number between two limits, both allowed.
pub(crate) fn number(value: &Value, key: &str, limits: (u8, u8), faults: &mut Faults) -> Option<u8> {
    let Some(integer) = value.get_ref().as_integer() else {
        return expected("an integer", value, faults);
    };
    let (least, most) = limits;
    let number = u8::from_str_radix(integer.as_str(), integer.radix()).ok();
    let allowed = number.filter(|number| (least..=most).contains(number));
    if allowed.is_none() {
        let message = format!("{key} must be between {least} and {most}");
        faults.add(value.span(), message, None);
    }
    allowed
}

/// A list of strings, without those that are none.
pub(crate) fn strings<'t>(value: &'t Value<'t>, faults: &mut Faults) -> Option<Vec<Text<'t>>> {
    let Some(array) = value.get_ref().as_array() else {
        return expected("an array of strings", value, faults);
    };
    Some(array.iter().filter_map(|item| string(item, faults)).collect())
}

/// A list of strings none of which is there twice.
pub(crate) fn distinct_strings<'t>(value: &'t Value<'t>, faults: &mut Faults) -> Option<Vec<Text<'t>>> {
    let mut seen = indexmap::IndexSet::new();
    let mut list = strings(value, faults)?;
    list.retain(|text| {
        let new = seen.insert(text.value);
        if !new {
            let message = format!("{} is given twice", quoted(text.value));
            faults.add(text.inside(), message, None);
        }
        new
    });
    Some(list)
}

/// One of a few words, each with its meaning.
pub(crate) fn word<T: Copy>(text: &Text, words: &[(&str, T)], faults: &mut Faults) -> Option<T> {
    let found = words.iter().find(|(word, _)| *word == text.value);
    if found.is_none() {
        let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        not_a_word(text, &words, faults);
    }
    found.map(|(_, meaning)| *meaning)
}

/// Notes that a string is none of the words that are allowed.
pub(crate) fn not_a_word(text: &Text, words: &[&str], faults: &mut Faults) {
    let message = format!("expected {}, found {}", alternatives(words), quoted(text.value));
    let help = did_you_mean(text.value, words.iter().copied());
    faults.add(text.inside(), message, help);
}

/// A list of distinct words that must not be empty.
pub(crate) fn words<T: Copy>(
    value: &Value,
    key: &str,
    words: &[(&str, T)],
    faults: &mut Faults,
) -> Option<Vec<T>> {
    let list = distinct_strings(value, faults)?;
    if value.get_ref().as_array().is_some_and(|array| array.is_empty()) {
        let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let help = format!("give at least one of {}", alternatives(&names));
        faults.add(value.span(), format!("{key} is empty"), Some(help));
    }
    Some(list.iter().filter_map(|text| word(text, words, faults)).collect())
}

/// Notes that a value has the wrong type.
pub(crate) fn expected<T>(what: &str, value: &Value, faults: &mut Faults) -> Option<T> {
    let found = match value.get_ref() {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    };
    faults.add(value.span(), format!("expected {what}, found {found}"), None);
    None
}
