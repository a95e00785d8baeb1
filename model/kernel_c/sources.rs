//! Where the files of a tree come from: a directory, or a revision of a git repository that nobody has
//! to check out; with the patched files laid over them.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use indexmap::IndexMap;

use super::error::Error;

/// The files of a tree, by their paths in it.
#[derive(Debug)]
pub struct Sources {
    from: From,
    /// Files that a patch has changed or made; `None` where it has deleted one.
    overlay: IndexMap<String, Option<String>>,
    /// Which lines of them are a patch's.
    marks: IndexMap<String, Vec<bool>>,
}

#[derive(Debug)]
enum From {
    Directory(PathBuf),
    Git(Git),
}

impl Sources {
    /// The files under a directory.
    #[must_use]
    pub fn directory(dir: &Path) -> Self {
        Sources { from: From::Directory(dir.to_owned()), overlay: IndexMap::new(), marks: IndexMap::new() }
    }

    /// The files of a revision of the repository in a directory.
    ///
    /// # Errors
    ///
    /// If git cannot be run, there is no repository, or it does not know the revision.
    pub fn git(dir: &Path, revision: &str) -> Result<Self, Error> {
        Ok(Sources {
            from: From::Git(Git::open(dir, revision)?),
            overlay: IndexMap::new(),
            marks: IndexMap::new(),
        })
    }

    /// A file's text, if there is such a file.
    pub fn read(&mut self, path: &str) -> Option<String> {
        if let Some(text) = self.overlay.get(path) {
            return text.clone();
        }
        self.unpatched(path)
    }

    /// A file's text before the patches.
    fn unpatched(&mut self, path: &str) -> Option<String> {
        let bytes = match &mut self.from {
            From::Directory(dir) => std::fs::read(dir.join(path)).ok()?,
            From::Git(git) => git.read(path)?,
        };
        Some(
            String::from_utf8(bytes)
                .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
        )
    }

    /// The files of a directory that end in this, in order.
    pub fn list(&mut self, dir: &str, end: &str) -> Vec<String> {
        let mut all = match &mut self.from {
            From::Directory(root) => {
                let entries = std::fs::read_dir(root.join(dir)).into_iter().flatten().flatten();
                entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
            }
            From::Git(git) => git.list(dir),
        };
        let laid = self.overlay.keys().filter_map(|path| path.strip_prefix(dir)?.strip_prefix('/'));
        all.extend(laid.filter(|name| !name.contains('/')).map(str::to_owned));
        all.sort();
        all.dedup();
        all.retain(|name| name.ends_with(end));
        all.into_iter().map(|name| format!("{dir}/{name}")).collect()
    }

    /// Lays a text over a file, or deletes it. `marks`: which of its lines are a patch's.
    pub fn lay(&mut self, path: &str, text: Option<String>, marks: Vec<bool>) {
        self.overlay.insert(path.to_owned(), text);
        self.marks.insert(path.to_owned(), marks);
    }

    /// Which lines of a file are a patch's.
    #[must_use]
    pub fn marks(&self, path: &str) -> Vec<bool> {
        self.marks.get(path).cloned().unwrap_or_default()
    }

    /// The files that have been laid over.
    pub fn laid(&self) -> impl Iterator<Item = &str> {
        self.overlay.keys().map(String::as_str)
    }
}

/// `git cat-file --batch`, which answers one file after the other.
#[derive(Debug)]
struct Git {
    dir: PathBuf,
    commit: String,
    child: Child,
    ask: ChildStdin,
    answer: BufReader<ChildStdout>,
}

impl Git {
    fn open(dir: &Path, revision: &str) -> Result<Self, Error> {
        let failed = |why: String| Error::Git { dir: dir.to_owned(), revision: revision.to_owned(), why };
        let mut asked = git(dir);
        asked.args(["rev-parse", "--verify", "--quiet", "--end-of-options"]);
        let commit = asked.arg(format!("{revision}^{{commit}}")).output();
        let commit = commit.map_err(|error| failed(format!("git does not run: {error}")))?;
        if !commit.status.success() {
            let inside =
                git(dir).args(["rev-parse", "--git-dir"]).output().is_ok_and(|out| out.status.success());
            let why = if inside { "the repository has no such revision" } else { "there is no repository" };
            return Err(failed(why.to_owned()));
        }
        let commit = String::from_utf8_lossy(&commit.stdout).trim().to_owned();
        let mut batch = git(dir);
        batch
            .args(["cat-file", "--batch"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = batch.spawn().map_err(|error| failed(format!("git does not run: {error}")))?;
        let (Some(ask), Some(answer)) = (child.stdin.take(), child.stdout.take()) else {
            unreachable!("internal: both are piped")
        };
        Ok(Git { dir: dir.to_owned(), commit, child, ask, answer: BufReader::new(answer) })
    }

    fn read(&mut self, path: &str) -> Option<Vec<u8>> {
        writeln!(self.ask, "{}:{path}", self.commit).ok()?;
        self.ask.flush().ok()?;
        let mut head = String::new();
        self.answer.read_line(&mut head).ok()?;
        let mut words = head.split_whitespace().skip(1);
        let (kind, size) = (words.next()?, words.next()?.parse().ok()?);
        // The text, and a newline of git's.
        let mut text = vec![0; size];
        self.answer.read_exact(&mut text).ok()?;
        self.answer.read_exact(&mut [0]).ok()?;
        (kind == "blob").then_some(text)
    }

    fn list(&self, dir: &str) -> Vec<String> {
        let asked =
            git(&self.dir).args(["ls-tree", "--name-only"]).arg(format!("{}:{dir}", self.commit)).output();
        let text = asked.map(|out| String::from_utf8_lossy(&out.stdout).into_owned()).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

impl Drop for Git {
    fn drop(&mut self) {
        // It has only been read from: nothing is lost.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn git(dir: &Path) -> Command {
    let mut command = Command::new("git");
    command.arg("-C").arg(dir);
    command
}
