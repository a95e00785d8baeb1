//! Directories for files of a search, which are removed with it. Those of searches that were killed are
//! removed by the next one in the same place.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use tempfile::TempDir;

use super::run::about;

/// What the names of the directories begin with.
const PREFIX: &str = "raddle-";

/// The file in each that its process keeps locked.
pub(super) const LOCK: &str = "lock";

/// A directory.
#[derive(Debug)]
pub(super) struct Scratch {
    dir: TempDir,
    _lock: File,
}

impl Scratch {
    /// A new one within the given one.
    pub(super) fn new(within: &Path) -> io::Result<Self> {
        clean(within).map_err(about(within))?;
        let dir = tempfile::Builder::new().prefix(PREFIX).tempdir_in(within).map_err(about(within))?;
        // It gets its name once it is locked: nobody ever takes this directory for a dead one.
        let unnamed = dir.path().join("unlocked");
        let lock = File::create_new(&unnamed).map_err(about(&unnamed))?;
        lock.lock().map_err(about(&unnamed))?;
        fs::rename(&unnamed, dir.path().join(LOCK)).map_err(about(&unnamed))?;
        Ok(Scratch { dir, _lock: lock })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }
}

/// Removes the directories whose processes are gone.
fn clean(within: &Path) -> io::Result<()> {
    for entry in fs::read_dir(within)? {
        let entry = entry?;
        let ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        if !ours || !entry.file_type()?.is_dir() {
            continue;
        }
        let dead = File::open(entry.path().join(LOCK)).is_ok_and(|lock| lock.try_lock().is_ok());
        if dead {
            // Perhaps another search removes it too.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_search_left_is_removed_and_nothing_else() {
        let within = tempfile::tempdir().expect("a directory");
        let left = within.path().join("raddle-left");
        for dir in ["raddle-left", "raddle-without-a-lock", "other"] {
            fs::create_dir(within.path().join(dir)).expect("it can be made");
        }
        for dir in ["raddle-left", "other"] {
            fs::write(within.path().join(dir).join(LOCK), "").expect("it can be written");
        }
        let alive = Scratch::new(within.path()).expect("it can be made");
        assert!(!left.exists());
        let second = Scratch::new(within.path()).expect("it can be made");
        assert!(alive.path().exists() && second.path().exists());
        drop((alive, second));
        let mut names: Vec<_> = fs::read_dir(within.path())
            .expect("it is there")
            .map(|entry| entry.expect("an entry").file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["other", "raddle-without-a-lock"]);
    }
}
