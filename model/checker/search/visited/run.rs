//! A file of states, sorted by hash and then by the bytes that tell them apart.
//!
//! It is written once, but for facts, and read in pages; the first hash of each page is kept in memory, so that only
//! pages which may have what is looked for are read.

use std::cmp::Ordering;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::batch::{Size, hash};
use super::exact::join;

/// Bytes of a page, about.
const PAGE_BYTES: usize = 1 << 14;

/// The same error, with the file that it is about.
pub(super) fn about(path: &Path) -> impl Fn(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// A sorted file of states of one length, none twice. It is removed with this.
#[derive(Debug)]
pub(super) struct SortedFile {
    path: PathBuf,
    size: Size,
    /// States of a page.
    page: usize,
    /// The first hash of each page.
    firsts: Vec<u64>,
    len: u64,
}

impl Drop for SortedFile {
    fn drop(&mut self) {
        // The directory goes with the set; a file that is already gone is as good.
        let _ = fs::remove_file(&self.path);
    }
}

impl SortedFile {
    /// The bytes of memory that it holds.
    pub(super) fn bytes(&self) -> usize {
        self.firsts.capacity() * size_of::<u64>()
    }

    /// The bytes of the file.
    #[cfg(test)]
    pub(super) fn on_disk(&self) -> u64 {
        self.len * self.size.whole as u64
    }

    /// Looks for states that come sorted by hash.
    pub(super) fn finder(&self) -> io::Result<Finder<'_>> {
        Ok(Finder { run: self, pages: Pages::open(self)? })
    }

    /// All states in their order, with their hashes.
    pub(super) fn cursor(&self) -> io::Result<Cursor<'_>> {
        Ok(Cursor { run: self, pages: Pages::open(self)?, next: 0 })
    }
}

/// Writes a run, state by state.
#[derive(Debug)]
pub(super) struct Writer {
    run: SortedFile,
    file: BufWriter<File>,
}

impl Writer {
    /// A new file for states of this size.
    pub(super) fn create(path: PathBuf, size: Size) -> io::Result<Self> {
        let file = File::create_new(&path).map_err(about(&path))?;
        let page = (PAGE_BYTES / size.whole.max(1)).max(1);
        let run = SortedFile { path, size, page, firsts: Vec::new(), len: 0 };
        Ok(Writer { run, file: BufWriter::with_capacity(1 << 20, file) })
    }

    /// Adds a state, which comes after the others.
    pub(super) fn push(&mut self, state: &[u8], hash: u64) -> io::Result<()> {
        if self.run.len.is_multiple_of(self.run.page as u64) {
            self.run.firsts.push(hash);
        }
        self.run.len += 1;
        self.file.write_all(state).map_err(about(&self.run.path))
    }

    /// The finished run.
    pub(super) fn finish(mut self) -> io::Result<SortedFile> {
        self.file.flush().map_err(about(&self.run.path))?;
        self.run.firsts.shrink_to_fit();
        Ok(self.run)
    }
}

/// The open file and the page that was read last.
#[derive(Debug)]
struct Pages {
    file: File,
    /// Where the file is, in pages.
    at: usize,
    loaded: Option<usize>,
    bytes: Vec<u8>,
}

impl Pages {
    fn open(run: &SortedFile) -> io::Result<Self> {
        // Facts may be added.
        let file = File::options().read(true).write(run.size.has_facts()).open(&run.path);
        let file = file.map_err(about(&run.path))?;
        Ok(Pages { file, at: 0, loaded: None, bytes: Vec::new() })
    }

    /// The states of a page.
    fn load(&mut self, run: &SortedFile, page: usize) -> io::Result<&[u8]> {
        if self.loaded != Some(page) {
            let size = run.page * run.size.whole;
            if self.at != page {
                self.file.seek(SeekFrom::Start(page as u64 * size as u64)).map_err(about(&run.path))?;
            }
            let states = (run.len - page as u64 * run.page as u64).min(run.page as u64);
            self.bytes.resize(states as usize * run.size.whole, 0);
            self.file.read_exact(&mut self.bytes).map_err(about(&run.path))?;
            self.at = page + 1;
            self.loaded = Some(page);
        }
        Ok(&self.bytes)
    }
}

impl Pages {
    /// Writes some bytes of the page that was read last.
    fn write(&mut self, run: &SortedFile, page: usize, bytes: Range<usize>) -> io::Result<()> {
        let begin = (page * run.page * run.size.whole + bytes.start) as u64;
        self.file.seek(SeekFrom::Start(begin)).map_err(about(&run.path))?;
        // The file is not where a page begins.
        self.at = usize::MAX;
        self.file.write_all(&self.bytes[bytes]).map_err(about(&run.path))
    }
}

/// Looks for states in a run, front to back.
#[derive(Debug)]
pub(super) struct Finder<'a> {
    run: &'a SortedFile,
    pages: Pages,
}

impl Finder<'_> {
    /// Whether the run has a state, which then has the facts of both; if it has got some, `grown` is told. States should
    /// come in the run's order: no page is read twice then.
    pub(super) fn join(&mut self, state: &[u8], hash: u64, grown: impl FnOnce(&[u8])) -> io::Result<bool> {
        // States with one hash can be on two pages; the first may be in the middle of a page.
        let begin = self.run.firsts.partition_point(|first| *first < hash).saturating_sub(1);
        for page in begin..self.run.firsts.len() {
            if self.run.firsts[page] > hash {
                break;
            }
            let size = self.run.size;
            if let Some(at) = search(self.pages.load(self.run, page)?, size, state, hash) {
                if size.has_facts()
                    && join(
                        &mut self.pages.bytes[at + size.key..][..size.whole - size.key],
                        &state[size.key..],
                    )
                {
                    self.pages.write(self.run, page, at + size.key..at + size.whole)?;
                    grown(&self.pages.bytes[at..][..size.whole]);
                }
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Where a certain one of sorted states begins, if it is there.
fn search(states: &[u8], size: Size, wanted: &[u8], wanted_hash: u64) -> Option<usize> {
    if size.whole == 0 {
        return Some(0);
    }
    let (mut low, mut high) = (0, states.len() / size.whole);
    while low < high {
        let middle = low.midpoint(high);
        let state = &states[middle * size.whole..][..size.key];
        match hash(state).cmp(&wanted_hash).then_with(|| state.cmp(&wanted[..size.key])) {
            Ordering::Less => low = middle + 1,
            Ordering::Equal => return Some(middle * size.whole),
            Ordering::Greater => high = middle,
        }
    }
    None
}

/// Reads a run from its first state to its last.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    run: &'a SortedFile,
    pages: Pages,
    next: u64,
}

impl Cursor<'_> {
    /// The next state.
    pub(super) fn next(&mut self) -> io::Result<Option<&[u8]>> {
        if self.next == self.run.len {
            return Ok(None);
        }
        let (page, at) = (self.next / self.run.page as u64, self.next % self.run.page as u64);
        self.next += 1;
        let begin = at as usize * self.run.size.whole;
        let states = self.pages.load(self.run, page as usize)?;
        Ok(Some(&states[begin..begin + self.run.size.whole]))
    }
}
