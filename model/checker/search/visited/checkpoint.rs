//! A search in a file: what was visited, what waits, and what the caller adds.
//!
//! The file is replaced at once: a process that is killed while it writes leaves the one before. Runs on
//! disk are copied into it, so that it needs no other file.

use std::fs::{self, File, TryLockError};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use super::Visited;
use super::batch::Size;
use super::frames::{Broken, FrameReader, FrameWriter, read_exact};
use super::frontier::Frontier;
use super::run::about;

/// The first bytes of a checkpoint.
const MAGIC: [u8; 8] = *b"raddle\x1a\n";

/// The version of what follows. The hash of states is part of it.
const VERSION: u32 = 4;

/// Says what is searched, and how: a checkpoint with another one is of another search.
pub(in crate::search) type Fingerprint = [u8; 32];

/// Why a checkpoint was not read.
#[derive(Debug, thiserror::Error)]
pub(in crate::search) enum Refused {
    /// It cannot be read, or a set or queue that it fills cannot be written.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It begins otherwise than every checkpoint.
    #[error("it is not a checkpoint of raddle")]
    NotACheckpoint,
    /// Another raddle wrote it.
    #[error("it has version {found} of the format, and this raddle reads version {VERSION} only")]
    OtherVersion {
        /// The version that it has.
        found: u32,
    },
    /// It is whole, and of no use here.
    #[error("it is of another search: {0}")]
    OtherSearch(&'static str),
    /// The same.
    #[error("it is of another search: its states have another length")]
    OtherLength,
    /// It is not what was written.
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
}

impl From<Broken> for Refused {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Damaged(what) => Refused::Damaged(what),
            Broken::Io(error) => Refused::Io(error),
        }
    }
}

/// What is saved.
#[derive(Clone, Copy, Debug)]
pub(in crate::search) struct Checkpoint<'a> {
    /// What is searched, and how.
    pub(in crate::search) fingerprint: &'a Fingerprint,
    /// Anything else, for the caller.
    pub(in crate::search) note: &'a [u8],
    /// What was visited.
    pub(in crate::search) visited: &'a Visited,
    /// What waits.
    pub(in crate::search) frontier: &'a Frontier,
}

impl Checkpoint<'_> {
    /// Writes it to a file, under another name until it is whole and on the disk.
    ///
    /// # Errors
    ///
    /// Those of the file system, with the file; a file from before is as it was.
    pub(in crate::search) fn save(&self, path: &Path) -> io::Result<()> {
        regular(path)?;
        let part = beside(path, ".part");
        let written = self.save_part(&part).map_err(about(&part));
        if let Err(error) = written.and_then(|()| fs::rename(&part, path).map_err(about(path))) {
            // Half a checkpoint is of no use; what went wrong before is what is told.
            let _ = fs::remove_file(&part);
            return Err(error);
        }
        sync_directory(path)
    }

    fn save_part(&self, part: &Path) -> io::Result<()> {
        // What a process that was killed has left; nobody else saves there ([`Claim`]).
        if fs::symlink_metadata(part).is_ok_and(|there| there.is_file()) {
            fs::remove_file(part)?;
        }
        let mut out = BufWriter::new(File::create_new(part)?);
        self.write(&mut out)?;
        out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    }

    /// Writes it.
    ///
    /// # Errors
    ///
    /// Those of writing, and of reading what is on disk.
    pub(in crate::search) fn write(&self, mut out: impl Write) -> io::Result<()> {
        out.write_all(&MAGIC)?;
        out.write_all(&VERSION.to_le_bytes())?;
        let mut out = FrameWriter::new(out);
        out.write(self.fingerprint)?;
        out.write_number(self.note.len() as u64)?;
        out.write(self.note)?;
        out.write_number(self.visited.form() as u64)?;
        out.write_number(self.visited.size().whole as u64)?;
        out.write_number(self.visited.size().key as u64)?;
        out.write_number(self.visited.len() as u64)?;
        self.visited.each_record(|record| out.write(record))?;
        out.write_number(self.frontier.stride() as u64)?;
        out.write_number(self.frontier.len() as u64)?;
        self.frontier.each_block(|states| out.write(states))?;
        out.finish()?.flush()
    }
}

/// Reads a checkpoint from a file into an empty set and an empty queue; returns the note.
///
/// The set is of the kind that was saved, but whether an exact one spills may differ.
///
/// # Errors
///
/// Why the file is refused. The set and the queue are of no use then.
pub(in crate::search) fn load(
    path: &Path,
    fingerprint: &Fingerprint,
    visited: &mut Visited,
    frontier: &mut Frontier,
) -> Result<Vec<u8>, Refused> {
    let file = File::open(path).map_err(about(path))?;
    read(BufReader::new(file), fingerprint, visited, frontier)
}

