//! A mistake in the user's input, and how it is shown.
//!
//! The first line is `path:line:column: message; help`, as compilers write it; the source line and
//! a line of carets follow. Whatever came from the file is escaped, so that no control character
//! reaches a terminal.

use std::fmt::{self, Write};

use super::spans::Place;

/// At most this many characters of a source line are shown.
const SHOWN_CHARACTERS: usize = 100;
/// What is shown before the place in a line that has to be cut.
const SHOWN_BEFORE: usize = 30;

/// A mistake in a scenario file, or a file that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputError {
    /// The file, as the user gave it.
    pub path: String,
    /// Where in the file; `None` if the whole file is meant.
    pub place: Option<Place>,
    /// What is wrong.
    pub message: String,
    /// What to do about it, for instance `did you mean "nd_pmem"?`.
    pub help: Option<String>,
}

impl InputError {
    /// An error that is about a file as a whole.
    #[must_use]
    pub fn of_file(path: &str, message: String) -> Self {
        InputError { path: path.to_owned(), place: None, message, help: None }
    }
}

impl std::error::Error for InputError {}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", printable(&self.path))?;
        if let Some(place) = &self.place {
            write!(f, ":{}:{}", place.line, place.column)?;
        }
        write!(f, ": {}", printable(&self.message))?;
        if let Some(help) = &self.help {
            write!(f, "; {}", printable(help))?;
        }
        if let Some(place) = &self.place {
            let Excerpt { text, caret, width } = excerpt(place);
            let line = place.line.to_string();
            write!(f, "\n {line} | {text}")?;
            let gutter = line.len();
            write!(f, "\n {:gutter$} | {:caret$}{:^<width$}", "", "", "")?;
        }
        Ok(())
    }
}

/// A source line as it is shown.
struct Excerpt {
    text: String,
    /// How far the carets are from the start of `text`.
    caret: usize,
    /// How many carets.
    width: usize,
}

fn excerpt(place: &Place) -> Excerpt {
    let start = place.column - 1;
    let end = start + place.length;
    let characters = place.text.chars().count();
    let first = if characters <= SHOWN_CHARACTERS || start + SHOWN_BEFORE < SHOWN_CHARACTERS {
        0
    } else {
        start - SHOWN_BEFORE
    };
    let last = (first + SHOWN_CHARACTERS).min(characters);

    let mut text = String::from(if first > 0 { "..." } else { "" });
    let (mut caret, mut width) = (text.len(), 0);
    let shown = place.text.chars().enumerate();
    for (index, character) in shown.take(last).skip(first) {
        let before = text.chars().count();
        match character {
            '\t' => text.push_str("    "),
            other => push_printable(&mut text, other),
        }
        let added = text.chars().count() - before;
        if index < start {
            caret += added;
        } else if index < end {
            width += added;
        }
    }
    if last < characters {
        text.push_str("...");
    }
    Excerpt { text, caret, width: width.max(1) }
}

/// The text with every character escaped that a terminal would act on instead of showing it.
pub(crate) fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        push_printable(&mut out, character);
    }
    out
}

fn push_printable(out: &mut String, character: char) {
    match character {
        '"' | '\'' | '\\' => out.push(character),
        other => {
            // Writing to a string cannot fail.
            let _ = write!(out, "{}", other.escape_debug());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, column: usize, length: usize) -> String {
        InputError {
            path: "unregister.toml".into(),
            place: Some(Place { line: 7, column, length, text: text.into() }),
            message: r#"driver "nd_pmen" is not declared"#.into(),
            help: Some(r#"did you mean "nd_pmem"?"#.into()),
        }
        .to_string()
    }

    const FIRST: &str = r#"driver "nd_pmen" is not declared; did you mean "nd_pmem"?"#;

    #[test]
    fn the_place_is_underlined() {
        let expected =
            [&format!("unregister.toml:7:9: {FIRST}"), r#" 7 | run = ["nd_pmen"]"#, r"   |         ^^^^^^^"];
        assert_eq!(shown(r#"run = ["nd_pmen"]"#, 9, 7), expected.join("\n"));
    }

    #[test]
    fn a_file_without_a_place_has_one_line() {
        let error = InputError::of_file("a.toml", "is empty".into());
        assert_eq!(error.to_string(), "a.toml: is empty");
    }

    #[test]
    fn long_lines_are_cut_around_the_place() {
        let line = format!("{}bad{}", "x".repeat(5000), "y".repeat(5000));
        let text = shown(&line, 5001, 3);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].len() < 120, "{text}");
        assert!(lines[1].starts_with(" 7 | ...xxx") && lines[1].ends_with("yyy..."));
        let caret = lines[2].find('^').unwrap();
        assert_eq!(&lines[1][caret..caret + 3], "bad");
        assert!(lines[2].ends_with("^^^") && !lines[2].ends_with("^^^^"));
    }

    #[test]
    fn control_characters_are_escaped() {
        let text = shown("a\u{1b}[2Jb\u{202e}\0 bad", 10, 3);
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
        assert!(text.contains(r"a\u{1b}[2Jb\u{202e}\0 bad"), "{text}");
        let lines: Vec<&str> = text.lines().collect();
        let caret = lines[2].find('^').unwrap();
        assert_eq!(&lines[1][caret..], "bad");
    }

    #[test]
    fn a_place_past_the_end_of_its_line_is_shown() {
        assert!(shown("", 1, 1).ends_with("\n 7 | \n   | ^"));
        assert!(shown("ab", 3, 1).ends_with("\n 7 | ab\n   |   ^"));
    }
}
