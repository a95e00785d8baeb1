//! A mistake in the user's input, and how it is shown.
//!
//! The first line is `path:line:column: message; help`, as compilers write it; the source line
//! with carets below it follows, drawn by annotate-snippets. Whatever came from the file is escaped, so that
//! no control character reaches a terminal.

use std::fmt;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use raddle_checker::render::printable;

use super::spans::Place;

/// Excerpts are cut to this many columns.
const WIDTH: usize = 110;

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
            // annotate-snippets shows signs for all control characters but these.
            let c1 = '\u{80}'..='\u{9f}';
            let text: String =
                place.text.chars().map(|c| if c1.contains(&c) { '\u{fffd}' } else { c }).collect();
            let offset = |column: usize| {
                let character = text.char_indices().nth(column);
                character.map_or(text.len(), |(offset, _)| offset)
            };
            let start = place.column - 1;
            let span = offset(start)..offset(start + place.length);
            let snippet = Snippet::source(&text).line_start(place.line);
            let snippet = snippet.annotation(AnnotationKind::Primary.span(span));
            let group = Group::with_level(Level::ERROR).element(snippet);
            write!(f, "\n{}", Renderer::plain().term_width(WIDTH).render(&[group]))?;
        }
        Ok(())
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
        let first = format!("unregister.toml:7:9: {FIRST}");
        let expected = [&first, "  |", r#"7 | run = ["nd_pmen"]"#, r"  |         ^^^^^^^"];
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
        assert!(lines[2].chars().count() < 2 * WIDTH, "{text}");
        let column = |text: &str, part: &str| text.find(part).map(|at| text[..at].chars().count());
        assert_eq!(column(lines[3], "^^^"), column(lines[2], "bad"), "{text}");
        assert!(!lines[3].contains("^^^^"));
    }

    #[test]
    fn no_control_character_is_shown() {
        let text = shown("a\u{1b}[2Jb\u{202e}\0 bad", 10, 3);
        assert!(text.chars().all(|c| c == '\n' || !c.is_control() && c != '\u{202e}'), "{text:?}");
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[2].ends_with("bad") && lines[3].ends_with("^^^"), "{text}");
    }

    #[test]
    fn a_place_past_the_end_of_its_line_is_shown() {
        assert!(shown("", 1, 1).contains("\n7 |"));
        assert!(shown("ab", 3, 1).ends_with("\n7 | ab\n  |   ^"));
    }
}
