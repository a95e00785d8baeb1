//! A kernel tree: opened in little time, read as far as something is asked for.

use std::path::Path;
use std::sync::{Mutex, MutexGuard};

use rustc_hash::FxHashSet;

use super::ast::{Expr, ExprKind, Function, Global, Macro, Name, Record, Stmt, StmtKind, Type};
use super::config::Config;
use super::error::Error;
use super::index::{self, Enumerator, Items, generate, substitute};
use super::lower::leak;
use super::patch::{self, Applied, Mail};
use super::scan::scan;
use super::sources::Sources;
use super::text::Use;
use super::{FxIndexMap, FxIndexSet};

/// Files that are read at once: the driver core.
const CORE: &[&str] = &[
    "drivers/base/base.h",
    "drivers/base/dd.c",
    "drivers/base/bus.c",
    "drivers/base/core.c",
    "drivers/base/driver.c",
];

/// Directories whose C files are looked through for what the core calls.
pub(crate) const DIRECTORIES: &[&str] = &["drivers/base", "drivers/base/power", "drivers/nvdimm"];

/// Other files that are looked through.
pub(crate) const FILES: &[&str] = &[
    "lib/klist.c",
    "lib/kobject.c",
    "lib/kobject_uevent.c",
    "kernel/async.c",
    "kernel/module.c",
    "kernel/module/main.c",
    "kernel/workqueue.c",
    "kernel/kmod.c",
    "kernel/module/kmod.c",
    "init/main.c",
];

/// How a tree is opened.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct TreeOptions {
    /// The kernel's configuration; the small default otherwise.
    pub config: Option<Config>,
    /// A revision of the git repository that the directory is in, instead of its files.
    pub revision: Option<String>,
    /// Patches, in the order in which they apply.
    pub patches: Vec<Mail>,
    /// Whether what a hunk shows around its change, and the tree does not have, is taken from the hunk: a patch
    /// before it has made it, and is not at hand.
    pub rebuild: bool,
}

/// A kernel tree with the patches on it.
#[derive(Debug)]
pub struct Tree {
    config: Config,
    version: String,
    applied: Vec<Applied>,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    sources: Sources,
    /// Every file that may be read, with its text until it is.
    files: FxIndexMap<Name, Option<String>>,
    /// The files that may define a name.
    candidates: FxIndexMap<String, Vec<Name>>,
    /// Macros that stand alone in files: the macro, its first argument, the file.
    scanned: Vec<(String, String, Name)>,
    /// Macros that may make functions.
    makers: FxIndexSet<String>,
    functions: FxIndexMap<Name, Vec<&'static Function>>,
    macros: FxIndexMap<Name, Vec<Macro>>,
    records: FxIndexMap<Name, &'static Record>,
    enumerators: FxIndexMap<Name, Enumerator>,
    globals: FxIndexMap<Name, Vec<&'static Global>>,
    typedefs: FxIndexMap<Name, Type>,
    /// Macros that stand alone and that nobody has asked for yet.
    uses: Vec<(Name, Use)>,
    expansions: FxIndexMap<(Name, u32, String), Result<&'static Function, String>>,
    read: FxIndexSet<Name>,
    /// The lines of files that have been shown.
    shown: FxIndexMap<String, Vec<String>>,
    /// Names of which no macro in the files that have been read makes a function.
    unmade: FxHashSet<String>,
}

