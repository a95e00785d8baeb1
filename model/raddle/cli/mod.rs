//! The command line: one module for each command, and what they share.

mod ablate;
mod agree;
mod ahead;
mod certificate;
mod check;
#[cfg_attr(not(feature = "cluster"), path = "alone.rs")]
mod cluster;
mod compare;
mod completions;
mod coverage;
mod dump;
mod embedded;
mod inputs;
mod interrupt;
mod left_out;
mod list;
mod memory;
mod out;
mod report;
mod review;
mod saving;
mod stats;
mod step;
mod tree;
mod watch;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use inputs::INPUT_ERROR;
use out::{Out, complain};
use raddle::formats::{FORMATS, Format};
use raddle::{Engine, Options};
use raddle_checker::render::{DiagramOptions, Lines};
use raddle_checker::search::reduced::remedies::Remedies;
use raddle_checker::search::reference::Limits;
use raddle_driver_core::revision::REVISIONS;
use raddle_driver_core::rules::RULES;
use raddle_engines::Scheduler;
use raddle_probing::hazards::properties;
use raddle_probing::scenario::Template;

/// A deterministic model checker for probe races in the Linux driver core.
#[derive(Parser)]
#[command(name = "raddle", version, about, long_about = None)]
struct Cli {
    /// When to use colours; NO_COLOR is obeyed unless this says always
    #[arg(long, value_enum, default_value = "auto", global = true, value_name = "WHEN")]
    color: Color,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What `export` writes.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ExportArg {
    /// Promela, for SPIN
    Promela,
    /// A TLA+ module, named as the scenario's file, for TLC
    Tla,
    /// The configuration file that TLC needs beside that module
    Tlc,
}

#[derive(Subcommand)]
enum Command {
    /// Check scenarios: explore every interleaving, print a verdict and a diagram of each violation
    Check(Box<CheckArgs>),
    /// Replay a dumped trace: does it still show its hazard?
    Replay {
        /// A trace dumped by `check --dump`
        trace: PathBuf,
        /// Step through the trace by commands on standard input, one a line
        #[arg(long)]
        step: bool,
        /// What executes the trace
        #[arg(long, value_enum, default_value = "steps")]
        engine: ReplayArg,
    },
    /// Prove again what `check --certificate` has written, without trusting the search: exits with 0 if it is proved
    VerifyCertificate {
        /// The certificate; it has the scenario in it
        file: PathBuf,
    },
    /// Write a scenario as a model for another checker, SPIN or TLC, to standard output
    Export {
        /// The scenario
        file: PathBuf,
        /// The revision
        #[arg(long)]
        revision: String,
        /// What to write
        #[arg(long, value_enum)]
        to: ExportArg,
        /// States that the scenario has at the most, without any reduction
        #[arg(long, value_name = "N", default_value_t = 100_000)]
        max_states: usize,
    },
    /// Run every engine on the same scenarios and compare what they find
    Agree(AgreeArgs),
    /// Run an engine for another process of raddle
    #[command(name = raddle::engine::COMMAND, hide = true)]
    RunEngine,
    /// Check scenarios on a kernel's own C after each patch of a series: which patch brings or cures what
    Review(ReviewArgs),
    /// Read a kernel's own C: what raddle sees of it, what stands for the rest, what it does not understand
    Tree {
        /// The kernel's directory
        dir: PathBuf,
        #[command(flatten)]
        args: tree::TreeArgs,
    },
    /// Compare two revisions: which hazards a patch removes, keeps and brings
    Compare(CompareArgs),
    /// Change each rule of a revision in turn: which hazards does the rule prevent?
    Ablate(AblateArgs),
    /// Print a graph as DOT: a function's automaton, a scenario's lock order, its states
    Graph(GraphArgs),
    /// List the steps that a scenario never takes, and its calls that never conflict with another task
    Coverage(CoverageArgs),
    /// Write a self-contained HTML page of verdicts and violations to step through
    Report(Box<ReportArgs>),
    /// Print a shell completion script
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print raddle's manual page
    Man,
    /// List revisions, rules, hazards, calls or scenarios
    List {
        /// What to list
        what: What,
        /// Of scenarios those that expect this hazard
        #[arg(long, value_name = "HAZARD", value_parser = hazard_names(), hide_possible_values = true)]
        hazard: Option<String>,
        /// Of scenarios those that are for this revision
        #[arg(long, value_name = "R", value_parser = revision_names(), hide_possible_values = true)]
        revision: Option<String>,
    },
    /// Write a commented scenario file to start from
    New {
        /// The scenario's name; the file is NAME.toml
        name: String,
        /// What it is about
        #[arg(long, value_enum, default_value_t)]
        template: About,
    },
}

/// What a new scenario is about.
#[derive(Clone, Copy, Default, ValueEnum)]
enum About {
    /// The driver core: drivers and devices come and go
    #[default]
    Core,
    /// A driver's own probe and remove
    Driver,
}

/// Which table to list.
#[derive(Clone, Copy, ValueEnum)]
enum What {
    /// Revisions of the driver core
    Revisions,
    /// Rules of the driver core, with their values by revision
    Rules,
    /// Hazards
    Hazards,
    /// What the checks keep beside the model's own memory
    Ghosts,
    /// Calls that scenario files can make
    Calls,
    /// Built-in scenarios
    Scenarios,
}

/// When each check stops early. They mean the same for every command that has them.
#[derive(Args)]
struct LimitArgs {
    /// Stop after this many states
    #[arg(long, value_name = "N")]
    max_states: Option<usize>,
    /// Stop at this much memory for states, such as 512M or 4G
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_memory: Option<usize>,
    /// Stop after this many seconds and say what was covered
    #[arg(long, value_name = "SECONDS", value_parser = seconds, alias = "engine-time")]
    timeout: Option<Duration>,
    /// Search threads; results do not depend on their number
    #[arg(long, value_name = "N", value_parser = positive)]
    threads: Option<usize>,
}

impl LimitArgs {
    /// Options with these limits, and Ctrl-C from here on.
    fn options(&self) -> Options {
        Options::default().limits(self.limits()).threads(self.threads.unwrap_or(0))
    }

