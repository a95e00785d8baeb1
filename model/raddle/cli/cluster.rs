//! Several processes that check together: they are started on this machine, or one is told where the others are.

use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use clap::Args;
use raddle::{Engine, Options, Report, Scenario};
use raddle_checker::search::peers::Peers;
use raddle_checker::search::reference::Progress;
use raddle_cluster::{Cluster, Hosts, Load, Row};
use raddle_probing::scenario::InputError;
use serde_json::{Value, json};

use super::inputs::{Exit, INPUT_ERROR, Loaded, files};
use super::out::{complain, mute};
use super::{CheckArgs, check, interrupt, positive, saving, seconds};

/// How long a process waits for the others, unless it is said.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Args)]
pub struct ClusterArgs {
    /// Search with this many processes on this machine, each with a part of the states
    #[arg(long, value_name = "N", value_parser = positive, conflicts_with = "tree")]
    processes: Option<usize>,
    /// Search with the processes at the addresses in this file, HOST:PORT, one a line; start each with its --process
    #[arg(long, value_name = "FILE", requires = "process", conflicts_with_all = ["processes", "tree"])]
    hosts: Option<PathBuf>,
    /// Which of the processes in --hosts this is, from 0; process 0 prints the report
    #[arg(long, value_name = "I")]
    process: Option<usize>,
    /// Seconds to wait for the other processes at the start [default: 60]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    patience: Option<Duration>,
    /// Where the processes of --processes are
    #[arg(long, value_name = "HOST:PORT,...", hide = true, requires = "processes")]
    addresses: Option<String>,
}

/// What is wrong with the options together.
pub fn contradiction(args: &CheckArgs) -> Option<&'static str> {
    let together = args.cluster.processes.is_some() || args.cluster.hosts.is_some();
    if args.cluster.process.is_some() && !together {
        Some("--process: say with --hosts where the processes are")
    } else if together && args.engine != Engine::Exhaustive {
        Some("--processes: only the default search is shared; leave out --engine")
    } else {
        None
    }
}

/// This process, and the others that it searches with, if there are any.
#[derive(Default)]
pub struct Together {
    cluster: Option<Cluster>,
    /// The hash of this program, and of the options.
    program: u64,
    options: u64,
}

impl Together {
    /// Connects with the other processes. If this is not the one that reports, or if it only has to start those that
    /// do the work, that is done here.
    ///
    /// # Errors
    ///
    /// The exit code, if there is nothing left to do.
    pub fn begin(args: &CheckArgs) -> Result<Self, u8> {
        let mut together = Together { cluster: None, program: 0, options: options_of(args) };
        let ClusterArgs { processes, hosts, process, patience, addresses } = &args.cluster;
        let hosts = match (processes, hosts, addresses) {
            (None, None, _) | (Some(1), _, _) => return Ok(together),
            (_, _, Some(addresses)) => Hosts::parse("--addresses", &addresses.replace(',', "\n")),
            (_, Some(file), None) => Hosts::read(file),
            (Some(count), None, None) => return Err(start(*count)),
        };
        let index = process.unwrap_or(0);
        if addresses.is_some() {
            raddle_cluster::start::end_with_starter(INPUT_ERROR.into());
            // What is wrong, process 0 says.
            mute(index > 0);
        }
        let joined = hosts.map_err(|wrong| wrong.to_string()).and_then(|hosts| {
            let cluster = Cluster::join(&hosts, index, patience.unwrap_or(PATIENCE));
            Ok((cluster.map_err(|error| error.to_string())?, hash_of_program().map_err(|e| e.to_string())?))
        });
        match joined {
            Err(why) => {
                complain(format_args!("raddle: {why}"));
                Err(INPUT_ERROR)
            }
            Ok((cluster, program)) => {
                (together.cluster, together.program) = (Some(cluster), program);
                if index > 0 { Err(together.take_part(args)) } else { Ok(together) }
            }
        }
    }

    /// Checks a scenario on one revision.
    ///
    /// # Errors
    ///
    /// What is wrong with it, or with the other processes.
    pub fn check(
        &mut self,
        scenario: &Scenario,
        revision: &str,
        options: &Options,
        progress: impl FnMut(Progress) + Send,
    ) -> Result<Report, InputError> {
        self.agree_on(scenario, revision)?;
        match &mut self.cluster {
            Some(cluster) => scenario.check_among(revision, options, cluster, progress),
            None => scenario.check_on(revision, options, progress),
        }
    }

    /// Finds out whether all are about to check the same.
    fn agree_on(&mut self, scenario: &Scenario, revision: &str) -> Result<bool, InputError> {
        let Together { cluster: Some(cluster), program, options } = self else { return Ok(true) };
        let row = Row {
            program: *program,
            searched: hash_of(scenario.file().text()),
            options: *options,
            name: format!("{} on {revision}", scenario.file().path),
        };
        cluster
            .begin(Some(&row))
            .map_err(|error| InputError::of_file(&scenario.file().path, error.to_string()))
    }

    /// Whether nothing more can be checked, because some process is gone or does something else.
    pub fn is_lost(&self) -> bool {
        self.cluster.as_ref().is_some_and(|cluster| cluster.lost().is_some())
    }

    /// Whether that is because a process is gone.
    pub fn has_lost_somebody(&self) -> bool {
        self.cluster.as_ref().is_some_and(|cluster| matches!(cluster.lost(), Some(Some(_))))
    }

