//! `raddle tree`: what raddle sees of a kernel's own C.

use std::path::{Path, PathBuf};

use clap::Args;
use raddle_kernel_c::config::Config;
use raddle_kernel_c::error::Error;
use raddle_kernel_c::patch::{Applied, Mail};
use raddle_kernel_c::reach::Reach;
use raddle_kernel_c::table::Tables;
use raddle_kernel_c::tree::{Options, Tree};

use super::inputs::INPUT_ERROR;
use super::out::{Out, complain, shown};

/// Which kernel is read, and how.
#[derive(Args)]
pub struct TreeArgs {
    /// Read this revision of the git repository that the tree is in, without a checkout
    #[arg(long, value_name = "REV")]
    rev: Option<String>,
    /// Lay the patches of this file over the tree: a diff, a mail or an mbox (may be repeated)
    #[arg(long = "patch", value_name = "FILE")]
    patches: Vec<PathBuf>,
    /// The kernel's configuration, such as a .config; otherwise as little as possible is set
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Read this table of stubs after raddle's own
    #[arg(long, value_name = "FILE")]
    stubs: Option<PathBuf>,
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path)
        .map_err(|error| Error::File { file: path.display().to_string(), why: error.to_string() })
}

impl TreeArgs {
    /// Opens the tree.
    pub fn open(&self, dir: &Path) -> Result<(Tree, Tables), Error> {
        let text = |path: &PathBuf| read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let mut options = Options::default();
        options.revision.clone_from(&self.rev);
        if let Some(path) = &self.config {
            let config = Config::parse(&text(path)?);
            let file = path.display().to_string();
            options.config = Some(config.map_err(|line| Error::Config { file, line })?);
        }
        for path in &self.patches {
            options.patches.extend(Mail::all(&path.display().to_string(), &read(path)?)?);
        }
        let mut tables = Tables::ours();
        if let Some(path) = &self.stubs {
            tables.add(&path.display().to_string(), &text(path)?)?;
        }
        Ok((Tree::open(dir, options)?, tables))
    }
}

/// Says what raddle sees of a tree.
pub fn tree(dir: &Path, args: &TreeArgs, out: &mut Out) -> u8 {
    match args.open(dir) {
        Err(error) => {
            complain(error);
            INPUT_ERROR
        }
        Ok((tree, tables)) => {
            let reach = tree.reached(&tables);
            show(dir, &tree, &reach, out);
            u8::from(!reach.unknown.is_empty())
        }
    }
}

fn show(dir: &Path, tree: &Tree, reach: &Reach, out: &mut Out) {
    out.line(format_args!("Linux {} in {}", tree.version(), shown(dir)));
    tree.applied().iter().for_each(|mail| patched(mail, out));
    let lines: u32 = reach.functions.values().map(|function| function.last - function.line + 1).sum();
    out.line(format_args!(
        "\nScenarios reach {} functions of {lines} lines, in {} files that were read:",
        reach.functions.len(),
        tree.read().len()
    ));
    let mut functions: Vec<_> = reach.functions.values().collect();
    functions.sort_by_key(|function| (function.file, function.line));
    for function in functions {
        let added =
            (function.line..=function.last).filter(|line| tree.is_added(function.file, *line)).count();
        let mark = if added > 0 { format!("  (+{added} lines of the patch)") } else { String::new() };
        out.line(format_args!("  {}:{} {}{mark}", function.file, function.line, function.name));
    }
    out.line(format_args!("\n{} functions are not run; what stands for them, by reason:", reach.stubs.len()));
    let mut reasons: Vec<&str> = reach.stubs.values().map(|stub| stub.reason.as_str()).collect();
    reasons.sort_unstable();
    reasons.dedup();
    for reason in reasons {
        let mut names: Vec<&str> =
            reach.stubs.iter().filter(|(_, stub)| stub.reason == reason).map(|(name, _)| *name).collect();
        names.sort_unstable();
        out.line(format_args!("  {reason}\n    {}", names.join(" ")));
    }
    let mut primitives: Vec<&str> = reach.primitives.iter().copied().collect();
    primitives.sort_unstable();
    out.line(format_args!("\n{} are steps of the machine:\n    {}", primitives.len(), primitives.join(" ")));
    match &reach.unknown[..] {
        [] => out.line("\nEverything that is reached is understood."),
        unknown => {
            out.line(format_args!("\n{} things are not understood:", unknown.len()));
            for one in unknown {
                out.line(format_args!("  {}:{} ({}): {}", one.file, one.line, one.function, one.what));
            }
        }
    }
}

fn patched(mail: &Applied, out: &mut Out) {
    out.line(format_args!("+ {}", mail.subject.as_deref().unwrap_or(&mail.file)));
    for file in &mail.changed {
        let hunks = if file.hunks == 1 { "hunk" } else { "hunks" };
        out.line(format_args!("    {}: {} {hunks}", file.path, file.hunks));
        file.notes.iter().for_each(|note| out.line(format_args!("        {note}")));
    }
    for path in &mail.ignored {
        out.line(format_args!("    {path}: ignored, not a file of the driver core"));
    }
}
