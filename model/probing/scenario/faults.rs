//! The mistakes found so far in one file.
//!
//! Reading goes on after a mistake with some placeholder; what was read is handed out only if no
//! mistake was found.

use super::error::InputError;
use super::spans::{Source, Span};

/// At most this many errors are reported of one file.
pub(crate) const ERRORS_SHOWN: usize = 20;

/// The mistakes found in one file.
pub(crate) struct Faults<'t> {
    source: &'t Source,
    list: Vec<Fault>,
}

struct Fault {
    span: Span,
    message: String,
    help: Option<String>,
}

impl<'t> Faults<'t> {
    /// No mistakes yet.
    pub(crate) fn new(source: &'t Source) -> Self {
        Faults { source, list: Vec::new() }
    }

    /// The file.
    pub(crate) fn source(&self) -> &'t Source {
        self.source
    }

    /// Notes a mistake.
    pub(crate) fn add(&mut self, span: Span, message: impl Into<String>, help: Option<String>) {
        self.list.push(Fault { span, message: message.into(), help });
    }

    /// Whether nothing is wrong so far.
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The errors from the top of the file to its end; after twenty, only how many more.
    pub(crate) fn into_errors(mut self) -> Vec<InputError> {
        self.list.sort_by_key(|fault| fault.span.start);
        let more = self.list.len().saturating_sub(ERRORS_SHOWN);
        let mut errors: Vec<InputError> = self
            .list
            .into_iter()
            .take(ERRORS_SHOWN)
            .map(|fault| InputError {
                path: self.source.path().to_owned(),
                place: Some(self.source.place(&fault.span)),
                message: fault.message,
                help: fault.help,
            })
            .collect();
        if more > 0 {
            errors.push(InputError::of_file(self.source.path(), format!("and {more} more")));
        }
        errors
    }
}
