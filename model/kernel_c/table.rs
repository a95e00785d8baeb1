//! `driver-core.toml`: what of a kernel is not run, and what stands for it. A user's file is read after ours.

use toml::{Table, Value};

use super::FxIndexMap;
use super::error::Error;
use super::value::word;

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
    /// Whether it does so only where a scenario has no device links.
    pub without_links: bool,
}

/// What a field of the kernel's is on the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// A cell.
    Cell(String),
    /// NULL, or a pointer to the part of its own: a cell.
    Own(String),
    /// What the scenario declares.
    World,
    /// Only its address is of use.
    Part,
    /// A pointer that is only passed on.
    Opaque,
    /// It reads as 0, for this reason.
    Zero(String),
    /// A lock that is not taken, for this reason.
    Unlocked(String),
    /// A list that is empty, for this reason.
    Empty(String),
}

/// A list that steps of the machine keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The path of its head, a global's.
    pub head: &'static str,
    /// The lock that is held while it changes.
    pub lock: &'static str,
    /// What is on it: the owner, of [`OWNERS`], and the node's path in it.
    pub node: (&'static str, &'static str),
    /// The step that puts a member at its end.
    pub join: String,
    /// The step that takes it off.
    pub leave: String,
    /// The call of a scenario without which nobody looks at it.
    pub seen_by: String,
}

/// What has fields.
pub const OWNERS: &[&str] =
    &["device", "device_private", "driver", "private", "bus", "module", "link", "devres", "global"];

/// The tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tables {
    /// Functions that are not run.
    pub stubs: FxIndexMap<String, Stubbed>,
    /// Fields, by what has them (of [`OWNERS`]) and their path in it.
    pub fields: FxIndexMap<(&'static str, String), Field>,
    /// Lists that steps of the machine keep.
    pub lists: Vec<Kept>,
    /// Structures that are allocated and at which nobody looks, each with the reason.
    pub ignored: FxIndexMap<String, String>,
    /// Numbers by name, for trees that do not have the file that defines them.
    pub constants: FxIndexMap<String, i64>,
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
            let at = |key: &str| line_with(text, key);
            match (section.as_str(), value) {
                ("stubs", Value::Table(reasons)) => {
                    self.add_stubs(reasons).map_err(|(key, what)| error(at(&key), what))?
                }
                ("fields", Value::Table(owners)) => {
                    self.add_fields(owners).map_err(|(key, what)| error(at(&key), what))?
                }
                ("lists", Value::Table(lists)) => {
                    for (head, list) in lists {
                        self.lists.push(kept(head, list).map_err(|what| error(at(head), what))?);
                    }
                }
                ("ignored", Value::Table(reasons)) => {
                    for (reason, records) in reasons {
                        let texts = records.as_array().map(|all| all.iter().map(Value::as_str));
                        let texts: Option<Vec<&str>> = texts.and_then(Iterator::collect);
                        let what = || format!("what is ignored as \"{reason}\" is a list of structures");
                        let texts = texts.ok_or_else(|| error(at(reason), what()))?;
                        self.ignored
                            .extend(texts.iter().map(|record| ((*record).to_owned(), reason.clone())));
                    }
                }
                ("constants", Value::Table(constants)) => {
                    for (name, value) in constants {
                        let number = value
                            .as_integer()
                            .ok_or_else(|| error(at(name), format!("{name} is a number")))?;
                        self.constants.insert(name.clone(), number);
                    }
                }
                _ => {
                    let what = format!(
                        "\"{section}\" is no table; write [stubs.\"reason\"], [fields.device], [lists.head] or [ignored]"
                    );
                    return Err(error(at(section), what));
                }
            }
        }
        Ok(())
    }

    fn add_stubs(&mut self, reasons: &Table) -> Result<(), (String, String)> {
        for (reason, functions) in reasons {
            let Value::Table(functions) = functions else {
                let what = format!("the stub of {reason} has no reason; write [stubs.\"reason\"] above it");
                return Err((reason.clone(), what));
            };
            for (name, value) in functions {
                let (value, without_links) = match value.get("without_links") {
                    Some(value) => (value, true),
                    None => (value, false),
                };
                let stub = stub(name, value).map_err(|what| (name.clone(), what))?;
                self.stubs.insert(name.clone(), Stubbed { stub, reason: reason.clone(), without_links });
            }
        }
        Ok(())
    }

    fn add_fields(&mut self, owners: &Table) -> Result<(), (String, String)> {
        for (owner, kinds) in owners {
            let known = OWNERS.iter().find(|known| *known == owner);
            let (Some(known), Value::Table(kinds)) = (known, kinds) else {
                return Err((
                    owner.clone(),
                    format!("\"{owner}\" has no fields; write one of {}", OWNERS.join(", ")),
                ));
            };
            for (kind, value) in kinds {
                for (path, field) in fields(kind, value).map_err(|what| (kind.clone(), what))? {
                    self.fields.insert((known, path), field);
                }
            }
        }
        Ok(())
    }
}

/// The fields of one kind.
fn fields(kind: &str, value: &Value) -> Result<Vec<(String, Field)>, String> {
    let text = |value: &Value| value.as_str().map(str::to_owned).ok_or_else(|| format!("{kind} holds texts"));
    let list = |value: &Value, field: Field| -> Result<Vec<(String, Field)>, String> {
        let paths = value.as_array().ok_or_else(|| format!("{kind} holds lists of fields"))?;
        paths.iter().map(|path| Ok((text(path)?, field.clone()))).collect()
    };
    match (kind, value) {
        ("world", _) => list(value, Field::World),
        ("parts", _) => list(value, Field::Part),
        ("opaque", _) => list(value, Field::Opaque),
        ("cells", Value::Table(cells)) => cells
            .iter()
            .map(|(path, cell)| {
                let cell = text(cell)?;
                let field = match cell.strip_prefix("own ") {
                    Some(own) => Field::Own(own.to_owned()),
                    None => Field::Cell(cell),
                };
                Ok((path.clone(), field))
            })
            .collect(),
        ("zero" | "unlocked" | "empty", Value::Table(reasons)) => {
            let field = |reason: &String| match kind {
                "zero" => Field::Zero(reason.clone()),
                "empty" => Field::Empty(reason.clone()),
                _ => Field::Unlocked(reason.clone()),
            };
            let all = reasons.iter().map(|(reason, paths)| list(paths, field(reason)));
            Ok(all.collect::<Result<Vec<_>, _>>()?.concat())
        }
        _ => Err(format!(
            "\"{kind}\" is no kind of field; write cells, world, parts, opaque, zero, empty or unlocked"
        )),
    }
}

/// A list that steps of the machine keep.
fn kept(head: &str, list: &Value) -> Result<Kept, String> {
    let text = |key: &str| {
        let text = list.get(key).and_then(Value::as_str);
        text.ok_or_else(|| format!("the list {head} has no {key}"))
    };
    let node = text("node")?;
    let owned = node.split_once('.').and_then(|(owner, path)| {
        let owner = OWNERS.iter().find(|known| **known == owner)?;
        Some((*owner, word(path)))
    });
    Ok(Kept {
        head: word(head),
        lock: word(text("lock")?),
        node: owned.ok_or_else(|| format!("{node} is no node; write device.kobj.entry"))?,
        join: text("join")?.to_owned(),
        leave: text("leave")?.to_owned(),
        seen_by: text("seen_by")?.to_owned(),
    })
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
