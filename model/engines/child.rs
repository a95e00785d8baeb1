//! A process of one's own for an engine: loom and shuttle may abort, overflow a stack, print what they
//! like and set the process' panic hook. Here that becomes a clear result, and there is a time limit.

use std::io::{BufRead, Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use wait_timeout::ChildExt;

/// Environment variables by which loom and shuttle let themselves be told otherwise.
const OVERRIDES: [&str; 10] = [
    "LOOM_CHECKPOINT_FILE",
    "LOOM_CHECKPOINT_INTERVAL",
    "LOOM_LOCATION",
    "LOOM_LOG",
    "LOOM_MAX_BRANCHES",
    "LOOM_MAX_DURATION",
    "LOOM_MAX_PERMUTATIONS",
    "LOOM_MAX_PREEMPTIONS",
    "SHUTTLE_RANDOM_SEED",
    "SHUTTLE_ANNOTATION_FILE",
];

/// The exit code of a Rust program that panicked.
const PANICKED: i32 = 101;

/// Why a child gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// It could not be started or spoken to.
    #[error("the engine's process cannot be started: {0}")]
    Start(String),
    /// It took longer than it may.
    #[error("the engine's process did not end within {0} s and was stopped")]
    Time(u64),
    /// Somebody asked for it to be stopped.
    #[error("it was interrupted")]
    Interrupted,
    /// It panicked: a mistake of ours, and its words.
    #[error("the engine's process panicked: {0}")]
    Panicked(String),
    /// It was not asked, or answered that it cannot.
    #[error("{0}")]
    Refused(String),
    /// It ended badly: how, and its last words.
    #[error("the engine's process ended with {0}: {1}")]
    Ended(String, String),
}

/// When a child is stopped.
#[derive(Clone, Copy, Debug, Default)]
pub struct Until {
    /// After so long.
    pub limit: Option<Duration>,
    /// When this is set.
    pub interrupt: Option<&'static AtomicBool>,
}

/// Runs a program with these arguments, gives it `input` as a line and returns its standard output.
///
/// The child's standard input stays open while this process lives: a child that calls [`request`] ends
/// with its parent, however that ends.
///
/// # Errors
///
/// Why there is no answer.
pub fn run(program: &Path, args: &[&str], input: &str, until: Until) -> Result<String, NoAnswer> {
    let started = |error: std::io::Error| NoAnswer::Start(error.to_string());
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for variable in OVERRIDES {
        command.env_remove(variable);
    }
    let mut child = command.spawn().map_err(started)?;
    let stdin = child.stdin.take();
    let input = format!("{input}\n");
    // Whoever does not read its input says why in another way. The pipe comes back, to stay open.
    let stdin = thread::spawn(move || stdin.map(|mut pipe| (pipe.write_all(input.as_bytes()), pipe)));
    let stdout = read(child.stdout.take());
    let stderr = read(child.stderr.take());
    let status = wait(&mut child, until);
    if status.is_err() {
        // It may have ended just now; then there is nothing to stop.
        let _ = child.kill();
        let _ = child.wait();
    }
    drop(stdin.join());
    let status = status?;
    let output = stdout.recv().unwrap_or_default();
    if status.success() {
        return Ok(output);
    }
    let noise = stderr.recv().unwrap_or_default();
    let last = noise.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("note: "));
    let words: Vec<&str> = last.take(2).collect();
    Err(match status.code() {
        Some(PANICKED) => NoAnswer::Panicked(words.join(" ")),
        _ => NoAnswer::Ended(status.to_string(), words.join(" ")),
    })
}

/// Waits for a child, looking up for an interrupt now and then.
fn wait(child: &mut Child, until: Until) -> Result<ExitStatus, NoAnswer> {
    const LOOK: Duration = Duration::from_millis(100);
    let begun = Instant::now();
    loop {
        let left = until.limit.map(|limit| limit.saturating_sub(begun.elapsed()));
        let slice = left.map_or(LOOK, |left| left.min(LOOK));
        let status = child.wait_timeout(slice).map_err(|error| NoAnswer::Start(error.to_string()))?;
        // Ctrl-C reaches the child of a terminal too, and ends it.
        if until.interrupt.is_some_and(|flag| flag.load(Ordering::Relaxed)) {
            return Err(NoAnswer::Interrupted);
        }
        match (status, left) {
            (Some(status), _) => return Ok(status),
            (None, Some(Duration::ZERO)) => {
                return Err(NoAnswer::Time(until.limit.unwrap_or_default().as_secs()));
            }
            (None, _) => {}
        }
    }
}

/// What a process that [`run`] started is asked. From here on it ends when its parent does.
///
/// # Errors
///
/// Standard input cannot be read.
pub fn request() -> std::io::Result<String> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    thread::spawn(|| {
        // Nothing more is said: this returns when the parent is gone.
        let _ = std::io::stdin().lock().read_to_end(&mut Vec::new());
        std::process::exit(1);
    });
    Ok(line)
}

/// Reads all of a pipe on a thread of its own, so that neither side waits for the other.
fn read(pipe: Option<impl Read + Send + 'static>) -> mpsc::Receiver<String> {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut bytes);
        }
        let _ = send.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receive
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: u64) -> Result<String, NoAnswer> {
        let until = Until { limit: Some(Duration::from_millis(limit)), interrupt: None };
        run(Path::new("/bin/sh"), &["-c", script], "in", until)
    }

    #[test]
    fn an_answer_an_abort_and_a_child_that_never_ends() {
        assert_eq!(shell("head -n 1; echo noise >&2", 10_000).as_deref(), Ok("in\n"));
        let aborted = shell("echo 'thread main panicked' >&2; kill -ABRT $$", 10_000);
        let text = aborted.expect_err("it aborts").to_string();
        assert!(text.contains("signal: 6") && text.contains("panicked"), "{text}");
        assert_eq!(shell("exec sleep 100", 50), Err(NoAnswer::Time(0)));
        let missing = run(Path::new("/no/such/program"), &[], "", Until::default());
        assert!(matches!(missing, Err(NoAnswer::Start(_))));
    }

    #[test]
    fn a_child_is_stopped_by_an_interrupt() {
        static FLAG: AtomicBool = AtomicBool::new(true);
        let until = Until { limit: None, interrupt: Some(&FLAG) };
        let stopped = run(Path::new("/bin/sh"), &["-c", "exec sleep 100"], "", until);
        assert_eq!(stopped, Err(NoAnswer::Interrupted));
    }
}