    /// The same for a search that keeps all it sees, with so many states at the most unless it is said.
    fn within(&self, states: usize) -> Limits {
        Limits { state_limit: self.max_states.or(Some(states)), ..self.limits() }
    }

    fn limits(&self) -> Limits {
        Limits {
            state_limit: self.max_states,
            memory_limit: self.max_memory,
            time_limit: self.timeout,
            interrupt: Some(interrupt::catch()),
            ..Limits::default()
        }
    }
}

#[derive(Args)]
struct CompareArgs {
    /// Scenario files, directories of them, or names of built-in scenarios such as bart/unregister-pending
    #[arg(required_unless_present = "tree", add = completions::of_scenarios())]
    paths: Vec<PathBuf>,
    /// The revision before
    #[arg(long, value_name = "R1", required_unless_present = "tree", value_parser = revision_names(), hide_possible_values = true)]
    from: Option<String>,
    /// The revision after
    #[arg(long, value_name = "R2", required_unless_present = "tree", value_parser = revision_names(), hide_possible_values = true)]
    to: Option<String>,
    /// Compare the C of the kernel in this directory without and with the patches
    #[arg(long, value_name = "DIR", requires = "patches", conflicts_with_all = ["from", "to"])]
    tree: Option<PathBuf>,
    #[command(flatten)]
    on: tree::TreeArgs,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    format: TableFormat,
    #[command(flatten)]
    limits: LimitArgs,
}

#[derive(Args)]
struct ReviewArgs {
    /// A series of patches: an mbox, a mail or a diff
    series: PathBuf,
    /// Scenario files, or directories of them; otherwise scenarios/
    #[arg(add = completions::of_scenarios())]
    paths: Vec<PathBuf>,
    /// The kernel that the series is for
    #[arg(long, value_name = "DIR")]
    tree: PathBuf,
    #[command(flatten)]
    on: tree::TreeArgs,
    #[command(flatten)]
    limits: LimitArgs,
}

#[derive(Args)]
struct AblateArgs {
    /// Scenario files, directories of them, or names of built-in scenarios such as bart/unregister-pending
    #[arg(required_unless_present = "tree", add = completions::of_scenarios())]
    paths: Vec<PathBuf>,
    /// The revision
    #[arg(long, value_name = "R", required_unless_present = "tree", value_parser = revision_names(), hide_possible_values = true)]
    revision: Option<String>,
    /// Change this rule only (may be repeated)
    #[arg(long = "rule", value_name = "RULE", value_parser = rule_names(), hide_possible_values = true, conflicts_with = "tree")]
    rules: Vec<String>,
    /// Leave out statements of the C of the kernel in this directory: those of the patches, if there are any
    #[arg(long, value_name = "DIR", conflicts_with = "revision")]
    tree: Option<PathBuf>,
    #[command(flatten)]
    on: tree::TreeArgs,
    /// With --tree: leave out statements of this function only
    #[arg(long, value_name = "F", requires = "tree")]
    function: Option<String>,
    /// With --tree: leave out only so many statements, drawn by --seed
    #[arg(long, value_name = "N", requires = "tree")]
    sample: Option<usize>,
    /// Seed of --sample
    #[arg(long, value_name = "N", default_value = "1", requires = "sample")]
    seed: u64,
    /// With --tree: one scenario whose hazards change is enough
    #[arg(long, requires = "tree")]
    first: bool,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    format: TableFormat,
    #[command(flatten)]
    limits: LimitArgs,
}

#[derive(Args)]
struct CheckArgs {
    /// Scenario files, directories of them, or names of built-in scenarios such as bart/unregister-pending
    #[arg(required = true, add = completions::of_scenarios())]
    paths: Vec<PathBuf>,
    /// Use this revision instead of those that the scenario lists (may be repeated)
    #[arg(long = "revision", value_name = "R", value_parser = revision_names(), hide_possible_values = true)]
    revisions: Vec<String>,
    /// Check the C of the kernel in this directory instead of the hand model
    #[arg(long, value_name = "DIR", conflicts_with_all = ["revisions", "why", "dump", "checkpoint", "resume"])]
    tree: Option<PathBuf>,
    #[command(flatten)]
    on: tree::TreeArgs,
    /// With --tree: list what was assumed about the kernel
    #[arg(long, requires = "tree")]
    assumptions: bool,
    /// The engine
    #[arg(long, value_name = "NAME", default_value = "exhaustive", value_parser = engines())]
    engine: Engine,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = formats())]
    format: Format,
    /// Write the trace of each violation into this directory, in all formats
    #[arg(long, value_name = "DIR")]
    dump: Option<PathBuf>,
    #[command(flatten)]
    limits: LimitArgs,
    /// Hash compaction: store a hash of each state. Saves memory; a state may be missed, with a small probability that is reported
    #[arg(long)]
    compact: bool,
    /// Store states beyond --max-memory in files in this directory
    #[arg(long, value_name = "DIR")]
    spill: Option<PathBuf>,
    /// Save the search in this file periodically, when interrupted, and at the end (one row only)
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Write a certificate of a verified row into this file (one row only), for `raddle verify-certificate`
    #[arg(long, value_name = "FILE", conflicts_with = "tree")]
    certificate: Option<PathBuf>,
    /// Seconds between saves
    #[arg(long, value_name = "SECONDS", value_parser = seconds, requires = "checkpoint")]
    checkpoint_every: Option<Duration>,
    /// Resume the search that was saved in this file, and save it there again unless --checkpoint is given
    #[arg(long, value_name = "FILE")]
    resume: Option<PathBuf>,
    #[command(flatten)]
    cluster: cluster::ClusterArgs,
    /// Disable partial-order reduction
    #[arg(long)]
    all_orders: bool,
    /// Disable symmetry reduction
    #[arg(long)]
    no_symmetry: bool,
    /// Leave some of what makes partial order reduction finer out, to compare
    #[arg(long, value_name = "NAME,...", hide = true)]
    without: Option<Remedies>,
    /// Disable both reductions: --all-orders --no-symmetry
    #[arg(long)]
    no_reduction: bool,
    /// Scheduler of shuttle [default: pct]
    #[arg(long, value_name = "NAME", value_parser = schedulers())]
    scheduler: Option<Scheduler>,
    /// Executions of loom or shuttle at most [default: 10000 if shuttle samples, else 10000000]
    #[arg(long, value_name = "N", value_parser = positive)]
    iterations: Option<usize>,
    /// Seed of shuttle's random choices [default: 1]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Bug depth of PCT: ordering constraints that the bug needs [default: 3]
    #[arg(long, value_name = "N", value_parser = positive)]
    depth: Option<usize>,
    /// Bound on preemptions per execution under loom
    #[arg(long, value_name = "N")]
    preemptions: Option<usize>,
    /// An experiment, with loom only: loads of marked fields may return stale values. loom may miss and may invent outcomes
    #[arg(long)]
    weak_memory: bool,
    /// Print time and memory of each row
    #[arg(long)]
    timing: bool,
    /// Print statistics of the searches on standard error at the end
    #[arg(long, value_enum, value_name = "FORMAT")]
    stats: Option<StatsFormat>,
    /// Include scenarios that are marked slow
    #[arg(long)]
    slow: bool,
    /// Show every step of a counterexample
    #[arg(long)]
    full: bool,
    /// Show the line of source of each step; =patch: only lines that a patch has added
    #[arg(long, value_enum, value_name = "WHICH", num_args = 0..=1, require_equals = true, default_missing_value = "all")]
    lines: Option<LinesArg>,
    /// Print this many sample runs of a verified scenario
    #[arg(long, value_name = "N", default_value = "0")]
    samples: usize,
    /// Name the rules that would prevent each hazard, or that protect a verified scenario: one more check per rule
    #[arg(long)]
    why: bool,
    /// Show the shortest run that calls this kernel function or accesses this cell, such as pmem0.driver (may be repeated)
    #[arg(long, value_name = "FUNCTION|CELL")]
    passing: Vec<String>,
    /// Show the shortest run without this hazard and without a call of this kernel function (may be repeated)
    #[arg(long, value_name = "HAZARD|FUNCTION", value_parser = hazard_names(), hide_possible_values = true)]
    avoiding: Vec<String>,
    /// Exit with 1 if a row has warnings
    #[arg(long)]
    strict: bool,
}

