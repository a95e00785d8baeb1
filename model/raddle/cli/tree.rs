//! `raddle tree`: what raddle sees of a kernel's own C.

use std::path::{Path, PathBuf};

use clap::{Args, Parser};
use raddle::on_tree::OnTree;
use raddle::{Options, Report, Scenario};
use raddle_driver_core::revision::{REVISIONS, Series};
use raddle_kernel_c::config::Config;
use raddle_kernel_c::error::Error;
use raddle_kernel_c::patch::{Applied, Mail};
use raddle_kernel_c::reach::Reach;
use raddle_kernel_c::subject::KernelC;
use raddle_kernel_c::table::Tables;
use raddle_kernel_c::tree::{Tree, TreeOptions};
use raddle_probing::scenario::InputError;

use super::AgreeArgs;
use super::ahead::check_ahead;
use super::inputs::{Exit, INPUT_ERROR, scenarios};
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
    /// Where a patch before these is missing: take what a hunk shows around its change, and the tree does not have, from the hunk
    #[arg(long)]
    rebuild: bool,
    /// The kernel's configuration, such as a .config; otherwise as little as possible is set
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Read this table of stubs after raddle's own
    #[arg(long, value_name = "FILE")]
    stubs: Option<PathBuf>,
}

pub fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path)
        .map_err(|error| Error::File { file: path.display().to_string(), why: error.to_string() })
}

impl TreeArgs {
    /// What is wrong if one of these, or of some others, is given without a tree: none of them means anything then.
    pub fn without_tree(&self, tree: Option<&PathBuf>, others: &[(&str, bool)]) -> Option<String> {
        let own = [
            ("--rev", self.rev.is_some()),
            ("--patch", !self.patches.is_empty()),
            ("--rebuild", self.rebuild),
            ("--config", self.config.is_some()),
            ("--stubs", self.stubs.is_some()),
        ];
        let (option, _) = own.iter().chain(others).find(|(_, given)| tree.is_none() && *given)?;
        Some(format!("{option}: it is about a kernel's own C; say which with --tree DIR"))
    }

    /// Opens the tree, with its patches.
    pub fn open(&self, dir: &Path) -> Result<(Tree, Tables), Error> {
        self.open_with(dir, &self.mails()?)
    }

    /// The patches.
    pub fn mails(&self) -> Result<Vec<Mail>, Error> {
        let mut mails = Vec::new();
        for path in &self.patches {
            mails.extend(Mail::all(&path.display().to_string(), &read(path)?)?);
        }
        Ok(mails)
    }

    /// The arguments that name the tree once more.
    pub fn arguments(&self, dir: &Path) -> Vec<String> {
        let mut arguments = vec!["--tree".to_owned(), dir.display().to_string()];
        let mut add = |name: &str, value: String| arguments.extend([name.to_owned(), value]);
        self.rev.iter().for_each(|rev| add("--rev", rev.clone()));
        self.config.iter().for_each(|path| add("--config", path.display().to_string()));
        self.stubs.iter().for_each(|path| add("--stubs", path.display().to_string()));
        self.patches.iter().for_each(|path| add("--patch", path.display().to_string()));
        arguments.extend(self.rebuild.then(|| "--rebuild".to_owned()));
        arguments
    }

    /// Opens the tree with these patches.
    pub fn open_with(&self, dir: &Path, mails: &[Mail]) -> Result<(Tree, Tables), Error> {
        let (mut options, tables) = self.options()?;
        options.patches = mails.to_vec();
        Ok((Tree::open(dir, options)?, tables))
    }

    /// How a tree is opened, without patches, and the tables for it.
    pub fn options(&self) -> Result<(TreeOptions, Tables), Error> {
        let text = |path: &PathBuf| read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let mut options = TreeOptions::default();
        options.revision.clone_from(&self.rev);
        options.rebuild = self.rebuild;
        if let Some(path) = &self.config {
            let config = Config::parse(&text(path)?);
            let file = path.display().to_string();
            options.config = Some(config.map_err(|line| Error::Config { file, line })?);
        }
        let mut tables = Tables::ours();
        if let Some(path) = &self.stubs {
            tables.add(&path.display().to_string(), &text(path)?)?;
        }
        Ok((options, tables))
    }
}

/// A tree, as [`TreeArgs::arguments`] names it.
#[derive(Parser)]
struct NamedTree {
    #[arg(long)]
    tree: PathBuf,
    #[command(flatten)]
    on: TreeArgs,
}

