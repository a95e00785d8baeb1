//! What is wrong with what the user gave: where, what, and what to do.

use std::path::PathBuf;

/// A mistake of the user's, or of a file of theirs.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such directory.
    #[error("{}: there is no such directory", .0.display())]
    NoDirectory(PathBuf),
    /// It is no kernel.
    #[error("{}: no kernel tree: it has no {missing}{}", .dir.display(), hint(.instead))]
    NoKernel {
        /// The directory.
        dir: PathBuf,
        /// A file that every kernel has.
        missing: &'static str,
        /// A directory in it that looks like one.
        instead: Option<PathBuf>,
    },
    /// git did not give what was asked for.
    #[error("{}: revision \"{revision}\": {why}", .dir.display())]
    Git {
        /// The directory.
        dir: PathBuf,
        /// The revision.
        revision: String,
        /// What git said.
        why: String,
    },
    /// A line of a configuration.
    #[error(
        "{file}:{line}: not a line of a kernel configuration; write CONFIG_NAME=y or # CONFIG_NAME is not set"
    )]
    Config {
        /// The file.
        file: String,
        /// The line.
        line: usize,
    },
    /// A line of a table of ours, or of the user's.
    #[error("{file}:{line}: {what}")]
    Table {
        /// The file.
        file: String,
        /// The line.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
    /// A file that cannot be read.
    #[error("{file}: {why}")]
    File {
        /// The file.
        file: String,
        /// What the system says.
        why: String,
    },
    /// A patch file without a patch for the driver core.
    #[error("{file}: no patch of this file touches a file of this tree{}", list(.others))]
    NoPatch {
        /// The file.
        file: String,
        /// Files that it does touch.
        others: Vec<String>,
    },
    /// A line of a patch that cannot stand there.
    #[error("{file}:{line}: {what}")]
    Patch {
        /// The patch file.
        file: String,
        /// The line of it.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
    /// A hunk that does not apply.
    #[error(
        "{file}:{line}: this hunk of {target} does not apply: {why}\nnothing is checked; is it a patch for another version?"
    )]
    Hunk {
        /// The patch file.
        file: String,
        /// The line of the hunk in it.
        line: usize,
        /// The file that it changes.
        target: String,
        /// What is missing, and where.
        why: String,
    },
}

fn hint(instead: &Option<PathBuf>) -> String {
    instead.as_ref().map_or_else(String::new, |dir| format!("; did you mean {}?", dir.display()))
}

fn list(others: &[String]) -> String {
    match others {
        [] => String::new(),
        others => format!("; it touches {}", others.join(", ")),
    }
}
