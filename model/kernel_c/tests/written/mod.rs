//! A tree of small C of our own, written to a directory.

use std::fs;

use tempfile::TempDir;

/// What every tree begins with.
pub const MAKEFILE: &str = "# SPDX\nVERSION = 9\nPATCHLEVEL = 8\nSUBLEVEL = 7\nEXTRAVERSION = -rc1\n";

/// A directory with a kernel's Makefile and these files. A file that comes twice is the later one.
pub fn written(files: &[(&str, &str)]) -> TempDir {
    let dir = TempDir::new().unwrap();
    for (path, text) in [("Makefile", MAKEFILE)].iter().chain(files) {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}
