//! The text of a scenario file, and from byte offsets to lines and columns.
//!
//! Everything read from a file carries the byte range that it was written at; a line and a column
//! are worked out only for what is reported.

use std::ops::Range;

/// A range of bytes of a file.
pub(crate) type Span = Range<usize>;

/// A place in a file, as shown to its author.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// How many characters of the line are meant, at least 1.
    pub length: usize,
    /// The text of the line, without its line end.
    pub text: String,
}

/// A scenario file's path and text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    path: String,
    text: String,
}

impl Source {
    /// A file; a byte order mark is dropped, and no place counts it.
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Source { path: path.to_owned(), text: text.to_owned() }
    }

    /// The path as the user gave it.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The text, without a byte order mark.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Where a span begins, and how much of its first line it covers.
    ///
    /// A span that reaches past the end of the text, or into a character, is moved to the
    /// character before.
    pub(crate) fn place(&self, span: &Span) -> Place {
        let start = self.boundary(span.start);
        let (before, after) = self.text.split_at(start);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = after.find('\n').map_or(self.text.len(), |newline| start + newline);
        let end = self.boundary(span.end).clamp(start, line_end);
        Place {
            line: before.matches('\n').count() + 1,
            column: self.text[line_start..start].chars().count() + 1,
            length: self.text[start..end].trim_end().chars().count().max(1),
            text: self.text[line_start..line_end].trim_end_matches('\r').to_owned(),
        }
    }

    fn boundary(&self, offset: usize) -> usize {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        offset
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str, span: Span) -> (usize, usize, usize, String) {
        let place = Source::new("x.toml", text).place(&span);
        (place.line, place.column, place.length, place.text)
    }

    #[test]
    fn lines_and_columns_count_from_one() {
        assert_eq!(place("ab\ncd", 4..5), (2, 2, 1, "cd".into()));
        assert_eq!(place("", 0..0), (1, 1, 1, String::new()));
        assert_eq!(place("ab\n", 3..3), (2, 1, 1, String::new()));
    }

    #[test]
    fn columns_count_characters() {
        assert_eq!(place("üü = 1", 7..8), (1, 6, 1, "üü = 1".into()));
        assert_eq!(place("üü", 1..3), (1, 1, 1, "üü".into()));
    }

    #[test]
    fn a_span_ends_with_its_first_line() {
        assert_eq!(place("ab\r\ncd", 0..6), (1, 1, 2, "ab".into()));
        assert_eq!(place("ab", 7..9), (1, 3, 1, "ab".into()));
    }

    #[test]
    fn a_byte_order_mark_has_no_column() {
        assert_eq!(place("\u{feff}ab", 0..1), (1, 1, 1, "ab".into()));
    }
}
