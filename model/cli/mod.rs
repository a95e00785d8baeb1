//! The commands of DESIGN.md 5.

mod check;
mod dump;
mod interrupt;
mod list;
mod out;
mod stats;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use out::Out;

/// A deterministic model checker for probe races in the Linux driver core.
#[derive(Parser)]
#[command(name = "raddle", version, about, long_about = None)]
struct Cli {
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
    },
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
}

#[derive(Clone, Copy, ValueEnum)]
enum EngineArg {
    /// The default search
    Exhaustive,
    /// The plain breadth-first search that every other one must agree with
    Reference,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
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

/// Parses a number of seconds such as `2.5`.
fn seconds(text: &str) -> Result<Duration, String> {
    let number: f64 = text.parse().map_err(|_| "expected a number of seconds, such as 60".to_owned())?;
    Duration::try_from_secs_f64(number).map_err(|error| error.to_string())
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

/// Something the user gave is wrong (SCENARIOS.md 4).
const INPUT_ERROR: u8 = 2;

/// Runs the command line.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to standard output and are no error.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { INPUT_ERROR } else { 0 });
        }
    };
    let mut out = Out::stdout();
    let code = match cli.command {
        None => check::tour(&mut out),
        Some(Command::Check(args)) => check::check(&args, &mut out),
        Some(Command::Replay { trace }) => dump::replay(&trace, &mut out),
        Some(Command::List { what }) => list::list(what, &mut out),
        Some(Command::New { name }) => list::new(&name, &mut out),
    };
    out.finish(code)
}