/// Which lines of source are shown.
#[derive(Clone, Copy, clap::ValueEnum)]
enum LinesArg {
    /// The line of every step
    All,
    /// Those that a patch has added
    Patch,
}

impl CheckArgs {
    /// What diagrams show.
    fn shown(&self) -> DiagramOptions {
        let lines = match self.lines {
            None => Lines::None,
            Some(LinesArg::Patch) => Lines::Added,
            Some(LinesArg::All) => Lines::All,
        };
        DiagramOptions { full: self.full, lines, ..DiagramOptions::default() }
    }
}

#[derive(Args)]
struct AgreeArgs {
    /// Scenario files, directories of them, or names of built-in scenarios such as bart/unregister-pending
    #[arg(required_unless_present = "tree", add = completions::of_scenarios())]
    paths: Vec<PathBuf>,
    /// Compare the hand model with the C of the kernel in this directory, a line for each scenario
    #[arg(long, value_name = "DIR")]
    tree: Option<PathBuf>,
    /// Compare all engines on that C instead
    #[arg(long)]
    engines: bool,
    #[command(flatten)]
    on: tree::TreeArgs,
    /// Use this revision instead of those that the scenario lists (may be repeated)
    #[arg(long = "revision", value_name = "R", value_parser = revision_names(), hide_possible_values = true)]
    revisions: Vec<String>,
    /// Schedules that each sampling engine draws
    #[arg(long, value_name = "N", default_value = "1000")]
    iterations: usize,
    /// Seed of random choices
    #[arg(long, value_name = "N", default_value = "1")]
    seed: u64,
    #[command(flatten)]
    limits: LimitArgs,
    /// Include scenarios that are marked slow
    #[arg(long)]
    slow: bool,
}

