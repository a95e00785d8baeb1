//! Finding and reading scenario files.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use raddle_checker::render::printable;

use super::error::InputError;
use super::spans::Source;

/// No scenario file is longer than this, in bytes.
pub(crate) const SIZE_LIMIT: usize = 1 << 20;

/// The scenario files that a path stands for: a file for itself, a directory for every `*.toml`
/// below it, sorted by path.
///
/// Below a directory, links to files are followed and links to directories are not, so that there
/// are no loops and no file comes twice that way.
///
/// # Errors
///
/// If the path or a directory below it cannot be read, or the directory has no scenario files.
pub fn scenario_files(path: &Path) -> Result<Vec<PathBuf>, InputError> {
    let metadata = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    if !metadata.is_dir() {
        return Ok(vec![path.to_owned()]);
    }

    let mut files = Vec::new();
    let mut directories = vec![path.to_owned()];
    while let Some(directory) = directories.pop() {
        let entries = fs::read_dir(&directory).map_err(|error| unreadable(&directory, &error))?;
        for entry in entries {
            let entry = entry.map_err(|error| unreadable(&directory, &error))?;
            let found = entry.path();
            let kind = entry.file_type().map_err(|error| unreadable(&found, &error))?;
            if kind.is_dir() {
                directories.push(found);
            } else if found.extension().is_some_and(|extension| extension == "toml")
                && !(kind.is_symlink() && found.is_dir())
            {
                files.push(found);
            }
        }
    }
    if files.is_empty() {
        let shown = shown(path);
        let message = format!("no scenario files (*.toml) in {shown}");
        return Err(InputError::of_file(&shown, message));
    }
    // The order in which a directory lists its entries is not fixed.
    files.sort();
    Ok(files)
}

/// A path as messages and reports name it: in one line, without control characters.
pub(crate) fn shown(path: &Path) -> String {
    printable(&path.display().to_string())
}

/// The text of a scenario file.
pub(crate) fn read(path: &Path) -> Result<String, InputError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(SIZE_LIMIT as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| unreadable(path, &error))?;
    let shown = shown(path);
    if bytes.len() > SIZE_LIMIT {
        return Err(too_large(&shown));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let message = format!("not UTF-8: the byte at offset {at} begins no character");
        // What comes before that byte is the same in the lossy text, so the offset holds there.
        let text = String::from_utf8_lossy(error.as_bytes());
        // A `Source` has no byte order mark.
        let mark = text.len() - text.strip_prefix('\u{feff}').unwrap_or(&text).len();
        let place = Source::new(&shown, &text).place(&(at - mark..at - mark + 1));
        InputError { place: Some(place), ..InputError::of_file(&shown, message) }
    })
}

/// The error for a file over the limit.
pub(crate) fn too_large(path: &str) -> InputError {
    InputError::of_file(path, "is larger than 1 MiB, the limit of a scenario file".into())
}

fn unreadable(path: &Path, error: &io::Error) -> InputError {
    InputError::of_file(&shown(path), format!("cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_gives_its_files_in_order() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        fs::create_dir_all(path("b/c.toml")).unwrap();
        for name in ["z.toml", "a.toml", "b/x.toml", "b/c.toml/y.toml", "no.txt"] {
            fs::write(path(name), "").unwrap();
        }
        #[cfg(unix)]
        for name in ["b/loop", "b/loop.toml"] {
            std::os::unix::fs::symlink(root.path(), path(name)).unwrap();
        }
        let names = ["a.toml", "b/c.toml/y.toml", "b/x.toml", "z.toml"];
        assert_eq!(scenario_files(root.path()).unwrap(), names.map(path));
        assert_eq!(scenario_files(&path("no.txt")).unwrap(), [path("no.txt")]);
    }

    #[test]
    fn nothing_to_read_is_an_error() {
        let root = tempfile::tempdir().unwrap();
        let error = scenario_files(root.path()).unwrap_err();
        assert!(error.message.starts_with("no scenario files (*.toml) in "), "{error}");
        let error = scenario_files(&root.path().join("gone")).unwrap_err();
        assert!(error.message.starts_with("cannot be read: No such file"));
    }

    #[test]
    fn bytes_that_are_no_text_have_a_place() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("x.toml");
        fs::write(&path, b"\xef\xbb\xbfa\nb \xff\xfe c\n").unwrap();
        let error = read(&path).unwrap_err();
        let place = error.place.unwrap();
        assert_eq!((place.line, place.column), (2, 3));
        assert!(error.message.contains("offset 7"), "{}", error.message);
        fs::write(&path, vec![b' '; SIZE_LIMIT + 1]).unwrap();
        assert!(read(&path).unwrap_err().message.contains("1 MiB"));
        fs::write(&path, vec![b' '; SIZE_LIMIT]).unwrap();
        assert!(read(&path).is_ok());
    }
}