impl Tree {
    /// Opens the tree in a directory.
    ///
    /// # Errors
    ///
    /// If it is no kernel tree, or a patch does not apply.
    pub fn open(dir: &Path, options: TreeOptions) -> Result<Self, Error> {
        if !dir.is_dir() {
            return Err(Error::NoDirectory(dir.to_owned()));
        }
        let mut sources = match &options.revision {
            Some(revision) => Sources::git(dir, revision)?,
            None => Sources::directory(dir),
        };
        let Some(makefile) = sources.read("Makefile").filter(|text| version(text).is_some()) else {
            return Err(no_kernel(dir, "Makefile of a kernel"));
        };
        if let Some(missing) = CORE[..3].iter().find(|path| sources.read(path).is_none()) {
            return Err(no_kernel(dir, missing));
        }
        let mut applied = Vec::new();
        for mail in &options.patches {
            applied.push(patch::apply(mail, &mut sources, options.rebuild)?);
        }
        unused(&applied)?;
        let config = options.config.unwrap_or_else(Config::small);
        let version = version(&makefile).unwrap_or_default();
        let mut inner = Inner::new(sources);
        inner.look();
        for path in CORE {
            inner.read_file(leak((*path).to_owned()), &config);
        }
        Ok(Tree { config, version, applied, inner: Mutex::new(inner) })
    }

    /// The kernel's version.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What has become of the patches.
    #[must_use]
    pub fn applied(&self) -> &[Applied] {
        &self.applied
    }

    /// Whether a line of a file is a patch's.
    #[must_use]
    pub fn is_added(&self, file: &str, line: u32) -> bool {
        let marks = self.inner().sources.marks(file);
        (line as usize).checked_sub(1).and_then(|at| marks.get(at).copied()).unwrap_or_default()
    }

    /// A line of a file, as it is written there.
    #[must_use]
    pub fn line(&self, file: &str, line: u32) -> Option<String> {
        let mut inner = self.inner();
        if !inner.shown.contains_key(file) {
            let text = inner.sources.read(file)?;
            inner.shown.insert(file.to_owned(), text.lines().map(str::to_owned).collect());
        }
        inner.shown[file].get((line as usize).checked_sub(1)?).cloned()
    }

    /// The files that have been read so far.
    #[must_use]
    pub fn read(&self) -> Vec<Name> {
        self.inner().read.iter().copied().collect()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("internal: nobody panics while reading")
    }