#[derive(Args)]
struct GraphArgs {
    /// Print the automaton of this kernel function
    #[arg(required_unless_present_any = ["locks", "states"])]
    function: Option<String>,
    /// The revision [default: the first that the scenario lists]
    #[arg(long, value_name = "R", value_parser = revision_names(), hide_possible_values = true)]
    revision: Option<String>,
    /// A scenario that calls the function [default: the first built-in one that does]
    #[arg(long, value_name = "FILE", add = completions::of_scenarios())]
    scenario: Option<PathBuf>,
    /// Print in which order this scenario's tasks wait for mutexes, for work and for async entries
    #[arg(long, value_name = "SCENARIO", conflicts_with_all = ["function", "states"], add = completions::of_scenarios())]
    locks: Option<PathBuf>,
    /// Print all states of this small scenario, with the counterexample marked
    #[arg(long, value_name = "SCENARIO", conflicts_with = "function", add = completions::of_scenarios())]
    states: Option<PathBuf>,
    #[command(flatten)]
    limits: LimitArgs,
}

#[derive(Args)]
struct CoverageArgs {
    /// Scenario files, or directories of them; a step counts as missed if another of them takes it
    #[arg(required = true, add = completions::of_scenarios())]
    paths: Vec<PathBuf>,
    /// Use this revision instead of those that the scenario lists (may be repeated)
    #[arg(long = "revision", value_name = "R", value_parser = revision_names(), hide_possible_values = true)]
    revisions: Vec<String>,
    #[command(flatten)]
    limits: LimitArgs,
    /// Include scenarios that are marked slow
    #[arg(long)]
    slow: bool,
}