/// Opens the tree that arguments name.
pub fn kernel_of(arguments: &[String]) -> Result<KernelC, String> {
    let words = std::iter::once("raddle").chain(arguments.iter().map(String::as_str));
    let NamedTree { tree, on } = NamedTree::try_parse_from(words).map_err(|error| error.to_string())?;
    let (tree, tables) = on.open(&tree).map_err(|error| error.to_string())?;
    Ok(KernelC::new(tree, tables))
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

/// Compares the hand model with a tree's C, a line for each scenario without rules of its own.
pub fn agree(dir: &Path, args: &AgreeArgs, out: &mut Out) -> u8 {
    let kernel = match args.on.open(dir) {
        Ok((tree, tables)) => KernelC::new(tree, tables),
        Err(error) => {
            complain(error);
            return INPUT_ERROR;
        }
    };
    let revision = args.revisions.first().map(String::as_str).or_else(|| nearest(kernel.tree().version()));
    let Some(revision) = revision else {
        complain(format_args!(
            "raddle: no revision of the hand model is as old as Linux {}",
            kernel.tree().version()
        ));
        return INPUT_ERROR;
    };
    let options = args.limits.options();
    let paths = if args.paths.is_empty() { vec![PathBuf::from("scenarios")] } else { args.paths.clone() };
    let mut exit = Exit::default();
    let (mut same, mut all, mut absent) = (0, 0, 0);
    let mut scenarios = scenarios(&paths, args.slow, &mut exit);
    scenarios.retain(|scenario| scenario.not_on_trees().is_none());
    let one = |scenario: &Scenario, few: &Options| {
        let both = both(scenario, &kernel, revision, few);
        let cut = |(model, c): &(Report, OnTree)| model.cut || c.is_cut();
        Some(both).filter(|both| !both.as_ref().is_ok_and(cut))
    };
    check_ahead(&scenarios, &options, one, |mut ahead| {
        for scenario in &scenarios {
            if out.is_gone() || exit.interrupted() {
                break;
            }
            all += 1;
            let now = || both(scenario, &kernel, revision, &options);
            let Some((model, c)) = exit.run(&scenario.file().path, || ahead.take_or(now)) else { continue };
            let (agreement, line) = compare(&scenario.file().path, &model, c);
            same += usize::from(agreement == Agreement::Same);
            absent += usize::from(agreement == Agreement::Absent);
            exit.unexpected |= agreement == Agreement::Different;
            out.line(line);
            out.flush();
        }
    });
    out.line(format_args!(
        "{same} of {all} scenarios are the same on {revision} and in Linux {}",
        kernel.tree().version()
    ));
    if absent > 0 {
        out.line(format_args!("{absent} call what that tree does not have"));
    }
    exit.code()
}

/// What came of a scenario on the hand model and on a tree.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Agreement {
    Same,
    Different,
    /// It calls a function that the tree does not have.
    Absent,
}

fn both(
    scenario: &Scenario,
    kernel: &KernelC,
    revision: &str,
    options: &Options,
) -> Result<(Report, OnTree), InputError> {
    let model = scenario.check_on(revision, options, |_| {})?;
    Ok((model, scenario.check_on_tree(kernel, &[], options, |_| {})?))
}

fn compare(path: &str, model: &Report, c: OnTree) -> (Agreement, String) {
    let same = c.report.verdict == model.verdict && c.report.hazards() == model.hazards();
    let agreement = match &c.stuck {
        Some(stuck) if stuck.is_absent() => Agreement::Absent,
        None if same => Agreement::Same,
        _ => Agreement::Different,
    };
    let hazards = |report: &Report| match report.hazards()[..] {
        [] => report.verdict.name().to_owned(),
        ref hazards => hazards.join(", "),
    };
    if let (Agreement::Absent, Some(stuck)) = (agreement, &c.stuck) {
        return (agreement, format!("absent  {path}: {stuck}"));
    }
    let word = if agreement == Agreement::Same { "same" } else { "DIFFERENT" };
    let mut line =
        format!("{word}  {path}: {} ({} states, C {})", hazards(model), model.states, c.report.states);
    if agreement == Agreement::Different {
        line.push_str(&format!("; C: {}", hazards(&c.report)));
    }
    if let Some(stuck) = c.stuck {
        line.push_str(&format!("; not understood: {stuck}"));
    }
    (agreement, line)
}

/// The revision of the hand model for a kernel: its own, or else the newest release that is no newer.
fn nearest(version: &str) -> Option<&'static str> {
    if let Some(own) = REVISIONS.iter().find(|revision| revision.name.strip_prefix('v') == Some(version)) {
        return Some(own.name);
    }
    let mut numbers = version.split(['.', '-']).map(|number| number.parse::<u16>().unwrap_or(0));
    let version = (numbers.next()?, numbers.next()?);
    let released = REVISIONS.iter().filter(|revision| revision.series == Series::Released);
    released.rev().find(|revision| revision.version <= version).map(|revision| revision.name)
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

pub fn patched(mail: &Applied, out: &mut Out) {
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
