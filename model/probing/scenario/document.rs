//! From text to TOML tables with spans, within the limit on nesting.
//!
//! A syntax error ends the reading: what follows it would mostly be noise.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::InputError;
use super::faults::Faults;
use super::spans::Source;

/// Tables and arrays may be nested this deep, the file itself included.
const NESTING_LIMIT: usize = 32;

/// The tables of a file.
pub(crate) fn parse(source: &Source) -> Result<DeTable<'_>, Vec<InputError>> {
    let mut faults = Faults::new(source);
    match DeTable::parse(source.text()) {
        Ok(document) => {
            let document = document.into_inner();
            for value in document.values() {
                check_nesting(value, 1, &mut faults);
            }
            if faults.is_empty() {
                return Ok(document);
            }
        }
        // The parser has limits of its own, beyond ours; these are its messages for them.
        Err(error) if error.message() == "recursion limit" => {
            let start = longest_key(source.text());
            faults.add(start..start, too_deep(), None);
        }
        Err(error) => {
            let message = if error.message().starts_with("cannot recurse further") {
                too_deep()
            } else {
                error.message().to_owned()
            };
            faults.add(error.span().unwrap_or(0..0), message, None);
        }
    }
    Err(faults.into_errors())
}

fn check_nesting(value: &Spanned<DeValue>, depth: usize, faults: &mut Faults) {
    let nested: Vec<_> = match value.get_ref() {
        DeValue::Array(array) => array.iter().collect(),
        DeValue::Table(table) => table.values().collect(),
        _ => return,
    };
    if depth == NESTING_LIMIT {
        faults.add(value.span(), too_deep(), None);
        return;
    }
    for value in nested {
        check_nesting(value, depth + 1, faults);
    }
}

fn too_deep() -> String {
    format!("nested too deep: the limit is {NESTING_LIMIT} levels")
}

/// Where the line with the most dots begins: the parser does not say which dotted key is too long.
fn longest_key(text: &str) -> usize {
    let mut longest = (0, 0);
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let dots = line.matches('.').count();
        if dots > longest.0 {
            longest = (dots, start);
        }
        start += line.len();
    }
    longest.1
}
