//! Which options of the kernel are set, and what `#if` and `#ifdef` choose.

use indexmap::IndexMap;

use super::lower::number;

/// A kernel configuration: `.config` syntax; what it does not name is off.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    values: IndexMap<String, i128>,
}

/// As little as possible: the headers' own empty functions then stand for what is left out.
const SMALL: &str = include_str!("small.config");

impl Config {
    /// The small default.
    #[must_use]
    pub fn small() -> Self {
        Config::parse(SMALL).expect("internal: our own configuration")
    }

    /// Reads a `.config`.
    ///
    /// # Errors
    ///
    /// The number of the first line that is none of one.
    pub fn parse(text: &str) -> Result<Self, usize> {
        let mut config = Config::default();
        for (i, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, value) = line.split_once('=').ok_or(i + 1)?;
            let known = name.strip_prefix("CONFIG_").is_some_and(|rest| {
                !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            });
            if !known {
                return Err(i + 1);
            }
            match value {
                "n" => {}
                "y" => drop(config.values.insert(name.to_owned(), 1)),
                "m" => drop(config.values.insert(format!("{name}_MODULE"), 1)),
                text if text.starts_with('"') => {}
                digits => drop(config.values.insert(name.to_owned(), number(digits).ok_or(i + 1)?.0)),
            }
        }
        Ok(config)
    }

    /// The number that an option is; `None` if it is off.
    #[must_use]
    pub fn value(&self, option: &str) -> Option<i128> {
        self.values.get(option).copied()
    }

    /// `IS_ENABLED`, `IS_BUILTIN` and the like.
    #[must_use]
    pub fn test(&self, test: &str, option: &str) -> Option<bool> {
        let (built_in, module) =
            (self.value(option).is_some(), self.value(&format!("{option}_MODULE")).is_some());
        match test {
            "IS_ENABLED" => Some(built_in || module),
            // Built-in code does not reach a module.
            "IS_BUILTIN" | "IS_REACHABLE" => Some(built_in),
            "IS_MODULE" => Some(module),
            _ => None,
        }
    }
}

/// Macros that hold everywhere.
fn everywhere(name: &str) -> Option<i128> {
    match name {
        "__KERNEL__" | "__GNUC__" => Some(1),
        "BITS_PER_LONG" | "__BITS_PER_LONG" => Some(64),
        _ => None,
    }
}

/// What a directive is decided by: the configuration, and what the file has defined above it.
#[derive(Debug)]
pub struct Conditions<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// Macros that the file has defined.
    pub defined: IndexMap<&'static str, Option<i128>>,
}

impl Conditions<'_> {
    /// `defined(name)`.
    #[must_use]
    pub fn is_defined(&self, name: &str) -> bool {
        self.config.value(name).is_some() || everywhere(name).is_some() || self.defined.contains_key(name)
    }

    /// The condition of an `#if`.
    #[must_use]
    pub fn holds(&self, condition: &str) -> bool {
        let tokens = tokens(condition);
        let mut reader = Reader { tokens: &tokens, at: 0, conditions: self };
        reader.binary(0) != 0
    }

    fn value(&self, name: &str) -> i128 {
        let defined = || self.defined.get(name).copied().flatten();
        self.config.value(name).or_else(|| everywhere(name)).or_else(defined).unwrap_or(0)
    }
}

fn tokens(text: &str) -> Vec<&str> {
    let (mut tokens, mut rest) = (Vec::new(), text);
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '\\');
        let Some(first) = rest.chars().next() else { return tokens };
        let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let length = match word {
            0 if ["&&", "||", ">=", "<=", "==", "!="].iter().any(|two| rest.starts_with(two)) => 2,
            0 => first.len_utf8(),
            word => word,
        };
        tokens.push(&rest[..length]);
        rest = &rest[length..];
    }
}

/// Operators by how tightly they bind.
const LEVELS: &[&[&str]] = &[&["||"], &["&&"], &["==", "!="], &["<", ">", "<=", ">="], &["+", "-"]];

struct Reader<'a> {
    tokens: &'a [&'a str],
    at: usize,
    conditions: &'a Conditions<'a>,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> &'a str {
        self.tokens.get(self.at).copied().unwrap_or("")
    }

    fn take(&mut self) -> &'a str {
        let token = self.peek();
        self.at += 1;
        token
    }

    fn binary(&mut self, level: usize) -> i128 {
        let Some(operators) = LEVELS.get(level) else { return self.unary() };
        let mut left = self.binary(level + 1);
        while operators.contains(&self.peek()) {
            let operator = self.take();
            let right = self.binary(level + 1);
            left = match operator {
                "||" => i128::from(left != 0 || right != 0),
                "&&" => i128::from(left != 0 && right != 0),
                "==" => i128::from(left == right),
                "!=" => i128::from(left != right),
                "<" => i128::from(left < right),
                ">" => i128::from(left > right),
                "<=" => i128::from(left <= right),
                ">=" => i128::from(left >= right),
                "+" => left + right,
                _ => left - right,
            };
        }
        left
    }

    fn unary(&mut self) -> i128 {
        match self.take() {
            "!" => i128::from(self.unary() == 0),
            "-" => -self.unary(),
            "(" => {
                let value = self.binary(0);
                self.take();
                value
            }
            word @ ("defined" | "IS_ENABLED" | "IS_BUILTIN" | "IS_REACHABLE" | "IS_MODULE") => {
                let bracket = self.peek() == "(";
                self.at += usize::from(bracket);
                let name = self.take();
                self.at += usize::from(bracket);
                let conditions = self.conditions;
                let holds = conditions.config.test(word, name).unwrap_or_else(|| conditions.is_defined(name));
                i128::from(holds)
            }
            word => {
                if let Some((number, _)) = number(word) {
                    return number;
                }
                // A macro with arguments, such as GCC_VERSION_AT(..): as for C, not defined is 0.
                if self.peek() == "(" {
                    while !matches!(self.take(), ")" | "") {}
                }
                self.conditions.value(word)
            }
        }
    }
}
