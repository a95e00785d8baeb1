//! Standard output that may go away: a closed pipe or a full disk is never a panic.

use std::fmt::Display;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use raddle_checker::render::printable;

use super::inputs::INPUT_ERROR;

/// Standard output, and the first error that writing to it gave.
pub struct Out {
    to: BufWriter<io::Stdout>,
    failed: Option<io::Error>,
}

impl Out {
    /// The process' standard output.
    pub fn stdout() -> Self {
        Out { to: BufWriter::new(io::stdout()), failed: None }
    }

    /// Writes a line.
    pub fn line(&mut self, text: impl Display) {
        if self.failed.is_none() {
            self.failed = writeln!(self.to, "{}", clean(text)).err();
        }
    }

    /// Writes a text that has its own line feeds.
    pub fn text(&mut self, text: impl Display) {
        if self.failed.is_none() {
            self.failed = write!(self.to, "{}", clean(text)).err();
        }
    }

    /// Writes bytes as they are, for another program to read.
    pub fn raw(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            self.failed = self.to.write_all(bytes).err();
        }
    }

    /// Lets a reader see what was written so far.
    pub fn flush(&mut self) {
        if self.failed.is_none() {
            self.failed = self.to.flush().err();
        }
    }

    /// Whether nobody reads any more.
    pub fn is_gone(&self) -> bool {
        self.failed.is_some()
    }

    /// The exit code: that of the command, unless its output could not be written.
    pub fn finish(mut self, code: u8) -> ExitCode {
        self.flush();
        match self.failed {
            None => ExitCode::from(code),
            // Whoever closed the pipe has seen enough.
            Some(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::from(code),
            Some(error) => {
                complain(format_args!("raddle: cannot write to standard output: {error}"));
                ExitCode::from(INPUT_ERROR)
            }
        }
    }
}

/// Whether another process says what is wrong.
static MUTE: AtomicBool = AtomicBool::new(false);

/// Leaves it to another process to say what is wrong, or no longer.
pub fn mute(is_mute: bool) {
    MUTE.store(is_mute, Ordering::Relaxed);
}

/// Writes a line to standard error, if that is still there.
pub fn complain(text: impl Display) {
    if MUTE.load(Ordering::Relaxed) {
        return;
    }
    let _ = writeln!(io::stderr(), "{}", clean(text));
}

/// A path in one line, for messages.
pub fn shown(path: &Path) -> String {
    printable(&path.display().to_string())
}

/// A word as a shell reads it: in quotes if it has characters that mean something there.
pub fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// A word without control characters.
pub fn clean_word(word: &String) -> String {
    clean(word).replace(['\n', '\t'], "?")
}

/// A text without control characters, which could tell a terminal to do something: names and traces come
/// from anywhere.
fn clean(text: impl Display) -> String {
    text.to_string().replace(|c: char| c.is_control() && c != '\n' && c != '\t', "?")
}
