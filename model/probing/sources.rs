//! The source of a crate of modelled functions, for reports. Where the crate was compiled does not matter: a package
//! from a registry lies elsewhere than a checkout, and says the same.

use include_dir::Dir;

/// The source of a crate.
#[derive(Debug)]
pub struct Sources {
    /// Where the crate is in raddle's repository; stories name its files below that.
    at: &'static str,
    /// The crate's directory, as the compiler knows it.
    compiled: &'static str,
    files: Dir<'static>,
}

impl Sources {
    /// The source of the crate in a directory of the repository, such as `model/probing/`. `lib`: `file!()` in its
    /// `lib.rs`.
    ///
    /// # Panics
    ///
    /// When compiled, if `lib` is no `lib.rs`.
    #[must_use]
    pub const fn new(at: &'static str, lib: &'static str, files: Dir<'static>) -> Self {
        let (compiled, name) = lib.split_at(lib.len() - "lib.rs".len());
        assert!(matches!(name.as_bytes(), b"lib.rs"));
        Sources { at, compiled, files }
    }

    /// The name of a file of this crate, such as `model/probing/call.rs`, by the compiler's name for it.
    #[must_use]
    pub fn name(&self, file: &str) -> Option<String> {
        Some(format!("{}{}", self.at, file.strip_prefix(self.compiled)?))
    }

    /// A line, from 1, by its place as stories give it: `model/probing/call.rs:12`.
    #[must_use]
    pub fn line(&self, at: &str) -> Option<&str> {
        let (file, line) = at.strip_prefix(self.at)?.rsplit_once(':')?;
        let line: usize = line.parse().ok()?;
        self.files.get_file(file)?.contents_utf8()?.lines().nth(line.checked_sub(1)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use include_dir::{DirEntry, File};

    #[test]
    fn a_packages_files_are_named_as_those_of_the_repository() {
        static FILES: [DirEntry<'static>; 1] = [DirEntry::File(File::new("a/b.rs", b"one\ntwo\n"))];
        let sources = |lib| Sources::new("model/some/", lib, Dir::new("", &FILES));
        let here = sources("model/some/lib.rs");
        let packaged = sources("/home/me/.cargo/registry/src/index/raddle-some-0.1.0/lib.rs");
        assert_eq!(here.name("model/some/a/b.rs").as_deref(), Some("model/some/a/b.rs"));
        let file = "/home/me/.cargo/registry/src/index/raddle-some-0.1.0/a/b.rs";
        assert_eq!(packaged.name(file).as_deref(), Some("model/some/a/b.rs"));
        assert_eq!(packaged.name("model/some/a/b.rs"), None);
        assert_eq!(packaged.line("model/some/a/b.rs:2"), Some("two"));
        for wrong in ["model/some/a/b.rs:0", "model/some/a/b.rs:3", "model/some/b.rs:1", "a/b.rs:1", "x"] {
            assert_eq!(packaged.line(wrong), None, "{wrong}");
        }
    }
}
