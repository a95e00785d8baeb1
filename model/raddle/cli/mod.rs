//! The commands.

mod ablate;
mod agree;
mod check;
mod compare;
mod dump;
mod interrupt;
mod list;
mod out;
mod saving;
mod stats;
mod step;
mod sweep;
mod uses;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use out::{Out, complain};
use raddle_engines::Scheduler;

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

#[derive(Subcommand)]
enum Command {
    /// Check scenarios: explore every interleaving and print a verdict and, if it goes wrong, a diagram
    Check(CheckArgs),
    /// Re-run a dumped trace step by step and say whether it still shows its hazard
    Replay {
        /// A trace dumped by `check --dump`
        trace: PathBuf,
        /// Step through it: commands come from standard input, a line each
        #[arg(long)]
        step: bool,
        /// Where to re-run it: step by step, or on shuttle's threads
        #[arg(long, value_enum, default_value = "steps")]
        engine: ReplayArg,
    },
    /// Run every engine on the same scenarios; a difference between what they find is an error
    Agree(AgreeArgs),
    /// Run an engine for another process of raddle
    #[command(name = raddle::witness::COMMAND, hide = true)]
    RunEngine,
    /// Compare two revisions: which hazards a patch removes, keeps and brings
    Compare {
        /// Scenario files, or directories of them
        #[arg(required = true)]
        paths: Vec<PathBuf>,
        /// The revision before
        #[arg(long, value_name = "R1")]
        from: String,
        /// The revision after
        #[arg(long, value_name = "R2")]
        to: String,
        /// How to print results
        #[arg(long, value_enum, default_value = "text")]
        format: TableFormat,
    },
    /// Change each rule of a revision in turn: which hazards does it prevent?
    Ablate {
        /// Scenario files, or directories of them
        #[arg(required = true)]
        paths: Vec<PathBuf>,
        /// The revision
        #[arg(long, value_name = "R")]
        revision: String,
        /// How to print results
        #[arg(long, value_enum, default_value = "text")]
        format: TableFormat,
    },
    /// Print a graph as DOT: a function's automaton, a scenario's lock order, its states
    Graph(GraphArgs),
    /// Say which steps a scenario never took, and which of its calls never met a contender
    Coverage(CoverageArgs),
    /// Write one HTML page about a run, to step through its violations; it needs no network
    Report(ReportArgs),
    /// Print a script that completes raddle's arguments in a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print raddle's manual page
    Man,
    /// List what raddle knows
    List {
        /// What to list
        what: What,
    },
    /// Write a commented scenario file to start from
    New {
        /// The scenario's name; the file is NAME.toml
        name: String,
    },
}

/// Which table to list.
#[derive(Clone, Copy, ValueEnum)]
enum What {
    /// Revisions of the driver core
    Revisions,
    /// Rules, with their values by revision
    Rules,
    /// Hazards
    Hazards,
    /// Calls of scenario files
    Calls,
    /// The scenarios that are built in
    Scenarios,
}