/// The same from anything that can be read.
///
/// # Errors
///
/// The same.
///
/// # Panics
///
/// If the set or the queue is not empty.
pub(in crate::search) fn read(
    mut from: impl Read,
    fingerprint: &Fingerprint,
    visited: &mut Visited,
    frontier: &mut Frontier,
) -> Result<Vec<u8>, Refused> {
    assert!(visited.is_empty() && frontier.is_empty(), "internal: a checkpoint is read into empty ones");
    let mut magic = [0; MAGIC.len()];
    match read_exact(&mut from, &mut magic) {
        Err(Broken::Io(error)) => return Err(error.into()),
        Ok(()) if magic == MAGIC => {}
        _ => return Err(Refused::NotACheckpoint),
    }
    let mut version = [0; 4];
    read_exact(&mut from, &mut version)?;
    let found = u32::from_le_bytes(version);
    if found != VERSION {
        return Err(Refused::OtherVersion { found });
    }
    let mut from = FrameReader::new(from);
    let mut of: Fingerprint = [0; 32];
    from.read(&mut of)?;
    if of != *fingerprint {
        return Err(Refused::OtherSearch("another scenario, revision or option"));
    }
    let note = read_note(&mut from)?;
    read_visited(&mut from, visited)?;
    read_frontier(&mut from, frontier)?;
    from.finish()?;
    Ok(note)
}

fn read_note(from: &mut FrameReader<impl Read>) -> Result<Vec<u8>, Refused> {
    let len = from.read_number()?;
    let len = usize::try_from(len).map_err(|_| Refused::Damaged("a length is wrong"))?;
    let mut note = Vec::new();
    while note.len() < len {
        // What is not there is not reserved.
        let begin = note.len();
        note.resize(len.min(begin + (1 << 16)), 0);
        from.read(&mut note[begin..])?;
    }
    Ok(note)
}

fn read_visited(from: &mut FrameReader<impl Read>, visited: &mut Visited) -> Result<(), Refused> {
    if from.read_number()? != visited.form() as u64 {
        return Err(Refused::OtherSearch("one of the two keeps only hashes of states"));
    }
    let Size { whole, key } = visited.size();
    if [from.read_number()?, from.read_number()?] != [whole as u64, key as u64] {
        return Err(Refused::OtherLength);
    }
    let mut record = vec![0; visited.record()];
    for _ in 0..from.read_number()? {
        from.read(&mut record)?;
        if !visited.restore(&record)? {
            return Err(Refused::Damaged("a state is in it twice"));
        }
    }
    Ok(())
}

fn read_frontier(from: &mut FrameReader<impl Read>, frontier: &mut Frontier) -> Result<(), Refused> {
    if from.read_number()? != frontier.stride() as u64 {
        return Err(Refused::OtherLength);
    }
    let mut state = vec![0; frontier.stride()];
    for _ in 0..from.read_number()? {
        from.read(&mut state)?;
        frontier.push(&state)?;
    }
    Ok(())
}

/// A file beside a checkpoint.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// An error if something is there that is no regular file: no device and no link is replaced.
fn regular(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(there) if !there.is_file() => {
            Err(about(path)(io::Error::other("it is there, and is no regular file")))
        }
        _ => Ok(()),
    }
}

/// An error if something is there that is no checkpoint, or may be one that another raddle wrote.
fn replaceable(path: &Path) -> io::Result<()> {
    regular(path)?;
    let mut begins = Vec::new();
    match File::open(path) {
        Ok(file) => file.take(MAGIC.len() as u64).read_to_end(&mut begins).map_err(about(path))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(about(path)(error)),
    };
    // An empty one is what `mktemp` makes.
    if begins.is_empty() || begins == MAGIC {
        return Ok(());
    }
    Err(about(path)(io::Error::other("it is there, and is not a checkpoint of raddle")))
}

/// The right to save a search in a file, which one process has at a time. It is a lock on a file beside it.
#[derive(Debug)]
pub(in crate::search) struct Claim {
    path: PathBuf,
    _file: File,
}

impl Claim {
    /// Takes the right.
    ///
    /// # Errors
    ///
    /// Another process has it, or the file is no regular one, or those of the file system.
    pub(in crate::search) fn take(checkpoint: &Path) -> io::Result<Self> {
        replaceable(checkpoint)?;
        let path = beside(checkpoint, ".lock");
        regular(&path)?;
        let mut file = File::options().create(true).append(true).open(&path).map_err(about(&path))?;
        let locked = match file.try_lock() {
            Ok(()) => is_at(&mut file, &path).map_err(about(&path)).map_err(TryLockError::Error),
            Err(error) => Err(error),
        };
        match locked {
            Ok(true) => Ok(Claim { path, _file: file }),
            Ok(false) | Err(TryLockError::WouldBlock) => {
                Err(about(checkpoint)(io::Error::other("another raddle saves its search there")))
            }
            Err(TryLockError::Error(error)) => Err(about(&path)(error)),
        }
    }
}

/// Whether a locked file still has this name: whoever had it before may have removed it, and another process
/// may have made a new one. What is written into one is read by way of the other.
fn is_at(file: &mut File, path: &Path) -> io::Result<bool> {
    let own = std::process::id().to_string();
    file.set_len(0)?;
    file.write_all(own.as_bytes())?;
    Ok(fs::read_to_string(path).is_ok_and(|there| there == own))
}

impl Drop for Claim {
    fn drop(&mut self) {
        // If it stays, the next search in this place takes it.
        let _ = fs::remove_file(&self.path);
    }
}

/// Makes a new name in a directory last.
fn sync_directory(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let dir = parent.unwrap_or(Path::new("."));
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(about(dir))?;
    }
    Ok(())
}