#[derive(Args)]
struct ReportArgs {
    /// Scenario files, directories of them, or names of built-in scenarios such as bart/unregister-pending
    #[arg(required = true, add = completions::of_scenarios())]
    paths: Vec<PathBuf>,
    /// The directory that the page, index.html, is written into
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Use this revision instead of those that the scenario lists (may be repeated)
    #[arg(long = "revision", value_name = "R", value_parser = revision_names(), hide_possible_values = true)]
    revisions: Vec<String>,
    /// Check the C of the kernel in this directory instead of the hand model; with patches, without and with them
    #[arg(long, value_name = "DIR", conflicts_with = "revisions")]
    tree: Option<PathBuf>,
    #[command(flatten)]
    on: tree::TreeArgs,
    #[command(flatten)]
    limits: LimitArgs,
    /// Include scenarios that are marked slow
    #[arg(long)]
    slow: bool,
}

/// Parses seconds such as `0.5`. More than thirty years are thirty years: no clock overflows.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "expected a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds.min(1e9)).map_err(|error| error.to_string())
}

/// Parses one of a table's rows by its name.
fn one_of<T: Copy + Send + Sync + 'static>(
    all: &'static [T],
    name: fn(&T) -> &'static str,
    about: fn(&T) -> &'static str,
) -> impl TypedValueParser<Value = T> {
    let values = all.iter().map(move |one| PossibleValue::new(name(one)).help(about(one)));
    PossibleValuesParser::new(values)
        .map(move |word| *all.iter().find(|one| name(one) == word).expect("internal: clap knows the names"))
}