#[derive(Args)]
struct CheckArgs {
    /// Scenario files, or directories of them
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Check this revision instead of those that the scenario lists (may be repeated)
    #[arg(long = "revision", value_name = "R")]
    revisions: Vec<String>,
    /// Which engine explores the scenario
    #[arg(long, value_enum, default_value = "exhaustive")]
    engine: EngineArg,
    /// How to print results
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Write each violation's trace into this directory, in all renderings
    #[arg(long, value_name = "DIR")]
    dump: Option<PathBuf>,
    /// Stop after this many states
    #[arg(long, value_name = "N")]
    max_states: Option<usize>,
    /// Stop at this much memory for states, such as 512M or 4G
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_memory: Option<usize>,
    /// Stop each row after this many seconds and say what was covered
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    timeout: Option<Duration>,
    /// How many threads search; the results do not depend on it
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Keep only a hash of each state: less memory, and a small probability that a state is missed
    #[arg(long)]
    compact: bool,
    /// Keep states that are too many for --max-memory in files in this directory
    #[arg(long, value_name = "DIR")]
    spill: Option<PathBuf>,
    /// Save the search into this file now and then, on interruption and at the end (for one row)
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// How many seconds between saves
    #[arg(long, value_name = "SECONDS", value_parser = seconds, requires = "checkpoint")]
    checkpoint_every: Option<Duration>,
    /// Go on with the search that was saved in this file, and save there unless --checkpoint says where
    #[arg(long, value_name = "FILE")]
    resume: Option<PathBuf>,
    /// Explore all orders of steps, also of those that commute
    #[arg(long)]
    all_orders: bool,
    /// Do not take states for each other that differ only in which of several things that are alike is which
    #[arg(long)]
    no_symmetry: bool,
    /// Visit every state: --all-orders and --no-symmetry
    #[arg(long)]
    no_reduction: bool,
    /// How shuttle chooses schedules: random, pct, urw or dfs
    #[arg(long, value_name = "NAME", default_value = "pct", value_parser = scheduler)]
    scheduler: Scheduler,
    /// How many executions loom or shuttle may make (shuttle's samples: 10000 unless given)
    #[arg(long, value_name = "N", value_parser = positive)]
    iterations: Option<usize>,
    /// The seed of shuttle's random choices
    #[arg(long, value_name = "N", default_value = "1")]
    seed: u64,
    /// The depth of shuttle's pct: how many orderings it is to get right at once
    #[arg(long, value_name = "N", default_value = "3", value_parser = positive)]
    depth: usize,
    /// How often loom may switch away from a task that could go on
    #[arg(long, value_name = "N")]
    preemptions: Option<usize>,
    /// How many seconds loom or shuttle may take
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    engine_time: Option<Duration>,
    /// An experiment, with loom only: loads of marked fields may be stale. loom may miss and may invent outcomes
    #[arg(long)]
    weak_memory: bool,
    /// Add seconds and memory to the output
    #[arg(long)]
    timing: bool,
    /// At the end, say on standard error what the searches did
    #[arg(long, value_enum, value_name = "FORMAT")]
    stats: Option<StatsFormat>,
    /// Also check scenarios that are marked slow
    #[arg(long)]
    slow: bool,
    /// Show every step of a counterexample
    #[arg(long)]
    full: bool,
    /// Show so many runs of a scenario that is verified
    #[arg(long, value_name = "N", default_value = "0")]
    samples: usize,
    /// Say which rules of the revision would have prevented each hazard: one more check for each rule
    #[arg(long)]
    why: bool,
}

#[derive(Args)]
struct AgreeArgs {
    /// Scenario files, or directories of them
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Compare on this revision instead of those that the scenario lists (may be repeated)
    #[arg(long = "revision", value_name = "R")]
    revisions: Vec<String>,
    /// How many schedules each sampling engine draws
    #[arg(long, value_name = "N", default_value = "1000")]
    iterations: usize,
    /// The seed of random choices
    #[arg(long, value_name = "N", default_value = "1")]
    seed: u64,
    /// How many seconds each engine may take
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    engine_time: Duration,
    /// Stop the searches after this many states
    #[arg(long, value_name = "N")]
    max_states: Option<usize>,
    /// Also compare on scenarios that are marked slow
    #[arg(long)]
    slow: bool,
}

#[derive(Args)]
struct GraphArgs {
    /// The modelled function whose automaton is printed
    #[arg(required_unless_present_any = ["locks", "states"])]
    function: Option<String>,
    /// The revision; otherwise the first that the scenario lists
    #[arg(long, value_name = "R")]
    revision: Option<String>,
    /// The scenario that calls the function; otherwise the first built-in one that does
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// Print the order in which this scenario's tasks take mutexes
    #[arg(long, value_name = "SCENARIO", conflicts_with_all = ["function", "states"])]
    locks: Option<PathBuf>,
    /// Print all states of this small scenario, the counterexample marked
    #[arg(long, value_name = "SCENARIO", conflicts_with = "function")]
    states: Option<PathBuf>,
    /// Explore so many states at the most
    #[arg(long, value_name = "N")]
    max_states: Option<usize>,
}