    /// Lets the others end. What they had to do, for `--stats`.
    pub fn end(self) -> Option<Value> {
        let mut cluster = self.cluster?;
        if cluster.lost().is_some() {
            part(cluster);
            return None;
        }
        let loads = cluster.begin(None).and_then(|_| cluster.loads());
        match loads {
            Ok(loads) => {
                cluster.leave();
                Some(loads.iter().map(load).collect())
            }
            Err(error) => {
                complain(format_args!("raddle: {error}"));
                None
            }
        }
    }

    /// Takes part in what process 0 checks. Returns the exit code.
    fn take_part(mut self, args: &CheckArgs) -> u8 {
        let mut exit = Exit::default();
        let options = check::options(args);
        for input in files(&args.paths, &mut exit) {
            let Loaded::Scenario(scenario) = input.load(args.slow, &mut exit) else { continue };
            for revision in scenario.revisions(&options) {
                let mut options = options.clone();
                options.resources.saving = saving::saving(args, &scenario, revision);
                let goes_on = self.agree_on(&scenario, revision).and_then(|goes_on| {
                    let cluster = self.cluster.as_mut().filter(|_| goes_on);
                    let Some(cluster) = cluster else { return Ok(false) };
                    scenario.take_part(revision, &options, cluster).map(|()| true)
                });
                match goes_on {
                    Ok(true) => {}
                    Ok(false) => return self.leave(),
                    Err(error) => {
                        let process = self.cluster.as_ref().map(|cluster| (cluster.index(), cluster.lost()));
                        if process == Some((1, Some(Some(0)))) {
                            // Nobody else is left to say it.
                            mute(false);
                        }
                        exit.wrong(error);
                        if self.has_lost_somebody() {
                            saving::what_is_left(args);
                        }
                        if self.is_lost() {
                            self.cluster.into_iter().for_each(part);
                            return exit.code();
                        }
                    }
                }
            }
        }
        let none = self.cluster.as_mut().map(|cluster| cluster.begin(None));
        match none {
            Some(Ok(_)) => self.leave(),
            _ => INPUT_ERROR,
        }
    }

    /// Ends as process 0 has ended.
    fn leave(self) -> u8 {
        let Some(mut cluster) = self.cluster else { return 0 };
        if cluster.loads().is_ok() {
            cluster.leave();
        }
        0
    }
}

/// Leaves processes that do something else: what was said arrives. Those that have lost one are not waited for.
fn part(cluster: Cluster) {
    if cluster.lost() == Some(None) {
        cluster.leave();
    }
}

/// What a process has had to do, for `--stats`.
fn load(load: &Load) -> Value {
    let Load { states, bytes, others, agreements, peak } = *load;
    let each = if states > 0 { bytes as f64 / states as f64 } else { 0.0 };
    json!({
        "states_sent": states,
        "bytes_per_state_sent": each,
        "bytes_of_states_sent": bytes,
        "other_bytes_sent": others,
        "agreements": agreements,
        "peak_memory_bytes": peak,
    })
}

/// A hash that is the same in all processes of this very program.
fn hash_of(what: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

fn hash_of_program() -> std::io::Result<u64> {
    // It is not kept in memory, which is for states.
    let mut program = BufReader::new(File::open(std::env::current_exe()?)?);
    let mut hasher = DefaultHasher::new();
    loop {
        let some = program.fill_buf()?;
        if some.is_empty() {
            return Ok(hasher.finish());
        }
        hasher.write(some);
        let read = some.len();
        program.consume(read);
    }
}

/// The options that matter to what a search comes to, and to when it is saved.
fn options_of(args: &CheckArgs) -> u64 {
    let CheckArgs { compact, all_orders, no_symmetry, no_reduction, without, .. } = args;
    let saves = (args.checkpoint.is_some(), args.resume.is_some());
    hash_of(format!(
        "{compact} {all_orders} {no_symmetry} {no_reduction} {without:?} {:?} {saves:?}",
        args.limits.max_states
    ))
}

/// The threads of each process, if there are several on this machine and it is not said: together as many as there
/// are processors.
pub fn threads(args: &CheckArgs) -> Option<usize> {
    let count = args.cluster.processes.filter(|_| args.limits.threads.is_none())?;
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    Some((processors / count).max(1))
}

/// Starts so many processes of this program with the same arguments. Returns the exit code.
fn start(count: usize) -> u8 {
    // Ctrl-C is for all of them: each says or saves what it has.
    interrupt::catch();
    let started = Hosts::here(count).and_then(|hosts| {
        let addresses = hosts.addresses().join(",");
        let program = std::env::current_exe()?;
        raddle_cluster::start::start(count, |index| {
            let mut command = Command::new(&program);
            command.args(std::env::args_os().skip(1));
            command.arg(format!("--process={index}")).arg(format!("--addresses={addresses}"));
            command
        })
    });
    match started {
        Err(error) => {
            complain(format_args!("raddle: --processes: {error}"));
            INPUT_ERROR
        }
        Ok(ended) => {
            if let Some((process, status)) = ended.killed {
                complain(format_args!("raddle: process {process} of {count} has ended: {status}"));
            }
            ended.code.and_then(|code| u8::try_from(code).ok()).unwrap_or(INPUT_ERROR)
        }
    }
}