fn formats() -> impl TypedValueParser<Value = Format> {
    one_of(FORMATS, |format| format.name, |format| format.about)
}

fn engines() -> impl TypedValueParser<Value = Engine> {
    one_of(&Engine::ALL, |engine| engine.name(), |engine| engine.about())
}

fn schedulers() -> impl TypedValueParser<Value = Scheduler> {
    one_of(&Scheduler::ALL, |scheduler| scheduler.name(), |scheduler| scheduler.about())
}

/// Any word; completions offer these.
#[derive(Clone)]
struct Offered(fn() -> Vec<(&'static str, &'static str)>);

impl TypedValueParser for Offered {
    type Value = String;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<String, clap::Error> {
        clap::builder::StringValueParser::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let values = (self.0)().into_iter().map(|(name, about)| PossibleValue::new(name).help(about));
        Some(Box::new(values))
    }
}

/// A revision, which the command itself looks up.
fn revision_names() -> Offered {
    Offered(|| REVISIONS.iter().map(|revision| (revision.name, revision.source)).collect())
}

/// A rule, which the command itself looks up.
fn rule_names() -> Offered {
    Offered(|| RULES.iter().map(|rule| (rule.name, rule.about)).collect())
}

/// A hazard, which the command itself looks up.
fn hazard_names() -> Offered {
    Offered(|| properties().into_iter().map(|property| (property.id, property.meaning)).collect())
}