#[derive(Args)]
struct CoverageArgs {
    /// Scenario files, or directories of them; a step is missed if another of them takes it
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// This revision instead of those that the scenario lists (may be repeated)
    #[arg(long = "revision", value_name = "R")]
    revisions: Vec<String>,
    /// Explore so many states of each at the most
    #[arg(long, value_name = "N", default_value = "200000")]
    max_states: usize,
    /// Also scenarios that are marked slow
    #[arg(long)]
    slow: bool,
}

#[derive(Args)]
struct ReportArgs {
    /// Scenario files, or directories of them
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// The directory that the page, index.html, is written into
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// This revision instead of those that the scenario lists (may be repeated)
    #[arg(long = "revision", value_name = "R")]
    revisions: Vec<String>,
    /// Also scenarios that are marked slow
    #[arg(long)]
    slow: bool,
}

/// Parses seconds such as `0.5`.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "expected a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

/// Parses one of shuttle's schedulers.
fn scheduler(text: &str) -> Result<Scheduler, String> {
    let all = [Scheduler::Random, Scheduler::Pct, Scheduler::Urw, Scheduler::Dfs];
    let found = all.into_iter().find(|scheduler| scheduler.name() == text);
    found.ok_or_else(|| "expected random, pct, urw or dfs".to_owned())
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
enum EngineArg {
    /// The default search
    Exhaustive,
    /// The plain breadth-first search that every other one must agree with
    Reference,
    /// loom: the model on its threads, exhaustive for up to 4 tasks and workers
    Loom,
    /// shuttle: the model on its threads, schedules drawn at random
    Shuttle,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TableFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One JSON object a line
    Json,
    /// To paste into a mail: claim, diagram, how to reproduce, what was covered; 75 columns, ASCII
    Lkml,
    /// SARIF 2.1.0, one log for the whole run
    Sarif,
    /// JUnit XML, one document for the whole run
    Junit,
    /// KTAP, the kernel's test output
    Ktap,
    /// Mermaid sequence diagrams, one for each violation
    Mermaid,
    /// ITF JSON, one trace for each violation
    Itf,
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

/// Something the user gave is wrong (docs/scenarios.md#exit-codes, 2).
const INPUT_ERROR: u8 = 2;

/// Prints the manual page: raddle's, then that of each command.
fn man(out: &mut Out) -> u8 {
    let mut page = Vec::new();
    let mut command = Cli::command();
    command.build();
    let mut pages = vec![command.clone()];
    pages.extend(command.get_subcommands().filter(|sub| sub.get_name() != "help").cloned());
    for command in pages {
        if let Err(error) = clap_mangen::Man::new(command).render(&mut page) {
            complain(format_args!("raddle: {error}"));
            return INPUT_ERROR;
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
    let args: Vec<String> = std::env::args().collect();
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

/// Runs the command line.
pub fn main() -> ExitCode {
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
        Some(Command::Compare { paths, from, to, format }) => {
            compare::compare(&paths, &from, &to, format, &mut out)
        }
        Some(Command::Ablate { paths, revision, format }) => {
            ablate::ablate(&paths, &revision, format, &mut out)
        }
        Some(Command::Replay { trace, step: true, .. }) => step::step(&trace, &mut out),
        Some(Command::Replay { trace, step: false, engine }) => {
            dump::replay(&trace, engine == ReplayArg::Shuttle, &mut out)
        }
        Some(Command::Graph(args)) => uses::graph(&args, &mut out),
        Some(Command::Coverage(args)) => uses::cover(&args, &mut out),
        Some(Command::Report(args)) => uses::report(&args, &mut out),
        Some(Command::Completions { shell }) => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "raddle", &mut script);
            out.text(String::from_utf8_lossy(&script));
            0
        }
        Some(Command::Man) => man(&mut out),
        Some(Command::List { what }) => list::list(what, &mut out),
        Some(Command::New { name }) => list::new(&name, &mut out),
    };
    out.finish(code)
}
