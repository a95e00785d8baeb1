//! Where in the source a step is made.

use std::panic::Location;

/// A line of source: of a program's own Rust, or of the text that it interprets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    file: &'static str,
    line: u32,
}

/// What stands on a line of source, for programs that interpret a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceLine {
    /// The text.
    pub text: String,
    /// Whether a change under review has added it.
    pub added: bool,
}

impl Place {
    /// A line, from 1, of a file.
    #[must_use]
    pub const fn new(file: &'static str, line: u32) -> Self {
        Place { file, line }
    }

    /// The line of Rust that calls the caller.
    #[must_use]
    #[track_caller]
    pub const fn caller() -> Self {
        let at = Location::caller();
        Place { file: at.file(), line: at.line() }
    }

    /// The file.
    #[must_use]
    pub const fn file(self) -> &'static str {
        self.file
    }

    /// The line, from 1.
    #[must_use]
    pub const fn line(self) -> u32 {
        self.line
    }
}
