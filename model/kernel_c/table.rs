//! `driver-core.toml`: what of a kernel is not run, and what stands for it. A user's file is read after ours.

use indexmap::IndexMap;
use toml::{Table, Value};

use super::error::Error;

/// What stands for a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stub {
    /// It returns one of these: a number, or a negated error number by its name (`-ENOMEM`).
    OneOf(Vec<String>),
    /// It returns its argument of this number.
    Argument(usize),
}

/// A stub, with the reason for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stubbed {
    /// What it returns.
    pub stub: Stub,
    /// Why it may stand for the function.
    pub reason: String,
}

/// The tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tables {
    /// Functions that are not run.
    pub stubs: IndexMap<String, Stubbed>,
}

const OURS: &str = include_str!("driver-core.toml");

/// Functions that free are run, never left out.
const FREES: &[&str] =
    &["kfree", "kref_put", "kobject_put", "put_device", "kmem_cache_free", "kvfree", "klist_del"];

impl Tables {
    /// Our own.
    #[must_use]
    pub fn ours() -> Self {
        let mut tables = Tables::default();
        tables.add("driver-core.toml", OURS).expect("internal: our own table");
        tables
    }

    /// Reads a file after those before it.
    ///
    /// # Errors
    ///
    /// The first line that cannot stand there.
    pub fn add(&mut self, file: &str, text: &str) -> Result<(), Error> {
        let error = |line, what: String| Error::Table { file: file.to_owned(), line, what };
        let line_of = |at: usize| text[..at.min(text.len())].matches('\n').count() + 1;
        let table: Table = text.parse().map_err(|bad: toml::de::Error| {
            error(bad.span().map_or(1, |span| line_of(span.start)), bad.message().to_owned())
        })?;
        for (section, value) in &table {
            let (Value::Table(reasons), "stubs") = (value, section.as_str()) else {
                return Err(error(
                    line_with(text, section),
                    format!("\"{section}\" is no table; write [stubs.\"reason\"]"),
                ));
            };
            for (reason, functions) in reasons {
                let Value::Table(functions) = functions else {
                    let what =
                        format!("the stub of {reason} has no reason; write [stubs.\"reason\"] above it");
                    return Err(error(line_with(text, reason), what));
                };
                for (name, value) in functions {
                    let stub = stub(name, value).map_err(|what| error(line_with(text, name), what))?;
                    self.stubs.insert(name.clone(), Stubbed { stub, reason: reason.clone() });
                }
            }
        }
        Ok(())
    }
}

fn line_with(text: &str, key: &str) -> usize {
    let at = text
        .lines()
        .position(|line| line.split(['=', '.', ']']).any(|part| part.trim_matches([' ', '"', '[']) == key));
    at.map_or(1, |at| at + 1)
}

fn stub(name: &str, value: &Value) -> Result<Stub, String> {
    if FREES.contains(&name) {
        return Err(format!("{name} frees, and what frees is never left out"));
    }
    let known = |text: &str| {
        let digits = text.strip_prefix('-').unwrap_or(text);
        digits.bytes().all(|b| b.is_ascii_digit()) && !digits.is_empty() || text.starts_with("-E")
    };
    match value {
        Value::Integer(number) => Ok(Stub::OneOf(vec![number.to_string()])),
        Value::String(text) => match text.strip_prefix('@').map(str::parse) {
            Some(Ok(argument)) => Ok(Stub::Argument(argument)),
            None if text.split('|').all(|one| known(one.trim())) => {
                Ok(Stub::OneOf(text.split('|').map(|one| one.trim().to_owned()).collect()))
            }
            _ => Err(format!(
                "\"{text}\" is nothing that {name} can return; write 0, -ENOMEM, 0 | -ENOMEM or @1"
            )),
        },
        _ => Err(format!("{name} returns a number, -ENOMEM, 0 | -ENOMEM or @1")),
    }
}

#[cfg(test)]
mod tests {
    use super::{Stub, Tables};

    #[test]
    fn a_users_file_is_read_after_ours() {
        let mut tables = Tables::ours();
        assert_eq!(tables.stubs["dev_err_probe"].stub, Stub::Argument(1));
        tables.add("mine.toml", "[stubs.\"we try both\"]\ndevice_add_groups = \"0 | -ENOMEM\"\n").unwrap();
        assert_eq!(
            tables.stubs["device_add_groups"].stub,
            Stub::OneOf(vec!["0".to_owned(), "-ENOMEM".to_owned()])
        );
        assert_eq!(tables.stubs["device_add_groups"].reason, "we try both");
    }

    #[test]
    fn mistakes_are_said_with_their_line() {
        let wrong = |text: &str| Tables::default().add("mine.toml", text).unwrap_err().to_string();
        assert_eq!(
            wrong("[stubs.\"it leaks\"]\n\nkfree = 0\n"),
            "mine.toml:3: kfree frees, and what frees is never left out"
        );
        assert_eq!(
            wrong("[stubs]\nf = 0\n"),
            "mine.toml:2: the stub of f has no reason; write [stubs.\"reason\"] above it"
        );
        assert!(
            wrong("[stubs.\"r\"]\nf = \"x\"\n")
                .starts_with("mine.toml:2: \"x\" is nothing that f can return")
        );
        assert!(wrong("[stub.\"r\"]\nf = 0\n").starts_with("mine.toml:1: \"stub\" is no table"));
        assert!(wrong("[stubs.\"r\"]\nf = \n").starts_with("mine.toml:2:"));
    }
}