/// Parses a number from 1.
fn positive(text: &str) -> Result<usize, String> {
    let number: usize = text.parse().map_err(|_| "expected a number".to_owned())?;
    if number == 0 { Err("at least 1 is needed".to_owned()) } else { Ok(number) }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ReplayArg {
    /// On the machine, step by step
    Steps,
    /// On shuttle's threads
    Shuttle,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TableFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

/// How to print what the searches did.
#[derive(Clone, Copy, ValueEnum)]
enum StatsFormat {
    /// One JSON object
    Json,
}

/// Parses a size such as `512M`.
fn size(text: &str) -> Result<usize, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit: usize =
        match text[digits.len()..].to_ascii_uppercase().trim_end_matches("IB").trim_end_matches('B') {
            "" => 1,
            "K" => 1 << 10,
            "M" => 1 << 20,
            "G" => 1 << 30,
            other => return Err(format!("unknown unit \"{other}\"; use K, M or G")),
        };
    let number: usize =
        digits.parse().map_err(|_| "expected a number and a unit, such as 512M".to_owned())?;
    number.checked_mul(unit).ok_or_else(|| "too large".to_owned())
}

/// What a command exits with, the first that applies.
const EXIT_CODES: [(u8, &str); 4] = [
    (2, "an error in any input; the other files are still checked"),
    (1, "a row that is complete or violated is not as expected, or with --strict a row has a warning"),
    (3, "a row is inconclusive, unless its engine samples and it is as expected; or memory ran out"),
    (0, "otherwise"),
];

/// Prints the manual page: raddle's, then that of each command.
fn man(out: &mut Out) -> u8 {
    let mut page = Vec::new();
    let mut command = Cli::command();
    command.build();
    let mut pages = vec![command.clone()];
    pages.extend(command.get_subcommands().filter(|sub| sub.get_name() != "help").cloned());
    for (number, command) in pages.into_iter().enumerate() {
        if let Err(error) = clap_mangen::Man::new(command).render(&mut page) {
            complain(format_args!("raddle: {error}"));
            return INPUT_ERROR;
        }
        if number == 0 {
            page.extend_from_slice(b".SH \"EXIT STATUS\"\nThe first that applies:\n");
            for (code, when) in EXIT_CODES {
                page.extend_from_slice(format!(".TP\n\\fB{code}\\fR\n{when}\n").as_bytes());
            }
        }
    }
    out.text(String::from_utf8_lossy(&page));
    0
}

/// When to use colours: in help, and in messages about the command line and scenario files.
#[derive(Clone, Copy, ValueEnum)]
enum Color {
    /// If the output is a terminal and NO_COLOR is not set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl Color {
    fn apply(self) {
        match self {
            Color::Auto => {}
            Color::Always => anstream::ColorChoice::Always.write_global(),
            Color::Never => anstream::ColorChoice::Never.write_global(),
        }
    }
}

/// Makes all output follow `--color`, before the arguments are parsed: their errors have colours too.
fn choose_color() {
    let args: Vec<String> = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let value = |(i, arg): (usize, &String)| match arg.strip_prefix("--color") {
        Some("") => args.get(i + 1).cloned(),
        Some(rest) => rest.strip_prefix('=').map(str::to_owned),
        None => None,
    };
    match args.iter().enumerate().skip(1).find_map(value).as_deref() {
        Some("always") => Color::Always.apply(),
        Some("never") => Color::Never.apply(),
        _ => {}
    }
}

/// The same error about arguments without control characters: a message repeats them.
fn printable_error(error: clap::Error) -> clap::Error {
    let raw: Vec<String> = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let clean: Vec<String> = raw.iter().map(out::clean_word).collect();
    if raw == clean {
        return error;
    }
    let parsed = Cli::command().try_get_matches_from(clean);
    let parsed = parsed.and_then(|matches| Cli::from_arg_matches(&matches).map(drop));
    let wrong = || Cli::command().error(error.kind(), "an argument has control characters");
    parsed.err().unwrap_or_else(wrong)
}

/// Runs the command line.
pub fn main() -> ExitCode {
    memory::share_heap();
    completions::answer();
    choose_color();
    let command = Cli::command().color(match anstream::ColorChoice::global() {
        anstream::ColorChoice::Always => clap::ColorChoice::Always,
        anstream::ColorChoice::Never => clap::ColorChoice::Never,
        _ => clap::ColorChoice::Auto,
    });
    let parsed = command.try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to standard output and are no error.
            let error = printable_error(error);
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { INPUT_ERROR } else { 0 });
        }
    };
    cli.color.apply();
    let mut out = Out::stdout();
    let code = match cli.command {
        None => check::tour(&mut out),
        Some(Command::Check(args)) => check::check(&args, &mut out),
        Some(Command::Agree(args)) => agree::agree(&args, &mut out),
        Some(Command::RunEngine) => agree::run_engine(&mut out),
        Some(Command::Review(args)) => review::review(&args, &mut out),
        Some(Command::Tree { dir, args }) => tree::tree(&dir, &args, &mut out),
        Some(Command::VerifyCertificate { file }) => certificate::verify(&file, &mut out),
        Some(Command::Export { file, revision, to, max_states }) => {
            certificate::export(&file, &revision, to, max_states, &mut out)
        }
        Some(Command::Compare(args)) => compare::compare(&args, &mut out),
        Some(Command::Ablate(args)) => ablate::ablate(&args, &mut out),
        Some(Command::Replay { trace, step: true, .. }) => step::step(&trace, &mut out),
        Some(Command::Replay { trace, step: false, engine }) => {
            dump::replay(&trace, engine == ReplayArg::Shuttle, &mut out)
        }
        Some(Command::Graph(args)) => coverage::graph(&args, &mut out),
        Some(Command::Coverage(args)) => coverage::cover(&args, &mut out),
        Some(Command::Report(args)) => report::report(&args, &mut out),
        Some(Command::Completions { shell }) => completions::script(shell, &mut out),
        Some(Command::Man) => man(&mut out),
        Some(Command::List { what, hazard, revision }) => {
            list::list(what, hazard.as_deref(), revision.as_deref(), &mut out)
        }
        Some(Command::New { name, template }) => {
            let of = match template {
                About::Core => Template::Core,
                About::Driver => Template::Driver,
            };
            list::new(&name, of, &mut out)
        }
    };
    out.finish(code)
}