    /// The function of this name that a file sees: its own before another's.
    #[must_use]
    pub fn function(&self, name: &str, from: &str) -> Option<&'static Function> {
        let mut inner = self.inner();
        let known = |inner: &Inner| inner.functions.contains_key(name);
        inner.look_for(name, &self.config, known);
        inner.generate(name, &self.config);
        let all = inner.functions.get(name)?;
        all.iter().find(|function| function.file == from).or(all.first()).copied()
    }

    /// The macro of this name.
    #[must_use]
    pub fn macro_of(&self, name: &str, from: &str) -> Option<Macro> {
        let mut inner = self.inner();
        inner.look_for(name, &self.config, |inner| inner.macros.contains_key(name));
        let all = inner.macros.get(name)?;
        all.iter().find(|made| made.file == from).or(all.first()).copied()
    }

    /// The structure or union of this name, such as `struct device`.
    #[must_use]
    pub fn record(&self, name: &str) -> Option<&'static Record> {
        let tag = name.split(' ').next_back().unwrap_or(name);
        let mut inner = self.inner();
        inner.look_for(tag, &self.config, |inner| inner.records.contains_key(name));
        inner.records.get(name).copied()
    }

    /// The variable of this name that a file sees.
    #[must_use]
    pub fn global(&self, name: &str, from: &str) -> Option<&'static Global> {
        self.global_of("", name, from)
    }

    /// The same, if it is a variable of a file below this directory.
    #[must_use]
    pub fn global_of(&self, below: &str, name: &str, from: &str) -> Option<&'static Global> {
        let mut inner = self.inner();
        let known = |inner: &Inner| {
            inner.globals.get(name).is_some_and(|all| all.iter().any(|one| one.file.starts_with(below)))
        };
        inner.look_below(below, name, &self.config, known);
        let all = inner.globals.get(name)?;
        let mut below = all.iter().filter(|global| global.file.starts_with(below));
        below.clone().find(|global| global.file == from).or(below.next()).copied()
    }

    /// What a typedef stands for.
    #[must_use]
    pub fn typedef(&self, name: &str) -> Option<Type> {
        let mut inner = self.inner();
        inner.look_for(name, &self.config, |inner| inner.typedefs.contains_key(name));
        inner.typedefs.get(name).cloned()
    }

    /// The value of an enumerator, or of a macro that is a number.
    #[must_use]
    pub fn constant(&self, name: &str) -> Option<i128> {
        self.constant_below(name, 16)
    }

    fn constant_below(&self, name: &str, depth: u8) -> Option<i128> {
        let depth = depth.checked_sub(1)?;
        if let Some(value) = self.config.value(name) {
            return Some(value);
        }
        let enumerator = {
            let mut inner = self.inner();
            inner.look_for(name, &self.config, |inner| {
                inner.enumerators.contains_key(name) || inner.macros.contains_key(name)
            });
            inner.enumerators.get(name).cloned()
        };
        if let Some(Enumerator { from, plus, .. }) = enumerator {
            return Some(from.map_or(Some(0), |expr| self.value(expr, depth))? + plus);
        }
        let made = self.macro_of(name, "").filter(|made| made.params.is_none())?;
        let body = self.expand(&made, &[], made.line).ok()?;
        match &body.body[..] {
            [stmt] => match &stmt.kind {
                StmtKind::Return(Some(expr)) => self.value(expr, depth),
                _ => None,
            },
            _ => None,
        }
    }

    /// The value of a constant expression.
    fn value(&self, expr: &Expr, depth: u8) -> Option<i128> {
        match &expr.kind {
            ExprKind::Number(value, _) => Some(*value),
            ExprKind::Name(name) => self.constant_below(name, depth),
            ExprKind::Unary(sign, of) => {
                let of = self.value(of, depth)?;
                Some(match sign {
                    '-' => -of,
                    '~' => !of,
                    '!' => i128::from(of == 0),
                    _ => of,
                })
            }
            ExprKind::Binary(operator, left, right) => {
                let (left, right) = (self.value(left, depth)?, self.value(right, depth)?);
                match *operator {
                    "+" => left.checked_add(right),
                    "-" => left.checked_sub(right),
                    "*" => left.checked_mul(right),
                    "|" => Some(left | right),
                    "&" => Some(left & right),
                    "^" => Some(left ^ right),
                    "<<" => left.checked_shl(u32::try_from(right).ok()?),
                    ">>" => left.checked_shr(u32::try_from(right).ok()?),
                    _ => None,
                }
            }
            ExprKind::Cast(_, of) => self.value(of, depth),
            ExprKind::Call(callee, args) => match (&callee.kind, &args[..]) {
                (ExprKind::Name("BIT" | "BIT_ULL"), [of]) => {
                    1_i128.checked_shl(u32::try_from(self.value(of, depth)?).ok()?)
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// What a macro stands for with these arguments, as the body of a function: one `return` where it is an
    /// expression. Its lines are those of its use.
    ///
    /// # Errors
    ///
    /// Why it cannot be read.
    pub fn expand(&self, made: &Macro, args: &[&str], at: u32) -> Result<&'static Function, String> {
        let text = substitute(made, args);
        let key = (made.file, at, text);
        if let Some(known) = self.inner().expansions.get(&key) {
            return known.clone();
        }
        let expansion = index::expansion(key.0, at, &key.2, &self.config);
        self.inner().expansions.insert(key, expansion.clone());
        expansion
    }
}

impl Tree {
    /// What a macro that heads a statement stands for: a `for` without its body, as the one statement here.
    #[must_use]
    pub fn loop_of(&self, name: &str, args: &[Expr], from: &str, line: u32) -> Option<&'static [Stmt]> {
        let made = self.macro_of(name, from).filter(|made| made.params.is_some())?;
        let texts: Vec<&str> = args.iter().map(|arg| arg.text).collect();
        let body = &self.expand(&made, &texts, line).ok()?.body;
        matches!(body[..], [Stmt { kind: StmtKind::For(..), .. }, ..]).then_some(&body[..1])
    }
}

impl Inner {
    fn new(sources: Sources) -> Self {
        Inner {
            sources,
            files: FxIndexMap::default(),
            candidates: FxIndexMap::default(),
            scanned: Vec::new(),
            makers: FxIndexSet::default(),
            functions: FxIndexMap::default(),
            macros: FxIndexMap::default(),
            records: FxIndexMap::default(),
            enumerators: FxIndexMap::default(),
            globals: FxIndexMap::default(),
            typedefs: FxIndexMap::default(),
            uses: Vec::new(),
            expansions: FxIndexMap::default(),
            read: FxIndexSet::default(),
            shown: FxIndexMap::default(),
            unmade: FxHashSet::default(),
        }
    }

    /// Looks through all files that may define something: the C files, and what they include.
    fn look(&mut self) {
        let mut todo: Vec<String> = CORE.iter().chain(FILES).map(|path| (*path).to_owned()).collect();
        for dir in DIRECTORIES {
            todo.extend(self.sources.list(dir, ".c"));
        }
        let patched: Vec<String> = self.sources.laid().map(str::to_owned).collect();
        todo.extend(patched.into_iter().filter(|path| path.ends_with(".c") || path.ends_with(".h")));
        let mut known: FxIndexSet<String> = todo.iter().cloned().collect();
        let mut at = 0;
        while at < known.len() {
            let path = known[at].clone();
            at += 1;
            let Some(text) = self.sources.read(&path) else { continue };
            let file = leak(path.clone());
            let seen = scan(&text);
            for name in seen.names {
                let files = match self.candidates.get_mut(name) {
                    Some(files) => files,
                    None => self.candidates.entry(name.to_owned()).or_default(),
                };
                if files.last() != Some(&file) {
                    files.push(file);
                }
            }
            let uses = seen.uses.into_iter().map(|(made, arg)| (made.to_owned(), arg.to_owned(), file));
            self.scanned.extend(uses);
            self.makers.extend(seen.makers.into_iter().map(str::to_owned));
            for include in seen.includes {
                known.extend(included(&path, include));
            }
            self.files.insert(file, Some(text));
        }
    }

    fn read_file(&mut self, file: Name, config: &Config) {
        let Some(text) = self.files.get_mut(file).and_then(Option::take) else { return };
        self.read.insert(file);
        self.unmade.clear();
        let items = index::read(file, &text, config);
        self.merge(file, items);
    }

    fn merge(&mut self, file: Name, items: Items) {
        for function in items.functions {
            self.functions.entry(function.name).or_default().push(function);
        }
        for made in items.macros {
            self.macros.entry(made.name).or_default().push(made);
        }
        for record in items.records {
            self.records.entry(record.name).or_insert(record);
        }
        for enumerator in items.enumerators {
            self.enumerators.entry(enumerator.name).or_insert(enumerator);
        }
        for global in items.globals {
            self.globals.entry(global.name).or_default().push(global);
        }
        for (name, ty) in items.typedefs {
            self.typedefs.entry(name).or_insert(ty);
        }
        self.uses.extend(items.uses.into_iter().map(|made| (file, made)));
    }

    /// Reads files that may define a name until one does.
    fn look_for(&mut self, name: &str, config: &Config, known: impl Fn(&Inner) -> bool) {
        self.look_below("", name, config, known);
    }

    /// The same for files below a directory.
    fn look_below(&mut self, below: &str, name: &str, config: &Config, known: impl Fn(&Inner) -> bool) {
        if known(self) {
            return;
        }
        // free$x is made by DEFINE_FREE(x, ..).
        let written = name.rsplit('$').next().unwrap_or(name);
        let candidates = self.candidates.get(written).cloned().unwrap_or_default();
        for file in candidates.into_iter().filter(|file| file.starts_with(below)) {
            self.read_file(file, config);
            if known(self) {
                return;
            }
        }
    }

    /// Expands the macros that stand alone and may make a function of this name: an argument is part of it. What is a macro
    /// itself is not called as a function.
    fn generate(&mut self, name: &str, config: &Config) {
        if self.functions.contains_key(name) || self.macros.contains_key(name) || self.unmade.contains(name) {
            return;
        }
        let read = self.read.len();
        self.make(name, config);
        if self.read.len() == read {
            self.unmade.insert(name.to_owned());
        }
    }

    fn make(&mut self, name: &str, config: &Config) {
        let makers = &self.makers;
        let may =
            |(made, arg, _): &&(String, String, Name)| name.contains(arg.as_str()) && makers.contains(made);
        let files: Vec<Name> = self.scanned.iter().filter(may).map(|(.., file)| *file).collect();
        files.into_iter().for_each(|file| self.read_file(file, config));
        let (makers, uses) = (&self.makers, std::mem::take(&mut self.uses));
        let may = |made: &Use| {
            makers.contains(made.name) && made.args.iter().any(|arg| arg.len() > 2 && name.contains(arg))
        };
        let (uses, others) = uses.into_iter().partition(|(_, made)| may(made));
        self.uses = others;
        let uses: Vec<(Name, Use)> = uses;
        for (file, made) in uses {
            for candidate in self.candidates.get(made.name).cloned().unwrap_or_default() {
                self.read_file(candidate, config);
            }
            let Some(definition) = self.macros.get(made.name).and_then(|all| all.first()).copied() else {
                continue;
            };
            if !definition.body.contains('{') {
                continue;
            }
            let text = substitute(&definition, &made.args);
            for function in generate(file, &made, &text, config) {
                self.functions.entry(function.name).or_default().push(function);
            }
        }
    }
}

/// Where an `#include` of this file may be found.
fn included(path: &str, include: &str) -> Vec<String> {
    let inner = &include[1..include.len() - 1];
    if include.starts_with('"') {
        let dir = path.rsplit_once('/').map_or("", |(dir, _)| dir);
        return vec![joined(dir, inner)];
    }
    match inner.strip_prefix("asm/") {
        Some(rest) => vec![format!("arch/x86/include/asm/{rest}"), format!("include/asm-generic/{rest}")],
        None => vec![format!("include/{inner}"), format!("include/uapi/{inner}")],
    }
}

fn joined(dir: &str, path: &str) -> String {
    let mut parts: Vec<&str> = dir.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The version that a kernel's Makefile names.
fn version(makefile: &str) -> Option<String> {
    let value = |name: &str| {
        let line = makefile
            .lines()
            .take(12)
            .find(|line| line.split('=').next().is_some_and(|key| key.trim() == name));
        line.and_then(|line| Some(line.split_once('=')?.1.trim()))
    };
    let (major, minor, third) = (value("VERSION")?, value("PATCHLEVEL")?, value("SUBLEVEL")?);
    Some(format!("{major}.{minor}.{third}{}", value("EXTRAVERSION").unwrap_or_default()))
}

/// A patch file that touches no file of ours is a mistake.
fn unused(applied: &[Applied]) -> Result<(), Error> {
    let files: FxIndexSet<&str> = applied.iter().map(|mail| mail.file.as_str()).collect();
    for file in files {
        let mut mails = applied.iter().filter(|mail| mail.file == file);
        if mails.clone().all(|mail| mail.changed.is_empty()) {
            let others = mails.by_ref().flat_map(|mail| mail.ignored.clone()).collect();
            return Err(Error::NoPatch { file: file.to_owned(), others });
        }
    }
    Ok(())
}

fn no_kernel(dir: &Path, missing: &'static str) -> Error {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut inside: Vec<_> = entries.filter(|path| path.join("drivers/base/dd.c").is_file()).collect();
    inside.sort();
    Error::NoKernel { dir: dir.to_owned(), missing, instead: inside.into_iter().next() }
}
